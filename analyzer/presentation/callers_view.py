"""Callers as rows: who, where, how much, with what, and what each has to change."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analyzer.caller_advice import Fix
from analyzer.caller_report import CALLERS, CallerReport, caller_record
from analyzer.callers import Caller
from analyzer.presentation.output import Answer, Table
from analyzer.presentation.safe_text import Cell, visible
from analyzer.usage import Endpoint
from analyzer.user_agent import UNKNOWN
from analyzer.window import utc_text

_ROWS_SHOWN = 40
_PRINCIPAL_WIDTH = 64
_USER_AGENT_WIDTH = 32
_SOURCE_WIDTH = 40
_COLUMNS = (
    *("account", "principal", "endpoint", "served by", "issued", "failed", "other", "days"),
    *("last seen", "software", "from", "fix"),
)
_WORDS = {
    Endpoint.GLOBAL: "of the global endpoint",
    Endpoint.UNKNOWN: "of an unknown one",
    Endpoint.REGIONAL: "of regional ones",
}


def callers_answer(report: CallerReport, *, show_all: bool = False) -> Answer:
    """The callers in all their forms. A terminal shows the first ones, unless `show_all`."""
    shown = report.callers if show_all else report.callers[:_ROWS_SHOWN]
    numbers: dict[str, int] = {}
    for caller in shown:
        if caller.advice.code is not Fix.NONE:
            numbers.setdefault(caller.advice.text, len(numbers) + 1)
    return Answer(
        data=report.to_json(),
        table=_table(report.callers),
        view=Table(_COLUMNS, [_view_row(caller, numbers) for caller in shown]),
        headline=(_headline(report), _basis(report)),
        notes=(
            *(f"({number}) {text}" for text, number in numbers.items()),
            *_notes(report, len(report.callers) - len(shown)),
        ),
    )


def _headline(report: CallerReport) -> str:
    if not report.callers:
        return "No caller was found."
    callers, calls = Counter[Endpoint](), Counter[Endpoint]()
    for caller in report.callers:
        callers[caller.identity.endpoint] += 1
        calls[caller.identity.endpoint] += caller.issuing_calls
    parts = [f"{callers[e]:,} {_WORDS[e]} ({calls[e]:,} issuing calls)" for e in _WORDS if callers[e]]
    return f"{_count(len(report.callers), 'caller')}: {', '.join(parts)}."


def _basis(report: CallerReport) -> str:
    window = report.window
    span = f"{window.since} to {window.until} (excluded), {window.days} days UTC" if window else "no days"
    return f"Window: {span}."


def _notes(report: CallerReport, hidden: int) -> list[str]:
    notes = []
    if hidden:
        notes.append(f"{_count(hidden, 'more caller')}, of less impact; --all shows every one.")
    if any(caller.identity.endpoint is Endpoint.GLOBAL for caller in report.callers):
        notes.append("A global call is no use of the region that served it; moved there, it is.")
    if report.callers:
        notes.append("Software is read from user agents, which are the clients' own text: a hint, no proof.")
    return notes


def _table(callers: Sequence[Caller]) -> Table:
    """Every caller with every field, lists joined by spaces."""
    return Table(tuple(CALLERS.names), [tuple(map(_flat, caller_record(caller).values())) for caller in callers])


def _flat(value: Any) -> Cell:
    if isinstance(value, list):
        return " ".join(value)
    cell: Cell = value
    return cell


def _view_row(caller: Caller, numbers: dict[str, int]) -> tuple[Cell, ...]:
    identity = caller.identity
    return (
        identity.account_id,
        shortened(identity.principal, _PRINCIPAL_WIDTH),
        identity.region or identity.endpoint.value,
        identity.serving_region,
        caller.issuing_calls,
        caller.failed_calls,
        caller.non_issuing_calls,
        caller.days_active,
        (utc_text(caller.last_seen) or "")[:10],
        software(caller),
        _source(caller),
        _fix(caller, numbers),
    )


def _fix(caller: Caller, numbers: dict[str, int]) -> str:
    """The fix with the number of its note; a caller that an exception accepts is marked."""
    advice = caller.advice
    parts = [] if advice.code is Fix.NONE else [f"{advice.code.value} ({numbers[advice.text]})"]
    if caller.exemptions:
        parts.append(f"accepted until {max(exemption.expires for exemption in caller.exemptions)}")
    return ", ".join(parts)


def software(caller: Caller) -> str:
    """SDK and version; without an SDK the tool, and without that some of the user agent."""
    client = caller.client
    if client.sdk == UNKNOWN:
        agent = shortened(caller.user_agent or "", _USER_AGENT_WIDTH)
        words = client.tool or (f"{UNKNOWN}: {agent}" if agent else UNKNOWN)
    else:
        words = f"{client.sdk}/{client.version}" if client.version else client.sdk
        if client.tool and client.tool != "AWS CLI":
            words += f" ({client.tool})"
    return f"{words}, endpoint set by hand" if client.has_endpoint_override else words


def _source(caller: Caller) -> str:
    """Where the calls come from: a name where there is one only, else how many."""
    kinds = (
        (caller.vpc_endpoints, len(caller.vpc_endpoints), "VPC endpoints"),
        (caller.services, len(caller.services), "AWS services"),
        (caller.source_ip_examples, caller.source_ips, "addresses"),
    )
    return ", ".join(
        shortened(names[0], _SOURCE_WIDTH) if number == 1 else f"{number:,} {what}"
        for names, number, what in kinds
        if number
    )


def shortened(text: str, length: int) -> str:
    """Text made visible and cut in the middle: ARNs differ at their end, user agents at their beginning."""
    text = visible(text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
