"""Which days the logs observe, and what follows for a verdict."""

from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, run, write_tree

DAYS = ("2026-10-01", "2026-10-02", "2026-10-03")
WINDOW = ("--since", "2026-10-01", "--until", "2026-10-04", "--min-days", "3")


def read(event_id: str, day: str, **fields: Any) -> dict[str, Any]:
    return record(
        event_id,
        eventTime=f"{day}T12:00:00Z",
        eventSource="ec2.amazonaws.com",
        eventName="DescribeInstances",
        requestParameters=None,
        **fields,
    )


def verdict(logs: Path, tmp_path: Path, *options: str, region: str = "eu-west-1") -> dict[str, Any]:
    _, answer = run("analyze", logs, *(options or WINDOW), out=tmp_path)
    (row,) = [r for r in answer["verdicts"] if (r["account_id"], r["region"]) == (ACCOUNT, region)]
    found: dict[str, Any] = row
    return found


def test_a_log_file_delivered_each_day_infers_every_day(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(day=day): [read(day, day)] for day in DAYS})
    row = verdict(logs, tmp_path)
    assert (row["verdict"], row["confidence"]) == ("deactivate", "inferred")
    assert row["coverage"] == {"days": 3, "proven": 0, "declared": 0, "inferred": 3, "none": 0}


def test_a_day_without_logs_is_a_hole(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(day=day): [read(day, day)] for day in DAYS[:2]})
    row = verdict(logs, tmp_path)
    assert (row["verdict"], row["reasons"], row["confidence"]) == ("cannot_tell", ["coverage_gap"], "none")
    assert row["coverage"]["none"] == 1


def test_an_event_infers_the_day_on_which_it_occurred(tmp_path: Path) -> None:
    late = {key(day="2026-10-04"): [read("late", "2026-10-03")]}
    files = {key(day=day): [read(day, day)] for day in DAYS[:2]}
    logs = write_tree(tmp_path / "logs", {**files, **late})
    assert verdict(logs, tmp_path)["coverage"]["none"] == 0


def test_a_log_file_without_records_still_infers_its_day(tmp_path: Path) -> None:
    files = {key(day=day): [read(day, day)] for day in DAYS[:2]}
    logs = write_tree(tmp_path / "logs", {**files, key(day=DAYS[2]): []})
    assert verdict(logs, tmp_path)["verdict"] == "deactivate"


def test_a_rejected_log_file_leaves_its_day_unread_whatever_else_is_there(tmp_path: Path) -> None:
    files: dict[str, Any] = {key(day=day): [read(day, day)] for day in DAYS}
    logs = write_tree(tmp_path / "logs", {**files, key(day=DAYS[1], name="b" * 16): b"\x1f\x8bnonsense"})
    row = verdict(logs, tmp_path)
    assert (row["verdict"], row["coverage"]["none"]) == ("cannot_tell", 1)


def test_the_name_of_a_file_alone_tells_its_day(tmp_path: Path) -> None:
    files = {key(day=day).rsplit("/", 1)[1]: [read(day, day)] for day in DAYS}
    assert verdict(write_tree(tmp_path / "logs", files), tmp_path)["coverage"]["inferred"] == 3


def test_logs_of_writes_alone_observe_no_day(tmp_path: Path) -> None:
    files = {key(day=day): [read(day, day, readOnly=False, errorCode="AccessDenied")] for day in DAYS}
    row = verdict(write_tree(tmp_path / "logs", files), tmp_path)
    assert (row["verdict"], row["reasons"]) == ("cannot_tell", ["coverage_gap", "write_only_logs"])
    assert row["coverage"]["none"] == 3


def test_one_read_shows_that_reads_are_logged(tmp_path: Path) -> None:
    files = {key(day=day): [read(day, day, readOnly=day == DAYS[0], errorCode="Denied")] for day in DAYS}
    assert verdict(write_tree(tmp_path / "logs", files), tmp_path)["verdict"] == "deactivate"


def test_the_default_window_spans_whole_days_of_the_kept_events(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(day=day): [read(day, day)] for day in DAYS})
    _, answer = run("analyze", logs, out=tmp_path)
    assert answer["window"] == {
        "since": "2026-10-01T00:00:00Z",
        "until": "2026-10-04T00:00:00Z",
        "days": 3,
        "min_days": 90,
    }


def test_an_account_with_a_trail_folder_and_no_records_has_verdicts(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [read("e", DAYS[0])], key(account=OTHER_ACCOUNT): []})
    _, answer = run("analyze", logs, out=tmp_path)
    assert {row["account_id"] for row in answer["verdicts"]} == {ACCOUNT, OTHER_ACCOUNT}


def test_a_recipient_that_nobody_names_has_no_verdicts(tmp_path: Path) -> None:
    nobody = record(recipientAccountId=None, userIdentity={"type": "AWSService"}, requestParameters=None)
    logs = write_tree(tmp_path / "logs", {"plain.json": [nobody]})
    _, answer = run("analyze", logs, out=tmp_path)
    assert ([row["account_id"] for row in answer["usage"]], answer["verdicts"]) == (["unknown"], [])


def test_a_region_that_botocore_does_not_know_passes_through_marked(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(region="xx-new-1"): [record(awsRegion="xx-new-1")]})
    row = verdict(logs, tmp_path, region="xx-new-1")
    assert (row["verdict"], row["toggle"]) == ("keep", "unknown")


@pytest.mark.parametrize(
    ("region", "partition", "endpoint"),
    [
        ("cn-northwest-1", "aws-cn", "sts.cn-northwest-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_regions_of_an_account_are_those_of_its_partition(
    tmp_path: Path, region: str, partition: str, endpoint: str
) -> None:
    logs = write_tree(tmp_path / "logs", {key(region=region): [record(awsRegion=region)]})
    _, answer = run("analyze", logs, out=tmp_path)
    assert {row["partition"] for row in answer["verdicts"]} == {partition}
    assert endpoint in {row["endpoint"] for row in answer["verdicts"]}


def test_a_region_that_serves_global_calls_is_to_be_reviewed(tmp_path: Path) -> None:
    call = record(
        awsRegion="us-east-1",
        additionalEventData={"RequestDetails": {"endpointType": "global", "awsServingRegion": "eu-west-3"}},
    )
    logs = write_tree(tmp_path / "logs", {key(region="us-east-1"): [call]})
    row = verdict(logs, tmp_path, region="eu-west-3")
    assert (row["verdict"], row["served_global_calls"]) == ("review", 1)


def test_only_successful_writes_by_somebody_count_as_other_activity(tmp_path: Path) -> None:
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    records = [
        read("read", DAYS[0]),
        read("failed", DAYS[0], readOnly=False, errorCode="AccessDenied"),
        read("service", DAYS[0], readOnly=False, userIdentity=service),
        read("write", DAYS[0], readOnly=False),
    ]
    row = verdict(write_tree(tmp_path / "logs", {key(): records}), tmp_path)
    assert (row["verdict"], row["other_activity"]) == ("review", 1)


def test_account_and_region_options_select_rows_and_not_evidence(tmp_path: Path) -> None:
    files = {key(): [record("a")], key(account=OTHER_ACCOUNT): [record("b", recipientAccountId=OTHER_ACCOUNT)]}
    logs = write_tree(tmp_path / "logs", files)
    _, answer = run("analyze", logs, "--account", ACCOUNT, "--region", "eu-west-1", out=tmp_path)
    (row,) = answer["verdicts"]
    assert (row["account_id"], row["region"], row["issuing_calls"]) == (ACCOUNT, "eu-west-1", 2)
