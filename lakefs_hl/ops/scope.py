"""Repositories of a client: names that begin with a scope on the server only, and creation of those that are missing.

Requests are translated when they are sent, records when they are decoded. Everything in between, and every message,
has the names of the caller. A scope is a naming aid: the credentials decide what a caller may do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from lakefs_hl.ops.effects import Op, once
from lakefs_hl.ops.failure import Outcome, is_repository_missing
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.rows import REPOSITORY
from lakefs_hl.spec.wire import Query, Request

if TYPE_CHECKING:
    from lakefs_hl.ops.retry import Session

T = TypeVar("T")
#: Query parameters of a listing of repositories that are the beginning of a name.
_NAMES: Final = ("prefix", "after")


def names_repository(request: Request) -> bool:
    """Return whether the first path parameter of a request is the name of a repository."""
    return request.endpoint.path.startswith(REPOSITORY)


def to_server(scope: str, request: Request) -> Request:
    """Return a request with the names that the server knows.

    Args:
        scope: What the names of repositories begin with on the server; "" changes nothing.
        request: The request, with the names of the caller.
    """
    if not scope:
        return request
    if names_repository(request):
        return msgspec.structs.replace(request, params=(scope + request.params[0], *request.params[1:]))
    if request.endpoint is endpoints.LIST_REPOSITORIES:
        return msgspec.structs.replace(request, query=_listing(scope, request.query))
    if request.endpoint is endpoints.CREATE_REPOSITORY and isinstance(request.body, bytes):
        creation = msgspec.json.decode(request.body)
        creation["name"] = scope + creation["name"]
        return msgspec.structs.replace(request, body=msgspec.json.encode(creation))
    return request


def _listing(scope: str, query: Query) -> Query:
    begun = {name: f"{scope}{query[name]}" for name in _NAMES if name in query}
    return {**query, "prefix": scope, **begun}


def to_caller(scope: str, request: Request, record: T) -> T:
    """Return a record with the names of the caller.

    Args:
        scope: What the names of repositories begin with on the server; "" changes nothing.
        request: The request, with the names of the caller.
        record: The record in its response.
    """
    if not scope:
        return record
    replace = msgspec.structs.replace
    if isinstance(record, models.Repository):
        return replace(record, id=record.id.removeprefix(scope))
    if isinstance(record, models.RepositoryPage):
        search = str(request.query.get("search", ""))  # the server has searched in the scope too
        own = (row for row in record.results if row.id.startswith(scope) and row.id != scope)  # "" would be no name
        rows = (replace(row, id=row.id.removeprefix(scope)) for row in own)
        position = replace(record.pagination, next_offset=record.pagination.next_offset.removeprefix(scope))
        return replace(record, pagination=position, results=[row for row in rows if search in row.id])
    return record


def note_scope(scope: str, request: Request, error: LakeFSException) -> None:
    """Add to an error which repository was meant on the server."""
    if scope and names_repository(request):
        name = request.params[0]
        error.add_note(f"by the scope of the client, repository {name!r} is {scope + name!r} on the server")


# -- creation ----------------------------------------------------------------------------------------------------------


def without_creation(session: Session) -> Session:
    """Return a session that creates no repository on its own."""
    if session.make_repository is None:
        return session
    other = session.copy(session.policy)
    other.make_repository = None
    return other


def needs_repository(session: Session, request: Request, outcome: Outcome) -> bool:
    """Return whether a request failed because its repository does not exist, and the session creates those."""
    return session.make_repository is not None and is_repository_missing(request, outcome)


def make_repository(session: Session, request: Request) -> Op[Session]:
    """Create the repository of a request, once for all ops that need it. Returns a session that creates none."""
    plain = without_creation(session)
    if session.make_repository is not None:
        repository = request.params[0]
        yield from once(("make_repository", id(session), repository), session.make_repository(plain, repository))
    return plain


def note_creation(request: Request, error: LakeFSException) -> None:
    """Add to the error of a request that its repository was created before: something was changed."""
    error.add_note(f"repository {request.params[0]!r} did not exist and was created before")
    error.maybe_applied = error.maybe_applied is False or error.maybe_applied
