"""Table diff next to a merge of pandas: seconds, seconds of processor time, and MiB of memory above that before.

    python benchmarks/tables.py [ROWS]

Both read two Parquet files of ten columns from an embedded lake in this process. 1 % of the rows were changed, 0.1 %
removed, and 0.1 % added. Each piece of work has a process of its own.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lakefs_hl as lakefs

MIB = 1 << 20


def make(rows: int, folder: str) -> None:
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {"id": random.permutation(rows)}
    columns |= {f"i{number}": random.integers(0, 1 << 40, rows) for number in range(3)}
    columns |= {f"f{number}": random.random(rows) for number in range(3)}
    columns |= {f"s{number}": [f"text {value}" for value in random.integers(0, rows, rows)] for number in range(2)}
    columns["t"] = pa.array(random.integers(0, 1 << 50, rows), pa.timestamp("us", "UTC"))
    changed = dict(columns)
    some = random.choice(rows, rows // 100, replace=False)
    changed["f0"] = columns["f0"].copy()
    changed["f0"][some] += 1
    after = pa.table(changed).slice(rows // 1000)
    new = pa.table({**changed, "id": columns["id"] + rows}).slice(0, rows // 1000)
    with lakefs.Client(f"local:{folder}") as client:
        main = lakefs.repository("tables", client=client).create().branch("main")
        for table, name in ((pa.table(columns), "before"), (pa.concat_tables([after, new]), "after")):
            file = io.BytesIO()
            pq.write_table(table, file)
            main.upload(file.getvalue(), "t.parquet")
            main.commit_changes(name)


def by_pandas(before: Any, after: Any) -> tuple[int, int, int]:
    import pandas as pd

    frames = []
    for ref in (before, after):
        with ref.open("t.parquet", "rb") as file:
            frames.append(pd.read_parquet(file))
    both = frames[0].merge(frames[1], on="id", how="outer", suffixes=("_x", "_y"), indicator=True)
    names = [name for name in frames[0].columns if name != "id"]
    pairs = both[both["_merge"] == "both"]
    changed = pd.Series(data=False, index=pairs.index)
    for name in names:
        old, new = pairs[f"{name}_x"], pairs[f"{name}_y"]
        changed |= (old != new) & ~(old.isna() & new.isna())
    counts = both["_merge"].value_counts()
    return int(counts["right_only"]), int(counts["left_only"]), int(changed.sum())


def highest() -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]


def work(kind: str, folder: str) -> None:
    """Do one piece of work, and print its counts, seconds, processor seconds and MiB."""
    import pandas as pd

    assert pd.__version__
    with lakefs.Client(f"local:{folder}") as client:
        repo = lakefs.repository("tables", client=client)
        before, after = repo.ref("main~1"), repo.ref("main")

        def diff(**options: Any) -> tuple[int, int, int]:
            counts = before.table_diff("main", "t.parquet", "id", **options).counts
            return counts.added, counts.removed, counts.changed

        jobs: dict[str, Callable[[], tuple[int, int, int]]] = {
            "table_diff": diff,
            "table_diff, 64 MiB": lambda: diff(memory=64 * MIB),
            "pandas merge": lambda: by_pandas(before, after),
        }
        before.stat_object("t.parquet")
        Path("/proc/self/clear_refs").write_text("5")
        start, used, memory = time.perf_counter(), time.process_time(), highest()
        counts = jobs[kind]()
        seconds, used = time.perf_counter() - start, time.process_time() - used
        print(counts, round(seconds, 2), round(used, 2), (highest() - memory) // MIB)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        make(rows, folder)
        for kind in ("table_diff", "table_diff, 64 MiB", "pandas merge") * 3:
            command = [sys.executable, __file__, "--work", kind, folder]
            shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            print(f"{kind:20} {shown}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        main()
