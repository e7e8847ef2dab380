"""How what the engine knows is written down: entries, commits, repositories; and when two entries are the same.

Rules of the room: this page is part of the lake's format. Fields are added at the end, with a default.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from lakefs_hl.spec.headers import OCTET_STREAM


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An object of a tree, or a staged one.

    Attributes:
        address: sha256 of a blob of the lake, or a foreign URI.
        size: Bytes.
        etag: An MD5 as 16 bytes, or whatever else a client gave.
        mtime: Unix seconds.
        content_type: None is `application/octet-stream`.
        metadata: User metadata; None is none.
        stamp: Modification time of the file that was imported, as `stamp_of` writes it; None if the object was not.
    """

    address: Any  # bytes or str: msgspec decodes no union of the two
    size: int
    etag: Any  # the same
    mtime: int
    content_type: str | None = None
    metadata: dict[str, str] | None = None
    stamp: int | None = None


class CommitRecord(msgspec.Struct, array_like=True, frozen=True):
    """A commit; its id is the sha256 of its encoding.

    Attributes:
        parents: Ids.
        root: The tree; None is the first commit's, which holds nothing.
        committer: Who.
        message: Any text.
        date: Unix time in nanoseconds.
        metadata: Any strings.
        generation: 1 + the highest of the parents.
    """

    parents: list[bytes]
    root: bytes | None
    committer: str
    message: str
    date: int
    metadata: dict[str, str]
    generation: int


def first_commit(created: int) -> CommitRecord:
    """The first commit of a repository: the same, id and all, in those made within one second, as lakeFS has it."""
    return CommitRecord([], None, "", "Repository created", created * 10**9, {}, 1)


class RepositoryRecord(msgspec.Struct, array_like=True, frozen=True):
    """A repository."""

    created: int
    default_branch: str
    namespace: str
    read_only: bool = False
    bare: bool = False


class ImportRecord(msgspec.Struct, array_like=True, frozen=True):
    """An import, running or over.

    Attributes:
        owner: Process id of who runs it.
        completed: Whether it went well.
        updated: Unix time in nanoseconds.
        ingested: Objects so far.
        commit: Id of the commit it made.
        error: Why it failed.
    """

    owner: str
    completed: bool
    updated: int
    ingested: int = 0
    commit: bytes | None = None
    error: str | None = None


class CredentialRecord(msgspec.Struct, array_like=True, frozen=True):
    """A key: the hash of its secret, whose it is, and since when (Unix seconds)."""

    secret: bytes
    user: str
    created: int


class PullRecord(msgspec.Struct, array_like=True, frozen=True):
    """A pull request.

    Attributes:
        title: The title.
        description: The description, or "".
        author: Who created it.
        source: The branch to merge.
        destination: The branch to merge into.
        status: "open", "closed" or "merged".
        created: Unix time in nanoseconds.
        closed: When it was closed or merged last.
        commit: Id of the commit that merged it.
    """

    title: str
    description: str
    author: str
    source: str
    destination: str
    status: str
    created: int
    closed: int | None = None
    commit: bytes | None = None


class UploadRecord(msgspec.Struct, array_like=True, frozen=True):
    """What was put at an address.

    Attributes:
        sha256: Of the content.
        md5: The same.
        size: Bytes.
        etag: Checksum of content that was put in parts; "" of other content, whose checksum is its MD5.
    """

    sha256: bytes
    md5: bytes
    size: int
    etag: str = ""


class AnswerRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a request with an idempotency key was, and what it was answered.

    Attributes:
        operation: Name of the operation.
        fingerprint: Hash of the request.
        answer: The answer, as the API wrote it down.
    """

    operation: str
    fingerprint: bytes
    answer: bytes


encode: Final = msgspec.msgpack.Encoder().encode
_entry: Final = msgspec.msgpack.Decoder(Entry)
read_entry: Final[Callable[[bytes], Entry]] = _entry.decode
_read_commit: Final[Callable[[bytes], CommitRecord]] = msgspec.msgpack.Decoder(CommitRecord).decode
_read_fields: Final[Callable[[bytes], list[Any]]] = msgspec.msgpack.Decoder(list[Any]).decode
read_repository: Final[Callable[[bytes], RepositoryRecord]] = msgspec.msgpack.Decoder(RepositoryRecord).decode
read_import: Final[Callable[[bytes], ImportRecord]] = msgspec.msgpack.Decoder(ImportRecord).decode
read_credential: Final[Callable[[bytes], CredentialRecord]] = msgspec.msgpack.Decoder(CredentialRecord).decode
read_pull: Final[Callable[[bytes], PullRecord]] = msgspec.msgpack.Decoder(PullRecord).decode
read_upload: Final[Callable[[bytes], UploadRecord]] = msgspec.msgpack.Decoder(UploadRecord).decode
read_answer: Final[Callable[[bytes], AnswerRecord]] = msgspec.msgpack.Decoder(AnswerRecord).decode
read_metadata: Final[Callable[[bytes], dict[str, str]]] = msgspec.msgpack.Decoder(dict[str, str]).decode
read_patterns: Final[Callable[[bytes], list[str]]] = msgspec.msgpack.Decoder(list[str]).decode


#: From here on, and as far before 1970, nanoseconds have more than 64 bits: in the years 2262 and 1677.
_FAR: Final = 1 << 63
_DATE: Final = CommitRecord.__struct_fields__.index("date")


def write_commit(record: CommitRecord) -> bytes:
    """Encodes a commit; a date too far away for 64 bits is written as seconds and nanoseconds apart."""
    if -_FAR <= record.date < _FAR:
        return encode(record)
    fields: list[Any] = list(msgspec.structs.astuple(record))
    fields[_DATE] = divmod(record.date, 10**9)
    return encode(fields)


def read_commit(data: bytes) -> CommitRecord:
    """Decodes a commit.

    Raises:
        msgspec.DecodeError: It is none.
    """
    try:
        return _read_commit(data)
    except msgspec.ValidationError:
        fields = _read_fields(data)
        date = fields[_DATE] if len(fields) > _DATE else None
        if not (isinstance(date, list) and len(date) == 2 and all(isinstance(part, int) for part in date)):
            raise
        fields[_DATE] = 0
        record = msgspec.convert(fields, CommitRecord)
        return msgspec.structs.replace(record, date=date[0] * 10**9 + date[1])


def stamp_of(mtime_ns: int) -> int:
    """A file's modification time in nanoseconds, to be compared: cut down where it has more than 64 bits."""
    return mtime_ns if -_FAR <= mtime_ns < _FAR else mtime_ns % _FAR


def write_entry(entry: Entry) -> bytes:
    """Encodes an entry; what is default at its end is left out."""
    if entry.stamp is not None:
        return encode(entry)
    if entry.metadata is not None:
        return encode((entry.address, entry.size, entry.etag, entry.mtime, entry.content_type, entry.metadata))
    if entry.content_type is not None:
        return encode((entry.address, entry.size, entry.etag, entry.mtime, entry.content_type))
    return encode((entry.address, entry.size, entry.etag, entry.mtime))


def make_entry(
    address: bytes | str,
    size: int,
    etag: bytes | str,
    mtime: int,
    content_type: str | None,
    metadata: dict[str, str] | None,
    stamp: int | None = None,
) -> Entry:
    """Makes an entry, with defaults in their short form."""
    return Entry(
        address, size, etag, mtime, None if content_type == OCTET_STREAM else content_type, metadata or None, stamp
    )


def same(left: bytes, right: bytes) -> bool:
    """Whether two encoded entries are one version of an object to lakeFS: address and time do not count."""
    if left == right:
        return True
    one, other = read_entry(left), read_entry(right)
    return (one.etag, one.size, one.content_type, one.metadata) == (
        other.etag,
        other.size,
        other.content_type,
        other.metadata,
    )


def short_etag(checksum: str) -> bytes | str:
    """An ETag as it is stored: an MD5 in half the space."""
    if len(checksum) == 32:
        try:
            raw = bytes.fromhex(checksum)
        except ValueError:
            return checksum
        if raw.hex() == checksum:
            return raw
    return checksum


def commit_id(data: bytes) -> bytes:
    """The id of an encoded commit."""
    return sha256(data).digest()
