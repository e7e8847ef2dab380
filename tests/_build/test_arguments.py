"""Secret arguments: all of them are hidden by the first line of a call."""

from __future__ import annotations

import inspect

from lakefs_hl._build.arguments import hidden
from lakefs_hl.config.options import ALIASES, OPTIONS


def test_the_first_line_of_a_client_hides_each_option_that_may_hold_a_secret() -> None:
    secret = {name for name, option in OPTIONS.items() if option.hide is not None}
    secret |= {alias for alias, name in ALIASES.items() if name in secret}
    assert set(inspect.signature(hidden).parameters) == secret
    for name in secret:
        option = OPTIONS[ALIASES.get(name, name)]
        assert option.hide is not None
        values = {parameter: "http://me:pw@h" if parameter == name else None for parameter in secret}
        shown = getattr(hidden(**values), name)
        assert repr(shown) == repr(option.hide("http://me:pw@h"))
        assert "pw" not in repr(shown)
