"""`lakefs://` URIs, which name repositories, references and objects in messages."""

from __future__ import annotations


def object_uri(repository: str, reference: str, path: str = "") -> str:
    """Return the URI of an object, or of a reference if there is no path."""
    return f"lakefs://{repository}/{reference}/{path}"


def repository_uri(repository: str) -> str:
    """Return the URI of a repository."""
    return f"lakefs://{repository}"
