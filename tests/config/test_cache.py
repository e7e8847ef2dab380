"""The cache directory: where it is, who may read it, and what tells its parts apart."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.config.cache import cache_directory, cache_path
from lakefs_hl.config.credentials import Anonymous, AwsRole, Credentials, Token
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import KeyPair
from tests.config.samples import SECRET

HOST = "https://lakefs.example"
PAIR = KeyPair("AKIAEXAMPLE0", SECRET)
posix = pytest.mark.skipif(os.name != "posix", reason="no such permissions on this system")


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    """Variables that name a cache directory that does not exist yet."""
    return {"LAKEFS_HL_CACHE_DIR": str(tmp_path / "deep" / "cache")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ------------------------------------------------------------------------------------------------------- where


def test_the_variable_comes_first(home: Path) -> None:
    env = {"LAKEFS_HL_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}
    assert cache_path(env) == Path("/a/b")
    assert cache_path({"LAKEFS_HL_CACHE_DIR": "~/mine"}) == home / "mine"


def test_then_the_cache_directory_of_xdg(home: Path) -> None:
    assert cache_path({"XDG_CACHE_HOME": "/c"}) == Path("/c/lakefs_hl")
    assert cache_path({}) == cache_path({"XDG_CACHE_HOME": ""}) == home / ".cache" / "lakefs_hl"
    assert cache_path({"XDG_CACHE_HOME": "relative"}) == home / ".cache" / "lakefs_hl"  # as the specification says


def test_a_relative_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cache_path({"LAKEFS_HL_CACHE_DIR": "cache"}) == tmp_path / "cache"


def test_without_a_home_directory_the_error_names_the_variable(mocker: MockerFixture) -> None:
    mocker.patch.object(Path, "home", side_effect=RuntimeError("Could not determine home directory."))
    with pytest.raises(InvalidConfigError, match="set LAKEFS_HL_CACHE_DIR"):
        cache_path({})
    assert cache_path({"LAKEFS_HL_CACHE_DIR": "/a"}) == Path("/a")


# -------------------------------------------------------------------------------------------------------- parts


def test_endpoint_and_key_id_tell_directories_apart(cache: dict[str, str]) -> None:
    first = cache_directory(HOST, PAIR, cache)
    assert first == cache_directory(HOST, PAIR, cache)
    others = [
        cache_directory("https://other.example", PAIR, cache),
        cache_directory(HOST, KeyPair("AKIAEXAMPLE1", SECRET), cache),
        cache_directory(HOST, Token(SECRET), cache),
        cache_directory(HOST, AwsRole(), cache),
        cache_directory("local:/lake", Anonymous(), cache),
    ]
    assert len({first, *others}) == 6
    assert {path.parent for path in (first, *others)} == {cache_path(cache)}


def test_a_secret_changes_nothing_and_is_in_no_name(cache: dict[str, str]) -> None:
    path = cache_directory(HOST, PAIR, cache)
    assert path == cache_directory(HOST, KeyPair("AKIAEXAMPLE0", "another secret"), cache)
    for word in (SECRET, "AKIAEXAMPLE0", "lakefs.example"):
        assert word not in str(path)


def jwt(signature: str, **claims: object) -> Token:
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({"alg": "HS256"}, claims))
    return Token(f"{head}.{body}.{signature}")


def test_tokens_of_one_user_share_a_directory_and_those_of_others_do_not(cache: dict[str, str]) -> None:
    mine = [jwt("a", sub="alice", exp=1), jwt("b", sub="alice", exp=2, jti="x")]
    others: list[Credentials] = [
        jwt("a", sub="bob", exp=1),
        jwt("a", sub="alice", kid="a key of this name that was made anew"),
        jwt("a", sub="alice", iss="another"),
        jwt("a", sub=""),
        jwt("a", sub=["alice"]),
        jwt("a"),
        Token(SECRET),
        Token("another"),
        Token("a.%.b"),
        Token("a.W10=.b"),
        KeyPair("alice", SECRET),
        AwsRole(),
    ]
    assert len({cache_directory(HOST, each, cache) for each in mine}) == 1
    assert len({cache_directory(HOST, each, cache) for each in (*mine, *others)}) == 1 + len(others)


# -------------------------------------------------------------------------------------------------- permissions


@posix
def test_it_is_made_on_first_use_for_its_owner_alone(cache: dict[str, str]) -> None:
    assert not cache_path(cache).exists()
    old = os.umask(0)
    try:
        path = cache_directory(HOST, PAIR, cache)
    finally:
        os.umask(old)
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)


@posix
@pytest.mark.parametrize("loose", [0o750, 0o755, 0o705])
def test_what_others_may_read_is_taken_away(cache: dict[str, str], loose: int) -> None:
    path = cache_directory(HOST, PAIR, cache)
    for each in (path, path.parent):
        each.chmod(loose)
    assert cache_directory(HOST, PAIR, cache) == path
    assert (mode(path), mode(path.parent)) == (0o700, 0o700)


@posix
@pytest.mark.parametrize("loose", [0o770, 0o777, 0o702, 0o1777])
@pytest.mark.parametrize("which", ["the whole", "a part"])
def test_what_others_may_write_to_is_refused(cache: dict[str, str], loose: int, which: str) -> None:
    path = cache_directory(HOST, PAIR, cache)
    (path if which == "a part" else path.parent).chmod(loose)
    with pytest.raises(InvalidConfigError, match=r"others may write to the cache directory .* chmod 700"):
        cache_directory(HOST, PAIR, cache)


@posix
def test_another_users_directory_is_refused(cache: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    cache_directory(HOST, PAIR, cache)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(InvalidConfigError, match="belongs to another user"):
        cache_directory(HOST, PAIR, cache)


def test_a_file_in_its_place_says_so(cache: dict[str, str]) -> None:
    cache_path(cache).parent.mkdir()
    cache_path(cache).touch()
    with pytest.raises(InvalidConfigError, match=r"cannot be used: .*; set LAKEFS_HL_CACHE_DIR"):
        cache_directory(HOST, PAIR, cache)


def test_a_link_to_a_directory_is_followed(cache: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "large disk"
    target.mkdir(mode=0o700)
    cache_path(cache).parent.mkdir()
    cache_path(cache).symlink_to(target)
    assert cache_directory(HOST, PAIR, cache).resolve().parent == target
