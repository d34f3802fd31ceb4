"""Parts: the Parquet files that hold a store's events, one service and month in each."""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analyzer.cloudtrail import STS

_ROW_GROUP = 256 * 1024


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


def write_part(table: pa.Table, path: Path) -> None:
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
    sync_file(path)


def describe_part(path: str, file: Path, records: int, first: datetime, last: datetime) -> Part:
    """What the ledger has to know of a part that was just written to `file`."""
    return Part(path, records, file.stat().st_size, sha256_of(file), first, last)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def private_folders(root: Path, folder: Path) -> None:
    """Make the folders from `root` down to `folder`, each for the owner alone."""
    for part in reversed([folder, *folder.parents]):
        if part.is_relative_to(root):
            part.mkdir(mode=0o700, exist_ok=True)


def sync_file(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
