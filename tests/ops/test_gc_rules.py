"""Garbage collection rules: a lost response is looked up, and the rules of others are kept."""

from __future__ import annotations

from typing import Any

from lakefs_hl.ops import gc_rules
from lakefs_hl.spec import errors, models
from tests.ops.script import Play, Step, lost, no, ok, session, step

S = session(exactly_once=False)
NONE = no(404, "not found")


def get(rules: models.GCRules | None) -> Step:
    return step("getGCRules", "r", answer=NONE if rules is None else ok(rules))


def put(answer: Any) -> Step:
    body = {"default_retention_days": 7, "branches": [{"branch_id": "main", "retention_days": 30}]}
    return step("setGCRules", "r", answer=answer, body=body)


def rules(days: int, **branches: int) -> models.GCRules:
    return models.GCRules(days, [models.GCBranchRule(name, number) for name, number in branches.items()])


OURS, OTHERS = rules(7, main=30), rules(9)


def test_get() -> None:
    assert Play(get(OURS)).run(gc_rules.get(S, "r")) == OURS
    assert Play(get(None)).run(gc_rules.get(S, "r")) is None
    missing = step("getGCRules", "r", answer=no(404, "repository not found"))
    Play(missing).fails(gc_rules.get(S, "r"), errors.NotFoundException)


def test_a_lost_response() -> None:
    def change() -> Any:
        return gc_rules.replace(S, "r", 7, {"main": 30})

    Play(get(None), put(ok())).run(change())
    Play(get(None), put(lost()), get(OURS)).run(change())
    Play(get(OTHERS), put(lost()), get(OTHERS), put(ok())).run(change())
    Play(get(None), put(lost()), get(OTHERS)).fails(change(), errors.AmbiguousOutcomeError)


def test_delete() -> None:
    gone = step("deleteGCRules", "r", answer=ok())
    gone_perhaps = gone._replace(answer=lost())
    Play(get(None), gone).run(gc_rules.delete(S, "r"))
    Play(get(OURS), gone_perhaps, get(None)).run(gc_rules.delete(S, "r"))
    Play(get(OURS), gone_perhaps, get(OURS), gone).run(gc_rules.delete(S, "r"))
    Play(get(OURS), gone_perhaps, get(OTHERS)).fails(gc_rules.delete(S, "r"), errors.AmbiguousOutcomeError)
