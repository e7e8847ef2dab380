"""Every error this package raises, one tree; public as `lakefs_hl.exceptions`.

LakeFSException(Exception)
├── ServerException                      an answer that says no
│   ├── BadRequestException(ValueError)  400
│   ├── NotAuthorizedException(PermissionError) 401
│   ├── ForbiddenException(PermissionError) 403
│   ├── NotFoundException(LookupError)   404
│   │   └── ObjectNotFoundException(FileNotFoundError)
│   ├── ConflictException                409 ── MergeConflict · RepositoryNotEmptyError
│   ├── PreconditionFailedException      412
│   ├── ObjectExistsException(FileExistsError) 412 on a create-only write
│   ├── TooManyRequestsException         429
│   ├── UnsupportedOperationException(NotImplementedError) 501, 405
│   ├── ServerErrorException             5xx
│   └── ImportFailedException(RuntimeError) an import that was started ended in an error
├── TransportException(ConnectionError)  no answer
│   └── DeadlineExceeded(TimeoutError) · CertificateException · ProtocolException
├── AmbiguousOutcomeError                the request may have been applied
├── IntegrityError · ObjectChangedError  bytes are not what was promised; two versions would have mixed
├── TransactionException ── TransactionStartError · TransactionCommitError · TransactionMergeError
│                           · TransactionOutcomeUnknown · TransactionStateError
├── PartialFailureError                  a bulk call; the report is on it
├── NoAuthenticationFound · InvalidConfigError(ValueError)
└── LakeError ── LakeLockedError(TimeoutError) · LakeCorruptError · LakeFormatError      the embedded lake
                 · LakeReadOnlyError · LakeResourceError(OSError)

Rules: no class defines `__init__`; one positional argument, the message; fields are attributes with defaults, carried
by pickle and copy. A message says what, where, with which value, what to do next, and never a secret.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from lakefs_hl.spec.kinds import ErrorKind, kind_of


class Attempt(NamedTuple):
    """One try of a call.

    Attributes:
        outcome: The status, or what broke and in which phase.
        seconds: How long it took.
    """

    outcome: str
    seconds: float


class LakeFSException(Exception):
    """Base of all.

    Attributes:
        attempts: The tries made.
        maybe_applied: Whether the lake may have changed all the same; None when nobody can know.
        op_id: The id that the operation left in the lake's metadata, if any.
        retry_budget_exhausted: Whether the client's budget of retries, not the call's own limits, ended it.
    """

    attempts: tuple[Attempt, ...] = ()
    maybe_applied: bool | None = False
    op_id: str | None = None
    retry_budget_exhausted: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the message and the fields, those of an OSError base too."""
        fields = self.__dict__.copy()
        for name in ("errno", "filename"):
            value = getattr(self, name, None)
            if value is not None:
                fields[name] = value
        return (_rebuild, (type(self), self.args), fields)

    def __str__(self) -> str:
        """The message; an OSError base would print its errno, a LookupError base its quotes."""
        return str(self.args[0]) if self.args else type(self).__name__


def _rebuild(kind: type[LakeFSException], args: tuple[Any, ...]) -> LakeFSException:
    return kind(*args)


class ServerException(LakeFSException):
    """The server answered, and said no.

    Attributes:
        status: HTTP status of the answer.
        reason: Its reason phrase.
        body: Its body, at most 64 KiB.
        request_id: The server's own id of the exchange.
        retry_after: Seconds after which the server wants to be asked again, if it said so.
        kind: What the refusal means, to be matched where a status says too little.
        server_message: The server's own words, unprefixed; for people, they differ between servers.
    """

    status_code: ClassVar[int] = 0
    by_status: ClassVar[dict[int, type[ServerException]]] = {}
    status: int = 0
    reason: str = ""
    body: bytes = b""
    request_id: str | None = None
    retry_after: float | None = None
    kind: ErrorKind = ErrorKind.OTHER
    server_message: str = ""

    def __init_subclass__(cls, status: int = 0, **kwargs: Any) -> None:
        """Registers the class for its status."""
        super().__init_subclass__(**kwargs)
        if status:
            cls.status_code = cls.status = status
            ServerException.by_status[status] = cls


class BadRequestException(ServerException, ValueError, status=400):
    """The request makes no sense to the server: a bad name, a bad value, nothing to commit."""


class NotAuthorizedException(ServerException, PermissionError, status=401):
    """The server does not know these credentials."""


class ForbiddenException(ServerException, PermissionError, status=403):
    """The server knows who asks and refuses: protection, read-only, policy."""


class NotFoundException(ServerException, LookupError, status=404):
    """There is no such repository, branch, tag, commit or record."""


class ObjectNotFoundException(NotFoundException, FileNotFoundError):
    """There is no such object; `filename` is its URI."""


class ConflictException(ServerException, status=409):
    """It exists already, or changes collide."""


