"""Memory of a table diff: tables that are larger than what it may use. The comparison has a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lakefs_hl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MIB = 1 << 20
ROWS, GROUP = 250_000, 20_000
PROGRAM = """
import re, sys
from pathlib import Path
import numpy, pyarrow.compute, pyarrow.parquet
import lakefs_hl as lakefs

repo = lakefs.repository("tables", client=lakefs.Client(f"local:{sys.argv[1]}"))
assert not repo.ref("main").table_diff("main", "small.parquet", "id")


def most():
    return int(re.search(r"VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1]) << 10


Path("/proc/self/clear_refs").write_text("5")  # the highest so far is what there is now
before = most()
found = repo.ref("main~1").table_diff("main", "t.parquet", "id", memory=32 << 20, max_rows=10)
print(*found.counts, most() - before)
""".replace("\\\\", "\\")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a table, in other orders, of 75 MiB in memory each."""
    found = tmp_path_factory.mktemp("memory")
    ids = np.arange(ROWS)
    orders = (np.random.default_rng(5).permutation(ROWS), ids)
    with lakefs_hl.Client(f"local:{found}/lake") as client:
        main = lakefs_hl.repository("tables", client=client).create().branch("main")
        main.upload(b"", "small.parquet")
        for version, order in enumerate(orders):
            path = found / f"{version}.parquet"
            with pq.ParquetWriter(path, pa.schema([("id", pa.int64()), ("v", pa.string())])) as writer:
                for start in range(0, ROWS, GROUP):
                    rows = order[start : start + GROUP]
                    texts = [f"{row:0280d}" if version and row % 100 == 0 else f"{row:0281d}" for row in rows]
                    writer.write_table(pa.table({"id": rows, "v": texts}))
            main.upload_file(path, "t.parquet")
            main.commit_changes("a version")
    return found


def test_a_table_that_is_larger_than_memory(folder: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder / "lake")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    *counts, memory = map(int, shown.split())
    assert counts == [0, 0, 2500, 247_500]
    assert memory < 110 * MIB, f"{memory / MIB:.0f} MiB"
