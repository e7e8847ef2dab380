"""Objects without their content."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakefs_hl.ops import objects
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.models import ObjectError
from lakefs_hl.spec.wire import Response
from tests.ops.script import C0, C1, HTML, Play, commit, head, lost, no, ok, page, ref, session, step

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
def test_a_missing_object_of_an_existing_reference(reference: str, asked: str) -> None:
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
    error = play.fails(objects.exists(S, "r", "b", "k"), errors.NotFoundException, "looking up lakefs://r/b/k")
    assert not isinstance(error, errors.ObjectNotFoundException)
    assert error.kind is ErrorKind.REFERENCE_NOT_FOUND
    assert "there is no branch, tag or commit 'b'" in str(error)


def test_a_missing_repository_raises() -> None:  # B9.91
    play = Play(step("statObject", "r", "b", answer=no(404, "repository not found")))
    play.fails(objects.exists(S, "r", "b", "k"), errors.NotFoundException)


def test_list_page() -> None:
    query = {"amount": "7", "after": "a", "prefix": "p", "delimiter": "/", "presign": "true"}
    play = Play(step("listObjects", "r", "b", answer=page(RECORD), query=query))
    found = play.run(objects.list_page(S, "r", "b", "a", 7, prefix="p", delimiter="/", presign=True))
    assert found.results == [RECORD]
    Play(step("listObjects", "r", "b", answer=page(), query={"amount": "7"})).run(objects.list_page(S, "r", "b", "", 7))


# delete: objects that were written since the request was sent are kept


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # 1_700_000_000
OLD, NEW = 1_699_999_990, 1_699_999_998  # the latter is within the margin


def known(date: str = DATE) -> Any:
    """Return a session that knows the server's clock, and that the server does not honour keys."""
    s = session(exactly_once=False)
    s.date = date
    return s


def there(path: str = "k", mtime: int = OLD) -> Any:
    record = models.ObjectStats(path, "object", "local://x", "e", mtime, 1)
    return step("statObject", "r", "b", answer=ok(record), query={"path": path})


def absent(path: str = "k") -> Any:
    return step("statObject", "r", "b", answer=no(404, "not found"), query={"path": path})


def at(seconds: int) -> Any:
    """Return the branch's head, committed at a given time."""
    return step("getCommit", "r", "b", answer=ok(models.Commit(C1, [C0], "me", "m", seconds, "r")))


LOST = step("deleteObject", "r", "b", answer=lost())
AGAIN = step("deleteObject", "r", "b", answer=ok())


def test_a_lost_delete_that_was_applied() -> None:
    Play(LOST, absent()).run(objects.delete(known(), "r", "b", "k"))


def test_a_lost_delete_of_an_object_older_than_the_request_is_retried() -> None:
    Play(LOST, there(mtime=OLD), at(OLD), AGAIN).run(objects.delete(known(), "r", "b", "k"))


@pytest.mark.parametrize(
    ("steps", "date"),
    [
        ([there(mtime=NEW)], DATE),
        ([there(mtime=1_700_000_100)], DATE),
        ([there(mtime=OLD), at(NEW)], DATE),  # a merge or an import may have restored it with its old time
        ([there(mtime=OLD)], ""),  # the server sends no date
        ([there(mtime=OLD)], "yesterday"),
    ],
)
def test_an_object_that_may_have_been_rewritten_is_kept(steps: list[Any], date: str) -> None:
    error = Play(LOST, *steps).fails(
        objects.delete(known(date), "r", "b", "k"), errors.AmbiguousOutcomeError, "deleting lakefs://r/b/k"
    )
    assert error.maybe_applied is None


def test_the_clock_is_read_before_the_request_is_sent() -> None:
    later = "Tue, 14 Nov 2023 23:13:20 GMT"
    found = there(mtime=1_700_000_100)
    told = found._replace(answer=ok(models.decode(dict, found.answer.body), date=later))
    Play(LOST, told).fails(objects.delete(known(), "r", "b", "k"), errors.AmbiguousOutcomeError)


def test_a_servers_clock_is_requested_once() -> None:
    s = session()
    Play(head("b", C1, date=DATE), AGAIN).run(objects.delete(s, "r", "b", "k"))
    assert (s.exactly_once, s.date) == (False, DATE)
    Play(AGAIN).run(objects.delete(s, "r", "b", "k"))


