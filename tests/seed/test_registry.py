"""Seed 001 as its user types it: a registry of datasets, its reviews and its search, awaited as in the seed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions


def run(story: Callable[[aio.Client], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with aio.Client("mem://", committer="ada") as client:
            await story(client)

    asyncio.run(whole())


async def fill(client: aio.Client, *names: str) -> None:
    for number, name in enumerate(names):
        await aio.dataset(f"set-{number}", client=client).mint({"dataset_info": {"name": name}})


def test_a_session_with_one_dataset(tmp_path: Path) -> None:
    """`InteractiveDataset`: no call names the dataset again."""
    (tmp_path / "source" / "nested").mkdir(parents=True)
    (tmp_path / "source" / "nested" / "a.csv").write_text("1,2")

    async def story(client: aio.Client) -> None:
        ds = aio.dataset("reef", client=client)
        minted = await ds.mint({"dataset_info": {"name": "Reef survey"}, "approvals": {}, "associations": {}})
        assert minted == await ds.fetch() == await aio.dataset("lakefs://reef", client=client).info()
        await ds.upload_all(tmp_path / "source")
        for path, expected in (("nested/a.csv", "a.csv"), ("nested", "nested/a.csv"), ("nested/", "a.csv")):
            target = tmp_path / path.replace("/", "-")
            await ds.download(path, target)
            assert [found.relative_to(target).as_posix() for found in target.rglob("*.csv")] == [expected]
        await ds.download_all(tmp_path / "all")
        assert (tmp_path / "all" / "nested" / "a.csv").read_text() == "1,2"
        version = await ds.version("first release")
        assert (version.name, version.reason, version.job_session_id) == ("v1", "first release", None)
        await ds.update_metadata("no units", {"dataset_info": {"name": "Reef"}})
        reverted = await ds.revert_metadata(1, "units were right")
        assert (reverted.reason, (await ds.info()).name) == ("units were right", "Reef survey")

    run(story)


def test_validation_publishes_nothing() -> None:
    async def story(client: aio.Client) -> None:
        ds = aio.dataset("reef", client=client)
        assert await ds.validate_metadata({"name": "Reef"}) == []
        assert [problem.path for problem in await ds.validate_metadata({"area": float("inf")})] == ["$.area"]
        assert await aio.datasets(all=True, client=client).to_list() == []

    run(story)


def test_for_all_datasets_with_a_total_limit() -> None:
    async def story(client: aio.Client) -> None:
        await fill(client, "c", "a", "b")
        assert [item.name async for item in aio.datasets(2, client=client)] == ["a", "b"]
        assert [item.name async for item in aio.datasets(None, sort="created", client=client)] == ["c", "a", "b"]

    run(story)


def test_a_page_of_datasets() -> None:
    async def story(client: aio.Client) -> None:
        await fill(client, "c", "a", "b")
        page = await aio.datasets(2, client=client).page()
        assert ([item.name for item in page.items], page.total_item_count, page.total_item_counts) == (["a", "b"], 3, 3)
        rest = await aio.datasets(2, offset=page.next_offset, client=client).page()
        assert ([item.name for item in rest.items], rest.next_offset) == (["c"], None)

    run(story)


def test_all_datasets_as_a_list() -> None:
    async def story(client: aio.Client) -> None:
        await fill(client, "c", "a", "B")
        assert [item.name for item in await aio.datasets(client=client).to_list()] == ["a", "B", "c"]
        latest = await aio.datasets(sort="updated", reverse=True, client=client).to_list()
        assert sorted(item.name for item in latest) == ["B", "a", "c"]

    run(story)


def test_reviews() -> None:
    async def story(client: aio.Client) -> None:
        ds = aio.dataset("reef", client=client)
        await ds.mint({"name": "Reef survey"})
        await ds.add_reviewer("ada")
        with pytest.raises(exceptions.NotFoundException, match=r"add_reviewer\('grace'\)"):
            await ds.request_approval("grace")
        request = await ds.request_approval("ada", "please")
        decision = await ds.act_on_approval(request.id, True, "fine")
        assert (decision.approved, decision.notes, decision.dataset.name) == (True, "fine", "Reef survey")
        await ds.remove_reviewer("ada")
        assert await ds.reviewers() == []
        with pytest.raises(exceptions.NotFoundException, match="no reviewer has this ID"):
            await ds.remove_reviewer("ada")

    run(story)


def test_search() -> None:
    async def story(client: aio.Client) -> None:
        # unlike any part of a time: the metadata has the time of its minting, which is searched too
        await fill(client, *(f"Reef {number}m" for number in range(30)))
        found = await aio.search("reef", kinds=("metadata",), client=client)
        assert len(found) == 25
        assert (list(found.auth_errors), list(found.errors)) == ([], [])
        assert len(await aio.search("reef", 20, kinds=("metadata",), client=client)) == 20
        (hit,) = await aio.search("reef 17m", kinds=("metadata",), client=client)
        assert (await aio.dataset(hit.repository, client=client).info()).name == "Reef 17m"

    run(story)


def test_health() -> None:
    async def story(client: aio.Client) -> None:
        health = await aio.health_check(client)
        assert (health.ok, health.authenticated, health.user) == (True, True, "ada")

    run(story)


def test_links_and_credentials_are_refused_where_nothing_limits_them() -> None:
    async def story(client: aio.Client) -> None:
        ds = aio.dataset("reef", client=client)
        await ds.mint({"name": "Reef survey"})
        calls: list[Callable[[], Awaitable[Any]]] = [
            ds.read_credentials,
            ds.write_credentials,
            lambda: ds.read_credentials(console_session_required=True),
            ds.console_url,
            lambda: ds.presign("_dataset.json"),
        ]
        for call in calls:
            with pytest.raises(exceptions.UnsupportedOperationException):
                await call()

    run(story)


def test_the_blocking_calls_are_the_same() -> None:
    with lakefs_hl.Client("mem://", committer="ada") as client:
        ds = lakefs_hl.dataset("reef", client=client)
        ds.mint({"name": "Reef survey"})
        ds.add_reviewer("ada")
        assert ds.act_on_approval(ds.request_approval("ada"), False, "no units").approved is False
        assert [info.name for info in lakefs_hl.datasets(client=client)] == ["Reef survey"]
