"""Repositories: make, look up, list, describe, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from lakefs_hl.ops import branches, logged, objects, refs, removal, server, tags
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.paging import PAGE
from lakefs_hl.ops.retry import Session, ask
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import repository_uri
from lakefs_hl.spec.wire import Request

#: How often a repository is looked for that somebody else is making; three seconds at most, by the policy's back-off.
LOOKS: Final = 6


def get(session: Session, repository: str) -> Op[models.Repository]:
    """The repository's record."""
    return (yield from ask(session, models.Repository, Request(endpoints.GET_REPOSITORY, (repository,))))


def exists(session: Session, repository: str) -> Op[bool]:
    """Whether there is such a repository."""
    try:
        yield from get(session, repository)
    except errors.NotFoundException:
        return False
    return True


def page(session: Session, after: str, amount: int, *, prefix: str = "", search: str = "") -> Op[models.RepositoryPage]:
    """One page of repositories."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if search:
        query["search"] = search
    return (yield from ask(session, models.RepositoryPage, Request(endpoints.LIST_REPOSITORIES, (), query)))


def create(
    session: Session,
    repository: str,
    storage_namespace: str | None,
    default_branch: str,
    *,
    include_samples: bool = False,
    read_only: bool = False,
    exist_ok: bool = False,
) -> Op[models.Repository]:
    """Makes a repository; without a namespace, in the place that the server proposes."""
    namespace = storage_namespace or (yield from default_namespace(session, repository))
    creation = models.RepositoryCreation(
        repository, namespace, default_branch, sample_data=include_samples or None, read_only=read_only or None
    )
    request = logged.request(endpoints.CREATE_REPOSITORY, (), creation)
    about = f"creating {repository_uri(repository)} at {namespace}"
    try:
        return (yield from ask(session, models.Repository, request, about=about))
    except errors.LakeFSException as exc:
        exists = exist_ok and isinstance(exc, errors.ConflictException)
        if isinstance(exc, errors.ServerException) and exc.kind is ErrorKind.INVALID_NAMESPACE:
            exc.args = (f"{exc}; {_namespace_advice(session)}",)
        if exc.maybe_applied is False and not exists:
            raise
        found = yield from _look(session, repository, exc)
        if found is not None and (exists or found.storage_namespace == namespace):
            return found
        if isinstance(exc, errors.ServerException) and exc.kind is ErrorKind.NAMESPACE_IN_USE:
            exc.args = (f"{exc}. An earlier try of this call has touched the namespace, and no repository came of it",)
        raise


def _namespace_advice(session: Session) -> str:
    if not session.remote or session.exactly_once:
        return "an embedded lake keeps its objects in its own folder: leave storage_namespace out"
    return "the server's store is of another kind: leave storage_namespace out to take the place that it proposes"


def _look(session: Session, repository: str, failed: errors.LakeFSException | None) -> Op[models.Repository | None]:
    """The repository that a failed creation may have made, or that somebody else made meanwhile; else its failure."""
    try:
        return (yield from get(session, repository))
    except errors.NotFoundException:
        return None
    except errors.LakeFSException:
        if failed is None:
            raise
        raise failed from failed.__cause__


def default_namespace(session: Session, repository: str) -> Op[str]:
    """`<default_namespace_prefix>/<repository>` by the server's configuration."""
    storage = yield from server.storage(session)
    scheme, mark, place = (storage.default_namespace_prefix or "").partition("://")
    if not mark:
        example = f", such as {storage.blockstore_namespace_example}" if storage.blockstore_namespace_example else ""
        msg = (
            f"the server{' ' + session.where if session.where else ''} proposes no place for new repositories "
            f"(default_namespace_prefix is {storage.default_namespace_prefix!r}): give {repository!r} a "
            f"storage_namespace{example}"
        )
        raise errors.InvalidConfigError(msg)
    return f"{scheme}://{place.rstrip('/') + '/' if place else ''}{repository}"


def get_or_create(
    session: Session,
    repository: str,
    storage_namespace: str | None,
    default_branch: str,
    *,
    include_samples: bool = False,
    read_only: bool = False,
) -> Op[tuple[models.Repository, bool]]:
    """The repository, and whether this call made it; two calls at once both succeed."""
    found = yield from _look(session, repository, None)
    if found is not None:
        return found, False
    try:
        made = yield from create(
            session, repository, storage_namespace, default_branch, include_samples=include_samples, read_only=read_only
        )
    except (errors.ConflictException, errors.BadRequestException) as exc:
        touched = exc.kind is ErrorKind.NAMESPACE_IN_USE
        if isinstance(exc, errors.BadRequestException) and not touched:
            raise
        for tries in range(1, LOOKS + 1):  # somebody was faster; its marker comes first, the repository a little later
            found = yield from _look(session, repository, exc)
            if found is not None:
                return found, False
            if not touched or tries == LOOKS:
                raise
            yield from sleep(session.policy.backoff(tries, busy=False))
    return made, True


