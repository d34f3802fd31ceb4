"""Bad input: one line on stderr says what is wrong and what to do, everything else is read, the exit code is 4."""

import base64
import gzip
import json
import os
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trail import ACCOUNT, DAY, OTHER_ACCOUNT, Record, key, record, run, start, trail_file, write_tree

from analyzer.balance import Balance
from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import RECORD
from analyzer.decoding import Document, Outcome, Reading, decode_documents
from analyzer.decoding.outcome import REMEDIES
from analyzer.ingest import IngestOptions, ingest
from analyzer.sources import Listed, MemorySource, SourceObject, Unreadable
from analyzer.store import open_store

LIMIT = 1024 * 1024
GOOD = {"good.json": [record("good")]}

Stderr = pytest.CaptureFixture[str]


def read(data: bytes, key_account: str | None = None) -> tuple[Reading, pa.Table]:
    """What decoding makes of one document, perhaps one that lies in an account's trail folder."""
    place = SourceObject(key(account=key_account), "", 0, "").log_key if key_account else None
    decoded = decode_documents([Document(data, key=place)], LIMIT)
    return decoded.readings[0], decoded.events


def read_records(*records: Any) -> tuple[Reading, pa.Table]:
    return read(trail_file(*records))


def rows(events: pa.Table) -> list[Record]:
    found: list[Record] = events.drop_columns(["source_id"]).to_pylist()
    return found


def the_row(one: Record) -> Record:
    """What is stored of a record that is kept."""
    (row,) = rows(read_records(one)[1])
    return row


def assert_rejected_alone(folder: Path, name: str, reason: str, stderr: Stderr, *options: str) -> None:
    """Analyze a folder of one good file and a bad one: the bad one is named and counted, the other one read."""
    write_tree(folder, GOOD)
    code, answer = run("analyze", folder, *options, out=folder.parent)
    (line, _) = stderr.readouterr().err.splitlines()
    assert line.startswith(f"sts-regions: {folder / name}: rejected: {reason.replace('_', ' ')}")
    assert line.endswith(f"; {REMEDIES[reason]}")
    assert code == 4
    assert answer["balance"]["reasons"]["files_rejected"] == {reason: 1}
    assert answer["balance"]["files"]["ingested"] == answer["balance"]["records"]["kept"] == 1


# Files

TRAIL_FILE = trail_file(record("e1"), record("e2"))
GZIPPED = gzip.compress(TRAIL_FILE)

BAD_FILES = {
    "truncated_gzip": GZIPPED[:-20],
    "damaged_gzip": GZIPPED[:-8] + bytes([GZIPPED[-8] ^ 1]) + GZIPPED[-7:],
    "truncated_json": TRAIL_FILE[:-40],
    "not_json": TRAIL_FILE.replace(b":", b";", 9),
    "not_utf8": trail_file(record("e1"), record("e2", userAgent="@@")).replace(b"@@", b"\xff\xfe"),
    "empty_file": b"",
}


