"""Objects that were uploaded through lakeFS's S3 gateway in parts: their checksum looks like an MD5, and is none."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.cli import verifying
from tests.s3_server import NoNamespaceServer
from tests.worlds import REAL, Settler, World, kinds, namespace, plainly, storage_hosts

MIB = 1 << 20
#: Content, and the length of the parts in which it is uploaded.
ONE_PART = (b"1,2\n", 8 * MIB)
PARTS = (random.Random(7).randbytes(5 * MIB + 5), 5 * MIB)
GATEWAY = "a gateway"


class Gateway(NoNamespaceServer):
    """A server that has other checksums for some contents, as lakeFS has for those of its S3 gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.checksums: dict[str, str] = {}

    def __call__(self, request: Any) -> Any:
        response = super().__call__(request)
        headers = {name: self._changed(value) for name, value in response.headers.items()}
        body = response.body
        if "json" in headers.get("content-type", ""):
            body = self._changed(self._content(response).decode()).encode()
        return msgspec.structs.replace(response, headers=headers, body=body)

    def _changed(self, text: str) -> str:
        for found, other in self.checksums.items():
            text = text.replace(found, other)
        return text


class Place:
    """A branch, and how content gets there."""

    def __init__(self, world: World, gateway: Gateway | None) -> None:
        self.world, self._gateway = world, gateway
        repo = world.repository(world.name())
        repo.create("local://data/tests" if gateway else namespace(world.kind, repo.id))
        world.made.append(repo)
        self.repo, self.branch = repo, repo.branch("main")

    def put(self, path: str, content: bytes, part: int) -> None:
        """Upload content in parts."""
        if self._gateway is not None:
            self.branch.upload(content, path)
            hashes = [_md5(content[at : at + part]).digest() for at in range(0, len(content), part)]
            self._gateway.checksums[_md5(content).hexdigest()] = _md5(b"".join(hashes)).hexdigest()
            return
        boto3, transfer = pytest.importorskip("boto3"), pytest.importorskip("boto3.s3.transfer")
        given: dict[str, str] = dict(self.repo.s3_credentials().credentials)
        names = {"access_key_id": "aws_access_key_id", "secret_access_key": "aws_secret_access_key"}
        bucket = given.pop("bucket_name")
        client = boto3.client("s3", **{names.get(name, name): value for name, value in given.items()})
        config = transfer.TransferConfig(multipart_threshold=1, multipart_chunksize=part)
        client.upload_fileobj(io.BytesIO(content), bucket, f"main/{path}", Config=config)
        client.close()


def _md5(content: bytes) -> Any:
    return hashlib.md5(content, usedforsecurity=False)


@pytest.fixture(params=[GATEWAY, *(kind for kind in kinds() if kind not in ("in process", "served"))])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["blocking", "awaitable"])
def place(request: pytest.FixtureRequest, kind: str) -> Iterator[Place]:
    gateway = None if kind == REAL else Gateway()
    if gateway is None:
        found = request.getfixturevalue("real_lakefs")
        client = lakefs_hl.Client(*found, allowed_storage_hosts=storage_hosts())
    else:
        client = lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=gateway)
    with client, asyncio.Runner() as runner:
        blocking = request.param == "blocking"
        module, own = (lakefs_hl, client) if blocking else (lakefs_hl.aio, of(client))
        world = World(kind, module, own, plainly if blocking else Settler(runner))
        yield Place(world, gateway)
        world.tidy()


