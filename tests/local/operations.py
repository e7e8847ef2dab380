"""Every operation of the API that changes the lake: a request for it, and what undoes its effect again.

A handler of the API that changes something and is not here fails `tests/local/api/test_effects.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lakefs_hl.local.disk.tables import pulls as table
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.local.engine.clock import now
from lakefs_hl.local.engine.records import ImportRecord, PullRecord
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.spec import administration, endpoints, models
from lakefs_hl.spec.wire import Endpoint, Query

Step: TypeAlias = Callable[[Engine, str], object]
ADDRESS = "local://elsewhere/thing"
IMPORT = "5f0c6d4e"
PULL = "5" * 19 + "0"


@dataclass(frozen=True)
class Operation:
    """One request.

    Attributes:
        endpoint: What is asked.
        body: Bytes, or what is sent as JSON; "{repo}" in a text is the repository's name.
        params: Path parameters; "{repo}" the same.
        query: Query.
        headers: Headers.
        before: What is done on the prepared repository before.
        between: What undoes the effect after the first request, or goes on from it: a repetition that was executed
            would be seen.
    """

    endpoint: Endpoint
    body: Any = b""
    params: tuple[str, ...] = ("{repo}", "main")
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Step | None = None
    between: Step | None = None

    def data(self, repo: str) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).replace("{repo}", repo).encode()

    def path(self, repo: str) -> tuple[str, ...]:
        """The path parameters as they are sent."""
        return tuple(one.replace("{repo}", repo) for one in self.params)


def prepare(engine: Engine, repo: str) -> None:
    """A repository with something to change of every kind."""
    make(engine, repo)
    engine.repositories.set_metadata(repo, {"kept": "1"})
    put("a", "b")(engine, repo)
    commit(engine, repo, "main")
    for name in ("side", "other", "dirty"):
        branch(name)(engine, repo)
    put("s", on="side")(engine, repo)
    commit(engine, repo, "side")
    put("d", "d1", "d2", on="dirty")(engine, repo)
    tag("v1")(engine, repo)


def make(engine: Engine, repo: str) -> None:
    """An empty repository."""
    taken = sum(1 for _ in tables(engine)["meta"])
    engine.repositories.create(models.RepositoryCreation(repo, f"local://{repo}-{taken}"), who="me")


def commit(engine: Engine, repo: str, name: str) -> None:
    engine.commits.commit(repo, name, models.CommitCreation("m"), who="me")


def put(*paths: str, on: str = "main", body: bytes = b"other") -> Step:
    def step(engine: Engine, repo: str) -> None:
        for path in paths:
            engine.objects.put(repo, on, path, body)

    return step


def branch(name: str) -> Step:
    return lambda engine, repo: engine.branches.create(repo, models.BranchCreation(name, "main"))


def tag(name: str) -> Step:
    return lambda engine, repo: engine.tags.create(repo, models.TagCreation(name, "main"))


def propose(engine: Engine, repo: str) -> None:
    """A pull request under an ID that is known before, which merges `side` into `main`."""
    record = PullRecord("title", "", "me", "side", "main", "open", now())
    engine.lake.write(
        repo,
        lambda transaction: table.put(transaction.writer, transaction.repo.id, PULL, records.encode(record)),
    )


def protect(*patterns: str) -> Step:
    rules = [models.BranchProtectionRule(one) for one in patterns]
    return lambda engine, repo: engine.settings.set_protection(repo, rules)


def keep_for(days: int) -> Step:
    return lambda engine, repo: engine.settings.set_gc_rules(repo, models.GCRules(days, []))


def _running_import(engine: Engine, repo: str) -> None:
    """The record of an import of another process."""

    def work(transaction: Transaction) -> None:
        record = ImportRecord(str(os.getppid()), False, now())
        engine.imports._write(transaction.writer, transaction.repo, IMPORT, record)

    engine.lake.write(repo, work)


OPERATIONS = [
    Operation(
        endpoints.CREATE_REPOSITORY,
        {"name": "{repo}-new", "storage_namespace": "local://{repo}-new", "sample_data": True},
        params=(),
        between=lambda engine, repo: engine.repositories.delete(f"{repo}-new"),
    ),
    Operation(endpoints.DELETE_REPOSITORY, params=("{repo}",), between=make),
    Operation(
        endpoints.SET_REPOSITORY_METADATA,
        {"metadata": {"new": "1"}},
        params=("{repo}",),
        between=lambda engine, repo: engine.repositories.set_metadata(repo, {"new": "2"}),
    ),
    Operation(
        endpoints.DELETE_REPOSITORY_METADATA,
        {"keys": ["kept"]},
        params=("{repo}",),
        between=lambda engine, repo: engine.repositories.set_metadata(repo, {"kept": "2"}),
    ),
    Operation(
        endpoints.CREATE_BRANCH,
        {"name": "new", "source": "main"},
        params=("{repo}",),
        between=lambda engine, repo: engine.branches.delete(repo, "new"),
    ),
    Operation(endpoints.DELETE_BRANCH, params=("{repo}", "other"), between=branch("other")),
    Operation(endpoints.RESET_BRANCH, {"type": "reset"}, params=("{repo}", "dirty"), between=put("e", on="dirty")),
    Operation(
        endpoints.HARD_RESET_BRANCH,
        params=("{repo}", "other"),
        query={"ref": "side"},
        between=lambda engine, repo: engine.branches.hard_reset(repo, "other", "main"),
    ),
    Operation(endpoints.REVERT_BRANCH, {"ref": "main", "parent_number": 0}),
    Operation(endpoints.CHERRY_PICK, {"ref": "side"}, params=("{repo}", "other")),
    Operation(
        endpoints.COMMIT,
        {"message": "m", "allow_empty": True},
        params=("{repo}", "dirty"),
        between=put("e", on="dirty"),
    ),
    Operation(endpoints.MERGE_INTO_BRANCH, {"allow_empty": True}, params=("{repo}", "side", "main")),
    Operation(
        endpoints.CREATE_PULL_REQUEST,
        {"title": "t", "source_branch": "side", "destination_branch": "main"},
        params=("{repo}",),
        between=propose,
    ),
    Operation(
        endpoints.UPDATE_PULL_REQUEST,
        {"title": "better", "status": "closed"},
        params=("{repo}", PULL),
        before=propose,
        between=lambda engine, repo: engine.pulls.update(repo, PULL, models.PullRequestUpdate("worse")),
    ),
    Operation(
        endpoints.MERGE_PULL_REQUEST,
        params=("{repo}", PULL),
        before=propose,
        between=lambda engine, repo: engine.pulls.update(repo, PULL, models.PullRequestUpdate(status="open")),
    ),
    Operation(
        endpoints.CREATE_TAG,
        {"id": "new", "ref": "main"},
        params=("{repo}",),
        between=lambda engine, repo: engine.tags.delete(repo, "new"),
    ),
    Operation(endpoints.DELETE_TAG, params=("{repo}", "v1"), between=tag("v1")),
    Operation(
        endpoints.UPLOAD_OBJECT,
        b"content",
        query={"path": "new"},
        headers={"if-none-match": "*", "content-type": "text/plain", "x-lakefs-meta-color": "blue"},
        between=put("new", body=b"more"),
    ),
    Operation(
        endpoints.STAGE_OBJECT,
        {"physical_address": ADDRESS, "checksum": "c", "size_bytes": 1},
        query={"path": "new"},
        between=put("new", body=b"more"),
    ),
    Operation(
        endpoints.LINK_PHYSICAL_ADDRESS,
        {"staging": {"physical_address": ADDRESS}, "checksum": "c", "size_bytes": 1},
        query={"path": "new"},
        between=put("new", body=b"more"),
    ),
    Operation(endpoints.COPY_OBJECT, {"src_path": "a"}, query={"dest_path": "new"}, between=put("new", body=b"more")),
    Operation(endpoints.UPDATE_OBJECT_USER_METADATA, {"set": {"color": "blue"}}, query={"path": "a"}, between=put("a")),
    Operation(endpoints.DELETE_OBJECT, query={"path": "a"}, between=put("a")),
    Operation(endpoints.DELETE_OBJECTS, {"paths": ["a", "b"]}, between=put("a")),
    Operation(
        administration.SET_BRANCH_PROTECTION_RULES, [{"pattern": "x"}], params=("{repo}",), between=protect("x", "y")
    ),
    Operation(
        administration.INTERNAL_CREATE_BRANCH_PROTECTION_RULE,
        {"pattern": "x"},
        params=("{repo}",),
        between=protect("y"),
    ),
    Operation(
        administration.INTERNAL_DELETE_BRANCH_PROTECTION_RULE,
        {"pattern": "x"},
        params=("{repo}",),
        before=protect("x"),
        between=protect("x", "y"),
    ),
    *(
        Operation(
            endpoint,
            {"default_retention_days": 3, "branches": []},
            params=("{repo}",),
            between=keep_for(4),
        )
        for endpoint in (administration.SET_GC_RULES, administration.INTERNAL_SET_GARBAGE_COLLECTION_RULES)
    ),
    *(
        Operation(endpoint, params=("{repo}",), before=keep_for(3), between=keep_for(4))
        for endpoint in (administration.DELETE_GC_RULES, administration.INTERNAL_DELETE_GARBAGE_COLLECTION_RULES)
    ),
    # A store that is not the lake's own: the import starts, and ends in an error.
    Operation(
        endpoints.IMPORT_START,
        {
            "paths": [{"type": "common_prefix", "path": "s3://elsewhere/", "destination": ""}],
            "commit": {"message": "m"},
        },
    ),
    Operation(endpoints.IMPORT_CANCEL, query={"id": IMPORT}, before=_running_import, between=_running_import),
]


def tables(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a lake, but the kept answers."""
    with engine.lake.database.read() as reader:
        names = [row[0] for row in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: reader.execute(f'SELECT * FROM "{name}"').fetchall() for name in names if name != "idempotency"}


def counts(engine: Engine) -> dict[str, int]:
    """Rows of each table, but of nodes: those are cut anew in each lake."""
    return {name: len(rows) for name, rows in tables(engine).items() if name != "node"}


def kept(engine: Engine) -> Iterator[tuple[str, str]]:
    """User and key of every kept answer."""
    with engine.lake.database.read() as reader:
        yield from reader.rows("SELECT user, key FROM idempotency ORDER BY id")
