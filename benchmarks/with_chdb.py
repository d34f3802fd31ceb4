"""Run one statement with chDB (ClickHouse as a Python module); `chdb_sql.py` writes the statement.

python -m benchmarks.with_chdb STATEMENT
"""

import sys

import chdb

if __name__ == "__main__":
    chdb.query(sys.argv[1])  # type: ignore[no-untyped-call]
