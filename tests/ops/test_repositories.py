"""Repositories: namespaces, concurrent creation, and the check before a deletion."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import repositories
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C0, C1, Play, commit, log, lost, no, ok, page, session, step

NAMESPACE = "s3://bucket/r"


def record(namespace: str = NAMESPACE) -> Any:
    return ok(models.Repository("r", 1, "main", namespace))


MADE = ok(models.Repository("r", 1, "main", NAMESPACE), 201)
TAKEN = no(409, "error creating repository: not unique")
TOUCHED = no(400, "failed to create repository: found lakeFS objects in the storage: storage namespace already in use")
ABSENT = no(404, "repository not found")


def create(**options: Any) -> Op[models.Repository]:
    return repositories.create(session(), "r", NAMESPACE, "main", **options)


def both(**options: Any) -> Op[tuple[models.Repository, bool]]:
    return repositories.get_or_create(session(), "r", NAMESPACE, "main", **options)


def sent(answer: Any) -> Any:
    return step("createRepository", answer=answer, body={"name": "r", "storage_namespace": NAMESPACE})


def got(answer: Any) -> Any:
    return step("getRepository", "r", answer=answer)


@pytest.mark.parametrize(
    ("prefix", "namespace"),
    [
        ("local://", "local://r"),
        ("local:///", "local:///r"),
        ("s3://bucket", "s3://bucket/r"),
        ("s3://bucket/", "s3://bucket/r"),
        ("s3://bucket/a/b//", "s3://bucket/a/b/r"),
    ],
)
def test_the_default_storage_namespace(prefix: str, namespace: str) -> None:
    play = Play(
        step("getStorageConfig", answer=ok(models.StorageConfig("s3", default_namespace_prefix=prefix))),
        step(
            "createRepository", answer=MADE, body={"name": "r", "storage_namespace": namespace, "default_branch": "x"}
        ),
    )
    play.run(repositories.create(session(), "r", None, "x"))


def test_without_the_permission_to_read_the_default_prefix_a_namespace_is_asked_for() -> None:
    play = Play(step("getStorageConfig", answer=no(403, "insufficient permissions")))
    op = repositories.create(session(), "r", None, "main")
    play.fails(op, errors.ForbiddenException, r"creating lakefs://r: reading .*; or pass storage_namespace")


@pytest.mark.parametrize("prefix", ["", None])
def test_a_server_without_a_default_prefix(prefix: str | None) -> None:
    config = models.StorageConfig("s3", "s3://example-bucket/", default_namespace_prefix=prefix)
    play = Play(step("getStorageConfig", answer=ok(config)))
    error = play.fails(
        repositories.create(session(), "r", None, "main"), errors.InvalidConfigError, "storage_namespace"
    )
    assert "s3://example-bucket/" in str(error)


def test_options() -> None:
    body = {"sample_data": True, "read_only": True, "default_branch": "main"}
    play = Play(step("createRepository", answer=MADE, body=body))
    play.run(create(include_samples=True, read_only=True))


# create repository, after an unknown outcome


def test_created_by_the_attempt_without_a_response() -> None:  # B5.57
    assert Play(sent(lost()), sent(TAKEN), got(record())).run(create()).id == "r"


def test_a_repository_of_another_client_after_a_lost_response() -> None:
    play = Play(sent(lost()), sent(TAKEN), got(record("s3://other/place")))
    assert play.fails(create(), errors.ConflictException).maybe_applied is None


def test_a_lost_attempt_that_only_used_the_namespace() -> None:
    play = Play(sent(lost()), sent(TOUCHED), got(ABSENT))
    error = play.fails(create(), errors.BadRequestException, "An earlier attempt has used the namespace")
    assert error.maybe_applied is None


def test_a_lost_attempt_that_created_the_repository() -> None:
    assert Play(sent(lost()), sent(TOUCHED), got(record())).run(create()).id == "r"


def test_errors_of_the_first_attempt_are_raised() -> None:
    Play(sent(TAKEN)).fails(create(), errors.ConflictException, "creating lakefs://r at s3://bucket/r")
    Play(sent(TOUCHED)).fails(create(), errors.BadRequestException, "choose another one")


def test_exist_ok() -> None:
    Play(sent(TAKEN), got(record("s3://other/place"))).run(create(exist_ok=True))


# get_or_create


def test_an_existing_repository_is_returned() -> None:
    found, made = Play(got(record("s3://other/place"))).run(both())
    assert (found.storage_namespace, made) == ("s3://other/place", False)


def test_a_missing_repository_is_created() -> None:
    assert Play(got(ABSENT), sent(MADE)).run(both())[1] is True


@pytest.mark.parametrize("answer", [TAKEN, TOUCHED])
def test_concurrent_creations_both_succeed(answer: Any) -> None:
    assert Play(got(ABSENT), sent(answer), got(record())).run(both())[1] is False


def test_a_concurrent_creation_takes_the_namespace_before_the_repository_exists() -> None:
    play = Play(got(ABSENT), sent(TOUCHED), got(ABSENT), got(ABSENT), got(record()))
    assert play.run(both())[1] is False
    assert [upto for upto, _ in play.slept] == [0.1, 0.2]


def test_a_namespace_of_another_repository_is_an_error() -> None:
    Play(got(ABSENT), sent(TOUCHED), *[got(ABSENT)] * 6).fails(both(), errors.BadRequestException)
    Play(got(ABSENT), sent(TAKEN), got(ABSENT)).fails(both(), errors.ConflictException)


def test_another_error_is_not_hidden() -> None:
    Play(got(no(401, "x"))).fails(both(), errors.NotAuthorizedException)
    Play(got(ABSENT), sent(no(400, "invalid namespace"))).fails(both(), errors.BadRequestException)


# the check for content


def holds(
    *, tags: Any = (), branches: Any = ("main",), objects: Any = (), commits: int = 1, staged: Any = ()
) -> list[Any]:
    steps = [step("listTags", "r", answer=page(*(models.Ref(each, C0) for each in tags)))]
    if tags:
        return steps
    rows = [models.Ref(each, C0) for each in branches]
    steps.append(step("listBranches", "r", answer=page(*rows), query={"amount": "1000", "show_hidden": "true"}))
    for branch in branches:
        listed = [models.ObjectStats(each, "object") for each in objects]
        steps.append(step("listObjects", "r", branch, answer=page(*listed)))
        if objects:
            return steps
        steps.append(step("logCommits", "r", branch, answer=log(*[commit(C1), commit(C0)][:commits])))
        if commits > 1:
            return steps
        rows_ = [models.Diff("removed", each, "object") for each in staged]
        steps.append(step("diffBranch", "r", branch, answer=page(*rows_)))
    return steps


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"tags": ["v1"]}, "it contains tag 'v1'"),
        ({"objects": ["a/b"]}, "it contains object 'a/b' on branch 'main'"),
        ({"commits": 2}, "it contains commits on branch 'main'"),
        ({"staged": ["gone"]}, "it contains uncommitted changes on branch 'main'"),
    ],
)
def test_a_repository_with_content_is_not_deleted(content: dict[str, Any], words: str) -> None:
    error = Play(*holds(**content)).fails(repositories.delete(session(), "r"), errors.RepositoryNotEmptyError, words)
    assert "force=True" in str(error)


@pytest.mark.parametrize("branches", [(), ("main",), ("dev", "main")])
def test_an_empty_repository_is_deleted(branches: tuple[str, ...]) -> None:
    Play(*holds(branches=branches), got(record()), step("deleteRepository", "r", answer=ok(), query={})).run(
        repositories.delete(session(), "r")
    )


def drop(s: Any = None) -> Any:
    return repositories.delete(s or session(), "r", force=True)


DROPPED = step("deleteRepository", "r", answer=ok(), query={"force": "true"})
LOST = step("deleteRepository", "r", answer=lost())


def test_force_skips_the_check_for_content() -> None:
    Play(got(record()), DROPPED).run(drop())
    Play(DROPPED).run(drop(session(exactly_once=True)))


@pytest.mark.parametrize("gone", [ABSENT, no(410, "repository in deletion")])
def test_a_lost_delete_that_was_applied(gone: Any) -> None:
    Play(got(record()), LOST, got(gone)).run(drop())


def test_a_lost_delete_of_the_same_repository_is_retried() -> None:
    Play(got(record()), LOST, got(record()), DROPPED).run(drop())
    # lakeFS serves a look-up of a repository from a cache, but not a deletion
    Play(got(record()), LOST, got(record()), step("deleteRepository", "r", answer=ABSENT)).run(drop())


def test_a_recreated_repository_is_not_deleted() -> None:
    made = ok(models.Repository("r", 2, "main", NAMESPACE))
    Play(got(record()), LOST, got(made)).fails(drop(), errors.AmbiguousOutcomeError, "deleting lakefs://r")
    Play(got(ABSENT), LOST, got(record())).fails(drop(), errors.AmbiguousOutcomeError)


def test_a_repository_with_new_content_is_not_deleted() -> None:
    play = Play(*holds(), got(record()), LOST, got(record()), *holds(objects=["a"]))
    play.fails(repositories.delete(session(), "r"), errors.AmbiguousOutcomeError)


def test_deleting_something_missing_raises() -> None:
    play = Play(got(ABSENT), step("deleteRepository", "r", answer=ABSENT))
    play.fails(drop(), errors.NotFoundException)


# the rest


def test_metadata() -> None:
    s = session()
    assert Play(step("getRepositoryMetadata", "r", answer=ok({"k": "v"}))).run(repositories.metadata(s, "r")) == {
        "k": "v"
    }
    Play(described(), step("setRepositoryMetadata", "r", answer=ok(), body={"metadata": {"k": "v"}})).run(
        repositories.set_metadata(s, "r", {"k": "v"})
    )
    Play(described(), step("deleteRepositoryMetadata", "r", answer=ok(), body={"keys": ["k"]})).run(
        repositories.delete_metadata(s, "r", iter(["k"]))
    )


def described(**metadata: str) -> Any:
    return step("getRepositoryMetadata", "r", answer=ok(metadata))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (described(a="2", b="3"), "done"),
        (described(a="1"), "again"),
        (described(a="1", b="x"), "again"),  # a key of another writer
        (described(a="9"), "unknown"),
    ],
)
def test_lost_metadata(found: Any, verdict: str) -> None:
    again = [step("setRepositoryMetadata", "r", answer=ok())] if verdict == "again" else []
    play = Play(described(a="1"), step("setRepositoryMetadata", "r", answer=lost()), found, *again)
    op = repositories.set_metadata(session(), "r", {"a": "2"})
    if verdict == "unknown":
        play.fails(op, errors.AmbiguousOutcomeError)
    else:
        play.run(op)


def test_lost_deletion_of_metadata() -> None:
    lost_ = step("deleteRepositoryMetadata", "r", answer=lost())
    Play(described(a="1"), lost_, described(b="2")).run(repositories.delete_metadata(session(), "r", ["a"]))
    Play(described(a="1"), lost_, described(a="2")).fails(
        repositories.delete_metadata(session(), "r", ["a"]), errors.AmbiguousOutcomeError
    )


def test_a_lost_race_for_the_metadata_is_retried() -> None:
    Play(
        described(),
        step("setRepositoryMetadata", "r", answer=no(500, "predicate failed")),
        step("setRepositoryMetadata", "r", answer=ok()),
    ).run(repositories.set_metadata(session(), "r", {}))


def test_exists_and_pages() -> None:
    s = session()
    assert Play(got(record())).run(repositories.exists(s, "r")) is True
    assert Play(got(ABSENT)).run(repositories.exists(s, "r")) is False
    query = {"amount": "3", "after": "a", "prefix": "p", "search": "s"}
    Play(step("listRepositories", answer=page(), query=query)).run(repositories.page(s, "a", 3, prefix="p", search="s"))
