"""`upload_many` and `download_many` beyond what tests/conformance checks: what is read when, failures, one commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.types import TransferEvent
from tests._bulk.conftest import Tap, every_way

MEMORY = """
import resource, sys
import lakefs_hl as lakefs

branch = lakefs.repository("example", client=lakefs.Client("mem://")).create().branch("main")
branch.upload_many((f"warm/{number}", b"x") for number in range(3000))
read = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before, most = read(), 0


def items(count):
    global most
    for number in range(count):
        if not number % 5000:
            most = max(most, read())
        yield f"a/{number:07}", b"20 bytes of content."


report = branch.upload_many(items(int(sys.argv[1])), on_error="return")
most = max(most, read())
print(report.transferred, (most - before) / (1 << 20))
"""


def growth(count: int) -> float:
    """Upload a generator in another process; return by how many MiB its memory grew."""
    done = subprocess.run([sys.executable, "-c", MEMORY, str(count)], check=True, capture_output=True, text=True)
    transferred, mebibytes = done.stdout.split()
    assert int(transferred) == count
    return float(mebibytes)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_long_generator_needs_no_memory_for_each_item() -> None:
    assert growth(100_000) < 64


def test_the_number_of_paths_is_for_progress(branch: lakefs_hl.Branch) -> None:
    class Total:
        total: int | None = None

        def set_size(self, size: int) -> None:
            self.total = size

        def relative_update(self, inc: int = 1) -> None: ...

        def absolute_update(self, value: int) -> None: ...

    branch.upload_many([("a", b"1"), ("b", b"2")])
    callback = Total()
    found = branch.download_many((path for path in "ab"), total=2, progress=callback)
    assert ([each.content for each in found], callback.total) == ([b"1", b"2"], 2)
    with pytest.raises(ValueError, match="total"):
        branch.download_many("a", total=-1)


def test_a_generator_is_read_only_as_far_as_objects_are_under_way() -> None:
    """Over a network: in process a wave takes 512 at a time."""
    reached = list[int]()
    running = [0]

    def answer(request: Request) -> Response:
        from lakefs_hl.spec import models

        if request.endpoint.operation == "uploadObject":
            running[0] += 1
            record = models.ObjectStats(str(request.query["path"]), "object", "", "e-1", 1, 1)
            return Response(201, {"content-type": "application/json"}, models.encode(record))
        if request.endpoint.operation == "getBranch":
            return Response(200, {"content-type": "application/json"}, b'{"id": "main", "commit_id": "c"}')
        return Response(403)

    def items() -> Iterator[tuple[str, bytes]]:
        for number in range(200):
            reached.append(number - running[0])
            yield f"{number}", b"1"

    client = lakefs_hl.Client(transport=answer, max_concurrency=4)
    report = lakefs_hl.Branch("example", "main", client).upload_many(items(), max_workers=4)
    assert report.transferred == 200
    assert max(reached) <= 4


@every_way
def test_failures_are_raised_at_the_end_or_returned(branch: lakefs_hl.Branch) -> None:
    items: list[Any] = [("a", b"1"), ("b", object()), ("c", "\ud800"), ("d", b"4")]
    with pytest.raises(
        exceptions.PartialFailureError, match="2 of 4 objects were not uploaded to lakefs://example"
    ) as c:
        branch.upload_many(items)
    assert c.value.maybe_applied is True
    report = branch.upload_many(items, on_error="return")
    assert (report.transferred, report.failed_count, report.ok) == (2, 2, False)
    assert [failure.path for failure in report.failed] == ["b", "c"]
    assert branch.download("d") == b"4"


@every_way
def test_what_the_iterable_raises_ends_the_call(branch: lakefs_hl.Branch) -> None:
    def items() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        branch.upload_many(items(), commit_message="never")
    assert not branch.exists("a")
    assert [commit.message for commit in branch.log()] == ["Repository created"]


@every_way
def test_refused_credentials_end_the_call_at_once(branch: lakefs_hl.Branch, tap: Tap) -> None:
    tap.refuse = lambda request: Response(401) if request.endpoint.operation == "uploadObject" else None
    with pytest.raises(exceptions.NotAuthorizedException):
        branch.upload_many(((f"{number}", b"1") for number in range(10_000)), on_error="return")
    assert len(tap.seen) < 3000, "no more than one wave"


@every_way
def test_one_commit_has_all_or_nothing(branch: lakefs_hl.Branch) -> None:
    report = branch.upload_many([("a", b"1"), ("b", b"2")], commit_message="both")
    assert report.commit_id == branch.get_commit().id
    assert branch.get_commit().message == "both"
    assert list(branch.list_uncommitted()) == []
    before = branch.get_commit().id
    with pytest.raises(
        exceptions.PartialFailureError, match=r"lakefs://example/main is unchanged; branch 'tx-main-.*' was deleted"
    ) as c:
        branch.upload_many([("c", b"1"), ("d", cast("Any", object()))], commit_message="both")
    assert (c.value.report.commit_id, c.value.maybe_applied) == (None, False)
    assert branch.get_commit().id == before
    assert not branch.exists("c")
    repository = lakefs_hl.repository("example", client=branch._client)
    assert list(repository.transactions()) == [], "nothing could resume it"


@every_way
def test_a_refused_merge_leaves_nothing_and_the_same_call_does_all(branch: lakefs_hl.Branch) -> None:
    def meddle(event: TransferEvent) -> None:
        if event.kind == "complete":
            branch.upload(b"", "staged by others")

    with pytest.raises(exceptions.TransactionMergeError, match="uncommitted changes"):
        branch.upload_many([("a", b"1")], commit_message="one", progress=meddle)
    repository = lakefs_hl.repository("example", client=branch._client)
    assert list(repository.transactions()) == []
    branch.reset()
    assert branch.upload_many([("a", b"1")], commit_message="one").commit_id == branch.get_commit().id


@every_way
def test_an_interrupted_call_with_a_commit_leaves_nothing(branch: lakefs_hl.Branch) -> None:
    def items() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        branch.upload_many(items(), commit_message="never")
    assert list(lakefs_hl.repository("example", client=branch._client).transactions()) == []
    assert not branch.exists("a")


def test_a_commit_message_needs_a_branch_and_words(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(ValueError, match="commit_message must not be empty"):
        branch.upload_many([], commit_message=" ")
    with branch.transaction("outer") as tx:
        with pytest.raises(ValueError, match="this is a transaction, whose own commit has everything"):
            tx.upload_many([("a", b"1")], commit_message="inner")
        with pytest.raises(ValueError, match="this is a transaction"):
            tx.handle().upload_many([("a", b"1")], commit_message="inner")
        tx.upload_many([("a", b"1")])
    assert branch.download("a") == b"1"


def test_a_missing_branch_is_one_error_before_anything_is_read(branch: lakefs_hl.Branch) -> None:
    read = list[int]()

    def items() -> Iterator[tuple[str, bytes]]:
        for number in range(3):
            read.append(number)
            yield "a", b""

    missing = lakefs_hl.Branch("example", "missing", branch._client)
    with pytest.raises(exceptions.NotFoundException, match="uploading to lakefs://example/missing/"):
        missing.upload_many(items())
    with pytest.raises(exceptions.BadRequestException, match="commits are immutable"):
        lakefs_hl.Branch("example", branch.get_commit().id, branch._client).upload_many(items())
    assert read == []


@every_way
def test_results_are_in_the_order_asked_with_ranges_and_errors(branch: lakefs_hl.Branch) -> None:
    branch.upload_many((f"{number:03}", f"{number}") for number in range(50))
    asked: list[Any] = [f"{number:03}" for number in reversed(range(50))]
    asked[3:3] = ["missing", {"path": "007", "start": 0, "end": 1}, {"path": "007", "end": 0}]
    found = branch.download_many(iter(asked), max_workers=3)
    assert [each.path for each in found][:6] == ["049", "048", "047", "missing", "007", "007"]
    assert isinstance(found[3].error, exceptions.ObjectNotFoundException)
    assert found[3].content is None
    assert [(each.content, each.byte_range) for each in found[4:6]] == [(b"7", (0, 1)), (b"", (0, 0))]
    assert [each.content for each in found[6:]] == [f"{number}".encode() for number in reversed(range(47))]
    with pytest.raises(exceptions.PartialFailureError, match=r"1 of 53 objects of .* were not downloaded"):
        branch.download_many(asked, on_error="raise")
    assert [each.content for each in branch.download_many("007")] == [b"7"]


@every_way
def test_progress_receives_every_object(branch: lakefs_hl.Branch) -> None:
    events = list[TransferEvent]()
    items: list[Any] = [("a", b"12"), ("b", object())]
    branch.upload_many(items, on_error="return", progress=events.append)
    assert sorted((event.kind, event.path, event.done) for event in events) == [
        ("complete", "a", 2),
        ("fail", "b", 0),
        ("start", "a", 0),
        ("start", "b", 0),
    ]


@every_way
def test_objects_of_other_repositories_may_be_among_them(branch: lakefs_hl.Branch, way: str) -> None:
    other = lakefs_hl.repository(f"other-{way.split(maxsplit=1)[0]}", client=branch._client).create().branch("main")
    branch.upload_many([{"key": "a", "data": b"1", "bucket": other.repository_id}, ("a", b"2")])
    assert (other.download("a"), branch.download("a")) == (b"1", b"2")
    found = branch.download_many(["a", {"path": "a", "repository": other.repository_id}])
    assert [each.content for each in found] == [b"2", b"1"]
