"""The blocking default client: made by the first call that needs it, kept, and the same for all threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._sync import default


@pytest.fixture(autouse=True)
def _no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test begins without a default client."""
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", None)


def test_the_first_call_makes_it_and_the_next_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
    first = default.default_client()
    assert default.default_client() is first
    assert vars(lakefs_hl)["DefaultClient"] is first
    assert default.preview() is first


def test_threads_that_need_it_at_once_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
    start, found = threading.Barrier(8), list[Any]()

    def work() -> None:
        start.wait()
        found.append(default.default_client())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


def test_a_preview_opens_nothing_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default.preview() is None
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
    shown = default.preview()
    assert shown is not None
    assert shown.endpoint.startswith("mem://")
    assert not shown._is_open
    assert vars(lakefs_hl)["DefaultClient"] is None
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", shown)  # as the end of a patch writes it back
    assert default.default_client() is not shown


def test_a_client_can_be_made_the_default(lake: lakefs_hl.Client) -> None:
    assert default.make_default(lake) is lake
    assert default.default_client() is lake


def test_without_credentials_there_is_none() -> None:
    with pytest.raises(exceptions.NoAuthenticationFound):
        default.default_client()
    assert vars(lakefs_hl)["DefaultClient"] is None


def test_an_aws_role_is_checked_when_the_client_becomes_the_default(
    lake: lakefs_hl.Client, mocker: MockerFixture
) -> None:
    run = mocker.patch.object(type(lake), "_run_here")
    default.check_credentials(lake)
    run.assert_not_called()
    mocker.patch.object(lake._session, "authenticator", mocker.Mock(renewable=True))
    default.check_credentials(lake)
    run.assert_called_once()


def test_a_child_has_a_lock_of_its_own() -> None:
    before = default._making.lock
    before.acquire()
    default._making._after_fork()
    assert default._making.lock is not before
    with default._making.lock:
        pass
