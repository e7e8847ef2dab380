"""Many objects by one Gather: uploads and downloads, each with an outcome of its own.

An item that fails does not end the others: its outcome is the error. Only what no further item could survive is raised:
refused credentials, an interruption, and what the iterable of items raises. Items are read as slots become free, so any
number of them needs no more memory than those that run.

Where requests cost more than what they carry, in process, small objects go together: a group of them is one op, which
makes their first attempts at the same time. An object whose first attempt was no success goes on by itself, from there.

Rules of the room: an op knows no local file. It calls an item's `open`, `save` or `place`, by the effect `Call`, on
whichever thread the driver runs it, and what was opened is closed when the op ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec

from lakefs_hl.ops import branches, presign, ranges, refs, transfer, upload
from lakefs_hl.ops.comparison import Comparison, is_etag
from lakefs_hl.ops.effects import Call, Op, gather, gather_each
from lakefs_hl.ops.pace import Pace
from lakefs_hl.ops.parts import Journal
from lakefs_hl.ops.retry import Session, call, first_attempts, is_local, is_success
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
from lakefs_hl.spec.wire import NOTHING, FileSlice, Hash, Request, Response, TransportError

#: What one item may fail with and the others go on. A TypeError or ValueError is that of data which cannot be sent.
FAILURES: Final = (LakeFSException, OSError, ValueError, TypeError)


#: Largest object of a group, bytes; most objects of one, and most bytes that they hold together.
SMALL: Final = 64 << 10
GROUP: Final = 2048
GROUP_BYTES: Final = 32 << 20
#: Most objects of a group that is read: what was received is written at once, so that little lies in memory.
READ_GROUP: Final = 512


class Body(Protocol):
    """Content of an object that is opened when its turn has come."""

    @property
    def size(self) -> int | None:
        """Number of bytes to expect in memory, with nothing left open. None if the content may be a file."""

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
        verify: Whether to compare what was stored with what was sent.
        journal: Keeps what was sent of a large object, for a later call.
    """

    repository: str
    branch: str
    path: str
    body: bytes | Body
    content_type: str | None = None
    metadata: Mapping[str, str] = NOTHING
    verify: bool = True
    journal: Journal | None = None


class Get(msgspec.Struct, eq=False):
    """An object to read, or a range of it.

    Attributes:
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        start: Offset of the first byte.
        end: Offset after the last byte.
        etag: ETag of the version to read. Defaults to the current one.
        size: Size of the object, where it is known.
    """

    repository: str
    ref: str
    path: str
    start: int | None = None
    end: int | None = None
    etag: str | None = None
    size: int = 0


class Part(ranges.File, Protocol):
    """A file that an object is written to, under a temporary name."""

    on_move: Callable[[int], None] | None

    def hash_start(self, compared: Comparison | None) -> Hash | None:
        """Return the hash of what is there already; None if nothing is compared."""

    def check(self, found: str | None, compared: Comparison | None) -> str | None:
        """Return what is wrong with the whole content; None if nothing is.

        Args:
            found: The digits of its hash, if they are known.
            compared: What compares it. None if only its length counts.
        """

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
Item = TypeVar("Item")
Ops = TypeVar("Ops")
#: What became of a first attempt: see `effects.SendAll`.
Outcome: TypeAlias = Response | Exception
#: What became of an object to write: its record, None if it need not be written, or why it failed.
Written: TypeAlias = ObjectStats | Exception | None


class Fetch(Get, eq=False, kw_only=True):
    """An object of known version and size to read into a file.

    Attributes:
        etag: ETag of the version to read.
        size: Its size in bytes.
        target: Where to write it.
        verify: Whether to compare it with its checksum.
    """

    etag: str
    size: int
    target: Target
    verify: bool = True


def _group(
    items: Iterable[Item],
    size_of: Callable[[Item], int | None],
    most: int,
    alone: Callable[[Item], Ops],
    many: Callable[[list[Item]], Ops],
) -> Iterator[Ops]:
    """Yield an op for each group of small objects, and one for each other object.

    Args:
        items: The objects.
        size_of: Returns how many bytes of an object lie in memory. None if it goes by itself.
        most: Most objects of a group.
        alone: Returns the op of one object.
        many: Returns the op of a group.
    """
    group, held = list[Item](), 0
    for item in items:
        size = size_of(item)
        if size is None or size > SMALL:
            yield alone(item)
            continue
        group.append(item)
        held += size
        if len(group) >= most or held >= GROUP_BYTES:
            yield many(group)
            group, held = [], 0
    if group:
        yield many(group)


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

    def pass_on(_: int, pairs: list[tuple[P, Written]]) -> None:
        for item, written in pairs:
            on_outcome(item, written)

    def alone(item: P) -> Op[list[tuple[P, Written]]]:
        return _put(session, item)

    if isinstance(pace, Pace) and (yield from _goes_together(session)):
        together = partial(_put_together, session, pace)
        yield from gather_each(_group(items, _size_to_send, GROUP, alone, together), pace, pass_on)
    else:
        yield from gather_each(map(alone, items), pace, pass_on)


