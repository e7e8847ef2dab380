"""A served lake at full size: requests as bytes, every operation many times, and abuse for half a minute."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from tests.local.serve import test_budgets, test_fuzz, test_openapi
from tests.local.serve.support import BASE, connect, head, serving
from tests.serving import running

pytestmark = pytest.mark.timeout(1800)


def test_twenty_thousand_requests_as_bytes(tmp_path: Path, rng: random.Random) -> None:
    with serving(tmp_path) as server:
        found = test_fuzz.odd_answers(server, rng, 20_000)
    assert not found, "\n".join(found[:10])


def test_every_operation_a_hundred_times(tmp_path: Path, rng: random.Random) -> None:
    found = test_openapi.run(tmp_path, rng, 100)
    assert not found, "\n".join(found[:20])


def test_reads_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        times = test_budgets.read_latencies(served, 25.0, 200)
        assert times[int(len(times) * 0.99)] < 0.25


def test_five_hundred_dripping_headers(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        assert test_budgets.abused(served, 500) < 0.25


def test_mixed_load(tmp_path: Path) -> None:
    """32 threads, 16,000 uploads, reads and listings: none fails, none is lost."""
    failed: list[str] = []
    with serving(tmp_path) as server:

        def work(number: int) -> None:
            with connect(server.url) as sock:
                for index in range(166):
                    data, path = os.urandom(100), f"{number}/{index}"
                    sent = head("POST", f"{BASE}/branches/main/objects?path={path}", f"Content-Length: {len(data)}")
                    for request, status in (
                        (sent + data, b"201"),
                        (head("GET", f"{BASE}/refs/main/objects?path={path}"), b"200"),
                        (head("GET", f"{BASE}/refs/main/objects/stat?path={path}"), b"200"),
                    ):
                        sock.sendall(request)
                        answer = sock.recv(65536)
                        if answer[9:12] != status or (
                            b"/objects?path" in request and status == b"200" and not answer.endswith(data)
                        ):
                            failed.append(f"{path}: {answer[:100]!r}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed, failed[:5]
