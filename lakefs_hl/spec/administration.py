"""Rows of the table of endpoints for administrators: users, policies, garbage collection, dumps, statistics.

The same table as in `spec.endpoints`, which has the rules. The client calls none of these operations.
"""

from __future__ import annotations

from typing import Final

from lakefs_hl.spec.rows import DATA, REPOSITORY, SLOW, row

# Setup and sign-in
SETUP_COMM_PREFS: Final = row(
    "setupCommPrefs", "POST", "/setup_comm_prefs", "E", "setting communication preferences", public=True
)
GET_SETUP_STATE: Final = row("getSetupState", "GET", "/setup_lakefs", "A", "reading the setup state", public=True)
SETUP: Final = row("setup", "POST", "/setup_lakefs", "E", "setting up the server", public=True)
STS_LOGIN: Final = row("stsLogin", "POST", "/sts/login", "E", "logging in through STS", public=True)
GET_AUTH_CAPABILITIES: Final = row(
    "getAuthCapabilities", "GET", "/auth/capabilities", "A", "reading the authentication capabilities", public=True
)
OAUTH_CALLBACK: Final = row(
    "oauthCallback", "GET", "/oidc/callback", "E", "completing an OAuth login", 302, public=True
)

# Users, groups, policies, credentials
LIST_USERS: Final = row("listUsers", "GET", "/auth/users", "A", "listing users")
CREATE_USER: Final = row("createUser", "POST", "/auth/users", "C", "creating user {id!r}", 201)
GET_USER: Final = row("getUser", "GET", "/auth/users/{user_id}", "A", "looking up user {user_id!r}")
DELETE_USER: Final = row("deleteUser", "DELETE", "/auth/users/{user_id}", "R", "deleting user {user_id!r}", 204)
LIST_GROUPS: Final = row("listGroups", "GET", "/auth/groups", "A", "listing groups")
CREATE_GROUP: Final = row("createGroup", "POST", "/auth/groups", "C", "creating group {id!r}", 201)
GET_GROUP: Final = row("getGroup", "GET", "/auth/groups/{group_id}", "A", "looking up group {group_id!r}")
DELETE_GROUP: Final = row("deleteGroup", "DELETE", "/auth/groups/{group_id}", "R", "deleting group {group_id!r}", 204)
LIST_POLICIES: Final = row("listPolicies", "GET", "/auth/policies", "A", "listing policies")
CREATE_POLICY: Final = row("createPolicy", "POST", "/auth/policies", "C", "creating policy {id!r}", 201)
GET_POLICY: Final = row("getPolicy", "GET", "/auth/policies/{policy_id}", "A", "looking up policy {policy_id!r}")
UPDATE_POLICY: Final = row("updatePolicy", "PUT", "/auth/policies/{policy_id}", "R", "updating policy {policy_id!r}")
DELETE_POLICY: Final = row(
    "deletePolicy", "DELETE", "/auth/policies/{policy_id}", "R", "deleting policy {policy_id!r}", 204
)
LIST_GROUP_MEMBERS: Final = row(
    "listGroupMembers", "GET", "/auth/groups/{group_id}/members", "A", "listing the members of group {group_id!r}"
)
ADD_GROUP_MEMBERSHIP: Final = row(
    "addGroupMembership",
    "PUT",
    "/auth/groups/{group_id}/members/{user_id}",
    "B",
    "adding user {user_id!r} to group {group_id!r}",
    201,
)
DELETE_GROUP_MEMBERSHIP: Final = row(
    "deleteGroupMembership",
    "DELETE",
    "/auth/groups/{group_id}/members/{user_id}",
    "R",
    "removing user {user_id!r} from group {group_id!r}",
    204,
)
LIST_USER_CREDENTIALS: Final = row(
    "listUserCredentials",
    "GET",
    "/auth/users/{user_id}/credentials",
    "A",
    "listing the credentials of user {user_id!r}",
)
CREATE_CREDENTIALS: Final = row(
    "createCredentials",
    "POST",
    "/auth/users/{user_id}/credentials",
    "E",
    "creating credentials for user {user_id!r}",
    201,
)
DELETE_CREDENTIALS: Final = row(
    "deleteCredentials",
    "DELETE",
    "/auth/users/{user_id}/credentials/{access_key_id}",
    "B",
    "deleting credentials {access_key_id!r} of user {user_id!r}",
    204,
)
GET_CREDENTIALS: Final = row(
    "getCredentials",
    "GET",
    "/auth/users/{user_id}/credentials/{access_key_id}",
    "A",
    "looking up credentials {access_key_id!r} of user {user_id!r}",
)
LIST_USER_GROUPS: Final = row(
    "listUserGroups", "GET", "/auth/users/{user_id}/groups", "A", "listing the groups of user {user_id!r}"
)
LIST_USER_POLICIES: Final = row(
    "listUserPolicies", "GET", "/auth/users/{user_id}/policies", "A", "listing the policies of user {user_id!r}"
)
ATTACH_POLICY_TO_USER: Final = row(
    "attachPolicyToUser",
    "PUT",
    "/auth/users/{user_id}/policies/{policy_id}",
    "B",
    "attaching policy {policy_id!r} to user {user_id!r}",
    201,
)
DETACH_POLICY_FROM_USER: Final = row(
    "detachPolicyFromUser",
    "DELETE",
    "/auth/users/{user_id}/policies/{policy_id}",
    "R",
    "detaching policy {policy_id!r} from user {user_id!r}",
    204,
)
CREATE_USER_EXTERNAL_PRINCIPAL: Final = row(
    "createUserExternalPrincipal",
    "POST",
    "/auth/users/{user_id}/external/principals",
    "C",
    "creating an external principal for user {user_id!r}",
    201,
)
DELETE_USER_EXTERNAL_PRINCIPAL: Final = row(
    "deleteUserExternalPrincipal",
    "DELETE",
    "/auth/users/{user_id}/external/principals",
    "R",
    "deleting an external principal of user {user_id!r}",
    204,
)
LIST_USER_EXTERNAL_PRINCIPALS: Final = row(
    "listUserExternalPrincipals",
    "GET",
    "/auth/users/{user_id}/external/principals/ls",
    "A",
    "listing the external principals of user {user_id!r}",
)
GET_EXTERNAL_PRINCIPAL: Final = row(
    "getExternalPrincipal", "GET", "/auth/external/principals", "A", "looking up an external principal"
)
LIST_GROUP_POLICIES: Final = row(
    "listGroupPolicies", "GET", "/auth/groups/{group_id}/policies", "A", "listing the policies of group {group_id!r}"
)
ATTACH_POLICY_TO_GROUP: Final = row(
    "attachPolicyToGroup",
    "PUT",
    "/auth/groups/{group_id}/policies/{policy_id}",
    "B",
    "attaching policy {policy_id!r} to group {group_id!r}",
    201,
)
DETACH_POLICY_FROM_GROUP: Final = row(
    "detachPolicyFromGroup",
    "DELETE",
    "/auth/groups/{group_id}/policies/{policy_id}",
    "R",
    "detaching policy {policy_id!r} from group {group_id!r}",
    204,
)
SET_GROUP_ACL: Final = row(
    "setGroupACL", "POST", "/auth/groups/{group_id}/acl", "R", "setting the ACL of group {group_id!r}", 201
)
GET_GROUP_ACL: Final = row(
    "getGroupACL", "GET", "/auth/groups/{group_id}/acl", "A", "reading the ACL of group {group_id!r}"
)

