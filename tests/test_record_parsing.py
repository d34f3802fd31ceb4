"""Whatever bytes come in: nothing crashes, and every record that was seen is kept, skipped or rejected."""

import gzip
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trail import ACCOUNT, Record, record, trail_file

from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS, RECORD
from analyzer.decoding import Decoded, Document, Outcome, decode_documents
from analyzer.decoding.outcome import REMEDIES, SKIP_REASONS
from analyzer.ingest import IngestOptions, ingest
from analyzer.report import Question, build_report
from analyzer.sources import MemorySource
from analyzer.store import open_store

LIMIT = 64 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Makes a trail file one that is read record by record."""

CATALOGUE = Catalogue()

moderately = settings(deadline=None, max_examples=70, suppress_health_check=[HealthCheck.too_slow])
seldom = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])

# Values

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["Management", "Data", "Insight", "AwsVpceEvents", "aws:s3", "2026-10-01T12:00:00Z", ACCOUNT]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def of_type(wanted: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of an Arrow type, as JSON has them; any of them may be missing or null."""
    if pa.types.is_struct(wanted):
        fields = {field.name: st.none() | of_type(field.type) for field in wanted}
        return st.fixed_dictionaries({}, optional=fields)
    if pa.types.is_list(wanted):
        return st.lists(of_type(wanted.value_type), max_size=3)
    if pa.types.is_boolean(wanted):
        return st.booleans()
    return st.text(max_size=10) | st.sampled_from(["", "Management", "Data", "AWS::IAM::Role", "a" * 300])


times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.isoformat() + "Z")

well_formed: st.SearchStrategy[Record] = st.builds(
    lambda drawn, needed: {**drawn, **{name: text for name, text in needed.items() if text is not None}},
    of_type(RECORD),
    st.fixed_dictionaries(
        {
            "eventID": st.none() | st.uuids().map(str),
            "eventTime": times | st.text(max_size=5),
            "eventSource": st.sampled_from(["sts.amazonaws.com", "ec2.amazonaws.com", None]),
            "eventName": st.sampled_from(["AssumeRole", "GetCallerIdentity", None]),
        }
    ),
)
"""Records with fields of the right types."""

paths = st.sampled_from([field.name for field in RECORD])

odd = st.builds(lambda one, extra: {**one, **extra}, well_formed, st.dictionaries(paths, values, max_size=3))
"""Records with some fields of any type."""

record_lists = st.lists(odd | values, max_size=5)


