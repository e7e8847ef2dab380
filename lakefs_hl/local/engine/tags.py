"""Tags: names of commits that never move."""

from __future__ import annotations

from lakefs_hl.local.disk.tables import tags
from lakefs_hl.local.engine.history import committed, is_commit
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import check_tag
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ConflictException, NotFoundException


class Tags:
    """The tags of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def page(self, repository: str, prefix: str, after: str, amount: int) -> models.RefPage:
        """Tags by name."""
        with self._lake.read(repository) as snapshot:
            found = tags.page(snapshot.reader, snapshot.repo.id, prefix, after, amount + 1)
        pagination, kept = page_of([models.Ref(row.name, row.head.hex()) for row in found], amount, lambda one: one.id)
        return models.RefPage(pagination, kept)

    def get(self, repository: str, name: str) -> models.Ref:
        """A tag.

        Raises:
            NotFoundException: There is none.
        """
        with self._lake.read(repository) as snapshot:
            check_tag(name)
            row = tags.find(snapshot.reader, snapshot.repo.id, name)
        if row is None:
            raise NotFoundException("tag not found")
        return models.Ref(name, row.head.hex())

    def create(self, repository: str, creation: models.TagCreation) -> models.Ref:
        """Makes a tag of the commit that a reference means now.

        Raises:
            ConflictException: A tag, branch or commit has that name.
            NotFoundException: There is no such reference.
        """

        def work(transaction: Transaction) -> models.Ref:
            number = transaction.repo.id
            transaction.must_be_writable(creation.force)
            check_tag(creation.id)
            if transaction.find_head(creation.id) is not None:
                raise ConflictException(f"branch name {creation.id}: conflict found")
            if is_commit(transaction, creation.id):
                raise ConflictException(f"commit ID {creation.id}: conflict found")
            commit = committed(transaction, creation.ref)
            if tags.find(transaction.reader, number, creation.id) is not None:
                raise ConflictException("tag already exists: not unique")
            tags.insert(transaction.writer, tags.Row(number, creation.id, commit))
            return models.Ref(creation.id, commit.hex())

        return self._lake.effect(repository, work)

    def delete(self, repository: str, name: str, force: bool = False) -> None:
        """Deletes a tag.

        Raises:
            NotFoundException: There is none.
        """

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable(force)
            if not tags.delete(transaction.writer, transaction.repo.id, name):
                raise NotFoundException("tag not found")

        self._lake.effect(repository, work)
