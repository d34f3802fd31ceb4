"""`--compare`: what changed since a saved report, and how a file is checked before it is believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, run, service_identity, write_tree

from analyzer.baseline import caller_of, parse_baseline
from analyzer.cli import command_line
from analyzer.errors import UsageError

ROOT = Path(__file__).parents[1]
BEFORE, AFTER = "2026-10-01", "2026-10-02"
GLOBAL: Record = {"awsRegion": "us-east-1", "tlsDetails": {"clientProvidedHostHeader": "sts.amazonaws.com"}}
REFUSED: Record = {"errorCode": "RegionDisabledException", "errorMessage": "STS is not activated in this region"}


def call(event_id: str, day: str = BEFORE, hour: int = 12, **fields: Any) -> Record:
    return record(event_id, eventTime=f"{day}T{hour:02d}:00:00Z", **fields)


def user(name: str) -> Record:
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return {"userIdentity": {"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "principalId": "AIDA"}}


class Watched:
    """Logs that grow, with a report saved before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.baseline = folder / "baseline.json"

    def save(self, *records: Record, options: tuple[str, ...] = ()) -> None:
        write_tree(self.logs, {key(name="first"): records})
        command_line(["analyze", str(self.logs), *options, "--output", "json", "--out", str(self.baseline)])

    def edit(self, change: Callable[[Any], None]) -> None:
        document = json.loads(self.baseline.read_text())
        change(document)
        self.baseline.write_text(json.dumps(document))

    def compare(self, *records: Record, options: tuple[str, ...] = ()) -> Any:
        """The comparison with the logs as they are when these records have come too."""
        if records:
            write_tree(self.logs, {key(name="second", day=AFTER): records})
        code, answer = run("analyze", self.logs, "--compare", self.baseline, *options, out=self.folder)
        assert code == 0
        return answer["comparison"]

    def changes(self, kind: str, *records: Record, options: tuple[str, ...] = ()) -> list[Any]:
        return [one for one in self.compare(*records, options=options)["changes"] if one["kind"] == kind]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def places(changes: list[Any]) -> list[tuple[Any, ...]]:
    return [(one["account_id"], one["region"], one["before"], one["after"]) for one in changes]


# What counts as a change


def test_the_same_logs_are_no_change_at_all(watched: Watched) -> None:
    watched.save(call("e1"), call("e2", **GLOBAL), call("e3", awsRegion="eu-west-2", **REFUSED))
    comparison = watched.compare()
    assert comparison["changes"] == []
    assert comparison["notes"] == []


def test_a_region_that_was_quiet_and_issues_credentials_is_newly_used(watched: Watched) -> None:
    watched.save(call("e1"))
    found = watched.changes("new_use", call("e2", AFTER, awsRegion="eu-west-3"))
    assert places(found) == [(ACCOUNT, "eu-west-3", 0, 1)]
    assert "newly used: 1 issuing call, first 2026-10-02T12:00:00Z" in found[0]["text"]


def test_more_calls_to_a_used_region_are_no_new_use(watched: Watched) -> None:
    watched.save(call("e1"))
    assert watched.changes("new_use", call("e2", AFTER)) == []


def test_use_by_an_aws_service_is_a_change_of_the_verdict_and_no_new_use(watched: Watched) -> None:
    watched.save(call("e1"))
    service = call("e2", AFTER, awsRegion="eu-west-3", userIdentity=service_identity())
    assert watched.changes("new_use", service) == []
    found = [one for one in watched.changes("verdict") if one["region"] == "eu-west-3"]
    assert places(found) == [(ACCOUNT, "eu-west-3", "cannot_tell", "review")]


def test_a_customer_beside_a_service_is_new_use(watched: Watched) -> None:
    watched.save(call("e1", userIdentity=service_identity()))
    assert places(watched.changes("new_use", call("e2", AFTER))) == [(ACCOUNT, "eu-west-1", 0, 1)]


