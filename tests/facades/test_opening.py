"""The parameters of CloudFiles' constructor: what they become, and why some are refused."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.facades.opening import opening_of, workers_of

AWS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_DEFAULT_REGION": "eu-west-1"}


def opened(url: str, **given: Any) -> Any:
    parameters: dict[str, Any] = {"secrets": None, "use_https": False, "endpoint": None, "client": None}
    return opening_of(url, **{**parameters, "storage_options": None, **given})


def test_the_parameters_of_the_seed_in_its_order() -> None:
    names = list(inspect.signature(lakefs_hl.files).parameters)
    assert names[1:7] == ["progress", "green", "secrets", "num_threads", "use_https", "endpoint"]
    files = lakefs_hl.files("mem://opening", False, False, None, 20, False, None)
    assert files.url == "mem://opening/"


def test_secrets_of_s3_and_gs() -> None:
    assert opened("s3://bucket/p", secrets=AWS).storage_options == {
        "key": "AKIAEXAMPLE",
        "secret": "very-secret",
        "client_kwargs": {"region_name": "eu-west-1"},
    }
    assert opened("s3://bucket", secrets={"AWS_SESSION_TOKEN": "t"}).storage_options == {"token": "t"}
    account = {"type": "service_account", "private_key": "very-secret"}
    assert opened("gs://bucket", secrets=account).storage_options == {"token": account}
    with pytest.raises(ValueError, match=r"AWS_ACCESS_KEY_ID, .*, not 'key'") as caught:
        opened("s3://bucket", secrets={"key": "very-secret"})
    assert "very-secret" not in str(caught.value)
    with pytest.raises(ValueError, match="for sftp:// give storage_options"):
        opened("sftp://host/", secrets={"password": "very-secret"})


def test_endpoints() -> None:
    given = opened("s3://bucket", endpoint="https://s3.example.com", secrets=AWS)
    assert given.storage_options["endpoint_url"] == "https://s3.example.com"
    assert opened("lakefs://repo/main", endpoint="https://lakefs.example.com").host == "https://lakefs.example.com"
    with pytest.raises(ValueError, match="endpoint is for s3://"):
        opened("gs://bucket", endpoint="https://example.com")
    with pytest.raises(ValueError, match="both name the lake"):
        opened("lakefs://repo/main", endpoint="https://example.com", client=object())


def test_public_buckets_over_https() -> None:
    assert opened("s3://bucket/p", use_https=True).place == "https://s3.amazonaws.com/bucket/p"
    assert opened("gs://bucket/p", use_https=True).place == "https://storage.googleapis.com/bucket/p"
    assert opened("s3://bucket/p", use_https=True, endpoint="s3.example.com").place == "https://s3.example.com/bucket/p"
    assert opened("https://host/p", use_https=True).place == "https://host/p"
    for url in ("file:///d", "mem://m", "lakefs://repo/main"):
        with pytest.raises(ValueError, match="use_https is for"):
            opened(url, use_https=True)
    with pytest.raises(ValueError, match="without credentials"):
        opened("s3://bucket", use_https=True, secrets=AWS)


def test_what_means_nothing_for_a_lake_is_refused() -> None:
    for name in ("secrets", "storage_options"):
        with pytest.raises(ValueError, match=f"{name} is not for lakes.*give client=lakefs.Client") as caught:
            opened("lakefs://repo/main", **{name: {"password": "very-secret"}})
        assert "very-secret" not in str(caught.value)
    with lakefs_hl.Client("mem://") as client:
        branch = lakefs_hl.Branch("example", "main", client)
        assert lakefs_hl.files(branch).url == "lakefs://example/main/"
        with pytest.raises(ValueError, match="endpoint is for URLs"):
            lakefs_hl.files(branch, endpoint="http://127.0.0.1:1")
        with pytest.raises(ValueError, match="client is for lakefs:// URLs, and this one is mem://"):
            lakefs_hl.files("mem://m", client=client)


def test_each_client_has_credentials_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / f".lakectl.{name}.yaml").write_text(
            f"server:\n  endpoint_url: local:{tmp_path}/{name}\n", encoding="utf-8"
        )
        (tmp_path / f".lakectl.{name}.yaml").chmod(0o600)
        with lakefs_hl.Client(profile=name) as client:
            lakefs_hl.repository("example", client=client).create()
            lakefs_hl.files("lakefs://example/main", client=client)["a"] = name
    for name in ("one", "two"):
        with lakefs_hl.Client(profile=name) as client:
            assert lakefs_hl.files("lakefs://example/main", client=client)["a"] == name.encode()


def test_secrets_are_not_shown_and_not_pickled() -> None:
    pytest.importorskip("fsspec")
    files = lakefs_hl.files("memory://bucket/p", storage_options={"password": "very-secret"})
    assert "very-secret" not in repr(files) + files.url + str(vars(files))
    with pytest.raises(TypeError, match="storage_options, which may be secrets and are not pickled"):
        pickle.dumps(files)
    client = lakefs_hl.Client("http://127.0.0.1:1", "key", "very-secret")
    files = lakefs_hl.files("lakefs://repo/main", client=client)
    assert b"very-secret" not in pickle.dumps(files)
    assert "very-secret" not in repr(files)


def test_two_names_of_one_parameter() -> None:
    assert [workers_of(None, None), workers_of(5, None), workers_of(None, 5), workers_of(5, 5)] == [None, 5, 5, 5]
    assert workers_of(None, 0) == 1  # without threads, in CloudFiles
    for given in ((5, 6), (0, None), (None, -1)):
        with pytest.raises(ValueError, match=r"max_workers|num_threads"):
            workers_of(*given)


@pytest.mark.parametrize("url", ["bucket", "", "://x", "lakefs://repo"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"url must be a URL with a scheme|the URL of a store in a lake is"):
        lakefs_hl.files(url)
