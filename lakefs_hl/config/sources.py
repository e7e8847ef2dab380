"""Sources of settings: a link of the chain with its content, and the source of one setting."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from lakefs_hl import _html
from lakefs_hl.config.credentials import Credentials

#: Name of the first source.
ARGUMENTS: Final = "keyword arguments"


@_html.show_record
class SettingSource(NamedTuple):
    """The source of one setting, as `explain_auth()` lists them.

    Attributes:
        setting: Name of the setting.
        value: Its value, secrets masked.
        source: Name of its source.
    """

    setting: str
    value: str
    source: str


class Source(msgspec.Struct, frozen=True):
    """A link of the chain, read.

    Attributes:
        name: Its name in messages.
        endpoint: The endpoint that it names, as written there.
        credentials: The credentials that it holds.
        held: Which settings it holds, without values, for messages.
        exposed: Why others may read or change its secret; "" if they may not.
    """

    name: str
    endpoint: str | None = None
    credentials: Credentials | None = None
    held: str = "nothing"
    exposed: str = ""
