"""Branches: pointers that move, with what is staged on them."""

from __future__ import annotations

from contextlib import closing

from lakefs_hl.local.disk.tables import branches, staging, tags
from lakefs_hl.local.engine import tokens
from lakefs_hl.local.engine.diffs import changes
from lakefs_hl.local.engine.history import committed, is_commit
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import check_branch, path_key, prefix_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.publish import point
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.snapshot import Head, Transaction
from lakefs_hl.local.engine.views import END
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException, ForbiddenException
from lakefs_hl.spec.refusals import refusal


class Branches:
    """The branches of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def page(self, repository: str, prefix: str, after: str, amount: int, hidden: bool = False) -> models.RefPage:
        """Branches by name."""
        with self._lake.read(repository) as snapshot:
            found = branches.page(snapshot.reader, snapshot.repo.id, prefix, after, amount + 1, hidden)
        pagination, kept = page_of([models.Ref(row.name, row.head.hex()) for row in found], amount, lambda one: one.id)
        return models.RefPage(pagination, kept)

    def get(self, repository: str, name: str) -> models.Ref:
        """A branch by its plain name.

        Raises:
            NotFoundException: There is none.
            BadRequestException: No branch can have that name.
        """
        with self._lake.read(repository) as snapshot:
            check_branch(name)
            return models.Ref(name, snapshot.head(name).head.hex())

    def create(self, repository: str, creation: models.BranchCreation) -> str:
        """Makes a branch; returns the id of its commit.

        Raises:
            ConflictException: A branch, tag or commit has that name.
            NotFoundException: There is no such source.
            BadRequestException: No branch can have that name, or the source is staged changes.
        """
        name, source = creation.name, creation.source

        def work(transaction: Transaction) -> str:
            transaction.must_be_writable(creation.force)
            check_branch(name, hint=True)
            if not source:
                raise refusal(500, "argument ref: required value: validation error")  # lakeFS answers so
            number = transaction.repo.id
            if tags.find(transaction.reader, number, name) is not None:
                raise ConflictException(f"tag ID {name}: conflict found")
            if is_commit(transaction, name):
                raise ConflictException(f"commit ID {name}: conflict found")
            if transaction.find_head(name) is not None:
                raise ConflictException("branch already exists: not unique")
            commit = committed(transaction, source, f"source reference '{source}': ")
            row = Head(number, name, commit, tokens.draw(transaction), hidden=bool(creation.hidden))
            branches.put(transaction.writer, row)
            return commit.hex()

        return self._lake.effect(repository, work)

    def delete(self, repository: str, name: str, force: bool = False) -> None:
        """Deletes a branch with what is staged on it.

        Raises:
            ForbiddenException: It is the default branch, or the repository is read-only.
            NotFoundException: There is none.
        """

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable(force)
            check_branch(name)
            if name == transaction.repo.record.default_branch:
                raise ForbiddenException("cannot delete repository default branch")
            head = transaction.head(name)
            branches.delete(transaction.writer, transaction.repo.id, name)
            tokens.drop(transaction, head.tokens)

        self._lake.effect(repository, work)
        self._lake.purge.run()

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

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable(reset.force)
            check_branch(name)
            head = transaction.head(name)
            if protected(transaction, name):
                raise ForbiddenException("cannot write to protected branch")
            if reset.type == "reset":
                tokens.renew(transaction, head)
                return
            head = tokens.take_back(transaction, head, low, high)
            # As in lakeFS: what a reset by prefix leaves is sealed, once, and the branch is no more to be reset hard.
            if (
                reset.type == "common_prefix"
                and not head.sealed
                and staging.has_more(transaction.reader, head.token, 0)
            ):
                tokens.seal(transaction, head)

        self._lake.effect(repository, work)
        self._lake.purge.run()

    def hard_reset(self, repository: str, name: str, ref: str, force: bool = False) -> None:
        """Moves a branch to another commit; what is staged stays, and is staged over that commit.

        Raises:
            NotFoundException: There is no such branch or reference.
            ForbiddenException: It is protected, or the repository read-only.
            BadRequestException: Some of what is staged is sealed: it is being committed, or was left by a reset.
        """

        def work(transaction: Transaction) -> None:
            check_branch(name)
            if protected(transaction, name):
                raise ForbiddenException("protected branch")
            transaction.must_be_writable(force)
            head = transaction.head(name)
            if head.sealed:
                with closing(staging.between(transaction.reader, head.tokens[1:], b"", END)) as sealed:
                    if next(changes(transaction.tree, transaction.root(head.head), sealed), None) is not None:
                        raise BadRequestException(f"{name}: uncommitted changes (dirty branch)")
            point(transaction, head, committed(transaction, ref, f"hard-reset {name} to {ref}: "))

        self._lake.effect(repository, work)
