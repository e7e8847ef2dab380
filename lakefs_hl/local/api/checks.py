"""What lakeFS's schema layer asks of a request before anything else happens: 400 when it is not so.

Rules of the room: plain reading of queries and bodies; each check is on the way of every call, so the common case costs
one look-up.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, UnsupportedOperationException
from lakefs_hl.spec.limits import MAX_PAGE, MAX_PATH_BYTES
from lakefs_hl.spec.wire import FileSlice, Query, Request

T = TypeVar("T")
AMOUNT: Final = 100
_INTEGER: Final = re.compile(r"-?[0-9]{1,9}")
_LONGEST_TIME: Final = 35
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def parameter(name: str, message: str) -> BadRequestException:
    """The refusal of a query parameter."""
    return BadRequestException(f'parameter "{name}" in query has an error: {message}')


def text(query: Query, name: str) -> str:
    """A parameter that may be missing; the first of several. A string is one value, never several characters."""
    value = query.get(name, "")
    if type(value) is str:
        return value
    first = value if isinstance(value, str) else value[0] if value else ""
    return str.__str__(first)


def texts(query: Query, name: str) -> tuple[str, ...]:
    """A parameter that may be given several times."""
    value = query.get(name)
    if value is None:
        return ()
    return (str.__str__(value),) if isinstance(value, str) else value


def required(query: Query, name: str) -> str:
    """A parameter that must be there and not empty."""
    if name not in query:
        raise parameter(name, "value is required but missing")
    value = text(query, name)
    if not value:
        raise parameter(name, "empty value is not allowed")
    return value


def path(query: Query, name: str = "path") -> str:
    """An object's path: there, valid Unicode, at most 1,024 bytes."""
    value = query.get(name)
    if type(value) is not str or not value:
        value = required(query, name)
    if len(value) > MAX_PATH_BYTES or not value.isascii():
        _measure(value, name)
    return value


def prefix(query: Query) -> str:
    """The start of the paths asked for: at most 1,024 bytes."""
    value = text(query, "prefix")
    if len(value) > MAX_PATH_BYTES or not value.isascii():
        _measure(value, "prefix")
    return value


def _measure(value: str, name: str) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise parameter(name, "not valid UTF-8") from None
    if size > MAX_PATH_BYTES:
        raise BadRequestException(
            f"argument {name}: {size} bytes, at most {MAX_PATH_BYTES}: invalid value: validation error"
        )


def integer(query: Query, name: str, default: int, low: int, high: int) -> int:
    """A whole number within bounds."""
    value = text(query, name)
    if not value:
        return default
    if _INTEGER.fullmatch(value) is None:
        raise parameter(name, f"value {value[:40]}: an invalid integer: invalid syntax")
    number = int(value)
    if number > high:
        raise parameter(name, f"number must be at most {high}, got {number}")
    if number < low:
        raise parameter(name, f"number must be at least {low}, got {number}")
    return number


def amount(query: Query) -> int:
    """How many results a page may hold: 0 and -1 mean 100."""
    if "amount" not in query:
        return AMOUNT
    number = integer(query, "amount", AMOUNT, -1, MAX_PAGE)
    return number if number > 0 else AMOUNT


def flag(query: Query, name: str, default: bool = False) -> bool:
    """A yes or no."""
    if name not in query:
        return default
    value = text(query, name)
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise parameter(name, f"value {value[:40]}: an invalid boolean: invalid syntax")


def word(query: Query, name: str, allowed: tuple[str, ...]) -> str:
    """One of a few words; the first unless given."""
    value = text(query, name)
    if not value:
        return allowed[0]
    if value not in allowed:
        raise parameter(name, f"value {value[:40]!r} is not one of the allowed values {list(allowed)}")
    return value


def moment(query: Query, name: str) -> datetime | None:
    """A point in time as RFC 3339 writes it."""
    value = text(query, name)
    if not value:
        return None
    try:
        if len(value) > _LONGEST_TIME:  # what is behind a whole time is not looked at
            raise ValueError(value)
        found = datetime.fromisoformat(value)
    except ValueError:
        raise parameter(name, f"value {value[:40]!r} is not a time such as 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def content(request: Request) -> bytes:
    """A body that is small enough to be read whole."""
    body = request.body
    if isinstance(body, FileSlice):
        raise BadRequestException("request body has an error: expected JSON, got a file")
    return body


def body(kind: type[T], request: Request) -> T:
    """The record in the body."""
    data = content(request)
    if not data:
        raise BadRequestException("request body has an error: value is required but missing")
    try:
        return models.decode(kind, data)
    except msgspec.ValidationError as exc:
        raise BadRequestException(f"request body has an error: doesn't match schema: {exc}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "unexpected EOF" if str(exc) == "Input data was truncated" else exc
        raise BadRequestException(f"request body has an error: failed to decode request body: {reason}") from None


def optional_body(kind: type[T], request: Request) -> T:
    """The record in the body; an empty one if there is no body."""
    if not request.body:
        return models.decode(kind, b"{}")
    return body(kind, request)


def field(name: str, message: str) -> BadRequestException:
    """The refusal of a field of the body."""
    return BadRequestException(f'request body has an error: doesn\'t match schema: Error at "/{name}": {message}')


def matches(pattern: re.Pattern[str], value: str, name: str) -> None:
    """Holds a field of the body against its pattern."""
    if pattern.fullmatch(value) is None:
        raise field(name, f'string {value[:80]!r} doesn\'t match the regular expression "{pattern.pattern}"')


def one_of(value: str, allowed: tuple[str, ...], name: str) -> None:
    """Holds a field of the body against the words it may be."""
    if value not in allowed:
        raise field(name, f"value {value[:80]!r} is not one of the allowed values {list(allowed)}")


def create_only(request: Request) -> bool:
    """Reads the conditions of a write: `If-None-Match: *` or none; any other answers 501, as lakeFS does."""
    headers = request.headers
    if "if-match" in headers:
        raise UnsupportedOperationException("Not Implemented")
    asked = headers.get("if-none-match")
    if asked is None:
        return False
    if asked.strip() != "*":
        raise UnsupportedOperationException("Not Implemented")
    return True


def no_presign(request: Request) -> None:
    """Refuses a pre-signed URL: the lake's own store has none."""
    if flag(request.query, "presign"):
        raise BadRequestException("local adapter presigned URL: operation not supported")
