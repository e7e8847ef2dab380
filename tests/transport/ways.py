"""All transports of requests over a network, so that a test makes the same requests over each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from lakefs_hl.ops.effects import Call, Op, gather, send
from lakefs_hl.spec.wire import Request, TransportError
from lakefs_hl.transport import fast
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http

#: The open connections of `reuse`, those of urllib3, libcurl, and libcurl beside a loop.
WAYS = ("open", "urllib3", "lane", "loop")
ways = pytest.mark.parametrize("way", WAYS)


def run(way: str, http: Http, *steps: Request | Callable[[], object]) -> list[bytes | TransportError]:
    """Perform the steps in turn; return the bodies of the responses, or the errors."""

    def op() -> Op[list[Any]]:
        found = list[Any]()
        for step in steps:
            if isinstance(step, Request):
                try:
                    response = yield from send(step)
                    found.append(response.body)
                except TransportError as exc:
                    found.append(exc)
            else:
                yield Call(step)
        return found

    if way in ("lane", "loop"):
        if fast.multi_class() is None:
            pytest.skip("the extra fast is not installed")
        ops = gather([op()], 8)
        return list((Blocking(http).run(ops) if way == "lane" else asyncio.run(Aio(http).run(ops)))[0])
    logger = logging.getLogger("urllib3.connectionpool")
    level = logger.level
    logger.setLevel(logging.DEBUG if way == "urllib3" else level)  # its log has every request
    try:
        return Blocking(http).run(op())
    finally:
        logger.setLevel(level)
