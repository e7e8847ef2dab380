"""The auth chain: who is asked, in which order, and what is said when nobody knows."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl import config, lakectl
from lakefs_hl.config import AwsRole, Given, KeyPair, Nobody, Token, resolve
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound

HOST = "https://lakefs.example"
SECRET = "SECRET-that-nobody-may-see"
REAL = {"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "AKIAREAL0000", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET}
SEED = {"LAKECTL_ACCESS_KEY_ID": "AKIASEED0000", "LAKECTL_ACCESS_SECRET_KEY": SECRET}
FILE = f"""
server:
  endpoint_url: https://from.file/api/v1
credentials:
  access_key_id: AKIAFILE0000
  secret_access_key: {SECRET}
"""

DOTTED = f"""
server.endpoint_url: https://from.file
credentials.access_key_id: AKIAFILE0000
Credentials.SECRET_ACCESS_KEY: {SECRET}
"""
HALF_DOTTED = f"""
server: {{endpoint_url: https://from.file}}
credentials:
  access_key_id: AKIAFILE0000
credentials.secret_access_key: {SECRET}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(config, "_may_have_role", lambda: False)
    return tmp_path


Write = Callable[..., Path]


@pytest.fixture
def write(home: Path) -> Write:
    """Writes lakectl's file, or a profile's."""

    def written(content: str | bytes = FILE, name: str = ".lakectl.yaml") -> Path:
        path = home / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    return written


def found(env: Mapping[str, str] | None = None, **arguments: Any) -> tuple[str, config.Credentials]:
    settled = resolve(Given(**arguments), env or {})
    return settled.endpoint, settled.credentials


def pair(kind: str) -> KeyPair:
    return KeyPair(f"AKIA{kind}0000", SECRET)


# ---------------------------------------------------------------------------------------------------- the chain


def test_b9_87_keyword_arguments_come_first(write: Write) -> None:
    write()
    env = {**REAL, "LAKECTL_SERVER_ENDPOINT_URL": "https://from.env"}
    assert found(env, host=HOST, username="AKIAARGS0000", password=SECRET) == (HOST, pair("ARGS"))


def test_b9_87_then_the_environment_in_both_spellings_the_real_one_first(write: Write) -> None:
    write()
    env = {"LAKECTL_SERVER_ENDPOINT_URL": "https://from.env"}
    assert found({**env, **REAL, **SEED}) == ("https://from.env", pair("REAL"))
    assert found({**env, **SEED}) == ("https://from.env", pair("SEED"))


def test_b9_87_then_the_file(write: Write) -> None:
    write()
    assert found() == ("https://from.file", pair("FILE"))


@pytest.mark.parametrize(
    ("env", "arguments", "endpoint", "who"),
    [
        ({}, {"host": HOST}, HOST, "FILE"),
        (REAL, {}, "https://from.file", "REAL"),
        (REAL, {"host": HOST}, HOST, "REAL"),
        ({"LAKECTL_SERVER_ENDPOINT_URL": "https://from.env"}, {}, "https://from.env", "FILE"),
        ({}, {"username": "AKIAARGS0000", "password": SECRET}, "https://from.file", "ARGS"),
    ],
)
def test_endpoint_and_credentials_are_looked_up_separately(
    write: Write, env: dict[str, str], arguments: dict[str, str], endpoint: str, who: str
) -> None:
    write()
    assert found(env, **arguments) == (endpoint, pair(who))


def test_without_an_endpoint_anywhere_it_is_lakectls_default(home: Path) -> None:
    assert found(REAL) == ("http://127.0.0.1:8000", pair("REAL"))


@pytest.mark.parametrize(
    ("env", "arguments", "there", "missing"),
    [
        ({}, {"username": "a"}, "username", "password"),
        ({}, {"password": SECRET}, "password", "username"),
        ({"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "a"}, {}, *REAL),
        ({"LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET}, {}, *reversed(REAL)),
        ({"LAKECTL_ACCESS_KEY_ID": "a"}, {}, *SEED),
        ({"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "a", "LAKECTL_ACCESS_SECRET_KEY": SECRET}, {}, *REAL),
        ({**SEED, "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "a"}, {}, *REAL),
    ],
)
def test_half_a_pair_is_an_error_that_names_it(
    write: Write, env: dict[str, str], arguments: dict[str, str], there: str, missing: str
) -> None:
    write()  # a whole pair further down the chain does not complete half a one
    with pytest.raises(InvalidConfigError, match=f"{there} is there, {missing} is not") as caught:
        found(env, **arguments)
    assert SECRET not in str(caught.value)


def test_half_a_pair_in_the_file(write: Write) -> None:
    write("credentials:\n  access_key_id: a\n")
    with pytest.raises(InvalidConfigError, match=r"credentials\.secret_access_key is not"):
        found()


def test_a_token_from_the_environment_goes_before_a_pair(home: Path) -> None:
    assert found({**REAL, "LAKECTL_CREDENTIALS_SESSION_TOKEN": SECRET})[1] == Token(SECRET)
    assert found(access_token=SECRET)[1] == Token(SECRET)


@pytest.mark.parametrize("wrong", ["\n", " ", "\r\n", "\x00", "é", "\u2028"])
def test_a_token_that_no_header_can_carry_is_named_and_not_shown(wrong: str) -> None:  # read from a file, say
    session = {**REAL, "LAKECTL_CREDENTIALS_SESSION_TOKEN": SECRET + wrong}
    words = "(access_token|SESSION_TOKEN) holds a space, a line break"
    for env, token in ((session, None), ({}, SECRET + wrong)):
        with pytest.raises(InvalidConfigError, match=words) as caught:
            resolve(Given(access_token=token), env)
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("half", ["username", "password"])
def test_a_pair_with_a_line_break_is_named_and_not_shown(half: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"{half} holds a line break") as caught:
        resolve(Given(**cast("Any", {"username": "u", "password": SECRET, half: SECRET + "\n"})), {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert found(username="u", password="two words")[1] is not None


def test_a_token_and_a_pair_are_one_too_many(home: Path) -> None:
    with pytest.raises(InvalidConfigError, match="a token and a key pair"):
        found(access_token="t", username="u", password="p")


def test_an_empty_variable_is_none(write: Write) -> None:
    write()
    empty = dict.fromkeys((*REAL, *SEED, "LAKECTL_SERVER_ENDPOINT_URL", "LAKECTL_CREDENTIALS_SESSION_TOKEN"), "")
    assert found(empty) == ("https://from.file", pair("FILE"))


def test_a_source_is_asked_only_for_what_is_missing(write: Write) -> None:
    write("not: [yaml")  # would be an error if it were read
    assert found(host=HOST, username="AKIAARGS0000", password=SECRET) == (HOST, pair("ARGS"))
    assert found({**REAL, "LAKECTL_SERVER_ENDPOINT_URL": HOST}) == (HOST, pair("REAL"))
    assert found(host="mem://x") == ("mem://x", Nobody())


# ---------------------------------------------------------------------------------------------------- nothing was found


def test_b9_87_nothing_found_lists_what_each_source_held(home: Path) -> None:
    with pytest.raises(NoAuthenticationFound) as caught:
        found()
    said = str(caught.value)
    for part in (
        "http://127.0.0.1:8000",
        "keyword arguments: nothing",
        "environment: no LAKECTL_ variable",
        f"{home}/.lakectl.yaml: there is no such file",
        "AWS role: not asked",
        'lakefs.init("local:./lake")',
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY",
    ):
        assert part in said


def test_what_was_found_is_named_and_not_shown(write: Write) -> None:
    write("server:\n  endpoint_url: https://from.file\n")
    with pytest.raises(NoAuthenticationFound) as caught:
        found({"LAKECTL_SERVER_ENDPOINT_URL": HOST})
    said = str(caught.value)
    assert "environment: LAKECTL_SERVER_ENDPOINT_URL" in said
    assert ".lakectl.yaml: server" in said
    assert "pip install 'lakefs-hl[aws]'" in said


def test_b9_87_a_file_without_a_credentials_block(write: Write) -> None:
    write("metastore:\n  type: hive\n")
    with pytest.raises(NoAuthenticationFound, match="1 other entries"):
        found()


# ---------------------------------------------------------------------------------------------------- lakectl's file


def test_b9_87_lakectl_config_file(write: Write, tmp_path: Path) -> None:
    write("credentials: {access_key_id: wrong, secret_access_key: wrong}")
    other = write(name="other.yaml")
    assert found({"LAKECTL_CONFIG_FILE": str(other)})[1] == pair("FILE")
    assert found({"LAKECTL_CONFIG_FILE": "~/other.yaml"})[1] == pair("FILE")
    with pytest.raises(InvalidConfigError, match=r"no file .*nowhere\.yaml"):
        found({"LAKECTL_CONFIG_FILE": str(tmp_path / "nowhere.yaml")})


def test_a_profile_was_asked_for_by_name_so_it_goes_before_the_environment(write: Write) -> None:
    write("credentials: {access_key_id: wrong, secret_access_key: wrong}")
    write(name=".lakectl.work.yaml")
    assert found(REAL, profile="work") == ("https://from.file", pair("FILE"))
    with pytest.raises(InvalidConfigError, match=r"no file .*\.lakectl\.play\.yaml"):
        found(REAL, profile="play")


def test_a_profile_may_hold_the_endpoint_only(write: Write) -> None:
    write("server: {endpoint_url: 'https://from.profile'}", ".lakectl.work.yaml")
    assert found(REAL, profile="work") == ("https://from.profile", pair("REAL"))


@pytest.mark.parametrize("name", ["", "../x", "a/b", "..", "a\0b", ".hidden"])
def test_a_profile_is_a_name(home: Path, name: str) -> None:
    with pytest.raises(InvalidConfigError, match="not a profile's name"):
        found(profile=name)


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


def test_a_file_that_anybody_may_change_is_refused(write: Write) -> None:
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
def test_a_file_of_credentials_that_others_can_get_at_is_named(write: Write, mode: int, words: str | None) -> None:
    path = write()
    path.chmod(mode)
    exposed = resolve(Given(), {}).exposed
    assert len(exposed) == (0 if words is None else 1)
    for text in exposed:
        assert f"{path} holds credentials and {words}" in text
        assert f"(mode {mode:o}): chmod 600 {path}" in text
    assert resolve(Given(host=HOST, username="u", password="p"), {}).exposed == ()  # not read
    assert resolve(Given(host="mem://"), {}).exposed == ()


def test_a_file_without_credentials_may_be_read_by_all(write: Write) -> None:
    write("server: {endpoint_url: 'https://from.file'}").chmod(0o644)
    assert resolve(Given(), REAL).exposed == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_what_is_no_file_is_no_configuration_and_is_not_waited_for(home: Path) -> None:
    fifo = home / "fifo"
    os.mkfifo(fifo)
    for path, words in ((fifo, "it is a FIFO"), ("/dev/null", "it is a device"), (home, "it is a directory")):
        with pytest.raises(InvalidConfigError, match=words):
            found({"LAKECTL_CONFIG_FILE": str(path)})
    (home / ".lakectl.work.yaml").symlink_to(fifo)
    with pytest.raises(InvalidConfigError, match="it is a FIFO"):
        found(profile="work")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        with pytest.raises(InvalidConfigError, match=f"{variable} names .*fifo', which is a FIFO"):
            settled({variable: str(fifo)})
    with pytest.raises(InvalidConfigError, match=r"ca_cert= names .*fifo', which is a FIFO"):
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
    with pytest.raises(InvalidConfigError, match=f"`{name}` is there twice, in two spellings") as caught:
        found()
    assert SECRET not in str(caught.value)


def test_names_of_headers_stay_as_they_are(write: Write) -> None:
    write(
        "server: {endpoint_url: https://x}\ncredentials: {Provider: {TYPE: aws_iam, AWS_IAM: {Token_Request_Headers: "
        "{X-A.b: secret}}}}"
    )
    assert found()[1] == AwsRole(token_request_headers={"X-A.b": "secret"})


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("LocalHost", True), ("127.evil.example", False), ("localhost.evil.example", False), ("x.localhost", False),
        ("::10", False), ("128.0.0.1", False), ("0.0.0.0", False), ("::", False), ("", False),
        ("::ffff:10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_counts_as_this_machine(host: str, is_loopback: bool) -> None:
    assert config.is_loopback(host) is is_loopback


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*args: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(config, "_may_have_role", lambda: False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert found(REAL) == ("http://127.0.0.1:8000", pair("REAL"))
    with pytest.raises(NoAuthenticationFound, match="there is no home directory"):
        found()
    for env, arguments in (({"LAKECTL_CONFIG_FILE": "~/x"}, {}), ({}, {"profile": "work"})):
        with pytest.raises(InvalidConfigError, match="home directory"):
            found(env, **arguments)


def test_a_folder_in_the_files_place(home: Path) -> None:
    (home / ".lakectl.yaml").mkdir()
    with pytest.raises(InvalidConfigError, match="cannot be read"):
        found()


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(alphabet="ab:[]{}&*!|>-?'\"\n \t#~,%@`", max_size=60).map(str.encode))
def test_any_bytes_are_entries_or_an_error_of_ours(content: bytes) -> None:
    try:
        data = lakectl.parse(content, "the file")
    except InvalidConfigError as exc:
        said = str(exc)
    else:
        assert isinstance(data, dict)
        return
    assert "the file" in said


# ---------------------------------------------------------------------------------------------------- AWS role


def test_the_aws_role_of_the_file(write: Write) -> None:
    write(
        "server: {endpoint_url: https://x}\ncredentials:\n  provider:\n    type: aws_iam\n    aws_iam:\n"
        "      token_ttl_seconds: 900\n      url_presign_ttl_seconds: 30\n      token_request_headers: {X-A: b}\n"
    )
    role = AwsRole(token_ttl_seconds=900, url_presign_ttl_seconds=30, token_request_headers={"X-A": "b"})
    assert found() == ("https://x", role)


def test_a_pair_in_the_file_goes_before_its_provider(write: Write) -> None:
    write(f"{FILE}  provider: {{type: aws_iam}}\n")
    assert found()[1] == pair("FILE")


def test_the_aws_role_of_the_environment(home: Path) -> None:
    env = {
        "LAKECTL_SERVER_ENDPOINT_URL": HOST,
        "LAKECTL_CREDENTIALS_PROVIDER_TYPE": "aws_iam",
        "LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_TOKEN_TTL_SECONDS": "120",
        "LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_PRESIGNED_URL_TTL_SECONDS": "10",
        "LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_TOKEN_REQUEST_HEADERS": '{"X-A":"b"}',
    }
    assert found(env)[1] == AwsRole(
        token_ttl_seconds=120, url_presign_ttl_seconds=10, token_request_headers={"X-A": "b"}
    )
    with pytest.raises(InvalidConfigError, match="TOKEN_REQUEST_HEADERS is not a JSON object"):
        found({**env, "LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_TOKEN_REQUEST_HEADERS": "{"})
    with pytest.raises(InvalidConfigError, match="'gcp' is not known"):
        found({**env, "LAKECTL_CREDENTIALS_PROVIDER_TYPE": "gcp"})


def test_the_aws_role_is_the_last_resort_where_there_is_an_endpoint(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_may_have_role", lambda: True)
    assert found(host=HOST)[1] == AwsRole(asked=False)
    with pytest.raises(NoAuthenticationFound, match="not asked, there is no endpoint"):
        found()


# ---------------------------------------------------------------------------------------------------- the endpoint


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://h:8000", "http://h:8000"),
        ("http://h:8000/", "http://h:8000"),
        ("http://h:8000/api/v1", "http://h:8000"),
        ("http://h:8000/api/v1/", "http://h:8000"),
        (" https://H.example ", "https://h.example"),
        ("https://[::1]:8000/api/v1", "https://[::1]:8000"),
        ("https://h/lakefs", "https://h/lakefs"),
        ("https://h/lakefs/", "https://h/lakefs"),
        ("https://h:8443/lakefs/api/v1/", "https://h:8443/lakefs"),
        ("https://h/a//b%20c/api/v1", "https://h/a/b%20c"),
        ("https://h/api/lakefs", "https://h/api/lakefs"),
        ("https://h/\u00fc", "https://h/%C3%BC"),
        ("http://B\u00fccher.example:8000", "http://xn--bcher-kva.example:8000"),
        ("mem://", "mem://"),
        ("mem:", "mem://"),
        ("mem://name", "mem://name"),
        ("local:/a/b", "local:/a/b"),
        ("local:///a/b", "local:/a/b"),
        ("local:/a/../b/./c", "local:/b/c"),
    ],
)
def test_b9_87_endpoints_as_people_write_them(written: str, read: str) -> None:
    assert config.endpoint_of(written, "a test") == read


def test_a_folder_is_made_absolute_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert config.endpoint_of("local:./lake", "t") == f"local:{tmp_path / 'lake'}"
    assert config.endpoint_of("local:lake", "t") == f"local:{tmp_path / 'lake'}"
    assert config.endpoint_of("local://./lake", "t") == f"local:{tmp_path / 'lake'}"
    assert config.endpoint_of("local:~/lake", "t") == f"local:{tmp_path / 'home' / 'lake'}"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("http://h/api/v1/repositories", "a path within the API"),
        ("http://h/lakefs/api/v1/repositories", "a path within the API"),
        ("http://h/api/v2", "a path within the API"),
        ("http://h/a/../b", "a path within the API"),
        ("http://h?x=1", "a query or a fragment"),
        ("http://h#x", "a query or a fragment"),
        ("http://stra\u00dfe.example", "different domains by different standards"),
        ("http://a..\u00fc.example", "not a valid international domain name"),
        ("h:8000", "did you mean http://h:8000"),
        ("./lake", "did you mean local:./lake"),
        ("localhost", "is not an endpoint"),
        ("ftp://h", "is not an endpoint"),
        ("file:///lake", "is not an endpoint"),
        ("http://", "is not an endpoint"),
        ("http://h:port", "not a URL"),
        ("http://h:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://h h", "is not an endpoint"),
        (f"http://user:{SECRET}@h", "holds a user name"),
        (f"http://{SECRET}@h/x?y={SECRET}", "holds a user name"),
        ("local:", "names no folder"),
        ("local://host/lake", "names a host"),
        ("", "is not an endpoint"),
    ],
)
def test_what_is_no_endpoint_says_what_is(written: str, words: str) -> None:
    with pytest.raises(InvalidConfigError, match=words) as caught:
        config.endpoint_of(written, "LAKECTL_SERVER_ENDPOINT_URL")
    assert "LAKECTL_SERVER_ENDPOINT_URL" in str(caught.value)
    assert SECRET not in str(caught.value)


# ---------------------------------------------------------------------------------------------------- the rest


def settled(env: Mapping[str, str], **arguments: Any) -> config.Settings:
    return resolve(Given(host=HOST, access_token="t", **arguments), env)


@pytest.mark.parametrize(
    ("env", "proxies"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, {"https": "http://p:1"}),
        ({"HTTP_PROXY": "p:1"}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}, {}),
        ({"ALL_PROXY": "http://p:1"}, {"all": "http://p:1"}),
    ],
)
def test_b9_88_proxies_of_the_environment(env: dict[str, str], proxies: dict[str, str]) -> None:
    assert settled(env).proxies == proxies


def test_b9_88_no_proxy() -> None:
    found_ = settled({"NO_PROXY": " a.example, .b.example ,10.0.0.0/8,"}).no_proxy
    assert found_[:3] == ("a.example", ".b.example", "10.0.0.0/8")
    assert "localhost" in found_  # this machine is never behind a proxy


def test_b9_88_a_proxy_given_wins_and_an_empty_one_is_none() -> None:
    env = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}
    given_ = settled(env, proxy=f"http://u:{SECRET}@q:1")
    assert (given_.proxies, given_.no_proxy) == ({"all": f"http://u:{SECRET}@q:1"}, ())
    assert SECRET not in repr(given_.lines)
    assert settled(env, proxy="").proxies == {}
    for wrong in ("socks5://h:1", "http://h:99999", "http://h:0", "http://[::1", "http://", "h:1", "http://straße.de"):
        with pytest.raises(InvalidConfigError, match="is not a proxy"):
            settled({}, proxy=wrong)


def test_b9_88_certificate_authorities(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert settled({}, ca_cert=str(bundle)).ca_cert == str(bundle)
    assert settled({"SSL_CERT_FILE": str(bundle)}).ca_cert == str(bundle)
    assert settled({"REQUESTS_CA_BUNDLE": str(bundle)}).ca_cert == str(bundle)
    assert settled({}).ca_cert is None
    for env, arguments in (({"SSL_CERT_FILE": "/nowhere.pem"}, {}), ({}, {"ca_cert": "/nowhere.pem"})):
        with pytest.raises(InvalidConfigError, match=r"names '/nowhere\.pem', which does not exist"):
            settled(env, **arguments)


def test_the_committer() -> None:
    assert resolve(Given(host="mem://"), {"LAKEFS_HL_COMMITTER": "ada"}).committer == "ada"
    assert resolve(Given(host="mem://", committer="bob"), {"LAKEFS_HL_COMMITTER": "ada"}).committer == "bob"
    assert resolve(Given(host="mem://"), {}).committer


def test_concurrency() -> None:
    assert settled({}).max_concurrency is None
    assert settled({"LAKEFS_HL_MAX_CONCURRENCY": "4"}).max_concurrency == 4
    assert settled({"LAKEFS_HL_MAX_CONCURRENCY": "4"}, max_concurrency=2).max_concurrency == 2
    for value in ("0", "-1", "many"):
        with pytest.raises(InvalidConfigError, match="LAKEFS_HL_MAX_CONCURRENCY"):
            settled({"LAKEFS_HL_MAX_CONCURRENCY": value})
    with pytest.raises(InvalidConfigError, match="max_concurrency is 0"):
        settled({}, max_concurrency=0)


def test_the_keys_of_a_served_lake() -> None:
    names = ("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY")
    assert config.serve_keys({}) is None
    assert config.serve_keys(dict(zip(names, ("k", "s"), strict=True))) == ("k", "s")
    with pytest.raises(InvalidConfigError, match=names[1]):
        config.serve_keys({names[0]: "k"})


def test_every_value_has_its_source_and_no_secret(write: Write) -> None:
    path = write()
    env = {"LAKECTL_SERVER_ENDPOINT_URL": HOST, "LAKEFS_HL_MAX_CONCURRENCY": "4"}
    lines = resolve(Given(), env).lines
    assert lines == (
        ("endpoint", HOST, "environment"),
        ("credentials", "access key AKIA… and its secret", str(path)),
        ("max_concurrency", "4", "LAKEFS_HL_MAX_CONCURRENCY"),
    )


@pytest.mark.parametrize(
    "value", [pair("REAL"), Token(SECRET), Given(username="u", password=SECRET, access_token=SECRET)]
)
def test_b9_93_no_repr_shows_a_secret(value: object) -> None:
    assert SECRET not in repr(value)


def test_b9_93_settings_show_no_secret(home: Path) -> None:
    assert SECRET not in repr(resolve(Given(), REAL))
