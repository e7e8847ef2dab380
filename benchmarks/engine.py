"""Measure the embedded lake, next to a real lakeFS: `python benchmarks/engine.py [--objects 10000,100000] [--json]`.

For each number of objects a lake is created in a temporary directory (or `--folder`), loaded, and measured through the
engine and through the public API, in this process. Durable work is shown as k fsyncs + x ms: k is counted at the
lake's own file operations, x is the rest of the median after k times the duration of an fsync, which is measured in
the same run. So the figures apply to other disks too. The slope is the exponent p of cost ~ objects**p between the
smallest and the largest lake: 0 means that the cost depends on the changes, not on the objects.

On a machine that others use too, `--clock cpu` takes the processor time of all threads of this process instead of the
time that passed: what an operation costs, without what it waits for.
"""

# ruff: noqa: D102 - a row's method is named by what it measures

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apsw

import lakefs_hl as lakefs
from lakefs_hl.local.disk import fs
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.inproc import InProcess

#: For each row the target of the design, and a real lakeFS with 1,000,000 objects: measured on 2026-11-20 on a 2-core
#: machine, over loopback, with the fastest client there was for each row. Source: the architecture page, section 5.
ANCHORS: dict[str, tuple[str, str]] = {
    "bulk load with commit, objects/s": (">= 150,000", "58,000"),
    "commit of 1 change": ("<= 2 ms", "51-161 ms"),
    "commit of 1,000 in one directory": ("<= 5 ms", "165-290 ms"),
    "commit of 1,000 spread": ("<= 100 ms", "1,425-1,890 ms"),
    "diff of 1,000 spread, cold": ("<= 100 ms", "969 ms"),
    "diff of 1,000 spread, warm": ("<= 100 ms", "969 ms"),
    "merge of 1,000 + 1,000 spread": ("<= 130 ms", "2,810 ms"),
    "branch create": ("<= 1 ms", "14 ms"),
    "stat (public API)": ("<= 80 µs", "4.1 ms over HTTP"),
    "list 1,000 (public API)": ("<= 2.5 ms", "8.4 ms over HTTP"),
    "list 100,000 (public API)": ("<= 0.4 s", "0.82 s over HTTP"),
    "upload of 1 KiB (public API)": ("<= 0.5 ms", "11.7 ms over HTTP"),
    "op, driver and face, per call": ("<= 10 µs", "-"),
}
REPOSITORY = "bench"
PER_FOLDER = 1000


@dataclass
class Figure:
    """One row for one size.

    Attributes:
        seconds: Median in seconds.
        syncs: Number of fsyncs of one run.
        rest: Median without its fsyncs, in seconds.
    """

    seconds: float
    syncs: float = 0.0
    rest: float = 0.0


@dataclass
class Table:
    """All figures of a run."""

    folder: Path
    fsyncs: list[float] = field(default_factory=list)
    rows: dict[str, dict[int, Figure]] = field(default_factory=dict)

    @property
    def fsync(self) -> float:
        """Median of all measured fsyncs, in seconds."""
        return statistics.median(self.fsyncs)

    def add(self, row: str, size: int, runs: list[tuple[float, int]]) -> None:
        """Add the median of runs, each (seconds, fsyncs). The duration of an fsync is measured now."""
        seconds = statistics.median(run[0] for run in runs)
        syncs = statistics.median(run[1] for run in runs)
        rest = seconds
        if syncs:
            measured = fsync_seconds(self.folder)
            self.fsyncs += measured
            rest = max(seconds - syncs * statistics.median(measured), 0.0)
        self.rows.setdefault(row, {})[size] = Figure(seconds, syncs, rest)


#: What measures: `time.perf_counter`, or `time.process_time`.
clock: Callable[[], float] = time.perf_counter


