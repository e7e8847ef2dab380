"""Clients of lakeFS side by side: `python -m benchmarks.clients [--endpoint URL] [--rivals PYTHON] [--output FILE]`.

Each run of each client in each row is a process of its own, so that its processor time and memory are its own. The
clients take turns, each run in another order. Files are in memory on the client's side. What a client uploaded or
downloaded is counted afterwards. Clients with a number of threads or connections run with the number that is fastest,
which is found before, for each row.

Without `--endpoint` the server is an embedded lake in another process. With it, LAKEFS_HL_TEST_ACCESS_KEY_ID and
LAKEFS_HL_TEST_SECRET_ACCESS_KEY are its keys. `--rivals` names a Python that has lakefs, lakefs-spec and s3fs. With
`--only`, the other rows of an output file of the same day, machine and versions stay in it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lakefs_hl as lakefs
from benchmarks import _shared
from benchmarks._client import SMALL
from benchmarks._shared import Result, Run, Server, say

KIB = 1024
#: Numbers of threads, workers or connections to choose from.
THREADS = (8, 16, 32, 64, 128)
#: A client that has taken this long in a row gets no further run there, in seconds.
PATIENCE = 4.0
#: The same for large files.
PATIENCE_LARGE = 12.0
#: A run that takes longer than this is ended, in seconds.
LONGEST = 300
#: Where files lie on the client's side: in memory, so that reading and writing them costs little for all.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
PER_DIRECTORY = 500
HERE = Path(__file__).resolve().parent

#: Files of the standard library, about. A client with a share gets evenly spread ones.
LIBRARY = 2400

#: Rows, as tables print them.
ROWS = {
    "up 1 KiB": "5,000 files of 1 KiB up",
    "down 1 KiB": "5,000 files of 1 KiB down",
    "up 64 KiB": "5,000 files of 64 KiB up",
    "down 64 KiB": "5,000 files of 64 KiB down",
    "up tree": "the standard library up",
    "down tree": "the standard library down",
    "up 1 GiB": "1 GiB up",
    "down 1 GiB": "1 GiB down to a file",
    "list": "list 100,000",
    "stat serial": "1,000 stats, one after the other",
    "read serial": "1,000 reads of 1 KiB, one after the other",
    "write serial": "250 writes of 1 KiB, one after the other",
    "stat bulk": "1,000 stats, at once",
    "import": "import and first client, or start of the command",
}

OURS = ("lakefs_hl", "lakefs_hl, aio", "lakefs_hl, threads", "lakefs_hl, verify=False")
RIVALS = ("lakefs", "lakefs-spec", "s3fs")
CLIENTS = (*OURS, *RIVALS, "lakectl", "curl", "urllib3", "md5")
#: Share of the objects that slow clients get in rows of many objects, so that a run ends within seconds.
SHARES = {"lakefs": 0.3, "s3fs": 0.1, "lakefs-spec": 0.02}
#: Rows of many objects in which threads are compared, ours with a bare loop.
THREADED = ("up 1 KiB", "down 1 KiB", "stat bulk")
#: What a cell says that no table shows.
NO_PART = "not part of this row"
#: Rows and clients that are not measured, and why.
LEFT_OUT = {
    ("stat bulk", "lakectl"): "has no such call",
    ("list", "curl"): "has no such call",
}
#: Clients whose number of threads is chosen, and the number for those that are not faster with more.
CHOSEN = {"lakefs", "lakectl", "curl"}
FIXED = {"urllib3": 32, "lakefs-spec": 32, "s3fs": 32}
#: Up to a client that can be used: our package loads its parts when they are needed.
IMPORTS = {
    "lakefs_hl": "import lakefs_hl; lakefs_hl.Client('http://127.0.0.1:1', 'key', 'secret')",
    "lakefs": "import lakefs; lakefs.client.Client(host='http://127.0.0.1:1', username='key', password='secret')",
    "lakefs-spec": "import lakefs_spec; lakefs_spec.LakeFSFileSystem('http://127.0.0.1:1', 'key', 'secret')",
    "s3fs": "import s3fs; s3fs.S3FileSystem(key='key', secret='secret', endpoint_url='http://127.0.0.1:1')",
}


class Failed(Exception):
    """A client did not do what it was asked to."""


@dataclass
class Bench:
    """One run of the benchmark.

    Attributes:
        server: The server.
        folder: Directory in memory.
        rivals: Python that has the rivals.
        commands: Path of each command.
        scale: Share of the work.
        repo: The repository.
        result: Receives what is found.
        storage_hosts: Hosts of the object store that pre-signed URLs may name.
    """

    server: Server
    folder: Path
    rivals: str
    commands: dict[str, str | None]
    scale: float
    repo: Any
    result: Result
    storage_hosts: list[str] = field(default_factory=list)
    _sources: dict[tuple[str, int], Path] = field(default_factory=dict)
    _loaded: dict[str, str] = field(default_factory=dict)

    # -- data ----------------------------------------------------------------------------------------------------------

    def count(self, full: int, who: str = "") -> int:
        """Return the number of objects of a row, for a client that may get a share only."""
        return max(round(full * self.scale * SHARES.get(who, 1.0)), 4)

    def source(self, kind: str, who: str) -> Path:
        """Return a directory of files or a large file, made on the first call."""
        if kind == "1 GiB":
            key = (kind, self.count(1024))
        else:
            key = (kind, self.count(LIBRARY if kind == "tree" else 5000, who))
        if key not in self._sources:
            self._sources[key] = make_source(self.folder / f"source {len(self._sources)}", kind, key[1])
        return self._sources[key]

    def stamp(self, source: Path) -> None:
        """Change the beginning of each file: a server that stores equal content once gains nothing."""
        files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        for file in files:
            if file.stat().st_size >= 16:  # shorter ones are stored in the database, not once for equal content
                with file.open("r+b") as opened:
                    opened.write(secrets.token_bytes(16))

    def loaded(self, kind: str, who: str) -> str:
        """Return the prefix or path of objects to read, uploaded on the first call."""
        source = self.source(kind, who)
        key = str(source)
        if key not in self._loaded:
            place = f"read/{len(self._loaded)}"
            branch = self.repo.branch("main")
            if source.is_file():
                branch.upload_file(source, place, progress=False)
                self._loaded[key] = place
            else:
                branch.upload_dir(source, f"{place}/", progress=False)
                self._loaded[key] = f"{place}/"
        return self._loaded[key]

    def listing(self) -> tuple[str, int]:
        """Return the prefix and number of the objects to list, uploaded on the first call."""
        count = self.count(100_000)
        if "list/" not in self._loaded:
            branch = self.repo.branch("main")
            branch.upload_many(((listed(index), b"listed") for index in range(count)), progress=False)
            branch.commit("objects to list and to look up")
            self._loaded["list/"] = "list/"
        return "list/", count

    # -- one run -------------------------------------------------------------------------------------------------------

    def job(
        self, row: str, who: str, threads: int, prefix: str
    ) -> tuple[str, dict[str, Any], int, Callable[[Any], None]]:
        """Return the method, its job, the number of units, and a check of what the client returned."""
        job: dict[str, Any] = {
            "endpoint": self.server.url,
            "key": self.server.key,
            "secret": self.server.secret,
            "repository": self.repo.id,
            "warm": "warm",
            "threads": threads,
            "storage_hosts": self.storage_hosts,
            "command": self.commands.get(who) or "",
        }
        kind = row.partition(" ")[2]
        if who == "md5":
            source = self.source(kind, who)
            return "up_file", job | {"source": str(source)}, source.stat().st_size, lambda _: None
        if row.startswith("up "):
            source = self.source(kind, who)
            self.stamp(source)
            files = 1 if source.is_file() else sum(1 for file in source.rglob("*") if file.is_file())
            units = source.stat().st_size if source.is_file() else files
            place = prefix if source.is_file() else f"{prefix}/"
            job |= {"source": str(source), "prefix": place}

            def check(_: Any) -> None:
                found = sum(1 for _ in self.repo.branch("main").list_objects(prefix=place, delimiter=""))
                expect(who, found, files)

            return ("up_file" if source.is_file() else "up_dir"), job, units, check
        if row.startswith("down "):
            source, place = self.source(kind, who), self.loaded(kind, who)
            target = self.folder / "target"
            if source.is_dir():
                target.mkdir()
            sizes = tree_size(source)
            names = [f"{place}{path.relative_to(source).as_posix()}" for path in source.rglob("*") if path.is_file()]
            job |= {"target": str(target), "prefix": place, "paths": names}
            units = source.stat().st_size if source.is_file() else sizes[0]
            return (
                "down_file" if source.is_file() else "down_dir",
                job,
                units,
                lambda _: expect(who, tree_size(target), sizes),
            )
        place, count = self.listing()
        if row == "list":
            return "list", job | {"prefix": place}, count, lambda found: expect(who, found, count)
        amount = self.count(1000)
        if who == "lakectl":
            amount = max(amount // 20, 4)  # a process for each
        dice = random.Random(0)
        paths = [listed(index) for index in dice.sample(range(count), min(amount, count))]
        if row == "read serial":
            paths, count = [f"small/{index:04}" for index in range(amount)], amount
            if "small/" not in self._loaded:
                self.repo.branch("main").upload_many(((path, SMALL) for path in paths), progress=False)
                self._loaded["small/"] = "small/"
        if row == "write serial":
            paths = [f"{prefix}/{index:04}" for index in range(max(amount // 4, 4))]
        method = row.replace(" ", "_")
        return method, job | {"paths": paths}, len(paths), lambda found: expect(who, found, len(paths))

    def run(self, row: str, who: str, threads: int) -> Run | str:
        """Run a client once. Returns why it cannot if it cannot."""
        if row == "import":
            return self.start(who)
        method, job, units, check = self.job(row, who, threads, f"up/{secrets.token_hex(6)}")
        try:
            found = self.call(who, method, job)
            if "missing" not in found:
                check(found["count"])
        except Failed as exc:
            return f"failed: {exc}"
        finally:
            remove(self.folder / "target")
        if "missing" in found:
            return str(found["missing"])
        if who in OURS and is_many(row):
            self.result.cell(row, who).note = "fast lane" if found["lane"] else "threads"
        return Run(found["seconds"], found["cpu"], found["peak"], found["base"] or None, units)

    def call(self, who: str, method: str, job: dict[str, Any]) -> dict[str, Any]:
        """Start a client, and return what it printed.

        Raises:
            Failed: It ended with an error.
        """
        python = self.rivals if who in RIVALS else sys.executable
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            try:
                done = subprocess.run(
                    [python, str(HERE / "_client.py"), who, method],
                    input=json.dumps({**job, "folder": work}),
                    capture_output=True,
                    text=True,
                    check=False,
                    env=_shared.environ(),
                    timeout=LONGEST,
                )
            except subprocess.TimeoutExpired:
                raise Failed(f"took longer than {LONGEST} s") from None
        if done.returncode:
            raise Failed(last_line(done.stderr, self.server.secret))
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def start(self, who: str) -> Run | str:
        """Measure the import of a package less the start of its Python, or the start of a command."""
        if who in self.commands:
            command = self.commands[who]
            return "not installed" if command is None else child([command, "--version"])
        if who not in IMPORTS:
            return "has no import of its own"
        python = self.rivals if who in RIVALS else sys.executable
        try:
            bare, whole = child([python, "-c", "pass"]), child([python, "-c", IMPORTS[who]])
        except subprocess.CalledProcessError:
            return "not installed"
        return Run(whole.seconds - bare.seconds, (whole.cpu or 0) - (bare.cpu or 0))

    # -- rows ----------------------------------------------------------------------------------------------------------

    def choose(self, row: str, who: str) -> int:
        """Return the number of threads that is fastest for a client in a row of many objects, on half of them."""
        if not is_many(row):
            return 1 if who == "urllib3" else 0
        if who not in CHOSEN:
            return FIXED.get(who, 0)
        share = SHARES.get(who, 1.0)
        SHARES[who] = share / 2
        try:
            method, job, _, _ = self.job(row, who, 0, f"up/{secrets.token_hex(6)}")
            return int(self.call(who, method, {**job, "choices": THREADS}).get("threads", 0))
        except Failed:
            return THREADS[0]  # its run says what is wrong
        finally:
            SHARES[who] = share
            remove(self.folder / "target")

    def measure(self, row: str, clients: list[str], runs: int) -> None:
        """Measure all clients in a row, in turn."""
        say(f"{row} …")
        able = list(clients)
        threads = dict[str, int]()
        patience = PATIENCE_LARGE if "GiB" in row else PATIENCE
        for who in clients:
            cell = self.result.cell(row, who)
            if (row, who) in LEFT_OUT or not is_part(row, who):
                cell.missing = LEFT_OUT.get((row, who), NO_PART)
            elif who == "s3fs" and self.server.name.startswith("lakefs-hl") and row != "import":
                cell.missing = "this server has no S3 gateway"
            elif who in self.commands and self.commands[who] is None:
                cell.missing = "not installed"
            if cell.missing:
                able.remove(who)
        for number in range(runs):
            turn = able[number % len(able) :] + able[: number % len(able)] if able else []
            for who in turn:
                cell = self.result.cell(row, who)
                if cell.missing or sum(run.seconds for run in cell.runs) > patience:
                    continue
                if who not in threads:
                    threads[who] = self.choose(row, who)
                    cell.note = f"{threads[who]} at a time" if who in CHOSEN and is_many(row) else ""
                found = self.run(row, who, threads[who])
                if isinstance(found, str):
                    cell.missing, cell.note, cell.runs = found, "", []
                    say(f"  {who}: {found}")
                else:
                    cell.runs.append(found)


def is_many(row: str) -> bool:
    """Return whether a row has many objects, over which a client can use threads."""
    return row in {"up 1 KiB", "down 1 KiB", "up 64 KiB", "down 64 KiB", "up tree", "down tree", "stat bulk"}


def is_part(row: str, who: str) -> bool:
    """Return whether a row is about a client at all."""
    if who in {"md5", "lakefs_hl, verify=False"}:
        return row in {"up 1 GiB", "down 1 GiB"}
    if row == "import":
        return who in {*IMPORTS, "lakectl", "curl"}
    if row in {"read serial", "write serial"}:
        return who in {"lakefs_hl", "lakefs", "urllib3"}
    if who == "lakefs_hl, threads":  # one request at a time is the same with and without the lane
        return row in THREADED
    return who != "urllib3" or not is_many(row) or row in THREADED


def expect(who: str, found: object, wanted: object) -> None:
    """Check what a client did."""
    if found != wanted:
        msg = f"{who} has {found} instead of {wanted}"
        raise Failed(msg)


def listed(index: int) -> str:
    """Return the path of an object to list."""
    return f"list/part-{index // 1000:03}/file-{index:06}"


def make_source(place: Path, kind: str, count: int) -> Path:
    """Make a directory of files, or a large file."""
    if kind == "1 GiB":
        block = bytearray(os.urandom(1 << 20))
        with place.open("wb") as file:
            for index in range(count):
                block[16:24] = index.to_bytes(8)
                file.write(block)
        return place
    if kind == "tree":
        copy_library(place, count)
        return place
    size = int(kind.partition(" ")[0]) * KIB
    for index in range(count):
        path = place / f"d{index // PER_DIRECTORY:03}" / f"f{index:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return place


def copy_library(place: Path, count: int = LIBRARY) -> None:
    """Copy the standard library of this Python, or as many of its files as are asked for."""
    library = Path(sysconfig.get_paths()["stdlib"])
    left_out = {"__pycache__", "site-packages", "dist-packages"}
    files = [
        file
        for file in sorted(library.rglob("*"))
        if file.is_file() and not left_out & set(file.relative_to(library).parts)
    ]
    for file in files[:: max(len(files) // count, 1)]:
        target = place / file.relative_to(library)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())


def tree_size(place: Path) -> tuple[int, int]:
    """Return the number and the bytes of the files of a directory, or of a file."""
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return len(files), sum(file.stat().st_size for file in files)


def remove(place: Path) -> None:
    """Remove a file or a directory if it exists."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def last_line(text: str, secret: str) -> str:
    """Return the last line of a traceback, without the secret."""
    lines = text.strip().splitlines() or ["no message"]
    return lines[-1][:300].replace(secret, "…")


