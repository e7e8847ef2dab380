"""What a key that is limited to repositories may name in a request besides its repository.

Contents and trees are stored once for the whole lake, and named by their hashes. A limited key gets none of them by
such a name, unless its repository has it: otherwise a hash would be a key to all repositories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import ok
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.keys import Key
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import ForbiddenException, NotFoundException
from lakefs_hl.spec.wire import Request, Response

#: What names a content: its hash, or the address that was drawn for it, below the namespace of a repository.
_CONTENT: Final = re.compile(r"local://.+/data/[0-9a-f]{64}", re.DOTALL)
_DRAWN: Final = re.compile(r"(local://.+)/data/[0-9a-f]+-[0-9a-f]{32}(?:,.*)?", re.DOTALL)


def check(engine: Engine, key: Key, request: Request) -> None:
    """Refuses what a request names of other repositories.

    Raises:
        ForbiddenException: A content or tree that may be another repository's.
    """
    if key.repositories is not None and (found := _CHECKS.get(request.endpoint.operation)) is not None:
        found(engine, key, request)


def _stage(engine: Engine, key: Key, request: Request) -> None:
    _check_address(engine, key, request.params[0], checks.body(models.ObjectStage, request).physical_address)


def _link(engine: Engine, key: Key, request: Request) -> None:
    address = checks.body(models.StagingLink, request).staging.physical_address
    _check_address(engine, key, request.params[0], address or "")


def _check_address(engine: Engine, key: Key, repository: str, address: str) -> None:
    """Refuses the address of a content, unless it was drawn for an upload to the repository.

    What is neither names no content of the lake: it is kept as a record, and never read.
    """
    for name in (address, address.partition(",")[0]):  # with and without the signature of a drawn address
        drawn = _DRAWN.fullmatch(name)
        if drawn is not None and drawn[1] == engine.repositories.get(repository).storage_namespace:
            continue
        if drawn is not None or _CONTENT.fullmatch(name) is not None:
            raise ForbiddenException(
                f"insufficient permissions: the key {key.label!r} is limited to repositories, and takes no content by "
                f"its address, but what was uploaded to one of {repository!r} (getPhysicalAddress); upload it, or copy "
                "the object (copyObject)"
            )


def _commit(engine: Engine, key: Key, request: Request) -> None:
    """A tree is taken if a commit of the repository has it."""
    repository, tree = request.params[0], checks.text(request.query, "source_metarange")
    if tree and not engine.commits.has_tree(repository, tree):
        raise ForbiddenException(
            f"insufficient permissions: the key {key.label!r} is limited to repositories, and no commit of "
            f"{repository!r} has the metarange {tree[:80]!r}"
        )


_CHECKS: Final[dict[str, Callable[[Engine, Key, Request], None]]] = {
    endpoints.STAGE_OBJECT.operation: _stage,
    endpoints.LINK_PHYSICAL_ADDRESS.operation: _link,
    endpoints.COMMIT.operation: _commit,
}


def list_repositories(engine: Engine, request: Request, names: Collection[str]) -> Response:
    """One page of the repositories of a key. Neither it nor its end says whether there are others."""
    query = request.query
    prefix, after = checks.prefix(query), checks.text(query, "after")
    amount, search = checks.amount(query), checks.text(query, "search")
    found: list[models.Repository] = []
    for name in sorted(names):
        if name > after and name.startswith(prefix) and search in name and len(found) <= amount:
            try:
                found.append(engine.repositories.get(name))
            except NotFoundException:
                continue  # it was deleted, or is still to be created
    pagination, kept = page_of(found, amount, lambda one: one.id)
    return ok(models.RepositoryPage(pagination, kept))
