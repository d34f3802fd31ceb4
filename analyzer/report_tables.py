"""The lists of a report as Arrow tables, for notebooks and other tools.

The columns are the fields of the JSON contract in its order; an object in a field becomes one column for each of
its fields (`coverage_none`). Times are timestamps in UTC. Empty tables have all columns too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

_TIME = pa.timestamp("s", tz="UTC")
_TEXTS = pa.list_(pa.string())
_EXCEPTIONS = pa.list_(
    pa.struct([(name, pa.string()) for name in ("account", "region", "principal", "reason", "expires")])
)
_MARKS = {"excepted": pa.bool_(), "exceptions": _EXCEPTIONS}


def _counts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, pa.int64())


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, pa.string())


_USED = {"first_used": _TIME, "last_used": _TIME}

USAGE = pa.schema(
    _texts("account_id", "endpoint", "region", "serving_region")
    | _counts("calls", "issuing_calls", "service_calls", "service_linked_calls", "failed_calls")
    | _counts("non_issuing_calls", "unknown_operations", "region_disabled_errors", "principals")
    | _USED
    | _counts("evidence_endpoint_type", "evidence_host", "evidence_aws_region", "evidence_token", "evidence_none")
    | _MARKS
)
"""Columns of the usage table."""

VERDICTS = pa.schema(
    _texts("account_id", "partition", "region", "endpoint", "verdict")
    | {"reasons": _TEXTS}
    | _texts("confidence", "toggle")
    | _counts("issuing_calls", "service_calls", "service_linked_calls", "failed_calls", "non_issuing_calls")
    | _counts("unknown_operations", "region_disabled_errors", "served_global_calls", "other_activity")
    | {"other_activity_known": pa.bool_()}
    | _counts("principals")
    | _USED
    | _counts("coverage_days", "coverage_proven", "coverage_declared", "coverage_inferred", "coverage_none")
    | _texts("settled_by")
    | {"last_region_disabled": _TIME}
    | _MARKS
)
"""Columns of the verdict table."""

GLOBAL_CALLERS = pa.schema(
    _texts("account_id", "principal", "serving_region") | _counts("calls", "service_calls") | _USED | _MARKS
)
"""Columns of the table of the global endpoint's callers."""


@dataclass(frozen=True, slots=True)
class ReportTables:
    """A report's tables. Each is a pyarrow.Table: `.to_pandas()`, or any tool that takes Arrow."""

    usage: pa.Table
    """One endpoint as used for one account in a row."""
    verdicts: pa.Table
    """One account and region in a row."""
    global_callers: pa.Table
    """One principal at the global endpoint, for one account and serving region, in a row."""


def tables_of(
    usage: Iterable[Mapping[str, Any]],
    verdicts: Iterable[Mapping[str, Any]],
    global_callers: Iterable[Mapping[str, Any]],
) -> ReportTables:
    """The tables of the rows as the JSON contract has them."""
    return ReportTables(
        usage=_table(usage, USAGE),
        verdicts=_table(verdicts, VERDICTS),
        global_callers=_table(global_callers, GLOBAL_CALLERS),
    )


def _table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    flat = [_flat(row) for row in rows]
    return pa.table([_column(flat, field) for field in schema], schema=schema)


def _column(rows: list[dict[str, Any]], field: pa.Field) -> pa.Array:
    values = [row[field.name] for row in rows]
    if pa.types.is_timestamp(field.type):
        return pa.array(values, pa.string()).cast(field.type)
    return pa.array(values, field.type)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{key}": part for key, part in value.items()}
        else:
            flat[name] = value
    return flat
