"""Datasets: metadata with its history, versions, transfers, and access for others."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World, kinds


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of lake. Who proposes the namespace matters to `create` only, which has its tests."""
    return str(request.param)


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def dataset(world: World, uri: str, ref: str | None = None) -> Any:
    return world.settle(world.module.dataset(uri, ref=ref, client=world.client))


@pytest.fixture
def ds(world: World, repo: Any) -> Any:
    found = dataset(world, repo.id)
    found.mint({"name": "First", "n": 1})
    return found


def paths(ref: Any) -> list[str]:
    return [row.path for row in ref.list_objects(recursive=True)]


def data(ref: Any) -> dict[str, bytes]:
    return {path: ref.download(path) for path in paths(ref) if not path.startswith("_dataset")}


def staged(branch: Any) -> list[str]:
    return [change.path for change in branch.list_uncommitted()]


def history(ds: Any) -> list[tuple[int, str, Any]]:
    return [(version.history_id, version.reason, version.metadata) for version in ds.metadata_history()]


# -- mint and look up --------------------------------------------------------------------------------------------------


def test_mint_creates_the_repository_and_commits_the_metadata(world: World) -> None:
    repo = world.repository(world.name())
    world.made.append(repo)
    info = dataset(world, repo.id).mint({"display_name": "Größe", "n": [1, None]}, storage_namespace=world.place(repo))
    head = repo.branch("main").head()
    assert info == dataset(world, repo.id).info() == dataset(world, f"lakefs://{repo.id}").fetch()
    assert (info.name, info.metadata, info.history_id) == ("Größe", {"display_name": "Größe", "n": [1, None]}, 1)
    assert (info.commit, info.id) == (head.id, f"lakefs://{repo.id}@{head.id}")
    assert info.uri == f"lakefs://{repo.id}/main/"
    assert info.updated_at == head.creation_date >= info.created_at == repo.info().created_at
    assert (info.versions, info.schema) == ((), None)
    assert json.loads(repo.branch("main").download("_dataset.json")) == info.metadata
    assert staged(repo.branch("main")) == []
    assert info["name"] == "Größe"
    assert dict(info) == info.to_dict()
    assert pickle.loads(pickle.dumps(info)) == info


def test_what_is_minted_cannot_be_minted_again(repo: Any, main: Any, ds: Any) -> None:
    before = main.head().id
    with pytest.raises(exceptions.ConflictException, match="it exists, as 'First'; update_metadata"):
        ds.mint({"name": "Second"})
    assert main.head().id == before
    assert ds.info().name == "First"
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_mint_leaves_uncommitted_work_alone(world: World, repo: Any, main: Any) -> None:
    main.upload(b"draft", "a.csv")
    head = main.head().id
    info = dataset(world, repo.id).mint({"name": "First"}, schema={"required": ["name"]})
    assert (info.commit, info.name, info.schema) == (head, "First", {"required": ["name"]})
    assert staged(main) == ["_dataset.history/00000001.json", "_dataset.json", "_dataset.schema.json", "a.csv"]
    with pytest.raises(exceptions.ConflictException, match="it exists"):
        dataset(world, repo.id).mint({"name": "Second"})


def test_invalid_metadata_creates_nothing(world: World) -> None:
    repo = world.repository(world.name())
    with pytest.raises(exceptions.InvalidMetadataError, match=r"nothing was written: \$\.n: JSON has no nan") as caught:
        dataset(world, repo.id).mint({"n": float("nan")})
    assert caught.value.problems[0].path == "$.n"
    with pytest.raises(exceptions.InvalidMetadataError, match="'name' is a required property"):
        dataset(world, repo.id).mint({}, schema={"required": ["name"]})
    assert not repo.exists()


def test_a_dataset_can_be_a_prefix(world: World, repo: Any, main: Any, ds: Any) -> None:
    part = dataset(world, f"lakefs://{repo.id}/main/part/one")
    info = part.mint({"title": "no name"})
    assert (info.name, info.uri) == ("one", f"lakefs://{repo.id}/main/part/one/")
    assert info.id == f"lakefs://{repo.id}@{main.head().id}/part/one/"
    assert dataset(world, info.id).info().metadata == {"title": "no name"}
    assert ds.info().name == "First"
    assert "part/one/_dataset.json" in paths(main)


