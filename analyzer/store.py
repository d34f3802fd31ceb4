"""The store: plain Parquet that any reader understands, and one DuckDB file with the ledger and views.

    STORE/sts-regions.duckdb                               ledger (sources, parts, runs) and views
    STORE/events/service=sts/event_month=2026-10/*.parquet   rows of schema `cloudtrail.EVENTS`
    STORE/events/service=other/event_month=…/*.parquet
    STORE/staging/                                         parts of a commit under way
    STORE/lock

A commit is atomic: parts are written to `staging/`, one DuckDB transaction writes the ledger and names the
parts, then they are moved to `events/`. What a crash leaves in `staging/` is moved or deleted by the next
command, according to the ledger. So `events/` never holds a row that the ledger does not know, but for parts that
others have just replaced: `staging/replaced.txt` names them until they are deleted.

Everything that only DuckDB understands is here, in the modules of the ledger and in `sandbox.py`; `queries/` stays
portable.
"""

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.batch import Batch, Committed
from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS
from analyzer.decoding.outcome import PRUNED
from analyzer.duckdb_errors import interruptible
from analyzer.errors import StoreError
from analyzer.event_questions import Events
from analyzer.ledger import events_sql, ledger_rows, part_rows
from analyzer.lock import store_lock
from analyzer.parts import (
    Part,
    describe_part,
    merge_parts,
    partitions,
    private_folders,
    sha256_of,
    sync_file,
    write_part,
)
from analyzer.store_failures import naming
from analyzer.store_place import (
    DATABASE,
    FORMAT,
    REPLACED,
    check_place,
    check_presence,
    connected,
    create_ledger,
    has_unfinished_commit,
    make_folders,
)
from analyzer.store_shape import check_files, check_ledger, check_part
from analyzer.version import __version__

_WRITERS = 2
_PART_PATH = re.compile(r"service=(?:sts|other)/event_month=[0-9]{4}-[0-9]{2}/[^/]+\.parquet")

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
    check_files(path)
    if write:
        make_folders(path)
    else:
        check_presence(path)
    lock = store_lock(path / "lock", write=True, on_wait=on_wait) if write else _whole(path, catalogue, on_wait)
    with lock:
        if write and not (path / DATABASE).exists():
            create_ledger(path)
        with connected(path, write) as connection:
            store = Store(path, connection, catalogue)
            with interruptible():
                store._check_format()
                if write:
                    store._recover()
                store._check_parts()
                store._offer_relations()
                yield store


@contextmanager
def opened_as_it_is(
    path: Path, *, catalogue: Catalogue, on_wait: Callable[[str], None] = _silent
) -> Iterator["Store"]:
    """Open a store for reading, whatever state it is in: nothing is mended, and its parts are not looked at.

    Raises StoreError as `open_store` does, for the place, the ledger and the format.
    """
    path = path.absolute()
    check_place(path)
    check_files(path)
    check_presence(path)
    with store_lock(path / "lock", write=False, on_wait=on_wait), connected(path, False) as connection:
        store = Store(path, connection, catalogue)
        with interruptible():
            store._check_format()
            yield store


