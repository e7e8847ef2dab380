"""`lakefs.search`: what it finds, and that it follows what happens to the repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions, types
from tests.worlds import World, bare


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def search(world: World, query: str, *repositories: Any, **options: Any) -> Any:
    found = world.settle(
        world.module.search(query, repositories=[bare(each) for each in repositories], client=world.client, **options)
    )
    assert isinstance(found, types.SearchResults)
    return found


def paths(world: World, query: str, repo: Any) -> list[str | None]:
    found = search(world, query, repo, kinds="path")
    assert (found.errors, found.auth_errors) == ((), ())
    return [hit.path for hit in found]


def test_all_kinds_are_found(world: World, repo: Any, main: Any) -> None:
    main.upload(b"1", "raw/Thermometer.csv", metadata={"site": "Ny-Ålesund"})
    main.upload(b'{"title": "Ice cores", "tags": [{"a": "glacier"}, 1957]}', "cores/_dataset.json")
    main.upload(b"not JSON", "broken/_dataset.json")
    commit = main.commit_changes("Calibrate\n\nwith the reference of Bern", {"approved-by": "Ada"}).id
    repo.set_metadata({"owner": "Polar Institute", "lakefs_hl.note": "hidden"})
    uri = main.uri
    expected = {
        repo.id: ("repository", repo.uri, repo.id),
        "thermometer": ("path", f"{uri}raw/Thermometer.csv", "raw/Thermometer.csv"),
        "bern": ("commit", f"{repo.uri}/{commit}", "with the reference of Bern"),
        "alesund": ("metadata", f"{uri}raw/Thermometer.csv", "site: Ny-Ålesund"),
        "glacier": ("metadata", f"{uri}cores/_dataset.json", "a: glacier"),
        "1957": ("metadata", f"{uri}cores/_dataset.json", "tags: 1957"),
        "ada": ("metadata", f"{repo.uri}/{commit}", "approved-by: Ada"),
        "polar": ("metadata", repo.uri, "owner: Polar Institute"),
    }
    for query, (kind, found, excerpt) in expected.items():
        (hit,) = search(world, query, repo, kinds=kind)
        assert (hit.kind, hit.uri, hit.excerpt, hit.repository) == (kind, found, excerpt, repo.id), query
        assert 0 < hit.score <= 1
        others = [each for each in ("repository", "path", "commit", "metadata") if each != kind]
        assert kind not in {other.kind for other in search(world, query, repo, kinds=others)}
    assert not search(world, "hidden", repo)
    assert search(world, "bern", repo)[0].commit_id == commit


def test_what_is_typed(world: World, repo: Any, main: Any) -> None:
    names: list[Any] = [
        "data/SensorData2024.csv",
        "data/sensor_data/may-1.csv",
        "data/ÉTÉ été.txt",
        'odd/a "b" AND (c*).txt',
        "---",
    ]
    for name in names:
        main.upload(b"1", name)
    commit = main.commit_changes("load").id
    expected: dict[str, list[str | None]] = {
        "sensor": names[:2][::-1],
        "sens": names[:2][::-1],
        "sens ": [],
        "sensor ": names[:2][::-1],
        "sensordata": [names[0]],
        "SensorDat": [names[0], names[1]],
        "2024": [names[0]],
        '"data may"': [names[1]],
        '"may data"': [],
        "may data": [names[1]],
        "ete": [names[2]],
        "ÉTE\u0301": [names[2]],
        "AND": [names[3]],
        "a AND c": [names[3]],
        'c* OR "': [],
    }
    for query, wanted in expected.items():
        assert set(paths(world, query, repo)) == set(wanted), query
    for name in names:
        assert paths(world, name, repo)[0] == name
        assert paths(world, f"{main.uri}{name}", repo)[0] == name
    assert search(world, commit, repo)[0].uri == f"{repo.uri}/{commit}"
    assert search(world, commit[:10], repo)[0].uri == f"{repo.uri}/{commit}"
    assert search(world, f"{repo.uri}/{commit}", repo)[0].commit_id == commit
    for query in (
        "(",
        '"',
        '""',
        "*",
        "a*b",
        "NEAR(a b)",
        "text : a",
        "^a",
        "-a",
        "a\0b",
        "\ud800",
        "{a}",
        "a " * 900,
        "'",
    ):
        assert search(world, query, repo).errors == (), query


def test_best_hits_come_first(world: World, repo: Any, main: Any) -> None:
    for name in ("x/deep/down/report/of/1957.csv", "report.csv", "x/report.csv.old", "x/old_report_of_all.csv"):
        main.upload(b"1", name)
    main.commit_changes("report")
    assert paths(world, "report.csv", repo)[0] == "report.csv"
    found = search(world, "report", repo)
    assert (found[0].kind, found[1].path, found[-1].path) == ("commit", "report.csv", "x/deep/down/report/of/1957.csv")
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert search(world, "report", repo, limit=2).hits == found[:2]


def test_it_follows_the_branch(world: World, repo: Any, main: Any) -> None:
    assert paths(world, "a", repo) == []
    for name in ("a/1", "a/2", "a/3"):
        main.upload(b"1", name, metadata={"state": "draft"})
    assert paths(world, "a", repo) == [], "staged changes are not searched"
    main.commit_changes("first load")
    assert paths(world, "a", repo) == ["a/1", "a/2", "a/3"]
    main.delete_objects("a/1")
    main.upload(b"2", "a/2", metadata={"state": "final"})
    main.upload(b"4", "a/4")
    main.commit_changes("second load")
    assert paths(world, "a", repo) == ["a/2", "a/3", "a/4"]
    assert [hit.path for hit in search(world, "final", repo)] == ["a/2"]
    assert [hit.path for hit in search(world, "draft", repo)] == ["a/3"]
    assert len(search(world, "load", repo, kinds="commit")) == 2
    repo.set_metadata({"phase": "one"})
    assert [hit.uri for hit in search(world, "one", repo)] == [repo.uri]
    repo.set_metadata({"phase": "two"})
    assert not search(world, "one", repo)
    assert [hit.uri for hit in search(world, "two", repo)] == [repo.uri]


def test_merged_commits_are_found_although_they_are_older(world: World, repo: Any, main: Any) -> None:
    side = repo.branch("side").create("main")
    side.upload(b"1", "side")
    side.commit_changes("aside", date="2001-09-09")
    main.upload(b"1", "main")
    main.commit_changes("straight")
    assert not search(world, "aside", repo)
    side.merge_into(main)
    assert [hit.kind for hit in search(world, "aside", repo)] == ["commit"]
    assert paths(world, "side", repo) == ["side"]
    assert len(search(world, "straight", repo, kinds="commit")) == 1


def test_a_branch_that_was_reset(world: World, repo: Any, main: Any) -> None:
    main.upload(b"1", "kept")
    first = main.commit_changes("the first").id
    main.upload(b"1", "gone")
    main.commit_changes("the second")
    assert (len(search(world, "the", repo, kinds="commit")), paths(world, "gone", repo)) == (2, ["gone"])
    main.hard_reset(first)
    assert [hit.excerpt for hit in search(world, "the", repo, kinds="commit")] == ["the first"]
    assert (paths(world, "gone", repo), paths(world, "kept", repo)) == ([], ["kept"])
    main.upload(b"1", "other")
    main.commit_changes("the third")
    assert {hit.excerpt for hit in search(world, "the", repo, kinds="commit")} == {"the first", "the third"}


def test_a_repository_that_was_made_again(world: World, repo: Any, main: Any) -> None:
    main.upload(b"1", "old")
    main.commit_changes("old")
    assert paths(world, "old", repo) == ["old"]
    namespace = repo.properties.storage_namespace
    repo.delete(force=True)
    (failure,) = search(world, "old", repo).errors
    assert failure.repository == repo.id
    assert isinstance(failure.error, exceptions.NotFoundException)
    repo.create(f"{namespace}-2")
    assert (paths(world, "old", repo), len(search(world, "old", repo))) == ([], 0)
    main.upload(b"1", "new")
    main.commit_changes("new")
    assert paths(world, "new", repo) == ["new"]


def test_several_repositories(world: World, repo: Any, main: Any) -> None:
    other, missing = world.fresh(), world.name()
    for at in (main, other.branch("main")):
        at.upload(b"1", f"shared-{repo.id}")
        at.commit_changes("load")
    query = f"shared-{repo.id}"
    everywhere = world.settle(world.module.search(query, kinds=["path"], client=world.client))
    assert {hit.repository for hit in everywhere} == {repo.id, other.id}
    assert [hit.repository for hit in search(world, query, other, kinds="path")] == [other.id]
    found = search(world, query, repo, missing, other, repo, kinds="path")
    assert {hit.repository for hit in found} == {repo.id, other.id}
    assert [failure.repository for failure in found.errors] == [missing]
    assert not world.repository(missing).exists()
    within = world.settle(world.module.search(f"{other.branch('main').uri}{query}", kinds="path", client=world.client))
    assert [hit.repository for hit in within] == [other.id]


def test_results(world: World, repo: Any, main: Any) -> None:
    main.upload(b"1", "<b>.csv")
    main.commit_changes("load")
    found = search(world, "b csv", repo, "missing-1")
    assert (len(found), found[0], list(found)) == (1, found.hits[0], list(found.hits))
    assert found.to_dict()["hits"] == [found[0].to_dict()]
    assert found.to_dict()["errors"][0]["error"].startswith("NotFoundException: ")
    assert repr(found) == "<SearchResults of 'b csv': 1 hit, 1 failed>"
    assert "&lt;b&gt;.csv" in found._repr_html_()
    assert "<td" not in search(world, "nothing", repo)._repr_html_()


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("", {}, "query must not be empty"),
        (" \n", {}, "query must not be empty"),
        ("x" * 4097, {}, "4,097 characters, and at most 4,096"),
        ("a", {"limit": 0}, "limit must be at least 1"),
        ("a", {"kinds": "branch"}, "kinds must be 'repository', 'path', 'commit' or 'metadata'"),
        ("a", {"kinds": []}, "kinds must not be empty"),
    ],
)
def test_arguments_that_are_refused(world: World, query: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(world, query, "some-repository", **options)
