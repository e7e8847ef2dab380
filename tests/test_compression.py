"""`lakefs_hl.compression`: every encoding both ways, what is broken, what is too large, and `transcode`."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from typing import Any

import brotli
import pytest
import zstandard

import lakefs_hl
from lakefs_hl import GetResult, compression
from lakefs_hl.compression import ENCODINGS, compress, decompress, normalize, transcode
from lakefs_hl.exceptions import IntegrityError


@pytest.mark.parametrize("encoding", [*ENCODINGS, None, ""])
@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 3_000_000])
def test_content_comes_back(encoding: str | None, size: int, rng: random.Random) -> None:
    for data in (rng.randbytes(size), b"x" * size):
        packed = compress(data, encoding)
        assert decompress(packed, encoding) == data
        assert compress(data, encoding) == packed


def test_the_formats_are_those_of_others() -> None:
    data = b"hello" * 100
    assert gzip.decompress(compress(data, "gzip")) == data
    assert brotli.decompress(compress(data, "br")) == data
    assert zstandard.decompress(compress(data, "zstd")) == data
    assert decompress(gzip.compress(data), "gzip") == data
    assert decompress(brotli.compress(data), "br") == data
    assert decompress(zstandard.compress(data), "zstd") == data


def test_several_members_are_one_content() -> None:
    assert decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert decompress(gzip.compress(b"a") + bytes(512), "gzip") == b"a"
    assert decompress(zstandard.compress(b"a") + zstandard.compress(b"b"), "zstd") == b"ab"


def test_levels() -> None:
    data = b"".join(b"%d is a number\n" % number for number in range(2000))
    assert compress(data, "br", 11) == brotli.compress(data, quality=11) != compress(data, "br")
    assert compress(data, "zstd", 9) == zstandard.ZstdCompressor(level=9).compress(data) != compress(data, "zstd")
    assert len(compress(data, "gzip", 9)) < len(compress(data, "gzip", 1)) < len(compress(data, "gzip", 0))
    for encoding, lowest, highest in (("gzip", 0, 9), ("br", 0, 11), ("zstd", 1, 22)):
        for bad in (lowest - 1, highest + 1, True, "6", 1.5):
            with pytest.raises(ValueError, match=f"from {lowest} to {highest}"):
                compress(data, encoding, bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_broken_is_an_error(encoding: str, rng: random.Random) -> None:
    packed = compress(rng.randbytes(20_000), encoding)
    for cut in (0, 1, 5, len(packed) // 2, len(packed) - 1):
        with pytest.raises(IntegrityError, match=rf"a\.txt: the content \([\d,]+ bytes\) cannot be .* as {encoding}"):
            decompress(packed[:cut], encoding, name="a.txt")
    with pytest.raises(IntegrityError):
        decompress(b"no such thing" * 100, encoding)
    with pytest.raises(IntegrityError):
        decompress(packed + b"garbage that follows", encoding)


def test_a_changed_byte_of_gzip_is_found(rng: random.Random) -> None:
    packed = bytearray(compress(rng.randbytes(1000), "gzip"))
    packed[len(packed) // 2] ^= 1
    with pytest.raises(IntegrityError):
        decompress(bytes(packed), "gzip")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_bomb_is_refused_early(encoding: str) -> None:
    """In a process whose memory is limited to far less than what the content would be."""
    code = f"""
import resource
from lakefs_hl.compression import compress, decompress
import brotli, zstandard
bomb = compress(bytes(1 << 20), {encoding!r})
if {encoding!r} != "br":
    bomb *= 2000
else:
    compressor = brotli.Compressor(quality=5)
    bomb = b"".join(compressor.process(bytes(1 << 20)) for _ in range(2000)) + compressor.finish()
assert len(bomb) < 4 << 20, len(bomb)
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
try:
    decompress(bomb, {encoding!r}, max_bytes=10 << 20)
except ValueError as exc:
    assert "larger than 10,485,760 bytes" in str(exc), exc
else:
    raise SystemExit("not refused")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_one_block_of_zeros_is_bounded_too() -> None:
    """One step of zstd returns at most 32,768 times as much as it takes."""
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(50 << 20))
    with pytest.raises(ValueError, match="larger than 1,000"):
        decompress(bomb, "zstd", max_bytes=1000)
    assert len(decompress(bomb, "zstd", max_bytes=50 << 20)) == 50 << 20
    assert len(decompress(bomb, "zstd", max_bytes=None)) == 50 << 20


