"""The store is plain files that other tools read, wherever it lies, and no crash or damage goes unnoticed."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
import pytest
from crash import Crash, dies
from trail import ACCOUNT, DAY, Record, key, record, run, start, trail_file, write_tree

from analyzer import store as store_module
from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode, StoreError
from analyzer.ingest import IngestOptions
from analyzer.ledger import ledger_rows
from analyzer.parts import write_part
from analyzer.sources import MemorySource
from analyzer.store import FORMAT, Store, open_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
DATABASE = "sts-regions.duckdb"
VIEWS = ("events", "classify", "usage", "sources", "current_sources")


def bring(store: Path, files: dict[str, bytes], **options: int) -> None:
    """Ingest objects of memory, one version each."""
    source = MemorySource(files, dict.fromkeys(files, "1"))
    Session([source], store, IngestOptions(**options), catalogue=CATALOGUE).ingest(store)


def some_files(count: int = 3) -> dict[str, bytes]:
    """Log files with an STS event each, and events of another service and month among them."""
    files = {}
    for n in range(count):
        more = [
            record(f"w{n:03}", eventSource="ec2.amazonaws.com", eventName="RunInstances", readOnly=False),
            record(f"n{n:03}", eventTime="2026-11-02T00:00:00Z"),
        ]
        files[key(name=f"{n:016}")] = trail_file(record(f"s{n:03}"), *more)
    return files


def bare(store: Path, sql: str) -> list[tuple[Any, ...]]:
    """What an analyst's own DuckDB answers."""
    with duckdb.connect(str(store / DATABASE), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def stored(store: Path) -> list[Record]:
    """All rows of Parquet without their source, by event_id."""
    table = pyarrow.dataset.dataset(store / "events", format="parquet", partitioning="hive").to_table()
    rows: list[Record] = table.drop_columns(["source_id"]).sort_by("event_id").to_pylist()
    return rows


def ledger(store: Path) -> list[tuple[Any, ...]]:
    """Where every document stands."""
    return bare(
        store, "SELECT uri, outcome, reason, sha256, seen, kept, duplicate FROM current_sources ORDER BY uri"
    )


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a folder: mode, time of change and content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            b"" if path.is_dir() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
    }


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: ExitCode = ExitCode.FAILED) -> str:
    """Run a command that fails as it should: with one line and nothing on stdout. Returns the line."""
    capsys.readouterr()
    assert command_line([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("sts-regions: error: ")
    return lines[0]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three files; tests that change it take a copy."""
    path = tmp_path_factory.mktemp("made") / "store"
    bring(path, some_files())
    return path


@pytest.fixture
def copy(made_once: Path, tmp_path: Path) -> Path:
    """A store to be moved or damaged."""
    return Path(shutil.copytree(made_once, tmp_path / "copy"))


# Plain files for other tools


@pytest.mark.parametrize(
    ("view", "rows"), [("events", 9), ("classify", 6), ("usage", 1), ("sources", 3), ("current_sources", 3)]
)
def test_a_bare_duckdb_sees_the_views(made_once: Path, view: str, rows: int) -> None:
    assert len(bare(made_once, f"SELECT * FROM {view}")) == rows


def test_the_views_follow_later_runs(tmp_path: Path) -> None:
    bring(tmp_path, {"a.json": trail_file(record("a"))})
    bring(tmp_path, {"b.json": trail_file(record("b"))})
    assert bare(tmp_path, "SELECT count(*) FROM events") == [(2,)]
    assert bare(tmp_path, "SELECT calls, issuing_calls FROM usage") == [(2, 2)]


def test_the_views_of_a_store_without_any_event_are_empty(tmp_path: Path) -> None:
    bring(tmp_path, {"a.json": b"{"})
    counts = [bare(tmp_path, f"SELECT count(*) FROM {view}") for view in VIEWS]
    assert counts == [[(0,)], [(0,)], [(0,)], [(1,)], [(1,)]]


def test_the_views_keep_the_columns_of_events_whether_or_not_there_are_any(
    tmp_path: Path, made_once: Path
) -> None:
    bring(tmp_path, {"a.json": b"{"})
    columns = [
        {(name, kind) for name, kind, *_ in bare(store, "DESCRIBE events")} for store in (tmp_path, made_once)
    ]
    assert columns[0] == columns[1]


def test_a_store_named_by_a_relative_path_is_seen_by_a_duckdb_that_runs_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    bring(Path("store"), some_files(1))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert bare(tmp_path / "store", "SELECT count(*) FROM events") == [(3,)]


def test_arrow_reads_all_rows_with_their_partitions(made_once: Path) -> None:
    table = pyarrow.dataset.dataset(made_once / "events", format="parquet", partitioning="hive").to_table()
    places = sorted(zip(*(table.column(c).to_pylist() for c in ("service", "event_month")), strict=True))
    assert places == [("other", "2026-10")] * 3 + [("sts", "2026-10")] * 3 + [("sts", "2026-11")] * 3


def test_the_rows_that_arrow_and_duckdb_read_are_the_records_kept(made_once: Path) -> None:
    (kept,) = bare(made_once, "SELECT sum(kept) FROM sources")[0]
    (parts,) = bare(made_once, "SELECT sum(records) FROM parts")[0]
    assert len(stored(made_once)) == kept == parts == bare(made_once, "SELECT count(*) FROM events")[0][0]


def test_times_are_stored_as_naive_utc(made_once: Path) -> None:
    ((moment, kind),) = bare(made_once, "SELECT event_time, typeof(event_time) FROM events LIMIT 1")
    assert kind == "TIMESTAMP"
    assert moment.tzinfo is None


def test_a_store_is_private_to_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        bring(tmp_path / "new" / "store", some_files(1))
    finally:
        os.umask(before)
    store = tmp_path / "new" / "store"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store, *store.rglob("*")]}
    wrong = {path: oct(mode) for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)}
    assert wrong == {}


def test_no_session_token_reaches_the_store(tmp_path: Path) -> None:
    token = "FwoGZXIvYXdz" + "SECRET" * 20
    given = record(
        responseElements={
            "credentials": {"sessionToken": token, "accessKeyId": "ASIAEXAMPLE", "secretAccessKey": "SECRET"}
        }
    )
    bring(tmp_path, {"a.json": trail_file(given)})
    texts = [repr(stored(tmp_path)), *(repr(bare(tmp_path, f"SELECT * FROM {view}")) for view in VIEWS)]
    assert not [text for text in texts if "SECRET" in text or "FwoGZXIvYXdz" in text]
    assert stored(tmp_path)[0]["token_version"] == 1


def test_reading_changes_nothing_in_the_store(made_once: Path, tmp_path: Path) -> None:
    before = snapshot(made_once)
    for command in (["report"], ["query", "usage"], ["query", "SELECT * FROM usage"], ["show", "s000"]):
        code, _ = run(*command, "--store", made_once, out=tmp_path)
        assert code == ExitCode.OK
    assert snapshot(made_once) == before


# Wherever it lies


def test_a_moved_store_still_answers(made_once: Path, copy: Path, tmp_path: Path) -> None:
    moved = copy.rename(tmp_path / "moved")
    answers = [run("report", "--store", store, out=tmp_path) for store in (made_once, moved)]
    assert answers[0] == answers[1]
    assert answers[1][1]["usage"][0]["calls"] == 6


@pytest.mark.parametrize("view", VIEWS)
def test_a_moved_store_answers_ad_hoc_sql(made_once: Path, copy: Path, tmp_path: Path, view: str) -> None:
    moved = copy.rename(tmp_path / "moved")
    sql = f"SELECT count(*) AS n FROM {view}"
    code, answer = run("query", sql, "--store", moved, out=tmp_path)
    assert (code, answer) == run("query", sql, "--store", made_once, out=tmp_path)


@pytest.mark.parametrize("view", ["events", "classify", "usage"])
def test_a_copied_store_reads_its_own_events_and_not_those_of_the_original(
    copy: Path, tmp_path: Path, view: str
) -> None:
    bring(copy, {"more.json": trail_file(record("more", awsRegion="ap-south-1"))})
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    shutil.rmtree(copy / "events")
    _, before = run("query", f"SELECT count(*) AS n FROM {view}", "--store", other, out=tmp_path)
    assert before == [{"n": {"events": 10, "classify": 7, "usage": 2}[view]}]


def test_an_ingest_into_a_moved_store_goes_on_where_it_was(copy: Path, tmp_path: Path) -> None:
    moved = copy.rename(tmp_path / "moved")
    bring(moved, some_files(4))
    assert len(stored(moved)) == 12
    assert bare(moved, "SELECT count(*) FROM events") == [(12,)]


def test_an_ingest_without_news_turns_the_views_of_a_moved_store_to_its_new_place(
    copy: Path, tmp_path: Path
) -> None:
    moved = copy.rename(tmp_path / "moved")
    bring(moved, some_files())
    assert bare(moved, "SELECT count(*) FROM events") == [(9,)]


@pytest.mark.parametrize("name", ["it's", "env=prod", "service=other", "$since ü"])
def test_a_store_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    store = tmp_path / name / "store"
    bring(store, some_files(1))
    bring(store, some_files(2))
    code, answer = run("query", "SELECT * FROM events", "--store", store, out=tmp_path)
    assert (code, len(answer)) == (ExitCode.OK, 6)
    assert not {"env", "service"} & set(answer[0])
    _, report = run("report", "--store", store, out=tmp_path)
    assert report["usage"][0]["calls"] == 4
    assert bare(store, "SELECT count(*) FROM events") == [(6,)]


@pytest.mark.parametrize("name", ["a*b", "a[b]", "what?"])
def test_a_folder_whose_name_is_a_pattern_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record()]})
    code = command_line(["ingest", str(tree), "--store", str(tmp_path / name / "store")])
    err = capsys.readouterr().err
    assert (code, len(err.splitlines())) == (ExitCode.FAILED, 1)
    assert "choose another place" in err


def test_a_store_made_in_an_empty_directory_is_a_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    bring(tmp_path / "store", some_files(1))
    assert len(stored(tmp_path / "store")) == 3


# What is no store


def _nothing(path: Path) -> None:
    assert not path.exists()


def _empty(path: Path) -> None:
    path.mkdir()


def _other_things(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("precious")


def _a_file(path: Path) -> None:
    path.write_text("precious")


def _garbage(path: Path) -> None:
    path.mkdir()
    (path / DATABASE).write_bytes(b"garbage" * 1000)


def _zero_bytes(path: Path) -> None:
    path.mkdir()
    (path / DATABASE).touch()


def _another_database(path: Path) -> None:
    path.mkdir()
    with duckdb.connect(str(path / DATABASE)) as connection:
        connection.execute("CREATE TABLE precious AS SELECT 1 AS x")


def _a_directory_as_database(path: Path) -> None:
    (path / DATABASE).mkdir(parents=True)


READERS = (["report"], ["query", "SELECT 1"], ["show", "e1"])
BROKEN = [_garbage, _zero_bytes, _another_database, _a_directory_as_database]


@pytest.mark.parametrize("prepare", [_nothing, _empty, _other_things, _a_file, *BROKEN])
def test_what_is_no_store_is_refused_in_one_line_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: Callable[[Path], None]
) -> None:
    path = tmp_path / "store"
    prepare(path)
    for command in READERS:
        line = fails(capsys, *command, "--store", path)
        assert str(path) in line
        assert "; " in line


@pytest.mark.parametrize("prepare", [_other_things, _a_file, *BROKEN])
def test_what_is_no_store_is_not_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: Callable[[Path], None]
) -> None:
    path = tmp_path / "store"
    prepare(path)
    logs = write_tree(tmp_path / "logs", {key(): [record()]})
    before = {name: entry[2] for name, entry in snapshot(tmp_path).items()}
    line = fails(capsys, "ingest", logs, "--store", path)
    assert str(path) in line
    after = {name: entry[2] for name, entry in snapshot(tmp_path).items()}
    assert {name: after.get(name) for name in before} == before


def test_a_missing_store_names_the_command_that_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = fails(capsys, "report", "--store", tmp_path / "store")
    assert f"sts-regions ingest SOURCE --store {tmp_path / 'store'}" in line
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_a_file_is_called_a_file_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").write_text("precious")
    for command in (["report"], ["ingest", str(tmp_path)]):
        assert "is a file" in fails(capsys, *command, "--store", tmp_path / "store")


@pytest.mark.parametrize("found", ["0", "1", "2", ""])
def test_a_store_of_another_format_says_which_and_what_to_do(
    copy: Path, capsys: pytest.CaptureFixture[str], found: str
) -> None:
    with duckdb.connect(str(copy / DATABASE)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", [found])
    before = snapshot(copy / "events")
    for command in (["report"], ["ingest", str(copy)]):
        line = fails(capsys, *command, "--store", copy)
        assert f"format {found}, this version reads {FORMAT}" in line
        assert "make a new store from the logs" in line
    assert snapshot(copy / "events") == before


# Damage


@pytest.mark.parametrize("command", [["report", "--store"], ["ingest", "{logs}", "--store"]])
@pytest.mark.parametrize("place", [0, 12288, 0.3, 0.6, 0.9])
def test_a_damaged_database_never_ends_in_a_traceback(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: float, command: Sequence[str]
) -> None:
    logs = write_tree(tmp_path / "logs", {key(name=f"{n:016}"): [record(f"x{n}")] for n in range(3)})
    path = copy / DATABASE
    at = int(place * path.stat().st_size) if isinstance(place, float) else place
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(range(256)) * 512)
    code = command_line([part.format(logs=logs) for part in command] + [str(copy)])
    err = capsys.readouterr().err
    assert code == ExitCode.OK or (code == ExitCode.FAILED and len(err.splitlines()) == 1), err


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_database_whose_end_is_missing_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    os.truncate(copy / DATABASE, int(share * (copy / DATABASE).stat().st_size))
    assert "new store from the logs" in fails(capsys, "report", "--store", copy)


def _parts(store: Path) -> list[Path]:
    return sorted((store / "events").rglob("*.parquet"))


def _lose_all(store: Path) -> None:
    shutil.rmtree(store / "events")


def _lose_one_partition(store: Path) -> None:
    shutil.rmtree(store / "events" / "service=sts")


def _lose_one_part(store: Path) -> None:
    _parts(store)[-1].unlink()


def _cut_one_part(store: Path) -> None:
    os.truncate(_parts(store)[-1], 100)


def _overwrite_one_part(store: Path) -> None:
    _parts(store)[-1].write_bytes(b"garbage" * 1000)


LOSSES = [_lose_all, _lose_one_partition, _lose_one_part, _cut_one_part, _overwrite_one_part]


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("command", [["report"], ["query", "usage"], ["query", "SELECT * FROM events"]])
def test_events_that_are_lost_or_damaged_are_an_error_and_not_a_smaller_answer(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    lose: Callable[[Path], None],
    command: Sequence[str],
) -> None:
    lose(copy)
    fails(capsys, *command, "--store", copy)


@pytest.mark.parametrize("lose", LOSSES)
def test_an_ingest_into_a_store_that_lost_events_does_not_pass_over_it(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lose: Callable[[Path], None]
) -> None:
    lose(copy)
    logs = write_tree(tmp_path / "logs", {key(): [record("new"), record("s002")]})
    fails(capsys, "ingest", logs, "--store", copy)


# A crash at any instant


def _dies_in_transaction(at: int) -> Callable[[Store], Any]:
    """A ledger transaction that is never committed, at its n-th use."""
    original, calls = Store._transaction, 0

    @contextmanager
    def transaction(self: Store) -> Iterator[None]:
        nonlocal calls
        calls += 1
        with original(self):
            yield
            if calls == at:
                raise Crash

    return transaction


_FAULTS: dict[str, Callable[[pytest.MonkeyPatch, int], None]] = {
    "before staging": lambda patch, at: patch.setattr(Store, "_stage", dies(Store._stage, at)),
    "while staging": lambda patch, at: patch.setattr(store_module, "write_part", dies(write_part, at)),
    "between staging and ledger": lambda patch, at: patch.setattr(
        store_module, "ledger_rows", dies(ledger_rows, at)
    ),
    "inside the ledger's transaction": lambda patch, at: patch.setattr(
        Store, "_transaction", _dies_in_transaction(at)
    ),
    "between ledger and publishing": lambda patch, at: patch.setattr(Store, "_publish", dies(Store._publish, at)),
    "while moving a part": lambda patch, at: patch.setattr(Path, "rename", dies(Path.rename, at)),
    "while syncing": lambda patch, at: patch.setattr(os, "fsync", dies(os.fsync, at)),
    "before the run ends": lambda patch, at: patch.setattr(Store, "end_run", dies(Store.end_run, 1)),
    "before the views are written": lambda patch, at: patch.setattr(
        Store, "offer_views", dies(Store.offer_views, 1)
    ),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store as it is when nothing goes wrong: forty files in three commits."""
    path = tmp_path_factory.mktemp("undisturbed") / "store"
    bring(path, some_files(40), commit_bytes=1)
    return path


@pytest.mark.parametrize(
    ("fault", "at"),
    [
        ("before staging", 1),
        ("before staging", 2),
        ("while staging", 2),
        ("between staging and ledger", 1),
        ("between staging and ledger", 3),
        ("inside the ledger's transaction", 2),
        ("between ledger and publishing", 1),
        ("between ledger and publishing", 5),
        ("while moving a part", 1),
        ("while moving a part", 3),
        ("while syncing", 5),
        ("before the run ends", 1),
        ("before the views are written", 1),
    ],
)
def test_after_a_crash_the_store_is_whole_and_a_rerun_ends_in_the_same_content(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, fault: str, at: int
) -> None:
    store = tmp_path / "store"
    with monkeypatch.context() as patch:
        _FAULTS[fault](patch, at)
        with suppress(Crash):
            bring(store, some_files(40), commit_bytes=1)
    if (store / DATABASE).exists():
        with open_store(store, catalogue=CATALOGUE) as opened:
            balance = opened.balance()
            (span,) = opened.ask("span", {}).to_pylist()
        parts = list((store / "events").rglob("*.parquet"))
        rows = stored(store) if parts else []
        assert len({row["event_id"] for row in rows}) == len(rows) == balance.records.kept
        assert (span["first_event"] is None) == (not rows)
        assert list((store / "staging").rglob("*.parquet")) == []
    bring(store, some_files(40), commit_bytes=1)
    assert stored(store) == stored(undisturbed)
    assert ledger(store) == ledger(undisturbed)
    assert bare(store, "SELECT count(*) FROM events") == [(120,)]
    assert bare(store, "SELECT sum(calls) FROM usage") == [(80,)]


def test_staged_parts_that_the_ledger_does_not_name_are_never_counted(copy: Path, tmp_path: Path) -> None:
    part = _parts(copy)[0]
    orphan = copy / "staging" / part.relative_to(copy / "events").with_name("000009-000000099.parquet")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(part, orphan)
    code, answer = run("query", "SELECT count(*) AS n FROM events", "--store", copy, out=tmp_path)
    assert (code, answer) == (ExitCode.OK, [{"n": 9}])
    assert not orphan.exists()


def test_a_half_made_database_is_made_anew(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "events").mkdir(parents=True)
    (store / f"{DATABASE}.new").write_bytes(b"half")
    (store / f"{DATABASE}.new.wal").write_bytes(b"half")
    bring(store, some_files(1))
    assert len(stored(store)) == 3


def test_opening_a_missing_store_for_reading_raises_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store there"), open_store(tmp_path / "x", catalogue=CATALOGUE):
        pass


def test_the_installed_command_reads_a_store_that_a_library_call_made(made_once: Path) -> None:
    done = start("report", "--store", made_once, "--output", "csv")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"{ACCOUNT},eu-west-1".encode() in done.stdout.replace(b",aws,", b",")
    assert DAY.encode() in done.stdout


def test_whatever_lies_in_staging_is_out_of_the_way_of_the_next_ingest(copy: Path, tmp_path: Path) -> None:
    shutil.rmtree(copy / "staging")
    (copy / "staging").mkdir()
    (copy / "staging" / "service=sts").write_bytes(b"no folder")
    write_tree(tmp_path / "more", {"new.json": [record("one more")]})
    assert command_line(["ingest", str(tmp_path / "more"), "--store", str(copy)]) == ExitCode.OK
    assert [path for path in (copy / "staging").rglob("*") if path.is_file()] == []
