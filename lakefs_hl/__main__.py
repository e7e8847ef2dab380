"""`python -m lakefs_hl` is the command `lakefs-hl`."""

from __future__ import annotations

import sys

from lakefs_hl.cli import main

if __name__ == "__main__":
    sys.exit(main())
