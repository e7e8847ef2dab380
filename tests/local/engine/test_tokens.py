"""Staging tokens: drawn once, sealed, renewed, and dropped with what was staged under them; the head stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from lakefs_hl.local.disk.tables import meta, staging
from lakefs_hl.local.engine import Engine, tokens
from lakefs_hl.local.engine import purge as purge_module
from lakefs_hl.local.engine.snapshot import Head, Transaction
from tests.local.engine.support import commit, head, paths, put, seal

T = TypeVar("T")


def write(engine: Engine, work: Callable[[Transaction], T]) -> T:
    return engine.lake.write("repo", work)


def rows(engine: Engine, tokens: Iterable[int]) -> int:
    with engine.lake.read() as snapshot:
        return staging.count(snapshot.reader, tokens, 1000)


def test_nobody_had_it_before(engine: Engine) -> None:
    used = {head(engine).token}

    def draw_three(transaction: Transaction) -> list[int]:
        return [tokens.draw(transaction) for _ in range(3)]

    for _ in range(2):
        drawn = write(engine, draw_three)
        assert len({*drawn, *used}) == len(used) + 3
        assert min(drawn) > max(used)
        used.update(drawn)


def test_what_is_sealed_is_seen_and_not_added_to(engine: Engine) -> None:
    put(engine, "a")
    before = head(engine)
    sealed = seal(engine)
    assert sealed == before._replace(token=sealed.token, sealed=(before.token,)) == head(engine)
    put(engine, "b")
    assert (rows(engine, [before.token]), rows(engine, [sealed.token])) == (1, 1)
    again = seal(engine)
    assert again.sealed == (before.token, sealed.token), "oldest first"
    assert paths(engine) == ["a", "b"]


def test_renewing_takes_back_everything(engine: Engine) -> None:
    put(engine, "committed")
    commit(engine)
    put(engine, "a")
    seal(engine)
    put(engine, "b")
    before = head(engine)
    renewed = write(engine, lambda transaction: tokens.renew(transaction, before))
    assert renewed == Head(before.repository, "main", before.head, renewed.token, resets=before.resets + 1)
    assert renewed == head(engine)
    assert renewed.token not in before.tokens
    assert rows(engine, before.tokens) == 0
    assert paths(engine) == ["committed"]


def test_taking_back_what_lies_between_two_paths(engine: Engine) -> None:
    for path in ("a", "b", "c"):
        put(engine, path)
    seal(engine)
    for path in ("b", "ba", "d"):
        put(engine, path)
    before = head(engine)
    counted = write(engine, lambda transaction: tokens.take_back(transaction, before, b"b", b"c"))
    assert counted == before._replace(resets=before.resets + 1) == head(engine)
    assert paths(engine) == ["a", "c", "d"]


def test_dropping_some_that_are_sealed(engine: Engine) -> None:
    for path in ("a", "b", "c"):
        put(engine, path)
        seal(engine)
    put(engine, "d")
    before = head(engine)
    first, second, third = before.sealed
    write(engine, lambda transaction: tokens.drop_sealed(transaction, before, [first, third]))
    assert head(engine) == before._replace(sealed=(second,))
    assert paths(engine) == ["b", "d"]
    assert rows(engine, [first, third]) == 0


@pytest.mark.parametrize(("amount", "left"), [(3, 0), (4, 4)])
def test_what_is_much_is_left_to_the_purge(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, amount: int, left: int
) -> None:
    monkeypatch.setattr(purge_module, "CHUNK", 3)
    for index in range(amount):
        put(engine, f"{index}")
    dead = head(engine).token

    def work(transaction: Transaction) -> int:
        tokens.renew(transaction, transaction.head("main"))
        return staging.count(transaction.reader, [dead], 1000)

    assert write(engine, work) == left
    assert paths(engine) == []
    with engine.lake.read() as snapshot:
        assert (meta.first(snapshot.reader, "dead token ") is None) == (left == 0)
    engine.lake.purge.run()
    assert rows(engine, [dead]) == 0
