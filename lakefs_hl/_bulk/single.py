"""One object from memory as one commit: `upload` with `commit_message`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lakefs_hl._bulk.atomic import Atomic, refuse_commit_message
from lakefs_hl._bulk.caller import Caller
from lakefs_hl._files import bodies
from lakefs_hl._handles.writes import Upload
from lakefs_hl.spec import arguments
from lakefs_hl.spec.models import ObjectStats


class Committing(NamedTuple):
    """An upload that is a commit of its own, with its arguments checked."""

    place: Any
    upload: Upload
    data: Any
    message: str

    def run(self, caller: Caller) -> ObjectStats:
        """Read the data, upload it and commit, on this thread. A failure leaves nothing behind."""
        place = self.place
        with (
            bodies.replayable(caller.data(self.data), caller.is_stopped) as body,
            Atomic(place, self.message, {}) as atomic,
        ):
            stored: ObjectStats = place._client._run_here(self.upload.of, body, atomic.branch)
        return stored


def upload_commit(place: Any, upload: Upload, data: Any, commit_message: object) -> Callable[[Caller], ObjectStats]:
    """Check the message of `upload`, and return what uploads and commits.

    Raises:
        ValueError: The message is empty, or the place is a transaction, whose own commit has everything.
    """
    message = arguments.text(commit_message, "commit_message")
    refuse_commit_message(place, message)
    return Committing(place, upload, data, message).run
