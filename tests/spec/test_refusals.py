"""The table of statuses, classes and kinds, and what the client and the embedded lake build with it."""

from __future__ import annotations

import pytest

from lakefs_hl.spec import endpoints, errors
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.kinds import OBJECT_OPERATIONS, ErrorKind
from lakefs_hl.spec.refusals import CLASSES, STATUSES, class_of, kind_of, meaning_of, refusal


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestException),
        (401, errors.NotAuthorizedException),
        (403, errors.ForbiddenException),
        (404, errors.NotFoundException),
        (405, errors.UnsupportedOperationException),
        (409, errors.ConflictException),
        (410, ServerException),
        (412, errors.PreconditionFailedException),
        (418, ServerException),
        (429, errors.TooManyRequestsException),
        (500, errors.ServerErrorException),
        (501, errors.UnsupportedOperationException),
        (503, errors.ServerErrorException),
        (599, errors.ServerErrorException),
    ],
)
def test_a_status_has_its_class(status: int, kind: type[ServerException]) -> None:
    assert meaning_of(status).error is kind
    assert type(refusal(status, "no")) is kind
    assert refusal(status, "no").status == status


def test_a_refusal_has_its_kind() -> None:
    error = refusal(400, "commit: no changes", "commit")
    assert (error.kind, error.server_message, str(error)) == (ErrorKind.NO_CHANGES, "commit: no changes", str(error))
    assert refusal(500, "no such words").kind is ErrorKind.OTHER


def test_a_class_raised_without_a_response_has_the_status_of_its_row() -> None:
    for status, meaning in STATUSES.items():
        own = meaning.error.status_code
        assert own in (0, status) or STATUSES[own].error is meaning.error, status
    for (status, _), error in CLASSES.items():
        assert issubclass(error, meaning_of(status).error) or error.status_code in (status, 501), status


@pytest.mark.parametrize(
    ("operation", "status", "kind", "error"),
    [
        ("statObject", 404, ErrorKind.OBJECT_NOT_FOUND, errors.ObjectNotFoundException),
        ("statObject", 404, ErrorKind.OTHER, errors.ObjectNotFoundException),
        ("statObject", 404, ErrorKind.REPOSITORY_NOT_FOUND, errors.NotFoundException),
        ("getBranch", 404, ErrorKind.OTHER, errors.NotFoundException),
        ("presignedGet", 404, ErrorKind.GONE, errors.ObjectNotFoundException),
        ("presignedPut", 404, ErrorKind.GONE, errors.NotFoundException),
        ("deleteTag", 404, ErrorKind.NOT_SUPPORTED, errors.UnsupportedOperationException),
        ("getPhysicalAddress", 500, ErrorKind.PRESIGN_NOT_SUPPORTED, errors.UnsupportedOperationException),
        ("statObject", 400, ErrorKind.PRESIGN_NOT_SUPPORTED, errors.BadRequestException),
        ("uploadObject", 412, ErrorKind.OBJECT_EXISTS, errors.ObjectExistsException),
        ("uploadObject", 412, ErrorKind.HOOK_REFUSED, errors.PreconditionFailedException),
    ],
)
def test_a_kind_can_have_a_class_of_its_own(
    operation: str, status: int, kind: ErrorKind, error: type[ServerException]
) -> None:
    assert class_of(operation, status, kind) is error


def test_a_known_message_wins_over_the_kind_of_the_status() -> None:
    assert kind_of("commit", 412, "pre-commit hook aborted, run id '5k': no") is ErrorKind.HOOK_REFUSED
    assert kind_of("commit", 412, "anything") is ErrorKind.PRECONDITION_FAILED


def test_operations_on_objects_are_rows_of_the_table() -> None:
    assert {*endpoints.ENDPOINTS, endpoints.PRESIGNED_GET.operation} >= OBJECT_OPERATIONS
