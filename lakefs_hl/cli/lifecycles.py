"""`lakefs-hl lifecycle`: run, show, set and delete the rules that delete what is old."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verbs, dry_run

if TYPE_CHECKING:
    from lakefs_hl import ExpiryReport

_uri = click.argument("uri", type=LakeURI("repository"))


@click.group(cls=Verbs)
def lifecycle() -> None:
    """Run, show, set and delete the rules that delete old objects of a repository."""


@lifecycle.command()
@_uri
@click.option("--branch", metavar="NAME", help="Branch to delete from. Defaults to the default branch.")
@dry_run
@click.option("--now", metavar="TIME", help="Count ages from this time, in ISO 8601. Defaults to the clock.")
@click.pass_obj
def run(session: Session, uri: Address, branch: str | None, dry_run: bool, now: str | None) -> None:
    """Delete what has expired by the rules of a repository, by one commit.

    Meant for a schedule. A branch with uncommitted changes is an error. The paths are printed, one on each line.
    """
    report, output = session.repository(uri).apply_lifecycle(branch, dry_run, now), session.output
    if output.format == "text":
        for path in report.planned:
            output.put(f"{output.display(path)}\n")
    fields = {
        "repository_id": uri.repository,
        "planned": report.planned,
        "deleted": report.deleted,
        "rules": report.rules,
        "commit_id": report.commit_id,
        "dry_run": report.dry_run,
    }
    output.done(fields, _words(report))


def _words(report: ExpiryReport) -> str:
    count = f"{report.requested:,} object{'s' if report.requested != 1 else ''}"
    rules = ", ".join(f"{rule}: {number:,}" for rule, number in report.rules.items())
    by_rule = f" ({rules})" if rules else ""
    if report.dry_run:
        return f"{count} would be deleted{by_rule}"
    return f"{count} deleted{by_rule}" + (f" by commit {report.commit_id}" if report.commit_id else "")


@lifecycle.command()
@_uri
@click.pass_obj
def show(session: Session, uri: Address) -> None:
    """Print the rules of a repository, as JSON."""
    rules = session.repository(uri).lifecycle()
    if session.output.format == "jsonl":
        session.output.put("".join(f"{json.dumps(rule)}\n" for rule in rules))
    else:
        session.output.put(f"{json.dumps(rules, indent=2)}\n")


@lifecycle.command("set")
@_uri
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.pass_obj
def set_(session: Session, uri: Address, file: TextIO) -> None:
    """Store rules, in place of those that are there, from a file with a JSON list. `-` reads standard input.

    A rule is {"id": "...", "status": "Enabled", "expiration": {"days": 7}, "filter": {"prefix": "temp/"}}.
    """
    try:
        rules = json.load(file)
    except ValueError as exc:
        msg = f"{file.name}: it is not JSON: {exc}"
        raise click.UsageError(msg) from None
    session.repository(uri).set_lifecycle(rules)
    ids = [rule["id"] for rule in rules]
    session.output.done({"repository_id": uri.repository, "rules": ids}, f"set {', '.join(ids) or 'no rules'}")


@lifecycle.command()
@_uri
@click.pass_obj
def delete(session: Session, uri: Address) -> None:
    """Delete the rules of a repository. What they have deleted stays deleted."""
    session.repository(uri).delete_lifecycle()
    session.output.done({"repository_id": uri.repository, "deleted": True}, "deleted the rules")
