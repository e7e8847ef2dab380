"""Keys and tokens: what is damaged is told, what is forged or old is nobody's, and replacing a key spares the rest."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import stat
import threading
import time
from pathlib import Path

import msgspec
import pytest

from lakefs_hl.local import keys as room
from lakefs_hl.local.keys import ADMIN, NAME, Key, Keys, draw, old_pair
from lakefs_hl.spec.errors import InvalidConfigError, LakeCorruptError
from lakefs_hl.spec.secret import KeyPair

ALICE = Key("ALICEKEY", "alice's secret: ü", "alice", "alice", created=1)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    found = Keys(tmp_path)
    found.install()
    return found


def admin(keys: Keys) -> Key:
    return keys.install()


def test_pairs_are_drawn() -> None:
    first, second = draw(), draw()
    assert (len(first.access_key_id), len(first.secret_access_key)) == (20, 40)
    assert first != second


def test_a_pair(keys: Keys) -> None:
    key = admin(keys)
    assert keys.authenticate(key.access_key_id, key.secret_access_key) == key
    for wrong in (
        (key.access_key_id, key.secret_access_key + "x"),
        (key.access_key_id, ""),
        ("x" + key.access_key_id, key.secret_access_key),
        (key.access_key_id, "\ud800"),
        ("\ud800", "\ud800"),
        ("", ""),
    ):
        assert keys.authenticate(*wrong) is None
    assert key.secret_access_key not in repr(key) + repr(keys)


def test_a_lake_that_was_never_served_has_no_keys(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    assert not keys.exist()
    assert keys.authenticate("", "") is None
    assert keys.verify("a.b.c") is None
    signed = room._HEAD + b"." + base64.urlsafe_b64encode(b"{}")
    assert keys.verify((signed + b"." + room._sign(b"", signed)).decode()) is None, "signed with no key at all"


def test_the_file(keys: Keys, tmp_path: Path) -> None:
    keys.put(ALICE)
    path = tmp_path / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]
    fields = set(json.loads(path.read_bytes())["keys"][1])
    assert fields >= {"access_key_id", "secret_access_key", "name", "user", "created", "generation"}
    assert Keys(tmp_path).authenticate("ALICEKEY", ALICE.secret_access_key) == ALICE


def test_a_given_pair_replaces_the_administrators_only(keys: Keys) -> None:
    first = admin(keys)
    keys.put(ALICE)
    given = KeyPair("GIVEN", "a new secret")
    second = keys.install(given)
    assert (second.access_key_id, second.generation) == ("GIVEN", first.generation + 1)
    assert keys.install(given) == second, "the same pair again changes nothing"
    assert keys.authenticate(first.access_key_id, first.secret_access_key) is None
    assert keys.authenticate("GIVEN", "a new secret") == second
    assert keys.authenticate("ALICEKEY", ALICE.secret_access_key) == ALICE
    with pytest.raises(InvalidConfigError, match="the key of another name"):
        keys.install(KeyPair("ALICEKEY", "mine now"))


def test_another_process_replaces_the_file(keys: Keys, tmp_path: Path) -> None:
    key = admin(keys)
    assert keys.authenticate(key.access_key_id, key.secret_access_key) is not None
    Keys(tmp_path).install(KeyPair("OTHER", "secret"))
    assert keys.authenticate(key.access_key_id, key.secret_access_key) is None
    assert keys.authenticate("OTHER", "secret") is not None
    (tmp_path / NAME).unlink()
    assert keys.authenticate("OTHER", "secret") is None


def test_servers_that_start_together_agree(tmp_path: Path) -> None:
    found: list[Key] = []
    threads = [threading.Thread(target=lambda: found.append(Keys(tmp_path).install())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_every_flipped_bit_is_told(keys: Keys, tmp_path: Path) -> None:
    keys.put(ALICE)
    path = tmp_path / NAME
    sound = path.read_bytes()
    for at in range(len(sound)):
        for bit in range(8):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :])
            with pytest.raises(LakeCorruptError, match="damaged or were edited"):
                Keys(tmp_path).authenticate("ALICEKEY", ALICE.secret_access_key)
    for size in range(len(sound)):
        path.write_bytes(sound[:size])
        with pytest.raises(LakeCorruptError):
            Keys(tmp_path).install(KeyPair("NEW", "secret"))
    path.write_bytes(sound)
    assert Keys(tmp_path).authenticate("ALICEKEY", ALICE.secret_access_key) == ALICE


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_tokens(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    token = keys.token(admin(keys))
    assert keys.verify(token.token) == admin(keys)
    assert token.token_expiration - time.time() <= 3600
    head, body, signature = token.token.split(".")
    for forged in ("", "x", "a.b.c", token.token + "x", f"{head}.{body}.", f"{head}.x{body}.{signature}", "é.é.é"):
        assert keys.verify(forged) is None
    monkeypatch.setattr(time, "time", lambda: token.token_expiration + 1)
    assert keys.verify(token.token) is None


def test_every_flipped_bit_of_a_token_is_refused(keys: Keys) -> None:
    token = keys.token(admin(keys)).token.encode()
    for at in range(len(token)):
        for bit in range(7):
            flipped = token[:at] + bytes([token[at] ^ 1 << bit]) + token[at + 1 :]
            assert keys.verify(flipped.decode("latin-1")) is None, (at, bit)


def test_a_token_ends_with_its_keys_generation(keys: Keys) -> None:
    keys.put(ALICE)
    first, alice = keys.token(admin(keys)), keys.token(ALICE)
    keys.install(KeyPair("NEW", "secret"))
    assert keys.verify(first.token) is None
    assert keys.verify(alice.token) == ALICE
    keys.put(msgspec.structs.replace(ALICE, secret_access_key="new", generation=2))
    assert keys.verify(alice.token) is None


def test_the_token_of_a_lake_is_no_token_of_another(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Keys(tmp_path / "other")
    other.install(KeyPair(admin(keys).access_key_id, admin(keys).secret_access_key))
    assert other.verify(keys.token(admin(keys)).token) is None


# -- lakes of format 1 -------------------------------------------------------------------------------------------------


def old_hash(secret: str) -> bytes:
    salt = os.urandom(16)
    return salt + hashlib.scrypt(secret.encode(), salt=salt, n=1 << 12, r=8, p=1)


def test_the_pair_of_an_old_lake(caplog: pytest.LogCaptureFixture) -> None:
    pair = KeyPair("OLDKEYOLDKEY", "secret")
    hashes = {"OLDKEYOLDKEY": old_hash("secret")}
    assert old_pair({}, pair) is None
    assert old_pair(hashes, pair) == pair
    assert not caplog.records
    for noted in (None, KeyPair("OLDKEYOLDKEY", "wrong"), KeyPair("OTHER", "secret")):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert old_pair(hashes, noted) is None
        assert "start once with the old pair in LAKEFS_HL_SERVE_ACCESS_KEY_ID" in caplog.text
        assert "OLDKEYOLDKEY" not in caplog.text
    assert ADMIN == "admin"
