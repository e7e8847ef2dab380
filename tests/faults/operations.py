"""The calls of the fault matrix, and how the server's own journal tells whether each was applied.

Every call works on a branch (or tag, or repository) of its own, made through a client that meets no faults; the same
client reads afterwards what the server has: the log, the references, the listing, what is staged. Calls are written in
the blocking style and run in both colours (`tests.worlds`).
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.ops import repositories
from tests.worlds import World, bare

SMALL: Final = random.Random(1).randbytes(40_000)
#: More than one window of a reader.
LARGE: Final = random.Random(2).randbytes(700_000)
OLD, NEW = b"what was there before", b"what the call under test writes"
OTHER: Final = b"what somebody else wrote in the meantime"


class Ground:
    """What all cases of one test share: a repository with some history.

    Args:
        client: A client without faults.
        name: The repository to make.
        folder: For local files.
    """

    def __init__(self, client: lakefs_hl.Client, name: str, folder: Path) -> None:
        self.client = client
        self.repo = lakefs_hl.repository(name, client=client).create()
        self.folder = folder
        main = self.repo.branch("main")
        self.first = main.get_commit().id
        for path, content in (("a", OLD), ("b", OLD), ("small", SMALL), ("large", LARGE)):
            main.upload(content, path)
        self.base = main.commit_changes("base").id
        main.upload(NEW, "a")
        self.change = main.commit_changes("change").id  # to be reverted and picked
        main.delete_objects("b")
        self.last = main.commit_changes("last").id
        (folder / "file").write_bytes(SMALL)


class Place:
    """Where one case happens.

    Args:
        ground: The test's.
        number: The case's: its names are made of it.
    """

    def __init__(self, ground: Ground, number: int) -> None:
        self.ground = ground
        self.name = f"c{number}"
        self.repo = ground.repo
        self.branch = ground.repo.branch(self.name)

    def make_branch(self, at: str) -> None:
        self.branch.create(at)

    def stage(self, path: str = "new") -> None:
        self.branch.upload(NEW, path)

    # -- the journal ---------------------------------------------------------------------------------------------------

    def commits(self, message: str) -> int:
        """How often a branch's history has a commit of this message."""
        return sum(commit.message == message for commit in self.branch.log())

    def doubled(self) -> list[str]:
        """Operation ids that more than one commit of the branch has."""
        try:
            ids = Counter(commit.op_id for commit in self.branch.log() if commit.op_id)
        except NotFoundException:  # the branch was deleted, which was the point
            return []
        return [op_id for op_id, times in ids.items() if times > 1]

    def content(self, path: str) -> bytes | None:
        return self.branch.download(path) if self.branch.exists(path) else None

    def is_there(self) -> bool:
        return self.name in {branch.id for branch in self.repo.list_branches(prefix=self.name)}


def _folder_with_new(at: Place) -> Path:
    """Return a local directory with one file."""
    folder = at.ground.folder / f"{at.name}-{secrets.token_hex(8)}"
    folder.mkdir()
    (folder / "new").write_bytes(NEW)
    return folder


def _repo(world: World, at: Place) -> Any:
    return world.repository(at.repo.id)


