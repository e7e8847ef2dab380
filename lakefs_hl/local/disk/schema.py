"""The tables of a lake, and the numbers of their version.

Rules of the room: names are neutral (bytes, rows, names); what they mean is the engine's business. A change of this
page is a change of the format. `VERSION` is raised by what an older release would get wrong, and such a release
refuses the lake; `migration.py` brings lakes of the versions before along. `MINOR` is raised by a table that an older
release need not know of: it opens the lake, and leaves that table alone. Each table's SQL is in `tables/<table>.py`.
"""

from __future__ import annotations

import re
from typing import Final

#: Stored as SQLite's `user_version`.
VERSION: Final = 2
#: Stored in `meta` as `minor`.
MINOR: Final = 2
#: Tables that came after the first release of `VERSION`, each with the `MINOR` that it came with.
ADDED: Final = {"upload": 1, "checksum": 2}
#: Marks the file as a lake for whoever looks at it (`application_id`): "lkhl".
APPLICATION: Final = 0x6C6B686C

DDL: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE sequence(name TEXT PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;

-- Content. Ordinary rowid tables on purpose: WITHOUT ROWID is several times slower for rows of this size.
CREATE TABLE node(hash BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE blob(hash BLOB PRIMARY KEY, data BLOB NOT NULL);

-- Names. `repository.id` is drawn from `sequence`, never twice: rows of a deleted repository cannot come back to life.
CREATE TABLE repository(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0);
-- `resets` counts what was taken back: whoever publishes compares it, as it compares the head.
CREATE TABLE branch(
    repository INTEGER NOT NULL, name TEXT NOT NULL, head BLOB NOT NULL,
    token INTEGER NOT NULL, sealed BLOB NOT NULL DEFAULT x'90', hidden INTEGER NOT NULL DEFAULT 0,
    resets INTEGER NOT NULL DEFAULT 0, value BLOB, sum INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(repository, name)
) WITHOUT ROWID;
CREATE TABLE tag(repository INTEGER NOT NULL, name TEXT NOT NULL, head BLOB NOT NULL, sum INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(repository, name)) WITHOUT ROWID;
CREATE TABLE setting(repository INTEGER NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(repository, kind)) WITHOUT ROWID;

-- History. The id is a hash of the content and the repository is part of the key: forks share nothing.
CREATE TABLE history(repository INTEGER NOT NULL, id BLOB NOT NULL, data BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(repository, id)) WITHOUT ROWID;

-- Changes that are not committed. A value ends with its own checksum, of four bytes: these rows are the many.
CREATE TABLE staging(token INTEGER NOT NULL, path BLOB NOT NULL, value BLOB, PRIMARY KEY(token, path)) WITHOUT ROWID;

CREATE TABLE import(repository INTEGER NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(repository, id)) WITHOUT ROWID;
CREATE TABLE pull_request(repository INTEGER NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(repository, id)) WITHOUT ROWID;
-- Answers of requests with an idempotency key, oldest first by `id`.
CREATE TABLE idempotency(
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, UNIQUE(user, key)
);
-- What was put at an address and may still be linked; the oldest first by rowid.
CREATE TABLE upload(address TEXT PRIMARY KEY, made INTEGER NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0);
-- Of blobs that are files: what clients compare, and what is fast to compute.
CREATE TABLE checksum(hash BLOB PRIMARY KEY, md5 BLOB NOT NULL, xxh3 BLOB NOT NULL, sum INTEGER NOT NULL DEFAULT 0);
"""

#: The statement that makes each table: SQLite keeps it as it is.
STATEMENTS: Final[dict[str, str]] = {
    found[1]: found[0] for found in re.finditer(r"CREATE TABLE (\w+)\(.*?(?=;$)", DDL, re.DOTALL | re.MULTILINE)
}
#: Tables whose rows have a checksum: the columns that it is over, in their order.
SUMMED: Final = {
    "meta": ("key", "value"),
    "sequence": ("name", "value"),
    "repository": ("id", "name", "value"),
    "branch": ("repository", "name", "head", "token", "sealed", "hidden", "resets", "value"),
    "tag": ("repository", "name", "head"),
    "setting": ("repository", "kind", "value"),
    "history": ("repository", "id", "data"),
    "import": ("repository", "id", "value"),
    "pull_request": ("repository", "id", "value"),
    "idempotency": ("user", "key", "made", "value"),
    "upload": ("address", "made", "value"),
    "checksum": ("hash", "md5", "xxh3"),
}
#: Which of their columns name a row.
KEYS: Final = {
    "meta": ("key",),
    "sequence": ("name",),
    "repository": ("id", "name"),
    "branch": ("repository", "name"),
    "tag": ("repository", "name"),
    "setting": ("repository", "kind"),
    "history": ("repository", "id"),
    "import": ("repository", "id"),
    "pull_request": ("repository", "id"),
    "idempotency": ("user", "key"),
    "upload": ("address",),
    "checksum": ("hash",),
}
