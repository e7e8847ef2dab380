"""Files: reading B1.1–B1.17, writing B2.18–B2.28; what a file costs in requests; what a failed block leaves."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import ctypes
import gc
import gzip
import io
import json
import os
import pickle
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._files import reader, writer
from lakefs_hl._files.bodies import SPOOL
from lakefs_hl._files.reader import WINDOW
from lakefs_hl.aio.default import of
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from tests.faces import droppers
from tests.faces.conftest import Tap

NASTY = "aß€𝄞\n\r\nz\r"


def stored(branch: lakefs_hl.Branch, content: bytes, path: str = "a") -> lakefs_hl.Branch:
    branch.upload(content, path)
    return branch


def raw(file: Any) -> reader.RawReader:
    """The raw file at the bottom."""
    found = file.buffer.raw if isinstance(file, io.TextIOWrapper) else file.raw
    assert isinstance(found, reader.RawReader)
    return found


# ------------------------------------------------------------------------------------------------------------- reading


def test_b1_1_an_empty_object_is_an_empty_file(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"")
    with branch.open("a", "rb") as file:
        assert (file.read(), file.read(1), file.readline(), list(file)) == (b"", b"", b"", [])
        assert file.seek(0, io.SEEK_END) == 0
        assert file.seek(7) == 7
        assert file.read(1) == b""
    with branch.open("a") as text:
        assert (text.read(), text.readline(), list(text)) == ("", "", [])


@pytest.mark.parametrize("step", [1, 3, 10])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 6, 9, 10, 11, 20])
def test_b1_2_reading_in_steps_ends_with_nothing_and_without_a_request_past_the_end(
    tapped: lakefs_hl.Branch, tap: Tap, size: int, step: int
) -> None:
    content = bytes(range(size))
    stored(tapped, content)
    tap.requests.clear()
    with tapped.open("a", "rb", buffering=0) as file:
        pieces = list(iter(lambda: file.read(step), b""))
        assert file.read(step) == b""
    assert b"".join(pieces) == content
    assert tap.operations() == (["getObject"] if size else ["getObject", "statObject"])


def test_a_raw_reader_counts_in_whole_numbers(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload(bytes(200), "a")
    with lake_branch.open("a", "rb", buffering=0) as file:
        assert type(file.seek(np.int8(100))) is int  # type: ignore[arg-type]
        assert len(file.read(100)) == 100  # 200 is more than an int8 holds
        assert file.tell() == 200
        with pytest.raises(TypeError, match="offset must be an integer"):
            file.seek(1.0)  # type: ignore[arg-type]


def test_b1_3_minus_one_is_all_and_zero_is_nothing(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"abc")
    for options in ({}, {"buffering": 0}):
        with branch.open("a", "rb", **options) as file:  # type: ignore[call-overload]
            assert file.read(0) == b""
            assert file.read(-1) == b"abc"
            assert file.read(-1) == b""
    with branch.open("a", "rb") as file, branch.open("a") as text:
        assert file.read(None) == b"abc"
        assert (text.read(0), text.read(-1)) == ("", "abc")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "utf-32-be", "shift_jis"])
@pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
def test_b1_4_text_is_read_like_a_local_file(
    lake_branch: lakefs_hl.Branch, tmp_path: Path, newline: str | None, encoding: str
) -> None:
    text = "\ufeffa\r\nb\nc\rdé\r\n" if encoding != "shift_jis" else "aテ\r\nスb\n\rト"
    local = tmp_path / "a"
    local.write_bytes(text.encode(encoding))
    lake_branch.upload(local, "a")
    for read in (
        lambda file: file.read(),
        list,
        lambda file: [file.read(1) for _ in range(20)],
        lambda file: (file.readline(), file.tell() > 0, file.readlines()),
    ):
        with local.open(encoding=encoding, newline=newline) as ours:
            expected = read(ours)
        with lake_branch.open("a", encoding=encoding, newline=newline) as theirs:
            assert read(theirs) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_b1_4_a_character_may_lie_across_any_border_of_a_chunk(
    tapped: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    text = NASTY * 9
    stored(tapped, text.encode(encoding))
    for window in range(1, 24):
        monkeypatch.setattr(reader, "WINDOW", window)
        monkeypatch.setattr(reader, "LARGEST_WINDOW", window)
        with tapped.open("a", encoding=encoding, newline="") as file:
            assert file.read() == text
        with tapped.open("a", encoding=encoding, newline="") as file:
            file._CHUNK_SIZE = window  # type: ignore[attr-defined]
            assert "".join(iter(lambda: file.read(1), "")) == text


def test_b1_4_errors_are_told_or_handled(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"a\xffb")
    with branch.open("a") as file, pytest.raises(UnicodeDecodeError):
        file.read()
    with branch.open("a", errors="replace") as file:
        assert file.read() == "a\ufffdb"
    with branch.open("a", encoding="latin-1") as file:
        assert file.read() == "aÿb"


def test_b1_5_a_line_does_not_load_the_object(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    stored(tapped, b"first\n" + bytes(3 * WINDOW))
    tap.requests.clear()
    with tapped.open("a", "rb") as file:
        assert file.readline() == b"first\n"
    with tapped.open("a", encoding="latin-1") as text:
        assert text.readline() == "first\n"
    assert [request.headers["range"] for request in tap.requests] == [f"bytes=0-{WINDOW - 1}"] * 2


def test_b1_6_a_file_is_what_the_standard_library_takes_it_for(branch: lakefs_hl.Branch) -> None:
    with branch.open("t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b,c"], ["1", 'x"\ny']])
    with branch.open("t.csv", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b,c"], ["1", 'x"\ny']]
        assert isinstance(file, io.TextIOWrapper)
    with branch.open("j.json", "w") as file:
        json.dump({"a": [1, "ü"]}, file, ensure_ascii=False)
    with branch.open("j.json") as file:
        assert json.load(file) == {"a": [1, "ü"]}
    with branch.open("p", "wb") as binary:
        pickle.dump({"x": 1}, binary)
    with branch.open("p", "rb") as found:
        assert pickle.load(found) == {"x": 1}
        assert isinstance(found, io.BufferedReader)
        assert isinstance(found.raw, io.RawIOBase)
    with branch.open("z.zip", "wb") as binary, zipfile.ZipFile(binary, "w") as archive:
        archive.writestr("in/a.txt", "hello")
        archive.writestr("in/b.txt", "world" * 1000)
    with branch.open("z.zip", "rb") as found, zipfile.ZipFile(found) as archive:
        assert archive.testzip() is None
        assert archive.read("in/a.txt") == b"hello"
    with branch.open("g.gz", "wb") as binary, gzip.open(binary, "wt") as packed:
        packed.write("packed")
    with branch.open("g.gz", "rb") as found, gzip.open(found, "rt") as packed:
        assert packed.read() == "packed"
    with branch.open("t.tar", "wb") as binary, tarfile.open(fileobj=binary, mode="w") as tar:
        info = tarfile.TarInfo("x")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"tar"))
    with branch.open("t.tar", "rb") as found, tarfile.open(fileobj=found) as tar:
        assert cast("Any", tar.extractfile("x")).read() == b"tar"


def test_b1_6_pandas_reads_and_writes(branch: lakefs_hl.Branch) -> None:
    frame = pd.DataFrame({"n": range(100), "s": [f"ü{i}" for i in range(100)]})
    with branch.open("t.csv", "w") as file:
        frame.to_csv(file, index=False)
    with branch.open("b.csv", "wb") as binary:
        frame.to_csv(binary, index=False)
    for mode in ("r", "rb"):
        for path in ("t.csv", "b.csv"):
            with branch.open(path, mode) as file:
                pd.testing.assert_frame_equal(pd.read_csv(file), frame)


def test_b1_7_seek_and_tell(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"0123456789")
    for options in ({}, {"buffering": 0}):
        with branch.open("a", "rb", **options) as file:  # type: ignore[call-overload]
            assert file.seek(-3, io.SEEK_END) == 7
            assert (file.read(2), file.tell()) == (b"78", 9)
            assert file.seek(-4, io.SEEK_CUR) == 5
            assert file.read(1) == b"5"
            assert file.seek(50) == 50
            assert (file.read(1), file.read(), file.tell()) == (b"", b"", 50)
            for offset, whence in ((-1, io.SEEK_SET), (-11, io.SEEK_END)):
                with pytest.raises((ValueError, OSError)):
                    file.seek(offset, whence)
            file.seek(0)
            assert file.read() == b"0123456789"


def test_b1_7_tell_after_reading_text(branch: lakefs_hl.Branch) -> None:
    stored(branch, "ä1\nö2\nü3\n".encode())
    with branch.open("a") as file:
        assert file.readline() == "ä1\n"
        place = file.tell()
        assert file.read() == "ö2\nü3\n"
        file.seek(place)
        assert file.readline() == "ö2\n"


def test_b1_7_random_reads_are_those_of_a_local_file(branch: lakefs_hl.Branch, rng: random.Random) -> None:
    content = rng.randbytes(3 * WINDOW + 17)
    stored(branch, content)
    with branch.open("a", "rb") as theirs, io.BytesIO(content) as ours:
        for _ in range(150):
            if rng.random() < 0.4:
                place = rng.choice([0, len(content), rng.randrange(len(content)), ours.tell() + rng.randrange(9)])
                assert theirs.seek(place) == ours.seek(place)
            size = rng.choice([0, 1, 100, 8192, WINDOW - 1, WINDOW, WINDOW + 1, rng.randrange(2 * WINDOW)])
            kind = rng.choice(["read", "read1", "readinto", "readline"])
            if kind == "readinto":
                mine, yours = bytearray(size), bytearray(size)
                assert (theirs.readinto(yours), yours) == (ours.readinto(mine), mine)
            elif kind == "read1":
                part = theirs.read1(size)
                assert part == ours.read(len(part))
            else:
                assert getattr(theirs, kind)(size) == getattr(ours, kind)(size)
            assert theirs.tell() == ours.tell()


def broken(after: int, times: int) -> Any:
    """Breaks the body of the first answers after some bytes, as a network does."""
    left = [times]

    def change(request: Request, response: Response) -> Response:
        if request.endpoint.operation != "getObject" or not left[0] or response.filled <= after:
            return response
        left[0] -= 1
        error = TransportError("read", "connection reset", received=after, kind="reset")
        error.response = response
        raise error

    return change


def test_b1_10_a_broken_body_is_gone_on_with(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    content = os.urandom(100_000)
    stored(tapped, content)
    tap.requests.clear()
    tap.change = broken(40_000, 1)
    with tapped.open("a", "rb") as file:
        assert file.read() == content
    assert [request.headers["range"] for request in tap.requests][:2] == [
        f"bytes=0-{WINDOW - 1}", f"bytes=40000-{WINDOW - 1}"
    ]  # fmt: skip


def test_b1_12_an_object_that_was_replaced_is_an_error_never_a_mixture(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"1" * (3 * WINDOW))
    with branch.open("a", "rb") as file:
        assert file.read(10) == b"1" * 10
        branch.upload(b"2" * (3 * WINDOW), "a")
        if lakefs_hl.ServerStorageConfiguration(branch._client).pre_sign_support():
            assert file.read() == b"1" * (3 * WINDOW - 10)  # the store keeps what the URL was signed for
        else:
            with pytest.raises(exceptions.ObjectChangedError, match=r"main/a: the object has changed"):
                file.read()
    with branch.open("a", "rb") as file:
        assert file.read() == b"2" * (3 * WINDOW)


def test_b1_12_a_commit_does_not_change(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"1" * (2 * WINDOW))
    pinned = branch.commit_changes("one").pin()
    with pinned.open("a", "rb") as file:
        file.read(1)
        branch.upload(b"2", "a")
        assert len(file.read()) == 2 * WINDOW - 1


def test_b1_13_a_seek_makes_no_request(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    stored(tapped, bytes(5 * WINDOW))
    with tapped.open("a", "rb") as file:
        tap.requests.clear()
        for place in (0, 4 * WINDOW, 17, 9 * WINDOW):
            file.seek(place)
            assert file.tell() == place
        file.seek(0, io.SEEK_END)
        raw(file).seek(-1, io.SEEK_END)
    assert tap.requests == []


def test_b1_17_closing_and_collecting_make_no_request(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    stored(tapped, b"abc")
    tap.requests.clear()
    file = tapped.open("a", "rb")
    file.close()
    text: Any = tapped.open("a")
    text.read(1)
    del text, file
    gc.collect()
    assert tap.operations() == ["getObject"] * 2


def test_a_closed_file_says_so(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"abc")
    file = branch.open("a", "rb")
    bottom = raw(file)
    file.close()
    for call in (file.read, file.tell, bottom.read, bottom.tell, bottom.readall, lambda: bottom.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            call()


@pytest.mark.parametrize("wrong", [{"encoding": "no-such"}, {"newline": "x"}])
def test_a_text_that_cannot_be_opened_leaves_nothing_behind(lake_branch: lakefs_hl.Branch, wrong: Any) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises((LookupError, ValueError)):
            lake_branch.open("d/never", "w", **wrong)
        gc.collect()
    assert [str(each.message) for each in seen if "never" in str(each.message)] == []
    assert not lake_branch.exists("d/never")


def test_a_missing_object_is_an_error_of_open(branch: lakefs_hl.Branch) -> None:
    for mode in ("r", "rb"):
        with pytest.raises(FileNotFoundError, match="d/missing") as caught:
            branch.open("d/missing", mode)
        assert isinstance(caught.value, exceptions.ObjectNotFoundException)
        assert caught.value.filename == f"lakefs://{branch.repository_id}/main/d/missing"
        frames = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[1:] == ["open", "open_object"]


@pytest.mark.parametrize("mode", ["", "a", "r+", "rw", "rbt", "bb", "rr", "U", "w+"])
def test_a_bad_mode_is_refused(lake_branch: lakefs_hl.Branch, mode: str) -> None:
    with pytest.raises(ValueError, match="mode must be 'r', 'rb' to read"):
        lake_branch.open("a", mode)  # type: ignore[call-overload]


def test_arguments_that_have_no_meaning_are_refused(lake_branch: lakefs_hl.Branch) -> None:
    stored(lake_branch, b"")
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("rb", {"encoding": "utf-8"}, "encoding='utf-8' has no meaning for the binary mode 'rb'"),
        ("wb", {"newline": ""}, "newline='' has no meaning"),
        ("r", {"buffering": 0}, "buffering=0 is for binary files only"),
        ("r", {"content_type": "a/b"}, "for writing; mode is 'r'"),
        ("rb", {"metadata": {}}, "for writing; mode is 'rb'"),
    ]
    for mode, options, words in refused:
        with pytest.raises(ValueError, match=words):
            lake_branch.open("a", mode, **options)  # type: ignore[call-overload]
    with pytest.raises(LookupError, match="no-such-code"):
        lake_branch.open("a", encoding="no-such-code")
    with pytest.raises(ValueError, match="only a branch or a transaction can be written"):
        lake_branch.head().open("a", "w")  # type: ignore[call-overload]


def test_files_have_names_and_modes(branch: lakefs_hl.Branch) -> None:
    stored(branch, b"abc")
    uri = f"lakefs://{branch.repository_id}/main/a"
    with branch.open("a") as text, branch.open("a", "rb") as binary:
        assert (text.name, binary.name, binary.mode) == (uri, uri, "rb")
        assert (text.encoding, raw(text).size) == ("utf-8", 3)
        assert (binary.readable(), binary.seekable(), binary.writable()) == (True, True, False)
    with branch.open("b", "w") as out:
        assert (out.name, out.writable(), out.readable()) == (uri[:-1] + "b", True, False)


# ------------------------------------------------------------------------------------------------ what a file costs


def test_a_small_file_is_one_request(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    stored(tapped, b"abc\n" * 100)
    tap.requests.clear()
    with tapped.open("a") as file:
        assert len(file.read()) == 400
    with tapped.open("a", "rb") as binary:
        assert len(binary.readlines()) == 100
        binary.seek(0)
        assert len(binary.read()) == 400
    assert tap.operations() == ["getObject"] * 2


#: 256 KiB, doubled to 8 MiB: what reads 10 MB straight on.
STRAIGHT = 6


@pytest.fixture
def ten_megabytes(tapped: lakefs_hl.Branch, tap: Tap) -> lakefs_hl.Branch:
    lines = b"".join(b"%07d,some text that is the same,%d\n" % (number, number % 7) for number in range(300_000))
    stored(tapped, lines, "lines.csv")
    assert len(lines) > 10_000_000
    tap.requests.clear()
    return tapped


def test_lines_of_ten_megabytes(ten_megabytes: lakefs_hl.Branch, tap: Tap) -> None:
    with ten_megabytes.open("lines.csv") as file:
        assert sum(1 for _ in file) == 300_000
    assert tap.reads() <= STRAIGHT
    tap.requests.clear()
    with ten_megabytes.open("lines.csv", "rb") as binary:
        assert sum(1 for _ in binary) == 300_000
    assert tap.reads() <= STRAIGHT


def test_csv_of_ten_megabytes(ten_megabytes: lakefs_hl.Branch, tap: Tap) -> None:
    with ten_megabytes.open("lines.csv", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == 300_000
    assert tap.reads() <= STRAIGHT


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_pandas_of_ten_megabytes(ten_megabytes: lakefs_hl.Branch, tap: Tap, mode: str) -> None:
    with ten_megabytes.open("lines.csv", mode) as file:  # type: ignore[call-overload]
        assert len(pd.read_csv(file, header=None)) == 300_000
    assert tap.reads() <= STRAIGHT


def test_all_of_ten_megabytes_is_two_requests(ten_megabytes: lakefs_hl.Branch, tap: Tap) -> None:
    with ten_megabytes.open("lines.csv", "rb") as file:
        assert len(file.read()) > 10_000_000
    assert tap.reads() == 2  # the first, at open, and all the rest


def test_a_large_read_goes_straight_into_the_callers_buffer(ten_megabytes: lakefs_hl.Branch, tap: Tap) -> None:
    buffer = bytearray(4 << 20)
    with ten_megabytes.open("lines.csv", "rb", buffering=0) as file:
        file.seek(1 << 20)
        assert file.readinto(buffer) == len(buffer)
    sink = tap.requests[-1].sink
    assert isinstance(sink, memoryview)
    assert sink.obj is buffer


def test_one_member_of_a_zip_is_a_few_small_requests(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    with tapped.open("z.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for number in range(40):
            archive.writestr(f"{number}", random.Random(number).randbytes(400_000))
    tap.requests.clear()
    with tapped.open("z.zip", "rb") as binary, zipfile.ZipFile(binary) as archive:
        assert len(archive.read("20")) == 400_000
    assert tap.reads() <= 4, [request.headers["range"] for request in tap.requests]
    wanted = sum(sink.nbytes for request in tap.requests if isinstance(sink := request.sink, memoryview))
    assert wanted < 3_000_000


def test_windows_grow_while_reading_on_and_shrink_after_a_seek(ten_megabytes: lakefs_hl.Branch, tap: Tap) -> None:
    with ten_megabytes.open("lines.csv", "rb") as file:
        for _ in range(40):
            file.read(50_000)
        file.seek(8_000_000)
        file.read(10)
    sizes = [sink.nbytes for request in tap.requests if isinstance(sink := request.sink, memoryview)]
    assert sizes == [WINDOW, 2 * WINDOW, 4 * WINDOW, 8 * WINDOW, WINDOW]


def test_in_process_windows_stay_small(lake_branch: lakefs_hl.Branch) -> None:
    stored(lake_branch, bytes(5 * WINDOW))
    with lake_branch.open("a", "rb") as file:
        bottom = raw(file)
        while file.read(1000):
            assert sum(len(kept) for _, kept in bottom._windows) <= WINDOW


# ------------------------------------------------------------------------------------------------------------- writing


def test_many_writes_of_text_and_bytes(branch: lakefs_hl.Branch) -> None:
    with branch.open("a", "w") as file:
        assert file.write("ä") == 1
        assert file.write(b"\xff\n") == 2
        assert file.write("z") == 1
        assert file.write(memoryview(b"!")) == 1
        file.writelines(["1\n", "2\n"])
        print("3", file=file)
    assert branch.download("a") == "ä".encode() + b"\xff\nz!1\n2\n3\n"
    with pytest.raises(ValueError, match="closed"):
        file.write("late")
    with pytest.raises(ValueError, match="closed"):
        file.write(b"late")


@pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_text_is_written_like_a_local_file(
    lake_branch: lakefs_hl.Branch, tmp_path: Path, newline: str | None, encoding: str
) -> None:
    with (tmp_path / "a").open("w", encoding=encoding, newline=newline) as ours:
        ours.write("a\nb\r\nä\n")
        ours.write("c")
    with lake_branch.open("a", "w", encoding=encoding, newline=newline) as theirs:
        theirs.write("a\nb\r\nä\n")
        theirs.write("c")
    assert lake_branch.download("a") == (tmp_path / "a").read_bytes()


def test_text_that_the_encoding_cannot_hold(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(UnicodeEncodeError):
        with branch.open("a", "w", encoding="ascii") as file:
            file.write("ü")
    assert not branch.exists("a")
    with branch.open("a", "w", encoding="ascii", errors="replace") as file:
        file.write("ü")
    assert branch.download("a") == b"?"


class MineError(Exception):
    """What the user's code raises."""


