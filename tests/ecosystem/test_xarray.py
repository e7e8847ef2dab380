"""xarray: Zarr stores and netCDF files of a lake, with Dask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("dask", "fsspec", "h5netcdf", "h5py", "numpy", "xarray", "zarr")

import dask
import numpy as np
import xarray as xr

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part:UserWarning")  # a known gap


def made(first: int, count: int, scale: float = 1.0) -> xr.Dataset:
    """Some days of a field."""
    days = np.arange(first, first + count)
    values = scale * np.add.outer(days, np.arange(10.0))
    return xr.Dataset({"t": (("day", "x"), values, {"units": "K"})}, {"day": days, "x": np.arange(10)})


def test_a_store_is_written_appended_and_changed_by_regions(lake: Lake) -> None:
    branch = lake.branch
    with branch.transaction("first days") as tx:
        url = f"{tx.uri}field.zarr"
        made(0, 20).chunk({"day": 5}).to_zarr(url, mode="w", storage_options=lake.options)
        assert not branch.is_dir("field.zarr")
    first = branch.head()
    with branch.transaction("more days, and five of them again") as tx:
        url = f"{tx.uri}field.zarr"
        made(20, 5).to_zarr(url, append_dim="day", storage_options=lake.options)
        made(5, 5, scale=2.0).to_zarr(url, region="auto", storage_options=lake.options)
    second = branch.head()
    with dask.config.set(scheduler="threads"):
        with xr.open_zarr(f"{second.uri}field.zarr", storage_options=lake.options) as found:
            assert found["t"].chunks == ((5,) * 5, (10,))
            expected = xr.concat([made(0, 5), made(5, 5, 2.0), made(10, 15)], "day")
            xr.testing.assert_identical(found.load(), expected)
        with xr.open_zarr(f"{first.uri}field.zarr", chunks=None) as found:
            xr.testing.assert_identical(found.load(), made(0, 20))
        with xr.open_dataset(f"{first.uri}field.zarr", engine="zarr", chunks={}) as found:
            assert float(found["t"].sel(day=slice(3, 7)).mean("x").sum().compute()) == sum(range(3, 8)) + 5 * 4.5
    changed = {each.path.rpartition("/t/")[2] for each in first.diff(second, delimiter="") if "/t/" in each.path}
    assert changed == {"c/1/0", "c/4/0", "zarr.json"}


def test_netcdf_is_read_from_a_pinned_commit(lake: Lake, tmp_path: Path) -> None:
    branch = lake.branch
    for number in range(2):
        made(number * 10, 10).to_netcdf(tmp_path / f"{number}.nc", engine="h5netcdf")
        branch.upload_file(tmp_path / f"{number}.nc", f"nc/{number}.nc")
    commit = branch.commit_changes("two files")
    branch.upload(b"not netCDF", "nc/0.nc")
    with commit.open("nc/0.nc", "rb") as file, xr.open_dataset(file, engine="h5netcdf") as found:
        xr.testing.assert_identical(found.load(), made(0, 10))
    with xr.open_dataset(f"{commit.uri}nc/1.nc", engine="h5netcdf", storage_options=lake.options) as found:
        assert float(found["t"].sel(day=12, x=3)) == 15.0
    files: Any = [info.open("rb") for info in commit.list_objects(prefix="nc/", recursive=True)]  # type: ignore[union-attr]
    with dask.config.set(scheduler="threads"), xr.open_mfdataset(files, engine="h5netcdf", chunks={"day": 5}) as found:
        xr.testing.assert_identical(found.load(), made(0, 20))
    for file in files:
        file.close()
    with (
        branch.open("nc/0.nc", "rb") as file,
        pytest.raises(ValueError, match="not the signature of a valid netCDF4 file"),
    ):
        xr.open_dataset(file, engine="h5netcdf")


def test_netcdf_of_memory_is_uploaded(lake: Lake) -> None:
    lake.branch.upload(bytes(made(0, 3).to_netcdf(engine="h5netcdf")), "small.nc")
    with lakefs_hl.ref(lake.uri).open("small.nc", "rb") as file, xr.open_dataset(file, engine="h5netcdf") as found:
        xr.testing.assert_identical(found.load(), made(0, 3))
