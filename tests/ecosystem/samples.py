"""What workers of torch and joblib in other processes run."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, NoReturn

import lakefs_hl

if TYPE_CHECKING:  # joblib's workers need no torch
    from lakefs_hl.torch import Sample


class Unpicklable:
    """No pickle has it. (A lambda can be pickled in a process that has loaded dill, as `datasets` does.)"""

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError("this is not pickled")


def number(sample: Sample) -> int:
    """The number that an object holds."""
    return int(sample.data)


def numbered(sample: Sample) -> tuple[str, int]:
    """The path and the number of an object."""
    return sample.path, int(sample.data)


def fail_on_seven(sample: Sample) -> int:
    """The number, unless it is 7."""
    if sample.data == b"7":
        raise ValueError("seven is not a number that this likes")
    return int(sample.data)


def fill(branch: lakefs_hl.Branch, count: int, prefix: str = "train/") -> lakefs_hl.Commit:
    """Commit objects that hold their number."""
    branch.upload_many([(f"{prefix}{each:03}.txt", b"%d" % each) for each in range(count)])
    return branch.commit_changes(f"{count} samples")


def flat(loader: Any) -> list[Any]:
    """All samples of an epoch, in the order in which they came."""
    return [each for batch in loader for each in batch]


def write(place: lakefs_hl.TransactionHandle, each: int) -> lakefs_hl.ObjectInfo:
    """Write the part of one worker."""
    return place.upload(b"%d" % each, f"parts/{each}")


def read(reference: lakefs_hl.Reference, each: int) -> bytes:
    """Read what one worker wrote."""
    return reference.download(f"parts/{each}")


def count(reference: lakefs_hl.Reference) -> int:
    """The number of objects."""
    return len(reference.list_objects(recursive=True).to_list())
