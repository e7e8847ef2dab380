"""Imports: files registered, not copied; what changed since is told; a commit or nothing."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.disk.tables import imports
from lakefs_hl.local.engine import Engine, records, replacement, sources, walk
from lakefs_hl.local.engine import imports as imports_module
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import IntegrityError, LakeResourceError
from tests.local.engine.support import branch, commit, paths, put, refused

LIMIT = 60.0  # seconds; only a hang takes so long


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("a.txt", "b/c.txt", "b/d/e.txt", "b-x", ".hidden", ".git/x", "é.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def location(folder: Path, destination: str = "", type: str = "common_prefix") -> models.ImportLocation:
    return models.ImportLocation(type, f"local://{folder}", destination)


def creation(*locations: models.ImportLocation, **more: Any) -> models.ImportCreation:
    return models.ImportCreation(list(locations), models.CommitCreation(more.pop("message", "m"), **more))


def finished(engine: Engine, name: str) -> models.ImportStatus:
    deadline = time.monotonic() + LIMIT
    while True:
        status = engine.imports.status("repo", name)
        if status.completed or status.error is not None:
            return status
        assert time.monotonic() < deadline, status
        threading.Event().wait(0.005)


def run(engine: Engine, *locations: models.ImportLocation, **more: Any) -> models.ImportStatus:
    return finished(engine, engine.imports.start("repo", "main", creation(*locations, **more), who="me"))


def body(engine: Engine, path: str) -> bytes:
    _, content = engine.objects.read("repo", "main", path)
    assert not isinstance(content.body, bytes)
    try:
        return os.pread(content.body.fd, content.body.length, content.body.offset)
    finally:
        content.release()


def test_a_folder(engine: Engine, data: Path) -> None:
    status = run(engine, location(data, "in"), message="", metadata={"k": "v"})
    assert (status.completed, status.error, status.ingested_objects) == (True, None, 5)
    assert paths(engine) == ["in/a.txt", "in/b-x", "in/b/c.txt", "in/b/d/e.txt", "in/é.txt"]
    made = engine.commits.get("repo", "main")
    assert status.commit == made
    assert status.metarange_id == made.meta_range_id
    assert (made.message, made.metadata) == ("Import objects", {".lakefs.merge.strategy": "source-wins", "k": "v"})
    assert ".lakefs.last.import.timestamp" in engine.repositories.metadata("repo")
    stats = engine.objects.stat("repo", "main", "in/b/c.txt")
    file = data / "b/c.txt"
    assert stats.size_bytes == file.stat().st_size
    assert re.fullmatch("[0-9a-f]{16}-0", stats.checksum), "nobody has read it, and nobody is to take this for an MD5"
    assert (stats.mtime, stats.physical_address) == (int(file.stat().st_mtime), f"local://{file}")
    assert body(engine, "in/b/c.txt") == b"b/c.txt"


def test_uris(engine: Engine, data: Path, tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    spaced.mkdir()
    (spaced / "x").write_bytes(b"1")
    assert run(engine, models.ImportLocation("common_prefix", spaced.as_uri(), "")).completed
    assert paths(engine) == ["x"]
    assert run(engine, location(data / "a.txt", "one", "object"), location(data / "b", "two/")).completed
    assert paths(engine) == ["one", "two/c.txt", "two/d/e.txt", "x"]


def test_what_was_there_is_replaced(engine: Engine, data: Path) -> None:
    for path in ("in/old", "in/b/c.txt", "in2", "inner/x", "z"):
        put(engine, path)
    commit(engine)
    assert run(engine, location(data / "b", "in")).completed
    # lakeFS would take "in2" and "inner/x" away too: their names begin like the destination
    assert paths(engine) == ["in/c.txt", "in/d/e.txt", "in2", "inner/x", "z"]
    assert run(engine, location(data / "b", "")).completed
    assert paths(engine) == ["c.txt", "d/e.txt"]


def test_the_same_again_makes_a_commit(engine: Engine, data: Path) -> None:
    one, other = run(engine, location(data)), run(engine, location(data))
    assert one.commit is not None
    assert other.commit is not None
    assert other.commit.parents == [one.commit.id]
    assert one.metarange_id == other.metarange_id
    assert run(engine).completed  # nothing to import, as recorded


def test_later_locations_win(engine: Engine, data: Path) -> None:
    status = run(
        engine, location(data / "b", "x"), location(data / "a.txt", "x/c.txt", "object"), location(data / "b/d", "a")
    )
    assert status.completed
    assert paths(engine) == ["a/e.txt", "x/c.txt", "x/d/e.txt"]
    assert body(engine, "x/c.txt") == b"a.txt"


def test_a_file_that_changed_is_told(engine: Engine, data: Path) -> None:
    run(engine, location(data))
    file = data / "a.txt"
    seen = file.stat()
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    with pytest.raises(IntegrityError, match=r"a\.txt has changed since it was imported"):
        engine.objects.read("repo", "main", "a.txt")
    file.write_bytes(b"longer than before")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    with pytest.raises(IntegrityError):
        engine.objects.read("repo", "main", "a.txt")
    file.unlink()
    assert "a.txt" in str(refused(410, lambda: engine.objects.read("repo", "main", "a.txt")))
    file.write_bytes(b"new")
    run(engine, location(data))
    assert body(engine, "a.txt") == b"new"


def test_touched_files_are_imported_anew(engine: Engine, data: Path) -> None:
    """To lakeFS nothing changed; but the old record would make the file unreadable."""
    put(engine, "z")
    commit(engine)
    run(engine, location(data, "in"))
    os.utime(data / "a.txt", ns=(0, 12345))
    run(engine, location(data, "in"))
    assert body(engine, "in/a.txt") == b"a.txt"


def test_staged_foreign_addresses_are_never_opened(engine: Engine, data: Path) -> None:
    stage = models.ObjectStage(f"local://{data / 'a.txt'}", "abc", 5)
    engine.objects.stage("repo", "main", "a", stage)
    refused(410, lambda: engine.objects.read("repo", "main", "a"), "No data")


def test_a_server_reads_below_its_roots_only(engine: Engine, data: Path) -> None:
    run(engine, location(data))
    other = Engine.open(engine.folder, import_roots=(data / "b",))
    try:
        assert other is engine
        assert body(engine, "b/c.txt") == b"b/c.txt"
        refused(410, lambda: engine.objects.read("repo", "main", "a.txt"))
    finally:
        other.close()


def errors_of(engine: Engine, *locations: models.ImportLocation) -> str:
    head = engine.branches.get("repo", "main")
    status = run(engine, *locations)
    assert not status.completed
    assert status.error is not None
    assert status.error.message.startswith("import error: ")
    assert engine.branches.get("repo", "main") == head
    return status.error.message


def test_failures_are_in_the_status(engine: Engine, data: Path, tmp_path: Path) -> None:
    assert "none" in errors_of(engine, location(tmp_path / "none"))
    assert "s3://b/p" in errors_of(engine, models.ImportLocation("common_prefix", "s3://b/p", ""))
    assert "absolute" in errors_of(engine, models.ImportLocation("common_prefix", "local://rel/x", ""))
    (data / os.fsdecode(b"bad-\xff")).write_bytes(b"")
    assert "bad-" in errors_of(engine, location(data))
    put(engine, "staged")
    assert "uncommitted changes (dirty branch)" in errors_of(engine, location(data / "b"))


def test_refused_at_once(engine: Engine, data: Path) -> None:
    start: Callable[[str, str, models.ImportCreation], Any]
    start = lambda repo, name, what: lambda: engine.imports.start(repo, name, what, who="me")
    refused(404, start("none", "main", creation(location(data))), "repository not found")
    refused(404, start("repo", "none", creation(location(data))), "branch not found")
    for place in (engine.folder, engine.folder.parent, engine.folder / "objects"):
        assert "invalid import source" in str(refused(400, start("repo", "main", creation(location(Path(place))))))
    refused(404, lambda: engine.imports.status("repo", "none"), "not found")
    refused(404, lambda: engine.imports.cancel("repo", "none"), "not found")


def test_hashing_is_a_setting_of_the_lake(engine: Engine, data: Path) -> None:
    assert not engine.imports.hashing
    engine.imports.hashing = True
    run(engine, location(data))
    assert engine.imports.hashing
    assert engine.objects.stat("repo", "main", "a.txt").checksum == hashlib.md5(b"a.txt").hexdigest()
    engine.imports.hashing = engine.imports.hashing = False
    run(engine, location(data))
    assert engine.objects.stat("repo", "main", "a.txt").checksum.endswith("-0")


def test_no_thread_can_be_started(engine: Engine, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(LakeResourceError, match="can't start new thread"):
            engine.imports.start("repo", "main", creation(location(data)), who="me")
    assert engine.imports._running == {}
    with engine.lake.read() as snapshot:
        ((_, value),) = imports.of_repository(snapshot.reader, 1)
    assert "could not be started" in str(records.read_import(value).error)
    assert run(engine, location(data)).completed


@pytest.fixture
def under_way(engine: Engine, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], imports_module._Run]:
    """Starts an import that will never be through with one stage, and has come to it."""
    put(engine, "kept")
    commit(engine)
    begun = threading.Event()

    def endless(*_: object) -> Iterator[tuple[bytes, bytes]]:
        for number in itertools.count():
            begun.set()
            yield f"in/{number:09d}".encode(), b"x"

    def hashed(**_: object) -> Any:
        begun.set()
        return hashlib.sha256()

    def seen(*_: object) -> list[walk.Found]:
        begun.set()
        return []

    def start(stage: str) -> imports_module._Run:
        if stage == "hashing":
            engine.imports.hashing = True
            monkeypatch.setattr(hashlib, "md5", hashed)
            os.truncate(data / "a.txt", 1 << 40)
        elif stage == "listing":
            monkeypatch.setattr(walk, "_looks", seen)
            monkeypatch.setattr(walk, "islice", lambda *_: ["more"])
        elif stage == "building":
            monkeypatch.setattr(sources, "entries", endless)
        else:
            monkeypatch.setattr(replacement, "edits", endless)
        engine.imports.start("repo", "main", creation(location(data, "in")), who="me")
        (under_way,) = engine.imports._running.values()
        assert begun.wait(LIMIT)
        return under_way

    return start


@pytest.mark.parametrize("stage", ["hashing", "listing", "building", "applying"])
def test_it_ends_at_every_stage(engine: Engine, stage: str, under_way: Callable[[str], imports_module._Run]) -> None:
    under = under_way(stage)
    engine.imports.cancel("repo", under.name)
    under.join(LIMIT)
    assert engine.imports._running == {}
    assert engine.imports.status("repo", under.name).error == models.Error("import error: Canceled")
    assert paths(engine) == ["kept"]


@pytest.mark.parametrize("stage", ["hashing", "building"])
def test_closing_ends_it_and_its_record_says_so(
    engine: Engine, stage: str, under_way: Callable[[str], imports_module._Run]
) -> None:
    under = under_way(stage)
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 1
    with closing(Engine.open(engine.folder, sync=False)) as again:
        assert again.imports.status("repo", under.name).error == models.Error("import error: Canceled")
        assert paths(again) == ["kept"]


def test_closing_does_not_wait_for_a_slow_file_system(
    engine: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread hangs in a read for hours: nobody waits for it, and whatever it does later changes nothing."""
    begun, answered = threading.Event(), threading.Event()

    def slow(*_: object) -> Iterator[walk.Found]:
        begun.set()
        assert answered.wait(LIMIT)
        yield "late", 1, 1

    monkeypatch.setattr(walk, "files", slow)
    name = engine.imports.start("repo", "main", creation(location(data)), who="me")
    (under_way,) = engine.imports._running.values()
    assert begun.wait(LIMIT)
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 1
    with closing(Engine.open(engine.folder, sync=False)) as again:
        answered.set()
        under_way.join(LIMIT)
        assert engine.imports._running == {}
        error = again.imports.status("repo", name).error
        assert error is not None
        assert "the process that ran it is gone" in error.message
        assert paths(again) == []


