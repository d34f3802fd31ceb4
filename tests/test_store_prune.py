"""`store prune` removes events before a day, keeps the ledger true, and no silence before that day counts."""

import os
import shutil
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from crash import Crash, dies, never_commits
from trail import ACCOUNT, key, record, run, trail_file

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.coverage import CoverageEvidence, Level
from analyzer.errors import ExitCode
from analyzer.holes import Darkness, dark_holes
from analyzer.retention import prune
from analyzer.sources import MemorySource
from analyzer.store import DATABASE, Store, open_store, opened_as_it_is
from analyzer.store_check import Damage, check_store
from analyzer.window import Window
from analyzer.workflow import Session

CATALOGUE = Catalogue()
ROOT = Path(__file__).parents[1]
OTHER = {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "readOnly": False}
NOW = datetime(2026, 12, 1)
CUT = date(2026, 10, 3)


def moment(day: int, month: int = 10) -> str:
    return f"2026-{month:02}-{day:02}T12:00:00Z"


def some_files() -> dict[str, bytes]:
    """A file a day: an event of STS and one of EC2 on each, the second file with a copy of the first's."""
    files = {}
    for day in range(1, 6):
        records = [record(f"s{day}", eventTime=moment(day)), record(f"w{day}", eventTime=moment(day), **OTHER)]
        records += [record("s1", eventTime=moment(1))] if day == 2 else []
        files[key(day=f"2026-10-{day:02}", name=f"{day:016}")] = trail_file(*records)
    return files


def bring(store: Path, files: dict[str, bytes], version: str = "1") -> Any:
    """Ingest objects of memory; returns the balance of the run."""
    session = Session([MemorySource(files, dict.fromkeys(files, version))], store, catalogue=CATALOGUE)
    return session.ingest(store).balance


def prune_at(store: Path, before: date = CUT, **options: Any) -> Any:
    with open_store(store, write=True, catalogue=CATALOGUE) as opened:
        return prune(opened, before, NOW, **options)


def event_ids(store: Path) -> list[str]:
    """What an analyst's own DuckDB finds."""
    with duckdb.connect(str(store / DATABASE), read_only=True) as connection:
        return [name for (name,) in connection.execute("SELECT event_id FROM events ORDER BY 1").fetchall()]


def balance(store: Path) -> Any:
    with open_store(store, catalogue=CATALOGUE) as opened:
        return opened.balance()


