"""Buckets of others as repositories: what is copied, what an interruption leaves, and what opens each provider."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.facades.external import external_of
from tests.bucket_store import BucketStore, buckets

ACCOUNT = {"type": "service_account", "private_key": "very-secret-key", "client_email": "ada@example.com"}
FILES = {"photos/2024/a.jpg": b"a", "photos/2024/b.jpg": b"bb", "photos/readme.md": b"# photos"}


@pytest.fixture
def store() -> Iterator[type[BucketStore]]:
    with buckets(FILES, key="very-secret-key") as found:
        yield found


@pytest.fixture
def client() -> lakefs_hl.Client:
    return lakefs_hl.Client("mem://")


def taken(client: lakefs_hl.Client, **options: Any) -> lakefs_hl.Repository:
    return lakefs_hl.import_external("gcp", "photos", ACCOUNT, client=client, progress=False, **options)


def content(repository: lakefs_hl.Repository) -> dict[str, bytes]:
    main = repository.branch("main")
    return {row.path: main.download(row.path) for row in main.list_objects(recursive=True)}


def test_a_bucket_becomes_a_repository(store: type[BucketStore], client: lakefs_hl.Client) -> None:
    repository = taken(client, metadata={"owner": "ada"})
    assert repository.id.startswith("repo-")
    assert content(repository) == {name.partition("/")[2]: data for name, data in FILES.items()}
    main = repository.branch("main")
    assert not list(main.list_uncommitted())
    commit = main.get_commit()
    assert (commit.message, commit.metadata()["source"]) == ("Import gs://photos/", "gs://photos/")
    assert repository.metadata() == {"owner": "ada", "lakefs_hl.imported_from": "gs://photos/"}
    assert "very-secret-key" not in repr(repository) + str(repository.info())


def test_a_prefix_of_a_bucket(store: type[BucketStore], client: lakefs_hl.Client) -> None:
    repository = taken(client, name="of-2024", prefix="2024/", commit_message="photos of 2024")
    assert content(repository) == {"a.jpg": b"a", "b.jpg": b"bb"}
    assert (repository.id, repository.branch("main").get_commit().message) == ("of-2024", "photos of 2024")


def test_asyncio(store: type[BucketStore]) -> None:
    async def run() -> list[str]:
        async with lakefs_hl.aio.Client("mem://") as client:
            found = await lakefs_hl.aio.import_external("gcp", "photos", ACCOUNT, "album", client=client)
            return [row.path async for row in found.branch("main").list_objects(recursive=True)]

    assert asyncio.run(run()) == ["2024/a.jpg", "2024/b.jpg", "readme.md"]


def test_without_access_no_repository_is_created(store: type[BucketStore], client: lakefs_hl.Client) -> None:
    wrong = {**ACCOUNT, "private_key": "another-secret"}
    with pytest.raises(PermissionError) as caught:
        lakefs_hl.import_external("gcp", "photos", wrong, client=client)
    assert "another-secret" not in str(caught.value)
    for bucket, prefix in (("none", ""), ("photos", "2023")):
        with pytest.raises(FileNotFoundError, match=f"gs://{bucket}/.*has no objects, or does not exist"):
            lakefs_hl.import_external("gcp", bucket, ACCOUNT, prefix=prefix, client=client)
    assert list(lakefs_hl.repositories(client=client)) == []


def test_an_offline_client_looks_at_no_bucket(store: type[BucketStore], mocker: MockerFixture) -> None:
    opened = mocker.spy(lakefs_hl, "files")
    with lakefs_hl.Client("https://lake.example", "k", "s", offline=True) as offline:
        with pytest.raises(exceptions.OfflineException, match=r"gs://photos/: nothing was sent: the client is offline"):
            taken(offline)
    assert opened.call_count == 0


@pytest.mark.parametrize("with_job", [False, True])
def test_an_import_that_failed_is_continued(
    store: type[BucketStore], client: lakefs_hl.Client, tmp_path: Path, with_job: bool
) -> None:
    job = tmp_path / "job" if with_job else None
    store.broken = {"/photos/2024/b.jpg"}
    with pytest.raises(exceptions.PartialFailureError, match=r"lakefs://repo-.*with name='repo-") as caught:
        taken(client, job=job)
    assert caught.value.maybe_applied is True
    (repository,) = lakefs_hl.repositories(client=client)
    assert repository.uri in str(caught.value)
    assert len(list(repository.branch("main").log())) == 1  # nothing is committed
    assert len(list(repository.branch("main").list_uncommitted(delimiter=""))) == 2
    store.broken, store.reads = set(), []
    again = taken(client, name=repository.id, job=job)
    assert again == repository
    assert content(again) == {name.partition("/")[2]: data for name, data in FILES.items()}
    if with_job:
        assert store.reads == ["/photos/2024/b.jpg"]
    third = taken(client, name=repository.id, job=job)
    assert len(list(third.branch("main").log())) == 2  # there was nothing to do


def test_an_interruption_names_the_repository(
    store: type[BucketStore], client: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lakefs_hl, "transfer", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        taken(client, name="photos")
    assert "lakefs://photos is kept" in caught.value.__notes__[0]


def test_a_repository_of_someone_else_is_left_alone(store: type[BucketStore], client: lakefs_hl.Client) -> None:
    lakefs_hl.repository("theirs", client=client).create()
    with pytest.raises(exceptions.ConflictException, match="was not imported from gs://photos/: choose another name"):
        taken(client, name="theirs")
    taken(client, name="whole")
    with pytest.raises(exceptions.ConflictException, match="gs://photos/2024/"):
        taken(client, name="whole", prefix="2024")
    assert content(lakefs_hl.repository("theirs", client=client)) == {}


# ------------------------------------------------------------------------------------------------------------ providers


def test_s3() -> None:
    pair = {"access_key_id": "AKIA", "secret_access_key": "very-secret"}
    found = external_of("aws", "photos", {**pair, "region_name": "eu-west-1", "session_token": "t"}, "")
    assert (found.url, found.place) == ("s3://photos/", "s3://photos/")
    assert found.options == {
        "key": "AKIA",
        "secret": "very-secret",
        "token": "t",
        "client_kwargs": {"region_name": "eu-west-1"},
    }
    assert "very-secret" not in repr(found)
    found = external_of("MinIO", "photos", {**pair, "endpoint_url": "http://user:pw@minio:9000/x?y"}, "/a/b/")
    assert (found.url, found.place) == ("s3://photos/a/b/", "s3://photos/a/b/ on minio:9000")
    same = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "very-secret"}
    assert external_of("s3", "photos", same, "").options == {"key": "AKIA", "secret": "very-secret"}
    assert external_of("aws", "photos", {}, "").options == {}


def test_gcp_and_azure() -> None:
    encoded = base64.b64encode(json.dumps(ACCOUNT).encode()).decode()
    for given in (ACCOUNT, {"key_data": encoded}):
        assert external_of("gcp", "photos", given, "") == ("gs://photos/", {"token": ACCOUNT}, "gs://photos/")
    endpoint = "https://ada.blob.core.windows.net"
    found = external_of("azure", "photos", {"storage_endpoint": endpoint, "credential": "sv=1&sig=secret"}, "")
    assert found == (
        "abfs://photos/",
        {"account_name": "ada", "sas_token": "sv=1&sig=secret"},
        "abfs://photos/ on ada",
    )
    found = external_of("azure", "photos", {"storage_endpoint": "http://127.0.0.1:10000/x", "credential": "key"}, "")
    assert found.options == {"account_name": "127", "account_host": "127.0.0.1:10000", "account_key": "key"}
    assert external_of("azure", "photos", {"connection_string": "c"}, "").options == {"connection_string": "c"}


def test_where_a_bucket_is_has_its_account_and_no_secrets() -> None:
    """The same name of a bucket in another account is another bucket: an import of it is never continued."""
    text = "DefaultEndpointsProtocol=https;AccountName=ada;AccountKey=very-secret==;EndpointSuffix=core.windows.net"
    shared = "BlobEndpoint=https://bob.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=very-secret"
    places = [external_of("azure", "b", {"connection_string": each}, "").place for each in (text, shared, "c")]
    assert places == ["abfs://b/ on ada", "abfs://b/ on bob.blob.core.windows.net", "abfs://b/"]
    pair = {"access_key_id": "k", "secret_access_key": "s"}
    for end in ("/very-secret", "?very-secret", "#very-secret"):
        for login in ("", "very-secret@", "u:very-secret@", "u:p/very-secret@"):
            url = f"https://{login}host:9000{end}"
            assert external_of("minio", "b", {**pair, "endpoint_url": url}, "").place == "s3://b/ on host:9000"


@pytest.mark.parametrize(
    ("provider", "bucket", "credentials", "words"),
    [
        ("ftp", "b", {}, "provider must be 'aws', 's3', 'minio', 'gcp', 'gs', 'azure', not 'ftp'"),
        ("aws", "", {}, "must be the name of a bucket"),
        ("aws", "s3://b", {}, "without a scheme"),
        ("aws", "b/folder", {}, "chosen by prefix="),
        ("aws", "..", {}, "must be the name of a bucket"),
        ("aws", "b", {"access_key_id": "very-secret"}, "both access_key_id and secret_access_key"),
        ("aws", "b", {"password": "very-secret"}, "not 'password'"),
        ("aws", "b", {"access_key_id": "very-secret", "AWS_ACCESS_KEY_ID": "other"}, "two values of one key"),
        ("minio", "b", {"access_key_id": "k", "secret_access_key": "very-secret"}, "must have endpoint_url"),
        ("gcp", "b", {"private_key": "very-secret"}, "fields of a service account"),
        ("gcp", "b", {"key_data": "very-secret"}, "JSON of a service account in base64"),
        ("gcp", "b", {"key_data": base64.b64encode(b'"very-secret"').decode()}, "JSON of a service account"),
        ("azure", "b", {"credential": "very-secret"}, "which account"),
        ("azure", "b", {"storage_endpoint": "very-secret"}, "must be a URL"),
    ],
)
def test_what_is_refused_before_anything_is_read(
    provider: str, bucket: str, credentials: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        lakefs_hl.import_external(provider, bucket, credentials)  # type: ignore[arg-type]
    shown = str(caught.value) + repr(caught.value.__context__) + repr(caught.value.__cause__)
    assert "very-secret" not in shown


def test_values_of_credentials_are_not_shown() -> None:
    for provider in ("aws", "azure"):
        with pytest.raises(TypeError, match=r"must be a string, not bytes") as caught:
            external_of(provider, "b", {"access_key_id" if provider == "aws" else "credential": b"very-secret"}, "")
        assert "very-secret" not in str(caught.value)


SECRETS: list[Any] = [
    ("minio", {"access_key_id": "k", "secret_access_key": "very-secret", "endpoint_url": "http://127.0.0.1:9"}),
    ("minio", {"access_key_id": "k", "secret_access_key": "very-secret"}),
    ("aws", {"access_key_id": "k", "secret_access_key": "very-secret", "password": "very-secret"}),
    ("aws", {"access_key_id": "k", "secret_access_key": ["very-secret"]}),
    ("azure", {"connection_string": "AccountName=a;AccountKey=very-secret"}),
    ("azure", {"credential": "very-secret"}),
    ("gcp", {"key_data": "very-secret"}),
    ("gcp", {**ACCOUNT, "private_key": "very-secret"}),
]


@pytest.mark.parametrize("call", ["import_external", "files", "transfer", "secrets"])
@pytest.mark.parametrize("colour", [lakefs_hl, lakefs_hl.aio])
def test_no_variable_of_a_traceback_shows_credentials(call: str, colour: Any, mocker: MockerFixture) -> None:
    mocker.patch("fsspec.core.url_to_fs", side_effect=ImportError("not installed"))
    mine = colour.Client("mem://")
    calls: dict[str, Callable[[str, Any], Any]] = {
        "import_external": lambda provider, given: colour.import_external(provider, "b", given, client=mine),
        "files": lambda _, given: colour.files("s3://b", storage_options=given),
        "transfer": lambda _, given: colour.transfer("s3://b", "mem://b", storage_options=given),
        "secrets": lambda provider, given: colour.files("gs://b" if provider == "gcp" else "s3://b", secrets=given),
    }
    for provider, given in SECRETS:
        with pytest.raises((ValueError, TypeError, ImportError)) as caught:
            made = calls[call](provider, given)
            if inspect.iscoroutine(made):
                asyncio.run(made)
        error: BaseException | None = caught.value
        while error is not None:
            assert "very-secret" not in f"{error}{error!r}"
            for frame, _ in traceback.walk_tb(error.__traceback__):
                if frame.f_globals["__name__"].startswith("lakefs_hl"):
                    for name, value in frame.f_locals.items():
                        assert "very-secret" not in repr(value), f"{name} in {frame.f_code.co_qualname}"
            error = error.__cause__ or error.__context__
