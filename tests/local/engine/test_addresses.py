"""Addresses drawn, and what lies at an address linked."""

from __future__ import annotations

import hashlib
import random
from functools import partial
from pathlib import Path

import pytest

from lakefs_hl.local.disk.tables import uploads
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import addresses as addresses_module
from lakefs_hl.local.engine import purge as purge_module
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.contents import UPLOAD_SECONDS
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.local.engine.objects import Place
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import FileSlice
from tests.local.engine.support import paths, read, refused


def link(engine: Engine, path: str, address: str | None, checksum: str = "abc", **more: object) -> models.ObjectStats:
    values = {"staging": {"physical_address": address}, "checksum": checksum, "size_bytes": 3, **more}
    wanted = models.decode(models.StagingLink, models.encode(values))
    return engine.addresses.link("repo", "main", path, wanted)


def test_addresses_are_drawn_and_linked(engine: Engine) -> None:
    drawn = {engine.addresses.address("repo", "none", "a").physical_address for _ in range(20)}
    assert len(drawn) == 20
    address = drawn.pop()
    assert address is not None
    assert address.startswith("local://repo/data/")
    for path in ("a", "a", "b"):  # again, and for another path: lakeFS's local store does not look
        made = link(engine, path, address, '"abc"', user_metadata={"k": "v"}, content_type="text/x", mtime=5)
    assert made.physical_address == address.partition(",")[0]
    assert (made.checksum, made.metadata, made.content_type, made.mtime) == ("abc", {"k": "v"}, "text/x", 5)
    assert paths(engine) == ["a", "b"]
    refused(410, lambda: engine.objects.read("repo", "main", "a"))


def test_other_addresses(engine: Engine) -> None:
    assert link(engine, "a", "local:///else/where").physical_address == "local:///else/where"
    assert link(engine, "a", None).physical_address == ""
    refused(400, lambda: link(engine, "a", "s3://b/k"))
    refused(400, lambda: link(engine, "a", "local:///x", " "), "checksum is required")
    refused(404, lambda: engine.addresses.address("none", "main", "a"), "repository not found")


# -- what is put at an address -----------------------------------------------------------------------------------------


def drawn(engine: Engine) -> str:
    address = engine.addresses.address("repo", "main", "a").physical_address
    assert address is not None
    return address


def length(engine: Engine, path: str) -> int:
    _, found = engine.objects.read("repo", "main", path)
    found.release()
    return found.body.length if isinstance(found.body, FileSlice) else len(found.body)


@pytest.mark.parametrize("size", [0, 11, 100_000])
def test_what_was_put_is_read_once_it_is_linked(engine: Engine, tmp_path: Path, rng: random.Random, size: int) -> None:
    body, address = rng.randbytes(size), drawn(engine)
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert engine.addresses.receive(address, body) == md5
    assert paths(engine) == []
    for path in ("a", "a", "b"):
        made = link(engine, path, address, f'"{md5}"', size_bytes=size, content_type="text/plain")
        assert (made.checksum, made.size_bytes, made.content_type) == (md5, size, "text/plain")
        assert length(engine, path) == size
    report = fsck(engine, read_data=True)
    assert (report.damage, report.counts["uploads"], report.counts["blobs"]) == ([], 1, 1)
    engine.close()
    again = Engine.open(tmp_path / "lake")
    assert length(again, "a") == size
    again.close()


def test_a_checksum_that_is_no_md5_is_kept_and_an_object_may_be_staged(engine: Engine) -> None:
    address = drawn(engine)
    engine.addresses.receive(address, b"content")
    assert link(engine, "a", address, "0123-2", size_bytes=7).checksum == "0123-2"
    plain = address.partition(",")[0]
    for one in (address, plain):
        assert engine.objects.stage("repo", "main", "b", models.ObjectStage(one, "abc", 7)).checksum == "abc"
        assert (read(engine, "a"), read(engine, "b")) == (b"content", b"content")


