"""Imports: files of this machine, registered in a branch without a copy.

An import runs on a thread of its own and leaves one commit, or an error in its record. What it registers is the file's
size, time and MD5; reading it later checks the first two.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import msgspec

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.commits import model
from lakefs_hl.local.engine.merges import STRATEGY
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.objects import LOCAL
from lakefs_hl.local.engine.records import CommitRecord, Entry, ImportRecord
from lakefs_hl.local.engine.store import Head, Repo, Store, now
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException, LakeFSException, NotFoundException

#: Objects between two notes of how far an import is.
NOTE: Final = 10_000
_BLOCK: Final = 1 << 20
_ME: Final = f"{os.getpid()} {uuid4().hex}"


class Imports:
    """The imports into a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cancelled: set[str] = set()

    def start(self, repository: str, branch: str, creation: models.ImportCreation, *, who: str) -> str:
        """Starts an import; returns its id.

        Raises:
            NotFoundException: There is no such branch or repository.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            self._store.head(reader, repo.id, branch)
        name = uuid4().hex
        self._note(repo, name, ImportRecord(_ME, False, now()))
        run = threading.Thread(target=self._run, args=(repo, branch, creation, who, name), daemon=True)
        run.name = "lake-import"
        run.start()
        return name

    def status(self, repository: str, name: str) -> models.ImportStatus:
        """How far an import is; one whose process is gone has failed.

        Raises:
            NotFoundException: There is none of this id.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            record = self._read(repo, name)
            error = record.error
            if error is None and not record.completed and not _alive(record.owner):
                error = "import error: the process that ran it is gone; start it again"
            commit = None
            if record.commit is not None:
                commit = model(record.commit, self._store.commit(reader, repo.id, record.commit))
        updated = datetime.fromtimestamp(record.updated / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return models.ImportStatus(
            record.completed,
            updated,
            record.ingested,
            commit.meta_range_id if commit else None,
            commit,
            None if error is None else models.Error(error),
        )

    def cancel(self, repository: str, name: str) -> None:
        """Ends an import that runs.

        Raises:
            ConflictException: It is over.
            NotFoundException: There is none of this id.
        """
        with self._store.reading() as reader:
            record = self._read(self._store.repo(reader, repository), name)
        if record.completed or (record.error and name not in self._cancelled):
            raise ConflictException("conflict found")
        self._cancelled.add(name)

    def _read(self, repo: Repo, name: str) -> ImportRecord:
        with self._store.reading() as reader:
            row = reader.row('SELECT value FROM "import" WHERE repository = ? AND id = ?', (repo.id, name))
        if row is None:
            raise NotFoundException("import not found")
        return records.read_import(row[0])

    def _note(self, repo: Repo, name: str, record: ImportRecord) -> None:
        value = records.encode(record)

        def work(writer: Writer) -> None:
            writer.execute(
                'INSERT OR REPLACE INTO "import"(repository, id, value) VALUES(?, ?, ?)', (repo.id, name, value)
            )

        self._store.submit(work)

    def _run(self, repo: Repo, branch: str, creation: models.ImportCreation, who: str, name: str) -> None:
        """The thread: whatever happens ends in the import's record."""
        record = ImportRecord(_ME, False, now())
        try:
            found = dict[bytes, bytes]()
            for key, entry in self._entries(repo, creation):
                found[key] = records.write_entry(entry)
                if len(found) % NOTE == 0:
                    record = msgspec.structs.replace(record, updated=now(), ingested=len(found))
                    self._note(repo, name, record)
                if name in self._cancelled:
                    raise InterruptedError("Canceled")
            replaced = [one.destination for one in creation.paths if one.type == "common_prefix"]
            commit = self.load(repo, branch, sorted(found.items()), replaced, creation, who=who)
            record = ImportRecord(_ME, True, now(), len(found), commit)
        except (LakeFSException, OSError, UnicodeError, ValueError) as exc:
            record = msgspec.structs.replace(record, updated=now(), error=f"import error: {exc}")
        self._note(repo, name, record)

    def _entries(self, repo: Repo, creation: models.ImportCreation) -> Iterator[tuple[bytes, Entry]]:
        for location in creation.paths:
            source = file_of(location.path)
            if location.type == "object":
                yield path_key(location.destination), _entry(source, os.stat(source))  # noqa: PTH116 - names as the system has them
                continue
            if not os.path.isdir(source):  # noqa: PTH112
                raise FileNotFoundError(f"no such folder: {source}")
            under = location.destination
            if under and not under.endswith("/"):
                under += "/"
            for path, status in _files(source):
                relative = os.path.relpath(path, source).replace(os.sep, "/")
                yield path_key(under + relative), _entry(path, status)

    def load(
        self,
        repo: Repo,
        branch: str,
        items: list[tuple[bytes, bytes]],
        replaced: list[str],
        creation: models.ImportCreation,
        *,
        who: str,
    ) -> bytes:
        """Puts many entries into a branch as one commit; what was under the replaced prefixes goes.

        Args:
            repo: The repository.
            branch: Which must have nothing staged.
            items: Keys and encoded entries, in order.
            replaced: Prefixes that hold nothing afterwards but what is in `items`.
            creation: Message and metadata of the commit.
            who: The committer.

        Returns:
            The commit's id.
        """
        store = self._store
        while True:
            with store.reading() as reader:
                store.writable(reader, repo.name, creation.force)
                head = store.head(reader, repo.id, branch)
                if next(views.staged(reader, head.tokens, b"", views.END), None) is not None:
                    raise BadRequestException("uncommitted changes (dirty branch)")
                nodes = store.nodes(reader)
                tree = store.tree(nodes)
                root = store.root(reader, repo.id, head.commit)
                if root == store.empty:
                    made = tree.build(items)
                else:
                    edits: dict[bytes, bytes | None] = {}
                    for prefix in replaced:
                        under = prefix if not prefix or prefix.endswith("/") else prefix + "/"
                        for keys, _ in tree.scan(root, under.encode(), under.encode() + views.END):
                            edits.update(dict.fromkeys(keys))
                    edits.update(items)
                    made = tree.apply(root, sorted(edits.items()))
            with store.writing() as writer:
                if store.head(writer, repo.id, branch) == head:
                    nodes.flush(writer)
                    return self._publish(writer, repo, head, made, creation, who)

    def _publish(
        self, writer: Writer, repo: Repo, head: Head, root: bytes, creation: models.ImportCreation, who: str
    ) -> bytes:
        store = self._store
        message = creation.commit.message or "Import objects"
        metadata = {STRATEGY: "source-wins", **(creation.commit.metadata or {})}
        generation = store.commit(writer, repo.id, head.commit).generation + 1
        record = CommitRecord([head.commit], root, who, message, now(), metadata, generation)
        commit = store.add_commit(writer, repo.id, record)
        writer.execute("UPDATE branch SET head = ? WHERE repository = ? AND name = ?", (commit, repo.id, head.name))
        return commit


def file_of(uri: str) -> str:
    """The path that a `local://` or `file://` URI names.

    Raises:
        ValueError: It is another store's, or not absolute.
    """
    if uri.startswith(LOCAL):
        path = uri.removeprefix(LOCAL)
    elif uri.startswith("file://"):
        parts = urlsplit(uri)
        path = unquote(parts.path)
    else:
        raise ValueError(f"{uri!r}: an embedded lake imports from local:///folder/ or file:///folder/ only")
    if not os.path.isabs(path):  # noqa: PTH117
        raise ValueError(f"{uri!r}: the path must be absolute, as in local:///home/me/data/")
    return path


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files of a tree; hidden ones are left out, as lakeFS does, and links are not followed."""
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path, entry.stat(follow_symlinks=False)


def _entry(path: str, status: os.stat_result) -> Entry:
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    address = LOCAL + os.path.abspath(path)  # noqa: PTH100 - links stay links
    mtime = status.st_mtime_ns
    return records.make_entry(address, status.st_size, digest.digest(), mtime // 10**9, None, None, mtime)


def _alive(owner: str) -> bool:
    """Whether the process that runs an import is there still; our own runs are known by more than their number."""
    if owner == _ME:
        return True
    process = int(owner.partition(" ")[0])
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
