"""One large object down, against curl and MD5 alone: wall and CPU time, interleaved, and memory.

    python benchmarks/large.py [--endpoint URL] [--size MiB] [--runs N] [--only TEXT] [--folder DIRECTORY]

With `--endpoint` it needs the keys in LAKEFS_HL_TEST_ACCESS_KEY_ID and LAKEFS_HL_TEST_SECRET_ACCESS_KEY, and uses the
repository `bench-large` in the storage namespace `--storage-namespace`. Without it `lakefs-hl serve` is started.

The rival is the slower of curl and MD5 where the content is verified, else curl. A ratio is the median over the rounds
of ours by the rival's in the same round; "best" compares the fastest rounds, which other load disturbs least. CPU time
is that of the client and its children.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

import lakefs_hl as lakefs

MIB = 1 << 20
REPOSITORY = "bench-large"
RIVALS = ("curl to a file", "MD5 alone")
#: Runs in a process of its own and prints by how many bytes its peak of memory grows.
MEMORY = r"""
import re, sys
import lakefs_hl as lakefs

def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])

endpoint, key, secret, path, target, how = sys.argv[1:]
client = lakefs.Client(endpoint, key, secret)
branch = lakefs.repository("bench-large", client=client).branch("main")
branch.stat_object(path)
before = peak()
if how == "memory":
    branch.download(path)
else:
    branch.download_file(path, target, verify=how == "verified", progress=False)
print((peak() - before) * 1024)
"""


class Server(NamedTuple):
    """A server and its keys."""

    endpoint: str
    key: str
    secret: str


class Seconds(NamedTuple):
    """What one run takes."""

    wall: float
    cpu: float


@contextlib.contextmanager
def serving(endpoint: str | None, folder: Path) -> Iterator[Server]:
    """The server of `--endpoint`, or one of our own."""
    if endpoint is not None:
        yield Server(
            endpoint, *(os.environ[f"LAKEFS_HL_TEST_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        )
        return
    command = [sys.executable, "-m", "lakefs_hl", "serve", str(folder / "lake"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            found = yaml.safe_load((folder / "lake" / "lakectl.yaml").read_text(encoding="utf-8"))
            keys = found["credentials"]
            yield Server(found["server"]["endpoint_url"], keys["access_key_id"], keys["secret_access_key"])
        finally:
            process.terminate()


def measure(work: Callable[[], object]) -> Seconds:
    """Return the time of a call, and the CPU time of this process and its children in it."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    return Seconds(time.perf_counter() - wall, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children so far, in seconds."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def make_source(folder: Path, mebibytes: int) -> Path:
    """Return a file whose blocks differ."""
    path, block = folder / "source", bytearray(os.urandom(MIB))
    with path.open("wb") as file:
        for index in range(mebibytes):
            block[:4] = index.to_bytes(4)
            file.write(block)
    return path


def run(server: Server, folder: Path, arguments: argparse.Namespace) -> None:
    """Measure and print the table."""
    source, target, path = make_source(folder, arguments.size), folder / "target", f"large-{arguments.size}"
    client = lakefs.Client(server.endpoint, server.key, server.secret)
    repo = lakefs.repository(REPOSITORY, client=client)
    branch = repo.create(storage_namespace=arguments.storage_namespace, exist_ok=True).branch("main")
    branch.upload_file(source, path, progress=False)
    url = f"{server.endpoint}/api/v1/repositories/{REPOSITORY}/refs/main/objects?path={path}"

    def curl() -> None:
        login = f"{server.key}:{server.secret}"
        subprocess.run(
            ["curl", "-sfL", "-K", "-", "-o", str(target), url], input=f'user = "{login}"', text=True, check=True
        )

    def md5() -> None:
        with source.open("rb", buffering=0) as file:
            hashlib.file_digest(file, "md5")

    def read() -> None:
        with branch.open(path, "rb") as file:
            file.read()

    works: dict[str, Callable[[], object]] = {
        **dict(zip(RIVALS, (curl, md5), strict=True)),
        "download_file": lambda: branch.download_file(path, target, progress=False),
        "download_file, verify=False": lambda: branch.download_file(path, target, verify=False, progress=False),
        "download to a file": lambda: branch.download(path, target),
        "download to a file, verify=False": lambda: branch.download(path, target, verify=False),
        "download to memory": lambda: branch.download(path),
        "download to memory, verify=False": lambda: branch.download(path, verify=False),
        "open().read()": read,
    }
    works = {name: work for name, work in works.items() if name in RIVALS or arguments.only in name}
    found = {name: list[Seconds]() for name in works}
    for number in range(arguments.runs):
        for name in list(works)[:: -1 if number % 2 else 1]:
            target.unlink(missing_ok=True)
            found[name].append(measure(works[name]))
    print(f"{arguments.size} MiB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {arguments.runs} rounds\n")
    print("| work | wall | CPU | ratio | best | CPU without MD5, to curl |\n| --- | --- | --- | --- | --- | --- |")
    for name, runs in found.items():
        print(row(name, runs, *(found[rival] for rival in RIVALS)))
    client.close()
    if arguments.only:
        return
    for how in ("verified", "unverified", "memory"):
        command = [sys.executable, "-c", MEMORY, *server, path, str(target), how]
        grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"\nmemory, {how}: {grown / MIB:.1f} MiB more", end="")
    print()


def row(name: str, runs: list[Seconds], curl: list[Seconds], md5: list[Seconds]) -> str:
    """Return a line of the table."""
    wall, cpu = (statistics.median(one[side] for one in runs) for side in (0, 1))
    verified = runs is not curl and runs is not md5 and "False" not in name
    rivals = [max(a.wall, b.wall) if verified else a.wall for a, b in zip(curl, md5, strict=True)]
    ratio = statistics.median(one.wall / rival for one, rival in zip(runs, rivals, strict=True))
    rest = [one.cpu - (hashing.cpu if verified else 0.0) for one, hashing in zip(runs, md5, strict=True)]
    moving = statistics.median(one / rival.cpu for one, rival in zip(rest, curl, strict=True))
    best = min(one.wall for one in runs) / min(rivals)
    return f"| {name} | {wall:.2f} s | {cpu:.2f} s | {ratio:.2f} | {best:.2f} | {moving:.2f} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="a lakeFS server; its keys are in the environment")
    parser.add_argument("--storage-namespace", help="storage namespace of the repository, if it is created")
    parser.add_argument("--size", type=int, default=1024, help="size of the object in MiB (1024)")
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--folder", type=Path, help="directory to work in (a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name, serving(arguments.endpoint, Path(name)) as server:
        run(server, Path(name), arguments)


if __name__ == "__main__":
    main()
