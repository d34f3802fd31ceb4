"""Trail descriptions: what AWS says a trail records, and since when the trail so declares coverage.

Read are the saved outputs of `aws cloudtrail describe-trails` (or `get-trail`), `get-event-selectors` and
`get-trail-status`; all three are needed to declare anything. Sources: CloudTrail API reference, `Trail`,
`EventSelector`, `AdvancedFieldSelector` and `GetTrailStatus`. A description is text from anybody: what is not
understood in it never makes a trail declare more, only less.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Flag, StrEnum
from functools import reduce
from operator import and_, or_
from typing import Any

Document = tuple[str, Mapping[str, Any]]
"""The name of the file (path or URI) that a JSON object came from, and the object."""

_STS = "sts.amazonaws.com"
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]{0,20}):cloudtrail:(?P<home_region>[a-z0-9-]{1,32}):(?P<account_id>[0-9]{12})"
    r":trail/(?P<name>[A-Za-z0-9._-]{1,128})"
)
_TEXT_BOUND = 1024
_SHOWN = 100
"""Most characters of somebody's text that a problem quotes."""
_MOST_TRAILS = 1000
_MOST_SELECTORS = 500
"""AWS allows five basic event selectors, and advanced ones with 500 conditions altogether."""
_LONGEST_TIME = 64
_EARLIEST, _LATEST = datetime(2000, 1, 1), datetime(9999, 1, 1)
_EPOCH = datetime(1970, 1, 1)


class Shortcoming(StrEnum):
    """Why a trail declares nothing."""

    SINGLE_REGION = "single_region"
    """It is no multi-region trail: other regions are not in its logs."""
    WRITE_ONLY = "write_only"
    """No reads are recorded, and AssumeRole is one."""
    READ_ONLY = "read_only"
    """No writes are recorded."""
    NO_MANAGEMENT_EVENTS = "no_management_events"
    """No management events are recorded, and all calls of STS are such events."""
    EXCLUDES_STS = "excludes_sts"
    """What is recorded leaves out the event source sts.amazonaws.com."""
    FILTERED = "filtered"
    """Management events are restricted by another field, or to some event sources: calls may be left out."""
    SELECTORS_MISSING = "selectors_missing"
    """No output of get-event-selectors was handed in: what is recorded is unknown."""
    STATUS_MISSING = "status_missing"
    """No output of get-trail-status tells since when the trail logs."""
    STOPPED = "stopped"
    """The trail is not logging."""
    DELIVERY_FAILING = "delivery_failing"
    """CloudTrail's latest attempt to deliver a log file to the bucket failed."""


_IN_WORDS = {
    Shortcoming.SINGLE_REGION: "it records one region only "
    "(hand in the descriptions of a multi-region trail, or make this one such a trail)",
    Shortcoming.WRITE_ONLY: "it records no reads, and AssumeRole is one "
    "(let its event selectors record reads and writes)",
    Shortcoming.READ_ONLY: "it records no writes (let its event selectors record reads and writes)",
    Shortcoming.NO_MANAGEMENT_EVENTS: "it records no management events "
    "(let its event selectors record them, reads and writes)",
    Shortcoming.EXCLUDES_STS: f"it excludes {_STS} (take the exclusion out of its event selectors)",
    Shortcoming.FILTERED: "its event selectors let some management events pass only, so calls may be left out "
    "(add a selector of all management events)",
    Shortcoming.SELECTORS_MISSING: "what it records is not known "
    "(save `aws cloudtrail get-event-selectors --trail-name {arn}` and hand it in)",
    Shortcoming.STATUS_MISSING: "since when it logs is not known "
    "(save `aws cloudtrail get-trail-status --name {arn}`, with {name} in the file's name, and hand it in)",
    Shortcoming.STOPPED: "it is not logging "
    "(start it with `aws cloudtrail start-logging --name {arn}`, or hand in a trail that logs)",
    Shortcoming.DELIVERY_FAILING: "CloudTrail could not deliver to its bucket "
    "(repair the bucket's policy, then save `aws cloudtrail get-trail-status --name {arn}` anew)",
}
"""Reason and remedy, as clauses of a sentence about the trail."""

_BLIND = frozenset({Shortcoming.WRITE_ONLY, Shortcoming.NO_MANAGEMENT_EVENTS, Shortcoming.EXCLUDES_STS})


