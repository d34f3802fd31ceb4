"""What the numbers of the JSON contract mean: calls, copies, accounts, principals."""

from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, Record, key, record, run, service_identity, write_tree

ROLE = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/app"}


def usage(tmp_path: Path, *records: Any, **options: str) -> list[dict[str, Any]]:
    logs = write_tree(tmp_path / "logs", {key(): records})
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    _, answer = run("analyze", logs, *arguments, out=tmp_path)
    rows: list[dict[str, Any]] = answer["usage"]
    return rows


def one(tmp_path: Path, *records: Any) -> dict[str, Any]:
    (row,) = usage(tmp_path, *records)
    return row


def pair(caller: Record | None = None, owner: Record | None = None) -> list[Record]:
    """A cross-account call as the two accounts log it."""
    return [
        record(
            "caller",
            sharedEventID="s1",
            recipientAccountId=ACCOUNT,
            requestParameters={"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"},
            **(caller or {}),
        ),
        record(
            "owner",
            sharedEventID="s1",
            recipientAccountId=OTHER_ACCOUNT,
            userIdentity={"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDAEXAMPLE"},
            requestParameters={"roleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"},
            **(owner or {}),
        ),
    ]


def test_a_cross_account_call_is_logged_twice_and_counts_once_for_the_role_owner(tmp_path: Path) -> None:
    row = one(tmp_path, *pair())
    assert (row["account_id"], row["calls"], row["principals"]) == (OTHER_ACCOUNT, 1, 1)


def test_the_owners_copy_alone_still_counts(tmp_path: Path) -> None:
    row = one(tmp_path, pair()[1])
    assert (row["account_id"], row["issuing_calls"]) == (OTHER_ACCOUNT, 1)


def test_what_the_callers_copy_lacks_is_filled_from_the_owners(tmp_path: Path) -> None:
    copies = pair(owner={"additionalEventData": {"RequestDetails": {"endpointType": "regional"}}})
    assert one(tmp_path, *copies)["evidence"]["endpoint_type"] == 1


def test_the_callers_copy_comes_first_whatever_the_order_of_ids(tmp_path: Path) -> None:
    copies = pair(caller={"errorCode": "AccessDenied"}, owner={"errorCode": None})
    assert one(tmp_path, *reversed(copies))["failed_calls"] == 1


def test_an_addendum_is_no_additional_call(tmp_path: Path) -> None:
    correction = record("e2", addendum={"reason": "UPDATED_DATA", "originalEventID": "e1"})
    assert one(tmp_path, record("e1"), correction)["calls"] == 1


def test_a_redelivered_event_counts_once(tmp_path: Path) -> None:
    assert one(tmp_path, record("e1"), record("e1"))["calls"] == 1


def test_calls_are_issuing_failed_or_non_issuing(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        record("e1"),
        record("e2", errorCode="AccessDenied"),
        record("e3", eventName="GetCallerIdentity"),
        record("e4", eventName="GetCallerIdentity", errorCode="AccessDenied"),
    )
    counts = row["calls"], row["issuing_calls"], row["failed_calls"], row["non_issuing_calls"]
    assert counts == (4, 1, 1, 2)


def test_an_operation_unknown_to_botocore_is_counted_in_the_open(tmp_path: Path) -> None:
    row = one(tmp_path, record(eventName="AssumeRoleWithMagic"))
    assert (row["non_issuing_calls"], row["unknown_operations"], row["issuing_calls"]) == (1, 1, 0)


