"""A store for a notebook: opened by its path, asked, and never held.

`analyze` reads logs; `open_store` reads what `analyze(…, store=…)` or `sts-regions ingest` has kept. Both give the
same `Report`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa

from analyzer.catalogue import Catalogue
from analyzer.coverage_report import CoverageReport, build_coverage_report
from analyzer.errors import UsageError
from analyzer.queries import parameters_of
from analyzer.report import Question, Report, build_report, window_of, window_values
from analyzer.store import Store
from analyzer.store import open_store as opened_store


class StoreReader:
    """A store at a path. Made by `open_store`.

    Every method opens the store for reading, answers and closes it: nothing needs to be closed, an ingest may run
    between two answers, and each answer is of one state of the store.

    The methods raise StoreError when the store cannot be used, and UsageError when a question makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        """Where the store is."""
        self._catalogue = Catalogue()

    def report(self, question: Question | None = None) -> Report:
        """The verdicts with all their evidence. `question`: window, policy and filters; by default everything."""
        with self._opened() as store:
            return build_report(store, self._catalogue, question or Question())

    def usage(self, question: Question | None = None) -> pa.Table:
        """Which endpoints are really used: the usage table of the report."""
        return self.report(question).to_arrow().usage

    def coverage(self, question: Question | None = None) -> CoverageReport:
        """Day by day what the logs observe, how this is known, and every hole with its remedy."""
        return build_coverage_report(self.report(question))

    def query(
        self, name_or_sql: str, *, since: date | None = None, until: date | None = None, **parameters: str | int
    ) -> pa.Table:
        """The rows of a named query, or of one SELECT.

        Args:
            name_or_sql: the name of a file in `queries/`, or SQL over the same tables as `sts-regions query`.
            since: first UTC day, for named queries with a window; by default the first of the data.
            until: UTC day after the last (excluded); by default the one after the last of the data.
            parameters: what a named query takes besides, such as `account="111122223333"`.

        Raises QueryError when the query is refused or fails.
        """
        with self._opened() as store:
            if re.fullmatch(r"\w+", name_or_sql):
                return _ask(store, name_or_sql, since, until, parameters)
            if since or until or parameters:
                raise UsageError(
                    "since, until and parameters are for named queries; write the values into the SQL"
                )
            return store.ask_ad_hoc(name_or_sql)

    def __repr__(self) -> str:
        return f"open_store({str(self.path)!r})"

    @contextmanager
    def _opened(self) -> Iterator[Store]:
        with opened_store(self.path, catalogue=self._catalogue) as store:
            yield store


def _ask(
    store: Store, name: str, since: date | None, until: date | None, parameters: dict[str, str | int]
) -> pa.Table:
    known = parameters_of(name)
    given = {**parameters, **({"since": since} if since else {}), **({"until": until} if until else {})}
    if strangers := sorted(given.keys() - known.keys()):
        takes = ", ".join(sorted(known)) or "nothing"
        raise UsageError(f"query {name} takes {takes}; not {strangers[0]}")
    values = window_values(window_of(store, since, until))
    return store.ask(name, values | {key: known[key].parse(str(value)) for key, value in parameters.items()})


def open_store(path: str | Path) -> StoreReader:
    """Open a store for reading.

    Args:
        path: the directory given to `analyze(…, store=…)` or `--store`.

    Raises StoreError when there is none, when it is damaged, or when it is of another format.
    """
    reader = StoreReader(Path(path))
    with reader._opened():
        return reader