def test_a_principal_that_was_not_at_the_global_endpoint_is_a_new_global_caller(watched: Watched) -> None:
    watched.save(call("e1", **GLOBAL, **user("ann")))
    new = [call("e2", AFTER, **GLOBAL, **user("ben")), call("e3", AFTER, **GLOBAL, **user("ann"))]
    found = watched.changes("new_global_caller", *new)
    assert [(one["principal"], one["region"], one["after"]) for one in found] == [
        (f"arn:aws:iam::{ACCOUNT}:user/ben", "global", 1)
    ]


def test_a_role_of_another_account_is_one_caller_whatever_its_sessions_are_called(watched: Watched) -> None:
    def vendor(event_id: str, day: str, session: str) -> Record:
        identity = {"type": "AWSAccount", "accountId": OTHER_ACCOUNT, "principalId": f"AROAVENDOR:{session}"}
        return call(event_id, day, **GLOBAL, userIdentity=identity)

    watched.save(vendor("e1", BEFORE, "monday"))
    assert watched.changes("new_global_caller", vendor("e2", AFTER, "tuesday")) == []


@pytest.mark.parametrize(
    ("principal", "caller"),
    [
        ("444455556666:AROAVENDOR:session", "444455556666:AROAVENDOR"),
        ("AROAVENDOR:a:b\nc", "AROAVENDOR"),
        ("arn:aws:sts::111122223333:assumed-role/app/i-0", "arn:aws:sts::111122223333:assumed-role/app"),
        ("arn:aws-cn:iam::111122223333:role/path/app", "arn:aws-cn:iam::111122223333:role/path/app"),
        ("arn:aws:iam::111122223333:user/ann:x", "arn:aws:iam::111122223333:user/ann:x"),
        ("444455556666:AIDABEN", "444455556666:AIDABEN"),
        ("config.amazonaws.com", "config.amazonaws.com"),
        ("arn:aws:iam::1:oidc-provider/a:b", "arn:aws:iam::1:oidc-provider/a:b"),
    ],
)
def test_a_caller_is_a_principal_without_the_name_of_its_session(principal: str, caller: str) -> None:
    assert caller_of(principal) == caller


def test_another_verdict_is_told_with_its_deciding_reason(watched: Watched) -> None:
    watched.save(call("e1"))
    refused = call("e2", AFTER, **REFUSED)
    found = [one for one in watched.changes("verdict", refused) if one["region"] == "eu-west-1"]
    assert places(found) == [(ACCOUNT, "eu-west-1", "keep", "inactive")]
    assert "(region_disabled_seen)" in found[0]["text"]


def test_a_refusal_that_the_baseline_knew_is_no_change(watched: Watched) -> None:
    watched.save(call("e1", **REFUSED))
    assert watched.changes("region_disabled", call("e2", AFTER)) == []


def test_a_first_refusal_is_a_change(watched: Watched) -> None:
    watched.save(call("e1"))
    found = watched.changes("region_disabled", call("e2", AFTER, **REFUSED))
    assert places(found) == [(ACCOUNT, "eu-west-1", 0, 1)]


def test_a_later_refusal_is_a_change_even_in_a_window_that_holds_fewer(watched: Watched) -> None:
    watched.save(call("e1", **REFUSED), call("e2", hour=13, **REFUSED))
    later = call("e3", AFTER, **REFUSED)
    found = watched.changes("region_disabled", later, options=("--since", AFTER))
    assert places(found) == [(ACCOUNT, "eu-west-1", 2, 1)]


def test_a_refusal_later_on_the_baselines_last_day_is_a_change(watched: Watched) -> None:
    watched.save(call("e1", **REFUSED))
    assert len(watched.changes("region_disabled", call("e2", hour=23, **REFUSED))) == 1


