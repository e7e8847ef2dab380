"""Fixtures of the short runs: the served lake, a client without faults, a server to redirect to."""

from __future__ import annotations

from tests.faults.conftest import direct as direct
from tests.faults.conftest import elsewhere as elsewhere
from tests.lakes import served_lake as served_lake
