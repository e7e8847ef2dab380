"""A database that is looked at: every way in which a lake may lie there, and no file is changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.inspection import Overtaken, inspect
from lakefs_hl.local.disk.layout import prepare
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.sums import check_schema, check_table
from lakefs_hl.local.disk.tables import branches, staging
from tests.data.lakes.make import HERE

ROWS = 50


def fill(folder: Path) -> None:
    """Makes a lake and leaves it open."""
    database, _ = prepare(str(folder), tree={})
    for index in range(ROWS):
        database.run(lambda writer, index=index: staging.put(writer, 1, b"%d" % index, b"value"))  # type: ignore[misc]


def in_child(work: Callable[[], None]) -> int:
    """Runs something in a child process that does not end by itself; gives the child's id once it is done."""
    done, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(tell, b"x")
            signal.pause()
        finally:
            os._exit(3)
    os.close(tell)
    assert os.read(done, 1) == b"x"
    os.close(done)
    return pid


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def closed(folder: Path) -> None:
    database, _ = prepare(str(folder), tree={})

    def work(writer: Writer) -> None:
        for index in range(ROWS):
            staging.put(writer, 1, b"%d" % index, b"value")

    database.run(work)
    database.close()
    assert not (folder / "lake.db-wal").exists()


def killed(folder: Path) -> None:
    kill(in_child(lambda: fill(folder)))
    assert (folder / "lake.db-shm").exists()


def copied(folder: Path) -> None:
    killed(folder)
    (folder / "lake.db-shm").unlink()


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The content of all files of a folder, and when each and every folder was changed."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


def count(folder: Path) -> int:
    with inspect(str(folder)) as found:
        assert found.version == schema.VERSION
        assert list(check_schema(found.reader, schema.MINOR)) == []
        return sum(1 for _ in staging.scan(found.reader))


@pytest.mark.parametrize("leave", [closed, killed, copied])
def test_no_file_is_changed(leave: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    leave(folder)
    before = state(folder)
    assert count(folder) == ROWS
    assert state(folder) == before


@pytest.mark.parametrize("leave", [closed, killed, copied])
def test_a_read_only_mount(leave: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    leave(folder)
    program = (
        "import sys; from lakefs_hl.local.disk.inspection import inspect\n"
        "with inspect(sys.argv[1]) as found: print(found.reader.row('SELECT count(*) FROM staging')[0])\n"
        "try: open(sys.argv[1] + '/new', 'w')\n"
        "except OSError as error: print(error.errno)"
    )
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(folder), sys.executable, program]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare(1) on this machine")
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode in (1, 77) and "perm" in ran.stderr.lower():
        pytest.skip(f"no mount may be made here: {ran.stderr.strip()}")
    assert ran.stdout.split() == [str(ROWS), "30"], ran.stderr


def test_a_lake_that_is_in_use_by_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    child = in_child(lambda: fill(folder))
    assert count(folder) == ROWS
    kill(child)


def test_a_lake_that_is_in_use_by_this_process(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    database, _ = prepare(str(folder), tree={})
    database.run(lambda writer: staging.put(writer, 1, b"a", b"value"))
    assert count(folder) == 1
    database.run(lambda writer: staging.put(writer, 1, b"b", b"value"))
    assert count(folder) == 2
    database.close()


def test_whoever_opens_the_lake_meanwhile_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    closed(folder)
    with pytest.raises(Overtaken, match="another process has opened the lake"), inspect(str(folder)) as found:
        assert found.version == schema.VERSION
        kill(in_child(lambda: fill(folder)))
    assert count(folder) == ROWS


def test_tables_of_the_first_version_look_like_todays(tmp_path: Path) -> None:
    with tarfile.open(HERE / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    before = state(tmp_path)
    with inspect(str(tmp_path / "v1")) as found:
        assert found.version == 1
        assert [error for table in schema.SUMMED for error in check_table(found.reader, table)] == []
        row = branches.find(found.reader, 1, "main")
        assert row is not None
        assert (row.resets, row.value) == (0, None)
    assert state(tmp_path) == before


def test_a_database_that_is_missing_or_none(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=r"lake\.db is missing"), inspect(str(tmp_path)):
        pass
    (tmp_path / "lake.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Damaged, match="is not a database"), inspect(str(tmp_path)):
        pass
