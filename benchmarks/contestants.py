"""The commands that are measured, each a whole process that turns the same logs into a file or a store."""

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import FIVE_FIELDS
from benchmarks.measure import ROOT

_PRODUCT = str(Path(sys.executable).with_name("sts-regions"))


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way to read the logs. `command` takes the logs and where to write; `missing` says what is not there."""

    name: str
    title: str
    output: str
    command: Callable[[Path, Path], list[str]]
    missing: Callable[[], str | None] = lambda: None


def ingest(logs: Path, store: Path) -> list[str]:
    """The product, as a user starts it."""
    return [_PRODUCT, "ingest", str(logs), "--store", str(store)]


def report(store: Path) -> list[str]:
    """The product's report from a store."""
    return [_PRODUCT, "report", "--store", str(store)]


def compact(store: Path) -> list[str]:
    """The product, merging the small Parquet files of a store."""
    return [_PRODUCT, "store", "compact", "--store", str(store)]


def coverage(logs: Path, store: Path, answer: Path) -> list[str]:
    """The product's check of all digests, those of a store and those that are new."""
    return [_PRODUCT, "coverage", str(logs), "--store", str(store), "--output", "json", "--out", str(answer)]


def show_help() -> list[str]:
    """The product, doing next to nothing."""
    return [_PRODUCT, "--help"]


def module(name: str, *arguments: object) -> list[str]:
    """A program of this package."""
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]


def _on_one_core(logs: Path, store: Path) -> list[str]:
    return ["taskset", "-c", "0", *ingest(logs, store), "--threads", "1"]


def _jq(logs: Path, output: Path) -> list[str]:
    fields = ", ".join(f".{name}" for name in FIVE_FIELDS)
    script = (
        f"find {shlex.quote(str(logs))} -name '*.json.gz' -print0 | xargs -0 zcat "
        f"| jq -c '.Records[] | [{fields}]' > {shlex.quote(str(output))}"
    )
    return ["sh", "-c", script]


def _chdb(fields: str) -> Callable[[Path, Path], list[str]]:
    def command(logs: Path, output: Path) -> list[str]:
        writer = module("chdb_sql", logs, output, fields)
        statement = subprocess.run(writer, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return module("with_chdb", statement.strip())

    return command


def _needs(*tools: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        absent = [tool for tool in tools if shutil.which(tool) is None]
        return f"{', '.join(absent)} not installed" if absent else None

    return missing


def _needs_chdb() -> str | None:
    return None if importlib.util.find_spec("chdb") else "chdb not installed: pip install -e '.[bench]'"


PRODUCT = Contestant("product", "sts-regions ingest", "store", ingest)
ONE_CORE = Contestant("one-core", "sts-regions ingest, one core", "store", _on_one_core, _needs("taskset"))

CONTESTANTS = (
    PRODUCT,
    Contestant("floor", "bare pyarrow loop (floor.py)", "output.parquet", lambda *to: module("floor", *to)),
    Contestant("duckdb", "DuckDB read_json, 5 fields", "output.parquet", lambda *to: module("with_duckdb", *to)),
    Contestant("jq", "zcat | jq -c, 5 fields", "output.jsonl", _jq, _needs("find", "xargs", "zcat", "jq")),
    Contestant("chdb", "chDB, 5 fields", "output.parquet", _chdb("five"), _needs_chdb),
    Contestant("chdb-all", "chDB, the product's fields", "output.parquet", _chdb("all"), _needs_chdb),
    ONE_CORE,
)
