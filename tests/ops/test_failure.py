"""Messages of exceptions: what was asked, of which target, what the server reported, what to do."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from lakefs_hl.ops import branches, objects, refs, repositories, server, tags, transfer
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.failure import failure
from lakefs_hl.ops.upload import upload
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from tests.ops.script import C1, HTML, Play, commit, no, ok, session, step

S = session(exactly_once=True)
STAT = ("statObject", "r", "main")
#: Branch of a transaction.
TX = f"tx-a-b-{'0' * 32}"


def stat() -> Op[Any]:
    return objects.stat(S, "r", "main", "a/b c.txt")


def fails(op: Op[Any], operation: str, params: tuple[str, ...], answer: Any, kind: type[Any]) -> Any:
    return Play(step(operation, *params, answer=answer)).fails(op, kind)


def missing() -> Any:
    play = Play(step(*STAT, answer=no(404, "not found")), step("getCommit", "r", "main", answer=ok(commit(C1))))
    return play.fails(stat(), errors.ObjectNotFoundException)


def test_a_missing_object() -> None:  # B9.90
    error = missing()
    assert error.kind is ErrorKind.OBJECT_NOT_FOUND
    assert error.server_message == "not found"
    assert issubclass(type(error), FileNotFoundError)
    assert error.filename == "lakefs://r/main/a/b c.txt"
    assert str(error) == ("looking up lakefs://r/main/a/b c.txt: not found (404 No); the object does not exist")
    assert error.status == 404
    assert error.request_id == "req-1"


@pytest.mark.parametrize("message", ["repository not found", "branch not found", "branch 'x' not found"])
def test_other_404s_are_not_missing_objects(message: str) -> None:
    error = fails(stat(), "statObject", ("r", "main"), no(404, message), errors.NotFoundException)
    assert message in str(error)


@pytest.mark.parametrize(
    ("op", "operation", "params", "answer", "kind", "words"),
    [
        (
            lambda: branches.get(S, "r", "x"),
            "getBranch",
            ("r", "x"),
            no(404, "branch not found"),
            errors.NotFoundException,
            "looking up branch 'x' of lakefs://r: branch not found (404 No); create it with branch(...).create(source)",
        ),
        (
            lambda: repositories.get(S, "nope"),
            "getRepository",
            ("nope",),
            no(404, "repository not found"),
            errors.NotFoundException,
            (
                "looking up lakefs://nope: repository not found (404 No); create it with "
                "repository(...).get_or_create(...)"
            ),
        ),
        (
            lambda: branches.delete(S, "r", "main"),
            "deleteBranch",
            ("r", "main"),
            no(403, "cannot delete repository default branch"),
            errors.ForbiddenException,
            "the default branch of a repository cannot be deleted",
        ),
        (
            lambda: objects.delete(S, "r", "main", "k"),
            "deleteObject",
            ("r", "main"),
            no(403, "cannot write to protected branch"),
            errors.ForbiddenException,
            "write to another branch and merge it",
        ),
        (
            lambda: refs.log_page(S, "r", "main~x", "", 1),
            "logCommits",
            ("r", "main~x"),
            no(400, "ref: could not parse modifier ~x"),
            errors.BadRequestException,
            "reading the log of lakefs://r/main~x: ref: could not parse modifier ~x",
        ),
        (
            lambda: objects.copy(S, "r", "b", "to", "v1", "from", shallow=True),
            "copyObject",
            ("r", "b"),
            no(501, "Not Implemented"),
            errors.UnsupportedOperationException,
            "copying lakefs://r/v1/from to lakefs://r/b/to",
        ),
        (
            lambda: tags.delete(S, "r", "v1"),
            "deleteTag",
            ("r", "v1"),
            no(404, "invalid API endpoint"),
            errors.UnsupportedOperationException,
            "the server, its version or its storage does not support this",
        ),
        (
            lambda: transfer.download(S, "r", "main", "k", pre_signed=False),
            "getObject",
            ("r", "main"),
            no(410, "No data"),
            errors.ServerException,
            "the object's record exists, but its data does not",
        ),
    ],
)
def test_messages(op: Any, operation: str, params: Any, answer: Response, kind: type[Any], words: str) -> None:
    assert words in str(fails(op(), operation, params, answer, kind))


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, HTML, b"<!doctype html><title>404</title>"),
        Response(404, {"content-type": "text/plain"}, b"404 page not found"),
        Response(404, {}, b""),
        Response(403, HTML, b"<html>sign in</html>"),
        Response(400, HTML, b"  <html>"),
        Response(200, HTML, b"<html>"),
        Response(200, {"content-type": "application/json"}, b'{"hello": "world"}'),
        Response(200, {}, b""),
        Response(302, {"location": "https://sso.example/login?secret=s3cr3t"}, b""),
        Response(301, {}, b""),
    ],
)
def test_responses_that_are_not_lakefs(answer: Response) -> None:  # B9.90: HTML, empty and non-JSON bodies
    error = fails(stat(), "statObject", ("r", "main"), answer, errors.ProtocolException)
    assert "check that the endpoint" in str(error)
    assert "http://lake:8000" in str(error)
    assert "looking up lakefs://r/main/a/b c.txt" in str(error)
    assert "s3cr3t" not in str(error)
    assert "<html" not in str(error)
    assert error.maybe_applied is False


def test_the_page_of_a_proxy_is_not_in_the_message() -> None:
    play = Play(*[step("statObject", "r", "main", answer=Response(502, HTML, b"<html>bad gateway</html>"))] * 5)
    error = play.fails(stat(), errors.ServerErrorException, "a proxy in front of the server received no valid response")
    assert "<html" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            502,
            b"",
            "a proxy in front of the server received no valid response from it",
        ),
        (502, b"upstream connect error", "upstream connect error (502"),
        (504, b"", "a proxy in front of the server received no response from it in time"),
        (500, b"<html>x", "a web page instead of lakeFS's response"),
        (429, b"<html>slow down", "a web page instead of lakeFS's response: .*; the server is busy: try again later"),
    ],
)
def test_a_response_of_a_proxy_is_said_to_be_one(status: int, body: bytes, words: str) -> None:
    kind = errors.TooManyRequestsException if status == 429 else errors.ServerErrorException
    answer = Response(status, HTML if body.startswith(b"<") else {}, body)
    Play(*[step("statObject", "r", "main", answer=answer)] * 5).fails(stat(), kind, words.replace("(", r"\("))


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (403, "insufficient permissions", ErrorKind.FORBIDDEN, "ask an administrator"),
        (
            400,
            "parent 3: given commit does not have the given parent number",
            ErrorKind.INVALID_PARENT,
            "parent_number=1",
        ),
        (500, "no merge base", ErrorKind.NO_MERGE_BASE, "no common ancestor"),
        (500, "predicate failed", ErrorKind.LOST_RACE, "changed the branch meanwhile: try again"),
        (
            500,
            "branch is currently locked, try again later",
            ErrorKind.BRANCH_LOCKED,
            "another operation holds the branch",
        ),
    ],
)
def test_what_lakefs_says_in_its_own_words_is_explained(status: int, message: str, kind: ErrorKind, words: str) -> None:
    error = failure(Request(endpoints.MERGE_INTO_BRANCH, ("r", "dev", "main")), no(status, message), "", "")
    assert isinstance(error, errors.ServerException)
    assert error.kind is kind
    assert f": {message} ({status}" in str(error)
    assert words in str(error)


def test_only_objects_have_data_that_can_be_gone() -> None:
    found = [
        str(failure(Request(row, ("r", "b"), {"path": "a"}), no(410, "gone"), "", ""))
        for row in (endpoints.GET_OBJECT, endpoints.GET_BRANCH)
    ]
    assert ["its data does not" in text for text in found] == [True, False]


def test_a_refused_role_is_not_told_to_check_a_key() -> None:
    text = str(failure(Request(endpoints.EXTERNAL_PRINCIPAL_LOGIN), no(401, "no"), "", ""))
    assert "the server knows the AWS role of this machine" in text
    assert "access key" not in text


def test_a_plain_text_400_is_the_servers_message() -> None:
    answer = Response(400, {"content-type": "text/plain"}, b"invalid character 'x'")
    assert "invalid character 'x'" in str(
        fails(stat(), "statObject", ("r", "main"), answer, errors.BadRequestException)
    )


def test_the_end_of_a_message_has_no_empty_lines() -> None:
    message = "pre-commit hook aborted, run id '5k': 1 error occurred:\n\t* the message is bad"
    error = fails(stat(), "statObject", ("r", "main"), no(412, f"{message}\n\n"), errors.PreconditionFailedException)
    assert str(error).endswith("* the message is bad (412 No)")
    assert (error.server_message, error.kind) == (message, ErrorKind.HOOK_REFUSED)


def test_a_schema_is_not_in_the_message() -> None:
    words = 'request body has an error: Error at "/name": string doesn\'t match the regular expression "^[a-z]$"'
    reported = f'{words}\nSchema:\n  {{\n    "pattern": "^[a-z]$",\n    "type": "string"\n  }}\n\nValue:\n  "A_b"\n'
    error = Play(step("getRepository", "A_b", answer=no(400, reported))).fails(
        repositories.get(S, "A_b"), errors.BadRequestException
    )
    assert f'{words}, and the value is "A_b" (400 No)' in str(error)
    assert "\n" not in str(error)
    assert error.server_message == reported.rstrip()


def test_a_head_response_has_no_body() -> None:  # B9.90
    from lakefs_hl.ops.retry import call

    request = Request(endpoints.HEAD_OBJECT, ("r", "main"), {"path": "k"})
    answer = Response(404, {}, reason="Not Found")
    error = fails(call(S, request), "headObject", ("r", "main"), answer, errors.ObjectNotFoundException)
    assert "Not Found" in str(error)


@pytest.mark.parametrize(
    ("broken", "kind", "words"),
    [
        (TransportError("connect", "x refuses", kind="refused", retry=False), errors.TransportException, "running"),
        (TransportError("connect", "no name", kind="dns", retry=False), errors.TransportException, "spelling"),
        (TransportError("tls", "self-signed", kind="certificate", retry=False), errors.CertificateException, "trusted"),
        (TransportError("wait", "what?", kind="protocol", retry=False), errors.ProtocolException, "speak HTTP"),
        (TransportError("read", "quiet", kind="timeout", retry=False), errors.DeadlineExceeded, "in time"),
        (TransportError("read", "odd", retry=False), errors.TransportException, "odd"),
    ],
)
def test_no_response(broken: TransportError, kind: type[Any], words: str) -> None:
    error = fails(server.version(S), "getLakeFSVersion", (), broken, kind)
    assert words in str(error)
    assert "reading the server's version" in str(error)
    assert "http://lake:8000" in str(error)
    assert error.__cause__ is broken


def test_errors_survive_pickling_and_copying() -> None:  # B6.65
    error = missing()
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert (other.attempts, other.status, other.filename) == (error.attempts, 404, error.filename)
        assert (other.kind, other.server_message) == (error.kind, "not found")


def test_a_long_body_is_truncated() -> None:
    answer = Response(400, {"content-type": "text/plain"}, b"x" * 100_000)
    error = fails(stat(), "statObject", ("r", "main"), answer, errors.BadRequestException)
    assert len(error.body) == 65536
    assert len(str(error)) < 1000


# ----------------------------------------------------------------------------------------- middleboxes and stores

PAGE = b"<html><head><title>%d</title></head></html>"


def page(status: int) -> Response:
    return Response(status, {"content-type": "text/html"}, PAGE % status, reason="Refused")


def uploaded(body: bytes | FileSlice, answer: Any, kind: type[Any]) -> Any:
    op = upload(S, "r", "main", "k", body, pre_signed=False)
    return fails(op, "uploadObject", ("r", "main"), answer, kind)


@pytest.mark.parametrize("body", [bytes(3_000_000), FileSlice(0, 0, 3_000_000)], ids=["bytes", "file"])
def test_a_proxy_that_rejects_a_large_body_is_reported_with_the_size(body: bytes | FileSlice) -> None:
    error = uploaded(body, page(413), errors.ServerException)
    assert str(error) == (
        "uploading lakefs://r/main/k: the request body has 3,000,000 bytes, and that is too large for a proxy in front "
        "of the server: raise its limit (nginx: client_max_body_size) (413 Refused)"
    )
    assert (error.status, error.maybe_applied) == (413, False)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (407, "the proxy requires a user name and a password"),
        (411, "requires the length"),
        (414, "the URL of the request is too long"),
        (431, "the headers of the request are too large"),
        (511, "requires you to log in first"),
    ],
)
@pytest.mark.parametrize("text", [True, False], ids=["page", "nothing"])
def test_responses_of_a_middlebox_are_not_blamed_on_the_endpoint(status: int, words: str, text: bool) -> None:
    answer = page(status) if text else Response(status, {}, b"", reason="Refused")
    kind = errors.ServerException if status < 500 else errors.ServerErrorException
    error = fails(stat(), *STAT[:1], STAT[1:], answer, kind)
    assert words in str(error)
    assert "is the endpoint" not in str(error)
    assert error.status == status


def test_lakefs_own_message_wins_over_the_middleboxs() -> None:
    error = uploaded(b"x", no(413, "too much for this repository"), errors.ServerException)
    assert "too much for this repository" in str(error)
    assert "proxy" not in str(error)


def test_a_proxy_that_requires_credentials() -> None:
    said = "the proxy p:3128 wants a user name and a password (407)"
    cause = TransportError("connect", said, kind="proxy", retry=False)
    error = fails(stat(), *STAT[:1], STAT[1:], cause, errors.TransportException)
    assert "the proxy p:3128 wants" in str(error)
    assert "percent-encoded" in str(error)
    assert "nothing listens there" not in str(error)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("refused", errors.TransportException),
        ("dns", errors.TransportException),
        ("timeout", errors.DeadlineExceeded),
        ("certificate", errors.CertificateException),
    ],
)
def test_an_unreachable_store_is_not_blamed_on_the_server(kind: str, expected: type[Any]) -> None:
    s = session(attempts=1)
    s.endpoint = "https://lakefs.example"
    cause = TransportError("connect", "minio:9000 refuses connections", kind=kind)
    link = "http://minio:9000/b/k?X-Amz-Signature=cafe"
    play = Play(
        step("statObject", "r", "main", answer=ok(models.ObjectStats("k", "object", physical_address=link))),
        step("presignedGet", "r", "main", answer=cause, url=link),
    )
    error = play.fails(transfer.download(s, "r", "main", "k", pre_signed=True), expected)
    assert "no response from the object store behind a pre-signed URL: minio:9000 refuses connections" in str(error)
    assert "pass pre_signed=False" in str(error)
    assert "lakefs.example" not in str(error)
    assert "cafe" not in str(error)


def test_a_store_that_rejects_a_url_gives_advice_without_keys() -> None:
    link = "http://minio:9000/b/k?X-Amz-Signature=cafe"
    denied = Response(403, {}, b"<Error><Code>AccessDenied</Code></Error>", reason="Forbidden")
    found = step("statObject", "r", "main", answer=ok(models.ObjectStats("k", "object", physical_address=link)))
    refusal = step("presignedGet", "r", "main", answer=denied, url=link)
    play = Play(found, refusal, found, refusal)
    op = transfer.download(session(attempts=1), "r", "main", "k", pre_signed=True)
    error = play.fails(op, errors.ForbiddenException)
    assert "the object store reports AccessDenied" in str(error)
    assert "pass pre_signed=False" in str(error)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(endpoints.UPLOAD_OBJECT, ("r", TX), {"path": "a"}), "branch not found"),
        (Request(endpoints.STAT_OBJECT, ("r", TX), {"path": "a"}), "commit not found"),
        (Request(endpoints.DELETE_OBJECTS, ("r", TX)), "branch not found"),
        (Request(endpoints.LIST_OBJECTS, ("r", TX)), "not found"),
    ],
)
def test_a_call_in_a_transaction_that_has_ended_says_so(request_: Request, message: str) -> None:
    error = failure(request_, no(404, message), "", "http://lake")
    assert isinstance(error, errors.NotFoundException)
    assert "the transaction on 'a-b' has ended" in str(error)
    assert "create it with" not in str(error)
