"""Addresses drawn, and what lies at an address linked."""

from __future__ import annotations

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import paths, refused


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
