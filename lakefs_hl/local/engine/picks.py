"""Commits that were cherry-picked, and how they are shown.

lakeFS shows the metadata of a cherry-pick (`cherry-pick-origin` and `cherry-pick-committer`) on the commit that was
picked, too, unless that has no metadata or the cherry-pick has its own. The commit itself stays as it is: so a note is
kept beside it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lakefs_hl.local.engine.snapshot import Snapshot, Transaction
from lakefs_hl.spec import models

#: Kind of the setting that notes a picked commit; its ID follows.
_PICKED: Final = "picked "


def note(transaction: Transaction, commit: bytes) -> None:
    """Note that a commit was picked, and the cherry-pick took its metadata."""
    transaction.set_setting(_PICKED + commit.hex(), b"")


def metadata(commit: str, committer: str) -> dict[str, str]:
    """Return what a cherry-pick of a commit adds to the metadata."""
    return {"cherry-pick-origin": commit, "cherry-pick-committer": committer}


def shown(snapshot: Snapshot, commit: models.Commit) -> models.Commit:
    """Return a commit as logs and look-ups show it."""
    if not commit.metadata or snapshot.setting(_PICKED + commit.id) is None:
        return commit
    return msgspec.structs.replace(commit, metadata={**commit.metadata, **metadata(commit.id, commit.committer)})
