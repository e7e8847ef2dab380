"""Types of columns: what they are compared as, and conversions to that.

*Plain* types have no encodings: a dictionary has the type of its values, and strings, bytes and lists have one type
each. `common` returns the type that values of two plain types are compared as, and never one that makes different
values equal. Where no type of Arrow can do that, it is one of the structs below, which each value has one form in.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from lakefs_hl.exceptions import UnsupportedOperationException

_TICKS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Times of different units: no unit of Arrow has room for all of them.
TICKS: Final = pa.struct([("seconds", pa.int64()), ("nanoseconds", pa.int64())])
#: Integers and floats: whole numbers are exact, everything else is `rest`.
NUMBER: Final = pa.struct([("whole", pa.int64()), ("rest", pa.float64())])
UNSIGNED: Final = pa.struct([("whole", pa.uint64()), ("rest", pa.float64())])
_types: Any = pa.types


def plain(kind: Any, column: str) -> Any:
    """Return a type without encodings.

    Args:
        kind: Type of Arrow.
        column: Name of the column, for the message.

    Raises:
        UnsupportedOperationException: Values of this type are not compared.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type, column)
    if _types.is_dictionary(kind) or _types.is_run_end_encoded(kind):
        return plain(kind.value_type, column)
    if _types.is_string(kind) or _types.is_large_string(kind) or _types.is_string_view(kind):
        return pa.large_string()
    if _is_binary(kind):
        return pa.large_binary()
    if _types.is_float16(kind):
        return pa.float32()
    if _types.is_decimal(kind):
        return _decimal(kind.precision, kind.scale)
    if _types.is_map(kind):
        pair = [("key", plain(kind.key_type, column)), ("value", plain(kind.item_type, column))]
        return pa.large_list(pa.struct(pair))
    if is_list(kind):
        return pa.large_list(plain(kind.value_type, column))
    if _types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        if len(set(names)) == len(names):
            return pa.struct([(name, plain(kind.field(at).type, column)) for at, name in enumerate(names)])
    elif not (_types.is_nested(kind) or _types.is_interval(kind)):
        return kind
    msg = f"values of column {column!r} cannot be compared: its type is {kind}; leave it out by ignore=[{column!r}]"
    raise UnsupportedOperationException(msg)


def _is_binary(kind: Any) -> bool:
    tests = (_types.is_binary, _types.is_large_binary, _types.is_fixed_size_binary, _types.is_binary_view)
    return any(test(kind) for test in tests)


def is_list(kind: Any) -> bool:
    """Return whether a type is one of lists, but not of maps."""
    tests = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return any(getattr(_types, test)(kind) for test in tests)


def is_nested(kind: Any) -> bool:
    """Return whether values have parts, so that Arrow does not compare them by itself."""
    return bool(_types.is_nested(kind))


def is_number(kind: Any) -> bool:
    """Return whether a tolerance applies to a type."""
    return bool(_types.is_integer(kind) or _types.is_floating(kind) or _types.is_decimal(kind))


def _decimal(precision: int, scale: int) -> Any:
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def common(first: Any, second: Any, *, exact: bool = True) -> Any:
    """Return the type that values of two plain types are compared as. None if no value of one equals one of the other.

    Args:
        first: Plain type.
        second: Plain type.
        exact: False for a type of Arrow that has room for both, for the files of one table.
    """
    if first.equals(second):
        return first
    if _types.is_null(first) or _types.is_null(second):
        return second if _types.is_null(first) else first
    if is_number(first) and is_number(second):
        return _number(first, second, exact=exact)
    if _types.is_temporal(first) and _types.is_temporal(second):
        return _time(first, second, exact=exact)
    if _types.is_large_list(first) and _types.is_large_list(second):
        value = common(first.value_type, second.value_type, exact=exact)
        return None if value is None else pa.large_list(value)
    if _types.is_struct(first) and _types.is_struct(second):
        return _struct(first, second, exact=exact)
    texts = (pa.large_string(), pa.large_binary())
    return pa.large_binary() if first in texts and second in texts else None


def _number(first: Any, second: Any, *, exact: bool) -> Any:
    if _types.is_integer(first) and _types.is_integer(second):
        signed = _types.is_signed_integer(first) == _types.is_signed_integer(second)
        if signed:
            return first if first.bit_width > second.bit_width else second
        return pa.decimal128(20, 0) if pa.uint64() in (first, second) else pa.int64()
    if _types.is_floating(first) and _types.is_floating(second):
        return pa.float64()
    if _types.is_decimal(first) or _types.is_decimal(second):
        if _types.is_floating(first) or _types.is_floating(second):
            return pa.float64()
        sizes = [(each.precision, each.scale) if _types.is_decimal(each) else (20, 0) for each in (first, second)]
        scale = max(size[1] for size in sizes)
        precision = max(size[0] - size[1] for size in sizes) + scale
        return _decimal(precision, scale) if precision <= 76 else None
    if not exact:
        return pa.float64()
    return UNSIGNED if pa.uint64() in (first, second) else NUMBER


