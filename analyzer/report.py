"""The report: one object from which every format is written."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from analyzer.acceptance import NOT_ACCEPTED, Acceptance, EndpointPlace, accept
from analyzer.balance import Balance
from analyzer.catalogue import COMMERCIAL, Catalogue, Region
from analyzer.coverage import Coverage
from analyzer.evidence import Evidence, Witnesses, gather_evidence
from analyzer.exceptions_file import GLOBAL, Exemption, Exemptions
from analyzer.holes import dark_holes, what_settles
from analyzer.queries import Value
from analyzer.report_tables import ReportTables, tables_of
from analyzer.store import Store
from analyzer.usage import ActivityRow, Endpoint, EndpointCaller, GlobalCaller, UsageRow
from analyzer.verdicts import Decision, Policy, Seen, Verdict, decide
from analyzer.version import __version__
from analyzer.window import Window, choose_window, utc_text

SCHEMA_VERSION = 1
UNKNOWN_ACCOUNT = "unknown"
"""Recipient of records that name no account. It has usage rows and no verdicts: nobody can act on it."""

LISTED_CALLERS = 10_000
"""Most callers of the global endpoint that the JSON lists: those with the most calls."""

_NO_WINDOW = Window(date(1970, 1, 1), date(1970, 1, 1))


@dataclass(frozen=True, slots=True)
class Question:
    """What the report is asked. Empty `accounts` or `regions` mean all; days are UTC, `until` excluded."""

    since: date | None = None
    until: date | None = None
    policy: Policy = field(default_factory=Policy)
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    witnesses: Witnesses = field(default_factory=Witnesses)
    exemptions: Exemptions = field(default_factory=Exemptions)

    def asks_about(self, account_id: str, *regions: str | None) -> bool:
        """Whether a row about this account and these regions is wanted."""
        if self.accounts and account_id not in self.accounts:
            return False
        return not self.regions or any(region in self.regions for region in regions)


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """The verdict for one account and region, with its evidence."""

    account_id: str
    partition: str
    region: Region
    decision: Decision
    seen: Seen
    coverage: Coverage
    settled_by: str | None = None
    """The one thing that would settle a `cannot_tell`."""
    is_other_activity_known: bool = True
    """Whether the logs would show what other services did; Event history was asked for STS only."""
    acceptance: Acceptance = NOT_ACCEPTED
    """What exceptions say of its use. They change no verdict."""

    @property
    def verdict(self) -> Verdict:
        """The answer."""
        return self.decision.verdict

    def to_json(self) -> dict[str, Any]:
        """The row as the JSON contract has it."""
        usage = self.seen.usage
        return {
            "account_id": self.account_id,
            "partition": self.partition,
            "region": self.region.code,
            "endpoint": self.region.endpoint,
            "verdict": self.verdict.value,
            "reasons": [reason.value for reason in self.decision.reasons],
            "confidence": self.coverage.confidence.value,
            "toggle": self.region.toggle.value,
            "issuing_calls": usage.issuing_calls,
            "service_calls": usage.service_calls,
            "service_linked_calls": usage.service_linked_calls,
            "failed_calls": usage.failed_calls,
            "non_issuing_calls": usage.non_issuing_calls,
            "unknown_operations": usage.unknown_operations,
            "region_disabled_errors": usage.region_disabled_errors,
            "served_global_calls": self.seen.served_global_calls,
            "other_activity": self.seen.other_activity,
            "other_activity_known": self.is_other_activity_known,
            "principals": usage.principals,
            "first_used": utc_text(usage.first_used),
            "last_used": utc_text(usage.last_used),
            "coverage": {
                "days": self.coverage.days,
                "proven": self.coverage.proven,
                "declared": self.coverage.declared,
                "inferred": self.coverage.inferred,
                "none": self.coverage.none,
            },
            "settled_by": self.settled_by,
            "last_region_disabled": utc_text(usage.last_region_disabled),
            **self.acceptance.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says. `window` is None when neither the logs nor the question give a day."""

    window: Window | None
    min_days: int
    balance: Balance
    usage: tuple[UsageRow, ...]
    verdicts: tuple[VerdictRow, ...]
    evidence: Evidence
    question: Question = field(default_factory=Question)
    global_callers: tuple[GlobalCaller, ...] = ()
    """Who obtained credentials from the global endpoint, by account, principal and serving region."""
    acceptances: Mapping[EndpointPlace, Acceptance] = field(default_factory=dict)
    """What exceptions say of each endpoint of the logs, asked about or not."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts with verdicts."""
        return tuple(sorted({row.account_id for row in self.verdicts}))

    def count(self, *verdicts: Verdict) -> int:
        """Number of rows with one of the verdicts."""
        counts = Counter(row.verdict for row in self.verdicts)
        return sum(counts[verdict] for verdict in verdicts)

    @property
    def useless_exemptions(self) -> tuple[Exemption, ...]:
        """Exceptions that count and accept nothing that the window shows."""
        used = {one for acceptance in self.acceptances.values() for one in acceptance.exemptions}
        return tuple(one for one in self.question.exemptions.counting if one not in used)

    def exemptions_of(self, caller: GlobalCaller) -> tuple[Exemption, ...]:
        """The exceptions that accept a caller of the global endpoint."""
        return self.question.exemptions.covering(caller.account_id, GLOBAL, caller.principal)

    def to_arrow(self) -> ReportTables:
        """The report's lists as Arrow tables; the columns are named as in the JSON contract."""
        answer = self.to_json()
        callers = [self._caller_json(caller) for caller in self.global_callers]
        return tables_of(answer["usage"], answer["verdicts"], callers)

    def to_json(self) -> dict[str, Any]:
        """The report as the JSON contract, version 1, has it."""
        listed = _busiest(self.global_callers)
        return {
            **answer_head(self.window, min_days=self.min_days),
            "balance": balance_json(self.balance),
            "question": {
                "accounts": sorted(self.question.accounts),
                "regions": sorted(self.question.regions),
                "service_calls": self.question.policy.service_calls.value,
            },
            "usage": [self._usage_json(row) for row in self.usage],
            "verdicts": [row.to_json() for row in self.verdicts],
            "global_callers": [self._caller_json(caller) for caller in listed],
            "global_callers_left_out": len(self.global_callers) - len(listed),
            "exceptions": self._exceptions_json(),
        }

    def _usage_json(self, row: UsageRow) -> dict[str, Any]:
        place = row.account_id, row.endpoint, row.region, row.serving_region
        return usage_json(row) | self.acceptances.get(place, NOT_ACCEPTED).to_json()

    def _caller_json(self, caller: GlobalCaller) -> dict[str, Any]:
        exemptions = self.exemptions_of(caller)
        return {
            "account_id": caller.account_id,
            "principal": caller.principal,
            "serving_region": caller.serving_region,
            "calls": caller.calls,
            "service_calls": caller.service_calls,
            "first_used": utc_text(caller.first_used),
            "last_used": utc_text(caller.last_used),
            "excepted": bool(exemptions),
            "exceptions": [exemption.to_json() for exemption in exemptions],
        }

    def _exceptions_json(self) -> list[dict[str, Any]]:
        exemptions, useless = self.question.exemptions, self.useless_exemptions
        return [
            *({**one.to_json(), "expired": False, "used": one not in useless} for one in exemptions.counting),
            *({**one.to_json(), "expired": True, "used": False} for one in exemptions.expired),
        ]


