"""Snapshots: what is sent, and what is left when a step fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakefs_hl.ops import snapshots
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C0, C1, C2, Play, Step, commit, lost, no, ok, page, ref, session, step

S = session()
ID = "1" * 32
HIDDEN = f"tx-b-{ID}"
REPOSITORY = ok(models.Repository("r", 1, "b", "s3://bucket/r"))
KEY = "lakefs_hl.snapshot.s"


def create(name: str | None = "b", message: str | None = None) -> Op[str]:
    return snapshots.create(S, snapshots.Plan("r", "s", name, message, ID, 5.0))


def begin(*staged: models.Diff, exists: Any = None) -> list[Step]:
    return [
        step("getRepository", "r", answer=REPOSITORY),
        step("getTag", "r", "s", answer=exists or no(404, "tag not found")),
        step("getBranch", "r", "b", answer=ref("b", C0)),
        step("diffBranch", "r", "b", answer=page(*staged[:1])),
    ]


def publish(target: str, **answers: Any) -> list[Step]:
    body = {"metadata": {f"{KEY}.{target}": json.dumps({"ref": "b"})}}
    return [
        step("getRepositoryMetadata", "r", answer=ok({})),
        step("setRepositoryMetadata", "r", answer=answers.get("note", ok()), body=body),
        step("createTag", "r", answer=answers.get("tag", ok(models.Ref("s", target), 201))),
    ]


ADDED = models.Diff("added", "x", "object", 1)
REMOVED = models.Diff("removed", "y", "object", 0)
X = models.ObjectStats("x", "object", "s3://bucket/r/data/x", "e", 7, 1, "text/csv", {"k": "v"})
CARRY = [
    step("createBranch", "r", answer=ok(None, 201), body={"name": HIDDEN, "source": C0, "hidden": True}),
    step("diffBranch", "r", "b", answer=page(ADDED, REMOVED)),
    step("statObject", "r", "b", answer=ok(X)),
    step(
        "stageObject",
        "r",
        HIDDEN,
        answer=ok(X, 201),
        query={"path": "x"},
        body={
            "physical_address": X.physical_address,
            "checksum": "e",
            "size_bytes": 1,
            "mtime": 7,
            "metadata": {"k": "v"},
            "content_type": "text/csv",
        },
    ),
    step("deleteObjects", "r", HIDDEN, answer=ok(models.ObjectErrors([])), body={"paths": ["y"]}),
    step("getBranch", "r", "b", answer=ref("b", C0)),
]
DELETE = [step("deleteBranch", "r", HIDDEN, answer=ok())]
COMMIT = step("commit", "r", HIDDEN, answer=ok(commit(C1), 201))


def test_clean() -> None:
    assert Play(*begin(), *publish(C0)).run(create(None)) == ""


def test_dirty() -> None:
    assert Play(*begin(ADDED), *CARRY, COMMIT, *publish(C1), *DELETE).run(create()) == ""


def test_an_address_that_the_server_does_not_take_is_copied() -> None:
    carry = list(CARRY)
    body = {"src_path": "x", "src_ref": "b"}
    carry[3:4] = [
        carry[3]._replace(answer=no(403, "forbidden")),
        step("copyObject", "r", HIDDEN, answer=ok(X, 201), query={"dest_path": "x"}, body=body),
    ]
    Play(*begin(ADDED), *carry, COMMIT, *publish(C1), *DELETE).run(create())


def test_a_branch_that_was_committed_meanwhile() -> None:
    moved = [*CARRY[:-1], step("getBranch", "r", "b", answer=ref("b", C2))]
    once = [*moved, *DELETE]
    again = [
        CARRY[0]._replace(body={"name": HIDDEN, "source": C2}),
        step("diffBranch", "r", "b", answer=page()),
        step("getBranch", "r", "b", answer=ref("b", C2)),
        step("commit", "r", HIDDEN, answer=no(400, "commit: no changes")),
        step("logCommits", "r", HIDDEN, answer=page(commit(C2))),
    ]
    play = Play(*begin(ADDED), *once, *again, *publish(C2), *DELETE)
    play._drive(create())  # without the check of repeated requests: the branch is created at another commit
    assert not play.steps


@pytest.mark.parametrize("at", ["stage", "commit", "note", "tag"])
def test_a_failure_leaves_nothing(at: str) -> None:
    no_space = no(507, "no space")
    carry = list(CARRY)
    if at == "stage":
        carry[3:] = [CARRY[3]._replace(answer=no_space)]
        rest: list[Step] = []
    elif at == "commit":
        rest = [COMMIT._replace(answer=no_space)]
    else:
        rest = [COMMIT, *publish(C1, **{at: no_space})]
        if at == "note":
            rest.pop()
        else:
            rest += [
                step("getTag", "r", "s", answer=no(404, "tag not found")),
                step("getRepositoryMetadata", "r", answer=ok({})),
                step("deleteRepositoryMetadata", "r", answer=ok(), body={"keys": [f"{KEY}.{C1}"]}),
            ]
    Play(*begin(ADDED), *carry, *rest, *DELETE).fails(create(), errors.ServerErrorException, "no space")


def test_a_hidden_branch_that_cannot_be_deleted() -> None:
    refused = step("deleteBranch", "r", HIDDEN, answer=no(403, "forbidden"))
    left_over = Play(*begin(ADDED), *CARRY, COMMIT, *publish(C1), refused).run(create())
    assert HIDDEN in left_over
    assert "collect_transactions" in left_over


def test_a_name_that_is_taken() -> None:
    Play(*begin(exists=ref("s", C0))[:2]).fails(create(), errors.ConflictException, "a tag of this name exists")


def test_damaged_notes_and_moved_tags_are_left_out() -> None:
    notes = {
        f"lakefs_hl.snapshot.a.{C0}": "no JSON",
        f"lakefs_hl.snapshot.b.c.{C0}": json.dumps({"ref": "b"}),
        f"lakefs_hl.snapshot.b.c.{C1}": json.dumps({"ref": "b"}),
        f"lakefs_hl.snapshot.d.{C0}": json.dumps({"ref": "b"}),
        "lakefs_hl.snapshot.": json.dumps([1]),
        f"other.{C0}": "x",
    }
    play = Play(
        step("getRepositoryMetadata", "r", answer=ok(notes)),
        step("getTag", "r", "a", answer=ref("a", C0)),
        step("getTag", "r", "b.c", answer=ref("b.c", C1)),
        step("getTag", "r", "d", answer=ref("d", C1)),
    )
    assert [row.id for row in play.run(snapshots.page(S, "r", "", 10)).results] == ["a", "b.c"]


def test_two_clients_create_one_snapshot() -> None:
    """The one that comes second deletes the note of the first only if its own is another one."""
    taken = no(409, "tag already exists: not unique")
    mine = [*publish(C0, tag=taken), step("getTag", "r", "s", answer=ref("s", C0))]
    Play(*begin(), *mine).fails(create(), errors.ConflictException)
    other = [
        *publish(C0, tag=taken),
        step("getTag", "r", "s", answer=ref("s", C1)),
        step("getRepositoryMetadata", "r", answer=ok({})),
        step("deleteRepositoryMetadata", "r", answer=ok(), body={"keys": [f"{KEY}.{C0}"]}),
    ]
    Play(*begin(), *other).fails(create(), errors.ConflictException)


def restore(branch: str | None = "b", *, force: bool = False) -> Op[models.Commit]:
    return snapshots.restore(S, "r", "s", branch, None, force=force, tx_id=ID, now=5.0)


def look(head: str = C1, staged: tuple[models.Diff, ...] = (), ranges: tuple[str, str] = ("new", "old")) -> list[Step]:
    now, then = ranges
    return [
        step("getTag", "r", "s", answer=ref("s", C0)),
        step("getCommit", "r", C0, answer=ok(models.Commit(C0, meta_range_id=then))),
        step("getBranch", "r", "b", answer=ref("b", head)),
        step("getCommit", "r", head, answer=ok(models.Commit(head, meta_range_id=now))),
        step("diffBranch", "r", "b", answer=page(*staged)),
    ]


RESTORED = step(
    "commit",
    "r",
    "b",
    answer=ok(commit(C2), 201),
    query={"source_metarange": "old"},
    body={"message": "Restore snapshot 's'"},
)


def test_restore_is_one_commit() -> None:
    assert Play(*look(), RESTORED).run(restore()).id == C2


def test_restore_what_is_there() -> None:
    assert Play(*look(ranges=("old", "old"))).run(restore()).id == C1


def test_restore_on_a_dirty_branch() -> None:
    failed = Play(*look(staged=(ADDED,))).fails(restore(), errors.BadRequestException, "'x' is one")
    assert failed.kind == "dirty_branch"
    reset = [
        step("resetBranch", "r", "b", answer=ok(), body={"type": "reset"}),
    ]
    assert Play(*look(staged=(ADDED,)), *reset, RESTORED).run(restore(force=True)).id == C2


def test_restore_without_a_response_is_not_repeated() -> None:
    play = Play(
        *look(),
        RESTORED._replace(answer=lost()),
        *[step("logCommits", "r", "b", answer=page())] * 40,
    )
    with pytest.raises(errors.AmbiguousOutcomeError) as caught:
        play._drive(restore())  # how often the log is searched is a matter of the policy
    assert caught.value.maybe_applied is None
    assert sum(request.endpoint.operation == "commit" for request in play.sent) == 1
