"""Kinds of error responses, and the messages of lakeFS by which they are recognized.

Rules of the room: a pattern matches a whole message, so that a path or a name inside a message cannot decide its kind.
A message without a row has no kind of its own. The table is tested against recorded messages of a real lakeFS
(`tests/spec/test_kinds.py`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple


class ErrorKind(StrEnum):
    """Why a server rejected a request: `ServerException.kind`.

    A kind is more specific than a status and, unlike a message, stable.
    """

    OTHER = "other"
    #: There is nothing to commit, merge, revert or cherry-pick.
    NO_CHANGES = "no_changes"
    #: The branch has uncommitted changes.
    DIRTY_BRANCH = "dirty_branch"
    #: A repository, branch, tag or pull request of this name exists.
    ALREADY_EXISTS = "already_exists"
    #: The name is that of another kind of reference, such as a tag's for a branch.
    NAME_TAKEN = "name_taken"
    #: A create-only write found an existing object.
    OBJECT_EXISTS = "object_exists"
    #: Another repository has used the storage namespace.
    NAMESPACE_IN_USE = "namespace_in_use"
    #: The storage namespace does not fit this server's object store.
    INVALID_NAMESPACE = "invalid_namespace"
    #: Both sides changed the same paths.
    MERGE_CONFLICT = "merge_conflict"
    #: The two references have no common ancestor.
    NO_MERGE_BASE = "no_merge_base"
    #: The import has ended and cannot be cancelled.
    IMPORT_OVER = "import_over"
    BRANCH_PROTECTED = "branch_protected"
    READ_ONLY_REPOSITORY = "read_only_repository"
    #: The default branch of a repository cannot be deleted.
    DEFAULT_BRANCH = "default_branch"
    #: The reference is a commit or a tag, which are immutable.
    IMMUTABLE_REFERENCE = "immutable_reference"
    #: The credentials are invalid.
    UNAUTHORIZED = "unauthorized"
    #: The credentials are valid but lack the permission.
    FORBIDDEN = "forbidden"
    REPOSITORY_NOT_FOUND = "repository_not_found"
    BRANCH_NOT_FOUND = "branch_not_found"
    TAG_NOT_FOUND = "tag_not_found"
    COMMIT_NOT_FOUND = "commit_not_found"
    #: A reference or ref expression does not resolve to a commit.
    REFERENCE_NOT_FOUND = "reference_not_found"
    OBJECT_NOT_FOUND = "object_not_found"
    IMPORT_NOT_FOUND = "import_not_found"
    PULL_REQUEST_NOT_FOUND = "pull_request_not_found"
    #: The pull request is merged or closed.
    PULL_REQUEST_NOT_OPEN = "pull_request_not_open"
    #: The action run does not exist, or has no such hook.
    RUN_NOT_FOUND = "run_not_found"
    #: The object's record exists but its data does not.
    GONE = "gone"
    REPOSITORY_IN_DELETION = "repository_in_deletion"
    PRECONDITION_FAILED = "precondition_failed"
    #: A hook of the repository rejected the operation, or the repository's action files are invalid.
    HOOK_REFUSED = "hook_refused"
    INVALID_ARGUMENT = "invalid_argument"
    #: The reference is malformed, or its modifier does not apply.
    INVALID_REFERENCE = "invalid_reference"
    #: A merge commit needs a parent number, or the commit has no such parent.
    INVALID_PARENT = "invalid_parent"
    #: A physical address is invalid or has expired.
    INVALID_ADDRESS = "invalid_address"
    #: The server does not know a field of the request.
    UNKNOWN_PROPERTY = "unknown_property"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    #: The server, its version or its storage does not support the operation.
    NOT_SUPPORTED = "not_supported"
    #: The object store does not support pre-signed URLs.
    PRESIGN_NOT_SUPPORTED = "presign_not_supported"
    #: The branch was updated concurrently; nothing was applied.
    LOST_RACE = "lost_race"
    #: Another operation holds the branch; nothing was applied.
    BRANCH_LOCKED = "branch_locked"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    #: The object store behind a pre-signed URL rejected the request.
    STORE_REFUSED = "store_refused"
    #: The import failed.
    IMPORT_FAILED = "import_failed"
    #: The import was cancelled.
    IMPORT_CANCELLED = "import_cancelled"


class _Row(NamedTuple):
    statuses: tuple[int, ...]
    operations: frozenset[str]
    words: str
    kind: ErrorKind


_OBJECTS: Final = ("statObject", "headObject", "getObject", "copyObject", "getUnderlyingProperties")
#: Operations whose 404 without a known message is that of an object; of ours, a read through a pre-signed URL.
OBJECT_OPERATIONS: Final = frozenset({*_OBJECTS, "updateObjectUserMetadata", "presignedGet"})
_REFERENCES: Final = ("createTag", "diffRefs", "logCommits", "listObjects", "findMergeBase", "hardResetBranch")
_REFERENCES_TOO: Final = (*_REFERENCES, "createBranch", "cherryPick", "revertBranch", "mergeIntoBranch", "getCommit")
_MERGES: Final = ("mergeIntoBranch", "revertBranch", "cherryPick", "mergePullRequest")
#: What lakeFS puts before a message: the step that failed. A branch's name is all that comes from the caller.
_STEP: Final = r"(?:update branch(?: [-\w]+)?: |(?:commit|merge|merge in CommitManager|add commit|adding commit): )*"
_NAMED: Final = rf"{_STEP}(?:[-\w]+: )?"


def _row(statuses: tuple[int, ...] | int, pattern: str, kind: ErrorKind, *operations: str) -> _Row:
    codes = (statuses,) if isinstance(statuses, int) else statuses
    return _Row(codes, frozenset(operations), pattern, kind)


@cache
def _matcher(words: str) -> re.Pattern[str]:
    """Return the compiled words of a row. Compiling all of them takes as long as the rest of a client's first call."""
    return re.compile(words, re.DOTALL | re.ASCII)


