"""Keys and tokens: only hashes are kept, and forged ones are nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import keys as keys_module

pytestmark = pytest.mark.timeout(60)


def test_a_pair(engine: Engine) -> None:
    key, secret = engine.keys.create()
    for _ in range(2):  # the slow way, then the known one
        assert engine.keys.authenticate(key, secret) == "admin"
        for wrong in ((key, secret + "x"), (key, ""), ("x" + key, secret), (key, "\ud800")):
            assert engine.keys.authenticate(*wrong) is None


def test_the_secret_is_not_kept(engine: Engine) -> None:
    engine.keys.install("KEY", "correct-horse-battery-staple")
    assert engine.keys.authenticate("KEY", "correct-horse-battery-staple") == "admin"
    for path in Path(engine.folder).rglob("*"):
        if path.is_file():
            assert b"correct-horse" not in path.read_bytes()


def test_a_new_pair_replaces_the_old(engine: Engine) -> None:
    engine.keys.install("ONE", "secret")
    assert engine.keys.authenticate("ONE", "secret") == "admin"
    engine.keys.install("ONE", "other")
    assert engine.keys.authenticate("ONE", "secret") is None
    engine.keys.install("TWO", "secret")
    assert engine.keys.authenticate("ONE", "other") is None


def test_tokens(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    token = engine.keys.token("me")
    assert engine.keys.verify(token.token) == "me"
    head, body, signature = token.token.split(".")
    for forged in ("", "x", "a.b.c", token.token + "x", f"{head}.{body}.", f"{head}.x{body}.{signature}", "é.é.é"):
        assert engine.keys.verify(forged) is None
    monkeypatch.setattr(keys_module, "now", lambda: (token.token_expiration + 1) * 10**9)
    assert engine.keys.verify(token.token) is None
