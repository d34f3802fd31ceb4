"""What the page tells of one account and region: figures, days, callers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from analyzer.caller_advice import Fix
from analyzer.callers import Caller
from analyzer.coverage import Level
from analyzer.dossier import Dossier
from analyzer.holes import Hole
from analyzer.presentation.callers_view import shortened, software
from analyzer.presentation.html.matrix import ACCOUNT_WIDTH, Matrix
from analyzer.presentation.report_view import MARKS, flat_record, why
from analyzer.report import VerdictRow
from analyzer.usage import Endpoint
from analyzer.window import Window, utc_text

CALLERS_SHOWN = 3
"""For each place, but only one where many places have callers; the others are counted."""
_MANY_PLACES = 400
HOLES_SHOWN = 2
PRINCIPAL_WIDTH = 120
REGION_WIDTH = 40
_LONGEST_GRID = 400
"""Days; of longer windows the runs are not drawn, only counted."""
_TOLD_ELSEWHERE = {"account_id", "partition", "region", "endpoint", "verdict", "reasons", "settled_by"}
_COVERAGE = ("coverage_", "confidence")
_USUAL = (("other_activity_known", True), ("toggle", "yes"))
"""What goes without saying."""
_LEVELS = {level.letter: level.value for level in Level}


@dataclass(frozen=True, slots=True)
class Run:
    """Days in a row of the same level."""

    letter: str
    days: int

    @property
    def letters(self) -> str:
        """A letter for each day."""
        return self.letter * self.days


@dataclass(frozen=True, slots=True)
class CallerLine:
    """One caller in words. `fix`: number of the fix in the page's list, None if there is nothing to do."""

    principal: str
    software: str
    endpoint: str
    issuing_calls: int
    failed_calls: int
    other_calls: int
    first_seen: str
    last_seen: str
    fix: int | None
    fix_code: str
    accepted: str


@dataclass(frozen=True, slots=True)
class Card:
    """The evidence of one place. `figures`: every figure of the JSON that is not zero, by its name there."""

    anchor: str
    account_id: str
    region: str
    verdict: str
    css: str
    why: str
    settled_by: str | None
    figures: tuple[tuple[str, str | int], ...]
    kinds: tuple[tuple[str, int], ...]
    """Calls by the kind of evidence that decided their endpoint."""
    days: int
    observed: int
    levels: str
    runs: tuple[Run, ...]
    holes: tuple[str, ...]
    callers: tuple[CallerLine, ...]
    more_callers: int


@dataclass(frozen=True, slots=True)
class AccountCards:
    """The evidence of one account."""

    account_id: str
    cards: tuple[Card, ...]


def number_fixes(callers: Iterable[Caller]) -> dict[str, int]:
    """Numbers for the advice that callers get, so that each text stands on the page once."""
    numbers: dict[str, int] = {}
    for caller in callers:
        if caller.advice.code is not Fix.NONE:
            numbers.setdefault(caller.advice.text, len(numbers) + 1)
    return numbers


def caller_line(caller: Caller, fixes: Mapping[str, int]) -> CallerLine:
    """One caller for a list."""
    identity = caller.identity
    served_by = shortened(identity.serving_region or "an unknown region", REGION_WIDTH)
    by_kind = {
        Endpoint.GLOBAL: f"global, served by {served_by}",
        Endpoint.UNKNOWN: "unknown",
        Endpoint.REGIONAL: shortened(identity.region or "", REGION_WIDTH),
    }
    return CallerLine(
        principal=shortened(identity.principal, PRINCIPAL_WIDTH),
        software=software(caller),
        endpoint=by_kind[identity.endpoint],
        issuing_calls=caller.issuing_calls,
        failed_calls=caller.failed_calls,
        other_calls=caller.non_issuing_calls,
        first_seen=(utc_text(caller.first_seen) or "")[:10],
        last_seen=(utc_text(caller.last_seen) or "")[:10],
        fix=fixes.get(caller.advice.text),
        fix_code=caller.advice.code.value if caller.advice.code is not Fix.NONE else "",
        accepted=f"accepted until {max(one.expires for one in caller.exemptions)}" if caller.exemptions else "",
    )