class _Syncs:
    """Counter of fsyncs at the lake's file operations. A durable commit of the database is one fsync of its log."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, point: str) -> None:
        if point == "db.commit" or point.endswith((".fsync", ".fsync_folder")):
            self.count += 1


def time_once(work: Callable[[], object]) -> tuple[float, int]:
    """Run the work once and return its seconds and fsyncs."""
    syncs = _Syncs()
    fs.hook = syncs
    try:
        start = clock()
        work()
        return clock() - start, syncs.count
    finally:
        fs.hook = None


def fsync_seconds(folder: Path) -> list[float]:
    """Return the durations of appending 4 KiB to a file and syncing it, in seconds."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        times = []
        for _ in range(100):
            start = clock()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            times.append(clock() - start)
    return times


def path_of(index: int) -> str:
    return f"data/part-{index // PER_FOLDER:05d}/file-{index:08d}.parquet"


def stage(engine: Any, branch: str, rows: list[tuple[bytes, bytes]]) -> None:
    """Stage encoded entries in one transaction; with the release before there were transactions too."""
    if hasattr(engine, "store"):
        from lakefs_hl.local.engine import store  # type: ignore[attr-defined]

        with engine.store.writing() as writer:
            head = engine.store.head(writer, engine.store.repo(writer, REPOSITORY).id, branch)
            for path, value in rows:
                store.put_entry(writer, head.token, path, value)
        return
    from lakefs_hl.local.disk.tables import staging

    def work(transaction: Any) -> None:
        head = transaction.head(branch)
        for path, value in rows:
            staging.put(transaction.writer, head.token, path, value)

    engine.lake.write(REPOSITORY, work)


def repository_of(engine: Any) -> Any:
    """Return the row of the repository, as imports take it; of the release before too."""
    if hasattr(engine, "store"):
        with engine.store.reading() as reader:
            return engine.store.repo(reader, REPOSITORY)
    with engine.lake.read(REPOSITORY) as snapshot:
        return snapshot.repo


