"""What is left of an error's traceback and of what led to it, and copies of errors for other threads."""

from __future__ import annotations

import gc
import traceback
import weakref
from collections.abc import Callable
from types import TracebackType

import pytest

from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import branches
from lakefs_hl.spec import arguments, errors
from lakefs_hl.spec.tracebacks import EXPLAINED, copy_exception, cut_traceback, is_explained, strip_cause
from lakefs_hl.spec.wire import TransportError
from tests.ops.script import Play, no, session, step


class Held:
    """Something that a frame keeps alive."""


def frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def deep(seen: list[weakref.ref[Held]]) -> None:
    held = Held()
    seen.append(weakref.ref(held))
    try:
        raise KeyError("context")
    except KeyError:
        deeper()


def deeper() -> None:
    cause = ValueError("cause")
    cause.__cause__ = OSError("below the cause")
    raise errors.NotFoundException("gone") from cause


def method(seen: list[weakref.ref[Held]], *, keep_cause: bool = True) -> None:
    try:
        deep(seen)
    except EXPLAINED as exc:
        cut_traceback(exc, keep_cause=keep_cause)
        raise


def test_the_frame_that_caught_the_error_is_the_last_one_printed() -> None:
    seen = list[weakref.ref[Held]]()
    with pytest.raises(errors.NotFoundException) as caught:
        method(seen)
    assert frames(caught.value)[1:] == ["method"]
    gc.collect()
    assert seen[0]() is None  # no frame keeps its variables


def test_a_cause_is_printed_without_its_frames_and_without_its_own_causes() -> None:
    with pytest.raises(errors.NotFoundException) as caught:
        method([])
    cause = caught.value.__cause__
    assert str(cause) == "cause"
    assert cause is not None
    assert (cause.__traceback__, cause.__cause__, cause.__suppress_context__) == (None, None, True)
    assert caught.value.__context__ is None


def test_a_cause_may_be_left_out() -> None:
    with pytest.raises(errors.NotFoundException) as caught:
        method([], keep_cause=False)
    assert (caught.value.__cause__, caught.value.__context__, caught.value.__suppress_context__) == (None, None, True)


def test_no_cause_stays_no_cause() -> None:
    assert strip_cause(None) is None


def test_an_error_that_was_never_raised_has_nothing_to_cut() -> None:
    error = ValueError("new")
    cut_traceback(error)
    assert error.__traceback__ is None


def refused_argument() -> None:
    arguments.path(5, Handle("repo", "b"))


def server_error() -> None:
    Play(step("getBranch", "r", "b", answer=no(404))).run(branches.get(session(), "r", "b"))


def own_code() -> None:
    raise ValueError("of the caller's iterable")


@pytest.mark.parametrize(
    ("raises", "explained"),
    [(refused_argument, True), (server_error, True), (own_code, False)],
    ids=["an argument", "the server", "the caller's code"],
)
def test_only_errors_that_say_everything_are_cut(raises: Callable[[], None], explained: bool) -> None:
    with pytest.raises(EXPLAINED) as caught:
        raises()
    assert is_explained(caught.value) is explained


def test_an_uncut_error_keeps_each_frame_once() -> None:
    def run() -> None:
        try:
            own_code()
        except EXPLAINED as exc:
            if is_explained(exc):
                cut_traceback(exc)
            raise

    with pytest.raises(ValueError) as caught:
        run()
    assert frames(caught.value)[1:] == ["run", "own_code"]


def test_a_copy_has_a_traceback_and_notes_of_its_own() -> None:
    error = errors.NotAuthorizedException("no")
    error.status = 401
    error.__cause__ = KeyError("cause")
    try:
        raise error
    except errors.NotAuthorizedException as exc:
        twin = copy_exception(exc)
    assert twin is not error
    assert (type(twin), str(twin), twin.status, twin.__cause__) == (type(error), "no", 401, error.__cause__)
    assert twin.__traceback__ is None
    assert isinstance(error.__traceback__, TracebackType)


def test_an_error_that_cannot_be_copied_is_shared() -> None:
    error = TransportError("wait", "gone", seconds=1.0)
    assert str(copy_exception(error)) == "gone"
