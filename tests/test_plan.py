"""The plan: its documents are right, safe, complete, and never deny what was in use."""

import csv
import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, run, service_identity, write_tree

from analyzer.catalogue import Catalogue, Toggle
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.plan import SCP_LIMIT

SAMPLE = Path(__file__).parents[1] / "sample_logs"
REAL_LOGS = Path(__file__).parents[2] / "shared" / "real_logs"
VENDOR = "999988887777"
_TEXT = pa.string()
_ATHENA = pa.schema(
    {
        **dict.fromkeys(
            (
                *("eventid", "eventtime", "eventsource", "eventname", "eventtype", "awsregion", "useragent"),
                *("recipientaccountid", "readonly", "errorcode", "errormessage", "sharedeventid", "eventcategory"),
                *("sourceipaddress", "vpcendpointid", "requestparameters", "responseelements"),
                "additionaleventdata",
            ),
            _TEXT,
        ),
        "useridentity": pa.struct(
            {
                **dict.fromkeys(("type", "principalid", "arn", "accountid", "invokedby"), _TEXT),
                "sessioncontext": pa.struct({"sessionissuer": pa.struct({"arn": _TEXT})}),
            }
        ),
        "resources": pa.list_(pa.struct({"arn": _TEXT, "accountid": _TEXT, "type": _TEXT})),
        "addendum": pa.struct({"originaleventid": _TEXT}),
        "tlsdetails": pa.struct({"clientprovidedhostheader": _TEXT}),
    }
)
FILES = {
    "runbook.md",
    "scp.json",
    "watch-rule.json",
    "queries.sql",
    "decisions.csv",
    "evidence/days.csv",
    "evidence/callers.csv",
    "evidence/other_activity.csv",
}


def quiet(region: str, account: str = ACCOUNT) -> dict[str, list[Record]]:
    """A log file of reads alone: the region is observed that day, and STS is not used."""
    look = record(
        f"{account} {region}",
        awsRegion=region,
        recipientAccountId=account,
        eventSource="ec2.amazonaws.com",
        eventName="DescribeInstances",
        requestParameters=None,
    )
    return {key(account=account, region=region): [look]}


def by(account: str) -> Record:
    """The userIdentity of a caller from another account, as the role owner's log shows it."""
    return {"type": "AWSAccount", "accountId": account, "principalId": "AIDAEXAMPLE"}


