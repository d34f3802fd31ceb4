"""The plan for each account: what to deactivate in which order, what to wait for, and the documents for it.

Pure functions over what was counted; only `make_plan` asks a store. Only regions whose verdict is `deactivate` are
planned. Sources: AWS Organizations user guide, "Service control policies" and "Quotas"; IAM user guide, "AWS
global condition context keys" (aws:RequestedRegion) and "Permissions for GetSessionToken"; EventBridge user guide,
"Receiving read-only management events from AWS services".
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from analyzer.catalogue import Catalogue, Toggle
from analyzer.coverage import CoverageEvidence, Level
from analyzer.demand import Demand, Relation
from analyzer.errors import UsageError
from analyzer.report import PeriodRow, Question, Report, VerdictRow, build_report, usage_by_period, window_values
from analyzer.simulation import Remainder, ask_demand, by_account, choose_accounts, remainder
from analyzer.store import Store
from analyzer.usage import Endpoint, UsageRow
from analyzer.verdicts import Reason, Verdict
from analyzer.window import Window

SCP_LIMIT = 5120
"""Most characters of a policy. AWS allows 10,240 since May 2026; what was written before says 5,120."""

EVIDENCE_ROWS = 100_000
"""Most rows of one file of evidence; the runbook says when there are more."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_DETAIL_TYPE = "AWS API Call via CloudTrail"

