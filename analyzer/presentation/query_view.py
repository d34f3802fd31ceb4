"""Rows of a query, and the list of queries."""

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from analyzer.errors import QueryError
from analyzer.presentation.output import Answer, Table
from analyzer.presentation.safe_text import Cell
from analyzer.queries import load_query, parameters_of, query_names
from analyzer.window import utc_text


def rows_answer(rows: pa.Table) -> Answer:
    """Every row of a query's result. Raises QueryError for values that cannot be written down."""
    try:
        columns = [[_cell(value) for value in _in_microseconds(column).to_pylist()] for column in rows.columns]
    except (OverflowError, ValueError) as error:
        raise QueryError(f"a value of the result cannot be shown ({error}); cast it to VARCHAR") from None
    records = list(zip(*columns, strict=True))
    names = _unique(rows.column_names)
    return Answer(
        data=[dict(zip(names, map(_json, record), strict=True)) for record in records],
        table=Table(tuple(rows.column_names), records),
    )


def _in_microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of nanoseconds cut to what Python's own types hold."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _unique(names: list[str]) -> list[str]:
    """Names for JSON, where a second column of one name would hide the first: it gets a number."""
    unique: list[str] = []
    for name in names:
        number = 2
        candidate = name
        while candidate in unique:
            candidate, number = f"{name}_{number}", number + 1
        unique.append(candidate)
    return unique


def _cell(value: Any) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float | date | datetime):
        return value
    return int(value) if isinstance(value, Decimal) and value == int(value) else str(value)


def _json(value: Cell) -> Cell:
    if isinstance(value, datetime):
        return utc_text(value)
    return value.isoformat() if isinstance(value, date) else value


def names_answer() -> Answer:
    """The named queries with their questions and parameters."""
    records = [
        {
            "name": name,
            "question": load_query(name).question,
            "parameters": ", ".join(p.name for p in parameters_of(name).values()),
        }
        for name in query_names()
    ]
    return Answer(
        data=records,
        table=Table(("name", "question", "parameters"), [tuple(record.values()) for record in records]),
    )
