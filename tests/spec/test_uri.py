"""URIs as messages and handles show them."""

from __future__ import annotations

from lakefs_hl.spec.uri import object_uri, repository_uri


def test_a_reference_ends_with_a_slash_and_an_object_with_its_path() -> None:
    assert object_uri("example", "main") == "lakefs://example/main/"
    assert object_uri("example", "main", "a/b c") == "lakefs://example/main/a/b c"
    assert repository_uri("example") == "lakefs://example"
