"""Branches, references, commits and transactions of both colours are what a file needs of a reference."""

from __future__ import annotations

from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl._files.place import FileClient, Place
from lakefs_hl.aio.default import of


@pytest.mark.parametrize("kind", ["Branch", "Reference", "Commit", "Tag"])
@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "awaitable"])
def test_a_reference_of_either_colour_is_a_place(module: Any, kind: str, lake: lakefs_hl.Client) -> None:
    client: Any = lake if module is lakefs_hl else of(lake)
    found: Any = module.repository("example", client=client).branch("main")
    assert hasattr(getattr(module, kind), "open")
    wanted = [*Place.__annotations__, "_client"]
    assert [name for name in wanted if not hasattr(found, name)] == []
    assert (found._repository_id, found._id) == ("example", "main")


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_a_client_of_either_colour_runs_the_ops_of_a_file(lake: lakefs_hl.Client, colour: str) -> None:
    client: FileClient = lake if colour == "blocking" else of(lake)
    assert client._in_process is True

    def call(session: Any, number: int) -> Any:
        yield from ()
        return number + 1

    assert client._run_here(call, 1) == 2
