"""What lakefs-spec's own tests check of its file system, checked of ours.

`THEIRS` has each test function of lakefs-spec (its repository at ea863c1, April 2026, after release 0.15.1): the test
here that checks the same behaviour, or why there is none. The tests were written anew.
"""

from __future__ import annotations

import ast
import hashlib
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.filesystem import LakeFSFileSystem
from tests.ecosystem.conftest import Lake

INTERNAL = "not about behaviour: "
#: Their test → ours, or why not.
THEIRS = {
    "regression/test_gh_297": "test_names_that_share_a_prefix",
    "regression/test_gh_299": "test_ref_expressions",
    "regression/test_gh_314": "test_ref_expressions",
    "regression/test_gh_319": "test_info",
    "regression/test_gh_321": "test_pyarrow_knows_files_and_directories",
    "abstractfilesystem/test_walk_single_dir": "test_walk_find_glob",
    "abstractfilesystem/test_walk_repo_root": "test_walk_find_glob",
    "abstractfilesystem/test_find_in_folder": "test_walk_find_glob",
    "abstractfilesystem/test_touch": "test_touch",
    "abstractfilesystem/test_glob": "test_walk_find_glob",
    "abstractfilesystem/test_du": "test_sizes_and_kinds",
    "abstractfilesystem/test_size": "test_sizes_and_kinds",
    "abstractfilesystem/test_isfile_isdir": "test_sizes_and_kinds",
    "abstractfilesystem/test_write_text_read_text": "test_text_bytes_and_ranges",
    "abstractfilesystem/test_cat_pipe": "test_text_bytes_and_ranges",
    "abstractfilesystem/test_cat_pipe_file": "test_text_bytes_and_ranges",
    "abstractfilesystem/test_cat_ranges": "test_text_bytes_and_ranges",
    "abstractfilesystem/test_head_tail": "test_text_bytes_and_ranges",
    "abstractfilesystem/test_mv": "test_move_and_copy",
    "abstractfilesystem/test_copy": "test_move_and_copy",
    "abstractfilesystem/test_get_file": "test_put_and_get",
    "abstractfilesystem/test_file_created": "test_times",
    "integrations/test_pandas_integration": "test_pandas",
    "integrations/test_polars_integration": "test_polars",
    "integrations/test_duckdb_integration": "test_duckdb",
    "checksum/test_checksum_matching": "test_checksum",
    "checksum/test_checksum_directory": "test_checksum",
    "copy/test_copy": "test_move_and_copy",
    "copy/test_copy_edge_cases": "test_move_and_copy",
    "errors/test_error_translation": "test_errors_are_those_of_the_operating_system",
    "exists/test_exists": "test_exists",
    "exists/test_exists_on_commit": "test_exists",
    "exists/test_exists_on_staged_file": "test_exists",
    "exists/test_exists_repo_root": "test_exists",
    "fs/test_instance_caching": "test_instances_are_kept_by_their_options",
    "fs/test_initialization": "test_where_the_options_come_from",
    "fs/test_request_config": "test_request_config",
    "get_file/test_get_nonexistent_file": "test_getting_what_does_not_exist",
    "get_file/test_get_from_nonexistent_repo": "test_getting_what_does_not_exist",
    "get_file/test_get_from_nonexistent_branch": "test_getting_what_does_not_exist",
    "get_file/test_get_client_caching": INTERNAL
    + "precheck is taken and ignored; download_dir(update='checksum') skips",
    "info/test_info_on_directory": "test_info",
    "info/test_info_on_nonexistent_directory": "test_info",
    "info/test_info_on_directory_no_trailing_slash": "test_info",
    "info/test_info_on_commit": "test_info",
    "internals/test_strip_protocol": "test_names",
    "lakefs_file/test_lakefs_file_open_read": "test_open",
    "lakefs_file/test_lakefs_file_open_write": "test_open",
    "lakefs_file/test_open_mode_coercion": "test_open",
    "lakefs_file/test_lakefs_file_unknown_mode": "test_open",
    "lakefs_file/test_lakefs_file_open_pre_sign_none_uses_storage_config": "test_open",
    "ls/test_ls_basic": "test_ls",
    "ls/test_paginated_ls": "test_ls",
    "ls/test_ls_caching": "test_listings_that_are_kept",
    "ls/test_ls_with_one_dir": "test_ls",
    "ls/test_ls_cache_refresh": "test_listings_that_are_kept",
    "ls/test_ls_stale_cache_entry": "test_listings_that_are_kept",
    "ls/test_ls_no_detail": "test_ls",
    "ls/test_ls_dircache_remove_uncached": "test_listings_that_are_kept",
    "ls/test_ls_dircache_remove_cached": "test_listings_that_are_kept",
    "ls/test_ls_dircache_recursive": INTERNAL + "looks into fs.dircache, which is empty here",
    "ls/test_ls_directories": "test_ls",
    "ls/test_ls_on_commit": "test_ls",
    "put_file/test_no_change_postcommit": "test_a_transaction_without_changes",
    "put_file/test_implicit_branch_creation": "test_implicit_branches",
    "put_file/test_put_client_caching": INTERNAL + "checks no more than that an uploaded file exists",
    "rm/test_rm": "test_rm",
    "rm/test_rm_with_transaction": "test_a_transaction_that_removes",
    "rm/test_rm_recursive": "test_rm",
    "rm/test_rm_recursive_with_maxdepth": "test_rm",
    "rm/test_rm_with_1k_objects_or_more": "test_rm_of_more_than_a_request_takes",
    "spec_utils/test_path_parsing_success": "test_names",
    "spec_utils/test_path_parsing_failure": "test_names_that_cannot_be",
    "transactions/test_transaction_commit": "test_a_transaction_that_commits",
    "transactions/test_transaction_tag": "test_a_transaction_that_tags",
    "transactions/test_transaction_merge": "test_a_transaction_that_merges",
    "transactions/test_transaction_revert": "test_a_transaction_that_reverts",
    "transactions/test_transaction_failure": "test_a_transaction_that_fails",
    "transactions/test_transaction_no_automerge": "test_a_transaction_that_is_kept",
    "transactions/test_transaction_bad_repo": "test_a_transaction_on_no_repository",
    "transactions/test_warn_uncommitted_changes": "test_uncommitted_changes_give_a_warning",
    "transactions/test_warn_uncommitted_changes_on_persisted_branch": "test_uncommitted_changes_give_a_warning",
    "util/test_batched_empty_iterable": INTERNAL + "a helper of its own",
    "util/test_batched_single_batch": INTERNAL + "a helper of its own",
    "util/test_batched_multiple_batches": INTERNAL + "a helper of its own",
    "util/test_batched_batch_size_greater_than_iterable": INTERNAL + "a helper of its own",
    "util/test_batched_invalid_batch_size": INTERNAL + "a helper of its own",
    "util/test_repository": "test_names_that_cannot_be",
    "util/test_ref_expression": "test_ref_expressions",
}


