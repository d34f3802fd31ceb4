"""Compaction: many small Parquet files of a service and month become few, with the same rows.

Every commit of an ingest adds a file for each service and month it touches. A store that is fed every day, or
every hour, would end in thousands: each costs a reader an opening. An ingest merges them by itself as soon as a
folder holds many (`compact_scattered`); `store compact` merges all there is to merge.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from analyzer.parts import GOOD_BYTES, GOOD_RECORDS, Part, grouped, size_of
from analyzer.store import Store

MOST_SMALL_PARTS = 16
"""So many parts of a small size a folder may hold after an ingest, and four times as many of a middling one."""

_SMALL_BYTES = 1024 * 1024
_MIDDLING_BYTES = 32 * 1024 * 1024
"""A commit of a bulk load writes parts of more than the small size and seldom 64 to a folder: it is not written
twice. Each byte is merged twice at most by ingests."""

_BYTES_AT_ONCE = 1024 * 1024 * 1024
"""Written anew in one transaction: for that long the disk holds both."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Files and their bytes before and after."""

    parts: int
    parts_left: int
    bytes: int
    bytes_left: int


def compact(store: Store, now: datetime) -> Compacted:
    """Merge every small part with its neighbours; `now`: naive UTC, noted in the ledger if there is any."""
    small = (p for p in store.parts() if p.bytes < GOOD_BYTES // 2 and p.records < GOOD_RECORDS // 2)
    return _merge(store, small, now, "store compact")


def compact_scattered(store: Store, now: datetime, most: int = MOST_SMALL_PARTS) -> Compacted:
    """Merge the small parts of the folders that hold more than `most` of them, and likewise the middling ones."""
    scattered: list[Part] = []
    for _, parts in groupby(store.parts(), key=attrgetter("folder")):
        scattered += _too_many(list(parts), most)
    return _merge(store, scattered, now, "compaction after an ingest")


def _too_many(parts: Sequence[Part], most: int) -> list[Part]:
    """Of one folder the parts to be merged."""
    for size, enough in ((_MIDDLING_BYTES, 4 * most), (_SMALL_BYTES, most)):
        below = [part for part in parts if part.bytes < size]
        if len(below) > enough:
            return below
    return []


def _merge(store: Store, small: Iterable[Part], now: datetime, command: str) -> Compacted:
    before = store.parts()
    groups = [group for group in grouped(small) if len(group) > 1]
    if groups:
        run_id = store.begin_run(now, command)
        for number, together in enumerate(_batches(groups)):
            store.exchange([p for group in together for p in group], together, f"{run_id:06d}-{number:04d}")
        store.end_run(run_id, now)
    after = store.parts() if groups else before
    return Compacted(len(before), len(after), size_of(before), size_of(after))


def _batches(groups: Iterable[list[Part]]) -> Iterator[list[list[Part]]]:
    """Groups that are written anew in one transaction."""
    batch: list[list[Part]] = []
    size = 0
    for group in groups:
        batch.append(group)
        size += size_of(group)
        if size >= _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
