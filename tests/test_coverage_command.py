"""The command `coverage`: what it shows, what it says about every hole, and what the user can hand in."""

import csv
import gzip
import io
import json
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from digest_chain import HOUR, DigestChain, Signer, sidecars
from test_hostile_text import OUTPUTS, controls, markdown_cells, unescaped
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, run, trail_file, write_tree

from analyzer.cli import command_line
from analyzer.errors import ExitCode

Json = dict[str, Any]
Objects = dict[str, bytes]

FIRST = date(2026, 10, 1)
MIDNIGHT = datetime(2026, 10, 1)
WINDOW = ("--since", "2026-10-01", "--until", "2026-10-03")
REGION = "eu-west-1"
HERE = ("--region", REGION)


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def altered(content: bytes, **fields: Any) -> bytes:
    """A digest with other words in it."""
    return packed(json.dumps(json.loads(gzip.decompress(content)) | fields).encode())


def read_of(day: str, event_id: str = "read", **fields: Any) -> Json:
    """A read of another service, which decides nothing."""
    return record(
        f"{event_id}-{day}",
        eventTime=f"{day}T12:00:00Z",
        eventSource="ec2.amazonaws.com",
        eventName="DescribeInstances",
        requestParameters=None,
        **fields,
    )


def two_days(signer: Signer | None = None, **fields: Any) -> DigestChain:
    """Two whole days of a chain; the first one has a log file."""
    chain = DigestChain(signer, **fields)
    listed = {chain.log_key(): trail_file(read_of("2026-10-01", fields.get("region", REGION)))}
    chain.days(FIRST, 2, {FIRST: listed})
    return chain


def covered(tmp_path: Path, objects: Mapping[str, Any], *options: str | Path) -> tuple[ExitCode, Any]:
    return run("coverage", write_tree(tmp_path / "logs", objects), *options, out=tmp_path)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What a command writes to stdout."""
    capsys.readouterr()
    command_line([str(argument) for argument in arguments])
    return capsys.readouterr().out


def levels_in(answer: Any, account: str = ACCOUNT, code: str = REGION) -> str:
    (row,) = [r for r in answer["coverage"] if (r["account_id"], r["region"]) == (account, code)]
    letters: str = row["levels"]
    return letters


# The grid


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days in two regions and two accounts: proven, inferred and none."""
    chain = two_days()
    here = {key(day="2026-10-03"): [read_of("2026-10-03")]}
    there = {key(region="eu-west-3"): [read_of("2026-10-01", "there", awsRegion="eu-west-3")]}
    other: Json = {key(account=OTHER_ACCOUNT): []}
    return write_tree(tmp_path_factory.mktemp("mixed") / "logs", {**chain.objects(), **here, **there, **other})


def test_every_day_of_every_account_and_region_has_one_letter(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, out=tmp_path)
    assert answer["window"] == {
        "since": "2026-10-01T00:00:00Z",
        "until": "2026-10-04T00:00:00Z",
        "days": 3,
    }
    assert levels_in(answer) == "PPI"
    assert levels_in(answer, code="eu-west-3") == "INN"
    assert levels_in(answer, OTHER_ACCOUNT) == "INN"
    assert levels_in(answer, OTHER_ACCOUNT, "eu-west-3") == "NNN"


def test_the_figures_of_a_row_are_those_of_its_letters(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, "--account", ACCOUNT, *HERE, out=tmp_path)
    assert answer["coverage"] == [
        {
            "account_id": ACCOUNT,
            "region": "eu-west-1",
            "confidence": "inferred",
            "days": 3,
            "proven": 2,
            "declared": 0,
            "inferred": 1,
            "none": 0,
            "levels": "PPI",
        }
    ]


def test_the_totals_count_region_days(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, *HERE, "--region", "eu-west-3", out=tmp_path)
    assert answer["totals"] == {"proven": 2, "declared": 0, "inferred": 3, "none": 7}


def test_account_and_region_select_rows_and_holes(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, "--account", OTHER_ACCOUNT, "--region", "eu-west-3", out=tmp_path)
    assert [(row["account_id"], row["region"]) for row in answer["coverage"]] == [(OTHER_ACCOUNT, "eu-west-3")]
    assert {(hole["account_id"], hole["region"]) for hole in answer["holes"]} == {(OTHER_ACCOUNT, "eu-west-3")}


def test_the_window_that_is_asked_for_is_shown(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, "--since", "2026-10-02", "--until", "2026-10-05", out=tmp_path)
    assert levels_in(answer) == "PIN"


def test_a_terminal_shows_a_grid_with_a_column_for_each_month(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown(capsys, "coverage", mixed, *HERE, "--since", "2026-09-30")
    lines = told.splitlines()
    assert lines[0] == "8 region-days: 2 proven, 0 declared, 2 inferred, 4 none."
    assert "48 digests of 1 chain list 1 log files; signature: absent." in lines[1]
    assert re.search(r"^account +region +weakest +2026-09 +2026-10$", told, re.MULTILINE)
    assert re.search(rf"^{ACCOUNT} +eu-west-1 +none +N +PPI$", told, re.MULTILINE)
    assert "P proven, D declared, I inferred, N none" in told


def test_rows_that_look_all_the_same_are_folded_unless_all_are_asked_for(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folded = shown(capsys, "coverage", mixed)
    every = shown(capsys, "coverage", mixed, "--all")
    assert re.search(rf"^{OTHER_ACCOUNT}: none on every day in \d+ regions: .*eu-west-3", folded, re.MULTILINE)
    assert not re.search(rf"^{OTHER_ACCOUNT} +eu-west-3 ", folded, re.MULTILINE)
    assert re.search(rf"^{OTHER_ACCOUNT} +eu-west-3 +none +NNN$", every, re.MULTILINE)


def test_many_holes_are_counted_and_all_of_them_shown_when_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = DigestChain()
    for hour in range(24):
        if hour:
            chain.skip_hour()
        chain.hour(None if hour else MIDNIGHT)
    logs = write_tree(tmp_path / "logs", chain.objects() | {key(): packed(trail_file(record()))})
    assert "4 more holes; --all shows every one" in shown(capsys, "coverage", logs, *HERE)
    every = shown(capsys, "coverage", logs, *HERE, "--all")
    assert (every.count("chain gap"), "more holes" in every) == (23, False)


def test_the_csv_has_every_row_with_the_fields_of_the_json(mixed: Path, tmp_path: Path) -> None:
    _, answer = run("coverage", mixed, out=tmp_path)
    command_line(["coverage", str(mixed), "--out", str(tmp_path / "grid.csv")])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "grid.csv").read_text())))
    assert rows == [{name: str(value) for name, value in row.items()} for row in answer["coverage"]]


