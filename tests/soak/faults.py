"""A campaign against the store: ingests are killed, starved and lied to, and the store has to stay whole.

    python -m soak.faults --seconds 300 --seed 1

Each chain of faults begins with no store, disturbs one ingest after the other at moments that its seed chooses,
looks at what is left after each, lets a last ingest finish, and compares with a store that nobody disturbed.
"""

import argparse
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
from digest_chain import DigestChain
from disturbance import FIRED, Deed, Fault, Journal, Point
from forked_runs import Run, Server, fork_server
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, trail_file, write_tree

from analyzer.catalogue import Catalogue
from analyzer.errors import ExitCode, StoreError
from analyzer.report import Question, build_report
from analyzer.store import open_store
from analyzer.store_place import REPLACED
from analyzer.verdicts import Policy

CATALOGUE = Catalogue()
DATABASE = "sts-regions.duckdb"
COMMIT_FILES = 12
_MIB = 1024 * 1024
_CHECKOUT = Path(__file__).parents[2]

PHASES = {
    "opening": [Point.CONNECT, Point.CREATE, Point.CREATED],
    "listing": [Point.LIST],
    "reading": [Point.OPEN, Point.READ, Point.DECODE],
    "digests": [Point.OPEN_DIGEST, Point.READ_DIGEST],
    "archives": [Point.OPEN_ARCHIVE, Point.READ_ARCHIVE, Point.MEMBER],
    "staging": [Point.STAGE, Point.FOLDER],
    "syncing": [Point.SYNC_FILE, Point.SYNC_FOLDER],
    "ledger": [Point.STATEMENT],
    "transaction": [Point.BEGIN, Point.INSERT, Point.COMMIT],
    "publishing": [Point.COMMITTED, Point.PUBLISH, Point.PUBLISHED],
    "closing": [Point.CLOSE],
}
RECOVERY = "recovery"
"""The phase of whatever happens to a run before it begins its own work, when the last one left staged parts."""
ANYWHERE = "anywhere"
"""The phase of a limit on the whole process, and of a moment that the clock chose."""

_RECOVERY_POINTS = [Point.PUBLISH, Point.PUBLISHED, Point.SYNC_FOLDER, Point.CLEAR, Point.STATEMENT]
_OPENINGS = [Point.OPEN, Point.OPEN_DIGEST, Point.OPEN_ARCHIVE]
_READS = [Point.READ, Point.READ_DIGEST, Point.READ_ARCHIVE]


class Kind(StrEnum):
    """What is done to an ingest."""

    KILLED = "SIGKILL between two calls"
    KILLED_INSIDE = "killed inside a call"
    KILLED_BY_CLOCK = "SIGKILL by the clock"
    TERMINATED = "SIGTERM"
    TERMINATED_BY_CLOCK = "SIGTERM by the clock"
    INTERRUPTED = "SIGINT"
    OUT_OF_MEMORY = "out of memory (ulimit -v)"
    FILE_TOO_LARGE = "file size limit (ulimit -f)"
    FULL_DISK = "full disk (tmpfs)"
    UNREADABLE = "read error"
    VANISHED = "file vanishes before it is read"
    TRUNCATED = "file is cut while it is read"
    SHORT_READS = "short reads"
    SYNC_FAILS = "fsync fails"
    POWER_LOSS = "power loss (what was not synced is gone)"


_AT_ANY_POINT = {Kind.KILLED, Kind.KILLED_INSIDE, Kind.TERMINATED, Kind.POWER_LOSS}
_FAULTS_OF_INPUT = {Kind.UNREADABLE, Kind.VANISHED, Kind.TRUNCATED, Kind.SHORT_READS}
_DEATHS_BY_ALLOCATOR = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGKILL, -signal.SIGTRAP, 127}


class Damage(AssertionError):
    """A promise of the product was not kept."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of a chain."""

    kind: Kind
    fault: Fault = field(default_factory=Fault)
    delay: float = 0.0
    """Seconds after which the clock strikes, for a process that loads everything afresh."""
    disk: int = 0
    """Size in bytes of the disk that gets full."""
    memory: int = 0
    """Bytes of address space for a process that loads everything afresh."""

    def __str__(self) -> str:
        numbers = {"delay": round(self.delay, 3), "disk": self.disk, "memory": self.memory}
        rest = "".join(f" {name}={value}" for name, value in numbers.items() if value)
        return f"{self.kind}: {self.fault}{rest}"


