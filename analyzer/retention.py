"""Retention: events older than a day are removed from a store, and do not come back.

The ledger stays true. A removed event was seen, so its document's balance counts it as skipped, reason `pruned`,
instead of kept; the document stays known and is not read again. If it is (under another name, say), its old
events are counted the same way. And no day before that one is evidence any more: see `coverage.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.decoding import Reading
from analyzer.decoding.outcome import PRUNED
from analyzer.errors import UsageError
from analyzer.parts import grouped, size_of
from analyzer.store import Store


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning has removed, or would remove. Sizes in bytes of Parquet."""

    before: date
    """Everything before this UTC day is gone."""
    events: int
    kept: int
    """Events that stay."""
    parts: int
    """Parts that held something of it."""
    bytes: int
    bytes_left: int | None
    """None when nothing was done: nobody knows how large what is left of a part will be."""
    is_done: bool


def prune(store: Store, before: date, now: datetime, *, dry_run: bool = False) -> Pruned:
    """Remove the events before a UTC day; after a crash either all of them are there or none.

    Args:
        store: opened for writing, unless it is a dry run.
        before: first day that stays.
        now: naive UTC, noted in the ledger.
        dry_run: only tell what would go.

    Raises UsageError for a day that has not begun: events to come would be refused.
    """
    if before > now.date():
        raise UsageError(f"--before {before} is to come: its events would be refused; name a day that has begun")
    moment = datetime.combine(before, time())
    parts = store.parts()
    old = [part for part in parts if part.first_event < moment]
    gone = store.count_events_before(old, moment)
    if not dry_run and before > (store.pruned_before() or date.min):
        run_id = store.begin_run(now, f"store prune --before {before}")
        # Of a part that reaches beyond that day the rest stays: written anew, together with its neighbours.
        cut = grouped(part for part in old if part.last_event >= moment)
        store.exchange(old, cut, f"{run_id:06d}", forget=moment)
        store.end_run(run_id, now)
    return Pruned(
        before=max(before, store.pruned_before() or before),
        events=gone,
        kept=sum(part.records for part in parts) - gone,
        parts=len(old),
        bytes=size_of(parts),
        bytes_left=None if dry_run else size_of(store.parts()),
        is_done=not dry_run,
    )


def without_pruned(events: pa.Table, readings: Sequence[Reading], before: date | None) -> pa.Table:
    """The events that a store from which was pruned takes; the others are counted as skipped.

    Args:
        events: with `source_id` = index into `readings`.
        readings: the accounts of the documents, changed here.
        before: the day before which was pruned; None if nothing was.
    """
    if before is None or not len(events):
        return events
    moment = pa.scalar(datetime.combine(before, time()), pa.timestamp("us"))
    is_old = pc.less(events.column("event_time"), moment)
    for entry in pc.value_counts(events.column("source_id").filter(is_old)):
        readings[entry["values"].as_py()].skipped[PRUNED] += entry["counts"].as_py()
    return events.filter(pc.invert(is_old))