def test_every_one_of_theirs_has_one_of_ours_or_a_reason() -> None:
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    here = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    ours = [name for name in THEIRS.values() if not name.startswith(INTERNAL)]
    assert set(ours) <= here, set(ours) - here
    assert (len(THEIRS), len(ours)) == (89, 81)


FILES = {
    "README.md": b"read me",
    "lakes.csv": b"lake,depth\n" + b"Baikal,1642\n" * 100,
    "data/lakes.source.md": b"source",
    "images/a.png": b"\x89PNG",
    "images/b.png": b"\x89PNG",
    "images/deep/c.png": b"\x89PNG",
}


@pytest.fixture
def repository(lake: Lake) -> lakefs_hl.Repository:
    lake.branch.upload_many(list(FILES.items()), commit_message="sample data", progress=False)
    return lakefs_hl.repository(lake.branch.repository_id)


@pytest.fixture
def branch(repository: lakefs_hl.Repository) -> lakefs_hl.Branch:
    return repository.branch("work").create("main")


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem(**lake.options, skip_instance_cache=True)


@pytest.fixture
def top(branch: lakefs_hl.Branch) -> str:
    return f"{branch.repository_id}/work"


# -- reading and writing -----------------------------------------------------------------------------------------------


def test_names_that_share_a_prefix(fs: LakeFSFileSystem, top: str) -> None:
    names = {f"{top}/data/foo/{path}" for path in ("bar/axe", "bar/quux/widget.txt", "bar__baz.txt", "barb/x")}
    for name in names:
        fs.pipe(f"lakefs://{name}", b"1")
    assert set(fs.find(f"lakefs://{top}/data/foo")) == names
    assert {f"{at}/{file}" for at, _, files in fs.walk(f"lakefs://{top}/data/foo") for file in files} == names
    assert set(fs.find(f"{top}/data/foo/bar")) == {f"{top}/data/foo/bar/axe", f"{top}/data/foo/bar/quux/widget.txt"}
    assert all(fs.isfile(name) for name in names)


