"""Options of transfers of directories."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakefs_hl._bulk.options import check_only, directory_prefix, is_chosen, options_of, update_of
from lakefs_hl.types import TransferFailure

DEFAULTS: dict[str, Any] = {
    "update": False,
    "include": None,
    "exclude": None,
    "ignore_file_names": frozenset(),
    "filter": None,
    "delete": False,
    "dry_run": False,
    "only": None,
    "resume": True,
    "max_workers": None,
    "on_error": "raise",
    "progress": None,
}


def test_generators_of_globs_and_paths_are_read_once() -> None:
    only = (each for each in ("a", TransferFailure("b", "why")))
    options = options_of(**{**DEFAULTS, "include": (each for each in ["*.csv"]), "only": only})
    assert options.only == frozenset({"a", "b"})
    for _ in range(2):
        assert not options.choice(None).takes_all
    assert options_of(**{**DEFAULTS, "only": "a"}).only == frozenset({"a"})


def test_what_must_be_the_same_to_resume_can_be_written_as_json() -> None:
    given = {"include": ["a"], "exclude": "b", "ignore_file_names": {"y", "x"}, "filter": bool, "only": {"b", "a"}}
    recalled = options_of(**{**DEFAULTS, **given}).to_recall()
    assert json.loads(json.dumps(recalled))["ignore_file_names"] == ["x", "y"]
    assert recalled["filter"] is True


def test_a_glob_that_is_wrong_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="include"):
        options_of(**{**DEFAULTS, "include": ["/"]})
    with pytest.raises(ValueError, match="names of files without a directory"):
        options_of(**{**DEFAULTS, "ignore_file_names": {"a/b"}})


@pytest.mark.parametrize("value", [True, False, "checksum"])
def test_update_is_a_flag_or_checksum(value: Any) -> None:
    assert update_of(value) == value


def test_a_prefix_is_that_of_a_directory() -> None:
    assert [directory_prefix(each) for each in ("", "a", "a/", "a/b")] == ["", "a/", "a/", "a/b/"]


def test_only_has_paths_of_objects_under_the_prefix_and_directories() -> None:
    chosen = is_chosen(frozenset({"raw/a", "raw/d/"}))
    assert [chosen(path) for path in ("raw/a", "raw/a/b", "raw/ab", "raw/d/e/f", "raw/d")] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert not is_chosen(frozenset())("a")
    assert is_chosen(None)("a")
    check_only(frozenset({"raw/a"}), "raw/")
    check_only(frozenset({"a"}), "")
    for path, prefix in (("a", "raw/"), ("", "")):
        with pytest.raises(ValueError, match="only has paths of objects under"):
            check_only(frozenset({path}), prefix)
