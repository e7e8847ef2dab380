"""Action runs: the runs of a repository's actions, their hooks and what these printed. Read-only."""

from __future__ import annotations

from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.failure import body_of
from lakefs_hl.ops.retry import Session, ask, call, check_page
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request


def page(
    session: Session, repository: str, after: str, amount: int, *, branch: str = "", commit: str = ""
) -> Op[models.ActionRunPage]:
    """Return one page of action runs, newest first: all, those of a branch, or those of a commit."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if branch:
        query["branch"] = branch
    if commit:
        query["commit"] = commit
    return (
        yield from ask(session, models.ActionRunPage, Request(endpoints.LIST_REPOSITORY_RUNS, (repository,), query))
    )


def get(session: Session, repository: str, run: str) -> Op[models.ActionRun]:
    """Return the record of an action run."""
    return (yield from ask(session, models.ActionRun, Request(endpoints.GET_RUN, (repository, run))))


def hooks_page(session: Session, repository: str, run: str, after: str, amount: int) -> Op[models.HookRunPage]:
    """Return one page of the hooks of an action run. lakeFS returns none for a run that does not exist."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    return (yield from ask(session, models.HookRunPage, Request(endpoints.LIST_RUN_HOOKS, (repository, run), query)))


def output(session: Session, repository: str, run: str, hook_run: str) -> Op[bytes]:
    """Return what a hook printed; empty if it was skipped.

    Raises:
        NotFoundException: There is no such run or hook.
        ProtocolException: A web page came instead, from a proxy or a login page.
    """
    request = Request(endpoints.GET_RUN_HOOK_OUTPUT, (repository, run, hook_run))
    response = yield from call(session, request)
    if "text/html" in response.headers.get("content-type", ""):  # the output itself may look like one
        check_page(session, request, response)
    return body_of(response)
