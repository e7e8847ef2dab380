"""Words that must not come back: phrases that were replaced because a reader had to read them twice.

Docstrings, comments and texts of the package (outside `local/`) and the pages (outside `docs/design/`) are searched,
across line breaks. A phrase that is right in one place is allowed there, with the reason.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Phrase -> what to write instead.
PHRASES = {
    # client, credentials, requests
    "whom to ask": "client",
    "who asks": "client, caller",
    "who we are": "credentials",
    "how we call": "transport options",
    "a way to it": "connection",
    "the way to it": "connection",
    "the server says": "the server returned, the server reports",
    "the lake says": "the lake reports",
    "the lake tells": "the lake reports",
    "the server answered": "the server returned a response",
    "says no": "returned an error response",
    "said no": "returned an error response",
    "no answer came": "no response was received",
    "what came": "response, what was received",
    "makes no request": "sends no request",
    "longest silence": "read timeout",
    "patience": "timeout, deadline",
    "dice": "jitter, random",
    "side by side": "concurrently, next to each other",
    # retries and outcomes
    "nobody knows": "outcome unknown",
    "all the same": "may have been applied, nevertheless",
    "could do harm": "is not safe to repeat",
    "without harm": "is safe to repeat",
    "a second time": "again, retry",
    "once more": "again, retry",
    "twice could": "is not safe to repeat",
    "gone on with": "resumed",
    "breaks off": "is interrupted",
    "broke off": "was interrupted",
    "look first": "check the current state first",
    # changes, commits, branches
    "what is staged": "staged changes",
    "what lies on": "staged changes",
    "lies around": "is left over",
    "lie around": "are left over",
    "lying around": "left over",
    "makes history": "commits",
    "make history": "commit",
    "becomes history": "is committed",
    "undo by": "revert",
    "would bring": "would apply",
    "where to, and": "destination",
    # threads, locks, files
    "safe in threads": "thread-safe",
    "body of the with": "`with` block",
    "stand in line": "wait",
    "stands in line": "waits",
    "who may write": "write locks",
    "tidy": "clean up, checkpoint",
    "tidies": "cleans up",
    "as they lie": "as they are",
    "gives back": "returns, closes, releases",
    "give back": "return, close, release",
    "goes back to its start": "is rewound",
    # riddles, moods and personified machines
    "who does so": "say who: the caller, the server",
    "whoever": "the caller, anyone who",
    "somebody": "another user, another client",
    "nobody": "no one, or the name of what is missing",
    "folder": "directory; prefix",
    "folders": "directories; prefixes",
    "is told": "reads, receives, is configured",
    "are told": "read, receive, are configured",
    "told of": "reported",
    "told apart": "distinguished",
    "tell apart": "distinguish",
    "tells apart": "distinguishes",
    "tells where": "returns the source",
    "says whether": "returns whether",
    "gives any": "returns, yields",
    "is well": "is healthy",
    "if all is well": "on success",
    "its own good": "say why",
    "what they like": "anything",
    "as it likes": "differently",
    "for what they are worth": "converted",
    "it is there": "it exists",
    "is not there": "does not exist",
    "there twice": "given twice",
    "please": "say what to do",
}

#: (file, phrase) -> why it is right there.
ALLOWED = {
    ("docs/guides/folders.md", "folders"): "the title: what users look for",
    ("docs/guides/troubleshooting.md", "folder"): "messages of the embedded lake, as they are",
    ("docs/guides/imports.md", "once more"): "a commit message in an example",
    ("docs/guides/migrating.md", "side by side"): "two packages in one environment",
}


def phrases_in(text: str) -> Iterator[str]:
    """The phrases of the table that a text holds, whatever their case and line breaks."""
    flat = " ".join(text.split()).lower()
    for phrase, pattern in _patterns().items():
        if phrase in flat and pattern.search(flat):
            yield phrase


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {phrase: re.compile(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])") for phrase in PHRASES}


def prose_of(source: str) -> Iterator[str]:
    """The texts of a module: string literals, docstrings among them, and blocks of comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield " ".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    block, last = list[str](), -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield " ".join(block)
                block = []
            block.append(token.string.lstrip("#: "))
            last = token.start[0]
    yield " ".join(block)