@dataclass(frozen=True)
class Run:
    """What one run over a folder of bad files and a good one said."""

    folder: Path
    exit_code: int
    answer: Any
    stderr: list[str]

    def line_about(self, name: str) -> str:
        (line,) = (line for line in self.stderr if line.startswith(f"sts-regions: {self.folder / name}: "))
        return line


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A process that reads every kind of bad file beside a good one."""
    folder = tmp_path_factory.mktemp("mixed") / "logs"
    write_tree(folder, {f"{reason}.json": data for reason, data in BAD_FILES.items()})
    write_tree(folder, {**GOOD, "none.json": trail_file(), "deep/down/notes.txt": b"text"})
    (folder / "deep" / "down" / "up").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("absent.json")
    os.mkfifo(folder / "pipe.json")
    done = start("analyze", folder, folder / "absent", "--output", "json")
    return Run(folder, done.returncode, json.loads(done.stdout), done.stderr.decode().splitlines())


def test_bad_files_end_in_exit_code_four_and_the_others_are_read(mixed: Run) -> None:
    assert mixed.exit_code == 4
    assert mixed.answer["balance"]["records"]["kept"] == 1


def test_bad_files_are_counted_by_their_reasons(mixed: Run) -> None:
    links = {"symlink_loop": 2, "unreadable": 1, "not_a_file": 1, "missing": 1}
    assert mixed.answer["balance"]["reasons"]["files_rejected"] == dict.fromkeys(BAD_FILES, 1) | links
    assert mixed.stderr[-1].startswith(f"sts-regions: {len(BAD_FILES) + 8} files seen: 2 ingested, 1 skipped (")


def test_stderr_has_a_line_for_each_bad_file_and_one_for_the_balance(mixed: Run) -> None:
    assert len(mixed.stderr) == len(BAD_FILES) + 6 + 1


@pytest.mark.parametrize("reason", BAD_FILES)
def test_a_bad_file_is_named_with_its_reason_and_a_remedy(reason: str, mixed: Run) -> None:
    line = mixed.line_about(f"{reason}.json")
    assert f": rejected: {reason.replace('_', ' ')}" in line
    assert line.endswith(f"; {REMEDIES[reason]}")


@pytest.mark.parametrize("name", ["deep/down/up", "self"])
def test_a_link_that_leads_in_a_circle_is_rejected(name: str, mixed: Run) -> None:
    line = mixed.line_about(name)
    assert ": rejected: symlink loop (" in line
    assert line.endswith("; remove the link that points back up the tree")


def test_a_link_to_nowhere_is_rejected(mixed: Run) -> None:
    assert ": rejected: unreadable (No such file or directory); " in mixed.line_about("gone")


def test_a_pipe_in_a_directory_is_not_waited_for(mixed: Run) -> None:
    assert ": rejected: not a file (" in mixed.line_about("pipe.json")


def test_a_missing_path_is_named(mixed: Run) -> None:
    assert mixed.line_about("absent").endswith(": rejected: missing (no such file or directory); check the path")


def test_a_log_without_records_is_ingested_with_a_line(mixed: Run) -> None:
    line = mixed.line_about("none.json")
    assert line == f"sts-regions: {mixed.folder / 'none.json'}: no records; {REMEDIES['no_records']}"


@pytest.mark.parametrize("length", range(1, len(GZIPPED), 29))
def test_a_gzip_that_ends_early_anywhere_is_rejected(length: int) -> None:
    reading, events = read(GZIPPED[:length])
    assert reading.outcome is Outcome.REJECTED
    assert len(events) == 0


@pytest.mark.parametrize("length", range(1, len(TRAIL_FILE), 97))
def test_a_trail_file_that_ends_early_anywhere_is_rejected(length: int) -> None:
    reading, events = read(TRAIL_FILE[:length])
    assert reading.outcome is Outcome.REJECTED
    assert len(events) == 0


def test_bytes_after_the_end_of_a_gzip_reject_it() -> None:
    assert read(GZIPPED + b"more")[0].reason == "damaged_gzip"


def test_a_truncated_text_full_of_quotes_is_truncated() -> None:
    assert read(b'{"Records":[{"userAgent":"' + b'\\"' * 12_000)[0].reason == "truncated_json"


def test_nothing_but_a_missing_path_is_no_success(tmp_path: Path) -> None:
    code, answer = run("analyze", tmp_path / "absent", out=tmp_path)
    assert (code, answer["verdicts"]) == (4, [])


def test_a_link_to_a_file_elsewhere_is_followed(tmp_path: Path) -> None:
    write_tree(tmp_path, {"elsewhere/good.json": GOOD["good.json"]})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "linked").symlink_to(tmp_path / "elsewhere")
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_without_permission_is_rejected(tmp_path: Path, capsys: Stderr) -> None:
    locked = write_tree(tmp_path / "logs" / "locked", GOOD)
    locked.chmod(0)
    try:
        assert_rejected_alone(tmp_path / "logs", "locked", "unreadable", capsys)
    finally:
        locked.chmod(0o700)


def test_a_file_that_grows_while_it_is_read_is_not_taken(
    tmp_path: Path, capsys: Stderr, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "logs", {"live.json": TRAIL_FILE})
    live = tmp_path / "logs" / "live.json"
    inode, fstat = live.stat().st_ino, os.fstat

    def growing(handle: int) -> os.stat_result:
        if fstat(handle).st_ino == inode:
            with live.open("ab") as file:
                file.write(b" ")
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", growing)
    assert_rejected_alone(tmp_path / "logs", "live.json", "changed_while_read", capsys)


def test_a_file_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "logs") + b"/caf\xe9.json")).write_bytes(trail_file(record("e1")))
    write_tree(tmp_path / "logs", GOOD)
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 2)


class FailingSource(MemorySource):
    """Some keys cannot be listed, read or opened."""

    def __init__(
        self, objects: dict[str, bytes], unlisted: str = "", unread: str = "", unopened: str = ""
    ) -> None:
        super().__init__(objects)
        self._unlisted, self._unread, self._unopened = unlisted, unread, unopened

    def list(self) -> Iterator[Listed]:
        for item in super().list():
            yield self._denied(item) if item.name == self._unlisted else item

    def read(self, item: SourceObject) -> bytes | Unreadable:
        return self._denied(item) if item.name == self._unread else super().read(item)

    def open(self, item: SourceObject) -> IO[bytes]:
        if item.name == self._unopened:
            raise PermissionError(13, "Permission denied", item.name)
        return super().open(item)

    @staticmethod
    def _denied(item: Listed) -> Unreadable:
        return Unreadable(item.uri, item.name, "unreadable", "Permission denied")


def balance_of(source: MemorySource, folder: Path, limit: int = LIMIT) -> Balance:
    with open_store(folder / "store", write=True, catalogue=Catalogue()) as store:
        return ingest(store, [source], datetime(2026, 10, 2), IngestOptions(limit)).balance


@pytest.mark.parametrize("failing", ["unlisted", "unread"])
def test_an_unreadable_file_is_rejected_and_the_others_are_read(failing: str, tmp_path: Path) -> None:
    source = FailingSource(
        {"bad.json": TRAIL_FILE, "good.json": trail_file(record())},
        **{failing: "bad.json"},
    )
    balance = balance_of(source, tmp_path)
    assert balance.files_rejected == {"unreadable": 1}
    assert balance.records.kept == 1


def test_a_file_above_the_limit_that_cannot_be_opened_is_rejected_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    large = b" " * 5000 + TRAIL_FILE
    source = FailingSource({"bad.json": large, "good.json": trail_file(record())}, unopened="bad.json")
    balance = balance_of(source, tmp_path, 4000)
    assert balance.files.rejected == balance.files.ingested == 1


# Sizes

ZEROS = 1024 * 1024


def bomb(mebibytes: int) -> bytes:
    """A gzip file of so many MiB of zeros; each MiB is one compressed chunk, repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = packer.compress(bytes(ZEROS)) + packer.flush(zlib.Z_FULL_FLUSH)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + chunk * mebibytes + b"\x03\x00" + bytes(8)


