"""Calls that make links, and that finish uploads by others, with every fault: on a served lake with `--presign`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

import lakefs_hl
from tests import serving
from tests.faults.catalogue import KINDS, fits
from tests.faults.matrix import COLOURS, Case, run_all
from tests.faults.operations import NEW, SMALL, Ground, Operation, Place
from tests.faults.proxy import proxied
from tests.transport.peers import Peer
from tests.worlds import World

pytestmark = pytest.mark.filterwarnings("ignore:.*is left over:RuntimeWarning")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.running(tmp_path_factory.mktemp("links") / "lake", arguments=["--presign"]) as served:
        yield served


class ReadLink(Operation):
    """The link goes to the proxy, which names itself as the host: the server is asked directly."""

    name, kind, sends = "link to read", "A", ("readLink",)

    def act(self, world: World, at: Place) -> Any:
        return world.repository(at.repo.id).branch("main").presign("small", 600).url

    def right(self, at: Place, result: Any) -> bool:
        with urlopen(f"{at.ground.client.endpoint}/_object?{result.partition('?')[2]}", timeout=30) as response:
            return bool(response.read() == SMALL)


class WriteLink(Operation):
    name, kind, sends = "link to write", "A", ("writeLink",)

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)

    def act(self, world: World, at: Place) -> Any:
        return world.repository(at.repo.id).branch(at.name).presign("new", 600, method="PUT").url

    def right(self, at: Place, result: Any) -> bool:
        url = f"{at.ground.client.endpoint}/_object?{result.partition('?')[2]}"
        urlopen(Request(url, NEW, method="PUT"), timeout=30).close()
        return at.content("new") == NEW


class RequestUpload(Operation):
    name, kind, sends = "request an upload", "A", ("getPhysicalAddress",)

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)

    def act(self, world: World, at: Place) -> Any:
        return world.repository(at.repo.id).branch(at.name).presign_upload("new").physical_address

    def right(self, at: Place, result: Any) -> bool:
        return "/data/" in result


class Finish(Operation):
    name, kind, sends, calls = "finish an upload", "W", ("received", "linkPhysicalAddress"), 2

    def prepare(self, at: Place) -> None:
        at.make_branch(at.ground.last)
        self._physical: dict[str, Any] = getattr(self, "_physical", {})
        upload = at.branch.presign_upload("new")
        urlopen(Request(upload.url, NEW, method="PUT"), timeout=30).close()
        self._physical[at.name] = (upload._options, upload.physical_address)

    def act(self, world: World, at: Place) -> Any:
        options, address = self._physical[at.name]
        branch = world.module.Branch(at.repo.id, at.name, world.client)
        upload = world.module.PresignedUpload(branch, options, None, (address, {}))
        return world.settle(world.settle(upload).finish()).checksum

    def applied(self, at: Place) -> int:
        return int(at.content("new") == NEW)

    def right(self, at: Place, result: Any) -> bool:
        return bool(at.branch.stat_object("new").checksum == result)


@pytest.mark.parametrize("operation", [ReadLink(), WriteLink(), RequestUpload(), Finish()], ids=lambda each: each.name)
def test_every_call_reports_correctly(
    operation: Operation, lake: serving.Served, tmp_path: Path, elsewhere: Peer
) -> None:
    with lakefs_hl.Client(lake.url, lake.key, lake.secret) as client:
        ground = Ground(client, f"links-{secrets.token_hex(4)}", tmp_path)
        cases = [Case(operation, kind) for kind in KINDS if fits(operation, kind) and kind.row != "F15"]
        wrong = run_all(cases, lake, ground, COLOURS, elsewhere.url + "/")
    assert not elsewhere.asked, "followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)
    assert len(cases) > 20


def test_a_server_whose_header_a_proxy_drops_is_taken_for_lakefs(lake: serving.Served) -> None:
    """The link is then one of its store, for as long as the server gives it."""
    with lakefs_hl.Client(lake.url, lake.key, lake.secret) as client:
        name = f"links-{secrets.token_hex(4)}"
        lakefs_hl.repository(name, client=client).create().branch("main").upload(b"content", "a")
    with proxied(lake.url, foreign=True) as proxy:
        with lakefs_hl.Client(proxy.url, lake.key, lake.secret) as client:
            link = lakefs_hl.repository(name, client=client).branch("main").presign("a", via="server")
    with urlopen(f"{lake.url}/_content?{link.url.partition('?')[2]}", timeout=30) as response:
        assert response.read() == b"content"
