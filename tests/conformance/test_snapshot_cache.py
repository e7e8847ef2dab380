"""Snapshots on disk: one directory for one version, complete, verified, read-only, and downloaded once."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World, bare, kinds


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache directory of the user."""
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    branch = repo.branch("main")
    branch.upload_many([("raw/a", b"a"), ("raw/deep/b", b"bb"), ("other", b"ccc"), ("raw/empty", b"")])
    branch.commit_changes("one")
    return branch


@pytest.fixture
def sent(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """The operations of the requests since the last call."""
    with caplog.at_level(logging.DEBUG, "lakefs_hl"):

        def operations() -> list[str]:
            rows = [record.args for record in caplog.records if record.msg.startswith("%s %s %s: %d")]
            caplog.clear()
            return [str(row[0]) for row in rows if isinstance(row, tuple)]

        yield operations


def content(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


RAW = {"a": b"a", "deep/b": b"bb", "empty": b""}


def test_it_has_the_objects_of_the_commit_and_is_read_only(main: Any, cache: Path) -> None:
    main.upload(b"staged", "raw/a")
    main.upload(b"staged", "raw/new")
    path = main.snapshot_download("raw")
    assert type(path) is type(Path())
    assert content(path) == RAW
    assert cache in path.parents
    for found in (path, *path.rglob("*")):
        assert stat.S_IMODE(found.stat().st_mode) == (0o555 if found.is_dir() else 0o444)
        assert found.stat().st_nlink == 1 or found.is_dir()
    assert stat.S_IMODE((cache / "snapshots").stat().st_mode) == 0o700
    assert (path / "a").stat().st_mtime == main.get_commit().stat_object("raw/a").modified_time.timestamp()


def test_the_same_version_has_the_same_directory_and_is_downloaded_once(
    repo: Any, main: Any, sent: Callable[[], list[str]]
) -> None:
    tag = repo.tag("v1").create("main")
    commit_id = main.get_commit().id
    sent()
    path = main.snapshot_download("raw/")
    assert {"getCommit", "listObjects"} <= set(sent())
    assert main.snapshot_download("raw") == path
    assert sent() == ["getCommit"]
    assert tag.snapshot_download("raw") == path
    assert sent() == ["getCommit"]
    assert repo.commit(commit_id).snapshot_download("raw") == path
    assert main.log().__iter__().__next__().snapshot_download("raw") == path
    assert [name for name in sent() if name != "logCommits"] == []
    assert repo.ref("main~0").snapshot_download("raw") == path
    assert main.snapshot_download("raw", include="*", exclude=[]) != path  # it need not have the same files


def test_another_version_is_another_directory_and_the_old_one_stays(main: Any) -> None:
    first = main.snapshot_download()
    main.upload(b"changed", "raw/a")
    main.delete_objects("other")
    main.commit_changes("two")
    second = main.snapshot_download()
    assert content(first) == {"raw/a": b"a", "raw/deep/b": b"bb", "other": b"ccc", "raw/empty": b""}
    assert content(second) == {"raw/a": b"changed", "raw/deep/b": b"bb", "raw/empty": b""}


def test_equal_content_is_copied_from_other_snapshots(main: Any, world: World, sent: Callable[[], list[str]]) -> None:
    large = os.urandom(1 << 20)  # small objects of an embedded lake are not worth it
    main.upload(large, "raw/large")
    main.commit_changes("two")
    main.snapshot_download("raw", include="large")
    main.upload(b"new", "raw/new")
    main.commit_changes("three")
    other = world.fresh().branch("main")
    other.upload(large, "elsewhere")
    other.commit_changes("one")
    sent()
    assert content(main.snapshot_download("raw", include=["large", "new"])) == {"large": large, "new": b"new"}
    assert [name for name in sent() if name == "getObject"] in ([], ["getObject"])  # or in a group of small ones
    path = other.snapshot_download()
    assert content(path) == {"elsewhere": large}
    assert "getObject" not in sent()
    assert (path / "elsewhere").stat().st_mtime == other.stat_object("elsewhere").modified_time.timestamp()


@pytest.mark.parametrize("how", ["content", "size", "removed", "extra", "link", "directory", "file"])
def test_what_was_changed_is_downloaded_again(how: str, main: Any, tmp_path: Path) -> None:
    path = main.snapshot_download("raw")
    victim = path / "deep" / "b"
    for directory in (path, victim.parent):
        directory.chmod(0o755)
    victim.chmod(0o644)
    times = victim.stat()
    if how == "content":
        victim.write_bytes(b"XX")
    elif how == "size":
        victim.write_bytes(b"longer")
        os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif how == "extra":
        (path / "deep" / "more").write_bytes(b"1")
    elif how == "file":
        shutil.rmtree(victim.parent)
        victim.parent.write_bytes(b"1")
    else:
        victim.unlink()
        if how == "link":
            (tmp_path / "target").write_bytes(b"bb")
            victim.symlink_to(tmp_path / "target")
        elif how == "directory":
            victim.mkdir()
            (victim / "more").write_bytes(b"1")
    with pytest.raises(exceptions.NotCachedException, match="removed, changed, or never downloaded"):
        main.snapshot_download("raw", local_files_only=True)
    assert main.snapshot_download("raw") == path
    assert content(path) == RAW
    assert not victim.is_symlink()
    assert stat.S_IMODE(victim.stat().st_mode) == 0o444


def test_hidden_damage_is_found_by_reading(main: Any, world: World) -> None:
    large = os.urandom(1 << 20)
    main.upload(large, "raw/large")
    parent = main.commit_changes("two")
    path = main.snapshot_download("raw")
    victim = path / "large"

    def damage(first: bytes) -> None:
        times = victim.stat()
        victim.chmod(0o644)
        victim.write_bytes(first + large[1:])
        os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))

    wrong = bytes([large[0] ^ 1])
    damage(wrong)
    assert main.snapshot_download("raw") == path  # as far as sizes and times tell
    main.upload(large, "copy")
    main.commit_changes("three")
    # a copy is verified, so that damage does not spread; and what it was copied from is downloaded again
    assert content(main.snapshot_download())["copy"] == large
    assert content(parent.snapshot_download("raw"))["large"] == large
    damage(wrong)
    assert content(parent.snapshot_download("raw", verify=True))["large"] == large
    damage(wrong)
    found = world.settle(world.module.snapshot_cache())
    assert found.verify() == [victim]
    assert content(parent.snapshot_download("raw")) == {**RAW, "large": large}
    assert found.verify() == []