def make_tree(folder: Path) -> Path:
    """Small log files of two accounts, two months and overlapping trails, digests, archives and broken files."""
    chance = random.Random(1)
    files: dict[str, Any] = {}
    for n in range(40):
        name = key(chance.choice([ACCOUNT, OTHER_ACCOUNT]), name=f"{n:016}")
        files[f"{n % 4}/{name}"] = [_event(chance, f"e{chance.randrange(90)}") for _ in range(3)] + [
            record(eventID=None, userAgent=str(chance.randrange(20)))
        ]
    chain = DigestChain()
    for hour in range(8):
        log = chain.log_key(name=f"d{hour:015}")
        chain.hour(datetime(2026, 10, 1) if not hour else None, {log: trail_file(_event(chance, f"d{hour}"))})
    files |= {f"4/{name}": data for name, data in chain.tree().items()}
    files["3/broken.json.gz"] = b"\x1f\x8bbroken"
    files["2/empty.json"] = b""
    files["README"] = b"no log"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.json", trail_file(_event(chance, f"z{n}"), _event(chance, f"e{n}")))
    files["1/archive.zip"] = buffer.getvalue()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for n in range(20):
            data = trail_file(_event(chance, f"t{n}"), _event(chance, f"z{n}"))
            member = tarfile.TarInfo(f"{n}.json")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    files["2/archive.tgz"] = buffer.getvalue()
    return write_tree(folder, files)


def _event(chance: random.Random, event_id: str) -> Record:
    # The same event is the same wherever it is delivered.
    own = random.Random(event_id)
    service = own.choice(["sts.amazonaws.com", "ec2.amazonaws.com"])
    month = own.choice(["2026-10", "2026-11"])
    return record(event_id, eventSource=service, eventTime=f"{month}-01T00:00:00Z", userAgent=f"agent {event_id}")


class Tree:
    """The logs that are ingested; what a fault does to them can be undone, to the modification time."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_tree(folder)
        self._files = {
            path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
        }

    def restore(self) -> None:
        """Make all files what they were."""
        for path, (content, modified) in self._files.items():
            if not path.exists() or path.stat().st_mtime_ns != modified:
                path.write_bytes(content)
                os.utime(path, ns=(modified, modified))


_CONTENTS = {
    # Of an event that is delivered twice the first one is kept, and which is that depends on the order.
    "documents": "SELECT uri, outcome, reason, size, version, sha256, seen, kept + duplicate, skipped, rejected "
    "FROM current_sources",
    "reasons": "SELECT uri, kind, source_reasons.reason, records FROM source_reasons "
    "JOIN current_sources USING (source_id)",
    "digests": "SELECT uri, digests.* EXCLUDE (source_id) FROM digests JOIN current_sources USING (source_id)",
    "digest files": "SELECT uri, bucket, object, digest_files.sha256 FROM digest_files "
    "JOIN current_sources USING (source_id)",
    "signatures": "SELECT uri, signature FROM digest_signatures JOIN current_sources USING (source_id)",
    "archives": "SELECT DISTINCT * FROM archives",
    "events": "SELECT count(*), count(DISTINCT event_id) FROM events",
}


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a store, without what depends on the order in which it came in."""

    events: list[Record]
    tables: dict[str, list[tuple[Any, ...]]]
    report: Any
    readings: int
    """How often members of archives were read."""

    @classmethod
    def of(cls, store: Path) -> "Contents":
        """Read a store, by other means than the product's where that is possible."""
        with open_store(store, catalogue=CATALOGUE) as opened:
            report = build_report(opened, CATALOGUE, Question(policy=Policy(min_days=14))).to_json()
        with duckdb.connect(str(store / DATABASE), read_only=True) as connection:
            tables = {
                name: connection.execute(f"{sql} ORDER BY ALL").fetchall() for name, sql in _CONTENTS.items()
            }
            ((readings,),) = connection.execute(
                "SELECT count(*) FROM sources WHERE archive_uri IS NOT NULL"
            ).fetchall()
        return cls(rows_of(store), tables, report, readings)

    def differences(self, other: "Contents") -> list[str]:
        """What differs, by name."""
        found = [
            f"{name} ({next(iter(set(rows) ^ set(other.tables[name])), 'one more often')})"
            for name, rows in self.tables.items()
            if other.tables[name] != rows
        ]
        if self.events != other.events:
            found.append("rows of events")
        if self._comparable_report(other) != other._comparable_report(self):
            found.append("report")
        return found

    def _comparable_report(self, other: "Contents") -> Any:
        """The report; without the records of all readings if archives had to be read once more."""
        if self.readings == other.readings:
            return self.report
        balance = self.report["balance"]
        records = {"kept": balance["records"]["kept"]}
        return self.report | {"balance": {"files": balance["files"], "records": records}}


