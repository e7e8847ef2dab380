"""The settings of a client, and their sources."""

from __future__ import annotations

from pathlib import Path

from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import resolve
from tests.config.samples import HOST, REAL, SECRET, Write


def test_the_committer() -> None:
    assert resolve(ClientOptions(host="mem://"), {"LAKEFS_HL_COMMITTER": "ada"}).committer == "ada"
    assert resolve(ClientOptions(host="mem://", committer="bob"), {"LAKEFS_HL_COMMITTER": "ada"}).committer == "bob"
    assert resolve(ClientOptions(host="mem://"), {}).committer


def test_every_value_has_its_source_and_no_secret(write: Write) -> None:
    path = write()
    env = {"LAKECTL_SERVER_ENDPOINT_URL": HOST, "LAKEFS_HL_MAX_CONCURRENCY": "4"}
    sources = resolve(ClientOptions(), env).sources
    assert sources == (
        ("endpoint", HOST, "environment"),
        ("credentials", "access key AKIA… and its secret", str(path)),
        ("max_concurrency", "4", "LAKEFS_HL_MAX_CONCURRENCY"),
    )


def test_b9_93_settings_show_no_secret(home: Path) -> None:
    assert SECRET not in repr(resolve(ClientOptions(), REAL))
