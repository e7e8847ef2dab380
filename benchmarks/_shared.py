"""What the benchmarks of `docs/explanation/performance.md` share: the machine, results as JSON, a process and its cost.

A result file has everything that the page says about a run: when and on what it ran, the versions of all that took
part, how it was set, and each single run of each row. `report.py` reads nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

#: Where result files are committed, beside which the page is made.
RESULTS = Path(__file__).resolve().parent / "results"
MIB = 1 << 20


class Unavailable(Exception):
    """A rival or what it needs is missing. The message says what to do."""


class Run(NamedTuple):
    """One run of one row.

    Attributes:
        seconds: Time that passed.
        cpu: Processor time of the process, user and system, in seconds. None if it was not measured.
        peak: Largest resident memory of the process, in bytes. None if it was not measured.
        base: Resident memory before the work, in bytes. None if it was not measured.
        units: Number of objects or versions, or bytes of a large file.
        disk: Bytes on disk afterwards. None if it was not measured.
    """

    seconds: float
    cpu: float | None = None
    peak: int | None = None
    base: int | None = None
    units: int = 1
    disk: int | None = None


@dataclass
class Cell:
    """What one client did in one row.

    Attributes:
        runs: Its runs.
        note: What has to be known to read them, such as its number of threads.
        missing: Why there are none. Empty if there are.
    """

    runs: list[Run] = field(default_factory=list)
    note: str = ""
    missing: str = ""


@dataclass
class Result:
    """Everything that a benchmark found.

    Attributes:
        what: Name of the benchmark.
        scale: Share of the full work. The page takes results of full scale only.
        versions: Name and version of all that took part.
        settings: What else describes the run, as text.
        rows: For each row, for each client, what it did.
        facts: Further figures, by name.
        machine: Description of the machine.
        date: Day of the run.
    """

    what: str
    scale: float
    versions: dict[str, str]
    settings: dict[str, str]
    rows: dict[str, dict[str, Cell]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))

    def cell(self, row: str, who: str) -> Cell:
        """Return what a client did in a row, to be added to."""
        return self.rows.setdefault(row, {}).setdefault(who, Cell())

    def keep_rows(self, before: Result) -> None:
        """Take the rows of an earlier result, if it is of the same day, machine, versions and scale.

        Raises:
            SystemExit: It is not.
        """
        if (self.date, self.machine, self.versions, self.scale) != (
            before.date,
            before.machine,
            before.versions,
            before.scale,
        ):
            raise SystemExit("the output file is of another day, machine, version or scale: name another one")
        self.rows = before.rows

    def write(self, path: Path) -> None:
        """Write the result to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = asdict(self)
        for cells in plain["rows"].values():
            for cell in cells.values():
                cell["runs"] = [
                    [round(value, 7) if value is not None else None for value in run] for run in cell["runs"]
                ]
        text = json.dumps(plain, indent=1)
        text = re.sub(
            r"\[\s+([^][{}\"]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text
        )  # a run, a line
        path.write_text(text + "\n", encoding="utf-8")


