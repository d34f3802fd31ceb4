"""Is a store still what its ledger says? Everything is looked at, nothing is changed.

Other commands look at the sizes of the parts only, so as not to read everything twice. Here every hash is
computed, every row is read, and every sum is added up again.
"""

import shlex
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analyzer.cloudtrail import EVENTS
from analyzer.ledger import events_sql
from analyzer.parts import Part, sha256_of
from analyzer.store import DATABASE, Store
from analyzer.store_place import REPLACED

_READERS = 2
_FROM_A_COPY = "bring it back from a copy of the store, or make a new store from the logs"
_ANEW = "make a new store from the logs"
_DUCKDBS_OWN = (f"{DATABASE}.wal", "spill")
"""What DuckDB makes with the modes it likes; the store's folder keeps others out."""

_ROWS = """
SELECT
    filename, min(event_time), max(event_time),
    list_sort(array_agg(DISTINCT concat(
        'service=', CASE WHEN event_source = 'sts.amazonaws.com' THEN 'sts' ELSE 'other' END,
        '/event_month=', strftime(event_time, '%Y-%m')
    ))) AS folders
FROM ({events}) GROUP BY filename
"""


class Damage(StrEnum):
    """What can be wrong with a store."""

    MISSING_PART = "missing_part"
    """The ledger names a part that is not there."""
    ALTERED_PART = "altered_part"
    """A part's size or SHA-256 is not the one with which it was written."""
    UNREADABLE_PART = "unreadable_part"
    """A part is no Parquet, or cannot be read by whoever asks."""
    WRONG_SCHEMA = "wrong_schema"
    """A part's columns are not those of events."""
    WRONG_ROWS = "wrong_rows"
    """A part's rows are not as many, or not of the time, that the ledger says."""
    MISPLACED_ROWS = "misplaced_rows"
    """A part holds events of another service or month than its folder's."""
    UNKNOWN_FILE = "unknown_file"
    """Something in `events/` is in no ledger: other Parquet readers would count it."""
    DUPLICATE_EVENT = "duplicate_event"
    """An event is stored more than once."""
    PRUNED_EVENT = "pruned_event"
    """An event is of a day that was pruned."""
    UNKNOWN_SOURCE = "unknown_source"
    """Events name a document that the ledger does not know, or that it knows twice."""
    UNBALANCED = "unbalanced"
    """Records seen in a document are not kept, duplicate, skipped and rejected ones together."""
    WRONG_KEPT = "wrong_kept"
    """Of a document there are more or fewer events than the ledger says were kept."""
    UNFINISHED = "unfinished"
    """A run was interrupted, and what it left is neither finished nor undone yet."""
    NOT_PRIVATE = "not_private"
    """Others than the owner may read a file or a folder."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `place` in the store or in the ledger, what it is, and what to do about it."""

    damage: Damage
    place: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and all that is wrong with it."""

    parts: int
    events: int
    """Rows of the parts that could be read."""
    sources: int
    faults: tuple[Fault, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class _Sum:
    """A question of which the answer should be none: how many, and the first."""

    damage: Damage
    place: str
    noun: str
    words: str
    sql: str
    needs_all_parts: bool = False


_SUMS = (
    _Sum(
        Damage.DUPLICATE_EVENT,
        "events",
        "event",
        "{count} stored more than once",
        # Hashes first: they take a fifth of the memory, and hardly an event has the hash of another.
        """
        WITH events AS ({events}),
        suspects AS (SELECT hash(event_id) AS hash FROM events GROUP BY ALL HAVING count(*) > 1)
        SELECT count(*), min(event_id) FROM (
            SELECT event_id FROM events WHERE hash(event_id) IN (SELECT hash FROM suspects)
            GROUP BY event_id HAVING count(*) > 1
        )
        """,
    ),
    _Sum(
        Damage.PRUNED_EVENT,
        "events",
        "event",
        "{count} of days that were pruned",
        """
        SELECT count(*), min(event_id) FROM ({events})
        WHERE event_time < (SELECT CAST(value AS TIMESTAMP) FROM meta WHERE name = 'pruned_before')
        """,
    ),
    _Sum(
        Damage.UNKNOWN_SOURCE,
        "events",
        "event",
        "{count} of documents that the ledger does not know",
        "SELECT count(*), min(event_id) FROM ({events}) ANTI JOIN sources USING (source_id)",
    ),
    _Sum(
        Damage.UNKNOWN_SOURCE,
        "sources",
        "document",
        "{count} with a source_id that is given twice",
        """
        SELECT count(*), min(uri)
        FROM (SELECT min(uri) AS uri FROM sources GROUP BY source_id HAVING count(*) > 1)
        """,
    ),
    _Sum(
        Damage.UNBALANCED,
        "sources",
        "document",
        "{count} whose records seen are not the kept, duplicate, skipped and rejected ones together",
        """
        SELECT count(*), min(uri) FROM sources
        WHERE seen <> kept + duplicate + skipped + rejected OR least(kept, duplicate, skipped, rejected) < 0
        """,
    ),
    _Sum(
        Damage.UNBALANCED,
        "source_reasons",
        "document",
        "{count} with more or fewer reasons than skipped and rejected records",
        """
        SELECT count(*), min(uri) FROM sources LEFT JOIN (
            SELECT
                source_id,
                sum(records) FILTER (WHERE kind = 'skipped') AS reasons_skipped,
                sum(records) FILTER (WHERE kind = 'rejected') AS reasons_rejected
            FROM source_reasons GROUP BY source_id
        ) USING (source_id)
        WHERE skipped <> coalesce(reasons_skipped, 0) OR rejected <> coalesce(reasons_rejected, 0)
        """,
    ),
    _Sum(
        Damage.WRONG_KEPT,
        "sources",
        "document",
        "{count} of which there are more or fewer events than were kept",
        """
        SELECT count(*), min(uri) FROM sources
        LEFT JOIN (SELECT source_id, count(*) AS stored FROM ({events}) GROUP BY ALL) USING (source_id)
        WHERE kept <> coalesce(stored, 0)
        """,
        needs_all_parts=True,
    ),
)


def _nothing() -> None:
    """Nobody is told."""


def check_store(store: Store, on_part: Callable[[], None] = _nothing) -> Checked:
    """Compare a store with its ledger, and the ledger with itself.

    Args:
        store: opened as it is.
        on_part: called when one more part's hash is known.
    """
    parts = store.parts()
    files = {part.path: _file_of(store.path, part) for part in parts}
    faults = list(_faults_of_files(parts, files, on_part))
    broken = {fault.place for fault in faults}
    readable = [part for part in parts if _shown(part) not in broken]
    events = events_sql([files[part.path] for part in readable], "filename")
    faults += _faults_of_rows(store, readable, events)
    faults += _faults_of_sums(store, events, is_complete=len(readable) == len(parts))
    faults += _strangers(store.path, {part.path for part in parts})
    faults += _leftovers(store.path)
    faults += _open_modes(store.path)
    ((sources,),) = store.rows("SELECT count(*) FROM sources")
    return Checked(len(parts), sum(part.records for part in readable), sources, tuple(faults))


def _file_of(store: Path, part: Part) -> Path:
    """Where a part lies: in `staging/` as long as a commit is not finished."""
    final = store / "events" / part.path
    staged = store / "staging" / part.path
    return staged if staged.exists() and not final.exists() else final


def _shown(part: Part) -> str:
    return f"events/{part.path}"


def _faults_of_files(
    parts: Sequence[Part], files: Mapping[str, Path], on_part: Callable[[], None]
) -> Iterator[Fault]:
    """What is wrong with the files themselves. Hashing lets go of the GIL: threads read side by side."""

    def look(part: Part) -> Fault | None:
        found = _fault_of_file(part, files[part.path])
        on_part()
        return found

    with ThreadPoolExecutor(_READERS) as readers:
        yield from (fault for fault in readers.map(look, parts) if fault is not None)


def _fault_of_file(part: Part, file: Path) -> Fault | None:
    try:
        size = file.stat().st_size
        if size != part.bytes:
            return Fault(
                Damage.ALTERED_PART,
                _shown(part),
                f"has {size:,} bytes, the ledger says {part.bytes:,}",
                _FROM_A_COPY,
            )
        if sha256_of(file) != part.sha256:
            return Fault(
                Damage.ALTERED_PART, _shown(part), "its SHA-256 is not the one in the ledger", _FROM_A_COPY
            )
        schema, records = _footer(file)
    except FileNotFoundError:
        return Fault(Damage.MISSING_PART, _shown(part), f"{part.records:,} events are lost with it", _FROM_A_COPY)
    except OSError as error:
        return Fault(
            Damage.UNREADABLE_PART,
            _shown(part),
            f"cannot be read ({error.strerror or 'an input or output error'})",
            f"give yourself the right to read it; if you have it, {_FROM_A_COPY}",
        )
    except pa.ArrowException:
        return Fault(Damage.UNREADABLE_PART, _shown(part), "is no Parquet file", _FROM_A_COPY)
    if not schema.equals(EVENTS):
        return Fault(Damage.WRONG_SCHEMA, _shown(part), "its columns are not those of events", _ANEW)
    if records != part.records:
        detail = f"holds {records:,} rows, the ledger says {part.records:,}"
        return Fault(Damage.WRONG_ROWS, _shown(part), detail, _ANEW)
    return None


def _footer(file: Path) -> tuple[pa.Schema, int]:
    with pq.ParquetFile(file) as opened:
        return opened.schema_arrow, opened.metadata.num_rows


def _faults_of_rows(store: Store, parts: Sequence[Part], events: str) -> Iterator[Fault]:
    """Parts whose rows are not of the time, service and month that the ledger says."""
    found = {Path(file).relative_to(store.path): row for file, *row in store.rows(_ROWS.format(events=events))}
    for part in parts:
        file = _file_of(store.path, part).relative_to(store.path)
        first, last, folders = found.get(file, (None, None, []))
        if (first, last) != (part.first_event, part.last_event):
            yield Fault(
                Damage.WRONG_ROWS,
                _shown(part),
                f"its events are of {first} to {last}, the ledger says {part.first_event} to {part.last_event}",
                _ANEW,
            )
        elif folders != [part.folder]:
            yield Fault(Damage.MISPLACED_ROWS, _shown(part), f"holds events of {', '.join(folders)}", _ANEW)


def _faults_of_sums(store: Store, events: str, *, is_complete: bool) -> Iterator[Fault]:
    """What does not add up, each kind with its number and the first of them."""
    for question in _SUMS:
        if question.needs_all_parts and not is_complete:
            continue  # what is missing is named already
        ((number, first),) = store.rows(question.sql.format(events=events))
        if number:
            detail = f"{question.words.format(count=_count(number, question.noun))}; the first is {first}"
            yield Fault(question.damage, question.place, detail, _ANEW)


def _strangers(store: Path, known: Collection[str]) -> Iterator[Fault]:
    """Files in `events/` that no ledger names, but for those that an interrupted run was about to delete."""
    events = store / "events"
    note = store / "staging" / REPLACED
    known = {*known, *(note.read_text(encoding="utf-8").splitlines() if note.is_file() else ())}
    for file in sorted(events.rglob("*")):
        path = file.relative_to(events).as_posix()
        if path not in known and not (file.is_dir() and not file.is_symlink()):
            yield Fault(
                Damage.UNKNOWN_FILE,
                f"events/{path}",
                "the ledger does not know it; other Parquet readers would count it",
                "move it out of the store",
            )


def _leftovers(store: Path) -> Iterator[Fault]:
    staging = store / "staging"
    # DuckDB's own working space is no commit; it goes with the process that uses it.
    spill = staging / "spill"
    files = sorted(file for file in staging.rglob("*") if file.is_file() and spill not in file.parents)
    if files:
        yield Fault(
            Damage.UNFINISHED,
            files[0].relative_to(store).as_posix(),
            f"an interrupted run left {_count(len(files), 'file')}",
            f"run 'sts-regions report --store {shlex.quote(str(store))}': any command finishes or undoes it",
        )


def _open_modes(store: Path) -> Iterator[Fault]:
    """Files and folders that somebody else than the owner may read or write: logs name people and roles."""
    is_shut = not store.stat().st_mode & 0o077
    for path in [store, *sorted(store.rglob("*"))]:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or not mode & 0o077 or (is_shut and path.name in _DUCKDBS_OWN):
            continue
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        place = path.relative_to(store).as_posix() if path != store else "the store's folder"
        yield Fault(
            Damage.NOT_PRIVATE,
            DATABASE if path == store / DATABASE else place,
            f"its mode is {stat.S_IMODE(mode):o}: others may use it",
            f"chmod {wanted} {shlex.quote(str(path))}",
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def checked_json(checked: Checked) -> dict[str, Any]:
    """What was looked at and what was found, as an object; field names are stable."""
    return {
        "sound": checked.is_sound,
        "parts": checked.parts,
        "events": checked.events,
        "sources": checked.sources,
        "faults": [
            {"kind": fault.damage.value, "place": fault.place, "detail": fault.detail, "remedy": fault.remedy}
            for fault in checked.faults
        ],
    }
