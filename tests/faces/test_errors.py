"""What users meet when something is wrong: each message says what, where, with which value, and what to do next."""

from __future__ import annotations

import copy
import pickle
import re
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.transport.peers import Peer, answer, answering, peer


@pytest.fixture
def undefault(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No default client was made yet, in this test, and what it makes is gone afterwards."""
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)
    yield
    vars(lakefs_hl).pop("DefaultClient", None)


def look(client: lakefs_hl.Client) -> None:
    lakefs_hl.repository("example", client=client).branch("main").stat_object("a/b.csv")


def fails(client: lakefs_hl.Client, kind: type[BaseException], *words: str) -> exceptions.LakeFSException:
    with pytest.raises(kind) as caught:
        look(client)
    error = caught.value
    assert isinstance(error, exceptions.LakeFSException)
    for word in (*words, "lakefs://example/main/a/b.csv"):
        assert re.search(word, str(error)), f"{word!r} is not in: {error}"
    return error


# ----------------------------------------------------------------------------------------------- what is not there


def test_a_missing_object(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.ObjectNotFoundException) as caught:
        branch.download("d/a b.csv")
    error = caught.value
    uri = f"lakefs://{branch.repository_id}/main/d/a b.csv"
    assert uri in str(error)
    assert (error.filename, error.status, error.errno) == (uri, 404, 2)
    assert isinstance(error, FileNotFoundError)
    assert isinstance(error, LookupError)
    assert error.maybe_applied is False


def test_a_missing_repository_offers_to_make_one(client: lakefs_hl.Client) -> None:
    name = f"gone-{secrets.token_hex(4)}"
    for call in (
        lambda: lakefs_hl.repository(name, client=client).branch("main").download("a"),
        lambda: lakefs_hl.repository(name, client=client).branch("main").upload("x", "a"),
        lambda: list(lakefs_hl.repository(name, client=client).list_branches()),
        lambda: lakefs_hl.repository(name, client=client).metadata(),
    ):
        with pytest.raises(exceptions.NotFoundException, match=name) as caught:
            call()
        assert not isinstance(caught.value, exceptions.ObjectNotFoundException)
        assert "get_or_create" in str(caught.value)


def test_a_missing_branch_offers_to_make_one(branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    with pytest.raises(exceptions.NotFoundException, match=r"mian.*create\(source\)"):
        repository.branch("mian").upload("x", "a")


def test_nothing_to_commit(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(
        exceptions.BadRequestException, match=rf"'main' of lakefs://{branch.repository_id}.*no changes.*allow_empty"
    ):
        branch.commit_changes("m")


def test_a_repository_that_exists(branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._client)
    with pytest.raises(exceptions.ConflictException, match=branch.repository_id):
        repository.create(repository.properties.storage_namespace)


# -------------------------------------------------------------------------------------- what is not a lakeFS server


@pytest.mark.parametrize(
    "said",
    [
        answer(b"<html><h1>It works!</h1></html>", content_type="text/html"),
        answer(b"<!doctype html><p>404", "404 Not Found", content_type="text/html"),
        answer(b"404 page not found\n", "404 Not Found", content_type="text/plain"),
        answer(b'{"hello": "world"}', content_type="application/json"),
        answer(b"", "404 Not Found"),
        answer(b"", "200 OK"),
        answer(b"", "302 Found", location="https://login.example/?next=secret"),
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["html", "html 404", "plain 404", "other json", "empty 404", "empty", "redirect", "ssh"],
)
def test_a_server_that_is_not_lakefs_is_named(said: bytes) -> None:
    with answering(said) as server:
        client = lakefs_hl.Client(server.url, "AKIAEXAMPLE", "the-secret", retries=0)
        error = fails(client, exceptions.ProtocolException, re.escape(server.url), "check that the endpoint")
        assert "<" not in str(error)
        assert "the-secret" not in str(error)
        assert "next=secret" not in str(error)
        client.close()


def test_tls_to_a_plain_port() -> None:
    def plain(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(1024)
        conn.sendall(answer(b"", "400 Bad Request"))

    with peer(plain) as server:
        client = lakefs_hl.Client(server.url.replace("http://", "https://"), "key", "the-secret", retries=0)
        fails(client, exceptions.TransportException, "https://", "TLS")
        client.close()


def test_a_certificate_that_is_not_to_be_trusted() -> None:
    with answering(answer(b"{}"), certificate="localhost") as server:
        client = lakefs_hl.Client(server.url, "key", "the-secret", retries=0)
        error = fails(client, exceptions.CertificateException, "certificate", "CA")
        assert not isinstance(error, ssl.SSLError)
        client.close()


def test_nobody_listens() -> None:
    with peer(lambda *_: None) as server:
        url = server.url
    client = lakefs_hl.Client(url, "key", "the-secret", retries=0)
    error = fails(client, exceptions.TransportException, re.escape(url), "the server is running")
    assert isinstance(error, ConnectionError)


def test_no_such_host() -> None:
    client = lakefs_hl.Client("https://lakefs.invalid", "key", "the-secret", retries=0)
    fails(client, exceptions.TransportException, "https://lakefs.invalid", "spelling")


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://host", "http://", "http://host/lakefs?x=1", "s3://bucket", "http://u:the-secret@host", "http://h:port"],
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(exceptions.InvalidConfigError) as caught:
        lakefs_hl.Client(endpoint, "key", "secret")
    assert isinstance(caught.value, ValueError)
    assert "the-secret" not in str(caught.value)
    assert "http" in str(caught.value)


def test_wrong_keys(served_lake: Any) -> None:
    client = lakefs_hl.Client(served_lake.url, "AKIAWRONG", "the-secret")
    error = fails(client, exceptions.NotAuthorizedException, "401", "check the access key")
    assert isinstance(error, PermissionError)
    assert "the-secret" not in str(error)
    client.close()


# ------------------------------------------------------------------------------------------- credentials and files


def test_no_credentials_anywhere(undefault: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for call in (
        lakefs_hl.init,
        lakefs_hl.Client,
        lambda: lakefs_hl.repository("example").branch("main").download("a"),
        lambda: list(lakefs_hl.repositories()),
    ):
        with pytest.raises(exceptions.NoAuthenticationFound) as caught:
            call()
        told = str(caught.value)
        for word in ("keyword arguments", "environment", ".lakectl.yaml", 'lakefs.init("local:./lake")'):
            assert word in told, told


def test_the_default_client_is_made_on_first_use(tmp_path: Path) -> None:
    program = (
        "import os, lakefs_hl as lakefs\n"
        "handle = lakefs.repository('example')\n"
        "assert lakefs.DefaultClient is None\n"
        "os.environ['LAKECTL_SERVER_ENDPOINT_URL'] = 'mem://'\n"
        "assert not handle.exists()\n"
        "assert lakefs.DefaultClient is not None\n"
        "assert handle.create().branch('main').upload('x', 'a').size_bytes == 1\n"
    )
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(lakefs_hl.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_init_replaces_the_default_for_handles_that_exist(undefault: None) -> None:
    handle = lakefs_hl.repository("example")
    one = lakefs_hl.init("mem://")
    handle.create()
    assert handle.exists()
    two = lakefs_hl.init("mem://")
    assert not handle.exists()
    assert one != two
    one.close()
    two.close()


def test_both_spellings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("LAKECTL_ACCESS_KEY_ID", "AKIASEED")
    monkeypatch.setenv("LAKECTL_ACCESS_SECRET_KEY", "seed-secret")
    assert "seed-secret" not in repr(lakefs_hl.Client())
    seed = lakefs_hl.Client()
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "real-secret")
    assert seed._session.authenticator.current != lakefs_hl.Client()._session.authenticator.current


def test_half_a_pair_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "AKIAREAL")
    with pytest.raises(exceptions.InvalidConfigError, match="LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"):
        lakefs_hl.Client()


def test_corrupt_yaml_names_the_file_and_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lakectl.yaml"
    file.write_text("credentials:\n  access_key_id: [the-secret\nserver: {")
    file.chmod(0o600)
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(file))
    with pytest.raises(exceptions.InvalidConfigError, match=rf"{re.escape(str(file))}.*line \d") as caught:
        lakefs_hl.Client()
    assert "the-secret" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ the embedded lake


@pytest.mark.parametrize("place", ["file", "full"])
def test_a_folder_that_is_no_lake(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    if place == "file":
        folder.write_text("not a folder")
    else:
        folder.mkdir()
        (folder / "thesis.doc").write_text("years of work")
    with pytest.raises(exceptions.LakeError, match=re.escape(str(folder))):
        lakefs_hl.repository("example", client=lakefs_hl.Client(f"local:{folder}")).create()
    assert place == "file" or (folder / "thesis.doc").read_text() == "years of work"


def test_a_lake_in_process_has_no_address(lake: lakefs_hl.Client) -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match="lakefs-hl serve"):
        _ = lake.sdk_client


def test_a_lake_in_process_signs_no_urls(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload("x", "a")
    for call in (
        lambda: lake_branch.download("a", pre_signed=True),
        lambda: lake_branch.upload("x", "a", pre_signed=True),
        lambda: lake_branch.open("a", pre_signed=True),
    ):
        with pytest.raises(exceptions.LakeFSException, match=r"main/a.*pre_signed=False"):
            call()


# ----------------------------------------------------------------------------------------------------- every class


def classes(base: type[exceptions.LakeFSException] = exceptions.LakeFSException) -> Iterator[str]:
    """The names of the whole tree."""
    if base.__module__.startswith("lakefs_hl."):
        yield base.__name__
    for kind in base.__subclasses__():
        yield from classes(kind)


@pytest.mark.parametrize("name", sorted(set(classes())))
def test_b6_65_every_error_pickles_and_copies(name: str) -> None:
    kind: type[exceptions.LakeFSException] = getattr(exceptions, name)
    error = kind("what, where, what next")
    error.op_id = "7"
    error.add_note("a note")
    again: Callable[[Any], Any]
    for again in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        twin = again(error)
        assert type(twin) is kind
        assert (str(twin), twin.op_id, twin.__notes__) == ("what, where, what next", "7", ["a note"])


def test_errors_are_public_and_of_their_builtin() -> None:
    expected = {
        "BadRequestException": ValueError,
        "NotAuthorizedException": PermissionError,
        "ForbiddenException": PermissionError,
        "NotFoundException": LookupError,
        "ObjectNotFoundException": FileNotFoundError,
        "ObjectExistsException": FileExistsError,
        "UnsupportedOperationException": NotImplementedError,
        "TransportException": ConnectionError,
        "DeadlineExceeded": TimeoutError,
        "InvalidConfigError": ValueError,
        "LakeLockedError": TimeoutError,
    }
    for name, builtin in expected.items():
        assert issubclass(getattr(exceptions, name), builtin)
        assert issubclass(getattr(exceptions, name), exceptions.LakeFSException)
