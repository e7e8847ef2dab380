"""Objects: names of every sort on every route, listings, deletion, copies, metadata (B3.35–B3.48, B2.31, B9.91)."""

from __future__ import annotations

import io
import os
import random
import tracemalloc
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._files import saving
from lakefs_hl._files.bodies import Abandoned
from lakefs_hl.ops.stream import FIRST, SPAN
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport.blocking import Blocking
from tests.faces.conftest import Tap

PATHS = [
    "a b", "a+b", "a%b", "a%2Fb", "a%2fb", "a#b", "a?b", "a&b=c", "a:b", "a;b", "a@b", "~", "a\\b", "'", '"',
    "`", "a,b", "(a)[b]{c}", "<a>", "a|b", "$a", "*", "é", "e\u0301", "😀", "日本", "\u202eabc", "/a", "a//b",
    "a/", "./a", "a/./b", "../a", "a/..", ".", "..", "a\tb", "a\nb", "\x01", "\x7f", "a b ", " ", "x" * 1024,
    "é" * 512, "main~1", "a=", "null",
]  # fmt: skip


def paths(items: Iterator[Any]) -> list[str]:
    return [item.path for item in items]


def test_b3_35_any_name_comes_back_on_every_route(branch: lakefs_hl.Branch) -> None:
    for path in PATHS:
        info = branch.upload(path.encode(), path, metadata={"k": "v"})
        assert (info.path, branch.stat_object(path).path) == (path, path)
        assert branch.download(path) == path.encode()
        with branch.open(path, "rb") as file:
            assert file.read() == path.encode()
    assert paths(branch.list_objects(recursive=True)) == sorted(PATHS, key=str.encode)
    branch.commit_changes("all")
    dev = lakefs_hl.repository(branch.repository_id, client=branch._client).branch("dev").create(branch)
    dev.delete_objects(PATHS)
    assert list(dev.list_objects()) == []
    for path in PATHS:
        dev.copy_object(branch, path)
        assert dev.exists(path)
    assert paths(iter(dev.list_uncommitted())) == []  # the same bytes as before
    for path in PATHS:
        dev.set_object_metadata(path, {"n": "1"})
        dev.reset(path) if not path.endswith("/") else dev.delete_objects(path)
        dev.stat_object(path).delete() if dev.exists(path) else None
        assert not dev.exists(path)


def test_b3_35_composed_and_decomposed_are_two_names(branch: lakefs_hl.Branch) -> None:
    names = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    for name in names:
        branch.upload(name, name)
    assert paths(branch.list_objects()) == sorted(names, key=str.encode)


def test_b3_35_names_that_are_too_long_or_empty(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.ServerException):
        branch.upload(b"", "x" * 1025)
    for call in (lambda: branch.upload(b"", ""), lambda: branch.stat_object(""), lambda: branch.download("")):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(ValueError, match="the path of an object must not be empty"):
        branch.delete_objects(["a", ""])


