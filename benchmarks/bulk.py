"""Measure bulk work next to its rivals: `python benchmarks/bulk.py [--only write] [--runs 5] [--json]`.

Each row is a function that prepares one piece of work and returns two ways to do it: ours, and that of a rival. The two
run in turn, each first in every second pair, so that a drift of the machine favors neither. What is durable on one side
is durable on the other. A row shows the medians, the median of the ratios (ours to the rival), and whether it reaches
its target.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import lakefs_hl as lakefs


@dataclass(frozen=True)
class Race:
    """Two ways to do the same work. Each returns the seconds that it took.

    Attributes:
        ours: Our way.
        rival: The rival's way.
        units: Number of calls or files in the work. The table shows the time of one.
        end: Called after the last run.
    """

    ours: Callable[[], float]
    rival: Callable[[], float]
    units: int = 1
    end: Callable[[], object] = bool


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: What is measured.
        rival: Name of the rival.
        target: Largest ratio of the times, ours to the rival's. None if the row only shows where time goes.
        prepare: Prepares the work in an empty directory.
    """

    name: str
    rival: str
    target: float | None
    prepare: Callable[[Path], Race]


ROWS: list[Row] = []


def row(name: str, rival: str, target: float | None) -> Callable[[Callable[[Path], Race]], Callable[[Path], Race]]:
    """Add a function to the table."""

    def add(prepare: Callable[[Path], Race]) -> Callable[[Path], Race]:
        ROWS.append(Row(name, rival, target, prepare))
        return prepare

    return add


# -- many small writes to one file -------------------------------------------------------------------------------------

WRITES = 1_000_000


