"""Results of `Files.get`."""

from __future__ import annotations

from typing import Any, Final

from lakefs_hl.facades.records import Content

#: Keys that a result answers although `list(result)` does not name them, if it is not raw.
_HIDDEN: Final = ("compress", "raw")


class FileResult(dict[str, Any]):
    """One file of a `Files.get` of many: a dictionary with `path`, `content`, `byte_range` and `error`.

    The items are attributes too. `compress` and `raw` can be looked up as the others. They are items only if the
    content was read with `raw=True`: then it means nothing without them.

    Attributes:
        path: The path, as it was asked for.
        content: The content. None if there is no such file, or it could not be read.
        byte_range: Start and end of the range that was asked for, else (None, None).
        error: Why there is no content, else None. A `FileNotFoundError` if there is no such file.
        compress: Encoding of the file as it is stored: "gzip", "br", "zstd". None if it is not encoded.
        raw: Whether `content` is as it is stored, so encoded by `compress`.

    Examples:
        >>> result = branch.files().get(["missing.txt"])[0]
        >>> result["content"], result.content, result["compress"]
        (None, None, None)
    """

    __module__ = "lakefs_hl.types"

    path: str
    content: bytes | None
    byte_range: tuple[int | None, int | None]
    error: Exception | None
    compress: str | None
    raw: bool

    def __init__(
        self,
        path: str,
        content: bytes | None = None,
        byte_range: tuple[int | None, int | None] = (None, None),
        error: Exception | None = None,
        *,
        compress: str | None = None,
        raw: bool = False,
    ) -> None:
        super().__init__(path=path, content=content, byte_range=byte_range, error=error)
        if raw:
            self.update(compress=compress, raw=True)
        else:
            vars(self)["_compress"] = compress

    @classmethod
    def _of(cls, content: Content, data: bytes | None, error: Exception | None, *, raw: bool) -> FileResult:
        return cls(content.path, data, content.byte_range, error, compress=content.encoding, raw=raw)

    def __missing__(self, key: str) -> Any:
        if key == "compress":
            return vars(self).get("_compress")
        if key == "raw":
            return False
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return an item, or the default if there is none."""
        return self[key] if key in self or key in _HIDDEN else default

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=self) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (dict(self), self["compress"])

    def __copy__(self) -> FileResult:
        return _restore(dict(self), self["compress"])


def _restore(items: dict[str, Any], compress: str | None) -> FileResult:
    result = FileResult(items["path"], compress=compress)
    result.update(items)
    return result
