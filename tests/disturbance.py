"""Faults put into a run of the command, at a call to the operating system, Arrow or DuckDB, told by its number.

Everything is hooked where the product ends and its libraries begin, so that a hook outlives a new shape of the
product. Only for processes of their own: what is installed is never taken away.
"""

import errno
import io
import json
import os
import resource
import shutil
import signal
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow.parquet

import analyzer.ingest
from analyzer.sources import local

_ARCHIVES = (".zip", ".tgz")


class Point(StrEnum):
    """A place in an ingest. Each is met many times in a run."""

    LIST = "list"
    """A source folder is about to be listed."""
    OPEN = "open"
    """A source file is about to be opened."""
    READ = "read"
    """Bytes of it are about to be read."""
    OPEN_DIGEST = "open-digest"
    READ_DIGEST = "read-digest"
    OPEN_ARCHIVE = "open-archive"
    READ_ARCHIVE = "read-archive"
    MEMBER = "member"
    """An archive has given one more member."""
    DECODE = "decode"
    """A group of documents is about to be decoded."""
    STAGE = "stage"
    """A part is about to be written."""
    FOLDER = "folder"
    """A folder of the store is about to be made."""
    SYNC_FILE = "sync-file"
    SYNC_FOLDER = "sync-folder"
    BEGIN = "begin"
    INSERT = "insert"
    COMMIT = "commit"
    COMMITTED = "committed"
    PUBLISH = "publish"
    """A part is about to be moved to events/."""
    PUBLISHED = "published"
    CREATE = "create"
    """A new ledger is about to be moved into its place."""
    CREATED = "created"
    CONNECT = "connect"
    STATEMENT = "statement"
    """Any other SQL."""
    CLEAR = "clear"
    """Something in the store is about to be deleted."""
    CLOSE = "close"


class Deed(StrEnum):
    """What happens at a point."""

    NONE = "none"
    KILL = "kill"
    KILL_SOON = "kill-soon"
    """The process dies `delay` seconds later, wherever it is then, inside DuckDB or Arrow too."""
    TERMINATE = "terminate"
    INTERRUPT = "interrupt"
    INTERRUPT_SOON = "interrupt-soon"
    """The same, `delay` seconds later."""
    FAIL = "fail"
    """The call fails with EIO."""
    VANISH = "vanish"
    """The source file is deleted before it is opened."""
    TRUNCATE = "truncate"
    """The source file loses its second half."""
    SHORT = "short"
    """This read and all later ones give a few bytes at a time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What disturbs a run: a deed at the nth time a point is met, or a limit on the whole process."""

    deed: Deed = Deed.NONE
    point: Point | None = None
    nth: int = 1
    delay: float = 0.0
    """Seconds."""
    memory: int = 0
    """Bytes of address space that the process may take beyond what it has when it begins; 0: no limit."""
    file_size: int = 0
    """Bytes beyond which no file may be written; 0: no limit."""
    journal: str = ""
    """Folder in which to note what has been synced, for a power loss."""

    def __str__(self) -> str:
        place = f" at {self.point} {self.nth}" if self.point else ""
        limits = f" memory={self.memory}" * bool(self.memory) + f" file_size={self.file_size}" * bool(
            self.file_size
        )
        return f"{self.deed}{place}{limits}{' with power loss' if self.journal else ''}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "Fault":
        """From JSON values."""
        point = Point(values["point"]) if values["point"] else None
        return cls(**(values | {"deed": Deed(values["deed"]), "point": point}))


FIRED = "!"
"""Marks the line of a run's log at which its fault happened."""


