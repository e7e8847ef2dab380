"""The methods of `InteractiveDataset` and `Datastore` of seed 001, as their users type them, in both colours.

The guide "Coming from Provena" maps the names. What lakeFS does not have raises, and names the nearest call.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl as lakefs
from lakefs_hl import aio, exceptions
from tests import serving
from tests.worlds import Settler, plainly

#: What `mint_dataset` takes in Provena: the name is nested.
COLLECTION_FORMAT = {
    "associations": {"organisation_id": "10378.1/1893860"},
    "approvals": {"ethics_registration": {"relevant": False, "obtained": False}},
    "dataset_info": {"name": "Reef temperatures", "description": "Hourly", "keywords": ["reef"], "version": None},
}
SCHEMA = {"type": "object", "required": ["dataset_info"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    served = serving.start(tmp_path_factory.mktemp("datasets") / "lake", arguments=["--presign"])
    yield served
    serving.stop(served)


@pytest.fixture(params=["blocking", "awaitable"])
def package(request: pytest.FixtureRequest, server: serving.Served) -> Iterator[Any]:
    """The package, its client and what settles a value of it."""
    given = (server.url, server.key, server.secret)
    if request.param == "blocking":
        with lakefs.Client(*given) as blocking:
            yield lakefs, blocking, plainly, "reef"
        return
    with asyncio.Runner() as runner:
        settle = Settler(runner)
        client = aio.Client(*given)
        yield aio, client, settle, "reef-aio"
        runner.run(client.close())


def test_every_method_of_the_seed(package: Any, tmp_path: Path) -> None:
    module, client, settle, name = package
    assert settle(module.health_check(client)).ok  # get_health_check

    ds = settle(module.dataset(name, client=client))  # interactive_dataset
    assert ds.validate_metadata(COLLECTION_FORMAT, SCHEMA) == []  # validate_dataset_metadata
    assert ds.validate_metadata({}, SCHEMA)[0].message == "'dataset_info' is a required property"
    minted = ds.mint(COLLECTION_FORMAT, schema=SCHEMA)  # mint_dataset
    assert re.fullmatch(f"lakefs://{name}@[0-9a-f]{{64}}", minted.id)

    fetched = settle(module.dataset(minted.id, client=client)).fetch()  # fetch_dataset(id)
    assert fetched.name == "Reef temperatures"
    assert fetched.metadata == json.loads(json.dumps(COLLECTION_FORMAT))

    source = tmp_path / "source"
    (source / "nested" / "deep").mkdir(parents=True)
    (source / "top.txt").write_text("top")
    (source / "nested" / "a.txt").write_text("a")
    (source / "nested" / "deep" / "b.txt").write_text("b")
    assert ds.upload_all(str(source)).transferred == 3  # upload_all_files
    assert ds.download_all(str(tmp_path / "all")).transferred == 3  # download_all_files
    ds.download("top.txt", str(tmp_path / "one"))  # download_specific_file
    ds.download("nested", str(tmp_path / "two"))
    ds.download("nested/", str(tmp_path / "three"))
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt") if source not in path.parents}
    assert found == {
        *("all/top.txt", "all/nested/a.txt", "all/nested/deep/b.txt"),
        "one/top.txt",
        *("two/nested/a.txt", "two/nested/deep/b.txt"),
        *("three/a.txt", "three/deep/b.txt"),
    }

    version = ds.version("First season")  # version, version_dataset
    assert (version.id.startswith(f"lakefs://{name}@"), version.job_session_id) == (True, None)

    changed = {**COLLECTION_FORMAT, "dataset_info": {"name": "Reef temperatures, corrected"}}
    updated = ds.update_metadata("Corrected", changed)  # update_dataset_metadata
    assert (updated.history_id, updated.reason, ds.info().name) == (2, "Corrected", "Reef temperatures, corrected")
    assert ds.revert_metadata(history_id=1, reason="The name was right").history_id == 3  # revert_dataset_metadata
    assert ds.info().name == "Reef temperatures"
    assert {path.name for path in (tmp_path / "all").rglob("*") if path.is_file()} == {"top.txt", "a.txt", "b.txt"}

    link = ds.presign("top.txt", 60)  # generate_dataset_presigned_url
    with urllib.request.urlopen(link.url, timeout=10) as response:
        assert response.read() == b"top"

    page = ds.console_url()  # the console of generate_read_access_credentials
    assert page.startswith(client.endpoint.split("/api/")[0])
    for call in (ds.read_credentials, ds.write_credentials):
        with pytest.raises(exceptions.UnsupportedOperationException, match=r"console_url\(\)"):
            call(console_session_required=True)
