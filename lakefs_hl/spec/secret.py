"""Text that must not be shown: a secret key, a token, a URL with a login in it.

A `Secret` is a `str` that hides itself from `repr`, `str` and formatting, so that neither a log nor a traceback with
local variables repeats it. Code that needs the text says so with `reveal()`; concatenation and `encode()` give it too,
which is what HTTP libraries do with a header's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

HIDDEN: Final = "…"


class Secret(str):
    """A string that hides itself."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the text as a plain string."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse: whoever wants a secret in a pickle reveals it first."""
        msg = "a secret is not pickled"
        raise TypeError(msg)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class Unfit:
    """Stands for a secret that is no string, so that its value is in no frame when the error is raised."""

    __slots__ = ("kind",)

    def __init__(self, kind: type) -> None:
        self.kind = kind.__name__

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def hide(value: Any) -> Any:
    """Return a secret argument as a `Secret`; None stays None, and what is no string becomes `Unfit`."""
    if value is None or isinstance(value, Secret | Unfit):
        return value
    return Secret(str.__str__(value)) if isinstance(value, str) else Unfit(type(value))


def hide_login(value: Any) -> Any:
    """Return a URL as a `Secret` if it holds a user name or password; anything else stays as it is."""
    if isinstance(value, str) and "@" in value and not value.startswith(("local:", "mem:")):
        return hide(value)
    return value


def hide_values(value: Any) -> Any:
    """Return a mapping of names to secrets with the secrets hidden; None stays None, anything else becomes `Unfit`."""
    if isinstance(value, Mapping):
        return {name: hide(one) for name, one in value.items()}
    return None if value is None else Unfit(type(value))


def reveal(value: str) -> str:
    """Return a string as a plain one, whether it hides itself or not."""
    return str.__str__(value)