def test_with_honoured_keys_nothing_is_checked() -> None:
    s = session()
    once = {"idempotency-key": "a-key"}
    Play(
        head("b", C1, x_lakefs_hl="idempotency-key"),
        step("deleteObject", "r", "b", answer=lost(), headers=once),
        step("healthCheck", answer=ok(x_lakefs_hl="idempotency-key", idempotency_key="a-key"), headers=once),
        step("deleteObject", "r", "b", answer=ok(), headers=once),
    ).run(objects.delete(s, "r", "b", "k"))


@pytest.mark.parametrize("ref", [C1, "v1", "main~1"])
def test_commits_are_immutable(ref: str) -> None:
    refused = no(404, "branch not found") if "~" not in ref else no(400, "argument branch: branch id: validation error")
    play = Play(
        step("deleteObject", "r", ref, answer=refused),
        step("getCommit", "r", ref, answer=ok(commit(C1))),
    )
    error = play.fails(objects.delete(known(), "r", ref, "k"), errors.BadRequestException, "commits are immutable")
    assert error.kind is ErrorKind.IMMUTABLE_REFERENCE
    assert f"deleting lakefs://r/{ref}/k" in str(error)


def test_an_invalid_path_on_a_branch_is_reported_as_such() -> None:
    refused = no(400, "argument path: 2000 bytes, at most 1024: invalid value: validation error")
    play = Play(step("deleteObject", "r", "b", answer=refused))
    error = play.fails(objects.delete(known(), "r", "b", "k"), errors.BadRequestException, "at most 1024")
    assert error.kind is ErrorKind.INVALID_ARGUMENT


def test_deleting_on_a_missing_branch() -> None:
    play = Play(
        step("deleteObject", "r", "typo", answer=no(404, "branch not found")),
        step("getCommit", "r", "typo", answer=no(404, "commit not found")),
    )
    error = play.fails(objects.delete(known(), "r", "typo", "k"), errors.NotFoundException, "branch not found")
    assert error.kind is ErrorKind.BRANCH_NOT_FOUND


# delete objects in bulk: errors are inspected, and only failed paths are retried (B3.42)


def test_errors_inside_a_200_are_returned() -> None:
    refused = ObjectError(403, "cannot write to protected branch", "a")
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(refused), body={"paths": ["a", "b"]}))
    assert play.run(objects.delete_batch(S, "r", "b", ["a", "b"])) == [refused]
    assert play.slept == []


def test_only_items_with_server_errors_are_retried() -> None:
    final, passing = ObjectError(403, "no", "a"), ObjectError(500, "oops", "c")
    play = Play(
        step("deleteObjects", "r", "b", answer=errors_of(final, passing), body={"paths": ["a", "b", "c"]}),
        there("c", OLD),
        at(OLD),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["c"]}),
    )
    assert play.run(objects.delete_batch(known(), "r", "b", ["a", "b", "c"])) == [final]
    assert play.slept == [(0.1, 0.0)]


def test_permanent_failures_are_returned_after_five_attempts() -> None:
    failing = ObjectError(503, "slow down", "c")
    tried = step("deleteObjects", "r", "b", answer=errors_of(failing))
    play = Play(*[tried, there("c"), at(OLD)] * 4, tried)
    assert play.run(objects.delete_batch(known(), "r", "b", ["c"])) == [failing]


@pytest.mark.parametrize("exactly_once", [False, True])
def test_a_failed_item_is_checked_before_a_retry(exactly_once: bool) -> None:
    s, (done, new, hidden) = known(), (ObjectError(500, "oops", path) for path in ("done", "new", "hidden"))
    s.exactly_once = s.keys_arrive = exactly_once  # a batch of the rest is another request with its own key
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(done, new)), absent("done"), there("new", NEW))
    assert play.run(objects.delete_batch(s, "r", "b", ["done", "new"])) == [new]
    look = step("statObject", "r", "b", answer=no(403, "no"))
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(hidden)), look)
    assert play.run(objects.delete_batch(s, "r", "b", ["hidden"])) == [hidden]


def test_an_error_without_a_path_is_returned() -> None:
    play = Play(step("deleteObjects", "r", "b", answer=errors_of(ObjectError(500, "all of it"))))
    assert len(play.run(objects.delete_batch(S, "r", "b", ["c"]))) == 1


def test_of_a_lost_batch_only_unchanged_objects_are_retried() -> None:
    play = Play(
        step("deleteObjects", "r", "b", answer=lost(), body={"paths": ["done", "new", "old"]}),
        absent("done"),
        there("new", NEW),
        there("old", OLD),
        at(OLD),
        step("deleteObjects", "r", "b", answer=errors_of(), body={"paths": ["old"]}),
    )
    (kept,) = play.run(objects.delete_batch(known(), "r", "b", ["done", "new", "old"]))
    assert (kept.path, kept.status_code) == ("new", 0)
    assert "was kept" in kept.message


