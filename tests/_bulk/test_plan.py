"""Plans as files and as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._bulk.plan import Action, Expected, Task

TASK = Task(
    direction="upload",
    endpoint="mem://x",
    repository_id="example",
    reference_id="main",
    prefix="raw/",
    directory="/data",
    arguments={"update": False},
)
ACTIONS = (
    Action("upload", "raw/a", 1200, "", 5, None),
    Action("delete", "raw/b", 7, "", None, "f" * 32),
    Action("skip", "raw/c", 1, "the object is newer", 5, "e"),
    Action("skip", "raw/d<>", 1),
)


def plan(*actions: Action) -> lakefs_hl.Plan:
    return lakefs_hl.Plan(TASK, actions)


def test_it_shows_what_would_be_done() -> None:
    full = plan(*ACTIONS)
    assert repr(full) == "<Plan /data -> lakefs://example/main/raw/: upload 1 (1.20 kB), delete 1, skip 2>"
    assert (full.source, full.destination, full.size_bytes, len(full)) == (
        "/data",
        "lakefs://example/main/raw/",
        1200,
        4,
    )
    assert [full.count(kind) for kind in ("upload", "download", "skip", "delete")] == [1, 0, 2, 1]
    assert repr(plan()) == "<Plan /data -> lakefs://example/main/raw/: nothing to do>"
    html = full._repr_html_()
    assert "raw/b" in html
    assert "the object is newer" in html
    assert "raw/d" not in html, "what is equal is only counted"
    assert "&lt;script" in plan(Action("upload", "<script>", 1))._repr_html_()
    assert "nothing to do" in plan()._repr_html_()


def test_it_is_read_as_it_was_saved(tmp_path: Path) -> None:
    for made in (plan(*ACTIONS), plan(), plan(*(Action("upload", f"{number}", number) for number in range(3000)))):
        made.save(tmp_path / "plan.jsonl")
        assert lakefs_hl.Plan.load(tmp_path / "plan.jsonl") == made
    assert [path.name for path in tmp_path.iterdir()] == ["plan.jsonl"]
    assert plan(*ACTIONS) != plan()
    assert plan(*ACTIONS).to_dict()["actions"][0]["path"] == "raw/a"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a plan that was written by save()"),
        (b"text\n", "is not a plan that was written by save()"),
        (b'{"format": "another"}\n', "is not a plan that was written by save()"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "plan").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        lakefs_hl.Plan.load(tmp_path / "plan")
    assert words in str(caught.value)


def test_a_plan_of_a_later_release_is_refused(tmp_path: Path) -> None:
    plan(*ACTIONS).save(tmp_path / "plan")
    text = (tmp_path / "plan").read_text().replace('"version":1', '"version":2')
    (tmp_path / "plan").write_text(text)
    with pytest.raises(ValueError, match="is a plan of version 2; this release reads 1"):
        lakefs_hl.Plan.load(tmp_path / "plan")


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    with pytest.raises(OSError):
        plan(*ACTIONS).save(tmp_path / "plan")
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (ACTIONS[0], None),
        (ACTIONS[0]._replace(path="raw/z"), "it is not in the plan"),
        (ACTIONS[0]._replace(kind="delete"), "it was planned to upload it, and now that would be to delete it"),
        (ACTIONS[0]._replace(mtime_ns=6), "the local file has changed since the plan was made"),
        (ACTIONS[0]._replace(size=6), "the local file has changed since the plan was made"),
        (ACTIONS[0]._replace(checksum="e"), None),
        (ACTIONS[1], None),
        (ACTIONS[1]._replace(checksum="e"), "the object has changed since the plan was made"),
    ],
)
def test_what_has_changed_since_is_found(now: Any, why: str | None) -> None:
    assert Expected({action.path: action for action in ACTIONS}).problem(now) == why


def test_what_was_planned_and_no_longer_exists_is_left() -> None:
    expected = Expected({action.path: action for action in ACTIONS})
    expected.problem(ACTIONS[0])
    assert list(expected.rest()) == [ACTIONS[1]]
