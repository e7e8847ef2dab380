"""When workers are greenlets. `tests/facades/test_green.py` runs them."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from lakefs_hl.transport import greenlets


@pytest.mark.parametrize(
    ("patched", "wanted"),
    [({"socket", "threading"}, False), ({"socket"}, True), (set(), False), ({"threading"}, False)],
)
def test_only_patched_sockets_without_patched_threads_need_them(patched: set[str], wanted: bool) -> None:
    monkey = SimpleNamespace(is_module_patched=patched.__contains__)
    assert greenlets.is_cooperative(monkey) is wanted


def test_without_gevent_threads_are_threads() -> None:
    assert not greenlets.is_cooperative(None)
    assert not greenlets.COOPERATIVE
    assert greenlets.Local is threading.local
    assert greenlets.get_ident is threading.get_ident
