"""Coverage as a grid of days, with its holes in words."""

from collections.abc import Sequence
from itertools import groupby

from analyzer.coverage import Level
from analyzer.coverage_report import CoverageReport, CoverageRow, signature_of
from analyzer.digest_chain import Chain
from analyzer.holes import Hole
from analyzer.presentation.output import Answer, Letters, Table
from analyzer.signatures import Signature
from analyzer.window import Window, utc_text

STYLES = {"P": "green", "D": "cyan", "I": "yellow", "N": "bold red"}
"""Colour of each level's letter."""

_HOLES_SHOWN = 20
_HOLE_COLUMNS = (
    "account_id",
    "region",
    "since",
    "until",
    "kind",
    "trail",
    "digest",
    "bucket",
    "objects",
    "remedy",
)


def coverage_answer(report: CoverageReport, *, list_holes: bool = False, show_all: bool = False) -> Answer:
    """The evidence in all its forms. `list_holes`: a row for each hole; else a row for each account and region."""
    if list_holes:
        table = holes_table(report.holes)
        return Answer(report.to_json(), table, table, (_headline(report), _basis(report)))
    records = [row.to_json() for row in report.rows]
    columns = tuple(records[0]) if records else ("account_id", "region", "confidence")
    shown = [row for row in report.rows if show_all or _uniform(row) is None]
    return Answer(
        data=report.to_json(),
        table=Table(columns, [tuple(record.values()) for record in records]),
        view=_grid(shown, report.window),
        headline=(_headline(report), _basis(report)),
        notes=tuple(_notes(report, show_all=show_all)),
    )


def holes_table(holes: Sequence[Hole]) -> Table:
    """Every hole with its hours and what to do about it."""
    return Table(
        _HOLE_COLUMNS,
        [
            (
                *(hole.account_id, hole.region, utc_text(hole.since), utc_text(hole.until), hole.cause.value),
                *(hole.trail, hole.digest, hole.bucket, " ".join(hole.objects), hole.remedy),
            )
            for hole in holes
        ],
    )


def _headline(report: CoverageReport) -> str:
    totals = report.totals()
    days = totals.total()
    if not days:
        return "No account or no day was found in the logs: nothing is covered."
    parts = [f"{totals[level]:,} {level.value}" for level in Level]
    return f"{days:,} region-days: {', '.join(parts)}."


def _basis(report: CoverageReport) -> str:
    window, chains = report.window, report.evidence.chains
    span = f"{window.since} to {window.until} (excluded), {window.days} days UTC" if window else "no days"
    digests = sum(chain.digests for chain in chains)
    files = sum(chain.files for chain in chains)
    if not digests:
        return f"Window: {span}. No digests: nothing is proven."
    return (
        f"Window: {span}. {digests:,} digests of {_count(len(chains), 'chain')} list {files:,} log files; "
        f"signature: {signature_of(chains).value}."
    )


def _uniform(row: CoverageRow) -> Level | None:
    """The level of every day, for rows that look all the same: nothing at all, or declared for every region."""
    for level, days in ((Level.NONE, row.coverage.none), (Level.DECLARED, row.coverage.declared)):
        if days == row.coverage.days:
            return level
    return None


def _grid(rows: Sequence[CoverageRow], window: Window | None) -> Table:
    """A row for each account and region, a column for each month, a letter for each day."""
    if window is None or not rows:
        return Table(("account", "region", "weakest"), [])
    days = [window.since.fromordinal(window.since.toordinal() + n) for n in range(window.days)]
    months = [(month, len(list(found))) for month, found in groupby(f"{day:%Y-%m}" for day in days)]
    lines = []
    for row in rows:
        cells, at = [], 0
        for _, length in months:
            cells.append(Letters(row.letters[at : at + length], STYLES))
            at += length
        lines.append((row.account_id, row.region, row.coverage.confidence.value, *cells))
    return Table(("account", "region", "weakest", *(month for month, _ in months)), lines)


def _notes(report: CoverageReport, *, show_all: bool) -> list[str]:
    notes = ["P proven, D declared, I inferred, N none; a letter for each UTC day of the window."]
    folded: dict[tuple[str, Level], list[str]] = {}
    for row in [] if show_all else report.rows:
        if level := _uniform(row):
            folded.setdefault((row.account_id, level), []).append(row.region)
    for (account_id, level), regions in folded.items():
        notes.append(
            f"{account_id}: {level.value} on every day in {_count(len(regions), 'region')}: {', '.join(regions)}"
        )
    notes += [_chain_in_words(chain) for chain in report.evidence.chains]
    notes += [trail.in_words() for trail in report.evidence.trails]
    notes += report.evidence.problems
    notes += [f"{file.uri}: {file.in_words()}" for file in report.evidence.unusable]
    told = {(account_id, region) for (account_id, _), regions in folded.items() for region in regions}
    holes = [*report.broken, *(hole for hole in report.dark if (hole.account_id, hole.region) not in told)]
    for hole in holes if show_all else holes[:_HOLES_SHOWN]:
        notes.append(f"{hole.account_id} {hole.region} {_hours(hole)}: {_words(hole.cause.value)}: {hole.remedy}")
    if not show_all and len(holes) > _HOLES_SHOWN:
        notes.append(f"{len(holes) - _HOLES_SHOWN} more holes; --all shows every one, --holes lists them as rows.")
    return notes


def _chain_in_words(chain: Chain) -> str:
    trail, counts = chain.trail, chain.signatures
    signature = signature_of([chain])
    partly = ""
    if signature is Signature.ABSENT and counts[Signature.VERIFIED]:
        partly = f" ({counts[Signature.VERIFIED]:,} verified)"
    if signature is Signature.INVALID:
        partly = f" ({counts[Signature.INVALID]:,} of {chain.digests:,})"
    return (
        f"{trail.account_id} {trail.region}: trail {trail.name}, {_count(chain.digests, 'digest')} "
        f"{utc_text(chain.first)} to {utc_text(chain.last)}, {_count(len(chain.proven_days()), 'day')} proven, "
        f"signature: {signature.value}{partly}"
    )


def _hours(hole: Hole) -> str:
    return f"{utc_text(hole.since)} to {utc_text(hole.until)}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
