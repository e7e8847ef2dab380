"""Embedded lakes as transports: found by name, and a private lake for as long as a client uses it."""

from __future__ import annotations

import gc
import importlib
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._build.lake import PRIVATE, lakes, open_lake, private_name
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings, resolve
from lakefs_hl.spec.errors import LakeError


def settings(endpoint: str) -> Settings:
    return resolve(ClientOptions(host=endpoint), {})


def test_private_names_differ() -> None:
    assert private_name() != private_name()
    assert private_name().startswith(PRIVATE)


def test_a_private_lake_is_made_once_and_found_by_its_name() -> None:
    name = private_name()
    with pytest.raises(LakeError, match="in the memory of another process, or was removed"):
        open_lake(settings(name), new=False, create=True)
    made = open_lake(settings(name), new=True, create=True)
    assert open_lake(settings(name), new=False, create=True) is made
    del made
    gc.collect()
    assert name not in lakes


def test_a_lake_in_a_directory_is_created_unless_that_is_refused(tmp_path: Path) -> None:
    endpoint = f"local:{tmp_path}/lake"
    with pytest.raises(LakeError, match="create=False"):
        open_lake(settings(endpoint), new=False, create=False)
    open_lake(settings(endpoint), new=False, create=True).close()
    open_lake(settings(endpoint), new=False, create=False).close()


@pytest.mark.parametrize(("missing", "error"), [("fcntl", LakeError), ("apsw", ModuleNotFoundError)])
def test_a_system_without_file_locks_is_told_what_it_needs(
    mocker: MockerFixture, missing: str, error: type[Exception]
) -> None:
    absent = ModuleNotFoundError(f"No module named {missing!r}", name=missing)
    mocker.patch.object(importlib, "import_module", side_effect=absent)
    with pytest.raises(error, match="POSIX" if missing == "fcntl" else missing):
        open_lake(settings("mem://x"), new=False, create=True)
