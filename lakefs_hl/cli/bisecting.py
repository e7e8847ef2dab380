"""`lakefs-hl bisect` and `blame`: which commit changed what."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.history import check_same_repository, commit_lines
from lakefs_hl.cli.output import Output
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment
from lakefs_hl.cli.verbs import Verb, amount

if TYPE_CHECKING:
    import lakefs_hl

#: Variable in which a test command finds the URI of the commit to test.
VARIABLE: Final = "LAKEFS_HL_BISECT_REF"
#: Exit code of a command that cannot test a commit. Codes above 127 end the search, as those of signals do.
SKIP: Final = 125
MAX_CODE: Final = 127
#: Descriptor of standard error, where a command prints: standard output has the result.
_STDERR: Final = 2
_WORDS: Final = {True: "good", False: "bad", None: "skipped"}


@click.command(cls=Verb)
@click.argument("good", type=LakeURI("reference"))
@click.argument("bad", type=LakeURI("reference"))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--first-parent", is_flag=True, help="Follow only the first parent of merge commits.")
@click.option("--no-verify", is_flag=True, help="Do not test GOOD and BAD themselves.")
@click.pass_obj
def bisect(
    session: Session, good: Address, bad: Address, command: tuple[str, ...], first_parent: bool, no_verify: bool
) -> None:
    """Find the first bad commit after GOOD, up to BAD, by running a command: `bisect GOOD BAD -- COMMAND…`.

    The command finds the URI of the commit in LAKEFS_HL_BISECT_REF. It ends with 0 if the commit is good, with 125 if
    it cannot be tested, and with another code up to 127 if it is bad.
    """
    check_same_repository(good, bad)
    output = session.output
    found = session.repository(good).bisect(
        good.reference,
        bad.reference,
        lambda commit: _test(output, command, commit),
        first_parent=first_parent,
        verify=not no_verify,
    )
    output.record(found.to_dict, lambda: _lines(output, found), ident=found.first_bad.id if found.first_bad else "")
    if found.first_bad is None:
        raise click.exceptions.Exit(ExitCode.OTHER)


def _test(output: Output, command: tuple[str, ...], commit: lakefs_hl.Commit) -> bool | None:
    """Run the command on a commit.

    Raises:
        click.ClickException: It cannot be run, or ended with a code that is no verdict.
    """
    from lakefs_hl.config.environment import child_variables

    try:
        variables = child_variables({VARIABLE: commit.uri})
        done = subprocess.run(command, env=variables, stdout=_STDERR, check=False)  # noqa: S603 - the user's own command
    except (OSError, ValueError) as exc:
        msg = f"{command[0]!r} cannot be run: {exc}"
        raise click.UsageError(msg) from None
    code = done.returncode
    if not 0 <= code <= MAX_CODE:
        msg = f"{command[0]!r} ended with {code} at {commit.uri}: neither good (0), nor skip (125), nor bad (1 to 127)"
        raise click.ClickException(msg)
    verdict = None if code == SKIP else code == 0
    output.say(f"{commit.id[:16]} {_WORDS[verdict]}: {commit.message.partition(chr(10))[0]}")
    return verdict


def _lines(output: Output, found: Any) -> Iterator[str]:
    if found.first_bad is not None:
        yield from commit_lines(output, found.first_bad)
        return
    yield "Commits that could not be tested hide the first bad one. It is one of these:"
    for commit in found.suspects:
        yield from commit_lines(output, commit)


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("prefix"))
@amount
@click.pass_obj
def blame(session: Session, uri: Address, amount: int | None) -> None:
    """List objects, each with the commit that changed it last: one object, or those of a prefix that ends with `/`."""
    output = session.output
    output.rows(
        session.reference(uri).blame(uri.path, amount),
        lambda row: _blame_line(output, row),
        ident=lambda row: row.path,
        record=lambda row: row.to_dict(),
    )


def _blame_line(output: Output, row: lakefs_hl.BlameEntry) -> str:
    if row.commit is None:
        return output.display(row.path)
    commit, first = row.commit, row.commit.message.partition("\n")[0]
    head = output.paint(commit.id[:16], "yellow")
    who = f"{moment(commit.creation_date)} {output.display(commit.committer)}"
    return f"{head} {who} {output.display(row.path)}: {output.display(first)}"
