"""URIs, local paths and `-` as arguments."""

from __future__ import annotations

import click
import pytest

from lakefs_hl.cli.addresses import Address, LakeURI, Local, Place, RefName, split_uri
from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lakefs://example", ("example", "", "")),
        ("lakefs://example/", ("example", "", "")),
        ("lakefs://example/main", ("example", "main", "")),
        ("lakefs://example/main/", ("example", "main", "")),
        ("lakefs://example/main~2/a//b/", ("example", "main~2", "a//b/")),
        ("lakefs://example/main//a", ("example", "main", "/a")),
    ],
)
def test_a_uri_is_split(text: str, parts: tuple[str, str, str]) -> None:
    assert split_uri(text) == parts


@pytest.mark.parametrize(
    ("wanted", "text", "message"),
    [
        ("repository", "example", "is not a URI"),
        ("repository", "lakefs://", "no repository"),
        ("repository", "lakefs://example/main", "names a reference"),
        ("reference", "lakefs://example", "names a repository"),
        ("reference", "lakefs://example/main/a", "names an object"),
        ("prefix", "lakefs://example", "names a repository"),
        ("object", "lakefs://example/main/", "a path is missing"),
        ("object", "s3://bucket/key", "is not a URI"),
    ],
)
def test_a_uri_of_something_else_is_refused(wanted: str, text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message) as caught:
        LakeURI(wanted).convert(text, None, None)
    assert "write lakefs://example" in caught.value.message


def test_a_place_is_local_without_a_scheme() -> None:
    place = Place()
    assert place.convert("lakefs://example/main/a", None, None) == Address("example", "main", "a")
    assert place.convert("data/a", None, None) == Local("data/a")
    assert place.convert("-", None, None).is_stream  # type: ignore[union-attr]
    assert place.convert("./local:x", None, None) == Local("./local:x")


@pytest.mark.parametrize("text", ["local:./lake", "mem://x", "https://lakefs.example.com"])
def test_a_lake_is_no_place(text: str) -> None:
    with pytest.raises(click.BadParameter, match="--lake"):
        Place().convert(text, None, None)


def test_a_reference_is_named_or_a_uri() -> None:
    assert RefName().convert("main~1", None, None) == "main~1"
    assert RefName().convert("lakefs://example/main", None, None) == "lakefs://example/main"
    for text in ("", "lakefs://example"):
        with pytest.raises(click.BadParameter):
            RefName().convert(text, None, None)


def test_a_relative_uri_is_added_to_the_base(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    local.put(data__a_txt="content")
    assert local("fs", "cat", "/data/a.txt", "--base-uri", local.uri) == "content"
    assert local("--base-uri", local.repository.uri, "fs", "cat", "main/data/a.txt") == "content"
    monkeypatch.setenv("LAKECTL_BASE_URI", f"{local.uri}data")
    assert local("fs", "cat", "a.txt") == "content"
    assert local("fs", "cat", f"{local.uri}data/a.txt") == "content", "a full URI is left as it is"
    assert local("fs", "cat", "data/a.txt", "--base-uri", local.uri) == "content", "the option wins"
    local.error(2, "fs", "cat", "a.txt", "--base-uri", "")
