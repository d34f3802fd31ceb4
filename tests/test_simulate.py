"""What would break: which calls of the window would have been refused, by whom, and what is left."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, run, service_identity, write_tree

from analyzer.cli import command_line
from analyzer.errors import ExitCode

SAMPLE = Path(__file__).parents[1] / "sample_logs"
REAL_LOGS = Path(__file__).parents[2] / "shared" / "real_logs"
VENDOR = "999988887777"
TOGGLEABLE = (
    "ap-northeast-1,ap-northeast-2,ap-northeast-3,ap-south-1,ap-southeast-1,ap-southeast-2,ca-central-1,"
    "eu-central-1,eu-north-1,eu-west-1,eu-west-2,eu-west-3,sa-east-1,us-east-2,us-west-1,us-west-2"
)


def by(account: str, principal: str = "AIDAEXAMPLE") -> Record:
    """The userIdentity of a caller from another account, as the role owner's log shows it."""
    return {"type": "AWSAccount", "accountId": account, "principalId": principal}


def global_call(event_id: str, serving_region: str | None, **fields: Any) -> Record:
    """A call to the global endpoint."""
    details = {"endpointType": "global", "awsServingRegion": serving_region}
    return record(
        event_id,
        awsRegion="us-east-1",
        additionalEventData={"RequestDetails": {name: text for name, text in details.items() if text}},
        **fields,
    )


def simulated(tmp_path: Path, *records: Record, regions: str = "eu-west-1", options: tuple[str, ...] = ()) -> Any:
    logs = write_tree(tmp_path / "logs", {key(): records})
    code, answer = run("simulate", logs, "--deactivate", regions, *options, out=tmp_path)
    assert code is ExitCode.OK
    return answer


def effects(answer: Any) -> list[tuple[str, str, int]]:
    return [(caller["effect"], caller["relation"], caller["calls"]) for caller in answer["callers"]]


def test_an_issuing_call_to_a_deactivated_region_would_have_been_refused(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a"), record("b", eventTime="2026-10-02T09:00:00Z"))
    (caller,) = answer["callers"]
    assert answer["refused_calls"] == 2
    assert (caller["principal"], caller["calls"], caller["days_active"], caller["busiest_day_calls"]) == (
        f"arn:aws:iam::{ACCOUNT}:user/ann",
        2,
        2,
        1,
    )
    assert (caller["calls_per_day"], caller["last"]) == (1.0, "2026-10-02T09:00:00Z")


def test_the_answer_begins_with_what_would_break(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record("a")]})
    command_line(["simulate", str(logs), "--deactivate", "eu-west-1"])
    assert capsys.readouterr().out.splitlines()[0] == (
        f"Deactivating STS in eu-west-1 for {ACCOUNT} would have refused 1 call by 1 caller in 1 day (1.0 a day), "
        "last 2026-10-01T12:00:00Z."
    )


