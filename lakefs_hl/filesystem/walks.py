"""Walking directories, and yes or no: where only what does not exist may look as if it did not.

fsspec's own methods take every `OSError` for "there is nothing": a connection that broke, a time limit, a login that
has expired. Who writes if there is nothing would then write over what there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem

from lakefs_hl.exceptions import BadRequestException, LakeFSException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    OnError: TypeAlias = Literal["omit", "raise"] | Callable[[OSError], object]


def is_absence(error: BaseException) -> bool:
    """Return whether an error says that something does not exist, or that nothing can have its name.

    Names of which the second is true are those that are too long or have a wrong form. They are a `ValueError`, found
    by the client, or refused by the server's validation.
    """
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return True
    if isinstance(error, BadRequestException):
        return "validation error" in str(error)
    return isinstance(error, ValueError) and not isinstance(error, LakeFSException | UnicodeDecodeError)


def can_be_omitted(error: BaseException) -> bool:
    """Return whether `cat` may leave out what it could not read: it does not exist, or it is a directory."""
    return is_absence(error) or isinstance(error, IsADirectoryError)


def take(error: Exception, on_error: OnError) -> None:
    """Deal with the error of a directory that could not be listed, as `on_error` of `walk` says: omit, tell or raise.

    Raises:
        Exception: It is the error that was given.
    """
    if callable(on_error) and isinstance(error, OSError):
        on_error(error)
    elif on_error != "omit" or not is_absence(error):
        raise error


class Entries:
    """What is in a directory, as `walk` has it.

    Args:
        path: The directory.
        listing: Its entries, as of `ls`.
        detail: Whether the names have their entries.
    """

    def __init__(self, path: str, listing: list[dict[str, Any]], *, detail: bool) -> None:
        dirs, files = dict[str, Any](), dict[str, Any]()
        for row in listing:
            name = row["name"].rstrip("/")
            last = "" if name == path else name.rpartition("/")[2]  # a file has itself
            (dirs if row["type"] == "directory" and last else files)[last] = row
        self._paths = {name: row["name"].rstrip("/") for name, row in dirs.items()}
        self.dirs: Any = dirs if detail else list(dirs)
        self.row = (path, self.dirs, files if detail else list(files))

    def below(self) -> list[str]:
        """Return the directories to go into: those that the caller of `walk` has left."""
        return [self._paths[name] for name in self.dirs if name in self._paths]


class Walks(AbstractFileSystem):  # type: ignore[misc]
    """The part of the file system that says yes or no, and walks."""

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Return whether an object, a directory, a reference or a repository exists.

        Raises:
            OSError: It cannot be found out, for instance without a connection or permission. The same holds for
                `isfile` and `isdir`.
        """
        return self._type(path, **kwargs) is not None

    lexists = exists

    def isfile(self, path: str) -> bool:
        """Return whether a name is that of an object."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Return whether a name is that of a directory, a reference or a repository."""
        return self._type(path) == "directory"

    def _type(self, path: str, **kwargs: Any) -> str | None:
        """Return "file" or "directory". None if there is neither."""
        try:
            return str(self.info(path, **kwargs)["type"])
        except (FileNotFoundError, ValueError) as error:
            if not is_absence(error):
                raise
            return None

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        **kwargs: Any,
    ) -> Iterator[tuple[str, Any, Any]]:
        """Walk a directory: yield the name, the directories and the files of it and of each directory below.

        Args:
            path: Where to begin.
            maxdepth: Maximum number of levels.
            topdown: Whether a directory comes before those in it. Directories that the caller removes from its list are
                not walked then.
            on_error: What becomes of a directory that cannot be listed. "omit" leaves it out if it does not exist, and
                raises every other error, so that a walk that ends is complete. "raise" raises all. A function is called
                with the error, and the directory is left out.
            **kwargs: `detail` has dictionaries in place of lists of names; all others are passed to `ls`.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth must be at least 1, not {maxdepth}")
        name = self._strip_protocol(path)
        detail = kwargs.pop("detail", False)
        try:
            found = Entries(name, self.ls(name, detail=True, **kwargs), detail=detail)
        except Exception as error:  # noqa: BLE001 - raised unless it may be omitted
            take(error, on_error)
            return
        if topdown:
            yield found.row
        if maxdepth is None or maxdepth > 1:
            below = None if maxdepth is None else maxdepth - 1
            for each in found.below():
                yield from self.walk(each, below, topdown, on_error, detail=detail, **kwargs)
        if not topdown:
            yield found.row


class AsyncWalks(AsyncFileSystem):  # type: ignore[misc]
    """The same for asyncio."""

    async def _exists(self, path: str, **_: Any) -> bool:
        """Return whether there is a file or a directory. What cannot be found out is raised, as of the two below."""
        return await self._type(path) is not None

    async def _isfile(self, path: str) -> bool:
        """Return whether a name is that of a file."""
        return await self._type(path) == "file"

    async def _isdir(self, path: str) -> bool:
        """Return whether a name is that of a directory, a reference or a repository."""
        return await self._type(path) == "directory"

    async def _type(self, path: str) -> str | None:
        try:
            return str((await self._info(path))["type"])
        except (FileNotFoundError, ValueError) as error:
            if not is_absence(error):
                raise
            return None

    async def _walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, on_error: OnError = "omit", **options: Any
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        """Walk a directory, as `LakeFSFileSystem.walk` does.

        Args:
            path: Where to begin.
            maxdepth: Maximum number of levels.
            topdown: Whether a directory comes before those in it.
            on_error: "omit", which leaves out directories that do not exist and raises all other errors; "raise"; or a
                function that is called with the error of a directory that is left out.
            options: `detail` has dictionaries in place of lists of names.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth must be at least 1, not {maxdepth}")
        name = self._strip_protocol(path)
        try:
            found = Entries(name, await self._ls(name), detail=options.get("detail", False))
        except Exception as error:  # noqa: BLE001 - raised unless it may be omitted
            take(error, on_error)
            return
        if topdown:
            yield found.row
        if maxdepth is None or maxdepth > 1:
            for each in found.below():
                walk = self._walk(each, None if maxdepth is None else maxdepth - 1, topdown, on_error, **options)
                async for row in walk:
                    yield row
        if not topdown:
            yield found.row

    async def _find_by_level(self, path: str, maxdepth: int | None, *, withdirs: bool) -> dict[str, dict[str, Any]]:
        dirs, files = dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
        if withdirs and path and await self._isdir(path):
            dirs[path] = await self._info(path)
        async for _, below, here in self._walk(path, maxdepth, detail=True):
            files.update((row["name"], row) for row in here.values())
            if withdirs:
                dirs.update((row["name"], row) for row in below.values())
        return {**dirs, **files} or await self._file_itself(path)

    async def _file_itself(self, path: str) -> dict[str, dict[str, Any]]:
        try:
            entry = await self._info(path)
        except FileNotFoundError:
            return {}
        return {entry["name"]: entry} if entry["type"] == "file" else {}
