"""Compare calls to a lakeFS server: this package, the official client and bare urllib3, in one interleaved run.

    python benchmarks/calls.py                    # against `lakefs-hl serve` on a lake in a temporary directory
    LAKEFS_HL_TEST_ENDPOINT=http://… LAKEFS_HL_TEST_ACCESS_KEY_ID=… LAKEFS_HL_TEST_SECRET_ACCESS_KEY=… \
        python benchmarks/calls.py                # against that server

The official client is included if the package `lakefs` is installed. Each row is the median of rounds in which every
client makes the same calls, one client after the other. The ratio is to bare urllib3.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import urllib3

import lakefs_hl
from lakefs_hl.exceptions import LakeFSException

SIZE = 1024
PAGE = 1000
#: The calls of one client by name: stat, upload, download, list.
Calls = dict[str, Callable[[int], object]]


def main() -> None:
    """Run the rounds and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7, help="rounds per row (7)")
    arguments.add_argument("--calls", type=int, default=100, help="calls per round (100)")
    arguments.add_argument("--json", action="store_true", help="print seconds per call of this package as JSON")
    chosen = arguments.parse_args()
    with server() as (endpoint, key, secret):
        client = lakefs_hl.Client(endpoint, key, secret)
        repo = lakefs_hl.repository(f"bench-{uuid.uuid4().hex[:8]}", client=client).create()
        branch = repo.branch("main")
        for number in range(PAGE):
            branch.upload(os.urandom(SIZE), f"set/{number:05d}")
        branch.commit_changes("the set")
        clients = {"urllib3": bare(endpoint, key, secret, repo.id), "lakefs_hl": ours(branch)}
        official = official_client(endpoint, key, secret, repo.id)
        if official is not None:
            clients["lakefs"] = official
        if chosen.json:
            clients = {"lakefs_hl": clients["lakefs_hl"], "aio": awaited(endpoint, key, secret, repo.id)}
        else:
            print(
                f"{client.version} at {endpoint}; {chosen.rounds} rounds of {chosen.calls} calls; ms per call (ratio)"
            )
        figures: dict[str, float] = {}
        for work in ("stat", "download", "upload", "list"):
            calls = max(1, chosen.calls // 20) if work == "list" else chosen.calls
            medians = measure(work, clients, chosen.rounds, calls)
            figures |= {f"{name} {work}": seconds for name, seconds in medians.items()}
            if not chosen.json:
                print(row(work, medians), flush=True)
        if chosen.json:
            print(json.dumps({"package": lakefs_hl.__file__, "seconds": figures}, indent=2))
        repo.delete(force=True)


def measure(work: str, clients: dict[str, Calls], rounds: int, calls: int) -> dict[str, float]:
    """Return the seconds per call of one kind of call, with every client in turn."""
    seen: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name, client_calls in clients.items():
            call = client_calls[work]
            started = time.perf_counter()
            for number in range(calls):
                call(number)
            seen[name].append((time.perf_counter() - started) / calls)
    return {name: statistics.median(times) for name, times in seen.items()}


def row(work: str, medians: dict[str, float]) -> str:
    """Return a line of the table."""
    cells = (f"{name} {time_ * 1e3:8.3f} ({time_ / medians['urllib3']:5.2f})" for name, time_ in medians.items())
    what = "list 1,000" if work == "list" else f"{work} 1 KiB" if work != "stat" else work
    return f"{what:15}" + "   ".join(cells)


def ours(branch: lakefs_hl.Branch) -> Calls:
    """Return the calls of the public API of this package."""
    body = os.urandom(SIZE)
    return {
        "stat": lambda n: branch.stat_object(f"set/{n:05d}"),
        "download": lambda n: branch.download(f"set/{n:05d}"),
        "upload": lambda n: branch.upload(body, f"ours/{n}"),
        "list": lambda _: list(branch.list_objects(PAGE, prefix="set/")),
    }


def awaited(endpoint: str, key: str, secret: str, repository: str) -> Calls:
    """Return the calls of the awaitable API, one after another on one loop."""
    from lakefs_hl import aio

    loop = asyncio.new_event_loop()
    branch = aio.repository(repository, client=aio.Client(endpoint, key, secret)).branch("main")
    body = os.urandom(SIZE)

    async def listed() -> int:
        count = 0
        async for _ in branch.list_objects(PAGE, prefix="set/"):
            count += 1
        return count

    return {
        "stat": lambda n: loop.run_until_complete(branch.stat_object(f"set/{n:05d}")),
        "download": lambda n: loop.run_until_complete(branch.download(f"set/{n:05d}")),
        "upload": lambda n: loop.run_until_complete(branch.upload(body, f"aio/{n}")),
        "list": lambda _: loop.run_until_complete(listed()),
    }


def bare(endpoint: str, key: str, secret: str, repository: str) -> Calls:
    """Return the same requests over urllib3, with only the decoding of JSON."""
    pool = urllib3.connection_from_url(endpoint, headers=urllib3.make_headers(basic_auth=f"{key}:{secret}"))
    base = f"/api/v1/repositories/{repository}"
    objects, ours = f"{base}/refs/main/objects", f"{base}/branches/main/objects"
    body = os.urandom(SIZE)

    def get(path: str) -> bytes:
        answer = pool.request("GET", path)
        if answer.status != 200:
            message = f"{path}: {answer.status}"
            raise RuntimeError(message)
        return answer.data

    return {
        "stat": lambda n: json.loads(get(f"{objects}/stat?path=set/{n:05d}")),
        "download": lambda n: get(f"{objects}?path=set/{n:05d}"),
        "upload": lambda n: json.loads(pool.request("POST", f"{ours}?path={quote(f'bare/{n}')}", body=body).data),
        "list": lambda _: json.loads(get(f"{objects}/ls?prefix=set/&amount={PAGE}")),
    }


def official_client(endpoint: str, key: str, secret: str, repository: str) -> Calls | None:
    """Return the calls of the official high-level client. None if it is not installed."""
    try:
        lakefs = importlib.import_module("lakefs")
    except ModuleNotFoundError:
        return None
    client = importlib.import_module("lakefs.client").Client(host=endpoint, username=key, password=secret)
    branch = lakefs.Repository(repository, client=client).branch("main")
    body = os.urandom(SIZE)
    return {
        "stat": lambda n: branch.object(f"set/{n:05d}").stat(),
        "download": lambda n: branch.object(f"set/{n:05d}").reader("rb").read(),
        "upload": lambda n: branch.object(f"official/{n}").upload(body, mode="wb"),
        "list": lambda _: list(branch.objects(max_amount=PAGE, prefix="set/")),
    }


@contextmanager
def server() -> Iterator[tuple[str, str, str]]:
    """Yield URL and key pair of the configured server, or of a new one on a lake in a temporary directory."""
    endpoint = os.environ.get("LAKEFS_HL_TEST_ENDPOINT")
    if endpoint:
        yield (
            endpoint,
            os.environ["LAKEFS_HL_TEST_ACCESS_KEY_ID"],
            os.environ["LAKEFS_HL_TEST_SECRET_ACCESS_KEY"],
        )
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key, secret = uuid.uuid4().hex[:20], uuid.uuid4().hex
    keys = {"LAKEFS_HL_SERVE_ACCESS_KEY_ID": key, "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY": secret}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lakefs_hl", "serve", str(Path(folder) / "lake"), "--port", str(port)]
        with subprocess.Popen(command, env={**os.environ, **keys}, stdout=subprocess.PIPE, text=True) as process:
            try:
                if process.stdout is None or not process.stdout.readline():
                    message = "the server did not start"
                    raise SystemExit(message)
                url = f"http://127.0.0.1:{port}"
                wait(lakefs_hl.Client(url, key, secret))
                yield url, key, secret
            finally:
                process.terminate()


def wait(client: lakefs_hl.Client) -> None:
    """Wait for a server that is starting, by the retries of the client."""
    for left in range(5, -1, -1):
        try:
            client.health_check()
        except LakeFSException:
            if not left:
                raise
        else:
            return


if __name__ == "__main__":
    main()
