"""kill -9 in the middle of puts, without an engine above: every acknowledged row and blob is there."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

from lakefs_hl.local.disk import database as database_module
from lakefs_hl.local.disk.blobs import INLINE, BlobRef, Blobs
from lakefs_hl.local.disk.database import Writer
from lakefs_hl.local.disk.layout import prepare

PUT = "INSERT INTO staging(token, path, value) VALUES(?, ?, ?)"


def body(token: int, index: int) -> bytes:
    size = INLINE + 5000 if index % 10 == 0 else 300
    return random.Random(f"{token}:{index}").randbytes(size)


def write_until_killed(folder: str, token: int, pipe: int) -> None:
    database_module.LONG_LOG = 64
    database, _ = prepare(folder, tree={})
    blobs = Blobs(database)

    def put(line: int) -> None:
        index = line
        while True:
            blob = blobs.put(body(token, index))

            def work(writer: Writer, blob: BlobRef = blob, index: int = index) -> None:
                blobs.record(writer, blob)
                writer.execute(PUT, (token, b"%d" % index, blob.sha256))

            database.submit(work)
            os.write(pipe, b"%d\n" % index)
            index += 4

    threads = [threading.Thread(target=put, args=(line,)) for line in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_acknowledged_rows_and_blobs_survive(tmp_path: Path, rng: random.Random) -> None:
    folder = str(tmp_path / "lake")
    acknowledged: list[tuple[int, int]] = []
    for token in range(8):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            try:
                write_until_killed(folder, token, write)
            finally:
                os._exit(3)
        os.close(write)
        said = os.read(read, 1 << 16)  # at least one is acknowledged
        timer = threading.Timer(rng.uniform(0, 0.1), os.kill, (pid, signal.SIGKILL))
        timer.start()
        while more := os.read(read, 1 << 16):
            said += more
        timer.join()
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        os.close(read)
        acknowledged += [(token, int(line)) for line in said[: said.rfind(b"\n")].split(b"\n")]
        database, _ = prepare(folder, tree={})
        with database.read() as reader:
            assert reader.row("PRAGMA integrity_check") == ("ok",)
        database.close()
    database, _ = prepare(folder, tree={})
    blobs = Blobs(database)
    with database.read() as reader:
        for token, index in acknowledged:
            row = reader.row("SELECT value FROM staging WHERE token = ? AND path = ?", (token, b"%d" % index))
            assert row is not None, f"put {index} of life {token} was acknowledged and is gone"
            data = body(token, index)
            held = blobs.open(reader, row[0], len(data))
            assert (held.data if held.data is not None else os.pread(held.fd, held.length, 0)) == data
            held.release()
    database.close()
    assert len(acknowledged) > 8
