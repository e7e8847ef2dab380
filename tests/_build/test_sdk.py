"""The generated SDK: opened with the endpoint, credentials and connection options of a client."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl._build.sdk import check_has_server, open_sdk
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import resolve
from lakefs_hl.spec.errors import InvalidConfigError, UnsupportedOperationException
from lakefs_hl.spec.wire import Response

HOST, SECRET = "https://lakefs.example/under", "SECRET-that-nobody-may-see"


def opened(env: dict[str, str] | None = None, **given: Any) -> Any:
    options = ClientOptions(host=HOST, **given)
    settings = resolve(options, env or {})
    check_has_server(settings, options)
    client: Any = open_sdk(settings, options)
    return client._api.configuration


def test_it_has_endpoint_and_key_pair() -> None:
    found = opened(username="key", password=SECRET)
    assert (found.host, found.username, found.password) == (f"{HOST}/api/v1", "key", SECRET)
    assert found.verify_ssl is True


def test_a_token_is_no_key_pair() -> None:
    found = opened(access_token=SECRET)
    assert (found.username, found.password) == (None, None)


def test_it_has_the_options_of_the_connection() -> None:
    found = opened(access_token="t", verify_ssl=False, proxy="http://me:pw@p:1")
    assert (found.verify_ssl, found.proxy) == (False, "http://p:1")
    assert "proxy-authorization" in {name.lower() for name in found.proxy_headers}
    assert opened({"HTTPS_PROXY": "http://q:2"}, access_token="t").proxy == "http://q:2"
    assert opened({"HTTP_PROXY": "http://q:2"}, access_token="t").proxy is None
    with pytest.raises(InvalidConfigError, match="the configured proxy is not a proxy"):
        opened({"HTTPS_PROXY": "socks5://q:2"}, access_token="t")


def test_a_client_without_a_server_has_none() -> None:
    for options, words in (
        (ClientOptions(host="mem://x"), "lakefs-hl serve"),
        (ClientOptions(transport=lambda _: Response(404)), "made with transport="),
    ):
        with pytest.raises(UnsupportedOperationException, match=words):
            check_has_server(resolve(options, {}), options)
