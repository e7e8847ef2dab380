# Generated from lakefs_hl/aio/writes.py by tools/unasync.py: change that, not this.
"""Write operations shared by branches and open transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl._handles import writes as calls
from lakefs_hl._handles.deletions import ON_ERROR, DeleteReport
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, wrap
from lakefs_hl._sync import fileio, lazy
from lakefs_hl._sync.expiry import ExpiryWrites
from lakefs_hl._sync.imports import ImportManager
from lakefs_hl._sync.links import LinkWrites
from lakefs_hl._sync.objects import ObjectInfo, ReadIOBase
from lakefs_hl._sync.prefixes import PrefixWrites
from lakefs_hl._sync.tagging import TagWrites
from lakefs_hl._sync.transfers import TransferWrites
from lakefs_hl.spec import arguments

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping


class WriteIOBase(ReadIOBase, PrefixWrites, ExpiryWrites, TagWrites, TransferWrites, LinkWrites):
    """Read and write operations of a branch or an open transaction.

    Every reader of the branch sees staged changes. A commit makes them part of the history.
    """

    __module__ = "lakefs_hl"
    _takes_writes = True

    def upload(
        self,
        data: fileio.Data,
        path: ObjectPath,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_none_match: bool = False,
        pre_signed: bool | None = None,
        tags: Mapping[str, str] | None = None,
        commit_message: str | None = None,
    ) -> ObjectInfo:
        r"""Write an object and verify its checksum.

        Args:
            data: Bytes; a `str` (stored as UTF-8; one that names a local file gives a warning); the path of a local
                file (`pathlib.Path`); a file object, which is read from its position and left open; an array of numbers
                or another buffer (its memory in C order, in the byte order of its items, which is usually that of the
                machine); an iterable of bytes, of buffers or of `str` (each stored as UTF-8); or a callable that
                returns an iterable or a file object, which is closed when it was read.
            path: Destination path, at most 1,024 bytes of UTF-8.
            content_type: Media type. Defaults to the type of the path's suffix, such as `text/csv`; to
                `application/octet-stream` if it has none that is known.
            metadata: User metadata. Keys are converted to lower case.
            if_none_match: Create only: an existing object is an error. The data is not sent in parts.
            pre_signed: Whether to write to the object store by a pre-signed URL. Defaults to what the server supports.
            tags: Tags of the object, as `set_tags` stores them. An object that is replaced loses its own.
            commit_message: Make one commit of this object with this message: a version of it. The branch must have no
                staged changes, which would be left out of the commit. Nothing is committed if nothing changes. Defaults
                to leaving the object as a staged change, which the next upload of the path replaces without a trace.

        Returns:
            The object as it was stored.

        Raises:
            ObjectExistsException: `if_none_match` was given and the object exists.
            IntegrityError: The stored checksum does not match, and the object must not be used; or a local file changed
                while it was sent, and nothing was stored.
            TransactionException: The commit was not made, for example because the branch has staged changes.
            BlockingIOError: A non-blocking stream had no data. Nothing was stored.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.upload(b"a,b\n", "data/t.csv").size_bytes
            4
            >>> _ = branch.commit("first version")
            >>> _ = branch.upload(b"c,d\n", "data/t.csv", commit_message="second version")
            >>> branch.head().message
            'second version'
        """
        client = self._client
        upload = calls.Upload(self, path, content_type, metadata, if_none_match, pre_signed, tags)
        fileio.warn_of_file_name(data)
        if commit_message is not None:
            return wrap(ObjectInfo, self, lazy.upload_commit(self, upload, data, commit_message))
        with fileio.replayable(data) as body:
            return wrap(ObjectInfo, self, client._run(upload.of, body))

    def import_from(
        self,
        object_store_uri: str,
        destination: ObjectOrPrefix,
        commit_message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> ImportManager:
        """Prepare an import of objects from an object store, without copying them.

        Call `run()` of the manager, or `start()` and `wait()`.

        Args:
            object_store_uri: An object or a prefix, such as `s3://bucket/path/`; on an embedded lake
                `local:///directory/`.
            destination: Destination path or prefix on the branch. Objects under a prefix are replaced. A prefix ends
                with `/`; "" is the whole branch.
            commit_message: Message of the commit that the import makes.
            metadata: Metadata of that commit.
        """
        manager = ImportManager(
            self._repository_id, self._id, self._given, commit_message=commit_message, metadata=metadata
        )
        return manager.add(object_store_uri, destination)

    def delete_objects(
        self, object_paths: lazy.Paths, *, on_error: Literal["raise", "return"] = "raise"
    ) -> DeleteReport:
        """Delete objects of this branch, 1,000 per request. A path that does not exist is not an error.

        Args:
            object_paths: A path, given as for `stat_object`, or an iterable of them, such as a recursive listing. An
                `ObjectInfo` of another reference of the same repository stands for its path. A common prefix, or a path
                that ends with `/` and is not the path of an object, is not deleted and is among the failures.
            on_error: Whether failures are raised after all paths were tried, or only returned.

        Returns:
            The number of paths given, and those that failed.

        Raises:
            PartialFailureError: Some paths failed; they are in its `report`.
            NotFoundException: The branch or the repository does not exist.
            BadRequestException: The reference is a commit or a tag, which are immutable.
            ValueError: An `ObjectInfo` belongs to another repository or lake.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.delete_objects(branch.list_objects(prefix="tmp/", recursive=True)).failed
            ()
        """
        on_error = arguments.choice(on_error, "on_error", ON_ERROR)
        paths, failed = lazy.delete_all(self._client, self, object_paths)
        return DeleteReport._of(self.uri, paths, failed, on_error)

    def copy_object(
        self,
        from_reference: str | Handle,
        from_path: ObjectPath,
        to_path: ObjectPath | None = None,
        *,
        shallow: bool = False,
    ) -> ObjectInfo:
        """Copy an object of the same repository to this branch, on the server.

        Args:
            from_reference: Source reference of this repository, by name or as a handle.
            from_path: Source path.
            to_path: Destination path. Defaults to the source path.
            shallow: Share the content instead of copying it, where the server supports it.

        Returns:
            The new object.

        Raises:
            ObjectNotFoundException: The source does not exist.
        """
        record = self._client._run(calls.copy, self, from_reference, from_path, to_path, shallow)
        return wrap(ObjectInfo, self, record)

    def move_object(self, from_path: ObjectPath, to_path: ObjectPath) -> ObjectInfo:
        """Move an object within this branch, on the server. An object at the destination is replaced.

        lakeFS has no move: the object is copied, and the source is deleted if it is still what was copied. What
        another client writes to the source at the moment of the deletion is lost.

        Args:
            from_path: Source path.
            to_path: Destination path.

        Returns:
            The object at its destination.

        Raises:
            ObjectNotFoundException: The source does not exist.
            ObjectChangedError: The source was written while it was copied. It was not deleted: both objects exist.
            ValueError: The two paths are the same.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "inbox/t.csv")
            >>> branch.move_object("inbox/t.csv", "data/t.csv").path
            'data/t.csv'
        """
        return wrap(ObjectInfo, self, self._client._run(calls.move, self, from_path, to_path))

    def set_object_metadata(self, path: ObjectPath, metadata: Mapping[str, str]) -> None:
        """Replace the user metadata of an object. Its tags and encoding are kept, unless it has their keys.

        Args:
            path: Path of the object.
            metadata: New metadata. Keys are converted to lower case.

        Raises:
            ObjectNotFoundException: The object does not exist.
        """
        self._client._run(calls.set_metadata, self, path, metadata)

    @overload
    def open(
        self,
        path: ObjectPath,
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
        self, path: ObjectPath, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> io.BufferedReader: ...
    @overload
    def open(
        self,
        path: ObjectPath,
        mode: Literal["wb", "xb"],
        pre_signed: bool | None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> fileio.ObjectWriter: ...
    @overload
    def open(
        self,
        path: ObjectPath,
        mode: Literal["w", "wt", "x", "xt"],
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> fileio.TextWriter: ...
    def open(
        self,
        path: ObjectPath,
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
        r"""Open an object for reading or writing, as a file object of the standard library's `io` module.

        `close()` publishes what was written, atomically. An exception inside the `with` block publishes nothing.

        Args:
            path: Path of the object.
            mode: "r" or "rb" to read, "w" or "wb" to write, "x" or "xb" to create only. A file opened with "w" takes
                `str` and `bytes`.
            pre_signed: Whether to use a pre-signed URL. Defaults to what the server supports.
            encoding: Encoding of a text file. Defaults to UTF-8.
            errors: As for the built-in `open`.
            newline: As for the built-in `open`.
            buffering: Size of a reader's buffer in bytes.
            content_type: Media type of a written object. Defaults to the type of the path's suffix.
            metadata: User metadata of a written object.

        Raises:
            ObjectNotFoundException: The object to read does not exist.
            ObjectExistsException: The object to create exists.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> with branch.open("notes.txt", "w") as file:
            ...     _ = file.write("hello\n")
            >>> with branch.open("notes.txt") as file:
            ...     file.read()
            'hello\n'
        """
        plan = fileio.plan(
            self,
            path,
            mode,
            pre_signed,
            writable=True,
            encoding=encoding,
            errors=errors,
            newline=newline,
            buffering=buffering,
            content_type=content_type,
            metadata=metadata,
        )
        return fileio.open_object(plan)
