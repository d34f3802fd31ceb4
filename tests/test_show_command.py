"""`show` puts the stored row and the raw record side by side, and no secret on the screen."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, DAY, Record, key, record, run, trail_file, write_tree

from analyzer.cli import command_line
from analyzer.errors import ExitCode

FORMATS = ("table", "json", "csv", "markdown")
WANTED = record("wanted", userAgent="aws-cli/2.30", additionalEventData={"extra": "only in the raw record"})
OTHERS = [record("before"), record("after")]


def _trail(*records: Record) -> bytes:
    return trail_file(*records)


def _gzipped(*records: Record) -> bytes:
    return gzip.compress(trail_file(*records), mtime=0)


def _lines(*records: Record) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def _lookup(*records: Record) -> bytes:
    return json.dumps({"Events": [{"CloudTrailEvent": json.dumps(one)} for one in records]}).encode()


def _zip(*records: Record) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("logs/other.json", _trail(record("other")))
        file.writestr(key(), _gzipped(*records))
    return buffer.getvalue()


def _tar_gz(*records: Record) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        data = _gzipped(*records)
        info = tarfile.TarInfo(key())
        info.size = len(data)
        file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


SHAPES: dict[str, Callable[..., bytes]] = {
    "trail.json": _trail,
    "trail.json.gz": _gzipped,
    "lines.ndjson": _lines,
    "lookup.json": _lookup,
    "logs.zip": _zip,
    "logs.tar.gz": _tar_gz,
}


def kept(folder: Path, name: str, content: bytes) -> tuple[Path, Path]:
    """A log file, and a store that it was ingested into."""
    path = write_tree(folder, {name: content}) / name
    assert command_line(["ingest", str(path), "--store", str(folder / "store")]) == ExitCode.OK
    return path, folder / "store"


def show(store: Path, event_id: str = "wanted") -> Any:
    code, answer = run("show", event_id, "--store", store, out=store.parent)
    assert code == ExitCode.OK
    return answer


def screens(store: Path, capsys: pytest.CaptureFixture[str], event_id: str = "wanted") -> str:
    """Everything that `show` prints of an event, in all formats."""
    capsys.readouterr()
    for form in FORMATS:
        assert command_line(["show", event_id, "--store", str(store), "--output", form]) == ExitCode.OK
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("name", SHAPES)
def test_the_raw_record_is_found_again_in_its_source(tmp_path: Path, name: str) -> None:
    _, store = kept(tmp_path, name, SHAPES[name](OTHERS[0], WANTED, OTHERS[1]))
    answer = show(store)
    assert answer["raw"] == WANTED
    assert answer["source"]["uri"].startswith(str(tmp_path / name))


def test_the_stored_row_is_shown_beside_the_raw_record(tmp_path: Path) -> None:
    _, store = kept(tmp_path, "trail.json", _trail(WANTED))
    event = show(store)["event"]
    assert event["event_id"] == "wanted"
    assert event["event_time"] == f"{DAY}T12:00:00Z"
    assert event["recipient_account_id"] == ACCOUNT
    assert event["role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/app"
    assert event["user_agent"] == "aws-cli/2.30"


def test_the_table_names_source_columns_and_raw_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, store = kept(tmp_path, "trail.json", _trail(WANTED))
    capsys.readouterr()
    command_line(["show", "wanted", "--store", str(store)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Read from {path}"
    assert any(line.split() == ["aws_region", "eu-west-1"] for line in lines)
    assert "Raw record, secrets removed:" in lines
    assert any("only in the raw record" in line for line in lines)


def test_a_record_without_event_id_is_found_by_the_id_it_was_given(tmp_path: Path) -> None:
    nameless = record(eventID=None)
    _, store = kept(tmp_path, "trail.json", _trail(nameless, *OTHERS))
    _, rows = run("query", "SELECT event_id FROM events", "--store", store, out=tmp_path)
    (derived,) = {row["event_id"] for row in rows} - {"before", "after"}
    assert show(store, derived)["raw"] == nameless


def test_an_event_that_two_files_hold_is_shown_from_the_one_it_was_kept_from(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {"1.json": [WANTED], "2.json": [WANTED]})
    command_line(["ingest", str(tree), "--store", str(tmp_path / "store")])
    assert show(tmp_path / "store")["source"]["uri"] == str(tree / "1.json")


def test_an_event_can_be_shown_without_a_store(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {"1.json": [WANTED]})
    code, answer = run("show", "wanted", tree, out=tmp_path)
    assert (code, answer["raw"]) == (ExitCode.OK, WANTED)


# Secrets

MARK = "PLANTEDSECRET"
SECRET_KEYS = [
    "sessionToken",
    "secretAccessKey",
    "SecretString",
    "clientSecret",
    "masterUserPassword",
    "oldPASSWORD",
    "sAMLAssertion",
    "webIdentityToken",
    "tokenCode",
    "x-amz-security-token",
]


@pytest.mark.parametrize("name", SECRET_KEYS)
def test_what_a_key_calls_secret_is_nowhere_in_any_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    deep = {"list": [{"deeper": {name: MARK}}]}
    credentials = {"credentials": {name: MARK}}
    given = record("wanted", requestParameters={name: MARK, **deep}, responseElements=credentials)
    _, store = kept(tmp_path, "trail.json", _trail(given))
    text = screens(store, capsys)
    assert MARK not in text
    assert "[removed]" in text


@pytest.mark.parametrize(
    "value",
    [
        [MARK],
        {"value": MARK},
        [{"value": [MARK]}],
        4711_4711_4711,
        [[4711_4711_4711]],
    ],
)
@pytest.mark.parametrize("name", ["passwords", "tokens"])
def test_a_secret_of_any_json_type_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: Any
) -> None:
    _, store = kept(tmp_path, "trail.json", _trail(record("wanted", requestParameters={name: value})))
    text = screens(store, capsys)
    assert MARK not in text
    assert "471147114711" not in text.replace(",", "")


def test_a_secret_inside_json_that_travels_as_text_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = json.dumps({"user": "ann", "password": MARK})
    _, store = kept(tmp_path, "trail.json", _trail(record("wanted", requestParameters={"policyText": inner})))
    assert MARK not in screens(store, capsys)


@pytest.mark.parametrize("prefix", ["FwoGZXIvYXdz", "IQoJb3JpZ2luX2Vj", "AgoJb3JpZ2luX2Vj"])
def test_a_session_token_is_removed_wherever_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    token = prefix + MARK
    given = record(
        "wanted",
        additionalEventData={"note": f"token {token} leaked"},
        responseElements={"credentials": {"sessionToken": token, "accessKeyId": "ASIAEXAMPLE"}},
    )
    _, store = kept(tmp_path, "trail.json", _trail(given))
    text = screens(store, capsys)
    assert MARK not in text
    assert "ASIAEXAMPLE" in text


def test_what_is_no_secret_stays(tmp_path: Path) -> None:
    harmless = {"nextToken": None, "maxSessionDuration": 3600, "httpTokens": "required", "flag": True}
    given = record("wanted", requestParameters=harmless)
    _, store = kept(tmp_path, "trail.json", _trail(given))
    assert show(store)["raw"] == given


def test_terminal_escapes_of_a_record_reach_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = record("wanted", userAgent="\x1b[2Jagent", additionalEventData={"\x1b[31mkey": "\x9bvalue\r\u202e"})
    _, store = kept(tmp_path, "trail.json", _trail(given))
    assert not set("\x1b\x9b\r\u202e") & set(screens(store, capsys))


# A source that is not what it was


def says_it_is_gone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The stored row is shown, and that there is no raw record any more."""
    answer = show(store)
    assert answer["raw"] is None
    assert answer["event"]["event_id"] == "wanted"
    capsys.readouterr()
    command_line(["show", "wanted", "--store", str(store)])
    assert "The raw record is not at its source any more, or the source has changed." in capsys.readouterr().out