def _busiest(callers: Sequence[GlobalCaller]) -> list[GlobalCaller]:
    """The callers with the most calls, as many as are listed, in the order of the report."""
    if len(callers) <= LISTED_CALLERS:
        return list(callers)
    busiest = sorted(range(len(callers)), key=lambda index: -callers[index].calls)[:LISTED_CALLERS]
    return [callers[index] for index in sorted(busiest)]


def answer_head(window: Window | None, **more: int) -> dict[str, Any]:
    """How every JSON answer begins: schema, tool, and the window with what else is said of it (`more`)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "sts-regions", "version": __version__},
        "window": {
            "since": utc_text(window.since) if window else None,
            "until": utc_text(window.until) if window else None,
            "days": window.days if window else 0,
            **more,
        },
    }


def balance_json(balance: Balance) -> dict[str, Any]:
    """A balance sheet as the JSON contract has it, with the reasons beside the sums."""
    files, records = balance.files, balance.records
    return {
        "files": {
            "seen": files.seen,
            "ingested": files.ingested,
            "unchanged": files.unchanged,
            "skipped": files.skipped,
            "rejected": files.rejected,
        },
        "records": {
            "seen": records.seen,
            "kept": records.kept,
            "duplicate": records.duplicate,
            "skipped": records.skipped,
            "rejected": records.rejected,
        },
        "reasons": {
            "files_skipped": dict(balance.files_skipped),
            "files_rejected": dict(balance.files_rejected),
            "records_skipped": dict(balance.records_skipped),
            "records_rejected": dict(balance.records_rejected),
        },
    }


def usage_json(row: UsageRow) -> dict[str, Any]:
    """A usage row as the JSON contract has it."""
    return {
        "account_id": row.account_id,
        "endpoint": row.endpoint.value,
        "region": row.region,
        "serving_region": row.serving_region,
        "calls": row.calls,
        "issuing_calls": row.issuing_calls,
        "service_calls": row.service_calls,
        "service_linked_calls": row.service_linked_calls,
        "failed_calls": row.failed_calls,
        "non_issuing_calls": row.non_issuing_calls,
        "unknown_operations": row.unknown_operations,
        "region_disabled_errors": row.region_disabled_errors,
        "principals": row.principals,
        "first_used": utc_text(row.first_used),
        "last_used": utc_text(row.last_used),
        "evidence": row.evidence,
    }


def window_of(store: Store, since: date | None, until: date | None) -> Window | None:
    """The window asked for, open ends closed by the span of the kept events."""
    first, last = store.span()
    return choose_window(since, until, first, last)


def window_values(window: Window | None) -> dict[str, Value]:
    """The window as the values of the queries' parameters."""
    window = window or _NO_WINDOW
    return {"since": window.start, "until": window.end}


