"""Transfers of directories: the options of `cp -r` and `sync`, plans, and the calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, NamedTuple, TypeVar, cast

import click

from lakefs_hl._handles.amounts import size_text
from lakefs_hl.cli import verbs
from lakefs_hl.cli.addresses import Address, Local
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import Ends, finish

F = TypeVar("F", bound=Callable[..., Any])


class Bulk(NamedTuple):
    """The options of a transfer of a directory.

    Attributes:
        include: Patterns of what is taken.
        exclude: Patterns of what is left out.
        ignore_files: Names of ignore files.
        update: Whether only what is newer or missing is transferred.
        checksum: Whether files are compared by their checksums.
        follow_symlinks: Whether links are followed.
        on_invalid: What becomes of names that a local file cannot have.
        no_resume: Whether an interrupted transfer is begun anew.
        parallelism: Maximum number of concurrent requests.
        dry_run: Whether only the plan is printed.
        plan_file: File that the plan is written to.
        apply_file: File of a plan to carry out.
        message: Message of the commit that makes the transfer atomic.
        meta: Metadata of that commit.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    ignore_files: tuple[str, ...]
    update: bool
    checksum: bool
    follow_symlinks: bool
    on_invalid: str | None
    no_resume: bool
    parallelism: int | None
    dry_run: bool
    plan_file: str | None
    apply_file: str | None
    message: str | None
    meta: dict[str, str] | None

    @property
    def is_plan(self) -> bool:
        """Whether nothing is changed."""
        return self.dry_run or self.plan_file is not None

    @property
    def skips_equal(self) -> bool:
        """Whether equal files are skipped."""
        return self.update or self.checksum

    def check(self) -> None:
        """Refuse options that exclude each other.

        Raises:
            click.UsageError: They do.
        """
        if self.meta is not None and self.message is None:
            msg = "--meta is the metadata of a commit: give -m MESSAGE, too"
            raise click.UsageError(msg)
        if self.message == "":
            msg = "-m needs a message that is not empty"
            raise click.UsageError(msg)
        if self.update and self.checksum:
            msg = "--update and --checksum exclude each other"
            raise click.UsageError(msg)

    def refuse_for_one(self) -> None:
        """Refuse the options that choose or plan, for a single file.

        Raises:
            click.UsageError: One was given.
        """
        self._refuse("this is a single file")

    def refuse_within(self) -> None:
        """Refuse the options that need a local directory, for a copy from lake to lake.

        Raises:
            click.UsageError: One was given.
        """
        self._refuse("this is a copy from lake to lake", update=self.update, checksum=self.checksum)

    def _refuse(self, why: str, **more: bool) -> None:
        names = {
            "include": self.include,
            "exclude": self.exclude,
            "ignore-file": self.ignore_files,
            "dry-run": self.dry_run,
            "plan": self.plan_file,
            "on-invalid": self.on_invalid,
            "follow-symlinks": self.follow_symlinks,
            **more,
        }
        given = [f"--{name}" for name, value in names.items() if value]
        if given:
            msg = f"{', '.join(given)}: only for local directories, and {why}"
            raise click.UsageError(msg)

    def arguments(self, *, upload: bool) -> dict[str, Any]:
        """Return the arguments of the call that were given.

        Args:
            upload: Whether files are uploaded.
        """
        self.check()
        if self.message is not None and not upload:
            msg = "-m makes a commit, and a download commits nothing"
            raise click.UsageError(msg)
        if self.on_invalid is not None and upload:
            msg = "--on-invalid is for downloads"
            raise click.UsageError(msg)
        if self.follow_symlinks and not upload:
            msg = "--follow-symlinks is for uploads"
            raise click.UsageError(msg)
        found = {
            "include": self.include,
            "exclude": self.exclude,
            "ignore_file_names": frozenset(self.ignore_files),
            "update": "checksum" if self.checksum else self.update,
            "follow_symlinks": self.follow_symlinks,
            "on_invalid": self.on_invalid,
            "resume": False if self.no_resume else None,
            "max_workers": self.parallelism,
            "dry_run": self.is_plan,
            "commit_message": self.message,
            "commit_metadata": self.meta,
        }
        return {name: value for name, value in found.items() if value or (name == "resume" and value is False)}


