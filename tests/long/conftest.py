"""What long runs share with the short ones: the served lake, a client without faults, a server to be redirected to."""

from __future__ import annotations

from tests.faults.conftest import direct as direct
from tests.faults.conftest import elsewhere as elsewhere
from tests.lakes import served_lake as served_lake