@pytest.mark.parametrize("name", SHAPES)
def test_a_source_that_is_gone_is_said_to_be_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, store = kept(tmp_path, name, SHAPES[name](WANTED))
    path.unlink()
    says_it_is_gone(store, capsys)


@pytest.mark.parametrize("name", SHAPES)
def test_a_source_with_other_records_is_said_to_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, store = kept(tmp_path, name, SHAPES[name](WANTED))
    path.write_bytes(SHAPES[name](*OTHERS))
    says_it_is_gone(store, capsys)


@pytest.mark.parametrize("content", [b"", b"{", b"\x1f\x8bbroken", b"PK\x03\x04broken"])
@pytest.mark.parametrize("name", ["trail.json.gz", "logs.zip"])
def test_a_source_that_broke_is_said_to_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    path, store = kept(tmp_path, name, SHAPES[name](WANTED))
    path.write_bytes(content)
    says_it_is_gone(store, capsys)


def test_a_source_that_became_a_directory_is_said_to_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = kept(tmp_path, "trail.json", _trail(WANTED))
    path.unlink()
    path.mkdir()
    says_it_is_gone(store, capsys)


def test_a_record_that_was_forged_later_is_not_passed_off_as_the_one_that_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = kept(tmp_path, "trail.json.gz", _gzipped(WANTED))
    path.write_bytes(_gzipped(WANTED | {"sourceIPAddress": "198.51.100.66"}))
    capsys.readouterr()
    command_line(["show", "wanted", "--store", str(store)])
    out = capsys.readouterr().out
    assert "changed" in out
    assert show(store)["raw"] is None or "changed" in json.dumps(show(store))


def test_a_source_that_was_only_touched_still_gives_the_record(tmp_path: Path) -> None:
    path, store = kept(tmp_path, "trail.json.gz", _gzipped(WANTED))
    os.utime(path, ns=(1, 1))
    assert show(store)["raw"] == WANTED


def test_an_event_from_standard_input_has_no_source_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Piped:
        buffer = io.BytesIO(_trail(WANTED))

    monkeypatch.setattr("sys.stdin", Piped)
    command_line(["ingest", "-", "--store", str(tmp_path / "store")])
    says_it_is_gone(tmp_path / "store", capsys)


# Questions that have no answer


@pytest.mark.parametrize("event_id", ["unknown", "", "x' OR '1'='1", "%", "WANTED"])
def test_an_unknown_event_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], event_id: str) -> None:
    _, store = kept(tmp_path, "trail.json", _trail(WANTED))
    capsys.readouterr()
    assert command_line(["show", event_id, "--store", str(store)]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"sts-regions: error: no event {event_id} is in the store; ")
    assert captured.err.count("\n") == 1


def test_an_event_is_looked_for_in_a_store_without_events_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, store = kept(tmp_path, "digest.json", b'{"digestStartTime": "x", "logFiles": []}')
    assert command_line(["show", "wanted", "--store", str(store)]) == ExitCode.USAGE
    assert "no event wanted is in the store" in capsys.readouterr().err
