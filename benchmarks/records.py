"""What the benchmark's CloudTrail records look like: one JSON template for each kind of call.

The fields and their order are those of real records. Accounts, roles, keys and hosts are obviously invented,
and addresses come from the ranges that RFC 5737 reserves for documentation. A little over half of the records
are STS calls; they hold three quarters of the bytes, because only they carry session tokens.
"""

import base64
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

ACCOUNTS = tuple(str(digit) * 12 for digit in range(1, 7))
REGIONS = ("us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2", "us-west-2")

_ROLES = tuple(f"example-role-{number:02}" for number in range(40))
_AGENTS = (
    "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#arm64 api/sts#1.33.15 m/E,g",
    "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.4 m/Z,N,b",
    "aws-sdk-java/2.31.20 md/io#sync md/http#Apache ua/2.1 api/STS#2.31.x os/Linux#6.1.115 lang/java#21.0.6",
    "aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.4 m/G,E,b,Z",
)
_TOKEN_CHARACTERS = 800
_TOKEN_PREFIXES = {"regional": "IQoJb3JpZ2luX2Vj", "global": "FwoGZXIvYXdz"}

_TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "%(host)s"}
_ROLE_SESSION = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLEEXAMPLE%(role_number)s:%(session)s",
    "arn": "arn:aws:sts::%(account)s:assumed-role/%(role)s/%(session)s",
    "accountId": "%(account)s",
    "accessKeyId": "ASIAEXAMPLE%(key)s",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLEEXAMPLE%(role_number)s",
            "arn": "arn:aws:iam::%(account)s:role/%(role)s",
            "accountId": "%(account)s",
            "userName": "%(role)s",
        },
        "attributes": {"creationDate": "%(created)s", "mfaAuthenticated": "false"},
    },
}
_SERVICE = {"type": "AWSService", "invokedBy": "%(service)s"}
_CALLER_ACCOUNT = {
    "type": "AWSAccount",
    "principalId": "AROAEXAMPLEEXAMPLE%(role_number)s:%(session)s",
    "accountId": "%(partner)s",
}
_WEB_IDENTITY = {
    "type": "WebIdentityUser",
    "principalId": "arn:aws:iam::%(account)s:oidc-provider/oidc.example.com/id/EXAMPLE:sts.amazonaws.com:"
    "system:serviceaccount:shop:%(role)s",
    "userName": "system:serviceaccount:shop:%(role)s",
    "identityProvider": "arn:aws:iam::%(account)s:oidc-provider/oidc.example.com/id/EXAMPLE",
}
_FROM_SERVICE = {"sourceIPAddress": "%(service)s", "userAgent": "%(service)s"}
_FROM_CUSTOMER = {"sourceIPAddress": "%(address)s", "userAgent": "%(agent)s"}


def _record(identity: object, source: str, name: str, origin: dict[str, str], /, **rest: object) -> str:
    record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": "%(time)s",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "%(region)s",
        **origin,
        "requestParameters": rest.pop("requestParameters", None),
        "responseElements": rest.pop("responseElements", None),
        "requestID": "%(request_id)s",
        "eventID": "%(event_id)s",
        "readOnly": rest.pop("readOnly", True),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "%(account)s",
        "eventCategory": "Management",
        **rest,
    }
    return json.dumps(record, separators=(",", ":"))


def _assume_role(
    identity: object, owner: str, origin: dict[str, str], name: str = "AssumeRole", /, **rest: object
) -> str:
    return _record(
        identity,
        "sts.amazonaws.com",
        name,
        origin,
        requestParameters={
            "roleArn": f"arn:aws:iam::{owner}:role/%(target_role)s",
            "roleSessionName": "%(session)s",
            "durationSeconds": 3600,
        },
        responseElements={
            "credentials": {
                "accessKeyId": "ASIAEXAMPLE%(key)s",
                "sessionToken": "%(token)s",
                "expiration": "%(expiration)s",
            },
            "assumedRoleUser": {
                "assumedRoleId": "AROAEXAMPLEEXAMPLE00:%(session)s",
                "arn": f"arn:aws:sts::{owner}:assumed-role/%(target_role)s/%(session)s",
            },
        },
        resources=[
            {
                "accountId": owner,
                "type": "AWS::IAM::Role",
                "ARN": f"arn:aws:iam::{owner}:role/%(target_role)s",
            }
        ],
        **rest,
    )


_REQUEST_DETAILS = {"RequestDetails": {"awsServingRegion": "%(region)s", "endpointType": "%(endpoint_type)s"}}
_BY_CUSTOMER: dict[str, object] = {"additionalEventData": _REQUEST_DETAILS, "tlsDetails": _TLS}
_SHARED: dict[str, object] = {"sharedEventID": "%(shared_id)s"}
_OWN, _PARTNER = "%(account)s", "%(partner)s"

_CROSS_ACCOUNT = (
    _assume_role(_ROLE_SESSION, _PARTNER, _FROM_CUSTOMER, **_BY_CUSTOMER, **_SHARED),
    _assume_role(_CALLER_ACCOUNT, _OWN, _FROM_CUSTOMER, **_BY_CUSTOMER, **_SHARED),
)
"""The two copies of one cross-account call: the caller's, and the role owner's, which names no ARN."""

