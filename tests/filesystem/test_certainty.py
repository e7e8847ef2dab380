"""A failure never looks like "there is nothing", and no call for many objects loses or mixes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.exceptions import InvalidConfigError, LakeFSException
from lakefs_hl.filesystem import LakeFSAsyncFileSystem, LakeFSFileSystem
from tests.filesystem.counting import FaultyServer

FILES = {"d/0.txt": b"0", "d/1.txt": b"1", "d/s/2.txt": b"2", "d/s/t/3.txt": b"3"}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server with some files on `r/main`."""
    server = FaultyServer()
    with server.connect() as client:
        lakefs_hl.repository("example", client=client).create("local://x")
        LakeFSFileSystem(client=client).pipe({f"example/main/{path}": data for path, data in FILES.items()})
        yield server
    server.close()


QUESTIONS: dict[str, Callable[[LakeFSFileSystem], Any]] = {
    "exists": lambda fs: fs.exists("example/main/d/0.txt"),
    "lexists": lambda fs: fs.lexists("example/main/d/0.txt"),
    "exists, of a reference": lambda fs: fs.exists("example/main"),
    "isfile": lambda fs: fs.isfile("example/main/d/0.txt"),
    "isdir": lambda fs: fs.isdir("example/main/d"),
    "ls": lambda fs: fs.ls("example/main/d"),
    "walk": lambda fs: list(fs.walk("example/main/d")),
    "glob": lambda fs: fs.glob("example/main/d/*/*"),
    "find": lambda fs: fs.find("example/main/d"),
    "find, by level": lambda fs: fs.find("example/main/d", maxdepth=3),
    "find, in all branches": lambda fs: fs.find("example"),
    "du": lambda fs: fs.du("example/main/d", maxdepth=3),
    "expand_path": lambda fs: fs.expand_path("example/main/d/*", recursive=True),
    "cat, omitting": lambda fs: fs.cat(["example/main/d/0.txt", "example/main/no"], on_error="omit"),
    "a mapping": lambda fs: "0.txt" in fs.get_mapper("example/main/d"),
    "mv": lambda fs: fs.mv("example/main/no/*", "example/main/other"),
}


@pytest.mark.parametrize("fault", [503, 429, 401, 403, 400, ConnectionResetError, TimeoutError])
def test_a_failure_is_no_answer(server: FaultyServer, fault: Any) -> None:
    """Each question, with a fault at its first request, and at its second if it has one: an error, or the answer."""
    with server.connect() as client:
        for asked, question in QUESTIONS.items():
            server.fault = None
            try:
                answer = question(LakeFSFileSystem(client=client, skip_instance_cache=True))
            except FileNotFoundError:
                answer = None
            for spared in (0, 1):
                server.fault, server.spared = fault, spared
                fs = LakeFSFileSystem(client=client, skip_instance_cache=True)
                if spared:
                    try:
                        wrong = question(fs) != answer
                    except LakeFSException as error:
                        wrong = isinstance(error, FileNotFoundError) and answer is not None
                    assert not wrong, asked
                else:
                    with pytest.raises(LakeFSException) as caught:
                        question(fs)
                    assert not isinstance(caught.value, FileNotFoundError), asked
        server.fault = None


def test_a_failure_is_no_answer_for_asyncio(server: FaultyServer) -> None:
    """The twin, likewise."""

    async def walk(fs: LakeFSAsyncFileSystem) -> list[Any]:
        return [row async for row in fs._walk("example/main/d")]

    questions: list[Callable[[LakeFSAsyncFileSystem], Any]] = [
        lambda fs: fs._exists("example/main/d/0.txt"),
        lambda fs: fs._isfile("example/main/d/0.txt"),
        lambda fs: fs._isdir("example/main/d"),
        lambda fs: fs._glob("example/main/d/*/*"),
        lambda fs: fs._find("example/main/d", maxdepth=3),
        lambda fs: fs._cat(["example/main/d/0.txt"], on_error="omit"),
        walk,
    ]

    async def main() -> None:
        client = lakefs_hl.aio.Client("http://lakefs.invalid", "key", "secret", transport=server, retries=False)
        async with client:
            fs = LakeFSAsyncFileSystem(client=client)
            assert await fs._isfile("example/main/d/0.txt")
            assert not await fs._isdir("example/main/no")
            assert await fs._cat(["example/main/d/0.txt", "example/main/no"], on_error="omit") == {
                "example/main/d/0.txt": b"0"
            }
            assert await fs._find("example/main/d", maxdepth=2) == [f"example/main/{path}" for path in FILES][:3]
            for spared in (0, 1):
                for question in questions[3:6:2] if spared else questions:
                    server.fault, server.spared = ConnectionResetError, 0 if question is questions[5] else spared
                    with pytest.raises(ConnectionError):
                        await question(fs)
                    server.fault = None

    asyncio.run(main())


def test_walk_hands_its_errors_on(server: FaultyServer) -> None:
    """`on_error` is asked for directories at every level. A name that nothing can have is no error of a question."""
    with server.connect() as client:
        fs = LakeFSFileSystem(client=client, skip_instance_cache=True)
        server.fault, server.spared = ConnectionResetError, 1
        errors: list[OSError] = []
        assert [row[0] for row in fs.walk("example/main/d", on_error=errors.append)] == ["example/main/d"]
        assert len(errors) == 1
        server.spared = 1
        with pytest.raises(ConnectionError):
            list(fs.walk("example/main/d", on_error="raise"))
        server.fault = None
        assert list(fs.walk("example/main/no/such")) == []
        with pytest.raises(FileNotFoundError):
            list(fs.walk("example/main/no/such", on_error="raise"))
        for name in ("main/" + "x" * 2000, "main~x/y", "no branch/y", "main/a\ud800"):
            assert not fs.exists(f"example/{name}")
            assert not fs.isdir(f"example/{name}")


