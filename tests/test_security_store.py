"""A store that somebody handed over is data: it leads no command out of its directory, and none to a traceback."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trail import key, record, write_tree

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode, QueryError
from analyzer.store import open_store

DATABASE = "sts-regions.duckdb"
MARK = "PRECIOUS-AND-NOT-IN-THE-STORE"

Trap = Callable[[Path], None]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two files; the tests take copies."""
    path = tmp_path_factory.mktemp("made")
    other = record("w", eventSource="ec2.amazonaws.com", eventName="RunInstances", readOnly=False)
    logs = write_tree(path / "logs", {key(name=f"{n:016}"): [record(f"s{n}"), other] for n in range(2)})
    assert command_line(["ingest", str(logs), "--store", str(path / "store")]) == ExitCode.OK
    return path / "store"


@pytest.fixture
def store(made_once: Path, tmp_path: Path) -> Path:
    """A copy to set a trap in, beside a folder with what must not be touched or read, and new logs."""
    write_tree(tmp_path / "outside", {"precious.txt": MARK.encode(), "deep/x.parquet": MARK.encode()})
    write_tree(tmp_path / "logs", {key(name="9" * 16): [record("new")]})
    return Path(shutil.copytree(made_once, tmp_path / "store"))


def outside(store: Path) -> dict[str, bytes]:
    """Every file that is there besides the store."""
    return {str(path): path.read_bytes() for path in (store.parent / "outside").rglob("*") if path.is_file()}


