"""One call: authorization, retries and errors around a single request; the one retry layer there is.

The policy is pure: waiting and dice are the driver's, and time is the sum of the seconds that answers report. Whether
a try may be repeated follows from the operation's class (`Endpoint.retry`) and from what its outcome tells:

A safe, B idempotent: repeated. W last writer wins: repeated unless told not to. C conditional: repeated; a refusal
after an unknown outcome carries `maybe_applied=None`, and the op reads back. D logged, R removing: repeated here only
if nothing can have happened; else `ops.logged` looks for the op_id, and `ops.removal` whether what was to go is still
what it was. E never: one try, connecting excepted. A request with an idempotency key is repeated in any class on a
server that honours it: that server answers a repetition as it answered the first try.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final, NoReturn, TypeVar

import msgspec

from lakefs_hl.ops.auth import Authority
from lakefs_hl.ops.effects import Op, Send, sleep
from lakefs_hl.ops.failure import Outcome, body_of, doing, failure, is_html, meaning
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import FINAL, NOTHING_DONE
from lakefs_hl.spec.wire import Endpoint, Request, Response, TransportError

T = TypeVar("T")

RETRIED: Final = frozenset({408, 425, 429, 499, 500, 502, 503, 504})
#: Statuses between 300 and 499 after which the lake may have changed all the same: a proxy's, or a throttle's.
_UNKNOWN: Final = frozenset({408, 425, 429, 499})
_BUSY: Final = frozenset({429, 503})
#: Refusals of an operation itself; 401 comes before a key is looked up.
_SETTLING: Final = frozenset({400, 403, 404, 409, 410, 412, 422})
#: Header of a request: the server carries out one of that key once, and answers a repetition as it did the first.
KEY: Final = "idempotency-key"
#: Header of a response, by which a server says what it honours beyond lakeFS.
HONOURS: Final = "x-lakefs-hl"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long; seconds.

    Attributes:
        attempts: Tries of an operation that may be repeated.
        logged_attempts: Tries of a commit, merge, revert: each but the first after a look into the log.
        timeout: Read timeout; None leaves it to the operation's row.
        connect: Connect timeout; None leaves it to the transport.
        deadline: The whole call of a face, which may be many requests, transfers included: drivers hold it. None leaves
            each request to its row, where a transfer has none.
        base: First back-off.
        base_busy: First back-off when the server says that it is busy.
        growth: Factor by which the back-off grows with each try.
        cap: Longest back-off.
        hint_cap: Longest Retry-After that is waited for.
        retry_overwrites: Whether a write is repeated that could overtake another writer's.
        search: How long a lost commit is looked for in the log before it is sent again.
        search_final: The same where sending again is not safe.
    """

    attempts: int = 5
    logged_attempts: int = 3
    timeout: float | None = None
    connect: float | None = None
    deadline: float | None = None
    base: float = 0.1
    base_busy: float = 1.0
    growth: float = 2.0
    cap: float = 20.0
    hint_cap: float = 60.0
    retry_overwrites: bool = True
    search: float = 10.0
    search_final: float = 30.0

    def backoff(self, tries: int, *, busy: bool) -> float:
        """The upper end of the wait after `tries` tries."""
        try:
            return min(self.cap, (self.base_busy if busy else self.base) * self.growth ** (tries - 1))
        except OverflowError:
            return self.cap

    def limit(self, endpoint: Endpoint) -> float:
        """How long a call of this operation may take: what was set goes before the row's, shorter or longer."""
        return endpoint.pace.deadline if self.deadline is None else self.deadline


class Budget:
    """Tokens shared by all calls of a client: a retry costs, a success gives back; empty, nothing is repeated."""

    __slots__ = ("_left", "_lock", "_size")

    def __init__(self, size: int = 500) -> None:
        self._lock = threading.Lock()
        self._left = self._size = size

    @property
    def left(self) -> int:
        """Tokens left."""
        return self._left

    def spend(self, cost: int) -> bool:
        """Takes `cost` tokens, or says that there are not enough."""
        with self._lock:
            if self._left < cost:
                return False
            self._left -= cost
            return True

    def refill(self, tokens: int) -> None:
        """Gives tokens back after a success."""
        if self._left < self._size:
            with self._lock:
                self._left = min(self._size, self._left + tokens)