def read_result(path: Path) -> Result:
    """Return what is in a result file."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["rows"] = {
        row: {
            who: Cell([Run(*run) for run in cell["runs"]], cell["note"], cell["missing"]) for who, cell in cells.items()
        }
        for row, cells in plain["rows"].items()
    }
    return Result(**plain)


# -- the machine -------------------------------------------------------------------------------------------------------


def describe_machine(folder: Path) -> dict[str, str]:
    """Return the machine and the file system of a directory, in words."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder),
        "Python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a directory is on."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def own_version() -> str:
    """Return the version of this package, with the last commit that changed it if it is a checkout."""
    found = metadata.version("lakefs-hl")
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        ["git", "-C", str(root), "log", "-1", "--format=%h", "--abbrev=10", "--", "lakefs_hl", "pyproject.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{found} ({done.stdout.strip()})" if done.returncode == 0 else found


def version_of(command: Sequence[str]) -> str | None:
    """Return the first line that a command prints about its version. None if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.partition("\n")[0].strip()


def environ(**more: str) -> dict[str, str]:
    """Return the environment for processes that are measured: Python keeps what it compiled, as it does for users."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **more}


# -- a server ----------------------------------------------------------------------------------------------------------


class Server(NamedTuple):
    """A lakeFS server and its keys.

    Attributes:
        url: Its address.
        key: Access key.
        secret: Secret key.
        name: What it is, with its version.
    """

    url: str
    key: str
    secret: str
    name: str

    def __repr__(self) -> str:
        return f"Server({self.url!r}, {self.name!r})"  # without the keys


@contextmanager
def serve_lake(folder: Path) -> Iterator[Server]:
    """Serve an embedded lake by a process of its own."""
    import yaml

    command = [sys.executable, "-m", "lakefs_hl", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ())
    try:
        assert process.stdout is not None
        url = process.stdout.readline().rsplit(" ", 1)[-1].strip()
        if not url.startswith("http"):
            msg = "lakefs-hl serve did not start; try it on its own"
            raise RuntimeError(msg)
        process.stdout.readline()
        keys = yaml.safe_load((folder / "lakectl.yaml").read_text(encoding="utf-8"))["credentials"]
        yield Server(url, keys["access_key_id"], keys["secret_access_key"], "lakefs-hl serve")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def find_server(endpoint: str | None, folder: Path) -> Iterator[Server]:
    """Return the server of an endpoint, whose keys are in the environment, or serve a lake."""
    if endpoint is None:
        with serve_lake(folder / "served") as served:
            yield served
        return
    key, secret = (os.environ.get(f"LAKEFS_HL_TEST_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if not (key and secret):
        msg = "set LAKEFS_HL_TEST_ACCESS_KEY_ID and LAKEFS_HL_TEST_SECRET_ACCESS_KEY to the keys of --endpoint"
        raise SystemExit(msg)
    import lakefs_hl as lakefs  # not above: report.py runs where it is not installed

    with lakefs.Client(endpoint, key, secret) as client:
        yield Server(endpoint.rstrip("/"), key, secret, f"lakeFS {client.version}")


# -- the command line --------------------------------------------------------------------------------------------------


def make_parser(about: str, name: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all of the benchmarks have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], help="rows or clients whose name contains this text")
    parser.add_argument("--runs", type=int, default=3, help="runs of each row (%(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the work (%(default)s)")
    parser.add_argument("--folder", type=Path, help="directory to work in (a temporary one)")
    parser.add_argument(
        "--note", default="", help="a sentence for the page, such as what a version `dev` was built from"
    )
    parser.add_argument("--output", type=Path, help=f"file of the result, such as benchmarks/results/{name}.json")
    return parser


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def is_chosen(chosen: Sequence[str], name: str, known: Sequence[str]) -> bool:
    """Return whether a row or client is one of those chosen. No choice among `known` chooses all of them."""
    meant = [text for text in chosen if any(text in each for each in known)]
    return not meant or any(text in name for text in meant)


def print_result(result: Result, labels: Mapping[str, str]) -> None:
    """Print medians as text, for a look before the page is made."""
    for row, cells in result.rows.items():
        print(f"\n{labels.get(row, row)}")
        for who, cell in cells.items():
            if cell.missing:
                print(f"  {who:24}{cell.missing}")
                continue
            best = sorted(cell.runs)[len(cell.runs) // 2]
            each = "" if best.units == 1 else f"{best.units / best.seconds:14,.0f}/s"
            cpu = "" if best.cpu is None else f"{best.cpu:9.3f} s CPU"
            peak = "" if best.peak is None else f"{best.peak / MIB:8.0f} MiB"
            disk = "" if best.disk is None else f"{best.disk / MIB:10.1f} MiB on disk"
            print(f"  {who:24}{best.seconds:10.3f} s{each}{cpu}{peak}{disk}  {cell.note}")


@contextmanager
def work_folder(parent: Path | None, prefix: str) -> Iterator[Path]:
    """A directory that is removed afterwards."""
    import tempfile

    made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