def test_ref_expressions(fs: LakeFSFileSystem, branch: lakefs_hl.Branch, top: str) -> None:
    for content in (b"1", b"2"):
        fs.pipe(f"{top}/data.txt", content)
        branch.commit_changes("update")
    fs.pipe(f"{top}/data.txt", b"3")
    read = {end: fs.cat_file(f"lakefs://{top}{end}/data.txt") for end in ("", "@", "~", "^", "~1", "^1")}
    assert read == {"": b"3", "@": b"2", "~": b"1", "^": b"1", "~1": b"1", "^1": b"1"}
    for end in ("~2", "^^", "^1^1", "^1~1"):
        assert not fs.exists(f"{top}{end}/data.txt")
        assert fs.exists(f"{top}{end}/README.md")


def test_info(fs: LakeFSFileSystem, repository: lakefs_hl.Repository, top: str) -> None:
    fs.pipe(f"{top}/with metadata", b"1", metadata={"custom_key": "custom_value"})
    assert fs.info(f"{top}/with metadata")["metadata"] == {"custom_key": "custom_value"}
    for directory in (top, f"{top}/data"):
        assert fs.info(f"lakefs://{directory}/") == fs.info(f"lakefs://{directory}")
        assert fs.info(directory)["type"] == "directory"
    with pytest.raises(FileNotFoundError):
        fs.info(f"{top}/missing/")
    on_commit = fs.info(f"{repository.id}/{repository.branch('main').head().id}/README.md")
    on_branch = fs.info(f"{top}/README.md")
    assert {**on_commit, "name": ""} == {**on_branch, "name": ""}
    assert on_commit["type"] == "file"


def test_pyarrow_knows_files_and_directories(fs: LakeFSFileSystem, top: str) -> None:
    arrow = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed")
    wrapped = arrow.PyFileSystem(arrow.FSSpecHandler(fs))
    found = wrapped.get_file_info(arrow.FileSelector(f"{top}/images", recursive=True))
    assert {item.path: item.type for item in found} == {
        f"{top}/images/a.png": arrow.FileType.File,
        f"{top}/images/b.png": arrow.FileType.File,
        f"{top}/images/deep": arrow.FileType.Directory,
        f"{top}/images/deep/c.png": arrow.FileType.File,
    }


def test_walk_find_glob(fs: LakeFSFileSystem, top: str) -> None:
    # lakefs-spec keeps the slash at the end of the name that is walked; here, as elsewhere in fsspec, there is none.
    assert next(fs.walk(f"{top}/images/")) == (f"{top}/images", ["deep"], ["a.png", "b.png"])
    assert next(fs.walk(f"{top}/")) == (top, ["data", "images"], ["README.md", "lakes.csv"])
    assert fs.find(f"{top}/images") == [f"{top}/images/{name}" for name in ("a.png", "b.png", "deep/c.png")]
    assert fs.glob(f"lakefs://{top}/**/*.png") == fs.find(f"{top}/images")