_MEASURED = """
import resource, sys
from analyzer.cli import command_line
code = command_line(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_gigabyte_in_a_megabyte_of_gzip_is_rejected_in_bounded_memory(tmp_path: Path) -> None:
    packed = bomb(1024)
    assert len(packed) < 1.1 * ZEROS
    write_tree(tmp_path / "logs", {**GOOD, "bomb.json.gz": packed})
    (tmp_path / "measured.py").write_text(_MEASURED)
    command = ["ingest", str(tmp_path / "logs"), "--store", str(tmp_path / "store")]
    done = start_script(tmp_path / "measured.py", *command)
    code, mebibytes = map(int, done.split())
    assert code == 4
    assert mebibytes < 800


def start_script(script: Path, *arguments: str) -> str:
    """Run a script with the product on its path; returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout


def test_a_document_above_the_limit_is_rejected(tmp_path: Path, capsys: Stderr) -> None:
    padded = TRAIL_FILE + b" " * 2 * LIMIT
    write_tree(tmp_path / "logs", {"large.json.gz": gzip.compress(padded)})
    assert_rejected_alone(tmp_path / "logs", "large.json.gz", "too_large", capsys, "--max-document-size", "1")


def test_a_file_that_is_above_the_limit_as_it_lies_there_is_rejected(tmp_path: Path, capsys: Stderr) -> None:
    write_tree(tmp_path / "logs", {"large.json": TRAIL_FILE + b" " * 2 * LIMIT})
    assert_rejected_alone(tmp_path / "logs", "large.json", "too_large", capsys, "--max-document-size", "1")


