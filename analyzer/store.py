"""The store: plain Parquet that any reader understands, and one DuckDB file with the ledger and views.

    STORE/sts-regions.duckdb                               ledger (sources, parts, runs) and views
    STORE/events/service=sts/event_month=2026-10/*.parquet   rows of schema `cloudtrail.EVENTS`
    STORE/events/service=other/event_month=…/*.parquet
    STORE/staging/                                         parts of a commit under way
    STORE/lock

A commit is atomic: parts are written to `staging/`, one DuckDB transaction writes the ledger and names the
parts, then they are moved to `events/`. What a crash leaves in `staging/` is moved or deleted by the next
command, according to the ledger. So `events/` never holds a row that the ledger does not know.

Everything that only DuckDB understands is in this module and in `sandbox.py`; `queries/` stays portable.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analyzer.balance import Balance, FileBalance, RecordBalance
from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS, STS
from analyzer.decoding import Outcome
from analyzer.digest_chain import CheckedDigest, Fault, UnsoundFiles
from analyzer.digests import Digest, Trail, object_name
from analyzer.duckdb_errors import first_line, interruptible
from analyzer.errors import QueryError, StoreError
from analyzer.ledger import TABLES, SourceRow, ledger_rows, schema_statements, sql_type
from analyzer.lock import store_lock
from analyzer.log_key import EVENT_HISTORY_FOLDER, LOG_FOLDER
from analyzer.queries import Value, bind, compose
from analyzer.sandbox import ask_ad_hoc, confine
from analyzer.store_shape import check_answer, check_files, check_ledger, check_part
from analyzer.version import __version__

DATABASE = "sts-regions.duckdb"
FORMAT = "2"
_MEMORY_LIMIT = "1500MB"
_ROW_GROUP = 256 * 1024
_WRITERS = 2
_GLOB_CHARACTER = re.compile(r"[*?\[]")
_ROWS_AT_ONCE = 10_000
_DIGEST_MARK = "_CloudTrail-Digest_"

# A listed file is as it was delivered when it was ingested and all copies of it have the listed hash.
_UNSOUND_FILES = f"""
WITH copies AS (
    SELECT
        object_name,
        -- The hash of what could not be decompressed is empty: nobody can tell what it is.
        min(sha256) FILTER (WHERE sha256 <> '') AS least,
        max(sha256) FILTER (WHERE sha256 <> '') AS greatest,
        bool_or(outcome = 'ingested') AS is_read
    FROM current_sources
    WHERE folder = '{LOG_FOLDER}'
    GROUP BY object_name
),
listed AS (
    SELECT
        file.source_id, file.bucket, file.object,
        CASE
            WHEN copies.object_name IS NULL THEN '{Fault.MISSING_LOG_FILE}'
            WHEN copies.least <> file.sha256 OR copies.greatest <> file.sha256 THEN '{Fault.WRONG_HASH}'
            WHEN NOT copies.is_read THEN '{Fault.UNREAD_LOG_FILE}'
        END AS fault
    FROM digest_files AS file LEFT JOIN copies USING (object_name)
    WHERE file.source_id IN (SELECT source_id FROM current_sources)
)
SELECT source_id, fault, bucket, array_agg(DISTINCT object ORDER BY object) AS objects
FROM listed WHERE fault IS NOT NULL
GROUP BY source_id, fault, bucket ORDER BY source_id, fault, bucket
"""

_DIGESTS = """
WITH listed AS (SELECT source_id, count(*) AS files FROM digest_files GROUP BY source_id),
signatures AS (
    SELECT object_name, array_agg(DISTINCT signature ORDER BY signature) AS texts
    FROM digest_signatures WHERE source_id IN (SELECT source_id FROM current_sources)
    GROUP BY object_name
)
SELECT
    source_id, source.sha256, source.object_name, coalesce(listed.files, 0), signatures.texts,
    digest.* EXCLUDE (source_id, previous_signature), {previous_signature}
