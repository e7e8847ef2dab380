"""lakectl's file: what is read, what is refused, and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.config import entries
from lakefs_hl.config.credentials import AwsRole
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import resolve
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.secret import KeyPair
from tests.config.samples import DOTTED, FILE, HALF_DOTTED, HOST, REAL, SECRET, Write, found, pair, settled


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n", "---\n", "null\n", "~\n", "{}\n", "\ufeff"])
def test_b9_87_an_empty_file_holds_nothing(write: Write, content: str) -> None:
    write(content)
    with pytest.raises(NoAuthenticationFound, match="an empty file"):
        found()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("server:\n  endpoint_url: [unclosed\n", "line 3"),
        ("a: b\n\tc: d\n", "line 2"),
        ("credentials:\n  access_key_id: 'x\n", "line 3"),
        ("a: b\na: c\n", "line 2"),
        ("a: &x 1\nb: *x\n", "line 2"),
        ("a: !!python/object/apply:os.system ['true']\n", "line 1"),
        ("a: !!binary aGVsbG8=\n", "line 1"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("{[a]: 1}\n", ""),
        ("[" * 50 + "]" * 50, "line 1"),
        ("a: \x07\n", ""),
    ],
)
def test_corrupt_yaml_names_the_file_and_the_line(write: Write, content: str, line: str) -> None:
    path = write(f"{content}")
    with pytest.raises(InvalidConfigError) as caught:
        found()
    assert str(path) in str(caught.value)
    assert line in str(caught.value)


def test_corrupt_yaml_repeats_nothing_of_the_file(write: Write) -> None:
    write(f"credentials:\n  secret_access_key: {SECRET}\n  other: [{SECRET}\n")
    with pytest.raises(InvalidConfigError) as caught:
        found()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "holds list"),
        ("just text", "holds str"),
        ("credentials: text", "`credentials` holds str"),
        ("server: [a]", "`server` holds list"),
        ("server: {endpoint_url: [a]}", "`endpoint_url` holds list"),
        ("credentials: {access_key_id: {a: b}, secret_access_key: x}", "`access_key_id` holds dict"),
        ("credentials: {provider: {type: gcp}}", "provider 'gcp' is not known"),
        ("credentials: {provider: {type: aws_iam, aws_iam: {token_ttl_seconds: soon}}}", "token_ttl_seconds"),
        ("credentials: {provider: {type: aws_iam, aws_iam: {token_ttl_seconds: 0}}}", "at least 1 second"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"#" * (65 << 10), "larger than 64 KiB"),
    ],
)
def test_a_file_of_another_shape(write: Write, content: str | bytes, words: str) -> None:
    path = write(content)
    with pytest.raises(InvalidConfigError, match=words) as caught:
        found()
    assert str(path) in str(caught.value)


def test_values_are_text_as_lakectl_takes_them(write: Write) -> None:
    write(
        "credentials:\n  access_key_id: 0123\n  secret_access_key: 1e5\nserver:\n  endpoint_url: ~\nother: {a: [1]}\n"
    )
    assert found() == ("http://127.0.0.1:8000", KeyPair("0123", "1e5"))


def test_a_file_that_everybody_may_change_is_refused(write: Write) -> None:
    if os.name != "posix":
        pytest.skip("no such permissions on this system")
    path = write()
    path.chmod(0o666)
    with pytest.raises(InvalidConfigError, match="chmod 600"):
        found()


@pytest.mark.skipif(os.name != "posix", reason="no such permissions on this system")
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o640, "may be read by its group"),
        (0o644, "may be read by anybody"),
        (0o604, "may be read by anybody"),
        (0o620, "may be changed by its group"),
        (0o664, "may be read by anybody"),
        (0o600, None),
        (0o400, None),
    ],
)
def test_a_file_of_credentials_that_others_may_read_or_change_is_named(
    write: Write, mode: int, words: str | None
) -> None:
    path = write()
    path.chmod(mode)
    exposed = resolve(ClientOptions(), {}).exposed
    assert len(exposed) == (0 if words is None else 1)
    for text in exposed:
        assert f"{path} holds credentials and {words}" in text
        assert f"(mode {mode:o}): chmod 600 {path}" in text
    assert resolve(ClientOptions(host=HOST, username="u", password="p"), {}).exposed == ()  # not read
    assert resolve(ClientOptions(host="mem://"), {}).exposed == ()


def test_a_file_without_credentials_may_be_read_by_all(write: Write) -> None:
    write("server: {endpoint_url: 'https://from.file'}").chmod(0o644)
    assert resolve(ClientOptions(), REAL).exposed == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_a_fifo_or_a_device_is_refused_and_not_waited_for(home: Path) -> None:
    fifo = home / "fifo"
    os.mkfifo(fifo)
    for path, words in ((fifo, "it is a FIFO"), ("/dev/null", "it is a device"), (home, "it is a directory")):
        with pytest.raises(InvalidConfigError, match=words):
            found({"LAKECTL_CONFIG_FILE": str(path)})
    (home / ".lakectl.work.yaml").symlink_to(fifo)
    with pytest.raises(InvalidConfigError, match="it is a FIFO"):
        found(profile="work")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        with pytest.raises(InvalidConfigError, match=f"{variable}=.*fifo' is a FIFO"):
            settled({variable: str(fifo)})
    with pytest.raises(InvalidConfigError, match=r"ca_cert=.*fifo' is a FIFO"):
        settled({}, ca_cert=str(fifo))
    fifo.unlink()
    reading, writing = os.pipe()
    with open(reading), open(writing, "w"), pytest.raises(InvalidConfigError, match="it is a FIFO"):
        found({"LAKECTL_CONFIG_FILE": f"/dev/fd/{reading}"})


@pytest.mark.parametrize(
    "content",
    [
        FILE.replace("server", "SERVER").replace("endpoint_url", "Endpoint_URL").replace("credentials", "Credentials"),
        FILE.replace("access_key_id", "ACCESS_KEY_ID").replace("secret_access_key", "Secret_Access_Key"),
        DOTTED,
        HALF_DOTTED,
        FILE.encode("utf-16"),
        b"\xfe\xff" + FILE.encode("utf-16-be"),
        FILE.encode("utf-8-sig"),
        FILE.replace("\n", "\r\n"),
    ],
    ids=["sections", "names", "dotted", "half dotted", "utf-16", "utf-16-be", "utf-8 with a mark", "crlf"],
)
def test_lakectls_spellings(write: Write, content: str | bytes) -> None:
    write(content)
    assert found() == ("https://from.file", pair("FILE"))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (f"{FILE}Server: {{endpoint_url: 'https://x'}}\n", "server.endpoint_url"),
        (f"{FILE}server.endpoint_url: 'https://x'\n", "server.endpoint_url"),
        (f"{FILE}  ACCESS_KEY_ID: x\n", "credentials.access_key_id"),
    ],
)
def test_one_name_in_two_spellings_is_named(write: Write, content: str, name: str) -> None:
    write(content)
    with pytest.raises(InvalidConfigError, match=f"`{name}` is given twice, in two spellings") as caught:
        found()
    assert SECRET not in str(caught.value)


def test_names_of_headers_stay_as_they_are(write: Write) -> None:
    write(
        "server: {endpoint_url: https://x}\ncredentials: {Provider: {TYPE: aws_iam, AWS_IAM: {Token_Request_Headers: "
        "{X-A.b: secret}}}}"
    )
    assert found()[1] == AwsRole(token_request_headers={"X-A.b": "secret"})


def test_a_directory_in_place_of_the_file_is_refused(home: Path) -> None:
    (home / ".lakectl.yaml").mkdir()
    with pytest.raises(InvalidConfigError, match="cannot be read"):
        found()


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(alphabet="ab:[]{}&*!|>-?'\"\n \t#~,%@`", max_size=60).map(str.encode))
def test_any_bytes_are_entries_or_an_invalid_config_error(content: bytes) -> None:
    try:
        data = entries.parse(content, "the file")
    except InvalidConfigError as exc:
        said = str(exc)
    else:
        assert isinstance(data, dict)
        return
    assert "the file" in said
