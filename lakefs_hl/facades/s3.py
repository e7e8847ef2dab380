"""Objects of S3: keys that are no directories, with an encoding and metadata of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lakefs_hl.facades.infos import entry_of
from lakefs_hl.facades.records import Entry


class S3Reads:
    """The part of a file system of fsspec that looks up and lists objects of S3."""

    _fs: Any
    _root: str

    def _clean(self, error: Exception) -> Exception:
        raise NotImplementedError  # a store hides its secrets

    def _find_in_s3(self, path: str) -> tuple[str, Entry] | None:
        full = self._root + path
        bucket, key, _ = self._fs.split_path(full)
        try:
            head = self._fs.call_s3("head_object", self._fs.req_kw, Bucket=bucket, Key=key)
        except Exception as exc:
            if _status_of(exc) in (404, "404", "NoSuchKey"):
                return None
            raise
        entry = entry_of(path, {**head, "size": head["ContentLength"]}, head.get("ContentEncoding") or None)
        return full, entry._replace(metadata=dict(head.get("Metadata") or {}))

    def _walk_s3(self, prefix: str, *, flat: bool, after: str) -> Iterator[Entry]:
        """Yield the objects of S3, page by page: its keys are no directories, and s3fs hides some of them."""
        bucket, root, _ = self._fs.split_path(self._root)
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": root + prefix, "Delimiter": "/" if flat else ""}
        if after:
            asked["StartAfter"] = root + after
        while True:
            page = self._page(asked)
            # a key that ends with a slash stands for a directory in some tools, and is no object
            rows = [
                entry_of(row["Key"][len(root) :], {**row, "size": row["Size"]}, None)
                for row in page.get("Contents", ())
                if not row["Key"].endswith("/")
            ]
            rows += [Entry(row["Prefix"][len(root) :], 0) for row in page.get("CommonPrefixes", ())]
            for entry in sorted(rows, key=lambda row: row.path.encode()):
                if entry.path.encode() > after.encode():  # of a common prefix, S3 compares what is in it
                    yield entry
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _page(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._fs.call_s3("list_objects_v2", self._fs.req_kw, **asked)
        except FileNotFoundError:
            return {}
        except Exception as exc:  # noqa: BLE001
            failure = self._clean(exc)
        else:
            return found
        raise failure


def _status_of(error: BaseException) -> object:
    """Return the code of an error of S3. s3fs may have translated it."""
    if isinstance(error, FileNotFoundError):
        return 404
    return getattr(error, "response", {}).get("Error", {}).get("Code")
