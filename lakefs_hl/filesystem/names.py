"""Names of fsspec: `repository/reference/path` without a slash in front, from URLs and back; and errors by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from fsspec.utils import stringify_path

from lakefs_hl.exceptions import NotFoundException, ObjectNotFoundException

if TYPE_CHECKING:
    from types import TracebackType

SCHEME: Final = "lakefs"
#: What a ref expression has that the name of a branch cannot have.
EXPRESSION: Final = frozenset("~^@")
#: ID of a commit.
COMMIT_ID: Final = re.compile(r"[0-9a-f]{64}")


class Name(NamedTuple):
    """A name, taken apart. Parts that it does not have are empty.

    Attributes:
        repository: Name of the repository.
        reference: A branch, tag or commit ID, or a ref expression.
        path: Path of an object or of a directory, without a slash at its end.
        has_slash: Whether the name was given with a slash at its end.
    """

    repository: str
    reference: str
    path: str
    has_slash: bool = False

    @property
    def text(self) -> str:
        """The name as fsspec has it."""
        return "/".join(part for part in self[:3] if part)

    @property
    def root(self) -> str:
        """Name of the reference, with a slash at its end."""
        return f"{self.repository}/{self.reference}/"

    @property
    def uri(self) -> str:
        """URI: `lakefs://repository/reference/path`."""
        return f"{SCHEME}://{self.text}"

    @property
    def key(self) -> str:
        """What names the object to the methods of a reference. They would read a path like a URI as one."""
        return self.uri if self.path.startswith(f"{SCHEME}://") else self.path

    @property
    def prefix(self) -> str:
        """Prefix of what is in the directory. The reference itself has none."""
        return f"{self.key}/" if self.path else ""


def without_protocol(path: object) -> str:
    """Return a name with the slash at its end, if it has one, without its scheme and the slashes in front of it."""
    text: str = stringify_path(path)
    for prefix in (f"{SCHEME}://", f"{SCHEME}::"):
        if text.startswith(prefix):
            text = text[len(prefix) :]
            break
    return text.lstrip("/")


def split(path: object) -> Name:
    """Return the parts of a name or a URL.

    Raises:
        ValueError: It has a path and no reference.
    """
    text = without_protocol(path)
    repository, _, rest = text.partition("/")
    reference, _, found = rest.partition("/")
    if found.strip("/") and not reference:
        raise ValueError(f"{path!r} has no reference: write {SCHEME}://{repository}/main/{found.lstrip('/')}")
    return Name(repository, reference, found.rstrip("/"), text.endswith("/"))


class Translated:
    """Raise a missing repository or reference as a `FileNotFoundError` too, as fsspec's callers expect."""

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, NotFoundException) and not isinstance(error, OSError):
            raise as_file_not_found(error) from error


#: For every call of a method of the SDK: it has no state.
translated: Final = Translated()


def as_file_not_found(error: NotFoundException) -> ObjectNotFoundException:
    """Return an error of a missing repository or reference as a `FileNotFoundError` with the same words."""
    found = ObjectNotFoundException(str(error))
    found.__dict__.update(error.__dict__)
    return found


def not_found(name: Name, words: str) -> ObjectNotFoundException:
    """Return the error for a name that does not exist."""
    error = ObjectNotFoundException(f"{name.uri} {words}")
    error.filename = name.uri
    return error


def read_only(name: Name) -> PermissionError:
    """Return the error of a write to what is not a branch."""
    return PermissionError(
        f"{name.uri} cannot be written: {name.reference!r} is not a branch; tags, commits and ref expressions are "
        "read-only, so write to a branch"
    )


def writable(path: object) -> Name:
    """Return the parts of the name of an object to write, as far as it can be on a branch. Sends no request.

    Raises:
        IsADirectoryError: It is not the path of an object.
        PermissionError: Its reference is a commit ID or a ref expression.
    """
    name = split(path)
    if not name.reference or not name.path:
        raise IsADirectoryError(f"{name.uri or path} is not the path of an object: write under {name.uri}/…")
    if EXPRESSION & set(name.reference) or COMMIT_ID.fullmatch(name.reference):
        raise read_only(name)
    return name


def no_branch(name: Name) -> ObjectNotFoundException:
    """Return the error of a write to a branch that does not exist."""
    return not_found(
        Name(name.repository, name.reference, ""),
        f"is no branch, and a write to it creates none: create it with repository({name.repository!r})."
        f"branch({name.reference!r}).create('main'), or give create_branch_ok=True to the file system",
    )
