"""Tags of objects: kept in one key of the user metadata, as ASCII JSON; and the calls that read and change them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import objects, tagging
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.headers import OBJECT_TAGS
from lakefs_hl.spec.uri import object_uri


def encode(tags: object, argument: str = "tags") -> str:
    """Return tags as the value of their metadata key. Other characters than ASCII are escaped: headers carry it.

    Raises:
        TypeError: They are not a mapping of strings to strings.
        ValueError: A name is empty.
    """
    found = arguments.metadata(tags, argument)
    if "" in found:
        msg = f"{argument}: the name of a tag must not be empty"
        raise ValueError(msg)
    return json.dumps(found, separators=(",", ":"), sort_keys=True)


def decode(metadata: Mapping[str, str] | None, uri: str) -> dict[str, str]:
    """Return the tags in the metadata of an object.

    Raises:
        ValueError: Another program has written something else under their key.
    """
    text = (metadata or {}).get(OBJECT_TAGS)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, or too deep
        found = None
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    msg = (
        f"the metadata key {OBJECT_TAGS!r} of {uri} is not a JSON object of strings: another program has written it; "
        "set_tags() and delete_tags() replace it"
    )
    raise ValueError(msg)


def with_tags(metadata: Mapping[str, str] | None, tags: object, argument: str = "tags") -> Mapping[str, str] | None:
    """Return user metadata with tags. Without tags, or with none of them, it is returned as it is.

    Raises:
        TypeError: The tags are not a mapping of strings to strings.
        ValueError: The metadata has tags too.
    """
    if tags is None:
        return metadata
    encoded = encode(tags, argument)
    if metadata is not None and OBJECT_TAGS in (key.lower() for key in metadata):
        msg = f"{argument} and the metadata key {OBJECT_TAGS!r} are two ways to give the tags; give one of them"
        raise ValueError(msg)
    return {**(metadata or {}), OBJECT_TAGS: encoded} if encoded != "{}" else metadata


# -- calls -------------------------------------------------------------------------------------------------------------


def get_tags(session: Session, at: Handle, path: object) -> Op[dict[str, str]]:
    """Look up the tags of an object."""
    return _get(session, at, paths.path(path, at))


def _get(session: Session, at: Handle, path: str) -> Op[dict[str, str]]:
    record = yield from objects.stat(session, at._repository_id, at._id, path)
    return decode(record.metadata, object_uri(at._repository_id, at._id, path))


def set_tags(session: Session, at: Handle, path: object, tags: object) -> Op[None]:
    """Replace the tags of an object."""
    text = encode(tags)
    found = paths.path(path, at)
    return tagging.change(session, at._repository_id, at._id, found, text if text != "{}" else None)


def delete_tags(session: Session, at: Handle, path: object) -> Op[None]:
    """Remove the tags of an object."""
    return tagging.change(session, at._repository_id, at._id, paths.path(path, at), None)
