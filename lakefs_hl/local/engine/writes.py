"""Staged changes: the one way in which an object comes onto a branch or goes from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lakefs_hl.local.disk.blobs import BlobRef
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import records, tokens, views
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.lasting import must_last
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.snapshot import Head, Repo, Snapshot, Transaction
from lakefs_hl.spec.errors import ForbiddenException, ObjectExistsException

T = TypeVar("T")


class Writes:
    """Stages entries and deletions, after the checks that every write must pass."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def check(self, snapshot: Snapshot, branch: str, force: bool | None) -> Head:
        """The branch of a write.

        Raises:
            NotFoundException: It is not there.
            ForbiddenException: The branch is protected, or the repository read-only.
        """
        head = snapshot.head(branch)
        if protected(snapshot, branch):
            raise ForbiddenException("cannot write to protected branch")
        snapshot.must_be_writable(force)
        if isinstance(snapshot, Transaction):
            must_last(snapshot, head)
        return head

    def put(
        self,
        repository: str,
        branch: str,
        key: bytes,
        entry: Entry,
        told: Callable[[Repo], T],
        *,
        blob: BlobRef | None = None,
        create_only: bool = False,
        force: bool | None = False,
    ) -> T:
        """Stages one entry, with its small blob if it has one; gives what is `told` of it.

        Raises:
            ObjectExistsException: `create_only`, and there is one.
        """
        value = records.write_entry(entry)

        def work(transaction: Transaction) -> T:
            head = self.check(transaction, branch, force)
            if create_only and self.find(transaction, head, key) is not None:
                raise ObjectExistsException("path already exists")
            if blob is not None:
                self._lake.blobs.record(transaction.writer, blob)
            staging.put(transaction.writer, head.token, key, value)
            return told(transaction.repo)

        return self._lake.effect(repository, work, branch=branch)

    def delete(self, repository: str, branch: str, keys: Sequence[bytes], force: bool | None, told: T) -> T:
        """Stages deletions; of what is not committed no trace stays. Gives what is `told`."""

        def work(transaction: Transaction) -> T:
            head = self.check(transaction, branch, force)
            tree, root = transaction.tree, transaction.root(head.head)
            for key in keys:
                sealed = [token for token in head.sealed if staging.find(transaction.reader, (token,), key) is not None]
                if sealed:
                    # Under each token: who commits what is sealed must not bring back what was deleted meanwhile.
                    head = tokens.take_back(transaction, head, key, key + b"\0")
                if tree.get(root, key) is None:
                    staging.delete(transaction.writer, head.token, key)
                    continue
                # What is sealed becomes a deletion, too: without it, the commit would show what was there before.
                for token in (*sealed, head.token):
                    staging.put(transaction.writer, token, key, None)
            return told

        return self._lake.effect(repository, work, branch=branch)

    def find(self, snapshot: Snapshot, head: Head, key: bytes) -> bytes | None:
        """The entry of a path as readers of the branch see it."""
        return views.lookup(snapshot, views.of_head(snapshot, head), key)
