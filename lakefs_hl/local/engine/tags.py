"""Tags: names of commits that never move."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import tags
from lakefs_hl.local.engine.history import committed, is_commit
from lakefs_hl.local.engine.names import check_tag
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.store import Store
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ConflictException, NotFoundException


class Tags:
    """The tags of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, repository: str, prefix: str, after: str, amount: int) -> models.RefPage:
        """Tags by name."""
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            found = tags.page(reader, repo.id, prefix, after, amount + 1)
        pagination, kept = page_of([models.Ref(row.name, row.head.hex()) for row in found], amount, lambda one: one.id)
        return models.RefPage(pagination, kept)

    def get(self, repository: str, name: str) -> models.Ref:
        """A tag.

        Raises:
            NotFoundException: There is none.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            check_tag(name)
            row = tags.find(reader, repo.id, name)
        if row is None:
            raise NotFoundException("tag not found")
        return models.Ref(name, row.head.hex())

    def create(self, repository: str, creation: models.TagCreation) -> models.Ref:
        """Makes a tag of the commit that a reference means now.

        Raises:
            ConflictException: A tag, branch or commit has that name.
            NotFoundException: There is no such reference.
        """

        def work(writer: Writer) -> models.Ref:
            repo = self._store.writable(writer, repository, creation.force)
            check_tag(creation.id)
            if self._store.find_head(writer, repo.id, creation.id) is not None:
                raise ConflictException(f"branch name {creation.id}: conflict found")
            if is_commit(writer, repo.id, creation.id):
                raise ConflictException(f"commit ID {creation.id}: conflict found")
            commit = committed(self._store, writer, repo.id, creation.ref)
            if tags.find(writer, repo.id, creation.id) is not None:
                raise ConflictException("tag already exists: not unique")
            tags.insert(writer, tags.Row(repo.id, creation.id, commit))
            return models.Ref(creation.id, commit.hex())

        return self._store.effect(work)

    def delete(self, repository: str, name: str, force: bool = False) -> None:
        """Deletes a tag.

        Raises:
            NotFoundException: There is none.
        """

        def work(writer: Writer) -> None:
            repo = self._store.writable(writer, repository, force)
            if not tags.delete(writer, repo.id, name):
                raise NotFoundException("tag not found")

        self._store.effect(work)
