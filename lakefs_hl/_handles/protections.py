"""What protects the data of a repository: branch protection rules; and what S3 has for it and lakeFS does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NoReturn

from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import protections as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import UnsupportedOperationException

_POLICY: Final = (
    "lakeFS has no bucket policies: administrators of the server decide what each of its users may do, and no one "
    "reads without credentials; protect(pattern) lets only merges change a branch, and presign(path) of a reference "
    "makes a link that reads or writes one object for a time"
)
_PUBLIC: Final = (
    "lakeFS answers no one without credentials, so a repository cannot be public; presign(path) of a reference makes a "
    "link that reads one object for a time, without credentials"
)
_VERSIONING: Final = (
    "versioning is always on in lakeFS: every commit keeps the objects as they are, and history(path) of a reference "
    "lists the versions of one"
)
_OFF: Final = (
    "it cannot be switched off; what no branch, tag or retained commit has is removed by the server's garbage "
    "collection, so delete the branches and tags that are not needed"
)


def policy_error(uri: str, policy: object = "") -> UnsupportedOperationException:
    """Build the exception of a bucket policy.

    Raises:
        TypeError: It is not one.
    """
    if not isinstance(policy, str | Mapping):
        msg = f"policy must be a bucket policy, as text or as a dictionary, not {type(policy).__name__}"
        raise TypeError(msg)
    error = UnsupportedOperationException(f"{uri}: {_POLICY}")
    error.maybe_applied = False
    return error


def check_public_access(uri: str, public_access: object) -> None:
    """Refuse public access. Without it nothing is to be done: no repository has it.

    Raises:
        UnsupportedOperationException: It is to be switched on.
        TypeError: It is neither True nor False.
    """
    if arguments.flag(public_access, "public_access"):
        error = UnsupportedOperationException(f"{uri}: {_PUBLIC}")
        error.maybe_applied = False
        raise error


def refuse_versioning(uri: str, enabled: object) -> NoReturn:
    """Raise the exception of an assignment to `versioning`.

    Raises:
        UnsupportedOperationException: Always.
    """
    why = "it need not be switched on" if enabled is True else _OFF
    error = UnsupportedOperationException(f"{uri}: {_VERSIONING}; {why}")
    error.maybe_applied = False
    raise error


def protections(session: Session, at: RepositoryHandle) -> Op[list[str]]:
    """List the patterns of protected branches."""
    patterns, _ = yield from ops.get(session, at._id)
    return patterns


def protect(session: Session, at: RepositoryHandle, pattern: object) -> Op[None]:
    """Add a rule."""
    return ops.add(session, at._id, _pattern(pattern, at))


def unprotect(session: Session, at: RepositoryHandle, pattern: object) -> Op[None]:
    """Remove a rule."""
    found = _name(pattern, at)
    return ops.remove(session, at._id, found)


def _pattern(value: object, at: RepositoryHandle) -> str:
    """Return a pattern that lakeFS can read: with a broken one, it would refuse every write to every branch.

    Raises:
        UnsupportedOperationException: It is a bucket policy.
        ValueError: It is empty, or a bracket is missing.
    """
    if isinstance(value, Mapping) or (isinstance(value, str) and _is_policy(value)):
        raise policy_error(at.uri)
    pattern, depth, position = _name(value, at), 0, 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            position += 1
        elif char == "[":
            end = pattern.find("]", position + 1)
            if end <= position + 1:
                raise _broken(pattern, "'[' begins a set of characters, such as [a-z], and no ']' ends it")
            position = end
        elif char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        position += 1
    if depth:
        raise _broken(pattern, "'{' begins alternatives, such as {dev,test}, and no '}' ends them")
    if position > len(pattern):
        raise _broken(pattern, "a backslash takes the character after it literally, and there is none")
    return pattern


def _broken(pattern: str, why: str) -> ValueError:
    return ValueError(f"pattern {pattern!r}: {why}; a backslash takes a character literally")


def _name(value: object, at: RepositoryHandle) -> str:
    """Return the text of a pattern, also of one that lakeFS cannot read."""
    if isinstance(value, Handle) or (isinstance(value, str) and value.startswith("lakefs://")):
        return reference_name(value, "pattern", at)
    pattern = arguments.text(value, "pattern", hint=": a pattern of branch names such as 'release-*', or a branch")
    if not pattern:
        msg = "pattern must not be empty: 'main' protects one branch, 'release-*' those that begin with it, '*' all"
        raise ValueError(msg)
    return pattern


def _is_policy(value: str) -> bool:
    if not value.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False  # alternatives, such as {dev,test}
