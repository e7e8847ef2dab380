"""Objects without their content: look up, list, delete, copy, set metadata. `ops.transfer` moves the content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from lakefs_hl.ops import refs, removal
from lakefs_hl.ops.effects import Op, gather, sleep
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask, call, with_key
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.limits import MAX_DELETE
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: Maximum number of concurrent look-ups after a batch without a response.
MAX_LOOKUPS: Final = 16
#: Status of an item whose outcome is unknown, because no response had it.
UNKNOWN: Final = 0
_KEPT: Final = (
    "outcome unknown: the response was lost, and the object that exists now may have been written since; it was kept. "
    "Delete it again if it is not needed"
)


def stat(session: Session, repository: str, ref: str, path: str, *, presign: bool = False) -> Op[models.ObjectStats]:
    """Return an object's record. With `presign` its physical address is a pre-signed URL."""
    query = {"path": path, "presign": "true"} if presign else {"path": path}
    try:
        return (yield from ask(session, models.ObjectStats, Request(endpoints.STAT_OBJECT, (repository, ref), query)))
    except errors.ObjectNotFoundException:
        yield from check_reference(session, repository, ref, endpoints.STAT_OBJECT.describe(repository, ref, path=path))
        raise


def look(session: Session, repository: str, ref: str, path: str) -> Op[models.ObjectStats | None]:
    """Return an object's record. None if the object or its reference does not exist."""
    request = Request(endpoints.STAT_OBJECT, (repository, ref), {"path": path})
    try:
        return (yield from ask(session, models.ObjectStats, request))
    except errors.NotFoundException:
        return None


def exists(session: Session, repository: str, ref: str, path: str) -> Op[bool]:
    """Return whether an object exists.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    try:
        yield from stat(session, repository, ref, path)
    except errors.ObjectNotFoundException:
        return False
    return True


def check_reference(session: Session, repository: str, ref: str, about: str) -> Op[None]:
    """Raise if the reference is what does not exist: lakeFS sends the same 404 for it as for a missing object.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    if ref.endswith("$"):  # "branch$" is no commit
        request = Request(endpoints.GET_BRANCH, (repository, ref.removesuffix("$")))
    else:
        request = Request(endpoints.GET_COMMIT, (repository, ref))
    try:
        yield from call(session, request, about=about)
    except errors.NotFoundException:
        raise
    except errors.LakeFSException:
        return  # unknown, so the server's own response stands


def list_page(
    session: Session,
    repository: str,
    ref: str,
    after: str,
    amount: int,
    *,
    prefix: str = "",
    delimiter: str = "",
    presign: bool = False,
) -> Op[models.ObjectPage]:
    """Return one page of a listing."""
    query = page_query(after, amount, prefix=prefix, delimiter=delimiter)
    if presign:
        query["presign"] = "true"
    return (yield from ask(session, models.ObjectPage, Request(endpoints.LIST_OBJECTS, (repository, ref), query)))


def delete(session: Session, repository: str, branch: str, path: str) -> Op[None]:
    """Delete one object. It need not exist.

    If the response is lost and the object exists, the request is retried only if the object is older than the request
    by the server's clock, so that a later write of others is kept.
    """
    yield from removal.learn_server(session, repository, branch)
    since = session.date

    def verdict() -> Op[removal.Verdict]:
        (remains,) = yield from _remains(session, repository, branch, [path], since)
        return remains

    request = Request(endpoints.DELETE_OBJECT, (repository, branch), {"path": path})
    try:
        yield from removal.run(session, request, verdict)
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from refs.check_writable(session, repository, branch, request.describe(), exc)
        raise


def _remains(session: Session, repository: str, branch: str, paths: list[str], since: str) -> Op[list[removal.Verdict]]:
    """Return what became of objects that were deleted, by the server's clock when the request was sent."""
    found = yield from gather((look(session, repository, branch, path) for path in paths), MAX_LOOKUPS)
    verdicts = [_verdict_on(record, since) for record in found]
    if removal.Verdict.UNCHANGED not in verdicts:
        return verdicts
    head = yield from refs.commit(session, repository, branch)  # a merge or an import adds objects with old times
    if removal.is_older(since, head.creation_date):
        return verdicts
    return [removal.Verdict.CHANGED if each is removal.Verdict.UNCHANGED else each for each in verdicts]