def faults(store: Path) -> list[Damage]:
    with opened_as_it_is(store, catalogue=CATALOGUE) as opened:
        return [fault.damage for fault in check_store(opened).faults]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten events in two commits, so that there are parts on both sides of the day and across it."""
    store = tmp_path_factory.mktemp("made") / "store"
    files = list(some_files().items())
    bring(store, dict(files[:1]))
    bring(store, dict(files[1:]))
    return store


@pytest.fixture
def store(made_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once, tmp_path / "store"))


@pytest.fixture
def pruned(store: Path) -> Path:
    prune_at(store)
    return store


def test_events_before_the_day_go_and_the_others_stay(pruned: Path) -> None:
    assert event_ids(pruned) == ["s3", "s4", "s5", "w3", "w4", "w5"]
    assert faults(pruned) == []


def test_the_first_instant_of_the_day_stays_and_the_last_before_it_goes(tmp_path: Path) -> None:
    records = [record("a", eventTime="2026-10-02T23:59:59Z"), record("b", eventTime="2026-10-03T00:00:00Z")]
    bring(tmp_path / "store", {key(): trail_file(*records)})
    prune_at(tmp_path / "store")
    assert event_ids(tmp_path / "store") == ["b"]


def test_the_command_says_what_went_and_what_stays(store: Path, tmp_path: Path) -> None:
    code, answer = run("store", "prune", "--before", str(CUT), "--store", store, out=tmp_path)
    assert (code, answer["done"], answer["before"]) == (ExitCode.OK, True, "2026-10-03")
    assert (answer["events"], answer["kept"], answer["parts"]) == (4, 6, 4)
    assert answer["bytes_left"] < answer["bytes"]


def test_a_dry_run_says_the_same_and_changes_nothing(store: Path, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in store.rglob("*")}
    code, answer = run("store", "prune", "--before", str(CUT), "--store", store, "--dry-run", out=tmp_path)
    assert (code, answer["done"], answer["events"], answer["kept"]) == (ExitCode.OK, False, 4, 6)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in store.rglob("*")} == before


def test_pruned_events_are_skipped_ones_and_the_balance_adds_up(store: Path) -> None:
    before = balance(store).records
    prune_at(store)
    after = balance(store)
    assert (before.seen, before.kept, before.duplicate, before.skipped) == (11, 10, 1, 0)
    assert (after.records.seen, after.records.kept, after.records.duplicate, after.records.skipped) == (
        11,
        6,
        1,
        4,
    )
    assert after.records_skipped == {"pruned": 4}


def test_the_ledger_says_who_pruned_when_and_what(pruned: Path) -> None:
    with duckdb.connect(str(pruned / DATABASE), read_only=True) as connection:
        runs = connection.execute("SELECT started_at, finished_at, command FROM runs ORDER BY run_id").fetchall()
    assert [command for *_, command in runs] == ["ingest", "ingest", "store prune --before 2026-10-03"]
    assert runs[-1][:2] == (NOW, NOW)


def test_the_same_logs_again_bring_nothing_back(pruned: Path) -> None:
    again = bring(pruned, some_files())
    assert (again.files.unchanged, again.records.seen) == (5, 0)
    assert event_ids(pruned) == ["s3", "s4", "s5", "w3", "w4", "w5"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_logs_that_are_read_again_bring_nothing_back_and_their_old_events_count_as_skipped(
    pruned: Path, version: str
) -> None:
    files = some_files() if version == "2" else {f"copy/{name}": data for name, data in some_files().items()}
    again = bring(pruned, files, version)
    assert (again.records.seen, again.records.kept, again.records.duplicate) == (11, 0, 6)
    assert again.records_skipped == {"pruned": 5}
    assert event_ids(pruned) == ["s3", "s4", "s5", "w3", "w4", "w5"]
    assert faults(pruned) == []


def test_a_file_that_comes_late_gives_only_what_is_not_too_old(pruned: Path) -> None:
    records = [record("old", eventTime=moment(2)), record("new", eventTime=moment(3))]
    late = bring(pruned, {key(name="f" * 16): trail_file(*records)})
    assert (late.records.kept, late.records_skipped) == (1, {"pruned": 1})
    assert "new" in event_ids(pruned)
    assert "old" not in event_ids(pruned)


def test_a_store_from_which_everything_was_pruned_is_sound_and_takes_new_events(store: Path) -> None:
    prune_at(store, date(2026, 11, 1))
    assert (event_ids(store), faults(store)) == ([], [])
    assert list((store / "events").rglob("*.parquet")) == []
    bring(store, {key(day="2026-11-02", name="e" * 16): trail_file(record("n", eventTime=moment(2, 11)))})
    assert event_ids(store) == ["n"]


def test_pruning_again_goes_on_and_an_earlier_day_changes_nothing(pruned: Path) -> None:
    prune_at(pruned, date(2026, 10, 5))
    assert event_ids(pruned) == ["s5", "w5"]
    prune_at(pruned, date(2026, 10, 1))
    with open_store(pruned, catalogue=CATALOGUE) as opened:
        assert opened.pruned_before() == date(2026, 10, 5)
    assert balance(pruned).records_skipped == {"pruned": 8}
    assert faults(pruned) == []


def test_an_event_of_a_pruned_day_is_a_fault(store: Path) -> None:
    with duckdb.connect(str(store / DATABASE)) as connection:
        connection.execute("INSERT INTO meta VALUES ('pruned_before', '2026-10-03')")
    assert faults(store) == [Damage.PRUNED_EVENT]


def test_days_to_come_cannot_be_pruned(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert command_line(["store", "prune", "--before", str(tomorrow), "--store", str(store)]) == ExitCode.USAGE
    assert "name a day that has begun" in capsys.readouterr().err
    assert len(event_ids(store)) == 10


@pytest.mark.parametrize("arguments", [[], ["--before", "soon"]])
def test_the_day_has_to_be_named(store: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["store", "prune", "--store", str(store), *arguments]) == ExitCode.USAGE
    assert "--before" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["store", "prune", "--before", "2026-10-03", "--store", str(tmp_path / "none")]
    assert command_line(arguments) == ExitCode.FAILED
    assert "no store there" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


# What silence means after it


EVERY_DAY = frozenset(date(2026, 10, day) for day in range(1, 11))
PLACE = (ACCOUNT, "eu-west-1")


@pytest.mark.parametrize(
    "evidence",
    [
        {"proven": {PLACE: EVERY_DAY}},
        {"declared": {PLACE: EVERY_DAY}},
        {"declared_since": {ACCOUNT: date(2026, 1, 1)}},
        {"inferred": {PLACE: EVERY_DAY}},
        {"unread": {PLACE: EVERY_DAY}, "inferred": {PLACE: EVERY_DAY}},
    ],
)
def test_no_evidence_of_any_kind_makes_up_for_a_pruned_day(evidence: dict[str, Any]) -> None:
    window = Window(date(2026, 10, 1), date(2026, 10, 11))
    whole = CoverageEvidence(**evidence)
    pruned = CoverageEvidence(**evidence, pruned_before=CUT)
    assert pruned.letters(*PLACE, window) == "NN" + whole.letters(*PLACE, window)[2:]
    assert [pruned.level(*PLACE, date(2026, 10, day)) for day in (1, 2)] == [Level.NONE] * 2
    coverage = pruned.coverage(*PLACE, window)
    assert coverage.none == pruned.letters(*PLACE, window).count("N") >= 2
    first, *rest = dark_holes(pruned, *PLACE, window)
    assert (first.cause, first.since, first.until) == (Darkness.PRUNED, window.start, datetime(2026, 10, 3))
    assert f"--since {CUT}" in first.remedy
    assert rest == dark_holes(whole, *PLACE, Window(CUT, window.until))


def test_a_window_that_is_pruned_as_a_whole_is_one_hole() -> None:
    window = Window(date(2026, 9, 1), date(2026, 9, 11))
    evidence = CoverageEvidence(declared_since={ACCOUNT: date(2026, 1, 1)}, pruned_before=CUT)
    assert evidence.coverage(*PLACE, window).none == 10
    (hole,) = dark_holes(evidence, *PLACE, window)
    assert (hole.cause, hole.since, hole.until) == (Darkness.PRUNED, window.start, window.end)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample organization with digests and descriptions of trails, pruned before 2026-10-05."""
    store = tmp_path_factory.mktemp("sample") / "store"
    command_line(["ingest", str(ROOT / "sample_logs"), "--store", str(store)])
    prune_at(store, date(2026, 10, 5))
    return store


