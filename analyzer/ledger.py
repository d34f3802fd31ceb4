"""The ledger's tables: what was read, what became of it, and what documents say about the logs.

The store writes them in one transaction with the events they speak of; see `store.py`.
What can be asked of them is in `ledger_questions.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer.cloudtrail import EVENTS
from analyzer.decoding import DigestSignature, Reading, Statement, TrailDescription
from analyzer.decoding.json_values import dump
from analyzer.decoding.statements import SIGNATURE_SUFFIX
from analyzer.digests import Digest, object_name
from analyzer.log_key import LogKey
from analyzer.parts import Part

_TIME = pa.timestamp("us")

TABLES: Mapping[str, pa.Schema] = {
    "meta": pa.schema([("name", pa.string()), ("value", pa.string())]),
    "runs": pa.schema(
        [
            ("run_id", pa.int64()),
            ("started_at", _TIME),
            ("finished_at", _TIME),
            ("tool_version", pa.string()),
            ("command", pa.string()),
        ]
    ),
    "sources": pa.schema(
        [
            ("source_id", pa.int64()),
            ("run_id", pa.int64()),
            ("uri", pa.string()),
            ("archive_uri", pa.string()),
            ("object_name", pa.string()),
            ("size", pa.int64()),
            ("version", pa.string()),
            ("sha256", pa.string()),
            ("document_bytes", pa.int64()),
            ("outcome", pa.string()),
            ("reason", pa.string()),
            ("detail", pa.string()),
            ("organization", pa.string()),
            ("account_id", pa.string()),
            ("region", pa.string()),
            ("day", pa.date32()),
            ("folder", pa.string()),
            ("in_trail_folder", pa.bool_()),
            ("seen", pa.int64()),
            ("kept", pa.int64()),
            ("duplicate", pa.int64()),
            ("skipped", pa.int64()),
            ("rejected", pa.int64()),
        ]
    ),
    "source_reasons": pa.schema(
        [("source_id", pa.int64()), ("kind", pa.string()), ("reason", pa.string()), ("records", pa.int64())]
    ),
    "archives": pa.schema([("uri", pa.string()), ("size", pa.int64()), ("version", pa.string())]),
    "parts": pa.schema(
        [
            ("path", pa.string()),
            ("records", pa.int64()),
            ("bytes", pa.int64()),
            ("sha256", pa.string()),
            ("first_event", _TIME),
            ("last_event", _TIME),
        ]
    ),
    "digests": pa.schema(
        [
            ("source_id", pa.int64()),
            ("account_id", pa.string()),
            ("region", pa.string()),
            ("trail", pa.string()),
            ("home_region", pa.string()),
            ("start_time", _TIME),
            ("end_time", _TIME),
            ("end_text", pa.string()),
            ("bucket", pa.string()),
            ("object", pa.string()),
            ("fingerprint", pa.string()),
            ("is_backfill", pa.bool_()),
            ("previous_bucket", pa.string()),
            ("previous_object", pa.string()),
            ("previous_sha256", pa.string()),
            ("previous_signature", pa.string()),
        ]
    ),
    "digest_files": pa.schema(
        [
            ("source_id", pa.int64()),
            ("bucket", pa.string()),
            ("object", pa.string()),
            ("object_name", pa.string()),
            ("sha256", pa.string()),
        ]
    ),
    "digest_signatures": pa.schema(
        [("source_id", pa.int64()), ("object_name", pa.string()), ("signature", pa.string())]
    ),
    "listed_folders": pa.schema(
        [
            ("folder", pa.string()),
            ("first_day", pa.date32()),
            ("last_day", pa.date32()),
            ("listed_at", _TIME),
        ]
    ),
    "trail_descriptions": pa.schema(
        [("source_id", pa.int64()), ("name", pa.string()), ("description", pa.string())]
    ),
}
"""Columns of every table, by name."""

_PRIMARY_KEYS = {"meta": "name", "runs": "run_id"}

VIEWS = """
CREATE VIEW current_sources AS
    SELECT * FROM sources QUALIFY row_number() OVER (PARTITION BY uri ORDER BY source_id DESC) = 1;
"""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One document as it was read: who it is, where it came from, what became of it and what it says."""

    uri: str
    size: int
    version: str
    reading: Reading
    sha256: str = ""
    document_bytes: int = 0
    archive_uri: str | None = None
    key: LogKey | None = None
    statements: Sequence[Statement] = ()

    @property
    def nbytes(self) -> int:
        """About how much memory its statements hold, until they are rows."""
        files = sum(len(s.files) for s in self.statements if isinstance(s, Digest))
        return 10_000 * len(self.statements) + 1_000 * files


