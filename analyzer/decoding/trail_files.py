"""The fast way: many trail files to one Arrow array, parsed by `pyarrow.json` without Python objects.

It takes only what it can take exactly. Whatever is odd in a document (another shape, a field of an
unexpected type, a doubled key, bytes that are not UTF-8, a record without eventID, …) refuses the whole
document, and the lenient way reads it record by record. Rows are the same either way, but for one thing: a part
of a record that nobody reads may nest as deep as it likes here, where the lenient way has a limit.
"""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from analyzer.cloudtrail import TEXT_BOUND, TRAIL_FILE

_TRAIL_FILE = re.compile(rb'\s{0,64}\{\s{0,64}"Records"\s{0,64}:\s{0,64}\[')
_NO_JSON = (re.compile(rb"NaN\s*[,\]}]"), re.compile(rb"Inf(?:inity)?\s*[,\]}]"))
"""Numbers that `pyarrow.json` takes; JSON knows none of them, and Python's parser some. A pattern for each: what
begins with plain letters is searched for ten times as fast. In a text they only cost the fast way.
"""
_DEEP = (b"]" * 64, b"}" * 64, b"}]" * 32)
_PARSE = pa.json.ParseOptions(
    explicit_schema=TRAIL_FILE, newlines_in_values=True, unexpected_field_behavior="ignore"
)


_SEPARATOR = b"\n{}\n"
"""Stands between documents, as a row without records. Nothing but the end of a document can come before it and a
`{` after it, so a document that is left open cannot swallow the next one."""


class Refused(Exception):
    """The documents hold something that only the lenient way can account for."""


def looks_like_trail_file(data: bytes) -> bool:
    """Whether the fast way may be tried: a trail file by its first bytes, in UTF-8, of sane depth."""
    return (
        _TRAIL_FILE.match(data) is not None
        and _is_utf8(data)
        and not looks_deep(data)
        and not any(number.search(data) for number in _NO_JSON)
    )


def looks_deep(data: bytes) -> bool:
    """Whether the document closes dozens of levels at once, as no CloudTrail record does."""
    return any(run in data for run in _DEEP)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_trail_files(documents: Sequence[bytes]) -> tuple[pa.StructArray, pa.Array]:
    """Parse trail files into one array of records and, for each record, the index of its document.

    Raises Refused when any of the documents cannot be taken exactly.
    """
    data = _SEPARATOR.join(documents) if len(documents) > 1 else documents[0]
    options = pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    try:
        table = pa.json.read_json(pa.BufferReader(data), read_options=options, parse_options=_PARSE)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(str(error)) from None
    lists = table.column("Records").combine_chunks()
    if len(lists) != 2 * len(documents) - 1 or lists.null_count != len(documents) - 1:
        raise Refused("not one list of records per document")
    records: pa.StructArray = lists.values
    event_id = records.field("eventID")
    if records.null_count or event_id.null_count:
        raise Refused("a record is null or has no eventID")
    if len(records):
        shortest, longest = pc.min_max(pc.binary_length(event_id)).values()
        if shortest.as_py() == 0 or longest.as_py() > TEXT_BOUND:
            raise Refused("an eventID is empty or too long")
    return records, pc.shift_right(pc.list_parent_indices(lists), 1).cast(pa.int32())
