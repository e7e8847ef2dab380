"""The keys of a served lake: `keys.json` in its directory, and the tokens that it signs.

Rules of the room: secrets are in this file and in `lakectl.yaml`, and nowhere else. It is readable by its owner only,
is no part of `lake.db` or of a backup, and is read again as soon as another process has replaced it. A file that is not
exactly what was written is damage: a key that silently disappeared, or changed, would look like a wrong password.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lakefs_hl.local.disk.fs import remove_drafts, write_durably
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ConflictException, InvalidConfigError, LakeCorruptError, NotFoundException
from lakefs_hl.spec.keys import draw
from lakefs_hl.spec.secret import KeyPair, mask

NAME: Final = "keys.json"
FORMAT: Final = 1
#: Name of the key that `lakefs-hl serve` makes, and that `LAKEFS_HL_SERVE_*` replaces.
ADMIN: Final = "admin"
#: How long a token is valid.
LIFE_SECONDS: Final = 3600
#: IDs of deleted keys that are remembered: none of them is created again by a request that arrives late.
REMEMBERED: Final = 1000
_HEAD: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_OLD_SALT: Final = 16  # bytes before the hash of a key in a lake of format 1
_LOG: Final = logging.getLogger("lakefs_hl.serve")


class Key(msgspec.Struct, frozen=True):
    """An access key.

    Attributes:
        access_key_id: The key.
        secret_access_key: Its secret.
        name: What its owner calls it; unique. "" without a name.
        user: The user that it stands for: the name in commits.
        read_only: Whether it may only read.
        repositories: The repositories that it is limited to; None for all.
        created: When it was made, in Unix seconds.
        generation: Rises when the secret is replaced, which ends the tokens of the old one.
    """

    access_key_id: str
    secret_access_key: str
    name: str
    user: str
    read_only: bool = False
    repositories: tuple[str, ...] | None = None
    created: int = 0
    generation: int = 1

    @property
    def label(self) -> str:
        """What to call it: its name, else its ID."""
        return self.name or self.access_key_id

    @property
    def is_limited(self) -> bool:
        """Whether it may do less than the administrator."""
        return self.read_only or self.repositories is not None

    def __repr__(self) -> str:
        return f"<Key {self.name} {mask(self.access_key_id)}>"


class _File(msgspec.Struct, frozen=True):
    """Content of `keys.json`. A file without deleted keys is written as releases wrote it that deleted none."""

    format: int
    signing_key: str
    keys: list[Key]
    checksum: str = ""
    deleted: list[str] | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return f"<keys.json {self.keys!r}>"


class _Known(NamedTuple):
    """The file as it was read last."""

    stamp: tuple[int, int, int] | None
    signing_key: bytes
    keys: dict[str, tuple[Key, bytes]]


class Keys:
    """The keys of one lake.

    Args:
        folder: The lake.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = os.fspath(folder)
        self._path = os.path.join(self._folder, NAME)
        # Secrets are compared as digests of one length, so that the comparison takes as long for every secret.
        self._process = secrets.token_bytes(32)
        self._nobody = self._digest(secrets.token_urlsafe(30))
        self._known = _Known(None, b"", {})
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Keys {self._path}>"

    def authenticate(self, key: str, secret: str) -> Key | None:
        """The key of a pair, or None. A key that does not exist costs as much as one that does.

        Raises:
            LakeCorruptError: The file of the keys is damaged.
        """
        known = self._read()
        found, expected = known.keys.get(key, (None, self._nobody))
        return found if hmac.compare_digest(self._digest(secret), expected) else None

    def find(self, key: str) -> Key | None:
        """The key of this name, as it is now; None if there is none.

        Raises:
            LakeCorruptError: The file of the keys is damaged.
        """
        found = self._read().keys.get(key)
        return None if found is None else found[0]

    def token(self, key: Key, life: int = LIFE_SECONDS) -> models.Token:
        """A token that stands for a key, for some seconds and as long as the key has this secret."""
        expires = int(time.time()) + life
        claims = {"sub": key.user, "kid": key.access_key_id, "gen": key.generation, "exp": expires}
        body = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).rstrip(b"=")
        signed = _HEAD + b"." + body
        return models.Token((signed + b"." + _sign(self._read().signing_key, signed)).decode(), expires)

    def verify(self, token: str) -> Key | None:
        """The key that a token stands for; None if it is forged, expired, or its key has gone or a new secret.

        Raises:
            LakeCorruptError: The file of the keys is damaged.
        """
        known = self._read()
        body = _body_of(token, known.signing_key)
        if body is None:
            return None
        try:
            claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
            found, _ = known.keys[claims["kid"]]
        except (ValueError, LookupError, TypeError, binascii.Error):
            return None
        return found if claims["gen"] == found.generation and claims["exp"] > time.time() else None

    def has_signed(self, token: str) -> bool:
        """Whether a token is one that this lake has made, be it expired or of a key that has gone.

        Raises:
            LakeCorruptError: The file of the keys is damaged.
        """
        return _body_of(token, self._read().signing_key) is not None

    def sign(self, data: bytes) -> str:
        """The signature of some data. What it is of must be told by how the data begins; a token's is `eyJ`.

        Raises:
            LakeCorruptError: The file of the keys is damaged.
        """
        return _sign(self._read().signing_key, data).decode()

    def is_signature(self, given: str, signed: str) -> bool:
        """Whether a signature is the right one. No signature is right in a lake without keys."""
        same = hmac.compare_digest(given.encode("utf-8", "replace"), signed.encode())
        return same and bool(self._read().signing_key)

    # ------------------------------------------------------------------------------------------------------ the file

    def install(self, given: KeyPair | None = None, old: KeyPair | None = None) -> Key:
        """Return the administrator's key, and make or replace it first where that is needed.

        Args:
            given: The pair that it is to be. None keeps the one there is.
            old: The pair to take if there is none yet and none was given; None draws one.

        Raises:
            InvalidConfigError: The key that was given is that of another name.
            LakeCorruptError: The file is damaged.
        """
        with replacing(self._path):
            content = self._content() or _new_file()
            admin = next((key for key in content.keys if key.name == ADMIN), None)
            if admin is not None and given in (None, KeyPair(admin.access_key_id, admin.secret_access_key)):
                return admin
            pair = given or old or draw()
            others = [key for key in content.keys if key is not admin]
            if any(key.access_key_id == pair.access_key_id for key in others):
                raise InvalidConfigError(
                    f"LAKEFS_HL_SERVE_ACCESS_KEY_ID: {mask(pair.access_key_id)} is the key of another name in this "
                    "lake; choose another one"
                )
            generation = 1 if admin is None else admin.generation + 1
            made = Key(
                pair.access_key_id,
                pair.secret_access_key,
                ADMIN,
                ADMIN,
                created=int(time.time()),
                generation=generation,
            )
            self._write(msgspec.structs.replace(content, keys=[made, *others]))
            return made

    def check(self) -> None:
        """Read the file, if there is one, and compare its checksum.

        Raises:
            LakeCorruptError: It is damaged.
        """
        self._content()

    def has_admin(self) -> bool:
        """Whether the administrator has one."""
        return any(key.name == ADMIN for key in self.all())

    def all(self) -> list[Key]:
        """All keys, in the order of their labels.

        Raises:
            LakeCorruptError: The file is damaged.
        """
        return sorted((key for key, _ in self._read().keys.values()), key=lambda key: key.label)

    def get(self, name: str) -> Key:
        """The key of an ID, else of a name.

        Raises:
            NotFoundException: There is none.
            LakeCorruptError: The file is damaged.
        """
        found = self.find(name) or next((key for key in self.all() if key.name and key.name == name), None)
        if found is None:
            raise NotFoundException(f"access key {name!r} not found")
        return found

    def add(self, key: Key) -> Key:
        """Add a key. The same one again changes nothing.

        Returns:
            The key, as it is kept.

        Raises:
            ConflictException: There is another one of its ID or name, or it was deleted.
            LakeCorruptError: The file is damaged.
        """
        with replacing(self._path):
            content = self._content() or _new_file()
            for other in content.keys:
                if other.access_key_id == key.access_key_id:
                    if msgspec.structs.replace(other, created=0) == msgspec.structs.replace(key, created=0):
                        return other
                    raise ConflictException(f"access key {mask(key.access_key_id)} exists and is another one")
            if key.access_key_id in _deleted(content):
                raise ConflictException(f"access key {mask(key.access_key_id)} was deleted; create a new one")
            taken = {ADMIN} | {one for other in content.keys for one in (other.name, other.access_key_id)}
            if key.name and key.name in taken:
                raise ConflictException(
                    f"an access key of the name {key.name!r} exists; delete it, or choose another name"
                )
            self._write(msgspec.structs.replace(content, keys=[*content.keys, key]))
            return key

    def remove(self, key_id: str) -> None:
        """Remove a key, if it is there, and have no request create it any more.

        Raises:
            ConflictException: It is the administrator's.
            LakeCorruptError: The file is damaged.
        """
        with replacing(self._path):
            content = self._content() or _new_file()
            found = next((key for key in content.keys if key.access_key_id == key_id), None)
            if found is not None and found.name == ADMIN:
                raise ConflictException(
                    "the administrator's key cannot be deleted; start the server with another pair in "
                    "LAKEFS_HL_SERVE_ACCESS_KEY_ID and LAKEFS_HL_SERVE_SECRET_ACCESS_KEY to replace it"
                )
            deleted = _deleted(content)
            if found is None and key_id in deleted:
                return
            others = [key for key in content.keys if key is not found]
            remembered = [*(one for one in deleted if one != key_id), key_id][-REMEMBERED:]
            self._write(msgspec.structs.replace(content, keys=others, deleted=remembered))

    def put(self, key: Key) -> None:
        """Add a key, or replace the one of its name."""
        with replacing(self._path):
            content = self._content() or _new_file()
            others = [one for one in content.keys if one.name != key.name]
            self._write(msgspec.structs.replace(content, keys=[*others, key]))

    def _write(self, content: _File) -> None:
        write_durably(self._path, _encode(content), "keys")

    def _content(self) -> _File | None:
        """The file; None if there is none.

        Raises:
            LakeCorruptError: It is not what was written.
        """
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        try:
            found = msgspec.json.decode(data, type=_File)
            sound = _encode(found) == data
        except (msgspec.MsgspecError, UnicodeError):
            sound = False
        if not sound:
            raise LakeCorruptError(
                f"{self._path}: the keys are damaged or were edited; restore the file from a copy, or remove it: "
                "`lakefs-hl serve` then makes a new key pair, and the clients need that one"
            )
        return found

    def _read(self) -> _Known:
        """What is in the file now."""
        stamp = self._stamp()
        known = self._known
        if stamp != known.stamp:
            with self._lock:
                # The file's state is taken before the file is read: if it is replaced between, it is read once more.
                content = self._content()
                keys: dict[str, tuple[Key, bytes]] = {}
                for key in content.keys if content is not None else ():
                    keys[key.access_key_id] = (key, self._digest(key.secret_access_key))
                signing = bytes.fromhex(content.signing_key) if content is not None else b""
                known = self._known = _Known(stamp, signing, keys)
        return known

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._process, secret.encode("utf-8", "surrogatepass"), "sha256")


