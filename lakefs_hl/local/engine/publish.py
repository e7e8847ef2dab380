"""The one way in which the head of a branch moves.

An operation looks at a branch, works (for long, perhaps, and with no lock held), and publishes: in one transaction the
branch's row must still have the head and the number of resets that the work began with, and the sealed tokens that it
took; else nothing is published, and the work is done anew. So what was reset or deleted meanwhile, and acknowledged,
is never committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from itertools import chain
from typing import Final, TypeVar

from lakefs_hl.local.disk.tables import branches, staging
from lakefs_hl.local.engine import tokens, views
from lakefs_hl.local.engine.diffs import changes
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Head, Snapshot, Transaction
from lakefs_hl.spec.errors import BadRequestException, TooManyRequestsException

T = TypeVar("T")
#: How often work is done anew because the branch moved.
TRIES: Final = 10


class Moved(Exception):
    """The branch is not as the work found it: the work is to be done anew."""


def publish(transaction: Transaction, seen: Head, record: CommitRecord, *, taken: Collection[int] = ()) -> bytes:
    """Writes a commit and makes it a branch's head; gives its id.

    Args:
        transaction: Of the branch's repository.
        seen: The branch as the work found it.
        record: The commit.
        taken: Tokens whose changes are in the commit, or came to nothing: they are dropped.

    Raises:
        Moved: The branch is not as it was seen.
        NotFoundException: It is gone.
    """
    head = must_stand(transaction, seen, taken)
    commit = transaction.add_commit(record)
    _move(transaction, head, commit, taken)
    return commit


def point(transaction: Transaction, seen: Head, commit: bytes) -> None:
    """Makes another commit a branch's head; what is staged stays, over that commit.

    Raises:
        Moved: The branch is not as it was seen.
    """
    head = must_stand(transaction, seen)
    _move(transaction, head._replace(resets=head.resets + 1), commit)


def must_stand(transaction: Transaction, seen: Head, taken: Collection[int] = ()) -> Head:
    """The branch's row now.

    Raises:
        Moved: It has another head, something was taken back, or somebody else has what is taken.
    """
    head = transaction.head(seen.name)
    stands = (head.repository, head.head, head.resets) == (seen.repository, seen.head, seen.resets)
    if not stands or not {head.token, *head.sealed}.issuperset(taken):
        raise Moved
    return head


def _move(transaction: Transaction, head: Head, commit: bytes, taken: Collection[int] = ()) -> None:
    token = tokens.draw(transaction) if head.token in taken else head.token
    rest = tuple(one for one in head.sealed if one not in taken)
    branches.put(transaction.writer, head._replace(head=commit, token=token, sealed=rest))
    tokens.drop(transaction, taken)


def retry(work: Callable[[], T]) -> T:
    """Does work until the branch stands still for it.

    Raises:
        TooManyRequestsException: It never did.
    """
    for _ in range(TRIES):
        try:
            return work()
        except Moved:
            continue
    raise TooManyRequestsException("Too many attempts, try again later")


def must_be_clean(snapshot: Snapshot, head: Head) -> bool:
    """Refuses a branch on which something is staged that would be a change; says whether anything is staged at all.

    Raises:
        BadRequestException: There are uncommitted changes.
    """
    with closing(staging.between(snapshot.reader, head.tokens, b"", views.END)) as found:
        first = next(found, None)
        if first is None:
            return False
        edits = chain([first], found)
        if next(changes(snapshot.tree, snapshot.root(head.head), edits), None) is not None:
            raise BadRequestException("uncommitted changes (dirty branch)")
        return True