def test_a_higher_limit_lets_a_large_document_in(tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"large.json.gz": gzip.compress(TRAIL_FILE + b" " * 2 * LIMIT)})
    store = tmp_path / "store"
    assert run("analyze", tmp_path / "logs", "--store", store, "--max-document-size", "1", out=tmp_path)[0] == 4
    code, answer = run("analyze", tmp_path / "logs", "--store", store, "--max-document-size", "3", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 2)


def test_the_limit_holds_for_what_is_packed_inside_a_document() -> None:
    packed = base64.b64encode(bomb(3)).decode()
    reading, _ = read(json.dumps({"awslogs": {"data": packed}}).encode())
    assert reading.rejected == {"too_large": 1}


def test_a_gzip_of_very_many_members_is_read() -> None:
    reading, _ = read(gzip.compress(b"") * 20_000 + GZIPPED)
    assert reading.seen == 2


# Depth


def nested(depth: int, gap: str = "") -> bytes:
    deep = f"[{gap}" * depth + f"]{gap}" * depth
    return trail_file(record("e1"), record("deep", requestParameters="@@"), record("e2")).replace(
        b'"@@"', f'{{"x":{deep}}}'.encode()
    )


def test_a_record_nested_ten_thousand_deep_is_rejected_and_the_others_are_kept(
    tmp_path: Path, capsys: Stderr
) -> None:
    write_tree(tmp_path / "logs", {"deep.json": nested(10_000)})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    line = capsys.readouterr().err.splitlines()[0]
    assert "deep.json: 1 record rejected: nested too deep (record 2: 10002 levels); look at the record" in line
    assert code == 4
    assert answer["balance"]["records"] | {"kept": 2, "rejected": 1} == answer["balance"]["records"]


@pytest.mark.parametrize("gap", [" ", "\n"])
@pytest.mark.parametrize("depth", [600, 10_000])
def test_depth_behind_white_space_costs_no_other_record(depth: int, gap: str) -> None:
    reading, events = read(nested(depth, gap))
    assert reading.seen == 3
    assert {"e1", "e2"} <= set(events.column("event_id").to_pylist())


@pytest.mark.parametrize("depth", [600, 10_000])
def test_a_deep_record_can_be_shown_or_was_rejected(depth: int, tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"deep.json": nested(depth, " ")})
    code, _ = run("show", "deep", tmp_path / "logs", out=tmp_path)
    assert code in (0, 2)


def test_a_record_as_deep_as_the_parser_goes_stops_nothing() -> None:
    for depth in range(850, 1000):
        deep = b'{"eventName":"AssumeRole","x":' + b"[ " * depth + b"] " * depth + b"}"
        reading, events = read(deep)
        assert reading.outcome is Outcome.REJECTED or reading.seen == 1
        assert len(events) == 0


@pytest.mark.parametrize("array", [b'{"Records":[@]', b"[@]"])
@pytest.mark.parametrize("rest", [b',"Records":[{}]}', b"{}", b"]"])
def test_what_follows_the_records_of_a_deep_document_is_told(array: bytes, rest: bytes) -> None:
    deep = b"[" * 300 + b"]" * 300
    reading, _ = read(array.replace(b"@", deep) + rest)
    assert dict(reading.rejected) == {"nested_too_deep": 1, "unrecognized": 1}


def test_a_deep_document_without_its_last_brace_is_truncated() -> None:
    assert read(b'{"Records":[' + b"[" * 300 + b"]" * 300 + b"]")[0].reason == "truncated_json"


def test_a_long_text_in_a_deep_document_costs_little_memory() -> None:
    data = b'{"Records":[{"userAgent":"' + b"a" * 2_000_000 + b"]" * 64 + b'"}]} x'
    tracemalloc.start()
    read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000


