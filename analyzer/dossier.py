"""Everything that the report for people shows, gathered once: SQL counts, the page only shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from analyzer.caller_report import CallerReport, build_caller_report
from analyzer.coverage_report import CoverageReport, build_coverage_report
from analyzer.plan import Postponed, postponed_rows, ready_rows
from analyzer.report import PeriodRow, Report, VerdictRow, usage_by_period
from analyzer.simulation import Remainder, by_account, remainder
from analyzer.store import Store
from analyzer.usage import UsageRow
from analyzer.window import Window


class Grain(StrEnum):
    """Length of the periods that pictures are cut into, so that there are not too many of them."""

    DAY = "day"
    """For windows of at most 31 days."""
    WEEK = "week"
    """From Monday to Sunday; for windows of at most 217 days."""
    MONTH = "month"
    """For windows of at most three years."""
    YEAR = "year"
    """For longer windows."""

    @classmethod
    def of(cls, days: int) -> "Grain":
        """The finest one that keeps a window of so many days legible."""
        limits = ((31, cls.DAY), (217, cls.WEEK), (1096, cls.MONTH))
        return next((grain for limit, grain in limits if days <= limit), cls.YEAR)

    def first_day(self, day: date) -> date:
        """The first day of the period that a day is in."""
        if self is Grain.WEEK:
            return day - timedelta(days=day.weekday())
        return day if self is Grain.DAY else day.replace(day=1, month=day.month if self is Grain.MONTH else 1)


@dataclass(frozen=True, slots=True)
class AccountSteps:
    """What to do in one account, in order; what must wait; and what stays active afterwards."""

    account_id: str
    ready: tuple[VerdictRow, ...]
    postponed: tuple[Postponed, ...]
    left: Remainder


@dataclass(frozen=True, slots=True)
class Dossier:
    """One report with what it rests on. `fingerprint`: SHA-256 over the contents of all that was read."""

    report: Report
    coverage: CoverageReport
    callers: CallerReport
    grain: Grain
    periods: tuple[PeriodRow, ...]
    steps: tuple[AccountSteps, ...]
    fingerprint: str

    @property
    def window(self) -> Window | None:
        """The days it is about."""
        return self.report.window


def gather_dossier(store: Store, report: Report) -> Dossier:
    """Ask the store from which a report was made for what else the page shows, by the report's own question."""
    grain = grain_of(report)
    return lay_out(
        report,
        build_caller_report(store, report.question),
        usage_by_period(store, report.question, grain.value),
        store.fingerprint(),
    )


def grain_of(report: Report) -> Grain:
    """The grain for the report's window."""
    return Grain.of(report.window.days if report.window else 0)


def lay_out(report: Report, callers: CallerReport, periods: Sequence[PeriodRow], fingerprint: str) -> Dossier:
    """Put together what was counted. `periods`: cut by the grain of the report's window."""
    usage = by_account(report.usage)
    return Dossier(
        report=report,
        coverage=build_coverage_report(report),
        callers=callers,
        grain=grain_of(report),
        periods=tuple(periods),
        steps=tuple(
            _steps(account_id, rows, usage.get(account_id, ()))
            for account_id, rows in by_account(report.verdicts).items()
        ),
        fingerprint=fingerprint,
    )


def _steps(account_id: str, rows: Sequence[VerdictRow], usage: Sequence[UsageRow]) -> AccountSteps:
    ready = ready_rows(rows)
    left = remainder(account_id, usage, rows, {row.region.code for row in ready})
    return AccountSteps(account_id, tuple(ready), postponed_rows(rows), left)
