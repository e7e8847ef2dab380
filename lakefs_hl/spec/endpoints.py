"""One row per operation of lakeFS's API: method, path, retry class, wording, success statuses and timeouts.

The 134 operations of the OpenAPI file, those for administrators in `spec.administration`. A test compares the table
with the file in both directions. The wording begins every error message of the operation (`Endpoint.describe`). An
operation that removes or replaces something that others may have recreated since is of retry class R.
"""

from __future__ import annotations

from typing import Final

from lakefs_hl.spec import administration as administration  # its rows complete the table
from lakefs_hl.spec.rows import BRANCH, DATA, REF, REPOSITORY, SLOW, row
from lakefs_hl.spec.rows import ENDPOINTS as ENDPOINTS
from lakefs_hl.spec.wire import Endpoint

# Login
GET_CURRENT_USER: Final = row("getCurrentUser", "GET", "/user", "A", "looking up the current user")
LOGIN: Final = row("login", "POST", "/auth/login", "A", "logging in", public=True)
EXTERNAL_PRINCIPAL_LOGIN: Final = row(
    "externalPrincipalLogin",
    "POST",
    "/auth/external/principal/login",
    "A",
    "logging in with an external identity",
    public=True,
)

# Repositories
LIST_REPOSITORIES: Final = row("listRepositories", "GET", "/repositories", "A", "listing repositories")
CREATE_REPOSITORY: Final = row(
    "createRepository", "POST", "/repositories", "C", "creating {name} at {namespace}", 201, timeouts=SLOW
)
GET_REPOSITORY: Final = row("getRepository", "GET", REPOSITORY, "A", "looking up {repository}")
DELETE_REPOSITORY: Final = row(
    "deleteRepository", "DELETE", REPOSITORY, "R", "deleting {repository}", 204, timeouts=SLOW
)
GET_REPOSITORY_METADATA: Final = row(
    "getRepositoryMetadata", "GET", f"{REPOSITORY}/metadata", "A", "reading the metadata of {repository}"
)
SET_REPOSITORY_METADATA: Final = row(
    "setRepositoryMetadata", "POST", f"{REPOSITORY}/metadata", "R", "setting metadata of {repository}", 204
)
DELETE_REPOSITORY_METADATA: Final = row(
    "deleteRepositoryMetadata", "DELETE", f"{REPOSITORY}/metadata", "R", "deleting metadata of {repository}", 204
)

# Tags, branches, commits
LIST_TAGS: Final = row("listTags", "GET", f"{REPOSITORY}/tags", "A", "listing the tags of {repository}")
CREATE_TAG: Final = row(
    "createTag", "POST", f"{REPOSITORY}/tags", "C", "creating tag {id!r} at {target!r} in {repository}", 201
)
GET_TAG: Final = row("getTag", "GET", f"{REPOSITORY}/tags/{{tag}}", "A", "looking up tag {tag!r} of {repository}")
DELETE_TAG: Final = row(
    "deleteTag", "DELETE", f"{REPOSITORY}/tags/{{tag}}", "R", "deleting tag {tag!r} of {repository}", 204
)
LIST_BRANCHES: Final = row("listBranches", "GET", f"{REPOSITORY}/branches", "A", "listing the branches of {repository}")
CREATE_BRANCH: Final = row(
    "createBranch",
    "POST",
    f"{REPOSITORY}/branches",
    "C",
    "creating branch {name!r} from {source!r} in {repository}",
    201,
)
LOG_COMMITS: Final = row("logCommits", "GET", f"{REF}/commits", "A", "reading the log of {repository}/{ref}")
COMMIT: Final = row(
    "commit", "POST", f"{BRANCH}/commits", "D", "committing branch {branch!r} of {repository}", 201, timeouts=SLOW
)
GET_BRANCH: Final = row("getBranch", "GET", BRANCH, "A", "looking up branch {branch!r} of {repository}")
DELETE_BRANCH: Final = row("deleteBranch", "DELETE", BRANCH, "R", "deleting branch {branch!r} of {repository}", 204)
RESET_BRANCH: Final = row(
    "resetBranch", "PUT", BRANCH, "R", "resetting uncommitted changes of {repository}/{branch}/{path}", 204
)
HARD_RESET_BRANCH: Final = row(
    "hardResetBranch",
    "PUT",
    f"{BRANCH}/hard_reset",
    "R",
    "moving branch {branch!r} of {repository} to {target!r}",
    204,
    timeouts=SLOW,
)
REVERT_BRANCH: Final = row(
    "revertBranch",
    "POST",
    f"{BRANCH}/revert",
    "D",
    "reverting {target!r} on branch {branch!r} of {repository}",
    204,
    timeouts=SLOW,
)
CHERRY_PICK: Final = row(
    "cherryPick",
    "POST",
    f"{BRANCH}/cherry-pick",
    "D",
    "cherry-picking {target!r} onto branch {branch!r} of {repository}",
    201,
    timeouts=SLOW,
)
MERGE_INTO_BRANCH: Final = row(
    "mergeIntoBranch",
    "POST",
    f"{REPOSITORY}/refs/{{source_ref}}/merge/{{destination_branch}}",
    "D",
    "merging {source_ref!r} into branch {destination_branch!r} of {repository}",
    timeouts=SLOW,
)
FIND_MERGE_BASE: Final = row(
    "findMergeBase",
    "GET",
    f"{REPOSITORY}/refs/{{source_ref}}/merge/{{destination_branch}}",
    "A",
    "finding the merge base of {source_ref!r} and {destination_branch!r} in {repository}",
)
DIFF_BRANCH: Final = row(
    "diffBranch", "GET", f"{BRANCH}/diff", "A", "listing uncommitted changes of branch {branch!r} of {repository}"
)
DIFF_REFS: Final = row(
    "diffRefs",
    "GET",
    f"{REPOSITORY}/refs/{{left_ref}}/diff/{{right_ref}}",
    "A",
    "comparing {left_ref!r} with {right_ref!r} in {repository}",
)
GET_COMMIT: Final = row(
    "getCommit", "GET", f"{REPOSITORY}/commits/{{commit_id}}", "A", "resolving {repository}/{commit_id}"
)

