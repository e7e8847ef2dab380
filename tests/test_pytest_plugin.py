"""The fixtures of the package for its users' tests."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lakefs_hl

ROOT = Path(__file__).resolve().parent.parent

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_alone(lake, lake_repo, lake_branch, number):
    assert [repo.id for repo in __import__("lakefs_hl").repositories(client=lake)] == [lake_repo.id]
    assert list(lake_branch.list_objects()) == []
    lake_branch.upload(str(number), "number")
    assert lake_branch.download("number") == str(number).encode()
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    installed = any(point.name == "lakefs_hl" for point in importlib.metadata.entry_points(group="pytest11"))
    plugin = [] if installed or "no:lakefs_hl" in options else ["-p", "lakefs_hl.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_users_suite_runs(workers: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_plugin_can_be_switched_off(tmp_path: Path) -> None:
    done = run(tmp_path, "-p", "no:lakefs_hl")
    assert done.returncode == 1
    assert "fixture 'lake' not found" in done.stdout


def test_the_fixtures_of_a_test_share_one_lake(
    lake: lakefs_hl.Client, lake_repo: lakefs_hl.Repository, lake_branch: lakefs_hl.Branch
) -> None:
    assert lake_branch == lakefs_hl.repository("example", client=lake).branch("main")
    assert lake_repo.exists()


def test_a_repository_of_the_test_is_empty(lake_branch: lakefs_hl.Branch) -> None:
    assert list(lake_branch.list_objects(recursive=True)) == []
    assert list(lake_branch.list_uncommitted()) == []
