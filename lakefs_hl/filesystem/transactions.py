"""`fs.transaction`: files that are published together; and, called, work on a branch of its own that is merged."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
import weakref
from collections import deque
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict
from uuid import uuid4

from fsspec.transaction import Transaction

from lakefs_hl import Branch, Commit, Reference, Repository, Tag, exceptions
from lakefs_hl.filesystem.deferred import DeferredWriter
from lakefs_hl.filesystem.publishing import Publication

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self, TypeAlias

    from typing_extensions import Unpack

    from lakefs_hl import BranchTransaction, Client

    Delete: TypeAlias = Literal["onsuccess", "always", "never"]

DELETE: Final = ("onsuccess", "always", "never")
_SHOWN: Final = 5
_NESTED: Final = (
    "a transaction is open on this file system: transactions do not nest, and threads that share the file system share "
    "its transaction. LakeFSFileSystem(skip_instance_cache=True) returns one that is not shared"
)


class MergeOptions(TypedDict, total=False):
    """How a transaction is merged: `merge_kwargs` of a transaction, keywords of `merge`.

    Attributes:
        message: Message of the merge commit. Defaults to one of lakeFS that names both sides.
        metadata: Metadata of the merge commit.
        strategy: Which side wins where both changed a path.
        force: Merge into a read-only repository.
        allow_empty: Merge even if there is nothing to merge.
        squash_merge: Make the merge commit without the source as a parent.
    """

    message: str
    metadata: Mapping[str, str]
    strategy: Literal["dest-wins", "source-wins"]
    force: bool
    allow_empty: bool
    squash_merge: bool


class LakeFSTransaction(Transaction):  # type: ignore[misc]  # fsspec has no types
    r"""The transaction of a file system: `fs.transaction`.

    In a `with` block, the files that are opened for writing on the file system are kept on this machine, and uploaded
    at the end of the block, all to one branch, as staged changes: nothing is committed.

    - If the block raises, nothing is published. A file that is still open at its end is an error, and nothing is
      published then.
    - If an upload fails, what was uploaded is taken back: replaced objects are restored, others are removed. What
      another client wrote to one of the paths in between is left alone. The error says if something could not be taken
      back.
    - Readers of the branch may see the first files some moments before the last. If this process dies while it
      publishes, what it had uploaded stays, each file whole. To readers of *commits* a transaction is atomic: for that
      call `fs.transaction(…)`, as below, or use `Branch.transaction`.
    - Files that are written are not visible inside the block, as in all of fsspec. `rm`, `cp` and `mv` are not part of
      the transaction: they apply at once.
    - It belongs to the file system, which all threads that asked for the same options share: what they open in the
      meantime is part of the transaction too. It is not part of a pickled file system: workers in other processes
      publish at once.

    Called with a repository and a branch, it returns a `LakeFSVersioning`, which has a branch of its own.

    Examples:
        >>> from lakefs_hl.filesystem import LakeFSFileSystem
        >>> fs = LakeFSFileSystem()
        >>> with fs.transaction:
        ...     fs.pipe("example/main/a.csv", b"1\n")
        ...     fs.pipe("example/main/b.csv", b"2\n")
        >>> branch = lakefs.repository("example").branch("main")
        >>> [change.path for change in branch.list_uncommitted()]
        ['a.csv', 'b.csv']
        >>> _ = branch.commit_changes("two tables")
        >>> with fs.transaction("example", "main", "a third one") as tx:
        ...     fs.pipe(f"example/{tx.branch.id}/c.csv", b"3\n")
        >>> branch.head().message
        'a third one'
    """

    files: deque[Any]  # as `open` returned them: with text and compressors

    def __init__(self, fs: Any, **_: Any) -> None:
        current = fs._transaction
        if current is not None and current._is_open:  # fs.start_transaction() would replace it
            raise exceptions.TransactionStateError(_NESTED)
        super().__init__(fs)
        self._lake = fs
        self._is_open: bool = fs._intrans
        self._process = os.getpid()
        self._place: Branch | None = None
        self._writers: list[DeferredWriter] = []
        self._directory: Path | None = None
        self._names = count()
        self._lock = threading.Lock()

    def __call__(
        self,
        repository: str | Repository,
        base_branch: str | Branch = "main",
        *given: Any,
        branch_name: str | None = None,
        automerge: bool = True,
        delete: Delete = "onsuccess",
        merge_kwargs: MergeOptions | None = None,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> LakeFSVersioning:
        """Return a transaction on a branch of its own, for a `with` block.

        A third positional argument is the message. If a fourth follows, they are in lakefs-spec's order: `branch_name`,
        `automerge`, `delete`, `merge_kwargs`.

        Args:
            repository: The repository, by name or as an object that has it as `id`.
            base_branch: The branch to start from and to merge into, in the same way.
            given: The message; or four arguments as lakefs-spec takes them.
            branch_name: Name of the branch of the transaction. Defaults to one that is unique.
            automerge: Whether to merge at the end.
            delete: When to delete the branch of the transaction: "onsuccess" keeps it after a failure, unless it has no
                changes.
            merge_kwargs: Options of the merge.
            message: Message of the commit that is made at the end, and of the merge. Defaults to making no commit: call
                `commit`, because uncommitted changes are lost with the branch.
            metadata: Metadata of the commit and the merge.

        Raises:
            TypeError: An argument is given twice, or has the wrong type.
            ValueError: `delete` is none of the three.
        """
        options: dict[str, Any] = {
            "branch_name": branch_name,
            "automerge": automerge,
            "delete": delete,
            "merge_kwargs": merge_kwargs,
        }
        if len(given) == 1:
            if message is not None:
                msg = "message is given twice: as the third argument and by name"
                raise TypeError(msg)
            (message,) = given
        elif given:
            if len(given) > len(options):
                msg = f"a transaction takes at most 6 positional arguments, not {2 + len(given)}"
                raise TypeError(msg)
            options.update(zip(options, given, strict=False))
        return LakeFSVersioning(
            self._lake._given, _id(repository), _id(base_branch), message=message, metadata=metadata, **options
        )

    def __enter__(self) -> Self:
        """Begin to defer files.

        Raises:
            TransactionStateError: A transaction is open on the file system.
        """
        if self._is_open:
            raise exceptions.TransactionStateError(_NESTED)
        self.start()
        return self

    def start(self) -> None:
        """Begin to defer files, without a `with` block. `fs.end_transaction()` publishes them."""
        self._reset()
        self.fs = self._lake
        self.fs._intrans = self._is_open = True

    def defer(self, name: str, branch: Branch, path: str, **options: Any) -> DeferredWriter:
        """Return a file for writing whose content is published at the end.

        Args:
            name: Name of the object in the file system.
            branch: Branch of the object.
            path: Path of the object.
            options: As for `DeferredWriter`.

        Raises:
            ValueError: The transaction has files for another branch.
            TransactionStateError: The transaction is one of the process that this one was forked from.
        """
        is_open = self._is_open
        if is_open:
            self._check_process()
            self._check_place(branch, path)
        writer = DeferredWriter(self._lake, name, branch, path, self._local_path, **options)
        if is_open:  # else the caller of `open(autocommit=False)` commits it
            self._writers.append(writer)
        return writer

    def _check_process(self) -> None:
        if self._process != os.getpid():
            msg = (
                "the transaction of this file system was opened by the process that this one was forked from, which "
                "publishes its own files only. Make a file system here: LakeFSFileSystem(skip_instance_cache=True)"
            )
            raise exceptions.TransactionStateError(msg)

    def _check_place(self, branch: Branch, path: str) -> None:
        with self._lock:
            self._place = self._place or branch
        if (self._place.repository_id, self._place.id) != (branch.repository_id, branch.id):
            msg = (
                f"{branch.uri}{path} cannot be part of a transaction on {self._place.uri}: its files are published "
                "together on one branch. Write other branches outside of the block, or each in its own"
            )
            raise ValueError(msg)

    def complete(self, commit: bool = True) -> None:
        """Publish the files, or discard them.

        Raises:
            TransactionException: A file is still open, or could not be published.
        """
        self._check_process()
        writers = list(self._writers)
        with ExitStack() as ends:  # calls all of them, the last one first, whatever one raises
            for writer in writers:
                ends.callback(self._lake.invalidate_cache, writer.path)
            ends.callback(self._reset)
            for file in (*self.files, *writers):
                ends.callback(file.discard)
            ends.callback(self._close)
            if commit:
                self._publish(writers)

    def _close(self) -> None:
        self._lake._intrans = self._is_open = False
        self._lake._transaction = None

    def _reset(self) -> None:
        self.files, self._writers, self._place = deque(), [], None
        directory, self._directory = self._directory, None
        if directory is not None:
            _remove(directory, self._process)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish the files, or discard them if an exception propagates."""
        self.complete(commit=kind is None)

    def _publish(self, writers: list[DeferredWriter]) -> None:
        still_open = [writer.name for writer in writers if not writer.closed]
        if still_open:
            shown = ", ".join(still_open[:_SHOWN])
            shown += f" and {len(still_open) - _SHOWN} more" if len(still_open) > _SHOWN else ""
            msg = (
                f"nothing was published: files opened for writing in the transaction are not closed: {shown}. Close "
                "files inside the block, as in `with fs.open(path, 'wb') as file: ...`"
            )
            error = exceptions.TransactionException(msg)
            error.state, error.maybe_applied = "ABORTED", False
            raise error
        last = {writer.key: writer for writer in writers if writer.is_complete}  # of one path, what was opened last
        if len(last) == 1:
            (writer,) = last.values()
            writer.upload()
        elif last and self._place is not None:
            Publication(self._place, list(last.values())).run()

    def _local_path(self) -> Path:
        """Return the path of a new local file."""
        with self._lock:
            if self._directory is None:
                self._directory = Path(tempfile.mkdtemp(prefix="lakefs_hl-"))
                # Not TemporaryDirectory: a child that was forked would remove the directory when it exits.
                weakref.finalize(self, _remove, self._directory, self._process)
            return self._directory / str(next(self._names))


