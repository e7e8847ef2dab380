"""Links on every kind of lake, used by a stranger: the standard library's HTTP, without credentials and without us."""

from __future__ import annotations

import copy
import json
import pickle
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests import serving
from tests.worlds import REAL, World, bare, kinds, storage_hosts

LINKS = "served with links"
NAMES = [
    "a.txt",
    "dir/ä b+c&d=e%2F#?;:@~'\"*().csv",
    "名前/x y",
    "a//b",
    "/lead",
    "trail/",
    "x|y\\z",
    "e\u0301 \U0001f600",
]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def stranger(method: str, url: str, body: bytes | None = None, **fields: str) -> Answer:
    """One exchange of somebody who has nothing but the URL."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    try:
        with urlopen(Request(url, body, headers, method=method), timeout=30) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except HTTPError as exc:
        return Answer(exc.code, {k.lower(): v for k, v in exc.headers.items()}, exc.read())


@pytest.fixture(scope="session")
def lake_with_links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.running(
        tmp_path_factory.mktemp("links") / "lake", arguments=["--presign", "--allow-origin", "https://app.example"]
    ) as served:
        yield served


@pytest.fixture(params=[LINKS, *(kind for kind in kinds() if kind not in ("in process", "served"))])
def kind(request: pytest.FixtureRequest) -> str:
    """Lakes whose links a stranger can use. Those in process and without --presign have tests of their own below."""
    return str(request.param)


@pytest.fixture
def client(kind: str, clients: dict[str, lakefs_hl.Client], request: pytest.FixtureRequest) -> lakefs_hl.Client:
    if kind == LINKS and kind not in clients:
        served: serving.Served = request.getfixturevalue("lake_with_links")
        clients[kind] = lakefs_hl.Client(served.url, served.key, served.secret, pickle_secrets=True)
    elif kind == REAL and kind not in clients:
        clients[kind] = lakefs_hl.Client(
            *request.getfixturevalue("real_lakefs"), pickle_secrets=True, allowed_storage_hosts=storage_hosts()
        )
    return clients[kind]


@pytest.fixture
def branch(world: World) -> Any:
    """`main` of a new repository."""
    return world.fresh().branch("main")


def is_signing(world: World) -> bool:
    """Whether the lake's store signs URLs: a served lake does, and lakeFS on an object store."""
    return (
        bool(world.client.storage_config.pre_sign_support)
        if not world.awaitable
        else bool(world.settle(world.client.storage_config).pre_sign_support)
    )


@pytest.mark.parametrize("path", NAMES)
def test_a_stranger_reads_and_writes(branch: Any, path: str) -> None:
    branch.upload(b"content", path, content_type="text/x-first")
    link = branch.presign(path)
    got = stranger("GET", link.url)
    assert (got.status, got.body) == (200, b"content")
    assert got.headers["content-type"] == "text/x-first"
    put = branch.presign(path, 600, method="PUT")
    body = random.Random(path).randbytes(300_000)
    written = stranger("PUT", put.url, body, content_type="text/x-second")
    assert written.status == 200, written
    assert branch.download(path) == body
    found = branch.stat_object(path)
    assert (found.content_type, f'"{found.checksum}"') == ("text/x-second", written.headers["etag"])
    changes = [(change.type, change.path) for change in branch.list_uncommitted()]
    assert ("added", path) in changes, "it is staged on the branch"
    part = stranger("GET", branch.presign(path).url, range="bytes=10-19")
    assert (part.status, part.body) == (206, body[10:20])
    assert stranger("GET", put.url).status == 403
    assert stranger("PUT", link.url, b"evil").status == 403
    assert branch.download(path) == body


