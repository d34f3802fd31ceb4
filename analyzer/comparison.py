"""What changed since a saved report: a pure function over two reports.

Compared are verdict rows and the callers of the global endpoint. Counts are those of each report's own window, so
a comparison says in words when windows, versions or questions differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from analyzer.baseline import Baseline, BaselineRow, caller_of
from analyzer.coverage import Coverage, Level
from analyzer.report import Report, VerdictRow
from analyzer.usage import GlobalCaller
from analyzer.version import __version__
from analyzer.window import Window, utc_text


class ChangeKind(StrEnum):
    """What sort of change, in the order in which changes are listed."""

    REGION_DISABLED = "region_disabled"
    """Calls were refused with RegionDisabledException since the baseline."""
    NEW_USE = "new_use"
    """A regional endpoint issued credentials to a customer, and had not in the baseline."""
    NEW_GLOBAL_CALLER = "new_global_caller"
    """A principal obtained credentials from the global endpoint, and had not in the baseline."""
    VERDICT = "verdict"
    """The verdict is another, or the row is new or gone."""
    COVERAGE = "coverage"
    """Coverage got worse: a weaker confidence, or a larger part of the days is without evidence."""
    ACCOUNT_GONE = "account_gone"
    """The baseline has verdicts for an account that this report knows nothing of."""
    ACCOUNT_APPEARED = "account_appeared"
    """The baseline knows nothing of an account of this report."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `before` and `after` are counts or words of the kind's own; None where there is nothing.

    `is_excepted`: an exception that counts accepts all of the use that it is about.
    """

    kind: ChangeKind
    account_id: str
    region: str | None
    principal: str | None
    before: int | str | None
    after: int | str | None
    text: str
    is_excepted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The change as an object; `region` is `global` for the global endpoint."""
        return {
            "kind": self.kind.value,
            "account_id": self.account_id,
            "region": self.region,
            "principal": self.principal,
            "before": self.before,
            "after": self.after,
            "excepted": self.is_excepted,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every change, by kind, account and region, and in `notes` what to know when reading them."""

    baseline: Baseline
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    def of(self, kind: ChangeKind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind is kind)

    def to_json(self) -> dict[str, Any]:
        """The comparison as an object."""
        window = self.baseline.window
        return {
            "baseline": {
                "version": self.baseline.version,
                "since": utc_text(window.since) if window else None,
                "until": utc_text(window.until) if window else None,
            },
            "notes": list(self.notes),
            "changes": [change.to_json() for change in self.changes],
        }


def compare(baseline: Baseline, report: Report) -> Comparison:
    """What changed from the baseline to the report. What one of them was not asked about is left out."""
    changes = [*_account_changes(baseline, report), *_row_changes(baseline, report)]
    changes += _caller_changes(baseline, report)
    kinds = list(ChangeKind)
    changes.sort(key=lambda c: (kinds.index(c.kind), c.account_id, c.region or "", c.principal or ""))
    return Comparison(baseline, tuple(changes), tuple(_notes(baseline, report)))


# Accounts


def _account_changes(baseline: Baseline, report: Report) -> Iterator[Change]:
    known = {account_id for account_id, _ in baseline.rows}
    asked = {place[0] for place in baseline.rows if report.question.asks_about(*place)}
    present = set(report.accounts)
    for account_id in sorted(asked - present):
        text = f"{account_id} is in the baseline, and these logs know nothing of it"
        yield Change(ChangeKind.ACCOUNT_GONE, account_id, None, None, "present", None, text)
    for account_id in sorted(present - known):
        if not baseline.accounts or account_id in baseline.accounts:
            text = f"{account_id} is not in the baseline"
            yield Change(ChangeKind.ACCOUNT_APPEARED, account_id, None, None, None, "present", text)


# Regions


def _row_changes(baseline: Baseline, report: Report) -> Iterator[Change]:
    known = {account_id for account_id, _ in baseline.rows}
    present = set(report.accounts)
    for row in report.verdicts:
        if not baseline.asked_about(row.account_id, row.region.code):
            continue
        before = baseline.rows.get((row.account_id, row.region.code))
        yield from _use_changes(row, before)
        yield from _refusal_changes(row, before, baseline.window)
        if row.account_id in known:
            yield from _verdict_changes(row, before)
        if before is not None:
            yield from _coverage_changes(row, before)
    places = {(row.account_id, row.region.code) for row in report.verdicts}
    for place, before in baseline.rows.items():
        if place[0] in present and place not in places and report.question.asks_about(*place):
            text = f"{place[0]} {place[1]}: {before.verdict.value} in the baseline, and not in this report"
            yield Change(ChangeKind.VERDICT, *place, None, before.verdict.value, None, text)


def _use_changes(row: VerdictRow, before: BaselineRow | None) -> Iterator[Change]:
    usage = row.seen.usage
    calls = usage.issuing_calls - usage.service_calls
    if calls > 0 and (before is None or before.customer_calls <= 0):
        yield _change(
            ChangeKind.NEW_USE,
            row,
            before.customer_calls if before else None,
            calls,
            f"newly used: {_count(calls, 'issuing call')}, {_span(usage.first_used, usage.last_used)}",
            is_excepted=row.acceptance.customers,
        )


def _refusal_changes(row: VerdictRow, before: BaselineRow | None, window: Window | None) -> Iterator[Change]:
    usage = row.seen.usage
    last = usage.last_region_disabled
    if last is not None and _is_later(last.replace(microsecond=0), usage.region_disabled_errors, before, window):
        yield _change(
            ChangeKind.REGION_DISABLED,
            row,
            before.region_disabled_errors if before else None,
            usage.region_disabled_errors,
            f"RegionDisabledException since the baseline, last {utc_text(last)}: somebody misses this endpoint",
            is_excepted=row.acceptance.refused,
        )


def _is_later(last: datetime, errors: int, before: BaselineRow | None, window: Window | None) -> bool:
    """Whether the last refusal came after what the baseline knew. `last`: to the second, as JSON has times."""
    if before is None or not before.region_disabled_errors:
        return True
    if before.last_region_disabled is not None:
        return last > before.last_region_disabled
    return errors > before.region_disabled_errors or window is None or last >= window.end


def _verdict_changes(row: VerdictRow, before: BaselineRow | None) -> Iterator[Change]:
    after = row.verdict.value
    if before is None:
        yield _change(ChangeKind.VERDICT, row, None, after, f"not in the baseline, now {after}")
    elif before.verdict is not row.verdict:
        words = f"{before.verdict.value} in the baseline, now {after} ({row.decision.reasons[0].value})"
        yield _change(ChangeKind.VERDICT, row, before.verdict.value, after, words)


def _coverage_changes(row: VerdictRow, before: BaselineRow) -> Iterator[Change]:
    strongest_first = list(Level)
    weaker = strongest_first.index(row.coverage.confidence) > strongest_first.index(before.confidence)
    darker = row.coverage.none * before.days > before.dark_days * row.coverage.days
    if not row.region.toggle.is_fixed and (weaker or darker):
        was, now = _coverage_words(before), _coverage_words(row.coverage)
        yield _change(ChangeKind.COVERAGE, row, was, now, f"coverage got worse: {was}; now {now}")


def _coverage_words(said: BaselineRow | Coverage) -> str:
    dark = said.dark_days if isinstance(said, BaselineRow) else said.none
    return f"{said.confidence.value}, {dark} of {_count(said.days, 'day')} without evidence"


def _change(
    kind: ChangeKind,
    row: VerdictRow,
    before: int | str | None,
    after: int | str | None,
    words: str,
    *,
    is_excepted: bool = False,
) -> Change:
    account_id, region = row.account_id, row.region.code
    text = f"{account_id} {region}: {words}"
    return Change(kind, account_id, region, None, before, after, text, is_excepted)


# Callers of the global endpoint


def _caller_changes(baseline: Baseline, report: Report) -> Iterator[Change]:
    if baseline.global_callers is None:
        return
    for (account_id, caller), found in groupby(sorted(report.global_callers, key=caller_key), key=caller_key):
        rows = [row for row in found if baseline.asked_about(account_id, row.serving_region)]
        if not rows or (account_id, caller) in baseline.global_callers:
            continue
        first, last = min(row.first_used for row in rows), max(row.last_used for row in rows)
        if baseline.unlisted_callers and baseline.window and first < baseline.window.end:
            continue
        calls = sum(row.calls for row in rows)
        yield Change(
            ChangeKind.NEW_GLOBAL_CALLER,
            account_id,
            "global",
            caller,
            None,
            calls,
            f"{account_id}: newly at the global endpoint: {caller}, {_count(calls, 'issuing call')}, "
            f"{_span(first, last)}",
            is_excepted=all(report.exemptions_of(row) for row in rows),
        )


def caller_key(caller: GlobalCaller) -> tuple[str, str]:
    """Account and caller: what callers of the global endpoint are told apart by."""
    return caller.account_id, caller_of(caller.principal)


# Words


def _notes(baseline: Baseline, report: Report) -> Iterator[str]:
    if baseline.window != report.window:
        yield (
            f"The baseline is about {_window(baseline.window)}, this report about {_window(report.window)}: "
            "some changes may come from the days alone."
        )
    if baseline.version != __version__:
        yield (
            f"Version {baseline.version} wrote the baseline, this report is by {__version__}: some changes may "
            "come from its rules."
        )
    if baseline.min_days != report.min_days:
        yield f"The baseline was asked with --min-days {baseline.min_days}, this report with {report.min_days}."
    policy = report.question.policy.service_calls
    if baseline.service_calls not in (None, policy):
        yield f"The baseline was asked with --service-calls {baseline.service_calls}, this report with {policy}."
    if (baseline.accounts, baseline.regions) != (report.question.accounts, report.question.regions):
        yield "The two were asked about different accounts or regions: what one leaves out is not compared."
    if baseline.global_callers is None:
        yield "The baseline lists no callers of the global endpoint: which are new cannot be told."
    if baseline.unlisted_callers:
        yield (
            f"The baseline leaves out {baseline.unlisted_callers:,} callers of the global endpoint: only those "
            "first seen after its window are told as new."
        )


def _window(window: Window | None) -> str:
    if window is None:
        return "no days"
    return f"{window.since} to {window.until} (excluded, {_count(window.days, 'day')})"


def _span(first: datetime | None, last: datetime | None) -> str:
    return f"first {utc_text(first)}, last {utc_text(last)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
