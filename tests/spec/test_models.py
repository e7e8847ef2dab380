"""Records, compared with the responses of a real lakeFS: decoded, and encoded unchanged."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.spec import models
from lakefs_hl.spec.routes import match

GOLDEN = Path(__file__).parents[1] / "data" / "contract" / "golden"
#: Operation and status -> record of the response.
RECORDS: dict[tuple[str, int], type[Any]] = {
    ("listRepositories", 200): models.RepositoryPage,
    ("createRepository", 201): models.Repository,
    ("getRepository", 200): models.Repository,
    ("getGCRules", 200): models.GCRules,
    ("getBranchProtectionRules", 200): list[models.BranchProtectionRule],
    ("listBranches", 200): models.RefPage,
    ("getBranch", 200): models.Ref,
    ("listTags", 200): models.RefPage,
    ("createTag", 201): models.Ref,
    ("getTag", 200): models.Ref,
    ("commit", 201): models.Commit,
    ("getCommit", 200): models.Commit,
    ("cherryPick", 201): models.Commit,
    ("logCommits", 200): models.CommitPage,
    ("mergeIntoBranch", 200): models.MergeResult,
    ("mergeIntoBranch", 409): models.MergeResult,
    ("findMergeBase", 200): models.MergeBase,
    ("diffBranch", 200): models.DiffPage,
    ("diffRefs", 200): models.DiffPage,
    ("uploadObject", 201): models.ObjectStats,
    ("statObject", 200): models.ObjectStats,
    ("stageObject", 201): models.ObjectStats,
    ("copyObject", 201): models.ObjectStats,
    ("linkPhysicalAddress", 200): models.ObjectStats,
    ("listObjects", 200): models.ObjectPage,
    ("deleteObjects", 200): models.ObjectErrors,
    ("getStorageConfig", 200): models.StorageConfig,
    ("getGarbageCollectionConfig", 200): models.GCConfig,
    ("getCurrentUser", 200): models.CurrentUser,
    ("login", 200): models.Token,
    ("getSetupState", 200): models.SetupState,
    ("createPullRequest", 201): models.PullRequestCreated,
    ("getPullRequest", 200): models.PullRequest,
    ("listPullRequests", 200): models.PullRequestPage,
    ("mergePullRequest", 200): models.MergeResult,
    ("listRepositoryRuns", 200): models.ActionRunPage,
    ("listRunHooks", 200): models.HookRunPage,
}


def recorded() -> list[tuple[str, int, Any]]:
    """Yield every recorded JSON response with its operation; values that differ between runs are replaced."""
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        for line in json.loads(path.read_text(encoding="utf-8")):
            response = line["response"]
            route = match(line["request"].get("path", "/nowhere").replace("//", "/"))
            row = route[0].get(line["request"]["method"]) if route else None
            if row is not None and "json" in response:
                found.append((row.operation, response["status"], plain(response["json"])))
    return found


def plain(value: Any) -> Any:
    """Return a recorded value without the masks of the recorder."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return 1 if value == "<int>" else value


def test_every_recorded_response_is_decoded_and_encoded_unchanged() -> None:
    seen = Counter[str]()
    for operation, status, answer in recorded():
        kind = RECORDS.get((operation, status)) or (models.Error if status >= 400 else None)
        if kind is None:
            continue
        data = json.dumps(answer).encode()
        assert json.loads(models.encode(models.decode(kind, data))) == answer, (operation, status)
        seen[operation] += 1
    assert sum(seen.values()) > 800
    assert {operation for operation, _ in RECORDS} <= set(seen)


@pytest.mark.parametrize("kind", [models.Commit, models.ObjectStats, models.Repository])
def test_an_unknown_field_is_ignored(kind: type[Any]) -> None:
    known = {"id": "x", "path": "p", "path_type": "object", "creation_date": 1, "default_branch": "main"}
    record = models.decode(kind, json.dumps({**known, "storage_namespace": "s3://b", "brand_new": [1]}).encode())
    assert b"brand_new" not in models.encode(record)


def test_an_old_server_may_omit_fields() -> None:
    commit = models.decode(models.Commit, b'{"id": "x"}')
    assert (commit.parents, commit.metadata, commit.generation) == ([], {}, None)


def test_a_skipped_hook_and_a_running_action_are_read() -> None:  # lakeFS writes a word that its specification lacks
    hook = models.decode(
        models.HookRun,
        b'{"hook_run_id": "0000_0001", "action": "a", "hook_id": "h", "start_time": "0001-01-01T00:00:00Z", '
        b'"status": "skipped"}',
    )
    assert (hook.status, hook.end_time) == ("skipped", None)
    run = models.decode(
        models.ActionRun,
        b'{"run_id": "r", "branch": "main", "start_time": "2026-01-31T12:00:00.123456789Z", "event_type": '
        b'"pre-commit", "status": "failed", "commit_id": ""}',
    )
    assert (run.event_type, run.end_time) == ("pre-commit", None)


def test_rows_share_their_type() -> None:
    page = json.dumps(
        {
            "pagination": {"has_more": False, "next_offset": "", "results": 2, "max_per_page": 1000},
            "results": [{"path": name, "path_type": "object"} for name in "ab"],
        }
    )
    one, other = models.decode(models.ObjectPage, page.encode()).results
    assert one.path_type is other.path_type
