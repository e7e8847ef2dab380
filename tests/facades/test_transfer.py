"""`lakefs.transfer` between all kinds of stores, in both colours: what is kept, skipped and refused; jobs."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.compression import compress, decompress
from lakefs_hl.facades._sync.stores import store_of
from lakefs_hl.facades.records import Put
from tests.facades.conftest import Colour
from tests.processes import ending

STORES = ["lake", "file", "mem", "memory"]
CONTENTS = {"a": b"a" * 1000, "b/c.txt": b"hello", "b/empty": b"", "é": b"\0" * 5000}


@pytest.fixture(autouse=True)
def lake() -> lakefs_hl.Client:
    return lakefs_hl.init("mem://")


@pytest.fixture
def place(tmp_path: Path) -> Any:
    """Makes URLs of new stores of a kind."""

    def make(kind: str) -> str:
        name = f"t-{secrets.token_hex(6)}"
        if kind == "lake":
            lakefs_hl.repository(name).create()
            return f"lakefs://{name}/main/data"
        return f"file://{tmp_path}/{name}" if kind == "file" else f"{kind}://{name}/data"

    return make


def fill(store: Any, encoding: str | None = None) -> None:
    puts = [Put(path, compress(data, encoding), encoding=encoding) for path, data in CONTENTS.items()]
    assert not [each for each in store.write_many(puts) if each.error]


def contents(store: Any) -> dict[str, bytes]:
    found = list(store.read_many([entry.path for entry in store.list()]))
    return {each.path: decompress(each.data, each.encoding) for each in found}


@pytest.mark.parametrize("to", STORES)
@pytest.mark.parametrize("of", STORES)
@pytest.mark.parametrize("job", [False, True])
def test_everything_is_transferred(
    colour: Colour, place: Any, of: str, to: str, job: bool, tmp_path: Path, rng: Any
) -> None:
    source, target = place(of), place(to)
    fill(colour.store(source), rng.choice([None, "gzip", "br", "zstd"]))
    options = {"job": tmp_path / "a.job"} if job else {}
    report = colour.transfer(source, target, block_size=3, **options)
    assert (report.transferred, report.ok) == (4, True)
    assert contents(colour.store(target)) == CONTENTS
    again = colour.transfer(source, target, block_size=3, **options)
    assert (again.transferred, again.skipped) == ((0, 4) if job else (4, 0))


@pytest.mark.parametrize("to", STORES)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_encodings_are_kept_or_changed(colour: Colour, place: Any, to: str, encoding: str) -> None:
    source, target = place("lake"), place(to)
    fill(colour.store(source), encoding)
    colour.transfer(source, target)
    store = colour.store(target)
    assert {entry.encoding for entry in store.list()} == {encoding}
    assert store.read("a").data == compress(CONTENTS["a"], encoding)  # not decoded on the way
    for wanted, name in (("br", "br"), ("zstd", "zstd"), ("", None)):
        colour.transfer(source, target, reencode=wanted)
        assert {entry.encoding for entry in store.list()} == {name}
        assert contents(store) == CONTENTS


def test_what_memory_compressed_by_itself_arrives_plain(colour: Colour, place: Any) -> None:
    source, target = place("mem"), place("lake")
    fill(colour.store(source))
    assert colour.store(source).stat("a").encoding == "gzip"
    colour.transfer(source, target)
    assert colour.store(target).stat("a").encoding is None
    assert contents(colour.store(target)) == CONTENTS


@pytest.mark.parametrize("options", [{}, {"update": True}, {"job": True}, {"checksum": "crc32c"}, {"reencode": "gzip"}])
@pytest.mark.parametrize("same", [True, False])
def test_type_and_metadata_are_kept_between_lakes(
    colour: Colour, place: Any, same: bool, options: dict[str, Any], tmp_path: Path
) -> None:
    source = place("lake")
    target = source.replace("/data", "/copy") if same else place("lake")
    put = Put("a", b"x" * 100, "text/special", None, {"k": "v"})
    colour.store(source).write(put)
    if options.get("job"):
        options = {"job": tmp_path / "x.job"}
    assert colour.transfer(source, target, **options).transferred == 1
    entry = colour.store(target).stat("a")
    assert entry.content_type == "text/special"
    assert entry.metadata["k"] == "v"
    assert ("crc32c" in entry.metadata) == ("checksum" in options)


def test_within_a_repository_no_content_moves(colour: Colour, place: Any, mocker: Any, tmp_path: Path) -> None:
    source = place("lake")
    fill(colour.store(source))
    for kind in ("_sync", "aio"):
        mocker.patch(f"lakefs_hl.facades.{kind}.lake.LakeStore.read_many", side_effect=AssertionError)
        mocker.patch(f"lakefs_hl.facades.{kind}.lake.LakeStore.write_many", side_effect=AssertionError)
    every: list[dict[str, Any]] = [{}, {"update": True}, {"job": tmp_path / "a"}, {"paths": list(CONTENTS)}]
    for number, options in enumerate(every):
        report = colour.transfer(source, source.replace("/data", f"/copy{number}"), **options)
        assert report.transferred == 4
        assert report.bytes == 6005


def test_only_some_paths(colour: Colour, place: Any, tmp_path: Path) -> None:
    source, target = place("mem"), place("file")
    fill(colour.store(source))
    assert colour.transfer(source, target, paths="a").transferred == 1
    assert colour.transfer(source, target, paths=iter(["b/c.txt", "b/c.txt"])).transferred == 1
    assert sorted(contents(colour.store(target))) == ["a", "b/c.txt"]
    for job in (None, tmp_path / "job"):
        report = colour.transfer(source, target, paths=["é", "none"], job=job, on_error="return")
        assert (report.transferred, report.failed_count) == (1, 1)
        assert report.failed[0].path == "none"
    with pytest.raises(ValueError, match="paths must be that of an object"):
        colour.transfer(source, target, paths=["/a"])
    with pytest.raises(TypeError, match="paths must be a text"):
        colour.transfer(source, target, paths=[3])


@pytest.mark.parametrize("to", STORES)
@pytest.mark.parametrize("of", STORES)
def test_update_sends_what_is_missing_or_different(colour: Colour, place: Any, of: str, to: str) -> None:
    source, target = place(of), place(to)
    fill(colour.store(source))
    colour.transfer(source, target)
    report = colour.transfer(source, target, update=True)
    assert (report.transferred, report.skipped, report.skips) == (0, 4, ())
    list(colour.store(target).delete_many(["a"]))
    assert colour.transfer(source, target, update=True).transferred == 1
    assert contents(colour.store(target)) == CONTENTS


def test_update_does_not_replace_what_is_newer(colour: Colour, place: Any, tmp_path: Path) -> None:
    import os

    source, target = place("file"), place("file")
    colour.store(source).write(Put("a", b"source"))
    colour.store(target).write(Put("a", b"newer target"))
    one, two = Path(source[7:]) / "a", Path(target[7:]) / "a"
    os.utime(one, (1000, 1000))
    os.utime(two, (2000, 2000))
    report = colour.transfer(source, target, update=True)
    assert (report.transferred, report.skipped) == (0, 1)
    assert report.skips[0].reason == "the destination is newer and different"
    os.utime(one, (3000, 3000))
    assert colour.transfer(source, target, update=True).transferred == 1
    assert two.read_bytes() == b"source"


def test_failures_are_reported_and_the_rest_is_transferred(colour: Colour, place: Any, tmp_path: Path) -> None:
    source, target = place("mem"), place("file")
    fill(colour.store(source))
    (Path(target[7:]) / "a").mkdir(parents=True)  # a directory where a file should be
    for job in (None, tmp_path / "job"):
        with pytest.raises(exceptions.PartialFailureError, match=r"1 of 4 objects .*the first is 'a'") as caught:
            colour.transfer(source, target, job=job)
        report = caught.value.report
        assert [failure.path for failure in report.failed] == ["a"]
    (Path(target[7:]) / "a").rmdir()
    report = colour.transfer(source, target, job=tmp_path / "job")
    assert (report.transferred, report.skipped) == (1, 3)
    assert contents(colour.store(target)) == CONTENTS


def test_broken_content_is_a_failure_of_its_object(colour: Colour, place: Any) -> None:
    source, target = place("lake"), place("mem")
    store = colour.store(source)
    store.write(Put("good", compress(b"1", "gzip"), encoding="gzip"))
    store.write(Put("bad", b"no gzip", encoding="gzip"))
    store.write(Put("odd", b"1", encoding="lzma"))
    report = colour.transfer(source, target, reencode="br", on_error="return")
    assert report.transferred == 1
    assert [failure.path for failure in report.failed] == ["bad", "odd"]
    assert "cannot be decompressed as gzip" in report.failed[0].message


def test_a_job_of_some_paths_is_not_one_of_all(colour: Colour, place: Any, tmp_path: Path) -> None:
    source, target, job = place("mem"), place("file"), tmp_path / "job"
    fill(colour.store(source))
    assert colour.transfer(source, target, paths=["a"], job=job).transferred == 1
    with pytest.raises(ValueError, match="paths is 'given' there and 'all' here"):
        colour.transfer(source, target, job=job)
    report = colour.transfer(source, target, paths=["a", "é"], job=job)
    assert (report.transferred, report.skipped) == (1, 1)


def test_failures_of_other_workers_are_in_the_report(colour: Colour, place: Any, tmp_path: Path, mocker: Any) -> None:
    from lakefs_hl.facades import jobs

    source, target = place("mem"), place("file")
    fill(colour.store(source))
    take = jobs.Job.take

    def with_other(self: Any, count: int) -> Any:
        taken = take(self, count)
        if taken:  # another worker has one of them, and fails
            self.finish([(taken[0].path, "it failed there")])
        return taken[1:]

    mocker.patch.object(jobs.Job, "take", with_other)
    report = colour.transfer(source, target, job=tmp_path / "job", on_error="return")
    assert (report.transferred, report.failed_count) == (3, 1)
    assert report.failed[0].message == "it failed there"


def test_two_objects_that_would_be_one_file(colour: Colour, place: Any) -> None:
    source, target = place("lake"), place("file")
    store = colour.store(source)
    store.write(Put("a", compress(b"1", "gzip"), encoding="gzip"))
    store.write(Put("a.gz", b"another object"))
    report = colour.transfer(source, target, on_error="return")
    assert (report.transferred, [failure.path for failure in report.failed]) == (1, ["a"])
    assert (Path(target[7:]) / "a.gz").read_bytes() == b"another object"
    assert colour.transfer(source, place("file"), reencode="").transferred == 2


def test_large_objects_go_through_files(colour: Colour, place: Any, mocker: Any, rng: Any) -> None:
    for kind in ("_sync", "aio"):
        mocker.patch(f"lakefs_hl.facades.{kind}.moves.LARGE", 1000)
    data = rng.randbytes(100_000)
    source, middle, target = place("file"), place("lake"), place("memory")
    colour.store(source).write(Put("a", data))
    assert colour.transfer(source, middle).bytes == len(data)
    assert colour.transfer(middle, target, reencode="gzip").transferred == 1
    assert decompress(colour.store(target).read("a").data, "gzip") == data
    report = colour.transfer(middle, target, paths=["none"], on_error="return")
    assert report.failed_count == 1


@pytest.mark.parametrize("to", ["file", "memory"])
@pytest.mark.parametrize("of", ["lake", "mem", "file"])
def test_names_that_end_like_an_encoding(colour: Colour, place: Any, of: str, to: str) -> None:
    source, target = place(of), place(to)
    there = {path: path.encode() * 9 for each in range(20) for path in (f"a{each}", f"a{each}.gz", f"a{each}.br")}
    for path in sorted(there, key=len):
        assert colour.store(source).write(Put(path, there[path], encoding="")).error is None
    for paths in (sorted(there, reverse=True), None):  # a.gz before a
        assert colour.transfer(source, target, paths=paths, block_size=7).transferred == len(there)
        found = {each.path: each for each in colour.store(target).list()}
        assert {path: each.encoding for path, each in found.items()} == dict.fromkeys(there)
        assert {path: colour.store(target).read(path).data for path in there} == there


@pytest.mark.parametrize("to", ["file", "memory"])
def test_an_older_encoding_at_the_destination_goes(colour: Colour, place: Any, to: str) -> None:
    source, target = place("lake"), place(to)
    assert colour.store(target).write(Put("a", compress(b"old", "gzip"), encoding="gzip")).error is None
    assert colour.store(source).write(Put("a", b"new")).error is None
    assert colour.transfer(source, target).transferred == 1
    assert [(each.path, each.encoding) for each in colour.store(target).list()] == [("a", None)]


def test_what_a_directory_would_find_instead_is_refused(colour: Colour, place: Any) -> None:
    source, target = place("lake"), place("file")
    store = colour.store(source)
    for put in (Put("a", compress(b"br", "br"), encoding="br"), Put("a.gz", b"gz"), Put("a.br", b"br")):
        assert store.write(put).error is None
    report = colour.transfer(source, target, on_error="return")
    assert (report.transferred, [each.path for each in report.failed]) == (2, ["a"])


def test_a_job_is_not_in_its_own_transfer(colour: Colour, place: Any, tmp_path: Path) -> None:
    (tmp_path / "data/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for source, target in ((f"file://{tmp_path}/data", place("mem")), (place("mem"), f"file://{tmp_path}/data")):
        for job in ("data/job", "data/below/job", "link/job"):
            with pytest.raises(ValueError, match=r"job='.*/job' is in file:///.*/data/, which is transferred itself"):
                colour.transfer(source, target, job=tmp_path / job)
    assert [each.name for each in (tmp_path / "data").rglob("*")] == ["below"]


def test_nothing_is_no_error(colour: Colour, place: Any, tmp_path: Path) -> None:
    for of in STORES:
        for to in STORES:
            source = place(of)
            if of == "file":
                Path(source.removeprefix("file://")).mkdir()
            assert colour.transfer(source, place(to)).transferred == 0
    assert colour.transfer(place("mem"), place("mem"), job=tmp_path / "x").transferred == 0


def test_a_source_that_is_not_there_is_an_error(colour: Colour, place: Any, tmp_path: Path) -> None:
    """A job that found nothing would be complete, and do nothing when the directory is there again."""
    source, target, job = tmp_path / "disk", place("mem"), tmp_path / "x"
    for more in ({}, {"job": job}):
        with pytest.raises(FileNotFoundError, match="disk"):
            colour.transfer(source.as_uri(), target, **more)
    source.mkdir()
    (source / "a").write_bytes(b"1")
    with pytest.raises(NotADirectoryError, match="takes a directory"):
        colour.transfer((source / "a").as_uri(), target)
    assert colour.transfer(source.as_uri(), target, job=job).transferred == 1
    assert colour.transfer(source.as_uri(), place("mem"), paths=["a"]).transferred == 1


def test_what_cannot_be_is_refused(colour: Colour, place: Any) -> None:
    source, target = place("lake"), place("file")
    for bad in (source, f"{source}/below", source[: -len("/data")]):
        with pytest.raises(ValueError, match="overlap"):
            colour.transfer(source, bad)
    repository = source.split("/")[2]
    with pytest.raises(exceptions.UnsupportedOperationException, match="read-only"):
        colour.transfer(target, f"lakefs://{repository}/main~0/x")
    with pytest.raises(exceptions.NotFoundException):
        colour.transfer("lakefs://no-such-repository/main/x", target)
    with pytest.raises(ValueError, match="URL with a scheme"):
        colour.transfer(source, "/some/directory")
    with pytest.raises(TypeError, match="int"):
        colour.transfer(source, 3)
    options: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"block_size": 0}, ValueError, "block_size"),
        ({"block_size": "x"}, TypeError, "block_size"),
        ({"update": "checksum"}, TypeError, "update must be True or False"),
        ({"on_error": "ignore"}, ValueError, "on_error"),
        ({"reencode": "lzma"}, ValueError, "'lzma'"),
        ({"checksum": "md5"}, ValueError, "crc32c"),
    ]
    for given, error, words in options:
        with pytest.raises(error, match=words):
            colour.transfer(source, target, **given)


def test_references_and_stores_are_taken(colour: Colour, place: Any) -> None:
    source = place("lake")
    fill(colour.store(source))
    repository = colour.package.repository(source.split("/")[2])
    target = colour.store(place("mem"))
    assert colour.transfer(repository.ref("main"), target).transferred == 4
    assert colour.transfer(target, repository.branch("main")).transferred == 4
    assert colour.store(f"lakefs://{repository.id}/main").stat("data/a").size == 1000


def test_progress(colour: Colour, place: Any) -> None:
    source, target = place("mem"), place("file")
    fill(colour.store(source))
    events = list[Any]()
    colour.transfer(source, target, progress=events.append)
    assert Counter(event.kind for event in events) == {"start": 4, "complete": 4}
    colour.transfer(source, target, update=True, progress=events.append)
    assert Counter(event.kind for event in events)["skip"] == 4


def test_an_interrupted_job_is_continued(colour: Colour, place: Any, tmp_path: Path, mocker: Any) -> None:
    from lakefs_hl.facades.directories import Directory

    source, target = place("mem"), place("file")
    puts = [Put(f"{number:03}", b"%d" % number) for number in range(100)]
    list(colour.store(source).write_many(puts))
    written = list[str]()
    write = Directory.write

    def failing(self: Any, put: Put, *, durable: bool = False) -> Any:
        assert durable
        if len(written) == 25:
            raise KeyboardInterrupt
        written.append(put.path)
        return write(self, put, durable=durable)

    mocker.patch.object(Directory, "width", 1)
    mocker.patch.object(Directory, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        colour.transfer(source, target, job=tmp_path / "job", block_size=10)
    assert len(written) == 25
    mocker.patch.object(Directory, "write", write)
    report = colour.transfer(source, target, job=tmp_path / "job", block_size=10)
    assert (report.transferred, report.skipped) == (80, 20)
    assert len(contents(colour.store(target))) == 100


def test_what_another_worker_had_is_not_sent_again_if_it_is_there(
    colour: Colour, place: Any, tmp_path: Path, mocker: Any
) -> None:
    source, target = place("lake"), place("lake")
    fill(colour.store(source))
    colour.transfer(source, target)  # a worker that was killed before it noted what it has done
    from lakefs_hl.facades import jobs

    taken = jobs.Job.take
    mocker.patch.object(
        jobs.Job, "take", lambda self, count: [each._replace(retaken=True) for each in taken(self, count)]
    )
    list(colour.store(target).delete_many(["a"]))
    report = colour.transfer(source, target, job=tmp_path / "job")
    assert (report.transferred, report.skipped) == (1, 3)


HOSTILE = [
    "..", "a/../b", "../up", "a/./b", "a//b", "\0", "a\0b", "x" * 300, "x/" * 700 + "y", "\udc80", "con", "a\\b", "~",
    "%2e%2e",
    "lakefs://r/main/x", "file:///etc/x", " ", "\n", "a.lakefs-hl", ".lakefs-hl-0123456789abcdef.tmp", "*", "\u202e",
]  # fmt: skip


@pytest.mark.parametrize("to", STORES)
def test_hostile_names_arrive_as_they_are_or_not_at_all(colour: Colour, place: Any, to: str, tmp_path: Path) -> None:
    source, target = place("mem"), place(to)
    assert not [each for each in colour.store(source).write_many([Put(path, b"1") for path in HOSTILE]) if each.error]
    for job in (None, tmp_path / "job"):
        report = colour.transfer(source, target, on_error="return", job=job)
        failed = {failure.path for failure in report.failed}
        assert report.transferred + report.failed_count == len(HOSTILE)
        assert {entry.path for entry in colour.store(target).list()} == set(HOSTILE) - failed
    if to == "file":
        assert {"..", "a/../b", "../up", "\0"} <= failed
        assert not (tmp_path.parent / "up").exists()
        assert not (tmp_path / "up").exists()
    elif to == "memory":
        assert failed == {"..", "a/../b", "../up", "a/./b", "a//b", "lakefs://r/main/x", "file:///etc/x"}
    else:
        assert failed <= {"\udc80", "x/" * 700 + "y", "\0", "a\0b"}


def test_a_listing_that_was_interrupted_is_continued(colour: Colour, place: Any, tmp_path: Path, mocker: Any) -> None:
    from lakefs_hl.facades import jobs

    for kind in ("_sync", "aio"):
        mocker.patch(f"lakefs_hl.facades.{kind}.moves.LISTED", 10)
    source, target = place("lake"), place("mem")
    list(colour.store(source).write_many([Put(f"{number:03}", b"1") for number in range(95)]))
    add, added = jobs.Job.add, list[str]()

    def failing(self: Any, entries: Any) -> bool:
        if len(added) == 40:
            raise KeyboardInterrupt
        added.extend(entry.path for entry in entries)
        return add(self, entries)

    mocker.patch.object(jobs.Job, "add", failing)
    with pytest.raises(KeyboardInterrupt):
        colour.transfer(source, target, job=tmp_path / "job")
    mocker.patch.object(jobs.Job, "add", add)
    report = colour.transfer(source, target, job=tmp_path / "job")
    assert report.transferred + report.skipped == 95
    assert report.skipped == len([path for path in added if path]) == 40
    assert len(contents(colour.store(target))) == 95


def test_a_cancelled_transfer_releases_what_it_had(place: Any, tmp_path: Path, mocker: Any) -> None:
    from lakefs_hl import aio
    from lakefs_hl.facades.aio.backed import BackedStore

    source, target = place("mem"), place("file")
    list(store_of(source).write_many([Put(f"{number:03}", b"1") for number in range(50)]))
    write_many = BackedStore.write_many

    async def run() -> None:
        reached = asyncio.Event()

        async def waiting(self: Any, puts: Any, *, durable: bool = False) -> Any:
            async for outcome in write_many(self, puts, durable=durable):
                yield outcome
                reached.set()
                await asyncio.Event().wait()

        mocker.patch.object(BackedStore, "write_many", waiting)
        task = asyncio.create_task(aio.transfer(source, target, job=tmp_path / "job", block_size=10))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        mocker.patch.object(BackedStore, "write_many", write_many)
        report = await aio.transfer(source, target, job=tmp_path / "job")
        assert (report.transferred, report.skipped) == (50, 0)

    asyncio.run(run())


WORK = """
import os, signal, sys
import lakefs_hl
from lakefs_hl.facades.directories import Directory
source, target, job, log, last = sys.argv[1:]
write, count = Directory.write, 0