@contextmanager
def _whole(path: Path, catalogue: Catalogue, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold a store for reading in which nothing is half done. Whoever held it may have been killed meanwhile."""
    while True:
        with store_lock(path / "lock", write=False, on_wait=on_wait):
            if not has_unfinished_commit(path):
                yield
                return
        _mend(path, catalogue, on_wait)


def _mend(path: Path, catalogue: Catalogue, on_wait: Callable[[str], None]) -> None:
    """Finish or undo what a crash left, before somebody reads."""
    with store_lock(path / "lock", write=True, on_wait=on_wait), connected(path, True) as connection:
        store = Store(path, connection, catalogue)
        store._check_format()
        store._recover()


class Store(Events):
    """An open store. Made by `open_store`."""

    # Writing

    def begin_run(self, now: datetime, command: str = "ingest") -> int:
        """Note that a command begins to write at `now` (naive UTC); returns the run's number."""
        (run_id,) = self._row("SELECT coalesce(max(run_id), 0) + 1 FROM runs")
        self._connection.execute("INSERT INTO runs VALUES (?, ?, NULL, ?, ?)", [run_id, now, __version__, command])
        return int(run_id)

    def end_run(self, run_id: int, now: datetime) -> None:
        """Note that a command has ended at `now` (naive UTC)."""
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
                self._insert(name, table)
            for archive in batch.archives:
                self._connection.execute("INSERT INTO archives VALUES (?, ?, ?)", archive)
            for uri in batch.sound:
                self._connection.execute(
                    "DELETE FROM sources WHERE uri = ? AND outcome = 'rejected' AND seen = 0", [uri]
                )
        self._sync_ledger()
        for part in parts:
            self._publish(part.path)
        self._offer_relations()
        return Committed(len(events), duplicate)

    def _sync_ledger(self) -> None:
        """DuckDB syncs its files but not their names: that of a new write-ahead log may not be safe yet."""
        sync_file(self.path)

    def _insert(self, name: str, rows: pa.Table) -> None:
        if len(rows):
            self._connection.register("incoming", rows)
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")
            self._connection.unregister("incoming")

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
            sync_file(target.parent)
            first, last = (moment.as_py() for moment in pc.min_max(table.column("event_time")).values())
            return describe_part(path, target, len(table), first, last)

        with ThreadPoolExecutor(_WRITERS) as writers:
            return list(writers.map(write, partitions(events)))

    def exchange(
        self, old: Sequence[Part], groups: Iterable[Sequence[Part]], name: str, forget: datetime | None = None
    ) -> list[Part]:
        """Put one part into the place of each group of parts, all of it or nothing.

        Args:
            old: the parts that go, those of the groups among them.
            groups: parts of one folder each.
            name: file name of the new parts, without suffix; new in the store.
            forget: events before this moment (naive UTC) go too, and the ledger says so from now on.

        Returns the new parts.
        """
        self._note_replaced(old)
        try:
            new = [
                self._stage_merged(group, f"{name}-{number:04d}", forget) for number, group in enumerate(groups)
            ]
        except Exception:
            self._recover()  # the disk may be full: what was staged is of no use
            raise
        with self._transaction():
            if forget is not None:
                self._forget(old, forget)
            self._connection.execute("DELETE FROM parts WHERE list_contains(?, path)", [[p.path for p in old]])
            self._insert("parts", part_rows(new))
        self._sync_ledger()
        for part in new:
            self._publish(part.path)
        self._drop_replaced({part.path for part in self.parts()})
        return new

    def _stage_merged(self, group: Sequence[Part], name: str, since: datetime | None) -> Part:
        path = f"{group[0].folder}/{name}.parquet"
        target = self.path / "staging" / path
        private_folders(self.path / "staging", target.parent)
        files = [self.path / "events" / part.path for part in group]
        for part, file in zip(group, files, strict=True):
            # What is damaged must not be written anew with a hash that is right.
            if sha256_of(file) != part.sha256:
                raise StoreError(
                    f"{file}: is not as it was written; bring it back from a copy, or make a new store from the "
                    "logs; 'sts-regions store check' looks at everything"
                )
        merged = merge_parts(files, target, since)
        sync_file(target.parent)
        return describe_part(path, target, *merged)

    def _forget(self, old: Sequence[Part], before: datetime) -> None:
        """Count the events before that moment as skipped from now on, document by document."""
        events = events_sql([self.path / "events" / part.path for part in old])
        counted = self._table(
            f"SELECT source_id, count(*) AS gone FROM ({events}) WHERE event_time < $before GROUP BY ALL",
            {"before": before},
        )
        self._connection.register("counted", counted)
        self._connection.execute(
            "UPDATE sources SET kept = kept - gone, skipped = skipped + gone FROM counted "
            "WHERE sources.source_id = counted.source_id"
        )
        self._connection.execute(
            f"INSERT INTO source_reasons SELECT source_id, 'skipped', '{PRUNED}', gone FROM counted"
        )
        self._connection.unregister("counted")
        self._connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('pruned_before', ?)", [before.date().isoformat()]
        )

    def _note_replaced(self, old: Sequence[Part]) -> None:
        """Remember which parts may have to be deleted, before they may."""
        note = self.path / "staging" / REPLACED
        handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{part.path}\n" for part in old)
        sync_file(note)
        sync_file(note.parent)

    def _drop_replaced(self, known: Collection[str]) -> None:
        """Delete the parts that others have replaced, after nobody is pointed to them any more."""
        note = self.path / "staging" / REPLACED
        if not note.exists():
            return
        self._offer_relations()
        self.offer_views()
        for path in note.read_text(encoding="utf-8").splitlines():
            if path not in known and _PART_PATH.fullmatch(path):
                file = self.path / "events" / path
                file.unlink(missing_ok=True)
                with suppress(OSError):  # not empty, or gone
                    file.parent.rmdir()
        note.unlink()

    def _publish(self, path: str) -> None:
        final = self.path / "events" / path
        private_folders(self.path / "events", final.parent)
        with naming(final):
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
        self._drop_replaced(known)
        for leftover in staging.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()

    # Opening

    def _check_format(self) -> None:
        """Raise StoreError unless the ledger is one of this version, and as this product makes it."""
        try:
            (found,) = self._row("SELECT value FROM meta WHERE name = 'format'")
        except (duckdb.CatalogException, IndexError):
            raise StoreError(f"{self.path / DATABASE}: is no store of sts-regions; name another one") from None
        if found != FORMAT:
            raise StoreError(
                f"{self.path}: has store format {found}, this version reads {FORMAT}; "
                "use the version that wrote it, or make a new store from the logs"
            )
        check_ledger(self._connection, self.path)

    def _check_parts(self) -> None:
        """Raise StoreError when events that the ledger counts are not there any more, or not as written."""
        for part in self.parts():
            check_part(self.path, part.path)
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