def test_markdown_holds_the_table_and_the_words(mixed: Path, tmp_path: Path) -> None:
    command_line(["coverage", str(mixed), *HERE, "--out", str(tmp_path / "grid.md")])
    text = (tmp_path / "grid.md").read_text()
    assert f"| {ACCOUNT} | eu-west-1 | inferred | 3 | 2 | 0 | 1 | 0 | PPI |" in text
    assert "- P proven, D declared, I inferred, N none" in text


def test_logs_without_any_day_are_covered_by_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", {"notes.txt": b"hello"})
    code, answer = run("coverage", logs, out=tmp_path)
    assert (code, answer["coverage"], answer["window"]["since"]) == (ExitCode.OK, [], None)
    assert "nothing is covered" in shown(capsys, "coverage", logs)


def test_coverage_needs_logs_or_a_store() -> None:
    assert command_line(["coverage"]) == ExitCode.USAGE


def test_a_store_answers_as_its_logs_do(mixed: Path, tmp_path: Path) -> None:
    _, fresh = run("coverage", mixed, "--store", tmp_path / "store", out=tmp_path)
    _, stored = run("coverage", "--store", tmp_path / "store", out=tmp_path)
    assert stored == fresh


# Holes


def test_days_without_any_log_are_one_hole_with_what_to_hand_in(tmp_path: Path) -> None:
    objects = {key(day=day): [read_of(day)] for day in ("2026-10-01", "2026-10-05")}
    _, answer = covered(tmp_path, objects, *HERE)
    (hole,) = answer["holes"]
    assert (hole["kind"], hole["since"], hole["until"]) == (
        "no_logs",
        "2026-10-02T00:00:00Z",
        "2026-10-05T00:00:00Z",
    )
    assert "hand in the log files of 2026-10-02 to 2026-10-04" in hole["remedy"]
    assert "--trail" in hole["remedy"]


def test_a_day_of_a_rejected_log_file_is_a_hole_that_names_the_file(tmp_path: Path) -> None:
    good = {key(day=day): [read_of(day)] for day in ("2026-10-01", "2026-10-02", "2026-10-03")}
    _, answer = covered(tmp_path, {**good, key(day="2026-10-02", name="b" * 16): b"\x1f\x8bx"}, *HERE)
    (hole,) = answer["holes"]
    assert (hole["kind"], hole["since"], hole["until"]) == (
        "rejected_log_file",
        "2026-10-02T00:00:00Z",
        "2026-10-03T00:00:00Z",
    )
    assert len(hole["objects"]) == 1
    assert "bbbbbbbbbbbbbbbb.json.gz" in hole["objects"][0]
    assert re.match(r"fetch .*bbbbbbbbbbbbbbbb\.json\.gz \(truncated gzip\) again", hole["remedy"])


def test_logs_of_writes_alone_are_one_hole_over_the_window(tmp_path: Path) -> None:
    days = ("2026-10-01", "2026-10-02")
    _, answer = covered(tmp_path, {key(day=day): [read_of(day, readOnly=False)] for day in days}, *HERE)
    (hole,) = answer["holes"]
    assert (hole["kind"], hole["since"], hole["until"]) == (
        "write_only_logs",
        "2026-10-01T00:00:00Z",
        "2026-10-03T00:00:00Z",
    )
    assert "hand in the logs of a trail that records reads" in hole["remedy"]


Change = Callable[[DigestChain, Objects], None]


def delete_log_file(chain: DigestChain, objects: Objects) -> None:
    del objects[chain.log_key()]


def cut_log_file(chain: DigestChain, objects: Objects) -> None:
    objects[chain.log_key()] = objects[chain.log_key()][:-9]


def alter_log_file(chain: DigestChain, objects: Objects) -> None:
    objects[chain.log_key()] = packed(trail_file(read_of("2026-10-01", "forged")))


def alter_digest(chain: DigestChain, objects: Objects) -> None:
    objects[chain.digests[12]] = altered(objects[chain.digests[12]], logFiles=[])


def move_digest(chain: DigestChain, objects: Objects) -> None:
    objects[chain.digests[13]] = objects[chain.digests[12]]


def delete_digest(chain: DigestChain, objects: Objects) -> None:
    del objects[chain.digests[12]]


CHANGES: dict[str, tuple[Change, str, str]] = {
    "missing_log_file": (
        delete_log_file,
        "2026-10-01T12:00:00Z",
        "1 log file listed in the digest of 2026-10-01T13:00Z is not in this copy: "
        "fetch it with aws s3 cp s3://example-logs/{log_file} FOLDER",
    ),
    "unread_log_file": (
        cut_log_file,
        "2026-10-01T12:00:00Z",
        "1 log file listed in the digest of 2026-10-01T13:00Z could not be read: "
        "fetch it with aws s3 cp s3://example-logs/{log_file} FOLDER",
    ),
    "wrong_hash": (
        alter_log_file,
        "2026-10-01T12:00:00Z",
        "1 log file listed in the digest of 2026-10-01T13:00Z is not as delivered: "
        "fetch it with aws s3 cp s3://example-logs/{log_file} FOLDER and compare: "
        "if it is the same there, somebody changed it, and that is an incident",
    ),
    "altered_digest": (
        alter_digest,
        "2026-10-01T12:00:00Z",
        "the digest of 2026-10-01T13:00Z is not the one that the next digest names: "
        "fetch it with aws s3 cp s3://example-logs/{digest} FOLDER and compare",
    ),
    "moved_digest": (
        move_digest,
        "2026-10-01T12:00:00Z",
        "the digest of 2026-10-01T13:00Z was found under another name than its own: "
        "fetch it with aws s3 cp s3://example-logs/{digest} FOLDER and compare",
    ),
    "missing_digest": (
        delete_digest,
        "2026-10-01T12:00:00Z",
        "the digests from 2026-10-01T12:00Z to 2026-10-01T13:00Z are not in this copy: fetch it with "
        "aws s3 sync s3://example-logs/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/10/01/ FOLDER",
    ),
}
INVALID_KINDS = ("altered_digest", "moved_digest", "wrong_hash")