def test_that_nothing_would_break_is_said_of_the_logs_only(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a"), regions="eu-west-2")
    assert answer["answer"] == (
        f"Deactivating STS in eu-west-2 for {ACCOUNT} would have refused no call that the logs show."
    )
    assert answer["warnings"] == [
        f"{ACCOUNT}: no logs of eu-west-2 on 1 of 1 days: what happened then is not known"
    ]


def test_calls_that_issue_nothing_are_not_refused(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a", eventName="GetCallerIdentity"))
    assert (answer["refused_calls"], answer["callers"]) == (0, [])


def test_failed_calls_are_listed_apart(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a", errorCode="AccessDenied"))
    assert (answer["refused_calls"], effects(answer)) == (0, [("failed_already", "own", 1)])


def test_calls_of_aws_services_are_refused_too(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a", userIdentity=service_identity()))
    assert (answer["refused_calls"], effects(answer)) == (1, [("refused", "aws_service", 1)])
    assert answer["places"][0]["service_calls"] == 1


def test_users_of_an_identity_provider_belong_to_no_account(tmp_path: Path) -> None:
    identity = {"type": "WebIdentityUser", "identityProvider": "accounts.example.com", "principalId": "p"}
    answer = simulated(tmp_path, record("a", eventName="AssumeRoleWithWebIdentity", userIdentity=identity))
    assert effects(answer) == [("refused", "no_account", 1)]


def test_a_caller_of_an_account_without_logs_is_foreign_and_comes_first(tmp_path: Path) -> None:
    own = [record(f"own{n}") for n in range(3)]
    answer = simulated(tmp_path, *own, record("vendor", userIdentity=by(VENDOR)))
    assert effects(answer) == [("refused", "foreign", 1), ("refused", "own", 3)]
    assert (answer["foreign_accounts"], answer["places"][0]["foreign_calls"]) == ([VENDOR], 1)
    assert f"1 of them by foreign accounts ({VENDOR})" in answer["answer"]


def test_the_table_says_that_a_foreign_callers_failures_are_not_logged_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record("vendor", userIdentity=by(VENDOR))]})
    command_line(["simulate", str(logs), "--deactivate", "eu-west-1"])
    printed = capsys.readouterr().out
    assert f"FOREIGN {VENDOR}" in printed
    assert "is not logged in the account that deactivated" in printed


def test_a_caller_of_another_account_in_the_logs_is_named_and_not_foreign(tmp_path: Path) -> None:
    call = record("a", userIdentity=by(OTHER_ACCOUNT))
    logs = write_tree(tmp_path / "logs", {key(): [call], key(account=OTHER_ACCOUNT): []})
    _, answer = run("simulate", logs, "--deactivate", "eu-west-1", "--account", ACCOUNT, out=tmp_path)
    assert (effects(answer), answer["foreign_accounts"]) == ([("refused", "your_other_account", 1)], [])


def test_the_account_that_deactivates_is_the_one_whose_credentials_are_issued(tmp_path: Path) -> None:
    call = record("a", requestParameters={"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"})
    logs = write_tree(tmp_path / "logs", {key(): [call], key(account=OTHER_ACCOUNT): []})
    refused = {}
    for account in (ACCOUNT, OTHER_ACCOUNT):
        _, answer = run("simulate", logs, "--deactivate", "eu-west-1", "--account", account, out=tmp_path)
        refused[account] = answer["refused_calls"]
    assert refused == {ACCOUNT: 0, OTHER_ACCOUNT: 1}


def test_global_callers_are_not_refused_but_break_after_migration(tmp_path: Path) -> None:
    answer = simulated(tmp_path, global_call("a", "eu-west-3"), regions="eu-west-3")
    assert (answer["refused_calls"], answer["calls_after_migration"]) == (0, 1)
    assert effects(answer) == [("refused_after_migration", "own", 1)]
    assert answer["answer"].endswith("1 global call served from there will break after migration.")


def test_migrate_global_counts_them_as_refused(tmp_path: Path) -> None:
    answer = simulated(tmp_path, global_call("a", "eu-west-3"), regions="eu-west-3", options=("--migrate-global",))
    assert (answer["refused_calls"], answer["callers"][0]["is_refused"]) == (1, True)
    assert answer["places"][0]["days"] == [{"day": "2026-10-01", "refused_calls": 1}]


def test_global_calls_without_a_serving_region_are_told_and_not_guessed(tmp_path: Path) -> None:
    answer = simulated(tmp_path, global_call("a", None), regions="eu-west-3", options=("--migrate-global",))
    assert (answer["refused_calls"], answer["unplaced_global_calls"]) == (0, 1)


def test_what_remains_is_told_and_what_is_spare(tmp_path: Path) -> None:
    answer = simulated(tmp_path, record("a"), record("b", awsRegion="af-south-1"), regions="eu-west-2,eu-west-3")
    (left,) = answer["remaining"]
    assert left["used"] == ["af-south-1", "eu-west-1"]
    assert {"eu-west-2", "eu-west-3", "ap-east-1"} & set(left["active"]) == set()
    assert "us-east-1" in left["spares"]


def test_a_region_that_refuses_calls_already_does_not_remain(tmp_path: Path) -> None:
    refused = record("a", errorCode="RegionDisabledException")
    answer = simulated(tmp_path, refused, regions="eu-west-2")
    assert "eu-west-1" not in answer["remaining"][0]["active"]


def test_a_missing_spare_is_a_warning(tmp_path: Path) -> None:
    answer = simulated(tmp_path, global_call("a", "us-east-1"), regions=TOGGLEABLE)
    assert answer["remaining"][0]["spares"] == []
    assert answer["warnings"][0].startswith(f"{ACCOUNT}: no spare region is left")


def test_migrated_callers_use_up_spare_regions(tmp_path: Path) -> None:
    call = global_call("a", "eu-west-3")
    before = simulated(tmp_path, call, regions="eu-west-1")
    after = simulated(tmp_path, call, regions="eu-west-1", options=("--migrate-global",))
    assert "eu-west-3" in before["remaining"][0]["spares"]
    assert "eu-west-3" in after["remaining"][0]["used"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--deactivate takes region codes"),
        (("--deactivate", ","), "--deactivate takes region codes"),
        (("--deactivate", "us-east-1"), "always active"),
        (("--deactivate", "eu-west-3,af-south-1"), "opt-in region"),
        (("--deactivate", "eu-west-9"), "no region 'eu-west-9' is known"),
        (("--deactivate", "cn-northwest-1"), "another partition"),
        (("--deactivate", "eu-west-1", "--account", "123"), "no account '123'"),
    ],
)
def test_what_cannot_be_simulated_is_a_usage_error_in_one_line(
    tmp_path: Path, options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record("a")]})
    assert command_line(["simulate", str(logs), *options]) is ExitCode.USAGE
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1
    assert says in lines[0]