def _goes_together(session: Session) -> Op[bool]:
    """Return whether many requests cost less together, and go to the lake itself."""
    if not is_local(session):
        return False
    try:
        return not (yield from presign.should_presign(session, None))
    except FAILURES:
        return False  # each object fails with an error of its own


def _put(session: Session, item: P) -> Op[list[tuple[P, Written]]]:
    body = item.body
    opened: Body | None = None
    try:
        if isinstance(body, bytes):
            content: bytes | FileSlice | None = body
        else:
            opened = body
            content = yield Call(body.open)
        if content is None:
            return [(item, None)]
        written = yield from _upload(session, item, content)
    except NotAuthorizedException:
        raise
    except FAILURES as exc:  # of the body: those of the upload are its outcome
        written = exc
    finally:
        if opened is not None:
            opened.close()
    return [(item, written)]


def _upload(session: Session, item: Put, content: bytes | FileSlice, outcome: Outcome | None = None) -> Op[Written]:
    """Write an object whose content is there; `outcome` is that of its first attempt, if that was made."""
    try:
        return (
            yield from upload.upload(
                session,
                item.repository,
                item.branch,
                item.path,
                content,
                content_type=item.content_type,
                metadata=item.metadata,
                verify=item.verify,
                outcome=_raise_defect(outcome),
                journal=item.journal,
            )
        )
    except NotAuthorizedException:
        raise
    except FAILURES as exc:
        return exc


def _size_to_send(item: Put) -> int | None:
    body = item.body
    if not item.verify:
        return None
    return len(body) if isinstance(body, bytes) else body.size


def _put_together(session: Session, pace: Pace, items: list[P]) -> Op[list[tuple[P, Written]]]:
    """Write small objects, whose first attempts are made at the same time."""
    contents: list[bytes | Exception | None] = yield Call(partial(_open_all, items))
    written: list[Written] = [None] * len(items)
    sent, left = dict[int, upload.Ready](), dict[int, tuple[bytes, Outcome | None]]()
    for index, content in enumerate(contents):
        if not isinstance(content, bytes):
            written[index] = content
            continue
        item = items[index]
        try:
            ready = upload.server_request(
                item.repository,
                item.branch,
                item.path,
                content,
                content_type=item.content_type,
                metadata=item.metadata,
            )
        except FAILURES as exc:
            written[index] = exc
            continue
        if ready is None:
            left[index] = content, None
        else:
            sent[index] = ready
    outcomes = yield from first_attempts(session, [ready.request for ready in sent.values()])
    for (index, ready), outcome in zip(sent.items(), outcomes, strict=True):
        if isinstance(outcome, Response) and is_success(session, ready.request, outcome):
            written[index] = record = ready.record(outcome)
            if record is not None:
                continue
        left[index] = ready.content, outcome
    if left:
        others = (_upload(session, items[index], *pair) for index, pair in left.items())
        for index, found in zip(left, (yield from gather(others, pace)), strict=True):
            written[index] = found
    return list(zip(items, written, strict=True))


def _open_all(items: Sequence[Put]) -> list[bytes | FileSlice | Exception | None]:
    """Return the content of each object. None if it need not be written; or why there is none."""
    found = list[bytes | FileSlice | Exception | None]()
    for item in items:
        body = item.body
        if isinstance(body, bytes):
            found.append(body)
            continue
        try:
            found.append(body.open())
        except FAILURES as exc:
            found.append(exc)
        finally:
            body.close()
    return found


