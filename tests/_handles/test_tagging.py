"""Tags as the value of a metadata key, and back."""

from __future__ import annotations

import enum

import pytest

from lakefs_hl._handles.tagging import decode, encode, with_tags

TAGS = {"b": "2", "Ä": "ö🏛", 'q"\\': "\n\0"}


class Text(enum.StrEnum):
    A = "a"


def test_tags_are_ascii_json_and_come_back() -> None:
    text = encode(TAGS)
    assert text.isascii()
    assert text.isprintable()
    assert decode({"lakefs-hl-tags": text, "k": "v"}, "lakefs://r/b/k") == TAGS
    assert encode({"b": "2", "a": "1"}) == encode({"a": "1", "b": "2"}) == '{"a":"1","b":"2"}'
    assert encode({Text.A: Text.A}) == '{"a":"a"}'
    assert decode(None, "") == decode({}, "") == decode({"k": "v"}, "") == {}


@pytest.mark.parametrize("tags", [{"k": 1}, {1: "v"}, "text", None, [("k", "v")], 5])
def test_tags_of_another_type_are_refused(tags: object) -> None:
    with pytest.raises(TypeError, match="tags"):
        encode(tags)


@pytest.mark.parametrize("text", ["", "x", "[]", "null", '{"a":null}', '{"a":{}}', "[" * 100_000, "NaN"])
def test_another_value_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="lakefs://r/b/k is not a JSON object of strings"):
        decode({"lakefs-hl-tags": text}, "lakefs://r/b/k")


def test_metadata_with_tags() -> None:
    assert with_tags(None, None) is None
    assert with_tags({"k": "v"}, None) == with_tags({"k": "v"}, {}) == {"k": "v"}
    assert with_tags(None, {"a": "b"}) == {"lakefs-hl-tags": '{"a":"b"}'}
    given = {"k": "v"}
    assert with_tags(given, {"a": "b"}) == {"k": "v", "lakefs-hl-tags": '{"a":"b"}'}
    assert given == {"k": "v"}
    with pytest.raises(ValueError, match="give one of them"):
        with_tags({"Lakefs-HL-Tags": "{}"}, {"a": "b"})