class Session:
    """What every op of a client shares; ops hold no other state.

    Attributes:
        authority: Who we are.
        policy: How often and how long.
        budget: The client's retry tokens.
        where: The endpoint, for messages; "" in process.
        storage: The server's storage configuration once it was asked for.
        exactly_once: Whether the server says that it honours `Idempotency-Key`; None while that is unknown. Of no use
            in process, where no answer is lost.
        keys_arrive: Whether the key of a request of ours came back; None while none was answered.
        date: The server's own clock in its last answer, an HTTP date; "" while there is none.
        new_key: Makes an idempotency key that nobody else has.
    """

    __slots__ = ("authority", "budget", "date", "exactly_once", "keys_arrive", "new_key", "policy", "storage", "where")

    def __init__(
        self,
        authority: Authority,
        policy: Policy | None = None,
        *,
        where: str = "",
        new_key: Callable[[], str] | None = None,
    ) -> None:
        self.authority = authority
        self.policy = policy or Policy()
        self.budget = Budget()
        self.where = where
        self.storage: models.StorageConfig | None = None
        self.exactly_once: bool | None = None
        self.keys_arrive: bool | None = None
        self.date = ""
        self.new_key = new_key

    @property
    def remote(self) -> bool:
        """Whether an answer can be lost on its way."""
        return bool(self.where)

    @property
    def repeats(self) -> bool:
        """Whether a request with a key may be sent again whatever became of it: the server honours and gets keys."""
        return self.exactly_once is True and self.keys_arrive is True

    def learn(self, request: Request, response: Response) -> None:
        """Note what an answer tells of its server, and of what lies in between."""
        self.date = response.headers.get("date") or self.date
        if KEY in response.headers.get(HONOURS, ""):
            key = request.headers.get(KEY)
            if key is not None:
                self.keys_arrive = response.headers.get(KEY) == key
            self.exactly_once = self.keys_arrive is not False
        elif self.exactly_once is None and response.status < 300:  # a refusal may be a proxy's
            self.exactly_once = False

    def copy(self, policy: Policy) -> Session:
        """The same session under another policy."""
        other = Session(self.authority, policy, where=self.where, new_key=self.new_key)
        other.budget, other.storage = self.budget, self.storage
        other.exactly_once, other.keys_arrive, other.date = self.exactly_once, self.keys_arrive, self.date
        return other


def keyed(session: Session, request: Request, key: str = "") -> Request:
    """The request with an idempotency key; unchanged in process, where it is of no use.

    Args:
        session: The client's.
        request: What to send.
        key: The key; "" makes one.
    """
    if not session.remote:
        return request
    key = key or (session.new_key() if session.new_key else "")
    return msgspec.structs.replace(request, headers={**request.headers, KEY: key}) if key else request