def change(store: Path, *statements: str) -> None:
    """Change the ledger as whoever handed it over may have done."""
    with duckdb.connect(str(store / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)


def commands(store: Path) -> list[list[str]]:
    """One that reads and one that writes; the others open a store as the first does."""
    return [
        ["query", "SELECT * FROM sources, current_sources", "--store", str(store)],
        ["ingest", str(store.parent / "logs"), "--store", str(store)],
    ]


def refusals(store: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What every command says, none of which may work, touch or tell anything from elsewhere."""
    before = outside(store)
    said = []
    for arguments in commands(store):
        capsys.readouterr()
        code = command_line(arguments)
        told = capsys.readouterr()
        lines = told.err.splitlines()
        assert (code, told.out, len(lines)) == (ExitCode.FAILED, "", 1), (arguments, told)
        assert MARK not in told.err
        assert outside(store) == before
        said.append(lines[0])
    return said


# Links


def link(name: str, target: str) -> Trap:
    """A trap that puts a link in the place of a file or folder of the store."""

    def set_it(store: Path) -> None:
        place = store / name
        if place.is_dir():
            shutil.move(place, store.parent / "outside" / place.name)
        else:
            place.unlink(missing_ok=True)
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(store.parent / target)

    return set_it


def _pipe(store: Path) -> None:
    (store / "lock").unlink()
    os.mkfifo(store / "lock")


LINKS = {
    "staging, which is emptied": link("staging", "outside"),
    "a folder in staging": link("staging/service=sts", "outside"),
    "events": link("events", "outside/events"),
    "a folder in events": link("events/service=sts/more", "outside"),
    "the lock, which is written": link("lock", "outside/precious.txt"),
    "a lock that is not there": link("lock", "outside/made-by-a-lock"),
    "the database": link(DATABASE, "outside/precious.txt"),
    "the log of the database": link(f"{DATABASE}.wal", "outside/precious.txt"),
    "a pipe, which nobody ever writes": _pipe,
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_in_a_store_is_refused_and_leads_nowhere(
    store: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    LINKS[name](store)
    for line in refusals(store, capsys):
        assert "is a link" in line or "neither a file nor a folder" in line or "no store there" in line


def test_a_lock_that_is_a_hard_link_to_a_file_does_not_empty_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store / "lock").unlink()
    (store / "lock").hardlink_to(store.parent / "outside" / "precious.txt")
    for line in refusals(store, capsys):
        assert "is no lock but another file" in line


def test_a_link_to_a_store_is_a_store(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store)
    for arguments in commands(tmp_path / "link"):
        assert command_line(arguments) == ExitCode.OK


def test_two_readers_in_one_process_are_both_confined(store: Path) -> None:
    file = store.parent / "outside" / "precious.txt"
    with open_store(store, catalogue=Catalogue()) as first, open_store(store, catalogue=Catalogue()) as second:
        for opened in (first, second):
            assert len(opened.ask_ad_hoc("SELECT * FROM events")) == 3
            with pytest.raises(QueryError, match="refused"):
                opened.ask_ad_hoc(f"SELECT * FROM read_text('{file}')")


# The ledger


def instead_of(table: str, column: str, source: str) -> Trap:
    """A trap that puts a view in the place of a table; it reads a column from a file elsewhere."""

    def set_it(store: Path) -> None:
        place = str(store.parent / "outside").replace("'", "''")
        expression = source.format(place=place)
        view = f"CREATE VIEW {table} AS SELECT * REPLACE ({expression} AS {column}) FROM aside"
        change(store, f"ALTER TABLE {table} RENAME TO aside", view)

    return set_it


_TEXT = "(SELECT content FROM read_text('{place}/precious.txt'))"
_NAMES = "(SELECT string_agg(file) FROM glob('{place}/*'))"


def _another_view(store: Path) -> None:
    file = store.parent / "outside" / "precious.txt"
    view = f"SELECT * REPLACE ((SELECT content FROM read_text('{file}')) AS uri) FROM sources"
    change(store, "DROP VIEW current_sources", f"CREATE VIEW current_sources AS {view}")


def instead(statement: str) -> Trap:
    """A trap that changes the ledger."""
    return lambda store: change(store, statement)


VIEWS: dict[str, Trap] = {
    "meta": instead_of("meta", "value", _TEXT),
    "sources": instead_of("sources", "uri", _TEXT),
    "parts": instead_of("parts", "path", _NAMES),
    "no table": instead("DROP TABLE archives"),
    "another column": instead("ALTER TABLE runs ADD COLUMN more VARCHAR"),
    "another type": instead("ALTER TABLE sources ALTER size TYPE VARCHAR"),
    "an outcome that is none": instead("UPDATE sources SET outcome = chr(27)"),
    "a number without room for the next": instead("UPDATE sources SET source_id = 9223372036854775807"),
    "a log of no day": instead("UPDATE sources SET day = NULL"),
    "a log of no account": instead("UPDATE sources SET account_id = NULL"),
    "a part after the last day": instead("UPDATE parts SET last_event = 'infinity'"),
    "a digest of nothing": instead("INSERT INTO digests (source_id) VALUES (1)"),
    "a trail described by nothing": instead("INSERT INTO trail_descriptions VALUES (1, 'x', '{')"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_ledger_with_something_else_in_the_place_of_a_table_is_refused(
    store: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    VIEWS[name](store)
    refusals(store, capsys)


def test_a_view_of_the_ledger_that_reads_a_file_elsewhere_gets_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _another_view(store)
    for arguments in [["report", "--store", str(store)], *commands(store)]:
        command_line(arguments)
        told = capsys.readouterr()
        assert MARK not in told.out + told.err
        assert "Traceback" not in told.err


def test_a_macro_that_has_the_name_of_a_function_reads_nothing_elsewhere(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store.parent / "outside" / "precious.txt"
    change(store, f"CREATE MACRO starts_with(a, b) AS (SELECT content = '' FROM read_text('{file}'))")
    change(store, f"CREATE MACRO concat_ws(a, b, c, d) AS (SELECT content FROM read_text('{file}'))")
    for arguments in [["report", "--store", str(store)], *commands(store)]:
        command_line(arguments)
        told = capsys.readouterr()
        assert MARK not in told.out + told.err


PATHS = [
    "'../../outside/deep/x.parquet'",
    "'service=sts/../../../outside/deep/x.parquet'",
    "'*/*/*.parquet'",
    "'a' || chr(0) || '.parquet'",
    "chr(27) || '[31m''); --.parquet'",
    "NULL",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_part_that_the_ledger_has_elsewhere_is_neither_read_nor_moved(
    store: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    change(store, f"UPDATE parts SET path = {path} WHERE path LIKE '%service=sts%'")
    for line in refusals(store, capsys):
        assert line.isprintable()


def test_what_is_left_in_staging_under_the_name_of_such_a_part_is_not_moved_out(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, "UPDATE parts SET path = '../../outside/new.parquet' WHERE path LIKE '%service=sts%'")
    write_tree(store / "staging", {"outside/new.parquet": b"PAR1", "new.parquet": b"PAR1"})
    refusals(store, capsys)


# Parquet


def with_column(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    """Rewrite a part with other values, perhaps of another type, in one column."""
    return lambda rows: rows.set_column(rows.schema.get_field_index(name), name, values)


_TWO_NULLS = pa.nulls(2, pa.string())
_THE_LAST_TIME = pa.array([2**63 - 2] * 2, pa.timestamp("us"))

Change = Callable[[pa.Table], pa.Table | bytes]

REFUSED: dict[str, Change] = {
    "no column is ours": lambda rows: pa.table({"a": [1]}),
    "a time that is none": with_column("event_time", pa.array(["soon"] * 2)),
    "a footer of lies": lambda rows: b"PAR1" + b"\xff" * 200 + b"\xff\xff\xff\x7fPAR1",
    "nothing": lambda rows: b"",
}
"""Nothing can be answered from these."""

ANSWERED: dict[str, Change] = {
    "a column more": lambda rows: rows.append_column('"; DROP TABLE sources; --', pa.array(["x"] * 2)),
    "another order": lambda rows: rows.select(rows.column_names[::-1]),
    "a time as text": with_column("event_time", pa.array(["2026-10-01 12:00:00"] * 2)),
    "an account as a struct": with_column("recipient_account_id", pa.array([{"a": 1}] * 2)),
    "bytes that are no text": with_column("user_agent", pa.array([b"\xff\xfe\x00"] * 2)),
    "a flood of escapes": with_column("user_agent", pa.array(["\x1b]0;x\x07" * 5_000] * 2)),
}
"""These are as good as ours."""

PARTLY_REFUSED: dict[str, Change] = {
    "a column is missing": lambda rows: rows.drop_columns(["user_agent"]),
    "a number that is none": with_column("source_id", pa.array(["one"] * 2)),
    "no account": with_column("recipient_account_id", pa.nulls(2, pa.string())),
    "no name of an operation": with_column("event_name", pa.nulls(2, pa.string())),
    "a time after the last": with_column("event_time", pa.array([2**63 - 2] * 2, pa.timestamp("us"))),
    "a source that is not in the ledger": with_column("source_id", pa.array([2**62] * 2)),
}
"""Who asks for what is wrong is refused."""


def rewrite(store: Path, change_rows: Change) -> None:
    """Hand over other events, with a ledger that agrees."""
    (part,) = (store / "events" / "service=sts").rglob("*.parquet")
    made = change_rows(pq.read_table(part, partitioning=None))
    if isinstance(made, bytes):
        part.write_bytes(made)
    else:
        pq.write_table(made, part)
    name = part.relative_to(store / "events")
    change(store, f"UPDATE parts SET bytes = {part.stat().st_size} WHERE path = '{name}'")


@pytest.mark.parametrize("name", [*REFUSED, *ANSWERED, *PARTLY_REFUSED])
def test_parquet_of_another_shape_is_answered_or_refused_in_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rewrite(store, {**REFUSED, **ANSWERED, **PARTLY_REFUSED}[name])
    ends = []
    for arguments in (["report"], ["callers"], ["query", "SELECT * FROM events"], ["show", "s0"]):
        capsys.readouterr()
        ends.append(command_line([*arguments, "--store", str(store)]))
        assert len(capsys.readouterr().err.splitlines()) == (ends[-1] == ExitCode.FAILED)
    expected = {ExitCode.FAILED} if name in REFUSED else {ExitCode.OK}
    assert set(ends) == expected | ({ExitCode.FAILED} if name in PARTLY_REFUSED else set())


# What the ledger names elsewhere


def _device(folder: Path) -> str:
    return "/dev/zero"


def _pipe_in(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


@pytest.mark.parametrize("place", [_device, _pipe_in])
@pytest.mark.parametrize("column", ["uri", "archive_uri"])
def test_show_reads_no_device_and_no_pipe_that_the_ledger_names_as_a_source(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, place: Callable[[Path], str]
) -> None:
    change(store, f"UPDATE sources SET {column} = '{place(tmp_path)}'")
    assert command_line(["show", "s0", "--store", str(store)]) == ExitCode.OK
    assert "not at its source any more" in capsys.readouterr().out


def test_texts_of_the_ledger_are_shown_so_that_they_do_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "chr(27) || '[31m' || chr(8238) || '<b>' || chr(155) || '|=1'"
    change(store, f"UPDATE sources SET uri = {text}, version = {text}, reason = {text}, detail = {text}")
    change(store, "UPDATE sources SET outcome = 'rejected' WHERE source_id = 2")
    for arguments in [["coverage", "--holes"], *commands(store)]:
        command_line(arguments)
        told = capsys.readouterr()
        assert (told.out + told.err).replace("\n", "").isprintable()
