"""Links to objects: for others, who need no credentials and no client."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lakefs_hl._handles import links as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.links import LinkMethod, LinkVia, SignedURL, UploadFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakefs_hl._handles.objects import ObjectPath
    from lakefs_hl.aio.client import Client
    from lakefs_hl.aio.objects import ObjectInfo
    from lakefs_hl.aio.writes import WriteIOBase
    from lakefs_hl.spec.models import ObjectStats


class LinkReads(Handle):
    """The part of the read operations that makes links."""

    __module__ = "lakefs_hl.aio"
    #: Whether a link can be to write: of a branch.
    _takes_writes: ClassVar[bool] = False

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a reference has a client

    async def presign(
        self,
        path: ObjectPath,
        expires_in_seconds: int = 3600,
        *,
        method: LinkMethod = "GET",
        via: LinkVia = "auto",
        max_bytes: int | None = None,
    ) -> SignedURL:
        """Make a link, with which others read or write an object without credentials, in a browser too.

        Anyone who has the URL can use it until it expires. What is written by it is staged on the branch.

        Args:
            path: Path of the object.
            expires_in_seconds: How long the link is valid, up to a week. An object store whose URLs the server signs
                has a life of its own, which is in `expires_at`.
            method: "GET" to read the object, "PUT" to write it, on a branch only.
            via: "server" has the lakeFS server make the URL: of the object store, or on a served embedded lake of the
                lake itself. "gateway" signs a URL for lakeFS's S3 gateway with the client's access key. "auto" uses the
                server, and the gateway if the server cannot, or gives the link another life than was asked for.
            max_bytes: Maximum size of an upload by the link. Only a served embedded lake has one.

        Returns:
            The link. Its `repr` does not show the URL's signature.

        Raises:
            ObjectNotFoundException: There is no object to read.
            NotFoundException: The repository or the reference does not exist.
            BadRequestException: The link is to write, and the reference is a commit or a tag.
            UnsupportedOperationException: No link can be made: the lake is in process, the reference is read-only, or
                the server and these credentials have no way. The message names what is needed.
            ValueError: `expires_in_seconds` is less than 1 or more than a week.

        Examples:
            >>> served = lakefs.Client("http://127.0.0.1:8000", "LKHL…", "…")  # doctest: +SKIP
            >>> branch = lakefs.repository("example", client=served).branch("main")
            >>> _ = await branch.upload(b"1,2", "a.csv")
            >>> link = await branch.presign("a.csv", 24 * 3600)
            >>> urllib.request.urlopen(link.url).read()
            b'1,2'
        """
        link = await self._client._run(
            calls.presign, self, path, expires_in_seconds, method, via, max_bytes, writable=self._takes_writes
        )
        return SignedURL._of(link, method)


class LinkWrites(Handle):
    """The part of the write operations that has others upload to the object store."""

    __module__ = "lakefs_hl.aio"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a branch has a client

    async def presign_upload(
        self,
        path: ObjectPath,
        expires_in_seconds: int = 3600,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_none_match: bool = False,
    ) -> PresignedUpload:
        """Get a URL with which others upload an object, directly to the object store.

        The content is no object before `finish()` is called. `presign(path, method="PUT")` needs no such second step.

        Args:
            path: Destination path.
            expires_in_seconds: How long the URL is valid, up to a week. An object store has a life of its own, which
                is in `expires_at`.
            content_type: Media type. Defaults to the type of the path's suffix.
            metadata: User metadata. Keys are converted to lower case.
            if_none_match: Create only: an existing object is an error of `finish()`.

        Returns:
            The upload, with the `url` to pass on.

        Raises:
            NotFoundException: The repository or the branch does not exist.
            BadRequestException: The reference is a commit or a tag, which are immutable.
            UnsupportedOperationException: The lake is in process, or the server's object store signs no URLs.
            ValueError: `expires_in_seconds` is less than 1 or more than a week.

        Examples:
            >>> served = lakefs.Client("http://127.0.0.1:8000", "LKHL…", "…")  # doctest: +SKIP
            >>> branch = lakefs.repository("example", client=served).branch("main")
            >>> upload = await branch.presign_upload("big.bin")
            >>> put = urllib.request.Request(upload.url, b"content", method="PUT")
            >>> response = urllib.request.urlopen(put)  # another program, which has only the URL
            >>> (await upload.finish()).size_bytes
            7
        """
        options = calls.upload_options(self, path, content_type, metadata, if_none_match)
        found = await self._client._run(calls.request_upload, self, options.path, expires_in_seconds)
        link = SignedURL._of(found.link, "PUT")
        return PresignedUpload(self, options, link, (found.physical_address, found.headers))


class PresignedUpload(UploadFields):
    """An upload by others, as `presign_upload` returns it.

    It can be pickled, without its URL: another process can `finish()` it.

    Attributes:
        path: Path of the object.
        url: The URL to upload the content to, by PUT. It is a secret until it expires.
        expires_at: When the URL ends.
        headers: Headers that the upload must have.
        physical_address: Address of the content in the object store.
    """

    __module__ = "lakefs_hl.aio"
    _branch: WriteIOBase

    async def finish(self, etag: str | None = None, size_bytes: int | None = None) -> ObjectInfo:
        """Make an object of what was uploaded, staged on the branch. A second call has the same result.

        Args:
            etag: ETag of the object store's response to the upload. An embedded lake knows it.
            size_bytes: Number of bytes that were uploaded. An embedded lake knows it.

        Returns:
            The object.

        Raises:
            NotFoundException: Nothing was uploaded yet; or the branch does not exist any more.
            BadRequestException: Something else was uploaded; or too much time has passed, a day on an embedded lake.
            ObjectExistsException: `if_none_match` was given, and the object exists.
            ValueError: Only one of the two was given, or neither for a server that cannot tell.
        """
        record: ObjectStats = await self._branch._client._run(calls.finish, self, etag, size_bytes)
        return self._branch._object(record)
