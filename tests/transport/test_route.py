"""Routes: targets of requests, proxies and their exceptions, and the addresses that pre-signed URLs may lead to."""

from __future__ import annotations

import base64
import contextlib
import socket
from typing import Any

import msgspec
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import Request, TransportError
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.route import Route, bypasses, depth, login_header, parse, place, without_login
from tests.transport.peers import answer, answering

STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})


def signed(url: str) -> Request:
    return Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url=url)


@pytest.mark.parametrize(
    ("api", "store", "allowed"),
    [
        ("93.184.216.34", "127.0.0.1", False),
        ("93.184.216.34", "10.0.0.1", False),
        ("93.184.216.34", "169.254.169.254", False),
        ("93.184.216.34", "fd00:ec2::254", False),
        ("93.184.216.34", "::ffff:10.0.0.1", False),
        ("93.184.216.34", "8.8.8.8", True),
        ("10.0.0.1", "192.168.1.1", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "10.0.0.1", True),
        ("127.0.0.1", "169.254.169.254", False),
        ("::1", "127.0.0.1", True),
        ("", "127.0.0.1", False),
    ],
)
def test_a_server_may_send_us_outwards_only(api: str, store: str, allowed: bool) -> None:
    assert (depth(store) <= depth(api)) is allowed


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("8.8.8.8", 0),
        ("10.0.0.1", 1),
        ("100.64.0.1", 1),  # shared by a carrier's customers
        ("198.18.0.1", 1),
        ("fc00::1", 1),
        ("127.0.0.1", 2),
        ("0.0.0.0", 2),
        ("::", 2),
        ("::1", 2),
        ("fe80::1%eth0", 3),
        ("169.254.1.1", 3),
        ("169.254.169.254", 4),
        ("100.100.100.200", 4),
        ("192.0.0.192", 4),
        ("fd00:ec2::254", 4),
        ("64:ff9b::8.8.8.8", 0),
        ("64:ff9b::a9fe:a9fe", 4),
        ("64:ff9b::7f00:1", 2),
        ("64:ff9b:1:a9fe:a9:fe00::", 4),
        ("64:ff9b:1::10.0.0.1", 1),
        ("2002:0808:0808::1", 0),
        ("2002:a9fe:a9fe::1", 4),
        ("2002:7f00:1::", 2),
        ("::ffff:10.0.0.1", 1),
        ("::ffff:169.254.169.254", 4),
        ("::ffff:0:127.0.0.1", 2),
        ("::127.0.0.1", 2),
        ("::10.0.0.1", 1),
        ("2001:0:808:808::80ff:fffe", 2),  # Teredo: the client's address is inverted
        ("2606:4700::5efe:10.0.0.1", 1),  # ISATAP
        ("2606:4700::200:5efe:10.0.0.1", 1),
        ("2606:4700::1", 0),
        ("nonsense", 0),
    ],
)
def test_an_address_is_judged_by_what_it_carries(address: str, found: int) -> None:
    assert depth(address) == found


def met(route: Route, url: str, peer: str) -> str:
    """What becomes of a pre-signed URL whose host turns out to have an address: "" or the refusal."""
    try:
        check = route.away(parse(url))
        if check is not None:
            check(peer)
    except TransportError as exc:
        return "" if exc.retry or exc.applied is not False else str(exc)
    return ""


def route(endpoint: str, address: str, *allowed: str, **options: Any) -> Route:
    made = Route(parse(endpoint), options.get("proxies", {}), options.get("no_proxy", ()), allowed)
    note = made.home()
    if note is not None:
        note(address)
    return made


LOCAL = ("http://127.0.0.1:8000", "127.0.0.1")
FAR = ("https://lakefs.example", "93.184.216.34")


@pytest.mark.parametrize(
    ("endpoint", "url", "peer", "allowed"),
    [
        (LOCAL, "http://127.0.0.1:8000/x", "127.0.0.1", True),
        (LOCAL, "http://localhost:8000/x", "127.0.0.1", True),
        (LOCAL, "http://127.0.0.1:9000/x", "127.0.0.1", False),
        (LOCAL, "http://localhost:9000/x", "::1", False),
        (LOCAL, "http://127.0.0.1/x", "127.0.0.1", False),
        (LOCAL, "http://10.0.0.1:9000/x", "10.0.0.1", True),
        (LOCAL, "https://s3.example/x", "8.8.8.8", True),
        (FAR, "https://store.example/x", "8.8.8.8", True),
        (FAR, "https://lakefs.example:9000/x", "93.184.216.34", True),
        (FAR, "https://store.example/x", "10.0.0.1", False),
        (FAR, "https://store.example/x", "127.0.0.1", False),
        (FAR, "http://store.example/x", "8.8.8.8", False),
    ],
)
def test_where_a_server_may_send_us(endpoint: tuple[str, str], url: str, peer: str, allowed: bool) -> None:
    assert (met(route(*endpoint), url, peer) == "") is allowed


