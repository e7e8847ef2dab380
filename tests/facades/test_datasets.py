"""Datasets: addresses, validation, names of versions, and several who change one at a time."""

from __future__ import annotations

import asyncio
import builtins
import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio, exceptions, types
from lakefs_hl.facades import datasets, schemas
from lakefs_hl.facades._sync.dataset_metadata import DatasetMetadata
from lakefs_hl.facades.dataset_records import display_name

COMMIT = "0123456789abcdef" * 4


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "ref", "expected"),
    [
        ("repo", None, ("repo", None, "")),
        ("lakefs://repo", None, ("repo", None, "")),
        ("lakefs://repo/", "dev", ("repo", "dev", "")),
        ("lakefs://repo/main", None, ("repo", "main", "")),
        ("lakefs://repo/main/", "main", ("repo", "main", "")),
        ("lakefs://repo/main/a/ü", None, ("repo", "main", "a/ü/")),
        ("lakefs://repo/main~1/a/", None, ("repo", "main~1", "a/")),
        (f"lakefs://repo@{COMMIT}", None, ("repo", COMMIT, "")),
        (f"repo@{COMMIT}/a/b/", None, ("repo", COMMIT, "a/b/")),
    ],
)
def test_an_address_is_read_and_its_uri_is_the_same_address(given: str, ref: str | None, expected: Any) -> None:
    found = datasets.parse(given, ref)
    assert found == expected
    assert datasets.parse(found.uri, None) == found
    assert datasets.parse(found.id_at("v1"), None) == found._replace(ref="v1")


@pytest.mark.parametrize(
    ("given", "ref", "words"),
    [
        ("", None, "must be a name"),
        ("lakefs://", None, "must be a name"),
        ("blob:repo", None, "must be a name"),  # which other calls take, and no repository is called so
        ("lakefs:///main/a", None, "must be a name"),
        ("lakefs://repo//a", None, "must be a name"),
        ("repo@", None, "must be a name"),
        ("repo/main/a", None, "lakefs://repository/branch/prefix/"),
        ("lakefs://repo/main/a", "dev", "is another reference"),
        ("repo", "", "ref must not be empty"),
        ("repo", "a/b", "must be the name of a branch"),
        ("lakefs://repo/main/\ud800", None, "surrogates"),
    ],
)
def test_what_is_no_address_is_refused(given: str, ref: str | None, words: str) -> None:
    for module in (lakefs_hl, aio):
        with pytest.raises(ValueError, match=words):
            module.dataset(given, ref=ref)


@pytest.mark.parametrize("module", [lakefs_hl, aio])
def test_a_dataset_is_a_value(module: Any) -> None:
    with lakefs_hl.Client("mem://") as client:
        ds = module.dataset("lakefs://repo/main/a", client=None)
        assert (ds.uri, ds.prefix, ds.repository) == ("lakefs://repo/main/a/", "a/", module.Repository("repo"))
        assert (
            ds == module.Dataset("lakefs://repo", "main") if ds.prefix == "" else ds != module.Dataset("repo", "main")
        )
        for same in (module.dataset("lakefs://repo/main/a/"), pickle.loads(pickle.dumps(ds)), copy.deepcopy(ds)):
            assert same == ds
            assert hash(same) == hash(ds)
        assert ds != "lakefs://repo/main/a/"
        assert lakefs_hl.dataset("repo") != aio.dataset("repo")
        assert lakefs_hl.dataset("repo", client=client) != lakefs_hl.dataset("repo")
        assert repr(ds) == "<Dataset lakefs://repo/main/a/>"
        assert module.dataset("lakefs://repo/main/<b>")._repr_html_() == (
            "<b>Dataset</b> <code>lakefs://repo/main/&lt;b&gt;/</code>"
        )


def test_tags_of_two_prefixes_never_begin_alike() -> None:
    prefixes = ["", "a/", "a/b/", "a.b/", "a//b/", "a=b/", "a%2Eb/", "ü/", "a b/", "~/", "a@{/", "A/", "/", "a-v1/"]
    found = [datasets.tag_prefix(prefix) for prefix in prefixes]
    tags = {prefix + name for prefix in found for name in ("v1", "paper")}
    assert len(tags) == 2 * len(prefixes)
    assert datasets.tag_prefix("climate/2024/") == "climate.2024="
    with lakefs_hl.Client("mem://") as client:
        repo = lakefs_hl.repository("example", client=client).create()
        for tag in sorted(tags):
            repo.tag(tag).create("main")
            assert repo.tag(tag).get_commit() == repo.branch("main").head()


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a/b", ".a", "a.", "a..b", "-a", "a.lock", "a~1", "ü", "a" * 201])
def test_a_version_cannot_have_every_name(name: str) -> None:
    with pytest.raises(ValueError, match="name must be letters"):
        datasets.check_version_name(name)


