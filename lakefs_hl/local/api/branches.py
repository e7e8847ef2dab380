"""Branches: make, look up, list, reset, undo, remove."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import TEXT, Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.refusals import refusal
from lakefs_hl.spec.wire import Request, Response

_RESETS: Final = ("object", "common_prefix", "reset")


def list_branches(engine: Engine, request: Request, who: str) -> Response:
    """One page of branches."""
    query = request.query
    return ok(
        engine.branches.page(
            request.params[0],
            checks.prefix(query),
            checks.text(query, "after"),
            checks.amount(query),
            checks.flag(query, "show_hidden"),
        )
    )


def get_branch(engine: Engine, request: Request, who: str) -> Response:
    """One branch."""
    repository, branch = request.params
    return ok(engine.branches.get(repository, branch))


def _commit_id(found: str) -> Response:
    return Response(201, TEXT, found.encode(), reason="Created")


@effect(_commit_id)
def create_branch(engine: Engine, request: Request, who: str) -> str:
    """Makes a branch; the answer is its commit id as plain text."""
    creation = checks.body(models.BranchCreation, request)
    if not creation.source:
        raise refusal(500, "argument ref: required value: validation error")  # a status that clients of lakeFS know
    return engine.branches.create(request.params[0], creation)


@effect(done)
def delete_branch(engine: Engine, request: Request, who: str) -> None:
    """Removes a branch and what is staged on it."""
    repository, branch = request.params
    engine.branches.delete(repository, branch, checks.flag(request.query, "force"))


@effect(done)
def reset_branch(engine: Engine, request: Request, who: str) -> None:
    """Drops staged changes."""
    repository, branch = request.params
    reset = checks.body(models.Reset, request)
    checks.one_of(reset.type, _RESETS, "type")
    engine.branches.reset(repository, branch, reset)


@effect(done)
def hard_reset_branch(engine: Engine, request: Request, who: str) -> None:
    """Moves the head."""
    repository, branch = request.params
    query = request.query
    engine.branches.hard_reset(repository, branch, checks.required(query, "ref"), checks.flag(query, "force"))


def diff_branch(engine: Engine, request: Request, who: str) -> Response:
    """One page of staged changes."""
    repository, branch = request.params
    query = request.query
    return ok(
        engine.diffs.branch(
            repository,
            branch,
            after=checks.text(query, "after"),
            amount=checks.amount(query),
            prefix=checks.prefix(query),
            delimiter=checks.text(query, "delimiter"),
        )
    )


def _no_content(commit: models.Commit) -> Response:
    return done()


@effect(_no_content)
def revert_branch(engine: Engine, request: Request, who: str) -> models.Commit:
    """Commits the inverse of a commit."""
    repository, branch = request.params
    return engine.merges.revert(repository, branch, checks.body(models.Revert, request), who=who)


@effect(created)
def cherry_pick(engine: Engine, request: Request, who: str) -> models.Commit:
    """Commits what another commit changed."""
    repository, branch = request.params
    return engine.merges.cherry_pick(repository, branch, checks.body(models.CherryPick, request), who=who)


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.LIST_BRANCHES.operation: list_branches,
    endpoints.GET_BRANCH.operation: get_branch,
    endpoints.CREATE_BRANCH.operation: create_branch,
    endpoints.DELETE_BRANCH.operation: delete_branch,
    endpoints.RESET_BRANCH.operation: reset_branch,
    endpoints.HARD_RESET_BRANCH.operation: hard_reset_branch,
    endpoints.DIFF_BRANCH.operation: diff_branch,
    endpoints.REVERT_BRANCH.operation: revert_branch,
    endpoints.CHERRY_PICK.operation: cherry_pick,
}