EXIT = """
import os, sys, threading
from pathlib import Path
import lakefs_hl
from lakefs_hl.local.engine import engine, walk

place, how = Path(sys.argv[1]), sys.argv[2]
client = lakefs_hl.Client(f"local:{place}/lake")
branch = lakefs_hl.repository("repo", client=client).create("local://repo").branch("main")
(lake,) = engine._open.values()
begun = threading.Event()
if how == "hashing":
    lake.imports.hashing = True
else:
    walk.files = lambda *_: begun.set() or threading.Event().wait()
(place / "data").mkdir()
with open(place / "data/huge", "wb") as file:
    file.truncate(1 << 40)
branch.import_from(f"local://{place}/data/", "in/").start()
if how != "hashing":
    begun.wait()
print("leaving", flush=True)
"""


@pytest.mark.parametrize("how", ["hashing", "blocked"])
def test_the_interpreter_ends_with_one_under_way(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-W", "error", "-c", EXIT, str(tmp_path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "leaving\n"
        start = time.monotonic()
        _, told = process.communicate(timeout=LIMIT)
        seconds = time.monotonic() - start
    assert (process.returncode, told) == (0, "")
    assert seconds < 3, "one second, and two for a machine that is busy"


class Held(threading.Event):
    """Lets an import go on; `begun` says that it has looked at its branch and come to its files."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """An import that waits after its first file until it is told to go on."""
    go = Held()
    entries = sources.entries

    def slow(locations: list[models.ImportLocation], manner: sources.Manner) -> Iterator[sources.Item]:
        for item in entries(locations, manner):
            go.begun.set()
            yield item
            assert go.wait(LIMIT)

    monkeypatch.setattr(sources, "entries", slow)
    yield go
    go.set()


def test_cancel(engine: Engine, data: Path, held: Held) -> None:
    name = engine.imports.start("repo", "main", creation(location(data)), who="me")
    engine.imports.cancel("repo", name)
    engine.imports.cancel("repo", name)
    held.set()
    status = finished(engine, name)
    assert (status.completed, status.error) == (False, models.Error("import error: Canceled"))
    engine.imports.close()
    assert paths(engine) == []
    done = run(engine, location(data))
    (last,) = [done.commit.id] if done.commit else [""]
    assert engine.branches.get("repo", "main").commit_id == last


def test_a_finished_import_cannot_be_canceled(engine: Engine, data: Path) -> None:
    name = engine.imports.start("repo", "main", creation(location(data)), who="me")
    finished(engine, name)
    refused(409, lambda: engine.imports.cancel("repo", name), "conflict found")


def test_canceled_by_another_process(engine: Engine, data: Path, held: Held) -> None:
    """The other process can only write into the record; the import looks there before it publishes."""
    name = engine.imports.start("repo", "main", creation(location(data)), who="me")
    (run,) = engine.imports._running.values()
    engine.imports.cancel("repo", name)
    run.ended = False
    held.set()
    run.join(LIMIT)
    engine.imports.close()
    assert paths(engine) == []


def test_one_whose_process_is_gone(engine: Engine) -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    gone = records.encode(records.ImportRecord(str(child), False, time.time_ns(), 3))
    with engine.lake.database.write() as writer:
        imports.put(writer, 1, "x", gone)
    status = engine.imports.status("repo", "x")
    assert not status.completed
    assert status.error is not None
    assert "gone" in status.error.message


def test_the_branch_moved_meanwhile(engine: Engine, data: Path, held: Held) -> None:
    put(engine, "kept")
    commit(engine)
    name = engine.imports.start("repo", "main", creation(location(data, "in")), who="me")
    assert held.begun.wait(LIMIT)
    put(engine, "later")
    made = commit(engine)
    held.set()
    status = finished(engine, name)
    assert status.commit is not None
    assert status.commit.parents == [made]
    assert paths(engine)[-2:] == ["kept", "later"]


def test_old_records_are_forgotten(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    name = engine.imports.start("repo", "main", creation(), who="me")
    finished(engine, name)
    monkeypatch.setattr(imports_module, "KEPT", -(10**18))
    finished(engine, engine.imports.start("repo", "main", creation(), who="me"))
    refused(404, lambda: engine.imports.status("repo", name))


def test_many_objects_in_pieces(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Very many, in pieces that are many times smaller than in real life."""
    monkeypatch.setattr("lakefs_hl.local.engine.bulk.PIECE", 50)
    monkeypatch.setattr("lakefs_hl.local.engine.bulk.BATCH", 10_000)
    put(engine, "a")
    put(engine, "n/0500")
    put(engine, "z")
    commit(engine)
    branch(engine, "before")

    def entry(index: int) -> bytes:
        return records.write_entry(records.make_entry(f"local:///n/{index}", index, b"e" * 16, 1, None, None, 1))

    with engine.lake.read("repo") as snapshot:
        repo = snapshot.repo
    items = [(f"n/{index:04d}".encode(), entry(index)) for index in range(1, 3000, 3)]
    engine.imports.load(repo, "main", items, ["n/"], creation(), who="me")
    assert paths(engine) == ["a", *(key.decode() for key, _ in items[:998]), "n/2995"][:1000]
    assert paths(engine, prefix="z") == ["z"]
    refused(404, lambda: engine.objects.stat("repo", "main", "n/0500"))
    single = [(b"m", entry(1)), (b"n/0500", entry(2)), (b"zz", entry(3))]
    engine.imports.load(repo, "before", single, [], creation(), who="me")
    assert paths(engine, "before") == ["a", "m", "n/0500", "z", "zz"]


def test_a_file_of_the_far_future(engine: Engine, tmp_path: Path) -> None:
    """Its time has more nanoseconds than 64 bits; some file systems keep such times, and others the nearest."""
    file = tmp_path / "far"
    file.write_bytes(b"far")
    os.utime(file, ns=(253_402_300_799 * 10**9, 253_402_300_799 * 10**9))
    assert run(engine, location(file, "far", "object")).error is None
    assert body(engine, "far") == b"far"
    os.utime(file)
    with pytest.raises(IntegrityError):
        body(engine, "far")
