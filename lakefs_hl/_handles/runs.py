"""Action runs and the runs of their hooks: their fields, and the calls on them."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final

from lakefs_hl import _html as html
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import reference_name
from lakefs_hl._handles.listings import OBJECT, TIME, Columns
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.options import Optioned
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import runs as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.refs import COMMIT_ID
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, endpoints, models
from lakefs_hl.spec.uri import repository_uri

#: Fields of the rows of `runs` and of `hooks`.
RUNS: Final = Columns(
    "action runs",
    {
        "id": OBJECT,
        "event_type": OBJECT,
        "status": OBJECT,
        "branch_id": OBJECT,
        "commit_id": OBJECT,
        "start_time": TIME,
        "end_time": TIME,
    },
)
HOOK_RUNS: Final = Columns(
    "hook runs",
    {"id": OBJECT, "action": OBJECT, "hook_id": OBJECT, "status": OBJECT, "start_time": TIME, "end_time": TIME},
)


class RunFields(RecordHandle[models.ActionRun]):
    """The fields of an action run."""

    @property
    def branch_id(self) -> str | None:
        """Branch of the event. None if the event is one of a tag."""
        return self._record().branch or None

    @property
    def commit_id(self) -> str | None:
        """ID of the commit of the event. None if the event has none."""
        return self._record().commit_id or None

    @property
    def event_type(self) -> str:
        """Event that started the run, such as "pre-commit" or "post-merge"."""
        return self._record().event_type

    @property
    def status(self) -> str:
        """Result of the run: `completed` or `failed`."""
        return self._record().status

    @property
    def start_time(self) -> datetime:
        """Start time: an aware datetime in UTC."""
        return arguments.from_rfc3339(self._record().start_time)

    @property
    def end_time(self) -> datetime | None:
        """End time: an aware datetime in UTC. None if the run has not ended."""
        return _time(self._record().end_time)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with aware datetimes."""
        return {name: getattr(self, name) for name in RUNS.types}

    def __repr__(self) -> str:
        place = repository_uri(self._repository_id)
        if self._known is None:
            return f"<Run {self._id} of {place}>"
        record = self._known[0]
        event = f"{record.event_type} on {record.branch!r}" if record.branch else record.event_type
        return f"<Run {self._id} of {place}: {event}, {record.status}>"

    def _repr_html_(self) -> str:
        title = f"{repository_uri(self._repository_id)} {self._id}"
        if self._known is None:
            return html.describe("Run", title)
        record = self._known[0]
        rows = {
            "event": record.event_type,
            "branch": record.branch,
            "commit": record.commit_id,
            "status": record.status,
            "started": f"{self.start_time:%Y-%m-%d %H:%M:%S} UTC",
        }
        return html.describe("Run", title, rows)


class HookRunFields(Optioned):
    """The fields of the run of one hook."""

    def __init__(self, repository_id: str, run_id: str, record: models.HookRun, client: Any = None) -> None:
        self._repository_id = repository_id
        self._run_id = run_id
        self._record = record
        self._given = client

    @property
    def id(self) -> str:
        """ID of the hook's run within the action run."""
        return self._record.hook_run_id

    @property
    def run_id(self) -> str:
        """ID of the action run."""
        return self._run_id

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._repository_id

    @property
    def action(self) -> str:
        """Name of the action."""
        return self._record.action

    @property
    def hook_id(self) -> str:
        """ID of the hook in the file of the action."""
        return self._record.hook_id

    @property
    def status(self) -> str:
        """Result of the hook: `completed`, `failed` or `skipped`."""
        return self._record.status

    @property
    def start_time(self) -> datetime | None:
        """Start time: an aware datetime in UTC. None if the hook was skipped."""
        return _time(self._record.start_time)

    @property
    def end_time(self) -> datetime | None:
        """End time: an aware datetime in UTC. None if the hook was skipped or has not ended."""
        return _time(self._record.end_time)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with aware datetimes."""
        return {name: getattr(self, name) for name in HOOK_RUNS.types}

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self._run_id, self.id, self._given

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, HookRunFields) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def _repr_html_(self) -> str:
        title = f"{repository_uri(self._repository_id)} {self._run_id} {self.id}"
        return html.describe("HookRun", title, {name: html.cell(value) for name, value in self.to_dict().items()})

    def __repr__(self) -> str:
        record = self._record
        place = f"run {self._run_id} of {repository_uri(self._repository_id)}"
        return f"<HookRun {record.hook_run_id} of {place}: {record.action}/{record.hook_id}, {record.status}>"


def _time(found: str | None) -> datetime | None:
    """Return a time of a record. None if there is none: lakeFS's zero time is in the year 1."""
    return None if not found or found.startswith("0001-") else arguments.from_rfc3339(found)


# -- calls -------------------------------------------------------------------------------------------------------------


def listing(
    session: Session, at: RepositoryHandle, max_amount: object, after: object, branch: object, commit: object
) -> Pages[models.ActionRun]:
    """List action runs.

    Raises:
        ValueError: Both a branch and a commit were given, which lakeFS refuses; or `commit` is not a full ID, for which
            lakeFS would find no run.
    """
    of_branch = "" if branch is None else reference_name(branch, "branch", at)
    of_commit = "" if commit is None else reference_name(commit, "commit", at)
    if of_branch and of_commit:
        about = endpoints.LIST_REPOSITORY_RUNS.describe(at._id)
        msg = f"{about}: give branch={of_branch!r} or commit={of_commit!r}, not both"
        raise ValueError(msg)
    if commit is not None and not COMMIT_ID.fullmatch(of_commit):
        msg = f"commit must be a commit or its full ID, not {of_commit!r}; get_commit() of a reference returns one"
        raise ValueError(msg)
    page = partial(ops.page, session, at._id, branch=of_branch, commit=of_commit)
    return Pages(page, arguments.text(after, "after"), arguments.amount(max_amount), RUNS)


def get(session: Session, at: RunFields) -> Op[models.ActionRun]:
    """Look up an action run."""
    return ops.get(session, at._repository_id, at._id)


def hooks(session: Session, at: RunFields, max_amount: object, after: object) -> Pages[models.HookRun]:
    """List the hooks of an action run."""
    page = partial(ops.hooks_page, session, at._repository_id, at._id)
    return Pages(page, arguments.text(after, "after"), arguments.amount(max_amount), HOOK_RUNS)


def output(session: Session, at: HookRunFields) -> Op[str]:
    """Read what a hook printed."""
    printed = yield from ops.output(session, at._repository_id, at._run_id, at.id)
    return printed.decode(errors="backslashreplace")