@contextlib.contextmanager
def replacing(path: str) -> Iterator[None]:
    """Held while a file with secrets is read and replaced: two servers of one lake may start at the same time.

    Drafts of it that killed processes have left are removed: they have secrets, also of keys that were deleted since.
    """
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        remove_drafts(path, "keys")
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)  # to close it is not enough: a child that was forked meanwhile has it too
        os.close(fd)


def old_pair(hashes: Mapping[str, bytes], noted: KeyPair | None) -> KeyPair | None:
    """Return the pair of a lake of format 1, which kept only hashes.

    Args:
        hashes: What the lake kept: access keys, and a salt and hash of each secret.
        noted: The pair in the lake's `lakectl.yaml`.

    Returns:
        The pair, if the hash is that of its secret. Otherwise None, and a warning says what to do.
    """
    if not hashes:
        return None
    expected = hashes.get(noted.access_key_id) if noted is not None else None
    if noted is not None and expected is not None:
        salt = expected[:_OLD_SALT]
        made = hashlib.scrypt(noted.secret_access_key.encode(), salt=salt, n=1 << 12, r=8, p=1)
        if hmac.compare_digest(expected[_OLD_SALT:], made):
            return noted
    _LOG.warning(
        "the lake was made by an earlier release, which kept no secrets, and lakectl.yaml does not hold the secret of "
        "%s: the key is dropped. Give the clients the new pair in lakectl.yaml, or start once with the old pair in "
        "LAKEFS_HL_SERVE_ACCESS_KEY_ID and LAKEFS_HL_SERVE_SECRET_ACCESS_KEY",
        ", ".join(map(mask, hashes)),
    )
    return None


def _new_file() -> _File:
    return _File(FORMAT, secrets.token_hex(32), [])


def _deleted(content: _File) -> list[str]:
    return [] if isinstance(content.deleted, msgspec.UnsetType) else content.deleted


def _encode(content: _File) -> bytes:
    """The file's only spelling: whatever differs from it is damage."""
    bare = msgspec.json.encode(msgspec.structs.replace(content, checksum=""))
    checksum = hashlib.sha256(bare).hexdigest()
    return msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(content, checksum=checksum)), indent=1)


def _body_of(token: str, key: bytes) -> bytes | None:
    """The claims of a token, encoded; None if its signature is not of this key, or there is no key."""
    signed, _, signature = token.encode("utf-8", "replace").rpartition(b".")
    head, _, body = signed.partition(b".")
    if not hmac.compare_digest(signature, _sign(key, signed)) or head != _HEAD:
        return None
    return body if key else None


def _sign(key: bytes, data: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, data, "sha256")).rstrip(b"=")
