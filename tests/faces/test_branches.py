"""Branches: staging, commits, undoing, transactions as users see them (B8)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from tests.faces.conftest import Tap


@pytest.fixture
def repo(branch: lakefs_hl.Branch) -> lakefs_hl.Repository:
    return lakefs_hl.repository(branch.repository_id, client=branch._client)


def change(branch: lakefs_hl.Branch, path: str, content: str, message: str = "m") -> lakefs_hl.Commit:
    branch.upload(content, path)
    return branch.commit_changes(message)


def names(branch: lakefs_hl.Reference) -> list[str]:
    return [item.path for item in branch.list_objects(recursive=True)]


def test_what_is_staged_stays_on_its_branch(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    branch.upload("staged", "a")
    dev = repo.branch("dev").create("main")
    assert (names(branch), names(dev), names(branch.head())) == (["a"], [], [])
    assert [one.path for one in branch.list_uncommitted()] == ["a"]


def test_staging_what_is_committed_already_is_no_change(branch: lakefs_hl.Branch) -> None:
    change(branch, "a", "same")
    branch.upload("same", "a")
    assert list(branch.list_uncommitted()) == []
    branch.upload("other", "a")
    branch.delete_objects("a")
    assert [tuple(one)[:2] for one in branch.list_uncommitted()] == [("removed", "a")]


def test_the_head_is_a_commit_in_one_request(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    made = change(tapped, "a", "1", "first")
    tapped.upload("staged", "b")
    tap.requests.clear()
    head = tapped.head()
    assert (head, head.message, head.parents) == (made, "first", made.parents)
    assert tap.operations() == ["logCommits"]
    with pytest.raises(exceptions.NotFoundException, match="no branch, tag or commit 'none'"):
        lakefs_hl.Branch(tapped.repository_id, "none", tapped._client).head()


def test_nothing_to_commit_is_refused_skipped_or_committed(branch: lakefs_hl.Branch) -> None:
    first = branch.head()
    with pytest.raises(exceptions.BadRequestException, match="no changes"):
        branch.commit_changes("m")
    with pytest.raises(exceptions.BadRequestException, match="no changes"):
        branch.commit_changes("m", on_empty="error")
    assert branch.commit_changes("m", on_empty="skip") == first
    assert branch.head() == first
    for number, made in enumerate(
        (
            branch.commit_changes("0", on_empty="commit"),
            branch.commit_changes("1", allow_empty=True),
            branch.commit_changes("2", allow_empty=True, on_empty="commit"),
        )
    ):
        assert made.message == str(number)
    branch.upload("1", "a")
    assert branch.commit_changes("3", on_empty="skip").message == "3"
    assert [commit.message for commit in branch.log(4)] == ["3", "2", "1", "0"]


@pytest.mark.parametrize("on_empty", ["skip", "error"])
def test_allow_empty_and_another_on_empty_contradict_each_other(branch: lakefs_hl.Branch, on_empty: Any) -> None:
    said = f"allow_empty=True and on_empty='{on_empty}' contradict each other"
    with pytest.raises(ValueError, match=said):
        branch.commit_changes("m", allow_empty=True, on_empty=on_empty)


def test_a_branch_exists_by_itself_and_its_objects_by_their_paths(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    dev = repo.branch("dev")
    assert (branch.exists(), branch.exists("a"), dev.exists()) == (True, False, False)
    with pytest.raises(exceptions.NotFoundException, match="dev"):
        dev.exists("a")
    dev.create("main").upload("1", "a")
    assert (dev.exists(), dev.exists("a"), dev.exists(path="b")) == (True, True, False)
    assert (dev.exists(PurePosixPath("a")), dev.exists(dev.stat_object("a"))) == (True, True)
    with pytest.raises(TypeError, match="a local path is not a name in a lake"):
        dev.exists(Path("a"))  # type: ignore[call-overload]
    missing = lakefs_hl.repository("no-such-repository", client=branch._client)
    for call in (missing.branch("main").exists, missing.tag("v1").exists):
        with pytest.raises(exceptions.NotFoundException, match="no-such-repository"):
            call()


def test_b8_82_a_commit_is_the_one_that_was_made(branch: lakefs_hl.Branch) -> None:
    commit = change(branch, "a", "1", "first")
    change(branch, "b", "2", "second")
    assert (commit.message, commit.commit_message()) == ("first", "first")
    assert names(commit) == ["a"]
    undone = branch.revert(commit)
    change(branch, "c", "3", "third")
    assert undone.message.startswith("Revert")
    assert names(undone) == ["b"]


def test_revert_of_a_merge_names_its_parent(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    change(dev, "a", "1")
    change(branch, "b", "1")
    merged = dev.merge_into(branch)
    with pytest.raises(exceptions.ServerException, match="parent"):
        branch.revert(merged)
    branch.revert(merged, 1)
    assert names(branch) == ["b"]


def test_revert_with_staged_changes_is_refused(branch: lakefs_hl.Branch) -> None:
    commit = change(branch, "a", "1")
    branch.upload("staged", "b")
    with pytest.raises(exceptions.BadRequestException, match="commit or reset its uncommitted changes first"):
        branch.revert(commit)


def test_cherry_pick_of_a_conflict_is_refused(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    dev = repo.branch("dev").create("main")
    commit = change(dev, "a", "dev")
    change(branch, "a", "main")
    with pytest.raises(exceptions.ConflictException):
        branch.cherry_pick(commit)
    assert branch.download("a") == b"main"


def test_hard_reset_moves_the_branch_back_and_forth(branch: lakefs_hl.Branch) -> None:
    one, two = change(branch, "a", "1"), change(branch, "b", "2")
    branch.hard_reset("main~1")
    assert (branch.head().id, names(branch)) == (one.id, ["a"])
    branch.hard_reset(two)
    assert names(branch) == ["a", "b"]


def test_reset_of_a_path_a_prefix_and_all(branch: lakefs_hl.Branch) -> None:
    change(branch, "a/1", "old")
    for path in ("a/1", "a/2", "ab", "b"):
        branch.upload("new", path)
    branch.reset("a/1")
    assert branch.download("a/1") == b"old"
    branch.reset("a/")
    assert names(branch) == ["a/1", "ab", "b"]
    branch.reset()
    assert names(branch) == ["a/1"]
    with pytest.raises(ValueError, match="reset"):
        branch.reset("")


def test_reset_says_so_if_there_is_nothing_of_that_name(branch: lakefs_hl.Branch) -> None:
    for path in ("a/1", "b", "gone"):
        branch.upload("old", path)
    branch.commit_changes("m")
    for path in ("b", "c", "d/1"):
        branch.upload("new", path)
    branch.delete_objects("gone")
    twin = aio.Branch(branch.repository_id, "main", of(branch._client))
    for typo in ("typo", "a", "typo/", "b/", "d/1/"):
        with pytest.raises(
            exceptions.ObjectNotFoundException, match=r"resetting uncommitted changes of .*: no object has this"
        ) as caught:
            branch.reset(typo)
        assert caught.value.filename == f"{branch.uri}{typo}"
        with pytest.raises(exceptions.ObjectNotFoundException, match="no object has this"):
            asyncio.run(twin.reset(typo))
    branch.reset("a/1")  # it is there, with nothing staged
    branch.reset("a/")
    assert {one.path for one in branch.list_uncommitted()} == {"b", "c", "d/1", "gone"}
    for path in ("c", "d/", "gone"):
        branch.reset(path)
    asyncio.run(twin.reset(f"{branch.uri}b"))
    assert list(branch.list_uncommitted()) == []
    assert names(branch) == ["a/1", "b", "gone"]


def test_b8_83_nothing_makes_a_branch_by_a_typo(repo: lakefs_hl.Repository) -> None:
    typo = repo.branch("mian")
    for call in (
        lambda: typo.upload("x", "a"),
        lambda: typo.open("a", "w").close(),
        lambda: typo.commit_changes("m"),
        lambda: typo.delete_objects(["a"]),
        lambda: typo.transaction("m").__enter__(),
        typo.reset,
    ):
        with pytest.raises(exceptions.NotFoundException, match="mian"):
            call()
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_the_default_branch_stays(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.ServerException, match="default branch"):
        branch.delete()


@pytest.mark.parametrize("name", ["with space", "a/b", "-a", "é"])
def test_a_bad_name_is_refused_with_it(repo: lakefs_hl.Repository, name: str) -> None:
    with pytest.raises(ValueError) as caught:
        repo.branch(name).create("main")
    assert isinstance(caught.value, exceptions.BadRequestException)
    assert name in str(caught.value)


# -------------------------------------------------------------------------------------------------------- transactions


def test_a_transaction_lands_as_one_merge(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    before = branch.head()
    with branch.transaction("load", metadata={"job": "7"}) as tx:
        assert tx.id.startswith("tx-main-")
        assert len(tx.id) == len("tx-main-") + 32
        assert [found.id for found in repo.list_branches()] == ["main"]
        assert tx.id in [found.id for found in repo.list_branches(hidden=True)]
        for number in range(3):
            tx.upload(f"{number}", f"d/{number}")
        tx.delete_objects("d/1")
        with tx.open("notes.txt", "w") as file:
            file.write("hello")
        assert tx.download("d/0") == b"0"
        assert names(branch) == []
    assert names(branch) == ["d/0", "d/2", "notes.txt"]
    merge = branch.get_commit()
    assert merge.id == tx.merge_commit_id
    assert (merge.message, merge.metadata()["job"]) == ("load", "7")
    assert merge.parents[0] == before.id
    assert [found.id for found in repo.list_branches(hidden=True)] == ["main"]


def test_b8_75_an_exception_keeps_the_branch_and_names_it(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.TransactionException) as caught:
        with branch.transaction("never") as tx:
            tx.upload("work of hours", "a")
            raise ZeroDivisionError("of mine")
    error = caught.value
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert (error.branch, error.state, tx.state) == (tx.id, "ABORTED", "ABORTED")
    assert tx.id in str(error)
    assert "of mine" in str(error)
    assert names(branch) == []
    assert repo.branch(error.branch).download("a") == b"work of hours"


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_b8_75_interruptions_pass_as_themselves(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch, interrupt: type[BaseException]
) -> None:
    with pytest.raises(interrupt) as caught:
        with branch.transaction("never") as tx:
            tx.upload("work", "a")
            raise interrupt
    assert any(tx.id in note for note in caught.value.__notes__)
    assert names(branch) == []
    assert repo.branch(tx.id).exists("a")


def test_b8_76_a_tag_that_exists_is_found_before_any_work(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    repo.tag("v1").create("main")
    with pytest.raises(exceptions.TransactionStartError, match="v1"):
        branch.transaction("m", tag="v1").__enter__()
    assert [found.id for found in repo.list_branches(hidden=True)] == ["main"]


def test_b8_77_nothing_changed(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    head = branch.head()
    with branch.transaction("nothing") as tx:
        tx.exists("a")
    assert (branch.head(), tx.merge_commit_id) == (head, None)
    with pytest.raises(exceptions.TransactionException):
        with branch.transaction("nothing", on_empty="error"):
            pass
    with branch.transaction("all the same", on_empty="commit"):
        pass
    assert branch.commit_message() == "all the same"


def test_b8_77_what_is_committed_inside_is_not_lost(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    with branch.transaction("load") as tx:
        tx.upload("1", "a")
        repo.branch(tx.id).commit_changes("by the user")
    assert names(branch) == ["a"]


def test_b8_78_a_file_that_was_not_closed_fails_the_transaction(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    with pytest.raises(
        exceptions.TransactionException, match=r"nothing was merged: files .* are not closed: lakefs://.*/b\."
    ) as caught:
        with branch.transaction("load") as tx:
            tx.upload("1", "a")
            file = tx.open("b", "w")
            file.write("half")
    assert "with tx.open(path, 'w') as file" in str(caught.value)
    assert (caught.value.branch, caught.value.state, tx.state) == (tx.id, "ABORTED", "ABORTED")
    assert file.closed
    assert names(branch) == []
    assert [item.path for item in repo.branch(tx.id).list_objects()] == ["a"]


def test_b8_78_a_file_that_was_forgotten_fails_the_transaction(branch: lakefs_hl.Branch) -> None:
    """The garbage collector has closed it before the block ended; its name is left in `_lost`."""
    with pytest.raises(exceptions.TransactionException, match=r"are not closed: lakefs://x/y/b"):
        with branch.transaction("load") as tx:
            tx.upload("1", "a")
            tx._lost.append("lakefs://x/y/b")
    assert names(branch) == []


def test_b8_78_a_file_that_was_discarded_is_no_failure(branch: lakefs_hl.Branch) -> None:
    with branch.transaction("load") as tx:
        tx.upload("1", "a")
        tx.open("b", "wb").discard()
    assert names(branch) == ["a"]


def test_b8_79_staged_changes_on_the_target_fail_early(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    branch.upload("staged", "a")
    with pytest.raises(exceptions.TransactionStartError, match=r"uncommitted|staged"):
        with branch.transaction("m"):
            pytest.fail("the block must not begin")
    assert [found.id for found in repo.list_branches(hidden=True)] == ["main"]


def test_b8_79_a_conflict_keeps_the_branch_and_lists_the_paths(
    repo: lakefs_hl.Repository, branch: lakefs_hl.Branch
) -> None:
    with pytest.raises(exceptions.TransactionMergeError) as caught:
        with branch.transaction("m") as tx:
            tx.upload("tx", "a")
            change(branch, "a", "main")
    assert caught.value.conflicts == ("a",)
    assert "'a'" in str(caught.value) or " a" in str(caught.value)
    assert repo.branch(caught.value.branch).download("a") == b"tx"
    assert branch.download("a") == b"main"


@pytest.mark.parametrize(("strategy", "content"), [("source-wins", b"tx"), ("dest-wins", b"main")])
def test_b8_79_a_strategy_settles_it(branch: lakefs_hl.Branch, strategy: Any, content: bytes) -> None:
    with branch.transaction("m", strategy=strategy) as tx:
        tx.upload("tx", "a")
        change(branch, "a", "main")
    assert branch.download("a") == content


def test_b8_81_many_transactions_at_once(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(10)

    def work(number: int) -> None:
        try:
            start.wait()
            with branch.transaction(f"t{number}") as tx:
                tx.upload(f"{number}", f"{number}")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(branch) == [str(number) for number in range(10)]
    assert [found.id for found in repo.list_branches(hidden=True)] == ["main"]


def test_b8_81_a_transaction_in_a_transaction(branch: lakefs_hl.Branch) -> None:
    with branch.transaction("outer") as outer:
        outer.upload("1", "a")
        with branch.transaction("inner") as inner:
            inner.upload("2", "b")
        assert names(branch) == ["b"]
    assert names(branch) == ["a", "b"]


def test_a_transaction_has_no_commit_merge_or_delete(branch: lakefs_hl.Branch) -> None:
    tx = branch.transaction("m")
    for name in ("commit_changes", "merge_into", "delete", "reset", "transaction", "create"):
        assert not hasattr(tx, name)


def test_a_transaction_is_used_inside_its_block_only(branch: lakefs_hl.Branch) -> None:
    tx = branch.transaction("m")
    with pytest.raises(exceptions.TransactionStateError):
        tx.upload("x", "a")
    with tx:
        pass
    for call in (lambda: tx.upload("x", "a"), lambda: tx.download("a"), tx.__enter__):
        with pytest.raises(exceptions.TransactionStateError):
            call()


def test_a_removed_object_that_is_not_committed_has_no_size_told(branch: lakefs_hl.Branch) -> None:
    branch.upload("12345", "a")
    branch.commit_changes("five")
    branch.delete_objects("a")
    assert list(branch.list_uncommitted()) == [("removed", "a", "object", None)]


def test_a_transaction_from_an_earlier_commit(repo: lakefs_hl.Repository, branch: lakefs_hl.Branch) -> None:
    branch.upload("1", "a")
    first = branch.commit_changes("one")
    branch.upload("2", "b")
    branch.commit_changes("two")
    with branch.transaction("from one", source_ref=first) as tx:
        assert [item.path for item in tx.list_objects()] == ["a"]
        tx.upload("3", "c")
    assert names(branch) == ["a", "b", "c"]


def test_transaction_options_are_checked(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(ValueError, match="retries must be at least 0, not -1"):
        branch.transaction("m", retries=-1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda b: b.merge_into("dev", strategy="ours"), "strategy must be 'dest-wins' or 'source-wins', not 'ours'"),
        (lambda b: b.transaction("m", strategy="ours"), "strategy must be 'dest-wins' or 'source-wins', not 'ours'"),
        (lambda b: b.diff("dev", type="three-dot"), "type must be 'three_dot' or 'two_dot', not 'three-dot'"),
        (lambda b: b.delete_objects("a", on_error="no"), "on_error must be 'raise' or 'return', not 'no'"),
        (lambda b: b.transaction("m", on_empty="no"), "on_empty must be 'skip', 'error' or 'commit', not 'no'"),
    ],
)
def test_a_word_that_is_not_a_choice_is_shown_with_the_choices(
    branch: lakefs_hl.Branch, call: Callable[[lakefs_hl.Branch], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        call(branch)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda b: b.upload("path", b"data"), r"path must be a string, not bytes: b'data'; .* upload\(data, path\)"),
        (lambda b: b.copy_object("a", b, "c"), "from_path must be a string, not Branch"),
        (
            lambda b: b.upload(b"", Path("a")),
            "path must be a string, an ObjectInfo or a PurePosixPath, not PosixPath: .*; a local path is not a name",
        ),
        (
            lambda b: b.import_from(Path("/data"), ""),
            r"object_store_uri must be a string, not PosixPath.*local:///directory",
        ),
        (lambda b: b.commit_changes("m", {"rows": 5}), r"metadata\['rows'\] must be a string, not int: 5"),
        (lambda b: b.merge_into("dev", metadata={"rows": 5}), r"metadata\['rows'\] must be a string"),
        (lambda b: b.upload(b"", "a", metadata={"rows": None}), r"metadata\['rows'\] must be a string, not NoneType"),
        (
            lambda b: b.open("a", "w", metadata={b"rows": "5"}),
            r"metadata: keys must be strings, and b'rows' is a bytes",
        ),
        (lambda b: b.commit_changes(b.head()), "message must be a string, not Commit"),
        (lambda b: b.list_objects("data/"), "max_amount must be None or an integer, not 'data/'; a prefix is given as"),
    ],
)
def test_a_wrong_argument_is_named(
    branch: lakefs_hl.Branch, call: Callable[[lakefs_hl.Branch], object], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        call(branch)
