"""What counts as a log: every shape in which records travel, told by its content and not by its name."""

import base64
import gzip
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trail import ACCOUNT, Record, key, record, run, trail_file, write_tree

from analyzer.catalogue import Catalogue
from analyzer.decoding import Document, Outcome, Reading, decode_documents
from analyzer.ingest import ingest
from analyzer.report import Question, build_report
from analyzer.sources import LocalSource
from analyzer.store import open_store
from analyzer.usage import UsageRow

LIMIT = 1024 * 1024
CATALOGUE = Catalogue()

RECORDS = [
    record("e1"),
    record("e2", awsRegion="us-east-1", tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"}),
    record("e3", eventName="GetCallerIdentity", requestParameters=None, userAgent="Zoë's tool"),
]


def to_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines(*values: Any) -> bytes:
    return b"".join(to_json(value) + b"\n" for value in values)


def envelope(detail: Record) -> Record:
    """An event as EventBridge delivers it."""
    return {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.sts", "detail": detail}


def looked_up(one: Record) -> Record:
    """An event of `aws cloudtrail lookup-events`."""
    return {"EventId": one["eventID"], "Username": "ann", "CloudTrailEvent": json.dumps(one)}


def log_events(*records: Record) -> Record:
    """A batch of a CloudWatch Logs subscription."""
    events = [{"id": str(i), "timestamp": 1, "message": json.dumps(one)} for i, one in enumerate(records)]
    return {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "trail", "logEvents": events}


def to_lambda(batch: Record) -> Record:
    """A batch as a Lambda function gets it."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(to_json(batch))).decode()}}


def filtered(*records: Record) -> Record:
    """Output of `aws logs filter-log-events`."""
    return {"events": [{"message": json.dumps(one)} for one in records], "searchedLogStreams": []}


def export_lines(*records: Record) -> bytes:
    """An object of a CloudWatch Logs export task, which leaves letters of all alphabets as they are."""
    text = [f"2026-10-01T12:00:00.123Z {json.dumps(one, ensure_ascii=False)}\n" for one in records]
    return "".join(text).encode()


SHAPES = {
    "trail file": trail_file(*RECORDS),
    "trail file, gzipped": gzip.compress(trail_file(*RECORDS)),
    "trail file, gzip of two members": gzip.compress(trail_file(*RECORDS)[:300])
    + gzip.compress(trail_file(*RECORDS)[300:]),
    "trail file, indented": json.dumps({"Records": RECORDS}, indent=2).encode(),
    "trail file with other keys": to_json({"note": "copied", "Records": RECORDS}),
    "trail file with a byte order mark": b"\xef\xbb\xbf" + trail_file(*RECORDS),
    "trail file as PowerShell writes it": json.dumps({"Records": RECORDS}, ensure_ascii=False).encode("utf-16"),
    "two trail files in one": trail_file(*RECORDS[:1]) + b"\n" + trail_file(*RECORDS[1:]),
    "bare array": to_json(RECORDS),
    "records line by line": lines(*RECORDS),
    "records line by line, blank lines between": b"\n\n".join(map(to_json, RECORDS)),
    "trail files line by line": lines(*({"Records": [one]} for one in RECORDS)),
    "lookup-events": to_json({"Events": [looked_up(one) for one in RECORDS]}),
    "lookup-events, an event a line": lines(*map(looked_up, RECORDS)),
    "lookup-events, a page a line": lines(*({"Events": [looked_up(one)]} for one in RECORDS)),
    "EventBridge, an event a line": lines(*map(envelope, RECORDS)),
    "EventBridge, an array": to_json(list(map(envelope, RECORDS))),
    "CloudWatch Logs subscription": to_json(log_events(*RECORDS)),
    "CloudWatch Logs batches as Firehose joins them": b"".join(to_json(log_events(one)) for one in RECORDS),
    "CloudWatch Logs batch for Lambda": to_json(to_lambda(log_events(*RECORDS))),
    "CloudWatch Logs filter-log-events": to_json(filtered(*RECORDS)),
    "CloudWatch Logs export": export_lines(*RECORDS),
}

VARIANTS = {
    "trail file, gzip of two members",
    "trail file, indented",
    "trail file with other keys",
    "trail files line by line",
    "records line by line, blank lines between",
    "lookup-events, a page a line",
    "CloudWatch Logs batches as Firehose joins them",
}
"""Shapes of which only the rows are compared."""

SINGLE = {
    "record": to_json(RECORDS[0]),
    "EventBridge envelope": to_json(envelope(RECORDS[0])),
    "looked-up event": to_json(looked_up(RECORDS[0])),
}


def read(data: bytes, *, is_log_name: bool = True) -> tuple[Reading, pa.Table]:
    decoded = decode_documents([Document(data, is_log_name)], LIMIT)
    return decoded.readings[0], decoded.events


def usage_of(path: Path) -> list[UsageRow]:
    """What a report counts when it is given one file."""
    with open_store(path.with_suffix(".store"), write=True, catalogue=CATALOGUE) as store:
        ingest(store, [LocalSource(str(path), LIMIT)], datetime(2026, 10, 2))
        return list(build_report(store, CATALOGUE, Question()).usage)


@pytest.fixture(scope="module")
def plain_usage(tmp_path_factory: pytest.TempPathFactory) -> list[UsageRow]:
    """What the records give as a plain trail file."""
    folder = write_tree(tmp_path_factory.mktemp("plain"), {"log.json": RECORDS})
    rows = usage_of(folder / "log.json")
    assert sum(row.calls for row in rows) == len(RECORDS)
    return rows


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in VARIANTS])
def test_every_shape_gives_the_usage_of_the_plain_trail_file(
    shape: str, tmp_path: Path, plain_usage: list[UsageRow]
) -> None:
    (tmp_path / "copy.txt").write_bytes(SHAPES[shape])
    assert usage_of(tmp_path / "copy.txt") == plain_usage


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_rows_of_the_plain_trail_file(shape: str) -> None:
    reading, events = read(SHAPES[shape])
    assert (reading.outcome, reading.seen, reading.is_clean) == (Outcome.INGESTED, len(RECORDS), True)
    assert events.equals(read(trail_file(*RECORDS))[1])


@pytest.mark.parametrize("shape", SINGLE)
def test_a_document_may_hold_a_single_record(shape: str) -> None:
    reading, events = read(SINGLE[shape])
    assert (reading.seen, reading.is_clean) == (1, True)
    assert events.equals(read(trail_file(RECORDS[0]))[1])


@pytest.mark.parametrize("separator", ["\u2028", "\x85"])
def test_a_line_of_an_export_ends_at_a_line_feed_only(separator: str) -> None:
    reading, events = read(export_lines(record("e1", userAgent=f"two{separator}parts"), record("e2")))
    assert (reading.seen, reading.is_clean) == (2, True)
    assert events.column("user_agent").to_pylist() == [f"two{separator}parts", None]


def bracketed(shape: str) -> bytes:
    """The shape with a record whose user agent looks like the end of deep nesting."""
    one = record("e1", userAgent="}" * 64 + "]" * 64)
    return {
        "trail file": trail_file(one),
        "trail file with other keys": to_json({"note": "copied", "Records": [one]}),
        "bare array": to_json([one]),
        "record": to_json(one),
        "records line by line": lines(one),
        "lookup-events": to_json({"Events": [looked_up(one)]}),
        "EventBridge envelope": to_json(envelope(one)),
        "EventBridge, an array": to_json([envelope(one)]),
        "CloudWatch Logs subscription": to_json(log_events(one)),
        "CloudWatch Logs filter-log-events": to_json(filtered(one)),
        "CloudWatch Logs export": export_lines(one),
    }[shape]


@pytest.mark.parametrize(
    "shape",
    [
        "trail file",
        "trail file with other keys",
        "bare array",
        "record",
        "records line by line",
        "lookup-events",
        "EventBridge envelope",
        "EventBridge, an array",
        "CloudWatch Logs subscription",
        "CloudWatch Logs filter-log-events",
        "CloudWatch Logs export",
    ],
)
def test_brackets_in_a_text_are_no_nesting(shape: str) -> None:
    reading, events = read(bracketed(shape))
    assert reading.rejected == {}
    assert events.column("event_id").to_pylist() == ["e1"]


def test_a_tar_mark_in_a_text_makes_no_archive_of_a_log(tmp_path: Path) -> None:
    start = b'{"Records":[{"sharedEventID":"'
    data = start + b"x" * (257 - len(start)) + b'ustar",' + to_json(record("e1"))[1:] + b"]}"
    (tmp_path / "log.json").write_bytes(data)
    code, answer = run("analyze", tmp_path / "log.json", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 1)


# Names


@pytest.mark.parametrize("name", ["log.txt", "log.zip"])
def test_a_trail_file_is_read_whatever_its_name(name: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {name: trail_file(*RECORDS)})
    code, answer = run("analyze", tmp_path / name, out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, len(RECORDS))


def test_a_gzipped_trail_file_of_any_name_is_found_in_a_directory(tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"deep/down/export.txt": gzip.compress(trail_file(*RECORDS))})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, len(RECORDS))


def test_a_plain_file_with_the_name_of_a_gzip_file_is_read(tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {key(): trail_file(*RECORDS)})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, len(RECORDS))


# Sources


def test_files_and_directories_are_read_in_any_mix(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"a/one.json": RECORDS[:1], "b/two.json.gz": RECORDS[1:2], "three.jsonl": to_json(RECORDS[2])}
    )
    code, answer = run("analyze", tmp_path / "three.jsonl", tmp_path / "a", tmp_path / "b", out=tmp_path)
    assert code == 0
    assert answer["balance"]["files"]["ingested"] == 3
    assert answer["balance"]["records"]["kept"] == 3


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/one.json": RECORDS})
    code, answer = run("analyze", tmp_path / "a", tmp_path / "a" / "one.json", out=tmp_path)
    assert (code, answer["balance"]["files"]["seen"]) == (0, 1)


@pytest.mark.parametrize("shape", ["trail file, gzipped", "records line by line"])
def test_a_dash_reads_standard_input(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SHAPES[shape])))
    code, answer = run("analyze", "-", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, len(RECORDS))


def test_standard_input_may_stand_beside_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"a.json": RECORDS[:1]})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(trail_file(*RECORDS[1:]))))
    code, answer = run("analyze", tmp_path / "a.json", "-", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, len(RECORDS))


# Recognized, and no log

NOTIFICATION = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "eu-west-1",
    "eventTime": "2026-10-01T12:00:00.000Z",
    "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
    "s3": {"object": {"key": "AWSLogs/x.json.gz"}},
}

TRAIL_ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"

DIGEST = {
    "awsAccountId": ACCOUNT,
    "digestStartTime": "2026-10-01T12:00:00Z",
    "digestEndTime": "2026-10-01T13:00:00Z",
    "digestS3Bucket": "example-logs",
    "digestS3Object": f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/10/01/"
    f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_main_us-east-1_20261001T130000Z.json.gz",
    "logFiles": [],
}

NO_LOGS = {
    "digest": to_json(DIGEST),
    "insight": trail_file(record("i1", eventCategory="Insight", eventType="AwsCloudTrailInsight")),
    "network_activity": trail_file(record("n1", eventCategory="NetworkActivity", eventType="AwsVpceEvent")),
    "s3_notification": to_json({"Records": [NOTIFICATION]}),
    "control_message": to_json({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL"}]}),
    "trail_description": to_json({"trailList": [{"TrailARN": TRAIL_ARN}]}),
}


@pytest.mark.parametrize("reason", NO_LOGS)
def test_a_file_that_is_no_log_is_skipped_with_its_reason(reason: str) -> None:
    reading, events = read(NO_LOGS[reason])
    assert (reading.outcome, reading.reason, reading.is_clean) == (Outcome.SKIPPED, reason, True)
    assert len(events) == 0


def test_skipped_files_are_counted_by_reason_and_are_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "logs", {f"{reason}.json": data for reason, data in NO_LOGS.items()})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert code == 0
    assert answer["balance"]["files"] == {
        "seen": len(NO_LOGS),
        "ingested": 0,
        "unchanged": 0,
        "skipped": len(NO_LOGS),
        "rejected": 0,
    }
    (line,) = capsys.readouterr().err.splitlines()
    assert all(f"1 {reason.replace('_', ' ')}" in line for reason in NO_LOGS)


def test_a_notification_among_records_costs_no_record() -> None:
    reading, events = read(to_json({"Records": [NOTIFICATION, RECORDS[0]]}))
    assert (reading.outcome, reading.seen, reading.skipped) == (Outcome.INGESTED, 2, {"s3_notification": 1})
    assert events.column("event_id").to_pylist() == ["e1"]


def test_a_digest_among_records_costs_no_record() -> None:
    digest = json.loads(NO_LOGS["digest"])
    reading, events = read(to_json([RECORDS[0], digest, RECORDS[1]]))
    assert events.column("event_id").to_pylist() == ["e1", "e2"]
    assert reading.skipped == {"digest": 1}


EVENT_HISTORY = b'Event ID,Event time,User name,Event name\r\n"e1","2026-10-01T12:00:00Z","ann","AssumeRole"\r\n'


def test_an_event_history_csv_is_refused_with_what_to_use_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "logs", {"event_history.csv": EVENT_HISTORY, "good.json": RECORDS})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["files"]["rejected"]) == (4, 1)
    line = capsys.readouterr().err.splitlines()[0]
    assert "event_history.csv" in line
    assert "AssumeRole is read-only" in line
    assert "lookup-events" in line


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_event_history_csv_is_known_with_and_without_byte_order_mark(mark: bytes) -> None:
    assert read(mark + EVENT_HISTORY)[0].reason == "event_history_csv"


README = b"# Our logs\n\nSee {the wiki}.\n"


def test_a_readme_in_a_directory_is_skipped(tmp_path: Path) -> None:
    write_tree(
        tmp_path / "logs", {"README.md": README, "picture.png": b"\x89PNG\r\n\xff\xfe", "good.json": RECORDS}
    )
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert code == 0
    assert answer["balance"]["files"]["skipped"] == 2
    assert answer["balance"]["records"]["kept"] == len(RECORDS)


def test_a_readme_with_the_name_of_a_log_is_rejected(tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"notes.json": README})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["files"]["rejected"]) == (4, 1)


def test_a_readme_that_is_named_by_the_user_is_rejected(tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"README.md": README})
    code, answer = run("analyze", tmp_path / "logs" / "README.md", out=tmp_path)
    assert (code, answer["balance"]["files"]["rejected"]) == (4, 1)


@pytest.mark.parametrize(
    "value", [{"hello": "world"}, 5, "text", None, [1, 2], [{"a": 1}], {"awslogs": {"data": "!"}}]
)
def test_json_of_no_known_form_is_rejected(value: Any) -> None:
    reading, events = read(to_json(value))
    assert not reading.is_clean
    assert len(events) == 0
