"""One call: authorization, retries and exceptions around a single request. This is the only retry layer.

The policy is pure: the driver waits and draws the jitter, and time is the sum of the seconds that responses report.
Whether an attempt is retried depends on the operation's class (`Endpoint.retry`) and on the outcome:

A safe, B idempotent: retried. W last writer wins: retried unless the policy forbids it. C conditional: retried; an
error response after an unknown outcome has `maybe_applied=None`, and the op reads back. D logged, R removing: retried
here only if nothing can have been applied; else `ops.logged` searches for the op_id, and `ops.removal` checks that what
was to be removed is unchanged. E never: one attempt, except for failures to connect. On a server that honours
idempotency keys a request with a key is retried in any class: such a server repeats its first response.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final, NoReturn, TypeVar

import msgspec

from lakefs_hl.ops.auth import Authenticator
from lakefs_hl.ops.effects import Op, Send, send_all, sleep
from lakefs_hl.ops.failure import Outcome, body_of, check, failure, is_cut, is_html, kind_of_response
from lakefs_hl.ops.pace import AdaptiveWidth
from lakefs_hl.ops.scope import make_repository, needs_repository, note_creation, note_scope, to_caller, to_server
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.headers import CAPABILITIES, IDEMPOTENCY_KEY
from lakefs_hl.spec.keys import KEYS
from lakefs_hl.spec.kinds import FINAL, NOTHING_DONE
from lakefs_hl.spec.links import LINKS
from lakefs_hl.spec.sigv4 import Gateway
from lakefs_hl.spec.wire import Endpoint, Request, Response, TransportError

T = TypeVar("T")

RETRYABLE: Final = frozenset({408, 425, 429, 499, 500, 502, 503, 504})
#: Statuses of a busy server.
BUSY: Final = frozenset({429, 503})
#: Statuses between 300 and 499 after which the request may have been applied: sent by a proxy or a rate limit.
_OUTCOME_UNKNOWN: Final = frozenset({408, 425, 429, 499})
#: Statuses of the operation itself. 401 is not one: it is sent before a key is looked up.
_CONCLUSIVE: Final = frozenset({400, 403, 404, 409, 410, 412, 422})
#: Tokens of the retry budget that a retry costs, and one after a timeout.
RETRY_COST: Final = 5
_TIMEOUT_COST: Final = 10
#: The gateway of a session that was given none.
NO_GATEWAY: Final = Gateway()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Retries and timeouts. All times are in seconds.

    Attributes:
        attempts: Maximum attempts of a retryable operation.
        logged_attempts: Maximum attempts of a commit, merge or revert. Each retry follows a search of the log.
        timeout: Read timeout. Defaults to that of the operation's row.
        connect: Connect timeout. Defaults to the transport's.
        deadline: Deadline of a whole method call, with all its requests and transfers; enforced by drivers. Defaults to
            a deadline per request from its row, where a transfer has none.
        base: First backoff.
        base_busy: First backoff if the server reports that it is busy.
        growth: Factor of the backoff per attempt.
        cap: Longest backoff.
        hint_cap: Longest Retry-After that is waited for.
        retry_overwrites: Whether to retry a write that could overwrite a later write of others.
        search: How long to search the log for a commit with a lost response before retrying it.
        search_final: The same for a commit that is not safe to retry.
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
        """Return the longest wait after `tries` attempts, in seconds."""
        try:
            return float(min(self.cap, (self.base_busy if busy else self.base) * self.growth ** (tries - 1)))
        except OverflowError:
            return self.cap

    def limit(self, endpoint: Endpoint) -> float:
        """Return the deadline of an operation in seconds. The policy's wins over the row's."""
        return endpoint.timeouts.deadline if self.deadline is None else self.deadline


class Budget:
    """Retry tokens shared by all calls of a client. A retry spends tokens, a success returns them."""

    __slots__ = ("_left", "_lock", "_size")

    def __init__(self, size: int = 500) -> None:
        self._lock = threading.Lock()
        self._left = self._size = size

    @property
    def left(self) -> int:
        """Number of tokens left."""
        return self._left

    def spend(self, cost: int) -> bool:
        """Spend tokens; return False if there are not enough."""
        with self._lock:
            if self._left < cost:
                return False
            self._left -= cost
            return True

    def refill(self, tokens: int) -> None:
        """Return tokens after a success."""
        if self._left < self._size:
            with self._lock:
                self._left = min(self._size, self._left + tokens)


class Session:
    """State that all ops of a client share. Ops have no other state.

    Attributes:
        authenticator: The authorization of each request, and its renewal.
        policy: Retries and timeouts.
        budget: The client's retry tokens.
        endpoint: The endpoint, for messages; "" in process.
        storage: The server's storage configuration, once it was requested.
        incomparable: Which objects in parts have checksums that no content can be compared with: see `comparison`.
        storage_refused: Whether these credentials may not read it.
        exactly_once: Whether the server reports that it honours `Idempotency-Key`. None while unknown. Unused in
            process, where no response can be lost.
        remote: Whether there is a network, on which a response can be lost.
        links: Whether the server, one of ours, has links of its own. None for any other server, and while unknown.
        manages_keys: Whether the server, one of ours, manages access keys. None as for `links`.
        gateway: The S3 gateway that URLs can be signed for.
        keys_arrive: Whether the server sent back the key of a request. None before the first response to one.
        date: The server's clock in its last response, as an HTTP date; "" while unknown.
        new_key: Returns a new, unique idempotency key.
        width: How many ops of a bulk call run at a time.
        scope: What the names of repositories begin with on the server, and not for the caller.
        make_repository: Creates a repository that a request needs and that does not exist. None creates none.
    """

    date: str
    scope: str

    __slots__ = (
        "authenticator",
        "budget",
        "date",
        "endpoint",
        "exactly_once",
        "gateway",
        "incomparable",
        "keys_arrive",
        "links",
        "make_repository",
        "manages_keys",
        "new_key",
        "policy",
        "remote",
        "scope",
        "storage",
        "storage_refused",
        "width",
    )

    def __init__(
        self,
        authenticator: Authenticator,
        policy: Policy | None = None,
        *,
        endpoint: str = "",
        new_key: Callable[[], str] | None = None,
        clock: Callable[[], float] = float,
        gateway: Gateway = NO_GATEWAY,
    ) -> None:
        self.authenticator: Authenticator = authenticator
        self.policy: Policy = policy or Policy()
        self.budget: Budget = Budget()
        self.endpoint: str = endpoint
        self.remote: bool = bool(endpoint)
        self.storage: models.StorageConfig | None = None
        self.storage_refused: bool = False
        self.incomparable: set[tuple[str, int]] = set()
        self.exactly_once: bool | None = None
        self.keys_arrive: bool | None = None
        self.links: bool | None = None
        self.manages_keys: bool | None = None
        self.gateway: Gateway = gateway
        self.date = ""
        self.new_key: Callable[[], str] | None = new_key
        self.width: AdaptiveWidth = AdaptiveWidth(clock)
        self.scope = ""
        self.make_repository: Callable[[Session, str], Op[object]] | None = None

    @property
    def repeats(self) -> bool:
        """Whether a request with a key is safe to retry after any outcome: the server honours and receives keys."""
        return self.exactly_once is True and self.keys_arrive is True

    def learn(self, request: Request, response: Response) -> None:
        """Record what a response reveals about the server, and about proxies in between."""
        self.date = response.headers.get("date") or self.date
        offered = response.headers.get(CAPABILITIES, "")
        if IDEMPOTENCY_KEY in offered:
            self.links, self.manages_keys = LINKS in offered, KEYS in offered
            key = request.headers.get(IDEMPOTENCY_KEY)
            if key is not None:
                self.keys_arrive = response.headers.get(IDEMPOTENCY_KEY) == key
            self.exactly_once = self.keys_arrive is not False
        elif self.exactly_once is None and response.status < 300:  # an error response may be a proxy's
            self.exactly_once = False

    def copy(self, policy: Policy) -> Session:
        """Return a session with another policy that shares the budget."""
        other = Session(self.authenticator, policy, endpoint=self.endpoint, new_key=self.new_key, gateway=self.gateway)
        other.budget, other.width = self.budget, self.width
        other.storage, other.storage_refused = self.storage, self.storage_refused
        other.exactly_once, other.keys_arrive, other.date = self.exactly_once, self.keys_arrive, self.date
        other.scope, other.make_repository = self.scope, self.make_repository
        other.links, other.manages_keys = self.links, self.manages_keys
        return other


def with_key(session: Session, request: Request, key: str = "") -> Request:
    """Return the request with an idempotency key; unchanged in process, where keys have no use.

    Args:
        session: The client's session.
        request: The request.
        key: The key; "" generates one.
    """
    if not session.remote:
        return request
    key = key or (session.new_key() if session.new_key else "")
    return msgspec.structs.replace(request, headers={**request.headers, IDEMPOTENCY_KEY: key}) if key else request


def first_attempts(session: Session, requests: Sequence[Request]) -> Op[list[Response | Exception]]:
    """Make the first attempts of many requests at the same time, where no login is ever due (`is_local`).

    Of a response, `is_success` tells whether it is one. With any other outcome, `call` goes on.
    """
    return (yield from send_all([_authorize(session, request) for request in requests]))


def is_local(session: Session) -> bool:
    """Return whether there is neither a network nor a login, so that many requests go together for less."""
    return not (session.remote or session.authenticator.renewable)


def is_success(session: Session, request: Request, response: Response) -> bool:
    """Return whether a first response is a success of its operation. What it reveals of the server is recorded."""
    if session.remote and request.url is None:
        session.learn(request, response)
    if response.status in request.endpoint.ok:
        session.budget.refill(1)
        return True
    return False


def call(
    session: Session,
    request: Request,
    *,
    about: str = "",
    attempts: int | None = None,
    first: Outcome | None = None,
) -> Op[Response]:
    """Send a request, with retries, and return its successful response.

    Args:
        session: The client's session.
        request: The request. Every attempt sends the same bytes.
        about: What was asked, for messages; "" means the words of the request.
        attempts: Maximum attempts instead of the policy's.
        first: Outcome of the first attempt, if that was made before.

    Returns:
        The response, with a status that the row lists as a success.

    Raises:
        ServerException: The server returned an error response.
        TransportException: No response was received.
        AmbiguousOutcomeError: The outcome is unknown, and the operation is not safe to retry.
    """
    authenticator = session.authenticator
    if authenticator.renewable and not (request.endpoint.public or request.url):
        yield from authenticator.refresh(partial(call, session))
    generation = authenticator.current[0]
    outcome: Outcome
    if first is None:
        try:
            outcome = yield Send(_authorize(session, request))
        except TransportError as exc:
            outcome = exc
    else:
        outcome = first
    if isinstance(outcome, Response) and is_success(session, request, outcome):
        return outcome
    if session.exactly_once and IDEMPOTENCY_KEY in request.headers and maybe_applied(request, outcome):
        yield from _check_keys_arrive(session, request)
    made = _Attempts(session, request, about, limit=attempts)
    return (yield from _retry(made, outcome, generation))


def authorization(session: Session) -> Op[str | None]:
    """Return the current value of the authorization header, after a login if one is due."""
    authenticator = session.authenticator
    if authenticator.renewable:
        yield from authenticator.refresh(partial(call, session))
    return authenticator.current[1]


def _check_keys_arrive(session: Session, request: Request) -> Op[None]:
    """Check that keys reach the server before relying on one: a proxy may drop headers that it does not know."""
    if session.keys_arrive is not None:
        return
    probe = Request(endpoints.HEALTH_CHECK, headers={IDEMPOTENCY_KEY: request.headers[IDEMPOTENCY_KEY]})
    try:
        response: Response = yield Send(_authorize(session, probe))
    except TransportError:
        return  # still unknown, so keys are not relied on
    session.learn(probe, response)


def ask(session: Session, kind: type[T], request: Request, *, about: str = "") -> Op[T]:
    """Send a request, with retries, and return the record in its response."""
    response = yield from call(session, request, about=about)
    return read(session, kind, request, response, about=about)


def read(session: Session, kind: type[T], request: Request, response: Response, *, about: str = "") -> T:
    """Decode the record in a response.

    Raises:
        ProtocolException: The response has no such record, so the server is not lakeFS.
    """
    try:
        return to_caller(session.scope, request, models.decode(kind, body_of(response)))
    except msgspec.DecodeError as exc:
        content = (
            "a web page" if is_html(response) else f"{response.headers.get('content-type') or 'untyped content'}: {exc}"
        )
        error = errors.ProtocolException(
            f"{about or request.describe()}: HTTP {response.status} with {content}, not with lakeFS's record; "
            f"{check(session.endpoint)}"
        )
        is_harmless = request.endpoint.retry == "A" and session.make_repository is None
        error.maybe_applied = False if is_harmless else None
        raise error from None


def check_page(session: Session, request: Request, response: Response, *, about: str = "") -> None:
    """Check that a successful response without a record is not a web page of a captive portal or a proxy.

    Raises:
        ProtocolException: It is a web page. Whether the request reached the server is unknown.
    """
    kind, start = response.headers.get("content-type", ""), body_of(response)[:200].lstrip().lower()
    if "text/html" in kind or start.startswith((b"<!doctype html", b"<html")):
        advice = check(session.endpoint if request.url is None else "")
        error = errors.ProtocolException(
            f"{about or request.describe()}: HTTP {response.status} with a web page; {advice}, and that no proxy or "
            "login page is in between"
        )
        error.maybe_applied = None
        raise error


def attempt(op: Op[T]) -> Op[T | errors.LakeFSException]:
    """Run an op and return its exception instead of raising it, for a Gather that needs all outcomes."""
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
    """Return whether a failed attempt may have been applied."""
    if isinstance(outcome, TransportError):
        return outcome.applied is None
    if outcome.status == 429:  # a rate-limited ref did not move; a staged write may have been written before the limit
        return request.endpoint.retry in "BWR"
    if outcome.status == 500 and request.endpoint.retry in "CDR":
        return kind_of_response(request, outcome) not in NOTHING_DONE
    rejected = 300 <= outcome.status < 500 and outcome.status not in _OUTCOME_UNKNOWN
    return not rejected and outcome.status not in (501, 505, 507)


def retry_after(response: Response) -> float | None:
    """Return the seconds of a Retry-After header. A date is relative to the response's own date."""
    hint = response.headers.get("retry-after", "").strip()
    if hint.isdecimal():
        return float(hint)
    try:
        wait = parsedate_to_datetime(hint) - parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def _authorize(session: Session, request: Request, left: float | None = None) -> Request:
    """Return the request with our authorization, unless it has a pre-signed URL, and with the policy's timeouts.

    Args:
        session: The client's session.
        request: The request.
        left: Seconds left for the call; None in its first attempt.
    """
    policy, request = session.policy, to_server(session.scope, request)
    authorization = None if request.url is not None or request.endpoint.public else session.authenticator.current[1]
    timeout = policy.timeout if request.timeout is None else request.timeout
    within, connect = policy.deadline if left is None else left, policy.connect
    if within is None and timeout is None and connect is None:
        if authorization is None:
            return request
        return msgspec.structs.replace(request, authorization=authorization)
    return msgspec.structs.replace(
        request, authorization=authorization, timeout=timeout, connect=connect, within=within
    )


