"""What a caller of the global STS endpoint has to change, so that it calls a regional one.

A pure function over what the calls show. Sources: AWS SDKs and Tools Reference Guide, "AWS STS Regional
endpoints"; IAM user guide, "AWS STS Regions and endpoints"; Amazon EKS user guide, "Configure the AWS Security
Token Service endpoint for a service account"; AWS whitepaper "AWS Fault Isolation Boundaries" on SAML sign-in.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from analyzer.catalogue import Catalogue
from analyzer.usage import Endpoint
from analyzer.user_agent import SIGN_IN, TERRAFORM, Client

VIRGINIA = "us-east-1"


class Fix(StrEnum):
    """What has to be changed."""

    NONE = "none"
    """The caller uses a regional endpoint."""
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    """The log does not tell the endpoint: find that out first."""
    AWS_DECIDES = "aws_decides"
    """An AWS service calls, and nobody else can set its endpoint."""
    USE_REGIONAL_SIGN_IN = "use_regional_sign_in"
    """People sign in to the console with SAML: the identity provider sends them to an address of AWS."""
    REMOVE_OVERRIDE = "remove_override"
    """The endpoint was set by hand, which is stronger than any other setting."""
    ANNOTATE_SERVICE_ACCOUNT = "annotate_service_account"
    """A pod of Amazon EKS: the service account's annotation sets the environment variable in it."""
    UPGRADE_TERRAFORM = "upgrade_terraform"
    """Terraform with version 1 of the SDK for Go, which is global unless told otherwise."""
    UPGRADE = "upgrade"
    """A later version of the same SDK is regional by default."""
    SET_REGIONAL = "set_regional"
    """No version of this SDK is regional by default, but a setting makes it so."""
    SET_REGION = "set_region"
    """The SDK is regional by default: the region is missing, or something asks for the global endpoint."""
    ASK_THE_PAGE = "ask_the_page"
    """A page in a browser calls: of the AWS console, or of the customer's own."""
    UNKNOWN = "unknown"
    """Which software calls, or what it does by default, is not known."""


_HELPED_BY_THE_VARIABLE = (Fix.UPGRADE, Fix.SET_REGIONAL)
_CLUSTER = re.compile(r"(?:arn:[^/]*:oidc-provider/)?oidc[.-]eks\.([^./]+)\.")

_TEXTS = {
    Fix.NONE: "Nothing to do: the caller uses a regional endpoint.",
    Fix.UNKNOWN_ENDPOINT: (
        "Find out the endpoint first: newer records name it in additionalEventData.RequestDetails or "
        "tlsDetails.clientProvidedHostHeader, and so does the caller's own configuration."
    ),
    Fix.AWS_DECIDES: "Nothing can be set: an AWS service makes these calls, and AWS decides on the endpoint.",
    Fix.USE_REGIONAL_SIGN_IN: (
        "Let the identity provider send people to https://{sign_in}.signin.aws.amazon.com/saml, and let the "
        "trust policies of the roles accept that address."
    ),
    Fix.REMOVE_OVERRIDE: (
        "Remove the endpoint that was set by hand (endpoint_url, or in code), so that {name} calls {goal}; "
        "AWS_STS_REGIONAL_ENDPOINTS does not help against it."
    ),
    Fix.ANNOTATE_SERVICE_ACCOUNT: (
        'Annotate the Kubernetes service account with eks.amazonaws.com/sts-regional-endpoints: "true" and '
        "create its pods anew, so that they call {goal}."
    ),
    Fix.UPGRADE_TERRAFORM: (
        "Upgrade the AWS provider (for the S3 backend: Terraform itself) to a release that calls STS with AWS SDK "
        "for Go 2, or run Terraform with AWS_STS_REGIONAL_ENDPOINTS=regional, so that it calls {goal}; sts_region "
        "only chooses the region."
    ),
    Fix.UPGRADE: (
        "Upgrade {name} to {version} or later, or set AWS_STS_REGIONAL_ENDPOINTS=regional, with a region "
        "configured, so that it calls {goal}."
    ),
    Fix.SET_REGIONAL: (
        "Set AWS_STS_REGIONAL_ENDPOINTS=regional with a region configured, so that {name} calls {goal}; the next "
        "major version does so by itself."
    ),
    Fix.SET_REGION: (
        "Set AWS_REGION to a region (not aws-global) and remove what asks for the global endpoint (endpoint_url, "
        "sts_regional_endpoints=legacy), so that {name}, regional by default, calls {goal}."
    ),
    Fix.ASK_THE_PAGE: (
        "Find out which page in a browser makes these calls: in the AWS console nothing can be set, in a page of "
        "your own the code has to call {goal}."
    ),
    Fix.UNKNOWN: (
        "Find out which software this is and make it call {goal}: most AWS SDKs need a region and "
        "AWS_STS_REGIONAL_ENDPOINTS=regional."
    ),
}


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """What the records of one caller show, its user agent apart."""

    operations: frozenset[str] = frozenset()
    principal: str = ""
    """As `queries/classify.sql` names it: for a role's session, the ARN of the role."""
    identity_type: str | None = None
    invoked_by: str | None = None
    identity_provider: str | None = None
    serving_region: str | None = None
    """Region whose servers answered the calls, if the log tells."""
    dns_suffix: str = "amazonaws.com"
    """End of the host names of the partition."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, as a code and as one sentence."""

    code: Fix
    text: str
    move_to: str | None = None
    """Host of the regional endpoint to call instead; None if there is nothing to move or no region to name."""


