"""Random pages of listings and differences, against a model that folds and cuts lists of all there is."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, put, seal
from tests.stateful.model import Row, fold

FOLDERS = ("", "a/", "a/b/", "a-", "a", "c/d/e/", "c/d", "é/", "a//", "é")
PATHS = [f"{folder}{name}" for folder in FOLDERS for name in ("1", "2", "b", "x.txt", "é")] + ["a/", "a/b/", "c", "-"]
PLACES = [*PATHS, "", "a", "a/b0", "a/~", "c/d/", "c/d/e", "zz", "0", "a//", "é/", "é/~"]
DELIMITERS = ("", "/", "/", "-", "//", "b", "é/", ".", "/b")
PAGES = 250


def rows_of(left: dict[str, bytes], right: dict[str, bytes]) -> list[Row]:
    """The differences of two listings; the content stands for the object."""
    return [
        (path, "added" if path not in left else "removed" if path not in right else "changed", None)
        for path in {*left, *right}
        if left.get(path) != right.get(path)
    ]


def change(engine: Engine, name: str, shown: dict[str, bytes], dice: random.Random, times: int) -> None:
    for _ in range(times):
        path = dice.choice(PATHS)
        if dice.random() < 0.3:
            engine.objects.delete("repo", name, path)
            shown.pop(path, None)
        else:
            shown[path] = dice.randbytes(1)
            put(engine, path, shown[path], name)


def check(ask: Callable[..., Any], rows: list[Row], what: str, dice: random.Random, seed: int) -> None:
    """Holds one random page, and the one after it, against the model."""
    prefix, delimiter = dice.choice(("", "", *FOLDERS)), dice.choice(DELIMITERS)
    after, amount = dice.choice(PLACES), dice.choice((1, 2, 3, 5, 100))
    asked = f"seed {seed}: prefix={prefix!r} delimiter={delimiter!r} after={after!r} amount={amount}"
    wanted = [(path, kind) for path, kind, _ in fold(rows, prefix, after, delimiter, what)]
    page = ask(prefix=prefix, delimiter=delimiter, after=after, amount=amount)
    while True:
        got = [(one.path, getattr(one, "type", one.path_type)) for one in page.results]
        assert got == wanted[:amount], asked
        assert page.pagination.has_more == (len(wanted) > amount), asked
        wanted = wanted[amount:]
        if not page.pagination.has_more:
            break
        page = ask(prefix=prefix, delimiter=delimiter, after=page.pagination.next_offset, amount=amount)


def test_pages_are_cut_from_what_is_there(engine: Engine) -> None:
    seed = secrets.randbits(32)
    dice = random.Random(seed)
    main: dict[str, bytes] = {}
    change(engine, "main", main, dice, 60)
    put(engine, "c", b"c")
    main["c"] = b"c"
    commit(engine)
    branch(engine, "dev")
    dev = dict(main)
    change(engine, "dev", dev, dice, 20)
    put(engine, "new", b"n", "dev")
    dev["new"] = b"n"
    commit(engine, "dev")
    head = dict(dev)
    for _ in range(2):
        change(engine, "dev", dev, dice, 12)
        seal(engine, "dev")
    change(engine, "dev", dev, dice, 12)

    def listing(ref: str) -> Callable[..., models.ObjectPage]:
        return lambda **how: engine.objects.list("repo", ref, **how)

    def two_dot(left: str, right: str) -> Callable[..., models.DiffPage]:
        return lambda **how: engine.diffs.refs("repo", left, right, type="two_dot", **how)

    def staged(**how: Any) -> models.DiffPage:
        return engine.diffs.branch("repo", "dev", **how)

    def objects(shown: dict[str, bytes]) -> list[Row]:
        return [(path, "object", None) for path in shown]

    questions: list[tuple[Callable[..., Any], list[Row], str]] = [
        (listing("main"), objects(main), "common_prefix"),
        (listing("dev"), objects(dev), "common_prefix"),
        (listing("dev@"), objects(head), "common_prefix"),
        (staged, rows_of(head, dev), "prefix_changed"),
        (two_dot("main", "dev$"), rows_of(main, dev), "prefix_changed"),
        (two_dot("main", "dev@"), rows_of(main, head), "prefix_changed"),
        (two_dot("dev", "main"), rows_of(head, main), "prefix_changed"),
    ]
    for _ in range(PAGES):
        for ask, rows, what in questions:
            check(ask, rows, what, dice, seed)
