"""The examples of seed 004 run on a lake that makes links, with the edits of `tests/seed_edits_004.md` only."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from tests import serving
from tests.seed.text import ROOT, rows

SEED = ROOT / "tests" / "data" / "seeds" / "004.md"
EDITS = ROOT / "tests" / "seed_edits_004.md"
BLOCK = re.compile(r"^#+ ([^\n]+)\n+(?:[^\n#`][^\n]*\n+)*```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {heading for heading, _ in rows(EDITS, "not run")}
RAISES = dict(rows(EDITS, "line"))


def blocks() -> dict[str, str]:
    """The Python blocks by the heading above them."""
    return dict(BLOCK.findall(SEED.read_text(encoding="utf-8")))


BLOCKS = blocks()


def edited(heading: str) -> str:
    text = BLOCKS[heading]
    for block, seed, ours, _ in rows(EDITS, "block"):
        if block not in ("*", heading):
            continue
        pattern = r"\s+".join(map(re.escape, seed.split("⏎")))
        found = re.search(r"^( *)(?=.*" + pattern.split(r"\s+")[0] + ")", text, re.MULTILINE)
        assert block == "*" or re.search(pattern, text), f"an edit of nothing in {heading!r}: {seed}"
        new = ours.replace("⏎", "\n" + (found[1] if found else ""))
        text = re.sub(pattern, lambda _: new, text)  # noqa: B023 - called at once
    return textwrap.dedent(text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.running(tmp_path_factory.mktemp("seed") / "lake", arguments=["--presign"]) as found:
        yield found


@pytest.fixture
def names(served: serving.Served, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names that the examples use and the seed leaves open."""
    keys: dict[str, Any] = {"username": served.key, "password": served.secret}
    video = tmp_path / "video.mp4"
    video.write_bytes(b"0" * (6 << 20))
    with lakefs_hl.Client(served.url, **keys) as client:

        def bucket(name: str) -> lakefs_hl.Branch:
            return lakefs_hl.repository(name, create=True, client=client).branch("main")

        yield {
            "lakefs": lakefs_hl,
            "client": client,
            "bucket": bucket,
            "keys": keys,
            "server": {"host": served.url, **keys},
            "port": urlsplit(served.url).port,
            "video": video,
            "pdf_bytes": b"%PDF-1.7",
            "user_id": "alice",
            "config_v1": b"1",
            "config_v2": b"2",
            "json": json,
        }


