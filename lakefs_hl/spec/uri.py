"""`lakefs://repository/reference/path`: how a message names what it is about."""

from __future__ import annotations


def object_uri(repository: str, reference: str, path: str = "") -> str:
    """Returns the URI of an object, or of a reference when there is no path."""
    return f"lakefs://{repository}/{reference}/{path}"


def repository_uri(repository: str) -> str:
    """Returns the URI of a repository."""
    return f"lakefs://{repository}"
