"""Table diffs: every format and type, against a comparison of plain Python values."""

from __future__ import annotations

import gzip
import io
import math
import pickle
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.facades import table_values
from lakefs_hl.facades.tables import TableDiff

NAN = float("nan")


@pytest.fixture(scope="module")
def main() -> Iterator[lakefs_hl.Branch]:
    with lakefs_hl.Client("mem://") as client:
        repo = lakefs_hl.repository("tables", client=client).create()
        repo.branch("dev").create("main")
        yield repo.branch("main")


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has a temporary directory of its own, which is empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def content(table: Any, kind: str = "parquet") -> bytes:
    """A table as a file."""
    file = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, file)
    elif kind == "file":
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    else:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    return file.getvalue()


def diff(main: Any, *versions: Any, keys: Any = "k", name: str = "t.parquet", **options: Any) -> TableDiff:
    """Compare two tables, or the content of two files."""
    dev = lakefs_hl.Branch("tables", "dev", main._given)
    for branch, table in zip((main, dev), versions, strict=True):
        branch.upload(table if isinstance(table, bytes | str) else content(table), name)
    found: TableDiff = main.table_diff(dev, name, keys, **options)
    return found


def column(main: Any, before: Any, after: Any, **options: Any) -> set[int]:
    """Compare two columns, and return the rows in which they differ."""
    rows = pa.array(range(len(before)))
    found = diff(main, pa.table({"k": rows, "v": before}), pa.table({"k": rows, "v": after}), **options)
    assert found.counts[:2] == (0, 0)
    return {row.key["k"] for row in found}


# --------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("before", "after", "differing"),
    [
        (pa.array([1.0, NAN, None, NAN, 0.0]), pa.array([1.0, -NAN, None, None, -0.0]), {3}),
        (pa.array([0.5, 0.1], pa.float32()), pa.array([0.5, 0.1], pa.float64()), {1}),
        (pa.array([1, 2, None], pa.int8()), pa.array([1, 3, None], pa.int64()), {1}),
        (pa.array([1, 2], pa.uint64()), pa.array([1, -2], pa.int8()), {1}),
        (pa.array([2**64 - 1, 5], pa.uint64()), pa.array([-1, 5], pa.int64()), {0}),
        (pa.array([1, 2**53 + 1, None]), pa.array([1.0, 2.0**53, None]), {1}),
        (pa.array([2**63 - 1, 3]), pa.array([2.0**63, 3.5]), {0, 1}),
        (pa.array([2**64 - 1, 2**63], pa.uint64()), pa.array([2.0**64, 2.0**63]), {0}),
        (pa.array(["a", "", None]), pa.array(["a", None, None]), {1}),
        (pa.array(["a", "b"]), pa.array(["a", "c"], pa.large_string()), {1}),
        (pa.array(["a", "b", None]), pa.array(["a", "c", None]).dictionary_encode(), {1}),
        (pa.array(["a", "é"]), pa.array([b"a", "é".encode()]), set()),
        (pa.array([b"\x00", b"ab"], pa.binary()), pa.array([b"\x00", b"a"], pa.binary()), {1}),
        (pa.array([b"ab", b"cd"], pa.binary(2)), pa.array([b"ab", b"ce"]), {1}),
        (pa.array(["1", None]), pa.array([1, None]), {0}),
        (pa.array([True, False]), pa.array([1, 0]), {0, 1}),
        (pa.array([None, None]), pa.array([None, 5]), {1}),
        (pa.array([Decimal("1.10"), Decimal("2.00")]), pa.array([Decimal("1.1"), Decimal("2.01")]), {1}),
        (pa.array([Decimal("1.00"), Decimal("2.50")]), pa.array([1, 2]), {1}),
        (pa.array([Decimal("0.5"), Decimal("0.25")]), pa.array([0.5, 0.3]), {1}),
        (pa.array([1, 2], pa.timestamp("ms")), pa.array([1000, 2001], pa.timestamp("us")), {1}),
        (pa.array([-1500, -1], pa.timestamp("ms")), pa.array([-(15 * 10**8), -(10**6) - 1], pa.timestamp("ns")), {1}),
        (pa.array([2**40, 1], pa.timestamp("s")), pa.array([2**40, 10**9], pa.timestamp("ns")), {0}),
        (pa.array([1, 2], pa.timestamp("us", "UTC")), pa.array([1, 3], pa.timestamp("us", "Europe/Berlin")), {1}),
        (pa.array([1, None], pa.timestamp("us")), pa.array([1, None], pa.timestamp("us", "UTC")), {0}),
        (pa.array([1, 2], pa.date32()), pa.array([86_400_000, 0], pa.date64()), {1}),
        (pa.array([1, 2], pa.time32("s")), pa.array([1000, 2001], pa.time32("ms")), {1}),
        (pa.array([1, 2], pa.duration("s")), pa.array([1000, 2001], pa.duration("ms")), {1}),
        (pa.array([[1, 2], [], None, [None]]), pa.array([[1, 2], None, None, [0]]), {1, 3}),
        (pa.array([[1, 2], [3]], pa.list_(pa.int8())), pa.array([[1, 2], [4]], pa.large_list(pa.int64())), {1}),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)), pa.array([[1, 2], [3, 5]]), {1}),
        (pa.array([[NAN, 0.0]]), pa.array([[NAN, -0.0]]), set()),
        (pa.array([["a", None], ["b"]]), pa.array([["a", None], ["b", ""]]), {1}),
        (pa.array([{"a": 1}, {"a": None}, None]), pa.array([{"a": 1}, None, None]), {1}),
        (pa.array([{"a": 1}, {"a": 2}]), pa.array([{"b": None, "a": 1}, {"b": "x", "a": 2}]), {1}),
        (pa.array([{"a": [{"b": 1}]}, {"a": []}]), pa.array([{"a": [{"b": 2}]}, {"a": []}]), {0}),
        (
            pa.array([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int8())),
            pa.array([[("a", 1)], [("b", 3)]], pa.map_(pa.string(), pa.int64())),
            {1},
        ),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_values_of_every_type(main: Any, before: Any, after: Any, differing: set[int]) -> None:
    rows = pa.array(range(len(before)))
    for first, second, kind in ((before, after, "parquet"), (after, before, "file")):
        name = "t.parquet" if kind == "parquet" else "t.arrow"
        tables = [content(pa.table({"k": rows, "v": each}), kind) for each in (first, second)]
        found = diff(main, *tables, name=name)
        assert {row.key["k"] for row in found} == differing
        assert found.columns == ({"v": len(differing)} if differing else {})
        if kind == "file":  # Parquet has fewer types
            wanted = (str(first.type), str(second.type))
            assert found.schema.changed == ({"v": wanted} if wanted[0] != wanted[1] else {})
        # whole rows: the same ones
        whole = diff(main, *tables, keys=None, name=name)
        assert {row.before["k"] for row in whole if row.before} == differing
        assert {row.after["k"] for row in whole if row.after} == differing
        assert whole.counts == (len(differing), len(differing), 0, len(before) - len(differing))


