"""Repositories: made, listed, described, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lakefs_hl.local.disk.tables import branches, meta, repositories, settings
from lakefs_hl.local.engine import records, samples, tokens
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.records import RepositoryRecord, first_commit
from lakefs_hl.local.engine.settings import PROTECTION
from lakefs_hl.local.engine.snapshot import Head, Repo, Transaction
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException

METADATA: Final = "metadata"
_SCHEME: Final = "local://"


class Repositories:
    """The repositories of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def create(self, creation: models.RepositoryCreation, *, bare: bool = False, who: str) -> models.Repository:
        """Makes a repository with a first commit and a default branch.

        Raises:
            ConflictException: There is one of this name.
            BadRequestException: The namespace is not for this store, or was used before.
        """
        record = RepositoryRecord(
            seconds(),
            creation.default_branch or "main",
            creation.storage_namespace,
            bool(creation.read_only),
            bare,
        )
        sample = samples.put(self._lake) if creation.sample_data and not bare else {}

        def work(transaction: Transaction) -> models.Repository:
            self._create(transaction, creation, record)
            if sample:
                samples.commit(transaction, sample, who)
            return self._model(transaction.repo)

        return self._lake.effect(None, work)

    def _create(self, transaction: Transaction, creation: models.RepositoryCreation, record: RepositoryRecord) -> None:
        writer, name = transaction.writer, creation.name
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
        repo = transaction.repo = Repo(repositories.insert(writer, name, records.encode(record)).id, name, record)
        if not record.bare:
            first = transaction.add_commit(first_commit(record.created))
            branches.put(writer, Head(repo.id, record.default_branch, first, tokens.draw(transaction)))
            if creation.sample_data:
                transaction.set_setting(PROTECTION, records.encode([record.default_branch]))

    def get(self, name: str) -> models.Repository:
        """A repository.

        Raises:
            NotFoundException: There is none of this name.
        """
        with self._lake.read(name) as snapshot:
            return self._model(snapshot.repo)

    def page(self, prefix: str, after: str, amount: int, search: str = "") -> models.RepositoryPage:
        """Repositories by name."""
        with self._lake.read() as snapshot:
            found = repositories.page(snapshot.reader, prefix, after, search, amount + 1)
        listed = [self._model(Repo(row.id, row.name, records.read_repository(row.value))) for row in found]
        pagination, kept = page_of(listed, amount, lambda one: one.id)
        return models.RepositoryPage(pagination, kept)

    def delete(self, name: str, force: bool = False) -> None:
        """Deletes a repository and all its rows; its namespace stays used.

        Raises:
            NotFoundException: There is none of this name.
            ForbiddenException: It is read-only, and that was not to be overridden.
        """

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable(force)
            writer, number = transaction.writer, transaction.repo.id
            for branch in branches.of_repository(writer, number):
                tokens.drop(transaction, branch.tokens)
            branches.delete_all(writer, number)
            settings.delete_all(writer, number)
            repositories.delete(writer, number)
            self._lake.purge.add_repository(writer, number)

        self._lake.effect(name, work)
        self._lake.purge.run()

    def metadata(self, name: str) -> dict[str, str]:
        """A repository's metadata."""
        with self._lake.read(name) as snapshot:
            stored = snapshot.setting(METADATA)
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
        def work(transaction: Transaction) -> None:
            stored = transaction.setting(METADATA)
            kept = {} if stored is None else records.read_metadata(stored)
            change(kept)
            transaction.set_setting(METADATA, records.encode(kept))

        self._lake.effect(name, work)

    def _model(self, repo: Repo) -> models.Repository:
        record = repo.record
        read_only = None if record.bare else record.read_only
        return models.Repository(repo.name, record.created, record.default_branch, record.namespace, "", read_only)
