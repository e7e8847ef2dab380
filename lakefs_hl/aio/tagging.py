"""Tags of objects, on references, branches and transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import tagging as calls
from lakefs_hl._handles.handle import Handle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakefs_hl._handles.objects import ObjectPath
    from lakefs_hl.aio.client import Client


class TagReads(Handle):
    """The part of the read operations that is about tags of objects."""

    __module__ = "lakefs_hl.aio"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a reference has a client

    async def get_tags(self, path: ObjectPath) -> dict[str, str]:
        """Return the tags of an object, as they were at this reference.

        Raises:
            ObjectNotFoundException: The object does not exist.
            ValueError: Another program has written something else under the metadata key of the tags.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload(b"%PDF", "q4.pdf", tags={"Type": "Report", "Stadt": "Köln"})
            >>> await branch.get_tags("q4.pdf")
            {'Stadt': 'Köln', 'Type': 'Report'}
        """
        return await self._client._run(calls.get_tags, self, path)


class TagWrites(TagReads):
    """The part of the write operations that is about tags of objects."""

    __module__ = "lakefs_hl.aio"

    async def set_tags(self, path: ObjectPath, tags: Mapping[str, str]) -> None:
        """Replace the tags of an object. Its content and its other metadata stay as they are.

        Tags are in the key `lakefs-hl-tags` of the object's metadata, as ASCII JSON that keeps every spelling. They are
        a staged change like any other: part of the next commit, different at different references, and copied with the
        object. lakeFS replaces the metadata of an object as a whole, so this call reads it, changes it and writes it.
        Of two clients that do so at the same time, the last one wins.

        Args:
            path: Path of the object.
            tags: The new tags: any text, with names that are not empty. None of them removes all.

        Raises:
            ObjectNotFoundException: The object does not exist.
            BadRequestException: The reference is a commit or a tag, which are immutable.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload(b"%PDF", "q4.pdf")
            >>> await branch.set_tags("q4.pdf", {"Status": "Final"})
            >>> (await branch.stat_object("q4.pdf")).tags
            {'Status': 'Final'}
        """
        await self._client._run(calls.set_tags, self, path, tags)

    async def delete_tags(self, path: ObjectPath) -> None:
        """Remove all tags of an object. One without tags stays as it is.

        Raises:
            ObjectNotFoundException: The object does not exist.
            BadRequestException: The reference is a commit or a tag, which are immutable.
        """
        await self._client._run(calls.delete_tags, self, path)
