"""Who calls which endpoint: the same calls as in `usage`, told apart by caller and software."""

import csv
import io
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail import ACCOUNT, DAY, OTHER_ACCOUNT, Record, key, record, run, service_identity, write_tree

from analyzer.caller_report import CALLERS, CallerReport, Selection, build_caller_report
from analyzer.callers import EXAMPLES, CallerCount, Identity, gather_callers
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.presentation.callers_view import callers_answer
from analyzer.presentation.output import Format, render
from analyzer.report import Question
from analyzer.sources import LocalSource
from analyzer.usage import Endpoint
from analyzer.window import utc_text
from analyzer.workflow import Session

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_logs"
REAL_LOGS = ROOT.parent / "shared" / "real_logs"
BOTO3 = "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.0 os/linux#{} Botocore/1.31.57"
BOTO3_WITH_OVERRIDE = "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.1 os/linux#6.1.0 m/Z,N Botocore/1.31.57"
GO_1 = "aws-sdk-go/1.44.261 (go1.20.4; linux; amd64)"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
COUNTS = ("calls", "issuing_calls", "service_calls", "failed_calls", "non_issuing_calls")

Row = dict[str, Any]


def at_global(serving_region: str | None = None) -> Record:
    """The fields of a record of the global endpoint."""
    details = {"endpointType": "global", "awsServingRegion": serving_region}
    return {
        "awsRegion": "us-east-1",
        "additionalEventData": {"RequestDetails": {k: v for k, v in details.items() if v}},
    }


def session(role: str, **more: str) -> Record:
    """The userIdentity of a session of ACCOUNT's role."""
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}},
        **more,
    }


def callers(tmp_path: Path, *records: Any, options: tuple[str, ...] = ()) -> list[Row]:
    logs = write_tree(tmp_path / "logs", {key(): records})
    code, answer = run("callers", logs, *options, out=tmp_path)
    assert code == ExitCode.OK
    rows: list[Row] = answer["callers"]
    return rows


def one(tmp_path: Path, *records: Any) -> Row:
    (row,) = callers(tmp_path, *records)
    return row


def column(rows: list[Row], *names: str) -> list[Any]:
    return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in rows]


# The same figures as in every other command


