"""Access keys, tokens and S3 credentials, in both colours: in a lake's directory, through its server, and elsewhere."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import pickle
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.aio.default import of
from tests import serving
from tests.s3_server import S3Server
from tests.worlds import Settler, World, bare, plainly


class Kept(NamedTuple):
    """The keys of one lake, and its server.

    Attributes:
        keys: The collection.
        served: The server.
        admin: A blocking client with the administrator's key.
        settle: Makes what is awaitable blocking.
        module: The colour.
        mine: A repository.
    """

    keys: Any
    served: serving.Served
    admin: lakefs_hl.Client
    settle: Any
    module: Any
    mine: str

    def use(self, made: Any) -> Any:
        """A client with a key, in the same colour."""
        return self.settle(self.module.Client(self.served.url, made.id, made.secret_access_key))


@pytest.fixture(scope="module")
def repository(served_lake: serving.Served) -> Iterator[tuple[lakefs_hl.Client, str]]:
    with lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret) as admin:
        for name in ("keys-mine", "keys-other"):
            lakefs_hl.repository(name, client=admin).create().branch("main").upload(b"content", "a")
        yield admin, "keys-mine"


@pytest.fixture(params=["in the directory", "through the server"])
def place(
    request: pytest.FixtureRequest, served_lake: serving.Served, repository: tuple[lakefs_hl.Client, str]
) -> Iterator[lakefs_hl.Client]:
    if request.param == "through the server":
        yield repository[0]
        return
    with lakefs_hl.Client(f"local:{served_lake.folder}") as client:
        yield client


@pytest.fixture(params=["blocking", "awaitable"])
def kept(
    request: pytest.FixtureRequest,
    place: lakefs_hl.Client,
    served_lake: serving.Served,
    repository: tuple[lakefs_hl.Client, str],
) -> Iterator[Kept]:
    admin, mine = repository
    if request.param == "blocking":
        yield Kept(lakefs_hl.admin(place).credentials, served_lake, admin, plainly, lakefs_hl, mine)
    else:
        with asyncio.Runner() as runner:
            settle = Settler(runner)
            keys = settle(lakefs_hl.aio.admin(of(place)).credentials)
            yield Kept(keys, served_lake, admin, settle, lakefs_hl.aio, mine)
    for key in lakefs_hl.admin(admin).credentials.list():
        if key.name != "admin":
            lakefs_hl.admin(admin).credentials.delete(key)


def test_create_list_get_delete(kept: Kept) -> None:
    before = int(time.time())
    made = kept.keys.create("loader", read_only=True, repositories=[kept.mine])
    assert (made.name, made.owner, made.read_only, made.repositories) == ("loader", "admin", True, (kept.mine,))
    assert made.created_at >= datetime.fromtimestamp(before, UTC)
    assert (len(made.id), len(made.secret_access_key)) == (20, 40)
    assert kept.keys.get("loader") == kept.keys.get(made.id) == kept.keys.get(made) == made
    assert kept.keys.get("loader").secret_access_key is None
    assert [key.name for key in kept.keys.list(prefix="lo")] == ["loader"]
    assert "loader" in {key.name for key in kept.keys.list()}
    with pytest.raises(exceptions.ConflictException, match="'loader' exists"):
        kept.keys.create("loader")
    kept.keys.delete("loader")
    for call in (kept.keys.get, kept.keys.delete):
        for name in ("loader", made.id):
            with pytest.raises(exceptions.NotFoundException, match=name):
                call(name)
    kept.keys.create("loader")  # the name is free again, and the ID is another one
    assert kept.keys.get("loader").id != made.id


def test_a_listing_has_pages(kept: Kept) -> None:
    names = sorted(f"page-{number}" for number in range(5))
    for name in names:
        kept.keys.create(name)
    assert [key.name for key in kept.keys.list(prefix="page-")] == names
    assert [key.name for key in kept.keys.list(2, "page-1", "page-")] == names[2:4]
    nameless = kept.keys.create()
    assert nameless.name is None
    assert nameless.id in {key.id for key in kept.keys.list(prefix="LKHL")}
    assert nameless.secret_access_key not in str([key.to_dict() for key in kept.keys.list()])


def test_what_the_keys_may_do(kept: Kept) -> None:
    reader = kept.keys.create("reader", read_only=True)
    limited = kept.keys.create("limited", repositories=kept.mine)
    both = kept.keys.create(read_only=True, repositories=[f"lakefs://{kept.mine}"])
    for made, reads_other, writes in ((reader, True, False), (limited, False, True), (both, False, False)):
        client = kept.use(made)
        target = bare(client)
        mine = kept.settle(kept.module.repository(kept.mine, client=target))
        other = kept.settle(kept.module.repository("keys-other", client=target))
        assert mine.branch("main").download("a") == b"content"
        if writes:
            mine.branch("main").upload(b"1", f"by-{made.id}")
        else:
            with pytest.raises(exceptions.ForbiddenException, match="may only read"):
                mine.branch("main").upload(b"1", f"by-{made.id}")
        if reads_other:
            assert other.branch("main").download("a") == b"content"
        else:
            with pytest.raises(exceptions.ForbiddenException, match="no access to 'keys-other'"):
                other.branch("main").download("a")
            listed = kept.settle(kept.module.repositories(client=target))
            assert [one.id for one in listed] == [kept.mine]
        credentials = kept.settle(kept.module.admin(target).credentials)
        for call in (lambda keys=credentials: keys.create("more"), lambda keys=credentials: list(keys.list())):
            with pytest.raises(exceptions.ForbiddenException, match="only keys without limits"):
                call()
        client.close()


def test_the_committer_is_the_name(kept: Kept) -> None:
    made = kept.keys.create("nightly job é")
    client = kept.use(made)
    repo = kept.settle(kept.module.repository(kept.mine, client=bare(client)))
    branch = repo.branch(f"b-{made.id}").create("main")
    branch.upload(b"1", "x")
    assert branch.commit_changes("load").committer == "nightly job é"
    client.close()


def test_a_deleted_key_ends_at_once(kept: Kept) -> None:
    made = kept.keys.create("short")
    client = kept.use(made)
    token = client.temporary_token(timedelta(minutes=5))
    assert token.expires_at <= datetime.now(UTC) + timedelta(minutes=6)
    guest = kept.settle(kept.module.Client(kept.served.url, access_token=token.token))
    assert guest.health_check().user == client.health_check().user == "short"
    kept.keys.delete(made)
    for one in (client, guest):
        assert one.health_check().authenticated is False
        one.close()


def test_keys_that_are_kept(kept: Kept) -> None:
    for name in ("admin", kept.served.key):
        with pytest.raises(exceptions.ConflictException, match="cannot be deleted"):
            kept.keys.delete(name)
    with lakefs_hl.Client(kept.served.url, *vars_of(kept.keys.create("mine"))) as own:
        with pytest.raises(exceptions.ConflictException, match="this request is made with"):
            lakefs_hl.admin(own).credentials.delete("mine")
    with pytest.raises(exceptions.ConflictException, match="'admin' exists"):
        kept.keys.create("admin")


def vars_of(made: Any) -> tuple[str, str]:
    return made.id, made.secret_access_key


def test_arguments(kept: Kept) -> None:
    before = [key.id for key in kept.keys.list()]
    for name, why in {
        "": "must not be empty",
        " a": "no spaces at its ends",
        "a\nb": "line breaks",
        "x" * 101: "101 characters",
        "..": "part of a URL",
        "LKHL" + "A" * 16: "ID of a key",
    }.items():
        with pytest.raises(ValueError, match=why):
            kept.keys.create(name)
    for repositories, why in (
        ([], "is empty"),
        (["No"], "lower-case"),
        (["lakefs://a-repo/main"], "repository's name or its URI"),
        ([f"repo-{number}" for number in range(1001)], "has 1001"),
        ([lakefs_hl.repository("other", client=lakefs_hl.Client("mem://"))], "is on mem://"),
    ):
        with pytest.raises(ValueError, match=why):
            kept.keys.create(repositories=repositories)
    for name in ("", ".", ".."):
        with pytest.raises(ValueError, match="id_or_name"):
            kept.keys.get(name)
    assert [key.id for key in kept.keys.list()] == before
    for odd in ("a/b?c#d%2F", "名前", "e\u0301 \U0001f600", "admin2"):
        made = kept.keys.create(odd)
        assert kept.keys.get(odd).id == made.id
        kept.keys.delete(odd)


def test_no_repr_has_the_secret(kept: Kept) -> None:
    made = kept.keys.create("secret-keeper", repositories=[kept.mine])
    secret, buckets = made.secret_access_key, made.credentials
    shown = f"{made!r} {made} {made._repr_html_()} {made.to_dict()} {buckets!r} {buckets[0]} {[*buckets[0]]}"
    shown += f"{kept.keys!r} {list(kept.keys.list())!r}"
    assert secret not in shown
    assert made.to_dict(secret=True)["secret_access_key"] == made["secret_access_key"] == secret
    assert buckets[0].bucket_id == kept.mine
    assert dict(buckets[0].credentials)["secret_access_key"] == secret
    assert buckets[0].to_dict()["credentials"]["secret_access_key"] == secret
    for one in (made, buckets[0], buckets[0].credentials):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(one)
        assert copy.copy(one) == copy.deepcopy(one) == one
    found = kept.keys.get(made)
    assert pickle.loads(pickle.dumps(found)) == found == made
    assert found.credentials == []
    assert found.to_dict() == made.to_dict()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "other"


def test_a_client_of_the_credentials(kept: Kept) -> None:
    made = kept.keys.create(repositories=[kept.mine])
    given = dict(made.credentials[0].credentials)
    assert given.setdefault("endpoint", kept.served.url) == kept.served.url
    with lakefs_hl.Client(**given) as client:
        assert lakefs_hl.repository(kept.mine, client=client).branch("main").download("a") == b"content"


def test_one_of_many_at_a_time_gets_a_name(kept: Kept) -> None:
    if kept.module is lakefs_hl.aio:
        pytest.skip("needs threads; the op is the same in both colours")
    made: list[Any] = []
    refused: list[Exception] = []

    def create() -> None:
        try:
            made.append(kept.keys.create("wanted"))
        except exceptions.ConflictException as exc:
            refused.append(exc)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 7)


# -- where there are none ----------------------------------------------------------------------------------------------


def test_a_lake_in_memory_has_no_keys(world: World) -> None:
    if world.kind != "in process":
        pytest.skip("of a lake in memory")
    keys = world.settle(world.module.admin(bare(world.client)).credentials)
    for call in (keys.create, lambda: keys.get("a"), lambda: keys.delete("a"), lambda: list(keys.list())):
        with pytest.raises(exceptions.UnsupportedOperationException, match="is never served"):
            call()
    with pytest.raises(exceptions.UnsupportedOperationException, match="in process"):
        world.settle(world.client.temporary_token())
    with pytest.raises(exceptions.UnsupportedOperationException, match="no S3 gateway"):
        world.fresh().s3_credentials()


class Watched(S3Server):
    """A lakeFS server on S3. It notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __call__(self, request: Any) -> Any:
        self.asked.append(request.endpoint.operation)
        return super().__call__(request)


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_a_lakefs_server_is_sent_nothing(colour: str) -> None:
    server = Watched()
    client = lakefs_hl.Client("http://lakefs.invalid", "AKIA-A-KEY", "its-secret", transport=server)
    with asyncio.Runner() as runner:
        settle: Any = plainly if colour == "blocking" else Settler(runner)
        module: Any = lakefs_hl if colour == "blocking" else lakefs_hl.aio
        own: Any = client if colour == "blocking" else of(client)
        keys = settle(module.admin(own).credentials)
        for call in (keys.create, lambda: keys.get("a"), lambda: keys.delete("a"), lambda: list(keys.list())):
            with pytest.raises(exceptions.UnsupportedOperationException, match="only `lakefs-hl serve`"):
                call()
        with pytest.raises(exceptions.UnsupportedOperationException, match="leave out ttl"):
            settle(own.temporary_token(60))
        assert set(server.asked) == {"getStorageConfig"}
        repo = settle(module.repository("bucket", client=own))
        with pytest.raises(exceptions.NotFoundException):
            repo.s3_credentials()
        repo.create("s3://bucket/tests/bucket")
        found = repo.s3_credentials()
        assert (found.bucket_id, found.provider) == ("bucket", "s3")
        assert dict(found.credentials) == {
            "bucket_name": "bucket",
            "endpoint_url": "http://lakefs.invalid",
            "region_name": "us-east-1",
            "access_key_id": "AKIA-A-KEY",
            "secret_access_key": "its-secret",
        }
        assert "its-secret" not in f"{found!r} {found.credentials!r} {found}"


