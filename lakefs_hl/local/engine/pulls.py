"""Pull requests: records that propose to merge one branch into another, and the merge that closes them.

As in lakeFS, a pull request names branches, not commits, its status can be set to anything from anything, and a date of
closing stays when it is opened again. Unlike lakeFS, the merge and the change of the record are one transaction.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Final

import msgspec

from lakefs_hl.local.disk.tables import pulls as table
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.clock import now
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.merges import Merges
from lakefs_hl.local.engine.names import check_branch, invalid
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.records import PullRecord
from lakefs_hl.local.engine.snapshot import Snapshot, Transaction
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, NotFoundException
from lakefs_hl.spec.refusals import refusal

OPEN: Final = "open"
MERGED: Final = "merged"
#: Statuses that a filter lets pass; "all" has every one.
FILTERS: Final[dict[str, tuple[str, ...]]] = {"open": (OPEN,), "closed": ("closed", MERGED)}
#: Rows that are read at a time while a listing looks for those of a status.
_BATCH: Final = 1000
#: IDs are xids, as lakeFS has them: 96 bits in 20 digits of base 32, the last of which has four bits too many.
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_ID: Final = re.compile(r"[0-9a-v]{19}[0g]")
#: From this second IDs count backwards, as in lakeFS.
_YEAR_3000: Final = 32503680000


class PullRequests:
    """The pull requests of a lake's repositories."""

    def __init__(self, lake: Lake, merges: Merges) -> None:
        self._lake = lake
        self._merges = merges

    def create(self, repository: str, creation: models.PullRequestCreation, *, who: str) -> str:
        """Create a pull request, and return its ID.

        Raises:
            NotFoundException: There is no such repository or branch.
            BadRequestException: The branches are the same, or no branch can have that name.
        """
        source, destination = creation.source_branch, creation.destination_branch
        check_branch(destination, argument="dest")
        check_branch(source, argument="src")
        if source == destination:
            raise BadRequestException("source and destination branches are the same: same branch validation error")
        record = PullRecord(creation.title, creation.description or "", who, source, destination, OPEN, now())

        def work(transaction: Transaction) -> str:
            for branch in (source, destination):
                transaction.head(branch)
            number = transaction.repo.id
            made = _new_id(record.created, table.smallest(transaction.reader, number))
            table.put(transaction.writer, number, made, records.encode(record))
            return made

        return self._lake.effect(repository, work)

    def get(self, repository: str, id: str) -> models.PullRequest:
        """Return a pull request.

        Raises:
            NotFoundException: There is no such repository or pull request.
            BadRequestException: No pull request can have that ID.
        """
        _check_id(id)
        with self._lake.read(repository) as snapshot:
            return _model(id, _find(snapshot, id))

    def page(
        self, repository: str, prefix: str, after: str, amount: int, status: str = "all"
    ) -> models.PullRequestPage:
        """Return a page of pull requests, newest first, without what lakeFS leaves out of listings."""
        wanted, rows = FILTERS.get(status), list[models.PullRequest]()
        batch = _BATCH if wanted else amount + 1
        with self._lake.read(repository) as snapshot:
            start = max(prefix, after + "\0" if after else "")
            while len(rows) <= amount:
                found = table.starting_at(snapshot.reader, snapshot.repo.id, start, batch)
                for name, value in found:
                    record = records.read_pull(value)
                    if name.startswith(prefix) and (wanted is None or record.status in wanted):
                        rows.append(_listed(name, record))
                if not found or not found[-1][0].startswith(prefix):
                    break
                start = found[-1][0] + "\0"
        pagination, kept = page_of(rows[: amount + 1], amount, lambda one: one.id)
        return models.PullRequestPage(pagination, kept)

    def update(self, repository: str, id: str, update: models.PullRequestUpdate) -> None:
        """Change a pull request; None leaves a field as it is.

        Raises:
            NotFoundException: There is no such repository or pull request.
            BadRequestException: No pull request can have that ID.
        """
        _check_id(id)
        fields = {name: value for name, value in msgspec.structs.asdict(update).items() if value is not None}
        if update.status not in (None, OPEN):
            fields["closed"] = now()

        def work(transaction: Transaction) -> None:
            _put(transaction, id, msgspec.structs.replace(_find(transaction, id), **fields))

        self._lake.effect(repository, work)

    def merge(self, repository: str, id: str, *, who: str) -> str:
        """Merge an open pull request, and return the merge commit's ID.

        Raises:
            NotFoundException: There is no such repository, pull request or branch.
            BadRequestException: It is not open, has nothing to merge, or the destination has uncommitted changes.
            MergeConflict: Both sides changed the same paths.
        """
        _check_id(id)
        with self._lake.read(repository) as snapshot:
            record = _find_open(snapshot, id)

        def close(transaction: Transaction, commit: str) -> None:
            current = _find_open(transaction, id)  # it may have been closed since
            merged = msgspec.structs.replace(current, status=MERGED, closed=now(), commit=bytes.fromhex(commit))
            _put(transaction, id, merged)

        return self._merges.merge(
            repository, record.source, record.destination, models.Merge(), who=who, on_publish=close
        )


def _find(snapshot: Snapshot, id: str) -> PullRecord:
    value = table.get(snapshot.reader, snapshot.repo.id, id)
    if value is None:
        raise NotFoundException("pull request not found")
    return records.read_pull(value)


def _find_open(snapshot: Snapshot, id: str) -> PullRecord:
    record = _find(snapshot, id)
    if record.status != OPEN:
        raise refusal(400, "bad pull request status", "mergePullRequest")
    return record


def _put(transaction: Transaction, id: str, record: PullRecord) -> None:
    table.put(transaction.writer, transaction.repo.id, id, records.encode(record))


def _check_id(id: str) -> None:
    if _ID.fullmatch(id) is None:
        raise invalid("pullRequestID", "pull request id")


def _new_id(created: int, smallest: str | None) -> str:
    """Return an ID that sorts before all others of a repository, whatever the clock says."""
    seconds, nanoseconds = divmod(created, 10**9)
    number = (_YEAR_3000 - seconds & 0xFFFFFFFF) << 64 | (10**9 - 1 - nanoseconds) << 34 | secrets.randbits(34)
    if smallest is not None:
        number = min(number, _number(smallest) - 1)
    return "".join(_DIGITS[(number << 4) >> shift & 31] for shift in range(95, -1, -5))


def _number(id: str) -> int:
    number = 0
    for digit in id:
        number = number << 5 | _DIGITS.index(digit)
    return number >> 4


def _date(nanoseconds: int) -> str:
    """Return a time as Go writes it: RFC 3339 with as many decimals as there are."""
    seconds, rest = divmod(nanoseconds, 10**9)
    decimals = f".{rest:09}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{decimals}Z"


def _model(id: str, record: PullRecord) -> models.PullRequest:
    """Return a record in lakeFS's words."""
    return msgspec.structs.replace(
        _listed(id, record),
        description=record.description,
        merged_commit_id=None if record.commit is None else record.commit.hex(),
    )


def _listed(id: str, record: PullRecord) -> models.PullRequest:
    """Return a record as lakeFS lists it: without the description and the merge commit."""
    return models.PullRequest(
        id,
        record.title,
        record.status,
        record.author,
        _date(record.created),
        record.source,
        record.destination,
        closed_date=None if record.closed is None else _date(record.closed),
    )
