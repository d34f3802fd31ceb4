"""Where a store lies: the checks before anything is touched, its folders, and its DuckDB file."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from analyzer.duckdb_errors import interruptible
from analyzer.errors import StoreError
from analyzer.ledger import schema_statements
from analyzer.parts import sync_file
from analyzer.sandbox import confine
from analyzer.store_failures import failed

DATABASE = "sts-regions.duckdb"
FORMAT = "3"
REPLACED = "replaced.txt"
"""In `staging/`: the parts, a path a line, that others are about to replace, or have replaced."""
_MEGABYTE = 1_000_000
_READING_MEMORY = 3000 * _MEGABYTE
_WRITING_MEMORY = 1500 * _MEGABYTE
"""Most that DuckDB takes, in bytes: for a report over fifty million events, and beside what an ingest decodes.

With less it goes on, on disk and several times slower.
"""
_GLOB_CHARACTER = re.compile(r"[*?\[]")
_OWN_NAMES = frozenset({"events", "staging", "lock", DATABASE, f"{DATABASE}.new", f"{DATABASE}.new.wal"})


def check_place(path: Path) -> None:
    """Raise StoreError unless a store may be here."""
    if _GLOB_CHARACTER.search(str(path)):
        raise StoreError(f"{path}: DuckDB takes *, ? and [ in a path for a pattern; choose another place")
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path}: is a file; name a directory for the store")
    if path.is_dir() and not (path / DATABASE).exists():
        strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _OWN_NAMES)
        if strangers:
            raise StoreError(f"{path}: holds other things ({strangers[0]}); name a new or empty directory")


def check_presence(path: Path) -> None:
    """Raise StoreError unless there is something to open."""
    if not (path / DATABASE).is_file():
        raise StoreError(f"{path}: no store there; make one with 'sts-regions ingest SOURCE --store {path}'")


def make_folders(path: Path) -> None:
    """Make the folders of a store, for the owner alone. Raises StoreError when that cannot be done."""
    is_new = not (path / DATABASE).exists()
    try:
        for folder in (path, path / "events", path / "staging"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_new:
                # It may have been there, open to others, and DuckDB's own files in it are as the umask has them.
                with suppress(PermissionError):  # somebody else's, who has let this user write to it
                    folder.chmod(0o700)
    except OSError as error:
        raise StoreError(f"{path}: cannot be created ({error.strerror}); choose another place") from None


def create_ledger(path: Path) -> None:
    """Make the ledger aside and move it into place, so that a half-made one is never opened."""
    new = path / f"{DATABASE}.new"
    for leftover in (new, path / f"{DATABASE}.new.wal"):
        leftover.unlink(missing_ok=True)
    try:
        with interruptible(), duckdb.connect(str(new)) as connection:
            connection.execute(schema_statements())
            connection.execute("INSERT INTO meta VALUES ('format', ?)", [FORMAT])
            # Closing would do the same, but says nothing when it cannot: on a full disk, say.
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise failed(path, error, "DuckDB cannot write there ({}); choose another place") from None
    new.chmod(0o600)
    new.rename(path / DATABASE)
    sync_file(path)
    if os.access(path.parent, os.R_OK):
        sync_file(path.parent)


@contextmanager
def connected(path: Path, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger's connection, closed in the end.

    Raises StoreError when DuckDB cannot open the file or fails later, MemoryError when memory was short.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{_memory_limit(write) // _MEGABYTE}MB",
        "temp_directory": str(path / "staging" / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
        # A report scans the parts several times; an ingest reads them once and would only grow with the store.
        "enable_external_file_cache": not write,
    }
    try:
        connection = duckdb.connect(str(path / DATABASE), read_only=not write, config=config)
    except duckdb.Error as error:
        hint = "DuckDB cannot open it ({}); if no other program holds it, make a new store from the logs"
        raise failed(path / DATABASE, error, hint) from None
    try:
        with interruptible():
            confine(connection, path / "events", path / "staging")
        yield connection
    except duckdb.Error as error:
        raise failed(path, error, "the store is damaged ({}); make a new store from the logs") from None
    finally:
        connection.close()


def _memory_limit(write: bool) -> int:
    """Bytes for DuckDB: never more than half of what the machine has."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(_WRITING_MEMORY if write else _READING_MEMORY, machine // 2)


def has_unfinished_commit(path: Path) -> bool:
    """Whether a crash has left parts that `Store` has to move or to delete."""
    try:
        found = (path / "staging").rglob("*")
        return any(entry.suffix == ".parquet" or entry.name == REPLACED for entry in found)
    except OSError:
        return False
