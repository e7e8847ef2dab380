"""References: log, diff, merge, tags; a commit never moves, a branch does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.spec.wire import Request, TransportError
from tests.faces.conftest import Tap


@pytest.fixture
def repo(branch: lakefs_hl.Branch) -> lakefs_hl.Repository:
    return lakefs_hl.repository(branch.repository_id, client=branch._client)


def change(branch: lakefs_hl.Branch, path: str, content: str | None, message: str = "m") -> lakefs_hl.Commit:
    if content is None:
        branch.delete_objects(path)
    else:
        branch.upload(content, path)
    return branch.commit_changes(message)


def told(changes: Iterator[lakefs_hl.Change]) -> list[tuple[str, str]]:
    return [(one.type, one.path) for one in changes]


def test_a_diff_lists_what_a_merge_would_bring(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    for path in ("changed", "removed", "kept"):
        branch.upload("before", path)
    branch.commit_changes("before")
    dev = repo.branch("dev").create("main")
    change(dev, "changed", "after, and longer")
    change(dev, "removed", None)
    change(dev, "d/added", "new")
    change(branch, "mine", "only here")
    changes = list(branch.diff(dev, recursive=True))
    assert [(one.type, one.path, one.path_type) for one in changes] == [
        ("changed", "changed", "object"),
        ("added", "d/added", "object"),
        ("removed", "removed", "object"),
    ]
    assert told(branch.diff("dev")) == [("changed", "changed"), ("prefix_changed", "d/"), ("removed", "removed")]
    assert told(dev.diff(branch, recursive=True)) == [("added", "mine")]
    merged = dev.merge_into(branch)
    assert told(repo.ref(f"{merged.id}^1").diff(merged, recursive=True, type="two_dot")) == [
        (one.type, one.path) for one in changes
    ]
    assert told(branch.diff(dev)) == []


def test_a_two_dot_diff_compares_the_two_versions(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "1")
    change(branch, "b", "1")
    assert told(branch.diff(dev, delimiter="", type="two_dot")) == [("added", "a"), ("removed", "b")]


def test_a_diff_shows_conflicts(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "dev")
    change(branch, "a", "main")
    assert told(branch.diff(dev)) == [("conflict", "a")]


def test_a_change_is_a_tuple_with_names() -> None:
    one = lakefs_hl.Change("added", "a", "object", 3)
    assert tuple(one) == ("added", "a", "object", 3)
    assert one == lakefs_hl.Change(type="added", path="a", path_type="object", size_bytes=3)


@pytest.mark.parametrize(("strategy", "content"), [("source-wins", b"dev"), ("dest-wins", b"main")])
def test_a_conflict_is_named_and_a_strategy_resolves_it(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch, strategy: Any, content: bytes
) -> None:
    dev = repo.branch("dev").create("main")
    for path in ("x/2", "x/1"):
        dev.upload("dev", path)
        branch.upload("main", path)
    dev.commit_changes("d")
    head = branch.commit_changes("m")
    with pytest.raises(exceptions.MergeConflict) as caught:
        dev.merge_into(branch)
    assert caught.value.conflicts == ("x/1", "x/2")
    assert "x/1" in str(caught.value)
    assert "source-wins" in str(caught.value)
    assert branch.head().id == head.id
    merged = dev.merge_into(branch, strategy=strategy, message="resolved")
    assert branch.download("x/1") == content
    assert merged.commit_message() == "resolved"


def test_merging_nothing_is_refused(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    with pytest.raises(exceptions.BadRequestException, match="no changes"):
        dev.merge_into(branch)
    assert dev.merge_into(branch, allow_empty=True) == branch.head()


def test_merging_into_staged_changes_is_refused(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "1")
    branch.upload("staged", "b")
    with pytest.raises(exceptions.BadRequestException, match="commit or reset its uncommitted changes first"):
        dev.merge_into("main")


def test_a_squashed_merge_has_one_parent(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "1")
    merged = dev.merge_into(branch, squash=True, message="all in one")
    assert len(merged.parents) == 1
    assert branch.download("a") == b"1"


def test_a_merge_whose_commit_cannot_be_looked_up_was_made(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    dev = lakefs_hl.Branch(tapped.repository_id, "dev", tapped._client).create("main")
    made = change(dev, "a", "1")

    def refuse(request: Request) -> None:
        if request.endpoint.operation == "getCommit":
            raise TransportError("connect", "127.0.0.1:9 refuses connections", kind="refused")

    tap.refuse = refuse
    with pytest.raises(exceptions.AmbiguousOutcomeError, match="it was done, and its result is") as caught:
        made.merge_into(tapped)
    tap.refuse = None
    assert (caught.value.maybe_applied, caught.value.result_id) == (True, tapped.head().id)
    assert tapped.head().parents[1] == made.id


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_uri_gives_a_read_only_reference(branch: lakefs_hl.Branch, slash: str) -> None:
    made = change(branch, "a", "1")
    client, at = branch._client, f"lakefs://{branch.repository_id}/"
    for name in ("main", "main~0", made.id):
        found = lakefs_hl.ref(f"{at}{name}{slash}", client=client)
        assert type(found) is lakefs_hl.Reference
        assert (found.id, found.get_commit(), found.download("a")) == (name, made, b"1")
        assert not hasattr(found, "upload")
    awaitable = aio.ref(f"{at}main{slash}", client=of(client))
    assert type(awaitable) is aio.Reference
    assert awaitable.uri == f"{at}main/"


def test_a_tag_exists_by_itself_and_its_objects_by_their_paths(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    tag = repo.tag("v1")
    assert tag.exists() is False
    change(branch, "a", "1")
    tag.create(branch)
    assert (tag.exists(), tag.exists("a"), tag.exists("b")) == (True, True, False)
    assert (tag.exists(PurePosixPath("a")), tag.exists(branch.stat_object("a"))) == (True, True)


def test_any_reference_can_be_merged(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    first = change(dev, "a", "1")
    change(dev, "b", "2")
    first.merge_into(branch)
    assert [item.path for item in branch.list_objects()] == ["a"]
    repo.tag("all").create(dev).merge_into(branch)
    assert [item.path for item in branch.list_objects()] == ["a", "b"]


def test_b8_85_the_first_commit_and_a_merge(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    first = branch.get_commit()
    assert (first.parents, first.metadata(), first.message) == ([], {}, "Repository created")
    dev = repo.branch("dev").create("main")
    two = change(dev, "a", "1")
    merge = dev.merge_into(branch)
    assert merge.get_commit() is merge
    assert merge.parents == [first.id, two.id]
    assert [commit.id for commit in merge.log()][-1] == first.id


def test_a_log_can_be_narrowed(branch: lakefs_hl.Branch) -> None:
    ids = [change(branch, path, "1", path).id for path in ("a/1", "b", "a/2", "c")]
    assert [commit.id for commit in branch.log(objects=["b", "c"])] == [ids[3], ids[1]]
    assert [commit.id for commit in branch.log(prefixes=["a/"])] == [ids[2], ids[0]]
    assert [commit.id for commit in branch.log(1, prefixes=["a/"])] == [ids[2]]
    assert [commit.id for commit in branch.log(after=ids[2])][:2] == [ids[1], ids[0]]
    assert [commit.id for commit in branch.log(stop_at=ids[2])] == [ids[3], ids[2]]
    with pytest.raises(ValueError, match="aware datetime"):
        branch.log(since=datetime(2020, 1, 1))


def test_a_log_since_a_moment(branch: lakefs_hl.Branch) -> None:
    branch.upload("", "a")
    branch.commit_changes("old", date=datetime(2001, 1, 1, tzinfo=UTC))
    branch.upload("", "b")
    branch.commit_changes("new")
    since = datetime.now(UTC) - timedelta(days=1)
    assert [commit.message for commit in branch.log(since=since)][0] == "new"
    assert "old" not in [commit.message for commit in branch.log(since=since)]


@pytest.mark.parametrize("since", ["2020-01-01", "2020-01-01T00:00:00Z", date(2020, 1, 1)])
def test_a_log_since_a_date_or_a_text(branch: lakefs_hl.Branch, since: Any) -> None:
    branch.upload("", "b")
    branch.commit_changes("old", date="2001-01-01T00:00:00.999Z")
    assert branch.get_commit().creation_date == datetime(2001, 1, 1, tzinfo=UTC)
    change(branch, "a", "1", "new")
    assert [commit.message for commit in branch.log(since=since)] == ["new"]
    assert list(branch.log(since=datetime.max.replace(tzinfo=UTC))) == []


def test_one_path_of_a_log_is_one_path(branch: lakefs_hl.Branch) -> None:
    for path in ("d", "data/x", "other"):
        change(branch, path, "1", path)
    assert [commit.message for commit in branch.log(objects="data/x")] == ["data/x"]
    assert [commit.message for commit in branch.log(prefixes="data/")] == ["data/x"]
    assert [commit.message for commit in branch.log(objects={"d", "other"})] == ["other", "d"]


def test_a_fraction_before_1970_is_rounded_down(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"", "a")
    at = datetime(1969, 12, 31, 23, 59, 58, 500_000, UTC)
    assert branch.commit_changes("m", date=at).creation_date == at.replace(microsecond=0)


def test_a_log_along_first_parents(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "1", "on dev")
    dev.merge_into(branch, message="merge")
    assert [commit.message for commit in branch.log(first_parent=True)] == ["merge", "Repository created"]
    assert {commit.message for commit in branch.log()} == {"merge", "on dev", "Repository created"}


def test_a_pinned_reference_stays(branch: lakefs_hl.Branch) -> None:
    change(branch, "a", "1")
    pinned, head = branch.pin(), branch.head()
    change(branch, "a", "2")
    assert pinned.download("a") == head.download("a") == b"1"
    assert pinned.id == head.id
    assert pinned.pin() is pinned


def test_a_pin_of_a_branch_is_its_commit_without_what_is_staged(branch: lakefs_hl.Branch) -> None:
    change(branch, "a", "1")
    branch.upload("staged", "b")
    assert [item.path for item in branch.pin().list_objects()] == ["a"]


def test_metadata_of_a_commit_is_the_users(branch: lakefs_hl.Branch) -> None:
    branch.upload("", "a")
    commit = branch.commit_changes("m", {"a": "1", "ü": "€", "empty": ""})
    assert commit.metadata() == branch.metadata() == {"a": "1", "ü": "€", "empty": ""}
    assert commit.op_id is not None
    assert len(commit.op_id) == 32


def test_a_tag_holds_its_commit(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    commit = change(branch, "a", "1")
    tag = repo.tag("v1").create(branch)
    change(branch, "a", "2")
    assert tag.download("a") == b"1"
    assert tag.get_commit().id == commit.id
    with pytest.raises(exceptions.ConflictException):
        repo.tag("v1").create("main", exist_ok=True)
    assert repo.tag("v1").create(commit, exist_ok=True).download("a") == b"1"
    assert not hasattr(tag, "upload")


def test_what_is_not_there_says_what(repo: lakefs_hl.Repository) -> None:
    name = f"gone-{secrets.token_hex(4)}"
    calls: list[Callable[[], object]] = [
        repo.ref(name).get_commit,
        repo.ref(name).metadata,
        repo.branch(name).head,
        repo.tag(name).delete,
        lambda: list(repo.ref(name).log()),
        lambda: list(repo.ref("main").diff(name)),
        lambda: repo.ref(name).merge_into("main"),
        lambda: repo.tag("t").create(name),
    ]
    for call in calls:
        with pytest.raises(exceptions.NotFoundException, match=name):
            call()
