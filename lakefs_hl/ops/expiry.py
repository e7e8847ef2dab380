"""Expiry: delete the objects of a prefix that were last modified before a moment."""

from __future__ import annotations

from collections.abc import Callable

from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.prefixes import check_branch
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import models
from lakefs_hl.spec.limits import MAX_PAGE


def expire(
    session: Session,
    repository: str,
    ref: str,
    prefix: str,
    suffix: str,
    before: float,
    found: Callable[[list[str], list[models.ObjectError]], None],
    *,
    dry_run: bool,
    about: str,
) -> Op[None]:
    """Delete objects page by page.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Branch to delete from; with `dry_run` any reference.
        prefix: Consider only objects with this prefix.
        suffix: Consider only objects whose path ends with this.
        before: Delete what was last modified at this time or earlier, in Unix seconds.
        found: Called with the paths of each page that have expired, and with those that could not be deleted.
        dry_run: Whether to delete nothing.
        about: What was asked, for messages.

    Raises:
        NotFoundException: The repository or the reference does not exist.
        BadRequestException: The reference is a tag or a commit, which are immutable.
    """
    if dry_run:
        ref = yield from refs.pin_expression(session, repository, ref, about=about)
    else:
        yield from check_branch(session, repository, ref, about)
    after, more = "", True
    while more:
        page = yield from objects.list_page(session, repository, ref, after, MAX_PAGE, prefix=prefix)
        paths = [row.path for row in page.results if row.mtime <= before and row.path.endswith(suffix)]
        rejected = list[models.ObjectError]()
        if paths and not dry_run:
            rejected = yield from objects.delete_batch(session, repository, ref, paths)
        if paths:
            found(paths, rejected)
        after, more = page.pagination.next_offset, page.pagination.has_more
