"""Version and capabilities of a server, requested once per client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.spec.wire import Request
from tests.s3_server import S3Server


def test_capabilities_are_those_of_the_server_and_requested_once(mocker: MockerFixture) -> None:
    server = S3Server()
    asked = mocker.Mock(side_effect=server)

    def answer(request: Request) -> object:
        return asked(request)

    async def main() -> None:
        async with aio.Client("http://lakefs.invalid", "key", "secret", transport=answer) as client:  # type: ignore[arg-type]
            storage = aio.ServerConfiguration(client).storage_config()
            asked.assert_not_called()
            assert await storage.blockstore_type() == "s3"
            assert await storage.pre_sign_support() is True
            assert await storage.default_namespace_prefix() == ""
            assert isinstance(await storage.import_support(), bool)
            asked.assert_called_once()

    asyncio.run(main())
    server.close()


def test_a_version_is_that_of_the_server() -> None:
    server = S3Server()

    async def main() -> None:
        async with aio.Client("http://lakefs.invalid", "key", "secret", transport=server) as client:
            assert await aio.ServerConfiguration(client).version()

    asyncio.run(main())
    server.close()


def test_a_client_of_the_other_colour_is_refused(lake: lakefs_hl.Client) -> None:
    for kind in (aio.ServerConfiguration, aio.ServerStorageConfiguration):
        with pytest.raises(TypeError, match=r"must be a lakefs_hl\.aio\.Client"):
            kind(lake)  # type: ignore[arg-type]


def test_nothing_secret_is_printed() -> None:
    assert repr(aio.ServerConfiguration()) == "<ServerConfiguration of the default client>"
    assert repr(aio.ServerStorageConfiguration()) == "<ServerStorageConfiguration of the default client>"


@pytest.mark.parametrize("package", [lakefs_hl, aio], ids=lambda package: package.__name__)
def test_what_is_of_a_client_takes_a_client_of_its_colour(package: Any) -> None:
    classes = [package.Admin, package.CredentialsAdmin, package.ServerConfiguration, package.ServerStorageConfiguration]
    cases: list[tuple[type, tuple[str, ...], str]] = [(kind, (), "the default client") for kind in classes]
    cases.append((package.GCRulesAdmin, ("example",), "lakefs://example"))
    other = lakefs_hl.Client("mem://") if package is aio else aio.Client("mem://")
    for kind, first, shown in cases:
        refused: Any = object.__new__(kind)
        with pytest.raises(TypeError, match="client must be"):
            refused.__init__(*first, other)
        assert repr(refused) == f"<{kind.__name__} of {shown}>"  # as a traceback of the error prints it
        assert repr(kind(*first)) == f"<{kind.__name__} of {shown}>"
