"""Runs of the command as processes of their own, without the second that a fresh interpreter takes to load.

A fork server loads everything and forks for each run; the run is the whole command with its own exit.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from disturbance import FIRED, Disturbance, Fault

HUNG = 1000
"""In place of an exit code: the run did not end in time and was killed."""
_PATIENCE = 120.0
_POLL = 0.003


def serve() -> None:
    """Fork for each line of standard input (JSON), say the child's pid, and when asked how it ended."""
    load_everything()
    while line := sys.stdin.readline():
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return become_run(request)
        print(pid, flush=True)
        sys.stdin.readline()  # Reaped only when asked for: until then nobody else gets this pid.
        print(_ended(pid), flush=True)


def load_everything() -> None:
    """Load once what every run would have to."""
    import pydantic  # noqa: F401 - typer loads it late

    import analyzer.cli.arguments
    import analyzer.presentation.report_view
    import analyzer.report
    import analyzer.workflow  # noqa: F401
    from analyzer.catalogue import Catalogue

    _ = Catalogue().operations, Catalogue().dns_suffixes


def _ended(pid: int) -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


def become_run(request: dict[str, Any]) -> None:
    """Be the run that is asked for; ends in SystemExit or with the process."""
    import analyzer.ingest
    from analyzer.__main__ import main

    # Many small commits, so that there are many moments between them.
    limited = functools.partial(analyzer.ingest.IngestOptions, commit_files=request["commit_files"], threads=2)
    analyzer.ingest.IngestOptions = limited  # type: ignore[assignment, misc]
    for number, path in ((0, os.devnull), (1, os.devnull), (2, request["stderr"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, flags, 0o600), number)
    # A server that was started in the background ignores Ctrl-C; its runs are to heed it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["sts-regions", *request["command"]]
    Disturbance(Fault.of_json(request["fault"]), Path(request["log"]), request["source"]).install()
    main()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command in a process of its own."""

    pid: int
    requests: IO[str]
    replies: IO[str]
    stderr: Path
    log: Path

    def send(self, how: signal.Signals) -> None:
        """Send a signal; to a run that has ended it does nothing."""
        os.kill(self.pid, how)

    def wait(self) -> int:
        """The exit code, minus the signal that ended it, or HUNG."""
        self.requests.write("\n")
        self.requests.flush()
        return int(self.replies.readline())

    @property
    def narration(self) -> list[str]:
        """What it said on stderr, line by line."""
        return self.stderr.read_text().splitlines()

    @property
    def points(self) -> list[str]:
        """The points it met, in their order; that of its fault is marked with FIRED."""
        return self.log.read_text().splitlines()

    @property
    def has_fired(self) -> bool:
        """Whether it came to the point of its fault."""
        return FIRED in self.log.read_text()


class Server:
    """Starts runs, one at a time."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, commit_files: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._folder = folder
        self._commit_files = commit_files

    def start(self, *command: str | Path, fault: Fault | None = None) -> Run:
        """Begin a run and return at once."""
        words = [str(word) for word in command]
        stderr, log = self._folder / "stderr", self._folder / "log"
        log.write_text("")
        request = {
            "command": words,
            "source": words[1],
            "fault": (fault or Fault()).to_json(),
            "stderr": str(stderr),
            "log": str(log),
            "commit_files": self._commit_files,
        }
        self._input.write(json.dumps(request) + "\n")
        self._input.flush()
        return Run(int(self._output.readline()), self._input, self._output, stderr, log)

    def run(self, *command: str | Path, fault: Fault | None = None) -> int:
        """Run to the end; returns the exit code, or minus the signal that ended it."""
        return self.start(*command, fault=fault).wait()


@contextmanager
def fork_server(folder: Path, commit_files: int) -> Iterator[Server]:
    """A fork server that notes what its runs say in `folder`; they commit after so many documents."""
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import forked_runs; forked_runs.serve()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Server(process, folder, commit_files)