def test_hashes_of_equal_values_are_equal() -> None:
    nested = pa.large_list(pa.struct([("a", pa.float64()), ("b", pa.large_string())]))
    first = pa.array([[{"a": NAN, "b": "x"}], [{"a": 0.0, "b": None}], [], None], nested)
    second = pa.array([[{"a": -NAN, "b": "x"}], [{"a": -0.0, "b": None}], [], None], nested)
    rows = [table_values.hashes([each], 4) for each in (first, second)]
    assert (rows[0] == rows[1]).all()
    assert len(set(rows[0])) == 4
    kinds: list[Any] = [
        pa.array([1, 2, None], pa.int8()),
        pa.array([1, 2, None], pa.uint64()),
        pa.array([True, False, None]),
        pa.array([1, 2, None], pa.date32()),
        pa.array([1, 2, None], pa.time32("s")),
        pa.array([1, 2, None], pa.timestamp("ns", "UTC")),
        pa.array([Decimal("1.1"), Decimal("1.2"), None]),
        pa.array(["a", "b", None]),
        pa.array([b"a", b"b", None]),
        pa.array([1.5, NAN, None], pa.float32()),
    ]
    for each in kinds:
        assert len(set(table_values.hashes([each], 3))) == 3, each.type
        assert list(table_values.hashes([each], 3)) == list(table_values.hashes([each.take(pa.array([0, 1, 2]))], 3))


def test_tolerance(main: Any) -> None:
    before = pa.array([1.0, 1000.0, 0.1, NAN, math.inf, None, 1.0])
    after = pa.array([1.05, 1050.0, 0.3, 1.0, -math.inf, 1.0, math.inf])
    assert column(main, before, after, tolerance=0.06) == {2, 3, 4, 5, 6}
    assert column(main, pa.array([100, 5]), pa.array([101.0, 6.0]), tolerance=0.01) == {1}
    with pytest.raises(ValueError, match="tolerance needs keys"):
        main.table_diff("dev", "t.parquet", tolerance=0.1)
    texts = ["k,v\n0,1.50\n1,x\n2,007\n", "k,v\n0,1.5\n1,x\n2,7\n"]
    found = diff(main, *texts, name="t.csv", tolerance=1e-9)
    assert [row.key["k"] for row in found] == [2]