# Objects and staging
GET_OBJECT: Final = row(
    "getObject", "GET", f"{REF}/objects", "A", "reading {repository}/{ref}/{path}", 200, 206, timeouts=DATA
)
HEAD_OBJECT: Final = row("headObject", "HEAD", f"{REF}/objects", "A", "looking up {repository}/{ref}/{path}", 200, 206)
CREATE_PRESIGN_MULTIPART_UPLOAD: Final = row(
    "createPresignMultipartUpload",
    "POST",
    f"{BRANCH}/staging/pmpu",
    "E",
    "starting a multipart upload of {repository}/{branch}/{path}",
    201,
)
COMPLETE_PRESIGN_MULTIPART_UPLOAD: Final = row(
    "completePresignMultipartUpload",
    "PUT",
    f"{BRANCH}/staging/pmpu/{{upload_id}}",
    "C",
    "completing a multipart upload of {repository}/{branch}/{path}",
    timeouts=SLOW,
)
ABORT_PRESIGN_MULTIPART_UPLOAD: Final = row(
    "abortPresignMultipartUpload",
    "DELETE",
    f"{BRANCH}/staging/pmpu/{{upload_id}}",
    "B",
    "aborting a multipart upload of {repository}/{branch}/{path}",
    204,
)
UPLOAD_PART: Final = row(
    "uploadPart",
    "PUT",
    f"{BRANCH}/staging/pmpu/{{upload_id}}/parts/{{part_number}}",
    "A",
    "uploading part {part_number} of {repository}/{branch}/{path}",
)
UPLOAD_PART_COPY: Final = row(
    "uploadPartCopy",
    "PUT",
    f"{BRANCH}/staging/pmpu/{{upload_id}}/parts/{{part_number}}/copy",
    "B",
    "copying part {part_number} of {repository}/{branch}/{path}",
    204,
)
GET_PHYSICAL_ADDRESS: Final = row(
    "getPhysicalAddress",
    "GET",
    f"{BRANCH}/staging/backing",
    "A",
    "requesting an upload address for {repository}/{branch}/{path}",
)
LINK_PHYSICAL_ADDRESS: Final = row(
    "linkPhysicalAddress", "PUT", f"{BRANCH}/staging/backing", "W", "linking {repository}/{branch}/{path}"
)
IMPORT_STATUS: Final = row(
    "importStatus", "GET", f"{BRANCH}/import", "A", "checking an import into branch {branch!r} of {repository}"
)
IMPORT_START: Final = row(
    "importStart",
    "POST",
    f"{BRANCH}/import",
    "D",
    "importing into branch {branch!r} of {repository}",
    202,
    timeouts=SLOW,
)
IMPORT_CANCEL: Final = row(
    "importCancel",
    "DELETE",
    f"{BRANCH}/import",
    "B",
    "cancelling an import into branch {branch!r} of {repository}",
    204,
)
UPLOAD_OBJECT_PREFLIGHT: Final = row(
    "uploadObjectPreflight",
    "GET",
    f"{BRANCH}/objects/stage_allowed",
    "A",
    "checking whether {repository}/{branch}/{path} may be uploaded",
    204,
)
STAGE_OBJECT: Final = row("stageObject", "PUT", f"{BRANCH}/objects", "W", "staging {repository}/{branch}/{path}", 201)
UPLOAD_OBJECT: Final = row(
    "uploadObject", "POST", f"{BRANCH}/objects", "W", "uploading {repository}/{branch}/{path}", 201, timeouts=DATA
)
DELETE_OBJECT: Final = row(
    "deleteObject", "DELETE", f"{BRANCH}/objects", "R", "deleting {repository}/{branch}/{path}", 204
)
DELETE_OBJECTS: Final = row(
    "deleteObjects",
    "POST",
    f"{BRANCH}/objects/delete",
    "R",
    "deleting objects of branch {branch!r} of {repository}",
    timeouts=SLOW,
)
COPY_OBJECT: Final = row(
    "copyObject",
    "POST",
    f"{BRANCH}/objects/copy",
    "W",
    "copying {source} to {repository}/{branch}/{path}",
    201,
    timeouts=SLOW,
)
STAT_OBJECT: Final = row("statObject", "GET", f"{REF}/objects/stat", "A", "looking up {repository}/{ref}/{path}")
UPDATE_OBJECT_USER_METADATA: Final = row(
    "updateObjectUserMetadata",
    "PUT",
    f"{BRANCH}/objects/stat/user_metadata",
    "R",
    "setting metadata of {repository}/{branch}/{path}",
    200,
    201,
    204,
)
GET_UNDERLYING_PROPERTIES: Final = row(
    "getUnderlyingProperties",
    "GET",
    f"{REF}/objects/underlyingProperties",
    "A",
    "reading the storage properties of {repository}/{ref}/{path}",
)
LIST_OBJECTS: Final = row("listObjects", "GET", f"{REF}/objects/ls", "A", "listing objects of {repository}/{ref}")

