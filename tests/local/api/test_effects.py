"""`Idempotency-Key` on every operation that changes the lake: one effect, one answer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.api.app import HANDLERS
from lakefs_hl.local.api.effects import Effect
from lakefs_hl.local.disk import fs
from lakefs_hl.local.engine import Engine, idempotency
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.local.engine.idempotency import fingerprint
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import FileSlice, Request, Response
from tests.data.lakes.make import HERE
from tests.local.operations import OPERATIONS, Operation, counts, kept, prepare, tables

REPO = "repo"
KEY = "0190b7c2-7c1e-7000-8000-000000000001"
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.endpoint.operation)
#: Operations that are no reads and change nothing all the same.
HARMLESS = {
    *("login", "setup", "setupCommPrefs", "postStatsEvents", "uploadPart", "uploadPartCopy"),
    *("createPresignMultipartUpload", "completePresignMultipartUpload", "abortPresignMultipartUpload"),
}


def opened(folder: Path) -> Engine:
    return Engine.open(folder, sync=False)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = opened(tmp_path / "lake")
    prepare(found, REPO)
    yield found
    found.close()


def ask(engine: Engine, operation: Operation, key: str | None = None, who: str = "me", **changed: Any) -> Response:
    """Sends an operation; waits for an import that it started."""
    headers = dict(operation.headers) if key is None else {**operation.headers, "idempotency-key": key}
    values = {
        "endpoint": operation.endpoint,
        "params": operation.path(REPO),
        "query": operation.query,
        "headers": headers,
        "body": operation.data(REPO),
        **changed,
    }
    response = App(engine)(Request(**values), who)
    for run in list(engine.imports._running.values()):
        run.join()
    return response


def essence(response: Response) -> tuple[int, dict[str, str], bytes, str]:
    assert isinstance(response.body, bytes)
    return response.status, dict(response.headers), response.body, response.reason


def row_of(name: str) -> Operation:
    return next(one for one in OPERATIONS if one.endpoint.operation == name)


COMMIT, UPLOAD, MERGE = row_of("commit"), row_of("uploadObject"), row_of("mergeIntoBranch")


# ---------------------------------------------------------------------------------------------------- every operation


def test_every_operation_that_changes_something_is_tried() -> None:
    assert {name for name, handler in HANDLERS.items() if isinstance(handler, Effect)} == {
        one.endpoint.operation for one in OPERATIONS
    }


def test_every_operation_that_is_no_read_honours_the_key() -> None:
    without = {name for name, handler in HANDLERS.items() if not isinstance(handler, Effect)}
    assert {name for name in without if ENDPOINTS[name].method not in ("GET", "HEAD")} == HARMLESS


@EVERY
def test_a_repetition_gets_the_first_answer_and_changes_nothing(engine: Engine, operation: Operation) -> None:
    if operation.before:
        operation.before(engine, REPO)
    first = ask(engine, operation, KEY)
    assert first.status in operation.endpoint.ok, first
    assert list(kept(engine)) == [("me", KEY)]
    if operation.between:
        operation.between(engine, REPO)
    state = tables(engine)
    assert essence(ask(engine, operation, KEY)) == essence(first)
    assert tables(engine) == state
    # The same without the key is executed, and would have been seen.
    again = ask(engine, operation)
    assert essence(again) != essence(first) or tables(engine) != state
    assert fsck(engine).damage == []


@EVERY
def test_a_key_changes_nothing_of_the_effect(tmp_path: Path, operation: Operation) -> None:
    found = []
    for name, key in (("with", KEY), ("without", None)):
        engine = opened(tmp_path / name)
        prepare(engine, REPO)
        if operation.before:
            operation.before(engine, REPO)
        before = counts(engine)
        assert ask(engine, operation, key).status in operation.endpoint.ok
        found.append((before, counts(engine)))
        engine.close()
    assert found[0] == found[1]


@pytest.mark.timeout(120)
@EVERY
def test_a_kill_at_any_point_of_a_transaction(tmp_path: Path, operation: Operation) -> None:
    """The process dies at the n-th passing of a point, for every n; the repetition makes the effect whole, once."""
    twin = opened(tmp_path / "twin")
    prepare(twin, REPO)
    if operation.before:
        operation.before(twin, REPO)
    assert ask(twin, operation).status in operation.endpoint.ok
    whole, dead = counts(twin), 0
    twin.close()
    engine = opened(tmp_path / "prepared")
    prepare(engine, REPO)
    if operation.before:
        operation.before(engine, REPO)
    engine.close()
    for point in ("db.begin", "db.commit", "db.committed"):
        number = 0
        while True:
            number += 1
            folder = tmp_path / f"{point}-{number}"
            shutil.copytree(tmp_path / "prepared", folder)
            survived = not killed_at(point, number, partial(_ask_once, folder, operation))
            engine = opened(folder)
            answer = ask(engine, operation, KEY)
            assert answer.status in operation.endpoint.ok, (point, number, answer)
            assert essence(ask(engine, operation, KEY)) == essence(answer)
            if operation.endpoint is endpoints.IMPORT_START:  # the record of a killed import says that it failed
                assert len(tables(engine)["import"]) == 1
            assert counts(engine) == whole, (point, number)
            assert list(kept(engine)) == [("me", KEY)]
            engine.close()
            if survived:
                break
            dead += 1
    assert dead >= 3, "no point was reached"


def _ask_once(folder: Path, operation: Operation) -> None:
    ask(opened(folder), operation, KEY)


def killed_at(point: str, number: int, work: Callable[[], object]) -> bool:
    """Runs `work` in a child that dies at the n-th passing of a point; says whether it did."""
    pid = os.fork()
    if pid == 0:
        left = number

        def hook(reached: str) -> None:
            nonlocal left
            left -= reached == point
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            fs.hook = hook
            work()
        finally:
            os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


# ------------------------------------------------------------------------------------------------------ keys, requests


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b"other"},
        {"query": {"path": "else"}},
        {"query": {"path": "new", "force": "true"}},
        {"params": (REPO, "side")},
        {"headers": {**UPLOAD.headers, "idempotency-key": KEY, "content-type": "text/csv"}},
        {"headers": {**UPLOAD.headers, "idempotency-key": KEY, "x-lakefs-meta-color": "red"}},
        {"headers": {"idempotency-key": KEY}},
        {"endpoint": endpoints.DELETE_OBJECT},
    ],
    ids=str,
)
def test_a_key_is_for_one_request(engine: Engine, changed: dict[str, Any]) -> None:
    assert ask(engine, UPLOAD, KEY).status == 201
    state = tables(engine)
    answer = ask(engine, UPLOAD, KEY, **changed)
    assert (answer.status, answer.reason) == (422, "Unprocessable Content")
    assert isinstance(answer.body, bytes)
    message = json.loads(answer.body)["message"]
    assert KEY in message
    assert "uploadObject" in message
    assert tables(engine) == state
    assert ask(engine, UPLOAD, KEY).status == 201, "the first is still known"


def test_what_a_request_does_not_mean_is_not_looked_at(engine: Engine) -> None:
    first = ask(engine, UPLOAD, KEY)
    headers = {"user-agent": "later", "x-request-id": "2", "authorization": "new", **UPLOAD.headers}
    again = ask(engine, UPLOAD, headers={**headers, "idempotency-key": KEY})
    assert essence(again) == essence(first)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü", "a\n", "\x7f"])
def test_what_is_no_key_is_refused(engine: Engine, key: str) -> None:
    state = tables(engine)
    answer = ask(engine, COMMIT, key)
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert "Idempotency-Key" in json.loads(answer.body)["message"]
    assert tables(engine) == state


@pytest.mark.parametrize("key", ["x", "!", "~" * 255, '"quoted"'])
def test_keys(engine: Engine, key: str) -> None:
    first = ask(engine, COMMIT, key)
    assert first.status == 201
    assert essence(ask(engine, COMMIT, key)) == essence(first)


def test_reads_ignore_the_header(engine: Engine) -> None:
    request = Request(endpoints.STAT_OBJECT, (REPO, "main"), {"path": "a"}, {"idempotency-key": "not a key"})
    assert App(engine)(request, "me").status == 200


def test_everybody_has_keys_of_their_own(engine: Engine) -> None:
    mine, yours = ask(engine, MERGE, KEY, "me"), ask(engine, MERGE, KEY, "you")
    assert (mine.status, yours.status) == (200, 200)
    assert mine.body != yours.body


def test_a_refused_request_leaves_nothing_and_may_come_again(engine: Engine) -> None:
    merge = {"message": "m"}
    changed: dict[str, Any] = {"params": (REPO, "side", "dirty"), "body": json.dumps(merge).encode()}
    for _ in range(2):
        assert ask(engine, MERGE, KEY, **changed).status == 400  # uncommitted changes
        assert list(kept(engine)) == []
    engine.branches.reset(REPO, "dirty", models.Reset("reset"))
    done = ask(engine, MERGE, KEY, **changed)
    assert done.status == 200
    assert essence(ask(engine, MERGE, KEY, **changed)) == essence(done)


def test_a_conflict_is_a_refusal(engine: Engine) -> None:
    engine.objects.put(REPO, "dirty", "s", b"in the way")
    engine.commits.commit(REPO, "dirty", models.CommitCreation("m"), who="me")
    conflict = ask(engine, MERGE, KEY, params=(REPO, "side", "dirty"))
    assert (conflict.status, conflict.body) == (409, b'{"reference":""}')
    assert list(kept(engine)) == []


def test_a_request_that_had_nothing_to_change_is_not_executed_later(engine: Engine) -> None:
    add = row_of("internalCreateBranchProtectionRule")
    engine.settings.set_protection(REPO, [models.BranchProtectionRule("x")])
    assert ask(engine, add, KEY).status == 204
    engine.settings.set_protection(REPO, [])
    assert ask(engine, add, KEY).status == 204
    assert engine.settings.protection(REPO)[0] == []


def test_a_large_commit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits_module, "SMALL", 3)
    for index in range(20):
        engine.objects.put(REPO, "dirty", f"{index}", b"")
    first = ask(engine, COMMIT, KEY)
    assert first.status == 201
    engine.objects.put(REPO, "dirty", "later", b"")
    assert essence(ask(engine, COMMIT, KEY)) == essence(first)
    assert [one.path for one in engine.diffs.branch(REPO, "dirty").results] == ["later"]


def test_a_large_upload_out_of_a_file(engine: Engine, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(os.urandom(100_000))
        file.flush()
        first = ask(engine, UPLOAD, KEY, body=FileSlice(file.fileno(), 0, 100_000))
        assert first.status == 201
        assert essence(ask(engine, UPLOAD, KEY, body=FileSlice(file.fileno(), 0, 100_000))) == essence(first)
        assert ask(engine, UPLOAD, KEY, body=FileSlice(file.fileno(), 0, 99_999)).status == 422
        file.seek(50_000)
        file.write(b"changed")
        file.flush()
        assert ask(engine, UPLOAD, KEY, body=FileSlice(file.fileno(), 0, 100_000)).status == 422
    assert list((engine.folder / "objects" / "tmp").iterdir()) == []
    assert fsck(engine, read_data=True).damage == []


def test_where_an_import_may_read_is_asked_of_the_first_request_only(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"x")
    source = {"type": "common_prefix", "path": f"local://{tmp_path}/in/", "destination": "in/"}
    body = json.dumps({"paths": [source], "commit": {"message": "m"}}).encode()
    request = Request(endpoints.IMPORT_START, (REPO, "other"), {}, {"idempotency-key": KEY}, body)
    first = App(engine, import_roots=(tmp_path / "in",))(request, "me")
    assert first.status == 202
    for run in list(engine.imports._running.values()):
        run.join()
    engine.branches.delete(REPO, "other")
    for roots in ((tmp_path / "in",), (), None):
        assert essence(App(engine, import_roots=roots)(request, "me")) == essence(first)
    refused = Request(endpoints.IMPORT_START, (REPO, "main"), {}, {"idempotency-key": "new"}, body)
    assert App(engine, import_roots=())(refused, "me").status == 403


def test_a_fingerprint_is_of_the_bytes_however_they_lie(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"xx" + data)
        file.flush()
        assert fingerprint(b"w", FileSlice(file.fileno(), 2, len(data))) == fingerprint(b"w", data)
    assert fingerprint(b"w", data) != fingerprint(b"w", data[:-1] + b"\0")
    assert fingerprint(b"wx", b"y") != fingerprint(b"w", b"xy")


# --------------------------------------------------------------------------------------------------------- kept answers


def test_an_answer_is_kept_for_a_day(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, at = ask(engine, MERGE, KEY), idempotency.now()
    monkeypatch.setattr(idempotency, "now", lambda: at + idempotency.KEPT - 1)
    assert essence(ask(engine, MERGE, KEY)) == essence(first)
    monkeypatch.setattr(idempotency, "now", lambda: at + idempotency.KEPT + 1)
    later = ask(engine, MERGE, KEY)
    assert later.body != first.body
    assert essence(ask(engine, MERGE, KEY)) == essence(later)


def test_old_answers_go_a_few_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(10):
        ask(engine, MERGE, f"old-{index}")
    at = idempotency.now()
    monkeypatch.setattr(idempotency, "now", lambda: at + idempotency.KEPT + 1)
    left = []
    for index in range(4):
        ask(engine, MERGE, f"new-{index}")
        left.append(sum(key.startswith("old") for _, key in kept(engine)))
    assert left == [6, 2, 0, 0]
    assert sum(key.startswith("new") for _, key in kept(engine)) == 4


def test_a_damaged_answer_is_found(engine: Engine) -> None:
    ask(engine, COMMIT, KEY)
    assert fsck(engine).counts["kept answers"] == 1
    with engine.lake.database.write() as writer:
        row = writer.row("SELECT value FROM idempotency")
        assert row is not None
        changed = row[0].replace(b'"message":"m"', b'"message":"n"')
        assert changed != row[0]
        writer.execute("UPDATE idempotency SET value = ?", (changed,))
    assert [line for line in fsck(engine).damage if KEY in line]


def test_a_lake_of_an_earlier_release_keeps_answers_too(tmp_path: Path) -> None:
    with tarfile.open(HERE / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "v1").chmod(0o700)
    engine = opened(tmp_path / "v1")
    assert fsck(engine).damage == []
    changed: dict[str, Any] = {"params": ("kept", "side")}
    first = ask(engine, COMMIT, KEY, **changed)
    assert first.status == 201
    assert essence(ask(engine, COMMIT, KEY, **changed)) == essence(first)
    assert list(kept(engine)) == [("me", KEY)]
    assert fsck(engine).damage == []
    engine.close()
