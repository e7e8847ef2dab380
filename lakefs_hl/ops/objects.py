"""Objects without their bytes: look up, list, delete, copy, describe. Bytes move in `ops.transfer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: lakeFS deletes at most so many objects in one request.
BATCH: Final = 1000


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


def delete_all(session: Session, repository: str, branch: str, paths: Iterable[str]) -> Op[list[models.ObjectError]]:
    """Deletes any number of objects in batches; returns those that were refused.

    Raises:
        NotFoundException: There is no such repository or branch.
    """
    stream: Iterator[str] = iter((paths,) if isinstance(paths, str) else paths)
    refused = list[models.ObjectError]()
    looked = False
    while batch := list(islice(stream, BATCH)):
        if not looked:
            yield from call(session, Request(endpoints.GET_BRANCH, (repository, branch)))
            looked = True
        refused += yield from delete_batch(session, repository, branch, batch)
    return refused


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