_CLEARED_BY = {
    Reason.SERVICE_CALLS_ONLY: "decide whether these AWS services may lose the region: AWS documents no exemption "
    "for its services (--service-calls ignore says that they may)",
    Reason.FAILED_CALLS: "find out who tries to obtain credentials there, and why it fails",
    Reason.UNKNOWN_OPERATIONS: "upgrade botocore and analyze again: it may know what these operations do",
    Reason.SERVES_GLOBAL_CALLS: "move the global callers that it serves to the endpoint of a region that "
    "stays, or keep this one for them",
    Reason.OTHER_ACTIVITY: "ask those who work there whether they need credentials from there",
    Reason.COVERAGE_GAP: "close the holes in the logs that 'sts-regions coverage' lists",
    Reason.WRITE_ONLY_LOGS: "hand in logs that hold reads: AssumeRole is one",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One endpoint to deactivate. `used_from_here`: why the policy must not deny the region; empty if it may."""

    number: int
    row: VerdictRow
    used_from_here: str = ""


@dataclass(frozen=True, slots=True)
class Postponed:
    """One endpoint that is not to be deactivated yet, and what would settle it."""

    row: VerdictRow
    settled_by: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One UTC day of one region: what the logs observe and what was counted."""

    region: str
    day: date
    coverage: Level
    issuing_calls: int = 0
    service_calls: int = 0
    failed_calls: int = 0
    non_issuing_calls: int = 0
    global_calls_served: int = 0


@dataclass(frozen=True, slots=True)
class Writer:
    """Who changes things with another service in one region (`queries/other_activity.sql`). Naive UTC."""

    account_id: str
    region: str | None
    event_source: str
    principal: str
    writes: int
    days_active: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """Everything that is written for one account.

    `demand`: calls for this account's credentials, and calls of its own people and software for those of others.
    """

    account_id: str
    window: Window
    min_days: int
    rows: tuple[VerdictRow, ...]
    steps: tuple[Step, ...]
    postponed: tuple[Postponed, ...]
    left: Remainder
    demand: tuple[Demand, ...]
    own_accounts: frozenset[str]
    days: tuple[DayRow, ...]
    """At most one more than EVIDENCE_ROWS: a wrong event time can make a window of centuries."""
    writers: tuple[Writer, ...]

    @property
    def partition(self) -> str:
        """The partition of the account's regions."""
        return self.rows[0].partition

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions to deactivate, in order."""
        return tuple(step.row.region.code for step in self.steps)

    @property
    def denied_regions(self) -> tuple[str, ...]:
        """Regions that the service control policy denies, by code."""
        return tuple(sorted(step.row.region.code for step in self.steps if not step.used_from_here))

    @property
    def open_regions(self) -> tuple[str, ...]:
        """Regions that can be toggled, by code."""
        return tuple(row.region.code for row in self.rows if row.verdict is not Verdict.FIXED)

    def with_verdict(self, verdict: Verdict) -> tuple[VerdictRow, ...]:
        """Rows with one verdict."""
        return tuple(row for row in self.rows if row.verdict is verdict)

    @property
    def outsiders(self) -> tuple[Demand, ...]:
        """Callers from other accounts that ask for this one's credentials, anywhere: foreign ones first."""
        found = [
            row
            for row in self.demand
            if row.account_id == self.account_id
            and row.issuing_calls + row.failed_calls
            and row.relation(self.own_accounts) in (Relation.FOREIGN, Relation.YOUR_OTHER_ACCOUNT)
        ]
        return tuple(
            sorted(
                found,
                key=lambda row: (
                    row.relation(self.own_accounts) is not Relation.FOREIGN,
                    row.caller_account_id or "",
                    row.principal,
                ),
            )
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The plans of all accounts. `unplanned`: accounts whose id in the logs is none; nobody can act on them."""

    report: Report
    accounts: tuple[AccountPlan, ...]
    unplanned: tuple[str, ...]


def make_plan(store: Store, catalogue: Catalogue, question: Question, accounts: Collection[str] = ()) -> Plan:
    """Ask a store and plan for the accounts (none: all).

    `question` must not leave out accounts or regions: what other accounts do decides who is foreign and what a
    policy may deny. Raises UsageError when an account has no verdicts, or there is no day.
    """
    report = build_report(store, catalogue, question)
    chosen = choose_accounts(report, accounts)
    plannable = [account for account in chosen if _ACCOUNT.fullmatch(account)]
    if report.window is None:
        raise UsageError("the logs hold no day: there is nothing to plan; check the sources")
    counted = _count(store, report, question)
    plans = [plan_account(account, report, report.window, counted(account)) for account in plannable]
    return Plan(report, tuple(plans), tuple(account for account in chosen if account not in plannable))


@dataclass(frozen=True, slots=True)
class Counted:
    """What was judged and counted of one account, in the window. `demand`: as in AccountPlan."""

    verdicts: Sequence[VerdictRow] = ()
    usage: Sequence[UsageRow] = ()
    demand: Sequence[Demand] = ()
    periods: Sequence[PeriodRow] = ()
    writers: Sequence[Writer] = ()


def _count(store: Store, report: Report, question: Question) -> Callable[[str], Counted]:
    """Ask the store once; what comes back gives each account's part."""
    verdicts, usage = by_account(report.verdicts), by_account(report.usage)
    periods = by_account(usage_by_period(store, question, "day"))
    rows = store.ask("other_activity", window_values(report.window)).to_pylist()
    writers = by_account(Writer(**row) for row in rows)
    demand: dict[str, list[Demand]] = {}
    for asked in ask_demand(store, report.window):
        for account in {asked.account_id, asked.caller_account_id or asked.account_id}:
            demand.setdefault(account, []).append(asked)
    return lambda account: Counted(
        verdicts.get(account, ()),
        usage.get(account, ()),
        demand.get(account, ()),
        periods.get(account, ()),
        writers.get(account, ()),
    )


def plan_account(account_id: str, report: Report, window: Window, counted: Counted) -> AccountPlan:
    """The plan for one account. `report` must be of all accounts: it tells one's own from foreign ones."""
    rows = tuple(counted.verdicts)
    ready = ready_rows(rows)
    return AccountPlan(
        account_id=account_id,
        window=window,
        min_days=report.min_days,
        rows=rows,
        steps=tuple(
            Step(number, row, _used_from(account_id, row, counted.demand))
            for number, row in enumerate(ready, start=1)
        ),
        postponed=postponed_rows(rows),
        left=remainder(account_id, counted.usage, rows, [row.region.code for row in ready]),
        demand=tuple(counted.demand),
        own_accounts=frozenset(report.accounts),
        days=tuple(
            islice(
                _day_rows(account_id, rows, report.evidence.coverage, counted.periods, window), EVIDENCE_ROWS + 1
            )
        ),
        writers=tuple(counted.writers),
    )


def ready_rows(rows: Iterable[VerdictRow]) -> list[VerdictRow]:
    """What an account may deactivate, in the order of the steps: quietest first."""
    return sorted((row for row in rows if _is_ready(row)), key=_loudness)


def postponed_rows(rows: Iterable[VerdictRow]) -> tuple[Postponed, ...]:
    """What an account may perhaps deactivate, and what has to be settled first."""
    waiting = (Verdict.REVIEW, Verdict.CANNOT_TELL, Verdict.DEACTIVATE)
    return tuple(
        Postponed(row, _what_clears(row)) for row in rows if row.verdict in waiting and not _is_ready(row)
    )


def _is_ready(row: VerdictRow) -> bool:
    """Whether to plan it. Whether a region unknown to the catalogue can be deactivated is not known either."""
    return row.verdict is Verdict.DEACTIVATE and row.region.toggle is not Toggle.UNKNOWN


def _loudness(row: VerdictRow) -> tuple[int, int, int, str]:
    """Quietest first; among equals, those whose silence is best proven."""
    usage = row.seen.usage
    return (
        usage.issuing_calls,
        usage.non_issuing_calls,
        list(Level).index(row.coverage.confidence),
        row.region.code,
    )


def _used_from(account_id: str, row: VerdictRow, demand: Sequence[Demand]) -> str:
    """Why a policy on this account must not deny the region.

    Deactivation asks whose credentials are issued, a policy asks who calls: software of this account that asks
    there for a role of another one is not stopped by the first, but is by the second.
    """
    if row.seen.usage.issuing_calls:
        return "AWS services obtain credentials there"
    calls = sum(
        found.issuing_calls + found.failed_calls
        for found in demand
        if found.caller_account_id == account_id
        and found.endpoint is Endpoint.REGIONAL
        and found.region == row.region.code
    )
    whose = "call" if calls == 1 else "calls"
    return f"{calls:,} {whose} from this account ask there for roles of other accounts" if calls else ""


def _what_clears(row: VerdictRow) -> str:
    if row.settled_by:
        return row.settled_by
    if row.region.toggle is Toggle.UNKNOWN:
        return "upgrade botocore: the installed one does not know this region"
    return "; ".join(_CLEARED_BY[reason] for reason in row.decision.reasons if reason in _CLEARED_BY)


def _day_rows(
    account_id: str,
    rows: Iterable[VerdictRow],
    coverage: CoverageEvidence,
    periods: Iterable[PeriodRow],
    window: Window,
) -> Iterable[DayRow]:
    regional: dict[tuple[str, date], PeriodRow] = {}
    served: dict[tuple[str, date], int] = {}
    for period in periods:
        day = period.period.date()
        if period.region:
            regional[period.region, day] = period
        elif period.endpoint is Endpoint.GLOBAL and period.serving_region:
            place = period.serving_region, day
            served[place] = served.get(place, 0) + period.issuing_calls
    for row in rows:
        if row.verdict is Verdict.FIXED:
            continue
        code = row.region.code
        for day in (window.since + timedelta(days=number) for number in range(window.days)):
            found = regional.get((code, day))
            yield DayRow(
                *(code, day, coverage.level(account_id, code, day)),
                *((found.issuing_calls, found.service_calls) if found else (0, 0)),
                *((found.failed_calls, found.non_issuing_calls) if found else (0, 0)),
                served.get((code, day), 0),
            )


def issuing_operations(catalogue: Catalogue) -> list[str]:
    """Names of the STS operations that issue credentials, which are those that deactivation refuses."""
    return [operation.name for operation in catalogue.operations if operation.issues_credentials]


def service_control_policy(plan: AccountPlan, catalogue: Catalogue) -> dict[str, Any] | None:
    """The policy that denies what the plan deactivates; None if it would deny nothing.

    It leaves out regions from which the account's own callers obtained credentials, of whatever account.
    """
    if not plan.denied_regions:
        return None
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyStsInUnusedRegions",
                "Effect": "Deny",
                "Action": [f"sts:{name}" for name in issuing_operations(catalogue)],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": list(plan.denied_regions)}},
            }
        ],
    }


def watch_pattern(plan: AccountPlan, catalogue: Catalogue) -> dict[str, Any]:
    """The EventBridge pattern of what must not happen: issuing calls to planned regions, refused ones anywhere."""
    signs: list[dict[str, Any]] = [
        {"errorCode": ["RegionDisabledException"]},
        {"errorMessage": [{"wildcard": "*STS is not activated in*"}]},
    ]
    if plan.steps:
        signs.insert(0, {"awsRegion": sorted(plan.regions)})
    return {
        "source": ["aws.sts"],
        "detail-type": [_DETAIL_TYPE],
        "detail": {
            "eventSource": ["sts.amazonaws.com"],
            "eventName": issuing_operations(catalogue),
            "$or": signs,
        },
    }
