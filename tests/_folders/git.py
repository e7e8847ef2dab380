"""`git check-ignore` as the oracle of ignore files."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from lakefs_hl._folders import patterns

#: Parts of random patterns, the odd ones among them.
PARTS = (
    *("a", "b", "c", "ab", "*", "*", "**", "?", "/", "/", "**/", "/**", "/**/", "/*", "*.c", ".", "-", "\\*"),
    *("[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[a/b]", "[\\]]", "[c-a]", "[[:alpha:]]", "[[:x:]]", "[[:a]", "["),
    *("\\", "[a-", "[!-a]", "[a-c-b]", "[[:digit:]b]", "\\a", "\\/", " ", "!", "#", "]"),
)
NAMES = ("a", "b", "c", "ab", "bc", "abc", "a.c", "-", "]", "[", "*", "\\", "a b", "!a", "#a", "b-", "x1")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git, which is not installed")


class Git:
    """A repository without commits, whose user and system settings do not count.

    Args:
        directory: Its directory, which becomes a repository.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        self._run("init", "-q")

    def _run(self, *arguments: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self._directory), *arguments],
            check=False,
            input=given,
            capture_output=True,
            env=self._environment,
            timeout=60,
        )
        assert done.returncode in (0, 1), done.stderr  # 1: no path is ignored
        return done.stdout

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Return the paths that are ignored."""
        given = "\0".join(paths).encode()
        found = self._run("check-ignore", "-z", "--no-index", "--stdin", given=given)
        return set(found.decode().split("\0")) - {""}


def pattern(rng: random.Random) -> str:
    return ("!" if rng.random() < 0.3 else "") + "".join(rng.choices(PARTS, k=rng.randint(1, 5)))


def ignores(rules: patterns.Rules, path: str) -> bool:
    """Return what becomes of a file: it is ignored if it is, or a directory on the way to it."""
    parts = path.split("/")
    ways = [f"{'/'.join(parts[:end])}/" for end in range(1, len(parts))]
    return any(rules.verdict(way) for way in (*ways, path))


def compare_with_git(directory: Path, rng: random.Random, *, files: int) -> int:
    """Compare random ignore files. Return how many of them ignored something.

    Args:
        directory: An empty directory.
        rng: Random numbers.
        files: Number of ignore files.
    """
    git = Git(directory)
    paths = sorted({"/".join(rng.choices(NAMES, k=rng.randint(1, 4))) for _ in range(120)})
    matched = compared = 0
    while compared < files:
        lines = [pattern(rng) for _ in range(rng.randint(1, 3))]
        if not all(line.strip() for line in lines):
            continue
        content = "\n".join(lines).encode()
        (directory / ".gitignore").write_bytes(content)
        ignored = git.ignored(paths)
        rules = patterns.read_ignore_file(content)
        assert {path for path in paths if ignores(rules, path)} == ignored, lines
        compared += 1
        matched += bool(ignored)
    return matched
