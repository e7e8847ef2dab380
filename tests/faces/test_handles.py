"""Handles: equal, hashable, picklable, printable, harmless in a notebook, usable in threads and after a fork."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import secrets
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._handles.deletions import DeleteReport, ObjectPaths
from lakefs_hl._handles.objects import wrap
from lakefs_hl._sync import of_default as clients
from lakefs_hl.aio import of_default as aio_clients
from lakefs_hl.spec import models

HOSTILE = "<script>alert('x')</script>&\"/"


def made(client: lakefs_hl.Client | None, name: str = "example") -> list[Any]:
    """One handle of each kind; making them asks nobody."""
    record = models.Commit("c" * 64, ["p" * 64], "who", "message\nmore", 1_700_000_000, "m" * 64, {"k": "v"})
    return [
        lakefs_hl.Repository(name, client),
        lakefs_hl.ReadIOBase(name, "main", client),
        lakefs_hl.WriteIOBase(name, "main", client),
        lakefs_hl.Reference(name, "main", client),
        lakefs_hl.Branch(name, "main", client),
        lakefs_hl.Tag(name, "main", client),
        lakefs_hl.Commit(name, record, client),
        lakefs_hl.ObjectInfo(name, "main", "d/a", client),
        lakefs_hl.CommonPrefix(name, "main", "d/", client),
        lakefs_hl.PullRequest(name, "p1", client),
        lakefs_hl.Run(name, "5k", client),
    ]


def test_handles_are_equal_by_kind_place_and_client(lake: lakefs_hl.Client) -> None:
    one, two, other = made(lake), made(lake), made(None)
    assert one == two
    assert [hash(handle) for handle in one] == [hash(handle) for handle in two]
    for index, handle in enumerate(one):
        assert handle != other[index]
        assert all(handle != rest for place, rest in enumerate(one) if place != index)
        assert handle != "example"
    assert len(set(one + two)) == len(one)
    assert all(a != b for a, b in zip(one, made(lake, "other"), strict=True))


def test_b6_65_handles_survive_pickle_and_copy(lake: lakefs_hl.Client) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        for handle in made(None):
            again = pickle.loads(pickle.dumps(handle, protocol))
            assert (again, repr(again)) == (handle, repr(handle))
    for handle in made(lake):
        assert copy.copy(handle) == copy.deepcopy(handle) == handle


def test_a_pickled_object_keeps_what_was_known_of_it(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload(b"abc", "a", metadata={"k": "v"})
    (info,) = lake_branch.list_objects()
    again = pickle.loads(pickle.dumps(info))
    lake_branch.delete_objects("a")
    assert isinstance(again, lakefs_hl.ObjectInfo)
    assert (again, again.size_bytes, again.metadata) == (info, 3, {"k": "v"})


def test_a_handle_works_where_it_is_unpickled(client: lakefs_hl.Client, branch: lakefs_hl.Branch) -> None:
    branch.upload(b"abc", "a")
    again = pickle.loads(pickle.dumps(branch))
    assert again.download("a") == b"abc"


def test_a_commit_prints_what_matters() -> None:
    commit = made(None)[6]
    assert repr(commit) == "<Commit cccccccccccc 'message' by who at 2023-11-14 22:13>"
    assert commit.creation_date == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [1 << 60, -(1 << 60)])
def test_a_time_that_no_datetime_holds_is_the_nearest(lake: lakefs_hl.Client, seconds: int) -> None:
    nearest = (datetime.max if seconds > 0 else datetime.min).replace(tzinfo=UTC)
    record = models.Commit("c" * 64, [], "who", "message", seconds, "m" * 64, {})
    commit = lakefs_hl.Commit("example", record, lake)
    assert commit.creation_date == nearest
    assert f"{nearest:%Y-%m-%d}" in repr(commit) + commit._repr_html_()
    stats = models.ObjectStats("a", "object", "s3://b/a", "c", seconds, 5)
    info = wrap(lakefs_hl.ObjectInfo, lakefs_hl.Branch("example", "main", lake), stats)
    assert info.modified_time == nearest
    assert f"{nearest:%Y-%m-%d}" in info._repr_html_()


def test_reprs_help() -> None:
    assert [repr(handle) for handle in made(None) if not isinstance(handle, lakefs_hl.Commit)] == [
        "<Repository lakefs://example>",
        "<ReadIOBase lakefs://example/main/>",
        "<WriteIOBase lakefs://example/main/>",
        "<Reference lakefs://example/main/>",
        "<Branch lakefs://example/main/>",
        "<Tag lakefs://example/main/>",
        "<ObjectInfo lakefs://example/main/d/a>",
        "<CommonPrefix lakefs://example/main/d/>",
        "<PullRequest p1 of lakefs://example>",
        "<Run 5k of lakefs://example>",
    ]


def test_a_notebook_runs_nothing_that_stands_in_a_name(lake: lakefs_hl.Client) -> None:
    commit = models.Commit(HOSTILE, [], HOSTILE, HOSTILE, 1_700_000_000, "m", {HOSTILE: HOSTILE})
    handles: list[Any] = [
        lakefs_hl.Repository(HOSTILE, lake),
        lakefs_hl.Branch(HOSTILE, HOSTILE, lake),
        lakefs_hl.Commit(HOSTILE, commit, lake),
        lakefs_hl.ObjectInfo(HOSTILE, HOSTILE, HOSTILE, lake),
        lakefs_hl.CommonPrefix(HOSTILE, HOSTILE, HOSTILE, lake),
        lakefs_hl.PullRequest(HOSTILE, HOSTILE, lake)._keep(
            models.PullRequest(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "2026-01-31T12:00:00Z", HOSTILE, HOSTILE, HOSTILE)
        ),
        lakefs_hl.Run(HOSTILE, HOSTILE, lake)._keep(
            models.ActionRun(HOSTILE, HOSTILE, "2026-01-31T12:00:00Z", HOSTILE, HOSTILE, HOSTILE)
        ),
        lake,
    ]
    for handle in handles:
        page = handle._repr_html_()
        assert "<script" not in page
        assert "alert('x')</" not in page


def test_a_notebook_shows_what_is_known(lake_branch: lakefs_hl.Branch) -> None:
    page = lake_branch.upload(b"abc", "d/a", metadata={"unit": "<kg>"})._repr_html_()
    for shown in ("lakefs://example/main/d/a", "3 bytes", "900150983cd24fb0d6963f7d28e17f72", "unit", "&lt;kg&gt;"):
        assert shown in page
    first = lake_branch.head()
    page = lake_branch.commit_changes("one\ntwo", {"run": "17"})._repr_html_()
    for shown in ("one\ntwo", "pre-wrap", first.id, "run", "17"):
        assert shown in page
    assert "op_id" not in page
    assert "<table" not in lakefs_hl.ObjectInfo("example", "main", "never/looked/up")._repr_html_()


def test_a_repr_makes_no_request() -> None:
    nowhere = lakefs_hl.Client("https://nowhere.invalid", "key", "secret")
    for handle in made(nowhere):
        repr(handle)
        handle._repr_html_()
    for kind in (lakefs_hl.ServerConfiguration, lakefs_hl.ServerStorageConfiguration, lakefs_hl.BranchTransaction):
        thing = kind("example", "main", nowhere) if kind is lakefs_hl.BranchTransaction else kind(nowhere)  # type: ignore[call-arg,arg-type]
        assert kind.__name__ in repr(thing)
    assert "sources=0" in repr(lakefs_hl.ImportManager("example", "main", nowhere))


def test_b9_93_no_handle_shows_or_pickles_a_looked_up_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secrets.token_hex(16)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", secret)
    client = lakefs_hl.Client(retries=0)
    for handle in [*made(client), client]:
        assert secret not in repr(handle) + handle._repr_html_()
        assert secret.encode() not in pickle.dumps(handle)
    with pytest.raises(exceptions.TransportException) as caught:
        lakefs_hl.repository("example", client=client).branch("main").upload(b"", "a")
    error: BaseException | None = caught.value
    while error is not None:
        assert secret not in str(error) + repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: lakefs_hl.Repository(""), ValueError, "repository_id must not be empty"),
        (lambda: lakefs_hl.Repository(None), TypeError, "repository_id must be a string, not NoneType: None"),  # type: ignore[arg-type]
        (lambda: lakefs_hl.Branch("r", ""), ValueError, "reference_id must not be empty"),
        (lambda: lakefs_hl.ObjectInfo("r", "main", ""), ValueError, "path must not be empty"),
        (lambda: lakefs_hl.CommonPrefix("r", "main", 1), TypeError, "path must be a string, not int: 1"),  # type: ignore[arg-type]
        (lambda: lakefs_hl.ImportManager("r", ""), ValueError, "reference_id must not be empty"),
    ],
)
def test_a_bad_name_says_which_and_what(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "aio"])
def test_a_handle_that_cannot_be_made_prints_in_a_traceback_with_variables(module: Any) -> None:
    """Python 3.11's own module for that passes on what a `repr` raises."""
    makes: list[Callable[[], object]] = [
        lambda: module.Repository(""),
        lambda: module.Branch("", "main"),
        lambda: module.Branch("r", ""),
        lambda: module.ObjectInfo("r", "main", ""),
        lambda: module.ObjectInfo("r", "", "a"),
        lambda: module.CommonPrefix("r", "main", ""),
        lambda: module.ImportManager("", "main"),
        lambda: module.ImportManager("r", ""),
        lambda: module.PullRequest("r", ""),
        lambda: module.Run("", "5k"),
        lambda: module.BranchTransaction("", "main"),
        lambda: module.BranchTransaction("r", "main", on_empty="never"),
        lambda: module.Client("nonsense"),
        lambda: module.Client("https://h", username="half"),
    ]
    for make in makes:
        with pytest.raises(ValueError) as caught:
            make()
        assert "self = <" in "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )


def test_a_report_of_failures_is_raised_or_returned() -> None:
    failed = [models.ObjectError(500, "disk on fire", "b")]
    paths = ObjectPaths(["a", "b", "c"], "object_paths", lakefs_hl.Branch("r", "main"))
    assert list(paths) == ["a", "b", "c"]
    report = DeleteReport._of("lakefs://r/main/", paths, failed, "return")
    assert report == (3, tuple(failed))
    assert report.errors is report.failed
    with pytest.raises(exceptions.PartialFailureError) as caught:
        DeleteReport._of("lakefs://r/main/", paths, failed, "raise")
    assert str(caught.value) == (
        "1 of 3 objects of lakefs://r/main/ were not deleted; the first is 'b': disk on fire (500); all are in "
        "`report.failed`"
    )
    assert caught.value.report.requested == 3


# ----------------------------------------------------------------------------------------------------- threads, forks


def test_b6_63_fifty_threads_share_a_client_from_its_first_use(branch: lakefs_hl.Branch) -> None:
    branch = pickle.loads(pickle.dumps(branch))  # with a client that was not used yet
    failures: list[BaseException] = []
    start = threading.Barrier(50)

    def work(number: int) -> None:
        start.wait()
        try:
            branch.upload(b"%d" % number, f"{number}")
            assert branch.download(f"{number}") == b"%d" % number
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(branch.list_objects())) == 50


