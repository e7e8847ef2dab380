"""Copies through this machine: batches, failures, replaced objects. tests/conformance/test_copies.py has the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._files import bodies, copies
from lakefs_hl._files.bodies import SPOOL, Abandoned
from lakefs_hl._files.copies import BATCH, BATCH_BYTES, _batches
from lakefs_hl._handles.copies import Location
from lakefs_hl._progress import Progress
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.blocking import Blocking
from tests.faces.conftest import Tap


@pytest.fixture
def source() -> Iterator[lakefs_hl.Branch]:
    with lakefs_hl.Client("mem://") as client:
        yield lakefs_hl.repository("source", client=client).create().branch("main")


@pytest.fixture
def target() -> Iterator[lakefs_hl.Branch]:
    with lakefs_hl.Client("mem://") as client:
        yield lakefs_hl.repository("target", client=client).create().branch("main")


def tapped(branch: lakefs_hl.Branch) -> tuple[lakefs_hl.Branch, Tap]:
    client = branch._client.with_options()
    tap = Tap(client._transport)
    client._driver = client._blocking = Blocking(tap)
    client._transport = tap
    return lakefs_hl.repository(branch.repository_id, client=client).branch("main"), tap


def run(source: Any, target: Any, stopped: Any = lambda: False, on_error: str = "return") -> Any:
    plan = copies.plan(Location(source, "d/"), Location(target, ""), None, on_error)
    return copies.copy(plan, Progress(), stopped)


def row(size: int) -> ObjectStats:
    return ObjectStats("a", "object", size_bytes=size)


def test_batches_are_bounded(rng: random.Random) -> None:
    rows = [row(rng.choice([0, 1, 1000, SPOOL // 3, SPOOL, SPOOL + 1, 5 * SPOOL])) for _ in range(2000)]
    batches = list(_batches(rows))
    assert [each for batch in batches for each in batch] == rows
    for batch in batches:
        assert len(batch) <= BATCH
        if len(batch) > 1:
            assert all((each.size_bytes or 0) <= SPOOL for each in batch)
            assert sum(each.size_bytes or 0 for each in batch) <= BATCH_BYTES
    assert [len(batch) for batch in _batches([row(1)] * (2 * BATCH + 1))] == [BATCH, BATCH, 1]


def test_failures_are_in_the_report(source: lakefs_hl.Branch, target: lakefs_hl.Branch) -> None:
    for number in range(5):
        source.upload(f"{number}", f"d/{number}")
    reader, tap = tapped(source)

    def refuse(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "getObject" and request.query["path"] == "d/1":
            return Response(403, {"content-type": "application/json"}, b'{"message":"not yours"}')
        return response

    tap.change = refuse
    report = run(reader, target)
    assert (report.transferred, [failure.path for failure in report.failed]) == (4, ["d/1"])
    with pytest.raises(
        exceptions.PartialFailureError, match="1 of 5 objects of lakefs://source/main/d/ were not copied"
    ):
        run(reader, target, on_error="raise")


def test_an_object_that_is_replaced_meanwhile_is_not_copied(
    source: lakefs_hl.Branch, target: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content would come with the metadata of the version that was listed."""
    for module in (copies, bodies):
        monkeypatch.setattr(module, "SPOOL", 10)
    source.upload(b"old", "d/small", metadata={"v": "1"})
    source.upload(b"the old one", "d/x-large", metadata={"v": "1"})
    reader, tap = tapped(source)

    def replace(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "listObjects":
            source.upload(b"new", "d/small", metadata={"v": "2"})
            source.upload(b"the new one", "d/x-large", metadata={"v": "2"})
        return response

    tap.change = replace
    report = run(reader, target)
    assert [failure.path for failure in report.failed] == ["d/small", "d/x-large"]
    assert all("has changed" in failure.message for failure in report.failed)
    assert list(target.list_objects()) == []


def test_damaged_content_is_read_again(source: lakefs_hl.Branch, target: lakefs_hl.Branch) -> None:
    source.upload(b"content", "d/a")
    reader, tap = tapped(source)
    damaged = list[int]()

    def damage(request: Request, response: Response) -> Response:
        if isinstance(request.sink, memoryview) and len(damaged) < 2:
            request.sink[0] ^= 1
            damaged.append(1)
            response.md5 = response.hashed = None  # those of what was damaged later
        return response

    tap.change = damage
    assert run(reader, target).ok
    assert target.download("a") == b"content"
    assert len(damaged) == 2


@pytest.mark.parametrize("spool", [SPOOL, 0])
def test_a_copy_ends_after_the_batch(
    source: lakefs_hl.Branch, target: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch, spool: int
) -> None:
    monkeypatch.setattr(copies, "BATCH", 2)
    monkeypatch.setattr(copies, "SPOOL", spool)
    for number in range(6):
        source.upload(f"{number}", f"d/{number}")
    answers = iter([False, True])
    with pytest.raises(Abandoned):
        run(source, target, lambda: next(answers))
    assert len(list(target.list_objects())) < 3


def test_a_page_without_a_success_ends_the_copy(source: lakefs_hl.Branch, target: lakefs_hl.Branch) -> None:
    with source.transaction("many") as tx:
        for number in range(1500):
            tx.upload(b"", f"d/{number:04}")
    writer, tap = tapped(target)

    def refuse(request: Request) -> None:
        if request.endpoint.operation == "uploadObject":
            raise exceptions.ForbiddenException("not yours")

    tap.refuse = refuse
    with pytest.raises(exceptions.ForbiddenException) as caught:
        run(source, writer)
    assert caught.value.__notes__ == ["the copy ended here: 1,000 objects in a row failed"]


def test_clients_of_one_lake_with_other_options_do_not_copy_without_end(source: lakefs_hl.Branch) -> None:
    source.upload_many([(f"d/{number}", b"") for number in range(5)])
    other = lakefs_hl.repository("source", client=source._client.with_options(max_concurrency=3)).branch("main")
    assert other._client != source._client
    for path, words in (("d/e/", "the prefixes overlap"), ("d/", "the source and the destination are the same")):
        with pytest.raises(ValueError, match=words):
            copies.copy(copies.plan(Location(source, "d/"), Location(other, path), None, "return"), Progress())
    plan = copies.plan(Location(source, "d/"), Location(other, "e/"), None, "return")
    assert copies.copy(plan, Progress()).transferred == 5
