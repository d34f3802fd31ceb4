"""Random records of a small organization, with every trap that CloudTrail knows; see organizations.py.

What is left out on purpose, since no rule decides it: two records of one eventID and different content, and copies
of a call to be ordered by an eventID that they lack.
"""

import json
import random
import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

Record = dict[str, Any]
Place = tuple[str, str, date]
"""Account, region, and the UTC day of delivery."""

VENDOR = "999988887777"
REGIONS = {
    "aws": (
        "us-east-1 us-east-1 us-east-1 us-east-1 eu-west-1 eu-west-1 us-west-2 ap-southeast-2 us-east-2 "
        "eu-central-1 af-south-1 ap-southeast-7 eu-atlantis-1"
    ),
    "aws-cn": "cn-north-1 cn-northwest-1 cn-south-9",
    "aws-us-gov": "us-gov-west-1 us-gov-east-1 us-gov-moon-1",
    "aws-eusc": "eusc-de-east-1 eusc-de-west-9",
}
SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-eusc": "amazonaws.eu",
}
WRITES = ("write", "service write")
OTHER = (*WRITES, "read")
MIXED = (*OTHER, "issue", "issue", "service", "failed", "disabled", "harmless", "unknown")
THEMES = (
    *("issue", "service", "failed", "harmless", "unknown", "write", "service write", "read", "disabled after"),
    *(
        "disabled before",
        "disabled in the same second",
        "disabled only",
        "mixed",
        "mixed",
        "mixed",
        "quiet",
        "quiet",
    ),
)
HARMLESS = ("GetCallerIdentity", "GetAccessKeyInfo", "DecodeAuthorizationMessage", "GetWebIdentityToken")
FEDERATED = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
TOKENS = ("GetFederationToken", "GetSessionToken")
ISSUING = ("AssumeRole", "AssumeRole", "AssumeRole", *FEDERATED, *TOKENS, "AssumeRoot", "GetDelegatedAccessToken")
UNKNOWN = ("AssumeRoleWithMagic", "GetQuantumToken")
AGENTS = ("Boto3/1.28.5", "\x1b[31mred", "<b>ü漢😀</b>", "=1+1", "lone \ud800", "x" * 3000)
DISABLED = "STS is not activated in this region for account:{}. Your account administrator can activate STS."
SESSION_TOKENS = ("FwoGZXIvYXdzEXAMPLE", "IQoJb3JpZ2luX2VjEXAMPLE", "AgoJb3JpZ2luX2VjEXAMPLE")
STRANGE_HOSTS = (
    *("localhost", "", "10.0.0.1", "\x1b[2J", "iam.amazonaws.com", "xsts.amazonaws.com", "sts..amazonaws.com"),
    *("sts.evil.example", "sts.amazonaws.com.evil.example", "sts.amazonaws.com:8443", "sts-global.amazonaws.com"),
    *("sts.us-east-1.vpce.amazonaws.com", "sts.mars.amazonaws.com", "sts-global.eu-west-1.api.aws"),
    *("sts.eu-west-1.amazonaws.com.cn", "sts.cn-northwest-1.amazonaws.com.cn", "sts.us-gov-west-1.amazonaws.com"),
    *("sts.eusc-de-east-1.amazonaws.eu", "sts-fips.cn-north-1.amazonaws.com.cn", "sts.us-west-1.amazonaws.com"),
    *("sts.amazonaws.com", "sts.us-east-2.api.aws", "sts.cn-north-1.api.amazonwebservices.com.cn"),
)
STRANGE_REGIONS = ("mars", "EU-WEST-1", "eu-west-1a", "us-east-1 ", "aws-global", "global", "", "x" * 300)
ODD_FIELDS = (
    *("userIdentity", "requestParameters", "responseElements", "resources", "tlsDetails", "additionalEventData"),
    *("eventTime", "eventSource", "eventName", "eventID", "eventType", "eventCategory", "awsRegion", "readOnly"),
    *("errorCode", "errorMessage", "recipientAccountId", "sharedEventID", "userAgent", "addendum"),
    *("userIdentity.type", "userIdentity.arn", "userIdentity.accountId", "userIdentity.principalId"),
    *("userIdentity.invokedBy", "userIdentity.sessionContext", "requestParameters.roleArn"),
    *("responseElements.credentials", "responseElements.assumedRoleUser", "tlsDetails.clientProvidedHostHeader"),
    *("additionalEventData.RequestDetails", "additionalEventData.RequestDetails.endpointType"),
    *("additionalEventData.RequestDetails.awsServingRegion", "responseElements.credentials.sessionToken"),
)
LOSABLE = ("tlsDetails", "additionalEventData", "requestParameters", "responseElements", "resources")
ODD_VALUES: tuple[Any, ...] = (7, 0, -1.5, 111122223333, True, None, [], ["x"], {}, {"x": 1}, "", "", "", "text")


