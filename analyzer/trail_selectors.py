"""What a trail records, told from its event selectors: what certainly, and what perhaps.

Source: CloudTrail API reference, `EventSelector`, `AdvancedEventSelector` and `AdvancedFieldSelector`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Flag
from functools import reduce
from operator import and_, or_
from typing import Any

from analyzer.described_trail import Shortcoming
from analyzer.trail_documents import STS


class _Events(Flag):
    """Management events, parted as the rules need it."""

    NONE = 0
    STS_READS = 1
    STS_WRITES = 2
    OTHER_READS = 4
    OTHER_WRITES = 8
    READS = STS_READS | OTHER_READS
    WRITES = STS_WRITES | OTHER_WRITES
    STS = STS_READS | STS_WRITES
    OTHER = OTHER_READS | OTHER_WRITES
    ALL = READS | WRITES


@dataclass(frozen=True, slots=True)
class Recorded:
    """The events that are certainly recorded in full, and those of which some may be recorded.

    An excluded event source other than STS does not count: no call of STS is lost by it.
    """

    certain: _Events
    possible: _Events

    def __or__(self, other: "Recorded") -> "Recorded":
        return Recorded(self.certain | other.certain, self.possible | other.possible)

    def __and__(self, other: "Recorded") -> "Recorded":
        return Recorded(self.certain & other.certain, self.possible & other.possible)

    def shortcomings(self) -> Iterator[Shortcoming]:
        """Why not all events are certain. FILTERED is what no other reason explains."""
        if not self.possible:
            yield Shortcoming.NO_MANAGEMENT_EVENTS
            return
        missing = _Events.ALL & ~self.certain
        if not self.possible & _Events.READS:
            yield Shortcoming.WRITE_ONLY
            missing &= ~_Events.READS
        if not self.possible & _Events.WRITES:
            yield Shortcoming.READ_ONLY
            missing &= ~_Events.WRITES
        if self._excludes_sts():
            yield Shortcoming.EXCLUDES_STS
            missing &= ~_Events.STS
        if missing:
            yield Shortcoming.FILTERED

    def _excludes_sts(self) -> bool:
        """AssumeRole and its like are reads: without them, recorded writes of STS show nothing."""
        if self.possible & _Events.OTHER_READS:
            return not self.possible & _Events.STS_READS
        return not self.possible & _Events.STS


_EVERYTHING = Recorded(_Events.ALL, _Events.ALL)
_NOTHING = Recorded(_Events.NONE, _Events.NONE)
_UNKNOWN = Recorded(_Events.NONE, _Events.ALL)
_READ_WRITE_TYPES = {"All": _Events.ALL, "ReadOnly": _Events.READS, "WriteOnly": _Events.WRITES}
_READ_ONLY_VALUES = {"true": _Events.READS, "false": _Events.WRITES}

_INCLUDING: dict[str, Callable[[str], bool]] = {
    "Equals": lambda value: value == STS,
    "StartsWith": STS.startswith,
    "EndsWith": STS.endswith,
}
# Whether AWS minds the case is not documented. Doubt goes against the trail: an exclusion is read generously.
_EXCLUDING: dict[str, Callable[[str], bool]] = {
    "NotEquals": lambda value: value.lower() == STS,
    "NotStartsWith": lambda value: STS.startswith(value.lower()),
    "NotEndsWith": lambda value: STS.endswith(value.lower()),
}


def recorded_by(value: Mapping[str, Any]) -> Recorded:
    """What the selectors in the essence of a description record together.

    A trail has selectors of one kind only (API reference, `PutEventSelectors`); should both be there, nobody
    knows which of them apply.
    """
    basic = [_by_basic_selector(one) for one in value.get("EventSelectors", ())]
    advanced = [_by_advanced_selector(one) for one in value.get("AdvancedEventSelectors", ())]
    kinds = [reduce(or_, selectors) for selectors in (basic, advanced) if selectors]
    return reduce(and_, kinds) if kinds else _NOTHING


def _by_basic_selector(selector: Mapping[str, Any]) -> Recorded:
    """What is left out means `All`, management events included and no source excluded."""
    if not selector.get("IncludeManagementEvents", True):
        return _NOTHING
    events = _READ_WRITE_TYPES.get(selector.get("ReadWriteType", "All"))
    if events is None:
        return _UNKNOWN
    if any(source.lower() == STS for source in selector.get("ExcludeManagementEventSources", ())):
        events &= _Events.OTHER
    return Recorded(events, events)


def _by_advanced_selector(selector: Mapping[str, Any]) -> Recorded:
    """All field selectors must hold for an event; one of them says that it is about management events."""
    of_management = {"Field": "eventCategory", "Equals": ["Management"]}
    fields = selector["FieldSelectors"]
    if of_management not in fields:
        return _NOTHING
    return reduce(and_, (_by_field(one) for one in fields if one != of_management), _EVERYTHING)


def _by_field(selector: Mapping[str, Any]) -> Recorded:
    operators = {name: values for name, values in selector.items() if name != "Field"}
    if selector["Field"] == "eventSource" and operators:
        return _by_source(operators)
    if selector["Field"] == "readOnly" and operators.keys() == {"Equals"}:
        named = [_READ_ONLY_VALUES.get(value) for value in operators["Equals"]]
        events = reduce(or_, (one for one in named if one is not None), _Events.NONE)
        return Recorded(events, events) if None not in named else _UNKNOWN
    return _UNKNOWN


def _by_source(operators: Mapping[str, list[str]]) -> Recorded:
    """All operators must hold; of an operator's values, one that matches includes, and one excludes."""
    including = [any(map(_INCLUDING[name], values)) for name, values in operators.items() if name in _INCLUDING]
    excluding = [any(map(_EXCLUDING[name], values)) for name, values in operators.items() if name in _EXCLUDING]
    sts = _Events.STS if all(including) and not any(excluding) else _Events.NONE
    others = _Events.NONE if including else _Events.OTHER
    return Recorded(sts | others, sts | _Events.OTHER)
