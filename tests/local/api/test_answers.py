"""Answers: their status, their words, and that a refusal is one whatever it repeats."""

from __future__ import annotations

import inspect
import json

import pytest

from lakefs_hl.local.api import answers
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.errors import NotFoundException, ServerErrorException, ServerException
from lakefs_hl.spec.limits import MAX_PAGE
from tests.local.api.support import record


def test_a_record_with_its_status() -> None:
    for answer, status, reason in ((answers.ok, 200, "OK"), (answers.created, 201, "Created")):
        given = answer(models.Error("x"))
        assert (given.status, given.reason, record(given)) == (status, reason, {"message": "x"})
        assert given.headers["content-type"] == "application/json"
    assert (answers.done().status, answers.done().body, answers.done().reason) == (204, b"", "No Content")


@pytest.mark.parametrize("status", answers.REASONS)
def test_a_refusal_says_why(status: int) -> None:
    given = answers.refuse(status, "why")
    assert (given.status, given.reason, record(given)) == (status, answers.REASONS[status], {"message": "why"})
    assert given.headers["content-type"] == "application/json"


def test_a_refusal_may_repeat_what_no_text_can_hold() -> None:
    given = answers.refuse(400, "name 'a\ud800é' is invalid")
    assert isinstance(given.body, bytes)
    assert json.loads(given.body.decode()) == {"message": "name 'a\\ud800é' is invalid"}


def test_each_error_with_a_status_has_its_reason() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ServerException)]
    statuses = {kind.status_code for kind in kinds if kind.status_code}
    assert {400, 401, 403, 404, 409, 412, 501} <= statuses
    for kind in kinds:
        given = answers.refusal(kind("why"))
        assert given.status == (kind.status_code or 500)
        assert given.reason == answers.REASONS[given.status]
        assert record(given) == {"message": "why"}


def test_the_status_that_an_error_was_given_goes_before_that_of_its_class() -> None:
    error = ServerErrorException("why")
    error.status = 503
    assert answers.refusal(error).status == 503
    gone = NotFoundException("gone")
    gone.status = 410
    assert (answers.refusal(gone).status, answers.refusal(gone).reason) == (410, "Gone")


def test_an_answer_to_head_has_no_body() -> None:
    given = answers.refusal(NotFoundException("why"), head=True)
    assert (given.status, given.reason, given.body, dict(given.headers)) == (404, "Not Found", b"", {})


def test_a_listing_of_nothing() -> None:
    page = record(answers.empty_page())
    assert page["results"] == []
    assert page["pagination"] == {"has_more": False, "next_offset": "", "results": 0, "max_per_page": MAX_PAGE}


def test_shared_headers_cannot_be_changed_by_one_answer() -> None:
    for shared in (answers.JSON, answers.TEXT, answers.ok(None).headers):
        with pytest.raises(TypeError):
            shared["x"] = "y"  # type: ignore[index]
