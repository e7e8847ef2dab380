"""The command on a lake in process and on a served one, without a process of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lakefs_hl
from lakefs_hl.cli.root import root
from tests import serving
from tests.cli.schema import check_lines, check_output
from tests.lakes import served_lake as served_lake


class Command:
    """Runs the command on one lake.

    Attributes:
        client: A client of the lake, to look at what a command did.
        repository: A new repository.
        main: Its first branch.
        uri: The URI of that branch, with a slash at its end.
    """

    def __init__(self, client: lakefs_hl.Client, lake: list[str]) -> None:
        self.client = client
        self.lake = lake
        self.repository = lakefs_hl.repository(f"cli-{secrets.token_hex(6)}", client=client).create()
        self.main = self.repository.branch("main")
        self.uri = self.main.uri

    def run(self, *arguments: str, input: bytes | str | None = None) -> Result:
        """Run the command, whatever its outcome."""
        return CliRunner().invoke(root, [*self.lake, *arguments], input=input, prog_name="lakefs-hl")

    def __call__(self, *arguments: str, input: bytes | str | None = None, code: int = 0) -> str:
        """Run the command, and return what it printed on standard output."""
        done = self.run(*arguments, input=input)
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        return done.stdout

    def error(self, code: int, *arguments: str, input: bytes | str | None = None) -> str:
        """Run a command that fails, and return what it printed on standard error."""
        done = self.run(*arguments, input=input)
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run the command with `--json`, check the document, and return it."""
        return check_output(self._name(arguments), self(*arguments, "--json", code=code))

    def lines(self, *arguments: str) -> list[Any]:
        """Run the command with `--format jsonl`, check the documents, and return them."""
        return check_lines(self._name(arguments), self(*arguments, "--format", "jsonl"))

    @staticmethod
    def _name(arguments: tuple[str, ...]) -> str:
        groups = {"fs", "repo", "branch", "tag", "lifecycle", "keys", "cache"}
        return " ".join(arguments[: 2 if arguments[0] in groups else 1])

    def put(self, **contents: bytes | str) -> None:
        """Upload objects: `a__b_csv` is `a/b.csv`."""
        for name, content in contents.items():
            path = name.replace("__", "/")
            stem, mark, suffix = path.rpartition("_")
            self.main.upload(content, f"{stem}.{suffix}" if mark else path)

    def paths(self, branch: lakefs_hl.Branch | None = None) -> list[str]:
        """Return the paths of all objects of a branch."""
        return [row.path for row in (branch or self.main).list_objects(recursive=True)]


@pytest.fixture(scope="session")
def in_process() -> Iterator[tuple[lakefs_hl.Client, list[str]]]:
    """A lake in memory, which the command shares with the test."""
    with lakefs_hl.Client("mem://command-line") as client:
        yield client, ["--lake", "mem://command-line"]


@pytest.fixture(params=["in process", "served"])
def command(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, in_process: tuple[lakefs_hl.Client, list[str]]
) -> Iterator[Command]:
    """The command on a new repository, on each kind of lake. A served lake is named by the environment."""
    if request.param == "in process":
        yield Command(*in_process)
        return
    served: serving.Served = request.getfixturevalue("served_lake")
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", served.url)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", served.key)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", served.secret)
    with lakefs_hl.Client() as client:
        yield Command(client, [])


@pytest.fixture
def local(in_process: tuple[lakefs_hl.Client, list[str]]) -> Command:
    """The command on a new repository in process: for what does not depend on the lake."""
    return Command(*in_process)
