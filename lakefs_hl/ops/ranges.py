"""One object in concurrent ranges of one version, each written to its place in one file.

A single connection is limited by the latency of its way, and by what a store gives to one connection. So a large object
begins with one range, whose speed once it comes decides: at `FAST` and more the rest comes in one response, because it
cannot come faster and is hashed while it arrives. Else it comes in ranges, and the hash follows the part of the file
that is complete.

Rules of the room: all ranges have the ETag of the first. A range that is interrupted is resumed by itself. The file
knows at any moment how much of it is complete, so that a later call can continue it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, Protocol

from lakefs_hl.ops import transfer
from lakefs_hl.ops.effects import Call, Op, gather_each
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice, Hash

#: Least number of missing bytes that are worth it.
LEAST: Final = 64 << 20
#: Length of the first range and of the others, in bytes.
FIRST: Final = 4 << 20
LENGTH: Final = 16 << 20
#: Ranges at a time.
WIDTH: Final = 8
#: Speed of the first range from which on one connection is enough, in bytes per second.
FAST: Final = 100e6


class File(Protocol):
    """A file that ranges are written to.

    Attributes:
        fd: Its descriptor.
        filled: Number of bytes that are complete, from its beginning.
    """

    fd: int
    filled: int

    def spread(self, hashed: Hash | None) -> None:
        """Prepare for ranges in any order. `hashed` is the hash of what is complete, if it goes on."""

    def land(self, start: int, end: int) -> None:
        """Take a range that was written. What is complete from the beginning is hashed. Thread-safe."""

    def collect(self) -> str | None:
        """End the writing of ranges, if all are there. Return the digits of the file's hash, if it was hashed."""


def read_rest(
    session: Session, place: tuple[str, str, str], size: int, file: File, first: transfer.Part
) -> Op[str | None]:
    """Read what a file lacks. Return the digits of its hash, if they are known.

    Args:
        session: The client's session.
        place: Repository ID, reference and path of the object.
        size: Size of the object in bytes.
        file: The file, which has the first range.
        first: The first range.

    Raises:
        ObjectChangedError: The object has another version now.
        IntegrityError: The object is shorter than its record says.
    """
    latest = [first]

    def read(start: int) -> Op[None]:
        sink = FileSlice(file.fd, start, min(LENGTH, size - start))
        part = yield from transfer.read_into(
            session, *place, start, sink, etag=first.etag, link=latest[0].link, pin=latest[0].pin
        )
        if part.filled < sink.length:
            msg = f"reading {object_uri(*place)}: received {start + part.filled} bytes, and the object has {size}"
            raise IntegrityError(msg)
        latest[0] = part
        yield Call(partial(file.land, start, start + part.filled))

    def reads() -> Iterator[Op[None]]:
        for start in range(file.filled, size, LENGTH):
            yield read(start)

    yield Call(partial(file.spread, first.hashed))
    try:
        yield from gather_each(reads(), WIDTH, lambda _, __: None)
    finally:
        found = file.collect()
    return found
