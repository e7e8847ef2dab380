"""`lakefs-hl bisect` and `blame`."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Command

#: Notes the commit, and ends with the code that its number in the file says.
TEST = """
import os, sys
uri = os.environ["LAKEFS_HL_BISECT_REF"]
assert uri.startswith("lakefs://") and uri.endswith("/"), uri
codes = dict(line.split("=") for line in open(sys.argv[1]).read().split())
print("printed by the command")
sys.exit(int(codes[uri.split("/")[3]]))
"""


class History:
    """Six commits, and the codes that a test gives them."""

    def __init__(self, command: Command, folder: str) -> None:
        self.command = command
        self.file = f"{folder}/codes"
        self.ids = [command.main.head().id]
        for number in range(1, 6):
            command.main.upload(b"%d" % number, f"d/{number}")
            self.ids.append(command.main.commit(f"load {number}").id)

    def arguments(self, *codes: int) -> list[str]:
        with open(self.file, "w", encoding="utf-8") as file:
            file.writelines(f"{name}={code}\n" for name, code in zip(self.ids, codes, strict=True))
        first = f"lakefs://{self.command.repository.id}/{self.ids[0]}"
        return [first, self.command.uri, "--", sys.executable, "-c", TEST, self.file]


@pytest.fixture
def history(command: Command, tmp_path: str) -> History:
    return History(command, str(tmp_path))


def test_bisect_prints_the_first_bad_commit(history: History) -> None:
    done = history.command.run("bisect", *history.arguments(0, 0, 0, 1, 2, 127))
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"ID:      {history.ids[3]}")
    assert f"{history.ids[3][:16]} bad: load 3" in done.stderr
    assert f"{history.ids[0][:16]} good: Repository created" in done.stderr
    quiet = history.command.run("bisect", "-q", *history.arguments(0, 0, 0, 1, 2, 127))
    assert quiet.stdout == f"{history.ids[3]}\n"
    document = history.command.run("bisect", "--json", *history.arguments(0, 0, 0, 1, 1, 1)).stdout
    from tests.cli.schema import check_output

    assert check_output("bisect", document)["first_bad"] == history.ids[3]


def test_bisect_skips_with_125(history: History) -> None:
    text = history.command("bisect", *history.arguments(0, 0, 125, 125, 1, 1), code=1)
    assert [line.split()[1] for line in text.splitlines() if line.startswith("ID:")] == history.ids[4:1:-1]


def test_bisect_refuses_what_is_no_verdict(history: History) -> None:
    error = history.command.error(1, "bisect", *history.arguments(0, 0, 0, 200, 1, 1))
    assert "ended with 200" in error
    first, last, *_ = history.arguments(0, 0, 0, 0, 0, 1)
    assert "cannot be run" in history.command.error(2, "bisect", first, last, "--", "/no/such/command")
    assert "says that good=" in history.command.error(2, "bisect", *history.arguments(1, 1, 1, 1, 1, 1))
    assert "not an ancestor" in history.command.error(2, "bisect", last, first, "--", "true")
    assert "different repositories" in history.command.error(2, "bisect", "lakefs://other/main", last, "--", "true")


def test_blame_lists_objects_with_their_commits(history: History) -> None:
    command, uri = history.command, history.command.uri
    rows = command.json("blame", uri)
    assert [(row["path"], row["message"]) for row in rows] == [(f"d/{n}", f"load {n}") for n in range(1, 6)]
    lines = command("blame", f"{uri}d/", "--amount", "2").splitlines()
    assert [line.split()[0] for line in lines] == [name[:16] for name in history.ids[1:3]]
    assert lines[0].endswith("d/1: load 1")
    assert command("blame", "-q", f"{uri}d/3") == "d/3\n"
    assert "d/9" in command.error(3, "blame", f"{uri}d/9")
