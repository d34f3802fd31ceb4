"""The least that a Python process can do with these logs: decompress, parse, flatten, write Parquet.

It uses the product's libraries and its list of fields, and nothing else of it: no ledger, no de-duplication,
no checks, no bounds on text, no classification into months. The product cannot be faster than this; the
difference is the price of what it promises.

    python -m benchmarks.floor LOGS OUTPUT
"""

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from isal import isal_zlib

from analyzer.cloudtrail import TRAIL_FILE

_GROUP_FILES = 16
_ROW_GROUP = 128 * 1024
_NOT_WRITTEN = frozenset({"responseElements.credentials.sessionToken", "resources"})
_UNIQUE = frozenset({"eventID", "sharedEventID"})
_PARSE = pa.json.ParseOptions(
    explicit_schema=TRAIL_FILE, newlines_in_values=True, unexpected_field_behavior="ignore"
)


def write_parquet(logs: Path, output: Path, threads: int) -> None:
    """Write one row for each record below `logs`, one column for each field, into one file."""
    paths = sorted(str(path) for path in logs.rglob("*.json.gz"))
    writer: pq.ParquetWriter | None = None
    waiting: list[pa.Table] = []
    for table in _decoded(paths, threads):
        waiting.append(table)
        if sum(map(len, waiting)) >= _ROW_GROUP:
            writer = _write(writer, waiting, output)
    if waiting:
        writer = _write(writer, waiting, output)
    if writer is not None:
        writer.close()


def _decoded(paths: Sequence[str], threads: int) -> Iterator[pa.Table]:
    groups = (paths[start : start + _GROUP_FILES] for start in range(0, len(paths), _GROUP_FILES))
    with ThreadPoolExecutor(threads) as workers:
        running: deque[Future[pa.Table]] = deque(
            workers.submit(_decode, group) for group in islice(groups, 4 * threads)
        )
        while running:
            done = running.popleft().result()
            if group := next(groups, None):
                running.append(workers.submit(_decode, group))
            yield done


def _decode(paths: Sequence[str]) -> pa.Table:
    data = b"\n".join(_document(path) for path in paths)
    options = pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    table = pa.json.read_json(pa.BufferReader(data), read_options=options, parse_options=_PARSE)
    columns: dict[str, pa.Array] = {}
    _flatten(table.column("Records").chunk(0).flatten(), "", columns)
    return pa.table(columns)


def _document(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        packed = file.read()
    size = int.from_bytes(packed[-4:], "little")
    document: bytes = isal_zlib.decompress(packed, wbits=31, bufsize=size + 1)
    return document


def _flatten(records: pa.StructArray, prefix: str, columns: dict[str, pa.Array]) -> None:
    for field, values in zip(records.type, records.flatten(), strict=True):
        name = prefix + field.name
        if name in _NOT_WRITTEN:
            continue
        if pa.types.is_struct(field.type):
            _flatten(values, f"{name}.", columns)
        else:
            columns[name] = values


def _write(writer: pq.ParquetWriter | None, waiting: list[pa.Table], output: Path) -> pq.ParquetWriter:
    table = pa.concat_tables(waiting)
    waiting.clear()
    if writer is None:
        repeating = [name for name in table.column_names if name not in _UNIQUE]
        writer = pq.ParquetWriter(
            output, table.schema, compression="zstd", compression_level=1, use_dictionary=repeating
        )
    writer.write_table(table, row_group_size=_ROW_GROUP)
    return writer


if __name__ == "__main__":
    write_parquet(Path(sys.argv[1]), Path(sys.argv[2]), os.cpu_count() or 1)