@pytest.mark.parametrize("uploaded", [ONE_PART, PARTS], ids=["one part", "parts"])
def test_every_way_to_read(place: Place, uploaded: tuple[bytes, int], tmp_path: Path) -> None:
    branch, content = place.branch, uploaded[0]
    place.put("data/a", *uploaded)
    assert branch.stat_object("data/a").checksum != _md5(content).hexdigest()
    assert branch.download("data/a") == content
    assert b"".join(bytes(chunk) for chunk in branch.stream("data/a")) == content
    with branch.open("data/a", "rb") as file:
        assert file.read() == content
    copy = io.BytesIO()
    branch.download("data/a", copy)
    assert copy.getvalue() == content
    branch.download_file("data/a", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content
    assert [found.content for found in branch.download_many(["data/a"])] == [content]
    assert branch.download_dir("data/", tmp_path / "directory").transferred == 1
    assert (tmp_path / "directory" / "a").read_bytes() == content
    files = branch.files("data", progress=False)
    assert files.get("a") == content
    assert [found["content"] for found in files.get(["a", "none"])] == [content, None]
    assert files.transfer_to(f"file://{tmp_path}/transferred/").transferred == 1
    assert (tmp_path / "transferred" / "a").read_bytes() == content
    branch.commit_changes("load")
    assert (branch.snapshot_download(cache_dir=tmp_path / "cache") / "data" / "a").read_bytes() == content


def test_a_file_that_is_equal_is_not_transferred_again(place: Place, tmp_path: Path) -> None:
    place.put("data/one", *ONE_PART)
    place.put("data/parts", *PARTS)
    (tmp_path / "one").write_bytes(ONE_PART[0])
    (tmp_path / "parts").write_bytes(PARTS[0])
    branch = place.branch
    for _ in range(2):
        assert branch.download_dir("data/", tmp_path, update="checksum").transferred == 0
    assert branch.upload_dir(tmp_path, "data/", update="checksum").transferred == 0
    for name in ("one", "parts"):
        os.utime(tmp_path / name)
        before = (tmp_path / name).stat().st_ino
        branch.download_file(f"data/{name}", tmp_path / name, update="checksum")
        assert (tmp_path / name).stat().st_ino == before
        os.utime(tmp_path / name)
    assert branch.upload_dir(tmp_path, "data/", update="checksum").transferred == 0


def test_a_snapshot_is_not_damaged(place: Place, tmp_path: Path) -> None:
    branch, cache = place.branch, place.world.settle(place.world.module.snapshot_cache(tmp_path))
    place.put("one", *ONE_PART)
    place.put("parts", *PARTS)
    branch.commit_changes("load")
    path = branch.snapshot_download(cache_dir=tmp_path)
    before = (path / "parts").stat().st_ino
    # compared with the server, which shows the MD5s
    assert branch.snapshot_download(cache_dir=tmp_path, verify=True) == path
    assert cache.verify() == []
    assert (path / "parts").stat().st_ino == before


def test_a_comparison_reads_what_seems_to_differ(tmp_path: Path) -> None:
    root = tmp_path / "files"
    root.mkdir()
    for name, found in (("one", ONE_PART), ("parts", PARTS)):
        (root / name).write_bytes(found[0])
    gateway = Gateway()
    with lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=gateway) as client:
        place = Place(World(GATEWAY, lakefs_hl, client, plainly), gateway)
        place.put("data/one", *ONE_PART)
        place.put("data/parts", *PARTS)

        def differing() -> list[str]:
            ours, theirs = verifying._files(root, ""), verifying._objects(place.branch, "data/")
            return [row.path for row in verifying.differences(ours, theirs, [0], size_only=False)]

        assert differing() == []
        (root / "one").write_bytes(b"3,4\n")
        assert differing() == ["one"]


def test_another_checksum_is_still_an_error(place: Place, tmp_path: Path) -> None:
    if place.world.kind == REAL:
        pytest.skip("lakeFS computes its checksums")
    place.put("a", PARTS[0], 3 * MIB)  # a length of parts that no client has
    branch = place.branch
    calls: list[Any] = [
        lambda: branch.download("a"),
        lambda: branch.download("a", io.BytesIO()),
        lambda: list(branch.stream("a")),
        lambda: branch.open("a", "rb").read(),
        lambda: branch.download_file("a", tmp_path / "file"),
        lambda: branch.files(progress=False).get("a"),
    ]
    for call in calls:
        with pytest.raises(exceptions.IntegrityError):
            call()
    assert branch.download("a", verify=False) == PARTS[0]
