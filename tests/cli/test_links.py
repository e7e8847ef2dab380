"""`lakefs-hl fs presign`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import click
import pytest

import lakefs_hl
from lakefs_hl.cli.links import Duration
from tests import serving
from tests.cli.conftest import Command


@pytest.fixture
def linking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command on a served lake that has links."""
    with serving.running(tmp_path / "lake", arguments=["--presign"]) as served:
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", served.url)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", served.key)
        monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", served.secret)
        with lakefs_hl.Client() as client:
            yield Command(client, [])


def test_a_link_is_printed_alone_on_standard_output(linking: Command) -> None:
    linking.put(a_txt="content")
    uri = f"{linking.uri}a.txt"
    done = linking.run("fs", "presign", uri)
    assert done.exit_code == 0, done.output
    with urlopen(done.stdout.strip(), timeout=30) as response:
        assert response.read() == b"content"
    assert done.stderr.startswith("valid until 20")
    assert linking.run("fs", "presign", uri, "-q").stderr == ""
    assert linking("fs", "presign", uri, "-q").startswith("http://")
    put = linking("fs", "presign", f"{linking.uri}b.txt", "--method", "put", "--expires", "10m", "--via", "server")
    urlopen(Request(put.strip(), b"new", method="PUT"), timeout=30).close()
    assert linking.main.download("b.txt") == b"new"


def test_a_link_as_json(linking: Command) -> None:
    linking.put(a_txt="content")
    found = linking.json("fs", "presign", f"{linking.uri}a.txt", "--expires", "7d")
    assert (found["uri"], found["method"]) == (f"{linking.uri}a.txt", "GET")
    left = datetime.fromisoformat(found["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_errors(linking: Command, local: Command) -> None:
    assert "does not exist" in linking.error(3, "fs", "presign", f"{linking.uri}none")
    assert "which is a week" in linking.error(2, "fs", "presign", f"{linking.uri}a", "--expires", "8d")
    assert "write seconds, or 15m" in linking.error(2, "fs", "presign", f"{linking.uri}a", "--expires", "soon")
    assert "no S3 gateway" in linking.error(1, "fs", "presign", f"{linking.uri}a", "--via", "gateway")
    local.put(a_txt="content")
    assert "lakefs-hl serve --presign" in local.error(1, "fs", "presign", f"{local.uri}a.txt")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("24H", 86_400), ("7d", 604_800), ("1h30m", 5400), (" 1d ", 86_400)],
)
def test_durations(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == Duration().convert(seconds, None, None) == seconds


@pytest.mark.parametrize("text", ["", "h", "1w", "1.5h", "-1", "1h x", "1 h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a duration"):
        Duration().convert(text, None, None)