class Operation:
    """One call.

    Attributes:
        name: For messages.
        kind: Its class in the failure model: A safe, B idempotent, W last writer wins, C conditional, D logged.
        sends: The operationIds of the requests that faults are for.
        data: Whether it moves an object's content.
        ranged: Whether it asks for a range of bytes.
        unchecked: Whether there is no checksum that could tell of a flipped bit.
        calls: How many calls of the client `act` makes with requests of `sends`. Each has attempts of its own.
        rare: Whether only `tests/long` tries it, because its requests are those of another call.
        repeats: Whether it is to succeed although its first try was lost; False where doing it twice could do harm.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    sends: ClassVar[tuple[str, ...]]
    data: ClassVar[bool] = False
    ranged: ClassVar[bool] = False
    unchecked: ClassVar[bool] = False
    calls: ClassVar[int] = 1
    rare: ClassVar[bool] = False
    repeats: ClassVar[bool] = True

    def prepare(self, at: Place) -> None:
        """Makes what the call needs."""

    def act(self, world: World, at: Place) -> Any:
        """The call, by a client that meets the fault."""
        raise NotImplementedError

    def applied(self, at: Place) -> int:
        """How often the journal has it."""
        return 0

    def right(self, at: Place, result: Any) -> bool:
        """Whether what was returned is true."""
        return True

    def meddle(self, at: Place) -> None:
        """What somebody else does in the meantime that a repetition would undo."""
        at.branch.upload(OTHER, "theirs")

    def kept(self, at: Place) -> bool:
        """Whether what somebody else did is still there."""
        return at.content("theirs") == OTHER


# -- A ----------------------------------------------------------------------------------------------------------------


class Read(Operation):
    kind = "A"


class Stat(Read):
    name, sends = "stat", ("statObject",)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").stat_object("small").checksum

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(SMALL).hexdigest())


class GetTags(Stat):
    name, rare = "get tags", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").get_tags("small")

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == {})


class RepositoryInfo(Read):
    name, sends, calls = "look up a repository with its metadata", ("getRepository", "getRepositoryMetadata"), 2

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).info().id

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == at.repo.id)


class ListOwned(Read):
    name, sends, rare, calls = "list repositories of an owner", ("listRepositories", "getRepositoryMetadata"), True, 2

    def prepare(self, at: Place) -> None:
        lakefs_hl.repository(f"{at.repo.id}-{at.name}", client=at.ground.client).create(metadata={"owner": "ada"})

    def act(self, world: World, at: Place) -> Any:
        return [each.id for each in world.repositories(f"{at.repo.id}-{at.name}", owner="ada")]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [f"{at.repo.id}-{at.name}"])


class Listing(Read):
    name, sends = "list objects", ("listObjects",)

    def act(self, world: World, at: Place) -> Any:
        return [each.path for each in _repo(world, at).branch("main").list_objects()]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == ["a", "large", "small"])


class Glob(Listing):
    name, rare = "glob", True

    def act(self, world: World, at: Place) -> Any:
        return [each.path for each in _repo(world, at).branch("main").glob("**")]


class Suffix(Listing):
    name, rare = "list objects by suffix", True

    def act(self, world: World, at: Place) -> Any:
        return [each.path for each in _repo(world, at).branch("main").list_objects(suffix="l")]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == ["small"])


class Usage(Read):
    name, sends, rare = "usage", ("listObjects",), True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").usage()

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == (len(NEW) + len(SMALL) + len(LARGE), 3))


class StatMany(Read):
    name, sends, calls, rare = "look up many", ("statObject",), 3, True

    def act(self, world: World, at: Place) -> Any:
        found = _repo(world, at).branch("main").stat_many(["small", "none", "a"])
        return [each and each.checksum for each in found]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [hashlib.md5(SMALL).hexdigest(), None, hashlib.md5(NEW).hexdigest()])


class Log(Read):
    name, sends = "log", ("logCommits",)

    def act(self, world: World, at: Place) -> Any:
        return [commit.id for commit in _repo(world, at).branch("main").log()]

    def right(self, at: Place, result: Any) -> bool:
        ground = at.ground
        return bool(result == [ground.last, ground.change, ground.base, ground.first])


class History(Read):
    name, sends, rare = "history", ("logCommits",), True

    def act(self, world: World, at: Place) -> Any:
        return [version.commit.id for version in _repo(world, at).branch("main").history("b")]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [at.ground.last, at.ground.base])


class Search(Read):
    name, sends, rare = "search", ("listObjects",), True

    def act(self, world: World, at: Place) -> Any:
        call = world.module.search(f"{at.repo.branch('main').uri}small", kinds="path", client=world.client)
        found = world.settle(call)
        for failure in (*found.auth_errors, *found.errors):
            raise failure.error
        return [hit.uri for hit in found]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [f"{at.repo.branch('main').uri}small"])


class Blame(Read):
    name, sends, calls, rare = "blame", ("logCommits",), 3, True  # one for each object

    def act(self, world: World, at: Place) -> Any:
        return [entry.commit.id for entry in _repo(world, at).branch("main").blame()]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [at.ground.change, at.ground.base, at.ground.base])


class Graph(Read):
    name, sends, calls, rare = "graph", ("logCommits",), 1, True

    def act(self, world: World, at: Place) -> Any:
        return [commit.id for commit in _repo(world, at).graph("main").commits]

    def right(self, at: Place, result: Any) -> bool:
        ground = at.ground
        return bool(result == [ground.last, ground.change, ground.base, ground.first])


class Bisect(Read):
    name, sends, calls, rare = "bisect", ("logCommits",), 2, True

    def act(self, world: World, at: Place) -> Any:
        first = at.ground.first
        return _repo(world, at).bisect(first, "main", lambda commit: commit.id == first).first_bad.id

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == at.ground.base)


class Partition(Read):
    name, sends, rare = "partition", ("listObjects",), True

    def act(self, world: World, at: Place) -> Any:
        return [part.object_count for part in _repo(world, at).branch("main").partition(3, by="objects")]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [1, 1, 1])


class Head(Read):
    name, sends = "head", ("logCommits",)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").head().id

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == at.ground.last)


class BranchExists(Read):
    name, sends, calls = "does a branch exist", ("getBranch",), 2

    def act(self, world: World, at: Place) -> Any:
        return [_repo(world, at).branch(name).exists() for name in ("main", at.name)]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [True, False])


class TagExists(Read):
    name, sends = "does a tag exist", ("getTag",)

    def prepare(self, at: Place) -> None:
        at.repo.tag(at.name).create(at.ground.last)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).tag(at.name).exists()

    def right(self, at: Place, result: Any) -> bool:
        return result is True


class Runs(Read):
    name, sends, calls = "list runs and hooks", ("listRepositoryRuns", "listRunHooks"), 2

    def act(self, world: World, at: Place) -> Any:
        repo = _repo(world, at)
        return [*repo.runs(), *repo.run("none").hooks()]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [])


class Diff(Read):
    name, sends = "diff", ("diffRefs",)

    def act(self, world: World, at: Place) -> Any:
        return [(change.type, change.path) for change in _repo(world, at).commit(at.ground.base).diff(at.ground.last)]

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [("changed", "a"), ("removed", "b")])


class Download(Read):
    name, sends, data = "download", ("getObject",), True

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).download("small")

    def right(self, at: Place, result: Any) -> bool:
        return result in (SMALL, OTHER)

    def meddle(self, at: Place) -> None:
        at.branch.upload(OTHER, "small")


class Range(Download):
    name, ranged, unchecked = "download a range", True, True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).download("small", start=100, end=20_000)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == SMALL[100:20_000] or result == OTHER[100:20_000])


class OpenAndRead(Download):
    name, ranged = "open and read", True

    def act(self, world: World, at: Place) -> Any:
        content = b""
        with _repo(world, at).branch(at.name).open("large", "rb") as file:
            while block := file.read(100_000):
                content += block
        return content

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == LARGE)  # no other version: an opened object is one version, or an error

    def meddle(self, at: Place) -> None:
        at.branch.upload(LARGE[::-1], "large")


class DownloadToFile(OpenAndRead):
    name = "download to a file"

    def act(self, world: World, at: Place) -> Any:
        folder = at.ground.folder / f"{at.name}-{secrets.token_hex(8)}"
        folder.mkdir()
        target = folder / "file"
        try:
            _repo(world, at).branch(at.name).download("large", target)
        except BaseException:
            assert not list(folder.iterdir())  # nothing half done
            raise
        assert list(folder.iterdir()) == [target]
        return target.read_bytes()


class DownloadDirectory(OpenAndRead):
    name = "download a directory"

    def act(self, world: World, at: Place) -> Any:
        folder = at.ground.folder / f"{at.name}-{secrets.token_hex(8)}"
        branch = _repo(world, at).branch(at.name)
        branch.download_dir("", folder, include="large", resume=False, progress=False)
        assert [path.name for path in folder.iterdir()] == ["large"]
        return (folder / "large").read_bytes()


class SnapshotDownload(OpenAndRead):
    name, rare = "download a snapshot", True

    def act(self, world: World, at: Place) -> Any:
        cache = at.ground.folder / f"{at.name}-{secrets.token_hex(8)}"
        branch = _repo(world, at).branch(at.name)
        try:
            path = branch.snapshot_download(include="large", cache_dir=cache, progress=False)
        except BaseException:
            assert world.settle(world.module.snapshot_cache(cache)).entries() == []  # nothing half done is given out
            raise
        assert [file.name for file in path.iterdir()] == ["large"]
        return (path / "large").read_bytes()


class DownloadMany(Download):
    name, rare = "download many", True

    def act(self, world: World, at: Place) -> Any:
        branch = _repo(world, at).branch(at.name)
        (found,) = branch.download_many(["small"], on_error="raise", progress=False)
        return found.content


class FilesGet(Download):
    name, rare = "get a file", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).files(progress=False).get("small")


class TableDiff(Read):
    name, sends, data, rare = "table diff", ("getObject",), True, True

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)
        at.branch.upload("id,v\n1,a\n2,b\n", "t.csv")

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).ref(at.ground.last).table_diff(at.name, "t.csv", "id").added.to_pylist()

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}])


class Preview(Read):
    name, sends, data, rare = "preview", ("getObject",), True, True

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)
        at.branch.upload("id,v\n1,a\n", "t.csv")

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).stat("t.csv").preview().rows

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == (("1", "a"),))


class Stream(OpenAndRead):
    name, rare = "stream", True

    def act(self, world: World, at: Place) -> Any:
        return b"".join(_repo(world, at).branch(at.name).stream("large", chunk_size=100_000))


class DownloadObject(Download):
    name = "download an object that was looked up"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).stat_object("small").download()


# -- B ----------------------------------------------------------------------------------------------------------------


class OnABranch(Operation):
    """A call on a branch of its own."""

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)


class DeleteObject(OnABranch):
    name, kind, sends = "delete an object", "B", ("deleteObject",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).stat_object("a").delete()

    def applied(self, at: Place) -> int:
        return int(not at.branch.exists("a"))

    def meddle(self, at: Place) -> None:
        at.branch.upload(OTHER, "a")

    def kept(self, at: Place) -> bool:
        return at.content("a") == OTHER


class DeleteObjects(DeleteObject):
    name, sends = "delete objects", ("deleteObjects",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).delete_objects(["a", "small"])


class FilesDelete(DeleteObject):
    name, sends, rare = "delete files", ("deleteObjects",), True

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).files(progress=False).delete(["a", "small"])


class Remove(DeleteObject):
    name, sends, rare = "remove", ("deleteObjects",), True

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).remove("a", recursive=True)


class Expire(DeleteObject):
    name, sends, rare = "expire", ("deleteObjects",), True

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).expire("", timedelta(days=1), suffix="a", now="2100-01-31")


class DeleteBranch(OnABranch):
    name, kind, sends = "delete a branch", "B", ("deleteBranch",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).delete()

    def applied(self, at: Place) -> int:
        return int(not at.is_there())

    def meddle(self, at: Place) -> None:
        at.branch.create(at.ground.base)
        at.branch.upload(OTHER, "theirs")

    def kept(self, at: Place) -> bool:
        return at.is_there() and at.content("theirs") == OTHER


class DeleteTag(Operation):
    name, kind, sends = "delete a tag", "B", ("deleteTag",)

    def prepare(self, at: Place) -> None:
        at.repo.tag(at.name).create(at.ground.last)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).tag(at.name).delete()

    def _tagged(self, at: Place) -> str | None:
        found = [tag for tag in at.repo.list_tags(prefix=at.name) if tag.id == at.name]
        return found[0].get_commit().id if found else None

    def applied(self, at: Place) -> int:
        return int(self._tagged(at) is None)

    def meddle(self, at: Place) -> None:
        at.repo.tag(at.name).create(at.ground.base)

    def kept(self, at: Place) -> bool:
        return self._tagged(at) == at.ground.base


class DeleteRepository(Operation):
    name, kind, sends = "delete a repository", "B", ("deleteRepository",)

    def _own(self, at: Place) -> lakefs_hl.Repository:
        return lakefs_hl.repository(f"{at.repo.id}-{at.name}", client=at.ground.client)

    def prepare(self, at: Place) -> None:
        self._own(at).create()

    def act(self, world: World, at: Place) -> Any:
        world.repository(self._own(at).id).delete(force=True)

    def applied(self, at: Place) -> int:
        return int(not self._own(at).exists())

    def meddle(self, at: Place) -> None:
        self._own(at).create(f"local://{at.repo.id}-{at.name}-again")

    def kept(self, at: Place) -> bool:
        return self._own(at).exists()


class SetObjectMetadata(OnABranch):
    name, kind, sends = "set an object's metadata", "B", ("updateObjectUserMetadata",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).set_object_metadata("a", {"case": at.name})

    def applied(self, at: Place) -> int:
        return int(at.branch.stat_object("a").metadata == {"case": at.name})


class SetTags(SetObjectMetadata):
    name = "set the tags of an object"

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.branch.set_object_metadata("a", {"k": "v"})

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).set_tags("a", {"case": at.name})

    def applied(self, at: Place) -> int:
        found = at.branch.stat_object("a")
        assert found.metadata["k"] == "v"
        return int(found.tags == {"case": at.name})


class DeleteTags(SetTags):
    name = "delete the tags of an object"

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.branch.set_tags("a", {"case": "old"})

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).delete_tags("a")

    def applied(self, at: Place) -> int:
        return int(at.branch.stat_object("a").metadata == {"k": "v"})


class SetRepositoryMetadata(Operation):
    name, kind, sends = "set a repository's metadata", "B", ("setRepositoryMetadata",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).set_metadata({at.name: "set"})

    def applied(self, at: Place) -> int:
        return int(at.name in at.repo.metadata())


class DeleteRepositoryMetadata(Operation):
    name, kind, sends = "delete a repository's metadata", "B", ("deleteRepositoryMetadata",)

    def prepare(self, at: Place) -> None:
        at.repo.set_metadata({at.name: "to be deleted"})

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).delete_metadata(at.name)

    def applied(self, at: Place) -> int:
        return int(at.name not in at.repo.metadata())


class AddReviewer(SetRepositoryMetadata):
    name, rare = "add a reviewer", True

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).add_reviewer(at.name)

    def applied(self, at: Place) -> int:
        return int(at.name in at.repo.reviewers())


class RemoveReviewer(DeleteRepositoryMetadata):
    name, rare = "remove a reviewer", True

    def prepare(self, at: Place) -> None:
        at.repo.add_reviewer(at.name)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).remove_reviewer(at.name)

    def applied(self, at: Place) -> int:
        return int(at.name not in at.repo.reviewers())


class HardReset(OnABranch):
    name, kind, sends = "hard reset", "B", ("hardResetBranch",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).hard_reset(at.ground.base)

    def applied(self, at: Place) -> int:
        return int(at.branch.get_commit().id == at.ground.base)

    def meddle(self, at: Place) -> None:
        at.branch.upload(OTHER, "theirs")
        at.branch.commit_changes("somebody else's, acknowledged")

    def kept(self, at: Place) -> bool:
        return at.commits("somebody else's, acknowledged") == 1


# -- W ----------------------------------------------------------------------------------------------------------------


class Upload(OnABranch):
    name, kind, sends, data = "upload", "W", ("uploadObject",), True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).upload(NEW, "new", metadata={"case": at.name}).checksum

    def applied(self, at: Place) -> int:
        return int(at.content("new") == NEW)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(NEW).hexdigest())


class UploadFile(Upload):
    name = "upload a file"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).upload(at.ground.folder / "file", "new").checksum

    def applied(self, at: Place) -> int:
        return int(at.content("new") == SMALL)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(SMALL).hexdigest())


class UploadMany(Upload):
    name, rare = "upload many", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).upload_many([("new", NEW)], progress=False).transferred

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == 1)


class UploadDirectory(UploadMany):
    name = "upload a directory"

    def act(self, world: World, at: Place) -> Any:
        folder = _folder_with_new(at)
        return _repo(world, at).branch(at.name).upload_dir(folder, resume=False, progress=False).transferred


class FilesPut(UploadMany):
    name = "put files"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).files(progress=False).puts([("new", NEW)]).transferred


class OpenAndWrite(Upload):
    name = "open and write"

    def act(self, world: World, at: Place) -> Any:
        with _repo(world, at).branch(at.name).open("new", "wb") as file:
            file.write(NEW)

    def right(self, at: Place, result: Any) -> bool:
        return True


class Copy(OnABranch):
    name, kind, sends = "copy", "W", ("copyObject",)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).copy_object("main", "small", "new").checksum

    def applied(self, at: Place) -> int:
        return int(at.content("new") == SMALL)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(SMALL).hexdigest())


class Restore(Copy):
    name, rare = "restore", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).restore("b", at.ground.base).checksum

    def applied(self, at: Place) -> int:
        return int(at.content("b") == OLD)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(OLD).hexdigest())


class CopyPrefix(Copy):
    name, rare = "copy a prefix", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).copy_prefix("small", "new", from_reference="main").bytes

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == len(SMALL))


class CopyAcross(Copy):
    name, sends, data = "copy to another repository", ("uploadObject",), True

    def _own(self, at: Place) -> lakefs_hl.Repository:
        return lakefs_hl.repository(f"{at.repo.id}-{at.name}", client=at.ground.client)

    def prepare(self, at: Place) -> None:
        self._own(at).create()

    def act(self, world: World, at: Place) -> Any:
        uri, client = f"lakefs://{at.repo.id}/main/small", world.client
        target = f"{self._own(at).branch('main').uri}new"
        return world.settle(world.module.copy(uri, target, src_client=client, dst_client=client)).bytes

    def applied(self, at: Place) -> int:
        branch = self._own(at).branch("main")
        return int(branch.exists("new") and branch.download("new") == SMALL)

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == len(SMALL))

    def meddle(self, at: Place) -> None:
        self._own(at).branch("main").upload(OTHER, "theirs")

    def kept(self, at: Place) -> bool:
        return self._own(at).branch("main").download("theirs") == OTHER


class Transfer(CopyAcross):
    name, rare = "transfer to another repository", True

    def act(self, world: World, at: Place) -> Any:
        source, target, client = f"lakefs://{at.repo.id}/main", self._own(at).branch("main").uri, world.client
        call = world.module.transfer(source, target, paths=["small"], src_client=client, dst_client=client)
        return world.settle(call).bytes

    def applied(self, at: Place) -> int:
        branch = self._own(at).branch("main")
        return int(branch.exists("small") and branch.download("small") == SMALL)


class Move(OnABranch):
    name, kind, sends = "move: its copy", "W", ("copyObject",)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).move_object("small", "new").checksum

    def applied(self, at: Place) -> int:
        return int(at.content("new") == SMALL)  # an error after the copy says that the source may be there too

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == hashlib.md5(SMALL).hexdigest()) and not at.branch.exists("small")


class MoveEnd(Move):
    name, kind, sends = "move: its deletion", "B", ("deleteObject",)

    def meddle(self, at: Place) -> None:
        at.branch.upload(OTHER, "small")

    def kept(self, at: Place) -> bool:
        return at.content("small") == OTHER


class CopyTo(Copy):
    name = "copy an object that was looked up"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").stat_object("small").copy_to(at.name, "new").checksum


class MovePrefix(Move):
    name, rare = "move a prefix: its copies", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).move_prefix("small", "new").bytes

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == len(SMALL)) and not at.branch.exists("small")


class MovePrefixEnd(MovePrefix):
    name, kind, sends, rare = "move a prefix: its deletion", "B", ("deleteObjects",), False

    def meddle(self, at: Place) -> None:
        at.branch.upload(OTHER, "small")

    def kept(self, at: Place) -> bool:
        return at.content("small") == OTHER


class Reset(OnABranch):
    name, kind, sends, repeats = "reset", "W", ("resetBranch",), False

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.stage()

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).reset()

    def applied(self, at: Place) -> int:
        return int(at.content("new") is None)


# -- C ----------------------------------------------------------------------------------------------------------------


class CreateBranch(Operation):
    name, kind, sends = "create a branch", "C", ("createBranch",)

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).create(at.ground.base)

    def applied(self, at: Place) -> int:
        return int(at.is_there() and at.branch.get_commit().id == at.ground.base)


class CreateTag(DeleteTag):
    name, kind, sends = "create a tag", "C", ("createTag",)

    def prepare(self, at: Place) -> None:
        pass

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).tag(at.name).create(at.ground.base)

    def applied(self, at: Place) -> int:
        return int(self._tagged(at) == at.ground.base)


class CreateRepository(DeleteRepository):
    name, kind, sends = "create a repository", "C", ("createRepository",)

    def prepare(self, at: Place) -> None:
        pass

    def act(self, world: World, at: Place) -> Any:
        world.repository(self._own(at).id).create()

    def applied(self, at: Place) -> int:
        return int(self._own(at).exists())


class CreateOwned(CreateRepository):
    name, sends, rare = "create a repository with metadata", ("setRepositoryMetadata",), True

    def act(self, world: World, at: Place) -> Any:
        world.repository(self._own(at).id).create(metadata={"owner": "ada"})

    def right(self, at: Place, result: Any) -> bool:
        return self._own(at).metadata() == {"owner": "ada"}


class SetGCRules(DeleteRepository):
    name, sends = "set garbage collection rules", ("setGCRules",)

    def _rules(self, world: World, at: Place) -> Any:
        return world.settle(world.module.Admin(world.client).gc_rules(self._own(at).id))

    def act(self, world: World, at: Place) -> Any:
        self._rules(world, at).set(7)

    def _found(self, at: Place) -> Any:
        return lakefs_hl.admin(at.ground.client).gc_rules(self._own(at)).get()

    def applied(self, at: Place) -> int:
        return int(self._found(at) == lakefs_hl.GCRules(7))

    def meddle(self, at: Place) -> None:
        lakefs_hl.admin(at.ground.client).gc_rules(self._own(at)).set(9)

    def kept(self, at: Place) -> bool:
        return bool(self._found(at) == lakefs_hl.GCRules(9))


class DeleteGCRules(SetGCRules):
    name, sends, rare = "delete garbage collection rules", ("deleteGCRules",), True

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        self.meddle(at)

    def act(self, world: World, at: Place) -> Any:
        self._rules(world, at).delete()

    def applied(self, at: Place) -> int:
        return int(self._found(at) is None)

    def meddle(self, at: Place) -> None:
        lakefs_hl.admin(at.ground.client).gc_rules(self._own(at)).set(9)


class GetGCRules(SetGCRules):
    name, kind, sends, rare = "get garbage collection rules", "A", ("getGCRules",), True

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        self.meddle(at)

    def act(self, world: World, at: Place) -> Any:
        return self._rules(world, at).get()

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == lakefs_hl.GCRules(9))


class ProtectFirst(DeleteRepository):
    name, kind, sends = "protect a first branch", "C", ("internalCreateBranchProtectionRule",)

    def act(self, world: World, at: Place) -> Any:
        world.repository(self._own(at).id).protect("mine")

    def applied(self, at: Place) -> int:
        return int("mine" in self._own(at).protections())

    def meddle(self, at: Place) -> None:
        self._own(at).protect("theirs")

    def kept(self, at: Place) -> bool:
        return "theirs" in self._own(at).protections()


class Protect(ProtectFirst):
    name, sends = "protect another branch", ("setBranchProtectionRules",)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        self._own(at).protect("before")


class Unprotect(Protect):
    name, rare = "remove a protection", True

    def act(self, world: World, at: Place) -> Any:
        world.repository(self._own(at).id).unprotect("before")

    def applied(self, at: Place) -> int:
        return int("before" not in self._own(at).protections())


class CreateSnapshot(OnABranch):
    name, kind, sends = "create a snapshot", "C", ("createTag",)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.stage()

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).create_snapshot(f"s-{at.name}", ref=at.name)

    def applied(self, at: Place) -> int:
        tag = at.repo.tag(f"s-{at.name}")
        return int(tag.exists() and tag.download("new") == NEW)


class CreateSnapshotStage(CreateSnapshot):
    name, sends = "create a snapshot: an object of it", ("stageObject",)


class CreateNeeded(CreateRepository):
    name = "create a repository when it is needed"

    def act(self, world: World, at: Place) -> Any:
        # as `create=True` does, which makes a copy of the client: that would have other time limits than the case
        bare(world.client)._session.make_repository = repositories.make
        world.repository(self._own(at).id).exists()


class UploadNew(Upload):
    name = "create an object"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).upload(NEW, "new", if_none_match=True).checksum


class FilesTouch(UploadNew):
    name, rare = "touch a file", True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).files(progress=False).touch("new").transferred

    def applied(self, at: Place) -> int:
        return int(at.content("new") == b"")

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == 1)


class OpenNew(OpenAndWrite):
    name = "open a new object and write"

    def act(self, world: World, at: Place) -> Any:
        with _repo(world, at).branch(at.name).open("new", "xb") as file:
            file.write(NEW)


# -- D ----------------------------------------------------------------------------------------------------------------


class Logged(OnABranch):
    """A call that leaves a commit; the message is the case's name."""

    kind = "D"

    def applied(self, at: Place) -> int:
        return at.commits(f"by {at.name}")

    def right(self, at: Place, result: Any) -> bool:
        found = [commit.id for commit in at.branch.log() if commit.message == f"by {at.name}"]
        return found == [getattr(result, "id", result)]


