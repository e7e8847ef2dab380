"""What the engine writes down: short, read back as it was, and when two entries are one version."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.records import CommitRecord, Entry
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


@given(st.integers(-(2**70), 2**70), st.lists(st.binary(min_size=32, max_size=32), max_size=2))
def test_commits_come_back_whatever_their_dates(date: int, parents: list[bytes]) -> None:
    record = CommitRecord(parents, b"r" * 32, "me", "message", date, {"key": "value"}, 7)
    data = records.write_commit(record)
    assert records.read_commit(data) == record
    if -(2**63) <= date < 2**63:
        assert data == records.encode(record), "ids of commits are hashes of this"


@pytest.mark.parametrize("date", [None, [1], [1, "2"], ["1", 2], {}, "1", 1.5])
def test_commits_without_a_date_are_refused(date: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        records.read_commit(records.encode([[], None, "me", "message", date, {}, 1]))


@given(st.integers(-(2**70), 2**70))
def test_stamps_have_64_bits(mtime: int) -> None:
    stamp = records.stamp_of(mtime)
    assert msgspec.msgpack.decode(records.encode(stamp)) == stamp
    assert stamp == mtime or not -(2**63) <= mtime < 2**63
