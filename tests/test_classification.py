"""design: which endpoint did a call use, and on what evidence? One record per rule."""

from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, Record, key, record, run, service_identity, write_tree

V1, V2 = "FwoGZXIvYXdzFAKE-NOT-A-TOKEN", "IQoJb3JpZ2luX2VjFAKE-NOT-A-TOKEN"


def details(**fields: str) -> Record:
    return {"RequestDetails": fields}


def host(name: str) -> Record:
    return {"tlsDetails": {"clientProvidedHostHeader": name}}


def token(text: str) -> Record:
    return {"responseElements": {"credentials": {"sessionToken": text}}}


def classified(tmp_path: Path, **fields: Any) -> tuple[str, str | None, str | None, str]:
    """Endpoint, region, serving region and deciding evidence of one call."""
    logs = write_tree(tmp_path / "logs", {key(): [record(**fields)]})
    _, answer = run("analyze", logs, out=tmp_path)
    (row,) = answer["usage"]
    (evidence,) = [rule for rule, count in row["evidence"].items() if count]
    return row["endpoint"], row["region"], row["serving_region"], evidence


def test_endpoint_type_regional_decides_before_the_host(tmp_path: Path) -> None:
    found = classified(
        tmp_path, additionalEventData=details(endpointType="regional"), **host("sts.us-west-2.amazonaws.com")
    )
    assert found == ("regional", "eu-west-1", None, "endpoint_type")


def test_endpoint_type_global_names_the_region_that_served_it(tmp_path: Path) -> None:
    found = classified(
        tmp_path,
        awsRegion="us-east-1",
        additionalEventData=details(endpointType="global", awsServingRegion="eu-central-1"),
    )
    assert found == ("global", None, "eu-central-1", "endpoint_type")


def test_a_new_endpoint_type_leaves_the_decision_to_the_next_rule(tmp_path: Path) -> None:
    found = classified(
        tmp_path, additionalEventData=details(endpointType="zonal"), **host("sts.eu-west-1.amazonaws.com")
    )
    assert found == ("regional", "eu-west-1", None, "host")


def test_the_serving_region_of_a_regional_call_is_not_reported(tmp_path: Path) -> None:
    found = classified(
        tmp_path, additionalEventData=details(endpointType="regional", awsServingRegion="eu-west-1")
    )
    assert found == ("regional", "eu-west-1", None, "endpoint_type")


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("sts.us-west-2.amazonaws.com", "us-west-2"),
        ("sts-fips.us-west-2.amazonaws.com", "us-west-2"),
        ("sts.us-west-2.api.aws", "us-west-2"),
        ("sts-fips.us-west-2.api.aws", "us-west-2"),
        ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sts.cn-northwest-1.api.amazonwebservices.com.cn", "cn-northwest-1"),
        ("sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("vpce-0abc-x1.sts.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("vpce-0abc-x1-us-west-2a.sts.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("sts.xx-brandnew-9.amazonaws.com", "xx-brandnew-9"),
        ("STS.US-West-2.amazonaws.com", "us-west-2"),
        ("sts.us-west-2.amazonaws.com.", "us-west-2"),
        ("sts.us-west-2.amazonaws.com:443", "us-west-2"),
        ("sts.us-west-2.amazonaws.com.:443", "us-west-2"),
    ],
)
def test_a_regional_host_decides_against_aws_region(tmp_path: Path, name: str, region: str) -> None:
    assert classified(tmp_path, awsRegion="us-east-1", **host(name)) == ("regional", region, None, "host")


@pytest.mark.parametrize(
    ("name", "serving_region"),
    [("sts.amazonaws.com", None), ("sts-global.eu-west-3.amazonaws.com", "eu-west-3")],
)
def test_a_global_host_is_global(tmp_path: Path, name: str, serving_region: str | None) -> None:
    found = classified(tmp_path, awsRegion="us-east-1", **host(name))
    assert found == ("global", None, serving_region, "host")


@pytest.mark.parametrize(
    "name",
    [
        "sts.us-west-2.amazonaws.com.evil.example",
        "xsts.us-west-2.amazonaws.com",
        "sts.amazonaws.com.evil.example",
        "sts.us-west-2.amazonaws.com:8443",
        "sts.us-west-2.amazonaws.com.cn",
        "sts.us-west-2.vpce.amazonaws.com",
        "vpce-0abc.sts.us-west-2.amazonaws.com",
        "iam.amazonaws.com",
        "sts..amazonaws.com",
        "10.0.0.1",
    ],
)
def test_any_other_host_is_no_evidence(tmp_path: Path, name: str) -> None:
    assert classified(tmp_path, **host(name)) == ("regional", "eu-west-1", None, "aws_region")


def test_a_region_other_than_us_east_1_is_regional(tmp_path: Path) -> None:
    assert classified(tmp_path) == ("regional", "eu-west-1", None, "aws_region")


def test_aws_region_global_is_global(tmp_path: Path) -> None:
    assert classified(tmp_path, awsRegion="global") == ("global", None, None, "aws_region")


def test_a_version_1_token_in_us_east_1_is_global(tmp_path: Path) -> None:
    assert classified(tmp_path, awsRegion="us-east-1", **token(V1)) == ("global", None, None, "token")


def test_a_version_1_token_elsewhere_changes_nothing(tmp_path: Path) -> None:
    assert classified(tmp_path, **token(V1)) == ("regional", "eu-west-1", None, "aws_region")


@pytest.mark.parametrize("fields", [{}, token(V2)])
def test_us_east_1_without_evidence_is_never_guessed(tmp_path: Path, fields: Record) -> None:
    assert classified(tmp_path, awsRegion="us-east-1", **fields) == ("unknown", None, None, "none")


@pytest.mark.parametrize("region", [None, "mars", "EU-WEST-1", "eu-west-1a"])
def test_what_is_no_region_is_no_evidence(tmp_path: Path, region: str | None) -> None:
    assert classified(tmp_path, awsRegion=region) == ("unknown", None, None, "none")


def test_endpoint_type_regional_without_a_region_leaves_it_to_the_host(tmp_path: Path) -> None:
    found = classified(
        tmp_path,
        awsRegion=None,
        additionalEventData=details(endpointType="regional"),
        **host("sts.eu-west-3.amazonaws.com"),
    )
    assert found == ("regional", "eu-west-3", None, "host")


def test_a_service_call_in_us_east_1_is_unknown(tmp_path: Path) -> None:
    found = classified(tmp_path, awsRegion="us-east-1", userIdentity=service_identity())
    assert found == ("unknown", None, None, "none")


def test_account_owning_the_role_is_the_issuing_account(tmp_path: Path) -> None:
    logs = write_tree(
        tmp_path / "logs",
        {key(): [record(requestParameters={"roleArn": "arn:aws:iam::999988887777:role/vendor"})]},
    )
    _, answer = run("analyze", logs, out=tmp_path)
    assert [row["account_id"] for row in answer["usage"]] == ["999988887777"]
    assert {row["account_id"] for row in answer["verdicts"]} == {ACCOUNT}
