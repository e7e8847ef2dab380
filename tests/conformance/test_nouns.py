"""One short test per public method of each noun, the same in every world and colour.

`test_every_public_member_is_tried` holds the list complete: a test is called `test_<noun>_<member>`,
or names what it tries.
"""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._handles.commits import CommitFields
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.imports import ImportFields
from lakefs_hl._handles.keyed import Keyed
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.objects import ObjectFields, PrefixFields
from lakefs_hl._handles.pull_requests import PullRequestFields
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl._handles.runs import HookRunFields, RunFields
from lakefs_hl._sync.expiry import ExpiryWrites
from lakefs_hl._sync.facades import FacadeReads
from lakefs_hl._sync.lifecycles import Lifecycles
from lakefs_hl._sync.prefixes import PrefixReads, PrefixWrites
from lakefs_hl._sync.protections import Protections
from lakefs_hl._sync.snapshots import Snapshots
from lakefs_hl._sync.tagging import TagReads, TagWrites
from lakefs_hl.ops import branches
from lakefs_hl.spec import models
from lakefs_hl.types import ErrorKind
from tests.worlds import World, bare

Test = TypeVar("Test", bound=Callable[..., None])
TRIED: set[str] = set()
NOUNS: dict[str, list[type]] = {
    "repository": [RepositoryHandle, lakefs_hl.Repository, Lifecycles, Protections, Snapshots],
    "read": [Handle, lakefs_hl.ReadIOBase, PrefixReads, TagReads, FacadeReads],
    "reference": [lakefs_hl.Reference],
    "commit": [CommitFields, lakefs_hl.Commit],
    "tag": [lakefs_hl.Tag],
    "write": [lakefs_hl.WriteIOBase, PrefixWrites, ExpiryWrites, TagWrites],
    "branch": [lakefs_hl.Branch],
    "object": [ObjectFields, lakefs_hl.ObjectInfo],
    "keyed": [Keyed],
    "prefix": [PrefixFields, lakefs_hl.CommonPrefix],
    "import": [ImportFields, lakefs_hl.ImportManager],
    "transaction": [lakefs_hl.BranchTransaction.__mro__[1], lakefs_hl.BranchTransaction],
    "kept": [lakefs_hl.KeptTransaction.__mro__[1], lakefs_hl.KeptTransaction],
    "record": [RecordHandle],
    "pull": [PullRequestFields, lakefs_hl.PullRequest],
    "run": [RunFields, lakefs_hl.Run],
    "hook": [HookRunFields, lakefs_hl.HookRun],
    "server": [lakefs_hl.ServerConfiguration],
    "storage": [lakefs_hl.ServerStorageConfiguration],
}


def members() -> set[str]:
    """noun_member for each public member; two names of one thing count once."""
    found: dict[Any, str] = {}
    for noun, kinds in NOUNS.items():
        for kind in kinds:
            for name, member in vars(kind).items():
                if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                    found.setdefault((noun, getattr(member, "fget", member)), f"{noun}_{name}")
    return set(found.values())


def tries(*names: str) -> Callable[[Test], Test]:
    """Names the members that a test tries, where its own name does not."""

    def note(test: Test) -> Test:
        TRIED.update(names)
        return test

    return note


def test_every_public_member_is_tried() -> None:
    tests = {name.removeprefix("test_") for name, _ in inspect.getmembers(sys.modules[__name__], inspect.isfunction)}
    untried, unknown = sorted(members() - tests - TRIED), sorted(TRIED - members())
    assert not untried, f"add a test test_<name>, or @tries(<name>) to an existing one, for each of {untried}"
    assert not unknown, f"@tries names what is not a public member: {unknown}"


def paths(items: Any) -> list[str]:
    return [item.path for item in items]


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


# -------------------------------------------------------------------------------------------------------- repositories


def test_repository_id(world: World) -> None:
    assert world.repository("example").id == "example"


def test_repository_uri(world: World) -> None:
    assert world.repository("example").uri == "lakefs://example"


def test_repository_create(world: World) -> None:
    repo = world.repository(world.name())
    world.made.append(repo)
    assert repo.create(world.place(repo), default_branch_id="trunk") == repo
    assert [branch.id for branch in repo.list_branches()] == ["trunk"]
    assert repo.create(world.place(repo), exist_ok=True) == repo
    with pytest.raises(exceptions.ConflictException, match=repo.id):
        repo.create(world.place(repo))


def test_repository_create_makes_one_that_is_read_only(world: World) -> None:
    repo = world.repository(world.name())
    world.made.append(repo)
    repo.create(world.place(repo), read_only=True)
    assert repo.properties.read_only is True
    with pytest.raises(exceptions.ForbiddenException, match="read-only"):
        repo.branch("main").upload(b"", "a")


def test_repository_get_or_create(world: World) -> None:
    repo = world.repository(world.name())
    world.made.append(repo)
    assert repo.get_or_create(world.place(repo)) == repo
    head = repo.branch("main").head()
    assert repo.get_or_create(world.place(repo)) == repo
    assert repo.branch("main").head() == head


def test_repository_exists(world: World, repo: Any) -> None:
    assert repo.exists() is True
    assert world.repository(world.name()).exists() is False


def test_repository_properties(repo: Any) -> None:
    found = repo.properties
    assert (found.id, found.default_branch) == (repo.id, "main")
    assert found.storage_namespace.endswith(repo.id)


def test_repository_info(world: World, repo: Any) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    found = repo.info()
    assert (found.id, found.uri, found.default_branch) == (repo.id, repo.uri, "main")
    assert (found.read_only, found.metadata) == (False, {})
    assert before < found.created_at < datetime.now(UTC) + timedelta(minutes=5)
    assert (found["name"], found["creation_date"]) == (repo.id, found.created_at)
    assert (found["owner_id"], found["region"]) == (None, None)
    repo.set_metadata({"owner": "ada", "region": "eu-north"})
    again = repo.info()
    assert (again["owner_id"], again.region) == ("ada", "eu-north")
    repo.set_metadata({"owner_id": "u-7"})
    assert repo.info().owner_id == "u-7"
    assert again.to_dict() == dict(again.to_dict()) | {"id": repo.id, "owner_id": "ada", "region": "eu-north"}
    assert pickle.loads(pickle.dumps(again)) == again
    with pytest.raises(KeyError, match="'size' is not a key of RepositoryInfo; the keys are id, uri"):
        found["size"]
    with pytest.raises(exceptions.NotFoundException):
        world.repository("never-made").info()


def test_repository_delete(world: World, repo: Any) -> None:
    repo.branch("main").upload(b"", "a")
    with pytest.raises(exceptions.RepositoryNotEmptyError, match="force=True"):
        repo.delete()
    assert repo.exists()
    repo.delete(force=True)
    assert list(world.repositories(prefix=repo.id)) == []  # a real lakeFS answers a lookup from its cache for seconds
    with pytest.raises(exceptions.NotFoundException):
        repo.delete()


def test_repository_branch(repo: Any) -> None:
    assert repo.branch("dev").uri == f"lakefs://{repo.id}/dev/"


def test_repository_commit(repo: Any) -> None:
    head = repo.branch("main").head()
    assert repo.commit(head.id[:12]).commit_message() == "Repository created"
    assert not hasattr(repo.commit(head.id), "upload")


def test_repository_tag(repo: Any) -> None:
    assert repo.tag("v1").id == "v1"


def test_repository_ref(repo: Any) -> None:
    assert repo.ref("main~0").commit_message() == "Repository created"


def test_repository_list_branches(repo: Any) -> None:
    for name in ("a1", "a2", "b1"):
        repo.branch(name).create("main")
    repo.branch("a3-hidden").create("main", hidden=True)
    assert [branch.id for branch in repo.list_branches()] == ["a1", "a2", "b1", "main"]
    assert [branch.id for branch in repo.list_branches(1, "a1", "a")] == ["a2"]
    assert [branch.id for branch in repo.list_branches(prefix="a", hidden=True)] == ["a1", "a2", "a3-hidden"]


