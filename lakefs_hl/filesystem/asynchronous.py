"""The file system for asyncio: calls are awaited on the loop of the caller. Nothing runs on a loop of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.config import apply_config

from lakefs_hl import aio
from lakefs_hl.exceptions import NotFoundException, ObjectNotFoundException
from lakefs_hl.filesystem import infos, places
from lakefs_hl.filesystem.copies import AsyncCopies
from lakefs_hl.filesystem.named import Named
from lakefs_hl.filesystem.names import (
    Name,
    no_branch,
    not_found,
    read_only,
    split,
    translated,
    writable,
)
from lakefs_hl.filesystem.options import (
    OF_CLIENT,
    Handed,
    check_client,
    normalize,
    without_options,
)
from lakefs_hl.filesystem.walks import AsyncWalks, can_be_omitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal

#: Calls of fsspec that would block, each with an awaitable twin of the same name after an underscore.
BLOCKING: Final = (
    *("cat", "cat_file", "cat_ranges", "copy", "cp_file", "du", "exists", "expand_path", "find", "get", "get_file"),
    *("glob", "info", "isdir", "isfile", "ls", "makedirs", "mkdir", "mv_file", "pipe", "pipe_file", "put", "put_file"),
    *("rm", "rm_file", "size", "sizes", "walk"),
)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        msg = (
            f"LakeFSAsyncFileSystem.{name} would block the loop: write `await fs._{name}(…)`, or use LakeFSFileSystem "
            "for blocking calls"
        )
        if name == "walk":
            msg = msg.replace("await fs", "async for … in fs")
        raise RuntimeError(msg)

    refuse.__name__ = name
    refuse.__doc__ = f"Raise a `RuntimeError`: await `_{name}`."
    return refuse


class AsyncInstances(type(AsyncFileSystem)):  # type: ignore[misc]
    """The metaclass: brings options into one form before fsspec's cache of instances looks at them."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the instance of this thread for some options."""
        try:
            return super().__call__(**normalize_awaited(apply_config(cls, kwargs), args))
        except Exception as error:  # noqa: BLE001 - raised again
            args, kwargs = (), {}
            raise without_options(error) from error.__cause__


def normalize_awaited(given: dict[str, Any], args: tuple[Any, ...]) -> dict[str, Any]:
    """Return options in one form, as `normalize` does for the blocking file system."""
    client = given.pop("client", None)
    options = normalize(given, args)
    options.pop("loop", None)
    if client is not None:
        check_client(options, client, aio.Client)
        options["client"] = client if isinstance(client, Handed) else Handed(client)
    options["asynchronous"] = True
    return dict(sorted(options.items()))


def client_of(options: dict[str, Any]) -> aio.Client | None:
    """Return the client that options describe. None is the default client at the time of each call."""
    handed = options.get("client")
    if handed is not None:
        found: aio.Client = handed.client
        return found
    given = {name: options[name] for name in sorted(options.keys() & OF_CLIENT)}
    return aio.Client(**given) if given else None


