"""The awaitable default client: its own if one was set, else that of the blocking colour."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio import default


@pytest.fixture(autouse=True)
def _no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both colours begin without a default client, and end as they began."""
    for module in (lakefs_hl, aio):
        monkeypatch.setitem(vars(module), "DefaultClient", None)
    monkeypatch.setattr(default, "_pairs", {})


def test_a_client_of_the_other_colour_shares_its_connections(lake: lakefs_hl.Client) -> None:
    made = default.of(lake)
    assert type(made) is aio.Client
    assert made._transport is lake._transport
    assert made._session is lake._session


def test_the_default_is_that_of_the_blocking_colour(lake: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", lake)
    first = default.default_client()
    assert first._transport is lake._transport
    assert default.default_client() is first
    with lakefs_hl.Client("mem://") as other:
        monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", other)
        assert default.default_client()._transport is other._transport


def test_a_default_of_its_own_wins(lake: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", lake)
    own = aio.Client("mem://")
    assert default.make_default(own) is own
    assert default.default_client() is own
    assert default.preview() is own
    asyncio.run(own.close())


def test_a_running_loop_is_not_held_up_by_the_look_up_of_an_aws_role(
    lake: lakefs_hl.Client, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = mocker.patch("lakefs_hl._sync.default.check_credentials")
    own = default.of(lake)

    async def main() -> None:
        assert default.make_default(own) is own
        monkeypatch.setitem(vars(aio), "DefaultClient", None)
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
        default.default_client()

    asyncio.run(main())
    check.assert_not_called()
    default.make_default(own)  # without a loop it is checked at once
    check.assert_called_once_with(own)


def test_without_credentials_there_is_none() -> None:
    with pytest.raises(exceptions.NoAuthenticationFound):
        default.default_client()
    assert default.preview() is None


def test_a_preview_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
    shown = default.preview()
    assert shown is not None
    assert vars(aio)["DefaultClient"] is None
    monkeypatch.setitem(vars(aio), "DefaultClient", shown)  # as the end of a patch writes it back
    assert default.default_client() is not shown


def test_something_else_as_the_default_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Any = "s3cr3t"
    monkeypatch.setitem(vars(aio), "DefaultClient", wrong)
    with pytest.raises(TypeError, match=r"lakefs_hl\.aio\.DefaultClient must be a .*, not str") as caught:
        default.default_client()
    assert "s3cr3t" not in str(caught.value)
