"""Repositories: create, look up, list, set metadata, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from lakefs_hl.ops import branches, objects, refs, removal, server, tags
from lakefs_hl.ops.effects import Op, gather, sleep
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask
from lakefs_hl.ops.scope import without_creation
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.uri import repository_uri
from lakefs_hl.spec.wire import Request

#: How many times to look for a repository that another client is creating: for three seconds, by the policy's backoff.
MAX_POLLS: Final = 6
#: How long a creation is tried again because the server still has a deleted repository in its cache, and the longest
#: wait in between. lakeFS keeps one for 5 to 7 seconds (`graveler.repository_cache`).
REMEMBERED_SECONDS: Final = 8.0
_LONGEST_WAIT: Final = 1.0
#: The default branch of a repository that is made because a call needs it.
_DEFAULT_BRANCH: Final = "main"
#: Repositories whose metadata is looked up at a time, and the least number of them in a page.
_MAX_CONCURRENT: Final = 16
_LEAST_PAGE: Final = 100


def get(session: Session, repository: str) -> Op[models.Repository]:
    """Return a repository's record."""
    return (yield from ask(session, models.Repository, Request(endpoints.GET_REPOSITORY, (repository,))))


def exists(session: Session, repository: str) -> Op[bool]:
    """Return whether a repository exists."""
    try:
        yield from get(session, repository)
    except errors.NotFoundException:
        return False
    return True


def page(session: Session, after: str, amount: int, *, prefix: str = "", search: str = "") -> Op[models.RepositoryPage]:
    """Return one page of repositories."""
    query = page_query(after, amount, prefix=prefix)
    if search:
        query["search"] = search
    return (yield from ask(session, models.RepositoryPage, Request(endpoints.LIST_REPOSITORIES, (), query)))


def matching_page(
    session: Session,
    next_page: Callable[[str, int], Op[models.RepositoryPage]],
    matches: Callable[[models.Repository, dict[str, str]], bool],
    after: str,
    amount: int,
) -> Op[models.RepositoryPage]:
    """Return a page of the repositories that match, by their record and their metadata.

    lakeFS lists no metadata, so there is a request per repository, some of them at a time.

    Args:
        session: The client's.
        next_page: Makes the op of a page of all repositories.
        matches: Returns whether a repository is wanted.
        after: Name to start after.
        amount: Maximum number of rows.
    """
    while True:
        page = yield from next_page(after, min(max(amount, _LEAST_PAGE), MAX_PAGE))
        found = yield from gather((_metadata_of(session, row) for row in page.results), _MAX_CONCURRENT)
        rows = [row for row, has in zip(page.results, found, strict=True) if has is not None and matches(row, has)]
        more, after = page.pagination.has_more, page.pagination.next_offset
        if len(rows) > amount:
            rows = rows[:amount]
            more, after = True, rows[-1].id
        if rows or not more:
            return models.RepositoryPage(models.Pagination(more, after if more else "", len(rows), MAX_PAGE), rows)


def _metadata_of(session: Session, record: models.Repository) -> Op[dict[str, str] | None]:
    """Return the metadata of a repository that was listed. None if it was deleted since."""
    try:
        return (yield from metadata(session, record.id))
    except errors.NotFoundException:
        return None


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
    """Create a repository. Without a namespace it is created under the server's default prefix."""
    session = without_creation(session)
    namespace = storage_namespace or (yield from default_namespace(session, repository))
    creation = models.RepositoryCreation(
        repository, namespace, default_branch, sample_data=include_samples or None, read_only=read_only or None
    )
    request = json_request(endpoints.CREATE_REPOSITORY, (), creation)
    about = endpoints.CREATE_REPOSITORY.describe(name=repository_uri(repository), namespace=namespace)
    try:
        return (yield from _ask_until_forgotten(session, repository, request, about))
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
            exc.args = (f"{exc}. An earlier attempt has used the namespace without creating the repository",)
        raise


def _ask_until_forgotten(session: Session, repository: str, request: Request, about: str) -> Op[models.Repository]:
    """Send a creation, again while the server refuses it because of a repository that was deleted a moment ago."""
    waited, tries = 0.0, 0
    while True:
        try:
            return (yield from ask(session, models.Repository, request, about=about))
        except errors.ConflictException as exc:
            if waited >= REMEMBERED_SECONDS or not (yield from _is_deleted(session, repository)):
                raise
            reason = str(exc)
        tries += 1
        upto = min(_LONGEST_WAIT, session.policy.backoff(tries, busy=False))
        waited += yield from sleep(upto, upto / 2, reason, request.endpoint.operation)


