"""Staged changes: the one way in which an object comes onto a branch or goes from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lakefs_hl.local.disk.blobs import BlobRef
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.store import Repo, Store
from lakefs_hl.spec.errors import ForbiddenException, ObjectExistsException

T = TypeVar("T")


class Writes:
    """Stages entries and deletions, after the checks that every write must pass."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, reader: Reader, repository: str, branch: str, force: bool | None) -> tuple[Repo, Head]:
        """The repository and branch of a write.

        Raises:
            NotFoundException: One of them is not there.
            ForbiddenException: The branch is protected, or the repository read-only.
        """
        repo = self._store.repo(reader, repository)
        head = self._store.head(reader, repo.id, branch)
        if protected(self._store, reader, repo.id, branch):
            raise ForbiddenException("cannot write to protected branch")
        self._store.writable(reader, repository, force)
        return repo, head

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

        def work(writer: Writer) -> T:
            repo, head = self.check(writer, repository, branch, force)
            if create_only and self.find(writer, repo, head, key) is not None:
                raise ObjectExistsException("path already exists")
            if blob is not None:
                self._store.blobs.record(writer, blob)
            staging.put(writer, head.token, key, value)
            return told(repo)

        return self._store.effect(work)

    def delete(self, repository: str, branch: str, keys: Sequence[bytes], force: bool | None, told: T) -> T:
        """Stages deletions; of what is not committed no trace stays. Gives what is `told`."""

        def work(writer: Writer) -> T:
            repo, head = self.check(writer, repository, branch, force)
            tree = self._store.tree(self._store.nodes(writer))
            root = self._store.root(writer, repo.id, head.head)
            for key in keys:
                if head.sealed or tree.get(root, key) is not None:
                    staging.put(writer, head.token, key, None)
                else:
                    staging.delete(writer, head.token, key)
            return told

        return self._store.effect(work)

    def find(self, reader: Reader, repo: Repo, head: Head, key: bytes) -> bytes | None:
        """The entry of a path as readers of the branch see it."""
        tree = self._store.tree(self._store.nodes(reader))
        return views.lookup(reader, tree, views.of_head(self._store, reader, repo.id, head), key)
