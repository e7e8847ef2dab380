"""Calls that write objects, on branches and in transactions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import new_op_id
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl._handles.paths import Item
from lakefs_hl._handles.tagging import with_tags
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import tagging, upload
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.wire import FileSlice


class Upload:
    """An upload whose arguments are checked; the body, which may take long to read, is still to come.

    Args:
        at: Where to write.
        path: Destination path.
        content_type: Media type.
        metadata: User metadata.
        if_none_match: Create only.
        pre_signed: Whether to use a pre-signed URL; None lets the server's capabilities decide.
        tags: Tags.
    """

    def __init__(
        self,
        at: Handle,
        path: object,
        content_type: object,
        metadata: Mapping[str, str] | None,
        if_none_match: object,
        pre_signed: object,
        tags: object = None,
    ) -> None:
        self._branch = at._id
        self._create_only = arguments.flag(if_none_match, "if_none_match")
        self._call = partial(
            upload.upload,
            repository=at._repository_id,
            path=paths.path(path, at),
            content_type=arguments.optional_text(content_type, "content_type"),
            metadata=with_tags(arguments.user_metadata(metadata), tags),
            create_only=self._create_only,
            pre_signed=arguments.optional_flag(pre_signed, "pre_signed"),
        )

    def of(self, session: Session, body: bytes | FileSlice, branch: str = "") -> Op[ObjectStats]:
        """Write the object, to another branch than its own if one is given."""
        op_id = new_op_id() if self._create_only else ""
        return self._call(session, branch=branch or self._branch, body=body, op_id=op_id)


def copy(
    session: Session, at: Handle, from_reference: object, from_path: object, to_path: object, shallow: object
) -> Op[ObjectStats]:
    """Copy an object on the server."""
    source = reference_name(from_reference, "from_reference", at)
    path = paths.path(from_path, Handle(at._repository_id, source), "from_path", at=at)
    to = path if to_path is None else paths.path(to_path, at, "to_path")
    shared = arguments.flag(shallow, "shallow")
    return ops.copy(session, at._repository_id, at._id, to, source, path, shallow=shared)


def move(session: Session, at: Handle, from_path: object, to_path: object) -> Op[ObjectStats]:
    """Move an object within a branch."""
    source, to = paths.object_path(from_path, at, "from_path"), paths.object_path(to_path, at, "to_path")
    return ops.move(session, at._repository_id, at._id, source, to)


def destination_name(destination: object, at: Handle) -> str:
    """Return the name of the branch to copy to.

    Raises:
        TypeError: It is neither the name of a branch nor a branch.
        ValueError: It is in another repository or lake, or it is a path: no branch has a slash in its name.
    """
    name = reference_name(destination, "destination", at)
    if "/" in name:
        msg = f"destination must be a branch, and {name!r} is a path; the branch comes first: copy_to(branch, path)"
        raise ValueError(msg)
    return name


def copy_to(session: Session, to: Handle, item: Item, path: object, shallow: object) -> Op[ObjectStats]:
    """Copy an object that was listed to another branch of its repository."""
    found = item.path if path is None else paths.path(path, to)
    shared, at = arguments.flag(shallow, "shallow"), item._reference
    return ops.copy(session, to._repository_id, to._id, found, at._id, item.path, shallow=shared)


def set_metadata(session: Session, at: Handle, path: object, metadata: object) -> Op[None]:
    """Replace the user metadata of an object."""
    kept = arguments.user_metadata(arguments.metadata(metadata)) or {}
    return tagging.replace_metadata(session, at._repository_id, at._id, paths.path(path, at), kept)
