"""Uploads: what was stored is verified, and a lost create-only write is distinguished from another writer's."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lakefs_hl.ops import upload as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import FileSlice, Request, Response
from tests.ops.script import C1, Play, commit, lost, no, ok, session, step

S = session()
DATA = b"0123456789"
MD5 = hashlib.md5(DATA).hexdigest()
POST = ("uploadObject", "r", "b")
EXISTS = no(412, "path already exists")
URL = "https://store.example/bucket/data/x?X-Signature=s3cr3t"
ADDRESS = "s3://bucket/data/x,token"


def stored(checksum: str = MD5, metadata: dict[str, str] | None = None, size: int = 10, **fields: Any) -> Response:
    address = fields.pop("address", "s3://bucket/data/x")
    return ok(models.ObjectStats("k", "object", address, checksum, 1, size, metadata=metadata or {}), 201, **fields)


def found(**options: Any) -> Response:
    response = stored(**options)
    response.status = 200
    return response


def upload(body: bytes | FileSlice = DATA, **options: Any) -> Op[models.ObjectStats]:
    return ops.upload(S, "r", "b", "k", body, **{"pre_signed": False, **options})


def test_what_is_sent() -> None:
    play = Play(
        step(
            *POST,
            answer=stored(metadata={"k1": "v 1"}),
            query={"path": "k"},
            body=DATA,
            headers={"content-type": "text/csv", "x-lakefs-meta-k1": "v 1"},
        )
    )
    play.run(upload(content_type="text/csv", metadata={"K1": "v 1"}))
    assert "if-none-match" not in play.sent[0].headers


@pytest.mark.parametrize(
    ("path", "given", "sent"),
    [
        ("k", None, "application/octet-stream"),
        ("dir/k.csv", None, "text/csv"),
        ("k.csv.gz", None, "application/gzip"),
        ("k.csv", "text/x-mine", "text/x-mine"),
        ("k.csv", "", "application/octet-stream"),
    ],
)
def test_the_content_type_is_the_one_given_or_that_of_the_suffix(path: str, given: str | None, sent: str) -> None:
    op = ops.upload(S, "r", "b", path, DATA, pre_signed=False, content_type=given)
    Play(step(*POST, answer=stored(), query={"path": path}, headers={"content-type": sent})).run(op)


def test_a_linked_object_has_the_content_type_of_its_suffix() -> None:
    put = Response(200, {"etag": f'"{MD5}"'})
    play = Play(
        step("getPhysicalAddress", "r", "b", answer=ok(models.StagingLocation(ADDRESS, URL))),
        step("presignedPut", "r", "b", answer=put, url=URL),
        step("linkPhysicalAddress", "r", "b", answer=found(), body={"content_type": "text/csv"}),
    )
    play.run(ops.upload(S, "r", "b", "k.csv", DATA, pre_signed=True))
    assert "content-type" not in play.sent[1].headers, "exactly what was signed is sent"


@pytest.mark.parametrize("kind", ["a\nb", "a/\u2603", " text/csv", "text/csv\r\nx-evil: 1"])
@pytest.mark.parametrize("pre_signed", [False, True])
def test_a_content_type_that_a_header_cannot_carry(kind: str, pre_signed: bool) -> None:
    with pytest.raises(ValueError, match=r"content_type=.* cannot be sent"):
        Play()._drive(upload(content_type=kind, pre_signed=pre_signed))


def test_what_is_not_verified_is_sent_once_and_hashed_by_nobody() -> None:
    play = Play(step(*POST, answer=stored("0" * 32)))
    assert play.run(upload(verify=False)).checksum == "0" * 32
    play = Play(step(*POST, answer=stored("0" * 32)))
    play.run(upload(FileSlice(7, 0, 10), verify=False))
    assert [request.digest for request in play.sent] == [False]


def test_an_empty_object() -> None:  # B2.23
    play = Play(step(*POST, answer=stored(hashlib.md5(b"").hexdigest(), size=0), body=b""))
    play.run(upload(b""))


def test_a_lost_overwrite_is_retried_with_the_same_bytes() -> None:  # B2.25, B5.57
    play = Play(step(*POST, answer=lost(), body=DATA), step(*POST, answer=stored(), body=DATA))
    play.run(upload())


def test_content_with_a_wrong_checksum_is_sent_twice_more() -> None:
    play = Play(step(*POST, answer=stored("0" * 32)), step(*POST, answer=stored()))
    play.run(upload())
    play = Play(*[step(*POST, answer=stored("0" * 32))] * 3)
    play.fails(upload(), errors.IntegrityError, MD5)


def test_a_checksum_that_is_not_an_md5_is_not_compared() -> None:  # B2.30
    Play(step(*POST, answer=stored(MD5 + "-1"))).run(upload())


def test_a_file_is_hashed_by_the_transport() -> None:
    def take(request: Request) -> Response:
        assert request.digest
        assert request.body == FileSlice(7, 0, 10)
        response = stored()
        response.md5 = MD5
        return response

    Play(step(*POST, answer=take)).run(upload(FileSlice(7, 0, 10)))


def test_a_file_that_shrinks_raises_the_users_error() -> None:  # B2.32
    Play(step(*POST, answer=EOFError("the file is shorter than promised"))).fails(upload(FileSlice(7, 0, 10)), EOFError)


def test_a_form_content_type_is_rejected() -> None:
    with pytest.raises(ValueError, match="multipart/form-data"):
        Play().run(upload(content_type="multipart/form-data; boundary=x"))


@pytest.mark.parametrize(
    "metadata",
    [{"ключ": "v"}, {"k": "значение"}, {"a:b": "v"}, {"k": " v"}, {"k": "a\r\nx-evil: 1"}, {"": "v"}, {"a b": "v"}],
)
def test_metadata_that_headers_cannot_carry_is_sent_as_json(metadata: dict[str, str]) -> None:  # B2.31
    play = Play(
        step(*POST, answer=stored()),
        step("updateObjectUserMetadata", "r", "b", answer=ok(), query={"path": "k"}, body={"set": metadata}),
        step("statObject", "r", "b", answer=found(metadata=metadata)),
    )
    assert play.run(upload(metadata=metadata)).metadata == metadata
    assert not any(name.startswith("x-lakefs") for name in play.sent[0].headers)


def test_headers_that_a_proxy_dropped_are_set_again() -> None:
    metadata = {"under_score": "v"}
    play = Play(
        step(*POST, answer=stored(metadata={})),
        step("updateObjectUserMetadata", "r", "b", answer=ok(), body={"set": metadata}),
        step("statObject", "r", "b", answer=found(metadata=metadata)),
    )
    assert play.run(upload(metadata=metadata)).metadata == metadata


def test_an_upload_whose_metadata_failed_says_so() -> None:
    play = Play(
        step(*POST, answer=stored()), step("updateObjectUserMetadata", "r", "b", answer=no(403, "protected branch"))
    )
    error = play.fails(upload(metadata={"ключ": "v"}), errors.ForbiddenException)
    assert "without its metadata" in error.__notes__[0]


def test_a_missing_branch() -> None:  # B8.83: never made by the way
    missing = step(*POST, answer=no(404, "branch 'b' not found"))
    error = Play(missing, step("getCommit", "r", "b", answer=no(404, "commit not found"))).fails(
        upload(), errors.NotFoundException, "uploading lakefs://r/b/k: branch 'b' not found"
    )
    assert error.kind is ErrorKind.BRANCH_NOT_FOUND
    Play(missing, step("getCommit", "r", "b", answer=ok(commit(C1)))).fails(
        upload(), errors.BadRequestException, "'b' is not a branch but resolves to commit 1111"
    )


def test_a_path_with_the_word_address_does_not_send_the_bytes_twice() -> None:
    """The message is the server's, and has a path in it."""
    refused = step("linkPhysicalAddress", "r", "b", answer=no(400, "checksum is required"))
    ask = step("getPhysicalAddress", "r", "b", answer=PLACE)
    put = step(*PUT, answer=Response(200, {"etag": f'"{MD5}"'}), url=URL, body=DATA)
    op = ops.upload(S, "r", "b", "my address book", DATA, pre_signed=True)
    Play(ask, put, refused).fails(op, errors.BadRequestException, "my address book")