def rows_of(store: Path) -> list[Record]:
    """All events without the number of their document, in an order of their own."""
    if not any((store / "events").rglob("*.parquet")):
        return []
    table = pyarrow.dataset.dataset(store / "events", format="parquet", partitioning="hive").to_table()
    rows: list[Record] = table.drop_columns(["source_id"]).sort_by("event_id").to_pylist()
    return rows


def check_whole(store: Path) -> int:
    """Raise Damage unless a store can be opened, adds up, and holds what its ledger says and nothing else.

    Looks at a copy, so that the store stays as the fault left it. Returns the number of its events.
    """
    with tempfile.TemporaryDirectory(dir=store.parent.parent) as folder:
        copy = Path(folder) / "copy"
        if store.exists():
            shutil.copytree(store, copy)
        try:
            return _check_copy(copy)
        except (duckdb.Error, StoreError) as error:
            raise Damage(str(error).partition("\n")[0]) from None


def _check_copy(store: Path) -> int:
    if not (store / DATABASE).exists():
        try:
            with open_store(store, catalogue=CATALOGUE):
                raise Damage("a store without a ledger was opened")
        except StoreError as error:
            if "no store there" not in str(error):
                raise Damage(str(error)) from None
        if _parts_in(store):
            raise Damage("events without a ledger")
        return 0
    with duckdb.connect(str(store / DATABASE), read_only=True) as connection:
        known = {path for (path,) in connection.execute("SELECT path FROM parts").fetchall()}
    # Parts that others have just replaced are still there, and noted.
    note = store / "staging" / REPLACED
    noted = set(note.read_text().splitlines()) if note.exists() else set()
    if orphans := _parts_in(store) - known - noted:
        raise Damage(f"events/ holds what the ledger does not know: {sorted(orphans)}")
    with open_store(store, catalogue=CATALOGUE) as opened:
        kept = opened.balance().records.kept
        asked = opened.ask("usage", {"since": "2026-01-01", "until": "2027-01-01"})
    if _parts_in(store) != known:
        raise Damage("after recovery events/ is not what the ledger says")
    if left := list((store / "staging").rglob("*.parquet")):
        raise Damage(f"after recovery staging/ holds {left}")
    rows = rows_of(store)
    if not len({row["event_id"] for row in rows}) == len(rows) == kept:
        raise Damage(f"{len(rows)} events, {kept} in the ledger")
    if sum(asked.column("calls").to_pylist()) != sum(row["service"] == "sts" for row in rows):
        raise Damage("queries count something else than what is there")
    return kept


def _parts_in(store: Path) -> set[str]:
    events = store / "events"
    return {path.relative_to(events).as_posix() for path in events.rglob("*.parquet")}


