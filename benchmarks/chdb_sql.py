"""What one would write for chDB: fields of every record to Parquet. Prints the statement.

    python -m benchmarks.chdb_sql LOGS OUTPUT five|all

It is a program of its own so that neither the measuring process nor the measured one imports pyarrow for it.
Of three ways to say it this is the fastest; the others are JSONEachRow with an array of tuples, and
JSONExtractArrayRaw with JSONExtractString.
"""

import sys
from collections.abc import Iterator

import pyarrow as pa

from analyzer.cloudtrail import RECORD
from benchmarks import FIVE_FIELDS

_LEFT_OUT = frozenset({("responseElements", "credentials", "sessionToken"), ("resources",)})
"""Parsed and not written, as in `floor.py`: the product keeps a digit of the one and a role of the other."""


def statement(logs: str, output: str, *, every_field: bool) -> str:
    """One row for each record below `logs` to the file `output`: five columns, or the product's fields."""
    kind = RECORD if every_field else pa.struct([RECORD.field(name) for name in FIVE_FIELDS])
    columns = ", ".join(f"{_element(path)} AS {'_'.join(path)}" for path in _leaves(kind))
    return (
        f"INSERT INTO FUNCTION file('{output}', Parquet) SELECT {columns} FROM "
        f"(SELECT arrayJoin(JSONExtract(json, 'Records', 'Array({_type(kind)})')) AS record "
        f"FROM file('{logs}/**/*.json.gz', JSONAsString, 'json String'))"
    )


def _leaves(record: pa.StructType, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in record:
        path = (*above, field.name)
        if path in _LEFT_OUT:
            continue
        if pa.types.is_struct(field.type):
            yield from _leaves(field.type, path)
        else:
            yield path


def _element(path: tuple[str, ...]) -> str:
    expression = "record"
    for name in path:
        expression = f"tupleElement({expression}, '{name}')"
    return expression


def _type(arrow_type: pa.DataType) -> str:
    """ClickHouse's name for an Arrow type."""
    if pa.types.is_struct(arrow_type):
        return f"Tuple({', '.join(f'{field.name} {_type(field.type)}' for field in arrow_type)})"
    if pa.types.is_list(arrow_type):
        return f"Array({_type(arrow_type.value_type)})"
    return "Nullable(Bool)" if pa.types.is_boolean(arrow_type) else "Nullable(String)"


if __name__ == "__main__":
    print(statement(sys.argv[1], sys.argv[2], every_field=sys.argv[3] == "all"))
