"""One object as one commit."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl import Client, exceptions, repository
from lakefs_hl._bulk.caller import Here
from lakefs_hl._bulk.single import upload_commit
from lakefs_hl._handles.writes import Upload


@pytest.fixture
def main() -> Any:
    with Client("mem://") as client:
        yield repository("example", client=client).create().branch("main")


def upload(main: Any, data: object, message: object) -> Any:
    return upload_commit(main, Upload(main, "a", None, None, False, None), data, message)(Here())


def test_the_object_and_its_commit(main: Any) -> None:
    assert upload(main, b"1", "first").size_bytes == 1
    assert main.head().message == "first"
    assert upload(main, iter([b"2", b"2"]), "second").size_bytes == 2
    assert [commit.message for commit in main.log(2, first_parent=True)] == ["second", "first"]


@pytest.mark.parametrize(("message", "error"), [("", ValueError), (" ", ValueError), (3, TypeError), (None, TypeError)])
def test_a_message_is_text(main: Any, message: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="commit_message"):
        upload(main, b"1", message)


def test_data_is_read_before_anything_is_sent(main: Any) -> None:
    def broken() -> Any:
        yield b"1"
        raise OSError(5, "of the disk")

    main.upload(b"", "staged")  # a transaction would be refused
    with pytest.raises(OSError, match="of the disk"):
        upload(main, broken(), "message")
    with pytest.raises(exceptions.TransactionStartError, match="uncommitted changes"):
        upload(main, b"1", "message")
