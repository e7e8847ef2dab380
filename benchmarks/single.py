"""Measure calls over urllib3 next to a bare urllib3 loop: `python benchmarks/single.py [--only list] [--runs 7]`.

    python benchmarks/single.py                             # `lakefs-hl serve` on a temporary lake, in another process
    LAKEFS_HL_TEST_ACCESS_KEY_ID=… LAKEFS_HL_TEST_SECRET_ACCESS_KEY=… \
        python benchmarks/single.py --endpoint http://…     # that server

Both sides send the same requests, in turn, each first in every second pair. The bare loop sends the same authorization,
reads bodies whole and decodes JSON to dictionaries with msgspec. It neither retries nor verifies anything. A row shows
the medians per call of the wall time and of this process's CPU time, the medians of their ratios (ours to the bare
loop), and whether the wall time reaches its target. The fast lane is off: these are the calls without it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3

import lakefs_hl as lakefs

KIB = 1024
PAGE = 1000
#: A pass of work, from its beginning to its end.
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: What is measured.
        target: Largest ratio of the wall times, ours to the bare loop's.
        prepare: Returns ours, the bare loop, and the number of calls in each of the two.
    """

    name: str
    target: float
    prepare: Callable[[Bench], tuple[Work, Work, int]]


ROWS: list[Row] = []
Prepare = Callable[["Bench"], tuple[Work, Work, int]]


def row(name: str, target: float) -> Callable[[Prepare], Prepare]:
    """Add a function to the table."""

    def add(prepare: Prepare) -> Prepare:
        ROWS.append(Row(name, target, prepare))
        return prepare

    return add