def test_names() -> None:
    assert [normalize(each) for each in (None, "", False, True, "gz", "GZIP", "brotli", "zst", "identity")] == [
        None, None, None, "gzip", "gzip", "gzip", "br", "zstd", None,
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"'gzip', 'br', 'zstd'.*'lzma'"):
        compress(b"", "lzma")
    with pytest.raises(TypeError, match="int"):
        normalize(3)  # type: ignore[arg-type]
    for function in (compress, decompress):
        with pytest.raises(TypeError, match="content must be bytes, not str"):
            function("text", "gzip")  # type: ignore[arg-type]
    for bad in (-1, True, "1"):
        with pytest.raises(ValueError, match="max_bytes"):
            decompress(compress(b"a"), "gzip", max_bytes=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(("encoding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
def test_a_package_that_is_missing_is_named(encoding: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for function in (compress, decompress):
        with pytest.raises(ImportError, match=r"pip install 'lakefs-hl\[compression\]'") as caught:
            function(b"1", encoding)
        assert caught.value.name == package


def test_it_is_a_public_module() -> None:
    assert lakefs_hl.compression is compression


# -- transcode


def file(content: bytes | None, **more: Any) -> dict[str, Any]:
    return {"path": "a", "content": content, "byte_range": (None, None), "error": None, **more}


def test_the_result_is_in_the_encoding_whatever_the_source_was() -> None:
    sources = [file(b"hello")]
    sources += [file(compress(b"hello", each), compress=each, raw=True) for each in ENCODINGS]
    for encoding in ENCODINGS:
        for found in transcode(sources, encoding):
            assert decompress(found["content"], encoding) == b"hello"
            assert (found["compress"], found["raw"]) == (encoding, True)
    assert [found["content"] for found in transcode(sources, None)] == [b"hello"] * 4
    assert [found.get("raw", False) for found in transcode(sources, "")] == [False] * 4


def test_an_equal_encoding_is_passed_through() -> None:
    """Also if it cannot be decoded: nothing looks into it."""
    given = file(b"not gzip at all", compress="gzip", raw=True)
    assert next(transcode([given], "gzip")) is given


def test_decoded_content_is_encoded_although_it_was_stored_so() -> None:
    """Without raw, `compress` says how it is stored, and the content is decoded."""
    found = next(transcode(file(b"hello", compress="gzip", raw=False), "gzip"))
    assert decompress(found["content"], "gzip") == b"hello"


def test_sources_stay_unless_they_are_changed_in_place() -> None:
    given = file(b"hello")
    other = next(transcode([given], "gzip"))
    assert given == file(b"hello")
    assert other is not given
    assert next(transcode([given], "gzip", in_place=True)) is given
    assert given["compress"] == "gzip"


def test_what_has_no_content_is_passed_through() -> None:
    for given in (file(None), file(None, error=KeyError("a"))):
        assert next(transcode([given], "gzip")) is given


def test_it_streams() -> None:
    read = []

    def source() -> Any:
        for number in range(10):
            read.append(number)
            yield file(b"x")

    results = transcode(source(), "gzip", progress=False)
    next(results)
    assert read == [0]


def test_records_are_taken_too() -> None:
    found = next(transcode([GetResult("a", b"hello")], "gzip"))
    assert (found["path"], decompress(found["content"], "gzip")) == ("a", b"hello")


def test_a_part_of_encoded_content_cannot_be_decoded() -> None:
    part = file(compress(b"hello", "gzip")[:5], compress="gzip", raw=True, byte_range=(0, 5))
    with pytest.raises(ValueError, match="a: a part of content"):
        list(transcode([part], "br"))
    broken = file(b"x", compress="gzip", raw=True)
    with pytest.raises(IntegrityError, match=r"^a: "):
        list(transcode([broken], "br"))


def test_arguments_are_checked_at_the_call() -> None:
    with pytest.raises(ValueError, match="'lzma'"):
        transcode([], "lzma")
    with pytest.raises(ValueError, match="level"):
        transcode([], "gzip", level=10)
    with pytest.raises(TypeError, match="int"):
        transcode(3, "gzip")  # type: ignore[arg-type]

    async def items() -> AsyncIterator[Any]:
        yield file(b"")

    with pytest.raises(TypeError, match="async_generator"):
        transcode(items(), "gzip")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hold dictionaries"):
        list(transcode([3], "gzip"))


def test_progress_counts_the_files() -> None:
    events = list[Any]()
    list(transcode([file(b"1"), file(b"2")], None, progress=events.append))
    assert [event.kind for event in events] == ["complete", "complete"]


def test_zlib_is_not_taken_for_gzip() -> None:
    with pytest.raises(IntegrityError):
        decompress(zlib.compress(b"hello"), "gzip")
