"""Objects without their bytes: look up, list, delete, copy, describe. Bytes move in `ops.transfer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from lakefs_hl.ops import logged, refs, removal
from lakefs_hl.ops.effects import Op, gather, sleep
from lakefs_hl.ops.retry import Session, ask, call, keyed
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: lakeFS deletes at most so many objects in one request.
BATCH: Final = 1000
#: Objects are looked up so many at once after a batch whose answer was lost.
LOOKS: Final = 16
#: The status of an item whose outcome is unknown: no answer told one.
UNKNOWN: Final = 0
_KEPT: Final = (
    "outcome unknown: the answer was lost, and an object is there that may have been written since; it was kept. "
    "Delete it again if it is to go"
)


def stat(session: Session, repository: str, ref: str, path: str, *, presign: bool = False) -> Op[models.ObjectStats]:
    """The object's record; with `presign` its physical address is a pre-signed URL."""
    query = {"path": path, "presign": "true"} if presign else {"path": path}
    try:
        return (yield from ask(session, models.ObjectStats, Request(endpoints.STAT_OBJECT, (repository, ref), query)))
    except errors.ObjectNotFoundException:
        yield from check_reference(session, repository, ref, f"looking up {object_uri(repository, ref, path)}")
        raise


def look(session: Session, repository: str, ref: str, path: str) -> Op[models.ObjectStats | None]:
    """The object's record; None if it or its reference is missing, which one is not asked."""
    request = Request(endpoints.STAT_OBJECT, (repository, ref), {"path": path})
    try:
        return (yield from ask(session, models.ObjectStats, request))
    except errors.NotFoundException:
        return None


def exists(session: Session, repository: str, ref: str, path: str) -> Op[bool]:
    """Whether the object is there; a missing repository or reference raises."""
    try:
        yield from stat(session, repository, ref, path)
    except errors.ObjectNotFoundException:
        return False
    return True


def check_reference(session: Session, repository: str, ref: str, about: str) -> Op[None]:
    """Raises if it is the reference that is missing: lakeFS answers the same 404 for it as for a missing object.

    Raises:
        NotFoundException: There is no such repository or reference.
    """
    if ref.endswith("$"):  # staging is no commit
        request = Request(endpoints.GET_BRANCH, (repository, ref.removesuffix("$")))
    else:
        request = Request(endpoints.GET_COMMIT, (repository, ref))
    try:
        yield from call(session, request, about=about)
    except errors.NotFoundException:
        raise
    except errors.LakeFSException:
        return  # not to be known: the object is missing, as the server said


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
    """One page of a listing."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if delimiter:
        query["delimiter"] = delimiter
    if presign:
        query["presign"] = "true"
    return (yield from ask(session, models.ObjectPage, Request(endpoints.LIST_OBJECTS, (repository, ref), query)))


def delete(session: Session, repository: str, branch: str, path: str) -> Op[None]:
    """Deletes one object; a missing one is no error.

    When the answer is lost and the object is there: sent again only if it is older than the request by the server's own
    clock, so that what somebody wrote since stays.
    """
    yield from removal.meet(session, repository, branch)
    since = session.date

    def verdict() -> Op[removal.Verdict]:
        (remains,) = yield from _remains(session, repository, branch, [path], since)
        return remains

    request = Request(endpoints.DELETE_OBJECT, (repository, branch), {"path": path})
    try:
        yield from removal.run(session, request, verdict)
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from refs.check_writable(
            session, repository, branch, f"deleting {object_uri(repository, branch, path)}", exc
        )
        raise


def _remains(session: Session, repository: str, branch: str, paths: list[str], since: str) -> Op[list[removal.Verdict]]:
    """What became of objects that were to be deleted, by the server's clock when the request was sent."""
    found = yield from gather((look(session, repository, branch, path) for path in paths), LOOKS)
    verdicts = [_judged(record, since) for record in found]
    if removal.Verdict.SAME not in verdicts:
        return verdicts
    head = yield from refs.commit(session, repository, branch)  # a merge or an import brings objects with old times
    if removal.is_older(since, head.creation_date):
        return verdicts
    return [removal.Verdict.CHANGED if each is removal.Verdict.SAME else each for each in verdicts]