def test_what_is_no_dataset_is_said_to_be_none(world: World, repo: Any, main: Any) -> None:
    none = dataset(world, repo.id)
    for call in (
        none.info,
        none.metadata_history,
        lambda: none.update_metadata("why", {}),
        lambda: none.version("why"),
    ):
        with pytest.raises(exceptions.NotFoundException, match=r"is no dataset: .*mint\(metadata\) creates it"):
            call()
    with pytest.raises(exceptions.NotFoundException, match="dev"):
        dataset(world, repo.id, "dev").info()


def test_a_repository_that_does_not_exist_is_no_dataset(world: World, tmp_path: Path) -> None:
    for uri in ("nothing-here", "lakefs://nothing-here/main/"):
        none = dataset(world, uri)
        for call in (
            none.info,
            none.metadata_history,
            none.versions,
            none.reviewers,
            lambda none=none: none.update_metadata("why", {}),
            lambda none=none: none.version("why"),
            lambda none=none: none.revert_to("v1", "why"),
            lambda none=none: none.request_approval("ada"),
        ):
            with pytest.raises(exceptions.NotFoundException, match=r"is no dataset: .*mint\(metadata\) creates it"):
                call()
    with pytest.raises(exceptions.NotFoundException, match=r"mint\(metadata\) creates it"):
        dataset(world, "nothing-here").download_all(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


# -- metadata ----------------------------------------------------------------------------------------------------------


def test_metadata_is_updated_and_reverted_with_its_history(repo: Any, main: Any, ds: Any) -> None:
    main.upload(b"1,2", "a.csv", commit_message="data")
    second = ds.update_metadata("Rename", {"name": "Second"})
    assert (second.history_id, second.reason, second.metadata) == (2, "Rename", {"name": "Second"})
    head = main.head()
    assert (head.message, second.who) == ("Rename", head.committer)
    assert abs(second.when - head.creation_date) <= timedelta(seconds=2)  # the caller's clock and the lake's, in turn
    assert second.commit in head.parents
    third = ds.revert_metadata(1, "Back")
    assert ds.info().metadata == {"name": "First", "n": 1}
    assert ds.info().history_id == 3
    found = ds.metadata_history()
    assert found[1:] == [second, third]
    assert history(ds) == [
        (1, "Mint the dataset", {"name": "First", "n": 1}),
        (2, "Rename", {"name": "Second"}),
        (3, "Back", {"name": "First", "n": 1}),
    ]
    assert json.loads(repo.commit(second.commit).download("_dataset.json")) == {"name": "Second"}
    assert data(main) == {"a.csv": b"1,2"}
    assert staged(main) == []
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_an_update_leaves_uncommitted_work_alone(main: Any, ds: Any) -> None:
    main.upload(b"draft", "a.csv")
    head = main.head().id
    second = ds.update_metadata("Rename", {"name": "Second"})
    third = ds.revert_metadata(1, "Back")
    assert (second.history_id, second.commit, second.who) == (2, None, None)
    assert (third.history_id, third.commit) == (3, None)
    assert main.head().id == head
    assert "a.csv" in staged(main)
    assert ds.info().metadata == {"name": "First", "n": 1}
    assert [version.commit is None for version in ds.metadata_history()] == [False, True, True]
    commit = main.commit_changes("load")
    assert data(main) == {"a.csv": b"draft"}
    assert [version.commit for version in ds.metadata_history()][1:] == [commit.id] * 2
    assert [version.reason for version in ds.metadata_history()][1:] == ["Rename", "Back"]
    assert ds.update_metadata("Again", {}).commit is not None
    assert [version.history_id for version in ds.metadata_history()] == [1, 2, 3, 4]


def test_metadata_that_others_wrote_gets_a_number(world: World, repo: Any, main: Any, ds: Any) -> None:
    main.upload(b'{"name": "By hand"}', "_dataset.json", commit_message="edit")
    assert (ds.info().name, ds.info().history_id) == ("By hand", None)
    assert ds.update_metadata("Rename", {"name": "Third"}).history_id == 3
    assert [(number, metadata["name"]) for number, _, metadata in history(ds)] == [
        (1, "First"),
        (2, "By hand"),
        (3, "Third"),
    ]
    main.upload(b'{"name": "Old"}', "old/_dataset.json", commit_message="of another tool")
    old = dataset(world, f"lakefs://{repo.id}/main/old/")
    assert old.metadata_history() == []
    assert old.update_metadata("Rename", {"name": "New"}).history_id == 2
    assert old.revert_metadata(1, "Back").metadata == {"name": "Old"}


def test_damaged_metadata_is_written_again(main: Any, ds: Any) -> None:
    ds.version("First")
    for damaged, words in (
        (b"[1]", "must be a dictionary, not list"),
        (b"{", "cannot be read as JSON"),
        (b'{"a": NaN}', r"\$\.a: JSON has no nan"),
        (b'{"a": 1e999}', r"\$\.a: JSON has no inf"),
    ):
        main.upload(damaged, "_dataset.json", commit_message="damage")
        with pytest.raises(exceptions.InvalidConfigError, match=words):
            ds.info()
        with pytest.raises(exceptions.ConflictException, match="it exists"):
            ds.mint({})
    assert ds.update_metadata("Repair", {"name": "Second"}).history_id == 2
    main.upload(b"{", "_dataset.json", commit_message="damage")
    ds.revert_to("v1", "Undo")
    assert (ds.info().name, ds.info().history_id) == ("First", 3)


def test_there_is_no_such_version_of_the_metadata(ds: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match=r"there is no version 7; .* from 1 to 1"):
        ds.revert_metadata(7, "Back")
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="history_id must be at least 1"):
            ds.revert_metadata(wrong, "Back")
    for reason in ("", "  "):
        with pytest.raises(ValueError, match="reason must say why"):
            ds.update_metadata(reason, {})


