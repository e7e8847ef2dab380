"""Paths of objects as paths of local files: which are safe, what becomes of the others, and which would collide.

A path that leaves the directory (`..`, an absolute path, a drive, their forms with backslashes) is refused on every
system. What only Windows cannot have is refused there, or if that is asked for.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

#: What becomes of an object whose path is no safe local path.
OnInvalid: TypeAlias = Literal["error", "skip", "encode"]

WINDOWS: Final = os.name == "nt"
#: Longest name and longest path of the usual file systems, in bytes of UTF-8.
MAX_NAME_BYTES: Final = 255
MAX_PATH_BYTES: Final = 4096

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DRIVE: Final = re.compile(r"[A-Za-z]:(?=[/\\]|$)")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\]')
_RESERVED: Final = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³]) *(\..*|:.*)?", re.IGNORECASE | re.DOTALL
)
#: Most paths need no more than this look: names of letters, digits and a few signs, with dots between these.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]++(?:[./][A-Za-z0-9_-]++)*+")
_ENCODED: Final = re.compile("(?:%[0-9A-Fa-f]{2})+")
_LOOKS_ENCODED: Final = re.compile("%(?=[0-9A-Fa-f]{2})")
#: Stands for an empty name where names are encoded. The name "%" itself is then "%25".
_EMPTY: Final = "%"


def problem(path: str, *, windows: bool = WINDOWS) -> str | None:
    """Return why an object's path is no safe local path. None if it is one.

    Args:
        path: The path, with `/` between its names.
        windows: Whether it must be one on Windows too.
    """
    if not windows and len(path) <= MAX_NAME_BYTES and _PLAIN.fullmatch(path):
        return None
    names = path.split("/")
    for name in names:
        if (found := _problem(name, windows=windows)) is not None:
            return found if len(names) == 1 else f"{found}, in the part {name!r}"
    if (drive := _DRIVE.match(path)) is not None:
        return f"it begins with the drive {drive.group()}"
    if len(path) * 4 > MAX_PATH_BYTES and (size := len(path.encode())) > MAX_PATH_BYTES:
        return f"it has {size:,} bytes, and a path has at most {MAX_PATH_BYTES:,}"
    return None


def _problem(name: str, *, windows: bool) -> str | None:
    """Return what is wrong with one name of a path."""
    if name == "":
        return "it has an empty name (a slash at an end, or two in a row)"
    if name in (".", ".."):
        return f"it has the name {name!r}, which means another directory"
    if "\\" in name and (name.startswith("\\") or ".." in name.split("\\") or _DRIVE.match(name)):
        return "it leads to another directory on Windows"
    if _SURROGATE.search(name):
        return "it is not valid Unicode"
    if (control := _CONTROL.search(name)) is not None:
        return f"it has the control character {control.group()!r}"
    if (size := len(name.encode())) > MAX_NAME_BYTES:
        return f"it has a name of {size:,} bytes, and one has at most {MAX_NAME_BYTES}"
    return _problem_on_windows(name) if windows else None


def _problem_on_windows(name: str) -> str | None:
    if (forbidden := _FORBIDDEN.search(name)) is not None:
        return f"it has the character {forbidden.group()!r}, which names on Windows cannot have"
    if name[-1] in ". ":
        return f"it has a name that ends with {name[-1]!r}, which Windows removes"
    if (reserved := _RESERVED.fullmatch(name)) is not None:
        return f"it has the name of the device {reserved.group(1).upper()} of Windows"
    return None


def encode(path: str, *, windows: bool = WINDOWS) -> str:
    r"""Return a safe local path for an object's path, from which `decode` returns that path.

    What a name cannot have is replaced by a percent sign and two digits for each byte: `a:b` becomes `a%3Ab` where that
    is needed. A percent sign that two such digits follow is replaced too. An empty name becomes `%`. Names that are too
    long, and text that is not valid Unicode, stay as they are: `problem` finds them again.

    Args:
        path: The path, with `/` between its names.
        windows: Whether it must be one on Windows too.
    """
    names = [_encode_name(name, windows=windows) for name in path.split("/")]
    if _DRIVE.match(names[0]):
        names[0] = names[0].replace(":", "%3A", 1)
    return "/".join(names)


def _encode_name(name: str, *, windows: bool) -> str:
    if name in ("", _EMPTY):
        return "%25" if name else _EMPTY
    found = _LOOKS_ENCODED.sub("%25", name)
    if found in (".", ".."):
        return "%2E" * len(found)
    found = _CONTROL.sub(_percent, found)
    if windows:
        found = _FORBIDDEN.sub(_percent, found)
        if found[-1] in ". ":
            found = found[:-1] + _bytes_of(found[-1])
        if _RESERVED.fullmatch(found):
            found = _bytes_of(found[0]) + found[1:]
    elif "\\" in found and _problem(found, windows=False) is not None:
        found = found.replace("\\", "%5C")
    return found


def _percent(found: re.Match[str]) -> str:
    return _bytes_of(found.group())


def _bytes_of(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def decode(path: str) -> str:
    """Return the object's path from which `encode` made a local path.

    Raises:
        ValueError: No path is encoded like that.
    """
    return "/".join("" if name == _EMPTY else _decode_name(name, path) for name in path.split("/"))


def _decode_name(name: str, path: str) -> str:
    try:
        return _ENCODED.sub(lambda found: bytes.fromhex(found.group().replace("%", "")).decode(), name)
    except UnicodeDecodeError:
        raise ValueError(f"{path!r} is no encoded path: the bytes in {name!r} are not UTF-8") from None


# -- collisions --------------------------------------------------------------------------------------------------------


class Collision(NamedTuple):
    """Two paths that cannot both be local files.

    Attributes:
        path: The later one.
        other: The earlier one, or the directory of earlier ones.
        reason: Why.
    """

    path: str
    other: str
    reason: str


class Collisions:
    """Finds paths that cannot both be local files, among paths that come in byte order.

    It keeps the names of the directories that the last path is in if names are folded, and otherwise only what the last
    path begins with.

    Args:
        fold: Whether names that differ only in case or in the form of their accents are equal, as on Windows and
            macOS.
    """

    def __init__(self, *, fold: bool) -> None:
        self._fold = fold
        self._last = ""
        self._files = list[str]()
        self._levels: list[tuple[str, dict[str, str]]] = [("", {})]

    def add(self, path: str) -> Collision | None:
        """Return the collision of a path with an earlier one. None if there is none.

        Raises:
            ValueError: It does not come after the last path.
        """
        if path < self._last:
            msg = f"paths must come in byte order, and {path!r} came after {self._last!r}"
            raise ValueError(msg)
        self._last = path
        files = self._files
        while files and not path.startswith(files[-1]):
            files.pop()
        for file in reversed(files):
            if path.startswith(f"{file}/"):
                return Collision(path, file, f"{file!r} is an object, and as a local file it cannot be a directory too")
        found = self._add_fold_name(path) if self._fold else None
        files.append(path)
        return found

    def _add_fold_name(self, path: str) -> Collision | None:
        levels = self._levels
        while not path.startswith(levels[-1][0]):
            levels.pop()
        prefix, names = levels[-1]
        parts = path[len(prefix) :].split("/")
        for left, name in enumerate(parts, start=1 - len(parts)):
            other = names.setdefault(fold(name), name)
            if other != name:
                reason = f"{prefix + other!r} differs only in case or accents, which are one name on this file system"
                return Collision(path, prefix + other, reason)
            if left:
                prefix, names = f"{prefix}{name}/", {}
                levels.append((prefix, names))
        return None


def fold(name: str) -> str:
    """Return what is the same for names that differ only in case or in the form of their accents."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def collisions(paths: Iterable[str], *, fold: bool) -> list[Collision]:
    """Return the collisions among paths in any order.

    Args:
        paths: The paths.
        fold: Whether names that differ only in case or in the form of their accents are equal.
    """
    finder = Collisions(fold=fold)
    return [found for path in sorted(paths) if (found := finder.add(path)) is not None]


# -- what becomes of an object -----------------------------------------------------------------------------------------


def local_names(on_invalid: OnInvalid, *, windows: bool = WINDOWS) -> Callable[[str], tuple[str, str | None]]:
    """Return the function that turns an object's path into a local path, and says what is wrong with that.

    Args:
        on_invalid: What becomes of an object whose path is no safe local path. The function only encodes: the caller
            raises or skips.
        windows: Whether paths must be safe on Windows too.
    """
    if on_invalid != "encode":
        return lambda path: (path, problem(path, windows=windows))

    def convert(path: str) -> tuple[str, str | None]:
        found = encode(path, windows=windows)
        return found, problem(found, windows=windows)

    return convert
