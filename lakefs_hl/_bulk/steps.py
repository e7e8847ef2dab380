"""What a transfer of a directory does with one path."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from lakefs_hl._bulk.comparing import compare
from lakefs_hl._folders.found import Found
from lakefs_hl.spec.models import ObjectStats

#: "check" is to be sent if its content differs, which is not known yet.
StepKind: TypeAlias = Literal["send", "check", "skip", "delete"]
SEND: Final = "send"
CHECK: Final = "check"
SKIP: Final = "skip"
DELETE: Final = "delete"


class Step(msgspec.Struct, frozen=True, gc=False):
    """What is done with one path.

    Attributes:
        kind: What is done.
        path: The path below the prefix and below the directory.
        found: The local file, if there is one.
        record: The object, if there is one and it was listed.
        reason: Why it is skipped although it differs; of a check, why it is skipped if it differs. "" for none.
    """

    kind: StepKind
    path: str
    found: Found | None
    record: ObjectStats | None
    reason: str = ""


def decide(path: str, found: Found, record: ObjectStats, md5: str | None, older: str) -> Step:
    """Return what is done with a path that both sides have.

    Args:
        path: The path.
        found: The local file.
        record: The object.
        md5: MD5 of the file, if it is known.
        older: Why the source is skipped if it differs; "" if it is sent.
    """
    verdict = compare(found, record, md5)
    if verdict == "equal":
        return Step(SKIP, path, found, record)
    kind: StepKind = CHECK if verdict == "unknown" else SKIP if older else SEND
    return Step(kind, path, found, record, older)