class Bench:
    """One lake of one size, measured row by row.

    Args:
        folder: Directory of the lake.
        size: Number of objects.
        table: Receives the figures.
        runs: Number of runs of each row.
    """

    def __init__(self, folder: Path, size: int, table: Table, runs: int) -> None:
        self.folder = folder
        self.size = size
        self.table = table
        self.runs = runs
        self.random = random.Random(size)
        self.engine = Engine.open(folder)
        self.made = 0

    # ------------------------------------------------------------------------------------------------------- pieces

    def note(self, row: str, *runs: tuple[float, int]) -> None:
        self.table.add(row, self.size, list(runs))

    def branch(self, source: str = "main") -> str:
        self.made += 1
        name = f"branch-{self.made}"
        self.engine.branches.create(REPOSITORY, models.BranchCreation(name, source))
        return name

    def spread(self) -> list[str]:
        return [path_of(index) for index in self.random.sample(range(self.size), min(1000, self.size))]

    def folder_of(self) -> list[str]:
        first = self.random.randrange(max(self.size // PER_FOLDER, 1)) * PER_FOLDER
        return [path_of(index) for index in range(first, min(first + PER_FOLDER, self.size))]

    def change(self, branch: str, paths: list[str]) -> None:
        """Stage changes in one transaction. This is not measured."""
        stamp = time.time_ns()
        rows = []
        for path in paths:
            checksum = self.random.randbytes(16)
            entry = records.make_entry(f"local:///data/{path}", 5, checksum, stamp // 10**9, None, None, stamp)
            rows.append((path.encode(), records.write_entry(entry)))
        stage(self.engine, branch, rows)

    def commit(self, branch: str) -> None:
        self.engine.commits.commit(REPOSITORY, branch, models.CommitCreation("bench"), who="bench")

    def cold(self) -> None:
        """Reopen the engine without nodes in memory. The pages of the file stay in the cache of the system."""
        self.engine.close()
        gc.collect()
        self.engine = Engine.open(self.folder)

    # --------------------------------------------------------------------------------------------------------- rows

    def load(self) -> None:
        """Load objects as an import does: make entries, sort them, build a tree, commit."""
        creation = models.RepositoryCreation(REPOSITORY, f"local://{REPOSITORY}", "main")
        self.engine.repositories.create(creation, who="bench")
        repo = repository_of(self.engine)
        stamp = time.time_ns()

        def work() -> None:
            items = {}
            for index in range(self.size):
                path = path_of(index)
                checksum = index.to_bytes(16, "big")
                entry = records.make_entry(f"local:///data/{path}", index, checksum, stamp // 10**9, None, None, stamp)
                items[path.encode()] = records.write_entry(entry)
            made = models.ImportCreation([], models.CommitCreation("load"))
            self.engine.imports.load(repo, "main", sorted(items.items()), [], made, who="bench")

        self.note("bulk load with commit, objects/s", time_once(work))

    def commits(self) -> None:
        kinds: list[tuple[str, Callable[[], list[str]]]] = [
            ("commit of 1 change", lambda: [path_of(self.random.randrange(self.size))]),
            ("commit of 1,000 in one directory", self.folder_of),
            ("commit of 1,000 spread", self.spread),
        ]
        for row, paths in kinds:
            runs = []
            for _ in range(self.runs):
                branch = self.branch()
                self.change(branch, paths())
                runs.append(time_once(partial(self.commit, branch)))
            self.note(row, *runs)

    def diffs(self) -> None:
        cold: list[tuple[float, int]] = []
        warm: list[tuple[float, int]] = []
        for _ in range(self.runs):
            branch = self.branch()
            self.change(branch, self.spread())
            self.commit(branch)
            self.cold()
            for runs in (cold, warm):
                runs.append(time_once(partial(self.diff, "main", branch)))
        self.note("diff of 1,000 spread, cold", *cold)
        self.note("diff of 1,000 spread, warm", *warm)

    def diff(self, left: str, right: str) -> None:
        page = self.engine.diffs.refs(
            REPOSITORY, left, right, type="two_dot", after="", amount=1000, prefix="", delimiter="", right_stats=False
        )
        if len(page.results) != min(1000, self.size):
            raise RuntimeError(f"the diff has {len(page.results)} lines")

    def merges(self) -> None:
        runs = []
        for _ in range(self.runs):
            ours, theirs = self.branch(), self.branch()
            paths = self.random.sample(range(self.size), min(2000, self.size))
            self.change(ours, [path_of(index) for index in paths[: len(paths) // 2]])
            self.change(theirs, [path_of(index) for index in paths[len(paths) // 2 :]])
            self.commit(ours)
            self.commit(theirs)
            self.cold()
            merge = partial(self.engine.merges.merge, REPOSITORY, theirs, ours, models.Merge(), who="bench")
            runs.append(time_once(merge))
        self.note("merge of 1,000 + 1,000 spread", *runs)

    def branches(self) -> None:
        self.note("branch create", *[time_once(self.branch) for _ in range(max(self.runs, 50))])

    # --------------------------------------------------------------------------------------------------- public API

    def public(self) -> None:
        client = lakefs.Client(f"local:{self.folder}")
        branch = lakefs.Repository(REPOSITORY, client).branch("main")
        paths = self.spread()
        for path in paths[:50]:
            branch.stat_object(path)
        self.note("stat (public API)", *[time_once(partial(branch.stat_object, path)) for path in paths[:500]])
        amount = min(self.size, 1000)
        self.note(
            "list 1,000 (public API)",
            *[time_once(lambda: _check_listing(branch, amount)) for _ in range(self.runs + 1)],
        )
        if self.size >= 100_000:
            self.note(
                "list 100,000 (public API)",
                *[time_once(lambda: _check_listing(branch, 100_000)) for _ in range(self.runs)],
            )
        target = lakefs.Repository(REPOSITORY, client).branch(self.branch())
        bodies = [self.random.randbytes(1024) for _ in range(300)]
        uploads = [
            time_once(partial(target.upload, body, f"new/file-{index:05d}")) for index, body in enumerate(bodies)
        ]
        self.note("upload of 1 KiB (public API)", *uploads)
        self.note("op, driver and face, per call", *_overhead(client))
        client.close()
        gc.collect()


def _check_listing(branch: Any, amount: int) -> None:
    found = sum(1 for _ in branch.list_objects(max_amount=amount, delimiter=""))
    if found != amount:
        raise RuntimeError(f"listed {found} of {amount}")


def _overhead(client: Any) -> list[tuple[float, int]]:
    """Measure the overhead of a call: a stat whose response is always the same bytes."""
    stats = models.ObjectStats(path="a", path_type="object", physical_address="local://x/a", checksum="0" * 32, mtime=1)
    answer = models.encode(stats)
    canned = copy_of(client, lambda _request: Response(200, {"content-type": "application/json"}, answer))
    branch = lakefs.Repository(REPOSITORY, canned).branch("main")
    times = []
    for _ in range(20):
        start = clock()
        for _ in range(500):
            branch.stat_object("a")
        times.append(((clock() - start) / 500, 0))
    return times


def copy_of(client: Any, app: Callable[[Request], Response]) -> Any:
    """Return a copy of the client with another application."""
    copied = client.with_options()
    copied._driver = Blocking(InProcess(app))
    return copied


# ------------------------------------------------------------------------------------------------------------- printing


def cell(row: str, figure: Figure, size: int) -> str:
    if row.endswith("objects/s"):
        return f"{size / figure.seconds:,.0f}"
    text = f"{figure.rest * 1e6:.0f} µs" if figure.rest < 1e-3 else f"{figure.rest * 1e3:.1f} ms"
    return f"{figure.syncs:g} fsync + {text}" if figure.syncs else text


def slope(figures: dict[int, Figure]) -> str:
    sizes = sorted(figures)
    if len(sizes) < 2:
        return "-"
    small, large = figures[sizes[0]].rest, figures[sizes[-1]].rest
    if not small or not large:
        return "0"
    return f"{math.log(large / small) / math.log(sizes[-1] / sizes[0]):+.2f}"


def lines(table: Table) -> Iterator[str]:
    sizes = sorted({size for figures in table.rows.values() for size in figures})
    versions = f"SQLite {apsw.sqlite_lib_version()}; Python {sys.version.split()[0]}"
    yield f"fsync of 4 KiB: {table.fsync * 1e3:.3f} ms; {versions}"
    yield ""
    head = ["", *[f"{size:,} objects" for size in sizes], "slope", "target at 1,000,000", "real lakeFS"]
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row, (target, anchor) in ANCHORS.items():
        figures = table.rows.get(row, {})
        cells = [cell(row, figures[size], size) if size in figures else "-" for size in sizes]
        each = {size: Figure(f.seconds / size, rest=f.rest / size) for size, f in figures.items()}
        steep = slope(each if row.endswith("objects/s") else figures)
        yield "| " + " | ".join([row, *cells, steep, target, anchor]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded lake next to a real lakeFS.")
    parser.add_argument("--objects", default="10000,100000,1000000", help="sizes, separated by commas")
    parser.add_argument("--runs", type=int, default=7, help="number of runs of each row")
    parser.add_argument(
        "--folder", type=Path, help="where lakes are created and removed (default: a temporary directory)"
    )
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="time that passed, or processor time")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    if options.clock == "cpu":
        globals()["clock"] = time.process_time
    place = Path(tempfile.mkdtemp(prefix="lake-bench-", dir=options.folder))
    try:
        table = Table(place)
        for size in map(int, options.objects.split(",")):
            bench = Bench(place / str(size), size, table, options.runs)
            for step in (bench.load, bench.branches, bench.commits, bench.diffs, bench.merges, bench.public):
                step()
            bench.engine.close()
            shutil.rmtree(bench.folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        rows = {row: {size: vars(figure) for size, figure in figures.items()} for row, figures in table.rows.items()}
        largest = {row: max(figures.items())[1].seconds for row, figures in table.rows.items()}
        found = {"package": lakefs.__file__, "fsync_seconds": table.fsync, "seconds": largest, "rows": rows}
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(lines(table)))


if __name__ == "__main__":
    main()