class Commit(Logged):
    name, sends = "commit", ("commit",)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.stage()

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).commit_changes(f"by {at.name}", {"of": "mine"})


class CommitOrSkip(Commit):
    name = "commit or skip"

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).commit_changes(f"by {at.name}", on_empty="skip")


class CommitEmpty(Logged):
    name, sends, repeats = "commit nothing", ("commit",), False

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).commit_changes(f"by {at.name}", allow_empty=True)


class RestoreSnapshot(Logged):
    name, sends, repeats = "restore a snapshot", ("commit",), False

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.repo.tag(f"s-{at.name}").create(at.ground.base)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).restore_snapshot(f"s-{at.name}", branch=at.name, message=f"by {at.name}")


class Merge(Logged):
    name, sends = "merge", ("mergeIntoBranch",)

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.base)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").merge_into(at.name, message=f"by {at.name}")


class MergeLookUp(Merge):
    name, sends = "merge: looking its commit up", ("getCommit",)

    def act(self, world: World, at: Place) -> Any:
        # a commit, so that the source is not looked up first
        return _repo(world, at).commit(at.ground.last).merge_into(at.name, message=f"by {at.name}")


class Squash(Merge):
    name, repeats = "squash", False

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch("main").merge_into(at.name, message=f"by {at.name}", squash=True)


