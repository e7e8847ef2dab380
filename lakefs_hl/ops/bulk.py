"""Many objects by one Gather: uploads and downloads, each with an outcome of its own.

An item that fails does not end the others: its outcome is the error. Only what no further item could survive is raised:
refused credentials, an interruption, and what the iterable of items raises. Items are read as slots become free, so any
number of them needs no more memory than those that run.

Rules of the room: an op knows no local file. It calls an item's `open`, `save` or `place`, by the effect `Call`, on
whichever thread the driver runs it, and what was opened is closed when the op ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec

from lakefs_hl.ops import branches, refs, transfer, upload
from lakefs_hl.ops.effects import Call, Op, gather_each
from lakefs_hl.ops.pace import Pace
from lakefs_hl.ops.retry import Session, call
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import (
    BadRequestException,
    ForbiddenException,
    IntegrityError,
    LakeFSException,
    NotAuthorizedException,
    ObjectChangedError,
)
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import NOTHING, FileSlice, Request

#: What one item may fail with and the others go on. A TypeError or ValueError is that of data which cannot be sent.
FAILURES: Final = (LakeFSException, OSError, ValueError, TypeError)


class Body(Protocol):
    """Content of an object that is opened when its turn has come."""

    def open(self) -> bytes | FileSlice | None:
        """Return the content. None if the object need not be written after all."""

    def close(self) -> None:
        """Close what was opened."""


class Put(msgspec.Struct, eq=False):
    """An object to write.

    Attributes:
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        body: Its content.
        content_type: Content type. Defaults to the type of the path's suffix.
        metadata: User metadata.
    """

    repository: str
    branch: str
    path: str
    body: bytes | Body
    content_type: str | None = None
    metadata: Mapping[str, str] = NOTHING


class Get:
    """An object to read, or a range of it.

    Args:
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        start: Offset of the first byte.
        end: Offset after the last byte.
        etag: ETag of the version to read. Defaults to the current one.
        size: Size of the object, where it is known.
    """

    __slots__ = ("end", "etag", "path", "ref", "repository", "size", "start")

    def __init__(
        self,
        repository: str,
        ref: str,
        path: str,
        start: int | None = None,
        end: int | None = None,
        etag: str | None = None,
        size: int = 0,
    ) -> None:
        self.repository: str = repository
        self.ref: str = ref
        self.path: str = path
        self.start: int | None = start
        self.end: int | None = end
        self.etag: str | None = etag
        self.size: int = size


class Part(Protocol):
    """A file that an object is written to, under a temporary name."""

    fd: int
    filled: int
    on_move: Callable[[int], None] | None

    def check(self, md5: str | None) -> str | None:
        """Return what is wrong with the whole content; None if nothing is. `md5` is its MD5, if it is known."""

    def restart(self) -> None:
        """Drop the content."""

    def finish(self) -> None:
        """Give the file its name."""

    def close(self) -> None:
        """Close the file. One that has not got its name is kept or removed."""


class Target(Protocol):
    """Where an object is written to."""

    def save(self, content: bytes) -> None:
        """Write the file at once."""

    def place(self) -> Part:
        """Open the file to be written in parts. What an earlier run has left of it may be there already."""


P = TypeVar("P", bound=Put)
F = TypeVar("F", bound="Fetch")
#: What became of an object to write: its record, None if it need not be written, or why it failed.
Written: TypeAlias = ObjectStats | Exception | None


class Fetch(Get):
    """An object of known version and size to read into a file.

    Args:
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        etag: ETag of the version to read.
        size: Its size in bytes.
        target: Where to write it.
        verify: Whether to compare a small object with its checksum; of others the target decides.
    """

    __slots__ = ("target", "verify")

    def __init__(
        self, repository: str, ref: str, path: str, etag: str, size: int, target: Target, *, verify: bool = True
    ) -> None:
        super().__init__(repository, ref, path, None, None, etag, size)
        self.target: Target = target
        self.verify: bool = verify


# -- uploads ----------------------------------------------------------------------------------------------------------


def check_branch(session: Session, repository: str, branch: str) -> Op[None]:
    """Check that objects can be written to a branch, before thousands are refused one by one.

    Raises:
        NotFoundException: The repository or the branch does not exist.
        BadRequestException: It is a tag, a commit or an expression, which are immutable.
    """
    about = f"uploading to {object_uri(repository, branch)}"
    try:
        look = call(session, Request(endpoints.GET_BRANCH, (repository, branch)), about=about)
        yield from refs.write_to(session, repository, branch, about, look)
    except ForbiddenException:
        return  # these credentials may write objects and not look at branches


def upload_each(
    session: Session, items: Iterable[P], pace: int | Pace, on_outcome: Callable[[P, Written], None]
) -> Op[None]:
    """Write many objects.

    Args:
        session: The client's session.
        items: The objects, read as slots become free, on the calling thread.
        pace: How many at a time.
        on_outcome: Called on the calling thread with each item, and its record, None (it need not be written) or its
            error.

    Raises:
        NotAuthorizedException: The credentials are refused.
    """

    def pass_on(_: int, pair: tuple[P, Written]) -> None:
        on_outcome(*pair)

    yield from gather_each((_put(session, item) for item in items), pace, pass_on)


def _put(session: Session, item: P) -> Op[tuple[P, Written]]:
    body = item.body
    opened: Body | None = None
    try:
        if isinstance(body, bytes):
            content: bytes | FileSlice | None = body
        else:
            opened = body
            content = yield Call(body.open)
        if content is None:
            return item, None
        written = yield from upload.upload(
            session,
            item.repository,
            item.branch,
            item.path,
            content,
            content_type=item.content_type,
            metadata=item.metadata,
        )
    except NotAuthorizedException:
        raise
    except FAILURES as exc:
        return item, exc
    finally:
        if opened is not None:
            opened.close()
    return item, written


# -- downloads --------------------------------------------------------------------------------------------------------


def pin_unless_branch(session: Session, repository: str, ref: str) -> Op[str]:
    """Return the commit that a reference resolves to now; of a branch, whose staged changes are read, its name.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    if refs.COMMIT_ID.fullmatch(ref):
        return ref
    try:
        if (yield from branches.exists(session, repository, ref)):
            return ref
    except (ForbiddenException, BadRequestException):  # "main~2" is not the name of a branch
        pass
    return (yield from refs.pin(session, repository, ref, about=f"reading {object_uri(repository, ref)}"))


