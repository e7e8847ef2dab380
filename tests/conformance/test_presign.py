"""A served lake with pre-signed URLs: what it is used for, and that it is used."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.ops import presign
from tests import serving
from tests.worlds import World


@pytest.fixture(scope="session")
def presigned_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.running(tmp_path_factory.mktemp("presigned") / "lake", arguments=["--presign"]) as served:
        yield served


@pytest.fixture
def kind() -> str:
    return "presigned"


@pytest.fixture
def client(presigned_lake: serving.Served) -> Iterator[lakefs_hl.Client]:
    with lakefs_hl.Client(presigned_lake.url, presigned_lake.key, presigned_lake.secret) as made:
        yield made


@pytest.fixture
def branch(world: World) -> Any:
    """`main` of a new repository."""
    return world.fresh().branch("main")


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that the client uses."""
    urls: list[str] = []
    require_url = presign.require_url

    def note(url: str | None, about: str) -> str:
        urls.append(require_url(url, about))
        return urls[-1]

    monkeypatch.setattr(presign, "require_url", note)
    return urls


@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
def test_uploads_and_downloads(branch: Any, signed: list[str], rng: random.Random, tmp_path: Path, size: int) -> None:
    body = rng.randbytes(size)
    made = branch.upload(body, "dir/ä b.bin", metadata={"k": "ü"}, content_type="text/csv")
    assert len(signed) == 1
    assert (made.size_bytes, made.checksum) == (size, hashlib.md5(body, usedforsecurity=False).hexdigest())
    found = branch.stat_object("dir/ä b.bin")
    assert (found.metadata, found.content_type) == ({"k": "ü"}, "text/csv")
    assert branch.download("dir/ä b.bin") == body
    assert branch.download("dir/ä b.bin", tmp_path / "copy") == size
    assert (tmp_path / "copy").read_bytes() == body
    assert len(signed) >= 3
    before = len(signed)
    assert branch.download("dir/ä b.bin", pre_signed=False) == body
    branch.upload(body, "plain", pre_signed=False)
    assert len(signed) == before
    assert branch.download("plain") == body
    branch.commit("both")
    assert branch.download("dir/ä b.bin") == body


def test_ranges_and_files(branch: Any, signed: list[str], rng: random.Random, tmp_path: Path) -> None:
    body = rng.randbytes(2_000_000)
    (tmp_path / "body").write_bytes(body)
    with (tmp_path / "body").open("rb") as source:
        branch.upload(source, "a")
    for start, end in ((0, 1), (5, 1_500_000), (1_999_999, None), (-7, None)):
        assert branch.download("a", start=start, end=end) == body[start:end]
    with branch.open("a", "rb") as file:
        file.seek(1_000_000)
        assert file.read(11) == body[1_000_000:1_000_011]
        assert file.read() == body[1_000_011:]
    assert len(signed) >= 6


def test_bulk_calls(branch: Any, signed: list[str], tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in "abc":
        (tmp_path / "source" / name).write_bytes(name.encode() * 1000)
    branch.upload_dir(tmp_path / "source", "dir/")
    branch.upload_many([("one", b"1"), ("two", b"2")])
    branch.upload_file(tmp_path / "source" / "a", "file")
    assert len(signed) == 6
    branch.download_dir("dir/", tmp_path / "copy")
    branch.download_file("file", tmp_path / "a")
    assert {each.path: each.content for each in branch.download_many(["one", "two"])} == {"one": b"1", "two": b"2"}
    assert len(signed) == 12
    assert (tmp_path / "copy" / "b").read_bytes() == b"b" * 1000


def test_create_only_and_conflicts(branch: Any) -> None:
    branch.upload(b"one", "a", if_none_match=True)
    with pytest.raises(exceptions.ObjectExistsException):
        branch.upload(b"two", "a", if_none_match=True)
    assert branch.download("a") == b"one"
    with pytest.raises(exceptions.ObjectNotFoundException):
        branch.download("absent")


def test_a_url_that_has_expired_is_renewed(branch: Any, signed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    branch.upload(b"content", "a")
    require_url = presign.require_url
    broken: list[str] = []

    def spoil(url: str | None, about: str) -> str:
        whole = require_url(url, about)
        if broken:
            return whole
        broken.append(whole)
        return type(whole)(whole.replace("expires=", "expires=1"))

    monkeypatch.setattr(presign, "require_url", spoil)
    assert branch.download("a") == b"content"
    assert len(broken) == 1
    broken.clear()
    branch.upload(b"other", "b")
    assert branch.download("b") == b"other"
    assert len(signed) >= 5


def test_urls_that_are_handed_on(client: lakefs_hl.Client) -> None:
    name = f"t-{random.SystemRandom().getrandbits(64):x}"
    branch = lakefs_hl.repository(name, client=client).create().branch("main")
    branch.upload(b"content", "a")
    with urlopen(signed_url(client, name, "a"), timeout=30) as response:
        assert response.read() == b"content"


def signed_url(client: lakefs_hl.Client, repository: str, path: str) -> str:
    from lakefs_hl.ops import objects

    record = client._run(lambda session: objects.stat(session, repository, "main", path, presign=True))
    assert record.physical_address_expiry is not None
    assert record.physical_address_expiry > time.time()
    return str.__str__(record.physical_address)


def test_the_lake_needs_no_pre_signing_later(tmp_path: Path, rng: random.Random) -> None:
    body = rng.randbytes(100_000)
    with serving.running(tmp_path / "lake", arguments=["--presign"]) as served:
        with lakefs_hl.Client(served.url, served.key, served.secret) as client:
            branch = lakefs_hl.repository("example", client=client).create().branch("main")
            branch.upload(body, "large")
            branch.upload(b"small", "small")
        code, errors = serving.stop(served)
        assert (code, errors) == (0, "")
    for where in ("served", "in process"):
        if where == "served":
            with serving.running(tmp_path / "lake") as served:
                with lakefs_hl.Client(served.url, served.key, served.secret) as client:
                    assert not lakefs_hl.ServerConfiguration(client).storage_config().pre_sign_support()
                    branch = lakefs_hl.repository("example", client=client).branch("main")
                    assert (branch.download("large"), branch.download("small")) == (body, b"small")
            continue
        with lakefs_hl.Client(f"local:{tmp_path / 'lake'}") as client:
            branch = lakefs_hl.repository("example", client=client).branch("main")
            assert (branch.download("large"), branch.download("small")) == (body, b"small")
            with pytest.raises(exceptions.BadRequestException, match="pre_signed=False"):
                branch.download("large", pre_signed=True)
            with pytest.raises(exceptions.UnsupportedOperationException, match="pre_signed=False"):
                branch.upload(b"x", "x", pre_signed=True)
    assert fsck(tmp_path / "lake", read_data=True).damage == []
