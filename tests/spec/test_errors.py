"""The tree of exceptions: every class constructs, prints, pickles and copies, and has its builtin base."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle

import pytest

from lakefs_hl import exceptions
from lakefs_hl.spec import errors
from lakefs_hl.spec.errors import Attempt, LakeFSException, ServerException
from lakefs_hl.spec.kinds import ErrorKind

TREE = [
    value for _, value in sorted(vars(errors).items()) if inspect.isclass(value) and issubclass(value, LakeFSException)
]

BUILTINS = {
    errors.BadRequestException: ValueError,
    errors.NotAuthorizedException: PermissionError,
    errors.ForbiddenException: PermissionError,
    errors.NotFoundException: LookupError,
    errors.ObjectNotFoundException: FileNotFoundError,
    errors.ObjectExistsException: FileExistsError,
    errors.UnsupportedOperationException: NotImplementedError,
    errors.TransportException: ConnectionError,
    errors.DeadlineExceeded: TimeoutError,
    errors.OfflineException: ConnectionError,
    errors.NotCachedException: LookupError,
    errors.InvalidConfigError: ValueError,
    errors.LakeLockedError: TimeoutError,
    errors.LakeResourceError: OSError,
    errors.ImportFailedException: RuntimeError,
}


@pytest.mark.parametrize("kind", TREE)
def test_it_prints_its_message_and_survives_pickling_and_copying(kind: type[LakeFSException]) -> None:
    error = kind("what, where, what next")
    error.attempts = (Attempt("503", 0.25), Attempt("reset", 1.0))
    error.op_id = "abc"
    error.__dict__["status"] = 418
    error.__dict__["kind"] = ErrorKind.NO_CHANGES
    error.__dict__["server_message"] = "no"
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert str(other) == "what, where, what next"
        assert other.__dict__ == error.__dict__


@pytest.mark.parametrize("kind", TREE)
def test_no_class_defines_a_constructor(kind: type[LakeFSException]) -> None:
    assert "__init__" not in vars(kind)


@pytest.mark.parametrize(("kind", "builtin"), BUILTINS.items())
def test_it_is_the_expected_builtin(kind: type[LakeFSException], builtin: type[BaseException]) -> None:
    with pytest.raises(builtin):
        raise kind("no")


@pytest.mark.parametrize("kind", [errors.ObjectNotFoundException, errors.ObjectExistsException])
def test_a_file_error_has_its_filename(kind: type[LakeFSException]) -> None:
    error = kind("no such object")
    assert isinstance(error, OSError)
    error.filename = "lakefs://repo/main/a.txt"
    again = pickle.loads(pickle.dumps(error))
    assert again.filename == "lakefs://repo/main/a.txt"
    assert str(again) == "no such object"


def test_an_error_made_by_hand_has_a_kind() -> None:
    assert ServerException("made by hand").kind is ErrorKind.OTHER
    assert errors.ImportFailedException("made by hand").kind is ErrorKind.IMPORT_FAILED


def test_a_resource_error_has_its_errno() -> None:
    error = errors.LakeResourceError("no space left")
    error.errno = errno.ENOSPC
    assert pickle.loads(pickle.dumps(error)).errno == copy.deepcopy(error).errno == errno.ENOSPC
    assert str(pickle.loads(pickle.dumps(error))) == "no space left"


def test_all_exceptions_are_public() -> None:
    assert {kind.__name__ for kind in TREE} <= set(exceptions.__all__)
    assert exceptions.__all__ == sorted(exceptions.__all__)
    assert all(hasattr(exceptions, name) for name in exceptions.__all__)


def test_the_drawn_tree_names_every_class() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in TREE if kind.__name__ not in errors.__doc__] == []
