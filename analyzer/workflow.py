"""The product as a library: logs in, report out."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from analyzer.baseline import Baseline, parse_baseline
from analyzer.catalogue import Catalogue
from analyzer.decoding import TrailDescription
from analyzer.decoding.lenient import read_document
from analyzer.errors import OutputError, UsageError
from analyzer.evidence import Witnesses
from analyzer.exceptions_file import TEMPLATE, Exemptions, parse_exceptions
from analyzer.ingest import RETRIED, Ingested, IngestOptions, Remembered, ingest
from analyzer.narration import Narrator, Silence
from analyzer.report import Question, Report, build_report
from analyzer.signatures import PublicKeys
from analyzer.sources import SlowSource, Source
from analyzer.sources.estimate import Estimate, estimate
from analyzer.sources.local import LocalSource
from analyzer.sources.named import Naming
from analyzer.sources.s3 import S3Source
from analyzer.store import DATABASE, Store, open_store
from analyzer.trail_descriptions import Document

LATE_DELIVERY = timedelta(days=3)
"""How long after its day a log file may still be delivered; CloudTrail's are minutes late, seldom more."""

_SLOW_COMMIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Session:
    """Where logs come from and where they are kept; without a store they are kept for the session only."""

    sources: Sequence[Source] = ()
    store: Path | None = None
    options: IngestOptions = field(default_factory=IngestOptions)
    narrator: Narrator = field(default_factory=Silence)
    catalogue: Catalogue = field(default_factory=Catalogue)
    lists_all: bool = False
    """Whether to list every delivery day of a bucket, also those that cannot have changed since the last run."""

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Ingested | None]]:
        """The store, open for reading, and what ingest did if there were sources."""
        if self.store is not None:
            yield from self._opened_at(self.store)
        else:
            with tempfile.TemporaryDirectory(prefix="sts-regions-") as folder:
                yield from self._opened_at(Path(folder) / "store")

    def _opened_at(self, path: Path) -> Iterator[tuple[Store, Ingested | None]]:
        ingested = self.ingest(path) if self.sources else None
        with open_store(path, catalogue=self.catalogue, on_wait=self.narrator.waiting) as store:
            yield store, ingested

    def ingest(self, path: Path) -> Ingested:
        """Bring what is new in the sources into the store at `path`."""
        now = datetime.now(UTC).replace(tzinfo=None)
        options = self.options
        if any(isinstance(source, SlowSource) for source in self.sources):
            # What has come in hours should be safe before an interruption.
            options = replace(options, commit_seconds=min(_SLOW_COMMIT_SECONDS, options.commit_seconds))
        buckets = self._buckets
        with open_store(path, write=True, catalogue=self.catalogue, on_wait=self.narrator.waiting) as store:
            self._settle(store, buckets)
            ingested = ingest(store, self.sources, now, options, self.narrator)
            for bucket in buckets:
                store.remember_listed(bucket.listed_folders(), now)
            for source in self.sources:
                if isinstance(source, S3Source | LocalSource):
                    unlisted = store.unlisted_folders(source.root)
                    store.forget_unlisted([folder for folder, _ in unlisted if source.has_listed(folder)])
            self._remark(buckets)
            return ingested

    def _settle(self, store: Store, buckets: Sequence[S3Source]) -> None:
        for bucket in [] if self.lists_all else buckets:
            bucket.settle(store.settled_folders(bucket.root, bucket.wanted.since, RETRIED, LATE_DELIVERY))

    def _remark(self, buckets: Sequence[S3Source]) -> None:
        for bucket in buckets:
            for remark in bucket.remarks():
                self.narrator.remark(remark)

    def estimate(self) -> Estimate:
        """What an ingest would read, told from listings alone; nothing is read and no store is made."""
        remembered: Remembered | None = None
        if self.store is not None and (self.store / DATABASE).is_file():
            with open_store(self.store, catalogue=self.catalogue, on_wait=self.narrator.waiting) as store:
                self._settle(store, self._buckets)
                remembered = Remembered(store)
        listed = (entry for source in self.sources for entry in source.list())
        found = estimate(listed, lambda item: remembered is not None and remembered.settled(item) is not None)
        self._remark(self._buckets)
        return found

    @property
    def _buckets(self) -> list[S3Source]:
        return [source for source in self.sources if isinstance(source, S3Source)]

    def report(self, question: Question) -> tuple[Report, Ingested | None]:
        """Answer a question; the balance is that of this run, or the store's when nothing was ingested."""
        with self.opened() as (store, ingested):
            balance = ingested.balance if ingested else None
            return build_report(store, self.catalogue, question, balance), ingested


def read_witnesses(trail_files: Sequence[Path] = (), key_files: Sequence[Path] = ()) -> Witnesses:
    """Read what the user hands in beside the logs.

    Args:
        trail_files: saved outputs of describe-trails, get-event-selectors and get-trail-status.
        key_files: saved outputs of list-public-keys.

    Raises UsageError when a file is none of that.
    """
    descriptions: list[Document] = []
    for path in trail_files:
        document = read_document(_bytes_of(path), IngestOptions().document_limit)
        found = [said.value for said in document.statements if isinstance(said, TrailDescription)]
        if not found:
            raise UsageError(
                f"{path}: no trail description; save the JSON output of 'aws cloudtrail describe-trails', "
                "'get-event-selectors' or 'get-trail-status'"
            )
        descriptions += [(str(path), value) for value in found]
    keys = PublicKeys.read([(str(path), _bytes_of(path)) for path in key_files])
    return Witnesses(keys, descriptions)


def read_exemptions(path: Path | None, today: date | None = None) -> Exemptions:
    """Read an exceptions file and tell which of it counts; none without a path.

    `today`: the UTC day to tell it for, by default this one. Raises UsageError with place, fault and remedy.
    """
    if path is None:
        return Exemptions()
    return Exemptions.on(today or datetime.now(UTC).date(), parse_exceptions(_bytes_of(path), str(path)))


def write_exceptions_template(path: Path) -> None:
    """Write a commented exceptions file. Raises UsageError if something is there, OutputError if it cannot."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{path}: is there already and was not touched; name another file") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


def read_baseline(path: Path | None) -> Baseline | None:
    """Read a saved report; None without a path. Raises UsageError when it is none."""
    return None if path is None else parse_baseline(_bytes_of(path), str(path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def analyze(
    *paths: str | Path,
    question: Question | None = None,
    store: str | Path | None = None,
    options: IngestOptions | None = None,
) -> Report:
    """Read CloudTrail logs and answer, in one go.

    Args:
        paths: files and directories in any of the known shapes, or buckets (`s3://bucket/prefix`).
        question: window, policy and filters; by default everything there is.
        store: directory to keep the events in, so that the next run reads only what is new.
        options: limits and threads.

    Raises:
        StoreError: the store cannot be used.
        BalanceError: what was read does not add up.
    """
    options = options or IngestOptions()
    catalogue, narrator = Catalogue(), Silence()
    naming = Naming(options.document_limit, datetime.now(UTC).replace(tzinfo=None), narrator.remark)
    session = Session(
        sources=naming.sources([str(path) for path in paths], catalogue),
        store=Path(store) if store else None,
        options=options,
        narrator=narrator,
        catalogue=catalogue,
    )
    report, _ = session.report(question or Question())
    return report