def _judged(record: models.ObjectStats | None, since: str) -> removal.Verdict:
    if record is None:
        return removal.Verdict.DONE
    return removal.Verdict.SAME if removal.is_older(since, record.mtime) else removal.Verdict.CHANGED


def delete_batch(session: Session, repository: str, branch: str, paths: Iterable[str]) -> Op[list[models.ObjectError]]:
    """Deletes at most 1,000 objects; returns those that were refused.

    What failed on the server's side is tried again, and only that, if a look finds it as it was. A missing branch goes
    unnoticed here: lakeFS answers such a batch with 200 and no errors; `delete_all` looks first.
    """
    left, since = list(paths), session.date
    if "" in left:  # lakeFS would delete nothing at all, and say 200
        msg = f"an object's path cannot be empty (deleting {len(left)} objects of {object_uri(repository, branch)})"
        raise ValueError(msg)
    refused, request, last = list[models.ObjectError](), _deletion(session, repository, branch, left), False
    for tries in range(1, session.policy.attempts + 1):
        last = tries == session.policy.attempts
        try:
            answer = yield from ask(session, models.ObjectErrors, request)
        except errors.LakeFSException as exc:
            if exc.maybe_applied is False or not session.remote:
                raise
            if session.repeats:  # `call` has repeated it by its key, but for an unreadable answer
                if last or not isinstance(exc, errors.ProtocolException):
                    raise
                continue
            left, kept = yield from _sort_out(session, repository, branch, left, since, exc)
            refused += kept
            if not left:
                break
            if last:
                raise
            yield from sleep(session.policy.backoff(tries, busy=False))
            request = _deletion(session, repository, branch, left)
            continue
        failed = [error for error in answer.errors if error.status_code >= 500 or error.status_code == 429]
        again = [error for error in failed if error.path is not None] if not last else []
        refused += [error for error in answer.errors if error not in again]
        if not again:
            break
        yield from sleep(session.policy.backoff(tries, busy=any(error.status_code == 429 for error in again)))
        left, changed = yield from _still_there(session, repository, branch, again, since)
        refused += changed
        if not left:
            break
        request = _deletion(session, repository, branch, left)
    return refused


def _still_there(
    session: Session, repository: str, branch: str, failed: list[models.ObjectError], since: str
) -> Op[tuple[list[str], list[models.ObjectError]]]:
    """Of the items that failed on the server's side: what is to be sent again, and what somebody may have written."""
    paths = [error.path for error in failed if error.path is not None]
    if not session.remote:
        return paths, []
    try:
        verdicts = yield from _remains(session, repository, branch, paths, since)
    except errors.LakeFSException:
        return [], failed
    looked = list(zip(failed, verdicts, strict=True))
    again = [error.path or "" for error, verdict in looked if verdict is removal.Verdict.SAME]
    return again, [error for error, verdict in looked if verdict is removal.Verdict.CHANGED]


def _deletion(session: Session, repository: str, branch: str, paths: list[str]) -> Request:
    request = logged.request(endpoints.DELETE_OBJECTS, (repository, branch), models.PathList(paths))
    return keyed(session, request)


def _sort_out(
    session: Session, repository: str, branch: str, paths: list[str], since: str, failed: errors.LakeFSException
) -> Op[tuple[list[str], list[models.ObjectError]]]:
    """After a batch whose answer was lost: what is to be sent again, and what was written since and is kept."""
    try:
        verdicts = yield from _remains(session, repository, branch, paths, since)
    except errors.LakeFSException as exc:
        failed.add_note(f"looking which objects were deleted failed too: {exc}")
        raise failed from failed.__cause__
    again = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict is removal.Verdict.SAME]
    kept = [
        models.ObjectError(UNKNOWN, _KEPT, path)
        for path, verdict in zip(paths, verdicts, strict=True)
        if verdict is removal.Verdict.CHANGED
    ]
    return again, kept


