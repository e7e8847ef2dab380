"""The public API as users write it, for the type checkers alone: this file is never run.

`assert_type` says what a checker must infer; a line with an ignore must stay an error, since an ignore that nothing
needs is one itself.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import assert_type

import lakefs_hl as lakefs
from lakefs_hl import aio

client = lakefs.init("local:./lake")
assert_type(client, lakefs.Client)
assert_type(lakefs.DefaultClient, lakefs.Client | None)

repo = lakefs.repository("example", client=client)
assert_type(repo, lakefs.Repository)
assert_type(lakefs.repositories(prefix="x"), Iterator[lakefs.Repository])
assert_type(repo.get_or_create("s3://bucket/path"), lakefs.Repository)
assert_type(repo.list_branches(), Iterator[lakefs.Branch])
assert_type(repo.list_tags(10), Iterator[lakefs.Tag])
assert_type(repo.metadata(), dict[str, str])

branch = repo.branch("main")
assert_type(branch, lakefs.Branch)
assert_type(branch.create("main"), lakefs.Branch)
assert_type(branch.head(), lakefs.Reference)
assert_type(branch.commit_changes("message", {"key": "value"}), lakefs.Commit)
assert_type(branch.log(3), Iterator[lakefs.Commit])
assert_type(branch.diff(repo.ref("main~1")), Iterator[lakefs.Change])
assert_type(branch.list_uncommitted(), Iterator[lakefs.Change])

assert_type(branch.upload("text", "a"), lakefs.ObjectInfo)
branch.upload(b"bytes", "a")
branch.upload(Path("file"), "a")
branch.upload(io.BytesIO(b"stream"), "a")
branch.upload(io.StringIO("stream"), "a")
branch.upload((b"chunk" for _ in range(3)), "a")
branch.upload(17, "a")  # type: ignore[arg-type]
assert_type(branch.download("a"), bytes)

for entry in branch.list_objects(delimiter=""):
    assert_type(entry, lakefs.ObjectInfo | lakefs.CommonPrefix)
    if isinstance(entry, lakefs.ObjectInfo):
        assert_type(entry.size_bytes, int)
        assert_type(entry.modified_time, datetime)

with branch.open("a") as text:
    assert_type(text.read(), str)
with branch.open("a", "rb") as binary:
    assert_type(binary.read(), bytes)
with branch.open("a", "w") as out:
    out.write("text")
    out.write(b"bytes, as in the seed")
with branch.open("a", "wb") as out_binary:
    out_binary.write(b"bytes")
branch.open("a", "a")  # type: ignore[call-overload]

commit = repo.commit("abc123")
assert_type(commit, lakefs.Reference)
commit.upload("a", "b")  # type: ignore[attr-defined]
commit.open("a", "w")  # type: ignore[call-overload]
repo.tag("v1").delete_objects("a")  # type: ignore[attr-defined]

with branch.transaction("message") as tx:
    assert_type(tx, lakefs.BranchTransaction)
    tx.upload("text", "a")
    tx.commit_changes("no")  # type: ignore[attr-defined]

result = branch.import_from("s3://bucket/path/", "path/", "message").run()
assert_type(result.commit, lakefs.Commit)
assert_type(result.ingested_objects, int)


async def awaitable() -> None:
    """The same names, awaited."""
    other = aio.Client("local:./lake")
    branch = aio.repository("example", client=other).branch("main")
    assert_type(branch, aio.Branch)
    assert_type(await branch.upload("text", "a"), aio.ObjectInfo)
    assert_type(await branch.download("a"), bytes)
    assert_type(branch.list_objects(), AsyncIterator[aio.ObjectInfo | aio.CommonPrefix])
    async with branch.transaction("message") as tx:
        await tx.upload("text", "a")
    branch.download("a")  # type: ignore[unused-coroutine]