def _verdict_on(record: models.ObjectStats | None, since: str) -> removal.Verdict:
    if record is None:
        return removal.Verdict.APPLIED
    return removal.Verdict.UNCHANGED if removal.is_older(since, record.mtime) else removal.Verdict.CHANGED


def delete_batch(session: Session, repository: str, branch: str, paths: Iterable[str]) -> Op[list[models.ObjectError]]:
    """Delete at most 1,000 objects and return those that failed.

    Items that failed with a server error are retried, and only those, if they are unchanged. A missing branch goes
    unnoticed: lakeFS responds to such a batch with 200 and no errors. `delete_all` checks it first.
    """
    left, since = list(paths), session.date
    if "" in left:  # lakeFS would delete nothing at all and respond with 200
        msg = f"{endpoints.DELETE_OBJECTS.describe(repository, branch)}: the path of an object must not be empty"
        raise ValueError(msg)
    rejected, request, last = list[models.ObjectError](), _deletion(session, repository, branch, left), False
    for tries in range(1, session.policy.attempts + 1):
        last = tries == session.policy.attempts
        try:
            result = yield from ask(session, models.ObjectErrors, request)
        except errors.LakeFSException as exc:
            if exc.maybe_applied is False or not session.remote:
                raise
            if session.repeats:  # `call` has retried it by its key, unless the response was unreadable
                if last or not isinstance(exc, errors.ProtocolException):
                    raise
                continue
            left, kept = yield from _sort_out(session, repository, branch, left, since, exc)
            rejected += kept
            if not left:
                break
            if last:
                raise
            yield from _pause(session, tries, str(exc))
            request = _deletion(session, repository, branch, left)
            continue
        failed = [error for error in result.errors if error.status_code >= 500 or error.status_code == 429]
        again = [error for error in failed if error.path is not None] if not last else []
        rejected += [error for error in result.errors if error not in again]
        if not again:
            break
        yield from _wait(session, tries, again)
        left, changed = yield from _still_there(session, repository, branch, again, since)
        rejected += changed
        if not left:
            break
        request = _deletion(session, repository, branch, left)
    return rejected


def _wait(session: Session, tries: int, again: list[models.ObjectError]) -> Op[None]:
    """Wait before the objects that failed are deleted again."""
    busy = any(error.status_code == 429 for error in again)
    reason = f"deleteObjects: {len(again)} objects failed, the first with HTTP {again[0].status_code}"
    yield from _pause(session, tries, reason, busy=busy)


def _pause(session: Session, tries: int, reason: str, *, busy: bool = False) -> Op[None]:
    yield from sleep(session.policy.backoff(tries, busy=busy), 0.0, reason, endpoints.DELETE_OBJECTS.operation)


def _still_there(
    session: Session, repository: str, branch: str, failed: list[models.ObjectError], since: str
) -> Op[tuple[list[str], list[models.ObjectError]]]:
    """Return which of the items that failed with a server error to retry, and which may have been rewritten."""
    paths = [error.path for error in failed if error.path is not None]
    if not session.remote:
        return paths, []
    try:
        verdicts = yield from _remains(session, repository, branch, paths, since)
    except errors.LakeFSException:
        return [], failed
    looked = list(zip(failed, verdicts, strict=True))
    again = [error.path or "" for error, verdict in looked if verdict is removal.Verdict.UNCHANGED]
    return again, [error for error, verdict in looked if verdict is removal.Verdict.CHANGED]


def _deletion(session: Session, repository: str, branch: str, paths: list[str]) -> Request:
    request = json_request(endpoints.DELETE_OBJECTS, (repository, branch), models.PathList(paths))
    return with_key(session, request)


def _sort_out(
    session: Session, repository: str, branch: str, paths: list[str], since: str, failed: errors.LakeFSException
) -> Op[tuple[list[str], list[models.ObjectError]]]:
    """Return which paths to retry after a batch without a response, and which objects were rewritten and are kept."""
    try:
        verdicts = yield from _remains(session, repository, branch, paths, since)
    except errors.LakeFSException as exc:
        failed.add_note(f"the check which objects were deleted failed too: {exc}")
        raise failed from failed.__cause__
    again = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict is removal.Verdict.UNCHANGED]
    kept = [
        models.ObjectError(UNKNOWN, _KEPT, path)
        for path, verdict in zip(paths, verdicts, strict=True)
        if verdict is removal.Verdict.CHANGED
    ]
    return again, kept