def changed(kind: str) -> Objects:
    """Two days with one fault in them."""
    chain = two_days()
    objects = chain.objects()
    CHANGES[kind][0](chain, objects)
    return objects


@pytest.mark.parametrize("kind", CHANGES)
def test_a_fault_is_listed_with_its_hours_its_file_and_what_to_do(kind: str, tmp_path: Path) -> None:
    chain = two_days()
    _, since, remedy = CHANGES[kind]
    _, answer = covered(tmp_path, changed(kind), *HERE)
    (flaw,) = [flaw for flaw in answer["flaws"] if flaw["kind"] == kind]
    names = {"log_file": chain.log_key(), "digest": chain.digests[12]}
    assert (flaw["account_id"], flaw["region"], flaw["trail"]) == (ACCOUNT, "eu-west-1", "org-trail")
    assert (flaw["since"], flaw["until"]) == (since, "2026-10-01T13:00:00Z")
    assert flaw["objects"] == [names["log_file" if kind.endswith(("file", "hash")) else "digest"]]
    assert flaw["bucket"] == "example-logs"
    assert flaw["remedy"].startswith(remedy.format(**names))


@pytest.mark.parametrize("kind", CHANGES)
def test_a_fault_takes_the_proof_from_its_day_and_no_other(kind: str, tmp_path: Path) -> None:
    _, answer = covered(tmp_path, changed(kind))
    assert levels_in(answer)[0] in "IN"
    assert levels_in(answer)[1] == "P"


def test_a_gap_says_that_there_is_nothing_to_fetch(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT)
    chain.skip_hour(3)
    chain.hour()
    _, answer = covered(tmp_path, chain.objects(), *HERE)
    (flaw,) = answer["flaws"]
    assert (flaw["kind"], flaw["since"], flaw["until"]) == (
        "chain_gap",
        "2026-10-01T01:00:00Z",
        "2026-10-01T04:00:00Z",
    )
    assert (
        "CloudTrail wrote no digests from 2026-10-01T01:00Z to 2026-10-01T04:00Z: nothing to fetch"
        in (flaw["remedy"])
    )


def test_a_restarted_chain_says_that_validation_was_off_before(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT)
    chain.restart()
    chain.hour(MIDNIGHT + 5 * HOUR)
    _, answer = covered(tmp_path, chain.objects(), *HERE)
    (flaw,) = answer["flaws"]
    assert (flaw["kind"], flaw["since"], flaw["until"]) == (
        "chain_restarted",
        "2026-10-01T01:00:00Z",
        "2026-10-01T05:00:00Z",
    )
    assert "begins anew at 2026-10-01T05:00Z: validation was off before" in flaw["remedy"]


def test_several_missing_log_files_are_fetched_with_one_command(tmp_path: Path) -> None:
    chain = DigestChain(prefix="logs")
    listed = {chain.log_key(name=name * 16): trail_file(read_of("2026-10-01", name)) for name in "abc"}
    chain.days(FIRST, 2, {FIRST: listed})
    digests = {name: content for name, content in chain.objects().items() if name in chain.digests}
    _, answer = covered(tmp_path, digests, *HERE)
    (flaw,) = answer["flaws"]
    assert flaw["objects"] == list(listed)
    assert flaw["remedy"] == (
        "3 log files listed in the digest of 2026-10-01T13:00Z are not in this copy: fetch them with "
        "aws s3 sync s3://example-logs/logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/01/ FOLDER"
    )


def test_digests_missing_over_several_days_are_fetched_from_the_folder_of_their_region(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.days(FIRST, 4)
    objects = chain.objects()
    for digest in chain.digests[20:60]:
        del objects[digest]
    _, answer = covered(tmp_path, objects, *HERE)
    (flaw,) = answer["flaws"]
    assert (flaw["since"], flaw["until"]) == ("2026-10-01T20:00:00Z", "2026-10-03T12:00:00Z")
    assert (
        "aws s3 sync s3://example-logs/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/ FOLDER"
        in (flaw["remedy"])
    )


def test_each_hole_is_a_line_of_the_words_below_the_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_tree(tmp_path / "logs", changed("missing_log_file"))
    told = shown(capsys, "coverage", logs, *HERE)
    assert (
        f"{ACCOUNT} eu-west-1 2026-10-01T12:00:00Z to 2026-10-01T13:00:00Z: missing log file: 1 log file listed"
        in told
    )


@pytest.mark.parametrize("output", ["table", "csv", "markdown"])
def test_holes_are_rows_when_asked_for(output: str, tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", changed("missing_digest"))
    out = tmp_path / "holes"
    command_line(["coverage", str(logs), *HERE, "--holes", "--output", output, "--out", str(out)])
    text = out.read_text().replace("\\", "")
    for word in ("2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z", "missing_digest", "org-trail", "aws s3 sync"):
        assert word in text


def test_the_csv_of_holes_has_every_hole_of_the_json(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", changed("missing_log_file"))
    _, answer = run("coverage", logs, "--holes", out=tmp_path)
    command_line(["coverage", str(logs), "--holes", "--out", str(tmp_path / "holes.csv")])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "holes.csv").read_text())))
    holes = [*answer["holes"], *answer["flaws"]]
    assert [(row["kind"], row["region"], row["since"], row["until"], row["remedy"]) for row in rows] == [
        (hole["kind"], hole["region"], hole["since"], hole["until"], hole["remedy"]) for hole in holes
    ]


