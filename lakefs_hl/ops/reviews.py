"""Reviews of pull requests. lakeFS has none: they are notes in the metadata of the repository.

A review is one key, `lakefs_hl.review.<pull request>.<time>-<random>`, so that two reviewers at a time lose nothing,
and none replaces another one. It has the commit that the source branch had, by which it is seen to be outdated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from lakefs_hl.ops import branches, pull_requests, refs, repositories, server
from lakefs_hl.ops.effects import Op, now
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import repository_uri

#: Beginning of the keys: then come the pull request, the time and a random suffix.
PREFIX: Final = "lakefs_hl.review."
_SUFFIX: Final = "[0-9a-f]{16}-[0-9a-f]+"
#: Most bytes of the notes of a review, and of the metadata of a repository: some servers store it as one item, which
#: must be smaller than 400 kB.
MAX_NOTES: Final = 4096
MAX_METADATA: Final = 300_000


class Note(msgspec.Struct, frozen=True):
    """A review, as it is stored.

    Attributes:
        by: User ID.
        approved: Whether it is an approval.
        notes: What the reviewer says.
        at: Time in Unix seconds, by the clock of the reviewer's machine.
        source_commit: Commit that the source branch had.
    """

    by: str
    approved: bool
    notes: str
    at: float
    source_commit: str


class Found(msgspec.Struct, frozen=True):
    """The reviews of a pull request.

    Attributes:
        reviews: The reviews, oldest first.
        source: Commit that the source branch has now, or that was merged. "" if the branch does not exist.
    """

    reviews: list[Note]
    source: str


def add(session: Session, repository: str, id: str, *, approved: bool, notes: str, random: str) -> Op[Note]:
    """Record a review of an open pull request.

    Raises:
        NotFoundException: The repository, the pull request or its source branch does not exist.
        BadRequestException: It is not open, or the repository's metadata has no room for the review.
    """
    about = _describe(repository, id, "approving" if approved else "rejecting")
    found = yield from pull_requests.get(session, repository, id)
    if found.status != "open":
        error = errors.BadRequestException(f"{about}: it is {found.status}; only open pull requests are reviewed")
        error.kind, error.maybe_applied = ErrorKind.PULL_REQUEST_NOT_OPEN, False
        raise error
    source = yield from branches.get(session, repository, found.source_branch)
    user = yield from server.current_user(session)
    if not user:
        msg = f"{about}: the server does not report the user of these credentials, so a review would have no author"
        raise errors.UnsupportedOperationException(msg)
    made = Note(user, approved, notes, (yield from now()), source.commit_id)
    metadata = yield from repositories.metadata(session, repository)
    note = {_new_key(metadata, id, made.at, random): msgspec.json.encode(made).decode()}
    _check_room(metadata | note, about)
    yield from repositories.set_metadata(session, repository, note)
    return made


def _keys(metadata: Iterable[str], id: str) -> list[str]:
    """Return the keys of the reviews of a pull request, oldest first."""
    return sorted(filter(re.compile(re.escape(f"{PREFIX}{id}.") + _SUFFIX).fullmatch, metadata))


def _new_key(metadata: Iterable[str], id: str, at: float, random: str) -> str:
    """Return the key of a new review: after those that exist, also where a clock is late."""
    beginning, existing = f"{PREFIX}{id}.", _keys(metadata, id)
    last = int(existing[-1].removeprefix(beginning).partition("-")[0], 16) if existing else 0
    return f"{beginning}{max(int(at * 1e6), last + 1):016x}-{random}"


def _check_room(metadata: Mapping[str, str], about: str) -> None:
    """Check that the metadata of a repository, with a new review, is not too large.

    Raises:
        BadRequestException: It is.
    """
    size = sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items())
    if size > MAX_METADATA:
        error = errors.BadRequestException(
            f"{about}: reviews are kept in the metadata of the repository, which would have {size:,} bytes, more than "
            f"{MAX_METADATA:,}; delete keys that are not needed by delete_metadata(), such as {PREFIX}* of pull "
            "requests that were merged long ago"
        )
        error.maybe_applied = False
        raise error


def read(session: Session, repository: str, id: str) -> Op[Found]:
    """Return the reviews of a pull request.

    Raises:
        NotFoundException: The repository or the pull request does not exist.
    """
    found = yield from pull_requests.get(session, repository, id)
    metadata = yield from repositories.metadata(session, repository)
    notes = [_decode(repository, key, metadata[key]) for key in _keys(metadata, id)]
    return Found(notes, (yield from _source(session, repository, found)))


def _source(session: Session, repository: str, found: models.PullRequest) -> Op[str]:
    if found.status == pull_requests.MERGED and found.merged_commit_id:
        merge = yield from refs.commit(session, repository, found.merged_commit_id)
        return merge.parents[1] if len(merge.parents) > 1 else ""
    try:
        return (yield from branches.get(session, repository, found.source_branch)).commit_id
    except errors.NotFoundException:
        return ""


def _decode(repository: str, key: str, value: str) -> Note:
    try:
        return msgspec.json.decode(value, type=Note)
    except msgspec.DecodeError as exc:
        msg = (
            f"reading the reviews of {repository_uri(repository)}: the key {key!r} of its metadata is no review "
            f"({exc}): another program has written it; delete_metadata({key!r}) deletes it"
        )
        raise ValueError(msg) from None


def merge(session: Session, repository: str, id: str, least: int) -> Op[models.Commit]:
    """Merge a pull request as `pull_requests.merge_and_get` does, if it has `least` approvals.

    Raises:
        BadRequestException: It has fewer approvals, and nothing was sent.
    """
    if least:
        yield from check_approvals(session, repository, id, least)
    return (yield from pull_requests.merge_and_get(session, repository, id))


def check_approvals(session: Session, repository: str, id: str, least: int) -> Op[None]:
    """Check that enough users have approved what the source branch has now.

    The last review of each user counts, if it is of the last commit of the source branch.

    Raises:
        BadRequestException: There are fewer approvals.
    """
    found = yield from read(session, repository, id)
    last = {review.by: review for review in found.reviews}
    current = [review for review in last.values() if review.source_commit == found.source]
    approvals = sorted(review.by for review in current if review.approved)
    if len(approvals) >= least:
        return
    about = _describe(repository, id, "merging")
    by = f" (by {', '.join(approvals[:5])})" if approvals else ""
    outdated = len(last) - len(current)
    more = f"; {outdated} more reviewed an earlier commit of the source branch" if outdated else ""
    users = "user" if least == 1 else "users"
    error = errors.BadRequestException(
        f"{about}: what its source branch has now must be approved by at least {least} {users}, and is by "
        f"{len(approvals)}{by}{more}; nothing was merged"
    )
    error.maybe_applied = False
    raise error


def _describe(repository: str, id: str, verb: str) -> str:
    return f"{verb} pull request {id} of {repository_uri(repository)}"