@pytest.mark.parametrize(
    "identity",
    [
        service_identity(),
        {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/a/b", "invokedBy": "athena.amazonaws.com"},
    ],
)
def test_a_call_made_by_a_service_is_a_service_call(tmp_path: Path, identity: Record) -> None:
    row = one(tmp_path, record(userIdentity=identity))
    assert (row["issuing_calls"], row["service_calls"], row["service_linked_calls"]) == (1, 1, 0)


def test_a_service_linked_role_is_told_by_its_path(tmp_path: Path) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    row = one(tmp_path, record(userIdentity=service_identity(), requestParameters={"roleArn": role}))
    assert row["service_linked_calls"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"errorCode": "RegionDisabledException"},
        {"errorCode": "AccessDenied", "errorMessage": "STS is not activated in this region for account:1"},
    ],
)
def test_a_disabled_region_is_told_by_code_or_message(tmp_path: Path, fields: Record) -> None:
    row = one(tmp_path, record(**fields))
    assert (row["failed_calls"], row["region_disabled_errors"]) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "account"),
    [
        ({"requestParameters": {"roleArn": "arn:aws:iam::123456789012:role/a"}}, "123456789012"),
        (
            {
                "requestParameters": None,
                "resources": [{"type": "AWS::IAM::Role", "accountId": "123456789012", "ARN": "x"}],
            },
            "123456789012",
        ),
        (
            {
                "requestParameters": None,
                "responseElements": {"assumedRoleUser": {"arn": "arn:aws:sts::123456789012:assumed-role/a/b"}},
            },
            "123456789012",
        ),
        ({"requestParameters": None}, ACCOUNT),
        ({"requestParameters": {"roleArn": "nonsense"}}, ACCOUNT),
        ({"eventName": "AssumeRoot", "requestParameters": {"targetPrincipal": "123456789012"}}, "123456789012"),
        (
            {
                "eventName": "AssumeRoot",
                "requestParameters": {"targetPrincipal": "arn:aws:iam::123456789012:root"},
            },
            "123456789012",
        ),
        (
            {
                "eventName": "GetSessionToken",
                "userIdentity": {"type": "IAMUser", "accountId": "123456789012"},
            },
            "123456789012",
        ),
        ({"eventName": "GetFederationToken", "userIdentity": {"type": "IAMUser"}}, ACCOUNT),
        (
            {
                "eventName": "GetDelegatedAccessToken",
                "responseElements": {"assumedPrincipal": "arn:aws:iam::123456789012:role/a"},
            },
            "123456789012",
        ),
        (
            {
                "eventName": "AssumeRoleWithWebIdentity",
                "userIdentity": {"type": "WebIdentityUser"},
                "requestParameters": {"roleArn": "arn:aws:iam::123456789012:role/a"},
            },
            "123456789012",
        ),
    ],
)
def test_the_account_that_counts_is_the_one_whose_credentials_are_issued(
    tmp_path: Path, fields: Record, account: str
) -> None:
    assert one(tmp_path, record(**fields))["account_id"] == account


def test_an_operation_that_issues_nothing_counts_for_the_recipient(tmp_path: Path) -> None:
    row = one(tmp_path, record(eventName="GetCallerIdentity", recipientAccountId=OTHER_ACCOUNT))
    assert row["account_id"] == OTHER_ACCOUNT


def test_sessions_of_one_role_are_one_principal(tmp_path: Path) -> None:
    def session(name: str) -> Record:
        return {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{name}",
            "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/app"}},
        }

    row = one(tmp_path, record("e1", userIdentity=session("a")), record("e2", userIdentity=session("b")))
    assert row["principals"] == 1


def test_first_and_last_use_are_those_of_issuing_calls(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        record("e1", eventTime="2026-10-01T01:00:00Z", errorCode="AccessDenied"),
        record("e2", eventTime="2026-10-01T02:00:00Z"),
        record("e3", eventTime="2026-10-01T03:00:00Z"),
        record("e4", eventTime="2026-10-01T04:00:00Z", eventName="GetCallerIdentity"),
    )
    assert (row["first_used"], row["last_used"]) == ("2026-10-01T02:00:00Z", "2026-10-01T03:00:00Z")


def test_the_window_is_cut_at_midnight_and_its_end_is_excluded(tmp_path: Path) -> None:
    rows = usage(
        tmp_path,
        record("e1", eventTime="2026-09-30T23:59:59Z"),
        record("e2", eventTime="2026-10-01T00:00:00Z"),
        record("e3", eventTime="2026-10-02T00:00:00Z"),
        since="2026-10-01",
        until="2026-10-02",
    )
    assert [row["calls"] for row in rows] == [1]


def test_usage_by_day_adds_up_to_usage(tmp_path: Path) -> None:
    logs = write_tree(
        tmp_path / "logs",
        {key(): [record("e1"), record("e2"), record("e3", eventTime="2026-10-02T00:00:00Z")]},
    )
    _, answer = run("usage", logs, "--by", "day", out=tmp_path)
    assert [(row["day"], row["calls"]) for row in answer["usage"]] == [("2026-10-01", 2), ("2026-10-02", 1)]


def test_usage_by_month_names_the_month(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record("e1")]})
    _, answer = run("usage", logs, "--by", "month", out=tmp_path)
    assert [(row["month"], row["calls"]) for row in answer["usage"]] == [("2026-10", 1)]
