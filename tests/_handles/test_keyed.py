"""Fields by key: of our names, and of those that other clients have for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from lakefs_hl import GetResult
from lakefs_hl._handles.keyed import Keyed, attributes


class Thing(Keyed):
    _attributes = attributes("path", "size_bytes", key="path", size="size_bytes")
    path = "a"
    size_bytes = 3


def test_a_key_is_a_field() -> None:
    thing = Thing()
    assert (thing["path"], thing["key"], thing["size"]) == ("a", "a", 3)
    assert dict(thing) == {"path": "a", "size_bytes": 3, "key": "a", "size": 3}
    assert "key" in thing
    assert "etag" not in thing
    assert 0 not in thing


@pytest.mark.parametrize("key", ["etag", "", 0, None, ("key",), "_attributes"])
def test_another_key_is_an_error_that_names_the_keys(key: object) -> None:
    with pytest.raises(KeyError, match="is not a key of Thing; the keys are path, size_bytes, key, size"):
        Thing()[key]  # type: ignore[index]


def test_it_is_no_iterable_that_a_call_could_take_apart() -> None:
    assert not isinstance(Thing(), Iterable)
    assert not isinstance(Thing(), Mapping)
    with pytest.raises(TypeError, match="not iterable"):
        iter(Thing())  # type: ignore[call-overload]


def test_a_result_of_many_is_a_tuple_that_answers_keys() -> None:
    result = GetResult("a", b"1")
    assert (result["path"], result["key"], result["content"], result["data"], result["error"]) == (
        "a",
        "a",
        b"1",
        b"1",
        None,
    )
    assert (result[0], result[1:3], result[-1], *result) == ("a", (b"1", None), None, "a", b"1", None, None)
    with pytest.raises(KeyError, match="'etag' is not a key of GetResult; the keys are path, content"):
        result["etag"]
    with pytest.raises(IndexError):
        result[4]  # type: ignore[misc]
