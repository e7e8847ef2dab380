"""A lake on a read-only mount, which is what makes a lake unwritable for root too."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lakefs_hl.local.disk.database import Database
from tests.data.lakes.make import HERE

_LOOK = """
import sys
from lakefs_hl.local.disk.blobs import Blobs
from lakefs_hl.local.disk.errors import ReadOnly
from lakefs_hl.local.disk.layout import prepare

database, _ = prepare(sys.argv[1], tree={})
with database.read() as reader:
    assert reader.rows("SELECT path FROM staging") == [(b"a",)]
blobs = Blobs(database)
delete = lambda writer: writer.execute("DELETE FROM staging")
for write in (lambda: database.submit(delete), lambda: blobs.put(bytes(20000))):
    try:
        write()
    except ReadOnly:
        continue
    raise SystemExit("it was written to")
database.close()
"""


def look(folder: Path, program: str = _LOOK) -> subprocess.CompletedProcess[str]:
    """Opens a lake, reads it and tries to write, in a process that has it mounted read-only."""
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(folder), sys.executable, program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare, which mounts read-only for one process")
@pytest.mark.parametrize(
    "left", [(), ("lake.db-wal",), ("lake.db-wal", "lake.db-shm")], ids=["closed", "log", "killed"]
)
def test_it_is_read_and_refuses_writes(database: Database, tmp_path: Path, left: tuple[str, ...]) -> None:
    database.run(lambda writer: writer.execute("INSERT INTO staging(token, path, value) VALUES(1, x'61', 'v')"))
    if not left:
        database.close()
    copy = tmp_path / "copy"
    shutil.copytree(database.folder, copy)
    for name in ("lake.db-wal", "lake.db-shm"):
        if name not in left:
            (copy / name).unlink(missing_ok=True)
    before = sorted(os.listdir(copy))
    done = look(copy)
    if done.returncode in {1, 77} and "Operation not permitted" in done.stderr:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(copy)) == before


_OLD = """
import sys
from lakefs_hl.local.engine import Engine
from tests.data.lakes.make import content

engine = Engine.open(sys.argv[1])
print(content(engine))
engine.close()
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare, which mounts read-only for one process")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_older_lake_is_read_as_it_is(tmp_path: Path, version: str) -> None:
    with tarfile.open(HERE / f"{version}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / version).chmod(0o700)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = look(tmp_path / version, _OLD)
    if done.returncode in {1, 77} and "Operation not permitted" in done.stderr:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    expected = json.loads((HERE / f"{version}.json").read_text(encoding="utf-8"))
    found = ast.literal_eval(done.stdout)
    assert {what: found[what] for what in expected} == expected
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
