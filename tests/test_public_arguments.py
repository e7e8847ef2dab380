"""Every parameter of every public call, in both colours: what it takes, and what it refuses by name.

A call is observed by what it sends until the first request that would change the lake, and by what it returns. A
subclass of `str`, `int` or `bool`, and a scalar of numpy, must be observed as the plain value is, and nothing that is
sent may be of another type. A wrong type is a TypeError that names the parameter. `KINDS` says what each parameter is:
a new parameter that stands in no row fails here.
"""

from __future__ import annotations

import collections
import enum
import inspect
import io
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._handles.links import UploadOptions
from lakefs_hl.aio.default import of
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from tests.bucket_store import buckets
from tests.worlds import Settled, Settler

#: Plain records: whoever makes one by hand makes what they say.
RECORDS = {
    *("Bisection", "BlameEntry", "BucketCredentials", "Change", "CollectReport", "DeleteReport", "ExpiryReport"),
    *("GCRules", "GetResult", "ImportResult", "ObjectVersion", "PersistentCredentials", "RepositoryInfo", "Review"),
    *("SignedURL", "TemporaryToken", "TransferReport", "Usage"),
}
#: Classes that users do not construct: calls return them.
LISTED = {
    *("Datasets", "Files", "HookRun", "KeptTransaction", "Listing", "ObjectHandle", "ObjectStream", "Partition"),
    *("GCRulesAdmin", "Plan", "PresignedUpload", "SnapshotCache", "TableDiff"),
}
#: How old a transaction is: the two calls that are compared are made at two times.
AGE = re.compile(r"[\d:]+(?= old>)|[\d,]+(?= s ago)")
COLOURS = {"blocking": lakefs_hl, "aio": aio}
#: Takes a function and whatever that takes.
PASSES_ON = "background"
#: Methods of the blocking colour only, which hand their arguments to other libraries: tests/integrations tries them.
OF_LIBRARIES = {"arrow_dataset", "duckdb"}


