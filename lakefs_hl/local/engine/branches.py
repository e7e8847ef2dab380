"""Branches: pointers that move, with what is staged on them."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.engine.history import committed
from lakefs_hl.local.engine.names import check_branch, path_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.store import Store
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    refusal,
)

_END: Final = b"\xff"


class Branches:
    """The branches of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, repository: str, prefix: str, after: str, amount: int, hidden: bool = False) -> models.RefPage:
        """Branches by name."""
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            rows = reader.execute(
                "SELECT name, head FROM branch WHERE repository = ? AND name > ? AND substr(name, 1, ?) = ? "
                "AND (hidden = 0 OR ?) ORDER BY name LIMIT ?",
                (repo.id, after, len(prefix), prefix, hidden, amount + 1),
            ).fetchall()
        pagination, kept = page_of([models.Ref(row[0], row[1].hex()) for row in rows], amount, lambda one: one.id)
        return models.RefPage(pagination, kept)

    def get(self, repository: str, name: str) -> models.Ref:
        """A branch by its plain name.

        Raises:
            NotFoundException: There is none.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            check_branch(name)
            head = self._store.find_head(reader, repo.id, name)
            if head is None:
                raise NotFoundException("branch not found")
            return models.Ref(name, head.commit.hex())

    def create(self, repository: str, creation: models.BranchCreation) -> str:
        """Makes a branch; returns the id of its commit.

        Raises:
            ConflictException: A branch, tag or commit has that name.
            NotFoundException: There is no such source.
        """
        return self._store.submit(lambda writer: self._create(writer, repository, creation))

    def _create(self, writer: Writer, repository: str, creation: models.BranchCreation) -> str:
        store = self._store
        repo = store.writable(writer, repository, creation.force)
        check_branch(creation.name)
        try:
            source = committed(store, writer, repo.id, creation.source)
        except NotFoundException as exc:
            raise NotFoundException(f"source reference '{creation.source}': {exc}") from None
        except BadRequestException as exc:
            raise (refusal(500, str(exc)) if creation.source.endswith("$") else exc) from None
        free(store, writer, repo.id, creation.name)
        writer.execute(
            "INSERT INTO branch(repository, name, head, token, hidden) VALUES(?, ?, ?, ?, ?)",
            (repo.id, creation.name, source, store.next_token(writer), int(bool(creation.hidden))),
        )
        return source.hex()

    def delete(self, repository: str, name: str, force: bool = False) -> None:
        """Deletes a branch with what is staged on it.

        Raises:
            ForbiddenException: It is the default branch, or the repository is read-only.
            NotFoundException: There is none.
        """

        def work(writer: Writer) -> None:
            repo = self._store.writable(writer, repository, force)
            if name == repo.record.default_branch:
                raise ForbiddenException("cannot delete repository default branch")
            head = self._store.find_head(writer, repo.id, name)
            if head is None:
                raise NotFoundException("branch not found")
            writer.execute("DELETE FROM branch WHERE repository = ? AND name = ?", (repo.id, name))
            self._store.drop_tokens(writer, head.tokens)

        self._store.submit(work)

    def reset(self, repository: str, name: str, reset: models.Reset) -> None:
        """Drops staged changes: all, those of one object, or those under a prefix."""

        def work(writer: Writer) -> None:
            repo = self._store.writable(writer, repository, reset.force)
            head = self._store.head(writer, repo.id, name)
            if protected(self._store, writer, repo.id, name):
                raise ForbiddenException("cannot write to protected branch")
            if reset.type == "reset":
                low, high = b"", _END
            elif reset.type == "object":
                low = path_key(reset.path or "")
                high = low + b"\0"
            else:
                low = (reset.path or "").encode()
                high = low + _END
            for token in head.tokens:
                writer.execute("DELETE FROM staging WHERE token = ? AND path >= ? AND path < ?", (token, low, high))

        self._store.submit(work)

    def hard_reset(self, repository: str, name: str, ref: str, force: bool = False) -> None:
        """Moves a branch to another commit; what is staged stays."""

        def work(writer: Writer) -> None:
            repo = self._store.repo(writer, repository)
            if protected(self._store, writer, repo.id, name):
                raise ForbiddenException("protected branch")
            self._store.writable(writer, repository, force)
            head = self._store.head(writer, repo.id, name)
            if head.sealed:
                raise BadRequestException("uncommitted changes (dirty branch)")
            commit = committed(self._store, writer, repo.id, ref)
            writer.execute("UPDATE branch SET head = ? WHERE repository = ? AND name = ?", (commit, repo.id, name))

        self._store.submit(work)


def free(store: Store, writer: Writer, repo: int, name: str) -> None:
    """Refuses a name that a branch, tag or commit has already."""
    if store.find_head(writer, repo, name) is not None:
        raise ConflictException("branch already exists: not unique")
    if writer.row("SELECT 1 FROM tag WHERE repository = ? AND name = ?", (repo, name)):
        raise ConflictException("tag already exists: not unique")
    is_commit(writer, repo, name)


def is_commit(writer: Writer, repo: int, name: str) -> None:
    """Refuses a name that is a commit's full id."""
    try:
        commit = bytes.fromhex(name) if len(name) == 64 else b""
    except ValueError:
        return
    if commit and writer.row("SELECT 1 FROM history WHERE repository = ? AND id = ?", (repo, commit)):
        raise ConflictException("commit already exists: not unique")
