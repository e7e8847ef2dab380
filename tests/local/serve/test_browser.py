"""Links in a browser: a page of another origin reads and writes by them, where its origin is allowed, and nothing else.

It runs where Chromium is installed, or `LAKEFS_HL_TEST_CHROMIUM` names one, with any arguments that it needs.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.server import HttpServer
from tests.local.serve.support import BASE, serving
from tests.local.serve.test_links import content, make
from tests.local.serve.test_presign import changed, upload

COMMAND = (
    shlex.split(os.environ.get("LAKEFS_HL_TEST_CHROMIUM", ""))
    or [found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))][:1]
)
PAGE = """<!doctype html><title>stranger</title><script type="module">
const links = %s, told = {};
async function attempt(name, url, options) {
  try {
    const response = await fetch(url, options);
    told[name] = [response.status, await response.text(), response.headers.get('etag') !== null];
  } catch (error) { told[name] = error.name; }
}
const file = new Blob(['a,b\\n1,2\\n'], {type: 'text/csv'});
await attempt('read', links.get);
await attempt('range', links.get, {headers: {Range: 'bytes=1-3'}});
await attempt('write', links.put, {method: 'PUT', body: file});
await attempt('create', links.put, {method: 'PUT', body: 'again', headers: {'If-None-Match': '*'}});
await attempt('altered', links.bad);
await attempt('wrong', links.get, {method: 'PUT', body: 'evil'});
await attempt('header', links.get, {headers: {'X-Other': '1'}});
await attempt('api', links.api);
await attempt('simple', links.api, {method: 'POST', body: 'x'});
await fetch('/told', {method: 'POST', body: JSON.stringify(told)});
</script>"""

#: Chromium refuses to start as root with its sandbox. The pages it opens here are our own.
OPTIONS = [
    "--headless",
    "--no-first-run",
    "--disable-dev-shm-usage",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]

pytestmark = [
    pytest.mark.skipif(not COMMAND, reason="no Chromium on this machine; LAKEFS_HL_TEST_CHROMIUM names one"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module", autouse=True)
def _browser(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where a Chromium is installed and cannot start, and say what it said."""
    arguments = [*COMMAND, *OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('probe')}", "--dump-dom", "about:blank"]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("this Chromium opens no page within a minute; LAKEFS_HL_TEST_CHROMIUM names another")
    if "<body>" not in done.stdout:
        pytest.skip(f"this Chromium does not start (exit code {done.returncode}): {done.stderr[-500:]}")


class Site(http.server.ThreadingHTTPServer):
    """A web site with one page, which tells what it could do."""

    page = b""
    told: queue.Queue[dict[str, Any]]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)

    def do_POST(self) -> None:
        self.server.told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def site() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), _Handler) as found:
        found.told = queue.Queue()
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def visit(page: Site, links: dict[str, str], folder: Path) -> dict[str, Any]:
    """Open the page in a browser of its own, and return what it tells."""
    page.page = (PAGE % json.dumps(links)).encode()
    options = [*OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={folder}"]
    with subprocess.Popen(
        [*COMMAND, *options, page.origin], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            return page.told.get(timeout=60)
        finally:
            process.kill()


def links_of(server: HttpServer) -> dict[str, str]:
    upload(server, "a.txt", b"content", "text/plain")
    get = make(server, "GET", "a.txt")
    api = f"{server.url}{BASE}/refs/main/objects?path=a.txt"
    return {"get": get, "put": make(server, "PUT", "b.csv"), "bad": changed(get, path="b"), "api": api}


def test_a_page_of_an_allowed_origin(tmp_path: Path) -> None:
    with site() as page:
        access = Access(port=0, origins=(page.origin,))
        with serving(tmp_path / "lake", access, signing=Settings("http", 1000)) as server:
            told = visit(page, links_of(server), tmp_path / "profile")
            assert told["read"] == [200, "content", True]
            assert told["range"] == [206, "ont", True]
            assert told["write"] == [200, "", True]
            assert content(server, "b.csv") == b"a,b\n1,2\n"
            assert told["create"][0] == 412
            assert told["altered"][0] == told["wrong"][0] == 403
            assert (told["header"], told["api"], told["simple"]) == ("TypeError", "TypeError", "TypeError")
            assert content(server, "a.txt") == b"content"


def test_a_page_of_another_origin(tmp_path: Path) -> None:
    with site() as page:
        access = Access(port=0, origins=("https://app.example",))
        with serving(tmp_path / "lake", access, signing=Settings("http", 1000)) as server:
            told = visit(page, links_of(server), tmp_path / "profile")
            assert set(told.values()) == {"TypeError"}
            assert content(server, "b.csv") is None
