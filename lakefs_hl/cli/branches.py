"""`lakefs-hl branch`: list, create, delete, show, reset and revert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakefs_hl.cli.addresses import Address, LakeURI, RefName
from lakefs_hl.cli.history import print_commits
from lakefs_hl.cli.listed import print_references
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verbs, meta, paging_options, yes

if TYPE_CHECKING:
    import lakefs_hl

_uri = click.argument("uri", type=LakeURI("reference"))


@click.group(cls=Verbs)
def branch() -> None:
    """List, create, delete, reset and revert branches."""


@branch.command("list")
@click.argument("uri", type=LakeURI("repository"))
@click.option("--prefix", default="", help="List only names that start with this.")
@click.option("--hidden", is_flag=True, help="Include hidden branches, such as those of open transactions.")
@paging_options
@click.pass_obj
def list_(session: Session, uri: Address, prefix: str, hidden: bool, amount: int | None, after: str) -> None:
    """List the branches of a repository by name, each with its last commit.

    The commit of each branch is looked up by a request of its own. --quiet lists names only.
    """
    rows = session.repository(uri).list_branches(amount, after, prefix, hidden=hidden)
    print_references(session, rows, lambda row: row.head().id)


@branch.command()
@_uri
@click.option("-s", "--source", type=RefName(), required=True, help="Reference to start from: a name or a URI.")
@click.option("--exist-ok", is_flag=True, help="Accept an existing branch of this name.")
@click.pass_obj
def create(session: Session, uri: Address, source: str, exist_ok: bool) -> None:
    """Create a branch on the commit that a reference points to."""
    _print(session, session.branch(uri).create(source, exist_ok=exist_ok))


@branch.command()
@_uri
@yes
@click.pass_obj
def delete(session: Session, uri: Address, yes: bool) -> None:
    """Delete a branch and its uncommitted changes."""
    session.confirm(f"Delete the branch {uri.reference} and its uncommitted changes?", yes=yes)
    session.branch(uri).delete()
    session.output.done({"uri": uri.uri, "deleted": True}, f"deleted {uri.reference}")


@branch.command()
@_uri
@click.pass_obj
def show(session: Session, uri: Address) -> None:
    """Print the last commit of a branch."""
    _print(session, session.branch(uri))


@branch.command()
@_uri
@click.option("--object", "path", metavar="PATH", help="Drop only the changes of this object.")
@click.option("--prefix", help="Drop only the changes of objects whose path starts with this.")
@yes
@click.pass_obj
def reset(session: Session, uri: Address, path: str | None, prefix: str | None, yes: bool) -> None:
    """Drop uncommitted changes: all of them, or those of an object or a prefix."""
    if path is not None and prefix is not None:
        msg = "--object and --prefix exclude each other"
        raise click.UsageError(msg)
    which = "all uncommitted changes"
    where: Any = None
    branch = session.branch(uri)
    if path is not None:
        which, where = f"the uncommitted changes of {path}", path
    elif prefix is not None:
        import lakefs_hl

        which = f"the uncommitted changes under {prefix}"
        where = lakefs_hl.CommonPrefix(uri.repository, uri.reference, prefix, session.client)
    session.confirm(f"Drop {which} on {uri.reference}?", yes=yes)
    branch.reset(where)
    session.output.done({"uri": uri.uri, "object": path, "prefix": prefix}, f"dropped {which}")


@branch.command()
@_uri
@click.argument("commits", type=RefName(), nargs=-1, required=True)
@click.option(
    "-m",
    "--parent-number",
    type=click.IntRange(min=0),
    default=0,
    help="Of merge commits: the parent to return to, from 1.",
)
@click.option("--allow-empty-commit", is_flag=True, help="Commit even if a revert changes nothing.")
@click.option("--message", help="Commit message.")
@meta
@yes
@click.pass_obj
def revert(
    session: Session,
    uri: Address,
    commits: tuple[str, ...],
    parent_number: int,
    allow_empty_commit: bool,
    message: str | None,
    meta: dict[str, str] | None,
    yes: bool,
) -> None:
    """Revert commits, from left to right, each by a new commit."""
    session.confirm(f"Revert {', '.join(commits)} on {uri.reference}?", yes=yes)
    branch, repository = session.branch(uri), session.repository(uri)
    # Looked up first: an expression such as main~1 means another commit after the first revert.
    found = [repository.ref(commit).get_commit().id for commit in commits]
    print_commits(
        session,
        (
            branch.revert(commit, parent_number, allow_empty=allow_empty_commit, message=message, metadata=meta)
            for commit in found
        ),
    )


def _print(session: Session, branch: lakefs_hl.Branch) -> None:
    session.output.describe({"id": branch.id, "uri": branch.uri, "commit_id": branch.head().id}, ident=branch.id)
