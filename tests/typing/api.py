"""Never run: mypy reads it. What `open` gives by its mode, that a commit cannot be written, and the awaitable twins.

An error that is expected stands behind its `type: ignore`; mypy's `warn_unused_ignores` fails if it is none any more.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Literal, assert_type

import numpy as np

import lakefs_hl as lakefs
from lakefs_hl import aio
from lakefs_hl._files.awaitable import AsyncFile
from lakefs_hl._files.writer import ObjectWriter, TextWriter
from lakefs_hl.filesystem import LakeFSAsyncFileSystem, LakeFSFileSystem
from lakefs_hl.torch import ObjectDataset, ObjectIterableDataset, Sample
from lakefs_hl.types import (
    ApprovalDecision,
    ApprovalRequest,
    BlockstoreType,
    CachedSnapshot,
    ClientOptions,
    DatasetInfo,
    DatasetVersion,
    FileResult,
    MetadataVersion,
    Problem,
    Range,
    Response,
    Retry,
    RowChange,
    SearchHit,
    SearchResults,
    SettingSource,
)


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
    assert_type(lakefs.search("a", kinds=["path"], repositories=branch.repository_id), SearchResults)
    assert_type(lakefs.search("a")[0], SearchHit)
    assert_type(commit.presign("a", 60), lakefs.SignedURL)
    keys = lakefs.admin().credentials
    assert_type(
        keys.create("a", read_only=True, repositories=["a", branch.repository_id]), lakefs.PersistentCredentials
    )
    assert_type(keys.list().head(1), list[lakefs.PersistentCredentials])
    assert_type(lakefs.admin().gc_rules("a").get(), lakefs.GCRules | None)
    assert_type(branch.presign("a", method="PUT", via="gateway").url, str)
    assert_type(branch.presign_upload("a").finish("e", 5), lakefs.ObjectInfo)
    branch.presign("a", method="DELETE")  # type: ignore[arg-type]
    branch.presign("a", 60, "PUT")  # type: ignore[call-arg]
    commit.presign_upload("a")  # type: ignore[attr-defined]
    branch.usage(by="size")  # type: ignore[call-overload]
    commit.remove("a")  # type: ignore[attr-defined]
    branch.upload(lambda: [b"a"], "a")
    branch.upload(lambda: open("a", "rb"), "a")  # noqa: SIM115


def handles(repository: lakefs.Repository, branch: lakefs.Branch) -> None:
    assert_type(lakefs.repository("x"), lakefs.Repository)
    assert_type(lakefs.ref("lakefs://x/main"), lakefs.Reference)
    assert_type(branch.move_object("a", "b"), lakefs.ObjectInfo)
    assert_type(lakefs.repositories(), lakefs.Listing[lakefs.Repository])
    assert_type(lakefs.repository(), lakefs.Repository)
    assert_type(lakefs.import_external("aws", "photos", {}, metadata={"owner": "ada"}), lakefs.Repository)
    assert_type(repository.info().provider, BlockstoreType | None)
    assert_type(lakefs.init("mem://"), lakefs.Client)
    assert_type(lakefs.Client("http://lake", ca_cert=Path("ca.pem"), allowed_storage_hosts="store"), lakefs.Client)
    assert_type(lakefs.Client(transport=lambda request: Response(404 if request.body else 200)), lakefs.Client)
    assert_type(lakefs.Client("mem://", retries=Retry.CLOUDFILES).with_options(retries=3), lakefs.Client)
    assert_type(aio.Client("mem://", retries=Retry(attempts=2)), aio.Client)
    assert_type(lakefs.Client("mem://").explain_auth()[0], SettingSource)
    assert_type(lakefs.Client("mem://", offline=True, cache_size="1GiB").cache_directory, Path)
    assert_type(lakefs.snapshot_cache("cache").entries(), list[CachedSnapshot])
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
    assert_type(branch.snapshot_download("a", include=["*.csv"], cache_dir=Path("cache")), Path)
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


def pinned_work(repository: lakefs.Repository, branch: lakefs.Branch, tx: lakefs.BranchTransaction) -> None:
    assert_type(branch.pin(), lakefs.Commit)
    (part,) = branch.partition(1)
    assert_type(part, lakefs.Partition)
    assert_type(part.reference, lakefs.Commit)
    assert_type(part.objects(), lakefs.Listing[lakefs.ObjectInfo])
    assert_type(tx.handle(), lakefs.TransactionHandle)
    assert_type(tx.handle().upload(b"", "a"), lakefs.ObjectInfo)
    tx.handle().commit_changes("no")  # type: ignore[attr-defined]
    assert_type(branch.blame(), lakefs.Listing[lakefs.BlameEntry])
    assert_type(next(iter(branch.blame())).commit, lakefs.Commit | None)
    found = repository.bisect("a", branch, lambda commit: commit.exists("a"))
    assert_type(found, lakefs.Bisection)
    assert_type(found.first_bad, lakefs.Commit | None)
    repository.bisect("a", "b", lambda commit: "yes")  # type: ignore[arg-type, return-value]


async def awaited_pinned_work(repository: aio.Repository, branch: aio.Branch) -> None:
    async def is_good(commit: aio.Commit) -> bool:
        return await commit.exists("a")

    assert_type(await repository.bisect("a", "b", is_good), aio.Bisection)
    assert_type(await repository.bisect("a", "b", lambda commit: commit.message == ""), aio.Bisection)
    assert_type([part.reference async for part in _parts(branch)], list[aio.Commit])


async def _parts(branch: aio.Branch) -> AsyncIterator[aio.Partition]:
    for part in await branch.partition(2, by="objects"):
        yield part


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
    assert_type(await aio.search("a", kinds="path", limit=5), SearchResults)
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


def documents(client: lakefs.Client, branch: lakefs.Branch) -> None:
    assert_type(client.scoped("alice"), lakefs.Client)
    assert_type(lakefs.Client("localhost", port=8000, scope="alice", create_repositories=True), lakefs.Client)
    assert_type(lakefs.repository("x", create=True), lakefs.Repository)
    assert_type(lakefs.repository("x").info(), lakefs.RepositoryInfo)
    assert_type(lakefs.repository("x").info().owner_id, str | None)
    assert_type(branch.upload(b"", "a", tags={"k": "v"}, commit_message="m"), lakefs.ObjectInfo)
    assert_type(branch.upload_file("a", tags={"k": "v"}), lakefs.ObjectInfo)
    assert_type(branch.get_tags("a"), dict[str, str])
    assert_type(branch.stat_object("a").tags, dict[str, str])
    assert_type(branch.list_objects(suffix=".pdf"), lakefs.Listing[lakefs.ObjectInfo | lakefs.CommonPrefix])
    assert_type(client.upload_many_concurrent([{"bucket": "x", "key": "a", "data": b""}]), lakefs.TransferReport)
    assert_type(client.download_many_concurrent([{"bucket": "x", "key": "a"}]), list[lakefs.GetResult])
    assert_type(lakefs.background(branch.upload, b"", "a"), Future[lakefs.ObjectInfo])
    assert_type(lakefs.background(len, "abc"), Future[int])
    lakefs.background(len, 3)  # type: ignore[arg-type]
    branch.get_tags(3)  # type: ignore[arg-type]
    branch.head().set_tags("a", {})  # type: ignore[attr-defined]


async def documents_awaited(branch: aio.Branch) -> None:
    assert_type(await branch.get_tags("a"), dict[str, str])
    assert_type(await aio.repository("x").info(), aio.RepositoryInfo)
    assert_type(await aio.background(branch.upload, b"", "a"), aio.ObjectInfo)
    assert_type(await aio.background(len, "abc"), int)


def table_diff(branch: lakefs.Branch) -> None:
    found = branch.table_diff("dev", "t.parquet", keys=["id"])
    assert_type(found, lakefs.TableDiff)
    assert_type(found.counts.added, int)
    assert_type(found.schema.added, dict[str, str])
    for row in found:
        assert_type(row, RowChange)
    branch.table_diff("dev", "t", format="xml")  # type: ignore[arg-type]


def files(branch: lakefs.Branch, files: lakefs.Files, handle: lakefs.ObjectHandle) -> None:
    assert_type(branch.files("a"), lakefs.Files)
    assert_type(branch.object("a"), lakefs.ObjectHandle)
    assert_type(lakefs.files("mem://a"), lakefs.Files)
    assert_type(files.get("a"), bytes | None)
    assert_type(files.get({"path": "a", "start": 0}), bytes | None)
    assert_type(files.get(["a", Range("a", 0, 5)]), list[FileResult])
    assert_type(files.exists("a"), bool)
    assert_type(files.exists(["a"]), dict[str, bool])
    assert_type(files.size("a"), int | None)
    assert_type(files.size(["a"]), dict[str, int | None])
    assert_type(files["a"], bytes | None)
    assert_type(files["a", 0:30], bytes | None)
    assert_type(handle.get(), bytes | None)
    assert_type(handle.get([slice(0, 5)]), list[FileResult])
    assert_type(branch["a"], bytes)
    for path in files:
        assert_type(path, str)
    files.put("a", b"", compress="gzip")
    files.puts([("a", b""), {"path": "b", "content": b""}])
    files.get(5)  # type: ignore[call-overload]


def datasets(tmp: Path) -> None:
    ds = lakefs.dataset("example")
    assert_type(ds, lakefs.Dataset)
    assert_type(ds.mint({}), DatasetInfo)
    assert_type(ds.validate_metadata({}), list[Problem])
    assert_type(ds.update_metadata("why", {}), MetadataVersion)
    assert_type(ds.metadata_history(), list[MetadataVersion])
    assert_type(ds.version("why"), DatasetVersion)
    assert_type(ds.revert_to("v1", "why"), lakefs.Commit)
    assert_type(ds.read_credentials(), lakefs.PersistentCredentials)
    assert_type(ds.download_all(tmp, update=True), lakefs.TransferReport)
    assert_type(ds.download_all(tmp, dry_run=True), lakefs.Plan)
    assert_type(ds.upload_all(tmp, message="why"), lakefs.TransferReport)
    ds.upload_all(tmp, continue_=True)  # type: ignore[call-overload]


async def awaitable_datasets(tmp: Path) -> None:
    ds = aio.dataset("example")
    assert_type(await ds.info(), DatasetInfo)
    assert_type(await ds.write_credentials(True), aio.PersistentCredentials)
    assert_type(await ds.upload_all(tmp), aio.TransferReport)
    assert_type(await ds.revert_to("v1", "why"), aio.Commit)


def catalog() -> None:
    ds = lakefs.dataset("example")
    assert_type(lakefs.repository("example").reviewers(), list[str])
    assert_type(ds.request_approval("ada"), ApprovalRequest)
    assert_type(ds.act_on_approval("id", True), ApprovalDecision)
    assert_type(ds.approval_requests("pending"), list[ApprovalRequest])
    ds.approval_requests("open")  # type: ignore[arg-type]
    for info in lakefs.datasets(5, sort="updated"):
        assert_type(info, DatasetInfo)
    page = lakefs.datasets(5, offset=20).page()
    assert_type(page.items, list[DatasetInfo])
    assert_type(page.next_offset, str | None)
    lakefs.datasets(sort="size")  # type: ignore[arg-type]


async def awaitable_catalog() -> None:
    async for info in aio.datasets():
        assert_type(info, DatasetInfo)
    assert_type(await aio.datasets().to_list(), list[DatasetInfo])
    assert_type((await aio.dataset("example").act_on_approval("id", True)).dataset, DatasetInfo)


def libraries() -> None:
    branch = lakefs.Branch("example", "main")
    assert_type(branch.uri("a.parquet"), str)
    assert_type(branch.storage_options("duckdb"), str)
    assert_type(branch.storage_options("polars"), dict[str, Any])
    assert_type(lakefs.Client("mem://").spark_conf(), dict[str, str])
    assert_type(branch.fs(), LakeFSFileSystem)
    assert_type(aio.Branch("example", "main").fs(), LakeFSAsyncFileSystem)
    branch.storage_options("excel")  # type: ignore[call-overload]


def file_system(branch: lakefs.Branch) -> None:
    fs = LakeFSFileSystem("local:./lake")
    assert_type(branch.fs(), LakeFSFileSystem)
    assert_type(fs.client, lakefs.Client)
    assert_type(fs.branch("example/main/a"), lakefs.Branch)
    assert_type(fs.reference("example/v1/a"), lakefs.Reference)
    assert_type(fs.info("example/main/a"), dict[str, Any])
    assert_type(fs.ls("example/main"), list[Any])
    assert_type(fs.exists("example/main/a"), bool)


async def awaitable_file_system(branch: aio.Branch) -> None:
    fs = LakeFSAsyncFileSystem("local:./lake")
    assert_type(await fs._info("example/main/a"), dict[str, Any])
    assert_type(await fs._cat_file("example/main/a"), bytes)
    assert_type(await fs._exists("example/main/a"), bool)


def delegates(client: lakefs.Client) -> None:
    assert_type(client.delegate(), lakefs.Client)
    assert_type(client.delegate(600), lakefs.Client)
    assert_type(client.delegate(timedelta(hours=1)), lakefs.Client)
    client.delegate("1h")  # type: ignore[arg-type]


async def awaitable_delegates(client: aio.Client) -> None:
    assert_type(await client.delegate(ttl=600), aio.Client)


def samples(branch: lakefs.Branch) -> None:
    dataset = ObjectDataset(branch, "train/", suffix=".png")
    assert_type(dataset, ObjectDataset[Sample])
    assert_type(dataset[0], Sample)
    assert_type(dataset[0].data, bytes)
    assert_type(dataset.__getitems__([0, 1]), list[Sample])
    assert_type(dataset.reference, lakefs.Reference)
    assert_type(ObjectDataset(branch, transform=size_of)[0], int)
    stream = ObjectIterableDataset("lakefs://example/v1", paths=["a"], transform=size_of, shuffle=True)
    assert_type(stream, ObjectIterableDataset[int])
    for size in stream:
        assert_type(size, int)
    for sample in ObjectIterableDataset(branch, rank=0, world_size=2, even=True):
        assert_type(sample, Sample)
    ObjectDataset(branch, transform="decode")  # type: ignore[call-overload]
    ObjectDataset(branch, shuffle=True)  # type: ignore[call-overload]


def size_of(sample: Sample) -> int:
    return len(sample.data)
