"""Calls about access keys and tokens, with every fault: whatever becomes of a response, no secret is lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.spec.secret import reveal
from tests import serving
from tests.faults.catalogue import KINDS, fits
from tests.faults.matrix import COLOURS, Case, run_all
from tests.faults.operations import Ground, Operation, Place
from tests.faults.proxy import proxied
from tests.transport.peers import Peer
from tests.worlds import World, bare


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.running(tmp_path_factory.mktemp("keys") / "lake") as served:
        yield served


def keys_of(world: World) -> Any:
    return world.settle(world.settle(world.module.Admin(world.client)).credentials)


def _own(at: Place) -> lakefs_hl.CredentialsAdmin:
    return lakefs_hl.admin(at.ground.client).credentials


class CreateKey(Operation):
    name, kind, sends = "create a key", "B", ("createKey",)

    def act(self, world: World, at: Place) -> Any:
        return keys_of(world).create(at.name, repositories=[at.repo.id])

    def applied(self, at: Place) -> int:
        return sum(key.name == at.name for key in _own(at).list(prefix=at.name))

    def right(self, at: Place, result: Any) -> bool:
        with lakefs_hl.Client(at.ground.client.endpoint, result.id, result.secret_access_key) as client:
            return client.health_check().user == at.name


class DeleteKey(CreateKey):
    name, sends = "delete a key", ("deleteKey",)

    def prepare(self, at: Place) -> None:
        _own(at).create(at.name)

    def act(self, world: World, at: Place) -> Any:
        keys_of(world).delete(at.name)

    def applied(self, at: Place) -> int:
        return 1 - super().applied(at)

    def right(self, at: Place, result: Any) -> bool:
        return True


class GetKey(Operation):
    name, kind, sends = "look up a key", "A", ("getKey",)

    def act(self, world: World, at: Place) -> Any:
        return keys_of(world).get("admin").name

    def right(self, at: Place, result: Any) -> bool:
        return bool(result == "admin")


class ListKeys(GetKey):
    name, sends = "list keys", ("listKeys",)

    def act(self, world: World, at: Place) -> Any:
        return [key.name for key in keys_of(world).list(prefix="admin")][0]


class Token(Operation):
    name, kind, sends = "temporary token", "A", ("login",)

    def act(self, world: World, at: Place) -> Any:
        return world.settle(world.client.temporary_token(60)).token

    def right(self, at: Place, result: Any) -> bool:
        with lakefs_hl.Client(at.ground.client.endpoint, access_token=result) as client:
            return client.health_check().user == "admin"


class Delegate(Token):
    name = "delegate"

    def act(self, world: World, at: Place) -> Any:
        return bare(world.settle(world.client.delegate(60)))._options.access_token

    def right(self, at: Place, result: Any) -> bool:
        return super().right(at, reveal(result))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    "operation", [CreateKey(), DeleteKey(), GetKey(), ListKeys(), Token(), Delegate()], ids=lambda each: each.name
)
def test_every_call_reports_correctly(
    operation: Operation, colour: str, lake: serving.Served, tmp_path: Path, elsewhere: Peer
) -> None:
    with lakefs_hl.Client(lake.url, lake.key, lake.secret) as client:
        ground = Ground(client, f"keys-{secrets.token_hex(4)}", tmp_path)
        cases = [Case(operation, kind) for kind in KINDS if fits(operation, kind)]
        own = cases[COLOURS.index(colour) :: len(COLOURS)]
        wrong = run_all(own, lake, ground, [colour], elsewhere.url + "/")
        for key in lakefs_hl.admin(client).credentials.list(prefix="c"):
            lakefs_hl.admin(client).credentials.delete(key)
    assert not elsewhere.asked, "followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)
    assert len(own) > 10


def test_a_server_whose_header_a_proxy_drops_is_sent_nothing(lake: serving.Served) -> None:
    with proxied(lake.url, foreign=True) as proxy:
        with lakefs_hl.Client(proxy.url, lake.key, lake.secret) as client:
            keys = lakefs_hl.admin(client).credentials
            for call in (keys.create, lambda: keys.get("a"), lambda: keys.delete("a"), lambda: keys.list().head(1)):
                with pytest.raises(lakefs_hl.exceptions.UnsupportedOperationException, match="only `lakefs-hl serve`"):
                    call()
            with pytest.raises(lakefs_hl.exceptions.UnsupportedOperationException, match="leave out ttl"):
                client.temporary_token(60)
        assert {seen.operation for seen in proxy.seen} == {"getStorageConfig"}
