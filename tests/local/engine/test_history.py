"""What a reference means, and which of its faults is told first."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import commit, put, refused


@pytest.mark.parametrize(
    ("ref", "status"),
    [
        ("main@", 200),
        ("main@~1", 400),  # neither goes with anything else
        ("main~1@", 400),
        ("main$@", 400),
        ("gone@~1", 404),  # but what is not there is not there
        ("gone$@", 404),
        ("main~9@", 404),
        ("gone@x", 400),  # and what is no expression is none
        ("gone~x", 400),
    ],
)
def test_what_is_missing_is_told_before_what_is_wrong_with_it(engine: Engine, ref: str, status: int) -> None:
    put(engine, "a")
    commit(engine)
    if status == 200:
        assert engine.objects.stat("repo", ref, "a").path == "a"
    else:
        refused(status, lambda: engine.objects.stat("repo", ref, "a"))


def test_of_two_references_the_second_is_looked_at_first(engine: Engine) -> None:
    refused(400, lambda: engine.diffs.refs("repo", "gone", "main^2"))
    refused(404, lambda: engine.diffs.refs("repo", "main^2", "gone"))
    refused(404, lambda: engine.merges.base("repo", "main^2", "gone"))


def test_the_log_does_not_stop_at_what_it_filters_out(engine: Engine) -> None:
    for path in ("a", "b"):
        put(engine, path)
        commit(engine, message=path)

    def messages(stop_at: str) -> list[str]:
        found: models.CommitPage = engine.commits.log("repo", "main", objects=["a"], stop_at=stop_at)
        return [one.message for one in found.results]

    assert messages("main") == ["a"]
    assert messages("main~1") == ["a"]