def test_touch(fs: LakeFSFileSystem, top: str) -> None:
    fs.touch(f"{top}/hello.txt")
    assert fs.info(f"{top}/hello.txt")["size"] == 0
    fs.touch(f"{top}/README.md", truncate=True)
    assert fs.cat_file(f"{top}/README.md") == b""


def test_sizes_and_kinds(fs: LakeFSFileSystem, top: str) -> None:
    assert fs.du(f"lakefs://{top}/", withdirs=True) == sum(map(len, FILES.values()))
    assert fs.size(f"lakefs://{top}/lakes.csv") == len(FILES["lakes.csv"])
    assert (fs.isfile(f"{top}/lakes.csv"), fs.isdir(f"{top}/lakes.csv")) == (True, False)
    assert (fs.isfile(f"{top}/data"), fs.isdir(f"{top}/data")) == (False, True)


def test_text_bytes_and_ranges(fs: LakeFSFileSystem, top: str) -> None:
    text, at = "Hello, Wörld!", f"lakefs://{top}/new.txt"
    fs.write_text(at, text, encoding="utf-32-le")
    assert fs.read_text(at, encoding="utf-32-le") == text
    assert fs.cat(at) == text.encode("utf-32-le")
    assert fs.cat_file(at, end=4).decode("utf-32-le") == "H"
    fs.pipe_file(at, b"0123456789")
    fs.pipe(f"{top}/other", b"abcdef")
    assert fs.cat_ranges([at, f"lakefs://{top}/other"], starts=0, ends=1) == [b"0", b"a"]
    assert (fs.head(at, 2), fs.tail(at, 2), fs.tail(at, 100)) == (b"01", b"89", b"0123456789")


def test_move_and_copy(fs: LakeFSFileSystem, lake: Lake, repository: lakefs_hl.Repository, top: str) -> None:
    fs.cp(f"{top}/README.md", f"{top}/copies/1")
    assert fs.info(f"{top}/copies/1")["checksum"] == fs.info(f"{top}/README.md")["checksum"]
    fs.mv(f"{top}/copies/1", f"{top}/moved")
    assert (fs.exists(f"{top}/copies/1"), fs.exists(f"{top}/moved")) == (False, True)
    repository.branch("other").create("main")
    fs.cp_file(f"{top}/moved", f"{repository.id}/other/from work")
    assert fs.cat_file(f"{repository.id}/other/from work") == FILES["README.md"]
    before = fs.info(f"{top}/README.md")
    fs.cp_file(f"{top}/README.md", f"{top}/README.md")
    assert fs.info(f"{top}/README.md") == before
    # lakefs-spec raises a ValueError for another repository; here it is copied.
    other = lake.new_branch()
    fs.cp_file(f"{top}/README.md", f"{other.repository_id}/main/README.md")
    assert other.download("README.md") == FILES["README.md"]


def test_put_and_get(fs: LakeFSFileSystem, top: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(1024))
    fs.put(lpath=str(tmp_path / "a"), rpath=f"{top}/a", precheck=False)
    fs.put_file(lpath=str(tmp_path / "a"), rpath=f"{top}/b")
    fs.get(rpath=f"{top}/a", lpath=str(tmp_path / "b"), precheck=True)
    fs.get_file(f"{top}/b", str(tmp_path / "c"), precheck=False)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_times(fs: LakeFSFileSystem, top: str) -> None:
    fs.pipe(f"{top}/now", b"1")
    assert isinstance(fs.created(f"{top}/now"), datetime)
    assert fs.created(f"{top}/now") == fs.modified(f"{top}/now")
    assert fs.modified(f"{top}/now").utcoffset() == timedelta()
    with pytest.raises(FileNotFoundError):
        fs.modified(f"{top}/missing")


