"""The embedded lake with very many objects: `python -m benchmarks.scale [--objects 1000000,10000000] [--output FILE]`.

The objects are records without content, loaded by the function of the engine that every import uses, because an import
needs a file for each object. All other rows are calls of the public API in a new process, whose memory is shown.
"""

# ruff: noqa: D102 - a row's method is named by what it measures

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lakefs_hl as lakefs
from benchmarks import _shared
from benchmarks._client import memory
from benchmarks._shared import Result, Run, say
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.spec import models

#: Rows, as tables print them.
ROWS = {
    "load": "load, with commit",
    "open": "open the lake and look up one object, new process",
    "stat": "stat",
    "page": "list one page of 1,000",
    "list": "list 100,000",
    "branch": "create a branch",
    "stage": "upload 1,000 objects of 20 B, spread",
    "commit": "commit 1,000 changes, spread",
    "diff": "diff of 1,000 changes",
    "merge": "merge 1,000 and 1,000 changes",
}
REPOSITORY = "bench"
CHANGES = 1000


def path_of(index: int) -> str:
    return f"data/part-{index // 1000:05d}/file-{index:08d}.parquet"


def entries(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield encoded entries in the order of their keys."""
    stamp = time.time_ns()
    for index in range(count):
        path = path_of(index)
        checksum = index.to_bytes(16, "big")
        entry = records.make_entry(f"local:///data/{path}", index, checksum, stamp // 10**9, None, None, stamp)
        yield path.encode(), records.write_entry(entry)


def load(folder: Path, count: int) -> dict[str, list[Run]]:
    """Load the objects, and return the only run."""
    engine = Engine.open(folder)
    creation = models.RepositoryCreation(REPOSITORY, f"local://{REPOSITORY}", "main")
    engine.repositories.create(creation, who="bench")
    with engine.lake.read(REPOSITORY) as snapshot:
        repo = snapshot.repo
    base = memory("VmRSS")
    made = models.ImportCreation([], models.CommitCreation("load"))
    start, cpu = time.perf_counter(), time.process_time()
    engine.imports.load(repo, "main", entries(count), [], made, who="bench")
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    engine.close()
    disk = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    return {"load": [Run(seconds, cpu, memory("VmHWM"), base, count, disk)]}


class Work:
    """The rows of one size, in one process."""

    def __init__(self, folder: Path, count: int, runs: int) -> None:
        self.count = count
        self.runs = runs
        self.random = random.Random(count)
        self.rows = dict[str, list[Run]]()
        self.measure("open", lambda: self.open(folder))

    def open(self, folder: Path) -> None:
        self.client = lakefs.Client(f"local:{folder}")
        self.repo: Any = lakefs.repository(REPOSITORY, client=self.client)
        self.main = self.repo.branch("main")
        self.main.stat_object(path_of(self.count // 2))

    def measure(self, row: str, work: Callable[[], object], units: int = 1) -> None:
        """Run the work once, as a run of a row."""
        start, cpu = time.perf_counter(), time.process_time()
        work()
        self.rows.setdefault(row, []).append(
            Run(time.perf_counter() - start, time.process_time() - cpu, memory("VmHWM"), units=units)
        )

    def reads(self) -> None:
        """Look up and list."""
        for index in self.random.sample(range(self.count), min(500, self.count)):
            self.measure("stat", partial(self.main.stat_object, path_of(index)))
        for _ in range(self.runs * 3):
            after = path_of(self.random.randrange(max(self.count - 2000, 1)))
            self.measure("page", partial(self.listed, after, min(1000, self.count - 1)))
        for _ in range(self.runs):
            self.measure("list", partial(self.listed, "", min(100_000, self.count)))

    def listed(self, after: str, amount: int) -> None:
        found = sum(1 for _ in self.main.list_objects(max_amount=amount, after=after, delimiter=""))
        expect(found, amount)

    def changed(self, name: str) -> Any:
        """Return a new branch with changes, staged."""
        branch = self.repo.branch(name)
        self.measure("branch", lambda: branch.create("main"))
        chosen = self.random.sample(range(self.count), min(CHANGES, self.count))
        items = [(path_of(index), os.urandom(10).hex().encode()) for index in chosen]
        self.measure("stage", lambda: branch.upload_many(items, progress=False))
        return branch

    def writes(self) -> None:
        """Commit, compare and merge."""
        changes = min(CHANGES, self.count)
        for number in range(self.runs):
            ours, theirs = self.changed(f"ours-{number}"), self.changed(f"theirs-{number}")
            for branch in (ours, theirs):
                self.measure("commit", partial(branch.commit, "changes"))
                self.measure("diff", partial(self.compare, branch, changes))
            self.measure("merge", partial(ours.merge_into, theirs, strategy="source-wins"))

    def compare(self, branch: Any, changes: int) -> None:
        expect(sum(1 for _ in self.main.diff(branch, delimiter="")), changes)


def expect(found: int, wanted: int) -> None:
    """Check what a call returned."""
    if found != wanted:
        msg = f"{found} instead of {wanted}"
        raise RuntimeError(msg)


def main() -> None:
    """Measure each size, loading and the rest in processes of their own."""
    parser = _shared.make_parser(__doc__ or "", "scale")
    parser.set_defaults(runs=5)
    parser.add_argument("--objects", default="1000000,10000000", help="sizes, separated by commas (%(default)s)")
    parser.add_argument("--step", choices=("load", "work"), help="one step of one size in --folder, printed as JSON")
    chosen = parser.parse_args()
    sizes = [max(round(int(each) * chosen.scale), 10) for each in chosen.objects.split(",")]
    if chosen.step:
        folder, count = chosen.folder, sizes[0]
        if chosen.step == "load":
            rows = load(folder, count)
        else:
            work = Work(folder, count, chosen.runs)
            work.reads()
            work.writes()
            rows = work.rows
        print(json.dumps({row: [run._asdict() for run in runs] for row, runs in rows.items()}))
        return
    result = Result("scale", chosen.scale, {"lakefs_hl": _shared.own_version()}, {"note": chosen.note})
    with _shared.work_folder(chosen.folder, "scale-") as parent:
        result.machine = _shared.describe_machine(parent)
        for count in sizes:
            say(f"{count:,} objects …")
            for each in ("load", "work"):
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.scale",
                    "--step",
                    each,
                    "--folder",
                    str(parent / str(count)),
                ]
                command += ["--objects", str(count), "--runs", str(chosen.runs)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=_shared.environ())
                for row, runs in json.loads(done.stdout).items():
                    result.cell(row, f"{count:,} objects").runs = [Run(**run) for run in runs]
            if chosen.output:
                result.write(chosen.output)
    _shared.print_result(result, ROWS)


if __name__ == "__main__":
    main()
