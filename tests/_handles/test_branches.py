"""Calls on branches: arguments are checked, and become the op's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles import branches as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import branches as ops
from lakefs_hl.spec import models
from tests.ops.script import C0, Play, page, ref, session, step

AT = Handle("example", "dev")
SESSION = session()
WRONG: Any = {"k": 1}
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_branch_is_looked_up() -> None:
    play = Play(step("getBranch", "example", "dev", answer=ref("dev", C0)))
    assert play.run(calls.exists(SESSION, AT, None)) is True


def test_changes_are_listed_from_a_path_with_a_prefix() -> None:
    pages = calls.uncommitted(SESSION, AT, None, "a", "p/", "/")
    assert (pages.after, pages.amount) == ("a", None)
    change = models.Diff("added", "p/b", "object", 1)
    play = Play(step("diffBranch", "example", "dev", answer=page(change)))
    play.run(pages.next_page("a", 1000))
    assert {"after": "a", "prefix": "p/", "delimiter": "/"}.items() <= play.sent[0].query.items()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: calls.create(SESSION, AT, "main", False, False), "create"),
        (lambda: calls.commit(SESSION, AT, "m", {"k": "v"}, False, "error", None, False), "commit"),
        (lambda: calls.reset(SESSION, AT, None), "reset"),
        (lambda: calls.reset(SESSION, AT, "a"), "reset_path"),
        (lambda: calls.hard_reset(SESSION, AT, "main"), "hard_reset"),
        (lambda: calls.revert(SESSION, AT, "main", 0, False, None, None), "revert"),
        (lambda: calls.cherry_pick(SESSION, AT, "main", None), "cherry_pick"),
        (lambda: calls.delete(SESSION, AT), "delete"),
    ],
)
def test_a_call_is_an_op_that_has_sent_nothing(call: Any, name: str) -> None:
    op = call()
    assert op.__name__ == name
    op.close()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: calls.create(SESSION, AT, 1, False, False), TypeError, "source_reference_id"),
        (lambda: calls.create(SESSION, AT, "main", None, False), TypeError, "exist_ok"),
        (lambda: calls.commit(SESSION, AT, b"m", None, False, "error", None, False), TypeError, "message"),
        (lambda: calls.commit(SESSION, AT, "m", WRONG, False, "error", None, False), TypeError, "metadata"),
        (lambda: calls.commit(SESSION, AT, "m", None, False, "error", "now", False), ValueError, "date"),
        (lambda: calls.commit(SESSION, AT, "m", None, False, "never", None, False), ValueError, "on_empty"),
        (lambda: calls.commit(SESSION, AT, "m", None, True, "skip", None, False), ValueError, "allow_empty"),
        (lambda: calls.reset(SESSION, AT, 1), TypeError, "path"),
        (lambda: calls.revert(SESSION, AT, "main", -1, False, None, None), ValueError, "parent_number"),
        (lambda: calls.cherry_pick(SESSION, AT, "main", "1"), TypeError, "parent_number"),
        (lambda: calls.hard_reset(SESSION, AT, "lakefs://other-one/main"), ValueError, "reference_id"),
        (lambda: calls.uncommitted(SESSION, AT, -1, "", "", ""), ValueError, "max_amount"),
    ],
)
def test_an_argument_is_refused_by_its_name(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_every_commit_has_an_id_of_its_own(mocker: MockerFixture) -> None:
    commit = mocker.patch.object(ops, "commit")
    for _ in range(2):
        calls.commit(SESSION, AT, "m", {"k": "v"}, False, "commit", WHEN, False)
    first, second = (call.kwargs["op_id"] for call in commit.call_args_list)
    assert first != second
    creation = commit.call_args.args[3]
    assert (creation.message, creation.metadata, commit.call_args.kwargs["on_empty"]) == ("m", {"k": "v"}, "commit")
    assert creation.date == WHEN.timestamp()
    assert creation.force is None
