"""Files of columnar formats begin at their footer, where the size is known: of the version that is there now."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import lakefs_hl
from lakefs_hl._files.reader import TAIL, RawReader
from lakefs_hl.exceptions import IntegrityError
from tests import serving
from tests.ecosystem.tap import tapped
from tests.lakes import served_lake

pytest.importorskip("fsspec", reason="fsspec is not installed")
__all__ = ["served_lake"]
SIZE = 700_000


@pytest.fixture(params=["embedded", "served"])
def branch(request: pytest.FixtureRequest) -> Iterator[lakefs_hl.Branch]:
    if request.param == "served":
        served: serving.Served = request.getfixturevalue("served_lake")
        client = lakefs_hl.Client(served.url, served.key, served.secret)
    else:
        client = lakefs_hl.Client("mem://")
    name = f"footers-{random.randrange(1 << 40):x}"
    with client:
        yield lakefs_hl.repository(name, client=client).create().branch("main")


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_the_footer_comes_first_and_nothing_is_read_twice(branch: lakefs_hl.Branch) -> None:
    branch.upload(content(SIZE), "t.parquet")
    branch.fs().info(branch.uri("t.parquet"))
    with tapped(branch._client) as tap:
        with branch.fs().open(branch.uri("t.parquet")) as file:
            file.seek(-8, 2)
            assert file.read() == content(SIZE)[-8:]
    assert [one.size for one in tap.seen] == [TAIL]


@pytest.mark.parametrize("size", [0, 10, TAIL, SIZE - 1, SIZE + 1, 2 * SIZE])
def test_another_size_than_expected_is_read_as_it_is(branch: lakefs_hl.Branch, size: int) -> None:
    fs, url = branch.fs(), branch.uri("t.parquet")
    branch.upload(content(SIZE), "t.parquet")
    assert fs.info(url)["size"] == SIZE
    branch.upload(content(size), "t.parquet")
    with fs.open(url) as file:
        assert file.size == size
        assert file.read() == content(size)


@pytest.mark.parametrize("step", [1 << 16, 300_000, SIZE])
def test_a_file_that_is_read_from_its_start_is_verified_all_the_same(branch: lakefs_hl.Branch, step: int) -> None:
    branch.upload(content(SIZE), "t.parquet")

    def read(raw: RawReader) -> bytes:
        return b"".join(iter(lambda: raw.read(step) or b"", b""))

    assert read(RawReader(branch, "t.parquet", expected_size=SIZE)) == content(SIZE)
    raw = RawReader(branch, "t.parquet", expected_size=SIZE)
    assert raw._hashed is not None
    raw._hashed.update(b"as if the bytes that came were others")
    with pytest.raises(IntegrityError, match="have the MD5"):
        read(raw)
