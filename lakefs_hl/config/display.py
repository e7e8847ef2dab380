"""Whether the environment switches the display of progress off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

#: Our variable, and that of tqdm.
VARIABLES: Final = ("LAKEFS_HL_DISABLE_PROGRESS", "TQDM_DISABLE")
_NO: Final = frozenset({"", "0", "false", "no", "off"})


def is_progress_disabled(variables: Mapping[str, str] | None = None) -> bool:
    """Return whether a variable switches the display of progress off: any value but 0, false, no, off and none."""
    environment = os.environ if variables is None else variables
    return any(environment.get(name, "").strip().lower() not in _NO for name in VARIABLES)
