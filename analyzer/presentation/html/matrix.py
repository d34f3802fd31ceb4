"""The matrix of accounts by regions: which columns there are, what stands in each cell, where it leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyzer.presentation.callers_view import shortened
from analyzer.presentation.report_view import MARKS
from analyzer.report import Report, VerdictRow
from analyzer.simulation import by_account
from analyzer.verdicts import Verdict

ALL_DETAILS_ACCOUNTS = 50
"""Up to so many accounts every region has its evidence on the page; beyond, only those that need attention."""
MOST_CARDS = 1500
"""Most places whose evidence is on the page; the rest is one command away, and the page says so."""

ACCOUNT_WIDTH = 40
"""Characters of an account id: twelve, unless somebody wrote something else into the log."""

ATTENTION = (Verdict.REVIEW, Verdict.CANNOT_TELL)
"""Verdicts that wait for somebody."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One account and region. `anchor`: where its evidence is on the page, if it is there."""

    verdict: Verdict
    anchor: str | None = None

    @property
    def css(self) -> str:
        """The class that gives it its colour; for a place that needs attention, another one."""
        return f"v-{self.verdict.value}" + (" attn" if self.verdict in ATTENTION else "")

    @property
    def text(self) -> str:
        """Symbol and word: the colour says nothing that they do not."""
        return f"{MARKS[self.verdict][0]} {self.verdict.value}"


@dataclass(frozen=True, slots=True)
class Line:
    """One account: a cell for each column, None where the account has no such region."""

    account_id: str
    cells: tuple[Cell | None, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether any of its regions does."""
        return any(cell.verdict in ATTENTION for cell in self.cells if cell)


@dataclass(frozen=True, slots=True)
class Matrix:
    """`folded`: regions left out, because they cannot be toggled and nobody uses them. `cards`: places with
    evidence on the page, by account, each with its anchor."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    folded: tuple[str, ...]
    cards: Mapping[str, Sequence[tuple[str, VerdictRow]]]
    left_out: int
    """Places that have something to say and no evidence on the page."""
    limit: str
    """Why, in words; empty if none was left out."""


def is_quiet(row: VerdictRow) -> bool:
    """Whether there is nothing to decide and nothing was seen."""
    return row.verdict is Verdict.FIXED and not (row.seen.usage.calls or row.seen.served_global_calls)


def make_matrix(report: Report) -> Matrix:
    """Lay out a report's verdicts. Columns are in the order of their codes."""
    codes = {row.region.code for row in report.verdicts}
    columns = tuple(sorted({row.region.code for row in report.verdicts if not is_quiet(row)}))
    accounts = len(report.accounts)
    shown = [row for row in report.verdicts if _is_shown(row, accounts)]
    anchors = {(row.account_id, row.region.code): f"e{n}" for n, row in enumerate(shown[:MOST_CARDS], start=1)}
    cards: dict[str, list[tuple[str, VerdictRow]]] = {}
    for row in shown[:MOST_CARDS]:
        cards.setdefault(row.account_id, []).append((anchors[row.account_id, row.region.code], row))
    lines = []
    for account_id, rows in by_account(report.verdicts).items():
        verdicts = {row.region.code: row.verdict for row in rows}
        lines.append(
            Line(
                shortened(account_id, ACCOUNT_WIDTH),
                tuple(
                    Cell(verdicts[code], anchors.get((account_id, code))) if code in verdicts else None
                    for code in columns
                ),
            )
        )
    left_out = sum(not is_quiet(row) for row in report.verdicts) - len(anchors)
    return Matrix(
        columns=columns,
        lines=tuple(lines),
        folded=tuple(sorted(codes - set(columns))),
        cards=cards,
        left_out=left_out,
        limit=_limit(left_out, accounts, len(shown)),
    )


def _is_shown(row: VerdictRow, accounts: int) -> bool:
    return not is_quiet(row) and (accounts <= ALL_DETAILS_ACCOUNTS or row.verdict in ATTENTION)


def _limit(left_out: int, accounts: int, shown: int) -> str:
    if not left_out:
        return ""
    which = (
        f"With more than {ALL_DETAILS_ACCOUNTS} accounts, only places that need attention have their evidence here"
    )
    parts = [which] if accounts > ALL_DETAILS_ACCOUNTS else []
    if shown > MOST_CARDS:
        parts.append(f"{'and of those ' if parts else ''}the first {MOST_CARDS:,}")
    return (
        f"{', '.join(parts)}: {left_out:,} places are left out; 'sts-regions report --account ACCOUNT' shows them."
    )
