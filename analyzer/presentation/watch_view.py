"""Comparison, exceptions and findings in words."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from analyzer.comparison import Change, Comparison
from analyzer.exceptions_file import Exemption, Exemptions
from analyzer.findings import Finding
from analyzer.report import Report

_CHANGES_SHOWN = 20
_FINDINGS_SHOWN = 20
"""For each kind."""


def comparison_lines(comparison: Comparison | None, *, show_all: bool = False) -> list[str]:
    """What changed since the baseline, to stand above the verdicts: a sentence and a list."""
    if comparison is None:
        return []
    changes = comparison.changes
    shown = changes if show_all else changes[:_CHANGES_SHOWN]
    lines = [f"Since {comparison.baseline.name}: {_count(len(changes), 'change')}."]
    lines += [f"- {_change(change)}" for change in shown]
    if len(shown) < len(changes):
        lines.append(f"- {len(changes) - len(shown):,} more changes; --all and --output json show every one.")
    return lines + [f"- {note}" for note in comparison.notes]


def _change(change: Change) -> str:
    return f"{change.text} (accepted)" if change.is_excepted else change.text


def exemptions_in_words(exemptions: Iterable[Exemption]) -> str:
    """Reasons and days, for a cell."""
    return "; ".join(f"{one.reason} (until {one.expires})" for one in exemptions)


def exemption_notes(report: Report) -> list[str]:
    """What to say of the exceptions below the verdicts."""
    exemptions = report.question.exemptions
    callers = [row for row in report.global_callers if report.exemptions_of(row)]
    notes = []
    if callers:
        calls = sum(row.calls for row in callers)
        notes.append(f"{calls:,} of the issuing calls to the global endpoint are accepted by an exception.")
    notes += expired_lines(exemptions)
    notes += [
        f"The exception for {one.in_words()} accepts nothing in this window; remove it if it is done with."
        for one in report.useless_exemptions
    ]
    return notes


def expired_lines(exemptions: Exemptions) -> list[str]:
    """A line for each exception that no longer counts."""
    return [
        f"The exception for {one.in_words()} expired on {one.expires} and no longer counts ({one.reason}); "
        "review it: renew or remove it."
        for one in exemptions.expired
    ]


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """What stderr says of findings: a line for each, so many of a kind."""
    lines = []
    for kind, found in groupby(findings, key=lambda finding: finding.kind):
        every = list(found)
        lines += [f"finding ({kind.value}): {finding.text}" for finding in every[:_FINDINGS_SHOWN]]
        if len(every) > _FINDINGS_SHOWN:
            lines.append(
                f"finding ({kind.value}): … {len(every) - _FINDINGS_SHOWN:,} more; --output json lists every one"
            )
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
