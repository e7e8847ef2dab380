"""Options of transfers of directories and files, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from lakefs_hl._bulk.run import ON_ERROR, max_workers_of
from lakefs_hl._folders.choice import Choice
from lakefs_hl._handles.transfers import TransferFailure
from lakefs_hl.spec import arguments

#: What `update=` takes: transfer all, what is newer or missing, what differs.
Update: TypeAlias = "bool | Literal['checksum']"
ON_INVALID: Final = ("error", "skip", "encode")


class Options(NamedTuple):
    """Options that uploads and downloads share.

    Attributes:
        update: What to transfer.
        include: Globs of the files to choose.
        exclude: Globs of what to leave out.
        ignore_file_names: Names of files in the format of .gitignore.
        filter: The caller's filter.
        delete: Whether to delete what the source does not have.
        dry_run: Whether to only plan.
        only: Paths of objects to which the transfer is limited. None for all.
        resume: Whether to go on where an interrupted call ended.
        max_workers: Maximum number of objects at a time.
        on_error: "raise" or "return".
        progress: Takes events, or shows a bar.
        follow_symlinks: Whether local links inside the directory are followed.
    """

    update: Update = False
    include: Any = None
    exclude: Any = None
    ignore_file_names: Iterable[str] = frozenset()
    filter: Any = None
    delete: bool = False
    dry_run: bool = False
    only: frozenset[str] | None = None
    resume: bool = True
    max_workers: int | None = None
    on_error: str = "raise"
    progress: Any = None
    follow_symlinks: bool = False

    def choice(self, call_async: Callable[[Any], Any] | None) -> Choice:
        """Return what is chosen. Asynchronous filters are awaited by `call_async`."""
        return Choice(self.include, self.exclude, self.ignore_file_names, self.filter, call_async)

    def to_recall(self) -> dict[str, Any]:
        """Return the options that must be the same for an interrupted call to be continued, as values of JSON."""
        return {
            "update": self.update,
            "include": self.include,
            "exclude": self.exclude,
            "ignore_file_names": sorted(self.ignore_file_names),
            "filter": self.filter is not None,
            "delete": self.delete,
            "only": None if self.only is None else sorted(self.only),
            "follow_symlinks": self.follow_symlinks,
        }


class DirectoryJob(Protocol):
    """A transfer of a directory that is run."""

    @property
    def place(self) -> Any:
        """The branch that is written to, or the reference that is read."""

    @property
    def prefix(self) -> str:
        """The prefix, "" or with a slash at its end."""

    @property
    def options(self) -> Options:
        """The options."""


def options_of(
    *,
    update: object,
    include: Any,
    exclude: Any,
    ignore_file_names: Any,
    filter: Any,
    delete: object,
    dry_run: object,
    only: Any,
    resume: object,
    max_workers: object,
    on_error: object,
    progress: Any,
    follow_symlinks: object = False,
) -> Options:
    """Check the options of a call.

    Raises:
        TypeError: One has the wrong type.
        ValueError: One has a value that has no meaning.
    """
    found = Options(
        update_of(update),
        _keep(include),
        _keep(exclude),
        _keep(ignore_file_names),
        filter,
        arguments.flag(delete, "delete"),
        arguments.flag(dry_run, "dry_run"),
        _only(only),
        arguments.flag(resume, "resume"),
        max_workers_of(max_workers),
        arguments.choice(on_error, "on_error", ON_ERROR),
        progress,
        arguments.flag(follow_symlinks, "follow_symlinks"),
    )
    found.choice(None)  # a glob or a name that is wrong is refused at once
    return found


def update_of(value: object) -> Update:
    """Return what to transfer.

    Raises:
        TypeError: It is neither a bool nor a string.
        ValueError: It is another string than "checksum".
    """
    if isinstance(value, str):
        if arguments.text(value, "update") != "checksum":
            msg = f"update must be True, False or 'checksum', not {value!r:.80}"
            raise ValueError(msg)
        return "checksum"
    return arguments.flag(value, "update")


def _keep(values: Any) -> Any:
    """Return an iterable of texts that can be read again."""
    return (
        values
        if values is None or isinstance(values, str | bytes) or not isinstance(values, Iterable)
        else tuple(values)
    )


def _only(values: Any) -> frozenset[str] | None:
    """Return the paths of objects that the transfer is limited to.

    Raises:
        TypeError: There is something else than paths and failures of a report.
    """
    if values is None:
        return None
    if isinstance(values, str | TransferFailure):
        values = (values,)
    found = set[str]()
    for value in arguments.items(values, "only"):
        if isinstance(value, TransferFailure):
            found.add(value.path)
        else:
            found.add(arguments.text(value, "only"))
    return frozenset(found)


def is_chosen(only: frozenset[str] | None) -> Callable[[str], bool]:
    """Return the function that tells whether the path of an object is among those of `only=`.

    Args:
        only: Paths of objects, and of directories with a slash at their end. None for all.
    """
    if only is None:
        return lambda _: True
    below = tuple(path for path in only if path.endswith("/"))
    return lambda path: path in only or (bool(below) and path.startswith(below))


def check_only(only: frozenset[str] | None, prefix: str) -> None:
    """Check that the paths of `only=` are those of objects under the prefix.

    Raises:
        ValueError: One is not.
    """
    for path in sorted(only or ()):
        if not path.startswith(prefix) or not path:
            msg = f"only has paths of objects under {prefix!r}, such as {prefix + path!r}, not {path!r:.80}"
            raise ValueError(msg)


def directory_prefix(prefix: str) -> str:
    """Return a prefix that ends with a slash, as that of a directory does; "" is the root."""
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def user_metadata(value: Mapping[str, str] | None) -> dict[str, str]:
    """Return user metadata for each object."""
    return arguments.user_metadata(value) or {}
