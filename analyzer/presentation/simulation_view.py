"""What would break, in words and rows: the calls first, then who makes them, then what is left."""

from typing import Any

from analyzer.demand import Relation
from analyzer.presentation.output import Answer, Styled, Table
from analyzer.presentation.safe_text import Cell
from analyzer.report import SCHEMA_VERSION
from analyzer.simulation import AffectedCaller, Effect, Place, Remainder, Simulation
from analyzer.verdicts import Verdict
from analyzer.version import __version__
from analyzer.window import utc_text

_SHOWN = 40
_STYLES = {Effect.REFUSED: "bold red", Effect.AFTER_MIGRATION: "yellow", Effect.FAILED_ALREADY: "dim"}
_WORDS = {
    Effect.REFUSED: "refused",
    Effect.AFTER_MIGRATION: "after migration",
    Effect.FAILED_ALREADY: "failed already",
}
_VIEW_COLUMNS = ("account", "region", "effect", "caller", "principal", "role", "calls", "a day", "days", "last")
_COLUMNS = (
    *("account_id", "region", "effect", "is_refused", "caller_account_id", "relation", "principal", "role_arn"),
    *("is_made_by_service", "calls", "calls_per_day", "days_active", "busiest_day_calls", "first", "last"),
)


def simulation_answer(simulation: Simulation, *, show_all: bool = False) -> Answer:
    """The outcome in all its forms: a row for each caller that is affected."""
    records = [_record(caller, simulation) for caller in simulation.callers]
    shown = simulation.callers if show_all else simulation.callers[:_SHOWN]
    warnings = _warnings(simulation)
    return Answer(
        data=_data(simulation, records, warnings),
        table=Table(_COLUMNS, [tuple(record.values()) for record in records]),
        view=Table(_VIEW_COLUMNS, [_view_row(caller, simulation) for caller in shown]),
        headline=(headline(simulation), _basis(simulation), *(f"Warning: {warning}" for warning in warnings)),
        notes=tuple(_notes(simulation, len(shown))),
    )


def headline(simulation: Simulation) -> str:
    """What would break, in one sentence."""
    accounts = simulation.accounts
    where = _list(simulation.scenario.regions)
    whose = accounts[0] if len(accounts) == 1 else _count(len(accounts), "account")
    moved = ", with global callers made regional," if simulation.scenario.migrate_global else ""
    start = f"Deactivating STS in {where} for {whose}{moved} would have refused"
    refused = simulation.refused_calls
    if not refused:
        text = f"{start} no call that the logs show"
    else:
        last = max(place.last_refused for place in simulation.places if place.last_refused)
        text = (
            f"{start} {_count(refused, 'call')} by {_count(_callers(simulation), 'caller')}"
            f"{_rate(refused, simulation)}, last {utc_text(last)}"
        )
    parts = [text, *_shares(simulation)]
    if simulation.calls_after_migration and not simulation.scenario.migrate_global:
        calls = _count(simulation.calls_after_migration, "global call")
        parts.append(f"{calls} served from there will break after migration")
    return f"{'; '.join(parts)}."


def _callers(simulation: Simulation) -> int:
    return len({(c.demand.principal, c.demand.caller_account_id) for c in simulation.refused_callers})


def _rate(calls: int, simulation: Simulation) -> str:
    days = simulation.window.days if simulation.window else 0
    return f" in {_count(days, 'day')} ({calls / days:,.1f} a day)" if days else ""


def _shares(simulation: Simulation) -> list[str]:
    foreign = sum(place.foreign_calls for place in simulation.places)
    service = sum(place.service_calls for place in simulation.places)
    parts = []
    if foreign:
        parts.append(
            f"{foreign:,} of them by foreign accounts ({_list(_foreign_accounts(simulation, refused=True))})"
        )
    if service:
        parts.append(f"{service:,} of them by AWS services")
    return parts


def _foreign_accounts(simulation: Simulation, *, refused: bool) -> list[str]:
    callers = simulation.refused_callers if refused else simulation.callers
    return sorted({c.demand.caller_account_id or "" for c in callers if c.relation is Relation.FOREIGN})


def _basis(simulation: Simulation) -> str:
    window = simulation.window
    span = (
        f"{window.since} to {window.until} (excluded), {_count(window.days, 'day')} UTC" if window else "no days"
    )
    dark = sum(place.coverage.none for place in simulation.places)
    days = sum(place.coverage.days for place in simulation.places)
    seen = f"the logs show nothing on {dark:,} of {days:,} region-days" if dark else "the logs show every day"
    return f"Window: {span}; for these regions {seen}."


def _warnings(simulation: Simulation) -> list[str]:
    warnings = [
        f"{left.account_id}: no spare region is left: "
        + (f"all that stays active ({_list(left.active)}) is in use" if left.active else "none stays active")
        + "; AWS advises failing over to another region if one is down, so keep one more"
        for left in simulation.remainders
        if not left.spares
    ]
    for account_id in simulation.accounts:
        dark = [p for p in simulation.places if p.account_id == account_id and p.coverage.none]
        if dark:
            listed = [f"{place.region} on {place.coverage.none} of {place.coverage.days} days" for place in dark]
            warnings.append(f"{account_id}: no logs of {_list(listed)}: what happened then is not known")
    return warnings


