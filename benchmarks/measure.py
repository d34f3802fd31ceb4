"""Whole processes: wall time, processor time and peak memory of a command, as the kernel counts them.

A child's peak memory never reads lower than what its parent held when it was started (the kernel counts the
moment between fork and exec). So the process that measures must stay small: it imports neither pyarrow nor
duckdb, and whatever needs them runs in a process of its own.
"""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command. With several processes, `peak_bytes` is that of the largest, not their sum."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one command."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median processor time, all threads and processes together."""
        return median(run.cpu_seconds for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Shortest and longest wall time."""
        return min(run.seconds for run in self.runs), max(run.seconds for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """The highest peak of all runs."""
        return max(run.peak_bytes for run in self.runs)


class CommandFailed(Exception):
    """A measured command ended with an error; its time means nothing."""


def measure(command: Sequence[str], work: Path) -> Run:
    """Run a command from the repository's root, its stderr to `work/log`; raises CommandFailed."""
    log = work / "log"
    environment = {**os.environ, "PYTHONPATH": str(_without_pandas(work))}
    os.sync()
    with log.open("wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or [""]
        raise CommandFailed(f"{Path(command[0]).name} ended with exit code {process.returncode}: {lines[-1]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _without_pandas(work: Path) -> Path:
    """A directory that hides pandas from every command.

    chDB brings pandas into the environment, and pyarrow imports it wherever it is found. The product does not
    depend on it, so without the benchmark's tools a user does not pay for that import.
    """
    hiding = work / "without-pandas"
    hiding.mkdir(exist_ok=True)
    (hiding / "pandas.py").write_text('raise ImportError("hidden by the benchmark")\n')
    return hiding
