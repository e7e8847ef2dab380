"""Signal handlers of the user: what one raises is the user's, also where it looks like a failure of the network.

Python calls a handler between any two lines, so `TimeoutError` of an alarm comes out of a read from a socket as that of
the socket does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import FrameType


def raised_by_handler(errors: Iterator[BaseException]) -> BaseException | None:
    """Return the first of the exceptions that a signal handler raised. None if no handler did.

    Args:
        errors: An exception and its causes.
    """
    for error in errors:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            if _is_handler(traceback.tb_next.tb_frame, traceback.tb_frame):
                return error
            traceback = traceback.tb_next
    return None


def _is_handler(frame: FrameType, caller: FrameType) -> bool:
    """Return whether a function was called with the frame that it interrupts, as handlers are."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + 2  # and *args, **kwargs, or two other variables
    values = [frame.f_locals.get(name) for name in code.co_varnames[:count]]
    rest = chain.from_iterable(value for value in values if type(value) is tuple)
    return any(value is caller for value in chain(values, rest))
