"""One case of the fault matrix: a call, a fault, a colour; and the judge of what the client says afterwards.

A verdict is what a call tells its caller: it returned; or it raised, with `maybe_applied` False (nothing happened),
None (nobody can know) or True. The server's journal has the truth. Wrong is: done where it was not, not done where it
was, twice where it was asked for once, content that was never an object's, an error of no class of ours, a call that
sends more than the policy allows, or that does not end.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import msgspec

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl.exceptions import LakeFSException
from lakefs_hl.ops.retry import Policy
from lakefs_hl.spec import endpoints
from lakefs_hl.transport import limits
from tests.faults.catalogue import KINDS, RANDOM, Kind, fits
from tests.faults.operations import Ground, Operation, Place
from tests.faults.proxy import Fault, Plan, Proxy, Seen, proxied
from tests.serving import Served
from tests.worlds import Settler, World, plainly

COLOURS: Final = ("blocking", "awaitable")
#: Back-offs and windows of some milliseconds: nothing here waits for a network.
QUICK: Final = Policy(base=0.001, base_busy=0.002, cap=0.01, search=0.1, search_final=0.1)
#: For faults that are made of waiting.
IMPATIENT: Final = msgspec.structs.replace(QUICK, timeout=0.7, deadline=3.0)
#: The same where no call has to succeed: nothing fails because a machine is slower than these.
HASTY: Final = msgspec.structs.replace(QUICK, timeout=0.25, deadline=1.0)
#: The largest record here: a zipped bomb that has to grow to the client's own limit costs half a second of work.
LIMITS: Final = limits.LIMITS._replace(record=4 << 20)
#: Seconds that no call may take, whatever the machine is busy with: deadline, and a look afterwards, doubled.
MOST_SECONDS: Final = 12.0
#: Cases of one test that run side by side: most of their time they wait.
SIDE_BY_SIDE: Final = 16
#: How often the transport itself sends a request again, unseen: libcurl does on a connection that it has used before.
resent = 0
#: How often a request of a random schedule meets a fault.
LIKELY: Final = 0.3


class Case(NamedTuple):
    """One cell of the matrix.

    Attributes:
        operation: The call.
        kind: The fault.
        always: Whether every request of the operation meets it, or only the first.
        foreign: Whether server and client are kept from knowing each other: as on a real lakeFS.
        meddling: Whether somebody else works on the same thing before the client hears what became of its request.
    """

    operation: Operation
    kind: Kind
    always: bool = False
    foreign: bool = False
    meddling: bool = False

    def __str__(self) -> str:
        often = "each time" if self.always else "once"
        where = ", on a foreign server" if self.foreign else ""
        others = ", others at work" if self.meddling else ""
        return f"{self.operation.name} × {self.kind.name}, {often}{where}{others}"


class Verdict(NamedTuple):
    """What a call told, and after how long."""

    result: Any
    error: BaseException | None
    seconds: float

    def __str__(self) -> str:
        if self.error is None:
            return f"returned {str(self.result)[:60]!r} after {self.seconds:.2f} s"
        applied = getattr(self.error, "maybe_applied", "no attribute")
        return f"raised {type(self.error).__name__} (maybe_applied={applied}) after {self.seconds:.2f} s: {self.error}"


@contextlib.contextmanager
def meeting(proxy: Proxy, served: Served, colour: str, policy: Policy = QUICK) -> Iterator[World]:
    """A client of a colour behind a proxy, with a policy of its own."""
    if colour == "blocking":
        client = lakefs_hl.Client(proxy.url, served.key, served.secret)
        client._session.policy = policy
        client._driver._transport._limits = LIMITS
        with client:
            yield World("served", lakefs_hl, client, plainly)
        return
    with asyncio.Runner() as runner:
        awaitable = lakefs_hl.aio.Client(proxy.url, served.key, served.secret)
        awaitable._session.policy = policy
        awaitable._driver._transport._limits = LIMITS
        settler = Settler(runner)
        try:
            yield World("served", lakefs_hl.aio, awaitable, settler)
        finally:
            settler.run(awaitable.close())


def run(
    case: Case,
    served: Served,
    ground: Ground,
    number: int,
    colour: str,
    elsewhere: str,
    *,
    policy: Policy = QUICK,
    between: Callable[[Place], None] | None = None,
    plan: Plan | None = None,
) -> list[str]:
    """Plays a case; returns what is wrong with it, each with all there is to know.

    Args:
        case: What to play.
        served: The server.
        ground: The test's repository.
        number: The case's.
        colour: Of the client.
        elsewhere: URL that redirects lead to.
        policy: The client's.
        between: What others do before the client hears what became of its request; `Operation.meddle` if the case
            says that somebody meddles.
        plan: Chooses the fault of each request instead of the case.
    """
    operation, kind = case.operation, case.kind
    place = Place(ground, number)
    operation.prepare(place)
    with proxied(served.url, foreign=case.foreign) as proxy:
        proxy.elsewhere = elsewhere
        fresh = itertools.count()

        def hit(seen: Seen) -> tuple[str, Fault] | None:
            meant = seen.operation in operation.sends and (case.always or next(fresh) == 0)
            return (kind.name, kind.fault) if meant else None

        proxy.plan = plan or hit
        if case.meddling:
            proxy.between = lambda: operation.meddle(place)
        elif between is not None:
            proxy.between = lambda: between(place)
        if kind.refused:
            proxy.refuse()
        with meeting(proxy, served, colour, patience(case) if kind.slow else policy) as world:
            verdict = attempt(operation, world, place)
        proxy.release()
    wrong = judge(case, place, verdict, proxy)
    return [f"{case} ({colour}): {one}; {verdict}; requests: {proxy.journal()}" for one in wrong]


def patience(case: Case) -> Policy:
    """The limits of a call whose fault is made of waiting."""
    waits = case.kind.row == "F6"  # a second, because the server says so
    return IMPATIENT if waits or must_recover(case) else HASTY


def attempt(operation: Operation, world: World, place: Place) -> Verdict:
    """Makes the call."""
    start = time.perf_counter()
    try:
        result = operation.act(world, place)
    except Exception as exc:
        return Verdict(None, exc, time.perf_counter() - start)
    return Verdict(result, None, time.perf_counter() - start)


def judge(case: Case, place: Place, verdict: Verdict, proxy: Proxy) -> list[str]:
    """Holds the verdict against the journal."""
    wrong = list(_untrue(case, place, verdict, proxy))
    wrong += _excessive(case, verdict, proxy)
    if verdict.error is not None and must_recover(case):
        wrong.append("a retry was safe and would have helped")
    if case.meddling and case.operation.kind != "A" and not case.operation.kept(place):
        wrong.append("what somebody else did in the meantime is gone")
    return wrong


def must_recover(case: Case) -> bool:
    """Whether the call has to succeed all the same."""
    kind, operation = case.kind, case.operation
    if case.always or case.meddling or not kind.recovers:
        return False
    if case.foreign and operation.kind == "B":
        return False  # what was made or changed a moment ago may be somebody else's by now, as far as a look can tell
    found = operation.kind == "D" and kind.lost and "late" not in kind.name and operation.sends != ("importStart",)
    return operation.repeats or found


def _untrue(case: Case, place: Place, verdict: Verdict, proxy: Proxy) -> Iterator[str]:
    error, operation = verdict.error, case.operation
    if error is not None and not isinstance(error, LakeFSException):
        yield "the error is none of ours"
        return
    told = True if error is None else error.maybe_applied
    if error is None and not case.meddling and not operation.right(place, verdict.result):
        yield "what it returned is not true"
    if operation.kind == "A":
        if told not in (True, False) or (error is not None and told):
            yield "a read changes nothing"
        return
    if doubled := place.doubled():
        yield f"done twice: {doubled}"
    if case.meddling:  # what the lake shows by now is what the others did: what the server answered tells
        times = int(any(seen.status in endpoints.ENDPOINTS[seen.operation].ok for seen in _sent(case, proxy)))
    else:
        times = operation.applied(place)
    if times > 1:
        yield f"done {times} times"
    if told is True and not times:
        yield "told as done, and the journal does not have it"
    if told is False and times:
        yield "told as not done, and the journal has it"


def _sent(case: Case, proxy: Proxy) -> list[Seen]:
    return [seen for seen in proxy.seen if seen.operation in case.operation.sends]


def _excessive(case: Case, verdict: Verdict, proxy: Proxy) -> Iterator[str]:
    operation, kind = case.operation, case.kind
    # with an idempotency key that the server honours, a logged operation is as safe to repeat as any
    most = 3 if case.foreign and endpoints.ENDPOINTS[operation.sends[0]].retry == "D" else 5
    if operation.data and operation.kind == "A":
        most *= 3  # content that was damaged on its way is fetched again
    most = (most + resent) * operation.calls
    sent = len(_sent(case, proxy))
    if sent > most:
        yield f"sent {sent} times, {most} are allowed"
    looks = 100 if operation.kind == "D" else 2 * most + 6  # a log is looked into as long as the policy says
    if kind is not RANDOM and len(proxy.seen) > most + looks:
        yield f"{len(proxy.seen)} requests in all"
    if kind.refused and proxy.seen:
        yield "requests were sent where nobody listens"
    if verdict.seconds > MOST_SECONDS:
        yield f"took {verdict.seconds:.1f} s"


def run_random(
    operation: Operation, seeds: list[int], served: Served, ground: Ground, colour: str, elsewhere: str
) -> list[str]:
    """Plays schedules, in which every request may meet any fault that is not made of waiting."""
    kinds = [kind for kind in KINDS if kind.scope == "all" and not (kind.slow or kind.refused)]
    kinds = [kind for kind in kinds if fits(operation, kind)]

    def play(number: int) -> list[str]:
        dice = random.Random(seeds[number])

        def plan(seen: Seen) -> tuple[str, Fault] | None:
            kind = dice.choice(kinds)
            return (kind.name, kind.fault) if dice.random() < LIKELY else None

        case = Case(operation, RANDOM, foreign=number % 2 == 1)
        return [
            f"seed {seeds[number]}: {one}" for one in run(case, served, ground, number, colour, elsewhere, plan=plan)
        ]

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return [one for wrong in pool.map(play, range(len(seeds))) for one in wrong]


def run_all(cases: list[Case], served: Served, ground: Ground, colours: Sequence[str], elsewhere: str) -> list[str]:
    """Plays cases side by side, each in a place of its own, in the colours by turns; returns all that is wrong.

    Those that are made of waiting come first, so that at the end nobody waits for the last of them alone.
    """
    numbered = sorted(enumerate(cases), key=lambda numbered: not numbered[1].kind.slow)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = pool.map(
            lambda one: run(one[1], served, ground, one[0], colours[one[0] % len(colours)], elsewhere), numbered
        )
        return [one for wrong in found for one in wrong]
