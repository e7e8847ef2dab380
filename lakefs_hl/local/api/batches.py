"""Many requests at a time: those that only write a little share a transaction, look-ups share a snapshot.

All requests of a batch are under way at the same time, so any order of them is right; those that write keep theirs. A
refusal of one undoes no other. No answer to a write is given before all of its transaction is on the disk.

Rules of the room: bodies are kept before the transaction begins, so nobody waits for one with the lake's lock. A
request with an idempotency key is handled by itself: it may have to be compared with its body.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final, TypeAlias

import msgspec

from lakefs_hl.local.api.answers import refused
from lakefs_hl.local.api.downloads import Seen, get_object, get_small, is_plain
from lakefs_hl.local.api.objects import Upload, put, read_upload, uploaded
from lakefs_hl.local.engine import Engine, lasting, views
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.objects import INLINE, Draft
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.headers import IDEMPOTENCY_KEY
from lakefs_hl.spec.tracebacks import copy_exception
from lakefs_hl.spec.wire import FileSlice, Request, Response

#: What became of a request.
Outcome: TypeAlias = "Response | Exception"
Call: TypeAlias = "Callable[[Request], Response]"
#: Operations whose handlers do nothing but stage a little on one branch.
SHORT: Final = frozenset(
    row.operation
    for row in (
        endpoints.UPLOAD_OBJECT,
        endpoints.DELETE_OBJECT,
        endpoints.DELETE_OBJECTS,
        endpoints.COPY_OBJECT,
        endpoints.STAGE_OBJECT,
        endpoints.LINK_PHYSICAL_ADDRESS,
        endpoints.UPDATE_OBJECT_USER_METADATA,
    )
)
#: Look-ups by key, which share a snapshot.
LOOKUPS: Final = frozenset(
    row.operation for row in (endpoints.STAT_OBJECT, endpoints.HEAD_OBJECT, endpoints.GET_OBJECT)
)
#: How long look-ups share one, seconds: while it is held, the lake's log cannot be shortened.
SHARED: Final = 0.05
#: Look-ups whose contents are read together.
TOGETHER: Final = 128
_UPLOAD: Final = endpoints.UPLOAD_OBJECT.operation


def is_short(request: Request) -> bool:
    """Whether a request does nothing but stage a little on one branch."""
    return request.endpoint.operation in SHORT


def answer(engine: Engine, call: Call, requests: Sequence[Request]) -> Generator[tuple[int, Outcome], None, None]:
    """Answers requests.

    Args:
        engine: The lake.
        call: Answers one request by itself.
        requests: What is asked.

    Yields:
        The number of a request, and its answer or what was raised.
    """
    writes: list[int] = []
    others: list[int] = []
    for number, request in enumerate(requests):
        together = request.endpoint.operation in SHORT and IDEMPOTENCY_KEY not in request.headers
        (writes if together else others).append(number)
    if len(writes) == 1:
        yield writes[0], _attempt(call, requests[writes[0]])
    elif writes:
        yield from _Writes(engine, call, requests).run(writes)
    lookups = [number for number in others if requests[number].endpoint.operation in LOOKUPS]
    if len(lookups) > 1:
        yield from _look_up(engine, call, requests, lookups)
        if len(lookups) == len(others):
            return
        others = [number for number in others if requests[number].endpoint.operation not in LOOKUPS]
    for number in others:
        yield number, _attempt(call, requests[number])


def _attempt(call: Call, request: Request) -> Outcome:
    try:
        return call(request)
    except Exception as error:  # noqa: BLE001 - the outcome of this request
        return error


def _look_up(
    engine: Engine, call: Call, requests: Sequence[Request], numbers: list[int]
) -> Generator[tuple[int, Outcome], None, None]:
    """Answers look-ups, many on one snapshot of the lake."""
    left = deque(numbers)
    while left:
        with ExitStack() as stack:
            shared = _Shared(engine, call, stack)
            until = time.monotonic() + SHARED
            while left and time.monotonic() < until:
                asked = [left.popleft() for _ in range(min(len(left), TOGETHER))]
                small, others = shared.read_small(requests, asked)
                yield from small
                while others and until:
                    number = others.popleft()
                    found = shared.answer(requests[number])
                    if isinstance(found, Response) and isinstance(found.body, FileSlice):
                        stack.close()  # what may take long to move is not moved with the lake's log held
                        until = 0.0
                    yield number, found
                left.extendleft(reversed(others))


class _Shared:
    """One snapshot of the lake, and what references show in it.

    Args:
        engine: The lake.
        call: Answers one request by itself.
        stack: What the snapshot ends with.
    """

    def __init__(self, engine: Engine, call: Call, stack: ExitStack) -> None:
        self._engine, self._call, self._stack = engine, call, stack
        self._seen: dict[tuple[str, ...], Seen] = {}
        stack.enter_context(engine.lake.read())

    def answer(self, request: Request) -> Outcome:
        """Answers a request."""
        if request.endpoint is not endpoints.GET_OBJECT:
            return _attempt(self._call, request)
        try:
            with public():
                return get_object(self._engine, request, "", partial(self._see, request.params))
        except (ServerException, UnicodeEncodeError) as error:
            return refused(request, error)
        except Exception as error:  # noqa: BLE001 - the outcome of this request
            return error

    def read_small(
        self, requests: Sequence[Request], numbers: list[int]
    ) -> tuple[list[tuple[int, Response]], deque[int]]:
        """Answers requests that ask for small objects of one reference, and for nothing more; gives those left, too."""
        params = requests[numbers[0]].params
        plain = [number for number in numbers if requests[number].params == params and is_plain(requests[number])]
        if len(plain) < 2:
            return [], deque(numbers)
        try:
            found = get_small(self._engine, [requests[number] for number in plain], self._see(params))
        except Exception:  # noqa: BLE001 - each request meets it by itself, and gets an error of its own
            return [], deque(numbers)
        answers = [(number, one) for number, one in zip(plain, found, strict=True) if one is not None]
        if len(answers) == len(numbers):
            return answers, deque()
        done = {number for number, _ in answers}
        return answers, deque(number for number in numbers if number not in done)

    def _see(self, params: tuple[str, ...]) -> Seen:
        seen = self._seen.get(params)
        if seen is None:
            repository, ref = params
            snapshot = self._stack.enter_context(self._engine.lake.read(repository))
            seen = self._seen[params] = Seen(snapshot, views.for_many(snapshot, ref))
        return seen


class _Kept(msgspec.Struct, frozen=True, gc=False):
    """An upload whose content is kept."""

    upload: Upload
    draft: Draft


#: The numbers of requests that are one job, and what does them.
_Job: TypeAlias = "tuple[list[int], Callable[[], list[Response]]]"


class _Writes:
    """The writes of a batch."""

    def __init__(self, engine: Engine, call: Call, requests: Sequence[Request]) -> None:
        self._engine = engine
        self._call = call
        self._requests = requests

    def run(self, numbers: list[int]) -> Generator[tuple[int, Outcome], None, None]:
        """Does those of these numbers, and gives their outcomes."""
        uploads, kept = dict[int, Upload](), dict[int, _Kept]()
        asked = [number for number in numbers if self._requests[number].endpoint.operation == _UPLOAD]
        for number in asked:
            try:
                uploads[number] = self._read(self._requests[number])
            except Exception as error:  # noqa: BLE001 - the outcome of this request
                yield number, self._told(number, error)
        bodies = self._engine.objects.keep([upload.body for upload in uploads.values()])
        for (number, upload), blob in zip(uploads.items(), bodies, strict=True):
            try:
                kept[number] = _Kept(
                    upload, self._engine.objects.draft(upload.path, blob, upload.content_type, upload.metadata)
                )
            except Exception as error:  # noqa: BLE001 - the outcome of this request
                yield number, self._told(number, error)
        lost = {*asked}.difference(kept)
        jobs = self._jobs([number for number in numbers if number not in lost], kept)
        branches = {self._requests[one].params[1] for which, _ in jobs for one in which}
        durable = not all(map(lasting.may_wait, branches))
        outcomes = self._engine.lake.batch([work for _, work in jobs], durable=durable)
        for (which, _), answers in zip(jobs, outcomes, strict=True):
            if isinstance(answers, Exception):
                yield which[0], self._told(which[0], answers)
                for number in which[1:]:  # each gets an error of its own, since raising one changes it
                    yield number, self._told(number, copy_exception(answers))
            else:
                yield from zip(which, answers, strict=True)

    def _told(self, number: int, error: Exception) -> Outcome:
        if isinstance(error, (ServerException, UnicodeEncodeError)):
            return refused(self._requests[number], error)
        return error

    def _read(self, request: Request) -> Upload:
        """Reads what an upload asks for; a large one is refused before its content is kept."""
        upload = read_upload(request)
        body = upload.body
        if (len(body) if isinstance(body, bytes) else body.length) > INLINE:
            self._engine.objects.check_first(
                request.params[0],
                request.params[1],
                upload.path,
                create_only=upload.create_only,
                force=upload.force,
            )
        return upload

    def _jobs(self, numbers: list[int], kept: dict[int, _Kept]) -> list[_Job]:
        """Makes jobs of requests: of uploads to one branch that follow each other, one."""
        jobs: list[_Job] = []
        run: list[_Kept] = []
        place: object = None
        for number in numbers:
            request, one = self._requests[number], kept.get(number)
            if one is None or one.upload.create_only or one.upload.is_form:
                place = None
                jobs.append(([number], partial(self._single, request, one)))
                continue
            if place != (request.params, one.upload.force):
                place = request.params, one.upload.force
                run = []
                jobs.append(([], partial(self._many, request, one.upload.force, run)))
            jobs[-1][0].append(number)
            run.append(one)
        return jobs

    def _single(self, request: Request, kept: _Kept | None) -> list[Response]:
        if kept is None:
            return [self._call(request)]
        found = put(self._engine, request.params, kept.upload, kept.draft.blob)
        return [found if isinstance(found, Response) else uploaded(found)]

    def _many(self, request: Request, force: bool, run: list[_Kept]) -> list[Response]:
        repository, branch = request.params
        drafts = [one.draft for one in run]
        return list(map(uploaded, self._engine.objects.put_many(repository, branch, drafts, force=force)))
