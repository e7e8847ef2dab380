"""Headers that users add to a signed request: whether they can be signed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lakefs_hl.spec.secret import reveal

#: The setting that has them. Names below this one are those of headers, and are not changed.
ROLE_HEADERS: Final = "token_request_headers"
#: The name of a header (RFC 9110, section 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def header_fault(headers: Mapping[str, str]) -> str:
    """Return why headers cannot be signed, without their values, to be appended to their name; "" if they can."""
    seen = set[str]()
    for key, value in headers.items():
        if not _TOKEN.fullmatch(key):
            return f": {key!r:.80} is not the name of a header"
        if key.lower() == "host":
            return ": 'Host' is signed already, with the name of AWS's identity service"
        if key.lower() in seen:
            return f"[{key!r:.80}] is given twice, in two spellings"
        seen.add(key.lower())
        text = reveal(value)
        if not (text.isascii() and text.isprintable()):
            return f"[{key!r:.80}] has a line break or another character that no header has"
    return ""
