"""Wrong credentials: 20 in 10 seconds, then 429; right ones never wait."""

from __future__ import annotations

import base64
import http.client
from pathlib import Path
from urllib.parse import urlsplit

from lakefs_hl import Client, admin
from lakefs_hl.local.serve.attempts import LIMIT, PEERS, WINDOW_SECONDS, Attempts
from tests.serving import Served, running


def test_the_limit_is_in_a_window() -> None:
    attempts = Attempts()
    assert [attempts.wait("1.2.3.4", index / 10) for index in range(LIMIT)] == [0] * LIMIT
    assert attempts.wait("1.2.3.4", 5.0) == 5.0
    assert attempts.wait("1.2.3.5", 5.0) == 0
    assert attempts.wait("1.2.3.4", WINDOW_SECONDS + 0.05) == 0
    assert attempts.wait("1.2.3.4", WINDOW_SECONDS + 0.05) > 0, "one place was free again, and one only"


def test_an_ipv6_host_is_its_network() -> None:
    attempts = Attempts()
    for index in range(LIMIT):
        assert attempts.wait(f"2001:db8::{index:x}", 0.0) == 0
    assert attempts.wait("2001:db8::ffff", 0.0) > 0
    assert attempts.wait("2001:db8:0:1::1", 0.0) == 0
    assert attempts.wait("::ffff:1.2.3.4", 0.0) == attempts.wait("fe80::1%eth0", 0.0) == 0


def test_peers_are_forgotten() -> None:
    attempts = Attempts()
    for index in range(2 * PEERS):
        attempts.wait(str(index), 0.0)
    assert len(attempts._peers) == PEERS


def basic(key: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()}


def statuses(served: Served, headers: list[dict[str, str]]) -> list[tuple[int, str | None]]:
    parts = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    found = []
    for one in headers:
        connection.request("GET", "/api/v1/repositories", headers=one)
        response = connection.getresponse()
        response.read()
        found.append((response.status, response.getheader("retry-after")))
    connection.close()
    return found


def test_over_http(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        wrong = [basic(served.key, "wrong"), basic("AKIANOBODY", "wrong"), {"authorization": "Bearer a.b.c"}]
        found = statuses(served, (wrong * LIMIT)[: 2 * LIMIT])
        assert [status for status, _ in found] == [401] * LIMIT + [429] * LIMIT
        assert all(1 <= int(retry or 0) <= WINDOW_SECONDS for status, retry in found if status == 429)
        right = basic(served.key, served.secret)
        mixed = statuses(served, [right, wrong[0]] * 20)
        assert [status for status, _ in mixed] == [200, 429] * 20
        assert statuses(served, [{}]) == [(401, None)], "who sends no credentials guesses none"
        parts = urlsplit(served.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        body = b'{"access_key_id": "x", "secret_access_key": "y"}'
        connection.request("POST", "/api/v1/auth/login", body, {"content-type": "application/json"})
        assert connection.getresponse().status == 429
        connection.close()


def test_a_token_that_has_ended_is_no_guess(tmp_path: Path) -> None:
    """Workers whose token has ended all learn that, and whoever forges one is still slowed down."""
    with running(tmp_path / "lake") as served, Client(served.url, served.key, served.secret) as client:
        made = admin(client).credentials.create("workers")
        with Client(served.url, made.id, made.secret_access_key) as owner:
            token = owner.temporary_token(600).token
        ended = {"authorization": f"Bearer {token}"}
        forged = {"authorization": f"bearer {token[:-2]}"}
        assert statuses(served, [ended]) == [(200, None)]
        admin(client).credentials.delete(made)
        assert statuses(served, [ended] * 3 * LIMIT) == [(401, None)] * 3 * LIMIT
        found = statuses(served, [forged, ended] * 2 * LIMIT)
        assert [status for status, _ in found] == [401] * 2 * LIMIT + [429, 401] * LIMIT
        assert client.health_check().user == "admin"
