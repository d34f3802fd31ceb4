"""Rows of a query, and the list of queries."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from analyzer.presentation.output import Answer, Table
from analyzer.presentation.safe_text import Cell
from analyzer.queries import load_query, parameters_of, query_names
from analyzer.window import utc_text


def rows_answer(rows: pa.Table) -> Answer:
    """Every row of a query's result."""
    records = [[_cell(value) for value in record.values()] for record in rows.to_pylist()]
    columns = tuple(rows.column_names)
    return Answer(
        data=[dict(zip(columns, [_json(cell) for cell in record], strict=True)) for record in records],
        table=Table(columns, records),
    )


def _cell(value: Any) -> Cell:
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
