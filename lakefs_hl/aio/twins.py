"""How an awaitable class gets the words of its blocking twin: same names, same docstrings, written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", bound=type)


def twin(blocking: type) -> Callable[[C], C]:
    """Gives a class the docstrings of its blocking twin, member by member, where it has none of its own."""

    def document(kind: C) -> C:
        for name, member in vars(kind).items():
            words = getattr(getattr(blocking, name, None), "__doc__", None)
            target: Any = member
            if words and (callable(target) or isinstance(target, property)) and not target.__doc__:
                target.__doc__ = words
        return kind

    return document