# create-only upload, after an unknown outcome


def create(body: bytes | FileSlice = DATA, op_id: str = "op1", **options: Any) -> Op[models.ObjectStats]:
    return upload(body, create_only=True, op_id=op_id, **options)


MARK = {"lakefs-hl-op-id": "op1"}
MARKED = {"if-none-match": "*", "x-lakefs-meta-lakefs-hl-op-id": "op1"}


def test_create_only() -> None:  # B2.27
    Play(step(*POST, answer=stored(metadata=MARK), headers=MARKED)).run(create())


def test_an_existing_object() -> None:
    error = Play(step(*POST, answer=EXISTS)).fails(create(), errors.ObjectExistsException)
    assert issubclass(type(error), FileExistsError)
    assert error.filename == "lakefs://r/b/k"
    assert error.maybe_applied is False


def test_created_by_the_attempt_without_a_response() -> None:  # B5.57
    play = Play(
        step(*POST, answer=lost()),
        step(*POST, answer=EXISTS),
        step("statObject", "r", "b", answer=found(metadata=MARK)),
    )
    assert play.run(create()).checksum == MD5


def test_a_rate_limited_write_may_have_been_applied() -> None:
    play = Play(
        step(*POST, answer=no(429, "Too many attempts")),
        step(*POST, answer=EXISTS),
        step("statObject", "r", "b", answer=found(metadata=MARK)),
    )
    play.run(create())