def test_repository_list_tags(repo: Any) -> None:
    for name in ("v1", "v2", "w1"):
        repo.tag(name).create("main")
    assert [tag.id for tag in repo.list_tags()] == ["v1", "v2", "w1"]
    assert [tag.id for tag in repo.list_tags(1, "v1", "v")] == ["v2"]


def test_repository_metadata(repo: Any) -> None:
    assert repo.metadata() == {}


def test_repository_set_metadata(repo: Any) -> None:
    repo.set_metadata({"team": "blue", "tier": "1"})
    repo.set_metadata({"tier": "2"})
    assert repo.metadata() == {"team": "blue", "tier": "2"}


def test_repository_delete_metadata(repo: Any) -> None:
    repo.set_metadata({"a": "1", "b": "2", "c": "3"})
    repo.delete_metadata("a")
    repo.delete_metadata(["b", "missing"])
    assert repo.metadata() == {"c": "3"}


def test_repositories_are_listed(world: World, repo: Any) -> None:
    assert repo in list(world.repositories(prefix=repo.id))
    assert [found.id for found in world.repositories(search=repo.id[4:])] == [repo.id]
    assert list(world.repositories(prefix=repo.id, after=repo.id)) == []
    assert list(world.repositories(max_amount=0)) == []


# ------------------------------------------------------------------------------------------------------------- reading


def test_read_id(repo: Any) -> None:
    assert repo.ref("main~1").id == "main~1"


def test_read_uri(repo: Any) -> None:
    assert repo.ref("main~1").uri == f"lakefs://{repo.id}/main~1/"


def test_read_repository_id(repo: Any) -> None:
    assert repo.ref("main").repository_id == repo.id


def test_read_stat_object(main: Any) -> None:
    main.upload(b"abc", "d/a.txt")
    info = main.stat_object("d/a.txt")
    assert (info.path, info.size_bytes) == ("d/a.txt", 3)
    with pytest.raises(exceptions.ObjectNotFoundException, match=r"d/b\.txt"):
        main.stat_object("d/b.txt")


def test_read_exists(repo: Any, main: Any) -> None:
    main.upload(b"", "a")
    assert main.exists("a") is True
    assert main.exists("b") is False
    with pytest.raises(exceptions.NotFoundException, match="nowhere"):
        repo.branch("nowhere").exists("a")


def test_read_exists_of_no_repository(world: World) -> None:
    with pytest.raises(exceptions.NotFoundException, match="not-there"):
        world.repository("not-there").branch("main").exists("a")


def test_read_download(main: Any) -> None:
    main.upload(b"0123456789", "a")
    assert main.download("a") == b"0123456789"
    assert main.download("a", start=3, end=6) == b"345"
    assert main.download("a", start=8) == b"89"
    assert main.download("a", end=2) == b"01"
    with pytest.raises(FileNotFoundError, match="missing"):
        main.download("missing")


def test_read_list_objects(main: Any) -> None:
    for path in ("a/1", "a/2", "b", "c/d/e"):
        main.upload(path.encode(), path)
    assert [(item.path, item.is_dir()) for item in main.list_objects()] == [("a/", True), ("b", False), ("c/", True)]
    assert paths(main.list_objects(recursive=True)) == ["a/1", "a/2", "b", "c/d/e"]
    assert paths(main.list_objects(2, "a/1", "", "")) == ["a/2", "b"]
    assert paths(main.list_objects(prefix="a/")) == ["a/1", "a/2"]
    assert paths(main.list_objects(0)) == []
    with pytest.raises(ValueError, match="max_amount"):
        main.list_objects(-1)


def test_read_open(main: Any) -> None:
    main.upload("ä\nb\n".encode(), "a.txt")
    with main.open("a.txt") as file:
        assert file.read() == "ä\nb\n"
    with main.open("a.txt", "rb") as file:
        assert file.readline() == b"\xc3\xa4\n"
    with pytest.raises(exceptions.ObjectNotFoundException, match="missing"):
        with main.open("missing"):
            pass


@pytest.fixture
def tree(main: Any) -> Any:
    """A branch with a tree, one object of which is not committed."""
    for path in ("a.csv", "d/1/x.csv", "d/1/y.txt", "d/2/x.csv", "d/[x]", "d2/x.csv"):
        main.upload(path.encode(), path, content_type="text/x-test", metadata={"at": path})
    main.commit_changes("tree")
    main.upload(b"d/3/x.csv", "d/3/x.csv")
    return main


def test_read_glob(tree: Any) -> None:
    assert paths(tree.glob("d/*/x.csv")) == ["d/1/x.csv", "d/2/x.csv", "d/3/x.csv"]
    assert paths(tree.glob("**/*.csv")) == ["a.csv", "d/1/x.csv", "d/2/x.csv", "d/3/x.csv", "d2/x.csv"]
    assert paths(tree.glob("d/**")) == ["d/1/x.csv", "d/1/y.txt", "d/2/x.csv", "d/3/x.csv", "d/[x]"]
    assert paths(tree.glob("d/[[]x]")) == ["d/[x]"]
    assert paths(tree.glob("d/[12]/?.*", max_amount=2)) == ["d/1/x.csv", "d/1/y.txt"]
    assert paths(tree.glob("*.csv")) == ["a.csv"]
    assert paths(tree.glob("d/1/x.csv")) == ["d/1/x.csv"]
    assert paths(tree.glob("d/1/none")) == paths(tree.glob("none/*")) == []
    (found,) = tree.glob(f"{tree.uri}d/1/*.csv")
    assert (found.size_bytes, found.metadata) == (9, {"at": "d/1/x.csv"})


def test_read_is_dir(repo: Any, tree: Any) -> None:
    assert [tree.is_dir(path) for path in ("d", "d/", "d/1", "", "a.csv", "d/1/x", "none")] == [True] * 4 + [False] * 3
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").is_dir("d")


def test_read_is_file(repo: Any, tree: Any) -> None:
    assert [tree.is_file(path) for path in ("a.csv", "d/1/x.csv", "d", "d/", "")] == [True, True, False, False, False]
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").is_file("a.csv")


@tries("write_set_tags", "write_delete_tags")
def test_read_get_tags(repo: Any, main: Any) -> None:
    main.upload(b"1", "a", tags={"Type": "Report"})
    main.commit_changes("tagged")
    main.delete_tags("a")
    assert main.get_tags("a") == {}
    assert repo.ref("main@").get_tags("a") == {"Type": "Report"}
    with pytest.raises(exceptions.ObjectNotFoundException, match="none"):
        main.get_tags("none")
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").get_tags("a")


def test_read_usage(repo: Any, tree: Any) -> None:
    assert tree.usage() == lakefs_hl.Usage(54, 7)
    assert tree.usage("d/").to_dict() == {"total_bytes": 41, "object_count": 5}
    assert tree.usage("none/") == (0, 0)
    assert tree.usage("d/", by="directory") == {"d/": (5, 1), "d/1/": (18, 2), "d/2/": (9, 1), "d/3/": (9, 1)}
    assert tree.usage(by="directory") == {"": (5, 1), "d/": (41, 5), "d2/": (8, 1)}
    assert tree.usage(by="extension") == {"": (5, 1), ".csv": (40, 5), ".txt": (9, 1)}
    assert repo.ref("main@").usage() == (45, 6)  # what is committed


def test_read_iter_usage(repo: Any, tree: Any) -> None:
    assert list(tree.iter_usage(every=3)) == [(23, 3), (46, 6), (54, 7)]
    assert list(tree.iter_usage("d/")) == [lakefs_hl.Usage(41, 5)]
    assert list(tree.iter_usage("none/")) == [(0, 0)]
    with pytest.raises(exceptions.NotFoundException):
        list(repo.branch("none").iter_usage())


