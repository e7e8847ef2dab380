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
import string
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lakefs_hl.local.disk.fs import write_durably
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import InvalidConfigError, LakeCorruptError
from lakefs_hl.spec.secret import KeyPair, mask

NAME: Final = "keys.json"
FORMAT: Final = 1
#: Name of the key that `lakefs-hl serve` makes, and that `LAKEFS_HL_SERVE_*` replaces.
ADMIN: Final = "admin"
#: How long a token is valid.
LIFE_SECONDS: Final = 3600
KEY_LENGTH: Final = 20
SECRET_LENGTH: Final = 40
_KEY_LETTERS: Final = string.ascii_uppercase + "234567"
_SECRET_LETTERS: Final = string.ascii_letters + string.digits
_HEAD: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
_OLD_SALT: Final = 16  # bytes before the hash of a key in a lake of format 1
_LOG: Final = logging.getLogger("lakefs_hl.serve")


class Key(msgspec.Struct, frozen=True):
    """An access key.

    Attributes:
        access_key_id: The key.
        secret_access_key: Its secret.
        name: What its owner calls it; unique.
        user: The user that it stands for.
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

    def __repr__(self) -> str:
        return f"<Key {self.name} {mask(self.access_key_id)}>"


class _File(msgspec.Struct, frozen=True):
    """Content of `keys.json`."""

    format: int
    signing_key: str
    keys: list[Key]
    checksum: str = ""

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

    def token(self, key: Key) -> models.Token:
        """A token that stands for a key, for an hour and as long as the key has this secret."""
        expires = int(time.time()) + LIFE_SECONDS
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
        signed, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        head, _, body = signed.partition(b".")
        if not hmac.compare_digest(signature, _sign(known.signing_key, signed)) or head != _HEAD:
            return None
        if not known.signing_key:
            return None
        try:
            claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
            found, _ = known.keys[claims["kid"]]
        except (ValueError, LookupError, TypeError, binascii.Error):
            return None
        return found if claims["gen"] == found.generation and claims["exp"] > time.time() else None

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
        with self._replacing():
            content = self._content() or _File(FORMAT, secrets.token_hex(32), [])
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

    def exist(self) -> bool:
        """Whether the lake has any."""
        return self._stamp() is not None

    def put(self, key: Key) -> None:
        """Add a key, or replace the one of its name."""
        with self._replacing():
            content = self._content() or _File(FORMAT, secrets.token_hex(32), [])
            others = [one for one in content.keys if one.name != key.name]
            self._write(msgspec.structs.replace(content, keys=[*others, key]))

    @contextlib.contextmanager
    def _replacing(self) -> Iterator[None]:
        """Held while the file is read and replaced: two servers of one lake may start at the same time."""
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

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


def draw() -> KeyPair:
    """Draw a new pair: a 20-character key, a 40-character secret."""
    key = "LKHL" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(KEY_LENGTH - 4))
    return KeyPair(key, "".join(secrets.choice(_SECRET_LETTERS) for _ in range(SECRET_LENGTH)))


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


def _encode(content: _File) -> bytes:
    """The file's only spelling: whatever differs from it is damage."""
    bare = msgspec.json.encode(msgspec.structs.replace(content, checksum=""))
    checksum = hashlib.sha256(bare).hexdigest()
    return msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(content, checksum=checksum)), indent=1)


def _sign(key: bytes, data: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, data, "sha256")).rstrip(b"=")
