"""What the product promises, and whether this run shows it. A target missed is printed, never an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.measure import Series
from benchmarks.tables import Table, megabytes, seconds

Results = Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: a figure made of one or two measures, and its bound.

    `needs` are names of measures. `is_least`: whether the figure must reach the bound or stay below it.
    """

    text: str
    needs: tuple[str, ...]
    figure: Callable[..., float]
    bound: float
    show: Callable[[float], str]
    is_least: bool = False

    def row(self, results: Results) -> list[str] | None:
        """Its line of the table; None when a measure is missing."""
        if any(name not in results for name in self.needs):
            return None
        figure = self.figure(*(results[name] for name in self.needs))
        is_met = figure >= self.bound if self.is_least else figure <= self.bound
        sign = "≥" if self.is_least else "≤"
        return [self.text, self.show(figure), f"{sign} {self.show(self.bound)}", "PASS" if is_met else "MISS"]


def _times(value: float) -> str:
    return f"{value:.2f}x"


def _ratio(first: Series, second: Series) -> float:
    return first.seconds / second.seconds


def _memory_ratio(first: Series, second: Series) -> float:
    return first.peak_bytes / second.peak_bytes


def _seconds(series: Series) -> float:
    return series.seconds


def _peak(series: Series) -> float:
    return series.peak_bytes


def _faster(rival: str, title: str, bound: float) -> Target:
    return Target(f"faster than {title}", (rival, "product"), _ratio, bound, _times, is_least=True)


TARGETS = (
    _faster("duckdb", "DuckDB read_json, 5 fields", 6),
    _faster("jq", "zcat | jq, 5 fields", 2),
    _faster("chdb", "chDB, 5 fields", 1.3),
    _faster("chdb-all", "chDB, the product's fields", 1.3),
    _faster("one-core", "itself on one core", 1.7),
    Target("time over that of the bare loop", ("product", "floor"), _ratio, 1.5, _times),
    Target("peak memory of ingest", ("product",), _peak, 600e6, megabytes),
    Target("peak memory of ingest, ten times the files", ("large",), _peak, 600e6, megabytes),
    Target("… over that of the files once", ("large", "product"), _memory_ratio, 1.15, _times),
    Target("ingest again with nothing new", ("again",), _seconds, 1, seconds),
    Target("report over ten million events", ("report",), _seconds, 3, seconds),
    Target("peak memory of that report", ("report",), _peak, 2e9, megabytes),
    Target("sts-regions --help", ("help",), _seconds, 0.4, seconds),
)


def target_table(results: Results) -> Table:
    """Every target whose measures are there."""
    rows = [row for target in TARGETS if (row := target.row(results)) is not None]
    return Table("Targets", ["Product", "Measured", "Target", ""], rows)