# Action runs and pull requests
LIST_REPOSITORY_RUNS: Final = row(
    "listRepositoryRuns", "GET", f"{REPOSITORY}/actions/runs", "A", "listing the action runs of {repository}"
)
GET_RUN: Final = row(
    "getRun", "GET", f"{REPOSITORY}/actions/runs/{{run_id}}", "A", "looking up action run {run_id!r} of {repository}"
)
LIST_RUN_HOOKS: Final = row(
    "listRunHooks",
    "GET",
    f"{REPOSITORY}/actions/runs/{{run_id}}/hooks",
    "A",
    "listing the hooks of action run {run_id!r} of {repository}",
)
GET_RUN_HOOK_OUTPUT: Final = row(
    "getRunHookOutput",
    "GET",
    f"{REPOSITORY}/actions/runs/{{run_id}}/hooks/{{hook_run_id}}/output",
    "A",
    "reading the output of hook {hook_run_id!r} of action run {run_id!r} of {repository}",
)
LIST_PULL_REQUESTS: Final = row(
    "listPullRequests", "GET", f"{REPOSITORY}/pulls", "A", "listing the pull requests of {repository}"
)
CREATE_PULL_REQUEST: Final = row(
    "createPullRequest", "POST", f"{REPOSITORY}/pulls", "E", "creating a pull request in {repository}", 201
)
GET_PULL_REQUEST: Final = row(
    "getPullRequest",
    "GET",
    f"{REPOSITORY}/pulls/{{pull_request}}",
    "A",
    "looking up pull request {pull_request!r} of {repository}",
)
UPDATE_PULL_REQUEST: Final = row(
    "updatePullRequest",
    "PATCH",
    f"{REPOSITORY}/pulls/{{pull_request}}",
    "R",
    "updating pull request {pull_request!r} of {repository}",
    200,
    201,
    204,
)
MERGE_PULL_REQUEST: Final = row(
    "mergePullRequest",
    "PUT",
    f"{REPOSITORY}/pulls/{{pull_request}}/merge",
    "E",
    "merging pull request {pull_request!r} of {repository}",
    timeouts=SLOW,
)

# The server
HEALTH_CHECK: Final = row("healthCheck", "GET", "/healthcheck", "A", "checking the server's health", 204, public=True)
GET_CONFIG: Final = row("getConfig", "GET", "/config", "A", "reading the server's configuration")
GET_LAKEFS_VERSION: Final = row("getLakeFSVersion", "GET", "/config/version", "A", "reading the server's version")
GET_STORAGE_CONFIG: Final = row(
    "getStorageConfig", "GET", "/config/storage", "A", "reading the server's storage configuration"
)

# Not part of lakeFS's API: pre-signed URLs of the object store behind it. Their paths only name the parameters.
PRESIGNED_GET: Final = Endpoint("presignedGet", "GET", f"{REF}/objects", "A", GET_OBJECT.wording, (200, 206), DATA)
PRESIGNED_PART: Final = Endpoint("presignedPart", "PUT", UPLOAD_PART.path, "B", UPLOAD_PART.wording, (200,), DATA)
PRESIGNED_PUT: Final = Endpoint(
    "presignedPut", "PUT", f"{BRANCH}/objects", "B", UPLOAD_OBJECT.wording, (200, 201), DATA
)
