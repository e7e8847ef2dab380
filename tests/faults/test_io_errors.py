"""The n-th file operation fails, for every n: the call says so in an error of the tree, and nothing is damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.disk import fs
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeError

REPO = "repo"
LARGE = 20_000


@pytest.fixture(autouse=True)
def _no_hook_is_left() -> Iterator[None]:
    yield
    fs.hook = None


def steps(engine: Engine) -> list[Callable[[], object]]:
    """A little of everything, each step one call."""
    objects, branches = engine.objects, engine.branches
    creation = models.CommitCreation("m")
    return [
        lambda: objects.put(REPO, "main", "small", b"small"),
        lambda: objects.put(REPO, "main", "large", b"l" * LARGE),
        lambda: engine.commits.commit(REPO, "main", creation, who="me"),
        lambda: branches.create(REPO, models.BranchCreation("side", "main")),
        lambda: objects.put(REPO, "side", "more", b"m" * LARGE),
        lambda: objects.delete(REPO, "side", "small"),
        lambda: engine.commits.commit(REPO, "side", creation, who="me"),
        lambda: engine.merges.merge(REPO, "side", "main", models.Merge(), who="me"),
        lambda: engine.tags.create(REPO, models.TagCreation("v1", "main")),
        lambda: branches.delete(REPO, "side"),
    ]


def failing(number: int, error: int) -> tuple[Callable[[str], None], list[str]]:
    """A hook that fails at the n-th point, once; and where that was."""
    left = number
    where: list[str] = []

    def hook(point: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            where.append(point)
            raise OSError(error, os.strerror(error))

    return hook, where


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_every_file_operation_may_fail(tmp_path: Path, error: int) -> None:
    number = 0
    failed_at: set[str] = set()
    while True:
        number += 1
        folder = tmp_path / str(number)
        engine = Engine.open(folder)
        engine.repositories.create(models.RepositoryCreation(REPO, "local://repo", "main"), who="me")
        fs.hook, where = failing(number, error)
        done, told = 0, ""
        try:
            for step in steps(engine):
                step()
                done += 1
        except LakeError as exc:
            told = str(exc)
        fs.hook = None
        assert not told or str(folder) in told, f"at {where}: {told}"
        engine.close()
        reopened = Engine.open(folder)
        assert fsck(reopened, read_data=True).damage == [], f"after {os.strerror(error)} at {where}"
        check(reopened, done)
        reopened.close()
        if not where:
            break
        failed_at.update(where)
    assert {"db.begin", "db.commit", "blob.create", "blob.write", "blob.fsync", "blob.rename"} <= failed_at


def check(engine: Engine, done: int) -> None:
    """What was acknowledged is there; the step that failed may or may not be."""
    if 1 <= done < 7:  # the merge, done or half refused, takes it away
        assert engine.objects.stat(REPO, "main", "small").path_type == "object"
    if done >= 2:
        assert engine.objects.stat(REPO, "main", "large").size_bytes == LARGE
    if done >= 3:
        assert engine.commits.log(REPO, "main", amount=10).results[-2].message == "m"
    if 4 <= done < 9:
        assert engine.branches.get(REPO, "side").commit_id
    if done >= 8:
        assert engine.objects.stat(REPO, "main", "more").size_bytes == LARGE
    if done >= 9:
        assert engine.tags.get(REPO, "v1").commit_id
