"""Addresses of this lake: their content can be read where they are linked or staged."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import FileSlice
from tests.local.engine.support import put, refused

Register = Callable[[Engine, str, str, int], models.ObjectStats]


def link(engine: Engine, repository: str, address: str, size: int) -> models.ObjectStats:
    wanted = models.StagingLink(models.StagingLocation(address), "abc", size)
    return engine.addresses.link(repository, "main", "copy", wanted)


def stage(engine: Engine, repository: str, address: str, size: int) -> models.ObjectStats:
    return engine.objects.stage(repository, "main", "copy", models.ObjectStage(address, "abc", size))


@pytest.fixture
def two(engine: Engine) -> Engine:
    engine.repositories.create(models.RepositoryCreation("other", "local://other/"), who="me")
    return engine


both = pytest.mark.parametrize("register", [link, stage])


def content(engine: Engine, repository: str) -> int:
    _, found = engine.objects.read(repository, "main", "copy")
    found.release()
    return found.body.length if isinstance(found.body, FileSlice) else len(found.body)


@both
@pytest.mark.parametrize("repository", ["repo", "other"])
@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_an_address_of_the_lake_can_be_read(two: Engine, register: Register, repository: str, size: int) -> None:
    made = put(two, "a", random.Random(size).randbytes(size))
    address = made.physical_address
    assert address is not None
    found = register(two, repository, address, size)
    assert (found.checksum, found.size_bytes) == ("abc", size)  # as the client said
    two.objects.delete("repo", "main", "a")
    assert content(two, repository) == size
    shown = two.objects.stat(repository, "main", "copy").physical_address
    assert shown is not None
    assert shown.endswith(address[-64:])
    assert not fsck(two).damage


@both
def test_what_is_not_there_stays_a_record(two: Engine, register: Register) -> None:
    made = put(two, "a", b"content")
    address = made.physical_address
    assert address is not None
    for wrong, size in (
        (address, 8),
        (address, 100_000),
        (address[:-64] + "0" * 64, 7),
        (address.replace("local://repo", "local:///somewhere"), 7),
        (address + "x", 7),
        (address.replace("/data/", "/objects/"), 7),
        ("local:///etc/passwd", 7),
    ):
        assert register(two, "repo", wrong, size).physical_address == wrong
        refused(410, lambda: two.objects.read("repo", "main", "copy"), "No data")
    assert not fsck(two).damage
