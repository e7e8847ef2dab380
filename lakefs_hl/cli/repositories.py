"""`lakefs-hl repo`: list, create, delete and describe repositories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verbs, paging_options, yes

if TYPE_CHECKING:
    import lakefs_hl

_uri = click.argument("uri", type=LakeURI("repository"))


@click.group(cls=Verbs)
def repo() -> None:
    """List, create and delete repositories."""


@repo.command("list")
@click.option("--prefix", default="", help="List only names that start with this.")
@click.option("--search", default="", help="List only names that contain this.")
@paging_options
@click.pass_obj
def list_(session: Session, prefix: str, search: str, amount: int | None, after: str) -> None:
    """List the repositories by name."""
    import lakefs_hl

    session.output.rows(
        lakefs_hl.repositories(prefix, after, amount, search=search, client=session.client),
        lambda row: session.output.display(row.uri),
        ident=lambda row: row.id,
        record=lambda row: {"id": row.id, "uri": row.uri},
    )


@repo.command()
@_uri
@click.argument("storage_namespace", required=False)
@click.option("-d", "--default-branch", default="main", show_default=True, help="Name of the first branch.")
@click.option("--sample-data", is_flag=True, help="Commit a small set of sample files.")
@click.option("--exist-ok", is_flag=True, help="Accept an existing repository of this name.")
@click.pass_obj
def create(
    session: Session,
    uri: Address,
    storage_namespace: str | None,
    default_branch: str,
    sample_data: bool,
    exist_ok: bool,
) -> None:
    """Create a repository.

    STORAGE_NAMESPACE is the location of its objects, such as s3://bucket/path. It defaults to one that the server
    proposes. An embedded lake that does not exist is created, too.
    """
    import lakefs_hl

    made = lakefs_hl.repository(uri.repository, client=session.connect(session.lake, create=True))
    made.create(storage_namespace, default_branch, sample_data, exist_ok=exist_ok)
    _print(session, made)


@repo.command()
@_uri
@yes
@click.option("--force", is_flag=True, help="Delete it with its content.")
@click.pass_obj
def delete(session: Session, uri: Address, yes: bool, force: bool) -> None:
    """Delete a repository. One that is not empty needs --force."""
    session.confirm(f"Delete the repository {uri.repository}{' and all of its content' if force else ''}?", yes=yes)
    session.repository(uri).delete(force=force)
    session.output.done({"uri": f"lakefs://{uri.repository}", "deleted": True}, f"deleted {uri.repository}")


@repo.command()
@_uri
@click.pass_obj
def info(session: Session, uri: Address) -> None:
    """Print the properties and the metadata of a repository."""
    _print(session, session.repository(uri), metadata=True)


def _print(session: Session, repository: lakefs_hl.Repository, *, metadata: bool = False) -> None:
    found = repository.properties
    fields = {
        "id": found.id,
        "uri": repository.uri,
        "creation_date": datetime.fromtimestamp(found.creation_date, UTC),
        "default_branch": found.default_branch,
        "storage_namespace": found.storage_namespace,
        "read_only": bool(found.read_only),
    }
    if metadata:
        fields["metadata"] = repository.metadata()
    session.output.describe(fields, ident=found.id)
