"""JSON text to values, whatever numbers it holds.

Python refuses to parse integers of more than a few thousand digits; no CloudTrail field needs one, and the
record around it should not be lost for it. `NaN` and `Infinity`, which are no JSON, are read as null.
"""

import json
import math
import re
from functools import cache
from typing import Any

Json = Any
"""A value made from JSON text: its shape is what the modules of this package find out."""

_LONGEST_INTEGER = 400
_WINDOW = 4096
_LONGEST_WORD = 16
"""Characters at the end of a window that may be the beginning of something: `-Infin`, `\\ud83d`, a number."""


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=lambda _: None)


def parse(text: str) -> Json:
    """The one value of a text. Raises ValueError, and RecursionError when it is nested too deep."""
    return _DECODER.decode(text)


def has_doubled_key(text: str, key: str) -> bool:
    """Whether the object that a text holds names a key twice; the parser keeps the last one only."""
    if len(_spellings(key).findall(text)) < 2:
        return False
    pairs: list[tuple[str, Json]] = []

    def keep(found: list[tuple[str, Json]]) -> dict[str, Json]:
        pairs[:] = found
        return {}

    json.JSONDecoder(object_pairs_hook=keep, parse_int=_integer).decode(text)
    return [name for name, _ in pairs].count(key) > 1


@cache
def _spellings(key: str) -> re.Pattern[str]:
    """The key as JSON may write it: any letter may be escaped."""
    letters = (f"(?:{re.escape(letter)}|\\\\u(?i:{ord(letter):04x}))" for letter in key)
    return re.compile(f'"{"".join(letters)}"')


def parse_beginning(text: str) -> tuple[Json, int]:
    """The value that a text begins with, and where it ends. Raises as `parse` does."""
    return _DECODER.raw_decode(text)


def parse_at(text: str, start: int) -> tuple[Json, int]:
    """The value that begins at `start`, and where it ends. Raises as `parse` does.

    The position of an error is counted from `start`. What it costs does not depend on what stands before and
    behind the value: Python counts the lines before an error, so a text of many errors would take the square of
    its length.
    """
    size = _WINDOW
    while True:
        window = text[start : start + size]
        is_rest = start + size >= len(text)
        try:
            value, length = _DECODER.raw_decode(window)
        except json.JSONDecodeError as error:
            if is_rest or not _may_be_cut(error, size):
                raise
        else:
            if is_rest or length + _LONGEST_WORD < size:
                return value, start + length
        size *= 8


def _may_be_cut(error: json.JSONDecodeError, size: int) -> bool:
    """Whether an error in a window may be that the window ends."""
    return error.pos + _LONGEST_WORD >= size or error.msg.startswith("Unterminated")


def dump(value: Json) -> str:
    """The text of a value, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
