"""The lenient way: one document, record by record, where nothing is lost without a word.

A bad record is rejected with its reason and position, the others are kept. A document that does not parse
to its end is rejected whole: nobody can tell what it held.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from analyzer.cloudtrail import RECORD, TEXT_BOUND
from analyzer.decoding.json_values import Json, has_doubled_key, parse, parse_at, parse_beginning
from analyzer.decoding.outcome import Outcome, Reading, rejected, skipped
from analyzer.decoding.shapes import Found, export_line, is_recognized, unwrap
from analyzer.decoding.statements import Statement, read_statement
from analyzer.decoding.trail_files import looks_deep
from analyzer.log_key import LogKey

DEPTH_LIMIT = 200
"""Levels of nesting a record may have. CloudTrail's stay below twenty; Python's parser stops near a thousand."""

_PATIENCE = 20
"""How often all of a text may be read in vain, for values that open and are broken far behind their line."""

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EVENT_HISTORY_CSV = re.compile(r'^"?Event (?:name|time|ID)"?,', re.IGNORECASE)
_RECORDS_ARRAY = re.compile(r'\s*(?:\{\s*"Records"\s*:\s*)?\[')
# Possessive: a repetition that could be gone back on costs a hundred bytes of memory for each character.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class LenientDocument:
    """The records of one document in the shape of `cloudtrail.RECORD`, with its account."""

    reading: Reading
    records: list[dict[str, Json]] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def to_arrow(self) -> pa.StructArray:
        """The records as an Arrow array."""
        return pa.array(self.records, RECORD)


def read_document(
    data: bytes, limit: int, *, is_log_name: bool = True, key: LogKey | None = None
) -> LenientDocument:
    """Read a document of any known shape.

    Args:
        data: the uncompressed bytes.
        limit: ceiling in bytes for compressed data inside the document.
        is_log_name: whether its name says it should be a log; a README is skipped, a broken log is rejected.
        key: where CloudTrail delivered it, if its name tells.
    """
    document = LenientDocument(Reading(Outcome.INGESTED))
    for found in _find(data, limit, is_log_name):
        if isinstance(found, Reading):
            return LenientDocument(found)
        if found.whole_file:
            document.reading = skipped(found.skipped) if found.skipped else rejected(found.rejected, found.detail)
        else:
            _account_for(found, document)
        # A digest among others has lost its hash, which is that of its own file.
        if found.statement is not None and (found.whole_file or found.skipped != "digest"):
            statement = read_statement(found.skipped, found.statement, key, document.reading, found.position)
            document.statements += [statement] if statement else []
    return document


def raw_records(data: bytes, limit: int) -> Iterator[tuple[str, dict[str, Json]]]:
    """Event id (derived where there is none) and raw record of every record in a document that parses."""
    for found in _find(data, limit, True):
        if isinstance(found, Found) and found.record is not None:
            try:
                event_id = event_id_of(found.record)
            except RecursionError:
                continue  # It was rejected, see `_account_for`.
            yield event_id, found.record


def event_id_of(record: dict[str, Json]) -> str:
    """The record's eventID, or one derived from its content, the same wherever the record is delivered."""
    event_id = record.get("eventID")
    if isinstance(event_id, str) and 0 < len(event_id) <= TEXT_BOUND:
        return _SURROGATE.sub("\ufffd", event_id)
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return "derived-" + hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _account_for(found: Found, document: LenientDocument) -> None:
    reading = document.reading
    if found.record is None and not (found.rejected or found.skipped):
        reading.note("no_records", found.position)
        return
    reading.seen += 1
    if found.rejected:
        reading.reject_record(found.rejected, found.position, found.detail)
    elif found.skipped:
        reading.skipped[found.skipped] += 1
    elif found.record is not None:
        odd: list[str] = []
        record = _coerce(found.record, RECORD, "", odd)
        try:
            record["eventID"] = event_id_of(found.record)
        except RecursionError:
            # Python's writer gives up a few levels before its parser.
            reading.reject_record("nested_too_deep", found.position)
            return
        for path in odd:
            reading.note("unexpected_type", found.position, path)
        document.records.append(record)
        document.positions.append(found.position)


def _coerce(value: Json, wanted: pa.DataType, path: str, odd: list[str]) -> Any:
    """The value cut down to the fields of `wanted`; what has another type is missing, its path put in `odd`."""
    if value is None:
        return None
    if pa.types.is_struct(wanted) and isinstance(value, dict):
        prefix = f"{path}." if path else ""
        return {f.name: _coerce(value.get(f.name), f.type, prefix + f.name, odd) for f in wanted}
    if pa.types.is_list(wanted) and isinstance(value, list):
        return [_coerce(element, wanted.value_type, path, odd) for element in value]
    if pa.types.is_string(wanted) and isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if pa.types.is_boolean(wanted) and isinstance(value, bool):
        return value
    odd.append(path)
    return None


def _find(data: bytes, limit: int, is_log_name: bool) -> Iterator[Found | Reading]:
    """Everything in the document, or first and only a Reading that says why it cannot be read."""
    if not data:
        yield rejected("empty_file") if is_log_name else skipped("not_cloudtrail")
        return
    try:
        # PowerShell's `>` writes UTF-16.
        text = data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        yield _not_utf8(data, error, is_log_name)
        return
    if looks_deep(data) and _depth(text) > DEPTH_LIMIT:
        yield from _find_deep(text, limit)
        return
    try:
        found = list(_find_values(text, limit, is_log_name))
    except RecursionError:
        yield from _find_deep(text, limit)
    else:
        yield from found


