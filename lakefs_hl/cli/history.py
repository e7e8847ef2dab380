"""`lakefs-hl commit`, `log`, `diff` and `merge`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.output import Output
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment
from lakefs_hl.cli.verbs import Verb, after, amount, message, meta

if TYPE_CHECKING:
    import lakefs_hl

#: Type of a change -> its mark and colour, as lakectl prints them.
_MARKS: Final = {
    "added": ("+", "added", "green"),
    "removed": ("-", "removed", "red"),
    "changed": ("~", "modified", "yellow"),
    "conflict": ("*", "conflict", "red"),
    "prefix_changed": ("~", "modified", "yellow"),
}


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("reference"))
@message
@meta
@click.option("--allow-empty-commit", is_flag=True, help="Commit even if there are no changes.")
@click.option("--allow-empty-message", is_flag=True, help="Commit without a message.")
@click.option("--date", help="Time of the commit, such as 2026-01-31T12:00:00Z. Defaults to now.")
@click.pass_obj
def commit(
    session: Session,
    uri: Address,
    message: str | None,
    meta: dict[str, str] | None,
    allow_empty_commit: bool,
    allow_empty_message: bool,
    date: str | None,
) -> None:
    """Commit the uncommitted changes of a branch, and print the commit."""
    if not message and not allow_empty_message:
        msg = "a commit message is missing: give -m MESSAGE, or --allow-empty-message"
        raise click.UsageError(msg)
    branch = session.branch(uri)
    print_commit(session, branch.commit_changes(message or "", meta, allow_empty=allow_empty_commit, date=date))


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("reference"))
@amount
@after
@click.option("--objects", metavar="PATHS", help="Only commits that changed one of these paths, separated by commas.")
@click.option(
    "--prefixes",
    metavar="PREFIXES",
    help="Only commits that changed an object under one of these prefixes, separated by commas.",
)
@click.option("--since", metavar="TIME", help="Only commits at or after this time, such as 2026-01-31.")
@click.option("--stop-at", metavar="REFERENCE", help="Last commit to list.")
@click.option("--first-parent", is_flag=True, help="Follow only the first parent of merge commits.")
@click.option("--no-merges", is_flag=True, help="Leave out merge commits.")
@click.pass_obj
def log(
    session: Session,
    uri: Address,
    amount: int | None,
    after: str,
    objects: str | None,
    prefixes: str | None,
    since: str | None,
    stop_at: str | None,
    first_parent: bool,
    no_merges: bool,
) -> None:
    """List the commits of a reference, newest first."""
    rows = session.reference(uri).log(
        None if no_merges else amount,
        after=after,
        objects=objects.split(",") if objects else (),
        prefixes=prefixes.split(",") if prefixes else (),
        since=since,
        stop_at=stop_at,
        first_parent=first_parent,
    )
    print_commits(session, _without_merges(rows, amount) if no_merges else rows)


@click.command(cls=Verb)
@click.argument("left", type=LakeURI("reference"))
@click.argument("right", type=LakeURI("reference"), required=False)
@click.option("--two-way", is_flag=True, help="Compare the two references themselves, without their merge base.")
@click.option("--prefix", default="", help="List only changes of objects whose path starts with this.")
@click.option("--exit-code", is_flag=True, help="End with exit code 8 if there are changes.")
@amount
@after
@click.pass_obj
def diff(
    session: Session,
    left: Address,
    right: Address | None,
    two_way: bool,
    prefix: str,
    exit_code: bool,
    amount: int | None,
    after: str,
) -> None:
    """List the uncommitted changes of a branch, or the changes that merging RIGHT into LEFT would apply."""
    output = session.output
    if right is None:
        if two_way:
            msg = "--two-way compares two references, and only one was given"
            raise click.UsageError(msg)
        changes = session.branch(left).list_uncommitted(amount, after, prefix)
    else:
        check_same_repository(left, right)
        kind: Literal["two_dot", "three_dot"] = "two_dot" if two_way else "three_dot"
        changes = session.reference(left).diff(right.reference, amount, after, prefix, type=kind, recursive=True)
    count = output.rows(
        changes, lambda row: _change(output, row), ident=lambda row: row.path, record=lambda row: row.to_dict()
    )
    if exit_code and count:
        raise click.exceptions.Exit(ExitCode.DIFFERENCES)


@click.command(cls=Verb)
@click.argument("source", type=LakeURI("reference"))
@click.argument("destination", type=LakeURI("reference"))
@message
@meta
@click.option(
    "--strategy",
    type=click.Choice(["dest-wins", "source-wins"]),
    help="Which side wins where both changed a path. Without it, that is an error.",
)
@click.option("--squash", is_flag=True, help="Make the merge commit without the source as a parent.")
@click.option("--allow-empty", is_flag=True, help="Merge even if there is nothing to merge.")
@click.option("--force", is_flag=True, help="Merge into a read-only repository.")
@click.pass_obj
def merge(
    session: Session,
    source: Address,
    destination: Address,
    message: str | None,
    meta: dict[str, str] | None,
    strategy: Literal["dest-wins", "source-wins"] | None,
    squash: bool,
    allow_empty: bool,
    force: bool,
) -> None:
    """Merge a reference into a branch, and print the merge commit."""
    check_same_repository(source, destination)
    merged = session.reference(source).merge_into(
        destination.reference,
        message=message,
        metadata=meta,
        strategy=strategy,
        squash=squash,
        allow_empty=allow_empty,
        force=force,
    )
    print_commit(session, merged)


def print_commit(session: Session, made: lakefs_hl.Commit) -> None:
    """Print a commit that was made; with `--quiet` its ID."""
    output = session.output
    output.record(made.to_dict, lambda: commit_lines(output, made), ident=made.id)


def print_commits(session: Session, rows: Iterable[lakefs_hl.Commit]) -> None:
    """Print several commits, each when it arrives; with `--quiet` their IDs."""
    output = session.output
    output.rows(
        rows,
        lambda row: "\n".join(commit_lines(output, row)),
        ident=lambda row: row.id,
        record=lambda row: row.to_dict(),
    )


def commit_lines(output: Output, row: lakefs_hl.Commit) -> Iterator[str]:
    """Yield the lines of a commit, as lakectl prints it."""
    yield output.paint(f"ID:      {row.id}", "yellow")
    if len(row.parents) > 1:
        yield f"Merge:   {' '.join(parent[:16] for parent in row.parents)}"
    yield f"Author:  {output.display(row.committer)}"
    yield f"Date:    {moment(row.creation_date)}"
    yield ""
    for line in row.message.splitlines() or [""]:
        yield f"    {output.display(line)}"
    metadata = row.metadata()
    if metadata:
        yield ""
        yield from (f"    {output.display(key)} = {output.display(value)}" for key, value in metadata.items())
    yield ""


def _without_merges(rows: Any, amount: int | None) -> Iterator[Any]:
    left = amount
    for row in rows:
        if left == 0:
            return
        if len(row.parents) <= 1:
            yield row
            left = None if left is None else left - 1


def _change(output: Output, row: lakefs_hl.Change) -> str:
    mark, word, color = _MARKS[row.type]
    return output.paint(f"{mark} {word} {output.display(row.path)}", color)


def check_same_repository(one: Address, other: Address) -> None:
    """Refuse two references of different repositories.

    Raises:
        click.UsageError: They are.
    """
    if one.repository != other.repository:
        msg = f"{one.uri} and {other.uri} are in different repositories"
        raise click.UsageError(msg)
