"""The writing half of a branch and of an open transaction."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from lakefs_hl import arguments, bodies, fileio
from lakefs_hl.deletions import ON_ERROR, DeleteReport, ObjectPaths
from lakefs_hl.handles import Handle, reference_name, wrap
from lakefs_hl.imports import ImportManager
from lakefs_hl.objects import CommonPrefix, ObjectInfo, ReadIOBase
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Mapping

    from lakefs_hl.bodies import Data
    from lakefs_hl.fileio import ObjectWriter, TextWriter


_Item: TypeAlias = "str | ObjectInfo | CommonPrefix"
#: What `delete_objects` takes.
Deletable: TypeAlias = "_Item | Iterable[_Item]"


class WriteIOBase(ReadIOBase):
    """What can be written at a branch or in an open transaction; it can be read as well.

    Staged changes are seen by every reader of the branch and become history with a commit.
    """

    def upload(
        self,
        data: Data,
        path: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_none_match: bool = False,
        pre_signed: bool | None = None,
    ) -> ObjectInfo:
        r"""Writes an object, verifies its checksum, and returns what the lake stored.

        Args:
            data: Bytes; a `str` (its UTF-8; one that names a local file warns); a path of a local file
                (`pathlib.Path`); a file object, read from where it stands and left open; or an iterable of bytes.
            path: Where to, at most 1,024 bytes of UTF-8.
            content_type: Media type; `application/octet-stream` by default.
            metadata: User metadata; keys become lower-case.
            if_none_match: Create only: an object that is there is an error.
            pre_signed: Whether to write to the object store by a pre-signed URL; None asks the server what it can.

        Raises:
            ObjectExistsException: `if_none_match` was given and there is an object.
            IntegrityError: The lake stored something else, and the object is not to be trusted; or a local file changed
                while it was sent, and nothing was stored.
            BlockingIOError: A non-blocking stream had no data; nothing was stored.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.upload(b"a,b\n", "data/t.csv").size_bytes
            4
        """
        client = self._client
        path = arguments.path(path, self)
        content_type = arguments.optional_text(content_type, "content_type")
        kept = arguments.user_metadata(metadata)
        if_none_match = arguments.flag(if_none_match, "if_none_match")
        pre_signed = arguments.optional_flag(pre_signed, "pre_signed")
        arguments.warn_of_file_name(data)
        with bodies.replayable(data) as body:
            op = transfer.upload(
                client._session,
                self._repository_id,
                self._id,
                path,
                body,
                content_type=content_type,
                metadata=kept,
                create_only=if_none_match,
                pre_signed=pre_signed,
                op_id=uuid.uuid4().hex,
            )
            return wrap(ObjectInfo, self, client._run(op))

    def import_from(
        self,
        object_store_uri: str,
        destination: str,
        commit_message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> ImportManager:
        """Prepares the import of objects that lie in an object store already; `run()` it, or `start()` and `wait()`.

        Args:
            object_store_uri: An object or a prefix, such as `s3://bucket/path/`; on an embedded lake `local:///folder/`.
            destination: The path or prefix in the branch; what is there under a prefix is replaced. A prefix ends with
                `/`; "" is the whole branch.
            commit_message: Of the commit that the import makes.
            metadata: Of the same commit.
        """
        return ImportManager(
            self._repository_id,
            self._id,
            self._given,
            commit_message=commit_message,
            metadata=metadata,
        ).add(object_store_uri, destination)

    def delete_objects(
        self,
        object_paths: Deletable,
        *,
        on_error: Literal["raise", "return"] = "raise",
    ) -> DeleteReport:
        """Delete objects of this branch, 1,000 per request. A path that is not there is no error.

        Args:
            object_paths: A path or an `ObjectInfo`, or any number of them, such as a recursive listing. An `ObjectInfo`
                of another reference of the same repository stands for its path. A common prefix, or a path that ends
                with `/` and is not the path of an object, is not deleted and is among the failures.
            on_error: Whether failures are raised after all paths were tried, or only returned.

        Returns:
            How many paths were given, and those that failed.

        Raises:
            PartialFailureError: Some paths failed; they are in its `report`.
            NotFoundException: There is no such branch or repository.
            BadRequestException: It is a commit or a tag, which no write changes.
            ValueError: An `ObjectInfo` is of another repository or lake.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.delete_objects(branch.list_objects(prefix="tmp/", recursive=True)).failed
            ()
        """
        on_error = arguments.choice(on_error, "on_error", ON_ERROR)
        client = self._client
        paths = ObjectPaths(object_paths, "object_paths", self)
        failed = client._run(ops.delete_all(client._session, self._repository_id, self._id, paths))
        return DeleteReport._of(self.uri, paths, failed, on_error)

    def copy_object(
        self, from_reference: str | Handle, from_path: str, to_path: str | None = None, *, shallow: bool = False
    ) -> ObjectInfo:
        """Copies an object of the same repository into this branch, on the server.

        Args:
            from_reference: Where from: a name, or a reference or branch of this repository.
            from_path: The object's path there.
            to_path: Where to; the same path by default.
            shallow: Share the bytes instead of copying them, where the server can.

        Raises:
            ObjectNotFoundException: There is no such object.
        """
        client = self._client
        source = reference_name(from_reference, "from_reference", self)
        from_path = arguments.path(from_path, Handle(self._repository_id, source), "from_path")
        op = ops.copy(
            client._session,
            self._repository_id,
            self._id,
            from_path if to_path is None else arguments.path(to_path, self, "to_path"),
            source,
            from_path,
            shallow=arguments.flag(shallow, "shallow"),
        )
        return wrap(ObjectInfo, self, client._run(op))

    def set_object_metadata(self, path: str, metadata: Mapping[str, str]) -> None:
        """Replaces all user metadata of an object.

        Args:
            path: The object's path.
            metadata: The new metadata; keys become lower-case.

        Raises:
            ObjectNotFoundException: There is no such object.
        """
        client = self._client
        path = arguments.path(path, self)
        kept = arguments.user_metadata(arguments.metadata(metadata)) or {}
        client._run(ops.set_metadata(client._session, self._repository_id, self._id, path, kept))

    @overload
    def open(
        self,
        path: str,
        mode: Literal["r", "rt"] = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
    ) -> io.TextIOWrapper: ...
    @overload
    def open(
        self, path: str, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> io.BufferedReader: ...
    @overload
    def open(
        self,
        path: str,
        mode: Literal["wb", "xb"],
        pre_signed: bool | None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectWriter: ...
    @overload
    def open(
        self,
        path: str,
        mode: Literal["w", "wt", "x", "xt"],
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> TextWriter: ...
    def open(
        self,
        path: str,
        mode: str = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Any:
        r"""Opens an object for reading or writing, as a real `io` object that any library takes.

        What is written is published by `close()`, all or nothing; an exception inside the `with` block writes nothing.

        Args:
            path: The object's path.
            mode: "r" or "rb" to read; "w" or "wb" to write; "x" or "xb" to create only. "w" takes `str` and `bytes`.
            pre_signed: Whether to use a pre-signed URL; None asks the server what it can.
            encoding: Of a text, UTF-8 by default.
            errors: As for the built-in `open`.
            newline: As for the built-in `open`.
            buffering: Of a reader: size of the buffer, bytes.
            content_type: Of a written object.
            metadata: User metadata of a written object.

        Raises:
            ObjectNotFoundException: Reading: there is no such object.
            ObjectExistsException: Creating: there is an object.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> with branch.open("notes.txt", "w") as file:
            ...     _ = file.write("hello\n")
            >>> branch.open("notes.txt").read()
            'hello\n'
        """
        path, mode = arguments.path(path, self), arguments.text(mode, "mode")
        text = fileio.Text(*arguments.text_options(encoding, errors, newline))
        pre_signed = arguments.optional_flag(pre_signed, "pre_signed")
        buffering = arguments.integer(buffering, "buffering")
        if fileio.split_mode(mode, writable=True)[0] == "r":
            if content_type is not None or metadata is not None:
                msg = f"content_type and metadata are for writing; mode is {mode!r}"
                raise ValueError(msg)
            return fileio.open_reader(self, path, mode, text, pre_signed=pre_signed, buffering=buffering)
        return fileio.open_writer(
            self,
            path,
            mode,
            text,
            pre_signed=pre_signed,
            content_type=arguments.optional_text(content_type, "content_type"),
            metadata=arguments.user_metadata(metadata),
        )
