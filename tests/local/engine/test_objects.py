"""Objects: what is put is what is read; listings show branches with what is staged, in byte order."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeCorruptError, ObjectExistsException
from lakefs_hl.spec.wire import FileSlice
from tests.local.engine.support import branch, commit, paths, put, read, refused


@pytest.mark.parametrize("size", [0, 1, INLINE, INLINE + 1, 5 << 20])
@pytest.mark.parametrize("as_file", [False, True])
def test_put_and_read(engine: Engine, tmp_path: Path, size: int, as_file: bool) -> None:
    data = os.urandom(size)
    before = int(time.time())
    if as_file:
        (tmp_path / "body").write_bytes(b"ahead" + data + b"behind")
        with (tmp_path / "body").open("rb") as file:
            made = put(engine, "a", FileSlice(file.fileno(), 5, size))
    else:
        made = put(engine, "a", data)
    assert (made.path, made.path_type, made.size_bytes, made.metadata) == ("a", "object", size, {})
    assert made.checksum == hashlib.md5(data).hexdigest()
    assert before <= made.mtime <= time.time()
    assert made.physical_address == f"local://repo/data/{hashlib.sha256(data).hexdigest()}"
    assert engine.objects.stat("repo", "main", "a") == made
    stats, content = engine.objects.read("repo", "main", "a")
    body = content.body
    assert (body if isinstance(body, bytes) else os.pread(body.fd, body.length, body.offset)) == data
    content.release()
    assert stats == made


def test_type_and_metadata(engine: Engine) -> None:
    made = engine.objects.put("repo", "main", "a", b"", content_type="text/csv", metadata={"k": "v"})
    assert (made.content_type, made.metadata) == ("text/csv", {"k": "v"})
    (listed,) = engine.objects.list("repo", "main").results
    assert (listed.content_type, listed.metadata) == ("text/csv", {"k": "v"})
    put(engine, "b")
    assert engine.objects.list("repo", "main").results[1].metadata is None
    engine.objects.set_metadata("repo", "main", "a", {"x": "y"})
    changed = engine.objects.stat("repo", "main", "a")
    assert (changed.metadata, changed.mtime, changed.content_type) == ({"x": "y"}, made.mtime, "text/csv")
    refused(
        404,
        lambda: engine.objects.set_metadata("repo", "main", "no", {}),
        "update user metadata on repo/main/no: not found",
    )


def test_create_only(engine: Engine) -> None:
    def create(path: str, body: bytes = b"") -> models.ObjectStats:
        return engine.objects.put("repo", "main", path, body, create_only=True)

    create("a")
    for body in (b"", bytes(INLINE + 1)):
        with pytest.raises(ObjectExistsException, match="path already exists"):
            create("a", body)
    commit(engine)
    with pytest.raises(ObjectExistsException):
        create("a")
    engine.objects.delete("repo", "main", "a")
    create("a")


def test_a_refused_large_body_is_not_stored(engine: Engine) -> None:
    refused(404, lambda: put(engine, "a", bytes(INLINE + 1), "none"), "branch 'none' not found")
    refused(404, lambda: put(engine, "a", b"", "none"), "branch 'none' not found")
    objects = Path(engine.folder) / "objects"
    assert [path for path in objects.rglob("*") if path.is_file()] == []


def test_delete(engine: Engine) -> None:
    put(engine, "a")
    commit(engine)
    put(engine, "b")
    for path in ("a", "a", "b", "never"):
        engine.objects.delete("repo", "main", path)
    assert paths(engine) == []
    refused(404, lambda: engine.objects.stat("repo", "main", "a"), "not found")
    assert paths(engine, "main@") == ["a"]
    refused(404, lambda: engine.objects.delete("repo", "none", "a"), "branch not found")


def test_delete_many(engine: Engine) -> None:
    for path in ("a", "b", "c"):
        put(engine, path)
    commit(engine)
    refusals = engine.objects.delete_many("repo", "main", ["a", "", "b", "x" * 1025])
    assert [(one.path, one.status_code) for one in refusals] == [("", 400), ("x" * 1025, 400)]
    assert paths(engine) == ["c"]
    assert engine.objects.delete_many("repo", "none", ["a"]) == []  # as recorded
    engine.settings.set_protection("repo", [models.BranchProtectionRule("main")])
    refusals = engine.objects.delete_many("repo", "main", ["c", "d"])
    assert [(one.path, one.status_code, one.message) for one in refusals] == [
        (path, 403, "cannot write to protected branch") for path in ("c", "d")
    ]


def test_copy(engine: Engine) -> None:
    made = engine.objects.put("repo", "main", "a", b"1", content_type="text/x", metadata={"k": "v"})
    commit(engine)
    branch(engine, "side")
    put(engine, "a", b"2")
    copied = engine.objects.copy("repo", "side", "b", models.ObjectCopy("a"))
    assert (copied.checksum, copied.content_type, copied.metadata) == (made.checksum, "text/x", {"k": "v"})
    engine.objects.copy("repo", "side", "c", models.ObjectCopy("a", "main"))
    assert (read(engine, "b", "side"), read(engine, "c", "side")) == (b"1", b"2")
    refused(404, lambda: engine.objects.copy("repo", "side", "d", models.ObjectCopy("none")), "not found")
    refused(404, lambda: engine.objects.copy("repo", "side", "d", models.ObjectCopy("a", "none")), "not found")


def test_stage(engine: Engine) -> None:
    stage = models.ObjectStage("local:///tmp/x", "abc", 3, 1_700_000_000, {"x": "y"}, "text/z")
    made = engine.objects.stage("repo", "main", "a", stage)
    assert (made.physical_address, made.checksum, made.mtime) == ("local:///tmp/x", "abc", 1_700_000_000)
    refused(410, lambda: engine.objects.read("repo", "main", "a"), "No data")
    other = models.ObjectStage("s3://b/k", "abc", 3)
    told = "physical address is not valid for block adapter: local"
    refused(400, lambda: engine.objects.stage("repo", "main", "a", other), told)


def test_preflight(engine: Engine) -> None:
    engine.objects.may_write("repo", "main", "a")
    refused(404, lambda: engine.objects.may_write("repo", "none", "a"))
    refused(400, lambda: engine.objects.may_write("repo", "main", ""))


def test_a_damaged_blob_is_no_answer(engine: Engine) -> None:
    made = put(engine, "large", bytes(INLINE + 1))
    name = made.physical_address.rpartition("/")[2]
    (Path(engine.folder) / "objects" / name[:2] / name).unlink()
    with pytest.raises(LakeCorruptError, match=name):
        engine.objects.read("repo", "main", "large")


# -- listings ----------------------------------------------------------------------------------------------------------


def rows(page: models.ObjectPage) -> list[str]:
    return [one.path for one in page.results]


def pages(engine: Engine, amount: int, **more: Any) -> Iterator[str]:
    after = ""
    while True:
        page = engine.objects.list("repo", "main", after=after, amount=amount, **more)
        yield from rows(page)
        if not page.pagination.has_more:
            return
        after = page.pagination.next_offset


def test_byte_order(engine: Engine) -> None:
    names = ["B", "a", "a-b", "a/b", "a0", "\u00e9", "\ufffd", "\U0001f600"]  # not UTF-16's order for the last two
    for name in reversed(names):
        put(engine, name)
    assert paths(engine) == names
    commit(engine)
    assert paths(engine) == names


@pytest.mark.parametrize("committed", [False, True])
def test_folding(engine: Engine, committed: bool) -> None:
    for name in ("a", "d/1", "d/2/x", "d/2/y", "d-", "d0", "e/"):
        put(engine, name)
    if committed:
        commit(engine)
    assert rows(engine.objects.list("repo", "main", delimiter="/")) == ["a", "d-", "d/", "d0", "e/"]
    assert rows(engine.objects.list("repo", "main", delimiter="/", prefix="d/")) == ["d/1", "d/2/"]
    assert rows(engine.objects.list("repo", "main", delimiter="/", after="d/")) == ["d0", "e/"]
    assert rows(engine.objects.list("repo", "main", delimiter="/", after="d/1")) == ["d/", "d0", "e/"]
    assert list(pages(engine, 1, delimiter="/")) == ["a", "d-", "d/", "d0", "e/"]
    assert rows(engine.objects.list("repo", "main", delimiter="2/")) == ["a", "d-", "d/1", "d/2/", "d0", "e/"]
    assert rows(engine.objects.list("repo", "main", prefix="zz")) == []


def test_large_groups_are_passed_by(engine: Engine) -> None:
    for group in range(5):
        for index in range(200):
            put(engine, f"{group}/{index:03d}")
    commit(engine)
    for index in range(0, 200, 7):
        engine.objects.delete("repo", "main", f"2/{index:03d}")
    for index in range(200):
        engine.objects.delete("repo", "main", f"3/{index:03d}")
    assert rows(engine.objects.list("repo", "main", delimiter="/")) == ["0/", "1/", "2/", "4/"]
    assert len(list(pages(engine, 37))) == 5 * 200 - 29 - 200
    assert list(pages(engine, 1, delimiter="/")) == ["0/", "1/", "2/", "4/"]


def test_references(engine: Engine) -> None:
    put(engine, "a")
    made = commit(engine)
    put(engine, "b")
    assert paths(engine, "main$") == paths(engine, "main") == ["a", "b"]
    for ref in ("main@", made, made[:8], "main~0"):
        assert paths(engine, ref) == ["a"]
    assert paths(engine, "main~1") == []
    refused(404, lambda: paths(engine, "none"), "not found")
    refused(400, lambda: paths(engine, made + "@"))


@pytest.mark.parametrize(("path", "value"), [(b"a", b"\xc1"), (b"a\xfe", None)])
def test_a_staged_row_that_cannot_be_read_is_an_error_of_the_tree(
    engine: Engine, path: bytes, value: bytes | None
) -> None:
    put(engine, "a")
    with engine.lake.database.write() as writer:
        writer.execute("UPDATE staging SET path = ?, value = coalesce(?, value)", (path, value))
    with pytest.raises(LakeCorruptError, match="run `lakefs-hl fsck`"):
        engine.objects.list("repo", "main")