class Revert(Logged):
    name, sends = "revert", ("revertBranch",)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).revert(at.ground.change, message=f"by {at.name}")


class CherryPick(Logged):
    name, sends, repeats = "cherry-pick", ("cherryPick",), False

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.base)

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).branch(at.name).cherry_pick(at.ground.change)

    def applied(self, at: Place) -> int:
        return at.commits("change")

    def right(self, at: Place, result: Any) -> bool:
        return [commit.id for commit in at.branch.log() if commit.message == "change"] == [result.id]


def _proposed(at: Place) -> list[lakefs_hl.PullRequest]:
    """The pull requests of a case, which have its name as their title."""
    return [pull for pull in at.repo.pull_requests() if pull.title == f"by {at.name}"]


class CreatePullRequest(OnABranch):
    name, kind, sends, repeats = "create a pull request", "D", ("createPullRequest",), False

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).create_pull_request(at.name, "main", f"by {at.name}")

    def applied(self, at: Place) -> int:
        return len(_proposed(at))

    def right(self, at: Place, result: Any) -> bool:
        return [pull.id for pull in _proposed(at)] == [result.id]


class UpdatePullRequest(OnABranch):
    name, kind, sends = "update a pull request", "B", ("updatePullRequest",)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.repo.create_pull_request(at.name, "main", f"by {at.name}", "before")

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).pull_request(_proposed(at)[0].id).update(description="after")

    def applied(self, at: Place) -> int:
        return int(_proposed(at)[0].refresh().description == "after")

    def meddle(self, at: Place) -> None:
        _proposed(at)[0].update(description="theirs")

    def kept(self, at: Place) -> bool:
        return _proposed(at)[0].refresh().description == "theirs"


