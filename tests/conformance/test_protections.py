"""Branch protection, versioning, and the policies that lakeFS does not have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.worlds import World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


def test_rules_are_added_listed_and_removed(repo: Any) -> None:
    assert repo.protections() == []
    repo.protect("release-*")
    repo.protect(repo.branch("main"))
    repo.protect("release-*")  # is there already
    assert repo.protections() == ["main", "release-*"]
    repo.unprotect("release-*")
    assert repo.protections() == ["main"]
    repo.unprotect(f"lakefs://{repo.id}/main")
    assert repo.protections() == []
    repo.protect("dev")  # the first one again
    assert repo.protections() == ["dev"]


def test_a_pattern_is_a_text_or_a_branch(repo: Any) -> None:
    for call in (repo.protect, repo.unprotect):
        with pytest.raises(TypeError, match=r"pattern must be a string, not int: 5: a pattern of branch names"):
            call(5)


def test_only_merges_change_a_protected_branch(repo: Any) -> None:
    main, side = repo.branch("main"), repo.branch("side").create("main")
    repo.protect("ma*")
    with pytest.raises(exceptions.ForbiddenException, match="protected"):
        main.upload(b"1", "a")
    side.upload(b"1", "a")
    side.commit_changes("one")
    side.merge_into(main)
    assert main.download("a") == b"1"
    repo.unprotect("ma*")


def test_a_rule_that_does_not_exist(world: World, repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="there are no rules"):
        repo.unprotect("main")
    repo.protect("dev")
    with pytest.raises(exceptions.NotFoundException, match="no rule has this pattern; the rules are 'dev'"):
        repo.unprotect("main")
    missing = world.repository("t-missing")
    for call in (missing.protections, lambda: missing.protect("a"), lambda: missing.unprotect("a")):
        with pytest.raises(exceptions.NotFoundException, match="t-missing"):
            call()


def test_a_pattern_that_lakefs_cannot_read(repo: Any) -> None:
    for pattern, why in {
        "": "not be empty",
        "a[b": "no ']'",
        "a[]": "no ']'",
        "{a,b": "no '}'",
        "a\\": "literally",
    }.items():
        with pytest.raises(ValueError, match=why):
            repo.protect(pattern)
    for pattern in ("{a,b-*}", "[a-z]x", "a?", "*", "\\[a"):
        repo.protect(pattern)
        repo.branch("main").exists("x")
    assert len(repo.protections()) == 5


def test_no_rule_of_others_is_lost(world: World, repo: Any) -> None:
    """Many writers at once, from the first rule on."""
    if world.awaitable:
        pytest.skip("needs threads; the op is the same in both colours")
    client, name = bare(world.client), repo.id
    wanted = [f"b{number}-*" for number in range(8)]

    def protect(pattern: str) -> None:
        lakefs_hl.repository(name, client=client).protect(pattern)

    repo.protect("first")  # lakeFS itself adds a first rule without looking whether others do
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(protect, wanted))
    assert repo.protections() == [*wanted, "first"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pattern: lakefs_hl.repository(name, client=client).unprotect(pattern), wanted))
    assert repo.protections() == ["first"]


def test_versioning_is_always_on(repo: Any) -> None:
    assert repo.versioning is True
    target = bare(repo)
    for value, why in ((False, "cannot be switched off"), (True, "need not be switched on")):
        with pytest.raises(exceptions.UnsupportedOperationException, match=why) as caught:
            target.versioning = value
        assert "history(path)" in str(caught.value)
    assert repo.versioning is True


def test_bucket_policies(repo: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"]}]}
    calls = [
        lambda: repo.set_policy(policy),
        lambda: repo.set_policy('{"Statement": []}'),
        repo.policy,
        repo.delete_policy,
        lambda: repo.protect(policy),
        lambda: repo.protect('{"Statement": []}'),
    ]
    for call in calls:
        with pytest.raises(exceptions.UnsupportedOperationException, match=r"protect\(pattern\).*presign\(path\)"):
            call()
