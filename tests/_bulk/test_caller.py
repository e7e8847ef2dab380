"""The caller of the blocking colour: what has to be awaited is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lakefs_hl._bulk.caller import Here


async def chunks() -> AsyncIterator[int]:
    yield 1


def test_it_waits_for_what_it_does_itself() -> None:
    here = Here()
    here.check()
    assert here.is_stopped() is False
    assert here.wait is None
    assert list(here.iterate(iter("ab"), "items")) == ["a", "b"]
    assert here.data(b"x") == b"x"


@pytest.mark.parametrize("items", ["text", b"bytes", 5, None, {"a": 1}, object()])
def test_what_holds_no_items_is_refused(items: Any) -> None:
    with pytest.raises(TypeError, match=r"items must be an iterable of items, not "):
        Here().iterate(items, "items")


def test_an_asynchronous_iterable_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match=r"can be used with lakefs_hl.aio only"):
        Here().iterate(chunks(), "items")