@pytest.mark.parametrize(
    "there",
    [
        {"metadata": {"lakefs-hl-op-id": "op2"}},  # the same bytes of another writer: exactly one wins
        {"metadata": {}},
        {"checksum": "0" * 32, "metadata": MARK},
        {"size": 9, "metadata": MARK},
    ],
)
def test_an_object_of_another_client_after_a_lost_response(there: dict[str, Any]) -> None:
    play = Play(
        step(*POST, answer=lost()), step(*POST, answer=EXISTS), step("statObject", "r", "b", answer=found(**there))
    )
    assert play.fails(create(), errors.ObjectExistsException).maybe_applied is False


def test_all_responses_lost() -> None:
    """A server may reject a large body before it has read it, and close: the response is lost."""
    look = step("statObject", "r", "b", answer=found(metadata=MARK))
    Play(*[step(*POST, answer=lost())] * 5, look).run(create())
    other = step("statObject", "r", "b", answer=found())
    error = Play(*[step(*POST, answer=lost())] * 5, other).fails(create(), errors.TransportException)
    assert error.maybe_applied is False
    assert "another object exists there" in error.__notes__[0]
    absent = step("statObject", "r", "b", answer=no(404, "not found"))
    error = Play(*[step(*POST, answer=lost())] * 5, absent).fails(create(), errors.TransportException)
    assert error.maybe_applied is None


def test_without_an_id_the_content_decides() -> None:
    play = Play(step(*POST, answer=lost()), step(*POST, answer=EXISTS), step("statObject", "r", "b", answer=found()))
    play.run(create(op_id=""))


def test_a_file_is_recognized_by_its_op_id_only() -> None:
    body = FileSlice(7, 0, 10)
    lost_then = [step(*POST, answer=lost()), step(*POST, answer=EXISTS)]
    Play(*lost_then, step("statObject", "r", "b", answer=found(metadata=MARK))).run(create(body))
    Play(*lost_then, step("statObject", "r", "b", answer=found())).fails(
        create(body, op_id=""), errors.ObjectExistsException
    )


def test_a_created_object_with_a_wrong_checksum_is_not_sent_again() -> None:
    Play(step(*POST, answer=stored("0" * 32))).fails(create(), errors.IntegrityError)


def test_a_412_of_a_hook_is_not_an_existing_object() -> None:
    Play(step(*POST, answer=no(412, "pre-upload hook aborted"))).fails(create(), errors.PreconditionFailedException)


# -- pre-signed -------------------------------------------------------------------------------------------------------

PUT = ("presignedPut", "r", "b")
PLACE = ok(models.StagingLocation(ADDRESS, URL, 99))
PLACE2 = ok(models.StagingLocation(ADDRESS + "2", URL + "2", 99))
AT = step("getPhysicalAddress", "r", "b", answer=PLACE, query={"path": "k", "presign": "true"})
AT2 = step("getPhysicalAddress", "r", "b", answer=PLACE2)
TAKEN = step(*PUT, answer=Response(200, {"etag": f'"{MD5}"'}), url=URL, body=DATA)
TAKEN2 = step(*PUT, answer=Response(200, {"etag": f'"{MD5}"'}), url=URL + "2", body=DATA)
LINK = ("linkPhysicalAddress", "r", "b")
BODY = {"staging": {"physical_address": ADDRESS}, "checksum": MD5, "size_bytes": 10}