# Values one after another


def test_values_of_any_length_follow_one_another() -> None:
    lengths = (1, 3900, *range(4020, 4120, 7), 40_000, 300_000)
    files = [trail_file(record(f"e{length}", userAgent="a" * length)) for length in lengths]
    reading, events = read(b" ".join([b"{}", *files, b"9" * 4080, b"9" * 20_000, files[0]]))
    assert (reading.seen, dict(reading.rejected)) == (len(files) + 4, {"unrecognized": 1, "not_an_object": 2})
    assert events.column("event_id").to_pylist() == [f"e{length}" for length in (*lengths, 1)]


def test_thousands_of_broken_lines_cost_no_other_record() -> None:
    reading, events = read(b"{}\n" + b"{x\n" * 20_000 + trail_file(record("e1")))
    assert (reading.seen, dict(reading.rejected)) == (20_002, {"unrecognized": 1, "not_json": 20_000})
    assert len(events) == 1


def test_values_that_are_broken_far_behind_their_line_are_not_tried_for_ever() -> None:
    reading, _ = read(b"{}\n" + b"[1,\n" * 900 + b"1,\n" * 5_000 + b"x")
    assert reading.rejected["not_json"] < 200


@pytest.mark.parametrize("name", [b'"Records"', b'"\\u0052ecords"', b'"Record\\u0073"'])
@pytest.mark.parametrize("before", [b"", b"{}\n", b"2026-10-01T12:00:00.123Z "])
def test_two_lists_of_records_in_one_object_lose_none_without_a_word(before: bytes, name: bytes) -> None:
    lists = b'{"Records":[' + json.dumps(record("e1")).encode() + b"]," + name + b":[]}"
    reading, _ = read(before + lists + b"\n" + json.dumps(record("e2")).encode())
    assert reading.rejected["unrecognized"] == 1 + before.startswith(b"{}")
    alone, _ = read(lists)
    assert (alone.outcome, alone.reason) == (Outcome.REJECTED, "unrecognized")


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_a_document_of_brackets_alone_is_rejected(data: bytes) -> None:
    assert not read(data)[0].is_clean


# Records


@pytest.mark.parametrize("other", ["text", 5, True, None, [], [1]])
def test_a_record_that_is_no_object_is_rejected_and_the_others_are_kept(other: Any) -> None:
    reading, events = read_records(record("e1"), other, record("e2"))
    assert (reading.seen, dict(reading.rejected)) == (3, {"not_an_object": 1})
    assert reading.findings[0].position == "record 2"
    assert events.column("event_id").to_pylist() == ["e1", "e2"]


@pytest.mark.parametrize("name", ["eventTime", "eventSource", "eventName"])
@pytest.mark.parametrize("value", [None, "", 5, ["x"], {"x": 1}])
def test_a_record_without_what_every_event_has_is_rejected_with_its_position(name: str, value: Any) -> None:
    reading, events = read_records(record("e1"), record("e2", **{name: "x"}) | {name: value}, record("e3"))
    reason = {"eventTime": "no_event_time", "eventSource": "no_event_source", "eventName": "no_event_name"}[name]
    assert dict(reading.rejected) == {reason: 1}
    assert [f.position for f in reading.findings if f.reason == reason] == ["record 2"]
    assert events.column("event_id").to_pylist() == ["e1", "e3"]


def test_rejected_records_are_named_on_stderr_with_position_and_remedy(tmp_path: Path, capsys: Stderr) -> None:
    bad = [record("e2", eventName=None), record("e3", eventTime="yesterday")]
    write_tree(tmp_path / "logs", {"log.json": [record("e1"), *bad]})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert code == 4
    assert answer["balance"]["reasons"]["records_rejected"] == {"no_event_name": 1, "no_event_time": 1}
    told = capsys.readouterr().err.splitlines()[:-1]
    assert sorted(line.split("log.json: ")[1] for line in told) == [
        "1 record rejected: no event name (record 2); look at the record: it has no eventName",
        "1 record rejected: no event time (record 3); look at the record: it has no valid eventTime",
    ]


