"""The table of endpoints against lakeFS's own description, in both directions; and writing and matching of URLs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.endpoints import BASE, ENDPOINTS, match, target
from lakefs_hl.spec.wire import Endpoint, Request

DESCRIPTION = Path(__file__).resolve().parent.parent / "data" / "lakefs-api.yml"
METHODS = {"get", "put", "post", "delete", "patch", "head"}
segments = st.text(min_size=1, max_size=20).filter(lambda text: text not in {".", ".."} and _encodes(text))
rows = st.sampled_from(list(ENDPOINTS.values()))


def _encodes(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@pytest.fixture(scope="module")
def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Operation -> (method, path, description)."""
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


def test_rows_say_what_the_description_says(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    ours = {name: (row.method, row.path) for name, row in ENDPOINTS.items()}
    assert ours == {name: (method, _snake(path)) for name, (method, path, _) in described.items()}


def _snake(path: str) -> str:
    """The path with its parameters named as Python names them."""
    return re.sub(r"\{\w+\}", lambda found: re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", found[0]), path)


def test_who_may_ask_without_credentials(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    public = {name for name, (_, _, operation) in described.items() if operation.get("security") == []}
    assert {name for name, row in ENDPOINTS.items() if row.public} == public


def test_success_is_what_is_described(described: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    wrong = {}
    for name, (_, _, operation) in described.items():
        good = {int(status) for status in operation["responses"] if str(status).isdigit() and int(status) < 400}
        if not good & set(ENDPOINTS[name].ok):
            wrong[name] = (ENDPOINTS[name].ok, good)
    assert not wrong


def test_what_only_reads_is_safe_to_repeat() -> None:
    assert {row.operation for row in ENDPOINTS.values() if row.method in {"GET", "HEAD"} and row.retry != "A"} <= {
        "oauthCallback"  # a one-time code is spent by it
    }


def test_constants_are_the_rows() -> None:
    constants = {id(value) for value in vars(endpoints).values() if isinstance(value, Endpoint)}
    assert {id(row) for row in ENDPOINTS.values()} <= constants


@given(rows, st.data())
def test_a_written_path_is_matched(row: Endpoint, data: st.DataObject) -> None:
    params = tuple(data.draw(segments) for _ in range(row.path.count("{")))
    found = match(target(Request(row, params)).removeprefix(BASE))
    assert found is not None
    by_method, read = found
    assert read == params or row.method in by_method  # a fixed word may win over a parameter of the same text
    if read == params:
        assert by_method[row.method] is row


@given(segments, segments, st.text(max_size=30).filter(_encodes))
def test_nothing_a_user_writes_leaves_its_place(repository: str, ref: str, path: str) -> None:
    url = urlsplit(target(Request(endpoints.STAT_OBJECT, (repository, ref), {"path": path})))
    parts = url.path.split("/")
    assert [unquote(part) for part in parts] == [
        "",
        "api",
        "v1",
        "repositories",
        repository,
        "refs",
        ref,
        "objects",
        "stat",
    ]
    assert parse_qs(url.query, keep_blank_values=True) == {"path": [path]}


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_dot_segments_are_refused(part: str) -> None:
    with pytest.raises(ValueError, match="cannot be a repository"):
        target(Request(endpoints.STAT_OBJECT, ("repo", part), {"path": "x"}))


@pytest.mark.parametrize("path", ["/nowhere", "/repositories//branches", "", "/", "/repositories/r/branches/b/no"])
def test_unknown_paths_match_nothing(path: str) -> None:
    assert match(path) is None
