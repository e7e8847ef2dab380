"""Calls on prefixes: what they send, and what is left when they are interrupted anywhere."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.spec.wire import Request, Response
from tests.faces.conftest import Tap

PATHS = [f"d/{top}/{name}" for top in range(40) for name in ("a.csv", "b.txt")]


def fill(branch: lakefs_hl.Branch, paths: list[str], content: str = "") -> None:
    with branch.transaction("fill") as tx:
        tx.upload_many({"path": path, "data": content or path, "metadata": {"at": path}} for path in paths)


@pytest.fixture
def tree(tapped: lakefs_hl.Branch, tap: Tap) -> lakefs_hl.Branch:
    """80 objects under d/, and a sibling on each side, as over a network."""
    fill(tapped, [*PATHS, "a/a.csv", "e/a.csv"])
    tap.requests.clear()
    return tapped


def paths(rows: Any) -> list[str]:
    return [row.path for row in rows]


# -- glob --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "prefix", "delimiter"),
    [("d/*/a.csv", "d/", ""), ("d/3*/a.csv", "d/3", ""), ("d/**", "d/", ""), ("d/7/*", "d/7/", "/"), ("*", "", "/")],
)
def test_nothing_outside_of_the_literal_head_is_listed(
    tree: lakefs_hl.Branch, tap: Tap, pattern: str, prefix: str, delimiter: str
) -> None:
    list(tree.glob(pattern))
    assert {(request.query.get("prefix", ""), request.query.get("delimiter", "")) for request in tap.requests} == {
        (prefix, delimiter)
    }


def test_large_directories_are_skipped(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    fill(tapped, [f"{top}/{number:04}" for top in "abc" for number in range(1500)] + ["a/x", "b/x", "c/x", "b/x.old"])
    tap.requests.clear()
    rows = list[int]()

    def count(request: Request, response: Response) -> Response:
        rows.append(int(str(request.query["amount"])))
        return response

    tap.change = count
    assert paths(tapped.glob("*/x")) == ["a/x", "b/x", "c/x"]
    assert sum(rows) < 4500 / 2  # of 4,504
    assert len(rows) <= 8


def test_max_amount_of_matches(tree: lakefs_hl.Branch, tap: Tap) -> None:
    expected = sorted(path for path in PATHS if path.endswith(".csv"))
    for amount in (0, 1, 39, 40, 41):
        assert paths(tree.glob("d/*/*.csv", max_amount=amount)) == expected[:amount]
    assert len(tap.requests) == 4


def test_a_pattern_must_be_given(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(ValueError, match=r"pattern must not be empty; '\*\*' matches every object"):
        branch.glob("")


def test_matches_are_those_of_a_filter(tapped: lakefs_hl.Branch, rng: random.Random) -> None:
    """Over several pages, with names in the way of every jump."""
    from lakefs_hl.ops.globs import Pattern

    names = ["a", "a-", "a.csv", "b", "x", "x.csv", "x.csv.old", "é", "0"]
    made = sorted({"/".join(rng.choice(names) for _ in range(rng.randint(1, 4))) for _ in range(3000)})
    fill(tapped, made, "1")
    for pattern in ("*/x.csv", "a/*/*", "*/*/x*", "**/a", "[ax]*/b/?", "a*/**/x.csv", "*", "a/x.csv", "*/a-/x/0"):
        assert paths(tapped.glob(pattern)) == [path for path in made if Pattern(pattern).matches(path)]


# -- memory ------------------------------------------------------------------------------------------------------------


def test_delete_objects_reads_a_generator_batch_by_batch(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    read, ahead = 0, list[int]()

    def generate() -> Iterator[str]:
        nonlocal read
        for number in range(30_000):
            read += 1
            yield f"none/{number}"

    def forget(request: Request, response: Response) -> Response:
        ahead.append(read)
        tap.requests.clear()
        return response

    tap.change = forget
    tracemalloc.start()
    try:
        assert tapped.delete_objects(generate()) == (30_000, ())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ahead == [1000, *range(1000, 30_001, 1000)]  # the branch is looked up first
    assert peak < 4 << 20


def test_a_tree_is_removed_while_it_is_listed(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    fill(tapped, [f"d/{number:04}" for number in range(2500)])
    tap.requests.clear()
    events = list[Any]()
    assert tapped.remove("d", recursive=True, progress=events.append).requested == 2500
    assert [(event.kind, event.path) for event in events] == [("delete", f"d/{number:04}") for number in range(2500)]
    assert sorted(tap.operations()[3:]) == ["deleteObjects"] * 3 + ["listObjects"] * 2


# -- reports -----------------------------------------------------------------------------------------------------------


def refuse_some(tap: Tap, operation: str, status: int = 403) -> None:
    def refuse(request: Request, response: Response) -> Response:
        body = request.body if isinstance(request.body, bytes) else b""
        if request.endpoint.operation == operation and b"/1/" in body:
            return Response(status, {"content-type": "application/json"}, b'{"message":"no"}')
        return response

    tap.change = refuse


def test_failures_of_a_copy_are_raised_or_returned(tree: lakefs_hl.Branch, tap: Tap) -> None:
    refuse_some(tap, "copyObject")
    events = list[Any]()
    report = tree.copy_prefix("d/", "x/", on_error="return", progress=events.append)
    assert (report.transferred, report.failed_count) == (78, 2)
    assert {failure.path for failure in report.failed} == {"d/1/a.csv", "d/1/b.txt"}
    assert {event.path for event in events if event.kind == "fail"} == {"1/a.csv", "1/b.txt"}
    with pytest.raises(exceptions.PartialFailureError, match=r"2 of 80 objects of .*/d/ were not copied") as caught:
        tree.copy_prefix("d/", "x/")
    assert caught.value.report.failed_count == 2
    assert caught.value.maybe_applied is True


def test_a_move_with_a_failure_deletes_nothing(tree: lakefs_hl.Branch, tap: Tap) -> None:
    refuse_some(tap, "copyObject")
    with pytest.raises(exceptions.PartialFailureError, match="nothing is lost"):
        tree.move_prefix("d/", "x/")
    assert "deleteObjects" not in tap.operations()
    assert paths(tree.list_objects(prefix="d/", recursive=True)) == sorted(PATHS)
    tap.change = None
    assert tree.move_prefix("d/", "x/").ok
    assert tree.usage("d/").object_count == 0


def test_what_is_written_during_a_move_is_kept(tree: lakefs_hl.Branch, tap: Tap) -> None:
    direct = lakefs_hl.repository(tree.repository_id, client=tree._client.with_options()).branch("main")
    copies = list[str]()

    def write(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "copyObject":
            copies.append(str(request.query["dest_path"]))
            if len(copies) == 80:
                tap.change = None
                direct.upload(b"newer", "d/1/a.csv")
                direct.upload(b"added", "d/99/c.csv")
                direct.set_object_metadata("d/2/a.csv", {"at": "changed"})
        return response

    tap.change = write
    report = tree.move_prefix("d/", "x/", on_error="return")
    assert sorted(failure.path for failure in report.failed) == ["d/1/a.csv", "d/2/a.csv", "d/99/c.csv"]
    assert all("was written while the prefix was moved" in failure.message for failure in report.failed)
    assert paths(tree.list_objects(prefix="d/", recursive=True)) == ["d/1/a.csv", "d/2/a.csv", "d/99/c.csv"]
    assert tree.download("d/1/a.csv") == b"newer"
    assert tree.move_prefix("d/", "x/").transferred == 3
    assert tree.download("x/1/a.csv") == b"newer"


@pytest.mark.parametrize("error", [KeyboardInterrupt, exceptions.NotAuthorizedException])
def test_a_move_that_ends_anywhere_has_lost_nothing(
    tapped: lakefs_hl.Branch, tap: Tap, error: type[BaseException]
) -> None:
    names = [f"d/{number}" for number in range(6)]
    for after in range(1, 60):
        fill(tapped, names)
        left = after

        def end(request: Request, response: Response) -> Response:
            nonlocal left
            left -= 1
            if not left:
                tap.change = None
                raise error
            return response

        tap.change = end
        with contextlib.suppress(error, exceptions.PartialFailureError):
            tapped.move_prefix("d/", "x/", max_workers=3)
        done, tap.change = tap.change is not None, None
        there = {entry.path: tapped.download(entry.path) for entry in tapped.list_objects(recursive=True)}
        for name in names:
            held = [there.get(name), there.get(f"x/{name[2:]}")]
            assert name.encode() in held, (after, name)
        if tapped.usage("d/").object_count:
            assert tapped.move_prefix("d/", "x/").ok
        assert paths(tapped.list_objects(recursive=True)) == [f"x/{name[2:]}" for name in names]
        tapped.remove("x/", recursive=True)
        tapped.commit_changes("empty", allow_empty=True)
        if done:  # the call took fewer requests
            break
    else:
        raise AssertionError
    assert after > 10
