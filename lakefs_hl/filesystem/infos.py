"""Objects, directories, references and repositories as the dictionaries of fsspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakefs_hl import CommonPrefix, ObjectInfo


def of_object(root: str, info: ObjectInfo) -> dict[str, Any]:
    """Return an object as a dictionary.

    Args:
        root: Name of the reference, with a slash at its end.
        info: The object, loaded.
    """
    modified = info.modified_time
    return {
        "name": root + info.path,
        "size": info.size_bytes,
        "type": "file",
        "mtime": int(modified.timestamp()),
        "created": modified,
        "modified": modified,
        "checksum": info.checksum,
        "ETag": f'"{info.checksum}"',
        "content-type": info.content_type,
        "metadata": info.metadata,
    }


def of_directory(name: str) -> dict[str, Any]:
    """Return a directory as a dictionary. It is virtual: it has no size, no times and no content of its own."""
    return {"name": name, "size": 0, "type": "directory"}


def of_entry(root: str, entry: ObjectInfo | CommonPrefix) -> dict[str, Any]:
    """Return an entry of a listing with a delimiter as a dictionary."""
    if entry.type == "object":
        return of_object(root, entry)  # type: ignore[arg-type]  # `type` tells the two apart without an import
    return of_directory(root + entry.path.rstrip("/"))