def test_a_lost_batch_that_was_applied() -> None:
    play = Play(step("deleteObjects", "r", "b", answer=lost()), absent("a"), absent("b"))
    assert play.run(objects.delete_batch(known(), "r", "b", ["a", "b"])) == []


def test_an_unreadable_response_is_requested_again_by_its_key() -> None:
    once = {"idempotency-key": "a-key"}
    play = Play(
        step("deleteObjects", "r", "b", answer=ok({"hello": "world"}), headers=once),
        step("deleteObjects", "r", "b", answer=errors_of(), headers=once),
    )
    assert play.run(objects.delete_batch(session(exactly_once=True), "r", "b", ["a"])) == []


def test_a_batch_is_attempted_five_times() -> None:
    again = [step("deleteObjects", "r", "b", answer=lost()), there("a"), at(OLD)]
    Play(*again * 5).fails(objects.delete_batch(known(), "r", "b", ["a"]), errors.AmbiguousOutcomeError)


def test_a_lost_batch_that_cannot_be_checked() -> None:
    play = Play(step("deleteObjects", "r", "b", answer=lost()), step("statObject", "r", "b", answer=no(403, "no")))
    error = play.fails(objects.delete_batch(known(), "r", "b", ["a"]), errors.AmbiguousOutcomeError)
    assert "failed too" in error.__notes__[0]


def test_an_empty_path_is_not_sent() -> None:
    """LakeFS would delete nothing of the whole batch and respond with 200."""
    with pytest.raises(ValueError, match="must not be empty"):
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


def test_a_path_like_a_prefix_is_looked_up() -> None:
    """LakeFS reports a prefix as deleted and deletes nothing."""
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
    """LakeFS responds to a batch on a missing branch with 200 and no errors."""
    play = Play(
        step("getBranch", "r", "typo", answer=no(404, "branch not found")),
        step("getCommit", "r", "typo", answer=no(404, "commit not found")),
    )
    play.fails(objects.delete_all(S, "r", "typo", ["a"]), errors.NotFoundException, "branch not found")


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
    ("answers", "kind"),
    [
        ([no(404, "not found"), ok(commit(C1))], errors.ObjectNotFoundException),
        ([no(404, "not found"), no(404, "commit not found")], errors.NotFoundException),
        ([no(404, "branch not found"), no(404, "commit not found")], errors.NotFoundException),
    ],
)
def test_copying_a_missing_object(answers: list[Any], kind: type[Any]) -> None:
    looked = "b" if b"branch" in answers[0].body else "v1"
    steps = [step("copyObject", "r", "b", answer=answers[0])]
    steps += [step("getCommit", "r", looked, answer=answer) for answer in answers[1:]]
    Play(*steps).fails(objects.copy(S, "r", "b", "to", "v1", "from"), kind, "copying lakefs://r/v1/from")


@pytest.mark.parametrize(
    ("ref", "kind", "words"),
    [
        ("0123abcd", ErrorKind.COMMIT_NOT_FOUND, "the repository has no commit 0123abcd"),
        ("main~99", ErrorKind.REFERENCE_NOT_FOUND, "the expression 'main~99' resolves to no commit"),
        ("nope", ErrorKind.REFERENCE_NOT_FOUND, "there is no branch, tag or commit 'nope'"),
    ],
)
def test_missing_references_and_missing_objects_are_distinguished(ref: str, kind: ErrorKind, words: str) -> None:
    play = Play(
        step("statObject", "r", ref, answer=no(404, "not found")),
        step("getCommit", "r", ref, answer=no(404, "commit not found")),
    )
    error = play.fails(objects.stat(S, "r", ref, "k"), errors.NotFoundException, words)
    assert error.kind is kind
    found = Play(
        step("statObject", "r", ref, answer=no(404, "not found")), step("getCommit", "r", ref, answer=ok(commit(C1)))
    ).fails(objects.stat(S, "r", ref, "k"), errors.ObjectNotFoundException, "the object does not exist")
    assert found.kind is ErrorKind.OBJECT_NOT_FOUND


def test_a_failed_look_up_of_the_reference_leaves_the_object_missing() -> None:
    play = Play(
        step("statObject", "r", "b", answer=no(404, "not found")), step("getCommit", "r", "b", answer=no(403, "no"))
    )
    play.fails(objects.stat(S, "r", "b", "k"), errors.ObjectNotFoundException)