FULL = record(
    "full",
    sharedEventID="shared",
    errorCode="AccessDenied",
    errorMessage="no",
    sourceIPAddress="192.0.2.1",
    userAgent="agent",
    vpcEndpointId="vpce-1",
    userIdentity={
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s",
        "accountId": ACCOUNT,
        "principalId": "AROAEXAMPLE:s",
        "invokedBy": "config.amazonaws.com",
        "identityProvider": "provider",
        "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/app"}},
    },
    requestParameters={"roleArn": "arn:x", "roleSessionName": "s", "targetPrincipal": ACCOUNT},
    responseElements={
        "credentials": {"sessionToken": "FwoGZXIvYXdzEXAMPLE"},
        "assumedRoleUser": {"arn": "arn:y"},
        "assumedPrincipal": "arn:z",
    },
    resources=[{"type": "AWS::IAM::Role", "accountId": OTHER_ACCOUNT, "ARN": "arn:role"}],
    tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"},
    additionalEventData={"RequestDetails": {"endpointType": "global", "awsServingRegion": "us-east-1"}},
    addendum={"originalEventID": "original"},
)

WRONG_VALUES: tuple[Any, ...] = (-1.5, True, "text", [5], {"x": "y"})


def wrong_types() -> Iterator[tuple[str, Any]]:
    """Every field that is read, by its path, with values of every type it does not have."""
    for path, wanted in fields(RECORD):
        if path in {"eventTime", "eventSource", "eventName"}:
            continue
        for value in WRONG_VALUES:
            if not fits(value, wanted):
                yield path, value


def fields(wanted: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for field in wanted:
        path = f"{above}.{field.name}" if above else field.name
        yield path, field.type
        if pa.types.is_struct(field.type):
            yield from fields(field.type, path)
        if pa.types.is_list(field.type):
            yield from fields(field.type.value_type, f"{path}.0")


def fits(value: Any, wanted: pa.DataType) -> bool:
    if isinstance(value, dict):
        return bool(pa.types.is_struct(wanted))
    if isinstance(value, list):
        return bool(pa.types.is_list(wanted)) and value == []
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(wanted))
    return isinstance(value, str) and bool(pa.types.is_string(wanted))


def changed(one: Record, path: str, value: Any) -> Record:
    """A copy of a record in which the field at a path has another value."""
    copy: Record = json.loads(json.dumps(one))
    *above, last = path.split(".")
    place: Any = copy
    for step in above:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    return copy


@pytest.mark.parametrize(("path", "value"), list(wrong_types()))
def test_a_field_of_another_type_is_read_as_missing_and_the_record_kept(path: str, value: Any) -> None:
    reading, events = read_records(changed(FULL, path, value), record("e2"))
    assert (reading.seen, reading.usable, dict(reading.notes)) == (2, 2, {"unexpected_type": 1})
    assert reading.findings[0].position == "record 1"
    found, other = rows(events)
    assert other == the_row(record("e2"))
    expected = the_row(changed(FULL, path, None))
    if path == "eventID":
        assert found.pop("event_id").startswith("derived-")
        del expected["event_id"]
    assert found == expected


def test_a_field_of_another_type_is_told_on_stderr(tmp_path: Path, capsys: Stderr) -> None:
    wrong = changed(changed(FULL, "tlsDetails", "text"), "userIdentity.arn", [1])
    write_tree(tmp_path / "logs", {"log.json": [record("e1"), wrong]})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (4, 2)
    line = capsys.readouterr().err.splitlines()[0]
    assert "log.json: 2 fields of an unexpected type (record 2: userIdentity.arn; record 2: tlsDetails);" in line
    assert line.endswith(REMEDIES["unexpected_type"])


def test_a_number_of_thousands_of_digits_costs_no_other_record() -> None:
    data = trail_file(record("e1"), record("e2", errorCode="@@")).replace(b'"@@"', b"1" * 10_000)
    reading, events = read(data)
    assert reading.seen == 2
    assert events.column("event_id").to_pylist()[0] == "e1"


