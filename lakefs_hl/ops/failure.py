"""How a call that is over is told: which error of the tree, and in which words.

A message says what was being done, to which target, what the server or the network said, and what to do next. It never
holds a credential or a pre-signed URL.
"""

from __future__ import annotations

import errno
import re
from typing import Final, TypeAlias

import msgspec

from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind, kind_of
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request, Response, TransportError

Outcome: TypeAlias = Response | TransportError
#: An error keeps at most this much of a body.
BODY: Final = 65536

# {r} repository, {at} repository and reference, {o} object, {second} and {third} path parameters
_DOING: Final = {
    "getRepository": "looking up {r}",
    "listRepositories": "listing repositories",
    "deleteRepository": "deleting {r}",
    "getRepositoryMetadata": "reading the metadata of {r}",
    "setRepositoryMetadata": "setting metadata of {r}",
    "deleteRepositoryMetadata": "deleting metadata of {r}",
    "listBranches": "listing the branches of {r}",
    "listTags": "listing the tags of {r}",
    "getBranch": "looking up branch {at}",
    "deleteBranch": "deleting branch {at}",
    "resetBranch": "resetting staged changes of {at}",
    "diffBranch": "listing uncommitted changes of {at}",
    "getTag": "looking up tag {at}",
    "deleteTag": "deleting tag {at}",
    "getCommit": "resolving {at}",
    "logCommits": "reading the log of {at}",
    "commit": "committing {at}",
    "diffRefs": "comparing {at} with {third}",
    "findMergeBase": "finding the merge base of {at} and {third}",
    "mergeIntoBranch": "merging {at} into {third}",
    "statObject": "looking up {o}",
    "headObject": "looking up {o}",
    "getObject": "reading {o}",
    "uploadObject": "uploading {o}",
    "deleteObject": "deleting {o}",
    "deleteObjects": "deleting objects on {at}",
    "copyObject": "copying an object to {at}",
    "updateObjectUserMetadata": "setting metadata of {o}",
    "listObjects": "listing objects of {at}",
    "getPhysicalAddress": "asking for an address to put {o} at",
    "linkPhysicalAddress": "linking {o}",
    "importStart": "starting an import into {at}",
    "importStatus": "asking for an import into {at}",
    "importCancel": "cancelling an import into {at}",
    "listPullRequests": "listing the pull requests of {r}",
    "createPullRequest": "creating a pull request in {r}",
    "getPullRequest": "looking up pull request {second} of {r}",
    "updatePullRequest": "updating pull request {second} of {r}",
    "mergePullRequest": "merging pull request {second} of {r}",
    "listRepositoryRuns": "listing the action runs of {r}",
    "getRun": "looking up action run {second} of {r}",
    "listRunHooks": "listing the hooks of action run {second} of {r}",
    "getRunHookOutput": "reading the output of hook {third} of action run {second} of {r}",
    "login": "logging in",
    "externalPrincipalLogin": "logging in by an external identity",
    "getCurrentUser": "asking who we are",
    "healthCheck": "checking the server's health",
    "getConfig": "reading the server's configuration",
    "getStorageConfig": "reading the server's storage configuration",
    "getLakeFSVersion": "asking for the server's version",
    "presignedGet": "reading an object's data by a pre-signed URL",
    "presignedPut": "writing an object's data by a pre-signed URL",
}

