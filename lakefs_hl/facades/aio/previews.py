"""What is read of an object for its preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lakefs_hl import exceptions
from lakefs_hl.facades import previews
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.previews import MOST, Preview, Source

if TYPE_CHECKING:
    from lakefs_hl import aio as lakefs

#: Bytes that are read first. They are enough for the first rows and lines of most objects.
_FIRST: Final = 64 << 10


async def preview(reference: lakefs.Reference, path: str) -> Preview:
    """Return the preview of an object; see `ObjectInfo.preview`.

    Raises:
        ObjectChangedError: The object was replaced while it was read.
    """
    before = await reference.stat_object(path)
    source = Source(before.uri, before.size_bytes, before.content_type or "")
    found = await _read(reference, path, source)
    after = await reference.stat_object(path)
    if (after.checksum, after.size_bytes) != (before.checksum, before.size_bytes):
        msg = f"preview of {source.uri}: the object was replaced while it was read; call it again"
        raise exceptions.ObjectChangedError(msg)
    return found


async def _read(reference: lakefs.Reference, path: str, source: Source) -> Preview:
    size = source.size
    if size <= _FIRST:  # whole, so that it is compared with its checksum; a range has none
        head = await reference.download(path) if size else b""
    else:
        head = await reference.download(path, start=0, end=_FIRST)
    if previews.is_parquet(source, head):
        return await _parquet(reference, path, source, head)
    if len(head) < size and previews.needs_more(source, head):
        head += await reference.download(path, start=len(head), end=min(MOST, size))
    return await threads.run(previews.preview_of, source, head)


async def _parquet(reference: lakefs.Reference, path: str, source: Source, head: bytes) -> Preview:
    """Return the preview of a Parquet file: its footer and the beginning of its first row group are read."""
    try:
        module: Any = await threads.run(previews.load_parquet)
    except ImportError:
        return previews.unread_parquet(source, head, "needs pyarrow: pip install 'lakefs-hl[tables]'")
    size = source.size
    tail = head if len(head) == size else await reference.download(path, start=max(0, size - _FIRST), end=size)
    footer = module.footer_size(tail)
    if not 12 <= footer <= min(size, MOST // 2):
        return previews.unread_parquet(source, head, "its footer is damaged or too large to read")
    if footer > len(tail):
        tail = await reference.download(path, start=size - footer, end=size)
    try:
        plan = await threads.run(module.plan, source, tail, MOST - len(head) - 2 * len(tail))
        wanted = plan is not None and plan.start < plan.end
        data = await reference.download(path, start=plan.start, end=plan.end) if wanted else b""
        found: Preview = await threads.run(module.preview, source, tail, plan, data)
    except module.ERRORS as exc:
        return previews.unread_parquet(source, head, f"damaged: {str(exc).partition(chr(10))[0]:.200}")
    return found
