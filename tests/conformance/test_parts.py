"""Large objects in parts, to a served lake: whatever they are given as, and after a process was killed.

Parts are short here, which the lake is told to take.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._bulk import comparing, download, files
from lakefs_hl._folders.tree import Tree
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.engine import multipart
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.ops import parts, presign, ranges, stream
from lakefs_hl.spec import endpoints
from lakefs_hl.spec import multipart as spec
from lakefs_hl.spec.multipart import EtagHash, combined_etag
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
from lakefs_hl.spec import multipart as spec

parts.THRESHOLD = spec.PART_BYTES = 100_000
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
    monkeypatch.setattr(spec, "PART_BYTES", PART)
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


# -- what is read -----------------------------------------------------------------------------------------------------


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Bytes that come before those of a block, when it is hashed; of another block each."""
    left, update = list[bytes](), EtagHash.update

    def damaged(self: EtagHash, block: Any, /) -> None:
        update(self, left.pop() if left else b"")
        update(self, block)

    monkeypatch.setattr(EtagHash, "update", damaged)
    return left


def in_ranges(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    for name, value in (("LEAST", 1), ("FIRST", PART // 3), ("LENGTH", PART // 2), ("FAST", float("inf"))):
        monkeypatch.setattr(ranges, name, value)
    return into_a_file(branch, path, monkeypatch)


def into_a_file(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(files, "SMALL", PART)
    branch.download_file("big", path, progress=False)
    return path.read_bytes()


def gone_on_with(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    with Tree(path.parent) as tree:
        part = tree.resume(path.name, CHECKSUM, len(BODY))
        os.pwrite(part.fd, BODY[: PART + 7], 0)
        part.size = PART + 7
        part.keep()
    return into_a_file(branch, path, monkeypatch)


def in_a_directory(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(download, "SMALL", PART)
    branch.download_dir("", path.parent, progress=False)
    return (path.parent / "big").read_bytes()


def into_memory(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return branch.download("big")


def through_the_server(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return branch.download("big", pre_signed=False)


def to_a_path(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(stream, "FIRST", PART // 2)
    branch.download("big", path)
    return path.read_bytes()


def to_a_writer(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(stream, "FIRST", PART // 2)
    written = io.BytesIO()
    branch.download("big", written)
    return written.getvalue()


def in_chunks(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    return b"".join(branch.stream("big"))


def by_a_file_object(branch: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with branch.open("big", "rb") as reader:
        return reader.read()


READS = [in_ranges, into_a_file, gone_on_with, in_a_directory, into_memory, through_the_server, to_a_path]
PASSED_ON = [to_a_writer, in_chunks, by_a_file_object]


@pytest.mark.parametrize("read", [*READS, *PASSED_ON], ids=lambda read: read.__name__)
def test_an_object_in_parts_is_compared_with_its_checksum(
    branch: Any,
    client: lakefs_hl.Client,
    sent: list[str],
    damage: list[bytes],
    read: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count() -> int:
        """Read, and return the number of requests for content."""
        sent.clear()
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        assert read(branch, folder / "out", monkeypatch) == BODY
        return sum(operation in ("getObject", "presignedGet") for operation in sent)

    branch.upload(BODY, "big")
    least, known = count(), client._session.incomparable
    damage.append(b"damage")
    if read in PASSED_ON:
        with pytest.raises(exceptions.IntegrityError, match=f"the object has {CHECKSUM}|the ETag is {CHECKSUM}"):
            count()
    else:
        assert least < count() <= 2 * least
    assert damage == []
    assert count() == least
    assert not known


@pytest.mark.parametrize("read", [into_a_file, in_ranges], ids=lambda read: read.__name__)
def test_a_file_is_hashed_while_it_is_received(
    branch: Any, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_file = comparing.hash_file

    def hash_what_was_there(fd: int, hashed: Any) -> Any:
        assert not os.fstat(fd).st_size, "what was received is not read again"
        return hash_file(fd, hashed)

    monkeypatch.setattr(comparing, "hash_file", hash_what_was_there)
    branch.upload(BODY, "big")
    assert read(branch, tmp_path / "out", monkeypatch) == BODY


def test_it_is_compared_from_asyncio_and_in_the_fast_lane(
    server: HttpServer, branch: Any, damage: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.upload(BODY, "big")
    damage.append(b"damage")
    assert in_ranges(branch, tmp_path / "lane", monkeypatch) == BODY
    assert damage == []

    async def download() -> bytes:
        async with aio.Client(server.url, PAIR.access_key_id, PAIR.secret_access_key) as client:
            there = aio.repository("repo", client=client).branch("main")
            damage.append(b"damage")
            await there.download_file("big", tmp_path / "aio")
            assert damage == []
            damage.append(b"damage")
            found: bytes = await there.download("big")
            assert damage == []
            return found

    assert asyncio.run(download()) == BODY
    assert (tmp_path / "aio").read_bytes() == BODY


@pytest.mark.parametrize("read", [into_a_file, into_memory, to_a_path, *PASSED_ON], ids=lambda read: read.__name__)
def test_parts_of_an_unusual_length_are_read_twice_for_the_first_object_only(
    branch: Any,
    client: lakefs_hl.Client,
    sent: list[str],
    read: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    branch.upload(BODY, "big")
    monkeypatch.setattr(spec, "PART_BYTES", PART - 1000)  # of six parts too
    counts = list[int]()
    for _ in range(2):
        sent.clear()
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        assert read(branch, folder / "out", monkeypatch) == BODY
        counts.append(sum(operation in ("getObject", "presignedGet") for operation in sent))
    assert counts[0] > counts[1]
    assert len(client._session.incomparable) == 1