def test_half_a_letter_is_replaced_and_the_record_kept() -> None:
    reading, events = read(trail_file(record("e1", userAgent="a\ud800b")))
    assert reading.is_clean
    assert events.column("user_agent").to_pylist() == ["a\ufffdb"]


# What is kept, and under which name

SKIPPED = {
    "data_event": {"eventCategory": "Data"},
    "insight": {"eventCategory": "Insight"},
    "network_activity": {"eventCategory": "NetworkActivity"},
    "other_category": {"eventCategory": "Tomorrow's"},
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_records_of_other_categories_are_skipped_with_their_reason(reason: str) -> None:
    reading, events = read_records(record("e1"), record("e2", **SKIPPED[reason]))
    assert (reading.seen, dict(reading.skipped), reading.is_clean) == (2, {reason: 1}, True)
    assert events.column("event_id").to_pylist() == ["e1"]


def test_events_of_vpc_endpoints_are_skipped_whatever_their_category() -> None:
    reading, events = read_records(record("e1"), record("e2", eventType="AwsVpceEvents"))
    assert dict(reading.skipped) == {"network_activity": 1}
    assert len(events) == 1


@pytest.mark.parametrize("category", [None, "", "Management"])
def test_records_of_category_management_or_none_are_kept(category: str | None) -> None:
    reading, events = read_records(record("e1") | {"eventCategory": category})
    assert (reading.usable, len(events)) == (1, 1)


def test_a_record_without_event_id_has_the_same_derived_one_whatever_the_order_of_its_keys() -> None:
    one = FULL | {"eventID": None}
    turned = dict(reversed(one.items()))
    assert list(one) != list(turned)
    first, second = (the_row(r)["event_id"] for r in (one, turned))
    assert first == second
    assert first.startswith("derived-")


@pytest.mark.parametrize("event_id", [None, "", 5])
def test_records_that_differ_anywhere_have_different_derived_ids(event_id: Any) -> None:
    one = FULL | {"eventID": event_id}
    assert the_row(one)["event_id"] != the_row(one | {"apiVersion": "2"})["event_id"]


def test_a_record_without_event_id_that_is_delivered_twice_is_kept_once(tmp_path: Path) -> None:
    one = record("", eventVersion="1.11")
    write_tree(tmp_path / "logs", {"a.json": [one], "b.json": json.dumps(dict(reversed(one.items()))).encode()})
    _, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert answer["balance"]["records"] == {"seen": 2, "kept": 1, "duplicate": 1, "skipped": 0, "rejected": 0}


@pytest.mark.parametrize("path", [path for path, kind in fields(RECORD) if pa.types.is_string(kind)])
def test_an_empty_text_is_read_as_missing(path: str) -> None:
    full = changed(FULL, "eventCategory", None)
    if path in {"eventTime", "eventSource", "eventName"}:
        assert read_records(changed(full, path, ""))[0].rejected.total() == 1
        return
    empty, missing = (the_row(changed(full, path, value)) for value in ("", None))
    if path == "eventID":
        assert empty.pop("event_id").startswith("derived-")
        del missing["event_id"]
    assert empty == missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{DAY}T12:00:00Z", datetime(2026, 10, 1, 12)),
        (f"{DAY}T12:00:00.123Z", datetime(2026, 10, 1, 12, 0, 0, 123000)),
        (f"{DAY}T12:00:00.123456Z", datetime(2026, 10, 1, 12, 0, 0, 123456)),
        (f"{DAY}T12:00:00.123456789Z", datetime(2026, 10, 1, 12, 0, 0, 123456)),
        (f"{DAY}T12:00:00+02:00", datetime(2026, 10, 1, 10)),
        (f"{DAY}T23:30:00-01:00", datetime(2026, 10, 2, 0, 30)),
        (f"{DAY}T12:00:00", datetime(2026, 10, 1, 12)),
    ],
)
def test_event_times_are_utc_with_fractions_and_offsets_minded(text: str, expected: datetime) -> None:
    assert the_row(record(eventTime=text))["event_time"] == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "1790856000", "2026-10-01T25:00:00Z", " "])
