"""The cache of snapshots: eviction, processes that share it, are killed or fork, and what is on the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from pytest_mock import MockerFixture

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.facades import snapshot_index
from lakefs_hl.facades.cache import COARSE_SECONDS, GRACE_SECONDS, KEPT_SECONDS, Cache, Choice, Wanted
from lakefs_hl.facades.holds import USES
from tests.processes import ending

CHOICE = Choice("mem://x", "", "repo", "", None, None, "error")
MD5 = "9003d1df22eb4d3820015070385194c8"  # of b"pwd"


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[Cache]:
    found = Cache(tmp_path / "cache" / "snapshots", clock=clock)
    found.open()
    yield found
    for key, _ in found.entries():
        USES.drop(found._use(key))


def fill(cache: Cache, commit: str, files: dict[str, bytes] | None = None, choice: Choice = CHOICE) -> Path:
    """Make a snapshot, as a call of a process that has ended."""
    hold = cache.hold(choice.key(commit))
    assert hold is not None
    with hold:
        target = cache.begin(choice, commit)
        for name, content in (files or {"a": b"pwd"}).items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).unlink(missing_ok=True)
            (target / name).write_bytes(content)
        path = cache.publish(choice, commit, target, {})
    USES.drop(cache._use(choice.key(commit)))
    return path


def commits(cache: Cache) -> list[str]:
    return [entry.uri.split("/")[3] for _, entry in cache.entries()]


def find(cache: Cache, commit: str) -> Path | None:
    found = cache.find(CHOICE, commit)
    USES.drop(cache._use(CHOICE.key(commit)))
    return found


def test_what_was_used_least_recently_is_evicted(cache: Cache, clock: Clock) -> None:
    for commit in ("c1", "c2", "c3"):
        fill(cache, commit, {"a": b"x" * 10})
        clock.now += 100
    assert find(cache, "c1") is not None
    assert commits(cache) == ["c2", "c3", "c1"]
    assert cache.evict(0) == []  # all were used in the last minutes
    clock.now += GRACE_SECONDS + 1
    assert cache.evict(30) == []
    assert [entry.uri.split("/")[3] for entry in cache.evict(20)] == ["c2"]
    assert find(cache, "c2") is None
    assert commits(cache) == ["c3", "c1"]
    assert len(cache.evict(0)) == 2
    assert not list(cache.root.glob("*/*-*"))
    assert not list((cache.root / ".locks").glob("*.lock"))


def test_what_this_process_was_given_is_not_evicted(cache: Cache, clock: Clock) -> None:
    fill(cache, "c1")
    path = cache.find(CHOICE, "c1")
    clock.now += GRACE_SECONDS + 1
    assert cache.evict(0) == []
    assert path is not None
    assert path.exists()
    key = CHOICE.key("c1")
    USES.drop(cache._use(key))
    assert len(cache.evict(0)) == 1


def test_what_is_being_filled_is_not_evicted(cache: Cache, clock: Clock) -> None:
    fill(cache, "c1")
    clock.now += GRACE_SECONDS + 1
    hold = cache.hold(CHOICE.key("c1"))
    assert hold is not None
    with hold:
        assert cache.evict(0) == []
        assert not cache.remove(CHOICE.key("c1"))
    assert cache.remove(CHOICE.key("c1"))
    assert cache.remove(CHOICE.key("c1"))


def test_what_an_interrupted_call_has_left_is_continued_and_then_removed(cache: Cache, clock: Clock) -> None:
    with cache.hold(CHOICE.key("c1")):  # type: ignore[union-attr]
        target = cache.begin(CHOICE, "c1")
        target.mkdir()
        (target / "half").write_bytes(b"1")
    assert find(cache, "c1") is None
    assert cache.begin(CHOICE, "c1") == target
    assert (target / "half").exists()
    cache.evict(0)
    assert target.exists()
    clock.now += KEPT_SECONDS + 100
    with cache.hold(CHOICE.key("c1")):  # type: ignore[union-attr]
        cache.evict(0)
        assert target.exists()  # another process is about to continue it
    cache.evict(0)
    assert not target.exists()


def test_a_directory_without_a_row_is_no_snapshot(cache: Cache) -> None:
    path = fill(cache, "c1")
    cache._index.delete(CHOICE.key("c1"))  # as if the process had been killed before the last step
    assert find(cache, "c1") is None
    assert cache.begin(CHOICE, "c1") == path
    path.rename(path.with_name(path.name + ".part"))
    assert fill(cache, "c1") == path


def test_content_is_copied_and_verified_by_the_caller(cache: Cache) -> None:
    source = fill(cache, "c1", {"a": b"pwd", "deep/b": b"other"})
    with cache.hold(CHOICE.key("c2")):  # type: ignore[union-attr]
        target = cache.begin(CHOICE, "c2")
        wanted = [Wanted("x/y", 3, MD5, 1_000_000), Wanted("z", 4, MD5, 1), Wanted("w", 3, "f" * 32, 1)]
        [copied] = cache.reuse(CHOICE.key("c2"), target, wanted)
        assert (copied.target, copied.source) == (target / "x" / "y", source / "a")
        assert (target / "x" / "y").read_bytes() == b"pwd"
        assert (target / "x" / "y").stat().st_mtime == 1_000_000
        assert cache.reuse(CHOICE.key("c2"), target, wanted[:1]) == []  # it is there
        cache.check_reused([copied])
        assert find(cache, "c1") == source
        copied.target.unlink()
        copied.target.write_bytes(b"downloaded")
        cache.check_reused([copied._replace(inode=0)])
        assert find(cache, "c1") is None


def test_a_lost_index_costs_no_download(cache: Cache, tmp_path: Path) -> None:
    with lakefs_hl.Client("mem://") as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        main.upload_many([(f"{number}", b"content %d" % number) for number in range(5)])
        main.commit_changes("one")
        path = main.snapshot_download(cache_dir=tmp_path / "cache")
        inodes = {file.name: file.stat().st_ino for file in path.iterdir()}
        (tmp_path / "cache" / "snapshots" / "index-1.db").write_bytes(b"no database" * 1000)
        assert main.snapshot_download(cache_dir=tmp_path / "cache") == path
        assert {file.name: file.stat().st_ino for file in path.iterdir()} == inodes
        [(_, entry)] = cache.entries()
        assert (entry.files, entry.is_complete) == (5, True)


def test_keys_tell_everything_apart() -> None:
    others = [
        CHOICE._replace(endpoint="mem://y"),
        CHOICE._replace(caller="x"),
        CHOICE._replace(repository="alice-repo"),
        CHOICE._replace(prefix="a/"),
        CHOICE._replace(include=("a",)),
        CHOICE._replace(include=("a,b",)),
        CHOICE._replace(include=("a", "b")),
        CHOICE._replace(exclude=("a",)),
        CHOICE._replace(on_invalid="skip"),
    ]
    keys = {choice.key("c1") for choice in (CHOICE, *others)} | {CHOICE.key("c2"), CHOICE.key("reference c1")}
    assert len(keys) == len(others) + 3
    assert {choice.directory("c1") for choice in (CHOICE, *others)} != {CHOICE.directory("c1")}
    hostile = CHOICE._replace(repository="../../x").directory("../..")
    assert ".." not in hostile
    assert hostile.count("/") == 1


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "snapshots").mkdir()
    (tmp_path / "cache" / "snapshots").chmod(0o777)
    with pytest.raises(exceptions.InvalidConfigError, match="others may write to the cache of snapshots"):
        Cache(tmp_path / "cache" / "snapshots").open()
    (tmp_path / "cache" / "snapshots").chmod(0o700)
    Cache(tmp_path / "cache" / "snapshots").open()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(exceptions.InvalidConfigError, match="belongs to another user"):
        Cache(tmp_path / "cache" / "snapshots").open()
    (tmp_path / "file").touch()
    with pytest.raises(exceptions.InvalidConfigError, match="cannot be used"):
        Cache(tmp_path / "file" / "snapshots").open()
    monkeypatch.undo()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "snapshots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(exceptions.InvalidConfigError, match="not a directory"):
        Cache(tmp_path / "linked" / "snapshots").open()


def test_each_access_key_has_snapshots_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    secret = "SECRET-that-nobody-may-see"
    paths = set()
    for key in ("AKIAEXAMPLE0", "AKIAEXAMPLE1"):
        client = lakefs_hl.Client("https://lake.example", key, secret, offline=True)
        commit = lakefs_hl.repository("example", client=client).commit("0" * 64)
        with pytest.raises(exceptions.NotCachedException, match="the client is offline") as caught:
            commit.snapshot_download()
        assert key not in str(caught.value)
        from lakefs_hl.facades._sync.cached import _place, options_of

        given = {"progress": False, "max_workers": None, "max_size": None, "on_invalid": "error", "include": None}
        given |= {"exclude": None, "cache_dir": None, "verify": False, "local_files_only": False}
        cache, choice = _place(commit, options_of("", given))
        paths.add(choice.key("0" * 64))
        assert cache.root == tmp_path / "cache" / "snapshots"
        shared, choice = _place(commit, options_of("", {**given, "cache_dir": tmp_path / "shared"}))
        paths.add(choice.key("0" * 64))
        assert shared.root == tmp_path / "shared" / "snapshots"
    assert len(paths) == 3  # who gives a directory shares it
    text = "".join(str(path) for path in tmp_path.rglob("*"))
    assert secret not in text
    assert "AKIA" not in text


def _open_up(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755)


@pytest.mark.parametrize("what", ["snapshot", "part", "repository"])
@pytest.mark.parametrize("then", ["fill", "clear", "remove", "evict"])
def test_a_link_leads_nowhere(cache: Cache, clock: Clock, tmp_path: Path, what: str, then: str) -> None:
    """What a link in the cache leads to is never given out, written to or removed."""
    path = fill(cache, "c1")
    key = CHOICE.key("c1")
    mine = tmp_path / "mine"
    shutil.copytree(path, mine)
    _open_up(path.parent)
    (mine / "letters-of-2024").mkdir(mode=0o700)
    os.utime(mine / "letters-of-2024", (1, 1))
    (mine / "letters-of-2024" / "one").write_bytes(b"dear")
    (mine / path.name).mkdir()
    before = sorted((each, each.stat().st_mode, each.stat().st_size) for each in [mine, *mine.rglob("*")])
    place = {"snapshot": path, "part": path.with_name(path.name + ".part"), "repository": path.parent}[what]
    shutil.rmtree(path if what == "part" else place)
    place.symlink_to(mine)
    assert find(cache, "c1") is None
    clock.now += KEPT_SECONDS + GRACE_SECONDS
    if then == "fill":
        assert fill(cache, "c1", {"b": b"pwd"}) == path
        assert sorted(os.listdir(path)) == ["b"]
        assert find(cache, "c1") == path
    elif then == "clear":
        assert cache.clear() == []
    elif then == "remove":
        assert cache.remove(key)
    else:
        cache.evict(0)
        assert cache.entries() == []
    assert sorted((each, each.stat().st_mode, each.stat().st_size) for each in [mine, *mine.rglob("*")]) == before
    assert not place.is_symlink()


def test_a_copy_behind_a_link_is_damage(cache: Cache, tmp_path: Path) -> None:
    path = fill(cache, "c1")
    shutil.copytree(path, tmp_path / "copy")
    _open_up(path)
    shutil.rmtree(path)
    path.symlink_to(tmp_path / "copy")
    assert cache.find_damage(CHOICE.key("c1")) == [path / "a"]
    assert find(cache, "c1") is None


def test_an_index_of_something_else_is_left_alone(cache: Cache, tmp_path: Path) -> None:
    fill(cache, "c1")
    index = cache.root / "index-1.db"
    index.unlink()
    other = tmp_path / "other.db"
    apsw.Connection(str(other)).execute("CREATE TABLE mine (x)")
    before = other.read_bytes()
    index.symlink_to(other)
    fill(cache, "c2")
    assert commits(cache) == ["c2"]
    assert other.read_bytes() == before


def test_a_pipe_in_the_place_of_a_file_is_damage(cache: Cache) -> None:
    path = fill(cache, "c1", {"a": b"pwd", "b": b"pwd"})
    _open_up(path)
    (path / "a").unlink()
    os.mkfifo(path / "a")
    assert cache.find_damage(CHOICE.key("c1")) == [path / "a"]  # nobody writes to it: to open it must not wait


def test_a_full_disk_can_be_cleared(cache: Cache, clock: Clock, mocker: MockerFixture) -> None:
    """To forget a snapshot needs space, which its files have. What need not be noted is not."""
    real = snapshot_index._delete
    path = fill(cache, "c1")

    def delete(connection: object, key: str) -> None:
        if path.exists():
            raise apsw.FullError("database or disk is full")
        real(connection, key)

    mocker.patch.object(snapshot_index, "_delete", side_effect=delete)
    with pytest.raises(OSError, match="no space left for the index of snapshots"):
        fill(cache, "c0")
    clock.now += GRACE_SECONDS + 1
    assert find(cache, "c1") == path
    clock.now += GRACE_SECONDS + 1
    assert [entry.path for entry in cache.evict(0)] == [path]
    assert cache.entries() == []
    path = fill(cache, "c2")
    assert cache.clear() == []
    assert not path.exists()
    assert cache.entries() == []


def test_a_read_only_cache_gives_out_what_it_has(cache: Cache, clock: Clock, mocker: MockerFixture) -> None:
    """Prepared on one machine and mounted read-only on others: nothing can be locked or noted there."""
    path = fill(cache, "c1")
    cache.note(CHOICE, "main", "c1")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    mocker.patch("lakefs_hl.facades.holds.os.open", side_effect=refuse)
    mocker.patch(
        "lakefs_hl.facades.snapshot_index._prepare",
        side_effect=lambda apsw, place: apsw.Connection(str(place), flags=apsw.SQLITE_OPEN_READONLY),
    )
    clock.now += COARSE_SECONDS + 1
    cache.note(CHOICE, "main", "c1")
    assert cache.recall(CHOICE, "main") is not None
    assert cache.find(CHOICE, "c1") == path
    with pytest.raises(exceptions.InvalidConfigError, match="is read-only: give another cache_dir"):
        cache.hold(CHOICE.key("c2"))
    os.utime(path / "a")  # it was changed
    assert cache.find(CHOICE, "c1") is None


# -- a server that goes away -------------------------------------------------------------------------------------------


def test_an_offline_client_returns_what_was_downloaded(
    served_lake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    keys = (served_lake.url, served_lake.key, served_lake.secret)
    with lakefs_hl.Client(*keys) as client:
        repo = lakefs_hl.repository("went-offline", client=client).create()
        main = repo.branch("main")
        main.upload(b"1", "a")
        commit = main.commit_changes("one")
        repo.tag("v1").create("main")
        path = main.snapshot_download()
        assert repo.tag("v1").snapshot_download() == path
        repo.delete(force=True)
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "1")
    caplog.set_level("INFO", "lakefs_hl")
    with lakefs_hl.Client(*keys) as client:
        repo = lakefs_hl.repository("went-offline", client=client)
        for ref in (repo.branch("main"), repo.tag("v1"), repo.commit(commit.id), repo.ref(commit.id)):
            assert ref.snapshot_download() == path
        assert f"is taken for commit {commit.id}, as of 20" in caplog.text
        with pytest.raises(exceptions.NotCachedException, match="never downloaded with these arguments"):
            repo.branch("other").snapshot_download()
        with pytest.raises(exceptions.OfflineException, match="LAKEFS_HL_OFFLINE=1"):
            repo.branch("main").download("a")

        async def read() -> Path:
            async with lakefs_hl.aio.Client(*keys) as client:
                ref = lakefs_hl.aio.repository("went-offline", client=client).branch("main")
                return await ref.snapshot_download()

        assert asyncio.run(read()) == path


# -- processes and threads ---------------------------------------------------------------------------------------------

WORK = """
import hashlib, os, signal, sys
import lakefs_hl as lakefs