def test_a_link_says_what_it_is(branch: Any) -> None:
    branch.upload(b"content", "a")
    before = datetime.now(UTC)
    for method in ("GET", "PUT"):
        link = branch.presign("a", 7 * 24 * 3600, method=method)
        assert isinstance(link, lakefs_hl.SignedURL)
        assert (link.method, link.expires_at.tzinfo) == (method, UTC)
        assert abs(link.expires_at - before - timedelta(days=7)) < timedelta(seconds=30)
        assert stranger(method, link.url, b"content" if method == "PUT" else None).status == 200
        secret = urlsplit(link.url).query
        assert len(secret) > 40
        shown = [repr(link), str(link), f"{link}", f"{link!r}", repr({"a": [link]})]
        assert all(secret not in each and "…" in each for each in shown)
        assert copy.copy(link) == link == copy.deepcopy(link)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="pickle its url"):
                pickle.dumps(link, protocol)
        url, expires_at, named = link
        assert {"url": url, "expires_at": expires_at, "method": named} == link.to_dict()
        assert json.dumps(url)


def test_nothing_after_its_end(branch: Any) -> None:
    branch.upload(b"content", "a")
    get, put = branch.presign("a", 1, via="auto"), branch.presign("a", 1, method="PUT")
    deadline = time.monotonic() + 30
    while stranger("GET", get.url).status == 200 and time.monotonic() < deadline:
        pass
    assert datetime.now(UTC) >= get.expires_at - timedelta(seconds=2)
    while stranger("PUT", put.url, b"late").status == 200 and time.monotonic() < deadline:
        branch.upload(b"content", "a")
    assert (stranger("GET", get.url).status, stranger("PUT", put.url, b"late").status) == (403, 403)
    assert branch.download("a") == b"content"


def test_an_altered_link_is_refused(branch: Any, world: World) -> None:
    other = world.fresh()
    for where in (branch, other.branch("main")):
        where.upload(b"content", "abcd")
        where.upload(b"content", "abce")
    get = branch.presign("abcd", via="auto" if world.kind == LINKS else "gateway")
    put = branch.presign("abcd", method="PUT")
    for method, link, body in (("GET", get, None), ("PUT", put, b"evil")):
        url = link.url
        for bad in (
            url.replace("abcd", "abce"),
            url.replace(branch.repository_id, other.id),
            url.replace("main", "mai~"),
            url[:-1] + ("a" if url[-1] != "a" else "b"),
            url.replace("xpires=", "xpires=9"),
        ):
            assert bad != url
            found = stranger(method, bad, body)
            assert found.status in (400, 403), (bad, found)
            assert b"content" not in found.body
    assert branch.download("abce") == branch.download("abcd") == b"content"
    assert other.branch("main").download("abcd") == b"content"


def test_references_of_each_kind(branch: Any, world: World) -> None:
    branch.upload(b"one", "a")
    first = branch.commit_changes("first")
    repository = world.repository(branch.repository_id)
    tag = repository.tag("v1").create("main")
    branch.upload(b"two", "a")
    for ref, wanted in ((branch, b"two"), (first, b"one"), (tag, b"one"), (repository.ref("main~0"), b"one")):
        assert stranger("GET", ref.presign("a").url).body == wanted
    for ref in (first, tag, repository.ref("main")):
        with pytest.raises(exceptions.UnsupportedOperationException, match=r"is read-only: .*branch\('main'\)"):
            ref.presign("a", method="PUT")
    with pytest.raises(exceptions.BadRequestException, match="commits are immutable"):
        repository.branch("v1").presign("a", method="PUT")
    branch.commit_changes("second")
    with branch.transaction("by a stranger") as tx:
        assert stranger("PUT", tx.presign("in-tx", method="PUT").url, b"x").status == 200
        assert not branch.exists("in-tx")
    assert branch.download("in-tx") == b"x"


def test_what_is_missing_is_an_error_at_once(branch: Any, world: World) -> None:
    with pytest.raises(exceptions.ObjectNotFoundException, match="nothing"):
        branch.presign("nothing")
    repository = world.repository(branch.repository_id)
    for method in ("GET", "PUT"):
        with pytest.raises(exceptions.NotFoundException, match="none"):
            repository.branch("none").presign("a", method=method)
        with pytest.raises(exceptions.NotFoundException):
            world.repository(world.name()).branch("main").presign("a", method=method)
    for seconds in (0, -5, 7 * 24 * 3600 + 1):
        with pytest.raises(ValueError, match="which is a week"):
            branch.presign("a", seconds)
        with pytest.raises(ValueError, match="which is a week"):
            branch.presign_upload("a", seconds)
    with pytest.raises(ValueError, match="must not be empty"):
        branch.presign("")
    with pytest.raises(ValueError, match="max_bytes is for links to write"):
        branch.presign("a", max_bytes=5)


