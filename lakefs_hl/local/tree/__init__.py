"""A persistent search tree that is a pure function of its content: the lake's listings, commits, diffs and merges.

Rules of the room: pure. It knows a `Nodes` to get and put bytes by digest, and nothing else of the lake: no file, no
database, no clock, no meaning of a value beyond the `same` it is given. What it writes is on-disk format.
"""

from __future__ import annotations

from lakefs_hl.local.tree.cache import Cache
from lakefs_hl.local.tree.check import Span, Visit
from lakefs_hl.local.tree.diff import Change, Same
from lakefs_hl.local.tree.merge import Conflict, Strategy
from lakefs_hl.local.tree.node import END, MemoryNodes, Nodes, Shape, TreeCorruptError
from lakefs_hl.local.tree.tree import Tree
from lakefs_hl.local.tree.write import Edit

__all__ = [
    "END",
    "Cache",
    "Change",
    "Conflict",
    "Edit",
    "MemoryNodes",
    "Nodes",
    "Same",
    "Shape",
    "Span",
    "Strategy",
    "Tree",
    "TreeCorruptError",
    "Visit",
]