def test_patterns_choose(main: Any) -> None:
    assert content(main.snapshot_download(include=["a", "other"])) == {"raw/a": b"a", "other": b"ccc"}
    assert content(main.snapshot_download("raw", exclude="deep/")) == {"a": b"a", "empty": b""}
    path = main.snapshot_download("raw", include="*.csv")
    assert content(path) == {}
    assert main.snapshot_download("raw", include=("*.csv",)) == path


def test_a_prefix_without_objects_and_references_that_do_not_exist(repo: Any, main: Any, cache: Path) -> None:
    with pytest.raises(exceptions.ObjectNotFoundException, match="no object has the path 'nothing/'"):
        main.snapshot_download("nothing")
    for missing in (repo.branch("missing"), repo.tag("missing"), repo.commit("0" * 64)):
        with pytest.raises(exceptions.NotFoundException):
            missing.snapshot_download()
    assert list((cache / "snapshots").glob("*/*")) == []


def test_hostile_paths_are_refused_or_encoded_and_nothing_else_is_written(
    main: Any, tmp_path: Path, cache: Path
) -> None:
    main.upload_many([("../../escape", b"1"), ("a//b", b"2"), ("fine", b"3"), ("x%41", b"4")])
    main.commit_changes("two")
    cache.mkdir()
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents}
    with pytest.raises(exceptions.PartialFailureError, match="escape"):
        main.snapshot_download(include=["escape", "fine", "b"])
    path = main.snapshot_download(on_invalid="encode")
    found = content(path)
    assert found["fine"] == b"3"
    assert found["%2E%2E/%2E%2E/escape"] == b"1"
    assert found["x%2541"] == b"4"
    main.upload(b"5", "more")
    main.commit_changes("three")
    assert content(main.snapshot_download(on_invalid="encode")) == {**found, "more": b"5"}
    assert set(content(main.snapshot_download(on_invalid="skip"))) == {
        *("fine", "x%41", "more", "other", "raw/a", "raw/deep/b", "raw/empty")
    }
    assert {path for path in tmp_path.rglob("*") if cache not in path.parents} == before


