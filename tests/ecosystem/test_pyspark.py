"""Python workers of Spark write one transaction and read one version, by handles that Spark sends them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests import workers
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import REQUIRED, needs

needs("pyspark", "pandas", "pyarrow")

import pandas as pd
from pyspark.sql import Row, SparkSession

pytestmark = [
    pytest.mark.skipif(
        shutil.which("java") is None and not os.environ.get(REQUIRED),
        reason="Spark needs Java; without it this fails in .ci/ecosystem",
    ),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Spark in this process group, with two threads, on loopback, without its web page."""
    folder = tmp_path_factory.mktemp("spark")
    root = str(Path(__file__).parent.parent.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
        builder: Any = SparkSession.builder
        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.local.dir": str(folder / "local"),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.memory": "512m",
            # a short life: compiling less takes less time than it wins
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.log.level": "ERROR",
        }
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.master("local[2]").appName("lakefs_hl").getOrCreate()
        try:
            yield session
        finally:
            session.stop()


def test_python_workers(lake: Lake, spark: SparkSession) -> None:
    branch = lakefs_hl.Branch(lake.branch.repository_id, "main", lake.client.delegate())
    for part in range(4):
        branch.upload(f"{part}\n{part + 10}\n", f"in/{part}.txt")
    before = branch.commit_changes("input").id
    version = branch.pin()
    branch.upload(b"999\n", "in/0.txt")  # not part of the version

    def read(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            texts = [version.download(path).decode() for path in frame["path"]]
            yield pd.DataFrame({"number": [int(line) for text in texts for line in text.split()]})

    paths = spark.createDataFrame([Row(path=info.path) for info in version.list_objects(prefix="in/")])
    numbers = paths.repartition(2).mapInPandas(read, "number long")
    assert sorted(row.number for row in numbers.collect()) == [0, 1, 2, 3, 10, 11, 12, 13]
    branch.reset()
    with branch.transaction("by Spark") as tx:
        handle = tx.handle()

        def write(rows: Iterator[Row]) -> None:
            found = sorted(row.number for row in rows)
            # named by what is in it: a task that Spark runs again writes the same object again
            handle.upload("".join(f"{number}\n" for number in found), f"out/{found[0]:05}")

        numbers.foreachPartition(write)
        assert not branch.is_dir("out")
    written = list(branch.list_objects(prefix="out/"))
    assert len(written) == 2
    lines = [int(line) for one in written for line in branch.download(one.path).split()]
    assert sorted(lines) == [0, 1, 2, 3, 10, 11, 12, 13]
    assert len([commit for commit in branch.log(stop_at=before) if commit.id != before]) == 2  # and the merge
    workers.check_no_branch_is_left(branch)
