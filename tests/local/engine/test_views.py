"""What is staged under several tokens at once, as in the midst of a large commit."""

from __future__ import annotations

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import Engine, views
from tests.local.engine.support import commit, paths, put, read, seal


def test_of_several_tokens_the_newest_wins_in_order_of_paths(engine: Engine) -> None:
    put(engine, "d0")
    commit(engine)
    for number in range(4):
        for path in ("a", "b", "c")[: 3 - number % 3]:
            put(engine, path, b"%d" % number)
        put(engine, f"d{number}", b"x")
        if number == 2:
            engine.objects.delete("repo", "main", "d0")
        seal(engine)
    assert paths(engine) == ["a", "b", "c", "d1", "d2", "d3"]
    assert [read(engine, path) for path in "abc"] == [b"3", b"3", b"3"]
    with engine.lake.read("repo") as snapshot:
        tokens = snapshot.head("main").tokens
        found = [(path, value is None) for path, value in staging.between(snapshot.reader, tokens, b"b", b"d2")]
    assert found == [(b"b", False), (b"c", False), (b"d0", True), (b"d1", False)]


def test_many_look_ups_ask_no_staging_without_rows_and_see_the_same(engine: Engine) -> None:
    put(engine, "a", b"committed")
    commit(engine)
    with engine.lake.read("repo") as snapshot:
        assert views.view(snapshot, "main").tokens
        assert views.for_many(snapshot, "main") == views.View(views.view(snapshot, "main").root, [])
    put(engine, "b", b"sealed")
    seal(engine)
    engine.objects.delete("repo", "main", "a")
    with engine.lake.read("repo") as snapshot:
        whole, found = views.view(snapshot, "main"), views.for_many(snapshot, "main")
        assert found.tokens == whole.tokens[:2], "the newest first"
        for key in (b"a", b"b", b"c"):
            assert views.lookup(snapshot, found, key) == views.lookup(snapshot, whole, key)
        assert views.lookup(snapshot, found, b"a") is None
        assert views.lookup(snapshot, found, b"b") is not None
