"""Principals, and what a limited key may do."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from lakefs_hl.local.api import principals
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec import keys as access_keys
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.errors import ForbiddenException, NotAuthorizedException
from lakefs_hl.spec.wire import Endpoint

FREE = Key("K1", "s", "free", "me")
READER = Key("K2", "s", "reader", "me", read_only=True)
LIMITED = Key("K3", "s", "limited", "me", repositories=("mine",))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_who_asks(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.put(FREE)
    assert principals.principal(keys, None) is None
    assert principals.principal(keys, f"Basic {encoded('K1:s')}") == FREE
    assert principals.principal(keys, f"bearer {keys.token(FREE).token}") == FREE
    for wrong in ("", "Basic", "Basic x", f"Basic {encoded('K1')}", f"Basic {encoded('K1:')}", "Bearer", "Digest x"):
        with pytest.raises(NotAuthorizedException):
            principals.principal(keys, wrong)


def may(key: Key, endpoint: Endpoint, *params: str) -> bool:
    try:
        principals.permit(key, endpoint, params)
    except ForbiddenException:
        return False
    return True


def test_a_key_without_limits() -> None:
    assert all(may(FREE, row, *row.parameters) for row in ENDPOINTS.values())


def test_a_key_that_may_only_read() -> None:
    for row in ENDPOINTS.values():
        reads = row.method in ("GET", "HEAD") and row is not endpoints.GET_PHYSICAL_ADDRESS  # which is to write to
        assert may(READER, row, *row.parameters) == reads, row.operation


def test_a_key_of_some_repositories() -> None:
    assert may(LIMITED, endpoints.UPLOAD_OBJECT, "mine", "main")
    assert may(LIMITED, endpoints.GET_CONFIG)
    assert not may(LIMITED, endpoints.UPLOAD_OBJECT, "other", "main")
    assert not may(LIMITED, endpoints.GET_REPOSITORY, "mine2")
    with pytest.raises(ForbiddenException, match="key 'limited' has no access to 'mine2'"):
        principals.permit(LIMITED, endpoints.GET_REPOSITORY, ("mine2",))
    assert not may(LIMITED, endpoints.CREATE_REPOSITORY)
    assert may(LIMITED, endpoints.LIST_REPOSITORIES)  # which has its own only
    assert not may(LIMITED, administration.GET_USER, "me")
    for row in access_keys.ENDPOINTS.values():
        assert [may(key, row, *row.parameters) for key in (FREE, READER, LIMITED)] == [True, False, False]
    assert not may(Key("K4", "s", "none", "me", repositories=()), endpoints.GET_REPOSITORY, "mine")
