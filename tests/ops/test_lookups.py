"""Look-ups of many objects, with prepared responses and against a lake of a dictionary."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from lakefs_hl.ops import lookups
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.wire import Request, Response
from tests.ops.script import C1, Play, no, ok, page, ref, session, step

if TYPE_CHECKING:
    import pytest

S = session(exactly_once=False)


def obj(path: str) -> models.ObjectStats:
    return models.ObjectStats(path, "object", "local://x", "e", 1, 1)


def stat_many(play: Any, paths: list[str]) -> list[str | None]:
    records = list[models.ObjectStats | None]()
    play.run(lookups.stat_many(S, "r", "b", iter(paths), 16, records.append))
    return [None if record is None else record.path for record in records]


class Lake(Play):
    """Answers look-ups and listings from a set of paths, and counts requests."""

    def __init__(self, paths: set[str]) -> None:
        super().__init__()
        self.paths = sorted(paths)

    def _exchange(self, request: Request) -> Response:
        self.sent.append(request)
        if request.endpoint.operation == "statObject":
            path = request.query["path"]
            return ok(obj(path)) if path in self.paths else no(404, "not found")
        assert request.endpoint.operation == "listObjects", request
        query, rows = {name: str(value) for name, value in request.query.items()}, list[models.ObjectStats]()
        for path in self.paths:
            prefix = query.get("prefix", "")
            if not path.startswith(prefix):
                continue
            name, slash, _ = path[len(prefix) :].partition("/")
            row = models.ObjectStats(f"{prefix}{name}/", "common_prefix") if slash else obj(path)
            if row.path > query.get("after", "") and (not rows or rows[-1].path != row.path):
                rows.append(row)
        amount = int(query["amount"])
        return page(*rows[:amount], after=rows[amount - 1].path if len(rows) > amount else "")

    def operations(self) -> list[str]:
        return [request.endpoint.operation for request in self.sent]


def test_few_paths_are_looked_up_one_by_one() -> None:
    lake = Lake({"a", "d/b"})
    assert stat_many(lake, ["d/b", "x", "a", "a", ""]) == ["d/b", None, "a", "a", None]
    assert lake.operations() == ["statObject"] * 3  # once each


def test_a_dense_directory_is_listed() -> None:
    paths = [f"d/{at:04}" for at in range(2500)]
    lake = Lake({*paths[::2], *(f"e/{at}" for at in range(5000))})
    found = stat_many(lake, paths)
    assert found == [path if at % 2 == 0 else None for at, path in enumerate(paths)]
    assert set(lake.operations()) == {"listObjects"}
    assert len(lake.sent) <= 6


def test_a_sparse_directory_costs_one_page_of_a_listing() -> None:
    lake = Lake({f"d/{at:06}" for at in range(20_000)})
    paths = [f"d/{at:06}" for at in range(0, 20_000, 400)]
    assert stat_many(lake, paths) == paths
    assert lake.operations().count("listObjects") == 1
    assert lake.operations().count("statObject") < len(paths)


def test_random_paths_are_found_as_in_a_dictionary(rng: random.Random) -> None:
    names = [f"{top}{rng.randrange(3000)}" for top in ("", "a/", "a/b/", "a-/", "é/") for _ in range(700)]
    present = set(rng.sample(names, len(names) // 2))
    asked = rng.choices(names, k=3000)
    assert stat_many(Lake(present), asked) == [path if path in present else None for path in asked]


def test_batches_are_looked_up_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "BATCH", 2)
    lake, read = Lake({"a", "c"}), list[int]()

    def paths() -> Any:
        for path in "abcd":
            read.append(len(lake.sent))
            yield path

    records = list[models.ObjectStats | None]()
    lake.run(lookups.stat_many(S, "r", "b", paths(), 16, records.append))
    assert [record is not None for record in records] == [True, False, True, False]
    assert read == [0, 0, 2, 2]  # the second batch is read when the first one was looked up


def test_the_reference_is_checked_if_nothing_exists() -> None:
    missing = step("statObject", "r", "b", answer=no(404, "not found"))
    assert stat_many(Play(missing, step("getCommit", "r", "b", answer=ref("b", C1))), ["a"]) == [None]
    play = Play(missing, step("getCommit", "r", "b", answer=no(404, "commit not found")))
    op = lookups.stat_many(S, "r", "b", ["a"], 16, lambda _: None)
    error = play.fails(op, errors.NotFoundException, "looking up lakefs://r/b/a")
    assert not isinstance(error, errors.ObjectNotFoundException)


def test_nothing_is_asked_for_no_paths() -> None:
    assert stat_many(Play(), []) == []
