"""What one test has of a server: its clients, its repositories, its faults."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Final, Self

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl._testing import faults
from lakefs_hl.config.options import OPTIONS
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.pytest_plugin import LakeServer

MARK: Final = "lakefs"
#: Longest name of a repository.
_LONGEST: Final = 63
_KEYS: Final = ("files", "faults")
#: Variables that could win over, or contradict, a key pair in the environment.
_CREDENTIALS: Final = tuple(name for option in OPTIONS.values() if option.group for name in option.variables)


def _marks(node: pytest.Item) -> Iterator[Mapping[str, Any]]:
    """Yield the arguments of the test's marks, the outermost first.

    Raises:
        Failed: A mark has other arguments than it takes.
    """
    for mark in reversed(list(node.iter_markers(MARK))):
        unknown = sorted(set(mark.kwargs) - set(_KEYS))
        if mark.args or unknown:
            given = ", ".join([*map(repr, mark.args), *(f"{name}=" for name in unknown)])
            pytest.fail(f"{node.nodeid}: the mark {MARK} has {given}; it takes files= and faults=", pytrace=False)
        yield mark.kwargs


def marked_files(node: pytest.Item) -> dict[str, str | bytes]:
    """Return the files of the test's marks. An inner mark wins over an outer one."""
    found: dict[str, str | bytes] = {}
    for arguments in _marks(node):
        files = arguments.get("files") or {}
        if not isinstance(files, Mapping):
            pytest.fail(f"{node.nodeid}: files={files!r}: must be a mapping of paths to contents", pytrace=False)
        found.update(files)
    return found


def marked_faults(node: pytest.Item) -> list[faults.Fault]:
    """Return the faults of the test's marks."""
    found = []
    for arguments in _marks(node):
        if "faults" in arguments:
            try:
                found += faults.parse(arguments["faults"])
            except ValueError as exc:
                pytest.fail(f"{node.nodeid}: {exc}", pytrace=False)
    return found


def commit_files(repository: lakefs_hl.Repository, files: Mapping[str, str | bytes] | None) -> None:
    """Put files on the branch `main`, and commit them."""
    if files:
        branch = repository.branch("main")
        for path, content in files.items():
            branch.upload(content, path)
        branch.commit_changes("files of the test")


def name_of(node: pytest.Item) -> str:
    """Return a new name for a repository, with the name of the test in it."""
    words = re.sub(r"[^a-z0-9]+", "-", node.nodeid.rpartition("/")[2].lower().replace(".py::", "-")).strip("-")
    ending = f"-{secrets.token_hex(6)}"
    return (words[: _LONGEST - len(ending)].strip("-") or "test") + ending


class Case:
    """One test on a server, as a context manager.

    Args:
        node: The test.
        server: The server.
        options: Options of its client.
        prefix: Beginning of the storage namespaces of new repositories. None leaves them to the server.
    """

    def __init__(
        self, node: pytest.Item, server: LakeServer, options: Mapping[str, Any], prefix: str | None = None
    ) -> None:
        self._node, self._options, self._prefix = node, options, prefix
        self._direct, self.server = server, server
        self._faults: faults.Faults | None = None
        self._made: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        given = marked_faults(self._node)
        with ExitStack() as stack:
            #: Creates and deletes the repositories: faults are for the test alone.
            self._owner = stack.enter_context(self._direct.client(**self._options))
            self.client = self._owner
            if given:
                from lakefs_hl._testing.proxy import Proxy

                self._faults = faults.Faults(given)
                proxy = Proxy(self._direct.url, self._faults)
                stack.callback(proxy.close)
                direct = self._direct
                self.server = LakeServer(proxy.url, direct.access_key_id, direct.secret_access_key, direct.config_file)
                self.client = stack.enter_context(self.server.client(**self._options))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            self._delete()
        for fault in self._faults.unused if self._faults else []:
            pytest.fail(f"{self._node.nodeid}: {fault} has broken no request, so the test shows nothing", pytrace=False)

    def _delete(self) -> None:
        """Delete the repositories of the test; that one of them cannot be deleted keeps none of the others."""
        with ExitStack() as stack:
            for name in self._made:
                stack.callback(self._delete_one, name)

    def _delete_one(self, name: str) -> None:
        with suppress(NotFoundException):  # the test itself has deleted it
            lakefs_hl.repository(name, client=self._owner).delete(force=True)

    def make(self, files: Mapping[str, str | bytes] | None = None) -> lakefs_hl.Repository:
        """Create a repository, which is deleted with the test.

        Args:
            files: Contents by path, for its first commit.
        """
        name = name_of(self._node)
        namespace = f"{self._prefix.rstrip('/')}/{name}" if self._prefix else None
        self._made.append(name)
        commit_files(lakefs_hl.repository(name, client=self._owner).create(namespace), files)
        return lakefs_hl.repository(name, client=self.client)

    def repository(self) -> lakefs_hl.Repository:
        """Create the repository of the test, with the files of its marks."""
        return self.make(marked_files(self._node))

    def set_environment(self, patch: pytest.MonkeyPatch) -> None:
        """Set the variables of lakectl to the server, and forget the default client."""
        server = self.server
        patch.setenv("LAKECTL_SERVER_ENDPOINT_URL", server.url)
        if server.config_file is not None:
            patch.setenv("LAKECTL_CONFIG_FILE", server.config_file)
        if server.access_key_id is not None and server.secret_access_key is not None:
            for name in _CREDENTIALS:
                patch.delenv(name, raising=False)
            patch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", server.access_key_id)
            patch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", server.secret_access_key)
        for module in (lakefs_hl, aio):
            patch.setitem(vars(module), "DefaultClient", None)

    def close_default(self) -> None:
        """Close the default client that the test has made."""
        made = vars(lakefs_hl).get("DefaultClient")
        if isinstance(made, lakefs_hl.Client):
            made.close()