def read_each(
    session: Session, items: Iterable[Get], pace: int | Pace, on_result: Callable[[int, bytes | Exception], None]
) -> Op[None]:
    """Read many objects into memory.

    Args:
        session: The client's session.
        items: The objects or ranges.
        pace: How many at a time.
        on_result: Called on the calling thread with the index of each item, and its content or its error.

    Raises:
        NotAuthorizedException: The credentials are refused.
    """
    yield from gather_each((_read(session, item) for item in items), pace, on_result)


def _read(session: Session, item: Get) -> Op[bytes | Exception]:
    try:
        return (
            yield from transfer.download(
                session, item.repository, item.ref, item.path, start=item.start, end=item.end, etag=item.etag
            )
        )
    except NotAuthorizedException:
        raise
    except FAILURES as exc:
        return exc


def download_each(
    session: Session,
    items: Iterable[F],
    pace: int | Pace,
    on_outcome: Callable[[F, Exception | None], None],
    *,
    small: int,
) -> Op[None]:
    """Read many objects into files.

    Args:
        session: The client's session.
        items: The objects and their files, read as slots become free, on the calling thread.
        pace: How many at a time.
        on_outcome: Called on the calling thread with each item, and None or its error.
        small: Largest object that is read into memory and written at once.

    Raises:
        NotAuthorizedException: The credentials are refused.
    """

    def pass_on(_: int, pair: tuple[F, Exception | None]) -> None:
        on_outcome(*pair)

    yield from gather_each((_fetch(session, item, small) for item in items), pace, pass_on)


def _fetch(session: Session, item: F, small: int) -> Op[tuple[F, Exception | None]]:
    try:
        if item.size <= small:
            content = yield from transfer.download(
                session, item.repository, item.ref, item.path, etag=item.etag, verify=item.verify
            )
            yield Call(partial(item.target.save, content))
        else:
            yield from _fetch_parts(session, item)
    except NotAuthorizedException:
        raise
    except FAILURES as exc:
        return item, exc
    return item, None


def _fetch_parts(session: Session, item: Fetch) -> Op[None]:
    """Read an object into its file, from where an earlier run ended. The whole is verified, else read again."""
    part = yield Call(item.target.place)
    try:
        for left in range(EXTRA_TRANSFERS, -1, -1):
            filled, md5 = part.filled, None
            if filled < item.size:
                sink = FileSlice(part.fd, filled, item.size - filled, None, part.on_move)
                read = yield from transfer.read_into(
                    session, item.repository, item.ref, item.path, filled, sink, etag=item.etag, digest=not filled
                )
                part.filled, md5 = filled + read.filled, read.md5
            wrong = yield Call(partial(part.check, md5))
            if wrong is None:
                break
            if not left:
                uri = object_uri(item.repository, item.ref, item.path)
                msg = f"downloading {uri}: {wrong}, {EXTRA_TRANSFERS + 1} times"
                raise IntegrityError(msg)
            yield Call(part.restart)
        yield Call(part.finish)
    except (IntegrityError, ObjectChangedError):
        yield Call(part.restart)  # these are not the bytes of this version
        raise
    finally:
        part.close()