def test_b6_64_a_child_reads_and_writes(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"parent", "a")
    listing = branch.list_objects()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            assert branch.download("a") == b"parent"
            branch.upload(b"child", "b")
            os.write(writing, b"good")
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as told:
        assert told.read() == b"good"
    assert os.waitpid(child, 0)[1] == 0
    assert branch.download("b") == b"child"
    assert [item.path for item in listing][0] == "a"


def _in_child(branch: lakefs_hl.Branch, number: int) -> lakefs_hl.ObjectInfo:
    return branch.upload(b"%d" % number, f"{number}")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_b6_64_handles_travel_to_other_processes(
    served_lake: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret, pickle_secrets=True)
    repository = lakefs_hl.repository(f"t-{secrets.token_hex(8)}", client=client).create()
    branch = repository.branch("main")
    with multiprocessing.get_context(method).Pool(2) as pool:
        infos = pool.starmap(_in_child, [(branch, number) for number in range(4)])
    assert [info.size_bytes for info in infos] == [1] * 4
    assert [item.path for item in branch.list_objects()] == ["0", "1", "2", "3"]
    client.close()


# ------------------------------------------------------------------------------------------------------ with_options


def optioned(client: Any, module: Any) -> list[Any]:
    """One of everything that has `with_options`, besides the client."""
    record = models.Commit("c" * 64, [], "who", "message", 1_700_000_000, "m" * 64)
    return [
        *(getattr(module, kind)("example", "main", client) for kind in ("ReadIOBase", "WriteIOBase", "Branch", "Tag")),
        module.Repository("example", client),
        module.Reference("example", "main", client),
        module.Commit("example", record, client),
        module.ObjectInfo("example", "main", "a", client),
        module.CommonPrefix("example", "main", "a/", client),
        module.ImportManager("example", "main", client, sources=[("s3://b/a", "a")]),
        module.BranchTransaction("example", "main", client),
        module.PullRequest("example", "p1", client),
        module.Run("example", "5k", client),
        module.HookRun("example", "5k", models.HookRun("1", "a", "h", "2026-01-31T12:00:00Z", "failed"), client),
        module.ServerConfiguration(client),
        module.ServerStorageConfiguration(client),
    ]


