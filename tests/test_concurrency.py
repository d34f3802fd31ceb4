"""One writer or many readers: the others wait and say for whom, and nothing is lost."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from queue import Empty, Queue

import duckdb
import pyarrow.dataset
import pytest
from trail import key, record, start, trail_file, write_tree

from analyzer.catalogue import Catalogue
from analyzer.errors import ExitCode, StoreBusy
from analyzer.ingest import ingest
from analyzer.lock import store_lock
from analyzer.sources import MemorySource
from analyzer.store import open_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
PATIENCE = 20.0
NOW = datetime(2026, 11, 1)


class Command:
    """The command as a process whose narration can be followed line by line."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "analyzer", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self.narration: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))

    def next_line(self) -> str:
        """The next line on stderr."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            pytest.fail("the command says nothing")
        self.narration.append(line)
        return line

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        code = self.process.wait(PATIENCE)
        self._listener.join()
        while not self._lines.empty():
            self.narration.append(self._lines.get())
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def commands() -> Iterator[list[Command]]:
    """Commands that a test has started; they end with it."""
    started: list[Command] = []
    yield started
    for command in started:
        command.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one event."""
    source = MemorySource({"a.json": trail_file(record("a"))}, {"a.json": "1"})
    Session([source], tmp_path / "store", catalogue=CATALOGUE).ingest(tmp_path / "store")
    return tmp_path / "store"


def event_ids(store: Path) -> list[str]:
    table = pyarrow.dataset.dataset(store / "events", format="parquet", partitioning="hive").to_table()
    return sorted(table.column("event_id").to_pylist())


def test_a_second_ingest_waits_and_says_which_process_holds_the_store(
    store: Path, tmp_path: Path, commands: list[Command]
) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record("a"), record("b")]})
    with open_store(store, write=True, catalogue=CATALOGUE) as held:
        second = Command("ingest", tree, "--store", store)
        commands.append(second)
        assert second.next_line() == (
            f"sts-regions: waiting for process {os.getpid()}, which holds the store; Ctrl-C to give up"
        )
        source = MemorySource({"c.json": trail_file(record("c"), record("b"))}, {"c.json": "1"})
        ingest(held, [source], NOW)
        assert second.process.poll() is None
    assert second.end() == ExitCode.OK
    assert len(second.narration) == 2
    assert "2 records seen: 0 kept, 2 duplicate" in second.narration[-1]
    assert event_ids(store) == ["a", "b", "c"]


def test_a_report_waits_until_an_ingest_has_ended_and_sees_all_of_it(
    store: Path, tmp_path: Path, commands: list[Command]
) -> None:
    with open_store(store, write=True, catalogue=CATALOGUE) as held:
        reader = Command("query", "SELECT event_id FROM events ORDER BY 1", "--store", store, "--output", "csv")
        commands.append(reader)
        assert f"waiting for process {os.getpid()}" in reader.next_line()
        source = MemorySource({"c.json": trail_file(record("c"))}, {"c.json": "1"})
        ingest(held, [source], NOW)
    assert reader.end() == ExitCode.OK
    assert reader.process.stdout is not None
    assert reader.process.stdout.read() == "event_id\na\nc\n"


def test_readers_do_not_wait_for_one_another(store: Path) -> None:
    with open_store(store, catalogue=CATALOGUE), open_store(store, catalogue=CATALOGUE):
        done = start("report", "--store", store, "--output", "csv")
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")


def test_an_ingest_waits_for_a_reader_and_blames_no_process_that_is_gone(
    store: Path, tmp_path: Path, commands: list[Command]
) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record("b")]})
    first = Command("ingest", tree, "--store", store)
    commands.append(first)
    assert first.end() == ExitCode.OK
    with open_store(store, catalogue=CATALOGUE):
        write_tree(tree, {key(name="c" * 16): [record("c")]})
        writer = Command("ingest", tree, "--store", store)
        commands.append(writer)
        line = writer.next_line()
        assert line.startswith("sts-regions: waiting for ")
        assert str(first.process.pid) not in re.findall(r"\d+", line)
    assert writer.end() == ExitCode.OK
    assert event_ids(store) == ["a", "b", "c"]


