"""The examples of seed 003 run on a lake and on other stores, with the edits of `tests/seed_edits_003.md` only."""

from __future__ import annotations

import ast
import inspect
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.compression import decompress
from tests.seed.text import ROOT, rows

SEED = ROOT / "tests" / "data" / "seeds" / "003.md"
EDITS = ROOT / "tests" / "seed_edits_003.md"
#: A heading, in one of both ways to write it, and the first block below it.
BLOCK = re.compile(
    r"^(?:#+ ([^\n]+?) *|([^\n]+)\n=+)\n(?:(?!#+ |```)[^\n]*\n)*```python *\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
OUTPUT = re.compile(r"^>>>? (.*)$")
BLOCKS = {(first or second): text for first, second, text in BLOCK.findall(SEED.read_text(encoding="utf-8"))}
INTRODUCTION = "CloudFiles: Fast access to cloud storage and local FS."


def edited(heading: str) -> str:
    text: str = BLOCKS[heading]
    for block, seed, ours, _ in rows(EDITS, "block"):
        if block in ("*", heading):
            found = seed.replace("⏎", "\n")
            assert block == "*" or found in text, f"an edit of nothing in {heading!r}: {seed}"
            text = text.replace(found, ours.replace("⏎", "\n"))
    return text


def run(heading: str, names: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Run an example. Return what its lines that show a result say, and what they are."""
    shown, code = list[tuple[Any, Any]](), list[str]()
    for line in [*edited(heading).splitlines(), ">> None"]:
        output = OUTPUT.match(line)
        if output is None:
            code.append(line)
            continue
        result = None
        for statement in ast.parse("\n".join(code)).body:
            if isinstance(statement, ast.Expr):
                result = eval(compile(ast.Expression(statement.value), heading, "eval"), names)
            else:
                exec(compile(ast.Module([statement], []), heading, "exec"), names)
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    result = names[statement.targets[0].id]
        shown.append((eval(output[1]), result))
        code = []
    return shown[:-1]


@pytest.fixture(params=["lake", "file", "mem"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}/data"
    elif request.param == "mem":
        yield f"mem://{secrets.token_hex(6)}"
    else:
        with lakefs_hl.Client("mem://") as client:
            monkeypatch.setattr(lakefs_hl, "DefaultClient", client, raising=False)
            lakefs_hl.repository("example").create()
            yield "lakefs://example/main/data"


@pytest.fixture
def names(url: str) -> dict[str, Any]:
    """The names that the examples use and the seed leaves open."""
    files = lakefs_hl.files(url, progress=False)
    for path in ("filename", "filename1", "filename2"):
        files[path] = b"hello world"
    return {"cf": files, "url": url}


def test_every_example_is_run_and_every_edit_is_of_one() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [heading for heading in BLOCKS if heading != INTRODUCTION and f'run("{heading}"' not in tests] == []
    assert len(BLOCKS) == 10
    assert {block for block, *_ in rows(EDITS, "block")} <= {"*", *BLOCKS}
    kinds = {"the name of this package", "a bucket of another store", "a placeholder", "an invented directory"}
    assert {why for *_, why in rows(EDITS, "block")} - kinds == {"a definition without its body"}


def test_the_introduction(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    names["cf"]["abc123/x"] = b"1"
    run(INTRODUCTION, {**names, "content": "a text"})
    assert capsys.readouterr().out == "abc123/x\n"
    assert list(names["cf"]) == ["abc123/x", "filename1", "filename2"]


def test_the_constructor(names: dict[str, Any]) -> None:
    run("Constructor", {**names, "cloudpath": names["url"], "bucket": "memory://bucket/"})


def test_get(names: dict[str, Any]) -> None:
    shown = run("get / get_json", {**names, "generator": lambda: iter(["filename1", "filename"]), "N": 2})
    assert len(shown) == 3
    for expected, found in shown:
        assert found == expected


def test_put(names: dict[str, Any]) -> None:
    cf = names["cf"]
    found = {**names, "path": "a", "content": b"1"}
    run("put / puts / put_json / put_jsons", found)
    assert (cf["filename"], cf["a"], cf.get_json("digits")) == (b"...", b"1", [1, 2])
    assert cf.head("a")["Content-Encoding"] == "gzip"
    for name in ("put", "puts"):  # the parameters of the seed, in its order and with its defaults
        theirs = inspect.signature(found[name]).parameters
        for ours in (getattr(lakefs_hl.Files, name), getattr(lakefs_hl.Files, name.replace("put", "put_json"))):
            given = list(inspect.signature(ours).parameters.values())[: len(theirs)]
            assert [(one.name, one.default) for one in given] == [(one.name, one.default) for one in theirs.values()]


def test_put_jsons_is_named_as_puts() -> None:
    assert inspect.signature(lakefs_hl.Files.put_jsons) == inspect.signature(lakefs_hl.Files.puts)


def test_delete(names: dict[str, Any]) -> None:
    run("delete", names)
    assert list(names["cf"]) == ["filename1", "filename2"]


def test_exists(names: dict[str, Any]) -> None:
    names["cf"]["file1"] = b""
    for expected, found in run("exists", names):
        assert found == expected


def test_size(names: dict[str, Any]) -> None:
    names["cf"].put("filename", b"1" * 1337, compress="")
    names["cf"].puts([("file1", b"1" * 392), ("empty_file", b"")], compress="")
    for expected, found in run("size", names):
        assert found == expected


def test_list(names: dict[str, Any]) -> None:
    names["cf"]["abc/d"] = b""
    run("list", names)
    assert list(names["cf"].list(prefix="abc", flat=True)) in (["abc/"], ["abc/d"])


def test_transfers(names: dict[str, Any], tmp_path: Path) -> None:
    source = lakefs_hl.files(f"file://{tmp_path}/source")
    source.puts([("a", b"a" * 99), ("d/b", b"2")])
    run("transfer_to / transfer_from", {**names, "CloudFiles": lakefs_hl.files, "source": source.url})
    assert (names["cf"]["a"], names["cf"]["d/b"]) == (b"a" * 99, b"2")


def test_transcode(names: dict[str, Any]) -> None:
    found = run("transcode", names)
    assert found == []
    assert decompress(names["file"]["content"], "gzip") == b"hello world"
