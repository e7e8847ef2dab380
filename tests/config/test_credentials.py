"""Key pairs, tokens and AWS roles: what is accepted, and that none shows its secret."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, cast

import pytest

from lakefs_hl.config.credentials import AwsRole, Token
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import resolve
from lakefs_hl.spec.errors import InvalidConfigError
from tests.config.samples import HOST, REAL, SECRET, SEED, Write, found, pair


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
    with pytest.raises(InvalidConfigError, match=f"{there} is set, {missing} is not") as caught:
        found(env, **arguments)
    assert SECRET not in str(caught.value)


def test_half_a_pair_in_the_file(write: Write) -> None:
    write("credentials:\n  access_key_id: a\n")
    with pytest.raises(InvalidConfigError, match=r"credentials\.secret_access_key is not"):
        found()


@pytest.mark.parametrize("wrong", ["\n", " ", "\r\n", "\x00", "é", "\u2028"])
def test_a_token_that_no_header_can_carry_is_named_and_not_shown(wrong: str) -> None:  # read from a file, say
    session = {**REAL, "LAKECTL_CREDENTIALS_SESSION_TOKEN": SECRET + wrong}
    words = "(access_token|SESSION_TOKEN) holds a space, a line break"
    for env, token in ((session, None), ({}, SECRET + wrong)):
        with pytest.raises(InvalidConfigError, match=words) as caught:
            resolve(ClientOptions(access_token=token), env)
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("half", ["username", "password"])
def test_a_pair_with_a_line_break_is_named_and_not_shown(half: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"{half} holds a line break") as caught:
        resolve(ClientOptions(**cast("Any", {"username": "u", "password": SECRET, half: SECRET + "\n"})), {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert found(username="u", password="two words")[1] is not None


def test_a_key_id_with_a_colon_is_refused(write: Write) -> None:  # "id:secret" in one variable, say
    with pytest.raises(InvalidConfigError, match="username holds a colon") as caught:
        found(username=f"id:{SECRET}", password="x")
    assert SECRET not in str(caught.value)


def test_headers_that_cannot_be_signed_are_named_wherever_they_stand(write: Write) -> None:
    role = 'credentials: {provider: {type: aws_iam, aws_iam: {token_request_headers: {X-A: "a\\nb"}}}}'
    path = write(role)
    with pytest.raises(InvalidConfigError, match=rf"{path}: .*token_request_headers\['X-A'\] has a line break"):
        found(host=HOST)
    env = {
        "LAKECTL_CREDENTIALS_PROVIDER_TYPE": "aws_iam",
        "LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_TOKEN_REQUEST_HEADERS": '{"Host": "x"}',
    }
    with pytest.raises(InvalidConfigError, match=r"environment: .*token_request_headers: 'Host' is signed already"):
        found(env, host=HOST)


def test_the_aws_role_of_the_file(write: Write) -> None:
    write(
        "server: {endpoint_url: https://x}\ncredentials:\n  provider:\n    type: aws_iam\n    aws_iam:\n"
        "      token_ttl_seconds: 900\n      url_presign_ttl_seconds: 30\n      token_request_headers: {X-A: b}\n"
    )
    role = AwsRole(token_ttl_seconds=900, url_presign_ttl_seconds=30, token_request_headers={"X-A": "b"})
    assert found() == ("https://x", role)


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


@pytest.mark.parametrize(
    "value", [pair("REAL"), Token(SECRET), ClientOptions(username="u", password=SECRET, access_token=SECRET)]
)
def test_b9_93_no_repr_shows_a_secret(value: object) -> None:
    assert SECRET not in repr(value)