def test_an_event_time_that_is_none_rejects_the_record(text: str) -> None:
    reading, events = read_records(record(eventTime=text), record("e2"))
    assert dict(reading.rejected) == {"no_event_time": 1}
    assert events.column("event_id").to_pylist() == ["e2"]


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_at_the_end_of_the_calendar_stops_nothing(text: str, tmp_path: Path) -> None:
    write_tree(tmp_path / "logs", {"log.json": [record("e1"), record("odd", eventTime=text)]})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert code in (0, 4)
    records = answer["balance"]["records"]
    assert (records["seen"], records["kept"] + records["rejected"]) == (2, 2)


@pytest.mark.parametrize(
    ("recipient", "identity", "folder", "expected"),
    [
        ("1", "2", "333333333333", "1"),
        (None, "2", "333333333333", "2"),
        ("", "2", "333333333333", "2"),
        (None, None, "333333333333", "333333333333"),
        (None, None, None, "unknown"),
    ],
)
def test_the_recipient_is_the_first_of_recipient_caller_and_folder(
    recipient: str | None, identity: str | None, folder: str | None, expected: str
) -> None:
    one = record(userIdentity={"type": "IAMUser", "accountId": identity})
    one["recipientAccountId"] = recipient
    _, events = read(trail_file(one), folder)
    assert rows(events)[0]["recipient_account_id"] == expected


def test_a_user_agent_of_a_megabyte_is_cut_and_otherwise_stored_as_it_is() -> None:
    agent = "<b>\x1b[31m\u202e" + "é" * 1_000_000
    row = the_row(record(userAgent=agent))
    assert agent.startswith(row["user_agent"])
    assert 256 <= len(row["user_agent"]) <= 4096


@pytest.mark.parametrize(
    ("token", "version"), [("FwoGZXIvYXdz", 1), ("IQoJb3JpZ2luX2Vj", 2), ("AgoJb3JpZ2luX2Vj", 2), ("else", None)]
)
def test_of_a_session_token_only_its_version_is_kept(token: str, version: int | None) -> None:
    row = the_row(record(responseElements={"credentials": {"sessionToken": f"{token}MARKER"}}))
    assert row["token_version"] == version
    assert "MARKER" not in str(row)


def with_secrets(one: Record) -> Record:
    """The record with a marker wherever CloudTrail may log a secret."""
    credentials = {"accessKeyId": "ASIA", "sessionToken": "IQoJb3JpZ2luX2VjMARKER", "secretAccessKey": "MARKER"}
    return one | {
        "responseElements": {"credentials": credentials, "packedPolicySize": 5},
        "requestParameters": {"webIdentityToken": "MARKER", "sAMLAssertion": "MARKER", "roleSessionName": "s"},
    }


def test_no_secret_is_in_any_byte_of_the_store(tmp_path: Path, capsys: Stderr) -> None:
    odd_types = with_secrets(record("e3", userAgent=5)) | {"responseElements": "IQoJb3JpZ2luX2VjMARKER"}
    looked_up = {"Events": [{"CloudTrailEvent": json.dumps(with_secrets(record("e4")))}]}
    write_tree(
        tmp_path / "logs",
        {
            "plain.json": [with_secrets(record("e1")), with_secrets(record(""))],
            "odd.json": [with_secrets(record("e2", eventName=None)), odd_types],
            "lookup.json": json.dumps(looked_up).encode(),
            "cut.json": trail_file(with_secrets(record("e5")))[:-90],
            "lines.jsonl": json.dumps(with_secrets(record("e6"))).encode() + b'\n{"sessionToken":"MARKER"',
        },
    )
    code, answer = run("analyze", tmp_path / "logs", "--store", tmp_path / "store", out=tmp_path)
    assert code == 4
    assert "MARKER" not in json.dumps(answer) + capsys.readouterr().err
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not [path for path in files if b"MARKER" in path.read_bytes()]
    parts = [pq.read_table(path, partitioning=None) for path in files if path.suffix == ".parquet"]
    stored = [row for part in parts for row in part.to_pylist()]
    assert "MARKER" not in str(stored)
    assert [row["token_version"] for row in stored].count(2) == 4