def child(command: list[str]) -> Run:
    """Run a command to its end."""
    import time

    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_shared.environ(),
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command[0])
    return Run(seconds, usage.ru_utime + usage.ru_stime)  # its memory would be that of this process before it


def find_versions(rivals: str, commands: dict[str, str | None]) -> dict[str, str]:
    """Return the versions of all clients."""
    found = {"lakefs_hl": _shared.own_version()}
    for python, names in ((sys.executable, ("urllib3", "pycurl")), (rivals, (*RIVALS, "lakefs-sdk"))):
        done = subprocess.run(
            [python, str(HERE / "_client.py"), "versions", *names], capture_output=True, text=True, check=True
        )
        found |= {name: version or "not installed" for name, version in json.loads(done.stdout).items()}
    for name, command in commands.items():
        version = _shared.version_of([command, "--version"]) if command else None
        found[name] = (version or "not installed").removeprefix("lakectl version: ").partition(" (")[0]
    return found


def main() -> None:
    """Measure the chosen rows and clients."""
    parser = _shared.make_parser(__doc__ or "", "clients")
    parser.add_argument("--endpoint", help="a lakeFS server (an embedded lake, served by another process)")
    parser.add_argument("--namespace", help="prefix of the storage namespace (what the server proposes)")
    parser.add_argument(
        "--storage-host", action="append", default=[], help="host of the object store that pre-signed URLs may name"
    )
    parser.add_argument("--rivals", default=sys.executable, metavar="PYTHON", help="Python that has the other clients")
    parser.add_argument("--lakectl", default=shutil.which("lakectl"), help="path of lakectl (that of PATH)")
    chosen = parser.parse_args()
    rows = [row for row in ROWS if _shared.is_chosen(chosen.only, row, list(ROWS))]
    clients = [who for who in CLIENTS if _shared.is_chosen(chosen.only, who, CLIENTS)]
    commands = {"lakectl": chosen.lakectl, "curl": shutil.which("curl")}
    with (
        _shared.work_folder(MEMORY, "clients-") as folder,
        _shared.work_folder(chosen.folder, "clients-") as disk,
        _shared.find_server(chosen.endpoint, disk) as server,
        lakefs.Client(server.url, server.key, server.secret, allowed_storage_hosts=chosen.storage_host) as client,
    ):
        settings = {"server": server.name, "note": chosen.note}
        result = Result("clients", chosen.scale, find_versions(chosen.rivals, commands), settings)
        result.machine = _shared.describe_machine(disk)
        if chosen.only and chosen.output and chosen.output.exists():
            result.keep_rows(_shared.read_result(chosen.output))
        name = f"clients-{secrets.token_hex(4)}"
        namespace = f"{chosen.namespace.rstrip('/')}/{name}" if chosen.namespace else None
        repo = lakefs.repository(name, client=client).create(namespace)
        try:
            repo.branch("main").upload(b"warm", "warm")
            bench = Bench(server, folder, chosen.rivals, commands, chosen.scale, repo, result, chosen.storage_host)
            for row in rows:
                result.rows[row] = {}
                bench.measure(row, clients, chosen.runs)
                if chosen.output:
                    result.write(chosen.output)
        finally:
            repo.delete(force=True)
    _shared.print_result(result, ROWS)


if __name__ == "__main__":
    main()