def call(
    session: Session, request: Request, *, about: str = "", repeat: bool = True, attempts: int | None = None
) -> Op[Response]:
    """Makes a request until it is answered for good; returns the answer only if the row says it is a success.

    Args:
        session: The client's.
        request: What to send, the same bytes in every try.
        about: What is being done, for messages; "" says it by the request.
        repeat: False forbids to repeat what may have been applied.
        attempts: At most so many tries instead of the policy's.

    Raises:
        TypeError: A name or a path is no string; nothing was sent.
        ValueError: It holds half a character; nothing was sent.
        ServerException: The server said no.
        TransportException: No answer came.
        AmbiguousOutcomeError: Nobody knows, and the operation must not be repeated.
    """
    for name, value in request.query.items():
        _check_text(request, name, value)
    for value in request.params:
        _check_text(request, "a name", value)
    authority = session.authority
    if authority.current[1] is None and authority.renewable and not (request.endpoint.public or request.url):
        yield from authority.renew(authority.current[0], partial(call, session))
    generation = authority.current[0]
    outcome: Outcome
    try:
        response: Response = yield Send(_signed(session, request))
    except TransportError as exc:
        outcome = exc
    else:
        if session.where and request.url is None:
            session.learn(request, response)
        if response.status in request.endpoint.ok:
            session.budget.refill(1)
            return response
        outcome = response
    if session.exactly_once and KEY in request.headers and maybe_applied(request, outcome):
        yield from _prove(session, request)
    tries = _Tries(session, request, about, repeat=repeat, attempts=attempts)
    return (yield from _again(tries, outcome, generation))


def _prove(session: Session, request: Request) -> Op[None]:
    """Ask whether keys reach the server before one is relied on: a proxy may drop headers that it does not know."""
    if session.keys_arrive is not None:
        return
    probe = Request(endpoints.HEALTH_CHECK, headers={KEY: request.headers[KEY]})
    try:
        answer: Response = yield Send(_signed(session, probe))
    except TransportError:
        return  # not known, so it is not relied on
    session.learn(probe, answer)


def _check_text(request: Request, name: str, value: object) -> None:
    """Refuses what is no text: written into a URL as it prints, it would name something else."""
    if isinstance(value, str):
        if value.isascii():
            return
        try:
            value.encode()
        except UnicodeEncodeError:
            msg = f"{request.endpoint.operation}: {name}={value!a:.80} holds half a surrogate pair, which is no text"
            raise ValueError(msg) from None
    elif isinstance(value, tuple):
        for part in value:
            _check_text(request, name, part)
    else:
        hint = "; the order is upload(data, path)" if request.endpoint.operation == "uploadObject" else ""
        msg = f"{request.endpoint.operation}: {name} must be a string, not {type(value).__name__}: {value!r:.80}{hint}"
        raise TypeError(msg)


def ask(session: Session, kind: type[T], request: Request, *, about: str = "") -> Op[T]:
    """A call that is answered by a record."""
    response = yield from call(session, request, about=about)
    return read(session, kind, request, response, about=about)


def read(session: Session, kind: type[T], request: Request, response: Response, *, about: str = "") -> T:
    """Reads the record of an answer, or says that this is no lakeFS."""
    try:
        return models.decode(kind, body_of(response))
    except msgspec.DecodeError as exc:
        came = (
            "a web page" if is_html(response) else f"{response.headers.get('content-type') or 'untyped content'}: {exc}"
        )
        error = errors.ProtocolException(
            f"{about or doing(request)}: HTTP {response.status} came with {came}, not with lakeFS's record; "
            f"is the endpoint{' ' + session.where if session.where else ''} right?"
        )
        error.maybe_applied = None if request.endpoint.retry != "A" else False
        raise error from None


def check_page(session: Session, request: Request, response: Response, *, about: str = "") -> None:
    """Refuse a web page where a success needs no record: a captive portal or a proxy has answered.

    Raises:
        ProtocolException: It is one; whether the request reached the server is unknown.
    """
    kind, start = response.headers.get("content-type", ""), body_of(response)[:200].lstrip().lower()
    if "text/html" in kind or start.startswith((b"<!doctype html", b"<html")):
        where = f" {session.where}" if session.where and request.url is None else ""
        error = errors.ProtocolException(
            f"{about or doing(request)}: a web page came with HTTP {response.status}; is the endpoint{where} right, "
            "and no proxy or login page in between?"
        )
        error.maybe_applied = None
        raise error


def attempt(op: Op[T]) -> Op[T | errors.LakeFSException]:
    """Runs an op and returns its failure instead of raising it: for a Gather that wants all outcomes."""
    try:
        return (yield from op)
    except errors.LakeFSException as exc:
        return exc