_ADVICE: Final = {
    ErrorKind.UNAUTHORIZED: "check the access key and its secret, or the token",
    ErrorKind.BRANCH_PROTECTED: "write to another branch and merge it, or change the protection rules",
    ErrorKind.READ_ONLY_REPOSITORY: "the repository takes no changes",
    ErrorKind.DEFAULT_BRANCH: "the default branch of a repository stays",
    ErrorKind.REPOSITORY_NOT_FOUND: "repository(...).get_or_create(...) makes one",
    ErrorKind.BRANCH_NOT_FOUND: "branch(...).create(source) makes one",
    ErrorKind.OBJECT_NOT_FOUND: "there is no such object",
    ErrorKind.OBJECT_EXISTS: "there is an object of this name, and it was to be created only",
    ErrorKind.PULL_REQUEST_NOT_FOUND: "there is no such pull request",
    ErrorKind.PULL_REQUEST_NOT_OPEN: "it is merged or closed; update(status='open') opens a closed one",
    ErrorKind.RUN_NOT_FOUND: "there is no such action run or hook",
    ErrorKind.DIRTY_BRANCH: "commit or reset its staged changes first",
    ErrorKind.NO_CHANGES: "there is nothing to do; allow_empty=True does it all the same where it is offered",
    ErrorKind.NAMESPACE_IN_USE: "another repository has used this storage namespace: choose another one",
    ErrorKind.PRESIGN_NOT_SUPPORTED: "pass pre_signed=False",
    ErrorKind.NOT_SUPPORTED: "this server, its version or its storage does not offer that",
    ErrorKind.GONE: "the record is there, its data is not",
    ErrorKind.RATE_LIMITED: "the server is busy: try again later",
    ErrorKind.UNAVAILABLE: "the server is busy: try again later",
}
_COMMIT: Final = re.compile(r"[0-9a-f]{6,64}")
_MODIFIED: Final = re.compile(r".*[~^@$].*", re.DOTALL)
_NETWORK: Final = {
    "refused": "nothing listens there: is the server running, and the endpoint right?",
    "dns": "there is no such host: is the endpoint spelled right?",
    "proxy": "check proxy= (or HTTPS_PROXY, NO_PROXY), in whose URL a user name and a password are percent-encoded",
    "certificate": "the certificate is not to be trusted, or this port does not speak TLS: check https:// and the CA",
    "protocol": "something answered that does not speak HTTP as a lakeFS server does: is the endpoint right?",
    "timeout": "the server did not answer in time",
}
_UNANSWERED: Final[dict[str, type[errors.TransportException]]] = {
    "timeout": errors.DeadlineExceeded,
    "certificate": errors.CertificateException,
    "protocol": errors.ProtocolException,
}
_STORE_ADVICE: Final = "pass pre_signed=False to go through the lakeFS server instead"
_XML: Final = re.compile(rb"<(Code|Message)>([^<]{1,300})</")


def failure(request: Request, outcome: Outcome, about: str, where: str) -> errors.LakeFSException:
    """Builds the error of a try that is not to be repeated.

    Args:
        request: What was asked.
        outcome: What came of it.
        about: What was being done, in words; "" means by the request.
        where: The endpoint, for messages about the endpoint.
    """
    about = about or doing(request)
    if isinstance(outcome, TransportError):
        return _store_unanswered(outcome, about) if request.url is not None else _unanswered(outcome, about, where)
    if (strange := foreign(request, outcome)) is not None:
        msg = f"{about}: {strange}: this is not a lakeFS server's answer; is the endpoint{_at(where)} right?"
        return errors.ProtocolException(msg)
    return _refused(request, outcome, about)


#: What a proxy or another middle box says for itself, and what it means.
_MIDDLE_BOX: Final = {
    407: "the proxy wants a user name and a password: give proxy='http://user:password@host:port', percent-encoded",
    411: "a proxy in front of the server wants the length of the request body",
    413: "that is too large for a proxy in front of the server: raise its limit (nginx: client_max_body_size)",
    414: "the address of the request is too long for a proxy in front of the server",
    431: "the headers of the request are too large for a proxy in front of the server",
    511: "the network wants you to log in first",
}


def _middle_box(request: Request, response: Response) -> str | None:
    """What a proxy's own page says; None if the response is none, or lakeFS's after all."""
    meaning = _MIDDLE_BOX.get(response.status)
    if meaning is None or request.url is not None or server_message(response) is not None:
        return None
    if response.status != 413 or not request.body:
        return meaning
    body = request.body
    size = len(body) if isinstance(body, bytes) else body.length
    return f"the request body has {size:,} bytes, and {meaning}"


