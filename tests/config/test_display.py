"""Variables that switch the display of progress off."""

from __future__ import annotations

import pytest

from lakefs_hl.config.display import VARIABLES, is_progress_disabled


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["1", "true", "YES", "on", "anything"])
def test_a_variable_switches_it_off(variable: str, value: str) -> None:
    assert is_progress_disabled({variable: value})


@pytest.mark.parametrize("value", ["", "0", "false", "No", " off "])
def test_some_values_do_not(value: str) -> None:
    assert not is_progress_disabled({VARIABLES[0]: value, VARIABLES[1]: value})
    assert not is_progress_disabled({})


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before = is_progress_disabled()
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert (before, is_progress_disabled()) == (False, True)
