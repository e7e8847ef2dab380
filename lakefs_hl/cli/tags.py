"""`lakefs-hl tag`: list, create, delete and show."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from lakefs_hl.cli.addresses import Address, LakeURI, RefName
from lakefs_hl.cli.listed import print_references
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verbs, paging_options

if TYPE_CHECKING:
    import lakefs_hl

_uri = click.argument("uri", type=LakeURI("reference"))


@click.group(cls=Verbs)
def tag() -> None:
    """List, create, delete and show tags."""


@tag.command("list")
@click.argument("uri", type=LakeURI("repository"))
@click.option("--prefix", default="", help="List only names that start with this.")
@paging_options
@click.pass_obj
def list_(session: Session, uri: Address, prefix: str, amount: int | None, after: str) -> None:
    """List the tags of a repository by name, each with its commit.

    The commit of each tag is looked up by a request of its own. --quiet lists names only.
    """
    rows = session.repository(uri).list_tags(amount, after, prefix)
    print_references(session, rows, lambda row: row.get_commit().id)


@tag.command()
@_uri
@click.argument("source", type=RefName())
@click.option("-f", "--force", is_flag=True, help="Replace an existing tag of this name.")
@click.pass_obj
def create(session: Session, uri: Address, source: str, force: bool) -> None:
    """Create a tag on the commit that a reference, by name or URI, points to."""
    from lakefs_hl import exceptions

    made, repository = session.repository(uri).tag(uri.reference), session.repository(uri)
    if force:
        source = repository.ref(source).get_commit().id  # before the tag goes: the source may be an expression of it
        with contextlib.suppress(exceptions.NotFoundException):
            made.delete()
    _print(session, made.create(source))


@tag.command()
@_uri
@click.pass_obj
def delete(session: Session, uri: Address) -> None:
    """Delete a tag. Its commit is kept."""
    session.repository(uri).tag(uri.reference).delete()
    session.output.done({"uri": uri.uri, "deleted": True}, f"deleted {uri.reference}")


@tag.command()
@_uri
@click.pass_obj
def show(session: Session, uri: Address) -> None:
    """Print the commit of a tag."""
    _print(session, session.repository(uri).tag(uri.reference))


def _print(session: Session, tag: lakefs_hl.Tag) -> None:
    session.output.describe({"id": tag.id, "uri": tag.uri, "commit_id": tag.get_commit().id}, ident=tag.id)