def test_a_new_day_without_evidence_is_worse_coverage(watched: Watched) -> None:
    watched.save(call("e1"))
    found = watched.changes("coverage", options=("--until", "2026-10-03"))
    assert [(one["region"], one["before"], one["after"]) for one in found] == [
        ("eu-west-1", "inferred, 0 of 1 day without evidence", "none, 1 of 2 days without evidence")
    ]


def test_an_account_that_is_gone_is_told_once(watched: Watched) -> None:
    watched.save(call("e1"), call("e2", recipientAccountId=OTHER_ACCOUNT))
    assert OTHER_ACCOUNT in watched.baseline.read_text()
    write_tree(watched.logs, {key(name="first"): [call("e1")]})
    assert [one["account_id"] for one in watched.changes("account_gone")] == [OTHER_ACCOUNT]
    assert watched.changes("verdict") == []


def test_an_account_that_appeared_is_told_once_and_its_use_is_new(watched: Watched) -> None:
    watched.save(call("e1"))
    role = {"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"}
    new = call("e2", AFTER, recipientAccountId=OTHER_ACCOUNT, requestParameters=role)
    comparison = watched.compare(new)
    assert [(one["kind"], one["account_id"], one["region"]) for one in comparison["changes"]] == [
        ("new_use", OTHER_ACCOUNT, "eu-west-1"),
        ("account_appeared", OTHER_ACCOUNT, None),
    ]


def test_a_row_that_is_gone_is_a_change_of_the_verdict(watched: Watched) -> None:
    watched.save(call("e1"))

    def add(document: Any) -> None:
        document["verdicts"].append({**document["verdicts"][0], "region": "xx-gone-1", "verdict": "keep"})

    watched.edit(add)
    assert places(watched.changes("verdict")) == [(ACCOUNT, "xx-gone-1", "keep", None)]


def test_an_accepted_change_is_marked(watched: Watched) -> None:
    watched.save(call("e1"))
    exceptions = watched.folder / "x.toml"
    exceptions.write_text(
        '[[exception]]\naccount = "*"\nregion = "eu-west-3"\nreason = "known"\nexpires = 9999-12-31\n'
    )
    new = call("e2", AFTER, awsRegion="eu-west-3")
    (found,) = watched.changes("new_use", new, options=("--exceptions", str(exceptions)))
    assert found["excepted"] is True


# What to know when reading them


def test_different_windows_are_said_in_words(watched: Watched) -> None:
    watched.save(call("e1"))
    (note,) = watched.compare(call("e2", AFTER))["notes"]
    assert "2026-10-01 to 2026-10-02 (excluded, 1 day)" in note
    assert "2026-10-01 to 2026-10-03 (excluded, 2 days)" in note


def test_another_version_is_said_in_words(watched: Watched) -> None:
    watched.save(call("e1"))
    watched.edit(lambda document: document["tool"].update(version="0.0.1"))
    (note,) = watched.compare()["notes"]
    assert note.startswith("Version 0.0.1 wrote the baseline")


def test_another_policy_is_said_in_words(watched: Watched) -> None:
    watched.save(call("e1"), options=("--min-days", "1"))
    notes = watched.compare(options=("--service-calls", "keep"))["notes"]
    assert notes == [
        "The baseline was asked with --min-days 1, this report with 90.",
        "The baseline was asked with --service-calls review, this report with keep.",
    ]


def test_what_the_baseline_was_not_asked_about_is_not_compared(watched: Watched) -> None:
    watched.save(call("e1"), call("e2", awsRegion="eu-west-3"), options=("--region", "eu-west-1"))
    comparison = watched.compare()
    assert comparison["changes"] == []
    assert "different accounts or regions" in comparison["notes"][0]


def test_what_this_report_is_not_asked_about_is_not_gone(watched: Watched) -> None:
    watched.save(call("e1"), call("e2", recipientAccountId=OTHER_ACCOUNT), call("e3", **GLOBAL))
    assert watched.compare(options=("--account", ACCOUNT, "--region", "eu-west-1"))["changes"] == []


