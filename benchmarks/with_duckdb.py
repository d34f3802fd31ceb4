"""What one would write with DuckDB alone: five fields of every record to Parquet.

    python -m benchmarks.with_duckdb LOGS OUTPUT

A typed STRUCT(...)[] instead of JSON[] takes the same time. The order of rows is given up, as in the product.
"""

import sys

import duckdb

from benchmarks import FIVE_FIELDS


def write_parquet(logs: str, output: str) -> None:
    """Write five columns, one row for each record below `logs`, to the file `output`."""
    columns = ", ".join(f"record ->> '$.{name}' AS {name}" for name in FIVE_FIELDS)
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT unnest(Records) AS record "
            f"FROM read_json('{logs}/**/*.json.gz', columns = {{'Records': 'JSON[]'}}))) "
            f"TO '{output}' (FORMAT parquet, COMPRESSION zstd)"
        )


if __name__ == "__main__":
    write_parquet(sys.argv[1], sys.argv[2])
