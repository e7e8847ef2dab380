"""What seed 004 does and no other test shows in its words: large files, uploads under gather, four lines."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

import lakefs_hl as lakefs
from lakefs_hl import aio


@pytest.fixture
def repository() -> lakefs.Repository:
    return lakefs.repository("my-bucket", client=lakefs.Client("mem://")).create()


def test_a_file_of_six_megabytes(repository: lakefs.Repository, tmp_path: Path, rng: random.Random) -> None:
    video = tmp_path / "6mb_video.mp4"
    video.write_bytes(rng.randbytes(6 << 20))
    main = repository.branch("main")
    info = main.upload_file(video, "videos/large.mp4")
    assert (info["size"], info["content_type"]) == (6 << 20, "video/mp4")
    copy = tmp_path / "copy.mp4"
    assert main.download("videos/large.mp4", copy) == 6 << 20
    assert copy.read_bytes() == video.read_bytes()
    assert sum(map(len, main.stream("videos/large.mp4", chunk_size=1 << 20))) == 6 << 20


async def _upload_all(client: aio.Client) -> list[str]:
    branch = (await aio.repository("my-bucket", client=client).create()).branch("main")
    uploads = [
        branch.upload(f"Content for file {number}".encode(), f"data/file_{number}.txt", content_type="text/plain")
        for number in range(5)
    ]
    infos = await asyncio.gather(*uploads)
    return [info["key"] for info in infos]


def test_five_uploads_under_gather() -> None:
    async def run() -> list[str]:
        async with aio.Client("mem://") as client:
            return await _upload_all(client)

    assert asyncio.run(run()) == [f"data/file_{number}.txt" for number in range(5)]


def test_two_uploads_without_a_commit_are_one_version(repository: lakefs.Repository) -> None:
    main = repository.branch("main")
    main.upload(b"v1", "config.json")
    main.upload(b"v2", "config.json")
    main.commit_changes("config")
    (version,) = main.history("config.json")
    assert version.info is not None
    assert version.info.download() == b"v2"


def test_each_upload_with_a_message_is_a_version(repository: lakefs.Repository) -> None:
    main = repository.branch("main")
    for content in (b"v1", b"v2"):
        main.upload(content, "config.json", commit_message=f"config {content.decode()}")
    versions = list(main.history("config.json"))
    assert [version.info and version.info.download() for version in versions] == [b"v2", b"v1"]
    assert [version.commit.message for version in versions] == ["config v2", "config v1"]


def test_a_client_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://four-lines")
    (tmp_path / "file").write_bytes(b"content")
    with lakefs.Client() as client:
        main = lakefs.repository("my-bucket", create=True, client=client).branch("main")
        main.upload_file(tmp_path / "file", "my-key")
        assert main.download("my-key") == b"content"
