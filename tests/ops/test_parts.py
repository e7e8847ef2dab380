"""Uploads in parts: what is sent, signed again, looked up, gone on with and aborted."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from lakefs_hl.ops import parts
from lakefs_hl.ops import upload as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.parts import Expired, Part, Upload
from lakefs_hl.spec import errors, models, multipart
from lakefs_hl.spec.multipart import combined_etag
from lakefs_hl.spec.wire import FileSlice, Response
from tests.ops.script import Play, Step, lost, no, ok, session, step

DATA = b"0123456789"
PIECES = (b"0123", b"4567", b"89")
MD5S = [hashlib.md5(piece).hexdigest() for piece in PIECES]
CHECKSUM = combined_etag(bytes.fromhex(md5) for md5 in MD5S)
ADDRESS = "s3://bucket/data/x,token"
WHERE = ("r", "b", "u1")
STORAGE = models.StorageConfig("s3", pre_sign_support=True, pre_sign_multipart_upload=True)
SECRET = "X-Signature=s3cr3t"
ABORT = step("abortPresignMultipartUpload", *WHERE, answer=ok(), body={"physical_address": ADDRESS})
GONE = no(500, "NoSuchUpload: The specified upload does not exist.")


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "THRESHOLD", 9)
    monkeypatch.setattr(multipart, "PART_BYTES", 4)


class Journal:
    """A journal in memory."""

    def __init__(self, kept: Upload | None = None, outdated: Upload | None = None) -> None:
        self.kept, self.outdated = kept, outdated
        self.expired = list[Expired]()
        self.forgotten = list[Expired]()
        self.ended = False

    def load(self, part_size: int) -> Upload | None:
        assert part_size == 4
        return self.kept

    def begin(self, upload: Upload) -> None:
        assert not self.ended, "what has ended keeps nothing"
        self.kept = Upload(upload.upload_id, upload.address, upload.part_size, dict(upload.parts))

    def add(self, part: Part) -> None:
        assert self.kept is not None
        self.kept.parts[part.number] = part

    def end(self) -> None:
        self.ended = True

    def forget(self, expired: Expired) -> None:
        self.forgotten.append(expired)


def upload(body: bytes = DATA, journal: Journal | None = None, **options: Any) -> Op[models.ObjectStats]:
    made = session()
    made.storage = STORAGE
    return ops.upload(made, "r", "b", "k.csv", body, journal=journal, **options)


def begin(upload_id: str = "u1") -> Step:
    made = models.MultipartUpload(upload_id, ADDRESS)
    return step("createPresignMultipartUpload", "r", "b", answer=ok(made, 201), query={"path": "k.csv"})


def sign(number: int, upload_id: str = "u1") -> Step:
    answer = ok(models.PartURL(url(number)))
    wanted: dict[str, Any] = {"physical_address": ADDRESS}
    return step("uploadPart", "r", "b", upload_id, str(number), answer=answer, body=wanted)


def url(number: int) -> str:
    return f"https://store.example/x?partNumber={number}&{SECRET}"


def put(number: int, answer: Any = None, upload_id: str = "u1") -> Step:
    found = answer or Response(200, {"etag": f'"{MD5S[number - 1]}"'}, md5=MD5S[number - 1])
    piece = PIECES[number - 1]
    return step("presignedPart", "r", "b", upload_id, str(number), answer=found, body=piece, url=url(number))


def sent(*numbers: int, upload_id: str = "u1") -> list[Step]:
    return [each for number in numbers for each in (sign(number, upload_id), put(number, upload_id=upload_id))]


def record(checksum: str = CHECKSUM, address: str = "s3://bucket/data/x", size: int = 10) -> Response:
    return ok(models.ObjectStats("k.csv", "object", address, checksum, 1, size, metadata={"k": "ü"}))


def complete(answer: Any = None, upload_id: str = "u1", **wanted: Any) -> Step:
    where = ("r", "b", upload_id)
    return step("completePresignMultipartUpload", *where, answer=answer or record(), body=wanted or None)


def look(answer: Any) -> Step:
    return step("statObject", "r", "b", answer=answer)


def test_each_part_is_signed_just_before_it_is_sent() -> None:
    found = [{"part_number": number, "etag": md5} for number, md5 in enumerate(MD5S, 1)]
    wanted: dict[str, Any] = {
        "physical_address": ADDRESS,
        "parts": found,
        "user_metadata": {"k": "ü"},
        "content_type": "text/csv",
    }
    play = Play(begin(), *sent(1, 2, 3), complete(record(address="data/x,token"), **wanted))
    made = play.run(upload(metadata={"K": "ü"}))
    assert (made.checksum, made.physical_address) == (CHECKSUM, ADDRESS), "lakeFS shows the end of it here"
    stored = [request for request in play.sent if request.url is not None]
    assert [request.digest for request in stored] == [True] * 3
    assert not any(request.headers for request in stored), "exactly what was signed is sent"
    assert not any("s3cr3t" in repr(request) for request in play.sent)


def test_which_objects_go_in_parts() -> None:
    for op in (upload(DATA[:9]), upload(create_only=True)):  # a completion cannot be create-only
        play = Play(step("getPhysicalAddress", "r", "b", answer=no(403, "insufficient permissions")))
        play.fails(op, errors.ForbiddenException)


def test_what_no_store_takes_in_one_request_goes_through_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGEST_PUT", 9)
    whole = step("uploadObject", "r", "b", answer=ok(models.ObjectStats("k", "object", "a", "other", 1, 10), 201))
    Play(whole).run(upload(create_only=True))
    made = session()
    made.storage = models.StorageConfig("s3", pre_sign_support=True)
    Play(whole).run(ops.upload(made, "r", "b", "k.csv", DATA))


def test_parts_grow_with_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 16 << 20)
    for length in (1, 100 << 20, 156 << 30, 1 << 40, 5 << 40):
        size = multipart.part_size(length)
        assert size >= 16 << 20
        assert -(-length // size) <= 10_000
        assert size <= 1 << 30


def test_a_url_that_has_expired_is_signed_again() -> None:
    expired = Response(403, {"content-type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
    Play(begin(), *sent(1), sign(2), put(2, expired), *sent(2, 3), complete()).run(upload())
    play = Play(begin(), *[sign(1), put(1, expired)] * 3, ABORT)
    error = play.fails(upload(), errors.ForbiddenException, "AccessDenied")
    assert "s3cr3t" not in str(error)


def test_a_part_with_a_wrong_checksum_is_sent_again_and_nothing_is_completed() -> None:
    wrong = Response(200, {"etag": '"' + "0" * 32 + '"'}, md5=MD5S[0])
    Play(begin(), sign(1), put(1, wrong), *sent(1, 2, 3), complete()).run(upload())
    Play(begin(), *[sign(1), put(1, wrong)] * 3, ABORT).fails(upload(), errors.IntegrityError, "part 1")


def test_what_the_store_assembled_is_compared() -> None:
    for answer in (record("0" * 32 + "-3"), record(size=9)):
        Play(begin(), *sent(1, 2, 3), complete(answer), ABORT).fails(upload(), errors.IntegrityError)
    Play(begin(), *sent(1, 2, 3), complete(record("0" * 32 + "-3"))).run(upload(verify=False))
    encrypted = Response(200, {"etag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"}, md5=MD5S[0])
    Play(begin(), sign(1), put(1, encrypted), *sent(2, 3), complete(record("1" * 32 + "-3"))).run(upload())


def test_a_server_that_offers_no_parts_after_all_gets_the_whole() -> None:
    words = "presign multipart upload API is not supported"
    refused = step("createPresignMultipartUpload", "r", "b", answer=no(501, words))
    place = ok(models.StagingLocation(ADDRESS, url(0)))
    md5 = hashlib.md5(DATA).hexdigest()
    Play(
        refused,
        step("getPhysicalAddress", "r", "b", answer=place),
        step("presignedPut", "r", "b", answer=Response(200, {"etag": md5}), url=url(0)),
        step("linkPhysicalAddress", "r", "b", answer=record(md5)),
    ).run(upload())


def test_what_was_sent_is_aborted_on_failure_and_on_an_interruption() -> None:
    refused = no(403, "cannot write to protected branch")
    play = Play(begin(), *sent(1, 2, 3), complete(refused), ABORT)
    play.fails(upload(), errors.ForbiddenException, "protected")
    Play(begin(), *sent(1), sign(2), put(2, KeyboardInterrupt()), ABORT).fails(upload(), KeyboardInterrupt)
    failed = step("abortPresignMultipartUpload", *WHERE, answer=no(403, "insufficient permissions"))
    error = Play(begin(), *sent(1), sign(2), put(2, KeyboardInterrupt()), failed).fails(upload(), KeyboardInterrupt)
    assert "could not be aborted" in error.__notes__[0]


def test_a_completion_with_a_lost_response_is_looked_up_before_it_is_repeated() -> None:
    start = (begin(), *sent(1, 2, 3))
    Play(*start, complete(lost()), look(record())).run(upload())
    Play(*start, complete(lost()), look(record(address="data/x,token"))).run(upload())  # relative
    other = record("0" * 32, address="s3://bucket/data/other")
    Play(*start, complete(lost()), look(other), complete()).run(upload())
    Play(*start, complete(lost()), look(no(404, "not found")), complete(GONE), look(record())).run(upload())
    error = Play(*start, *[complete(lost()), look(other)] * 3).fails(upload(), errors.TransportException)
    assert error.maybe_applied is None  # and nothing is aborted: the store may have all of it


def test_a_success_without_a_record_is_none() -> None:  # B2.22
    error = ok({"message": "InternalError"})
    Play(begin(), *sent(1, 2, 3), complete(error), look(record())).run(upload())
    play = Play(begin(), *sent(1, 2, 3), *[complete(error), look(no(404, "not found"))] * 3)
    assert play.fails(upload(), errors.ProtocolException).maybe_applied is None


def kept(*numbers: int) -> Upload:
    return Upload("u1", ADDRESS, 4, {number: Part(number, MD5S[number - 1], True, True) for number in numbers})


def test_a_later_call_goes_on_where_a_killed_one_ended() -> None:
    journal = Journal(kept(1, 3))
    ordered = [{"part_number": number, "etag": md5} for number, md5 in enumerate(MD5S, 1)]  # B2.32
    Play(*sent(2), complete(parts=ordered)).run(upload(journal=journal))
    assert journal.ended
    Play(complete()).run(upload(journal=Journal(kept(1, 2, 3))))
    unverified = kept(1, 2, 3)
    unverified.parts[2] = Part(2, MD5S[1], True, False)
    Play(*sent(2), complete()).run(upload(journal=Journal(unverified)))
    unverified.parts[2] = Part(2, MD5S[1], True, False)
    Play(complete()).run(upload(journal=Journal(unverified), verify=False))


def test_an_upload_that_is_gone_is_begun_anew() -> None:
    missing = Response(404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")
    expired = step("uploadPart", *WHERE, "2", answer=no(400, "link address expired"))
    anew = (begin("u2"), *sent(1, 2, 3, upload_id="u2"), complete(upload_id="u2"))
    for steps in ((sign(2), put(2, missing)), (expired,)):
        journal = Journal(kept(1, 3))
        Play(*steps, *anew).run(upload(journal=journal))
        assert journal.ended
    Play(complete(GONE), look(no(404, "not found")), *anew).run(upload(journal=Journal(kept(1, 2, 3))))
    Play(begin(), sign(1), put(1, missing)).fails(upload(), errors.NotFoundException, "NoSuchUpload")


def test_what_is_gone_when_it_is_to_be_aborted_leaves_nothing() -> None:
    gone = step("abortPresignMultipartUpload", *WHERE, answer=GONE)
    journal, wrong = Journal(), record("0" * 32 + "-3")
    play = Play(begin(), *sent(1, 2, 3), complete(wrong), gone, gone)  # completed, so there is nothing to abort
    error = play.fails(upload(journal=journal), errors.IntegrityError)
    assert journal.ended
    assert not hasattr(error, "__notes__")


def test_a_journal_with_parts_that_the_object_does_not_have_is_of_use() -> None:
    damaged = kept(1, 3)
    damaged.parts |= {number: Part(number, MD5S[0], True, True) for number in (-1, 0, 4, 10**9)}
    ordered = [{"part_number": number, "etag": md5} for number, md5 in enumerate(MD5S, 1)]
    Play(*sent(2), complete(parts=ordered)).run(upload(journal=Journal(damaged)))


def test_an_older_object_is_not_taken_for_what_was_completed() -> None:
    start = (begin(), *sent(1, 2, 3))
    older = models.ObjectStats("k.csv", "object", "s3://bucket/data/old", CHECKSUM, 1, 10, content_type="text/csv")
    replace = msgspec.structs.replace
    assert Play(*start, complete(lost()), look(ok(older))).run(upload()) == older  # in all that can be asked for
    for changed in (replace(older, content_type="text/plain"), replace(older, metadata={"old": "1"})):
        Play(*start, complete(lost()), look(ok(changed)), complete()).run(upload())


def test_what_is_left_of_another_content_is_aborted() -> None:
    for answer in (ok(), no(403, "insufficient permissions")):
        abort = step("abortPresignMultipartUpload", "r", "b", "old", answer=answer)
        journal = Journal(outdated=Upload("old", ADDRESS, 4, {}))
        Play(abort, begin(), *sent(1, 2, 3), complete()).run(upload(journal=journal))


@pytest.mark.parametrize(
    ("answers", "forgets"),
    [
        ([ok()], True),
        ([GONE] * 2, True),
        ([no(400, "link address expired")], True),
        ([no(404, "repository not found")], True),
        ([no(403, "insufficient permissions")], False),
        ([lost()] * 2, False),
    ],
)
def test_an_upload_that_has_expired_is_aborted_before_it_is_forgotten(answers: list[Any], forgets: bool) -> None:
    journal, where = Journal(), ("other", "branch", "old")
    expired = Expired("other", "branch", "path", Upload("old", ADDRESS, 4, {}))
    journal.expired.append(expired)
    query = {"path": "path"}
    aborts = [step("abortPresignMultipartUpload", *where, answer=answer, query=query) for answer in answers]
    Play(*aborts, begin(), *sent(1, 2, 3), complete()).run(upload(journal=journal))
    assert journal.forgotten == [expired] * forgets
    assert journal.ended


def test_a_failure_that_may_pass_is_gone_on_with() -> None:
    journal = Journal()
    play = Play(begin(), *sent(1), *[sign(2), *[put(2, lost())] * 5])
    play.fails(upload(journal=journal), errors.TransportException)
    assert journal.kept is not None
    assert (list(journal.kept.parts), journal.ended) == ([1], False)
    Play(*sent(2, 3), complete()).run(upload(journal=journal))
    refused = Journal()
    Play(begin(), sign(1), put(1, no(400, "x")), sign(1), put(1, no(400)), sign(1), put(1, no(400)), ABORT).fails(
        upload(journal=refused), errors.BadRequestException
    )
    assert refused.ended


def test_progress_is_that_of_all_parts() -> None:
    moved = list[int]()
    content = parts.Content("r", "b", "k", FileSlice(7, 100, 10, None, moved.append), "text/csv", {}, True)
    progress = parts._Progress(content, kept(2))
    for number, at in ((1, 102), (3, 110), (1, 104)):
        move = progress.of(number)
        assert move is not None
        move(at)
    assert moved == [106, 108, 110]
