"""Whether time and memory grow no faster than the logs do.

    python -m benchmarks.scale [--data DIR] [--events 1,5,10,50] [--files 25000,100000] [--megabytes 50,500]

Three things that grow: the number of small files that an ingest reads, the size of one document, and the number
of events in a store, for its compaction, its report and one more ingest into it. Each is a whole process, run
once; it takes about a quarter of an hour and 6 GB of disk. An empty list leaves one out.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.contestants import compact, ingest, module, report
from benchmarks.data import FIRST_DAY, SEED, log_set
from benchmarks.machine import machine, versions
from benchmarks.measure import ROOT, Run, measure
from benchmarks.records import ACCOUNTS, REGIONS, trail_file
from benchmarks.tables import Table, megabytes, seconds

_DATA = Path(__file__).parent / "data"
_SMALL = 3
"""Records in a small file: what CloudTrail delivers for a quiet region in five minutes."""
_BASE_FILES = 4_000
_SLICE = 1_000
_MILLION = 1_000_000
_MEGABYTE = 1_000_000


def main() -> int:
    """Measure what was asked for and print a table for each."""
    arguments = _arguments()
    data = arguments.data.absolute()
    work = data / "scale"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print(f"Machine: {machine()}")
    print(f"Other work on it when the runs began: load {os.getloadavg()[0]:.1f}")
    print(f"Versions: {versions()}")
    tables: list[tuple[Sequence[int], Callable[[Sequence[int], Path, Path], Iterable[Table]]]] = [
        (arguments.files, _small_files),
        (arguments.megabytes, _one_document),
        (arguments.events, _events),
    ]
    for sizes, measured in tables:
        for table in measured(sizes, data, work) if sizes else ():
            print(f"\n{table.markdown()}", flush=True)
    shutil.rmtree(work)
    return 0


def _small_files(sizes: Sequence[int], data: Path, work: Path) -> Iterable[Table]:
    runs = []
    for files in sizes:
        logs = log_set(data, files, _SMALL)
        runs.append(measure(ingest(logs.folder, work / "small"), work))
        shutil.rmtree(work / "small")
    yield _table(f"Ingest of files of {_SMALL} records", "Files", sizes, runs)


def _one_document(sizes: Sequence[int], data: Path, work: Path) -> Iterable[Table]:
    runs = []
    for size in sizes:
        logs = work / f"document-{size}"
        _write_document(logs, size)
        runs.append(measure(ingest(logs, work / "document"), work))
        shutil.rmtree(work / "document")
        shutil.rmtree(logs)
    yield _table("Ingest of one document", "MB of JSON", sizes, runs)


def _write_document(folder: Path, size: int) -> None:
    """One trail file of so many megabytes (10^6 bytes) of JSON."""
    account, region = ACCOUNTS[0], REGIONS[0]
    key = f"AWSLogs/{account}/CloudTrail/{region}/{FIRST_DAY:%Y/%m/%d}/"
    name = f"{account}_CloudTrail_{region}_{FIRST_DAY:%Y%m%d}T0055Z_{'a' * 16}.json.gz"
    (folder / key).mkdir(parents=True)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    written = 0
    with (folder / key / name).open("wb") as file:
        head, tail = '{"Records":[', "]}"
        file.write(packer.compress(head.encode()))
        index = 0
        while written < size * _MEGABYTE:
            # Even numbers: the files between them are the other halves of their cross-account calls.
            text = trail_file(SEED, 2 * index, account, region, FIRST_DAY, _SLICE)
            records = text[len(head) : -len(tail)]
            file.write(packer.compress((("," if written else "") + records).encode()))
            written += len(records) + 1
            index += 1
        file.write(packer.compress(tail.encode()) + packer.flush())


def _events(sizes: Sequence[int], data: Path, work: Path) -> Iterable[Table]:
    logs = log_set(data, _BASE_FILES)
    base = work / "base"
    measure(ingest(logs.folder, base), work)
    compactions, reports, more = [], [], []
    for millions in sizes:
        store = work / f"store-{millions}"
        command = module("grown_store", base, store, millions * _MILLION)
        subprocess.run(command, cwd=ROOT, check=True)
        # A store that grew by ingests would have been compacted a little by each.
        compactions.append(measure(compact(store), work))
        reports.append(measure(report(store), work))
        more.append(measure(ingest(logs.folder, store), work))
        shutil.rmtree(store)
    yield _table("Compaction of a store that never was", "Million events", sizes, compactions)
    yield _table("Report from that store", "Million events", sizes, reports)
    yield _table(f"Ingest of {logs.records:,} more events into that store", "Million events", sizes, more)


def _table(title: str, unit: str, sizes: Sequence[int], runs: Sequence[Run]) -> Table:
    """Each run, and how its time grew beside how its size grew, both from the smallest."""
    rows = [
        (
            f"{size:,}",
            seconds(run.seconds),
            seconds(run.cpu_seconds),
            megabytes(run.peak_bytes),
            f"{size / sizes[0]:.0f}x the size, {run.seconds / runs[0].seconds:.1f}x the time",
        )
        for size, run in zip(sizes, runs, strict=True)
    ]
    return Table(title, (unit, "Wall", "Processor", "Peak memory", "Beside the first"), rows)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, default=_DATA, help="where logs are kept and stores are made")
    parser.add_argument("--events", type=_numbers, default=[1, 5, 10, 50], help="millions of events in a store")
    parser.add_argument("--files", type=_numbers, default=[25_000, 50_000, 100_000], help="small files")
    parser.add_argument("--megabytes", type=_numbers, default=[50, 250, 500], help="sizes of one document")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