def _remove(directory: Path, process: int) -> None:
    """Remove the local files of a transaction, in the process that made them."""
    if process == os.getpid():
        shutil.rmtree(directory, ignore_errors=True)


class LakeFSVersioning:
    """A transaction with a branch of its own, as `fs.transaction(repository, branch, message)` returns it.

    Read and write in its `with` block below `f"{repository}/{tx.branch.id}/"`. At the end, what is not committed is
    committed with the message, and the branch is merged into the base branch and deleted. If the block raises, nothing
    is merged, and the branch is kept if it has changes. Paths of the base branch are not part of the transaction.

    Without a message it does what lakefs-spec does: nothing is committed but by `commit`, and uncommitted changes at
    the end give a warning.

    Args:
        client: Client to use.
        repository: Name of the repository.
        base_branch: Name of the branch to start from and to merge into.
        branch_name: Name of the branch of the transaction. Defaults to one that is unique.
        automerge: Whether to merge at the end.
        delete: When to delete the branch of the transaction.
        merge_kwargs: Options of the merge.
        message: Message of the commit at the end.
        metadata: Metadata of the commit and the merge.

    Attributes:
        repository: Name of the repository.
        base_branch: The branch to start from and to merge into.
    """

    def __init__(
        self,
        client: Client | None,
        repository: str,
        base_branch: str,
        *,
        branch_name: str | None,
        automerge: bool,
        delete: Delete,
        merge_kwargs: MergeOptions | None,
        message: str | None,
        metadata: Mapping[str, str] | None,
    ) -> None:
        if delete not in DELETE:
            msg = f"delete must be one of {', '.join(map(repr, DELETE))}, not {delete!r}"
            raise ValueError(msg)
        self._client = client
        self.repository = repository
        self._base, self._branch_name = base_branch, branch_name
        self._message, self._metadata = message, metadata
        self._automerge, self._delete = automerge, delete
        self._merge = _merge_options(merge_kwargs or {})
        self._words = {} if message is None else {"message": message, "metadata": metadata}
        self._branch: Branch | None = None
        self._core: BranchTransaction | None = None

    @property
    def base_branch(self) -> Branch:
        """The branch that it starts from and is merged into."""
        return self._repository.branch(self._base)

    @property
    def branch(self) -> Branch:
        """The branch of the transaction.

        Raises:
            TransactionStateError: The block was not entered.
        """
        if self._branch is None:
            msg = "a transaction has a branch inside of its `with` block only: `with fs.transaction(…) as tx:`"
            raise exceptions.TransactionStateError(msg)
        return self._branch

    @property
    def _repository(self) -> Repository:
        return Repository(self.repository, self._client)

    def __enter__(self) -> Self:
        """Create the branch.

        Raises:
            ValueError: The repository does not exist.
            NotFoundException: The base branch does not exist.
            TransactionStartError: With a message: the base branch has uncommitted changes.
        """
        try:
            known = self._repository.exists()
        except ValueError as exc:  # no name of a repository
            msg = f"repository {self.repository!r} does not exist: {exc}"
            raise ValueError(msg) from exc
        if not known:
            msg = f"repository {self.repository!r} does not exist"
            raise ValueError(msg)
        if self._is_plain:
            core = self.base_branch.transaction(
                self._message or "",
                metadata=self._metadata,
                strategy=self._merge.get("strategy"),
                delete_on_error=self._delete == "always",
            )
            self._core = core.__enter__()
            self._branch = self._repository.branch(core.id)
        else:
            name = self._branch_name or f"transaction-{uuid4().hex}"
            self._branch = self._repository.branch(name).create(self.base_branch)
        return self

    @property
    def _is_plain(self) -> bool:
        """Whether `Branch.transaction` does what was asked for, and finds the outcome after a lost response."""
        options = set(self._merge) <= {"strategy"}
        ends = self._automerge and self._delete != "never" and self._branch_name is None
        return self._message is not None and options and ends

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit and merge; or, if the block failed, keep or delete the branch, and let its exception propagate."""
        try:
            if self._core is not None:
                self._core.__exit__(kind, error, trace)
            else:
                self._end(failed=kind is not None)
        except exceptions.LakeFSException as exc:
            if error is None:
                raise
            error.add_note(str(exc))

    def _end(self, *, failed: bool) -> None:
        """Do what lakefs-spec does at the end; and commit if there is a message."""
        branch, done = self.branch, False
        try:
            if not failed and self._message is not None:
                branch.commit_changes(self._message, self._metadata, on_empty="skip")
            elif not failed and any(branch.list_uncommitted(max_amount=1)):
                self._warn()  # before the branch is deleted: where warnings are errors, it stays
            if not failed and self._automerge and any(self.base_branch.diff(branch, max_amount=1)):
                branch.merge_into(self.base_branch, **{**self._words, **self._merge})
            done = not failed
        finally:
            if self._delete == "always" or (done and self._delete == "onsuccess"):
                with suppress(exceptions.NotFoundException):
                    branch.delete()

    def _warn(self) -> None:
        msg = f"Finished transaction on branch {self.branch.id!r} with uncommitted changes."
        if self._delete != "never":
            msg += " Objects added but not committed are lost: call tx.commit(message), or give the transaction one."
        warnings.warn(msg, UserWarning, stacklevel=4)

    # -- versioning ----------------------------------------------------------------------------------------------------

    def commit(self, message: str, metadata: Mapping[str, str] | None = None) -> Commit:
        """Commit the changes on the branch of the transaction.

        Args:
            message: Message of the commit.
            metadata: Metadata of the commit.

        Returns:
            The new commit; the last one of the branch if there are no changes.
        """
        return self.branch.commit_changes(message, metadata, on_empty="skip")

    def merge(
        self, source_ref: str | Branch | Reference, into: str | Branch, **options: Unpack[MergeOptions]
    ) -> Commit:
        """Merge a reference into a branch.

        Args:
            source_ref: The reference to merge.
            into: The branch to merge into.
            options: As `merge_kwargs` of the transaction.

        Returns:
            The merge commit; the last commit of `into` if there is nothing to merge.

        Raises:
            MergeConflict: Both sides changed the same paths.
        """
        source, destination = self._repository.ref(_id(source_ref)), self._repository.branch(_id(into))
        if any(destination.diff(source, max_amount=1)):
            return source.merge_into(destination, **_merge_options(options))
        return destination.head()

    def revert(self, branch: str | Branch, ref: str | Reference, parent_number: int = 1) -> Commit:
        """Revert a commit by a new commit.

        Args:
            branch: The branch on which it is reverted.
            ref: The commit to revert.
            parent_number: Of a merge commit: the parent to go back to, from 1.

        Returns:
            The new commit.

        Raises:
            ConflictException: Later commits changed the same paths.
            BadRequestException: The branch has uncommitted changes, or there is nothing to revert.
        """
        return self._repository.branch(_id(branch)).revert(_id(ref), parent_number)

    def rev_parse(self, ref: str | Reference) -> Commit:
        """Return the commit of a reference.

        Args:
            ref: A branch, a tag, a commit or its ID, or a ref expression such as `main~2`.

        Raises:
            NotFoundException: The reference does not exist.
        """
        return self._repository.ref(_id(ref)).get_commit()

    def tag(self, ref: str | Reference, name: str) -> Tag:
        """Create a tag.

        Args:
            ref: The commit that the tag names.
            name: Name of the tag.

        Returns:
            The tag.

        Raises:
            ConflictException: The tag exists.
        """
        return self._repository.tag(name).create(_id(ref))

    def __repr__(self) -> str:
        branch = "not entered" if self._branch is None else self._branch.id
        return f"<{type(self).__name__} lakefs://{self.repository}/{self._base} {branch}>"


def _id(given: Any) -> str:
    """Return the name of a repository or a reference, given as text or as an object of ours or of lakeFS's client."""
    name = given if isinstance(given, str) else getattr(given, "id", None)
    if not isinstance(name, str):
        msg = f"want a name, or a repository, branch or reference, not {type(given).__name__}"
        raise TypeError(msg)
    return name


def _merge_options(given: MergeOptions) -> dict[str, Any]:
    """Return keywords of `merge_into`."""
    unknown = set(given) - set(MergeOptions.__annotations__)
    if unknown:
        known = ", ".join(MergeOptions.__annotations__)
        msg = f"unknown options of a merge: {', '.join(sorted(map(repr, unknown)))}. There are {known}"
        raise TypeError(msg)
    return {"squash" if name == "squash_merge" else name: value for name, value in given.items()}
