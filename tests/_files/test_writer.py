"""A writer publishes once, at the caller's `close()`, and nothing otherwise."""

from __future__ import annotations

import array
import gc
import io
import random
import tempfile
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._files import spool
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


ENCODINGS = [
    ("utf-8", None, None),
    ("utf-8", None, "\r\n"),
    ("utf-16", None, ""),
    ("utf-8-sig", None, "\n"),
    ("latin-1", "replace", None),
    ("ascii", "xmlcharrefreplace", "\r"),
    ("utf-7", None, None),
]


@pytest.mark.parametrize(("encoding", "errors", "newline"), ENCODINGS)
def test_text_is_what_the_standard_wrapper_makes_of_it(
    lake_branch: lakefs_hl.Branch,
    encoding: str,
    errors: str | None,
    newline: str | None,
    rng: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "SPOOL", 2_000)
    for _ in range(25):
        file = TextWriter(ObjectWriter(lake_branch, "a"), encoding, errors, newline)
        raw = tempfile.SpooledTemporaryFile(2_000)  # noqa: SIM115
        model = io.TextIOWrapper(raw, encoding, errors, newline)
        for _ in range(rng.randrange(1, 40)):
            match rng.randrange(9):
                case 0:
                    assert file.tell() == model.tell()
                case 1:
                    at = rng.choice([0, rng.randrange(100)])
                    assert file.seek(at) == model.seek(at)
                case 2:
                    assert file.seek(0, io.SEEK_END) == model.seek(0, io.SEEK_END)
                case 3:
                    size = rng.randrange(3_000)
                    assert file.truncate(size) == model.truncate(size)
                case 4:
                    data = rng.randbytes(rng.randrange(10))
                    model.flush()
                    assert file.write(data) == raw.write(data)
                case 5:
                    lines = ["a\n", "ü\n"] * rng.randrange(200)
                    file.writelines(lines)
                    model.writelines(lines)
                case 6:
                    file.reconfigure(line_buffering=True)
                    model.reconfigure(line_buffering=True)
                case _:
                    text = "".join(rng.choices("abc\n\r€ü𝄞", k=rng.randrange(500)))
                    assert file.write(text) == model.write(text)
        assert (file.encoding, file.errors, file.line_buffering) == (model.encoding, model.errors, model.line_buffering)
        file.close()
        model.flush()
        raw.seek(0)
        assert lake_branch.download("a") == raw.read()
        model.close()


def test_text_that_cannot_be_encoded_is_an_error_of_its_write(lake_branch: lakefs_hl.Branch) -> None:
    with TextWriter(ObjectWriter(lake_branch, "a"), "ascii", None, None) as file:
        file.write("a")
        with pytest.raises(UnicodeEncodeError):
            file.write("ü")
        with pytest.raises(TypeError, match="int"):
            file.write(1)  # type: ignore[arg-type]
        file.reconfigure(encoding="utf-8")
        file.write("ü")
    assert lake_branch.download("a") == "aü".encode()


@pytest.mark.parametrize("call", ["write", "flush", "tell", "close"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_text_that_was_lost_on_its_way_publishes_nothing(
    lake_branch: lakefs_hl.Branch, call: str, error: BaseException
) -> None:
    file = TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, None)
    file.write("begin")

    def fail(data: Any) -> int:
        raise error

    file._writer._spool.put = fail
    with pytest.raises(type(error)):
        getattr(file, call)(*(["x" * 100_000] if call == "write" else []))
    assert file.closed
    file.close()
    assert not lake_branch.exists("a")


def test_bytes_that_were_not_written_publish_nothing(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "SPOOL", 10)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    for opened in (ObjectWriter(lake_branch, "a"), TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, None)):
        file: Any = opened
        with pytest.raises(OSError, match="No space left"):
            file.write(b"x" * 11)
        assert file.closed
    assert not lake_branch.exists("a")


@pytest.mark.parametrize("text", [True, False], ids=["text", "bytes"])
def test_a_closed_file_takes_nothing_more(lake_branch: lakefs_hl.Branch, text: bool) -> None:
    for end in ("close", "discard"):
        file: Any = ObjectWriter(lake_branch, "a")
        if text:
            file = TextWriter(file, "utf-8", None, None)
        getattr(file, end)()
        for call, arguments in (("write", (b"x",)), ("seek", (0,)), ("tell", ()), ("truncate", (0,))):
            with pytest.raises(ValueError, match="closed file"):
                getattr(file, call)(*arguments)
        if text:
            with pytest.raises(ValueError, match="closed file"):
                file.write("x")


def test_a_text_file_that_was_detached_takes_nothing_more(lake_branch: lakefs_hl.Branch) -> None:
    file = TextWriter(ObjectWriter(lake_branch, "a"), "utf-8", None, None)
    file.write("text")
    binary = file.detach()
    for call in (lambda: file.write("x"), file.flush, file.close, file.tell):
        with pytest.raises(ValueError, match="detached"):
            call()
    binary.discard()


@pytest.mark.parametrize("data", [memoryview(b"abcdef")[::2], 7, None], ids=["strided", "int", "None"])
def test_what_has_no_bytes_in_a_row_is_refused(lake_branch: lakefs_hl.Branch, data: Any) -> None:
    with ObjectWriter(lake_branch, "a") as file:
        file.write(array.array("H", [1]))
        with pytest.raises(TypeError):
            file.write(data)
    assert lake_branch.download("a") == array.array("H", [1]).tobytes()
