"""`UPath("lakefs://repository/branch/path")` of universal_pathlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from upath import UPath
except ModuleNotFoundError as exc:
    if exc.name != "upath":
        raise
    msg = "lakefs_hl.filesystem.upath needs universal_pathlib, which is not installed: pip install universal_pathlib"
    raise ModuleNotFoundError(msg, name="upath") from None

if not hasattr(UPath, "_relative_base"):
    msg = "lakefs_hl.filesystem.upath needs universal_pathlib 0.3 or newer: pip install -U universal_pathlib"
    raise ImportError(msg, name="upath")

from lakefs_hl.filesystem.names import split, without_protocol
from lakefs_hl.filesystem.options import absolute
from lakefs_hl.filesystem.walks import take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self


class LakeFSPath(UPath):  # type: ignore[misc]  # not read by the type checker
    r"""A path of a lake: `lakefs://repository/reference/path`.

    `UPath("lakefs://…")` returns one. It has the methods of `pathlib.Path` that universal_pathlib gives it, with
    `LakeFSFileSystem` below. The first parts are the repository and the reference. There is no empty directory, so
    `mkdir` makes nothing, and a directory ends with its last file. A slash at the end means nothing, as in pathlib.

    Examples:
        >>> path = UPath("lakefs://example/main/data") / "a.csv"
        >>> path.write_text("1,2\n")
        4
        >>> path.repository, path.ref, path.name
        ('example', 'main', 'a.csv')
        >>> [found.name for found in path.parent.glob("*.csv")]
        ['a.csv']
    """

    __slots__ = ()

    @classmethod
    def _transform_init_args(
        cls, args: tuple[Any, ...], protocol: str, storage_options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], str, dict[str, Any]]:
        first, *rest = args or ("",)
        if not isinstance(first, UPath):
            first = "lakefs://" + without_protocol(first).rstrip("/")
        rest = [one if isinstance(one, UPath) else str(one).rstrip("/") for one in rest]
        host = storage_options.get("host")
        if isinstance(
            host, str
        ):  # a path that is pickled, or used after a change of the directory, is of the same lake
            storage_options["host"] = absolute(host)
        made: tuple[tuple[Any, ...], str, dict[str, Any]]
        made = super()._transform_init_args((first, *rest), protocol, storage_options)
        return made

    @property
    def path(self) -> str:
        """The name of the file system: `repository/reference/path`. "" is the root, which lists repositories."""
        path: str = super().path
        return path.strip("/")

    @property
    def parts(self) -> Sequence[str]:
        """The repository, the reference and the parts of the path."""
        parts: Sequence[str] = super().parts
        return tuple(part for part in parts if part not in ("", "/"))

    def __str__(self) -> str:
        text: str = super().__str__()
        return "lakefs://" + text.removeprefix("lakefs://").lstrip("/") if self._relative_base is None else text

    @property
    def repository(self) -> str:
        """Name of the repository. "" for the root."""
        return split(self.path).repository

    @property
    def ref(self) -> str:
        """The branch, tag, commit ID or ref expression. "" for a repository and the root."""
        return split(self.path).reference

    @property
    def key(self) -> str:
        """Path of the object in the repository. "" for a reference, a repository and the root."""
        return split(self.path).path

    def resolve(self, strict: bool = False) -> Self:
        """Return the path without `.` and `..`, which do not leave the reference. Sends no request."""
        if self._relative_base is not None:
            path: Self = self.absolute()
            return path.resolve()
        kept, rest = self.parts[:2], list[str]()
        for part in self.parts[2:]:
            if part == "..":
                del rest[-1:]
            elif part != ".":
                rest.append(part)
        resolved: Self = self.with_segments(*kept, *rest)
        return resolved

    def walk(
        self, top_down: bool = True, on_error: Callable[[OSError], object] | None = None, follow_symlinks: bool = False
    ) -> Any:
        """Walk the directory, as `pathlib.Path.walk` does.

        Without `on_error` a directory that does not exist is left out. Every other error is raised, for instance of
        the connection, so that a walk that ends is complete.
        """

        def fail(error: OSError) -> None:
            take(error, "omit")

        return super().walk(top_down, on_error or fail, follow_symlinks)

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """Create an empty object, and leave one that exists as it is, by one request that decides.

        Raises:
            FileExistsError: It exists, and `exist_ok` is False.
        """
        try:
            self.fs.pipe_file(self.path, b"", mode="create")
        except FileExistsError:
            if not exist_ok:
                raise

    def replace(self, target: Any) -> Self:
        """Move the file to another path, as `rename` does. An object at the target is replaced."""
        moved: Self = self.rename(target)
        return moved
