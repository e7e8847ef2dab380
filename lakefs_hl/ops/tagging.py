"""Tags of objects. lakeFS replaces all metadata of an object at once, so a change of a part is read, change, write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lakefs_hl.ops import objects
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.headers import CONTENT_ENCODING, OBJECT_TAGS

#: What is no metadata of a user: without its encoding, an object could not be decoded any more.
_KEPT: Final = (OBJECT_TAGS, CONTENT_ENCODING)


def change(session: Session, repository: str, branch: str, path: str, tags: str | None) -> Op[None]:
    """Replace the tags of an object, and no other metadata of it. The last of several writers wins.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        tags: The value of their metadata key. None removes them.
    """
    before = yield from objects.stat(session, repository, branch, path)
    metadata = {key: value for key, value in (before.metadata or {}).items() if key != OBJECT_TAGS}
    if tags is not None:
        metadata[OBJECT_TAGS] = tags
    if metadata != (before.metadata or {}):
        yield from objects.set_metadata(session, repository, branch, path, metadata, before=before)


def replace_metadata(
    session: Session, repository: str, branch: str, path: str, metadata: Mapping[str, str]
) -> Op[None]:
    """Replace the user metadata of an object, except tags and encoding, unless the new metadata has them too."""
    before, wanted = None, dict(metadata)
    if not set(_KEPT) <= set(metadata):
        before = yield from objects.look(session, repository, branch, path)
        found = {} if before is None else before.metadata or {}
        wanted = {key: found[key] for key in _KEPT if key in found} | wanted
    yield from objects.set_metadata(session, repository, branch, path, wanted, before=before)
