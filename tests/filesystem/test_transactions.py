"""`with fs.transaction:` publishes its files together, or brings the branch back to what it was."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.filesystem import LakeFSFileSystem, deferred, publishing
from tests.ecosystem.conftest import Lake

MODES = (("wb", None), ("w", None), ("wb", "gzip"))


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem(**lake.options, skip_instance_cache=True)


@pytest.fixture
def top(lake: Lake) -> str:
    return f"{lake.branch.repository_id}/main"


def staged(branch: lakefs_hl.Branch) -> dict[str, bytes]:
    """The objects of a branch with their content."""
    return {row.path: branch.download(row.path) for row in branch.list_objects(recursive=True)}


def write_one_that_fails(fs: LakeFSFileSystem, branch: lakefs_hl.Branch) -> None:
    """Write a file that the server refuses at the end: somebody else creates it first."""
    with fs.open(f"{branch.repository_id}/main/refused", "xb") as file:
        file.write(b"mine")
    branch.upload(b"theirs", "refused")


def write(fs: LakeFSFileSystem, path: str, content: bytes, **options: Any) -> None:
    with fs.open(path, "wb", **options) as file:
        file.write(content)


def test_files_appear_together_at_the_end(fs: LakeFSFileSystem, top: str, lake: Lake, tmp_path: Path) -> None:
    branch, before = lake.branch, lake.branch.head().id
    large = os.urandom(9 << 20)  # more than a spool holds in memory
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "p.bin").write_bytes(b"put")
    with fs.transaction as tx:
        assert fs.transaction is tx
        write(fs, f"{top}/a.bin", b"\x00\x01", content_type="image/png", metadata={"k": "v"})
        with fs.open(f"{top}/t.txt", "w", encoding="utf-16", newline="\r\n") as text:
            text.write("zwei\nZeilen")
        with fs.open(f"{top}/z.gz", "wb", compression="gzip") as packed:
            packed.write(b"x" * 100_000)
        with fs.open(f"{top}/w.txt.gz", "wt", compression="infer") as packed_text:
            packed_text.write("text in gzip")
        write(fs, f"{top}/large", large)
        fs.pipe(f"{top}/piped", b"pipe")
        fs.pipe({f"{top}/many/1": b"1", f"{top}/many/2": b"2"})
        fs.put(str(tmp_path / "local") + "/", f"{top}/put/", recursive=True)
        fs.touch(f"{top}/empty")
        write(fs, f"{top}/twice", b"first")
        write(fs, f"{top}/twice", b"second")
        assert staged(branch) == {}, "something was published inside the block"
        assert not fs.exists(f"{top}/a.bin")
    found = staged(branch)
    assert gzip.decompress(found.pop("z.gz")) == b"x" * 100_000
    assert gzip.decompress(found.pop("w.txt.gz")) == b"text in gzip"
    assert found.pop("large") == large
    assert found.pop("t.txt").decode("utf-16") == "zwei\r\nZeilen"
    assert found == {
        "a.bin": b"\x00\x01",
        "piped": b"pipe",
        "many/1": b"1",
        "many/2": b"2",
        "put/p.bin": b"put",
        "empty": b"",
        "twice": b"second",
    }
    info = branch.stat("a.bin")
    assert (info.content_type, info.metadata) == ("image/png", {"k": "v"})
    assert branch.head().id == before, "a plain transaction commits nothing"
    write(fs, f"{top}/after", b"at once")
    assert branch.download("after") == b"at once"


def test_an_exception_publishes_nothing(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError), fs.transaction:
        write(fs, f"{top}/a", b"1")
        fs.pipe(f"{top}/b", os.urandom(1 << 17))
        _ = 1 / 0
    assert staged(lake.branch) == {}
    # One file fails, and its block handles that: the others are published.
    with fs.transaction:
        write(fs, f"{top}/good", b"1")
        for mode, compression in MODES:
            with pytest.raises(RuntimeError), fs.open(f"{top}/bad", mode, compression=compression) as file:
                file.write("half" if mode == "w" else b"half")
                raise RuntimeError
    assert staged(lake.branch) == {"good": b"1"}


def test_an_open_file_is_an_error_and_publishes_nothing(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    for mode, compression in MODES:
        with pytest.raises(exceptions.TransactionException, match=r"not closed: lakefs://.*/main/left") as caught:
            with fs.transaction:
                write(fs, f"{top}/a", b"1")
                fs.open(f"{top}/left", mode, compression=compression)
        assert (caught.value.state, caught.value.maybe_applied) == ("ABORTED", False)
        assert staged(lake.branch) == {}
    with fs.transaction:
        pass  # the error ended that transaction


def test_one_branch_only_and_it_has_to_exist(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    repository = lakefs_hl.repository(lake.branch.repository_id)
    dev = repository.branch("dev").create("main")
    with (
        pytest.raises(ValueError, match=r"/dev/b cannot be part of a transaction on lakefs://.*/main/"),
        fs.transaction,
    ):
        write(fs, f"{top}/a", b"1")
        fs.open(f"{repository.id}/dev/b", "wb")
    assert staged(lake.branch) == staged(dev) == {}
    with pytest.raises(FileNotFoundError), fs.transaction:
        fs.pipe(f"{repository.id}/mian/a", b"1")
    assert [branch.id for branch in repository.branches()] == ["dev", "main"]
    with pytest.raises(PermissionError), fs.transaction:
        fs.pipe(f"{repository.id}/{lake.branch.head().id}/a", b"1")
    with fs.transaction:
        write(fs, f"{repository.id}/dev/b", b"1")
        write(fs, f"{top}/now", b"at once", autocommit=True)
    assert (staged(lake.branch), staged(dev)) == ({"now": b"at once"}, {"b": b"1"})


def state_before(branch: lakefs_hl.Branch) -> dict[str, bytes]:
    """Make one object of each kind that a file can replace. Returns what is on the branch."""
    branch.upload(b"committed", "committed")
    branch.upload(b"old", "changed")
    branch.upload(b"gone", "removed")
    branch.commit_changes("before")
    branch.upload(b"staged over a committed one", "changed", metadata={"who": "me"}, content_type="text/x-me")
    branch.upload(b"staged", "staged")
    branch.delete_objects("removed")
    return staged(branch)


PATHS = ("committed", "changed", "removed", "staged", "new")


@pytest.mark.parametrize("listed", [1_000, 1])
def test_a_failure_brings_the_branch_back(
    fs: LakeFSFileSystem, top: str, lake: Lake, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr(publishing, "LISTED", listed)
    branch, before = lake.branch, state_before(lake.branch)
    changes = branch.list_uncommitted().to_list()
    repository = lakefs_hl.repository(branch.repository_id)
    with pytest.raises(exceptions.TransactionException, match="it is as before") as caught, fs.transaction:
        for path in PATHS:
            write(fs, f"{top}/{path}", b"from the transaction " + os.urandom(100_000))
        write_one_that_fails(fs, branch)
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert (caught.value.state, caught.value.maybe_applied) == ("ABORTED", False)
    assert branch.download("refused") == b"theirs"
    branch.reset("refused")
    assert staged(branch) == before
    assert branch.list_uncommitted().to_list() == changes
    info = branch.stat("changed")
    assert (info.metadata, info.content_type) == ({"who": "me"}, "text/x-me")
    assert [found.id for found in repository.list_branches(hidden=True)] == ["main"]
    with fs.transaction:  # and the same without the bad one
        for path in PATHS:
            write(fs, f"{top}/{path}", b"from the transaction")
    assert staged(branch) == dict.fromkeys(PATHS, b"from the transaction")
    assert [found.id for found in repository.list_branches(hidden=True)] == ["main"]


def test_create_only_files(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    lake.branch.upload(b"1", "there")
    with pytest.raises(FileExistsError), fs.transaction:
        fs.open(f"{top}/there", "xb")
    with pytest.raises(exceptions.TransactionException, match="it is as before") as caught, fs.transaction:
        write(fs, f"{top}/a", b"1")
        with fs.open(f"{top}/later", "xb") as file:
            file.write(b"mine")
        lake.branch.upload(b"of somebody else", "later")
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert staged(lake.branch) == {"there": b"1", "later": b"of somebody else"}


def test_what_others_wrote_meanwhile_stays(
    fs: LakeFSFileSystem, top: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = deferred.DeferredWriter.upload

    def upload_and_be_overtaken(self: deferred.DeferredWriter) -> Any:
        found = upload(self)
        if self.key == "a":
            lake.branch.upload(b"of somebody else", "a")
        return found

    monkeypatch.setattr(deferred.DeferredWriter, "upload", upload_and_be_overtaken)
    with pytest.raises(exceptions.TransactionException), fs.transaction:
        for path in "ab":
            write(fs, f"{top}/{path}", b"mine")
        write_one_that_fails(fs, lake.branch)
    assert staged(lake.branch) == {"a": b"of somebody else", "refused": b"theirs"}


def test_an_error_names_what_could_not_be_taken_back(
    fs: LakeFSFileSystem, top: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.branch.upload(b"precious", "staged")

    def fail(*_: object) -> None:
        raise exceptions.TransportException("the network is gone")

    monkeypatch.setattr(lakefs_hl.Branch, "reset", fail)
    with pytest.raises(exceptions.TransactionException, match="which you have to check: new") as caught, fs.transaction:
        write(fs, f"{top}/staged", b"1")
        write(fs, f"{top}/new", b"1")
        write_one_that_fails(fs, lake.branch)
    assert (caught.value.state, caught.value.maybe_applied) == ("UNKNOWN", None)
    assert staged(lake.branch) == {"staged": b"precious", "new": b"1", "refused": b"theirs"}
    _, _, hold = str(caught.value).rpartition("hidden branch ")
    kept = lakefs_hl.repository(lake.branch.repository_id).branch(hold.strip("'"))
    assert kept.download("staged") == b"precious"


def test_an_interruption_brings_the_branch_back(
    fs: LakeFSFileSystem, top: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = deferred.DeferredWriter.upload

    def interrupt(self: deferred.DeferredWriter) -> Any:
        if self.key == "c":
            raise KeyboardInterrupt
        return upload(self)

    monkeypatch.setattr(deferred.DeferredWriter, "upload", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught, fs.transaction:
        for path in "abcd":
            write(fs, f"{top}/{path}", b"1")
    assert "it is as before" in caught.value.__notes__[0]
    assert staged(lake.branch) == {}
    assert not fs._intrans


def test_transactions_do_not_nest_and_threads_share_them(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    with pytest.raises(exceptions.TransactionStateError, match="do not nest"), fs.transaction:
        write(fs, f"{top}/outer", b"1")
        with fs.transaction:
            pass
    assert staged(lake.branch) == {}
    with pytest.raises(exceptions.TransactionStateError, match="do not nest"), fs.transaction:
        fs.start_transaction()
    assert not fs._intrans
    with fs.transaction:
        threads = [threading.Thread(target=write, args=(fs, f"{top}/{number}", b"1")) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert staged(lake.branch) == {}
    assert len(staged(lake.branch)) == 20


def test_start_and_end(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    fs.start_transaction()
    write(fs, f"{top}/a", b"1")
    write(fs, f"{top}/b", b"1")
    assert staged(lake.branch) == {}
    fs.end_transaction()
    assert sorted(staged(lake.branch)) == ["a", "b"]
    file = fs.open(f"{top}/by hand", "wb", autocommit=False)
    file.write(b"1")
    file.close()
    assert not fs.exists(f"{top}/by hand")
    file.commit()
    assert fs.cat_file(f"{top}/by hand") == b"1"


def test_the_local_files_are_gone_after_it(
    fs: LakeFSFileSystem, top: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def local() -> list[Path]:
        return [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]

    with fs.transaction:
        for number in range(3):
            write(fs, f"{top}/{number}", os.urandom(1 << 17))
        assert len(local()) == 3
    assert local() == []
    with pytest.raises(RuntimeError), fs.transaction:
        write(fs, f"{top}/4", os.urandom(1 << 17))
        raise RuntimeError
    assert local() == []


def test_pandas_writes_inside(fs: LakeFSFileSystem, top: str, lake: Lake) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = pandas.DataFrame({"a": [1, 2]})
    shared = LakeFSFileSystem(**lake.options)  # what pandas gets for the same options
    with shared.transaction:
        frame.to_parquet(f"lakefs://{top}/t.parquet", storage_options=lake.options)
        frame.to_csv(f"lakefs://{top}/t.csv.gz", storage_options=lake.options, index=False)
        assert staged(lake.branch) == {}
    content = staged(lake.branch)
    assert pandas.read_parquet(io.BytesIO(content["t.parquet"])).equals(frame)
    assert gzip.decompress(content["t.csv.gz"]) == b"a\n1\n2\n"
    with pytest.raises(RuntimeError), shared.transaction:
        frame.to_parquet(f"lakefs://{top}/u.parquet", storage_options=lake.options)
        raise RuntimeError
    assert not shared.exists(f"{top}/u.parquet")
