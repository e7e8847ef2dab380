"""What is searched of repositories, objects and commits of either colour, as texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lakefs_hl.facades.index import COMMIT, OF_COMMIT, OF_OBJECT, OF_REPOSITORY, PATH, REPOSITORY, Item

#: Name of the objects whose content is metadata: that of a dataset.
DATASET: Final = "_dataset.json"
#: Largest content of such an object that is searched, in bytes.
MAX_DATASET: Final = 1 << 20
#: Most characters of a message, or of metadata, that are searched.
MAX_TEXT: Final = 1 << 16
#: Keys of metadata that programs write for themselves.
_INTERNAL: Final = ("lakefs_hl.", "::lakefs::")


def of_repository(name: str, info: str) -> list[Item]:
    """Return the items of a repository itself.

    Args:
        name: Its name.
        info: Its metadata, as a text.
    """
    return [Item(REPOSITORY, name, name), *_metadata(OF_REPOSITORY, name, info)]


def of_objects(infos: Iterable[Any], datasets: Mapping[str, str]) -> list[Item]:
    """Return the items of objects.

    Args:
        infos: The objects.
        datasets: Path of an object -> what is searched of its content.
    """
    items = list[Item]()
    for info in infos:
        path, metadata = info.path, info.metadata
        items.append(Item(PATH, path))
        if metadata or path in datasets:
            items += _metadata(OF_OBJECT, path, "\n".join([of_metadata(metadata), datasets.get(path, "")]).strip())
    return items


def of_commit(commit: Any) -> list[Item]:
    """Return the items of a commit."""
    fields = commit.to_dict()
    metadata = of_metadata(fields["metadata"])
    return [Item(COMMIT, commit.id, commit.message[:MAX_TEXT]), *_metadata(OF_COMMIT, commit.id, metadata)]


def _metadata(kind: int, key: str, text: str) -> list[Item]:
    return [Item(kind, key, text)] if text else []


def of_metadata(metadata: Mapping[str, str]) -> str:
    """Return metadata as lines of a key and its value. Keys of programs are left out."""
    lines = (f"{key}: {value}" for key, value in sorted(metadata.items()) if not key.startswith(_INTERNAL))
    return "\n".join(lines)[:MAX_TEXT]


def is_dataset(info: Any) -> bool:
    """Return whether the content of an object is searched as metadata."""
    path: str = info.path
    return path.rpartition("/")[2] == DATASET and bool(info.size_bytes <= MAX_DATASET)


def of_dataset(content: bytes) -> str:
    """Return the texts of a JSON document, as lines of a key and its value. "" if it is no JSON."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    return "\n".join(_lines(found))[:MAX_TEXT]


def _lines(document: Any) -> Iterator[str]:
    """Yield the values of a document in order, each with its key."""
    left: list[tuple[str, Any]] = [("", document)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += [(str(name), value[name]) for name in reversed(value)]
        elif isinstance(value, list):
            left += [(key, each) for each in reversed(value)]
        elif value is not None:
            yield f"{key}: {value}" if key else str(value)
