"""Write the CloudTrail logs of a fictional organization under `sample_logs/AWSLogs`, and a trail's description.

The logs cover 2026-10-01 to 2026-10-14 (UTC). Each function in `STORIES` tells one story of the README.
Some of the organization's digest files lie beside its log files; `sample_logs/trail` describes another trail.
The seed, the dates and the gzip settings are fixed, so every run writes the same bytes. Accounts, people,
keys and tokens are invented; addresses come from the ranges that RFC 5737 reserves for documentation.

    python sample_logs/generate.py
"""

import gzip
import hashlib
import io
import json
import random
import shutil
import string
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

Record: TypeAlias = dict[str, object]
FileKey: TypeAlias = tuple[str, str, datetime]  # account, region, time of delivery
Place: TypeAlias = tuple[str, str]  # account, region

SEED = 20261001
DAYS = range(1, 15)
HOURS = [datetime(2026, 10, day, hour, tzinfo=UTC) for day in DAYS for hour in range(24)]
WINDOW = timedelta(minutes=10)  # a region's records of one day lie this close together: one file holds them
DELIVERY = timedelta(minutes=15)

ORGANIZATION = "o-exampleorg1"
PRODUCTION = "111122223333"
DATA = "444455556666"
SANDBOX = "777788889999"
VENDOR = "999988887777"
BUCKET = "example-cloudtrail-logs"
TRAIL, HOME_REGION = "shop-org-trail", "eu-west-1"  # of the organization's trail
FAKE_FINGERPRINT = "fa4e" * 8
FAKE_SIGNATURE = "fa4e" * 4  # a real one takes a private key

EVENT_VERSIONS = ("1.08", "1.09", "1.10", "1.11")
TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}
TOKEN_VERSION_1 = "FwoGZXIvYXdzFAKE-NOT-A-TOKEN-version-1"
TOKEN_VERSION_2 = "IQoJb3JpZ2luX2VjFAKE-NOT-A-TOKEN-version-2"

# The UTC hour in which a region's daily records fall: its own morning where that is possible.
MORNING = {
    "ap-northeast-1": 1,
    "ap-northeast-2": 2,
    "ap-south-1": 4,
    "ap-southeast-1": 2,
    "ap-southeast-2": 3,
    "ca-central-1": 13,
    "eu-central-1": 7,
    "eu-north-1": 7,
    "eu-south-1": 7,
    "eu-west-1": 8,
    "eu-west-2": 8,
    "eu-west-3": 7,
    "sa-east-1": 12,
    "us-east-1": 13,
    "us-east-2": 13,
    "us-west-1": 16,
    "us-west-2": 16,
}

BOTO3_BEFORE_THE_SWITCH = (
    "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.0 os/linux#5.15.0-1045-aws md/arch#x86_64 lang/python#3.10.12 "
    "md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.31.57"
)
BOTO3_WITH_OVERRIDE = (
    "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.4 "
    "md/pyimpl#CPython m/Z,N,b cfg/retry-mode#standard Botocore/1.40.12"
)
CLI_2 = (
    "aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.4 "
    "md/pyimpl#CPython m/G,E,b,Z cfg/retry-mode#standard md/installer#exe md/prompt#off "
    "md/command#sts.assume-role"
)
GO_1 = "aws-sdk-go/1.44.261 (go1.20.4; linux; amd64)"
GO_2 = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#arm64 api/sts#1.33.15 m/E,g"
JAVA_1 = (
    "aws-sdk-java/1.12.488 Linux/5.15.0-1045-aws OpenJDK_64-Bit_Server_VM/17.0.7+7 java/17.0.7 "
    "vendor/Eclipse_Adoptium cfg/retry-mode/legacy"
)
JAVA_2_ON_EKS = (
    "aws-sdk-java/2.31.20 md/io#sync md/http#Apache ua/2.1 api/STS#2.31.x os/Linux#6.1.115 lang/java#21.0.6 "
    "md/OpenJDK_64-Bit_Server_VM#21.0.6+7-LTS md/vendor#Amazon.com_Inc. md/en_US m/D,h cfg/auth-source#stat"
)
NODE_2 = "aws-sdk-nodejs/2.1354.0 linux/v16.20.0 promise"
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/4.67.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go/1.44.261 (go1.19.8; linux; amd64)"
)
SCANNER = "Boto3/1.34.84 ua/2.0 os/linux#5.10.0 lang/python#3.11.8 Botocore/1.34.84 example-posture-scan/2.3"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HOSTILE_TERMINAL = "=cmd|' /C calc'!A0 \x1b[2J\x1b[31mall regions may be deactivated\x1b[0m"
HOSTILE_PAGE = "<script>alert('sts')</script><img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Caller:
    """Who calls: the `userIdentity` element, the account it acts in, and what its client says of itself."""

    account: str
    identity: Record
    agent: str
    address: str


@dataclass(frozen=True)
class Endpoint:
    """What a record tells about the STS endpoint that was called; `logged_in` is its `awsRegion`."""

    logged_in: str
    host: str | None = None
    kind: str | None = None
    served_by: str | None = None
    token: str = TOKEN_VERSION_2


def regional(region: str) -> Endpoint:
    return Endpoint(region, f"sts.{region}.amazonaws.com", "regional", region)


def global_endpoint(served_by: str = "us-east-1") -> Endpoint:
    return Endpoint("us-east-1", "sts.amazonaws.com", "global", served_by, TOKEN_VERSION_1)


def unnamed(region: str) -> Endpoint:
    """Neither host nor endpoint type, as in the records of calls that AWS services make."""
    return Endpoint(region)


