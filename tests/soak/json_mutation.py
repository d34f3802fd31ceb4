"""JSON altered value by value, so that what comes out is still JSON and reaches what lies behind the parser."""

import copy
import json
import random
from typing import Any

_HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    float("inf"),
    float("nan"),
    10**30,
    10**4000,
    "",
    " ",
    "\x00",
    "\n",
    "\ud800",
    "\ufeff",
    "\u202e",
    "é" * 300,
    "x" * 1100,
    "2026-10-01T12:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    [],
    {},
    [[]],
    [None],
    {"": None},
)
_DEEP = 3000


def mutate(data: bytes, most: int, seed: int) -> bytes | None:
    """A JSON text with a value or two altered, at most so many bytes; None when the text is no JSON."""
    chance = random.Random(seed)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    try:
        for _ in range(chance.choice((1, 1, 2, 4))):
            value = _altered(value, chance)
        text = json.dumps(value, ensure_ascii=chance.random() < 0.8, separators=chance.choice(((",", ":"), None)))
    except (ValueError, RecursionError):
        return None
    if chance.random() < 0.02:
        text = text.replace("null", "[ " * _DEEP + "] " * _DEEP, 1)
    made = text.encode("utf-8", "surrogatepass")
    return made if len(made) <= most else None


def _altered(root: Any, chance: random.Random) -> Any:
    """The value with one part of it changed, put elsewhere, doubled or taken away."""
    places = list(_places(root))
    if not places:
        return chance.choice((_hostile(chance), [root], {"Records": [root]}, root))
    container, at = chance.choice(places)
    other = chance.choice(places)
    match chance.randrange(7):
        case 0 | 1:
            container[at] = _hostile(chance)
        case 2:
            container[at] = copy.deepcopy(other[0][other[1]])
        case 3:
            container[at] = _text(container[at], chance)
        case 4:
            del container[at]
        case 5 if isinstance(container, list):
            container.insert(at, copy.deepcopy(container[at]))
        case 5:
            container[other[1] if isinstance(other[1], str) else "x"] = container.pop(at)
        case _:
            container[at] = chance.choice((json.dumps(container[at]), [container[at]], {"x": container[at]}))
    return root


def _places(value: Any) -> Any:
    """Every value inside, as the list or object that holds it and its place there."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict | list):
            found = container.items() if isinstance(container, dict) else enumerate(container)
            for at, part in found:
                yield container, at
                waiting.append(part)


def _hostile(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_HOSTILE))


def _text(value: Any, chance: random.Random) -> Any:
    """A text cut, doubled or with a character changed; other values as texts."""
    text = value if isinstance(value, str) else json.dumps(value)
    at = chance.randrange(len(text) + 1)
    inserted = chance.choice(("\x00", "\ud800", "\n", "/", "\\", "_", "-", "0", "é", "\u2028", text, ""))
    return text[:at] + inserted + text[at + chance.randrange(2) :]
