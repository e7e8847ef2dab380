"""Operations of our own server beyond lakeFS's API: links of the lake itself, to read or write an object by.

A server that has them lists `links` in its `CAPABILITIES` header. Any other has none of these paths.
"""

from __future__ import annotations

from typing import Final

from lakefs_hl.spec.rows import BRANCH, META, REF
from lakefs_hl.spec.wire import Endpoint

#: Longest life of a link in seconds: a week, as of a URL signed for S3.
MAX_SECONDS: Final = 7 * 24 * 3600
#: What the header says of a server with links, and of one that could have them.
LINKS: Final = "links"
#: Query parameter: for how many seconds a link, or an upload address, is wanted.
EXPIRES_IN: Final = "expires_in"
#: Query parameter: how many bytes may be written by a link.
MAX_BYTES: Final = "max_bytes"

READ_LINK: Final = Endpoint(
    "readLink", "GET", f"{REF}/objects/link", "A", "making a link to {repository}/{ref}/{path}", (200,), META
)
WRITE_LINK: Final = Endpoint(
    "writeLink",
    "GET",
    f"{BRANCH}/objects/link",
    "A",
    "making a link to write {repository}/{branch}/{path}",
    (200,),
    META,
)
RECEIVED: Final = Endpoint(
    "received",
    "GET",
    f"{BRANCH}/staging/received",
    "A",
    "looking up what was uploaded for {repository}/{branch}/{path}",
    (200,),
    META,
)
ENDPOINTS: Final = {row.operation: row for row in (READ_LINK, WRITE_LINK, RECEIVED)}
