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


def listed(*ids: str) -> Any:
    """The look whether a repository that is said to exist was deleted."""
    return step("listRepositories", answer=page(*(models.Repository(each, 1, "main", NAMESPACE) for each in ids)))


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
    assert Play(sent(lost()), sent(TAKEN), listed("r"), got(record())).run(create()).id == "r"


def test_a_repository_of_another_client_after_a_lost_response() -> None:
    play = Play(sent(lost()), sent(TAKEN), listed("r"), got(record("s3://other/place")))
    assert play.fails(create(), errors.ConflictException).maybe_applied is None


def test_a_lost_attempt_that_only_used_the_namespace() -> None:
    play = Play(sent(lost()), sent(TOUCHED), got(ABSENT))
    error = play.fails(create(), errors.BadRequestException, "An earlier attempt has used the namespace")
    assert error.maybe_applied is None


def test_a_lost_attempt_that_created_the_repository() -> None:
    assert Play(sent(lost()), sent(TOUCHED), got(record())).run(create()).id == "r"


def test_errors_of_the_first_attempt_are_raised() -> None:
    Play(sent(TAKEN), listed("r")).fails(create(), errors.ConflictException, "creating lakefs://r at s3://bucket/r")
    Play(sent(TOUCHED)).fails(create(), errors.BadRequestException, "choose another one")


def test_exist_ok() -> None:
    Play(sent(TAKEN), listed("r"), got(record("s3://other/place"))).run(create(exist_ok=True))


# get_or_create


def test_an_existing_repository_is_returned() -> None:
    found, made = Play(got(record("s3://other/place")), listed("r")).run(both())
    assert (found.storage_namespace, made) == ("s3://other/place", False)


def test_a_missing_repository_is_created() -> None:
    assert Play(got(ABSENT), sent(MADE)).run(both())[1] is True


@pytest.mark.parametrize("steps", [(sent(TAKEN), listed("r")), (sent(TOUCHED),)], ids=["name", "namespace"])
def test_concurrent_creations_both_succeed(steps: Any) -> None:
    assert Play(got(ABSENT), *steps, got(record())).run(both())[1] is False


@pytest.mark.parametrize("options", [{}, {"exist_ok": True}])
def test_a_repository_that_was_deleted_a_moment_ago_is_waited_for(options: Any) -> None:
    """lakeFS has it in a cache for some seconds, and refuses another one of its name."""
    play = Play(sent(TAKEN), listed(), sent(TAKEN), listed("r-2"), sent(MADE))
    assert play.run(create(**options)).id == "r"
    assert [upto for upto, _ in play.slept] == [0.1, 0.2]
    assert Play(got(record()), listed(), sent(TAKEN), listed(), sent(MADE)).run(both())[1] is True


def test_a_server_that_never_forgets_a_repository_is_not_waited_for_much_longer() -> None:
    play = Play(*[sent(TAKEN), listed()] * 11, sent(TAKEN))
    play.fails(create(), errors.ConflictException, "not unique")
    assert 8 <= sum(upto for upto, _ in play.slept) < 9


def test_who_may_not_list_is_told_that_the_repository_exists() -> None:
    refused = step("listRepositories", answer=no(401, "insufficient permissions"))
    Play(sent(TAKEN), refused).fails(create(), errors.ConflictException, "not unique")
    Play(sent(TAKEN)).fails(
        repositories.create(session(exactly_once=True), "r", NAMESPACE, "main"), errors.ConflictException
    )


def test_a_concurrent_creation_takes_the_namespace_before_the_repository_exists() -> None:
    play = Play(got(ABSENT), sent(TOUCHED), got(ABSENT), got(ABSENT), got(record()))
    assert play.run(both())[1] is False
    assert [upto for upto, _ in play.slept] == [0.1, 0.2]


def test_a_namespace_of_another_repository_is_an_error() -> None:
    Play(got(ABSENT), sent(TOUCHED), *[got(ABSENT)] * 6).fails(both(), errors.BadRequestException)
    Play(got(ABSENT), sent(TAKEN), listed("r"), got(ABSENT)).fails(both(), errors.ConflictException)


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


# -------------------------------------------------------------------------------- created when it is needed


def needing() -> Any:
    needs = session()
    needs.make_repository = repositories.make
    return needs


CONFIGURED = step("getStorageConfig", answer=ok(models.StorageConfig("s3", default_namespace_prefix="s3://bucket")))


def test_a_call_that_needs_the_repository_creates_it() -> None:
    play = Play(
        step("getRepositoryMetadata", "r", answer=ABSENT),
        got(ABSENT),
        CONFIGURED,
        sent(MADE),
        step("getRepositoryMetadata", "r", answer=ok({})),
    )
    assert play.run(repositories.metadata(needing(), "r")) == {}


