"""Approvals: requests to reviewers and their decisions, as commits that touch nothing else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.worlds import World, bare, kinds

BRANCH = "lakefs_hl-approvals"


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Servers that propose no namespace are no others here."""
    return str(request.param)


@pytest.fixture
def me(world: World) -> str:
    """The user of this world's client."""
    user = world.settle(world.client.health_check()).user
    assert user
    return str(user)


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


def dataset(world: World, uri: str, **options: Any) -> Any:
    return world.settle(world.module.dataset(uri, client=world.client, **options))


@pytest.fixture
def ds(world: World, repo: Any, me: str) -> Any:
    """A dataset whose one reviewer is the user of this world's client."""
    found = dataset(world, repo.id)
    found.mint({"display_name": "Reef survey"})
    found.add_reviewer(me)
    return found


def tree(repo: Any) -> list[str]:
    return [row.path for row in repo.branch(BRANCH).list_objects(recursive=True)]


def test_a_request_is_approved(repo: Any, ds: Any, me: str) -> None:
    assert ds.approval_requests() == []
    request = ds.request_approval(me, "ready for release\n🐠")
    head = repo.branch("main").head().id
    assert (request.status, request.approver, request.requested_by) == ("pending", me, me)
    assert (request.notes, request.commit, request.dataset) == (
        "ready for release\n🐠",
        head,
        f"lakefs://{repo.id}@{head}",
    )
    assert ds.approval_requests() == [request]
    decision = ds.act_on_approval(request.id, True, "well done")
    assert (decision.id, decision.approved, decision.notes, decision.by, decision.commit) == (
        request.id,
        True,
        "well done",
        me,
        head,
    )
    assert (decision.dataset.name, decision.dataset.commit) == ("Reef survey", head)
    (found,) = ds.approval_requests()
    assert (found.status, found.decided_by, found.decision_notes, found.decided_at) == (
        "approved",
        me,
        "well done",
        decision.at,
    )
    assert repo.branch("main").head().id == head


def test_a_request_is_rejected(ds: Any, me: str) -> None:
    request = ds.request_approval(approver=me)
    decision = ds.act_on_approval(request, approve=False, notes="no units")
    assert decision.approved is False
    assert decision.to_dict()["dataset"]["name"] == "Reef survey"
    pending = ds.request_approval(me, "with units")
    assert [found.status for found in ds.approval_requests()] in (["rejected", "pending"], ["pending", "rejected"])
    assert [found.id for found in ds.approval_requests("pending")] == [pending.id]
    assert [found.decision_notes for found in ds.approval_requests(status="rejected")] == ["no units"]
    assert ds.approval_requests("approved") == []
    with pytest.raises(ValueError, match="status must be 'pending', 'approved' or 'rejected', not 'open'"):
        ds.approval_requests("open")


def test_a_request_is_decided_once(ds: Any, me: str) -> None:
    request = ds.request_approval(me)
    ds.act_on_approval(request.id, True, "fine")
    for approve in (True, False):
        with pytest.raises(exceptions.ConflictException, match=rf"{me}' has approved it at .*'fine'.*decided once"):
            ds.act_on_approval(request.id, approve)
    assert ds.approval_requests()[0].decision_notes == "fine"


def test_decisions_at_the_same_time(world: World, repo: Any, ds: Any, me: str) -> None:
    if world.awaitable:
        pytest.skip("needs threads; asyncio is tested in test_approvers")
    client, request = bare(world.client), ds.request_approval(me)

    def act(number: int) -> str:
        mine = lakefs_hl.dataset(repo.id, client=client)
        try:
            return str(mine.act_on_approval(request.id, bool(number % 2), f"by {number}").notes)
        except exceptions.ConflictException as exc:
            return str(exc)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(act, range(4)))
    done = [notes for notes in said if notes.startswith("by ")]
    assert len(done) == 1
    assert all("decided once" in message for message in said if message not in done)
    (found,) = ds.approval_requests()
    assert found.decision_notes == done[0]
    assert len(list(repo.branch(BRANCH).history(f"_approvals/{request.id}/decision.json"))) == 1
    assert [branch.id for branch in repo.list_branches(hidden=True)] == sorted(["main", BRANCH])


def test_first_requests_at_the_same_time(world: World, repo: Any, ds: Any, me: str) -> None:
    """Two who both find no branch for approvals."""
    if world.awaitable:
        pytest.skip("needs threads; asyncio is tested in test_approvers")
    client = bare(world.client)
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(lambda n: lakefs_hl.dataset(repo.id, client=client).request_approval(me, str(n)), range(4))
        )
    assert sorted(found.notes for found in ds.approval_requests()) == ["0", "1", "2", "3"]
    assert {found.id for found in ds.approval_requests()} == {found.id for found in made}


def test_uncommitted_work_is_neither_committed_nor_lost_nor_in_the_way(repo: Any, ds: Any, me: str) -> None:
    main = repo.branch("main")
    main.upload(b"draft", "data/a")
    before = [(change.type, change.path) for change in main.list_uncommitted()]
    head = main.head().id
    request = ds.request_approval(me)
    ds.act_on_approval(request.id, True)
    assert [(change.type, change.path) for change in main.list_uncommitted()] == before
    assert main.head().id == head == request.commit
    assert main.download("data/a") == b"draft"


