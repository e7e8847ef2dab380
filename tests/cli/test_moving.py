"""`lakefs-hl fs transfer`: between any two stores."""

from __future__ import annotations

import gzip
import secrets
from pathlib import Path

import pytest

import lakefs_hl
from tests.cli.conftest import Command


@pytest.fixture
def here(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return command


def test_to_a_directory_and_back(here: Command) -> None:
    here.main.files("data").puts([("a", b"1"), ("b/c", b"22")])
    done = here.json("fs", "transfer", f"{here.uri}data", "copy")
    assert (done["transferred"], done["bytes"]) == (2, 3)
    assert Path("copy/b/c").read_bytes() == b"22"
    here("fs", "transfer", f"file://{Path.cwd()}/copy", f"{here.uri}back/", "-c", "gzip", "-b", "1", "-p", "2")
    assert here.main.files("back").get("b/c") == b"22"
    assert gzip.decompress(here.main.download("back/b/c")) == b"22"
    assert here.json("fs", "transfer", "copy", f"{here.uri}plain")["transferred"] == 2
    assert here.json("fs", "transfer", "copy", f"{here.uri}plain", "--update")["transferred"] == 0


def test_to_another_store(here: Command) -> None:
    here.main.files("data").put("a", b"1", compress="gzip")
    url = f"mem://{secrets.token_hex(6)}"
    assert here.json("fs", "transfer", f"{here.uri}data", url, "--compression", "none")["transferred"] == 1
    assert lakefs_hl.files(url).get(["a"], raw=True)[0]["compress"] is None


def test_a_job_is_resumed(here: Command) -> None:
    here.main.files("data").puts((f"{at}", b"1") for at in range(5))
    arguments = ("fs", "transfer", f"{here.uri}data", "copy", "--job", "copy.job")
    assert here.json(*arguments)["transferred"] == 5
    assert here.json(*arguments)["skipped"] == 5


def test_what_cannot_be_is_an_error(here: Command) -> None:
    assert "overlap" in here.error(2, "fs", "transfer", f"{here.uri}a", f"{here.uri}a/b")
    assert "missing" in here.error(2, "fs", "transfer", "", "b")
    assert "lzma" in here.error(2, "fs", "transfer", "a", here.uri, "-c", "lzma")
    assert "`fs transfer` takes it" in here.error(2, "fs", "cp", "s3://bucket/a", f"{here.uri}a")
