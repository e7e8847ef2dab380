"""The lakes of `tests/ecosystem`: embedded, served over loopback, and a lakeFS server if there is one."""

from __future__ import annotations

from tests.ecosystem.conftest import lake, real_lakefs, served_lake

__all__ = ["lake", "real_lakefs", "served_lake"]
