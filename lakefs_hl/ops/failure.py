"""The exceptions of failed requests, and their messages.

A message says what was asked, of which target, what the server or the network reported, and what to do. It never
contains a credential or a pre-signed URL.
"""

from __future__ import annotations

import errno
import re
from typing import Final, TypeAlias

import msgspec

from lakefs_hl.ops import ephemeral
from lakefs_hl.spec import endpoints, errors, keys, models
from lakefs_hl.spec.headers import CONTENT_ENCODING
from lakefs_hl.spec.kinds import OBJECT_OPERATIONS, ErrorKind
from lakefs_hl.spec.refusals import class_of, kind_of, meaning_of
from lakefs_hl.spec.tracebacks import strip_cause
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request, Response, TransportError

Outcome: TypeAlias = Response | TransportError
#: Operations whose requests have a secret in their body.
_SECRET_BODIES: Final = frozenset(
    {endpoints.LOGIN.operation, endpoints.EXTERNAL_PRINCIPAL_LOGIN.operation, keys.CREATE_KEY.operation}
)
#: Most bytes of a response body that an exception keeps.
MAX_BODY_BYTES: Final = 65536

_BUSY: Final = "the server is busy: try again later"
_ADVICE: Final = {
    ErrorKind.UNAUTHORIZED: "check the access key and its secret, or the token",
    ErrorKind.FORBIDDEN: "the credentials are valid and lack the permission: ask an administrator of the server for it",
    ErrorKind.BRANCH_PROTECTED: "write to another branch and merge it, or change the branch protection rules",
    ErrorKind.READ_ONLY_REPOSITORY: "the repository is read-only",
    ErrorKind.DEFAULT_BRANCH: "the default branch of a repository cannot be deleted",
    ErrorKind.REPOSITORY_NOT_FOUND: "create it with repository(...).get_or_create(...)",
    ErrorKind.BRANCH_NOT_FOUND: "create it with branch(...).create(source)",
    ErrorKind.OBJECT_NOT_FOUND: "the object does not exist",
    ErrorKind.OBJECT_EXISTS: "the object exists, and the write was create-only",
    ErrorKind.PULL_REQUEST_NOT_FOUND: "the pull request does not exist",
    ErrorKind.PULL_REQUEST_NOT_OPEN: "it is merged or closed; update(status='open') opens a closed one",
    ErrorKind.RUN_NOT_FOUND: "the action run or the hook does not exist",
    ErrorKind.LOST_RACE: "another operation changed the branch meanwhile: try again",
    ErrorKind.BRANCH_LOCKED: "another operation holds the branch: try again later",
    ErrorKind.NO_MERGE_BASE: "the two references have no common ancestor",
    ErrorKind.INVALID_PARENT: "pass parent_number=1 for the first parent of a merge commit, 2 for the second",
    ErrorKind.DIRTY_BRANCH: "commit or reset its uncommitted changes first",
    ErrorKind.NO_CHANGES: "there is nothing to do; allow_empty=True, where it is offered, does it without changes",
    ErrorKind.NAMESPACE_IN_USE: "another repository has used this storage namespace: choose another one",
    ErrorKind.PRESIGN_NOT_SUPPORTED: "pass pre_signed=False",
    ErrorKind.NOT_SUPPORTED: "the server, its version or its storage does not support this",
    ErrorKind.GONE: "the object's record exists, but its data does not",
    ErrorKind.RATE_LIMITED: _BUSY,
    ErrorKind.UNAVAILABLE: _BUSY,
}
_COMMIT: Final = re.compile(r"[0-9a-f]{6,64}")
#: The schema that lakeFS repeats, on several lines, when an argument does not match it; the value comes after it.
_SCHEMA: Final = re.compile(r"\nSchema:\n.*\n\nValue:\s*", re.DOTALL)
_EXPRESSION: Final = re.compile(r".*[~^@$].*", re.DOTALL)
_NETWORK_ADVICE: Final = {
    "refused": "check that the server is running and that the endpoint is correct",
    "dns": "the host does not exist: check the spelling of the endpoint",
    "proxy": "check proxy= (or HTTPS_PROXY, NO_PROXY); a user name and a password in its URL are percent-encoded",
    "certificate": "the certificate is not trusted, or this port does not speak TLS: check https:// and the CA",
    "protocol": "the peer does not speak HTTP as a lakeFS server does: check that the endpoint is correct",
    "timeout": "the server did not respond in time",
}
_TRANSPORT_CLASSES: Final[dict[str, type[errors.TransportException]]] = {
    "timeout": errors.DeadlineExceeded,
    "certificate": errors.CertificateException,
    "protocol": errors.ProtocolException,
}
_STORE_ADVICE: Final = "pass pre_signed=False to go through the lakeFS server instead"
_XML: Final = re.compile(rb"<(Code|Message)>([^<]{1,300})</")
#: Statuses that a proxy or another middlebox sends on its own, and what each means.
_MIDDLEBOX: Final = {
    407: "the proxy requires a user name and a password: pass proxy='http://user:password@host:port', percent-encoded",
    411: "a proxy in front of the server requires the length of the request body",
    413: "that is too large for a proxy in front of the server: raise its limit (nginx: client_max_body_size)",
    414: "the URL of the request is too long for a proxy in front of the server",
    431: "the headers of the request are too large for a proxy in front of the server",
    511: "the network requires you to log in first",
}
#: What a status means that has no words of lakeFS's: a proxy in front of it responded.
_GATEWAY: Final = {
    502: "a proxy in front of the server received no valid response from it: check that the server is running",
    504: "a proxy in front of the server received no response from it in time",
}
#: Statuses of rate limiters and proxies, whose own web pages are as good as lakeFS's words.
_PROXIES: Final = frozenset({408, 425, 429, 499})
_ROLE_ADVICE: Final = (
    "check that the server knows the AWS role of this machine, and that the clock of this machine is right"
)