class MergeConflict(ConflictException):
    """Both sides changed the same paths.

    Attributes:
        conflicts: The paths, sorted; at most 1,000 are looked up.
    """

    conflicts: tuple[str, ...] = ()


class RepositoryNotEmptyError(ConflictException):
    """The repository holds something, and the call was not told to delete it."""


class PreconditionFailedException(ServerException, status=412):
    """A precondition or a hook said no."""


class ObjectExistsException(ServerException, FileExistsError):
    """A create-only write met an object; `filename` is its URI."""

    status_code: ClassVar[int] = 412


class TooManyRequestsException(ServerException, status=429):
    """The server is busy; try later."""


class UnsupportedOperationException(ServerException, NotImplementedError, status=501):
    """This server, or its storage, cannot do that."""


class ServerErrorException(ServerException, status=500):
    """The server failed."""


class ImportFailedException(ServerException, RuntimeError):
    """An import was started and ended in an error, or was cancelled; the branch is unchanged.

    `kind` is `IMPORT_FAILED` or `IMPORT_CANCELLED`.
    """

    kind: ErrorKind = ErrorKind.IMPORT_FAILED


class TransportException(LakeFSException, ConnectionError):
    """No answer came."""


class DeadlineExceeded(TransportException, TimeoutError):
    """Not within the time given."""


class CertificateException(TransportException):
    """The server's certificate is not to be trusted, or this is not TLS."""


class ProtocolException(TransportException):
    """Something answered that is not a lakeFS server."""


class AmbiguousOutcomeError(LakeFSException):
    """The request may have been applied; the message says what to check.

    Attributes:
        result_id: ID of the commit or pull request that the request made. It is set if the request was applied
            (`maybe_applied` is True) and only its record could not be read.
    """

    maybe_applied: bool | None = None
    result_id: str | None = None


class IntegrityError(LakeFSException):
    """Bytes are not what was promised."""


class ObjectChangedError(LakeFSException):
    """Two versions of an object would have been mixed."""


class TransactionException(LakeFSException):
    """A transaction did not commit, or its outcome is unknown.

    Attributes:
        branch: The ephemeral branch; kept unless the message says otherwise.
        state: "ABORTED", "UNKNOWN" or "COMMITTED".
    """

    branch: str = ""
    state: str = "ABORTED"


class TransactionStartError(TransactionException):
    """The ephemeral branch could not be made; nothing changed."""


class TransactionCommitError(TransactionException):
    """The ephemeral branch could not be committed; the destination is unchanged."""


class TransactionMergeError(TransactionException):
    """The merge was refused; the destination is unchanged.

    Attributes:
        conflicts: The paths that both sides changed, if that was the reason.
    """

    conflicts: tuple[str, ...] = ()


class TransactionOutcomeUnknown(TransactionException):
    """The merge may or may not have happened; the branch is kept."""

    state: str = "UNKNOWN"
    maybe_applied: bool | None = None


class TransactionStateError(TransactionException):
    """The transaction is not open (any more), or is open already."""


class PartialFailureError(LakeFSException):
    """Some items of a bulk call failed.

    Attributes:
        report: What happened to each item.
    """

    report: Any = None


class NoAuthenticationFound(LakeFSException):
    """No source of the auth chain held credentials."""


class InvalidConfigError(LakeFSException, ValueError):
    """A setting is unusable: the message names its source and value."""


class LakeError(LakeFSException):
    """The embedded lake."""


class LakeLockedError(LakeError, TimeoutError):
    """Another process holds the lake's write lock."""


class LakeCorruptError(LakeError):
    """What is on disk is not what was written."""


class LakeFormatError(LakeError):
    """The folder is no lake, or one of another format."""


class LakeReadOnlyError(LakeError):
    """The lake takes no writes for now: a sync failed, or its folder cannot be written."""


class LakeResourceError(LakeError, OSError):
    """The machine ran out of something: disk space, open files, memory; `errno` says of what."""


class InsecureTransportWarning(UserWarning):
    """Credentials go over the network in a way that others can read or redirect."""


class InsecureConfigWarning(UserWarning):
    """A file that holds credentials may be read or changed by others."""


def for_status(status: int) -> type[ServerException]:
    """Returns the class that stands for a status."""
    found = ServerException.by_status.get(status)
    if found is None:
        found = (
            ServerErrorException
            if status >= 500
            else UnsupportedOperationException
            if status == 405
            else ServerException
        )
    return found


def refusal(status: int, message: str, operation: str = "") -> ServerException:
    """Build the error of a refusal by its status; how a server without HTTP says no.

    Args:
        status: The status that stands for it.
        message: The server's words.
        operation: lakeFS's operationId, where the words alone leave the kind open.
    """
    error = for_status(status)(message)
    error.status, error.server_message, error.kind = status, message, kind_of(operation, status, message)
    return error