def test_the_size_of_an_upload_is_limited_where_that_can_be(branch: Any, world: World) -> None:
    if world.kind != LINKS:
        with pytest.raises(exceptions.UnsupportedOperationException, match="leave out max_bytes"):
            branch.presign("a", method="PUT", max_bytes=10)
        return
    link = branch.presign("a", method="PUT", max_bytes=10)
    assert stranger("PUT", link.url, b"x" * 11).status == 413
    assert not branch.exists("a")
    assert stranger("PUT", link.url, b"x" * 10).status == 200
    assert branch.download("a") == b"x" * 10


def test_ways_that_there_are_not(branch: Any, world: World) -> None:
    branch.upload(b"content", "a")
    if world.kind == LINKS:
        for method in ("GET", "PUT"):
            with pytest.raises(exceptions.UnsupportedOperationException, match="has no S3 gateway"):
                branch.presign("a", method=method, via="gateway")
            assert "/_object?" in branch.presign("a", method=method, via="server").url
        return
    assert "X-Amz-Signature" in branch.presign("a", via="gateway").url
    with pytest.raises(exceptions.UnsupportedOperationException, match="presign_upload"):
        branch.presign("a", method="PUT", via="server")
    with pytest.raises(exceptions.UnsupportedOperationException, match="segment"):
        branch.presign("a/../b", method="PUT", via="gateway")


def test_the_server_of_a_store_says_how_long(branch: Any, world: World) -> None:
    branch.upload(b"content", "a")
    if not is_signing(world):
        with pytest.raises(exceptions.UnsupportedOperationException, match='via="gateway"'):
            branch.presign("a", via="server")
        return
    link = branch.presign("a", 7200, via="server")
    assert stranger("GET", link.url).body == b"content"
    life = (link.expires_at - datetime.now(UTC)).total_seconds()
    assert (7100 < life < 7300) is (world.kind == LINKS), "a store has a life of its own"


# -- uploads by others -------------------------------------------------------------------------------------------------


def test_a_stranger_uploads_to_the_store(branch: Any, world: World, rng: random.Random) -> None:
    if not is_signing(world):
        with pytest.raises(exceptions.UnsupportedOperationException, match='via="gateway"'):
            branch.presign_upload("a")
        return
    body = rng.randbytes(200_000)
    upload = branch.presign_upload("dir/ü.csv", metadata={"k": "v"})
    assert urlsplit(upload.url).query not in repr(upload)
    put = stranger("PUT", upload.url, body, content_type="application/octet-stream", **upload.headers)
    assert put.status == 200, put
    assert not branch.exists("dir/ü.csv"), "it is no object yet"
    with pytest.raises(ValueError, match="etag without size_bytes"):
        upload.finish(put.headers["etag"])
    for _ in range(2):
        made = upload.finish(put.headers["etag"], len(body))
        assert (made.path, made.size_bytes, made.metadata) == ("dir/ü.csv", len(body), {"k": "v"})
    found = branch.stat_object("dir/ü.csv")
    assert (found.content_type, found.metadata) == ("text/csv", {"k": "v"})
    assert branch.download("dir/ü.csv", pre_signed=False) == body


def test_another_process_finishes(branch: Any, world: World) -> None:
    if not is_signing(world):
        pytest.skip("the lake's store signs no URLs")
    upload = branch.presign_upload("a", if_none_match=True)
    pickled = pickle.dumps(bare(upload))
    assert urlsplit(upload.url).query.encode() not in pickled
    put = stranger("PUT", upload.url, b"12345", content_type="application/octet-stream", **upload.headers)
    there = world.settle(pickle.loads(pickled))
    assert there == upload
    with pytest.raises(ValueError, match="leave the URL out"):
        _ = there.url
    assert there.finish(put.headers["etag"], 5).size_bytes == 5
    late = branch.presign_upload("a", if_none_match=True)
    put = stranger("PUT", late.url, b"other", content_type="application/octet-stream", **late.headers)
    with pytest.raises(exceptions.ObjectExistsException):
        late.finish(put.headers["etag"], 5)
    assert branch.download("a", pre_signed=False) == b"12345"