def doing(request: Request) -> str:
    """Says in words what a request does, and to what."""
    params, path = request.params, str(request.query.get("path") or request.query.get("dest_path") or "")
    repository = params[0] if params else ""
    reference = params[1] if len(params) > 1 else ""
    words = {
        "r": f"lakefs://{repository}",
        "at": f"lakefs://{repository}/{reference}",
        "o": object_uri(repository, reference, path),
        "second": reference,
        "third": params[2] if len(params) > 2 else "",
    }
    template = _DOING.get(request.endpoint.operation)
    return template.format_map(words) if template else " ".join((request.endpoint.operation, *params))


def foreign(request: Request, response: Response) -> str | None:
    """Says why an answer cannot be lakeFS's; None if it can."""
    status, kind = response.status, response.headers.get("content-type", "")
    if request.url is not None or status >= 500 or request.endpoint.method == "HEAD":
        return None
    if _middle_box(request, response) is not None:
        return None
    came = f"HTTP {status} with {kind or 'no content type'}"
    if 300 <= status < 400:
        location = response.headers.get("location", "").partition("?")[0]
        return f"HTTP {status} sends us on to {location or 'nowhere'}"
    if status < 300:
        return None if status in request.endpoint.ok else f"{came} where lakeFS answers {request.endpoint.ok[0]}"
    if is_html(response) or (status == 404 and server_message(response) is None):
        return came
    return None


def is_html(response: Response) -> bool:
    """Whether a web page came."""
    return "text/html" in response.headers.get("content-type", "") or body_of(response)[:200].lstrip()[:1] == b"<"


def body_of(response: Response) -> bytes:
    """The body of an answer that is no object."""
    return response.body if isinstance(response.body, bytes) else b""


def server_message(response: Response) -> str | None:
    """The server's own words; None if they are not lakeFS's JSON."""
    try:
        return models.decode(models.Error, body_of(response)).message
    except msgspec.DecodeError:
        return None


def _at(where: str) -> str:
    return f" {where}" if where else ""


def _unanswered(outcome: TransportError, about: str, where: str) -> errors.TransportException:
    server = f" from {where}" if where else ""
    advice = _NETWORK.get(outcome.kind)
    error = _UNANSWERED.get(outcome.kind, errors.TransportException)(
        f"{about}: no answer{server}: {outcome}" + (f"; {advice}" if advice else "")
    )
    error.__cause__ = outcome.with_traceback(None)
    return error


def _store_unanswered(outcome: TransportError, about: str) -> errors.TransportException:
    """The error of a pre-signed URL that led nowhere: the lakeFS server is well, its object store cannot be reached."""
    error = _UNANSWERED.get(outcome.kind, errors.TransportException)(
        f"{about}: no answer from the object store behind a pre-signed URL: {outcome}; {_STORE_ADVICE}"
    )
    error.__cause__ = outcome.with_traceback(None)
    return error


def _refused(request: Request, response: Response, about: str) -> errors.ServerException:
    stored = request.url is not None
    words = _store_words(response) if stored else _words(response)
    kind = meaning(request, response, words)
    if stored:
        said = f"the object store says {words or response.reason or 'no'}"
    else:
        said = _middle_box(request, response) or words or _unsaid(response)
    status = f"{response.status} {response.reason}".rstrip()
    advice = _STORE_ADVICE if stored and kind is ErrorKind.STORE_REFUSED else _advice(request, kind, words)
    error = _class(request, response.status, kind)(f"{about}: {said} ({status})" + (f"; {advice}" if advice else ""))
    error.status, error.reason, error.kind, error.server_message = response.status, response.reason, kind, words
    error.body = b"" if stored else body_of(response)[:BODY]  # a store's error page repeats what was signed
    error.request_id = response.headers.get("x-request-id") or response.headers.get("x-amz-request-id")
    if isinstance(error, errors.ObjectNotFoundException | errors.ObjectExistsException):
        error.errno = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EEXIST
        if len(request.params) > 1:
            error.filename = object_uri(request.params[0], request.params[1], str(request.query.get("path", "")))
    return error


