"""Look-ups of many objects: by listing where many of a prefix are asked for, else one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from lakefs_hl.ops import objects
from lakefs_hl.ops.effects import Op, gather_each
from lakefs_hl.ops.globs import before
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.limits import MAX_PAGE

#: Paths of one directory that are worth a try to list them, and the smallest share of a page that has to be asked for:
#: a page of 1,000 costs about as much as 20 look-ups.
LEAST_RUN: Final = 40
LEAST_SHARE: Final = 50
#: Paths that are looked up at a time.
BATCH: Final = 10_000


def stat_many(
    session: Session,
    repository: str,
    ref: str,
    paths: Iterable[str],
    limit: int | None,
    found: Callable[[models.ObjectStats | None], None],
) -> Op[None]:
    """Look up objects, and pass the record of each to `found` in the order of the paths; None if there is none.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference.
        paths: Paths of objects, read in batches.
        limit: Maximum number of concurrent requests. None leaves it to the server.
        found: Called with the records of a batch.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    stream, known = iter(paths), False
    while batch := list(islice(stream, BATCH)):
        records = yield from look_up(session, repository, ref, batch, limit)
        if not records and not known:
            yield from objects.check_reference(
                session, repository, ref, endpoints.STAT_OBJECT.describe(repository, ref, path=batch[0])
            )
        known = True
        for path in batch:
            found(records.get(path))


def look_up(
    session: Session, repository: str, ref: str, paths: Iterable[str], limit: int | None
) -> Op[dict[str, models.ObjectStats]]:
    """Return the records of those paths that are of objects."""
    single, runs = _split(sorted({path for path in paths if path}))
    records = dict[str, models.ObjectStats]()

    def keep(_: int, result: tuple[list[models.ObjectStats], list[str]]) -> None:
        records.update((record.path, record) for record in result[0])
        single.extend(result[1])

    pace = session.width.within(limit)
    if runs:
        yield from gather_each((_list_run(session, repository, ref, run) for run in runs), pace, keep)
    looks = (objects.look(session, repository, ref, path) for path in single)
    yield from gather_each(
        looks, pace, lambda _, record: records.update({} if record is None else {record.path: record})
    )
    return records


def _split(paths: list[str]) -> tuple[list[str], list[list[str]]]:
    """Return the paths to look up one by one, and runs of paths of one directory, in byte order."""
    single, runs = list[str](), list[list[str]]()
    for run in _runs(paths):
        if len(run) < LEAST_RUN:
            single += run
        else:
            runs += (run[at : at + MAX_PAGE] for at in range(0, len(run), MAX_PAGE))
    return single, runs


def _runs(paths: list[str]) -> Iterator[list[str]]:
    run, folder = list[str](), ""
    for path in paths:
        here = path.rpartition("/")[0]
        if run and here != folder:
            yield run
            run = []
        folder = here
        run.append(path)
    if run:
        yield run


def _list_run(
    session: Session, repository: str, ref: str, run: list[str]
) -> Op[tuple[list[models.ObjectStats], list[str]]]:
    """List the part of a directory that a run is in. Returns its records, and the paths that are left.

    It ends after a page that has few of the paths: looking up the others is cheaper.
    """
    wanted, left = set(run), run
    records = list[models.ObjectStats]()
    prefix, after = run[0][: run[0].rfind("/") + 1], before(run[0])
    while left:
        page = yield from objects.list_page(session, repository, ref, after, MAX_PAGE, prefix=prefix, delimiter="/")
        records += (row for row in page.results if row.path in wanted and row.path_type == "object")
        after = page.pagination.next_offset
        if not page.pagination.has_more:
            return records, []
        rest = [path for path in left if path > after]
        if len(left) - len(rest) < LEAST_SHARE:
            return records, rest
        left = rest
    return records, left
