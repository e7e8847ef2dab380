"""URLs of the endpoint rows: writing and matching."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.routes import BASE, encode_query, match, target
from lakefs_hl.spec.wire import Endpoint, Request

segments = st.text(min_size=1, max_size=20).filter(lambda text: text not in {".", ".."} and _encodes(text))
rows = st.sampled_from(list(ENDPOINTS.values()))


def _encodes(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@given(rows, st.data())
def test_a_written_path_is_matched(row: Endpoint, data: st.DataObject) -> None:
    params = tuple(data.draw(segments) for _ in range(row.path.count("{")))
    found = match(target(Request(row, params)).removeprefix(BASE))
    assert found is not None
    by_method, read = found
    assert read == params or row.method in by_method  # a fixed segment may win over a parameter of the same text
    if read == params:
        assert by_method[row.method] is row


@given(segments, segments, st.text(max_size=30).filter(_encodes))
def test_user_input_cannot_change_the_structure_of_a_url(repository: str, ref: str, path: str) -> None:
    url = urlsplit(target(Request(endpoints.STAT_OBJECT, (repository, ref), {"path": path})))
    parts = url.path.split("/")
    assert [unquote(part) for part in parts] == [
        "",
        "api",
        "v1",
        "repositories",
        repository,
        "refs",
        ref,
        "objects",
        "stat",
    ]
    assert parse_qs(url.query, keep_blank_values=True) == {"path": [path]}


texts = st.text(max_size=20).filter(_encodes)


@given(st.dictionaries(texts, texts | st.lists(texts, max_size=3).map(tuple), max_size=3))
def test_a_query_is_written_as_the_standard_library_writes_it(query: dict[str, str | tuple[str, ...]]) -> None:
    assert encode_query(query) == urlencode(query, doseq=True, quote_via=quote, safe="")


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_dot_segments_are_refused(part: str) -> None:
    with pytest.raises(ValueError, match="cannot be a repository"):
        target(Request(endpoints.STAT_OBJECT, ("repo", part), {"path": "x"}))


@pytest.mark.parametrize("path", ["/nowhere", "/repositories//branches", "", "/", "/repositories/r/branches/b/no"])
def test_unknown_paths_match_nothing(path: str) -> None:
    assert match(path) is None
