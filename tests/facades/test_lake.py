"""The store of a lake, on each kind of lake and in both colours."""

from __future__ import annotations

import io
import random
from types import ModuleType
from typing import Any

import pytest

from lakefs_hl import exceptions
from lakefs_hl.facades.records import Put, Range
from tests.worlds import World, bare


@pytest.fixture
def branch(world: World) -> Any:
    return world.fresh().branch("main")


@pytest.fixture
def store(world: World, stores: ModuleType, branch: Any) -> Any:
    return world.settle(stores.store_of(bare(branch), "data"))


def test_what_was_written_is_read(store: Any, branch: Any) -> None:
    assert store.url == f"{branch.uri}data/"
    assert not store.read_only
    outcome = store.write(Put("a.txt", b"hello", "text/plain", "", {"k": "v"}))
    assert tuple(outcome) == ("a.txt", 5, None, None)
    content = store.read("a.txt")
    assert (content.data, content.encoding, content.byte_range) == (b"hello", None, (None, None))
    entry = content.entry
    assert (entry.size, entry.content_type, dict(entry.metadata)) == (5, "text/plain", {"k": "v"})
    assert entry.md5 == "5d41402abc4b2a76b9719d911017c592"
    assert branch.download("data/a.txt") == b"hello"


def test_the_encoding_is_metadata(store: Any, branch: Any) -> None:
    store.write(Put("a", b"\x1f\x8b", encoding="gzip"))
    assert branch.stat_object("data/a").metadata["content-encoding"] == "gzip"
    assert store.stat("a").encoding == "gzip"
    assert store.read("a").encoding == "gzip"
    assert dict(store.stat("a").metadata) == {}


def test_many_are_read_in_order_with_what_fails_among_them(store: Any) -> None:
    outcomes = list(store.write_many(Put(f"{number}", str(number).encode()) for number in range(600)))
    assert [each.path for each in outcomes] == [str(number) for number in range(600)]
    assert not any(each.error for each in outcomes)
    asked = [*(str(number) for number in reversed(range(600))), "missing", Range("12", 0, 1), "", "\udc80"]
    found = list(store.read_many(iter(asked)))
    assert [each.data for each in found[:600]] == [str(number).encode() for number in reversed(range(600))]
    missing, part, empty, surrogate = found[600:]
    assert isinstance(missing.error, FileNotFoundError)
    assert (part.data, part.byte_range) == (b"1", (0, 1))
    assert isinstance(empty.error, ValueError)
    assert isinstance(surrogate.error, ValueError)


def test_a_path_that_cannot_be_written_is_an_outcome(store: Any) -> None:
    outcomes = list(store.write_many([Put("a", b"1"), Put("\udc80", b"2"), Put("/b", b"3"), Put("a", b"4")]))
    assert [each.error is None for each in outcomes] == [True, False, False, True]
    assert store.read("a").data == b"4"


def test_an_object_whose_path_looks_like_a_uri(store: Any, stores: ModuleType, world: World, branch: Any) -> None:
    root = world.settle(stores.store_of(bare(branch)))
    assert root.write(Put("lakefs://x/y/z", b"1")).error is None
    assert root.read("lakefs://x/y/z").data == b"1"
    assert [each.path for each in root.list()] == ["lakefs://x/y/z"]


def test_listing(store: Any) -> None:
    list(store.write_many([Put(path, b"1") for path in ("b/c", "a", "b.txt", "é", "b/d/e")]))
    assert [each.path for each in store.list()] == ["a", "b.txt", "b/c", "b/d/e", "é"]
    assert [each.path for each in store.list(flat=True)] == ["a", "b.txt", "b/", "é"]
    assert [each.path for each in store.list("b/", flat=True)] == ["b/c", "b/d/"]
    assert [each.path for each in store.list("b", after="b.txt")] == ["b/c", "b/d/e"]
    assert [each.is_prefix for each in store.list("b/", flat=True)] == [False, True]


def test_deleting_and_copying(store: Any) -> None:
    store.write(Put("a", b"1", "text/x", "br", {"k": "v"}))
    assert store.copy_within("a", "b").error is None
    before, after = store.stat("a"), store.stat("b")
    assert before.etag == after.etag
    assert after._replace(path="a", modified=None) == before._replace(modified=None)
    assert isinstance(store.copy_within("none", "c").error, FileNotFoundError)
    outcomes = list(store.delete_many(["a", "none", ""]))
    assert [each.error is None for each in outcomes] == [True, True, False]
    assert list(store.stat_many(["a", "b"])) == [None, after]


def test_large_content_goes_through_files(store: Any, rng: random.Random) -> None:
    data = rng.randbytes(9 << 20)
    assert store.write(Put("large", io.BytesIO(data))).size == len(data)
    file = io.BytesIO(b"old" * len(data))
    assert store.save("large", file).size == len(data)
    assert file.getvalue() == data
    with pytest.raises(FileNotFoundError):
        store.save("none", file)


def test_a_commit_is_read_only(stores: ModuleType, world: World, branch: Any) -> None:
    branch.upload(b"1", "data/a")
    commit = branch.commit_changes("c").get_commit()
    store = world.settle(stores.store_of(bare(commit), "data/"))
    assert store.read_only
    assert store.read("a").data == b"1"
    with pytest.raises(exceptions.UnsupportedOperationException, match="branch"):
        store.write(Put("a", b"2"))


def test_urls(stores: ModuleType, world: World, branch: Any) -> None:
    url = f"{branch.uri}some/where"
    store = world.settle(stores.store_of(url, client=world.client))
    assert store.url == f"{url}/"
    assert not store.read_only
    for fixed in ("main~0", "main@", "f" * 64, "v1.0"):
        at = f"lakefs://{branch.repository_id}/{fixed}/x"
        assert world.settle(stores.store_of(at, client=world.client)).read_only
    for bad in ("lakefs://", "lakefs://repository", "lakefs:///main"):
        with pytest.raises(ValueError, match="lakefs://repository/reference/prefix"):
            stores.store_of(bad, client=world.client)
    with pytest.raises(TypeError, match="place must be a URL"):
        stores.store_of(3)
