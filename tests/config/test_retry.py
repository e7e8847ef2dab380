"""Retry: its checks, its preset, and the schedule of waits that operations make of it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl._build.session import policy_of
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.retry import Retry
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.effects import Sleep
from lakefs_hl.ops.retry import Policy, Session, call
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import InvalidConfigError, LakeFSException, ServerErrorException
from lakefs_hl.spec.wire import Request, Response, TransportError

READ = Request(endpoints.GET_REPOSITORY, params=("r",))


def session(retries: int | Retry | None) -> Session:
    policy = policy_of(ClientOptions(retries=retries))
    return Session(basic("AKEY", "s3cr3t"), policy, endpoint="http://lake:8000")


def windows(retries: int | Retry | None, outcome: Response | TransportError, request: Request = READ) -> list[float]:
    """Return the window of each wait of a call whose every attempt has the same outcome."""
    op = call(session(retries), request)
    waits = list[float]()
    effect: Any = next(op)
    while True:
        try:
            if isinstance(effect, Sleep):
                waits.append(effect.upto)
                effect = op.send(0.0)
            elif isinstance(outcome, Response):
                effect = op.send(outcome)
            else:
                effect = op.throw(outcome)
        except LakeFSException:
            return waits


def lost() -> TransportError:
    return TransportError("connect", "the server refuses connections", kind="refused")


# --------------------------------------------------------------------------------------------------- the schedule


def test_cloudfiles_is_seven_attempts_and_a_window_that_grows_from_half_a_second() -> None:
    schedule = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert windows(Retry.CLOUDFILES, Response(500)) == schedule
    assert windows(Retry.CLOUDFILES, Response(503)) == schedule  # an overloaded server makes no difference
    assert windows(Retry.CLOUDFILES, lost()) == schedule
    assert policy_of(ClientOptions(retries=Retry.CLOUDFILES)).backoff(50, busy=False) == 60.0


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (3, 4), (9, 10), (None, 5)])
def test_a_number_is_that_of_the_retries_with_the_default_waits(retries: int | None, attempts: int) -> None:
    default = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0]
    assert windows(retries, lost()) == pytest.approx(default[: attempts - 1])
    policy = policy_of(ClientOptions(retries=retries))
    assert policy == Policy(attempts=attempts, logged_attempts=min(3, attempts))


def test_a_retry_without_arguments_is_the_default() -> None:
    assert policy_of(ClientOptions(retries=Retry())) == policy_of(ClientOptions()) == Policy()


def test_the_window_starts_grows_and_ends_as_set() -> None:
    retry = Retry(attempts=6, backoff_start=1, backoff_busy=5, backoff_growth=3, backoff_max=20)
    assert windows(retry, Response(500)) == [1, 3, 9, 20, 20]
    assert windows(retry, Response(429)) == [5, 15, 20, 20, 20]


def test_a_window_that_does_not_grow_stays() -> None:
    assert windows(Retry(attempts=4, backoff_start=2, backoff_growth=1), lost()) == [2, 2, 2]


def test_a_window_of_zero_waits_for_nothing() -> None:
    assert windows(Retry(attempts=3, backoff_start=0, backoff_busy=0), Response(503)) == [0, 0]


def test_a_window_never_overflows() -> None:
    policy = policy_of(ClientOptions(retries=Retry(attempts=10_000, backoff_growth=1000)))
    assert policy.backoff(9_999, busy=False) == 20.0


def test_a_hint_of_the_server_that_is_too_long_ends_the_call() -> None:
    hint = Response(429, headers={"retry-after": "90"})
    assert windows(Retry(attempts=3), hint) == []
    assert len(windows(Retry(attempts=3, retry_after_max=100), hint)) == 0  # longer than the operation may take
    short = Response(429, headers={"retry-after": "5"})
    assert windows(Retry(attempts=3, retry_after_max=4), short) == []
    assert len(windows(Retry(attempts=3, retry_after_max=5), short)) == 2


def test_a_write_that_may_overwrite_is_not_retried_if_that_is_switched_off() -> None:
    write = Request(endpoints.UPLOAD_OBJECT, params=("r", "main"), query={"path": "a"})
    assert write.endpoint.retry == "W"
    unknown = Response(502)
    assert len(windows(Retry(attempts=3), unknown, write)) == 2
    assert windows(Retry(attempts=3, overwrites=False), unknown, write) == []


# ------------------------------------------------------------------------------------------------------ the value


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"attempts": 0}, InvalidConfigError, "attempts=0: must be a number >= 1"),
        ({"attempts": 10**30}, InvalidConfigError, "attempts must be an integer of 64 bits"),
        ({"attempts": 1.5}, TypeError, "attempts must be an integer"),
        ({"attempts": "3"}, TypeError, "attempts must be an integer"),
        ({"backoff_start": -1}, InvalidConfigError, "backoff_start=-1"),
        ({"backoff_busy": float("nan")}, InvalidConfigError, "backoff_busy=nan"),
        ({"backoff_growth": 0.5}, InvalidConfigError, "backoff_growth=0.5: must be a number >= 1"),
        ({"backoff_max": float("inf")}, InvalidConfigError, "backoff_max=inf"),
        ({"retry_after_max": "60"}, TypeError, "retry_after_max must be a number"),
        ({"overwrites": "no"}, TypeError, "overwrites must be True or False"),
    ],
)
def test_a_bad_value_is_named(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Retry(**given)


def test_a_retry_is_a_value() -> None:
    assert Retry(attempts=3) == Retry(attempts=3, backoff_max=20)
    assert hash(Retry(attempts=3)) == hash(Retry(attempts=3))
    assert Retry(attempts=3) != Retry()
    assert pickle.loads(pickle.dumps(Retry.CLOUDFILES)) == copy.deepcopy(Retry.CLOUDFILES) == Retry.CLOUDFILES
    assert repr(Retry.CLOUDFILES) == (
        "Retry(attempts=7, backoff_start=0.5, backoff_busy=0.5, backoff_growth=2.0, backoff_max=60.0, "
        "retry_after_max=60.0, overwrites=True)"
    )
    assert dataclasses.replace(Retry.CLOUDFILES, attempts=2).backoff_max == 60
    with pytest.raises(dataclasses.FrozenInstanceError):
        Retry().attempts = 3  # type: ignore[misc]


# --------------------------------------------------------------------------------------------------- in a client


@pytest.mark.parametrize("module", [lakefs_hl, aio])
def test_a_client_takes_a_retry_and_keeps_it(module: Any) -> None:
    client = module.Client("http://127.0.0.1:1", "key", "secret", retries=Retry.CLOUDFILES, pickle_secrets=True)
    assert client._session.policy.attempts == 7
    assert client == module.Client("http://127.0.0.1:1", "key", "secret", retries=Retry.CLOUDFILES)
    assert client != module.Client("http://127.0.0.1:1", "key", "secret", retries=6)
    assert pickle.loads(pickle.dumps(client)) == client
    changed = client.with_options(retries=Retry(attempts=2))
    assert (changed._session.policy.attempts, changed._session.policy.cap) == (2, 20)
    branch = module.repository("example", client=client).branch("main").with_options(retries=Retry(attempts=4))
    assert branch._client._session.policy.attempts == 4
    assert pickle.loads(pickle.dumps(branch))._client._session.policy.attempts == 4


def test_a_retry_counts_attempts() -> None:
    asked = list[Request]()

    def fails(request: Request) -> Response:
        asked.append(request)
        return Response(500, body=b'{"message":"no"}')

    client = lakefs_hl.Client(transport=fails, retries=Retry(attempts=3, backoff_start=0))
    with pytest.raises(ServerErrorException, match="3 attempts"):
        _ = client.version
    assert len(asked) == 3
