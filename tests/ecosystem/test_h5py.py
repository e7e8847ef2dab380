"""h5py: parts of HDF5 files are read by ranges; files are written on this machine and uploaded."""

from __future__ import annotations

import io
import secrets
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests import serving
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs
from tests.faults.proxy import proxied

needs("h5py")

import h5py
import numpy as np


def content(count: int = 1_000_000) -> bytes:
    """An HDF5 file with one chunked data set, which does not compress."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        random = np.random.default_rng(0)
        file.create_dataset("group/x", data=random.random(count), chunks=(10_000,), compression="gzip")
        file["group/x"].attrs["unit"] = "m"
    return buffer.getvalue()


def test_parts_of_a_pinned_file_are_read(lake: Lake) -> None:
    branch = lake.branch
    branch.upload(content(), "data.h5")
    commit = branch.commit_changes("data")
    branch.upload(b"not HDF5", "data.h5")
    expected = np.random.default_rng(0).random(1_000_000)
    with commit.open("data.h5", "rb") as source, h5py.File(source, "r") as file:
        data: Any = file["group/x"]
        assert data.attrs["unit"] == "m"
        for at in (999_990, 0, 500_000, 123_456):  # in any order
            assert np.array_equal(data[at : at + 10], expected[at : at + 10])
    with branch.open("data.h5", "rb") as source, pytest.raises(OSError, match="signature"):
        h5py.File(source, "r")


def test_a_slice_fetches_a_part_of_the_file(served_lake: serving.Served) -> None:
    with (
        proxied(served_lake.url) as proxy,
        lakefs_hl.Client(proxy.url, served_lake.key, served_lake.secret) as client,
    ):
        branch = lakefs_hl.repository(f"h5py-{secrets.token_hex(4)}", client=client).create().branch("main")
        text = content(4_000_000)
        branch.upload(text, "data.h5")
        before = len(proxy.seen)
        with branch.open("data.h5", "rb") as source, h5py.File(source, "r") as file:
            file["group/x"][2_000_000:2_000_010]
        requests = proxy.seen[before:]
    assert {seen.operation for seen in requests} <= {"getObject", "statObject"}
    assert len(requests) < 12
    sizes = [ranged(seen.headers["range"], len(text)) for seen in requests if "range" in seen.headers]
    assert 0 < sum(sizes) < len(text) / 2


def ranged(header: str, size: int) -> int:
    first, _, last = header.removeprefix("bytes=").partition("-")
    return min(int(last or size - 1), size - 1) - int(first) + 1


def test_a_file_is_written_here_and_uploaded(lake: Lake, tmp_path: Path) -> None:
    branch = lake.branch
    with branch.transaction("HDF5") as tx:
        with h5py.File(tmp_path / "new.h5", "w") as file:
            for number in range(50):
                file.create_dataset(f"{number}/x", data=np.full(1000, number), chunks=(100,))
            grown = file.create_dataset("grown", shape=(0,), dtype="i8", maxshape=(None,), chunks=(100,))
            grown.resize((300,))
            grown[:] = 7
        tx.upload_file(tmp_path / "new.h5", "new.h5")
        assert not branch.exists("new.h5")
    with branch.head().open("new.h5", "rb") as source, h5py.File(source, "r") as found:
        assert found["49/x"][999] == 49
        assert found["grown"].shape == (300,)


def test_a_file_that_is_written_to_the_branch_directly_fails_and_publishes_nothing(lake: Lake) -> None:
    """HDF5 reads back what it wrote, which a file of a lake does not offer."""

    def write() -> None:
        with lake.branch.open("direct.h5", "wb") as target, h5py.File(target, "w") as file:
            for number in range(50):
                file.create_dataset(f"{number}/x", data=np.full(20_000, number), chunks=(1000,), compression="gzip")
            file["3/x"][5:10] = 7

    with pytest.raises(OSError, match="read"):
        write()
    assert not lake.branch.exists("direct.h5")
