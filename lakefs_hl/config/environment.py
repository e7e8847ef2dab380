"""The environment: variables by name, with secrets hidden; the key pair of a served lake; lakectl's file by option."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lakefs_hl.config.credentials import key_pair
from lakefs_hl.config.options import OPTIONS
from lakefs_hl.spec.secret import KeyPair, hide, hide_login

SERVE_KEYS: Final = ("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY")
_SECRETS: Final = frozenset(
    {variable for option in OPTIONS.values() if option.is_secret for variable in option.variables} | {SERVE_KEYS[1]}
)


class Environment:
    """The environment, read by name. It has no `repr`, and its secrets are `Secret` strings.

    Args:
        variables: The variables; None means those of this process.
    """

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def get(self, name: str) -> str | None:
        """Return a variable's value, or None."""
        value = self._variables.get(name)
        return hide(value) if value and name in _SECRETS else hide_login(value)  # type: ignore[no-any-return]

    def first(self, names: tuple[str, ...]) -> str | None:
        """Return the name of the first variable that is set and not empty, or None."""
        return next((name for name in names if self._variables.get(name)), None)

    def __getitem__(self, name: str) -> str:
        return self.get(name) or ""

    def __contains__(self, name: str) -> bool:
        return name in self._variables


def serve_keys(variables: Mapping[str, str] | None = None) -> KeyPair | None:
    """Return the key pair for a served lake. None means a random one.

    Raises:
        InvalidConfigError: Only half of it is set.
    """
    environment = Environment(variables)
    return key_pair("environment", *((name, environment.get(name)) for name in SERVE_KEYS))


def child_variables(added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process: that of this process, and further variables."""
    return {**os.environ, **added}


def serving_variables(package: Path) -> dict[str, str]:
    """Return the environment of a server for tests: without the keys of a served lake, so that it gets random ones.

    Args:
        package: Directory that contains this package, which the server imports from there.
    """
    variables = {name: value for name, value in os.environ.items() if name not in SERVE_KEYS}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (variables.get("PYTHONPATH"), str(package))))
    return variables


@contextmanager
def config_file(path: str | None) -> Iterator[None]:
    """Let the clients that are made in the `with` block read this file of lakectl. None changes nothing."""
    name = "LAKECTL_CONFIG_FILE"
    if path is None:
        yield
        return
    before = os.environ.get(name)
    os.environ[name] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
