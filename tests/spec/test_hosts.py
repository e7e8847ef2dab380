"""Host names in ASCII, and entries of a list of hosts."""

from __future__ import annotations

import pytest

from lakefs_hl.spec.hosts import ascii_host, host_and_port


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Example.COM", "example.com"),
        ("B\u00fccher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("\u4f8b\u3048\u3002\u30c6\u30b9\u30c8", "xn--r8jz45g.xn--zckzah"),  # with an ideographic full stop
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("under_score", "under_score"),
    ],
)
def test_names(written: str, read: str) -> None:
    assert ascii_host(written) == read


@pytest.mark.parametrize("written", ["stra\u00dfe.de", "\u03c2.gr", "a\u200db\u00fc", "\u00fc..example", "\u00fc" * 64])
def test_a_name_that_cannot_be_encoded_is_rejected(written: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        ascii_host(written)


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ("h", ("h", None)),
        ("H:9000", ("h", 9000)),
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("::1", ("::1", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_entries(entry: str, read: tuple[str, int | None]) -> None:
    assert host_and_port(entry) == read
