"""One row per operation of lakeFS's API, and the two ways to read a row: write a URL, match one.

The 134 operations of the OpenAPI file, each with its retry class of the failure model; a test holds the table against
the file in both directions. What removes or replaces something that others may have made anew since is R.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlencode

from lakefs_hl.spec.errors import NotFoundException, ObjectNotFoundException, ServerException
from lakefs_hl.spec.wire import Endpoint, Pace, Query, Request, RetryClass

BASE: Final = "/api/v1"
META: Final = Pace(read=30.0, deadline=60.0)
SLOW: Final = Pace(read=300.0, deadline=600.0)
#: A transfer has no total limit, but a minimum rate (`transport.limits`); waiting for its response has a minute.
DATA: Final = Pace(read=60.0, deadline=float("inf"))

ENDPOINTS: Final[dict[str, Endpoint]] = {}
_REPOSITORY: Final = "/repositories/{repository}"
_BRANCH: Final = f"{_REPOSITORY}/branches/{{branch}}"
_REF: Final = f"{_REPOSITORY}/refs/{{ref}}"


def _row(
    operation: str,
    method: str,
    path: str,
    retry: RetryClass,
    *ok: int,
    pace: Pace = META,
    missing: type[ServerException] = NotFoundException,
    public: bool = False,
) -> Endpoint:
    row = Endpoint(operation, method, path, retry, ok or (200,), pace, missing, public)
    ENDPOINTS[operation] = row
    return row


# Setup, login, users
SETUP_COMM_PREFS: Final = _row("setupCommPrefs", "POST", "/setup_comm_prefs", "E", public=True)
GET_SETUP_STATE: Final = _row("getSetupState", "GET", "/setup_lakefs", "A", public=True)
SETUP: Final = _row("setup", "POST", "/setup_lakefs", "E", public=True)
GET_CURRENT_USER: Final = _row("getCurrentUser", "GET", "/user", "A")
LOGIN: Final = _row("login", "POST", "/auth/login", "A", public=True)
EXTERNAL_PRINCIPAL_LOGIN: Final = _row(
    "externalPrincipalLogin", "POST", "/auth/external/principal/login", "A", public=True
)
STS_LOGIN: Final = _row("stsLogin", "POST", "/sts/login", "E", public=True)
GET_AUTH_CAPABILITIES: Final = _row("getAuthCapabilities", "GET", "/auth/capabilities", "A", public=True)
LIST_USERS: Final = _row("listUsers", "GET", "/auth/users", "A")
CREATE_USER: Final = _row("createUser", "POST", "/auth/users", "C", 201)
GET_USER: Final = _row("getUser", "GET", "/auth/users/{user_id}", "A")
DELETE_USER: Final = _row("deleteUser", "DELETE", "/auth/users/{user_id}", "R", 204)
LIST_GROUPS: Final = _row("listGroups", "GET", "/auth/groups", "A")
CREATE_GROUP: Final = _row("createGroup", "POST", "/auth/groups", "C", 201)
GET_GROUP: Final = _row("getGroup", "GET", "/auth/groups/{group_id}", "A")
DELETE_GROUP: Final = _row("deleteGroup", "DELETE", "/auth/groups/{group_id}", "R", 204)
LIST_POLICIES: Final = _row("listPolicies", "GET", "/auth/policies", "A")
CREATE_POLICY: Final = _row("createPolicy", "POST", "/auth/policies", "C", 201)
GET_POLICY: Final = _row("getPolicy", "GET", "/auth/policies/{policy_id}", "A")
UPDATE_POLICY: Final = _row("updatePolicy", "PUT", "/auth/policies/{policy_id}", "R")
DELETE_POLICY: Final = _row("deletePolicy", "DELETE", "/auth/policies/{policy_id}", "R", 204)
LIST_GROUP_MEMBERS: Final = _row("listGroupMembers", "GET", "/auth/groups/{group_id}/members", "A")
ADD_GROUP_MEMBERSHIP: Final = _row("addGroupMembership", "PUT", "/auth/groups/{group_id}/members/{user_id}", "B", 201)
DELETE_GROUP_MEMBERSHIP: Final = _row(
    "deleteGroupMembership", "DELETE", "/auth/groups/{group_id}/members/{user_id}", "R", 204
)
LIST_USER_CREDENTIALS: Final = _row("listUserCredentials", "GET", "/auth/users/{user_id}/credentials", "A")
CREATE_CREDENTIALS: Final = _row("createCredentials", "POST", "/auth/users/{user_id}/credentials", "E", 201)
DELETE_CREDENTIALS: Final = _row(
    "deleteCredentials", "DELETE", "/auth/users/{user_id}/credentials/{access_key_id}", "B", 204
)
GET_CREDENTIALS: Final = _row("getCredentials", "GET", "/auth/users/{user_id}/credentials/{access_key_id}", "A")
LIST_USER_GROUPS: Final = _row("listUserGroups", "GET", "/auth/users/{user_id}/groups", "A")
LIST_USER_POLICIES: Final = _row("listUserPolicies", "GET", "/auth/users/{user_id}/policies", "A")
ATTACH_POLICY_TO_USER: Final = _row("attachPolicyToUser", "PUT", "/auth/users/{user_id}/policies/{policy_id}", "B", 201)
DETACH_POLICY_FROM_USER: Final = _row(
    "detachPolicyFromUser", "DELETE", "/auth/users/{user_id}/policies/{policy_id}", "R", 204
)
CREATE_USER_EXTERNAL_PRINCIPAL: Final = _row(
    "createUserExternalPrincipal", "POST", "/auth/users/{user_id}/external/principals", "C", 201
)
DELETE_USER_EXTERNAL_PRINCIPAL: Final = _row(
    "deleteUserExternalPrincipal", "DELETE", "/auth/users/{user_id}/external/principals", "R", 204
)
LIST_USER_EXTERNAL_PRINCIPALS: Final = _row(
    "listUserExternalPrincipals", "GET", "/auth/users/{user_id}/external/principals/ls", "A"
)
GET_EXTERNAL_PRINCIPAL: Final = _row("getExternalPrincipal", "GET", "/auth/external/principals", "A")
LIST_GROUP_POLICIES: Final = _row("listGroupPolicies", "GET", "/auth/groups/{group_id}/policies", "A")
ATTACH_POLICY_TO_GROUP: Final = _row(
    "attachPolicyToGroup", "PUT", "/auth/groups/{group_id}/policies/{policy_id}", "B", 201
)
DETACH_POLICY_FROM_GROUP: Final = _row(
    "detachPolicyFromGroup", "DELETE", "/auth/groups/{group_id}/policies/{policy_id}", "R", 204
)
SET_GROUP_ACL: Final = _row("setGroupACL", "POST", "/auth/groups/{group_id}/acl", "R", 201)
GET_GROUP_ACL: Final = _row("getGroupACL", "GET", "/auth/groups/{group_id}/acl", "A")

# Repositories
LIST_REPOSITORIES: Final = _row("listRepositories", "GET", "/repositories", "A")
CREATE_REPOSITORY: Final = _row("createRepository", "POST", "/repositories", "C", 201, pace=SLOW)
GET_REPOSITORY: Final = _row("getRepository", "GET", _REPOSITORY, "A")
DELETE_REPOSITORY: Final = _row("deleteRepository", "DELETE", _REPOSITORY, "R", 204, pace=SLOW)
GET_REPOSITORY_METADATA: Final = _row("getRepositoryMetadata", "GET", f"{_REPOSITORY}/metadata", "A")
SET_REPOSITORY_METADATA: Final = _row("setRepositoryMetadata", "POST", f"{_REPOSITORY}/metadata", "R", 204)
DELETE_REPOSITORY_METADATA: Final = _row("deleteRepositoryMetadata", "DELETE", f"{_REPOSITORY}/metadata", "R", 204)
GET_GC_RULES: Final = _row("getGCRules", "GET", f"{_REPOSITORY}/settings/gc_rules", "A")
SET_GC_RULES: Final = _row("setGCRules", "PUT", f"{_REPOSITORY}/settings/gc_rules", "R", 204)
DELETE_GC_RULES: Final = _row("deleteGCRules", "DELETE", f"{_REPOSITORY}/settings/gc_rules", "R", 204)
GET_BRANCH_PROTECTION_RULES: Final = _row(
    "getBranchProtectionRules", "GET", f"{_REPOSITORY}/settings/branch_protection", "A"
)
SET_BRANCH_PROTECTION_RULES: Final = _row(
    "setBranchProtectionRules", "PUT", f"{_REPOSITORY}/settings/branch_protection", "C", 204
)
DUMP_REFS: Final = _row("dumpRefs", "PUT", f"{_REPOSITORY}/refs/dump", "E", 201, pace=SLOW)
RESTORE_REFS: Final = _row("restoreRefs", "PUT", f"{_REPOSITORY}/refs/restore", "E", pace=SLOW)
DUMP_SUBMIT: Final = _row("dumpSubmit", "POST", f"{_REPOSITORY}/dump", "E", 202)
DUMP_STATUS: Final = _row("dumpStatus", "GET", f"{_REPOSITORY}/dump", "A")
RESTORE_SUBMIT: Final = _row("restoreSubmit", "POST", f"{_REPOSITORY}/restore", "E", 202)
RESTORE_STATUS: Final = _row("restoreStatus", "GET", f"{_REPOSITORY}/restore", "A")

# Tags, branches, commits
LIST_TAGS: Final = _row("listTags", "GET", f"{_REPOSITORY}/tags", "A")
CREATE_TAG: Final = _row("createTag", "POST", f"{_REPOSITORY}/tags", "C", 201)
GET_TAG: Final = _row("getTag", "GET", f"{_REPOSITORY}/tags/{{tag}}", "A")
DELETE_TAG: Final = _row("deleteTag", "DELETE", f"{_REPOSITORY}/tags/{{tag}}", "R", 204)
LIST_BRANCHES: Final = _row("listBranches", "GET", f"{_REPOSITORY}/branches", "A")
CREATE_BRANCH: Final = _row("createBranch", "POST", f"{_REPOSITORY}/branches", "C", 201)
LOG_COMMITS: Final = _row("logCommits", "GET", f"{_REF}/commits", "A")
COMMIT: Final = _row("commit", "POST", f"{_BRANCH}/commits", "D", 201, pace=SLOW)
CREATE_COMMIT_RECORD: Final = _row("CreateCommitRecord", "POST", f"{_REPOSITORY}/commits", "B", 204)
GET_BRANCH: Final = _row("getBranch", "GET", _BRANCH, "A")
DELETE_BRANCH: Final = _row("deleteBranch", "DELETE", _BRANCH, "R", 204)
RESET_BRANCH: Final = _row("resetBranch", "PUT", _BRANCH, "R", 204)
HARD_RESET_BRANCH: Final = _row("hardResetBranch", "PUT", f"{_BRANCH}/hard_reset", "R", 204, pace=SLOW)
REVERT_BRANCH: Final = _row("revertBranch", "POST", f"{_BRANCH}/revert", "D", 204, pace=SLOW)
CHERRY_PICK: Final = _row("cherryPick", "POST", f"{_BRANCH}/cherry-pick", "D", 201, pace=SLOW)
MERGE_INTO_BRANCH: Final = _row(
    "mergeIntoBranch", "POST", f"{_REPOSITORY}/refs/{{source_ref}}/merge/{{destination_branch}}", "D", pace=SLOW
)
FIND_MERGE_BASE: Final = _row(
    "findMergeBase", "GET", f"{_REPOSITORY}/refs/{{source_ref}}/merge/{{destination_branch}}", "A"
)
DIFF_BRANCH: Final = _row("diffBranch", "GET", f"{_BRANCH}/diff", "A")
DIFF_REFS: Final = _row("diffRefs", "GET", f"{_REPOSITORY}/refs/{{left_ref}}/diff/{{right_ref}}", "A")
GET_COMMIT: Final = _row("getCommit", "GET", f"{_REPOSITORY}/commits/{{commit_id}}", "A")

# Objects and staging
GET_OBJECT: Final = _row(
    "getObject", "GET", f"{_REF}/objects", "A", 200, 206, pace=DATA, missing=ObjectNotFoundException
)
HEAD_OBJECT: Final = _row("headObject", "HEAD", f"{_REF}/objects", "A", 200, 206, missing=ObjectNotFoundException)
CREATE_PRESIGN_MULTIPART_UPLOAD: Final = _row(
    "createPresignMultipartUpload", "POST", f"{_BRANCH}/staging/pmpu", "E", 201
)
COMPLETE_PRESIGN_MULTIPART_UPLOAD: Final = _row(
    "completePresignMultipartUpload", "PUT", f"{_BRANCH}/staging/pmpu/{{upload_id}}", "C", pace=SLOW
)
ABORT_PRESIGN_MULTIPART_UPLOAD: Final = _row(
    "abortPresignMultipartUpload", "DELETE", f"{_BRANCH}/staging/pmpu/{{upload_id}}", "B", 204
)
UPLOAD_PART: Final = _row("uploadPart", "PUT", f"{_BRANCH}/staging/pmpu/{{upload_id}}/parts/{{part_number}}", "A")
UPLOAD_PART_COPY: Final = _row(
    "uploadPartCopy", "PUT", f"{_BRANCH}/staging/pmpu/{{upload_id}}/parts/{{part_number}}/copy", "B", 204
)
GET_PHYSICAL_ADDRESS: Final = _row("getPhysicalAddress", "GET", f"{_BRANCH}/staging/backing", "A")
LINK_PHYSICAL_ADDRESS: Final = _row("linkPhysicalAddress", "PUT", f"{_BRANCH}/staging/backing", "W")
IMPORT_STATUS: Final = _row("importStatus", "GET", f"{_BRANCH}/import", "A")
IMPORT_START: Final = _row("importStart", "POST", f"{_BRANCH}/import", "D", 202, pace=SLOW)
IMPORT_CANCEL: Final = _row("importCancel", "DELETE", f"{_BRANCH}/import", "B", 204)
UPLOAD_OBJECT_PREFLIGHT: Final = _row("uploadObjectPreflight", "GET", f"{_BRANCH}/objects/stage_allowed", "A", 204)
STAGE_OBJECT: Final = _row("stageObject", "PUT", f"{_BRANCH}/objects", "W", 201)
UPLOAD_OBJECT: Final = _row("uploadObject", "POST", f"{_BRANCH}/objects", "W", 201, pace=DATA)
DELETE_OBJECT: Final = _row("deleteObject", "DELETE", f"{_BRANCH}/objects", "R", 204)
DELETE_OBJECTS: Final = _row("deleteObjects", "POST", f"{_BRANCH}/objects/delete", "R", pace=SLOW)
COPY_OBJECT: Final = _row(
    "copyObject", "POST", f"{_BRANCH}/objects/copy", "W", 201, pace=SLOW, missing=ObjectNotFoundException
)
STAT_OBJECT: Final = _row("statObject", "GET", f"{_REF}/objects/stat", "A", missing=ObjectNotFoundException)
UPDATE_OBJECT_USER_METADATA: Final = _row(
    "updateObjectUserMetadata",
    "PUT",
    f"{_BRANCH}/objects/stat/user_metadata",
    "R",
    200,
    201,
    204,
    missing=ObjectNotFoundException,
)
GET_UNDERLYING_PROPERTIES: Final = _row(
    "getUnderlyingProperties", "GET", f"{_REF}/objects/underlyingProperties", "A", missing=ObjectNotFoundException
)
LIST_OBJECTS: Final = _row("listObjects", "GET", f"{_REF}/objects/ls", "A")
CREATE_SYMLINK_FILE: Final = _row(
    "createSymlinkFile", "POST", f"{_REPOSITORY}/refs/{{branch}}/symlink", "E", 201, pace=SLOW
)

# Actions, metadata, garbage collection, protection, pull requests
LIST_REPOSITORY_RUNS: Final = _row("listRepositoryRuns", "GET", f"{_REPOSITORY}/actions/runs", "A")
GET_RUN: Final = _row("getRun", "GET", f"{_REPOSITORY}/actions/runs/{{run_id}}", "A")
LIST_RUN_HOOKS: Final = _row("listRunHooks", "GET", f"{_REPOSITORY}/actions/runs/{{run_id}}/hooks", "A")
GET_RUN_HOOK_OUTPUT: Final = _row(
    "getRunHookOutput", "GET", f"{_REPOSITORY}/actions/runs/{{run_id}}/hooks/{{hook_run_id}}/output", "A"
)
GET_METADATA_OBJECT: Final = _row(
    "getMetadataObject", "GET", f"{_REPOSITORY}/metadata/object/{{type}}/{{object_id}}", "A", pace=DATA
)
GET_META_RANGE: Final = _row("getMetaRange", "GET", f"{_REPOSITORY}/metadata/meta_range/{{meta_range}}", "A")
GET_RANGE: Final = _row("getRange", "GET", f"{_REPOSITORY}/metadata/range/{{range}}", "A")
SET_GARBAGE_COLLECTION_RULES_PREFLIGHT: Final = _row(
    "setGarbageCollectionRulesPreflight", "GET", f"{_REPOSITORY}/gc/rules/set_allowed", "A", 204
)
INTERNAL_GET_GARBAGE_COLLECTION_RULES: Final = _row(
    "internalGetGarbageCollectionRules", "GET", f"{_REPOSITORY}/gc/rules", "A"
)
INTERNAL_SET_GARBAGE_COLLECTION_RULES: Final = _row(
    "internalSetGarbageCollectionRules", "POST", f"{_REPOSITORY}/gc/rules", "R", 204
)
INTERNAL_DELETE_GARBAGE_COLLECTION_RULES: Final = _row(
    "internalDeleteGarbageCollectionRules", "DELETE", f"{_REPOSITORY}/gc/rules", "R", 204
)
PREPARE_GARBAGE_COLLECTION_COMMITS: Final = _row(
    "prepareGarbageCollectionCommits", "POST", f"{_REPOSITORY}/gc/prepare_commits", "E", 201, pace=SLOW
)
PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC: Final = _row(
    "prepareGarbageCollectionCommitsAsync", "POST", f"{_REPOSITORY}/gc/prepare_commits/async", "E", 202
)
PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS: Final = _row(
    "prepareGarbageCollectionCommitsStatus", "GET", f"{_REPOSITORY}/gc/prepare_commits/status", "A"
)
PREPARE_GARBAGE_COLLECTION_UNCOMMITTED: Final = _row(
    "prepareGarbageCollectionUncommitted", "POST", f"{_REPOSITORY}/gc/prepare_uncommited", "E", 201, pace=SLOW
)
CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT: Final = _row(
    "createBranchProtectionRulePreflight", "GET", f"{_REPOSITORY}/branch_protection/set_allowed", "A", 204
)
INTERNAL_GET_BRANCH_PROTECTION_RULES: Final = _row(
    "internalGetBranchProtectionRules", "GET", f"{_REPOSITORY}/branch_protection", "A"
)
INTERNAL_CREATE_BRANCH_PROTECTION_RULE: Final = _row(
    "internalCreateBranchProtectionRule", "POST", f"{_REPOSITORY}/branch_protection", "C", 204
)
INTERNAL_DELETE_BRANCH_PROTECTION_RULE: Final = _row(
    "internalDeleteBranchProtectionRule", "DELETE", f"{_REPOSITORY}/branch_protection", "R", 204
)
LIST_PULL_REQUESTS: Final = _row("listPullRequests", "GET", f"{_REPOSITORY}/pulls", "A")
CREATE_PULL_REQUEST: Final = _row("createPullRequest", "POST", f"{_REPOSITORY}/pulls", "E", 201)
GET_PULL_REQUEST: Final = _row("getPullRequest", "GET", f"{_REPOSITORY}/pulls/{{pull_request}}", "A")
UPDATE_PULL_REQUEST: Final = _row(
    "updatePullRequest", "PATCH", f"{_REPOSITORY}/pulls/{{pull_request}}", "R", 200, 201, 204
)
MERGE_PULL_REQUEST: Final = _row(
    "mergePullRequest", "PUT", f"{_REPOSITORY}/pulls/{{pull_request}}/merge", "E", pace=SLOW
)

# The server
HEALTH_CHECK: Final = _row("healthCheck", "GET", "/healthcheck", "A", 204, public=True)
GET_CONFIG: Final = _row("getConfig", "GET", "/config", "A")
GET_LAKEFS_VERSION: Final = _row("getLakeFSVersion", "GET", "/config/version", "A")
GET_STORAGE_CONFIG: Final = _row("getStorageConfig", "GET", "/config/storage", "A")
GET_GARBAGE_COLLECTION_CONFIG: Final = _row("getGarbageCollectionConfig", "GET", "/config/garbage-collection", "A")
POST_STATS_EVENTS: Final = _row("postStatsEvents", "POST", "/statistics", "E", 204)
GET_USAGE_REPORT_SUMMARY: Final = _row("getUsageReportSummary", "GET", "/usage-report/summary", "A")
OAUTH_CALLBACK: Final = _row("oauthCallback", "GET", "/oidc/callback", "E", 302, public=True)

# Not lakeFS's: a pre-signed URL of the object store behind it
PRESIGNED_GET: Final = Endpoint("presignedGet", "GET", "", "A", (200, 206), DATA, ObjectNotFoundException)
PRESIGNED_PUT: Final = Endpoint("presignedPut", "PUT", "", "B", (200, 201), DATA)

_PARAMETER: Final = re.compile(r"\{[a-z_]+\}")
_FORMATS: Final = {name: BASE + _PARAMETER.sub("%s", row.path) for name, row in ENDPOINTS.items()}


class _Branching:
    """One segment of the route tree: fixed words, one parameter, and the rows that end here by method."""

    __slots__ = ("parameter", "rows", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Branching] = {}
        self.parameter: _Branching | None = None
        self.rows: dict[str, Endpoint] = {}


def _tree() -> _Branching:
    root = _Branching()
    for row in ENDPOINTS.values():
        at = root
        for segment in row.path.split("/")[1:]:
            if segment.startswith("{"):
                at.parameter = at = at.parameter or _Branching()
            else:
                at = at.words.setdefault(segment, _Branching())
        at.rows[row.method] = row
    return root


_ROOT: Final = _tree()


def encode_query(query: Query) -> str:
    """Writes a query string."""
    return urlencode(query, doseq=True, quote_via=quote, safe="")


def target(request: Request) -> str:
    """Returns the path and query of a request, every part quoted.

    Raises:
        ValueError: A path parameter is empty, `.` or `..`: a URL cannot carry it.
    """
    for part in request.params:
        if part in ("", ".", ".."):
            msg = f"{request.endpoint.operation}: {part!r} cannot be a repository, reference or name"
            raise ValueError(msg)
    path = _FORMATS[request.endpoint.operation] % tuple(quote(part, safe="") for part in request.params)
    return f"{path}?{encode_query(request.query)}" if request.query else path


def match(path: str) -> tuple[dict[str, Endpoint], tuple[str, ...]] | None:
    """Finds what a path below `BASE` names.

    Args:
        path: The still quoted path, `BASE` and query cut off.

    Returns:
        The rows by method and the path parameters, unquoted; None if the API has no such path.
    """
    at, params = _ROOT, list[str]()
    for segment in path.split("/")[1:]:
        found = at.words.get(segment)
        if found is None:
            if at.parameter is None or not segment:
                return None
            found = at.parameter
            params.append(unquote(segment))
        at = found
    return (at.rows, tuple(params)) if at.rows else None
