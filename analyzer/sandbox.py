"""Ad hoc SQL from a person: it reads the store and nothing else.

DuckDB runs with external access off except for the store's own Parquet, extensions and Python objects out of
reach, and its configuration locked; the ledger is opened read-only; only a single SELECT is accepted.
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from analyzer.duckdb_errors import first_line, interruptible
from analyzer.errors import QueryError


def ask_ad_hoc(connection: duckdb.DuckDBPyConnection, events_folder: Path, sql: str) -> pa.Table:
    """The answer to one SELECT. The connection stays locked afterwards. Raises QueryError."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"the SQL cannot be parsed: {first_line(error)}") from None
    if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
        raise QueryError("only a single SELECT is accepted: ad hoc SQL reads the store and changes nothing")
    _lock(connection, events_folder)
    try:
        with interruptible():
            return connection.sql(statements[0].query).to_arrow_table()
    except duckdb.PermissionException as error:
        raise QueryError(f"refused: {first_line(error)}; ad hoc SQL sees the store only") from None
    except (duckdb.Error, RuntimeError) as error:
        raise QueryError(f"the query failed: {first_line(error)}") from None


def _lock(connection: duckdb.DuckDBPyConnection, events_folder: Path) -> None:
    folder = str(events_folder).replace("'", "''")
    for setting in (
        f"allowed_directories = ['{folder}/']",
        "enable_external_access = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