def planned(
    tmp_path: Path, files: Mapping[str, bytes | list[Record]], *options: str, account: str = ACCOUNT
) -> Path:
    """Plan from logs of one day; the folder of one account."""
    logs = write_tree(tmp_path / "logs", files)
    code = command_line(["plan", str(logs), "--min-days", "1", "--out", str(tmp_path / "plan"), *options])
    assert code is ExitCode.OK
    return tmp_path / "plan" / account


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def denied(folder: Path) -> list[str]:
    """Regions that the policy of an account denies."""
    if not (folder / "scp.json").exists():
        return []
    (statement,) = json.loads((folder / "scp.json").read_text())["Statement"]
    regions: list[str] = statement["Condition"]["StringEquals"]["aws:RequestedRegion"]
    return regions


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the sample logs and the plan made from it."""
    folder = tmp_path_factory.mktemp("sample")
    command_line(["ingest", str(SAMPLE), "--store", str(folder / "store")])
    command_line(["plan", "--store", str(folder / "store"), "--min-days", "14", "--out", str(folder / "plan")])
    return folder


def account_folders(sample: Path) -> list[Path]:
    return sorted(path for path in (sample / "plan").iterdir() if path.is_dir())


# What is written


def test_every_account_gets_every_file(sample: Path) -> None:
    folders = account_folders(sample)
    assert [folder.name for folder in folders] == ["111122223333", "444455556666", "777788889999"]
    assert [names(folder) for folder in folders] == [FILES] * 3


def test_what_is_planned_is_what_the_report_says_may_be_deactivated(sample: Path, tmp_path: Path) -> None:
    _, report = run("report", "--store", sample / "store", "--min-days", "14", out=tmp_path)
    ready = {(row["account_id"], row["region"]) for row in report["verdicts"] if row["verdict"] == "deactivate"}
    steps = {
        (row["account_id"], row["region"])
        for folder in account_folders(sample)
        for row in rows(folder / "decisions.csv")
        if row["step"]
    }
    assert steps == ready
    assert len(steps) == 20


def test_decisions_hold_every_verdict_and_room_for_a_signature(sample: Path, tmp_path: Path) -> None:
    _, report = run("report", "--store", sample / "store", "--min-days", "14", out=tmp_path)
    decided = {
        (row["account_id"], row["region"]): row
        for folder in account_folders(sample)
        for row in rows(folder / "decisions.csv")
    }
    assert len(decided) == len(report["verdicts"])
    for verdict in report["verdicts"]:
        row = decided[verdict["account_id"], verdict["region"]]
        assert (row["verdict"], row["reasons"]) == (verdict["verdict"], " ".join(verdict["reasons"]))
        assert (row["issuing_calls"], row["settled_by"]) == (
            str(verdict["issuing_calls"]),
            verdict["settled_by"] or "",
        )
        assert (row["approved_by"], row["approved_on"]) == ("", "")


def test_the_evidence_adds_up_with_the_decisions(sample: Path) -> None:
    for folder in account_folders(sample):
        for decision in rows(folder / "decisions.csv"):
            if decision["verdict"] == "fixed":
                continue
            place = decision["region"]
            days = [row for row in rows(folder / "evidence/days.csv") if row["region"] == place]
            callers = [
                row
                for row in rows(folder / "evidence/callers.csv")
                if row["account_id"] == folder.name and row["region"] == place
            ]
            writers = [row for row in rows(folder / "evidence/other_activity.csv") if row["region"] == place]
            assert len(days) == int(decision["coverage_days"])
            assert sum(row["coverage"] == "none" for row in days) == int(decision["coverage_none"])
            for column in ("issuing_calls", "failed_calls", "non_issuing_calls"):
                assert sum(int(row[column]) for row in days) == int(decision[column])
                assert sum(int(row[column]) for row in callers) == int(decision[column])
            assert sum(int(row["global_calls_served"]) for row in days) == int(decision["served_global_calls"])
            assert sum(int(row["writes"]) for row in writers) == int(decision["other_activity"])


def test_the_quietest_and_surest_region_comes_first(sample: Path) -> None:
    steps = {
        int(row["step"]): row["region"] for row in rows(sample / "plan/111122223333/decisions.csv") if row["step"]
    }
    regions = [steps[number] for number in sorted(steps)]
    assert regions[:2] == ["eu-north-1", "sa-east-1"]
    assert regions[-1] == "ap-southeast-2"


def test_regions_that_must_wait_are_listed_with_what_settles_them(sample: Path) -> None:
    book = (sample / "plan/444455556666/runbook.md").read_text()
    waiting = book.partition("## Not yet")[2].partition("## What stays")[0]
    assert "fetch 444455556666\\_CloudTrail\\_us-west-1" in waiting
    assert "| ap-south-1 | review | 2 calls of unknown operations | upgrade botocore" in waiting
    assert "us-west-1" not in book.partition("## Steps")[2].partition("## Watch")[0]


def test_foreign_callers_are_to_be_told(sample: Path) -> None:
    book = (sample / "plan/111122223333/runbook.md").read_text()
    people = book.partition("## Whom to tell")[2].partition("## Steps")[0]
    assert f"{VENDOR}, which are **foreign**" in people


def test_the_runbook_says_what_a_policy_does_not_bind_and_how_to_go_back(sample: Path) -> None:
    book = (sample / "plan/111122223333/runbook.md").read_text()
    for words in ("the management account", "service-linked roles", "outside the organization", "## Go back"):
        assert words in book


def test_an_account_with_nothing_to_deactivate_has_a_runbook_that_says_so_and_no_policy(tmp_path: Path) -> None:
    folder = planned(tmp_path, {key(): [record("a")]})
    assert names(folder) == FILES - {"scp.json"}
    assert "**There is nothing to deactivate.**" in (folder / "runbook.md").read_text()


def test_the_runbook_warns_when_no_spare_region_would_be_left(tmp_path: Path) -> None:
    regions = [r.code for r in Catalogue().partition_regions("aws") if r.toggle is Toggle.YES]
    files: dict[str, list[Record]] = {}
    for region in regions:
        files |= quiet(region)
    files[key(region="us-east-1")] = [record("a", awsRegion="us-east-1")]
    warning = "**No spare region would be left.**"
    assert warning in (planned(tmp_path, files) / "runbook.md").read_text()
    files.pop(key(region="eu-west-1"))
    shutil.rmtree(tmp_path / "logs")
    assert warning not in (planned(tmp_path, files) / "runbook.md").read_text()


def test_an_account_can_be_chosen_and_the_others_still_tell_who_is_foreign(tmp_path: Path) -> None:
    files = {key(): [record("a", userIdentity=by(OTHER_ACCOUNT))], **quiet("eu-west-2", OTHER_ACCOUNT)}
    folder = planned(tmp_path, files, "--account", ACCOUNT)
    assert {path.name for path in folder.parent.iterdir()} == {ACCOUNT, "plan.json"}
    assert "foreign" not in (folder / "runbook.md").read_text()


def test_the_answer_counts_what_was_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", {**quiet("eu-west-2"), **quiet("eu-west-3")})
    command_line(["plan", str(logs), "--min-days", "1", "--out", str(tmp_path / "plan"), "--output", "json"])
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert account["deactivate"] == account["denied_by_scp"] == ["eu-west-2", "eu-west-3"]


def test_evidence_that_is_cut_is_said_to_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("plan", "presentation.plan_files", "presentation.runbook"):
        monkeypatch.setattr(f"analyzer.{module}.EVIDENCE_ROWS", 2)
    folder = planned(tmp_path, quiet("eu-west-2"))
    assert len(rows(folder / "evidence/days.csv")) == 2
    assert "`evidence/days.csv` was cut after 2 rows" in (folder / "runbook.md").read_text()
    assert "`evidence/callers.csv` was cut" not in (folder / "runbook.md").read_text()


# The policy


def replayed(store: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """Every call of the window that obtained credentials."""
    columns = "event_name, endpoint, region, account_id, caller_account_id, recipient_account_id"
    _, found = run("query", f"SELECT {columns} FROM classify WHERE is_issuing", "--store", store, out=tmp_path)
    calls: list[dict[str, Any]] = found
    return calls


def denies(policy: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    """Whether a policy denies a call, as IAM evaluates it: every global call is requested in us-east-1."""
    region = call["region"] if call["endpoint"] == "regional" else "us-east-1"
    return any(
        statement["Effect"] == "Deny"
        and f"sts:{call['event_name']}" in statement["Action"]
        and region in statement["Condition"]["StringEquals"]["aws:RequestedRegion"]
        for statement in policy["Statement"]
    )


def check_replay(plan: Path, store: Path, tmp_path: Path) -> int:
    """No policy denies a call of the window: neither of its account's callers, nor for its account."""
    calls = replayed(store, tmp_path)
    policies = 0
    for path in plan.glob("*/scp.json"):
        policy, account = json.loads(path.read_text()), path.parent.name
        sides = ("account_id", "caller_account_id", "recipient_account_id")
        concerned = [call for call in calls if account in (call[side] for side in sides)]
        assert concerned
        assert [call for call in concerned if denies(policy, call)] == []
        policies += 1
    return policies


