"""Rules of lifecycles: what is taken, and what is refused in which words."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from lakefs_hl.facades.rules import read_rules


def rule(**changes: Any) -> dict[str, Any]:
    made = {"id": "r", "status": "Enabled", "expiration": {"days": 1}, "filter": {"prefix": ""}} | changes
    return {key: value for key, value in made.items() if value is not None}


def test_rules_are_read_and_written_as_they_are() -> None:
    given = [rule(), rule(id="other", status="Disabled", expiration={"days": 365}, filter={"prefix": "a/"})]
    first, second = read_rules(given)
    assert (first.age, first.prefix, first.is_enabled) == (timedelta(days=1), "", True)
    assert not second.is_enabled
    assert [one.to_dict() for one in (first, second)] == given
    assert read_rules(iter([])) == []


def test_other_mappings_and_integers_are_as_good() -> None:
    given = MappingProxyType(rule(expiration=OrderedDict(days=np.int64(7)), id=np.str_("r")))
    (found,) = read_rules((given,))
    assert found.to_dict() == rule(expiration={"days": 7})
    assert type(found.to_dict()["id"]) is str
    assert type(found.to_dict()["expiration"]["days"]) is int


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        (rule(transition={"days": 1}), ValueError, "rule 1: unknown key 'transition'; its keys are 'id', 'status'"),
        (rule(filter={"prefix": "", "tag": 1}), ValueError, "rule 'r': filter: unknown key 'tag'"),
        (rule(expiration={"days": 1, "date": 1}), ValueError, "rule 'r': expiration: unknown key 'date'"),
        (rule(filter=None), ValueError, "'filter' is missing.*prefix of every object"),
        (rule(expiration={}), ValueError, "rule 'r': expiration: 'days' is missing"),
        (rule(id=""), ValueError, "id must not be empty"),
        (rule(status="enabled"), ValueError, "status must be 'Enabled' or 'Disabled', not 'enabled'"),
        (rule(expiration={"days": 0}), ValueError, "days must be between 1 and 999,999,999, not 0"),
        (rule(expiration={"days": 10**9}), ValueError, "days must be between"),
        (rule(expiration={"days": 1.5}), TypeError, "days must be a number of days, not float"),
        (rule(expiration={"days": True}), TypeError, "days must be a number of days, not bool"),
        (rule(expiration=7), TypeError, "expiration must be a dictionary with 'days', not int"),
        (rule(filter={"prefix": 5}), TypeError, "prefix must be a string, not int"),
        (rule(id=5), TypeError, "id must be a string"),
        ("rule", TypeError, "rule 1 must be a dictionary"),
    ],
)
def test_a_rule_that_is_refused(given: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        read_rules([given])


def test_what_is_no_list_of_rules() -> None:
    for given in (rule(), "text", b"text", None, 5):
        with pytest.raises(TypeError, match="rules must be a list of dictionaries"):
            read_rules(given)
    with pytest.raises(ValueError, match="two rules have the id 'r'"):
        read_rules([rule(), rule()])
