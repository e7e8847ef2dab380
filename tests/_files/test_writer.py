"""A writer publishes once, at the caller's `close()`, and nothing otherwise."""

from __future__ import annotations

import gc
import io

import pytest

import lakefs_hl
from lakefs_hl._files.writer import ObjectWriter, TextWriter


def test_nothing_is_published_before_close(lake_branch: lakefs_hl.Branch) -> None:
    file = ObjectWriter(lake_branch, "a", content_type="text/x", metadata={"k": "v"})
    assert file.write(b"0123456789") == 10
    assert not lake_branch.exists("a")
    file.close()
    info = lake_branch.stat_object("a")
    assert (info.size_bytes, info.content_type, info.metadata) == (10, "text/x", {"k": "v"})


def test_what_was_written_can_be_changed_before_close(lake_branch: lakefs_hl.Branch) -> None:
    with ObjectWriter(lake_branch, "a") as file:
        file.write(b"0123456789")
        assert (file.seek(4), file.tell(), file.writable(), file.seekable()) == (4, 4, True, True)
        assert file.truncate() == 4
        file.write(b"!")
        assert file.truncate(5) == 5
        file.seek(0, io.SEEK_END)
    assert lake_branch.download("a") == b"0123!"


def test_discard_publishes_nothing(lake_branch: lakefs_hl.Branch) -> None:
    file = ObjectWriter(lake_branch, "a")
    file.write(b"content")
    file.discard()
    assert file.closed
    file.close()
    assert not lake_branch.exists("a")
    for call in (file.tell, file.truncate, lambda: file.write(b""), lambda: file.seek(0), file.__enter__):
        with pytest.raises(ValueError, match="closed file lakefs://example/main/a"):
            call()


def test_an_exception_in_the_block_publishes_nothing(lake_branch: lakefs_hl.Branch) -> None:
    with pytest.raises(RuntimeError, match="stop"), ObjectWriter(lake_branch, "a") as file:
        file.write(b"content")
        raise RuntimeError("stop")
    assert not lake_branch.exists("a")


def test_text_is_refused_by_a_binary_file(lake_branch: lakefs_hl.Branch) -> None:
    with ObjectWriter(lake_branch, "a") as file:
        with pytest.raises(TypeError, match="open for bytes, not str"):
            file.write("text")  # type: ignore[arg-type]


def test_a_file_that_was_never_closed_warns_where_it_was_opened(lake_branch: lakefs_hl.Branch) -> None:
    file = ObjectWriter(lake_branch, "a")
    file.write(b"content")
    with pytest.warns(UserWarning, match=r"lakefs://example/main/a was opened for writing and never closed") as caught:
        del file
    assert caught[0].filename == __file__
    assert not lake_branch.exists("a")


def test_a_text_file_takes_text_and_bytes(lake_branch: lakefs_hl.Branch) -> None:
    with TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, "\n") as file:
        assert file.write("ü\n") == 2
        assert file.write(b"\xff") == 1
    assert lake_branch.download("a") == "ü\n".encode() + b"\xff"


def test_a_detached_binary_file_belongs_to_the_caller(lake_branch: lakefs_hl.Branch) -> None:
    text = TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, None)
    text.write("text")
    binary = text.detach()
    del text
    gc.collect()
    assert not binary.closed
    binary.close()
    assert lake_branch.download("a") == b"text"


def test_a_text_file_is_discarded_by_an_exception(lake_branch: lakefs_hl.Branch) -> None:
    file = TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, None)
    with pytest.raises(RuntimeError, match="stop"), file:
        file.write("text")
        raise RuntimeError("stop")
    assert file.closed
    assert not lake_branch.exists("a")