def delete_all(
    session: Session, repository: str, branch: str, paths: Iterable[str], *, known: bool = False
) -> Op[list[models.ObjectError]]:
    """Delete any number of objects in batches and return those that failed.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        paths: Paths of objects. A path that ends with "/" and is not that of an object fails.
        known: Whether the branch is known to exist.

    Raises:
        NotFoundException: The repository or the branch does not exist.
        BadRequestException: `branch` is a tag, a commit or an expression, which are immutable.
    """
    stream: Iterator[str] = iter((paths,) if isinstance(paths, str) else paths)
    failed = list[models.ObjectError]()
    while batch := list(islice(stream, MAX_DELETE)):
        if not known:
            about = endpoints.DELETE_OBJECTS.describe(repository, branch)
            look = call(session, Request(endpoints.GET_BRANCH, (repository, branch)), about=about)
            yield from refs.write_to(session, repository, branch, about, look)
            known = True
        suspects = {path for path in batch if path.endswith("/")}
        prefixes = (yield from _prefixes(session, repository, branch, suspects)) if suspects else suspects
        failed += [not_an_object(path) for path in batch if path in prefixes]
        objects = [path for path in batch if path not in prefixes]
        if objects:
            failed += yield from delete_batch(session, repository, branch, objects)
    return failed


def _prefixes(session: Session, repository: str, branch: str, paths: Iterable[str]) -> Op[set[str]]:
    """Return the paths that are not those of objects; lakeFS reports each of them as deleted."""

    def find_missing(path: str) -> Op[str]:
        found = yield from look(session, repository, branch, path)
        return path if found is None else ""

    found = yield from gather(map(find_missing, paths), MAX_LOOKUPS)
    return set(filter(None, found))


def not_an_object(path: str) -> models.ObjectError:
    """Return the error of a prefix that was passed to a call that deletes objects."""
    message = (
        "no object has this path, it is a prefix; to delete the objects under it, pass their listing, "
        f"list_objects(prefix={path!r}, recursive=True)"
    )
    return models.ObjectError(404, message, path)


def copy(
    session: Session,
    repository: str,
    branch: str,
    to_path: str,
    from_ref: str,
    from_path: str,
    *,
    shallow: bool = False,
    about: str = "",
) -> Op[models.ObjectStats]:
    """Copy an object within the repository. From a branch, its uncommitted state is copied."""
    creation = models.ObjectCopy(from_path, from_ref, shallow=shallow or None)
    request = json_request(endpoints.COPY_OBJECT, (repository, branch), creation, query={"dest_path": to_path})
    source = object_uri(repository, from_ref, from_path)
    about = about or endpoints.COPY_OBJECT.describe(repository, branch, path=to_path, source=source)
    try:
        copied = ask(session, models.ObjectStats, request, about=about)
        return (yield from refs.write_to(session, repository, branch, about, copied))
    except errors.ObjectNotFoundException:
        yield from check_reference(session, repository, from_ref, about)
        raise


