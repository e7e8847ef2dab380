"""The calls of pyarrow by which Ray Data reads, and the pickles that it sends: tried without Ray, which is large."""

from __future__ import annotations

import importlib
import importlib.util
import pickle

import pytest

import lakefs_hl
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("pandas", "pyarrow", "fsspec")

import pandas as pd
import pyarrow.fs as arrow
from pyarrow import parquet

PICKLES = [name for name in ("pickle", "cloudpickle") if importlib.util.find_spec(name)]


@pytest.mark.parametrize("name", PICKLES)
def test_what_ray_calls(lake: Lake, name: str) -> None:
    branch = lakefs_hl.Branch(lake.branch.repository_id, "main", lake.client.delegate())
    for part in range(2):
        frame = pd.DataFrame({"number": range(part * 100, part * 100 + 100)})
        frame.to_parquet(f"{lake.uri}/t/{part}.parquet", storage_options=lake.options)
    branch.commit_changes("a table")
    version = branch.pin()
    # the driver wraps what it is given, and strips the scheme; tasks get both as a pickle
    wrapped = arrow.PyFileSystem(arrow.FSSpecHandler(version.fs()))
    pickles = importlib.import_module(name)
    data = pickles.dumps((wrapped, f"{version.repository_id}/{version.id}/t"))
    assert lake.options.get("password", "no secret").encode() not in data
    fs, path = pickle.loads(data)
    again, _ = pickle.loads(data)
    assert again.handler.fs is fs.handler.fs  # tasks in one process share connections
    # 1: what is there
    infos = fs.get_file_info(arrow.FileSelector(path, recursive=True))
    assert [info.path for info in infos] == [f"{path}/0.parquet", f"{path}/1.parquet"]
    assert all(info.is_file and info.size > 0 for info in infos)
    # 2: the schema and the row groups
    table = parquet.ParquetDataset([info.path for info in infos], filesystem=fs)
    assert table.schema.names == ["number"]
    assert sum(fragment.metadata.num_rows for fragment in table.fragments) == 200
    # 3: the content
    with fs.open_input_file(infos[1].path) as file:
        assert parquet.read_table(file)["number"].to_pylist() == list(range(100, 200))
    assert table.read()["number"].to_pylist() == list(range(200))
