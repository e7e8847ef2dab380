"""Listings of datasets: order, pages, totals, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.worlds import World, bare, kinds


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Lakes that propose a namespace: minting a dataset creates its repository."""
    return str(request.param)


class Lake:
    """The repositories of one test, which a scope keeps apart from those of others."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client = bare(world.client).scoped(world.name())

    def dataset(self, name: str) -> Any:
        return self._world.settle(self._world.module.dataset(name, client=self.client))

    def repository(self, name: str) -> Any:
        return self._world.settle(self._world.module.repository(name, client=self.client))

    def datasets(self, *args: Any, **kwargs: Any) -> Any:
        return self._world.settle(self._world.module.datasets(*args, client=self.client, **kwargs))

    def mint(self, **names: str) -> None:
        for repository, name in names.items():
            self.dataset(repository).mint({"display_name": name})

    def names(self, *args: Any, **kwargs: Any) -> list[str]:
        return [info.name for info in self.datasets(*args, **kwargs)]


@pytest.fixture
def lake(world: World) -> Iterator[Lake]:
    found = Lake(world)
    yield found
    for repository in world.settle(world.module.repositories(client=found.client)):
        repository.delete(force=True)


def test_an_empty_lake(lake: Lake) -> None:
    assert lake.names() == []
    page = lake.datasets(5).page()
    assert (page.items, page.next_offset, page.total_item_count) == ([], None, 0)


def test_the_default_order_is_that_of_display_names(lake: Lake) -> None:
    lake.mint(c1="beta", a1="Gamma", b1="alpha", d1="Beta")
    lake.repository("plain").create()
    assert lake.names() == ["alpha", "Beta", "beta", "Gamma"]
    assert lake.names(reverse=True) == ["Gamma", "beta", "Beta", "alpha"]
    assert lake.names(2) == ["alpha", "Beta"]
    assert lake.names(0) == []
    assert [info.name for info in lake.datasets().to_list()] == lake.names()
    first = next(iter(lake.datasets()))
    assert first.to_dict() == lake.dataset("b1").info().to_dict()


def test_other_orders(lake: Lake) -> None:
    lake.mint(b1="x", a1="z", c1="y")
    lake.dataset("b1").update_metadata("again", {"display_name": "x2"})
    assert lake.names(sort="id") == ["z", "x2", "y"]
    assert lake.names(sort="id", reverse=True) == ["y", "x2", "z"]
    for sort, field in (("created", "created_at"), ("updated", "updated_at")):
        found = lake.datasets(sort=sort).to_list()
        assert [getattr(info, field) for info in found] == sorted(getattr(info, field) for info in found)
        assert [info.id for info in lake.datasets(sort=sort, reverse=True)] == [info.id for info in reversed(found)]
    with pytest.raises(ValueError, match="sort must be 'name', 'created', 'updated' or 'id', not 'size'"):
        lake.datasets(sort="size")


@pytest.mark.parametrize("sort", ["name", "id", "updated"])
def test_pages(lake: Lake, sort: str) -> None:
    lake.mint(**{f"r{number}": f"n{9 - number}" for number in range(5)})
    for reverse in (False, True):
        found, offset, pages = list[str](), None, 0
        while pages == 0 or offset is not None:
            page = lake.datasets(2, sort=sort, reverse=reverse, offset=offset).page()
            assert page.total_item_count == 5
            found += [info.name for info in page]
            offset, pages = page.next_offset, pages + 1
        assert pages == 3
        assert found == lake.names(sort=sort, reverse=reverse)
        assert lake.names(sort=sort, reverse=reverse, offset=3) == found[3:]
        assert lake.names(1, sort=sort, reverse=reverse, offset=3) == found[3:4]
        assert lake.names(sort=sort, reverse=reverse, offset=7) == []
        last = lake.datasets(2, sort=sort, reverse=reverse, offset=3).page()
        assert ([info.name for info in last], last.next_offset) == (found[3:], None)
    whole = lake.datasets(sort=sort).page()
    assert (len(whole), whole.next_offset) == (5, None)


def test_a_page_continues_although_datasets_come_and_go(lake: Lake) -> None:
    lake.mint(r1="b", r2="d", r3="f")
    page = lake.datasets(2).page()
    assert [info.name for info in page] == ["b", "d"]
    lake.repository("r2").delete(force=True)  # the one that the page ended with
    lake.mint(r4="a", r5="e")
    following = lake.datasets(2, offset=page.next_offset).page()
    assert [info.name for info in following] == ["e", "f"]
    assert (following.next_offset, following.total_item_count) == (None, 4)


def test_after_a_dataset(lake: Lake) -> None:
    lake.mint(r1="c", r2="b", r3="a")
    first = next(iter(lake.datasets()))
    assert lake.names(after=first.id) == ["b", "c"]
    assert lake.names(after="r2") == lake.names(after="lakefs://r2") == ["c"]
    assert lake.names(after="r1", sort="id") == ["b", "a"]
    assert lake.names(after="r9", sort="id") == []
    assert lake.names(after="r2", reverse=True) == ["a"]
    assert [info.name for info in lake.datasets(1, after="r2").page()] == ["c"]
    with pytest.raises(ValueError, match="give either after or offset"):
        lake.datasets(after="r1", offset=1)
    with pytest.raises(exceptions.NotFoundException):
        lake.names(after="r9")
    lake.repository("plain").create()
    with pytest.raises(exceptions.NotFoundException, match="it is none that can be read"):
        lake.names(after="plain")


def test_all_repositories(lake: Lake) -> None:
    lake.mint(r1="Reef")
    lake.repository("plain").create()
    assert lake.names(all=True) == ["plain", "Reef"]
    page = lake.datasets(1, all=True).page()
    assert page.total_item_count == 2
    (info,) = page
    head = lake.repository("plain").branch("main").head()
    assert (info.id, info.uri, info.metadata) == (f"lakefs://plain@{head.id}", "lakefs://plain/main/", {})
    assert (info.commit, info.updated_at, info.history_id) == (head.id, head.creation_date, None)


def test_damaged_metadata_does_not_break_the_listing(lake: Lake) -> None:
    lake.mint(good="Good")
    for number, content in enumerate((b"{", b"[1]", b"\xff\xfe", b"", b'"text"', b"[" * 100_000)):
        repository = lake.repository(f"bad{number}").create()
        repository.branch("main").upload(content, "_dataset.json", commit_message="damage")
    for sort in ("name", "id", "updated"):
        listing = lake.datasets(sort=sort)
        assert [info.name for info in listing] == ["Good"]
        assert [failure.repository for failure in listing.errors] == [f"bad{number}" for number in range(6)]
        assert listing.auth_errors == []
        for failure in listing.errors:
            assert isinstance(failure.error, exceptions.InvalidConfigError)
            assert f"lakefs://{failure.repository}/main/_dataset.json cannot be read" in str(failure.error)
    page = lake.datasets(5).page()
    assert (len(page), page.total_item_count, len(page.errors)) == (1, 1, 6)


def test_odd_metadata_is_metadata(lake: Lake) -> None:
    lake.mint(r1="  ", r2="Ünï 🐠\n", r3="<b>x")
    repository = lake.repository("r4").create()
    repository.branch("main").upload(
        json.dumps({"dataset_info": {"name": "nested"}, "name": 5}).encode(), "_dataset.json", commit_message="by hand"
    )
    assert sorted(lake.names()) == sorted(["r1", "Ünï 🐠\n", "<b>x", "nested"])


def test_uncommitted_metadata_counts(lake: Lake) -> None:
    lake.mint(r1="old")
    main = lake.repository("r1").branch("main")
    main.upload(b"1", "data")
    lake.dataset("r1").update_metadata("rename", {"display_name": "new"})
    assert lake.names() == ["new"]


def test_another_default_branch(lake: Lake) -> None:
    repository = lake.repository("r1").create(default_branch_id="trunk")
    lake.mint(r1="Trunk")
    repository.branch("main").create("trunk")
    assert [info.uri for info in lake.datasets()] == ["lakefs://r1/trunk/"]


def test_arguments(world: World) -> None:
    datasets = world.module.datasets
    for given, said in (
        ({"max_amount": -1}, "max_amount must be at least 0"),
        ({"offset": -1}, "offset must be at least 0"),
        ({"offset": "nonsense"}, "next_offset"),
        ({"after": "lakefs://r/main/p/"}, "under a prefix"),
    ):
        with pytest.raises(ValueError, match=said):
            datasets(**given)
    with pytest.raises(ValueError, match="at least 1 for a page"):
        world.settle(datasets(0)).page()
    assert repr(datasets(sort="id", reverse=True)) == "<Datasets sorted by id, last first>"


def test_many(world: World, lake: Lake) -> None:
    """More than one window of repositories, and no request for each of what is not listed."""
    if world.awaitable or world.kind != "in process":
        pytest.skip("a matter of windows, which are the same everywhere")
    client = lake.client
    for number in range(70):
        branch = lakefs_hl.repository(f"r{number:02}", client=client).create().branch("main")
        branch.upload(json.dumps({"name": f"n{99 - number}"}).encode(), "_dataset.json")
    names = sorted(f"n{99 - number}" for number in range(70))
    assert lake.names() == names
    assert lake.names(3, sort="id", offset=66) == ["n33", "n32", "n31"]
    page = lakefs_hl.datasets(3, offset=67, client=client).page()
    assert ([info.name for info in page], page.next_offset, page.total_item_count) == (names[67:], None, 70)
