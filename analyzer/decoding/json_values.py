"""JSON text to values, whatever numbers it holds.

Python refuses to parse integers of more than a few thousand digits; no CloudTrail field needs one, and the
record around it should not be lost for it. `NaN` and `Infinity`, which are no JSON, are read as null.
"""

import json
import math
from typing import Any

Json = Any
"""A value made from JSON text: its shape is what the modules of this package find out."""

_LONGEST_INTEGER = 400


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=lambda _: None)


def parse(text: str) -> Json:
    """The one value of a text. Raises ValueError, and RecursionError when it is nested too deep."""
    return _DECODER.decode(text)


def has_doubled_key(text: str, key: str) -> bool:
    """Whether the object that a text holds names a key twice; the parser keeps the last one only."""
    if text.count(f'"{key}"') < 2:
        return False
    pairs: list[tuple[str, Json]] = []

    def keep(found: list[tuple[str, Json]]) -> dict[str, Json]:
        pairs[:] = found
        return {}

    json.JSONDecoder(object_pairs_hook=keep, parse_int=_integer).decode(text)
    return [name for name, _ in pairs].count(key) > 1


def parse_at(text: str, start: int = 0) -> tuple[Json, int]:
    """The value that begins at `start`, and where it ends. Raises as `parse` does."""
    return _DECODER.raw_decode(text, start)


def dump(value: Json) -> str:
    """The text of a value, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
