"""Versions of local data by this package, git, dvc and oxen: `python -m benchmarks.versioning [--rivals PYTHON]`.

All work in the same directory on the same disk, in turn, on data of their own that is equal. Each step is a command or
a small script in a process of its own and is timed from its start to its end, with the start of Python where it is one.
A commit is everything from a changed directory to a commit of it; reading back is from an empty directory to all files
of a version, which are compared with what they were. Space is what the store takes on disk, without the directory.

What is synced differs, and is not made equal: strace counts it. Each is used as it comes, and git a second time with
`core.fsync=all`. `--rivals` names a Python that has dvc and oxenai.
"""

# ruff: noqa: D102 - methods are documented on their base class

from __future__ import annotations

import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from benchmarks import _shared
from benchmarks._shared import Result, Run, say
from benchmarks.clients import copy_library

#: A system that has taken this long to commit in a row gets no further run there, in seconds.
PATIENCE = 6.0
VERSIONS = 10
LINE = 100

#: Rows, as tables print them. Each has a row of its own for reading back.
ROWS = {
    "small": "50,000 files of 120 B",
    "library": "the standard library",
    "large": "a file of 2 GiB, random",
    "table": "10 versions of a table of 200 MB, 1 % changed",
}
READ = " read"
#: Rows that take long and run once.
ONCE = ("large", "table")


class Failed(Exception):
    """A system did not do what it was asked to."""


@dataclass
class Cost:
    """What the processes of one step cost."""

    seconds: float = 0.0
    cpu: float = 0.0

    def add(self, other: Cost) -> None:
        """Add another step."""
        self.seconds += other.seconds
        self.cpu += other.cpu