def test_regions_may_be_given_in_one_or_in_several_options(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record("a")]})
    options = ("--deactivate", "eu-west-3, EU-WEST-1", "--deactivate", "sa-east-1")
    _, answer = run("simulate", logs, *options, out=tmp_path)
    assert answer["scenario"]["deactivate"] == ["eu-west-1", "eu-west-3", "sa-east-1"]


def test_hostile_text_in_a_principal_stays_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = {"type": "IAMUser", "accountId": ACCOUNT, "arn": "=1+1|\x1b[31m<b>\u202e"}
    logs = write_tree(tmp_path / "logs", {key(): [record("a", userIdentity=identity)]})
    for form in ("table", "csv", "markdown"):
        command_line(["simulate", str(logs), "--deactivate", "eu-west-1", "--output", form])
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert "\u202e" not in printed
        assert ",=1+1" not in printed
        assert form != "markdown" or "<b>" not in printed


@pytest.fixture(scope="module")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("sample") / "store"
    command_line(["ingest", str(SAMPLE), "--store", str(store)])
    return store


def check_against_usage(store: Path, tmp_path: Path) -> None:
    """Every figure of the simulation is one of the usage rows."""
    _, usage = run("usage", "--store", store, out=tmp_path)
    _, answer = run("simulate", "--store", store, "--deactivate", TOGGLEABLE, out=tmp_path)
    regions, accounts = set(TOGGLEABLE.split(",")), set(answer["scenario"]["accounts"])
    expected: Counter[tuple[str, str, str]] = Counter()
    for row in usage["usage"]:
        region = row["region"] or row["serving_region"]
        if row["account_id"] not in accounts or region not in regions:
            continue
        effect = "refused" if row["endpoint"] == "regional" else "refused_after_migration"
        expected[row["account_id"], region, effect] += row["issuing_calls"]
        if row["endpoint"] == "regional":
            expected[row["account_id"], region, "failed_already"] += row["failed_calls"]
    counted: Counter[tuple[str, str, str]] = Counter()
    for caller in answer["callers"]:
        counted[caller["account_id"], caller["region"], caller["effect"]] += caller["calls"]
    assert counted == +expected
    for place in answer["places"]:
        at = place["account_id"], place["region"]
        assert place["refused_calls"] == counted[*at, "refused"]
        assert place["refused_calls"] == sum(day["refused_calls"] for day in place["days"])
        assert place["calls_after_migration"] == counted[*at, "refused_after_migration"]


def test_the_figures_of_the_sample_add_up_with_its_usage(sample_store: Path, tmp_path: Path) -> None:
    check_against_usage(sample_store, tmp_path)


@pytest.mark.skipif(not REAL_LOGS.is_dir(), reason="the real log files are not here")
def test_the_figures_of_real_logs_add_up_with_their_usage(tmp_path: Path) -> None:
    command_line(["ingest", str(REAL_LOGS), "--store", str(tmp_path / "store")])
    check_against_usage(tmp_path / "store", tmp_path)


def test_what_the_sample_would_lose(sample_store: Path, tmp_path: Path) -> None:
    _, answer = run("simulate", "--store", sample_store, "--deactivate", TOGGLEABLE, out=tmp_path)
    assert (answer["refused_calls"], answer["calls_after_migration"]) == (110, 16)
    assert answer["foreign_accounts"] == [VENDOR]
    assert sum(place["service_calls"] for place in answer["places"]) == 33
    assert [left["spares"] for left in answer["remaining"]] == [[], [], []]


def test_no_region_that_may_be_deactivated_refuses_a_call_of_the_sample(
    sample_store: Path, tmp_path: Path
) -> None:
    _, report = run("report", "--store", sample_store, "--min-days", "14", out=tmp_path)
    for row in report["verdicts"]:
        if row["verdict"] == "deactivate":
            options = ("--deactivate", row["region"], "--account", row["account_id"], "--migrate-global")
            _, answer = run("simulate", "--store", sample_store, *options, out=tmp_path)
            assert (answer["refused_calls"], answer["callers"]) == (0, [])
