"""What would break: the calls of the window replayed against regional endpoints that are deactivated.

Pure functions over what was counted; only `replay` and `ask_demand` ask a store for it. Deactivation refuses the
issuing operations of one regional endpoint for the account whose credentials are asked for, whoever calls; AWS
documents no exemption for its services (IAM user guide, "Manage AWS STS in an AWS Region"). Calls to the global
endpoint are not refused, wherever they are served.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from analyzer.catalogue import Catalogue, Toggle
from analyzer.coverage import Coverage
from analyzer.demand import Demand, Relation
from analyzer.errors import UsageError
from analyzer.report import (
    PeriodRow,
    Question,
    Report,
    VerdictRow,
    build_report,
    usage_by_period,
    window_values,
)
from analyzer.store import Store
from analyzer.usage import Endpoint, UsageRow
from analyzer.verdicts import Verdict
from analyzer.window import Window

VIRGINIA = "us-east-1"
"""The region that can never be deactivated and that logs every global call."""


class Effect(StrEnum):
    """What deactivation does to a call of the window."""

    REFUSED = "refused"
    """It obtained credentials and would have been refused."""
    AFTER_MIGRATION = "refused_after_migration"
    """It used the global endpoint, served from the region: refused once its caller is regional there."""
    FAILED_ALREADY = "failed_already"
    """It failed for another reason: somebody tries to use the endpoint."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated. `accounts`: empty for all. `migrate_global`: global callers become regional."""

    regions: tuple[str, ...]
    accounts: frozenset[str] = frozenset()
    migrate_global: bool = False


@dataclass(frozen=True, slots=True)
class AffectedCaller:
    """One principal whose calls are affected, with how many and the last one (naive UTC)."""

    demand: Demand
    region: str
    effect: Effect
    relation: Relation
    calls: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """One account and region to be deactivated. `days`: refused calls by UTC day, days without any left out."""

    account_id: str
    region: str
    verdict: Verdict
    coverage: Coverage
    refused_calls: int
    service_calls: int
    foreign_calls: int
    calls_after_migration: int
    failed_calls: int
    last_refused: datetime | None
    days: tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True)
class Remainder:
    """The regions whose endpoints stay active in one account, as far as logs can show.

    `used`: those that issued credentials. `spares`: the others, to which callers could fail over.
    """

    account_id: str
    active: tuple[str, ...]
    used: tuple[str, ...]

    @property
    def spares(self) -> tuple[str, ...]:
        """Active regions that nobody used."""
        return tuple(region for region in self.active if region not in self.used)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome. Callers are ordered by effect, then by number of calls."""

    scenario: Scenario
    window: Window | None
    accounts: tuple[str, ...]
    places: tuple[Place, ...]
    callers: tuple[AffectedCaller, ...]
    remainders: tuple[Remainder, ...]
    unplaced_global_calls: int
    """Issuing calls to the global endpoint without a logged serving region: where they would go is not known."""

    @property
    def refused_calls(self) -> int:
        """Calls that would have been refused."""
        return sum(place.refused_calls for place in self.places)

    @property
    def calls_after_migration(self) -> int:
        """Global calls that are refused once their callers are regional; part of the refused ones if they are."""
        return sum(place.calls_after_migration for place in self.places)

    @property
    def refused_callers(self) -> tuple[AffectedCaller, ...]:
        """Callers of the calls that would have been refused."""
        return tuple(caller for caller in self.callers if self.is_refused(caller))

    def is_refused(self, caller: AffectedCaller) -> bool:
        """Whether the scenario refuses the caller's calls."""
        return caller.effect is Effect.REFUSED or (
            caller.effect is Effect.AFTER_MIGRATION and self.scenario.migrate_global
        )