_KINDS: tuple[tuple[int, str], ...] = (
    # STS: weight, template
    (28, _assume_role(_SERVICE, _OWN, _FROM_SERVICE, sharedEventID="%(own_shared_id)s")),
    (5, _assume_role(_ROLE_SESSION, _OWN, _FROM_CUSTOMER, **_BY_CUSTOMER)),
    (6, ""),  # cross-account, one of the two copies above
    (5, _assume_role(_WEB_IDENTITY, _OWN, _FROM_CUSTOMER, "AssumeRoleWithWebIdentity", **_BY_CUSTOMER)),
    (3, _record(_ROLE_SESSION, "sts.amazonaws.com", "GetCallerIdentity", _FROM_CUSTOMER, **_BY_CUSTOMER)),
    (
        2,
        _record(
            _ROLE_SESSION,
            "sts.amazonaws.com",
            "AssumeRole",
            _FROM_CUSTOMER,
            errorCode="AccessDenied",
            errorMessage="User: arn:aws:sts::%(account)s:assumed-role/%(role)s/%(session)s is not authorized to "
            "perform: sts:AssumeRole on resource: arn:aws:iam::%(partner)s:role/%(target_role)s",
            **_BY_CUSTOMER,
        ),
    ),
    # Other services
    (
        25,
        _record(
            _SERVICE,
            "kms.amazonaws.com",
            "Decrypt",
            _FROM_SERVICE,
            requestParameters={
                "encryptionContext": {"table": "%(role)s"},
                "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            },
            resources=[
                {
                    "accountId": "%(account)s",
                    "type": "AWS::KMS::Key",
                    "ARN": "arn:aws:kms:%(region)s:%(account)s:key/00000000-0000-0000-0000-0000000000"
                    "%(role_number)s",
                }
            ],
        ),
    ),
    (
        16,
        _record(
            _SERVICE,
            "s3.amazonaws.com",
            "GetBucketAcl",
            _FROM_SERVICE,
            requestParameters={"bucketName": "example-%(role)s-%(account)s", "Host": "s3.%(region)s.example.com"},
            sharedEventID="%(own_shared_id)s",
        ),
    ),
    (
        5,
        _record(
            _ROLE_SESSION,
            "ec2.amazonaws.com",
            "DescribeInstances",
            _FROM_CUSTOMER,
            requestParameters={"maxResults": 100, "instancesSet": {}, "filterSet": {}},
        ),
    ),
    (
        4,
        _record(
            _ROLE_SESSION,
            "logs.amazonaws.com",
            "CreateLogStream",
            _FROM_CUSTOMER,
            readOnly=False,
            requestParameters={"logGroupName": "/example/%(role)s", "logStreamName": "%(session)s"},
        ),
    ),
)


def trail_file(seed: int, index: int, account: str, region: str, hour: datetime, records: int) -> str:
    """One trail file's text: `records` calls of the hour. Files 2n and 2n+1 share their cross-account calls."""
    rng = random.Random(seed * 1_000_003 + index)
    shared = _uuids(random.Random(f"{seed} pair {index // 2}"), records)
    own = _uuids(rng, 3 * records)
    partner = ACCOUNTS[(ACCOUNTS.index(account) + (1 if index % 2 == 0 else -1)) % len(ACCOUNTS)]
    weights = [weight for weight, _ in _KINDS]
    templates = [template or _CROSS_ACCOUNT[index % 2] for _, template in _KINDS]
    is_home = region == REGIONS[0]
    chosen: list[str] = []
    for template in rng.choices(templates, weights, k=records):
        endpoint_type = "global" if is_home and rng.random() < 0.2 else "regional"
        role_number = rng.randrange(len(_ROLES))
        noise = rng.randbytes(12).hex().upper()
        chosen.append(
            template
            % {
                "account": account,
                "partner": partner,
                "region": region,
                "time": (hour + timedelta(seconds=rng.randrange(3000))).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "created": hour.strftime("%Y-%m-%dT%H:00:00Z"),
                "expiration": (hour + timedelta(hours=1)).strftime("%b %d, %Y, %I:%M:%S %p"),
                "endpoint_type": endpoint_type,
                "host": f"sts.{region}.amazonaws.com" if endpoint_type == "regional" else "sts.amazonaws.com",
                "token": _token(rng, endpoint_type) if "%(token)s" in template else "",
                "role": _ROLES[role_number],
                "role_number": f"{role_number:02}",
                "target_role": _ROLES[(role_number * 7) % len(_ROLES)],
                "session": f"session-{noise[:8].lower()}",
                "key": noise[8:17],
                "service": ("ec2", "lambda", "ecs-tasks", "dynamodb")[role_number % 4] + ".amazonaws.com",
                "address": f"198.51.100.{role_number + 1}",
                "agent": _AGENTS[role_number % len(_AGENTS)],
                "event_id": next(own),
                "request_id": next(own),
                "own_shared_id": next(own),
                "shared_id": next(shared) if "%(shared_id)s" in template else "",
            }
        )
    return '{"Records":[' + ",".join(chosen) + "]}"


def _token(rng: random.Random, endpoint_type: str) -> str:
    """800 characters that no compressor makes shorter than their entropy, as in real tokens."""
    prefix = _TOKEN_PREFIXES[endpoint_type]
    return (prefix + base64.b64encode(rng.randbytes(_TOKEN_CHARACTERS * 3 // 4)).decode())[:_TOKEN_CHARACTERS]


def _uuids(rng: random.Random, count: int) -> Iterator[str]:
    digits = rng.randbytes(16 * count).hex()
    for start in range(0, 32 * count, 32):
        text = digits[start : start + 32]
        yield f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
