"""Many requests at a time: each gets what it would get alone, and they share transactions and snapshots."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakefs_hl.local.api import App, batches
from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.engine import Engine, clock
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import LakeReadOnlyError
from lakefs_hl.spec.wire import Endpoint, FileSlice, Request, Response
from tests.local.api.support import WHO, ask, content
from tests.local.operations import tables

OTHERS = ("side", "nowhere")


def upload(path: str, body: bytes | FileSlice = b"x", branch: str = "main", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(endpoints.UPLOAD_OBJECT, ("repo", branch), {"path": path}, named, body)


def request(endpoint: Endpoint, path: str, body: Any = None, branch: str = "main", name: str = "path") -> Request:
    data = b"" if body is None else json.dumps(body).encode()
    return Request(endpoint, ("repo", branch), {name: path}, {}, data)


def essence(outcome: Response | Exception) -> object:
    if isinstance(outcome, Exception):
        return type(outcome), str(outcome)
    return outcome.status, dict(outcome.headers), content(outcome), outcome.reason, outcome.md5


def batch(app: App, requests: list[Request]) -> list[object]:
    return [essence(outcome) for outcome in unsorted(app, requests)]


def unsorted(app: App, requests: list[Request]) -> list[Response | Exception]:
    """What a transport makes of it: each body is moved before the next answer is asked for."""
    found: dict[int, Response | Exception] = {}
    for number, outcome in app.batch(requests, WHO):
        assert number not in found
        if isinstance(outcome, Response):
            outcome.body, outcome.done = content(outcome), None
        found[number] = outcome
    return [found[number] for number in range(len(requests))]


def one_by_one(app: App, requests: list[Request]) -> list[object]:
    """The same, alone: those that write first, then those that look up, then the others."""

    def when(number: int) -> tuple[bool, bool]:
        operation = requests[number].endpoint.operation
        return operation not in batches.SHORT, operation not in batches.LOOKUPS

    found: dict[int, object] = {}
    for number in sorted(range(len(requests)), key=when):
        try:
            found[number] = essence(app(requests[number], WHO))
        except Exception as error:
            found[number] = type(error), str(error)
    return [found[number] for number in range(len(requests))]


class Maker:
    """Makes requests at random, of which some are refused."""

    def __init__(self, draw: random.Random, file: int) -> None:
        self._draw, self._file = draw, file

    def __call__(self) -> Request:
        draw = self._draw
        path = draw.choice(("a", "b", "c/d", "c/e", "é"))
        if draw.random() < 0.05:
            path = draw.choice(("", "x" * 2000, "\udcff"))
        branch = "main" if draw.random() < 0.8 else draw.choice(OTHERS)
        kind = draw.choice(
            (*["upload"] * 4, "delete", "deletes", "copy", "stage", "link", "metadata", "stat", "get", "list")
        )
        found: Request = getattr(self, f"_{kind}")(path, branch)
        return found

    def _upload(self, path: str, branch: str) -> Request:
        draw = self._draw
        if draw.random() < 0.1:
            form = b"--B\r\nContent-Disposition: form-data; name=content; filename=f\r\n\r\nform\r\n--B--\r\n"
            return upload(path, form, branch, content_type="multipart/form-data; boundary=B")
        size = draw.choice((0, 3, 100, INLINE + 1 + draw.randrange(3)))
        body: bytes | FileSlice = draw.randbytes(size) if draw.random() < 0.7 else FileSlice(self._file, 5, size)
        headers = {"content_type": draw.choice(("", "text/plain"))} if draw.random() < 0.5 else {}
        if draw.random() < 0.3:
            headers["x_lakefs_meta_colour"] = "red"
        if size <= INLINE and draw.random() < 0.2:  # of a large one it is looked up before the others write
            headers["if_none_match"] = draw.choice(("*", '"etag"'))
        return upload(path, body, branch, **headers)

    def _delete(self, path: str, branch: str) -> Request:
        return request(endpoints.DELETE_OBJECT, path, None, branch)

    def _deletes(self, path: str, branch: str) -> Request:
        return request(endpoints.DELETE_OBJECTS, "unused", {"paths": [path.replace("\udcff", "y"), "b"]}, branch)

    def _copy(self, path: str, branch: str) -> Request:
        source = {"src_path": self._draw.choice(("a", "missing"))}
        return request(endpoints.COPY_OBJECT, path, source, branch, "dest_path")

    def _stage(self, path: str, branch: str) -> Request:
        address = self._draw.choice(("local://elsewhere/x", "s3://elsewhere/x"))
        staged = {"physical_address": address, "checksum": "c", "size_bytes": 3, "mtime": 7}
        return request(endpoints.STAGE_OBJECT, path, staged, branch)

    def _link(self, path: str, branch: str) -> Request:
        link = {"staging": {"physical_address": "local://elsewhere/y"}, "checksum": "c", "size_bytes": 3, "mtime": 7}
        return request(endpoints.LINK_PHYSICAL_ADDRESS, path, link, branch)

    def _metadata(self, path: str, branch: str) -> Request:
        return request(endpoints.UPDATE_OBJECT_USER_METADATA, path, {"set": {"k": "v"}}, branch)

    def _stat(self, path: str, branch: str) -> Request:
        return request(endpoints.STAT_OBJECT, path, None, branch)

    def _get(self, path: str, branch: str) -> Request:
        return request(endpoints.GET_OBJECT, path, None, branch)

    def _list(self, path: str, branch: str) -> Request:
        return request(endpoints.LIST_OBJECTS, path.replace("\udcff", "y"), None, branch, "prefix")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[App, App]]:
    """Two lakes that are equal, and whose clocks stand still."""
    engines = [Engine.open(tmp_path / name, sync=False) for name in ("one", "other")]
    monkeypatch.setattr(clock, "time", SimpleNamespace(time_ns=lambda: 1_700_000_000 * 10**9))
    apps = [App(engine, in_process=True) for engine in engines]
    for app in apps:
        assert (
            ask(app, endpoints.CREATE_REPOSITORY, (), body={"name": "repo", "storage_namespace": "local://repo"}).status
            == 201
        )
        assert ask(app, endpoints.UPLOAD_OBJECT, query={"path": "a"}, body=b"first").status == 201
        assert ask(app, endpoints.COMMIT, body={"message": "m", "date": 1}).status == 201
        assert ask(app, endpoints.CREATE_BRANCH, ("repo",), body={"name": "side", "source": "main"}).status == 201
    yield apps[0], apps[1]
    for engine in engines:
        engine.close()


@pytest.fixture
def file(rng: random.Random) -> Iterator[int]:
    with tempfile.TemporaryFile() as opened:
        opened.write(rng.randbytes(INLINE + 100))
        opened.flush()
        yield opened.fileno()


def test_each_request_gets_what_it_would_get_alone(two: tuple[App, App], file: int, rng: random.Random) -> None:
    together, alone = two
    make = Maker(rng, file)
    seen = set[int]()
    for _ in range(40):
        requests = [make() for _ in range(rng.choice((1, 2, 5, 30)))]
        found = batch(together, requests)
        expected = one_by_one(alone, requests)
        assert found == expected, requests
        seen.update(one[0] for one in found if isinstance(one, tuple) and isinstance(one[0], int))
        for table in ("staging", "blob"):
            assert sorted(tables(together.engine)[table]) == sorted(tables(alone.engine)[table])
    assert {200, 201, 204, 400, 404, 501} <= seen
    assert fsck(together.engine, read_data=True).damage == []


def test_many_uploads_share_one_transaction(app: App, points: list[str]) -> None:
    requests = [upload(f"p/{index:03}", b"%d" % index) for index in range(300)]
    assert {one.status for one in unsorted(app, requests) if isinstance(one, Response)} == {201}
    assert points.count("db.commit") == 1


@pytest.fixture
def points() -> Iterator[list[str]]:
    seen: list[str] = []
    fs.hook = seen.append
    yield seen
    fs.hook = None


def test_a_request_with_a_key_is_executed_once_all_the_same(app: App) -> None:
    keyed = upload("k", b"first", idempotency_key="one")
    first, repeated = unsorted(app, [keyed, upload("other")])[0], app(keyed, WHO)
    assert isinstance(first, Response)
    assert first.body == repeated.body
    again = unsorted(app, [upload("k", b"second"), keyed])
    assert isinstance(again[1], Response)
    assert content(ask(app, endpoints.GET_OBJECT, query={"path": "k"})) == b"second"


def test_of_two_for_one_path_the_later_wins(app: App) -> None:
    unsorted(app, [upload("k", b"first"), upload("k", b"second"), upload("j"), request(endpoints.DELETE_OBJECT, "j")])
    assert content(ask(app, endpoints.GET_OBJECT, query={"path": "k"})) == b"second"
    assert ask(app, endpoints.STAT_OBJECT, query={"path": "j"}).status == 404


def test_only_one_of_two_creates_an_object(app: App) -> None:
    found = unsorted(app, [upload("k", b"first", if_none_match="*"), upload("k", b"second", if_none_match="*")])
    assert [one.status for one in found if isinstance(one, Response)] == [201, 412]
    assert content(ask(app, endpoints.GET_OBJECT, query={"path": "k"})) == b"first"


def test_a_large_body_is_not_kept_for_a_branch_that_is_not_there(app: App, points: list[str]) -> None:
    found = unsorted(app, [upload(f"{index}", bytes(INLINE + 1), "nowhere") for index in range(2)])
    assert [one.status for one in found if isinstance(one, Response)] == [404, 404]
    assert "blob.create" not in points


def test_a_body_that_cannot_be_read_is_an_error_of_its_request(app: App) -> None:
    empty = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for size in (3, INLINE + 1):
            good, bad = unsorted(app, [upload("good"), upload("bad", FileSlice(empty, 0, size))])
            assert isinstance(good, Response)
            assert isinstance(bad, EOFError)
    finally:
        os.close(empty)
    assert ask(app, endpoints.STAT_OBJECT, query={"path": "bad"}).status == 404


def test_a_failed_sync_is_told_to_each_and_keeps_nothing(
    tmp_path: Path, fail_at: Callable[[str, OSError], None]
) -> None:
    engine = Engine.open(tmp_path / "lake")
    app = App(engine)
    try:
        ask(app, endpoints.CREATE_REPOSITORY, (), body={"name": "repo", "storage_namespace": "local://repo"})
        fail_at("db.commit", OSError(5, "injected"))
        found = unsorted(app, [upload("a"), upload("b"), request(endpoints.DELETE_OBJECT, "c")])
        fs.hook = None
        assert [type(one) for one in found] == [LakeReadOnlyError] * 3
        assert len({id(one) for one in found}) == 3
        assert ask(app, endpoints.STAT_OBJECT, query={"path": "a"}).status == 404
    finally:
        engine.close()


@pytest.fixture
def fail_at() -> Iterator[Callable[[str, OSError], None]]:
    def arrange(point: str, error: OSError) -> None:
        def hook(reached: str) -> None:
            if reached == point:
                raise error

        fs.hook = hook

    yield arrange
    fs.hook = None


def test_look_ups_share_a_snapshot_but_not_with_a_file_that_moves(app: App) -> None:
    unsorted(app, [upload("small", b"s"), upload("large", bytes(INLINE + 1))])
    database = app.engine.lake.database
    held = list[tuple[str, bool]]()
    names = ["small", "small", "large", "small"]
    for number, outcome in app.batch([request(endpoints.GET_OBJECT, name) for name in names], WHO):
        assert isinstance(outcome, Response)
        held.append((names[number], database.local.reading()))
        content(outcome)
    assert held == [("small", True), ("small", True), ("small", True), ("large", False)]  # small ones come first
    assert not database.local.reading()


def test_an_answer_that_is_not_taken_holds_nothing(app: App) -> None:
    unsorted(app, [upload("a"), upload("b")])
    answers = app.batch([request(endpoints.GET_OBJECT, name) for name in ("a", "b")], WHO)
    next(answers)
    answers.close()
    assert not app.engine.lake.database.local.reading()


def test_a_bad_path_of_a_missing_reference_is_refused_for_its_path_in_a_batch_too(app: App) -> None:
    requests = [
        request(endpoints.GET_OBJECT, "\ud800", branch="none"),
        request(endpoints.GET_OBJECT, "a", branch="none"),
    ]
    found = dict(app.batch(requests, WHO))
    assert [response.status for _, response in sorted(found.items()) if isinstance(response, Response)] == [400, 404]
