"""`lakefs.transfer` to, from and between lakes, on every kind of lake and in both colours."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World, bare


def transfer(world: World, *places: Any, **given: Any) -> Any:
    options = {"src_client": world.client, "dst_client": world.client}
    return world.settle(world.module.transfer(*map(bare, places), **options, **given))


@pytest.fixture
def main(world: World) -> Any:
    branch = world.fresh().branch("main")
    items = [(f"data/{number:03}", b"%d" % number) for number in range(150)]
    branch.upload_many(items)
    branch.upload(gzip.compress(b"x"), "data/é/z", content_type="text/special", metadata={"content-encoding": "gzip"})
    return branch


def listing(branch: Any, prefix: str) -> list[tuple[Any, ...]]:
    rows = branch.list_objects(prefix=prefix, delimiter="")
    return [(row.path[len(prefix) :], row.checksum, row.content_type, row.metadata) for row in rows]


def test_a_prefix_goes_to_a_directory_and_back(world: World, main: Any, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/copy"
    assert transfer(world, f"{main.uri}data", url).transferred == 151
    assert (tmp_path / "copy/007").read_bytes() == b"7"
    assert gzip.decompress((tmp_path / "copy/é/z.gz").read_bytes()) == b"x"
    assert transfer(world, f"{main.uri}data", url, update=True).skipped == 151
    assert transfer(world, url, f"{main.uri}back").transferred == 151
    before, after = listing(main, "data/"), listing(main, "back/")
    assert [(row[0], row[1], row[3]) for row in after] == [(row[0], row[1], row[3]) for row in before]


@pytest.mark.parametrize("given", [{}, {"update": True}, {"job": True}, {"checksum": "crc32c"}], ids=str)
def test_lakes_keep_type_and_metadata(world: World, main: Any, given: dict[str, Any], tmp_path: Path) -> None:
    options = {"job": tmp_path / "job"} if "job" in given else given
    within = main.repository_id, main
    across = world.fresh().branch("main")
    for branch in (within[1], across):
        report = transfer(world, f"{main.uri}data", f"{branch.uri}copy/deep", **options)
        assert (report.transferred, report.ok) == (151, True)
        found = listing(branch, "copy/deep/")
        if "checksum" in given:
            assert all(row[3].pop("crc32c") for row in found)
        assert found == listing(main, "data/")
        options = {**options, "job": tmp_path / "other job"} if "job" in given else options


def test_a_commit_is_a_source_and_no_destination(world: World, main: Any) -> None:
    commit = main.commit_changes("all").get_commit()
    other = world.fresh().branch("main")
    assert transfer(world, commit, other).transferred == 151
    assert listing(other, "data/") == listing(main, "data/")
    with pytest.raises(exceptions.UnsupportedOperationException, match="read-only"):
        transfer(world, other, commit)


def test_into_a_transaction(world: World, main: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    main.commit_changes("before")
    with main.transaction("in one commit") as tx:
        assert transfer(world, tmp_path.as_uri(), tx).transferred == 1
    assert main.download("a") == b"1"
    assert main.get_commit().message is not None


def test_damaged_content_is_found_by_its_crc32c(world: World, main: Any, tmp_path: Path) -> None:
    main.upload(b"good", "sums/good", metadata={"crc32c": "0" * 8})
    with pytest.raises(exceptions.PartialFailureError, match="CRC32C") as caught:
        transfer(world, f"{main.uri}sums", f"file://{tmp_path}/x")
    assert caught.value.report.failed_count == 1


def test_what_does_not_exist(world: World, main: Any, tmp_path: Path) -> None:
    assert transfer(world, f"{main.uri}none", f"file://{tmp_path}/x").transferred == 0
    for source, target in ((f"lakefs://{world.name()}/main", "mem://x"), (f"{main.uri[:-5]}none", "mem://x")):
        with pytest.raises(exceptions.NotFoundException):
            transfer(world, source, target)
    (tmp_path / "a").write_bytes(b"1")
    report = transfer(world, tmp_path.as_uri(), f"{main.uri[:-5]}none", on_error="return")
    assert report.failed_count == 1
