"""The report in words and rows: the decision first, then what needs attention, then what is folded."""

from collections.abc import Sequence

from analyzer.coverage import Coverage
from analyzer.findings import Watched
from analyzer.presentation.output import Answer, Styled, Table
from analyzer.presentation.watch_view import comparison_lines, exemption_notes, exemptions_in_words
from analyzer.report import Report, VerdictRow
from analyzer.usage import Endpoint
from analyzer.verdicts import Reason, Verdict
from analyzer.window import utc_text

MARKS = {
    Verdict.DEACTIVATE: ("✔", "green"),
    Verdict.REVIEW: ("?", "yellow"),
    Verdict.CANNOT_TELL: ("~", "magenta"),
    Verdict.KEEP: ("●", "blue"),
    Verdict.INACTIVE: ("○", "cyan"),
    Verdict.FIXED: ("■", "dim"),
}
"""Symbol and colour beside the word of each verdict."""

_COLUMNS = (
    *("account", "region", "verdict", "confidence", "days seen"),
    *("issued", "to services", "failed", "last used", "why"),
)


def report_answer(report: Report, *, show_all: bool = False, watched: Watched | None = None) -> Answer:
    """The report in all its forms. `watched`: what changed, and the findings, if that was asked for."""
    watched = watched or Watched()
    shown = [row for row in report.verdicts if show_all or not _is_folded(row)]
    folded = [row for row in report.verdicts if not show_all and _is_folded(row)]
    return Answer(
        data=report.to_json() | watched.to_json(),
        table=verdict_table(report.verdicts),
        view=Table(_COLUMNS, [_view_row(row) for row in shown]),
        headline=(headline(report), basis(report), *comparison_lines(watched.comparison, show_all=show_all)),
        notes=(*_fold_notes(folded), *report_notes(report)),
    )


def report_notes(report: Report) -> tuple[str, ...]:
    """What has to be known beside the verdicts."""
    return (
        *_global_notes(report),
        *exemption_notes(report),
        *_event_history_notes(report),
        *_trail_notes(report),
    )


def headline(report: Report) -> str:
    """The decision in one sentence."""
    if not report.verdicts:
        return "No account was found in the logs: nothing can be decided."
    parts = [f"{_endpoints(report.count(Verdict.DEACTIVATE))} may be deactivated"]
    parts.append(f"{report.count(Verdict.KEEP)} must stay")
    for verdict, words in ((Verdict.REVIEW, "need a review"), (Verdict.INACTIVE, "refuse calls already")):
        if count := report.count(verdict):
            parts.append(f"{count} {words}")
    if count := report.count(Verdict.CANNOT_TELL):
        parts.append(f"{count} cannot be judged{_why_not(report)}")
    accounts = len(report.accounts)
    return f"{accounts} {'account' if accounts == 1 else 'accounts'}: {', '.join(parts)}."


def _endpoints(count: int) -> str:
    return f"{count} regional endpoint" if count == 1 else f"{count} regional endpoints"


def _why_not(report: Report) -> str:
    rows = [row for row in report.verdicts if row.verdict is Verdict.CANNOT_TELL]
    causes = []
    if gaps := sum(row.coverage.none for row in rows if Reason.COVERAGE_GAP in row.decision.reasons):
        causes.append(f"no logs on {gaps:,} of their {sum(row.coverage.days for row in rows):,} region-days")
    if any(Reason.WINDOW_TOO_SHORT in row.decision.reasons for row in rows):
        days = report.window.days if report.window else 0
        causes.append(f"{days} days are fewer than the {report.min_days} of --min-days")
    if any(Reason.WRITE_ONLY_LOGS in row.decision.reasons for row in rows):
        causes.append("the logs of some accounts hold no reads")
    return f": {'; '.join(causes)}" if causes else ""


def basis(report: Report) -> str:
    """What the decision rests on."""
    records = report.balance.records
    window = report.window
    span = f"{window.since} to {window.until} (excluded), {window.days} days UTC" if window else "no days"
    rejected = report.balance.files.rejected + records.rejected
    warning = f"; {rejected:,} files or records were rejected and could not be judged" if rejected else ""
    read = f"{records.kept:,} new of {records.seen:,} records" if records.seen else "nothing new"
    return f"Window: {span}. Read: {read} in {report.balance.files.seen:,} files{warning}."


def verdict_table(rows: Sequence[VerdictRow]) -> Table:
    """Every verdict with every figure of the JSON contract, one column each."""
    records = [flat_record(row) for row in rows]
    columns = tuple(records[0]) if records else ("account_id", "region", "verdict")
    return Table(columns, [tuple(record.values()) for record in records])


def flat_record(row: VerdictRow) -> dict[str, str | int | None]:
    """Every field of the JSON contract in one cell each."""
    flat: dict[str, str | int | None] = {}
    for name, value in row.to_json().items():
        if name == "exceptions":
            flat[name] = exemptions_in_words(row.acceptance.exemptions)
        elif isinstance(value, dict):
            flat |= {f"{name}_{key}": part for key, part in value.items()}
        else:
            flat[name] = " ".join(value) if isinstance(value, list) else value
    return flat


