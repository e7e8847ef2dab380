"""Plans: what a transfer would do, to be looked at, kept and done later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lakefs_hl._bulk import plan as calls
from lakefs_hl._handles.handle import own_client
from lakefs_hl.aio import fileio
from lakefs_hl.aio.client import Client
from lakefs_hl.aio.objects import ReadIOBase
from lakefs_hl.aio.writes import WriteIOBase

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_hl._handles.transfers import TransferReport
    from lakefs_hl.types import ProgressLike


class Plan(calls.PlanFields):
    """What a transfer would do, as `dry_run=True` returns it.

    `apply()` does it. What has changed since the plan was made is not touched, and is among the failures.

    Examples:
        >>> from pathlib import Path
        >>> Path("data").mkdir()
        >>> _ = Path("data/a.csv").write_text("1,2")
        >>> branch = lakefs.repository("example").branch("main")
        >>> plan = await branch.upload_dir("data", "raw", dry_run=True)
        >>> [(action.kind, action.path, action.size) for action in plan.actions]
        [('upload', 'raw/a.csv', 3)]
        >>> plan.save("plan.jsonl")
        >>> (await lakefs.Plan.load("plan.jsonl").apply()).transferred
        1
    """

    __module__ = "lakefs_hl.aio"

    @classmethod
    def load(cls, file: str | PathLike[str], *, client: Client | None = None) -> Plan:
        """Read a plan that was saved.

        Args:
            file: Path of the file.
            client: Client to use. Defaults to the default client at the time of `apply`.

        Raises:
            ValueError: The file is not a plan.
        """
        return cls._read(file, own_client(client, Client))

    async def apply(
        self, *, on_error: Literal["raise", "return"] = "raise", progress: ProgressLike | None = None
    ) -> TransferReport:
        """Do what is planned.

        Args:
            on_error: Whether failures are raised after all actions were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            What was transferred and deleted, and what failed.

        Raises:
            PartialFailureError: Some actions failed, or something has changed since the plan was made.
            ValueError: The plan is of another lake.
        """
        kind: Any = WriteIOBase if self._task.direction == "upload" else ReadIOBase
        place = kind(self._task.repository_id, self._task.reference_id, self._given)
        from lakefs_hl._bulk.applying import apply

        report: TransferReport = await fileio.transfer(apply(self, place, on_error, progress), "apply")
        return report