def unique_id(prefix: str, name: str) -> str:
    """Return a 21-character id such as IAM gives to users (AIDA) and roles (AROA)."""
    letters = "".join(letter for letter in name.upper() if letter.isalpha())
    return f"{prefix}EXAMPLE{letters}"[:21].ljust(21, "0")


def role_arn(account: str, role: str) -> str:
    return f"arn:aws:iam::{account}:role/{role}"


def service_linked_role_arn(account: str, service: str, role: str) -> str:
    return role_arn(account, f"aws-service-role/{service}/{role}")


def iam_user(account: str, name: str, agent: str, address: str) -> Caller:
    identity: Record = {
        "type": "IAMUser",
        "principalId": unique_id("AIDA", name),
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": "AKIAEXAMPLEEXAMPLE01",
        "userName": name,
    }
    return Caller(account, identity, agent, address)


def role_session(account: str, role: str, session: str, agent: str, address: str) -> Caller:
    principal = unique_id("AROA", role)
    identity: Record = {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": "ASIAEXAMPLEEXAMPLE01",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": role_arn(account, role),
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": "2026-10-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }
    return Caller(account, identity, agent, address)


def root_user(account: str) -> Caller:
    identity: Record = {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": "",
    }
    return Caller(account, identity, BROWSER, "192.0.2.10")