def wrapped(branch: lakefs_hl.Branch, how: str) -> Iterator[Any]:
    """Opens "a" for writing in one of the ways that people do, for one `with` block."""
    if how == "binary":
        with branch.open("a", "wb") as file:
            yield file.write(b"half")
    elif how == "text":
        with branch.open("a", "w") as text:
            yield text.write("half")
    elif how == "text wrapper":
        with branch.open("a", "wb") as file, io.TextIOWrapper(file, "utf-8") as over:
            yield over.write("half")
    elif how == "gzip wrapper":
        with branch.open("a", "wb") as file, gzip.open(file, "wt") as packed:
            yield packed.write("half")
    elif how == "zip":
        with branch.open("a", "wb") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", "half")
            yield None
    elif how == "buffered":
        with branch.open("a", "wb") as file, io.BufferedWriter(cast("Any", file)) as buffered:
            yield buffered.write(b"half")


WAYS = ["binary", "text", "text wrapper", "gzip wrapper", "zip", "buffered"]


@pytest.mark.parametrize("error", [MineError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("how", WAYS)
def test_b2_18_an_exception_in_the_block_publishes_nothing(
    lake_branch: lakefs_hl.Branch, how: str, error: type[BaseException]
) -> None:
    block = wrapped(lake_branch, how)
    next(block)
    unseen = pytest.warns(UserWarning, match="not finished") if error is GeneratorExit else contextlib.nullcontext()
    with pytest.raises(error), unseen:
        cast("Any", block).throw(error)
    assert not lake_branch.exists("a")


@pytest.mark.parametrize("how", WAYS)
def test_b2_18_without_one_it_is_published(lake_branch: lakefs_hl.Branch, how: str) -> None:
    for _ in wrapped(lake_branch, how):
        assert not lake_branch.exists("a")
    assert lake_branch.exists("a")


@pytest.mark.parametrize("how", WAYS)
def test_b2_18_while_another_exception_is_handled_it_is_published(lake_branch: lakefs_hl.Branch, how: str) -> None:
    try:
        raise MineError
    except MineError:
        list(wrapped(lake_branch, how))
    assert lake_branch.exists("a")


def test_b2_18_an_exception_that_was_handled_in_the_block_is_none(lake_branch: lakefs_hl.Branch) -> None:
    with lake_branch.open("a", "wb") as file:
        try:
            raise MineError
        except MineError:
            file.write(b"recovered")
            file.close()
    assert lake_branch.download("a") == b"recovered"


def lost(path: str, mode: str = "wb", where: str = "branch") -> str:
    """The warning of a file that was never closed, as a pattern."""
    return re.escape(
        f"main/{path} was opened for writing and never closed: nothing was written to the lake. "
        f"Write `with {where}.open({path!r}, {mode!r}) as file:`"
    )


@pytest.mark.parametrize("mode", ["w", "wb", "x"])
def test_b2_19_a_finaliser_publishes_nothing_and_warns(lake_branch: lakefs_hl.Branch, mode: Any) -> None:
    files: list[Any] = [lake_branch.open("a", mode)]
    line = sys._getframe().f_lineno - 1
    files[0].write(b"half")
    with pytest.warns(UserWarning, match=lost("a", mode)) as seen:
        files.clear()
    assert [(one.filename, one.lineno) for one in seen] == [(__file__, line)]
    assert not lake_branch.exists("a")


# zipfile's own word about a member that is open
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function ZipFile:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("way", "collected"),
    # the collector does not see what a BufferedRWPair holds, and its close() says nothing: the one known way to publish
    [(way, collected) for way in droppers.WAYS for collected in (False, True) if (way, collected) != ("pair", True)],
)
def test_b2_19_a_finaliser_of_a_wrapper_publishes_nothing_and_warns(
    lake_branch: lakefs_hl.Branch, way: str, collected: bool
) -> None:
    def half() -> None:
        wrapper = droppers.WAYS[way](lake_branch.open("a", "wb"))
        droppers.write(wrapper)
        if collected:
            cycle: list[Any] = [wrapper]
            cycle.append(cycle)
        raise MineError

    def drop() -> None:
        with contextlib.suppress(MineError):
            half()
        gc.collect()

    with pytest.warns(UserWarning, match=lost("a")) as seen:
        drop()
    assert len(seen) == 1
    assert not lake_branch.exists("a")


@pytest.mark.parametrize("way", droppers.WAYS)
def test_b2_19_the_block_knows_better_than_the_finaliser_of_a_wrapper(lake_branch: lakefs_hl.Branch, way: str) -> None:
    with lake_branch.open("a", "wb") as file:
        droppers.write(droppers.WAYS[way](file))
        gc.collect()
        assert not file.closed
        assert not lake_branch.exists("a")
    assert lake_branch.exists("a")
    with pytest.raises(MineError), lake_branch.open("b", "wb") as file:
        droppers.write(droppers.WAYS[way](file))
        gc.collect()
        raise MineError
    assert not lake_branch.exists("b")


def test_b2_19_a_wrapper_that_says_nothing_publishes_nothing_when_it_is_collected(
    lake_branch: lakefs_hl.Branch,
) -> None:
    # its close() is an ordinary one of a Python object; only the garbage that it is in tells
    cycle: list[Any] = [droppers.text(droppers.Closing(lake_branch.open("a", "wb")))]
    cycle[0].write("half")
    cycle.append(cycle)
    del cycle
    with pytest.warns(UserWarning, match=lost("a")):
        gc.collect()
    assert not lake_branch.exists("a")


def test_b2_19_a_finaliser_may_write_a_file_of_its_own(lake_branch: lakefs_hl.Branch) -> None:
    class Reports:
        def __del__(self) -> None:
            file = lake_branch.open("a", "w")
            file.write("whole")
            file.close()

    Reports()
    assert lake_branch.download("a") == b"whole"


def test_b2_19_a_warning_that_is_an_error_leaves_nothing_open(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: told.append(type(found.exc_value)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spools = []
        for mode in ("w", "wb"):
            file: Any = lake_branch.open("a", mode)
            file.write(b"half")
            spools.append(getattr(file, "_writer", file)._spool)
            del file
    assert told == [UserWarning] * 2
    assert [spool.closed for spool in spools] == [True] * 2
    assert not lake_branch.exists("a")


def test_b2_19_the_end_of_the_interpreter_publishes_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(lakefs_hl.__file__).parents[1])}
    program = [sys.executable, str(Path(droppers.__file__)), f"local:{tmp_path}/lake"]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        listing = lakefs_hl.repository("example", client=client).branch("main").list_objects()
        assert [item.path for item in listing] == ["whole"]
    for way in droppers.WAYS:
        assert re.search(rf"droppers\.py:\d+: UserWarning: .*{lost(way)}", done.stderr), way


PLAIN = """
import lakefs_hl, pandas
branch = lakefs_hl.repository("example", client=lakefs_hl.Client("mem://")).create().branch("main")
pandas.DataFrame({"a": [1]}).to_csv(branch.open("t.csv", "w"))
print([item.path for item in branch.list_objects()])
at_the_end = branch.open("global", "w")
class Cycle: pass
cycle = Cycle()
cycle.me, cycle.file = cycle, branch.open("cycle", "wb")
"""


def test_b2_19_the_warning_is_seen_without_any_option(tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(PLAIN)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    environ["PYTHONPATH"] = str(Path(lakefs_hl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, script], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    for line, path, mode in ((4, "t.csv", "w"), (6, "global", "w"), (9, "cycle", "wb")):
        assert re.search(rf"plain\.py:{line}: UserWarning: .*{lost(path, mode)}", done.stderr), done.stderr


def test_b2_19_a_transaction_knows_of_a_file_that_the_collector_took(lake_branch: lakefs_hl.Branch) -> None:
    def drop(place: Any) -> None:
        with pytest.warns(UserWarning, match="was opened for writing and never closed") as seen:
            place.open("a", "w").write("half")
        assert "with tx.open('a', 'w') as file:" in str(seen[0].message)

    with pytest.raises(exceptions.TransactionException, match="MineError"), lake_branch.transaction("a") as tx:
        drop(tx)
        name = f"lakefs://{lake_branch.repository_id}/{tx.id}/a"
        assert tx._lost == [name]
        tx.open("b", "w").discard()
        with pytest.raises(MineError), tx.open("c", "w") as file:
            file.write("half")
            raise MineError
        with tx.open("d", "w") as file:
            file.write("whole")
        del file
        gc.collect()
        assert tx._lost == [name]
        raise MineError


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_b2_19_a_file_in_a_generator_that_is_not_run_to_its_end_warns(lake_branch: lakefs_hl.Branch, mode: Any) -> None:
    # GeneratorExit ends the block, and nobody sees it
    def rows(place: Any) -> Any:
        with place.open("a", mode) as file:
            for row in (b"1", b"2"):
                file.write(row)
                yield row

    with pytest.warns(UserWarning, match="main/a was opened for writing and not finished: nothing was written"):
        next(rows(lake_branch))
    closed = rows(lake_branch)
    next(closed)
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="not finished"):
        warnings.simplefilter("error")
        closed.close()
    assert not lake_branch.exists("a")
    with (
        pytest.warns(UserWarning, match="not finished"),
        pytest.raises(exceptions.TransactionException, match=r"nothing was merged: files .* are not closed: .*/a\."),
        lake_branch.transaction("half") as tx,
    ):
        next(rows(tx))
    assert list(rows(lake_branch)) == [b"1", b"2"]
    assert lake_branch.download("a") == b"12"


def test_a_text_file_that_was_detached_leaves_its_binary_file_alone(lake_branch: lakefs_hl.Branch) -> None:
    text = lake_branch.open("a", "w")
    text.write("ä")
    binary = text.detach()
    del text
    gc.collect()
    binary.write(b"!")
    binary.close()
    assert lake_branch.download("a") == "ä!".encode()


def test_b2_20_closing_twice_uploads_once(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    for mode in ("w", "wb"):
        tap.requests.clear()
        with tapped.open("a", mode) as file:
            file.write(b"x")
            file.close()
            file.close()
        assert tap.operations() == ["uploadObject"]


def test_b2_20_closing_again_after_a_failure_does_nothing(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    file = tapped.open("a", "wb")
    file.write(b"x")

    def refuse(request: Request) -> None:
        raise TransportError("connect", "no route", retry=False, kind="refused")

    tap.refuse = refuse
    with pytest.raises(exceptions.TransportException):
        file.close()
    tap.refuse = None
    tap.requests.clear()
    file.close()
    assert file.closed
    assert tap.requests == []
    assert not tapped.exists("a")


def test_b2_21_a_failed_upload_leaves_no_file(
    tapped: lakefs_hl.Branch, tap: Tap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0

    def refuse(request: Request) -> None:
        raise TransportError("connect", "no route", retry=False, kind="refused")

    tap.refuse = refuse
    for data in (bytes(SPOOL + 1), iter([bytes(SPOOL), b"x"])):
        with pytest.raises(exceptions.TransportException):
            tapped.upload(data, "a")
    with pytest.raises(exceptions.TransportException), tapped.open("a", "wb") as file:
        file.write(bytes(SPOOL + 1))
    assert list(tmp_path.iterdir()) == []
    if before:
        assert len(list(descriptors.iterdir())) <= before


def test_b2_21_a_full_disk_publishes_nothing(lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    file = lake_branch.open("a", "w")

    def full(data: bytes) -> int:
        raise OSError(28, "No space left on device")

    file.write("half")
    monkeypatch.setattr(file._writer._spool, "write", full)
    with pytest.raises(OSError, match="No space left"):
        file.close()
    assert file.closed
    assert not lake_branch.exists("a")


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_b2_23_nothing_written_is_an_empty_object(branch: lakefs_hl.Branch, mode: Any) -> None:
    with branch.open("a", mode):
        pass
    assert branch.stat_object("a").size_bytes == 0
    branch.upload(iter(()), "b")
    branch.upload(io.BytesIO(), "c")
    assert [branch.download(path) for path in ("a", "b", "c")] == [b""] * 3


@pytest.mark.parametrize("size", [SPOOL - 1, SPOOL, SPOOL + 1])
def test_b2_24_b2_28_sizes_around_the_spools_limit(branch: lakefs_hl.Branch, size: int, rng: random.Random) -> None:
    content = rng.randbytes(size)
    view = memoryview(content)
    branch.upload((bytes(view[at : at + 1_000_003]) for at in range(0, size, 1_000_003)), "iterable")
    with branch.open("written", "wb") as file:
        for at in range(0, size, 777_777):
            file.write(view[at : at + 777_777])
    for path in ("iterable", "written"):
        assert branch.stat_object(path).size_bytes == size
        assert branch.download(path) == content


def test_b2_28_much_text(branch: lakefs_hl.Branch) -> None:
    with branch.open("a", "w") as file:
        for number in range(300_000):
            file.write(f"{number:08} €\r\n")
    assert branch.stat_object("a").size_bytes == 300_000 * 14
    with branch.open("a", newline="") as file:
        assert all(line == f"{number:08} €\r\n" for number, line in enumerate(file))


def test_more_than_the_spool_is_a_file_and_not_memory(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    with tapped.open("a", "wb") as file:
        for _ in range(9):
            file.write(bytes(1 << 20))
    body = tap.requests[-1].body
    assert isinstance(body, FileSlice)
    assert body.length == 9 << 20
    assert tapped.stat_object("a").size_bytes == 9 << 20


def test_b2_25_a_repeated_upload_sends_all_of_it_again(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    failures = [1]

    def refuse(request: Request) -> None:
        if request.endpoint.operation == "uploadObject" and failures:
            failures.pop()
            raise TransportError("send", "connection reset", sent=3, kind="reset")

    tap.refuse = refuse
    tapped.upload((part for part in (b"one", b"two")), "a")
    assert tap.operations() == ["uploadObject"] * 2
    assert tapped.download("a") == b"onetwo"


def test_b2_26_the_callers_file_stays_open_where_it_ends(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    local = tmp_path / "a"
    local.write_bytes(b"0123456789")
    for opened in (
        local.open("rb"),
        local.open("rb", buffering=0),
        local.open("r+b"),
        local.open("r", encoding="utf-8"),
        io.BytesIO(b"0123456789"),
        io.StringIO("0123456789"),
        gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"0123456789"))),
    ):
        file: Any = opened
        with file:
            file.read(3)
            assert branch.upload(file, "a").size_bytes == 7, file
            assert not file.closed
            assert file.tell() == 10
            assert branch.download("a") == b"3456789"
            file.seek(0)
            assert branch.upload(file, "a").size_bytes == 10


def test_b2_26_what_was_written_and_not_flushed_is_sent(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    with (tmp_path / "a").open("w+b") as file:
        file.write(b"0123456789")
        file.seek(2)
        assert branch.upload(file, "a").size_bytes == 8
    with tempfile.NamedTemporaryFile() as temporary:
        temporary.write(b"abc")
        temporary.seek(1)
        assert branch.upload(temporary, "b").size_bytes == 2
        assert temporary.tell() == 3
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(b"abc")
        spooled.seek(1)
        assert branch.upload(spooled, "c").size_bytes == 2
    assert branch.download("b") == branch.download("c") == b"bc"


def test_a_path_of_a_local_file_and_its_text(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"local")
    assert branch.upload(tmp_path / "a", "p").size_bytes == 5
    with pytest.warns(UserWarning, match="there is a file of that name"):  # a str is text, not a path
        assert branch.upload(str(tmp_path / "a"), "s").size_bytes == len(str(tmp_path / "a"))
    with pytest.raises(FileNotFoundError, match="missing") as caught:
        branch.upload(tmp_path / "missing", "x")
    assert caught.value.filename == str(tmp_path / "missing")
    assert branch.upload((ctypes.c_char * 2)(b"a", b"b"), "c").size_bytes == 2  # its format is "<c"


def test_a_text_that_names_a_file_warns_in_both_colours(
    lake_branch: lakefs_hl.Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local.csv").write_bytes(b"a,b\n")
    monkeypatch.chdir(tmp_path)

    async def upload() -> None:
        await aio.Branch("example", "main", of(lake_branch._client)).upload("local.csv", "t.csv")

    for call in (lambda: lake_branch.upload("local.csv", "t.csv"), lambda: asyncio.run(upload())):
        with pytest.warns(UserWarning, match=r"pathlib\.Path\('local\.csv'\)") as caught:
            call()
        assert caught[0].filename == __file__
        assert lake_branch.download("t.csv") == b"local.csv"
    lake_branch.upload(b"local.csv", "t.csv")
    lake_branch.upload("local.csv\n", "t.csv")


def test_a_wrong_argument_reads_nothing_of_the_data(lake_branch: lakefs_hl.Branch) -> None:
    data = iter([b"kept"])
    for wrong in ({"content_type": 5}, {"metadata": {"k": 5}}, {"if_none_match": "no"}, {"pre_signed": "no"}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            lake_branch.upload(data, "a", **wrong)
    assert list(data) == [b"kept"]


def test_a_pipe_is_read_to_its_end(branch: lakefs_hl.Branch) -> None:
    reading, writing = os.pipe()
    with open(writing, "wb") as out:
        out.write(b"through a pipe")
    with open(reading, "rb") as file:
        branch.upload(file, "a")
    assert branch.download("a") == b"through a pipe"


@pytest.mark.parametrize("data", [None, 1, object(), [1, 2], ["text", b"bytes"]])
def test_what_is_no_data_is_refused(lake_branch: lakefs_hl.Branch, data: Any) -> None:
    with pytest.raises(TypeError, match="bytes"):
        lake_branch.upload(data, "a")
    assert not lake_branch.exists("a")


def test_an_iterable_that_raises_sends_nothing(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise MineError

    with pytest.raises(MineError):
        tapped.upload(parts(), "a")
    assert tap.requests == []


@pytest.mark.parametrize("mode", ["x", "xb", "xt"])
def test_b2_27_x_creates_only(branch: lakefs_hl.Branch, mode: Any) -> None:
    with branch.open("a", mode) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError, match=r"main/a exists already; mode 'w' replaces it") as caught:
        branch.open("a", mode)
    assert isinstance(caught.value, exceptions.ObjectExistsException)
    assert branch.download("a") == b"first"
    assert branch.stat_object("a").metadata == {}


def test_b2_27_of_two_creators_at_once_one_wins(branch: lakefs_hl.Branch) -> None:
    files = [branch.open("a", "xb") for _ in range(6)]
    outcomes: list[int | type] = []
    start = threading.Barrier(len(files))

    def publish(number: int, file: writer.ObjectWriter) -> None:
        file.write(b"%d" % number)
        start.wait()
        try:
            file.close()
            outcomes.append(number)
        except exceptions.ObjectExistsException as exc:
            outcomes.append(type(exc))

    threads = [threading.Thread(target=publish, args=item) for item in enumerate(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert branch.download("a") == b"%d" % winner
    assert len(outcomes) == len(files)


def test_the_writer_can_be_moved_in_and_cut(lake_branch: lakefs_hl.Branch) -> None:
    with lake_branch.open("a", "wb") as file:
        file.write(b"0123456789")
        assert file.seek(2) == 2
        file.write(b"XY")
        assert file.tell() == 4
        assert file.truncate(6) == 6
        with pytest.raises(TypeError, match="open it with mode 'w' to write text"):
            file.write("text")  # type: ignore[arg-type]
        with pytest.raises(io.UnsupportedOperation):
            file.read()
    assert lake_branch.download("a") == b"01XY45"


def test_discard_publishes_nothing(lake_branch: lakefs_hl.Branch) -> None:
    for mode in ("w", "wb"):
        with lake_branch.open("a", mode) as file:
            file.write(b"half")
            file.discard()
            assert file.closed
    assert not lake_branch.exists("a")


def test_no_warning_when_all_is_closed(lake_branch: lakefs_hl.Branch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with lake_branch.open("a", "w") as file:
            file.write("x")
        del file
        gc.collect()


def flipping(times: int) -> Callable[[Request, Response], Response]:
    """A network that flips a bit of the last byte of so many reads."""
    left = [times]

    def flip(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "getObject" and isinstance(request.sink, memoryview) and left[0]:
            left[0] -= 1
            request.sink[response.filled - 1] ^= 1
        return response

    return flip


def test_a_flipped_bit_of_a_small_object_is_read_anew(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    tapped.upload(b"content", "a")
    tap.change = flipping(2)
    assert tapped.open("a", "rb").read() == b"content"
    tap.change = flipping(3)
    with pytest.raises(
        exceptions.IntegrityError, match=r"reading lakefs://.*/main/a: the 7 bytes received have the MD5"
    ):
        tapped.open("a", "rb")


@pytest.mark.parametrize("step", [1000, 1 << 20, -1])
def test_a_flipped_bit_of_a_large_object_is_an_error_before_its_end(
    tapped: lakefs_hl.Branch, tap: Tap, step: int
) -> None:
    content = bytes(range(256)) * 8192
    tapped.upload(content, "a")
    with tapped.open("a", "rb") as file:
        tap.change = flipping(1)
        with pytest.raises(exceptions.IntegrityError):
            while file.read(step):
                pass
    tap.change = None
    with tapped.open("a", "rb") as file:
        assert b"".join(iter(lambda: file.read(100_000), b"")) == content


def test_what_is_not_read_whole_is_not_compared(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    tapped.upload(bytes(1 << 20), "a")
    with tapped.open("a", "rb") as file:
        tap.change = flipping(1)
        file.seek(600_000)
        assert len(file.read()) == (1 << 20) - 600_000


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("a", "not 'a': an object cannot be appended to. Read it and write the whole of it with 'w'"),
        ("ab", "not 'ab': an object cannot be appended to"),
        ("a+", "not 'a+': an object cannot be appended to"),
        ("r+", "not 'r+': an object is read or written, not both. Read it with 'rb' and write it with 'wb'"),
        ("wb+", "an object is read or written, not both"),
    ],
)
def test_an_impossible_mode_says_what_to_do(lake_branch: lakefs_hl.Branch, mode: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        lake_branch.open("a", mode)