def schema_statements() -> str:
    """SQL that makes an empty ledger."""
    tables = []
    for name, schema in TABLES.items():
        key = _PRIMARY_KEYS.get(name)
        columns = [f"{f.name} {sql_type(f.type)}{' PRIMARY KEY' if f.name == key else ''}" for f in schema]
        tables.append(f"CREATE TABLE {name} ({', '.join(columns)});\n")
    return "".join(tables) + VIEWS


def events_sql(files: Sequence[Path], *more: str) -> str:
    """SQL of all rows of some parts. `more`: columns beside those of events, like DuckDB's `filename`."""
    if not files:
        nothing = [f"CAST(NULL AS {sql_type(f.type)}) AS {f.name}" for f in EVENTS]
        nothing += [f"CAST(NULL AS VARCHAR) AS {name}" for name in more]
        return f"SELECT {', '.join(nothing)} WHERE FALSE"
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    # A cast is nothing where the type is right; in a part that is not ours it may not be.
    columns = [f"CAST({f.name} AS {sql_type(f.type)}) AS {f.name}" for f in EVENTS]
    return f"SELECT {', '.join([*columns, *more])} FROM read_parquet([{listed}], hive_partitioning = false)"


def sql_type(arrow_type: pa.DataType) -> str:
    """DuckDB's name of an Arrow type."""
    names = {
        "timestamp[us]": "TIMESTAMP",
        "bool": "BOOLEAN",
        "int8": "TINYINT",
        "int64": "BIGINT",
        "date32[day]": "DATE",
    }
    return names.get(str(arrow_type), "VARCHAR")


def ledger_rows(
    sources: Sequence[SourceRow], run_id: int, first_id: int, kept: Mapping[int, int]
) -> dict[str, pa.Table]:
    """The rows that a batch adds, by table. `kept`: new events by the index of their document."""
    numbered = list(enumerate(sources, first_id))
    rows: dict[str, Iterator[tuple[Any, ...]]] = {
        "sources": (
            _source(source_id, run_id, row, kept.get(source_id - first_id, 0)) for source_id, row in numbered
        ),
        "source_reasons": (
            (source_id, kind, reason, records)
            for source_id, row in numbered
            for kind, counter in _counters(row.reading)
            for reason, records in counter.items()
        ),
        "digests": (
            _digest(source_id, said) for source_id, _, said in _statements(numbered) if isinstance(said, Digest)
        ),
        "digest_files": (
            (source_id, file.bucket, file.object, object_name(file.object), file.sha256)
            for source_id, _, said in _statements(numbered)
            if isinstance(said, Digest)
            for file in said.files
        ),
        "digest_signatures": (
            (source_id, object_name(row.uri.removesuffix(SIGNATURE_SUFFIX)), said.hex)
            for source_id, row, said in _statements(numbered)
            if isinstance(said, DigestSignature)
        ),
        "trail_descriptions": (
            (source_id, row.uri, dump(said.value))
            for source_id, row, said in _statements(numbered)
            if isinstance(said, TrailDescription)
        ),
    }
    return {name: _table(TABLES[name], found) for name, found in rows.items()}


def part_rows(parts: Iterable[Part]) -> pa.Table:
    """Rows of the table `parts`."""
    return _table(TABLES["parts"], (astuple(part) for part in parts))


def _table(schema: pa.Schema, rows: Iterator[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _statements(numbered: Sequence[tuple[int, SourceRow]]) -> Iterator[tuple[int, SourceRow, Statement]]:
    return ((source_id, row, said) for source_id, row in numbered for said in row.statements)


def _counters(reading: Reading) -> tuple[tuple[str, Mapping[str, int]], ...]:
    return ("skipped", reading.skipped), ("rejected", reading.rejected), ("note", reading.notes)


def _source(source_id: int, run_id: int, row: SourceRow, kept: int) -> tuple[Any, ...]:
    reading, key = row.reading, row.key
    return (
        source_id,
        run_id,
        row.uri,
        row.archive_uri,
        object_name(row.uri),
        row.size,
        row.version,
        row.sha256,
        row.document_bytes,
        reading.outcome.value,
        reading.reason,
        reading.detail,
        key.organization if key else None,
        key.account_id if key else None,
        key.region if key else None,
        key.day if key else None,
        key.folder if key else None,
        key is not None and key.in_trail_folder,
        reading.seen,
        kept,
        reading.usable - kept,
        reading.skipped.total(),
        reading.rejected.total(),
    )


def _digest(source_id: int, digest: Digest) -> tuple[Any, ...]:
    return (
        source_id,
        digest.trail.account_id,
        digest.trail.region,
        digest.trail.name,
        digest.trail.home_region,
        digest.start,
        digest.end,
        digest.end_text,
        digest.bucket,
        digest.object,
        digest.fingerprint,
        digest.is_backfill,
        digest.previous_bucket,
        digest.previous_object,
        digest.previous_sha256,
        digest.previous_signature,
    )