@dataclass(frozen=True, slots=True)
class DescribedTrail:
    """A trail as its descriptions have it, all of them put together.

    Account, partition, home region and name are those in its ARN; an organization trail's ARN holds the account
    that owns the trail. `logging_since` is naive UTC, None when the trail does not log or nothing tells.
    """

    arn: str
    name: str
    account_id: str
    partition: str
    home_region: str
    is_multi_region: bool
    is_organization: bool
    s3_bucket: str
    prefix: str
    logging_since: datetime | None
    shortcomings: tuple[Shortcoming, ...]

    @property
    def sees_sts(self) -> bool:
        """Whether its logs could show AssumeRole at all. Unknown event selectors might."""
        return _BLIND.isdisjoint(self.shortcomings)

    @property
    def first_day(self) -> date | None:
        """The first whole UTC day on which everything needed was logged; None when the trail declares nothing."""
        if self.shortcomings or self.logging_since is None:
            return None
        day = self.logging_since.date()
        return day if self.logging_since.time() == time() else day + timedelta(days=1)

    def declares(self, day: date) -> bool:
        """Whether everything needed was logged from that day's midnight on."""
        first = self.first_day
        return first is not None and first <= day

    def in_words(self) -> str:
        """One sentence for the terminal: since when the trail declares, or why it does not and what to do."""
        trail = f"trail {self.name} ({self.account_id}, home {self.home_region})"
        first = self.first_day
        if first is not None:
            return f"{trail} declares all regions from {first} on"
        reasons = (_IN_WORDS[one].format(arn=self.arn, name=self.name) for one in self.shortcomings)
        return f"{trail} declares nothing: {'; '.join(reasons)}"


