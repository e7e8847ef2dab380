"""What a place is: two of one URL, in two lakes or by two scopes, are two; in blocking style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.facades._sync.stores import store_of
from lakefs_hl.facades.remote import Remote


@pytest.fixture(params=["lakes", "scopes"])
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> list[lakefs_hl.Branch]:
    """Branches of one URI in two lakes, or by two scopes of one."""
    if request.param == "lakes":
        clients = [lakefs_hl.Client("mem://"), lakefs_hl.Client("mem://")]
    else:
        clients = [lakefs_hl.Client(f"local:{tmp_path}/lake").scoped(name) for name in ("alice", "bob")]
    return [lakefs_hl.repository("docs", client=each).create().branch("main") for each in clients]


def names(branch: lakefs_hl.Branch) -> dict[str, bytes]:
    return {path: branch.download(path) for path in branch.files().list()}


def test_a_file_moves_to_a_place_of_the_same_url(twins: list[lakefs_hl.Branch]) -> None:
    mine, theirs = twins
    assert mine.uri == theirs.uri
    for path in ("a", "b"):
        mine.upload(b"mine", path)
        theirs.upload(b"theirs", path)
    assert mine.files().moves(theirs.files(), ["a", ("b", "c")]).transferred == 2
    assert names(mine) == {}
    assert names(theirs) == {"a": b"mine", "b": b"theirs", "c": b"mine"}


def test_a_transfer_to_a_place_of_the_same_url(twins: list[lakefs_hl.Branch], tmp_path: Path) -> None:
    mine, theirs = twins
    mine.upload(b"mine", "a")
    assert lakefs_hl.transfer(mine, theirs, paths=["a"]).transferred == 1
    assert names(theirs) == {"a": b"mine"}
    theirs.upload(b"theirs", "a")
    target, job = f"file://{tmp_path}/copy", tmp_path / "job"
    assert lakefs_hl.transfer(mine, target, job=job).transferred == 1
    with pytest.raises(ValueError, match=r"is of another transfer: source is '.*lakefs://.*docs/main/' there and"):
        lakefs_hl.transfer(theirs, target, job=job)
    assert (tmp_path / "copy/a").read_bytes() == b"mine"


def test_one_lake_by_two_clients_is_one_place() -> None:
    client = lakefs_hl.Client("mem://")
    branch = lakefs_hl.repository("docs", client=client).create().branch("main")
    branch.upload(b"1", "data/a")
    other = lakefs_hl.repository("docs", client=client.with_options(timeout=7)).branch("main")
    assert branch != other
    assert branch.files().moves(other.files("data"), [("data/a", "a")]).transferred == 1  # onto itself
    assert names(branch) == {"data/a": b"1"}
    with pytest.raises(ValueError, match="overlap"):
        lakefs_hl.transfer(branch, other.files("data"), paths=["data/a"])


def test_a_prefix_of_the_same_place() -> None:
    for url in ("mem://prefixes", "memory://prefixes"):
        files = lakefs_hl.files(url)
        files.put("data/a", b"1")
        assert files.moves(f"{url}/data", [("data/a", "a")]).transferred == 1  # onto itself
        assert files.get("data/a") == b"1"


def test_servers_of_one_url_are_two_places() -> None:
    url = "memory://bucket"
    found: Any = [
        store_of(url, storage_options={"endpoint_url": f"https://user:password@{host}", "key": "hidden-key"})
        for host in ("one", "two")
    ]
    assert [each.place for each in found] == [f"endpoint_url=https://{host} {url}/" for host in ("one", "two")]
    nested: Any = store_of(url, storage_options={"s3": {"endpoint_url": "http://one", "secret": "hidden-secret"}})
    assert nested.place == f"endpoint_url=http://one {url}/"
    assert store_of(url).place == f"{url}/"


def test_what_was_written_meanwhile_with_the_same_content_stays(mocker: Any) -> None:
    source: Any = lakefs_hl.files("mem://rewritten")
    source.put("a", b"1")

    def write(self: Any, put: Any, **_: Any) -> Any:
        source.put("a", b"1")
        return real(self, put)

    real = Remote.write
    mocker.patch.object(Remote, "write", write)
    with pytest.raises(ObjectChangedError, match="both exist"):
        source.move("a", "memory://elsewhere/a")
    assert source.get("a") == b"1"


@pytest.mark.parametrize("of", ["mem://suffixes", "file://{}/of"])
@pytest.mark.parametrize("to", ["file://{}/to", "memory://suffixes"])
def test_files_that_end_like_an_encoding_all_arrive(of: str, to: str, tmp_path: Path) -> None:
    source, target = lakefs_hl.files(of.format(tmp_path)), lakefs_hl.files(to.format(tmp_path))
    target.delete(list(target.list()))
    target.put("b", b"old", compress="gzip")
    there = {path: path.encode() for path in ("a", "a.gz", "a.br", "b")}
    for path, content in there.items():
        source.put(path, content)
    moved = target._store.url
    assert source.moves(moved, ["a.gz", "a.br", "a", "b"], block_size=1).transferred == 4
    assert {path: target.get(path) for path in target.list()} == there
    assert list(source.list()) == []


@pytest.mark.parametrize("url", ["file://{}/puts", "memory://puts"])
def test_files_that_end_like_an_encoding_are_all_written(url: str, tmp_path: Path) -> None:
    files = lakefs_hl.files(url.format(tmp_path))
    files.put("old", b"old", compress="gzip")
    there = {path: path.encode() * 9 for each in range(50) for path in (f"a{each}.gz", f"a{each}", f"a{each}.br")}
    assert files.puts([*there.items(), ("old", b"new")]).transferred == 151
    assert {path: files.get(path) for path in files.list()} == {**there, "old": b"new"}