def meaning(request: Request, response: Response, words: str | None = None) -> ErrorKind:
    """What a refusal means.

    Args:
        request: What was asked.
        response: The refusal.
        words: The server's words, if they were read already.
    """
    operation, status = request.endpoint.operation, response.status
    if request.url is not None:
        return ErrorKind.STORE_REFUSED if status in (400, 403) else ErrorKind.GONE if status == 404 else ErrorKind.OTHER
    said = _words(response) if words is None else words
    kind = kind_of(operation, status, said, create_only="if-none-match" in request.headers)
    if kind in (ErrorKind.REFERENCE_NOT_FOUND, ErrorKind.COMMIT_NOT_FOUND) and (ref := _missing(request, said)):
        # lakeFS calls whatever a reference names a commit in one operation, and a commit a reference in another
        return ErrorKind.COMMIT_NOT_FOUND if _COMMIT.fullmatch(ref) else ErrorKind.REFERENCE_NOT_FOUND
    return kind


def _words(response: Response) -> str:
    """The server's own words: its message, else its plain text; "" for a web page or for nothing."""
    message = server_message(response)
    if message is not None:
        return message
    text = "" if is_html(response) else body_of(response)[:500].decode("utf-8", "replace").strip()
    return "" if text.startswith("{") else text


def _unsaid(response: Response) -> str:
    if is_html(response):
        return "a web page came instead of lakeFS's answer; is a proxy in between?"
    return response.reason or "no message"


def _store_words(response: Response) -> str:
    return ": ".join(value.decode("utf-8", "replace") for _, value in _XML.findall(body_of(response)[:BODY]))


def _class(request: Request, status: int, kind: ErrorKind) -> type[errors.ServerException]:
    if kind in (ErrorKind.NOT_SUPPORTED, ErrorKind.PRESIGN_NOT_SUPPORTED) and status in (404, 500):
        return errors.UnsupportedOperationException  # lakeFS's 500 where it cannot pre-sign a write
    if status == 404 and (request.url is not None or kind in (ErrorKind.OBJECT_NOT_FOUND, ErrorKind.OTHER)):
        return request.endpoint.missing
    if status == 412 and kind is ErrorKind.OBJECT_EXISTS:
        return errors.ObjectExistsException
    return errors.for_status(status)


def _advice(request: Request, kind: ErrorKind, words: str) -> str:
    if kind in (ErrorKind.REFERENCE_NOT_FOUND, ErrorKind.COMMIT_NOT_FOUND):
        return missing_reference(found) if (found := _missing(request, words)) else "there is no such reference"
    return _ADVICE.get(kind, "")


def _missing(request: Request, words: str) -> str:
    """The reference that a refusal is about, of the several that a request may name; "" if that is not known."""
    for name, beginning in (("stop_at", "stop_at: "), ("after", "from ref: ")):
        if name in request.query and words.startswith(beginning):
            return str(request.query[name])
    for index, beginning in ((1, "get commit by branch "), (2, "get commit by ref ")):
        if len(request.params) == 3 and words.startswith(beginning):
            return request.params[index]
    return request.params[1] if len(request.params) == 2 else ""


def missing_reference(ref: str) -> str:
    """Says what a reference that names no commit lacks: a commit, the end of an expression, or a name."""
    if _COMMIT.fullmatch(ref):
        return f"the repository has no commit {ref}"
    if _MODIFIED.fullmatch(ref):
        return (
            f"the expression {ref!r} names no commit: its branch, tag or commit is missing, or its history is shorter"
        )
    return f"there is no branch, tag or commit {ref!r}; branch(...).create(source) makes a branch"
