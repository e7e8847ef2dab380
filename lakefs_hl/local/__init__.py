"""The embedded lake: disk, tree, engine, api and serve."""

from __future__ import annotations
