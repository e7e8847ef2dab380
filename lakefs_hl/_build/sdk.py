"""The generated lakeFS SDK, opened with a client's endpoint and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from lakefs_hl._version import __version__
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings
from lakefs_hl.spec.errors import InvalidConfigError, OfflineException, UnsupportedOperationException
from lakefs_hl.spec.hosts import proxy_fault
from lakefs_hl.spec.secret import reveal
from lakefs_hl.transport.offline import advice

if TYPE_CHECKING:
    from lakefs_sdk.client import LakeFSClient


def check_has_server(settings: Settings, options: ClientOptions) -> None:
    """Refuse a client that has no server to open the generated SDK with.

    Raises:
        UnsupportedOperationException: The lake is embedded, or the transport is a function.
        OfflineException: The client is offline.
    """
    if settings.in_process:
        msg = f"{settings.endpoint} is embedded, and the generated SDK needs a server: start `lakefs-hl serve` for it"
        raise UnsupportedOperationException(msg)
    if settings.offline:
        raise OfflineException(f"the generated SDK needs a server: {advice(settings.offline)}")
    if options.transport is not None:
        msg = "the generated SDK needs a server, and this client was made with transport="
        raise UnsupportedOperationException(msg)


def open_sdk(settings: Settings, options: ClientOptions) -> LakeFSClient:
    """Return a client of the generated SDK.

    Raises:
        InvalidConfigError: The proxy of the environment is not one.
    """
    from lakefs_sdk.client import LakeFSClient  # costs 0.6 s: loaded on first use
    from lakefs_sdk.configuration import Configuration

    credentials = settings.credentials
    pair = credentials if isinstance(credentials, KeyPair) else None
    configuration: Any = Configuration(
        host=f"{settings.endpoint}/api/v1",  # the SDK adds it only to an endpoint without a path
        username=pair.access_key_id if pair else None,
        password=reveal(pair.secret_access_key) if pair else None,
        ssl_ca_cert=settings.ca_cert,
    )
    configuration.verify_ssl = options.verify_ssl
    proxies = settings.proxies
    if proxy := proxies.get(urlsplit(settings.endpoint).scheme) or proxies.get("all"):
        from lakefs_hl.transport.route import without_login

        if why := proxy_fault(proxy):
            raise InvalidConfigError(f"the configured proxy is not a proxy: {why}")
        configuration.proxy, configuration.proxy_headers = without_login(proxy)
    opened: LakeFSClient = cast("Any", LakeFSClient)(
        configuration, header_name="X-Lakefs-Client", header_value=f"lakefs-hl/{__version__}"
    )
    return opened
