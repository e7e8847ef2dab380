"""Access keys of the lake. The owner of its directory manages them, and on a server the holder of a key without limits.

Rules of the room: no answer has a secret, and none is kept for idempotency keys: the client has drawn the pair, by
which a repetition is known.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final

from lakefs_hl.local.api import checks, principals
from lakefs_hl.local.api.answers import Handler, created, done, ok
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.keys import ADMIN, Key, Keys
from lakefs_hl.spec import keys as spec
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    ConflictException,
    LakeError,
    LakeFSException,
    LakeReadOnlyError,
    LakeResourceError,
    UnsupportedOperationException,
)
from lakefs_hl.spec.wire import Request, Response

_IN_MEMORY: Final = (
    "a lake in memory ends with its process and is never served, so that it has no access keys: use local:DIRECTORY, "
    "and serve it with `lakefs-hl serve DIRECTORY`"
)


class KeyCalls:
    """The operations on keys.

    Args:
        keys: The keys of the lake; None for a lake in memory, which has none.

    Attributes:
        handlers: The operations.
    """

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        calls: dict[str, Callable[[Keys, Request], Response]] = {
            spec.LIST_KEYS.operation: _list,
            spec.CREATE_KEY.operation: _create,
            spec.GET_KEY.operation: _get,
            spec.DELETE_KEY.operation: _delete,
        }
        self.handlers: dict[str, Handler] = {name: self._handler(call) for name, call in calls.items()}

    def _handler(self, call: Callable[[Keys, Request], Response]) -> Handler:
        def handle(engine: Engine, request: Request, who: str) -> Response:
            if self._keys is None:
                raise UnsupportedOperationException(_IN_MEMORY)
            try:
                with public():
                    return call(self._keys, request)
            except LakeFSException:
                raise
            except OSError as exc:
                raise _unwritten(exc) from exc

        return handle


def _list(keys: Keys, request: Request) -> Response:
    """One page of keys."""
    query = request.query
    prefix, after, amount = checks.prefix(query), checks.text(query, "after"), checks.amount(query)
    found = [key for key in keys.all() if key.label > after and key.label.startswith(prefix)]
    pagination, kept = page_of(found[: amount + 1], amount, lambda key: key.label)
    return ok(models.AccessKeyPage(pagination, [_record(key) for key in kept]))


def _create(keys: Keys, request: Request) -> Response:
    """Adds the key that a client has drawn."""
    wanted = checks.body(models.AccessKeyCreation, request)
    checks.matches(spec.ID, wanted.access_key_id, "access_key_id")
    if spec.SECRET.fullmatch(wanted.secret_access_key) is None:
        raise checks.field("secret_access_key", "must be 40 letters and digits, drawn at random")
    if wanted.name is not None and (fault := spec.name_fault(wanted.name)):
        raise checks.field("name", f"{wanted.name[:80]!r} {fault}")
    repositories = wanted.repositories
    if repositories is not None:
        if not 0 < len(repositories) <= spec.MAX_REPOSITORIES:
            raise checks.field("repositories", f"must be 1 to {spec.MAX_REPOSITORIES} names, or null for all")
        for one in repositories:
            if fault := spec.repository_fault(one):
                raise checks.field("repositories", f"{one[:80]!r} {fault}")
    key = Key(
        wanted.access_key_id,
        wanted.secret_access_key,
        wanted.name or "",
        wanted.name or wanted.access_key_id,
        read_only=wanted.read_only,
        repositories=None if repositories is None else tuple(sorted(set(repositories))),
        created=int(time.time()),
    )
    return created(_record(keys.add(key)))


def _get(keys: Keys, request: Request) -> Response:
    """One key, by its ID or name."""
    return ok(_record(keys.get(request.params[0])))


def _delete(keys: Keys, request: Request) -> Response:
    """Removes a key, with its tokens and links. One of our IDs that is not there is never created afterwards."""
    name = request.params[0]
    key_id = name if spec.ID.fullmatch(name) else keys.get(name).access_key_id
    mine = principals.principal(keys, request.headers.get("authorization"))
    if mine is not None and mine.access_key_id == key_id and mine.name != ADMIN:
        raise ConflictException(
            f"access key {mine.label!r} is the one that this request is made with; delete it with another key, or in "
            "the lake's directory"
        )
    keys.remove(key_id)
    return done()


def _unwritten(error: OSError) -> LakeError:
    """The public error of a file of keys that cannot be read or replaced."""
    message = f"the file of the keys cannot be read or written: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return LakeReadOnlyError(message)
    found = LakeResourceError(message)
    found.errno = error.errno
    return found


def _record(key: Key) -> models.AccessKey:
    repositories = None if key.repositories is None else list(key.repositories)
    return models.AccessKey(key.access_key_id, key.name or None, ADMIN, key.read_only, repositories, key.created)