def advise(endpoint: Endpoint, client: Client, caller: CallerFacts) -> Advice:
    """What has to change so that a caller uses a regional endpoint; the first rule that matches decides."""
    fix = _fix(endpoint, client, caller)
    region = _region(caller)
    host = f"sts.{region}.{caller.dns_suffix}" if region and "{goal}" in _TEXTS[fix] else None
    return Advice(fix, _text(fix, client, region, host), host)


def _fix(endpoint: Endpoint, client: Client, caller: CallerFacts) -> Fix:
    if endpoint is Endpoint.REGIONAL:
        return Fix.NONE
    if endpoint is Endpoint.GLOBAL and _signs_in(client, caller):
        return Fix.USE_REGIONAL_SIGN_IN
    if _is_aws(client, caller):
        return Fix.AWS_DECIDES
    if endpoint is Endpoint.UNKNOWN:
        return Fix.UNKNOWN_ENDPOINT
    return _fix_of_software(client, caller)


def _fix_of_software(client: Client, caller: CallerFacts) -> Fix:
    if client.has_endpoint_override:
        return Fix.REMOVE_OVERRIDE
    unknown = Fix.ASK_THE_PAGE if client.is_browser else Fix.UNKNOWN
    fix = Fix(client.default.fix) if client.default else unknown
    if _cluster_region(caller) and (client.default is None or fix in _HELPED_BY_THE_VARIABLE):
        return Fix.ANNOTATE_SERVICE_ACCOUNT
    if client.tool == TERRAFORM and fix is Fix.SET_REGIONAL:
        return Fix.UPGRADE_TERRAFORM
    return fix


def _signs_in(client: Client, caller: CallerFacts) -> bool:
    return "AssumeRoleWithSAML" in caller.operations and (client.is_browser or caller.invoked_by == SIGN_IN)


def _is_aws(client: Client, caller: CallerFacts) -> bool:
    """Whether an AWS service calls; a service-linked role is one that no one else can assume."""
    return (
        caller.identity_type == "AWSService"
        or caller.invoked_by is not None
        or ":role/aws-service-role/" in caller.principal
        or client.is_aws_service
    )


def _cluster_region(caller: CallerFacts) -> str | None:
    """The region named by the OIDC issuer of an EKS cluster whose pod calls; None if it is none of EKS."""
    if caller.identity_type != "WebIdentityUser" or "AssumeRoleWithWebIdentity" not in caller.operations:
        return None
    match = _CLUSTER.match(caller.identity_provider or "")
    return match[1] if match else None


def _region(caller: CallerFacts) -> str | None:
    """The region to move to: the cluster's own, else the one that serves the calls.

    us-east-1 does not count as such: it also serves callers in opt-in regions and those who do not use
    Amazon's DNS servers (IAM user guide, "AWS STS Regions and endpoints").
    """
    serving = caller.serving_region if caller.serving_region != VIRGINIA else None
    named = (region for region in (_cluster_region(caller), serving) if region)
    return next((region for region in named if Catalogue.is_region_code(region) and region.isprintable()), None)


def _text(fix: Fix, client: Client, region: str | None, host: str | None) -> str:
    default = client.default
    gain = "" if region == VIRGINIA else f" (less latency, no dependence on {VIRGINIA})"
    return _TEXTS[fix].format(
        goal=f"{host}{gain}" if host else "the STS endpoint of the region the caller runs in",
        name=default.name if default else "this software",
        version=default.below_version if default else "",
        sign_in=region or "<region>",
    )
