"""The writing half of a branch and of an open transaction, awaitable."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from lakefs_hl import arguments
from lakefs_hl import writes as blocking
from lakefs_hl.aio import fileio
from lakefs_hl.aio.imports import ImportManager
from lakefs_hl.aio.objects import CommonPrefix, ObjectInfo, ReadIOBase
from lakefs_hl.aio.twins import twin
from lakefs_hl.deletions import ON_ERROR, DeleteReport, ObjectPaths
from lakefs_hl.handles import Handle, reference_name, wrap
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakefs_hl.aio.fileio import Data, Opening


_Item: TypeAlias = "str | ObjectInfo | CommonPrefix"
#: What `delete_objects` takes.
Deletable: TypeAlias = "_Item | Iterable[_Item] | AsyncIterable[_Item]"


@twin(blocking.WriteIOBase)
class WriteIOBase(ReadIOBase):
    """What can be written at a branch or in an open transaction; it can be read as well."""

    async def upload(
        self,
        data: Data,
        path: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_none_match: bool = False,
        pre_signed: bool | None = None,
    ) -> ObjectInfo:
        client = self._client
        path = arguments.path(path, self)
        content_type = arguments.optional_text(content_type, "content_type")
        kept = arguments.user_metadata(metadata)
        if_none_match = arguments.flag(if_none_match, "if_none_match")
        pre_signed = arguments.optional_flag(pre_signed, "pre_signed")
        arguments.warn_of_file_name(data)
        async with fileio.replayable(data) as body:
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
            return wrap(ObjectInfo, self, await client._run(op))

    def import_from(
        self,
        object_store_uri: str,
        destination: str,
        commit_message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> ImportManager:
        return ImportManager(
            self._repository_id,
            self._id,
            self._given,
            commit_message=commit_message,
            metadata=metadata,
        ).add(object_store_uri, destination)

    async def delete_objects(
        self,
        object_paths: Deletable,
        *,
        on_error: Literal["raise", "return"] = "raise",
    ) -> DeleteReport:
        on_error = arguments.choice(on_error, "on_error", ON_ERROR)
        client = self._client
        if not isinstance(object_paths, AsyncIterable):
            paths = ObjectPaths(object_paths, "object_paths", self)
            failed = await client._run(ops.delete_all(client._session, self._repository_id, self._id, paths))
            return DeleteReport._of(self.uri, paths, failed, on_error)
        paths, failed, known = ObjectPaths((), "object_paths", self), [], False
        async for batch in paths.batches(object_paths):
            failed += await client._run(
                ops.delete_all(client._session, self._repository_id, self._id, batch, known=known)
            )
            known = True
        return DeleteReport._of(self.uri, paths, failed, on_error)

    async def copy_object(
        self, from_reference: str | Handle, from_path: str, to_path: str | None = None, *, shallow: bool = False
    ) -> ObjectInfo:
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
        return wrap(ObjectInfo, self, await client._run(op))

    async def set_object_metadata(self, path: str, metadata: Mapping[str, str]) -> None:
        client = self._client
        path = arguments.path(path, self)
        kept = arguments.user_metadata(arguments.metadata(metadata)) or {}
        await client._run(ops.set_metadata(client._session, self._repository_id, self._id, path, kept))

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
    ) -> Opening[str]: ...
    @overload
    def open(
        self, path: str, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> Opening[bytes]: ...
    @overload
    def open(
        self,
        path: str,
        mode: Literal["wb", "xb"],
        pre_signed: bool | None = None,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Opening[bytes]: ...
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
    ) -> Opening[str]: ...
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
    ) -> Opening[Any]:
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