class Happenings:
    """Draws what happens in an organization: `records` are those that CloudTrail delivers to each place."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.start = date(2026, 8, 1) + timedelta(rng.randrange(60))
        self.days = [self.start + timedelta(number) for number in range(rng.randint(2, 8))]
        self.accounts: dict[str, str] = {}
        """Their partitions."""
        for _ in range(rng.randint(1, 4)):
            self.accounts[str(rng.randint(10**11, 9 * 10**11))] = rng.choices(list(REGIONS), [15, 1, 1, 1])[0]
        self.write_only = {account for account in self.accounts if self.chance(0.12)}
        self.records: dict[Place, list[Any]] = {}
        for account, partition in self.accounts.items():
            for region in sorted(set(rng.choices(REGIONS[partition].split(), k=rng.randint(1, 4)))):
                self.play(account, region)
        for place, record in [(place, one) for place, records in self.records.items() for one in records]:
            if place[0] in self.write_only and isinstance(record, dict):
                record["readOnly"] = False

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def instant(self) -> datetime:
        """A time in the window; now and then the first or last second of a day."""
        seconds = self.rng.choice([0, 86399, *(self.rng.randrange(86400) for _ in range(18))])
        return datetime.combine(self.rng.choice(self.days), time()) + timedelta(seconds=seconds)

    def play(self, account: str, region: str) -> None:
        """Let things happen in one region of an account; then cover some quiet days with empty log files."""
        theme = self.rng.choice(WRITES if account in self.write_only else THEMES)
        times = sorted([self.instant(), self.instant()])
        if theme == "disabled in the same second":
            times[1] = times[0]
        if theme == "disabled before":
            times.reverse()
        if theme.startswith("disabled"):
            if theme != "disabled only":
                self.sts_call(account, region, times[0], "issue")
            self.sts_call(account, region, times[1], "disabled")
        elif theme != "quiet":
            for _ in range(self.rng.choice([1, 3, 9]) * (5 if theme == "mixed" else 1)):
                kind = self.rng.choice(MIXED) if theme == "mixed" else theme
                happens = self.other_call if kind in OTHER else self.sts_call
                happens(account, region, self.instant(), kind)
        if self.chance(0.3):
            self.deliver(self.stray_record(account, region), account, region, self.instant())
        if theme == "quiet" or self.chance(0.6):
            hole = self.rng.choice([*self.days, None, None, None, None])
            for day in self.days:
                if day != hole:
                    self.records.setdefault((account, region, day), [])

    def deliver(self, record: Any, account: str, region: str, at: datetime) -> None:
        """Put a record into the folder of its day, or late into the next one's; now and then twice."""
        for _ in range(1 + self.chance(0.05)):
            day = at.date() + timedelta(self.chance(0.3 if at.hour == 23 else 0.03))
            self.records.setdefault((account, region, day), []).append(record)

    def partner(self, account: str) -> str:
        """Another account of the organization in the same partition, or a vendor's."""
        alike = [one for one in self.accounts if self.accounts[one] == self.accounts[account] and one != account]
        return self.rng.choice(alike) if alike and self.chance(0.8) else VENDOR

    def arn(self, account: str, service: str, tail: str) -> str:
        return f"arn:{self.accounts.get(account, 'aws')}:{service}::{account}:{tail}"

    def identity(self, account: str) -> Record:
        """Somebody of an account."""
        name, session = self.rng.choice(["alice", "bob", "ci"]), f"s{self.rng.randrange(3)}"
        who: Record = {"type": "IAMUser", "principalId": f"AIDA{name.upper()}", "accountId": account}
        who["arn"] = self.arn(account, "iam", f"user/{name}")
        match self.rng.choice(("AssumedRole", "AssumedRole", "IAMUser", "Root", "FederatedUser", "Other")):
            case "AssumedRole":
                issuer = {"type": "Role", "arn": self.arn(account, "iam", f"role/{name}"), "accountId": account}
                who |= {"type": "AssumedRole", "arn": self.arn(account, "sts", f"assumed-role/{name}/{session}")}
                who |= {"sessionContext": {"sessionIssuer": issuer}} if self.chance(0.9) else {}
                who |= {"invokedBy": "cloudformation.amazonaws.com"} if self.chance(0.1) else {}
            case "Root":
                who |= {"type": "Root", "principalId": account, "arn": self.arn(account, "iam", "root")}
            case "FederatedUser":
                who |= {"type": "FederatedUser", "arn": self.arn(account, "sts", f"federated-user/{name}")}
            case "Other":
                who = {"type": "IdentityCenterUser", "principalId": f"{session}:{name}", "accountId": account}
        return who

    def service_identity(self) -> Record:
        services = ("config.amazonaws.com", "guardduty.amazonaws.com", "AWS Internal")
        return {"type": "AWSService"} | ({"invokedBy": self.rng.choice(services)} if self.chance(0.9) else {})

    def record(self, account: str, region: str, at: datetime, source: str, name: str, who: Record) -> Record:
        """A read without request and answer, as CloudTrail writes it; its time perhaps written in another way."""
        record: Record = {
            "eventVersion": "1.11",
            "userIdentity": who,
            "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "userAgent": self.rng.choice(AGENTS),
            "requestParameters": None,
            "responseElements": None,
            "eventID": self.id(),
            "readOnly": True,
            "eventType": "AwsApiCall",
            "recipientAccountId": account,
            "eventCategory": "Management",
        }
        if self.chance(0.1):
            del record["eventCategory"]  # as in old records
        if self.chance(0.05):
            record |= {"brandNewField": {"a": [1, None, {"b": "c"}]}, "vpcEndpointId": "AWS Internal"}
        if self.chance(0.05):
            east = at + timedelta(hours=2)
            written = (f"{at.isoformat()}.250Z", f"{at.isoformat()}+00:00", f"{east.isoformat()}+02:00", f"{at}Z")
            record["eventTime"] = self.rng.choice([*written, at.isoformat(), "yesterday", at.timestamp()])
        return record

    # STS

    def sts_call(self, account: str, region: str, at: datetime, kind: str) -> None:
        """Deliver one STS call: its record, and the partner's copy of a call across accounts, perhaps alone."""
        operations = {"harmless": HARMLESS, "unknown": UNKNOWN, "service": ("AssumeRole",)}
        name = self.rng.choice(operations.get(kind, ISSUING))
        who = self.service_identity() if kind == "service" else self.identity(account)
        record = self.record(account, region, at, "sts.amazonaws.com", name, who)
        is_across = name == "AssumeRole" and kind != "service" and self.chance(0.5)
        owner = self.partner(account) if is_across else account
        self.ask_for_credentials(record, account, owner, is_by_service=kind == "service")
        self.show_endpoint(record, account, region)
        if kind in ("failed", "disabled") or (kind == "harmless" and self.chance(0.1)):
            self.refuse(record, owner, is_disabled=kind == "disabled")
        copies = [(account, record)]
        if is_across or self.chance(0.3):
            record["sharedEventID"] = self.id()
        if is_across and kind not in ("failed", "disabled"):
            copies.append((owner, self.owners_copy(record, account, owner)))
            if self.chance(0.3):
                copies.pop(self.rng.randrange(2))
        for home, copy in copies:
            if home == account or home in self.accounts.keys() - self.write_only:
                self.finish(copy, home, region, at)

    def ask_for_credentials(self, record: Record, account: str, owner: str, is_by_service: bool) -> None:
        """Fill in what the operation asks for, and what it is given."""
        role = "role/aws-service-role/x.amazonaws.com/R" if is_by_service and self.chance(0.5) else "role/path/app"
        arn, target = self.arn(owner, "iam", role), self.partner(account)
        answer: Record = {
            "credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": self.rng.choice(SESSION_TOKENS)}
        }
        name = record["eventName"]
        if name == "AssumeRole" or name in FEDERATED:
            answer["assumedRoleUser"] = {"arn": self.arn(owner, "sts", "assumed-role/app/s")}
            record["requestParameters"] = {"roleArn": arn, "roleSessionName": "s"}
            record["resources"] = [{"accountId": owner, "type": "AWS::IAM::Role", "ARN": arn}]
            if self.chance(0.15):
                record["requestParameters"] = self.rng.choice(
                    [None, {"roleArn": "no-arn"}, {"roleArn": "a:b:c:d:x:f"}]
                )
            if self.chance(0.15):
                bucket = {"type": "AWS::S3::Bucket", "accountId": VENDOR}
                strange: list[Any] = [None, "x", {}, [7, None, bucket], [{"type": "AWS::IAM::Role"}]]
                record["resources"] = self.rng.choice(strange)
        elif name == "AssumeRoot":
            principal = self.rng.choice([target, self.arn(target, "iam", "root")])
            record["requestParameters"] = {"targetPrincipal": principal}
        elif name == "GetDelegatedAccessToken":
            answer["assumedPrincipal"] = self.arn(target, "sts", "assumed-role/d/s")
        elif name in TOKENS:
            record["readOnly"] = self.chance(0.5)
            record["userIdentity"] = self.identity(self.rng.choice([account, account, account, target]))
        if name in FEDERATED:
            providers = ("https://oidc.example/A", "accounts.google.com")
            who = {"type": "SAMLUser" if name == FEDERATED[0] else "WebIdentityUser"}
            who |= {"principalId": f"P:{self.rng.randrange(3)}"}
            who |= {"identityProvider": self.rng.choice(providers)} if self.chance(0.7) else {}
            record["userIdentity"] = who
        elif name in UNKNOWN:
            record["requestParameters"] = {"roleArn": self.arn(target, "iam", role)}
        record["responseElements"] = answer if name in ISSUING else None

    def show_endpoint(self, record: Record, account: str, region: str) -> None:
        """Evidence of the endpoint: some of it missing, some of it strange or contradictory."""
        partition = self.accounts[account]
        is_global = partition == "aws" and region == "us-east-1" and self.chance(0.6)
        serving = self.rng.choice(["eu-west-1", "us-west-2", "us-east-1", "eu-nowhere-1", "mars"])
        place = f"{region}.{SUFFIXES[partition]}"
        hosts = [f"sts.{place}", f"sts-fips.{place}", f"vpce-0a-b1.sts.{region}.vpce.{SUFFIXES[partition]}"]
        hosts += [f"sts.{region}.api.aws"] if partition == "aws" else []
        if is_global:
            hosts = ["sts.amazonaws.com", "sts.amazonaws.com", "sts-global.eu-west-1.amazonaws.com"]
        host = self.rng.choice(hosts)
        host = self.rng.choice([host, host, host.upper(), f"{host}.", f"{host}:443", f"{host}.:443"])
        if self.chance(0.12):
            host = self.rng.choice(STRANGE_HOSTS)
        if self.chance(0.6):
            record["tlsDetails"] = {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": host}
        if self.chance(0.4):
            kind = "global" if is_global else "regional"
            details = {"endpointType": kind if self.chance(0.93) else "zonal"}
            details |= {"awsServingRegion": serving if is_global else region} if self.chance(0.8) else {}
            record["additionalEventData"] = {"RequestDetails": details}
        if is_global and self.chance(0.1):
            record["awsRegion"] = "global"
        if self.chance(0.03):
            record["awsRegion"] = self.rng.choice(STRANGE_REGIONS)

    def refuse(self, record: Record, owner: str, *, is_disabled: bool) -> None:
        record |= {"responseElements": None, "errorCode": "AccessDenied", "errorMessage": "not authorized"}
        if is_disabled:
            by_code, by_message = self.rng.choice([(True, True), (True, False), (False, True)])
            record["errorCode"] = "RegionDisabledException" if by_code else "AccessDenied"
            record["errorMessage"] = DISABLED.format(owner) if by_message else "disabled"
            if by_message and self.chance(0.2):
                del record["errorCode"]
        if self.chance(0.4):
            record["requestParameters"] = None

    def owners_copy(self, record: Record, account: str, owner: str) -> Record:
        """The copy in the log of the role's owner; each of the two lacks something."""
        principal_id = record["userIdentity"].get("principalId")
        caller = {"type": "AWSAccount", "accountId": account, "principalId": principal_id}
        copy: Record = json.loads(json.dumps(record))
        copy |= {"eventID": self.id(), "recipientAccountId": owner, "userIdentity": caller}
        if self.chance(0.1):
            caller["invokedBy"] = "athena.amazonaws.com"
        if self.chance(0.1):
            record["userIdentity"].pop("arn", None)
        if self.chance(0.2):
            copy["tlsDetails"] = {"clientProvidedHostHeader": self.rng.choice(STRANGE_HOSTS)}
        for half in (record, copy):
            for name in LOSABLE:
                if self.chance(0.25):
                    half.pop(name, None)
        if owner == VENDOR and self.chance(0.5):  # the other way round: the vendor assumes our role
            caller |= {"accountId": self.rng.choice([VENDOR, "888877776666"]), "principalId": "AIDAVENDOR"}
            copy |= {"recipientAccountId": account}
            copy |= {"requestParameters": {"roleArn": self.arn(account, "iam", "role/for-vendor")}}
            record.clear()
            record |= copy
        return copy

    # Other services, and what is no call

    def other_call(self, account: str, region: str, at: datetime, kind: str) -> None:
        service = self.rng.choice(["ec2", "lambda", "kms", "iam", "route53", "organizations"])
        who = self.service_identity() if kind == "service write" else self.identity(account)
        record = self.record(account, region, at, f"{service}.amazonaws.com", "DoSomething", who)
        record["readOnly"] = kind == "read"
        if self.chance(0.2):
            record["errorCode"] = self.rng.choice(["UnauthorizedOperation", ""])
        if self.chance(0.15):
            caller = self.partner(account)
            record["userIdentity"] = {"type": "AWSAccount", "accountId": caller, "principalId": "AROAX:s"}
        if self.chance(0.15):
            del record["recipientAccountId"]  # the caller's account counts, else that of the key
        self.finish(record, account, region, at)

    def stray_record(self, account: str, region: str) -> Any:
        """What is no management event, or no record at all."""
        who = self.identity(account)
        base = self.record(account, region, self.instant(), "s3.amazonaws.com", "GetObject", who)
        sts = base | {"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole"}
        return self.rng.choice(
            [
                *(base | {"eventCategory": "Data"}, sts | {"eventCategory": "Data"}),
                *(base | {"eventCategory": "NetworkActivity"}, sts | {"eventType": "AwsVpceEvents"}),
                *({"eventCategory": "Insight", "eventID": self.id()}, base | {"eventSource": "aws:s3"}),
                *(base | {"eventTime": None}, base | {"eventName": None}),
                *(None, 7, "record", [], True, {}, {"eventVersion": "1.08"}),
            ]
        )

    def finish(self, record: Record, account: str, region: str, at: datetime) -> None:
        """Deliver a record, perhaps with something odd in it, and perhaps with a correction after it."""
        if self.chance(0.12):
            record = self.with_odd_field(record)
        self.deliver(record, account, region, at)
        if not isinstance(record.get("eventID"), str) or not record["eventID"]:
            return
        if self.chance(0.04):
            self.deliver(record | {"addendum": {"reason": "DELIVERY_DELAY"}}, account, region, at)
        if self.chance(0.05):
            addendum = {"reason": "UPDATED_DATA", "originalEventID": record["eventID"]}
            correction = record | {"eventID": self.id(), "addendum": addendum}
            if self.chance(0.5):
                correction.pop("sharedEventID", None)
            if self.chance(0.3):
                correction["tlsDetails"] = {"clientProvidedHostHeader": "sts.us-east-2.amazonaws.com"}
            self.deliver(correction, account, region, at)

    def with_odd_field(self, record: Record) -> Record:
        """A copy that lacks a field, or has something in it that nobody expects."""
        copy: Record = json.loads(json.dumps(record))
        *parents, name = self.rng.choice(ODD_FIELDS).split(".")
        inner = copy
        for parent in parents:
            inner = inner[parent] if isinstance(inner.get(parent), dict) else {}
        if name == "eventID" and "sharedEventID" in copy:
            return copy
        if self.chance(0.4):
            inner.pop(name, None)
        else:
            inner[name] = self.rng.choice(ODD_VALUES)
        # Two events of the same wrong eventID would be one, and who knows which.
        return record if "text" in (copy.get("eventID"), copy.get("sharedEventID")) else copy