host, directory, kill, *commits = sys.argv[1:]
count = 0


def on_event(event):
    global count
    count += event.kind == "complete"
    if kill and count >= int(kill):
        os.kill(os.getpid(), signal.SIGKILL)


repo = lakefs.repository("example", client=lakefs.Client(host))
for commit in commits:
    path = repo.commit(commit).snapshot_download(cache_dir=directory, progress=on_event)
    digest = hashlib.md5(usedforsecurity=False)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        digest.update(file.read_bytes())
    print(path, len(files), digest.hexdigest(), count, flush=True)
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WORK, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def lake(tmp_path: Path) -> tuple[str, list[str]]:
    """A lake that processes share, and its commits."""
    host = f"local:{tmp_path / 'lake'}"
    with lakefs_hl.Client(host) as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        found = []
        for part in range(2):
            main.upload_many([(f"{part}/{number:03}", os.urandom(50)) for number in range(150)])
            found.append(main.commit_changes(f"part {part}").id)
    return host, found


def test_processes_share_snapshots_and_a_killed_one_leaves_no_half(lake: tuple[str, list[str]], tmp_path: Path) -> None:
    host, found = lake
    killed = start(host, tmp_path / "cache", 70, found[1])
    with ending(killed):
        assert killed.communicate(timeout=100)[0] == ""
    assert killed.returncode == -signal.SIGKILL
    cache = Cache(tmp_path / "cache" / "snapshots")
    assert cache.entries() == []
    [part] = cache.root.glob("[!.]*/*")
    assert part.suffix == ".part"
    assert sum(file.is_file() for file in part.rglob("*")) >= 60
    running = [start(host, tmp_path / "cache", "", *order) for order in (found, found[::-1], found, found[::-1])]
    lines = list[list[str]]()
    with ending(*running):
        for process in running:
            out, errors = process.communicate(timeout=100)
            assert process.returncode == 0, errors
            lines += [line.split() for line in out.splitlines()]
    assert len({(path, files, digest) for path, files, digest, _ in lines}) == 2
    assert {files for _, files, _, _ in lines} == {"150", "300"}
    # each was downloaded by one process, but for what the killed one has left
    assert sum(int(line[3]) - int(before[3]) for before, line in pairs(lines)) <= 150 + 300 - 60
    assert all(entry.is_complete for _, entry in cache.entries())
    assert not list(cache.root.glob("*/*.part"))