@dataclass
class System:
    """One way to keep versions of the directory `data` in a place.

    Attributes:
        place: An empty directory.
        rivals: Python that has the rivals.
        trace: Arguments to run processes with.
        commits: Names of the commits so far.
    """

    place: Path
    rivals: str
    trace: tuple[str, ...] = ()
    commits: list[str] = field(default_factory=list)

    name: ClassVar[str] = ""
    store: ClassVar[tuple[str, ...]] = ()

    @property
    def data(self) -> Path:
        """The directory whose versions are kept."""
        return self.place / "data"

    @classmethod
    def version(cls, _rivals: str) -> str | None:
        """Return the version. None if it is not installed."""
        raise NotImplementedError

    def start(self) -> None:
        """Make an empty store. This is not measured."""

    def idle(self) -> Cost:
        """Do nothing in the store: what starting costs."""
        raise NotImplementedError

    def commit(self) -> Cost:
        """Commit the directory."""
        raise NotImplementedError

    def read(self, commit: str) -> Cost:
        """Write all files of a commit to the directory, which does not exist."""
        raise NotImplementedError

    def run(self, *command: str) -> tuple[Cost, str]:
        """Run a process in the place, and return its cost and what it printed."""
        who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "DVC_NO_ANALYTICS": "1"}
        home = self.place.parent / "home"
        home.mkdir(exist_ok=True)
        log = self.place.parent / "log"
        with log.open("wb") as output:
            start = time.perf_counter()
            process = subprocess.Popen(
                [*self.trace, *command],
                cwd=self.place,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_shared.environ(**who, **fixed, HOME=str(home)),
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed = log.read_text(errors="replace")
        if process.returncode:
            msg = f"{Path(command[0]).name} ended with {process.returncode}: {printed.strip()[-300:]}"
            raise Failed(msg)
        return Cost(seconds, usage.ru_utime + usage.ru_stime), printed

    def size(self) -> int:
        """Return the bytes that the store takes on disk."""
        found = 0
        for each in self.store:
            for at, _, names in os.walk(self.place / each):
                found += sum(os.lstat(Path(at, name)).st_blocks * 512 for name in names)
        return found


class Ours(System):
    """The embedded lake of this package."""

    name = "lakefs_hl"
    store = ("lake",)
    branch = (
        "import sys, lakefs_hl as lakefs; client = lakefs.Client('local:lake'); "
        "branch = lakefs.repository('bench', client=client).get_or_create().branch('main'); "
    )

    @classmethod
    def version(cls, _rivals: str) -> str | None:
        return _shared.own_version()

    def start(self) -> None:
        self.script("pass")

    def idle(self) -> Cost:
        return self.script("pass")[0]

    def script(self, code: str, *words: str) -> tuple[Cost, str]:
        return self.run(sys.executable, "-c", self.branch + code, *words)

    def commit(self) -> Cost:
        code = "branch.upload_dir('data', 'data/', progress=False); print(branch.commit('version').id)"
        cost, printed = self.script(code)
        self.commits.append(printed.strip())
        return cost

    def read(self, commit: str) -> Cost:
        commit_of = "lakefs.repository('bench', client=client).commit(sys.argv[1])"
        code = f"{commit_of}.download_dir('data/', 'data', progress=False)"
        return self.script(code, commit)[0]


class Git(System):
    """Git as it comes."""

    name = "git"
    store: ClassVar[tuple[str, ...]] = (".git",)
    settings: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def version(cls, _rivals: str) -> str | None:
        found = _shared.version_of(["git", "--version"])
        return found and found.removeprefix("git version ")

    def git(self, *words: str) -> tuple[Cost, str]:
        return self.run("git", *self.settings, *words)

    def start(self) -> None:
        self.git("init", "-q")

    def idle(self) -> Cost:
        return self.git("rev-parse", "--git-dir")[0]

    def commit(self) -> Cost:
        cost = self.git("add", "-A", "data")[0]
        cost.add(self.git("commit", "-q", "-m", "version")[0])
        self.commits.append(self.git("rev-parse", "HEAD")[1].strip())
        return cost

    def read(self, commit: str) -> Cost:
        (self.place / ".git" / "index").unlink()
        return self.git("checkout", "-q", "-f", commit, "--", "data")[0]


class SyncedGit(Git):
    """Git that syncs everything that it writes."""

    name = "git, core.fsync=all"
    settings = ("-c", "core.fsync=all")


class Dvc(Git):
    """Dvc, in a repository of git."""

    name = "dvc"
    store = (".git", ".dvc")

    @classmethod
    def version(cls, _rivals: str) -> str | None:
        return _shared.version_of([_rivals, "-m", "dvc", "--version"])

    def dvc(self, *words: str) -> Cost:
        return self.run(self.rivals, "-m", "dvc", *words)[0]

    def start(self) -> None:
        super().start()
        self.dvc("init", "-q")
        self.git("commit", "-q", "-m", "start")

    def idle(self) -> Cost:
        return self.dvc("root")

    def commit(self) -> Cost:
        cost = self.dvc("add", "-q", "data")
        cost.add(self.git("add", "-A", "data.dvc", ".gitignore")[0])
        cost.add(self.git("commit", "-q", "-m", "version")[0])
        self.commits.append(self.git("rev-parse", "HEAD")[1].strip())
        return cost

    def read(self, commit: str) -> Cost:
        cost = self.git("checkout", "-q", "-f", commit, "--", "data.dvc")[0]
        cost.add(self.dvc("checkout", "-q", "data.dvc"))
        return cost


class Oxen(System):
    """Oxen, by its package for Python."""

    name = "oxen"
    store = (".oxen",)
    repo = "import sys; from oxen import Repo; repo = Repo('.'); "

    @classmethod
    def version(cls, _rivals: str) -> str | None:
        if _shared.version_of([_rivals, "-c", "import oxen"]) is None:
            return None
        return _shared.version_of([_rivals, "-c", "from importlib import metadata; print(metadata.version('oxenai'))"])

    def script(self, code: str, *words: str) -> tuple[Cost, str]:
        return self.run(self.rivals, "-c", self.repo + code, *words)

    def start(self) -> None:
        self.script("from oxen.user import config_user; config_user('a', 'a@b.c'); repo.init()")

    def idle(self) -> Cost:
        return self.script("pass")[0]

    def commit(self) -> Cost:
        cost, printed = self.script("repo.add('data'); print('commit', repo.commit('version').id)")
        found = re.findall(r"^commit (\w+)$", printed, re.MULTILINE)
        if not found:
            msg = f"oxen printed no commit: {printed[-300:]}"
            raise Failed(msg)
        self.commits.append(found[-1])
        return cost

    def read(self, commit: str) -> Cost:
        return self.script("repo.restore('data', source=sys.argv[1])", commit)[0]


SYSTEMS: tuple[type[System], ...] = (Ours, Git, SyncedGit, Dvc, Oxen)


# -- data --------------------------------------------------------------------------------------------------------------


def make_small(data: Path, scale: float) -> None:
    """Write many small files."""
    for index in range(max(round(50_000 * scale), 4)):
        path = data / f"d{index // 500:03}" / f"f{index:06}.txt"
        if not index % 500:
            path.parent.mkdir(parents=True)
        path.write_bytes(hashlib.sha256(b"%d" % index).hexdigest().encode().ljust(120, b"-"))


def make_library(data: Path, scale: float) -> None:
    """Copy the standard library."""
    copy_library(data, max(round(2400 * scale), 4))


def make_large(data: Path, scale: float) -> None:
    """Write a file that no one can compress."""
    data.mkdir()
    with (data / "large.bin").open("wb") as file:
        for _ in range(max(round(2048 * scale), 1)):
            file.write(os.urandom(1 << 20))


def make_table(data: Path, scale: float) -> None:
    """Write a table of lines of 100 bytes."""
    data.mkdir()
    with (data / "table.csv").open("wb") as file:
        for start in range(0, max(round(2_000_000 * scale), 1000), 1000):
            noise = os.urandom(44 * 1000).hex()
            lines = (f"{start + each:010},{noise[each * 88 : each * 88 + 88]}\n" for each in range(1000))
            file.write("".join(lines).encode())


def change_table(data: Path) -> None:
    """Change every hundredth line of the table, others each time."""
    path = data / "table.csv"
    count = path.stat().st_size // LINE
    first = os.urandom(1)[0] % 100
    with path.open("r+b") as file:
        for index in range(first, count, 100):
            file.seek(index * LINE + 11)
            file.write(os.urandom(44).hex().encode())


MAKE: dict[str, Callable[[Path, float], None]] = {
    "small": make_small,
    "library": make_library,
    "large": make_large,
    "table": make_table,
}


def digest_of(data: Path) -> str:
    """Return a checksum of all files and their names."""
    found = hashlib.sha256()
    for file in sorted(data.rglob("*")):
        if file.is_file():
            found.update(file.relative_to(data).as_posix().encode() + b"\0")
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "sha256").digest())
    return found.hexdigest()


