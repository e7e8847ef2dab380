"""`lakefs.search` on many objects, next to the naive way: list everything at each call, and look for the words.

    python benchmarks/search.py            # 100,000 objects, in process and served
    python benchmarks/search.py 10000

Every tenth object has metadata. Times are the best of three, in milliseconds, the first index is measured once.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

import lakefs_hl
from lakefs_hl import aio

CHANGES: Final = 1000
#: What is searched: a path, a rare word, what is being typed, two words, what all paths have, a name that none has.
QUERIES: Final = ("{path}", "{word}", "{begun}", "data {word}", "csv", "d", "absent")


def paths(count: int, seed: int) -> list[str]:
    """Return paths, always the same."""
    rng = random.Random(seed)
    words = [f"{rng.choice('bcdfgklmnprst')}{rng.choice('aeiou')}{rng.randrange(10**5)}Site" for _ in range(3000)]
    return [f"data/2024-{n % 12 + 1:02}/{rng.choice(words)}/{rng.choice(words)}_{n:07}.csv" for n in range(count)]


def fill(branch: lakefs_hl.Branch, names: list[str]) -> None:
    """Write objects, and commit them."""
    rows = ({"path": name, "data": b"1,2\n"} | _metadata(number) for number, name in enumerate(names))
    branch.upload_many(rows, progress=False)
    branch.commit_changes(f"Add {len(names)} readings")


def _metadata(number: int) -> dict[str, Any]:
    return {} if number % 10 else {"metadata": {"site": f"Station {number % 97}", "owner": "Ada"}}


def naive(client: lakefs_hl.Client, query: str) -> list[str]:
    """List everything, and return the paths that have all words."""
    words, found = query.lower().split(), list[str]()
    for repository in lakefs_hl.repositories(client=client):
        for info in repository.branch("main").list_objects(recursive=True):
            if all(word in info.path.lower() for word in words):
                found.append(info.path)
    return found[:25]


def best(call: Callable[[], Any], times: int = 3) -> float:
    """Return the shortest time of a call, in milliseconds."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        found.append((time.perf_counter() - begin) * 1e3)
    return min(found)


@contextmanager
def served(folder: Path) -> Iterator[lakefs_hl.Client]:
    """Serve a lake, and return a client of it."""
    command = [sys.executable, "-m", "lakefs_hl", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    found = yaml.safe_load((folder / "lakectl.yaml").read_text(encoding="utf-8"))
    pair = found["credentials"]
    with lakefs_hl.Client(found["server"]["endpoint_url"], pair["access_key_id"], pair["secret_access_key"]) as client:
        yield client
    process.terminate()
    process.wait()


def measure(title: str, client: lakefs_hl.Client, count: int) -> None:
    """Print the times of one lake."""
    names = paths(count, 1)
    branch = lakefs_hl.repository("readings", client=client).create().branch("main")
    fill(branch, names)
    word = names[len(names) // 2].split("/")[2]
    terms = [each.format(path=names[len(names) // 3], word=word, begun=word[:4]) for each in QUERIES]
    load = os.getloadavg()[0]
    used = time.process_time()
    first = best(lambda: lakefs_hl.search("absent", client=client), 1)
    used = time.process_time() - used
    print(f"\n{title}: {count:,} objects; load of the machine {load:.1f}")
    print(f"  first index {first:,.0f} ms, {used * 1e3:,.0f} ms of it processor time of this process")
    print(f"  file {size(client) / 1e6:,.1f} MB")
    for term in terms:
        ours = best(lambda term=term: lakefs_hl.search(term, client=client))  # type: ignore[misc]
        other = asyncio.run(awaited(client, term))
        theirs = best(lambda term=term: naive(client, term), 1)  # type: ignore[misc]
        print(f"  {term[:40]:<42} {ours:8.1f} ms, asyncio {other:8.1f} ms, naive {theirs:10.1f} ms")
    fill(branch, [f"new/{name}" for name in paths(CHANGES, 2)])
    changed = best(lambda: lakefs_hl.search("absent", client=client), 1)
    after = best(lambda: lakefs_hl.search(word, client=client))
    print(f"  after {CHANGES:,} changes {changed:8.1f} ms, then {after:.1f} ms")


async def awaited(client: lakefs_hl.Client, term: str) -> float:
    """Return the shortest time of a search in asyncio, in milliseconds."""
    from lakefs_hl.aio.default import of

    found, twin = [], of(client)
    for _ in range(3):
        begin = time.perf_counter()
        await aio.search(term, client=twin)
        found.append((time.perf_counter() - begin) * 1e3)
    return min(found)


def size(client: lakefs_hl.Client) -> int:
    """Return the size of the index in bytes."""
    return sum(file.stat().st_size for file in client.cache_directory.glob("search*"))


def main() -> None:
    """Measure both lakes."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAKEFS_HL_CACHE_DIR"] = f"{folder}/cache"
        with lakefs_hl.Client(f"local:{folder}/lake") as client:
            measure("in process", client, count)
        with served(Path(folder) / "served") as client:
            measure("served", client, count)


if __name__ == "__main__":
    main()
