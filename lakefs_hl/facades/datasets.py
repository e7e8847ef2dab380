"""Datasets: how they are addressed, and the names of what they keep beside their data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.facades import arguments
from lakefs_hl.facades.items import path_of

#: The metadata of a dataset, under its prefix; and the JSON Schema that it follows.
METADATA: Final = "_dataset.json"
SCHEMA: Final = "_dataset.schema.json"
#: Prefix of the versions of the metadata: one object for each, which is never changed.
HISTORY: Final = "_dataset.history/"
#: Prefix of the requests for approval, which have a branch of their own.
APPROVALS: Final = "_approvals/"
#: Paths, relative to a dataset, that are not data.
OWN: Final = (METADATA, SCHEMA, HISTORY)
_SCHEME: Final = "lakefs://"


class Address(NamedTuple):
    """Where a dataset is.

    Attributes:
        repository: Name of the repository.
        ref: The reference. None for the default branch.
        prefix: The prefix. "" for the whole repository, else it ends with a slash.
    """

    repository: str
    ref: str | None
    prefix: str

    @property
    def uri(self) -> str:
        """The URI, as `lakefs_hl.dataset` takes it."""
        if self.ref is None:
            return f"{_SCHEME}{self.repository}"
        return f"{_SCHEME}{self.repository}/{self.ref}/{self.prefix}"

    def id_at(self, commit: str) -> str:
        """Return the ID of the dataset at a commit."""
        return f"{_SCHEME}{self.repository}@{commit}" + (f"/{self.prefix}" if self.prefix else "")


def parse(uri_or_id: object, ref: object) -> Address:
    """Return the address of a dataset.

    Args:
        uri_or_id: A name of a repository, `lakefs://repository`, `lakefs://repository/reference/prefix/`, or an ID:
            `lakefs://repository@commit` with a prefix or without.
        ref: The reference, if the URI has none.

    Raises:
        TypeError: It is no text.
        ValueError: It is no such URI, or `ref` is another reference than that of the URI.
    """
    given = arguments.text(uri_or_id, "uri_or_id")
    wanted = None if ref is None else arguments.text(ref, "ref")
    rest = given.removeprefix(_SCHEME)
    place, _, path = rest.partition("/")
    repository, pin, pinned = place.partition("@")
    if pin:
        named, prefix = pinned, path
    elif rest == given and path:
        msg = (
            f"uri_or_id must be the name of a repository or a URI, not {given!r:.200}: a prefix of a repository is "
            "lakefs://repository/branch/prefix/"
        )
        raise ValueError(msg)
    else:
        named, _, prefix = path.partition("/")
    if not repository or ":" in repository or (pin and not named) or (prefix and not named):
        msg = (
            f"uri_or_id must be a name, lakefs://repository, lakefs://repository/branch/prefix/ or "
            f"lakefs://repository@commit, not {given!r:.200}"
        )
        raise ValueError(msg)
    if wanted is not None and named and wanted != named:
        msg = f"ref={wanted!r} is another reference than that of {given!r:.200}; leave one of them out"
        raise ValueError(msg)
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    if wanted is not None and "/" in wanted:
        msg = f"ref must be the name of a branch, a tag or a commit, not {wanted!r:.200}"
        raise ValueError(msg)
    if wanted == "":
        msg = "ref must not be empty; None is the default branch"
        raise ValueError(msg)
    prefix.encode()  # a UnicodeEncodeError, which is a ValueError
    return Address(repository, named or wanted, prefix)


def exclusions(exclude: str | Iterable[str] | None) -> list[str]:
    """Return the globs of what is left out of a transfer, with those of what is not data.

    Raises:
        TypeError: `exclude` is neither a glob nor an iterable of globs.
    """
    given = arguments.series(exclude, "exclude")
    return [*(given or ()), *(f"/{name}" for name in OWN)]


def data_path(path: object, address: Address) -> str:
    """Return the full path of an object of a dataset, or a prefix.

    Args:
        path: A path that is relative to the dataset, or an object of either colour.
        address: Where the dataset is.

    Raises:
        TypeError: It is neither.
        ValueError: It is not relative to the dataset, or the object is none of it.
    """
    if isinstance(path, lakefs_hl.ObjectInfo | aio.ObjectInfo):
        if path.repository_id == address.repository and path.path.startswith(address.prefix):
            return path.path
        msg = f"path is {path.uri}, which is no object of the dataset {address.uri}"
        raise ValueError(msg)
    found = path_of(path, "path")
    if not found or found.startswith(("/", _SCHEME)):
        msg = f"path must be relative to the dataset {address.uri}, as in 'raw/a.csv', not {found!r:.200}"
        raise ValueError(msg)
    return address.prefix + found


# -- versions ----------------------------------------------------------------------------------------------------------

_VERSION: Final = re.compile(r"v([1-9][0-9]{0,8})")
_COMMIT: Final = re.compile("[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:\.?[A-Za-z0-9_+-])*")


def tag_prefix(prefix: str) -> str:
    """Return what the names of a dataset's tags begin with, which no other dataset of the repository has.

    Slashes become dots, and what a tag cannot have is percent-encoded.
    """
    if not prefix:
        return ""
    parts = [quote(part, safe="").replace(".", "%2E").replace("~", "%7E") or "%" for part in prefix[:-1].split("/")]
    return ".".join(parts) + "="


def check_version_name(name: object, argument: str = "name") -> str:
    """Return the name of a version, checked.

    Raises:
        TypeError: It is no text.
        ValueError: No version can have it.
    """
    found = arguments.text(name, argument)
    if not _NAME.fullmatch(found) or found.endswith(".lock") or len(found) > 200:
        msg = f"{argument} must be letters, digits, and `_`, `-`, `+` and single dots between them, not {found!r:.80}"
        raise ValueError(msg)
    return found


def number_of(name: str) -> int | None:
    """Return the number of a version named `v<number>`. None of another one."""
    found = _VERSION.fullmatch(name)
    return None if found is None else int(found[1])


def sorted_versions(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that versions can have: `v1`, `v2` …, then the others by name."""
    found = [name for name in names if _NAME.fullmatch(name)]
    return tuple(sorted(found, key=lambda name: (number_of(name) is None, number_of(name) or 0, name)))


def is_commit(ref: str) -> bool:
    """Return whether a reference is the ID of a commit."""
    return _COMMIT.fullmatch(ref) is not None