def choose_regions(texts: Iterable[str], catalogue: Catalogue) -> tuple[str, ...]:
    """Read `--deactivate`: region codes separated by commas. Raises UsageError when one cannot be toggled."""
    codes = sorted({code.strip().lower() for text in texts for code in text.split(",") if code.strip()})
    if not codes:
        raise UsageError("--deactivate takes region codes separated by commas, like eu-west-3,ap-south-1")
    known = {region.code: region for region in catalogue.regions}
    for code in codes:
        if code not in known:
            raise UsageError(f"--deactivate: no region {code!r} is known; 'sts-regions endpoints' lists them")
        if known[code].toggle is Toggle.NOT_TOGGLEABLE:
            raise UsageError(f"--deactivate: STS in {code} is always active; leave it out")
        if known[code].toggle is Toggle.OPT_IN_REGION:
            raise UsageError(
                f"--deactivate: {code} is an opt-in region, where STS is active as long as the region is enabled; "
                "leave it out"
            )
    return tuple(codes)


def choose_accounts(report: Report, wanted: Collection[str]) -> tuple[str, ...]:
    """The accounts with verdicts that are asked for; all if none is named. Raises UsageError for any other."""
    if unknown := sorted(set(wanted) - set(report.accounts)):
        known = ", ".join(report.accounts) or "none"
        raise UsageError(f"--account: the logs hold no account {unknown[0]!r}; they hold {known}")
    return tuple(account for account in report.accounts if not wanted or account in wanted)


class _OfAnAccount(Protocol):
    @property
    def account_id(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfAnAccount)


def by_account(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    """Rows by their account."""
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.account_id, []).append(row)
    return found


def ask_demand(store: Store, window: Window | None) -> list[Demand]:
    """What `queries/demand.sql` counts in the window."""
    return [Demand.from_row(row) for row in store.ask("demand", window_values(window)).to_pylist()]


def replay(
    store: Store, catalogue: Catalogue, question: Question, scenario: Scenario
) -> tuple[Report, Simulation]:
    """Ask a store what the scenario needs, and simulate it. `question` must not leave out accounts or regions."""
    report = build_report(store, catalogue, question)
    demand = ask_demand(store, report.window)
    return report, simulate(report, demand, usage_by_period(store, question, "day"), scenario)


def simulate(
    report: Report, demand: Iterable[Demand], periods: Iterable[PeriodRow], scenario: Scenario
) -> Simulation:
    """Replay the window.

    Args:
        report: of all accounts of the store, so that foreign callers are told from one's own.
        demand: rows of `queries/demand.sql` over the same window.
        periods: usage by UTC day over the same window.
        scenario: what is deactivated, for whom.

    Raises UsageError when an account of the scenario has no verdicts, or a region belongs to none of the accounts.
    """
    accounts = choose_accounts(report, scenario.accounts)
    theirs = {row.region.code for row in report.verdicts if row.account_id in accounts}
    if absent := sorted(set(scenario.regions) - theirs):
        raise UsageError(f"--deactivate: {absent[0]} is in another partition than the accounts; leave it out")
    rows = [row for row in demand if row.account_id in accounts]
    callers = _affected(rows, scenario, report.accounts)
    days = _days(periods, scenario)
    usage, verdicts = by_account(report.usage), by_account(report.verdicts)
    here: dict[tuple[str, str], list[AffectedCaller]] = {}
    for caller in callers:
        here.setdefault((caller.demand.account_id, caller.region), []).append(caller)
    places = [
        _place(row, here.get((row.account_id, row.region.code), ()), days, scenario)
        for row in report.verdicts
        if row.account_id in accounts and row.region.code in scenario.regions
    ]
    return Simulation(
        scenario=scenario,
        window=report.window,
        accounts=accounts,
        places=tuple(places),
        callers=tuple(callers),
        remainders=tuple(
            remainder(
                account,
                usage.get(account, ()),
                verdicts[account],
                scenario.regions,
                migrate_global=scenario.migrate_global,
            )
            for account in accounts
        ),
        unplaced_global_calls=sum(
            row.issuing_calls for row in rows if row.endpoint is Endpoint.GLOBAL and row.serving_region is None
        ),
    )