def test_a_schema_holds_for_all_later_metadata(world: World, repo: Any, main: Any) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    part = dataset(world, f"lakefs://{repo.id}/main/part/")
    assert part.mint({"name": "First"}, schema=schema).schema == schema
    assert [problem.path for problem in part.validate_metadata({"name": 1})] == ["$.name"]
    assert part.validate_metadata({"name": 1}, {"type": "object"}) == []
    head = main.head().id
    with pytest.raises(exceptions.InvalidMetadataError, match=r"\$\.name: 1 is not of type 'string'"):
        part.update_metadata("Break", {"name": 1})
    assert main.head().id == head
    assert part.update_metadata("Rename", {"name": "Second"}).history_id == 2


def test_validation_needs_no_dataset(world: World) -> None:
    none = dataset(world, world.name())
    assert none.validate_metadata({"a": [1.5, "ü", None, {"b": True}]}) == []
    assert none.validate_metadata([1])[0].message == "metadata must be a dictionary, not list"
    assert none.validate_metadata({"a": 1}, {"required": ["b"]})[0].path == "$"


# -- data --------------------------------------------------------------------------------------------------------------


def test_a_directory_becomes_one_commit(main: Any, ds: Any, tmp_path: Path) -> None:
    for path in ("a.csv", "raw/b.csv", "_dataset.json", "_dataset.history/00000009.json", "raw/_dataset.json"):
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path).write_text(path)
    main.upload(b"old", "old.csv", commit_message="old")
    before = main.head().id
    assert ds.upload_all(tmp_path / "data", message="First load", delete=True).transferred == 3
    head = main.head()
    assert (head.message, head.parents[0]) == ("First load", before)
    assert [path for path in paths(main) if not path.startswith("_dataset")] == [
        "a.csv",
        "raw/_dataset.json",
        "raw/b.csv",
    ]
    assert ds.info().name == "First"
    assert ds.upload_all(tmp_path / "data", update="checksum").transferred == 0
    (tmp_path / "data" / "a.csv").write_text("new")
    ds.upload_all(tmp_path / "data")
    assert main.head().message == "Upload data"


def test_all_data_is_downloaded_and_the_metadata_if_asked(main: Any, ds: Any, tmp_path: Path) -> None:
    for path in ("a.csv", "raw/b.csv"):
        main.upload(path.encode(), path)
    assert ds.download_all(tmp_path / "all").transferred == 2
    assert (tmp_path / "all" / "raw" / "b.csv").read_bytes() == b"raw/b.csv"
    assert ds.download_all(tmp_path / "some", exclude="raw").transferred == 1
    assert ds.download_all(tmp_path / "more", include_metadata=True).transferred == 4
    assert (tmp_path / "more" / "_dataset.json").exists()
    assert len(list(ds.download_all(tmp_path / "none", dry_run=True).actions)) == 2
    assert not (tmp_path / "none").exists()
    assert ds.usage().object_count == 4


