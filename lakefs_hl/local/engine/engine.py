"""The engine of one lake: its nouns, put together; one per folder and process, however often it is opened."""

from __future__ import annotations

import os
import secrets
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from lakefs_hl.local.disk.layout import must_exist, prepare
from lakefs_hl.local.disk.tables import credentials
from lakefs_hl.local.engine import places, records
from lakefs_hl.local.engine.addresses import Addresses
from lakefs_hl.local.engine.branches import Branches
from lakefs_hl.local.engine.commits import Commits
from lakefs_hl.local.engine.diffs import Diffs
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.idempotency import Idempotency
from lakefs_hl.local.engine.imports import Imports
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.merges import Merges
from lakefs_hl.local.engine.multipart import Multipart
from lakefs_hl.local.engine.objects import Objects
from lakefs_hl.local.engine.pulls import PullRequests
from lakefs_hl.local.engine.repositories import Repositories
from lakefs_hl.local.engine.settings import Settings
from lakefs_hl.local.engine.tags import Tags
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.local.tree import Shape
from lakefs_hl.spec import models

#: The release of lakeFS whose recorded responses the lake reproduces.
LAKEFS: Final = "1.84.0"
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
        lake: Disk and trees, for fsck and measurements.
        repositories, branches, tags, commits, diffs, merges, pulls: The nouns.
        objects, addresses, multipart, imports, settings: More of them.
        idempotency: Answers of requests with an idempotency key.
    """

    def __init__(self, folder: Path, *, sync: bool, timeout: float) -> None:
        self.folder = folder
        with public():
            drawn = msgspec.to_builtins(Shape(seed=secrets.randbits(63)))
            database, noted = prepare(str(folder), tree=drawn, sync=sync, timeout=timeout)
            try:
                lake = Lake(database, Shape.restore(noted["tree"]))
            except BaseException:
                database.close()
                raise
            self.lake: Lake = lake
        self._users = 0
        self._created = int(datetime.fromisoformat(noted["created"]).timestamp())
        writes = Writes(lake)
        self.repositories: Repositories = Repositories(lake)
        self.branches: Branches = Branches(lake)
        self.tags: Tags = Tags(lake)
        self.commits: Commits = Commits(lake)
        self.diffs: Diffs = Diffs(lake)
        self.merges: Merges = Merges(lake)
        self.pulls: PullRequests = PullRequests(lake, self.merges)
        self.objects: Objects = Objects(lake, writes)
        self.addresses: Addresses = Addresses(lake, writes)
        self.multipart: Multipart = Multipart(lake, self.addresses)
        self.imports: Imports = Imports(lake)
        self.settings: Settings = Settings(lake)
        self.idempotency: Idempotency = Idempotency(lake)
        lake.purge.run(look=True, patience=0.0)  # whoever opens a lake waits for nobody

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
                if _open.get(place) is not engine or engine.lake.database.moved():
                    engine.close()
                    engine = None
            if engine is None:
                if not create:
                    with public():
                        must_exist(place)
                engine = _open[place] = cls(Path(place), sync=sync, timeout=timeout)
                engine._users = 1
            if import_roots is not None:
                engine.lake.import_roots = places.resolved(import_roots)
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
            self.lake.database.close()

    def config(self) -> models.Config:
        """What this server says of itself."""
        storage = models.StorageConfig(
            "local",
            "local://example-bucket/",
            "^local://",
            "local://",
            False,
            False,
            self.lake.import_roots != (),
            "^local://",
            False,
            "",
            "",
        )
        # lakeFS's own words: clients parse and compare the version, and lakeFS's command takes any other context for
        # the Enterprise edition. Our own name and version are in headers of every response (`local/serve/exchange.py`).
        version = models.VersionConfig(LAKEFS, "lakeFS")
        return models.Config(version, storage, [], {}, {})

    def user(self, who: str) -> models.User:
        """Who asks, in lakeFS's words."""
        return models.User(who, self._created)

    def old_keys(self) -> dict[str, bytes]:
        """Hashes of the keys of a format 1 lake, by access key; `local/keys.py` has the keys of today."""
        with self.lake.read() as snapshot:
            found = credentials.scan(snapshot.reader)
        return {key: records.read_credential(value).secret for key, value in found}

    def drop_old_keys(self) -> None:
        """Removes them: those of the lake are in `keys.json`."""
        self.lake.submit(credentials.drop)

    def __repr__(self) -> str:
        """The folder."""
        return f"<Engine {self.folder}>"