_K = ErrorKind
#: The first row that matches decides.
_ROWS: Final = (
    _row(400, rf"{_STEP}no changes", _K.NO_CHANGES),
    _row(400, rf"{_NAMED}uncommitted changes \(dirty branch\)", _K.DIRTY_BRANCH),
    _row(400, r"cannot use source MetaRange on a branch with uncommitted changes", _K.DIRTY_BRANCH),
    _row(
        400,
        r"failed to create repository: found lakeFS objects in the storage\b.*: storage namespace already in use",
        _K.NAMESPACE_IN_USE,
        "createRepository",
    ),
    _row(400, r"failed to match required regex \S+: invalid namespace", _K.INVALID_NAMESPACE, "createRepository"),
    _row((400, 500), r"[-\w]+ adapter presigned URL: operation not supported", _K.PRESIGN_NOT_SUPPORTED),
    _row(501, r"presign multipart upload API is not supported", _K.PRESIGN_NOT_SUPPORTED),
    _row(
        400,
        r"invalid address signature: invalid address|link address expired|(?:address is not signed|failed json encoding"
        r"|malformed address signature: .*): link address invalid|link address invalid(?:: .*)?"
        r"|physical address is not valid for block adapter: .*"
        r"|physical address must be relative to the storage namespace",
        _K.INVALID_ADDRESS,
        "linkPhysicalAddress",
        "stageObject",
        "completePresignMultipartUpload",
        "abortPresignMultipartUpload",
        "uploadPart",
    ),
    _row(
        400,
        r"(?:(?:ref|stop_at|from ref): )?(?:could not parse modifier \S+: )?ref: invalid value: validation error"
        r"(?:: should point to a commit)?",
        _K.INVALID_REFERENCE,
    ),
    _row(400, r"(?:.*: )?reference '.*': reference to staging area with \$ is not a commit", _K.INVALID_REFERENCE),
    _row(400, r"reference to staging area with \$ is not a commit", _K.INVALID_REFERENCE),
    _row(
        400,
        r"given commit does not have the given parent number: parent \d+"
        r"|parent \d+: given commit does not have the given parent number"
        r"|must specify 1-based parent number for cherry-picking merge commit",
        _K.INVALID_PARENT,
    ),
    _row(409, r"must specify 1-based parent number for reverting merge commit", _K.INVALID_PARENT),
    _row(
        400,
        r"request body has an error: doesn't match schema[^:]*: (?:Error at \"/[\w/]*\": )?property \"hidden\" is "
        r"unsupported(?:\n.*)?|unknown field hidden",
        _K.UNKNOWN_PROPERTY,
        "createBranch",
    ),
    _row((400, 500), r"argument \w+: .*validation error(?:: .*)?", _K.INVALID_ARGUMENT),
    _row(400, r"(?:missing path: required value|.*: same branch) ?(?:: )?validation error", _K.INVALID_ARGUMENT),
    _row(
        400,
        r"parameter \"[-\w]+\" in (?:query|header|path) has an error: .*|request body has an error: .*",
        _K.INVALID_ARGUMENT,
    ),
    _row(400, r"request size exceeded, max paths is set to \d+", _K.INVALID_ARGUMENT, "deleteObjects"),
    _row(500, r"multipart upload missing key 'content'(?:: .*)?", _K.INVALID_ARGUMENT, "uploadObject"),
    _row(403, r"(?:cannot (?:write|commit) to )?protected branch", _K.BRANCH_PROTECTED),
    _row(403, r"read-only repository", _K.READ_ONLY_REPOSITORY),
    _row(403, r"cannot delete repository default branch", _K.DEFAULT_BRANCH),
    _row(403, r"insufficient permissions", _K.FORBIDDEN),
    _row(404, r"invalid API endpoint", _K.NOT_SUPPORTED),
    _row(404, r"repository not found", _K.REPOSITORY_NOT_FOUND),
    _row(404, r"branch (?:'[^']*' )?not found", _K.BRANCH_NOT_FOUND),
    _row(404, r"tag not found", _K.TAG_NOT_FOUND),
    _row(404, r"commit not found", _K.COMMIT_NOT_FOUND),
    _row(
        404,
        r"prepare-commit hook aborted, run id '[^']*': list actions from commit: listing actions: not found",
        _K.BRANCH_NOT_FOUND,  # lakeFS's message for a commit
        "commit",
    ),
    _row(
        404,
        rf"(?:{_STEP}get commit (?:by|from) (?:ref|branch) \S+: |source reference '.*': |hard-reset pick to \S+: "
        r"|ref: |stop_at: |from ref: )?(?:commit )?not found",
        _K.REFERENCE_NOT_FOUND,
        *_REFERENCES_TOO,
    ),
    _row(404, r"(?:update user metadata on .*: )?not found", _K.OBJECT_NOT_FOUND, "updateObjectUserMetadata"),
    _row(404, r"not found|", _K.OBJECT_NOT_FOUND, *_OBJECTS),
    _row(404, r"not found", _K.IMPORT_NOT_FOUND, "importStatus", "importCancel"),
    _row(404, r"pull request not found", _K.PULL_REQUEST_NOT_FOUND),
    _row(400, r"bad pull request status(?:: .*)?", _K.PULL_REQUEST_NOT_OPEN, "mergePullRequest"),
    _row(404, r"not found(?:: not found)?", _K.RUN_NOT_FOUND, "getRun", "listRunHooks", "getRunHookOutput"),
    _row(409, r"(?:branch|tag|commit|pull request) already exists: not unique", _K.ALREADY_EXISTS),
    _row(409, r"error creating repository: not unique", _K.ALREADY_EXISTS, "createRepository"),
    _row(409, r"(?:branch name|tag ID|commit ID) \S+: conflict found", _K.NAME_TAKEN, "createBranch", "createTag"),
    _row(409, rf"(?:{_STEP}conflict found)?", _K.MERGE_CONFLICT, *_MERGES),
    _row(409, r"conflict found", _K.IMPORT_OVER, "importCancel"),
    _row(410, r"repository in deletion", _K.REPOSITORY_IN_DELETION),
    _row(412, r"path already exists", _K.OBJECT_EXISTS),
    _row(412, rf"{_STEP}[-\w]+ hook aborted, run id '[^']*': .*", _K.HOOK_REFUSED),
    # of an action file that is invalid, or that cannot be read; what runs after the operation fails on its own
    _row(500, rf"{_STEP}(?:prepare|pre)-[-\w]+ hook aborted, run id '[^']*': .*", _K.HOOK_REFUSED),
    _row(500, r"(?:find merge base: )?no merge base", _K.NO_MERGE_BASE),
    _row(500, rf"{_STEP}predicate failed", _K.LOST_RACE),
    _row(500, r"branch is currently locked(?:, try again later)?", _K.BRANCH_LOCKED),
)
#: Kinds of responses after which nothing was applied, although their status leaves that open.
NOTHING_DONE: Final = frozenset({_K.LOST_RACE, _K.BRANCH_LOCKED, _K.HOOK_REFUSED})
#: Kinds of responses that a retry gets again, although their status is retryable.
FINAL: Final = frozenset(
    {_K.PRESIGN_NOT_SUPPORTED, _K.NOT_SUPPORTED, _K.NO_MERGE_BASE, _K.INVALID_ARGUMENT, _K.HOOK_REFUSED}
)


def kind_of_message(operation: str, status: int, message: str, *, create_only: bool = False) -> ErrorKind | None:
    """Return the kind of an error response by its message. None if the message is unknown.

    Args:
        operation: lakeFS's operationId.
        status: HTTP status of the response.
        message: The server's message without a prefix, or "".
        create_only: Whether the request had `If-None-Match`, whose failed precondition is an existing object.
    """
    for row in _ROWS:
        applies = status in row.statuses and (not row.operations or operation in row.operations)
        if applies and _matcher(row.words).fullmatch(message):
            return row.kind
    if create_only and (status, message) == (412, "Precondition failed"):
        return ErrorKind.OBJECT_EXISTS
    return None
