"""From sources to the store: what is new is read in parallel, decoded, and committed batch by batch.

The main thread lists, compares with the ledger and commits; worker threads read and decode groups of
documents (all of it outside the GIL). Groups come back in the order in which they were listed, so what is in
the store does not depend on which thread was faster.
"""

import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from analyzer.balance import Balance, FileBalance, RecordBalance
from analyzer.cloudtrail import EVENTS
from analyzer.compaction import MOST_SMALL_PARTS, compact_scattered
from analyzer.decoding import Document, Outcome, Reading, Statement, decode_documents, rejected
from analyzer.decoding.compression import is_archive
from analyzer.duckdb_errors import interruptible
from analyzer.ledger import SourceRow
from analyzer.narration import Narrator, Silence
from analyzer.retention import without_pruned
from analyzer.sources import (
    Content,
    Contents,
    Lost,
    SlowSource,
    Source,
    SourceObject,
    Unreadable,
    begin_reading,
    read_archive,
)
from analyzer.store import Batch, Store

DOCUMENT_LIMIT = 512 * 1024 * 1024
"""Ceiling in bytes for one document when decompressed. CloudTrail's files stay far below."""

_GROUP_FILES = 48
_GROUP_BYTES = 3 * 1024 * 1024
_BYTES_AHEAD = 32 * 1024 * 1024
_ARCHIVE_HEAD = 65536

RETRIED = frozenset(
    {
        "missing",
        "unreadable",
        "not_a_file",
        "symlink_loop",
        "changed_while_read",
        "too_large",
        "gone",
        "forbidden",
        "archived",
        "throttled",
        "timed_out",
        "connection_lost",
        "server_error",
        "wrong_length",
    }
)
"""Rejections that may be over although size and modification time are the same."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest. Sizes in bytes."""

    document_limit: int = DOCUMENT_LIMIT
    commit_bytes: int = 64 * 1024 * 1024
    """Events held in memory before they are committed."""
    commit_files: int = 20_000
    commit_seconds: float = math.inf
    """How long what was read may wait to be committed, looked at whenever something more was read."""
    most_small_parts: int = MOST_SMALL_PARTS
    """Small Parquet files of one service and month; when there are more, they are merged."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass(slots=True)
class _Group:
    """Objects of one source that are read and decoded together; bytes come along when they are known."""

    source: Source
    objects: list[SourceObject] = field(default_factory=list)
    contents: list[bytes] | None = None
    archive_uri: str | None = None
    size: int = 0

    def add(self, item: SourceObject, content: bytes | None = None) -> None:
        self.objects.append(item)
        self.size += item.size if content is None else len(content)
        if content is not None:
            self.contents = [*(self.contents or []), content]

    @property
    def is_full(self) -> bool:
        most = 1 if isinstance(self.source, SlowSource) else _GROUP_FILES
        return len(self.objects) >= most or self.size >= _GROUP_BYTES


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A decoded group."""

    rows: Sequence[SourceRow]
    names: Sequence[str]
    events: pa.Table
    archives: Sequence[SourceObject]
    size: int