def logged(self, put, *, durable=False):
    global count
    outcome = write(self, put, durable=durable)
    line = f"{os.getpid()} {put.path}\\n".encode()
    os.write(fd, line)
    count += 1
    if count == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome

fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
Directory.write = logged
report = lakefs_hl.transfer(source, target, job=job, block_size=8, progress=False)
print(report.transferred, report.skipped, report.failed_count)
"""


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORK, *map(str, arguments)], stdout=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> list[int]:
    with ending(process):
        output, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return [int(number) for number in output.split()]


def many(tmp_path: Path, count: int) -> tuple[str, str, Path, Path]:
    (tmp_path / "source").mkdir()
    for number in range(count):
        (tmp_path / f"source/{number:04}").write_bytes(b"%d" % number)
    return f"file://{tmp_path}/source", f"file://{tmp_path}/target", tmp_path / "job", tmp_path / "log"


def writes(log: Path) -> Counter[str]:
    return Counter(line.split()[1] for line in log.read_text().splitlines())


def check_target(tmp_path: Path, count: int) -> None:
    found = {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()}
    left = [name for name in found if name.startswith(".lakefs-hl-")]  # of processes that were killed while they wrote
    assert len(left) <= 6 * 8
    for name in left:
        del found[name]
    assert found == {f"{number:04}": b"%d" % number for number in range(count)}
    assert len(list(store_of(f"file://{tmp_path}/target").list())) == count


def test_processes_share_a_job_and_do_nothing_twice(tmp_path: Path) -> None:
    source, target, job, log = many(tmp_path, 300)
    running = [start(source, target, job, log, 0) for _ in range(3)]
    with ending(*running):
        counts = [end(process) for process in running]
    assert sum(count[0] for count in counts) == 300
    assert all(sum(count) == 300 for count in counts)
    assert set(writes(log).values()) == {1}
    check_target(tmp_path, 300)


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Two processes work on one job, and one is killed, again and again. Only the block that it had is done again."""
    source, target, job, log = many(tmp_path, 300)
    killed = 0
    for last in (1, 7, 8, 9, 30):
        with ending(process := start(source, target, job, log, last)):
            process.communicate(timeout=100)
        killed += process.returncode == -signal.SIGKILL
    assert killed == 5
    survivor, victim = start(source, target, job, log, 0), start(source, target, job, log, 5)
    with ending(survivor, victim):
        done = end(survivor)
        victim.communicate(timeout=100)
    assert sum(done) == 300
    assert done[2] == 0
    check_target(tmp_path, 300)
    found = writes(log)
    assert set(found) == {f"{number:04}" for number in range(300)}
    assert sum(found.values()) - 300 <= 6 * 8  # what the killed ones had in hand


