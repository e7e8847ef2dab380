"""The options: spelled alike everywhere, converted, checked and hidden as their fields say."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import pathlib
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.config.environment import Environment
from lakefs_hl.config.options import (
    ALIASES,
    DEFAULTS,
    MAX_SECONDS,
    OPTIONS,
    PER_CALL,
    options_from,
    per_call_options,
)
from lakefs_hl.config.retry import Retry
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.types import ClientOptions
from tests.config.samples import SECRET

ROOT = Path(__file__).resolve().parents[2]
FIELDS = dataclasses.fields(ClientOptions)
HANDLES = ["Repository", "Reference", "Branch", "Tag", "Commit", "ObjectInfo", "CommonPrefix"]
WITH_OPTIONS = [
    pytest.param(getattr(module, name).with_options, id=f"{module.__name__}.{name}")
    for module in (lakefs_hl, aio)
    for name in ("Client", *HANDLES)
    if hasattr(getattr(module, name), "with_options")
]


def answer(request: Request) -> Response:
    return Response(404)


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.annotation, one.default) for one in found if one.name != "self"]


# ------------------------------------------------------------------------------------------------- spelled alike


@pytest.mark.parametrize(
    "function", [lakefs_hl.Client.__init__, lakefs_hl.init, aio.Client.__init__, aio.init],
    ids=["Client", "init", "aio.Client", "aio.init"],
)  # fmt: skip
def test_a_client_takes_the_options_and_then_their_further_names(function: Callable[..., Any]) -> None:
    own = [(field.name, field.type, field.default) for field in FIELDS]
    further = [(alias, ClientOptions.__annotations__[name], DEFAULTS[name]) for alias, name in ALIASES.items()]
    assert parameters(function) == own + further


@pytest.mark.parametrize("function", WITH_OPTIONS)
def test_with_options_takes_the_options_of_a_call(function: Callable[..., Any]) -> None:
    own = [(field.name, field.type, None) for field in FIELDS if field.metadata["per_call"]]
    assert parameters(function) == own
    assert [name for name, _, _ in own] == list(PER_CALL)


def test_there_are_handles_to_compare() -> None:
    assert len(WITH_OPTIONS) >= 10


def test_each_option_is_documented() -> None:
    documented = inspect.getdoc(lakefs_hl.Client) or ""
    for field in FIELDS:
        assert field.metadata["help"].endswith(".")
        assert field.metadata["unset"] or field.default is not None or field.metadata["group"] == "credentials"
        assert f"{field.name}: " in documented


def test_no_variable_and_no_key_sets_two_options() -> None:
    variables = [variable for option in OPTIONS.values() for variable in option.variables]
    keys = [option.file_key for option in OPTIONS.values() if option.file_key]
    assert len(set(variables)) == len(variables)
    assert len(set(keys)) == len(keys)


def test_variables_of_secrets_are_hidden() -> None:
    for name, option in OPTIONS.items():
        for variable in option.variables if option.is_secret else ():
            assert SECRET not in repr(Environment({variable: SECRET}).get(variable)), name


# ------------------------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("options_table", ROOT / "tools" / "options_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_the_page_is_current(tool: ModuleType) -> None:
    page = tool.PAGE.read_text(encoding="utf-8")
    assert page == tool.with_table(page), "run python tools/options_table.py"
    for name in (*OPTIONS, *ALIASES):
        assert f"`{name}`" in tool.table()


def test_a_table_that_is_not_current_is_noticed(tool: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(tool, "PAGE", page)
    page.write_text(f"# Page\n\n{tool.BEGIN}| an old table |\n{tool.END}\nThe end.\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["options_table.py", "--check"])
    assert tool.main() == 1
    monkeypatch.setattr("sys.argv", ["options_table.py"])
    assert tool.main() == 0
    assert "an old table" not in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").endswith("\nThe end.\n")
    monkeypatch.setattr("sys.argv", ["options_table.py", "--check"])
    assert tool.main() == 0
    with pytest.raises(ValueError, match="no marks for the table"):
        tool.with_table("# Page\n")


# ------------------------------------------------------------------------------------------- conversion and checks


def test_none_means_that_an_option_is_not_given() -> None:
    nothing = {field.name: None for field in FIELDS if field.default is None}
    assert ClientOptions(**nothing) == ClientOptions()  # type: ignore[arg-type]
    assert ClientOptions().given() == {}
    assert options_from({**nothing, **dict.fromkeys(ALIASES)}) == ClientOptions()


@pytest.mark.parametrize("name", ["verify_ssl", "create", "pickle_secrets", "allowed_storage_hosts"])
def test_an_option_with_another_default_is_not_none(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        ClientOptions(**{name: None})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["hots", "max_retries", "endpoint"])
def test_an_option_that_does_not_exist_is_named(name: str) -> None:
    given: dict[str, Any] = {name: "x"}
    with pytest.raises(TypeError, match=f"'{name}' is not an option of a client"):
        ClientOptions(**given)
    with pytest.raises(TypeError, match=f"'{name}' is not an option of a client"):
        ClientOptions().replace(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeout": 0}, "timeout=0: must be a number of seconds above 0"),
        ({"deadline": 2 * MAX_SECONDS}, "deadline="),
        ({"connect_timeout": float("nan")}, "connect_timeout=nan"),
        ({"max_concurrency": 0}, "max_concurrency=0: must be an integer >= 1"),
        ({"retries": -1}, "retries=-1: must be an integer >= 0"),
        ({"token_ttl_seconds": 0}, "token_ttl_seconds=0: must be an integer >= 1"),
        ({"url_presign_ttl_seconds": -5}, "url_presign_ttl_seconds=-5: must be an integer >= 1"),
        ({"max_concurrency": 10**30}, "max_concurrency must be an integer of 64 bits"),
        ({"profile": "\ud800"}, "profile must be text that UTF-8 can encode"),
        ({"allowed_storage_hosts": "http://h"}, "allowed_storage_hosts: 'http://h' is not `host` or `host:port`"),
        ({"allowed_storage_hosts": ["h", "*"]}, r"allowed_storage_hosts: '\*' is not `host`"),
        ({"allowed_storage_hosts": ["h:99999"]}, "allowed_storage_hosts: 'h:99999' is not `host`"),
        ({"token_request_headers": {"a": "b\nc"}}, r"token_request_headers\['a'\] has a line break"),
        ({"token_request_headers": {"a": "\u00e9"}}, r"token_request_headers\['a'\] has a line break"),
        ({"token_request_headers": {"a b": "c"}}, "token_request_headers: 'a b' is not the name of a header"),
        ({"token_request_headers": {"a\n": "c"}}, r"token_request_headers: 'a\\n' is not the name of a header"),
        ({"token_request_headers": {"": "c"}}, "token_request_headers: '' is not the name of a header"),
        ({"token_request_headers": {"hOST": "c"}}, "token_request_headers: 'Host' is signed already"),
        ({"token_request_headers": {"a": "1", "A": "2"}}, r"token_request_headers\['A'\] is given twice"),
    ],
)
def test_a_value_out_of_range_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidConfigError, match=words):
        ClientOptions(**given)
    with pytest.raises(InvalidConfigError, match=words):
        ClientOptions().replace(**given)


def test_values_are_converted() -> None:
    numbers: dict[str, Any] = {"verify_ssl": 0, "create": 1}
    options = ClientOptions(ca_cert=pathlib.Path("/a/b"), allowed_storage_hosts=["a", "b"], transport=answer, **numbers)
    assert options.given() == {
        "ca_cert": "/a/b",
        "allowed_storage_hosts": ("a", "b"),
        "verify_ssl": False,
        "transport": answer,
    }


def test_a_coroutine_function_is_no_transport() -> None:
    async def slow(request: Request) -> Response:
        return Response(404)

    with pytest.raises(TypeError, match="transport must be a plain function, not a coroutine function"):
        ClientOptions(transport=slow)  # type: ignore[arg-type]


def test_retries_are_a_number_or_a_retry() -> None:
    assert ClientOptions(retries=3).retries == 3
    assert ClientOptions(retries=Retry.CLOUDFILES).retries == Retry.CLOUDFILES
    with pytest.raises(TypeError, match=r"retries must be an integer or a lakefs_hl\.types\.Retry, not str: '3'"):
        ClientOptions(retries="3")  # type: ignore[arg-type]


def test_options_of_a_call_are_checked_and_none_leaves_one_out() -> None:
    assert per_call_options(timeout=5, deadline=None, retries=0) == {"timeout": 5, "retries": 0}
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        per_call_options(timeout="5")


def test_an_option_may_be_given_under_its_further_name() -> None:
    options = options_from({"endpoint": "http://h", "access_key_id": "k", "secret_access_key": SECRET})
    assert (options.host, options.username, arguments.text(options.password, "p")) == ("http://h", "k", SECRET)
    assert options_from({"host": "http://h", "endpoint": "http://h"}) == ClientOptions(host="http://h")
    with pytest.raises(
        InvalidConfigError, match="password and secret_access_key are two names of one option"
    ) as caught:
        options_from({"password": SECRET, "secret_access_key": SECRET + "x"})
    assert SECRET not in str(caught.value)


# -------------------------------------------------------------------------------------------------------- a value


def test_options_are_frozen_equal_and_hashable() -> None:
    one = ClientOptions(host="http://h", timeout=5, token_request_headers={"a": "b"})
    assert one == ClientOptions(host="http://h", timeout=5.0, token_request_headers={"a": "b"})
    assert hash(one) == hash(ClientOptions(host="http://h", timeout=5, token_request_headers={"a": "b"}))
    assert one != ClientOptions(host="http://h")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.host = "http://other"  # type: ignore[misc]


def test_a_copy_has_other_values_and_the_original_keeps_its_own() -> None:
    one = ClientOptions(timeout=5, retries=1)
    other = one.replace(timeout=7, verify_ssl=True)
    assert (one.timeout, other.timeout, other.retries) == (5, 7, 1)
    assert other.given() == {"timeout": 7, "retries": 1}
    assert dataclasses.replace(one, timeout=7) == other
    assert one.replace(timeout=None) == ClientOptions(retries=1)


def test_the_repr_shows_what_was_given_and_no_secret() -> None:
    options = ClientOptions(
        host="http://h",
        username="key",
        password=SECRET,
        proxy=f"http://me:{SECRET}@p",
        token_request_headers={"x": SECRET},
        timeout=5,
    )
    assert SECRET not in repr(options)
    assert "host='http://h'" in repr(options)
    assert "timeout=5" in repr(options)
    assert "deadline" not in repr(options)


@pytest.mark.parametrize(
    "given",
    [
        {"password": SECRET, "timeout": "x"},
        {"access_token": [SECRET]},
        {"token_request_headers": {"x": SECRET}, "hots": 1},
        {"proxy": f"http://me:{SECRET}@p", "retries": -1},
    ],
)
def test_no_frame_of_a_refusal_holds_a_secret(given: dict[str, Any]) -> None:
    with pytest.raises((TypeError, InvalidConfigError)) as caught:
        ClientOptions(**given)
    for trace in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack:
        assert trace.name.startswith("test_") or SECRET not in str(trace.locals)


@pytest.mark.parametrize("value", [[SECRET], SECRET, 5])
def test_a_secret_of_another_type_is_called_by_it(value: Any) -> None:
    given: dict[str, Any] = {"host": "https://h", "token_request_headers": value}
    with pytest.raises(TypeError, match=f"must be a mapping of strings to strings, not {type(value).__name__}$"):
        lakefs_hl.Client(**given)


@pytest.mark.parametrize("entry", [f"me:{SECRET}@h", f"https://me:{SECRET}@h/x", f"h?x={SECRET}"])
def test_a_storage_host_with_more_than_a_host_is_not_shown_whole(entry: str) -> None:
    with pytest.raises(InvalidConfigError, match="is not `host` or `host:port`") as caught:
        ClientOptions(allowed_storage_hosts=entry)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("alias", ["access_key_id", "secret_access_key"])
def test_a_value_under_a_further_name_is_checked_the_same(alias: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"{alias} must be text that UTF-8 can encode"):
        options_from({alias: "\ud800"})


def test_options_with_a_secret_do_not_pickle_in_silence() -> None:
    assert pickle.loads(pickle.dumps(ClientOptions(timeout=5))) == ClientOptions(timeout=5)
    with pytest.raises(TypeError, match="a secret cannot be pickled"):
        pickle.dumps(ClientOptions(password=SECRET))
