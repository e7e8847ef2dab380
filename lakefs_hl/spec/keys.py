"""Operations of our own server beyond lakeFS's API: its access keys.

A server that has them lists `keys` in its `CAPABILITIES` header. Any other has none of these paths. The client draws
the pair: a request that is repeated creates nothing more, and no response has a secret.
"""

from __future__ import annotations

import re
import secrets
import string
from typing import Final

from lakefs_hl.spec.rows import META
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.wire import Endpoint

#: What the header says of a server that manages keys.
KEYS: Final = "keys"
#: Query parameter of a login: for how many seconds a token is wanted.
EXPIRES_IN: Final = "expires_in"
#: The longest life of a token in seconds: 12 hours.
MAX_TOKEN_SECONDS: Final = 12 * 3600
#: What an ID and a secret of ours look like. Nothing else is taken, so that no secret is weak.
ID: Final = re.compile(r"LKHL[A-Z2-7]{16}")
SECRET: Final = re.compile(r"[A-Za-z0-9]{40}")
#: Characters of a name, at most.
MAX_NAME: Final = 100
#: Repositories that one key can be limited to, at most.
MAX_REPOSITORIES: Final = 1000
_REPOSITORY: Final = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_ID_LETTERS: Final = string.ascii_uppercase + "234567"
_SECRET_LETTERS: Final = string.ascii_letters + string.digits
_KEY: Final = "/keys/{key}"

LIST_KEYS: Final = Endpoint("listKeys", "GET", "/keys", "A", "listing access keys", (200,), META)
CREATE_KEY: Final = Endpoint("createKey", "POST", "/keys", "B", "creating access key {name}", (201,), META)
GET_KEY: Final = Endpoint("getKey", "GET", _KEY, "A", "looking up access key {key!r}", (200,), META)
DELETE_KEY: Final = Endpoint("deleteKey", "DELETE", _KEY, "B", "deleting access key {key!r}", (204,), META)
ENDPOINTS: Final = {row.operation: row for row in (LIST_KEYS, CREATE_KEY, GET_KEY, DELETE_KEY)}


def draw() -> KeyPair:
    """Draw a new pair: a 20-character key, a 40-character secret."""
    key = "LKHL" + "".join(secrets.choice(_ID_LETTERS) for _ in range(16))
    return KeyPair(key, "".join(secrets.choice(_SECRET_LETTERS) for _ in range(40)))


def name_fault(name: str) -> str:
    """Return what is wrong with a name of a key; "" if nothing is."""
    if not name:
        return "must not be empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, and at most {MAX_NAME} are allowed"
    if not name.isprintable() or name != name.strip():
        return "must have no line breaks or control characters, and no spaces at its ends"
    if not _is_unicode(name):
        return "is not valid Unicode"
    if name in (".", "..") or ID.fullmatch(name):
        return "cannot be told from the ID of a key" if ID.fullmatch(name) else "cannot be part of a URL"
    return ""


def repository_fault(name: str) -> str:
    """Return what is wrong with the name of a repository; "" if nothing is."""
    if _REPOSITORY.fullmatch(name):
        return ""
    return "is no name of a repository: those have 3 to 63 lower-case letters, digits and dashes"


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
