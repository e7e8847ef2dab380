"""The engine of one lake: its nouns, put together; one per folder and process, however often it is opened."""

from __future__ import annotations

import os
import secrets
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from lakefs_hl._version import __version__
from lakefs_hl.local.disk.layout import must_exist, prepare
from lakefs_hl.local.engine.branches import Branches
from lakefs_hl.local.engine.commits import Commits
from lakefs_hl.local.engine.diffs import Diffs
from lakefs_hl.local.engine.idempotency import Idempotency
from lakefs_hl.local.engine.imports import Imports
from lakefs_hl.local.engine.keys import Keys
from lakefs_hl.local.engine.merges import Merges
from lakefs_hl.local.engine.objects import Objects
from lakefs_hl.local.engine.pulls import PullRequests
from lakefs_hl.local.engine.repositories import Repositories
from lakefs_hl.local.engine.settings import Settings
from lakefs_hl.local.engine.staging import Staging
from lakefs_hl.local.engine.store import Store, public
from lakefs_hl.local.engine.tags import Tags
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.local.tree import Shape
from lakefs_hl.spec import models

_open: Final[dict[str, Engine]] = {}
_lock = threading.RLock()  # the garbage collector may close one lake in the midst of opening another


def _after_fork_in_child() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock  # noqa: PLW0603 - a new process, a new lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork_in_child)


class Engine:
    """lakeFS's meaning over one folder. Get one by `Engine.open`, and close it as often as it was opened.

    Attributes:
        folder: The lake.
        store: Disk and trees, for fsck and measurements.
        repositories, branches, tags, commits, diffs, merges, pulls, objects, staging, imports, settings, keys: The
            nouns.
        idempotency: Answers of requests with an idempotency key.
    """

    def __init__(self, folder: Path, *, sync: bool, timeout: float) -> None:
        self.folder = folder
        with public():
            drawn = msgspec.to_builtins(Shape(seed=secrets.randbits(63)))
            database, noted = prepare(str(folder), tree=drawn, sync=sync, timeout=timeout)
            try:
                store = Store(database, Shape.restore(noted["tree"]))
            except BaseException:
                database.close()
                raise
            self.store: Store = store
        self._users = 0
        self._created = int(datetime.fromisoformat(noted["created"]).timestamp())
        writes = Writes(store)
        self.repositories: Repositories = Repositories(store)
        self.branches: Branches = Branches(store)
        self.tags: Tags = Tags(store)
        self.commits: Commits = Commits(store)
        self.diffs: Diffs = Diffs(store)
        self.merges: Merges = Merges(store)
        self.pulls: PullRequests = PullRequests(store, self.merges)
        self.objects: Objects = Objects(store, writes)
        self.keys: Keys = Keys(store)
        self.staging: Staging = Staging(store, writes)
        self.imports: Imports = Imports(store)
        self.settings: Settings = Settings(store)
        self.idempotency: Idempotency = Idempotency(store)
        store.purge(look=True)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        sync: bool = True,
        timeout: float = 30.0,
        import_roots: tuple[Path, ...] | None = None,
        create: bool = True,
    ) -> Engine:
        """Opens a lake, or makes one of an empty or missing folder.

        Args:
            folder: Where.
            sync: False for a lake that need not outlive its process.
            timeout: Seconds that a writer waits for other processes.
            import_roots: Folders below which imported files may be read; None: wherever they are. Who names some
                does so for all who have the lake open in this process: a server must not read for others more.
            create: Whether to make a lake of an empty or missing folder.

        Raises:
            LakeFormatError: The folder holds something else; or nothing, and `create` is False.
            LakeLockedError: Another process kept it too long.
            LakeCorruptError: Part of it is missing.
        """
        place = os.path.realpath(folder)
        with _lock:
            engine = _open.get(place)
            if engine is not None:
                engine._users += 1
                # Closed by the garbage collector between these lines, or another lake's place by now.
                if _open.get(place) is not engine or engine.store.database.moved():
                    engine.close()
                    engine = None
            if engine is None:
                if not create:
                    with public():
                        must_exist(place)
                engine = _open[place] = cls(Path(place), sync=sync, timeout=timeout)
                engine._users = 1
            if import_roots is not None:
                engine.store.import_roots = tuple(root.resolve() for root in import_roots)
            return engine

    def close(self) -> None:
        """Gives one opening back; the last one closes the files."""
        with _lock:
            if not self._users:
                return
            self._users -= 1
            if self._users:
                return
            if _open.get(str(self.folder)) is self:
                del _open[str(self.folder)]
        self.imports.close()
        with public():
            self.store.database.close()

    def config(self) -> models.Config:
        """What this server says of itself."""
        storage = models.StorageConfig(
            "local",
            "local://example-bucket/",
            "^local://",
            "local://",
            False,
            False,
            True,
            "^local://",
            False,
            "",
            "",
        )
        # lakeFS's own word: its command takes any other for the Enterprise edition, and warns.
        version = models.VersionConfig(f"lakefs-hl {__version__}", "lakeFS")
        return models.Config(version, storage, [], {}, {})

    def user(self, who: str) -> models.User:
        """Who asks, in lakeFS's words."""
        return models.User(who, self._created)

    def __repr__(self) -> str:
        """The folder."""
        return f"<Engine {self.folder}>"
