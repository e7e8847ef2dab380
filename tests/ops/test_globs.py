"""Patterns of paths, compared with `fnmatch` segment by segment."""

from __future__ import annotations

import fnmatch
import random
import time
from bisect import bisect_right

import pytest

from lakefs_hl.ops.globs import Pattern, before

SEGMENTS = [
    *("a", "b", "x.csv", "", "*", "**", "?", "[ab]", "[!a]", "a*", "*.csv", "*b", "?*", "*a*b*", "a**b", "*[0-9]*"),
    *("[*]", "[?]", "[[]", "[]]", "[!]a]", "[", "[a-c]", "[+-9]", "[--0]", "[a-]", "[z-a]", "[!z-a]", "[^a]", "é*"),
]
NAMES = [
    "a",
    "b",
    "ab",
    "aab",
    "abb",
    "a*",
    "*",
    "?",
    "[",
    "]",
    "x.csv",
    ".csv",
    "",
    "é",
    "-",
    "0",
    "7",
    "^",
    "a\nb",
    ".",
]


def matches(pattern: list[str], names: list[str]) -> bool:
    """The same question to `fnmatch`, for one segment after the other."""
    if not pattern:
        return not names
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        if not rest:
            return bool(names)
        return any(matches(rest, names[at:]) for at in range(len(names) + 1))
    if not names or (first and not first.strip("*") and not names[0]):  # a star alone is not the empty name
        return False
    return fnmatch.fnmatchcase(names[0], first) and matches(rest, names[1:])


def some_path(rng: random.Random, parts: list[str]) -> str:
    return "/".join(rng.choice(parts) for _ in range(rng.randint(1, 4)))


def test_a_thousand_random_patterns_match_what_fnmatch_says(rng: random.Random) -> None:
    agreed = 0
    for _ in range(1000):
        text = some_path(rng, SEGMENTS)
        pattern = Pattern(text)
        for path in (some_path(rng, NAMES) for _ in range(20)):
            expected = matches(text.split("/"), path.split("/"))
            assert pattern.matches(path) is expected, (text, path)
            assert path.startswith(pattern.head) or not expected, (text, path)
            if expected and pattern.literal:
                assert path == pattern.head
            if expected and pattern.delimiter:
                assert "/" not in path[len(pattern.head) :]
            agreed += expected
    assert agreed > 100  # matches were tried too


def test_no_match_is_skipped(rng: random.Random) -> None:
    skips = 0
    for _ in range(600):
        pattern = Pattern(some_path(rng, SEGMENTS))
        paths = sorted({some_path(rng, NAMES) for _ in range(60)})
        listed = [path for path in paths if path.startswith(pattern.head)]
        for path in listed:
            key = pattern.skip_to(path)
            assert key >= path
            between = listed[bisect_right(listed, path) : bisect_right(listed, key)]
            assert not [each for each in between if pattern.matches(each)], (pattern.text, path, key)
            skips += bool(between)
    assert skips > 100


@pytest.mark.parametrize(
    ("text", "head", "literal", "delimiter"),
    [
        ("a/b.csv", "a/b.csv", True, ""),
        ("a/[*].csv", "a/*.csv", True, ""),
        ("*", "", False, "/"),
        ("a/b*.csv", "a/b", False, "/"),
        ("a/*/b", "a/", False, ""),
        ("a[[]b?/c", "a[b", False, ""),
        ("a/**", "a/", False, ""),
        ("**/a", "", False, ""),
        ("a/x[ab]", "a/x", False, "/"),
    ],
)
def test_the_head_goes_out_as_the_prefix(text: str, head: str, literal: bool, delimiter: str) -> None:
    pattern = Pattern(text)
    assert (pattern.head, pattern.literal, pattern.delimiter) == (head, literal, delimiter)


@pytest.mark.parametrize(
    ("text", "path", "key"),
    [
        ("a/*/x.csv", "a/1/b", "a/1/x.csu\U0010ffff"),  # up to the only name that can match
        ("a/*/x.csv", "a/1/x.csv", "a/1/\U0010ffff"),  # past the directory
        ("a/*/x.csv", "a/1/z", "a/1/\U0010ffff"),
        ("a/*/x.csv", "a/1/b/c", "a/1/x.csu\U0010ffff"),
        ("a/*.d/*", "a/b/c", "a/b/\U0010ffff"),  # the directory does not match
        ("a/*.d/*", "a/b.d/c/d", "a/b.d/c/\U0010ffff"),  # too deep
        ("a/*.d/*", "a/b.d/c", "a/b.d/c"),
        ("a/**/x", "a/b/c", "a/b/c"),
    ],
)
def test_what_cannot_match_is_skipped(text: str, path: str, key: str) -> None:
    assert Pattern(text).skip_to(path) == key


@pytest.mark.parametrize("path", ["a", "a/", "b\x00", "é", "\ue000", "\U00010000", "\x00"])
def test_a_key_before_a_path(path: str) -> None:
    key = before(path)
    assert key.encode() < path.encode()
    assert not [each for each in (f"{path[:-1]}", f"{path[:-1]} ", path[:-1] + "\U0010fffe") if key < each < path]


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    began = time.process_time()
    assert not Pattern("*a" * 40 + "b").matches("a" * 1000)
    assert not Pattern("**/*a*/" * 8 + "b").matches("a/" * 500 + "c")
    assert time.process_time() - began < 1.0
