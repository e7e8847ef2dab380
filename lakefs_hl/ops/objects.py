"""Objects without their bytes: look up, list, delete, copy, describe. Bytes move in `ops.transfer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from lakefs_hl.ops.effects import Op, gather, sleep
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: lakeFS deletes at most so many objects in one request.
BATCH: Final = 1000
#: How many paths are looked up side by side.
LOOKS: Final = 8


def stat(session: Session, repository: str, ref: str, path: str, *, presign: bool = False) -> Op[models.ObjectStats]:
    """The object's record; with `presign` its physical address is a pre-signed URL."""
    query = {"path": path, "presign": "true"} if presign else {"path": path}
    return (yield from ask(session, models.ObjectStats, Request(endpoints.STAT_OBJECT, (repository, ref), query)))


def exists(session: Session, repository: str, ref: str, path: str) -> Op[bool]:
    """Whether the object is there; a missing repository or reference raises.

    lakeFS answers the same 404 for a missing object and a missing reference, so the reference is looked up then.
    """
    try:
        yield from stat(session, repository, ref, path)
    except errors.ObjectNotFoundException:
        about = f"looking for {object_uri(repository, ref, path)}"
        if ref.endswith("$"):  # staging is no commit
            request = Request(endpoints.GET_BRANCH, (repository, ref.removesuffix("$")))
        else:
            request = Request(endpoints.GET_COMMIT, (repository, ref))
        yield from call(session, request, about=about)
        return False
    return True


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
    """Deletes one object; a missing one is no error."""
    yield from call(session, Request(endpoints.DELETE_OBJECT, (repository, branch), {"path": path}))


def delete_batch(session: Session, repository: str, branch: str, paths: Iterable[str]) -> Op[list[models.ObjectError]]:
    """Deletes at most 1,000 objects; returns those that were refused.

    What failed on the server's side is tried again, and only that. A missing branch goes unnoticed here: lakeFS answers
    such a batch with 200 and no errors; `delete_all` looks first.
    """
    left = list(paths)
    if "" in left:  # lakeFS would delete nothing at all, and say 200
        msg = f"an object's path cannot be empty (deleting {len(left)} objects of {object_uri(repository, branch)})"
        raise ValueError(msg)
    refused = list[models.ObjectError]()
    for tries in range(1, session.policy.attempts + 1):
        request = Request(
            endpoints.DELETE_OBJECTS,
            (repository, branch),
            headers={"content-type": "application/json"},
            body=models.encode(models.PathList(left)),
        )
        answer = yield from ask(session, models.ObjectErrors, request)
        failed = [error for error in answer.errors if error.status_code >= 500 or error.status_code == 429]
        again = [error for error in failed if error.path is not None] if tries < session.policy.attempts else []
        refused += [error for error in answer.errors if error not in again]
        if not again:
            break
        left = [error.path for error in again if error.path is not None]
        yield from sleep(session.policy.backoff(tries, busy=any(error.status_code == 429 for error in again)))
    return refused


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
    """
    stream: Iterator[str] = iter((paths,) if isinstance(paths, str) else paths)
    failed = list[models.ObjectError]()
    while batch := list(islice(stream, BATCH)):
        if not known:
            yield from call(session, Request(endpoints.GET_BRANCH, (repository, branch)))
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

    def look(path: str) -> Op[str]:
        try:
            yield from stat(session, repository, branch, path)
        except errors.ObjectNotFoundException:
            return path
        return ""

    found = yield from gather(map(look, paths), LOOKS)
    return set(filter(None, found))


def not_an_object(path: str) -> models.ObjectError:
    """Why a prefix is not deleted by a call that deletes objects."""
    message = (
        f"it is a prefix, not an object; to delete all objects below it, delete those of "
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
    about = f"copying {object_uri(repository, from_ref, from_path)} to {object_uri(repository, branch, to_path)}"
    return (yield from ask(session, models.ObjectStats, request, about=about))


def set_metadata(session: Session, repository: str, branch: str, path: str, metadata: Mapping[str, str]) -> Op[None]:
    """Replaces all user metadata of an object."""
    request = Request(
        endpoints.UPDATE_OBJECT_USER_METADATA,
        (repository, branch),
        {"path": path},
        {"content-type": "application/json"},
        models.encode(models.UserMetadata(lowered(metadata))),
    )
    yield from call(session, request)


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