def _is_deleted(session: Session, repository: str) -> Op[bool]:
    """Return whether a repository that lakeFS says it has was deleted: its lookups are cached, its listing is not."""
    if not session.remote or session.exactly_once:
        return False
    try:
        listed = yield from page(session, "", 1, prefix=repository)
    except errors.LakeFSException:  # these credentials may not list
        return False
    return all(row.id != repository for row in listed.results)


def create_with_metadata(
    session: Session, repository: str, creation: Op[models.Repository], metadata: Mapping[str, str]
) -> Op[models.Repository]:
    """Create a repository and set keys of its metadata, by a second request: lakeFS takes none for a new one.

    Args:
        session: The client's.
        repository: Repository ID.
        creation: Creates it.
        metadata: The keys.

    Raises:
        LakeFSException: `maybe_applied` is True and the message says so, if it was created and its metadata not set.
    """
    made = yield from creation
    try:
        yield from set_metadata(without_creation(session), repository, metadata)
    except errors.LakeFSException as exc:
        made_it = f"{repository_uri(repository)} was created, and its metadata may not be set"
        exc.args = (f"{made_it}: {exc}; set_metadata(metadata) of the repository sets it",)
        exc.maybe_applied = True
        raise
    return made


def _namespace_advice(session: Session) -> str:
    if not session.remote or session.exactly_once:
        return "an embedded lake stores objects in its own directory: omit storage_namespace"
    return "the server has another kind of object store: omit storage_namespace to use the server's default prefix"


def _look(session: Session, repository: str, failed: errors.LakeFSException | None) -> Op[models.Repository | None]:
    """Return the repository that a failed creation, or another client, may have created; else raise the failure."""
    try:
        return (yield from get(session, repository))
    except errors.NotFoundException:
        return None
    except errors.LakeFSException:
        if failed is None:
            raise
        raise failed from failed.__cause__


def default_namespace(session: Session, repository: str) -> Op[str]:
    """Return `<default_namespace_prefix>/<repository>` by the server's configuration, by its name on the server."""
    try:
        storage = yield from server.storage(session)
    except errors.ForbiddenException as exc:
        exc.args = (f"creating {repository_uri(repository)}: {exc}; or pass storage_namespace",)
        raise
    scheme, separator, prefix = (storage.default_namespace_prefix or "").partition("://")
    if not separator:
        example = f", such as {storage.blockstore_namespace_example}" if storage.blockstore_namespace_example else ""
        msg = (
            f"creating {repository_uri(repository)}: the server {session.endpoint} has no default prefix for new "
            f"repositories (default_namespace_prefix is {storage.default_namespace_prefix!r}): pass "
            f"storage_namespace{example}"
        )
        raise errors.InvalidConfigError(msg)
    return f"{scheme}://{prefix.rstrip('/') + '/' if prefix else ''}{session.scope}{repository}"


def get_or_create(
    session: Session,
    repository: str,
    storage_namespace: str | None,
    default_branch: str,
    *,
    include_samples: bool = False,
    read_only: bool = False,
) -> Op[tuple[models.Repository, bool]]:
    """Return the repository, and whether this call created it. Safe to call concurrently."""
    session = without_creation(session)
    found = yield from _look(session, repository, None)
    if found is not None and not (yield from _is_deleted(session, repository)):
        return found, False
    try:
        created = yield from create(
            session, repository, storage_namespace, default_branch, include_samples=include_samples, read_only=read_only
        )
    except (errors.ConflictException, errors.BadRequestException) as exc:
        in_use = exc.kind is ErrorKind.NAMESPACE_IN_USE
        if isinstance(exc, errors.BadRequestException) and not in_use:
            raise
        for tries in range(1, MAX_POLLS + 1):  # its creator takes the namespace first, then the name
            found = yield from _look(session, repository, exc)
            if found is not None:
                return found, False
            if not in_use or tries == MAX_POLLS:
                raise
            pause = session.policy.backoff(tries, busy=False)
            yield from sleep(pause, 0.0, str(exc), endpoints.CREATE_REPOSITORY.operation)
    return created, True


def make(session: Session, repository: str) -> Op[None]:
    """Create a repository that does not exist, with the server's defaults."""
    yield from get_or_create(session, repository, None, _DEFAULT_BRANCH)


