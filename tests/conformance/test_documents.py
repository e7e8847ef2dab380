"""What clients of document stores do: tags, versions, suffixes, copies with everything, many objects of many places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World, bare, namespace

TAGS = {"Type": "Report", "Quarter": "Q4", "Straße": "Köln 🏛", "type": "other case", "e": ""}
TAGS['quo"te\\'] = "line\nbreak\t\0"


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def paths(items: Any) -> list[str]:
    return [item["key"] for item in items]


# ------------------------------------------------------------------------------------------------------------ tags


def test_tags_keep_their_spelling_and_all_other_metadata(main: Any) -> None:
    main.upload(b"%PDF", "q4.pdf", metadata={"author": "Jöhn", "::lakefs::client-mtime": "1700000000"})
    before = main.stat_object("q4.pdf")
    main.set_tags("q4.pdf", TAGS)
    found = main.stat_object("q4.pdf")
    assert main.get_tags("q4.pdf") == found.tags == TAGS
    stored = found.metadata["lakefs-hl-tags"]
    assert stored.isascii()
    assert json.loads(stored) == TAGS
    assert {key: value for key, value in found.metadata.items() if key != "lakefs-hl-tags"} == before.metadata
    assert (found.checksum, found.size_bytes, found.content_type) == (before.checksum, 4, "application/pdf")
    assert main.download("q4.pdf") == b"%PDF"
    main.set_tags("q4.pdf", {"Status": "Final"})
    assert main.get_tags("q4.pdf") == {"Status": "Final"}  # replaced as a whole
    main.delete_tags("q4.pdf")
    main.delete_tags("q4.pdf")
    assert main.stat_object("q4.pdf").metadata == before.metadata


def test_tags_are_part_of_the_commit(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    first = main.commit_changes("untagged")
    main.set_tags("a", {"status": "final"})
    assert [change.path for change in main.list_uncommitted()] == ["a"]
    second = main.commit_changes("tagged")
    assert repo.commit(first.id).get_tags("a") == {}
    assert repo.commit(second.id).get_tags("a") == {"status": "final"}
    dev = repo.branch("dev").create(first)
    assert dev.get_tags("a") == {}
    main.set_tags("a", {"status": "final"})
    assert list(main.list_uncommitted()) == []  # nothing to change
    with main.transaction("in a transaction") as tx:
        tx.set_tags("a", {"status": "void"})
        tx.upload(b"2", "b", tags={"new": "1"})
    assert (main.get_tags("a"), main.get_tags("b")) == ({"status": "void"}, {"new": "1"})


def test_tags_come_with_every_upload_and_every_copy(world: World, repo: Any, main: Any, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("1", encoding="utf-8")
    assert main.upload(b"1", "a.txt", tags=TAGS, metadata={"k": "v"}).tags == TAGS
    assert main.upload_file(tmp_path / "f.txt", "f.txt", tags=TAGS).tags == TAGS
    main.upload_many([{"key": "m.txt", "data": b"1", "tags": TAGS}])
    assert main.get_tags("m.txt") == TAGS
    assert main.copy_object("main", "a.txt", "copy.txt").path == "copy.txt"
    main.move_object("copy.txt", "moved.txt")
    main.copy_prefix("moved", "under/moved")
    other = world.fresh().branch("main")
    client = bare(world.client)
    for source, target in ((main.stat_object("a.txt"), "b.txt"), ("a.txt", "c.txt")):
        uri = bare(source) if not isinstance(source, str) else f"lakefs://{repo.id}/main/{source}"
        world.settle(world.module.copy(uri, f"{other.uri}{target}", src_client=client, dst_client=client))
    for at, path in ((main, "moved.txt"), (main, "under/moved.txt"), (other, "b.txt"), (other, "c.txt")):
        found = at.stat_object(path)
        assert (found.tags, found.metadata["k"], found.content_type) == (TAGS, "v", "text/plain"), path


def test_an_upload_that_replaces_an_object_replaces_its_tags(main: Any) -> None:
    main.upload(b"1", "a", tags={"k": "v"})
    assert main.upload(b"2", "a").tags == {}
    assert main.upload(b"2", "a", tags={}).metadata == {}


def test_new_metadata_keeps_the_tags(main: Any) -> None:
    main.upload(b"1", "a", tags={"k": "v"}, metadata={"old": "1"})
    main.set_object_metadata("a", {"new": "2"})
    found = main.stat_object("a")
    assert (found.tags, found.metadata["new"], "old" in found.metadata) == ({"k": "v"}, "2", False)
    main.set_object_metadata("a", {"lakefs-hl-tags": '{"k":"w"}'})
    assert main.stat_object("a").metadata == {"lakefs-hl-tags": '{"k":"w"}'}
    assert main.get_tags("a") == {"k": "w"}


@pytest.mark.parametrize("written", ["not JSON", "[1]", '{"a":1}', "3", '"x"', "[" * 5000])
def test_what_another_program_wrote_as_tags_is_an_error_that_can_be_mended(main: Any, written: str) -> None:
    main.upload(b"1", "a", metadata={"lakefs-hl-tags": written, "k": "v"})
    with pytest.raises(ValueError, match=r"'lakefs-hl-tags' of lakefs://.*/main/a is not a JSON object of strings"):
        main.get_tags("a")
    with pytest.raises(ValueError, match="set_tags"):
        _ = main.stat_object("a").tags
    main.set_tags("a", {"x": "y"})
    assert (main.get_tags("a"), main.stat_object("a").metadata["k"]) == ({"x": "y"}, "v")


def test_tags_that_are_refused(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    with pytest.raises(ValueError, match="name of a tag must not be empty"):
        main.set_tags("a", {"": "v"})
    with pytest.raises(ValueError, match="lone surrogate"):
        main.set_tags("a", {"k": "\ud800"})
    with pytest.raises(ValueError, match="give one of them"):
        main.upload(b"1", "b", tags={"k": "v"}, metadata={"lakefs-hl-tags": "{}"})
    with pytest.raises(ValueError, match="give one of them"):
        main.upload_many([{"key": "b", "data": b"1", "tags": {"k": "v"}, "metadata": {"lakefs-hl-tags": "{}"}}])
    assert not main.exists("b")
    for at, error in ((main, exceptions.ObjectNotFoundException), (repo.branch("none"), exceptions.NotFoundException)):
        with pytest.raises(error, match="/none"):
            at.set_tags("none", {"k": "v"})
        with pytest.raises(error, match="/none"):
            at.delete_tags("none")
    commit = main.commit_changes("first")
    with pytest.raises(exceptions.BadRequestException):
        repo.branch(commit.id).set_tags("a", {"k": "v"})
    assert main.get_tags("a") == {}


# -------------------------------------------------------------------------------------------------------- metadata


def test_metadata_keys_of_s3_clients_come_back_as_they_were_given(main: Any) -> None:
    given = {"x-amz-meta-author": "John Doe", "x-amz-meta-version": "2.0"}
    main.upload(b"1", "reports/q4.pdf", metadata=given)
    assert main.stat_object("reports/q4.pdf")["metadata"] == given


def test_metadata_of_a_repository_keeps_its_spelling(repo: Any) -> None:
    given = {"Last_Backup": "2026-01-01 10:00:00", "Ключ": "значение", "backup.user": ""}
    repo.set_metadata(given)
    assert repo.metadata() == given
    repo.set_metadata({"Ключ": "2"})
    repo.delete_metadata(["Last_Backup", "none"])
    assert repo.metadata() == {"Ключ": "2", "backup.user": ""}


# -------------------------------------------------------------------------------------------------------- versions


def test_an_upload_can_be_a_version_of_its_own(repo: Any, main: Any) -> None:
    for version in (b"v1", b"v2"):
        found = main.upload(version, "config.json", commit_message=f"config {version.decode()}", tags={"k": "v"})
        assert (found.reference_id, found.size_bytes, found.tags) == ("main", 2, {"k": "v"})
    assert list(main.list_uncommitted()) == []
    messages = [commit.message for commit in main.log(first_parent=True)]
    assert messages == ["config v2", "config v1", "Repository created"]
    assert main.download("config.json") == b"v2"
    assert repo.ref("main~1").download("config.json") == b"v1"
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_a_version_is_of_this_object_only(repo: Any, main: Any) -> None:
    main.upload(b"1", "other")
    with pytest.raises(exceptions.TransactionException, match="uncommitted changes"):
        main.upload(b"2", "a", commit_message="a")
    assert paths(main.list_objects()) == ["other"]
    main.commit_changes("other")
    main.upload(b"2", "a", commit_message="a")
    change, *rest = repo.ref("main~1").diff("main")
    assert (change.path, rest) == ("a", [])
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_a_version_that_fails_leaves_nothing_behind(repo: Any, main: Any) -> None:
    main.upload(b"1", "a", commit_message="first")
    with pytest.raises(exceptions.ObjectExistsException):
        main.upload(b"2", "a", commit_message="second", if_none_match=True)
    with pytest.raises(ValueError, match="commit_message must not be empty"):
        main.upload(b"2", "a", commit_message=" ")

    def broken() -> Any:
        yield b"2"
        msg = "of the iterable"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="of the iterable"):
        main.upload(broken(), "a", commit_message="third")
    with main.transaction("tx") as tx, pytest.raises(ValueError, match="this is a transaction"):
        tx.upload(b"2", "a", commit_message="fourth")
    assert main.download("a") == b"1"
    assert len(list(main.log(first_parent=True))) == 2
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_an_upload_that_changes_nothing_is_no_version(main: Any) -> None:
    main.upload(b"1", "a", commit_message="first")
    main.upload(b"1", "a", commit_message="second")
    assert [commit.message for commit in main.log(first_parent=True)] == ["first", "Repository created"]


# ---------------------------------------------------------------------------------------------------- list, delete


def test_a_listing_by_suffix(repo: Any, main: Any) -> None:
    names = [f"docs/{number:03}.{'pdf' if number % 3 == 0 else 'txt'}" for number in range(50)]
    main.upload_many([(name, b"1") for name in [*names, "docs/deep/x.pdf", "docs/x.pdf/y", "top.pdf", "docs/PDF.PDF"]])
    found = paths(main.list_objects(prefix="docs/", suffix=".pdf"))
    assert found == [name for name in names if name.endswith("pdf")]
    assert paths(main.list_objects(prefix="docs/", suffix=".pdf", recursive=True)) == [*found, "docs/deep/x.pdf"]
    assert paths(main.list_objects(2, prefix="docs/", suffix=".pdf")) == found[:2]
    assert paths(main.list_objects(0, suffix=".pdf")) == []
    assert paths(main.list_objects(2, found[1], "docs/", suffix=".pdf")) == found[2:4]
    assert paths(main.list_objects(suffix="/")) == ["docs/"]
    assert paths(main.list_objects(suffix=".none", recursive=True)) == []
    assert len(list(main.list_objects(prefix="docs/", suffix=""))) == 53
    with pytest.raises(exceptions.NotFoundException):
        list(repo.branch("none").list_objects(suffix=".pdf"))


def test_a_listing_by_suffix_goes_through_pages(main: Any) -> None:
    names = [f"{number:05}.{'pdf' if number in (7, 1200, 2300) else 'txt'}" for number in range(2400)]
    main.upload_many([(name, b"") for name in names])
    assert paths(main.list_objects(suffix=".pdf")) == ["00007.pdf", "01200.pdf", "02300.pdf"]
    assert paths(main.list_objects(2, suffix=".pdf")) == ["00007.pdf", "01200.pdf"]


def test_a_batch_delete_reports_each_failure(main: Any) -> None:
    main.upload_many([(f"temp/{number}", b"1") for number in range(3)])
    report = main.delete_objects(["temp/0", "temp/", "temp/none", "temp/1"], on_error="return")
    assert report.requested == 4
    assert [failure.path for failure in report.failed] == ["temp/"]
    with pytest.raises(exceptions.PartialFailureError, match="1 of 2 objects"):
        main.delete_objects(["temp/2", "temp/"])
    assert paths(main.list_objects(recursive=True)) in (["temp/2"], [])


# ------------------------------------------------------------------------------------------------------ many places


def test_many_objects_of_many_repositories(world: World, repo: Any) -> None:
    other = world.repository(world.name())
    other.create(namespace(world.kind, other.id), default_branch_id="trunk")
    world.made.append(other)
    client = world.settle(world.client)
    names = [(repo.id, "bucket"), (other.id, "repository")]
    items = [
        {names[number % 2][1]: names[number % 2][0], "key": f"batch/{number}", "data": f"Batch {number}".encode()}
        for number in range(10)
    ]
    report = client.upload_many_concurrent(iter(items))
    assert (report.transferred, report.ok) == (10, True)
    assert paths(repo.branch("main").list_objects(recursive=True)) == [f"batch/{number}" for number in (0, 2, 4, 6, 8)]
    assert other.branch("trunk").download("batch/3") == b"Batch 3"
    asked = [{"bucket": item.get("bucket", other.id), "key": item["key"]} for item in reversed(items)]
    found = client.download_many_concurrent([*asked, {"bucket": repo.id, "key": "none"}])
    assert [each.content for each in found[:-1]] == [item["data"] for item in reversed(items)]
    assert isinstance(found[-1].error, exceptions.ObjectNotFoundException)
    part = {"repository": repo.id, "path": "batch/0", "start": 0, "end": 5, "reference": "main"}
    assert client.download_many_concurrent([part])[0].content == b"Batch"
    assert client.upload_many_concurrent([]).transferred == 0
    assert client.download_many_concurrent([]) == []


def test_what_fails_of_many_objects_is_reported(world: World, repo: Any) -> None:
    client = world.settle(world.client)
    missing = world.name()
    items = [
        {"bucket": repo.id, "key": "a", "data": b"1"},
        {"bucket": missing, "key": "b", "data": b"2"},
        {"bucket": repo.id, "key": "c", "data": b"3", "branch": "none"},
    ]
    report = client.upload_many_concurrent(items, on_error="return")
    assert (report.transferred, sorted(failure.path for failure in report.failed)) == (1, ["b", "c"])
    with pytest.raises(exceptions.PartialFailureError):
        client.upload_many_concurrent(items)
    with pytest.raises(exceptions.NotFoundException, match=missing):
        client.upload_many_concurrent([items[1]])
    with pytest.raises(ValueError, match="names its repository as 'bucket' or 'repository'"):
        client.upload_many_concurrent([{"key": "a", "data": b"1"}])
    with pytest.raises(ValueError, match="names its repository as 'bucket' or 'repository'"):
        client.download_many_concurrent([{"key": "a", "bucket": repo.id, "repository": repo.id}])
    with pytest.raises(ValueError, match="'size'"):
        client.upload_many_concurrent([{"bucket": repo.id, "key": "a", "data": b"1", "size": 1}])


def test_items_may_name_another_branch(repo: Any, main: Any) -> None:
    dev = repo.branch("dev").create("main")
    main.upload_many([{"path": "a", "data": b"1"}, {"path": "b", "data": b"2", "branch": "dev"}])
    assert (paths(main.list_objects()), paths(dev.list_objects())) == (["a"], ["b"])
    found = main.download_many(["a", {"path": "b", "reference": "dev"}, {"path": "b", "reference": "dev", "end": 0}])
    assert [each.content for each in found] == [b"1", b"2", b""]
    main.commit_changes("a")
    with pytest.raises(ValueError, match="a commit or a transaction is of one branch"):
        main.upload_many([{"path": "c", "data": b"1", "branch": "dev"}], commit_message="m")


def test_the_health_of_a_client(world: World) -> None:
    health = world.settle(world.module.health_check(bare(world.client)))
    assert (health.ok, health.authenticated) == (True, True)