def move(session: Session, repository: str, branch: str, path: str, to_path: str) -> Op[models.ObjectStats]:
    """Move an object within a branch: copy it, then delete the source. What is at the destination is replaced.

    lakeFS has no move and no conditional delete. The source is deleted only if the copy is there and the source is
    still what was copied. What is written to it between that look and the deletion is lost.

    Returns:
        The object at the destination.

    Raises:
        ValueError: The two paths are the same.
        ObjectNotFoundException: There is no object at `path`.
        ObjectChangedError: The source was written while it was copied; both objects exist.
        LakeFSException: The copy failed and nothing was deleted; or, if `maybe_applied` is True, the copy exists, and
            the message says what is known of the source.
    """
    source, target = object_uri(repository, branch, path), object_uri(repository, branch, to_path)
    about = f"moving {source} to {target}"
    if path == to_path:
        msg = f"{about}: the two paths are the same"
        raise ValueError(msg)
    try:
        copied = yield from copy(session, repository, branch, to_path, branch, path, about=about)
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False or not session.remote:
            raise
        copied = yield from _find_copy(session, repository, branch, path, to_path, exc)
    try:
        now = yield from stat(session, repository, branch, path)
        unchanged = is_copy(copied, now)
        if unchanged:
            yield from delete(session, repository, branch, path)
    except errors.ObjectNotFoundException:
        return copied  # another client has deleted the source
    except errors.LakeFSException as exc:
        lost = exc.maybe_applied is None
        left = "it is unknown whether the source was deleted" if lost else "the source was not deleted, so both exist"
        exc.args = (f"{about}: the object was copied, and {left}: {exc}",)
        exc.maybe_applied = True
        raise
    if not unchanged:
        error = errors.ObjectChangedError(
            f"{about}: the source was written while it was copied, so it was not deleted, and both exist; move it again"
        )
        error.maybe_applied = True
        raise error
    return copied


def _find_copy(
    session: Session, repository: str, branch: str, path: str, to_path: str, failed: errors.LakeFSException
) -> Op[models.ObjectStats]:
    """Return the copy that a request whose response was lost has made; else raise its failure."""
    try:
        source = yield from look(session, repository, branch, path)
        copied = yield from look(session, repository, branch, to_path)
    except errors.LakeFSException as exc:
        failed.add_note(f"looking for the copy failed too, so the source was not deleted: {exc}")
        raise failed from failed.__cause__
    if source is None or copied is None or not is_copy(copied, source):
        failed.add_note("the copy was not found, so the source was not deleted")
        raise failed from failed.__cause__
    return copied


def is_copy(copied: models.ObjectStats, source: models.ObjectStats) -> bool:
    """Return whether two objects have the same content, type and metadata, as far as the record of the copy tells."""
    if (copied.checksum, copied.size_bytes) != (source.checksum, source.size_bytes):
        return False
    if copied.content_type is not None and copied.content_type != source.content_type:
        return False
    return copied.metadata is None or copied.metadata == (source.metadata or {})


def set_metadata(
    session: Session,
    repository: str,
    branch: str,
    path: str,
    metadata: Mapping[str, str],
    *,
    before: models.ObjectStats | None = None,
) -> Op[None]:
    """Replace all user metadata of an object.

    If the response is lost, the request is retried only if the object and its metadata are unchanged.
    """
    wanted = lower_keys(metadata)
    body = models.UserMetadata(wanted)
    request = json_request(endpoints.UPDATE_OBJECT_USER_METADATA, (repository, branch), body, query={"path": path})
    known = before or (yield from removal.look_up_before(session, stat(session, repository, branch, path)))

    def verdict() -> Op[removal.Verdict]:
        now = yield from stat(session, repository, branch, path)
        if (now.metadata or {}) == wanted:
            return removal.Verdict.APPLIED
        return removal.Verdict.UNCHANGED if known is not None and _same(now, known) else removal.Verdict.CHANGED

    about = request.describe()
    try:
        yield from refs.write_to(session, repository, branch, about, removal.run(session, request, verdict))
    except errors.ObjectNotFoundException:
        yield from check_reference(session, repository, branch, about)
        raise
    # lakeFS reports success even if the repository does not exist
    if known is None and session.remote and not session.exactly_once:
        yield from check_reference(session, repository, branch, about)


def _same(now: models.ObjectStats, before: models.ObjectStats) -> bool:
    """Return whether an object and its metadata were not written since."""
    fields = ("checksum", "mtime", "size_bytes")
    unmoved = all(getattr(now, name) == getattr(before, name) for name in fields)
    return unmoved and (now.metadata or {}) == (before.metadata or {})


def lower_keys(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return user metadata with lower-case keys, as lakeFS stores them.

    Raises:
        ValueError: Two keys differ only in case.
    """
    lower = {key.lower(): value for key, value in metadata.items()} if metadata else {}
    if len(lower) != len(metadata):
        msg = f"metadata keys are stored in lower case, and two of these become equal: {sorted(metadata)}"
        raise ValueError(msg)
    return lower
