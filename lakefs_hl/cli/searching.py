"""`lakefs-hl search`."""

from __future__ import annotations

from typing import Any

import click

from lakefs_hl.cli.exits import code_of
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verb


@click.command(cls=Verb)
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=25, show_default=True, help="Maximum number of hits.")
@click.option(
    "--kind",
    type=click.Choice(["repository", "path", "commit", "metadata"]),
    multiple=True,
    help="Search only this. May be repeated.",
)
@click.option("--repository", metavar="NAME", multiple=True, help="Search only this repository. May be repeated.")
@click.pass_obj
def search(session: Session, query: tuple[str, ...], limit: int, kind: Any, repository: tuple[str, ...]) -> None:
    """Search the names of repositories, and the paths, commits and metadata of their default branches.

    All words must be found in one text. Put a phrase in double quotes, and the whole in single ones, for the shell. The
    first search indexes the repositories, in a file of the cache directory.
    """
    import lakefs_hl

    output = session.output
    options: dict[str, Any] = {"kinds": kind} if kind else {}
    results = lakefs_hl.search(
        " ".join(query), limit=limit, repositories=repository or None, client=session.client, **options
    )
    failures = [*results.auth_errors, *results.errors]
    for failure in failures:
        output.warn(f"{failure.repository or 'the repositories'}: {failure.error}")

    def line(hit: Any) -> str:
        words = "" if hit.excerpt in (hit.path, hit.repository) else f"  {output.display(hit.excerpt)}"
        return f"{hit.kind:<10}  {output.display(hit.uri)}{words}"

    output.rows(results, line, ident=lambda hit: hit.uri, record=lambda hit: hit.to_dict())
    if failures and not results:
        raise click.exceptions.Exit(code_of(failures[0].error))
