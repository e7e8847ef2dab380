"""Behaviour in which we differ from the seed, one test per row of the page `docs/explanation/seed.md`.

Rows that name a test elsewhere need none here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl.exceptions import ImportFailedException, TransactionException, TransactionStartError


def test_keys_of_object_metadata_are_lower_case(lake_branch: lakefs_hl.Branch) -> None:
    with pytest.warns(UserWarning, match="'Unit' is stored in lower case"):
        info = lake_branch.upload(b"", "a", metadata={"Unit": "kg"})
    assert info.metadata == {"unit": "kg"}


def test_an_object_made_by_hand_is_loaded_first_in_async_code() -> None:
    async def size() -> int:
        async with lakefs_hl.aio.Client("mem://") as client:
            branch = (await lakefs_hl.aio.repository("example", client=client).create()).branch("main")
            await branch.upload(b"12", "a")
            info = lakefs_hl.aio.ObjectInfo("example", "main", "a", client)
            with pytest.raises(RuntimeError, match="load"):
                _ = info.size_bytes
            return (await info.load()).size_bytes

    assert asyncio.run(size()) == 2


def test_an_embedded_lake_does_not_import_from_an_object_store(lake_branch: lakefs_hl.Branch) -> None:
    manager = lake_branch.import_from("s3://bucket/path", destination="some/path/", commit_message="imported stuff!")
    with pytest.raises(ImportFailedException, match="s3://bucket/path/"):
        manager.run()
    assert [commit.message for commit in lake_branch.log()] == ["Repository created"]


def test_listings_are_iterators(lake_branch: lakefs_hl.Branch) -> None:
    listing = lake_branch.list_objects()
    assert isinstance(listing, Iterator)
    assert not isinstance(listing, Generator)


def test_a_failed_transaction_that_wrote_nothing_leaves_no_branch(lake_repo: lakefs_hl.Repository) -> None:
    with pytest.raises(TransactionException), lake_repo.branch("main").transaction("nothing"):
        raise ValueError
    assert [branch.id for branch in lake_repo.list_branches(hidden=True)] == ["main"]


def test_a_transaction_that_changed_nothing_makes_no_commit(lake_branch: lakefs_hl.Branch) -> None:
    with lake_branch.transaction("nothing"):
        pass
    assert [commit.message for commit in lake_branch.log()] == ["Repository created"]


def test_a_transaction_does_not_start_with_uncommitted_changes(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload(b"", "a")
    with pytest.raises(TransactionStartError, match="uncommitted changes"), lake_branch.transaction("late"):
        pass


def test_an_import_replaces_what_is_below_its_destination(
    lake_branch: lakefs_hl.Branch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("source")
    (directory / "new").write_bytes(b"")
    lake_branch.upload(b"", "some/path/old")
    lake_branch.commit_changes("before")
    lake_branch.import_from(f"local://{directory}/", "some/path/").run()
    assert [entry.path for entry in lake_branch.list_objects(recursive=True)] == ["some/path/new"]