def build_report(store: Store, catalogue: Catalogue, question: Question, balance: Balance | None = None) -> Report:
    """Answer a question from a store. `balance`: of the run that has just filled it; else the store's own."""
    window = window_of(store, question.since, question.until)
    values = window_values(window)
    used = store.ask_together(("usage", "global_callers", "endpoint_callers"), "use_by_principal", values)
    usage = tuple(sorted(map(UsageRow.from_row, used["usage"].to_pylist()), key=lambda row: row.sort_key))
    activity = [ActivityRow.from_row(row) for row in store.ask("activity", values).to_pylist()]
    evidence = gather_evidence(store, activity, question.witnesses, window)
    accounts = {row.account_id for row in activity} | store.folder_accounts()
    accounts |= {chain.trail.account_id for chain in evidence.chains}
    accounts |= {account_id for account_id, _ in evidence.coverage.declared}
    acceptances = _acceptances(used["endpoint_callers"], question.exemptions)
    rows = _verdict_rows(
        sorted(accounts - {UNKNOWN_ACCOUNT}),
        usage,
        activity,
        evidence,
        window or _NO_WINDOW,
        catalogue,
        question,
        acceptances,
    )
    return Report(
        window=window,
        min_days=question.policy.min_days,
        balance=balance or store.balance(),
        usage=tuple(row for row in usage if question.asks_about(row.account_id, row.region, row.serving_region)),
        verdicts=tuple(row for row in rows if question.asks_about(row.account_id, row.region.code)),
        evidence=evidence,
        question=question,
        global_callers=_global_callers(used["global_callers"], question),
        acceptances=acceptances,
    )


def _global_callers(table: pa.Table, question: Question) -> tuple[GlobalCaller, ...]:
    asked = (row for row in table.to_pylist() if question.asks_about(row["account_id"], row["serving_region"]))
    callers = [GlobalCaller(**row) for row in asked]
    return tuple(sorted(callers, key=lambda one: (one.account_id, one.principal, one.serving_region or "")))