def read_back(op: Op[T], about: str, result_id: str) -> Op[T]:
    """Look up the record of what an operation has made. A failure of the lookup is not one of the operation.

    Args:
        op: The lookup.
        about: What was done, for messages.
        result_id: ID of what was made.

    Raises:
        AmbiguousOutcomeError: The lookup failed. `maybe_applied` is True and `result_id` is on the error.
    """
    try:
        return (yield from op)
    except errors.LakeFSException as exc:
        failed = exc
    error = errors.AmbiguousOutcomeError(
        f"{about}: it was done, and its result is {result_id}, which could not be read back; do not repeat it "
        f"({failed})"
    )
    error.attempts, error.maybe_applied, error.result_id = failed.attempts, True, result_id
    raise error from failed


def maybe_applied(request: Request, outcome: Outcome) -> bool:
    """Whether a failed try may have changed something all the same."""
    if isinstance(outcome, TransportError):
        return outcome.applied is None
    if outcome.status == 429:  # a throttled ref did not move; a staged write may lie where a commit takes it
        return request.endpoint.retry in "BWR"
    if outcome.status == 500 and request.endpoint.retry in "CDR":
        return meaning(request, outcome) not in NOTHING_DONE
    refused = 300 <= outcome.status < 500 and outcome.status not in _UNKNOWN
    return not refused and outcome.status not in (501, 505, 507)


def retry_after(response: Response) -> float | None:
    """The server's hint in seconds; a date is counted from the answer's own."""
    hint = response.headers.get("retry-after", "").strip()
    if hint.isdecimal():
        return float(hint)
    try:
        wait = parsedate_to_datetime(hint) - parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def _signed(session: Session, request: Request, left: float | None = None) -> Request:
    """The request with our authorization, never for a foreign URL, and with the times that are not its row's.

    Args:
        session: The client's.
        request: What to send.
        left: Seconds left for the call; None in its first try.
    """
    policy = session.policy
    authorization = None if request.url is not None or request.endpoint.public else session.authority.current[1]
    timeout = policy.timeout if request.timeout is None else request.timeout
    within, connect = policy.deadline if left is None else left, policy.connect
    if within is None and timeout is None and connect is None:
        if authorization is None:
            return request
        return msgspec.structs.replace(request, authorization=authorization)
    return msgspec.structs.replace(
        request, authorization=authorization, timeout=timeout, connect=connect, within=within
    )