def is_description(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object holds an output of at least one of the commands, told by its content."""
    return (
        isinstance(value.get("trailList"), list)
        or _holds_trail(value)
        or _holds_selectors(value)
        or _holds_status(value)
    )


def read_trails(documents: Iterable[Document]) -> tuple[tuple[DescribedTrail, ...], tuple[str, ...]]:
    """Put descriptions together: the trails by ARN, and in words what could not be used. Order does not matter.

    Event selectors and statuses handed in twice for one trail: what is certain by all of them counts.
    """
    descriptions = [(name, essence(value)) for name, value in documents]
    problems: set[str] = set()
    trails: dict[str, _Pieces] = {}
    for name, value in descriptions:
        for configuration in _configurations(value):
            arn = configuration.get("TrailARN", "")
            if match := _ARN.fullmatch(arn):
                trails.setdefault(arn, _Pieces(arn, **match.groupdict())).configurations.append(configuration)
            else:
                problems.add(_unreadable(name, arn))
    for name, value in descriptions:
        if _holds_selectors(value) or _holds_status(value):
            pieces = _whose(name, value, trails)
            if pieces is None:
                problems.update(_unassigned(name, value, bool(trails)))
            else:
                pieces.add(value)
    return tuple(trails[arn].together() for arn in sorted(trails)), tuple(sorted(problems))


# What is kept of a description


def essence(value: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description that is read here, of bounded texts and lists: what a store keeps.

    What has the wrong type is dropped, and with it the event selector that it restricts. The essence reads the
    same as the description.
    """
    kept: dict[str, Any] = {}
    if isinstance(value.get("trailList"), list):
        found = value["trailList"][:_MOST_TRAILS]
        kept["trailList"] = [_configuration(trail) for trail in found if isinstance(trail, Mapping)]
    if _holds_trail(value):
        kept["Trail"] = _configuration(value["Trail"])
    if _holds_selectors(value) or _holds_status(value):
        kept |= _texts(value, "TrailARN")
    for name, keep in (("EventSelectors", _basic_selector), ("AdvancedEventSelectors", _advanced_selector)):
        if isinstance(value.get(name), list):
            selectors = (keep(one) for one in value[name][:_MOST_SELECTORS] if isinstance(one, Mapping))
            kept[name] = [selector for selector in selectors if selector is not None]
    if _holds_status(value):
        kept |= {"IsLogging": value["IsLogging"]} | _texts(value, "LatestDeliveryError")
        kept |= _times(value, "StartLoggingTime", "TimeLoggingStarted", "StopLoggingTime")
    return kept


def _holds_trail(value: Mapping[str, Any]) -> bool:
    trail = value.get("Trail")
    return isinstance(trail, Mapping) and isinstance(trail.get("TrailARN"), str)


def _holds_selectors(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("EventSelectors"), list) or isinstance(value.get("AdvancedEventSelectors"), list)


def _holds_status(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("IsLogging"), bool)


def _configuration(trail: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = _texts(trail, "TrailARN", "S3BucketName", "S3KeyPrefix")
    for name in ("IsMultiRegionTrail", "IsOrganizationTrail"):
        if isinstance(trail.get(name), bool):
            kept[name] = trail[name]
    return kept


def _basic_selector(selector: Mapping[str, Any]) -> dict[str, Any] | None:
    """A selector whose restrictions cannot all be read is dropped: nobody knows what it records."""
    include = selector.get("IncludeManagementEvents")
    read_write = selector.get("ReadWriteType")
    excluded = selector.get("ExcludeManagementEventSources")
    sources = _list_of_texts([] if excluded is None else excluded)
    if not isinstance(include, bool | None) or not isinstance(read_write, str | None) or sources is None:
        return None
    kept: dict[str, Any] = _texts(selector, "ReadWriteType")
    if include is not None:
        kept["IncludeManagementEvents"] = include
    if sources:
        kept["ExcludeManagementEventSources"] = sources
    return kept


def _advanced_selector(selector: Mapping[str, Any]) -> dict[str, Any] | None:
    fields = selector.get("FieldSelectors")
    if not isinstance(fields, list) or len(fields) > _MOST_SELECTORS:
        return None
    return {"FieldSelectors": [_field_selector(one) for one in fields]}


def _field_selector(selector: Any) -> dict[str, Any]:
    """A field selector that is not understood keeps its field only: restricted, nobody knows how."""
    if not isinstance(selector, Mapping) or not isinstance(selector.get("Field"), str):
        return {"Field": ""}
    kept: dict[str, Any] = _texts(selector, "Field")
    operators: dict[str, list[str]] = {}
    for name, values in selector.items():
        if name == "Field" or values is None or values == []:
            continue
        texts = _list_of_texts(values)
        if texts is None or name not in _OPERATORS:
            return kept
        operators[name] = texts
    return kept | operators


def _texts(value: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: _text(value[name]) for name in names if isinstance(value.get(name), str)}


def _text(text: str) -> str:
    """Cut, and without lone surrogates, which no file and no database takes."""
    return text[:_TEXT_BOUND].encode("utf-8", "replace").decode()


def _list_of_texts(values: Any) -> list[str] | None:
    """None when it is no list of texts, or so long that cutting it would lose a condition."""
    if not isinstance(values, list) or len(values) > _MOST_SELECTORS:
        return None
    return [_text(one) for one in values] if all(isinstance(one, str) for one in values) else None


def _times(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Times as they are written, those that can be read."""
    return {name: value[name] for name in names if _moment(value.get(name)) is not None}


def _moment(written: Any) -> datetime | None:
    """Naive UTC of ISO 8601 with its offset (AWS CLI 2) or of epoch seconds (AWS CLI 1); None if it is neither.

    A time without offset could be anybody's local time: it tells no UTC day.
    """
    try:
        if isinstance(written, str) and len(written) <= _LONGEST_TIME:
            moment = datetime.fromisoformat(written)
            if moment.tzinfo is None:
                return None
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        elif isinstance(written, int | float) and not isinstance(written, bool):
            moment = _EPOCH + timedelta(seconds=written)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


# Whose description it is


def _configurations(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trails in the essence of a description."""
    found: list[dict[str, Any]] = list(value.get("trailList", ()))
    return [*found, value["Trail"]] if "Trail" in value else found


def _whose(name: str, value: Mapping[str, Any], trails: Mapping[str, "_Pieces"]) -> "_Pieces | None":
    """The trail that event selectors or a status belong to.

    get-trail-status does not say of which trail it is. So the ARN decides where there is one, then the trail
    described in the same JSON object, then the file's name, and then that only one trail is described.
    """
    if arn := value.get("TrailARN"):
        return trails.get(arn)
    beside = {one.get("TrailARN", "") for one in _configurations(value)} & trails.keys()
    for arns in (beside, _named(name, trails), set(trails)):
        if len(arns) == 1:
            return trails[arns.pop()]
    return None


def _named(name: str, trails: Mapping[str, "_Pieces"]) -> set[str]:
    """The trails whose name is in a file's name. A name within a longer one that is there too does not count.

    Trails of several accounts may be named alike; then an account in the file's whole name decides.
    """
    file = re.split(r"[/\\]", name)[-1]
    there = {pieces.name for pieces in trails.values() if pieces.name in file}
    longest = {one for one in there if not any(one in other for other in there - {one})}
    found = {arn for arn, pieces in trails.items() if pieces.name in longest}
    of_account = {arn for arn in found if trails[arn].account_id in name}
    return of_account or found


def _unreadable(name: str, arn: str) -> str:
    named = f"by '{arn[:_SHOWN]}', which is no trail's ARN" if arn else "without its TrailARN"
    return f"{name}: describes a trail {named}; save describe-trails' output unchanged and hand it in"


def _unassigned(name: str, value: Mapping[str, Any], is_any_described: bool) -> Iterator[str]:
    arn = value.get("TrailARN", "")
    for kind, holds in (("event selectors", _holds_selectors), ("status", _holds_status)):
        if not holds(value):
            continue
        if arn:
            yield (
                f"{name}: describes the {kind} of {arn[:_SHOWN]}, but no describe-trails output names that trail; "
                "save `aws cloudtrail describe-trails` of its account and hand it in"
            )
        elif is_any_described:
            yield (
                f"{name}: says of no trail whose {kind} it holds; put the trail's name into the file's name "
                "(and its account's number, where several accounts have trails of that name)"
            )
        else:
            yield (
                f"{name}: holds the {kind} of a trail, but none is described; "
                "save `aws cloudtrail describe-trails` and hand it in"
            )


# What a trail's event selectors record


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
class _Recorded:
    """The events that are certainly recorded in full, and those of which some may be recorded.

    An excluded event source other than STS does not count: no call of STS is lost by it.
    """

    certain: _Events
    possible: _Events

    def __or__(self, other: "_Recorded") -> "_Recorded":
        return _Recorded(self.certain | other.certain, self.possible | other.possible)

    def __and__(self, other: "_Recorded") -> "_Recorded":
        return _Recorded(self.certain & other.certain, self.possible & other.possible)

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


_EVERYTHING = _Recorded(_Events.ALL, _Events.ALL)
_NOTHING = _Recorded(_Events.NONE, _Events.NONE)
_UNKNOWN = _Recorded(_Events.NONE, _Events.ALL)
_READ_WRITE_TYPES = {"All": _Events.ALL, "ReadOnly": _Events.READS, "WriteOnly": _Events.WRITES}
_READ_ONLY_VALUES = {"true": _Events.READS, "false": _Events.WRITES}

_INCLUDING: dict[str, Callable[[str], bool]] = {
    "Equals": lambda value: value == _STS,
    "StartsWith": _STS.startswith,
    "EndsWith": _STS.endswith,
}
# Whether AWS minds the case is not documented. Doubt goes against the trail: an exclusion is read generously.
_EXCLUDING: dict[str, Callable[[str], bool]] = {
    "NotEquals": lambda value: value.lower() == _STS,
    "NotStartsWith": lambda value: _STS.startswith(value.lower()),
    "NotEndsWith": lambda value: _STS.endswith(value.lower()),
}
_OPERATORS = _INCLUDING.keys() | _EXCLUDING.keys()


def _recorded(value: Mapping[str, Any]) -> _Recorded:
    """What the selectors in the essence of a description record together.

    A trail has selectors of one kind only (API reference, `PutEventSelectors`); should both be there, nobody
    knows which of them apply.
    """
    basic = [_by_basic_selector(one) for one in value.get("EventSelectors", ())]
    advanced = [_by_advanced_selector(one) for one in value.get("AdvancedEventSelectors", ())]
    kinds = [reduce(or_, selectors) for selectors in (basic, advanced) if selectors]
    return reduce(and_, kinds) if kinds else _NOTHING


def _by_basic_selector(selector: Mapping[str, Any]) -> _Recorded:
    """What is left out means `All`, management events included and no source excluded."""
    if not selector.get("IncludeManagementEvents", True):
        return _NOTHING
    events = _READ_WRITE_TYPES.get(selector.get("ReadWriteType", "All"))
    if events is None:
        return _UNKNOWN
    if any(source.lower() == _STS for source in selector.get("ExcludeManagementEventSources", ())):
        events &= _Events.OTHER
    return _Recorded(events, events)


def _by_advanced_selector(selector: Mapping[str, Any]) -> _Recorded:
    """All field selectors must hold for an event; one of them says that it is about management events."""
    of_management = {"Field": "eventCategory", "Equals": ["Management"]}
    fields = selector["FieldSelectors"]
    if of_management not in fields:
        return _NOTHING
    return reduce(and_, (_by_field(one) for one in fields if one != of_management), _EVERYTHING)


def _by_field(selector: Mapping[str, Any]) -> _Recorded:
    operators = {name: values for name, values in selector.items() if name != "Field"}
    if selector["Field"] == "eventSource" and operators:
        return _by_source(operators)
    if selector["Field"] == "readOnly" and operators.keys() == {"Equals"}:
        named = [_READ_ONLY_VALUES.get(value) for value in operators["Equals"]]
        events = reduce(or_, (one for one in named if one is not None), _Events.NONE)
        return _Recorded(events, events) if None not in named else _UNKNOWN
    return _UNKNOWN


def _by_source(operators: Mapping[str, list[str]]) -> _Recorded:
    """All operators must hold; of an operator's values, one that matches includes, and one excludes."""
    including = [any(map(_INCLUDING[name], values)) for name, values in operators.items() if name in _INCLUDING]
    excluding = [any(map(_EXCLUDING[name], values)) for name, values in operators.items() if name in _EXCLUDING]
    sts = _Events.STS if all(including) and not any(excluding) else _Events.NONE
    others = _Events.NONE if including else _Events.OTHER
    return _Recorded(sts | others, sts | _Events.OTHER)


# The pieces put together


@dataclass(frozen=True, slots=True)
class _Status:
    is_logging: bool
    since: datetime | None
    is_delivery_failing: bool


def _status(value: Mapping[str, Any]) -> _Status:
    start = _moment(value.get("StartLoggingTime")) or _moment(value.get("TimeLoggingStarted"))
    stop = _moment(value.get("StopLoggingTime"))
    return _Status(
        is_logging=value["IsLogging"],
        # Whatever the start says: there was no logging when it was last stopped.
        since=max(start, stop) if start and stop else start,
        is_delivery_failing=bool(value.get("LatestDeliveryError")),
    )


@dataclass(slots=True)
class _Pieces:
    """What the documents say of one trail, in any order."""

    arn: str
    partition: str
    home_region: str
    account_id: str
    name: str
    configurations: list[Mapping[str, Any]] = field(default_factory=list, init=False)
    recorded: list[_Recorded] = field(default_factory=list, init=False)
    statuses: list[_Status] = field(default_factory=list, init=False)

    def add(self, value: Mapping[str, Any]) -> None:
        """Take the event selectors and the status out of the essence of a description."""
        if _holds_selectors(value):
            self.recorded.append(_recorded(value))
        if _holds_status(value):
            self.statuses.append(_status(value))

    def together(self) -> DescribedTrail:
        """The trail; where the pieces contradict each other, the one that declares less is believed."""
        bucket, prefix = min(
            (one.get("S3BucketName", ""), one.get("S3KeyPrefix", "")) for one in self.configurations
        )
        found = {*self._of_configuration(), *self._of_selectors(), *self._of_status()}
        return DescribedTrail(
            arn=self.arn,
            name=self.name,
            account_id=self.account_id,
            partition=self.partition,
            home_region=self.home_region,
            is_multi_region=self._all_say("IsMultiRegionTrail"),
            is_organization=self._all_say("IsOrganizationTrail"),
            s3_bucket=bucket,
            prefix=prefix,
            logging_since=self._logging_since(),
            shortcomings=tuple(one for one in Shortcoming if one in found),
        )

    def _all_say(self, name: str) -> bool:
        said = [one[name] for one in self.configurations if name in one]
        return bool(said) and all(said)

    def _of_configuration(self) -> Iterator[Shortcoming]:
        if not self._all_say("IsMultiRegionTrail"):
            yield Shortcoming.SINGLE_REGION

    def _of_selectors(self) -> Iterator[Shortcoming]:
        if self.recorded:
            yield from reduce(and_, self.recorded).shortcomings()
        else:
            yield Shortcoming.SELECTORS_MISSING

    def _of_status(self) -> Iterator[Shortcoming]:
        if not self._is_stopped() and self._logging_since() is None:
            yield Shortcoming.STATUS_MISSING
        if self._is_stopped():
            yield Shortcoming.STOPPED
        if any(status.is_delivery_failing for status in self.statuses):
            yield Shortcoming.DELIVERY_FAILING

    def _is_stopped(self) -> bool:
        return not all(status.is_logging for status in self.statuses)

    def _logging_since(self) -> datetime | None:
        if self._is_stopped():
            return None
        return max((status.since for status in self.statuses if status.since), default=None)
