"""A lake with every kind of row, damage done to its files at random, and the question whether anybody would see it.

Damage is seen if `fsck` names it, or a read raises. If neither does, it must change nothing: all that the lake holds
(refs, logs, listings, uncommitted changes, settings, bytes, keys) is compared with what it held before.
"""

from __future__ import annotations

import collections
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from lakefs_hl.local.api import App
from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import IntegrityError, LakeCorruptError, LakeFormatError
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.wire import FileSlice, Request

REPO = "repo"
KEY = KeyPair("AKIADAMAGE", "the secret of the tests of damage")
#: What a bit is flipped in. A log is only there in the lake of a process that was killed.
FILES = ("lake.db", "lake.db-wal", "format.json", "keys.json", "objects")
_READ = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def make(folder: Path, imported: Path) -> None:
    """Makes a lake, leaves it as a kill would: with the last changes in the log only.

    Args:
        folder: Where.
        imported: A directory for files that are imported.
    """
    drafts = folder.with_name("drafts")
    engine = Engine.open(drafts)
    _fill(engine, imported)
    engine.close()
    engine = Engine.open(drafts)
    _fill_log(engine)
    shutil.copytree(drafts, folder)  # no thread is writing
    (folder / "lake.db-shm").unlink()
    engine.close()
    shutil.rmtree(drafts)


