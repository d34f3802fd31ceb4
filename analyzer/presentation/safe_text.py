"""Text from logs is written by attackers: made safe where it is shown, never where it is stored."""

from datetime import date, datetime

from analyzer.window import utc_text

Cell = str | int | float | bool | None | date | datetime
"""A value in a table."""

_FORMULA_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
_MARKDOWN = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "\\`*_[]#|~"},
        "<": "&lt;",
        ">": "&gt;",
        "&": "&amp;",
    }
)


def visible(text: str) -> str:
    r"""Text with everything that is no printable character written out (`\x1b`, `\u202e`).

    So neither a terminal's escape sequences, nor marks that turn the direction of writing, nor line ends
    reach the reader. The test is Unicode's: `str.isprintable`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain(value: Cell) -> str:
    """A value as safe text: times in ISO 8601 with Z, missing values empty, booleans as in JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return utc_text(value) or ""
    if isinstance(value, date):
        return value.isoformat()
    return visible(str(value))


def csv_cell(value: Cell) -> str | int | float:
    """A value for a spreadsheet: text that would be a formula gets an apostrophe in front."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(tuple(_FORMULA_STARTS)) else text


def markdown_cell(value: Cell) -> str:
    """A value for a Markdown table: nothing in it is markup, a link, or an end of the cell."""
    text = plain(value).translate(_MARKDOWN)
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")
