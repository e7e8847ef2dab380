"""What the engine writes down: short, read back as it was, and when two entries are one version."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.spec.headers import OCTET_STREAM

addresses = st.one_of(st.binary(min_size=32, max_size=32), st.text(st.characters(codec="utf-8")))
etags = st.one_of(st.binary(min_size=16, max_size=16), st.text(st.characters(codec="utf-8")))
metadata = st.one_of(st.none(), st.dictionaries(st.text(st.characters(codec="utf-8")), st.just("v"), min_size=1))
entries = st.builds(
    Entry,
    addresses,
    st.integers(0, 2**63 - 1),
    etags,
    st.integers(-(2**62), 2**62),
    st.one_of(st.none(), st.just("text/csv")),
    metadata,
    st.one_of(st.none(), st.integers(0, 2**62)),
)


@given(entries)
def test_entries_come_back(entry: Entry) -> None:
    assert records.read_entry(records.write_entry(entry)) == entry


@given(entries, entries)
def test_same_is_what_lakefs_says(one: Entry, other: Entry) -> None:
    looks = [(each.size, each.etag, each.content_type, each.metadata) for each in (one, other)]
    assert records.same(records.write_entry(one), records.write_entry(other)) == (looks[0] == looks[1])


def test_address_and_time_do_not_count() -> None:
    one = records.make_entry(b"a" * 32, 1, b"e" * 16, 1, None, None)
    other = records.make_entry("local:///x", 1, b"e" * 16, 2, None, {}, 5)
    assert records.same(records.write_entry(one), records.write_entry(other))


def test_defaults_are_short() -> None:
    plain = records.make_entry(b"a" * 32, 1, b"e" * 16, 1, OCTET_STREAM, {})
    assert (plain.content_type, plain.metadata) == (None, None)
    assert len(records.write_entry(plain)) < 60


def test_etags() -> None:
    assert records.short_etag("c4ca4238a0b923820dcc509a6f75849b") == bytes.fromhex("c4ca4238a0b923820dcc509a6f75849b")
    for odd in ("abc", "C4CA4238A0B923820DCC509A6F75849B", "x" * 32, "c4ca4238a0b923820dcc509a6f75849b-2"):
        assert records.short_etag(odd) == odd