class ReviewPullRequest(UpdatePullRequest):
    name, sends, rare = "review a pull request", ("setRepositoryMetadata",), True

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).pull_request(_proposed(at)[0].id).approve("fine").notes

    def applied(self, at: Place) -> int:
        return len(_proposed(at)[0].reviews())

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == "fine")

    def meddle(self, at: Place) -> None:
        _proposed(at)[0].reject("theirs")

    def kept(self, at: Place) -> bool:
        return "theirs" in [review.notes for review in _proposed(at)[0].reviews()]


class ReadReviews(ReviewPullRequest):
    name, kind, sends = "read the reviews of a pull request", "A", ("getRepositoryMetadata",)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        _proposed(at)[0].approve("fine")

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).pull_request(_proposed(at)[0].id).reviews()[0].notes


class MergePullRequest(Merge):
    name, sends, repeats = "merge a pull request", ("mergePullRequest",), False

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        at.repo.create_pull_request("main", at.name, f"by {at.name}")

    def act(self, world: World, at: Place) -> Any:
        return _repo(world, at).pull_request(_proposed(at)[0].id).merge()

    def applied(self, at: Place) -> int:
        return at.commits(f"Merge 'main' into '{at.name}'")

    def right(self, at: Place, result: Any) -> bool:
        return bool(_proposed(at)[0].refresh().merge_commit_id == result.id == at.branch.get_commit().id)


