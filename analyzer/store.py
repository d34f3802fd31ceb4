"""The store: plain Parquet that any reader understands, and one DuckDB file with the ledger and views.

    STORE/sts-regions.duckdb                               ledger (sources, parts, runs) and views
    STORE/events/service=sts/event_month=2026-10/*.parquet   rows of schema `cloudtrail.EVENTS`
    STORE/events/service=other/event_month=…/*.parquet
    STORE/staging/                                         parts of a commit under way
    STORE/lock

A commit is atomic: parts are written to `staging/`, one DuckDB transaction writes the ledger and names the
parts, then they are moved to `events/`. What a crash leaves in `staging/` is moved or deleted by the next
command, according to the ledger. So `events/` never holds a row that the ledger does not know.

Everything that only DuckDB understands is here, in the modules of the ledger and in `sandbox.py`; `queries/` stays
portable.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.batch import Batch, Committed
from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS
from analyzer.duckdb_errors import first_line, interruptible
from analyzer.errors import QueryError, StoreError
from analyzer.ledger import events_sql, ledger_rows, part_rows
from analyzer.ledger_questions import Ledger
from analyzer.lock import store_lock
from analyzer.parts import Part, describe_part, partitions, private_folders, sync_file, write_part
from analyzer.queries import Value, bind, compose
from analyzer.sandbox import ask_ad_hoc
from analyzer.store_place import (
    DATABASE,
    FORMAT,
    check_place,
    check_presence,
    connected,
    create_ledger,
    has_unfinished_commit,
    make_folders,
)
from analyzer.version import __version__

_WRITERS = 2

__all__ = ["DATABASE", "FORMAT", "Batch", "Committed", "Store", "open_store", "opened_as_it_is"]


def _silent(_: str) -> None:
    """Nobody is told."""


@contextmanager
def open_store(
    path: Path, *, write: bool = False, catalogue: Catalogue, on_wait: Callable[[str], None] = _silent
) -> Iterator["Store"]:
    """Open a store, for writing or for reading; writing creates it.

    `on_wait` is told who holds the store while this waits. Raises StoreError when the path holds something
    else, a damaged store, or one of another format.
    """
    path = path.absolute()
    check_place(path)
    if write:
        make_folders(path)
    else:
        check_presence(path)
    if not write and has_unfinished_commit(path):
        with store_lock(path / "lock", write=True, on_wait=on_wait), connected(path, True) as connection:
            Store(path, connection, catalogue)._recover()
    with store_lock(path / "lock", write=write, on_wait=on_wait):
        if write and not (path / DATABASE).exists():
            create_ledger(path)
        with connected(path, write) as connection:
            store = Store(path, connection, catalogue)
            try:
                with interruptible():
                    store._check_format()
                    if write:
                        store._recover()
                    store._check_parts()
                    store._offer_relations()
                    yield store
            except duckdb.Error as error:
                raise _damaged(path, error) from None


@contextmanager
def opened_as_it_is(
    path: Path, *, catalogue: Catalogue, on_wait: Callable[[str], None] = _silent
) -> Iterator["Store"]:
    """Open a store for reading, whatever state it is in: nothing is mended, and its parts are not looked at.

    Raises StoreError as `open_store` does, for the place, the ledger and the format.
    """
    path = path.absolute()
    check_place(path)
    check_presence(path)
    with store_lock(path / "lock", write=False, on_wait=on_wait), connected(path, False) as connection:
        store = Store(path, connection, catalogue)
        try:
            with interruptible():
                store._check_format()
                yield store
        except duckdb.Error as error:
            raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: the store is damaged ({first_line(error)}); make a new store from the logs")


class Store(Ledger):
    """An open store. Made by `open_store`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
        super().__init__(connection)
        self.path = path
        self._catalogue = catalogue

    # Writing

    def begin_run(self, now: datetime) -> int:
        """Note that an ingest begins at `now` (naive UTC); returns the run's number."""
        (run_id,) = self._row("SELECT coalesce(max(run_id), 0) + 1 FROM runs")
        self._connection.execute("INSERT INTO runs VALUES (?, ?, NULL, ?)", [run_id, now, __version__])
        return int(run_id)

    def end_run(self, run_id: int, now: datetime) -> None:
        """Note that an ingest has ended at `now` (naive UTC)."""
        self._connection.execute("UPDATE runs SET finished_at = ? WHERE run_id = ?", [now, run_id])

    def commit(self, batch: Batch, run_id: int) -> Committed:
        """Write a batch, all of it or nothing. Events that the store holds already are counted, not written."""
        (last,) = self._row("SELECT coalesce(max(source_id), 0) FROM sources")
        events, kept = self._new_events(batch)
        if len(events):
            column = events.schema.get_field_index("source_id")
            shifted = pc.add(events.column(column), int(last) + 1)
            events = events.set_column(column, EVENTS.field("source_id"), shifted)
        parts = self._stage(events, f"{run_id:06d}-{last:09d}")
        rows = {**ledger_rows(batch.sources, run_id, int(last) + 1, kept), "parts": part_rows(parts)}
        duplicate = pc.sum(rows["sources"].column("duplicate"), min_count=0).as_py()
        with self._transaction():
            for name, table in rows.items():
                if len(table):
                    self._connection.register("incoming", table)
                    self._connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")
                    self._connection.unregister("incoming")
            for archive in batch.archives:
                self._connection.execute("INSERT INTO archives VALUES (?, ?, ?)", archive)
        for part in parts:
            self._publish(part.path)
        self._offer_relations()
        return Committed(len(events), duplicate)

    def _new_events(self, batch: Batch) -> tuple[pa.Table, Mapping[int, int]]:
        """Events whose event_id is neither in the store nor earlier in the batch, and their number by source."""
        if not batch.events:
            return EVENTS.empty_table(), {}
        events = pa.concat_tables(batch.events)
        event_id = events.column("event_id")
        stored = bool(self.parts())
        if stored or pc.count_distinct(event_id).as_py() < len(events):
            rows = pa.table({"event_id": event_id, "row": pa.arange(0, len(events))})
            self._connection.register("incoming", rows)
            unseen = "ANTI JOIN events USING (event_id)" if stored else ""
            fresh = self._table(f"SELECT min(row) AS row FROM incoming {unseen} GROUP BY event_id ORDER BY row")
            self._connection.unregister("incoming")
            if len(fresh) < len(events):
                events = events.take(fresh.column("row"))
        counts = pc.value_counts(events.column("source_id"))
        return events, {entry["values"].as_py(): entry["counts"].as_py() for entry in counts}

    def _stage(self, events: pa.Table, name: str) -> list[Part]:
        """Write events as Parquet parts to `staging/`, one for each partition."""

        def write(partition: tuple[str, pa.Array | None]) -> Part:
            folder, mask = partition
            table = events if mask is None else events.filter(mask)
            path = f"{folder}/{name}.parquet"
            target = self.path / "staging" / path
            private_folders(self.path / "staging", target.parent)
            write_part(table, target)
            first, last = (moment.as_py() for moment in pc.min_max(table.column("event_time")).values())
            return describe_part(path, target, len(table), first, last)

        with ThreadPoolExecutor(_WRITERS) as writers:
            return list(writers.map(write, partitions(events)))

    def _publish(self, path: str) -> None:
        final = self.path / "events" / path
        private_folders(self.path / "events", final.parent)
        (self.path / "staging" / path).rename(final)
        sync_file(final.parent)

    def _recover(self) -> None:
        """Finish or undo what a crash left: staged parts that the ledger names are moved, others deleted."""
        staging = self.path / "staging"
        known = {path for (path,) in self._connection.execute("SELECT path FROM parts").fetchall()}
        for staged in sorted(staging.rglob("*.parquet")):
            path = staged.relative_to(staging).as_posix()
            if path in known:
                self._publish(path)
            else:
                staged.unlink()
        for leftover in staging.iterdir():
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    # Reading

    def _check_format(self) -> None:
        try:
            (found,) = self._row("SELECT value FROM meta WHERE name = 'format'")
        except (duckdb.CatalogException, IndexError):
            raise StoreError(f"{self.path / DATABASE}: is no store of sts-regions; name another one") from None
        if found != FORMAT:
            raise StoreError(
                f"{self.path}: has store format {found}, this version reads {FORMAT}; "
                "use the version that wrote it, or make a new store from the logs"
            )

    def _check_parts(self) -> None:
        """Raise StoreError when events that the ledger counts are not there any more, or not as written."""
        for part in self.parts():
            try:
                found = (self.path / "events" / part.path).stat().st_size
            except OSError:
                found = None
            if found != part.bytes:
                what = "is missing" if found is None else f"has {found} bytes instead of {part.bytes}"
                raise StoreError(
                    f"{self.path / 'events' / part.path}: {what}; bring it back from a copy, or make a new store "
                    "from the logs; 'sts-regions store check' looks at everything"
                )

    def events_relation(self) -> str:
        """SQL of the relation `events`: all events that the ledger knows."""
        return events_sql([self.path / "events" / part.path for part in self.parts()])

    def _offer_relations(self) -> None:
        """Let this connection see the relation `events` as it is now."""
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS {self.events_relation()}")

    def load_catalogue(self) -> None:
        """Read what the views say of the catalogue; `offer_views` needs it and others may work meanwhile."""
        _ = self._catalogue.operations, self._catalogue.dns_suffixes

    def offer_views(self) -> None:
        """Write the analysts' views into the DuckDB file, unless they are there as they should be."""
        views = self._views()
        fingerprint = hashlib.sha256(repr(sorted(views.items())).encode()).hexdigest()
        if self._connection.execute("SELECT value FROM meta WHERE name = 'views'").fetchall() == [(fingerprint,)]:
            return
        with self._transaction():
            for name, sql in views.items():
                self._connection.execute(f"CREATE OR REPLACE VIEW main.{name} AS {sql}")
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('views', ?)", [fingerprint])
        self._offer_relations()

    def _views(self) -> dict[str, str]:
        """What analysts find beside the ledger: the events, and the answers of queries over all of them."""
        everything = {"since": "TIMESTAMP '0001-01-01'", "until": "TIMESTAMP '9999-12-31'"}
        views = {"events": self.events_relation()}
        for name in ("classify", "usage", "errors", "unknown_operations"):
            views[name] = compose(name, self._catalogue)
            for parameter, value in everything.items():
                views[name] = views[name].replace(f"${parameter}", value)
        return views

    def ask(self, name: str, values: Mapping[str, Value]) -> pa.Table:
        """The answer to a named query. Raises QueryError when a parameter is missing or the query fails."""
        return self._ask(name, values)

    def ask_together(self, names: Iterable[str], shared: str, values: Mapping[str, Value]) -> dict[str, pa.Table]:
        """The answers to several queries that all need the query `shared`, which is answered once."""
        self._connection.register("shared_answer", self._ask(shared, values))
        try:
            self._connection.execute(f"CREATE TEMP VIEW {shared} AS SELECT * FROM shared_answer")
            try:
                return {name: self._ask(name, values, given=(shared,)) for name in names}
            finally:
                self._connection.execute(f"DROP VIEW temp.{shared}")
        finally:
            self._connection.unregister("shared_answer")

    def _ask(self, name: str, values: Mapping[str, Value], given: Collection[str] = ()) -> pa.Table:
        sql = compose(name, self._catalogue, given)
        try:
            with interruptible():
                return self._table(sql, bind(sql, values))
        except (duckdb.Error, RuntimeError) as error:
            raise QueryError(f"query {name} failed: {first_line(error)}") from None

    def ask_ad_hoc(self, sql: str) -> pa.Table:
        """The answer to one SELECT of a person, who sees this store only. Ends the store's other uses."""
        for name, view in self._views().items():
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {view}")
        return ask_ad_hoc(self._connection, self.path / "events", sql)

    def source_of(self, event_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The stored row of an event and the ledger's row of the document it came from; None if unknown."""
        events = self._table("SELECT * FROM events WHERE event_id = $event_id", {"event_id": event_id}).to_pylist()
        if not events:
            return None
        source_id = events[0]["source_id"]
        sources = self._table("SELECT * FROM sources WHERE source_id = $source_id", {"source_id": source_id})
        return events[0], sources.to_pylist()[0]
