"""Keys and tokens of those who ask over HTTP: kept as hashes, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import string
from typing import Final

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import credentials, meta
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.records import CredentialRecord
from lakefs_hl.local.engine.store import Store, now
from lakefs_hl.spec import models

#: How long a token is good, seconds.
LIFE: Final = 7 * 24 * 3600
_SALT: Final = 16
_SIGNING: Final = "signing key"
#: Secrets that were right lately are known without the slow hash, at most so many.
_KNOWN: Final = 64
_ALPHABET: Final = string.ascii_uppercase + string.digits
_HEAD: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


class Keys:
    """The keys of a lake."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: bytes | None = None
        self._process = secrets.token_bytes(32)
        self._known: dict[bytes, bytes] = {}

    def create(self, user: str = "admin") -> tuple[str, str]:
        """Draws a key pair and keeps its hash; the secret is seen here only."""
        key = "AKIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
        secret = secrets.token_urlsafe(30)
        self.install(key, secret, user)
        return key, secret

    def install(self, key: str, secret: str, user: str = "admin") -> None:
        """Makes a key pair the lake's only one."""
        record = CredentialRecord(_hash(secret, secrets.token_bytes(_SALT)), user, now() // 10**9)

        self._store.submit(lambda writer: credentials.replace_all(writer, key, records.encode(record)))

    def authenticate(self, key: str, secret: str) -> str | None:
        """Whose key pair it is; None if nobody's."""
        try:
            asked = hmac.digest(self._process, f"{key}\0{secret}".encode(), "sha256")
        except UnicodeEncodeError:
            return None
        with self._store.reading() as reader:
            value = credentials.get(reader, key)
        if value is None:
            return None
        record = records.read_credential(value)
        if self._known.get(asked) != value:
            if not hmac.compare_digest(record.secret, _hash(secret, record.secret[:_SALT])):
                return None
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[asked] = value
        return record.user

    def token(self, user: str) -> models.Token:
        """A token that stands for a user for a week."""
        expires = now() // 10**9 + LIFE
        claims = json.dumps({"sub": user, "exp": expires}, separators=(",", ":")).encode()
        signed = _HEAD + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
        return models.Token((signed + b"." + self._sign(signed)).decode(), expires)

    def verify(self, token: str) -> str | None:
        """Whose token it is; None if it is forged, expired or no token."""
        signed, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        head, _, body = signed.partition(b".")
        if head != _HEAD or not hmac.compare_digest(signature, self._sign(signed)):
            return None
        try:
            claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        except (ValueError, binascii.Error):
            return None
        return str(claims["sub"]) if claims.get("exp", 0) > now() // 10**9 else None

    def _sign(self, data: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.digest(self._secret(), data, "sha256")).rstrip(b"=")

    def _secret(self) -> bytes:
        if self._key is None:
            drawn = secrets.token_hex(32)

            def work(writer: Writer) -> str:
                known = meta.get(writer, _SIGNING)
                if known is None:
                    meta.put(writer, _SIGNING, drawn)
                return known or drawn

            with self._store.reading() as reader:
                known = meta.get(reader, _SIGNING)
            self._key = bytes.fromhex(known or self._store.submit(work))
        return self._key


def _hash(secret: str, salt: bytes) -> bytes:
    """The salt, and a hash that is slow to guess at."""
    return salt + hashlib.scrypt(secret.encode(), salt=salt, n=1 << 12, r=8, p=1)
