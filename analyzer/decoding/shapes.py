"""Which of CloudTrail's many wrappings a JSON value is, told by its content, and the records in it.

Trail file, bare array, single record, output of `aws cloudtrail lookup-events` (whole or one event a line),
EventBridge envelope, CloudWatch Logs subscription, export and `filter-log-events` output. Insight files and S3
notifications are recognized so that they are skipped with their reason; digests and trail descriptions are
skipped as logs too, and handed on as statements about them.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analyzer.decoding.compression import GZIP_MAGIC, gunzip
from analyzer.decoding.json_values import Json, parse
from analyzer.decoding.outcome import Reading
from analyzer.trail_documents import is_description


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found in a document: a record to read, or why there is none at this place."""

    position: str
    record: dict[str, Json] | None = None
    rejected: str = ""
    skipped: str = ""
    detail: str = ""
    whole_file: bool = False
    """The reason holds for the document, not for one record in it."""
    statement: dict[str, Json] | None = None
    """What speaks about logs and holds none: a digest or a trail description, as `skipped` says."""


_RECORD_FIELDS = frozenset({"eventVersion", "eventTime", "eventSource", "eventName", "eventID", "userIdentity"})
_EXPORT_LINE = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z (\{.*)$")


def unwrap(value: Json, limit: int, position: str = "") -> Iterator[Found]:
    """Everything that one JSON value of a file holds, in order. `limit` bounds what compressed data swells to."""
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _one(element, limit, _at(position, index))
    else:
        yield from _one(value, limit, position)


def is_recognized(value: Json) -> bool:
    """Whether a JSON value is a record or one of the known wrappings."""
    return isinstance(value, dict) and _wrapping(value) is not None


def export_line(line: str) -> str:
    """The message of a line of a CloudWatch Logs export (`<time> <message>`); other lines as they are."""
    match = _EXPORT_LINE.match(line)
    return match.group(1) if match else line


def _at(position: str, index: int) -> str:
    record = f"record {index + 1}"
    return f"{position}, {record}" if position else record


def _one(value: Json, limit: int, position: str) -> Iterator[Found]:
    if not isinstance(value, dict):
        yield Found(position, rejected="not_an_object", detail=f"a JSON {_kind(value)}")
        return
    open_it = _wrapping(value)
    if open_it is None:
        yield Found(position, rejected="unrecognized", whole_file=not position)
    else:
        yield from open_it(value, limit, position)


_Opener = Callable[[dict[str, Json], int, str], Iterator[Found]]


def _wrapping(value: dict[str, Json]) -> _Opener | None:
    if isinstance(value.get("Records"), list):
        return _trail_file
    if isinstance(value.get("Events"), list):
        return _lookup_events
    if isinstance(value.get("CloudTrailEvent"), str):
        return _lookup_event
    if isinstance(value.get("detail"), dict) and "detail-type" in value:
        return _event_bridge
    if isinstance(value.get("logEvents"), list):
        return _log_events
    if isinstance(value.get("awslogs"), dict):
        return _subscription
    if isinstance(value.get("events"), list):
        return _filter_log_events
    if "digestStartTime" in value and "logFiles" in value:
        return _digest
    if is_description(value):
        return _trail_description
    if _RECORD_FIELDS & value.keys():
        return _record
    return None


def _record(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield Found(position or "record 1", record=value)


def _trail_file(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    for index, element in enumerate(value["Records"]):
        where = _at(position, index)
        if isinstance(element, dict):
            yield Found(where, record=element)
        else:
            yield Found(where, rejected="not_an_object", detail=f"a JSON {_kind(element)}")


def _lookup_events(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    for index, element in enumerate(value["Events"]):
        where = _at(position, index)
        if isinstance(element, dict) and isinstance(element.get("CloudTrailEvent"), str):
            yield from _lookup_event(element, limit, where)
        else:
            yield Found(where, rejected="unrecognized", detail="no CloudTrailEvent")


def _lookup_event(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield from _text(value["CloudTrailEvent"], position or "record 1")


def _event_bridge(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield Found(position or "record 1", record=value["detail"])


def _log_events(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    if value.get("messageType") == "CONTROL_MESSAGE":
        yield Found(position or "record 1", skipped="control_message")
        return
    yield from _messages(value["logEvents"], position)


def _filter_log_events(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield from _messages(value["events"], position)


def _messages(elements: list[Json], position: str) -> Iterator[Found]:
    for index, element in enumerate(elements):
        where = _at(position, index)
        if isinstance(element, dict) and isinstance(element.get("message"), str):
            yield from _text(element["message"], where)
        else:
            yield Found(where, rejected="unrecognized", detail="no message")


def _subscription(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    where = position or "awslogs.data"
    try:
        data = base64.b64decode(value["awslogs"].get("data"), validate=True)
        content: bytes | Reading = gunzip(data, limit) if data.startswith(GZIP_MAGIC) else data
        if isinstance(content, Reading):
            yield Found(where, rejected=content.reason, detail=content.detail)
            return
        inner = parse(content.decode())
    except (binascii.Error, TypeError, ValueError, RecursionError):
        yield Found(where, rejected="not_json", detail="awslogs.data is not base64 of (gzipped) JSON")
        return
    if isinstance(inner, dict) and isinstance(inner.get("logEvents"), list):
        yield from _log_events(inner, limit, position)
    else:
        yield Found(where, rejected="unrecognized", detail="awslogs.data holds no logEvents")


def _text(text: str, position: str) -> Iterator[Found]:
    """A record that travels as a JSON string."""
    try:
        record = parse(text)
    except ValueError:
        yield Found(position, rejected="not_json", detail="the record's text is not JSON")
    except RecursionError:
        yield Found(position, rejected="nested_too_deep")
    else:
        if isinstance(record, dict):
            yield Found(position, record=record)
        else:
            yield Found(position, rejected="not_an_object", detail=f"a JSON {_kind(record)}")


def _digest(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield Found(position, skipped="digest", whole_file=not position, statement=value)


def _trail_description(value: dict[str, Json], limit: int, position: str) -> Iterator[Found]:
    yield Found(position, skipped="trail_description", whole_file=not position, statement=value)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array"
