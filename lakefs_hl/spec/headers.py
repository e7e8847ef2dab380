"""Media types, header names and metadata keys that client and server share."""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
#: Content type of an object for which none was given.
OCTET_STREAM: Final = "application/octet-stream"

#: Prefix of request headers with user metadata of an object.
USER_METADATA: Final = "x-lakefs-meta-"
#: Prefix of request headers with metadata that lakeFS's own tools set.
INTERNAL_METADATA: Final = "x-lakefs-internal-"
#: Prefix of the metadata keys that these headers set.
INTERNAL_KEY: Final = "::lakefs::"
#: Metadata key of the modification time of a local file, in Unix seconds, as lakectl writes it.
CLIENT_MTIME: Final = "::lakefs::client-mtime"
#: Request header. The server executes a request with a key once, and repeats its response to a retry.
IDEMPOTENCY_KEY: Final = "idempotency-key"
#: Response header of our own server: request headers that it honours beyond lakeFS's.
CAPABILITIES: Final = "x-lakefs-hl"
#: Response header of our own server: the release of this package.
VERSION: Final = "x-lakefs-hl-version"
#: Response header of our own server's health check: whether the lake is read-only, "true" or "false".
READ_ONLY: Final = "x-lakefs-hl-read-only"

#: Key of the op_id in a commit's metadata.
COMMIT_OP_ID: Final = "lakefs_hl.op_id"
#: Key of the op_id in an object's metadata. It has no underscores: some proxies drop headers with underscores.
OBJECT_OP_ID: Final = "lakefs-hl-op-id"
#: Key of the tags in an object's metadata, as ASCII JSON.
OBJECT_TAGS: Final = "lakefs-hl-tags"
#: The header of HTTP, and the key of the encoding (gzip, br, zstd) in an object's metadata. Files decode by it.
CONTENT_ENCODING: Final = "content-encoding"
