"""Calls on references: arguments are checked, and become the op's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles import refs as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import refs as ops
from tests.ops.script import C0, Play, commit, log, ok, page, session, step

AT = Handle("example", "main")
SESSION = session()


def test_a_commit_is_looked_up_by_its_reference() -> None:
    found = commit(C0)
    play = Play(step("getCommit", "example", C0, answer=ok(found)))
    assert play.run(calls.commit(SESSION, Handle("example", C0))) == found


def test_a_log_has_the_filters_that_were_given() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    pages = calls.log(SESSION, AT, 3, "", ["a"], ["p/"], since, "v1", True)
    assert (pages.after, pages.amount) == ("", 3)
    play = Play(step("logCommits", "example", "main", answer=log()))
    play.run(pages.next_page("", 3))
    query = play.sent[0].query
    assert (query["objects"], query["prefixes"], query["first_parent"]) == (("a",), ("p/",), "true")
    assert query["stop_at"] == "v1"
    assert str(query["since"]).startswith("2026-01-01T00:00:00")


def test_a_diff_is_between_two_references() -> None:
    pages = calls.diff(SESSION, AT, "dev", None, "", "p/", "", "two_dot", False)
    play = Play(step("diffRefs", "example", "main", "dev", answer=page()))
    play.run(pages.next_page("", 1000))
    assert {"prefix": "p/", "type": "two_dot"}.items() <= play.sent[0].query.items()


def test_a_merge_has_an_id_and_what_was_asked(mocker: MockerFixture) -> None:
    merge = mocker.patch.object(ops, "merge_and_get")
    calls.merge(SESSION, AT, "lakefs://example/dev", "m", {"k": "v"}, "source-wins", True, False, False)
    assert merge.call_args.args[1:4] == ("example", "main", "dev")
    wanted = merge.call_args.args[4]
    assert (wanted.message, wanted.strategy, wanted.squash_merge) == ("m", "source-wins", True)
    assert (wanted.force, wanted.allow_empty) == (None, None)
    assert len(merge.call_args.kwargs["op_id"]) == 32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calls.diff(SESSION, AT, "dev", None, "", "", "", "four_dot", False), "type"),
        (lambda: calls.merge(SESSION, AT, "dev", None, None, "ours", False, False, False), "strategy"),  # type: ignore[arg-type]
        (lambda: calls.merge(SESSION, AT, 1, None, None, None, False, False, False), "destination_branch_id"),
        (lambda: calls.log(SESSION, AT, None, "", 7, (), None, None, False), "objects"),
        (lambda: calls.log(SESSION, AT, None, "", (), (), "yesterday", None, False), "since"),
        (lambda: calls.create_tag(SESSION, AT, None, False), "source_ref"),
        (lambda: calls.create_tag(SESSION, AT, "main", None), "exist_ok"),
    ],
)
def test_an_argument_is_refused_by_its_name(call: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_tags_are_created_and_deleted_by_their_name() -> None:
    tag = Handle("example", "v1")
    made: Any = calls.create_tag(SESSION, tag, "main", True)
    gone: Any = calls.delete_tag(SESSION, tag)
    assert (made.__name__, gone.__name__) == ("create", "delete")
