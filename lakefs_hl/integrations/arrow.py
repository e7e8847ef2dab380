"""pyarrow: a file system that is rooted at a reference, and datasets."""

from __future__ import annotations

from typing import Any

from lakefs_hl.integrations.filesystems import file_system
from lakefs_hl.integrations.missing import explain_missing


def arrow_filesystem(reference: Any) -> Any:
    """Return a file system of pyarrow whose paths are those of objects at the reference.

    Raises:
        ModuleNotFoundError: pyarrow or fsspec is not installed.
    """
    with explain_missing("arrow_filesystem()", "pyarrow", extra="tables"):
        from pyarrow import fs
    from lakefs_hl.integrations.handlers import Handler

    whole = fs.PyFileSystem(Handler(file_system(reference)))
    return fs.SubTreeFileSystem(f"{reference.repository_id}/{reference.id}", whole)


def arrow_dataset(reference: Any, path: str, format: Any, partitioning: Any, given: dict[str, Any]) -> Any:
    """Return a dataset of pyarrow: the objects under a prefix, or one object.

    Args:
        reference: The reference.
        path: The prefix, or the path of the object.
        format: Format of the objects.
        partitioning: How directories name columns.
        given: Further arguments of `pyarrow.dataset.dataset`.

    Raises:
        FileNotFoundError: There is no such object or prefix.
        ModuleNotFoundError: pyarrow or fsspec is not installed.
    """
    with explain_missing("arrow_dataset()", "pyarrow", extra="tables"):
        from pyarrow import dataset
    place = arrow_filesystem(reference)
    found = path.rstrip("/")
    try:
        return dataset.dataset(found, filesystem=place, format=format, partitioning=partitioning, **given)
    except FileNotFoundError as exc:
        if str(exc) != found:
            raise
        reference.get_commit()  # says so if it is the reference that does not exist
        msg = f"arrow_dataset of {reference.uri}{found}: no object has that path, and none is under it"
        raise FileNotFoundError(msg) from None  # the one of pyarrow consists of the path
