"""What lies under a prefix: matches of a pattern, amounts of data, and its removal. `ops.copies` copies and moves it.

Rules of the room: pages and batches of 1,000. The memory that an op takes does not grow with the number of objects.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.globs import Pattern
from lakefs_hl.ops.retry import Session, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: Rows of a page in process: a larger one would hold up an event loop.
IN_PROCESS_PAGE: Final = 500
#: Rows of the smallest page of a listing that skips ahead.
LEAST_PAGE: Final = 50


def page_size(session: Session) -> int:
    """Return the number of rows to list at a time."""
    return MAX_PAGE if session.remote else IN_PROCESS_PAGE


# -- look --------------------------------------------------------------------------------------------------------------


def glob_page(
    session: Session, repository: str, ref: str, after: str, amount: int, *, pattern: Pattern
) -> Op[models.ObjectPage]:
    """Return a page of the objects whose path matches a pattern, in byte order.

    Only what has the pattern's head is listed. A listing that comes to a directory without matches skips its rest, and
    goes on with smaller pages: the next directory may be like it. The key of the next page holds their size.
    """
    if pattern.literal:
        return _page((yield from _one(session, repository, ref, pattern.head)), "")
    most = page_size(session)
    given, _, after = after.partition(":")
    size = int(given) if given else most
    while True:
        page = yield from objects.list_page(
            session, repository, ref, after, size, prefix=pattern.head, delimiter=pattern.delimiter
        )
        rows = [row for row in page.results if row.path_type == "object" and pattern.matches(row.path)]
        more, after = page.pagination.has_more, page.pagination.next_offset
        if more and not pattern.delimiter:
            skipped = pattern.skip_to(after)
            size = min(most, 4 * size) if skipped == after else max(LEAST_PAGE, size // 4)
            after = skipped
        if len(rows) > amount:
            rows = rows[:amount]
            more, after = True, rows[-1].path
        if rows or not more:
            return _page(rows, f"{size}:{after}" if more else "")


def suffix_page(
    session: Session, repository: str, ref: str, after: str, amount: int, *, suffix: str, prefix: str, delimiter: str
) -> Op[models.ObjectPage]:
    """Return a page of the objects and common prefixes whose path ends with a suffix, in byte order.

    lakeFS lists by prefix only, so full pages are fetched whatever the amount is.
    """
    size = page_size(session)
    while True:
        page = yield from objects.list_page(session, repository, ref, after, size, prefix=prefix, delimiter=delimiter)
        rows = [row for row in page.results if row.path.endswith(suffix)]
        more, after = page.pagination.has_more, page.pagination.next_offset
        if len(rows) > amount:
            rows = rows[:amount]
            more, after = True, rows[-1].path
        if rows or not more:
            return _page(rows, after if more else "")


def _page(rows: list[models.ObjectStats], after: str) -> models.ObjectPage:
    return models.ObjectPage(models.Pagination(bool(after), after, len(rows), MAX_PAGE), rows)


def _one(session: Session, repository: str, ref: str, path: str) -> Op[list[models.ObjectStats]]:
    """Return the object of a path, if there is one."""
    if not path:
        return []
    try:
        return [(yield from objects.stat(session, repository, ref, path))]
    except errors.ObjectNotFoundException:
        return []


def is_file(session: Session, repository: str, ref: str, path: str) -> Op[bool]:
    """Return whether a path is that of an object. "" is not."""
    return bool(path) and (yield from objects.exists(session, repository, ref, path))


def is_dir(session: Session, repository: str, ref: str, path: str) -> Op[bool]:
    """Return whether there are objects under a path. "" is a directory, also without objects."""
    prefix = path if not path or path.endswith("/") else f"{path}/"
    page = yield from objects.list_page(session, repository, ref, "", 1, prefix=prefix)
    return bool(page.results) or not prefix


# -- measure -----------------------------------------------------------------------------------------------------------


class Total(msgspec.Struct, frozen=True):
    """An amount of data.

    Attributes:
        total_bytes: The sum of the sizes of the objects.
        object_count: Their number.
    """

    total_bytes: int = 0
    object_count: int = 0

    def add(self, size: int | None) -> Total:
        """Return the amount with one more object."""
        return Total(self.total_bytes + (size or 0), self.object_count + 1)


class TotalPage(msgspec.Struct, frozen=True):
    """A page of partial sums."""

    pagination: models.Pagination
    results: list[Total]


def usage_page(
    session: Session, repository: str, ref: str, after: str, _: int, *, prefix: str, every: int
) -> Op[TotalPage]:
    """Return the next partial sums, one for each `every` objects and the last one.

    The key after which the next page begins holds the sum so far: a page depends on nothing else.
    """
    total, path = _read_key(after)
    sums = list[Total]()
    while True:
        page = yield from objects.list_page(session, repository, ref, path, page_size(session), prefix=prefix)
        for row in page.results:
            total = total.add(row.size_bytes)
            if not total.object_count % every:
                sums.append(total)
        more, path = page.pagination.has_more, page.pagination.next_offset
        if not more and (not sums or sums[-1] != total):
            sums.append(total)
        if sums:
            key = f"{total.total_bytes}:{total.object_count}:{path}" if more else ""
            return TotalPage(models.Pagination(more, key, len(sums), MAX_PAGE), sums)


def _read_key(key: str) -> tuple[Total, str]:
    if not key:
        return Total(), ""
    size, count, path = key.split(":", 2)
    return Total(int(size), int(count)), path


def usage(
    session: Session, repository: str, ref: str, prefix: str, group_of: Callable[[str], str]
) -> Op[dict[str, Total]]:
    """Return the amount of data under a prefix by group, in the order of their names."""
    sizes, counts = dict[str, int](), dict[str, int]()
    after, more = "", True
    while more:
        page = yield from objects.list_page(session, repository, ref, after, page_size(session), prefix=prefix)
        for row in page.results:
            group = group_of(row.path)
            sizes[group] = sizes.get(group, 0) + (row.size_bytes or 0)
            counts[group] = counts.get(group, 0) + 1
        more, after = page.pagination.has_more, page.pagination.next_offset
    return {group: Total(sizes[group], counts[group]) for group in sorted(sizes)}


# -- remove ------------------------------------------------------------------------------------------------------------

#: Called with the paths of a batch and the failures among them.
Removed: TypeAlias = Callable[[list[str], list[models.ObjectError]], None]


def remove(session: Session, repository: str, branch: str, path: str, removed: Removed, *, recursive: bool) -> Op[None]:
    """Delete an object, or with `recursive` also all objects under its path.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        path: Path of an object, or a prefix that ends with "/".
        removed: Called after each batch.
        recursive: Whether to delete the objects under the path.

    Raises:
        ObjectNotFoundException: There is no such object, and nothing under the path.
        IsADirectoryError: There are objects under the path, none has it, and `recursive` is False.
    """
    about = f"removing {object_uri(repository, branch, path)}"
    yield from check_branch(session, repository, branch, about)
    prefix = path if path.endswith("/") else f"{path}/"
    found = yield from objects.look(session, repository, branch, path)
    if found is not None and not recursive:
        return removed([path], (yield from objects.delete_batch(session, repository, branch, [path])))
    page = yield from objects.list_page(session, repository, branch, "", MAX_PAGE if recursive else 1, prefix=prefix)
    if found is None and not page.results:
        raise not_found_error(about, repository, branch, path)
    if not recursive:
        msg = f"{about}: no object has this path, and there are objects under it; recursive=True deletes them all"
        raise directory_error(msg, object_uri(repository, branch, path))
    if found is not None and path != prefix:
        removed([path], (yield from objects.delete_batch(session, repository, branch, [path])))
    yield from _remove_pages(session, repository, branch, prefix, page, removed)


def _remove_pages(
    session: Session, repository: str, branch: str, prefix: str, page: models.ObjectPage, removed: Removed
) -> Op[None]:
    """Delete the objects of a page and of all that follow. While a batch is deleted, the next page is listed."""
    while page.results:
        paths, after = [row.path for row in page.results], page.pagination.next_offset
        ahead = objects.list_page(session, repository, branch, after, MAX_PAGE, prefix=prefix)
        deleting = objects.delete_batch(session, repository, branch, paths)
        steps: list[Op[Any]] = [deleting, ahead] if page.pagination.has_more else [deleting]
        failed, *following = yield from gather(steps, 2)
        removed(paths, failed)
        if not following:
            ahead.close()
            return
        page = following[0]


def check_branch(session: Session, repository: str, branch: str, about: str) -> Op[None]:
    """Raise if there is no such branch, or if it is a tag, a commit or an expression.

    Raises:
        NotFoundException: The repository or the branch does not exist.
        BadRequestException: `branch` is immutable.
    """
    look = call(session, Request(endpoints.GET_BRANCH, (repository, branch)), about=about)
    yield from refs.write_to(session, repository, branch, about, look)


def not_found_error(about: str, repository: str, ref: str, path: str) -> errors.ObjectNotFoundException:
    """Return the exception of a path that no object has or begins with."""
    error = errors.ObjectNotFoundException(f"{about}: no object has the path {path!r}, and none is under it")
    error.errno, error.filename, error.kind = (
        errno.ENOENT,
        object_uri(repository, ref, path),
        ErrorKind.OBJECT_NOT_FOUND,
    )
    return error


def directory_error(msg: str, uri: str) -> IsADirectoryError:
    """Return the exception of a path that no object has, and that is a prefix of others."""
    return IsADirectoryError(errno.EISDIR, msg, uri)