# -- rows --------------------------------------------------------------------------------------------------------------


def measure(system: System, row: str, source: Path, result: Result) -> None:
    """Measure one run of a system in a row."""
    place, data = system.place, system.data
    place.mkdir()
    try:
        system.start()
        shutil.copytree(source, data)
        before = system.size()
        whole, digest = Cost(), ""
        versions = VERSIONS if row == "table" else 1
        chosen = versions // 2
        for number in range(versions):
            if number:
                change_table(data)
            if number == chosen:
                digest = digest_of(data)
            whole.add(system.commit())
        result.cell(row, system.name).runs.append(
            Run(whole.seconds, whole.cpu, units=versions, disk=system.size() - before)
        )
        shutil.rmtree(data)
        cost = system.read(system.commits[chosen])
        if digest_of(data) != digest:
            msg = "what was read back differs from what was committed"
            raise Failed(msg)
        result.cell(row + READ, system.name).runs.append(Run(cost.seconds, cost.cpu))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def find_start(kind: type[System], folder: Path, rivals: str) -> float | None:
    """Return the seconds that a process of a system takes to do nothing. None if it fails."""
    system = kind(folder / "place", rivals)
    system.place.mkdir()
    try:
        system.start()
        return statistics.median(system.idle().seconds for _ in range(3))
    except Failed as exc:
        say(f"  {kind.name}: {exc}")
        return None
    finally:
        shutil.rmtree(system.place, ignore_errors=True)