def test_a_bad_configuration_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a `ValueError`, as a name that nothing can have."""
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "ftp://example")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "secret")
    fs = LakeFSFileSystem(skip_instance_cache=True)
    for question in (fs.exists, fs.isfile, fs.isdir, fs.find, fs.glob):
        with pytest.raises(InvalidConfigError):
            question("example/main/a")


def test_an_object_beside_a_directory_of_its_name() -> None:
    """`a` and `a/b` are both objects. What is done to all of a directory is done to both."""
    client = lakefs_hl.Client("mem://")
    lakefs_hl.repository("example", client=client).create()
    fs = LakeFSFileSystem(client=client)
    files = {"example/main/d/a": b"1", "example/main/d/a-": b"2", "example/main/d/a/b": b"3"}
    fs.pipe(files)
    assert fs.cat("example/main/d", recursive=True) == files
    assert fs.cat("example/main/d/*") == {name: data for name, data in files.items() if name.count("/") == 3}
    assert fs.find("example/main/d", maxdepth=1, withdirs=True, detail=True)["example/main/d/a"]["type"] == "file"
    fs.cp("example/main/d", "example/main/e", recursive=True)
    assert fs.find("example/main/e") == [name.replace("/d/", "/e/") for name in files]
    fs.mv("example/main/d/", "example/main/f/", recursive=True)
    assert fs.find("example/main/d") == []
    fs.rm("example/main/f", recursive=True)
    assert fs.find("example/main/f") == []
    client.close()


def test_no_two_sources_have_one_destination(tmp_path: Path) -> None:
    """One of them would be lost: nothing is written then. Chains are written in the order that loses nothing."""
    client = lakefs_hl.Client("mem://")
    lakefs_hl.repository("example", client=client).create()
    fs = LakeFSFileSystem(client=client)
    a, b, c = (f"example/main/{name}" for name in "abc")
    fs.pipe({a: b"1", b: b"2", "example/main/x/a": b"3", "example/main/x/y/a": b"4"})
    before = fs.cat("example/main", recursive=True)
    for call in (fs.cp, fs.mv):
        with pytest.raises(ValueError, match="two sources have the destination 'example/main/c'"):
            call([a, b], [c, f"lakefs://{c}"])
        with pytest.raises(ValueError, match=r"change places: .*/a"):
            call([a, b], [b, a])
    local = str(tmp_path / "c")
    with pytest.raises(ValueError, match="two sources"):
        fs.get([a, "example/main/x/a"], str(tmp_path / "into"))
    (tmp_path / "p").write_bytes(b"p")
    with pytest.raises(ValueError, match="two sources"):
        fs.put([str(tmp_path / "p")] * 2, [c, c])
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        fs.mv("example/main/x", "example/main/z")
    assert fs.cat("example/main", recursive=True) == before
    assert not Path(local).exists()
    fs.cp([a, a], [c, "example/main/d"])
    fs.mv([a, b], [b, "example/main/e"])
    fs.mv("example/main/x/", "example/main/x/y/", recursive=True)
    fs.pipe({a: b"5", f"lakefs://{a}": b"6"})
    assert fs.cat("example/main", recursive=True) == {
        a: b"6", b: b"1", c: b"1", "example/main/d": b"1", "example/main/e": b"2",
        "example/main/x/y/a": b"3", "example/main/x/y/y/a": b"4",
    }  # fmt: skip
    client.close()


def test_nothing_is_deleted_if_a_part_cannot_be() -> None:
    """A pattern over branches that matches in a tag too."""
    client = lakefs_hl.Client("mem://")
    repository = lakefs_hl.repository("example", client=client).create()
    fs = LakeFSFileSystem(client=client)
    fs.pipe("example/main/a", b"1")
    repository.branch("main").commit("one")
    repository.tag("v1").create("main")
    with pytest.raises(PermissionError):
        fs.rm("example/*/a")
    assert fs.exists("example/main/a")
    client.close()


def test_the_twin_mixes_nothing_either(tmp_path: Path) -> None:
    """Chains, swaps, lists of different lengths, and names that lead out of a directory."""

    async def main() -> None:
        async with lakefs_hl.aio.Client("mem://") as client:
            await lakefs_hl.aio.repository("example", client=client).create()
            fs = LakeFSAsyncFileSystem(client=client)
            a, b, c = (f"example/main/{name}" for name in "abc")
            files = {a: b"1", b: b"2", "example/main/x/a": b"3", "example/main/x/y/a": b"4"}
            await fs._pipe(files)
            for sources, targets in (([a, b], [c, f"lakefs://{c}"]), ([a, b], [b, a]), ([a, b], [c])):
                with pytest.raises(ValueError, match=r"two sources|change places|shorter"):
                    await fs._copy(sources, targets)
            with pytest.raises(ValueError, match="two sources"):
                await fs._get([a, b], [str(tmp_path / "c")] * 2)
            with pytest.raises(ValueError, match="1 sources have 2 destinations"):
                await fs._put([str(tmp_path)], [a, b])
            with pytest.raises(ValueError, match="nothing was downloaded"):
                await fs._get_file("example/main/x/../../out", tmp_path / "x" / ".." / ".." / "out")
            assert await fs._cat("example/main", recursive=True) == files
            await fs._copy("example/main/x/", "example/main/x/y/", recursive=True)
            await fs._copy([a, b], [b, c])
            assert await fs._cat("example/main", recursive=True) == {
                a: b"1", b: b"1", c: b"2", "example/main/x/a": b"3", "example/main/x/y/a": b"3",
                "example/main/x/y/y/a": b"4",
            }  # fmt: skip

    asyncio.run(main())
