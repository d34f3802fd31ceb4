"""Owns stderr and exit codes: narration, findings, progress, errors."""

import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from analyzer.balance import Balance
from analyzer.errors import ExitCode, StsRegionsError
from analyzer.presentation.safe_text import visible

if TYPE_CHECKING:
    from analyzer.decoding import Finding, Reading
    from analyzer.evidence import Evidence
    from analyzer.presentation.progress import ProgressLine

PROGRAM = "sts-regions"


class ConsoleNarrator:
    """Tells on stderr what happens; progress only on a terminal."""

    def __init__(self) -> None:
        self._progress: ProgressLine | None = None

    def start(self, files: int, size: int) -> None:
        """Show the progress line if there is a terminal and something to read."""
        if sys.stderr.isatty() and files:
            from analyzer.presentation.progress import ProgressLine

            self._progress = ProgressLine(files, size)

    def advance(self, files: int, size: int, records: int) -> None:
        """Move the progress line."""
        if self._progress is not None:
            self._progress.advance(files, size, records)

    def finish(self) -> None:
        """Take the progress line away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def finding(self, name: str, reading: "Reading", *, is_known: bool = False) -> None:
        """A line for each reason: file, what is wrong, what to do."""
        for line in finding_lines(name, reading, is_known=is_known):
            self._line(line)

    def waiting(self, holder: str) -> None:
        """Say who holds the store."""
        self._line(f"waiting for {holder}, which holds the store; Ctrl-C to give up")

    def remark(self, text: str) -> None:
        """Say it."""
        self._line(text)

    def _line(self, text: str) -> None:
        if self._progress is not None:
            self._progress.say(_prefixed(text))
        else:
            say(text)


def finding_lines(name: str, reading: "Reading", *, is_known: bool = False) -> list[str]:
    """What stderr says about one document: one line for each reason."""
    from analyzer.decoding.outcome import REMEDIES

    if reading.reason and not reading.seen and not reading.notes:
        earlier = " (as before, not read again)" if is_known else ""
        detail = f" ({reading.detail})" if reading.detail else ""
        return [f"{name}: rejected{earlier}: {_words(reading.reason)}{detail}; {REMEDIES[reading.reason]}"]
    lines = []
    for reason, count in reading.rejected.items():
        lines.append(
            f"{name}: {_count(count, 'record')} rejected: {_words(reason)}"
            f"{_where(reading.findings, reason)}; {REMEDIES[reason]}"
        )
    for reason, count in reading.notes.items():
        what = f"{_count(count, 'field')} of an unexpected type" if reason == "unexpected_type" else _words(reason)
        what += ", it proves nothing" if reading.reason else ""
        lines.append(f"{name}: {what}{_where(reading.findings, reason)}; {REMEDIES[reason]}")
    return lines


def evidence_lines(evidence: "Evidence", named: Collection[str] = ()) -> list[str]:
    """What stderr says of the evidence: what is not as CloudTrail delivered it, what is unusable."""
    lines = []
    for flaw in evidence.flaws:
        if flaw.fault.is_invalid:
            for key in flaw.objects:
                lines.append(
                    f"{key}: INVALID: {_words(flaw.fault.value)} "
                    f"({flaw.trail.account_id} {flaw.trail.region}, digest of {flaw.until:%Y-%m-%dT%H:%MZ}); "
                    "fetch it again; if it is the same there, somebody changed it"
                )
    lines += [f"{file.uri}: {file.in_words()}" for file in evidence.unusable if file.uri not in named]
    return [*lines, *evidence.problems]


def _where(findings: "list[Finding]", reason: str) -> str:
    places = [
        ": ".join(part for part in (f.position, f.detail) if part)
        for f in findings
        if f.reason == reason and (f.position or f.detail)
    ]
    return f" ({'; '.join(places)})" if places else ""


def _words(code: str) -> str:
    return code.replace("_", " ")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def balance_line(balance: Balance) -> str:
    """The balance sheet of a run in one line."""
    files, records = balance.files, balance.records
    parts = [f"{_count(files.seen, 'file')} seen: {files.ingested:,} ingested"]
    if files.unchanged:
        parts.append(f"{files.unchanged:,} unchanged and not read again")
    if files.skipped:
        parts.append(f"{files.skipped:,} skipped ({_reasons(balance.files_skipped)})")
    if files.rejected:
        parts.append(f"{files.rejected:,} rejected ({_reasons(balance.files_rejected)})")
    line = ", ".join(parts)
    parts = [f"{_count(records.seen, 'record')} seen: {records.kept:,} kept"]
    if records.duplicate:
        parts.append(f"{records.duplicate:,} duplicate")
    if records.skipped:
        parts.append(f"{records.skipped:,} skipped ({_reasons(balance.records_skipped)})")
    if records.rejected:
        parts.append(f"{records.rejected:,} rejected ({_reasons(balance.records_rejected)})")
    return f"{line}; {', '.join(parts)}"


def _reasons(reasons: object) -> str:
    if not isinstance(reasons, dict):
        return ""
    return ", ".join(f"{count:,} {_words(reason)}" for reason, count in reasons.items())


def say(text: str) -> None:
    """One line on stderr."""
    print(_prefixed(text), file=sys.stderr, flush=True)


def _prefixed(text: str) -> str:
    return f"{PROGRAM}: {visible(text)}"


def run(command: Callable[[], ExitCode]) -> ExitCode:
    """Run the command line and turn what it raises into one line and an exit code."""
    try:
        return command()
    except StsRegionsError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; what was committed is kept, and the same command goes on from there")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has had enough (`| head`): not an error, but nothing more can be written either.
        sys.stderr.close()
        return ExitCode.OK
    except MemoryError:
        return _out_of_memory()
    except OSError as error:
        where = error.filename or "the operating system"
        say(f"error: {where}: {error.strerror or error}; mend it and run again")
        return ExitCode.FAILED
    except Exception as error:
        if any(words in str(error) for words in _SIGNS_OF_NO_MEMORY):
            return _out_of_memory()
        raise


def _out_of_memory() -> ExitCode:
    say("error: out of memory; lower --threads or read fewer sources at once")
    return ExitCode.FAILED


_SIGNS_OF_NO_MEMORY = (
    "can't start new thread",
    "Failed to launch worker thread",
    "failed to map segment",
    "annot allocate memory",
    "bad_alloc",
    "Out of Memory",
    "error return without exception set",
)
"""What libraries say that have no memory left, of errors that are no MemoryError."""