def test_something_else_than_was_put_is_not_linked(engine: Engine) -> None:
    address = drawn(engine)
    engine.addresses.receive(address, b"content")
    wrong = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
    assert "7 bytes were put there, and size_bytes is 3" in str(refused(400, lambda: link(engine, "a", address)))
    assert "has the MD5" in str(refused(400, lambda: link(engine, "a", address, wrong, size_bytes=7)))
    assert "has the MD5" in str(refused(400, lambda: link(engine, "a", address, wrong.upper(), size_bytes=7)))
    refused(400, lambda: engine.objects.stage("repo", "main", "a", models.ObjectStage(address, wrong, 7)))
    assert paths(engine) == []


def test_what_is_put_again_does_not_change_what_was_linked(engine: Engine) -> None:
    address = drawn(engine)
    engine.addresses.receive(address, b"content")
    link(engine, "a", address, size_bytes=7)
    engine.addresses.receive(address, b"later")
    assert read(engine, "a") == b"content"
    link(engine, "b", address, size_bytes=5)
    assert (read(engine, "a"), read(engine, "b")) == (b"content", b"later")


def test_what_nobody_links_is_forgotten_after_a_day(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [drawn(engine) for _ in range(9)]
    now = seconds()
    monkeypatch.setattr(addresses_module, "seconds", lambda: now - UPLOAD_SECONDS - 1)
    for address in old:
        engine.addresses.receive(address, b"old")
    monkeypatch.setattr(addresses_module, "seconds", lambda: now)
    new = drawn(engine)
    engine.addresses.receive(new, b"new")
    link(engine, "a", old[-1])
    assert read(engine, "a") == b"old"
    with engine.lake.read() as snapshot:
        assert len(uploads.scan(snapshot.reader)) == 9 + 1 - addresses_module.PURGED, "each upload removes a few"
    engine.close()
    monkeypatch.setattr(purge_module, "CHUNK", 2)
    again = Engine.open(tmp_path / "lake")
    with again.lake.read() as snapshot:
        assert [row[0] for row in uploads.scan(snapshot.reader)] == [new.partition(",")[0]], "the next opening the rest"
    assert read(again, "a") == b"old", "what was linked stays"
    assert link(again, "b", old[-1]).physical_address == old[-1].partition(",")[0]
    refused(410, lambda: again.objects.read("repo", "main", "b"))
    again.close()


def test_a_place_is_read_whatever_became_of_the_object(engine: Engine) -> None:
    places: list[Place] = []

    def sign(path: str, entry: Entry) -> tuple[str, int]:
        places.append(Place(entry.address, entry.size, entry.stamp))
        return f"signed {path}", 5

    engine.objects.put("repo", "main", "a", b"content")
    link(engine, "b", "local:///nowhere")
    engine.objects.put("repo", "main", "c/d", b"more")
    found = engine.objects.stat("repo", "main", "a", sign)
    assert (found.physical_address, found.physical_address_expiry) == ("signed a", 5)
    page = engine.objects.list("repo", "main", delimiter="/", sign=sign)
    assert [(row.path, row.physical_address, row.physical_address_expiry) for row in page.results] == [
        ("a", "signed a", 5),
        ("b", "signed b", 5),
        ("c/", "", None),
    ]
    assert places[0] == places[1]
    engine.objects.delete("repo", "main", "a")
    content = engine.objects.open(places[0])
    assert content.body == b"content"
    content.release()
    refused(410, lambda: engine.objects.open(places[2]))


def test_what_was_put_at_an_address_is_told(engine: Engine) -> None:
    address = drawn(engine)
    refused(404, lambda: engine.addresses.received("repo", address), "nothing was uploaded to this address yet")
    for body in (b"first", b"second one"):
        md5 = engine.addresses.receive(address, body)
        found = engine.addresses.received("repo", address)
        assert (found.md5.hex(), found.size) == (md5, len(body))
    bare = address.partition(",")[0]
    assert engine.addresses.received("repo", bare) == found
    for other in ("", "s3://b/a", bare.replace("repo", "repo2"), "local://repo/dat"):
        refused(400, partial(engine.addresses.received, "repo", other))
    refused(404, lambda: engine.addresses.received("none", address), "repository not found")
