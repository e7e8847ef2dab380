"""Exit codes of errors."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from lakefs_hl import exceptions
from lakefs_hl.cli.exits import ExitCode, code_of, is_reported
from lakefs_hl.spec.kinds import ErrorKind
from tests.cli.conftest import Command

WANTED = {
    "PartialFailureError": 6,
    "TransportException": 7,
    "DeadlineExceeded": 7,
    "CertificateException": 7,
    "ProtocolException": 7,
    "OfflineException": 7,
    "NotCachedException": 3,
    "LakeLockedError": 7,
    "TooManyRequestsException": 7,
    "NotFoundException": 3,
    "ObjectNotFoundException": 3,
    "NotAuthorizedException": 4,
    "ForbiddenException": 4,
    "NoAuthenticationFound": 4,
    "ConflictException": 5,
    "MergeConflict": 5,
    "RepositoryNotEmptyError": 5,
    "ObjectExistsException": 5,
    "PreconditionFailedException": 5,
    "ObjectChangedError": 5,
    "TransactionStartError": 5,
    "InvalidConfigError": 2,
    "LakeFormatError": 2,
}
CLASSES = [
    kind for kind in vars(exceptions).values() if inspect.isclass(kind) and issubclass(kind, exceptions.LakeFSException)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_has_its_code(kind: type[exceptions.LakeFSException]) -> None:
    assert code_of(kind("message")) == WANTED.get(kind.__name__, 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "no such file"), 3),
        (PermissionError(13, "no"), 4),
        (FileExistsError(17, "exists"), 5),
        (IsADirectoryError(21, "is a directory"), 2),
        (OSError(28, "no space"), 1),
        (ValueError("refused"), 2),
        (TypeError("refused"), 2),
        (RuntimeError("no"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_errors(error: Exception, code: int) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize(("status", "code"), [(500, 1), (502, 7), (503, 7), (504, 7)])
def test_an_unavailable_server_is_unreachable(status: int, code: int) -> None:
    error = exceptions.ServerErrorException("failed")
    error.status = status
    assert code_of(error) == code


def test_a_dirty_branch_is_a_conflict() -> None:
    error = exceptions.BadRequestException("dirty")
    assert code_of(error) == 1
    error.kind = ErrorKind.DIRTY_BRANCH
    assert code_of(error) == 5


def test_a_transaction_has_the_code_of_its_cause() -> None:
    error = exceptions.TransactionException("failed")
    assert code_of(error) == 1
    error.__cause__ = exceptions.PartialFailureError("some")
    assert code_of(error) == 6
    merge = exceptions.TransactionMergeError("refused")
    merge.conflicts = ("a",)
    assert code_of(merge) == 5


def test_the_codes_are_those_of_the_table() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "OTHER": 1,
        "USAGE": 2,
        "NOT_FOUND": 3,
        "FORBIDDEN": 4,
        "CONFLICT": 5,
        "PARTLY_FAILED": 6,
        "UNREACHABLE": 7,
        "DIFFERENCES": 8,
        "INTERRUPTED": 130,
        "CLOSED_PIPE": 141,
    }


def test_a_defect_is_not_reported() -> None:
    with pytest.raises(ValueError, match="defect") as caught:
        raise ValueError("a defect of ours")
    assert not is_reported(caught.value)
    assert is_reported(exceptions.LakeFSException("for the user"))
    assert is_reported(OSError(28, "no space"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("commit", "-m", "x", "--date", "nonsense"),
        ("commit", "-m", "a\udc80"),
        ("fs", "touch", "--content-type", "a\n"),
        ("fs", "cp", "data/a", "--content-type", "a\n"),
        ("fs", "cp", "-r", "data", "--include", ""),
        ("fs", "cp", "-r", "data", "--ignore-file", "a/b"),
    ],
)
def test_a_value_that_the_package_refuses_is_a_usage_error(
    local: Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("a")
    uri = local.uri.removesuffix("/") if arguments[0] == "commit" else f"{local.uri}x"
    words = local.error(2, *arguments, uri)
    assert len(words.splitlines()) == 1
    assert words.startswith("lakefs-hl ")
