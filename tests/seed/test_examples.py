"""The seed's examples run, with the edits of `tests/seed_edits.md` and no others."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests.seed.text import ROOT, Block, examples, rows

EDITS = ROOT / "tests" / "seed_edits.md"
EXAMPLES = {block.heading: block for block in examples()}


def edited(block: Block) -> str:
    text = block.text
    for example, seed, ours, _ in rows(EDITS, "example"):
        if example in ("*", block.heading):
            assert seed in text, f"an edit of nothing in {block.heading!r}: {seed}"
            text = text.replace(seed, ours)
    return text


def run(block: Block, names: dict[str, Any]) -> None:
    """Runs an example statement by statement, so that the lines that must fail can."""
    text = edited(block)
    failing = {line: getattr(builtins, error) for line, error in rows(EDITS, "line")}
    for statement in ast.parse(text).body:
        code = compile(ast.Module([statement], []), block.heading, "exec")
        error = failing.get(ast.get_source_segment(text, statement) or "")
        if error is None:
            exec(code, names)
        else:
            with pytest.raises(error):
                exec(code, names)


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[lakefs_hl.Client]:
    """A lake in memory as the default, as `lakefs.init("mem://")` makes it."""
    with lakefs_hl.Client("mem://") as client:
        monkeypatch.setattr(lakefs_hl, "DefaultClient", client, raising=False)
        yield client


@pytest.fixture
def main(default: lakefs_hl.Client) -> lakefs_hl.Branch:
    return lakefs_hl.repository("example").create().branch("main")


def test_there_are_five_examples_and_every_edit_is_for_one() -> None:
    assert len(EXAMPLES) == 5
    assert {example for example, *_ in rows(EDITS, "example")} <= {"*", *EXAMPLES}
    every = "".join(edited(block) for block in EXAMPLES.values())
    assert all(line in every for line, _ in rows(EDITS, "line"))


def test_no_edit_is_of_another_kind() -> None:
    kinds = ("the name of this package", "an invented commit id", "a namespace of another store", "a call without its")
    odd = [why for *_, why in rows(EDITS, "example") if not why.startswith(kinds)]
    assert odd == ["the seed forgot the `with`"]


def test_the_example_of_reading_and_writing_runs(main: lakefs_hl.Branch, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("foo/1.parquet", "foo/deeper/2.parquet", "foo/3.csv", "datasets/foo/1.parquet"):
        main.upload(path.encode(), path)
    main.upload(b"as of the commit", "a/b.txt")
    names: dict[str, Any] = {"commit_id": main.commit_changes("data").id}
    main.upload(b"later", "a/b.txt")
    run(EXAMPLES["API wrapper interface"], names)
    assert capsys.readouterr().out == "foo/1.parquet\n"
    assert names["data"] == b"as of the commit"
    assert main.download("foo/bar/baz.parquet") == b"datasets/foo/1.parquet"


def test_the_example_of_files_runs(main: lakefs_hl.Branch) -> None:
    main.upload(b"x" * 2000, "foo/bar.txt")
    names: dict[str, Any] = {"commit_id": main.commit_changes("data").id, "another_thing": "and more\n"}
    run(EXAMPLES["I/O - reading/writing objects"], names)
    assert main.download("foo/bar.txt") == b"hello world\nand more\n"
    assert names["f"].closed


def test_the_example_of_an_import_runs(main: lakefs_hl.Branch, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    (tmp_path / "b.csv").write_bytes(b"2\n")
    names: dict[str, Any] = {"folder_uri": f"local://{tmp_path}/"}
    run(EXAMPLES["Import Manager"], names)
    assert [item.path for item in main.list_objects(recursive=True)] == [
        "datasets/a.csv", "datasets/b.csv", "some/path/a.csv", "some/path/b.csv"
    ]  # fmt: skip
    assert main.download("some/path/b.csv") == b"2\n"
    assert [commit.message for commit in main.log(2)] == ["sync datasets", "imported stuff!"]
    assert list(main.list_uncommitted()) == []


def test_the_example_of_a_transaction_runs(main: lakefs_hl.Branch) -> None:
    dev = lakefs_hl.repository("example").branch("dev").create("main")
    run(EXAMPLES["Transaction Manager"], {})
    assert dev.download("foo/bar.csv") == b"..."
    assert dev.download("foo/bar.txt") == b"hello world"
    assert list(dev.list_uncommitted()) == []
    assert "do things" in {commit.message for commit in dev.log()}
    assert [branch.id for branch in lakefs_hl.repository("example").list_branches(hidden=True)] == ["dev", "main"]


def test_the_example_of_a_new_repository_runs(default: lakefs_hl.Client) -> None:
    names: dict[str, Any] = {"namespace": "local://bucket/path"}
    run(EXAMPLES["Creating repositories"], names)
    assert names["main"].head().id
    assert names["repo"].properties.storage_namespace == "local://bucket/path"
