"""What names may look like: lakeFS's rules for branches, tags and paths."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.limits import MAX_PATH_BYTES

#: Bytes of a path or prefix, at most.
_BRANCH: Final = re.compile(r"\w[-\w]*", re.ASCII)
_BAD_TAG: Final = re.compile(r"[\x00-\x20\x7f^:?*\[\\/]|\.\.|@\{")


def invalid(argument: str, thing: str, hint: str = "") -> BadRequestException:
    """Builds lakeFS's error of a value that breaks a rule."""
    return BadRequestException(f"argument {argument}: {thing}: invalid value: validation error{hint}")


def check_branch(name: str, *, hint: bool = False, argument: str = "branch") -> None:
    """Refuses a branch name that lakeFS refuses."""
    if _BRANCH.fullmatch(name) is None:
        told = ": branch id must consist of letters, digits, underscores and dashes, and cannot start with a dash"
        raise invalid(argument, "branch id", told if hint else "")


def check_tag(name: str) -> None:
    """Refuses a tag name that lakeFS refuses."""
    if not name or name == "@" or _BAD_TAG.search(name) or name.endswith((".", ".lock")):
        raise invalid("tagID", "tag id")
    check_text(name, "tagID")


def check_text(text: str, argument: str) -> None:
    """Refuses text that UTF-8 cannot write (lone surrogates)."""
    if not text.isascii():
        _encode(text, argument)


def _encode(text: str, argument: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise invalid(argument, "not valid UTF-8") from None


def path_key(path: str, argument: str = "path") -> bytes:
    """Gives a path as the tree's key.

    Raises:
        BadRequestException: It is empty, too long, or no text that UTF-8 can write.
    """
    key = _encode(path, argument)
    if not key:
        raise BadRequestException("missing path: required value: validation error")
    if len(key) > MAX_PATH_BYTES:
        raise invalid(argument, f"path of {len(key)} bytes, at most {MAX_PATH_BYTES} are allowed")
    return key


def prefix_key(prefix: str) -> bytes:
    """Gives a prefix of paths as bytes; it may be empty."""
    return path_key(prefix, "prefix") if prefix else b""


def after_key(after: str) -> bytes:
    """Gives the place to go on from as bytes; whatever its length."""
    return _encode(after, "after") if after else b""


def delimiter_key(delimiter: str) -> bytes:
    """Gives a delimiter as bytes; whole characters in UTF-8, so that it never cuts one of a path's."""
    return _encode(delimiter, "delimiter")
