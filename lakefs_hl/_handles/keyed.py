"""Fields by key, as dictionaries of other clients have them: `info["size"]` is `info.size_bytes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Keyed:
    """Base of what answers keys. It is not a mapping: it has no length and cannot be iterated."""

    __slots__ = ()
    #: Attribute of each key.
    _attributes: ClassVar[Mapping[str, str]]
    #: Without it, Python would iterate over an object with `__getitem__` by numbers.
    __iter__: ClassVar[None] = None

    def __getitem__(self, key: str) -> Any:
        attribute = self._attributes.get(key) if isinstance(key, str) else None
        if attribute is None:
            msg = f"{key!r:.80} is not a key of {type(self).__name__}; the keys are {', '.join(self._attributes)}"
            raise KeyError(msg)
        return getattr(self, attribute)

    def __contains__(self, key: object) -> bool:
        return key in self._attributes

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._attributes)

    def keys(self) -> tuple[str, ...]:
        """Return the keys, so that `dict(...)` takes this object: our names, then those of other clients."""
        return tuple(self._attributes)


def attributes(*names: str, **aliases: str) -> dict[str, str]:
    """Return the attribute of each key: the names are their own, an alias is one of them."""
    return {**dict(zip(names, names, strict=True)), **aliases}
