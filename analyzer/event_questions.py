"""What can be asked of the events: the queries of `queries/`, and a person's own SQL."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from analyzer.catalogue import Catalogue
from analyzer.duckdb_errors import first_line, interruptible
from analyzer.errors import QueryError, StoreError
from analyzer.ledger import events_sql
from analyzer.ledger_questions import Ledger
from analyzer.parts import Part
from analyzer.queries import Value, bind, compose
from analyzer.sandbox import ask_ad_hoc
from analyzer.store_shape import check_answer


class Events(Ledger):
    """The events of an open store, together with its ledger."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
        super().__init__(connection)
        self.path = path
        self._catalogue = catalogue

    def events_relation(self) -> str:
        """SQL of the relation `events`: all events that the ledger knows."""
        return events_sql([self.path / "events" / part.path for part in self.parts()])

    def count_events_before(self, parts: Sequence[Part], moment: datetime) -> int:
        """How many events of these parts were before a moment (naive UTC)."""
        events = events_sql([self.path / "events" / part.path for part in parts])
        ((number,),) = self.rows(f"SELECT count(*) FROM ({events}) WHERE event_time < ?", [moment])
        return int(number)

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

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
