"""Copies and moves of prefixes, with prepared responses: also where a response is lost or the source changes."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import copies
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, Play, commit, head, lost, no, ok, page, session, step

S = session(exactly_once=False)
BRANCH = head()


def obj(path: str, checksum: str = "e", **fields: Any) -> models.ObjectStats:
    return models.ObjectStats(path, "object", "local://x", checksum, 1, fields.pop("size", 1), **fields)


def listing(*rows: Any, more: str = "", at: str = "b", **query: str) -> Any:
    return step("listObjects", "r", at, answer=page(*rows, after=more), query=query or None)


def copying(path: str, to: str, answer: Any = None, at: str = "b") -> Any:
    return step(
        *("copyObject", "r", "b"),
        answer=answer or ok(obj(to), 201),
        query={"dest_path": to},
        body={"src_path": path, "src_ref": at},
    )


class Outcome:
    def __init__(self) -> None:
        self.copied = list[str]()
        self.failed = dict[str, errors.LakeFSException]()

    def copy(self, row: models.ObjectStats) -> None:
        self.copied.append(row.path)

    def fail(self, path: str, error: errors.LakeFSException) -> None:
        self.failed[path] = error

    def op(self, from_ref: str = "b", from_prefix: str = "d/", to_prefix: str = "e/") -> Any:
        return copies.copy_prefix(
            *(S, "r", "b", from_ref, from_prefix, to_prefix, 16, self.copy, self.fail), about="copying d/ to e/"
        )

    def deletion(self) -> Any:
        return copies.delete_copied(S, "r", "b", "d/", "e/", 16, self.fail)


def test_all_pages_are_copied_and_the_next_one_is_listed_meanwhile() -> None:
    outcome = Outcome()
    Play(
        BRANCH,
        listing(obj("d/1"), obj("d/2"), more="d/2", amount="1000", prefix="d/"),
        listing(obj("d/3/4"), amount="1000", prefix="d/", after="d/2"),
        copying("d/1", "e/1"),
        copying("d/2", "e/2"),
        copying("d/3/4", "e/3/4"),
    ).run(outcome.op())
    assert (outcome.copied, outcome.failed) == (["d/1", "d/2", "d/3/4"], {})


def test_a_failure_is_noted_and_the_others_are_copied() -> None:
    outcome = Outcome()
    Play(
        BRANCH,
        listing(obj("d/1"), obj("d/2")),
        copying("d/1", "e/1", no(403, "no")),
        copying("d/2", "e/2"),
    ).run(outcome.op())
    assert outcome.copied == ["d/2"]
    assert {path: type(error) for path, error in outcome.failed.items()} == {"d/1": errors.ForbiddenException}


def test_a_lost_response_is_repeated() -> None:
    outcome = Outcome()
    Play(BRANCH, listing(obj("d/1")), copying("d/1", "e/1", lost()), copying("d/1", "e/1")).run(outcome.op())
    assert outcome.copied == ["d/1"]


def test_a_page_without_a_success_ends_the_copy() -> None:
    outcome = Outcome()
    play = Play(
        BRANCH,
        listing(obj("d/1"), obj("d/2"), more="d/2"),
        listing(obj("d/3")),
        copying("d/1", "e/1", no(403, "no")),
        copying("d/2", "e/2", no(403, "no")),
    )
    error = play.fails(outcome.op(), errors.ForbiddenException)
    assert "the copy ended here" in error.__notes__[0]
    assert len(outcome.failed) == 2


def test_an_expression_is_resolved_once() -> None:
    outcome = Outcome()
    Play(
        BRANCH,
        step("getCommit", "r", "b~1", answer=ok(commit(C1))),
        listing(obj("d/1"), at=C1),
        copying("d/1", "d/1", at=C1),
    ).run(outcome.op("b~1", "d/", "d/"))
    assert outcome.copied == ["d/1"]


@pytest.mark.parametrize(("source", "to"), [("d/", "d/"), ("d/", "d/e/"), ("d/e/", "d/"), ("d", "data"), ("", "d/")])
def test_overlapping_prefixes_of_a_branch_are_refused(source: str, to: str) -> None:
    for at in ("b", "b$"):
        Play().fails(Outcome().op(at, source, to), ValueError, "the prefixes overlap")


def test_a_missing_prefix_is_an_error() -> None:
    Play(BRANCH, listing()).fails(Outcome().op(), errors.ObjectNotFoundException, "copying d/ to e/: no object has")


def test_a_missing_branch_is_an_error_before_anything_is_listed() -> None:
    gone = step("getBranch", "r", "b", answer=no(404, "branch not found"))
    play = Play(gone, step("getCommit", "r", "b", answer=no(404, "commit not found")))
    play.fails(Outcome().op("main"), errors.NotFoundException)


# -- the end of a move -------------------------------------------------------------------------------------------------


def look(path: str, record: models.ObjectStats | None) -> Any:
    answer = no(404, "not found") if record is None else ok(record)
    return step("statObject", "r", "b", answer=answer, query={"path": path})


def deleting(*paths: str, answer: Any = None) -> Any:
    return step("deleteObjects", "r", "b", answer=answer or ok(models.ObjectErrors([])), body=models.PathList([*paths]))


def test_only_sources_with_an_equal_copy_are_deleted() -> None:
    outcome = Outcome()
    Play(
        listing(
            *(obj("d/changed"), obj("d/equal"), obj("d/metadata", metadata={"k": "new"}), obj("d/new"), obj("d/size")),
            amount="1000",
            prefix="d/",
        ),
        look("e/changed", obj("e/changed", "older")),
        look("e/equal", obj("e/equal")),
        look("e/metadata", obj("e/metadata", metadata={"k": "old"})),
        look("e/new", None),
        look("e/size", obj("e/size", size=2)),
        deleting("d/equal"),
    ).run(outcome.deletion())
    assert sorted(outcome.failed) == ["d/changed", "d/metadata", "d/new", "d/size"]
    assert all(type(error) is errors.ObjectChangedError for error in outcome.failed.values())
    assert "was written while the prefix was moved" in str(outcome.failed["d/new"])


def test_all_pages_are_deleted() -> None:
    outcome = Outcome()
    Play(
        listing(obj("d/1"), more="d/1", amount="1000", prefix="d/"),
        look("e/1", obj("e/1")),
        deleting("d/1"),
        listing(obj("d/2"), amount="1000", prefix="d/", after="d/1"),
        look("e/2", obj("e/2")),
        deleting("d/2"),
    ).run(outcome.deletion())
    assert not outcome.failed


def test_a_source_that_cannot_be_deleted_is_noted() -> None:
    outcome = Outcome()
    refused = ok(models.ObjectErrors([models.ObjectError(403, "not yours", "d/1")]))
    Play(listing(obj("d/1")), look("e/1", obj("e/1")), deleting("d/1", answer=refused)).run(outcome.deletion())
    error = outcome.failed["d/1"]
    assert str(error) == "it was copied and not deleted: not yours (403)"
    assert error.maybe_applied is True