class Import(Logged):
    name, sends, repeats = "import", ("importStart",), False

    def act(self, world: World, at: Place) -> Any:
        uri = f"local://{at.ground.folder}/file"
        return _repo(world, at).branch(at.name).import_from(uri, "new", commit_message=f"by {at.name}").run()

    def right(self, at: Place, result: Any) -> bool:
        return super().right(at, result.commit_id)


# -- transactions -----------------------------------------------------------------------------------------------------


class Transaction(Logged):
    """A transaction whose one step meets the fault; what counts is the destination."""

    def act(self, world: World, at: Place) -> Any:
        with _repo(world, at).branch(at.name).transaction(f"by {at.name}") as tx:
            tx.upload(NEW, "new")

    def applied(self, at: Place) -> int:
        # by first parents: what was merged brings the commit of the ephemeral branch along, of the same message
        return sum(commit.message == f"by {at.name}" for commit in at.branch.log(first_parent=True))

    def right(self, at: Place, result: Any) -> bool:
        return at.content("new") == NEW


class UploadCommit(Transaction):
    name, sends = "upload a directory as a commit: its merge", ("mergeIntoBranch",)

    def act(self, world: World, at: Place) -> Any:
        branch = _repo(world, at).branch(at.name)
        branch.upload_dir(_folder_with_new(at), commit_message=f"by {at.name}", resume=False, progress=False)