def test_a_file_a_folder_and_what_is_in_a_folder_are_downloaded(main: Any, ds: Any, tmp_path: Path) -> None:
    for path in ("top.txt", "nested/a.txt", "nested/deep/b.txt", "nestedness/c.txt"):
        main.upload(path.encode(), path)

    def get(path: str) -> list[str]:
        target = tmp_path / path.replace("/", "-")
        ds.download(path, target)
        return sorted(str(found.relative_to(target)) for found in target.rglob("*") if found.is_file())

    assert get("top.txt") == ["top.txt"]
    assert get("nested/deep/b.txt") == ["b.txt"]
    assert get("nested") == ["nested/a.txt", "nested/deep/b.txt"]
    assert get("nested/") == ["a.txt", "deep/b.txt"]
    assert get("nested/deep") == ["deep/b.txt"]
    for path in ("missing", "missing/", "top.txt/"):
        with pytest.raises(exceptions.ObjectNotFoundException, match="neither such an object nor such a prefix"):
            ds.download(path, tmp_path)
    for path in ("", "/top.txt", "lakefs://a/b/c"):
        with pytest.raises(ValueError, match="path must be relative to the dataset"):
            ds.download(path, tmp_path)
    with pytest.raises(ValueError, match="no safe name"):
        ds.download("nested/..", tmp_path / "in")


# -- versions ----------------------------------------------------------------------------------------------------------


def test_a_version_has_uncommitted_work(repo: Any, main: Any, ds: Any) -> None:
    main.upload(b"1,2", "a.csv")
    first = ds.version("First load")
    head = main.head()
    assert (first.name, first.tag, first.commit, first.reason) == ("v1", "v1", head.id, "First load")
    assert (first.created_at, first.created_by) == (head.creation_date, head.committer)
    assert first.job_session_id is None
    assert repo.tag("v1").download("a.csv") == b"1,2"
    assert staged(main) == []
    repo.tag("v7").create("main")  # its number is taken
    second, third = ds.version("Nothing new"), ds.version("As published", name="paper-2024.1")
    assert (second.name, third.name) == ("v8", "paper-2024.1")
    assert second.commit != first.commit
    assert [version.name for version in ds.versions()] == list(ds.info().versions)
    assert [ds.versions()[at] for at in (0, 2, 3)] == [first, second, third]
    assert ds.info().versions == ("v1", "v7", "v8", "paper-2024.1")
    head = main.head()
    with pytest.raises(exceptions.ConflictException, match="a tag or a branch 'v1' exists; choose another name"):
        ds.version("Again", name="v1")
    assert main.head() == head
    with pytest.raises(ValueError, match="name must be letters, digits"):
        ds.version("Again", name="a/b")


def test_versions_of_two_datasets_of_a_repository_do_not_collide(world: World, repo: Any, ds: Any) -> None:
    a = dataset(world, f"lakefs://{repo.id}/main/a/b.c/")
    a.mint({})
    assert [each.version("one").tag for each in (ds, a)] == ["v1", "a.b%2Ec=v1"]
    assert [version.name for version in a.versions()] == ["v1"]
    assert [version.tag for version in ds.versions()] == ["v1"]
    assert dataset(world, a.versions()[0].id).info().metadata == {}
    assert a.revert_to("v1", "Nothing").id == repo.branch("main").head().id


def test_a_dataset_goes_back_to_a_version(main: Any, ds: Any) -> None:
    for path in ("changed", "deleted", "kept"):
        main.upload(path.encode(), path, content_type="text/old", metadata={"k": path})
    first = ds.version("First")
    main.upload(b"new", "changed", content_type="text/new")
    main.upload(b"new", "added")
    main.delete_objects("deleted")
    main.commit_changes("mistakes")
    ds.update_metadata("Rename", {"name": "Second"})
    before = main.head().id
    commit = ds.revert_to("v1", "Undo")
    assert (commit.message, commit.parents[0]) == ("Undo", before)
    assert commit == main.head()
    assert data(main) == {"changed": b"changed", "deleted": b"deleted", "kept": b"kept"}
    row = main.stat_object("changed")
    assert (row.content_type, row.metadata) == ("text/old", {"k": "changed"})
    assert history(ds)[1:] == [(2, "Rename", {"name": "Second"}), (3, "Undo", {"name": "First", "n": 1})]
    assert ds.revert_to(first, "Again").id == commit.id
    assert ds.versions() == [first]