def make_writes(folder: Path, mode: str, *, whole: bool) -> Race:
    """Many writes of 20 bytes to one file: without its end, or from `open` until it is durable."""
    lines: list[Any] = [f"{number:019}\n" for number in range(1000)]
    if "b" in mode:
        lines = [line.encode() for line in lines]
    client = lakefs.Client(f"local:{folder}/lake")
    branch: Any = lakefs.repository("bench", client=client).create().branch("main")

    def seconds(open_file: Callable[[], IO[Any]], end: Callable[[Any], object]) -> float:
        start = time.perf_counter()
        file = open_file()
        for _ in range(WRITES // len(lines)):
            for line in lines:
                file.write(line)
        written = time.perf_counter()
        end(file)
        return (time.perf_counter() if whole else written) - start

    def sync(file: IO[Any]) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()

    return Race(
        lambda: seconds(lambda: branch.open("a.txt", mode), lambda file: file.close()),
        lambda: seconds(lambda: Path(folder, "a.txt").open(mode), sync),
        WRITES,
        client.close,
    )


@row("write(20 characters), open('w')", "open(…, 'w')", 2.0)
def write_text(folder: Path) -> Race:
    return make_writes(folder, "w", whole=False)


@row("write(20 bytes), open('wb')", "open(…, 'wb')", 2.0)
def write_bytes(folder: Path) -> Race:
    return make_writes(folder, "wb", whole=False)


@row("the same from open() to the durable object", "open(…, 'w') + fsync", None)  # of which 44 ms are its MD5
def write_whole_text(folder: Path) -> Race:
    return make_writes(folder, "w", whole=True)


@row("the same from open() to durable bytes", "open(…, 'wb') + fsync", None)
def write_whole_bytes(folder: Path) -> Race:
    return make_writes(folder, "wb", whole=True)


# -- folders and many objects ------------------------------------------------------------------------------------------

BYTES = 120
GIB = 1 << 30
#: Where the files lie that are uploaded: in memory, so that reading them costs little on both sides.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())


def path_of(index: int) -> str:
    return f"d{index // 500:03}/f{index:06}.txt"


def bodies_of(count: int) -> list[bytes]:
    return [os.urandom(BYTES // 2).hex().encode() for _ in range(count)]


def make_files(folder: Path, bodies: list[bytes]) -> None:
    """Write files of a directory."""
    for index, body in enumerate(bodies):
        path = folder / path_of(index)
        if not index % 500:
            path.parent.mkdir(parents=True)
        path.write_bytes(body)


class Lakes:
    """Lakes on disk, each with a repository, until the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clients: list[Any] = []
        self._number = 0

    def branch(self) -> Any:
        """Return a branch of a new lake."""
        self._number += 1
        client = lakefs.Client(f"local:{self._folder}/lake{self._number}")
        self._clients.append(client)
        return lakefs.repository("bench", client=client).create().branch("main")

    def close(self) -> None:
        """Close all of them."""
        for client in self._clients:
            client.close()


def git(*words: str, folder: Path, tree: Path) -> None:
    """Run git without a user's configuration."""
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", f"--git-dir={folder}", f"--work-tree={tree}", *words]
    subprocess.run(command, check=True, env={**os.environ, **fixed, **who}, stdout=subprocess.DEVNULL)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make_commits(folder: Path, count: int, *, memory: bool) -> Race:
    """Many small files and one commit: of a folder or from memory, next to git as it comes, which syncs less."""
    bodies, lakes, number = bodies_of(count), Lakes(folder), iter(range(1000))
    source = Path(tempfile.mkdtemp(dir=MEMORY))
    make_files(source, bodies)

    def ours() -> float:
        branch = lakes.branch()

        def work() -> None:
            if memory:
                branch.upload_many(((path_of(index), body) for index, body in enumerate(bodies)), progress=False)
            else:
                branch.upload_dir(source, progress=False)
            branch.commit("all")

        return timed(work)

    def rival() -> float:
        place = folder / f"git{next(number)}"
        git("init", "-q", folder=place, tree=source)

        def work() -> None:
            git("add", "-A", folder=place, tree=source)
            git("commit", "-q", "-m", "all", folder=place, tree=source)

        return timed(work)

    def end() -> None:
        lakes.close()
        shutil.rmtree(source)

    return Race(ours, rival, count, end)


@row("20,000 files of 120 B, from memory, commit", "git add, git commit", 1.0)
def commit_20_000_from_memory(folder: Path) -> Race:
    return make_commits(folder, 20_000, memory=True)


@row("50,000 files of 120 B, from memory, commit", "git add, git commit", 1.0)
def commit_50_000_from_memory(folder: Path) -> Race:
    return make_commits(folder, 50_000, memory=True)


@row("20,000 files of 120 B, of a folder, commit", "git add, git commit", 1.0)
def commit_20_000_of_a_folder(folder: Path) -> Race:
    return make_commits(folder, 20_000, memory=False)


@row("50,000 files of 120 B, of a folder, commit", "git add, git commit", 1.0)
def commit_50_000_of_a_folder(folder: Path) -> Race:
    return make_commits(folder, 50_000, memory=False)


def make_checkout(folder: Path, lakes: Lakes) -> Any:
    """Commit 20,000 files to a new lake, whose branch is returned, and to `git` in the directory."""
    bodies, branch = bodies_of(20_000), lakes.branch()
    branch.upload_many(((path_of(index), body) for index, body in enumerate(bodies)), progress=False)
    branch.commit("all")
    source = Path(tempfile.mkdtemp(dir=MEMORY))
    make_files(source, bodies)
    git("init", "-q", folder=folder / "git", tree=source)
    git("add", "-A", folder=folder / "git", tree=source)
    git("commit", "-q", "-m", "all", folder=folder / "git", tree=source)
    shutil.rmtree(source)
    (folder / "git" / "index").unlink()
    return branch


CHECKOUT = ("checkout", "-q", "-f", "HEAD", "--", ".")


@row("download of 20,000 files of 120 B", "git checkout", 1.3)
def checkout(folder: Path) -> Race:
    lakes, number = Lakes(folder), iter(range(1000))
    branch = make_checkout(folder, lakes)

    def ours() -> float:
        target = folder / f"out{next(number)}"
        return timed(lambda: branch.download_dir("", target, progress=False))

    def rival() -> float:
        target = folder / f"out{next(number)}"
        target.mkdir()
        (folder / "git" / "index").unlink(missing_ok=True)
        return timed(lambda: git(*CHECKOUT, folder=folder / "git", tree=target))

    return Race(ours, rival, 20_000, lakes.close)


def count_syscalls(folder: Path | None) -> Iterator[str]:
    """Yield the system calls of a download and of a checkout of 20,000 files, per file."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work, lakes = Path(name), Lakes(Path(name))
        make_checkout(work, lakes)
        lakes.close()
        (work / "tree").mkdir()
        client = f"client=lakefs.Client('local:{work}/lake1')"
        script = f"lakefs.repository('bench', {client}).branch('main').download_dir('', '{work}/out', progress=False)"
        ours = [sys.executable, "-c", f"import lakefs_hl as lakefs; {script}"]
        rival = ["git", f"--git-dir={work}/git", f"--work-tree={work}/tree", *CHECKOUT]
        for side, command in (("ours", ours), ("git", rival)):
            log = work / "strace"
            subprocess.run(["strace", "-f", "-c", "-o", str(log), *command], check=True)
            rows = [line.split() for line in log.read_text().splitlines()]
            counts = [(int(row[3]) / 20_000, row[-1]) for row in rows if row[3:] and row[3].isdigit()]
            found = sorted((each for each in counts if each[1] != "total"), reverse=True)
            yield f"{side}: " + ", ".join(f"{call} {count:.2f}" for count, call in found if count >= 0.01)


def make_large(folder: Path) -> Path:
    """Return a file of 1 GiB, whose blocks differ."""
    path, block = folder / "large", bytearray(os.urandom(1 << 20))
    with path.open("wb") as file:
        for index in range(GIB >> 20):
            block[:4] = index.to_bytes(4)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return path


@row("1 GiB in", "the slower of cp + fsync and MD5", 1.15)
def large_in(folder: Path) -> Race:
    source, lakes, number = make_large(folder), Lakes(folder), iter(range(1000))
    branch = lakes.branch()

    def ours() -> float:
        found = timed(lambda: branch.upload(source, f"large{next(number)}"))
        for blob in folder.glob("lake*/objects/??/*"):  # the next run stores it again
            blob.unlink()
        return found

    def copy() -> None:
        target = folder / "copy"
        subprocess.run(["cp", "--reflink=auto", str(source), str(target)], check=True)
        with target.open("rb") as file:
            os.fsync(file.fileno())

    def md5() -> None:
        with source.open("rb", buffering=0) as file:
            hashlib.file_digest(file, "md5")

    return Race(ours, lambda: max(timed(copy), timed(md5)), 1, lakes.close)


@row("1 GiB out to a file", "cp", 1.3)
def large_out(folder: Path) -> Race:
    source, lakes = make_large(folder), Lakes(folder)
    branch, target = lakes.branch(), folder / "out"
    branch.upload(source, "large")

    def ours() -> float:
        target.unlink(missing_ok=True)
        return timed(lambda: branch.download_file("large", target, progress=False))

    def copy() -> float:
        target.unlink(missing_ok=True)
        return timed(lambda: subprocess.run(["cp", "--reflink=auto", str(source), str(target)], check=True))

    return Race(ours, copy, 1, lakes.close)


@row("again, nothing changed, 50,000 files", "git status", None)
def again(folder: Path) -> Race:
    bodies, lakes = bodies_of(50_000), Lakes(folder)
    branch, source = lakes.branch(), Path(tempfile.mkdtemp(dir=MEMORY))
    make_files(source, bodies)
    branch.upload_dir(source, update=True, progress=False)
    branch.commit("all")
    git("init", "-q", folder=folder / "git", tree=source)
    git("add", "-A", folder=folder / "git", tree=source)

    def end() -> None:
        lakes.close()
        shutil.rmtree(source)

    return Race(
        lambda: timed(lambda: branch.upload_dir(source, update=True, progress=False)),
        lambda: timed(lambda: git("status", folder=folder / "git", tree=source)),
        1,
        end,
    )


# -- a server ----------------------------------------------------------------------------------------------------------

KIB = 1024
MANY = 5000
#: Numbers of threads that the rival is tried with. It runs with the one that is fastest.
THREADS = (8, 16, 32, 64, 128)


class Unavailable(Exception):
    """What a row needs is not there; the message says what to do."""


class Official:
    """The official client `lakefs`, in a loop over threads, as one uses it for many objects."""

    def __init__(self, endpoint: str, key: str, secret: str, repository: str) -> None:
        try:
            official: Any = importlib.import_module("lakefs")
        except ImportError:
            msg = "pip install lakefs"
            raise Unavailable(msg) from None
        client = official.client.Client(host=endpoint, username=key, password=secret)
        # without it, more than 10 threads close and open a connection for each request
        manager = client.sdk_client.objects_api.api_client.rest_client.pool_manager
        manager.connection_pool_kw["maxsize"] = max(THREADS)
        self._branch: Any = official.Repository(repository, client=client).branch("main")
        self.threads = THREADS[0]

    def each(self, work: Callable[[Any, int], object], count: int) -> float:
        """Call a function with the branch and each of `count` numbers, on threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            return timed(lambda: list(pool.map(partial(work, self._branch), range(count))))

    def choose_threads(self, work: Callable[[Any, int], object]) -> None:
        """Find the number of threads that is fastest."""
        seconds = dict[int, float]()
        for self.threads in THREADS:
            seconds[self.threads] = min(self.each(work, MANY // 5) for _ in range(2))
        self.threads = min(seconds, key=seconds.__getitem__)
        print(f"  the rival is fastest with {self.threads} threads", file=sys.stderr, flush=True)


def make_server(
    folder: Path,
    ours: Callable[[Any, Path, list[bytes]], object],
    rival: Callable[[Any, Path, int, bytes], object],
    *,
    loads: bool = False,
) -> Race:
    """Small objects and a lakeFS server: ours in one call, and a loop of the official client.

    Args:
        folder: An empty directory.
        ours: Called with a branch, a directory of files and their contents.
        rival: Called with a branch of the official client, the directory, and the number and content of one object.
        loads: Whether the objects are read, and so are written before.
    """
    names = ("ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    endpoint, key, secret = (os.environ.get(f"LAKEFS_HL_TEST_{name}", "") for name in names)
    if not (endpoint and key and secret):
        msg = f"set LAKEFS_HL_TEST_{', '.join(names)} to a lakeFS server and its keys"
        raise Unavailable(msg)
    bodies, number = [os.urandom(KIB // 2).hex().encode() for _ in range(MANY)], iter(range(1000))
    source = Path(tempfile.mkdtemp(dir=MEMORY))
    make_files(source, bodies)
    client = lakefs.Client(endpoint, key, secret)
    repo = lakefs.repository(f"bench-{os.urandom(6).hex()}", client=client).create()
    official = Official(endpoint, key, secret, repo.id)
    if loads:
        repo.branch("main").upload_dir(source, progress=False)

    def one(target: Path, branch: Any, index: int) -> object:
        return rival(branch, target, index, bodies[index])

    def place() -> Path:
        return folder / f"out{next(number)}" if loads else source

    def end() -> None:
        repo.delete(force=True)
        client.close()
        shutil.rmtree(source)

    ours(repo.branch("main"), place(), bodies)  # both connect before
    official.choose_threads(partial(one, place()))
    return Race(
        lambda: timed(partial(ours, repo.branch("main"), place(), bodies)),
        lambda: official.each(partial(one, place()), MANY),
        MANY,
        end,
    )


def put_official(branch: Any, path: str, body: bytes) -> None:
    # told what to do: it would ask for the repository before each object
    branch.object(path).upload(data=body, mode="wb", pre_sign=False)


def get_official(branch: Any, path: str) -> bytes:
    found: bytes = branch.object(path).reader(mode="rb", pre_sign=False).read()
    return found


def save_official(branch: Any, target: Path, index: int, _: bytes) -> None:
    file = target / path_of(index)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(get_official(branch, path_of(index)))


@row("server: 5,000 of 1 KiB, from memory", "official lakefs", 1 / 1.2)
def server_upload_many(folder: Path) -> Race:
    return make_server(
        folder,
        lambda branch, _, bodies: branch.upload_many(
            ((path_of(index), body) for index, body in enumerate(bodies)), progress=False
        ),
        lambda branch, _, index, body: put_official(branch, path_of(index), body),
    )


@row("server: 5,000 files of 1 KiB, of a folder", "official lakefs", 1 / 1.2)
def server_upload_dir(folder: Path) -> Race:
    return make_server(
        folder,
        lambda branch, source, _: branch.upload_dir(source, progress=False),
        lambda branch, source, index, _: put_official(branch, path_of(index), (source / path_of(index)).read_bytes()),
    )


@row("server: 5,000 of 1 KiB to memory", "official lakefs", 1 / 1.2)
def server_download_many(folder: Path) -> Race:
    return make_server(
        folder,
        lambda branch, _, bodies: branch.download_many(map(path_of, range(len(bodies))), progress=False),
        lambda branch, _, index, __: get_official(branch, path_of(index)),
        loads=True,
    )


@row("server: 5,000 of 1 KiB to a folder", "official lakefs", 1 / 1.2)
def server_download_dir(folder: Path) -> Race:
    return make_server(
        folder,
        lambda branch, target, _: branch.download_dir("", target, progress=False),
        save_official,
        loads=True,
    )


# -- the frame ---------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure the chosen rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="rows whose name or function contains this text")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs of each row (5)")
    parser.add_argument("--folder", type=Path, help="directory to work in (a temporary one)")
    parser.add_argument("--json", action="store_true", help="print the seconds of each row as JSON")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--syscalls", action="store_true", help="count system calls per downloaded file (strace)")
    chosen = parser.parse_args()
    if chosen.syscalls:
        for line in count_syscalls(chosen.folder):
            print(line)
        return
    rows = [each for each in ROWS if not chosen.only or any(is_named(each, text) for text in chosen.only)]
    if chosen.list:
        print("\n".join(each.name for each in rows))
        return
    found = dict[str, tuple[list[tuple[float, float]], int]]()
    for each in rows:
        try:
            found[each.name] = measure(each, chosen.runs, chosen.folder)
        except Unavailable as exc:
            print(f"  left out: {exc}", file=sys.stderr, flush=True)
    rows = [each for each in rows if each.name in found]
    if chosen.json:
        seconds = {name: statistics.median(ours for ours, _ in pairs) for name, (pairs, _) in found.items()}
        rivals = {name: statistics.median(rival for _, rival in pairs) for name, (pairs, _) in found.items()}
        print(json.dumps({"package": lakefs.__file__, "seconds": seconds, "rivals": rivals}))
        return
    for line in table(rows, found):
        print(line)


def is_named(each: Row, text: str) -> bool:
    """Return whether a row is meant by a text."""
    return text in each.name or text in each.prepare.__name__


def measure(each: Row, runs: int, folder: Path | None) -> tuple[list[tuple[float, float]], int]:
    """Return the seconds of each pair of runs, ours and the rival's, and the number of units."""
    print(f"{each.name} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as work:
        race = each.prepare(Path(work))
        pairs = []
        try:
            for number in range(runs):
                gc.collect()
                if number % 2:
                    rival = race.rival()
                    pairs.append((race.ours(), rival))
                else:
                    pairs.append((race.ours(), race.rival()))
        finally:
            race.end()
    return pairs, race.units


def table(rows: list[Row], found: dict[str, tuple[list[tuple[float, float]], int]]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'':44}{'ours':>12}{'rival':>12}{'ratio':>8}{'target':>10}  rival"
    for each in rows:
        pairs, units = found[each.name]
        ours, rival = (statistics.median(pair[side] for pair in pairs) / units for side in (0, 1))
        ratio = statistics.median(mine / other for mine, other in pairs)
        target = "-" if each.target is None else f"<= {each.target:g}"
        verdict = "" if each.target is None or ratio <= each.target else "  MISSED"
        yield f"{each.name:44}{shown(ours):>12}{shown(rival):>12}{ratio:8.2f}{target:>10}  {each.rival}{verdict}"


def shown(seconds: float) -> str:
    """Return a time in a unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


if __name__ == "__main__":
    main()