FROM digests AS digest
JOIN current_sources AS source USING (source_id)
LEFT JOIN listed USING (source_id)
LEFT JOIN signatures ON signatures.object_name = source.object_name
ORDER BY digest.account_id, digest.region, digest.trail, digest.home_region, end_time, source_id
"""


@dataclass(slots=True)
class Batch:
    """What one commit writes: documents, and their events with `source_id` = index into `sources`."""

    sources: list[SourceRow] = field(default_factory=list)
    events: list[pa.Table] = field(default_factory=list)
    archives: list[tuple[str, int, str]] = field(default_factory=list)
    nbytes: int = 0
    """Memory held by the events and by what documents say."""

    def add(self, sources: Sequence[SourceRow], events: pa.Table) -> None:
        """Add a group of documents; `source_id` in `events` is the index into this group."""
        if len(events):
            column = events.schema.get_field_index("source_id")
            shifted = pc.add(events.column(column), len(self.sources))
            self.events.append(events.set_column(column, EVENTS.field("source_id"), shifted))
            self.nbytes += events.nbytes
        self.sources.extend(sources)
        self.nbytes += sum(row.nbytes for row in sources)

    def __bool__(self) -> bool:
        return bool(self.sources or self.archives)


@dataclass(frozen=True, slots=True)
class Committed:
    """Records of a batch that were new and that were in the store already."""

    kept: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What the ledger remembers of a source object."""

    size: int
    version: str
    outcome: Outcome
    reason: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """A log file's account, region and day, and whether it was read."""

    account_id: str
    region: str
    day: date
    outcome: Outcome


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
    _check_place(path)
    check_files(path)
    if write:
        _prepare(path)
    elif not (path / DATABASE).is_file():
        raise StoreError(f"{path}: no store there; make one with 'sts-regions ingest SOURCE --store {path}'")
    if not write and _has_unfinished_commit(path):
        with store_lock(path / "lock", write=True, on_wait=on_wait), _connected(path, True) as connection:
            Store(path, connection, catalogue)._recover()
    with store_lock(path / "lock", write=write, on_wait=on_wait):
        if write and not (path / DATABASE).exists():
            _create(path)
        with _connected(path, write) as connection:
            store = Store(path, connection, catalogue)
            try:
                with interruptible():
                    store._check_format()
                    check_ledger(connection, path)
                    if write:
                        store._recover()
                    store._check_parts()
                    store._offer_relations()
                    yield store
            except duckdb.Error as error:
                raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: the store is damaged ({first_line(error)}); make a new store from the logs")


def _check_place(path: Path) -> None:
    """Raise StoreError unless a store may be here."""
    if _GLOB_CHARACTER.search(str(path)):
        raise StoreError(f"{path}: DuckDB takes *, ? and [ in a path for a pattern; choose another place")
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path}: is a file; name a directory for the store")
    if path.is_dir() and not (path / DATABASE).exists():
        strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _OWN_NAMES)
        if strangers:
            raise StoreError(f"{path}: holds other things ({strangers[0]}); name a new or empty directory")


def _prepare(path: Path) -> None:
    is_new = not (path / DATABASE).exists()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (path, path / "events", path / "staging"):
            folder.mkdir(mode=0o700, exist_ok=True)
            if is_new:
                # It may have been there, open to others, and DuckDB's own files in it are as the umask has them.
                folder.chmod(0o700)
    except OSError as error:
        raise StoreError(f"{path}: cannot be created ({error.strerror}); choose another place") from None


_OWN_NAMES = frozenset({"events", "staging", "lock", DATABASE, f"{DATABASE}.new", f"{DATABASE}.new.wal"})


def _create(path: Path) -> None:
    """Make the ledger aside and move it into place, so that a half-made one is never opened."""
    new = path / f"{DATABASE}.new"
    for leftover in (new, path / f"{DATABASE}.new.wal"):
        leftover.unlink(missing_ok=True)
    try:
        with interruptible(), duckdb.connect(str(new)) as connection:
            connection.execute(schema_statements())
            connection.execute("INSERT INTO meta VALUES ('format', ?)", [FORMAT])
    except duckdb.Error as error:
        raise StoreError(
            f"{path}: DuckDB cannot write there ({first_line(error)}); choose another place"
        ) from None
    new.chmod(0o600)
    new.rename(path / DATABASE)


