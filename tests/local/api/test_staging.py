"""Addresses to put bytes at, and linking them."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, record


def test_an_address_is_linked(app: App) -> None:
    place = record(ask(app, endpoints.GET_PHYSICAL_ADDRESS, query={"path": "x"}))
    assert place["physical_address"].startswith("local://repo/data/")
    wanted = {"staging": place, "checksum": "c", "size_bytes": 3}
    assert ask(app, endpoints.LINK_PHYSICAL_ADDRESS, query={"path": "x"}, body=wanted).status == 200
    told = record(ask(app, endpoints.STAT_OBJECT, query={"path": "x"}))
    assert (told["checksum"], told["size_bytes"]) == ("c", 3)
