"""Imports: what they register, what they refuse, and what an import that was tried can do next (B8.84, B6.66)."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.types import ErrorKind

SOON = timedelta(seconds=0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("a.csv", "b.csv", "deep/er/c.csv", "ü b.csv"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


def names(reference: lakefs_hl.Reference) -> list[str]:
    return [item.path for item in reference.list_objects(recursive=True)]


@pytest.mark.parametrize("scheme", ["local://", "file://"])
def test_a_folder_is_registered_and_committed(lake_branch: lakefs_hl.Branch, folder: Path, scheme: str) -> None:
    manager = lake_branch.import_from(f"{scheme}{folder}/", "d/", "sync")
    result = manager.run(SOON)
    assert manager.result() == result
    assert isinstance(result.commit, lakefs_hl.Commit)
    assert (result.commit.message, result.ingested_objects) == ("sync", 4)
    assert names(lake_branch) == ["d/a.csv", "d/b.csv", "d/deep/er/c.csv", "d/ü b.csv"]
    assert lake_branch.download("d/deep/er/c.csv") == b"deep/er/c.csv"
    assert lake_branch.head().id == result.commit.id


def test_reading_what_changed_since_is_an_error(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    lake_branch.import_from(f"local://{folder}/", "d/").run(SOON)
    (folder / "a.csv").write_text("something longer")
    with pytest.raises(exceptions.LakeFSException, match=r"a\.csv"):
        lake_branch.download("d/a.csv")
    os.utime(folder / "b.csv", (1, 1))
    with pytest.raises(exceptions.LakeFSException, match=r"b\.csv"):
        lake_branch.open("d/b.csv")


def test_a_prefix_ends_with_a_slash_and_replaces_only_itself(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    for path in ("some/pathological", "some/path/old"):
        lake_branch.upload("x", path)
    lake_branch.commit_changes("before")
    lake_branch.import_from(f"local://{folder}/", "some/path", "m").run(SOON)
    assert "some/pathological" in names(lake_branch)
    assert "some/path/old" not in names(lake_branch)
    assert "some/path/a.csv" in names(lake_branch)


def test_several_sources_one_commit(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    before = lake_branch.head()
    manager = lakefs_hl.ImportManager(
        lake_branch.repository_id,
        "main",
        lake_branch._client,
        sources=[(f"local://{folder}/deep/", "one/")],
        commit_message="both",
        metadata={"k": "v"},
    )
    result = manager.add(f"local://{folder}/a.csv", "two.csv").run(SOON)
    assert names(lake_branch) == ["one/er/c.csv", "two.csv"]
    assert result.commit.parents == [before.id]
    assert result.commit.metadata()["k"] == "v"


def test_b8_84_start_wait_status_and_once_more(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    manager = lake_branch.import_from(f"local://{folder}/", "d/", "m")
    started = manager.start()
    assert manager.import_id == started
    with pytest.raises(RuntimeError, match=f"is already running as {started}"):
        manager.start()
    assert manager.status().error is None
    assert manager.wait(SOON).ingested_objects == 4
    assert manager.wait(SOON) == manager.result()  # a second call answers again
    (folder / "new.csv").write_text("new")
    assert manager.run(SOON).ingested_objects == 5


def test_b8_84_after_a_failure_it_can_be_started_again(lake_branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    later = tmp_path / "later"
    manager = lake_branch.import_from(f"local://{later}/", "d/", "m")
    with pytest.raises(exceptions.ImportFailedException, match="later") as failed:
        manager.run(SOON)
    assert isinstance(failed.value, RuntimeError)
    assert failed.value.kind is ErrorKind.IMPORT_FAILED
    assert failed.value.server_message.startswith("import error: ")
    assert manager.import_id is None
    with pytest.raises(exceptions.ImportFailedException, match="later") as again:
        manager.wait(SOON)  # a second call answers again
    assert again.value is not failed.value
    later.mkdir()
    (later / "a").write_text("x")
    assert manager.run(SOON).ingested_objects == 1


def test_a_dirty_branch_is_told_before_the_start(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    lake_branch.upload("x", "staged")
    manager = lake_branch.import_from(f"local://{folder}/", "d/", "m")
    with pytest.raises(
        exceptions.BadRequestException, match=r"'staged' is one.*: commit or reset them first"
    ) as caught:
        manager.run(SOON)
    assert caught.value.kind is ErrorKind.DIRTY_BRANCH
    assert manager.import_id is None
    lake_branch.reset()
    assert manager.run(SOON).ingested_objects == 4


def test_an_imported_file_that_went_away_says_so(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    lake_branch.import_from(f"local://{folder}/", "d/").run(SOON)
    (folder / "a.csv").unlink()
    with pytest.raises(
        exceptions.ServerException, match=r"the imported file .*a\.csv cannot be read any more"
    ) as caught:
        lake_branch.download("d/a.csv")
    assert caught.value.kind is ErrorKind.GONE


def test_b6_66_waiting_works_in_a_running_loop(lake_branch: lakefs_hl.Branch, folder: Path) -> None:
    async def notebook() -> lakefs_hl.ImportResult:
        return lake_branch.import_from(f"local://{folder}/", "d/", "m").run(SOON)

    assert asyncio.run(notebook()).ingested_objects == 4


def test_arguments_are_checked() -> None:
    manager = lakefs_hl.ImportManager("r", "main")
    with pytest.raises(ValueError, match=r"give sources=\[\(uri, destination\)\], or add"):
        manager.start()
    for call in (manager.wait, manager.status, manager.cancel):
        with pytest.raises(RuntimeError, match=r"call start\(\) first, or run\(\)"):
            call()


@pytest.mark.parametrize("module", [lakefs_hl, aio])
def test_a_bad_pause_starts_no_import(lake_branch: lakefs_hl.Branch, folder: Path, module: Any) -> None:
    client = lake_branch._client if module is lakefs_hl else of(lake_branch._client)
    sources = [(f"local://{folder}/", "d/")]
    manager = module.ImportManager("example", "main", client, sources=sources)

    async def run() -> None:
        await manager.run("1")

    with pytest.raises(TypeError, match="poll_interval must be a timedelta or a number of seconds, not str: '1'"):
        manager.run("1") if module is lakefs_hl else asyncio.run(run())
    assert manager.import_id is None
    assert list(lake_branch.list_objects()) == []


def test_sources_are_pairs(lake_branch: lakefs_hl.Branch) -> None:
    """A string of two characters is no pair of them."""
    one = lakefs_hl.ImportManager("example", "main", sources=("local:///a/", "d/"))  # type: ignore[arg-type]
    assert "sources=1" in repr(one)
    for wrong in ("ab", ["ab"], [("a", "b", "c")], 5):
        with pytest.raises(TypeError, match="sources must be pairs"):
            lakefs_hl.ImportManager("example", "main", sources=wrong)  # type: ignore[arg-type]


def test_another_store_is_refused_with_its_name(lake_branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.LakeFSException, match="s3://bucket/path"):
        lake_branch.import_from("s3://bucket/path/", "d/", "m").run(SOON)
