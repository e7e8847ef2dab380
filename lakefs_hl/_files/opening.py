"""Arguments of `open()`, and opening of blocking files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from lakefs_hl._files import reader, unclosed
from lakefs_hl._files.modes import Text, check_text, split_mode
from lakefs_hl._files.place import Place
from lakefs_hl._files.writer import ObjectWriter, TextWriter
from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl.spec import arguments


class Plan(NamedTuple):
    """How to open an object.

    Attributes:
        place: The reference.
        path: Path of the object.
        mode: The mode, as it was given.
        action: "r", "w" or "x".
        is_text: Whether the file is a text file.
        text: Encoding and the like.
        pre_signed: Whether to use a pre-signed URL; None lets the server's capabilities decide.
        buffering: Size of a reader's buffer in bytes; -1 for the default.
        content_type: Media type of a written object. Defaults to the type of the path's suffix.
        metadata: User metadata of a written object.
    """

    place: Place
    path: str
    mode: str
    action: str
    is_text: bool
    text: Text
    pre_signed: bool | None
    buffering: int
    content_type: str | None
    metadata: dict[str, str] | None


def plan(
    place: Place,
    path: object,
    mode: object,
    pre_signed: object,
    *,
    writable: bool,
    encoding: object = None,
    errors: object = None,
    newline: object = None,
    buffering: object = -1,
    content_type: object = None,
    metadata: Mapping[str, str] | None = None,
) -> Plan:
    """Check the arguments of `open()`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: There is no such mode, or an option does not fit the mode.
    """
    found, chosen = paths.path(path, cast("Handle", place)), arguments.text(mode, "mode")
    text = Text(*arguments.text_options(encoding, errors, newline))
    signed, size = arguments.optional_flag(pre_signed, "pre_signed"), arguments.integer(buffering, "buffering")
    action, is_text = split_mode(chosen, writable=writable)
    check_text(text, chosen, is_text=is_text)
    if action == "r" and (content_type is not None or metadata is not None):
        msg = f"content_type and metadata are for writing; mode is {mode!r}"
        raise ValueError(msg)
    if action == "r" and size == 0 and is_text:
        msg = "buffering=0 is for binary files only"
        raise ValueError(msg)
    kind = arguments.optional_text(content_type, "content_type")
    return Plan(place, found, chosen, action, is_text, text, signed, size, kind, arguments.user_metadata(metadata))


def open_here(plan: Plan, opened: unclosed.Opened | None = None) -> Any:
    """Open an object on this thread.

    Args:
        plan: The arguments of `open()`.
        opened: Where the caller's code opened the file, if the stack of this thread does not show it.
    """
    return _open_reader(plan) if plan.action == "r" else _open_writer(plan, opened or unclosed.find_open_call())


def _open_reader(plan: Plan) -> io.TextIOWrapper | io.BufferedReader | io.RawIOBase:
    raw = reader.RawReader(plan.place, plan.path, pre_signed=plan.pre_signed)
    if plan.buffering == 0:
        return raw
    buffered = io.BufferedReader(cast("Any", raw), plan.buffering if plan.buffering > 1 else reader.WINDOW)
    if not plan.is_text:
        return buffered
    text = plan.text
    return io.TextIOWrapper(cast("Any", buffered), text.encoding or "utf-8", text.errors, text.newline)


def _open_writer(plan: Plan, opened: unclosed.Opened) -> ObjectWriter | TextWriter:
    """Open an object for writing. "x" fails at once if the object exists, and at `close()` if it exists by then."""
    writer = ObjectWriter(
        plan.place,
        plan.path,
        create_only=plan.action == "x",
        pre_signed=plan.pre_signed,
        content_type=plan.content_type,
        metadata=plan.metadata,
        opened=opened,
    )
    writer._shown_mode = plan.mode
    if not plan.is_text:
        return writer
    text = plan.text
    try:
        return TextWriter(writer, text.encoding or "utf-8", text.errors, text.newline)
    except (LookupError, ValueError):  # no such encoding, no such newline
        writer.discard()
        raise
