"""The index of searches: its file, other processes, damage, and keys with different rights."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.facades import index, texts
from lakefs_hl.facades.index import OF_OBJECT, PATH, DamagedError, Index, Item, UnusableError
from lakefs_hl.local.keys import Key, Keys
from tests import serving
from tests.processes import ending

ITEMS = [Item(PATH, f"data/{number:03}.csv") for number in range(300)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def client(tmp_path: Path) -> Iterator[lakefs_hl.Client]:
    with lakefs_hl.Client(f"local:{tmp_path / 'lake'}") as made:
        branch = lakefs_hl.repository("example", client=made).create().branch("main")
        branch.upload(b"1", "secret-plans.csv", metadata={"site": "Bern"})
        branch.commit_changes("the plans")
        yield made


def file_of(client: lakefs_hl.Client) -> Path:
    (found,) = client.cache_directory.glob("*.db")
    return found


def found(client: lakefs_hl.Client, query: str = "plans") -> list[str]:
    results = lakefs_hl.search(query, client=client)
    assert (results.errors, results.auth_errors) == ((), ())
    return [hit.kind for hit in results]


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_is_private_and_its_name_says_nothing(client: lakefs_hl.Client, cache: Path) -> None:
    assert found(client) == ["path", "commit"]
    for path in [*cache.rglob("*"), cache]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    names = " ".join(str(path.relative_to(cache)) for path in cache.rglob("*"))
    assert "lake" not in names
    assert "example" not in names


def test_a_limit_beyond_numbers_of_sqlite(client: lakefs_hl.Client) -> None:
    assert [hit.kind for hit in lakefs_hl.search("plans", limit=2**63, client=client)] == ["path", "commit"]


def test_a_scope_has_an_index_of_its_own(client: lakefs_hl.Client) -> None:
    scoped = client.scoped("alice")
    assert (client.scope, scoped.scope, scoped.scoped("x").scope) == ("", "alice", "alice-x")
    assert found(client) == ["path", "commit"]
    lakefs_hl.repository("plans", client=scoped).create()
    assert [hit.uri for hit in lakefs_hl.search("plans", client=scoped)] == ["lakefs://plans"]
    assert [hit.uri for hit in lakefs_hl.search("plans", client=client, kinds="repository")] == ["lakefs://alice-plans"]
    assert len(list(client.cache_directory.glob("search*.db"))) == 2


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content), 5):
        content[at] ^= 0xA5
    path.write_bytes(content)


def _older(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE item; PRAGMA user_version = 0")
    connection.close()


def _of_others(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE something (value)")
    connection.close()


def _without_a_table(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE word_path")
    connection.close()


def _no_text(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE item SET key = CAST(x'ff' AS TEXT) WHERE kind = ?", (PATH,))
    connection.close()


def _no_kind(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE item SET kind = kind + 77")
    connection.close()


def _another_path(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE item SET key = 'secret-plant.csv' WHERE kind = ?", (PATH,))
    connection.close()


def _no_type(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')')")
    connection.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE item SET key = CAST(key AS BLOB); UPDATE repository SET branch = x'00'")
    connection.close()


DAMAGES = [
    _garbage,
    _truncated,
    _flipped,
    _older,
    _of_others,
    _without_a_table,
    _no_text,
    _no_kind,
    _no_type,
    _another_path,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_is_damaged_is_made_anew(client: lakefs_hl.Client, damage: Any) -> None:
    assert found(client) == ["path", "commit"]
    path = file_of(client)
    damage(path)
    assert found(client) == ["path", "commit"]
    connection = apsw.Connection(str(path))
    assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
    assert list(connection.execute("SELECT name, published FROM repository")) == [("example", 1)]


def test_damage_that_comes_back_is_no_endless_loop(client: lakefs_hl.Client, mocker: MockerFixture) -> None:
    find = mocker.patch.object(Index, "find", autospec=True, side_effect=Index.find)
    real = find.side_effect

    def fail(self: Index, *args: Any) -> Any:
        if self.path is not None:
            raise DamagedError("again")
        return real(self, *args)

    find.side_effect = fail
    assert found(client) == ["path", "commit"]
    assert find.call_count == 5


def test_an_index_that_cannot_be_written_is_in_memory(
    client: lakefs_hl.Client, caplog: pytest.LogCaptureFixture, mocker: MockerFixture
) -> None:
    (client.cache_directory / "search.db").mkdir()
    opened = mocker.spy(index, "in_memory")
    begun = mocker.spy(Index, "begin")
    with caplog.at_level(logging.WARNING, "lakefs_hl"):
        assert found(client) == ["path", "commit"]
        assert found(client) == ["path", "commit"]
    assert (opened.call_count, begun.call_count) == (2, 1)  # it stays for the next search
    assert "cannot be used, so that each process indexes again" in caplog.text


def test_a_cache_directory_that_cannot_be_made(
    client: lakefs_hl.Client, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_bytes(b"a file")
    assert found(client) == ["path", "commit"]
    assert "no index is kept" in caplog.text


def test_a_full_disk(client: lakefs_hl.Client, mocker: MockerFixture, caplog: pytest.LogCaptureFixture) -> None:
    real = Index.open

    def small(self: Index, anew: bool = False) -> Index:
        real(self, anew)
        if self.path is not None:
            self._connection.execute("PRAGMA max_page_count = 40")
        return self

    mocker.patch.object(Index, "open", small)
    branch = lakefs_hl.repository("example", client=client).branch("main")
    branch.upload_many(({"path": f"plans/{n:05}-{'x' * 100}", "data": b""} for n in range(1000)), progress=False)
    branch.commit_changes("many")
    assert len(lakefs_hl.search("plans", client=client, limit=2000)) == 1002
    assert "FullError" in caplog.text


def test_a_lake_in_memory_leaves_no_file(cache: Path) -> None:
    with lakefs_hl.Client("mem://") as memory:
        lakefs_hl.repository("example", client=memory).create()
        assert found(memory, "example") == ["repository"]
    assert not list(cache.rglob("*.db"))


def test_without_credentials_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)  # of another test
    for repositories in (None, ["example"]):
        with pytest.raises(exceptions.NoAuthenticationFound):
            lakefs_hl.search("a", repositories=repositories)


def test_no_search_creates_a_repository(client: lakefs_hl.Client) -> None:
    creates = client.with_options(create_repositories=True)
    assert len(lakefs_hl.search("a", repositories=["missing"], client=creates).errors) == 1
    assert not lakefs_hl.repository("missing", client=client).exists()


# -- generations -------------------------------------------------------------------------------------------------------


def matches(opened: Index, query: str = "data") -> set[str]:
    return {match.key for match in opened.find(query, f'"{query}"', ["path", "metadata"], ["example"], 1000)}


def publish(opened: Index, head: str, items: list[Item], identity: str = "first") -> index.State:
    state = opened.begin("example", identity, "main", head, "")
    assert state is not None
    assert opened.add(state, items)
    assert opened.publish(state)
    found = opened.state("example")
    assert found is not None
    return found


def test_an_indexer_that_was_killed_leaves_what_was_there(tmp_path: Path) -> None:
    now = [1000.0]
    opened = Index(tmp_path / "index.db", clock=lambda: now[0]).open()
    publish(opened, "c1", ITEMS[:3])
    killed = opened.begin("example", "first", "main", "c2", "")
    assert killed is not None
    opened.add(killed, ITEMS)
    assert len(matches(opened)) == 3
    later = Index(tmp_path / "index.db", clock=lambda: now[0] + 1000).open()
    assert len(matches(later)) == 3
    publish(later, "c3", ITEMS[:5])
    assert len(matches(later)) == 5
    assert not opened.add(killed, ITEMS[:1])  # it was only slow
    assert not opened.publish(killed)
    assert len(matches(opened)) == 5
    connection = apsw.Connection(str(tmp_path / "index.db"))
    assert list(connection.execute("SELECT count(*) FROM item")) == [(5,)]
    assert list(connection.execute("SELECT count(*) FROM word_path")) == [(5,)]


def test_a_repository_is_indexed_once_at_a_time(tmp_path: Path) -> None:
    now = [1000.0]
    first, second = (Index(tmp_path / "index.db", clock=lambda: now[0]).open() for _ in range(2))
    begun = first.begin("example", "first", "main", "c1", "")
    assert begun is not None
    assert second.begin("example", "first", "main", "c1", "") is None
    assert second.begin("example", "first", "main", "c2", "") is not None
    assert second.begin("other", "first", "main", "c1", "") is not None
    now[0] += index.PATIENCE_SECONDS - 1
    assert first.add(begun, ITEMS[:1])
    now[0] += 2
    assert second.begin("example", "first", "main", "c1", "") is None, "it is alive"
    now[0] += index.PATIENCE_SECONDS
    assert second.begin("example", "first", "main", "c1", "") is not None
    assert first.publish(begun)


def test_threads_that_search_first_index_once(client: lakefs_hl.Client, mocker: MockerFixture) -> None:
    branch = lakefs_hl.repository("example", client=client).branch("main")
    branch.upload_many(({"path": f"plans/{number}", "data": b""} for number in range(3000)), progress=False)
    branch.commit_changes("many")
    published = mocker.spy(Index, "publish")
    with ThreadPoolExecutor(6) as pool:
        assert (
            list(pool.map(lambda _: len(lakefs_hl.search("plans", client=client, limit=5000)), range(6))) == [3002] * 6
        )
    assert published.call_count == 1


def test_changes_of_an_older_state_change_nothing(tmp_path: Path) -> None:
    first, second = Index(tmp_path / "index.db").open(), Index(tmp_path / "index.db").open()
    state = publish(first, "c1", ITEMS[:3])
    assert second.change(state, "main", "c2", "", [(PATH, "data/000.csv")], [Item(PATH, "data/new.csv")])
    assert not first.change(state, "main", "c3", "", [(PATH, "data/001.csv")], [])
    assert matches(first) == {"data/001.csv", "data/002.csv", "data/new.csv"}
    newer = first.state("example")
    assert newer is not None
    assert newer.head == "c2"


def test_removed_items_are_not_found_under_the_numbers_of_new_ones(tmp_path: Path) -> None:
    opened = Index(tmp_path / "index.db").open()
    state = publish(opened, "c1", [Item(PATH, "old/a"), Item(OF_OBJECT, "old/a", "site: bern")])
    assert opened.change(state, "main", "c2", "", [(PATH, "old/a"), (OF_OBJECT, "old/a")], [Item(PATH, "new/b")])
    assert (matches(opened, "old"), matches(opened, "new"), matches(opened, "bern")) == (set(), {"new/b"}, set())


def test_forbidden_repositories_have_no_items(tmp_path: Path) -> None:
    opened = Index(tmp_path / "index.db").open()
    publish(opened, "c1", ITEMS)
    opened.forbid("example")
    assert matches(opened) == set()
    assert list(opened.states()) == ["example"]
    publish(opened, "c2", ITEMS[:2])
    assert len(matches(opened)) == 2
    opened.remove("example")
    assert (opened.states(), matches(opened)) == ({}, set())


def test_strange_texts_are_stored() -> None:
    opened = Index().open()
    names = ["a\ud800", "q\"uo'te", "nul\0byte", "x" * 100_000, "", "漢字/かな", "a\nb"]
    publish(opened, "c1", [Item(PATH, f"data/{name}", None) for name in names])
    assert len(matches(opened)) == len(names)


def test_an_index_that_is_closed_or_missing_says_so(tmp_path: Path) -> None:
    opened = Index(tmp_path / "index.db").open()
    opened.close()
    with pytest.raises(UnusableError, match="ConnectionClosedError"):
        opened.states()
    with pytest.raises(UnusableError, match="FileNotFoundError"):
        Index(tmp_path / "none" / "index.db").open()


def test_indexes_in_memory_are_few(mocker: MockerFixture) -> None:
    mocker.patch.object(index, "_memory", type(index._memory)())
    first = index.in_memory("first")
    assert index.in_memory("first") is first
    for number in range(20):
        index.in_memory(number)
    assert len(index._memory) == 8
    assert index.in_memory("first") is not first


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff", b"null", b"[]"])
def test_documents_without_texts(content: bytes) -> None:
    assert texts.of_dataset(content) == ""


def test_texts_of_documents_are_bounded() -> None:
    assert texts.of_dataset(b'{"a": [1, {"b": "x"}, null, true]}') == "a: 1\nb: x\na: True"
    assert len(texts.of_dataset(b'{"a": "' + b"x" * 200_000 + b'"}')) == texts.MAX_TEXT


# -- at the same time --------------------------------------------------------------------------------------------------


def test_many_threads(client: lakefs_hl.Client) -> None:
    branch, seen, failures = (
        lakefs_hl.repository("example", client=client).branch("main"),
        list[int](),
        list[Exception](),
    )
    start = threading.Barrier(5)

    def search() -> None:
        start.wait()
        try:
            seen.extend(len(lakefs_hl.search("plans", client=client, kinds="path")) for _ in range(6))
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    for number in range(5):
        branch.upload(b"1", f"plans/{number}")
        branch.commit_changes(f"number {number}")
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(seen) <= set(range(1, 7))
    assert len(lakefs_hl.search("plans", client=client, kinds="path")) == 6


def test_many_processes_on_a_damaged_index(tmp_path: Path, client: lakefs_hl.Client) -> None:
    found(client)
    _garbage(file_of(client))
    code = """
        import sys, lakefs_hl
        with lakefs_hl.Client(sys.argv[1]) as client:
            for _ in range(5):
                results = lakefs_hl.search("plans", client=client)
                assert [hit.kind for hit in results] == ["path", "commit"], results
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), f"local:{tmp_path / 'lake'}"]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    with ending(*running):
        for process in running:
            _, errors = process.communicate(timeout=50)
            assert process.returncode == 0, errors.decode()
    assert found(client) == ["path", "commit"]


