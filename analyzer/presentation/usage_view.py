"""Usage as rows: which endpoints are really used."""

from collections.abc import Sequence

from analyzer.presentation.output import Answer, Table
from analyzer.presentation.safe_text import Cell
from analyzer.report import SCHEMA_VERSION, PeriodRow, Report, usage_json
from analyzer.window import utc_text


def usage_answer(report: Report) -> Answer:
    """The counts over the whole window."""
    records = [usage_json(row) for row in report.usage]
    flat = [_flat(record) for record in records]
    view_columns = (
        "account_id", "endpoint", "region", "serving_region", "calls", "issuing_calls", "service_calls",
        "failed_calls", "non_issuing_calls", "principals", "last_used",
    )  # fmt: skip
    return Answer(
        data={"schema_version": SCHEMA_VERSION, "usage": records},
        table=Table(tuple(flat[0]) if flat else view_columns, [tuple(record.values()) for record in flat]),
        view=Table(view_columns, [tuple(record[c] for c in view_columns) for record in flat]),
        headline=(_sentence(report),),
        notes=("A global call is no use of the region that served it (serving_region).",) if flat else (),
    )


def _sentence(report: Report) -> str:
    calls = sum(row.calls for row in report.usage)
    span = f" from {report.window.since} to {report.window.until} (excluded)" if report.window else ""
    used = len({(row.account_id, row.region) for row in report.usage if row.region and row.issuing_calls})
    return f"{calls:,} STS calls{span}; {used} regional endpoints issued credentials."


def _flat(record: dict[str, object]) -> dict[str, Cell]:
    flat: dict[str, Cell] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{key}": part for key, part in value.items()}
        elif isinstance(value, str | int) or value is None:
            flat[name] = value
    return flat


def period_answer(rows: Sequence[PeriodRow], by: str) -> Answer:
    """The counts day by day or month by month."""
    records = [
        {
            by: (utc_text(row.period) or "")[: 10 if by == "day" else 7],
            "account_id": row.account_id,
            "endpoint": row.endpoint.value,
            "region": row.region,
            "serving_region": row.serving_region,
            "calls": row.calls,
            "issuing_calls": row.issuing_calls,
            "service_calls": row.service_calls,
            "failed_calls": row.failed_calls,
            "non_issuing_calls": row.non_issuing_calls,
            "principals": row.principals,
        }
        for row in rows
    ]
    columns = tuple(records[0]) if records else (by, "account_id", "endpoint", "region", "calls")
    return Answer(
        data={"schema_version": SCHEMA_VERSION, "period": by, "usage": records},
        table=Table(columns, [tuple(record.values()) for record in records]),
    )