def _fill(engine: Engine, imported: Path) -> None:
    Keys(engine.folder).install(KEY)
    for name in (REPO, "other"):
        engine.repositories.create(models.RepositoryCreation(name, f"local://{name}", "main"), who="me")
        engine.repositories.set_metadata(name, {"owner": "team"})
        engine.settings.set_protection(name, [models.BranchProtectionRule("release*")], None)
        engine.settings.set_gc_rules(name, models.GCRules(7, []))
        for index in range(60):
            engine.objects.put(name, "main", f"data/{index:02d}", f"{name} {index}".encode() * (index % 3 * 20))
        engine.objects.put(name, "main", "large", bytes(range(256)) * (INLINE // 256 + 1), metadata={"key": "value"})
        commit(engine, name, "main")
        for index in range(4):
            engine.branches.create(name, models.BranchCreation(f"branch-{index}", "main"))
            engine.objects.put(name, f"branch-{index}", "data/07", b"changed %d" % index)
            engine.tags.create(name, models.TagCreation(f"v{index}", "main"))
        commit(engine, name, "branch-1")
        engine.objects.put(name, "main", "data/09", b"on main")
        commit(engine, name, "main")
        engine.merges.merge(name, "branch-1", "main", models.Merge(), who="me")
        engine.objects.put(name, "main", "staged", b"not committed")
        engine.objects.delete(name, "main", "data/11")
    imported.mkdir()
    (imported / "file").write_bytes(b"imported")
    locations = [models.ImportLocation("common_prefix", f"local://{imported}/", "imported/")]
    creation = models.ImportCreation(locations, models.CommitCreation("imported"))
    engine.branches.create("other", models.BranchCreation("imports", "main"))
    name = engine.imports.start("other", "imports", creation, who="me")
    while not (status := engine.imports.status("other", name)).completed:
        assert status.error is None
    for number in range(3):
        _send(engine, f"key-{number}", f"keyed/{number}")
    for number in range(2):
        pull = models.PullRequestCreation(f"pull {number}", f"branch-{number}", "main")
        engine.pulls.create(REPO, pull, who="me")
    for content in (b"uploaded", bytes(INLINE + 1)):
        engine.addresses.receive(engine.addresses.address(REPO, "main", "a").physical_address or "", content)
    engine.branches.create(REPO, models.BranchCreation("gone", "main"))
    engine.branches.delete(REPO, "gone")


def _fill_log(engine: Engine) -> None:
    for index in range(10):
        engine.objects.put(REPO, "branch-3", f"log/{index}", b"log %d" % index)
        if index % 4 == 0:
            commit(engine, REPO, "branch-3")
    engine.branches.create(REPO, models.BranchCreation("in-log", "branch-3"))
    _send(engine, "key-of-the-log", "keyed/log")


def _send(engine: Engine, key: str, path: str) -> None:
    upload = Request(endpoints.UPLOAD_OBJECT, (REPO, "main"), {"path": path}, {"idempotency-key": key}, body=b"keyed")
    response = App(engine)(upload, "me")
    assert response.status == 201, response.body


def commit(engine: Engine, repository: str, branch: str) -> str:
    """Commits; gives the id."""
    creation = models.CommitCreation("message", metadata={"key": "value"})
    return engine.commits.commit(repository, branch, creation, who="me").id


def export(engine: Engine) -> Any:
    """All that a lake holds."""
    read: set[str] = set()
    found: dict[str, Any] = {"key": Keys(engine.folder).authenticate(KEY.access_key_id, KEY.secret_access_key)}
    for repo in engine.repositories.page("", "", 100, "").results:
        name = repo.id
        settings = (
            engine.repositories.metadata(name),
            engine.settings.protection(name),
            engine.settings.gc_rules(name),
        )
        found[name] = (repo, settings)
        found[f"{name}: pulls"] = engine.pulls.page(name, "", "", 100).results
        branches = engine.branches.page(name, "", "", 100, True).results
        tags = engine.tags.page(name, "", "", 100).results
        found[f"{name}: refs"] = (branches, tags)
        for ref in [*branches, *tags]:
            found[f"{name}: {ref.id}: commit"] = engine.commits.get(name, ref.id)
            log = engine.commits.log(name, ref.id, amount=1000).results
            found[f"{name}: {ref.id}"] = (log, list(_objects(engine, name, ref.id, read)))
        for branch in branches:
            found[f"{name}: {branch.id}: uncommitted"] = _uncommitted(engine, name, branch.id)
    with engine.lake.database.read() as reader:
        found["answers"] = reader.rows("SELECT user, key, value FROM idempotency ORDER BY user, key")
        found["imports"] = reader.rows("SELECT * FROM import ORDER BY repository, id")
        found["uploads"] = reader.rows("SELECT address, made, value FROM upload ORDER BY address")
    return found


def _uncommitted(engine: Engine, repository: str, branch: str) -> Any:
    return engine.diffs.branch(repository, branch, amount=1000).results


def _objects(engine: Engine, repository: str, ref: str, read: set[str]) -> Iterator[tuple[models.ObjectStats, bytes]]:
    """Each object that a reference shows, and its bytes where they were not read yet."""
    for stats in engine.objects.list(repository, ref, amount=1000).results:
        data = b""
        if stats.physical_address not in read:
            read.add(stats.physical_address)
            one, content = engine.objects.read(repository, ref, stats.path)
            assert one.checksum == stats.checksum
            body = content.body
            data = os.pread(body.fd, body.length, 0) if isinstance(body, FileSlice) else body
            content.release()
        yield stats, data


class Place(NamedTuple):
    """Where damage is done: a file of the lake, below its folder, and a byte of it."""

    path: str
    at: int


class Damage:
    """Does damage to copies of one lake, and counts what becomes of it.

    Args:
        folder: The lake; stays as it is.
        scratch: An empty directory on a fast disk.
        rng: Where and how.
    """

    def __init__(self, folder: Path, scratch: Path, rng: random.Random) -> None:
        self.rng = rng
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.unseen: list[str] = []
        self._lake = scratch / "lake"
        self.whole = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
        self._folders = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_dir()]
        self._restore()
        engine = Engine.open(self._lake, sync=False)
        self.expected = export(engine)
        engine.close()
        self._restore()
        self._pages = self._list_pages()
        self._restore()

    def _restore(self) -> None:
        shutil.rmtree(self._lake, ignore_errors=True)
        self._lake.mkdir(mode=0o700)
        for folder in self._folders:
            (self._lake / folder).mkdir()
        for name, data in self.whole.items():
            (self._lake / name).write_bytes(data)

    def _list_pages(self) -> dict[str, list[int]]:
        """The pages of each table and index, in the database file and so without the log."""
        (self._lake / "lake.db-wal").unlink(missing_ok=True)
        connection = apsw.Connection(f"file:{self._lake}/lake.db?immutable=1", flags=_READ)
        pages: dict[str, list[int]] = {}
        for name, number in connection.execute("SELECT name, pageno FROM dbstat"):
            pages.setdefault(name, []).append(number)
        connection.close()
        return pages

    def empty_tables(self) -> list[str]:
        """The tables in which no row could be damaged."""
        connection = apsw.Connection(f"file:{self._lake}/lake.db?immutable=1", flags=_READ)
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').get for name in schema.STATEMENTS}
        connection.close()
        return [name for name, count in rows.items() if not count]

    def place(self) -> Place:
        """A place: each kind of file and each table of the database as often as the others."""
        kind = self.rng.choice(("lake.db", "lake.db", "lake.db", *FILES))
        names = [name for name in self.whole if kind in (name, name.partition("/")[0])]
        name = self.rng.choice(names)
        if kind == "lake.db" and self.rng.random() < 0.8:
            page = self.rng.choice(self._pages[self.rng.choice(sorted(self._pages))])
            return Place(name, (page - 1) * 4096 + self.rng.randrange(4096))
        return Place(name, self.rng.randrange(len(self.whole[name])))

    def flip(self) -> None:
        """Flips one bit."""
        place, bit = self.place(), self.rng.randrange(8)
        data = bytearray(self.whole[place.path])
        data[place.at] ^= 1 << bit
        self.judge(place.path, bytes(data), f"bit {bit} of byte {place.at} of {place.path}")

    def zero_page(self) -> None:
        """Makes a page of a file zero."""
        place = self.place()
        start = place.at // 4096 * 4096
        data = bytearray(self.whole[place.path])
        data[start : start + 4096] = bytes(len(data[start : start + 4096]))
        self.judge(place.path, bytes(data), f"zeros from byte {start} of {place.path}")

    def truncate(self) -> None:
        """Cuts a file off."""
        place = self.place()
        self.judge(place.path, self.whole[place.path][: place.at], f"{place.path} cut off at byte {place.at}")

    def retype(self, table: str, column: str, value: object) -> None:
        """Gives a column of a table's rows a value of another type, as a damaged head of a record does."""
        connection = apsw.Connection(str(self._lake / "lake.db"))
        try:
            connection.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (value,))
            changed = connection.changes()
        except (apsw.ConstraintError, apsw.MismatchError):  # no record can hold it
            changed = 0
        connection.close()
        outcome = self._outcome() if changed else "no damage"
        self.outcomes[outcome] += 1
        if outcome.startswith("UNSEEN"):
            self.unseen.append(f"{table}.{column} = {value!r}: {outcome}")
        self._restore()

    def columns(self) -> list[tuple[str, str]]:
        """All columns of all tables, each after the name of its table."""
        connection = apsw.Connection(f"file:{self._lake}/lake.db?immutable=1", flags=_READ)
        found = [
            (table, str(row[1]))
            for table in schema.STATEMENTS
            for row in connection.execute(f'SELECT * FROM pragma_table_info("{table}")')
        ]
        connection.close()
        return found

    def judge(self, path: str, data: bytes, what: str) -> None:
        """Writes a damaged file, and notes who sees it."""
        if data == self.whole[path]:
            self.outcomes["no damage"] += 1
            return
        (self._lake / path).write_bytes(data)
        outcome = self._outcome()
        self.outcomes[outcome] += 1
        if outcome.startswith("UNSEEN"):
            self.unseen.append(f"{what}: {outcome}")
        if outcome.startswith("fsck"):  # which has changed nothing
            (self._lake / path).write_bytes(self.whole[path])
        else:
            self._restore()

    def _outcome(self) -> str:
        try:
            if fsck(self._lake, read_data=True).exit_code:
                return "fsck: damage"
        except LakeFormatError:
            return "fsck: cannot run"
        seen = _attempt(lambda: Engine.open(self._lake, sync=False))
        if isinstance(seen, str):
            return f"refused: {seen}"
        try:
            found = _attempt(lambda: export(seen))
            if isinstance(found, str):
                return f"read: {found}"
            if found == self.expected:
                return "harmless"
            return f"UNSEEN {[key for key in {**found, **self.expected} if found.get(key) != self.expected.get(key)]}"
        finally:
            seen.close()


def _attempt(work: Callable[[], Any]) -> Any:
    """What it gives, or the name of an error that says what is wrong."""
    try:
        return work()
    except (LakeCorruptError, LakeFormatError, IntegrityError) as error:
        return type(error).__name__
