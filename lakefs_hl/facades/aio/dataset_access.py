"""Access of others to a dataset: keys that are limited to it, links, and the page of it on the server."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import arguments
from lakefs_hl.facades.aio.recording import DatasetPlace

if TYPE_CHECKING:
    from lakefs_hl.types import ObjectPath


class DatasetAccess(DatasetPlace):
    """The part of a dataset that gives others access."""

    __module__ = "lakefs_hl.aio"

    async def read_credentials(self, console_session_required: bool = False) -> lakefs.PersistentCredentials:
        """Create an access key that can read the repository of this dataset, and nothing else.

        A key never allows more than was asked for. So this raises where the server cannot limit a key: lakeFS has no
        temporary or limited credentials without its enterprise edition, and no key is limited to a prefix. `presign`
        gives others access to one object on every server.

        Args:
            console_session_required: Whether a session in the web interface is needed too. There is none that a key
                opens; `console_url` is the address of the page.

        Returns:
            The access key, as `lakefs.admin().credentials.create` does. It is valid until it is deleted there.

        Raises:
            UnsupportedOperationException: The server has no limited keys, the dataset is a prefix of a repository, or a
                session is required.
        """
        return await self._credentials(console_session_required, read_only=True)

    async def write_credentials(self, console_session_required: bool = False) -> lakefs.PersistentCredentials:
        """Create an access key that can read and write the repository of this dataset, and nothing else.

        Args:
            console_session_required: As for `read_credentials`.

        Returns:
            The access key, as for `read_credentials`.

        Raises:
            UnsupportedOperationException: As for `read_credentials`.
        """
        return await self._credentials(console_session_required, read_only=False)

    async def _credentials(self, session: object, *, read_only: bool) -> lakefs.PersistentCredentials:
        kind = "read" if read_only else "write"
        about = f"making {kind} credentials for {self._address.uri}"
        link = "presign(path)" if read_only else "presign_upload(path) of its branch"
        if arguments.flag(session, "console_session_required"):
            msg = (
                f"{about}: lakeFS has no sessions that a link opens; console_url() is the page, which asks for a login"
            )
            raise exceptions.UnsupportedOperationException(msg)
        if self._prefix:
            msg = (
                f"{about}: no key is limited to a prefix, and one for the whole repository would allow more; use "
                f"{link} for single objects, or a repository of its own"
            )
            raise exceptions.UnsupportedOperationException(msg)
        try:
            with self._naming_mint():
                await self._repository.info()  # a key for what does not exist would wait for it
            name = f"dataset-{self._address.repository}-{kind}-{secrets.token_hex(4)}"
            keys = lakefs.admin(self._given).credentials
            return await keys.create(name, read_only=read_only, repositories=[self._address.repository])
        except exceptions.UnsupportedOperationException as exc:
            msg = f"{about}: {exc}. Other credentials would allow more; use {link} for single objects"
            raise exceptions.UnsupportedOperationException(msg) from exc

    async def console_url(self) -> str:
        """Return the address of the dataset in the web interface of its server. It contains no secrets.

        The page asks for a login of the server.

        Raises:
            UnsupportedOperationException: The lake is in process, so there is no server.
        """
        repository = self._repository
        endpoint = urlsplit(repository._client.endpoint)
        if endpoint.scheme not in ("http", "https"):
            msg = f"making the URL of {self._address.uri}: the lake is in process and has no web interface; serve it"
            raise exceptions.UnsupportedOperationException(msg)
        host = endpoint.netloc.rpartition("@")[2]
        base = endpoint.path.rstrip("/").removesuffix("/api/v1")
        query = urlencode({"ref": await self._ref_id(), "path": self._prefix}, quote_via=quote)
        name = quote(repository._client._full_name(self._address.repository), safe="")
        return f"{endpoint.scheme}://{host}{base}/repositories/{name}/objects?{query}"

    async def presign(self, path: ObjectPath, expires_in_seconds: int = 3600) -> lakefs.SignedURL:
        """Make a link, with which others read an object of the dataset without credentials, in a browser too.

        Args:
            path: Path of the object, relative to the dataset.
            expires_in_seconds: How long the link is valid, up to a week.

        Returns:
            The link; `url` is its address, and `expires_at` its end.

        Raises:
            ObjectNotFoundException: There is no such object.
            UnsupportedOperationException: No link can be made, for example because the lake is in process.
        """
        full = self._data_path(path)
        return await (await self._reference()).presign(full, expires_in_seconds)
