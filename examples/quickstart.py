"""Version a real data set from beginning to end: the standard library of your Python, or any directory.

    python examples/quickstart.py                          # an embedded lake in a temporary directory
    python examples/quickstart.py --lake local:./lake      # one that is kept
    python examples/quickstart.py --lake http://host:8000  # a lakeFS server; keys from the environment or a file
    python examples/quickstart.py --source ~/data          # another data set

All printed numbers are measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sysconfig
import tempfile
import textwrap
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lakefs_hl as lakefs
from lakefs_hl.exceptions import LakeFSException, MergeConflict

SKIPPED = {"site-packages", "dist-packages", "__pycache__"}


def main() -> None:
    """Run all steps."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--lake", metavar="URI", help="local:DIRECTORY, mem://, or http(s)://host[:port]")
    arguments.add_argument(
        "--source", metavar="DIR", type=Path, default=Path(sysconfig.get_path("stdlib")), help="the data (%(default)s)"
    )
    arguments.add_argument(
        "--threads", metavar="N", type=int, default=8, help="number of concurrent uploads (%(default)s)"
    )
    chosen = arguments.parse_args()
    source = chosen.source.expanduser()
    if not source.is_dir():
        arguments.error(f"--source: {source} is not a directory")
    if chosen.threads < 1:
        arguments.error("--threads: must be at least 1")
    with tempfile.TemporaryDirectory(prefix="lakefs-hl-quickstart-") as scratch:
        try:
            with lakefs.Client(chosen.lake or f"local:{scratch}/lake") as client:
                started = time.perf_counter()
                run(client, source, chosen.threads)
                seconds = time.perf_counter() - started
                folder = client.endpoint.removeprefix("local:") if client.endpoint.startswith("local:") else scratch
        except (LakeFSException, OSError) as error:  # the message is enough: the cause is not in this file
            raise SystemExit(f"{type(error).__name__}: {error}") from None
        print(f"In all {seconds:.1f} s. An fsync of 4 KiB on this disk takes {fsync_ms(folder):.2f} ms.")
        if chosen.lake and not chosen.lake.startswith("mem:"):
            print(f"The repository is kept in {chosen.lake}.")


