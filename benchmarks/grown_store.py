"""A store of millions of events, made by committing a smaller store's events again and again.

    python -m benchmarks.grown_store STORE TARGET EVENTS

Every copy has ids of its own, made from the original's, so that events that shared a sharedEventID share one
again; its times are moved within the 90 days. Three of ten events are STS calls, as trails are mostly about
other services. The store's own `commit` writes the copies, so parts, ledger and balance are what they would
be had the events been read from logs.
"""

import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS, STS
from analyzer.decoding import Outcome, Reading
from analyzer.ledger import SourceRow
from analyzer.log_key import LogKey
from analyzer.store import Batch, open_store
from benchmarks.data import DAYS, FIRST_DAY

STS_SHARE = 0.3
_STEP_SECONDS = 977 * 61

_NEW_VALUES = {
    "event_id": "CAST(CAST(md5(event_id || $copy) AS UUID) AS VARCHAR)",
    "shared_event_id": "CAST(CAST(md5(shared_event_id || $copy) AS UUID) AS VARCHAR)",
    "event_time": "make_timestamp(epoch_us($first) + (epoch_us(event_time) - epoch_us($first) "
    f"+ CAST($copy AS BIGINT) * {_STEP_SECONDS * 1_000_000}) % {DAYS * 86_400_000_000})",
    "source_id": "CAST(0 AS BIGINT)",
}


def make(base: Path, target: Path, events: int) -> None:
    """Fill a new store at `target` with so many events, made from the store at `base`."""
    with duckdb.connect() as source, open_store(target, write=True, catalogue=Catalogue()) as store:
        parts = str(base / "events" / "*" / "*" / "*.parquet").replace("'", "''")
        source.execute(
            f"CREATE TABLE base AS SELECT {', '.join(EVENTS.names)}, event_source = '{STS}' AS is_sts, "
            "row_number() OVER (PARTITION BY is_sts ORDER BY coalesce(shared_event_id, event_id)) - 1 AS number "
            f"FROM read_parquet('{parts}', hive_partitioning = false)"
        )
        sts, other = source.execute(
            "SELECT count(*) FILTER (is_sts), count(*) FILTER (NOT is_sts) FROM base"
        ).fetchall()[0]
        sts_each = min(sts, round(other * STS_SHARE / (1 - STS_SHARE)))
        run = store.begin_run(FIRST_DAY)
        left, copy = events, 0
        while left:
            table = _copy(source, copy, sts, sts_each).slice(0, left)
            batch = Batch()
            batch.add([_source(copy, len(table))], table)
            committed = store.commit(batch, run)
            if committed.kept != len(table):
                raise ValueError(f"copy {copy} has {committed.duplicate} events that the store had already")
            left, copy = left - len(table), copy + 1
        store.end_run(run, FIRST_DAY)
        store.offer_views()


def _copy(source: duckdb.DuckDBPyConnection, copy: int, sts: int, sts_each: int) -> pa.Table:
    """All events of other services and a slice of the STS calls, another slice each time."""
    values: dict[str, str | int | datetime] = {"copy": str(copy), "first": FIRST_DAY}
    columns = ", ".join(f"{_NEW_VALUES.get(name, name)} AS {name}" for name in EVENTS.names)
    start = sts - copy * sts_each % sts
    rows = source.sql(
        f"SELECT {columns} FROM base WHERE NOT is_sts OR (number + {start}) % {sts} < {sts_each}",
        params=values,
    )
    return rows.to_arrow_table().cast(EVENTS)


def _source(copy: int, events: int) -> SourceRow:
    """A log file that would have held the events."""
    key = LogKey("111111111111", "us-east-1", FIRST_DAY.date(), in_trail_folder=True)
    reading = Reading(Outcome.INGESTED, seen=events)
    return SourceRow(f"copy-{copy}.json.gz", size=events, version="1", reading=reading, key=key)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