class _Attempts:
    """The attempts of one call, and the decision whether there is another one."""

    __slots__ = (
        "about",
        "attempts",
        "elapsed",
        "is_safe",
        "limit",
        "renewed",
        "request",
        "session",
        "spent",
        "unknown",
    )

    def __init__(self, session: Session, request: Request, about: str, *, limit: int | None) -> None:
        retry, policy = request.endpoint.retry, session.policy
        self.session, self.request, self.about = session, request, about
        self.is_safe = self._is_once or (retry in "ABWC" and (retry != "W" or policy.retry_overwrites))
        self.limit = limit or (policy.logged_attempts if retry == "D" and not self._is_once else policy.attempts)
        self.attempts: list[errors.Attempt] = []
        self.elapsed, self.spent, self.unknown, self.renewed = 0.0, 0, False, False

    @property
    def _is_once(self) -> bool:
        """Whether the server executes this request once, however often it is sent."""
        return self.session.repeats and IDEMPOTENCY_KEY in self.request.headers

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.session.policy.limit(self.request.endpoint) - self.elapsed

    @property
    def reason(self) -> str:
        """Why the request is sent again, for the log."""
        outcome = self.attempts[-1].outcome
        cause = f"HTTP {outcome}" if outcome.isdecimal() else outcome
        return f"{self.request.endpoint.operation}: attempt {len(self.attempts)} of {self.limit} failed with {cause}"

    def add(self, outcome: Outcome) -> None:
        """Record an attempt."""
        text = str(outcome.status) if isinstance(outcome, Response) else f"{outcome.kind} ({outcome.phase})"
        self.attempts.append(errors.Attempt(text, outcome.seconds))
        self.elapsed += outcome.seconds
        self.unknown = self.unknown or maybe_applied(self.request, outcome)

    def renews(self, outcome: Outcome) -> bool:
        """Return whether this is the first 401, after which a new token is worth another attempt."""
        unauthorized = isinstance(outcome, Response) and outcome.status == 401
        first, self.renewed = not self.renewed, self.renewed or unauthorized
        is_anonymous = self.request.url is not None or self.request.endpoint.public
        return first and self.renewed and self.session.authenticator.renewable and not is_anonymous

    def wait(self, outcome: Outcome) -> tuple[float, float]:
        """Return the longest and the shortest wait before the next attempt, in seconds.

        Raises:
            LakeFSException: There is no further attempt.
        """
        busy = isinstance(outcome, Response) and outcome.status in BUSY
        hint = (retry_after(outcome) if isinstance(outcome, Response) else None) or 0.0
        is_timeout = isinstance(outcome, TransportError) and outcome.kind == "timeout"
        if busy or is_timeout:
            self.session.width.slow()
        if not self._is_retryable(outcome) or len(self.attempts) >= self.limit:
            self.give_up(outcome)
        if hint > self.session.policy.hint_cap or hint >= self.left:
            self.give_up(outcome)
        cost = _TIMEOUT_COST if is_timeout else RETRY_COST
        if not self.session.budget.spend(cost):
            self.give_up(outcome, exhausted=True)
        self.spent += cost
        return min(self.session.policy.backoff(len(self.attempts), busy=busy), self.left), hint

    def _is_retryable(self, outcome: Outcome) -> bool:
        if isinstance(outcome, TransportError):
            is_partial = self.request.sink is not None and outcome.received > 0  # ops.transfer resumes it
            return outcome.retry and not is_partial and (self.is_safe or outcome.applied is False)
        if outcome.status not in RETRYABLE:
            # without its message a 404 may be that of any server, and of anything that is missing
            return outcome.status == 404 and self.request.endpoint.retry == "A" and is_cut(self.request, outcome)
        if outcome.status == 500 and kind_of_response(self.request, outcome) in FINAL:
            return False
        never = self.request.endpoint.retry == "E"
        return self.is_safe or not (never or maybe_applied(self.request, outcome))

    def _is_conclusive(self, outcome: Outcome) -> bool:
        """Return whether an error response holds for every attempt: a server looks a key up before it rejects it."""
        return (
            self._is_once
            and isinstance(outcome, Response)
            and outcome.status in _CONCLUSIVE
            and outcome.headers.get(IDEMPOTENCY_KEY) == self.request.headers[IDEMPOTENCY_KEY]
        )

    def give_up(self, outcome: Outcome, *, exhausted: bool = False) -> NoReturn:
        """Raise the exception of the call."""
        error = failure(self.request, outcome, self.about, self.session.endpoint, self.session.authenticator.advice)
        unknown = self.unknown and self.request.endpoint.retry != "A" and not self._is_conclusive(outcome)
        if unknown and self.request.endpoint.retry in "EWR" and not self.is_safe:
            about = self.about or self.request.describe()
            cause = error
            error = errors.AmbiguousOutcomeError(
                f"{about}: outcome unknown: the request may have been applied and is not safe to repeat; check the "
                f"current state before retrying ({cause})"
            )
            error.__cause__ = cause
        if len(self.attempts) > 1:
            text = f"{error}; gave up after {len(self.attempts)} attempts in {self.elapsed:.1f} s"
            error.args = (text, *error.args[1:])
        if isinstance(outcome, Response) and isinstance(error, errors.ServerException):
            error.retry_after = retry_after(outcome)
        error.retry_budget_exhausted = exhausted
        note_scope(self.session.scope, self.request, error)
        error.attempts, error.maybe_applied = tuple(self.attempts), (None if unknown else False)
        raise error


def _retry(attempts: _Attempts, outcome: Outcome, generation: int) -> Op[Response]:
    """Retry a request until it succeeds, after a first attempt that did not."""
    session, request = attempts.session, attempts.request
    while True:
        if needs_repository(session, request, outcome):
            plain = yield from make_repository(session, request)
            try:
                return (yield from call(plain, request, about=attempts.about, attempts=attempts.limit))
            except errors.LakeFSException as exc:
                note_creation(request, exc)
                raise
        attempts.add(outcome)
        if attempts.renews(outcome):
            yield from session.authenticator.renew(generation, partial(call, session))
        else:
            upto, atleast = attempts.wait(outcome)
            attempts.elapsed += yield from sleep(upto, atleast, attempts.reason, request.endpoint.operation)
            if attempts.left <= 0:
                attempts.give_up(outcome)
        generation = session.authenticator.current[0]
        try:
            outcome = yield Send(_authorize(session, request, attempts.left))
        except TransportError as exc:
            outcome = exc
        if isinstance(outcome, Response):
            if session.remote and request.url is None:
                session.learn(request, outcome)
            if outcome.status in request.endpoint.ok:
                session.budget.refill(attempts.spent)
                return outcome
