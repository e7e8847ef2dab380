"""Data sets of PyTorch whose samples are the objects of one commit.

Needs PyTorch: `pip install 'lakefs-hl[torch]'`. Nothing else of the package loads it.
"""

from __future__ import annotations

import operator
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar, overload

import lakefs_hl as lakefs
from lakefs_hl import exceptions

try:
    import torch
    from torch.utils.data import Dataset, IterableDataset, get_worker_info
except ModuleNotFoundError as exc:
    if exc.name != "torch":
        raise
    msg = "lakefs_hl.torch needs PyTorch: pip install 'lakefs-hl[torch]'"
    raise ModuleNotFoundError(msg, name="torch") from None

__all__ = ["ObjectDataset", "ObjectIterableDataset", "Sample"]

T = TypeVar("T")
#: Objects that an iterable data set fetches at a time.
READ_AHEAD: Final = 32


class Sample(NamedTuple):
    """An object of a data set, as `transform` takes it, and as a data set without `transform` returns it.

    Attributes:
        path: Path of the object.
        data: Its content, verified as by `Reference.download`.
    """

    path: str
    data: bytes


class _Paths(Sequence[str]):
    """Paths as one text. Forked workers share it: reading an element of a list would copy its page.

    See https://github.com/pytorch/pytorch/issues/13246.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        text, self._ends = bytearray(), array("Q", [0])
        for path in paths:
            text += path.encode()
            self._ends.append(len(text))
        self._text = bytes(text)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        at = operator.index(index)
        if not -len(self) <= at < len(self):
            msg = f"index {at} is out of range: the data set has {len(self)} samples"
            raise IndexError(msg)
        at %= len(self)
        return self._text[self._ends[at] : self._ends[at + 1]].decode()


class _Objects(Generic[T]):
    """Objects of a commit: what both kinds of data sets share."""

    def __init__(
        self,
        reference: Any,
        prefix: str,
        suffix: str,
        paths: Any,
        transform: Any,
        max_workers: int | None,
    ) -> None:
        super().__init__()
        if transform is not None and not callable(transform):
            msg = f"transform must be callable or None, not {type(transform).__name__}"
            raise TypeError(msg)
        given = lakefs.ref(reference) if isinstance(reference, str) else reference
        if not isinstance(given, lakefs.Reference):
            msg = f"reference must be a lakefs_hl.Reference or its URI, not {type(given).__name__}"
            raise TypeError(msg)
        self._reference = _pin(given)
        if paths is None:
            listed = self._reference.list_objects(prefix=prefix, recursive=True, suffix=suffix)
            self._paths = _Paths(info.path for info in listed)
            if not self._paths:
                _refuse_empty(given, self._reference, prefix, suffix)
        elif prefix or suffix:
            msg = "paths cannot be combined with prefix or suffix: give the paths that you want"
            raise ValueError(msg)
        else:
            if isinstance(paths, str):
                msg = f"paths must be an iterable of paths, not a string: {paths!r:.80}"
                raise TypeError(msg)
            self._paths = _Paths(paths)
        self._transform: Callable[[Sample], T] | None = transform
        self._max_workers = max_workers

    @property
    def reference(self) -> lakefs.Reference:
        """The commit that all samples are read from, in every process and every epoch."""
        return self._reference

    @property
    def paths(self) -> Sequence[str]:
        """Paths of the objects, in the order of their indices."""
        return self._paths

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._reference.uri}: {len(self._paths)} objects>"

    def _read(self, paths: Sequence[str]) -> list[Any]:
        """Return the samples of some paths, fetched concurrently."""
        if len(paths) == 1:  # without the threads of a bulk call
            return [self._make(paths[0], self._reference.download(paths[0]))]
        results = self._reference.download_many(paths, max_workers=self._max_workers, progress=False)
        for result in results:
            if result.error is not None:
                raise result.error
        return [self._make(path, result.content or b"") for path, result in zip(paths, results, strict=True)]

    def _make(self, path: str, data: bytes) -> Any:
        sample = Sample(path, data)
        if self._transform is None:
            return sample
        try:
            return self._transform(sample)
        except Exception as exc:
            exc.add_note(f"raised by transform for {self._reference.uri}{path}")
            raise


def _pin(reference: lakefs.Reference) -> lakefs.Reference:
    """Return the commit of a reference, with its client: another process may have no default client."""
    pinned = reference.pin()
    return lakefs.Reference(pinned.repository_id, pinned.id, client=pinned._client)


def _refuse_empty(given: lakefs.Reference, pinned: lakefs.Reference, prefix: str, suffix: str) -> NoReturn:
    wanted = " and ".join(f"{name} {value!r}" for name, value in (("prefix", prefix), ("suffix", suffix)) if value)
    what = f"no object with {wanted}" if wanted else "no object"
    hint = "; uncommitted changes are not read: commit them first" if isinstance(given, lakefs.Branch) else ""
    msg = f"there is {what} in {given.uri} at commit {pinned.id[:12]}{hint}"
    raise exceptions.ObjectNotFoundException(msg)


class ObjectDataset(_Objects[T], Dataset[T], Generic[T]):  # type: ignore[misc]  # torch is not read by mypy
    """A map-style data set: each sample is an object, and has an index.

    The commit of the reference is pinned and its objects are listed once, when the data set is made. All workers and
    all epochs read that commit, whatever happens to the branch. A data set is picklable: it holds paths and a handle,
    no connection and no file. Like every pickled handle it contains no secrets, unless its client was made with
    `pickle_secrets=True`.

    A `DataLoader` asks for a whole batch at a time, which is fetched concurrently.

    Args:
        reference: The reference, or its URI such as "lakefs://repository/main". Its commit is read: uncommitted changes
            of a branch are not part of it.
        prefix: Use only objects with this prefix.
        suffix: Use only objects whose path ends with this, such as ".png".
        paths: Paths of the objects, instead of `prefix` and `suffix`. Nothing is listed, and nothing is checked before
            a sample is read.
        transform: Called with each `Sample`, in the process that reads it. What it returns is the sample. With workers
            that are started by spawn or forkserver it must be picklable: a function of a module, not a lambda.
        max_workers: Maximum number of concurrent requests of a batch. Defaults to what the server takes.

    Raises:
        NotFoundException: The repository or the reference does not exist.
        ObjectNotFoundException: No object has the prefix and the suffix.

    Examples:
        >>> for name in ("a", "b", "c"):
        ...     _ = branch.upload(name.upper(), f"train/{name}.txt")
        >>> _ = branch.commit_changes("three samples")
        >>> from lakefs_hl.torch import ObjectDataset
        >>> dataset = ObjectDataset(branch, "train/", transform=lambda sample: sample.data.decode())
        >>> len(dataset), dataset[2]
        (3, 'C')
        >>> from torch.utils.data import DataLoader
        >>> list(DataLoader(dataset, batch_size=2))
        [['A', 'B'], ['C']]
    """

    @overload
    def __init__(
        self: ObjectDataset[Sample],
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: None = None,
        max_workers: int | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: Callable[[Sample], T],
        max_workers: int | None = None,
    ) -> None: ...
    def __init__(
        self,
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: Callable[[Sample], Any] | None = None,
        max_workers: int | None = None,
    ) -> None:
        super().__init__(reference, prefix, suffix, paths, transform, max_workers)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> T:
        sample: T = self._read([self._paths[index]])[0]
        return sample

    def __getitems__(self, indices: Sequence[int]) -> list[T]:
        """Return the samples of some indices, in their order. A `DataLoader` calls this for each batch.

        Args:
            indices: The indices.

        Raises:
            ObjectNotFoundException: An object of `paths` does not exist.
            IntegrityError: Content did not match its checksum.
            IndexError: An index is out of range.
        """
        return self._read([self._paths[index] for index in indices])


class ObjectIterableDataset(_Objects[T], IterableDataset[T], Generic[T]):  # type: ignore[misc]
    """An iterable data set: each rank and each worker iterates over its own share of the objects.

    The commit of the reference is pinned and its objects are listed once, when the data set is made. Every object is in
    the share of exactly one worker of one rank. Shares of ranks differ by at most one object, and do not depend on the
    number of workers. Objects are fetched concurrently, `read_ahead` at a time.

    Args:
        reference: The reference, or its URI, as for `ObjectDataset`.
        prefix: Use only objects with this prefix.
        suffix: Use only objects whose path ends with this.
        paths: Paths of the objects, instead of `prefix` and `suffix`.
        transform: Called with each `Sample`, as for `ObjectDataset`.
        shuffle: Whether to iterate in a random order, which only depends on `seed` and the epoch. All ranks must use
            the same seed.
        seed: Seed of the order.
        rank: Number of this process among those that train together. Defaults to that of `torch.distributed` if its
            process group is initialised, else 0.
        world_size: Number of processes that train together. Defaults to that of `torch.distributed`, else 1.
        even: Whether all ranks get the same number of objects, so that none waits for others that have no more. The
            last objects of the order are left out: fewer than `world_size`.
        read_ahead: Number of objects that a worker fetches at a time and holds in memory.
        max_workers: Maximum number of concurrent requests of a worker. Defaults to what the server takes.

    Raises:
        NotFoundException: The repository or the reference does not exist.
        ObjectNotFoundException: No object has the prefix and the suffix.
        ValueError: `rank` is given without `world_size`, or is not less than it.

    Examples:
        >>> for number in range(5):
        ...     _ = branch.upload(f"{number}", f"train/{number}.txt")
        >>> _ = branch.commit_changes("five samples")
        >>> from lakefs_hl.torch import ObjectIterableDataset
        >>> dataset = ObjectIterableDataset(branch, "train/", rank=1, world_size=2)
        >>> [sample.path for sample in dataset]
        ['train/1.txt', 'train/3.txt']
    """

    @overload
    def __init__(
        self: ObjectIterableDataset[Sample],
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: None = None,
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
        read_ahead: int = READ_AHEAD,
        max_workers: int | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: Callable[[Sample], T],
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
        read_ahead: int = READ_AHEAD,
        max_workers: int | None = None,
    ) -> None: ...
    def __init__(
        self,
        reference: lakefs.Reference | str,
        prefix: str = "",
        *,
        suffix: str = "",
        paths: Iterable[str] | None = None,
        transform: Callable[[Sample], Any] | None = None,
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        even: bool = False,
        read_ahead: int = READ_AHEAD,
        max_workers: int | None = None,
    ) -> None:
        self._place = _place_of(rank, world_size)
        #: Of the process that started this worker.
        self._starter: tuple[int, int] | None = None
        self._is_shuffled, self._seed, self._is_even = shuffle, operator.index(seed), even
        self._read_ahead = operator.index(read_ahead)
        if self._read_ahead < 1:
            msg = f"read_ahead must be an integer ≥ 1, not {read_ahead}"
            raise ValueError(msg)
        super().__init__(reference, prefix, suffix, paths, transform, max_workers)
        self._epoch = _share_number(0)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which changes the order of `shuffle=True`. Call it before you iterate over the loader.

        Workers that are kept by `persistent_workers=True` see it too.

        Args:
            epoch: Number of the epoch.
        """
        self._epoch.fill_(operator.index(epoch))

    def __iter__(self) -> Iterator[T]:
        paths = self._paths
        share = self._share()
        for start in range(0, len(share), self._read_ahead):
            yield from self._read([paths[index] for index in share[start : start + self._read_ahead]])

    def _share(self) -> Sequence[int]:
        """Return the indices of this worker of this rank, in the order of the epoch."""
        count = len(self._paths)
        order: Sequence[int] = range(count)
        if self._is_shuffled:
            order = array("Q", order)
            random.Random(f"{self._seed} {int(self._epoch)}").shuffle(order)
        rank, world_size = self._place or _group() or self._starter or (0, 1)
        if self._is_even:
            order = order[: count - count % world_size]
        worker = get_worker_info()
        share = order[rank::world_size]
        return share if worker is None else share[worker.id :: worker.num_workers]

    def __getstate__(self) -> dict[str, Any]:
        # Workers that are not forked have no process group: what they are sent says which rank they work for.
        return {**self.__dict__, "_starter": _group() or self._starter}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._epoch.is_shared():  # pickled for another reason than to start a worker
            self._epoch = _share_number(int(self._epoch))


def _place_of(rank: int | None, world_size: int | None) -> tuple[int, int] | None:
    """Return rank and world size as given. None leaves them to the process group."""
    if rank is None and world_size is None:
        return None
    if rank is None or world_size is None:
        msg = f"rank and world_size must be given together, not rank={rank!r} and world_size={world_size!r}"
        raise ValueError(msg)
    if not 0 <= operator.index(rank) < operator.index(world_size):
        msg = f"rank must be from 0 to world_size - 1, not rank={rank!r} and world_size={world_size!r}"
        raise ValueError(msg)
    return rank, world_size


def _group() -> tuple[int, int] | None:
    """Return rank and world size of the process group. None without one."""
    group = torch.distributed
    return (group.get_rank(), group.get_world_size()) if group.is_available() and group.is_initialized() else None


def _share_number(number: int) -> Any:
    """Return a number in memory that workers share."""
    return torch.tensor(number, dtype=torch.int64).share_memory_()