def federated_user(account: str, name: str) -> Caller:
    identity: Record = {
        "type": "FederatedUser",
        "principalId": f"{account}:{name}",
        "arn": f"arn:aws:sts::{account}:federated-user/{name}",
        "accountId": account,
        "accessKeyId": "ASIAEXAMPLEEXAMPLE02",
        "sessionContext": {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": unique_id("AIDA", "reports"),
                "arn": f"arn:aws:iam::{account}:user/reports",
                "accountId": account,
                "userName": "reports",
            },
            "attributes": {"creationDate": "2026-10-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }
    return Caller(account, identity, JAVA_1, "198.51.100.44")


def saml_user(account: str, name: str) -> Caller:
    provider = f"arn:aws:iam::{account}:saml-provider/example-idp"
    identity: Record = {
        "type": "SAMLUser",
        "principalId": f"dGhpcyBpcyBhbiBleGFtcGxlCg=:{name}",
        "userName": name,
        "identityProvider": provider,
    }
    return Caller(account, identity, BROWSER, "192.0.2.21")


def pod(account: str, region: str, service_account: str) -> Caller:
    """An EKS pod that trades its service account token for a role."""
    issuer = f"oidc.eks.{region}.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E"
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    user = f"system:serviceaccount:shop:{service_account}"
    identity: Record = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{user}",
        "userName": user,
        "identityProvider": provider,
    }
    return Caller(account, identity, JAVA_2_ON_EKS, "203.0.113.30")


def identity_center_user(account: str) -> Caller:
    identity: Record = {
        "type": "IdentityCenterUser",
        "accountId": account,
        "onBehalfOf": {
            "userId": "544894e8-80c1-707f-60e3-3ba6510dfac1",
            "identityStoreArn": f"arn:aws:identitystore::{account}:identitystore/d-1234567890",
        },
        "credentialId": "90e292de-5eb8-446e-9602-90f7c45044f7",
    }
    return Caller(account, identity, BROWSER, "192.0.2.22")


def aws_service(account: str, service: str) -> Caller:
    return Caller(account, {"type": "AWSService", "invokedBy": service}, service, service)


def through_service(caller: Caller, service: str) -> Caller:
    """The caller's credentials, used on its behalf by an AWS service."""
    return replace(caller, identity={**caller.identity, "invokedBy": service}, agent=service, address=service)


def foreign_identity(account: str, principal: str) -> Record:
    """All that a role's owner sees of a caller from another account."""
    return {"type": "AWSAccount", "principalId": principal, "accountId": account}


@dataclass(frozen=True)
class LogFile:
    """A log file as it was delivered; `content` is not compressed, as it is hashed."""

    path: Path
    delivered: datetime
    content: bytes


@dataclass(frozen=True)
class Digest:
    """The digest of the hour that begins at `start`; `content` is not compressed."""

    start: datetime
    path: Path
    content: bytes


class Logbook:
    """Collects records by log file, and draws their ids and times from one seeded generator.

    `lost` are log files that were delivered and are not in this copy, `digests` the hours whose digests are in
    it, `descriptions` what the AWS CLI says of a trail, by file name.
    """

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.files: defaultdict[FileKey, list[object]] = defaultdict(list)
        self.damaged: set[FileKey] = set()
        self.lost: defaultdict[Place, list[LogFile]] = defaultdict(list)
        self.digests: dict[Place, list[datetime]] = {}
        self.descriptions: dict[str, Record] = {}

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def moment(self, region: str, day: int) -> datetime:
        return morning(region, day) + timedelta(seconds=self.random.randrange(int(WINDOW.total_seconds())))

    def put(self, record: Record, delivered: datetime | None = None) -> None:
        """File a record under account, region and delivery: by default a quarter past the region's hour."""
        region = str(record["awsRegion"])
        day = int(str(record["eventTime"])[8:10])
        key = str(record["recipientAccountId"]), region, delivered or morning(region, day) + DELIVERY
        self.files[key].append(record)

    def event(
        self, caller: Caller, at: datetime, region: str, service: str, name: str, **fields: object
    ) -> Record:
        """Return a management event that reads; `fields` replace or extend what every record has."""
        record: Record = {
            "eventVersion": self.random.choice(EVENT_VERSIONS),
            "userIdentity": caller.identity,
            "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": caller.address,
            "userAgent": caller.agent,
            "requestParameters": None,
            "responseElements": None,
            "requestID": self.uuid(),
            "eventID": self.uuid(),
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": caller.account,
            "eventCategory": "Management",
        }
        return record | fields

    def activity(self, caller: Caller, region: str, day: int, service: str, name: str, **fields: object) -> Record:
        """Return an event of a service other than STS, at the region's usual hour."""
        record = self.event(caller, self.moment(region, day), region, service, name)
        if "invokedBy" not in caller.identity:
            record["tlsDetails"] = TLS | {"clientProvidedHostHeader": f"{service}.{region}.amazonaws.com"}
        return record | fields

    def sts(self, caller: Caller, endpoint: Endpoint, day: int, name: str, **fields: object) -> Record:
        region = endpoint.logged_in
        record = self.event(caller, self.moment(region, day), region, "sts", name)
        if endpoint.kind:
            details = {"awsServingRegion": endpoint.served_by, "endpointType": endpoint.kind}
            record["additionalEventData"] = {"RequestDetails": details}
        if endpoint.host:
            record["tlsDetails"] = TLS | {"clientProvidedHostHeader": endpoint.host}
        return record | fields

    def credentials(self, endpoint: Endpoint, day: int) -> Record:
        """Return made-up credentials that end an hour after the region's usual hour."""
        end = morning(endpoint.logged_in, day) + timedelta(hours=1)
        return {
            "accessKeyId": f"ASIAEXAMPLEEXAMPLE{self.random.randrange(3, 100):02d}",
            "sessionToken": endpoint.token,
            "expiration": f"{end:%b} {end.day}, {end.year}, {end.hour % 12 or 12}:{end:%M:%S %p}",
        }

    def assume(
        self,
        caller: Caller,
        endpoint: Endpoint,
        day: int,
        arn: str,
        session: str,
        name: str = "AssumeRole",
        **fields: object,
    ) -> Record:
        """Return a successful call, of `AssumeRole` or a sister of it, that issues credentials for a role."""
        account, role = arn.split(":")[4], arn.split("/")[-1]
        record = self.sts(
            caller,
            endpoint,
            day,
            name,
            requestParameters={"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600},
            responseElements={
                "credentials": self.credentials(endpoint, day),
                "assumedRoleUser": {
                    "assumedRoleId": f"{unique_id('AROA', role)}:{session}",
                    "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
                },
            },
            resources=[{"accountId": account, "type": "AWS::IAM::Role", "ARN": arn}],
        )
        return record | fields

    def refused(
        self,
        caller: Caller,
        region: str,
        day: int,
        arn: str | None,
        code: str,
        message: str,
        name: str = "AssumeRole",
    ) -> Record:
        """Return a failed call to a regional endpoint; a denied one may come without request parameters."""
        request = {"roleArn": arn, "roleSessionName": "try", "durationSeconds": 3600} if arn else None
        failure = {"errorCode": code, "errorMessage": message, "requestParameters": request}
        return self.sts(caller, regional(region), day, name, **failure)

    def owners_copy(self, record: Record, caller: Caller, owner: str) -> Record:
        """Return the copy of a cross-account call that the other account receives."""
        identity = foreign_identity(caller.account, str(caller.identity["principalId"]))
        return {**record, "userIdentity": identity, "eventID": self.uuid(), "recipientAccountId": owner}

    def put_both_copies(self, record: Record, caller: Caller, owner: str) -> None:
        record["sharedEventID"] = self.uuid()
        self.put(record)
        self.put(self.owners_copy(record, caller, owner))


def morning(region: str, day: int) -> datetime:
    return datetime(2026, 10, day, MORNING[region], tzinfo=UTC)


# Regions with a file on every day


QUIET_REGIONS = {
    PRODUCTION: ("ap-northeast-1", "ap-southeast-2", "ca-central-1", "eu-north-1", "eu-west-3"),
    DATA: ("eu-north-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    SANDBOX: ("ap-northeast-2", "ap-southeast-1", "ca-central-1", "us-west-1"),
}
ALSO_READ = {
    PRODUCTION: ("eu-central-1", "us-east-2"),
    DATA: ("ap-south-1", "eu-central-1", "us-west-1", "us-west-2"),
    SANDBOX: ("us-east-2",),
}
READS = (
    ("ec2", "DescribeInstances"),
    ("ec2", "DescribeVpcs"),
    ("rds", "DescribeDBInstances"),
    ("lambda", "ListFunctions20150331"),
    ("kms", "ListKeys"),
)


def inventory_reads_many_regions(log: Logbook) -> None:
    """A role whose credentials come from elsewhere reads in a region: that needs no STS endpoint there."""
    for account, quiet in QUIET_REGIONS.items():
        caller = role_session(account, "asset-inventory", "daily", CLI_2, "192.0.2.40")
        for region in quiet + ALSO_READ[account]:
            for day in DAYS:
                if (account, region, day) == LATE_DAY:
                    continue
                for service, name in log.random.sample(READS, k=log.random.randint(1, 2)):
                    log.put(log.activity(caller, region, day, service, name))


def keys_are_rotated(log: Logbook) -> None:
    """A service event: a write, but one that AWS KMS made."""
    for account, quiet in QUIET_REGIONS.items():
        caller = Caller(
            account, {"accountId": account, "invokedBy": "AWS Internal"}, "AWS Internal", "AWS Internal"
        )
        for region in quiet[:2]:
            event = log.activity(caller, region, 8, "kms", "RotateKey", readOnly=False)
            log.put(event | {"eventType": "AwsServiceEvent", "serviceEventDetails": {"keyOrigin": "AWS_KMS"}})


# shop-production


def checkout_pods_use_web_identity(log: Logbook) -> None:
    """EKS pods in Ireland; the records of some days name a dual-stack host and no endpoint type."""
    dual_stack = Endpoint("eu-west-1", "sts.eu-west-1.api.aws")
    for day in DAYS:
        for name in ("checkout", "cart"):
            endpoint = dual_stack if day % 5 == 0 else regional("eu-west-1")
            arn = role_arn(PRODUCTION, f"shop-{name}")
            caller = pod(PRODUCTION, "eu-west-1", name)
            log.put(log.assume(caller, endpoint, day, arn, name, "AssumeRoleWithWebIdentity"))


def orders_go_through_a_vpc_endpoint(log: Logbook) -> None:
    """Oregon, with hosts in several spellings and mostly no endpoint type."""
    hosts = (
        "sts.us-west-2.amazonaws.com",
        "vpce-0example0example00-a1b2c3d4.sts.us-west-2.vpce.amazonaws.com",
        "STS.us-west-2.amazonaws.com:443",
        "sts-fips.us-west-2.amazonaws.com.",
    )
    caller = role_session(PRODUCTION, "orders-worker", "i-0example0example00", JAVA_1, "198.51.100.17")
    vpc = {"vpcEndpointId": "vpce-0example0example00", "vpcEndpointAccountId": PRODUCTION}
    for day in DAYS:
        endpoint = regional("us-west-2") if day % 3 == 0 else Endpoint("us-west-2", hosts[day % len(hosts)])
        arn = role_arn(PRODUCTION, "orders-queue")
        log.put(log.assume(caller, endpoint, day, arn, "orders", **vpc))


def partners_get_federation_tokens(log: Logbook) -> None:
    """An old portal in Oregon hands out federated sessions, which then read and ask who they are."""
    caller = iam_user(PRODUCTION, "reports", JAVA_1, "198.51.100.44")
    endpoint = regional("us-west-2")
    for day in (2, 6, 13):
        federated = {
            "federatedUserId": f"{PRODUCTION}:partner",
            "arn": f"arn:aws:sts::{PRODUCTION}:federated-user/partner",
        }
        record = log.sts(
            caller,
            endpoint,
            day,
            "GetFederationToken",
            requestParameters={"name": "partner", "durationSeconds": 3600},
            responseElements={"credentials": log.credentials(endpoint, day), "federatedUser": federated},
        )
        log.put(record)
        partner = federated_user(PRODUCTION, "partner")
        log.put(log.activity(partner, "us-west-2", day, "s3", "ListBuckets"))
        log.put(log.sts(partner, endpoint, day, "GetCallerIdentity"))


def virginia_is_called_both_ways(log: Logbook) -> None:
    """Global and regional calls side by side in the logs of us-east-1."""
    pipeline = role_session(PRODUCTION, "deploy-pipeline", "terraform", TERRAFORM, "203.0.113.80")
    operator = iam_user(PRODUCTION, "olga", CLI_2, "192.0.2.15")
    host_only = Endpoint("us-east-1", "sts.us-east-1.amazonaws.com")
    for day in DAYS:
        arn = role_arn(PRODUCTION, "deploy-target")
        log.put(log.assume(pipeline, global_endpoint(), day, arn, "terraform"))
        endpoint = host_only if day % 4 == 0 else regional("us-east-1")
        log.put(log.assume(operator, endpoint, day, role_arn(PRODUCTION, "operator"), "olga"))


def frankfurt_serves_global_calls(log: Logbook) -> None:
    """Global calls are logged in us-east-1, whoever serves them; one record names the server in its host."""
    caller = role_session(PRODUCTION, "price-feed", "feed", BOTO3_BEFORE_THE_SWITCH, "203.0.113.55")
    served_locally = Endpoint("us-east-1", "sts-global.eu-central-1.amazonaws.com", token=TOKEN_VERSION_1)
    for day in DAYS:
        endpoint = served_locally if day == 11 else global_endpoint("eu-central-1")
        log.put(log.assume(caller, endpoint, day, role_arn(PRODUCTION, "price-writer"), "feed"))


def services_assume_their_roles(log: Logbook) -> None:
    """Ohio is used by AWS services alone, mostly through service-linked roles."""
    roles = {
        "config.amazonaws.com": "AWSServiceRoleForConfig",
        "guardduty.amazonaws.com": "AWSServiceRoleForAmazonGuardDuty",
    }
    for day in DAYS:
        for service, role in roles.items():
            arn = service_linked_role_arn(PRODUCTION, service, role)
            put_service_call(log, PRODUCTION, service, "us-east-2", day, arn)
        if day % 7 == 0:
            arn = role_arn(PRODUCTION, "service-role/backup-restore")
            put_service_call(log, PRODUCTION, "backup.amazonaws.com", "us-east-2", day, arn)


def advisor_in_virginia_leaves_no_evidence(log: Logbook) -> None:
    """In us-east-1 a service's record does not tell which endpoint it called."""
    for day in (1, 4, 8, 11, 14):
        service = "trustedadvisor.amazonaws.com"
        arn = service_linked_role_arn(PRODUCTION, service, "AWSServiceRoleForTrustedAdvisor")
        put_service_call(log, PRODUCTION, service, "us-east-1", day, arn)


def put_service_call(log: Logbook, account: str, service: str, region: str, day: int, arn: str) -> None:
    """File a call as AWS services leave it: no host, no endpoint type, nothing of the resulting session."""
    caller, endpoint = aws_service(account, service), unnamed(region)
    response = {"credentials": log.credentials(endpoint, day)}
    shared = log.uuid()
    log.put(log.assume(caller, endpoint, day, arn, "service", responseElements=response, sharedEventID=shared))


def old_script_leaves_only_its_token(log: Logbook) -> None:
    """us-east-1 with neither host nor endpoint type: the token's version is the last evidence."""
    caller = iam_user(PRODUCTION, "nightly", BOTO3_BEFORE_THE_SWITCH, "198.51.100.9")
    endpoint = replace(unnamed("us-east-1"), token=TOKEN_VERSION_1)
    for day in (3, 10):
        response = {"credentials": log.credentials(endpoint, day)}
        log.put(log.sts(caller, endpoint, day, "GetSessionToken", responseElements=response))


def scanner_asks_who_it_is(log: Logbook) -> None:
    """GetCallerIdentity issues nothing: Sydney stays quiet."""
    caller = role_session(PRODUCTION, "posture-scan", "scan", SCANNER, "192.0.2.60")
    for day in (1, 5, 9, 13):
        log.put(log.sts(caller, regional("ap-southeast-2"), day, "GetCallerIdentity"))


def vendor_monitors_from_outside(log: Logbook) -> None:
    """Only the role owner's copy exists here: the caller's copy lies in the vendor's own logs."""
    identity = foreign_identity(VENDOR, unique_id("AIDA", "monitor"))
    caller = Caller(PRODUCTION, identity, GO_2, "203.0.113.200")
    for day in (2, 7, 12):
        arn = role_arn(PRODUCTION, "vendor-monitoring")
        log.put(log.assume(caller, regional("eu-west-2"), day, arn, "monitor", sharedEventID=log.uuid()))


def production_borrows_a_role_of_data(log: Logbook) -> None:
    """Both accounts log the call in Tokyo, but the credentials are those of shop-data."""
    caller = role_session(PRODUCTION, "report-builder", "builder", GO_2, "203.0.113.61")
    for day in (5, 12):
        arn = role_arn(DATA, "report-reader")
        record = log.assume(caller, regional("ap-northeast-1"), day, arn, "builder")
        log.put_both_copies(record, caller, DATA)


def management_account_assumes_root(log: Logbook) -> None:
    """A root session of shop-sandbox, asked for by shop-production."""
    caller = role_session(PRODUCTION, "root-tasks", "olga", CLI_2, "192.0.2.15")
    endpoint = regional("eu-west-1")
    policy = {"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"}
    record = log.sts(
        caller,
        endpoint,
        6,
        "AssumeRoot",
        requestParameters={"targetPrincipal": SANDBOX, "taskPolicyArn": policy},
        responseElements={"credentials": log.credentials(endpoint, 6)},
    )
    log.put_both_copies(record, caller, SANDBOX)


def staff_sign_in(log: Logbook) -> None:
    """People at work: SAML, Identity Center, the root user, and a write to a global service."""
    for day in (1, 2, 6, 8, 9, 13):
        arn = role_arn(PRODUCTION, "console-reader")
        person = saml_user(PRODUCTION, "ann@example.com")
        log.put(log.assume(person, regional("eu-west-1"), day, arn, "ann@example.com", "AssumeRoleWithSAML"))
    center = identity_center_user(PRODUCTION)
    log.put(log.activity(center, "eu-west-1", 8, "sso", "ListApplications"))
    login = log.activity(root_user(PRODUCTION), "us-east-1", 6, "signin", "ConsoleLogin", readOnly=False)
    login |= {"eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Success"}}
    log.put(login | {"tlsDetails": TLS | {"clientProvidedHostHeader": "signin.aws.amazon.com"}})
    operator = iam_user(PRODUCTION, "olga", CLI_2, "192.0.2.15")
    tagging = log.activity(operator, "us-east-1", 9, "iam", "TagRole", readOnly=False)
    tagging["requestParameters"] = {"roleName": "console-reader", "tags": [{"key": "team", "value": "web"}]}
    log.put(tagging | {"tlsDetails": TLS | {"clientProvidedHostHeader": "iam.amazonaws.com"}})


def denied_launch_in_stockholm(log: Logbook) -> None:
    """A write that a service control policy refused is no activity."""
    caller = iam_user(PRODUCTION, "intern", CLI_2, "192.0.2.77")
    log.put(
        log.activity(
            caller,
            "eu-north-1",
            4,
            "ec2",
            "RunInstances",
            readOnly=False,
            errorCode="Client.UnauthorizedOperation",
            errorMessage="You are not authorized to perform this operation.",
        )
    )


def data_events_are_no_management_events(log: Logbook) -> None:
    """Object reads and writes in Ireland and Paris: skipped, so the write in Paris changes nothing."""
    caller = role_session(PRODUCTION, "image-store", "images", JAVA_1, "198.51.100.23")
    for region, day, name in (
        ("eu-west-1", 2, "GetObject"),
        ("eu-west-1", 3, "GetObject"),
        ("eu-west-3", 6, "GetObject"),
        ("eu-west-3", 6, "PutObject"),
    ):
        bucket = f"example-shop-images-{region}"
        resource = {"accountId": PRODUCTION, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}
        log.put(
            log.activity(
                caller,
                region,
                day,
                "s3",
                name,
                readOnly=name == "GetObject",
                requestParameters={"bucketName": bucket, "key": "front/001.jpg"},
                resources=[resource],
                eventCategory="Data",
                managementEvent=False,
            )
        )


LATE_DAY = (PRODUCTION, "ca-central-1", 7)


def late_delivery_in_montreal(log: Logbook) -> None:
    """The only event of the 7th is delivered after midnight, in the folder of the 8th."""
    account, region, day = LATE_DAY
    caller = role_session(account, "asset-inventory", "daily", CLI_2, "192.0.2.40")
    at = datetime(2026, 10, day, 23, 57, 41, tzinfo=UTC)
    delivered = datetime(2026, 10, day + 1, 0, 5, tzinfo=UTC)
    log.put(log.event(caller, at, region, "ec2", "DescribeVolumes"), delivered)


# shop-data


def nightly_load_assumes_its_roles(log: Logbook) -> None:
    """Regular use in Ireland, and on weekdays of the second week in the opt-in region Milan."""
    caller = role_session(DATA, "etl-driver", "load", GO_2, "203.0.113.90")
    for day in DAYS:
        log.put(log.assume(caller, regional("eu-west-1"), day, role_arn(DATA, "etl-writer"), "load"))
    for day in (5, 6, 7, 8, 9):
        log.put(log.assume(caller, regional("eu-south-1"), day, role_arn(DATA, "etl-writer"), "load"))


def functions_get_their_roles(log: Logbook) -> None:
    """Lambda assumes an execution role: a service call to a role that is not service-linked."""
    for day in (1, 7, 10):
        arn = role_arn(DATA, "etl-trigger")
        put_service_call(log, DATA, "lambda.amazonaws.com", "eu-west-1", day, arn)


def old_clients_use_the_global_endpoint(log: Logbook) -> None:
    """SDKs that go global by default, and a new one whose code overrides the endpoint."""
    agents = {"loader": GO_1, "dashboard": NODE_2, "archive": BOTO3_WITH_OVERRIDE}
    for day in DAYS:
        for name, agent in agents.items():
            caller = role_session(DATA, f"{name}-host", name, agent, "198.51.100.70")
            log.put(log.assume(caller, global_endpoint(), day, role_arn(DATA, f"{name}-bucket"), name))


def analysts_fail_in_frankfurt(log: Logbook) -> None:
    """Calls that would issue credentials but were refused, with and without request parameters."""
    analyst, notebook = iam_user(DATA, "frank", CLI_2, "192.0.2.33"), pod(DATA, "eu-central-1", "notebook")
    denied = f"User: arn:aws:iam::{DATA}:user/frank is not authorized to perform: sts:AssumeRole"
    for day in (2, 9):
        log.put(log.refused(analyst, "eu-central-1", day, None, "AccessDenied", denied))
    arn, name = role_arn(DATA, "notebook"), "AssumeRoleWithWebIdentity"
    expired = "Token expired: current date/time must be before the expiration date/time"
    log.put(log.refused(notebook, "eu-central-1", 10, arn, "ExpiredTokenException", expired, name))


def passkey_pilot_in_mumbai(log: Logbook) -> None:
    """An operation that no published model of STS knows."""
    caller = iam_user(DATA, "priya", BROWSER, "192.0.2.91")
    for day in (6, 8):
        arn = role_arn(DATA, "passkey-pilot")
        log.put(log.assume(caller, regional("ap-south-1"), day, arn, "priya", "AssumeRoleWithPasskey"))


def engineer_starts_machines_in_oregon(log: Logbook) -> None:
    """A person's writes: someone works in the region, though nobody called STS there."""
    caller = iam_user(DATA, "eva", CLI_2, "192.0.2.34")
    for day, name in ((3, "RunInstances"), (3, "CreateTags"), (10, "TerminateInstances")):
        log.put(log.activity(caller, "us-west-2", day, "ec2", name, readOnly=False))


def stack_writes_on_a_persons_behalf(log: Logbook) -> None:
    """Writes in Sao Paulo that CloudFormation made with a person's session."""
    caller = through_service(iam_user(DATA, "eva", CLI_2, "192.0.2.34"), "cloudformation.amazonaws.com")
    log.put(log.activity(caller, "sa-east-1", 9, "logs", "CreateLogGroup", readOnly=False))


def export_assumes_a_vendors_role(log: Logbook) -> None:
    """The credentials are the vendor's: London needs to be active there, not in shop-data."""
    caller = role_session(DATA, "export", "weekly", BOTO3_BEFORE_THE_SWITCH, "203.0.113.91")
    for day in (4, 11):
        arn = role_arn(VENDOR, "example-partner-upload")
        log.put(log.assume(caller, regional("eu-west-2"), day, arn, "weekly", sharedEventID=log.uuid()))


def broken_file_in_california(log: Logbook) -> None:
    """The only file of the 5th is cut off, so nobody has read that day."""
    log.damaged.add((DATA, "us-west-1", morning("us-west-1", 5) + DELIVERY))


def odd_records_in_good_files(log: Logbook) -> None:
    """One record has no time, one entry is no object; their neighbours are kept."""
    caller = role_session(DATA, "etl-driver", "load", GO_2, "203.0.113.90")
    timeless = log.activity(caller, "eu-west-1", 4, "ec2", "DescribeRegions")
    del timeless["eventTime"]
    log.files[DATA, "eu-west-1", morning("eu-west-1", 4) + DELIVERY].append(timeless)
    log.files[DATA, "eu-west-1", morning("eu-west-1", 11) + DELIVERY].append("cut by a copy tool")


# shop-sandbox


def ohio_was_deactivated(log: Logbook) -> None:
    """Calls succeed until the 3rd and are refused from the 8th on."""
    caller = role_session(SANDBOX, "tester", "run", BOTO3_BEFORE_THE_SWITCH, "203.0.113.120")
    arn = role_arn(SANDBOX, "test-target")
    for day in (1, 3):
        log.put(log.assume(caller, regional("us-east-2"), day, arn, "run"))
    for day in (8, 9, 12):
        put_inactive_answer(log, caller, "us-east-2", day, arn)


def ireland_was_deactivated_and_is_back(log: Logbook) -> None:
    """Refused on the 2nd, answered later: active again. Two user agents attack the reader of a report."""
    arn = role_arn(SANDBOX, "playground")
    intern = iam_user(SANDBOX, "intern", CLI_2, "192.0.2.77")
    put_inactive_answer(log, intern, "eu-west-1", 2, arn)
    for day, agent in ((9, CLI_2), (10, HOSTILE_TERMINAL), (11, HOSTILE_PAGE), (13, CLI_2)):
        log.put(log.assume(replace(intern, agent=agent), regional("eu-west-1"), day, arn, "play"))


def put_inactive_answer(log: Logbook, caller: Caller, region: str, day: int, arn: str) -> None:
    message = (
        f"STS is not activated in this region for account:{SANDBOX}. "
        "Your account administrator can activate STS in this region using the IAM Console."
    )
    log.put(log.refused(caller, region, day, arn, "RegionDisabledException", message))


def sandbox_goes_global(log: Logbook) -> None:
    """Some global calls are served in Frankfurt, where this account has no log file at all."""
    caller = role_session(SANDBOX, "prototype", "demo", GO_1, "198.51.100.88")
    arn = role_arn(SANDBOX, "demo-bucket")
    for day in (2, 4, 6, 9, 13):
        endpoint = global_endpoint("eu-central-1" if day in (4, 9) else "us-east-1")
        log.put(log.assume(caller, endpoint, day, arn, "demo"))


def trials_in_oregon_mostly_fail(log: Logbook) -> None:
    """A refused call, a new bucket, and days without any file."""
    caller = iam_user(SANDBOX, "intern", CLI_2, "192.0.2.77")
    denied = f"User: arn:aws:iam::{SANDBOX}:user/intern is not authorized to perform: sts:AssumeRole"
    for day in (5, 7):
        arn = role_arn(SANDBOX, "missing")
        log.put(log.refused(caller, "us-west-2", day, arn, "AccessDenied", denied))
    log.put(log.activity(caller, "us-west-2", 8, "s3", "CreateBucket", readOnly=False))


def london_is_observed_on_some_days(log: Logbook) -> None:
    """Nothing happens in London, but five days have no file: silence proves nothing."""
    caller = role_session(SANDBOX, "asset-inventory", "daily", CLI_2, "192.0.2.40")
    for day in (1, 2, 3, 6, 7, 8, 9, 13, 14):
        log.put(log.activity(caller, "eu-west-2", day, "ec2", "DescribeInstances"))


# Once all records are there


def overlapping_trail_delivers_twice(log: Logbook) -> None:
    """A second trail writes one file's records again, in another order and under another name."""
    first = PRODUCTION, "eu-west-1", morning("eu-west-1", 3) + DELIVERY
    second = PRODUCTION, "eu-west-1", first[2] + timedelta(minutes=5)
    log.files[second] = log.files[first][::-1]


# What tells how complete the logs are


def digests_prove_stockholm_and_sao_paulo(log: Logbook) -> None:
    """Every hour has its digest. In Sao Paulo no digest lists a file: that no file is there is proven, too."""
    for region in ("eu-north-1", "sa-east-1"):
        log.digests[PRODUCTION, region] = HOURS


def digest_lists_a_lost_file_in_sydney(log: Logbook) -> None:
    """A log file of the afternoon of the 6th was delivered, and is missing here: that day is not proven."""
    place = PRODUCTION, "ap-southeast-2"
    delivered = datetime(2026, 10, 6, 14, 20, tzinfo=UTC)
    path = file_path((*place, delivered), "NotInThisCopy000")
    content = json_bytes({"Records": [{"eventTime": "2026-10-06T14:11:48Z"}]})
    log.lost[place].append(LogFile(path, delivered, content))
    log.digests[place] = HOURS


def digests_fill_all_but_one_gap_in_london(log: Logbook) -> None:
    """Digests were fetched for the days without a log file; the digest of one hour was forgotten."""
    forgotten = datetime(2026, 10, 11, 9, tzinfo=UTC)
    fetched = [hour for hour in HOURS if hour.day in (4, 5, 10, 11, 12) and hour != forgotten]
    log.digests[SANDBOX, "eu-west-2"] = fetched


def data_describes_its_own_trail(log: Logbook) -> None:
    """It logs everything in all regions, and has for weeks. Its log files would repeat the organization's."""
    arn = f"arn:aws:cloudtrail:eu-west-1:{DATA}:trail/data-trail"
    trail: Record = {
        "Name": "data-trail",
        "S3BucketName": BUCKET,
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "HomeRegion": "eu-west-1",
        "TrailARN": arn,
        "LogFileValidationEnabled": False,
        "HasCustomEventSelectors": False,
        "HasInsightSelectors": False,
        "IsOrganizationTrail": False,
    }
    selector: Record = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    }
    status: Record = {
        "IsLogging": True,
        "LatestDeliveryTime": "2026-10-15T08:21:37.412000+00:00",
        "StartLoggingTime": "2026-09-14T09:12:40.533000+00:00",
        "LatestDeliveryAttemptTime": "2026-10-15T08:21:37Z",
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
        "LatestDeliveryAttemptSucceeded": "2026-10-15T08:21:37Z",
        "TimeLoggingStarted": "2026-09-14T09:12:40Z",
        "TimeLoggingStopped": "",
    }
    log.descriptions |= {
        "describe-trails.json": {"trailList": [trail]},
        "get-event-selectors.json": {"TrailARN": arn, "EventSelectors": [selector]},
        "get-trail-status.json": status,
    }


STORIES: tuple[Callable[[Logbook], None], ...] = (
    inventory_reads_many_regions,
    keys_are_rotated,
    checkout_pods_use_web_identity,
    orders_go_through_a_vpc_endpoint,
    partners_get_federation_tokens,
    virginia_is_called_both_ways,
    frankfurt_serves_global_calls,
    services_assume_their_roles,
    advisor_in_virginia_leaves_no_evidence,
    old_script_leaves_only_its_token,
    scanner_asks_who_it_is,
    vendor_monitors_from_outside,
    production_borrows_a_role_of_data,
    management_account_assumes_root,
    staff_sign_in,
    denied_launch_in_stockholm,
    data_events_are_no_management_events,
    late_delivery_in_montreal,
    nightly_load_assumes_its_roles,
    functions_get_their_roles,
    old_clients_use_the_global_endpoint,
    analysts_fail_in_frankfurt,
    passkey_pilot_in_mumbai,
    engineer_starts_machines_in_oregon,
    stack_writes_on_a_persons_behalf,
    export_assumes_a_vendors_role,
    broken_file_in_california,
    odd_records_in_good_files,
    ohio_was_deactivated,
    ireland_was_deactivated_and_is_back,
    sandbox_goes_global,
    trials_in_oregon_mostly_fail,
    london_is_observed_on_some_days,
    overlapping_trail_delivers_twice,
    digests_prove_stockholm_and_sao_paulo,
    digest_lists_a_lost_file_in_sydney,
    digests_fill_all_but_one_gap_in_london,
    data_describes_its_own_trail,
)


def file_path(key: FileKey, suffix: str) -> Path:
    account, region, delivered = key
    folder = Path("AWSLogs", ORGANIZATION, account, "CloudTrail", region, f"{delivered:%Y/%m/%d}")
    return folder / f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{suffix}.json.gz"


def json_bytes(value: Record) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def compressed(content: bytes) -> bytes:
    """Return a gzip file whose bytes depend on the content alone: no time and no name in its header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def digest_chain(place: Place, files: list[LogFile]) -> Iterator[Digest]:
    """Yield the organization's digest of every hour, of all log files that were delivered in a place.

    The fields are those of the CloudTrail user guide, "CloudTrail digest file structure". The first digest names
    none before it, as after log file validation is switched on.
    """
    previous: Digest | None = None
    for start in HOURS:
        end = start + timedelta(hours=1)
        path = digest_path(place, end)
        listed = [file for file in files if start <= file.delivered < end]
        value: Record = {
            "awsAccountId": place[0],
            "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": BUCKET,
            "digestS3Object": path.as_posix(),
            "digestPublicKeyFingerprint": FAKE_FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            **event_span(listed),
            "previousDigestS3Bucket": BUCKET if previous else None,
            "previousDigestS3Object": previous.path.as_posix() if previous else None,
            "previousDigestHashValue": hashlib.sha256(previous.content).hexdigest() if previous else None,
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": FAKE_SIGNATURE if previous else None,
            "logFiles": [listing(file) for file in listed],
        }
        previous = Digest(start, path, json_bytes(value))
        yield previous


def digest_path(place: Place, end: datetime) -> Path:
    """Return where a digest lies: in the folder of the day on which its hour ends."""
    account, region = place
    folder = Path("AWSLogs", ORGANIZATION, account, "CloudTrail-Digest", region, f"{end:%Y/%m/%d}")
    return folder / f"{account}_CloudTrail-Digest_{region}_{TRAIL}_{HOME_REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"


def listing(file: LogFile) -> Record:
    """Return what a digest says of a log file."""
    return {
        "s3Bucket": BUCKET,
        "s3Object": file.path.as_posix(),
        "hashValue": hashlib.sha256(file.content).hexdigest(),
        "hashAlgorithm": "SHA-256",
        **event_span([file]),
    }


def event_span(files: list[LogFile]) -> Record:
    """Return the times of the last and the first event in the files; null without files."""
    times = sorted(record["eventTime"] for file in files for record in json.loads(file.content)["Records"])
    return {"newestEventTime": times[-1] if times else None, "oldestEventTime": times[0] if times else None}


def sample_files(log: Logbook) -> Iterator[tuple[Path, bytes]]:
    """Yield every file's path under the root and its bytes: log files, digests, descriptions."""
    delivered: defaultdict[Place, list[LogFile]] = defaultdict(list)
    for key in sorted(log.files):
        suffix = "".join(log.random.choices(string.ascii_letters + string.digits, k=16))
        file = LogFile(file_path(key, suffix), key[2], json_bytes({"Records": log.files[key]}))
        data = compressed(file.content)
        yield file.path, data[: len(data) // 2] if key in log.damaged else data
        delivered[key[:2]].append(file)
    for place, copied in log.digests.items():
        files = delivered[place] + log.lost[place]
        for digest in digest_chain(place, files):
            if digest.start in copied:
                yield digest.path, compressed(digest.content)
    for name, description in log.descriptions.items():
        yield Path("trail", name), (json.dumps(description, indent=4) + "\n").encode()


def generate(root: Path) -> int:
    """Replace the trees `AWSLogs` and `trail` under `root`; return the number of files written."""
    log = Logbook()
    for story in STORIES:
        story(log)
    for tree in ("AWSLogs", "trail"):
        if (root / tree).exists():
            shutil.rmtree(root / tree)
    files = list(sample_files(log))
    for path, content in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return len(files)


if __name__ == "__main__":
    here = Path(__file__).parent
    print(f"{generate(here)} files written under {here}")
