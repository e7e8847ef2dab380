"""A server with pull requests: an embedded lake, before which a transport answers for pull requests as lakeFS does.

`test_pull_requests.py` holds it to the recording of a real lakeFS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.scope import Scope

JSON = {"content-type": "application/json"}
CREATED = "2026-01-31T12:00:00.123456789Z"
CLOSED = "2026-01-31T14:00:00+01:00"
NOTHING = models.Pagination(False, "", 0, 1000)


def ok(record: Any, status: int = 200, reason: str = "OK") -> Response:
    return Response(status, JSON, models.encode(record), reason=reason)


def no(status: int, message: str, reason: str) -> Response:
    return ok({"message": message}, status, reason)


class Pulls:
    """A transport to a lake with pull requests.

    Attributes:
        requests: What was sent.
        lost: An operation whose next response is lost.
        refused: An operation that cannot be sent.
    """

    fan_out = 1

    def __init__(self, lake: Transport) -> None:
        self._lake = lake
        self._records: dict[str, models.PullRequest] = {}
        self._handlers: dict[str, Callable[[Request], Response]] = {
            "createPullRequest": self._create,
            "getPullRequest": self._get,
            "listPullRequests": self._list,
            "updatePullRequest": self._update,
            "mergePullRequest": self._merge,
        }
        self.requests: list[Request] = []
        self.lost = self.refused = ""

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        self.requests.append(request)
        operation = request.endpoint.operation
        if operation == self.refused:
            raise TransportError("connect", "127.0.0.1:9 refuses connections", kind="refused")
        handler = self._handlers.get(operation)
        response = self._lake.send(request, scope, within) if handler is None else handler(request)
        if operation == self.lost:
            self.lost = ""
            raise TransportError("wait", "the connection was closed", kind="reset")
        return response

    def __call__(self, request: Request, principal: str | None) -> Response:
        return self.send(request)

    def close(self) -> None:
        self._lake.close()

    def operations(self) -> list[str]:
        return [request.endpoint.operation for request in self.requests]

    def _create(self, request: Request) -> Response:
        try:
            wanted = models.decode(models.PullRequestCreation, body(request))
        except msgspec.ValidationError as exc:
            return no(400, str(exc), "Bad Request")
        if wanted.source_branch == wanted.destination_branch:
            said = "source and destination branches are the same: same branch validation error"
            return no(400, said, "Bad Request")
        for branch in (wanted.source_branch, wanted.destination_branch):
            found = self._lake.send(Request(endpoints.GET_BRANCH, (request.params[0], branch)))
            if found.status != 200:
                return found
        made = f"{10**6 - len(self._records):020d}"  # a newer one has a smaller ID
        self._records[made] = models.PullRequest(
            made,
            wanted.title,
            "open",
            "me",
            CREATED,
            wanted.source_branch,
            wanted.destination_branch,
            wanted.description,
        )
        return ok(models.PullRequestCreated(made), 201, "Created")

    def _get(self, request: Request) -> Response:
        asked = request.params[1]
        if len(asked) != 20:
            return no(400, "argument pullRequestID: pull request id: invalid value: validation error", "Bad Request")
        record = self._records.get(asked)
        return no(404, "pull request not found", "Not Found") if record is None else ok(record)

    def _list(self, request: Request) -> Response:
        status = request.query.get("status", "all")
        if status not in ("open", "closed", "all"):
            return no(400, "bad status", "Bad Request")
        after, amount = str(request.query.get("after", "")), int(str(request.query.get("amount", "1000")))
        found = [
            msgspec.structs.replace(record, description=None)
            for record in sorted(self._records.values(), key=lambda record: record.id)
            if record.id > after and (status == "all" or (record.status == "open") == (status == "open"))
        ]
        more = len(found) > amount
        rows = found[:amount]
        page = models.Pagination(more, rows[-1].id if more else "", len(rows), 1000)
        return ok(models.PullRequestPage(page, rows))

    def _update(self, request: Request) -> Response:
        update = models.decode(models.PullRequestUpdate, body(request))
        fields: dict[str, Any] = {name: value for name, value in msgspec.structs.asdict(update).items() if value}
        if "status" in fields:
            fields["closed_date"] = CLOSED if fields["status"] == "closed" else None
        record = self._records[request.params[1]]
        self._records[record.id] = msgspec.structs.replace(record, **fields)
        return Response(204, reason="No Content")

    def _merge(self, request: Request) -> Response:
        repository, asked = request.params
        record = self._records[asked]
        if record.status != "open":
            return no(400, "bad pull request status", "Bad Request")
        between = (repository, record.source_branch, record.destination_branch)
        merged = self._lake.send(Request(endpoints.MERGE_INTO_BRANCH, between, {}, JSON, b"{}"))
        if merged.status == 200:
            made = models.decode(models.MergeResult, merged.body if isinstance(merged.body, bytes) else b"").reference
            self._records[asked] = msgspec.structs.replace(
                record, status="merged", merged_commit_id=made, closed_date=CLOSED
            )
        return merged


def body(request: Request) -> bytes:
    assert isinstance(request.body, bytes)
    return request.body
