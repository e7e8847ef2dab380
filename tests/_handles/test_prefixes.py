"""Arguments of the calls on prefixes, and the groups of `usage`."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._handles import prefixes
from lakefs_hl._handles.prefixes import ChunksAhead, Usage, _extension, _group_of
from tests.ops.script import session

AT = lakefs_hl.Branch("example", "main")
S = session()


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("a.csv", ".csv"),
        ("d.d/a.tar.GZ", ".gz"),
        ("a", ""),
        ("d.csv/a", ""),
        (".profile", ""),
        ("..a", ""),
        ("a.", ""),
        ("d/.x.csv", ".csv"),
        ("d/", ""),
    ],
)
def test_the_extension_is_the_last_suffix_in_lower_case(path: str, extension: str) -> None:
    assert _extension(path) == extension


@pytest.mark.parametrize(
    ("prefix", "path", "directory"),
    [
        ("", "a", ""),
        ("", "d/e/a", "d/"),
        ("d/", "d/a", "d/"),
        ("d/", "d/e/f/a", "d/e/"),
        ("d/e", "d/e1/a", "d/e1/"),
        ("d/e", "d/e.csv", "d/"),
    ],
)
def test_the_directory_is_directly_under_the_prefix(prefix: str, path: str, directory: str) -> None:
    assert _group_of(prefix, "directory")(path) == directory


def test_usage_is_a_plain_record() -> None:
    usage = Usage(10, 2)
    assert pickle.loads(pickle.dumps(usage)) == usage == (10, 2)
    assert usage.to_dict() == {"total_bytes": 10, "object_count": 2}
    assert Usage.__module__ == "lakefs_hl"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prefixes.glob(S, AT, "", None), "pattern must not be empty"),
        (lambda: prefixes.glob(S, AT, "*", -1), "max_amount must be None or at least 0"),
        (lambda: prefixes.glob(S, AT, "lakefs://example/dev/*", None), "is at reference 'dev'"),
        (lambda: prefixes.iter_usage(S, AT, "", 0), "every must be at least 1, not 0"),
        (lambda: prefixes.usage(S, AT, "", "size"), "by must be 'directory' or 'extension', not 'size'"),
        (lambda: prefixes.stream(S, AT, "a", 0, None, 0, True, None), "chunk_size must be at least 1, not 0"),
        (lambda: prefixes.workers(0), "max_workers must be at least 1, not 0"),
    ],
)
def test_a_wrong_value_is_refused_at_the_call(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_paths_are_checked_as_they_are_read() -> None:
    info = lakefs_hl.ObjectInfo("example", "main", "b")
    assert list(prefixes.each_path(["a", info, f"{AT.uri}c"], AT)) == ["a", "b", "c"]
    assert list(prefixes.each_path("a/b", AT)) == ["a/b"]
    read = prefixes.each_path(["a", 5], AT)
    assert next(read) == "a"
    for items in ([5], 5, [lakefs_hl.CommonPrefix("example", "main", "d/")]):
        with pytest.raises(TypeError, match="paths must be"):
            list(prefixes.each_path(items, AT))


def test_an_interrupted_stream_is_called_a_stream() -> None:
    ahead = ChunksAhead()
    ahead.fail(KeyboardInterrupt())
    with pytest.raises(RuntimeError, match="the stream was interrupted and cannot be continued"):
        ahead.raise_failure()