class LakeFSAsyncFileSystem(Named, AsyncCopies, AsyncWalks, metaclass=AsyncInstances):
    r"""lakeFS as a file system of fsspec for asyncio.

    Its calls are those of `fsspec.asyn.AsyncFileSystem`: `await fs._ls(path)`, `await fs._cat_file(path)` and so on,
    and `await fs.open_async(path)`. They run on the loop that awaits them. The calls without an underscore, which would
    block that loop, raise a `RuntimeError` that names the other one.

    Libraries that ask fsspec for `asynchronous=True`, such as zarr, get it for `lakefs://` by themselves.

    Args:
        host: As for `LakeFSFileSystem`.
        username: Access key ID.
        password: Secret access key.
        options: As for `LakeFSFileSystem`. A `client` is a `lakefs_hl.aio.Client`. Without any, the default client of
            `lakefs_hl.aio` at the time of each call is used. `batch_size` is the maximum number of objects that a call
            on many has under way; the option `max_concurrency` of the client limits the requests too. Listings are not
            kept.

    Examples:
        >>> import asyncio
        >>> from lakefs_hl.filesystem import LakeFSAsyncFileSystem
        >>> async def main():
        ...     fs = LakeFSAsyncFileSystem()
        ...     await fs._pipe_file("example/main/a.csv", b"1,2\n")
        ...     return await fs._cat_file("example/main/a.csv", 0, 3)
        >>> asyncio.run(main())
        b'1,2'
    """

    async_impl = True
    mirror_sync_methods = False
    _given: aio.Client | None

    def __init__(
        self, host: str | None = None, username: str | None = None, password: str | None = None, **options: Any
    ) -> None:
        if self._cached:
            return
        super().__init__(asynchronous=True, batch_size=options.get("batch_size"))
        login = {"host": host, "username": username, "password": password}
        self._given = client_of({**options, **{name: value for name, value in login.items() if value is not None}})
        self._pre_sign: bool | None = options.get("pre_sign")
        self._source_branch = options.get("source_branch", "main") if options.get("create_branch_ok") else None
        self._known = set[tuple[str, str]]()

    def _reference(self, name: Name) -> aio.Reference:
        try:
            return aio.Reference(name.repository, name.reference, self._given)
        except ValueError as exc:
            raise not_found(name, f"does not exist: {exc}") from None

    async def _branch(self, name: Name) -> aio.Branch:
        """Return the branch to write to. The first call for each branch sends a request.

        Raises:
            FileNotFoundError: The repository or the branch does not exist, and `create_branch_ok` is not set.
            PermissionError: The reference is a tag, a commit or a ref expression.
        """
        writable(name.text)
        self._reference(name)
        branch = aio.Branch(name.repository, name.reference, self._given)
        if name[:2] not in self._known:
            if not await branch.exists():
                await self._create_branch(name, branch)
            self._known.add(name[:2])
        return branch

    async def _create_branch(self, name: Name, branch: aio.Branch) -> None:
        try:
            await aio.Reference(name.repository, name.reference, self._given).get_commit()
        except NotFoundException:
            if self._source_branch is None:
                raise no_branch(name) from None
            await branch.create(self._source_branch, exist_ok=True)
        else:
            raise read_only(name)

    # -- looking up ----------------------------------------------------------------------------------------------------

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return a file or a directory as a dictionary.

        Raises:
            FileNotFoundError: There is neither.
        """
        name = split(path)
        with translated:
            if not name.path:
                await self._check_root(name)
                return infos.of_directory(name.text)
            reference = self._reference(name)
            if not name.has_slash:
                try:
                    found: Any = await reference.stat_object(name.key)
                    return infos.of_object(name.root, found)
                except ObjectNotFoundException:
                    pass
            if await reference.list_objects(prefix=name.prefix, max_amount=1).to_list():
                return infos.of_directory(name.text)
        raise not_found(name, "does not exist")

    async def _check_root(self, name: Name) -> None:
        """Check that a repository or a reference exists."""
        if name.reference:
            await self._reference(name).get_commit()
        elif name.repository and not await aio.repository(name.repository, client=self._given).exists():
            raise not_found(name, "does not exist")

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a directory: the files and directories in it, or a file itself.

        Raises:
            FileNotFoundError: There is neither.
        """
        name = split(path)
        with translated:
            found = await self._entries(name)
        return found if detail else [entry["name"] for entry in found]

    async def _entries(self, name: Name) -> list[dict[str, Any]]:
        if not name.repository:
            rows = [row.id async for row in aio.repositories(client=self._given)]
            return [infos.of_directory(row) for row in rows]
        if not name.reference:
            repository = aio.repository(name.repository, client=self._given)
            refs = {row.id async for row in repository.list_branches()}
            refs |= {row.id async for row in repository.list_tags()}
            return [infos.of_directory(f"{name.repository}/{ref}") for ref in sorted(refs)]
        listing: Any = self._reference(name).list_objects(prefix=name.prefix)
        found = [infos.of_entry(name.root, entry) async for entry in listing if entry.path != name.prefix]
        if not found and name.path:
            found = [await self._info(name.text)]
            return found if found[0]["type"] == "file" else []
        return found

    async def _find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, **options: Any
    ) -> list[str] | dict[str, dict[str, Any]]:
        """List all files below a directory, in one listing.

        Args:
            path: The directory, or a file.
            maxdepth: Maximum number of levels.
            withdirs: Whether to list directories too.
            options: `detail` returns a dictionary of dictionaries by name; `prefix` limits the names in the directory.
        """
        name = split(path)
        if maxdepth is not None or not name.reference:
            levels = await self._find_by_level(name.text, maxdepth, withdirs=withdirs)
            return levels if options.get("detail") else sorted(levels)
        detail, prefix = options.get("detail", False), options.get("prefix", "")
        out = dict[str, dict[str, Any]]()
        listing: Any = self._reference(name).list_objects(prefix=name.prefix + prefix, delimiter="")
        with translated:
            async for row in listing:
                entry = infos.of_object(name.root, row)
                if not entry["name"].endswith("/"):
                    out[entry["name"]] = entry
            if not out and name.path:
                out = await self._file_itself(name.text)
        if withdirs:
            out = {**_directories(name, out), **out}
        return out if detail else sorted(out)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the content of a file, or a range of it.

        Args:
            path: The file.
            start: Offset of the first byte. Negative values count from the end.
            end: Offset after the last byte, in the same way.

        Raises:
            FileNotFoundError: It does not exist.
        """
        name = self._file(path)
        with translated:
            return await self._reference(name).download(name.key, start=start, end=end, pre_signed=self._pre_sign)

    async def _cat(self, path: Any, recursive: bool = False, **options: Any) -> Any:
        """Return the content of a file, or a dictionary of the contents of many, read concurrently.

        Args:
            path: A name, a pattern or a list of them.
            recursive: Whether to read all files below directories.
            options: `batch_size`; and `on_error`: "raise", "return", or "omit" for what does not exist.
        """
        if recursive:
            below = [await self._find(one) for one in await self._expand_path(path)]
            path = [name for names in below for name in names]
        if options.get("on_error") != "omit":
            return await super()._cat(path, **options)
        found = await super()._cat(path, **{**options, "on_error": "return"})
        contents = found if isinstance(found, dict) else {split(path).text: found}
        for content in contents.values():
            if isinstance(content, Exception) and not can_be_omitted(content):
                raise content
        kept = {name: content for name, content in contents.items() if not isinstance(content, Exception)}
        return kept if isinstance(found, dict) or not kept else found

    async def _get_file(self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        """Download a file to a local file, which appears when it is complete. A directory makes a local directory."""
        name, local = split(rpath), Path(lpath)
        if ".." in name.path.split("/") and ".." in local.parts:  # older versions of fsspec join the two unchecked
            raise ValueError(f"{os.fspath(lpath)!r} may be outside of where {name.uri} belongs; nothing was downloaded")
        if not name.path:
            local.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one call of the operating system
            return
        local.parent.mkdir(parents=True, exist_ok=True)
        try:
            with translated:
                size = await self._reference(name).download(name.key, local, pre_signed=self._pre_sign)
        except (FileNotFoundError, IsADirectoryError):
            if not await self._isdir(rpath):
                raise
            local.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one call of the operating system
            return
        callback.set_size(size)
        callback.absolute_update(size)

    async def open_async(self, path: str, mode: str = "rb", **options: Any) -> Any:
        """Open a file whose methods are awaited.

        Args:
            path: The file.
            mode: As for `Branch.open`: "rb", "r", "wb", "w", "xb" or "x".
            options: As for `Branch.open` of `lakefs_hl.aio`, such as `content_type`.

        Raises:
            FileNotFoundError: The file to read does not exist.
            FileExistsError: The file to create exists.
        """
        name = self._file(path)
        with translated:
            place: Any = self._reference(name) if mode.startswith("r") else await self._branch(name)
            return await place.open(name.key, mode, options.pop("pre_sign", self._pre_sign), **options)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _pipe_file(
        self, path: str, value: Any, mode: Literal["overwrite", "create"] = "overwrite", **options: Any
    ) -> None:
        """Write a file.

        Args:
            path: The file.
            value: Its content: bytes.
            mode: "create" makes a file that exists an error.
            options: `content_type` and `metadata`.

        Raises:
            FileNotFoundError: The branch does not exist.
            FileExistsError: The file exists and `mode` is "create".
        """
        name = split(path)
        with translated:
            branch = await self._branch(name)
            await branch.upload(
                value, name.path, if_none_match=mode == "create", **{"pre_signed": self._pre_sign, **options}
            )

    async def _put_file(
        self,
        lpath: Any,
        rpath: str,
        mode: Literal["overwrite", "create"] = "overwrite",
        callback: Any = DEFAULT_CALLBACK,
        **options: Any,
    ) -> None:
        """Upload a local file. A local directory makes nothing: directories of a lake are virtual."""
        local = Path(os.fspath(lpath))
        if local.is_dir():  # noqa: ASYNC240 - one call of the operating system
            return
        size = local.stat().st_size  # noqa: ASYNC240
        callback.set_size(size)
        await self._pipe_file(rpath, local, mode, **options)
        callback.absolute_update(size)

    async def _cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file, on the server within a repository. A directory makes nothing."""
        source, to = split(path1), split(path2)
        if source.text == to.text:
            return
        try:
            with translated:
                branch = await self._branch(to)
                if source.repository == to.repository:
                    await branch.copy_object(self._reference(source), source.key, to.path)
                else:
                    given = self._given
                    await aio.copy(source.uri, to.uri, src_client=given, dst_client=given, progress=False)
        except FileNotFoundError:
            if not await self._isdir(path1):
                raise

    async def _rm_file(self, path: str, **_: Any) -> None:
        """Delete a file.

        Raises:
            FileNotFoundError: It does not exist.
        """
        name = split(path)
        with translated:
            await (await self._branch(name)).remove(name.key, progress=False)

    async def _rm(
        self, path: Any, recursive: bool = False, batch_size: int | None = None, maxdepth: int | None = None, **_: Any
    ) -> None:
        """Delete files, 1,000 per request.

        Args:
            path: A path or a list of them, which may have wildcards.
            recursive: Whether to delete what is below them too.
            batch_size: Not used.
            maxdepth: Maximum number of levels with `recursive`.

        Raises:
            FileNotFoundError: One does not exist.
            PermissionError: One is a repository or a whole branch, or not on a branch.
        """
        groups: dict[tuple[str, str], list[Name]] = {}
        for one in await self._expand_path(path, recursive=recursive, maxdepth=maxdepth):
            name = split(one)
            places.check_deletable(name, whole_branch=False)
            groups.setdefault((name.repository, name.reference), []).append(name)
        with translated:
            for names in groups.values():
                await (await self._branch(names[0])).delete_objects([name.key for name in names])

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Do nothing: directories of a lake are virtual."""

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: directories of a lake are virtual."""

    def _file(self, path: Any) -> Name:
        name = split(path)
        if not name.path:
            raise IsADirectoryError(f"{name.uri} is a directory")
        return name

    # -- blocking ------------------------------------------------------------------------------------------------------

    @property
    def transaction(self) -> NoReturn:
        """Raise a `NotImplementedError`: transactions of fsspec block."""
        msg = (
            "LakeFSAsyncFileSystem has no transaction: use `async with branch.transaction(message) as tx:` of "
            "lakefs_hl.aio, and paths of the branch tx.id"
        )
        raise NotImplementedError(msg)

    for _name in BLOCKING:
        locals()[_name] = _refusal(_name)
    del _name
    cp = copy = _refusal("copy")

    def open(self, path: str, mode: str = "rb", **_: Any) -> NoReturn:
        """Raise a `RuntimeError`: await `open_async`."""
        msg = "LakeFSAsyncFileSystem.open would block: write `await fs.open_async(path)`, or use LakeFSFileSystem"
        raise RuntimeError(msg)


def _directories(name: Name, files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the directories between a directory and files below it, and the directory itself."""
    found = {}
    top = name.text
    for file in files:
        parent = file.rpartition("/")[0]
        while len(parent) > len(top) and parent not in found:
            found[parent] = infos.of_directory(parent)
            parent = parent.rpartition("/")[0]
    return found
