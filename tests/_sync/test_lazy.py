"""Objects that are looked up when a property is read first."""

from __future__ import annotations

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._sync.lazy import delete_all


def test_an_object_is_looked_up_once_by_its_first_property(
    lake_branch: lakefs_hl.Branch, mocker: MockerFixture
) -> None:
    lake_branch.upload(b"content", "a")
    send = mocker.spy(type(lake_branch._client._transport), "send")
    info = lakefs_hl.ObjectInfo("example", "main", "a", lake_branch._client)
    assert (info.path, info.name) == ("a", "a")
    send.assert_not_called()
    assert (info.size_bytes, info.metadata) == (7, {})
    send.assert_called_once()


def test_an_object_that_does_not_exist_is_an_error_of_the_property(lake_branch: lakefs_hl.Branch) -> None:
    info = lakefs_hl.ObjectInfo("example", "main", "nothing", lake_branch._client)
    with pytest.raises(exceptions.ObjectNotFoundException):
        _ = info.size_bytes


def test_paths_are_deleted_as_they_are_read(lake_branch: lakefs_hl.Branch) -> None:
    for name in "abc":
        lake_branch.upload(b"", name)
    paths, failed = delete_all(lake_branch._client, lake_branch, iter("ab"))
    assert (paths.count, failed) == (2, [])
    assert [info.path for info in lake_branch.list_objects()] == ["c"]
