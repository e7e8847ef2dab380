"""Every message that the troubleshooting page quotes is raised by the code, word for word.

Each function below provokes the message under the heading of the same words.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import io
import logging
import os
import pickle
import re
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

import lakefs_hl
import lakefs_hl.aio
from tests import serving
from tests.transport.peers import answer, answering

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guides" / "troubleshooting.md"
ENTRY = re.compile(r"^### (.+?)\n\n```text\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
MESSAGES = dict(ENTRY.findall(PAGE.read_text(encoding="utf-8")))
PROVOKED: dict[str, Callable[[lakefs_hl.Branch], object]] = {}
Provocation = Callable[[lakefs_hl.Branch], object]


def provokes(heading: str) -> Callable[[Provocation], Provocation]:
    def register(function: Provocation) -> Provocation:
        PROVOKED[heading] = function
        return function

    return register


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty home, and no variable that names a server or credentials."""
    for name in list(os.environ):
        if name.startswith(("LAKECTL_", "LAKEFS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", None)
    monkeypatch.chdir(tmp_path)


def test_every_entry_of_the_page_is_provoked() -> None:
    headings = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(MESSAGES)
    assert set(headings) == set(PROVOKED)


def test_every_entry_says_what_to_do() -> None:
    sections = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert all("**Cause.**" in section and "**What to do.**" in section for section in sections)


@pytest.mark.parametrize("heading", sorted(MESSAGES))
def test_the_message_is_the_one_of_the_page(heading: str, lake_branch: lakefs_hl.Branch) -> None:
    said = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            PROVOKED[heading](lake_branch)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
    said = said or "".join(f"{one.category.__name__}: {one.message}" for one in caught)
    pattern = ".*?".join(re.escape(part) for part in MESSAGES[heading].split("…"))
    assert re.fullmatch(pattern, said, re.DOTALL), said


def logged_lines(page: str) -> list[str]:
    """The blocks of output under "See the requests", with numbers replaced."""
    section = page.partition("## See the requests\n")[2].partition("\n## ")[0]
    return [normal(block) for block in re.findall(r"^```text\n(.+?)^```$", section, re.MULTILINE | re.DOTALL)]


def normal(text: str) -> str:
    """The text without what differs from run to run: times, bytes and the port."""
    return re.sub(r":\d+/|\d+\.\d{3}(?= s\b)|\d+(?= bytes)", "#", text)


def test_the_log_is_the_one_of_the_page() -> None:
    text, logger = io.StringIO(), logging.getLogger("lakefs_hl")
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    record = '{"path":"users.csv","path_type":"object","physical_address":"s3://b/k","checksum":"c","mtime":1}'
    replies = [answer(b"", "503 Service Unavailable"), answer(record.encode(), content_type="application/json")]
    client = lakefs_hl.Client("mem://")
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    branch.upload("id,name\n", "users.csv")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        branch.stat("users.csv")
        in_process = text.getvalue()
        with answering(lambda _: replies.pop(0)) as server:
            retry = lakefs_hl.types.Retry(backoff_busy=0.001)
            with lakefs_hl.Client(server.url, "key", "secret", retries=retry) as other:
                lakefs_hl.repository("example", client=other).branch("main").stat("users.csv")
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
    remote = text.getvalue().removeprefix(in_process)
    assert [normal(in_process), normal(remote)] == logged_lines(PAGE.read_text(encoding="utf-8"))


# -- connecting --------------------------------------------------------------------------------------------------------


@provokes("No credentials")
def no_credentials(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.repository("example").exists()


@provokes("No credentials in a worker process")
def no_credentials_in_a_worker(branch: lakefs_hl.Branch) -> None:
    client = lakefs_hl.Client("http://127.0.0.1:9", "key", "secret")
    pickle.loads(pickle.dumps(lakefs_hl.repository("example", client=client))).exists()


@provokes("Credentials are refused")
def refused_credentials(branch: lakefs_hl.Branch) -> None:
    with serving.running(Path.cwd() / "lake") as served, lakefs_hl.Client(served.url, served.key, "other") as client:
        lakefs_hl.repository("example", client=client).exists()


@provokes("Connection refused")
def nothing_listens(branch: lakefs_hl.Branch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with lakefs_hl.Client(f"http://127.0.0.1:{port}", "key", "secret", retries=0) as client:
        lakefs_hl.repository("example", client=client).exists()


class WebPage(http.server.BaseHTTPRequestHandler):
    """A web server that is not lakeFS."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def web_page() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), WebPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@provokes("Not a lakeFS server")
def not_lakefs(branch: lakefs_hl.Branch) -> None:
    with web_page() as url, lakefs_hl.Client(url, "key", "secret", retries=0) as client:
        try:
            lakefs_hl.repository("example", client=client).exists()
        finally:
            client.close()


@provokes("The endpoint has no scheme")
def no_scheme(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Client("localhost:8000", "key", "secret")


@provokes("Half a key pair")
def half_a_pair(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Client("https://lakefs.example.com", "key")


@provokes("Credentials in a readable file")
def readable_file(branch: lakefs_hl.Branch) -> None:
    file = Path.home() / ".lakectl.yaml"
    file.write_text(
        "server:\n  endpoint_url: https://lakefs.example.com\n"
        "credentials:\n  access_key_id: key\n  secret_access_key: secret\n"
    )
    file.chmod(0o644)
    lakefs_hl.Client()


@provokes("Unencrypted connection")
def unencrypted(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Client("http://lakefs.example.com", "key", "secret")


# -- objects -----------------------------------------------------------------------------------------------------------


@provokes("There is no such object")
def no_object(branch: lakefs_hl.Branch) -> None:
    branch.download("data/t.csv")


@provokes("There is no such branch")
def no_branch(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Branch("example", "nowhere", branch._given).download("t.csv")


@provokes("Commits are immutable")
def immutable(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Tag("example", "v1", branch._given).create("main")
    lakefs_hl.Branch("example", "v1", branch._given).upload(b"", "t.csv")


@provokes("A handle without `upload`")
def read_only(branch: lakefs_hl.Branch) -> None:
    branch.head().upload(b"", "t.csv")  # type: ignore[attr-defined]


@provokes("A file was never closed")
def never_closed(branch: lakefs_hl.Branch) -> None:
    branch.open("t.csv", "w").write("1,2\n")
    gc.collect()


@provokes("The text is a file name")
def file_name(branch: lakefs_hl.Branch) -> None:
    Path("data.csv").write_text("1,2\n")
    branch.upload("data.csv", "t.csv")


@provokes("Data and path are swapped")
def swapped(branch: lakefs_hl.Branch) -> None:
    branch.upload("t.csv", b"1,2\n")  # type: ignore[arg-type]


@provokes("Metadata that is not text")
def metadata_number(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"", "t.csv", metadata={"rows": 5})  # type: ignore[dict-item]


@provokes("Metadata keys in lower case")
def metadata_capital(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"", "t.csv", metadata={"Unit": "kg"})


@provokes("There is no append mode")
def append(branch: lakefs_hl.Branch) -> None:
    branch.open("t.csv", "a")  # type: ignore[call-overload]


@provokes("An object changed while it was read")
def changed(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"1" * 1_000_000, "t.csv")
    with branch.open("t.csv", "rb") as file:
        branch.upload(b"2" * 1_000_000, "t.csv")
        file.seek(900_000)
        file.read(1)


@provokes("A prefix was not deleted")
def prefix(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"", "data/t.csv")
    branch.delete_objects("data/")


# -- versions ----------------------------------------------------------------------------------------------------------


def diverged(branch: lakefs_hl.Branch) -> lakefs_hl.Branch:
    work = lakefs_hl.Branch("example", "work", branch._given).create("main")
    for one, data in ((branch, b"1"), (work, b"2")):
        one.upload(data, "t.csv")
        one.commit_changes("a change")
    return work


@provokes("Uncommitted changes")
def dirty(branch: lakefs_hl.Branch) -> None:
    work = diverged(branch)
    branch.upload(b"3", "t.csv")
    work.merge_into(branch)


@provokes("A transaction does not start")
def dirty_transaction(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"1", "t.csv")
    with branch.transaction("does not start"):
        pass


@provokes("No changes")
def no_changes(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"1", "t.csv")
    branch.commit_changes("once")
    branch.upload(b"1", "t.csv")
    branch.commit_changes("twice")


@provokes("A merge conflict")
def conflict(branch: lakefs_hl.Branch) -> None:
    diverged(branch).merge_into(branch)


@provokes("A date without a time zone")
def naive(branch: lakefs_hl.Branch) -> None:
    branch.log(since=datetime(2026, 1, 31))


@provokes("Something of another repository")
def elsewhere(branch: lakefs_hl.Branch) -> None:
    branch.diff(lakefs_hl.Branch("other", "main", branch._given))


# -- the embedded lake -------------------------------------------------------------------------------------------------


@provokes("The directory is not a lake")
def no_lake(branch: lakefs_hl.Branch) -> None:
    Path("other").mkdir()
    Path("other/notes.txt").write_text("")
    lakefs_hl.Client("local:./other")


@provokes("There is no lake")
def misspelled(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.Client("local:./lake").close()
    lakefs_hl.Client("local:./lkae", create=False)


@provokes("A lake in memory of another process")
def gone(branch: lakefs_hl.Branch) -> None:
    pickled = pickle.dumps(lakefs_hl.repository("example", client=lakefs_hl.Client("mem://")))
    gc.collect()
    pickle.loads(pickled).exists()


@provokes("An import from an object store")
def import_from_s3(branch: lakefs_hl.Branch) -> None:
    branch.import_from("s3://bucket/path/", "data/").run()


@provokes("The generated SDK")
def generated(branch: lakefs_hl.Branch) -> None:
    assert branch._given is not None
    _ = branch._given.sdk_client


# -- async and processes -----------------------------------------------------------------------------------------------


@provokes("A client of the other package")
def other_package(branch: lakefs_hl.Branch) -> None:
    lakefs_hl.repository("example", client=lakefs_hl.aio.Client("mem://"))  # type: ignore[arg-type]


@provokes("A listing without `async`")
def not_async(branch: lakefs_hl.Branch) -> None:
    async def listing() -> None:
        async with lakefs_hl.aio.Client("mem://") as client:
            list(lakefs_hl.aio.Branch("example", "main", client).list_objects())  # type: ignore[call-overload]

    asyncio.run(listing())


@provokes("A transaction cannot be pickled")
def pickled_transaction(branch: lakefs_hl.Branch) -> None:
    pickle.dumps(branch.transaction("two processes"))
