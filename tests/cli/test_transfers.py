"""Which files and objects the arguments of a transfer mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lakefs_hl.cli.addresses import Place
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import Ends, resolve
from tests.cli.conftest import Command


@pytest.fixture
def here(local: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Session, str]]:
    """A session in a directory with files, on a branch with objects."""
    local.put(data__t_csv="1", data__x__u_csv="2", dat="3")
    (tmp_path / "photos" / "old").mkdir(parents=True)
    (tmp_path / "photos" / "1.jpg").write_bytes(b"1")
    (tmp_path / "t.csv").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    session = Session(lake=local.lake[1])
    yield session, local.uri
    session.close()


def ends(here: tuple[Session, str], source: str, destination: str) -> Ends:
    session, uri = here
    place = Place()
    return resolve(session, *(place.convert(text.replace("@/", uri), None, None) for text in (source, destination)))


UPLOADS = [
    ("photos", "@/", "photos/"),
    ("photos", "@/backup", "backup/photos/"),
    ("photos", "@/backup/", "backup/photos/"),
    ("photos/", "@/", ""),
    ("photos/", "@/backup", "backup/"),
    ("./photos", "@/", "photos/"),
    ("photos/old", "@/", "old/"),
    (".", "@/backup", "backup/"),
    ("./", "@/backup", "backup/"),
    ("photos/..", "@/backup", "backup/"),
    ("t.csv", "@/", "t.csv"),
    ("t.csv", "@/data/", "data/t.csv"),
    ("t.csv", "@/data", "data"),
    ("photos/1.jpg", "@/data/", "data/1.jpg"),
    ("-", "@/data/t.csv", "data/t.csv"),
]


@pytest.mark.parametrize(("source", "destination", "path"), UPLOADS)
def test_uploads(here: tuple[Session, str], source: str, destination: str, path: str) -> None:
    found = ends(here, source, destination)
    assert found.destination.path == path
    assert found.recursive == (path == "" or path.endswith("/"))


DOWNLOADS = [
    ("@/data", ".", "data/", "data/"),
    ("@/data", "new", "data/", "new/data/"),
    ("@/data/", ".", "data/", "./"),
    ("@/data/", "new", "data/", "new/"),
    ("@/data/x", "new/", "data/x/", "new/x/"),
    ("@/", "new", "", "new/"),
    ("@/data/t.csv", ".", "data/t.csv", "t.csv"),
    ("@/data/t.csv", "new.csv", "data/t.csv", "new.csv"),
    ("@/data/t.csv", "new/", "data/t.csv", "new/t.csv"),
    ("@/data/t.csv", "photos", "data/t.csv", "photos/t.csv"),
    ("@/data/t.csv", "-", "data/t.csv", "-"),
    ("@/dat", "photos", "dat", "photos/dat"),
]


@pytest.mark.parametrize(("source", "destination", "path", "target"), DOWNLOADS)
def test_downloads(here: tuple[Session, str], source: str, destination: str, path: str, target: str) -> None:
    found = ends(here, source, destination)
    assert (found.source.path, found.destination.path) == (path, target)
    assert found.recursive == (path == "" or path.endswith("/"))


def test_within_a_lake(here: tuple[Session, str]) -> None:
    assert ends(here, "@/data", "@/copy").destination.path == "copy/data/"
    assert ends(here, "@/data/", "@/copy").destination.path == "copy/"
    assert ends(here, "@/data/t.csv", "@/copy/").destination.path == "copy/t.csv"


def test_a_missing_source_is_not_found(here: tuple[Session, str]) -> None:
    with pytest.raises(FileNotFoundError):
        ends(here, "none", "@/")
    with pytest.raises(FileNotFoundError, match="none"):
        ends(here, "@/none", ".")


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("photos", "t.csv", "both are local"),
        ("-", "@/", "give the destination a name"),
        ("@/data/", "-", "standard output"),
    ],
)
def test_what_makes_no_sense_is_refused(here: tuple[Session, str], source: str, destination: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        ends(here, source, destination)


@pytest.mark.parametrize("name", ["..", ".", "a\0b"])
def test_a_name_leads_out_of_no_directory(local: Command, name: str) -> None:
    local.main.upload("1", f"data/{name}")
    session = Session(lake=local.lake[1])
    place = Place()
    try:
        with pytest.raises(click.UsageError, match="another name"):
            resolve(session, *(place.convert(text, None, None) for text in (f"{local.uri}data/{name}", ".")))
    finally:
        session.close()
