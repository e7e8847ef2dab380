"""A store of buckets in memory, which fsspec opens as `gs://`, for tests of what reads buckets of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, register_implementation


class BucketStore(MemoryFileSystem):  # type: ignore[misc]
    """Buckets in memory. It refuses every service account but `key`, and fails to read what is in `broken`."""

    protocol = ("gs", "gcs")
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    key: ClassVar[str | None] = None
    broken: ClassVar[set[str]] = set()
    reads: ClassVar[list[str]] = []

    def __init__(self, token: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._token = token

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.partition("://")[2].strip("/") if "://" in path else "/" + path.strip("/")

    def _check(self) -> None:
        if self.key is not None and (self._token or {}).get("private_key") != self.key:
            raise PermissionError(f"the key {(self._token or {}).get('private_key')!r} is refused")

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self._check()
        return super().ls(path, detail, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self._check()
        if "r" in mode:
            self.reads.append(path)
            if path in self.broken:
                raise OSError(f"{path} cannot be read")
        return super()._open(path, mode, **options)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        with self.open(path, "rb") as file:
            return bytes(file.read()[start:end])


@contextmanager
def buckets(files: dict[str, bytes], key: str | None = None) -> Iterator[type[BucketStore]]:
    """Serve files, by the names `bucket/path`, as `gs://` while the block runs."""
    before = _registry.get("gs")
    register_implementation("gs", BucketStore, clobber=True)
    BucketStore.store, BucketStore.pseudo_dirs = {}, [""]
    BucketStore.broken, BucketStore.reads, BucketStore.key = set(), [], None
    writer = BucketStore(skip_instance_cache=True)
    for name, content in files.items():
        writer.pipe_file(f"/{name}", content)
    BucketStore.reads, BucketStore.key = [], key
    try:
        yield BucketStore
    finally:
        if before is None:
            _registry.pop("gs", None)
        else:
            register_implementation("gs", before, clobber=True)
