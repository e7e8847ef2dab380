"""Downloads to files without a lake: what is written where, and what is left after a failure.

tests/conformance/test_downloads.py downloads real objects.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._files.bodies import Abandoned
from lakefs_hl._files.saving import plan, save
from lakefs_hl.ops import stream
from lakefs_hl.spec.wire import FileSlice
from lakefs_hl.transport.body import write_at

BLOCKS = (b"0123", b"4567", b"89")


class FakeClient:
    """A client that runs one call: it passes blocks to its target.

    Args:
        fails_after: Number of blocks after which the call raises. None is never.
    """

    def __init__(self, fails_after: int | None) -> None:
        self.fails_after = fails_after
        self.given: dict[str, Any] = {}

    def _run_here(self, call: Any, repository: str, ref: str, path: str, target: stream.Target, **given: Any) -> int:
        assert call is stream.copy_to
        assert (repository, ref, path) == ("example", "main", "a.csv")
        self.given = given
        for number, block in enumerate(BLOCKS):
            if number == self.fails_after:
                raise ConnectionError("the connection is gone")
            sink = target.sink(4 * number, None)
            if isinstance(sink, FileSlice):
                write_at(sink.fd, block, sink.offset)
                assert sink.on_move is not None
                sink.on_move(0)
            else:
                sink[: len(block)] = block
            target.take(sink, len(block))
        return sum(map(len, BLOCKS))


class FakePlace:
    """A reference of the repository `example`."""

    _repository_id = "example"
    _id = "main"

    def __init__(self, fails_after: int | None = None) -> None:
        self._client: Any = FakeClient(fails_after)


def planned(target: object, place: FakePlace | None = None) -> Any:
    return plan(place or FakePlace(), "a.csv", target, None, None, True, None)


def test_a_local_path_gets_all_blocks_and_nothing_else_is_left(tmp_path: Path) -> None:
    assert save(planned(tmp_path / "a")) == 10
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(ConnectionError):
        save(planned(tmp_path / "a", FakePlace(fails_after=2)))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a": b"old"}


def test_a_download_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    asked = list[int]()

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Abandoned):
        save(planned(tmp_path / "a"), stopped)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_stopped_after_its_last_block_is_not_published(tmp_path: Path) -> None:
    asked = list[int]()

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > len(BLOCKS)

    with pytest.raises(Abandoned):
        save(planned(tmp_path / "a"), stopped)
    assert list(tmp_path.iterdir()) == []


def test_a_file_object_cannot_be_started_again_and_a_path_can(tmp_path: Path) -> None:
    place, file = FakePlace(), io.BytesIO()
    assert save(planned(file, place)) == 10
    assert (file.getvalue(), file.closed) == (b"0123456789", False)
    assert place._client.given["restart"] is None
    save(planned(tmp_path / "a", place))
    assert place._client.given["restart"] is not None


def test_a_raw_file_that_takes_a_part_gets_the_rest() -> None:
    taken = bytearray()

    class Slow(io.RawIOBase):
        def write(self, content: Any, /) -> int:
            taken.extend(content[:3])
            return min(3, len(content))

    assert save(planned(Slow())) == 10
    assert taken == b"0123456789"


@pytest.mark.parametrize("count", [0, -1, 5, "3"])
def test_a_raw_file_that_does_not_say_what_it_wrote_is_an_error(count: Any) -> None:
    class Odd(io.RawIOBase):
        def write(self, content: Any, /) -> int:
            answer: int = count
            return answer

    with pytest.raises(OSError, match=rf"got 4 bytes and returned {count!r}, not how many it wrote"):
        save(planned(Odd()))


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("", ValueError, "empty text"),
        (io.StringIO(), TypeError, "takes text; open it with 'wb'"),
        (5, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
    ],
)
def test_what_cannot_be_written_to_is_refused_before_anything_is_sent(
    target: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        planned(target)


def test_a_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"give the path of a file in it.*" + tmp_path.name):
        save(planned(tmp_path))
    with pytest.raises(FileNotFoundError, match="the directory to download to does not exist"):
        save(planned(tmp_path / "none" / "a"))
