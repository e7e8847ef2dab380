"""Objects without their bytes."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import objects
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.models import ObjectError
from tests.ops.script import C1, Play, commit, lost, no, ok, page, ref, session, step

S = session()
RECORD = models.ObjectStats("k", "object", "s3://b/k", "c", 1, 5)
FOUND = ok(RECORD)


def errors_of(*rows: ObjectError) -> Any:
    return ok(models.ObjectErrors(list(rows)))


def test_stat() -> None:
    assert (
        Play(step("statObject", "r", "b", answer=FOUND, query={"path": "k"})).run(objects.stat(S, "r", "b", "k"))
        == RECORD
    )
    Play(step("statObject", "r", "b", answer=FOUND, query={"path": "k", "presign": "true"})).run(
        objects.stat(S, "r", "b", "k", presign=True)
    )


# exists: False only for a missing object (B9.91)


def test_exists() -> None:
    assert Play(step("statObject", "r", "b", answer=FOUND)).run(objects.exists(S, "r", "b", "k")) is True


@pytest.mark.parametrize(("reference", "asked"), [("b", "getCommit"), ("b@", "getCommit"), ("b$", "getBranch")])
def test_a_missing_object_of_a_reference_that_is_there(reference: str, asked: str) -> None:
    answer = ok(commit(C1)) if asked == "getCommit" else ref("b", C1)
    play = Play(
        step("statObject", "r", reference, answer=no(404, "not found")),
        step(asked, "r", reference.rstrip("$"), answer=answer),
    )
    assert play.run(objects.exists(S, "r", reference, "k")) is False


def test_a_missing_reference_raises() -> None:  # B9.91
    play = Play(
        step("statObject", "r", "b", answer=no(404, "not found")),
        step("getCommit", "r", "b", answer=no(404, "commit not found")),
    )
    error = play.fails(objects.exists(S, "r", "b", "k"), errors.NotFoundException, "looking for lakefs://r/b/k")
    assert not isinstance(error, errors.ObjectNotFoundException)


def test_a_missing_repository_raises() -> None:  # B9.91
    play = Play(step("statObject", "r", "b", answer=no(404, "repository not found")))
    play.fails(objects.exists(S, "r", "b", "k"), errors.NotFoundException)


def test_list_page() -> None:
    query = {"amount": "7", "after": "a", "prefix": "p", "delimiter": "/", "presign": "true"}
    play = Play(step("listObjects", "r", "b", answer=page(RECORD), query=query))
    found = play.run(objects.list_page(S, "r", "b", "a", 7, prefix="p", delimiter="/", presign=True))
    assert found.results == [RECORD]
    Play(step("listObjects", "r", "b", answer=page(), query={"amount": "7"})).run(objects.list_page(S, "r", "b", "", 7))


def test_a_lost_delete_is_repeated() -> None:
    Play(step("deleteObject", "r", "b", answer=lost()), step("deleteObject", "r", "b", answer=ok())).run(
        objects.delete(S, "r", "b", "k")
    )


# delete objects (bulk): idempotent, errors inspected, only failed paths again (B3.42)


def test_refusals_inside_a_200_are_returned() -> None:
    refused = ObjectError(403, "cannot write to protected branch", "a")
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(refused), body={"paths": ["a", "b"]}))
    assert play.run(objects.delete_batch(S, "r", "b", ["a", "b"])) == [refused]
    assert play.slept == []


def test_only_what_failed_on_the_servers_side_is_tried_again() -> None:
    final, passing = ObjectError(403, "no", "a"), ObjectError(500, "oops", "c")
    play = Play(
        step("deleteObjects", "r", "b", answer=errors_of(final, passing), body={"paths": ["a", "b", "c"]}),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["c"]}),
    )
    assert play.run(objects.delete_batch(S, "r", "b", ["a", "b", "c"])) == [final]
    assert play.slept == [(0.1, 0.0)]


def test_what_fails_for_good_is_returned_after_five_tries() -> None:
    failing = ObjectError(503, "slow down", "c")
    play = Play(*[step("deleteObjects", "r", "b", answer=errors_of(failing))] * 5)
    assert play.run(objects.delete_batch(S, "r", "b", ["c"])) == [failing]


def test_an_error_that_names_no_path_is_returned() -> None:
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(ObjectError(500, "all of it"))))
    assert len(play.run(objects.delete_batch(S, "r", "b", ["c"]))) == 1


def test_a_lost_batch_is_sent_again_whole() -> None:
    play = Play(
        step("deleteObjects", "r", "b", answer=lost(), body={"paths": ["a"]}),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["a"]}),
    )
    assert play.run(objects.delete_batch(S, "r", "b", ["a"])) == []


def test_an_empty_path_is_not_sent() -> None:
    """LakeFS would delete nothing of the whole batch, and say 200."""
    with pytest.raises(ValueError, match="cannot be empty"):
        Play().run(objects.delete_batch(S, "r", "b", ["a", ""]))


@pytest.mark.parametrize(
    ("count", "batches"), [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])]
)
def test_batches_of_a_thousand(count: int, batches: list[int]) -> None:  # B3.41
    look = [step("getBranch", "r", "b", answer=ref("b", C1))] if count else []
    play = Play(*look, *[step("deleteObjects", "r", "b", answer=errors_of())] * len(batches))
    assert play.run(objects.delete_all(S, "r", "b", (f"k{n}" for n in range(count)))) == []
    sizes = [
        len(models.decode(models.PathList, each.body).paths)
        for each in play.sent
        if isinstance(each.body, bytes) and each.body
    ]
    assert sizes == batches


def test_a_path_like_a_prefix_is_looked_for() -> None:
    """LakeFS answers that it deleted a prefix, and deletes nothing."""
    play = Play(
        step("getBranch", "r", "b", answer=ref("b", C1)),
        step("statObject", "r", "b", answer=no(404, "not found"), query={"path": "data/"}),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["a"]}),
    )
    assert play.run(objects.delete_all(S, "r", "b", ["data/", "a"])) == [objects.not_an_object("data/")]
    play = Play(step("statObject", "r", "b", answer=no(404, "not found")))
    assert len(play.run(objects.delete_all(S, "r", "b", ["data/", "data/"], known=True))) == 2
    play = Play(
        step("statObject", "r", "b", answer=FOUND, query={"path": "marker/"}),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["marker/"]}),
    )
    assert play.run(objects.delete_all(S, "r", "b", ["marker/"], known=True)) == []


def test_a_missing_branch_is_noticed() -> None:
    """LakeFS answers a batch on a missing branch with 200 and no errors."""
    play = Play(step("getBranch", "r", "typo", answer=no(404, "branch not found")))
    play.fails(objects.delete_all(S, "r", "typo", ["a"]), errors.NotFoundException)


def test_one_path_is_a_path() -> None:
    play = Play(
        step("getBranch", "r", "b", answer=ref("b", C1)),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["abc"]}),
    )
    play.run(objects.delete_all(S, "r", "b", "abc"))


def test_the_users_iterable_raises() -> None:
    def paths() -> Any:
        yield "a"
        raise KeyError("user")

    with pytest.raises(KeyError):
        Play().run(objects.delete_all(S, "r", "b", paths()))


def test_copy() -> None:
    play = Play(
        step(
            "copyObject",
            "r",
            "b",
            answer=ok(RECORD, 201),
            query={"dest_path": "to"},
            body={"src_path": "from", "src_ref": "v1"},
        )
    )
    assert play.run(objects.copy(S, "r", "b", "to", "v1", "from")) == RECORD


@pytest.mark.parametrize(
    ("message", "kind"), [("not found", errors.ObjectNotFoundException), ("branch not found", errors.NotFoundException)]
)
def test_copying_what_is_not_there(message: str, kind: type[Any]) -> None:
    Play(step("copyObject", "r", "b", answer=no(404, message))).fails(
        objects.copy(S, "r", "b", "to", "b", "from"), kind
    )


@pytest.mark.parametrize("status", [200, 201, 204])
def test_metadata_is_replaced_with_keys_in_lower_case(status: int) -> None:  # B2.31
    play = Play(
        step(
            "updateObjectUserMetadata",
            "r",
            "b",
            answer=ok({}, status),
            query={"path": "k"},
            body={"set": {"ключ": "значение", "a:b": ""}},
        )
    )
    play.run(objects.set_metadata(S, "r", "b", "k", {"Ключ": "значение", "A:b": ""}))


def test_keys_that_become_one() -> None:
    with pytest.raises(ValueError, match="become the same"):
        objects.lowered({"A": "1", "a": "2"})


@pytest.mark.parametrize("metadata", [{"a": 1}, {1: "a"}, {"a": None}, {"a": b"x"}])
def test_metadata_that_is_no_text(metadata: Any) -> None:
    with pytest.raises(TypeError, match="metadata holds strings under strings"):
        objects.lowered(metadata)
