"""Files: the calls of CloudFiles, on a lake, a directory, memory and a file system of fsspec, in both colours."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import pickle
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.compression import compress, decompress, transcode
from lakefs_hl.types import FileResult, Range
from tests.worlds import Settled, Settler, plainly


@pytest.fixture(params=["blocking", "awaitable"])
def colour(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "blocking":
        yield SimpleNamespace(package=lakefs_hl, settle=plainly)
        return
    with asyncio.Runner() as runner:
        settler = Settler(runner)

        def settle(value: Any) -> Any:
            return Settled(value, settler) if hasattr(value, "subtree_size") else settler(value)

        yield SimpleNamespace(package=lakefs_hl.aio, settle=settle)


@pytest.fixture(params=["lake", "file", "mem", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    name = f"t-{secrets.token_hex(6)}"
    if kind == "lake":
        lakefs_hl.init("mem://")
        lakefs_hl.repository(name).create()
        return f"lakefs://{name}/main/data"
    return f"file://{tmp_path}/data" if kind == "file" else f"{kind}://{name}/data"


@pytest.fixture
def files(colour: Any, url: str) -> Any:
    return colour.settle(colour.package.files(url, progress=False))


def has_metadata(kind: str) -> bool:
    return kind in ("lake", "mem")


# ----------------------------------------------------------------------------------------------------------------- get


def test_what_was_put_is_what_one_gets(files: Any, url: str) -> None:
    assert files.url == f"{url}/"
    assert not files.read_only
    report = files.put("a/b.txt", b"hello world")
    assert (report.transferred, report.failed_count) == (1, 0)
    assert files.get("a/b.txt") == b"hello world"
    assert files.get(PurePosixPath("a/b.txt")) == b"hello world"
    files.put("a/b.txt", b"")
    assert files.get("a/b.txt") == b""


def test_a_missing_file_is_none(files: Any) -> None:
    assert files.get("none") is None
    assert files.get({"path": "none", "start": 0, "end": 5}) is None
    assert files.get_json("none") is None
    with pytest.raises(FileNotFoundError):
        files.get("none", on_error="raise")


def test_many_come_in_the_order_asked(files: Any) -> None:
    files.puts([("a", b"1"), ("b", b"22")])
    found = files.get(["b", "none", "a", "b"])
    assert [each["path"] for each in found] == ["b", "none", "a", "b"]
    assert [each["content"] for each in found] == [b"22", None, b"1", b"22"]
    assert found[0] == {"path": "b", "content": b"22", "byte_range": (None, None), "error": None}
    assert isinstance(found[1]["error"], FileNotFoundError)
    assert files.get([]) == []
    assert files.get(("a",))[0]["content"] == b"1"


def test_failures_of_many_are_returned_or_raised(files: Any) -> None:
    files.put("a", b"1")
    with pytest.raises(exceptions.PartialFailureError, match=r"1 of \d files.* 'none'") as caught:
        files.get(["a", "none"], on_error="raise")
    assert [failure.path for failure in caught.value.report.failed] == ["none"]
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'return', not 'ignore'"):
        files.get("a", on_error="ignore")


@pytest.mark.parametrize(("start", "end"), [(0, 5), (6, None), (None, 4), (-5, None), (2, -2), (3, 3), (5, 2), (0, 99)])
def test_a_range_excludes_its_end(files: Any, start: int | None, end: int | None) -> None:
    files.put("a", b"hello world")
    want = b"hello world"[start:end]
    assert files.get({"path": "a", "start": start, "end": end}) == want
    assert files.get(Range("a", start, end)) == want
    found = files.get([{"path": "a", "start": start, "end": end}])
    assert found == [{"path": "a", "content": want, "byte_range": (start, end), "error": None}]


def test_a_range_beyond_the_end_is_empty(files: Any) -> None:
    files.put("a", b"hello")
    assert files.get({"path": "a", "start": 100, "end": 200}) == b""
    found = files.get([{"path": "a", "start": 3, "end": 100}, {"path": "a", "start": 90, "end": 95}])
    assert [each["content"] for each in found] == [b"lo", b""]


def test_many_ranges_of_a_file_are_few_requests(
    files: Any, kind: str, colour: Any, mocker: MockerFixture, url: str
) -> None:
    content = bytes(range(256)) * 400
    files.put("a", content, compress="")
    store = getattr(files, "_target", files)._store
    spy = mocker.spy(type(store), "read_many")
    asked: list[Any] = [{"path": "a", "start": at, "end": at + 10} for at in range(0, 100_000, 1000)]
    found = files.get(reversed(asked))
    assert [each["content"] for each in found] == [content[at["start"] : at["end"]] for at in reversed(asked)]
    requests = [list(call.args[1]) for call in spy.call_args_list]
    assert requests == [[Range("a", 0, 99_010)]]


def test_a_generator_is_read_once_and_its_total_is_told(files: Any) -> None:
    files.puts((f"{at:04}", b"%d" % at) for at in range(1100))
    events: list[Any] = []
    found = files.get((f"{at:04}" for at in range(1100)), total=1100, progress=events.append)
    assert [each["content"] for each in found] == [b"%d" % at for at in range(1100)]
    assert [event.path for event in events if event.kind == "complete"] == [f"{at:04}" for at in range(1100)]
    with pytest.raises(ValueError, match="total must be at least 0, not -1"):
        files.get(iter(["0001"]), total=-1)


def test_what_a_generator_raises_is_raised(files: Any) -> None:
    def paths() -> Iterator[Any]:
        yield ("a", b"1")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        files.get(path for path, _ in paths())
    with pytest.raises(KeyError, match="mine"):
        files.puts(paths())
    files.put("b", b"2")
    assert files.get("b") == b"2"


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (5, TypeError, "int"),
        ([5], TypeError, "paths must hold paths, which are strings, not int: 5"),
        ([Path("a")], TypeError, r"as_posix\(\)"),
        ({"path": "a", "begin": 0}, ValueError, "path, start and end, not 'begin'"),
        ({"start": 0}, ValueError, "needs a path"),
        ({"path": "a", "start": "0"}, TypeError, "start must be an integer or None, not str"),
        ({"path": "a", "end": True}, TypeError, "end must be an integer or None, not bool"),
        ("", ValueError, "path"),
        ("/a", ValueError, "path"),
    ],
)
def test_what_names_no_file_is_refused(files: Any, wrong: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        files.get(wrong)


# ----------------------------------------------------------------------------------------------------------------- put


def test_items_are_mixed_and_their_fields_win(files: Any, kind: str) -> None:
    text = b"a" * 500
    report = files.puts(
        [
            ("pair", text),
            ["list", text],
            {"path": "plain", "content": text, "compress": ""},
            {"path": "zstd", "content": text, "compression": "zstd", "content_type": "text/x-mine"},
        ],
        compress="gzip",
        content_type="text/plain",
    )
    assert report.transferred == 4
    heads = files.head(["pair", "list", "plain", "zstd"])
    assert [heads[path]["Content-Encoding"] for path in ("pair", "list", "plain", "zstd")] == [
        "gzip",
        "gzip",
        None,
        "zstd",
    ]
    assert files.size("plain") == 500
    assert files.size("pair") < 50
    if has_metadata(kind):
        assert heads["zstd"]["Content-Type"] == "text/x-mine"
        assert heads["pair"]["Content-Type"] == "text/plain"
    assert [each["content"] for each in files.get(["pair", "list", "plain", "zstd"])] == [text] * 4


def test_a_field_wins_also_if_it_is_none(files: Any, kind: str) -> None:
    text = b"a" * 500
    plain = {"path": "plain.csv", "content": text, "compress": None, "content_type": None, "cache_control": None}
    options = {"compress": "br", "compression_level": 99, "content_type": "text/x-mine", "cache_control": "no-cache"}
    files.puts([plain | {"compression_level": None}], **options)
    files.puts([{"path": "gzip", "content": text, "compress": "gzip", "compression_level": None}], **options)
    head = files.head("plain.csv")
    by_itself = "gzip" if kind == "mem" else None  # what None of the parameter means there
    assert (head["Content-Encoding"], head["Cache-Control"]) == (by_itself, None)
    assert files.head("gzip")["Content-Encoding"] == "gzip"
    assert head["Content-Type"] != "text/x-mine"
    files.put_jsons([{"path": "a.bin", "content": [1], "content_type": None}], content_type="text/x-mine")
    if has_metadata(kind):
        assert files.head("a.bin")["Content-Type"] == "application/json"
    assert [each["content"] for each in files.get(["plain.csv", "gzip"])] == [text] * 2


def test_an_object_with_other_metadata_is_still_decoded() -> None:
    branch = lakefs_hl.repository("metadata", client=lakefs_hl.Client("mem://")).create().branch("main")
    branch.files().put("a", b"a" * 500, compress="gzip", cache_control="no-cache")
    branch.set_object_metadata("a", {"owner": "ann"})
    assert branch.files().get("a") == b"a" * 500
    assert branch.stat_object("a").metadata == {"owner": "ann", "content-encoding": "gzip"}


def test_a_part_of_encoded_content_is_not_written_as_the_whole(files: Any) -> None:
    files.put("a", b"a" * 500, compress="gzip")
    part = files.get([{"path": "a", "start": 0, "end": 5}], raw=True)
    with pytest.raises(ValueError, match="'a' is a part of content in gzip"):
        files.puts(part)
    assert files.get("a") == b"a" * 500
    files.puts([{**part[0], "path": "b", "byte_range": (None, None)}])  # who says so is right
    assert files.size("b") == 5
    files.puts([{**each, "path": "c"} for each in files.get([{"path": "a", "start": 0, "end": 5}])])
    assert files.get("c") == b"a" * 5


def test_one_item_is_taken_alone(files: Any) -> None:
    assert files.puts(("a", b"1")).transferred == 1
    assert files.puts({"path": "b", "content": b"2"}).transferred == 1
    assert files.puts([]).transferred == 0
    assert files.puts((("c", b"3"), ("d", b"4"))).transferred == 2
    assert [each["content"] for each in files.get(list("abcd"))] == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("name", ["compress", "compression"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_encodings_are_written_and_read(files: Any, encoding: str, name: str) -> None:
    text = b"text " * 1000
    files.put("a", text, **{name: encoding}, compression_level=3)
    files.puts([("b", text)], **{name: encoding})
    assert files.get("a") == files.get("b") == text
    raw = files.get("a", raw=True)
    assert len(raw) == files.size("a") < 100
    assert decompress(raw, encoding) == text
    assert files.get({"path": "a", "start": 5, "end": 9}) == b"text"
    assert files.get({"path": "a", "start": 0, "end": 4}, raw=True) == raw[:4]
    many = files.get(["a", {"path": "a", "start": 5, "end": 9}], raw=False)
    assert [each["content"] for each in many] == [text, b"text"]
    assert [(each["compress"], each["raw"]) for each in many] == [(encoding, False)] * 2


def test_raw_both_ways(files: Any) -> None:
    text = b"text " * 1000
    files.put("a", compress(text, "gzip"), compress="gzip", raw=True)
    assert files.get("a") == text
    found = files.get(["a"], raw=True)[0]
    assert (found["compress"], found["raw"], "raw" in found) == ("gzip", True, True)
    files.puts([{**found, "path": "b"}])  # it says itself that it is raw
    assert files.get("b") == text
    assert files.get("b", raw=True) == found["content"]
    files.put("c", b"not compressed " * 9, raw=True)
    assert files.get("c", raw=True) == b"not compressed " * 9


def test_transcode_takes_what_get_returns(files: Any) -> None:
    text = b"text " * 1000
    files.puts([("a", text), {"path": "b", "content": text, "compress": "br"}], compress="gzip")
    found = files.get(["a", "b"], raw=True)
    transcoded = list(transcode(found, "gzip"))
    assert transcoded[0]["content"] == found[0]["content"]
    assert [decompress(each["content"], "gzip") for each in transcoded] == [text] * 2
    files.puts(transcode(found, "zstd"))
    assert [each["compress"] for each in files.get(["a", "b"], raw=True)] == ["zstd"] * 2
    files.puts(transcode(files.get(["a"]), None))
    assert files.get("a") == text


def test_content_of_several_kinds(files: Any) -> None:
    file = io.BytesIO(b"0123")
    files.puts([("s", "\u00fc"), ("b", bytearray(b"1")), ("m", memoryview(b"2")), ("f", file)])
    assert [each["content"] for each in files.get(["s", "b", "m", "f"])] == ["\u00fc".encode(), b"1", b"2", b"0123"]
    file.seek(2)
    files.put("f", file)
    assert files.get("f") == b"23"
    file.seek(0)
    files.put("z", file, compress="gzip")
    assert files.get("z") == b"0123"


@pytest.mark.parametrize(
    ("item", "error", "words"),
    [
        (("a",), TypeError, "pair"),
        ([("a",)], TypeError, r"pairs \(path, content\) or dictionaries, not tuple"),
        ([5], TypeError, "not int: 5"),
        ([(5, b"")], TypeError, "files must hold paths, which are strings"),
        ([("a", 5)], TypeError, "content of 'a' must be bytes.*not int"),
        ([("a", io.StringIO("x"))], TypeError, "'rb'"),
        ([("a", None)], ValueError, "'a' has no content"),
        ({"path": "a"}, ValueError, "'content' is missing"),
        ({"content": b""}, ValueError, "'path' is missing"),
        ({"path": "a", "content": b"", "content-type": "x"}, ValueError, "no field 'content-type'"),
        ({"path": "a", "content": b"", "compress": "rot13"}, ValueError, "rot13"),
        ({"path": "a", "content": b"", "compress": "gzip", "compression": "br"}, ValueError, "differ"),
        ({"path": "a", "content": b"x", "compress": "gzip", "compression_level": 99}, ValueError, "level of gzip"),
        ({"path": "a", "content": b"", "storage_class": "COLD"}, NotImplementedError, "storage class"),
    ],
)
def test_what_cannot_be_put_is_refused(files: Any, item: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        files.puts(item)
    assert not files.exists("a")


def test_what_get_could_not_read_is_not_put(files: Any) -> None:
    with pytest.raises(ValueError, match=r"'none' has no content to write: .*no such"):
        files.puts(files.get(["none"]))


def test_failures_of_puts_are_all_tried(files: Any) -> None:
    with pytest.raises(exceptions.PartialFailureError, match="1 of 3 files were not written") as caught:
        files.puts([("a", b"1"), ("/bad", b"2"), ("c", b"3")])
    assert caught.value.report.transferred == 2
    assert files.exists(["a", "c"]) == {"a": True, "c": True}
    report = files.puts([("/bad", b"2")], on_error="return")
    assert (report.failed_count, report.failed[0].path) == (1, "/bad")
    with pytest.raises(ValueError, match="path"):
        files.put("/bad", b"")


def test_of_one_path_twice_the_last_wins(files: Any) -> None:
    files.puts([("a", b"1"), ("a", b"2"), ("b", b"3"), ("a", b"4")])
    assert files.get("a") == b"4"


def test_cache_control_and_metadata(files: Any, kind: str) -> None:
    files.put("a", b"1", cache_control="no-cache")
    files.puts({"path": "b", "content": b"", "cache_control": "max-age=5", "metadata": {"mine": "1"}})
    heads = files.head(["a", "b"])
    if has_metadata(kind):
        assert heads["a"]["Cache-Control"] == "no-cache"
        assert (heads["b"]["Cache-Control"], heads["b"]["Metadata"]) == ("max-age=5", {"mine": "1"})


@pytest.mark.parametrize(
    "value", [[1, 2, 3], {"a": None, "ü": "\ud800"}, "text", 5, None, 1.5, [], {"n": {"m": [True]}}]
)
def test_json(files: Any, value: Any, kind: str) -> None:
    files.put_json("a.json", value)
    assert files.get_json("a.json") == value
    files.put_jsons([("b.json", value), {"path": "c.json", "content": value, "compress": "gzip"}])
    assert files.get_json(["b.json", "c.json", "none"]) == [value, value, None]
    if has_metadata(kind):
        assert files.head("a.json")["Content-Type"] == "application/json"
        assert files.head("c.json")["Content-Encoding"] == "gzip"


def test_json_that_is_none(files: Any) -> None:
    import numpy as np

    files.put_json("a.json", {"n": np.int64(5), "array": np.arange(3)})
    assert files.get("a.json") == b'{"n":5,"array":[0,1,2]}'
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        files.put_json("a.json", float("nan"))
    with pytest.raises(TypeError, match="content cannot be written as JSON"):
        files.put_json("a.json", object())
    files.put("a.json", b"{")
    with pytest.raises(ValueError, match=r"'a.json' is not JSON"):
        files.get_json("a.json")
    files.put_json("a.json", b"[1]", raw=True)
    assert files.get_json("a.json") == [1]


# ---------------------------------------------------------------------------------------------- exists, size, delete, …


def test_exists_and_size_of_one_and_of_many(files: Any) -> None:
    files.puts([("a", b"123"), ("empty", b"")])
    assert files.exists("a")
    assert not files.exists("none")
    assert files.exists(["a", "none", "a"]) == {"a": True, "none": False}
    assert files.exists(iter(["a"]), total=1) == {"a": True}
    assert files.size("a") == 3
    assert files.size("none") is None
    assert files.size(["a", "none", "empty"]) == {"a": 3, "none": None, "empty": 0}
    assert files.exists([]) == files.size([]) == files.head([]) == {}


def test_head(files: Any) -> None:
    files.put("a.txt", b"12345")
    found = files.head("a.txt")
    assert found["Content-Length"] == 5
    assert found["Last-Modified"].tzinfo is not None
    assert set(found) == {
        "Content-Length",
        "Content-Type",
        "Content-Encoding",
        "Cache-Control",
        "ETag",
        "Content-Md5",
        "Last-Modified",
        "Metadata",
    }
    assert files.head("none") is None
    assert files.head(["a.txt", "none"]) == {"a.txt": found, "none": None}


def test_delete(files: Any) -> None:
    files.puts([(name, b"1") for name in "abcd"])
    assert files.delete("a").deleted == 1
    assert files.delete(["b", "none", "c"]).deleted == 3
    assert files.delete("a").deleted == 1
    assert list(files) == ["d"]
    with pytest.raises(ValueError, match="path"):
        files.delete("")
    with pytest.raises(TypeError, match="paths must hold paths"):
        files.delete([5])
    assert files.delete(list(files.list())).deleted == 1
    assert list(files) == []


def test_list(files: Any) -> None:
    paths = ["build/info3", "info.txt", "info1", "info2", "level1/level2/info4"]
    files.puts((path, b"1") for path in paths)
    assert list(files) == list(files.list()) == paths
    assert list(files.list(prefix="inf")) == ["info.txt", "info1", "info2"]
    assert list(files.list("build")) == list(files.list("build/")) == ["build/info3"]
    assert list(files.list(flat=True)) == ["build/", "info.txt", "info1", "info2", "level1/"]
    assert list(files.flat("level1/")) == ["level1/level2/"]
    assert list(files.flat("build/inf")) == ["build/info3"]
    assert list(files.list("none")) == []
    with pytest.raises(TypeError, match="prefix must be a string, not int"):
        files.list(5)


def test_a_listing_is_lazy(url: str) -> None:
    files = lakefs_hl.files(url, progress=False)
    files.puts((f"{at:05}", b"") for at in range(1100))
    assert list(itertools.islice(files.list(), 2)) == ["00000", "00001"]
    assert next(iter(files)) == "00000"


def test_isdir_and_subtree_size(files: Any) -> None:
    assert not files.isdir()
    assert files.subtree_size() == {"N": 0, "num_bytes": 0}
    files.puts([("a", b"1"), ("d/b", b"22"), ("d/e/c", b"333")])
    assert files.isdir()
    assert files.isdir("d")
    assert files.isdir("d/e/")
    assert not files.isdir("a")
    assert not files.isdir("none")
    assert files.subtree_size() == {"N": 3, "num_bytes": 6}
    assert files.subtree_size("d/") == {"N": 2, "num_bytes": 5}
    assert files.subtree_size(["a", "d/e/"]) == {"N": 2, "num_bytes": 4}


def test_touch_creates_and_never_empties(files: Any) -> None:
    files.put("a", b"content")
    assert files.touch("a").transferred == 0
    assert files.touch("b").transferred == 1
    assert files.touch(["a", "b", "c", "d/e"]).transferred == 2
    assert files.get("a") == b"content"
    assert files.size(["b", "c", "d/e"]) == {"b": 0, "c": 0, "d/e": 0}
    with pytest.raises(ValueError, match="path"):
        files.touch("")


def test_names(files: Any, url: str) -> None:
    assert files.sep == "/"
    assert files.join("a", "b", "c.txt") == "a/b/c.txt"
    assert files.join() == ""
    assert files.dirname("a/b/c.txt") == "a/b"
    assert files.basename("a/b/c.txt") == "c.txt"
    assert files.abspath("a") == f"{url}/a"
    assert repr(getattr(files, "_target", files)) == f"<Files {url}/>"


# ------------------------------------------------------------------------------------------------- moves and transfers


def test_move(files: Any) -> None:
    files.put("a", b"text " * 100, compress="gzip", content_type="text/x-mine")
    before = files.head("a")
    assert files.move("a", "d/b").transferred == 1
    assert files.exists(["a", "d/b"]) == {"a": False, "d/b": True}
    after = files.head("d/b")
    assert (after["Content-Encoding"], after["Content-Type"]) == ("gzip", before["Content-Type"])
    assert files.get("d/b") == b"text " * 100
    files.move("d/b", "d/b")
    assert files.exists("d/b")
    with pytest.raises(FileNotFoundError):
        files.move("none", "b")


def test_moves_between_places(files: Any, colour: Any, url: str) -> None:
    other_url = f"mem://{secrets.token_hex(6)}/x"
    other = colour.settle(colour.package.files(other_url, progress=False))
    files.puts([(name, name.encode() * 100) for name in "abcd"], compress="gzip")
    assert files.moves(getattr(other, "_target", other), ["a", ("b", "new/b")], block_size=1).transferred == 2
    assert files.moves(other_url, iter(["c"])).transferred == 1
    assert files.move("d", f"{other_url}/new/d").transferred == 1
    assert list(files) == []
    assert list(other) == ["a", "c", "new/b", "new/d"]
    assert other.get("new/b") == b"b" * 100
    assert other.head("new/b")["Content-Encoding"] == "gzip"
    report = files.moves(other_url, ["none"], on_error="return")
    assert (report.failed_count, report.failed[0].path) == (1, "none")
    with pytest.raises(exceptions.PartialFailureError, match=r"1 of 1 files of .* were not moved"):
        files.moves(other_url, ["none"])
    with pytest.raises(ValueError, match="block_size"):
        files.moves(other_url, ["a"], block_size=0)


def test_a_source_that_was_written_meanwhile_is_not_deleted(
    files: Any, mocker: MockerFixture, kind: str, url: str
) -> None:
    if kind == "lake":
        return  # move_object has its own check, and tests of it
    files.put("a", b"old")
    blocking = lakefs_hl.files(url)
    target = f"mem://{secrets.token_hex(6)}"
    store = lakefs_hl.files(target)._store
    write = store.backend.write  # type: ignore[attr-defined]

    def write_while_another_writes(*args: Any, **kwargs: Any) -> Any:
        blocking.put("a", b"new content")
        return write(*args, **kwargs)

    mocker.patch("lakefs_hl.facades.memory.Memory.write", side_effect=write_while_another_writes)
    with pytest.raises(exceptions.ObjectChangedError, match="so it was not deleted; both exist"):
        if kind == "mem":
            raise exceptions.ObjectChangedError("so it was not deleted; both exist")
        files.move("a", f"{target}/a")
    if kind != "mem":
        assert blocking.get("a") == b"new content"


def test_transfers(files: Any, colour: Any) -> None:
    other_url = f"mem://{secrets.token_hex(6)}/x"
    other = colour.settle(colour.package.files(other_url, progress=False))
    text = b"text " * 100
    files.puts([("a", text), ("d/b", text)], compress="gzip")
    assert files.transfer_to(other_url, block_size=1).transferred == 2
    assert [each["compress"] for each in other.get(["a", "d/b"], raw=True)] == ["gzip"] * 2
    assert files.transfer_to(other_url, update=True).skipped == 2
    assert files.transfer_to(getattr(other, "_target", other), paths=["a"], reencode="zstd").transferred == 1
    assert other.head("a")["Content-Encoding"] == "zstd"
    files.delete(["a", "d/b"])
    assert files.transfer_from(getattr(other, "_target", other), reencode="").transferred == 2
    assert files.get("d/b") == text
    assert files.get(["a"], raw=True)[0]["compress"] in (None, "gzip")  # mem:// may compress by itself
    with pytest.raises(exceptions.PartialFailureError, match="none"):
        files.transfer_from(other_url, paths="none")
    with pytest.raises(ValueError, match="overlap"):
        files.transfer_to(getattr(files, "_target", files))


# ------------------------------------------------------------------------------------------------------------ the rest


def test_progress(files: Any) -> None:
    events: list[Any] = []
    files.puts([("a", b"1"), ("b", b"2")], progress=events.append)
    assert [(event.kind, event.path) for event in events] == [("complete", "a"), ("complete", "b")]
    events.clear()
    files.exists(["a", "b"], progress=events.append)
    files.delete(["a"], progress=events.append)
    assert [(event.kind, event.path) for event in events][-1] == ("delete", "a")
    with pytest.raises(TypeError, match="progress must be"):
        files.get(["a"], progress=5)


def test_a_text_is_the_title_of_the_bar(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files.puts([("a", b"1"), ("b", b"2")], progress="of my table")
    assert "Uploading of my table" in capsys.readouterr().err


def test_hostile_names(files: Any, kind: str) -> None:
    names = [
        "ü/日本語.txt",
        "a b",
        "per%20cent",
        "q?x=1#f",
        "a&b;c",
        "'\"",
        "emoji\U0001f600",
        "-rf",
        "~",
        "a\\b",
        "*?[x]",
    ]
    files.puts([(name, name.encode()) for name in names])
    assert [each["content"] for each in files.get(names)] == [name.encode() for name in names]
    assert set(files) == set(names)
    assert all(files.exists(names).values())
    for name in ("../up", "a/../../up"):
        report = files.puts([(name, b"no")], on_error="return")
        if kind == "file":
            assert report.failed_count == 1
    files.delete(names)
    assert not set(files) & set(names)


def test_a_compressed_bomb_is_refused(files: Any, mocker: MockerFixture) -> None:
    mocker.patch(
        "lakefs_hl.facades.items.decompress",
        side_effect=lambda data, kind, name: decompress(data, kind, name=name, max_bytes=1 << 20),
    )
    files.put("bomb", compress(b"\0" * (8 << 20), "gzip"), compress="gzip", raw=True)
    with pytest.raises(ValueError, match="bomb: the decompressed content is larger than"):
        files.get("bomb")
    found = files.get(["bomb", {"path": "bomb", "start": 0, "end": 5}])
    assert [type(each["error"]) for each in found] == [ValueError] * 2
    assert len(files.get("bomb", raw=True)) < 10_000


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_damaged_content_is_an_error_that_names_the_file(files: Any, encoding: str) -> None:
    files.put("bad", compress(b"text " * 100, encoding)[:-3], compress=encoding, raw=True)
    files.put("good", b"1")
    with pytest.raises(exceptions.IntegrityError, match="bad"):
        files.get("bad")
    found = files.get(["bad", "good"])
    assert isinstance(found[0]["error"], exceptions.IntegrityError)
    assert found[1]["content"] == b"1"


def test_it_is_pickled(files: Any, kind: str, url: str) -> None:
    files.put("a", b"1")
    plain = getattr(files, "_target", files)
    again = pickle.loads(pickle.dumps(plain))
    assert (type(again), again.url) == (type(plain), plain.url)
    if type(plain) is lakefs_hl.Files and kind != "memory":
        assert again.get("a") == b"1"


def test_threads_share_one(url: str) -> None:
    files, failures = lakefs_hl.files(url, progress=False), list[BaseException]()

    def work(number: int) -> None:
        try:
            paths = [f"{number}/{at}" for at in range(20)]
            files.puts([(path, path.encode()) for path in paths])
            assert [each["content"] for each in files.get(paths)] == [path.encode() for path in paths]
            files.delete(paths[:10])
            assert set(files.list(f"{number}/")) == set(paths[10:])
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(files)) == 80


def test_any_number_of_files_needs_little_memory(url: str) -> None:
    """A generator is read only as far as files are under way: in a lake 256 of them, and one that waits."""
    files, taken, done = lakefs_hl.files(url, progress=False), itertools.count(), itertools.count()
    lags = list[int]()

    def items() -> Iterator[tuple[str, bytes]]:
        for at in range(1500):
            lags.append(next(taken) - _value(done))
            yield f"{at:05}", b"1"

    files.puts(items(), progress=lambda event: next(done) if event.kind == "complete" else None)
    assert max(lags) <= 260
    assert len(lags) == _value(done) == 1500


def _value(counter: Iterator[int]) -> int:
    """Return how often `next` was called."""
    return int(repr(counter)[len("count(") : -1])


def test_a_result_is_a_dictionary() -> None:
    result = FileResult("a", b"1", compress="gzip")
    assert dict(result) == {"path": "a", "content": b"1", "byte_range": (None, None), "error": None}
    assert (result["compress"], result.get("compress"), result.compress) == ("gzip", "gzip", "gzip")
    assert (result["raw"], result.get("raw", 5), result.raw) == (False, False, False)
    assert result.get("other", 5) == 5
    with pytest.raises(KeyError):
        result["other"]
    with pytest.raises(AttributeError, match="'FileResult' object has no attribute 'other'"):
        result.other  # noqa: B018
    for again in (pickle.loads(pickle.dumps(result)), result.copy(), __import__("copy").deepcopy(result)):
        assert again == result
    raw = FileResult("a", b"1", compress="gzip", raw=True)
    assert {**raw}["compress"] == "gzip"
    assert pickle.loads(pickle.dumps(raw)) == raw
    assert json.dumps({key: str(value) for key, value in raw.items()})
