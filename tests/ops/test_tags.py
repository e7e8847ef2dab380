"""Tags: what is sent, and what is looked up after a lost response."""

from __future__ import annotations

from typing import Any

from lakefs_hl.ops import tags
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, C2, Play, commit, lost, no, ok, page, ref, session, step

S = session()
MADE = ok(models.Ref("v1", C1), 201)
TAKEN = no(409, "tag already exists: not unique")


def create(**options: Any) -> Op[models.Ref]:
    return tags.create(S, "r", "v1", C1, **options)


def test_create_pins_its_target() -> None:
    play = Play(
        step("getCommit", "r", "main", answer=ok(commit(C1))),
        step("createTag", "r", answer=MADE, body={"id": "v1", "ref": C1}),
    )
    assert play.run(tags.create(S, "r", "v1", "main")).commit_id == C1


def test_created_by_the_attempt_without_a_response() -> None:  # B5.57
    play = Play(
        step("createTag", "r", answer=lost()),
        step("createTag", "r", answer=TAKEN),
        step("getTag", "r", "v1", answer=ref("v1", C1)),
    )
    assert play.run(create()).commit_id == C1


def test_a_tag_of_another_client_after_a_lost_response() -> None:
    play = Play(
        step("createTag", "r", answer=lost()),
        step("createTag", "r", answer=TAKEN),
        step("getTag", "r", "v1", answer=ref("v1", C2)),
    )
    assert play.fails(create(), errors.ConflictException, C2).maybe_applied is None


def test_all_responses_lost_but_created() -> None:
    play = Play(*[step("createTag", "r", answer=lost())] * 5, step("getTag", "r", "v1", answer=ref("v1", C1)))
    assert play.run(create()).commit_id == C1


def test_all_responses_lost_and_the_server_is_down() -> None:
    play = Play(*[step("createTag", "r", answer=lost())] * 5, *[step("getTag", "r", "v1", answer=lost())] * 5)
    assert "creating tag 'v1'" in str(play.fails(create(), errors.TransportException))


def test_a_conflict_of_the_first_attempt_is_raised() -> None:
    Play(step("createTag", "r", answer=TAKEN)).fails(create(), errors.ConflictException, "creating tag 'v1'")


def test_exist_ok() -> None:
    play = Play(step("createTag", "r", answer=TAKEN), step("getTag", "r", "v1", answer=ref("v1", C1)))
    assert play.run(create(exist_ok=True)).commit_id == C1


def test_exist_ok_requires_the_same_commit() -> None:
    play = Play(step("createTag", "r", answer=TAKEN), step("getTag", "r", "v1", answer=ref("v1", C2)))
    told = str(play.fails(create(exist_ok=True), errors.ConflictException, C2))
    assert "not at " + C1 in told
    assert "earlier try" not in told


def test_a_tag_created_with_an_unreadable_response() -> None:
    play = Play(step("createTag", "r", answer=ok(status=201)), step("getTag", "r", "v1", answer=ref("v1", C1)))
    assert play.run(create()).commit_id == C1


TAGGED = step("getTag", "r", "v1", answer=ref("v1", C1))
UNTAGGED = step("getTag", "r", "v1", answer=no(404, "tag not found"))
LOST = step("deleteTag", "r", "v1", answer=lost())


def delete(exactly_once: bool = False) -> Op[None]:
    return tags.delete(session(exactly_once=exactly_once), "r", "v1")


def test_delete() -> None:
    Play(TAGGED, LOST, UNTAGGED).run(delete())
    Play(TAGGED, LOST, TAGGED, step("deleteTag", "r", "v1", answer=ok())).run(delete())
    Play(UNTAGGED, step("deleteTag", "r", "v1", answer=no(404, "tag not found"))).fails(
        delete(), errors.NotFoundException, "deleting tag 'v1' of lakefs://r: tag not found"
    )
    Play(LOST, step("deleteTag", "r", "v1", answer=ok())).run(delete(exactly_once=True))


def test_a_recreated_tag_is_not_deleted() -> None:
    moved = step("getTag", "r", "v1", answer=ref("v1", C2))
    Play(TAGGED, LOST, moved).fails(delete(), errors.AmbiguousOutcomeError, "deleting tag 'v1' of lakefs://r")


def test_page() -> None:
    play = Play(step("listTags", "r", answer=page(), query={"amount": "3", "after": "a", "prefix": "v"}))
    assert play.run(tags.page(S, "r", "a", 3, prefix="v")).results == []


# exists: False only for a missing tag


def test_exists() -> None:
    assert Play(TAGGED).run(tags.exists(S, "r", "v1")) is True
    assert Play(UNTAGGED).run(tags.exists(S, "r", "v1")) is False


def test_exists_raises_if_the_repository_is_missing() -> None:
    play = Play(step("getTag", "r", "v1", answer=no(404, "repository not found")))
    play.fails(tags.exists(S, "r", "v1"), errors.NotFoundException, "looking up tag 'v1' of lakefs://r")
