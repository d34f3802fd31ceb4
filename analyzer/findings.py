"""What a scheduled job wants to be told of: findings, which `--fail-on` turns into exit code 3."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from analyzer.baseline import Baseline
from analyzer.comparison import ChangeKind, Comparison, caller_key, compare
from analyzer.errors import UsageError
from analyzer.exceptions_file import GLOBAL
from analyzer.report import Report
from analyzer.verdicts import Verdict
from analyzer.window import utc_text


class FailOn(StrEnum):
    """What `--fail-on` takes. Accepted use (exceptions) is no finding of the first three."""

    GLOBAL = "global"
    """Somebody obtained credentials from the global endpoint in the window."""
    NEW_USE = "new-use"
    """A region is used that was not in the baseline (`--compare`)."""
    REGION_DISABLED = "region-disabled"
    """RegionDisabledException in the window; with `--compare`, since the baseline only."""
    COVERAGE = "coverage"
    """A region has a day without evidence, or something is not as CloudTrail delivered it."""
    CANNOT_TELL = "cannot-tell"
    """A verdict is `cannot_tell`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `region` is `global` for the global endpoint; None is about all there is."""

    kind: FailOn
    account_id: str | None
    region: str | None
    principal: str | None
    text: str

    def to_json(self) -> dict[str, Any]:
        """The finding as an object."""
        return {
            "kind": self.kind.value,
            "account_id": self.account_id,
            "region": self.region,
            "principal": self.principal,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Watched:
    """A report as a watch sees it. Without a baseline `comparison` is None, without `--fail-on` `findings` is."""

    comparison: Comparison | None = None
    findings: tuple[Finding, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """What joins the report's object: only what was asked for."""
        answer: dict[str, Any] = {}
        if self.comparison is not None:
            answer["comparison"] = self.comparison.to_json()
        if self.findings is not None:
            answer["findings"] = [finding.to_json() for finding in self.findings]
        return answer


@dataclass(frozen=True, slots=True)
class Watch:
    """What to hold a report against, and which findings to look for.

    Raises UsageError when a kind of finding needs a baseline and there is none.
    """

    baseline: Baseline | None = None
    fail_on: frozenset[FailOn] = frozenset()

    def __post_init__(self) -> None:
        if FailOn.NEW_USE in self.fail_on and self.baseline is None:
            raise UsageError("--fail-on new-use needs a report to compare with; give it with --compare FILE")

    def look(self, report: Report) -> Watched:
        """Compare, and look for findings."""
        comparison = compare(self.baseline, report) if self.baseline else None
        if not self.fail_on:
            return Watched(comparison)
        return Watched(comparison, find(report, comparison, self.fail_on))


def parse_fail_on(texts: Iterable[str]) -> frozenset[FailOn]:
    """Read the values of `--fail-on`, each one kind or several with commas. Raises UsageError."""
    kinds: set[FailOn] = set()
    for word in (word.strip() for text in texts for word in text.split(",")):
        try:
            kinds.add(FailOn(word))
        except ValueError:
            raise UsageError(f"--fail-on takes {', '.join(FailOn)}; not {word!r}") from None
    return frozenset(kinds)


def find(report: Report, comparison: Comparison | None, kinds: Iterable[FailOn]) -> tuple[Finding, ...]:
    """The findings of the kinds asked for, by kind, account and region."""
    wanted = set(kinds)
    return tuple(finding for kind in FailOn if kind in wanted for finding in _FINDERS[kind](report, comparison))


def _global(report: Report, _: Comparison | None) -> Iterator[Finding]:
    unaccepted = sorted((row for row in report.global_callers if not report.exemptions_of(row)), key=caller_key)
    for (account_id, caller), found in groupby(unaccepted, key=caller_key):
        rows = list(found)
        calls, last = sum(row.calls for row in rows), max(row.last_used for row in rows)
        text = f"{account_id}: {caller}: {_calls(calls)} at the global endpoint, last {utc_text(last)}"
        yield Finding(FailOn.GLOBAL, account_id, GLOBAL, caller, text)


def _new_use(_: Report, comparison: Comparison | None) -> Iterator[Finding]:
    return _from_changes(FailOn.NEW_USE, ChangeKind.NEW_USE, comparison)


def _region_disabled(report: Report, comparison: Comparison | None) -> Iterator[Finding]:
    if comparison is not None:
        yield from _from_changes(FailOn.REGION_DISABLED, ChangeKind.REGION_DISABLED, comparison)
        return
    for row in report.verdicts:
        usage = row.seen.usage
        if usage.region_disabled_errors and not row.acceptance.refused:
            text = (
                f"{row.account_id} {row.region.code}: {usage.region_disabled_errors:,} x RegionDisabledException, "
                f"last {utc_text(usage.last_region_disabled)}"
            )
            yield Finding(FailOn.REGION_DISABLED, row.account_id, row.region.code, None, text)


def _from_changes(kind: FailOn, change_kind: ChangeKind, comparison: Comparison | None) -> Iterator[Finding]:
    for change in comparison.of(change_kind) if comparison else ():
        if not change.is_excepted:
            yield Finding(kind, change.account_id, change.region, change.principal, change.text)


def _coverage(report: Report, comparison: Comparison | None) -> Iterator[Finding]:
    for flaw in report.evidence.flaws:
        if flaw.fault.is_invalid:
            account_id, region = flaw.trail.account_id, flaw.trail.region
            text = f"{account_id} {region}: not as CloudTrail delivered it: {', '.join(flaw.objects)}"
            yield Finding(FailOn.COVERAGE, account_id, region, None, text)
    if not report.verdicts:
        yield Finding(FailOn.COVERAGE, None, None, None, "no account was found in the logs: nothing is watched")
    # An account that vanished has no row that could show its missing days.
    for change in comparison.of(ChangeKind.ACCOUNT_GONE) if comparison else ():
        yield Finding(FailOn.COVERAGE, change.account_id, None, None, change.text)
    for row in report.verdicts:
        if not row.region.toggle.is_fixed and not row.coverage.is_complete:
            days = f"{row.coverage.none} of {row.coverage.days} days"
            text = f"{row.account_id} {row.region.code}: no evidence on {days}"
            yield Finding(FailOn.COVERAGE, row.account_id, row.region.code, None, text)


def _cannot_tell(report: Report, _: Comparison | None) -> Iterator[Finding]:
    for row in report.verdicts:
        if row.verdict is Verdict.CANNOT_TELL:
            reasons = ", ".join(reason.value.replace("_", " ") for reason in row.decision.reasons)
            text = f"{row.account_id} {row.region.code}: cannot tell: {reasons}"
            yield Finding(FailOn.CANNOT_TELL, row.account_id, row.region.code, None, text)


def _calls(number: int) -> str:
    return "1 issuing call" if number == 1 else f"{number:,} issuing calls"


_FINDERS: Mapping[FailOn, Callable[[Report, Comparison | None], Iterator[Finding]]] = {
    FailOn.GLOBAL: _global,
    FailOn.NEW_USE: _new_use,
    FailOn.REGION_DISABLED: _region_disabled,
    FailOn.COVERAGE: _coverage,
    FailOn.CANNOT_TELL: _cannot_tell,
}