def sources() -> Iterator[tuple[str, list[str]]]:
    """Name and texts of every file that is searched."""
    for path in sorted((ROOT / "lakefs_hl").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(("lakefs_hl/local/", "lakefs_hl/_sync/")):  # _sync is generated from aio
            yield name, list(prose_of(path.read_text(encoding="utf-8")))
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("docs/design/"):
            text = path.read_text(encoding="utf-8")
            yield name, [re.sub(r"\]\([\w./#-]+\)", "]", text)]  # where a link leads is no prose


def found() -> set[tuple[str, str]]:
    return {(name, phrase) for name, texts in sources() for text in texts for phrase in phrases_in(text)}


def test_no_phrase_that_was_replaced_comes_back() -> None:
    complaints = [f"{name}: {phrase!r}; better: {PHRASES[phrase]}" for name, phrase in sorted(found() - set(ALLOWED))]
    assert not complaints, "\n".join(complaints)


def test_every_exception_is_needed() -> None:
    assert set(ALLOWED) <= found()


def test_package_and_pages_are_searched() -> None:
    names = {name for name, _ in sources()}
    assert {"lakefs_hl/aio/branches.py", "lakefs_hl/spec/errors.py", "README.md", "docs/guides/files.md"} <= names


@pytest.mark.parametrize("phrase", sorted(PHRASES))
def test_each_phrase_is_found_in_a_bad_sample(phrase: str) -> None:
    first, *rest = phrase.capitalize().split(" ")
    words = " ".join([first, *rest])
    broken = "\n    ".join([first, *rest])
    comment = "\n".join(f"# {word}" for word in (first, *rest))
    samples = (
        f'"""Read a module.\n\n    {broken}.\n"""\n',
        f"{comment}\nx = 1\n",
        f'x = f"{{y}}: {words}, {{y}}"\n',
        f'raise ValueError("x: {words}; y")\n',
    )
    for sample in samples:
        assert phrase in {one for text in prose_of(sample) for one in phrases_in(text)}, sample
    assert phrase in set(phrases_in(f"# A page\n\nText, {broken}, and more.\n"))


@pytest.mark.parametrize("text", ["untidy", "pleased", "nobody-knows", "the dicer", "whoevers"])
def test_parts_of_words_are_not_phrases(text: str) -> None:
    assert list(phrases_in(text)) == []


#: Functions whose name looks like a participle and is none, or is the word of lakeFS's own clients.
NAMED = {
    "uncommitted": "the name in the high-level SDK",
    "listing": "a noun",
    "feed": "a verb",
    "isclosed": "of http.client: whether a response is at its end",
    "attempt": "a verb",
    "mapping": "a noun",
    "coding": "a noun: of HTTP",
    "remaining": "a noun: what remains",
    "scoped": "a copy of a client: the name that its users know",
    "created": "of fsspec: when a file was created",
    "modified": "of fsspec: when a file was modified",
}


def test_no_function_is_named_by_a_participle() -> None:
    """A function is named by a verb or by the noun that it returns. Properties are values."""
    wrong, seen = [], set()
    for file in sorted((ROOT / "lakefs_hl").rglob("*.py")):
        if "local" in file.relative_to(ROOT).parts or "_sync" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("__"):
                continue
            name = node.name.strip("_")
            decorators = [ast.unparse(one) for one in node.decorator_list]
            if any(one in {"property", "cached_property"} or one.endswith(".setter") for one in decorators):
                continue
            seen.add(name)
            if re.fullmatch(r"[a-z]+(ed|ing|own|ept)", name) and name not in NAMED:
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}")
    assert not wrong
    assert seen >= NAMED.keys(), "an exception that is not needed any more"
