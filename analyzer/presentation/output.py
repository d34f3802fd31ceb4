"""Owns stdout and `--out`: one answer, written as table, JSON, CSV or Markdown."""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from analyzer.errors import OutputError
from analyzer.presentation.safe_text import Cell, csv_cell, markdown_cell, plain

UNBOUNDED_WIDTH = 1000


class Format(StrEnum):
    """What `--output` takes."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Styled:
    """A cell with a colour; its text says the same without."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Letters:
    """A cell of letters that mean something each; `styles` has a colour for each letter."""

    text: str
    styles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows as they are shown."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell | Styled | Letters]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in all its forms.

    `data`: the object for JSON. `table`: every row, for CSV and Markdown. `view`: what a terminal shows, if
    that is less than the table. `headline` and `notes` stand before and after it, except in CSV and JSON.
    """

    data: Any
    table: Table
    view: Table | None = None
    headline: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def write(answer: Answer, form: Format, out: Path | None) -> None:
    """Write an answer to stdout, or whole or not at all to a file. Raises OutputError."""
    if out is None:
        width = None if sys.stdout.isatty() else UNBOUNDED_WIDTH
        text = render(answer, form, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"), width=width)
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _save(render(answer, form), out)


def write_text(text: str, out: Path | None) -> None:
    """Write a whole document as `write` does an answer. Raises OutputError."""
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _save(text, out)


def render(answer: Answer, form: Format, *, color: bool = False, width: int | None = UNBOUNDED_WIDTH) -> str:
    """An answer as text that ends in a line end. `width` in columns; None is that of the terminal."""
    if form is Format.JSON:
        # DEL is the one control character that JSON leaves as it is.
        return json.dumps(answer.data, indent=1).replace("\x7f", "\\u007f") + "\n"
    if form is Format.CSV:
        return csv_text(answer.table)
    if form is Format.MARKDOWN:
        return _markdown(answer)
    return _terminal(answer, color, width)


def _text(cell: Cell | Styled | Letters) -> Cell:
    return cell.text if isinstance(cell, Styled | Letters) else cell


def csv_text(table: Table) -> str:
    """A table for a spreadsheet, safe from formulas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(column) for column in table.columns])
    writer.writerows([csv_cell(_text(cell)) for cell in row] for row in table.rows)
    return text.getvalue()


def _markdown(answer: Answer) -> str:
    table = answer.table
    lines = [markdown_cell(line) for line in answer.headline]
    if lines:
        lines.append("")
    lines.append("| " + " | ".join(markdown_cell(column) for column in table.columns) + " |")
    lines.append("|" + " --- |" * len(table.columns))
    lines += ["| " + " | ".join(markdown_cell(_text(cell)) for cell in row) + " |" for row in table.rows]
    if answer.notes:
        lines += ["", *(f"- {markdown_cell(note)}" for note in answer.notes)]
    return "\n".join(lines) + "\n"


def _terminal(answer: Answer, color: bool, width: int | None) -> str:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    table = answer.view or answer.table
    grid = RichTable(box=None, pad_edge=False, header_style="bold", collapse_padding=True, padding=(0, 2, 0, 0))
    for index, column in enumerate(table.columns):
        numeric = any(isinstance(row[index], int | float) for row in table.rows)
        grid.add_column(Text(plain(column)), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(_rich_cell(cell) for cell in row))
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for number, line in enumerate(answer.headline):
        console.print(Text(plain(line), style="bold" if number == 0 else ""), soft_wrap=True)
    if table.rows:
        if answer.headline:
            console.print()
        console.print(grid)
    if answer.notes:
        console.print()
    for note in answer.notes:
        console.print(Text(plain(note), style="dim"), soft_wrap=True)
    file = console.file
    text = file.getvalue() if isinstance(file, io.StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _rich_cell(cell: Cell | Styled | Letters) -> Any:
    from rich.text import Text

    if isinstance(cell, Letters):
        return Text.assemble(*((letter, cell.styles.get(letter, "")) for letter in plain(cell.text)))
    if isinstance(cell, Styled):
        return Text(plain(cell.text), style=cell.style)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return Text(f"{cell:,}")
    return Text(plain(cell))


def _save(text: str, out: Path) -> None:
    """Write aside and move into place, so that a reader never sees half a file."""
    try:
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(name).replace(out)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from None
