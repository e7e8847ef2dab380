"""Arguments of public calls: converted once, where they enter, and checked there.

Rules of the room: values only. No request, no client and no handle is needed here. Each function takes a caller's
value and the name of the parameter, and returns a value of an exact built-in type. Subclasses of `str`, `int` and
`bool` and NumPy scalars are converted. Anything else is a `TypeError` that names the parameter. Other rooms rely on
that and do not test for exact types.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol, TypeGuard, cast

from lakefs_hl.spec import callers
from lakefs_hl.spec.errors import ProtocolException
from lakefs_hl.spec.uri import BLOB, bucket_of

SCHEME: Final = "lakefs://"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
#: lakeFS stores numbers in 64 bits.
_LARGEST: Final = (1 << 63) - 1


class Place(Protocol):
    """A reference, to which a path or a URI is relative."""

    _repository_id: str
    _id: str


class Default(str):
    """The default of a parameter. Its identity distinguishes it from the same value given by a caller."""

    __slots__ = ()


DEFAULT_BRANCH: Final = Default("main")


def _type_error(argument: str, wanted: str, value: object, hint: str = "", *, secret: bool = False) -> TypeError:
    shown = "" if secret else f": {value!r:.80}"
    return TypeError(f"{argument} must be {wanted}, not {type(value).__name__}{shown}{hint}")


# -- text --------------------------------------------------------------------------------------------------------------


def text(value: object, argument: str, *, hint: str = "", secret: bool = False) -> str:
    """Return a string of the exact type: `str(x)` would be wrong for a `(str, Enum)`.

    Args:
        value: The argument.
        argument: Name of the parameter.
        hint: What to do instead, for the message.
        secret: Whether to leave the value out of the message.

    Raises:
        TypeError: It is not a string.
    """
    found = value if type(value) is str else _exact_string(value)
    if found is None:
        raise _type_error(argument, "a string", value, hint or _hint(value), secret=secret)
    return found if found.isascii() else _encodable(found, argument, secret=secret)


def _exact_string(value: object) -> str | None:
    return str.__str__(value) if isinstance(value, str) else None


def _encodable(value: str, argument: str, *, secret: bool = False) -> str:
    """Return a string if UTF-8 can encode it, as lakeFS requires. The name of a local file may not be such text."""
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        shown = "" if secret else f": {value!r:.80}"
        msg = f"{argument} must be text that UTF-8 can encode, and has a lone surrogate at {exc.start}{shown}"
        raise ValueError(msg) from None
    return value


def _hint(value: object) -> str:
    if isinstance(value, os.PathLike):
        return "; a local path is not a name in a lake: give its text, str(path) or path.as_posix()"
    for name in ("path", "id"):  # an ObjectInfo or a CommonPrefix, a reference or a repository
        if isinstance(getattr(type(value), name, None), property):
            return f"; give its .{name}"
    return ""


def optional_text(value: object, argument: str, *, secret: bool = False) -> str | None:
    """Return a string; None stays None.

    Raises:
        TypeError: It is neither.
    """
    if value is None:
        return None
    found = value if type(value) is str else _exact_string(value)
    if found is None:
        raise _type_error(argument, "a string or None", value, _hint(value), secret=secret)
    return found if found.isascii() else _encodable(found, argument, secret=secret)


def name(value: object, argument: str) -> str:
    """Return a string that is not empty.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty.
    """
    found = value if type(value) is str else _exact_string(value)
    if found is None:
        raise _type_error(argument, "a string", value, _hint(value))
    if not found:
        msg = f"{argument} must not be empty"
        raise ValueError(msg)
    return found if found.isascii() else _encodable(found, argument)


def texts(value: object, argument: str) -> tuple[str, ...]:
    """Return strings given as an iterable. A single string is one item, not its characters.

    Raises:
        TypeError: It is neither a string nor an iterable of strings.
    """
    if isinstance(value, str):
        return (text(value, argument),)
    return tuple(text(item, argument) for item in items(value, argument))


def items(value: object, argument: str) -> Iterator[object]:
    """Returns an iterator over any number of values.

    Raises:
        TypeError: It is no iterable.
    """
    if not is_series(value):
        raise _type_error(argument, "a string or an iterable of strings", value, _hint(value))
    return iter(value)


def is_series(value: object) -> TypeGuard[Iterable[object]]:
    """Return whether a value is an iterable of items: not bytes, and no array or table of zero or two dimensions.

    An array without dimensions only looks iterable, and a pandas DataFrame iterates over the names of its columns.
    """
    single = isinstance(value, bytes | bytearray | memoryview) or getattr(value, "ndim", 1) != 1
    return isinstance(value, Iterable) and not single


def choice(value: object, argument: str, choices: tuple[str, ...]) -> Any:
    """Return a string that is one of the choices.

    Raises:
        TypeError: It is not a string.
        ValueError: It is another string.
    """
    found = _exact_string(value)
    if found is None:
        raise _type_error(argument, "a string", value)
    if found not in choices:
        *others, last = map(repr, choices)
        msg = f"{argument} must be {', '.join(others)} or {last}, not {found!r}"
        raise ValueError(msg)
    return found


def optional_choice(value: object, argument: str, choices: tuple[str, ...]) -> Any:
    """Return a string that is one of the choices. None stays None.

    Raises:
        TypeError: It is neither a string nor None.
        ValueError: It is another string.
    """
    return None if value is None else choice(value, argument, choices)


# -- names and URIs ----------------------------------------------------------------------------------------------------


def _split_uri(uri: str) -> tuple[str, str, str]:
    repository, _, rest = uri[len(SCHEME) :].partition("/")
    reference, _, path = rest.partition("/")
    return repository, reference, path


def repository_name(value: object, argument: str = "repository_id") -> str:
    """Return the name of a repository given by its name or its URI.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, or the URI of something in a repository.
    """
    found = name(value, argument)
    if not found.startswith(SCHEME):
        return found
    repository, reference, path = _split_uri(found)
    if reference or path or not repository:
        uri = SCHEME + (repository or "NAME")
        msg = f"{argument} must be a repository's name or its URI, such as {uri}, not {found!r}"
        raise ValueError(msg)
    return repository


def in_repository(value: object, argument: str, repository: str) -> str:
    """Return the name of a reference given by its name or its URI.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, or the URI of something else or of another repository.
    """
    found = name(value, argument)
    if not found.startswith(SCHEME):
        return found
    other, reference, path = _split_uri(found)
    if not reference or path:
        kind = "an object" if path else "a repository"
        msg = f"{argument} must be the name or the URI of a reference, and {found!r} is that of {kind}"
        raise ValueError(msg)
    if other != repository:
        raise other_repository_error(argument, repr(found), repository)
    return reference


def reference_uri(value: object, argument: str) -> tuple[str, str]:
    """Return the names of the repository and the reference in the URI of a reference.

    `blob:bucket` is the branch `main` of a repository. The other URIs of that scheme have no meaning in a lake.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not the URI of a reference.
    """
    found = name(value, argument)
    if found.startswith(BLOB):
        return bucket_of(found, argument), str.__str__(DEFAULT_BRANCH)
    repository, reference, path = _split_uri(found) if found.startswith(SCHEME) else ("", "", "")
    if repository and reference and not path:
        return repository, reference
    hint = ""
    if path and repository and reference:
        at = f"{SCHEME}{repository}/{reference}"
        hint = f"; it is that of an object: ref({at!r}).stat_object({path!r}) looks the object up"
    elif repository and not reference and not path:
        hint = f"; it is that of a repository: use repository({found!r})"
    msg = f"{argument} must be the URI of a reference, such as {SCHEME}repository/main, not {found!r}{hint}"
    raise ValueError(msg)


def object_uri(value: object, argument: str) -> tuple[str, str, str]:
    """Return the repository, the reference and the path of a URI. The path may be empty.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not the URI of a reference or of something at one.
    """
    found = name(value, argument)
    repository, reference, at = _split_uri(found) if found.startswith(SCHEME) else ("", "", "")
    if not repository or not reference:
        msg = f"{argument} must be a URI such as lakefs://repository/reference/path, not {found!r}"
        raise ValueError(msg)
    return repository, reference, at


def path(value: object, place: Place, argument: str = "path") -> str:
    """Return the path of an object given by its path or its URI.

    Raises:
        TypeError: It is not a string.
        ValueError: It is the URI of an object at another reference or in another repository.
    """
    found = value if type(value) is str else _exact_string(value)
    if found is None:
        raise _type_error(argument, "a string", value, _PATH_HINTS.get(type(value), "") or _hint(value))
    if found[:9] != SCHEME:
        return found if found.isascii() else _encodable(found, argument)
    repository, reference, at = _split_uri(found)
    if repository != place._repository_id:
        raise other_repository_error(argument, repr(found), place._repository_id)
    if reference != place._id:
        msg = (
            f"{argument}: {found!r} is at reference {reference!r}, and this call is made on {place._id!r}; give the "
            "path alone, or make the call on that reference"
        )
        raise ValueError(msg)
    return at


_PATH_HINTS: Final[Mapping[type, str]] = dict.fromkeys(
    (bytes, bytearray, memoryview), "; data comes first and the path second, as in upload(data, path)"
)


def other_repository_error(argument: str, shown: str, repository: str) -> ValueError:
    """Return the error for an argument that is in another repository."""
    return ValueError(f"{argument}: {shown} is in another repository, and this call is made on {SCHEME}{repository}")


def delimiter(value: object, recursive: object) -> str:
    """Return the delimiter of a listing. A `recursive` one has none.

    Raises:
        TypeError: One of them has the wrong type.
    """
    found = text(value, "delimiter")
    return "" if flag(recursive, "recursive") else found


def text_options(encoding: object, errors: object, newline: object) -> tuple[str | None, str | None, str | None]:
    """Return the arguments of the built-in `open` for text.

    Raises:
        TypeError: One is neither a string nor None.
    """
    return optional_text(encoding, "encoding"), optional_text(errors, "errors"), optional_text(newline, "newline")


# -- numbers and flags -------------------------------------------------------------------------------------------------


def integer(value: object, argument: str, *, least: int | None = None) -> int:
    """Return an integer of the exact type.

    Raises:
        TypeError: It is not an integer. A float is not, whatever its value.
        ValueError: It is smaller than `least`, or does not fit 64 bits.
    """
    found = value if type(value) is int else _index(value)
    if found is None:
        raise _type_error(argument, "an integer", value)
    if least is not None and found < least:
        msg = f"{argument} must be at least {least}, not {found}"
        raise ValueError(msg)
    if not -_LARGEST <= found <= _LARGEST:
        msg = f"{argument} must be an integer of 64 bits, not {found:.3e}"
        raise ValueError(msg)
    return found


def _index(value: object) -> int | None:
    try:
        return operator.index(cast("Any", value))
    except TypeError:
        return None


def optional_integer(value: object, argument: str, *, least: int | None = None) -> int | None:
    """Return an integer; None stays None.

    Raises:
        TypeError: It is neither.
        ValueError: It is out of range.
    """
    return None if value is None else integer(value, argument, least=least)


def amount(value: object) -> int | None:
    """Return `max_amount`: the maximum number of items to list. None means all.

    Raises:
        TypeError: It is neither an integer nor None.
        ValueError: It is negative.
    """
    if value is None or (type(value) is int and 0 <= value <= _LARGEST):
        return value
    if isinstance(value, str):
        found = str.__str__(value)
        msg = f"max_amount must be None or an integer, not {found!r}; a prefix is given as prefix={found!r}"
        raise TypeError(msg)
    count = _index(value)
    if count is None:
        raise _type_error("max_amount", "None or an integer", value)
    if count < 0:
        msg = f"max_amount must be None or at least 0, not {count}"
        raise ValueError(msg)
    return min(count, _LARGEST)


def number(value: object, argument: str, wanted: str = "a number") -> float:
    """Return a number. True and False are not numbers.

    Raises:
        TypeError: It is not a number. Text that spells one is not.
    """
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, str | bool) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise _type_error(argument, wanted, value)
    if _kind(value) not in ("", "i", "u", "f"):  # NumPy converts booleans, bytes and the real part of a complex number
        raise _type_error(argument, wanted, value)
    try:
        return float(cast("Any", value))
    except (TypeError, ValueError, OverflowError):  # an array of several, say
        raise _type_error(argument, wanted, value) from None


def seconds(value: object, argument: str) -> float:
    """Return a duration in seconds, given as a `timedelta` or as a number of seconds.

    Raises:
        TypeError: It is neither.
        ValueError: It is negative.
    """
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, str) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise _type_error(argument, "a timedelta or a number of seconds", value)
    else:
        found = number(value, argument)
    if not found >= 0:
        msg = f"{argument} must not be negative: {value!r}"
        raise ValueError(msg)
    return found


def _kind(value: object) -> str:
    """Return the kind of a NumPy scalar, such as "i" or "M"; "array" for a NumPy array, "" for anything else."""
    found = cast("Any", value)
    kind = getattr(getattr(found, "dtype", None), "kind", "")
    return "array" if kind and getattr(found, "ndim", 0) else str(kind)


def age(value: object, argument: str) -> float:
    """Return an age in seconds, given as a `timedelta`. A number is refused: 24 would mean seconds, not hours.

    Raises:
        TypeError: It is not a timedelta.
        ValueError: It is negative.
    """
    if not isinstance(value, timedelta):
        raise _type_error(argument, "a timedelta, such as timedelta(hours=24)", value)
    return seconds(value, argument)


def flag(value: object, argument: str) -> bool:
    """Return True or False, given as such, as a NumPy boolean, or as 1 or 0.

    Raises:
        TypeError: It is anything else. The text "false" is not False.
    """
    if value is True or value is False:
        return value
    found = _truth(value)
    if found is None:
        raise _type_error(argument, "True or False", value)
    return found


def _truth(value: object) -> bool | None:
    if _kind(value) == "b":
        return bool(value)  # a NumPy boolean, which is not an integer
    return {0: False, 1: True}.get(_index(value))  # type: ignore[arg-type]


def optional_flag(value: object, argument: str) -> bool | None:
    """Return True or False. None stays None.

    Raises:
        TypeError: It is none of them.
    """
    if value is None or value is True or value is False:
        return value
    found = _truth(value)
    if found is None:
        raise _type_error(argument, "True, False or None", value)
    return found


# -- metadata ----------------------------------------------------------------------------------------------------------


def metadata(value: object, argument: str = "metadata", *, secret: bool = False) -> dict[str, str]:
    """Return keys and values as strings of the exact type.

    Raises:
        TypeError: It is not a mapping, or a key or a value is not a string; the message names the key.
    """
    if type(value) is not dict and not isinstance(value, Mapping):
        raise _type_error(argument, "a mapping of strings to strings", value, secret=secret)
    found = dict[str, str]()
    for key, item in value.items():
        if type(key) is type(item) is str and key.isascii() and item.isascii():
            found[key] = item
            continue
        if not isinstance(key, str):
            msg = f"{argument}: keys must be strings, and {key!r:.80} is {_with_article(key)}"
            raise TypeError(msg)
        found[text(key, argument)] = text(item, f"{argument}[{str.__str__(key)!r}]", secret=secret)
    return found


def _with_article(value: object) -> str:
    kind = type(value).__name__
    return f"an {kind}" if kind[:1] in "aeiouAEIOU" else f"a {kind}"


def optional_metadata(value: object, argument: str = "metadata") -> dict[str, str] | None:
    """Return keys and values as strings; None stays None.

    Raises:
        TypeError: It is not a mapping, or a key or a value is not a string; the message names the key.
    """
    return None if value is None else metadata(value, argument)


def user_metadata(value: object) -> dict[str, str] | None:
    """Return the user metadata of an object. Warns about keys that lakeFS stores in lower case.

    Raises:
        TypeError: It is not a mapping, or a key or a value is not a string; the message names the key.
    """
    if value is None:
        return None
    found = metadata(value)
    for key in found:
        if key != key.lower():
            msg = f"the metadata key {key!r} is stored in lower case, as {key.lower()!r}"
            callers.warn(msg)
    return found


# -- time --------------------------------------------------------------------------------------------------------------


def moment(value: object, argument: str) -> str:
    """Return a time in the format of lakeFS's query parameters. It is clamped to the years 1 to 9999 of UTC.

    Args:
        value: An aware `datetime`, a `date`, or either as ISO 8601 text. A date or a text without an offset is in UTC.
        argument: Name of the parameter.

    Raises:
        TypeError: It is none of these.
        ValueError: It is a `datetime` without a time zone, or a text that is not in ISO 8601.
    """
    since = _since_epoch(value, argument)
    try:
        found = _EPOCH + since
    except OverflowError:
        found = _LAST if since > timedelta() else _FIRST
    return found.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def unix_seconds(value: object, argument: str) -> int | None:
    """Return a time in the format of lakeFS's records: whole seconds, rounded down. None stays None.

    Raises:
        TypeError: It is not a time (see `moment`).
        ValueError: It has no time zone, or lies outside UTC's years 1 to 9999.
    """
    if value is None:
        return None
    found = _since_epoch(value, argument) // _SECOND
    if (_FIRST - _EPOCH) // _SECOND <= found <= (_LAST - _EPOCH) // _SECOND:
        return found
    msg = f"{argument} must lie in the years 1 to 9999 of UTC, and {value!r} does not"
    raise ValueError(msg)


def from_unix_seconds(found: int) -> datetime:
    """Return the time of a record. It is clamped to the range of `datetime`."""
    try:
        return datetime.fromtimestamp(found, UTC)
    except (OverflowError, ValueError, OSError):  # OSError: some platforms, before 1970
        return _LAST if found > 0 else _FIRST


def from_rfc3339(found: str) -> datetime:
    """Return a moment of a record as an aware datetime in UTC.

    Raises:
        ProtocolException: It is not a moment.
    """
    try:
        return datetime.fromisoformat(found).astimezone(UTC)
    except (ValueError, OverflowError):
        msg = f"the server returned {found!r:.80} where a time is expected"
        raise ProtocolException(msg) from None


def _since_epoch(value: object, argument: str) -> timedelta:
    """Return the time since 1970. A difference is exact, and not limited to the years of `datetime`."""
    if _kind(value) == "M":
        value = str(value)  # a NumPy scalar, in ISO 8601 without an offset
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            msg = f"{argument} must be an aware datetime, such as datetime.now(UTC); {value!r} has no time zone"
            raise ValueError(msg)
        found = value
        if type(value) is not datetime:  # a pandas Timestamp has a difference and bounds of its own
            day = date(value.year, value.month, value.day)
            found = datetime.combine(day, value.time(), value.tzinfo).replace(fold=value.fold)
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, str):
        try:
            found = datetime.fromisoformat(text(value, argument))
        except ValueError:
            msg = f"{argument} must be a time such as '2026-01-31' or '2026-01-31T12:00:00Z', not {value!r:.80}"
            raise ValueError(msg) from None
        found = found if found.utcoffset() is not None else found.replace(tzinfo=UTC)
    else:
        raise _type_error(argument, "an aware datetime, a date or ISO 8601 text", value)
    return found - _EPOCH
