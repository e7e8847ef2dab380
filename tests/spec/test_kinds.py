"""Kinds of error responses: every recorded message of a real lakeFS has its expected kind, and no path decides it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl import types
from lakefs_hl.spec import routes
from lakefs_hl.spec.kinds import FINAL, NOTHING_DONE, ErrorKind
from lakefs_hl.spec.refusals import kind_of

CONTRACT = Path(__file__).parents[1] / "data" / "contract"
#: Names in recorded messages, which are replaced, so that one row covers all of them.
NAME = re.compile(r"\{\w+\}|\b(?:no-such-ref|no-ref|no-branch|rel-1|v1|t0|w\d|main|ffd)\b(?:~\d)?")
BOUND = re.compile(r"at (?:most|least) -?\d+\n.*", re.DOTALL)
#: Status, message, kind and operations of all recorded messages, classified by hand.
RECORDED = [
    (409, "branch already exists: not unique", ErrorKind.ALREADY_EXISTS, "createBranch"),
    (409, "error creating repository: not unique", ErrorKind.ALREADY_EXISTS, "createRepository"),
    (409, "tag already exists: not unique", ErrorKind.ALREADY_EXISTS, "createTag"),
    (404, "branch 'X' not found", ErrorKind.BRANCH_NOT_FOUND, "uploadObject"),
    (
        404,
        "branch not found",
        ErrorKind.BRANCH_NOT_FOUND,
        (
            "commit createPullRequest deleteBranch deleteObject diffBranch getBranch importStart mergeIntoBranch "
            "resetBranch revertBranch"
        ),
    ),
    (
        404,
        "prepare-commit hook aborted, run id '<any>': list actions from commit: listing actions: not found",
        ErrorKind.BRANCH_NOT_FOUND,
        "commit",
    ),
    (403, "cannot commit to protected branch", ErrorKind.BRANCH_PROTECTED, "commit"),
    (
        403,
        "cannot write to protected branch",
        ErrorKind.BRANCH_PROTECTED,
        "deleteObject resetBranch stageObject uploadObject",
    ),
    (403, "protected branch", ErrorKind.BRANCH_PROTECTED, "hardResetBranch"),
    (404, "commit not found", ErrorKind.COMMIT_NOT_FOUND, "getCommit"),
    (403, "cannot delete repository default branch", ErrorKind.DEFAULT_BRANCH, "deleteBranch"),
    (400, "uncommitted changes (dirty branch)", ErrorKind.DIRTY_BRANCH, "cherryPick mergeIntoBranch revertBranch"),
    (410, "No data", ErrorKind.GONE, "getMetadataObject"),
    (404, "not found", ErrorKind.IMPORT_NOT_FOUND, "importCancel importStatus"),
    (409, "conflict found", ErrorKind.IMPORT_OVER, "importCancel"),
    (400, "invalid address signature: invalid address", ErrorKind.INVALID_ADDRESS, "linkPhysicalAddress"),
    (400, "physical address is not valid for block adapter: local", ErrorKind.INVALID_ADDRESS, "stageObject"),
    (400, "argument branch: branch id: invalid value: validation error", ErrorKind.INVALID_ARGUMENT, "getBranch"),
    (
        400,
        (
            "argument branch: branch id: invalid value: validation error: branch id must consist of letters, digits, "
            "underscores and dashes, and cannot start with a dash"
        ),
        ErrorKind.INVALID_ARGUMENT,
        "createBranch",
    ),
    (
        400,
        "argument pullRequestID: pull request id: invalid value: validation error",
        ErrorKind.INVALID_ARGUMENT,
        "getPullRequest",
    ),
    (400, "argument strategy: invalid value: validation error", ErrorKind.INVALID_ARGUMENT, "mergeIntoBranch"),
    (400, "argument tagID: tag id: invalid value: validation error", ErrorKind.INVALID_ARGUMENT, "createTag"),
    (
        400,
        'parameter "amount" in query has an error: number must be …',
        ErrorKind.INVALID_ARGUMENT,
        "diffRefs listBranches listObjects listRepositories logCommits",
    ),
    (
        400,
        'parameter "amount" in query has an error: value x: an invalid integer: invalid syntax',
        ErrorKind.INVALID_ARGUMENT,
        "listRepositories",
    ),
    (
        400,
        'parameter "dest_path" in query has an error: value is required but missing',
        ErrorKind.INVALID_ARGUMENT,
        "copyObject",
    ),
    (
        400,
        'parameter "path" in query has an error: empty value is not allowed',
        ErrorKind.INVALID_ARGUMENT,
        "uploadObject",
    ),
    (
        400,
        'parameter "path" in query has an error: value is required but missing',
        ErrorKind.INVALID_ARGUMENT,
        "uploadObject",
    ),
    (
        400,
        'parameter "ref" in query has an error: value is required but missing',
        ErrorKind.INVALID_ARGUMENT,
        "hardResetBranch",
    ),
    (
        400,
        "request body has an error: failed to decode request body: unexpected EOF",
        ErrorKind.INVALID_ARGUMENT,
        "createRepository login",
    ),
    (400, "request size exceeded, max paths is set to 1000", ErrorKind.INVALID_ARGUMENT, "deleteObjects"),
    (
        400,
        "source and destination branches are the same: same branch validation error",
        ErrorKind.INVALID_ARGUMENT,
        "createPullRequest",
    ),
    (500, "argument ref: required value: validation error", ErrorKind.INVALID_ARGUMENT, "createBranch"),
    (500, "multipart upload missing key 'content': http: no such file", ErrorKind.INVALID_ARGUMENT, "uploadObject"),
    (
        400,
        "failed to match required regex ^local://: invalid namespace",
        ErrorKind.INVALID_NAMESPACE,
        "createRepository",
    ),
    (400, "given commit does not have the given parent number: parent 1", ErrorKind.INVALID_PARENT, "revertBranch"),
    (400, "given commit does not have the given parent number: parent 5", ErrorKind.INVALID_PARENT, "revertBranch"),
    (400, "must specify 1-based parent number for cherry-picking merge commit", ErrorKind.INVALID_PARENT, "cherryPick"),
    (400, "parent 1: given commit does not have the given parent number", ErrorKind.INVALID_PARENT, "cherryPick"),
    (409, "must specify 1-based parent number for reverting merge commit", ErrorKind.INVALID_PARENT, "revertBranch"),
    (
        400,
        "get commit by ref left$: reference 'left$': reference to staging area with $ is not a commit",
        ErrorKind.INVALID_REFERENCE,
        "diffRefs",
    ),
    (
        400,
        "ref: could not parse modifier ~x: ref: invalid value: validation error",
        ErrorKind.INVALID_REFERENCE,
        "logCommits",
    ),
    (400, "ref: ref: invalid value: validation error", ErrorKind.INVALID_REFERENCE, "logCommits"),
    (
        400,
        "ref: ref: invalid value: validation error: should point to a commit",
        ErrorKind.INVALID_REFERENCE,
        "logCommits",
    ),
    (409, "", ErrorKind.MERGE_CONFLICT, "mergeIntoBranch"),
    (409, "update branch: conflict found", ErrorKind.MERGE_CONFLICT, "revertBranch"),
    (
        400,
        (
            "failed to create repository: found lakeFS objects in the storage (:X) key(_lakefs/dummy): storage "
            "namespace already in use"
        ),
        ErrorKind.NAMESPACE_IN_USE,
        "createRepository",
    ),
    (409, "branch name X: conflict found", ErrorKind.NAME_TAKEN, "createTag"),
    (409, "commit ID X: conflict found", ErrorKind.NAME_TAKEN, "createTag"),
    (409, "tag ID X: conflict found", ErrorKind.NAME_TAKEN, "createBranch"),
    (501, "Not Implemented", ErrorKind.NOT_SUPPORTED, "copyObject uploadObject"),
    (400, "commit: no changes", ErrorKind.NO_CHANGES, "commit"),
    (400, "update branch X: no changes", ErrorKind.NO_CHANGES, "mergeIntoBranch"),
    (400, "update branch: no changes", ErrorKind.NO_CHANGES, "revertBranch"),
    (412, "path already exists", ErrorKind.OBJECT_EXISTS, "uploadObject"),
    (404, "", ErrorKind.OBJECT_NOT_FOUND, "headObject"),
    (404, "not found", ErrorKind.OBJECT_NOT_FOUND, "copyObject getObject statObject"),
    (404, "update user metadata on X/X/absent: not found", ErrorKind.OBJECT_NOT_FOUND, "updateObjectUserMetadata"),
    (400, "bad pull request status", ErrorKind.PULL_REQUEST_NOT_OPEN, "mergePullRequest"),
    (400, "parts are required", ErrorKind.OTHER, "completePresignMultipartUpload"),
    (400, "parts can be between 0 and 10000", ErrorKind.OTHER, "createPresignMultipartUpload"),
    (404, "not found", ErrorKind.OTHER, "getGCRules"),
    (404, "not found: not found", ErrorKind.RUN_NOT_FOUND, "getRun"),
    (404, "user not found", ErrorKind.OTHER, "getUser"),
    (412, "Precondition failed", ErrorKind.PRECONDITION_FAILED, "linkPhysicalAddress"),
    (
        400,
        "local adapter presigned URL: operation not supported",
        ErrorKind.PRESIGN_NOT_SUPPORTED,
        "getObject statObject",
    ),
    (
        500,
        "local adapter presigned URL: operation not supported",
        ErrorKind.PRESIGN_NOT_SUPPORTED,
        "getPhysicalAddress",
    ),
    (
        501,
        "presign multipart upload API is not supported",
        ErrorKind.PRESIGN_NOT_SUPPORTED,
        "createPresignMultipartUpload",
    ),
    (416, "Requested Range Not Satisfiable", ErrorKind.RANGE_NOT_SATISFIABLE, "getObject"),
    (403, "read-only repository", ErrorKind.READ_ONLY_REPOSITORY, "commit createBranch deleteRepository uploadObject"),
    (404, "get commit by branch X: not found", ErrorKind.REFERENCE_NOT_FOUND, "diffRefs findMergeBase"),
    (404, "get commit by ref X: not found", ErrorKind.REFERENCE_NOT_FOUND, "diffRefs findMergeBase"),
    (404, "get commit from ref X: not found", ErrorKind.REFERENCE_NOT_FOUND, "cherryPick revertBranch"),
    (404, "hard-reset pick to X: not found", ErrorKind.REFERENCE_NOT_FOUND, "hardResetBranch"),
    (404, "not found", ErrorKind.REFERENCE_NOT_FOUND, "createTag diffRefs listObjects"),
    (404, "ref: not found", ErrorKind.REFERENCE_NOT_FOUND, "logCommits"),
    (404, "source reference 'X': not found", ErrorKind.REFERENCE_NOT_FOUND, "createBranch"),
    (404, "update branch X: get commit by ref X: not found", ErrorKind.REFERENCE_NOT_FOUND, "mergeIntoBranch"),
    (
        404,
        "repository not found",
        ErrorKind.REPOSITORY_NOT_FOUND,
        "deleteRepository getRepository listBranches listObjects logCommits",
    ),
    (404, "tag not found", ErrorKind.TAG_NOT_FOUND, "deleteTag getTag"),
    (401, "error authenticating request", ErrorKind.UNAUTHORIZED, "listRepositories login"),
]


def recorded() -> Iterator[tuple[str, int, str]]:
    for path in sorted(CONTRACT.glob("*/*.json")):
        for each in json.loads(path.read_text()):
            asked, answer = each["request"], each["response"]
            found = routes.match(asked["path"].partition("?")[0]) if "path" in asked else None
            if answer["status"] < 400 or found is None or asked["method"] not in found[0]:
                continue
            body = answer.get("json") or {}
            message = body.get("message", "") if isinstance(body, dict) else ""
            if message != "<any>":  # masked by the recorder
                yield found[0][asked["method"]].operation, answer["status"], message


def test_every_recorded_message_has_its_expected_kind() -> None:
    expected = {
        (operation, status, message): kind
        for status, message, kind, operations in RECORDED
        for operation in operations.split()
    }
    seen = set()
    for operation, status, message in recorded():
        row = operation, status, BOUND.sub("…", NAME.sub("X", message))
        assert kind_of(operation, status, message) is expected[row], row
        seen.add(row)
    assert seen == expected.keys()


#: What paths and names can contain: the whole message of another error.
STEERING = [
    "no changes",
    "predicate failed",
    "address",
    "hidden",
    "already in use",
    "uncommitted changes (dirty branch)",
]


@pytest.mark.parametrize("text", STEERING)
@pytest.mark.parametrize("status", [400, 404, 409, 412, 500])
def test_a_path_in_a_message_does_not_decide_its_kind(status: int, text: str) -> None:
    for message in (
        f"reading object a/{text}: boom",
        f"error while resolving address: x/{text}",
        f"put data/{text}: {text}",
        f"'{text}'",
        f"{text}!",
        f"cannot stat /lake/{text}\nno changes",
        f"import error: {text}",
    ):
        for operation in ("commit", "mergeIntoBranch", "uploadObject", "linkPhysicalAddress", "createBranch"):
            kind = kind_of(operation, status, message)
            assert kind is (ErrorKind.PRECONDITION_FAILED if status == 412 else ErrorKind.OTHER), message


@pytest.mark.parametrize(
    ("operation", "status", "message", "kind"),
    [
        ("linkPhysicalAddress", 400, "link address expired", ErrorKind.INVALID_ADDRESS),
        ("linkPhysicalAddress", 400, "address is not signed: link address invalid", ErrorKind.INVALID_ADDRESS),
        ("uploadObject", 400, "link address expired", ErrorKind.OTHER),
        (
            "commit",
            412,
            "pre-commit hook aborted, run id '5k': 1 error occurred:\n\t* no changes",
            ErrorKind.HOOK_REFUSED,
        ),
        ("mergeIntoBranch", 412, "update branch main: pre-merge hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        ("mergePullRequest", 412, "update branch a-b: pre-merge hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        ("revertBranch", 412, "update branch: pre-revert hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        ("cherryPick", 412, "update branch: pre-cherry-pick hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        ("createTag", 412, "pre-create-tag hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        (
            "commit",
            500,
            "prepare-commit hook aborted, run id '5k': 1 error occurred:\n\t* parsing file x.yaml: invalid action",
            ErrorKind.HOOK_REFUSED,
        ),
        ("mergeIntoBranch", 500, "update branch m: pre-merge hook aborted, run id '5k': no", ErrorKind.HOOK_REFUSED),
        ("commit", 500, "post-commit hook aborted, run id '5k': no", ErrorKind.OTHER),
        ("commit", 500, "predicate failed", ErrorKind.LOST_RACE),
        ("commit", 500, "branch is currently locked, try again later", ErrorKind.BRANCH_LOCKED),
        ("findMergeBase", 500, "no merge base", ErrorKind.NO_MERGE_BASE),
        ("mergeIntoBranch", 400, "main: uncommitted changes (dirty branch)", ErrorKind.DIRTY_BRANCH),
        ("getRepository", 410, "repository in deletion", ErrorKind.REPOSITORY_IN_DELETION),
        ("getPullRequest", 404, "pull request not found", ErrorKind.PULL_REQUEST_NOT_FOUND),
        ("getRunHookOutput", 404, "not found", ErrorKind.RUN_NOT_FOUND),
        ("commit", 429, "Too many attempts, try again later", ErrorKind.RATE_LIMITED),
        ("commit", 503, "anything", ErrorKind.UNAVAILABLE),
        ("getBranch", 403, "insufficient permissions", ErrorKind.FORBIDDEN),
        (
            "createBranch",
            400,
            (
                "request body has an error: doesn't match schema #/components/schemas/BranchCreation: "
                'property "hidden" is unsupported\nSchema:\n  {}\n\nValue:\n  {"name": "no changes"}\n'
            ),
            ErrorKind.UNKNOWN_PROPERTY,
        ),
    ],
)
def test_messages_from_lakefs_source_that_were_not_recorded(
    operation: str, status: int, message: str, kind: ErrorKind
) -> None:
    assert kind_of(operation, status, message) is kind


def test_a_failed_precondition_of_a_create_only_write_means_an_existing_object() -> None:
    assert kind_of("linkPhysicalAddress", 412, "Precondition failed", create_only=True) is ErrorKind.OBJECT_EXISTS
    assert kind_of("linkPhysicalAddress", 412, "Precondition failed") is ErrorKind.PRECONDITION_FAILED
    assert kind_of("uploadObject", 412, "a hook's own words", create_only=True) is ErrorKind.PRECONDITION_FAILED


def test_kinds_are_strings_and_public() -> None:
    assert types.ErrorKind is ErrorKind
    assert f"{ErrorKind.NO_CHANGES}" == "no_changes"
    assert all(kind.value == kind.name.lower() for kind in ErrorKind)
    assert {ErrorKind.HOOK_REFUSED} == NOTHING_DONE & FINAL
