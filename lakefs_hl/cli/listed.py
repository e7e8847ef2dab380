"""Listings of references: branches and tags with their commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from lakefs_hl import exceptions
from lakefs_hl.cli.session import Session

if TYPE_CHECKING:
    import lakefs_hl

R = TypeVar("R", bound="lakefs_hl.Reference")


def print_references(session: Session, rows: Iterable[R], commit_id: Callable[[R], str]) -> None:
    """Print references with the commits they point to; with `--quiet` only their names, without further requests.

    Args:
        session: The session.
        rows: The references.
        commit_id: Looks up the ID of a reference's commit.
    """
    output = session.output
    names_only = output.quiet and output.format == "text"
    output.rows(
        ((row, "") for row in rows) if names_only else _with_commits(rows, commit_id),
        lambda pair: f"{output.display(pair[0].id)}\t{pair[1]}",
        ident=lambda pair: pair[0].id,
        record=lambda pair: {"id": pair[0].id, "uri": pair[0].uri, "commit_id": pair[1]},
    )


def _with_commits(rows: Iterable[R], commit_id: Callable[[R], str]) -> Iterator[tuple[R, str]]:
    for row in rows:
        try:
            found = commit_id(row)
        except exceptions.NotFoundException:  # deleted since it was listed
            continue
        yield row, found