def test_the_window_begins_after_what_was_pruned_whatever_digests_say(sample: Path, tmp_path: Path) -> None:
    _, answer = run("report", "--store", sample, "--min-days", "10", out=tmp_path)
    assert answer["window"]["since"] == "2026-10-05T00:00:00Z"
    assert "deactivate" in {row["verdict"] for row in answer["verdicts"]}


def test_a_report_that_reaches_back_never_says_deactivate_and_says_why(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    since = ["--since", "2026-10-01"]
    _, answer = run("report", "--store", sample, "--min-days", "10", *since, out=tmp_path)
    assert "deactivate" not in {row["verdict"] for row in answer["verdicts"]}
    assert {row["coverage"]["none"] >= 4 for row in answer["verdicts"]} == {True}
    unsettled = [row for row in answer["verdicts"] if row["verdict"] == "cannot_tell"]
    assert {"--since 2026-10-05" in row["settled_by"] for row in unsettled} == {True}
    err = capsys.readouterr().err
    assert "the events before 2026-10-05 were pruned from this store" in err
    _, coverage = run("coverage", "--store", sample, *since, out=tmp_path)
    assert {row["levels"][:4] for row in coverage["coverage"]} == {"NNNN"}


@pytest.mark.parametrize(
    "command",
    [["usage", "--by", "day"], ["callers"], ["query", "usage"], ["simulate", "--deactivate", "eu-west-1"]],
)
def test_whoever_asks_about_pruned_days_is_told(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    for since, told in (("2026-10-04", 1), ("2026-10-05", 0)):
        capsys.readouterr()
        run(*command, "--store", sample, "--since", since, out=tmp_path)
        assert capsys.readouterr().err.count("were pruned from this store") == told


# A crash at any instant


FAULTS = [
    (Store, "_stage_merged", 2),
    (Store, "_publish", 1),
    (Store, "_drop_replaced", 1),
    (Store, "offer_views", 1),
    (Path, "unlink", 3),
    (os, "fsync", 4),
]


@pytest.mark.parametrize(("owner", "name", "at"), FAULTS)
def test_after_a_crash_all_old_events_are_there_or_none(
    store: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies(getattr(owner, name), at))
        with pytest.raises(Crash):
            prune_at(store)
    with open_store(store, catalogue=CATALOGUE) as opened:
        is_pruned = opened.pruned_before() is not None
    assert len(event_ids(store)) == (6 if is_pruned else 10)
    prune_at(store)
    assert event_ids(store) == ["s3", "s4", "s5", "w3", "w4", "w5"]
    assert faults(store) == []


def test_a_crash_within_the_transaction_changes_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_transaction", never_commits)
        with suppress(Crash):
            prune_at(store)
    with open_store(store, catalogue=CATALOGUE) as opened:
        assert (opened.pruned_before(), opened.balance().records.kept) == (None, 10)
    assert (len(event_ids(store)), faults(store)) == (10, [])
