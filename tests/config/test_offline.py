"""Work without a server: what makes a client offline, and the size of the cache of snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings, resolve
from lakefs_hl.spec.errors import InvalidConfigError


def settled(variables: dict[str, str], **options: Any) -> Settings:
    return resolve(ClientOptions(host="mem://", **options), variables)


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_the_variable_switches_a_client_offline(value: str) -> None:
    found = settled({"LAKEFS_HL_OFFLINE": value})
    assert found.offline == f"LAKEFS_HL_OFFLINE={value}"
    assert ("offline", "True", "LAKEFS_HL_OFFLINE") in found.sources


@pytest.mark.parametrize("value", ["0", "false", "No", "off"])
def test_and_does_not(value: str) -> None:
    found = settled({"LAKEFS_HL_OFFLINE": value})
    assert found.offline == ""
    assert ("offline", "False", "LAKEFS_HL_OFFLINE") in found.sources


def test_without_it_nothing_is_said() -> None:
    for variables in ({}, {"LAKEFS_HL_OFFLINE": ""}):
        found = settled(variables)
        assert (found.offline, found.cache_size) == ("", None)
        assert not {one.setting for one in found.sources} & {"offline", "cache_size"}


def test_an_argument_wins() -> None:
    assert settled({"LAKEFS_HL_OFFLINE": "1"}, offline=False).offline == ""
    found = settled({"LAKEFS_HL_OFFLINE": "0"}, offline=True)
    assert found.offline == "offline=True"
    assert ("offline", "True", "keyword arguments") in found.sources


def test_any_other_value_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match="LAKEFS_HL_OFFLINE='maybe': must be 1 or 0"):
        settled({"LAKEFS_HL_OFFLINE": "maybe"})
    with pytest.raises(TypeError, match="offline"):
        settled({}, offline="maybe")


def test_the_size_of_the_cache() -> None:
    found = settled({"LAKEFS_HL_CACHE_SIZE": "2GiB"})
    assert found.cache_size == 2 << 30
    assert ("cache_size", str(2 << 30), "LAKEFS_HL_CACHE_SIZE") in found.sources
    assert settled({"LAKEFS_HL_CACHE_SIZE": "2GiB"}, cache_size="1kB").cache_size == 1000
    assert settled({}, cache_size=0).cache_size == 0
    with pytest.raises(InvalidConfigError, match="LAKEFS_HL_CACHE_SIZE='much': must be a number of bytes"):
        settled({"LAKEFS_HL_CACHE_SIZE": "much"})
