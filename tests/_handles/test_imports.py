"""Imports: sources, the state of a run, and the calls."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles import imports as calls
from lakefs_hl._handles.imports import ImportFields, made
from lakefs_hl.exceptions import ImportFailedException, ProtocolException
from lakefs_hl.ops import imports as ops
from lakefs_hl.spec import models
from tests.ops.script import C0, commit, session

SESSION = session()


def importing(sources: Any = ()) -> ImportFields:
    return ImportFields("example", "main", None, sources, "m", {"k": "v"})


@pytest.mark.parametrize(
    ("uri", "destination", "kind", "source", "target"),
    [
        ("s3://b/a.csv", "a.csv", "object", "s3://b/a.csv", "a.csv"),
        ("s3://b/p/", "d/", "common_prefix", "s3://b/p/", "d/"),
        ("s3://b/p", "d/", "common_prefix", "s3://b/p/", "d/"),
        ("s3://b/p/", "d", "common_prefix", "s3://b/p/", "d/"),
        ("s3://b/p", "", "common_prefix", "s3://b/p/", ""),
    ],
)
def test_a_slash_on_either_side_makes_it_a_prefix(
    uri: str, destination: str, kind: str, source: str, target: str
) -> None:
    found = importing([(uri, destination)])._to_start()
    assert found == [models.ImportLocation(kind, source, target)]


def test_a_single_pair_is_one_source() -> None:
    assert importing(("s3://b/a", "a"))._to_start() == importing([("s3://b/a", "a")])._to_start()


@pytest.mark.parametrize("sources", ["s3://b/a", 7, ["s3://b/a"], [("s3://b/a",)], [("s3://b/a", "a", "b")]])
def test_something_else_as_sources_is_refused(sources: Any) -> None:
    with pytest.raises(TypeError, match="sources must be pairs"):
        importing(sources)


def test_an_import_without_sources_is_not_started() -> None:
    manager = importing()
    with pytest.raises(ValueError, match="no sources to import"):
        manager._to_start()
    manager._add("s3://b/a", "a")
    assert len(manager._to_start()) == 1
    assert repr(manager) == "<ImportManager lakefs://example/main/ sources=1 id=None>"


def test_an_import_runs_once_at_a_time() -> None:
    manager = importing(("s3://b/a", "a"))
    with pytest.raises(RuntimeError, match="not started"):
        manager._started_id()
    manager._import_id = "id-1"
    assert (manager._started_id(), manager.import_id) == ("id-1", "id-1")
    with pytest.raises(RuntimeError, match="already running as id-1"):
        manager._to_start()
    failure = ImportFailedException("it failed")
    manager._end(failure)
    with pytest.raises(ImportFailedException, match="it failed") as caught:
        manager._raise_failure()
    assert caught.value is not failure
    manager._end()
    manager._raise_failure()


def test_a_copy_with_options_has_sources_of_its_own() -> None:
    manager = importing(("s3://b/a", "a"))
    manager._of_default = dict
    copy = manager.with_options(timeout=5)
    copy._add("s3://b/b", "b")
    assert (len(copy._locations), len(manager._locations)) == (2, 1)


def test_a_start_has_an_id_and_what_was_asked(mocker: MockerFixture) -> None:
    start = mocker.patch.object(ops, "start")
    manager = importing(("s3://b/a", "a"))
    calls.start(SESSION, manager, manager._to_start())
    assert start.call_args.args[1:3] == ("example", "main")
    assert start.call_args.args[4:] == ("m", {"k": "v"})
    assert len(start.call_args.kwargs["op_id"]) == 32


def test_the_other_calls_name_the_run(mocker: MockerFixture) -> None:
    manager = importing()
    for name in ("status", "wait", "cancel"):
        op = mocker.patch.object(ops, name)
        getattr(calls, name)(SESSION, manager, "id-1", *([2] if name == "wait" else []))
        assert op.call_args.args[1:4] == ("example", "main", "id-1")
    with pytest.raises(TypeError, match="poll_interval"):
        calls.wait(SESSION, manager, "id-1", "2 s")


def test_a_completed_import_has_a_commit() -> None:
    record = commit(C0)
    status = models.ImportStatus(completed=True, update_time="", ingested_objects=3, commit=record)
    assert made(status) == (record, 3)
    with pytest.raises(ProtocolException, match="returns no commit"):
        made(models.ImportStatus(completed=True, update_time=""))
