from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders.journal import Entry, Journal, TransferRunningError

KEY = ("/data/images", "lakefs://repo/main/images/", "Add images")


def names(root: Path) -> list[str]:
    return sorted(path.suffix for path in (root / "transfers").iterdir())


def test_the_same_transfer_finds_its_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, *KEY) as journal:
        assert journal.read() is None
        written = journal.write(1_700_000_000.5, "tx-main-1", update=True, include=["*.csv"])
    with Journal(tmp_path, *KEY) as journal:
        assert journal.read() == written
    assert written == Entry(
        source=KEY[0],
        destination=KEY[1],
        message=KEY[2],
        started=1_700_000_000.5,
        transaction="tx-main-1",
        options={"update": True, "include": ["*.csv"]},
    )
    assert names(tmp_path) == [".json"]
    if os.name == "posix":
        (file,) = (tmp_path / "transfers").iterdir()
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(file.parent).st_mode) == 0o700


@pytest.mark.parametrize(
    "key",
    [
        ("/data/images/", *KEY[1:]),
        (KEY[0], "lakefs://repo/main/images2/", KEY[2]),
        (*KEY[:2], "another message"),
        (*KEY[:2], None),
        (*KEY[:2], ""),
    ],
)
def test_another_transfer_does_not(tmp_path: Path, key: Any) -> None:
    with Journal(tmp_path, *KEY) as journal:
        journal.write(1.0)
        with Journal(tmp_path, *key) as other:
            assert other.read() is None
            other.write(2.0)
        assert journal.read() is not None


def test_success_removes_it(tmp_path: Path) -> None:
    with Journal(tmp_path, *KEY) as journal:
        journal.write(1.0)
        journal.remove()
        journal.remove()
    assert names(tmp_path) == []


def test_a_journal_is_replaced_as_a_whole(tmp_path: Path, mocker: Any) -> None:
    with Journal(tmp_path, *KEY) as journal:
        old = journal.write(1.0)
        mocker.patch.object(Path, "replace", side_effect=OSError("interrupted"))
        with pytest.raises(OSError, match="interrupted"):
            journal.write(2.0)
        mocker.stopall()
        assert journal.read() == old
    assert names(tmp_path) == [".json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"source":"/data/images"}',
        b'{"source":"x","destination":"y","message":null,"started":1.0}',
        json.dumps({"source": KEY[0], "destination": KEY[1], "message": KEY[2], "started": 1, "version": 99}).encode(),
    ],
)
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    with Journal(tmp_path, *KEY) as journal:
        journal.write(1.0)
        (file,) = (tmp_path / "transfers").glob("*.json")
        file.write_bytes(content)
        assert journal.read() is None
        assert journal.write(2.0) == journal.read()


def test_two_equal_transfers_do_not_run_at_once(tmp_path: Path) -> None:
    with (
        Journal(tmp_path, *KEY),
        pytest.raises(TransferRunningError, match=r"the same transfer from /data/images to lakefs://.* is running"),
    ):
        Journal(tmp_path, *KEY)
    Journal(tmp_path, *KEY).close()


CHILD = """
import os, sys
from lakefs_hl._folders.journal import Journal
journal = Journal(*sys.argv[1:])
journal.write(1.0, "tx-child")
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_its_journal_and_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), *KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        with pytest.raises(TransferRunningError):
            Journal(tmp_path, *KEY)
        child.kill()
        child.communicate()
    with Journal(tmp_path, *KEY) as journal:
        found = journal.read()
        assert found is not None
        assert found.transaction == "tx-child"


def test_of_many_at_once_one_runs(tmp_path: Path) -> None:
    """The lock file is removed with its lock: one that waits at the removed file must not run next to another."""
    running, most, ran, errors = 0, 0, 0, list[BaseException]()
    guard = threading.Lock()

    def work() -> None:
        nonlocal running, most, ran
        for _ in range(200):
            try:
                with Journal(tmp_path, *KEY):
                    with guard:
                        running += 1
                        most = max(most, running)
                        ran += 1
                    with guard:
                        running -= 1
            except TransferRunningError:
                continue
            except BaseException as exc:
                errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert most == 1
    assert ran > 10
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_in_the_cache_are_not_followed(tmp_path: Path) -> None:
    with Journal(tmp_path, *KEY) as journal:
        journal.write(1.0)
    (file,) = (tmp_path / "transfers").iterdir()
    file.unlink()
    file.symlink_to("../precious")
    (tmp_path / "precious").write_bytes(b"precious")
    with Journal(tmp_path, *KEY) as journal:
        assert journal.read() is None
        journal.write(2.0)
    assert not file.is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"
