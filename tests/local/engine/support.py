"""Short words for what the engine's tests do all the time, in the repository `repo`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lakefs_hl.local.engine import Engine, tokens
from lakefs_hl.local.engine.snapshot import Head
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.wire import FileSlice


def put(engine: Engine, path: str, body: bytes | FileSlice = b"x", branch: str = "main") -> models.ObjectStats:
    return engine.objects.put("repo", branch, path, body)


def commit(engine: Engine, branch: str = "main", message: str = "m", *, date: int | None = None) -> str:
    creation = models.CommitCreation(message, date=date)
    return engine.commits.commit("repo", branch, creation, who="me").id


def branch(engine: Engine, name: str, source: str = "main") -> str:
    return engine.branches.create("repo", models.BranchCreation(name, source))


def read(engine: Engine, path: str, ref: str = "main") -> bytes:
    _, content = engine.objects.read("repo", ref, path)
    assert isinstance(content.body, bytes)
    content.release()
    return content.body


def paths(engine: Engine, ref: str = "main", prefix: str = "") -> list[str]:
    return [one.path for one in engine.objects.list("repo", ref, prefix=prefix, amount=1000).results]


def head(engine: Engine, branch: str = "main") -> Head:
    """A branch's row."""
    with engine.lake.read("repo") as snapshot:
        return snapshot.head(branch)


def seal(engine: Engine, branch: str = "main") -> Head:
    """Seals what is staged, as a large commit does, and as a process that dies in its midst leaves it."""
    return engine.lake.write("repo", lambda transaction: tokens.seal(transaction, transaction.head(branch)))


def refused(status: int, call: Callable[[], object], message: str | None = None) -> ServerException:
    """Holds that the lake says no, with this status (and message)."""
    with pytest.raises(ServerException) as caught:
        call()
    error = caught.value
    assert (error.status or error.status_code) == status, error
    assert message is None or str(error) == message
    return error
