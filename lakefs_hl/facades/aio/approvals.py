"""Approvals of a dataset: requests and decisions, as commits.

They are on a branch of their own, which has no data. A commit on the branch of the dataset would take the uncommitted
changes of others along, a version that is restored would take decisions back, and what is approved may be a tag.
Each is one object, which is created once and never changed: two decisions at a time are a conflict of their merges.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import approvals, arguments
from lakefs_hl.facades.aio.recording import DatasetPlace
from lakefs_hl.facades.approvals import ApprovalDecision, ApprovalRequest
from lakefs_hl.facades.datasets import APPROVALS
from lakefs_hl.types import ErrorKind

if TYPE_CHECKING:
    from lakefs_hl.facades.approvals import ApprovalStatus
    from lakefs_hl.facades.datasets import Address


class Board(DatasetPlace):
    """The branch that has the requests and decisions about a dataset.

    Args:
        address: Where the dataset is.
        given: Its client.
    """

    def __init__(self, address: Address, given: lakefs.Client | None) -> None:
        self._address = address._replace(ref=approvals.BRANCH)
        self._given = given

    async def exists(self) -> bool:
        """Return whether anything was ever asked in this repository."""
        return await (await self._branch()).exists()

    async def create(self, reference: lakefs.Reference) -> None:
        """Create the branch, unless it exists, on the first commit of a reference, which has no data.

        At a later commit it would keep what is deleted from garbage collection.
        """
        branch = await self._branch()
        if await branch.exists():
            return
        first = reference.id
        async for commit in reference.log(first_parent=True):
            first = commit.id
        try:
            await branch.create(first, exist_ok=True, hidden=True)
        except exceptions.BadRequestException as exc:
            if exc.kind is not ErrorKind.UNKNOWN_PROPERTY:
                raise
            await branch.create(first, exist_ok=True)  # a server without hidden branches

    async def write(self, name: str, value: dict[str, Any], request: str, message: str) -> None:
        """Create an object by one commit.

        Raises:
            ObjectExistsException: It exists.
            TransactionException: Nothing was written, or the outcome is unknown: see its `state`.
        """
        path, content = self._path(APPROVALS + name), json.dumps(value, ensure_ascii=False, indent=2)

        async def change(place: lakefs.WriteIOBase) -> None:
            await place.upload(content.encode(), path, content_type="application/json", if_none_match=True)

        await self._record(message, change, {approvals.KEY: request}, stages=False)

    async def read(self, request: str) -> ApprovalRequest:
        """Return a request with its decision.

        Raises:
            ObjectNotFoundException: There is no such request.
            InvalidConfigError: Others have damaged it.
        """
        (found,) = await self._read([request], [approvals.request_path(request), approvals.decision_path(request)])
        return found

    async def read_all(self) -> list[ApprovalRequest]:
        """Return all requests in order.

        Raises:
            InvalidConfigError: Others have damaged one.
        """
        reference, start = await self._reference(), self._path(APPROVALS)
        names = [row.path.removeprefix(start) async for row in reference.list_objects(prefix=start, recursive=True)]
        named = {name: found for name in names if (found := approvals.split(name)) is not None}
        wanted = dict.fromkeys(request for request, kind in named.values() if kind == approvals.REQUEST)
        return await self._read([*wanted], [name for name, (request, _) in named.items() if request in wanted])

    async def _read(self, requests: list[str], names: list[str]) -> list[ApprovalRequest]:
        """Return requests, of whose objects some exist."""
        reference = await self._reference()
        paths = [self._path(APPROVALS + name) for name in names]
        found = dict[str, Any]()
        for name, result in zip(names, await reference.download_many(paths, progress=False), strict=True):
            if isinstance(result.error, exceptions.ObjectNotFoundException) and not name.endswith(approvals.REQUEST):
                continue
            if result.error is not None:
                raise result.error
            try:
                found[name] = json.loads(result.content or b"")
            except (ValueError, RecursionError) as exc:
                self._raise_damaged(name, exc)
        return [self._join(request, found) for request in requests]

    def _join(self, request: str, found: dict[str, Any]) -> ApprovalRequest:
        name = approvals.request_path(request)
        try:
            made = approvals.read_request(request, found[name])
            name = approvals.decision_path(request)
            return approvals.with_decision(made, found[name]) if name in found else made
        except ValueError as exc:
            self._raise_damaged(name, exc)

    def _raise_damaged(self, name: str, error: Exception) -> NoReturn:
        uri = f"lakefs://{self._address.repository}/{approvals.BRANCH}/{self._path(APPROVALS + name)}"
        msg = f"{uri} cannot be read: {error}. The log of that branch says who has written it; restore it from there"
        raise exceptions.InvalidConfigError(msg) from error


class DatasetApprovals(DatasetPlace):
    """The part of a dataset that is about its approval."""

    __module__ = "lakefs_hl.aio"

    async def info(self) -> lakefs.DatasetInfo:
        """Return the details of the dataset."""
        raise NotImplementedError  # a dataset has details

    async def reviewers(self) -> list[str]:
        """Return the IDs of the reviewers, in order. They are those of the repository."""
        with self._naming_mint():
            return await self._repository.reviewers()

    async def add_reviewer(self, reviewer_id: str) -> None:
        """Add a reviewer of the repository; see `Repository.add_reviewer`.

        Args:
            reviewer_id: ID of the user, as `health_check().user` returns it to that user.
        """
        await self._repository.add_reviewer(reviewer_id)

    async def remove_reviewer(self, reviewer_id: str) -> None:
        """Remove a reviewer of the repository; see `Repository.remove_reviewer`.

        Args:
            reviewer_id: ID of the user.

        Raises:
            NotFoundException: There is no such reviewer.
        """
        await self._repository.remove_reviewer(reviewer_id)

    async def request_approval(self, approver: str, notes: str = "") -> ApprovalRequest:
        """Ask a reviewer to approve the dataset as it is committed now.

        The request is a commit on the hidden branch `lakefs_hl-approvals`: neither the branch of the dataset nor its
        uncommitted changes are touched. They are not part of what is approved: commit them first, as `version` does.

        Args:
            approver: ID of a reviewer of the repository.
            notes: What the approver is to know.

        Returns:
            The request. Its `dataset` is the ID of the version that is to be approved.

        Raises:
            NotFoundException: There is no such reviewer, or no such dataset.
            ForbiddenException: The credentials may not write.
            TransactionException: The request was not committed, for example because the credentials may not write.

        Examples:
            >>> ds = lakefs.dataset("reef")
            >>> _ = await ds.mint({"display_name": "Reef survey"})
            >>> await ds.add_reviewer("ada")
            >>> request = await ds.request_approval("ada", "ready for release")
            >>> request.status, request.approver
            ('pending', 'ada')
        """
        who, said = approvals.text_of(approver, "approver"), approvals.text_of(notes, "notes")
        about = f"requesting approval of {self._address.uri} by {who!r:.80}"
        known = await self.reviewers()
        if who not in known:
            there = f"the reviewers are {', '.join(map(repr, known))}" if known else "there are no reviewers"
            msg = f"{about}: no reviewer of the repository has this ID; {there}, and add_reviewer({who!r:.80}) adds it"
            raise exceptions.NotFoundException(msg)
        reference = await self._reference()
        commit = (await reference.get_commit()).id
        await self._at(commit).info()  # a dataset that does not exist cannot be approved
        moment = approvals.now()
        made = ApprovalRequest(
            approvals.new_id(moment), self._address.id_at(commit), commit, who, said, await self._user(), moment
        )
        board = self._board
        await board.create(reference)
        message = f"Request approval of {made.dataset} by {who}"
        await board.write(approvals.request_path(made.id), approvals.stored_request(made), made.id, message)
        return made

    async def act_on_approval(self, id: str | ApprovalRequest, approve: bool, notes: str = "") -> ApprovalDecision:
        """Approve or reject what a request asks for. Each request is decided once.

        The decision is a commit on the hidden branch `lakefs_hl-approvals`, by the user of this client. The user has to
        be the approver whom the request names, and still a reviewer. This call checks it, and a lakeFS server does not:
        others with the right to write to that branch could write a decision by other means, by a commit in their name.

        Args:
            id: The request, or its ID.
            approve: Whether to approve the version.
            notes: What the requester is to know.

        Returns:
            The decision, with the details of the dataset as the version has them.

        Raises:
            ConflictException: It was decided before, or by someone else just now. The message says who decided what.
            ForbiddenException: The user of this client is not the approver, or no longer a reviewer.
            NotFoundException: There is no such request.
            TransactionException: The decision was not committed, for example because the credentials may not write.
            UnsupportedOperationException: The server does not say who the user is.

        Examples:
            >>> ds = lakefs.dataset("reef")
            >>> _ = await ds.mint({"display_name": "Reef survey"})
            >>> me = (await lakefs.health_check()).user
            >>> await ds.add_reviewer(me)
            >>> decision = await ds.act_on_approval(await ds.request_approval(me), approve=True, notes="well done")
            >>> decision.approved, decision.notes, decision.dataset.name
            (True, 'well done', 'Reef survey')
        """
        name, approved = approvals.id_of(id, "id"), arguments.flag(approve, "approve")
        said = approvals.text_of(notes, "notes")
        about = f"{'approving' if approved else 'rejecting'} request {name!r} of {self._address.uri}"
        board = self._board
        request = await self._find(board, name, about)
        self._check_pending(request, about)
        await self._check_user(request, about)
        info = await self._at(request.commit).info()
        made = ApprovalDecision(name, approved, said, request.approver, approvals.now(), request.commit, info)
        message = f"{'Approve' if approved else 'Reject'} {request.dataset}"
        try:
            await board.write(approvals.decision_path(name), approvals.stored_decision(made), name, message)
        except exceptions.ObjectExistsException:
            self._check_pending(await board.read(name), about)
            raise
        return made

    async def approval_requests(self, status: ApprovalStatus | None = None) -> list[ApprovalRequest]:
        """Return the requests for approval of this dataset, oldest first, with what became of them.

        Each is about the version in its `dataset`. Compare its `commit` with that of `info()` to see whether the
        dataset was changed since.

        Args:
            status: Return only those that are "pending", "approved" or "rejected". Defaults to all.

        Raises:
            InvalidConfigError: Others have damaged a request or a decision. The message names the object.
            NotFoundException: The repository does not exist.
        """
        wanted = None if status is None else arguments.choice(status, "status", approvals.STATUSES)
        board = self._board
        if not await board.exists():
            return []
        return [request for request in await board.read_all() if wanted in (None, request.status)]

    # -- checks --------------------------------------------------------------------------------------------------------

    @property
    def _board(self) -> Board:
        return Board(self._address, self._given)

    def _at(self, commit: str) -> lakefs.Dataset:
        return lakefs.dataset(self._address.id_at(commit), client=self._given)

    async def _user(self) -> str | None:
        """Return the ID of the user of this client. None if the server does not say it."""
        return (await lakefs.health_check(self._given)).user

    async def _find(self, board: Board, name: str, about: str) -> ApprovalRequest:
        try:
            return await board.read(name)
        except exceptions.NotFoundException as exc:
            if not await self._repository.exists():
                raise
            msg = f"{about}: there is no such request; approval_requests() lists those of this dataset"
            raise exceptions.NotFoundException(msg) from exc

    async def _check_user(self, request: ApprovalRequest, about: str) -> None:
        user = await self._user()
        if user is None:
            msg = (
                f"{about}: only {request.approver!r} may, and the server does not say who the user of this client is "
                "(health_check().user is None): credentials that it accepts, or a server that says it, are needed"
            )
            raise exceptions.UnsupportedOperationException(msg)
        if user != request.approver:
            msg = (
                f"{about}: {request.approver!r} was asked, and the user of this client is {user!r}; use the "
                "credentials of the approver, or request the approval of another reviewer"
            )
            raise exceptions.ForbiddenException(msg)
        if user not in await self.reviewers():
            msg = (
                f"{about}: {user!r} is no longer a reviewer of the repository; request the approval of one who is, or "
                f"let add_reviewer({user!r}) add this one again"
            )
            raise exceptions.ForbiddenException(msg)

    def _check_pending(self, request: ApprovalRequest, about: str) -> None:
        if request.status != "pending":
            msg = (
                f"{about}: {request.decided_by!r} has {request.status} it at {request.decided_at} with the notes "
                f"{request.decision_notes!r:.200}. A request is decided once; request_approval() makes another"
            )
            raise exceptions.ConflictException(msg)