def direct(**options: Any) -> Op[models.ObjectStats]:
    return upload(**{"pre_signed": True, **options})


def test_address_put_link() -> None:
    play = Play(
        AT,
        TAKEN,
        step(
            *LINK,
            answer=found(),
            query={"path": "k"},
            body={**BODY, "content_type": "text/csv", "user_metadata": {"ключ": "v"}},
        ),
    )
    play.run(direct(content_type="text/csv", metadata={"Ключ": "v"}))
    assert dict(play.sent[1].headers) == {}  # B2.29: exactly what was signed
    assert play.sent[1].authorization is None  # B1.14


def test_the_servers_capabilities_are_requested() -> None:
    config = step("getStorageConfig", answer=ok(models.StorageConfig("s3", pre_sign_support=True)))
    Play(config, AT, TAKEN, step(*LINK, answer=found())).run(ops.upload(session(), "r", "b", "k", DATA))


def test_azure_requires_a_header() -> None:  # B2.29
    url = "https://account.blob.core.windows.net/c/x?sig=s3cr3t"
    play = Play(
        step("getPhysicalAddress", "r", "b", answer=ok(models.StagingLocation(ADDRESS, url))),
        step(*PUT, answer=Response(201, {"etag": '"0x8D"'}), url=url, headers={"x-ms-blob-type": "BlockBlob"}),
        step(*LINK, answer=found(), body=BODY),
    )
    play.run(direct())


def test_content_that_the_store_received_incorrectly_is_not_linked() -> None:
    wrong = step(*PUT, answer=Response(200, {"etag": '"' + "0" * 32 + '"'}), url=URL)
    Play(AT, wrong, TAKEN, step(*LINK, answer=found())).run(direct())
    Play(AT, wrong, wrong, wrong).fails(direct(), errors.IntegrityError, "nothing was linked")


@pytest.mark.parametrize(
    "headers",
    [{"x-amz-server-side-encryption": "aws:kms"}, {"x-amz-server-side-encryption-customer-algorithm": "AES256"}],
)
def test_the_etag_of_an_encrypting_store_is_not_an_md5(headers: dict[str, str]) -> None:
    put = step(*PUT, answer=Response(200, {"etag": '"' + "0" * 32 + '"', **headers}), url=URL)
    Play(AT, put, step(*LINK, answer=found(), body=BODY)).run(direct())


def test_a_store_without_an_etag() -> None:
    Play(AT, step(*PUT, answer=Response(200), url=URL), step(*LINK, answer=found(), body=BODY)).run(direct())


def test_a_lost_put_is_retried() -> None:  # nobody else has this address
    lost_put = step(*PUT, answer=lost(), url=URL)
    Play(AT, lost_put, TAKEN, step(*LINK, answer=found())).run(direct())


