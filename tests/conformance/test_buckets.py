"""What clients of buckets do: names that are drawn, owners, fields of entries, URIs of buckets, public access."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions, types
from tests.worlds import World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


def drawn(world: World) -> Any:
    """A repository whose name is drawn, and which is deleted when the test ends."""
    found = world.settle(world.module.repository(client=bare(world.client)))
    world.made.append(found)
    return found


# ----------------------------------------------------------------------------------------------------- names and owners


def test_a_name_is_drawn_once(world: World) -> None:
    found = drawn(world)
    assert re.fullmatch(r"repo(-[0-9a-z]{5}){4}", found.id)
    assert found.id == found.id == found.uri.removeprefix("lakefs://")
    found.create(world.place(found))
    assert found.exists()
    assert found.info().id == found.id
    with pytest.raises(exceptions.ConflictException):
        found.create(world.place(found))  # as on any repository
    assert found.create(world.place(found), exist_ok=True).id == found.id


def test_drawn_names_differ() -> None:
    client = lakefs_hl.Client("mem://")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: lakefs_hl.repository(None, client=client).id, range(2000)))
    assert len(set(found)) == 2000
    assert lakefs_hl.repository().id != lakefs_hl.repository().id
    with pytest.raises(ValueError, match="repository_id must not be empty"):
        lakefs_hl.repository("")


def test_a_drawn_repository_is_created_when_it_is_needed(world: World) -> None:
    if world.place(world.repository("any")):
        pytest.skip("this server proposes no namespace")
    found = world.settle(world.module.repository(create=True, client=bare(world.client)))
    world.made.append(found)
    found.branch("main").upload(b"1", "a")
    assert found.branch("main").download("a") == b"1"


def test_a_repository_is_created_with_metadata(world: World) -> None:
    found = drawn(world)
    found.create(world.place(found), metadata={"owner": "ada", "org": "physics", "cluster": "north", "other": "ä"})
    info = found.info()
    assert (info.name, info.owner, info.owner_id, info.org, info.cluster) == (
        found.id,
        "ada",
        "ada",
        "physics",
        "north",
    )
    assert info["owner"] == "ada"
    assert (info.org_name, info.cluster_name) == (info["org_name"], info["cluster_name"]) == ("physics", "north")
    assert info.metadata["other"] == "ä"
    assert info.created_at.tzinfo is not None
    assert isinstance(info.provider, types.BlockstoreType)
    assert info.storage_namespace.startswith(f"{info.provider}://")
    found.create(world.place(found), exist_ok=True, metadata={"org": "biology"})
    assert found.info().to_dict()["org"] == "biology"
    assert found.info().owner == "ada"


def test_metadata_that_is_refused_creates_nothing(world: World) -> None:
    found = world.repository(world.name())
    for wrong in ({"a": 1}, {1: "a"}, "ab", [("a", "b")]):
        with pytest.raises(TypeError, match="metadata"):
            found.create(world.place(found), metadata=wrong)
    assert not found.exists()


def test_what_is_unknown_is_none(repo: Any) -> None:
    info = repo.info()
    assert (info.owner, info.org, info.cluster, info.region) == (None, None, None, None)
    for key in ("owner", "org", "cluster"):
        assert info[key] is None


def test_repositories_of_an_owner(world: World) -> None:
    mark, made = world.name(), []
    for number, metadata in enumerate(({"owner": "ada"}, {"owner_id": "ada", "owner": "x"}, {"owner": "bob"}, {})):
        found = world.repository(f"{mark}-{number}")
        found.create(world.place(found), metadata={**metadata, "org": "physics"})
        world.made.append(found)
        made.append(found.id)

    def ids(**wanted: Any) -> list[str]:
        return [each.id for each in world.repositories(mark, **wanted)]

    assert ids() == ids(org="physics") == made
    assert ids(owner="ada") == made[:2]
    assert ids(owner="ada", org="biology") == ids(cluster="none") == ids(owner="") == []
    assert ids(owner="ada", max_amount=1) == made[:1]
    assert ids(owner="ada", after=made[0]) == made[1:2]
    assert ids(owner="bob", search=mark) == made[2:3]
    with pytest.raises(TypeError, match="owner must be a string"):
        ids(owner=1)


def test_a_cluster_is_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".lakectl.north.yaml"
    file.write_text(f"server:\n  endpoint_url: local:{tmp_path}/lake\n", encoding="utf-8")
    file.chmod(0o600)
    with lakefs_hl.Client(profile="north") as client:
        plain = lakefs_hl.repository("plain", client=client).create()
        other = lakefs_hl.repository("other", client=client).create(metadata={"cluster": "south"})
        assert (plain.info().cluster, other.info().cluster) == ("north", "south")
        assert [found.id for found in lakefs_hl.repositories(cluster="north", client=client)] == ["plain"]
        assert [found.id for found in lakefs_hl.repositories(cluster="south", client=client)] == ["other"]


# ------------------------------------------------------------------------------------------------------------- entries


def test_fields_of_entries(repo: Any) -> None:
    main = repo.branch("main")
    main.upload(b"12345", "folder/a.txt")
    main.upload(b"1", "b.txt")
    file, folder = main.list_objects()
    assert (folder.is_dir(), folder.is_file(), file.is_dir(), file.is_file()) == (True, False, False, True)
    assert (file.key, file.name, file.bucket, file.size) == ("b.txt", "b.txt", repo.id, 1)
    assert file.created_at == file.modified_at == file.modified_time
    assert file.created_at.tzinfo is not None
    assert file.uri == f"lakefs://{repo.id}/main/b.txt"
    assert (folder.key, folder.name, folder.bucket, folder.size) == ("folder/", "folder", repo.id, 0)
    assert (folder.created_at, folder.modified_at, folder.uri) == (None, None, f"lakefs://{repo.id}/main/folder/")
    assert [row["bucket"] for row in (file, folder)] == [repo.id] * 2
    assert file["modified_at"] == file["last_modified"]


def test_limits_and_common_prefixes(repo: Any) -> None:
    main = repo.branch("main")
    for path in ("a/1", "a/2", "b/1", "c"):
        main.upload(b"", path)
    assert [row.key for row in main.list_objects()] == ["a/", "b/", "c"]
    assert [row.key for row in main.list_objects(2)] == ["a/", "b/"]
    assert [row.key for row in main.list_objects(recursive=True, max_amount=3)] == ["a/1", "a/2", "b/1"]
    assert [row.key for row in main.list_objects(prefix="a/", recursive=True)] == ["a/1", "a/2"]
    assert list(main.list_objects(0)) == []


def test_a_stream_from_an_offset(repo: Any) -> None:
    main = repo.branch("main")
    main.upload(b"0123456789", "a")
    assert [bytes(chunk) for chunk in main.stream("a", start=4, chunk_size=4)] == [b"4567", b"89"]
    assert list(main.stream("a", start=10)) == []


# ----------------------------------------------------------------------------------------------------- URIs and access


def test_the_uri_of_a_bucket_is_its_branch_main(world: World, repo: Any) -> None:
    repo.branch("main").upload(b"1", "folder/a.txt")
    client = bare(world.client)
    for uri in (f"blob:{repo.id}", f"blob:{repo.id}/", f"lakefs://{repo.id}/main"):
        found = world.settle(world.module.ref(uri, client=client))
        assert (found.repository_id, found.id) == (repo.id, "main")
        assert [each.path for each in found.glob("folder/**/*.txt")] == ["folder/a.txt"]


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("blob:b/folder/", r"ref\('blob:b'\)\.list_objects\(prefix='folder/'\)"),
        ("blob:b/a.txt", r"ref\('blob:b'\)\.stat_object\('a\.txt'\)"),
        ("blob://north/ada/b/a.txt", r"ref\('blob:b', client=Client\(profile='north'\)\)"),
        ("blob://north", r"profile='north'"),
        ("blob:///", "must not name a cluster and a user"),
        ("blob:", "as blob:bucket does"),
        ("blob:/b", "as blob:bucket does"),
        ("BLOB:b", "such as lakefs://repository/main"),
    ],
)
def test_uris_of_buckets_that_have_no_meaning(uri: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        lakefs_hl.ref(uri, client=lakefs_hl.Client("mem://"))


def test_public_access(repo: Any) -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match=r"cannot be public; presign\(path\)") as caught:
        repo.set_public_access(True)
    assert caught.value.maybe_applied is False
    assert repo.set_public_access(False) is None
    for wrong in (None, "yes", 2):
        with pytest.raises(TypeError, match="public_access must be True or False"):
            repo.set_public_access(wrong)
