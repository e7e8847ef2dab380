"""The file system: names, look-ups, listings, opening."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.filesystem import options
from lakefs_hl.filesystem.bulk import BulkCalls
from lakefs_hl.filesystem.files import CompressedWriter, LakeFSFile, LakeFSTextWriter, LakeFSWriter
from lakefs_hl.filesystem.hints import Hints
from lakefs_hl.filesystem.listings import Known, Listings
from lakefs_hl.filesystem.named import Named
from lakefs_hl.filesystem.names import (
    COMMIT_ID,
    SCHEME,
    Name,
    no_branch,
    not_found,
    read_only,
    split,
    translated,
    writable,
)
from lakefs_hl.filesystem.searches import Searches
from lakefs_hl.filesystem.transactions import LakeFSTransaction

if TYPE_CHECKING:
    from lakefs_hl import Branch, Client, Reference
    from lakefs_hl.filesystem.hints import Version


class LakeFSFileSystem(Named, BulkCalls, Searches, metaclass=options.Instances):
    r"""lakeFS as a file system of fsspec. Names are `repository/reference/path`, with or without `lakefs://`.

    A reference is a branch, a tag, a commit ID or a ref expression such as `main~2`. Only branches can be written.
    Directories are virtual: they exist while objects are under them. Writes are staged changes of the branch until they
    are committed.

    fsspec keeps instances by their options. Without options an instance uses the default client at the time of each
    call, also after another `lakefs.init()`. Pickles carry the options, with the secrets among them. Without options
    they carry no secret. The process that unpickles uses its own default client; if it has none yet, the lake that
    `lakefs.init()` was given here.

    Args:
        host: As for `Client`: `https://host[:port]`, `local:PATH` or `mem://NAME`. A relative path of a lake is that of
            the current directory when the instance is made.
        username: Access key ID.
        password: Secret access key.
        client: Client to use in place of options for one.
        create_branch_ok: Whether a write to a branch that does not exist creates the branch.
        source_branch: The branch, or other reference, that such a branch starts from.
        pre_sign: Whether to use pre-signed URLs. Defaults to what the server supports.
        batch_size: Maximum number of concurrent requests of a call for many objects. Defaults to what the server takes.
        default_block_size: `block_size` of `open` where none is given.
        default_cache_type: `cache_type` of `open` where none is given.
        use_listings_cache: True keeps listings of branches too, False none. Defaults to those of commits and tags.
        listings_expiry_time: How long a listing of a branch is kept, in seconds. Given, listings of branches are kept.
        max_paths: Maximum number of listings that are kept.
        **storage_options: All other options of `Client`, and the names that lakefs-spec has for them.

    Raises:
        TypeError: There is no such option.
        InvalidConfigError: An option has an invalid value.

    Examples:
        >>> import fsspec
        >>> fs = fsspec.filesystem("lakefs")
        >>> fs.pipe("lakefs://example/main/data/t.csv", b"a,b\n1,2\n")
        >>> fs.ls("lakefs://example/main/data", detail=False)
        ['example/main/data/t.csv']
        >>> with fsspec.open("lakefs://example/main/data/t.csv", "rt") as file:
        ...     file.readline()
        'a,b\n'
    """

    transaction_type = LakeFSTransaction
    _given: Any = None  # also while it is made: reports of errors print it

    def __init__(
        self,
        host: str | None = None,
        username: str | None = None,
        password: str | None = None,
        *,
        client: Any = None,
        create_branch_ok: bool = False,
        source_branch: str = "main",
        pre_sign: bool | None = None,
        batch_size: int | None = None,
        default_block_size: int | None = None,
        default_cache_type: str | None = None,
        use_listings_cache: bool | None = None,
        listings_expiry_time: float | None = None,
        max_paths: int | None = None,
        **storage_options: Any,
    ) -> None:
        if self._cached:
            return
        super().__init__()
        given = {"host": host, "username": username, "password": password, "client": client, **storage_options}
        self._given = options.client_of(options.normalize(given))
        self.create_branch_ok = create_branch_ok
        self.source_branch = source_branch
        self.pre_sign = pre_sign
        self.batch_size = batch_size
        self._block_size, self._cache_type = default_block_size, default_cache_type
        self._listings = Listings(use_listings_cache, listings_expiry_time, max_paths)
        self._listings_of: Any = self._given
        self._known = Known()
        self._hints = Hints()

    def __reduce__(self) -> tuple[Any, ...]:
        default = vars(lakefs_hl).get("DefaultClient") if self._given is None else None
        if default is None or not options.is_described(default):
            found: tuple[Any, ...] = super().__reduce__()
            return found
        return _restore, (type(self), self.storage_args, self.storage_options, default)

    @property
    def client(self) -> Client:
        """The client: that of the options, else the default client now.

        Raises:
            NoAuthenticationFound: There is no default client, and no source has credentials for one.
        """
        found: Client = lakefs_hl.Reference("any", "main", self._given)._client
        return found

    @property
    def fsid(self) -> str:
        """Identity of the lake: its endpoint."""
        return f"{SCHEME}:{self.client.endpoint}"

    def reference(self, path: str) -> Reference:
        """Return the reference that a name is at.

        Raises:
            FileNotFoundError: There can be no repository or reference of this name.
        """
        name = split(path)
        try:
            return lakefs_hl.Reference(name.repository, name.reference, self._given)
        except ValueError as exc:
            raise not_found(name, f"does not exist: {exc}") from None

    def branch(self, path: str) -> Branch:
        """Return the branch that a name is on, for writing. The first call for each branch sends a request.

        Raises:
            FileNotFoundError: The repository or the branch does not exist, and `create_branch_ok` is not set.
            PermissionError: The reference is a tag, a commit or a ref expression.
        """
        name = writable(path)
        self.reference(path)
        branch = lakefs_hl.Branch(name.repository, name.reference, self._given)
        known, key = self._here().branches, (name.repository, name.reference)
        if key not in known:
            with translated:
                if not branch.exists():
                    self._create_branch(name, branch)
            known.add(key)
        return branch

    def _create_branch(self, name: Name, branch: Branch) -> None:
        try:
            lakefs_hl.Reference(name.repository, name.reference, self._given).get_commit()
        except NotFoundException:
            if not self.create_branch_ok:
                raise no_branch(name) from None
            branch.create(self.source_branch, exist_ok=True)
        else:
            raise read_only(name)

    # -- files ---------------------------------------------------------------------------------------------------------

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open an object.

        Args:
            path: Name of the object.
            mode: "r" or "rb" to read, "w" or "wb" to write, "x" or "xb" to create only. Without "b" it is text.
            block_size: Bytes that the cache reads ahead. Defaults to what suits how the file is read.
            cache_options: Options of the cache.
            compression: A compression of fsspec, such as "gzip", or "infer" for that of the suffix.
            **kwargs: `cache_type`, a cache of fsspec; `encoding` (UTF-8 by default), `errors` and `newline` of text;
                `pre_sign`; and of written objects `content_type`, `metadata` and `autocommit`.

        Raises:
            FileNotFoundError: The object, or the branch to write to, does not exist.
            FileExistsError: The object exists, and the mode is "x".
            PermissionError: The reference to write to is a tag, a commit or a ref expression.
            NotImplementedError: The mode is "a": objects cannot be appended to.
        """
        text: dict[str, Any] = {key: kwargs.pop(key) for key in ("encoding", "errors", "newline") if key in kwargs}
        is_text = "b" not in mode
        binary = mode.replace("t", "") + ("b" if is_text else "")
        if binary == "rb" or "a" in mode:
            file = super().open(path, binary, block_size, cache_options, compression, **kwargs)
        else:
            as_text = text if is_text and not compression else None
            file = self._open_writer(path, binary, compression, as_text, **kwargs)
            if not compression:
                return file
        if not is_text:
            return file
        return io.TextIOWrapper(file, text.get("encoding") or "utf-8", text.get("errors"), text.get("newline"))

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        if "a" in mode:
            raise NotImplementedError(
                f"opening {split(path).uri} with mode {mode!r}: objects cannot be appended to; read it, and "
                "write it whole"
            )
        if mode != "rb":
            return self._writer(path, mode, autocommit=autocommit, **kwargs)
        name = split(path)
        pre_sign = kwargs.pop("pre_sign", self.pre_sign)
        block_size, cache_type = block_size or self._block_size, kwargs.pop("cache_type", None) or self._cache_type
        self._here()  # of another lake there are no hints
        size = kwargs.pop("size", None) or self._hints.size(name.text)  # only a hint: the first response has it
        is_cached = block_size is not None or cache_type not in (None, "none") or bool(cache_options)
        version = None if is_cached or not name.path else self._hints.again(name.text)
        with translated:
            if not name.path:
                raise IsADirectoryError(f"{name.uri} is a directory, not an object")
            known = None if version is None else (version.checksum, version.size)
            raw = self.reference(path)._open_raw(name.key, pre_sign, size, known)
        return LakeFSFile(
            self,
            name.text,
            raw,
            version=version,
            block_size=block_size,
            cache_type=cache_type,
            cache_options=cache_options,
            **kwargs,
        )

    def note_version(self, name: str, checksum: str, size: int) -> Version:
        """Note the version that the first response of a file had. For files of this file system only."""
        return self._hints.note(name, checksum, size, is_fixed=COMMIT_ID.fullmatch(split(name).reference) is not None)

    def release_version(self, name: str, version: Version, *, is_dropped: bool) -> None:
        """Note that a file of a version was closed, or dropped without that. For files of this file system only."""
        if is_dropped:
            self._hints.drop(name, version)
        else:
            self._hints.close(name)

    def forget_version(self, name: str) -> None:
        """Forget a version that was replaced. For files of this file system only."""
        self._hints.forget(name)

    def _writer(self, path: str, mode: str, *, autocommit: bool, **kwargs: Any) -> LakeFSWriter:
        if mode not in ("wb", "xb"):
            raise ValueError(f"mode {mode!r} is none of 'rb', 'wb' and 'xb', nor one of these for text")
        name = split(path)
        for ignored in ("block_size", "cache_type", "size"):
            kwargs.pop(ignored, None)
        pre_sign = kwargs.pop("pre_sign", self.pre_sign)
        unknown = sorted(kwargs.keys() - {"content_type", "metadata"})
        if unknown:
            raise TypeError(f"opening {name.uri} for writing: {unknown[0]!r} is not an option of open()")
        for key, value in (kwargs.get("metadata") or {}).items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(f"opening {name.uri} for writing: metadata must be strings, not {key!r}: {value!r:.80}")
        kwargs["create_only"], kwargs["pre_signed"] = mode == "xb", pre_sign
        branch = self.branch(path)
        if not autocommit:
            deferred: LakeFSWriter = self.transaction.defer(name.text, branch, name.path, **kwargs)
            return deferred
        return LakeFSWriter(self, name.text, branch, name.path, **kwargs)

    def _open_writer(
        self, path: str, mode: str, compression: str | None, text: dict[str, Any] | None, **kwargs: Any
    ) -> Any:
        autocommit = kwargs.pop("autocommit", not self._intrans)
        file: Any = self._writer(path, mode, autocommit=autocommit, **kwargs)
        if compression is not None:
            from fsspec.compression import compr
            from fsspec.core import get_compression

            chosen = get_compression(path, compression)
            if chosen is not None:
                file = CompressedWriter(file, compr[chosen])
        elif text is not None:
            file = LakeFSTextWriter(file, text.get("encoding") or "utf-8", text.get("errors"), text.get("newline"))
        if not autocommit:
            self.transaction.files.append(file)
        return file

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Create an empty object, or make an object empty.

        Raises:
            NotImplementedError: `truncate` is False and the object exists: lakeFS has no times to set.
        """
        try:
            self.pipe_file(path, b"", mode="overwrite" if truncate else "create", **kwargs)
        except FileExistsError:
            raise NotImplementedError(
                f"{split(path).uri} exists, and lakeFS cannot set its time; write it again"
            ) from None


def _restore(kind: type[LakeFSFileSystem], args: tuple[Any, ...], given: dict[str, Any], client: Client) -> Any:
    """Unpickle a file system without options. Pickles name this function: it stays where it is."""
    if vars(lakefs_hl).get("DefaultClient") is not None:
        return kind(*args, **given)
    return kind(*args, client=client, **given)
