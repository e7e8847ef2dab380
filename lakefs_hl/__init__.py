"""High-level Python SDK for lakeFS, with an embedded lake behind the same API."""

from __future__ import annotations