def test_the_refusal_prints_the_entry_to_add() -> None:
    refusal = met(route(*LOCAL), "http://127.0.0.1:9000/secret?signature=cafe", "127.0.0.1")
    assert 'allowed_storage_hosts=["127.0.0.1:9000"]' in refusal
    assert "cafe" not in refusal
    assert "secret" not in refusal
    assert 'allowed_storage_hosts=["[::1]:9000"]' in met(route(*LOCAL), "http://[::1]:9000/", "::1")
    assert 'allowed_storage_hosts=["store.example:443"]' in met(route(*FAR), "https://store.example/", "10.0.0.1")


@pytest.mark.parametrize("entry", ["127.0.0.1:9000", "127.0.0.1", " 127.0.0.1 "])
def test_an_entry_allows_a_port_or_all(entry: str) -> None:
    allowing = route(*LOCAL, entry)
    assert met(allowing, "http://127.0.0.1:9000/", "127.0.0.1") == ""
    assert (met(allowing, "http://127.0.0.1:9001/", "127.0.0.1") == "") is (":" not in entry)


@pytest.mark.parametrize("entry", ["[::1]:9000", "::1", "[::1]", "B\u00fccher.example", "xn--bcher-kva.example:9000"])
def test_entries_are_accepted_as_people_write_them(entry: str) -> None:
    allowing = route(*FAR, entry)
    hosts = {"::1": "[::1]", "x": "b\u00fccher.example"}
    assert met(allowing, f"http://{hosts['::1' if '::1' in entry else 'x']}:9000/", "127.0.0.1") == ""


@pytest.mark.parametrize("entry", ["h:port", "h:99999"])
def test_an_entry_that_is_not_a_host_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="is not `host` or `host:port`"):
        Http("http://h", allowed_storage_hosts=[entry])


def test_the_address_of_a_proxy_is_not_the_endpoints() -> None:
    proxied = route("https://lakefs.example", "127.0.0.1", proxies={"all": "http://127.0.0.1:3128"}, no_proxy=["store"])
    assert "inner address" in met(proxied, "https://store/x", "127.0.0.1")
    assert met(proxied, "https://elsewhere/x", "127.0.0.1") == ""  # the proxy's own business


def test_another_service_of_this_machine_is_refused_before_anything_is_sent() -> None:
    with answering() as store, answering() as server:
        transport = Http(server.url)
        transport.send(STAT)
        with pytest.raises(TransportError, match="is another service on this machine"):
            transport.send(signed(f"{store.url}/b/k?signature=cafe"))
        assert store.asked == []
        allowing = Http(server.url, allowed_storage_hosts=[f"127.0.0.1:{store.port}"])
        assert allowing.send(signed(f"{store.url}/b/k?signature=cafe")).status == 200


# ------------------------------------------------------------------------------------------------- paths and names


def test_an_endpoint_may_lie_under_a_path() -> None:
    with answering(answer(b"{}")) as server:
        Http(f"{server.url}/lakefs/").send(STAT)
        Http(f"{server.url}/a/b%20c").send(STAT)
    assert [asked.target.partition("/repositories")[0] for asked in server.asked] == [
        "/lakefs/api/v1",
        "/a/b%20c/api/v1",
    ]


def test_an_endpoint_under_a_path_is_reached_through_a_proxy() -> None:
    with answering(answer(b"{}")) as proxy:
        Http("http://lakefs.example/lakefs", proxies={"http": proxy.url}).send(STAT)
    assert proxy.asked[0].target.startswith("http://lakefs.example/lakefs/api/v1/repositories/")


def test_international_names_are_sent_in_ascii(mocker: MockerFixture) -> None:
    real = socket.getaddrinfo
    looked_up = mocker.patch.object(
        socket, "getaddrinfo", side_effect=lambda host, *args, **kwargs: real("127.0.0.1", *args, **kwargs)
    )
    with answering(answer(b"{}")) as server:
        Http(f"http://B\u00fccher.example:{server.port}").send(STAT)
        Http("http://h", proxies={"http": f"http://b\u00fccher.example:{server.port}"}).send(STAT)
        signed_url = f"http://b\u00fccher.example:{server.port}/k"
        Http(server.url, allowed_storage_hosts=["b\u00fccher.example"]).send(signed(signed_url))
    assert [call.args[0] for call in looked_up.call_args_list] == ["xn--bcher-kva.example"] * 3
    assert [asked.headers["host"] for asked in server.asked] == [
        f"xn--bcher-kva.example:{server.port}",
        "h",
        f"xn--bcher-kva.example:{server.port}",
    ]


def test_a_pre_signed_url_that_is_not_a_url_is_an_error() -> None:
    for url in ("http://h:port/?cafe", "http://stra\u00dfe.example/?cafe", "http://[::1/?cafe"):
        with pytest.raises(TransportError, match="pre-signed URL that is not a URL") as caught:
            Http("http://h").send(signed(url))
        assert "cafe" not in str(caught.value)


# --------------------------------------------------------------------------------------------------------- proxies