def test_from_the_cache_only(repo: Any, main: Any, sent: Callable[[], list[str]]) -> None:
    commit = main.get_commit()
    sent()
    with pytest.raises(exceptions.NotCachedException, match=r"lakefs://.*/main/raw/ is not in the cache .* once while"):
        main.snapshot_download("raw", local_files_only=True)
    with pytest.raises(LookupError):
        commit.snapshot_download("raw", local_files_only=True)
    assert sent() == []
    path = main.snapshot_download("raw")
    main.upload(b"later", "raw/later")
    main.commit_changes("two")
    sent()
    assert main.snapshot_download("raw", local_files_only=True) == path  # as it was
    assert commit.snapshot_download("raw", local_files_only=True) == path
    with pytest.raises(exceptions.NotCachedException):
        main.snapshot_download("", local_files_only=True)
    with pytest.raises(exceptions.NotCachedException):
        repo.tag("v1").snapshot_download("raw", local_files_only=True)
    assert sent() == []


def test_a_directory_of_its_own(main: Any, world: World, tmp_path: Path, cache: Path) -> None:
    path = main.snapshot_download(cache_dir=tmp_path / "mine")
    assert tmp_path / "mine" / "snapshots" in path.parents
    assert main.snapshot_download() != path
    found = world.settle(world.module.snapshot_cache(str(tmp_path / "mine")))
    [entry] = found.entries()
    assert (entry.path, entry.files, entry.size_bytes, entry.is_complete) == (path, 4, 6, True)
    assert entry.to_dict() == {**entry._asdict(), "path": str(path)}  # times stay times, as in other records
    assert entry.uri == f"lakefs://{main.repository_id}/{main.get_commit().id}/"
    assert entry.endpoint == bare(main)._client.endpoint
    found.remove(path)
    assert not path.exists()
    with pytest.raises(exceptions.NotCachedException, match="is no snapshot of the cache"):
        found.remove(path)
    again = main.snapshot_download(cache_dir=tmp_path / "mine")
    assert (again, len(content(again))) == (path, 4)
    assert found.clear() == []
    assert found.entries() == []
    assert not list((tmp_path / "mine" / "snapshots").glob("[a-z]*/*"))


def test_a_repository_that_is_made_again_has_snapshots_of_its_own(world: World) -> None:
    repo = world.fresh()
    branch = repo.branch("main")
    branch.upload(b"old", "a")
    branch.commit_changes("one")
    old = branch.snapshot_download()
    repo.delete(force=True)
    repo.create(f"{world.place(repo) or f'local://{repo.id}'}-again")  # a namespace cannot be used twice
    branch.upload(b"new", "a")
    branch.commit_changes("one")
    new = branch.snapshot_download()
    assert (content(old), content(new)) == ({"a": b"old"}, {"a": b"new"})


def test_scopes_are_not_mixed_up(world: World, main: Any) -> None:
    scoped = bare(main)._client.scoped(main.repository_id[:10])
    with pytest.raises(exceptions.NotFoundException):
        world.settle(world.module.repository(main.repository_id, client=scoped)).branch("main").snapshot_download()
