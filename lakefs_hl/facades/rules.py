"""Rules of lifecycles, as S3 and MinIO clients write them, checked."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

#: What `set_lifecycle` takes: dictionaries with the keys below.
Rules: TypeAlias = Iterable[Mapping[str, Any]]
_KEYS: Final = ("id", "status", "expiration", "filter")
_STATUSES: Final = ("Enabled", "Disabled")


class Rule(NamedTuple):
    """A rule.

    Attributes:
        id: Its name, unique in the lifecycle.
        is_enabled: Whether it is applied.
        age: Age at which objects expire.
        prefix: Prefix of the objects.
    """

    id: str
    is_enabled: bool
    age: timedelta
    prefix: str

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as it is written."""
        return {
            "id": self.id,
            "status": _STATUSES[not self.is_enabled],
            "expiration": {"days": self.age.days},
            "filter": {"prefix": self.prefix},
        }


def read_rules(rules: object) -> list[Rule]:
    """Return rules, checked.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A key is unknown or missing, or a value is not one that lifecycles have.
    """
    if isinstance(rules, str | bytes | Mapping) or not isinstance(rules, Iterable):
        msg = f"rules must be a list of dictionaries, not {type(rules).__name__}: {rules!r:.80}"
        raise TypeError(msg)
    found = list[Rule]()
    for number, given in enumerate(rules, 1):
        rule = _read(given, f"rules: rule {number}")
        if any(rule.id == other.id for other in found):
            msg = f"rules: rule {number}: two rules have the id {rule.id!r}; an id names one rule"
            raise ValueError(msg)
        found.append(rule)
    return found


def _read(given: object, about: str) -> Rule:
    rule = _fields(given, about, _KEYS)
    name = _text(rule["id"], f"{about}: id")
    if not name:
        msg = f"{about}: id must not be empty"
        raise ValueError(msg)
    about = f"rules: rule {name!r}"
    status = _text(rule["status"], f"{about}: status")
    if status not in _STATUSES:
        msg = f"{about}: status must be 'Enabled' or 'Disabled', not {status!r}"
        raise ValueError(msg)
    days = _fields(rule["expiration"], f"{about}: expiration", ("days",))["days"]
    prefix = _fields(rule["filter"], f"{about}: filter", ("prefix",))["prefix"]
    return Rule(name, status == "Enabled", _age(days, about), _text(prefix, f"{about}: prefix"))


def _fields(given: object, about: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a dictionary that has exactly the given keys."""
    shown = f"{', '.join(map(repr, keys[:-1]))} and {keys[-1]!r}" if len(keys) > 1 else repr(keys[0])
    if not isinstance(given, Mapping):
        msg = f"{about} must be a dictionary with {shown}, not {type(given).__name__}: {given!r:.80}"
        raise TypeError(msg)
    unknown = [key for key in given if key not in keys]
    if unknown:
        msg = f"{about}: unknown key {unknown[0]!r}; its keys are {shown}"
        raise ValueError(msg)
    missing = [key for key in keys if key not in given]
    if missing:
        hint = '; "" is the prefix of every object' if missing in (["filter"], ["prefix"]) else ""
        msg = f"{about}: {missing[0]!r} is missing; its keys are {shown}{hint}"
        raise ValueError(msg)
    return given


def _text(value: object, about: str) -> str:
    if not isinstance(value, str):
        msg = f"{about} must be a string, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    return str.__str__(value)


def _age(value: Any, about: str) -> timedelta:
    try:
        days = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        days = None
    if days is None:
        msg = f"{about}: days must be a number of days, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    if not 1 <= days <= timedelta.max.days:
        msg = f"{about}: days must be between 1 and {timedelta.max.days:,}, not {days}"
        raise ValueError(msg)
    return timedelta(days=days)
