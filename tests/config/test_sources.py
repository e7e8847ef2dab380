"""Sources: a link of the chain shows no secret, and the source of a setting is a plain record."""

from __future__ import annotations

import pickle

import lakefs_hl
from lakefs_hl.config.sources import Source
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.types import SettingSource
from tests.config.samples import HOST, SECRET


def test_a_source_shows_no_secret() -> None:
    source = Source("environment", HOST, KeyPair("AKIAEXAMPLE0", SECRET), "credentials")
    assert SECRET not in repr(source)
    assert "environment" in repr(source)


def test_the_source_of_a_setting_is_a_public_record() -> None:
    found = lakefs_hl.Client(HOST, "AKIAEXAMPLE0", SECRET).explain_auth()
    assert {type(one) for one in found} == {SettingSource}
    assert found[0] == ("endpoint", HOST, "keyword arguments")
    assert (found[1].setting, found[1].source) == ("credentials", "keyword arguments")
    assert pickle.loads(pickle.dumps(found)) == found
    assert SECRET not in repr(found)