def _view_row(row: VerdictRow) -> tuple[str | int | Styled | None, ...]:
    usage = row.seen.usage
    return (
        row.account_id,
        row.region.code,
        marked(row.verdict),
        row.coverage.confidence.value,
        _days_seen(row.coverage),
        usage.issuing_calls,
        usage.service_calls,
        usage.failed_calls,
        (utc_text(usage.last_used) or "")[:10],
        why(row)
        + (f"; to settle it: {row.settled_by}" if row.settled_by else "")
        + ("" if row.is_other_activity_known else "; other activity unknown")
        + _acceptance(row),
    )


def _acceptance(row: VerdictRow) -> str:
    if not row.acceptance.exemptions:
        return ""
    extent = "accepted" if row.acceptance.all_callers else "accepted in part"
    return f"; {extent}: {exemptions_in_words(row.acceptance.exemptions)}"


def marked(verdict: Verdict) -> Styled:
    """The verdict as word, symbol and colour."""
    symbol, style = MARKS[verdict]
    return Styled(f"{symbol} {verdict.value}", style)


def _days_seen(coverage: Coverage) -> str:
    return f"{coverage.days - coverage.none}/{coverage.days}"


def why(row: VerdictRow) -> str:
    """All reasons of a verdict in words, the deciding one first."""
    return "; ".join(_in_words(reason, row) for reason in row.decision.reasons)


def _in_words(reason: Reason, row: VerdictRow) -> str:
    usage, seen, coverage = row.seen.usage, row.seen, row.coverage
    words = {
        Reason.NOT_TOGGLEABLE: "always active",
        Reason.OPT_IN_REGION: "follows the opt-in region",
        Reason.REGION_DISABLED_SEEN: f"RegionDisabledException seen, last {utc_text(usage.last_region_disabled)}",
        Reason.ISSUING_CALLS: f"{usage.issuing_calls - usage.service_calls:,} issuing calls by "
        + ("1 principal" if usage.principals == 1 else f"{usage.principals:,} principals"),
        Reason.SERVICE_CALLS_ONLY: f"{usage.service_calls:,} issuing calls by AWS services only"
        + (f" ({usage.service_linked_calls:,} to service-linked roles)" if usage.service_linked_calls else ""),
        Reason.FAILED_CALLS: f"{usage.failed_calls:,} failed",
        Reason.UNKNOWN_OPERATIONS: f"{usage.unknown_operations:,} calls of unknown operations",
        Reason.SERVES_GLOBAL_CALLS: f"serves {seen.served_global_calls:,} global calls",
        Reason.OTHER_ACTIVITY: f"{seen.other_activity:,} writes of other services",
        Reason.COVERAGE_GAP: f"no logs on {coverage.none} of {coverage.days} days",
        Reason.WINDOW_TOO_SHORT: "window too short",
        Reason.WRITE_ONLY_LOGS: "logs hold no reads",
        Reason.UNUSED: "nothing seen",
        Reason.NON_ISSUING_CALLS: f"{usage.non_issuing_calls - usage.unknown_operations:,} non-issuing calls",
    }
    return words[reason]


def _is_folded(row: VerdictRow) -> bool:
    """Rows that need no attention, or all the same kind of attention."""
    return (row.verdict is Verdict.FIXED and not row.acceptance.exemptions) or _is_dark(row)


def _is_dark(row: VerdictRow) -> bool:
    """Whether no log at all is there, so that the row says nothing of its own."""
    return row.verdict is Verdict.CANNOT_TELL and row.coverage.none == row.coverage.days


def _fold_notes(folded: Sequence[VerdictRow]) -> list[str]:
    notes = []
    for account_id in sorted({row.account_id for row in folded}):
        rows = [row for row in folded if row.account_id == account_id]
        dark = [row.region.code for row in rows if _is_dark(row)]
        fixed = [row.region.code for row in rows if not _is_dark(row)]
        parts = []
        if dark:
            parts.append(f"cannot_tell without any log for {len(dark)}: {', '.join(dark)}")
        if fixed:
            parts.append(f"{len(fixed)} fixed")
        notes.append(f"{account_id}: {'; '.join(parts)}")
    if notes:
        notes.append("Folded: regions without any log and those that cannot be toggled; --all shows every row.")
    if any(_is_dark(row) for row in folded):
        notes.append(
            "What would settle a region without any log: its digests or a description of the trail (--trail), if "
            "it is quiet; else its log files. 'sts-regions coverage' shows every hole."
        )
    return notes


def _event_history_notes(report: Report) -> list[str]:
    if all(row.is_other_activity_known for row in report.verdicts):
        return []
    return [
        "Event history was asked for STS only: whether somebody works in a region with other services is not "
        "known ('other activity unknown')."
    ]


def _trail_notes(report: Report) -> list[str]:
    return [trail.in_words() for trail in report.evidence.trails if trail.shortcomings]


def _global_notes(report: Report) -> list[str]:
    calls = sum(row.calls for row in report.usage if row.endpoint is Endpoint.GLOBAL)
    unknown = sum(row.calls for row in report.usage if row.endpoint is Endpoint.UNKNOWN)
    notes = []
    if calls:
        notes.append(f"{calls:,} calls used the global endpoint: 'sts-regions usage' shows for which accounts.")
    if unknown:
        notes.append(
            f"{unknown:,} calls were logged in us-east-1 without anything that tells the global endpoint from "
            "the regional one; they are counted as unknown."
        )
    return notes