def test_checksum(fs: LakeFSFileSystem, top: str) -> None:
    content = os.urandom(100_000)
    fs.pipe(f"{top}/a", content)
    assert fs.checksum(f"{top}/a") == hashlib.md5(content).hexdigest()
    # lakefs-spec returns None for a directory and for a missing file.
    with pytest.raises(IsADirectoryError):
        fs.checksum(f"{top}/data")


def test_errors_are_those_of_the_operating_system(lake: Lake, fs: LakeFSFileSystem, top: str) -> None:
    with pytest.raises(FileNotFoundError, match="nothing here"):
        fs.cat_file(f"{top}/nothing here")
    if "password" in lake.options:
        stranger = LakeFSFileSystem(**{**lake.options, "password": "wrong"}, skip_instance_cache=True)
        with pytest.raises(PermissionError, match="check the access key"):
            stranger.cat_file(f"{top}/README.md")


def test_exists(fs: LakeFSFileSystem, repository: lakefs_hl.Repository, top: str) -> None:
    head = repository.branch("main").head().id
    fs.pipe(f"{top}/staged", b"1")
    there = [f"{top}/README.md", f"{repository.id}/{head}/README.md", f"{top}/staged", f"{top}/", f"{top}/data"]
    missing = [f"{top}/missing", f"{repository.id}/missing/", "missing-repository/main/", "missing-repository"]
    assert [fs.exists(f"lakefs://{name}") for name in there] == [True] * 5
    assert fs.exists(f"lakefs://{repository.id}/{head}/")
    assert [fs.exists(f"lakefs://{name}") for name in missing] == [False] * 4


def test_getting_what_does_not_exist(fs: LakeFSFileSystem, top: str, tmp_path: Path) -> None:
    repository = top.partition("/")[0]
    for missing in (f"{top}/no.txt", f"{repository}/no/a.txt", "no-repository/main/a.txt"):
        with pytest.raises(FileNotFoundError, match=missing):
            fs.get(missing, str(tmp_path / "out.txt"))
        assert not (tmp_path / "out.txt").exists()


def test_open(fs: LakeFSFileSystem, top: str) -> None:
    with fs.open(f"{top}/lakes.csv", pre_sign=None) as file:
        assert file.read() == FILES["lakes.csv"]
    with fs.open(f"{top}/lakes.csv", "wb", pre_sign=None, content_type="text/x") as file:
        file.write(b"other")
    assert fs.cat_file(f"{top}/lakes.csv") == b"other"
    with fs.open(f"{top}/README.md", "rt") as text:
        assert text.read() == "read me"
    with pytest.raises(NotImplementedError, match="'ab'"):
        fs.open(f"{top}/README.md", "ab")


def test_rm(fs: LakeFSFileSystem, top: str) -> None:
    fs.rm(f"{top}/README.md")
    assert not fs.exists(f"{top}/README.md")
    fs.pipe({f"{top}/one/b": b"b", f"{top}/one/two/c": b"c"})
    fs.rm(f"{top}/one", recursive=True, maxdepth=1)
    assert fs.find(f"{top}/one") == [f"{top}/one/two/c"]
    fs.rm(f"lakefs://{top}/one", recursive=True)
    assert not fs.exists(f"{top}/one")


def test_rm_of_more_than_a_request_takes(fs: LakeFSFileSystem, branch: lakefs_hl.Branch, top: str, lake: Lake) -> None:
    if lake.kind != "embedded":
        pytest.skip("a thousand uploads: the embedded lake shows the same in a moment")
    branch.upload_many([(f"many/{number}", b"") for number in range(1_002)], progress=False)
    assert len(fs.ls(f"{top}/many", detail=False)) == 1_002
    fs.rm(f"{top}/many", recursive=True, maxdepth=1)
    assert not fs.exists(f"{top}/many")


# -- listings ----------------------------------------------------------------------------------------------------------


