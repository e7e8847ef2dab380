"""Text that must not be shown: a secret key, a token, a URL with credentials.

A `Secret` is a `str` whose `repr`, `str` and formatting do not show the text, so that neither a log nor a traceback
with local variables contains it. `reveal()` returns the text. So do concatenation and `encode()`, which HTTP libraries
use for the value of a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

import msgspec

HIDDEN: Final = "…"


class Secret(str):
    """A string whose representation is hidden."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a secret cannot be pickled; pickle what reveal() returns"
        raise TypeError(msg)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class Unfit:
    """Placeholder for a secret that is not a string, so that no frame of the error has its value."""

    __slots__ = ("kind",)

    def __init__(self, kind: type) -> None:
        self.kind: str = kind.__name__

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def hide(value: Any) -> Any:
    """Return a secret argument as a `Secret`. None stays None, and other types become `Unfit`."""
    if value is None or isinstance(value, Secret | Unfit):
        return value
    return Secret(str.__str__(value)) if isinstance(value, str) else Unfit(type(value))


def hide_login(value: Any) -> Any:
    """Return a URL with a user name or password as a `Secret`. Other values are returned unchanged."""
    if isinstance(value, str) and "@" in value and not value.startswith(("local:", "mem:")):
        return hide(value)
    return value


def hide_values(value: Any) -> Any:
    """Return a mapping of names to secrets with the secrets hidden. None stays None, other types become `Unfit`."""
    if isinstance(value, Mapping):
        return {name: hide(one) for name, one in value.items()}
    return value if value is None or isinstance(value, Unfit) else Unfit(type(value))


def reveal(value: str) -> str:
    """Return a string as a plain string, also if it is a `Secret`."""
    return str.__str__(value)


class KeyPair(msgspec.Struct, frozen=True):
    """An access key and its secret, which may be a `Secret`."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"<KeyPair {mask(self.access_key_id)}>"


def mask(value: str) -> str:
    """Return the beginning of a name that is partly secret."""
    return f"{value[:4]}…" if len(value) > 8 else "…"