def failure(
    request: Request, outcome: Outcome, about: str, endpoint: str, unauthorized: str = ""
) -> errors.LakeFSException:
    """Build the exception of an attempt that is not retried.

    Args:
        request: The request.
        outcome: Its response or transport error.
        about: What was asked, in words; "" means the words of the request.
        endpoint: The server's endpoint, for messages about it.
        unauthorized: What to do if the server does not accept these credentials. "" for the usual advice.
    """
    about = about or request.describe()
    if isinstance(outcome, TransportError):
        return _store_unreachable(outcome, about) if request.url is not None else _no_response(outcome, about, endpoint)
    if (reason := why_not_lakefs(request, outcome)) is not None:
        return errors.ProtocolException(f"{about}: {reason}: not a response of a lakeFS server; {check(endpoint)}")
    return _server_error(request, outcome, about, unauthorized)


def check(endpoint: str) -> str:
    """Return the advice to check an endpoint, which may be ""."""
    return f"check that the endpoint {endpoint} is correct" if endpoint else "check that the endpoint is correct"


def _middlebox_message(request: Request, response: Response) -> str | None:
    """Return what a proxy's own response means. None if it comes from lakeFS after all."""
    meaning = _MIDDLEBOX.get(response.status)
    if meaning is None or request.url is not None or server_message(response) is not None:
        return None
    if response.status != 413 or not request.body:
        return meaning
    body = request.body
    size = len(body) if isinstance(body, bytes) else body.length
    return f"the request body has {size:,} bytes, and {meaning}"


def why_not_lakefs(request: Request, response: Response) -> str | None:
    """Return why a response cannot be lakeFS's. None if it can."""
    status, content_type = response.status, response.headers.get("content-type", "")
    if request.url is not None or status >= 500 or request.endpoint.method == "HEAD":
        return None
    if _middlebox_message(request, response) is not None:
        return None
    received = f"HTTP {status} with {content_type or 'no content type'}"
    if 300 <= status < 400:
        location = response.headers.get("location", "").partition("?")[0]
        return f"HTTP {status} redirects to {location or 'no location'}"
    if status < 300:
        expected = request.endpoint.ok
        return None if status in expected else f"{received} where lakeFS responds with {expected[0]}"
    if status in _PROXIES:
        return None
    if status == 404 and is_cut(request, response):
        size = response.headers["content-length"]
        return f"{received}, cut off after {len(body_of(response))} of {size} bytes"
    if is_html(response) or (status == 404 and server_message(response) is None):
        return received
    return None