def test_ls(fs: LakeFSFileSystem, repository: lakefs_hl.Repository, top: str) -> None:
    names = [f"{top}/{name}" for name in ("README.md", "data", "images", "lakes.csv")]
    for given in (f"{top}/", top, f"lakefs://{top}/"):
        assert fs.ls(given, detail=False) == [row["name"] for row in fs.ls(given)] == names
    assert [row["type"] for row in fs.ls(top)] == ["file", "directory", "directory", "file"]
    assert fs.ls(top, amount=1, refresh=True) == fs.ls(top)
    assert fs.ls(f"{top}/data", detail=False) == [f"{top}/data/lakes.source.md"]
    assert fs.ls(f"{top}/README.md", detail=False) == [f"{top}/README.md"]
    every = fs.ls(f"{top}/images/", recursive=True)
    assert {row["name"]: row["type"] for row in every} == {
        f"{top}/images/a.png": "file",
        f"{top}/images/b.png": "file",
        f"{top}/images/deep": "directory",
        f"{top}/images/deep/c.png": "file",
    }
    head = repository.branch("main").head().id
    on_commit = [{**row, "name": ""} for row in fs.ls(f"lakefs://{repository.id}/{head}/images")]
    assert on_commit == [{**row, "name": ""} for row in fs.ls(f"{top}/images")]


def test_listings_that_are_kept(lake: Lake, branch: lakefs_hl.Branch, top: str) -> None:
    keeps = LakeFSFileSystem(**lake.options, use_listings_cache=True, skip_instance_cache=True)
    before = keeps.ls(f"{top}/data")
    branch.upload(b"1", "data/by another client")
    assert keeps.ls(f"{top}/data/") == before
    assert len(keeps.ls(f"{top}/data", refresh=True)) == len(keeps.ls(f"{top}/data")) == 2
    keeps.rm(f"{top}/data/by another client")
    assert keeps.ls(f"{top}/data") == before
    keeps.pipe(f"{top}/data/own", b"1")
    assert keeps.ls(f"{top}/data", detail=False) == [f"{top}/data/lakes.source.md", f"{top}/data/own"]
    assert [row["name"].rpartition("/")[2] for row in keeps.ls(top.replace("work", "main") + "/data")] == [
        "lakes.source.md"
    ]
    # lakefs-spec keeps listings of branches unless it is told not to; here they are kept only if it is asked for.
    fresh = LakeFSFileSystem(**lake.options, skip_instance_cache=True)
    fresh.ls(f"{top}/data")
    branch.upload(b"1", "data/later")
    assert f"{top}/data/later" in fresh.ls(f"{top}/data", detail=False)


# -- names and options -------------------------------------------------------------------------------------------------


def test_names() -> None:
    strip = LakeFSFileSystem._strip_protocol
    assert strip("lakefs://repo/ref/a.txt") == strip(Path("repo/ref/a.txt")) == "repo/ref/a.txt"
    assert strip(["lakefs://repo/ref/a", "repo/ref/b"]) == ["repo/ref/a", "repo/ref/b"]
    assert strip("lakefs://repo/ref/") == "repo/ref"  # lakefs-spec keeps the slash; fsspec's other classes do not
    fs = LakeFSFileSystem("mem://names")
    for ref in ("my-ref", "a", "v2.0", "main~", "main^^", "main^2", "main^1~1", "main@"):
        for path in ("resource.txt", "my/nested/resource.txt"):
            at = fs.reference(f"lakefs://my-repo/{ref}/{path}")
            assert (at.repository_id, at.id) == ("my-repo", ref)


@pytest.mark.parametrize("name", ["-repo/main/a", "Repo/main/a", "repo/my-ref$$$/a", "a/main/x", f"{'a' * 64}/main/x"])
def test_names_that_cannot_be(name: str) -> None:
    # lakefs-spec raises a ValueError. To fsspec's callers such a file does not exist.
    fs = LakeFSFileSystem("mem://names")
    assert not fs.exists(name)
    with pytest.raises(FileNotFoundError):
        fs.cat_file(name)


