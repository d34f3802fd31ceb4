"""The logs that are measured: made once, the same on every machine, kept until this recipe changes."""

import hashlib
import json
import random
import shutil
import string
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks import records
from benchmarks.records import ACCOUNTS, REGIONS, trail_file

SEED = 20260703
FIRST_DAY = datetime(2026, 7, 3)
DAYS = 90
RECORDS_PER_FILE = 100

_GZIP_WINDOW = 31
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class LogSet:
    """Trail files below one directory. Sizes in bytes."""

    folder: Path
    files: int
    records: int
    json_bytes: int
    gzip_bytes: int


def log_set(data: Path, files: int, records_each: int = RECORDS_PER_FILE) -> LogSet:
    """The set of so many files, from `data` or made now (some 20 seconds for 4,000 files and two cores)."""
    folder = data / (f"logs-{files}" if records_each == RECORDS_PER_FILE else f"logs-{files}-of-{records_each}")
    note = folder / "made.json"
    recipe = _recipe()
    if note.is_file():
        made = json.loads(note.read_text())
        if made.pop("recipe") == recipe:
            return LogSet(**{**made, "folder": folder / "AWSLogs"})
    shutil.rmtree(folder, ignore_errors=True)
    starts = range(0, files, _CHUNK)
    chunks = [(folder, range(start, min(start + _CHUNK, files)), records_each) for start in starts]
    with ProcessPoolExecutor() as pool:
        sizes = list(pool.map(_write_files, chunks))
    made_now = LogSet(
        folder=folder / "AWSLogs",
        files=files,
        records=files * records_each,
        json_bytes=sum(size for size, _ in sizes),
        gzip_bytes=sum(size for _, size in sizes),
    )
    note.write_text(json.dumps({**asdict(made_now), "folder": "AWSLogs", "recipe": recipe}))
    return made_now


def _recipe() -> str:
    """Changes with any change of how the logs are made."""
    digest = hashlib.sha256()
    for module in (__file__, records.__file__):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()


def _write_files(chunk: tuple[Path, range, int]) -> tuple[int, int]:
    """Write some files; returns their bytes before and after compression."""
    folder, indexes, records_each = chunk
    json_bytes = gzip_bytes = 0
    for index in indexes:
        account, region, hour = _place(index)
        text = trail_file(SEED, index, account, region, hour, records_each).encode()
        packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WINDOW)
        packed = packer.compress(text) + packer.flush()
        path = folder / _key(index, account, region, hour)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed)
        json_bytes += len(text)
        gzip_bytes += len(packed)
    return json_bytes, gzip_bytes


def _place(index: int) -> tuple[str, str, datetime]:
    """Account, region and hour of a file: neighbours differ in account, later ones in region, day and hour."""
    rest, account = divmod(index, len(ACCOUNTS))
    rest, region = divmod(rest, len(REGIONS))
    hour, day = divmod(rest, DAYS)
    return ACCOUNTS[account], REGIONS[region], FIRST_DAY + timedelta(days=day, hours=hour % 24)


def _key(index: int, account: str, region: str, hour: datetime) -> str:
    unique = "".join(random.Random(index).choices(string.ascii_letters + string.digits, k=16))
    delivered = hour + timedelta(minutes=55)
    return (
        f"AWSLogs/{account}/CloudTrail/{region}/{hour:%Y/%m/%d}/"
        f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{unique}.json.gz"
    )
