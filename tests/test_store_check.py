"""`store check` finds every kind of damage, says where and what to do, and changes nothing."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from trail import key, record, run, trail_file

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.sources import MemorySource
from analyzer.store import DATABASE, opened_as_it_is
from analyzer.store_check import Damage, check_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
OTHER = {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "readOnly": False}


def bring(store: Path, files: dict[str, bytes]) -> None:
    """Ingest objects of memory."""
    Session([MemorySource(files, dict.fromkeys(files, "1"))], store, catalogue=CATALOGUE).ingest(store)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two parts of STS and one of the rest, a duplicate, a skipped and a rejected record."""
    store = tmp_path_factory.mktemp("sound") / "store"
    records = [record("a"), record("b", **OTHER), record("d", eventCategory="Data"), record("x", eventTime=None)]
    bring(store, {key(name="1" * 16): trail_file(*records)})
    bring(store, {key(name="2" * 16): trail_file(record("c"), record("a"))})
    return store


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "store"))


def parts(store: Path, service: str = "sts") -> list[Path]:
    return sorted((store / "events" / f"service={service}").rglob("*.parquet"))


def change_ledger(store: Path, *statements: str) -> None:
    with duckdb.connect(str(store / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)


def rewrite(store: Path, part: Path, column: str, change: Callable[[pa.ChunkedArray], Any]) -> None:
    """Change a column of a part, and let the ledger believe that it was written like that."""
    table = pq.read_table(part)
    at = table.schema.get_field_index(column)
    changed = table.set_column(
        at, table.schema.field(at), change(table.column(column)).cast(table.schema.types[at])
    )
    replace(store, part, lambda file: pq.write_table(changed, file))


def all_as(value: Any) -> Callable[[pa.ChunkedArray], Any]:
    """A column that says the same in every row."""
    return lambda column: pa.array([value] * len(column))


def replace(store: Path, part: Path, write: Callable[[Path], object]) -> None:
    write(part)
    data, path = part.read_bytes(), part.relative_to(store / "events").as_posix()
    sha256 = hashlib.sha256(data).hexdigest()
    change_ledger(store, f"UPDATE parts SET bytes = {len(data)}, sha256 = '{sha256}' WHERE path = '{path}'")


def faults(store: Path) -> list[tuple[Damage, str]]:
    with opened_as_it_is(store, catalogue=CATALOGUE) as opened:
        return [(fault.damage, fault.place) for fault in check_store(opened).faults]


def flip_a_byte(store: Path) -> None:
    data = bytearray(parts(store)[0].read_bytes())
    data[len(data) // 2] ^= 1
    parts(store)[0].write_bytes(data)


def leave_a_commit_half_done(store: Path) -> None:
    """As a crash between the ledger and the move leaves it."""
    part = parts(store)[0]
    staged = store / "staging" / part.relative_to(store / "events")
    staged.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    part.rename(staged)


def move_a_month_on(store: Path) -> None:
    part = parts(store)[0]
    rewrite(store, part, "event_time", lambda column: pc.add(column, timedelta(days=31)))
    change_ledger(
        store,
        "UPDATE parts SET first_event = first_event + INTERVAL 31 DAY, "
        f"last_event = last_event + INTERVAL 31 DAY WHERE path = '{part.relative_to(store / 'events')}'",
    )


def leave_an_exchange_half_done(store: Path) -> None:
    """As a crash leaves it before the parts that others have replaced are deleted."""
    part = parts(store)[0]
    old = shutil.copy(part, part.with_name("000009-000000009.parquet"))
    note = store / "staging" / "replaced.txt"
    note.write_text(f"{Path(old).relative_to(store / 'events')}\n")
    note.chmod(0o600)


def swap_columns(store: Path) -> None:
    part = parts(store)[0]
    table = pq.read_table(part)
    replace(store, part, lambda file: pq.write_table(table.select(table.column_names[::-1]), file))


DAMAGES: dict[str, tuple[Callable[[Path], object], Damage]] = {
    "a part is lost": (lambda s: parts(s)[0].unlink(), Damage.MISSING_PART),
    "all parts are lost": (lambda s: shutil.rmtree(s / "events"), Damage.MISSING_PART),
    "a part is cut": (lambda s: os.truncate(parts(s)[0], 100), Damage.ALTERED_PART),
    "a bit of a part is another": (flip_a_byte, Damage.ALTERED_PART),
    "a part is no Parquet and the ledger's hash is its": (
        lambda s: replace(s, parts(s)[0], lambda file: file.write_bytes(b"no")),
        Damage.UNREADABLE_PART,
    ),
    "a part has other columns": (swap_columns, Damage.WRONG_SCHEMA),
    "the ledger has another number of rows": (
        lambda s: change_ledger(s, "UPDATE parts SET records = records + 1"),
        Damage.WRONG_ROWS,
    ),
    "the ledger has another time of the first event": (
        lambda s: change_ledger(s, "UPDATE parts SET first_event = first_event - INTERVAL 1 DAY"),
        Damage.WRONG_ROWS,
    ),
    "the ledger has another time of the last event": (
        lambda s: change_ledger(s, "UPDATE parts SET last_event = last_event + INTERVAL 1 DAY"),
        Damage.WRONG_ROWS,
    ),
    "a part of STS holds another service's events": (
        lambda s: rewrite(s, parts(s)[0], "event_source", all_as("ec2.amazonaws.com")),
        Damage.MISPLACED_ROWS,
    ),
    "a part holds another month's events": (move_a_month_on, Damage.MISPLACED_ROWS),
    "there is a part that no ledger names": (
        lambda s: shutil.copy(parts(s)[0], parts(s)[0].with_name("stranger.parquet")),
        Damage.UNKNOWN_FILE,
    ),
    "an event is there twice": (
        lambda s: rewrite(s, parts(s)[0], "event_id", all_as("c")),
        Damage.DUPLICATE_EVENT,
    ),
    "events are of a document that nobody knows": (
        lambda s: rewrite(s, parts(s)[0], "source_id", all_as(70)),
        Damage.UNKNOWN_SOURCE,
    ),
    "two documents have one number": (
        lambda s: change_ledger(s, "UPDATE sources SET source_id = 1"),
        Damage.UNKNOWN_SOURCE,
    ),
    "the records of a document do not add up": (
        lambda s: change_ledger(s, "UPDATE sources SET seen = seen + 1"),
        Damage.UNBALANCED,
    ),
    "a figure is below nothing": (
        lambda s: change_ledger(s, "UPDATE sources SET duplicate = -1, skipped = skipped + duplicate + 1"),
        Damage.UNBALANCED,
    ),
    "the reasons for what was left out are lost": (
        lambda s: change_ledger(s, "DELETE FROM source_reasons"),
        Damage.UNBALANCED,
    ),
    "the ledger says that more was kept": (
        lambda s: change_ledger(s, "UPDATE sources SET kept = kept + 1, seen = seen + 1"),
        Damage.WRONG_KEPT,
    ),
    "a commit is half done": (leave_a_commit_half_done, Damage.UNFINISHED),
    "an exchange of parts is half done": (leave_an_exchange_half_done, Damage.UNFINISHED),
    "others may read a part": (lambda s: parts(s)[0].chmod(0o644), Damage.NOT_PRIVATE),
    "others may enter the store": (lambda s: s.chmod(0o750), Damage.NOT_PRIVATE),
    "others may write the ledger": (lambda s: (s / DATABASE).chmod(0o606), Damage.NOT_PRIVATE),
}


def test_a_store_that_nobody_touched_is_sound(sound: Path, tmp_path: Path) -> None:
    code, answer = run("store", "check", "--store", sound, out=tmp_path)
    assert (code, answer["sound"], answer["faults"]) == (ExitCode.OK, True, [])
    assert (answer["parts"], answer["events"], answer["sources"]) == (3, 3, 2)


def test_a_store_without_any_event_is_sound(tmp_path: Path) -> None:
    bring(tmp_path / "store", {"a.json": b"{"})
    assert faults(tmp_path / "store") == []


def test_a_store_made_in_a_folder_that_others_may_enter_shuts_them_out(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o755)
    bring(tmp_path / "store", {key(): trail_file(record())})
    assert faults(tmp_path / "store") == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(store: Path, name: str) -> None:
    damage, kind = DAMAGES[name]
    damage(store)
    found = {found for found, _ in faults(store)}
    assert kind in found
    # What is of no document, or of two, is missing in a sum as well.
    assert found - {kind} <= ({Damage.WRONG_KEPT, Damage.UNBALANCED} if kind is Damage.UNKNOWN_SOURCE else set())


def test_the_place_of_every_fault_is_named(store: Path) -> None:
    sts, (other,) = parts(store), parts(store, "other")
    sts[0].unlink()
    os.truncate(other, 3)
    (store / "events" / "note.txt").write_text("hello")
    (store / "events" / "note.txt").chmod(0o600)
    assert faults(store) == [
        (Damage.ALTERED_PART, f"events/{other.relative_to(store / 'events')}"),
        (Damage.MISSING_PART, f"events/{sts[0].relative_to(store / 'events')}"),
        (Damage.UNKNOWN_FILE, "events/note.txt"),
    ]


def test_a_fault_ends_in_exit_code_3_with_a_line_and_its_remedy(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts(store)[0].unlink()
    assert command_line(["store", "check", "--store", str(store)]) == ExitCode.FINDINGS
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].startswith("The store is not sound: 1 fault found in ")
    (line,) = [line for line in captured.out.splitlines() if line.startswith("missing_part")]
    assert "make a new store from the logs" in line
    assert captured.err == ""


def test_every_format_holds_the_fault(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts(store)[0].unlink()
    for form in ("json", "csv", "markdown"):
        assert command_line(["store", "check", "--store", str(store), "-o", form]) == ExitCode.FINDINGS
        assert Damage.MISSING_PART in capsys.readouterr().out.replace("\\", "")


def test_the_remedy_for_an_open_mode_mends_it(store: Path, tmp_path: Path) -> None:
    parts(store)[0].chmod(0o644)
    store.chmod(0o755)
    _, answer = run("store", "check", "--store", store, out=tmp_path)
    for fault in answer["faults"]:
        program, mode, path = fault["remedy"].split()
        assert program == "chmod"
        Path(path).chmod(int(mode, 8))
    assert faults(store) == []


@pytest.mark.parametrize("leave", [leave_a_commit_half_done, leave_an_exchange_half_done])
def test_the_remedy_for_what_is_half_done_mends_it(
    store: Path, tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    leave(store)
    assert command_line(["report", "--store", str(store), "--out", str(tmp_path / "report.json")]) == ExitCode.OK
    assert faults(store) == []


@pytest.mark.parametrize("name", ["a part is lost", "a commit is half done", "others may enter the store"])
def test_checking_changes_nothing(store: Path, tmp_path: Path, name: str) -> None:
    DAMAGES[name][0](store)
    before = {path: (path.stat().st_mode, path.stat().st_mtime_ns) for path in [store, *store.rglob("*")]}
    run("store", "check", "--store", store, out=tmp_path)
    assert {path: (path.stat().st_mode, path.stat().st_mtime_ns) for path in [store, *store.rglob("*")]} == before


def test_what_is_no_store_is_an_error_and_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["store", "check", "--store", str(tmp_path / "none")]) == ExitCode.FAILED
    assert "no store there" in capsys.readouterr().err


def test_a_store_of_an_older_format_is_told_what_to_do(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_ledger(store, "UPDATE meta SET value = '2' WHERE name = 'format'", "ALTER TABLE parts DROP sha256")
    for command in (["store", "check"], ["report"]):
        assert command_line([*command, "--store", str(store)]) == ExitCode.FAILED
        assert "make a new store from the logs" in capsys.readouterr().err


def test_an_event_id_of_a_hostile_log_reaches_no_terminal_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    bring(store, {key(): trail_file(record("\x1b[31mred"), record("b"))})
    rewrite(store, parts(store)[0], "event_id", all_as("\x1b[31mred"))
    assert command_line(["store", "check", "--store", str(store)]) == ExitCode.FINDINGS
    assert "\x1b" not in capsys.readouterr().out
    _, answer = run("store", "check", "--store", store, out=tmp_path)
    assert json.dumps(answer["faults"]).count("\\u001b") == 1


def test_the_hash_in_the_ledger_is_that_of_the_file(sound: Path) -> None:
    with duckdb.connect(str(sound / DATABASE), read_only=True) as connection:
        known = dict(connection.execute("SELECT path, sha256 FROM parts").fetchall())
    found = {
        part.relative_to(sound / "events").as_posix(): hashlib.sha256(part.read_bytes()).hexdigest()
        for part in [*parts(sound), *parts(sound, "other")]
    }
    assert found == known


def test_every_fault_is_explained_in_the_documents() -> None:
    page = (Path(__file__).parents[1] / "docs" / "store.md").read_text()
    assert [damage for damage in Damage if f"`{damage}`" not in page] == []


def test_the_name_of_a_command_has_to_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["store"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "sts-regions: error: Missing command. See 'sts-regions --help'.\n"