def account_cards(dossier: Dossier, matrix: Matrix, fixes: Mapping[str, int]) -> list[AccountCards]:
    """The evidence of every place that has its evidence on the page."""
    callers = _by_place(dossier.callers.callers)
    letters = {(row.account_id, row.region): row.letters for row in dossier.coverage.rows}
    places = sum(bool(callers.get((row.account_id, row.region.code))) for _, row in chain(*matrix.cards.values()))
    listed = CALLERS_SHOWN if places <= _MANY_PLACES else 1
    holes: dict[tuple[str, str], list[Hole]] = {}
    # Days without logs stand in the grid; these are hours that digests leave unproven.
    for hole in dossier.coverage.broken:
        holes.setdefault((hole.account_id, hole.region), []).append(hole)

    def card(anchor: str, row: VerdictRow) -> Card:
        place = row.account_id, row.region.code
        own = callers.get(place, ())
        lines = tuple(caller_line(caller, fixes) for caller in own[:listed])
        return _card(anchor, row, letters.get(place, ""), holes.get(place, ()), lines, len(own) - len(lines))

    return [
        AccountCards(shortened(account_id, ACCOUNT_WIDTH), tuple(card(*pair) for pair in pairs))
        for account_id, pairs in matrix.cards.items()
    ]


def _card(
    anchor: str,
    row: VerdictRow,
    letters: str,
    holes: Sequence[Hole],
    callers: tuple[CallerLine, ...],
    more_callers: int,
) -> Card:
    figures = (
        (name, value)
        for name, value in flat_record(row).items()
        if name not in _TOLD_ELSEWHERE and not name.startswith(_COVERAGE)
    )
    symbol = MARKS[row.verdict][0]
    return Card(
        anchor=anchor,
        account_id=shortened(row.account_id, ACCOUNT_WIDTH),
        region=row.region.code,
        verdict=f"{symbol} {row.verdict.value}",
        css=f"v-{row.verdict.value}",
        why=why(row),
        settled_by=row.settled_by,
        figures=tuple(
            (name.replace("_", " "), _in_words(value))
            for name, value in figures
            if value not in (None, "", 0) and (name, value) not in _USUAL
        ),
        kinds=tuple((kind.replace("_", " "), calls) for kind, calls in row.seen.usage.evidence.items() if calls),
        days=row.coverage.days,
        observed=row.coverage.days - row.coverage.none,
        levels=", ".join(
            f"{days:,} {level.value}" for level in Level if (days := getattr(row.coverage, level.value))
        ),
        runs=_runs(letters),
        holes=tuple(_hole(hole) for hole in holes[:HOLES_SHOWN])
        + ((f"{len(holes) - HOLES_SHOWN:,} more",) if len(holes) > HOLES_SHOWN else ()),
        callers=callers,
        more_callers=more_callers,
    )


def _in_words(value: str | int | None) -> str | int:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value


def _by_place(callers: Iterable[Caller]) -> dict[tuple[str, str], list[Caller]]:
    """Callers of each regional endpoint, with the global callers that its region serves."""
    found: dict[tuple[str, str], list[Caller]] = {}
    for caller in callers:
        who = caller.identity
        if region := who.region or (who.serving_region if who.endpoint is Endpoint.GLOBAL else None):
            found.setdefault((who.account_id, region), []).append(caller)
    for listed in found.values():
        # Whoever uses the endpoint itself decides; the global callers only pass through.
        listed.sort(key=lambda caller: caller.identity.endpoint is not Endpoint.REGIONAL)
    return found


def _runs(letters: str) -> tuple[Run, ...]:
    if len(letters) > _LONGEST_GRID:
        return ()
    return tuple(Run(letter, len(list(same))) for letter, same in groupby(letters))


def runs_in_words(runs: Sequence[Run]) -> str:
    """The grid for those who do not see it."""
    return ", ".join(f"{run.days} {_LEVELS[run.letter]}" for run in runs)


def _hole(hole: Hole) -> str:
    return f"{hole.since:%Y-%m-%dT%H:%MZ} to {hole.until:%Y-%m-%dT%H:%MZ}, {hole.cause.value.replace('_', ' ')}"


def span_in_words(window: Window | None) -> str:
    """The window for a sentence."""
    return f"{window.since} to {window.until} (excluded), {window.days:,} days UTC" if window else "no day"
