"""The environment: secrets hide themselves, and the keys of a served lake come from it."""

from __future__ import annotations

import pytest

from lakefs_hl.config.environment import Environment, config_file, serve_keys
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import KeyPair


def test_the_keys_of_a_served_lake() -> None:
    names = ("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY")
    assert serve_keys({}) is None
    assert serve_keys(dict(zip(names, ("k", "s"), strict=True))) == KeyPair("k", "s")
    with pytest.raises(InvalidConfigError, match=names[1]):
        serve_keys({names[0]: "k"})


@pytest.mark.parametrize("before", [None, "before.yaml"])
def test_a_configuration_file_is_named_for_a_while(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before is None:
        monkeypatch.delenv("LAKECTL_CONFIG_FILE", raising=False)
    else:
        monkeypatch.setenv("LAKECTL_CONFIG_FILE", before)
    with config_file(None):
        assert Environment().get("LAKECTL_CONFIG_FILE") == before
    with pytest.raises(ZeroDivisionError), config_file("now.yaml"):
        assert Environment().get("LAKECTL_CONFIG_FILE") == "now.yaml"
        _ = 1 / 0
    assert Environment().get("LAKECTL_CONFIG_FILE") == before