def test_a_baseline_without_callers_cannot_tell_new_ones_and_says_so(watched: Watched) -> None:
    watched.save(call("e1"))

    def as_an_older_version(document: Any) -> None:
        for name in ("global_callers", "global_callers_left_out", "question", "exceptions"):
            del document[name]
        for row in document["verdicts"]:
            del row["last_region_disabled"]

    watched.edit(as_an_older_version)
    comparison = watched.compare(call("e2", hour=13, **GLOBAL), call("e3", hour=13, **REFUSED))
    kinds = {one["kind"] for one in comparison["changes"]}
    assert "region_disabled" in kinds
    assert "new_global_caller" not in kinds
    assert any("which are new cannot be told" in note for note in comparison["notes"])


def test_of_a_baseline_that_left_callers_out_only_those_seen_later_are_new(watched: Watched) -> None:
    watched.save(call("e1"))
    watched.edit(lambda document: document.update(global_callers_left_out=7))
    new = [call("e2", hour=13, **GLOBAL, **user("ann")), call("e3", AFTER, **GLOBAL, **user("ben"))]
    found = watched.changes("new_global_caller", *new)
    assert [one["principal"] for one in found] == [f"arn:aws:iam::{ACCOUNT}:user/ben"]


# How it is shown


def test_the_table_shows_the_changes_above_the_verdicts(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.save(call("e1"))
    write_tree(watched.logs, {key(name="second", day=AFTER): [call("e2", AFTER, awsRegion="eu-west-3")]})
    command_line(["analyze", str(watched.logs), "--compare", str(watched.baseline)])
    lines = capsys.readouterr().out.splitlines()
    change = next(n for n, line in enumerate(lines) if line.startswith(f"- {ACCOUNT} eu-west-3: newly used"))
    assert lines[2].startswith("Since ")
    assert change < next(n for n, line in enumerate(lines) if line.startswith("account "))


def test_many_changes_are_cut_in_the_table_and_all_shows_them(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.save(call("e0", **GLOBAL))
    new = [call(f"n{number}", AFTER, **GLOBAL, **user(f"u{number:02d}")) for number in range(40)]
    write_tree(watched.logs, {key(name="second", day=AFTER): new})
    arguments = ["analyze", str(watched.logs), "--compare", str(watched.baseline)]
    command_line(arguments)
    cut = capsys.readouterr().out
    command_line([*arguments, "--all"])
    assert "more changes; --all and --output json show every one" in cut
    assert "user/u39" not in cut
    assert "user/u39" in capsys.readouterr().out


def test_the_new_report_may_be_written_over_its_baseline(watched: Watched) -> None:
    watched.save(call("e1"))
    code = command_line(
        [
            "analyze",
            str(watched.logs),
            "--compare",
            str(watched.baseline),
            "-o",
            "json",
            "--out",
            str(watched.baseline),
        ]
    )
    assert code == 0
    assert "comparison" in json.loads(watched.baseline.read_text())
    assert watched.compare()["changes"] == []


def test_a_principal_that_is_an_escape_sequence_is_harmless(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.save(call("e1"))
    hostile: Record = {"userIdentity": {"type": "IAMUser", "arn": "\x1b]0;x\x07|<b>\n# h", "accountId": ACCOUNT}}
    write_tree(watched.logs, {key(name="second", day=AFTER): [call("e2", AFTER, **GLOBAL, **hostile)]})
    arguments = ["analyze", str(watched.logs), "--compare", str(watched.baseline)]
    command_line(arguments)
    shown = capsys.readouterr().out
    command_line([*arguments, "--output", "markdown"])
    markdown = capsys.readouterr().out
    assert "\x1b" not in shown + markdown
    assert "\\x1b]0;x\\x07|<b>\\x0a# h" in shown
    assert "<b>" not in markdown


def test_the_sample_compared_with_its_first_week_tells_of_the_refusals(tmp_path: Path) -> None:
    store, baseline = tmp_path / "store", tmp_path / "baseline.json"
    command_line(["ingest", str(ROOT / "sample_logs"), "--store", str(store)])
    arguments = ["report", "--store", str(store), "--min-days", "7"]
    command_line([*arguments, "--until", "2026-10-08", "--out", str(baseline)])
    _, answer = run(*arguments, "--since", "2026-10-08", "--compare", baseline, out=tmp_path)
    found = [one for one in answer["comparison"]["changes"] if one["kind"] == "region_disabled"]
    assert places(found) == [("777788889999", "us-east-2", 0, 3)]


def test_the_callers_in_the_report_add_up_to_the_global_rows_of_usage(tmp_path: Path) -> None:
    _, answer = run("analyze", ROOT / "sample_logs", out=tmp_path)
    callers = [(one["account_id"], one["serving_region"], one["calls"]) for one in answer["global_callers"]]
    for row in answer["usage"]:
        if row["endpoint"] == "global":
            place = row["account_id"], row["serving_region"]
            assert sum(calls for *where, calls in callers if tuple(where) == place) == row["issuing_calls"]
    used = sum(row["issuing_calls"] for row in answer["usage"] if row["endpoint"] == "global")
    assert sum(calls for *_, calls in callers) == used == 77


# What is no baseline


@pytest.fixture
def saved(watched: Watched) -> Any:
    watched.save(call("e1"), call("e2", **GLOBAL))
    return json.loads(watched.baseline.read_text())


def refused(document: Any) -> str:
    with pytest.raises(UsageError) as caught:
        parse_baseline(json.dumps(document).encode(), "b.json")
    message = str(caught.value)
    assert message.startswith("b.json: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema_version",), 2, "schema_version is 2"),
        (("schema_version",), True, "schema_version is no count"),
        (("schema_version",), "1", "schema_version is no count"),
        (("tool",), [], "tool is no object"),
        (("window", "since"), "2026-10-01", "window.since is no time"),
        (("window", "since"), "2026-13-01T00:00:00Z", "window.since is no time"),
        (("window", "until"), "2026-09-01T00:00:00Z", "window.until is before"),
        (("verdicts",), {}, "verdicts is no list"),
        (("verdicts", 0), 5, "verdicts[0] is no object"),
        (("verdicts", 0, "verdict"), "maybe", "verdicts[0].verdict is none of"),
        (("verdicts", 0, "issuing_calls"), -1, "verdicts[0].issuing_calls is no count"),
        (("verdicts", 0, "issuing_calls"), 1.5, "verdicts[0].issuing_calls is no count"),
        (("verdicts", 0, "account_id"), 111122223333, "verdicts[0].account_id is no text"),
        (("verdicts", 0, "confidence"), "sure", "verdicts[0].confidence is none of"),
        (("verdicts", 0, "coverage"), None, "verdicts[0].coverage is no object"),
        (("global_callers", 0, "principal"), None, "global_callers[0].principal is no text"),
        (("question", "accounts"), [1], "question.accounts is no list of texts"),
    ],
)
def test_a_field_that_is_not_as_a_report_has_it_is_named(
    saved: Any, path: tuple[str | int, ...], value: object, message: str
) -> None:
    inner = saved
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert message in refused(saved)


@pytest.mark.parametrize("name", ["schema_version", "tool", "window", "verdicts"])
def test_a_field_that_is_missing_is_named(saved: Any, name: str) -> None:
    del saved[name]
    assert name in refused(saved)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfd", b"[" * 200_000, b"[]", b"null", b'"text"'])
def test_what_is_no_report_at_all_is_one_line(content: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        parse_baseline(content, "b.json")
    assert "save one with 'sts-regions report" in str(caught.value)


def test_a_file_that_is_no_baseline_ends_in_exit_code_2(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.save(call("e1"))
    watched.baseline.write_text('{"schema_version": 1, "usage": []}')
    capsys.readouterr()
    assert command_line(["analyze", str(watched.logs), "--compare", str(watched.baseline)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
