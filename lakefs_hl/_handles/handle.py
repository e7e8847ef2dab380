"""Handles: a reference of a repository, and the client to use. The base of references, branches and transactions."""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Protocol, TypeVar, cast

from lakefs_hl import _html as html
from lakefs_hl._handles.options import Optioned
from lakefs_hl.ops.refs import COMMIT_ID
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.uri import object_uri

C = TypeVar("C")


class Place(Protocol):
    """A repository, or something in it."""

    _package: ClassVar[str]
    _of_default: Any
    _given: Any

    @property
    def _repository_id(self) -> str: ...


class Handle(Optioned):
    """A reference of a repository. It holds no connection: it is hashable, comparable, picklable and thread-safe."""

    #: The public package of this colour: the home of the default client.
    _package: ClassVar[str]
    #: Name of the constructor's parameter for the reference.
    _reference_argument: ClassVar[str] = "reference_id"
    # Set on the class, so that a handle whose arguments were refused can still be printed in a traceback.
    _repository_id: str = ""
    _id: str = ""

    def __init__(self, repository_id: str, reference_id: str | Handle, client: Any = None) -> None:
        self._repository_id = arguments.repository_name(repository_id)
        self._given = client
        self._id = reference_name(reference_id, self._reference_argument, self)

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._repository_id

    @property
    def id(self) -> str:
        """The reference, as it was given."""
        return self._id

    @property
    def uri(self) -> ReferenceURI:
        """URI: `lakefs://repository/reference/`. `uri(path)` returns the URI of an object, for other libraries."""
        return ReferenceURI.of(self)

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self._id, self._given

    def _kind(self) -> object:
        """Return the kind that `==` compares: the class, except that all handles of a commit are equal."""
        return type(self)

    def _commit_kind(self) -> object:
        return (self._package, "commit") if COMMIT_ID.fullmatch(self._id) else type(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle) or self._key()[:2] != other._key()[:2] or self._kind() != other._kind():
            return False
        # A commit never changes: the options of the clients do not matter, only the lake does.
        return bool(self._given == other._given) or (self._is_commit() and self._lake() == other._lake())

    def __hash__(self) -> int:
        return hash((self._kind(), self._key()[:2]))

    def _is_commit(self) -> bool:
        return self._kind() == (self._package, "commit")

    def _lake(self) -> object:
        """Return the endpoint with its scope, or None for the default client's."""
        if self._given is None or isinstance(self._given, self._of_default):
            return None
        try:
            return str(self._given._place)
        except LakeFSException:  # unpickled where it cannot be used
            return object()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._repository_id, self._id, self._given)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri}>"

    def _repr_html_(self) -> str:
        return html.describe(type(self).__name__, self.uri)


class ReferenceURI(str):  # noqa: SLOT000 - it holds its reference
    """The URI of a reference, `lakefs://repository/reference/`. A call returns the URI of an object there.

    Examples:
        >>> lakefs.repository("example").branch("main").uri
        'lakefs://example/main/'
        >>> lakefs.repository("example").branch("main").uri("tables/a.parquet")
        'lakefs://example/main/tables/a.parquet'
    """

    _at: Handle

    @classmethod
    def of(cls, at: Handle) -> ReferenceURI:
        """Return the URI of a reference."""
        found = cls(object_uri(at._repository_id, at._id))
        found._at = at
        return found

    def __call__(self, path: object = "") -> str:
        """Return the URI of an object or a prefix.

        Args:
            path: The path or the prefix, as text, as an `ObjectInfo` or `CommonPrefix` of the repository, or as a
                `PurePosixPath`. "" is the root.

        Raises:
            TypeError: It is none of these.
            ValueError: It belongs to another repository or lake, or is a URI at another reference.
        """
        from lakefs_hl._handles.paths import path_or_prefix  # which stands on this module

        return object_uri(self._at._repository_id, self._at._id, path_or_prefix(path, self._at))

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str.__str__(self),)


def own_client(value: object, kind: type[C], argument: str = "client") -> C | None:
    """Return the client to make a handle with. None stays None.

    Args:
        value: The argument.
        kind: The `Client` class of the caller's colour: an awaitable client cannot be used by a blocking handle.
        argument: Name of the parameter.

    Raises:
        TypeError: It is neither a client of that colour nor None. The message does not show the value, which may be a
            secret.
    """
    if value is None or isinstance(value, kind):
        return value
    wanted, given = _public(kind), type(value)
    if given.__name__ == kind.__name__ and given.__module__.partition(".")[0] == "lakefs_hl":
        package = _public(given).rpartition(".")[0]
        msg = f"{argument} must be a {wanted}, not a {_public(given)}; give it one, or use {package} with this client"
        raise TypeError(msg)
    msg = f"{argument} must be a {wanted} or None, not {given.__name__}"
    raise TypeError(msg)


def _public(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def reference_name(reference: object, argument: str, place: Place) -> str:
    """Return the name of a reference given by its name, its URI or a handle of either colour.

    Raises:
        TypeError: It is none of these.
        ValueError: It is empty, or in another repository or lake than `place`.
    """
    if isinstance(reference, Handle):
        check_place(reference, argument, place)
        return reference._id
    if not isinstance(reference, str):
        kind = type(reference).__name__
        msg = f"{argument} must be the name of a reference or a reference, not {kind}: {reference!r:.80}"
        raise TypeError(msg)
    return arguments.in_repository(reference, argument, place._repository_id)


def optional_reference_name(reference: object, argument: str, place: Place) -> str | None:
    """Return the name of a reference as `reference_name` does. None stays None."""
    return None if reference is None else reference_name(reference, argument, place)


def optional_start(reference: object, argument: str, place: Place) -> str:
    """Return the name that a listing starts after, as `reference_name` does. "" is its beginning.

    Raises:
        TypeError: It is neither the name of a reference nor a reference.
        ValueError: It is in another repository or lake than `place`.
    """
    return "" if isinstance(reference, str) and not reference else reference_name(reference, argument, place)


def check_place(handle: Handle, argument: str, place: Place, *, shown: object = None) -> None:
    """Refuse a handle of another repository or lake: only its name would be sent, and would mean something else.

    Clients are compared by their endpoints. A default client that does not exist yet is not created for that: its
    endpoint comes from the configuration.

    Args:
        handle: The handle that was given, or the reference of the object that was given.
        argument: Name of the parameter.
        place: Where the call is made.
        shown: What was given, for the message. Defaults to the handle.

    Raises:
        ValueError: The handle belongs to another repository or lake than `place`.
    """
    if handle._repository_id != place._repository_id:
        raise arguments.other_repository_error(argument, repr(shown or handle), place._repository_id)
    if handle._given is place._given and handle._package == place._package:
        return
    theirs, ours = _endpoint(cast("Place", handle)), _endpoint(place)
    if theirs is not None and ours is not None and theirs != ours:
        msg = f"{argument}: {shown or handle!r} is on {theirs}, and this call is made on {ours}"
        raise ValueError(msg)


def _endpoint(place: Place) -> str | None:
    """Return the endpoint of a handle's client, with its scope; None for a default client that cannot be made."""
    client = place._given
    if client is None or isinstance(client, place._of_default):
        client = sys.modules[place._package].DefaultClient
    return None if client is None else str(client._place)
