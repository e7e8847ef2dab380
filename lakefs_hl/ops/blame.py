"""Blame: for each object, the commit that made it what it is.

That is the first entry of the object's history (`ops.versions`): the first commit of the log, merges left out, that
changed the object and left it as it is now. Two ways find it. One reads the log once for all objects of a page, with
the changes of each commit in the range of the page: it is the cheaper one for the objects that few commits have
changed last. The other asks for the log of one object. A page reads the log once for as many commits as it has objects,
and asks for those that are left one by one, so that its requests are bounded by its objects, however long the log is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lakefs_hl.ops import lookups, objects, refs, versions
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.globs import before
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.uri import object_uri

#: Most objects of a page.
MAX_ROWS: Final = 250
#: Maximum number of concurrent look-ups and diffs.
WIDTH: Final = 16
#: Objects of a page for which the log is not worth being read.
FEW: Final = 4
#: Most pages of the changes of a commit. One that changed more ends the reading of the log.
MAX_DIFF_PAGES: Final = 4


class Blamed(msgspec.Struct, frozen=True):
    """One object with its commit.

    Attributes:
        path: Path of the object.
        stats: The object.
        commit: The commit that made it what it is. None if the log has none.
        ref: ID of the commit that the objects are read from.
    """

    path: str
    stats: models.ObjectStats
    commit: models.Commit | None
    ref: str


class BlamePage(msgspec.Struct, frozen=True):
    """One page of objects with their commits."""

    pagination: models.Pagination
    results: list[Blamed]


class Blame:
    """The objects under a prefix, or one object, of what a reference points to when the first page is read.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference. Uncommitted changes of a branch are not part of it.
        where: Path of an object, or a prefix.
        is_prefix: Whether it is a prefix.
    """

    def __init__(self, session: Session, repository: str, ref: str, where: str, *, is_prefix: bool) -> None:
        self._session = session
        self._repository = repository
        self._ref = ref
        self._where = where
        self._is_prefix = is_prefix
        self._commit = ""

    def page(self, after: str, amount: int) -> Op[BlamePage]:
        """Return one page, in the order of the paths.

        Raises:
            NotFoundException: The repository or the reference does not exist.
            ObjectNotFoundException: The object does not exist.
        """
        session, repository = self._session, self._repository
        about = f"reading who changed {object_uri(repository, self._ref, self._where)}"
        self._commit = self._commit or (yield from refs.pin(session, repository, self._ref, about=about))
        if not self._is_prefix:
            rows, pagination = [(yield from self._look())], models.Pagination(False, "", 1, 1)
        else:
            most = min(amount, MAX_ROWS)
            found = yield from objects.list_page(session, repository, self._commit, after, most, prefix=self._where)
            rows, pagination = found.results, found.pagination
        search = _Search(session, repository, self._commit, rows)
        if len(rows) > FEW:
            yield from search.read_log(self._where)
        yield from search.look_for_each()
        results = [Blamed(row.path, row, search.found.get(row.path), self._commit) for row in rows]
        return BlamePage(pagination, results)

    def _look(self) -> Op[models.ObjectStats]:
        try:
            return (yield from objects.stat(self._session, self._repository, self._commit, self._where))
        except errors.ObjectNotFoundException as exc:
            exc.args = (f"{exc}; a prefix ends with '/'",)
            raise


class _Search:
    """The commits of the objects of a page.

    Attributes:
        found: The commits by path.
    """

    def __init__(self, session: Session, repository: str, ref: str, rows: list[models.ObjectStats]) -> None:
        self._session = session
        self._repository = repository
        self._ref = ref
        self._left = {row.path: row for row in rows}
        self._first, self._last = (rows[0].path, rows[-1].path) if rows else ("", "")
        self._budget = len(rows)
        self.found = dict[str, models.Commit | None]()

    def read_log(self, prefix: str) -> Op[None]:
        """Find what the newest commits have changed, at most one commit for each object."""
        prefixes = (prefix,) if prefix else ()
        offset, more = "", True
        while more and self._left and self._budget > 0:
            page = yield from refs.log_page(
                self._session, self._repository, self._ref, offset, min(WIDTH, self._budget), prefixes=prefixes
            )
            self._budget -= len(page.results)
            commits = [commit for commit in page.results if len(commit.parents) == 1]
            made = yield from gather((self._changes(commit) for commit in commits), WIDTH)
            for commit, records in zip(commits, made, strict=True):
                if records is None:  # what later commits have found does not count
                    return
                self._take(commit, records)
            offset, more = page.pagination.next_offset, page.pagination.has_more

    def _changes(self, commit: models.Commit) -> Op[dict[str, models.ObjectStats] | None]:
        """Return what a commit made of those objects that are left and that it changed. None if it changed too much."""
        paths, after, more, pages = list[str](), before(self._first), True, 0
        while more and after < self._last:
            if (pages := pages + 1) > MAX_DIFF_PAGES:
                return None
            page = yield from refs.diff_page(
                self._session, self._repository, commit.parents[0], commit.id, after, MAX_PAGE, type="two_dot"
            )
            paths += (row.path for row in page.results if row.path in self._left)
            after, more = page.pagination.next_offset, page.pagination.has_more
        return (yield from lookups.look_up(self._session, self._repository, commit.id, paths, WIDTH))

    def _take(self, commit: models.Commit, records: dict[str, models.ObjectStats]) -> None:
        for path, made in records.items():
            if path in self._left and versions.same(made, self._left[path]):
                self.found[path] = commit
                del self._left[path]

    def look_for_each(self) -> Op[None]:
        """Find the commits of the objects that are left, by the log of each."""
        left = list(self._left.values())
        commits = yield from gather(
            (versions.newest(self._session, self._repository, self._ref, row) for row in left), WIDTH
        )
        self.found.update(zip((row.path for row in left), commits, strict=True))