def test_versions_are_sorted_by_number() -> None:
    names = ["v10", "paper", "v2", "v02", "a=v1", "v1", "2024-01"]
    assert datasets.sorted_versions(names) == ("v1", "v2", "v10", "2024-01", "paper", "v02")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"display_name": "a", "name": "b"}, "a"),
        ({"name": "b", "dataset_info": {"name": "c"}}, "b"),
        ({"dataset_info": {"display_name": "d", "name": "c"}}, "d"),
        ({"name": 5, "dataset_info": {"name": "c"}}, "c"),
        ({"name": " ", "dataset_info": ["name"]}, "default"),
        ({}, "default"),
    ],
)
def test_the_display_name_is_in_the_metadata(metadata: Any, expected: str) -> None:
    assert display_name(metadata, "default") == expected


# -- validation --------------------------------------------------------------------------------------------------------


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (None, "$"),
        ("text", "$"),
        ({"a": float("inf")}, "$.a"),
        ({"a": [1, (2,)]}, "$.a[1]"),
        ({"a b": {"c": b""}}, "$['a b'].c"),
        ({1: 2}, "$"),
        ({"a": "\ud800"}, "$.a"),
        ({"\ud800": 1}, "$"),
        ({"a": types.ErrorKind}, "$.a"),
        (nested(70), "$" + ".a" * 64),
        (CYCLE, "$" + ".again" * 64),
    ],
)
def test_metadata_is_what_json_stores_exactly(payload: Any, path: str) -> None:
    (problem,) = schemas.check(payload)
    assert problem.path == path
    assert problem.message
    assert problem.to_dict() == problem._asdict()


def test_problems_are_found_at_once_and_not_without_end() -> None:
    found = schemas.check({"a": {1, 2}, "b": [float("nan")], "c": 1})
    assert [problem.path for problem in found] == ["$.a", "$.b[0]"]
    assert len(schemas.check({"a": [object()] * 5000})) == schemas.MAX_PROBLEMS
    with pytest.raises(exceptions.InvalidMetadataError, match="and 995 more") as caught:
        schemas.require("minting x", {"a": [object()] * 5000})
    assert len(str(caught.value)) < 1000
    assert len(pickle.loads(pickle.dumps(caught.value)).problems) == schemas.MAX_PROBLEMS


DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("schema", "payload", "paths"),
    [
        ({"required": ["a"]}, {}, ["$"]),
        ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, "b", 2, None]}, ["$.a[1]", "$.a[3]"]),
        ({"properties": {"a": {"format": "date"}}}, {"a": "2024-02-31"}, ["$.a"]),
        ({"$schema": DRAFT_7, "dependencies": {"a": ["b"]}}, {"a": 1}, ["$"]),
        ({"$defs": {"n": {"type": "null"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}, {"a": 1}, ["$.a"]),
        (False, {}, ["$"]),
        (True, {"a": 1}, []),
    ],
)
def test_metadata_follows_a_schema(schema: Any, payload: Any, paths: list[str]) -> None:
    assert [problem.path for problem in schemas.check(payload, schema)] == paths