def test_read_stream(repo: Any, main: Any) -> None:
    content = bytes(range(256)) * 3000
    main.upload(content, "a")
    main.upload(b"", "empty")
    assert [len(chunk) for chunk in main.stream("a", chunk_size=300_000)] == [300_000, 300_000, 168_000]
    assert b"".join(main.stream("a", chunk_size=65_537)) == content
    assert list(main.stream("a", start=-3)) == [content[-3:]]
    assert b"".join(main.stream("a", start=5, end=-5, chunk_size=400_000)) == content[5:-5]
    assert list(main.stream("empty")) == list(main.stream("a", start=7, end=7)) == []
    with pytest.raises(exceptions.ObjectNotFoundException, match="none"):
        list(main.stream("none"))
    with pytest.raises(exceptions.NotFoundException):
        list(repo.branch("none").stream("a"))


def test_read_table_diff(main: Any) -> None:  # more in test_tables.py
    main.upload("id,price\n1,10\n", "t.csv")
    first = main.commit_changes("first")
    main.upload("id,price\n1,11\n", "t.csv")
    assert [(row.kind, row.after) for row in first.table_diff(main, "t.csv", keys="id")] == [
        ("changed", {"id": 1, "price": 11})
    ]


def test_read_files(main: Any) -> None:
    main.files("a").put("b", b"1")
    assert main.files().get("a/b") == main.files("a/").get("b") == b"1"  # test_files.py has the rest


def test_read_object(main: Any) -> None:
    main.object("a").put(b"1")
    assert main.object("a").get() == b"1"


def test_read_stat_many(repo: Any, tree: Any) -> None:
    found = tree.stat_many(["d/1/x.csv", "none", "a.csv", "a.csv"])
    assert [item and item.path for item in found] == ["d/1/x.csv", None, "a.csv", "a.csv"]
    assert tree.stat_many([]) == []
    for at in range(60):
        tree.upload(b"1", f"many/{at:02}")
    asked = [f"many/{at:02}" for at in range(0, 120, 2)]
    assert [item is not None for item in tree.stat_many(iter(asked), max_workers=2)] == [True] * 30 + [False] * 30
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").stat_many(["a"])


# ---------------------------------------------------------------------------------------------------------- references


def test_reference_get_commit(main: Any) -> None:
    assert main.get_commit().message == "Repository created"


def test_reference_metadata(main: Any) -> None:
    main.upload(b"", "a")
    main.commit_changes("m", {"k": "v"})
    assert main.metadata() == {"k": "v"}


def test_reference_commit_message(main: Any) -> None:
    assert main.commit_message() == "Repository created"


def test_reference_log(main: Any) -> None:
    for number in range(3):
        main.upload(str(number), f"{number}")
        main.commit_changes(f"c{number}")
    assert [commit.message for commit in main.log()] == ["c2", "c1", "c0", "Repository created"]
    assert [commit.message for commit in main.log(2)] == ["c2", "c1"]
    assert [commit.message for commit in main.log(objects=["1"])] == ["c1"]
    newest, second, *_ = main.log()
    assert [commit.message for commit in main.log(after=newest.id, stop_at=second)] == ["c1"]
    assert list(main.log(since=datetime.now(UTC) + timedelta(hours=1))) == []
    assert len(list(main.log(since=datetime(2020, 1, 1, tzinfo=UTC), first_parent=True))) == 4


