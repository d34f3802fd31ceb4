"""Killed, starved or lied to at any moment, the store stays whole, and running again ends in the same content.

The short form of the campaign in `soak/faults.py`: every kind of fault, at moments that are known to be hard.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disturbance import Deed, Fault, Point
from forked_runs import Server
from soak import faults
from soak.faults import Blow, Campaign, Contents, Kind, check_whole
from trail import record, write_tree

from analyzer.errors import ExitCode

KILLED = -signal.SIGKILL
MIB = 1024 * 1024
PATIENCE = 60.0
INTERRUPTED = "sts-regions: interrupted; what was committed is kept, and the same command goes on from there"
UNFINISHED = Fault(Deed.KILL, Point.PUBLISH, 6)
"""Leaves parts that are committed and not yet moved."""


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with faults.campaign() as made:
        yield made


@pytest.fixture
def server(campaign: Campaign) -> Server:
    return campaign.server


@pytest.fixture
def tree(campaign: Campaign) -> Path:
    return campaign.tree.folder


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def killed(point: Point, nth: int = 1) -> Blow:
    return Blow(Kind.KILLED, Fault(Deed.KILL, point, nth))


def power_loss(point: Point, nth: int = 1) -> Blow:
    return Blow(Kind.POWER_LOSS, Fault(Deed.KILL, point, nth, journal="journal"))


CHAINS = {
    "killed between any two steps of a commit": [
        killed(Point.CREATE),
        killed(Point.INSERT),
        killed(Point.STAGE, 2),
        killed(Point.SYNC_FILE, 2),
        killed(Point.BEGIN),
        killed(Point.COMMIT),
        killed(Point.COMMITTED),
        killed(Point.PUBLISH, 6),
        killed(Point.PUBLISHED, 5),
        killed(Point.CLOSE),
    ],
    "a recovery that is killed itself": [
        killed(Point.COMMITTED, 4),
        killed(Point.PUBLISH),
        killed(Point.SYNC_FOLDER),
        Blow(Kind.KILLED_INSIDE, Fault(Deed.KILL_SOON, Point.COMMIT, 1, delay=0.001)),
    ],
    "signals": [
        Blow(Kind.TERMINATED, Fault(Deed.TERMINATE, Point.PUBLISH, 3)),
        Blow(Kind.INTERRUPTED, Fault(Deed.INTERRUPT, Point.STAGE, 2)),
        Blow(Kind.TERMINATED_BY_CLOCK, delay=0.2),
        Blow(Kind.KILLED_BY_CLOCK, delay=0.2),
    ],
    "limits": [
        Blow(Kind.FILE_TOO_LARGE, Fault(file_size=300_000)),
        killed(Point.PUBLISH, 3),
        Blow(Kind.FILE_TOO_LARGE, Fault(file_size=8_000)),
        Blow(Kind.OUT_OF_MEMORY, Fault(memory=80 * MIB)),
        Blow(Kind.OUT_OF_MEMORY, memory=600 * MIB),
    ],
    "files that cannot be read now": [
        Blow(Kind.UNREADABLE, Fault(Deed.FAIL, Point.READ_ARCHIVE, 3)),
        Blow(Kind.UNREADABLE, Fault(Deed.FAIL, Point.OPEN_ARCHIVE, 1)),
        Blow(Kind.TRUNCATED, Fault(Deed.TRUNCATE, Point.READ_ARCHIVE, 1)),
        Blow(Kind.UNREADABLE, Fault(Deed.FAIL, Point.LIST, 30)),
        Blow(Kind.VANISHED, Fault(Deed.VANISH, Point.OPEN_ARCHIVE, 1)),
        Blow(Kind.SHORT_READS, Fault(Deed.SHORT, Point.READ_ARCHIVE, 1)),
    ],
    "a disk that does not keep what it is given": [
        power_loss(Point.CREATED),
        power_loss(Point.COMMITTED),
        power_loss(Point.PUBLISHED, 3),
        Blow(Kind.SYNC_FAILS, Fault(Deed.FAIL, Point.SYNC_FILE, 2)),
        Blow(Kind.SYNC_FAILS, Fault(Deed.FAIL, Point.SYNC_FOLDER, 9)),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_store_is_whole_after_each_fault_and_ends_as_if_nobody_had_disturbed(
    campaign: Campaign, name: str
) -> None:
    before = campaign.unmet.total()
    campaign.carry_out(CHAINS[name])
    assert campaign.unmet.total() == before


@pytest.mark.parametrize("share", [0.15, 0.35])
def test_a_full_disk_is_named_and_hurts_nothing(campaign: Campaign, share: float) -> None:
    if not campaign.disks.can_mount:
        pytest.skip("this process may not mount a small disk")
    campaign.carry_out([Blow(Kind.FULL_DISK, disk=int(campaign.size * share))])


def test_a_campaign_plans_every_kind_of_fault_and_its_seed_repeats_it(campaign: Campaign) -> None:
    planned = [campaign.plan(seed, list(Kind)) for seed in range(200)]
    assert planned == [campaign.plan(seed, list(Kind)) for seed in range(200)]
    impossible = set() if campaign.disks.can_mount else {Kind.FULL_DISK}
    assert {blow.kind for blows in planned for blow in blows} == set(Kind) - impossible


def test_the_campaign_sees_an_orphan(campaign: Campaign, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "place" / "store"
    assert campaign.server.run("ingest", tree, "--store", store) == campaign.code
    part = next((store / "events").rglob("*.parquet"))
    (part.parent / "orphan.parquet").write_bytes(part.read_bytes())
    with pytest.raises(faults.Damage, match="does not know"):
        check_whole(store)


def test_a_recovery_by_a_report_that_is_killed_is_taken_up_by_the_next_command(
    campaign: Campaign, server: Server, tree: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "place" / "store", tmp_path / "report.json"
    assert server.run("ingest", tree, "--store", store, fault=UNFINISHED) == KILLED
    for point in (Point.STATEMENT, Point.PUBLISH):
        assert server.run("report", "--store", store, "--out", out, fault=Fault(Deed.KILL, point)) == KILLED
        assert not out.exists()
        check_whole(store)
    assert server.run("ingest", tree, "--store", store) == campaign.code
    assert Contents.of(store).differences(campaign.undisturbed) == []


@pytest.mark.parametrize(
    ("command", "point", "nth"),
    [
        (["compact"], Point.SYNC_FILE, 2),
        (["compact"], Point.PUBLISH, 2),
        (["compact"], Point.CLEAR, 1),
        (["prune", "--before", "2026-11-01"], Point.COMMIT, 2),
        (["prune", "--before", "2026-11-01"], Point.CLEAR, 1),
    ],
)
def test_killed_while_it_replaces_parts_the_store_is_as_before_or_as_after(
    campaign: Campaign, server: Server, tree: Path, tmp_path: Path, command: list[str], point: Point, nth: int
) -> None:
    store, out = tmp_path / "place" / "store", tmp_path / "answer.json"
    assert server.run("ingest", tree, "--store", store) == campaign.code
    before = campaign.undisturbed.events
    after = [row for row in before if "prune" not in command or row["event_month"] == "2026-11"]
    replaces: list[str | Path] = ["store", *command, "--store", store, "--out", out]
    assert server.run(*replaces, fault=Fault(Deed.KILL, point, nth)) == KILLED
    assert check_whole(store) in (len(before), len(after))
    assert server.run(*replaces) == ExitCode.OK
    assert faults.rows_of(store) == after
    assert server.run("store", "check", "--store", store, "--out", out) == ExitCode.OK


def test_other_commands_need_no_mending_by_hand_after_a_kill(server: Server, tree: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "report.json"
    assert server.run("ingest", tree, "--store", store, fault=UNFINISHED) == KILLED
    sql = "SELECT count(*) FROM events, classify, usage, sources, current_sources"
    assert server.run("query", sql, "--store", store, "--out", tmp_path / "count.csv") == ExitCode.OK
    assert server.run("report", "--store", store, "--out", out) == ExitCode.OK
    assert out.stat().st_size > 0


def test_ctrl_c_during_an_ingest_ends_in_one_line_and_a_rerun_goes_on(
    campaign: Campaign, server: Server, tree: Path, tmp_path: Path
) -> None:
    store = tmp_path / "place" / "store"
    ingest = server.start("ingest", tree, "--store", store, fault=Fault(Deed.INTERRUPT, Point.PUBLISHED, 4))
    assert ingest.wait() == ExitCode.INTERRUPTED
    assert ingest.narration[-1] == INTERRUPTED
    assert 0 < check_whole(store) < len(campaign.undisturbed.events)
    again = server.start("ingest", tree, "--store", store)
    assert again.wait() == campaign.code
    assert "unchanged and not read again" in again.narration[-1]
    assert Contents.of(store).differences(campaign.undisturbed) == []


def test_ctrl_c_during_a_long_query_gives_exit_code_130(server: Server, tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"a.json": [record()]})
    assert server.run("ingest", tmp_path / "logs", "--store", tmp_path / "store") == ExitCode.OK

    def query(sql: str, fault: Fault | None = None) -> tuple[int, list[str], int]:
        run = server.start(
            "query", sql, "--store", tmp_path / "store", "--out", tmp_path / "answer.csv", fault=fault
        )
        return run.wait(), run.narration, sum(Point.STATEMENT in point for point in run.points)

    *_, statements = query("SELECT 1")
    code, narration, _ = query(
        "SELECT count(*) FROM range(300000000) AS t (i) WHERE i * i % 7 = 3",
        Fault(Deed.INTERRUPT_SOON, Point.STATEMENT, statements, delay=0.2),
    )
    assert (code, narration) == (ExitCode.INTERRUPTED, [INTERRUPTED])


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_while_standard_input_says_nothing_ends_the_command_and_leaves_nothing_behind(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "analyze", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        # A suite that runs in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            wait_for(lambda: any(tmp_path.rglob("sts-regions.duckdb.wal")))
            process.send_signal(how)
            ended = process.wait(PATIENCE)
        finally:
            process.kill()
        assert process.stderr is not None
        narration = process.stderr.read().decode().splitlines()
    assert (ended, narration) == (code, [INTERRUPTED])
    assert list(tmp_path.iterdir()) == []
