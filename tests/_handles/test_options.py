"""`with_options` makes a copy and leaves the handle as it is."""

from __future__ import annotations

from typing import Any

from lakefs_hl._handles.options import Optioned


class OfDefault:
    def __init__(self, options: Any) -> None:
        self.options = options


class Client:
    def __init__(self, options: Any = None) -> None:
        self.options = options

    def _with(self, options: Any) -> Client:
        return Client(options)


class Handle(Optioned):
    _of_default = OfDefault

    def __init__(self, client: Any) -> None:
        self.name = "main"
        self._given = client


WANTED = {"timeout": 5, "connect_timeout": None, "deadline": None, "max_concurrency": None, "retries": 0}
WANTED["create_repositories"] = None


def test_a_handle_with_a_client_gets_a_copy_of_that_client() -> None:
    client = Client()
    handle = Handle(client)
    changed = handle.with_options(timeout=5, retries=0)
    assert (changed.name, changed._given.options) == ("main", WANTED)
    assert type(changed._given) is Client
    assert handle._given is client


def test_a_handle_without_one_follows_the_default_client() -> None:
    changed = Handle(None).with_options(timeout=5, retries=0)
    assert type(changed._given) is OfDefault
    assert changed._given.options == WANTED
