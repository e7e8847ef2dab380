"""Reads: every byte verified, interrupted bodies resumed, versions never mixed, pre-signed or not."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lakefs_hl.ops import transfer
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.refusals import meaning_of
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from tests.ops.script import C1, HTML, Play, breaking, commit, filling, lost, no, ok, session, step

S = session()
DATA = b"0123456789"
MD5 = hashlib.md5(DATA).hexdigest()
GET = ("getObject", "r", "b")
URL = "https://store.example/bucket/k?X-Signature=s3cr3t"
URL2 = "https://store.example/bucket/k?X-Signature=s3cr3t2"


def whole(content: bytes = DATA, etag: str = MD5, md5: str | None = None, **headers: str) -> Response:
    named = {"etag": f'"{etag}"', "content-length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, named, content, md5=md5 or hashlib.md5(content).hexdigest())


def download(**options: Any) -> Op[bytes]:
    return transfer.download(S, "r", "b", "k", **{"pre_signed": False, **options})


def stat(checksum: str = MD5, size: int = 10, address: str = "s3://b/k") -> Response:
    return ok(models.ObjectStats("k", "object", address, checksum, 1, size))


# -- whole ------------------------------------------------------------------------------------------------------------


def test_a_whole_object_is_hashed_by_the_transport() -> None:
    play = Play(step(*GET, answer=whole(), query={"path": "k"}))
    assert play.run(download()) == DATA
    assert play.sent[0].digest
    assert "range" not in play.sent[0].headers


def test_an_empty_object() -> None:  # B1.1
    assert Play(step(*GET, answer=whole(b"", hashlib.md5(b"").hexdigest()))).run(download()) == b""


def test_content_with_a_wrong_checksum_is_fetched_twice_more() -> None:
    bad = whole(b"012345678X", MD5)
    play = Play(step(*GET, answer=bad), step(*GET, answer=bad), step(*GET, answer=whole()))
    assert play.run(download()) == DATA
    play = Play(*[step(*GET, answer=bad)] * 3)
    error = play.fails(download(), errors.IntegrityError, "lakefs://r/b/k: the content has MD5")
    assert MD5 in str(error)
    assert "verify=False" in str(error)


@pytest.mark.parametrize("etag", ["", "abc", MD5 + "-3", "W/" + MD5, "Zz" * 16])  # B1.16, B2.30
def test_only_a_plain_md5_is_compared_with_the_content(etag: str) -> None:
    assert Play(step(*GET, answer=whole(etag=etag))).run(download()) == DATA


@pytest.mark.parametrize("kms", ["aws:kms", "aws:kms:dsse"])
def test_the_etag_of_an_encrypted_store_is_not_an_md5(kms: str) -> None:
    answer = whole(etag="0" * 32, x_amz_server_side_encryption=kms)
    assert Play(step(*GET, answer=answer)).run(download()) == DATA


def test_verify_false() -> None:
    play = Play(step(*GET, answer=whole(etag="0" * 32)))
    play.sent.clear()
    answer = whole(etag="0" * 32)
    answer.md5 = None
    play = Play(step(*GET, answer=answer))
    assert play.run(download(verify=False)) == DATA
    assert not play.sent[0].digest


def test_a_short_body_is_never_accepted() -> None:  # B1.9
    short = whole(b"01234", MD5)
    short.headers = {**short.headers, "content-length": "10"}
    play = Play(step(*GET, answer=short), step(*GET, answer=whole()))
    assert play.run(download(verify=False)) == DATA
    Play(*[step(*GET, answer=short)] * 3).fails(download(), errors.IntegrityError, "received 5 of 10 bytes")


def test_an_interrupted_body_is_fetched_again() -> None:  # B1.10
    play = Play(step(*GET, answer=lost(received=5)), step(*GET, answer=whole()))
    assert play.run(download()) == DATA


def test_a_web_page_is_not_an_object() -> None:
    play = Play(step(*GET, answer=Response(200, HTML, b"<html>")))
    play.fails(download(), errors.ProtocolException, "check that the endpoint is correct")


def test_an_object_that_is_a_web_page() -> None:
    page = b"<html>"
    answer = whole(page, hashlib.md5(page).hexdigest(), content_type="text/html")
    assert Play(step(*GET, answer=answer)).run(download()) == page


def test_a_compressed_object_is_returned_as_stored() -> None:  # B1.16
    answer = whole(content_encoding="gzip")
    assert Play(step(*GET, answer=answer)).run(download()) == DATA


# -- ranges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "header", "first", "content"),
    [
        (2, 5, "bytes=2-4", 2, b"234"),
        (2, None, "bytes=2-", 2, b"23456789"),
        (None, 3, "bytes=0-2", 0, b"012"),
        (8, 99, "bytes=8-98", 8, b"89"),
        (0, 10, "bytes=0-9", 0, DATA),
    ],
)
def test_ranges(start: int | None, end: int | None, header: str, first: int, content: bytes) -> None:
    play = Play(step(*GET, answer=filling(content, 10, first), headers={"range": header}))
    assert play.run(download(start=start, end=end)) == content


@pytest.mark.parametrize(("start", "end"), [(-3, None), (-3, -1), (2, -2), (-99, 4), (-1, 3)])
def test_negative_positions_count_from_the_end_as_in_a_slice(start: int, end: int | None) -> None:
    want = DATA[start:end]
    first, last, _ = slice(start, end).indices(10)
    steps = [step("statObject", "r", "b", answer=stat())]
    steps.append(
        step(*GET, answer=filling(want, 10, first), headers={"range": f"bytes={first}-{last - 1}"} if first else {})
        if want
        else step("statObject", "r", "b", answer=stat())
    )
    assert Play(*steps).run(download(start=start, end=end)) == want


def test_an_empty_range_of_a_missing_object_is_an_error() -> None:
    there = step("getCommit", "r", "b", answer=ok(commit(C1)))
    Play(step("statObject", "r", "b", answer=no(404, "not found")), there).fails(
        download(start=3, end=3), errors.ObjectNotFoundException
    )
    assert Play(step("statObject", "r", "b", answer=stat())).run(download(start=3, end=3)) == b""


def test_a_range_beyond_the_end_is_empty() -> None:  # B1.2
    answer = no(416, "Requested Range Not Satisfiable", content_range="bytes */10")
    assert Play(step(*GET, answer=answer)).run(download(start=10)) == b""


def test_a_server_that_ignores_the_range() -> None:  # B1.11
    assert Play(step(*GET, answer=whole())).run(download(start=2, end=5)) == b"234"


@pytest.mark.parametrize("told", ["bytes 3-5/10", "bytes 2-4/*", "", "bytes */10"])
def test_another_range_than_requested(told: str) -> None:
    answer = Response(206, {"etag": '"e"', "content-range": told}, b"234")
    Play(step(*GET, answer=answer)).fails(
        download(start=2, end=5), errors.ProtocolException, "requested the bytes from 2"
    )


def test_a_range_that_is_too_short() -> None:
    answer = Response(206, {"etag": '"e"', "content-range": "bytes 2-4/10"}, b"23")
    Play(*[step(*GET, answer=answer)] * 3).fails(download(start=2, end=5), errors.IntegrityError, "2 of 3 bytes")


# -- into a sink, resumed ---------------------------------------------------------------------------------------------


def read(sink: Any, start: int = 0, **options: Any) -> Op[transfer.Part]:
    return transfer.read_into(S, "r", "b", "k", start, memoryview(sink), **{"pre_signed": False, **options})


def test_a_sink_is_filled() -> None:
    sink = bytearray(4)
    play = Play(step(*GET, answer=filling(b"2345", 10, 2), headers={"range": "bytes=2-5"}))
    assert play.run(read(sink, 2)) == transfer.Part(4, 10, "e")
    assert sink == b"2345"


def test_a_read_ends_at_the_end_of_the_object() -> None:
    sink = bytearray(9)
    assert Play(step(*GET, answer=filling(b"89", 10, 8))).run(read(sink, 8)) == transfer.Part(2, 10, "e")


def test_an_interrupted_body_is_resumed() -> None:  # B1.10, B1.8: a narrower sink, a later range
    sink = bytearray(10)
    play = Play(
        step(*GET, answer=breaking(b"012", 10), headers={"range": "bytes=0-9"}),
        step(*GET, answer=breaking(b"3456", 10, 3), headers={"range": "bytes=3-9"}),
        step(*GET, answer=filling(b"789", 10, 7), headers={"range": "bytes=7-9"}),
    )
    assert play.run(read(sink)) == transfer.Part(10, 10, "e")
    assert sink == DATA
    assert len(play.slept) == 2


@pytest.mark.parametrize("start", [0, 4])
def test_a_hash_goes_on_over_interruptions(start: int) -> None:
    before, digest = hashlib.md5(DATA[:start]), DATA[start:]

    def cut(request: Request) -> Response:
        assert not isinstance(request.digest, bool)
        hashed = request.digest.copy()
        hashed.update(digest[:3])
        try:
            return breaking(digest[:3], 10, start)(request)
        except TransportError as error:
            error.hashed = hashed
            raise

    # the second one does not tell its hash, as a transport of others may do
    play = Play(step(*GET, answer=cut), step(*GET, answer=filling(digest[3:], 10, start + 3)))
    part = play.run(read(bytearray(10), start, digest=before))
    assert part.hashed is not None
    assert (part.md5, part.hashed.hexdigest()) == (MD5, MD5)
    assert before.hexdigest() == hashlib.md5(DATA[:start]).hexdigest()


def test_a_part_that_is_not_the_last_has_no_md5() -> None:
    part = Play(step(*GET, answer=filling(DATA[:4], 10))).run(read(bytearray(4), digest=True))
    assert part.md5 is None
    assert part.hashed is not None
    assert part.hashed.hexdigest() == hashlib.md5(DATA[:4]).hexdigest()
    assert Play(step(*GET, answer=filling(DATA[4:], 10, 4))).run(read(bytearray(6), 4, digest=True)).hashed is None


def test_a_short_response_is_resumed() -> None:  # B1.9
    sink = bytearray(10)

    def short(request: Request) -> Response:
        response = filling(b"0123", 10)(request)
        response.headers = {**response.headers, "content-range": "bytes 0-9/10"}
        return response

    play = Play(step(*GET, answer=short), step(*GET, answer=filling(b"456789", 10, 4), headers={"range": "bytes=4-9"}))
    assert play.run(read(sink)).filled == 10
    assert sink == DATA


def test_an_object_that_changed_meanwhile() -> None:  # B1.10: never mixed bytes
    play = Play(step(*GET, answer=breaking(b"012", 10)), step(*GET, answer=filling(b"XXXXXXX", 10, 3, etag="new")))
    error = play.fails(read(bytearray(10)), errors.ObjectChangedError, "its checksum was e and is now new")
    assert "branch.pin()" in str(error)


def test_the_version_of_an_earlier_part_is_required() -> None:  # B1.12
    play = Play(step(*GET, answer=filling(b"45", 10, 4, etag="new")))
    play.fails(read(bytearray(2), 4, etag="e"), errors.ObjectChangedError)


def test_an_interrupted_body_of_another_version_is_discarded() -> None:
    play = Play(step(*GET, answer=breaking(b"45", 10, 4, etag="new")))
    play.fails(read(bytearray(4), 4, etag="e"), errors.ObjectChangedError)


def test_bytes_of_unknown_origin_are_fetched_again() -> None:
    """Without the interrupted response, the version of the bytes is unknown."""
    sink = bytearray(10)
    play = Play(
        step(*GET, answer=breaking(b"XXX", 10, head=False), headers={"range": "bytes=0-9"}),
        step(*GET, answer=filling(DATA, 10), headers={"range": "bytes=0-9"}),
    )
    assert play.run(read(sink)).filled == 10
    assert sink == DATA


def test_an_interruption_after_the_last_byte() -> None:
    sink = bytearray(4)
    assert Play(step(*GET, answer=breaking(b"0123", 10))).run(read(sink)) == transfer.Part(4, 10, "e")


def test_a_body_without_progress_is_given_up() -> None:
    play = Play(*[step(*GET, answer=breaking(bytes([48 + n]), 10, n)) for n in range(6)])
    play.fails(read(bytearray(10)), errors.TransportException, "reading lakefs://r/b/k")


def test_progress_resets_the_count_of_resumes() -> None:
    size, block = 70_000 * 12, b"x" * 70_000
    sink = bytearray(size)
    steps = [step(*GET, answer=breaking(block, size, n * 70_000)) for n in range(11)]
    assert Play(*steps, step(*GET, answer=filling(block, size, 770_000))).run(read(sink)).filled == size


def test_a_missing_response_is_retried_like_any_read() -> None:
    sink = bytearray(10)
    play = Play(step(*GET, answer=lost()), step(*GET, answer=no(503, "x")), step(*GET, answer=filling(DATA, 10)))
    play.run(read(sink))


def test_a_protocol_error_is_not_resumed() -> None:  # B1.11, longer bodies: B1.9
    broken = TransportError("read", "more bytes than asked for", received=4, retry=False, kind="protocol")
    Play(step(*GET, answer=broken)).fails(read(bytearray(4)), errors.ProtocolException)


def test_the_whole_object_instead_of_a_range() -> None:  # B1.11
    sink = bytearray(12)
    play = Play(step(*GET, answer=filling(DATA, 10, status=200)))
    assert play.run(read(sink)) == transfer.Part(10, 10, "e")
    Play(step(*GET, answer=filling(DATA, 10, status=200))).fails(
        read(sink, 3), errors.ProtocolException, "the server sent the whole object"
    )


def test_an_empty_object_into_a_sink() -> None:  # B1.1
    play = Play(step(*GET, answer=no(416, "x")), step("statObject", "r", "b", answer=stat("e0", 0)))
    assert play.run(read(bytearray(4))) == transfer.Part(0, 0, "e0")


def test_reading_on_at_the_end() -> None:  # B1.2
    play = Play(step(*GET, answer=no(416, "x")), step("statObject", "r", "b", answer=stat("e", 10)))
    assert play.run(read(bytearray(4), 10, etag="e")) == transfer.Part(0, 10, "e")


def test_an_object_that_became_shorter() -> None:  # B1.12
    play = Play(step(*GET, answer=no(416, "x")), step("statObject", "r", "b", answer=stat("new", 3)))
    play.fails(read(bytearray(4), 8, etag="e"), errors.ObjectChangedError)


def test_an_empty_sink_returns_the_size() -> None:
    play = Play(step("statObject", "r", "b", answer=stat("e", 10)))
    assert play.run(read(bytearray(0))) == transfer.Part(0, 10, "e")


def test_a_missing_object() -> None:
    missing = step(*GET, answer=no(404, "not found"))
    Play(missing, step("getCommit", "r", "b", answer=ok(commit(C1)))).fails(
        read(bytearray(1)), errors.ObjectNotFoundException, "reading lakefs://r/b/k: not found"
    )
    gone = step("getCommit", "r", "b", answer=no(404, "commit not found"))
    Play(missing, gone).fails(read(bytearray(1)), errors.NotFoundException, "there is no branch, tag or commit 'b'")


def test_a_file_as_a_sink_is_narrowed() -> None:
    def some(request: Request) -> Response:
        assert request.sink == FileSlice(7, 100, 10)
        head = Response(206, {"etag": '"e"', "content-range": "bytes 0-9/10"})
        raise TransportError("read", "closed", received=4, kind="reset", response=head)

    def rest(request: Request) -> Response:
        assert request.sink == FileSlice(7, 104, 6)
        return Response(206, {"etag": '"e"', "content-range": "bytes 4-9/10"}, filled=6)

    op = transfer.read_into(S, "r", "b", "k", 0, FileSlice(7, 100, 10), pre_signed=False)
    assert Play(step(*GET, answer=some), step(*GET, answer=rest)).run(op).filled == 10


# -- pre-signed -------------------------------------------------------------------------------------------------------

STORE = ("presignedGet", "r", "b")
SIGNED = step("statObject", "r", "b", answer=stat(address=URL), query={"path": "k", "presign": "true"})
SIGNED2 = step("statObject", "r", "b", answer=stat(address=URL2))


def s3(content: bytes = DATA, **headers: str) -> Response:
    return whole(content, **headers)


def test_the_servers_capabilities_are_requested_once() -> None:
    s = session()
    config = step("getStorageConfig", answer=ok(models.StorageConfig("s3", pre_sign_support=True)))
    play = Play(config, SIGNED, step(*STORE, answer=s3(), url=URL), SIGNED, step(*STORE, answer=s3(), url=URL))

    def twice() -> Op[bytes]:
        yield from transfer.download(s, "r", "b", "k")
        return (yield from transfer.download(s, "r", "b", "k"))

    assert play.run(twice()) == DATA
    assert all(each.authorization is None for each in play.sent if each.url)  # B1.14


def test_a_server_without_presigning() -> None:
    config = step("getStorageConfig", answer=ok(models.StorageConfig("local")))
    assert Play(config, step(*GET, answer=whole())).run(transfer.download(session(), "r", "b", "k")) == DATA


def test_an_explicit_choice_sends_no_request() -> None:
    assert Play(SIGNED, step(*STORE, answer=s3(), url=URL)).run(download(pre_signed=True)) == DATA


def test_the_stores_bytes_are_compared_with_the_records_checksum() -> None:
    bad = s3(b"012345678X", etag="anything")
    play = Play(SIGNED, *[step(*STORE, answer=bad, url=URL)] * 3)
    play.fails(download(pre_signed=True), errors.IntegrityError, "lakefs://r/b/k")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_expired_url_is_renewed_once(status: int) -> None:  # B1.15
    gone = Response(status, {}, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    play = Play(SIGNED, step(*STORE, answer=gone, url=URL), SIGNED2, step(*STORE, answer=s3(), url=URL2))
    assert play.run(download(pre_signed=True)) == DATA
    play = Play(SIGNED, step(*STORE, answer=gone, url=URL), SIGNED2, step(*STORE, answer=gone, url=URL2))
    error = play.fails(download(pre_signed=True), meaning_of(status).error, "AccessDenied: Request has expired")
    assert "s3cr3t" not in str(error) + repr(error) + repr(error.__dict__)  # B9.93


def test_a_store_error_keeps_no_body() -> None:
    body = b"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>s3cr3t</StringToSign></Error>"
    play = Play(SIGNED, step(*STORE, answer=Response(403, {}, body), url=URL), SIGNED2)
    play.steps.append(step(*STORE, answer=Response(403, {}, body), url=URL2))
    error = play.fails(download(pre_signed=True), errors.ForbiddenException)
    assert error.body == b""
    assert "s3cr3t" not in str(error)


def test_the_object_changed_while_the_url_expired() -> None:
    fresh = step("statObject", "r", "b", answer=stat("new" * 10, address=URL2))
    play = Play(SIGNED, step(*STORE, answer=Response(403), url=URL), fresh)
    play.fails(download(pre_signed=True), errors.ObjectChangedError)


def test_a_server_that_sends_no_url() -> None:
    play = Play(step("statObject", "r", "b", answer=stat(address="local:///tmp/x")))
    play.fails(download(pre_signed=True), errors.UnsupportedOperationException, "pre_signed=False")
    play = Play(step("statObject", "r", "b", answer=no(400, "local adapter presigned URL: operation not supported")))
    play.fails(download(pre_signed=True), errors.BadRequestException, "pre_signed=False")


def test_presigned_reads_into_a_sink_reuse_the_url() -> None:
    sink = bytearray(4)
    play = Play(SIGNED, step(*STORE, answer=filling(b"0123", 10, etag="the store's own"), url=URL))
    first = play.run(read(sink, pre_signed=True))
    assert first == transfer.Part(4, 10, MD5, URL, pin='"the store\'s own"')
    assert "s3cr3t" not in repr(first)
    headers = {"range": "bytes=4-7", "if-match": '"the store\'s own"'}
    play = Play(step(*STORE, answer=filling(b"4567", 10, 4, "the store's own"), url=URL, headers=headers))
    again = read(sink, 4, pre_signed=True, etag=first.etag, link=first.link, pin=first.pin)
    assert play.run(again).filled == 4


def test_other_content_behind_a_presigned_url_is_a_change() -> None:
    ignored = Response(206, {"content-range": "bytes 4-7/10", "etag": '"y"'}, filled=4)
    Play(step(*STORE, answer=ignored, url=URL, headers={"if-match": '"x"'})).fails(
        read(bytearray(4), 4, pre_signed=True, etag=MD5, link=URL, pin='"x"'), errors.ObjectChangedError
    )
    play = Play(step(*STORE, answer=Response(412), url=URL, headers={"range": "bytes=4-7", "if-match": '"x"'}))
    later = read(bytearray(4), 4, pre_signed=True, etag=MD5, link=URL, pin='"x"')
    play.fails(later, errors.ObjectChangedError, "lakefs://r/b/k: the object has changed")


def test_presigned_resume_with_a_fresh_url() -> None:
    sink = bytearray(10)
    play = Play(
        SIGNED,
        step(*STORE, answer=breaking(b"0123", 10), url=URL),
        step(*STORE, answer=Response(403), url=URL),
        SIGNED2,
        step(*STORE, answer=filling(b"456789", 10, 4), url=URL2, headers={"range": "bytes=4-9"}),
    )
    assert play.run(read(sink, pre_signed=True)).link == URL2
    assert sink == DATA


def test_presigned_empty_object() -> None:  # B1.1
    play = Play(SIGNED, step(*STORE, answer=Response(416), url=URL), step("statObject", "r", "b", answer=stat(size=0)))
    assert play.run(read(bytearray(4), pre_signed=True)).size == 0


def test_a_login_page_is_not_the_stores_content() -> None:
    """A checksum that is not an MD5 proves nothing, but the size in the record does."""
    parts = stat("0123456789abcdef0123456789abcdef-3", address=URL)
    page = Response(200, {"content-type": "text/html", "content-length": "6"}, b"<html>", md5="x")
    sign = step("statObject", "r", "b", answer=parts)
    play = Play(sign, *[step(*STORE, answer=page, url=URL)] * 3)
    play.fails(download(pre_signed=True), errors.IntegrityError, "received 6 bytes, and the object has 10")
    sink = bytearray(4)
    short = step(*STORE, answer=filling(b"<htm", 6, etag="the store's own"), url=URL)
    Play(sign, short).fails(read(sink, pre_signed=True), errors.IntegrityError, "the store has 6 bytes")
