"""`lakefs-hl fs`: the group, and the modules of its commands."""

from __future__ import annotations

from typing import Final

from lakefs_hl.cli.verbs import LazyVerbs

fs: Final = LazyVerbs(
    "fs",
    help="List, read, write, copy and compare objects.",
    homes={
        "cp": "lakefs_hl.cli.copying",
        "sync": "lakefs_hl.cli.syncing",
        "transfer": "lakefs_hl.cli.moving",
        "ls": "lakefs_hl.cli.listing",
        "cat": "lakefs_hl.cli.contents",
        "rm": "lakefs_hl.cli.removing",
        "mv": "lakefs_hl.cli.copying",
        "du": "lakefs_hl.cli.listing",
        "head": "lakefs_hl.cli.contents",
        "touch": "lakefs_hl.cli.contents",
        "glob": "lakefs_hl.cli.listing",
        "find": "lakefs_hl.cli.listing",
        "stat": "lakefs_hl.cli.contents",
        "presign": "lakefs_hl.cli.links",
        "verify": "lakefs_hl.cli.verifying",
    },
)