def test_no_call_of_the_sample_is_denied_by_its_policies(sample: Path, tmp_path: Path) -> None:
    assert check_replay(sample / "plan", sample / "store", tmp_path) == 3


@pytest.mark.skipif(not REAL_LOGS.is_dir(), reason="the real log files are not here")
def test_no_call_of_real_logs_is_denied_by_their_policies(tmp_path: Path) -> None:
    store, plan = tmp_path / "store", tmp_path / "plan"
    command_line(["ingest", str(REAL_LOGS), "--store", str(store)])
    command_line(["plan", "--store", str(store), "--min-days", "1", "--out", str(plan)])
    check_replay(plan, store, tmp_path)


def test_the_replay_would_notice_a_policy_that_denies_use(sample: Path, tmp_path: Path) -> None:
    policy = json.loads((sample / "plan/111122223333/scp.json").read_text())
    policy["Statement"][0]["Condition"]["StringEquals"]["aws:RequestedRegion"] = ["eu-west-1"]
    assert any(denies(policy, call) for call in replayed(sample / "store", tmp_path))


def test_the_policy_spares_regions_where_own_callers_ask_for_roles_of_others(sample: Path) -> None:
    # These are deactivated all the same: the credentials belong to other accounts.
    assert "ap-northeast-1" not in denied(sample / "plan/111122223333")
    assert "eu-west-2" not in denied(sample / "plan/444455556666")
    book = (sample / "plan/111122223333/runbook.md").read_text()
    assert "no: 2 calls from this account ask there for roles of other accounts" in book


