"""Never run: mypy reads it. What `open` gives by its mode, that a commit cannot be written, and the awaitable twins.

An error that is expected stands behind its `type: ignore`; mypy's `warn_unused_ignores` fails if it is none any more.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Literal, assert_type

import numpy as np

import lakefs_hl as lakefs
from lakefs_hl import aio
from lakefs_hl._files.awaitable import AsyncFile
from lakefs_hl._files.writer import ObjectWriter, TextWriter
from lakefs_hl.types import ClientOptions, Response, Retry, SettingSource


def modes_of_open(branch: lakefs.Branch, commit: lakefs.Reference, tx: lakefs.BranchTransaction) -> None:
    assert_type(commit.open("a"), io.TextIOWrapper)
    assert_type(commit.open("a", "r"), io.TextIOWrapper)
    assert_type(commit.open("a", "rt", None, encoding="utf-8"), io.TextIOWrapper)
    assert_type(commit.open("a", "rb"), io.BufferedReader)
    assert_type(commit.open("a", "rb", True, buffering=1 << 20), io.BufferedReader)
    for place in (branch, tx):
        assert_type(place.open("a"), io.TextIOWrapper)
        assert_type(place.open("a", "rb"), io.BufferedReader)
        assert_type(place.open("a", "w"), TextWriter)
        assert_type(place.open("a", "x", encoding="latin-1"), TextWriter)
        assert_type(place.open("a", "wb", content_type="a/b", metadata={}), ObjectWriter)
        assert_type(place.open("a", "xb"), ObjectWriter)
    branch.open("a", "a")  # type: ignore[call-overload]
    branch.open("a", "wb", encoding="utf-8")  # type: ignore[call-overload]
    branch.open("a", "rb", metadata={})  # type: ignore[call-overload]
    commit.open("a", "w")  # type: ignore[call-overload]


def a_text_file_takes_both(branch: lakefs.Branch) -> None:
    with branch.open("a", "w") as file:
        assert_type(file.write("text"), int)
        assert_type(file.write(b"bytes"), int)
    with branch.open("a", "wb") as binary:
        binary.write(b"bytes")
        binary.write("text")  # type: ignore[arg-type]


def a_commit_cannot_be_written(repository: lakefs.Repository) -> None:
    commit = repository.commit("abc123")
    assert_type(commit, lakefs.Reference)
    commit.upload(b"", "a")  # type: ignore[attr-defined]
    commit.delete_objects("a")  # type: ignore[attr-defined]
    commit.copy_object("main", "a")  # type: ignore[attr-defined]
    commit.import_from("s3://b/", "d/")  # type: ignore[attr-defined]
    repository.tag("v1").upload(b"", "a")  # type: ignore[attr-defined]
    repository.branch("main").head().upload(b"", "a")  # type: ignore[attr-defined]
    repository.branch("main").upload(b"", "a")


def prefixes(branch: lakefs.Branch, commit: lakefs.Commit) -> None:
    assert_type(branch.glob("**"), lakefs.Listing[lakefs.ObjectInfo])
    assert_type(branch.usage(), lakefs.Usage)
    assert_type(branch.usage("d/", by="extension"), dict[str, lakefs.Usage])
    assert_type(list(commit.iter_usage()), list[lakefs.Usage])
    assert_type(next(commit.stream("a")), bytes)
    with commit.stream("a", chunk_size=5) as chunks:
        assert_type(list(chunks), list[bytes])
    assert_type(branch.stat_many(["a"]), list[lakefs.ObjectInfo | None])
    assert_type(branch.copy_prefix("a/", "b/", from_reference=commit), lakefs.TransferReport)
    assert_type(branch.remove("a", recursive=True, progress=print), lakefs.DeleteReport)
    assert_type(lakefs.copy("lakefs://x/main/a", branch), lakefs.TransferReport)
    branch.usage(by="size")  # type: ignore[call-overload]
    commit.remove("a")  # type: ignore[attr-defined]
    branch.upload(lambda: [b"a"], "a")
    branch.upload(lambda: open("a", "rb"), "a")  # noqa: SIM115


def handles(repository: lakefs.Repository, branch: lakefs.Branch) -> None:
    assert_type(lakefs.repository("x"), lakefs.Repository)
    assert_type(lakefs.ref("lakefs://x/main"), lakefs.Reference)
    assert_type(branch.move_object("a", "b"), lakefs.ObjectInfo)
    assert_type(lakefs.repositories(), lakefs.Listing[lakefs.Repository])
    assert_type(lakefs.init("mem://"), lakefs.Client)
    assert_type(lakefs.Client("http://lake", ca_cert=Path("ca.pem"), allowed_storage_hosts="store"), lakefs.Client)
    assert_type(lakefs.Client(transport=lambda request: Response(404 if request.body else 200)), lakefs.Client)
    assert_type(lakefs.Client("mem://", retries=Retry.CLOUDFILES).with_options(retries=3), lakefs.Client)
    assert_type(aio.Client("mem://", retries=Retry(attempts=2)), aio.Client)
    assert_type(lakefs.Client("mem://").explain_auth()[0], SettingSource)
    assert_type(ClientOptions(host="mem://", timeout=3).retries, int | Retry | None)
    ClientOptions(hots="mem://")  # type: ignore[call-arg]
    Retry(7)  # type: ignore[call-arg]
    lakefs.Client(transport=lambda request: request)  # type: ignore[arg-type, return-value]
    assert_type(repository.get_or_create("s3://b/p", "main", True), lakefs.Repository)
    assert_type(repository.branch("main"), lakefs.Branch)
    assert_type(repository.tag("v1"), lakefs.Tag)
    assert_type(repository.list_branches(), lakefs.Listing[lakefs.Branch])
    assert_type(repository.list_tags(10, "", "v"), lakefs.Listing[lakefs.Tag])
    assert_type(repository.metadata(), dict[str, str])
    assert_type(branch.create("main"), lakefs.Branch)
    assert_type(branch.commit_changes("m", {"k": "v"}), lakefs.Commit)
    assert_type(branch.log(), lakefs.Listing[lakefs.Commit])
    assert_type(branch.diff("dev"), lakefs.Listing[lakefs.Change])
    assert_type(branch.commit_changes("m", on_empty="skip"), lakefs.Commit)
    branch.commit_changes("m", on_empty="never")  # type: ignore[arg-type]
    assert_type(branch.merge_into(repository.branch("dev")), lakefs.Commit)
    assert_type(branch.head(), lakefs.Commit)
    assert_type(branch.exists(), bool)
    assert_type(branch.exists("a"), bool)
    assert_type(repository.tag("v1").exists(), bool)
    branch.exists(None)  # type: ignore[call-overload]
    repository.ref("main").exists()  # type: ignore[call-arg]
    assert_type(branch.transaction("m"), lakefs.BranchTransaction)
    with branch.transaction("m") as tx:
        assert_type(tx, lakefs.BranchTransaction)
    for kept in repository.transactions():
        assert_type(kept, lakefs.KeptTransaction)
        assert_type(kept.age, timedelta | None)
        assert_type(kept.state, Literal["empty", "staged", "committed", "merged"])
        assert_type(kept.resume("m"), lakefs.BranchTransaction)
    assert_type(repository.collect_transactions(timedelta(days=1), dry_run=True), lakefs.CollectReport)


def pull_requests(repository: lakefs.Repository, branch: lakefs.Branch) -> None:
    pull = repository.create_pull_request(branch, "main", "title", "why")
    assert_type(pull, lakefs.PullRequest)
    assert_type(repository.pull_request("p1"), lakefs.PullRequest)
    assert_type(repository.pull_requests(status="open"), lakefs.Listing[lakefs.PullRequest])
    repository.pull_requests(status="merged")  # type: ignore[arg-type]
    assert_type(pull.status, Literal["open", "closed", "merged"])
    assert_type(pull.closed_date, datetime | None)
    assert_type(pull.merge_commit_id, str | None)
    assert_type(pull.refresh(), lakefs.PullRequest)
    assert_type(pull.update(title="better", status="open"), lakefs.PullRequest)
    pull.update(status="merged")  # type: ignore[arg-type]
    assert_type(pull.close(), lakefs.PullRequest)
    assert_type(pull.merge(), lakefs.Commit)


def runs(repository: lakefs.Repository, branch: lakefs.Branch) -> None:
    assert_type(repository.runs(10, branch=branch), lakefs.Listing[lakefs.Run])
    run = repository.run("5k")
    assert_type(run, lakefs.Run)
    assert_type(run.commit_id, str | None)
    assert_type(run.refresh(), lakefs.Run)
    for hook in run.hooks():
        assert_type(hook, lakefs.HookRun)
        assert_type(hook.start_time, datetime | None)
        assert_type(hook.output(), str)


def objects(branch: lakefs.Branch, info: lakefs.ObjectInfo) -> None:
    assert_type(branch.list_objects(), lakefs.Listing[lakefs.ObjectInfo | lakefs.CommonPrefix])
    for item in branch.list_objects(prefix="foo/"):
        assert_type(item.path, str)  # of both kinds
        if isinstance(item, lakefs.ObjectInfo):
            assert_type(item.size_bytes, int)
    assert_type(info.modified_time, datetime)
    assert_type(info.content_type, str | None)
    assert_type(info.metadata, dict[str, str])
    assert_type(branch.download("a"), bytes)
    for file in ("a", Path("a"), io.BytesIO()):
        assert_type(branch.download("a", file), int)
        assert_type(info.download(file, start=1), int)
    branch.download("a", io.StringIO())  # type: ignore[call-overload]
    branch.download("a", 5)  # type: ignore[call-overload]
    assert_type(info.download(), bytes)
    assert_type(info.open(), io.TextIOWrapper)
    assert_type(info.open("rb"), io.BufferedReader)
    info.open("w")  # type: ignore[call-overload]
    assert_type(info.copy_to(branch, "b"), lakefs.ObjectInfo)
    assert_type(branch.stat_object("a"), lakefs.ObjectInfo)
    for path in ("a", PurePosixPath("a"), info):
        branch.stat_object(path)
        branch.upload(b"", path)
        branch.copy_object("main", path, path)
    branch.stat_object(5)  # type: ignore[arg-type]
    branch.stat_object(lakefs.CommonPrefix("x", "main", "a/"))  # type: ignore[arg-type]
    branch.list_objects(prefix=lakefs.CommonPrefix("x", "main", "a/"), after=info)
    for data in (b"", "", Path("a"), io.BytesIO(), io.StringIO(), [b""], bytearray(), memoryview(b"")):
        branch.upload(data, "a")
    branch.upload([""], "a")
    branch.upload(np.zeros(3), "a")
    branch.upload(1, "a")  # type: ignore[arg-type]
    branch.upload([1], "a")  # type: ignore[arg-type]
    branch.upload("a")  # type: ignore[call-arg]
    branch.delete_objects(["a", info, PurePosixPath("a")])
    branch.delete_objects(item.path for item in branch.list_objects())


def listings(branch: lakefs.Branch) -> None:
    listing = branch.log()
    assert_type(listing.head(5), list[lakefs.Commit])
    assert_type(listing.to_list(), list[lakefs.Commit])
    assert_type(next(listing), lakefs.Commit)
    with listing as same:
        assert_type(same, lakefs.Listing[lakefs.Commit])
    frame = branch.list_objects().to_pandas()
    frame.groupby("content_type").size_bytes.sum()


def imports(branch: lakefs.Branch) -> None:
    result = branch.import_from("s3://b/p/", "d/", "m").run()
    assert_type(result.commit, lakefs.Commit)
    assert_type(result.ingested_objects, int)
    commit, count = result
    assert_type(commit, lakefs.Commit)
    assert_type(count, int)


async def twins(repository: aio.Repository, branch: aio.Branch, commit: aio.Reference) -> None:
    assert_type(aio.repository("x"), aio.Repository)
    assert_type(aio.repositories(), aio.Listing[aio.Repository])
    assert_type(aio.ref("lakefs://x/main"), aio.Reference)
    assert_type(await branch.move_object("a", "b"), aio.ObjectInfo)
    assert_type(branch.glob("**"), aio.Listing[aio.ObjectInfo])
    assert_type(await branch.usage(by="directory"), dict[str, lakefs.Usage])
    assert_type([chunk async for chunk in branch.stream("a")], list[bytes])
    assert_type(await branch.stat_many(branch.list_objects()), list[aio.ObjectInfo | None])  # type: ignore[arg-type]
    assert_type(await aio.copy(branch, "lakefs://x/main/"), lakefs.TransferReport)
    assert_type(await repository.get_or_create(), aio.Repository)
    assert_type(repository.branch("main"), aio.Branch)
    assert_type(repository.commit("abc123"), aio.Reference)
    assert_type(repository.list_branches(), aio.Listing[aio.Branch])
    assert_type(await branch.upload(b"", "a"), aio.ObjectInfo)
    assert_type(await branch.download("a"), bytes)
    assert_type(await branch.download("a", "b"), int)
    info = await branch.stat_object("a")
    assert_type(await info.download(io.BytesIO()), int)
    assert_type(await info.open("rb"), AsyncFile[bytes])
    assert_type(await info.copy_to("main"), aio.ObjectInfo)
    assert_type(await branch.commit_changes("m"), aio.Commit)
    assert_type(await branch.head(), aio.Commit)
    assert_type(await branch.merge_into("dev"), aio.Commit)
    assert_type(await branch.exists(), bool)
    assert_type(branch.list_objects(), aio.Listing[aio.ObjectInfo | aio.CommonPrefix])
    assert_type(branch.diff("dev"), aio.Listing[lakefs.Change])
    assert_type(await branch.log().head(5), list[aio.Commit])
    assert_type(await branch.log().to_list(), list[aio.Commit])
    (await branch.log().to_pandas()).head()
    async for kept in repository.transactions():
        assert_type(kept, aio.KeptTransaction)
        assert_type(await kept.resume(), aio.BranchTransaction)
    assert_type(await repository.collect_transactions(), lakefs.CollectReport)
    assert_type(await branch.open("a"), AsyncFile[str])
    assert_type(await branch.open("a", "rb"), AsyncFile[bytes])
    assert_type(await branch.open("a", "w"), AsyncFile[str])
    assert_type(await commit.open("a", "rb"), AsyncFile[bytes])
    pull = await repository.create_pull_request("dev", "main", "title")
    assert_type(await pull.refresh(), aio.PullRequest)
    assert_type(await pull.merge(), aio.Commit)
    async for run in repository.runs():
        assert_type(run, aio.Run)
        async for hook in run.hooks():
            assert_type(await hook.output(), str)
    async with branch.open("a") as file:
        assert_type(await file.read(), str)
    async with branch.transaction("m") as tx:
        assert_type(tx, aio.BranchTransaction)
        await tx.upload(b"", "a")
    await commit.upload(b"", "a")  # type: ignore[attr-defined]
    commit.open("a", "w")  # type: ignore[call-overload]
    assert_type((await branch.import_from("s3://b/p/", "d/", "m").run()).commit, aio.Commit)
