"""Limits of lakeFS that client and server share."""

from __future__ import annotations

from typing import Final

#: Longest path of an object in bytes of UTF-8.
MAX_PATH_BYTES: Final = 1024
#: Most results in one page of a listing.
MAX_PAGE: Final = 1000
#: Most objects in one delete request.
MAX_DELETE: Final = 1000
