"""Small Parquet files are merged, by command and by themselves, and no answer changes by it."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from crash import Crash, dies, never_commits
from trail import key, record, run, trail_file

from analyzer import parts as parts_module
from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.cloudtrail import EVENTS
from analyzer.compaction import MOST_SMALL_PARTS, compact, compact_scattered
from analyzer.errors import ExitCode
from analyzer.ingest import IngestOptions, ingest
from analyzer.lock import store_lock
from analyzer.parts import Part, grouped
from analyzer.retention import prune
from analyzer.sources import MemorySource
from analyzer.sources.named import Naming
from analyzer.store import DATABASE, Store, open_store, opened_as_it_is
from analyzer.store_check import Damage, check_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
ROOT = Path(__file__).parents[1]
OTHER = {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "readOnly": False}
NOW = datetime(2027, 1, 1)


def a_day(day: date) -> dict[str, bytes]:
    """One log file, with an event of STS and one of another service."""
    time = f"{day}T12:00:00Z"
    records = [record(f"s{day}", eventTime=time), record(f"w{day}", eventTime=time, **OTHER)]
    return {key(day=str(day)): trail_file(*records)}


def daily(opened: Store, first: date, days: int, most: int) -> Iterator[int]:
    """Ingest day by day; gives the number of Parquet files after each."""
    for number in range(days):
        files = a_day(first + timedelta(days=number))
        source = MemorySource(files, dict.fromkeys(files, "1"))
        ingest(opened, [source], NOW, IngestOptions(threads=1, most_small_parts=most))
        yield len(files_of(opened.path))


def bring(store: Path, first: date, days: int) -> None:
    """Ingest some days at once, with a commit for each and nothing merged."""
    all_files = [a_day(first + timedelta(days=number)) for number in range(days)]
    sources = [MemorySource(files, dict.fromkeys(files, "1")) for files in all_files]
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        ingest(opened, sources, NOW, IngestOptions(commit_bytes=1, most_small_parts=99))


def files_of(store: Path) -> list[Path]:
    return sorted((store / "events").rglob("*.parquet"))


def compact_at(store: Path) -> Any:
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        return compact(opened, NOW)


def rows(store: Path) -> list[dict[str, Any]]:
    """All events with the documents they came from, by a bare DuckDB."""
    with duckdb.connect(str(store / DATABASE), read_only=True) as connection:
        found = connection.execute("SELECT * FROM events JOIN sources USING (source_id) ORDER BY event_id")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def faults(store: Path) -> list[Damage]:
    with opened_as_it_is(store, catalogue=CATALOGUE) as opened:
        return [fault.damage for fault in check_store(opened).faults]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days over the end of a month, a commit each: twelve files."""
    store = tmp_path_factory.mktemp("made") / "store"
    bring(store, date(2026, 10, 28), 6)
    assert len(files_of(store)) == 12
    return store


@pytest.fixture
def store(made_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once, tmp_path / "store"))


def test_one_file_is_left_for_each_service_and_month_with_the_same_rows(store: Path, tmp_path: Path) -> None:
    before = rows(store)
    code, answer = run("store", "compact", "--store", store, out=tmp_path)
    assert (code, answer["parts"], answer["parts_left"]) == (ExitCode.OK, 12, 4)
    folders = [str(file.parent.relative_to(store / "events")) for file in files_of(store)]
    assert folders == [
        f"service={service}/event_month=2026-{month}" for service in ("other", "sts") for month in (10, 11)
    ]
    assert rows(store) == before
    assert faults(store) == []


