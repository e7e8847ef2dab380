"""`with_options` of every handle: the same handle with other timeouts and retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from lakefs_hl import _html

if TYPE_CHECKING:
    from lakefs_hl.types import Retry


class Optioned:
    """Base of everything that uses a client. `_given` is its client; None means the default client of each call."""

    __slots__ = ()
    _given: Any
    #: Class of the default client with options of its own; each colour has its own.
    _of_default: Any

    def with_options(
        self,
        *,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | Retry | None = None,
        create_repositories: bool | None = None,
    ) -> Self:
        """Return a copy whose calls use other options. None leaves an option unchanged.

        Args:
            timeout: Read timeout in seconds.
            connect_timeout: Connect timeout in seconds.
            deadline: Time limit of a whole call including its retries, in seconds.
            max_concurrency: Maximum number of concurrent requests.
            retries: Maximum retries of a failed request, where retrying is safe. 0 disables retries. A
                `lakefs_hl.types.Retry` also sets the backoff.
            create_repositories: Whether a call on a repository that does not exist creates it first.

        Raises:
            TypeError: A value has the wrong type.
            InvalidConfigError: A number is out of range.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.with_options(deadline=5).id
            'main'
        """
        return self._with(
            {
                "timeout": timeout,
                "connect_timeout": connect_timeout,
                "deadline": deadline,
                "max_concurrency": max_concurrency,
                "retries": retries,
                "create_repositories": create_repositories,
            }
        )

    def _repr_html_(self) -> str:
        return _html.text(self)

    def _with(self, options: Mapping[str, Any]) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._given = self._of_default(options) if self._given is None else self._given._with(options)
        return copy
