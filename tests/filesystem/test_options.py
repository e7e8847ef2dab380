"""Options: which there are, instances by them, the default client, pickles, JSON, and other processes."""

from __future__ import annotations

import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
import weakref
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import entry_points
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

import fsspec

import lakefs_hl
from lakefs_hl.filesystem import LakeFSAsyncFileSystem, LakeFSFileSystem
from lakefs_hl.filesystem.options import OF_CLIENT

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)


def system(*args: Any, **options: Any) -> LakeFSFileSystem:
    return LakeFSFileSystem(*args, **options)


def written(fs: LakeFSFileSystem, content: bytes) -> None:
    lakefs_hl.repository("example", client=fs.client).get_or_create()
    fs.pipe("example/main/a", content)


def read(fs: Any) -> bytes:
    return bytes(fs.cat_file("lakefs://example/main/a"))


# -- names of options --------------------------------------------------------------------------------------------------


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="'hots' is not an option of LakeFSFileSystem"):
        system(hots="local:./lake")


def test_all_options_of_a_client_are_known() -> None:
    assert {"host", "username", "ca_cert", "timeout", "pickle_secrets", "transport", "jwt_token"} <= OF_CLIENT


def test_the_names_of_lakefs_spec(tmp_path: Path) -> None:
    fs = system(
        host="https://lake.example:8000",
        username="AKIA",
        password=SECRET,
        api_key=None,
        api_key_prefix=None,
        access_token=None,
        verify_ssl=True,
        ssl_ca_cert=None,
        proxy=None,
        create_branch_ok=True,
        source_branch="trunk",
        pre_sign=False,
        request_config={"request_timeout": (3, 7)},
    )
    assert fs.client.endpoint == "https://lake.example:8000"
    assert (fs.create_branch_ok, fs.source_branch, fs.pre_sign) == (True, "trunk", False)
    assert fs.storage_options["timeout"] == 7
    assert fs.storage_options["connect_timeout"] == 3
    with pytest.raises(ValueError, match=r"api_key has no meaning.*access_token"):
        system(host="https://lake.example", api_key=SECRET)
    with pytest.raises(ValueError, match=r"configfile has no meaning.*profile"):
        system(configfile="~/.lakectl.yaml")


def test_an_alias_and_its_name_are_one_option() -> None:
    assert system(endpoint="mem://alias") is system("mem://alias")
    with pytest.raises(TypeError, match="endpoint is another name of host"):
        system("mem://one", endpoint="mem://other")


# -- instances ---------------------------------------------------------------------------------------------------------


def test_a_relative_lake_is_that_of_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        fs = fsspec.filesystem("lakefs", host="local:./lake")
        assert fs is fsspec.filesystem("lakefs", host=f"local:{tmp_path}/{name}/lake")
        assert fs is fsspec.filesystem("lakefs", host="local:lake")
        written(fs, name.encode())
        found.append(fs)
    monkeypatch.chdir(tmp_path)
    assert [read(fs) for fs in found] == [b"one", b"other"]
    assert [read(pickle.loads(pickle.dumps(fs))) for fs in found] == [b"one", b"other"]


def test_the_environment_of_fsspec_is_made_absolute_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(fsspec.config.conf, "lakefs", {"host": "local:./lake"})
    assert system() is system(host=f"local:{tmp_path}/lake")


def test_without_options_it_follows_the_default_client() -> None:
    fs = fsspec.filesystem("lakefs")
    for name in ("first", "second"):
        lakefs_hl.init(f"mem://follow-{name}")
        assert fsspec.filesystem("lakefs") is fs
        written(fs, name.encode())
        assert fs.ls("example/main", detail=False) == ["example/main/a"]
    assert read(fs) == b"second"
    lakefs_hl.init("mem://follow-first")
    assert read(fs) == b"first"
    assert fs.fsid == "lakefs:mem://follow-first"


def test_two_clients_are_never_mixed() -> None:
    clients = [lakefs_hl.Client("mem://") for _ in range(2)]
    systems = [system(client=client) for client in clients]
    assert systems[0] is not systems[1]
    assert systems[0] != systems[1]
    assert system(client=clients[0]) is systems[0]
    for number, fs in enumerate(systems):
        written(fs, str(number).encode())
    assert [read(fs) for fs in systems] == [b"0", b"1"]
    alike = [lakefs_hl.Client("https://lake.example", "AKIA", secret) for secret in ("one", "other")]
    assert repr(alike[0]) == repr(alike[1])
    assert [system(client=client).client is client for client in alike] == [True, True]
    with pytest.raises(TypeError, match="client and host are given"):
        system(client=clients[0], host="mem://")
    with pytest.raises(TypeError, match=r"client must be a lakefs_hl\.Client, not str"):
        system(client="mem://")


def test_threads_share_the_lake_in_memory() -> None:
    written(system("mem://"), b"shared")
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read(system("mem://"))))
    thread.start()
    thread.join()
    assert found == [b"shared"]