def test_requests_and_decisions_are_commits_that_have_no_data(repo: Any, ds: Any, me: str) -> None:
    main = repo.branch("main")
    main.upload(b"1", "data/a")
    main.commit_changes("data")
    request = ds.request_approval(me)
    ds.act_on_approval(request.id, True)
    assert tree(repo) == [f"_approvals/{request.id}/decision.json", f"_approvals/{request.id}/request.json"]
    log = list(repo.branch(BRANCH).log(first_parent=True))
    assert [commit.message for commit in log] == [
        f"Approve {request.dataset}",
        f"Request approval of {request.dataset} by {me}",
        "Repository created",
    ]
    assert [commit.metadata().get("lakefs_hl.approval") for commit in log] == [request.id, request.id, None]
    assert {commit.committer for commit in log[:2]} == {me}
    assert [branch.id for branch in repo.list_branches()] == ["main"]
    assert list(repo.branch(BRANCH).list_uncommitted()) == []
    assert [row.path for row in main.list_objects(prefix="_approvals")] == []


def test_an_approval_of_what_was_changed_since(repo: Any, ds: Any, me: str) -> None:
    request = ds.request_approval(me)
    ds.update_metadata("renamed", {"display_name": "Reef survey 2026"})
    decision = ds.act_on_approval(request.id, True)
    assert decision.dataset.name == "Reef survey"
    assert decision.commit == request.commit
    assert ds.info().commit != request.commit


def test_an_approval_of_a_version(world: World, repo: Any, ds: Any, me: str) -> None:
    version = ds.version("first release")
    ds.update_metadata("renamed", {"display_name": "other"})
    released = dataset(world, repo.id, ref=version.tag)
    request = released.request_approval(me)
    assert request.commit == version.commit
    assert dataset(world, request.dataset).info().name == "Reef survey"
    assert ds.approval_requests() == released.approval_requests() == [request]
    assert released.act_on_approval(request, True).dataset.name == "Reef survey"


def test_datasets_of_one_repository_have_their_own(world: World, repo: Any, ds: Any, me: str) -> None:
    uri = f"lakefs://{repo.id}/main/coral/"
    coral = dataset(world, uri)
    coral.mint({"display_name": "Coral"})
    first, second = ds.request_approval(me, "root"), coral.request_approval(me, "coral")
    assert [found.notes for found in ds.approval_requests()] == ["root"]
    assert [found.notes for found in coral.approval_requests()] == ["coral"]
    assert second.dataset == f"lakefs://{repo.id}@{second.commit}/coral/"
    with pytest.raises(exceptions.NotFoundException, match="there is no such request"):
        coral.act_on_approval(first.id, True)
    assert coral.act_on_approval(second.id, True).dataset.name == "Coral"
    assert [found.status for found in ds.approval_requests()] == ["pending"]


def test_the_approver_has_to_be_a_reviewer(ds: Any, me: str) -> None:
    with pytest.raises(exceptions.NotFoundException, match=r"no reviewer .* has this ID.*add_reviewer\('bob'\) adds"):
        ds.request_approval("bob")
    request = ds.request_approval(me)
    ds.remove_reviewer(me)
    assert ds.reviewers() == []
    with pytest.raises(exceptions.NotFoundException, match="there are no reviewers"):
        ds.request_approval(me)
    with pytest.raises(exceptions.ForbiddenException, match="is no longer a reviewer"):
        ds.act_on_approval(request.id, True)
    assert ds.approval_requests()[0].status == "pending"
    ds.add_reviewer(me)
    assert ds.act_on_approval(request.id, True).approved


def test_only_the_named_reviewer_may_decide(ds: Any, me: str) -> None:
    ds.add_reviewer("Ada Lovelace")
    request = ds.request_approval("Ada Lovelace")
    assert ds.reviewers() == sorted(["Ada Lovelace", me])
    with pytest.raises(exceptions.ForbiddenException, match=f"'Ada Lovelace' was asked, and the user .* is '{me}'"):
        ds.act_on_approval(request.id, True)
    assert ds.approval_requests() == [request]


def test_what_does_not_exist(world: World, repo: Any, me: str) -> None:
    missing = dataset(world, "t-missing")
    for call in (
        missing.approval_requests,
        lambda: missing.request_approval(me),
        lambda: missing.act_on_approval("20260131T120000Z-0a1b2c3d", True),
    ):
        with pytest.raises(exceptions.NotFoundException, match="t-missing"):
            call()
    plain = dataset(world, repo.id)
    plain.add_reviewer(me)
    with pytest.raises(exceptions.NotFoundException):  # a repository without a dataset
        plain.request_approval(me)
    with pytest.raises(exceptions.NotFoundException, match=r"there is no such request; approval_requests\(\) lists"):
        plain.act_on_approval("20260131T120000Z-0a1b2c3d", True)
    with pytest.raises(ValueError, match="id must be the ID of a request"):
        plain.act_on_approval("../x", True)
    with pytest.raises(TypeError, match="approve must be True or False, not str"):
        plain.act_on_approval("20260131T120000Z-0a1b2c3d", "yes")
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_what_others_have_damaged(repo: Any, ds: Any, me: str) -> None:
    request = ds.request_approval(me)
    branch, path = repo.branch(BRANCH), f"_approvals/{request.id}/decision.json"
    for content in (b"{", b"[]", b'{"approved": 1}', b"\xff", b""):
        branch.upload(content, path, commit_message="damage")
        for call in (ds.approval_requests, lambda: ds.act_on_approval(request.id, True)):
            with pytest.raises(exceptions.InvalidConfigError, match=rf"{BRANCH}/{path} cannot be read: "):
                call()
    branch.delete_objects(path)
    branch.upload(json.dumps({"any": "thing"}).encode(), "_approvals/readme.json")  # none of ours
    with pytest.raises(exceptions.TransactionStartError, match="has uncommitted changes"):
        ds.act_on_approval(request.id, True)
    branch.commit_changes("mended")
    assert ds.approval_requests() == [request]
    assert ds.act_on_approval(request.id, True).approved
    assert list(branch.list_uncommitted()) == []
