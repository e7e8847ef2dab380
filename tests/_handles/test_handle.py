"""Handles: identity, printing, and what is accepted as a reference or a client."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl._handles.handle import Handle, check_place, optional_reference_name, own_client, reference_name

COMMIT = "a" * 64


def test_a_handle_is_its_place() -> None:
    handle = Handle("example", "main")
    assert (handle.repository_id, handle.id, handle.uri) == ("example", "main", "lakefs://example/main/")
    assert repr(handle) == "<Handle lakefs://example/main/>"
    assert handle._repr_html_() == "<b>Handle</b> <code>lakefs://example/main/</code>"
    assert Handle("example", "lakefs://example/main").id == "main"


@pytest.mark.parametrize(("repository", "reference"), [("", "main"), ("example", ""), ("example", 1)])
def test_a_bad_name_is_refused_and_the_handle_still_prints(repository: Any, reference: Any) -> None:
    handle = object.__new__(Handle)
    with pytest.raises((ValueError, TypeError)):
        handle.__init__(repository, reference)  # type: ignore[misc]
    assert repr(handle).startswith("<Handle lakefs://")


def test_handles_are_equal_by_class_place_and_client(lake: lakefs_hl.Client) -> None:
    main = lakefs_hl.Branch("example", "main", lake)
    assert main == lakefs_hl.Branch("example", "main", lake)
    assert hash(main) == hash(lakefs_hl.Branch("example", "main", lake))
    others: list[Any] = [
        lakefs_hl.Branch("example", "dev", lake),
        lakefs_hl.Branch("other-one", "main", lake),
        lakefs_hl.Branch("example", "main"),
        lakefs_hl.Tag("example", "main", lake),
        "main",
    ]
    assert [other for other in others if other == main] == []
    assert copy.copy(main) == main
    default = lakefs_hl.Branch("example", "main")
    assert pickle.loads(pickle.dumps(default)) == default


def test_a_commit_is_the_same_through_clients_of_one_lake(lake: lakefs_hl.Client) -> None:
    one = lakefs_hl.Reference("example", COMMIT, lake)
    assert one == lakefs_hl.Reference("example", COMMIT, lake.with_options(timeout=5))
    assert one != lakefs_hl.Reference("example", COMMIT, lakefs_hl.Client("mem://"))


def test_a_reference_is_a_name_a_uri_or_a_handle() -> None:
    place = lakefs_hl.Branch("example", "main")
    for given in ("dev", "lakefs://example/dev", lakefs_hl.Branch("example", "dev"), aio.Branch("example", "dev")):
        assert reference_name(given, "source", place) == "dev"
    assert optional_reference_name(None, "source", place) is None
    with pytest.raises(TypeError, match="source must be the name of a reference or a reference, not int: 1"):
        reference_name(1, "source", place)
    with pytest.raises(ValueError, match="source"):
        reference_name("", "source", place)


def test_a_handle_of_another_repository_is_refused() -> None:
    with pytest.raises(ValueError, match="other-one"):
        check_place(lakefs_hl.Branch("other-one", "dev"), "source", lakefs_hl.Branch("example", "main"))


def test_a_handle_of_another_lake_is_refused(lake: lakefs_hl.Client) -> None:
    with lakefs_hl.Client("mem://") as other:
        theirs = lakefs_hl.Branch("example", "dev", other)
        with pytest.raises(ValueError, match=r"source: <Branch .*> is on mem://.*, and this call is made on mem://"):
            check_place(theirs, "source", lakefs_hl.Branch("example", "main", lake))
    check_place(lakefs_hl.Branch("example", "dev", lake), "source", lakefs_hl.Branch("example", "main", lake))


def test_a_client_has_the_colour_of_its_handle(lake: lakefs_hl.Client) -> None:
    assert own_client(None, lakefs_hl.Client) is None
    assert own_client(lake, lakefs_hl.Client) is lake
    with pytest.raises(TypeError, match=r"client must be a lakefs_hl\.aio\.Client, not a lakefs_hl\.Client"):
        own_client(lake, aio.Client)


def test_something_else_as_a_client_is_not_repeated() -> None:
    with pytest.raises(TypeError, match=r"client must be a lakefs_hl\.Client or None, not str") as caught:
        own_client("s3cr3t", lakefs_hl.Client)
    assert "s3cr3t" not in str(caught.value)
