"""Reviews: what is sent, that a lost response does not make two, and that metadata has a limit."""

from __future__ import annotations

from typing import Any

import msgspec

from lakefs_hl.ops import reviews
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, C2, NOW, Play, lost, no, ok, session, step

OPEN = models.PullRequest("p1", "t", "open", "me", "2026-01-31T12:00:00Z", "dev", "main", "d")
KEY = f"lakefs_hl.review.p1.{int(NOW * 1e6):016x}-aa"
NOTE = reviews.Note("ada", True, "fine", NOW, C1)
METADATA = ("getRepositoryMetadata", "r")
SAME = step(*METADATA, answer=ok({}))


def encode(note: reviews.Note) -> str:
    return msgspec.json.encode(note).decode()


def look(metadata: dict[str, str] | None = None, user: Any = None) -> list[Any]:
    return [
        step("getPullRequest", "r", "p1", answer=ok(OPEN)),
        step("getBranch", "r", "dev", answer=ok(models.Ref("dev", C1))),
        step("getCurrentUser", answer=user or ok(models.CurrentUser(models.User("ada", 0)))),
        step(*METADATA, answer=ok(metadata or {})),
    ]


def write(key: str, answer: Any) -> Any:
    return step("setRepositoryMetadata", "r", answer=answer, body={"metadata": {key: encode(NOTE)}})


def add() -> Op[reviews.Note]:
    return reviews.add(session(exactly_once=False), "r", "p1", approved=True, notes="fine", random="aa")


def test_a_review_is_one_key() -> None:
    assert Play(*look(), SAME, write(KEY, ok())).run(add()) == NOTE


def test_a_review_comes_after_those_that_exist_also_by_a_clock_that_is_late() -> None:
    early = f"lakefs_hl.review.p1.{int((NOW + 3600) * 1e6):016x}-bb"
    later = f"lakefs_hl.review.p1.{int((NOW + 3600) * 1e6) + 1:016x}-aa"
    assert Play(*look({early: encode(NOTE)}), SAME, write(later, ok())).run(add()) == NOTE


def test_a_lost_response_makes_one_review() -> None:
    applied = step(*METADATA, answer=ok({KEY: encode(NOTE)}))
    assert Play(*look(), SAME, write(KEY, lost()), applied).run(add()) == NOTE


def test_a_server_that_does_not_know_the_user_gets_no_review() -> None:
    play = Play(*look(user=no(404, "not found"))[:3])
    play.fails(add(), errors.UnsupportedOperationException, "does not report the user")


def test_a_full_repository_gets_no_review() -> None:
    play = Play(*look({"k": "v" * reviews.MAX_METADATA}))
    error = play.fails(add(), errors.BadRequestException, "delete keys that are not needed")
    assert error.maybe_applied is False


def test_approvals_are_counted_by_the_last_review_of_each_user() -> None:
    notes = {
        f"lakefs_hl.review.p1.{at:016x}-{at:02x}": encode(
            msgspec.structs.replace(NOTE, by=by, approved=yes, source_commit=of)
        )
        for at, (by, yes, of) in enumerate(
            [
                ("ada", True, C1),
                ("bob", True, C1),
                ("bob", False, C1),
                ("cy", False, C1),
                ("cy", True, C1),
                ("di", True, C2),
            ]
        )
    }
    steps = [look()[0], step(*METADATA, answer=ok(notes)), look()[1]]
    assert Play(*steps).run(reviews.check_approvals(session(), "r", "p1", 2)) is None
    play = Play(*steps)
    words = r"at least 3 users, and is by 2 \(by ada, cy\); 1 more reviewed an earlier commit"
    play.fails(reviews.check_approvals(session(), "r", "p1", 3), errors.BadRequestException, words)
