"""Multipart uploads of the engine: what is assembled, what is refused, and what is removed when."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.disk import fs, parts
from lakefs_hl.local.engine import Engine, multipart
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.multipart import SHORTEST_PART, combined_etag

BIG = os.urandom(SHORTEST_PART)


def md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


@pytest.fixture
def lake(tmp_path: Path) -> Any:
    engine = Engine.open(tmp_path / "lake", sync=False)
    engine.repositories.create(models.RepositoryCreation("r", "local://r"), who="me")
    yield engine
    engine.close()


def folders(engine: Engine) -> list[str]:
    return sorted(each.name for each in (engine.folder / parts.NAME).iterdir())


def complete(engine: Engine, made: models.MultipartUpload, *etags: tuple[int, bytes], path: str = "a") -> Any:
    found = [models.UploadedPart(number, etag.hex()) for number, etag in etags]
    wanted = models.MultipartCompletion(made.physical_address, found, {"k": "ü"}, "text/csv")
    return engine.multipart.complete("r", "main", path, made.upload_id, wanted)


def test_parts_become_one_object_in_their_order_whichever_came_first(lake: Engine) -> None:
    made = lake.multipart.begin("r", "main", "a")
    lake.multipart.put(made.upload_id, 7, b"replaced")
    assert lake.multipart.put(made.upload_id, 7, b"end") == md5(b"end").hex()
    assert lake.multipart.put(made.upload_id, 2, BIG) == md5(BIG).hex()
    record = complete(lake, made, (2, md5(BIG)), (7, md5(b"end")))
    assert record.checksum == combined_etag([md5(BIG), md5(b"end")])
    assert (record.size_bytes, record.content_type, record.metadata) == (len(BIG) + 3, "text/csv", {"k": "ü"})
    found, content = lake.objects.read("r", "main", "a")
    body = content.body
    assert found.checksum == record.checksum
    assert not isinstance(body, bytes)
    assert os.pread(body.fd, body.length, body.offset) == BIG + b"end"
    content.release()
    assert folders(lake) == []
    assert complete(lake, made, (1, b"x"), path="b").checksum == record.checksum, "as on S3, which knows it for a while"
    assert not fsck(lake.folder).damage


def test_what_is_no_upload_in_parts_is_refused(lake: Engine) -> None:
    with pytest.raises(errors.NotFoundException, match="branch 'other' not found"):
        lake.multipart.begin("r", "other", "a")
    made = lake.multipart.begin("r", "main", "a")
    for number, content in ((1, b"short"), (2, BIG), (3, b"end")):
        lake.multipart.put(made.upload_id, number, content)
    for etags, words in (
        ([], "parts are required"),
        ([(1, md5(b"short")), (2, md5(BIG))], "EntityTooSmall"),
        ([(3, md5(b"end")), (2, md5(BIG))], "EntityTooSmall|InvalidPartOrder"),
        ([(2, md5(BIG)), (2, md5(BIG))], "InvalidPartOrder"),
        ([(2, md5(b"other"))], "InvalidPart"),
        ([(4, md5(BIG))], "InvalidPart"),
        ([(10_001, md5(BIG))], "InvalidPart"),
    ):
        with pytest.raises(errors.BadRequestException, match=words):
            complete(lake, made, *etags)
    others = models.MultipartUpload(made.upload_id, lake.multipart.begin("r", "main", "a").physical_address)
    foreign = models.MultipartUpload(made.upload_id, "local://other/data/x")
    with pytest.raises(errors.ServerErrorException, match="NoSuchUpload"):
        complete(lake, others, (3, md5(b"end")))
    with pytest.raises(errors.BadRequestException, match="relative to the storage namespace"):
        complete(lake, foreign, (3, md5(b"end")))
    for name in ("nonsense", "../objects", "0" * 32):
        with pytest.raises(errors.NotFoundException, match="NoSuchUpload"):
            lake.multipart.put(name, 1, b"x")
    assert complete(lake, made, (3, md5(b"end"))).size_bytes == 3


def test_what_is_aborted_or_forgotten_is_removed(lake: Engine) -> None:
    aborted, old, young = (lake.multipart.begin("r", "main", "a") for _ in range(3))
    for made in (aborted, old, young):
        lake.multipart.put(made.upload_id, 1, b"x" * 100_000)
    lake.multipart.abort("r", aborted.upload_id, aborted.physical_address)
    with pytest.raises(errors.ServerErrorException, match="NoSuchUpload"):
        lake.multipart.abort("r", aborted.upload_id, aborted.physical_address)
    assert fsck(lake.folder).dangling["parts of uploads"] == 2
    long_ago = (lake.folder / parts.NAME / young.upload_id).stat().st_mtime - parts.MOST_SECONDS - 10
    os.utime(lake.folder / parts.NAME / old.upload_id, (long_ago, long_ago))
    lake.close()
    engine = Engine.open(lake.folder, sync=False)  # as at a restart
    try:
        assert folders(engine) == [young.upload_id]
        assert complete(engine, young, (1, md5(b"x" * 100_000))).size_bytes == 100_000
        with pytest.raises(errors.NotFoundException, match="NoSuchUpload"):
            engine.multipart.put(old.upload_id, 2, b"x")
    finally:
        engine.close()


def test_a_part_that_is_put_again_while_they_are_joined_is_not_taken_for_the_one_before(
    lake: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lake.multipart.begin("r", "main", "a")
    lake.multipart.put(made.upload_id, 1, b"before")
    join = parts.Parts.join

    def join_late(self: parts.Parts, *args: Any) -> Any:
        self.put(made.upload_id, 1, b"behind")
        return join(self, *args)

    monkeypatch.setattr(parts.Parts, "join", join_late)
    with pytest.raises(errors.BadRequestException, match="InvalidPart"):
        complete(lake, made, (1, md5(b"before")))
    monkeypatch.undo()
    assert complete(lake, made, (1, md5(b"behind"))).checksum == combined_etag([md5(b"behind")])


# --------------------------------------------------------------------------------------------------------------- kill

#: Failpoints of uploads in parts; `tests/local/serve/test_kill.py` compares them with the source.
AT_PARTS = tuple(
    f"part.{operation}"
    for operation in ("mkdir", "create", "write", "fsync", "rename", "fsync_folder", "unlink", "rmdir")
)
PIECES = {1: b"one" * 50, 2: b"two" * 50}


def live(folder: Path, say: Callable[[str], object]) -> None:
    """Uploads an object in parts and completes it; begins another upload, and aborts it. Says what is acknowledged."""
    engine = Engine.open(folder)
    made = engine.multipart.begin("r", "main", "a")
    say(f"{made.upload_id} {made.physical_address}")
    for number, content in PIECES.items():
        engine.multipart.put(made.upload_id, number, content)
        say(str(number))
    complete(engine, made, *((number, md5(content)) for number, content in PIECES.items()))
    say("completed")
    other = engine.multipart.begin("r", "main", "b")
    engine.multipart.put(other.upload_id, 1, b"left")
    engine.multipart.abort("r", other.upload_id, other.physical_address)
    engine.close()


def live_until(folder: Path, stop: int) -> list[str]:
    """Lives in a child that is killed at a point, and returns what it has acknowledged."""
    read, write = os.pipe()
    if os.fork() == 0:
        left = [stop]

        def hook(point: str) -> None:
            if point in AT_PARTS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            fs.hook = hook
            live(folder, lambda text: os.write(write, f"{text}\n".encode()))
        finally:
            os._exit(1)
    os.close(write)
    with open(read, encoding="utf-8") as pipe:
        said = pipe.read().splitlines()
    assert os.WIFSIGNALED(os.wait()[1]), "the point was not reached"
    return said


def test_a_kill_at_each_point_loses_no_part_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "SHORTEST_PART", 1)
    empty = tmp_path / "empty"
    engine = Engine.open(empty)
    engine.repositories.create(models.RepositoryCreation("r", "local://r"), who="me")
    engine.close()
    points = list[str]()
    shutil.copytree(empty, tmp_path / "whole")
    monkeypatch.setattr(fs, "hook", lambda point: points.append(point) if point in AT_PARTS else None)
    live(tmp_path / "whole", lambda _: None)
    monkeypatch.setattr(fs, "hook", None)
    assert set(points) == set(AT_PARTS)
    for stop, point in enumerate(points):
        folder = shutil.copytree(empty, tmp_path / str(stop))
        said = live_until(folder, stop)
        engine = Engine.open(folder)
        if said:
            upload, address = said[0].split()
            made = models.MultipartUpload(upload, address)
            if "completed" not in said and (engine.folder / parts.NAME / upload / "note").exists():
                for number in map(int, said[1:]):
                    assert engine.multipart._lake.parts.find(upload, number) is not None, f"{point} lost a part"
                for number, content in PIECES.items():
                    engine.multipart.put(upload, number, content)
            complete(engine, made, *((number, md5(content)) for number, content in PIECES.items()))
            _, found = engine.objects.read("r", "main", "a")
            assert found.body == b"".join(PIECES.values()), point
            found.release()
        assert engine.multipart.begin("r", "main", "next").upload_id
        engine.close()
        assert not fsck(folder, read_data=True).damage, point
        shutil.rmtree(folder)