class UploadVersion(Transaction):
    name, sends, rare = "upload an object as a commit: its merge", ("mergeIntoBranch",), True

    def act(self, world: World, at: Place) -> Any:
        _repo(world, at).branch(at.name).upload(NEW, "new", commit_message=f"by {at.name}")


class UpdateMetadata(Transaction):
    name, sends, rare = "update the metadata of a dataset: its merge", ("mergeIntoBranch",), True

    def _dataset(self, at: Place) -> lakefs_hl.Dataset:
        return lakefs_hl.dataset(f"lakefs://{at.repo.id}/{at.name}/", client=at.ground.client)

    def prepare(self, at: Place) -> None:
        super().prepare(at)
        self._dataset(at).mint({})

    def act(self, world: World, at: Place) -> Any:
        ds = world.settle(world.module.dataset(self._dataset(at).uri, client=world.client))
        return ds.update_metadata(f"by {at.name}", {"of": at.name}).history_id

    def applied(self, at: Place) -> int:
        # not by commits: what somebody else does in the meantime is not committed, and then this is staged
        return sum(version.reason == f"by {at.name}" for version in self._dataset(at).metadata_history())

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == self._dataset(at).info().history_id)


class VersionDataset(UpdateMetadata):
    name, sends = "make a version of a dataset: its tag", ("createTag",)

    def _dataset(self, at: Place) -> lakefs_hl.Dataset:
        # under a prefix of its own: the tags of all cases are in one repository
        return lakefs_hl.dataset(f"lakefs://{at.repo.id}/{at.name}/{at.name}/", client=at.ground.client)

    def act(self, world: World, at: Place) -> Any:
        ds = world.settle(world.module.dataset(self._dataset(at).uri, client=world.client))
        return ds.version(f"by {at.name}").name

    def applied(self, at: Place) -> int:
        # its commit is made before the tag that is refused
        commits = at.repo.branch(at.name).log()
        return max(len(self._dataset(at).versions()), sum(commit.message == f"by {at.name}" for commit in commits))

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == "v1") and len(self._dataset(at).versions()) == 1


class UploadManyPlaces(UploadMany):
    name, rare = "upload many to several repositories", True

    def act(self, world: World, at: Place) -> Any:
        item = {"bucket": at.repo.id, "key": "new", "data": NEW, "branch": at.name}
        return world.settle(world.client).upload_many_concurrent([item], progress=False).transferred


class DownloadManyPlaces(DownloadMany):
    name = "download many of several repositories"

    def act(self, world: World, at: Place) -> Any:
        item = {"bucket": at.repo.id, "key": "small", "reference": at.name}
        (found,) = world.settle(world.client).download_many_concurrent([item], on_error="raise", progress=False)
        return found.content


class TransactionStart(Transaction):
    name, sends = "transaction: its branch", ("createBranch",)


class TransactionUpload(Transaction):
    name, sends = "transaction: an upload", ("uploadObject",)