def test_ingests_that_make_one_store_together_lose_nothing(tmp_path: Path, commands: list[Command]) -> None:
    store = tmp_path / "store"
    for part in range(3):
        files = {key(name=f"{part}{n:015}"): [record(f"p{part}-{n}"), record(f"shared-{n}")] for n in range(20)}
        write_tree(tmp_path / f"logs-{part}", files)
        commands.append(Command("ingest", tmp_path / f"logs-{part}", "--store", store))
    assert [command.end() for command in commands] == [ExitCode.OK] * 3
    wanted = [f"p{part}-{n}" for part in range(3) for n in range(20)] + [f"shared-{n}" for n in range(20)]
    assert event_ids(store) == sorted(wanted)
    with duckdb.connect(str(store / "sts-regions.duckdb"), read_only=True) as connection:
        sums = connection.execute("SELECT count(*), sum(seen), sum(kept), sum(duplicate) FROM sources").fetchall()
        runs = connection.execute("SELECT count(*), count(finished_at) FROM runs").fetchall()
    assert sums == [(60, 120, 80, 40)]
    assert runs == [(3, 3)]


def test_the_same_tree_ingested_twice_at_once_is_read_once(tmp_path: Path, commands: list[Command]) -> None:
    store = tmp_path / "store"
    tree = write_tree(tmp_path / "logs", {key(name=f"{n:016}"): [record(f"e{n}")] for n in range(20)})
    commands.extend(Command("ingest", tree, "--store", store) for _ in range(2))
    assert [command.end() for command in commands] == [ExitCode.OK] * 2
    lines = sorted(command.narration[-1] for command in commands)
    assert "20 files seen: 0 ingested, 20 unchanged and not read again" in lines[0]
    assert "20 files seen: 20 ingested; 20 records seen: 20 kept" in lines[1]
    assert len(event_ids(store)) == 20


def test_ctrl_c_gives_up_waiting(store: Path, commands: list[Command]) -> None:
    with open_store(store, write=True, catalogue=CATALOGUE):
        waiting = Command("report", "--store", store)
        commands.append(waiting)
        waiting.next_line()
        waiting.process.send_signal(signal.SIGINT)
        assert waiting.end() == ExitCode.INTERRUPTED
    assert len(waiting.narration) == 2
    assert waiting.narration[-1].startswith("sts-regions: interrupted; ")


def test_a_killed_process_holds_nothing(store: Path, tmp_path: Path, commands: list[Command]) -> None:
    held = tmp_path / "held"
    script = (
        "import sys, time; from pathlib import Path; from analyzer.lock import store_lock\n"
        f"with store_lock(Path({str(store / 'lock')!r}), write=True, on_wait=print):\n"
        f"    Path({str(held)!r}).touch(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as holder:
        while not held.exists():
            time.sleep(0.01)
        waiting = Command("report", "--store", store)
        commands.append(waiting)
        assert f"process {holder.pid}" in waiting.next_line()
        holder.kill()
    assert waiting.end() == ExitCode.OK


def test_a_reader_of_a_crashed_store_waits_for_the_ingest_that_mends_it(
    store: Path, commands: list[Command]
) -> None:
    orphan = store / "staging" / "service=sts" / "event_month=2026-10" / "000009-000000009.parquet"
    with open_store(store, write=True, catalogue=CATALOGUE):
        orphan.parent.mkdir(parents=True, exist_ok=True)
        orphan.write_bytes(b"half")
        reader = Command("report", "--store", store, "--output", "csv")
        commands.append(reader)
        assert f"process {os.getpid()}" in reader.next_line()
        assert orphan.exists()
    assert reader.end() == ExitCode.OK
    assert not orphan.exists()


def test_the_lock_names_its_holder_once_however_long_the_wait(store: Path) -> None:
    told: list[str] = []
    lock = store / "lock"
    released = threading.Event()

    def wait() -> None:
        with store_lock(lock, write=False, on_wait=told.append):
            assert released.is_set()

    with store_lock(lock, write=True, on_wait=told.append):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        released.set()
    waiting.join()
    assert told == [f"process {os.getpid()}"]


def test_a_lock_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "lock"
    with (
        pytest.raises(StoreBusy, match=re.escape(str(path))),
        store_lock(path, write=True, on_wait=lambda _: None),
    ):
        pass


def test_a_store_whose_lock_file_was_left_behind_when_it_was_copied_can_be_read(store: Path) -> None:
    (store / "lock").unlink()
    done = start("report", "--store", store, "--output", "csv")
    assert done.returncode == ExitCode.OK, done.stderr