def test_reference_diff(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    dev.upload(b"123", "d/new")
    dev.commit_changes("new")
    assert [tuple(change) for change in main.diff(dev, recursive=True)] == [("added", "d/new", "object", 3)]
    assert [(change.type, change.path) for change in main.diff("dev")] == [("prefix_changed", "d/")]
    assert list(dev.diff(main)) == []
    assert [change.type for change in dev.diff(main, delimiter="", type="two_dot")] == ["removed"]


def test_reference_merge_into(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    dev.upload(b"new", "a")
    dev.commit_changes("on dev")
    merged = dev.merge_into(main, message="merged", metadata={"k": "v"})
    assert (merged.message, merged.commit_message()) == ("merged", "merged")
    assert len(merged.parents) == 2
    assert merged.metadata()["k"] == "v"  # lakeFS adds the strategy
    assert main.head() == merged
    assert main.download("a") == b"new"


def test_reference_merge_into_meets_a_conflict(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    for branch, content in ((dev, b"dev"), (main, b"main")):
        branch.upload(content, "a")
        branch.commit_changes("change")
    with pytest.raises(exceptions.MergeConflict) as caught:
        dev.merge_into("main")
    assert caught.value.conflicts == ("a",)
    dev.merge_into("main", strategy="source-wins")
    assert main.download("a") == b"dev"


@tries(
    "commit_commit_message",
    "commit_committer",
    "commit_creation_date",
    "commit_get_commit",
    "commit_message",
    "commit_meta_range_id",
    "commit_metadata",
    "commit_op_id",
    "commit_parents",
)
def test_commit_fields(main: Any) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    parent = main.head()
    main.upload(b"", "a")
    commit = main.commit_changes("m", {"k": "v"})
    assert commit.message == commit.commit_message() == "m"
    assert commit.parents == [parent.id]
    assert commit.metadata() == {"k": "v"}
    assert before < commit.creation_date < before + timedelta(minutes=10)
    assert commit.committer
    assert len(commit.meta_range_id) == 64
    assert commit.op_id
    assert commit.get_commit() == commit == main.get_commit()
    assert commit.download("a") == b""
    assert pickle.loads(pickle.dumps(commit._record)) == commit._record


def test_tag_create(repo: Any, main: Any) -> None:
    tag = repo.tag("v1").create(main)
    assert tag.commit_message() == "Repository created"
    assert repo.tag("v1").create("main", exist_ok=True) == tag
    with pytest.raises(exceptions.ConflictException, match="v1"):
        repo.tag("v1").create("main")


def test_tag_delete(repo: Any) -> None:
    tag = repo.tag("v1").create("main")
    tag.delete()
    assert list(repo.list_tags()) == []
    with pytest.raises(exceptions.NotFoundException, match="v1"):
        tag.delete()


def test_tag_exists(repo: Any, main: Any) -> None:
    assert repo.tag("v1").exists() is False
    tag = repo.tag("v1").create(main)
    assert (tag.exists(), tag.exists("a")) == (True, False)


# ------------------------------------------------------------------------------------------------------------- writing


def test_write_upload(main: Any) -> None:
    info = main.upload(b"abc", "a", content_type="text/plain", metadata={"k": "v"})
    assert (info.path, info.size_bytes, info.content_type, info.metadata) == ("a", 3, "text/plain", {"k": "v"})
    assert main.upload("ü", "b").size_bytes == 2
    assert main.upload(iter([b"x", b"y"]), "c").size_bytes == 2
    with pytest.raises(FileExistsError, match="a"):
        main.upload(b"", "a", if_none_match=True)
    assert main.download("a") == b"abc"


def test_write_open(main: Any) -> None:
    with main.open("a.txt", "w") as file:
        file.write("text\n")
        file.write(b"bytes\n")
    with main.open("b.bin", "wb", content_type="x/y", metadata={"k": "v"}) as file:
        file.write(b"\x00")
    assert main.download("a.txt") == b"text\nbytes\n"
    assert (main.stat_object("b.bin").content_type, main.stat_object("b.bin").metadata) == ("x/y", {"k": "v"})
    with pytest.raises(exceptions.ObjectExistsException, match=r"a\.txt"):
        with main.open("a.txt", "x"):
            pass


def test_write_open_publishes_nothing_after_an_error(main: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        with main.open("a", "w") as file:
            file.write("half")
            raise ZeroDivisionError
    assert not main.exists("a")


def test_write_delete_objects(main: Any) -> None:
    for path in ("a", "b", "c", "d"):
        main.upload(b"", path)
    report = main.delete_objects(["a", "b", "missing"])
    assert (report.requested, report.failed, report.errors) == (3, (), ())
    main.delete_objects("c")
    main.delete_objects(main.stat_object("d"))
    assert list(main.list_objects()) == []


def test_write_copy_object(repo: Any, main: Any) -> None:
    main.upload(b"abc", "a", metadata={"k": "v"})
    main.commit_changes("a")
    dev = repo.branch("dev").create("main")
    dev.delete_objects("a")
    copied = dev.copy_object(main, "a")
    assert (copied.path, copied.size_bytes) == ("a", 3)
    assert dev.copy_object("main", "a", "b/c").path == "b/c"
    assert dev.download("b/c") == b"abc"
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        dev.copy_object("main", "missing")


def test_write_move_object(main: Any) -> None:
    main.upload(b"abc", "a", content_type="text/csv", metadata={"k": "v"})
    main.upload(b"", "b/c")
    moved = main.move_object("a", "b/c")
    assert (moved.path, moved.size_bytes, moved.content_type, moved.metadata) == ("b/c", 3, "text/csv", {"k": "v"})
    assert paths(main.list_objects(recursive=True)) == ["b/c"]
    assert main.download("b/c") == b"abc"
    with pytest.raises(exceptions.ObjectNotFoundException, match="missing"):
        main.move_object("missing", "d")
    with pytest.raises(ValueError, match="the two paths are the same"):
        main.move_object("b/c", "b/c")


def test_write_remove(repo: Any, tree: Any) -> None:
    assert tree.remove("a.csv") == (1, ())
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        tree.remove("d")
    assert tree.remove("d", recursive=True).requested == 5
    assert paths(tree.list_objects(recursive=True)) == ["d2/x.csv"]
    for recursive in (False, True):
        with pytest.raises(exceptions.ObjectNotFoundException, match="'d'"):
            tree.remove("d", recursive=recursive)
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").remove("d")
    deleted = list[Any]()
    tree.remove("d2/", recursive=True, progress=deleted.append)
    assert [(event.kind, event.path) for event in deleted] == [("delete", "d2/x.csv")]


def test_write_copy_prefix(repo: Any, tree: Any) -> None:
    events = list[Any]()
    report = tree.copy_prefix("d/", "e/f/", progress=events.append)
    assert (report.transferred, report.bytes, report.failed) == (5, 41, ())
    assert {event.path for event in events if event.kind == "complete"} == {
        *("1/x.csv", "1/y.txt", "2/x.csv", "3/x.csv", "[x]")
    }
    copy = tree.stat_object("e/f/1/x.csv")
    assert (copy.content_type, copy.metadata) == ("text/x-test", {"at": "d/1/x.csv"})
    dev = repo.branch("dev").create("main")
    assert dev.copy_prefix("d/", "d/", from_reference=tree, max_workers=1).transferred == 5
    assert dev.copy_prefix("d/", "d/old/", from_reference="main@").transferred == 4
    assert dev.download("d/3/x.csv") == b"d/3/x.csv"
    with pytest.raises(ValueError, match="overlap"):
        dev.copy_prefix("d/", "d/e/")
    with pytest.raises(exceptions.ObjectNotFoundException, match="none/"):
        dev.copy_prefix("none/", "x/")
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("none").copy_prefix("d/", "x/", from_reference=tree)


def test_write_move_prefix(tree: Any) -> None:
    report = tree.move_prefix("d/", "e/")
    assert (report.transferred, report.bytes, report.ok) == (5, 41, True)
    assert paths(tree.list_objects(prefix="d/", recursive=True)) == []
    assert paths(tree.list_objects(prefix="e/", recursive=True)) == [
        *("e/1/x.csv", "e/1/y.txt", "e/2/x.csv", "e/3/x.csv", "e/[x]")
    ]
    assert tree.stat_object("e/1/x.csv").metadata == {"at": "d/1/x.csv"}
    with pytest.raises(exceptions.ObjectNotFoundException):
        tree.move_prefix("d/", "e/")


def test_write_set_object_metadata(main: Any) -> None:
    main.upload(b"abc", "a", metadata={"k": "v", "old": "1"})
    main.set_object_metadata("a", {"k": "ü"})
    assert main.stat_object("a").metadata == {"k": "ü"}


def test_write_import_from(main: Any) -> None:
    manager = main.import_from("s3://bucket/path", destination="some/path/", commit_message="m")
    assert manager.import_id is None


# ------------------------------------------------------------------------------------------------------------ branches


def test_branch_create(repo: Any, main: Any) -> None:
    dev = repo.branch("dev")
    assert dev.create("main") == dev
    assert dev.head() == main.head()
    assert dev.create("main", exist_ok=True) == dev
    with pytest.raises(exceptions.ConflictException, match="dev"):
        dev.create("main")
    with pytest.raises(exceptions.NotFoundException, match="nowhere"):
        repo.branch("other").create("nowhere")


def test_branch_head(main: Any) -> None:
    main.upload(b"", "a")
    head = main.head()
    assert (len(head.id), head.message, head.parents) == (64, "Repository created", [])
    assert list(head.list_objects()) == []
    assert not hasattr(head, "upload")


def test_branch_commit_changes(main: Any) -> None:
    main.upload(b"", "a")
    commit = main.commit_changes("m", {"k": "v"}, date=datetime(2020, 1, 2, tzinfo=UTC))
    assert (commit.message, commit.metadata()) == ("m", {"k": "v"})
    assert commit.creation_date == datetime(2020, 1, 2, tzinfo=UTC)
    with pytest.raises(exceptions.BadRequestException, match="no changes"):
        main.commit("again")
    assert main.commit("nothing", on_empty="skip") == commit
    assert main.commit("empty", allow_empty=True).message == "empty"


def test_branch_exists(repo: Any, main: Any) -> None:
    main.upload(b"", "a")
    assert (main.exists(), main.exists("a"), main.exists("b")) == (True, True, False)
    assert repo.branch("dev").exists() is False


def test_branch_list_uncommitted(main: Any) -> None:
    main.upload(b"1", "a/1")
    main.commit_changes("base")
    main.upload(b"123", "a/2")
    main.delete_objects("a/1")
    assert [(c.type, c.path) for c in main.list_uncommitted()] == [("removed", "a/1"), ("added", "a/2")]
    assert [c.path for c in main.list_uncommitted(1, "a/1", "a/")] == ["a/2"]
    assert [(c.type, c.path) for c in main.list_uncommitted(delimiter="/")] == [("prefix_changed", "a/")]


def test_branch_reset(main: Any) -> None:
    for path in ("a/1", "a/2", "ab", "c"):
        main.upload(b"", path)
    main.reset("c")
    assert paths(main.list_uncommitted()) == ["a/1", "a/2", "ab"]
    main.reset("a/")
    assert paths(main.list_uncommitted()) == ["ab"]
    main.reset()
    assert paths(main.list_uncommitted()) == []


def test_branch_hard_reset(main: Any) -> None:
    first = main.head()
    main.upload(b"", "a")
    main.commit_changes("a")
    main.hard_reset(first)
    assert main.head() == first
    assert not main.exists("a")


def test_branch_revert(main: Any) -> None:
    main.upload(b"1", "a")
    first = main.commit_changes("first")
    main.upload(b"2", "a")
    main.commit_changes("second")
    with pytest.raises(exceptions.ConflictException):
        main.revert(first)
    undone = main.revert("main", message="undone", metadata={"k": "v"})
    assert (undone.message, undone.metadata()) == ("undone", {"k": "v"})
    assert main.head().id == undone.id
    assert main.download("a") == b"1"


def test_branch_reverse(main: Any) -> None:
    main.upload(b"1", "a")
    commit = main.commit_changes("first")
    main.reverse(commit.id)
    assert not main.exists("a")


def test_branch_cherry_pick(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    dev.upload(b"1", "a")
    dev.commit_changes("not this one")
    dev.upload(b"2", "b")
    commit = dev.commit_changes("this one")
    picked = main.cherry_pick(commit)
    assert picked.message == "this one"
    assert paths(main.list_objects()) == ["b"]


def test_branch_delete(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    dev.delete()
    assert [branch.id for branch in repo.list_branches()] == ["main"]
    with pytest.raises(exceptions.NotFoundException, match="dev"):
        dev.delete()
    with pytest.raises(exceptions.ServerException, match="main"):
        main.delete()


# ------------------------------------------------------------------------------------------------------------- objects


@tries(
    "object_bucket",
    "object_created_at",
    "object_key",
    "object_modified_at",
    "object_size",
    "object_checksum",
    "object_content_type",
    "object_is_dir",
    "object_is_file",
    "object_metadata",
    "object_modified_time",
    "object_name",
    "object_path",
    "object_physical_address",
    "object_reference_id",
    "object_repository_id",
    "object_size_bytes",
    "object_uri",
)
def test_object_fields(world: World, repo: Any, main: Any) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    main.upload(b"abc", "d/a.txt", content_type="text/plain", metadata={"k": "v"})
    info = world.make("ObjectInfo", repo.id, "main", "d/a.txt")
    assert (info.path, info.name, info.uri) == ("d/a.txt", "a.txt", f"lakefs://{repo.id}/main/d/a.txt")
    assert (info.repository_id, info.reference_id, info.is_dir(), info.is_file()) == (repo.id, "main", False, True)
    if world.awaitable:
        with pytest.raises(RuntimeError, match="load"):
            _ = info.size_bytes
        info.load()
    assert (info.size_bytes, info.content_type, info.metadata) == (3, "text/plain", {"k": "v"})
    assert info.checksum == "900150983cd24fb0d6963f7d28e17f72"
    assert repo.properties.storage_namespace.partition("://")[0] in info.physical_address
    assert before < info.modified_time < before + timedelta(minutes=10)
    assert info == main.stat_object("d/a.txt") == next(iter(main.list_objects(recursive=True)))
    assert (info.key, info.bucket, info.size) == (info.path, repo.id, 3)
    assert info.created_at == info.modified_at == info.modified_time


def test_object_tags(main: Any) -> None:
    assert main.upload(b"1", "a", tags={"Type": "Report"}).tags == {"Type": "Report"}
    assert main.upload(b"1", "b").tags == {}
    (listed,) = main.list_objects(prefix="a")
    assert listed.tags == {"Type": "Report"}


def test_object_type(main: Any) -> None:
    assert main.upload(b"1", "a").type == "object"


def test_prefix_type(main: Any) -> None:
    main.upload(b"1", "a/b")
    assert [entry["type"] for entry in main.list_objects()] == ["common_prefix"]


def test_keyed_keys(world: World, repo: Any, main: Any) -> None:
    info = main.upload(b"a,b", "d/t.csv", metadata={"k": "v"})
    answers = {"key": "d/t.csv", "size": 3, "content_type": "text/csv", "name": "t.csv", "path": "d/t.csv"}
    assert {key: info[key] for key in answers} == answers
    assert (info["etag"], info["last_modified"]) == (info.checksum, info.modified_time)
    assert {key: info[key] for key in info.keys()}["metadata"] == {"k": "v"}  # noqa: SIM118 - it is no mapping
    assert "size" in info
    assert "bogus" not in info
    for key in ("bogus", 0, None):
        with pytest.raises(KeyError, match="the keys are path, type, size_bytes"):
            info[key]
    with pytest.raises(TypeError, match="not iterable"):
        iter(bare(info))
    (prefix,) = main.list_objects()
    assert (prefix["key"], prefix["name"], dict(bare(prefix))["uri"]) == ("d/", "d", prefix.uri)
    (row,) = world.repositories(prefix=repo.id)
    assert (row["name"], row["uri"]) == (repo.id, repo.uri)
    assert row["creation_date"] == repo.info().created_at
    assert row["default_branch"] == "main"
    with pytest.raises(KeyError, match="the keys are id, uri, created_at"):
        row["size"]
    if world.awaitable:
        with pytest.raises(RuntimeError, match=r"info\(\)"):
            row["owner_id"]
    else:
        assert row["owner_id"] is None
        assert world.repository(repo.id)["creation_date"] == row["creation_date"]


def test_object_delete(main: Any) -> None:
    info = main.upload(b"", "a")
    info.delete()
    assert not main.exists("a")
    info.delete()


def test_object_download(main: Any, tmp_path: Path) -> None:
    info = main.upload(b"abc", "a")
    assert (info.download(), info.download(start=1, end=-1)) == (b"abc", b"b")
    assert info.download(tmp_path / "a") == 3
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_object_open(world: World, main: Any) -> None:
    info = main.upload(b"abc", "a")
    file = info.open("rb")
    assert world.settle(file.read()) == b"abc"
    world.settle(file.close())


def test_object_preview(main: Any) -> None:
    found = main.upload(b"a,b\n1,2\n", "table.csv").preview()
    assert (found.uri, found.kind, found.columns) == (f"{main.uri}table.csv", "table", ("a", "b"))
    assert [tuple(row) for row in found.rows] == [("1", "2")]


def test_object_copy_to(main: Any) -> None:
    info = main.upload(b"abc", "a")
    assert info.copy_to(main, "b").path == "b"
    with pytest.raises(ValueError, match=r"'dir/b' is a path; the branch comes first: copy_to\(branch, path\)"):
        info.copy_to("dir/b")
    assert main.download("b") == b"abc"


@tries("object_to_dict", "prefix_to_dict", "commit_to_dict")
def test_records_as_dictionaries(main: Any) -> None:
    info = main.upload(b"abc", "d/a", content_type="text/plain", metadata={"k": "v"})
    found = info.to_dict()
    assert (found["path"], found["type"], found["size_bytes"]) == ("d/a", "object", 3)
    assert (found["content_type"], found["metadata"], found["checksum"]) == ("text/plain", {"k": "v"}, info.checksum)
    assert found["modified_time"] == info.modified_time
    (prefix,) = main.list_objects()
    assert prefix.to_dict() == {"path": "d/", "type": "common_prefix"}
    commit = main.commit_changes("first", {"k": "v"})
    found = commit.to_dict()
    assert (found["id"], found["message"], found["metadata"]) == (commit.id, "first", {"k": "v"})
    assert (found["creation_date"], found["parents"]) == (commit.creation_date, commit.parents)


@tries("prefix_is_dir", "prefix_is_file", "prefix_name", "prefix_path", "prefix_uri")
@tries("prefix_bucket", "prefix_created_at", "prefix_key", "prefix_modified_at", "prefix_size")
@tries("prefix_reference_id", "prefix_repository_id")
def test_prefix_fields(world: World, repo: Any) -> None:
    prefix = world.make("CommonPrefix", repo.id, "main", "d/e/")
    assert (prefix.path, prefix.name, prefix.uri) == ("d/e/", "e", f"lakefs://{repo.id}/main/d/e/")
    assert (prefix.is_dir(), prefix.is_file()) == (True, False)
    assert (prefix.key, prefix.bucket, prefix.size) == ("d/e/", repo.id, 0)
    assert (prefix.repository_id, prefix.reference_id) == (repo.id, "main")
    assert (prefix.created_at, prefix.modified_at) == (None, None)


def test_prefix_exists(world: World, repo: Any, main: Any) -> None:
    main.upload(b"", "d/a")
    (prefix,) = main.list_objects()
    assert prefix.exists() is True
    assert world.make("CommonPrefix", repo.id, "main", "x/").exists() is False


# ------------------------------------------------------------------------------------------------------------- imports


@tries("import_cancel", "import_import_id", "import_result", "import_status", "import_wait")
def test_import_that_was_not_started(main: Any) -> None:
    manager = main.import_from("s3://bucket/path/", "d/", "m")
    for method in (manager.status, manager.wait, manager.cancel):
        with pytest.raises(RuntimeError, match="start"):
            method()
    with pytest.raises(RuntimeError, match="waited for"):
        manager.result()
    assert manager.import_id is None


def test_import_add(world: World, repo: Any) -> None:
    manager = world.make("ImportManager", repo.id, "main")
    with pytest.raises(ValueError, match="no sources to import"):
        manager.start()
    assert manager.add("s3://bucket/a/", "b/") == manager
    assert "sources=1" in repr(manager)


@tries("import_run", "import_start")
def test_import_from_a_place_that_is_not_there(main: Any) -> None:
    manager = main.import_from("local:///nowhere-to-be-found/", "d/", "m")
    with pytest.raises(exceptions.LakeFSException):
        manager.run(timedelta(seconds=0.1))
    assert main.commit_message() == "Repository created"


# -------------------------------------------------------------------------------------------------------- transactions


@tries(
    "transaction_handle",
    "transaction_leaked_branch",
    "transaction_merge_commit_id",
    "transaction_source_branch_id",
    "transaction_state",
)
def test_branch_transaction(repo: Any, main: Any) -> None:
    with main.transaction("all or nothing", metadata={"k": "v"}, tag="v1") as tx:
        assert (tx.state, tx.source_branch_id, tx.merge_commit_id, tx.leaked_branch) == ("OPEN", "main", None, None)
        tx.upload(b"1", "a")
        with tx.open("b", "w") as file:
            file.write("2")
        assert tx.download("a") == b"1"
        assert not main.exists("a")
        tx.handle().upload(b"3", "c")
    assert (tx.state, tx.leaked_branch) == ("COMMITTED", None)
    assert tx.merge_commit_id == main.head().id
    assert paths(main.list_objects()) == ["a", "b", "c"]
    assert main.commit_message() == "all or nothing"
    assert main.metadata()["k"] == "v"
    assert repo.tag("v1").get_commit().id == tx.merge_commit_id
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_transaction_that_fails_keeps_its_branch(repo: Any, main: Any) -> None:
    with pytest.raises(exceptions.TransactionException) as caught:
        with main.transaction("never") as tx:
            tx.upload(b"1", "a")
            raise ZeroDivisionError("of mine")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not main.exists("a")
    assert repo.branch(caught.value.branch).download("a") == b"1"
    assert [branch.id for branch in repo.list_branches()] == ["main"]


def test_transaction_resolve(main: Any) -> None:
    with main.transaction("m") as tx:
        tx.upload(b"1", "a")
    assert tx.resolve() == "COMMITTED"


def test_transaction_with_a_file_left_open(repo: Any, main: Any) -> None:
    with pytest.raises(
        exceptions.TransactionException, match=r"nothing was merged: files .* are not closed: lakefs://.*/b\."
    ) as caught:
        with main.transaction("never") as tx:
            tx.upload(b"1", "a")
            file = tx.open("b", "w")
            file.write("2")
    assert caught.value.state == "ABORTED"
    assert not main.exists("a")
    assert repo.branch(caught.value.branch).exists("a")


def test_transaction_that_wrote_nothing_leaves_nothing(repo: Any, main: Any) -> None:
    for failure in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises((exceptions.TransactionException, KeyboardInterrupt)):
            with main.transaction("never"):
                raise failure
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


# ------------------------------------------------------------------------------------------- transactions left behind


def leave(main: Any, message: str = "never") -> Any:
    """A transaction whose block failed."""
    with pytest.raises(exceptions.TransactionException):
        with main.transaction(message) as tx:
            tx.upload(b"1", "a")
            raise ZeroDivisionError
    return tx


def lose(world: World, repo: Any, main: Any, how_far: str) -> Any:
    """A transaction whose process went when it had come so far."""
    tx = main.transaction("all or nothing", metadata={"k": "v"})
    tx.__enter__()
    if how_far != "empty":
        tx.upload(b"1", "a")
    if how_far in ("committed", "merged"):
        op_id = f"{tx.id[-32:]}-commit"
        creation = models.CommitCreation("all or nothing", {"k": "v"})
        world.settle(world.client._run(branches.commit, repo.id, tx.id, creation, op_id=op_id, now=0.0))
    if how_far == "merged":
        repo.branch(tx.id).merge_into(main)
    return tx


@tries("repository_transactions", "kept_id", "kept_branch", "kept_repository_id", "kept_source_branch_id", "kept_state")
@tries("kept_started", "kept_age", "kept_message", "kept_owner")
def test_repository_transactions(world: World, repo: Any, main: Any) -> None:
    assert list(repo.transactions()) == []
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = {how_far: lose(world, repo, main, how_far) for how_far in ("empty", "staged", "committed", "merged")}
    repo.branch("tx-of-mine").create("main")  # no transaction has made it
    found = {kept.state: kept for kept in repo.transactions()}
    assert {state: kept.branch for state, kept in found.items()} == {state: tx.id for state, tx in made.items()}
    for kept in found.values():
        assert kept.branch == f"tx-main-{kept.id}"
        assert (kept.repository_id, kept.source_branch_id) == (repo.id, "main")
        assert before < kept.started < datetime.now(UTC)
        assert timedelta(0) <= kept.age < timedelta(minutes=5)
    for state in ("empty", "staged"):
        assert (found[state].message, found[state].owner) == (None, None)
    owner = repo.branch(made["committed"].id).get_commit().committer
    for state in ("committed", "merged"):
        assert (found[state].message, found[state].owner) == ("all or nothing", owner)
    assert len(list(repo.transactions(2))) == 2
    later = list(repo.transactions(after=found["empty"].branch))
    assert sorted(kept.state for kept in later) == ["committed", "merged", "staged"]


def test_repository_transactions_of_an_earlier_release(repo: Any, main: Any) -> None:
    repo.branch("tx-main-" + "0123456789ab4def8123456789abcdef").create("main")
    (kept,) = repo.transactions()
    assert (kept.started, kept.age, kept.state) == (None, None, "empty")
    assert repo.collect_transactions(timedelta(0)).deleted == {}


def test_kept_discard(repo: Any, main: Any) -> None:
    tx = leave(main)
    (kept,) = repo.transactions()
    assert kept.branch == tx.id
    kept.discard()
    kept.discard()
    assert list(repo.transactions()) == []


def test_kept_to_dict(repo: Any, main: Any) -> None:
    tx = leave(main)
    (kept,) = repo.transactions()
    found = kept.to_dict()
    assert (found["branch"], found["state"], found["started"]) == (tx.id, kept.state, kept.started)


def test_kept_resume_goes_on_with_the_block(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "staged")
    (kept,) = repo.transactions()
    tx = kept.resume("finished", metadata={"k": "w"}, tag="v1")
    assert (tx.state, tx.id) == ("OPEN", kept.branch)
    with tx:
        assert tx.download("a") == b"1"
        tx.upload(b"2", "b")
    assert (tx.state, paths(main.list_objects())) == ("COMMITTED", ["a", "b"])
    assert (main.commit_message(), main.metadata()["k"]) == ("finished", "w")
    assert repo.tag("v1").get_commit().id == tx.merge_commit_id
    assert list(repo.transactions()) == []


def test_kept_resume_of_nothing(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "empty")
    (kept,) = repo.transactions()
    with kept.resume() as tx:
        assert tx.state == "OPEN"
    assert (tx.state, tx.merge_commit_id, list(repo.transactions())) == ("COMMITTED", None, [])


def test_kept_resume_that_fails_again_keeps_what_was_written(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "empty")
    (kept,) = repo.transactions()
    with pytest.raises(exceptions.TransactionException, match="is kept"):
        with kept.resume() as tx:
            tx.upload(b"1", "a")
            raise ZeroDivisionError
    assert [kept.state for kept in repo.transactions()] == ["staged"]
    with pytest.raises(exceptions.TransactionException, match="was deleted"):
        with kept.resume() as tx:
            tx.delete_objects("a")
            raise ZeroDivisionError
    assert list(repo.transactions()) == []


def test_kept_resume_merges_what_was_committed(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "committed")
    main.upload(b"2", "b")
    main.commit_changes("meanwhile")
    (kept,) = repo.transactions()
    tx = kept.resume()
    assert (tx.state, paths(main.list_objects())) == ("COMMITTED", ["a", "b"])
    assert (main.commit_message(), main.metadata()["k"], main.head().id) == ("all or nothing", "v", tx.merge_commit_id)
    assert list(repo.transactions()) == []
    with pytest.raises(exceptions.TransactionStateError, match=r"resume\(\) has finished it"):
        with tx:
            pytest.fail("the block must not begin")
    again = kept.resume()
    assert (again.state, again.merge_commit_id) == ("COMMITTED", tx.merge_commit_id)


@pytest.mark.parametrize("how_far", ["committed", "merged"])
def test_kept_resume_of_what_was_written_after_the_commit(
    world: World, repo: Any, main: Any, mocker: MockerFixture, how_far: str
) -> None:
    """A server that knows the IDs of the first commit and merge answers by what it did then."""
    lost = lose(world, repo, main, how_far)
    repo.branch(lost.id).upload(b"2", "b")
    (kept,) = repo.transactions()
    assert kept.state == "staged"
    tx = kept.resume()
    mocker.patch("lakefs_hl.ops.transaction._merge", side_effect=exceptions.TransportException("no network"))
    with pytest.raises(exceptions.TransportException):
        with tx:
            tx.upload(b"3", "c")
    mocker.stopall()
    (kept,) = repo.transactions()
    assert kept.state == "committed"
    assert kept.resume().state == "COMMITTED"
    assert paths(main.list_objects()) == ["a", "b", "c"]
    assert list(repo.transactions()) == []
    assert kept.resume().merge_commit_id == main.head().id


def test_kept_resume_of_what_was_merged_only_tidies_up(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "merged")
    head = main.head().id
    (kept,) = repo.transactions()
    tx = kept.resume()
    assert (tx.state, main.head().id, list(repo.transactions())) == ("COMMITTED", head, [])


def test_kept_resume_that_meets_a_conflict_keeps_it(world: World, repo: Any, main: Any) -> None:
    lose(world, repo, main, "committed")
    main.upload(b"2", "a")
    main.commit_changes("meanwhile")
    (kept,) = repo.transactions()
    with pytest.raises(exceptions.TransactionMergeError) as caught:
        kept.resume()
    assert (caught.value.conflicts, main.download("a")) == (("a",), b"2")
    assert kept.resume(strategy="source-wins").state == "COMMITTED"
    assert main.download("a") == b"1"


@tries("kept_resume")
def test_kept_resume_of_what_was_discarded(repo: Any, main: Any) -> None:
    leave(main)
    (kept,) = repo.transactions()
    kept.discard()
    with pytest.raises(exceptions.TransactionStartError, match="its branch does not exist") as caught:
        kept.resume()
    assert (caught.value.branch, caught.value.state) == (kept.branch, "ABORTED")


def test_repository_collect_transactions(world: World, repo: Any, main: Any) -> None:
    made = {how_far: lose(world, repo, main, how_far) for how_far in ("empty", "staged", "committed", "merged")}
    merged = made["merged"].id
    report = repo.collect_transactions(dry_run=True)
    assert (set(report.deleted), report.dry_run) == ({merged}, True)
    assert report.deleted[merged] == "merged into 'main'"
    assert len(list(repo.transactions())) == 4
    report = repo.collect_transactions()
    assert (set(report.deleted), report.dry_run) == ({merged}, False)
    assert set(report.kept) == {made[state].id for state in ("empty", "staged", "committed")}
    assert [branch.id for branch in repo.list_branches(hidden=True) if branch.id == merged] == []
    assert repo.collect_transactions(timedelta(hours=1)).deleted == {}
    assert len(repo.collect_transactions(older_than=timedelta(0)).deleted) == 3
    assert list(repo.transactions()) == []
    assert repo.collect_transactions() == ({}, {}, False)


def test_repository_collect_transactions_wants_a_time(repo: Any) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        repo.collect_transactions(older_than=timedelta(seconds=-1))
    with pytest.raises(TypeError, match="older_than must be a timedelta"):
        repo.collect_transactions(older_than=24)


# --------------------------------------------------------------------------------------- pull requests and action runs


@tries(
    "record_id",
    "record_repository_id",
    "pull_author",
    "pull_creation_date",
    "pull_description",
    "pull_destination_branch_id",
    "pull_refresh",
    "pull_source_branch_id",
    "pull_title",
    "pull_to_dict",
    "repository_create_pull_request",
    "repository_pull_request",
    "repository_pull_requests",
)
def test_pull_requests(repo: Any) -> None:
    dev = repo.branch("dev").create("main")
    pull = repo.create_pull_request(dev, "main", "title", "why")
    assert pull.repository_id == repo.id
    assert (pull.title, pull.description, pull.status) == ("title", "why", "open")
    assert (pull.source_branch_id, pull.destination_branch_id) == ("dev", "main")
    assert pull.author
    assert abs(datetime.now(UTC) - pull.creation_date) < timedelta(minutes=5)
    assert pull.to_dict()["source_branch_id"] == "dev"
    (listed,) = repo.pull_requests(status="open")
    assert listed == pull == repo.pull_request(pull.id)
    assert listed.refresh().description == "why"


@tries("pull_approve", "pull_reject", "pull_reviews")
def test_pull_requests_are_reviewed(repo: Any) -> None:
    pull = repo.create_pull_request(repo.branch("dev").create("main"), "main", "title")
    pull.reject("not yet")
    pull.approve("now")
    assert [(review.approved, review.notes, review.outdated) for review in pull.reviews()] == [
        (False, "not yet", False),
        (True, "now", False),
    ]


@tries("pull_close", "pull_closed_date", "pull_merge", "pull_merge_commit_id", "pull_status", "pull_update")
def test_pull_requests_are_updated_closed_and_merged(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    dev.upload(b"1", "a")
    dev.commit_changes("on dev")
    pull = repo.create_pull_request("dev", "main", "title")
    assert pull.update(title="better", description="why").refresh().title == "better"
    assert pull.close().refresh().closed_date >= pull.creation_date
    with pytest.raises(exceptions.BadRequestException, match="merged or closed"):
        pull.merge()
    assert pull.update(status="open").status == "open"
    merged = pull.merge()
    assert (pull.status, pull.merge_commit_id) == ("merged", merged.id)
    assert main.head() == merged
    assert repo.pull_request(pull.id).refresh().merge_commit_id == merged.id


#: An action with Lua hooks, which need no other server. They refuse a message, and every tag.
ACTION = """
name: checks
on:
  pre-commit:
    branches: [main]
  pre-merge:
    branches: [main]
  pre-create-tag:
hooks:
  - id: message
    type: lua
    properties:
      script: |
        print("naïve check of " .. action.event_type)
        if action.event_type == "pre-create-tag" or action.commit.message == "bad" then
          error("this is bad")
        end
  - id: more
    type: lua
    properties:
      script: print("more")
"""


@tries("repository_run", "repository_runs", "run_hooks", "run_refresh")
def test_action_runs_where_there_are_none(repo: Any, main: Any) -> None:
    assert list(repo.runs()) == list(repo.runs(branch="main")) == list(repo.runs(commit=main.head())) == []
    assert list(repo.run("none").hooks()) == []
    with pytest.raises(exceptions.NotFoundException, match="action run 'none'"):
        repo.run("none").refresh()


@tries(
    *(f"run_{name}" for name in ("branch_id", "commit_id", "end_time", "event_type", "start_time", "status")),
    "run_to_dict",
    *(f"hook_{name}" for name in ("action", "end_time", "hook_id", "id", "output", "repository_id", "run_id")),
    "hook_start_time",
    "hook_status",
    "hook_to_dict",
)
def test_action_runs(world: World, repo: Any, main: Any) -> None:
    main.upload(ACTION, "_lakefs_actions/checks.yaml")
    made = main.commit_changes("good")
    if world.kind != "real lakeFS":  # no lake runs hooks; the fields are tried on canned records in `tests/faces`
        assert list(repo.runs()) == []
        return
    (run,) = repo.runs(branch=main)
    assert (run.event_type, run.status, run.branch_id, run.commit_id) == ("pre-commit", "completed", "main", made.id)
    assert timedelta(0) <= run.end_time - run.start_time < timedelta(minutes=1)
    assert abs(datetime.now(UTC) - run.start_time) < timedelta(minutes=5)
    assert run.to_dict()["start_time"] == run.start_time
    assert [run] == [repo.run(run.id).refresh()] == list(repo.runs(commit=made))
    message, more = run.hooks()
    assert (message.repository_id, message.run_id, message.action) == (repo.id, run.id, "checks")
    assert [(hook.hook_id, hook.status) for hook in (message, more)] == [
        ("message", "completed"),
        ("more", "completed"),
    ]
    assert run.start_time == message.start_time <= message.end_time <= more.start_time <= more.end_time == run.end_time
    assert (message.output(), more.output()) == ("naïve check of pre-commit\n", "more\n")
    assert message.to_dict()["id"] == message.id < more.id
    assert list(run.hooks(max_amount=1)) == [message]
    assert list(run.hooks(after=message.id)) == [more]


@pytest.mark.parametrize("event", ["pre-commit", "pre-merge", "pre-create-tag"])
def test_a_hook_refuses(world: World, repo: Any, main: Any, event: str) -> None:
    main.upload(ACTION, "_lakefs_actions/checks.yaml")
    made = main.commit_changes("good")
    dev = repo.branch("dev").create("main")
    for branch in (main, dev):
        branch.upload(branch.id, branch.id)
    dev.commit_changes("bad")  # the action is for main
    if event == "pre-merge":
        main.reset()
    calls: dict[str, Callable[[], Any]] = {
        "pre-commit": lambda: main.commit_changes("bad"),
        "pre-merge": lambda: dev.merge_into("main", message="bad"),
        "pre-create-tag": lambda: repo.tag("v1").create("main"),
    }
    if world.kind != "real lakeFS":  # no lake runs hooks
        calls[event]()
        assert list(repo.runs()) == []
        return
    with pytest.raises(exceptions.PreconditionFailedException, match=f"{event} hook aborted") as caught:
        calls[event]()
    assert caught.value.kind is ErrorKind.HOOK_REFUSED
    assert caught.value.maybe_applied is False
    assert main.head() == made
    (run,) = (run for run in repo.runs() if run.status == "failed")
    assert f"run id '{run.id}'" in str(caught.value)
    assert (run.event_type, run.branch_id) == (event, None if event == "pre-create-tag" else "main")
    assert event in repr(run)
    refused, skipped = run.hooks()
    assert (refused.status, skipped.status) == ("failed", "skipped")
    assert refused.output().startswith(f"naïve check of {event}\nError: ")
    assert (skipped.start_time, skipped.end_time, skipped.output()) == (None, None, "")


def test_an_invalid_action_file_refuses_a_commit(world: World, main: Any) -> None:
    main.upload(ACTION.replace("checks", "c"), "_lakefs_actions/c.yaml")  # a name has at least two characters
    if world.kind != "real lakeFS":  # no lake reads actions
        main.commit_changes("good")
        return
    with pytest.raises(exceptions.ServerErrorException, match=r"parsing file _lakefs_actions/c\.yaml") as caught:
        main.commit_changes("good")
    assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.HOOK_REFUSED, False)
    assert len(list(main.log())) == 1


# ----------------------------------------------------------------------------------------------------------- the server


def test_server_version(world: World) -> None:
    assert world.make("ServerConfiguration").version()


def test_server_storage_config(world: World) -> None:
    assert world.make("ServerConfiguration").storage_config().blockstore_type()


def test_storage_blockstore_type(world: World) -> None:
    assert world.make("ServerStorageConfiguration").blockstore_type() in ("local", "s3", "gs", "azure", "mem")


def test_storage_pre_sign_support(world: World) -> None:
    assert isinstance(world.make("ServerStorageConfiguration").pre_sign_support(), bool)


def test_storage_import_support(world: World) -> None:
    assert isinstance(world.make("ServerStorageConfiguration").import_support(), bool)


def test_storage_default_namespace_prefix(world: World) -> None:
    found = world.make("ServerStorageConfiguration").default_namespace_prefix()
    assert not found or "://" in found


# ------------------------------------------------------------------------- versions, snapshots, protection, lifecycles


@tries("reference_blame", "commit_pin")
def test_reference_blame_of_a_pinned_commit(main: Any) -> None:
    main.upload(b"1", "a")
    version = main.commit_changes("first").pin()
    main.upload(b"2", "a")
    main.commit_changes("second")
    assert [entry.commit.message for entry in version.blame()] == ["first"]
    assert [entry.commit.message for entry in main.blame()] == ["second"]


@tries("reference_history", "branch_restore")
def test_versions(main: Any) -> None:  # more in test_versions.py
    for content in (b"1", b"2"):
        main.upload(content, "a")
        main.commit_changes(content.decode())
    newest, oldest = main.history("a")
    assert (newest.commit.message, newest.info.checksum) == ("2", main.stat_object("a").checksum)
    main.restore("a", oldest)
    assert main.download("a") == b"1"


@tries("repository_create_snapshot", "repository_snapshots", "repository_restore_snapshot")
def test_snapshots(repo: Any, main: Any) -> None:  # more in test_snapshots.py
    main.upload(b"1", "a")
    assert repo.create_snapshot("s") == repo.tag("s")
    assert [tag.id for tag in repo.snapshots()] == ["s"]
    main.reset()
    repo.restore_snapshot("s")
    assert main.download("a") == b"1"


@tries("repository_protect", "repository_protections", "repository_unprotect", "repository_versioning")
@tries("repository_set_public_access")  # more in test_buckets.py
@tries("repository_set_policy", "repository_policy", "repository_delete_policy")
def test_protection(repo: Any) -> None:  # more in test_protections.py
    assert repo.set_public_access(False) is None
    repo.protect("main")
    assert repo.protections() == ["main"]
    repo.unprotect("main")
    assert repo.versioning is True
    for call in (lambda: repo.set_policy("{}"), repo.policy, repo.delete_policy):
        with pytest.raises(exceptions.UnsupportedOperationException):
            call()


@tries("repository_set_lifecycle", "repository_lifecycle", "repository_delete_lifecycle", "repository_apply_lifecycle")
@tries("write_expire")
def test_expiry(repo: Any, main: Any) -> None:  # more in test_lifecycles.py and test_expiry.py
    main.upload(b"1", "temp/a")
    main.upload(b"1", "old/a")
    main.commit_changes("base")
    rule = {"id": "r", "status": "Enabled", "expiration": {"days": 1}, "filter": {"prefix": "temp/"}}
    repo.set_lifecycle([rule])
    assert repo.lifecycle() == [rule]
    assert repo.apply_lifecycle(now="2100-01-31").planned == ["temp/a"]
    repo.delete_lifecycle()
    assert main.expire("old/", timedelta(days=1), now="2100-01-31").deleted == 1
