"""The writing half of a branch and of an open transaction, awaitable."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl import writes as blocking
from lakefs_hl.aio import fileio
from lakefs_hl.aio.imports import ImportManager
from lakefs_hl.aio.objects import ObjectInfo, ReadIOBase
from lakefs_hl.aio.twins import twin
from lakefs_hl.handles import Counted, DeleteReport, Handle, reference_name, user_metadata, wrap
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakefs_hl.aio.fileio import Data, Opening


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
        async with fileio.replayable(data) as body:
            op = transfer.upload(
                client._session,
                self._repository_id,
                self._id,
                path,
                body,
                content_type=content_type,
                metadata=user_metadata(metadata),
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
            sources=[(object_store_uri, destination)],
            commit_message=commit_message,
            metadata=metadata,
        )

    async def delete_objects(
        self,
        object_paths: str | ObjectInfo | Iterable[str | ObjectInfo],
        *,
        on_error: Literal["raise", "return"] = "raise",
    ) -> DeleteReport:
        paths = Counted(object_paths)
        client = self._client
        errors = await client._run(ops.delete_all(client._session, self._repository_id, self._id, paths))
        return DeleteReport._of(self.uri, paths.count, errors, on_error)

    async def copy_object(
        self, from_reference: str | Handle, from_path: str, to_path: str | None = None, *, shallow: bool = False
    ) -> ObjectInfo:
        client = self._client
        op = ops.copy(
            client._session,
            self._repository_id,
            self._id,
            from_path if to_path is None else to_path,
            reference_name(from_reference),
            from_path,
            shallow=shallow,
        )
        return wrap(ObjectInfo, self, await client._run(op))

    async def set_object_metadata(self, path: str, metadata: Mapping[str, str]) -> None:
        client = self._client
        await client._run(
            ops.set_metadata(client._session, self._repository_id, self._id, path, user_metadata(metadata) or {})
        )

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
        text = fileio.Text(encoding, errors, newline)
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
            content_type=content_type,
            metadata=user_metadata(metadata),
        )