class _Tally:
    """Counts what became of files and records in this run."""

    def __init__(self) -> None:
        self.files: Counter[Outcome] = Counter()
        self.unchanged = 0
        self.file_reasons: dict[Outcome, Counter[str]] = {o: Counter() for o in Outcome}
        self.seen = self.kept = self.duplicate = 0
        self.skipped: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.notes = 0

    def count_file(self, outcome: Outcome, reason: str) -> None:
        self.files[outcome] += 1
        if outcome is not Outcome.INGESTED:
            self.file_reasons[outcome][reason] += 1

    def count_reading(self, reading: Reading) -> None:
        self.count_file(reading.outcome, reading.reason)
        self.seen += reading.seen
        self.skipped += reading.skipped
        self.rejected += reading.rejected
        if reading.outcome is Outcome.INGESTED:
            self.notes += reading.notes.total()

    def balance(self) -> Balance:
        balance = Balance(
            FileBalance(
                seen=self.files.total() + self.unchanged,
                ingested=self.files[Outcome.INGESTED],
                unchanged=self.unchanged,
                skipped=self.files[Outcome.SKIPPED],
                rejected=self.files[Outcome.REJECTED],
            ),
            RecordBalance(self.seen, self.kept, self.duplicate, self.skipped.total(), self.rejected.total()),
            dict(sorted(self.file_reasons[Outcome.SKIPPED].items())),
            dict(sorted(self.file_reasons[Outcome.REJECTED].items())),
            dict(sorted(self.skipped.items())),
            dict(sorted(self.rejected.items())),
        )
        balance.check()
        return balance


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one run did. `has_rejections`: it met rejected files, or rejected or mended records while reading."""

    balance: Balance
    has_rejections: bool
    named: frozenset[str] = frozenset()
    """URIs of documents of which something was said."""


def ingest(
    store: Store,
    sources: Iterable[Source],
    now: datetime,
    options: IngestOptions | None = None,
    narrator: Narrator | None = None,
) -> Ingested:
    """Bring everything that is new in the sources into the store.

    Args:
        store: opened for writing.
        sources: listed in this order; what is listed twice is read once.
        now: naive UTC, noted in the ledger.
        options: limits and threads.
        narrator: hears progress and findings.

    Raises BalanceError when files or records do not add up.
    """
    run = _Run(store, options or IngestOptions(), narrator or Silence())
    return run.carry_out(sources, now)


class Remembered:
    """What the ledger knows of objects, so that they are not read again."""

    def __init__(self, store: Store) -> None:
        self.sources = store.known_sources()
        self._archives = store.known_archives()

    def settled(self, item: SourceObject) -> Sequence[tuple[str, Outcome, str]] | None:
        """Name, outcome and reason of the object, or of an archive's members; None if it has to be read."""
        members = self._archives.get((item.uri, item.size, item.version))
        if members is None:
            known = self.sources.get(item.uri)
            if known is None or (known.size, known.version) != (item.size, item.version):
                return None
            members = [(item.name, known.outcome, known.reason)]
        if not item.version or any(o is Outcome.REJECTED and reason in RETRIED for _, o, reason in members):
            return None
        return members