def test_credentials_for_a_directory_are_an_error(tmp_path: Path) -> None:
    for given in ({"username": "AKIAKEY", "password": "s3cr3t"}, {"access_token": "t0ken"}):
        for module in (lakefs_hl, lakefs_hl.aio):
            with pytest.raises(exceptions.InvalidConfigError, match="opened in process") as caught:
                module.Client(f"local:{tmp_path / 'lake'}", **given)
            assert "s3cr3t" not in str(caught.value)
            assert "t0ken" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_credentials_of_the_environment_are_for_other_lakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "AKIAKEY")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "s3cr3t")
    with lakefs_hl.Client(f"local:{tmp_path / 'lake'}") as client:
        assert client.health_check().ok


# -- policies ----------------------------------------------------------------------------------------------------------


def test_policies_are_those_of_the_sdk(kept: Kept) -> None:
    admin = kept.settle(kept.module.admin(bare(kept.use(kept.keys.create()))))
    assert type(admin.policies).__name__ == "AuthApi"
    with pytest.raises(exceptions.UnsupportedOperationException, match="needs a server"):
        _ = kept.settle(kept.module.admin(kept.module.Client("mem://"))).policies


# -- garbage collection rules ------------------------------------------------------------------------------------------


def test_gc_rules(world: World) -> None:
    repo = world.fresh()
    admin = world.make("Admin")
    rules = admin.gc_rules(repo.id)
    assert rules.get() is None
    rules.set(21, {"main": 90, "dev": 7})
    assert rules.get() == lakefs_hl.GCRules(21, {"main": 90, "dev": 7})
    assert admin.gc_rules(bare(repo)).get().to_dict() == {"default_days": 21, "branches": {"main": 90, "dev": 7}}
    rules.set(5)
    assert rules.get() == lakefs_hl.GCRules(5)
    rules.delete()
    rules.delete()
    assert rules.get() is None
    for days in (0, -1, 2**31):
        with pytest.raises(ValueError, match="default_days"):
            rules.set(days)
    with pytest.raises(ValueError, match=r"branches\['main'\]"):
        rules.set(1, {"main": 0})
    missing = admin.gc_rules("t-missing")
    for call in (missing.get, lambda: missing.set(1), missing.delete):
        with pytest.raises(exceptions.NotFoundException, match="t-missing"):
            call()
