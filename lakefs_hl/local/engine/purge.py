"""Removing the rows that deletions have left, in pieces, so that nobody waits for long.

What is dead is noted in the transaction that killed it, and removed after it; what cannot be removed then stays noted
for the next one: whoever deletes has done what it was asked for already.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import history, imports, meta, pulls, staging, tags, uploads
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.contents import UPLOAD_SECONDS
from lakefs_hl.spec.errors import LakeError

if TYPE_CHECKING:
    from lakefs_hl.local.engine.lake import Lake
    from lakefs_hl.local.engine.snapshot import Transaction

#: Rows removed in one transaction, at most.
CHUNK: Final = 5000
#: Keys of `meta` that name what is still to be removed.
_TOKEN: Final = "dead token "  # noqa: S105 - no secret


class Purge:
    """What is to be removed from a lake.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._uploads_due = False
        self._due = False  # whether there is something to remove; a hint, `run(look=True)` finds all

    @property
    def chunk(self) -> int:
        """Rows that are removed in one transaction, at most."""
        return CHUNK

    def add_token(self, writer: Writer, token: int) -> None:
        """Notes a token that is dead."""
        meta.put(writer, f"{_TOKEN}{token}", "")
        self._due = True

    def add_repository(self, writer: Writer, number: int) -> None:
        """Notes a repository that is deleted."""
        meta.put(writer, f"{meta.DELETED}{number}", "")
        self._due = True

    def run(self, *, look: bool = False, patience: float | None = None) -> None:
        """Removes what is noted.

        Args:
            look: Whether to look for what others have left, too.
            patience: Seconds to wait for other writers, if not as long as others do.
        """
        with suppress(LakeError):
            if look:
                with self._lake.read() as snapshot:
                    reader = snapshot.reader
                    self._uploads_due = uploads.has_before(reader, seconds() - UPLOAD_SECONDS)
                    noted = any(meta.first(reader, one) is not None for one in (_TOKEN, meta.DELETED))
                    self._due = noted or self._uploads_due
            while self._due:
                self._due = False  # what dies meanwhile sets it again
                try:
                    more = self._lake.write(None, self._remove_some, durable=False, patience=patience)
                except LakeError:
                    self._due = True
                    raise
                self._due = self._due or more

    def _remove_some(self, transaction: Transaction) -> bool:
        """Removes at most `CHUNK` rows; says whether there may be more."""
        writer = transaction.writer
        if self._uploads_due:
            gone = uploads.delete_before(writer, seconds() - UPLOAD_SECONDS, CHUNK)
            self._uploads_due = gone == CHUNK
            return True
        key = meta.first(writer, _TOKEN)
        if key is not None:
            if staging.delete_some(writer, int(key.removeprefix(_TOKEN)), CHUNK) < CHUNK:
                meta.delete(writer, key)
            return True
        key = meta.first(writer, meta.DELETED)
        if key is None:
            return False
        number = int(key.removeprefix(meta.DELETED))
        for table in (history, imports, pulls, tags):
            if table.delete_some(writer, number, CHUNK) == CHUNK:
                return True
        meta.delete(writer, key)
        return True
