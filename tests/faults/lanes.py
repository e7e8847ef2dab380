"""Exchanges of a client on the fast lane, one by one: the faults of the matrix meet libcurl."""

from __future__ import annotations

import random
import time
from weakref import WeakKeyDictionary

import pytest

from lakefs_hl.ops.effects import Gather, send
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport import fast
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.deadlines import FOREVER
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.lane import is_carried
from lakefs_hl.transport.scope import Scope
from tests.faults import matrix


def use_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every request by a Gather of its own."""
    original, drivers = Http.send, WeakKeyDictionary[Http, Blocking]()

    def on_lane(http: Http, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        if not is_carried(request) or not http.has_multi():
            return original(http, request, scope, within)
        driver = drivers.setdefault(http, Blocking(http))
        until = FOREVER if within is None else time.monotonic() + within
        found = driver.gather_on_lane(Gather([send(request)], 2, None), scope or Scope(), until)
        assert found is not None
        response: Response = found[0]
        return response

    monkeypatch.setattr(Http, "send", on_lane)
    monkeypatch.setattr(matrix, "resent", 1)


@pytest.fixture
def way(request: pytest.FixtureRequest, rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> str:
    """Draw how requests are made, by the printed seed: in half of the tests on the lane."""
    if fast.multi_class() is None or rng.random() < 0.5:
        monkeypatch.setattr(fast, "ENABLED", False)
        return "urllib3"
    use_lane(monkeypatch)
    return "lane"
