"""Records get the public module that they are imported from."""

from __future__ import annotations

from typing import NamedTuple, get_type_hints

from lakefs_hl._handles.records import public


class Inner(NamedTuple):
    number: int


class Record(NamedTuple):
    inner: Inner
    text: str | None


def test_a_record_has_its_public_module_and_resolved_annotations() -> None:
    assert public(Record) is Record
    assert Record.__module__ == "lakefs_hl"
    assert get_type_hints(Record) == {"inner": Inner, "text": str | None}
    assert public(Inner, "lakefs_hl.types").__module__ == "lakefs_hl.types"