def asked(handle: Any) -> Any:
    """The client that a handle's calls go to."""
    place = getattr(handle, "_reference", handle)
    colour = aio_clients if type(place).__module__ == "lakefs_hl.aio" else clients
    return colour.client_of(place._given)


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "aio"])
def test_every_handle_takes_options(module: Any) -> None:
    client = module.Client("mem://", retries=7)
    for handle in optioned(client, module):
        changed = handle.with_options(timeout=3, connect_timeout=2).with_options(deadline=9)
        assert type(changed) is type(handle)
        assert repr(changed) == repr(handle) or "Server" in repr(handle)
        policy = asked(changed)._session.policy
        assert (policy.timeout, policy.connect, policy.deadline, policy.attempts) == (3, 2, 9, 8)
        assert asked(changed)._session.authenticator is client._session.authenticator
        assert asked(handle) is client  # unchanged


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "aio"])
def test_a_handle_without_a_client_follows_the_default_client_with_its_own_options(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles = [handle.with_options(timeout=3, retries=0) for handle in optioned(None, module)]
    for retries in (4, 5):
        default = module.Client("mem://", retries=retries, deadline=retries)
        monkeypatch.setitem(vars(module), "DefaultClient", default)
        for handle in handles:
            found = asked(handle)
            assert (found.endpoint, found is default) == (default.endpoint, False)
            policy = found._session.policy
            assert (policy.timeout, policy.deadline, policy.attempts) == (3, retries, 1)
            assert asked(handle) is found  # made once
    again = handles[0].with_options(timeout=1)
    assert (asked(again)._session.policy.timeout, asked(again)._session.policy.attempts) == (1, 1)
    assert again != handles[0]
    travelled = pickle.loads(pickle.dumps(handles[0]))
    assert travelled == handles[0]
    assert asked(travelled)._session.policy.timeout == 3
    assert "timeout=3" in repr(handles[0]._given)


def test_options_work_in_the_midst_of_things(lake_branch: lakefs_hl.Branch) -> None:
    branch = lake_branch.with_options(deadline=30)
    with branch.transaction("one") as tx:
        tx.with_options(retries=0).upload(b"1", "a")
    info = branch.stat("a").with_options(timeout=1)
    assert (info, info.size_bytes) == (branch.with_options(timeout=1).stat("a"), 1)
