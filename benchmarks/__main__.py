"""`python -m benchmarks`: make the logs, run everything, print what was measured beside what is promised."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import contestants
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.data import LogSet, log_set
from benchmarks.machine import machine, versions
from benchmarks.measure import ROOT, CommandFailed, Run, Series, measure
from benchmarks.tables import Table, megabytes, seconds
from benchmarks.targets import Results, target_table

_DATA = Path(__file__).parent / "data"
_FILES = 4_000
_COPIES = 25  # of 400,000 records make ten million
_TIMES_LARGER = 10
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_FOLLOW_UPS = {
    "again": "sts-regions ingest, nothing new",
    "help": "sts-regions --help",
    "report": "sts-regions report, ten million events",
    "large": "sts-regions ingest, ten times the files",
}
_TITLES = {contestant.name: contestant.title for contestant in CONTESTANTS} | _FOLLOW_UPS


class Benchmark:
    """One run of the benchmark: what it works with, and the measures so far."""

    def __init__(self, data: Path, files: int, runs: int) -> None:
        self._data = data
        self._work = data / "work"
        self._runs = runs
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        self.load = os.getloadavg()[0]
        _say(f"logs: {files:,} files")
        self.logs = log_set(data, files)
        self.measured: dict[str, list[Run]] = {}

    @property
    def results(self) -> Results:
        """Everything measured, by name."""
        return {name: Series(tuple(runs)) for name, runs in self.measured.items()}

    def compete(self, chosen: Sequence[Contestant]) -> None:
        """Run the contestants in turns, so that what slows the machine down for a while slows them all."""
        able = [contestant for contestant in chosen if not _is_missing(contestant)]
        _read_all(self.logs.folder)
        for turn in range(self._runs):
            for contestant in able:
                output = self._work / f"{contestant.name}-{contestant.output}"
                self._measure(contestant.name, contestant.command(self.logs.folder, output))
                if turn == 0:
                    self._check(contestant, output, self.logs.records)
                _remove(output)

    def follow_up(self, name: str) -> None:
        """Measure the product alone at one of the other things it does."""
        {"again": self._again, "help": self._help, "report": self._report, "large": self._large}[name]()

    def _again(self) -> None:
        store = self._filled_store()
        for _ in range(self._runs):
            self._measure("again", contestants.ingest(self.logs.folder, store))

    def _help(self) -> None:
        for _ in range(self._runs):
            self._measure("help", contestants.show_help())

    def _report(self) -> None:
        store = self._work / "ten-million"
        events = self.logs.records * _COPIES
        _say(f"making a store of {events:,} events")
        base = self._filled_store()
        subprocess.run(contestants.module("grown_store", base, store, events), cwd=ROOT, check=True)
        for _ in range(self._runs):
            self._measure("report", contestants.report(store))
        _remove(store)

    def _large(self) -> None:
        files = self.logs.files * _TIMES_LARGER
        _say(f"logs: {files:,} files, takes minutes the first time")
        logs = log_set(self._data, files)
        store = self._work / "large"
        self._measure("large", contestants.ingest(logs.folder, store))
        self._check(contestants.PRODUCT, store, logs.records)
        _remove(store)

    def _filled_store(self) -> Path:
        store = self._work / "filled"
        if not store.exists():
            measure(contestants.ingest(self.logs.folder, store), self._work)
        return store

    def _measure(self, name: str, command: list[str]) -> None:
        run = measure(command, self._work)
        _say(f"{_TITLES[name]}: {seconds(run.seconds)}, {megabytes(run.peak_bytes)}")
        self.measured.setdefault(name, []).append(run)

    def _check(self, contestant: Contestant, output: Path, records: int) -> None:
        counter = contestants.module("rows", output)
        rows = int(subprocess.run(counter, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        if rows != records:
            raise CommandFailed(f"{contestant.title} wrote {rows:,} rows of {records:,}")


def main() -> int:
    """Measure what was asked for; 1 when a command failed, whatever the figures."""
    arguments = _arguments()
    names = arguments.only or [name for name in _TITLES if name != "large" or arguments.large]
    try:
        benchmark = Benchmark(arguments.data.absolute(), arguments.files, arguments.runs)
        benchmark.compete([contestant for contestant in CONTESTANTS if contestant.name in names])
        for name in _FOLLOW_UPS:
            if name in names:
                benchmark.follow_up(name)
    except CommandFailed as error:
        _say(str(error))
        return 1
    tables = [_runs_table(benchmark.results, benchmark.logs), target_table(benchmark.results)]
    facts = [
        f"Machine: {machine()}",
        f"Other work on it when the runs began: load {benchmark.load:.1f}",
        f"Versions: {versions()}",
        f"Logs: {_described(benchmark.logs)}",
    ]
    if arguments.files != _FILES:
        facts.append("These are not the complete logs: the figures only show that the benchmark works")
    print("\n".join(facts), *(table.plain() for table in tables), sep="\n\n")
    if arguments.markdown:
        _write_markdown(arguments.markdown, facts, tables)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=_positive, default=3, help="runs of each command; the median counts (3)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=tuple(_TITLES),
        help=f"measure only this; may be repeated: {', '.join(_TITLES)}",
    )
    parser.add_argument("--large", action="store_true", help="also ingest ten times the files, for the memory")
    parser.add_argument("--data", type=Path, default=_DATA, metavar="DIR", help="keep the logs there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there as well")
    parser.add_argument("--files", type=_positive, default=_FILES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_markdown(file: Path, facts: Sequence[str], tables: Sequence[Table]) -> None:
    """Write the figures to a file of their own, or into the place that a document keeps for them."""
    figures = "\n\n".join(["\n".join(f"- {fact}" for fact in facts), *(table.markdown() for table in tables)])
    document = file.read_text(encoding="utf-8") if file.exists() else ""
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    text = f"{before}{begin}\n\n{figures}\n\n{end}{after}" if begin and end else f"{figures}\n"
    file.write_text(text, encoding="utf-8")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _runs_table(results: Results, logs: LogSet) -> Table:
    rows = []
    for name, title in _TITLES.items():
        if name in results:
            series = results[name]
            shortest, longest = series.spread
            of_logs = name not in _FOLLOW_UPS
            speed = f"{megabytes(logs.json_bytes / series.seconds)}/s" if of_logs else ""
            rows.append(
                [
                    title,
                    seconds(series.seconds),
                    f"{seconds(shortest)} to {seconds(longest)}",
                    seconds(series.cpu_seconds),
                    megabytes(series.peak_bytes),
                    speed,
                ]
            )
    headings = ["Command", "Median", "All runs", "Processor", "Peak memory", "JSON per second"]
    return Table(f"Runs ({_count(results)} of each)", headings, rows)


def _count(results: Results) -> str:
    counts = {len(series.runs) for name, series in results.items() if name != "large"}
    return " to ".join(map(str, sorted(counts))) or "1"


def _described(logs: LogSet) -> str:
    return (
        f"{logs.files:,} gz files, {logs.records:,} records, {megabytes(logs.json_bytes)} of JSON, "
        f"{megabytes(logs.gzip_bytes)} compressed"
    )


def _is_missing(contestant: Contestant) -> bool:
    if reason := contestant.missing():
        _say(f"{contestant.title}: left out, {reason}")
    return contestant.missing() is not None


def _read_all(folder: Path) -> None:
    """Bring the files into the page cache, so that the first contestant does not pay for the others."""
    for path in _files(folder):
        path.read_bytes()


def _files(folder: Path) -> Iterable[Path]:
    return folder.rglob("*.json.gz")


def _remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
