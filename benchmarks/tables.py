"""The same tables as plain text for a terminal and as Markdown for a document."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a heading for each column, and rows of text; columns but the first and last are set right."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def plain(self) -> str:
        """Columns of one width, two spaces apart."""
        lines = [self.headings, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.headings))]
        set_out = ["  ".join(self._cells(line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, "", *set_out])

    def markdown(self) -> str:
        """A pipe table below a heading."""
        last = len(self.headings) - 1
        rule = ["---" if column in (0, last) else "---:" for column in range(last + 1)]
        lines = [[cell.replace("|", "\\|") for cell in line] for line in (self.headings, rule, *self.rows)]
        return "\n".join([f"### {self.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])

    def _cells(self, line: Sequence[str], widths: Sequence[int]) -> list[str]:
        last = len(widths) - 1
        return [
            cell.ljust(width) if column in (0, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]


def seconds(value: float) -> str:
    """Seconds with as many digits as mean something."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def megabytes(value: float) -> str:
    """Bytes as megabytes (10^6)."""
    return f"{value / 1e6:,.0f} MB"
