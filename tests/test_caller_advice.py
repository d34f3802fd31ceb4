"""What a caller is told to change: one test per rule, with user agents as they occur."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.caller_advice import Advice, CallerFacts, Fix, advise
from analyzer.usage import Endpoint
from analyzer.user_agent import parse_user_agent

BOTO3_OLD = "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.0 os/linux#5.15.0 Botocore/1.31.57"
BOTO3_NEW = "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.1.0 m/Z,b Botocore/1.40.12"
BOTO3_WITH_OVERRIDE = "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.1.0 m/Z,N,b Botocore/1.40.12"
GO_1 = "aws-sdk-go/1.44.261 (go1.20.4; linux; amd64)"
JAVA_2 = "aws-sdk-java/2.31.20 md/io#sync md/http#Apache ua/2.1 api/STS#2.31.x m/D,h"
TERRAFORM_4 = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/4.67.0 " + GO_1
)
TERRAFORM_5 = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.98.0 aws-sdk-go-v2/1.36.3 ua/2.1 m/E"
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

ROLE = CallerFacts(
    operations=frozenset({"AssumeRole"}),
    principal="arn:aws:iam::111122223333:role/orders",
    identity_type="AssumedRole",
    serving_region="eu-central-1",
)
POD = CallerFacts(
    operations=frozenset({"AssumeRoleWithWebIdentity"}),
    principal="arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B7",
    identity_type="WebIdentityUser",
    identity_provider=(
        "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B7"
    ),
    serving_region="eu-west-1",
)
SAML = CallerFacts(
    operations=frozenset({"AssumeRoleWithSAML"}),
    principal="arn:aws:iam::111122223333:saml-provider/example-idp",
    identity_type="SAMLUser",
    identity_provider="arn:aws:iam::111122223333:saml-provider/example-idp",
    serving_region="eu-central-1",
)


def advised(agent: str | None, caller: CallerFacts = ROLE, endpoint: Endpoint = Endpoint.GLOBAL) -> Advice:
    return advise(endpoint, parse_user_agent(agent), caller)


@pytest.mark.parametrize("agent", [BOTO3_OLD, BOTO3_WITH_OVERRIDE, TERRAFORM_4, None])
def test_a_regional_caller_has_nothing_to_do(agent: str | None) -> None:
    assert advised(agent, endpoint=Endpoint.REGIONAL).code is Fix.NONE


@pytest.mark.parametrize("agent", [BOTO3_OLD, BOTO3_WITH_OVERRIDE, BROWSER, None])
def test_an_unknown_endpoint_has_to_be_found_out_first(agent: str | None) -> None:
    assert advised(agent, endpoint=Endpoint.UNKNOWN).code is Fix.UNKNOWN_ENDPOINT


@pytest.mark.parametrize("agent", [BOTO3_WITH_OVERRIDE, TERRAFORM_5 + ",N", "example/1.0 ua/2.1 m/N"])
def test_an_endpoint_set_by_hand_has_to_go(agent: str) -> None:
    advice = advised(agent)
    assert advice.code is Fix.REMOVE_OVERRIDE
    assert "AWS_STS_REGIONAL_ENDPOINTS does not help" in advice.text


@pytest.mark.parametrize(
    ("agent", "version"),
    [
        (BOTO3_OLD, "boto3 to 1.40.0"),
        ("aws-cli/1.29.57 Python/3.11.5 botocore/1.31.57", "AWS CLI 1 to 1.42.0"),
        ("aws-sdk-php/3.300.1 OS/Linux", "AWS SDK for PHP to 3.351.12"),
        ("aws-sdk-dotnet-45/3.7.1.0 aws-sdk-dotnet-core/3.7.1.0", "to 3.7.500.0"),
        ("AWSPowerShell.Common/4.1.90.0 .NET_Core/6.0.5", "AWS Tools for PowerShell to 4.1.869"),
    ],
)
def test_an_old_version_is_to_be_upgraded_to_the_first_regional_one(agent: str, version: str) -> None:
    advice = advised(agent)
    assert advice.code is Fix.UPGRADE
    assert version in advice.text


@pytest.mark.parametrize(
    "agent", [GO_1, "aws-sdk-java/1.12.488 Linux/5.15.0", "aws-sdk-nodejs/2.1354.0 linux/v16"]
)
def test_an_sdk_that_is_always_global_gets_a_setting(agent: str) -> None:
    advice = advised(agent)
    assert advice.code is Fix.SET_REGIONAL
    assert "AWS_STS_REGIONAL_ENDPOINTS=regional" in advice.text


@pytest.mark.parametrize(
    "agent", [BOTO3_NEW, JAVA_2, TERRAFORM_5, "aws-cli/2.27.50 ua/2.1 m/G,E", "aws-sdk-js/3.632.0"]
)
def test_an_sdk_that_is_regional_by_default_lacks_a_region_or_was_told_to_be_global(agent: str) -> None:
    assert advised(agent).code is Fix.SET_REGION


def test_terraform_with_version_1_of_the_go_sdk_is_to_be_upgraded() -> None:
    assert advised(TERRAFORM_4).code is Fix.UPGRADE_TERRAFORM


@pytest.mark.parametrize("agent", [BOTO3_OLD, GO_1, "example/1.0", None])
def test_a_pod_whose_sdk_heeds_the_variable_gets_an_annotation(agent: str | None) -> None:
    advice = advised(agent, POD)
    assert advice.code is Fix.ANNOTATE_SERVICE_ACCOUNT
    assert 'eks.amazonaws.com/sts-regional-endpoints: "true"' in advice.text


def test_an_annotation_does_not_help_a_pod_whose_sdk_is_regional_by_default() -> None:
    assert advised(JAVA_2, POD).code is Fix.SET_REGION


def test_an_annotation_does_not_help_a_pod_with_an_endpoint_set_by_hand() -> None:
    assert advised(BOTO3_WITH_OVERRIDE, POD).code is Fix.REMOVE_OVERRIDE


@pytest.mark.parametrize(
    "provider",
    [
        None,
        "accounts.google.com",
        "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
        "arn:aws:iam::111122223333:oidc-provider/example.com/oidc.eks.eu-west-1.amazonaws.com",
    ],
)
def test_web_identities_of_other_providers_are_no_pods(provider: str | None) -> None:
    assert advised(BOTO3_OLD, replace(POD, identity_provider=provider)).code is Fix.UPGRADE


@pytest.mark.parametrize(
    "host", ["oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE", "oidc-eks.eu-west-1.api.aws/id/EXAMPLE"]
)
def test_a_pod_is_to_call_the_region_of_its_cluster(host: str) -> None:
    provider = f"arn:aws:iam::111122223333:oidc-provider/{host}"
    caller = replace(POD, identity_provider=provider, serving_region="us-east-1")
    assert "sts.eu-west-1.amazonaws.com" in advised(BOTO3_OLD, caller).text


def test_a_pod_in_virginia_does_not_become_independent_of_virginia() -> None:
    provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
    text = advised(BOTO3_OLD, replace(POD, identity_provider=provider)).text
    assert text.endswith("so that they call sts.us-east-1.amazonaws.com.")


@pytest.mark.parametrize(
    ("agent", "caller"),
    [
        ("config.amazonaws.com", CallerFacts(identity_type="AWSService", invoked_by="config.amazonaws.com")),
        (BOTO3_OLD, replace(ROLE, invoked_by="cloudformation.amazonaws.com")),
        (BOTO3_OLD, replace(ROLE, principal="arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/X")),
        ("aws-internal/3 aws-sdk-java/1.12.451 Linux/5.4", ROLE),
        ("aws-sdk-java/2.46.14 md/internal ua/2.1 api/STS#2.46.x m/E,N,AJ", SAML),
        ("ssm.amazonaws.com", ROLE),
    ],
)
@pytest.mark.parametrize("endpoint", [Endpoint.GLOBAL, Endpoint.UNKNOWN])
def test_of_a_call_that_an_aws_service_makes_aws_decides(
    agent: str, caller: CallerFacts, endpoint: Endpoint
) -> None:
    assert advised(agent, caller, endpoint).code is Fix.AWS_DECIDES


@pytest.mark.parametrize(
    ("agent", "caller"),
    [
        (BROWSER, SAML),
        ("signin.amazonaws.com", SAML),
        ("AWS Internal", replace(SAML, invoked_by="signin.amazonaws.com")),
    ],
)
def test_people_who_sign_in_with_saml_get_a_regional_address(agent: str, caller: CallerFacts) -> None:
    advice = advised(agent, caller)
    assert advice.code is Fix.USE_REGIONAL_SIGN_IN
    assert "https://eu-central-1.signin.aws.amazon.com/saml" in advice.text


def test_a_sign_in_served_by_virginia_leaves_the_region_open() -> None:
    text = advised(BROWSER, replace(SAML, serving_region="us-east-1")).text
    assert "https://<region>.signin.aws.amazon.com/saml" in text


def test_a_program_that_signs_in_with_saml_is_advised_like_any_program() -> None:
    assert advised(BOTO3_OLD, SAML).code is Fix.UPGRADE


@pytest.mark.parametrize("agent", [BROWSER, "console.amazonaws.com"])
def test_of_other_calls_from_a_browser_the_page_decides(agent: str) -> None:
    assert advised(agent).code is Fix.ASK_THE_PAGE


@pytest.mark.parametrize("agent", ["python-requests/2.32.3", "aws-sdk-cpp/1.11.352", "Boto3/odd", "", None])
def test_unknown_software_gets_a_general_answer(agent: str | None) -> None:
    assert advised(agent).code is Fix.UNKNOWN


def test_the_region_that_serves_the_calls_is_the_one_to_move_to() -> None:
    assert "sts.eu-central-1.amazonaws.com (less latency, no dependence on us-east-1)" in advised(BOTO3_OLD).text


@pytest.mark.parametrize("region", [None, "", "us-east-1", "not a region", "eu-west-1\n", "{name}"])
def test_without_a_region_that_tells_where_the_caller_runs_the_text_says_so(region: str | None) -> None:
    text = advised(BOTO3_OLD, replace(ROLE, serving_region=region)).text
    assert "calls the STS endpoint of the region the caller runs in" in text


def test_the_host_ends_as_the_partition_does() -> None:
    caller = replace(ROLE, serving_region="xx-new-1", dns_suffix="amazonaws.example")
    assert "sts.xx-new-1.amazonaws.example" in advised(GO_1, caller).text


@pytest.mark.parametrize("endpoint", list(Endpoint))
@given(
    agent=st.none() | st.text(),
    principal=st.text(),
    identity_type=st.none() | st.sampled_from(["AssumedRole", "WebIdentityUser", "SAMLUser", "AWSService"]),
    provider=st.none() | st.text() | st.text().map("oidc.eks.{}.".format),
    region=st.none() | st.text(),
)
def test_any_caller_gets_one_plain_sentence(
    endpoint: Endpoint,
    agent: str | None,
    principal: str,
    identity_type: str | None,
    provider: str | None,
    region: str | None,
) -> None:
    operations = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
    caller = CallerFacts(operations, principal, identity_type, None, provider, region)
    text = advised(agent, caller, endpoint).text
    assert text.isascii()
    assert text.isprintable()
    assert text.endswith(".")