def test_a_process_waits_for_what_another_has(tmp_path: Path, mocker: Any) -> None:
    """A call returns when the job is complete, not when nothing is left to take."""
    from lakefs_hl.facades import jobs
    from lakefs_hl.facades._sync import transfer as module

    source, target, path, _ = many(tmp_path, 4)
    identity = module._identity(
        store_of(source), store_of(target), module._options(64, None, False, durable=True), None, None
    )
    other = jobs.Job(path, identity, heartbeat=False)
    other.open()
    assert other.take_listing() == ""
    other.add(list(store_of(source).list()))
    other.end_listing(True)
    assert len(other.take(2)) == 2
    waited = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:  # it ends without having done its part
            other.close()

    mocker.patch("lakefs_hl.facades._sync.threads.pause", pause)
    report = lakefs_hl.transfer(source, target, job=path)
    assert report.transferred == 4
    assert len(waited) == 3
    check_target(tmp_path, 4)


LAKE_WORK = """
import os, sys
import lakefs_hl
from lakefs_hl.facades import jobs
lake, source, target, job, role = sys.argv[1:]
take, begun = jobs.Job.take, False

def told(self, number):
    global begun
    taken = take(self, number)
    if not begun:
        os.write(1, b"begun\\n")
    if role == "victim":
        sys.stdin.read()  # with a block in hand, until it is killed
    begun = True
    return taken

jobs.Job.take = told
lakefs_hl.init(lake)
report = lakefs_hl.transfer(source, target, job=job, block_size=8, progress=False)
for failure in report.failed:
    print(failure, file=sys.stderr)
print(report.transferred, report.skipped, report.failed_count)
"""