def delete(session: Session, repository: str, *, force: bool = False) -> Op[None]:
    """Delete an empty repository. With `force`, delete it with everything in it, even if it is read-only.

    lakeFS itself would delete a repository with content. The check and the deletion are two requests: what is written
    in between is deleted too. If the response is lost, the request is retried only if the repository is the same one by
    its creation time and namespace.

    Raises:
        RepositoryNotEmptyError: The repository has an object, a commit or a tag. The message names one.
    """
    session = without_creation(session)
    if not force and (content := (yield from _content(session, repository))):
        about = endpoints.DELETE_REPOSITORY.describe(repository)
        msg = f"{about}: it contains {content}; force=True deletes it with everything in it"
        raise errors.RepositoryNotEmptyError(msg)
    before = yield from removal.look_up_before(session, get(session, repository))

    def look() -> Op[removal.Verdict]:
        try:
            now = yield from get(session, repository)
            if before is None or _identity(now) != _identity(before):
                return removal.Verdict.CHANGED
            content = "" if force else (yield from _content(session, repository))
        except errors.ServerException as exc:
            if exc.kind not in (ErrorKind.REPOSITORY_NOT_FOUND, ErrorKind.REPOSITORY_IN_DELETION):
                raise
            return removal.Verdict.APPLIED
        return removal.Verdict.CHANGED if content else removal.Verdict.UNCHANGED

    request = Request(endpoints.DELETE_REPOSITORY, (repository,), {"force": "true"} if force else {})
    yield from removal.run(session, request, look)


def _identity(repository: models.Repository) -> tuple[int, str]:
    """Return what distinguishes a repository from a later one of the same name."""
    return repository.creation_date, repository.storage_namespace


def _content(session: Session, repository: str) -> Op[str]:
    """Return one thing that a repository contains, in words; "" if it is empty."""
    found = yield from tags.page(session, repository, "", 1)
    if found.results:
        return f"tag {found.results[0].id!r}"
    after, more = "", True
    while more:
        page = yield from branches.page(session, repository, after, MAX_PAGE, hidden=True)
        for branch in page.results:
            listed = yield from objects.list_page(session, repository, branch.id, "", 1)
            if listed.results:
                return f"object {listed.results[0].path!r} on branch {branch.id!r}"
            history = yield from refs.log_page(session, repository, branch.id, "", 2)
            if len(history.results) > 1:
                return f"commits on branch {branch.id!r}"
            staged = yield from branches.uncommitted_page(session, repository, branch.id, "", 1)
            if staged.results:
                return f"uncommitted changes on branch {branch.id!r}"
        after, more = page.pagination.next_offset, page.pagination.has_more
    return ""


def metadata(session: Session, repository: str) -> Op[dict[str, str]]:
    """Return the repository's metadata."""
    return (yield from ask(session, dict[str, str], Request(endpoints.GET_REPOSITORY_METADATA, (repository,))))


def set_metadata(session: Session, repository: str, metadata: Mapping[str, str]) -> Op[None]:
    """Set metadata keys. Other keys are kept."""
    body = models.RepositoryMetadataSet(dict(metadata))
    request = json_request(endpoints.SET_REPOSITORY_METADATA, (repository,), body)
    yield from _change_metadata(session, repository, request, dict(metadata))


def delete_metadata(session: Session, repository: str, keys: Iterable[str]) -> Op[None]:
    """Delete metadata keys. Unknown keys are ignored."""
    body = models.RepositoryMetadataKeys([keys] if isinstance(keys, str) else list(keys))
    request = json_request(endpoints.DELETE_REPOSITORY_METADATA, (repository,), body)
    yield from _change_metadata(session, repository, request, dict.fromkeys(body.keys))


def _change_metadata(session: Session, repository: str, request: Request, wanted: Mapping[str, str | None]) -> Op[None]:
    """Change metadata keys. If the response is lost, retry only if each key has its old value."""
    before = yield from removal.look_up_before(session, metadata(session, repository))

    def look() -> Op[removal.Verdict]:
        now = yield from metadata(session, repository)
        if all(now.get(key) == value for key, value in wanted.items()):
            return removal.Verdict.APPLIED
        same = before is not None and all(now.get(key) == before.get(key) for key in wanted)
        return removal.Verdict.UNCHANGED if same else removal.Verdict.CHANGED

    yield from removal.run(session, request, look)
