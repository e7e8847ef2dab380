"""The chain of sources: which is read, in which order, and what is said when none holds credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.config import chain
from lakefs_hl.config.credentials import Anonymous, AwsRole, Token
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from tests.config.samples import FILE, HOST, REAL, SECRET, SEED, Write, found, pair


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


def test_a_token_from_the_environment_goes_before_a_pair(home: Path) -> None:
    assert found({**REAL, "LAKECTL_CREDENTIALS_SESSION_TOKEN": SECRET})[1] == Token(SECRET)
    assert found(access_token=SECRET)[1] == Token(SECRET)


def test_a_token_and_a_key_pair_exclude_each_other(home: Path) -> None:
    with pytest.raises(InvalidConfigError, match="a token and a key pair"):
        found(access_token="t", username="u", password="p")


def test_an_empty_variable_is_none(write: Write) -> None:
    write()
    empty = dict.fromkeys((*REAL, *SEED, "LAKECTL_SERVER_ENDPOINT_URL", "LAKECTL_CREDENTIALS_SESSION_TOKEN"), "")
    assert found(empty) == ("https://from.file", pair("FILE"))


def test_a_source_is_read_only_while_something_is_missing(write: Write) -> None:
    write("not: [yaml")  # would be an error if it were read
    assert found(host=HOST, username="AKIAARGS0000", password=SECRET) == (HOST, pair("ARGS"))
    assert found({**REAL, "LAKECTL_SERVER_ENDPOINT_URL": HOST}) == (HOST, pair("REAL"))
    assert found(host="mem://x") == ("mem://x", Anonymous())


def test_b9_87_nothing_found_lists_what_each_source_held(home: Path) -> None:
    with pytest.raises(NoAuthenticationFound) as caught:
        found()
    said = str(caught.value)
    for part in (
        "http://127.0.0.1:8000",
        "keyword arguments: nothing",
        "environment: no LAKECTL_ variable",
        f"{home}/.lakectl.yaml: there is no such file",
        "AWS role: not used",
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


def test_b9_87_lakectl_config_file(write: Write, tmp_path: Path) -> None:
    write("credentials: {access_key_id: wrong, secret_access_key: wrong}")
    other = write(name="other.yaml")
    assert found({"LAKECTL_CONFIG_FILE": str(other)})[1] == pair("FILE")
    assert found({"LAKECTL_CONFIG_FILE": "~/other.yaml"})[1] == pair("FILE")
    with pytest.raises(InvalidConfigError, match=r"no file .*nowhere\.yaml"):
        found({"LAKECTL_CONFIG_FILE": str(tmp_path / "nowhere.yaml")})


def test_a_profile_that_was_given_goes_before_the_environment(write: Write) -> None:
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
    with pytest.raises(InvalidConfigError, match="must be a name"):
        found(profile=name)


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*args: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(chain, "_has_boto3", lambda: False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert found(REAL) == ("http://127.0.0.1:8000", pair("REAL"))
    with pytest.raises(NoAuthenticationFound, match="there is no home directory"):
        found()
    for env, arguments in (({"LAKECTL_CONFIG_FILE": "~/x"}, {}), ({}, {"profile": "work"})):
        with pytest.raises(InvalidConfigError, match="home directory"):
            found(env, **arguments)


def test_a_pair_in_the_file_goes_before_its_provider(write: Write) -> None:
    write(f"{FILE}  provider: {{type: aws_iam}}\n")
    assert found()[1] == pair("FILE")


def test_the_aws_role_is_the_last_resort_where_there_is_an_endpoint(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_has_boto3", lambda: True)
    assert found(host=HOST)[1] == AwsRole(asked=False)
    with pytest.raises(NoAuthenticationFound, match="not used, because there is no endpoint"):
        found()


def test_an_aws_role_that_was_refused_is_never_used(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_has_boto3", lambda: True)
    role = {"LAKECTL_SERVER_ENDPOINT_URL": HOST, "LAKECTL_CREDENTIALS_PROVIDER_TYPE": "aws_iam"}
    assert isinstance(found(role)[1], AwsRole)
    for env in ({}, role):
        with pytest.raises(NoAuthenticationFound, match="AWS role: not used, because of aws_role=False"):
            found(env, host=HOST, aws_role=False)
    write()  # the next source that has other credentials
    assert found(role, aws_role=False)[1] == pair("FILE")