def test_clients_go_with_their_file_systems() -> None:
    fs = system("mem://to-be-freed")
    client = weakref.ref(fs.client)
    LakeFSFileSystem.clear_instance_cache()
    del fs
    gc.collect()
    assert client() is None


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_in_no_text() -> None:
    fs = system("https://lake.example", "AKIA", SECRET, proxy=f"http://user:{SECRET}@proxy:3128")
    assert SECRET not in f"{fs!r} {fs} {fs.client!r} {fs._fs_token} {vars(fs).get('_given')!r}"
    assert SECRET not in fs.to_json(include_password=False)
    assert "AKIA" in fs.to_json(include_password=False)
    assert json.loads(fs.to_json())["password"] == SECRET  # as fsspec has it
    token = system("https://lake.example", access_token=SECRET)
    assert SECRET not in json.dumps(token.to_dict(include_password=False))
    with pytest.raises(TypeError, match="client= cannot be written as JSON"):
        system(client=lakefs_hl.Client("mem://")).to_json()


def test_json_makes_the_file_system_again(tmp_path: Path) -> None:
    fs = system(f"local:{tmp_path}/lake")
    written(fs, b"1")
    assert LakeFSFileSystem.from_json(fs.to_json()) is fs
    assert LakeFSFileSystem.from_dict(fs.to_dict()) is fs


def test_without_options_a_pickle_has_no_secret() -> None:
    lakefs_hl.init("https://lake.example", "AKIA", SECRET)
    fs = fsspec.filesystem("lakefs")
    assert fs.client.endpoint == "https://lake.example"
    assert SECRET.encode() not in pickle.dumps(fs)
    handed = system(client=lakefs_hl.Client("https://lake.example", "AKIA", SECRET))
    assert SECRET.encode() not in pickle.dumps(handed)
    assert "https://lake.example" in repr(pickle.loads(pickle.dumps(handed)))
    assert pickle.loads(pickle.dumps(fs)) is fs


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_find_the_same_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.chdir(tmp_path)
    lakefs_hl.init("local:./lake")
    fs = fsspec.filesystem("lakefs")  # the default client, which the other process has not
    monkeypatch.chdir(ROOT)
    written(fs, b"from the parent")
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(read, fs).result(timeout=60) == b"from the parent"
        pool.submit(fs.pipe, "example/main/b", b"from the child").result(timeout=60)
    assert fs.cat("example/main/b") == b"from the child"


# -- the entry point ---------------------------------------------------------------------------------------------------


def test_fsspec_finds_it_by_the_entry_point() -> None:
    values = [point.value for point in entry_points(group="fsspec.specs") if point.name == "lakefs"]
    assert values == ["lakefs_hl.filesystem:LakeFSFileSystem"]
    assert fsspec.get_filesystem_class("lakefs") is LakeFSFileSystem


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_it_wins_over_lakefs_spec(tmp_path: Path, first: str) -> None:
    """lakefs-spec registers no entry point: fsspec itself names it, and entry points go before that."""
    for name, folder in (("lakefs_spec", "theirs"), ("ours", "ours")):
        (tmp_path / folder).mkdir()
        if folder == "theirs":
            package = tmp_path / folder / name
            package.mkdir()
            (package / "__init__.py").write_text("class LakeFSFileSystem: protocol = 'lakefs'\n", encoding="utf-8")
        info = tmp_path / folder / f"{name}-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n", encoding="utf-8")
    entry = "[fsspec.specs]\nlakefs = lakefs_hl.filesystem:LakeFSFileSystem\n"
    (tmp_path / "ours" / "ours-9.9.dist-info" / "entry_points.txt").write_text(entry, encoding="utf-8")
    order = ["ours", "theirs"] if first == "ours" else ["theirs", "ours"]
    paths = [*(str(tmp_path / folder) for folder in order), str(ROOT)]
    code = "import fsspec, lakefs_spec; print(fsspec.get_filesystem_class('lakefs').__module__, lakefs_spec.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["lakefs_hl.filesystem.system", str(tmp_path / "theirs/lakefs_spec/__init__.py")]


def test_without_fsspec_it_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "try:\n    import lakefs_hl.filesystem\n"
        "except ModuleNotFoundError as exc:\n    print(exc)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'lakefs-hl[fsspec]'" in found.stdout


@pytest.mark.parametrize("kind", [LakeFSFileSystem, LakeFSAsyncFileSystem])
@pytest.mark.parametrize(
    "wrong", [{"bogus": 1}, {"host": "ftp://example"}, {"timeout": "soon"}, {"secret_access_key": "another one"}]
)
def test_reports_of_wrong_options_show_no_secret(kind: type[Any], wrong: dict[str, Any]) -> None:
    """Tools that report errors print the variables of every frame, and an instance that is half made among them."""
    with pytest.raises((TypeError, ValueError)) as caught:
        kind(**{"host": "http://127.0.0.1:9", "username": "key", "password": "not-to-be-seen", **wrong})
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in report.stack if frame.filename != __file__]
    assert frames
    assert "not-to-be-seen" not in "".join(str(frame.locals) for frame in frames)
    assert "not-to-be-seen" not in str(caught.value)
