"""The fields of objects and common prefixes, and the calls that read them."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

import lakefs_hl
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.objects import restore, wrap, wrap_prefix
from lakefs_hl.spec import models
from lakefs_hl.spec.headers import OBJECT_OP_ID
from tests.ops.script import Play, ok, page, session, step

AT = Handle("example", "main")
MAIN = lakefs_hl.Branch("example", "main")
STATS = models.ObjectStats(
    path_type="object",
    path="a/b.csv",
    physical_address="s3://bucket/x",
    checksum="c" * 32,
    mtime=1_700_000_000,
    size_bytes=1234,
    metadata={"k": "<v>", OBJECT_OP_ID: "op"},
    content_type="text/csv",
)


def test_an_object_has_the_fields_of_its_record() -> None:
    info = wrap(lakefs_hl.ObjectInfo, MAIN, STATS)
    assert (info.path, info.name, info.uri) == ("a/b.csv", "b.csv", "lakefs://example/main/a/b.csv")
    assert (info.repository_id, info.reference_id, info.is_file(), info.is_dir()) == ("example", "main", True, False)
    assert (info.size_bytes, info.content_type, info.metadata) == (1234, "text/csv", {"k": "<v>"})
    assert (info.checksum, info.physical_address) == ("c" * 32, "s3://bucket/x")
    assert info.modified_time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert repr(info) == "<ObjectInfo lakefs://example/main/a/b.csv 1,234 bytes>"
    shown = info._repr_html_()
    assert "1,234 bytes" in shown
    assert "&lt;v&gt;" in shown
    assert OBJECT_OP_ID not in shown


def test_an_object_that_was_not_looked_up_prints_its_path_only() -> None:
    info = lakefs_hl.ObjectInfo("example", "main", "a")
    assert repr(info) == "<ObjectInfo lakefs://example/main/a>"
    assert info._repr_html_() == "<b>ObjectInfo</b> <code>lakefs://example/main/a</code>"
    assert repr(object.__new__(lakefs_hl.ObjectInfo)) == "<ObjectInfo>"
    assert repr(object.__new__(lakefs_hl.CommonPrefix)) == "<CommonPrefix>"


def test_objects_are_equal_by_place_not_by_content() -> None:
    one, known = lakefs_hl.ObjectInfo("example", "main", "a/b.csv"), wrap(lakefs_hl.ObjectInfo, MAIN, STATS)
    assert one == known
    assert hash(one) == hash(known)
    assert one != lakefs_hl.ObjectInfo("example", "dev", "a/b.csv")
    assert pickle.loads(pickle.dumps(known))._record == STATS
    assert restore(lakefs_hl.ObjectInfo, "example", "main", None, STATS) == known


def test_a_prefix_is_named_by_its_last_part() -> None:
    prefix = wrap_prefix(lakefs_hl.CommonPrefix, MAIN, "a/b/")
    assert (prefix.path, prefix.name, prefix.uri) == ("a/b/", "b", "lakefs://example/main/a/b/")
    assert (prefix.is_dir(), prefix.is_file()) == (True, False)
    assert prefix == lakefs_hl.CommonPrefix("example", "main", "a/b/")
    assert pickle.loads(pickle.dumps(prefix)) == prefix
    assert "CommonPrefix" in prefix._repr_html_()


def test_look_ups_send_one_request() -> None:
    found = step("statObject", "example", "main", query={"path": "a"}, answer=ok(STATS))
    assert Play(found).run(calls.stat(session(), AT, "lakefs://example/main/a")) == STATS
    assert Play(found).run(calls.exists(session(), AT, "a")) is True
    gone = step("deleteObject", "example", "main", query={"path": "a"}, answer=ok())
    Play(gone).run(calls.delete(session(exactly_once=True), AT, "a"))


def test_arguments_of_a_download_are_checked_before_anything_is_sent() -> None:
    calls.download(session(), AT, "a", None, None, True, None).close()
    for wrong in ({"start": "1"}, {"verify": None}, {"path": 7}):
        given = {"path": "a", "start": None, "end": None, "verify": True, "pre_signed": None, **wrong}
        with pytest.raises(TypeError, match=next(iter(wrong))):
            calls.download(session(), AT, **given)


def test_a_listing_starts_after_a_path_with_a_prefix() -> None:
    pages = calls.listing(session(), AT, 5, "a", "p/", "/", False)
    assert (pages.after, pages.amount) == ("a", 5)
    query = {"after": "a", "amount": "5", "prefix": "p/", "delimiter": "/"}
    play = Play(step("listObjects", "example", "main", query=query, answer=page(STATS)))
    play.run(pages.next_page("a", 5))
