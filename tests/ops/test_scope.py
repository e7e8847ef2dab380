"""Scopes: every endpoint that names a repository, with the name that the server knows; and records, with the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import lakefs_hl
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.ops.scope import names_repository, to_caller, to_server
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import Endpoint, Request
from tests.ops.script import Play, no, ok, step

ROOT = Path(__file__).resolve().parents[2]
SCOPE = "alice-"
ROWS = [*ENDPOINTS.values(), endpoints.PRESIGNED_GET, endpoints.PRESIGNED_PUT]


def request_of(row: Endpoint) -> Request:
    params = tuple(f"the-{name}" for name in row.parameters)
    body = b'{"name": "n"}' if row is endpoints.CREATE_REPOSITORY else b"not decoded"
    return Request(row, params, {"path": "a", "after": "b", "prefix": "c"}, body=body)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)
def test_every_endpoint_names_the_repository_of_the_scope(row: Endpoint) -> None:
    request = request_of(row)
    assert "repository" not in row.parameters[1:]
    assert names_repository(request) is ("repository" in row.parameters)
    found = to_server(SCOPE, request)
    expected = tuple(f"alice-{name}" if name == "the-repository" else name for name in request.params)
    assert found.params == expected
    if row is not endpoints.LIST_REPOSITORIES:
        assert found.query == request.query
    assert to_server("", request) is request


def test_no_other_part_of_a_request_names_a_repository() -> None:
    """Query parameters, and properties of the records that are sent, by lakeFS's own description."""
    document = yaml.safe_load((ROOT / "tests/data/lakefs-api.yml").read_text(encoding="utf-8"))
    parameters = {
        parameter.get("name", "")
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "query"
    }
    assert not [name for name in parameters if "repo" in name.lower()]
    sent = {
        content["schema"].get("$ref", "").rpartition("/")[2]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    named = {
        (kind, name)
        for kind in sent - {""}
        for name in document["components"]["schemas"][kind].get("properties", {})
        if "repo" in name.lower()
    }
    assert not named
    assert "name" in document["components"]["schemas"]["RepositoryCreation"]["properties"]


def test_requests_leave_at_one_place_only() -> None:
    """Every request that is sent has passed the scope."""
    sends = [
        (path.name, line.strip())
        for path in (ROOT / "lakefs_hl").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\byield Send(All)?\(|\b(?<!def )send(_all)?\(\[?_?", line) and path.parent.name == "ops"
    ]
    assert {name for name, _ in sends} == {"effects.py", "retry.py"}
    assert [line for name, line in sends if name == "retry.py" and "_authorize(" not in line] == []
    users = [path for path in (ROOT / "lakefs_hl").rglob("*.py") if re.search(r"import .*\bsend\b", path.read_text())]
    assert users == []  # `effects.send` itself is for tests


def test_a_listing_asks_for_the_names_of_the_scope() -> None:
    def query(**given: str) -> Any:
        return to_server(SCOPE, Request(endpoints.LIST_REPOSITORIES, (), given)).query

    assert query() == {"prefix": "alice-"}
    assert query(prefix="do", after="da", search="oc", amount="3") == {
        "prefix": "alice-do", "after": "alice-da", "search": "oc", "amount": "3"
    }  # fmt: skip


def test_a_creation_names_the_repository_of_the_scope() -> None:
    body = models.encode(models.RepositoryCreation("docs", "s3://b/x", "main", read_only=True))
    found = to_server(SCOPE, Request(endpoints.CREATE_REPOSITORY, body=body))
    assert isinstance(found.body, bytes)
    assert models.decode(models.RepositoryCreation, found.body) == models.RepositoryCreation(
        "alice-docs", "s3://b/x", "main", read_only=True
    )


def repository(name: str) -> models.Repository:
    return models.Repository(name, 1, "main", f"s3://b/{name}")


def test_records_have_the_names_of_the_caller() -> None:
    get = Request(endpoints.GET_REPOSITORY, ("docs",))
    assert to_caller(SCOPE, get, repository("alice-docs")).id == "docs"
    page = models.RepositoryPage(
        models.Pagination(True, "alice-zoo"),
        [repository(name) for name in ("alice-", "alice-a", "bob-b", "alice-lice")],
    )
    listing = Request(endpoints.LIST_REPOSITORIES)
    found = to_caller(SCOPE, listing, page)
    assert [row.id for row in found.results] == ["a", "lice"]
    assert found.pagination.next_offset == "zoo"
    searching = msgspec.structs.replace(listing, query={"search": "lice"})
    assert [row.id for row in to_caller(SCOPE, searching, page).results] == ["lice"]
    assert to_caller("", listing, page) is page


def test_an_error_has_both_names() -> None:
    session = Session(basic("key", "secret"), endpoint="http://lakefs.example")
    session.scope = SCOPE
    op = call(session, Request(endpoints.GET_BRANCH, ("docs", "main")))
    with pytest.raises(lakefs_hl.exceptions.NotFoundException, match="lakefs://docs") as caught:
        Play(step("getBranch", "alice-docs", "main", answer=no(404, "repository not found"))).run(op)
    assert caught.value.__notes__ == ["by the scope of the client, repository 'docs' is 'alice-docs' on the server"]


def test_a_session_keeps_its_scope() -> None:
    session = Session(basic("key", "secret"), endpoint="http://lakefs.example")
    session.scope = SCOPE
    assert session.copy(session.policy).scope == SCOPE
    play = Play(step("getRepository", "alice-docs", answer=ok(repository("alice-docs"))))
    found = play.run(ask(session, models.Repository, Request(endpoints.GET_REPOSITORY, ("docs",))))
    assert found.id == "docs"
