"""The table of endpoints: compared with lakeFS's own description in both directions, and its wording."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import yaml

from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import Endpoint, Request

DESCRIPTION = Path(__file__).resolve().parent.parent / "data" / "lakefs-api.yml"
METHODS = {"get", "put", "post", "delete", "patch", "head"}


@pytest.fixture(scope="module")
def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return method, path and description by operation."""
    document = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_operation_is_in_the_table_and_no_other(described: dict[str, Any]) -> None:
    assert len(described) == 134
    assert set(ENDPOINTS) == set(described)


def test_rows_match_the_description(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    ours = {name: (row.method, row.path) for name, row in ENDPOINTS.items()}
    assert ours == {name: (method, _snake(path)) for name, (method, path, _) in described.items()}


def _snake(path: str) -> str:
    """Return the path with parameter names in snake case."""
    return re.sub(r"\{\w+\}", lambda found: re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", found[0]), path)


def test_operations_without_credentials(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    public = {name for name, (_, _, operation) in described.items() if operation.get("security") == []}
    assert {name for name, row in ENDPOINTS.items() if row.public} == public


def test_success_statuses_are_those_described(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    wrong = {}
    for name, (_, _, operation) in described.items():
        good = {int(status) for status in operation["responses"] if str(status).isdigit() and int(status) < 400}
        if not good & set(ENDPOINTS[name].ok):
            wrong[name] = (ENDPOINTS[name].ok, good)
    assert not wrong


def test_reads_are_safe_to_repeat() -> None:
    assert {row.operation for row in ENDPOINTS.values() if row.method in {"GET", "HEAD"} and row.retry != "A"} <= {
        "oauthCallback"  # uses up a one-time code
    }


def test_constants_are_the_rows() -> None:
    modules = (endpoints, administration)
    constants = {id(value) for module in modules for value in vars(module).values() if isinstance(value, Endpoint)}
    assert {id(row) for row in ENDPOINTS.values()} <= constants


# ------------------------------------------------------------------------------------------------------------- wording

#: Values of a wording that are neither path parameters nor the object's path: the operation passes them.
NAMED = {
    "createUser": {"id"},
    "createGroup": {"id"},
    "createPolicy": {"id"},
    "createRepository": {"name", "namespace"},
    "createTag": {"id", "target"},
    "createBranch": {"name", "source"},
    "hardResetBranch": {"target"},
    "revertBranch": {"target"},
    "cherryPick": {"target"},
    "copyObject": {"source"},
}
GERUND = re.compile(r"[a-z]+(-[a-z]+)?ing\b")


@pytest.mark.parametrize("row", list(ENDPOINTS.values()), ids=lambda row: row.operation)
def test_every_row_has_a_wording_that_formats_with_its_path_parameters(row: Endpoint) -> None:
    names = {name for _, name, _, _ in Formatter().parse(row.wording) if name}
    assert names - {*row.parameters, "path"} == NAMED.get(row.operation, set())
    values = {name: f"<{name}>" for name in names | {"path"}}
    text = row.describe(*(values.get(name, "?") for name in row.parameters), **values)
    assert GERUND.match(text), "begins with what the operation does, as in `deleting branch`"
    assert all(value in text for name, value in values.items() if name in names)
    assert "…" not in text
    assert not row.wording.endswith(".")


@pytest.mark.parametrize("row", list(ENDPOINTS.values()), ids=lambda row: row.operation)
def test_the_wording_names_the_repository_or_the_target(row: Endpoint) -> None:
    if "repository" in row.parameters:
        assert "{repository}" in row.wording
    elif row.parameters:
        assert any(f"{{{name}" in row.wording for name in row.parameters)


def test_a_request_is_described_by_its_row() -> None:
    request = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "a/b.csv"})
    assert request.describe() == "looking up lakefs://r/main/a/b.csv"
    assert Request(endpoints.DELETE_BRANCH, ("r", "b")).describe() == "deleting branch 'b' of lakefs://r"
    assert Request(endpoints.CREATE_TAG, ("r",)).describe() == "creating tag '…' at '…' in lakefs://r"
    merge = endpoints.MERGE_INTO_BRANCH.describe("r", "0" * 64, "main", source_ref="dev")
    assert merge == "merging 'dev' into branch 'main' of lakefs://r"


def test_braces_in_values_are_text() -> None:
    assert endpoints.GET_BRANCH.describe("{x}", "{repository}") == "looking up branch '{repository}' of lakefs://{x}"


def test_rows_of_one_meaning_have_one_wording() -> None:
    assert endpoints.STAT_OBJECT.wording == endpoints.HEAD_OBJECT.wording
    read = Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "a"}, url="https://store/?signature")
    assert read.describe() == "reading lakefs://r/main/a"
    write = Request(endpoints.PRESIGNED_PUT, ("r", "main"), {"path": "a"}, url="https://store/?signature")
    assert write.describe() == "uploading lakefs://r/main/a"