class TransactionCommit(Transaction):
    name, sends = "transaction: its commit", ("commit",)


class TransactionMerge(Transaction):
    name, sends = "transaction: its merge", ("mergeIntoBranch",)


class TransactionEnd(Transaction):
    name, sends = "transaction: its end", ("deleteBranch",)


class RequestApproval(DeleteRepository):
    name, kind, sends, rare = "request an approval: its merge", "D", ("mergeIntoBranch",), True
    calls = 4  # a merge that was refused is tried again

    def _dataset(self, at: Place) -> lakefs_hl.Dataset:
        return lakefs_hl.dataset(self._own(at).id, client=at.ground.client)

    def _theirs(self, world: World, at: Place) -> Any:
        return world.settle(world.module.dataset(self._own(at).id, client=world.client))

    def prepare(self, at: Place) -> None:
        ds = self._dataset(at)
        ds.mint({"name": at.name})
        ds.add_reviewer(self._user(at))
        ds.request_approval(self._user(at), "the first one")

    def _user(self, at: Place) -> str:
        return str(at.ground.client.health_check().user)

    def act(self, world: World, at: Place) -> Any:
        return self._theirs(world, at).request_approval(self._user(at), at.name).id

    def applied(self, at: Place) -> int:
        return len([found for found in self._dataset(at).approval_requests() if found.notes == at.name])

    def right(self, at: Place, result: Any) -> bool:
        return result in [found.id for found in self._dataset(at).approval_requests() if found.notes == at.name]

    def meddle(self, at: Place) -> None:
        self._dataset(at).request_approval(self._user(at), "theirs")

    def kept(self, at: Place) -> bool:
        return "theirs" in [found.notes for found in self._dataset(at).approval_requests()]


class ActOnApproval(RequestApproval):
    name = "act on an approval: its merge"

    def act(self, world: World, at: Place) -> Any:
        (request,) = [each for each in self._dataset(at).approval_requests() if each.notes == "the first one"]
        return self._theirs(world, at).act_on_approval(request.id, True, at.name).id

    def applied(self, at: Place) -> int:
        return len([found for found in self._dataset(at).approval_requests() if found.decision_notes == at.name])

    def right(self, at: Place, result: Any) -> bool:
        return result in [found.id for found in self._dataset(at).approval_requests("approved")]


class ListDatasets(Read):
    name, sends, rare = "list datasets", ("listRepositories",), True
    calls = 5  # those after it in the order are looked at too, some at a time

    def prepare(self, at: Place) -> None:
        lakefs_hl.dataset(f"{at.repo.id}-{at.name}-reef", client=at.ground.client).mint({"name": at.name})

    def act(self, world: World, at: Place) -> Any:
        before = f"{at.repo.id}-{at.name}-ree"
        found = world.settle(world.module.datasets(1, sort="id", after=before, client=world.client))
        names = [info.name for info in found]
        for failure in [*found.auth_errors, *found.errors]:  # what is left out is noted
            if failure.repository.startswith(before):
                raise failure.error
        return names

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == [at.name])


OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    kind()
    for kind in (
        *(
            Stat,
            GetTags,
            RepositoryInfo,
            ListOwned,
            Listing,
            Suffix,
            Glob,
            Usage,
            StatMany,
            Log,
            History,
            Search,
            *(Blame, Bisect, Graph, Partition),
            Head,
            BranchExists,
            TagExists,
            Runs,
            Diff,
            Download,
            Range,
            OpenAndRead,
            DownloadToFile,
        ),
        *(DownloadObject, DownloadDirectory, DownloadMany, DownloadManyPlaces, FilesGet, Stream, TableDiff, Preview),
        *(DownloadObject, DownloadDirectory, SnapshotDownload, DownloadMany, DownloadManyPlaces, FilesGet, Stream),
        *(DeleteObject, DeleteObjects, FilesDelete, Remove, Expire, DeleteBranch, DeleteTag, DeleteRepository),
        *(SetObjectMetadata, SetTags, DeleteTags, SetRepositoryMetadata, DeleteRepositoryMetadata, HardReset),
        *(AddReviewer, RemoveReviewer, RequestApproval, ActOnApproval, ListDatasets),
        *(
            Upload,
            UploadFile,
            UploadMany,
            UploadManyPlaces,
            UploadDirectory,
            FilesPut,
            OpenAndWrite,
            Copy,
            Restore,
            CopyPrefix,
            CopyAcross,
            Transfer,
            CopyTo,
            Move,
            MoveEnd,
            MovePrefix,
            MovePrefixEnd,
            Reset,
        ),
        *(CreateBranch, CreateTag, CreateRepository, CreateOwned, CreateNeeded, UploadNew, FilesTouch, OpenNew),
        *(CreateBranch, CreateTag, CreateRepository, CreateNeeded, UploadNew, FilesTouch, OpenNew),
        *(SetGCRules, DeleteGCRules, GetGCRules),
        *(ProtectFirst, Protect, Unprotect, CreateSnapshot, CreateSnapshotStage),
        *(Commit, CommitOrSkip, CommitEmpty, RestoreSnapshot, Merge, MergeLookUp, Squash, Revert, CherryPick, Import),
        *(CreatePullRequest, UpdatePullRequest, *(ReviewPullRequest, ReadReviews), MergePullRequest),
        *(
            UploadCommit,
            UploadVersion,
            UpdateMetadata,
            VersionDataset,
            TransactionStart,
            TransactionUpload,
            TransactionCommit,
            TransactionMerge,
            TransactionEnd,
        ),
    )
)