# -- keys with different rights ----------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path) -> Iterator[serving.Served]:
    with serving.running(tmp_path / "served") as running:
        with lakefs_hl.Client(running.url, running.key, running.secret) as owner:
            for name in ("open-one", "closed-one"):
                branch = lakefs_hl.repository(name, client=owner).create().branch("main")
                branch.upload(b"1", "plans.csv")
                branch.commit_changes("load")
        yield running


def limited(served: serving.Served, *repositories: str) -> lakefs_hl.Client:
    key = Key("LIMITED", "secret", "limited", "u", read_only=True, repositories=repositories)
    Keys(served.folder).put(key)
    return lakefs_hl.Client(served.url, "LIMITED", "secret")


def repositories_of(results: lakefs_hl.types.SearchResults) -> set[str]:
    return {hit.repository for hit in results}


def test_each_key_finds_what_it_may_read_now(served: serving.Served, cache: Path) -> None:
    both = ["open-one", "closed-one"]
    with lakefs_hl.Client(served.url, served.key, served.secret) as owner:
        assert repositories_of(lakefs_hl.search("plans", client=owner)) == set(both)
    with limited(served, "open-one") as guest:
        results = lakefs_hl.search("plans", repositories=both, client=guest)
        assert repositories_of(results) == {"open-one"}
        (failure,) = results.auth_errors
        assert (failure.repository, type(failure.error)) == ("closed-one", exceptions.ForbiddenException)
        assert repositories_of(lakefs_hl.search("plans", client=guest)) <= {"open-one"}
        assert len(list(cache.glob("*/search.db"))) == 2
    with limited(served, *both) as guest:
        assert repositories_of(lakefs_hl.search("plans", repositories=both, client=guest)) == set(both)
    with limited(served, "closed-one") as guest:
        results = lakefs_hl.search("plans", repositories=both, client=guest)
        assert repositories_of(results) == {"closed-one"}
        assert [failure.repository for failure in results.auth_errors] == ["open-one"]
        everywhere = lakefs_hl.search("plans", client=guest)
        assert repositories_of(everywhere) <= {"closed-one"}
        # either the listing is forbidden, or it has only what is allowed, and the index knows of the other one
        assert [failure.repository for failure in everywhere.auth_errors] in ([None], ["open-one"])
        (mine,) = (path for path in cache.glob("*/search.db") if path.parent == guest.cache_directory)
        assert list(
            apsw.Connection(str(mine)).execute(
                "SELECT DISTINCT repository.name FROM item JOIN repository ON repository.id = item.repository"
            )
        ) == [("closed-one",)]


def test_wrong_credentials_are_an_error(served: serving.Served) -> None:
    with (
        lakefs_hl.Client(served.url, served.key, "wrong") as wrong,
        pytest.raises(exceptions.NotAuthorizedException),
    ):
        lakefs_hl.search("plans", client=wrong)