def test_a_user_name_and_a_password_are_percent_encoded_in_a_proxys_url() -> None:
    url = "http://us%2Fer:p%40ss%25%C3%BC@127.0.0.1:1"
    pair = base64.b64encode("us/er:p@ss%\u00fc".encode()).decode()
    assert login_header(parse(url)) == {"proxy-authorization": f"Basic {pair}"}
    assert login_header(parse("http://user@h")) == {"proxy-authorization": "Basic dXNlcjo="}
    assert login_header(parse("http://h")) == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_gets_the_user_name_and_the_password_decoded(scheme: str) -> None:
    refusal = answer(status="407 Proxy Authentication Required", connection="close")
    with answering(refusal) as proxy:
        url = proxy.url.replace("http://", "http://us%2Fer:p%40ss%25@")
        with contextlib.suppress(TransportError):
            Http(f"{scheme}://lakefs.example", proxies={scheme: url}).send(STAT)
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXMvZXI6cEBzcyU="


@pytest.mark.parametrize(
    ("status", "words", "retry"),
    [
        ("407 Proxy Authentication Required", "requires a user name and a password", False),
        ("403 Forbidden", "does not connect to lakefs.example: 403 Forbidden", False),
        ("502 Bad Gateway", "does not connect to lakefs.example: 502 Bad Gateway", True),
    ],
)
def test_a_proxys_refusal_of_a_tunnel_is_part_of_the_message(status: str, words: str, retry: bool) -> None:
    with answering(answer(status=status, connection="close")) as proxy:
        transport = Http("https://lakefs.example", proxies={"https": proxy.url})
        with pytest.raises(TransportError, match=words) as caught:
            transport.send(STAT)
    assert (caught.value.kind, caught.value.retry, caught.value.applied) == ("proxy", retry, False)
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://127.0.0.1:1", "the proxy 127.0.0.1:1 refuses connections"),
        ("http://nowhere.invalid:3128", "the name of the proxy nowhere.invalid:3128 does not resolve"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_reached_is_named(scheme: str, proxy: str, words: str) -> None:
    with pytest.raises(TransportError, match=words) as caught:
        Http(f"{scheme}://lakefs.example", proxies={"all": proxy}).send(STAT)
    assert (caught.value.kind, caught.value.retry) == ("proxy", True)


@pytest.mark.parametrize(
    ("listed", "host", "expected"),
    [
        ("*", "h", True),
        ("example.com", "example.com", True),
        ("example.com", "a.example.com", True),
        (".example.com", "a.example.com", True),
        ("example.com", "badexample.com", False),
        ("example.com:8000", "example.com", True),
        ("example.com:9000", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("::1", "::1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("EXAMPLE.com", "example.COM.", True),
        ("b\u00fccher.example", "xn--bcher-kva.example", True),
        ("stra\u00dfe.example", "strasse.example", False),
        ("", "h", False),
    ],
)
def test_the_list_of_hosts_without_a_proxy_is_read_as_by_curl(listed: str, host: str, expected: bool) -> None:
    assert bypasses([listed], host, 8000) is expected


# ----------------------------------------------------------------------------------------------------------- targets


def routed(endpoint: str = "https://lakefs.example:8443/base") -> Route:
    return Route(parse(endpoint), {}, (), (), "agent/1")


def test_a_request_to_the_endpoint_has_its_path_and_the_credentials() -> None:
    request = msgspec.structs.replace(STAT, authorization=Secret("Basic c2VjcmV0"), headers={"x-lakefs-client": "c"})
    target = routed().target(request)
    assert place(target.url) == "lakefs.example:8443"
    assert target.path == "/base/api/v1/repositories/r/refs/main/objects/stat?path=k"
    assert target.headers == {
        "accept": "*/*", "accept-encoding": "identity", "user-agent": "agent/1", "x-lakefs-client": "c",
        "authorization": "Basic c2VjcmV0",
    }  # fmt: skip
    assert "c2VjcmV0" not in repr(target)


def test_a_pre_signed_url_gets_no_header_of_the_endpoint() -> None:
    url = "https://store.example/k?X-Amz-Signature=s3cr3t"
    headers = {"Authorization": "Bearer t", "Cookie": "c", "X-LakeFS-Client": "c", "range": "bytes=0-1"}
    target = routed().target(msgspec.structs.replace(signed(url), headers=headers))
    assert target.path == "/k?X-Amz-Signature=s3cr3t"
    assert sorted(target.headers) == ["accept", "accept-encoding", "range", "user-agent"]
    assert "s3cr3t" not in repr(target)
    assert target.guard is not None


def test_a_target_knows_whether_an_address_is_allowed() -> None:
    made = routed("https://lakefs.example")
    note = made.target(STAT).guard
    assert note is not None
    note("93.184.216.34")
    check = made.target(signed("https://store.example/k?s=1")).guard
    assert check is not None
    check("8.8.8.8")
    with pytest.raises(TransportError, match=r"refused to follow a pre-signed URL to store.example.*inner address"):
        check("10.0.0.1")


def test_a_proxys_url_is_split_from_its_login() -> None:
    address, headers = without_login("http://user:s3cr3t@proxy.example:3128")
    assert (address, list(headers)) == ("http://proxy.example:3128", ["proxy-authorization"])
    assert "s3cr3t" not in repr(headers)
    assert without_login("http://proxy.example:3128") == ("http://proxy.example:3128", {})
