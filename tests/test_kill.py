"""Killed or interrupted at any moment, the store stays whole, and running again ends in the same content.

A fork server starts the runs: each is a process of its own that can be killed, without the second that a
fresh interpreter needs to load everything.
"""

import functools
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow.dataset
import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, trail_file, write_tree

from analyzer.catalogue import Catalogue
from analyzer.errors import ExitCode
from analyzer.store import Store, open_store

CATALOGUE = Catalogue()
COMMIT_FILES = 40
KILLED = -signal.SIGKILL


def serve() -> None:
    """Read commands, one a line with tabs between the words; fork for each, say its pid and how it ended."""
    import analyzer.ingest
    import analyzer.report
    import analyzer.workflow
    from analyzer.cli import command_line

    limited = functools.partial(analyzer.ingest.IngestOptions, commit_files=COMMIT_FILES, threads=2)
    analyzer.ingest.IngestOptions = limited  # type: ignore[assignment, misc]
    while line := sys.stdin.readline():
        fault, stderr, *command = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
            if fault:
                _kill_inside(fault)
            os._exit(command_line(command))
        print(pid, flush=True)
        sys.stdin.readline()  # Reaped only when asked for: until then nobody else gets this pid.
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _kill_inside(fault: str) -> None:
    """Make a method of Store its process's last: `_publish:3` dies when it is called the third time."""
    name, _, at = fault.partition(":")
    original, calls = getattr(Store, name), 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(Store, name, call)


