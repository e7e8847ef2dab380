"""Branch protection rules: changed by their ETag, so that no rule of others is lost."""

from __future__ import annotations

from typing import Any

from lakefs_hl.ops import protections
from lakefs_hl.spec import errors, models
from tests.ops.script import Play, Step, lost, no, ok, session, step

S = session()
CHANGED = no(412, "Precondition failed")
GET, SET = "getBranchProtectionRules", "setBranchProtectionRules"
FIRST = "internalCreateBranchProtectionRule"


def rules(*patterns: str, etag: str = "e1") -> Step:
    found = ok([models.BranchProtectionRule(pattern) for pattern in patterns], etag=etag)
    return step(GET, "r", answer=found)


def put(*patterns: str, answer: Any = None, etag: str = "e1") -> Step:
    body = [{"pattern": pattern} for pattern in patterns]
    return step(SET, "r", answer=answer or ok(), body=body, headers={"if-match": etag})


def test_get() -> None:
    assert Play(rules("b", "a", "b", etag='W/"e1"')).run(protections.get(S, "r")) == (["a", "b"], "e1")


def test_a_rule_is_added_to_the_others() -> None:
    Play(rules("a"), put("a", "b")).run(protections.add(S, "r", "b"))


def test_a_rule_that_exists() -> None:
    Play(rules("a")).run(protections.add(S, "r", "a"))


def test_others_were_faster() -> None:
    play = Play(rules("a"), put("a", "b", answer=CHANGED), rules("a", "c", etag="e2"), put("a", "c", "b", etag="e2"))
    play.run(protections.add(S, "r", "b"))
    assert len(play.slept) == 1


def test_the_first_rule_is_looked_up_afterwards() -> None:
    first = step(FIRST, "r", answer=ok(), body={"pattern": "a"})
    Play(rules(etag=""), first, rules("a")).run(protections.add(S, "r", "a"))
    others = rules("b", etag="e1")  # their first rule came after ours, and replaced it
    Play(rules(etag=""), first, others, put("b", "a")).run(protections.add(S, "r", "a"))


def test_a_server_that_adds_no_single_rule() -> None:
    play = Play(
        rules(etag=""),
        step(FIRST, "r", answer=no(501, "Not Implemented")),
        step(SET, "r", answer=ok(), body=[{"pattern": "a"}]),
        rules("a"),
    )
    play.run(protections.add(S, "r", "a"))
    assert "if-match" not in play.sent[2].headers


def test_a_rule_is_removed() -> None:
    Play(rules("a", "b"), rules("a", "b"), put("b")).run(protections.remove(S, "r", "a"))
    Play(rules("a"), rules("a"), put()).run(protections.remove(S, "r", "a"))


def test_a_rule_that_does_not_exist() -> None:
    failed = Play(rules("a")).fails(protections.remove(S, "r", "b"), errors.NotFoundException, "the rules are 'a'")
    assert failed.maybe_applied is False
    Play(rules(etag="")).fails(protections.remove(S, "r", "b"), errors.NotFoundException, "there are no rules")


def test_all_responses_are_lost() -> None:
    attempts = [put("a", "b", answer=lost())] * 5
    Play(rules("a"), *attempts, rules("a", "b", etag="e2")).run(protections.add(S, "r", "b"))
    play = Play(rules("a"), *attempts, rules("a"))
    assert play.fails(protections.add(S, "r", "b"), errors.TransportException).maybe_applied is None


def test_the_first_response_is_lost_and_the_retry_rejected() -> None:
    Play(rules("a"), put("a", "b", answer=lost()), put("a", "b", answer=CHANGED), rules("a", "b", etag="e2")).run(
        protections.add(S, "r", "b")
    )


def test_the_outcome_stays_unknown() -> None:
    attempts = [put("a", "b", answer=lost())] * 5
    play = Play(rules("a"), *attempts, step(GET, "r", answer=no(403, "forbidden")))
    assert play.fails(protections.add(S, "r", "b"), errors.ForbiddenException).maybe_applied is None
    first = step(FIRST, "r", answer=ok())
    play = Play(rules(etag=""), first, step(GET, "r", answer=no(403, "forbidden")))
    assert play.fails(protections.add(S, "r", "b"), errors.ForbiddenException).maybe_applied is None


def test_others_are_faster_for_ever() -> None:
    play = Play(*[rules("a"), put("a", "b", answer=CHANGED)] * protections.MAX_TRIES)
    assert play.fails(protections.add(S, "r", "b"), errors.ConflictException, "try again").maybe_applied is False


def test_a_rejected_change() -> None:
    play = Play(rules("a"), put("a", "b", answer=no(403, "read-only repository")))
    play.fails(protections.add(S, "r", "b"), errors.ForbiddenException)
