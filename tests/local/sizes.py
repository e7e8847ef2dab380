"""A program for tests of memory: one piece of work on very many objects, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.spec import models

#: An import replaces what is under a prefix, or puts single objects beside what is there.
EMPTY: Final = "import into an empty branch"
REPLACING: Final = "import that replaces a part of a branch"
SINGLE: Final = "import of single objects beside others"
COMMIT: Final = "commit"
LISTING: Final = "listing"

_PREPARE: Final = "prepare "
#: What a branch holds that is not empty: before, among and behind what comes.
_THERE: Final = ("a", "data/part-00000/file-000000000.bin.old", "z")
_PREFIX: Final = "data/"


class Figures(NamedTuple):
    """What one piece of work took.

    Attributes:
        memory: Bytes above what the process had before, at their highest.
        seconds: Of processor time.
    """

    memory: int
    seconds: float


def measured(work: str, objects: int, folder: Path, timeout: float) -> Figures:
    """Does a piece of work in a new lake, prepared by another process so that nothing of that is counted."""
    _run(_PREPARE + work, objects, folder, timeout)
    memory, seconds = _run(work, objects, folder, timeout).split()
    return Figures(int(memory), float(seconds))


def _run(work: str, objects: int, folder: Path, timeout: float) -> str:
    command = [sys.executable, "-m", __name__, work, str(objects), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _entry(index: int) -> bytes:
    address = f"local:///data/set/part-{index // 1000:05d}/file-{index:09d}.bin"
    stamp = 1_700_000_000_123_456_789 + index
    return records.encode((address, index, f"{index:016x}-0", stamp // 10**9, None, None, stamp))


def _items(objects: int) -> Iterator[tuple[bytes, bytes]]:
    """So many keys and entries, made one by one."""
    for index in range(objects):
        yield f"data/part-{index // 1000:05d}/file-{index:09d}.bin".encode(), _entry(index)


def _load(engine: Engine, content: Iterator[tuple[bytes, bytes]], *replaced: str) -> None:
    with engine.lake.read("repo") as snapshot:
        repo = snapshot.repo
    engine.imports.load(
        repo, "main", content, list(replaced), models.ImportCreation([], models.CommitCreation("m")), who="me"
    )


def _stage(engine: Engine, objects: int) -> None:
    content = _items(objects)
    with engine.lake.read("repo") as snapshot:
        token = snapshot.head("main").token
    while piece := list(islice(content, 5000)):
        with engine.lake.database.write(durable=False) as writer:
            for key, value in piece:
                staging.put(writer, token, key, value)


def _list(engine: Engine, objects: int) -> None:
    after, count, more = "", 0, True
    while more:
        page = engine.objects.list("repo", "main", after=after, amount=1000)
        count += len(page.results)
        after, more = page.pagination.next_offset, page.pagination.has_more
    assert count == objects, count


def _prepare(engine: Engine, work: str, objects: int) -> None:
    engine.repositories.create(models.RepositoryCreation("repo", "local://repo"), who="me")
    if work in {REPLACING, SINGLE, COMMIT}:
        _load(engine, ((path.encode(), _entry(1)) for path in _THERE))
    if work == COMMIT:
        _stage(engine, objects)
    elif work == LISTING:
        _load(engine, _items(objects), _PREFIX)


def _do(engine: Engine, work: str, objects: int) -> None:
    if work == LISTING:
        _list(engine, objects)
    elif work == COMMIT:
        engine.commits.commit("repo", "main", models.CommitCreation("m"), who="me")
    elif work == SINGLE:
        _load(engine, _items(objects))
    else:
        _load(engine, _items(objects), _PREFIX)


def _memory(what: str) -> int:
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) << 10


def _main(work: str, objects: int, folder: Path) -> None:
    with closing(Engine.open(folder, sync=False)) as engine:
        if work.startswith(_PREPARE):
            _prepare(engine, work.removeprefix(_PREPARE), objects)
            return
        before, start = _memory("VmRSS"), time.process_time()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest is now what it is now
        _do(engine, work, objects)
        print(_memory("VmHWM") - before, time.process_time() - start)  # noqa: T201


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
