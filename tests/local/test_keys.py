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
from lakefs_hl.local.disk import fs
from lakefs_hl.local.keys import ADMIN, NAME, Key, Keys, old_pair
from lakefs_hl.local.serve import keyfile
from lakefs_hl.spec.errors import ConflictException, InvalidConfigError, LakeCorruptError, NotFoundException
from lakefs_hl.spec.keys import draw
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


def test_a_key_is_found_as_it_is_now(keys: Keys) -> None:
    assert keys.find(ALICE.access_key_id) is None
    keys.put(ALICE)
    assert keys.find(ALICE.access_key_id) == ALICE
    limited = msgspec.structs.replace(ALICE, read_only=True, generation=2)
    keys.put(limited)
    assert keys.find(ALICE.access_key_id) == limited
    for name in ("", "x", "\ud800", ALICE.access_key_id.lower()):
        assert keys.find(name) is None


def test_a_lake_that_was_never_served_has_no_keys(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    assert not keys.has_admin()
    assert keys.all() == []
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
        assert not keys.has_signed(forged)
    monkeypatch.setattr(time, "time", lambda: token.token_expiration + 1)
    assert keys.verify(token.token) is None
    assert keys.has_signed(token.token)


def test_every_flipped_bit_of_a_token_is_refused(keys: Keys) -> None:
    token = keys.token(admin(keys)).token.encode()
    for at in range(len(token)):
        for bit in range(7):
            flipped = token[:at] + bytes([token[at] ^ 1 << bit]) + token[at + 1 :]
            assert keys.verify(flipped.decode("latin-1")) is None, (at, bit)
            assert not keys.has_signed(flipped.decode("latin-1")), (at, bit)


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
    token = keys.token(admin(keys)).token
    assert other.verify(token) is None
    assert not other.has_signed(token)
    assert not Keys(tmp_path / "none").has_signed(token)


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


# -- adding and removing -----------------------------------------------------------------------------------------------


def named(name: str) -> Key:
    pair = draw()
    return Key(pair.access_key_id, pair.secret_access_key, name, name or pair.access_key_id, created=1)


def test_a_file_without_deleted_keys_is_spelled_as_before(keys: Keys, tmp_path: Path) -> None:
    first, second = named("first"), named("")
    assert keys.add(first) == first
    keys.add(second)
    assert b"deleted" not in (tmp_path / NAME).read_bytes()
    assert keys.add(msgspec.structs.replace(first, created=9)) == first, "the same one again"
    keys.remove(first.access_key_id)
    assert json.loads((tmp_path / NAME).read_bytes())["deleted"] == [first.access_key_id]
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    again = Keys(tmp_path)
    assert [key.label for key in again.all()] == sorted(["admin", second.access_key_id])
    with pytest.raises(ConflictException, match="was deleted"):
        again.add(first)
    keys.remove(first.access_key_id)
    assert keys.get(second.access_key_id) == second
    for name in ("first", "", first.access_key_id):
        with pytest.raises(NotFoundException):
            keys.get(name)


def test_no_more_deleted_keys_are_remembered_than_the_limit(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMEMBERED", 3)
    made = [named("") for _ in range(5)]
    for key in made:
        keys.remove(key.access_key_id)
    assert json.loads((tmp_path / NAME).read_bytes())["deleted"] == [key.access_key_id for key in made[2:]]


def test_many_processes_add_at_the_same_time(tmp_path: Path) -> None:
    """Each with a handle of its own, as processes have: no key is lost, and no name is given twice."""
    refused: list[Exception] = []

    def add(number: int) -> None:
        own = Keys(tmp_path)
        own.add(named(f"key-{number}"))
        try:
            own.add(named("one"))
        except ConflictException as exc:
            refused.append(exc)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key.name for key in Keys(tmp_path).all()] == [*(f"key-{number}" for number in range(8)), "one"]
    assert len(refused) == 7


def test_a_lake_that_was_never_served_keeps_its_keys(tmp_path: Path) -> None:
    own = named("mine")
    Keys(tmp_path).add(own)
    admin_key = Keys(tmp_path).install()
    assert [key.label for key in Keys(tmp_path).all()] == ["admin", "mine"]
    with pytest.raises(ConflictException, match="administrator"):
        Keys(tmp_path).remove(admin_key.access_key_id)


def test_a_write_that_fails_changes_nothing(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (tmp_path / NAME).read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "write_durably", full)
    for change in (lambda: keys.add(named("new")), lambda: keys.remove("LKHL" + "A" * 16)):
        with pytest.raises(OSError, match="No space"):
            change()
    monkeypatch.undo()
    assert (tmp_path / NAME).read_bytes() == before
    keys.add(named("new"))


# -- processes that end or fork at any moment --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, keyfile.NAME])
def test_a_killed_process_leaves_no_secrets_for_long(keys: Keys, tmp_path: Path, name: str) -> None:
    """The draft of a file has the secrets of that moment, also of keys that are deleted later."""

    def write(who: Keys) -> None:
        if name == NAME:
            who.add(named("new"))
        else:
            with room.replacing(str(tmp_path / name)):
                keyfile.write(tmp_path, KeyPair("key", "another secret"), "http://127.0.0.1:8000")

    child = os.fork()
    if not child:
        fs.hook = lambda point: os._exit(9) if point.endswith(".rename") else None
        write(keys)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (draft,) = set(tmp_path.iterdir()) - {tmp_path / NAME}
    mine = [tmp_path / f"{name}.bak", tmp_path / f"{name}.1234.notmine"]
    for each in mine:
        each.touch()
    write(Keys(tmp_path))
    assert not draft.exists()
    assert all(each.exists() for each in mine)


def test_a_child_that_is_forked_meanwhile_locks_nobody_out(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    children: list[int] = []

    def fork(point: str) -> None:
        if point == "keys.rename" and not children:
            children.append(os.fork())
            if not children[0]:
                os.close(into)
                os.read(out, 1)  # until the parent lets it end
                os._exit(0)

    monkeypatch.setattr(fs, "hook", fork)
    try:
        keys.add(named("one"))
        adding = threading.Thread(target=keys.add, args=(named("two"),), daemon=True)
        adding.start()
        adding.join(5)
        assert not adding.is_alive()
    finally:
        os.close(into)
        os.waitpid(children[0], 0)
        os.close(out)
    assert [key.name for key in keys.all()] == ["admin", "one", "two"]
