"""Uploads as forms: the part's bytes exactly, wherever they lie."""

from __future__ import annotations

import os
import random
import tempfile

import pytest

from lakefs_hl.local.api import forms
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.wire import FileSlice

KIND = "multipart/form-data; boundary=XX"


def form(content: bytes, *, before: bytes = b"", headers: bytes = b"") -> bytes:
    return (
        before
        + b'--XX\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n'
        + headers
        + b"\r\n"
        + content
        + b"\r\n--XX--\r\n"
    )


def both(body: bytes, kind: str = KIND) -> tuple[bytes, str]:
    """The answer for the body in memory, held against the one for the same body in a file."""
    found, named = forms.content(body, kind)
    assert isinstance(found, bytes)
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + body + b"after")
        file.flush()
        if body:
            piece, again = forms.content(FileSlice(file.fileno(), 6, len(body)), kind)
            assert isinstance(piece, FileSlice)
            assert os.pread(piece.fd, piece.length, piece.offset) == found
            assert again == named
    return found, named


def test_contents(rng: random.Random) -> None:
    odd = (b"", b"\r\n", b"a,b", b"--XX", b"\r\n--X", b"\r\n--Y--\r\n", rng.randbytes(100_000))
    for content in odd:
        assert both(form(content)) == (content, "")
    assert both(form(b"a,b", headers=b"Content-Type: text/csv\r\n")) == (b"a,b", "text/csv")


def test_other_parts_are_passed_over() -> None:
    other = b'--XX\r\nContent-Disposition: form-data; name="other"\r\n\r\nnot this\r\n'
    assert both(form(b"this", before=other)) == (b"this", "")
    assert both(form(b"this", before=b"preamble\r\n")) == (b"this", "")
    assert both(form(b"this"), 'multipart/form-data; boundary="XX"') == (b"this", "")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'--XX\r\nContent-Disposition: form-data; name="other"\r\n\r\na\r\n--XX--\r\n', KIND, 500),
        (b"", KIND, 500),
        (b"nothing", KIND, 500),
        (form(b"x"), "multipart/form-data", 500),
        (form(b"x").removesuffix(b"\r\n--XX--\r\n"), KIND, 400),
        (b"--XX\r\nContent-Disposition: form-data; name", KIND, 400),
    ],
)
def test_broken_forms(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(ServerException, match="multipart upload") as caught:
        forms.content(body, kind)
    assert caught.value.status == status


def test_what_is_a_form() -> None:
    assert forms.is_form("Multipart/Form-Data; boundary=x")
    assert not forms.is_form("multipart/mixed")
    assert not forms.is_form("text/plain")