def test_a_second_time_there_is_nothing_to_do(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compact_at(store)
    before = {file: file.stat().st_mtime_ns for file in files_of(store)}
    assert command_line(["store", "compact", "--store", str(store)]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("Nothing to merge: 4 parts of ")
    assert {file: file.stat().st_mtime_ns for file in files_of(store)} == before


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["store", "compact", "--store", str(tmp_path / "none")]) == ExitCode.FAILED
    assert "no store there" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_no_answer_changes_by_a_byte(tmp_path: Path) -> None:
    store, answers = tmp_path / "store", []
    sources = Naming(2**29, NOW, print).sources([str(ROOT / "sample_logs")], CATALOGUE)
    Session(sources, store, IngestOptions(commit_files=300, most_small_parts=99), catalogue=CATALOGUE).ingest(
        store
    )
    count = len(files_of(store))
    for _ in range(2):
        texts = []
        for command in (
            ["report", "--out", str(tmp_path / "r.json")],
            ["callers", "--out", str(tmp_path / "r.json")],
            ["usage", "--by", "day", "--out", str(tmp_path / "r.csv")],
        ):
            command_line([*command, "--store", str(store)])
            texts.append(Path(command[-1]).read_bytes())
        answers.append(texts)
        compact_at(store)
    assert len(files_of(store)) < count
    assert answers[0] == answers[1]


# By itself


def test_a_store_that_is_fed_every_day_keeps_a_bounded_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The analysts' views take most of the time of so small an ingest, and are not what this is about.
    monkeypatch.setattr(Store, "offer_views", lambda self: None)
    store, months, most, days = tmp_path / "store", 2, 3, 24
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        counts = list(daily(opened, date(2026, 9, 20), days, most))
        assert opened.balance().records.kept == 2 * days
        assert max(Counter(part.folder for part in opened.parts()).values()) <= most
    assert max(counts) <= 2 * months * most
    assert len(set(counts)) > 3
    assert faults(store) == []


def test_a_folder_with_few_files_is_left_alone(store: Path) -> None:
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        compacted = compact_scattered(opened, NOW)
    assert (compacted.parts, compacted.parts_left) == (12, 12)


def part(number: int, size: int, records: int = 1, folder: str = "service=sts/event_month=2026-10") -> Part:
    return Part(f"{folder}/{number:06d}.parquet", records, size, "", NOW, NOW)


class Ledger:
    """A store that only notes what is to be merged."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self.merged: list[int] = []

    def parts(self) -> list[Part]:
        return self._parts

    def begin_run(self, now: datetime, command: str) -> int:
        return 1

    def end_run(self, run_id: int, now: datetime) -> None:
        """Nothing."""

    def exchange(self, old: list[Part], groups: list[list[Part]], name: str) -> None:
        self.merged += [len(group) for group in groups]


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([1000] * MOST_SMALL_PARTS, []),
        ([1000] * (MOST_SMALL_PARTS + 1), [MOST_SMALL_PARTS + 1]),
        ([2 * MIB] * 4 * MOST_SMALL_PARTS, []),
        ([2 * MIB] * (4 * MOST_SMALL_PARTS + 1), [64]),
        ([40 * MIB] * 500, []),
        ([40 * MIB] * 10 + [1000] * 17, [17]),
    ],
)
def test_an_ingest_merges_what_is_small_and_leaves_a_bulk_load_as_it_was_written(
    sizes: list[int], merged: list[int]
) -> None:
    ledger = Ledger([part(number, size) for number, size in enumerate(sizes)])
    compact_scattered(ledger, NOW)  # type: ignore[arg-type]
    assert ledger.merged == merged


@pytest.mark.parametrize("size", [1000, 3 * MIB, 63 * MIB])
def test_the_command_leaves_no_more_files_than_their_size_asks_for(size: int) -> None:
    ledger = Ledger([part(number, size) for number in range(300)])
    compact(ledger, NOW)  # type: ignore[arg-type]
    assert sum(ledger.merged) >= 299
    assert len(ledger.merged) <= 300 * size // (64 * MIB) + 1


def test_groups_keep_to_a_folder_and_to_a_number_of_rows() -> None:
    few = [part(n, 10, folder=f"service={service}/event_month=2026-10") for n in range(2) for service in "ab"]
    many = [part(n, 10, records=900_000) for n in range(5)]
    assert [[p.path for p in group] for group in grouped(few)] == [
        [f"service={service}/event_month=2026-10/{n:06d}.parquet" for n in range(2)] for service in "ab"
    ]
    assert [len(group) for group in grouped(many)] == [2, 2, 1]


def test_rows_are_merged_in_row_groups_of_bounded_memory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "_ROW_GROUP", 4)
    files = [file for file in files_of(store) if "service=sts" in str(file)] * 3
    records, first, last = parts_module.merge_parts(files, tmp_path / "merged.parquet", None)
    with pq.ParquetFile(tmp_path / "merged.parquet") as merged:
        sizes = [merged.metadata.row_group(n).num_rows for n in range(merged.num_row_groups)]
        assert merged.schema_arrow.equals(EVENTS)
    assert (records, sum(sizes), max(sizes)) == (18, 18, 4)
    assert (first, last) == (datetime(2026, 10, 28, 12), datetime(2026, 11, 2, 12))


# With others


def test_a_reader_keeps_its_files_until_it_is_done(store: Path) -> None:
    waiting = threading.Event()

    def compact_beside() -> None:
        with open_store(store, write=True, catalogue=CATALOGUE, on_wait=lambda _: waiting.set()) as opened:
            compact(opened, NOW)

    with open_store(store, catalogue=CATALOGUE) as reader:
        beside = threading.Thread(target=compact_beside)
        beside.start()
        assert waiting.wait(20)
        assert len(files_of(store)) == 12
        assert reader.ask("span", {}).num_rows == 1
    beside.join()
    assert len(files_of(store)) == 4


def test_a_reader_that_waited_for_a_process_that_was_killed_mends_the_store_first(store: Path) -> None:
    waiting, found = threading.Event(), []

    def read_beside() -> None:
        with open_store(store, catalogue=CATALOGUE, on_wait=lambda _: waiting.set()) as reader:
            found.extend(reader.rows("SELECT count(*) FROM events"))

    with store_lock(store / "lock", write=True, on_wait=lambda _: None):
        beside = threading.Thread(target=read_beside)
        beside.start()
        assert waiting.wait(20)
        part = files_of(store)[0].relative_to(store / "events")
        (store / "staging" / part.parent).mkdir(parents=True, exist_ok=True)
        (store / "events" / part).rename(store / "staging" / part)
    beside.join()
    assert found == [(12,)]
    assert len(files_of(store)) == 12


def test_what_was_merged_can_be_pruned_and_what_was_pruned_merged(store: Path) -> None:
    compact_at(store)
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        prune(opened, date(2026, 10, 30), NOW)
    assert [row["event_id"] for row in rows(store)][:2] == ["s2026-10-30", "s2026-10-31"]
    bring(store, date(2026, 11, 3), 2)
    compact_at(store)
    assert (len(files_of(store)), len(rows(store)), faults(store)) == (4, 12, [])


# A crash at any instant


@pytest.mark.parametrize(
    ("owner", "name", "at"),
    [
        (Store, "_stage_merged", 3),
        (Store, "_transaction", 1),
        (Store, "_publish", 2),
        (Store, "_drop_replaced", 1),
        (Path, "unlink", 5),
        (os, "fsync", 5),
    ],
)
def test_after_a_crash_every_event_is_there_once(
    store: Path, made_once: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, never_commits if name == "_transaction" else dies(getattr(owner, name), at))
        with suppress(Crash):
            compact_at(store)
            pytest.fail("nothing went wrong")
    with open_store(store, catalogue=CATALOGUE) as opened:
        assert opened.balance().records.kept == 12
    assert rows(store) == rows(made_once)
    assert len(files_of(store)) in (4, 12)
    assert not (store / "staging" / "replaced.txt").exists()
    compact_at(store)
    assert (len(files_of(store)), faults(store)) == (4, [])


@pytest.mark.parametrize("command", [["compact"], ["prune", "--before", "2026-10-29"]])
def test_a_damaged_part_is_not_written_anew(
    store: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if "prune" in command:
        compact_at(store)  # so that a part reaches beyond the day
    damaged = files_of(store)[0]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 4] ^= 1
    damaged.write_bytes(data)
    before = files_of(store)
    assert command_line(["store", *command, "--store", str(store)]) == ExitCode.FAILED
    assert str(store) in capsys.readouterr().err
    assert (files_of(store), damaged.read_bytes()) == (before, bytes(data))
    assert faults(store) == [Damage.ALTERED_PART]


def test_a_note_of_replaced_parts_reaches_nothing_else(store: Path) -> None:
    precious = store.parent / "precious.parquet"
    precious.write_bytes(b"precious")
    known = files_of(store)
    lines = [
        "../../precious.parquet",
        str(precious),
        "",
        "service=sts",
        "service=sts/event_month=2026-10/../x.parquet",
    ]
    lines += [str(file.relative_to(store / "events")) for file in known]
    (store / "staging" / "replaced.txt").write_text("\n".join(lines))
    with open_store(store, catalogue=CATALOGUE):
        pass
    assert precious.exists()
    assert files_of(store) == known