def test_instances_are_kept_by_their_options() -> None:
    options: dict[str, Any] = {"host": "http://127.0.0.1:1", "username": "key", "password": "secret"}
    first = LakeFSFileSystem(**options)
    assert LakeFSFileSystem(*options.values()) is first
    other = LakeFSFileSystem(**{**options, "host": "http://127.0.0.1:2"})
    assert (other is first, other._fs_token == first._fs_token) == (False, False)


def test_where_the_options_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".lakectl.yaml").write_text(
        "credentials: {access_key_id: hello, secret_access_key: world}\nserver: {endpoint_url: 'http://127.0.0.1:1'}\n"
    )
    (tmp_path / ".lakectl.yaml").chmod(0o600)
    assert LakeFSFileSystem().client.endpoint.startswith("http://127.0.0.1:1")
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "user")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "password")
    assert LakeFSFileSystem().client.endpoint.startswith("http://127.0.0.1:2")
    given = LakeFSFileSystem(host="http://127.0.0.1:3", username="user", password="password")
    assert given.client.endpoint.startswith("http://127.0.0.1:3")


def test_request_config() -> None:
    options: dict[str, Any] = {"host": "http://127.0.0.1:1", "username": "key", "password": "secret"}
    fs = LakeFSFileSystem(**options, request_config={"request_timeout": 2})
    assert fs is LakeFSFileSystem(**options, timeout=2)


def test_implicit_branches(fs: LakeFSFileSystem, lake: Lake, repository: lakefs_hl.Repository) -> None:
    creates = LakeFSFileSystem(**lake.options, create_branch_ok=True, skip_instance_cache=True)
    creates.pipe(f"{repository.id}/created/a", b"1")
    assert repository.branch("created").download("README.md") == FILES["README.md"]
    with pytest.raises(FileNotFoundError):
        fs.pipe(f"{repository.id}/misspelled/a", b"1")
    assert [branch.id for branch in repository.branches()] == ["created", "main"]


# -- other libraries ---------------------------------------------------------------------------------------------------


