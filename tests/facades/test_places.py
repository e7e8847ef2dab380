"""What is special about a directory, memory, and file systems of fsspec; in blocking style."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.facades._sync.stores import store_of
from lakefs_hl.facades.backends import web_failure
from lakefs_hl.facades.records import Put
from lakefs_hl.facades.remote import Remote


def paths(store: Any, **options: Any) -> list[str]:
    return [each.path for each in store.list(**options)]


def entry_of(store: Any, path: str) -> Any:
    return store.stat(path)


# -- directories


def test_nothing_is_written_outside_of_the_directory(tmp_path: Path) -> None:
    store = store_of(f"file://{tmp_path}/root")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/file").symlink_to(tmp_path / "outside/secret")
    for path in ("../x", "a/../../x", "link/x", ".", "a/./b", "a//b", "a\0b", "link/secret"):
        assert store.write(Put(path, b"1")).error is not None, path
        assert store.read(path).error is not None, path
        assert store.stat(path) is None
    assert store.read("file").error is not None
    assert next(iter(store.delete_many(["link/secret"]))) is not None
    assert (tmp_path / "outside/secret").read_bytes() == b"secret"
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert paths(store) == []
    assert store.write(Put("file", b"mine")).error is None  # the link is replaced, not followed
    assert (tmp_path / "outside/secret").read_bytes() == b"secret"


def test_a_suffix_is_an_encoding_unless_there_is_such_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a"))
    (tmp_path / "b").write_bytes(b"b")
    (tmp_path / "b.gz").write_bytes(b"other")
    (tmp_path / ".gz").write_bytes(b"name")
    (tmp_path / "c.br").write_bytes(b"1")
    (tmp_path / "c.gz").write_bytes(b"2")
    store = store_of(tmp_path.as_uri())
    found = [(each.path, each.encoding) for each in store.list()]
    assert found == [(".gz", None), ("a", "gzip"), ("b", None), ("b.gz", None), ("c", "gzip"), ("c.br", None)]
    for path, encoding in found:
        assert store.read(path).encoding == encoding, path
        assert entry_of(store, path).encoding == encoding
    assert store.read("a.gz").encoding is None  # by its own name it is a file as any other


def test_the_file_of_another_object_is_not_replaced(tmp_path: Path) -> None:
    store = store_of(tmp_path.as_uri())
    (tmp_path / "b").write_bytes(b"b")
    (tmp_path / "b.gz").write_bytes(b"other")
    error = store.write(Put("b", b"packed", encoding="gzip")).error
    assert isinstance(error, FileExistsError)
    assert "another object" in str(error)
    assert ((tmp_path / "b").read_bytes(), (tmp_path / "b.gz").read_bytes()) == (b"b", b"other")


def test_an_object_in_another_encoding_is_replaced(tmp_path: Path) -> None:
    store = store_of(tmp_path.as_uri())
    for encoding, name in (("", "a"), ("gzip", "a.gz"), ("zstd", "a.zstd"), ("br", "a.br"), ("", "a")):
        assert store.write(Put("a", b"1", encoding=encoding)).error is None
        assert os.listdir(tmp_path) == [name]


def test_a_file_that_would_be_found_instead_of_another_object_is_refused(tmp_path: Path) -> None:
    store = store_of(f"file://{tmp_path}")
    assert store.write(Put("d/a", b"in brotli", encoding="br")).error is None
    outcome = store.write(Put("d/a.gz", b"gz"))
    assert isinstance(outcome.error, FileExistsError)
    assert "would be read as 'a', which is an object in br" in str(outcome.error)
    assert store.read("d/a").data == b"in brotli"
    assert os.listdir(tmp_path / "d") == ["a.br"]
    assert store.write(Put("d/a.zstd", b"found after it")).error is None
    assert store.read("d/a").data == b"in brotli"


def test_threads_write_one_object_in_several_encodings(tmp_path: Path) -> None:
    store, outcomes = store_of(f"file://{tmp_path}"), list[Any]()
    encodings = (None, "gzip", "br", "zstd")

    def write(shift: int) -> None:
        for number in range(40):
            encoding = encodings[(number + shift) % 4]
            outcomes.append(store.write(Put("a", str(encoding).encode(), encoding=encoding)))
            outcomes.append(store.read("a"))  # it is never missing

    running = [threading.Thread(target=write, args=(shift,)) for shift in range(4)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert [each.error for each in outcomes] == [None] * 320
    (found,) = store.list()
    assert store.read("a").data == str(found.encoding).encode()
    assert len(os.listdir(tmp_path)) == 1


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    class Broken:
        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def read(self, size: int = -1) -> bytes:
            assert paths(store) == ["a"]
            assert (tmp_path / "a").read_bytes() == b"old"
            raise OSError("no more")

    store = store_of(tmp_path.as_uri())
    store.write(Put("a", b"old"))
    assert "no more" in str(store.write(Put("a", Broken())).error)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["a"]
    assert store.read("a").data == b"old"


def test_durable_writes(tmp_path: Path) -> None:
    store = store_of(tmp_path.as_uri())
    assert [each.error for each in store.write_many([Put("a/b/c", b"1")], durable=True)] == [None]
    assert (tmp_path / "a/b/c").read_bytes() == b"1"


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/a").write_bytes(b"1")
    store = store_of(tmp_path.as_uri())
    assert isinstance(store.read("pipe").error, FileNotFoundError)
    assert paths(store) == ["dir/a"]
    assert paths(store, flat=True) == ["dir/"]
    assert store.write(Put("dir", b"1")).error is not None
    assert store.write(Put("dir/a/b", b"1")).error is not None


def test_a_lake_that_is_open_is_left_alone(tmp_path: Path) -> None:
    client = lakefs_hl.Client(f"local:{tmp_path}/below/lake")
    branch = lakefs_hl.repository("docs", client=client).create().branch("main")
    branch.upload(b"1", "a")
    (tmp_path / "below/mine").write_bytes(b"mine")
    before = {each: each.stat().st_size for each in (tmp_path / "below/lake").rglob("*")}
    around = store_of(f"file://{tmp_path}")
    assert paths(around) == ["below/mine"]
    for at, path in ((around, "below/lake/lake.db"), (store_of(f"file://{tmp_path}/below/lake"), "lake.db")):
        assert isinstance(at.read(path).error, PermissionError)
        for outcome in (at.write(Put(path, b"")), at.create(f"{path}2"), *at.delete_many([path])):
            assert isinstance(outcome.error, PermissionError)
            assert "which this process has open" in str(outcome.error)
    for inside in ("lake", "lake/objects"):
        with pytest.raises(PermissionError, match="the directory of the lake local:"):
            lakefs_hl.transfer(f"file://{tmp_path}/below/{inside}", "mem://copy")
        report = lakefs_hl.transfer(branch, f"file://{tmp_path}/below/{inside}", paths=["a"], on_error="return")
        assert report.failed_count == 1
    assert before == {each: each.stat().st_size for each in (tmp_path / "below/lake").rglob("*")}


def test_urls_of_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = tmp_path / "with space é"
    assert store_of(odd.as_uri()).url == odd.as_uri() + "/"
    assert store_of("file://relative").url == (tmp_path / "relative").as_uri() + "/"
    assert store_of(f"file://localhost{tmp_path}").url == tmp_path.as_uri() + "/"
    assert store_of("file:///").url == "file:///"
    with pytest.raises(ValueError, match="file:///path"):
        store_of("file://")
    with pytest.raises(ValueError, match="no file can have"):
        store_of(tmp_path.as_uri(), "../up")
    for bad in (str(tmp_path), "relative/path", "://x"):
        with pytest.raises(ValueError, match="URL with a scheme"):
            store_of(bad)
    with pytest.raises(TypeError, match="PosixPath"):
        store_of(tmp_path)


def test_pickles(tmp_path: Path) -> None:
    for url in (tmp_path.as_uri(), "mem://pickled/p", "memory://pickled"):
        store = store_of(url)
        store.write(Put("a", b"1"))
        again = pickle.loads(pickle.dumps(store))
        assert again.url == store.url
        assert again.read("a").data == b"1"


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    store = store_of(f"file://{tmp_path}/file")
    assert isinstance(store.write(Put("a", b"1")).error, OSError)
    assert paths(store) == []


# -- memory


def test_memory_compresses_by_itself() -> None:
    store = store_of("mem://compressing")
    data = b"x" * 100_000
    assert store.write(Put("a", data)).size < 1000
    content = store.read("a")
    assert content.encoding == "gzip"
    assert content.entry is not None
    assert content.entry.automatic
    assert content.data is not None
    assert gzip.decompress(content.data) == data
    store.write(Put("plain", data, encoding=""))
    assert store.read("plain").data == data
    store.write(Put("small", b"x"))
    store.write(Put("random", os.urandom(1000)))
    assert [entry_of(store, path).encoding for path in ("small", "random")] == [None, None]


def test_memory_is_shared_by_name() -> None:
    store_of("mem://shared/a").write(Put("b", b"1"))
    assert store_of("mem://shared").read("a/b").data == b"1"
    assert store_of("mem:///shared/a").stat("b") is None
    assert paths(store_of("mem://other")) == []


def test_memory_and_threads() -> None:
    store = store_of("mem://threads")
    errors = list[Exception]()

    def work(number: int) -> None:
        try:
            for step in range(300):
                store.write(Put(f"{number}/{step % 10}", b"%d" % step, encoding=""))
                assert list(store.list(f"{number}/"))
                store.read(f"{(number + 1) % 8}/{step % 10}")
                list(store.delete_many([f"{number}/{(step + 5) % 10}"]))
        except Exception as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# -- fsspec


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(fsspec.AbstractFileSystem):  # type: ignore[misc]
        protocol = "refusing"

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.token = options["token"]

        def info(self, path: str, **kwargs: Any) -> Any:
            raise RuntimeError(f"403 for {self.token} and hidden-password at {path}")

        ls = info

    fsspec.register_implementation("refusing", Refusing, clobber=True)
    options = {"token": "very-secret-token", "nested": {"key": "deep-secret"}}
    store: Any = store_of("refusing://me:hidden-password@host/path?signature=abcdefg", storage_options=options)
    assert store.url == "refusing://host/path/"
    shown = [repr(store), repr(store.backend), store.url, str(store.read("a").error), repr(store.read("a").error)]
    shown += [str(store.write(Put("a", b"1")).error), str(next(iter(store.delete_many(["a"]))).error)]
    for call in (lambda: store.stat("a"), lambda: list(store.list())):
        with pytest.raises(OSError, match="403") as caught:
            call()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        shown.append(str(caught.value))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
    for text in shown:
        for secret in ("very-secret", "deep-secret", "hidden-password", "abcdefg"):
            assert secret not in text


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match=r"(?i)adlfs"):
        store_of("abfs://container/path")
    with pytest.raises(ValueError, match="nosuchthing"):
        store_of("nosuchthing://x")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"pip install 'lakefs-hl\[fsspec\]'"):
        store_of("memory://x")


def test_the_web(tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir/a.txt").write_bytes(b"0123456789")
    (tmp_path / "b.gz").write_bytes(b"as it is")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            store = store_of(f"http://127.0.0.1:{server.server_port}")
            assert store.read("b.gz").data == b"as it is"
            assert store.read("b.gz").encoding is None
            assert isinstance(store.read("none").error, FileNotFoundError)
            assert store.stat("none") is None
            assert [each.path for each in store.list()] == ["b.gz", "sub%20dir/a.txt"]
            entry = entry_of(store, "sub%20dir/a.txt")
            assert (entry.size, entry.content_type) == (10, "text/plain")
            assert [each.size for each in store.list()] == [8, 10]
            assert entry.modified is not None
            assert store.read("sub%20dir/a.txt", 2, 4).data == b"23"
            assert store.read("sub%20dir/a.txt").data == b"0123456789"
            report = lakefs_hl.transfer(store, "mem://from-the-web")
            assert report.transferred == 2
        finally:
            server.shutdown()
            thread.join()


class _Answers(BaseHTTPRequestHandler):
    """Answers with the status that the address has; a listing has one such file."""

    def do_HEAD(self) -> None:
        listing = self.path.rstrip("/").endswith("data")
        content = b'<a href="/data/503">503</a>' if listing else b""
        self.send_response(200 if listing else int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_GET = do_HEAD  # noqa: N815 - the names that the server calls

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_web_server_that_fails_has_not_said_that_a_file_is_missing() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            files = lakefs_hl.files(f"http://127.0.0.1:{server.server_port}/data?token=a-secret")
            for missing in ("404", "410"):
                assert (files.get(missing), files.exists(missing), files.size(missing)) == (None, False, None)
            for failing in ("500", "503", "429", "403", "401"):
                kind = PermissionError if failing in ("403", "401") else OSError
                for call in (files.get, files.exists, files.size, files.head, files.get_json):
                    with pytest.raises(kind, match=failing) as raised:
                        call(failing)
                    assert not isinstance(raised.value, FileNotFoundError)
                    shown: BaseException | None = raised.value
                    while shown is not None:
                        assert "a-secret" not in str(shown)
                        shown = shown.__cause__ or shown.__context__
                assert type(files.get([failing])[0]["error"]) is kind
            files = lakefs_hl.files(f"http://127.0.0.1:{server.server_port}/data")
            with pytest.raises(OSError, match="503"):  # and not a listing without it
                list(files.list())
        finally:
            server.shutdown()
            thread.join()
    with pytest.raises(OSError, match="Cannot connect"):
        files.get("404")


def test_public_buckets_forbid_to_look_up_what_does_not_exist() -> None:
    error = FileNotFoundError("x")
    error.__cause__ = cause = OSError("Forbidden")
    cause.status = 403  # type: ignore[attr-defined]
    for url in ("https://s3.amazonaws.com/b/", "https://b.s3.amazonaws.com/", "https://storage.googleapis.com/b/"):
        assert web_failure(error, url) is None
    for url in ("https://example.com/s3.amazonaws.com/", "https://notamazonaws.com/", "http://s3.amazonaws.com.x/"):
        assert isinstance(web_failure(error, url), PermissionError)


def test_the_web_is_read_only() -> None:
    store = store_of("https://example.invalid/data")
    assert store.read_only
    with pytest.raises(exceptions.UnsupportedOperationException, match="read-only"):
        store.write(Put("a", b"1"))
    with pytest.raises(exceptions.UnsupportedOperationException, match="Web servers are"):
        lakefs_hl.files("https://example.invalid/data").put("a", b"1")


def test_damaged_content_is_read_again(mocker: Any) -> None:
    remote = Remote("memory://damaged/x")
    remote.write(Put("a", b"hello", encoding=""))
    md5 = "5d41402abc4b2a76b9719d911017c592"
    info = remote._fs.info
    mocker.patch.object(remote._fs, "info", lambda path, **options: {**info(path), "ETag": f'"{md5}"'})
    cat = mocker.patch.object(remote._fs, "cat_file", side_effect=[b"hellx", b"hello"])
    assert remote.read(_asked("a")).data == b"hello"
    assert cat.call_count == 2
    mocker.patch.object(remote._fs, "cat_file", side_effect=[b"hellx", b"hxllo", b"hellq"])
    assert isinstance(remote.read(_asked("a")).error, exceptions.IntegrityError)
    mocker.patch.object(remote._fs, "cat_file", return_value=b"HELLO")  # an ETag that is no MD5
    assert remote.read(_asked("a")).data == b"HELLO"


def _asked(path: str) -> Any:
    from lakefs_hl.facades.records import Range

    return Range(path)


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = """
import sys
from lakefs_hl.facades._sync.stores import store_of
store_of("mem://x").write(__import__("lakefs_hl").facades.records.Put("a", b"x" * 100))
assert not {"fsspec", "brotli", "zstandard", "google_crc32c", "gevent", "apsw"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