_OPTIONS: Final = (
    click.option(
        "--ignore-file",
        "ignore_files",
        metavar="NAME",
        multiple=True,
        help="Leave out what files of this name list, in the format of .gitignore. May be repeated.",
    ),
    click.option("-u", "--update", is_flag=True, help="Transfer only what is newer or missing."),
    click.option("--checksum", is_flag=True, help="Transfer only what differs, by checksums."),
    click.option("-L", "--follow-symlinks", is_flag=True, help="Follow links that stay in the directory."),
    click.option(
        "--on-invalid",
        type=click.Choice(["error", "skip", "encode"]),
        help="What to do with objects whose path cannot be the name of a local file.",
    ),
    click.option("--no-resume", is_flag=True, help="Begin anew, although an interrupted transfer could be resumed."),
    verbs.parallelism,
    verbs.dry_run,
    click.option("--plan", "plan_file", metavar="FILE", help="Change nothing. Write what would be done to a file."),
    click.option(
        "--apply", "apply_file", metavar="FILE", help="Do what a file of --plan says, without other arguments."
    ),
    verbs.message,
    verbs.meta,
    verbs.no_progress,
)


def bulk_options(run: F) -> F:
    """Add the options of transfers of directories, as the argument `bulk`."""

    @wraps(run)
    def gather(*args: Any, **kwargs: Any) -> Any:
        return run(*args, bulk=Bulk(**{name: kwargs.pop(name) for name in Bulk._fields}), **kwargs)

    made: Any = gather
    for option in reversed(_OPTIONS):
        made = option(made)
    return verbs.choice_options(made)  # type: ignore[no-any-return]


def run_bulk(session: Session, ends: Ends, bulk: Bulk, **more: Any) -> None:
    """Transfer a directory, or plan it.

    Args:
        session: The session.
        ends: A directory and a prefix.
        bulk: The options.
        more: Further arguments of the call; None leaves one out.
    """
    source, destination = ends.source, ends.destination
    further = {name: value for name, value in more.items() if value is not None}
    call: Callable[..., Any]
    if isinstance(source, Address):
        call = session.reference(source).download_dir
    else:
        call = session.branch(cast("Address", destination)).upload_dir
    given = bulk.arguments(upload=isinstance(source, Local))
    result = call(source.path, destination.path, **given, **further, on_error="return", progress=session.progress)
    if bulk.is_plan:
        print_plan(session, result, bulk)
    else:
        finish(session, result)


def print_plan(session: Session, plan: Any, bulk: Bulk) -> None:
    """Print what would be done, and write it to the file of `--plan`."""
    output = session.output
    if bulk.plan_file is not None:
        plan.save(bulk.plan_file)
    output.rows(
        (row for row in plan.actions if row.kind != "skip" or row.reason),
        lambda row: f"{row.kind} {output.display(row.path)}{f' ({row.reason})' if row.reason else ''}",
        ident=lambda row: row.path,
        record=lambda row: row.to_dict(),
    )
    kinds = [(plan.count(kind), kind) for kind in ("upload", "download", "delete", "skip")]
    words = ", ".join(f"{kind} {count:,}" for count, kind in kinds if count)
    output.say(f"{words or 'nothing to do'} ({size_text(plan.size_bytes)} to transfer); nothing was changed")


def apply_plan(session: Session, file: str, places: tuple[Any, ...]) -> None:
    """Do what the file of `--apply` says.

    Args:
        session: The session.
        file: The file of a plan.
        places: The arguments of the command, which have to be missing.

    Raises:
        click.UsageError: Places were given, too.
    """
    import lakefs_hl

    if any(place is not None for place in places):
        msg = "--apply takes the places of the plan: give no SOURCE and DESTINATION"
        raise click.UsageError(msg)
    plan = lakefs_hl.Plan.load(file, client=session.client)
    finish(session, plan.apply(on_error="return", progress=session.progress))