@contextmanager
def _connected(path: Path, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY_LIMIT,
        "temp_directory": str(path / "staging" / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
        # A report scans the parts several times; an ingest reads them once and would only grow with the store.
        "enable_external_file_cache": not write,
    }
    try:
        connection = duckdb.connect(str(path / DATABASE), read_only=not write, config=config)
    except duckdb.Error as error:
        raise StoreError(
            f"{path / DATABASE}: DuckDB cannot open it ({first_line(error)}); "
            "if no other program holds it, make a new store from the logs"
        ) from None
    try:
        with interruptible():
            confine(connection, path / "events")
        yield connection
    finally:
        connection.close()


def _has_unfinished_commit(path: Path) -> bool:
    try:
        return any(entry.suffix == ".parquet" for entry in (path / "staging").rglob("*"))
    except OSError:
        return False


class Store:
    """An open store. Made by `open_store`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
        self.path = path
        self._connection = connection
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
        rows = {**ledger_rows(batch.sources, run_id, int(last) + 1, kept), "parts": parts}
        duplicate = pc.sum(rows["sources"].column("duplicate"), min_count=0).as_py()
        with self._transaction():
            for name, table in rows.items():
                if len(table):
                    self._connection.register("incoming", table)
                    self._connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")
                    self._connection.unregister("incoming")
            for archive in batch.archives:
                self._connection.execute("INSERT INTO archives VALUES (?, ?, ?)", archive)
        for path in parts.column("path").to_pylist():
            self._publish(path)
        self._offer_relations()
        return Committed(len(events), duplicate)

    def _new_events(self, batch: Batch) -> tuple[pa.Table, Mapping[int, int]]:
        """Events whose event_id is neither in the store nor earlier in the batch, and their number by source."""
        if not batch.events:
            return EVENTS.empty_table(), {}
        events = pa.concat_tables(batch.events)
        event_id = events.column("event_id")
        stored = bool(self._parts())
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

    def _stage(self, events: pa.Table, name: str) -> pa.Table:
        """Write events as Parquet parts to `staging/`, one for each partition; returns the rows of `parts`."""

        def write(partition: tuple[str, pa.Array | None]) -> dict[str, Any]:
            folder, mask = partition
            table = events if mask is None else events.filter(mask)
            path = f"{folder}/{name}.parquet"
            target = self.path / "staging" / path
            _private_folders(self.path / "staging", target.parent)
            _write_parquet(table, target)
            first, last = pc.min_max(table.column("event_time")).values()
            return {
                "path": path,
                "records": len(table),
                "bytes": target.stat().st_size,
                "first_event": first.as_py(),
                "last_event": last.as_py(),
            }

        with ThreadPoolExecutor(_WRITERS) as writers:
            rows = list(writers.map(write, _partitions(events)))
        return pa.Table.from_pylist(rows, TABLES["parts"])

    def _publish(self, path: str) -> None:
        final = self.path / "events" / path
        _private_folders(self.path / "events", final.parent)
        (self.path / "staging" / path).rename(final)
        _sync(final.parent)

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
        for path, size in self._connection.execute("SELECT path, bytes FROM parts").fetchall():
            check_part(self.path, path)
            try:
                found = (self.path / "events" / path).stat().st_size
            except OSError:
                found = None
            if found != size:
                what = "is missing" if found is None else f"has {found} bytes instead of {size}"
                raise StoreError(
                    f"{self.path / 'events' / path}: {what}; bring it back from a copy, or make a new store "
                    "from the logs"
                )

    def _parts(self) -> list[str]:
        """Paths of all parts."""
        rows = self._connection.execute("SELECT path FROM parts ORDER BY path").fetchall()
        return [str(self.path / "events" / path) for (path,) in rows]

    def events_relation(self) -> str:
        """SQL of the relation `events`: all events that the ledger knows."""
        # A cast is nothing where the type is right; in a part that is not ours it may not be.
        columns = ", ".join(f"CAST({f.name} AS {sql_type(f.type)}) AS {f.name}" for f in EVENTS)
        if not (parts := self._parts()):
            empty = ", ".join(f"CAST(NULL AS {sql_type(f.type)}) AS {f.name}" for f in EVENTS)
            return f"SELECT {empty} WHERE FALSE"
        listed = ", ".join("'" + part.replace("'", "''") + "'" for part in parts)
        return f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"

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
                answer = self._table(sql, bind(sql, values))
        except (duckdb.Error, RuntimeError) as error:
            raise QueryError(f"query {name} failed: {first_line(error)}") from None
        check_answer(answer)
        return answer

    def ask_ad_hoc(self, sql: str) -> pa.Table:
        """The answer to one SELECT of a person, who sees this store only. Ends the store's other uses."""
        for name, view in self._views().items():
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {view}")
        return ask_ad_hoc(self._connection, sql)

    def span(self) -> tuple[datetime | None, datetime | None]:
        """From the first event or digest period to the last, naive UTC; None when there is none."""
        first, last = self._row(
            "SELECT min(first), max(last) FROM ("
            "SELECT min(first_event) AS first, max(last_event) AS last FROM parts "
            # A digest's end is excluded: one that ends at midnight does not speak of the next day.
            "UNION ALL SELECT min(start_time), max(end_time) - INTERVAL 1 MICROSECOND FROM digests "
            "WHERE source_id IN (SELECT source_id FROM current_sources))"
        )
        return first, last

    def known_sources(self) -> dict[str, KnownSource]:
        """What the ledger remembers, by URI."""
        rows = self._connection.execute(
            "SELECT uri, size, version, outcome, reason, sha256 FROM current_sources"
        ).fetchall()
        return {
            uri: KnownSource(size, version, Outcome(outcome), reason, sha)
            for uri, size, version, outcome, reason, sha in rows
        }

    def settled_folders(
        self, root: str, since: date | None, retried: Collection[str], margin: timedelta
    ) -> dict[str, date]:
        """Folders below `root` that were listed before: the first delivery day that can have changed since.

        Args:
            root: bucket as a URI that ends in a slash; the folders are keys in it.
            since: first day asked for now; listings that began later say nothing.
            retried: reasons of rejections after which a file is asked for again, whatever its day.
            margin: how long after a day its files may still come.
        """
        rows = self._connection.execute(
            "SELECT folder, max(least(CAST(listed_at - ? AS DATE), coalesce(last_day, DATE '9999-12-31'))) "
            "FROM listed_folders WHERE starts_with(folder, ?) AND (first_day IS NULL OR first_day <= ?) "
            "GROUP BY folder",
            [margin, root, since],
        ).fetchall()
        pending = self._connection.execute(
            "SELECT uri, day FROM current_sources WHERE outcome = 'rejected' AND starts_with(uri, ?) "
            "AND list_contains(?, reason)",
            [root, list(retried)],
        ).fetchall()
        settled = {}
        for folder, day in rows:
            days = [pending_day or date.min for uri, pending_day in pending if uri.startswith(folder)]
            settled[folder.removeprefix(root)] = min(day, *days) if days else day
        return settled

    def remember_listed(self, folders: Iterable[tuple[str, date | None, date | None]], now: datetime) -> None:
        """Note folders (URI, first and last day; None: no bound) that were listed to their end at `now`."""
        for folder, first, last in folders:
            self._connection.execute("INSERT INTO listed_folders VALUES (?, ?, ?, ?)", [folder, first, last, now])

    def unlisted_folders(self, root: str = "") -> list[tuple[str, str]]:
        """URI and reason of what could not be listed when it was last asked for, folders above all."""
        # An object has a version, its ETag; what could not be listed has none.
        return self._connection.execute(
            "SELECT uri, reason FROM current_sources WHERE outcome = 'rejected' AND version = '' "
            "AND starts_with(uri, ?) ORDER BY ALL",
            [root],
        ).fetchall()

    def forget_unlisted(self, folders: Sequence[str]) -> None:
        """Take folders (URI) out of the ledger that could not be listed and now could be."""
        self._connection.execute(
            "DELETE FROM sources WHERE version = '' AND list_contains(?, uri)", [list(folders)]
        )

    def event_history_days(self) -> list[tuple[str, str, date]]:
        """Account, region and day of everything that was asked from Event history and came."""
        return self._connection.execute(
            "SELECT DISTINCT account_id, region, day FROM current_sources "
            f"WHERE folder = '{EVENT_HISTORY_FOLDER}' AND outcome = '{Outcome.INGESTED}' ORDER BY ALL"
        ).fetchall()

    def known_archives(self) -> dict[tuple[str, int, str], list[tuple[str, Outcome, str]]]:
        """Members (URI, outcome, reason) of the archives that were read to their end, by URI, size, version."""
        rows = self._connection.execute(
            "SELECT DISTINCT a.uri, a.size, a.version, s.uri, s.outcome, s.reason FROM archives AS a "
            "LEFT JOIN current_sources AS s ON s.archive_uri = a.uri AND s.version = a.version ORDER BY ALL"
        ).fetchall()
        members: dict[tuple[str, int, str], list[tuple[str, Outcome, str]]] = {}
        for uri, size, version, member, outcome, reason in rows:
            listed = members.setdefault((uri, size, version), [])
            if member is not None:
                listed.append((member, Outcome(outcome), reason))
        return members

    def log_days(self) -> list[LedgerDay]:
        """Account, region, day and outcome of every log file that carries them in its key."""
        rows = self._connection.execute(
            "SELECT DISTINCT account_id, region, day, outcome FROM current_sources "
            "WHERE folder = 'CloudTrail' ORDER BY ALL"
        ).fetchall()
        return [LedgerDay(account, region, day, Outcome(outcome)) for account, region, day, outcome in rows]

    def rejected_log_files(self) -> list[tuple[str, str, date, str, str]]:
        """Account, region, day, URI and reason of every log file that was rejected."""
        return self._connection.execute(
            "SELECT account_id, region, day, uri, reason FROM current_sources "
            f"WHERE folder = '{LOG_FOLDER}' AND outcome = '{Outcome.REJECTED}' ORDER BY ALL"
        ).fetchall()

    def folder_accounts(self) -> set[str]:
        """Accounts that have a trail folder (log files, digests or others)."""
        rows = self._connection.execute("SELECT DISTINCT account_id FROM current_sources WHERE in_trail_folder")
        return {account for (account,) in rows.fetchall()}

    def organizations(self) -> dict[str, set[str]]:
        """Accounts that have a folder below an organization's, as an organization trail makes them, by its id."""
        rows = self._connection.execute(
            "SELECT DISTINCT organization, account_id FROM current_sources WHERE organization IS NOT NULL"
        )
        accounts: dict[str, set[str]] = {}
        for organization, account_id in rows.fetchall():
            accounts.setdefault(organization, set()).add(account_id)
        return accounts

    def digests(self, *, signed: bool) -> Iterator[tuple[CheckedDigest, tuple[str, ...]]]:
        """Every digest with the state of the files it lists and its saved signatures, trail by trail.

        The digests come without their lists of files: only files that are not as they were delivered are named.
        `signed`: with all that is signed. Without, `previous_signature` is None: it is most of a digest's bytes.
        """
        unsound: dict[int, list[UnsoundFiles]] = {}
        for source_id, fault, bucket, objects in self._connection.execute(_UNSOUND_FILES).fetchall():
            unsound.setdefault(source_id, []).append(UnsoundFiles(Fault(fault), bucket, tuple(objects)))
        signature = "previous_signature" if signed else "NULL"
        rows = self._connection.cursor().execute(_DIGESTS.format(previous_signature=signature))
        while chunk := rows.fetchmany(_ROWS_AT_ONCE):
            for source_id, sha256, found_as, listed, signatures, *columns in chunk:
                digest = _digest(*columns)
                checked = CheckedDigest(
                    digest=digest,
                    sha256=sha256,
                    is_moved=_DIGEST_MARK in found_as and found_as != object_name(digest.object),
                    listed=listed,
                    unsound=tuple(unsound.get(source_id, ())),
                )
                yield checked, tuple(signatures or ())

    def fingerprints(self) -> list[str]:
        """Fingerprints of the keys with which the digests say that they were signed."""
        rows = self._connection.execute("SELECT DISTINCT fingerprint FROM digests ORDER BY ALL").fetchall()
        return [fingerprint for (fingerprint,) in rows]

    def trail_descriptions(self) -> list[tuple[str, str]]:
        """Name of the document and JSON text of every trail description."""
        return self._connection.execute(
            "SELECT d.name, d.description FROM trail_descriptions AS d JOIN current_sources USING (source_id) "
            "ORDER BY ALL"
        ).fetchall()

    def unusable_statements(self) -> list[tuple[str, str, str]]:
        """URI, reason and detail of every digest and signature that could not be used."""
        return self._connection.execute(
            "SELECT s.uri, r.reason, s.detail "
            "FROM current_sources AS s JOIN source_reasons AS r USING (source_id) "
            "WHERE r.kind = 'note' AND r.reason IN ('malformed_digest', 'malformed_signature') ORDER BY ALL"
        ).fetchall()

    def source_of(self, event_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The stored row of an event and the ledger's row of the document it came from; None if unknown."""
        try:
            sql = "SELECT * FROM events WHERE event_id = $event_id"
            if not (events := self._table(sql, {"event_id": event_id}).to_pylist()):
                return None
            sql = "SELECT * FROM sources WHERE source_id = $source_id"
            (source,) = self._table(sql, {"source_id": events[0]["source_id"]}).to_pylist()
        except (ValueError, OverflowError) as error:
            raise StoreError(f"{self.path}: holds an event that no log gave ({error}); make a new store") from None
        return events[0], source

    def fingerprint(self) -> str:
        """SHA-256 over the contents of everything read: the same for the same files, wherever they lie."""
        (found,) = self._row(
            "SELECT sha256(coalesce(string_agg(line, chr(10) ORDER BY line), '')) "
            "FROM (SELECT concat_ws(' ', sha256, size, outcome) AS line FROM current_sources)"
        )
        return str(found)

    def balance(self) -> Balance:
        """Everything the store has ever been given: files as they stand, records over all readings."""
        files = dict(
            self._connection.execute("SELECT outcome, count(*) FROM current_sources GROUP BY ALL").fetchall()
        )
        seen, kept, duplicate, skipped, rejected = self._row(
            "SELECT coalesce(sum(COLUMNS(['seen', 'kept', 'duplicate', 'skipped', 'rejected'])), 0) FROM sources"
        )
        balance = Balance(
            FileBalance(
                seen=sum(files.values()),
                ingested=files.get("ingested", 0),
                skipped=files.get("skipped", 0),
                rejected=files.get("rejected", 0),
            ),
            RecordBalance(int(seen), int(kept), int(duplicate), int(skipped), int(rejected)),
            self._file_reasons(Outcome.SKIPPED),
            self._file_reasons(Outcome.REJECTED),
            self._record_reasons("skipped"),
            self._record_reasons("rejected"),
        )
        balance.check()
        return balance

    def _file_reasons(self, outcome: Outcome) -> dict[str, int]:
        return dict(
            self._connection.execute(
                "SELECT reason, count(*) FROM current_sources WHERE outcome = ? GROUP BY reason ORDER BY reason",
                [outcome.value],
            ).fetchall()
        )

    def _record_reasons(self, kind: str) -> dict[str, int]:
        rows = self._connection.execute(
            "SELECT reason, sum(records) FROM source_reasons WHERE kind = ? GROUP BY reason ORDER BY reason",
            [kind],
        ).fetchall()
        return {reason: int(records) for reason, records in rows}

    def _table(self, sql: str, values: Mapping[str, Value] | None = None) -> pa.Table:
        return self._connection.sql(sql, params=dict(values or {})).to_arrow_table()

    def _row(self, sql: str) -> tuple[Any, ...]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows[0]


def _partitions(events: pa.Table) -> list[tuple[str, pa.Array | None]]:
    """Hive folder and rows of each (service, month) that occurs; None stands for all rows."""
    if not len(events):
        return []
    time = events.column("event_time")
    is_sts = pc.equal(events.column("event_source"), STS).cast(pa.int32())
    # 2026-10 is 405220 for the other services and 405221 for STS: one number for each partition.
    keys = pc.add(pc.multiply(pc.add(pc.multiply(pc.year(time), 100), pc.month(time)), 2), is_sts)
    found = sorted(pc.unique(keys).to_pylist())
    return [(_folder_of(key), None if len(found) == 1 else pc.equal(keys, key)) for key in found]


def _folder_of(key: int) -> str:
    month, is_sts = divmod(key, 2)
    return f"service={'sts' if is_sts else 'other'}/event_month={month // 100:04d}-{month % 100:02d}"


def _write_parquet(table: pa.Table, path: Path) -> None:
    """Write and sync one part. Identifiers are not worth a dictionary, everything else repeats."""
    unique = {"event_id", "shared_event_id"}
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in table.column_names if name not in unique],
        write_statistics=["event_time", "event_source", "recipient_account_id", "aws_region"],
        row_group_size=_ROW_GROUP,
    )
    path.chmod(0o600)
    _sync(path)


def _private_folders(root: Path, folder: Path) -> None:
    """Make the folders from `root` down to `folder`, each for the owner alone."""
    for part in reversed([folder, *folder.parents]):
        if part.is_relative_to(root):
            part.mkdir(mode=0o700, exist_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(
    account_id: str,
    region: str,
    trail: str,
    home_region: str,
    start: datetime,
    end: datetime,
    end_text: str,
    bucket: str,
    key: str,
    fingerprint: str,
    is_backfill: bool,
    previous_bucket: str | None,
    previous_object: str | None,
    previous_sha256: str | None,
    previous_signature: str | None,
) -> Digest:
    """A digest from its row of the ledger, without its list of files."""
    return Digest(
        trail=Trail(account_id, region, trail, home_region),
        start=start,
        end=end,
        end_text=end_text,
        bucket=bucket,
        object=key,
        fingerprint=fingerprint,
        is_backfill=is_backfill,
        previous_bucket=previous_bucket,
        previous_object=previous_object,
        previous_sha256=previous_sha256,
        previous_signature=previous_signature,
        files=(),
    )
