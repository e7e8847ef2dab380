"""What tells clients apart, how they print, and what a pickle of one contains; each option by its own mark."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from lakefs_hl._build.identity import describe, describe_html, key, pickle_options
from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.settings import resolve
from lakefs_hl.spec.wire import Request, Response

HOST, SECRET = "https://lakefs.example", "SECRET-that-nobody-may-see"
PAIR: dict[str, Any] = {"host": HOST, "username": "AKIAEXAMPLE0", "password": SECRET}


def answer(request: Request) -> Response:
    return Response(404)


#: A value other than the default for each option.
OTHERS: dict[str, Any] = {
    "host": HOST, "username": "key", "password": SECRET, "access_token": SECRET, "profile": "work", "timeout": 3,
    "connect_timeout": 3, "deadline": 3, "max_concurrency": 3, "retries": 3, "verify_ssl": False, "ca_cert": "/ca.pem",
    "proxy": f"http://me:{SECRET}@p:1", "committer": "ada", "create": False, "allowed_storage_hosts": ("minio",),
    "gateway_endpoint": "https://s3.lake.example",
    "offline": True,
    "cache_size": 5,
    "pickle_secrets": True, "aws_role": True, "token_ttl_seconds": 30, "url_presign_ttl_seconds": 30,
    "token_request_headers": {"x": SECRET}, "transport": answer, "port": 3, "scope": "alice",
    "create_repositories": True,
}  # fmt: skip


def test_each_option_has_another_value() -> None:
    assert OTHERS.keys() == OPTIONS.keys()
    assert ClientOptions(**OTHERS).given() == OTHERS


# --------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("name", list(OPTIONS))
def test_an_option_tells_clients_apart_as_its_mark_says(name: str) -> None:
    settings = resolve(ClientOptions(**PAIR), {})
    one, other = ClientOptions(), ClientOptions(**{name: OTHERS[name]})
    assert (key(settings, one) != key(settings, other)) is OPTIONS[name].identifies


def test_endpoint_and_credentials_tell_clients_apart() -> None:
    options = ClientOptions(**PAIR)
    found = key(resolve(options, {}), options)
    assert found == key(resolve(options, {}), options)
    for change in ({"host": "https://other.example"}, {"password": "other"}, {"committer": "ada"}):
        changed = options.replace(**change)
        assert key(resolve(changed, {}), changed) != found


def test_a_client_prints_its_endpoint_and_caller() -> None:
    options = ClientOptions(**PAIR)
    settings = resolve(options, {})
    assert describe(options, settings) == f"<Client {HOST} as access key AKIA… and its secret>"
    assert describe(options, None) == f"<Client {HOST}, unpickled and not used yet>"
    assert describe(ClientOptions(), None) == "<Client of the configuration, unpickled and not used yet>"
    assert describe(options.replace(scope="alice"), settings).endswith("and its secret, scope 'alice'>")
    lake = ClientOptions(host="mem://x")
    assert describe(lake, resolve(lake, {})) == "<Client mem://x>"


def test_a_notebook_shows_a_table_of_sources() -> None:
    options = ClientOptions(**PAIR, ca_cert="/etc")
    shown = describe_html(options, resolve(options, {}))
    rows = [re.findall("<td[^>]*>([^<]*)</td>", row) for row in shown.split("</tr>")]
    assert ["endpoint", HOST, "keyword arguments"] in rows
    assert "ca_cert" in [row[0] for row in rows if row]
    assert SECRET not in shown
    unused = describe_html(options, None)
    assert unused == f"<code>{html.escape(describe(options, None))}</code>"


# ---------------------------------------------------------------------------------------------------------- pickles


def parts(*, without_secret: bool = False, endpoint: str | None = HOST, **given: Any) -> tuple[dict[str, Any], bool]:
    return pickle_options(ClientOptions(**given), endpoint, without_secret=without_secret)


def test_a_client_without_secrets_pickles_what_was_given() -> None:
    assert parts(profile="work", timeout=3, retries=0) == ({"profile": "work", "timeout": 3, "retries": 0}, False)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.is_secret])
def test_a_secret_is_left_out_and_its_endpoint_goes_along(name: str) -> None:
    kept, left_out = parts(**{name: OTHERS[name], "timeout": 3})
    assert (kept, left_out) == ({"host": HOST, "timeout": 3}, True)


def test_a_key_id_is_left_out_with_its_secret() -> None:
    assert parts(**PAIR) == ({"host": HOST}, True)
    assert parts(username="key") == ({"username": "key"}, False)


def test_a_role_is_left_out_with_its_headers_only() -> None:
    role: dict[str, Any] = {"aws_role": True, "token_ttl_seconds": 30}
    assert parts(**role) == (role, False)
    assert parts(**role, token_request_headers={"x": SECRET}) == ({"host": HOST}, True)
    assert parts(**role, password=SECRET) == ({**role, "host": HOST}, True)


def test_a_login_at_a_proxy_is_left_out_of_its_url() -> None:
    assert parts(proxy=f"http://me:{SECRET}@p:1") == ({"proxy": "http://p:1"}, False)
    assert parts(proxy="") == ({"proxy": ""}, False)


def test_secrets_go_along_if_that_was_asked_for() -> None:
    given = {**PAIR, "proxy": OTHERS["proxy"], "token_request_headers": {"x": SECRET}, "pickle_secrets": True}
    kept, left_out = parts(**given)
    assert (kept, left_out) == (given, False)
    plain = [kept["password"], kept["proxy"], kept["token_request_headers"]["x"]]
    assert [type(text) for text in plain] == [str, str, str]


def test_a_client_that_was_unpickled_and_never_used_travels_as_it_came() -> None:
    assert parts(endpoint=None, without_secret=True, host=HOST, timeout=3) == ({"host": HOST, "timeout": 3}, True)


def test_what_was_left_out_once_stays_left_out() -> None:
    assert parts(host=HOST, without_secret=True) == ({"host": HOST}, True)


@pytest.mark.parametrize("endpoint", [HOST, None])
def test_a_function_does_not_pickle(endpoint: str | None) -> None:
    with pytest.raises(TypeError, match="make the client in the process that uses it"):
        parts(endpoint=endpoint, transport=answer)
