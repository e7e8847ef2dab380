"""Protection and retention rules."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import branch, put, refused


def protect(engine: Engine, *patterns: str, if_match: str | None = None) -> None:
    engine.settings.set_protection("repo", [models.BranchProtectionRule(one) for one in patterns], if_match)


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("main", ["main"], ["main2", "xmain"]),
        ("rel-*", ["rel-", "rel-1-2"], ["rel"]),
        ("v?", ["v1"], ["v", "v12"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[!a-c]x", ["dx"], ["ax"]),
        ("{main,stable-*}", ["main", "stable-1"], ["stable"]),
        ("*", ["main", "anything"], []),
        ("a.b", [], ["axb"]),
        ("\\*", [], ["main"]),
    ],
)
def test_patterns(engine: Engine, pattern: str, hits: list[str], misses: list[str]) -> None:
    for name in {*hits, *misses} - {"main"}:
        branch(engine, name)
    protect(engine, pattern)
    for name in hits:
        refused(403, lambda name=name: put(engine, "a", branch=name))  # type: ignore[misc]
    for name in misses:
        put(engine, "a", branch=name)


def test_a_pattern_that_is_none_lets_nobody_write(engine: Engine) -> None:
    protect(engine, "[z-a]")
    assert "[z-a]" in str(refused(500, lambda: put(engine, "a")))
    protect(engine)
    put(engine, "a")


def test_etags(engine: Engine) -> None:
    assert engine.settings.protection("repo") == ([], "")
    protect(engine, "main", if_match="")
    rules, etag = engine.settings.protection("repo")
    assert (rules, len(etag)) == ([models.BranchProtectionRule("main")], 64)
    refused(412, lambda: protect(engine, "x", if_match="0" * 64))
    protect(engine, "x", if_match=etag)
    assert engine.settings.protection("repo")[1] != etag
    refused(404, lambda: engine.settings.protection("none"))


def test_retention(engine: Engine) -> None:
    refused(404, lambda: engine.settings.gc_rules("repo"), "not found")
    rules = models.GCRules(7, [models.GCBranchRule("main", 30)])
    engine.settings.set_gc_rules("repo", rules)
    assert engine.settings.gc_rules("repo") == rules
    engine.settings.delete_gc_rules("repo")
    engine.settings.delete_gc_rules("repo")
    refused(404, lambda: engine.settings.gc_rules("repo"))