class _Run:
    def __init__(self, store: Store, options: IngestOptions, narrator: Narrator) -> None:
        self._store = store
        self._options = options
        self._narrator = narrator
        self._tally = _Tally()
        self._remembered = Remembered(store)
        self._batch = Batch()
        self._committed_at = time.monotonic()
        self._run_id = 0
        self._named: set[str] = set()
        self._pruned_before = store.pruned_before()

    def carry_out(self, sources: Iterable[Source], now: datetime) -> Ingested:
        groups, size = self._plan(sources)
        self._narrator.start(sum(len(group.objects) for group in groups), size)
        try:
            if groups or self._batch:
                self._run_id = self._store.begin_run(now)
                self._read(groups)
                self._commit()
                self._store.end_run(self._run_id, now)
                compact_scattered(self._store, now, self._options.most_small_parts)
            self._store.offer_views()
        finally:
            self._narrator.finish()
        balance = self._tally.balance()
        is_clean = not (balance.files.rejected or balance.records.rejected or self._tally.notes)
        return Ingested(balance, not is_clean, frozenset(self._named))

    # Listing: what is new, and what the ledger answers

    def _plan(self, sources: Iterable[Source]) -> tuple[list[_Group], int]:
        groups: list[_Group] = []
        seen: set[str] = set()
        for source in sources:
            fresh: list[SourceObject] = []
            for listed in source.list():
                if listed.uri in seen:
                    continue
                seen.add(listed.uri)
                if isinstance(listed, Unreadable):
                    self._reject(listed)
                elif not self._is_settled(listed):
                    fresh.append(listed)
            groups.extend(_grouped(source, fresh))
        return groups, sum(group.size for group in groups)

    def _is_settled(self, item: SourceObject) -> bool:
        """Whether the ledger knows this very object; if so it is counted and its content not read again."""
        members = self._remembered.settled(item)
        for name, outcome, reason in members or ():
            self._count_settled(name, outcome, reason)
        return members is not None

    def _count_settled(self, name: str, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.INGESTED:
            self._tally.unchanged += 1
            return
        self._tally.count_file(outcome, reason)
        if outcome is Outcome.REJECTED:
            self._narrator.finding(name, rejected(reason), is_known=True)

    def _reject(self, listed: Unreadable, archive: SourceObject | None = None) -> None:
        """Account for something that gives no bytes; the ledger hears of it once."""
        reading = rejected(listed.reason, listed.detail)
        self._narrator.finding(listed.name, reading)
        known = self._remembered.sources.get(listed.uri)
        version = archive.version if archive else ""
        if known is None or (known.outcome, known.reason) != (Outcome.REJECTED, listed.reason) or archive:
            item = SourceObject(listed.uri, listed.name, archive.size if archive else 0, version)
            row = _source_row(item, reading, archive.uri if archive else None)
            self._batch.add([row], EVENTS.empty_table())
        self._tally.count_reading(reading)

    # Reading

    def _read(self, groups: list[_Group]) -> None:
        archives: list[tuple[Source, SourceObject]] = []
        workers = ThreadPoolExecutor(self._options.threads)
        try:
            with interruptible():
                workers.submit(self._store.load_catalogue)
                for group, decoded in self._in_order(workers, iter(groups)):
                    archives.extend((group.source, archive) for archive in decoded.archives)
                    self._take(decoded)
                for source, archive in archives:
                    self._read_archive(workers, source, archive)
        except KeyboardInterrupt:
            # A worker may be blocked in a read that only the outside can end: it is not waited for.
            workers.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
        workers.shutdown()

    def _in_order(
        self, workers: ThreadPoolExecutor, groups: Iterator[_Group]
    ) -> Iterator[tuple[_Group, _Decoded]]:
        """Decode groups in parallel, some way ahead, and give them back in their order.

        So far ahead that the workers have work while a batch is committed, and no farther than a bound in
        bytes: groups are small, but one document may be large.
        """
        running: deque[tuple[_Group, Future[_Decoded]]] = deque()
        size = 0
        for group in groups:
            limit = self._options.document_limit
            running.append((group, workers.submit(_decode, group, _begin_reading(group, limit), limit)))
            size += group.size
            while len(running) > self._options.threads and size > _BYTES_AHEAD:
                first, future = running.popleft()
                size -= first.size
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()

    def _take(self, decoded: _Decoded) -> None:
        records = 0
        events = without_pruned(decoded.events, [row.reading for row in decoded.rows], self._pruned_before)
        for row, name in zip(decoded.rows, decoded.names, strict=True):
            self._tally.count_reading(row.reading)
            records += row.reading.seen
            if not row.reading.is_clean:
                self._named.add(row.uri)
                self._narrator.finding(name, row.reading)
        self._batch.add(decoded.rows, events)
        self._narrator.advance(len(decoded.rows), decoded.size, records)
        if (
            self._batch.nbytes >= self._options.commit_bytes
            or len(self._batch.sources) >= self._options.commit_files
            or time.monotonic() - self._committed_at >= self._options.commit_seconds
        ):
            self._commit()

    def _read_archive(self, workers: ThreadPoolExecutor, source: Source, archive: SourceObject) -> None:
        """Read an archive member by member; damage to it is one more member, a rejected one."""

        faults: set[str] = set()

        def groups() -> Iterator[_Group]:
            group = _Group(source, archive_uri=archive.uri)
            for entry in self._members(source, archive):
                if isinstance(entry, Unreadable):
                    if entry.uri == archive.uri:
                        faults.add(entry.reason)
                    self._reject(entry, archive)
                    continue
                group.add(*entry)
                if group.is_full:
                    yield group
                    group = _Group(source, archive_uri=archive.uri)
            if group.objects:
                yield group

        for _, decoded in self._in_order(workers, groups()):
            self._take(decoded)
        if not faults & RETRIED:
            self._batch.archives.append((archive.uri, archive.size, archive.version))
        if not faults and archive.uri in self._remembered.sources:
            self._batch.sound.append(archive.uri)

    def _members(self, source: Source, archive: SourceObject) -> Iterator[tuple[SourceObject, bytes] | Unreadable]:
        try:
            stream = source.open(archive)
        except OSError as error:
            yield Unreadable(archive.uri, archive.name, "unreadable", error.strerror or str(error))
            return
        try:
            with stream:
                yield from read_archive(archive, stream, self._options.document_limit)
        except Lost as lost:
            yield lost.entry

    def _commit(self) -> None:
        if self._batch:
            committed = self._store.commit(self._batch, self._run_id)
            self._tally.kept += committed.kept
            self._tally.duplicate += committed.duplicate
            self._batch = Batch()
        self._committed_at = time.monotonic()


def _grouped(source: Source, objects: list[SourceObject]) -> Iterator[_Group]:
    """Objects in groups, by the day of their delivery, so that a commit touches few months."""
    group = _Group(source)
    for item in sorted(objects, key=_delivery_day):
        if group.is_full:
            yield group
            group = _Group(source)
        group.add(item)
    if group.objects:
        yield group


def _delivery_day(item: SourceObject) -> date:
    key = item.log_key
    return key.day if key else date.min


def _begin_reading(group: _Group, limit: int) -> Contents:
    """The contents of a group, in its order; of an object above the limit only what `_head` gives."""
    if group.contents is not None:
        known = [Content(data) for data in group.contents]
        return lambda: known
    begun = begin_reading(group.source, [item for item in group.objects if item.size <= limit])

    def finish() -> Sequence[Content | Unreadable]:
        contents = iter(begun())
        return [next(contents) if item.size <= limit else _head(group.source, item) for item in group.objects]

    return finish


def _decode(group: _Group, read: Contents, limit: int) -> _Decoded:
    """Wait for the contents of one group and decode them; runs in a worker thread."""
    contents = read()
    unreadable = [
        (item, rejected(content.reason, content.detail))
        for item, content in zip(group.objects, contents, strict=True)
        if isinstance(content, Unreadable)
    ]
    readable = [
        (item, _document(item, content))
        for item, content in zip(group.objects, contents, strict=True)
        if not isinstance(content, Unreadable)
    ]
    decoded = decode_documents([document for _, document in readable], limit)
    archives: list[SourceObject] = []
    if group.archive_uri is None and any(r.reason == "nested_archive" for r in decoded.readings):
        are_archives = [reading.reason == "nested_archive" for reading in decoded.readings]
        archives = [item for (item, _), is_one in zip(readable, are_archives, strict=True) if is_one]
        readable = [entry for entry, is_one in zip(readable, are_archives, strict=True) if not is_one]
        decoded = decode_documents([document for _, document in readable], limit)
    accounts = zip(readable, decoded.readings, decoded.sha256, decoded.sizes, decoded.statements, strict=True)
    rows = [
        _source_row(item, reading, group.archive_uri, sha256, size, statements)
        for (item, _), reading, sha256, size, statements in accounts
    ]
    rows += [_source_row(item, reading, group.archive_uri) for item, reading in unreadable]
    names = [item.name for item, _ in readable] + [item.name for item, _ in unreadable]
    return _Decoded(rows, names, decoded.events, archives, group.size)


def _document(item: SourceObject, content: Content) -> Document:
    return Document(
        content.data, item.is_log_name, item.log_key, item.is_digest_signature, signature=content.signature
    )


def _head(source: Source, item: SourceObject) -> Content | Unreadable:
    """The head of an object above the limit, enough to tell whether it is an archive."""
    try:
        with source.open(item) as stream:
            head = stream.read(_ARCHIVE_HEAD)
    except OSError as error:
        return Unreadable(item.uri, item.name, "unreadable", error.strerror or str(error))
    except Lost as lost:
        return lost.entry
    if is_archive(head):
        return Content(head)
    return Unreadable(item.uri, item.name, "too_large", f"{item.size} bytes")


def _source_row(
    item: SourceObject,
    reading: Reading,
    archive_uri: str | None = None,
    sha256: str = "",
    document_bytes: int = 0,
    statements: Sequence[Statement] = (),
) -> SourceRow:
    return SourceRow(
        uri=item.uri,
        size=item.size,
        version=item.version,
        reading=reading,
        sha256=sha256,
        document_bytes=document_bytes,
        archive_uri=archive_uri,
        key=item.log_key,
        statements=statements,
    )
