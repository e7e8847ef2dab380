"""Awaitable repositories, tags, imports and server."""

from __future__ import annotations

import asyncio
import pickle
import secrets
from datetime import timedelta
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from tests.worlds import namespace


def test_repositories(client: lakefs_hl.Client, kind: str) -> None:
    async def main() -> None:
        asked = of(client)
        repo = aio.repository(f"t-{secrets.token_hex(8)}", client=asked)
        assert await repo.exists() is False
        assert (await repo.get_or_create(namespace(kind, repo.id))) is repo
        assert await (await repo.get_or_create()).exists()
        with pytest.warns(UserWarning, match="exists with the storage namespace") as caught:
            await repo.get_or_create("local://other")
        assert caught[0].filename == __file__
        assert (await repo.properties).id == repo.id
        await repo.set_metadata({"k": "v"})
        assert await repo.metadata() == {"k": "v"}
        await repo.delete_metadata("k")
        assert [found.id async for found in aio.repositories(repo.id, client=asked)] == [repo.id]
        assert [found.id async for found in repo.list_branches()] == ["main"]
        await repo.branch("main").upload("x", "a")
        with pytest.raises(exceptions.RepositoryNotEmptyError):
            await repo.delete()
        await repo.delete(force=True)

    asyncio.run(main())


def test_tags(repo: aio.Repository) -> None:
    async def main() -> None:
        tag = await repo.tag("v1").create("main")
        assert await tag.commit_message() == "Repository created"
        assert [found.id async for found in repo.list_tags()] == ["v1"]
        await tag.delete()
        assert [found async for found in repo.list_tags()] == []

    asyncio.run(main())


def test_a_server(client: lakefs_hl.Client) -> None:
    async def main() -> None:
        server = aio.ServerConfiguration(of(client))
        assert await server.version()
        assert await server.storage_config().blockstore_type() in ("local", "s3", "gs", "azure", "mem")
        assert isinstance(await server.storage_config().pre_sign_support(), bool)
        assert isinstance(await server.storage_config().import_support(), bool)

    asyncio.run(main())


def test_an_import(lake_branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")

    async def main() -> None:
        branch = aio.Branch(lake_branch.repository_id, "main", of(lake_branch._client))
        manager = branch.import_from(f"local://{tmp_path}/", "d/", "m")
        with pytest.raises(RuntimeError, match="not started"):
            await manager.wait()
        result = await manager.run(timedelta(seconds=0.05))
        assert (result.commit.message, result.ingested_objects) == ("m", 1)
        assert await branch.download("d/a.csv") == b"1"

    asyncio.run(main())


def test_b6_65_handles_travel(repo: aio.Repository) -> None:
    for handle in (repo, repo.branch("main"), repo.tag("v1"), repo.ref("main~1")):
        again = pickle.loads(pickle.dumps(handle))
        assert (again, type(again), hash(again)) == (handle, type(handle), hash(handle))
    assert repo.branch("main") != lakefs_hl.Branch(repo.id, "main")


def test_the_words_are_those_of_the_blocking_twin() -> None:
    for name in aio.__all__:
        kind = getattr(aio, name)
        if isinstance(kind, type) and kind.__module__.startswith("lakefs_hl.aio"):
            for member, value in vars(kind).items():
                words = getattr(getattr(getattr(lakefs_hl, name), member, None), "__doc__", None)
                if not member.startswith("_") and words:
                    assert value.__doc__, f"{name}.{member}"
