"""Pre-signed URLs: when they are used, and what is believed about a store's response."""

from __future__ import annotations

import pytest

from lakefs_hl.exceptions import NotAuthorizedException, UnsupportedOperationException
from lakefs_hl.ops import presign
from lakefs_hl.spec import models
from lakefs_hl.spec.secret import Secret, reveal
from lakefs_hl.spec.wire import FileSlice, Response
from tests.ops.script import Play, no, ok, session, step

SIGNED = "https://store/a?signature=s3cr3t"


@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_asked_for_is_done_without_a_request(wanted: bool) -> None:
    assert Play().run(presign.should_presign(session(), wanted)) is wanted


@pytest.mark.parametrize("able", [True, False])
def test_otherwise_the_server_is_asked_once(able: bool) -> None:
    made = session()
    asked = step("getStorageConfig", answer=ok(models.StorageConfig("s3", pre_sign_support=able)))
    assert Play(asked).run(presign.should_presign(made, None)) is able
    assert Play().run(presign.should_presign(made, None)) is able


def test_credentials_that_may_not_read_the_configuration_go_through_the_server() -> None:
    made = session()
    asked = step("getStorageConfig", answer=no(403, "insufficient permissions"))
    assert Play(asked).run(presign.should_presign(made, None)) is False
    assert Play().run(presign.should_presign(made, None)) is False  # asked once
    assert Play().run(presign.should_presign(made.copy(made.policy), None)) is False
    assert Play().run(presign.should_presign(made, True)) is True


def test_other_failures_of_the_configuration_are_errors() -> None:
    play = Play(step("getStorageConfig", answer=no(401, "error authenticating request")))
    play.fails(presign.should_presign(session(), None), NotAuthorizedException, "storage configuration")


def test_a_url_is_a_secret() -> None:
    found = presign.require_url(SIGNED, "reading a")
    assert isinstance(found, Secret)
    assert (reveal(found), repr(found)) == (SIGNED, "'…'")


@pytest.mark.parametrize("url", [None, "", "s3://bucket/a", "local://a"])
def test_an_address_that_is_not_signed_is_refused_with_the_way_out(url: str | None) -> None:
    with pytest.raises(UnsupportedOperationException, match=r"reading a: .*pre_signed=False"):
        presign.require_url(url, "reading a")


@pytest.mark.parametrize(
    ("headers", "encrypted"),
    [
        ({}, False),
        ({"x-amz-server-side-encryption": "AES256"}, False),
        ({"x-amz-server-side-encryption": "aws:kms"}, True),
        ({"x-amz-server-side-encryption": "aws:kms:dsse"}, True),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, True),
    ],
)
def test_the_etag_of_an_object_encrypted_with_a_key_is_no_md5(headers: dict[str, str], encrypted: bool) -> None:
    assert presign.is_encrypted(Response(200, headers)) is encrypted


def test_length_is_in_bytes_of_every_kind_of_body() -> None:
    assert presign.length(b"abc") == 3
    assert presign.length(memoryview(bytearray(8)).cast("I")) == 8
    assert presign.length(FileSlice(0, 2, 5)) == 5