# Garbage collection and branch protection
GET_GC_RULES: Final = row(
    "getGCRules", "GET", f"{REPOSITORY}/settings/gc_rules", "A", "reading the garbage collection rules of {repository}"
)
SET_GC_RULES: Final = row(
    "setGCRules",
    "PUT",
    f"{REPOSITORY}/settings/gc_rules",
    "R",
    "setting the garbage collection rules of {repository}",
    204,
)
DELETE_GC_RULES: Final = row(
    "deleteGCRules",
    "DELETE",
    f"{REPOSITORY}/settings/gc_rules",
    "R",
    "deleting the garbage collection rules of {repository}",
    204,
)
GET_BRANCH_PROTECTION_RULES: Final = row(
    "getBranchProtectionRules",
    "GET",
    f"{REPOSITORY}/settings/branch_protection",
    "A",
    "reading the branch protection rules of {repository}",
)
SET_BRANCH_PROTECTION_RULES: Final = row(
    "setBranchProtectionRules",
    "PUT",
    f"{REPOSITORY}/settings/branch_protection",
    "C",
    "setting the branch protection rules of {repository}",
    204,
)
SET_GARBAGE_COLLECTION_RULES_PREFLIGHT: Final = row(
    "setGarbageCollectionRulesPreflight",
    "GET",
    f"{REPOSITORY}/gc/rules/set_allowed",
    "A",
    "checking whether garbage collection rules of {repository} may be set",
    204,
)
INTERNAL_GET_GARBAGE_COLLECTION_RULES: Final = row(
    "internalGetGarbageCollectionRules",
    "GET",
    f"{REPOSITORY}/gc/rules",
    "A",
    "reading the garbage collection rules of {repository}",
)
INTERNAL_SET_GARBAGE_COLLECTION_RULES: Final = row(
    "internalSetGarbageCollectionRules",
    "POST",
    f"{REPOSITORY}/gc/rules",
    "R",
    "setting the garbage collection rules of {repository}",
    204,
)
INTERNAL_DELETE_GARBAGE_COLLECTION_RULES: Final = row(
    "internalDeleteGarbageCollectionRules",
    "DELETE",
    f"{REPOSITORY}/gc/rules",
    "R",
    "deleting the garbage collection rules of {repository}",
    204,
)
PREPARE_GARBAGE_COLLECTION_COMMITS: Final = row(
    "prepareGarbageCollectionCommits",
    "POST",
    f"{REPOSITORY}/gc/prepare_commits",
    "E",
    "preparing the commits of {repository} for garbage collection",
    201,
    timeouts=SLOW,
)
PREPARE_GARBAGE_COLLECTION_COMMITS_ASYNC: Final = row(
    "prepareGarbageCollectionCommitsAsync",
    "POST",
    f"{REPOSITORY}/gc/prepare_commits/async",
    "E",
    "starting to prepare the commits of {repository} for garbage collection",
    202,
)
PREPARE_GARBAGE_COLLECTION_COMMITS_STATUS: Final = row(
    "prepareGarbageCollectionCommitsStatus",
    "GET",
    f"{REPOSITORY}/gc/prepare_commits/status",
    "A",
    "checking the preparation of garbage collection of {repository}",
)
PREPARE_GARBAGE_COLLECTION_UNCOMMITTED: Final = row(
    "prepareGarbageCollectionUncommitted",
    "POST",
    f"{REPOSITORY}/gc/prepare_uncommited",
    "E",
    "preparing the uncommitted objects of {repository} for garbage collection",
    201,
    timeouts=SLOW,
)
CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT: Final = row(
    "createBranchProtectionRulePreflight",
    "GET",
    f"{REPOSITORY}/branch_protection/set_allowed",
    "A",
    "checking whether branch protection rules of {repository} may be set",
    204,
)
INTERNAL_GET_BRANCH_PROTECTION_RULES: Final = row(
    "internalGetBranchProtectionRules",
    "GET",
    f"{REPOSITORY}/branch_protection",
    "A",
    "reading the branch protection rules of {repository}",
)
INTERNAL_CREATE_BRANCH_PROTECTION_RULE: Final = row(
    "internalCreateBranchProtectionRule",
    "POST",
    f"{REPOSITORY}/branch_protection",
    "C",
    "creating a branch protection rule of {repository}",
    204,
)
INTERNAL_DELETE_BRANCH_PROTECTION_RULE: Final = row(
    "internalDeleteBranchProtectionRule",
    "DELETE",
    f"{REPOSITORY}/branch_protection",
    "R",
    "deleting a branch protection rule of {repository}",
    204,
)
GET_GARBAGE_COLLECTION_CONFIG: Final = row(
    "getGarbageCollectionConfig",
    "GET",
    "/config/garbage-collection",
    "A",
    "reading the server's garbage collection configuration",
)