def test_going_back_needs_a_version_and_a_clean_branch(world: World, repo: Any, main: Any, ds: Any) -> None:
    first = ds.version("First")
    with pytest.raises(exceptions.NotFoundException, match=r"has no version 'v2'; versions\(\) has them all"):
        ds.revert_to("v2", "Undo")
    with pytest.raises(ValueError, match="which is no version of"):
        dataset(world, f"lakefs://{repo.id}/main/part/").revert_to(first, "Undo")
    main.upload(b"draft", "a.csv")
    with pytest.raises(exceptions.TransactionStartError, match="uncommitted changes"):
        ds.revert_to("v1", "Undo")
    assert staged(main) == ["a.csv"]


def test_a_dataset_inside_of_another_keeps_its_history(world: World, repo: Any, ds: Any) -> None:
    part = dataset(world, f"lakefs://{repo.id}/main/part/")
    part.mint({"n": 1})
    ds.version("First")
    part.update_metadata("Count", {"n": 2})
    ds.revert_to("v1", "Undo")
    assert part.info().metadata == {"n": 1}
    assert part.update_metadata("Count on", {"n": 3}).history_id == 3
    assert [number for number, _, _ in history(part)] == [1, 2, 3]


def test_a_commit_and_a_tag_are_read_only(world: World, ds: Any, repo: Any) -> None:
    version = ds.version("First")
    ds.update_metadata("Rename", {"name": "Second"})
    for old in (dataset(world, version.id), dataset(world, repo.id, "v1")):
        assert old.info().name == "First"
        for call in (partial(old.update_metadata, "why", {}), partial(old.version, "why"), partial(old.mint, {})):
            with pytest.raises(exceptions.BadRequestException, match="immutable"):
                call()
    assert ds.info().name == "Second"


def test_a_protected_branch_is_versioned_by_merges(repo: Any, main: Any, ds: Any) -> None:
    repo.protect("main")
    assert ds.update_metadata("Rename", {"name": "Second"}).history_id == 2
    version = ds.version("First")
    assert (version.name, version.reason, version.commit) == ("v1", "First", main.head().id)
    ds.update_metadata("Rename", {"name": "Third"})
    ds.revert_to("v1", "Undo")
    assert ds.info().name == "Second"


# -- access ------------------------------------------------------------------------------------------------------------


def test_credentials_are_never_wider_than_the_dataset(world: World, repo: Any, ds: Any) -> None:
    part = dataset(world, f"lakefs://{repo.id}/main/part/")
    for call, link in ((part.read_credentials, "presign"), (part.write_credentials, "presign_upload")):
        with pytest.raises(exceptions.UnsupportedOperationException, match=rf"no key is limited to a prefix.*{link}\("):
            call()
    for call in (ds.read_credentials, ds.write_credentials):
        with pytest.raises(exceptions.UnsupportedOperationException, match=r"console_url\(\)"):
            call(console_session_required=True)


def test_the_page_of_a_dataset_has_no_secrets(world: World, repo: Any, ds: Any) -> None:
    part = dataset(world, f"lakefs://{repo.id}/main/a b/ü/")
    if world.kind == "in process":
        with pytest.raises(exceptions.UnsupportedOperationException, match="no web interface"):
            ds.console_url()
        return
    found = part.console_url()
    assert found.startswith("http")
    assert found.endswith(f"/repositories/{repo.id}/objects?ref=main&path=a%20b%2F%C3%BC%2F")
    assert "@" not in found
    assert ds.console_url().endswith("?ref=main&path=")


def test_links_are_those_of_the_branch(world: World, main: Any, ds: Any) -> None:
    main.upload(b"1", "a.csv")
    if world.kind == "in process":
        with pytest.raises(exceptions.UnsupportedOperationException, match="in process"):
            ds.presign("a.csv", 60)
    with pytest.raises(ValueError, match="path must be relative"):
        ds.presign("/a.csv")
