"""Parts: the Parquet files that hold a store's events, one service and month in each."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analyzer.cloudtrail import EVENTS, STS
from analyzer.store_failures import naming

GOOD_BYTES = 128 * 1024 * 1024
GOOD_RECORDS = 2_000_000
"""Parts are merged up to this size: large enough that files stay few, small enough to be written anew."""

_ROW_GROUP = 256 * 1024
_ROW_GROUP_BYTES = 64 * 1024 * 1024
_BATCH = 32 * 1024

# Identifiers are not worth a dictionary, everything else repeats.
_UNIQUE = {"event_id", "shared_event_id"}
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": [name for name in EVENTS.names if name not in _UNIQUE],
    "write_statistics": ["event_time", "event_source", "recipient_account_id", "aws_region"],
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the ledger has it. `path` is relative to `events/`; times are naive UTC."""

    path: str
    records: int
    bytes: int
    sha256: str
    first_event: datetime
    last_event: datetime

    @property
    def folder(self) -> str:
        """Its service and month."""
        return self.path.rpartition("/")[0]


def partitions(events: pa.Table) -> list[tuple[str, pa.Array | None]]:
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


def size_of(parts: Iterable[Part]) -> int:
    """Bytes of several parts together."""
    return sum(part.bytes for part in parts)


def grouped(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Neighbours of one folder in groups of which each makes a part of a good size."""
    group: list[Part] = []
    for part in sorted(parts, key=lambda one: one.path):
        whole = [*group, part]
        if group and (
            part.folder != group[0].folder
            or size_of(whole) > GOOD_BYTES
            or sum(one.records for one in whole) > GOOD_RECORDS
        ):
            yield group
            whole = [part]
        group = whole
    if group:
        yield group


def write_part(table: pa.Table, path: Path) -> None:
    """Write and sync one part."""
    with naming(path):
        pq.write_table(table, path, row_group_size=_ROW_GROUP, **_PARQUET)
        path.chmod(0o600)
    sync_file(path)


def merge_parts(files: Sequence[Path], target: Path, since: datetime | None) -> tuple[int, datetime, datetime]:
    """Write and sync one part of the rows of several, in their order, a few row groups in memory at a time.

    `since`: earlier events (naive UTC) are left out. Returns the rows written, and the first and last event.
    """
    records = 0
    spans: list[datetime] = []
    with naming(target), pq.ParquetWriter(target, EVENTS, **_PARQUET) as writer:
        for table in _row_groups(files, since):
            writer.write_table(table, row_group_size=_ROW_GROUP)
            records += len(table)
            spans += [moment.as_py() for moment in pc.min_max(table.column("event_time")).values()]
    target.chmod(0o600)
    sync_file(target)
    return records, min(spans), max(spans)


def _row_groups(files: Sequence[Path], since: datetime | None) -> Iterator[pa.Table]:
    """The rows of files in tables that are worth a row group each."""
    gathered: list[pa.Table] = []
    first = None if since is None else pa.scalar(since, pa.timestamp("us"))
    for batch in _batches(files):
        table = pa.Table.from_batches([batch])
        if first is not None:
            table = table.filter(pc.greater_equal(table.column("event_time"), first))
        if len(table):
            gathered.append(table)
        if sum(map(len, gathered)) >= _ROW_GROUP or sum(one.nbytes for one in gathered) >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(gathered)
            gathered = []
    if gathered:
        yield pa.concat_tables(gathered)


def _batches(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(_BATCH)


def describe_part(path: str, file: Path, records: int, first: datetime, last: datetime) -> Part:
    """What the ledger has to know of a part that was just written to `file`."""
    return Part(path, records, file.stat().st_size, sha256_of(file), first, last)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def private_folders(root: Path, folder: Path) -> None:
    """Make the folders from `root` down to `folder`, each for the owner alone and safe from a power loss."""
    for part in reversed([folder, *folder.parents]):
        if part.is_relative_to(root) and not part.is_dir():
            with naming(part):
                part.mkdir(mode=0o700, exist_ok=True)
            sync_file(part.parent)


def sync_file(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    with naming(path):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