def pairs(lines: list[list[str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Each line with the one before it of the same process."""
    nothing = ["", "", "", "0"]
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        yield nothing, first
        yield first, second


def test_a_process_keeps_what_it_was_given(lake: tuple[str, list[str]], tmp_path: Path) -> None:
    host, found = lake
    script = WORK + "\nsys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, host, str(tmp_path / "cache"), "", found[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().split()[0])
        clock = Clock()
        clock.now += GRACE_SECONDS + 100
        cache = Cache(tmp_path / "cache" / "snapshots", clock=clock)
        assert cache.evict(0) == []
        assert [entry.path for entry in cache.clear()] == [path]
        with pytest.raises(OSError, match="is used by another process"):
            lakefs_hl.snapshot_cache(tmp_path / "cache").remove(path)
        assert path.exists()
        process.kill()
        process.wait()
    assert [entry.path for entry in cache.evict(0)] == [path]
    assert not path.exists()


def test_threads_wait_for_one_download(tmp_path: Path) -> None:
    with lakefs_hl.Client("mem://") as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        main.upload_many([(f"{number}", b"x" * number) for number in range(100)])
        main.commit_changes("one")
        count, paths = list[str](), list[Path]()

        def on_event(event: Any) -> None:
            count.extend([event.kind] if event.kind == "complete" else [])

        def work() -> None:
            paths.append(main.snapshot_download(cache_dir=tmp_path / "cache", progress=on_event))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(paths) == 6
    assert len(set(paths)) == 1
    assert len(count) == 100


def test_tasks_wait_for_one_download_and_a_cancelled_one_leaves_it_to_others(tmp_path: Path) -> None:
    async def work() -> None:
        async with lakefs_hl.aio.Client("mem://") as client:
            repo = await lakefs_hl.aio.repository("example", client=client).create()
            main = repo.branch("main")
            await main.upload_many([(f"{number}", b"x" * number) for number in range(100)])
            await main.commit_changes("one")
            count = list[str]()
            running = asyncio.Event()
            loop = asyncio.get_running_loop()

            def on_event(event: Any) -> None:
                count.extend([event.kind] if event.kind == "complete" else [])
                loop.call_soon_threadsafe(running.set)

            def download() -> asyncio.Task[Path]:
                return asyncio.create_task(main.snapshot_download(cache_dir=tmp_path / "cache", progress=on_event))

            first = download()
            others = [download() for _ in range(3)]
            await running.wait()
            first.cancel()
            results = await asyncio.gather(first, *others, return_exceptions=True)
            paths = {found for found in results if isinstance(found, Path)}
            assert [found for found in results if not isinstance(found, Path | asyncio.CancelledError)] == []
            assert len(paths) == 1
            assert len(list(paths.pop().iterdir())) == 100
            assert len(count) <= 100  # what the cancelled one had is not downloaded again

    asyncio.run(work())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_uses_the_cache_and_keeps_what_its_parent_has(lake: tuple[str, list[str]], tmp_path: Path) -> None:
    host, found = lake
    with lakefs_hl.Client(host) as client:
        repo = lakefs_hl.repository("example", client=client)
        path = repo.commit(found[0]).snapshot_download(cache_dir=tmp_path / "cache")
        child = os.fork()
        if not child:
            code = 1
            try:
                same = repo.commit(found[0]).snapshot_download(cache_dir=tmp_path / "cache")
                more = repo.commit(found[1]).snapshot_download(cache_dir=tmp_path / "cache")
                code = 0 if same == path and len(list(more.glob("*/*"))) == 300 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        more = repo.commit(found[1]).snapshot_download(cache_dir=tmp_path / "cache", local_files_only=True)
        assert len(list(more.glob("*/*"))) == 300


def test_the_limits_of_the_client_and_of_a_call(tmp_path: Path, mocker: Any) -> None:
    evict: Callable[..., Any] = mocker.spy(Cache, "evict")
    cases: list[tuple[int | str | None, int | str | None, int]] = [
        (None, None, 10 << 30),
        ("2kB", None, 2000),
        (5, 7, 7),
        (5, "50GiB", 50 << 30),
        (None, 0, 0),
    ]
    for cache_size, max_size, expected in cases:
        with lakefs_hl.Client("mem://", cache_size=cache_size) as client:
            main = lakefs_hl.repository("example", client=client).create().branch("main")
            main.upload(b"1", "a")
            main.commit_changes("one")
            path = main.snapshot_download(cache_dir=tmp_path / "cache", max_size=max_size)
            assert path.exists()  # one in use is never too large
            assert evict.call_args.args[1:] == (expected,)  # type: ignore[attr-defined]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with lakefs_hl.Client("mem://") as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        for wrong, said in (("much", "must be a number of bytes"), (-1, "must be an integer >= 0")):
            with pytest.raises(ValueError, match=f"max_size=.*{said}"):
                main.snapshot_download(cache_dir=tmp_path / "cache", max_size=wrong)
