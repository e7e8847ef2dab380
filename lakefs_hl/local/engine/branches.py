"""Branches: pointers that move, with what is staged on them."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import branches, staging, tags
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine.diffs import changes
from lakefs_hl.local.engine.history import committed, is_commit
from lakefs_hl.local.engine.names import check_branch, path_key, prefix_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.store import Store
from lakefs_hl.local.engine.views import END
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException, ForbiddenException
from lakefs_hl.spec.refusals import refusal


class Branches:
    """The branches of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, repository: str, prefix: str, after: str, amount: int, hidden: bool = False) -> models.RefPage:
        """Branches by name."""
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            found = branches.page(reader, repo.id, prefix, after, amount + 1, hidden)
        pagination, kept = page_of([models.Ref(row.name, row.head.hex()) for row in found], amount, lambda one: one.id)
        return models.RefPage(pagination, kept)

    def get(self, repository: str, name: str) -> models.Ref:
        """A branch by its plain name.

        Raises:
            NotFoundException: There is none.
            BadRequestException: No branch can have that name.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            check_branch(name)
            return models.Ref(name, self._store.head(reader, repo.id, name).head.hex())

    def create(self, repository: str, creation: models.BranchCreation) -> str:
        """Makes a branch; returns the id of its commit.

        Raises:
            ConflictException: A branch, tag or commit has that name.
            NotFoundException: There is no such source.
            BadRequestException: No branch can have that name, or the source is staged changes.
        """
        return self._store.effect(lambda writer: self._create(writer, repository, creation))

    def _create(self, writer: Writer, repository: str, creation: models.BranchCreation) -> str:
        store, name, source = self._store, creation.name, creation.source
        repo = store.writable(writer, repository, creation.force)
        check_branch(name, hint=True)
        if not source:
            raise refusal(500, "argument ref: required value: validation error")  # lakeFS answers so
        if tags.find(writer, repo.id, name) is not None:
            raise ConflictException(f"tag ID {name}: conflict found")
        if is_commit(writer, repo.id, name):
            raise ConflictException(f"commit ID {name}: conflict found")
        if store.find_head(writer, repo.id, name) is not None:
            raise ConflictException("branch already exists: not unique")
        commit = committed(store, writer, repo.id, source, f"source reference '{source}': ")
        row = Head(repo.id, name, commit, store.next_token(writer), hidden=bool(creation.hidden))
        branches.put(writer, row)
        return commit.hex()

    def delete(self, repository: str, name: str, force: bool = False) -> None:
        """Deletes a branch with what is staged on it.

        Raises:
            ForbiddenException: It is the default branch, or the repository is read-only.
            NotFoundException: There is none.
        """

        def work(writer: Writer) -> None:
            repo = self._store.writable(writer, repository, force)
            check_branch(name)
            if name == repo.record.default_branch:
                raise ForbiddenException("cannot delete repository default branch")
            head = self._store.head(writer, repo.id, name)
            branches.delete(writer, repo.id, name)
            self._store.drop_tokens(writer, head.tokens)

        self._store.effect(work)
        self._store.purge()

    def reset(self, repository: str, name: str, reset: models.Reset) -> None:
        """Drops staged changes: all, that of one object, or those under a prefix.

        Raises:
            NotFoundException: There is no such branch.
            ForbiddenException: It is protected, or the repository read-only.
        """
        low, high = b"", END
        if reset.type == "object":
            low = path_key(reset.path or "")
            high = low + b"\0"
        elif reset.type == "common_prefix":
            low = prefix_key(reset.path or "")
            high = low + END

        def work(writer: Writer) -> None:
            repo = self._store.writable(writer, repository, reset.force)
            check_branch(name)
            head = self._store.head(writer, repo.id, name)
            if protected(self._store, writer, repo.id, name):
                raise ForbiddenException("cannot write to protected branch")
            if reset.type == "reset":
                self._store.renew(writer, head)
            else:
                staging.delete_between(writer, head.tokens, low, high)
                if reset.type == "common_prefix":
                    self._seal_rest(writer, head)

        self._store.effect(work)
        self._store.purge()

    def _seal_rest(self, writer: Writer, head: Head) -> None:
        """Seals what a reset by prefix has left, once: as in lakeFS, the branch is no more to be reset hard then."""
        if not head.sealed and staging.has_more(writer, head.token, 0):
            self._store.seal(writer, head)

    def hard_reset(self, repository: str, name: str, ref: str, force: bool = False) -> None:
        """Moves a branch to another commit; what is staged stays, and is staged over that commit.

        Raises:
            NotFoundException: There is no such branch or reference.
            ForbiddenException: It is protected, or the repository read-only.
            BadRequestException: Some of what is staged is sealed: it is being committed, or was left by a reset.
        """

        def work(writer: Writer) -> None:
            repo = self._store.repo(writer, repository)
            check_branch(name)
            if protected(self._store, writer, repo.id, name):
                raise ForbiddenException("protected branch")
            self._store.writable(writer, repository, force)
            head = self._store.head(writer, repo.id, name)
            if head.sealed:
                tree = self._store.tree(self._store.nodes(writer))
                sealed = staging.between(writer, head.tokens[1:], b"", END)
                if next(changes(tree, self._store.root(writer, repo.id, head.head), sealed), None) is not None:
                    raise BadRequestException(f"{name}: uncommitted changes (dirty branch)")
            commit = committed(self._store, writer, repo.id, ref, f"hard-reset {name} to {ref}: ")
            self._store.set_head(writer, head, commit)

        self._store.effect(work)
