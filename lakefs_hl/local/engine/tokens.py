"""Staging tokens: under which a branch's changes are staged, sealed, and dropped.

A sealed token is not written to any more: a large commit works on it while others go on writing under a new one.
Every row that this module writes keeps the branch's head where it is; moving that is `publish.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakefs_hl.local.disk.tables import branches, sequence, staging
from lakefs_hl.local.engine.snapshot import Head, Transaction


def draw(transaction: Transaction) -> int:
    """A token that nobody has had."""
    return sequence.draw(transaction.writer, sequence.TOKEN)


def seal(transaction: Transaction, head: Head) -> Head:
    """Gives a branch a new token, so that what is staged now stays as it is."""
    sealed = head._replace(token=draw(transaction), sealed=(*head.sealed, head.token))
    branches.put(transaction.writer, sealed)
    return sealed


def renew(transaction: Transaction, head: Head) -> Head:
    """Takes back all that is staged on a branch, and gives it a new token."""
    renewed = head._replace(token=draw(transaction), sealed=(), resets=head.resets + 1)
    branches.put(transaction.writer, renewed)
    drop(transaction, head.tokens)
    return renewed


def take_back(transaction: Transaction, head: Head, low: bytes, high: bytes) -> Head:
    """Takes back what is staged between two paths, under each token; gives the branch as it is now.

    Whoever works on sealed changes at this moment finds the branch reset, and takes its state again.
    """
    staging.delete_between(transaction.writer, head.tokens, low, high)
    counted = head._replace(resets=head.resets + 1)
    branches.put(transaction.writer, counted)
    return counted


def drop_sealed(transaction: Transaction, head: Head, taken: Iterable[int]) -> None:
    """Drops sealed changes that change nothing."""
    gone = set(taken)
    branches.put(transaction.writer, head._replace(sealed=tuple(one for one in head.sealed if one not in gone)))
    drop(transaction, gone)


def drop(transaction: Transaction, tokens: Iterable[int]) -> None:
    """Removes what was staged under tokens that no branch names any more; what is much is left to the purge."""
    purge = transaction.lake.purge
    for token in tokens:
        if staging.has_more(transaction.writer, token, purge.chunk):
            purge.add_token(transaction.writer, token)
        else:
            staging.delete_all(transaction.writer, token)