def test_an_expired_url_gets_a_new_address_once() -> None:
    expired = Response(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
    Play(AT, step(*PUT, answer=expired, url=URL), AT2, TAKEN2, step(*LINK, answer=found())).run(direct())
    play = Play(AT, step(*PUT, answer=expired, url=URL), AT2, step(*PUT, answer=expired, url=URL + "2"))
    error = play.fails(direct(), errors.ForbiddenException, "the object store reports AccessDenied")
    assert "s3cr3t" not in str(error) + repr(error.__dict__)


def test_a_server_that_cannot_sign() -> None:
    play = Play(
        step("getPhysicalAddress", "r", "b", answer=no(500, "local adapter presigned URL: operation not supported"))
    )
    play.fails(direct(), errors.UnsupportedOperationException, "pre_signed=False")
    play = Play(step("getPhysicalAddress", "r", "b", answer=ok(models.StagingLocation(ADDRESS))))
    play.fails(direct(), errors.UnsupportedOperationException, "pre_signed=False")


# link, after an unknown outcome


def test_a_lost_link_is_retried_with_the_same_address() -> None:
    Play(AT, TAKEN, step(*LINK, answer=lost(), body=BODY), step(*LINK, answer=found(), body=BODY)).run(direct())


def test_a_retried_link_whose_address_was_used_up() -> None:
    """Older servers accept an address once: the first attempt has used it."""
    refused = no(400, "link address invalid")
    play = Play(
        AT, TAKEN, step(*LINK, answer=lost()), step(*LINK, answer=refused), step("statObject", "r", "b", answer=found())
    )
    play.run(direct())


def test_an_address_that_expired_is_replaced_and_the_bytes_sent_again() -> None:
    expired = step(*LINK, answer=no(400, "link address expired"))
    Play(AT, TAKEN, expired, AT2, TAKEN2, step(*LINK, answer=found())).run(direct())
    after = [
        step(*LINK, answer=lost()),
        expired,
        step("statObject", "r", "b", answer=found(address="s3://bucket/other")),
    ]
    Play(AT, TAKEN, *after, AT2, TAKEN2, step(*LINK, answer=found())).run(direct())


def test_all_responses_lost_but_linked() -> None:
    Play(AT, TAKEN, *[step(*LINK, answer=lost())] * 5, step("statObject", "r", "b", answer=found())).run(direct())


def test_all_responses_lost_and_not_linked() -> None:
    play = Play(AT, TAKEN, *[step(*LINK, answer=lost())] * 5, step("statObject", "r", "b", answer=no(404, "not found")))
    assert play.fails(direct(), errors.TransportException).maybe_applied is None


# create-only link


def test_create_only_link() -> None:  # B2.27
    Play(AT, TAKEN, step(*LINK, answer=found(), headers={"if-none-match": "*"})).run(direct(create_only=True))
    Play(AT, TAKEN, step(*LINK, answer=no(412, "Precondition failed"))).fails(
        direct(create_only=True), errors.ObjectExistsException, "lakefs://r/b/k"
    )


def test_create_only_link_of_the_lost_attempt() -> None:  # B5.57
    refused = step(*LINK, answer=no(412, "Precondition failed"))
    first = [AT, TAKEN, step(*LINK, answer=lost()), refused]
    Play(*first, step("statObject", "r", "b", answer=found())).run(direct(create_only=True))
    other = step("statObject", "r", "b", answer=found(address="s3://bucket/data/other"))
    Play(*first, other).fails(direct(create_only=True), errors.ObjectExistsException)


@pytest.mark.parametrize("size", [ops.MAX_HASHED_BYTES, ops.MAX_HASHED_BYTES + 1])
def test_a_large_body_is_hashed_by_the_transport_and_not_by_the_op(size: int) -> None:
    body = bytes(size)
    below = size > ops.MAX_HASHED_BYTES
    asked: list[object] = []

    def take(request: Request) -> Response:
        asked.append(request.digest)
        response = stored(checksum="0" * 32)
        response.md5 = "0" * 32 if below else None  # not the body's: an op that hashed it itself would fail
        return response

    if below:
        Play(step(*POST, answer=take)).run(upload(body))
    else:
        Play(*[step(*POST, answer=take)] * 3).fails(upload(body), errors.IntegrityError)
    assert set(asked) == {below}


def test_a_login_page_instead_of_the_store_links_nothing() -> None:
    page = Response(200, {"content-type": "text/html"}, b"<!DOCTYPE html><title>Log in</title>")
    error = Play(AT, step(*PUT, answer=page, url=URL)).fails(direct(), errors.ProtocolException, "a web page")
    assert error.maybe_applied is None


@pytest.mark.parametrize("headers", [{}, {"etag": '"page-1"'}])
def test_a_login_page_is_known_by_its_content(headers: dict[str, str]) -> None:
    page = Response(200, headers, b"<!DOCTYPE html><title>Log in</title>")
    Play(AT, step(*PUT, answer=page, url=URL)).fails(direct(), errors.ProtocolException, "a web page")


def test_an_empty_response_of_a_store_is_no_page_whatever_its_content_type_is() -> None:
    empty = Response(200, {"content-type": "text/html; charset=utf-8", "etag": f'"{MD5}"'})
    assert (
        Play(AT, step(*PUT, answer=empty, url=URL), step(*LINK, answer=found(), body=BODY)).run(direct()).checksum
        == MD5
    )


def test_an_empty_page_without_an_etag_links_nothing() -> None:
    empty = Response(200, {"content-type": "text/html"})
    Play(AT, step(*PUT, answer=empty, url=URL)).fails(direct(), errors.ProtocolException, "a web page")