def run(heading: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run an example, statement by statement, so that the lines that raise can."""
    text = edited(heading)
    for statement in ast.parse(text).body:
        code = compile(ast.Module([statement], []), heading, "exec")
        error = RAISES.get(ast.get_source_segment(text, statement) or "")
        if error is None:
            exec(code, names)
        else:
            with pytest.raises(getattr(exceptions, error)):
                exec(code, names)
    return names


def test_every_example_is_here() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [heading for heading in BLOCKS if heading not in NOT_RUN and f'run("{heading}"' not in tests] == []
    assert len(BLOCKS) >= 19
    assert {block for block, *_ in rows(EDITS, "block")} <= {"*", *BLOCKS}


def test_simple_usage(names: dict[str, Any]) -> None:
    found = run("Simple Usage Pattern", names)
    assert found["data"] == b"%PDF-1.7"
    assert [row["key"] for row in found["objects"]] == ["documents/report.pdf"]
    with urllib.request.urlopen(found["url"]) as response:
        assert response.read() == b"%PDF-1.7"


def test_the_document_service(names: dict[str, Any]) -> None:
    service = run("Real Service Example: Document Management Service", names)["DocumentService"]()
    service.upload_document("alice", "cv.pdf", b"%PDF", {"author": "Alice"})
    (row,) = service.get_user_documents("alice")
    assert (row["key"], row.tags) == ("users/alice/docs/cv.pdf", {"user_id": "alice", "type": "document"})
    with urllib.request.urlopen(service.share_document("alice", "cv.pdf").url) as response:
        assert response.read() == b"%PDF"
    backup = service.backup_user_data("alice")
    assert backup.download("users/alice/docs/cv.pdf") == b"%PDF"
    assert service.bucket.metadata()["backup_user"] == "alice"
    service.set_retention_policy()
    assert [rule["id"] for rule in service.bucket.lifecycle()] == ["delete-temp-files", "archive-old-docs"]


def test_quick_patterns(names: dict[str, Any]) -> None:
    bucket = names["bucket"]
    run("Upload Large Files (Streaming)", names)
    assert bucket("my-bucket").stat_object("videos/large.mp4")["size"] == 6 << 20
    run("Upload with Custom Metadata", names)
    assert bucket("docs").stat_object("reports/q4.pdf").metadata["x-amz-meta-author"] == "John Doe"
    assert run("Tag Objects for Organization", names)["tags"]["Quarter"] == "Q4"
    link = run("Generate Upload Link (Direct Browser Upload)", names)["upload_url"]
    urllib.request.urlopen(urllib.request.Request(link.url, b"png", method="PUT")).close()
    assert bucket("user-uploads").download("users/alice/avatar.png") == b"png"
    bucket("my-bucket").upload(b"file", "active/file.pdf")
    bucket("bucket-a").upload(b"file", "data/file.pdf")
    bucket("bucket-b")
    lakefs_hl.repository("bucket-b", client=names["client"]).get_or_create()
    run("Copy Objects Between Locations", names)
    assert bucket("my-bucket").download("backup/file.pdf") == bucket("bucket-b").download("archive/file.pdf")
    run("Batch Delete", names)


def test_versions_policies_and_lifecycles(names: dict[str, Any]) -> None:
    bucket = names["bucket"]
    assert run("Enable Versioning", names)["is_enabled"] is True
    versions = bucket("important-data").history("config.json")
    assert [version.info.download() for version in versions] == [b"2", b"1"]
    lakefs_hl.repository("my-bucket", client=names["client"]).get_or_create()
    run("Set Bucket Policies (Public/Private Access)", names)
    rules = run("Auto-Expire Old Files (Lifecycle Policies)", names)["rules"]
    assert lakefs_hl.repository("my-bucket", client=names["client"]).lifecycle() == rules


def test_metadata_listings_and_buckets(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    bucket = names["bucket"]
    bucket("my-bucket").upload(b"%PDF", "documents/report.pdf")
    run("Check Object Metadata", names)
    run("List Objects with Prefix", names)
    for name in ("my-data", "old-bucket"):
        lakefs_hl.repository(name, client=names["client"]).get_or_create()
    run("Bucket Management", names)
    printed = capsys.readouterr().out
    assert "Size: 4 bytes\nType: application/pdf" in printed
    assert "documents/report.pdf - 4 bytes" in printed
    assert "Owner: None, Region: None" in printed
    assert not lakefs_hl.repository("old-bucket", client=names["client"]).exists()


def test_four_lines(names: dict[str, Any]) -> None:
    assert "http" in run("With isa_common:", names)["url"]


def test_async(names: dict[str, Any]) -> None:
    run("Async Client Usage (High-Performance)", names)
    run("Concurrent Operations with asyncio.gather", names)
    run("upload_many_concurrent / download_many_concurrent Helpers", names)

    async def others() -> tuple[Any, Any]:
        async with aio.Client(**names["server"]) as client:
            branch = (await aio.repository("my-bucket", client=client).get_or_create()).branch("main")
            return await names["concurrent_uploads"](branch), await names["bulk_operations"](client)

    uploads, (report, results) = asyncio.run(others())
    assert [info["key"] for info in uploads] == [f"data/file_{number}.txt" for number in range(5)]
    assert report.transferred == 10
    assert [result.content for result in results] == [f"Batch {number}".encode() for number in range(10)]