class _Tries:
    """What one call has been through, and what it may still do."""

    __slots__ = ("about", "attempts", "elapsed", "limit", "renewed", "repeat", "request", "session", "spent", "unknown")

    def __init__(self, session: Session, request: Request, about: str, *, repeat: bool, attempts: int | None) -> None:
        kind, policy = request.endpoint.retry, session.policy
        self.session, self.request, self.about = session, request, about
        self.repeat = self._once or (repeat and kind in "ABWC" and (kind != "W" or policy.retry_overwrites))
        self.limit = attempts or (policy.logged_attempts if kind == "D" and not self._once else policy.attempts)
        self.attempts: list[errors.Attempt] = []
        self.elapsed, self.spent, self.unknown, self.renewed = 0.0, 0, False, False

    @property
    def _once(self) -> bool:
        """Whether the server carries this request out once however often it is sent."""
        return self.session.repeats and KEY in self.request.headers

    @property
    def left(self) -> float:
        """Seconds to the deadline."""
        return self.session.policy.limit(self.request.endpoint) - self.elapsed

    def note(self, outcome: Outcome) -> None:
        """Writes a try down."""
        told = str(outcome.status) if isinstance(outcome, Response) else f"{outcome.kind} ({outcome.phase})"
        self.attempts.append(errors.Attempt(told, outcome.seconds))
        self.elapsed += outcome.seconds
        self.unknown = self.unknown or maybe_applied(self.request, outcome)

    def renews(self, outcome: Outcome) -> bool:
        """Whether this is the 401 after which a new token is worth one more try."""
        first, self.renewed = (
            not self.renewed,
            self.renewed or (isinstance(outcome, Response) and outcome.status == 401),
        )
        foreign = self.request.url is not None or self.request.endpoint.public
        return first and self.renewed and self.session.authority.renewable and not foreign

    def wait(self, outcome: Outcome) -> tuple[float, float]:
        """How long to wait before the next try: at most with dice, at least; raises if the call is over."""
        busy = isinstance(outcome, Response) and outcome.status in _BUSY
        hint = (retry_after(outcome) if isinstance(outcome, Response) else None) or 0.0
        if not self._may_repeat(outcome) or len(self.attempts) >= self.limit:
            self.give_up(outcome)
        if hint > self.session.policy.hint_cap or hint >= self.left:
            self.give_up(outcome)
        cost = 10 if isinstance(outcome, TransportError) and outcome.kind == "timeout" else 5
        if not self.session.budget.spend(cost):
            self.give_up(outcome, exhausted=True)
        self.spent += cost
        return min(self.session.policy.backoff(len(self.attempts), busy=busy), self.left), hint

    def _may_repeat(self, outcome: Outcome) -> bool:
        if isinstance(outcome, TransportError):
            partial_read = self.request.sink is not None and outcome.received > 0  # ops.transfer goes on from there
            return outcome.retry and not partial_read and (self.repeat or outcome.applied is False)
        if outcome.status not in RETRIED or (outcome.status == 500 and meaning(self.request, outcome) in FINAL):
            return False
        never = self.request.endpoint.retry == "E"
        return self.repeat or not (never or maybe_applied(self.request, outcome))

    def _settles(self, outcome: Outcome) -> bool:
        """Whether a refusal is that of every try: a server that honours keys looks a key up before it refuses."""
        return (
            self._once
            and isinstance(outcome, Response)
            and outcome.status in _SETTLING
            and outcome.headers.get(KEY) == self.request.headers[KEY]
        )

    def give_up(self, outcome: Outcome, *, exhausted: bool = False) -> NoReturn:
        """Raises the error of the call."""
        error = failure(self.request, outcome, self.about, self.session.where)
        unknown = self.unknown and self.request.endpoint.retry != "A" and not self._settles(outcome)
        if unknown and self.request.endpoint.retry in "EWR" and not self.repeat:
            about = self.about or doing(self.request)
            cause = error
            error = errors.AmbiguousOutcomeError(
                f"{about}: outcome unknown: the request may have been applied and is not safe to repeat; look first "
                f"({cause})"
            )
            error.__cause__ = cause
        if len(self.attempts) > 1:
            error.args = (f"{error}; gave up after {len(self.attempts)} tries in {self.elapsed:.1f} s", *error.args[1:])
        if isinstance(outcome, Response) and isinstance(error, errors.ServerException):
            error.retry_after = retry_after(outcome)
        error.retry_budget_exhausted = exhausted
        error.attempts, error.maybe_applied = tuple(self.attempts), (None if unknown else False)
        raise error


def _again(tries: _Tries, outcome: Outcome, generation: int) -> Op[Response]:
    """The slow path: what to do after a first try that was no success."""
    session, request = tries.session, tries.request
    while True:
        tries.note(outcome)
        if tries.renews(outcome):
            yield from session.authority.renew(generation, partial(call, session))
        else:
            upto, atleast = tries.wait(outcome)
            tries.elapsed += yield from sleep(upto, atleast)
            if tries.left <= 0:
                tries.give_up(outcome)
        generation = session.authority.current[0]
        try:
            outcome = yield Send(_signed(session, request, tries.left))
        except TransportError as exc:
            outcome = exc
        if isinstance(outcome, Response):
            if session.where and request.url is None:
                session.learn(request, outcome)
            if outcome.status in request.endpoint.ok:
                session.budget.refill(tries.spent)
                return outcome
