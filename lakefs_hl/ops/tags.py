"""Tags: create, look up, list, delete. A tag never moves."""

from __future__ import annotations

from lakefs_hl.ops import removal
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.refs import pin
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request


def get(session: Session, repository: str, tag: str) -> Op[models.Ref]:
    """Return a tag and its commit."""
    return (yield from ask(session, models.Ref, Request(endpoints.GET_TAG, (repository, tag))))


def exists(session: Session, repository: str, tag: str) -> Op[bool]:
    """Return whether the tag exists, in one request.

    Raises:
        NotFoundException: There is no such repository.
    """
    try:
        yield from get(session, repository, tag)
    except errors.NotFoundException as exc:
        if exc.kind is ErrorKind.REPOSITORY_NOT_FOUND:
            raise
        return False
    return True


def page(session: Session, repository: str, after: str, amount: int, *, prefix: str = "") -> Op[models.RefPage]:
    """Return one page of tags."""
    request = Request(endpoints.LIST_TAGS, (repository,), page_query(after, amount, prefix=prefix))
    return (yield from ask(session, models.RefPage, request))


def create(session: Session, repository: str, tag: str, ref: str, *, exist_ok: bool = False) -> Op[models.Ref]:
    """Create a tag at the commit that `ref` resolves to now. With `exist_ok` an existing tag must be at that commit."""
    about = endpoints.CREATE_TAG.describe(repository, id=tag, target=ref)
    pinned = yield from pin(session, repository, ref, about=about)
    request = json_request(endpoints.CREATE_TAG, (repository,), models.TagCreation(tag, pinned))
    try:
        return (yield from ask(session, models.Ref, request, about=about))
    except errors.LakeFSException as exc:
        exists = exist_ok and isinstance(exc, errors.ConflictException)
        if exc.maybe_applied is False and not exists:
            raise
        found = yield from _look(session, repository, tag, exc)
        if found.commit_id == pinned:
            return found
        earlier = "" if exc.maybe_applied is False else ", perhaps created by an earlier attempt"
        exc.args = (f"{exc}; a tag of this name exists at {found.commit_id}, not at {pinned}{earlier}",)
        raise


def _look(session: Session, repository: str, tag: str, failed: errors.LakeFSException) -> Op[models.Ref]:
    """Return the tag that a failed creation may have made. If there is none, raise the failure."""
    try:
        return (yield from get(session, repository, tag))
    except errors.LakeFSException:
        raise failed from failed.__cause__


def delete(session: Session, repository: str, tag: str) -> Op[None]:
    """Delete a tag. Its commit is kept.

    If the response is lost, the request is retried only if the tag is still at the same commit.
    """
    before = yield from removal.look_up_before(session, get(session, repository, tag))

    def look() -> Op[removal.Verdict]:
        try:
            now = yield from get(session, repository, tag)
        except errors.NotFoundException:
            return removal.Verdict.APPLIED
        same = before is not None and now.commit_id == before.commit_id
        return removal.Verdict.UNCHANGED if same else removal.Verdict.CHANGED

    yield from removal.run(session, Request(endpoints.DELETE_TAG, (repository, tag)), look)