def _time(first: Any, second: Any, *, exact: bool) -> Any:
    if _types.is_date(first) and _types.is_date(second):
        return pa.date32()
    for test in (_types.is_timestamp, _types.is_time, _types.is_duration):
        if test(first) and test(second):
            break
    else:
        return None
    zones = [getattr(each, "tz", None) for each in (first, second)]
    if (zones[0] is None) != (zones[1] is None):
        return None
    if first.unit == second.unit:
        return pa.timestamp(first.unit, "UTC")  # equal, but for the names of their zones
    if exact:
        return TICKS
    finer = max(first, second, key=lambda each: _TICKS[each.unit])
    return pa.timestamp(finer.unit, "UTC") if zones[0] else finer


def _struct(first: Any, second: Any, *, exact: bool) -> Any:
    fields = {first.field(at).name: first.field(at).type for at in range(first.num_fields)}
    for at in range(second.num_fields):
        field = second.field(at)
        fields[field.name] = common(fields.get(field.name, field.type), field.type, exact=exact)
    return None if None in fields.values() else pa.struct(list(fields.items()))


def convert(array: Any, target: Any) -> Any:
    """Return an array as another type: its plain one, or one of `common`.

    Raises:
        pyarrow.ArrowInvalid: A value has no place in that type.
    """
    source = array.type
    if source.equals(target):
        return array
    if isinstance(source, pa.BaseExtensionType):
        return convert(array.storage, target)
    if _types.is_dictionary(source):
        return convert(array.dictionary_decode(), target)
    if _types.is_run_end_encoded(source):
        return convert(pc.run_end_decode(array), target)
    if _types.is_null(source):
        return pa.nulls(len(array), target)
    if target in (NUMBER, UNSIGNED) and not _types.is_struct(source):
        return _as_number(array, target)
    if target.equals(TICKS) and not _types.is_struct(source):
        return _as_ticks(array)
    if _types.is_large_list(target):
        return _as_list(array, target)
    if _types.is_struct(target):
        return _as_struct(array, target)
    if _types.is_floating(target) and _types.is_decimal(source):
        return array.cast(target, safe=False)
    return array.cast(target)


def _as_list(array: Any, target: Any) -> Any:
    if _types.is_map(array.type):
        kind = array.type
        array = array.cast(pa.large_list(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
    elif not (_types.is_list(array.type) or _types.is_large_list(array.type)):
        array = array.cast(pa.large_list(array.type.value_type))
    sizes = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(sizes)])
    values = convert(array.flatten(), target.value_type)
    mask = array.is_null() if array.null_count else None
    return pa.LargeListArray.from_arrays(offsets, values, mask=mask)


def _as_struct(array: Any, target: Any) -> Any:
    if target.num_fields == 0:
        return array
    kind, parts, children = array.type, array.flatten(), []
    for at in range(target.num_fields):
        field = target.field(at)
        index = kind.get_field_index(field.name)
        children.append(pa.nulls(len(array), field.type) if index < 0 else convert(parts[index], field.type))
    return pa.StructArray.from_arrays(children, fields=list(target), mask=array.is_null())


def _as_number(array: Any, target: Any) -> Any:
    kind = target.field(0).type
    if _types.is_integer(array.type):
        whole = array.cast(kind)
        rest = pc.if_else(array.is_null(), None, pa.scalar(0.0))
    else:
        found = array.cast(pa.float64())
        least, most = (0.0, 2.0**64) if kind == pa.uint64() else (-(2.0**63), 2.0**63)
        inside = pc.and_(pc.greater_equal(found, least), pc.less(found, most))
        is_whole = pc.and_(inside, pc.equal(found, pc.floor(found)))
        whole = pc.if_else(is_whole, found, 0.0).cast(kind, safe=False)
        rest = pc.if_else(is_whole, 0.0, found)
    return pa.StructArray.from_arrays([whole, rest], fields=list(target), mask=array.is_null())


def _as_ticks(array: Any) -> Any:
    per = _TICKS[array.type.unit]
    ticks = (array.cast(pa.int32()) if _types.is_time32(array.type) else array).cast(pa.int64())
    seconds = pc.divide(ticks, per)
    rest = pc.multiply(pc.subtract(ticks, pc.multiply(seconds, per)), _TICKS["ns"] // per)
    return pa.StructArray.from_arrays([seconds, rest], fields=list(TICKS), mask=array.is_null())