def test_pandas(fs: LakeFSFileSystem, lake: Lake, top: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_csv(f"lakefs://{top}/lakes.csv", storage_options=lake.options)
    frame.to_csv(f"lakefs://{top}/new.csv", storage_options=lake.options, index=False)
    assert fs.cat_file(f"{top}/new.csv") == FILES["lakes.csv"]


def test_polars(lake: Lake, top: str) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    fs = LakeFSFileSystem(**lake.options)
    with fs.open(f"{top}/lakes.csv") as file:
        assert polars.read_csv(file).height == 100


def test_duckdb(fs: LakeFSFileSystem, top: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        found = connection.sql(f"SELECT count(*), max(depth) FROM read_csv('lakefs://{top}/*.csv')").fetchall()
    assert found == [(100, 1642)]


# -- transactions ------------------------------------------------------------------------------------------------------


def messages(branch: lakefs_hl.Branch, amount: int = 2) -> list[str]:
    return [commit.message for commit in branch.log(max_amount=amount)]


def test_a_transaction_that_commits(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with fs.transaction(repository, branch) as tx:
        assert (tx.repository, tx.base_branch.id) == (repository.id, branch.id)
        fs.put_file(str(tmp_path / "a"), f"{repository.id}/{tx.branch.id}/a")
        commit = tx.commit(message="Add file", metadata={"k": "v"})
        assert not branch.exists("a")
    merge, added = branch.log(max_amount=2)
    assert (added.message, added.id) == ("Add file", commit.id)
    assert added.metadata()["k"] == "v"
    assert merge.message.startswith(f"Merge '{tx.branch.id}'")
    assert branch.download("a") == b"1"
    assert not tx.branch.exists()


def test_a_transaction_without_changes(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    for _ in range(2):
        with fs.transaction(repository, branch) as tx:
            fs.pipe(f"{repository.id}/{tx.branch.id}/a", b"1")
            tx.commit(message="Add a")
        assert messages(branch, 3)[1:] == ["Add a", "sample data"]


def test_a_transaction_that_tags(fs: LakeFSFileSystem, repository: lakefs_hl.Repository) -> None:
    with fs.transaction(repository.id) as tx:
        commit = tx.rev_parse("main")
        tag = tx.tag(commit, "v2")
        assert tx.rev_parse(tag).id == tx.rev_parse(commit).id == commit.id
        assert tx.rev_parse(commit.id[:16]).id == commit.id
    assert [(found.id, found.get_commit().id) for found in repository.tags()] == [(tag.id, commit.id)]


def test_a_transaction_that_merges(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    base = repository.branch("base").create("main")
    with fs.transaction(repository, base) as tx:
        name = tx.branch.id
        fs.pipe(f"{repository.id}/{name}/a", b"1")
        tx.commit(message="Add a")
        merged = tx.merge(tx.branch, into=branch)
        assert tx.merge(tx.branch, into="work") == merged  # nothing is left to merge
    assert messages(branch) == [f"Merge '{name}' into 'work'", "Add a"]
    assert branch.head().id == merged.id


def test_a_transaction_that_reverts(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    branch.upload(b"1", "bad")
    branch.commit_changes("a mistake")
    with fs.transaction(repository, branch, automerge=True) as tx:
        fs.pipe(f"{repository.id}/{tx.branch.id}/a", b"1")
        tx.commit(message="Add a")
        reverted = tx.revert(branch, branch.head())
    assert reverted.message.startswith("Revert")
    assert messages(branch, 1)[0].startswith("Merge")
    assert (branch.exists("a"), branch.exists("bad")) == (True, False)


def test_a_transaction_that_removes(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch, top: str
) -> None:
    with fs.transaction(repository, branch, automerge=True) as tx:
        fs.rm(f"{repository.id}/{tx.branch.id}/README.md")
        tx.commit(message="Remove it")
    assert not fs.exists(f"{top}/README.md")
    assert messages(branch)[1] == "Remove it"


@pytest.mark.parametrize(("delete", "kept"), [("onsuccess", True), ("always", False), ("never", True)])
def test_a_transaction_that_fails(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch, delete: Any, kept: bool
) -> None:
    head = branch.head()
    with pytest.raises(RuntimeError), fs.transaction(repository, branch, delete=delete) as tx:
        fs.pipe(f"{repository.id}/{tx.branch.id}/a", b"1")
        tx.commit(message="Add a")
        raise RuntimeError
    assert branch.head() == head
    assert tx.branch.exists() is kept


def test_a_transaction_that_is_kept(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    head = branch.head()
    with fs.transaction(repository, branch, branch_name="mine", automerge=False, delete="never") as tx:
        fs.pipe(f"{repository.id}/mine/a", b"1")
        tx.commit("Add a")
    assert tx.branch.id == "mine"
    assert branch.head() == head
    assert "mine" in [found.id for found in repository.branches()]
    with fs.transaction(repository, branch, merge_kwargs={"message": "squashed", "squash_merge": True}) as tx:
        fs.pipe(f"{repository.id}/{tx.branch.id}/b", b"1")
        tx.commit("Add b")
    assert messages(branch) == ["squashed", "sample data"]


def test_a_transaction_on_no_repository(fs: LakeFSFileSystem) -> None:
    for name in ("REEEE", "missing-repository"):
        with pytest.raises(ValueError, match=r"repository .* does not exist"), fs.transaction(repository=name):
            pass


@pytest.mark.parametrize(
    ("delete", "words"), [("onsuccess", "uncommitted.*lost"), ("never", r"uncommitted changes\.$")]
)
def test_uncommitted_changes_give_a_warning(
    fs: LakeFSFileSystem, repository: lakefs_hl.Repository, branch: lakefs_hl.Branch, delete: Any, words: str
) -> None:
    with pytest.warns(UserWarning, match=words) as caught, fs.transaction(repository, branch, delete=delete) as tx:
        fs.pipe(f"{repository.id}/{tx.branch.id}/a", b"1")
    assert caught[0].filename == __file__
    assert not branch.exists("a")
