"""Documents about trails: which JSON objects are some, and what is kept of them.

A document is text from anybody: it is cut to bounded texts and lists, and what is not understood in it never lets
a trail declare more.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Document = tuple[str, Mapping[str, Any]]
"""The name of the file (path or URI) that a JSON object came from, and the object."""

STS = "sts.amazonaws.com"

OPERATORS = frozenset({"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"})
"""What an advanced event selector may compare with (API reference, `AdvancedFieldSelector`)."""

_TEXT_BOUND = 1024
_MOST_TRAILS = 1000
_MOST_SELECTORS = 500
"""AWS allows five basic event selectors, and advanced ones with 500 conditions altogether."""
_LONGEST_TIME = 64
_EARLIEST, _LATEST = datetime(2000, 1, 1), datetime(9999, 1, 1)
_EPOCH = datetime(1970, 1, 1)


def is_description(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object holds an output of at least one of the commands, told by its content."""
    return (
        isinstance(value.get("trailList"), list)
        or holds_trail(value)
        or holds_selectors(value)
        or holds_status(value)
    )


def essence(value: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description that is read here, of bounded texts and lists: what a store keeps.

    What has the wrong type is dropped, and with it the event selector that it restricts. The essence reads the
    same as the description.
    """
    kept: dict[str, Any] = {}
    if isinstance(value.get("trailList"), list):
        found = value["trailList"][:_MOST_TRAILS]
        kept["trailList"] = [_configuration(trail) for trail in found if isinstance(trail, Mapping)]
    if holds_trail(value):
        kept["Trail"] = _configuration(value["Trail"])
    if holds_selectors(value) or holds_status(value):
        kept |= _texts(value, "TrailARN")
    for name, keep in (("EventSelectors", _basic_selector), ("AdvancedEventSelectors", _advanced_selector)):
        if isinstance(value.get(name), list):
            selectors = (keep(one) for one in value[name][:_MOST_SELECTORS] if isinstance(one, Mapping))
            kept[name] = [selector for selector in selectors if selector is not None]
    if holds_status(value):
        kept |= {"IsLogging": value["IsLogging"]} | _texts(value, "LatestDeliveryError")
        kept |= _times(value, "StartLoggingTime", "TimeLoggingStarted", "StopLoggingTime")
    return kept


def holds_trail(value: Mapping[str, Any]) -> bool:
    """Whether it is an output of get-trail."""
    trail = value.get("Trail")
    return isinstance(trail, Mapping) and isinstance(trail.get("TrailARN"), str)


def holds_selectors(value: Mapping[str, Any]) -> bool:
    """Whether it holds an output of get-event-selectors."""
    return isinstance(value.get("EventSelectors"), list) or isinstance(value.get("AdvancedEventSelectors"), list)


def holds_status(value: Mapping[str, Any]) -> bool:
    """Whether it holds an output of get-trail-status."""
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
        if texts is None or name not in OPERATORS:
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
    return {name: value[name] for name in names if moment_of(value.get(name)) is not None}


def moment_of(written: Any) -> datetime | None:
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