class Disks:
    """Small disks to fill, if this process may mount any."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "disk"
        self.can_mount = self._can_mount()

    def _can_mount(self) -> bool:
        try:
            with self.mounted(_MIB):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False

    @contextmanager
    def mounted(self, size: int) -> Iterator[Path]:
        """A disk of so many bytes."""
        self._place.mkdir(exist_ok=True)
        self._mount(f"size={size}")
        try:
            yield self._place
        finally:
            subprocess.run(["umount", str(self._place)], check=True, capture_output=True)

    def enlarge(self) -> None:
        """Give the mounted disk room for everything."""
        self._mount("remount,size=64m")

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._place)]
        subprocess.run(command, check=True, capture_output=True)


class Campaign:
    """Carries out chains of faults. What they found is in `counts`, `unmet` and `completed`."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self.disks = Disks(folder)
        self.tree = Tree(folder / "tree")
        store = folder / "undisturbed" / "store"
        run = server.start("ingest", self.tree.folder, "--store", store)
        self.code = run.wait()
        if self.code != ExitCode.INPUT_REJECTED:
            raise Damage(f"undisturbed, ingest ends in {self.code}: {run.narration}")
        self.points = Counter(Point(point) for point in run.points)
        self.size = sum(path.stat().st_size for path in store.rglob("*"))
        check_whole(store)
        self.undisturbed = Contents.of(store)
        self.counts: Counter[tuple[Kind, str]] = Counter()
        self.unmet: Counter[Kind] = Counter()

    # Planning

    def plan(self, seed: int, kinds: Sequence[Kind]) -> list[Blow]:
        """A chain of one to three faults; a row of seeds goes through all phases."""
        chance = random.Random(seed)
        usable = [kind for kind in kinds if kind is not Kind.FULL_DISK or self.disks.can_mount]
        usable += [kind for kind in usable if kind in _AT_ANY_POINT]
        phase = list(PHASES)[seed % len(PHASES)]
        first = self._blow(chance, chance.choice(usable), phase)
        blows = [first]
        if not first.disk and (first.kind is Kind.FILE_TOO_LARGE or chance.random() < 0.2):
            point = chance.choice([Point.COMMITTED, Point.PUBLISH, Point.PUBLISHED])
            unfinished = Blow(Kind.KILLED, Fault(Deed.KILL, point, chance.randint(1, self.points[point])))
            blows = [unfinished, self._blow(chance, first.kind, RECOVERY)]
        while chance.random() < 0.5 and len(blows) < 3:
            phase = chance.choice([*PHASES, RECOVERY])
            blows.append(self._blow(chance, chance.choice(usable), phase, is_rerun=True))
        # A disk has its size from the beginning.
        return blows[:1] + [blow for blow in blows[1:] if blow.kind is not Kind.FULL_DISK]

    def _blow(self, chance: random.Random, kind: Kind, phase: str, *, is_rerun: bool = False) -> Blow:
        def nth_of(point: Point) -> int:
            most = max(1, self.points[point])
            # A rerun has less to do and meets a point less often.
            return int(most ** chance.random()) if is_rerun else chance.randint(1, most)

        point = chance.choice(PHASES.get(phase, _RECOVERY_POINTS))
        nth = chance.randint(1, 4) if phase == RECOVERY else nth_of(point)
        match kind:
            case Kind.KILLED:
                return Blow(kind, Fault(Deed.KILL, point, nth))
            case Kind.KILLED_INSIDE:
                inside = [Point.STATEMENT, Point.INSERT, Point.COMMIT, Point.STAGE, Point.CLOSE, Point.CONNECT]
                point = chance.choice(inside)
                delay = 10 ** chance.uniform(-5, -1.7)
                return Blow(kind, Fault(Deed.KILL_SOON, point, nth_of(point), delay))
            case Kind.TERMINATED:
                return Blow(kind, Fault(Deed.TERMINATE, point, nth))
            case Kind.INTERRUPTED:
                return Blow(kind, Fault(Deed.INTERRUPT, point, nth))
            case Kind.KILLED_BY_CLOCK | Kind.TERMINATED_BY_CLOCK:
                return Blow(kind, delay=chance.uniform(0.05, 1.2))
            case Kind.OUT_OF_MEMORY if chance.random() < 0.3:
                return Blow(kind, memory=int(chance.uniform(100, 1500) * _MIB))
            case Kind.OUT_OF_MEMORY:
                return Blow(kind, Fault(memory=int(10 ** chance.uniform(0, 2.8) * _MIB)))
            case Kind.FILE_TOO_LARGE:
                return Blow(
                    kind,
                    Fault(
                        file_size=chance.choice([chance.randint(1_000, 9_000), chance.randint(12_000, 800_000)])
                    ),
                )
            case Kind.FULL_DISK:
                return Blow(kind, disk=int(self.size * chance.uniform(0.1, 0.5)))
            case Kind.UNREADABLE:
                point = chance.choice([Point.LIST, *_OPENINGS, *_READS])
                return Blow(kind, Fault(Deed.FAIL, point, nth_of(point)))
            case Kind.VANISHED:
                point = chance.choice(_OPENINGS)
                return Blow(kind, Fault(Deed.VANISH, point, nth_of(point)))
            case Kind.TRUNCATED:
                point = chance.choice([*_OPENINGS, *_READS])
                return Blow(kind, Fault(Deed.TRUNCATE, point, nth_of(point)))
            case Kind.SHORT_READS:
                point = chance.choice(_READS)
                return Blow(kind, Fault(Deed.SHORT, point, nth_of(point)))
            case Kind.SYNC_FAILS:
                point = chance.choice([Point.SYNC_FILE, Point.SYNC_FOLDER])
                return Blow(kind, Fault(Deed.FAIL, point, nth_of(point)))
            case Kind.POWER_LOSS:
                return Blow(kind, Fault(Deed.KILL, point, nth, journal="journal"))

    # Carrying out

    def carry_out(self, blows: Sequence[Blow], seed: int = 0) -> None:
        """One chain: every fault, a look after each, then an ingest that nobody disturbs. Raises Damage."""
        chance = random.Random(seed)
        if blows[0].disk:
            with self.disks.mounted(blows[0].disk) as place:
                self._chain(blows, place / "store", chance)
        else:
            with tempfile.TemporaryDirectory(dir=self._folder) as place:
                self._chain(blows, Path(place) / "store", chance)

    def _chain(self, blows: Sequence[Blow], store: Path, chance: random.Random) -> None:
        for blow in blows:
            try:
                self._strike(blow, store, chance)
                check_whole(store)
            except Damage as damage:
                raise Damage(f"{blow}: {damage}") from None
            finally:
                self.tree.restore()
                if blow.disk:
                    self.disks.enlarge()
        run = self.server.start("ingest", self.tree.folder, "--store", store)
        if (code := run.wait()) != self.code:
            raise Damage(f"the last ingest ends in {code}: {run.narration[-1:]}")
        check_whole(store)
        if any(path.is_file() for path in (store / "staging").rglob("*")):
            raise Damage("the last ingest leaves something in staging/")
        if differences := Contents.of(store).differences(self.undisturbed):
            raise Damage(f"not as if nobody had disturbed: {', '.join(differences)}")

    def _strike(self, blow: Blow, store: Path, chance: random.Random) -> None:
        """Let one ingest suffer one fault; raises Damage unless it ends as it should."""
        if blow.delay or blow.memory:
            code, narration = self._run_afresh(blow, store)
            has_fired, phase = code != self.code, ANYWHERE
        else:
            fault, was_staged = blow.fault, any((store / "staging").rglob("*.parquet"))
            journal = Journal(store.parent / fault.journal) if fault.journal else None
            if journal:
                fault = replace(fault, journal=str(store.parent / fault.journal))
                journal.note_all(store)
            run = self.server.start("ingest", self.tree.folder, "--store", store, fault=fault)
            code, narration = run.wait(), run.narration
            has_fired = run.has_fired if fault.point else code != self.code
            phase = _phase(run, was_staged)
            if journal:
                _lose_power(journal, store, chance)
        if not has_fired:
            self.unmet[blow.kind] += 1
            if code != self.code:
                raise Damage(f"ends in {code} though nothing happened: {narration[-1:]}")
            return
        self.counts[blow.kind, phase] += 1
        _check_end(blow, code, narration, self.code)

    def _run_afresh(self, blow: Blow, store: Path) -> tuple[int, list[str]]:
        """A run whose interpreter has to load everything, as a user's has."""
        limit = (blow.memory or resource.RLIM_INFINITY,) * 2

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_AS, limit)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with subprocess.Popen(
            [sys.executable, "-m", "analyzer", "ingest", str(self.tree.folder), "--store", str(store)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_CHECKOUT,
            preexec_fn=limited,
        ) as process:
            if blow.delay:
                time.sleep(blow.delay)
                is_gentle = blow.kind is Kind.TERMINATED_BY_CLOCK
                process.send_signal(signal.SIGTERM if is_gentle else signal.SIGKILL)
            _, narration = process.communicate(timeout=120)
        return process.returncode, narration.splitlines()


def _phase(run: Run, was_staged: bool) -> str:
    points = run.points
    fired = next((number for number, point in enumerate(points) if point.startswith(FIRED)), None)
    if fired is None:
        return ANYWHERE
    if was_staged and Point.INSERT not in points[:fired] and points[fired] != f"{FIRED}{Point.INSERT}":
        return RECOVERY
    point = points[fired].removeprefix(FIRED)
    return next((phase for phase, members in PHASES.items() if point in members), RECOVERY)


def _lose_power(journal: Journal, store: Path, chance: random.Random) -> None:
    """Put in the place of a store what a power loss leaves of it: the worst, or by chance something better."""
    is_worst = chance.random() < 0.5
    if not store.exists():
        return
    left = store.with_name("left")
    journal.after_power_loss(store, left, lambda: is_worst or chance.random() < 0.5)
    shutil.rmtree(store)
    left.rename(store)
    journal.close()


def _check_end(blow: Blow, code: int, narration: list[str], undisturbed: int) -> None:
    """Raise Damage unless the process ended as is promised for its fault."""
    allowed: set[int]
    match blow.kind:
        case Kind.KILLED | Kind.KILLED_BY_CLOCK | Kind.POWER_LOSS:
            allowed = {-signal.SIGKILL}
        case Kind.KILLED_INSIDE:
            allowed = {-signal.SIGALRM, undisturbed}
        case Kind.TERMINATED | Kind.TERMINATED_BY_CLOCK:
            allowed = {-signal.SIGTERM}
        case Kind.INTERRUPTED:
            allowed = {ExitCode.INTERRUPTED}
        case Kind.OUT_OF_MEMORY:
            allowed = {ExitCode.FAILED, *_DEATHS_BY_ALLOCATOR}
        case Kind.FILE_TOO_LARGE | Kind.FULL_DISK | Kind.SYNC_FAILS:
            allowed = {ExitCode.FAILED}
        case _:
            allowed = {undisturbed}
    said = " | ".join(narration[-3:])
    if code not in allowed:
        raise Damage(f"ends in {code}: {said}")
    text = "\n".join(narration)
    if blow.kind is Kind.OUT_OF_MEMORY and (code in _DEATHS_BY_ALLOCATOR or "OpenBLAS error" in text):
        return
    if "Traceback" in text or "Exception ignored" in text:
        raise Damage(f"a traceback: {said}")
    errors = [line for line in narration if line.startswith("sts-regions: error: ")]
    is_stopped = blow.kind in (Kind.INTERRUPTED, Kind.TERMINATED)
    if is_stopped and not narration[-1].startswith("sts-regions: interrupted; what was committed is kept"):
        raise Damage(f"does not say that it was stopped: {said}")
    if code == ExitCode.FAILED and (len(errors) != 1 or narration[-1] != errors[0]):
        raise Damage(f"not one line of error at the end: {said}")
    if any("damaged" in line or "new store" in line for line in errors):
        raise Damage(f"blames the store: {said}")
    if blow.kind in _FAULTS_OF_INPUT - {Kind.SHORT_READS} and not any(
        word in text for word in ("rejected: unreadable", "rejected: changed while read")
    ):
        raise Damage(f"does not name what it could not read: {said}")


def table(campaign: Campaign, kinds: Sequence[Kind]) -> str:
    """Counts of faults by kind and phase, as plain text."""
    phases = [*PHASES, RECOVERY, ANYWHERE]
    used = [phase for phase in phases if any(campaign.counts[kind, phase] for kind in kinds)]
    width = max(map(len, kinds))
    lines = ["  ".join([" " * width, *used, "all", "not met"])]
    for kind in kinds:
        cells = [campaign.counts[kind, phase] for phase in used]
        numbers = [*cells, sum(cells), campaign.unmet[kind]]
        heads = [*used, "all", "not met"]
        lines.append(
            "  ".join(
                [
                    kind.ljust(width),
                    *(str(n or ".").rjust(len(head)) for n, head in zip(numbers, heads, strict=True)),
                ]
            )
        )
    return "\n".join(lines)


@contextmanager
def campaign() -> Iterator[Campaign]:
    """A campaign in a folder of its own, with a server for its runs."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        with fork_server(folder, COMMIT_FILES) as server:
            yield Campaign(server, folder)


def main() -> int:
    """Carry out chains until the time or their number is up; 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m soak.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="chains of faults")
    parser.add_argument("--seed", type=int, default=1, help="of the first chain; each has the next one")
    parser.add_argument("--kind", action="append", choices=[kind.name.lower() for kind in Kind])
    arguments = parser.parse_args()
    kinds = [Kind[name.upper()] for name in arguments.kind] if arguments.kind else list(Kind)
    deadline = time.monotonic() + arguments.seconds
    failures, chains = [], 0
    with campaign() as carried_out:
        for seed in range(arguments.seed, arguments.seed + arguments.runs):
            if time.monotonic() >= deadline - _LONGEST_CHAIN:
                break
            blows = carried_out.plan(seed, kinds)
            chains += 1
            try:
                carried_out.carry_out(blows, seed)
            except Damage as damage:
                chain = "; ".join(map(str, blows))
                failures.append(f"FAILED --seed {seed} --runs 1: {damage}\n    chain: {chain}")
                print(failures[-1], flush=True)
        print(table(carried_out, kinds))
        if Kind.FULL_DISK in kinds and not carried_out.disks.can_mount:
            print(f"skipped: {Kind.FULL_DISK}: this process may not mount a disk")
        faults = carried_out.counts.total()
    print(f"{faults} faults in {chains} chains, each with an undisturbed run at its end: {len(failures)} failures")
    return 1 if failures else 0


_LONGEST_CHAIN = 15.0
"""Seconds that are kept free for the last chain."""


if __name__ == "__main__":
    sys.exit(main())
