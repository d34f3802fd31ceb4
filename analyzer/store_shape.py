"""Whether a store is one as this product makes it. It may come from somebody else, and then it may be a trap.

A link in it would let a command read, move, empty or delete files elsewhere; a view in the place of a table of
the ledger is SQL of whoever made it. Neither is ever in a store of ours, so both are refused before anything is
touched. What its SQL could reach is bounded besides: see `sandbox.confine`.
"""

import os
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.decoding import Outcome
from analyzer.errors import StoreError
from analyzer.ledger import TABLES, sql_type
from analyzer.log_key import LOG_FOLDER

_PART = re.compile(r"(?!\.)[\w=-][\w=.-]*(?:/(?!\.)[\w=-][\w=.-]*)*\.parquet", re.ASCII)
_REMEDY = "make a new store from the logs"
_NEVER_MISSING = ("account_id", "event_name", "operations")
"""Columns of answers that come from columns of `cloudtrail.EVENTS` that are never null in a part of ours."""

_TIMES = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31'"
_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in Outcome)
_WELL_FORMED = {
    "sources": (
        f"source_id BETWEEN 0 AND {2**53} AND uri <> '' AND object_name IS NOT NULL AND outcome IN ({_OUTCOMES}) "
        f"AND coalesce(day {_TIMES}, true) "
        f"AND (folder IS DISTINCT FROM '{LOG_FOLDER}' OR account_id <> '' AND region <> '' AND day IS NOT NULL)"
    ),
    "parts": f"coalesce(first_event {_TIMES}, true) AND coalesce(last_event {_TIMES}, true)",
    "digests": f"account_id <> '' AND object <> '' AND start_time {_TIMES} AND end_time {_TIMES}",
    "trail_descriptions": "name <> '' AND json_valid(description)",
}
"""What is true of every row of a table as the product writes it, and is needed to make sense of it."""


def check_files(store: Path) -> None:
    """Raise StoreError unless everything in the directory is a plain file or folder. It may be a link itself."""
    folders = [str(store)]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            # It is not there (yet), or another process has just moved or removed it.
            continue
        for entry in entries:
            if entry.is_symlink():
                raise StoreError(
                    f"{entry.path}: is a link, which no store holds; put there what it leads to, or {_REMEDY}"
                )
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
                raise StoreError(f"{entry.path}: is neither a file nor a folder; {_REMEDY}")


def check_ledger(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    """Raise StoreError unless the ledger has tables, with the columns and values that this version writes."""
    found: dict[str, list[tuple[str, str]]] = {}
    rows = connection.execute(
        # Named in full: a macro in the file may have the name of a function, but not its place.
        "SELECT t.table_name, c.column_name, c.data_type FROM system.main.duckdb_tables() AS t "
        "JOIN system.main.duckdb_columns() AS c ON t.table_oid = c.table_oid AND t.database_oid = c.database_oid "
        "WHERE NOT t.temporary AND t.schema_name = 'main' ORDER BY c.column_index"
    )
    for table, column, kind in rows.fetchall():
        found.setdefault(table, []).append((column, kind))
    for table, schema in TABLES.items():
        if found.get(table) != [(column.name, sql_type(column.type)) for column in schema]:
            raise StoreError(f"{store}: its ledger has no table {table} as this version makes it; {_REMEDY}")
    for table, rule in _WELL_FORMED.items():
        if connection.execute(f"SELECT 1 FROM {table} WHERE NOT coalesce(({rule}), false) LIMIT 1").fetchall():
            raise StoreError(f"{store}: its ledger has a row in {table} that no ingest writes; {_REMEDY}")


def check_part(store: Path, path: str | None) -> None:
    """Raise StoreError unless a path in the ledger is one of a part, below `events/`."""
    if path is None or not _PART.fullmatch(path):
        raise StoreError(f"{store}: its ledger names {path!r} as a part, which no store holds; {_REMEDY}")


def check_answer(answer: pa.Table) -> None:
    """Raise StoreError when an answer lacks what every event has."""
    for name in set(_NEVER_MISSING) & set(answer.column_names):
        column = answer.column(name)
        values = pc.list_flatten(column) if pa.types.is_list(column.type) else column
        if column.null_count or values.null_count:
            raise StoreError(f"the store has events without what every event has ({name}); {_REMEDY}")
