"""Results of searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_type_hints, overload

from lakefs_hl import _html

#: What is searched.
SearchKind: TypeAlias = Literal["repository", "path", "commit", "metadata"]
KINDS: Final[tuple[SearchKind, ...]] = ("repository", "path", "commit", "metadata")
#: Number of hits that a notebook shows.
_SHOWN: Final = 25
_COLUMNS: Final = ("kind", "uri", "excerpt", "score")


@_html.show_record
class SearchHit(NamedTuple):
    """Something that a search has found.

    Attributes:
        kind: What it is: a repository by its name, an object by its path, a commit by its message or ID, or something
            by its metadata.
        uri: URI of the repository, the object or the commit. Of metadata, the URI of what has it.
        score: How well it fits, between 0 and 1. Scores of different queries mean nothing beside each other.
        excerpt: The line that has the words, in at most 160 characters.
        repository: Name of the repository.
        path: Path of the object. None if it is none.
        commit_id: ID of the commit. None if it is none.
    """

    kind: SearchKind
    uri: str
    score: float
    excerpt: str
    repository: str
    path: str | None = None
    commit_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


@_html.show_record
class SearchFailure(NamedTuple):
    """A repository that was not searched.

    Attributes:
        repository: Name of the repository. None if the repositories could not be listed.
        error: Why it was not searched.
    """

    repository: str | None
    error: Exception

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, with the error as a text."""
        return {"repository": self.repository, "error": f"{type(self.error).__name__}: {self.error}"}


class SearchResults(Sequence[SearchHit]):
    """The hits of a search, best first, and the repositories that were not searched.

    It is a sequence of hits. A notebook shows it as a table.

    Attributes:
        query: What was searched for.
        hits: The hits, best first.
        auth_errors: Repositories that the credentials may not read.
        errors: Repositories that were not searched for another reason.
    """

    __module__ = "lakefs_hl.types"
    __slots__ = ("auth_errors", "errors", "hits", "query")

    def __init__(
        self,
        query: str,
        hits: Sequence[SearchHit] = (),
        auth_errors: Sequence[SearchFailure] = (),
        errors: Sequence[SearchFailure] = (),
    ) -> None:
        self.query = query
        self.hits: tuple[SearchHit, ...] = tuple(hits)
        self.auth_errors: tuple[SearchFailure, ...] = tuple(auth_errors)
        self.errors: tuple[SearchFailure, ...] = tuple(errors)

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[SearchHit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> SearchHit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SearchHit, ...]: ...
    def __getitem__(self, index: int | slice) -> SearchHit | tuple[SearchHit, ...]:
        return self.hits[index]

    def to_dict(self) -> dict[str, Any]:
        """Return the query, the hits and the failures as plain values."""
        return {
            "query": self.query,
            "hits": [hit.to_dict() for hit in self.hits],
            "auth_errors": [failure.to_dict() for failure in self.auth_errors],
            "errors": [failure.to_dict() for failure in self.errors],
        }

    def __repr__(self) -> str:
        return f"<SearchResults of {self.query!r:.60}: {self._note()}>"

    def _note(self) -> str:
        parts = [f"{len(self.hits):,} hit{'' if len(self.hits) == 1 else 's'}"]
        if self.auth_errors:
            parts.append(f"{len(self.auth_errors):,} not authorized")
        if self.errors:
            parts.append(f"{len(self.errors):,} failed")
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        rows = [(hit.kind, hit.uri, hit.excerpt, f"{hit.score:.2f}") for hit in self.hits[:_SHOWN]]
        failed = (f"{each.repository or 'repositories'}: {each.error}" for each in (*self.auth_errors, *self.errors))
        table = _html.listing("Search", self._note(), _COLUMNS, rows, code=self.query[:60])
        return table + _html.lines(failed)


for _record in (SearchHit, SearchFailure):
    # a named tuple ignores `__module__` in its body, and `lakefs_hl.types` does not have the names of its annotations
    _record.__annotations__ = get_type_hints(_record)
    _record.__module__ = "lakefs_hl.types"