def test_b3_36_expressions_of_references(branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    for number in range(3):
        branch.upload(f"{number}", "a")
        branch.commit_changes(f"{number}")
    branch.upload("staged", "a")
    tag = repository.tag("v1.0.0-rc.1").create("main")
    expected = {
        "main": b"staged", "main@": b"2", "main~1": b"1", "main~2": b"0", "main^1~1": b"0", "main^": b"1", tag.id: b"2",
        branch.head().id[:10]: b"2",
    }  # fmt: skip
    assert {name: repository.ref(name).download("a") for name in expected} == expected


def test_b3_37_b3_38_a_prefix_is_not_a_folder(branch: lakefs_hl.Branch) -> None:
    for path in ("a/b", "a/bc", "a/b/c", "foo/bar/x", "foo/bar__baz"):
        branch.upload(path, path)
    branch.delete_objects("a/b")
    assert paths(branch.list_objects(recursive=True)) == ["a/b/c", "a/bc", "foo/bar/x", "foo/bar__baz"]
    assert not branch.exists("a")
    assert not branch.exists("foo/bar")
    assert paths(branch.list_objects(prefix="foo/bar")) == ["foo/bar/", "foo/bar__baz"]
    assert paths(branch.list_objects(prefix="foo/bar/")) == ["foo/bar/x"]


def test_b3_39_an_object_and_a_prefix_of_one_name(branch: lakefs_hl.Branch) -> None:
    for path in ("a", "a/", "a/b"):
        branch.upload(path, path)
    entries = list(branch.list_objects())
    assert [(item.path, type(item)) for item in entries] == [
        ("a", lakefs_hl.ObjectInfo), ("a/", lakefs_hl.CommonPrefix)
    ]  # fmt: skip
    assert paths(branch.list_objects(prefix="a/")) == ["a/", "a/b"]
    assert branch.download("a/") == b"a/"


@pytest.fixture
def many(lake_branch: lakefs_hl.Branch) -> lakefs_hl.Branch:
    """2,345 objects."""
    lake_branch.upload_many((f"{number:05}", b"") for number in range(2345))
    return lake_branch


def test_b3_41_amounts_are_honoured_exactly(many: lakefs_hl.Branch) -> None:
    for amount in (0, 1, 999, 1000, 1001, 2000, 2344, 2345, 2346, 9999, None):
        found = paths(many.list_objects(amount))
        assert found == [f"{number:05}" for number in range(min(2345, 9999 if amount is None else amount))]
    with pytest.raises(ValueError, match="max_amount must be None or at least 0, not -1"):
        many.list_objects(-1)


def test_b3_41_deletion_goes_in_thousands(many: lakefs_hl.Branch) -> None:
    tap = Tap(many._client._transport)
    many._client._driver._transport = tap
    report = many.delete_objects(item.path for item in many.list_objects(2222))
    assert (report.requested, report.failed) == (2222, ())
    assert tap.operations().count("deleteObjects") == 3
    assert len(list(many.list_objects())) == 123


def test_b3_42_refusals_inside_a_200_are_raised_or_returned(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    for path in ("a", "b"):
        tapped.upload(b"", path)

    def refuse(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "deleteObjects":
            refused = models.ObjectErrors([models.ObjectError(403, "held", "b")])
            response.body = models.encode(refused)
        return response

    tap.change = refuse
    with pytest.raises(exceptions.PartialFailureError, match=r"1 of 2 objects of .* the first is 'b': held \(403\)"):
        tapped.delete_objects(["a", "b"])
    report = tapped.delete_objects(["a", "b"], on_error="return")
    assert (report.requested, [error.path for error in report.failed]) == (2, ["b"])


def test_b3_43_deleting_what_is_being_listed_skips_nothing(many: lakefs_hl.Branch) -> None:
    for item in many.list_objects():
        assert isinstance(item, lakefs_hl.ObjectInfo)
        item.delete()
    assert list(many.list_objects()) == []


def test_b3_44_listings_are_lazy(many: lakefs_hl.Branch) -> None:
    tap = Tap(many._client._transport)
    many._client._driver._transport = tap
    listing = many.list_objects()
    assert tap.requests == []
    next(listing)
    assert len(tap.requests) <= 2  # a page, and perhaps the next one under way


class Endless:
    """A lake of very many objects, page by page; it deletes whatever it is asked to."""

    fan_out = 1

    def __init__(self, total: int) -> None:
        self.total = total
        self.deleted = 0

    def send(self, request: Request, scope: Any = None, within: float | None = None) -> Response:
        operation = request.endpoint.operation
        if operation == "getBranch":
            return Response(200, {}, models.encode(models.Ref("main", "c" * 64)))
        if operation == "deleteObjects":
            self.deleted += request.body.count(b'"o') if isinstance(request.body, bytes) else 0
            return Response(200, {}, models.encode(models.ObjectErrors([])))
        start = int(str(request.query.get("after", "o-00000001"))[1:]) + 1
        end = min(self.total, start + int(str(request.query["amount"])))
        results = [
            models.ObjectStats(f"o{n:08}", "object", "s3://x", "0" * 32, 7, size_bytes=1) for n in range(start, end)
        ]
        pagination = models.Pagination(end < self.total, results[-1].path, len(results), 1000)
        return Response(200, {}, models.encode(models.ObjectPage(pagination, results)))

    def close(self) -> None:
        return


def test_b3_44_very_many_need_little_memory(lake: lakefs_hl.Client) -> None:
    lakes = Endless(100_000)
    lake._driver = lake._blocking = Blocking(lakes)
    branch = lakefs_hl.repository("example", client=lake).branch("main")
    next(branch.list_objects(delimiter=""))
    tracemalloc.start()
    try:
        assert sum(1 for _ in branch.list_objects(delimiter="")) == 100_000
        report = branch.delete_objects(item.path for item in branch.list_objects(delimiter=""))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (report.requested, lakes.deleted) == (100_000, 100_000)
    assert peak < 8_000_000  # a page is about 1 MB; all of them would be 80


def test_b3_45_every_listing_knows_prefix_and_after(branch: lakefs_hl.Branch) -> None:
    for path in ("a/1", "a/2", "a/3", "b/1"):
        branch.upload(b"", path)
    assert paths(branch.list_objects(after="a/1", prefix="a/")) == ["a/2", "a/3"]
    assert paths(iter(branch.list_uncommitted(after="a/1", prefix="a/"))) == ["a/2", "a/3"]
    branch.commit_changes("m")
    parent = lakefs_hl.Reference(branch.repository_id, "main~1", branch._client)
    assert paths(iter(parent.diff(branch, after="a/1", prefix="a/"))) == ["a/2", "a/3"]
    assert paths(iter(parent.diff(branch, 1, "a/1", "a/"))) == ["a/2"]


def test_b3_48_order_is_that_of_bytes(branch: lakefs_hl.Branch, rng: random.Random) -> None:
    names = ["\uffff", "\U00010000", "z", "Z", "é", "a/b", "a-b", "a0b", "\U0001f600"]
    for name in rng.sample(names, len(names)):
        branch.upload(b"", name)
    assert paths(branch.list_objects(recursive=True)) == sorted(names, key=str.encode)
    assert paths(branch.list_objects(recursive=True)) != sorted(names, key=lambda name: name.encode("utf-16-be"))


def test_b3_42_a_missing_branch_is_not_a_good_deletion(branch: lakefs_hl.Branch) -> None:
    nowhere = lakefs_hl.Branch(branch.repository_id, "nowhere", branch._client)
    with pytest.raises(exceptions.NotFoundException, match="nowhere"):
        nowhere.delete_objects(["a"])


def test_b9_91_exists_is_no_only_for_a_missing_object(branch: lakefs_hl.Branch) -> None:
    assert branch.exists("a") is False
    assert lakefs_hl.Reference(branch.repository_id, "main~0", branch._client).exists("a") is False
    for missing in (
        lakefs_hl.Branch(branch.repository_id, "nowhere", branch._client),
        lakefs_hl.Reference(branch.repository_id, "main~7", branch._client),
        lakefs_hl.Branch("no-such-repository", "main", branch._client),
    ):
        with pytest.raises(exceptions.NotFoundException, match=r"nowhere|main~7|no-such-repository"):
            missing.exists("a")


# -------------------------------------------------------------------------------------------------------------- uploads


METADATA = [
    {},
    {"k": ""},
    {"k": "a b", "with-dash": "x", "with_underscore": "y", "dot.ted": "z"},
    {"ünï": "çödé", "日本": "😀"},
    {"a:b": "c:d", "space in key": "v"},
    {"k": " padded ", "tab": "a\tb", "line": "a\nb"},
    {"q": '"quoted", comma; semi=colon', "pct": "100%25"},
]


@pytest.mark.parametrize("metadata", METADATA, ids=range(len(METADATA)))
def test_b2_31_metadata_comes_back(branch: lakefs_hl.Branch, metadata: dict[str, str]) -> None:
    assert branch.upload(b"x", "a", metadata=metadata).metadata == metadata
    assert branch.stat_object("a").metadata == metadata
    (info,) = branch.list_objects()
    assert isinstance(info, lakefs_hl.ObjectInfo)
    assert info.metadata == metadata


def test_b2_31_keys_are_lower_case(branch: lakefs_hl.Branch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert branch.upload(b"", "a", metadata={"Team": "Blue"}).metadata == {"team": "Blue"}
        branch.set_object_metadata("a", {"TEAM": "Red"})
        assert branch.stat_object("a").metadata == {"team": "Red"}
        with pytest.raises(ValueError, match="two of these become equal"):
            branch.upload(b"", "a", metadata={"k": "1", "K": "2"})


def test_a_key_that_changes_warns(lake_branch: lakefs_hl.Branch) -> None:
    with pytest.warns(UserWarning, match="'Team'.*lower case"):
        lake_branch.upload(b"", "a", metadata={"Team": "Blue"})
    with pytest.warns(UserWarning, match="'Team'.*lower case"):
        lake_branch.set_object_metadata("a", {"Team": "Blue"})


@pytest.mark.parametrize("media", ["text/plain; charset=utf-8", "application/x-thing", "image/png"])
def test_content_types_come_back(branch: lakefs_hl.Branch, media: str) -> None:
    assert branch.upload(b"", "a", content_type=media).content_type == media
    assert branch.stat_object("a").content_type == media


def test_octets_by_default(branch: lakefs_hl.Branch) -> None:
    assert branch.upload(b"", "a").content_type == "application/octet-stream"


def test_b2_30_the_checksum_is_the_md5(branch: lakefs_hl.Branch) -> None:
    assert branch.upload(b"", "a").checksum == "d41d8cd98f00b204e9800998ecf8427e"


def test_content_that_is_not_what_was_stored_is_no_content(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    tapped.upload(b"right", "a")

    def spoil(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "getObject" and request.digest:
            response.md5 = "0" * 32
        return response

    tap.change = spoil
    with pytest.raises(exceptions.IntegrityError, match=r"main/a: the content has MD5 0+, the object has .* 3 times"):
        tapped.download("a")
    assert tapped.download("a", verify=False) == b"right"


def test_downloads_of_ranges_are_those_of_a_slice(branch: lakefs_hl.Branch, rng: random.Random) -> None:
    content = bytes(range(20))
    branch.upload(content, "a")
    places = [None, 0, 1, 19, 20, 21, -1, -19, -20, -21]
    for start, end in [(rng.choice(places), rng.choice(places)) for _ in range(30)]:
        assert branch.download("a", start=start, end=end) == content[start:end], (start, end)


def test_a_copy_shares_nothing_with_what_it_came_from(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"one", "a", metadata={"k": "v"}, content_type="x/y")
    copied = branch.copy_object("main", "a", "b")
    assert (copied.metadata, copied.content_type) == ({"k": "v"}, "x/y")
    branch.upload(b"two", "a")
    branch.delete_objects("a")
    assert branch.download("b") == b"one"


def test_a_move_needs_no_uri_and_no_other_reference(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"1", "a")
    assert branch.move_object(f"{branch.uri}a", f"{branch.uri}b").uri == f"{branch.uri}b"
    with pytest.raises(ValueError, match="to_path must not be empty"):
        branch.move_object("b", "")
    with pytest.raises(ValueError, match=r"from_path: .* is at reference 'dev'"):
        branch.move_object(f"lakefs://{branch.repository_id}/dev/b", "c")
    branch.commit_changes("base")
    with branch.transaction("moved") as tx:
        assert tx.move_object("b", "c").path == "c"
    assert [item.path for item in branch.list_objects()] == ["c"]


def test_a_move_keeps_a_source_that_was_written_meanwhile(
    tapped: lakefs_hl.Branch, lake_branch: lakefs_hl.Branch, tap: Tap
) -> None:
    tapped.upload(b"old", "a")

    def change(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "copyObject":
            lake_branch.upload(b"new", "a")
        return response

    tap.change = change
    with pytest.raises(exceptions.ObjectChangedError, match="it was not deleted, and both exist") as caught:
        tapped.move_object("a", "b")
    assert caught.value.maybe_applied is True
    assert (tapped.download("a"), tapped.download("b")) == (b"new", b"old")


def test_an_object_made_by_hand_is_looked_up_once(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    tapped.upload(b"abc", "a")
    tap.requests.clear()
    info = lakefs_hl.ObjectInfo(tapped.repository_id, "main", "a", tapped._client)
    assert (info.path, info.uri, tap.requests) == ("a", f"lakefs://{tapped.repository_id}/main/a", [])
    assert (info.size_bytes, info.checksum, info.content_type) == (3, "900150983cd24fb0d6963f7d28e17f72",
        "application/octet-stream")  # fmt: skip
    assert tap.operations() == ["statObject"]
    missing = lakefs_hl.ObjectInfo(tapped.repository_id, "main", "b", tapped._client)
    with pytest.raises(exceptions.ObjectNotFoundException, match="main/b"):
        _ = missing.size_bytes


def test_b4_54_an_upload_shows_what_is_stored_now(branch: lakefs_hl.Branch) -> None:
    assert branch.upload(b"1", "a").size_bytes == 1
    assert branch.upload(b"22", "a").size_bytes == 2
    assert branch.stat_object("a").size_bytes == 2


def test_deleting_at_a_commit_is_refused(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"", "a")
    commit = branch.commit_changes("m")
    with pytest.raises(exceptions.ServerException):
        commit.stat_object("a").delete()
    assert commit.exists("a")


def test_a_download_to_a_file_is_of_one_version(tapped: lakefs_hl.Branch, tap: Tap, tmp_path: Path) -> None:
    tapped.upload(bytes(2 * SPAN), "a")
    (tmp_path / "a").write_bytes(b"before")

    def replace(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "getObject" and tap.reads() == 1:
            tapped.upload(b"other" * SPAN, "a")
        return response

    tap.change = replace
    with pytest.raises(exceptions.ObjectChangedError, match="main/a: the object has changed"):
        tapped.download("a", tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"before"}


def test_a_download_to_a_file_fetches_ranges(tapped: lakefs_hl.Branch, tap: Tap, tmp_path: Path) -> None:
    tapped.upload(bytes(2 * SPAN), "a")
    tap.requests.clear()
    tapped.download("a", tmp_path / "a")
    ranges = [request.headers["range"] for request in tap.requests]
    assert ranges == [
        f"bytes=0-{FIRST - 1}",
        f"bytes={FIRST}-{2 * SPAN - 1}",
    ]
    tapped.upload(b"small", "b")
    tap.requests.clear()
    tapped.download("b", tmp_path / "b")
    assert tap.operations() == ["getObject"]


def test_a_file_with_the_wrong_checksum_is_fetched_three_times(
    tapped: lakefs_hl.Branch, tap: Tap, tmp_path: Path
) -> None:
    tapped.upload(b"right", "a")
    spoiled = [1, 2]

    def spoil(request: Request, response: Response) -> Response:
        if tap.reads() in spoiled:
            if isinstance(request.sink, FileSlice):
                os.pwrite(request.sink.fd, b"wrong", request.sink.offset)
            elif request.sink is not None:
                request.sink[:5] = b"wrong"
        return response

    tap.change = spoil
    tap.requests.clear()
    assert tapped.download("a", tmp_path / "a") == 5
    assert ((tmp_path / "a").read_bytes(), tap.reads()) == (b"right", 3)
    spoiled.append(3)
    tap.requests.clear()
    with pytest.raises(exceptions.IntegrityError, match=r"main/a: the content has MD5 .*, the object has"):
        tapped.download("a", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    tap.requests.clear()
    with pytest.raises(exceptions.IntegrityError):  # what a file object was given cannot be taken back
        tapped.download("a", io.BytesIO())
    assert tap.reads() == 1
    tap.requests.clear()
    assert tapped.download("a", tmp_path / "other", verify=False) == 5


def test_a_large_download_to_a_file_needs_little_memory(tapped: lakefs_hl.Branch, tmp_path: Path) -> None:
    with tapped.open("a", "wb") as file:
        for _ in range(6):
            file.write(bytes(SPAN))
    tracemalloc.start()
    try:
        tapped.download("a", tmp_path / "a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * SPAN  # in process the lake's own answer counts, too


def test_an_abandoned_download_leaves_nothing(lake_branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    lake_branch.upload(b"abc", "a")
    for stops_after in (0, 1):
        asked: list[int] = []

        def stopped(limit: int = stops_after, asked: list[int] = asked) -> bool:
            asked.append(1)
            return len(asked) > limit

        with pytest.raises(Abandoned):
            saving.save(saving.plan(lake_branch, "a", tmp_path / "a", None, None, True, None), stopped)
        assert list(tmp_path.iterdir()) == []
