"""What SQL may reach: the store and nothing else, whoever wrote it.

A person writes ad hoc SQL; whoever hands over a store wrote the views in its DuckDB file. So on every connection
to a store external access is off except for the store's own Parquet, extensions and Python objects are out of
reach, and the configuration is locked. Ad hoc SQL runs besides on a ledger that is opened read-only, and only a
single SELECT of it is accepted.
"""

from pathlib import Path
from threading import Lock

import duckdb
import pyarrow as pa

from analyzer.duckdb_errors import first_line, interruptible
from analyzer.errors import QueryError

_CONFINING = Lock()


def confine(connection: duckdb.DuckDBPyConnection, *folders: Path) -> None:
    """Let SQL on a connection reach files in the folders and its own file, and nothing else, for good."""
    listed = ", ".join("'" + str(folder).replace("'", "''") + "/'" for folder in folders)
    settings = (
        f"allowed_directories = [{listed}]",
        "enable_external_access = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    )
    # Connections of one process to one file share its settings, and another one may have locked them like this.
    with _CONFINING:
        try:
            for setting in settings:
                connection.execute(f"SET {setting}")
        except duckdb.InvalidInputException as error:
            if "the configuration has been locked" not in str(error):
                raise


def ask_ad_hoc(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The answer to one SELECT on a confined connection. Raises QueryError."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"the SQL cannot be parsed: {first_line(error)}") from None
    if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
        raise QueryError("only a single SELECT is accepted: ad hoc SQL reads the store and changes nothing")
    try:
        with interruptible():
            return connection.sql(statements[0].query).to_arrow_table()
    except duckdb.PermissionException as error:
        raise QueryError(f"refused: {first_line(error)}; ad hoc SQL sees the store only") from None
    except (duckdb.Error, RuntimeError) as error:
        raise QueryError(f"the query failed: {first_line(error)}") from None
