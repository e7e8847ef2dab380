"""Items of bulk calls, as objects to write and to read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._bulk.caller import Here
from lakefs_hl._bulk.items import Held, body_of, get_of, put_of
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.wire import FileSlice

AT = lakefs_hl.Branch("example", "main")


def put(item: Any, *, one_branch: bool = False) -> Any:
    return put_of(item, AT, Here(), one_branch=one_branch)


def test_a_pair_and_a_dictionary_are_the_same() -> None:
    for item in (("a", b"1"), ["a", b"1"], {"path": "a", "data": b"1"}, {"key": "a", "content": b"1"}):
        found = put(item)
        assert (found.repository, found.branch, found.path, found.body) == ("example", "main", "a", b"1")
        assert (found.content_type, dict(found.metadata)) == (None, {})


def test_a_dictionary_has_type_metadata_tags_and_repository() -> None:
    item = {
        "key": "a",
        "data": "text",
        "content_type": "text/x",
        "metadata": {"k": "v"},
        "tags": {"b": "é", "a": "1"},
        "bucket": "other",
    }
    found = put(item)
    assert (found.repository, found.branch, found.content_type) == ("other", "main", "text/x")
    assert found.metadata == {"k": "v", "lakefs-hl-tags": '{"a":"1","b":"\\u00e9"}'}
    assert found.body == b"text"
    with pytest.raises(ValueError, match="'other', and a commit or a transaction is of one repository"):
        put(item, one_branch=True)
    assert put({**item, "bucket": "example"}, one_branch=True).repository == "example"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"data": b""}, "a dictionary has 'path' (or 'key')"),
        ({"path": "a"}, "a dictionary has 'data' (or 'content')"),
        ({"path": "a", "data": b"", "size": 1}, "and one has 'size'"),
        ({"path": "a", "key": "a", "data": b""}, "'path' under one name"),
        (("", b""), "items must not be empty"),
        (("lakefs://other/main/a", b""), "in another repository"),
    ],
)
def test_a_wrong_item_is_refused(item: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        put(item)
    assert words in str(caught.value)


def test_what_cannot_be_read_fails_when_its_turn_has_come() -> None:
    for data in (object(), 5, None, io.StringIO("a\ud800")):
        body: Any = body_of(data, Here())
        with pytest.raises((TypeError, ValueError)):
            body.open()
        body.close()


def test_a_path_is_opened_when_its_turn_has_come(tmp_path: Path) -> None:
    body: Any = body_of(tmp_path / "later", Here())
    (tmp_path / "later").write_bytes(b"content")
    found = body.open()
    assert isinstance(found, FileSlice)
    assert os.pread(found.fd, 100, 0) == b"content"
    body.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(found.fd)
    missing: Any = body_of(tmp_path / "missing", Here())
    with pytest.raises(FileNotFoundError, match="missing"):
        missing.open()
    missing.close()


def test_a_file_that_is_closed_by_its_owner_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"skipped content")

    def items() -> Iterator[tuple[str, Any]]:
        with (tmp_path / "a").open("rb") as file:
            file.read(8)
            yield "a", file

    (found,) = [put(item) for item in items()]
    part = found.body.open()
    assert (os.pread(part.fd, part.length, part.offset), part.offset) == (b"content", 8)
    part.check()
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(IntegrityError, match=r"the file '.*a' changed while it was uploaded"):
        part.check()
    found.body.close()
    found.body.close()


def test_a_copy_of_a_descriptor_is_closed_with_its_last_reference(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with (tmp_path / "a").open("rb") as file:
        held = Held(FileSlice(file.fileno(), 0, 1), "a")
    fd = held.open().fd
    os.fstat(fd)
    del held
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_stream_larger_than_memory_goes_through_a_file() -> None:
    body: Any = body_of((b"x" * (1 << 20) for _ in range(9)), Here())
    found = body.open()
    assert isinstance(found, FileSlice)
    assert found.length == 9 << 20
    body.close()


def test_a_path_and_a_dictionary_name_an_object_or_a_range() -> None:
    for item in ("a", {"path": "a"}, {"key": "a"}, lakefs_hl.ObjectInfo("example", "main", "a")):
        found = get_of(item, AT)
        assert (found.repository, found.ref, found.path, found.start, found.end) == ("example", "main", "a", None, None)
    found = get_of({"key": "a", "start": 1, "end": 3, "bucket": "other"}, AT)
    assert (found.repository, found.start, found.end) == ("other", 1, 3)
    with pytest.raises(TypeError, match="paths must hold paths or dictionaries, not int"):
        get_of(5, AT)
