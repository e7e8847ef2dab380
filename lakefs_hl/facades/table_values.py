"""Values of columns: which are equal, codes of them, and hashes.

Arrays are of a type of `table_types.common`. Nulls are equal to each other, NaN is equal to NaN, and 0.0 to -0.0, also
inside of lists and structs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakefs_hl.facades import table_types

Numbers = np.ndarray[Any, Any]
_LARGEST: Final = 1 << 62
#: Rows that are hashed as Python objects at a time.
_ROWS: Final = 1 << 16
_types: Any = pa.types


def _numpy(array: Any) -> Numbers:
    found: Numbers = array.to_numpy(zero_copy_only=False)
    return found


def _one_form(array: Any) -> Any:
    """Return floats with one bit pattern for NaN and for zero."""
    if not _types.is_floating(array.type):
        return array
    nan = pa.scalar(float("nan"), array.type)
    return pc.if_else(pc.is_nan(array), nan, pc.add(array, pa.scalar(0.0, array.type)))


def codes(array: Any) -> tuple[Numbers, int]:
    """Return a number for each value, which equal values share, and how many there are: 0 and up."""
    kind = array.type
    if _types.is_null(kind):
        return np.zeros(len(array), np.int64), 1
    if _types.is_struct(kind):
        return combine([codes(part) for part in array.flatten()] + [_validity(array)], len(array))
    if _types.is_large_list(kind):
        values, _ = codes(array.flatten())
        sizes = _numpy(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]) * 8
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values, np.int64))]
        rows = pa.Array.from_buffers(pa.large_binary(), len(array), buffers)
        return combine([codes(rows), _validity(array)], len(array))
    encoded = _one_form(array).dictionary_encode("encode")
    return _numpy(encoded.indices).astype(np.int64), len(encoded.dictionary)


def _validity(array: Any) -> tuple[Numbers, int]:
    return _numpy(array.is_null()).astype(np.int64), 2


def combine(parts: Sequence[tuple[Numbers, int]], rows: int) -> tuple[Numbers, int]:
    """Return codes of rows from those of their columns."""
    found, count = np.zeros(rows, np.int64), 1
    for values, number in parts:
        if count * max(number, 1) >= _LARGEST:
            found, count = _dense(found)
        found, count = found * max(number, 1) + values, count * max(number, 1)
    return _dense(found) if count > max(rows, 1) else (found, count)


def _dense(values: Numbers) -> tuple[Numbers, int]:
    encoded = pa.array(values).dictionary_encode()
    return _numpy(encoded.indices).astype(np.int64), len(encoded.dictionary)


def equal(first: Any, second: Any) -> Numbers:
    """Return which values of two arrays of one type and length are equal."""
    kind = first.type
    if table_types.is_nested(kind) or _types.is_null(kind):
        found, _ = codes(pa.concat_arrays([first, second]))
        return np.equal(found[: len(first)], found[len(first) :])
    same = pc.equal(first, second)
    if _types.is_floating(kind):
        same = pc.or_(same, pc.and_(pc.is_nan(first), pc.is_nan(second)))
    result = _numpy(pc.fill_null(same, False)).astype(bool)
    if first.null_count and second.null_count:
        result = result | _numpy(pc.and_(first.is_null(), second.is_null()))
    return result


def near(first: Any, second: Any, tolerance: float) -> Numbers:
    """Return which numbers of two arrays are within a tolerance: absolute up to 1, relative beyond.

    Args:
        first: Numbers.
        second: As many numbers, which may be of another type.
        tolerance: The tolerance.
    """
    floats = [_numpy(each.cast(pa.float64(), safe=False)) for each in (first, second)]
    scale = np.maximum(1.0, np.maximum(np.abs(floats[0]), np.abs(floats[1])))
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(floats[0] - floats[1]) <= tolerance * scale
    known = _numpy(pc.and_(first.is_valid(), second.is_valid()))
    finite = np.isfinite(floats[0]) & np.isfinite(floats[1])
    return np.asarray(close & known & finite)


def _mix(values: Numbers) -> Numbers:
    """Spread the bits of 64-bit numbers, by the finalizer of SplitMix64."""
    found = values.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(found ^ (found >> np.uint64(31)))


def hashes(arrays: Sequence[Any], rows: int) -> Numbers:
    """Return a hash of 64 bits for each row. Equal rows have equal hashes within this process."""
    found = np.zeros(rows, np.uint64)
    for array in arrays:
        found = _mix(found * np.uint64(0x9E3779B97F4A7C15) + _hash(array))
    return found


def _hash(array: Any) -> Numbers:
    kind = array.type
    if _types.is_null(kind):
        return np.zeros(len(array), np.uint64)
    if _types.is_struct(kind):
        found = hashes(array.flatten(), len(array))
    elif _types.is_large_list(kind):
        sizes = _numpy(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
        ends = np.cumsum(sizes)
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(_hash(array.flatten())), dtype=np.uint64)])
        found = total[ends] - total[ends - sizes] + sizes.astype(np.uint64)
    elif _types.is_floating(kind):
        filled = _numpy(pc.fill_null(_one_form(array), 0.0)).astype(np.float64)
        found = filled.view(np.uint64)
    elif _types.is_integer(kind) or _types.is_boolean(kind):
        found = _numpy(pc.fill_null(array, False if _types.is_boolean(kind) else 0)).astype(np.uint64)
    elif _types.is_temporal(kind):
        wide = array.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        found = _numpy(pc.fill_null(wide, 0)).astype(np.uint64)
    else:
        found = np.fromiter(_python_hashes(array), np.int64, len(array)).astype(np.uint64)
    found = _mix(found)
    if array.null_count:
        found[_numpy(array.is_null())] = np.uint64(1)
    return found


def _python_hashes(array: Any) -> Any:
    for start in range(0, len(array), _ROWS):
        yield from map(hash, array.slice(start, _ROWS).to_pylist())
