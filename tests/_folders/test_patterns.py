from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from lakefs_hl._folders import patterns
from tests._folders.git import compare_with_git, needs_git


@needs_git
def test_random_patterns_match_what_git_matches(tmp_path: Path, rng: random.Random) -> None:
    matched = compare_with_git(tmp_path, rng, files=150)
    assert matched > 25


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        ("*.pyc", ["a.pyc", "x/a.pyc"], ["a.py", "a.pyc.txt"]),
        ("/a", ["a", "a/"], ["b/a"]),
        ("a/", ["a/", "b/a/"], ["a", "b/a"]),
        ("a/b", ["a/b"], ["x/a/b"]),
        ("**/a/b", ["a/b", "x/y/a/b"], ["a/x/b"]),
        ("a/**", ["a/b", "a/b/"], ["a/", "a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/bb", "b"]),
        ("a**b", ["ab", "axb", "x/axxb"], ["a/b"]),
        ("*\n!keep", ["a"], ["keep", "x/keep"]),
        ("!a\na", ["a"], ["b"]),
        ("a/*\n!a/keep", ["a/x", "a/x/"], ["a/", "a/keep", "b"]),
        ("/*\n!/a\n/a/*\n!/a/b/", ["x", "x/", "a/x", "a/b"], ["a", "a/", "a/b/", "a/b/c"]),
        ("a/*/\n!a/b/", ["a/x/"], ["a/", "a/x", "a/b/"]),
        ("a\n!a/", ["a"], ["a/"]),
        ("# a\n\\#b\n\\!c", ["#b", "!c"], ["a", "# a", "c"]),
        ("a  \nb\\ \nc\\  ", ["a", "b ", "c "], ["a  ", "b", "c"]),
        ("a\r\nb\r\n", ["a", "b"], ["a\r"]),
        ("\ufeffa\nb", ["a", "b"], []),
        ("a?c", ["abc", "aéc"], ["ac", "a/c"]),
        ("a[!b]c", ["axc", "aéc"], ["abc", "a/c"]),
        ("[[:upper:][:digit:]]x", ["Ax", "1x"], ["ax", "[x"]),
        ("[\\]a]", ["]", "a"], ["\\"]),
        ("[b-a]x\n[x", ["bx"], ["ax", "x", "[x"]),
        ("a\\\nb", ["b"], ["a", "a\\"]),
        ("//a\nb//\n/\n!", [], ["a", "b/", "b", "x"]),
        ("caf\u00e9/*.txt", ["café/a.txt"], ["cafe/a.txt"]),
        ("a\nb\n", ["a", "b"], ["a\n", "a\nb"]),
        ("**", ["a", "a/b", "a/"], []),
        ("a/*/c", ["a/b/c", "a/b/c/"], ["a/c", "a/b/x/c"]),
    ],
)
def test_lines_of_an_ignore_file(lines: str, ignored: list[str], kept: list[str]) -> None:
    rules = patterns.read_ignore_file(lines.encode())
    assert [path for path in (*ignored, *kept) if rules.verdict(path)] == ignored


def test_a_line_of_other_bytes_than_utf_8_matches_names_of_these_bytes() -> None:
    rules = patterns.read_ignore_file(b"caf\xe9\nb")
    assert rules.verdict("caf\udce9")
    assert rules.verdict("b")


def test_the_last_pattern_decides() -> None:
    rules = patterns.read_ignore_file(b"a*\n!ab*\nabc*")
    assert [rules.verdict(name) for name in ("b", "a", "ab", "abc")] == [None, True, False, True]
    assert rules
    assert not patterns.read_ignore_file(b"# nothing\n\n")


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("*.csv", ["a.csv", "x/y/a.csv"], ["a.CSV", "a.csv.gz"]),
        ("data/*.csv", ["data/a.csv"], ["x/data/a.csv", "data/x/a.csv"]),
        ("data/**/*.csv", ["data/a.csv", "data/x/y/a.csv"], ["a.csv"]),
        ("/a.csv", ["a.csv"], ["x/a.csv"]),
        ("build/", ["build/", "x/build/"], ["build"]),
        ("!a", ["!a"], ["a", "b"]),
        ("#a", ["#a"], []),
        ("a ", ["a "], ["a"]),
        ("a\\b", ["a\\b"], ["ab", "b"]),
        ("[*]", ["*"], ["a"]),
        ("[\\]", ["\\"], ["]"]),
        ("foo**/bar", ["foo/bar", "foox/bar"], ["foo/x/bar", "foobar"]),
    ],
)
def test_globs(glob: str, matched: list[str], others: list[str]) -> None:
    rules = patterns.read_globs([glob], "include")
    assert [path for path in (*matched, *others) if rules.verdict(path)] == matched


@pytest.mark.parametrize(
    ("glob", "words"),
    [
        ("", "'' is empty"),
        ("/", "'/' is empty"),
        ("[a", "'[a' has an opening bracket that is not closed; write '[[]' for a bracket"),
        ("a[", "is not closed"),
        ("[[:alpha", "is not closed"),
        ("[[:word:]]", "names the class 'word', which does not exist; there are alnum, alpha"),
        ("a//b", "empty name between two slashes"),
        ("//a", "empty name"),
    ],
)
def test_a_glob_that_matches_nothing_is_an_error(glob: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^exclude: the pattern ") as caught:
        patterns.read_globs(["ok", glob], "exclude")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("globs", "maybe", "never"),
    [
        (["*.csv"], ["a/", "a/b/"], []),
        (["a/*.csv"], ["a/"], ["b/", "a/b/"]),
        (["a/b/c.csv", "x/**"], ["a/", "a/b/", "x/", "x/y/"], ["a/b/c/", "y/", "a/x/"]),
        (["a*/b/**/c"], ["a/", "ab/", "ab/b/", "a/b/x/y/"], ["b/", "ab/c/"]),
        (["**/b/c"], ["a/", "a/b/"], []),
        (["/a"], [], ["a/", "b/"]),
    ],
)
def test_directories_that_may_hold_a_match(globs: list[str], maybe: list[str], never: list[str]) -> None:
    rules = patterns.read_globs(globs, "include")
    assert [path for path in (*maybe, *never) if rules.may_be_in(path)] == maybe


def test_no_directory_with_a_match_is_left_out(rng: random.Random) -> None:
    checked = 0
    for _ in range(3000):
        glob = "".join(rng.choices(["a", "b", "*", "**", "?", "/", "/", "[ab]"], k=rng.randint(1, 6)))
        path = "/".join(rng.choices(["a", "b", "ab"], k=rng.randint(1, 4)))
        try:
            rules = patterns.read_globs([glob], "include")
        except ValueError:
            continue
        if rules.verdict(path):
            parts = path.split("/")
            for end in range(1, len(parts)):
                above = f"{'/'.join(parts[:end])}/"
                assert rules.may_be_in(above) or rules.verdict(above), (glob, path)
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("line", ["*a" * 30 + "b", "**/a/" * 20 + "b", "*?" * 30 + "b", "**/*a*a*a/" * 10 + "b"])
def test_no_pattern_takes_long(line: str) -> None:
    """A matcher that tries every place of every star takes longer than the universe has existed for these."""
    rules = patterns.read_ignore_file(line.encode())
    started = time.process_time()
    assert not rules.verdict("a" * 255)
    assert not rules.verdict("/".join(["a"] * 1000))
    assert not rules.verdict("/".join(["aaaaaaaa"] * 100))
    assert time.process_time() - started < 2
