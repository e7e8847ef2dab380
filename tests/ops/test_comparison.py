"""What is taken for the content of an object in parts: what is verified, and what came twice alike."""

from __future__ import annotations

import hashlib

import pytest

from lakefs_hl.ops.comparison import Comparison
from lakefs_hl.spec import multipart
from lakefs_hl.spec.multipart import EtagHash, combined_etag
from tests.ops.script import session

DATA = b"0123456789"
ETAG = combined_etag(hashlib.md5(piece).digest() for piece in (b"0123", b"4567", b"89"))
OTHER = f"{'f' * 32}-3"


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 4)


def digits(compared: Comparison, checksum: str = ETAG, content: bytes = DATA) -> str:
    hashed = compared.begin(checksum, 10)
    assert hashed is not None
    hashed.update(content)
    return hashed.hexdigest()


def test_content_in_parts_of_a_known_length_is_verified() -> None:
    compared = Comparison(session(), "r")
    assert digits(compared) == ETAG
    assert compared.takes(ETAG, 10, ETAG)
    assert compared.takes(ETAG, 10, ETAG)


def test_damage_is_not_taken_and_what_came_twice_alike_is() -> None:
    made = session()
    compared = Comparison(made, "r")
    assert not compared.takes(ETAG, 10, digits(compared, content=b"012345678x"))
    assert not compared.takes(ETAG, 10, digits(compared, content=b"x123456789"))
    assert not made.incomparable
    assert compared.takes(ETAG, 10, ETAG)
    other = Comparison(made, "r")
    assert not other.takes(OTHER, 10, digits(other, OTHER))
    assert other.takes(OTHER, 10, digits(other, OTHER))
    assert Comparison(made, "r").begin(ETAG, 10) is None
    assert Comparison(made, "another").begin(ETAG, 10) is not None


def test_what_a_store_encrypts_with_a_key_is_not_compared() -> None:
    compared = Comparison(session(), "r")
    compared.note_encryption(hashlib.md5(DATA).hexdigest(), 10)
    assert compared.begin(ETAG, 10) is not None
    compared.note_encryption(OTHER, 10)
    assert compared.begin(ETAG, 10) is None
    assert compared.begin(hashlib.md5(DATA).hexdigest(), 10) is not None


def test_an_md5_is_never_taken_for_another() -> None:
    compared, md5 = Comparison(session(), "r"), hashlib.md5(DATA).hexdigest()
    assert digits(compared, md5) == md5
    for _ in range(2):
        assert not compared.takes(md5, 10, hashlib.md5(b"other").hexdigest())


def test_the_kind_of_a_checksum_may_be_known_later() -> None:
    compared, start = Comparison(session(), "r"), hashlib.md5(DATA[:3])
    assert compared.go_on(start, 3, "f" * 32, 10) is start
    hashed = compared.go_on(start, 3, ETAG, 10)
    assert isinstance(hashed, EtagHash)
    hashed.update(DATA[3:])
    assert hashed.hexdigest() == ETAG
    assert compared.go_on(hashlib.md5(DATA[:5]), 5, ETAG, 10) is None
    for checksum in ("", "linked", "linked-2", f"{'f' * 32}-7"):
        assert compared.begin(checksum, 10) is None