def count_syncs(kind: type[System], folder: Path, rivals: str) -> str:
    """Return how often a system syncs for a commit of 200 small files, and each kind of call."""
    if shutil.which("strace") is None:
        return "not counted (no strace)"
    system = kind(folder / "place", rivals)
    log = folder / "strace"
    system.place.mkdir()
    try:
        system.start()
        make_small(system.data, 200 / 50_000)
        system.trace = ("strace", "-f", "-qq", "-A", "-e", "trace=fsync,fdatasync,syncfs,sync", "-o", str(log))
        system.commit()
        calls = re.findall(r"\b(fsync|fdatasync|syncfs|sync)\(", log.read_text())
        return ", ".join(f"{calls.count(name)} {name}" for name in sorted(set(calls))) or "none"
    except Failed as exc:  # such as a machine that allows no strace
        say(f"  {kind.name}: {exc}")
        return "not counted"
    finally:
        log.unlink(missing_ok=True)
        shutil.rmtree(system.place, ignore_errors=True)


def main() -> None:
    """Measure the chosen rows and systems."""
    parser = _shared.make_parser(__doc__ or "", "versioning")
    parser.add_argument("--rivals", default=sys.executable, metavar="PYTHON", help="Python that has dvc and oxenai")
    chosen = parser.parse_args()
    names = [kind.name for kind in SYSTEMS]
    kinds = [kind for kind in SYSTEMS if _shared.is_chosen(chosen.only, kind.name, names)]
    rows = [row for row in ROWS if _shared.is_chosen(chosen.only, row, list(ROWS))]
    versions = {kind.name: kind.version(chosen.rivals) for kind in kinds}
    named = {name: found or "not installed" for name, found in versions.items()}
    result = Result("versioning", chosen.scale, named, {"note": chosen.note})
    with _shared.work_folder(chosen.folder, "versioning-") as folder:
        result.machine = _shared.describe_machine(folder)
        able = [kind for kind in kinds if versions[kind.name]]
        for kind in able:
            result.facts.setdefault("starts", {})[kind.name] = find_start(kind, folder, chosen.rivals)
            result.facts.setdefault("syncs", {})[kind.name] = count_syncs(kind, folder, chosen.rivals)
        for row in rows:
            say(f"{row} …")
            source = folder / "source"
            MAKE[row](source, chosen.scale)
            for number in range(1 if row in ONCE else chosen.runs):
                for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                    step(kind, row, folder, versions[kind.name], chosen.rivals, result)
            shutil.rmtree(source)
            if chosen.output:
                result.write(chosen.output)
    _shared.print_result(result, {row + end: ROWS[row] + end for row in ROWS for end in ("", READ)})
    for name, found in result.facts.get("syncs", {}).items():
        print(f"syncs of a commit of 200 files, {name}: {found}")


def step(kind: type[System], row: str, folder: Path, version: str | None, rivals: str, result: Result) -> None:
    """Measure a system once more in a row, unless it has taken too long or cannot."""
    cells = [result.cell(row + end, kind.name) for end in ("", READ)]
    if version is None or (kind is SyncedGit and row in ONCE):
        for cell in cells:
            cell.missing = "not installed" if version is None else "measured with small files"
    if cells[0].missing or sum(run.seconds for run in cells[0].runs) > PATIENCE:
        return
    try:
        measure(kind(folder / "place", rivals), row, folder / "source", result)
    except Failed as exc:
        say(f"  {kind.name}: {exc}")
        for cell in cells:
            cell.runs.clear()
            cell.missing = f"failed: {exc}"


if __name__ == "__main__":
    main()