# Dumps, internal metadata, statistics
DUMP_REFS: Final = row(
    "dumpRefs", "PUT", f"{REPOSITORY}/refs/dump", "E", "dumping the references of {repository}", 201, timeouts=SLOW
)
RESTORE_REFS: Final = row(
    "restoreRefs", "PUT", f"{REPOSITORY}/refs/restore", "E", "restoring the references of {repository}", timeouts=SLOW
)
DUMP_SUBMIT: Final = row(
    "dumpSubmit", "POST", f"{REPOSITORY}/dump", "E", "starting a dump of the references of {repository}", 202
)
DUMP_STATUS: Final = row(
    "dumpStatus", "GET", f"{REPOSITORY}/dump", "A", "checking a dump of the references of {repository}"
)
RESTORE_SUBMIT: Final = row(
    "restoreSubmit", "POST", f"{REPOSITORY}/restore", "E", "starting a restore of the references of {repository}", 202
)
RESTORE_STATUS: Final = row(
    "restoreStatus", "GET", f"{REPOSITORY}/restore", "A", "checking a restore of the references of {repository}"
)
CREATE_COMMIT_RECORD: Final = row(
    "CreateCommitRecord", "POST", f"{REPOSITORY}/commits", "B", "creating a commit record in {repository}", 204
)
CREATE_SYMLINK_FILE: Final = row(
    "createSymlinkFile",
    "POST",
    f"{REPOSITORY}/refs/{{branch}}/symlink",
    "E",
    "creating a symlink file for {repository}/{branch}",
    201,
    timeouts=SLOW,
)
GET_METADATA_OBJECT: Final = row(
    "getMetadataObject",
    "GET",
    f"{REPOSITORY}/metadata/object/{{type}}/{{object_id}}",
    "A",
    "reading {type} {object_id!r} of {repository}",
    timeouts=DATA,
)
GET_META_RANGE: Final = row(
    "getMetaRange",
    "GET",
    f"{REPOSITORY}/metadata/meta_range/{{meta_range}}",
    "A",
    "looking up meta-range {meta_range!r} of {repository}",
)
GET_RANGE: Final = row(
    "getRange", "GET", f"{REPOSITORY}/metadata/range/{{range}}", "A", "looking up range {range!r} of {repository}"
)
POST_STATS_EVENTS: Final = row("postStatsEvents", "POST", "/statistics", "E", "sending usage statistics", 204)
GET_USAGE_REPORT_SUMMARY: Final = row(
    "getUsageReportSummary", "GET", "/usage-report/summary", "A", "reading the usage report"
)