def test_metadata_in_a_missing_repository() -> None:
    """LakeFS responds with 204."""
    missing = no(404, "repository not found")
    play = Play(
        step("statObject", "r", "b", answer=missing),
        step("updateObjectUserMetadata", "r", "b", answer=ok({}, 204)),
        step("getCommit", "r", "b", answer=missing),
    )
    play.fails(objects.set_metadata(S, "r", "b", "k", {"a": "b"}), errors.NotFoundException, "setting metadata of")


@pytest.mark.parametrize("status", [200, 201, 204])
def test_metadata_is_replaced_with_keys_in_lower_case(status: int) -> None:  # B2.31
    body = {"set": {"ключ": "значение", "a:b": ""}}
    change = step("updateObjectUserMetadata", "r", "b", answer=ok({}, status), query={"path": "k"}, body=body)
    Play(there(), change).run(objects.set_metadata(S, "r", "b", "k", {"Ключ": "значение", "A:b": ""}))
    Play(change).run(objects.set_metadata(S, "r", "b", "k", {"Ключ": "значение", "A:b": ""}, before=RECORD))
    s = session(exactly_once=True)
    Play(change).run(objects.set_metadata(s, "r", "b", "k", {"Ключ": "значение", "A:b": ""}))


def described(mtime: int = OLD, **metadata: str) -> Any:
    return step(
        "statObject", "r", "b", answer=ok(models.ObjectStats("k", "object", "x", "e", mtime, 1, None, metadata))
    )


def test_a_web_page_is_not_a_response() -> None:
    page_ = step("updateObjectUserMetadata", "r", "b", answer=Response(200, HTML, b"<html>"))
    error = Play(described(), page_).fails(objects.set_metadata(S, "r", "b", "k", {"a": "2"}), errors.ProtocolException)
    assert error.maybe_applied is None


CHANGE = step("updateObjectUserMetadata", "r", "b", answer=ok({}, 201))


@pytest.mark.parametrize(
    ("found", "then"),
    [
        (described(a="2"), []),  # applied
        (described(a="1"), [CHANGE]),  # not applied, and unchanged since
        (described(a="3"), None),  # metadata of another writer
        (described(NEW, a="1"), None),  # an object of another writer
    ],
)
def test_lost_metadata(found: Any, then: list[Any] | None) -> None:
    lost_ = step("updateObjectUserMetadata", "r", "b", answer=lost())
    play, op = Play(described(a="1"), lost_, found, *then or []), objects.set_metadata(S, "r", "b", "k", {"a": "2"})
    if then is None:
        play.fails(op, errors.AmbiguousOutcomeError)
    else:
        play.run(op)


def test_keys_that_become_equal() -> None:
    with pytest.raises(ValueError, match="become equal"):
        objects.lower_keys({"A": "1", "a": "2"})


# move: the source is deleted only once the copy is there

KNOWN = session(exactly_once=False)
SOURCE = models.ObjectStats("a", "object", "s3://b/1", "c", 1, 5, "text/csv", {"k": "v"})
COPY = models.ObjectStats("d/a", "object", "s3://b/2", "c", 9, 5, "text/csv", {"k": "v"})
COPIED = step("copyObject", "r", "b", answer=ok(COPY, 201), query={"dest_path": "d/a"}, body={"src_path": "a"})
COPY_LOST = [step("copyObject", "r", "b", answer=lost())] * 5
DELETED = step("deleteObject", "r", "b", answer=ok(), query={"path": "a"})
MOVING = "moving lakefs://r/b/a to lakefs://r/b/d/a"


def move(given: Any = KNOWN) -> Op[models.ObjectStats]:
    return objects.move(given, "r", "b", "a", "d/a")


def stat_of(path: str, record: models.ObjectStats | None) -> Any:
    answer = no(404, "not found") if record is None else ok(record)
    return step("statObject", "r", "b", answer=answer, query={"path": path})


def test_move_copies_looks_and_deletes() -> None:
    assert Play(COPIED, stat_of("a", SOURCE), DELETED).run(move()) == COPY


def test_a_move_to_the_same_path_is_refused() -> None:
    with pytest.raises(ValueError, match="moving lakefs://r/b/a to lakefs://r/b/a: the two paths are the same"):
        Play().run(objects.move(KNOWN, "r", "b", "a", "a"))


def test_a_move_of_a_missing_object() -> None:
    missing = step("copyObject", "r", "b", answer=no(404, "not found"))
    play = Play(missing, step("getCommit", "r", "b", answer=ok(commit(C1))))
    assert play.fails(move(), errors.ObjectNotFoundException, MOVING).maybe_applied is False