def _raise_defect(outcome: Outcome | None) -> Response | TransportError | None:
    """Return the outcome of an attempt, or raise what is neither a response nor a failure to get one."""
    if isinstance(outcome, Exception) and not isinstance(outcome, TransportError):
        raise outcome
    return outcome


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

    def pass_on(_: int, pairs: list[tuple[F, Exception | None]]) -> None:
        for item, error in pairs:
            on_outcome(item, error)

    def alone(item: F) -> Op[list[tuple[F, Exception | None]]]:
        return _fetch(session, item, small, single=pace == 1)

    if isinstance(pace, Pace) and (yield from _goes_together(session)):
        together = partial(_fetch_together, session, pace, small)
        yield from gather_each(_group(items, partial(_size_to_read, small), READ_GROUP, alone, together), pace, pass_on)
    else:
        yield from gather_each(map(alone, items), pace, pass_on)


def _size_to_read(small: int, item: Fetch) -> int | None:
    return item.size if item.size <= small and item.etag else None


def _fetch_together(session: Session, pace: Pace, small: int, items: list[F]) -> Op[list[tuple[F, Exception | None]]]:
    """Read small objects, whose first attempts are made at the same time."""
    requests = [transfer.whole_request(item.repository, item.ref, item.path, verify=item.verify) for item in items]
    outcomes = yield from first_attempts(session, requests)
    contents = list[tuple[F, bytes]]()
    left = list[tuple[F, Outcome]]()
    for item, request, outcome in zip(items, requests, outcomes, strict=True):
        content = None
        if isinstance(outcome, Response) and is_success(session, request, outcome):
            content = transfer.whole_content(outcome, item.etag, item.size)
        if content is None:
            left.append((item, outcome))
        else:
            contents.append((item, content))
    found: list[tuple[F, Exception | None]] = yield Call(partial(_save_all, contents))
    others = (_fetch(session, item, small, outcome) for item, outcome in left)
    for pairs in (yield from gather(others, pace)):
        found += pairs
    return found


def _save_all(contents: Iterable[tuple[F, bytes]]) -> list[tuple[F, Exception | None]]:
    found = list[tuple[F, Exception | None]]()
    for item, content in contents:
        try:
            item.target.save(content)
        except FAILURES as exc:
            found.append((item, exc))
        else:
            found.append((item, None))
    return found


def _fetch(
    session: Session, item: F, small: int, outcome: Outcome | None = None, *, single: bool = False
) -> Op[list[tuple[F, Exception | None]]]:
    try:
        if item.size <= small:
            content = yield from transfer.download(
                session,
                item.repository,
                item.ref,
                item.path,
                etag=item.etag,
                verify=item.verify,
                outcome=_raise_defect(outcome),
            )
            yield Call(partial(item.target.save, content))
        else:
            yield from _fetch_parts(session, item, single=single)
    except NotAuthorizedException:
        raise
    except FAILURES as exc:
        return [(item, exc)]
    return [(item, None)]


def _fetch_parts(session: Session, item: Fetch, *, single: bool) -> Op[None]:
    """Read an object into its file, from where an earlier run ended. The whole is verified, else read again."""
    compared = Comparison(session, item.repository) if item.verify else None
    part = yield Call(item.target.place)
    try:
        for left in range(EXTRA_TRANSFERS, -1, -1):
            hashed = yield Call(partial(part.hash_start, compared))
            if part.filled < item.size:
                found = yield from _fetch_rest(session, item, part, hashed, compared, single=single)
            else:
                found = hashed.hexdigest() if hashed is not None else None
            wrong = yield Call(partial(part.check, found, compared))
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


def _fetch_rest(
    session: Session, item: Fetch, part: Part, hashed: Hash | None, compared: Comparison | None, *, single: bool
) -> Op[str | None]:
    """Read what a file lacks: in one response, or in ranges if that is faster.

    Returns:
        The digits of its hash, if they are known.
    """
    place, link, pin = (item.repository, item.ref, item.path), None, None
    lacks = item.size - part.filled
    length = ranges.FIRST if single and session.remote and lacks >= ranges.LEAST else lacks
    while True:
        filled = part.filled
        digest = hashed if hashed is not None and (filled or is_etag(item.etag)) else hashed is not None
        sink = FileSlice(part.fd, filled, length, None, part.on_move)
        read = yield from transfer.read_into(
            session, *place, filled, sink, etag=item.etag, link=link, pin=pin, digest=digest
        )
        part.filled = filled + read.filled
        if read.encrypted and compared is not None:
            compared.note_encryption(item.etag, item.size)
        if read.filled < length or part.filled == item.size:
            return read.md5
        if read.seconds * ranges.FAST > read.filled:
            return (yield from ranges.read_rest(session, place, item.size, part, read))
        hashed, link, pin, length = read.hashed, read.link, read.pin, item.size - part.filled
