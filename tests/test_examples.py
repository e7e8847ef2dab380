"""The example files run as a user runs them."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str, cwd: Path) -> str:
    """Run an example with warnings as errors, and return what it prints."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_every_example_is_run() -> None:
    run_elsewhere = {"quickstart.py"}  # from the wheel: tests/test_packaging.py
    text = Path(__file__).read_text(encoding="utf-8")
    files = {path.name for path in EXAMPLES.glob("*.py")} - run_elsewhere
    assert [name for name in sorted(files) if f'run("{name}"' not in text] == []


def test_the_document_service(tmp_path: Path) -> None:
    printed = run("document_service.py", cwd=tmp_path)
    assert printed.splitlines() == [
        "users/alice/docs/notes.txt - 8 bytes - {'type': 'document', 'user_id': 'alice'}",
        "users/alice/docs/report.txt - 5 bytes - {'type': 'document', 'user_id': 'alice'}",
        "a stranger reads: final",
        "the backup has the upload: True",
        "report.txt of alice: back to 'first draft'",
        "deleted in a year: ['temp/scratch']",
        "restored: ['notes.txt', 'report.txt']",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_document_service_without_a_server(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "document_service.py"), "--lake", "http://127.0.0.1:9"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "NoAuthenticationFound" in done.stderr


def test_tiles_as_cloudfiles_has_them(tmp_path: Path) -> None:
    printed = run("cloudfiles.py", cwd=tmp_path)
    assert printed.splitlines() == [
        "100 tiles, 2,990 bytes stored of 102,400",
        "b'\\x01\\x02\\x01\\x02' True None 25",
        "{'size': [640, 640], 'tile': 64}",
        "[b'\\x00\\x00', b'\\x01\\x00', b'\\x02\\x00']",
        "b'corrected' 1024",
        "['one tile corrected', '100 tiles']",
        "101 files copied, 3,035 bytes",
        "b'corrected'",
    ]


def test_a_hook_for_airflow(tmp_path: Path) -> None:
    assert run("airflow_hook.py", cwd=tmp_path).splitlines() == [
        "True",
        "published before: False",
        "the same commit when repeated: True",
        "the source is down: published False",
        "published after: True True",
        "after that one: PokeReturnValue(is_done=False, xcom_value=None)",
        "day,sum",
        "2026-01-01,17",
        "",
    ]
    assert list(tmp_path.iterdir()) == []


def test_connections_of_airflow() -> None:
    """Of a URI, of JSON and of a dictionary; no secret is shown."""
    airflow = runpy.run_path(str(EXAMPLES / "airflow_hook.py"))
    connection, hook = airflow["Connection"], airflow["LakeFSHook"]
    given = {"host": "127.0.0.1", "login": "key", "password": "CAN/ARY", "port": 8000}
    for one in ("lakefs://key:CAN%2FARY@127.0.0.1:8000", json.dumps({"conn_type": "lakefs", **given}), given):
        found = connection.of(one)
        assert found == connection(**given)
        assert "ARY" not in repr(found)
        airflow["BaseHook"].connections["lakefs_default"] = found
        made = hook()
        with made.get_conn() as client:
            assert client.endpoint == "http://127.0.0.1:8000"
            assert made.get_conn() is client
    airflow["BaseHook"].connections["lakefs_default"] = connection.of(
        {"host": "http://127.0.0.1:9", "login": "key", "password": "CANARY", "extra": {"retries": 0}}
    )
    reached, why = hook().test_connection()
    assert (reached, "refuses connections" in why, "CANARY" in why) == (False, True, False)


def test_a_flow_for_prefect(tmp_path: Path) -> None:
    assert run("prefect_flow.py", cwd=tmp_path).splitlines() == [
        "publish failed: the service of the checks is down; again",
        "day,sum",
        "2026-01-01,3",
        "2026-01-02,30",
        "made of two days",
        "['sums of all days', 'two days']",
        "['main']",
    ]


def test_assets_for_dagster(tmp_path: Path) -> None:
    assert run("dagster_asset.py", cwd=tmp_path).splitlines() == [
        "north 3",
        "south 30",
        str([f"assets/{name}/{region}.json" for name in ("orders", "revenue") for region in ("north", "south")]),
        "of run: True south",
        "repeated, and nothing changed: True",
        "orders of the release, and now: [30] []",
    ]