def dumped(value: Any, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def decode(*documents: bytes) -> Decoded:
    return decode_documents([Document(data) for data in documents], LIMIT)


def assert_adds_up(decoded: Decoded) -> None:
    """Every document and every record in it is accounted for, with a reason that the product knows."""
    assert decoded.events.schema == EVENTS
    sources = decoded.events.column("source_id").to_pylist()
    assert sources == sorted(sources)
    for index, reading in enumerate(decoded.readings):
        kept = sources.count(index)
        assert reading.seen == kept + reading.skipped.total() + reading.rejected.total()
        assert kept == reading.usable
        assert set(reading.rejected) | set(reading.notes) <= REMEDIES.keys()
        assert set(reading.skipped) <= SKIP_REASONS.keys()
        if reading.outcome is Outcome.REJECTED:
            assert (reading.reason in REMEDIES, reading.seen) == (True, 0)
        if reading.outcome is Outcome.SKIPPED:
            assert (reading.reason in SKIP_REASONS, kept) == (True, 0)


# Decoding

pieces = st.sampled_from(
    [
        b'{"Records":[',
        b'{"Records":',
        b"]}",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"\\",
        b"\n",
        b" ",
        b"null",
        b'"eventTime":"2026-10-01T12:00:00Z"',
        b'"logEvents":[{"message":"',
        b'{"Events":[{"CloudTrailEvent":"{}"}]}',
        b'{"awslogs":{"data":"',
        b"2026-10-01T12:00:00Z ",
        dumped(record("e1")),
        trail_file(record("e1"), record("e2")),
        b"\x1f\x8b\x08",
        gzip.compress(trail_file(record("e3")), mtime=0),
        b"PK\x03\x04",
        BYTE_ORDER_MARK,
        b"\xff\xfe",
        b"\xff",
    ]
)
any_bytes = st.binary(max_size=200) | st.lists(pieces | st.binary(max_size=5), max_size=8).map(b"".join)


@moderately
@given(st.lists(any_bytes, max_size=4))
def test_any_bytes_are_accounted_for(documents: list[bytes]) -> None:
    assert_adds_up(decode(*documents))


@moderately
@given(any_bytes)
def test_any_bytes_in_gzip_are_accounted_for(data: bytes) -> None:
    assert_adds_up(decode(gzip.compress(data, mtime=0)))


@moderately
@given(values)
def test_any_json_value_is_accounted_for(value: Any) -> None:
    assert_adds_up(decode(dumped(value)))


@moderately
@given(values)
def test_any_value_of_records_is_accounted_for(value: Any) -> None:
    decoded = decode(dumped({"Records": value}))
    assert_adds_up(decoded)
    if isinstance(value, list):
        assert decoded.readings[0].seen == len(value)


@moderately
@given(record_lists)
def test_every_record_of_any_form_is_counted_once(records: list[Any]) -> None:
    decoded = decode(dumped({"Records": records}), dumped(records))
    assert_adds_up(decoded)
    assert decoded.readings[0].seen == len(records)


@moderately
@given(st.lists(odd, min_size=1, max_size=4))
def test_records_line_by_line_give_the_rows_of_a_trail_file(records: list[Record]) -> None:
    recognized = [{"eventVersion": "1.08", **one} for one in records]
    lines, file = decode(b"\n".join(map(dumped, recognized))), decode(dumped({"Records": recognized}))
    assert lines.events.equals(file.events)
    assert lines.readings[0].seen == file.readings[0].seen


# The fast way and the lenient way


def assert_both_ways_agree(data: bytes) -> None:
    fast, lenient = decode(data), decode(BYTE_ORDER_MARK + data)
    assert fast.events.equals(lenient.events)
    one, other = fast.readings[0], lenient.readings[0]
    assert (one.outcome, one.reason, one.seen) == (other.outcome, other.reason, other.seen)
    assert (one.skipped, one.rejected, one.notes) == (other.skipped, other.rejected, other.notes)


@moderately
@given(st.lists(well_formed, max_size=4), st.booleans())
def test_both_ways_of_reading_agree_on_well_formed_records(records: list[Record], ascii_only: bool) -> None:
    assert_both_ways_agree(dumped({"Records": records}, ascii_only=ascii_only))


@moderately
@given(record_lists)
def test_both_ways_of_reading_agree_on_odd_records(records: list[Any]) -> None:
    assert_both_ways_agree(dumped({"Records": records}))


@moderately
@given(st.lists(pieces, max_size=6).map(lambda parts: b'{"Records":[' + b"".join(parts)))
@example(b'{"Records":[]}{"Records":[]}')
@example(b'{"Records":[],"Records":[]}')
@example(b'{"Records":[]} ')
def test_both_ways_of_reading_agree_on_broken_documents(data: bytes) -> None:
    assert_both_ways_agree(data)


# Groups

whole = st.lists(well_formed, max_size=2).map(lambda records: dumped({"Records": records}))
documents = (
    whole
    | st.tuples(whole, whole).map(b"".join)
    | st.tuples(whole, st.integers(1, 200)).map(lambda drawn: drawn[0][: -drawn[1]])
    | st.tuples(whole, pieces).map(b"".join)
    | any_bytes
)

OPEN_END = dumped({"Records": [record("a")]})[:-3] + b', "x":'


def assert_alone_as_in_company(group: Sequence[bytes]) -> None:
    together, alone = decode(*group), [decode(data) for data in group]
    for index, one in enumerate(alone):
        mine = pc.equal(together.events.column("source_id"), index)
        rows = together.events.filter(mine).drop_columns(["source_id"])
        assert rows.equals(one.events.drop_columns(["source_id"]))
        assert together.readings[index].reason == one.readings[0].reason
        assert together.readings[index].seen == one.readings[0].seen


@moderately
@given(st.lists(documents, min_size=2, max_size=4))
@example([OPEN_END, trail_file(record("b")) + b"}]}", trail_file(record("c")) * 2])
def test_a_document_gives_the_same_alone_and_in_company(group: list[bytes]) -> None:
    assert_alone_as_in_company(group)


@moderately
@given(st.text(max_size=12) | times | st.sampled_from([" 2026-10-01T12:00:00Z", "2026-10-01", "2026-W40-4"]))
def test_a_time_is_read_the_same_alone_and_in_company(text: str) -> None:
    odd_time, other = record("e1", eventTime=text), record("e2", eventTime="2026-10-01T12:00:00")
    alone, together = decode(trail_file(odd_time)).events, decode(trail_file(odd_time, other)).events
    assert together.filter(pc.equal(together.column("event_id"), "e1")).equals(alone)


# Down to the report


def report_on(objects: dict[str, bytes]) -> Any:
    """Ingest into a new store and report; both check that everything adds up."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder) / "store", write=True, catalogue=CATALOGUE) as store,
    ):
        balance = ingest(store, [MemorySource(objects)], datetime(2026, 10, 2), IngestOptions(LIMIT)).balance
        balance.check()
        assert balance.files.seen >= len(objects)
        build_report(store, CATALOGUE, Question(), balance).to_json()
        return balance


@seldom
@given(st.lists(any_bytes, min_size=1, max_size=5))
def test_any_bytes_can_be_ingested_and_reported_on(contents: list[bytes]) -> None:
    report_on({f"{index}.json": data for index, data in enumerate(contents)})


@seldom
@given(st.lists(record_lists, min_size=1, max_size=3))
def test_any_records_can_be_ingested_and_reported_on(files: list[list[Any]]) -> None:
    balance = report_on({f"{i}.json": dumped({"Records": records}) for i, records in enumerate(files)})
    assert balance.records.seen == sum(map(len, files))