class Run:
    """One run of the command in a process of its own."""

    def __init__(self, requests: IO[str], replies: IO[str], stderr: Path) -> None:
        self._requests, self._replies = requests, replies
        self._stderr = stderr
        self.pid = int(replies.readline())

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; to a run that has ended it does nothing."""
        os.kill(self.pid, how)

    def wait(self) -> int:
        """The exit code, or minus the signal that ended it."""
        self._requests.write("\n")
        self._requests.flush()
        return int(self._replies.readline())

    @property
    def narration(self) -> list[str]:
        return self._stderr.read_text().splitlines()


class Server:
    """Starts runs."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._stderr = folder / "stderr"

    def start(self, *command: str | Path, fault: str = "") -> Run:
        self._input.write("\t".join([fault, str(self._stderr), *map(str, command)]) + "\n")
        self._input.flush()
        return Run(self._input, self._output, self._stderr)

    def run(self, *command: str | Path, fault: str = "") -> int:
        return self.start(*command, fault=fault).wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import test_kill; test_kill.serve()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Server(process, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred small log files of overlapping trails, with broken ones and an archive among them."""
    chance = random.Random(1)
    files: dict[str, Any] = {}
    for n in range(300):
        name = key(chance.choice([ACCOUNT, OTHER_ACCOUNT]), name=f"{n:016}")
        source = chance.choice(["sts.amazonaws.com", "ec2.amazonaws.com"])
        month = chance.choice(["2026-10", "2026-11"])
        files[f"{n % 7}/{name}"] = [
            record(f"e{chance.randrange(500)}", eventSource=source, eventTime=f"{month}-01T00:00:00Z")
            for _ in range(2)
        ] + [record(eventID=None, userAgent=str(chance.randrange(50)))]
    files["3/broken.json.gz"] = b"\x1f\x8bbroken"
    files["5/empty.json"] = b""
    files["README"] = b"no log"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(50):
            archive.writestr(f"{n}.json", trail_file(record(f"z{n}"), record(f"e{n}")))
    files["4/archive.zip"] = buffer.getvalue()
    return write_tree(tmp_path_factory.mktemp("tree"), files)


def stored(store: Path) -> list[Record]:
    """All rows without their source, in an order of their own."""
    if not any((store / "events").rglob("*.parquet")):
        return []
    table = pyarrow.dataset.dataset(store / "events", format="parquet", partitioning="hive").to_table()
    rows: list[Record] = table.drop_columns(["source_id"]).sort_by("event_id").to_pylist()
    return rows


def outcomes(store: Path) -> list[tuple[Any, ...]]:
    """Where every document stands. What was kept of an archive's members depends on where it was cut."""
    with duckdb.connect(str(store / "sts-regions.duckdb"), read_only=True) as connection:
        return connection.execute(
            "SELECT uri, outcome, reason, size, version, sha256, seen, kept + duplicate, "
            "CASE WHEN archive_uri IS NULL THEN kept END FROM current_sources ORDER BY uri"
        ).fetchall()


def check_whole(store: Path) -> int:
    """The store can be read, and holds exactly what its ledger says. Returns the number of its events."""
    if not (store / "sts-regions.duckdb").exists():  # killed before there was one
        return 0
    with open_store(store, catalogue=CATALOGUE) as opened:
        kept = opened.balance().records.kept
        asked = opened.ask("usage", {"since": "2026-01-01", "until": "2027-01-01"})
    rows = stored(store)
    assert len({row["event_id"] for row in rows}) == len(rows) == kept
    assert sum(asked.column("calls").to_pylist()) == sum(r["service"] == "sts" for r in rows)
    assert list((store / "staging").rglob("*.parquet")) == []
    return kept


class Undisturbed:
    """What a run that nobody disturbs leaves behind, and how many seconds it takes."""

    def __init__(self, server: Server, tree: Path, store: Path) -> None:
        began = time.monotonic()
        assert server.run("ingest", tree, "--store", store) == ExitCode.INPUT_REJECTED
        self.seconds = time.monotonic() - began
        self.store = store
        self.events = stored(store)
        self.outcomes = outcomes(store)

    def check_same(self, store: Path) -> None:
        assert stored(store) == self.events
        assert outcomes(store) == self.outcomes
        with duckdb.connect(str(store / "sts-regions.duckdb"), read_only=True) as connection:
            counted = connection.execute("SELECT count(*), count(DISTINCT event_id) FROM events").fetchall()
        assert counted == [(len(self.events), len(self.events))]


@pytest.fixture(scope="module")
def undisturbed(server: Server, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(server, tree, tmp_path_factory.mktemp("undisturbed") / "store")


def test_the_tree_makes_many_commits(undisturbed: Undisturbed) -> None:
    assert len(undisturbed.events) > 350
    assert len(list((undisturbed.store / "events" / "service=sts").rglob("*.parquet"))) > 12


@pytest.mark.parametrize("seed", range(3))
def test_a_store_whose_ingest_is_killed_again_and_again_ends_in_the_same_content(
    server: Server, tree: Path, undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    store = tmp_path / "store"
    kept = 0
    # Five kills, each at a moment of its own fifth of the time that a whole run takes.
    for part in chance.sample(range(5), 5):
        ingest = server.start("ingest", tree, "--store", store)
        time.sleep(undisturbed.seconds * (part + chance.random()) / 5)
        ingest.kill()
        assert ingest.wait() in (KILLED, ExitCode.INPUT_REJECTED)
        before, kept = kept, check_whole(store)
        assert kept >= before
    assert server.run("ingest", tree, "--store", store) == ExitCode.INPUT_REJECTED
    check_whole(store)
    undisturbed.check_same(store)


@pytest.mark.parametrize(
    "fault",
    [
        "begin_run:1",
        "_stage:1",
        "_transaction:2",
        "_publish:2",
        "_publish:9",
        "_offer_relations:7",
        "end_run:1",
        "offer_views:1",
    ],
)
def test_killed_between_two_steps_of_a_commit_it_goes_on_from_there(
    server: Server, tree: Path, undisturbed: Undisturbed, tmp_path: Path, fault: str
) -> None:
    store = tmp_path / "store"
    assert server.run("ingest", tree, "--store", store, fault=fault) == KILLED
    check_whole(store)
    assert server.run("ingest", tree, "--store", store) == ExitCode.INPUT_REJECTED
    undisturbed.check_same(store)


@pytest.mark.parametrize("fault", ["_recover:1", "_publish:1"])
def test_a_recovery_that_is_killed_is_taken_up_by_the_next_command(
    server: Server, tree: Path, undisturbed: Undisturbed, tmp_path: Path, fault: str
) -> None:
    store = tmp_path / "store"
    assert server.run("ingest", tree, "--store", store, fault="_publish:6") == KILLED
    assert server.run("report", "--store", store, "--out", tmp_path / "report.json", fault=fault) == KILLED
    assert not (tmp_path / "report.json").exists()
    check_whole(store)
    assert server.run("ingest", tree, "--store", store) == ExitCode.INPUT_REJECTED
    undisturbed.check_same(store)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (["compact"], "_stage_merged:2"),
        (["compact"], "_drop_replaced:1"),
        (["prune", "--before", "2026-11-01"], "_drop_replaced:1"),
        (["prune", "--before", "2026-11-01"], "end_run:1"),
    ],
)
def test_killed_while_it_replaces_parts_the_store_is_as_before_or_as_after(
    server: Server, undisturbed: Undisturbed, tmp_path: Path, command: list[str], fault: str
) -> None:
    store, out = Path(shutil.copytree(undisturbed.store, tmp_path / "store")), tmp_path / "answer.json"
    november = [row for row in undisturbed.events if row["event_month"] == "2026-11"]
    after = november if "prune" in command else undisturbed.events
    assert server.run("store", *command, "--store", store, "--out", out, fault=fault) == KILLED
    check_whole(store)
    assert stored(store) in (undisturbed.events, after)
    assert server.run("store", *command, "--store", store, "--out", out) == ExitCode.OK
    assert stored(store) == after
    assert server.run("store", "check", "--store", store, "--out", out) == ExitCode.OK


def test_a_report_after_a_kill_needs_no_mending_by_hand(server: Server, tree: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "report.json"
    assert server.run("ingest", tree, "--store", store, fault="_publish:6") == KILLED
    assert server.run("report", "--store", store, "--out", out) == ExitCode.OK
    assert out.stat().st_size > 0


def test_ad_hoc_sql_sees_its_tables_after_a_kill(server: Server, tree: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "usage.json"
    assert server.run("ingest", tree, "--store", store, fault="_publish:6") == KILLED
    for table in ("events", "classify", "usage", "sources", "current_sources"):
        assert server.run("query", f"SELECT * FROM {table}", "--store", store, "--out", out) == ExitCode.OK, table


def test_ctrl_c_during_an_ingest_ends_in_one_line_and_a_rerun_goes_on(
    server: Server, tree: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    ingest = server.start("ingest", tree, "--store", store)
    while not any((store / "events").rglob("*.parquet")):
        time.sleep(0.002)
    ingest.kill(signal.SIGINT)
    assert ingest.wait() == ExitCode.INTERRUPTED
    assert ingest.narration[-1] == (
        "sts-regions: interrupted; what was committed is kept, and the same command goes on from there"
    )
    assert not [line for line in ingest.narration if "Traceback" in line]
    assert 0 < check_whole(store) < len(undisturbed.events)
    again = server.start("ingest", tree, "--store", store)
    assert again.wait() == ExitCode.INPUT_REJECTED
    assert "unchanged and not read again" in again.narration[-1]
    undisturbed.check_same(store)


def test_ctrl_c_at_any_moment_gives_exit_code_130_and_a_readable_store(
    server: Server, tree: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    chance = random.Random(9)
    store = tmp_path / "store"
    for part in range(1, 6):
        ingest = server.start("ingest", tree, "--store", store)
        time.sleep(undisturbed.seconds * (part + chance.random()) / 10)
        ingest.kill(signal.SIGINT)
        assert ingest.wait() in (ExitCode.INTERRUPTED, ExitCode.INPUT_REJECTED), "\n".join(ingest.narration)
        assert not [line for line in ingest.narration if "Traceback" in line]
        check_whole(store)
    assert server.run("ingest", tree, "--store", store) == ExitCode.INPUT_REJECTED
    undisturbed.check_same(store)


def test_ctrl_c_during_a_long_query_gives_exit_code_130(server: Server, tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"a.json": [record()]})
    assert server.run("ingest", tmp_path / "logs", "--store", tmp_path / "store") == ExitCode.OK
    sql = "SELECT count(*) FROM range(800000000) AS t (i) WHERE i * i % 7 = 3"
    query = server.start("query", sql, "--store", tmp_path / "store", "--out", tmp_path / "answer.csv")
    time.sleep(0.5)
    query.kill(signal.SIGINT)
    assert query.wait() == ExitCode.INTERRUPTED, "\n".join(query.narration)
    assert len(query.narration) == 1


def test_ctrl_c_while_standard_input_says_nothing_gives_exit_code_130(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "ingest", "-", "--store", str(store)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            while not (store / "sts-regions.duckdb").exists():
                time.sleep(0.02)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
        assert process.stderr is not None
        narration = process.stderr.read()
    assert code == ExitCode.INTERRUPTED
    assert narration.startswith(b"sts-regions: interrupted; ")
    assert narration.count(b"\n") == 1
    check_whole(store)