class Bench:
    """One repository on the server, and what both sides use.

    Attributes:
        branch: Our branch.
        calls: Number of calls of a pass.
        listed: Number of objects that are listed.
        threads: Number of threads, on both sides.
        folder: An empty directory of this run.
    """

    def __init__(self, endpoint: str, key: str, secret: str, chosen: argparse.Namespace, folder: Path) -> None:
        self.calls: int = chosen.calls
        self.listed: int = chosen.objects
        self.threads: int = chosen.threads
        self.folder = folder
        self.client = lakefs.Client(endpoint, key, secret)
        self.repository = lakefs.repository(f"bench-{uuid.uuid4().hex[:12]}", client=self.client).create()
        self.branch = self.repository.branch("main")
        self._headers = dict(urllib3.make_headers(basic_auth=f"{key}:{secret}"))
        url = urllib3.util.parse_url(endpoint)
        self._pool = urllib3.connection_from_url(endpoint, maxsize=self.threads)
        self._base = f"{(url.path or '').rstrip('/')}/api/v1/repositories/{self.repository.id}"
        self._number = 0
        self.body = os.urandom(KIB // 2).hex().encode()

    def end(self) -> None:
        """Delete the repository."""
        self.repository.delete(force=True)
        self.client.close()

    @property
    def place(self) -> str:
        """A prefix that was not used before."""
        self._number += 1
        return f"set{self._number}"

    def fill(self) -> list[str]:
        """Write the objects that are read; return their paths."""
        place = self.place
        paths = [f"{place}/{number:05d}" for number in range(self.calls)]
        self.branch.upload_many([(path, self.body) for path in paths], progress=False, on_error="raise")
        return paths

    # -- the bare loop -------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **given: Any) -> bytes:
        """Send a request and return the body of its response."""
        headers = {**self._headers, **given.pop("headers", {})}
        response = self._pool.request(method, self._base + path, headers=headers, **given)
        if response.status >= 300:
            message = f"{method} {path}: {response.status} {response.data!r:.200}"
            raise RuntimeError(message)
        return response.data

    def stat(self, path: str) -> Any:
        """Look up an object."""
        return msgspec.json.decode(self.request("GET", f"/refs/main/objects/stat?path={quote(path, safe='')}"))

    def get(self, path: str) -> bytes:
        """Read an object."""
        return self.request("GET", f"/refs/main/objects?path={quote(path, safe='')}")

    def put(self, path: str, body: bytes) -> Any:
        """Write an object."""
        kind = {"content-type": "application/octet-stream"}
        url = f"/branches/main/objects?path={quote(path, safe='')}"
        return msgspec.json.decode(self.request("POST", url, body=body, headers=kind))

    def pages(self, prefix: str) -> Iterator[Any]:
        """Iterate over the rows of a listing."""
        after = ""
        while True:
            query = urlencode({"prefix": prefix, "amount": PAGE, "after": after})
            page = msgspec.json.decode(self.request("GET", f"/refs/main/objects/ls?{query}"))
            yield from page["results"]
            if not page["pagination"]["has_more"]:
                return
            after = page["pagination"]["next_offset"]

    def each(self, work: Callable[..., object], *arguments: Any) -> None:
        """Call a function for each argument, in threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(work, *arguments, chunksize=1):
                pass


# -- one call after another --------------------------------------------------------------------------------------------


def loop(call: Callable[[str], object], paths: list[str]) -> Work:
    """Return the work of a call for each path."""

    def work() -> None:
        for path in paths:
            call(path)

    return work


@row("stat", 1.03)
def serial_stat(bench: Bench) -> tuple[Work, Work, int]:
    paths = bench.fill()
    return loop(bench.branch.stat_object, paths), loop(bench.stat, paths), len(paths)


@row("read 1 KiB", 1.03)
def serial_read(bench: Bench) -> tuple[Work, Work, int]:
    paths = bench.fill()
    return loop(bench.branch.download, paths), loop(bench.get, paths), len(paths)


@row("upload 1 KiB", 1.03)
def serial_upload(bench: Bench) -> tuple[Work, Work, int]:
    paths, body = bench.fill(), bench.body
    ours = loop(partial(bench.branch.upload, body), paths)
    return ours, loop(partial(bench.put, body=body), paths), len(paths)


# -- many small files in threads ---------------------------------------------------------------------------------------


@row("upload_many, threads", 1 / 0.85)
def threads_upload_many(bench: Bench) -> tuple[Work, Work, int]:
    paths, bodies = bench.fill(), [bench.body] * bench.calls
    items = list(zip(paths, bodies, strict=True))
    ours = partial(bench.branch.upload_many, items, max_workers=bench.threads, progress=False, on_error="raise")
    return ours, partial(bench.each, bench.put, paths, bodies), len(paths)


@row("download_many, threads", 1 / 0.85)
def threads_download_many(bench: Bench) -> tuple[Work, Work, int]:
    paths = bench.fill()
    ours = partial(bench.branch.download_many, paths, max_workers=bench.threads, progress=False, on_error="raise")
    return ours, partial(bench.each, bench.get, paths), len(paths)


@row("upload_dir, threads", 1 / 0.85)
def threads_upload_dir(bench: Bench) -> tuple[Work, Work, int]:
    source = bench.folder / "source"
    source.mkdir()
    files = [source / f"{number:05d}" for number in range(bench.calls)]
    for file in files:
        file.write_bytes(bench.body)

    def ours() -> None:
        bench.branch.upload_dir(source, bench.place, max_workers=bench.threads, progress=False)

    def bare() -> None:
        place = bench.place
        bench.each(lambda file: bench.put(f"{place}/{file.name}", file.read_bytes()), files)

    return ours, bare, len(files)


@row("download_dir, threads", 1 / 0.85)
def threads_download_dir(bench: Bench) -> tuple[Work, Work, int]:
    paths = bench.fill()
    prefix, target = paths[0].partition("/")[0], bench.folder / "target"

    def ours() -> None:
        shutil.rmtree(target, ignore_errors=True)
        bench.branch.download_dir(prefix, target, max_workers=bench.threads, progress=False)

    def bare() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        found = [each["path"] for each in bench.pages(f"{prefix}/")]
        bench.each(lambda path: (target / path.rpartition("/")[2]).write_bytes(bench.get(path)), found)

    return ours, bare, len(paths)


# -- listings ----------------------------------------------------------------------------------------------------------


@row("list", 1.1)
def list_all(bench: Bench) -> tuple[Work, Work, int]:
    items = ((f"list/{number // 100:04d}/file-{number:06d}.csv", b"") for number in range(bench.listed))
    bench.branch.upload_many(items, total=bench.listed, progress=False, on_error="raise")
    bench.branch.commit_changes("objects to list")

    def ours() -> None:
        count = sum(1 for _ in bench.branch.list_objects(prefix="list/", recursive=True))
        if count != bench.listed:
            message = f"{count} objects listed"
            raise RuntimeError(message)

    def bare() -> None:
        count = sum(1 for _ in bench.pages("list/"))
        if count != bench.listed:
            message = f"{count} objects listed"
            raise RuntimeError(message)

    return ours, bare, bench.listed


def memory_of_listing(bench: Bench) -> str:
    """Return how much memory a row of a listing takes that is kept, ours and as a dictionary."""

    def taken(rows: Callable[[], list[Any]]) -> float:
        tracemalloc.start()
        kept = rows()
        size, count = tracemalloc.get_traced_memory()[0], len(kept)
        tracemalloc.stop()
        return size / count

    ours = taken(lambda: bench.branch.list_objects(20 * PAGE, prefix="list/", recursive=True).to_list())
    bare = taken(lambda: list(bench.pages("list/"))[: 20 * PAGE])
    return f"memory of a row that is kept: ours {ours:.0f} B, a dictionary {bare:.0f} B"


# -- the frame ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a pass cost, in seconds."""

    wall: float
    cpu: float


def cost_of(work: Work) -> Cost:
    """Do the work, and return what it cost."""
    gc.collect()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(each: Row, bench: Bench, runs: int) -> tuple[list[tuple[Cost, Cost]], int]:
    """Return the costs of each pair of passes, ours and the bare loop's, and the number of calls in a pass."""
    ours, bare, calls = each.prepare(bench)
    ours(), bare()  # both connect before
    pairs = list[tuple[Cost, Cost]]()
    for number in range(runs):
        if number % 2:
            other = cost_of(bare)
            pairs.append((cost_of(ours), other))
        else:
            pairs.append((cost_of(ours), cost_of(bare)))
    return pairs, calls


def line(each: Row, pairs: list[tuple[Cost, Cost]], calls: int) -> str:
    """Return a line of the table."""
    cells = [f"{each.name:24}"]
    for name in ("wall", "cpu"):
        own, other = ([getattr(pair[side], name) for pair in pairs] for side in (0, 1))
        ratio = statistics.median(mine / its for mine, its in zip(own, other, strict=True))
        cells += [f"{statistics.median(times) / calls * 1e6:9.1f}" for times in (own, other)] + [f"{ratio:6.2f}"]
    ratio = statistics.median(ours.wall / bare.wall for ours, bare in pairs)
    verdict = "" if ratio <= each.target else "  MISSED"
    return f"{''.join(cells)}   <= {each.target:.2f}{verdict}"


@contextmanager
def prepared(chosen: argparse.Namespace) -> Iterator[Bench]:
    """Yield what the rows need, on the server that was chosen."""
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    found: AbstractContextManager[tuple[str, str, str]] = importlib.import_module("calls").server()
    if chosen.endpoint:
        found = nullcontext((chosen.endpoint, *(os.environ[f"LAKEFS_HL_TEST_{name}"] for name in names)))
    with found as (endpoint, key, secret), tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        bench = Bench(endpoint, key, secret, chosen, Path(folder))
        try:
            yield bench
        finally:
            bench.end()


def main() -> None:
    """Measure the chosen rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="URL of a lakeFS server (one that is started)")
    parser.add_argument("--only", action="append", default=[], help="rows whose name contains this text")
    parser.add_argument("--runs", type=int, default=7, help="pairs of passes of each row (7)")
    parser.add_argument("--calls", type=int, default=500, help="calls of a pass (500)")
    parser.add_argument("--objects", type=int, default=100_000, help="objects that are listed (100,000)")
    parser.add_argument("--threads", type=int, default=32, help="threads of both sides (32)")
    parser.add_argument("--folder", type=Path, help="directory to work in (a temporary one)")
    parser.add_argument("--json", action="store_true", help="print the seconds per call of each row as JSON")
    chosen = parser.parse_args()
    sys.modules["pycurl"] = None  # type: ignore[assignment]  # as if the extra `fast` was not installed
    rows = [each for each in ROWS if not chosen.only or any(text in each.name for text in chosen.only)]
    figures = dict[str, float]()
    with prepared(chosen) as bench:
        if not chosen.json:
            print(f"lakeFS {bench.client.version}; {chosen.runs} pairs; µs per call, or per row of a listing")
            print(f"{'':24}{'wall':>9}{'bare':>9}{'ratio':>6}{'CPU':>9}{'bare':>9}{'ratio':>6}   target")
        for each in rows:
            pairs, calls = measure(each, bench, chosen.runs)
            figures[each.name] = statistics.median(ours.wall for ours, _ in pairs) / calls
            if not chosen.json:
                print(line(each, pairs, calls), flush=True)
        if not chosen.json and any(each.name == "list" for each in rows):
            print(memory_of_listing(bench))
    if chosen.json:
        print(json.dumps({"package": lakefs.__file__, "seconds": figures}, indent=2))


if __name__ == "__main__":
    main()