def run(client: lakefs.Client, source: Path, threads: int) -> None:
    """Load, change, merge, resolve a conflict, tag, revert and read old versions."""
    files = sorted(data_files(source))
    if len(files) < 3:
        message = (
            f"{source} contains {len(files)} files; 3 are needed: one to change, one for a conflict, one to delete"
        )
        raise SystemExit(message)
    repo = lakefs.repository(f"quickstart-{uuid.uuid4().hex[:8]}", client=client).create()
    branch = repo.branch("main")
    print(f"data:       {source}\nlake:       {client.endpoint}\nrepository: {repo.uri}")

    with step(f"Upload {len(files):,} files to the branch main, and commit") as took:
        with ThreadPoolExecutor(threads) as pool:
            infos = list(pool.map(lambda file: branch.upload(file, file.relative_to(source).as_posix()), files))
        load = branch.commit_changes(f"load {source.name}", {"source": source.name})
        print(f"  {load!r}")
    loaded = sum(info.size_bytes for info in infos)

    paths = [info.path for info in infos]
    reviewed, disputed, deleted = paths[0], paths[1], paths[-1]
    dev = repo.branch("dev").create(branch)
    with step("Change, add and delete on the branch dev, in one transaction; a merge into main would apply:"):
        with dev.transaction("clean up") as tx:
            tx.upload(tx.download(reviewed) + b"\n# reviewed\n", reviewed)
            with tx.open("reports/summary.csv", "w") as report:
                report.write("path,bytes\n")
                report.writelines(f"{info.path},{info.size_bytes}\n" for info in infos[:100])
            tx.delete_objects(deleted)
        table(
            ("change", "bytes", "path"), ((c.type, c.size_bytes or 0, c.path) for c in branch.diff(dev, delimiter=""))
        )
    with step("Merge dev into main"):
        merge = dev.merge_into(branch, message="merge the clean-up").get_commit()
        print(f"  {merge!r}")

    with step(f"Change {disputed} on main and on the branch fix: a conflict, and a strategy that resolves it"):
        fix = repo.branch("fix").create(branch)
        for place, words in ((fix, b"# the fix\n"), (branch, b"# another change\n")):
            place.upload(place.download(disputed) + words, disputed)
            place.commit_changes(words.decode().strip("# \n"))
        try:
            fix.merge_into(branch)
        except MergeConflict as conflict:
            print(textwrap.indent(textwrap.fill(f"{type(conflict).__name__}: {conflict}", 100), "  "))
        fix.merge_into(branch, strategy="source-wins", message="the fix wins")
        print(f"  with source-wins, main's last line is {last_line(branch, disputed)!r}")
    tag = repo.tag("v1").create(branch)

    with step("Tag main as v1, and revert the merge of dev"):
        print(f"  {branch.revert(merge, parent_number=1)!r}")
        left = [change.path for change in branch.diff(load, delimiter="", type="two_dot")]
        print(f"  differences from the first load: {', '.join(left)}")
    with step(f"The last line of {reviewed}, as of each version"):
        versions = {"first load": load, "the merge": merge, "tag v1": tag, "main now": branch}
        table(("version", "last line"), ((name, repr(last_line(at, reviewed))[:80]) for name, at in versions.items()))
    with step("The log of main; a merge has two parents, and a transaction is a commit and its merge"):
        commits = list(branch.log())
        rows = ((c.id[:12], f"{c.creation_date:%H:%M:%S}", len(c.parents), c.message[:60]) for c in commits)
        table(("commit", "UTC", "parents", "message"), rows)

    now = [info.size_bytes for info in branch.list_objects(recursive=True) if isinstance(info, lakefs.ObjectInfo)]
    names = ", ".join(one.id for one in repo.list_branches())
    print(f"\nmain holds {len(now):,} objects of {sum(now):,} bytes, and {len(commits)} commits. Branches: {names}.")
    speed = f"{len(infos) / took[0]:,.0f} objects/s, {loaded / took[0] / 1e6:,.1f} MB/s"
    print(f"Loaded {len(infos):,} objects, {loaded:,} bytes, in {took[0]:.2f} s: {speed}.")


def last_line(version: lakefs.Reference, path: str) -> str:
    """Read an object line by line and return its last line."""
    with version.open(path, errors="replace") as file:
        line = ""
        for line in file:  # noqa: B007 - the last one is returned
            pass
    return line.rstrip("\n")


def data_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files of a directory tree, without installed packages and bytecode."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            path = Path(root, name)
            if not name.endswith(".pyc") and path.is_file() and not path.is_symlink():
                yield path


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Print rows below a heading. Columns of numbers are aligned to the right."""
    rows = list(rows)
    right = [all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    cells = [tuple(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in (cells[0], tuple("-" * width for width in widths), *cells[1:]):
        line = (f"{cell:{'>' if right[i] else '<'}{widths[i]}}" for i, cell in enumerate(row))
        print("  " + "  ".join(line).rstrip())


@contextmanager
def step(title: str) -> Iterator[list[float]]:
    """Print a title before the block, and the duration of the block after it."""
    print(f"\n{title}")
    started, took = time.perf_counter(), [0.0]
    yield took
    took[0] = time.perf_counter() - started
    print(f"  ({took[0]:.3f} s)")


def fsync_ms(folder: str) -> float:
    """Return the median duration of an fsync of 4 KiB, in milliseconds."""
    tries = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(21):
            file.write(b"\0" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            tries.append(time.perf_counter() - started)
    return statistics.median(tries) * 1e3


if __name__ == "__main__":
    main()
