"""`lakefs-hl fs cat`, `head`, `stat` and `touch`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command


def test_cat_prints_bytes_as_they_are(command: Command) -> None:
    content = bytes(range(256)) * 5000
    command.put(a_bin=content, b_txt="é\n")
    done = command.run("fs", "cat", f"{command.uri}a.bin", f"{command.uri}b.txt")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout_bytes == content + "é\n".encode()


@pytest.mark.parametrize(
    ("ends", "wanted"),
    [("0:3", "abc"), ("3:", "def"), (":2", "ab"), ("-2:", "ef"), ("0-3", "abc"), ("3-", "def"), ("-2", "ab")],
)
def test_cat_prints_a_range(command: Command, ends: str, wanted: str) -> None:
    command.put(a_txt="abcdef")
    assert command("fs", "cat", f"{command.uri}a.txt", "--range", ends) == wanted


@pytest.mark.parametrize("ends", ["3", "a:b", "1:2:3", "", "-", "1-2-3"])
def test_cat_refuses_what_is_no_range(local: Command, ends: str) -> None:
    assert "START:END" in local.error(2, "fs", "cat", f"{local.uri}a.txt", "--range", ends)


def test_cat_stops_at_a_missing_object(command: Command) -> None:
    command.put(a_txt="a")
    done = command.run("fs", "cat", f"{command.uri}a.txt", f"{command.uri}none.txt")
    assert (done.exit_code, done.stdout) == (3, "a")
    assert "none.txt" in done.stderr


def test_head_prints_lines_or_bytes(command: Command) -> None:
    command.put(a_txt="".join(f"{number}\n" for number in range(100)))
    uri = f"{command.uri}a.txt"
    assert command("fs", "head", uri).split() == [str(number) for number in range(10)]
    assert command("fs", "head", uri, "-n", "2") == "0\n1\n"
    assert command("fs", "head", uri, "-c", "3") == "0\n1"
    assert command("fs", "head", uri, uri, "--lines", "1") == "0\n0\n"
    assert len(command("fs", "head", uri, "-c", "1000000")) == 290
    assert command("fs", "head", uri, "-n", "0") == ""
    command.error(3, "fs", "head", f"{command.uri}none.txt")


def test_stat_prints_the_fields(command: Command) -> None:
    command.main.upload(b"x" * 2000, "data/t.csv", metadata={"owner": "me"})
    uri = f"{command.uri}data/t.csv"
    text = command("fs", "stat", uri)
    assert "Size bytes:       2000\n" in text
    assert "Metadata:         owner = me\n" in text
    assert "2.00 kB" in command("fs", "stat", uri, "-h")
    assert command("fs", "stat", uri, "-q") == "data/t.csv\n"
    found = command.json("fs", "stat", uri)
    assert (found["uri"], found["size_bytes"], found["metadata"]) == (uri, 2000, {"owner": "me"})
    assert found["checksum"] == command.main.stat("data/t.csv").checksum
    command.error(3, "fs", "stat", f"{command.uri}none")
    command.error(2, "fs", "stat", command.uri)


def test_touch_creates_only(command: Command) -> None:
    command.put(a_txt="a")
    uris = [f"{command.uri}{name}" for name in ("a.txt", "b.txt")]
    assert command.json("fs", "touch", *uris) == [{"path": "b.txt", "uri": uris[1]}]
    assert (command.main.download("a.txt"), command.main.download("b.txt")) == (b"a", b"")
    assert command("fs", "touch", *uris) == ""
    command("fs", "touch", f"{command.uri}c", "--content-type", "text/x-c")
    assert command.main.stat("c").content_type == "text/x-c"
    command.error(3, "fs", "touch", f"{command.repository.uri}/none/a")