def totals(rows: list[Row]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The sums of the counts by account, endpoint, region and serving region."""
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in rows:
        place = row["account_id"], row["endpoint"], row["region"], row["serving_region"]
        sums.setdefault(place, Counter()).update({name: row[name] for name in COUNTS})
    return {place: tuple(counts[name] for name in COUNTS) for place, counts in sums.items()}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SAMPLE, id="sample"),
        pytest.param(
            REAL_LOGS,
            id="real",
            marks=pytest.mark.skipif(not REAL_LOGS.is_dir(), reason="the real log files are not here"),
        ),
    ],
)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "store"
    command_line(["ingest", str(request.param), "--store", str(path)])
    return path


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--since", "2026-10-03", "--until", "2026-10-10"),
        ("--account", "111122223333"),
        ("--region", "eu-central-1", "--region", "us-west-2"),
    ],
)
def test_callers_add_up_to_usage(store: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    _, answer = run("callers", "--store", store, *options, out=tmp_path)
    _, usage = run("usage", "--store", store, *options, out=tmp_path)
    assert totals(answer["callers"]) == totals(usage["usage"])


def test_callers_add_up_to_the_report(store: Path, tmp_path: Path) -> None:
    _, answer = run("callers", "--store", store, out=tmp_path)
    _, report = run("report", "--store", store, out=tmp_path)
    principals: dict[tuple[Any, ...], set[str]] = {}
    for row in answer["callers"]:
        if row["issuing_calls"]:
            principals.setdefault((row["account_id"], row["region"]), set()).add(row["principal"])
    sums = totals(answer["callers"])
    for verdict in report["verdicts"]:
        account, region = verdict["account_id"], verdict["region"]
        counts = tuple(verdict.get(name, 0) for name in COUNTS[1:])
        assert sums.get((account, "regional", region, None), (0,) * len(COUNTS))[1:] == counts
        assert len(principals.get((account, region), ())) == verdict["principals"]


def test_calls_of_a_caller_are_issuing_failed_or_non_issuing(store: Path, tmp_path: Path) -> None:
    _, answer = run("callers", "--store", store, out=tmp_path)
    for row in answer["callers"]:
        assert row["calls"] == row["issuing_calls"] + row["failed_calls"] + row["non_issuing_calls"]


identities = st.builds(
    Identity,
    principal=st.sampled_from(["a", "b"]),
    account_id=st.just(ACCOUNT),
    endpoint=st.sampled_from(Endpoint),
    region=st.sampled_from([None, "eu-west-1"]),
    serving_region=st.none(),
    identity_type=st.none(),
    identity_provider=st.none(),
    invoked_by=st.sampled_from([None, "config.amazonaws.com"]),
)
number = st.integers(0, 1000)
moment = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))
counts_of_sql = st.builds(
    CallerCount,
    identity=identities,
    user_agent=st.none() | st.sampled_from([BOTO3.format(1), BOTO3.format(2), GO_1, "curl/8"]) | st.text(),
    calls=number,
    issuing_calls=number,
    service_calls=number,
    failed_calls=number,
    non_issuing_calls=number,
    first_seen=moment,
    last_seen=moment,
    days=st.lists(st.dates(date(2026, 1, 1), date(2026, 1, 9)), unique=True).map(tuple),
    operations=st.lists(st.sampled_from(["AssumeRole", "GetCallerIdentity"]), unique=True).map(tuple),
    roles=st.just(()),
    sources=st.lists(st.sampled_from(["192.0.2.1", "2001:db8::1", "AWS Internal"]), unique=True).map(tuple),
    vpc_endpoints=st.just(()),
)


@given(st.lists(counts_of_sql, unique_by=lambda row: (row.identity, row.user_agent)))
def test_every_call_is_in_exactly_one_caller(rows: list[CallerCount]) -> None:
    found = gather_callers(rows)
    for name in COUNTS:
        assert sum(getattr(caller, name) for caller in found) == sum(getattr(row, name) for row in rows)
    assert len({(caller.identity, caller.client) for caller in found}) == len(found)


@given(st.lists(counts_of_sql, unique_by=lambda row: (row.identity, row.user_agent)))
def test_the_order_of_the_rows_does_not_matter(rows: list[CallerCount]) -> None:
    assert gather_callers(reversed(rows)) == gather_callers(rows)


# What one caller is


def test_user_agents_that_tell_of_the_same_software_are_one_caller(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        record("e1", userAgent=BOTO3.format("5.15")),
        record("e2", userAgent=BOTO3.format("6.1")),
        record("e3", userAgent=BOTO3.format("6.1")),
    )
    assert (row["calls"], row["sdk"], row["sdk_version"]) == (3, "boto3", "1.28.57")
    assert (row["user_agents"], row["user_agent"]) == (2, BOTO3.format("6.1"))


def test_a_day_or_an_address_seen_with_two_user_agents_counts_once(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        record("e1", userAgent=BOTO3.format(1), sourceIPAddress="192.0.2.1"),
        record("e2", userAgent=BOTO3.format(2), sourceIPAddress="192.0.2.1"),
        record("e3", userAgent=BOTO3.format(2), sourceIPAddress="192.0.2.2", eventTime="2026-10-02T00:00:00Z"),
    )
    assert (row["days_active"], row["source_ips"]) == (2, 2)
    assert row["source_ip_examples"] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("agent", [BOTO3_WITH_OVERRIDE, BOTO3.replace("1.28.57", "1.28.58"), GO_1, None])
def test_another_version_sdk_or_endpoint_override_is_another_caller(agent: str | None, tmp_path: Path) -> None:
    rows = callers(tmp_path, record("e1", userAgent=BOTO3.format(1)), record("e2", userAgent=agent))
    assert column(rows, "calls") == [1, 1]


def test_an_aws_service_that_acts_for_a_role_is_a_caller_of_its_own(tmp_path: Path) -> None:
    rows = callers(
        tmp_path,
        record("e1", userIdentity=session("app")),
        record("e2", userIdentity=session("app", invokedBy="athena.amazonaws.com")),
    )
    assert sorted(column(rows, "service_calls", "services")) == [(0, []), (1, ["athena.amazonaws.com"])]


def test_a_cross_account_call_has_one_caller_for_the_role_owners_account(tmp_path: Path) -> None:
    role = {"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"}
    row = one(
        tmp_path,
        record("e1", sharedEventID="s1", requestParameters=role),
        record(
            "e2",
            sharedEventID="s1",
            recipientAccountId=OTHER_ACCOUNT,
            userIdentity={"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDAEXAMPLE"},
            requestParameters=role,
        ),
    )
    assert (row["principal"], row["account_id"], row["calls"]) == (ANN, OTHER_ACCOUNT, 1)


def test_operations_and_times_are_those_of_all_calls(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        record("e1", eventTime=f"{DAY}T02:00:00Z", eventName="GetCallerIdentity"),
        record("e2", eventTime=f"{DAY}T01:00:00Z", errorCode="AccessDenied"),
    )
    assert row["operations"] == ["AssumeRole", "GetCallerIdentity"]
    assert (row["first_seen"], row["last_seen"]) == (f"{DAY}T01:00:00Z", f"{DAY}T02:00:00Z")


def test_roles_are_counted_and_some_are_named(tmp_path: Path) -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/r{n:02}" for n in range(EXAMPLES + 1)]
    row = one(tmp_path, *(record(arn, requestParameters={"roleArn": arn}) for arn in roles))
    assert (row["roles"], row["role_examples"]) == (EXAMPLES + 1, roles[:EXAMPLES])


@pytest.mark.parametrize("agent", ["python-requests/2.32.3", "", None])
def test_software_that_nothing_tells_stays_unknown(agent: str | None, tmp_path: Path) -> None:
    row = one(tmp_path, record(userAgent=agent, **at_global("eu-central-1")))
    assert (row["sdk"], row["sdk_version"], row["global_by_default"]) == ("unknown", None, None)
    assert row["fix"] == "unknown"


def test_an_sdk_without_a_number_keeps_its_name(tmp_path: Path) -> None:
    row = one(tmp_path, record(userAgent="Boto3/odd", **at_global()))
    assert (row["sdk"], row["sdk_version"], row["fix"]) == ("boto3", None, "unknown")


# Where the calls come from


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"sourceIPAddress": "192.0.2.1"}, ([], [], ["192.0.2.1"])),
        ({"sourceIPAddress": "2001:db8::1"}, ([], [], ["2001:db8::1"])),
        ({"sourceIPAddress": "AWS Internal"}, ([], ["AWS Internal"], [])),
        (
            {"sourceIPAddress": "10.0.0.1", "vpcEndpointId": "vpce-0example"},
            (["vpce-0example"], [], ["10.0.0.1"]),
        ),
        ({"vpcEndpointId": "lambda.amazonaws.com"}, ([], ["lambda.amazonaws.com"], [])),
        (
            {"userIdentity": service_identity(), "sourceIPAddress": "config.amazonaws.com"},
            ([], ["config.amazonaws.com"], []),
        ),
        ({}, ([], [], [])),
    ],
)
def test_a_source_is_a_vpc_endpoint_a_service_or_an_address(
    fields: Record, source: tuple[list[str], ...], tmp_path: Path
) -> None:
    row = one(tmp_path, record(**fields))
    assert (row["vpc_endpoints"], row["services"], row["source_ip_examples"]) == source
    assert row["source_ips"] == len(source[2])


# What to change, and in which order


def test_a_caller_of_the_global_endpoint_is_told_where_to_move(tmp_path: Path) -> None:
    row = one(tmp_path, record(userAgent=BOTO3.format(1), **at_global("eu-central-1")))
    assert (row["endpoint"], row["region"], row["serving_region"]) == ("global", None, "eu-central-1")
    assert (row["fix"], row["move_to"]) == ("upgrade", "sts.eu-central-1.amazonaws.com")
    assert row["move_to"] in row["advice"]


@pytest.mark.parametrize("fields", [at_global(), {}, {"awsRegion": "us-east-1"}])
def test_without_a_serving_region_or_a_move_no_endpoint_is_named(fields: Record, tmp_path: Path) -> None:
    assert one(tmp_path, record(userAgent=BOTO3.format(1), **fields))["move_to"] is None


def test_a_pod_is_told_by_its_identity_provider(tmp_path: Path) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    identity = {"type": "WebIdentityUser", "identityProvider": provider}
    row = one(
        tmp_path,
        record(eventName="AssumeRoleWithWebIdentity", userIdentity=identity, userAgent=GO_1, **at_global()),
    )
    assert (row["fix"], row["move_to"]) == ("annotate_service_account", "sts.eu-west-1.amazonaws.com")


def test_callers_of_the_global_endpoint_come_first_those_who_obtain_most_credentials_before_others(
    tmp_path: Path,
) -> None:
    def calls(user: str, times: int, **fields: Any) -> list[Record]:
        identity = {"type": "IAMUser", "arn": user, "accountId": ACCOUNT}
        return [record(f"{user}{n}", userIdentity=identity, **fields) for n in range(times)]

    rows = callers(
        tmp_path,
        *calls("regional", 9),
        *calls("unknown", 5, awsRegion="us-east-1"),
        *calls("asks-only", 7, eventName="GetCallerIdentity", **at_global()),
        *calls("refused", 3, errorCode="AccessDenied", **at_global()),
        *calls("once", 1, **at_global()),
        *calls("twice", 2, **at_global()),
    )
    assert column(rows, "principal") == ["twice", "once", "refused", "asks-only", "unknown", "regional"]


# Filters


FILTERED = [
    record("e1", userIdentity=session("orders"), **at_global("eu-central-1")),
    record("e2", userIdentity=session("Orders"), awsRegion="us-east-1"),
    record("e3", userIdentity=session("billing"), awsRegion="eu-central-1"),
    record(
        "e4",
        userIdentity=session("billing"),
        requestParameters={"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"},
    ),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--endpoint", "global"), {"global orders"}),
        (("--endpoint", "unknown"), {"unknown Orders"}),
        (("--endpoint", "regional"), {"eu-central-1 billing", "eu-west-1 billing"}),
        (("--region", "eu-central-1"), {"global orders", "eu-central-1 billing"}),
        (("--account", OTHER_ACCOUNT), {"eu-west-1 billing"}),
        (("--principal", f"arn:aws:iam::{ACCOUNT}:role/orders"), {"global orders"}),
        (("--principal", "*/orders"), {"global orders"}),
        (("--principal", "*/?rders"), {"global orders", "unknown Orders"}),
        (("--principal", "orders"), set()),
        (("--principal", "*/orders", "--principal", "*/Orders"), {"global orders", "unknown Orders"}),
        (("--principal", "*/billing", "--region", "eu-west-1"), {"eu-west-1 billing"}),
    ],
)
def test_filters_leave_the_callers_that_are_asked_for(
    options: tuple[str, ...], expected: set[str], tmp_path: Path
) -> None:
    rows = callers(tmp_path, *FILTERED, options=options)
    shown = {f"{row['region'] or row['endpoint']} {row['principal'].rpartition('/')[2]}" for row in rows}
    assert shown == expected


def test_a_principal_that_looks_like_a_pattern_is_found_as_it_is() -> None:
    assert Selection(principals=("a[b]*",)).asks_about(Endpoint.GLOBAL, "a[b]*")


def test_an_unknown_kind_of_endpoint_is_refused(tmp_path: Path) -> None:
    code, _ = run("callers", SAMPLE, "--endpoint", "dual", out=tmp_path)
    assert code == ExitCode.USAGE


# Forms of the answer


def report_of(tmp_path: Path, *records: Any) -> CallerReport:
    logs = write_tree(tmp_path / "logs", {key(): records})
    with Session([LocalSource(str(logs), 1 << 20)]).opened() as (store, _):
        return build_caller_report(store, Question())


def test_arrow_and_json_say_the_same(tmp_path: Path) -> None:
    report = report_of(tmp_path, record(userAgent=BOTO3.format(1), sourceIPAddress="192.0.2.1"), *FILTERED[1:])
    table = report.to_arrow()
    assert table.schema == CALLERS
    rows = table.to_pylist()
    for row in rows:
        row |= {name: utc_text(row[name]) for name in ("first_seen", "last_seen")}
    assert rows == report.to_json()["callers"]


def test_without_callers_every_form_still_says_so(tmp_path: Path) -> None:
    report = report_of(tmp_path, record(eventSource="ec2.amazonaws.com", eventName="RunInstances"))
    assert report.to_arrow().schema == CALLERS
    assert report.to_json()["callers"] == []
    assert render(callers_answer(report), Format.TABLE).startswith("No caller was found.")


def test_csv_has_a_column_for_each_field_and_lists_are_joined(tmp_path: Path) -> None:
    both = (record("e1"), record("e2", eventName="GetCallerIdentity"))
    text = render(callers_answer(report_of(tmp_path, *both)), Format.CSV)
    head, row = csv.reader(io.StringIO(text))
    assert tuple(head) == tuple(CALLERS.names)
    assert row[head.index("operations")] == "AssumeRole GetCallerIdentity"


def test_a_long_user_agent_is_cut_on_a_terminal_and_whole_in_json(tmp_path: Path) -> None:
    agent = "example-client/1.0 " + "x" * 900
    report = report_of(tmp_path, record(userAgent=agent))
    assert report.to_json()["callers"][0]["user_agent"] == agent
    shown = render(callers_answer(report), Format.TABLE)
    assert "unknown: example-client/1" in shown
    assert max(map(len, shown.splitlines())) < 250


def test_a_terminal_shows_the_first_callers_and_all_of_them_when_asked(tmp_path: Path) -> None:
    records = [
        record(str(n), userIdentity={"type": "IAMUser", "arn": f"user-{n:02}", "accountId": ACCOUNT})
        for n in range(50)
    ]
    report = report_of(tmp_path, *records)
    folded = render(callers_answer(report), Format.TABLE)
    whole = render(callers_answer(report, show_all=True), Format.TABLE)
    assert (folded.count("user-"), whole.count("user-")) == (40, 50)
    assert "10 more callers, of less impact; --all shows every one." in folded


def test_the_same_advice_is_written_once_below_the_rows_that_name_it(tmp_path: Path) -> None:
    users = [{"type": "IAMUser", "arn": arn, "accountId": ACCOUNT} for arn in ("u1", "u2")]
    records = [record(u["arn"], userIdentity=u, userAgent=GO_1, **at_global("eu-west-3")) for u in users]
    shown = render(callers_answer(report_of(tmp_path, *records)), Format.TABLE)
    assert shown.count("set_regional (1)") == 2
    assert shown.count("(1) Set AWS_STS_REGIONAL_ENDPOINTS=regional") == 1


def test_an_answer_from_logs_of_which_some_were_rejected_says_so_by_its_exit_code(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record()], "broken.json": b"{"})
    code, answer = run("callers", logs, out=tmp_path)
    assert (code, len(answer["callers"])) == (ExitCode.INPUT_REJECTED, 1)


def test_callers_are_told_from_a_store_too(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record(userAgent=GO_1)]})
    assert command_line(["ingest", str(logs), "--store", str(tmp_path / "store")]) == ExitCode.OK
    code, answer = run("callers", "--store", tmp_path / "store", out=tmp_path)
    assert (code, column(answer["callers"], "sdk")) == (ExitCode.OK, ["aws-sdk-go-1"])


def test_a_caller_that_an_exception_accepts_stays_in_the_list_marked(tmp_path: Path) -> None:
    exceptions = tmp_path / "exceptions.toml"
    exceptions.write_text(
        "[[exception]]\n"
        f'account = "{ACCOUNT}"\nregion = "eu-west-1"\nprincipal = "*:user/ann"\n'
        'reason = "reviewed"\nexpires = 9998-01-01\n'
    )
    bob = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/bob", "accountId": ACCOUNT}
    found = callers(
        tmp_path, record("e1"), record("e2", userIdentity=bob), options=("--exceptions", str(exceptions))
    )
    marks = {row["principal"].rpartition("/")[2]: (row["excepted"], row["exception_reasons"]) for row in found}
    assert marks == {"ann": (True, ["reviewed"]), "bob": (False, [])}