def is_cut(request: Request, response: Response) -> bool:
    """Return whether an error response ended before its announced length, so that its message is not known."""
    length = response.headers.get("content-length", "")
    if request.endpoint.method == "HEAD" or CONTENT_ENCODING in response.headers or not length.isdecimal():
        return False
    return len(body_of(response)) < min(int(length), MAX_BODY_BYTES)


def is_html(response: Response) -> bool:
    """Return whether a response is a web page."""
    return "text/html" in response.headers.get("content-type", "") or body_of(response)[:200].lstrip()[:1] == b"<"


def body_of(response: Response) -> bytes:
    """Return the body of a response if it is in memory, else b""."""
    return response.body if isinstance(response.body, bytes) else b""


def server_message(response: Response) -> str | None:
    """Return the message of lakeFS's JSON error. None if the body is not one."""
    try:
        return models.decode(models.Error, body_of(response)).message
    except msgspec.DecodeError:
        return None


def _no_response(outcome: TransportError, about: str, endpoint: str) -> errors.TransportException:
    server = f" from {endpoint}" if endpoint else ""
    advice = _NETWORK_ADVICE.get(outcome.kind)
    return _transport_error(outcome, f"{about}: no response{server}: {outcome}" + (f"; {advice}" if advice else ""))


def _store_unreachable(outcome: TransportError, about: str) -> errors.TransportException:
    """Build the exception of a pre-signed URL without a response. The lakeFS server itself has responded."""
    msg = f"{about}: no response from the object store behind a pre-signed URL: {outcome}; {_STORE_ADVICE}"
    return _transport_error(outcome, msg)


def _transport_error(outcome: TransportError, message: str) -> errors.TransportException:
    error = _TRANSPORT_CLASSES.get(outcome.kind, errors.TransportException)(message)
    error.__cause__ = strip_cause(outcome)
    return error


def _server_error(request: Request, response: Response, about: str, unauthorized: str) -> errors.ServerException:
    is_store = request.url is not None
    words = _store_words(response) if is_store else _server_words(response)
    kind = kind_of_response(request, response, words)
    if is_store:
        reported = f"the object store reports {words or response.reason or 'no reason'}"
    else:
        reported = (
            _middlebox_message(request, response)
            or _SCHEMA.sub(", and the value is ", words)
            or _without_words(response)
        )
    status = f"{response.status} {response.reason}".rstrip()
    advice = _STORE_ADVICE if is_store and kind is ErrorKind.STORE_REFUSED else _advice(request, kind, words)
    if kind is ErrorKind.UNAUTHORIZED and unauthorized:
        advice = unauthorized
    message = f"{about}: {reported} ({status})" + (f"; {advice}" if advice else "")
    error = class_of(request.endpoint.operation, response.status, kind)(message)
    error.status, error.reason, error.kind, error.server_message = response.status, response.reason, kind, words
    # An error page may repeat what was sent: a store's what was signed, a proxy's the body.
    shows_secrets = is_store or request.endpoint.operation in _SECRET_BODIES
    error.body = b"" if shows_secrets else body_of(response)[:MAX_BODY_BYTES]
    error.request_id = response.headers.get("x-request-id") or response.headers.get("x-amz-request-id")
    if isinstance(error, errors.ObjectNotFoundException | errors.ObjectExistsException):
        error.errno = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EEXIST
        if len(request.params) > 1:
            error.filename = object_uri(request.params[0], request.params[1], str(request.query.get("path", "")))
    return error