def test_holes_do_not_change_the_json(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", changed("missing_log_file"))
    assert run("coverage", logs, "--holes", out=tmp_path) == run("coverage", logs, out=tmp_path)


def test_a_fault_that_ended_when_the_window_begins_is_not_in_it(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(48):
        chain.hour(MIDNIGHT + hour * HOUR, {chain.log_key(): trail_file()} if hour == 23 else {})
    digests = {name: content for name, content in chain.objects().items() if name in chain.digests}
    _, before = covered(tmp_path, digests, *HERE)
    _, after = covered(tmp_path, digests, *HERE, "--since", "2026-10-02")
    assert ([flaw["until"] for flaw in before["flaws"]], after["flaws"]) == (["2026-10-02T00:00:00Z"], [])


# What is not as CloudTrail delivered it


@dataclass(frozen=True)
class Signed:
    """A signed copy with one fault in it, and CloudTrail's public keys."""

    logs: Path
    keys: Path

    def run(self, command: str, tmp_path: Path, *options: str) -> tuple[ExitCode, Any]:
        """Ask in the way of a command; `report` asks a store."""
        given: list[str | Path] = ["--public-keys", self.keys, *options]
        if command != "report":
            return run(command, self.logs, *given, out=tmp_path)
        command_line(["ingest", str(self.logs), "--store", str(tmp_path / "store")])
        return run("report", "--store", tmp_path / "store", *given, out=tmp_path)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def signed_chain(signer: Signer) -> DigestChain:
    return two_days(signer)


@pytest.fixture
def signed(signer: Signer, signed_chain: DigestChain, tmp_path: Path) -> Callable[..., Signed]:
    keys = tmp_path / "keys.json"
    keys.write_bytes(signer.public_keys_json())

    def make(kind: str = "", signatures: Mapping[str, str] | None = None) -> Signed:
        objects = signed_chain.objects()
        found = signed_chain.signatures() if signatures is None else dict(signatures)
        if kind == "invalid_signature":
            found[signed_chain.digests[12]] = found[signed_chain.digests[11]]
        elif kind:
            CHANGES[kind][0](signed_chain, objects)
        return Signed(write_tree(tmp_path / "logs", objects | sidecars(found)), keys)

    return make


@pytest.mark.parametrize("command", ["analyze", "report", "coverage"])
@pytest.mark.parametrize("kind", [*INVALID_KINDS, "invalid_signature"])
def test_what_is_invalid_is_named_on_stderr_and_ends_in_exit_code_4(
    kind: str, command: str, signed: Callable[..., Signed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = two_days()
    copy = signed(kind)
    code, _ = copy.run(command, tmp_path)
    name = chain.log_key() if kind == "wrong_hash" else chain.digests[12]
    words = f"{name}: INVALID: {kind.replace('_', ' ')} ({ACCOUNT} eu-west-1, digest of 2026-10-01T13:00Z)"
    assert code is ExitCode.INPUT_REJECTED
    assert capsys.readouterr().err.count(words) == 1


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if kind.startswith("missing")])
def test_what_is_merely_missing_is_no_failure(kind: str, tmp_path: Path) -> None:
    code, _ = covered(tmp_path, changed(kind))
    assert code is ExitCode.OK


@pytest.mark.parametrize(
    "options",
    [("--region", "eu-west-3"), ("--account", OTHER_ACCOUNT), ("--since", "2026-10-02")],
    ids=["region", "account", "window"],
)
def test_what_is_invalid_is_listed_and_ends_in_exit_code_4_whatever_is_asked(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    code, answer = covered(tmp_path, changed("wrong_hash"), *options)
    assert code is ExitCode.INPUT_REJECTED
    assert [flaw["kind"] for flaw in answer["flaws"]] == ["wrong_hash"]


def test_an_invalid_digest_proves_nothing_and_the_report_says_less(
    signed: Callable[..., Signed], tmp_path: Path
) -> None:
    _, answer = signed("invalid_signature").run("analyze", tmp_path, "--min-days", "2", *HERE)
    (row,) = answer["verdicts"]
    assert row["coverage"] == {"days": 2, "proven": 1, "declared": 0, "inferred": 1, "none": 0}


# Signatures


def test_signatures_beside_the_digests_are_verified_with_the_public_keys(
    signed: Callable[..., Signed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = signed()
    code, answer = copy.run("coverage", tmp_path)
    assert (code, levels_in(answer), answer["signature"]) == (ExitCode.OK, "PP", "verified")
    assert answer["chains"][0]["signatures"] == {"verified": 48, "absent": 0, "INVALID": 0}
    told = shown(capsys, "coverage", copy.logs, "--public-keys", copy.keys)
    assert told.count("signature: verified") == 2


def test_without_public_keys_signatures_are_absent_and_the_chain_proves_by_its_hashes(
    signed: Callable[..., Signed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = signed("invalid_signature")
    code, answer = run("coverage", copy.logs, out=tmp_path)
    assert (code, levels_in(answer), answer["signature"]) == (ExitCode.OK, "PP", "absent")
    assert "signature: absent" in shown(capsys, "coverage", copy.logs)


def test_without_files_beside_the_digests_signatures_are_absent(
    signed: Callable[..., Signed], tmp_path: Path
) -> None:
    code, answer = signed(signatures={}).run("coverage", tmp_path)
    assert (code, levels_in(answer), answer["signature"]) == (ExitCode.OK, "PP", "absent")


def test_one_digest_without_a_signature_makes_the_whole_chain_absent_and_the_others_are_counted(
    signed: Callable[..., Signed],
    signed_chain: DigestChain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    signatures = signed_chain.signatures()
    del signatures[signed_chain.digests[0]]
    copy = signed(signatures=signatures)
    _, answer = copy.run("coverage", tmp_path)
    assert answer["signature"] == "absent"
    assert answer["chains"][0]["signatures"] == {"verified": 47, "absent": 1, "INVALID": 0}
    assert "signature: absent (47 verified)" in shown(capsys, "coverage", copy.logs, "--public-keys", copy.keys)


def test_one_invalid_signature_makes_the_word_invalid_and_its_digest_a_fault(
    signed: Callable[..., Signed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = signed("invalid_signature")
    _, answer = copy.run("coverage", tmp_path)
    assert (answer["signature"], levels_in(answer)) == ("INVALID", "IP")
    (flaw,) = answer["flaws"]
    assert (flaw["kind"], flaw["since"]) == ("invalid_signature", "2026-10-01T12:00:00Z")
    assert "is not what AWS signed" in flaw["remedy"]
    told = shown(capsys, "coverage", copy.logs, "--public-keys", copy.keys)
    assert "signature: INVALID (1 of 48)" in told


def test_keys_of_another_region_verify_nothing(signed: Callable[..., Signed], tmp_path: Path) -> None:
    copy = signed()
    copy.keys.write_bytes(Signer().public_keys_json())
    code, answer = copy.run("coverage", tmp_path)
    assert (code, answer["signature"]) == (ExitCode.OK, "absent")


def test_a_signature_settles_which_of_two_differing_copies_is_the_digest(
    signed: Callable[..., Signed], signed_chain: DigestChain, tmp_path: Path
) -> None:
    last = signed_chain.digests[-1]
    copy = signed()
    write_tree(copy.logs, {f"copy/{last}": altered(signed_chain.objects()[last], forged=1)})
    code, answer = copy.run("coverage", tmp_path)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "PP")
    assert {flaw["kind"] for flaw in answer["flaws"]} == {"altered_digest", "invalid_signature"}


def test_signatures_may_come_in_a_later_run_than_their_digests(
    signed: Callable[..., Signed], signed_chain: DigestChain, tmp_path: Path
) -> None:
    copy = signed(signatures={})
    run("coverage", copy.logs, "--store", tmp_path / "store", out=tmp_path)
    write_tree(tmp_path / "later", sidecars(signed_chain.signatures()))
    given = ("--store", tmp_path / "store", "--public-keys", copy.keys)
    _, answer = run("coverage", tmp_path / "later", *given, out=tmp_path)
    assert (levels_in(answer), answer["signature"]) == ("PP", "verified")


def test_a_signature_file_that_holds_no_signature_is_named_and_ignored(
    signed: Callable[..., Signed],
    signed_chain: DigestChain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = signed(signatures=signed_chain.signatures() | {signed_chain.digests[3]: "no hex"})
    code, answer = copy.run("coverage", tmp_path)
    assert (code, levels_in(answer)) == (ExitCode.OK, "PP")
    assert f"{signed_chain.digests[3]}.sig: malformed signature, it proves nothing" in capsys.readouterr().err


def test_a_file_of_public_keys_that_is_none_ends_in_exit_code_2(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    code, _ = covered(tmp_path, two_days().objects(), "--public-keys", keys)
    assert code is ExitCode.USAGE


# Trail descriptions

ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/org-trail"
TRAIL = {"TrailARN": ARN, "IsMultiRegionTrail": True, "IsOrganizationTrail": False, "S3BucketName": "example-logs"}
SELECTORS = {"TrailARN": ARN, "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
STATUS = {"IsLogging": True, "StartLoggingTime": "2026-10-01T10:00:00+00:00"}
WRITE_ONLY = SELECTORS | {"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}
WITHOUT_STS = SELECTORS | {
    "EventSelectors": [{"ReadWriteType": "All", "ExcludeManagementEventSources": ["sts.amazonaws.com"]}]
}


def descriptions(trail: Json = TRAIL, selectors: Json = SELECTORS, status: Json = STATUS) -> Objects:
    """The three saved outputs, by file name."""
    return {
        "describe-trails.json": json.dumps({"trailList": [trail]}).encode(),
        "event-selectors.json": json.dumps(selectors).encode(),
        "trail-status.json": json.dumps(status).encode(),
    }


def handed_in(tmp_path: Path, **outputs: Json) -> list[str]:
    """Options that hand in the three outputs."""
    folder = write_tree(tmp_path / "trail", descriptions(**outputs))
    return [part for path in sorted(folder.iterdir()) for part in ("--trail", str(path))]


def one_log() -> dict[str, Any]:
    return {key(): [read_of("2026-10-01")]}


def declared(answer: Any, account: str = ACCOUNT) -> set[str]:
    """The letters of the regions of an account that have no log at all."""
    return {r["levels"] for r in answer["coverage"] if r["account_id"] == account and r["region"] != REGION}


def in_words(answer: Any) -> str:
    (trail,) = answer["trails"]
    words: str = trail["in_words"]
    return words


def test_a_described_trail_declares_every_region_from_the_day_after_its_start(tmp_path: Path) -> None:
    code, answer = covered(tmp_path, one_log(), *WINDOW, *handed_in(tmp_path))
    assert (code, declared(answer), levels_in(answer)) == (ExitCode.OK, {"ND"}, "ID")
    assert answer["trails"][0]["declares_from"] == "2026-10-02"
    assert in_words(answer) == (
        f"trail org-trail ({ACCOUNT}, home us-east-1) declares all regions from 2026-10-02 on"
    )


def test_rows_declared_on_every_day_are_folded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", one_log())
    told = shown(capsys, "coverage", logs, *handed_in(tmp_path), "--since", "2026-10-02", "--until", "2026-10-04")
    assert f"{ACCOUNT}: declared on every day in " in told
    assert "declares all regions from 2026-10-02 on" in told


def test_all_outputs_may_be_merged_in_one_file(tmp_path: Path) -> None:
    merged = write_tree(tmp_path / "trail", {"all.json": b"\n".join(descriptions().values())}) / "all.json"
    _, answer = covered(tmp_path, one_log(), *WINDOW, "--trail", merged)
    assert declared(answer) == {"ND"}


def test_descriptions_are_recognized_by_their_content_in_a_tree_of_logs(tmp_path: Path) -> None:
    beside = {f"saved/{number}.json": text for number, text in enumerate(descriptions().values())}
    code, answer = covered(tmp_path, one_log() | beside, *WINDOW)
    assert (code, declared(answer)) == (ExitCode.OK, {"ND"})


def test_descriptions_may_be_given_half_in_the_tree_and_half_by_option(tmp_path: Path) -> None:
    files = descriptions()
    status = write_tree(tmp_path / "trail", {"status.json": files.pop("trail-status.json")}) / "status.json"
    _, answer = covered(tmp_path, one_log() | files, *WINDOW, "--trail", status)
    assert declared(answer) == {"ND"}


@pytest.mark.parametrize(
    ("outputs", "kind", "words"),
    [
        ({"trail": TRAIL | {"IsMultiRegionTrail": False}}, "single_region", "it records one region only"),
        ({"selectors": WRITE_ONLY}, "write_only", "it records no reads, and AssumeRole is one"),
        ({"selectors": WITHOUT_STS}, "excludes_sts", "it excludes sts.amazonaws.com"),
        ({"status": {"IsLogging": False}}, "stopped", "it is not logging"),
    ],
    ids=["single region", "write only", "excludes sts", "stopped"],
)
@pytest.mark.parametrize("command", ["analyze", "coverage"])
def test_a_trail_that_declares_nothing_says_why_in_words(
    command: str,
    outputs: dict[str, Json],
    kind: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*WINDOW, *handed_in(tmp_path, **outputs)]
    _, answer = covered(tmp_path, one_log(), *options)
    assert declared(answer) == {"NN"}
    assert (answer["trails"][0]["shortcomings"], answer["trails"][0]["declares_from"]) == ([kind], None)
    assert f"declares nothing: {words}" in in_words(answer)
    assert f"declares nothing: {words}" in shown(capsys, command, tmp_path / "logs", *options)


def test_without_its_status_a_trail_says_what_is_still_to_be_handed_in(tmp_path: Path) -> None:
    _, answer = covered(tmp_path, one_log(), *WINDOW, *handed_in(tmp_path)[:-2])
    assert declared(answer) == {"NN"}
    assert f"aws cloudtrail get-trail-status --name {ARN}" in in_words(answer)


def test_a_description_that_cannot_be_used_is_a_problem_on_stderr_and_in_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = write_tree(tmp_path / "trail", {"status.json": json.dumps(STATUS).encode()}) / "status.json"
    code, answer = covered(tmp_path, one_log(), "--trail", status)
    assert (code, len(answer["problems"])) == (ExitCode.OK, 1)
    assert "status.json: holds the status of a trail, but none is described" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", trail_file(record()), b"[]"])
@pytest.mark.parametrize("command", ["analyze", "ingest", "coverage"])
def test_a_file_that_is_no_description_ends_in_exit_code_2_and_one_line(
    command: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_tree(tmp_path / "logs", one_log())
    file = write_tree(tmp_path / "trail", {"odd.json": content}) / "odd.json"
    arguments = [command, str(logs), "--trail", str(file), "--store", str(tmp_path / "store")]
    assert command_line(arguments) == ExitCode.USAGE
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "odd.json: no trail description; save the JSON output of" in told.err
    assert not (tmp_path / "store").exists()


def test_a_description_that_is_not_there_ends_in_exit_code_2(tmp_path: Path) -> None:
    code, _ = covered(tmp_path, one_log(), "--trail", tmp_path / "missing.json")
    assert code is ExitCode.USAGE


def test_descriptions_may_be_given_to_the_report_of_a_store(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", one_log())
    store = tmp_path / "store"
    command_line(["ingest", str(logs), "--store", str(store)])
    window = ("--since", "2026-10-02", "--until", "2026-10-04", "--min-days", "2", "--region", "eu-west-3")
    _, before = run("report", "--store", store, *window, out=tmp_path)
    _, with_them = run("report", "--store", store, *window, *handed_in(tmp_path), out=tmp_path)
    _, after = run("report", "--store", store, *window, out=tmp_path)
    verdicts = [answer["verdicts"][0]["verdict"] for answer in (before, with_them, after)]
    assert verdicts == ["cannot_tell", "deactivate", "cannot_tell"]
    assert with_them["verdicts"][0]["confidence"] == "declared"


def test_descriptions_given_to_ingest_are_kept(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", one_log())
    store = tmp_path / "store"
    assert command_line(["ingest", str(logs), "--store", str(store), *handed_in(tmp_path)]) == ExitCode.OK
    _, answer = run("coverage", "--store", store, *WINDOW, out=tmp_path)
    assert declared(answer) == {"ND"}


def test_a_description_saved_anew_replaces_the_one_that_is_kept(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", one_log())
    given = ["--store", str(tmp_path / "store"), *WINDOW]
    _, before = run("coverage", logs, *given, *handed_in(tmp_path, status={"IsLogging": False}), out=tmp_path)
    _, after = run("coverage", logs, *given, *handed_in(tmp_path), out=tmp_path)
    assert (declared(before), declared(after)) == ({"NN"}, {"ND"})


def test_a_trail_declares_for_its_own_account_only(tmp_path: Path) -> None:
    other: Json = {key(account=OTHER_ACCOUNT): []}
    _, answer = covered(tmp_path, {**one_log(), **other}, *WINDOW, *handed_in(tmp_path))
    assert (declared(answer), declared(answer, OTHER_ACCOUNT)) == ({"ND"}, {"NN"})


ORGANIZATION_TRAIL = TRAIL | {"IsOrganizationTrail": True}


def in_organization(account: str, organization: str = "o-exampleorg1") -> dict[str, Any]:
    """A log file in an organization's folders."""
    return {key(account=account).replace("AWSLogs/", f"AWSLogs/{organization}/"): []}


def test_an_organization_trail_declares_for_every_account_with_a_folder_in_the_organization(
    tmp_path: Path,
) -> None:
    alone = "777788889999"
    logs = {**in_organization(ACCOUNT), **in_organization(OTHER_ACCOUNT), key(account=alone): []}
    _, answer = covered(tmp_path, logs, *WINDOW, *handed_in(tmp_path, trail=ORGANIZATION_TRAIL))
    assert declared(answer, ACCOUNT) == {"ND"}
    assert declared(answer, OTHER_ACCOUNT) == {"ND"}
    assert declared(answer, alone) == {"NN"}


def test_an_organization_trail_does_not_declare_for_the_accounts_of_another_organization(tmp_path: Path) -> None:
    logs = {**in_organization(ACCOUNT), **in_organization(OTHER_ACCOUNT, "o-another1234")}
    _, answer = covered(tmp_path, logs, *WINDOW, *handed_in(tmp_path, trail=ORGANIZATION_TRAIL))
    assert (declared(answer, ACCOUNT), declared(answer, OTHER_ACCOUNT)) == ({"ND"}, {"NN"})


def test_in_a_copy_from_below_the_organization_every_account_with_a_folder_is_declared_for(
    tmp_path: Path,
) -> None:
    logs = {**one_log(), key(account=OTHER_ACCOUNT): []}
    _, answer = covered(tmp_path, logs, *WINDOW, *handed_in(tmp_path, trail=ORGANIZATION_TRAIL))
    assert declared(answer, OTHER_ACCOUNT) == {"ND"}


def test_a_rejected_log_file_is_a_hole_in_what_is_declared(tmp_path: Path) -> None:
    logs = {**one_log(), key(day="2026-10-02"): b"\x1f\x8bx"}
    _, answer = covered(tmp_path, logs, *WINDOW, *handed_in(tmp_path))
    assert levels_in(answer) == "IN"
    assert [hole["kind"] for hole in answer["holes"] if hole["region"] == REGION] == ["rejected_log_file"]


def test_a_proven_day_stays_proven_beside_a_declaration(tmp_path: Path) -> None:
    _, answer = covered(tmp_path, two_days().objects(), "--until", "2026-10-04", *handed_in(tmp_path))
    assert levels_in(answer) == "PPD"


@pytest.mark.parametrize(
    "selectors",
    [
        WRITE_ONLY,
        WITHOUT_STS,
        SELECTORS | {"EventSelectors": []},
        {
            "TrailARN": ARN,
            "AdvancedEventSelectors": [
                {
                    "FieldSelectors": [
                        {"Field": "eventCategory", "Equals": ["Management"]},
                        {"Field": "eventName", "NotEquals": ["AssumeRole"]},
                    ]
                }
            ],
        },
    ],
    ids=["write only", "excludes sts", "no management events", "filtered by name"],
)
@pytest.mark.parametrize("is_organization", [False, True], ids=["own trail", "organization trail"])
def test_the_digests_of_a_trail_that_need_not_record_assume_role_prove_nothing(
    is_organization: bool, selectors: Json, tmp_path: Path
) -> None:
    outputs = {"trail": TRAIL | {"IsOrganizationTrail": is_organization}, "selectors": selectors}
    account = OTHER_ACCOUNT if is_organization else ACCOUNT
    chain = two_days(account=account, organization="o-exampleorg1")
    _, answer = covered(tmp_path, chain.objects(), *handed_in(tmp_path, **outputs))
    assert answer["totals"]["proven"] == 0


def test_the_digests_of_another_trail_than_the_blind_one_prove(tmp_path: Path) -> None:
    chain = two_days(trail="sighted")
    _, answer = covered(tmp_path, chain.objects(), *handed_in(tmp_path, selectors=WRITE_ONLY))
    assert levels_in(answer) == "PP"


@pytest.mark.parametrize(
    "outputs",
    [{"trail": TRAIL | {"IsMultiRegionTrail": False}}, {"status": {"IsLogging": False}}],
    ids=["single region", "stopped"],
)
def test_the_digests_of_a_trail_that_declares_nothing_and_sees_everything_prove(
    outputs: dict[str, Json], tmp_path: Path
) -> None:
    _, answer = covered(tmp_path, two_days().objects(), *handed_in(tmp_path, **outputs))
    assert levels_in(answer) == "PP"


# What would settle a verdict


def verdicts(tmp_path: Path, objects: Mapping[str, Any], *options: str) -> dict[str, Json]:
    """The verdict rows of ACCOUNT by region."""
    _, answer = run("analyze", write_tree(tmp_path / "logs", objects), *options, out=tmp_path)
    return {row["region"]: row for row in answer["verdicts"] if row["account_id"] == ACCOUNT}


def test_cannot_tell_and_no_other_verdict_says_what_would_settle_it(tmp_path: Path) -> None:
    chain = DigestChain(region="eu-west-3")
    chain.days(FIRST, 2)
    rows = verdicts(tmp_path, {key(): [record()], **chain.objects()}, "--min-days", "2")
    found = {row["verdict"] for row in rows.values()}
    assert found == {"keep", "deactivate", "cannot_tell", "fixed"}
    for row in rows.values():
        assert (row["settled_by"] is not None) == (row["verdict"] == "cannot_tell")


def test_a_hole_settles_it_by_its_remedy(tmp_path: Path) -> None:
    objects = {key(day=day): [read_of(day)] for day in ("2026-10-01", "2026-10-03")}
    row = verdicts(tmp_path, objects, "--min-days", "3")["eu-west-1"]
    assert row["verdict"] == "cannot_tell"
    assert row["settled_by"].startswith("hand in the log files of 2026-10-02; ")


def test_of_several_holes_the_worst_is_told_and_the_others_are_counted(tmp_path: Path) -> None:
    objects: dict[str, Any] = {key(day=f"2026-10-0{n}"): [read_of(f"2026-10-0{n}")] for n in (1, 3, 5, 6)}
    row = verdicts(tmp_path, {**objects, key(day="2026-10-05", name="b" * 16): b"\x1f\x8bx"})["eu-west-1"]
    assert re.match(r"fetch .*bbbbbbbbbbbbbbbb\.json\.gz \(truncated gzip\) again", row["settled_by"])
    assert row["settled_by"].endswith(" (and 2 more holes: 'sts-regions coverage')")


def test_a_window_that_is_too_short_is_settled_by_more_days(tmp_path: Path) -> None:
    row = verdicts(tmp_path, two_days().objects())["eu-west-1"]
    assert (row["verdict"], row["reasons"]) == ("cannot_tell", ["window_too_short"])
    assert row["settled_by"] == "logs of 88 more days, or a smaller --min-days"


def test_logs_of_writes_alone_are_settled_by_a_trail_that_records_reads(tmp_path: Path) -> None:
    objects = {key(day=day): [read_of(day, readOnly=False, errorCode="x")] for day in ("2026-10-01", "2026-10-02")}
    rows = verdicts(tmp_path, objects, "--min-days", "2")
    row = rows["eu-west-1"]
    assert (row["verdict"], row["reasons"]) == ("cannot_tell", ["coverage_gap", "write_only_logs"])
    assert row["settled_by"].startswith("hand in the logs of a trail that records reads")


def test_digests_prove_nothing_for_an_account_whose_logs_hold_writes_only(tmp_path: Path) -> None:
    chain = DigestChain()
    write = read_of("2026-10-01", readOnly=False, errorCode="x")
    chain.days(FIRST, 2, {FIRST: {chain.log_key(): trail_file(write)}})
    row = verdicts(tmp_path, chain.objects(), "--min-days", "2")["eu-west-1"]
    assert "write_only_logs" in row["reasons"]
    assert row["coverage"] == {"days": 2, "proven": 0, "declared": 0, "inferred": 0, "none": 2}


def test_the_table_says_what_would_settle_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", two_days().objects())
    told = shown(capsys, "analyze", logs)
    assert "to settle it: logs of 88 more days, or a smaller --min-days" in told


# Text from an attacker

SPELLS = {
    "everything": "\x1b]0;x\x07\x9b\u202e|<b>[x](y)`$(id)`'; rm -rf ~; \"@=1 www.e.test",
    "formula": "=1+cmd|' calc'!A0",
    "formula with at": "@SUM(1)",
    "formula with plus": "+1",
    "option": "--endpoint-url=http://e.test -",
}
FAULTS = (*CHANGES, "invalid_signature", "chain_restarted", "chain_gap")
QUESTIONS = {
    "grid": ("coverage", "--all"),
    "holes": ("coverage", "--holes"),
    "report": ("report", "--all"),
}


def bewitched(spell: str, fault: str, account: str, signer: Signer) -> Objects:
    """A chain with a fault, whose trail, bucket and folders are named by an attacker, out of its folders."""
    code = ALL_REGIONS[FAULTS.index(fault)]
    trail = spell.replace("/", "")
    signs = signer if fault == "invalid_signature" else None
    chain = DigestChain(signs, account, code, trail, bucket=f"{spell}/b", prefix=f"{spell}\n\\")
    for hour in range(15):
        if fault == "chain_restarted" and hour == 6:
            chain.restart()
        if fault == "chain_gap" and hour == 6:
            chain.skip_hour()
        event = read_of("2026-10-01", f"{account}-{code}", recipientAccountId=account, awsRegion=code)
        files = {chain.log_key(): trail_file(event)}
        chain.hour(None if hour else MIDNIGHT, files if hour == 12 else {})
    objects = chain.objects()
    if fault in CHANGES:
        CHANGES[fault][0](chain, objects)
    if fault == "invalid_signature":
        objects |= sidecars(dict.fromkeys(chain.digests[:2], chain.signatures()[chain.digests[0]]))
    return {f"{account}-{code}/{name.rsplit('/', 1)[-1]}": content for name, content in objects.items()}


ALL_REGIONS = (
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-central-1", "us-east-1", "us-east-2"),
    *("us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
)


@dataclass
class Attacked:
    """A store of digests whose every text is an attacker's, and what was said about it."""

    store: Path
    keys: Path
    answers: dict[tuple[str, str], str]
    stderr: dict[str, str]

    def csv(self, question: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.answers[question, "csv"])))

    def faults(self) -> list[Json]:
        """The flaws in the JSON."""
        found: list[Json] = json.loads(self.answers["grid", "json"])["flaws"]
        return found


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Attacked:
    folder = tmp_path_factory.mktemp("attacked")
    for number, spell in enumerate(SPELLS.values()):
        account = f"{number + 1:012}"
        for fault in FAULTS:
            write_tree(folder / "logs", bewitched(spell, fault, account, signer))
        name = f"{account}_CloudTrail_ap-south-1_20261001T1205Z_{spell.replace('/', '')}.json"
        write_tree(folder / "logs", {name: b"{"})
    store, keys, out = folder / "store", folder / "keys.json", folder / "out"
    keys.write_bytes(signer.public_keys_json())
    answers, stderr = {}, {}
    with redirect_stderr(io.StringIO()) as said:
        command_line(["ingest", str(folder / "logs"), "--store", str(store)])
    stderr["ingest"] = said.getvalue()
    for question, arguments in QUESTIONS.items():
        for output in OUTPUTS:
            given = [*arguments, "--store", str(store), "--public-keys", str(keys)]
            with redirect_stderr(io.StringIO()) as said:
                assert command_line([*given, "--output", output, "--out", str(out)]) == 4
            answers[question, output] = out.read_bytes().decode()
            stderr[question] = said.getvalue()
    return Attacked(store, keys, answers, stderr)


every_question = pytest.mark.parametrize("question", QUESTIONS)


def test_every_spell_is_in_every_kind_of_fault(attacked: Attacked) -> None:
    found = {(flaw["kind"], flaw["account_id"]) for flaw in attacked.faults()}
    assert found >= {(fault, f"{number + 1:012}") for number in range(len(SPELLS)) for fault in FAULTS}


@every_question
@pytest.mark.parametrize("output", OUTPUTS)
def test_no_control_character_reaches_an_output(question: str, output: str, attacked: Attacked) -> None:
    assert controls(attacked.answers[question, output]) == set()


def test_every_line_on_stderr_is_one_of_ours(attacked: Attacked) -> None:
    for told in attacked.stderr.values():
        assert controls(told) == set()
        assert all(line.startswith("sts-regions: ") for line in told.splitlines())


def test_json_holds_the_exact_text(attacked: Attacked) -> None:
    for number, spell in enumerate(SPELLS.values()):
        own = [flaw for flaw in attacked.faults() if flaw["account_id"] == f"{number + 1:012}"]
        assert {flaw["bucket"] for flaw in own} == {f"{spell}/b"}
        assert {flaw["trail"] for flaw in own} == {spell.replace("/", "")}
        assert all(name.startswith(f"{spell}\n\\/AWSLogs/") for flaw in own for name in flaw["objects"])


def command_in(remedy: str) -> list[str] | None:
    """The words of the command in a remedy as a shell splits them; None when there is none."""
    if "aws s3 " not in remedy:
        return None
    return shlex.split(remedy[remedy.index("aws s3 ") : remedy.rindex(" FOLDER")])


def test_the_command_in_a_remedy_names_the_file_as_one_word(attacked: Attacked) -> None:
    for flaw in attacked.faults():
        words = command_in(flaw["remedy"])
        if flaw["kind"].startswith("chain"):
            assert words is None
        elif flaw["kind"] == "missing_digest":
            parents = flaw["objects"][0].rpartition("/")[0]
            assert words == ["aws", "s3", "sync", f"s3://{flaw['bucket']}/{parents}/"]
        else:
            assert words == ["aws", "s3", "cp", f"s3://{flaw['bucket']}/{flaw['objects'][0]}"]


def test_the_command_is_still_one_command_where_it_is_shown(attacked: Attacked) -> None:
    head, *rows = attacked.csv("holes")
    commands = [command_in(row[head.index("remedy")]) for row in rows]
    assert len([words for words in commands if words]) >= len(SPELLS) * (len(FAULTS) - 2)
    assert {(*words[:2], len(words)) for words in commands if words} == {("aws", "s3", 4)}
    lines = [line for line in attacked.answers["grid", "table"].splitlines() if "aws s3 " in line]
    assert {len(command_in(line) or ()) for line in lines} == {4}


@every_question
def test_no_cell_of_the_csv_is_a_formula_or_ends_its_row(question: str, attacked: Attacked) -> None:
    head, *rows = attacked.csv(question)
    assert {len(row) for row in rows} == {len(head)}
    assert len(attacked.answers[question, "csv"].splitlines()) == 1 + len(rows)
    assert not [cell for row in rows for cell in row if cell.strip().startswith(("=", "+", "-", "@"))]


@every_question
def test_the_rows_of_the_markdown_table_have_as_many_cells_as_its_head(question: str, attacked: Attacked) -> None:
    lines = [line for line in attacked.answers[question, "markdown"].split("\n") if line.startswith("|")]
    assert len({len(markdown_cells(line)) for line in lines}) == 1
    assert len(lines) > 2


@every_question
def test_the_markdown_holds_no_html_no_code_and_no_link(question: str, attacked: Attacked) -> None:
    text = attacked.answers[question, "markdown"]
    assert not set("<>") & set(text)
    assert not set("`[]*") & set(unescaped(text))
    assert "://" not in text
    assert "www." not in text
