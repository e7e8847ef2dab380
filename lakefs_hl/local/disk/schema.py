"""The tables of a lake, and the number of their version.

Rules of the room: names are neutral (bytes, rows, names); what they mean is the engine's business. A change of this
page is a change of the format: raise `VERSION`, and bring lakes of the versions before along. A table that an older
release need not know of does not raise it: it is made where it is missing when it is first needed.
"""

from __future__ import annotations

from typing import Final

#: Stored as SQLite's `user_version`.
VERSION: Final = 1
#: Marks the file as a lake for whoever looks at it (`application_id`): "lkhl".
APPLICATION: Final = 0x6C6B686C

#: Answers of requests with an idempotency key, oldest first by `id`. Missing in lakes of the first releases.
IDEMPOTENCY: Final = """
CREATE TABLE IF NOT EXISTS idempotency(
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL, value BLOB NOT NULL,
    UNIQUE(user, key)
);
"""

DDL: Final = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sequence(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- Content. Ordinary rowid tables on purpose: WITHOUT ROWID is several times slower for rows of this size.
CREATE TABLE node(hash BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE blob(hash BLOB PRIMARY KEY, data BLOB NOT NULL);

-- Names. `repository.id` is never used again, so rows of a deleted repository cannot come back to life.
CREATE TABLE repository(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE branch(
    repository INTEGER NOT NULL, name TEXT NOT NULL, head BLOB NOT NULL,
    token INTEGER NOT NULL, sealed BLOB NOT NULL DEFAULT x'90', hidden INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(repository, name)
) WITHOUT ROWID;
CREATE TABLE tag(repository INTEGER NOT NULL, name TEXT NOT NULL, head BLOB NOT NULL, PRIMARY KEY(repository, name))
    WITHOUT ROWID;
CREATE TABLE setting(repository INTEGER NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY(repository, kind)) WITHOUT ROWID;

-- History. The id is a hash of the content and the repository is part of the key: forks share nothing.
CREATE TABLE history(repository INTEGER NOT NULL, id BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY(repository, id))
    WITHOUT ROWID;

-- Changes that are not committed; what a value holds, and how it is sealed, is the engine's business.
CREATE TABLE staging(token INTEGER NOT NULL, path BLOB NOT NULL, value BLOB, PRIMARY KEY(token, path)) WITHOUT ROWID;

CREATE TABLE import(repository INTEGER NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(repository, id))
    WITHOUT ROWID;
-- Hashes of keys, never keys.
CREATE TABLE credential(id TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
{IDEMPOTENCY}"""