def test_a_lost_response_before_does_not_matter() -> None:
    play = Play(
        step("getRepositoryMetadata", "r", answer=lost()),
        step("getRepositoryMetadata", "r", answer=ABSENT),
        got(ABSENT),
        CONFIGURED,
        sent(MADE),
        step("getRepositoryMetadata", "r", answer=ok({})),
    )
    assert play.run(repositories.metadata(needing(), "r")) == {}


def test_what_is_missing_after_that_is_an_error() -> None:
    play = Play(
        step("getRepositoryMetadata", "r", answer=ABSENT),
        got(record()),  # another client has created it
        listed("r"),
        step("getRepositoryMetadata", "r", answer=ABSENT),
    )
    with pytest.raises(errors.NotFoundException):
        play.run(repositories.metadata(needing(), "r"))


def test_a_repository_that_cannot_be_created_is_the_error() -> None:
    refused = no(403, "insufficient permissions")
    play = Play(step("getRepositoryMetadata", "r", answer=ABSENT), got(ABSENT), CONFIGURED, sent(refused))
    with pytest.raises(errors.ForbiddenException, match="creating lakefs://r at s3://bucket/r"):
        play.run(repositories.metadata(needing(), "r"))


@pytest.mark.parametrize("message", ["branch not found", "not found"])
def test_nothing_else_that_is_missing_creates_it(message: str) -> None:
    play = Play(step("getRepositoryMetadata", "r", answer=no(404, message)))
    with pytest.raises(errors.NotFoundException):
        play.run(repositories.metadata(needing(), "r"))


def test_a_deletion_creates_nothing() -> None:
    play = Play(step("listTags", "r", answer=ABSENT))
    with pytest.raises(errors.NotFoundException):
        play.run(repositories.delete(needing(), "r"))


def test_a_scope_is_part_of_the_default_namespace() -> None:
    scoped = session()
    scoped.scope = "alice-"
    body = {"name": "alice-r", "storage_namespace": "s3://bucket/alice-r"}
    made = ok(models.Repository("alice-r", 1, "main", "s3://bucket/alice-r"), 201)
    play = Play(CONFIGURED, step("createRepository", answer=made, body=body))
    assert play.run(repositories.create(scoped, "r", None, "main")).id == "r"


def test_metadata_is_set_after_the_creation() -> None:
    keys = step("setRepositoryMetadata", "r", answer=ok(), body={"metadata": {"owner": "ada"}})
    made = repositories.create_with_metadata(session(), "r", create(), {"owner": "ada"})
    assert Play(sent(MADE), described(), keys).run(made).id == "r"


def test_a_failure_of_the_metadata_says_that_the_repository_exists() -> None:
    refused = step("setRepositoryMetadata", "r", answer=no(403, "insufficient permissions"))
    made = repositories.create_with_metadata(session(), "r", create(), {"owner": "ada"})
    error = Play(sent(MADE), described(), refused).fails(
        made, errors.ForbiddenException, r"lakefs://r was created, and its metadata may not be set: .*set_metadata"
    )
    assert error.maybe_applied is True
    made = repositories.create_with_metadata(session(), "r", create(), {"owner": "ada"})
    error = Play(sent(TAKEN), listed("r")).fails(made, errors.ConflictException, "not unique")
    assert error.maybe_applied is False


def test_repositories_that_match_are_found_over_pages() -> None:
    """One request per repository, full pages whatever the amount is, and none for what is not needed any more."""
    rows = [models.Repository(f"r{number}", 1, "main", NAMESPACE) for number in range(4)]

    def listed(start: int, more: bool) -> Any:
        position = models.Pagination(more, f"r{start + 1}" if more else "", 2, 1000)
        query = {"amount": "100", **({"after": f"r{start - 1}"} if start else {})}
        page = models.RepositoryPage(position, rows[start : start + 2])
        return step("listRepositories", answer=ok(page), query=query)

    def owner(name: str, answer: Any) -> Any:
        return step("getRepositoryMetadata", name, answer=answer)

    script = [
        *(listed(0, more=True), owner("r0", ok({"owner": "bob"})), owner("r1", ABSENT)),
        *(listed(2, more=False), owner("r2", ok({"owner": "ada"})), owner("r3", ok({"owner": "ada"}))),
    ]
    s = session()
    op = repositories.matching_page(
        s, lambda after, amount: repositories.page(s, after, amount), lambda _, keys: keys["owner"] == "ada", "", 1
    )
    found = Play(*script).run(op)
    assert ([row.id for row in found.results], found.pagination.next_offset) == (["r2"], "r2")
