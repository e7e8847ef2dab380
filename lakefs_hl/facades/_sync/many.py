# Generated from lakefs_hl/facades/aio/many.py by tools/unasync.py: change that, not this.
"""Many objects of several repositories: dictionaries that name theirs, as S3 clients have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import lakefs_hl as lakefs
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.facades._sync.threads import Items, check_items, each
from lakefs_hl.types import ProgressLike

#: Names of the repository in an item.
_REPOSITORY: Final = ("repository", "bucket")
#: The branch of a repository that does not exist: its items fail by themselves.
_NO_BRANCH: Final = "main"


def upload(
    client: lakefs.Client,
    items: Items[Mapping[str, Any]],
    max_workers: int | None,
    on_error: Literal["raise", "return"],
    progress: ProgressLike | None,
) -> lakefs.TransferReport:
    """Write objects to the default branches of their repositories; see `Client.upload_many_concurrent`."""
    check_items(items, "items")
    found = _locate(client, items, "items", "branch")
    first = next(found, None)
    if first is None:
        return lakefs.TransferReport()
    branch = lakefs.Branch(first["repository"], first["branch"], client)
    whole = _chain(first, found)
    return branch.upload_many(whole, max_workers=max_workers, on_error=on_error, progress=progress)


def download(
    client: lakefs.Client,
    items: Items[Mapping[str, Any]],
    max_workers: int | None,
    on_error: Literal["raise", "return"],
    progress: ProgressLike | None,
) -> list[lakefs.GetResult]:
    """Read objects at the default branches of their repositories; see `Client.download_many_concurrent`."""
    check_items(items, "items")
    found = _locate(client, items, "items", "reference")
    first = next(found, None)
    if first is None:
        return []
    place = lakefs.Reference(first["repository"], first["reference"], client)
    whole = _chain(first, found)
    return place.download_many(whole, max_workers=max_workers, on_error=on_error, progress=progress)


def _locate(client: lakefs.Client, items: Items[Any], argument: str, reference: str) -> Iterator[dict[str, Any]]:
    """Yield items with the name of their repository and of its default branch, which is looked up once."""
    branches = dict[str, str]()
    for item in each(items):
        if not isinstance(item, Mapping):
            msg = f"{argument} must hold dictionaries, not {type(item).__name__}: {item!r:.80}"
            raise TypeError(msg)
        names = [item[name] for name in _REPOSITORY if name in item]
        if len(names) != 1:
            msg = f"{argument}: a dictionary names its repository as 'bucket' or 'repository', and one has {[*item]}"
            raise ValueError(msg)
        repository = lakefs.Repository(names[0], client)
        if repository.id not in branches:
            try:
                branches[repository.id] = repository.properties.default_branch
            except NotFoundException:
                branches[repository.id] = _NO_BRANCH
        rest = {name: value for name, value in item.items() if name not in _REPOSITORY}
        yield {"repository": repository.id, reference: branches[repository.id], **rest}


def _chain(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    for item in rest:
        yield item