def _acceptances(callers: pa.Table, exemptions: Exemptions) -> Mapping[EndpointPlace, Acceptance]:
    if not exemptions.counting:
        return {}
    return accept(map(EndpointCaller.from_row, callers.to_pylist()), exemptions)


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """One endpoint as used for one account in one UTC day, week, month or year, which begins at `period`."""

    account_id: str
    endpoint: Endpoint
    region: str | None
    serving_region: str | None
    period: datetime
    calls: int
    issuing_calls: int
    service_calls: int
    failed_calls: int
    non_issuing_calls: int
    principals: int


def usage_by_period(store: Store, question: Question, period: str) -> list[PeriodRow]:
    """Usage cut into periods, in order of time. `period`: day, week (from Monday), month or year."""
    window = window_of(store, question.since, question.until)
    table = store.ask("usage_by_period", {**window_values(window), "period": period})
    rows = [PeriodRow(**{**row, "endpoint": Endpoint(row["endpoint"])}) for row in table.to_pylist()]
    asked = [row for row in rows if question.asks_about(row.account_id, row.region, row.serving_region)]
    return sorted(
        asked,
        key=lambda row: (
            row.period,
            row.account_id,
            row.endpoint,
            row.region or "",
            row.serving_region or "",
        ),
    )


def _verdict_rows(
    accounts: Iterable[str],
    usage: Collection[UsageRow],
    activity: Collection[ActivityRow],
    evidence: Evidence,
    window: Window,
    catalogue: Catalogue,
    question: Question,
    acceptances: Mapping[EndpointPlace, Acceptance],
) -> list[VerdictRow]:
    seen_regions: dict[str, set[str]] = {}
    for account_id, code in [
        *((row.account_id, row.aws_region) for row in activity),
        *evidence.places,
    ]:
        if code and catalogue.is_region_code(code):
            seen_regions.setdefault(account_id, set()).add(code)
    regional = {(row.account_id, row.region): row for row in usage if row.endpoint is Endpoint.REGIONAL}
    served = _served(usage)
    written = {(row.account_id, row.aws_region): row.other_activity for row in activity}
    called: dict[str, set[str]] = {}
    for account_id, code in [*regional, *served]:
        if code and catalogue.is_region_code(code):
            called.setdefault(account_id, set()).add(code)
    rejected = evidence.rejected_by_place()
    rows = []
    for account_id in accounts:
        own = seen_regions.get(account_id, set())
        partition = _partition(own, catalogue)
        codes = {region.code for region in catalogue.partition_regions(partition)}
        for code in sorted(codes | own | called.get(account_id, set())):
            place = account_id, code
            seen = Seen(
                regional.get(place) or UsageRow(account_id, Endpoint.REGIONAL, code, None),
                served.get(place, 0),
                written.get(place, 0),
            )
            region = catalogue.region(code, partition)
            coverage = evidence.coverage.coverage(account_id, code, window)
            decision = decide(
                region,
                seen,
                coverage,
                question.policy,
                is_write_only=account_id in evidence.coverage.write_only_accounts,
            )
            settled_by = None
            if decision.verdict is Verdict.CANNOT_TELL:
                holes = dark_holes(evidence.coverage, account_id, code, window, rejected.get(place, ()))
                settled_by = what_settles(decision, holes, window.days, question.policy.min_days)
            is_known = not any(day in window for day in evidence.sts_only.get(place, ()))
            acceptance = acceptances.get((account_id, Endpoint.REGIONAL, code, None), NOT_ACCEPTED)
            rows.append(
                VerdictRow(
                    *(account_id, partition, region, decision, seen, coverage, settled_by, is_known, acceptance)
                )
            )
    return rows


def _served(usage: Iterable[UsageRow]) -> Mapping[tuple[str, str], int]:
    served: Counter[tuple[str, str]] = Counter()
    for row in usage:
        if row.endpoint is Endpoint.GLOBAL and row.serving_region:
            served[row.account_id, row.serving_region] += row.issuing_calls
    return served


def _partition(regions: Collection[str], catalogue: Catalogue) -> str:
    """The partition of an account by the regions of its logs: the commercial one unless they say otherwise."""
    found = {catalogue.partition_of_region(region) for region in regions} - {None, COMMERCIAL}
    return min((partition for partition in found if partition), default=COMMERCIAL)
