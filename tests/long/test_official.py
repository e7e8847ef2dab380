"""T2b at its full size: 150 programs of 40 steps through our calls and the official client's."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from lakefs_sdk.client import LakeFSClient  # noqa: TC002 - hypothesis reads the hints

from tests.conformance.official import Step, programs
from tests.conformance.test_official import colour as colour
from tests.conformance.test_official import compare
from tests.conformance.test_official import sdk as sdk
from tests.worlds import World

RUNS, PROGRAMS, STEPS = 5, 15, 40


@pytest.mark.timeout(600)
@pytest.mark.parametrize("run", range(RUNS))
@settings(max_examples=PROGRAMS, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(program=programs(STEPS))
def test_both_clients_return_the_same(run: int, program: list[Step], colour: World, sdk: LakeFSClient) -> None:
    compare(program, colour, sdk)
