"""What `callers` answers: who calls which endpoint, and what each caller has to change."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from analyzer.callers import Caller, CallerCount, gather_callers
from analyzer.exceptions_file import GLOBAL, Exemption
from analyzer.report import Question, answer_head, window_of, window_values
from analyzer.store import Store
from analyzer.usage import Endpoint
from analyzer.window import Window, utc_text

_ROWS_AT_ONCE = 4096
_TEXTS = pa.list_(pa.string())

CALLERS = pa.schema(
    [
        pa.field("principal", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("serving_region", pa.string()),
        pa.field("calls", pa.int64(), nullable=False),
        pa.field("issuing_calls", pa.int64(), nullable=False),
        pa.field("service_calls", pa.int64(), nullable=False),
        pa.field("failed_calls", pa.int64(), nullable=False),
        pa.field("non_issuing_calls", pa.int64(), nullable=False),
        pa.field("days_active", pa.int64(), nullable=False),
        pa.field("first_seen", pa.timestamp("us"), nullable=False),  # UTC, as in the store
        pa.field("last_seen", pa.timestamp("us"), nullable=False),
        pa.field("operations", _TEXTS, nullable=False),
        pa.field("identity_type", pa.string()),
        pa.field("identity_provider", pa.string()),
        pa.field("invoked_by", pa.string()),
        pa.field("roles", pa.int64(), nullable=False),
        pa.field("role_examples", _TEXTS, nullable=False),
        pa.field("vpc_endpoints", _TEXTS, nullable=False),
        pa.field("services", _TEXTS, nullable=False),
        pa.field("source_ips", pa.int64(), nullable=False),
        pa.field("source_ip_examples", _TEXTS, nullable=False),
        pa.field("sdk", pa.string(), nullable=False),
        pa.field("sdk_version", pa.string()),
        pa.field("tool", pa.string()),
        pa.field("endpoint_override", pa.bool_(), nullable=False),
        pa.field("global_by_default", pa.bool_()),
        pa.field("user_agents", pa.int64(), nullable=False),
        pa.field("user_agent", pa.string()),
        pa.field("fix", pa.string(), nullable=False),
        pa.field("move_to", pa.string()),
        pa.field("advice", pa.string(), nullable=False),
        pa.field("excepted", pa.bool_(), nullable=False),
        pa.field("exception_reasons", _TEXTS, nullable=False),
    ]
)
"""One column for each field of a caller."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which callers are asked for, beside a question's accounts, regions and days. None or empty means all."""

    endpoint: Endpoint | None = None
    principals: tuple[str, ...] = ()
    """Whole principals, or patterns as a shell has them (`*`, `?`, `[…]`); upper and lower case differ."""

    def asks_about(self, endpoint: Endpoint, principal: str) -> bool:
        """Whether a caller is asked for."""
        if self.endpoint not in (None, endpoint):
            return False
        return not self.principals or any(
            principal == pattern or fnmatchcase(principal, pattern) for pattern in self.principals
        )


@dataclass(frozen=True, slots=True)
class CallerReport:
    """Callers by impact: those of the global endpoint first, which is the list to migrate by.

    `window` is None when there is no day.
    """

    window: Window | None
    callers: tuple[Caller, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as an object; field names are stable."""
        return {
            **answer_head(self.window),
            "callers": [_with_times_as_text(caller_record(caller)) for caller in self.callers],
        }

    def to_arrow(self) -> pa.Table:
        """The callers as a table of schema CALLERS."""
        return pa.Table.from_pylist([caller_record(caller) for caller in self.callers], CALLERS)


def caller_record(caller: Caller) -> dict[str, Any]:
    """The fields of a caller, in the order of CALLERS. Times are naive UTC."""
    identity, client = caller.identity, caller.client
    return {
        "principal": identity.principal,
        "account_id": identity.account_id,
        "endpoint": identity.endpoint.value,
        "region": identity.region,
        "serving_region": identity.serving_region,
        "calls": caller.calls,
        "issuing_calls": caller.issuing_calls,
        "service_calls": caller.service_calls,
        "failed_calls": caller.failed_calls,
        "non_issuing_calls": caller.non_issuing_calls,
        "days_active": caller.days_active,
        "first_seen": caller.first_seen,
        "last_seen": caller.last_seen,
        "operations": list(caller.operations),
        "identity_type": identity.identity_type,
        "identity_provider": identity.identity_provider,
        "invoked_by": identity.invoked_by,
        "roles": caller.roles,
        "role_examples": list(caller.role_examples),
        "vpc_endpoints": list(caller.vpc_endpoints),
        "services": list(caller.services),
        "source_ips": caller.source_ips,
        "source_ip_examples": list(caller.source_ip_examples),
        "sdk": client.sdk,
        "sdk_version": client.version,
        "tool": client.tool,
        "endpoint_override": client.has_endpoint_override,
        "global_by_default": client.global_by_default,
        "user_agents": caller.user_agents,
        "user_agent": caller.user_agent,
        "fix": caller.advice.code.value,
        "move_to": caller.advice.move_to,
        "advice": caller.advice.text,
        "excepted": bool(caller.exemptions),
        "exception_reasons": [exemption.reason for exemption in caller.exemptions],
    }


def _with_times_as_text(record: dict[str, Any]) -> dict[str, Any]:
    times = ("first_seen", "last_seen")
    return {name: utc_text(value) if name in times else value for name, value in record.items()}


def build_caller_report(store: Store, question: Question, selection: Selection | None = None) -> CallerReport:
    """Find the callers in a store: of the question's days, accounts and regions (serving ones too)."""
    window = window_of(store, question.since, question.until)
    counts = _counts(store.ask("callers", window_values(window)))
    asked = (count for count in counts if _is_asked(question, selection or Selection(), count))
    callers = (replace(found, exemptions=_exemptions(question, found)) for found in gather_callers(asked))
    return CallerReport(window, tuple(callers))


def _exemptions(question: Question, caller: Caller) -> tuple[Exemption, ...]:
    """The exceptions that accept a caller; where nothing tells the endpoint, only those about any region do."""
    who = caller.identity
    place = GLOBAL if who.endpoint is Endpoint.GLOBAL else who.region
    return question.exemptions.covering(who.account_id, place, who.principal)


def _counts(table: pa.Table) -> Iterator[CallerCount]:
    """Rows as values, a few thousand at a time: each may list many addresses."""
    for batch in table.to_batches(_ROWS_AT_ONCE):
        yield from map(CallerCount.from_row, batch.to_pylist())


def _is_asked(question: Question, selection: Selection, count: CallerCount) -> bool:
    who = count.identity
    is_place_asked = question.asks_about(who.account_id, who.region, who.serving_region)
    return is_place_asked and selection.asks_about(who.endpoint, who.principal)
