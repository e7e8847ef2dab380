"""`UPath("lakefs://…")` of universal_pathlib."""

from __future__ import annotations

import doctest
import io
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import lakefs_hl
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("upath", "fsspec")

from upath import UPath

from lakefs_hl.filesystem import LakeFSFileSystem
from lakefs_hl.filesystem.upath import LakeFSPath
from tests.filesystem.counting import FaultyServer


@pytest.fixture
def top(lake: Lake) -> Any:
    return UPath(lake.uri, **lake.options)


def test_upath_finds_it_by_its_entry_point() -> None:
    script = """
        import warnings

        warnings.simplefilter("error")
        from upath import UPath

        path = UPath("lakefs://repository/main/a.csv")
        print(type(path).__module__, type(path).__name__, type(path.fs).__module__)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], check=False, text=True, capture_output=True)
    assert done.stdout == "lakefs_hl.filesystem.upath LakeFSPath lakefs_hl.filesystem.system\n", done.stderr


def test_parts_without_a_request() -> None:
    path = UPath("lakefs://repo/main~1/data/t.tar.gz")
    assert type(path) is LakeFSPath
    assert (path.repository, path.ref, path.key) == ("repo", "main~1", "data/t.tar.gz")
    assert (path.name, path.suffix, path.suffixes, path.stem) == ("t.tar.gz", ".gz", [".tar", ".gz"], "t.tar")
    assert path.parts == ("repo", "main~1", "data", "t.tar.gz")
    assert str(path) == path.as_uri() == "lakefs://repo/main~1/data/t.tar.gz"
    assert path.path == "repo/main~1/data/t.tar.gz"
    assert [str(parent) for parent in path.parents] == [
        "lakefs://repo/main~1/data",
        "lakefs://repo/main~1",
        "lakefs://repo",
        "lakefs://",
    ]
    assert UPath("lakefs://") / "repo" / "main~1" / "data" / "t.tar.gz" == path
    assert path.parent.joinpath("deep/", "x") == UPath("lakefs://repo/main~1/data/deep/x")
    assert UPath("lakefs://repo/main/data/") == UPath("lakefs://repo/main/data") == UPath("lakefs:///repo/main/data")
    assert UPath("repo/main/a", protocol="lakefs") == LakeFSPath("lakefs://repo/main/a")
    assert str(path.with_name("u")) == "lakefs://repo/main~1/data/u"
    assert str(path.with_suffix(".zip")) == "lakefs://repo/main~1/data/t.tar.zip"
    assert str(path.relative_to("lakefs://repo/main~1")) == "data/t.tar.gz"
    assert path.is_relative_to(path.parent)
    assert (path.parent / ".." / "x" / "." / "y").resolve() == UPath("lakefs://repo/main~1/x/y")
    assert (path / "../../../../../x").resolve() == UPath("lakefs://repo/main~1/x"), "it leaves no reference"
    for odd in ("main@", "main^2", "v1.0", "a" * 64):
        assert UPath(f"lakefs://repo/{odd}/a#b?c=d%20 e").key == "a#b?c=d%20 e"
        assert UPath(f"lakefs://repo/{odd}/a").ref == odd
    root = UPath("lakefs://")
    assert (root.repository, root.ref, root.key, root.parts) == ("", "", "", ())


def test_equality_hash_and_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = UPath("lakefs://repo/main/a", host="local:./lake")
    same = UPath("lakefs://repo/main/a", host=f"local:{tmp_path / 'lake'}")
    assert path == same
    assert hash(path) == hash(same)
    assert path != UPath("lakefs://repo/main/a")
    assert path != UPath("lakefs://repo/main/b", host="local:./lake")
    packed = pickle.dumps(path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = pickle.loads(packed)
    assert type(found) is LakeFSPath
    assert found == same
    assert found.storage_options["host"] == f"local:{tmp_path / 'lake'}"
    assert "secret" not in repr(
        UPath("lakefs://repo/main/a", host="http://127.0.0.1:1", username="k", password="secret")
    )


def test_files(lake: Lake, top: Any) -> None:
    path = top / "data" / "a.txt"
    assert type(path.fs) is LakeFSFileSystem
    assert not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    assert not path.parent.exists(), "there are no empty directories"
    assert path.write_text("größer\n", encoding="utf-8") == 7
    assert path.read_bytes() == "größer\n".encode()
    assert path.read_text(encoding="utf-8") == "größer\n"
    with path.open("wb") as file:
        file.write(b"1,2\n")
    with path.open("rt") as text:
        assert text.readline() == "1,2\n"
    info, times = path.stat(), lake.branch.stat("data/a.txt")
    assert (info.st_size, info.st_mtime) == (4, times.modified_time.timestamp())
    assert stat.S_ISREG(info.st_mode)
    assert info.as_info()["modified"].utcoffset() is not None
    assert (path.exists(), path.is_file(), path.is_dir(), path.parent.is_dir()) == (True, True, False, True)
    moved = path.rename(path.with_name("b.txt"))
    assert (path.exists(), moved.read_bytes()) == (False, b"1,2\n")
    path.write_bytes(b"other")
    assert moved.replace(path).read_bytes() == b"1,2\n"
    path.copy(top / "copy.txt")
    assert (top / "copy.txt").read_bytes() == b"1,2\n"
    (top / "copy.txt").unlink()
    with pytest.raises(FileNotFoundError):
        (top / "copy.txt").unlink()
    (top / "copy.txt").unlink(missing_ok=True)
    (top / "new").touch()
    assert (top / "new").stat().st_size == 0
    with pytest.raises(FileNotFoundError):
        (top / "missing").read_bytes()
    with pytest.raises(FileNotFoundError):
        (top.parent / "mian" / "a").write_bytes(b"1")


def test_directories(lake: Lake, top: Any) -> None:
    for name in ("a.csv", "d/b.csv", "d/e/c.csv", "d/e/c.txt"):
        (top / name).write_bytes(b"1")
    assert [path.name for path in top.iterdir()] == ["a.csv", "d"]
    assert [str(path.relative_to(top)) for path in top.glob("*.csv")] == ["a.csv"]
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*.csv")) == ["a.csv", "d/b.csv", "d/e/c.csv"]
    assert sorted(path.key for path in top.glob("d/**/*.csv")) == ["d/b.csv", "d/e/c.csv"]
    assert [(path.key, names, files) for path, names, files in (top / "d").walk()] == [
        ("d", ["e"], ["b.csv"]),
        ("d/e", [], ["c.csv", "c.txt"]),
    ]
    assert [path.ref for path in top.parent.iterdir()] == ["main"]
    assert lake.branch.repository_id in [path.repository for path in top.parent.parent.iterdir()]
    with pytest.raises(NotADirectoryError):
        list((top / "a.csv").iterdir())
    lake.branch.commit_changes("files")
    (top / "d" / "e").rmdir()
    assert sorted(path.key for path in top.rglob("*.csv")) == ["a.csv", "d/b.csv"]
    before = top.parent / "main@"
    assert sorted(path.key for path in before.rglob("*.csv")) == ["a.csv", "d/b.csv", "d/e/c.csv"]
    with pytest.raises(PermissionError):
        (before / "x").write_bytes(b"1")
    with pytest.raises(PermissionError):
        top.rmdir()


def test_without_options_it_uses_the_default_client(lake: Lake) -> None:
    (UPath(lake.uri) / "a").write_bytes(b"1")
    assert lakefs_hl.ref(lake.uri).download("a") == b"1"
    with pytest.raises(TypeError):
        os.fspath(UPath(lake.uri))  # it is no file of this machine


def test_a_failure_is_no_answer() -> None:
    """A lost connection is an error of every question, also of `walk`, which pathlib lets pass over a directory."""
    server = FaultyServer()
    with server.connect() as client:
        lakefs_hl.repository("example", client=client).create("local://x")
        top = UPath("lakefs://example/main", client=client)
        (top / "d" / "a").write_text("1")
        server.fault = ConnectionResetError
        for ask in (top.exists, top.is_dir, (top / "d" / "a").is_file, lambda: list(top.glob("*/a"))):
            with pytest.raises(ConnectionError):
                ask()
        with pytest.raises(ConnectionError):
            list(top.walk())
        errors: list[OSError] = []
        assert list(top.walk(on_error=errors.append)) == []
        assert len(errors) == 1
        server.fault = None
        assert [row[2] for row in top.walk()] == [[], ["a"]]
        assert list((top / "no").walk()) == []


def test_touch_and_rename_lose_nothing(top: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes between the look-up and the creation of another `touch` keeps what was written."""
    path = top / "touched"
    path.write_text("kept")
    with monkeypatch.context() as early:
        early.setattr(path.fs, "exists", lambda *_: False)  # what a look-up says a moment too early
        path.touch()
        with pytest.raises(FileExistsError):
            path.touch(exist_ok=False)
        with pytest.raises(NotImplementedError):
            path.fs.touch(path.path, truncate=False)
    assert path.read_text() == "kept"
    (top / "new").touch(exist_ok=False)
    assert (top / "new").read_bytes() == b""
    (top / "d" / "a").write_text("1")
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        (top / "d").rename(top / "e")  # a directory: it was left as it was, without a word


def test_the_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)
    (test,) = [each for each in doctest.DocTestFinder().find(LakeFSPath, "LakeFSPath") if each.examples]
    with lakefs_hl.init("mem://") as client:
        lakefs_hl.repository("example", client=client).create()
        test.globs = {"UPath": UPath}
        out = io.StringIO()
        failed = doctest.DocTestRunner(verbose=False).run(test, out=out.write)
    assert failed.failed == 0, out.getvalue()
