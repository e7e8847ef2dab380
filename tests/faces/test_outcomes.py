"""Answers that are lost while others work on the same branch (c1): nothing is done twice, nothing of theirs undone.

The lake is a real one; the server is one that knows no idempotency keys, as lakeFS is.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from email.utils import formatdate

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.types import ErrorKind
from tests.faces.conftest import Tap
from tests.ops.test_objects import OLD

Lose = Callable[..., None]


@pytest.fixture
def lose(tap: Tap, tapped: lakefs_hl.Branch) -> Iterator[Lose]:
    """Loses the answer to an operation once, and lets somebody else work before the caller knows."""
    tapped._client._session.remote = True
    waiting: dict[str, tuple[bool, Callable[[], object]]] = {}

    def change(request: Request, response: Response) -> Response:
        if request.endpoint.operation in waiting:
            _, meanwhile = waiting.pop(request.endpoint.operation)
            meanwhile()
            raise TransportError("wait", "the connection was closed", kind="reset")
        response.headers = {**response.headers, "date": formatdate(OLD, usegmt=True)}
        return response

    def lose(operation: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        waiting[operation] = True, meanwhile

    tap.change = change
    yield lose
    assert not waiting, f"never sent: {list(waiting)}"


def commits(branch: lakefs_hl.Branch) -> list[str]:
    return [commit.message for commit in branch.log()]


def test_a_commit_on_a_busy_branch_is_made_once(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose
) -> None:
    def busy() -> None:
        for number in range(120):
            lake_branch.upload(str(number), "busy")
            lake_branch.commit_changes(f"other {number}")
        lake_branch.upload("not to be committed yet", "theirs")

    tapped.upload("mine", "mine")
    lose("commit", busy)
    made = tapped.commit_changes("mine")
    assert made.message == "mine"
    assert commits(lake_branch).count("mine") == 1
    assert [change.path for change in lake_branch.list_uncommitted()] == ["theirs"]


def test_a_merge_on_a_busy_branch_is_told_as_done(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose
) -> None:
    def busy() -> None:
        for number in range(120):
            lake_branch.upload(str(number), "busy")
            lake_branch.commit_changes(f"other {number}")

    repository = lakefs_hl.repository(tapped.repository_id, client=tapped._client)
    side = repository.branch("side").create("main")
    side.upload("1", "s")
    side.commit_changes("s")
    lose("mergeIntoBranch", busy)
    merged = side.merge_into("main")
    assert merged.id in [commit.id for commit in lake_branch.log()]
    assert lake_branch.exists("s")


def test_a_hard_reset_does_not_undo_what_was_committed_since(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose
) -> None:
    def work() -> None:
        lake_branch.upload("1", "later")
        lake_branch.commit_changes("acknowledged")

    lose("hardResetBranch", work)
    tapped.hard_reset(lake_branch.head().id)
    assert "acknowledged" in commits(lake_branch)


def test_a_delete_does_not_remove_what_was_written_since(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose
) -> None:
    tapped.upload("1", "o")
    info = tapped.stat_object("o")
    lose("deleteObject", lambda: lake_branch.upload("acknowledged", "o"))
    with pytest.raises(exceptions.AmbiguousOutcomeError, match="check the current state") as caught:
        info.delete()
    assert caught.value.maybe_applied is None
    assert lake_branch.download("o") == b"acknowledged"
    lose("deleteObject")
    info.delete()
    assert not lake_branch.exists("o")


def test_deleting_many_keeps_what_was_written_since(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose
) -> None:
    for path in ("a", "b", "c"):
        tapped.upload("1", path)
    lose("deleteObjects", lambda: lake_branch.upload("acknowledged", "b"))
    report = tapped.delete_objects(["a", "b", "c"], on_error="return")
    assert [(error.path, error.status_code) for error in report.errors] == [("b", 0)]
    assert [item.path for item in lake_branch.list_objects()] == ["b"]
    lose("deleteObjects", lambda: lake_branch.upload("acknowledged", "b"))
    with pytest.raises(exceptions.PartialFailureError) as caught:
        tapped.delete_objects(["b"])
    assert caught.value.maybe_applied is None


def test_a_branch_that_was_made_anew_stays(tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose) -> None:
    repository = lakefs_hl.repository(tapped.repository_id, client=lake_branch._client)
    feature = repository.branch("feature").create("main")

    def remake() -> None:
        feature.create("main")
        feature.upload("acknowledged", "w")

    lost = lakefs_hl.repository(tapped.repository_id, client=tapped._client).branch("feature")
    lose("deleteBranch", remake)
    with pytest.raises(exceptions.AmbiguousOutcomeError):
        lost.delete()
    assert feature.download("w") == b"acknowledged"
    feature.reset()
    lose("deleteBranch")
    lost.delete()
    assert "feature" not in [branch.id for branch in repository.branches()]


def test_a_tag_that_was_moved_stays(tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, lose: Lose) -> None:
    repository = lakefs_hl.repository(tapped.repository_id, client=lake_branch._client)
    tag = repository.tag("v1").create("main")

    def move() -> None:
        lake_branch.upload("1", "x")
        tag.create(lake_branch.commit_changes("x").id)

    lose("deleteTag", move)
    with pytest.raises(exceptions.AmbiguousOutcomeError):
        lakefs_hl.repository(tapped.repository_id, client=tapped._client).tag("v1").delete()
    assert tag.get_commit().message == "x"


def test_a_reset_that_was_done_is_done(tapped: lakefs_hl.Branch, lose: Lose) -> None:
    tapped.upload("1", "x")
    lose("resetBranch")
    tapped.reset()
    assert not list(tapped.list_uncommitted())


# what is refused, with a kind


@pytest.mark.parametrize("reference", ["commit", "tag", "expression"])
def test_commits_are_immutable(branch: lakefs_hl.Branch, reference: str) -> None:
    branch.upload("1", "a")
    branch.commit_changes("a")
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    repository.tag("v1").create("main")
    name = {"commit": branch.head().id, "tag": "v1", "expression": "main~0"}[reference]
    info = repository.ref(name).stat_object("a")
    with pytest.raises(exceptions.BadRequestException, match="commits are immutable: write to a branch") as caught:
        info.delete()
    assert caught.value.kind is ErrorKind.IMMUTABLE_REFERENCE
    assert branch.exists("a")
    fixed = repository.branch(name)
    writes: dict[str, Callable[[], object]] = {
        "upload": lambda: fixed.upload("2", "a"),
        "delete_objects": lambda: fixed.delete_objects("a"),
        "copy_object": lambda: fixed.copy_object("main", "a", "b"),
        "set_object_metadata": lambda: fixed.set_object_metadata("a", {"k": "v"}),
        "commit_changes": lambda: fixed.commit_changes("x"),
        "reset": fixed.reset,
        "reset a path": lambda: fixed.reset("a"),
        "hard_reset": lambda: fixed.hard_reset("main"),
        "revert": lambda: fixed.revert("main"),
        "cherry_pick": lambda: fixed.cherry_pick("main"),
        "merge_into": lambda: branch.merge_into(fixed),
        "import_from": lambda: fixed.import_from("local:///nowhere/", "x/").start(),
        "transaction": lambda: fixed.transaction("x").__enter__(),
    }
    for call, write in writes.items():
        with pytest.raises(exceptions.BadRequestException, match="commits are immutable") as written:
            write()
        assert written.value.kind is ErrorKind.IMMUTABLE_REFERENCE, call
    assert branch.download("a") == b"1"


@pytest.mark.parametrize(
    ("reference", "meaning", "words"),
    [
        ("nowhere", ErrorKind.REFERENCE_NOT_FOUND, "there is no branch, tag or commit 'nowhere'"),
        ("main~99", ErrorKind.REFERENCE_NOT_FOUND, "the expression 'main~99' resolves to no commit"),
        ("0123abcdef", ErrorKind.COMMIT_NOT_FOUND, "has no commit 0123abcdef"),
    ],
)
def test_a_missing_reference_is_no_missing_object(
    branch: lakefs_hl.Branch, reference: str, meaning: ErrorKind, words: str
) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    ref = repository.ref(reference)
    calls: dict[str, Callable[[], object]] = {
        "stat": lambda: ref.stat_object("a"),
        "download": lambda: ref.download("a"),
        "open": lambda: ref.open("a"),
        "exists": lambda: ref.exists("a"),
        "list": lambda: list(ref.list_objects()),
        "get_commit": ref.get_commit,
        "log": lambda: list(ref.log()),
        "log to it": lambda: list(branch.log(stop_at=ref)),
        "log after it": lambda: list(branch.log(after=reference)),
        "diff": lambda: list(ref.diff(branch)),
        "diff with it": lambda: list(branch.diff(ref)),
        "merge": lambda: ref.merge_into(branch),
        "branch": lambda: repository.branch("b").create(ref),
        "tag": lambda: repository.tag("t").create(ref),
        "hard_reset": lambda: branch.hard_reset(ref),
        "revert": lambda: branch.revert(ref),
        "cherry_pick": lambda: branch.cherry_pick(ref),
        "copy": lambda: branch.copy_object(ref, "a"),
        "transaction": lambda: branch.transaction("x", source_ref=ref).__enter__(),
    }
    for name, call in calls.items():
        with pytest.raises(exceptions.NotFoundException, match=re.escape(words)) as caught:
            call()
        assert not isinstance(caught.value, FileNotFoundError)
        assert caught.value.kind is meaning, name
    with pytest.raises(exceptions.ObjectNotFoundException) as missing:
        branch.stat_object("a")
    assert missing.value.kind is ErrorKind.OBJECT_NOT_FOUND
    with pytest.raises(exceptions.ObjectNotFoundException) as unknown:
        branch.reset("typo")
    assert (unknown.value.kind, unknown.value.errno) == (ErrorKind.OBJECT_NOT_FOUND, errno.ENOENT)


def test_kinds_can_be_matched_without_reading(branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    branch.upload("1", "no changes")
    branch.commit_changes("m")
    calls: dict[ErrorKind, Callable[[], object]] = {
        ErrorKind.NO_CHANGES: lambda: branch.commit_changes("m"),
        ErrorKind.ALREADY_EXISTS: lambda: repository.branch("main").create("main"),
        ErrorKind.OBJECT_EXISTS: lambda: branch.upload("2", "no changes", if_none_match=True),
        ErrorKind.DEFAULT_BRANCH: branch.delete,
        ErrorKind.BRANCH_NOT_FOUND: lambda: repository.branch("none").upload("1", "a"),
        ErrorKind.TAG_NOT_FOUND: lambda: repository.tag("none").delete(),
        ErrorKind.INVALID_REFERENCE: lambda: next(repository.ref("main~x").log()),
    }
    for kind, call in calls.items():
        with pytest.raises(exceptions.ServerException) as caught:
            call()
        assert caught.value.kind is kind, caught.value
        assert caught.value.server_message
        assert caught.value.server_message in str(caught.value)


def test_an_embedded_lake_says_to_leave_the_namespace_out(lake: lakefs_hl.Client) -> None:
    with pytest.raises(exceptions.BadRequestException, match="omit storage_namespace") as caught:
        lakefs_hl.repository("example", client=lake).create("s3://bucket/place")
    assert caught.value.kind is ErrorKind.INVALID_NAMESPACE
