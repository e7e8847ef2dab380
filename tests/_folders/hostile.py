"""Paths of objects, and whether they are safe local paths: T13 of the failure model.

Each row has a path, what is wrong with it on every system, and what is wrong with it on Windows: a key of `WORDS`, or
None for a safe path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

#: What is wrong -> words of the message.
WORDS: Final = {
    "empty": "empty name",
    "dots": "means another directory",
    "backslash": "leads to another directory on Windows",
    "drive": "begins with the drive",
    "control": "control character",
    "unicode": "not valid Unicode",
    "long name": "has at most 255",
    "long path": "has at most 4,096",
    "character": "names on Windows cannot have",
    "ending": "which Windows removes",
    "device": "name of the device",
}
DEVICES: Final = (
    *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"),
    *(f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"),
)


class Row(NamedTuple):
    """A path, what is wrong with it on every system, and on Windows."""

    path: str
    everywhere: str | None
    windows: str | None


def _rows() -> Iterator[Row]:
    for path in (
        *("..", "../x", "../../x", "../../../../etc/passwd", "a/..", "a/../b", "a/b/../../../c", "a/../../b"),
        *(".", "./a", "a/.", "a/./b", "././a", "./../a", "a/b/.", "a/b/..", "..//a", ".ssh/../../a"),
    ):
        yield Row(path, "dots", "dots")
    for path in (
        *("", "/", "//", "///", "/a", "/etc/passwd", "//a", "//server/share/x", "/../x", "/.", "a/", "a//b", "a///b"),
        *("a/b/", "a/b//", "//?/C:/x", "//./COM1", "/C:/x", "a//../b"),
    ):
        yield Row(path, "empty", "empty")
    for path in (
        *("..\\x", "..\\..\\x", "a\\..\\b", "a\\..", "a/..\\b", "a/..\\..\\..\\b", "x\\..\\..", "a/b\\..\\c"),
        *("\\x", "\\", "\\\\", "\\..\\x", "\\\\server\\share\\x", "\\\\?\\C:\\x", "\\\\.\\COM1", "a/\\x", "a/\\b/c"),
        *("C:\\x", "c:\\windows\\x", "Z:\\", "a/C:\\x", "\\\\?\\UNC\\server\\share", "..\\", "a/..\\", "b\\..\\"),
    ):
        yield Row(path, "backslash", "backslash")
    for path in ("C:", "c:", "C:/x", "z:/windows/x", "A:/b/c"):
        yield Row(path, "drive", "character")
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)):
        yield Row(f"a{chr(code)}b", "control", "control")
    for path in ("\0", "a/\0", "a\0.csv", "a\n", "\ta", "a/b\rc/d", "a\x1b[31mred", "a\x7f", "\x85"):
        yield Row(path, "control", "control")
    for path in ("\ud800", "a\udcffb", "a/\udfff", "\udc80.csv", "x\ud83d"):
        yield Row(path, "unicode", "unicode")
    for name in ("a" * 256, "é" * 128, "語" * 86, "😀" * 64, "a" * 1000, f"{'b' * 252}.csv"):
        yield Row(name, "long name", "long name")
        yield Row(f"a/{name}/b", "long name", "long name")
    for size in (4097, 5001, 9999):
        yield Row(_long_path(size), "long path", "long path")
    yield from _windows()
    yield from _safe()


def _windows() -> Iterator[Row]:
    """Paths that are safe elsewhere."""
    for device in DEVICES:
        for path in (device, device.lower(), f"{device}.txt", f"a/{device.title()}/b", f"{device} .tar.gz"):
            yield Row(path, None, "device")
    for sign in '<>:"|?*':
        for path in (sign, f"a{sign}b", f"a/b{sign}/c", f"ab{sign}"):
            yield Row(path, None, "character")
    for path in ("a\\b", "a\\b\\c", "a/b\\c", "ab\\", "a.txt:stream", "a::$DATA", "C:x", "c:x/y", "dir/C:"):
        yield Row(path, None, "character")
    for path in ("a.", "a ", "a. ", "a .", "a..", "...", "....", ". .", " ", "  ", "a./b", "a /b", "é.", "a/ "):
        yield Row(path, None, "ending")


def _safe() -> Iterator[Row]:
    """Paths that are safe everywhere, though some look as if they were not."""
    for path in (
        *("a", "a/b/c", "a.csv", ".a", "..a", "a..b", "...a", ".hidden/file", "a-b_c.d", "-rf", "--", "~", "~root"),
        *("$HOME", "%TEMP%", "%2e%2e", "%2e%2e/x", "..%2fx", "%", "%00", "a%3Ab", "a b", " a", "a;b", "a'b", "`id`"),
        *("$(id)", "a&b", "#a", "!a", "@a", "a=b", "{a}", "[a]", "(a)", "a,b", "a+b", "^", "CONSOLE", "CO", "COM"),
        *("COM10", "COMx", "NULL", "xNUL", "nul-1", "LPT", "AUXX", "PRNT", "con_", "a.NUL", "a.con.b", "COM₁", "lpt10"),
        # look like dots, slashes and backslashes, and are none
        *("․․/x", "．．/x", "‥/x", "…", "a∕b", "a／b", "a⁄b", "a＼b", "a∖b", "a։b", "a：b"),
        # text in two directions, invisible characters, forms of accents
        *("a\u202etxt.exe", "\u202d", "\u2066a\u2069", "\u200f", "a\u200bb", "\ufeffa", "a\u2028b", "\u3000"),
        *("é", "e\u0301", "Å", "A\u030a", "\u212b", "ﬁ", "ß", "ẞ", "İ", "ı", "ǅ", "\u212a", "한글", "語", "😀"),
        *("עברית", "العربية", "ไทย", "\U0010ffff", "\ue000", "\ufffd", "\ufdd0"),
        *("a" * 255, "é" * 127, "語" * 85, "😀" * 63, f"{'b' * 251}.csv", _long_path(4095), _long_path(4096)),
    ):
        yield Row(path, None, None)


def _long_path(size: int) -> str:
    """Return a path of a number of bytes, with names of at most 255."""
    path = "/".join(["d" * 199] * (size // 200))
    return f"{path}/{'e' * (size - len(path) - 1)}"


HOSTILE: Final = tuple(_rows())