class Disturbance:
    """Counts how often each point is met, writes that down, and does the deed when its time has come."""

    def __init__(self, fault: Fault, log: Path, source: str) -> None:
        """`source`: what is ingested; folders above all, to tell listing it from listing the store."""
        self._fault = fault
        self._source = source
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._met: Counter[Point] = Counter()
        self._lock = threading.Lock()
        self._journal = Journal(Path(fault.journal)) if fault.journal else None

    def install(self) -> None:
        """Hook everything in this process and set its limits."""
        for name, hook in {
            "scandir": self._scandir,
            "fsync": self._fsync,
            "rename": self._rename,
            "replace": self._rename,
            "mkdir": self._mkdir,
            "unlink": self._unlink,
        }.items():
            self._hook(os, name, hook)
        vars(local)["open"] = self._open
        self._hook(analyzer.ingest, "decode_documents", lambda original: self._before(Point.DECODE, original))
        self._hook(analyzer.ingest, "read_archive", self._members)
        self._hook(pyarrow.parquet, "write_table", lambda original: self._before(Point.STAGE, original))
        self._hook(duckdb, "connect", self._connected)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._fault.file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._fault.file_size,) * 2)
        if self._fault.memory:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + self._fault.memory,) * 2)

    @staticmethod
    def _hook(module: ModuleType, name: str, hook: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        setattr(module, name, hook(getattr(module, name)))

    def met(self, point: Point, path: str = "") -> bool:
        """Note that a point is met; returns whether a read has to be short."""
        fault = self._fault
        with self._lock:
            self._met[point] += 1
            is_its_time = fault.point is point and self._met[point] == fault.nth
            os.write(self._log, f"{FIRED if is_its_time else ''}{point}\n".encode())
            is_short = fault.deed is Deed.SHORT and fault.point is point and self._met[point] >= fault.nth
        if is_its_time:
            self._do(path)
        return is_short

    def _do(self, path: str) -> None:
        match self._fault.deed:
            case Deed.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Deed.KILL_SOON:
                signal.setitimer(signal.ITIMER_REAL, max(self._fault.delay, 1e-6))
            case Deed.TERMINATE:
                os.kill(os.getpid(), signal.SIGTERM)
            case Deed.INTERRUPT:
                os.kill(os.getpid(), signal.SIGINT)
            case Deed.INTERRUPT_SOON:
                threading.Timer(self._fault.delay, os.kill, (os.getpid(), signal.SIGINT)).start()
            case Deed.FAIL:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path or None)
            case Deed.VANISH:
                Path(path).unlink()
            case Deed.TRUNCATE:
                os.truncate(path, os.stat(path).st_size // 2)

    def _before(self, point: Point, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.met(point)
            return original(*given, **named)

        return call

    def _members(self, original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def members(*given: Any, **named: Any) -> Iterator[Any]:
            for member in original(*given, **named):
                self.met(Point.MEMBER)
                yield member

        return members

    def _scandir(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scandir(path: Any = ".") -> Any:
            if isinstance(path, str) and path.startswith(self._source):
                self.met(Point.LIST, path)
            return original(path)

        return scandir

    def _open(self, path: str, mode: str, buffering: int = -1) -> Any:
        suffix = "-digest" if "CloudTrail-Digest" in path else "-archive" if path.endswith(_ARCHIVES) else ""
        self.met(Point(f"open{suffix}"), path)
        file = _DisturbedFile(path, self, Point(f"read{suffix}"))
        return file if buffering == 0 else io.BufferedReader(file)

    def _fsync(self, original: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(handle: int) -> None:
            is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
            self.met(Point.SYNC_FOLDER if is_folder else Point.SYNC_FILE)
            original(handle)
            if self._journal:
                self._journal.note(handle)

        return fsync

    def _rename(self, original: Callable[..., None]) -> Callable[..., None]:
        def rename(source: Any, target: Any, **named: Any) -> None:
            is_part = str(target).endswith(".parquet")
            self.met(Point.PUBLISH if is_part else Point.CREATE, str(source))
            original(source, target, **named)
            self.met(Point.PUBLISHED if is_part else Point.CREATED)

        return rename

    def _mkdir(self, original: Callable[..., None]) -> Callable[..., None]:
        def mkdir(path: Any, *given: Any, **named: Any) -> None:
            self.met(Point.FOLDER, str(path))
            original(path, *given, **named)

        return mkdir

    def _unlink(self, original: Callable[..., None]) -> Callable[..., None]:
        def unlink(path: Any, **named: Any) -> None:
            self.met(Point.CLEAR, str(path))
            original(path, **named)

        return unlink

    def _connected(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(*given: Any, **named: Any) -> _DisturbedConnection:
            self.met(Point.CONNECT)
            return _DisturbedConnection(original(*given, **named), self)

        return connect


class _DisturbedFile(io.FileIO):
    """A source file whose reads can be disturbed."""

    def __init__(self, path: str, disturbance: Disturbance, point: Point) -> None:
        super().__init__(path)
        self._path, self._disturbance, self._point = path, disturbance, point

    def read(self, size: int | None = -1) -> Any:
        is_short = self._disturbance.met(self._point, self._path)
        return super().read(7 if is_short and size else size)

    def readinto(self, buffer: Any) -> Any:
        is_short = self._disturbance.met(self._point, self._path)
        return super().readinto(memoryview(buffer)[:7] if is_short else buffer)


class _DisturbedConnection:
    """A connection to DuckDB whose calls can be disturbed."""

    def __init__(self, connection: Any, disturbance: Disturbance) -> None:
        self._connection, self._disturbance = connection, disturbance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> "_DisturbedConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        self._disturbance.met(Point.BEGIN)
        self._connection.begin()

    def commit(self) -> None:
        self._disturbance.met(Point.COMMIT)
        self._connection.commit()
        self._disturbance.met(Point.COMMITTED)

    def close(self) -> None:
        self._disturbance.met(Point.CLOSE)
        self._connection.close()

    def execute(self, query: Any, *given: Any) -> Any:
        self._disturbance.met(Point.INSERT if str(query).startswith("INSERT") else Point.STATEMENT)
        return self._connection.execute(query, *given)

    def sql(self, query: Any, **named: Any) -> Any:
        self._disturbance.met(Point.STATEMENT)
        return self._connection.sql(query, **named)


class Journal:
    """What has been synced: the worst that may be left of a store when the power fails.

    A name in a folder counts as safe when the folder was synced after it was given, the bytes of a part when it
    was. DuckDB syncs its files itself, from where no hook is told: their bytes count as safe, their names do not.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: of this journal, on the file system of the store."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def note_all(self, store: Path) -> None:
        """Note that all of a store has been synced, as some time after its last use."""
        for path in [store, *store.rglob("*")] if store.exists() else []:
            self._note(path)

    def note(self, handle: int) -> None:
        """Note that an open file or folder has been synced."""
        self._note(Path(os.readlink(f"/proc/self/fd/{handle}")))

    def _note(self, path: Path) -> None:
        number = path.stat().st_ino
        if not path.is_dir():
            (self._folder / f"{number}.synced").touch()
            return
        entries = {entry.name: self._keep(entry) for entry in path.iterdir()}
        (self._folder / f"{number}.folder").write_text(json.dumps(entries))

    def _keep(self, entry: Path) -> int:
        """Let the file outlive its name; returns its inode."""
        number = entry.stat().st_ino
        kept = self._folder / f"{number}.kept"
        if entry.is_file() and not kept.exists():
            os.link(entry, kept)
        return number

    def after_power_loss(self, store: Path, target: Path, loses: Callable[[], bool]) -> None:
        """Write to `target` what is left of a store.

        `loses`: whether the next folder loses what was not synced.
        """
        target.mkdir()
        numbers = {str(entry.stat().st_ino): entry for entry in [store, *store.rglob("*")]}
        self._rebuild(store.stat().st_ino, target, numbers, loses)

    def close(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder)

    def _rebuild(self, folder: int, target: Path, now: dict[str, Path], loses: Callable[[], bool]) -> None:
        noted = self._folder / f"{folder}.folder"
        entries: dict[str, int] = json.loads(noted.read_text()) if noted.exists() else {}
        if str(folder) in now and not loses():
            # A move is one step: what was moved away is not gone from here before it is safe there.
            moved = {name: number for name, number in entries.items() if str(number) in now}
            entries = moved | {entry.name: entry.stat().st_ino for entry in now[str(folder)].iterdir()}
        for name, number in entries.items():
            here = now.get(str(number), self._folder / f"{number}.kept")
            if here.is_dir():
                (target / name).mkdir()
                self._rebuild(number, target / name, now, loses)
            elif here.exists():
                is_synced = not name.endswith(".parquet") or (self._folder / f"{number}.synced").exists()
                (target / name).write_bytes(here.read_bytes() if is_synced else b"")