def test_the_policy_spares_regions_where_own_callers_fail_to_get_roles_of_others(tmp_path: Path) -> None:
    role = {"roleArn": f"arn:aws:iam::{VENDOR}:role/app"}
    call = record("a", awsRegion="eu-west-2", requestParameters=role, errorCode="AccessDenied")
    folder = planned(tmp_path, {key(region="eu-west-2"): [call], **quiet("eu-west-3")})
    assert denied(folder) == ["eu-west-3"]


def test_a_record_that_names_no_caller_spares_the_region_of_the_account_that_logged_it(tmp_path: Path) -> None:
    role = {"roleArn": f"arn:aws:iam::{VENDOR}:role/app"}
    call = record("a", awsRegion="eu-west-2", requestParameters=role, userIdentity=None)
    folder = planned(tmp_path, {key(region="eu-west-2"): [call], **quiet("eu-west-3")})
    assert denied(folder) == ["eu-west-3"]


def test_the_policy_spares_regions_of_services_that_the_user_ignores(tmp_path: Path) -> None:
    call = record("a", awsRegion="eu-west-2", userIdentity=service_identity())
    files = {key(region="eu-west-2"): [call], **quiet("eu-west-3")}
    folder = planned(tmp_path, files, "--service-calls", "ignore")
    assert [row["region"] for row in rows(folder / "decisions.csv") if row["step"]] == ["eu-west-2", "eu-west-3"]
    assert denied(folder) == ["eu-west-3"]


def test_without_a_region_to_deny_there_is_no_policy(tmp_path: Path) -> None:
    call = record("a", awsRegion="eu-west-2", userIdentity=service_identity())
    folder = planned(tmp_path, {key(region="eu-west-2"): [call]}, "--service-calls", "ignore")
    assert not (folder / "scp.json").exists()
    assert "There is none" in (folder / "runbook.md").read_text()


def test_the_policy_denies_exactly_the_operations_that_issue_credentials(sample: Path) -> None:
    (statement,) = json.loads((sample / "plan/111122223333/scp.json").read_text())["Statement"]
    issuing = [f"sts:{op.name}" for op in Catalogue().operations if op.issues_credentials]
    assert (statement["Effect"], statement["Resource"], statement["Action"]) == ("Deny", "*", issuing)
    assert "sts:GetCallerIdentity" not in statement["Action"]