def _not_utf8(data: bytes, error: UnicodeDecodeError, is_log_name: bool) -> Reading:
    if is_log_name or data.lstrip()[:1] in (b"{", b"["):
        return rejected("not_utf8", f"byte {error.start}")
    return skipped("not_cloudtrail")


def _find_values(text: str, limit: int, is_log_name: bool) -> Iterator[Found | Reading]:
    """The JSON values that follow one another in the text: one document, or a line for each record."""
    stripped = text.strip()
    if not stripped:
        yield rejected("empty_file", "only white space")
        return
    if _EVENT_HISTORY_CSV.match(stripped):
        yield rejected("event_history_csv")
        return
    try:
        value, end = parse_beginning(stripped)
    except json.JSONDecodeError as error:
        yield from _find_lines(stripped, limit, is_log_name, error)
        return
    if end == len(stripped):
        yield from _find_in_document(value, stripped, limit)
    elif isinstance(value, dict):
        yield from _find_in_sequence(stripped, limit)
    else:
        more = json.JSONDecodeError("more text follows", stripped, end)
        yield from _find_lines(stripped, limit, is_log_name, more)


def _find_in_document(value: Json, text: str, limit: int) -> Iterator[Found | Reading]:
    if isinstance(value, list) and value and not any(is_recognized(element) for element in value):
        yield rejected("unrecognized", "an array without any record")
    elif value == []:
        yield Found("")
    elif _names_records_twice(value, text):
        yield rejected("unrecognized", "it names Records twice")
    elif isinstance(value, dict) and value.get("Records") == []:
        yield Found("")
    elif isinstance(value, dict | list):
        yield from unwrap(value, limit)
    else:
        yield rejected("unrecognized", "a single JSON value")


def _names_records_twice(value: Json, text: str) -> bool:
    """Whether records of a value are lost in parsing, which keeps the last of two lists."""
    return isinstance(value, dict) and "Records" in value and has_doubled_key(text, "Records")


def _find_in_sequence(text: str, limit: int) -> Iterator[Found]:
    """Values one after another, with or without line ends between; a broken one costs its line."""
    at, number, wasted = 0, 0, 0
    while at < len(text):
        number += 1
        try:
            value, end = parse_at(text, at)
        except json.JSONDecodeError as error:
            wasted += error.pos
            if wasted > _PATIENCE * len(text):
                yield Found(f"value {number}", rejected="not_json", detail="nothing behind it was read")
                return
            yield Found(f"value {number}", rejected="not_json")
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
        else:
            yield from _in_sequence(value, text[at:end], limit, f"value {number}")
        at = end
        while at < len(text) and text[at].isspace():
            at += 1


def _find_lines(
    text: str, limit: int, is_log_name: bool, error: json.JSONDecodeError
) -> Iterator[Found | Reading]:
    """A line for each record although the first line is none, as in a CloudWatch Logs export."""
    found: list[Found] = []
    anything = False
    for number, line in enumerate(text.split("\n"), 1):
        message = export_line(line.strip())
        if not message:
            continue
        try:
            value = parse(message)
        except ValueError:
            found.append(Found(f"line {number}", rejected="not_json"))
            continue
        anything = anything or is_recognized(value)
        found.extend(_in_sequence(value, message, limit, f"line {number}"))
    if anything:
        yield from found
    else:
        yield _unreadable(text, is_log_name, error)


def _in_sequence(value: Json, text: str, limit: int, position: str) -> Iterator[Found]:
    """What one value among others holds; `text` is its own."""
    if _names_records_twice(value, text):
        yield Found(position, rejected="unrecognized", detail="it names Records twice")
        return
    for one in unwrap(value, limit, position):
        yield replace(one, whole_file=False)


def _unreadable(text: str, is_log_name: bool, error: json.JSONDecodeError) -> Reading:
    if text[0] in "{[":
        is_cut = error.pos >= len(text) or error.msg.startswith("Unterminated")
        return rejected("truncated_json" if is_cut else "not_json", str(error))
    return rejected("not_json", str(error)) if is_log_name else skipped("not_cloudtrail")


def _depth(text: str) -> int:
    """How deep brackets nest outside of strings."""
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


def _find_deep(text: str, limit: int) -> Iterator[Found | Reading]:
    """A document nested too deep for the parser, cut into its records by counting brackets."""
    array = _RECORDS_ARRAY.match(text)
    if array is None:
        yield rejected("nested_too_deep")
        return
    is_record = "{" in array[0]
    index, start, depth, deepest = 0, array.end(), 0, 0
    for token in _TOKEN.finditer(text, array.end()):
        mark = token[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
        if depth < 0 or (depth == 0 and mark == ","):
            element = text[start : token.start()]
            if element.strip():
                yield from _deep_element(element, deepest, limit, f"record {index + 1}", is_record)
            if depth < 0:
                yield from _behind_deep(text[token.end() :].strip(), "}" if is_record else "")
                return
            index, start, deepest = index + 1, token.end(), 0
    yield rejected("truncated_json")


def _behind_deep(rest: str, end: str) -> Iterator[Found | Reading]:
    """What follows the records of a deep document is not read: nothing but its end should."""
    if not rest and end:
        yield rejected("truncated_json")
    elif rest != end:
        yield Found("behind the records", rejected="unrecognized", detail="in a document nested too deep")


def _deep_element(element: str, depth: int, limit: int, position: str, is_record: bool) -> Iterator[Found]:
    if depth > DEPTH_LIMIT:
        yield Found(position, rejected="nested_too_deep", detail=f"{depth} levels")
        return
    try:
        value = parse(element)
    except ValueError:
        yield Found(position, rejected="not_json")
        return
    if isinstance(value, dict) and is_record:
        yield Found(position, record=value)
    else:
        yield from _in_sequence(value, element, limit, position)
