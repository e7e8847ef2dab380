"""Snapshots that are interrupted: nothing of them is left, or they are complete."""

from __future__ import annotations

from typing import Any

import pytest

import lakefs_hl


class Interrupting:
    """A transport that is interrupted, before or after a request is sent.

    Args:
        inner: The transport.
        at: Number of the request.
        after: Whether it was sent.
    """

    fan_out = 1

    def __init__(self, inner: Any, at: int, *, after: bool) -> None:
        self._inner = inner
        self._at = at
        self._after = after
        self.count = 0

    def send(self, *args: Any) -> Any:
        self.count += 1
        if self.count == self._at and not self._after:
            raise KeyboardInterrupt
        response = self._inner.send(*args)
        if self.count == self._at:
            raise KeyboardInterrupt
        return response

    def close(self) -> None:
        self._inner.close()


def state(repository: lakefs_hl.Repository) -> dict[str, bytes]:
    main = repository.branch("main")
    return {row.path: main.download(row.path) for row in main.list_objects(recursive=True)}


@pytest.mark.parametrize("after", [False, True])
def test_an_interruption_at_every_request(after: bool) -> None:
    from lakefs_hl.transport.blocking import Blocking

    complete = 0
    for at in range(1, 40):
        with lakefs_hl.Client("mem://") as client:
            repository = lakefs_hl.repository("example", client=client).create()
            main = repository.branch("main")
            main.upload(b"old", "a")
            main.upload(b"gone", "b")
            main.commit_changes("base")
            main.upload(b"new", "a")
            main.upload(b"c", "c")
            main.delete_objects("b")
            before = state(repository)
            transport = Interrupting(client._transport, at, after=after)
            client._transport, driver = transport, client._driver
            client._driver = client._blocking = Blocking(transport)
            try:
                repository.create_snapshot("s")
            except KeyboardInterrupt:
                pass
            else:
                complete += transport.count < at
            client._driver = client._blocking = driver
            assert [branch.id for branch in repository.list_branches(hidden=True)] == ["main"], at
            assert state(repository) == before
            assert [change.type for change in main.list_uncommitted()] == ["changed", "removed", "added"]
            tags = [tag.id for tag in repository.list_tags()]
            assert tags == [tag.id for tag in repository.snapshots()]
            if tags:
                tag = repository.tag("s")
                assert {row.path: tag.download(row.path) for row in tag.list_objects(recursive=True)} == before
    assert complete > 10, "the last interruptions come after the end"