# parliament leaves its data files open, and finds them by a module that setuptools is going to drop.
@pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore:pkg_resources is deprecated:UserWarning"
)
def test_the_policies_pass_the_grammar_of_aws(sample: Path) -> None:
    from moto.iam.policy_validation import IAMPolicyDocumentValidator
    from parliament import analyze_policy_string

    for folder in account_folders(sample):
        text = (folder / "scp.json").read_text()
        IAMPolicyDocumentValidator(text).validate()
        policy = json.loads(text)
        # AWS has documented this action since 2025; parliament's list of actions is older.
        policy["Statement"][0]["Action"].remove("sts:GetDelegatedAccessToken")
        found = analyze_policy_string(json.dumps(policy))
        assert [str(finding) for finding in found.findings] == []


def test_a_policy_over_every_region_stays_within_the_limit(tmp_path: Path) -> None:
    files: dict[str, list[Record]] = {}
    for region in Catalogue().partition_regions("aws"):
        if region.toggle is Toggle.YES:
            files |= quiet(region.code)
    folder = planned(tmp_path, files)
    assert len(denied(folder)) == 16
    assert len((folder / "scp.json").read_text()) < SCP_LIMIT


# The watch


def events_of(*records: Record) -> Iterator[Any]:
    """Records as EventBridge hands them on."""
    for one in records:
        yield {"source": "aws.sts", "detail-type": "AWS API Call via CloudTrail", "detail": one}


def watched(folder: Path, *records: Record) -> list[bool]:
    """Which records the rule reports. moto matches like EventBridge, but for `wildcard`, which is put in here."""
    from moto.events.models import EventPattern

    pattern = json.loads((folder / "watch-rule.json").read_text())
    signs = pattern["detail"]["$or"]
    (message,) = (sign["errorMessage"][0]["wildcard"] for sign in signs if "errorMessage" in sign)
    pattern["detail"]["$or"] = [sign for sign in signs if "errorMessage" not in sign]
    without = {**pattern, "detail": {k: v for k, v in pattern["detail"].items() if k != "$or"}}
    by_rule, any_sts = EventPattern(None, pattern), EventPattern(None, without)
    return [
        by_rule.matches_event(event)
        or (any_sts.matches_event(event) and message.strip("*") in event["detail"].get("errorMessage", ""))
        for event in events_of(*records)
    ]


def test_the_rule_reports_calls_to_planned_regions_and_refused_ones_anywhere(tmp_path: Path) -> None:
    folder = planned(tmp_path, {**quiet("eu-west-2"), key(): [record("a")]})
    refused = "STS is not activated in this region for account:111122223333."
    assert watched(
        folder,
        record("used", awsRegion="eu-west-2"),
        record("failed", awsRegion="eu-west-2", errorCode="AccessDenied"),
        record("refused", errorCode="RegionDisabledException"),
        record("refused in words", errorCode="AccessDenied", errorMessage=refused),
        record("elsewhere"),
        record("failed elsewhere", errorCode="AccessDenied", errorMessage="not authorized"),
        record("harmless", awsRegion="eu-west-2", eventName="GetCallerIdentity"),
        record("other service", awsRegion="eu-west-2", eventSource="ec2.amazonaws.com"),
    ) == [True, True, True, True, False, False, False, False]


def test_the_rule_is_silent_on_what_the_sample_uses(sample: Path, tmp_path: Path) -> None:
    folder = sample / "plan/777788889999"
    query = "SELECT * FROM classify WHERE account_id = '777788889999' AND is_issuing"
    _, calls = run("query", query, "--store", sample / "store", out=tmp_path)
    used = [record(awsRegion=call["region"] or "us-east-1", eventName=call["event_name"]) for call in calls]
    assert used
    assert not any(watched(folder, *used))


