"""The command line: versions, errors in one line, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lakefs_hl import cli, local
from lakefs_hl._version import __version__
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lakefs_hl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_version_is_printed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"lakefs-hl {__version__}\n")


def test_help_names_the_exit_codes() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "exit codes" in done.stdout
    assert run("serve", "--help").returncode == 0
    assert run("fsck", "--help").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("serve",), ("serve", "x", "--port", "y"), ("fsck",)])
def test_bad_arguments_have_an_exit_code_of_their_own(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("not a lake", encoding="utf-8")
    assert cli.main(["serve", str(tmp_path), "--port", "0"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(tmp_path) in printed.err
    assert len(printed.err.splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_half_a_key_pair_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "mykey")
    assert cli.main(["serve", str(tmp_path / "lake"), "--port", "0"]) == 2
    assert "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_remote_addresses_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", str(tmp_path / "lake"), "--host", "0.0.0.0"]) == 2
    assert "only this machine's loopback" in capsys.readouterr().err


def test_origins_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, said in (
        (["--allow-origin", "https://app.example"], "needs --presign"),
        (
            ["--presign", "--allow-origin", "https://app.example/page"],
            "is not an origin; write https://app.example",
        ),
    ):
        assert cli.main(["serve", str(tmp_path / "lake"), *given]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_fsck_reports_a_sound_and_a_damaged_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lake"
    for missing in (place, tmp_path):
        assert cli.main(["fsck", str(missing)]) == 2
        assert "no lake here" in capsys.readouterr().err
    assert not place.exists(), "a check makes nothing"
    lake = local.connect(f"local:{place}", "me")
    body = b'{"name": "repo", "storage_namespace": "local://repo"}'
    assert lake.send(Request(endpoints.CREATE_REPOSITORY, body=body)).status == 201
    upload = Request(endpoints.UPLOAD_OBJECT, ("repo", "main"), {"path": "x"}, body=b"x" * 100_000)
    assert lake.send(upload).status == 201
    assert cli.main(["fsck", str(place), "--read-data"]) == 0
    assert capsys.readouterr().out.endswith("sound\n")
    blob = next(path for path in (place / "objects").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"y" * 100_000)
    assert cli.main(["fsck", str(place)]) == 0, "the size is right, and nobody read the data"
    capsys.readouterr()
    assert cli.main(["fsck", str(place), "--read-data"]) == 1
    assert "damage" in capsys.readouterr().out


def test_a_lake_may_be_named_by_its_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Engine.open("lake").close()
    assert cli.main(["fsck", "local:./lake"]) == 0
    assert cli.main(["fsck", f"local://{tmp_path}/lake"]) == 0
    capsys.readouterr()
    for name in ("local:", "local:~/lake"):
        assert cli.main(["fsck", name]) == 2
        assert "folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_control_characters_are_shown_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.printable("a\x1b[31mé\n") == "a\\x1b[31mé\n"
    assert cli.main(["fsck", str(tmp_path / "no\x1b[31m")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_configure_changes_and_prints_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lake"
    assert cli.main(["configure", str(place), "--hash-imports", "on"]) == 2, "it makes no lake"
    Engine.open(place, sync=False).close()
    printed = list[str]()
    for arguments in ([], ["--hash-imports", "on"], [], ["--hash-imports", "off"], []):
        capsys.readouterr()
        assert cli.main(["configure", str(place), *arguments]) == 0
        printed.append(capsys.readouterr().out)
    assert printed == [f"hash-imports: {value}\n" for value in ("off", "on", "on", "off", "off")]


def test_fsck_reports_a_lake_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lake"
    Engine.open(place).close()
    (place / "lake.db").write_bytes(b"no database" * 1000)
    assert cli.main(["fsck", str(place)]) == 1
    assert capsys.readouterr().out.startswith("damage: ")


def test_fsck_as_json_and_of_a_part_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "lake"
    Engine.open(place).close()
    assert cli.main(["fsck", str(place), "--json", "--read-data-subset", "1/2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"sound", "damage", "outside", "left_over", "checked"}
    assert report["sound"] is True
    (place / "format.json").write_text("{}")
    assert cli.main(["fsck", str(place), "--json", "--read-data-subset", "10%"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["sound"] is False
    assert "format.json" in report["damage"][0]
    for part in ("0/2", "3/2", "0%", "some"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["fsck", str(place), "--read-data-subset", part])
        assert ended.value.code == 2
        assert "name a part as n/t" in capsys.readouterr().err


def test_fsck_leaves_every_file_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "lake"
    Engine.open(place).close()
    paths = [place, *place.rglob("*")]
    before = [(path, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths]
    assert cli.main(["fsck", str(place), "--read-data"]) == 0
    assert sorted([place, *place.rglob("*")]) == sorted(paths)
    assert before == [(path, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths]