def _notes(simulation: Simulation, shown: int) -> list[str]:
    notes = []
    if shown < len(simulation.callers):
        notes.append(f"{len(simulation.callers) - shown:,} more callers; --all shows every one.")
    if foreign := _foreign_accounts(simulation, refused=False):
        notes.append(
            f"Foreign callers, of accounts without logs here: {_list(foreign)}. A refused call of theirs is not "
            "logged in the account that deactivated: ask them, for no log of yours will show it."
        )
    if simulation.calls_after_migration and not simulation.scenario.migrate_global:
        notes.append(
            "Calls to the global endpoint are not refused today, but these regions serve them: when their callers "
            "become regional (an SDK upgrade can do that), they are. --migrate-global counts them as refused."
        )
    if simulation.unplaced_global_calls and simulation.scenario.migrate_global:
        calls = _count(simulation.unplaced_global_calls, "global call")
        notes.append(f"{calls} have no serving region in the log: to which region they would go is not known.")
    if any(caller.effect is Effect.FAILED_ALREADY for caller in simulation.callers):
        notes.append("Calls that failed already are not counted as refused; they show that somebody tries.")
    for place in simulation.places:
        if place.verdict is Verdict.INACTIVE:
            notes.append(f"{place.account_id} {place.region}: calls are refused there already.")
    notes += [_left_in_words(left) for left in simulation.remainders]
    return notes


def _left_in_words(left: Remainder) -> str:
    return (
        f"{left.account_id}: {_count(len(left.active), 'region')} would remain: "
        f"in use {_list(left.used) or 'none'}; spare {_list(left.spares) or 'none'}"
    )


def _per_day(calls: int, simulation: Simulation) -> float | None:
    return round(calls / simulation.window.days, 2) if simulation.window and simulation.window.days else None


def _record(caller: AffectedCaller, simulation: Simulation) -> dict[str, Cell]:
    demand = caller.demand
    has_issued = caller.effect is not Effect.FAILED_ALREADY
    return {
        "account_id": demand.account_id,
        "region": caller.region,
        "effect": caller.effect.value,
        "is_refused": simulation.is_refused(caller),
        "caller_account_id": demand.caller_account_id,
        "relation": caller.relation.value,
        "principal": demand.principal,
        "role_arn": demand.role_arn,
        "is_made_by_service": demand.is_made_by_service,
        "calls": caller.calls,
        "calls_per_day": _per_day(caller.calls, simulation),
        "days_active": demand.days_active if has_issued else None,
        "busiest_day_calls": demand.busiest_day_calls if has_issued else None,
        "first": utc_text(demand.first_used) if has_issued else None,
        "last": utc_text(caller.last),
    }


def _view_row(caller: AffectedCaller, simulation: Simulation) -> tuple[Cell | Styled, ...]:
    demand = caller.demand
    effect = Effect.REFUSED if simulation.is_refused(caller) else caller.effect
    relation = caller.relation.value.replace("_", " ")
    foreign = f"FOREIGN {demand.caller_account_id}"
    return (
        demand.account_id,
        caller.region,
        Styled(_WORDS[effect], _STYLES[effect]),
        foreign if caller.relation is Relation.FOREIGN else relation,
        demand.principal,
        (demand.role_arn or "").rpartition(":role/")[2],
        caller.calls,
        _per_day(caller.calls, simulation),
        demand.days_active if caller.effect is not Effect.FAILED_ALREADY else None,
        (utc_text(caller.last) or "")[:10],
    )


def _data(simulation: Simulation, records: list[dict[str, Cell]], warnings: list[str]) -> dict[str, Any]:
    window, scenario = simulation.window, simulation.scenario
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "sts-regions", "version": __version__},
        "answer": headline(simulation),
        "window": {
            "since": utc_text(window.since) if window else None,
            "until": utc_text(window.until) if window else None,
            "days": window.days if window else 0,
        },
        "scenario": {
            "deactivate": list(scenario.regions),
            "accounts": list(simulation.accounts),
            "migrate_global": scenario.migrate_global,
        },
        "refused_calls": simulation.refused_calls,
        "calls_after_migration": simulation.calls_after_migration,
        "unplaced_global_calls": simulation.unplaced_global_calls,
        "foreign_accounts": _foreign_accounts(simulation, refused=False),
        "places": [_place_json(place) for place in simulation.places],
        "callers": records,
        "remaining": [
            {
                "account_id": left.account_id,
                "active": list(left.active),
                "used": list(left.used),
                "spares": list(left.spares),
            }
            for left in simulation.remainders
        ],
        "warnings": warnings,
    }


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "account_id": place.account_id,
        "region": place.region,
        "verdict": place.verdict.value,
        "refused_calls": place.refused_calls,
        "service_calls": place.service_calls,
        "foreign_calls": place.foreign_calls,
        "calls_after_migration": place.calls_after_migration,
        "failed_calls": place.failed_calls,
        "last_refused": utc_text(place.last_refused),
        "days_without_logs": place.coverage.none,
        "days": [{"day": day.isoformat(), "refused_calls": calls} for day, calls in place.days],
    }


def _list(items: tuple[str, ...] | list[str]) -> str:
    return ", ".join(items)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
