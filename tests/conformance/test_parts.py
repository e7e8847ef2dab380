"""Large objects in parts, to a served lake: whatever they are given as, and after a process was killed.

Parts are short here, which the lake is told to take.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.engine import multipart
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.ops import parts, presign
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.multipart import combined_etag
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport import fast
from lakefs_hl.transport.http import Http
from tests.local.serve.support import PAIR, serving

PART = 100_000
BODY = bytes(range(256)) * 2000  # six parts, the last of them shorter
PIECES = [BODY[start : start + PART] for start in range(0, len(BODY), PART)]
CHECKSUM = combined_etag(hashlib.md5(piece, usedforsecurity=False).digest() for piece in PIECES)
#: A process that uploads a file in parts, and is killed when the store has two of them.
KILLED = """
import os, signal, sys
import lakefs_hl
from lakefs_hl._bulk import upload_journal
from lakefs_hl.ops import parts, presign

parts.THRESHOLD = parts.PART_BYTES = 100_000
parts.WIDTH = 1
add, added = upload_journal.UploadJournal.add, []

def add_and_die(self, part):
    add(self, part)
    added.append(part)
    if len(added) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

upload_journal.UploadJournal.add = add_and_die
url, key, secret, file = sys.argv[1:]
lakefs_hl.repository("repo", client=lakefs_hl.Client(url, key, secret)).branch("main").upload_file(file, "big")
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(multipart, "SHORTEST_PART", 1)
    monkeypatch.setattr(parts, "THRESHOLD", PART)
    monkeypatch.setattr(parts, "PART_BYTES", PART)
    with serving(tmp_path, signing=Settings("http", 1 << 20)) as found:
        yield found


@pytest.fixture
def client(server: HttpServer) -> Iterator[lakefs_hl.Client]:
    with lakefs_hl.Client(server.url, PAIR.access_key_id, PAIR.secret_access_key) as made:
        yield made


@pytest.fixture
def branch(client: lakefs_hl.Client) -> Any:
    return lakefs_hl.repository("repo", client=client).branch("main")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "big").write_bytes(BODY)
    return tmp_path / "files" / "big"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that are sent."""
    operations: list[str] = []
    send = Http.send
    monkeypatch.setattr(fast, "ENABLED", False)  # as for parts of usual length, which are too long for the lane

    def note(self: Http, request: Request, *args: Any) -> Response:
        operations.append(request.endpoint.operation)
        return send(self, request, *args)

    monkeypatch.setattr(Http, "send", note)
    return operations


def unfinished(tmp_path: Path) -> int:
    folder = tmp_path / "lake" / "parts"
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_large_object_goes_in_parts_whatever_it_is_given_as(
    branch: Any, sent: list[str], file: Path, tmp_path: Path
) -> None:
    with branch.open("written", "wb") as writer:
        writer.write(BODY)
    branch.upload_dir(file.parent, "dir/")
    branch.upload_many([("many", BODY)])
    events = list[Any]()
    made = [
        branch.upload(BODY, "bytes", metadata={"k": "ü"}, content_type="text/csv"),
        branch.upload(iter(PIECES), "stream"),
        branch.upload_file(file, "file", progress=events.append),
        branch.stat_object("written"),
        branch.stat_object("dir/big"),
        branch.stat_object("many"),
    ]
    assert [(each.checksum, each.size_bytes) for each in made] == [(CHECKSUM, len(BODY))] * 6
    assert (made[0].metadata, made[0].content_type) == ({"k": "ü"}, "text/csv")
    assert sent.count("presignedPart") == 6 * len(PIECES)
    assert "presignedPut" not in sent
    assert branch.download("bytes") == BODY
    assert branch.download("dir/big", tmp_path / "copy") == len(BODY)
    assert (tmp_path / "copy").read_bytes() == BODY
    with pytest.raises(exceptions.ObjectExistsException):
        branch.upload(BODY, "bytes", if_none_match=True)
    sent.clear()
    assert branch.upload_file(file, "file", update="checksum").checksum == CHECKSUM
    assert branch.upload(BODY, "through", pre_signed=False).checksum == hashlib.md5(BODY).hexdigest()
    assert "presignedPart" not in sent
    assert unfinished(tmp_path) == 0


def test_from_asyncio(server: HttpServer, sent: list[str], file: Path) -> None:
    async def upload() -> list[str]:
        async with aio.Client(server.url, PAIR.access_key_id, PAIR.secret_access_key) as client:
            branch = aio.repository("repo", client=client).branch("main")
            made = [await branch.upload(BODY, "a"), await branch.upload(file, "b"), await branch.upload_file(file, "c")]
            return [each.checksum for each in made]

    assert asyncio.run(upload()) == [CHECKSUM] * 3
    assert sent.count("presignedPart") == 3 * len(PIECES)


def test_a_killed_upload_is_gone_on_with(
    server: HttpServer,
    client: lakefs_hl.Client,
    branch: Any,
    sent: list[str],
    file: Path,
    tmp_path: Path,
) -> None:
    arguments = [server.url, PAIR.access_key_id, PAIR.secret_access_key, str(file)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert unfinished(tmp_path) == 1
    (journal,) = (client.cache_directory / "uploads").iterdir()
    said = journal.read_text().replace(server.url, "")
    assert not any(secret in said for secret in (PAIR.secret_access_key, "http", "signature"))
    branch.upload_file(file, "big")
    assert sent.count("presignedPart") == len(PIECES) - 2
    assert branch.download("big") == BODY
    assert not journal.exists()
    assert unfinished(tmp_path) == 0


def test_an_interrupted_upload_is_aborted(
    branch: Any, sent: list[str], file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read = parts._read_part

    def interrupt(*args: Any) -> Any:
        if args[-1] == 2:
            raise KeyboardInterrupt
        return read(*args)

    monkeypatch.setattr(parts, "_read_part", interrupt)
    with pytest.raises(KeyboardInterrupt):
        branch.upload_file(file, "big")
    assert sent[-1] == "abortPresignMultipartUpload"
    assert unfinished(tmp_path) == 0
    assert not branch.object("big").exists()


def test_a_url_that_has_expired_is_signed_again(branch: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_url = presign.require_url
    broken: list[Any] = []

    def spoil(url: str | None, about: str) -> Any:
        whole: Any = require_url(url, about)
        if len(broken) == 2:
            return whole
        broken.append(whole)
        return type(whole)(whole.replace("expires=", "expires=1"))

    monkeypatch.setattr(presign, "require_url", spoil)
    assert branch.upload(BODY, "a").checksum == CHECKSUM
    assert sent.count("presignedPart") == len(PIECES) + 2


def test_a_completion_with_a_lost_response_is_not_repeated(
    branch: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Http.send

    def lose(self: Http, request: Request, *args: Any) -> Response:
        response = send(self, request, *args)
        if request.endpoint is endpoints.COMPLETE_PRESIGN_MULTIPART_UPLOAD:
            raise TransportError("wait", "the connection was closed", kind="reset")
        return response

    monkeypatch.setattr(Http, "send", lose)
    made = branch.upload(BODY, "a", metadata={"k": "v"})
    assert (made.checksum, made.metadata) == (CHECKSUM, {"k": "v"})
    assert sent.count("completePresignMultipartUpload") == 1