class Str(str):
    """A subclass that says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "<a subclass>"

    __repr__ = __format__ = __str__  # type: ignore[assignment]


class Int(int):
    def __repr__(self) -> str:
        return "<a subclass>"


class Float(float):
    pass


class Seconds(timedelta):
    pass


def str_enum(value: str) -> Any:
    return enum.StrEnum("Member", {"A": value}).A  # type: ignore[attr-defined]


def mixed_enum(value: str) -> Any:
    return enum.Enum("Mixed", {"A": value}, type=str).A  # type: ignore[attr-defined]


def int_enum(value: int) -> Any:
    return enum.IntEnum("Number", {"A": value}).A  # type: ignore[attr-defined]


SUBCLASSES: tuple[Callable[[str], Any], ...] = (Str, str_enum, mixed_enum, np.str_)
INTEGERS: tuple[Callable[[int], Any], ...] = (Int, int_enum, np.int64, np.uint8)


class Kind(NamedTuple):
    """What a parameter takes: one plain value, others that are as good, and what is none."""

    plain: Any
    equal: list[Any]
    wrong: list[Any]
    words: dict[Any, str] = {}  # noqa: RUF012 - values of the right type that are refused, and what is said


def text(value: str, *, optional: bool = False) -> Kind:
    wrong = [object(), b"bytes", 3.5, 5, ["a"], True]
    return Kind(value, [make(value) for make in SUBCLASSES], wrong if optional else [*wrong, None])


def path(value: str, *, optional: bool = False) -> Kind:
    """A path of an object: also an `ObjectInfo` of either colour, or a path object that is not one of the machine."""
    kind = text(value, optional=optional)
    same = [PurePosixPath(value), *(module.ObjectInfo("example", "main", value) for module in COLOURS.values())]
    prefix = lakefs_hl.CommonPrefix("example", "main", value)
    wrong = [Path(value), PureWindowsPath(value), lakefs_hl.Branch("example", "main")]
    return kind._replace(equal=[*kind.equal, *same], wrong=[*kind.wrong, *wrong, prefix])


def path_or_prefix(value: str, *, optional: bool = False) -> Kind:
    """A path that may be that of a common prefix."""
    kind, prefix = path(value, optional=optional), lakefs_hl.CommonPrefix("example", "main", value)
    return kind._replace(equal=[*kind.equal, prefix], wrong=[each for each in kind.wrong if each != prefix])


def uri(value: str) -> Kind:
    """The URI of an object, or a handle: of an object, a prefix or a reference."""
    kind, handle = text(f"lakefs://example/main/{value}"), lakefs_hl.ObjectInfo("example", "main", value)
    words = dict.fromkeys(("b", "lakefs://example"), "must be a URI such as lakefs://repository/reference/path")
    return kind._replace(equal=[*kind.equal, handle], wrong=[*kind.wrong, PurePosixPath(value)], words=words)


def reference(value: str, *, optional: bool = False) -> Kind:
    """The name of a reference: also a handle of either colour."""
    kind = text(value, optional=optional)
    same = [module.Reference("example", value) for module in COLOURS.values()]
    wrong = [lakefs_hl.ObjectInfo("example", "main", value), lakefs_hl.Repository("example")]
    return kind._replace(equal=[*kind.equal, *same], wrong=[*kind.wrong, *wrong])


def store(value: str) -> Kind:
    """The URL of a store, or a reference."""
    words = {"name": "must be a URL with a scheme", "lakefs://example": "is lakefs://repository/reference/prefix"}
    return Kind(value, [make(value) for make in SUBCLASSES], [object(), b"bytes", 3.5, 5, None, ["a"]], words)


def file_path(value: str) -> Kind:
    """A path of a file: also a path object that is not one of the machine."""
    kind = text(value)
    return kind._replace(equal=[*kind.equal, PurePosixPath(value)], wrong=[*kind.wrong, Path(value)])


def names(value: str, *, optional: bool = False) -> Kind:
    """Names, or one."""
    equal = [(value,), {value}, [value], np.array([value]), *(make(value) for make in SUBCLASSES)]
    wrong = [object(), 5, b"a", [1], [value, b"a"], pd.DataFrame({value: [value]})]
    return Kind(value, equal, wrong if optional else [*wrong, None])


def file_paths(value: str, *, optional: bool = False) -> Kind:
    """Paths of files, as an iterable: a single one has another result."""
    equal = [(value,), {value}, np.array([value]), *([make(value)] for make in SUBCLASSES), [PurePosixPath(value)]]
    wrong = [object(), 5, b"a", [1], [value, b"a"], np.array(value), pd.DataFrame({value: [value]})]
    return Kind([value], equal, wrong if optional else [*wrong, None])


def switched_off() -> Kind:
    """What cannot be switched on here."""
    return Kind(False, [0, np.bool_(False), np.int64(0)], [object(), b"", 3.5, "true", 2, np.array([True, False])])


def encoding(value: str) -> Kind:
    """The name of an encoding."""
    return text(value, optional=True)._replace(
        wrong=[object(), b"gzip", 3.5, 5, ["gzip"]], words={"lzma": "encoding must be one of 'gzip', 'br', 'zstd'"}
    )


def choice(value: str, other: str, said: str, *, optional: bool = False) -> Kind:
    return text(value, optional=optional)._replace(words={other: said})


def integer(value: int, *, optional: bool = False) -> Kind:
    wrong = [object(), b"1", 3.5, "1", np.float64(1), np.str_("1")]
    return Kind(value, [make(value) for make in INTEGERS], wrong if optional else [*wrong, None])


def flag(*, optional: bool = False) -> Kind:
    wrong = [object(), b"", 3.5, "true", 2, np.array([True, False])]
    return Kind(True, [1, Int(1), np.bool_(True), np.int64(1)], wrong if optional else [*wrong, None])


#: What `float` takes all the same: a boolean, bytes, the half of a complex number, an array of one.
NO_NUMBER: list[Any] = [object(), b"1", "1", [1], True, np.True_, np.bytes_(b"1"), np.complex128(1), np.array([1.0])]


def answer(request: Request) -> Response:
    return Response(404)


async def coroutine(request: Request) -> Response:
    return Response(404)


def number(value: int) -> Kind:
    return Kind(value, [Int(value), np.int64(value), np.float64(value), Float(value)], NO_NUMBER)


def duration(name: str) -> Kind:
    said = f"{name} must not be negative"
    return Kind(
        timedelta(seconds=1),
        [1, 1.0, Int(1), Seconds(seconds=1), np.int64(1), np.float64(1)],
        [*NO_NUMBER, np.timedelta64(1, "h")],
        {-1: said, timedelta(-1): said},
    )


def strings(value: str) -> Kind:
    equal = [value, (value,), {value}, np.array([value]), *([make(value)] for make in SUBCLASSES)]
    equal += [make(value) for make in SUBCLASSES]
    return Kind(
        [value], equal, [object(), 5, None, b"a", [1], [value, b"a"], np.array(value), pd.DataFrame({value: [value]})]
    )


def mapping(*, optional: bool = False) -> Kind:
    equal: list[Any] = [{make("k"): make("v")} for make in SUBCLASSES]
    equal += [MappingProxyType({"k": "v"}), collections.OrderedDict(k="v"), collections.ChainMap({"k": "v"})]
    wrong = [object(), 5, "text", [("k", "v")], {1: "v"}, {b"k": "v"}, {"k": 1}, {"k": None}]
    return Kind({"k": "v"}, equal, wrong if optional else [*wrong, None])


def local(value: str) -> Kind:
    """The path of a local file or directory."""
    return Kind(value, [Path(value), *(make(value) for make in SUBCLASSES)], [object(), b"a", 3.5, 5, None, ["a"]])


def moment(*, words: dict[Any, str] | None = None) -> Kind:
    at = datetime(2020, 1, 1, tzinfo=UTC)
    equal: list[Any] = ["2020-01-01", "2020-01-01T01:00:00+01:00", Str("2020-01-01T00:00:00Z"), at.date()]
    equal += [pd.Timestamp(at), np.datetime64(at.date()), np.datetime64("2020-01-01T00:00:00.000000000")]
    said = {datetime(2020, 1, 1): "no time zone", "yesterday": "such as '2026-01-31'"}
    return Kind(at, equal, [object(), 5, 3.5, b"2020-01-01"], said | (words or {}))


def data(value: Any, wrong: list[Any]) -> Kind:
    """Something that is no scalar: only what it refuses is told here."""
    return Kind(value, [], wrong)


NO_NAME: list[Any] = [object(), b"bytes", 3.5, 5, None]
OTHER_COLOUR = object()  # replaced by the client of the other colour
#: What each parameter is, by its name. "function.parameter" goes before the name alone.
KINDS: dict[str, Kind] = {
    "access_key_id": text("key", optional=True),
    "access_token": text("token", optional=True),
    "after": text("a"),
    "all": flag(),
    "allow_empty": flag(),
    "approve": flag(),
    "approver": text("ada"),
    "allowed_storage_hosts": strings("minio"),
    "aws_role": flag(optional=True),
    "branch": text("main", optional=True),
    "bad": reference("main"),
    "blame.path": path("b")._replace(wrong=[object(), b"bytes", 3.5, 5, ["a"], True, None]),
    "branch_id": reference("main"),
    "__init__.branch_id": reference(f"tx-main-{'0' * 32}"),
    "branches": data(None, [object(), 5, "text", [("main", 1)], {5: 1}, {"main": "1"}]),
    "buffering": integer(2),
    "ca_cert": text("/nowhere/ca.pem", optional=True),
    "client": data(None, [object(), "mem://", 5, OTHER_COLOUR]),
    "commit": text("c" * 64, optional=True),
    "commit_id": reference("main~1"),
    "commit_message": text("message"),
    "sync_from.commit_message": text("message", optional=True),
    "upload.commit_message": text("message", optional=True),
    "upload_dir.commit_message": text("message", optional=True),
    "expire.commit_message": text("message", optional=True),
    "upload_many.commit_message": text("message", optional=True),
    "commit_metadata": mapping(optional=True),
    "continue_": flag(),
    "committer": text("who", optional=True),
    "chunk_size": integer(2),
    "connect_timeout": number(5),
    "content_type": text("text/csv", optional=True),
    "create": flag(),
    "create_repositories": flag(optional=True),
    "data": data(b"data", [object(), 3.5, 5, None, np.float64(1), np.array([object()])]),
    "date": moment(),
    "deadline": number(60),
    "default_branch_id": text("trunk"),
    "default_days": integer(7)._replace(words={0: "default_days must be at least 1, not 0"}),
    "delete": flag(),
    "delete_on_error": flag(),
    "delimiter": text("1"),
    "description": text("why"),
    "update.description": text("why", optional=True),
    "destination": text("d/"),
    "destination_branch_id": reference("dev"),
    "dry_run": flag(),
    "dst_client": data(None, [object(), "mem://", 5, OTHER_COLOUR]),
    "dst_uri": uri("new"),
    "encoding": text("latin-1", optional=True),
    "copy_to.destination": reference("dev"),
    "copy_to.path": path("c", optional=True),
    "end": integer(2, optional=True),
    "endpoint": text("http://127.0.0.1:1", optional=True),
    "errors": text("replace", optional=True),
    "etag": text("e" * 32, optional=True),
    "every": integer(1),
    "exclude": data(None, [object(), 5, b"a", [1]]),
    "exist_ok": flag(),
    "expires_in_seconds": integer(60)._replace(
        words={
            0: "expires_in_seconds=0: must be 1 to 604800, which is a week",
            604801: "must be 1 to 604800",
        }
    ),
    "file": data(None, [object(), b"name", 3.5, 5, True, io.StringIO(), ["a"]]),
    "save.file": local("plan"),
    "filter": data(None, [object(), 5, "a"]),
    "first_parent": flag(),
    "follow_symlinks": flag(),
    "force": flag(),
    "from_path": path("b"),
    "from_prefix": text("a/"),
    "copy_prefix.from_reference": reference("dev", optional=True),
    "move_object.to_path": path("c"),
    "from_reference": reference("dev"),
    "gateway_endpoint": text("http://127.0.0.1:3", optional=True),
    "good": reference("main~1"),
    "offline": flag(optional=True),
    "cache_size": integer(5, optional=True)._replace(wrong=[object(), b"1", 3.5]),
    "cache_dir": local("cache")._replace(wrong=[object(), b"a", 3.5, 5, ["a"]]),
    "remove.snapshot": local("cache/snapshots/a"),
    "max_size": integer(100, optional=True)._replace(wrong=[object(), b"1", 3.5]),
    "local_files_only": flag(),
    "hidden": flag(),
    "host": text("http://127.0.0.1:1", optional=True),
    "id": text("20260131T120000Z-0a1b2c3d"),
    "id_or_name": text("none"),
    "if_none_match": flag(),
    "ignore_file_names": data((), [object(), 5, b"a", [1], None]),
    "include": data(None, [object(), 5, b"a", [1]]),
    "include_samples": flag(),
    "items": data([("a", b"1")], [object(), 5, None, "a", b"a", [1], ["ab"], [("a",)], [(5, b"1")]]),
    "upload_many_concurrent.items": data(
        [{"bucket": "example", "key": "a", "data": b"1"}],
        [object(), 5, None, "a", b"a", [1], [("a", b"1")]],
    ),
    "download_many_concurrent.items": data(
        [{"bucket": "example", "key": "b"}], [object(), 5, None, "a", b"a", [1], ["a"], {"key": "a"}]
    ),
    "jwt_token": text("token", optional=True),
    "keys": strings("k"),
    "kind": choice("skip", "perhaps", "kind must be 'upload', 'download', 'skip' or 'delete', not 'perhaps'"),
    "local_dir": local("local"),
    "local_path": local("local/a"),
    "max_amount": integer(1, optional=True),
    "graph.max_amount": integer(1),
    "refs": data("main", [object(), 5]),
    "max_bytes": integer(10, optional=True),
    "max_concurrency": integer(3, optional=True),
    "max_workers": integer(1, optional=True),
    "message": text("message", optional=True),
    "commit.message": text("message"),
    "metadata": mapping(optional=True),
    "set_metadata.metadata": mapping(),
    "set_object_metadata.metadata": mapping(),
    "method": choice("PUT", "DELETE", "method must be 'GET' or 'PUT', not 'DELETE'"),
    "mode": choice("rb", "a", "mode must be 'r', 'rb' to read"),
    "n": integer(1),
    "newline": text("\n", optional=True),
    "notes": text("why"),
    "now": moment(),
    "create_snapshot.name": reference("s1", optional=True),
    "restore_snapshot.name": reference("v1"),
    "create.name": text("new", optional=True),
    "object_paths": strings("a/1"),
    "object_store_uri": text("local:///data/"),
    "objects": strings("a/1"),
    "offset": Kind(
        2, [Int(2), np.int64(2)], [object(), b"2", 3.5, [2]], {"2": "offset must be the next_offset of a page"}
    ),
    "older_than": Kind(
        timedelta(hours=1),
        [Seconds(hours=1), pd.Timedelta(hours=1)],
        [object(), 24, 1.0, "1", None],
        {timedelta(-1): "older_than must not be negative"},
    ),
    "on_empty": choice("error", "perhaps", "on_empty must be 'skip', 'error' or 'commit', not 'perhaps'"),
    "on_invalid": choice("skip", "ask", "on_invalid must be 'error', 'skip' or 'encode', not 'ask'"),
    "only": data(None, [object(), 5, b"a", [1]]),
    "on_error": choice("return", "ignore", "on_error must be 'raise' or 'return', not 'ignore'"),
    "other_ref": reference("dev"),
    "parent_number": integer(1),
    "cherry_pick.parent_number": integer(1, optional=True),
    "password": text("secret", optional=True),
    "path": path("b"),
    "is_dir.path": path_or_prefix("b"),
    "is_file.path": path_or_prefix("b"),
    "remove.path": path_or_prefix("b"),
    "partition.by": choice("objects", "size", "by must be 'bytes' or 'objects', not 'size'"),
    "paths": strings("a/1"),
    "pattern": text("a/*"),
    "exists.path": path("b", optional=True),
    "reset.path": text("b", optional=True),
    "policy": data("{}", [object(), 5, None, [1]]),
    "poll_interval": duration("poll_interval"),
    "pickle_secrets": flag(),
    "port": integer(3, optional=True),
    "pre_signed": flag(optional=True),
    "prefix": text("a"),
    "prefixes": strings("a/"),
    "profile": text("other", optional=True),
    "progress": data(False, [object(), 3.5, 5, "bar", ["a"]]),
    "proxy": text("http://127.0.0.1:3", optional=True),
    "pull_request_id": text("p1"),
    "read_only": flag(),
    "record": data(None, [object(), "id", {}]),
    "recursive": flag(),
    "create_snapshot.ref": reference("dev", optional=True),
    "restore_snapshot.branch": reference("dev", optional=True),
    "apply_lifecycle.branch": reference("dev", optional=True),
    "restore.version": reference("main~1"),
    "reference_id": reference("main"),
    "repository": text("example"),
    "repository_id": text("example"),
    "require_approvals": integer(1),
    "repository.repository_id": text("example", optional=True),
    "owner": text("ada", optional=True),
    "org": text("physics", optional=True),
    "cluster": text("north", optional=True),
    "public_access": flag(),
    "provider": choice("gcp", "ftp", "provider must be 'aws'"),
    "provider_bucket_name": choice("bucket", "a/b", "must be the name of a bucket"),
    "credentials": data({}, [object(), 5, "text", [("k", "v")], None]),
    "import_external.name": text("new", optional=True),
    "import_external.commit_message": text("message", optional=True),
    "resume": flag(),
    "retries": integer(2),
    "__init__.retries": integer(2, optional=True),
    "with_options.retries": integer(2, optional=True),
    "init.retries": integer(2, optional=True),
    "rules": data([], [object(), 5, None, "text", {"id": "r"}, [5]]),
    "reverse": flag(),
    "reviewer_id": text("ada"),
    "run_id": text("r1"),
    "scope": text("alice", optional=True),
    "search": text("exa"),
    "secret_access_key": text("secret", optional=True),
    "shallow": flag(),
    "since": moment(),
    "size_bytes": integer(1, optional=True),
    "sort": choice("id", "size", "sort must be 'name', 'created', 'updated' or 'id', not 'size'"),
    "source_branch_id": reference("main"),
    "source_ref": reference("dev", optional=True),
    "create.source_ref": reference("dev"),
    "source_reference_id": reference("dev"),
    "sources": data([("local:///data/", "d/")], [object(), 5, "text", None, ["text"], [5], [("a",)], [(b"a", "b")]]),
    "squash": flag(),
    "src_client": data(None, [object(), "mem://", 5, OTHER_COLOUR]),
    "src_uri": uri("b"),
    "start": integer(1, optional=True),
    "stream.start": integer(1),
    "status": choice("closed", "merged", "status must be 'open', 'closed' or 'all', not 'merged'"),
    "approval_requests.status": choice(
        "pending", "open", "status must be 'pending', 'approved' or 'rejected', not 'open'", optional=True
    ),
    "update.status": choice("closed", "merged", "status must be 'open' or 'closed', not 'merged'", optional=True),
    "suffix": text("1"),
    "stop_at": reference("main~1", optional=True),
    "storage_namespace": text("local://elsewhere", optional=True),
    "strategy": choice("dest-wins", "ours", "strategy must be 'dest-wins' or 'source-wins', not 'ours'", optional=True),
    "expire.suffix": text("1", optional=True),
    "table_diff.delimiter": text(";", optional=True)._replace(words={";;": "delimiter must be one ASCII character"}),
    "table_diff.format": choice("tsv", "xml", "format must be 'parquet', 'csv', 'tsv' or 'arrow'", optional=True),
    "table_diff.ignore": names("line 1"),
    "table_diff.keys": names("line 1", optional=True),
    "table_diff.max_rows": integer(1, optional=True),
    "table_diff.memory": Kind(
        1 << 28,
        [Int(1 << 28), np.int64(1 << 28)],
        [object(), b"1", 3.5, "1", None],
        {1000: "memory must be at least 16777216, not 1000"},
    ),
    "table_diff.other": reference("dev"),
    "table_diff.other_path": path_or_prefix("a/2", optional=True),
    "table_diff.path": path_or_prefix("a/1"),
    "table_diff.tolerance": number(1)._replace(words={-1: "tolerance must be a number from 0, not -1"}),
    "tags": mapping(optional=True),
    "set_tags.tags": mapping(),
    "tag": reference("v2", optional=True),
    "delegate.ttl": duration("ttl")._replace(words={0: "ttl=0: must be at least a second"}),
    "ttl": duration("ttl")._replace(words={0: "ttl=0: must be 1 to 43200 seconds"}),
    "tag_id": reference("v1"),
    "test": data(lambda commit: None, [object(), 5, None, "text"]),
    "timeout": number(30),
    "block_size": integer(2),
    "checksum": choice("crc32c", "md5", "checksum must be 'crc32c' or None, not 'md5'", optional=True),
    "dst": store("lakefs://example/dev/new"),
    "job": data(None, [object(), b"a", 3.5, 5, ["a"]]),
    "reencode": text("gzip", optional=True)._replace(
        wrong=[object(), b"gzip", 3.5, 5, ["gzip"]], words={"lzma": "encoding must be one of 'gzip', 'br', 'zstd'"}
    ),
    "query": text("first")._replace(words={"": "query must not be empty", "a" * 4097: "at most 4,096"}),
    "library": choice("fsspec", "excel", "library must be 'pandas', 'fsspec'"),
    "spark_conf.mode": choice("lakefsfs", "s3", "mode must be 's3a' or 'lakefsfs', not 's3'"),
    "spark_conf.repositories": names("example", optional=True),
    "limit": integer(5)._replace(words={0: "limit must be at least 1, not 0"}),
    "kinds": strings("path")._replace(
        words={("tag",): "kinds must be 'repository', 'path'", (): "kinds must not be empty"}
    ),
    "repositories": strings("example")._replace(
        wrong=[object(), 5, b"a", [1], ["example", b"a"], np.array("example"), pd.DataFrame({"example": ["example"]})]
    ),
    "src": store("lakefs://example/main/a"),
    "storage_options": data(None, [object(), 5, "text", [("k", "v")]]),
    "transfer.paths": strings("1")._replace(
        wrong=[object(), 5, b"a", [1], ["1", b"a"], np.array("1"), pd.DataFrame({"1": ["1"]})]
    ),
    "transfer.update": flag(),
    "basename.path": file_path("a/b"),
    "abspath.path": file_path("a/b"),
    "cache_control": text("no-cache", optional=True),
    "compress": encoding("gzip"),
    "compression": encoding("gzip"),
    "compression_level": integer(5, optional=True),
    "content": data(b"1", [object(), 3.5, 5]),
    "put_json.content": data([1], [object(), b"1", {1, 2}]),
    "delete.paths": file_paths("a/1"),
    "dest": store("mem://new"),
    "dirname.path": file_path("a/b"),
    "exists.paths": file_paths("a/1"),
    "files": data([("a", b"1")], [object(), 5, None, "a", b"a", [1], ["ab"], [("a",)], [(5, b"1")]]),
    "files.endpoint": text("http://127.0.0.1:1", optional=True),
    "flat": flag(),
    "flat.prefix": text("a"),
    "get.paths": file_paths("a/1"),
    "get_json.paths": file_paths("a/none"),
    "green": switched_off(),
    "head.paths": file_paths("a/1"),
    "join.paths": Kind(None, [], []),  # any number, by position
    "move.dest": file_path("c"),
    "move.src": file_path("b"),
    "moves.paths": file_paths("b"),
    "num_threads": integer(1, optional=True),
    "put.path": file_path("b"),
    "put_json.path": file_path("b"),
    "put_jsons.files": data([("a", 1)], [object(), 5, None, "a", b"a", [1], ["ab"], [("a",)], [(5, 1)]]),
    "ranges": data(None, [object(), 5, "a", b"a", [1]]),
    "raw": flag(),
    "reader.mode": choice("r", "a", "mode must be 'r', 'rb' to read"),
    "secrets": data(None, [object(), 5, "text", [("k", "v")]]),
    "size.paths": file_paths("a/1"),
    "subtree_size.prefix": text("a")._replace(wrong=[object(), b"bytes", 3.5, 5, [1], True, None]),
    "touch.paths": file_paths("a/1"),
    "transfer_from.paths": file_paths("1", optional=True),
    "transfer_from.src": store("mem://old"),
    "transfer_from.update": flag(),
    "transfer_to.paths": file_paths("1", optional=True),
    "transfer_to.update": flag(),
    "console_session_required": flag(),
    "destination_directory": local("local"),
    "history_id": integer(1),
    "include_metadata": flag(),
    "mint.metadata": data({"k": "v"}, []),  # what is wrong with it, is a problem of it
    "payload": data({"k": "v"}, []),
    "reason": text("why")._replace(words={" ": "reason must say why"}),
    "__init__.ref": text("main", optional=True),
    "dataset.ref": text("main", optional=True)._replace(words={"a/b": "must be the name of a branch"}),
    "revert_to.version": text("v1")._replace(words={"a/b": "version must be letters"}),
    "schema": data({"type": "object"}, [object(), 5, "a", b"a", ["a"]]),
    "source_directory": local("local"),
    "upload_all.commit_message": text("message", optional=True),
    "uri_or_id": text("example")._replace(words={"": "uri_or_id must be a name", "a/b": "or a URI"}),
    "version.name": text("v2", optional=True)._replace(words={"a/b": "name must be letters"}),
    "url": store("lakefs://example/main/a"),
    "use_https": switched_off(),
    "writer.mode": choice("wb", "a", "mode must be"),
    **{
        f"{call}.progress": data(False, [object(), 3.5, 5, ["a"]])
        for call in (
            *("delete", "exists", "files", "get", "get_json", "head", "moves", "put_jsons", "puts", "size", "touch"),
            *("transfer_from", "transfer_to"),
        )
    },
    "transport": Kind(answer, [], [object(), "mem://", 5, coroutine]),
    "title": text("title"),
    "update.title": text("title", optional=True),
    "to_path": path("c", optional=True),
    "total": integer(1, optional=True),
    "to_prefix": text("z/"),
    "token_request_headers": mapping(optional=True),
    "token_ttl_seconds": integer(60, optional=True),
    "type": choice("two_dot", "three-dot", "type must be 'three_dot' or 'two_dot', not 'three-dot'"),
    "uri": Kind(
        "lakefs://example/main",
        [make("lakefs://example/main") for make in SUBCLASSES],
        NO_NAME,
        {
            "main": "uri must be the URI of a reference, such as lakefs://repository/main, not 'main'",
            "lakefs://example": "it is that of a repository: use repository('lakefs://example')",
            "lakefs://example/main/a": "it is that of an object: ref('lakefs://example/main').stat_object('a')",
            "lakefs:///main": "uri must be the URI of a reference",
            "lakefs://example//a": "uri must be the URI of a reference",
            "": "uri must not be empty",
        },
    ),
    "by": choice("extension", "size", "by must be 'directory' or 'extension', not 'size'", optional=True),
    "update": flag()._replace(
        wrong=[object(), b"", 3.5, 2], words={"size": "update must be True, False or 'checksum', not 'size'"}
    ),
    "upload_file.path": path_or_prefix("b")._replace(wrong=[object(), b"b", 5, ["a"]]),
    "url_presign_ttl_seconds": integer(60, optional=True),
    "username": text("key", optional=True),
    "verdicts": Kind(
        {"k": True},
        [{Str("k"): True}, {"k": np.bool_(True)}, MappingProxyType({"k": True})],
        [object(), 5, "text", [("k", True)], {1: True}, {b"k": True}, {"k": "yes"}, {"k": 1}],
    ),
    "verify": flag(),
    "via": choice("server", "mail", "via must be 'auto', 'server' or 'gateway', not 'mail'"),
    "verify_ssl": flag(),
}
SECRETS = {"username", "password", "access_token", "access_key_id", "secret_access_key", "jwt_token", "proxy"}
PAIR = {"host": "http://127.0.0.1:1", "username": "key", "password": "secret"}
ROLE = {"host": "http://127.0.0.1:1", "aws_role": True}
#: What a call needs besides the parameter under test, where its required parameters are not enough or too much.
CONTEXTS: dict[str, dict[str, Any]] = {
    "open.content_type": {"mode": "w"},
    "open.metadata": {"mode": "w"},
    "open.buffering": {"mode": "rb"},
    "commit_metadata": {"commit_message": "message"},
    "create_snapshot.message": {"name": "s1"},
    "create_snapshot.ref": {"name": "s1"},
    "max_bytes": {"method": "PUT"},
    "finish.etag": {"size_bytes": 1},
    "finish.size_bytes": {"etag": "e" * 32},
    "repository.create": {"repository_id": "example"},
    **{  # else its name is drawn
        f"import_external.{name}": {"name": "new"}
        for name in ("provider", "provider_bucket_name", "prefix", "storage_namespace", "metadata", "max_workers")
    },
    "import_external.commit_message": {"name": "new"},
    "host": {"username": "key", "password": "secret"},
    "port": {"host": "localhost", "username": "key", "password": "secret"},
    "endpoint": {"username": "key", "password": "secret"},
    "username": {"host": "http://127.0.0.1:1", "password": "secret"},
    "access_key_id": {"host": "http://127.0.0.1:1", "password": "secret"},
    "password": {"host": "http://127.0.0.1:1", "username": "key"},
    "secret_access_key": {"host": "http://127.0.0.1:1", "username": "key"},
    "access_token": {"host": "http://127.0.0.1:1"},
    "jwt_token": {"host": "http://127.0.0.1:1"},
    "aws_role": {"host": "http://127.0.0.1:1"},
    "files.endpoint": {"client": None},
    "files.url": {"client": None},
    "put_json.raw": {"content": b"1"},
    "put_jsons.raw": {"files": [("a", b"1")]},
    "compression_level": {"compress": "gzip"},
    **{
        f"table_diff.{name}": {"format": "csv", "keys": "line 1"}
        for name in ("delimiter", "ignore", "max_rows", "memory", "other", "other_path", "path", "tolerance")
    },
    "table_diff.ignore": {"format": "csv"},
    "table_diff.keys": {"format": "csv"},
    "token_ttl_seconds": ROLE,
    "url_presign_ttl_seconds": ROLE,
    "token_request_headers": ROLE,
    **{
        f"transfer.{name}": {"dst": "mem://arguments"}
        for name in ("src", "paths", "job", "reencode", "block_size", "update", "on_error")
    },
    "transfer.dst": {"max_workers": 1},
    "transfer.checksum": {"max_workers": 1},
    # one request at a time: how many more are sent when the first one fails is a matter of chance
    **{
        f"{call}.{parameter}": {"max_workers": 1}
        for call in ("copy_prefix", "move_prefix")
        for parameter in ("from_prefix", "to_prefix", "from_reference", "on_error", "progress")
    },
}


class Sent(Exception):
    """A request that would change the lake was made."""


class Watch:
    """A transport that notes requests and sends on only those that change nothing."""

    fan_out = 1

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.requests: list[Request] = []

    def send(self, request: Request, scope: Any = None, within: float | None = None) -> Response:
        self.requests.append(request)
        if request.endpoint.method not in ("GET", "HEAD"):
            raise Sent
        response: Response = self._inner.send(request, scope, within)
        return response

    def close(self) -> None:
        self._inner.close()


class World(NamedTuple):
    """A lake with something in it, watched, in one colour."""

    module: ModuleType
    client: Any
    other: Any
    watch: Watch
    settle: Callable[[Any], Any]
    record: Any


@pytest.fixture(scope="module")
def lake() -> Iterator[lakefs_hl.Client]:
    with lakefs_hl.Client("mem://") as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        for path in ("a/1", "a/2", "b"):
            main.upload(b"line 1\nline 2\n", path, metadata={"k": "v"})
        main.commit_changes("first")
        main.upload(b"staged", "b")
        lakefs_hl.Branch("example", "dev", client).create("main").upload(b"", "c")
        lakefs_hl.Tag("example", "v1", client).create("main")
        lakefs_hl.repository("example", client=client).set_metadata({"k": "v"})
        lakefs_hl.files("mem://").put("old", b"1")
        lakefs_hl.Branch("example", "clean", client).create("main").transaction("left behind").__enter__()
        with buckets({"bucket/a/1": b"1"}):
            yield client


@pytest.fixture(scope="module", params=list(COLOURS))
def world(lake: lakefs_hl.Client, request: pytest.FixtureRequest) -> Iterator[World]:
    watch = Watch(lake._transport)
    client = lake.with_options()
    client._transport = watch
    client._driver = client._blocking = Blocking(watch)
    awaitable = of(client)
    awaitable._driver = Aio(watch)
    record = lakefs_hl.Branch("example", "main", lake).get_commit()._record
    if request.param == "blocking":
        yield World(lakefs_hl, client, awaitable, watch, lambda value: value, record)
        return
    import asyncio

    with asyncio.Runner() as runner:
        yield World(aio, awaitable, client, watch, Settler(runner), record)


class Case(NamedTuple):
    """One parameter of one call."""

    owner: str
    call: str
    parameter: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.call}({self.parameter})".lstrip(".")

    def kind(self) -> Kind:
        found = KINDS.get(f"{self.call}.{self.parameter}") or KINDS.get(self.parameter)
        assert found is not None, (
            f"add a row to KINDS: {self.parameter!r}, or '{self.call}.{self.parameter}' if it differs in this call"
        )
        return found


def walk(module: ModuleType) -> Iterator[tuple[Case, Any]]:
    """Every parameter of every public function and method, a method of several classes once."""
    seen = set[int]()
    # a transaction that is not open refuses a call before it looks at its arguments
    for name in sorted(module.__all__, key=lambda name: name == "BranchTransaction"):
        public = getattr(module, name)
        if inspect.isfunction(public) and name != PASSES_ON:
            found = [("", name, public)]
        elif isinstance(public, type) and name not in RECORDS:
            found = [
                (name, member, getattr(public, member))
                for member in dir(public)
                if inspect.isfunction(getattr(public, member)) and (member == "__init__" or member[0] != "_")
            ]
        else:
            continue
        for owner, call, function in found:
            if id(function) in seen and call != "__init__":
                continue
            seen.add(id(function))
            if (owner in LISTED and call == "__init__") or call in OF_LIBRARIES:
                continue
            for parameter in inspect.signature(function).parameters.values():
                if parameter.name != "self":
                    yield Case(owner, call, parameter.name), function


CASES = {case: None for module in COLOURS.values() for case, _ in walk(module)}


def test_every_parameter_stands_in_a_row() -> None:
    named = {case.parameter for case in CASES} | {f"{case.call}.{case.parameter}" for case in CASES}
    unknown = {str(case) for case in CASES if not {case.parameter, f"{case.call}.{case.parameter}"} & set(KINDS)}
    assert not unknown, f"add a row to KINDS that says what these take and what they refuse: {sorted(unknown)}"
    assert set(KINDS) - named == set(), "these are parameters of nothing"
    assert len(CASES) > 150
    assert {case for case, _ in walk(lakefs_hl)} == {case for case, _ in walk(aio)}


def target(world: World, case: Case) -> Any:
    """What is called: the function itself, the class, or the method of an object of it."""
    module, client = world.module, world.client
    if not case.owner or case.call == "__init__":
        return getattr(module, case.owner or case.call)
    made: dict[str, Callable[[], Any]] = {
        "Client": lambda: client,
        "Repository": lambda: module.Repository(
            "new" if case.call in ("create", "get_or_create") else "example", client
        ),
        "Listing": lambda: module.Branch("example", "main", client).list_objects(),
        "ObjectInfo": lambda: module.ObjectInfo("example", "main", "b", client),
        "Tag": lambda: module.Tag("example", "v2", client),
        "Commit": lambda: module.Commit("example", world.record, client),
        "ImportManager": lambda: module.ImportManager("example", "main", client),
        "BranchTransaction": lambda: module.BranchTransaction("example", "main", client),
        "Plan": lambda: world.settle(module.Branch("example", "main", client)).upload_dir("local", dry_run=True),
        "PresignedUpload": lambda: module.PresignedUpload(
            module.Branch("example", "main", client), UploadOptions("b", "text/csv", {}, False), None, ("local://a", {})
        ),
        "SnapshotCache": lambda: module.snapshot_cache("cache"),
        "Admin": lambda: module.Admin(client),
        "CredentialsAdmin": lambda: module.Admin(client).credentials,
        "GCRulesAdmin": lambda: module.Admin(client).gc_rules("example"),
        "Files": lambda: module.Branch("example", "main", client).files(progress=False),
        "ObjectHandle": lambda: module.Branch("example", "main", client).object("b"),
        "KeptTransaction": lambda: next(world.settle(module.Repository("example", client).transactions())),
    }
    default = lambda: getattr(module, case.owner)("example", "main", client)
    return getattr(made.get(case.owner, default)(), case.call)


def context(world: World, case: Case, function: Any) -> dict[str, Any]:
    """The other arguments of a call."""
    found = CONTEXTS.get(f"{case.call}.{case.parameter}", CONTEXTS.get(case.parameter))
    if (case.owner, case.call) in (("Client", "__init__"), ("", "init")):
        return dict(PAIR if found is None else found)
    given = dict(found or {})
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", case.parameter) or parameter.name in given:
            continue
        if parameter.name in ("client", "src_client", "dst_client"):
            given[parameter.name] = world.client
        elif parameter.name == "record":
            given["record"] = world.record
        elif parameter.default is inspect.Parameter.empty:
            given[parameter.name] = case._replace(parameter=parameter.name).kind().plain
    return given


def _is_as_it_was() -> bool:
    """Return whether the last call has changed none of the local files. Most do not, and making them takes its time."""
    if os.listdir() != ["local"] or os.listdir("local") != ["a"]:  # noqa: PTH208 - for each of many thousand calls
        return False
    file = os.lstat("local/a")
    return (stat.S_ISREG(file.st_mode), file.st_size, file.st_mtime_ns) == (True, 1, 1_000_000_000)


def _make_local_files() -> None:
    for directory in [path for path in Path().rglob("*") if path.is_dir()]:  # snapshots are read-only
        directory.chmod(0o755)
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    Path("local").mkdir()
    Path("local/a").write_bytes(b"1")
    os.utime("local/a", (1, 1))


def observe(world: World, case: Case, function: Any, value: Any) -> Any:
    """All that a call says and does, as text."""
    world.watch.requests.clear()
    if not _is_as_it_was():  # else a call would continue the one before
        _make_local_files()
    given = context(world, case, function)
    if case.owner == "ImportManager" and case.call in ("wait", "run"):
        return _observe_wait(world, case, value)
    try:
        result = world.settle(target(world, case)(**given, **{case.parameter: value}))
        if hasattr(result, "__next__") and not hasattr(result, "read"):
            result = list(result)
        said = _described(world, result)
    except Sent:
        said = "sent"
    except (exceptions.LakeFSException, LookupError) as exc:
        said = f"{type(exc).__name__}: {exc}"
    return [said, *map(_sent, world.watch.requests)]


def _observe_wait(world: World, case: Case, value: Any) -> Any:
    """The pause that an import is waited for with."""
    manager = world.module.ImportManager("example", "main", world.client, sources=[("local:///d/", "d/")])
    pauses: list[Any] = []

    def wait(session: Any, repository: str, branch: str, started: str, pause: float) -> Any:
        pauses.append(pause)
        raise Sent

    from lakefs_hl.ops import imports

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "wait", wait)
        patch.setattr(manager, "start", (lambda: None) if world.module is lakefs_hl else _nothing)
        manager._import_id = "1"
        with pytest.raises(Sent):
            world.settle(getattr(manager, case.call)(value))
    return pauses


async def _nothing() -> None:
    return None


def _described(world: World, result: Any) -> str:
    bare = result._target if isinstance(result, Settled) else result
    if isinstance(bare, lakefs_hl.Client | aio.Client):
        options = bare._options.given()
        for name in options.keys() & {"timeout", "connect_timeout", "deadline"}:
            options[name] = float(options[name])
        return str(sorted(options.items()))
    if isinstance(bare, lakefs_hl.BranchTransaction | aio.BranchTransaction):
        plan = bare._tx.plan
        return str([getattr(plan, name) for name in plan.__struct_fields__ if name != "tx_id"])
    if isinstance(bare, lakefs_hl.ImportManager | aio.ImportManager):
        return f"{bare!r} {bare._locations} {bare._message!r} {bare._metadata}"
    if hasattr(bare, "read") or hasattr(bare, "write"):
        file = getattr(bare, "_file", bare)
        described = f"{file.name} {getattr(file, 'encoding', '')} {getattr(file, 'errors', '')}"
        if file.readable():
            described += f" {file.read()!r} {getattr(file, 'newlines', '')!r}"
        file.close()
        return described
    if isinstance(bare, lakefs_hl.TransferReport):
        return repr(bare._replace(seconds=0.0))
    if isinstance(bare, list):
        return str([_described(world, item) for item in bare])
    return AGE.sub("AGE", f"{bare!r} {getattr(bare, '_record', '')}")


def _sent(request: Request) -> str:
    """What was sent, without the ids that differ from call to call; of the exact types, or it is a failure."""
    values = [*request.params, *request.query.values(), *request.headers.values(), *request.query, *request.headers]
    flat = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    assert {type(one) for one in flat} <= {str}, f"{request}: {flat}"
    body = request.body if isinstance(request.body, bytes) else b"a file"
    headers = {name: value for name, value in request.headers.items() if name != "idempotency-key"}
    digest = request.digest if isinstance(request.digest, bool) else request.digest.hexdigest()
    words = (request.endpoint.operation, request.params, dict(request.query), headers, body, digest)
    drawn = r"[0-9a-f]{32}\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bLKHL[A-Z2-7]{16}\b|\b[A-Za-z0-9]{40}\b"
    return re.sub(drawn, "ID", str(words))


def function_of(world: World, case: Case) -> Any:
    return getattr(getattr(world.module, case.owner), case.call) if case.owner else getattr(world.module, case.call)


@pytest.fixture(autouse=True)
def _no_default_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` is observed by the client it makes; nothing becomes the default one, and none is left from elsewhere."""
    for module in COLOURS.values():
        monkeypatch.setitem(vars(module), "DefaultClient", None)
    for name in ("lakefs_hl._sync.default", "lakefs_hl.aio.default"):
        monkeypatch.setattr(f"{name}.make_default", lambda client: client)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for calls that read or write local files, and for what they keep."""
    return tmp_path_factory.mktemp("arguments")


@pytest.fixture(autouse=True)
def _local_files(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(directory / "cache"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_subclasses_and_scalars_are_as_good_as_plain_values(world: World, case: Case) -> None:
    function = function_of(world, case)
    kind = case.kind()
    if not kind.equal:
        return
    if case.parameter == "update" or case.call == "search":
        observe(world, case, function, kind.plain)  # what this transfers is equal from then on, or is in the index
    expected = observe(world, case, function, kind.plain)
    assert "TypeError" not in str(expected)
    for value in kind.equal:
        assert observe(world, case, function, value) == expected, f"{type(value)}: {value!r}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_type_is_a_type_error_that_names_the_parameter(world: World, case: Case) -> None:
    function = function_of(world, case)
    for value in case.kind().wrong:
        given = world.other if value is OTHER_COLOUR else value
        with pytest.raises(TypeError, match=rf"\b{case.parameter}\b") as caught:
            observe(world, case, function, given)
        assert not isinstance(caught.value, exceptions.LakeFSException)
        if case.parameter in SECRETS:
            assert repr(value) not in str(caught.value)
        if isinstance(value, dict) and value:
            assert repr(next(iter(value))) in str(caught.value)  # the key at fault
    for value, words in case.kind().words.items():
        with pytest.raises(ValueError, match=re.escape(words)):
            observe(world, case, function, value)


def test_a_file_given_for_reading_is_read() -> None:
    """The walk above would say nothing of a call that does nothing."""
    with lakefs_hl.Client("mem://") as client:
        watch = Watch(client._transport)
        client._driver = client._blocking = Blocking(watch)
        with pytest.raises(Sent):
            lakefs_hl.Branch("example", "main", client).upload(io.BytesIO(b"x"), "a")
        assert watch.requests[-1].endpoint.operation == "uploadObject"