def delete(session: Session, repository: str, *, force: bool = False) -> Op[None]:
    """Deletes a repository that holds nothing; with `force` whatever it holds, read-only or not.

    lakeFS itself would delete a full one. The look and the deletion are two requests: what is written in between goes.
    When the answer is lost: sent again only if the repository is the same one by its time and namespace.

    Raises:
        RepositoryNotEmptyError: It holds an object, a commit or a tag; the message names one.
    """
    if not force and (holds := (yield from _content(session, repository))):
        msg = f"deleting {repository_uri(repository)}: it holds {holds}; force=True deletes it with all it holds"
        raise errors.RepositoryNotEmptyError(msg)
    before = yield from removal.note(session, get(session, repository))

    def look() -> Op[removal.Verdict]:
        try:
            now = yield from get(session, repository)
            if before is None or _identity(now) != _identity(before):
                return removal.Verdict.CHANGED
            holds = "" if force else (yield from _content(session, repository))
        except errors.ServerException as exc:
            if exc.kind not in (ErrorKind.REPOSITORY_NOT_FOUND, ErrorKind.REPOSITORY_IN_DELETION):
                raise
            return removal.Verdict.DONE
        return removal.Verdict.CHANGED if holds else removal.Verdict.SAME

    request = Request(endpoints.DELETE_REPOSITORY, (repository,), {"force": "true"} if force else {})
    yield from removal.run(session, request, look)


def _identity(repository: models.Repository) -> tuple[int, str]:
    """What tells a repository from one of the same name that was made after it."""
    return repository.creation_date, repository.storage_namespace


def _content(session: Session, repository: str) -> Op[str]:
    """Names one thing that a repository holds; "" if it holds nothing."""
    found = yield from tags.page(session, repository, "", 1)
    if found.results:
        return f"tag {found.results[0].id!r}"
    after, more = "", True
    while more:
        page = yield from branches.page(session, repository, after, PAGE, hidden=True)
        for branch in page.results:
            listed = yield from objects.list_page(session, repository, branch.id, "", 1)
            if listed.results:
                return f"object {listed.results[0].path!r} on branch {branch.id!r}"
            history = yield from refs.log_page(session, repository, branch.id, "", 2)
            if len(history.results) > 1:
                return f"commits on branch {branch.id!r}"
            staged = yield from branches.uncommitted_page(session, repository, branch.id, "", 1)
            if staged.results:
                return f"staged changes on branch {branch.id!r}"
        after, more = page.pagination.next_offset, page.pagination.has_more
    return ""


def metadata(session: Session, repository: str) -> Op[dict[str, str]]:
    """The repository's metadata."""
    return (yield from ask(session, dict[str, str], Request(endpoints.GET_REPOSITORY_METADATA, (repository,))))


def set_metadata(session: Session, repository: str, metadata: Mapping[str, str]) -> Op[None]:
    """Sets keys; others stay."""
    body = models.RepositoryMetadataSet(dict(metadata))
    request = logged.request(endpoints.SET_REPOSITORY_METADATA, (repository,), body)
    yield from _change_metadata(session, repository, request, dict(metadata))


def delete_metadata(session: Session, repository: str, keys: Iterable[str]) -> Op[None]:
    """Drops keys; unknown ones are ignored."""
    body = models.RepositoryMetadataKeys([keys] if isinstance(keys, str) else list(keys))
    request = logged.request(endpoints.DELETE_REPOSITORY_METADATA, (repository,), body)
    yield from _change_metadata(session, repository, request, dict.fromkeys(body.keys))


def _change_metadata(session: Session, repository: str, request: Request, wanted: Mapping[str, str | None]) -> Op[None]:
    """Changes some keys; after a lost answer again only if each still has the value that it had."""
    before = yield from removal.note(session, metadata(session, repository))

    def look() -> Op[removal.Verdict]:
        now = yield from metadata(session, repository)
        if all(now.get(key) == value for key, value in wanted.items()):
            return removal.Verdict.DONE
        same = before is not None and all(now.get(key) == before.get(key) for key in wanted)
        return removal.Verdict.SAME if same else removal.Verdict.CHANGED

    yield from removal.run(session, request, look)
