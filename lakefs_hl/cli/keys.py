"""`lakefs-hl keys`: create, list, get and delete the access keys of an embedded lake."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

import click

from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment
from lakefs_hl.cli.verbs import Verbs, paging_options

if TYPE_CHECKING:
    import lakefs_hl


@click.group(cls=Verbs)
def keys() -> None:
    """Create, list, get and delete the access keys of an embedded lake.

    `lakefs-hl serve` accepts them at once. --lake names the lake: its directory, as in local:./lake, or the address of
    its server, with a key without limits.
    """


@keys.command()
@click.option("--name", help="Name, and the committer of what is committed with the key. Defaults to none.")
@click.option("--read-only", is_flag=True, help="The key may only read.")
@click.option(
    "--repository",
    "repositories",
    metavar="NAME",
    multiple=True,
    help="Limit the key to this repository. May be repeated. Defaults to all.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the key to a new configuration file of lakectl, readable by you only, instead of printing the secret.",
)
@click.pass_obj
def create(
    session: Session, name: str | None, read_only: bool, repositories: tuple[str, ...], output: str | None
) -> None:
    """Create a key. The secret is printed this once, and cannot be shown again."""
    if session.quiet and output is None and session.output.format == "text":
        msg = "--quiet prints no secret, and it cannot be shown later: give --output FILE, or --json"
        raise click.UsageError(msg)
    credentials = _of(session)
    with contextlib.nullcontext() if output is None else _new_file(output) as file:  # before there is a key
        made = credentials.create(name, read_only=read_only, repositories=repositories or None)
        try:
            if file is not None:
                file.write(_configuration(session, made))
                file.flush()
                os.fsync(file.fileno())
            fields = _fields(made, secret=True) if file is None else {**_fields(made), "output": output}
            _describe(session, made, fields)
            session.output.flush()
        except OSError:
            credentials.delete(made)  # its secret is lost
            raise


@contextlib.contextmanager
def _new_file(path: str) -> Iterator[TextIO]:
    """Create a file that its owner only can read. It is removed if the block fails.

    Raises:
        FileExistsError: There is one.
    """
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(made, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - a path as it was given
        raise


@keys.command("list")
@click.option("--prefix", default="", help="List only names that start with this.")
@paging_options
@click.pass_obj
def list_(session: Session, prefix: str, amount: int | None, after: str) -> None:
    """List the keys by name, without their secrets. Those without a name are listed by their ID."""
    output = session.output
    output.rows(
        _of(session).list(amount, after, prefix),
        lambda row: "\t".join(
            [
                row.id,
                output.display(row.name or "-"),
                "read" if row.read_only else "read and write",
                "all repositories" if row.repositories is None else " ".join(row.repositories),
                moment(row.created_at),
            ]
        ),
        ident=lambda row: row.id,
        record=_fields,
    )


@keys.command()
@click.argument("id_or_name")
@click.pass_obj
def get(session: Session, id_or_name: str) -> None:
    """Print a key, without its secret."""
    found = _of(session).get(id_or_name)
    _describe(session, found, _fields(found))


@keys.command()
@click.argument("id_or_name")
@click.pass_obj
def delete(session: Session, id_or_name: str) -> None:
    """Delete a key. What uses it, its tokens or its links is refused from then on."""
    _of(session).delete(id_or_name)
    session.output.done({"key": id_or_name, "deleted": True}, f"deleted {id_or_name}")


def _of(session: Session) -> lakefs_hl.CredentialsAdmin:
    import lakefs_hl

    return lakefs_hl.admin(session.client).credentials


def _fields(key: lakefs_hl.PersistentCredentials, *, secret: bool = False) -> dict[str, Any]:
    """Return the fields of a key. `repositories` is null for all."""
    found = key.to_dict(secret=secret)
    del found["cluster_name"]
    return {**found, "repositories": None if key.repositories is None else list(key.repositories)}


def _describe(session: Session, key: lakefs_hl.PersistentCredentials, fields: dict[str, Any]) -> None:
    """Print the fields of a key. Text has no null, and a key for all repositories has to be seen to be one."""
    if session.output.format == "text" and key.repositories is None:
        fields["repositories"] = "all repositories"
    session.output.describe(fields, ident=key.id)


def _configuration(session: Session, key: lakefs_hl.PersistentCredentials) -> str:
    """Return lakectl's configuration. The texts are in quotes, as in JSON, which is YAML."""
    lines = ["credentials:", f"  access_key_id: {json.dumps(key.id)}"]
    lines.append(f"  secret_access_key: {json.dumps(key.secret_access_key)}")
    endpoint = session.client.endpoint
    if endpoint.startswith("http"):
        lines += ["server:", f"  endpoint_url: {json.dumps(endpoint)}"]
    return "\n".join(lines) + "\n"
