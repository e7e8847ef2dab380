"""Many objects by one Gather: an outcome for each, nothing left open, and only what no item survives is raised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops import bulk
from lakefs_hl.ops.auth import Authenticator
from lakefs_hl.ops.bulk import Fetch, Get, Put
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport.body import md5 as hash_of
from tests.ops.script import C0, Play, lost, no, ok, ref, session, step

DATA = b"0123456789"
MD5 = hashlib.md5(DATA).hexdigest()


def stats(path: str, content: bytes = DATA) -> models.ObjectStats:
    return models.ObjectStats(path, "object", "s3://b/k", hashlib.md5(content).hexdigest(), 1, len(content))


def s() -> Any:
    made = session()
    made.storage_refused = True  # without pre-signed URLs
    return made


class Body:
    """A body that notes what is done with it."""

    size: int | None = None

    def __init__(self, content: bytes | Exception | None) -> None:
        self.content = content
        self.calls = list[str]()

    def open(self) -> bytes | None:
        self.calls.append("open")
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def close(self) -> None:
        self.calls.append("close")


def upload(play: Play, puts: Any) -> list[tuple[str, Any]]:
    seen = list[tuple[str, Any]]()
    play.run(bulk.upload_each(s(), puts, 2, lambda put, written: seen.append((put.path, written))))
    return seen


def sent(path: str, answer: Any) -> Any:
    return step("uploadObject", "r", "b", query={"path": path}, answer=answer)


def test_each_object_has_an_outcome_of_its_own() -> None:
    bodies = [Body(DATA), Body(OSError(5, "broken disk")), Body(None)]
    puts = [Put("r", "b", f"{number}", body) for number, body in enumerate(bodies)]
    puts.append(Put("r", "b", "refused", DATA))
    play = Play(sent("0", ok(stats("0"), 201)), sent("refused", no(403, "not allowed")))
    seen = dict(upload(play, puts))
    assert seen["0"].checksum == MD5
    assert str(seen["1"]) == "[Errno 5] broken disk"
    assert seen["2"] is None
    assert isinstance(seen["refused"], errors.ForbiddenException)
    assert [body.calls for body in bodies] == [["open", "close"]] * 3


def test_type_and_metadata_go_out_with_the_object() -> None:
    put = Put("r", "b", "k", DATA, "text/x", {"a": "1", "::lakefs::client-mtime": "17"})
    headers = {"content-type": "text/x", "x-lakefs-meta-a": "1", "x-lakefs-internal-client-mtime": "17"}
    record = msgspec.structs.replace(stats("k"), metadata=dict(put.metadata))
    play = Play(step("uploadObject", "r", "b", headers=headers, answer=ok(record, 201)))
    assert upload(play, [put])[0][1] == record


def test_refused_credentials_end_all() -> None:
    body = Body(DATA)
    play = Play(sent("0", no(401, "who are you")))
    puts = (Put("r", "b", f"{number}", body) for number in range(1000))
    error = play.fails(bulk.upload_each(s(), puts, 2, lambda *_: None), errors.NotAuthorizedException)
    assert error.status == 401
    assert body.calls == ["open", "close"]
    assert next(puts).path == "1", "no further item was read"


def test_an_interrupted_op_closes_its_body() -> None:
    body = Body(DATA)
    gather = next(bulk.upload_each(s(), [Put("r", "b", "k", body)], 2, lambda *_: None))
    (op,) = gather.ops  # type: ignore[union-attr]
    op.send(None)
    op.send(body.open())
    op.close()
    assert body.calls == ["open", "close"]


def test_items_are_read_one_by_one() -> None:
    read = list[int]()

    def puts() -> Iterator[Put]:
        for number in range(3):
            read.append(number)
            yield Put("r", "b", f"{number}", DATA)

    gather = next(bulk.upload_each(s(), puts(), 2, lambda *_: None))
    ops = iter(gather.ops)  # type: ignore[union-attr]
    assert read == []
    next(ops)
    assert read == [0]


def test_a_branch_is_checked_before_thousands_are_refused() -> None:
    Play(step("getBranch", "r", "b", answer=ref("b", C0))).run(bulk.check_branch(s(), "r", "b"))
    Play(step("getBranch", "r", "b", answer=no(403, "no"))).run(bulk.check_branch(s(), "r", "b"))
    play = Play(step("getBranch", "r", "b", answer=no(404, "not found")))
    error = play.fails(bulk.check_branch(s(), "r", "b"), errors.NotFoundException)
    assert "uploading to lakefs://r/b/" in str(error)


@pytest.mark.parametrize(
    ("ref_id", "steps", "found"),
    [
        (C0, [], C0),
        ("b", [step("getBranch", "r", "b", answer=ref("b", C0))], "b"),
        (
            "v1",
            [
                step("getBranch", "r", "v1", answer=no(404, "branch not found")),
                step("getCommit", "r", "v1", answer=ok(models.Commit(C0, [], "me", "m", 1, "r", {}))),
            ],
            C0,
        ),
        (
            "b~1",
            [
                step("getBranch", "r", "b~1", answer=no(400, "invalid branch name")),
                step("getCommit", "r", "b~1", answer=ok(models.Commit(C0, [], "me", "m", 1, "r", {}))),
            ],
            C0,
        ),
    ],
)
def test_what_cannot_change_is_pinned(ref_id: str, steps: Any, found: str) -> None:
    assert Play(*steps).run(bulk.pin_unless_branch(s(), "r", ref_id)) == found


# -- reading ----------------------------------------------------------------------------------------------------------


def content(data: bytes = DATA, etag: str = MD5) -> Response:
    return Response(
        200, {"etag": f'"{etag}"', "content-length": str(len(data))}, data, md5=hashlib.md5(data).hexdigest()
    )


def test_objects_are_read_with_their_index() -> None:
    seen = dict[int, Any]()
    play = Play(
        step("getObject", "r", "b", answer=content()),
        step("getObject", "r", "b", answer=no(404, "not found")),
        step("getCommit", "r", "b", answer=ok(models.Commit(C0, [], "me", "m", 1, "r", {}))),
        step(
            "getObject",
            "r",
            "b",
            headers={"range": "bytes=2-4"},
            answer=Response(206, {"etag": MD5, "content-range": "bytes 2-4/10"}, b"234"),
        ),
    )
    gets = [Get("r", "b", "a"), Get("r", "b", "gone"), Get("r", "b", "c", 2, 5)]
    play.run(bulk.read_each(s(), gets, 2, seen.__setitem__))
    assert (seen[0], seen[2]) == (DATA, b"234")
    assert isinstance(seen[1], errors.ObjectNotFoundException)


class Part:
    """A file of a download."""

    def __init__(self, path: Path, expected: str, filled: int = 0) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT)
        self.filled, self.expected = filled, expected
        self.on_move: Callable[[int], None] | None = None
        self.calls = list[str]()

    def hash_start(self, compared: Any) -> Any:
        return hashlib.md5(os.pread(self.fd, self.filled, 0))

    def spread(self, hashed: Any) -> None:
        raise AssertionError

    def land(self, start: int, end: int) -> None:
        raise AssertionError

    def collect(self) -> str | None:
        raise AssertionError

    def check(self, found: str | None, compared: Any) -> str | None:
        self.calls.append(f"check {found is not None}")
        read = hashlib.md5(os.pread(self.fd, 100, 0)).hexdigest()
        return None if read == self.expected else "the content is wrong"

    def restart(self) -> None:
        self.calls.append("restart")
        os.ftruncate(self.fd, 0)
        self.filled = 0

    def finish(self) -> None:
        self.calls.append("finish")

    def close(self) -> None:
        self.calls.append("close")
        os.close(self.fd)


class Target:
    def __init__(self, part: Part | None = None) -> None:
        self.part = part
        self.saved = list[bytes]()

    def save(self, content: bytes) -> None:
        self.saved.append(content)

    def place(self) -> Part:
        assert self.part is not None
        return self.part


def filling(data: bytes, start: int = 0, etag: str = MD5) -> Any:
    def answer(request: Request) -> Response:
        assert isinstance(request.sink, FileSlice)
        os.pwrite(request.sink.fd, data, request.sink.offset)
        span = {"etag": f'"{etag}"', "content-range": f"bytes {start}-{start + len(data) - 1}/10"}
        hashed = hash_of(request)
        if hashed is not None:
            hashed.update(data)
        return Response(206, span, filled=len(data), hashed=hashed)

    return answer


def download(play: Play, *fetches: Fetch, small: int = 0) -> list[Any]:
    seen = list[Any]()
    play.run(bulk.download_each(s(), fetches, 2, lambda fetch, error: seen.append(error), small=small))
    return seen


def test_a_small_object_is_written_at_once() -> None:
    target = Target()
    assert download(
        Play(step("getObject", "r", "b", answer=content())),
        Fetch("r", "b", "k", etag=MD5, size=10, target=target),
        small=10,
    ) == [None]
    assert target.saved == [DATA]


def test_an_object_of_another_version_is_not_written() -> None:
    target = Target()
    (error,) = download(
        Play(step("getObject", "r", "b", answer=content())),
        Fetch("r", "b", "k", etag="f" * 32, size=10, target=target),
        small=10,
    )
    assert isinstance(error, errors.ObjectChangedError)
    assert target.saved == []


def test_a_larger_object_is_written_into_its_file_and_hashed_on_the_way(tmp_path: Path) -> None:
    part = Part(tmp_path / "part", MD5)
    play = Play(step("getObject", "r", "b", headers={"range": "bytes=0-9"}, answer=filling(DATA)))
    assert download(play, Fetch("r", "b", "k", etag=MD5, size=10, target=Target(part))) == [None]
    assert part.calls == ["check True", "finish", "close"]


def test_a_part_is_continued_and_the_whole_is_verified(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA[:4])
    part = Part(tmp_path / "part", MD5, 4)
    play = Play(step("getObject", "r", "b", headers={"range": "bytes=4-9"}, answer=filling(DATA[4:], 4)))
    assert download(play, Fetch("r", "b", "k", etag=MD5, size=10, target=Target(part))) == [None]
    assert part.calls == ["check True", "finish", "close"]
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_part_that_does_not_fit_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"XXXX")
    part = Part(tmp_path / "part", MD5, 4)
    play = Play(
        step("getObject", "r", "b", headers={"range": "bytes=4-9"}, answer=filling(DATA[4:], 4)),
        step("getObject", "r", "b", headers={"range": "bytes=0-9"}, answer=filling(DATA)),
    )
    assert download(play, Fetch("r", "b", "k", etag=MD5, size=10, target=Target(part))) == [None]
    assert part.calls == ["check True", "restart", "check True", "finish", "close"]


def test_a_whole_part_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)
    part = Part(tmp_path / "part", MD5, 10)
    assert download(Play(), Fetch("r", "b", "k", etag=MD5, size=10, target=Target(part))) == [None]


def test_content_that_stays_wrong_is_an_error_and_has_no_name(tmp_path: Path) -> None:
    part = Part(tmp_path / "part", "f" * 32)
    play = Play(*[step("getObject", "r", "b", answer=filling(DATA, etag="f" * 32)) for _ in range(3)])
    (error,) = download(play, Fetch("r", "b", "k", etag="f" * 32, size=10, target=Target(part)))
    assert isinstance(error, errors.IntegrityError)
    assert "3 times" in str(error)
    assert "finish" not in part.calls
    assert part.calls[-1] == "close"


# -- in process: groups ------------------------------------------------------------------------------------------------


def local() -> Any:
    made = Session(Authenticator(None))
    made.storage_refused = True  # without pre-signed URLs
    return made


def pace(session: Any) -> Any:
    return session.width.within(None)


def upload_together(play: Play, puts: Any) -> list[tuple[str, Any]]:
    seen, session = list[tuple[str, Any]](), local()
    play.run(bulk.upload_each(session, puts, pace(session), lambda put, written: seen.append((put.path, written))))
    return seen


def download_together(play: Play, *fetches: Fetch) -> dict[str, Any]:
    seen, session = dict[str, Any](), local()
    play.run(
        bulk.download_each(
            session, fetches, pace(session), lambda fetch, error: seen.update({fetch.path: error}), small=100
        )
    )
    return seen


def test_small_objects_are_sent_together_and_each_has_its_outcome() -> None:
    bodies = [Body(DATA), Body(OSError(5, "broken disk")), Body(None)]
    for body in bodies:
        body.size = 10
    puts = [
        Put("r", "b", "a", DATA),
        *(Put("r", "b", f"body{number}", body) for number, body in enumerate(bodies)),
        Put("r", "b", "refused", DATA),
        Put("r", "b", "busy", DATA),
        Put("r", "b", "form", DATA, "multipart/form-data; boundary=x"),
        Put("r", "b", "changed", DATA),
    ]
    play = Play(
        sent("a", ok(stats("a"), 201)),
        sent("body0", ok(stats("body0"), 201)),
        sent("refused", no(403, "no")),
        sent("busy", lost()),
        sent("changed", ok(stats("changed", b"other"), 201)),
        sent("busy", ok(stats("busy"), 201)),
        sent("changed", ok(stats("changed"), 201)),
    )
    seen = upload_together(play, puts)
    assert [path for path, _ in seen] == [put.path for put in puts]
    found = dict(seen)
    assert {path for path, written in seen if isinstance(written, models.ObjectStats)} == {
        "a",
        "body0",
        "busy",
        "changed",
    }
    assert isinstance(found["body1"], OSError)
    assert found["body2"] is None
    assert isinstance(found["refused"], errors.ForbiddenException)
    assert "as a form" in str(found["form"])
    assert [body.calls for body in bodies] == [["open", "close"]] * 3
    assert play.effects.count("send all") == 1


def test_metadata_that_no_header_carries_takes_its_own_requests() -> None:
    put = Put("r", "b", "a", DATA, None, {"ä": "1"})
    play = Play(
        sent("a", ok(stats("a"), 201)),
        step("updateObjectUserMetadata", "r", "b", answer=Response(201)),
        step("statObject", "r", "b", answer=ok(stats("a"))),
    )
    ((_, written),) = upload_together(play, [put])
    assert isinstance(written, models.ObjectStats)


def test_a_large_body_and_an_unknown_one_go_by_themselves() -> None:
    large = bytes(bulk.SMALL + 1)
    puts = [Put("r", "b", "large", large), Put("r", "b", "unknown", Body(DATA)), Put("r", "b", "a", DATA)]
    play = Play(
        sent("large", ok(stats("large", large), 201)),
        sent("unknown", ok(stats("unknown"), 201)),
        sent("a", ok(stats("a"), 201)),
    )
    assert [path for path, _ in upload_together(play, puts)] == ["large", "unknown", "a"]
    assert play.effects.count("send all") == 1


def test_a_group_has_a_bound(mocker: MockerFixture) -> None:
    mocker.patch.object(bulk, "GROUP", 2)
    puts = (Put("r", "b", f"{number}", DATA) for number in range(5))
    play = Play(*(sent(f"{number}", ok(stats(f"{number}"), 201)) for number in range(5)))
    assert len(upload_together(play, puts)) == 5
    assert play.effects.count("send all") == 3
    mocker.patch.object(bulk, "GROUP_BYTES", 10)
    play = Play(*(sent(f"{number}", ok(stats(f"{number}"), 201)) for number in range(3)))
    assert len(upload_together(play, [Put("r", "b", f"{number}", DATA) for number in range(3)])) == 3
    assert play.effects.count("send all") == 3


def test_refused_credentials_end_a_group() -> None:
    session = local()
    op = bulk.upload_each(session, [Put("r", "b", "a", DATA)], pace(session), lambda *_: None)
    Play(sent("a", no(401, "no"))).fails(op, errors.NotAuthorizedException)


def test_what_is_no_failure_of_an_object_is_raised() -> None:
    class Defect(Exception):
        """What a transport raises by a bug."""

    session = local()
    op = bulk.upload_each(session, [Put("r", "b", "a", DATA)], pace(session), lambda *_: None)
    gather = next(op)
    (group,) = gather.ops  # type: ignore[union-attr]
    contents = next(group).function()  # type: ignore[union-attr]
    requests = group.send(contents).requests  # type: ignore[union-attr]
    (left,) = group.send([Defect() for _ in requests]).ops  # type: ignore[union-attr]
    with pytest.raises(Defect):
        next(left)


def test_small_objects_are_read_together_and_written_at_once() -> None:
    targets = {path: Target() for path in ("a", "gone", "other", "torn", "longer")}
    fetches = [Fetch("r", "b", path, etag=MD5, size=10, target=target) for path, target in targets.items()]
    torn = content()
    torn.md5 = "0" * 32
    play = Play(
        step("getObject", "r", "b", answer=content()),
        step("getObject", "r", "b", answer=no(404, "not found")),
        step("getObject", "r", "b", answer=content(etag="f" * 32)),
        step("getObject", "r", "b", answer=torn),
        step("getObject", "r", "b", answer=content(b"longer than it was")),
        step("getCommit", "r", "b", answer=ok(models.Commit(C0, [], "me", "m", 1, "r", {}))),
        step("getObject", "r", "b", answer=content()),
        step("getObject", "r", "b", answer=content()),
    )
    seen = download_together(play, *fetches)
    assert seen["a"] is None
    assert isinstance(seen["gone"], errors.ObjectNotFoundException)
    assert isinstance(seen["other"], errors.ObjectChangedError)
    assert seen["torn"] is None
    assert [target.saved for target in targets.values()] == [[DATA], [], [], [DATA], [DATA]]
    assert play.effects.count("send all") == 1


def test_an_object_that_cannot_be_saved_fails_and_the_others_do_not() -> None:
    class Full(Target):
        def save(self, content: bytes) -> None:
            raise OSError(28, "no space left")

    fetches = [
        Fetch("r", "b", "full", etag=MD5, size=10, target=Full()),
        Fetch("r", "b", "a", etag=MD5, size=10, target=Target()),
    ]
    seen = download_together(Play(*[step("getObject", "r", "b", answer=content())] * 2), *fetches)
    assert isinstance(seen["full"], OSError)
    assert seen["a"] is None
