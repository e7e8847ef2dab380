"""Versions of an object: the commits that made them, and how one is brought back.

A log that is filtered by a path has the commits of all branches that were merged, also those whose content lost a
conflict, and never a merge. So a history is walked from the newest version to the oldest, as `git log` does it: a
commit is part of it if it has the content that the walk has reached, and the walk goes on at its parent with what is
there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import object_uri

#: Most versions of a page: each costs two look-ups, and few callers read further.
MAX_ROWS: Final = 50
#: Maximum number of concurrent look-ups.
MAX_LOOKUPS: Final = 16


class Version(msgspec.Struct, frozen=True):
    """One version of an object.

    Attributes:
        commit: The commit that made it.
        path: Path of the object.
        stats: The object at that commit. None if the commit deleted it.
    """

    commit: models.Commit
    path: str
    stats: models.ObjectStats | None


class VersionPage(msgspec.Struct, frozen=True):
    """One page of versions."""

    pagination: models.Pagination
    results: list[Version]


def page(session: Session, repository: str, ref: str, path: str, after: str, amount: int) -> Op[VersionPage]:
    """Return one page of the versions of an object, newest first.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference whose history it is. Uncommitted changes of a branch are not part of it.
        path: Path of the object.
        after: ID of the commit of the version to continue after; "" starts with the newest one.
        amount: Maximum number of versions.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    about = f"reading the history of {object_uri(repository, ref, path)}"
    start = f"{after}~1" if after else (yield from refs.pin(session, repository, ref, about=about))
    walk, wanted = _Walk(session, repository, path), min(amount, MAX_ROWS)
    yield from walk.begin(start)
    offset, more = "", True
    while more and len(walk.found) <= wanted:  # one more than is returned: are there more?
        found = yield from refs.log_page(session, repository, start, offset, wanted + 1, objects=(path,))
        yield from walk.take(found.results)
        offset, more = found.pagination.next_offset, found.pagination.has_more
    rows, has_more = walk.found[:wanted], len(walk.found) > wanted
    last = rows[-1].commit.id if has_more else ""
    return VersionPage(models.Pagination(has_more, last, len(rows), MAX_ROWS), rows)


def newest(session: Session, repository: str, ref: str, content: models.ObjectStats) -> Op[models.Commit | None]:
    """Return the commit of the newest version of an object, given the object at a commit. None if the log has none.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: ID of the commit.
        content: The object at that commit.
    """
    walk = _Walk(session, repository, content.path, content)
    offset, more, amount = "", True, 1  # nearly always the first commit that changed the path
    while more and not walk.found:
        found = yield from refs.log_page(session, repository, ref, offset, amount, objects=(content.path,))
        yield from walk.take(found.results)
        offset, more, amount = found.pagination.next_offset, found.pagination.has_more, MAX_LOOKUPS
    return walk.found[0].commit if walk.found else None


class _Walk:
    """The versions that were found so far, and the content that the next one has."""

    def __init__(self, session: Session, repository: str, path: str, content: models.ObjectStats | None = None) -> None:
        self._session = session
        self._repository = repository
        self._path = path
        self._content = content
        self.found = list[Version]()

    def begin(self, start: str) -> Op[None]:
        """Look up the content that the newest version has."""
        self._content = yield from self._look(start)

    def take(self, commits: list[models.Commit]) -> Op[None]:
        """Add those commits whose content the walk has reached."""
        looks = (self._look(ref) for commit in commits for ref in (commit.id, f"{commit.id}~1"))
        seen = yield from gather(looks, MAX_LOOKUPS)
        for commit, made, before in zip(commits, seen[::2], seen[1::2], strict=True):
            if same(made, self._content) and not same(made, before):
                self.found.append(Version(commit, self._path, made))
                self._content = before

    def _look(self, ref: str) -> Op[models.ObjectStats | None]:
        return objects.look(self._session, self._repository, ref, self._path)


def same(one: models.ObjectStats | None, other: models.ObjectStats | None) -> bool:
    """Return whether two records have the same content, type and metadata, which is what lakeFS calls unchanged."""
    if one is None or other is None:
        return one is other
    fields = ("checksum", "size_bytes", "content_type")
    equal = all(getattr(one, name) == getattr(other, name) for name in fields)
    return equal and (one.metadata or {}) == (other.metadata or {})


def restore(session: Session, repository: str, branch: str, path: str, version: str) -> Op[models.ObjectStats]:
    """Stage an object as it is at the commit that `version` resolves to now. No content passes through the client.

    Raises:
        ObjectNotFoundException: There is no such object at the commit.
    """
    about = f"restoring {object_uri(repository, branch, path)} from {version!r}"
    pinned = yield from refs.pin(session, repository, version, about=about)
    try:
        return (yield from objects.copy(session, repository, branch, path, pinned, path, about=about))
    except errors.ObjectNotFoundException as exc:
        raise missing_error(repository, branch, path, version, exc) from None


def missing_error(
    repository: str, branch: str, path: str, version: str, rejected: errors.ObjectNotFoundException | None = None
) -> errors.ObjectNotFoundException:
    """Build the exception of a version in which the object does not exist."""
    uri = object_uri(repository, branch, path)
    error = errors.ObjectNotFoundException(
        f"restoring {uri} from {version!r}: the object does not exist in this version; history({path!r}) lists its "
        f"versions, and delete_objects({path!r}) deletes it"
    )
    if rejected is not None:
        error.__dict__.update(rejected.__dict__)
    else:
        error.kind, error.maybe_applied = ErrorKind.OBJECT_NOT_FOUND, False
    return error
