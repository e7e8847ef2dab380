"""Clients with a scope: short names here, long ones on the server, through every kind of call."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World, bare, namespace


class Scoped:
    """A world whose client has a scope, and the world around it."""

    def __init__(self, world: World) -> None:
        self.scope = world.name()
        self.around = world
        self.world = World(world.kind, world.module, bare(world.client).scoped(self.scope), world.settle)

    def make(self, name: str) -> Any:
        """Create a repository, by its short name."""
        repository = self.world.repository(name)
        repository.create(namespace(self.world.kind, f"{self.scope}-{name}"))
        return repository

    def full(self, name: str) -> Any:
        """The repository as clients without a scope see it."""
        return self.around.repository(f"{self.scope}-{name}")


@pytest.fixture
def scoped(world: World) -> Iterator[Scoped]:
    made = Scoped(world)
    yield made
    for name in ("docs", "other", "inbox"):
        with suppress(exceptions.NotFoundException):
            made.full(name).delete(force=True)


def test_names_are_short_here_and_long_on_the_server(scoped: Scoped) -> None:
    docs = scoped.make("docs")
    assert docs.exists()
    assert scoped.full("docs").exists()
    assert not scoped.around.repository("docs").exists()
    record = docs.properties
    assert record.id == docs.id == "docs"
    assert record.storage_namespace.endswith(f"{scoped.scope}-docs")
    assert docs.uri == "lakefs://docs"
    docs.set_metadata({"owner": "alice"})
    assert scoped.full("docs").metadata() == {"owner": "alice"}


def test_listings_have_the_scope_only(scoped: Scoped) -> None:
    for name in ("docs", "other"):
        scoped.make(name)
    world = scoped.world
    assert [each.id for each in world.repositories()] == ["docs", "other"]
    assert [each.id for each in world.repositories(prefix="do")] == ["docs"]
    assert [each.id for each in world.repositories(after="docs")] == ["other"]
    assert [each.id for each in world.repositories(max_amount=1)] == ["docs"]
    assert [each.id for each in world.repositories(search="the")] == ["other"]
    assert [each.id for each in world.repositories(search=scoped.scope)] == []
    around = {each.id for each in scoped.around.repositories(prefix=scoped.scope)}
    assert around == {f"{scoped.scope}-docs", f"{scoped.scope}-other"}


def test_everything_in_a_repository_is_reached(scoped: Scoped, tmp_path: Path) -> None:
    docs = scoped.make("docs")
    main = docs.branch("main")
    assert main.upload(b"1", "a.txt", metadata={"author": "x"}).uri == "lakefs://docs/main/a.txt"
    with main.open("b.txt", "w") as file:
        file.write("2")
    main.upload_many([("many/1", b"3"), ("many/2", b"4")])
    (tmp_path / "c.txt").write_text("5", encoding="utf-8")
    main.upload_dir(tmp_path, "dir/")
    assert main.stat_object("lakefs://docs/main/a.txt").size_bytes == 1
    assert [each.path for each in main.list_objects(recursive=True)] == [
        "a.txt", "b.txt", "dir/c.txt", "many/1", "many/2"
    ]  # fmt: skip
    main.copy_object("main", "a.txt", "copy.txt")
    main.commit("first")
    assert docs.tag("v1").create("main").uri == "lakefs://docs/v1/"
    assert [each.id for each in docs.list_tags()] == ["v1"]
    dev = docs.branch("dev").create("main")
    dev.delete_objects("a.txt")
    assert [change.path for change in dev.list_uncommitted()] == ["a.txt"]
    dev.commit("second")
    dev.merge_into("main")
    with main.transaction("third") as tx:
        tx.upload(b"6", "t.txt")
    assert main.download("t.txt") == b"6"
    assert scoped.full("docs").branch("main").download("t.txt") == b"6"
    assert sorted(each.path for each in docs.ref("v1").list_objects(prefix="many/")) == ["many/1", "many/2"]
    assert scoped.world.settle(scoped.world.module.ref("lakefs://docs/v1", client=bare(scoped.world.client))).exists(
        "a.txt"
    )


def test_copies_between_a_scope_and_its_surroundings(scoped: Scoped) -> None:
    scoped.make("docs").branch("main").upload(b"1", "a/x", content_type="text/x", metadata={"k": "v"})
    target = scoped.make("other").branch("main")
    world, client = scoped.world, bare(scoped.world.client)

    def copy(*uris: str, **clients: Any) -> Any:
        return world.settle(world.module.copy(*uris, **clients))

    copy("lakefs://docs/main/a/", "lakefs://other/main/b/", src_client=client, dst_client=client)
    found = target.stat_object("b/x")
    assert (found.content_type, found.metadata) == ("text/x", {"k": "v"})
    around = bare(scoped.around.client)
    there = f"lakefs://{scoped.scope}-docs/main/a/x"
    with pytest.raises(ValueError, match="the source and the destination are the same"):
        copy("lakefs://docs/main/a/x", there, src_client=client, dst_client=around)
    copy(there, "lakefs://other/main/c", src_client=around, dst_client=client)
    assert target.download("c") == b"1"


def test_a_handle_belongs_to_its_scope(scoped: Scoped) -> None:
    docs = scoped.make("docs")
    other = World(scoped.world.kind, scoped.world.module, bare(scoped.around.client).scoped("bob"), scoped.world.settle)
    stranger = other.repository("docs")
    assert docs != stranger
    assert docs.branch("main") != stranger.branch("main")
    commit = docs.branch("main").get_commit()
    assert docs.commit(commit.id) != stranger.commit(commit.id)
    assert docs.commit(commit.id) == docs.with_options(timeout=9).commit(commit.id)
    with pytest.raises(ValueError, match="with the scope 'bob'"):
        docs.branch("dev").create(stranger.branch("main"))


def test_copies_of_a_client_keep_its_scope(scoped: Scoped) -> None:
    scoped.make("docs")
    client = bare(scoped.world.client)
    assert scoped.scope in repr(client)
    assert client == bare(scoped.around.client).scoped(f"{scoped.scope}-")
    assert client != bare(scoped.around.client)
    again = World(scoped.world.kind, scoped.world.module, client.with_options(timeout=30), scoped.world.settle)
    assert again.repository("docs").exists()
    nested = World(scoped.world.kind, scoped.world.module, client.scoped("x"), scoped.world.settle)
    assert not nested.repository("docs").exists()
    if scoped.world.kind in ("in process", "served", "real lakeFS"):
        handle = scoped.world.repository("docs")
        loaded = pickle.loads(pickle.dumps(bare(handle)))
        assert loaded.id == "docs"
        assert repr(bare(loaded._given)).count(scoped.scope) == 0  # not used yet: nothing is known of it
        assert loaded._given._options.scope == scoped.scope


def test_an_error_says_what_happened_by_both_names(scoped: Scoped) -> None:
    with pytest.raises(exceptions.NotFoundException, match="lakefs://docs/main/a") as caught:
        scoped.world.repository("docs").branch("main").stat_object("a")
    assert f"'{scoped.scope}-docs'" in caught.value.__notes__[0]


@pytest.mark.parametrize("prefix", ["", "-", "Alice", "a/b", "a" * 60, "-a", "a b"])
def test_a_prefix_that_no_name_begins_with_is_refused(world: World, prefix: str) -> None:
    with pytest.raises(ValueError, match=r"prefix|scope"):
        bare(world.client).scoped(prefix)


# ------------------------------------------------------------------------------------- created when it is needed


def created(scoped: Scoped, name: str = "inbox") -> Any:
    module, client = scoped.world.module, bare(scoped.world.client)
    return scoped.world.settle(module.repository(name, create=True, client=client))


def test_a_repository_is_created_when_it_is_needed(scoped: Scoped) -> None:
    if namespace(scoped.world.kind, "x"):
        with pytest.raises(exceptions.InvalidConfigError, match="storage_namespace"):
            created(scoped).branch("main").upload(b"1", "a")
        return
    repository = created(scoped)
    assert not scoped.world.repository("inbox").exists()
    assert repository.branch("main").upload(b"1", "a").size_bytes == 1
    assert scoped.full("inbox").branch("main").exists("a")
    repository.delete(force=True)
    with pytest.raises(exceptions.NotFoundException):
        repository.delete(force=True)
    with pytest.raises(exceptions.NotFoundException):
        scoped.world.repository("inbox").branch("main").upload(b"1", "a")


def test_many_uploads_create_a_repository_once(scoped: Scoped) -> None:
    if namespace(scoped.world.kind, "x"):
        pytest.skip("the server proposes no namespace: such a repository cannot be created on its own")
    repository = created(scoped, "other")
    assert repository.branch("main").upload_many([(f"p/{index}", b"1") for index in range(40)]).transferred == 40
    assert created(scoped, "docs").exists()
    assert scoped.world.repository("docs").exists()