def test_eventbridge_takes_the_pattern_and_the_state_of_the_runbook(sample: Path) -> None:
    import boto3
    from botocore.validate import validate_parameters

    folder = sample / "plan/111122223333"
    client = boto3.client("events", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("PutRule").input_shape
    state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    text = (folder / "watch-rule.json").read_text()
    validate_parameters({"Name": "n", "EventPattern": text, "State": state}, shape)
    assert len(text) <= shape.members["EventPattern"].metadata.get("max", 4096)
    assert state in shape.members["State"].metadata["enum"]
    assert f"--state {state}" in (folder / "runbook.md").read_text()


# The queries for Athena


def test_the_queries_are_two_statements_of_trino(sample: Path) -> None:
    import sqlglot

    for folder in account_folders(sample):
        statements = sqlglot.parse((folder / "queries.sql").read_text(), read="athena")
        assert [statement.key for statement in statements if statement] == ["select", "select"]


def test_the_queries_answer_as_the_report_does(sample: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("CREATE MACRO from_iso8601_timestamp(t) AS CAST(t AS TIMESTAMP)")
    connection.execute("CREATE MACRO json_extract_scalar(j, p) AS json_extract_string(j, p)")
    connection.execute("CREATE MACRO element_at(l, i) AS list_extract(l, i)")
    connection.register("cloudtrail_logs", _athena_table())
    for folder in account_folders(sample):
        text = (folder / "queries.sql").read_text().replace("r -> ", "lambda r: ")
        use = text.split(";\n")[0]
        table = connection.sql(use).to_arrow_table().to_pylist()
        counted = {row["region"]: (row["issuing_calls"], row["failed_calls"]) for row in table if row["region"]}
        expected = {
            row["region"]: (int(row["issuing_calls"]), int(row["failed_calls"]))
            for row in rows(folder / "decisions.csv")
            if row["verdict"] != "fixed"
            and any(row[c] != "0" for c in ("issuing_calls", "failed_calls", "non_issuing_calls"))
        }
        assert counted == expected


def _athena_table() -> pa.Table:
    """The sample's records as the table that AWS documents for Athena: in lower case, some columns as JSON."""
    found = []
    for path in sorted((SAMPLE / "AWSLogs").rglob("*_CloudTrail_*.json.gz")):
        try:
            records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
        except EOFError:
            continue
        found += [_athena_row(one) for one in records if isinstance(one, dict) and one.get("eventTime")]
    return pa.Table.from_pylist(found, schema=_ATHENA)


def _athena_row(one: Record) -> dict[str, Any]:
    row = {name.lower(): _lower(value) for name, value in one.items()}
    for name in ("requestParameters", "responseElements", "additionalEventData"):
        row[name.lower()] = json.dumps(one[name]) if one.get(name) is not None else None
    row["readonly"] = json.dumps(one.get("readOnly"))
    return {name: row.get(name) for name in _ATHENA.names}


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower(): _lower(inner) for name, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value


# The folder


def test_a_plan_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    files = {**quiet("eu-west-2"), key(): [record("a")]}
    folder = planned(tmp_path, files)
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    folder = planned(tmp_path, files)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_a_former_plan_is_replaced_and_nothing_of_it_stays(tmp_path: Path) -> None:
    assert denied(planned(tmp_path, quiet("eu-west-2"))) == ["eu-west-2"]
    shutil.rmtree(tmp_path / "logs")
    folder = planned(tmp_path, quiet("eu-west-2", OTHER_ACCOUNT), account=OTHER_ACCOUNT)
    assert {path.name for path in folder.parent.iterdir()} == {OTHER_ACCOUNT, "plan.json"}


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], out: Path | None = None) -> str:
    """The one line that says why nothing was planned."""
    logs = write_tree(tmp_path / "logs", quiet("eu-west-2"))
    capsys.readouterr()
    code = command_line(["plan", str(logs), "--min-days", "1", "--out", str(out or tmp_path / "plan")])
    assert code is ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "plan", {"notes.txt": b"mine"})
    assert "was not made by 'plan'" in refused(tmp_path, capsys)
    assert (tmp_path / "plan/notes.txt").read_bytes() == b"mine"


