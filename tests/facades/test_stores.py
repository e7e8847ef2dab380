"""What every store does: one contract for a lake, a directory, memory and file systems of fsspec, in both colours."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.facades.records import Entry, Put, Range

STORES = ["lake", "file", "mem", "memory", "local"]


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    name = f"t-{secrets.token_hex(6)}"
    if kind == "lake":
        lakefs_hl.init("mem://")
        lakefs_hl.repository(name).create()
        return f"lakefs://{name}/main/data"
    if kind in ("file", "local"):
        return f"{kind}://{tmp_path}/data"
    return f"{kind}://{name}/data"


@pytest.fixture
def store(stores: ModuleType, url: str, colour: Any) -> Any:
    return colour.settle(stores.store_of(url))


def put(path: str, data: bytes, encoding: str | None = "") -> Put:
    return Put(path, data, encoding=encoding)


def test_what_was_written_is_read(store: Any, url: str) -> None:
    assert store.url == url.replace("local://", "local://") + "/"
    assert tuple(store.write(put("a/b.txt", b"hello"))) == ("a/b.txt", 5, None, None)
    content = store.read("a/b.txt")
    assert (content.path, content.data, content.encoding, content.error) == ("a/b.txt", b"hello", None, None)
    assert content.entry == store.stat("a/b.txt")
    assert (content.entry.size, content.entry.is_prefix) == (5, False)
    assert content.entry.modified.utcoffset().total_seconds() == 0
    assert content.entry.etag
    store.write(put("a/b.txt", b"hello, world"))
    assert store.read("a/b.txt").data == b"hello, world"
    assert store.stat("a/b.txt").etag != content.entry.etag


def test_what_does_not_exist(store: Any) -> None:
    for path in ("none", "a/none", "a/b/c/none", "dir"):
        content = store.read(path)
        assert content.data is None
        assert isinstance(content.error, FileNotFoundError), content
        assert store.stat(path) is None
    store.write(put("dir/a", b"1"))
    assert store.stat("dir") is None
    assert isinstance(store.read("dir").error, FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        store.save("none", io.BytesIO())
    assert list(store.list("none")) == []


@pytest.mark.parametrize("path", ["", "/a", "a/", "/"])
def test_paths_that_no_object_has(store: Any, path: str) -> None:
    assert isinstance(store.write(put(path, b"1")).error, ValueError)
    assert isinstance(store.read(path).error, ValueError)
    assert store.stat(path) is None
    assert isinstance(next(iter(store.delete_many([path]))).error, ValueError)


def test_ranges(store: Any) -> None:
    store.write(put("a", b"0123456789"))
    for start, end in ((None, None), (0, 3), (3, None), (None, 4), (-3, None), (2, -2), (5, 100), (20, 30), (5, 2)):
        content = store.read("a", start, end)
        assert content.data == b"0123456789"[start:end], (start, end)
        assert content.byte_range == (start, end)
    found = list(store.read_many([Range("a", 0, 2), "a", Range("a", 8)]))
    assert [each.data for each in found] == [b"01", b"0123456789", b"89"]
    with pytest.raises(TypeError, match="paths or ranges"):
        list(store.read_many([3]))


def test_many(store: Any) -> None:
    outcomes = list(store.write_many(put(f"{number:03}", b"%d" % number) for number in range(300)))
    assert [tuple(each) for each in outcomes[:2]] == [("000", 1, None, None), ("001", 1, None, None)]
    assert len(outcomes) == 300
    asked = [f"{number:03}" for number in reversed(range(301))]
    found = list(store.read_many(iter(asked)))
    assert [each.path for each in found] == asked
    assert found[0].error is not None
    assert [each.data for each in found[1:]] == [b"%d" % number for number in reversed(range(300))]
    sizes = [entry and entry.size for entry in store.stat_many(["299", "none", "000"])]
    assert sizes == [3, None, 1]
    assert [each.error for each in store.delete_many(["000", "none", "001"])] == [None] * 3
    assert [each.path for each in store.list()] == [f"{number:03}" for number in range(2, 300)]


def test_items_are_read_with_back_pressure(store: Any) -> None:
    read = 0

    def items() -> Iterator[Put]:
        nonlocal read
        for number in range(2000):
            read += 1
            yield put(f"{number}", b"1")

    outcomes = iter(store.write_many(items()))
    next(outcomes)
    assert read < 600
    close = getattr(outcomes, "close", None)
    assert close is not None
    close()


def test_an_iterable_that_raises_ends_the_call(store: Any) -> None:
    def items() -> Iterator[Put]:
        yield put("a", b"1")
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        list(store.write_many(items()))


def test_listings_are_in_byte_order(store: Any) -> None:
    paths = ["b/c", "a", "b.txt", "é", "b/d/e", "b-x", "b/d.txt", "B", "b0"]
    assert not any(each.error for each in store.write_many([put(path, b"1") for path in paths]))
    expected = sorted(paths, key=str.encode)
    assert [each.path for each in store.list()] == expected
    assert [each.path for each in store.list("b")] == [path for path in expected if path.startswith("b")]
    assert [each.path for each in store.list("b/d")] == ["b/d.txt", "b/d/e"]
    assert [each.path for each in store.list(flat=True)] == ["B", "a", "b-x", "b.txt", "b/", "b0", "é"]
    assert [each.path for each in store.list("b/", flat=True)] == ["b/c", "b/d.txt", "b/d/"]
    for number, path in enumerate(expected):
        assert [each.path for each in store.list(after=path)] == expected[number + 1 :]
    assert [each.path for each in store.list("b/", after="b/c")] == ["b/d.txt", "b/d/e"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_the_encoding_is_kept(store: Any, encoding: str) -> None:
    assert store.write(put("d/a", b"packed", encoding)).error is None
    assert store.read("d/a").encoding == encoding
    assert store.stat("d/a").encoding == encoding
    assert [(each.path, each.encoding) for each in store.list()] == [("d/a", encoding)]
    file = io.BytesIO()
    assert store.save("d/a", file).encoding == encoding
    assert file.getvalue() == b"packed"
    assert store.copy_within("d/a", "d/b").error is None
    assert store.read("d/b").encoding == encoding
    assert store.write(put("d/a", b"plain")).error is None
    assert (store.read("d/a").data, store.read("d/a").encoding) == (b"plain", None)
    assert [(each.path, each.encoding) for each in store.list()] == [("d/a", None), ("d/b", encoding)]
    list(store.delete_many(["d/a", "d/b"]))
    assert list(store.list()) == []


def test_content_from_a_file(store: Any, tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"x" * 100_000)
    with path.open("rb") as file:
        file.seek(50)
        assert store.write(Put("a", file, encoding="")).size == 100_000
    assert store.write(Put("b", io.BytesIO(b"y" * 10), encoding="")).size == 10
    target = io.BytesIO(b"something longer that was here")
    assert store.save("b", target).size == 10
    assert target.getvalue() == b"y" * 10


def test_copying(store: Any) -> None:
    store.write(put("a", b"1"))
    assert tuple(store.copy_within("a", "x/b")) == ("x/b", 1, None, None)
    assert store.read("x/b").data == b"1"
    assert isinstance(store.copy_within("none", "c").error, FileNotFoundError)
    assert isinstance(store.copy_within("a", "/").error, ValueError)


def test_a_prefix_is_a_store_of_its_own(stores: ModuleType, url: str, colour: Any) -> None:
    outer, inner = colour.settle(stores.store_of(url)), colour.settle(stores.store_of(url, "sub"))
    inner.write(put("a", b"1"))
    assert inner.url == f"{url}/sub/"
    assert [each.path for each in outer.list()] == ["sub/a"]
    assert [each.path for each in inner.list()] == ["a"]
    assert stores.store_of(inner._target if colour.name == "aio" else inner) is not None


def test_closing_does_no_harm(store: Any) -> None:
    store.write(put("a", b"1"))
    store.close()
    assert store.read("a").data == b"1"


def test_entries_are_plain(store: Any) -> None:
    store.write(put("a", b"1"))
    assert type(store.stat("a")) is Entry
    assert "password" not in repr(store)
