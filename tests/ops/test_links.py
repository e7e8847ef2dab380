"""Links: which way is taken, what is asked first, and what is said where there is none."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from lakefs_hl import exceptions
from lakefs_hl.ops import links as ops
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import links, models
from lakefs_hl.spec.secret import KeyPair, Secret, reveal
from lakefs_hl.spec.sigv4 import Gateway
from lakefs_hl.spec.wire import Response
from tests.ops.script import NOW, Play, Step, lost, no, ok, session, step

SECRET = "s3cr3t-key"
GATEWAY = Gateway("http://lake:8000", KeyPair("AKEY", Secret(SECRET)), "")
TOKEN = Gateway("http://lake:8000", None, "this client has a token; give Client(host, username, password)")
SIGNED = "https://store/a?X-Amz-Signature=s3cr3t"
DATE = {"date": formatdate(NOW + 1000, usegmt=True)}  # the server's clock is ahead
STATS = {
    "path": "a",
    "path_type": "object",
    "physical_address": "s3://b/a",
    "checksum": "e",
    "mtime": 1,
    "size_bytes": 1,
}


def made(gateway: Gateway = GATEWAY) -> Session:
    found = session()
    found.gateway = gateway
    return found


def wish(
    method: Any = "GET", via: Any = "auto", *, seconds: int = 3600, path: str = "a", most: int | None = None
) -> ops.Wish:
    return ops.Wish("r", "b", path, method, seconds, via, most, NOW)


def storage(*, able: bool, **headers: str) -> Step:
    return step("getStorageConfig", answer=ok(models.StorageConfig("s3", pre_sign_support=able), 200, 0.0, **headers))


def stat(*, url: str = "", expiry: int | None = None, path: str = "a") -> Step:
    record = {**STATS, "path": path}
    query = {"path": path}
    if url:
        record |= {"physical_address": url, "physical_address_expiry": expiry}
        query["presign"] = "true"
    return step("statObject", "r", "b", query=query, answer=ok(record, 200, 0.0, **DATE))


def branch() -> Step:
    return step("getBranch", "r", "b", answer=ok(models.Ref("b", "c"), 200, 0.0, **DATE))


# -- the gateway -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "look"), [("GET", stat), ("PUT", branch)])
def test_the_gateway_is_signed_for_by_the_clock_of_the_server(method: str, look: Any) -> None:
    found = Play(storage(able=False), look()).run(ops.presign_object(made(), wish(method)))
    assert isinstance(found.url, Secret)
    parts = urlsplit(reveal(found.url))
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "lake:8000", "/r/b/a")
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["X-Amz-Date"] == ["20231114T223000Z"], "not this machine's"
    assert found.expires == NOW + 1000 + 3600
    assert SECRET not in reveal(found.url) + repr(found)


def test_a_link_has_the_name_that_the_repository_has_on_the_server() -> None:
    scoped = made()
    scoped.scope = "alice-"
    look = stat()._replace(params=("alice-r", "b"))
    found = Play(storage(able=False), look).run(ops.presign_object(scoped, wish()))
    assert urlsplit(reveal(found.url)).path == "/alice-r/b/a"


def test_without_a_date_it_is_the_clock_of_this_machine() -> None:
    look = step("statObject", "r", "b", answer=ok(STATS))
    found = Play(storage(able=False), look).run(ops.presign_object(made(), wish()))
    assert found.expires == NOW + 3600


def test_a_missing_object_or_branch_is_an_error_before_anything_is_signed() -> None:
    missing = step("statObject", "r", "b", answer=no(404, "not found"))
    there = step("getCommit", "r", "b", answer=no(403, "insufficient permissions"))
    play = Play(storage(able=False), missing, there)
    play.fails(ops.presign_object(made(), wish()), exceptions.ObjectNotFoundException, "r/b/a")
    missing = step("getBranch", "r", "b", answer=no(404, "branch not found"))
    play = Play(storage(able=False), missing, step("getCommit", "r", "b", answer=no(404, "not found")))
    play.fails(ops.presign_object(made(), wish("PUT")), exceptions.NotFoundException, "branch")


def test_credentials_that_may_not_look_a_branch_up_can_write_by_a_link_all_the_same() -> None:
    refused = step("getBranch", "r", "b", answer=no(403, "insufficient permissions"))
    assert Play(storage(able=False), refused).run(ops.presign_object(made(), wish("PUT"))).expires == NOW + 3600
    refused = step("statObject", "r", "b", answer=no(403, "insufficient permissions"))
    play = Play(storage(able=False), refused)
    play.fails(ops.presign_object(made(), wish()), exceptions.ForbiddenException)


@pytest.mark.parametrize("path", [".", "..", "a/..", "../a", "a/./b", "./a"])
def test_a_path_that_clients_would_change_is_refused(path: str) -> None:
    play = Play(storage(able=True))
    play.fails(
        ops.presign_object(made(), wish(via="gateway", path=path)),
        exceptions.UnsupportedOperationException,
        "removed by browsers",
    )


@pytest.mark.parametrize("path", ["...", "a.b", "a/...", ".a", "a..", "a/.b/c", "..a/b"])
def test_other_dots_are_signed(path: str) -> None:
    found = Play(storage(able=False), stat(path=path)).run(ops.presign_object(made(), wish(path=path)))
    assert urlsplit(reveal(found.url)).path == f"/r/b/{path}"


def test_without_a_key_pair_the_error_says_what_is_needed() -> None:
    about = "making a link to {} lakefs://r/b/a: "
    play = Play(storage(able=False))
    error = play.fails(ops.presign_object(made(TOKEN), wish()), exceptions.UnsupportedOperationException)
    assert str(error).startswith(
        about.format("read") + "the server's object store signs no URLs, and this client has a"
    )
    play = Play(storage(able=True))
    error = play.fails(ops.presign_object(made(TOKEN), wish("PUT")), exceptions.UnsupportedOperationException)
    assert str(error).startswith(about.format("write") + "this client has a token; give Client(host")
    assert "presign_upload()" in str(error)


# -- the server --------------------------------------------------------------------------------------------------------


def expiring(seconds: int) -> Step:
    return stat(url=SIGNED, expiry=int(NOW + 1000) + seconds)


@pytest.mark.parametrize("life", [895, 900, 905])
def test_the_url_of_a_store_is_taken_if_its_life_is_what_was_asked_for(life: int) -> None:
    found = Play(storage(able=True), expiring(life)).run(ops.presign_object(made(), wish(seconds=900)))
    assert (reveal(found.url), found.expires) == (SIGNED, NOW + 1000 + life)


@pytest.mark.parametrize("seconds", [60, 3600])
def test_another_life_is_one_of_the_gateway(seconds: int) -> None:
    found = Play(storage(able=True), expiring(900)).run(ops.presign_object(made(), wish(seconds=seconds)))
    assert urlsplit(reveal(found.url)).netloc == "lake:8000"
    assert found.expires == NOW + 1000 + seconds


@pytest.mark.parametrize(
    ("gateway", "via", "path"), [(TOKEN, "auto", "a"), (GATEWAY, "server", "a"), (GATEWAY, "auto", "a/../b")]
)
def test_where_there_is_no_gateway_the_life_is_told(gateway: Gateway, via: str, path: str) -> None:
    look = stat(url=SIGNED, expiry=int(NOW + 1000) + 900, path=path)
    found = Play(storage(able=True), look).run(ops.presign_object(made(gateway), wish(via=via, path=path)))
    assert (reveal(found.url), found.expires) == (SIGNED, NOW + 1000 + 900)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("X-Amz-Date=20231114T221320Z&X-Amz-Expires=60&X-Amz-Signature=s", NOW + 60),
        ("X-Goog-Date=20231114T221320Z&X-Goog-Expires=60&X-Goog-Signature=s", NOW + 60),
        ("se=2023-11-14T22%3A13%3A20Z&sig=s", NOW),
    ],
)
def test_a_server_that_does_not_say_when_a_url_ends(query: str, wanted: float) -> None:
    look = stat(url=f"https://store/a?{query}")
    found = Play(storage(able=True), look).run(ops.presign_object(made(), wish(via="server")))
    assert found.expires == wanted


@pytest.mark.parametrize(
    "query",
    [
        "",
        "se=soon&",
        "X-Amz-Expires=60&",
        "X-Amz-Date=now&X-Amz-Expires=60&",
        "X-Amz-Date=20231114T221320Z&X-Amz-Expires=x&",
    ],
)
def test_a_url_that_does_not_say_it_either(query: str) -> None:
    play = Play(storage(able=True), stat(url=f"https://store/a?{query}sig=s3cr3t"))
    error = play.fails(ops.presign_object(made(), wish(via="server")), exceptions.ProtocolException, "how long")
    assert "s3cr3t" not in str(error)


def test_credentials_that_may_not_read_the_configuration() -> None:
    refused = step("getStorageConfig", answer=no(403, "insufficient permissions"))
    found = Play(refused, expiring(3600)).run(ops.presign_object(made(), wish()))
    assert reveal(found.url) == SIGNED
    unable = step("statObject", "r", "b", answer=no(400, "local adapter presigned URL: operation not supported"))
    found = Play(refused, unable, stat()).run(ops.presign_object(made(), wish()))
    assert urlsplit(reveal(found.url)).netloc == "lake:8000"
    play = Play(refused, unable)
    play.fails(ops.presign_object(made(TOKEN), wish()), exceptions.BadRequestException)


def test_a_store_that_signs_nothing_and_one_whose_urls_are_no_objects() -> None:
    play = Play(storage(able=False))
    play.fails(ops.presign_object(made(), wish(via="server")), exceptions.UnsupportedOperationException, "gateway")
    play = Play(storage(able=True))
    play.fails(
        ops.presign_object(made(), wish("PUT", "server")), exceptions.UnsupportedOperationException, "presign_upload"
    )
    play = Play(storage(able=True), stat(url="s3://b/a", expiry=1))
    play.fails(ops.presign_object(made(), wish(via="server")), exceptions.UnsupportedOperationException, "gateway")
    play = Play(storage(able=True))
    play.fails(ops.presign_object(made(), wish("PUT", most=1)), exceptions.UnsupportedOperationException, "max_bytes")


# -- a served lake -----------------------------------------------------------------------------------------------------


def lake(*, offered: bool = True) -> Step:
    return storage(able=offered, x_lakefs_hl="idempotency-key, links" if offered else "idempotency-key")


@pytest.mark.parametrize(("method", "look", "row"), [("GET", stat, "readLink"), ("PUT", branch, "writeLink")])
def test_a_lake_is_asked_for_a_link_of_its_own(method: str, look: Any, row: str) -> None:
    link = ok(models.Link("http://lake:8000/_object?signature=s3cr3t", 5))
    query = {"path": "a", links.EXPIRES_IN: "86400"}
    steps = (look(), step(row, "r", "b", query=query, answer=link))
    known = made(TOKEN)
    found = Play(lake(), *steps).run(ops.presign_object(known, wish(method, seconds=86_400)))
    assert (reveal(found.url), found.expires) == ("http://lake:8000/_object?signature=s3cr3t", 5)
    assert isinstance(found.url, Secret)
    copied = known.copy(known.policy)
    Play(*steps).run(ops.presign_object(copied, wish(method, "server", seconds=86_400)))


def test_the_size_of_a_write_is_asked_for() -> None:
    query = {"path": "a", links.EXPIRES_IN: "3600", links.MAX_BYTES: "10"}
    link = step("writeLink", "r", "b", query=query, answer=ok(models.Link("http://lake/_object?s=1", 5)))
    Play(lake(), branch(), link).run(ops.presign_object(made(), wish("PUT", most=10)))


def test_a_lake_without_links_and_one_without_a_gateway() -> None:
    for asked, look in ((wish(), stat), (wish("PUT"), branch), (wish(via="server"), stat)):
        Play(lake(offered=False), without_links(look())).fails(
            ops.presign_object(made(), asked), exceptions.UnsupportedOperationException, "start it with --presign"
        )
    for offered in (True, False):
        Play(lake(offered=offered)).fails(
            ops.presign_object(made(), wish(via="gateway")), exceptions.UnsupportedOperationException, "no S3 gateway"
        )


def without_links(one: Step) -> Step:
    """The same response from a served lake without links."""
    assert isinstance(one.answer, Response)
    headers = {**one.answer.headers, "x-lakefs-hl": "idempotency-key"}
    return one._replace(answer=msgspec.structs.replace(one.answer, headers=headers))


def test_a_server_that_was_started_again_is_believed() -> None:
    known = made()
    play = Play(lake(offered=False), without_links(stat()))
    play.fails(ops.presign_object(known, wish()), exceptions.UnsupportedOperationException)
    now = step("statObject", "r", "b", answer=ok(STATS, 200, 0.0, x_lakefs_hl="idempotency-key, links"))
    link = step("readLink", "r", "b", answer=ok(models.Link("http://lake/_object?s=1", 5)))
    Play(now, link).run(ops.presign_object(known, wish()))
    play = Play(without_links(stat()))
    play.fails(ops.presign_object(known, wish()), exceptions.UnsupportedOperationException, "--presign")


def test_in_process_the_command_is_named() -> None:
    here = made()
    here.remote = False
    for op in (ops.presign_object(here, wish()), ops.request_upload(here, "r", "b", "a", 60, NOW)):
        Play().fails(op, exceptions.UnsupportedOperationException, "lakefs-hl serve --presign")


def test_a_record_of_a_link_shows_no_signature() -> None:
    assert "s3cr3t" not in repr(models.Link("http://lake/_object?signature=s3cr3t", 5))


# -- uploads by others -------------------------------------------------------------------------------------------------


def backing(url: str = SIGNED, **query: str) -> Step:
    place = models.StagingLocation("s3://b/data/x,token", url, 77)
    asked = {"path": "a", "presign": "true", **query}
    return step("getPhysicalAddress", "r", "b", query=asked, answer=ok(place))


def linking(size: int = 5, checksum: str = "etag", headers: dict[str, str] | None = None) -> dict[str, Any]:
    body = {"checksum": checksum, "size_bytes": size, "staging": {"physical_address": "s3://b/data/x,token"}}
    return {"query": {"path": "a"}, "body": body, "headers": headers}


STAGED = models.StagingLink(models.StagingLocation("s3://b/data/x,token"), "etag", 5, {}, "text/csv")


def test_an_address_is_asked_for_and_later_linked() -> None:
    found = Play(storage(able=True), branch(), backing()).run(ops.request_upload(made(), "r", "b", "a", 60, NOW))
    assert (found.link.expires, found.physical_address, found.headers) == (77, "s3://b/data/x,token", {})
    assert isinstance(found.link.url, Secret)
    step_ = step("linkPhysicalAddress", "r", "b", answer=ok(STATS), **linking())
    assert Play(step_).run(ops.finish(made(), "r", "b", "a", STAGED, create_only=False)).checksum == "e"
    step_ = step("linkPhysicalAddress", "r", "b", answer=ok(STATS), **linking(headers={"if-none-match": "*"}))
    Play(step_).run(ops.finish(made(), "r", "b", "a", STAGED, create_only=True))


def test_azure_needs_a_header() -> None:
    url = "https://account.blob.core.windows.net/c/a?sig=s"
    found = Play(storage(able=True), branch(), backing(url)).run(ops.request_upload(made(), "r", "b", "a", 60, NOW))
    assert found.headers == {"x-ms-blob-type": "BlockBlob"}


def test_a_lake_gives_the_life_asked_for_and_says_what_was_uploaded() -> None:
    known = made()
    Play(lake(), branch(), backing(expires_in="60")).run(ops.request_upload(known, "r", "b", "a", 60, NOW))
    bare = models.StagingLink(models.StagingLocation("s3://b/data/x,token"), "", 0, {}, "text/csv")
    asked = {"path": "a", "physical_address": "s3://b/data/x,token"}
    received = step("received", "r", "b", query=asked, answer=ok(models.Received("abc", 9)))
    linked = step("linkPhysicalAddress", "r", "b", answer=ok(STATS), **linking(9, "abc"))
    Play(received, linked).run(ops.finish(known, "r", "b", "a", bare, create_only=False))
    nothing = step("received", "r", "b", answer=no(404, "nothing was uploaded to this address yet"))
    play = Play(nothing)
    play.fails(ops.finish(known, "r", "b", "a", bare, create_only=False), exceptions.NotFoundException, "nothing was")
    play = Play(storage(able=True))
    play.fails(ops.finish(made(), "r", "b", "a", bare, create_only=False), ValueError, "etag=…, size_bytes=…")


def test_stores_that_sign_nothing_have_no_addresses() -> None:
    play = Play(storage(able=False), branch())
    play.fails(ops.request_upload(made(), "r", "b", "a", 60, NOW), exceptions.UnsupportedOperationException, "gateway")
    play = Play(lake(offered=False), without_links(branch()))
    play.fails(
        ops.request_upload(made(), "r", "b", "a", 60, NOW), exceptions.UnsupportedOperationException, "--presign"
    )


def test_after_a_lost_response_the_object_is_looked_for() -> None:
    record = {**STATS, "physical_address": "s3://b/data/x"}
    steps = [step("linkPhysicalAddress", "r", "b", answer=lost(), **linking()) for _ in range(5)]
    found = step("statObject", "r", "b", answer=ok(record))
    made_ = Play(*steps, found).run(ops.finish(made(), "r", "b", "a", STAGED, create_only=False))
    assert made_.physical_address == "s3://b/data/x"


def test_a_content_type_is_that_of_the_suffix_unless_it_is_given() -> None:
    assert [ops.content_type("a.csv", given) for given in (None, "", "x/y")] == [
        "text/csv",
        "application/octet-stream",
        "x/y",
    ]