@pytest.mark.parametrize(
    ("schema", "kind", "words"),
    [
        ({"type": "text"}, ValueError, "no valid JSON Schema"),
        ({"$schema": "http://example.com/own"}, ValueError, "no draft that jsonschema knows"),
        ({"const": float("nan")}, ValueError, "cannot be stored as JSON"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, ValueError, "other documents are not fetched"),
        ({"$ref": "#/$defs/missing"}, ValueError, "which it refers to"),
        ({"$ref": "#"}, ValueError, "refers to itself without end"),
        ("schema.json", TypeError, "schema must be a dictionary"),
        (5, TypeError, "schema must be a dictionary"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        schemas.check({"a": 1}, schema)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def imports(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "jsonschema":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", imports)
    with pytest.raises(ImportError, match=r"lakefs-hl\[datasets\]"):
        schemas.check({}, {"type": "object"})
    assert schemas.check({}) == []


# -- several at a time -------------------------------------------------------------------------------------------------

WRITERS = 6


@pytest.fixture
def lake() -> Iterator[lakefs_hl.Client]:
    with lakefs_hl.Client("mem://") as client:
        yield client


def together(call: Callable[[int], Any]) -> list[Any]:
    """Call a function with each number at the same time. Returns results and exceptions."""

    def attempt(number: int) -> Any:
        try:
            return call(number)
        except exceptions.LakeFSException as exc:
            return exc

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(attempt, range(WRITERS)))


@pytest.mark.parametrize("exists", [False, True])
def test_of_several_who_mint_one_wins(lake: lakefs_hl.Client, exists: bool) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    if exists:  # with uncommitted work, where nothing can be merged
        lakefs_hl.repository("example", client=lake).create().branch("main").upload(b"draft", "a.csv")
    found = together(lambda number: ds.mint({"n": number}))
    won = [each for each in found if isinstance(each, types.DatasetInfo)]
    assert len(won) == 1
    assert all(type(each) is exceptions.ConflictException for each in found if each is not won[0])
    assert ds.info().metadata == won[0].metadata == {"n": found.index(won[0])}
    assert [version.history_id for version in ds.metadata_history()] == [1]


@pytest.mark.parametrize("dirty", [False, True])
def test_no_update_is_lost(lake: lakefs_hl.Client, dirty: bool) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": -1})
    main = ds.repository.branch("main")
    if dirty:
        main.upload(b"draft", "a.csv")
    found = together(lambda number: ds.update_metadata(f"by {number}", {"n": number}))
    assert sorted(version.history_id for version in found) == list(range(2, WRITERS + 2))
    history = ds.metadata_history()[1:]
    assert sorted(version.reason for version in history) == [f"by {number}" for number in range(WRITERS)]
    assert ds.info().metadata == history[-1].metadata
    assert ds.info().history_id == WRITERS + 1
    assert [version.commit is None for version in history] == [dirty] * WRITERS
    assert ("a.csv" in [change.path for change in main.list_uncommitted()]) is dirty


def test_versions_that_are_made_at_once_have_their_own_numbers(lake: lakefs_hl.Client) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({})
    found = together(lambda number: ds.version(f"by {number}"))
    assert sorted(version.name for version in found) == [f"v{number + 1}" for number in range(WRITERS)]
    assert len({version.commit for version in found}) == WRITERS
    assert sorted(ds.versions()) == sorted(found)
    found = together(lambda number: ds.version(f"by {number}", name="paper"))
    assert [type(each) for each in found].count(exceptions.ConflictException) == WRITERS - 1


def test_no_update_is_lost_in_asyncio() -> None:
    async def run() -> tuple[Any, Any, Any]:
        async with aio.Client("mem://") as client:
            ds = aio.dataset("example", client=client)
            minted = await asyncio.gather(*(ds.mint({"n": n}) for n in range(3)), return_exceptions=True)
            await asyncio.gather(*(ds.update_metadata(f"by {n}", {"n": n}) for n in range(WRITERS)))
            versions = await asyncio.gather(*(ds.version(f"by {n}") for n in range(3)))
            return minted, await ds.metadata_history(), versions

    minted, history, versions = asyncio.run(run())
    assert [type(each) for each in minted].count(exceptions.ConflictException) == 2
    assert [version.history_id for version in history] == list(range(1, WRITERS + 2))
    assert sorted(version.name for version in versions) == ["v1", "v2", "v3"]


# -- what is left behind -----------------------------------------------------------------------------------------------


class Killed(BaseException):
    pass


@pytest.mark.parametrize("dirty", [False, True])
@pytest.mark.parametrize("step", [1, 2])
def test_an_update_that_is_killed_leaves_a_dataset(
    lake: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch, step: int, dirty: bool
) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    main, upload, calls = ds.repository.branch("main"), lakefs_hl.WriteIOBase.upload, [0]
    if dirty:
        main.upload(b"draft", "a.csv")

    def kill(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == step:
            raise Killed
        return upload(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(lakefs_hl.WriteIOBase, "upload", kill)
        with pytest.raises(Killed):
            ds.update_metadata("Killed", {"n": 2})
    assert ds.info().metadata == {"n": 1}
    made = ds.update_metadata("Again", {"n": 3})
    assert made.history_id == (3 if dirty and step == 2 else 2)
    assert ds.info().metadata == {"n": 3}
    assert ds.metadata_history()[-1].reason == "Again"


@pytest.mark.parametrize("failing", ["Tag.create", "Repository.list_tags"])
def test_a_version_without_a_tag_says_which_commit_was_made(
    lake: lakefs_hl.Client, mocker: MockerFixture, failing: str
) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({})
    main = ds.repository.branch("main")
    main.upload(b"draft", "a.csv")
    refused = exceptions.ForbiddenException("creating the tag: forbidden")
    mocker.patch(f"lakefs_hl.{failing}", side_effect=refused)
    with pytest.raises(exceptions.ForbiddenException, match="forbidden") as caught:
        ds.version("As measured")
    mocker.stopall()
    made = main.head().message == "As measured"
    assert made is (failing == "Tag.create")
    assert caught.value.maybe_applied is made
    assert (f"commit {main.head().id} was made, and it may not be tagged 'v1'" in str(caught.value)) is made
    assert bool(main.list_uncommitted().to_list()) is not made
    assert ds.version("Again").name == "v1"


@pytest.mark.parametrize("name", [None, "paper"])
def test_a_version_whose_tag_was_made_without_a_response_is_that_version(
    lake: lakefs_hl.Client, mocker: MockerFixture, name: str | None
) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({})
    create = lakefs_hl.Tag.create

    def lose(tag: Any, *given: Any) -> None:
        create(tag, *given)
        msg = "the tag exists, and it could not be looked up whose it is"
        raise exceptions.ConflictException(msg)

    mocker.patch.object(lakefs_hl.Tag, "create", lose)
    made = ds.version("As measured", name=name)
    assert made.name == (name or "v1")
    assert ds.versions() == [made]


def test_a_branch_is_no_version(lake: lakefs_hl.Client) -> None:
    """A name that no tag has may be that of a branch, or the beginning of the ID of a commit."""
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    main = ds.repository.branch("main")
    other = ds.repository.branch("v1").create("main")
    other.upload(b"other", "a.csv", commit_message="elsewhere")
    main.upload(b"mine", "a.csv")
    for name in ("main", "v1"):
        with pytest.raises(exceptions.ConflictException, match=f"a tag or a branch '{name}' exists") as caught:
            ds.version("As measured", name=name)
        assert caught.value.maybe_applied is False
    assert [change.path for change in main.list_uncommitted()] == ["a.csv"]
    assert ds.version("As measured").name == "v2"
    for name in ("v1", other.head().id[:12]):
        with pytest.raises(exceptions.NotFoundException, match=f"has no version '{name}'"):
            ds.revert_to(name, "Back")
    assert main.download("a.csv") == b"mine"


def test_true_and_one_are_different_metadata(lake: lakefs_hl.Client) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"flag": True, "n": 1})
    ds.version("First")
    ds.update_metadata("Numbers", {"flag": 1, "n": 1.0})
    ds.revert_to("v1", "Back")
    assert json.dumps(ds.info().metadata) == '{"flag": true, "n": 1}'
    stamp = {"lakefs_hl-history-id": "3"}
    ds.repository.branch("main").upload(b'{"flag": 1, "n": 1}', "_dataset.json", metadata=stamp, commit_message="edit")
    ds.update_metadata("Next", {})
    assert [json.dumps(version.metadata) for version in ds.metadata_history()[3:]] == ['{"flag": 1, "n": 1}', "{}"]


def test_metadata_whose_version_was_deleted_can_be_replaced(lake: lakefs_hl.Client) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    ds.update_metadata("Second", {"n": 2})
    main = ds.repository.branch("main")
    main.restore("_dataset.json", "main~1")
    main.delete_objects("_dataset.history/00000001.json")
    with pytest.raises(exceptions.ConflictException):
        ds.mint({"n": 0})
    assert ds.update_metadata("Third", {"n": 3}).history_id == 4
    assert [version.metadata for version in ds.metadata_history()] == [{"n": 2}, {"n": 1}, {"n": 3}]


def interleave(mocker: MockerFixture, method: str, *steps: tuple[int, Callable[[], Any]]) -> None:
    """Do something before the writer of a number calls a method, once for each."""
    left, write = list(steps), getattr(DatasetMetadata, method)

    def spy(ds: Any, place: Any, content: Any, number: int, *given: Any) -> Any:
        if left and left[0][0] == number:
            left.pop(0)[1]()
        return write(ds, place, content, number, *given)

    mocker.patch.object(DatasetMetadata, method, spy)


def test_of_two_who_stage_a_new_dataset_one_wins_at_every_step(lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.repository.create().branch("main").upload(b"draft", "a.csv")
    interleave(mocker, "_create", (1, lambda: ds.mint({"n": 1}, schema={"maxProperties": 1})))
    with pytest.raises(exceptions.ConflictException, match="it exists"):
        ds.mint({"n": 1}, schema={"required": ["n"]})
    assert (ds.info().metadata, ds.info().schema) == ({"n": 1}, {"maxProperties": 1})
    assert [version.history_id for version in ds.metadata_history()] == [1]


def test_a_staged_dataset_that_is_updated_while_it_is_minted(lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.repository.create().branch("main").upload(b"draft", "a.csv")
    add = DatasetMetadata._add_first

    def spy(*given: Any) -> None:
        ds.update_metadata("Second", {"n": 2})
        add(*given)

    mocker.patch.object(DatasetMetadata, "_add_first", spy)
    assert ds.mint({"n": 1}).metadata == {"n": 2}
    assert [version.metadata for version in ds.metadata_history()] == [{"n": 1}, {"n": 2}]


def test_the_last_of_three_who_stage_has_the_last_word(lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    ds.repository.branch("main").upload(b"draft", "a.csv")
    # the first one finds that the second one was faster, and writes its version again after the third one
    second, third = (lambda number=number: ds.update_metadata("Next", {"n": number}) for number in (3, 4))
    interleave(mocker, "_set", (2, second), (3, lambda: None), (3, third))
    ds.update_metadata("First", {"n": 2})
    assert [version.metadata["n"] for version in ds.metadata_history()] == [1, 2, 3, 4]
    assert (ds.info().metadata, ds.info().history_id) == ({"n": 4}, 4)


def test_metadata_and_its_number_are_of_one_version(lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    """Two requests read them, and another one may write in between: that is no version without a number."""
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    ds.repository.branch("main").upload(b"draft", "a.csv")
    download, others = lakefs_hl.ReadIOBase.download, [lambda: ds.update_metadata("Second", {"n": 2})]

    def spy(place: Any, path: Any, *given: Any, **options: Any) -> Any:
        if path == "_dataset.json" and others:
            others.pop()()
        return download(place, path, *given, **options)

    mocker.patch.object(lakefs_hl.ReadIOBase, "download", spy)
    info = ds.info()
    assert (others, info.metadata, info.history_id) == ([], {"n": 2}, 2)


def test_a_staged_update_that_fails_halfway_says_so(lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    ds.repository.branch("main").upload(b"draft", "a.csv")
    mocker.patch.object(DatasetMetadata, "_set", side_effect=exceptions.TransportException("no response"))
    with pytest.raises(exceptions.TransportException, match=r"version 2 .* is staged as .*00000002\.json") as caught:
        ds.update_metadata("Second", {"n": 2})
    assert caught.value.maybe_applied is True


def test_what_is_not_a_version_of_metadata_is_said(lake: lakefs_hl.Client) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({"n": 1})
    main = ds.repository.branch("main")
    main.upload(b"noise", "_dataset.history/readme.md")
    main.upload(b"noise", "_dataset.history/7.json")
    assert [version.history_id for version in ds.metadata_history()] == [1]
    main.upload(b"[]", "_dataset.history/00000001.json")
    with pytest.raises(exceptions.InvalidConfigError, match=r"00000001\.json is no version of metadata"):
        ds.metadata_history()


# -- credentials -------------------------------------------------------------------------------------------------------


def test_credentials_are_limited_to_the_repository(tmp_path: Path) -> None:
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        ds = lakefs_hl.dataset("example", client=client)
        with pytest.raises(exceptions.NotFoundException):
            ds.read_credentials()
        keys = lakefs_hl.admin(client).credentials
        assert keys.list().to_list() == []
        ds.mint({})
        made = [ds.read_credentials(), ds.write_credentials()]
        assert [(key.read_only, key.repositories) for key in made] == [(True, ("example",)), (False, ("example",))]
        assert re.fullmatch("dataset-example-read-[0-9a-f]{8}", str(made[0].name))
        assert {key.id for key in keys.list()} == {key.id for key in made}


def test_credentials_are_refused_where_nothing_limits_them(lake: lakefs_hl.Client) -> None:
    ds = lakefs_hl.dataset("example", client=lake)
    ds.mint({})
    with pytest.raises(exceptions.UnsupportedOperationException, match=r"Other credentials.* use presign\(path\)"):
        ds.read_credentials()
    with pytest.raises(exceptions.UnsupportedOperationException, match=r"use presign_upload\(path\)"):
        ds.write_credentials()