def test_a_refused_copy_deletes_nothing() -> None:
    refused = step("copyObject", "r", "b", answer=no(403, "cannot write to protected branch"))
    error = Play(refused).fails(move(), errors.ForbiddenException, MOVING)
    assert error.maybe_applied is False


@pytest.mark.parametrize(
    "changes", [{"checksum": "x"}, {"size_bytes": 6}, {"content_type": "a/b"}, {"metadata": {"k": "w"}}]
)
def test_a_source_that_was_written_meanwhile_is_kept(changes: dict[str, Any]) -> None:
    play = Play(COPIED, stat_of("a", msgspec.structs.replace(SOURCE, **changes)))
    error = play.fails(move(), errors.ObjectChangedError, MOVING)
    assert "both exist" in str(error)
    assert error.maybe_applied is True


def test_a_copy_of_which_an_old_server_tells_less_is_enough() -> None:
    told = msgspec.structs.replace(COPY, content_type=None, metadata=None)
    Play(step("copyObject", "r", "b", answer=ok(told, 201)), stat_of("a", SOURCE), DELETED).run(move())


def test_no_metadata_and_empty_metadata_are_the_same() -> None:
    bare = msgspec.structs.replace(SOURCE, metadata=None)
    empty = step("copyObject", "r", "b", answer=ok(msgspec.structs.replace(COPY, metadata={}), 201))
    Play(empty, stat_of("a", bare), DELETED).run(move())


def test_a_source_that_somebody_else_deleted_is_moved() -> None:
    play = Play(COPIED, stat_of("a", None), step("getCommit", "r", "b", answer=ok(commit(C1))))
    assert play.run(move()) == COPY


def test_a_branch_that_somebody_else_deleted_is_an_error() -> None:
    play = Play(COPIED, stat_of("a", None), step("getCommit", "r", "b", answer=no(404, "commit not found")))
    assert play.fails(move(), errors.NotFoundException, MOVING).maybe_applied is True


def test_a_copy_whose_response_was_lost_is_looked_for() -> None:
    play = Play(*COPY_LOST, stat_of("a", SOURCE), stat_of("d/a", COPY), stat_of("a", SOURCE), DELETED)
    assert play.run(move()) == COPY


@pytest.mark.parametrize("found", [None, msgspec.structs.replace(COPY, checksum="old")])
def test_nothing_is_deleted_if_the_lost_copy_is_not_there(found: models.ObjectStats | None) -> None:
    error = Play(*COPY_LOST, stat_of("a", SOURCE), stat_of("d/a", found)).fails(move(), errors.TransportException)
    assert error.maybe_applied is None
    assert "the source was not deleted" in error.__notes__[0]


def test_nothing_is_deleted_if_the_lost_copy_cannot_be_looked_for() -> None:
    play = Play(*COPY_LOST, step("statObject", "r", "b", answer=no(403, "insufficient permissions")))
    assert "the source was not deleted" in play.fails(move(), errors.TransportException).__notes__[0]


def test_a_failed_deletion_says_that_both_exist() -> None:
    refused = step("deleteObject", "r", "b", answer=no(403, "cannot write to protected branch"))
    error = Play(COPIED, stat_of("a", SOURCE), refused).fails(move(), errors.ForbiddenException, MOVING)
    assert "the object was copied, and the source was not deleted, so both exist" in str(error)
    assert "cannot write to protected branch" in str(error)
    assert error.maybe_applied is True


def test_a_look_that_fails_before_the_deletion_says_that_both_exist() -> None:
    play = Play(COPIED, *[step("statObject", "r", "b", answer=lost())] * 5)
    error = play.fails(move(), errors.TransportException, "the source was not deleted, so both exist")
    assert error.maybe_applied is True


def test_a_deletion_whose_response_was_lost_is_settled_by_looking() -> None:
    Play(COPIED, stat_of("a", SOURCE), LOST, stat_of("a", None)).run(move())
    kept = [stat_of("a", SOURCE), LOST, stat_of("a", msgspec.structs.replace(SOURCE, mtime=2**40))]
    error = Play(COPIED, *kept).fails(move(), errors.AmbiguousOutcomeError, MOVING)
    assert "it is unknown whether the source was deleted" in str(error)


def test_in_process_a_failed_copy_is_not_looked_for() -> None:
    boom = step("copyObject", "r", "b", answer=no(501, "Not Implemented"))
    Play(boom).fails(move(Session(basic("AKEY", "s3cr3t"))), errors.UnsupportedOperationException)