def kind_of_response(request: Request, response: Response, words: str | None = None) -> ErrorKind:
    """Return the kind of an error response.

    Args:
        request: The request.
        response: The error response.
        words: The server's message, if it was read already.
    """
    if request.url is not None:
        return meaning_of(response.status).store_kind
    message = _server_words(response) if words is None else words
    create_only = "if-none-match" in request.headers
    kind = kind_of(request.endpoint.operation, response.status, message, create_only=create_only)
    if kind in (ErrorKind.REFERENCE_NOT_FOUND, ErrorKind.COMMIT_NOT_FOUND) and (ref := _reference_of(request, message)):
        # lakeFS calls any reference a commit in one operation, and a commit a reference in another
        return ErrorKind.COMMIT_NOT_FOUND if _COMMIT.fullmatch(ref) else ErrorKind.REFERENCE_NOT_FOUND
    return kind


def is_repository_missing(request: Request, outcome: Outcome) -> bool:
    """Return whether an outcome is the response that the repository of the request does not exist."""
    if not isinstance(outcome, Response) or outcome.status != 404 or request.url is not None:
        return False
    return kind_of_response(request, outcome) is ErrorKind.REPOSITORY_NOT_FOUND


def _server_words(response: Response) -> str:
    """Return the server's message, else its plain text; "" for a web page or an empty body."""
    message = server_message(response)
    if message is not None:
        return message.rstrip()  # what a hook printed ends with empty lines
    text = "" if is_html(response) else body_of(response)[:500].decode("utf-8", "replace").strip()
    return "" if text.startswith("{") else text


def _without_words(response: Response) -> str:
    if response.status in _GATEWAY:
        return _GATEWAY[response.status]
    if is_html(response):
        return "a web page instead of lakeFS's response: check whether a proxy is in between"
    return response.reason or "no message"


def _store_words(response: Response) -> str:
    found = _XML.findall(body_of(response)[:MAX_BODY_BYTES])
    return ": ".join(value.decode("utf-8", "replace") for _, value in found)


def _advice(request: Request, kind: ErrorKind, words: str) -> str:
    if kind in (ErrorKind.BRANCH_NOT_FOUND, ErrorKind.REFERENCE_NOT_FOUND) and (ended := _ended_transaction(request)):
        return ended
    if kind in (ErrorKind.REFERENCE_NOT_FOUND, ErrorKind.COMMIT_NOT_FOUND):
        found = _reference_of(request, words)
        return describe_missing(found) if found else "the reference does not exist"
    if kind is ErrorKind.UNAUTHORIZED and request.endpoint is endpoints.EXTERNAL_PRINCIPAL_LOGIN:
        return _ROLE_ADVICE
    if kind is ErrorKind.GONE and request.endpoint.operation not in OBJECT_OPERATIONS:
        return ""
    return _ADVICE.get(kind, "")


def _ended_transaction(request: Request) -> str:
    """Return what it means that the branch of a transaction does not exist; "" if the request is about another one."""
    name = ephemeral.parse(request.params[1]) if len(request.params) > 1 else None
    if name is None:
        return ""
    return (
        f"the transaction on {name.destination!r} has ended (or was never entered), so this call is not part of it; "
        "what was written before is merged or was discarded; begin a new transaction"
    )


def _reference_of(request: Request, words: str) -> str:
    """Return which of a request's references an error response is about; "" if that is unknown."""
    for name, beginning in (("stop_at", "stop_at: "), ("after", "from ref: ")):
        if name in request.query and words.startswith(beginning):
            return str(request.query[name])
    for index, beginning in ((1, "get commit by branch "), (2, "get commit by ref ")):
        if len(request.params) == 3 and words.startswith(beginning):
            return request.params[index]
    return request.params[1] if len(request.params) == 2 else ""


def describe_missing(ref: str) -> str:
    """Return why a reference does not resolve to a commit, and what to do."""
    if _COMMIT.fullmatch(ref):
        return f"the repository has no commit {ref}"
    if _EXPRESSION.fullmatch(ref):
        return (
            f"the expression {ref!r} resolves to no commit: its branch, tag or commit does not exist, or its history "
            "is shorter"
        )
    return f"there is no branch, tag or commit {ref!r}; create a branch with branch(...).create(source)"
