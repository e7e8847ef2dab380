"""Plans that are applied: the same transfer, limited to the plan's paths, without what has changed since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.downloading import download_dir
from lakefs_hl._bulk.options import Options, options_of
from lakefs_hl._bulk.plan import Expected, PlanFields
from lakefs_hl._bulk.uploading import upload_dir
from lakefs_hl._handles.transfers import TransferReport


def apply(plan: PlanFields, place: Any, on_error: object, progress: Any) -> Callable[[Caller], TransferReport]:
    """Check the arguments of `Plan.apply`, and return what applies it.

    Raises:
        ValueError: The plan is of another lake.
    """
    task = plan._task
    endpoint = place._client._place
    if endpoint != task.endpoint:
        msg = f"the plan is of {task.endpoint}, and the client is connected to {endpoint}; give load() that client"
        raise ValueError(msg)
    changes = {action.path: action for action in plan.actions if action.kind != "skip"}
    options = _options(task.arguments, frozenset(changes), on_error, progress)
    given = task.arguments
    expected = Expected(changes, compared=bool(given["update"]))
    if task.direction == "download":
        invalid, continues = given["on_invalid"], given["continue_"]
        return download_dir(place, task.prefix, task.directory, options, invalid, continues, expected)
    message, described = given["commit_message"], given["commit_metadata"]
    return upload_dir(place, task.directory, task.prefix, options, given["metadata"], message, described, expected)


def _options(given: dict[str, Any], only: frozenset[str], on_error: object, progress: Any) -> Options:
    return options_of(
        update=given["update"],
        include=None,
        exclude=None,
        ignore_file_names=frozenset(),
        filter=None,
        delete=given["delete"],
        dry_run=False,
        only=only,
        resume=True,
        max_workers=given["max_workers"],
        on_error=on_error,
        progress=progress,
        follow_symlinks=given.get("follow_symlinks", False),
    )