def remainder(
    account_id: str,
    usage: Iterable[UsageRow],
    verdicts: Iterable[VerdictRow],
    deactivated: Collection[str],
    *,
    migrate_global: bool = False,
) -> Remainder:
    """The regions that stay active in an account, and which of them are used; rows are those of the account.

    us-east-1 counts as used if calls went to the global endpoint without becoming regional elsewhere. A region
    that refuses calls already does not stay; an opt-in region counts only if it is used, as it may not be enabled.
    """
    used = {_region_used(row, migrate_global) for row in usage if row.issuing_calls}
    active = [
        row.region.code
        for row in verdicts
        if row.region.code not in deactivated
        and row.verdict is not Verdict.INACTIVE
        and (row.region.toggle is not Toggle.OPT_IN_REGION or row.region.code in used)
    ]
    return Remainder(account_id, tuple(active), tuple(region for region in active if region in used))


def _region_used(row: UsageRow, migrate_global: bool) -> str:
    if row.region is not None:
        return row.region
    return row.serving_region or VIRGINIA if migrate_global else VIRGINIA


def _affected(rows: Iterable[Demand], scenario: Scenario, own_accounts: Collection[str]) -> list[AffectedCaller]:
    callers = []
    for row in rows:
        if row.place not in scenario.regions or row.endpoint is Endpoint.UNKNOWN:
            continue
        issued = Effect.REFUSED if row.endpoint is Endpoint.REGIONAL else Effect.AFTER_MIGRATION
        relation = row.relation(own_accounts)
        if row.issuing_calls:
            callers.append(AffectedCaller(row, row.place, issued, relation, row.issuing_calls, row.last_used))
        if row.failed_calls and row.endpoint is Endpoint.REGIONAL:
            callers.append(
                AffectedCaller(row, row.place, Effect.FAILED_ALREADY, relation, row.failed_calls, row.last_failed)
            )
    order = list(Effect)
    return sorted(
        callers,
        key=lambda caller: (
            order.index(caller.effect),
            caller.relation is not Relation.FOREIGN,
            -caller.calls,
            caller.demand.account_id,
            caller.region,
            caller.demand.principal,
            caller.demand.role_arn or "",
        ),
    )


def _days(periods: Iterable[PeriodRow], scenario: Scenario) -> dict[tuple[str, str], Counter[date]]:
    days: dict[tuple[str, str], Counter[date]] = {}
    for row in periods:
        region = row.region
        if scenario.migrate_global and row.endpoint is Endpoint.GLOBAL:
            region = row.serving_region
        if region is not None and row.issuing_calls:
            days.setdefault((row.account_id, region), Counter())[row.period.date()] += row.issuing_calls
    return days


def _place(
    row: VerdictRow,
    here: Sequence[AffectedCaller],
    days: Mapping[tuple[str, str], Counter[date]],
    scenario: Scenario,
) -> Place:
    migrated = [caller for caller in here if caller.effect is Effect.AFTER_MIGRATION]
    refused = [caller for caller in here if caller.effect is Effect.REFUSED]
    if scenario.migrate_global:
        refused += migrated
    return Place(
        account_id=row.account_id,
        region=row.region.code,
        verdict=row.verdict,
        coverage=row.coverage,
        refused_calls=sum(caller.calls for caller in refused),
        service_calls=sum(caller.calls for caller in refused if caller.demand.is_made_by_service),
        foreign_calls=sum(caller.calls for caller in refused if caller.relation is Relation.FOREIGN),
        calls_after_migration=sum(caller.calls for caller in migrated),
        failed_calls=sum(caller.calls for caller in here if caller.effect is Effect.FAILED_ALREADY),
        last_refused=max((caller.last for caller in refused if caller.last), default=None),
        days=tuple(sorted(days.get((row.account_id, row.region.code), Counter()).items())),
    )