def test_a_lake_knows_what_was_uploaded_and_a_store_does_not(branch: Any, world: World) -> None:
    if not is_signing(world):
        pytest.skip("the lake's store signs no URLs")
    upload = branch.presign_upload("a", 86_400)
    if world.kind != LINKS:
        with pytest.raises(ValueError, match=r"finish\(etag=…, size_bytes=…\)"):
            upload.finish()
        return
    assert upload.expires_at - datetime.now(UTC) > timedelta(hours=23)
    with pytest.raises(exceptions.NotFoundException, match="nothing was uploaded"):
        upload.finish()
    assert not branch.exists("a")
    assert stranger("PUT", upload.url, b"12345").status == 200
    with pytest.raises(exceptions.BadRequestException, match="5 bytes were put there"):
        upload.finish("e" * 32, 6)
    assert upload.finish().size_bytes == 5
    assert branch.download("a") == b"12345"
    assert upload.finish() == branch.stat_object("a")


# -- lakes without links -----------------------------------------------------------------------------------------------


@pytest.fixture
def lonely() -> Iterator[Any]:
    with lakefs_hl.Client("mem://") as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        branch.upload(b"content", "a")
        yield branch


def test_in_process_an_error_names_the_command(lonely: Any) -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match="`lakefs-hl serve --presign DIRECTORY`"):
        lonely.presign_upload("a")
    for method in ("GET", "PUT"):
        for via in ("auto", "server", "gateway"):
            with pytest.raises(exceptions.UnsupportedOperationException, match="`lakefs-hl serve --presign DIRECTORY`"):
                lonely.presign("a", method=method, via=via)


def test_a_server_without_the_option_is_told_to_be_started_with_it(served_lake: serving.Served) -> None:
    with lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret) as client:
        name = f"t-{random.SystemRandom().getrandbits(64):x}"
        branch = lakefs_hl.repository(name, client=client).create().branch("main")
        branch.upload(b"content", "a")
        for call in (
            lambda: branch.presign("a"),
            lambda: branch.presign("a", method="PUT"),
            lambda: branch.presign_upload("a"),
        ):
            with pytest.raises(exceptions.UnsupportedOperationException, match="start it with --presign"):
                call()


def test_a_token_makes_links_of_a_lake(lake_with_links: serving.Served, tmp_path: Path) -> None:
    served = lake_with_links
    login = Request(
        f"{served.url}/api/v1/auth/login",
        json.dumps({"access_key_id": served.key, "secret_access_key": served.secret}).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(login, timeout=30) as response:
        token = json.loads(response.read())["token"]
    with lakefs_hl.Client(served.url, access_token=token) as client:
        name = f"t-{random.SystemRandom().getrandbits(64):x}"
        branch = lakefs_hl.repository(name, client=client).create().branch("main")
        assert stranger("PUT", branch.presign("a", method="PUT").url, b"content").status == 200
        assert stranger("GET", branch.presign("a").url).body == b"content"


def test_the_command_allows_an_origin(lake_with_links: serving.Served) -> None:
    with lakefs_hl.Client(lake_with_links.url, lake_with_links.key, lake_with_links.secret) as client:
        name = f"t-{random.SystemRandom().getrandbits(64):x}"
        branch = lakefs_hl.repository(name, client=client).create().branch("main")
        url = branch.presign("a", method="PUT").url
        written = stranger("PUT", url, b"content", origin="https://app.example")
        assert (written.status, written.headers["access-control-allow-origin"]) == (200, "https://app.example")
        assert "access-control-allow-origin" not in stranger("PUT", url, b"x", origin="https://evil.example").headers
    api = f"{lake_with_links.url}/api/v1/config"
    refused = stranger("GET", api, origin="https://app.example")
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (403, False)