def test_a_plan_that_a_person_has_signed_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = planned(tmp_path, quiet("eu-west-2"))
    signed = (folder / "decisions.csv").read_text() + "ann,2026-10-20\n"
    (folder / "decisions.csv").write_text(signed)
    assert f"{ACCOUNT}/decisions.csv was added or changed" in refused(tmp_path, capsys)
    assert (folder / "decisions.csv").read_text() == signed


def test_a_plan_to_which_a_person_has_added_a_file_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = planned(tmp_path, quiet("eu-west-2"))
    (folder / "mail.txt").write_text("dear vendor")
    assert "mail.txt was added or changed" in refused(tmp_path, capsys)


def test_a_plan_with_a_link_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = planned(tmp_path, quiet("eu-west-2"))
    (folder / "more").symlink_to(tmp_path, target_is_directory=True)
    assert "more was added or changed" in refused(tmp_path, capsys)


@pytest.mark.parametrize("manifest", [b"{}", b"[]", b"nonsense", b'{"made_by": "sts-regions plan", "files": 1}'])
def test_a_manifest_that_is_none_protects_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: bytes
) -> None:
    write_tree(tmp_path / "plan", {"plan.json": manifest})
    assert "was not made by 'plan'" in refused(tmp_path, capsys)


def test_a_file_or_a_folder_nowhere_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "is no folder" in refused(tmp_path, capsys, tmp_path / "file")
    assert "does not exist" in refused(tmp_path, capsys, tmp_path / "no" / "where")


def test_the_current_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "is the current folder" in refused(tmp_path, capsys, Path("."))


def test_a_plan_that_cannot_be_written_leaves_the_former_one_and_no_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = planned(tmp_path, quiet("eu-west-2"))
    before = names(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    code = command_line(["plan", str(tmp_path / "logs"), "--min-days", "1", "--out", str(tmp_path / "plan")])
    assert code is ExitCode.FAILED
    assert names(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "plan"}


def test_out_and_a_known_account_are_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", quiet("eu-west-2"))
    assert command_line(["plan", str(logs)]) is ExitCode.USAGE
    arguments = ["plan", str(logs), "--out", str(tmp_path / "plan"), "--account", "123"]
    assert command_line(arguments) is ExitCode.USAGE
    assert "no account '123'" in capsys.readouterr().err
    assert not (tmp_path / "plan").exists()


# Hostile text


def test_an_account_id_from_a_log_that_is_none_makes_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = record("a", eventName="GetCallerIdentity", recipientAccountId="../../evil")
    logs = write_tree(tmp_path / "logs", {**quiet("eu-west-2"), "loose.json": [call]})
    command_line(["plan", str(logs), "--min-days", "1", "--out", str(tmp_path / "plan")])
    assert "Not planned: 1" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "plan").iterdir()} == {ACCOUNT, "plan.json"}


def test_hostile_text_in_logs_stays_text_in_every_file(tmp_path: Path) -> None:
    evil = "=1+1|\x1b[31m<script>\u202e`](http://evil.example)\n# x"
    identity = {"type": "AWSAccount", "accountId": VENDOR, "principalId": evil, "arn": evil}
    call = record("a", userIdentity=identity, requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{evil}"})
    region = record("b", awsRegion="eu-west-2'--", userIdentity=identity)
    write = record("c", eventSource="=evil()", eventName="x", readOnly=False, userIdentity=identity)
    folder = planned(tmp_path, {**quiet("eu-west-3"), key(): [call, region, write]})
    assert "script" in (folder / "runbook.md").read_text()
    for name in names(folder):
        text = (folder / name).read_text()
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "--'" not in text
        if name.endswith(".md"):
            assert "<script>" not in text
            assert "http://" not in text
            assert "\n# x" not in text
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert [cell for cell in cells if cell.startswith("=")] == []
        if name.endswith((".sql", ".json")):
            assert "evil" not in text