def test_processes_share_a_job_into_a_lake(tmp_path: Path) -> None:
    """On one directory: processes take turns in writing to it. One of them is killed with objects in hand."""
    source, _, job, _ = many(tmp_path, 120)
    lake, target = f"local:{tmp_path}/lake", "lakefs://shared/main/data"
    with lakefs_hl.Client(lake) as client:
        lakefs_hl.repository("shared", client=client).create()
    with contextlib.ExitStack() as stack:

        def begin(role: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", LAKE_WORK, lake, source, target, str(job), role]
            # unbuffered: what `readline` had read ahead, `communicate` would not return
            process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(ending(process))
            return process

        victim = begin("victim")
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"begun\n"
        others = [begin("other") for _ in range(2)]
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == b"begun\n"
        victim.kill()
        assert victim.wait(100) == -signal.SIGKILL
        counts = [end(process) for process in others]
    assert [(sum(count), count[2]) for count in counts] == [(120, 0)] * 2
    with lakefs_hl.Client(lake) as client:
        branch = lakefs_hl.repository("shared", client=client).branch("main")
        rows = list(branch.list_objects(prefix="data/", delimiter=""))
        found = {row.path: row.download() for row in rows if isinstance(row, lakefs_hl.ObjectInfo)}
    assert found == {f"data/{number:04}": b"%d" % number for number in range(120)}


def test_the_same_name_in_two_scopes_is_two_repositories(colour: Colour, place: Any, tmp_path: Path) -> None:
    name, root = f"r-{secrets.token_hex(6)}", lakefs_hl.Client("mem://")
    scopes = {scope: root.scoped(scope) for scope in ("alice", "bob")}
    for scope, client in scopes.items():
        lakefs_hl.repository(name, client=client).create().branch("main").upload(scope.encode(), "data/a")
    clients = {scope: colour.package.Client(root.endpoint).scoped(scope) for scope in scopes}
    source, job = f"lakefs://{name}/main/data", tmp_path / "job"
    target = place("mem")
    assert colour.transfer(source, target, job=job, src_client=clients["alice"]).transferred == 1
    with pytest.raises(ValueError, match=r"of another transfer: source is .*alice.* there and .*bob.* here"):
        colour.transfer(source, target, job=job, src_client=clients["bob"])
    for more in ({}, {"update": True}, {"job": tmp_path / "other"}):
        report = colour.transfer(source, source, src_client=clients["alice"], dst_client=clients["bob"], **more)
        assert report.failed_count == 0
        assert lakefs_hl.repository(name, client=scopes["bob"]).branch("main")["data/a"] == b"alice"
    full = f"lakefs://alice-{name}/main/data/below"  # the same place, by a client without the scope
    with pytest.raises(ValueError, match="overlap"):
        colour.transfer(source, full, src_client=clients["alice"], dst_client=colour.package.Client(root.endpoint))


def test_moves_between_scopes_and_lakes_move_and_lose_nothing(colour: Colour) -> None:
    """Equal URLs are not always one place, and different ones may be."""
    name, root, other = f"r-{secrets.token_hex(6)}", lakefs_hl.Client("mem://"), lakefs_hl.Client("mem://")
    clients = {"alice": root.scoped("alice"), "bob": root.scoped("bob"), "root": root, "other": other}
    for client in (clients["alice"], clients["bob"], other):
        lakefs_hl.repository(name, client=client).create()

    def files(scope: str, prefix: str = "d", repository: str = name) -> Any:
        client = clients[scope]
        twin = colour.package.Client(client.endpoint)
        twin = twin.scoped(scope) if scope in ("alice", "bob") else twin
        return colour.package.files(f"lakefs://{repository}/main/{prefix}", client=twin)

    def found(scope: str, path: str) -> bytes | None:
        return lakefs_hl.repository(name, client=clients[scope]).branch("main").files().get(path)

    def move(to: Any, *pairs: Any) -> None:
        source = files("alice")
        colour.settle(source.put("x", b"1"))
        assert colour.settle(source.moves(to, list(pairs))).transferred == 1

    for scope in ("bob", "other"):
        move(files(scope), "x")
        assert (found("alice", "d/x"), found(scope, "d/x")) == (None, b"1")
        move(files(scope), ("x", "y"))
        assert (found("alice", "d/x"), found("alice", "d/y"), found(scope, "d/y")) == (None, None, b"1")
    move(files("root", repository=f"alice-{name}"), "x")  # the same place
    assert found("alice", "d/x") == b"1"
    move(files("root", "", f"alice-{name}"), ("x", "d/x"))
    assert found("alice", "d/x") == b"1"


@pytest.mark.parametrize("scheme", ["mem", "memory", "file"])
def test_a_move_to_where_it_is_by_another_prefix_keeps_the_file(colour: Colour, tmp_path: Path, scheme: str) -> None:
    at = f"file://{tmp_path}/a b" if scheme == "file" else f"{scheme}://same-{secrets.token_hex(4)}/a b"
    outer, inner = lakefs_hl.files(at), lakefs_hl.files(f"{at}/c d")
    inner.put("x", b"1")
    assert outer.moves(inner, [("c d/x", "x")]).transferred == 1
    assert inner.moves(outer, [("x", "c d/x")]).transferred == 1
    assert inner.get("x") == b"1"
    assert colour.transfer(at, f"mem://same-{secrets.token_hex(4)}").transferred == 1
