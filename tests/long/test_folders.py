"""20,000 swaps of a directory for a link while files are written to it; 5,000 ignore files read as git reads them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests._folders.git import compare_with_git, needs_git
from tests._folders.swapping import write_under_attack


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_nothing_escapes_while_a_directory_is_swapped_for_a_link(tmp_path: Path) -> None:
    write_under_attack(tmp_path, swaps=20_000)


@pytest.mark.timeout(600)
@needs_git
def test_ignore_files_are_read_as_git_reads_them(tmp_path: Path, rng: random.Random) -> None:
    assert compare_with_git(tmp_path, rng, files=5000) > 1000
