"""A large object in concurrent ranges: one version, verified as a whole, continued after a kill."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl.ops import ranges
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport import fast
from lakefs_hl.transport.http import Http
from tests import serving

LENGTH = 128 << 10
CONTENT = random.Random(5).randbytes(20 * LENGTH + 77)
COUNT = -(-(len(CONTENT) - LENGTH) // LENGTH)
Change = Callable[[int, Request, Response], None]


@pytest.fixture(scope="module", params=[(), ("--presign",)], ids=["server", "links"])
def branch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lakefs_hl.Branch]:
    with serving.running(tmp_path_factory.mktemp("ranges") / "lake", arguments=request.param) as served:
        with lakefs_hl.Client(served.url, served.key, served.secret) as client:
            made = lakefs_hl.repository("example", client=client).create().branch("main")
            made.upload(CONTENT, "big")
            yield made


class Watch:
    """The ranges that were asked for, and what happens after each."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.change: Change = lambda *_: None

    @property
    def starts(self) -> list[int]:
        return [int(request.headers["range"].partition("=")[2].partition("-")[0]) for request in self.asked]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(fast, "ENABLED", False)  # as for ranges of usual length, which are too long for the lane
    monkeypatch.setattr(ranges, "LEAST", 1 << 20)
    monkeypatch.setattr(ranges, "FIRST", LENGTH)
    monkeypatch.setattr(ranges, "LENGTH", LENGTH)
    monkeypatch.setattr(ranges, "FAST", float("inf"))
    found, send = Watch(), Http.send

    def watched(transport: Http, request: Request, *args: object, **named: object) -> Response:
        response = send(transport, request, *args, **named)  # type: ignore[arg-type]
        if "range" in request.headers:
            found.asked.append(request)
            found.change(len(found.asked), request, response)
        return response

    monkeypatch.setattr(Http, "send", watched)
    return found


def test_a_large_object_comes_in_ranges_of_one_version(branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path) -> None:
    branch.download_file("big", tmp_path / "out", progress=False)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert sorted(watch.starts) == [0, *range(LENGTH, len(CONTENT), LENGTH)]
    if watch.asked[0].url is not None:
        pins = [request.headers.get("if-match") for request in watch.asked]
        assert pins == [None, *[f'"{branch.stat_object("big").checksum}"'] * COUNT]
    watch.asked.clear()
    branch.download_file("big", tmp_path / "unverified", verify=False, progress=False)
    assert (tmp_path / "unverified").read_bytes() == CONTENT
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out", "unverified"]


def test_a_fast_first_range_is_followed_by_the_rest(
    branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "FAST", 0)
    branch.download_file("big", tmp_path / "out", progress=False)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert watch.starts == [0, LENGTH]


def test_a_store_that_is_slow_to_begin_is_asked_once(
    branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(number: int, request: Request, response: Response) -> None:
        response.seconds += 1000

    monkeypatch.setattr(ranges, "FAST", LENGTH / 1000)
    watch.change = wait
    branch.download_file("big", tmp_path / "out", progress=False)
    assert watch.starts == [0, LENGTH]


def test_what_was_killed_is_continued_where_it_was_complete(
    branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path
) -> None:
    def fail(number: int, request: Request, response: Response) -> None:
        if request.headers["range"].startswith(f"bytes={4 * LENGTH}-"):
            raise MemoryError

    watch.change = fail
    with pytest.raises(MemoryError):
        branch.download_file("big", tmp_path / "out", progress=False)
    (left,) = tmp_path.iterdir()
    assert left.stat().st_size > len(CONTENT)  # never taken for what it is not
    watch.asked.clear()
    watch.change = lambda *_: None
    branch.download_file("big", tmp_path / "out", verify=False, progress=False)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert LENGTH <= min(watch.starts) <= 4 * LENGTH  # the others may have been cancelled
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_damage_is_found_and_read_again(branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path) -> None:
    damaged = list[int]()

    def damage(number: int, request: Request, response: Response) -> None:
        if number > 1 and len(damaged) < often and request.headers["range"].startswith(f"bytes={3 * LENGTH}-"):
            assert isinstance(request.sink, FileSlice)
            os.pwrite(request.sink.fd, b"damage", request.sink.offset)
            damaged.append(1)

    watch.change, often = damage, 1
    branch.download_file("big", tmp_path / "out", progress=False)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert len(watch.asked) == 2 * (COUNT + 1)
    often += 3
    with pytest.raises(lakefs_hl.exceptions.IntegrityError, match="the content has MD5"):
        branch.download_file("big", tmp_path / "other", progress=False)
    assert len(damaged) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_another_version_in_between_is_an_error(branch: lakefs_hl.Branch, watch: Watch, tmp_path: Path) -> None:
    def replace(number: int, request: Request, response: Response) -> None:
        if number == 1:
            branch.upload(b"another", "changing")

    branch.upload(CONTENT[::-1], "changing")
    watch.change = replace
    (tmp_path / "out").write_bytes(b"before")
    try:
        branch.download_file("changing", tmp_path / "out", progress=False)
    except lakefs_hl.exceptions.ObjectChangedError:
        assert (tmp_path / "out").read_bytes() == b"before"
    else:  # links go on with the version that they were made for
        assert (tmp_path / "out").read_bytes() == CONTENT[::-1]
        assert watch.asked[0].url is not None