def delete_all(
    session: Session, repository: str, branch: str, paths: Iterable[str], *, known: bool = False
) -> Op[list[models.ObjectError]]:
    """Deletes any number of objects in batches; returns those that failed.

    Args:
        session: The client's.
        repository: Repository id.
        branch: Branch id.
        paths: Paths of objects; one that ends with "/" and is not the path of an object fails.
        known: Whether the branch is known to exist.

    Raises:
        NotFoundException: There is no such repository or branch.
        BadRequestException: `branch` is a tag, a commit or an expression, which no write changes.
    """
    stream: Iterator[str] = iter((paths,) if isinstance(paths, str) else paths)
    failed = list[models.ObjectError]()
    while batch := list(islice(stream, BATCH)):
        if not known:
            about = f"deleting objects of lakefs://{repository}/{branch}"
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
    """Those of the paths that are not paths of objects; lakeFS calls each of them deleted."""

    def missing(path: str) -> Op[str]:
        found = yield from look(session, repository, branch, path)
        return path if found is None else ""

    found = yield from gather(map(missing, paths), LOOKS)
    return set(filter(None, found))


def not_an_object(path: str) -> models.ObjectError:
    """Why a prefix is not deleted by a call that deletes objects."""
    message = (
        "no object has this path, it is a prefix; to delete the objects below it, give their listing, "
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
    """Copies an object within the repository; from a branch its staged state."""
    creation = models.ObjectCopy(from_path, from_ref, shallow=shallow or None)
    request = Request(
        endpoints.COPY_OBJECT,
        (repository, branch),
        {"dest_path": to_path},
        {"content-type": "application/json"},
        models.encode(creation),
    )
    source, target = object_uri(repository, from_ref, from_path), object_uri(repository, branch, to_path)
    about = about or f"copying {source} to {target}"
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
        unchanged = _is_copy(copied, now)
        if unchanged:
            yield from delete(session, repository, branch, path)
    except errors.ObjectNotFoundException:
        return copied  # somebody else has deleted the source
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
    if source is None or copied is None or not _is_copy(copied, source):
        failed.add_note("the copy was not found, so the source was not deleted")
        raise failed from failed.__cause__
    return copied


def _is_copy(copied: models.ObjectStats, source: models.ObjectStats) -> bool:
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
    """Replaces all user metadata of an object.

    When the answer is lost: sent again only if the object is the same one and has the metadata that it had.
    """
    wanted = lowered(metadata)
    request = Request(
        endpoints.UPDATE_OBJECT_USER_METADATA,
        (repository, branch),
        {"path": path},
        {"content-type": "application/json"},
        models.encode(models.UserMetadata(wanted)),
    )
    known = before or (yield from removal.note(session, stat(session, repository, branch, path)))

    def verdict() -> Op[removal.Verdict]:
        now = yield from stat(session, repository, branch, path)
        if (now.metadata or {}) == wanted:
            return removal.Verdict.DONE
        return removal.Verdict.SAME if known is not None and _same(now, known) else removal.Verdict.CHANGED

    about = f"setting metadata of {object_uri(repository, branch, path)}"
    try:
        yield from refs.write_to(session, repository, branch, about, removal.run(session, request, verdict))
    except errors.ObjectNotFoundException:
        yield from check_reference(session, repository, branch, about)
        raise
    # lakeFS reports success where there is no repository
    if known is None and session.remote and not session.exactly_once:
        yield from check_reference(session, repository, branch, about)


def _same(now: models.ObjectStats, before: models.ObjectStats) -> bool:
    """Whether an object was not written since, its metadata included."""
    fields = ("checksum", "mtime", "size_bytes")
    unmoved = all(getattr(now, name) == getattr(before, name) for name in fields)
    return unmoved and (now.metadata or {}) == (before.metadata or {})


def lowered(metadata: Mapping[str, str]) -> dict[str, str]:
    """User metadata with keys as lakeFS keeps them on every way in.

    Raises:
        TypeError: A key or a value is no string.
        ValueError: Two keys differ in case only.
    """
    for pair in metadata.items():
        if not all(isinstance(each, str) for each in pair):
            msg = f"metadata holds strings under strings, not {pair[1]!r:.80} under {pair[0]!r:.80}"
            raise TypeError(msg)
    kept = {key.lower(): value for key, value in metadata.items()}
    if len(kept) != len(metadata):
        msg = f"metadata keys are kept in lower case, and two of these become the same: {sorted(metadata)}"
        raise ValueError(msg)
    return kept
