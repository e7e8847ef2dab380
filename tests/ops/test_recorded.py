"""Every recorded response of a real lakeFS is understood: none is taken for another server's, none is retried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.ops.effects import Send
from lakefs_hl.ops.retry import call
from lakefs_hl.spec import errors, routes
from lakefs_hl.spec.refusals import meaning_of
from lakefs_hl.spec.wire import Request, Response
from tests.ops.script import session

CONTRACT = Path(__file__).parents[1] / "data" / "contract"
FILES = sorted(CONTRACT.glob("*/*.json"))
#: Recorded for other clients: ours neither requests redirects nor sends If-None-Match with a read.
NOT_OURS = (302, 304)


def answer_of(recorded: dict[str, Any]) -> Response:
    text = json.dumps(recorded["json"]) if "json" in recorded else recorded.get("text", "")
    return Response(recorded["status"], recorded["headers"], text.encode(), reason=recorded["reason"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_responses(path: Path) -> None:
    tried = 0
    for each in json.loads(path.read_text()):
        asked, answer = each["request"], answer_of(each["response"])
        found = routes.match(asked["path"].partition("?")[0]) if "path" in asked else None
        if found is None or asked["method"] not in found[0] or answer.status in NOT_OURS:
            continue
        row = found[0][asked["method"]]
        query = {name: str(value) for name, value in asked.get("query", {}).items()}
        op = call(session(), Request(row, found[1], query, asked.get("headers", {})))
        assert isinstance(next(op), Send)
        tried += 1
        if answer.status < 300:
            with pytest.raises(StopIteration) as stopped:
                op.send(answer)
            assert stopped.value.value is answer
            continue
        message = each["response"].get("json", {}).get("message", "")
        if (answer.status, message) == (500, "<any>"):  # the message that distinguishes a final 500 is masked
            continue
        with pytest.raises(errors.ServerException) as caught:
            op.send(answer)
            raise AssertionError(f"asked twice: {asked}")
        assert caught.value.status == answer.status
        assert message.rstrip() == (caught.value.server_message or "")
        kind = errors.UnsupportedOperationException if "not supported" in message else meaning_of(answer.status).error
        assert isinstance(caught.value, kind) or answer.status in (400, 403, 404, 412)
    assert tried > 5, "the recording was not understood"


def test_there_is_a_recording() -> None:
    assert len(FILES) > 10
