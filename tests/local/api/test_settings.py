"""Settings: protected branches."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import administration
from tests.local.api.support import ask, record


def test_protection_etag(app: App) -> None:
    rules = [{"pattern": "rel-*"}]
    assert ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), body=rules).status == 204
    first = ask(app, administration.GET_BRANCH_PROTECTION_RULES, ("repo",)).headers["etag"]
    for etag, status in (("wrong", 412), ("", 400), (first, 204)):
        given = ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), headers={"if-match": etag}, body=[])
        assert given.status == status
    assert ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), body=[{"pattern": ""}]).status == 400


def test_protection_in_its_old_spelling(app: App) -> None:
    add, drop = (
        administration.INTERNAL_CREATE_BRANCH_PROTECTION_RULE,
        administration.INTERNAL_DELETE_BRANCH_PROTECTION_RULE,
    )
    for pattern in ("a*", "a*", "b"):
        assert ask(app, add, ("repo",), body={"pattern": pattern}).status == 204
    listed = ask(app, administration.INTERNAL_GET_BRANCH_PROTECTION_RULES, ("repo",))
    assert record(listed) == [{"pattern": "a*"}, {"pattern": "b"}]
    assert ask(app, drop, ("repo",), body={"pattern": "b"}).status == 204
    assert ask(app, drop, ("repo",), body={"pattern": "b"}).status == 404
