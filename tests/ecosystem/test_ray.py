"""Ray Data over `lakefs://`, and tasks of Ray that write one transaction."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests import workers
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("ray", "pandas", "pyarrow", "psutil")

import pandas as pd
import psutil

#: Ray reads these when it is loaded. The second makes it listen on loopback, as it does on Windows and macOS: on Linux
#: it else replaces 127.0.0.1 by the address of the machine.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray writes one to the home directory
    "RAY_worker_niceness": "0",
    "RAY_idle_worker_killing_time_threshold_ms": "600000",  # a worker takes seconds to start
}
with pytest.MonkeyPatch.context() as loading:
    for setting, value in SETTINGS.items():
        loading.setenv(setting, value)
    import ray
    import ray.data

pytestmark = [
    pytest.mark.filterwarnings("ignore:`use_.* is deprecated:DeprecationWarning"),  # settings that Ray sets itself
    pytest.mark.timeout(300),
]
ROWS = 200


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray with two processors on loopback, without dashboard and reports of usage."""
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in SETTINGS.items():
            patch.setenv(setting, value)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
        given: dict[str, Any] = {"_temp_dir": str(tmp_path_factory.mktemp("r")), "_node_ip_address": "127.0.0.1"}
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100_000_000,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **given,
        )
        try:
            yield
        finally:
            ray.shutdown()


def write(handle: lakefs_hl.TransactionHandle, number: int) -> str:
    """Write one part."""
    return handle.upload(b"%d" % number, f"parts/{number:03}").path


def test_ray_listens_on_loopback_only(started: None) -> None:
    """Whoever reaches its ports runs code."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {
        (process.name(), socket.laddr.ip)
        for process in processes
        for socket in process.net_connections("tcp")
        if socket.status == psutil.CONN_LISTEN
    }
    assert {"raylet", "gcs_server"} <= {name for name, _ in listening}
    assert {address for _, address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, listening


def test_ray_reads_and_writes(lake: Lake, started: None) -> None:
    branch = lakefs_hl.Branch(lake.branch.repository_id, "main", lake.client.delegate())
    for part in range(2):
        frame = pd.DataFrame({"number": range(part * 100, part * 100 + 100), "part": part})
        frame.to_parquet(f"{lake.uri}/t/{part}.parquet", storage_options=lake.options)
    version = branch.commit_changes("a table")
    branch.upload(b"no table", "t/2.parquet")  # not part of the version
    read = ray.data.read_parquet(f"{version.uri}t/", filesystem=version.fs())
    assert sorted(row["number"] for row in read.iter_rows()) == list(range(ROWS))
    branch.reset()
    before = version.id
    with branch.transaction("by Ray") as tx:
        task = ray.remote(write)
        paths = ray.get([task.remote(tx.handle(), number) for number in range(8)])
        read.map_batches(lambda batch: {"double": batch["number"] * 2}).write_parquet(tx.uri("out"), filesystem=tx.fs())
        assert not branch.is_dir("parts")
    assert [info.path for info in branch.list_objects(prefix="parts/")] == paths
    again = ray.data.read_parquet(branch.pin().uri + "out", filesystem=branch.fs())
    assert sorted(row["double"] for row in again.iter_rows()) == list(range(0, 2 * ROWS, 2))
    assert len([commit for commit in branch.log(stop_at=before) if commit.id != before]) == 2  # and the merge
    workers.check_no_branch_is_left(branch)
