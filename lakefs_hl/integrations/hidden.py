"""Options with secrets for other libraries: plain dictionaries and text, whose representation hides the secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "…"
#: Names whose values are secret: the last part of a name with dots, in lower case and without underscores.
_SECRET_NAMES: Final = frozenset(
    {
        *("password", "secret", "secretkey", "secretaccesskey", "awssecretaccesskey", "accesstoken", "jwttoken"),
        *("token", "proxy", "tokenrequestheaders"),
    }
)


def is_secret(name: object) -> bool:
    """Return whether the value of an option is secret.

    Examples:
        >>> is_secret("spark.hadoop.fs.s3a.bucket.example.secret.key"), is_secret("aws_region")
        (True, False)
    """
    text = str(name).lower().replace("_", "")
    return text in _SECRET_NAMES or text.endswith((".secret.key", ".secretkey", ".token", ".password"))


class Options(dict[str, Any]):
    """A dictionary whose `repr` hides secrets. Everything else about it is that of a dictionary, as is its pickle."""

    def __repr__(self) -> str:
        return repr({name: HIDDEN if is_secret(name) else value for name, value in self.items()})

    def copy(self) -> Options:
        """Return a copy, which hides the secrets too."""
        return Options(self)

    def __or__(self, other: Mapping[str, Any]) -> Options:  # type: ignore[override]
        return Options({**self, **other}) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> Options:  # type: ignore[override]
        return Options({**other, **self}) if isinstance(other, Mapping) else NotImplemented


class Statement(str):
    """A statement of SQL whose `repr` hides its secret. `str` is the statement, and databases take it as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{self.partition('SECRET ')[0]}SECRET {HIDDEN}'"
