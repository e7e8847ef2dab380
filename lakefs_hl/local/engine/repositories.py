"""Repositories: made, listed, described, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import branches, meta, repositories
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import records, samples
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.records import RepositoryRecord, first_commit
from lakefs_hl.local.engine.settings import PROTECTION
from lakefs_hl.local.engine.store import Repo, Store, now
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException

METADATA: Final = "metadata"
_SCHEME: Final = "local://"


class Repositories:
    """The repositories of a lake."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, creation: models.RepositoryCreation, *, bare: bool = False, who: str) -> models.Repository:
        """Makes a repository with a first commit and a default branch.

        Raises:
            ConflictException: There is one of this name.
            BadRequestException: The namespace is not for this store, or was used before.
        """
        record = RepositoryRecord(
            now() // 10**9,
            creation.default_branch or "main",
            creation.storage_namespace,
            bool(creation.read_only),
            bare,
        )
        sample = samples.store(self._store) if creation.sample_data and not bare else {}

        def work(writer: Writer) -> models.Repository:
            repo = self._create(writer, creation, record)
            if sample:
                samples.commit(self._store, writer, repo, sample, who)
            return self._model(repo)

        return self._store.effect(work)

    def _create(self, writer: Writer, creation: models.RepositoryCreation, record: RepositoryRecord) -> Repo:
        store, name = self._store, creation.name
        if repositories.find(writer, name) is not None:
            raise ConflictException("error creating repository: not unique")
        if creation.storage_id:
            raise BadRequestException(f"invalid storage id: {creation.storage_id}")
        if not record.namespace.startswith(_SCHEME):
            raise BadRequestException("failed to match required regex ^local://: invalid namespace")
        if not (record.bare or record.read_only):
            marker = "namespace " + record.namespace.rstrip("/")
            if meta.get(writer, marker) is not None:
                raise BadRequestException(
                    f"failed to create repository: found lakeFS objects in the storage (:{record.namespace}) "
                    "key(_lakefs/dummy): storage namespace already in use"
                )
            meta.put(writer, marker, name)
        repo = Repo(repositories.insert(writer, name, records.encode(record)).id, name, record)
        if not record.bare:
            first = store.add_commit(writer, repo.id, first_commit(record.created))
            branches.put(writer, Head(repo.id, record.default_branch, first, store.next_token(writer)))
            if creation.sample_data:
                store.set_setting(writer, repo.id, PROTECTION, records.encode([record.default_branch]))
        return repo

    def get(self, name: str) -> models.Repository:
        """A repository.

        Raises:
            NotFoundException: There is none of this name.
        """
        with self._store.reading() as reader:
            return self._model(self._store.repo(reader, name))

    def page(self, prefix: str, after: str, amount: int, search: str = "") -> models.RepositoryPage:
        """Repositories by name."""
        with self._store.reading() as reader:
            found = repositories.page(reader, prefix, after, search, amount + 1)
        listed = [self._model(Repo(row.id, row.name, records.read_repository(row.value))) for row in found]
        pagination, kept = page_of(listed, amount, lambda one: one.id)
        return models.RepositoryPage(pagination, kept)

    def delete(self, name: str, force: bool = False) -> None:
        """Deletes a repository and all its rows; its namespace stays used.

        Raises:
            NotFoundException: There is none of this name.
            ForbiddenException: It is read-only, and that was not to be overridden.
        """

        def work(writer: Writer) -> None:
            self._store.delete_repo(writer, self._store.writable(writer, name, force))

        self._store.effect(work)
        self._store.purge()

    def metadata(self, name: str) -> dict[str, str]:
        """A repository's metadata."""
        with self._store.reading() as reader:
            stored = self._store.setting(reader, self._store.repo(reader, name).id, METADATA)
        return {} if stored is None else records.read_metadata(stored)

    def set_metadata(self, name: str, metadata: dict[str, str]) -> None:
        """Sets some keys; as in lakeFS, nothing to set is no error even where there is no repository."""
        if metadata:
            self._change(name, lambda kept: kept.update(metadata))

    def delete_metadata(self, name: str, keys: Sequence[str]) -> None:
        """Drops some keys."""

        def drop(kept: dict[str, str]) -> None:
            for key in keys:
                kept.pop(key, None)

        if keys:
            self._change(name, drop)

    def _change(self, name: str, change: Callable[[dict[str, str]], None]) -> None:
        def work(writer: Writer) -> None:
            repo = self._store.repo(writer, name)
            stored = self._store.setting(writer, repo.id, METADATA)
            kept = {} if stored is None else records.read_metadata(stored)
            change(kept)
            self._store.set_setting(writer, repo.id, METADATA, records.encode(kept))

        self._store.effect(work)

    def _model(self, repo: Repo) -> models.Repository:
        record = repo.record
        read_only = None if record.bare else record.read_only
        return models.Repository(repo.name, record.created, record.default_branch, record.namespace, "", read_only)