# ----------------------------------------------------------------------------------------------------------- an oracle

VALUES = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, NAN, 1e300]))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ä", "a\x00b", " "]))
LISTS = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=2))
ROWS = st.dictionaries(
    st.tuples(st.integers(-3, 12), st.sampled_from("xy")), st.tuples(VALUES, TEXTS, LISTS), max_size=12
)
SCHEMA = pa.schema(
    [("a", pa.int64()), ("b", pa.string()), ("v", pa.float64()), ("t", pa.string()), ("l", pa.list_(pa.int64()))]
)


def plain(value: Any) -> Any:
    """A value that equals what the comparison takes for equal."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return tuple(value) if isinstance(value, list) else value


def as_table(rows: dict[Any, Any]) -> Any:
    names = SCHEMA.names
    return pa.Table.from_pylist(
        [dict(zip(names, (*key, *values), strict=True)) for key, values in rows.items()], SCHEMA
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(ROWS, ROWS, st.sampled_from(["parquet", "file", "stream"]), st.booleans())
def test_keyed_rows_against_dictionaries(main: Any, before: Any, after: Any, kind: str, spilled: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if spilled:
            _spill(patch)
        name = "t.parquet" if kind == "parquet" else "t.arrow"
        found = diff(main, *(content(as_table(rows), kind) for rows in (before, after)), keys=["a", "b"], name=name)
    same = {key for key in before.keys() & after.keys() if _plain(before[key]) == _plain(after[key])}
    changed = (before.keys() & after.keys()) - same
    rows = {kind: [row for row in found if row.kind == kind] for kind in ("added", "removed", "changed")}
    assert [tuple(row.key.values()) for row in rows["added"]] == [key for key in after if key not in before]
    assert [tuple(row.key.values()) for row in rows["removed"]] == [key for key in before if key not in after]
    assert [tuple(row.key.values()) for row in rows["changed"]] == [key for key in before if key in changed]
    expected = (len(after.keys() - before.keys()), len(before.keys() - after.keys()), len(changed), len(same))
    if content(as_table(before), kind) != content(as_table(after), kind):
        assert found.counts == expected
    for row in rows["changed"]:
        key = tuple(row.key.values())
        wanted = [
            name for name, old, new in zip("vtl", before[key], after[key], strict=True) if plain(old) != plain(new)
        ]
        assert list(row.columns) == wanted
        assert [_plain(list(each.values())[2:]) for each in (row.before, row.after)] == [  # type: ignore[union-attr]
            _plain(before[key]),
            _plain(after[key]),
        ]
    assert bool(found) == bool(sum(expected[:3]))


def _plain(values: Any) -> list[Any]:
    return [plain(value) for value in values]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(
    st.lists(st.tuples(VALUES, TEXTS, LISTS), max_size=12),
    st.lists(st.tuples(VALUES, TEXTS, LISTS), max_size=12),
    st.booleans(),
)
def test_whole_rows_against_counters(main: Any, before: Any, after: Any, spilled: bool) -> None:
    tables = [
        pa.Table.from_pylist([dict(zip("vtl", row, strict=True)) for row in rows], pa.schema(list(SCHEMA)[2:]))
        for rows in (before, after)
    ]
    with pytest.MonkeyPatch.context() as patch:
        if spilled:
            _spill(patch)
        found = diff(main, *tables, keys=None)
    counts = [Counter(tuple(_plain(row)) for row in rows) for rows in (before, after)]
    assert Counter(tuple(_plain(row.after.values())) for row in found if row.after) == counts[1] - counts[0]
    assert Counter(tuple(_plain(row.before.values())) for row in found if row.before) == counts[0] - counts[1]
    if content(tables[0]) != content(tables[1]):
        assert found.counts.unchanged == (counts[0] & counts[1]).total()


def _spill(patch: pytest.MonkeyPatch) -> None:
    """Write rows to files as if they had no room in memory, and split the files again and again."""
    patch.setattr("lakefs_hl.facades.table_compare._WHOLE", 1 << 28)
    patch.setattr("lakefs_hl.facades.table_compare._PARTITION", 1 << 18)
    patch.setattr("lakefs_hl.facades.table_compare._BUFFER", 1 << 20)
    patch.setattr("lakefs_hl.facades.table_spill._LEAST", 2)
    patch.setattr("lakefs_hl.facades.table_spill._MOST", 2)


def test_the_oracle_sees_partitions(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakefs_hl.facades import table_spill

    made = list[int]()
    original = table_spill.Partitions.__init__

    def note(self: Any, work: Any, schema: Any, hasher: Any, number: int, level: int, buffer: int) -> None:
        made.append(level)
        original(self, work, schema, hasher, number, level, buffer)

    monkeypatch.setattr(table_spill.Partitions, "__init__", note)
    _spill(monkeypatch)
    before = pa.table({"k": range(500), "v": range(500)})
    found = diff(main, before, before.set_column(1, "v", pa.array([-1, *range(1, 500)])).slice(0, 499))
    assert max(made) >= 2
    assert found.counts == (0, 1, 1, 498)
    assert [row.key["k"] for row in found] == [499, 0]


# ------------------------------------------------------------------------------------------------- keys and the columns


def test_keys_that_do_not_identify_rows(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    once, often = pa.table({"k": [1, 2], "v": [1, 1]}), pa.table({"k": [1, 5, 5, 6, 6, 6], "v": [1] * 6})
    said = r"keys \['k'\] do not identify the rows of lakefs://tables/dev/t.parquet: 2 .* such as {'k': 5}, in 2 rows"
    with pytest.raises(ValueError, match=said):
        diff(main, once, often)
    with pytest.raises(ValueError, match=r"lakefs://tables/main/t.parquet"):
        diff(main, often, once)
    with pytest.raises(ValueError, match=r"lakefs://tables/main/t.parquet"):
        diff(main, often, pa.table({"k": pa.array([], pa.int64()), "v": pa.array([], pa.int64())}))
    with pytest.raises(ValueError, match=r"'k' of lakefs://tables/dev/t.parquet is null in 1 rows"):
        diff(main, once, pa.table({"k": [1, None], "v": [1, 1]}))
    assert diff(main, often, once, keys=None).counts == (1, 5, 0, 1)
    _spill(monkeypatch)
    with pytest.raises(ValueError, match="at least 1 of their values occur more than once"):
        diff(main, once, often)


def test_keys_of_different_types(main: Any) -> None:
    before = pa.table({"k": pa.array([1, 2, 3], pa.int32()), "v": [1, 2, 3]})
    after = pa.table({"k": pa.array([1.0, 2.5, 3.0]), "v": [1, 2, 4]})
    found = diff(main, before, after)
    assert found.counts == (1, 1, 1, 1)
    assert found.to_arrow()["key"].to_pylist() == [{"k": 2.5}, {"k": 2.0}, {"k": 3.0}]
    assert list(found.to_pandas()["k"]) == [2.5, 2.0, 3.0]
    with pytest.raises(ValueError, match="column 'k' cannot identify rows: its types are int32 and large_string"):
        diff(main, before, pa.table({"k": ["1"], "v": [1]}))
    with pytest.raises(ValueError, match="column 'v' cannot identify rows"):
        diff(main, pa.table({"k": [1], "v": [[1]]}), pa.table({"k": [2], "v": [[1]]}), keys="v")


def test_columns_that_one_version_does_not_have(main: Any) -> None:
    before = pa.table({"k": [1, 2], "old": [1, 2], "v": [1, 2]})
    after = pa.table({"v": ["1", "2"], "k": [1, 2], "new": [5.0, None]}).select(["v", "k", "new"])
    found = diff(main, before, before.drop_columns(["old"]).append_column("new", pa.array([5.0, None])))
    assert found.counts == (0, 0, 0, 2)
    assert found.schema.added == {"new": "double"}
    assert found.schema.removed == {"old": "int64"}
    assert (found.schema.changed, found.schema.is_reordered) == ({}, False)
    assert found
    assert "the schema differs" in repr(found)
    found = diff(main, before, after)
    assert found.schema.is_reordered
    assert found.schema.changed == {"v": ("int64", "string")}
    assert found.columns == {"v": 2}
    assert [row.after for row in found] == [{"v": "1", "k": 1, "new": 5.0}, {"v": "2", "k": 2, "new": None}]
    # nothing in common
    found = diff(main, pa.table({"a": [1]}), pa.table({"b": [1, 2]}), keys=None)
    assert found.counts == (2, 1, 0, 0)
    for keys in ("old", "new", ["k", "nothing"]):
        with pytest.raises(
            ValueError, match=r"keys: no column '\w+' in lakefs://tables/(main|dev)/t.parquet; the columns are"
        ):
            diff(main, before, after, keys=keys)


def test_nullable_and_metadata(main: Any) -> None:
    first = pa.schema([pa.field("k", pa.int64(), nullable=False)], {"unit": "m", "pandas": "1"})
    second = pa.schema([pa.field("k", pa.int64())], {"unit": "cm", "pandas": "2", "more": "x"})
    found = diff(main, *(pa.table({"k": [1]}).cast(each) for each in (first, second)))
    assert found.schema.nullable == {"k": (False, True)}
    assert found.schema.metadata == ("more", "unit")
    assert found.schema.to_dict()["nullable"] == {"k": [False, True]}
    assert found
    assert found.schema.before.field("k").nullable is False
    assert "not null → may be null" in _text(found._repr_html_())


def _text(html: str) -> str:
    return re.sub("<[^>]*>", "", html)


def test_ignored_columns(main: Any) -> None:
    before = pa.table({"k": [1, 2], "v": [1, 2], "at": [1, 2]})
    after = pa.table({"k": [1, 2], "v": [1, 3], "at": [5, 6]})
    assert diff(main, before, after).counts == (0, 0, 2, 0)
    found = diff(main, before, after, ignore=["at"])
    assert (found.counts, found.columns) == ((0, 0, 1, 1), {"v": 1})
    assert [row.after for row in found] == [{"k": 2, "v": 3, "at": 6}]
    assert diff(main, before, after, keys=None, ignore=("at", "v")).counts == (0, 0, 0, 2)
    with pytest.raises(
        ValueError, match=r"ignore: no column 'nothing' in lakefs://tables/main/t.parquet and lakefs://"
    ):
        diff(main, before, after, ignore="nothing")
    with pytest.raises(ValueError, match="ignore and keys both have column 'k'"):
        diff(main, before, after, ignore="k")


def test_types_that_are_not_compared(main: Any) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    before, after = (content(pa.table({"k": [1, 2], "v": v, "u": union}), "file") for v in ([1, 2], [1, 3]))
    with pytest.raises(exceptions.UnsupportedOperationException, match=r"column 'u' .* ignore=\['u'\]"):
        diff(main, before, after, name="t.arrow")
    found = diff(main, before, after, name="t.arrow", ignore=["u"])
    assert (found.counts, list(found)[0].after) == ((0, 0, 1, 1), {"k": 2, "v": 3})


def test_two_columns_of_one_name(main: Any) -> None:
    table = pa.table([[1], [2]], names=["a", "a"])
    with pytest.raises(
        ValueError, match=r"reading lakefs://tables/dev/t.parquet as parquet: there are two columns 'a'"
    ):
        diff(main, pa.table({"a": [1]}), table, keys="a")
    with pytest.raises(ValueError, match="there are two columns 'a'"):
        diff(main, "a,b,a\n1,2,3\n", "a\n1\n", keys=None, name="t.csv")


def test_a_wide_table_and_odd_names(main: Any) -> None:
    names = ["", " ", "a.b", "a b", "<b>", "ключ", "k\n", *(f"c{number}" for number in range(300))]
    before = pa.table({name: [number, number] for number, name in enumerate(names)} | {"k": [1, 2]})
    values = before.to_pydict()
    values["c200"][1] = -1
    values[""][1] = -1
    found = diff(main, before, pa.table(values))
    assert [(row.key, row.columns) for row in found] == [({"k": 2}, ("", "c200"))]
    assert "<b>" not in found._repr_html_().replace("<b>TableDiff</b>", "")


# -------------------------------------------------------------------------------------------------------------- formats


def test_csv_is_compared_as_text(main: Any) -> None:
    before = 'id,n,t,d\n1,007,"a, b",1.50\n2,7,,1.5\n3,1,"",2\n'
    after = 'id,n,t,d\n1,7,"a, b",1.5\n2,7,"",1.5\n3,1,"",2\n'
    found = diff(main, before, after, keys="id", name="t.csv")
    assert [(row.key, row.columns) for row in found] == [({"id": 1}, ("n", "d")), ({"id": 2}, ("t",))]
    assert found.schema.changed == {"n": ("string", "int64"), "d": ("string", "double")}
    assert [row.before["t"] for row in found if row.before] == ["a, b", None]
    assert [row.after["n"] for row in found if row.after] == ["7", "7"]
    assert found.schema.before.field("id").type == pa.int64()
    assert not diff(main, "k,v\n", "k,v\n1,2\n", name="t.csv").schema
    same = diff(main, "\ufeff" + before, before.replace("\n", "\r\n"), keys="id", name="t.csv")
    assert not same
    for one, other in (
        ("1", "1.0"),
        ("0", "-0"),
        ("1", "01"),
        ("1", "+1"),
        ("1e3", "1000"),
        ("9" * 30, "9" * 29 + "8"),
    ):
        assert diff(main, f"v\n{one}\n", f"v\n{other}\n", keys=None, name="t.csv").counts == (1, 1, 0, 0), one
    assert diff(main, "v\n1\n", "v\n1.0\n", keys=None, name="t.csv").schema.changed == {"v": ("int64", "double")}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.bz2", "t.csv.zst", "t.tsv"])
def test_compressed_csv(main: Any, name: str) -> None:
    codec = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}.get(name.rpartition(".")[2])
    contents = []
    for text in ("k\tv\n1\tx\n2\ty\n", "k\tv\n1\tx\n2\tz\n"):
        given = (text if name == "t.tsv" else text.replace("\t", ",")).encode()
        if codec:
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, codec) as stream:
                stream.write(given)
            given = sink.getvalue().to_pybytes()
        contents.append(given)
    found = diff(main, *contents, name=name)
    assert [(row.key, row.before, row.after) for row in found] == [({"k": 2}, {"k": 2, "v": "y"}, {"k": 2, "v": "z"})]


def test_csv_with_long_rows_and_another_delimiter(main: Any) -> None:
    long = "x" * 3_000_000
    found = diff(main, f"k;v\n1;{long}\n2;b\n", f"k;v\n1;{long}y\n2;b\n", name="t.csv", delimiter=";")
    assert found.counts == (0, 0, 1, 1)
    assert len(found._repr_html_()) < 10_000
    with pytest.raises(ValueError, match=r"a row is longer than 1,048,576 bytes; raise memory="):
        diff(main, f"k;v\n1;{long}\n", "k;v\n1;b\n", name="t.csv", delimiter=";", memory=16 << 20)


@pytest.mark.parametrize(
    ("name", "damaged", "said"),
    [
        ("t.parquet", b"PAR1 but no more", "reading lakefs://tables/dev/t.parquet as parquet: .*footer"),
        ("t.parquet", b"", "reading lakefs://tables/dev/t.parquet as parquet: .*size is 0"),
        ("t.arrow", b"ARROW1\x00\x00 no", "reading lakefs://tables/dev/t.arrow as arrow: "),
        ("t.feather", b"FEA1 of long ago", "reading lakefs://tables/dev/t.feather as arrow: "),
        ("t.csv", b"k,v\n1,2,3\n", "reading lakefs://tables/dev/t.csv as csv: .*Expected 2 columns, got 3"),
        ("t.csv", b"", "the file is empty, and has no names of columns"),
        ("t.csv", "k,v\n1,ä\n".encode("latin-1"), "reading lakefs://tables/dev/t.csv as csv: .*utf-8"),
        ("t.csv.gz", gzip.compress(b"k,v\n1,2\n" * 9, mtime=0)[:-9], "reading lakefs://tables/dev/t.csv.gz as csv: "),
    ],
)
def test_damaged_files(main: Any, name: str, damaged: bytes, said: str) -> None:
    table = pa.table({"k": [1], "v": [2]})
    whole = {"t.csv": b"k,v\n1,2\n", "t.csv.gz": b"k,v\n1,2\n", "t.parquet": content(table)}
    with pytest.raises(ValueError, match=said):
        diff(main, whole.get(name, content(table, "file")), damaged, name=name)


def test_a_page_that_is_damaged(main: Any) -> None:
    table = pa.table({"k": range(5000), "v": np.random.default_rng(1).random(5000)})
    whole = content(table)
    damaged = bytearray(whole)
    damaged[100:2000] = bytes(1900)
    with pytest.raises(ValueError, match=r"reading lakefs://tables/dev/t.parquet as parquet: "):
        diff(main, whole, bytes(damaged))


def test_formats_by_name(main: Any) -> None:
    table = content(pa.table({"k": [1]}))
    with pytest.raises(
        ValueError, match=r"lakefs://tables/main/t.data does not say its format: .* set format= to 'parq"
    ):
        diff(main, table, table, name="t.data")
    assert diff(main, table, content(pa.table({"k": [2]})), name="t.data", format="parquet").counts == (1, 1, 0, 0)
    with pytest.raises(ValueError, match="are not compared with values that have"):
        main.upload("k\n1\n", "moved.csv")
        lakefs_hl.Branch("tables", "dev", main._given).upload(table, "moved.parquet")
        main.table_diff("dev", "moved.csv", "k", other_path="moved.parquet")


# ------------------------------------------------------------------------------------------------------------- results


def test_max_rows(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pa.table({"k": range(100), "v": range(100)})
    after = pa.table({"k": range(50, 200), "v": [0] * 150})
    for spilled in (False, True):
        if spilled:
            _spill(monkeypatch)
        found = diff(main, before, after, max_rows=7)
        assert found.counts == (100, 50, 50, 0)
        assert found.columns == {"v": 50}
        assert (len(found.added), len(found.removed), len(found.changed)) == (7, 7, 7)
        assert found.is_truncated
        assert diff(main, before, after, max_rows=0).added.num_rows == 0
        assert not diff(main, before, after, max_rows=100).is_truncated
        whole = diff(main, before, after, max_rows=None)
        assert [row.key["k"] for row in whole] == [*range(100, 200), *range(50), *range(50, 100)]


def test_results_in_every_form(main: Any) -> None:
    before = pa.table({"k": [1, 2, 3], "n": pa.array([1, None, 3]), "b": [True, None, False]})
    after = pa.table({"k": [4, 3, 1], "n": pa.array([None, 2**60 + 1, 1]), "b": [None, False, True]})
    found = diff(main, before, after)
    assert [tuple(row) for row in found] == [
        ("added", {"k": 4}, None, {"k": 4, "n": None, "b": None}, ()),
        ("removed", {"k": 2}, {"k": 2, "n": None, "b": None}, None, ()),
        ("changed", {"k": 3}, {"k": 3, "n": 3, "b": False}, {"k": 3, "n": 2**60 + 1, "b": False}, ("n",)),
    ]
    assert found.added.to_pylist() == [{"k": 4, "n": None, "b": None}]
    assert found.removed.to_pylist() == [{"k": 2, "n": None, "b": None}]
    assert found.changed.to_pylist() == [
        {
            "key": {"k": 3},
            "before": {"k": 3, "n": 3, "b": False},
            "after": {"k": 3, "n": 2**60 + 1, "b": False},
            "columns": ["n"],
        }
    ]
    assert [row.to_dict() for row in found] == found.to_arrow().to_pylist()
    frame = found.to_pandas()
    assert list(frame.index) == ["added", "removed", "changed"]
    assert list(frame.columns) == [("k", ""), ("n", "before"), ("n", "after"), ("b", "before"), ("b", "after")]
    assert frame["n"]["after"].iloc[2] == 2**60 + 1
    assert list(frame["k"]) == [4, 2, 3]
    assert str(frame["b"]["before"].dtype) == "boolean"
    assert found.to_dict() == {
        "before": "lakefs://tables/main/t.parquet",
        "after": "lakefs://tables/dev/t.parquet",
        "keys": ["k"],
        "added": 1,
        "removed": 1,
        "changed": 1,
        "unchanged": 1,
        "columns": {"n": 1},
        "schema": {"added": {}, "removed": {}, "changed": {}, "nullable": {}, "metadata": [], "is_reordered": False},
        "skipped": 0,
        "is_truncated": False,
    }
    assert repr(found) == (
        "<TableDiff lakefs://tables/main/t.parquet → lakefs://tables/dev/t.parquet: "
        "1 added, 1 removed, 1 changed, 1 unchanged>"
    )
    assert _text(found._repr_html_()).endswith("changed33 → 1152921504606846977Falseremoved2nullnulladded4nullnull")
    again = pickle.loads(pickle.dumps(found))
    assert list(again) == list(found)


def test_no_differences(main: Any) -> None:
    table = pa.table({"k": [1, 2]})
    for found in (
        diff(main, table, table),
        diff(main, content(table, "file"), content(table, "stream"), name="t.arrow"),
    ):
        assert not found
        assert "no differences" in repr(found)
        assert "no differences" in found._repr_html_()
        assert (list(found), found.to_arrow().num_rows, len(found.to_pandas()), found.changed.num_rows) == ([], 0, 0, 0)
        assert found.counts[:3] == (0, 0, 0)


def test_times_that_python_has_no_type_for(main: Any) -> None:
    before = pa.table({"k": [1], "v": pa.array([2**40], pa.timestamp("s", "UTC"))})
    after = pa.table({"k": [1], "v": pa.array([5], pa.timestamp("s", "UTC"))})
    found = diff(main, content(before, "file"), content(after, "file"), name="t.arrow")
    assert [row.before["v"] for row in found if row.before] == [2**40]
    assert [row.after["v"] for row in found if row.after] == [datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)]
    assert str(2**40) in found._repr_html_()
    assert list(found.to_pandas()["v"]["before"]) == [pd.Timestamp(2**40, unit="s", tz="UTC")]
    far, near = (pa.array([each], pa.timestamp("s")) for each in (2**40, 5))
    nested = [pa.StructArray.from_arrays([pa.ListArray.from_arrays([0, 1], each)], ["a"]) for each in (far, near)]
    ns = [pa.array([each], pa.time64("ns")) for each in (1, 2)]
    tables = [content(pa.table({"k": [1], "v": nested[at], "ns": ns[at]}), "file") for at in (0, 1)]
    found = diff(main, *tables, name="t.arrow")
    assert [row.before["v"] for row in found if row.before] == [{"a": [2**40]}]
    assert [(row.before["ns"], row.after["ns"]) for row in found if row.before and row.after] == [(1, 2)]
    assert [row.columns for row in found] == [("v", "ns")]
    assert list(found.to_pandas()["v"]["before"]) == [{"a": [2**40]}]


def test_a_page_escapes_and_shortens(main: Any) -> None:
    before = pa.table({"k": range(30), "v": ["<script>", *["x" * 500] * 29], "empty": [""] * 30})
    after = pa.table({"k": range(10, 40), "v": ["&"] * 30, "empty": [None, *[" "] * 29]})
    shown = diff(main, before, after)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "x" * 61 not in shown
    assert "30 of 40 rows that differ" in shown
    assert "&#x27;&#x27; → null" in _text(shown)


# ------------------------------------------------------------------------------- objects that both versions have


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "arrow"])
@pytest.mark.parametrize("part", [64, 1 << 20])
def test_columns_of_objects_that_both_versions_have(
    main: Any, monkeypatch: pytest.MonkeyPatch, kind: str, part: int
) -> None:
    """They are not read, and their columns are those of the table: a row without one of them has null there."""
    monkeypatch.setattr("lakefs_hl.facades._sync.tables._PART", part)
    place = f"shared-{part}-{kind}"
    dev = lakefs_hl.Branch("tables", "dev", main._given)

    def upload(name: str, rows: list[dict[str, Any]], *branches: Any) -> None:
        names = list(rows[0])
        if kind.startswith("csv"):
            text = "\n".join([",".join(names), *(",".join(str(row[key]) for key in names) for row in rows)]) + "\n"
            data = text.encode()
            data = gzip.compress(data) if kind == "csv.gz" else data
        else:
            data = content(pa.Table.from_pylist(rows), "file" if kind == "arrow" else "parquet")
        for branch in branches:
            branch.upload(data, f"{place}/{name}.{kind}")

    upload("first", [{"k": 100 + at, "v": 1} for at in range(50)], main, dev)
    upload("second", [{"k": 200 + at, "v": 1, "w": 1, "x": 1} for at in range(50)], main, dev)
    upload("third", [{"k": 1, "v": 1, "w": 7}, {"k": 2, "v": 1, "w": 8}], main)
    upload("third", [{"k": 1, "v": 1}, {"k": 2, "v": 2}], dev)
    found = main.table_diff(dev, place + "/", "k")
    assert (found.skipped, found.counts, found.columns) == (2, (0, 0, 2, 0), {"v": 1, "w": 2})
    assert (found.schema.added, found.schema.removed) == ({}, {})
    assert main.table_diff(dev, place + "/", "k", ignore=["w", "x"]).counts == (0, 0, 1, 1)
    assert main.table_diff(dev, place + "/").counts == (2, 2, 0, 0)
    upload("third", [{"k": 3, "v": 1, "y": 7}], dev)  # this one is new
    assert set(main.table_diff(dev, place + "/", "k").schema.added) == {"y"}


def test_partition_values_that_are_no_utf8_are_different(main: Any) -> None:
    dev = lakefs_hl.Branch("tables", "dev", main._given)
    one, two = (content(pa.table({"k": [number]})) for number in (1, 2))
    for branch, names in ((main, ("%FF", "%FE")), (dev, ("%FE", "%FF"))):
        for name, data in zip(names, (one, two), strict=True):
            branch.upload(data, f"latin/p={name}/t.parquet")
    found = main.table_diff(dev, "latin/", "k")
    assert (found.counts, found.columns) == ((0, 0, 2, 0), {"p": 2})
    assert {row.key["k"]: row.before["p"] for row in found} == {1: "%FF", 2: "%FE"}
