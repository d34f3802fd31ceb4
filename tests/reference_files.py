"""From files to events, in plain Python: the first part of the judge, see reference.py.

Which records are kept, what of them, and the forms of files: docs/input.md.
An empty text is a missing one, and a record is skipped before it is rejected.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

Json = Any
Event = dict[str, Any]
RegionDay = tuple[str, str, date]
Document = tuple[str, Json]
"""The name of a file, and the JSON object in it."""

STS = "sts.amazonaws.com"
SELECTORS = {"EventSelectors", "AdvancedEventSelectors"}
"""What the output of `aws cloudtrail get-event-selectors` holds one of."""
_FOLDERS = re.compile(
    r"(?:^|/)AWSLogs/(?:(o-[a-z0-9]+)/)?([0-9]{12})/(CloudTrail(?:-[A-Za-z]+)?)/([a-z0-9-]+)/"
    r"([0-9]{4})/([0-9]{2})/([0-9]{2})/[^/]*$"
)
_FILE_NAME = re.compile(
    r"(?:^|/)()([0-9]{12})_(CloudTrail(?:-[A-Za-z]+)?)_([a-z0-9-]+)_(?:[^/]*_)?"
    r"([0-9]{4})([0-9]{2})([0-9]{2})T[0-9]{4,6}Z[^/]*$"
)


def text(value: Json, path: str) -> str | None:
    """The text at this path; whatever is no text is missing, and so is an empty one."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def moment(value: Json, path: str) -> datetime | None:
    """An ISO 8601 time as naive UTC, which is also what a time without a zone means."""
    try:
        found = datetime.fromisoformat(text(value, path) or "")
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


# What was read


@dataclass(frozen=True)
class Key:
    """What the key of a delivered file tells, or its name alone."""

    organization: str
    account: str
    folder: str
    region: str
    day: date
    is_in_trail_folder: bool

    @classmethod
    def of(cls, name: str) -> "Key | None":
        match = _FOLDERS.search(name) or _FILE_NAME.search(name)
        if match is None:
            return None
        organization, account, folder, region, *day = match.groups()
        return cls(organization or "", account, folder, region, date(*map(int, day)), match.re is _FOLDERS)

    @property
    def is_log_file(self) -> bool:
        return self.folder == "CloudTrail"


@dataclass
class Logs:
    """Everything that was read. `copies`: by a log file's own name, SHA-256 (if any) and outcome of each."""

    events: list[Event] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    log_days: dict[str, set[RegionDay]] = field(default_factory=lambda: defaultdict(set))
    copies: dict[str, list[tuple[str | None, str]]] = field(default_factory=lambda: defaultdict(list))
    digest_files: list[tuple[str, str, Json]] = field(default_factory=list)
    descriptions: list[Document] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    def remember(self, name: str, key: Key | None, sha256: str | None, outcome: str) -> None:
        """Take note of a file, whatever became of it."""
        self.files.update(["seen", outcome])
        if key:
            self.keys.append(key)
        if key and key.is_log_file:
            self.log_days[outcome].add((key.account, key.region, key.day))
            self.copies[own_name(name)].append((sha256, outcome))


def own_name(name: str) -> str:
    """The last part of a key or path, packed or not."""
    return name.rpartition("/")[2].removesuffix(".gz")


# Files


def documents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file below a directory; of an archive, those of its members."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name, data = path.relative_to(root).as_posix(), path.read_bytes()
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from ((f"{name}!/{one}", archive.read(one)) for one in archive.namelist())
        elif name.endswith((".tar", ".tar.gz")):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    content = tar.extractfile(member)
                    yield f"{name}!/{member.name}", content.read() if content else b""
        else:
            yield name, data


def read_logs(root: Path) -> Logs:
    """Read all files once, each to its end or not at all."""
    logs, ids = Logs(), set[str]()
    for name, data in documents(root):
        key, sha256, outcome = Key.of(name), None, "rejected"
        try:
            content = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            sha256 = hashlib.sha256(content).hexdigest()
            outcome = read_document(name, content, sha256, key, logs, ids)
        except (EOFError, OSError, zlib.error, ValueError):
            pass
        logs.remember(name, key, sha256, outcome)
    return logs


def read_document(name: str, content: bytes, sha256: str, key: Key | None, logs: Logs, ids: set[str]) -> str:
    """What became of one document. Raises ValueError when nobody can tell what it holds."""
    if not name.endswith((".json", ".json.gz")) and content.lstrip()[:1] not in (b"{", b"["):
        return "skipped"
    said = json.loads(content)
    if not isinstance(said, dict):
        raise ValueError("no known form")
    if "digestStartTime" in said and "logFiles" in said:
        logs.digest_files.append((name, sha256, said))
        return "skipped"
    if is_description(said):
        logs.descriptions.append((name, said))
        return "skipped"
    if isinstance(said.get("Events"), list):  # the output of `aws cloudtrail lookup-events`
        records = [json.loads(one["CloudTrailEvent"]) for one in said["Events"]]
    elif isinstance(said.get("Records"), list):
        records = said["Records"]
    else:
        raise ValueError("no known form")
    kinds = {take_record(record, key, logs, ids) for record in records}
    is_of_another_kind = kinds in ({"s3_notification"}, {"Insight"}, {"NetworkActivity"})
    return "skipped" if is_of_another_kind and not (key and key.is_log_file) else "ingested"


def is_description(said: Json) -> bool:
    is_of_trail = isinstance(said.get("trailList"), list) or text(said, "Trail.TrailARN") is not None
    has_selectors = any(isinstance(said.get(kind), list) for kind in SELECTORS)
    return is_of_trail or has_selectors or isinstance(said.get("IsLogging"), bool)


# Records: which are kept, and what of them


def take_record(record: Json, key: Key | None, logs: Logs, ids: set[str]) -> str:
    """Keep, skip or reject one record, and count it. Returns its category."""
    fate, kind = "kept", text(record, "eventCategory") or "Management"
    if text(record, "eventSource") == "aws:s3":
        fate, kind = "skipped", "s3_notification"
    elif kind != "Management":
        fate = "skipped"
    elif text(record, "eventType") == "AwsVpceEvents":
        fate, kind = "skipped", "NetworkActivity"
    elif not (moment(record, "eventTime") and text(record, "eventSource") and text(record, "eventName")):
        fate = "rejected"
    if fate == "kept":
        event = event_of(record, key)
        fate = "duplicate" if event["event_id"] in ids else "kept"
        logs.events += [event] if fate == "kept" else []
        ids.add(event["event_id"])
    logs.records.update(["seen", fate])
    return kind


TEXTS = {
    "event_id": "eventID",
    "shared_id": "sharedEventID",
    "original_id": "addendum.originalEventID",
    "source": "eventSource",
    "name": "eventName",
    "aws_region": "awsRegion",
    "recipient": "recipientAccountId",
    "error_code": "errorCode",
    "error_message": "errorMessage",
    "endpoint_type": "additionalEventData.RequestDetails.endpointType",
    "serving_region": "additionalEventData.RequestDetails.awsServingRegion",
    "host": "tlsDetails.clientProvidedHostHeader",
    "identity": "userIdentity.type",
    "arn": "userIdentity.arn",
    "account": "userIdentity.accountId",
    "principal_id": "userIdentity.principalId",
    "invoked_by": "userIdentity.invokedBy",
    "provider": "userIdentity.identityProvider",
    "issuer_arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "role_arn": "requestParameters.roleArn",
    "target": "requestParameters.targetPrincipal",
    "assumed_arn": "responseElements.assumedRoleUser.arn",
    "assumed_principal": "responseElements.assumedPrincipal",
}


def event_of(record: Json, key: Key | None) -> Event:
    """One flat event; None where a field is missing."""
    event: Event = {name: text(record, path) for name, path in TEXTS.items()}
    resources = record["resources"] if isinstance(record.get("resources"), list) else []
    roles = [one for one in resources if text(one, "type") == "AWS::IAM::Role"]
    token = text(record, "responseElements.credentials.sessionToken") or ""
    content = json.dumps(record, sort_keys=True).encode()
    event["event_id"] = event["event_id"] or hashlib.sha256(content).hexdigest()
    event["time"] = moment(record, "eventTime")
    event["recipient"] = event["recipient"] or event["account"] or (key.account if key else "unknown")
    event["read_only"] = record["readOnly"] if isinstance(record.get("readOnly"), bool) else None
    event["resource_account"] = next(filter(None, (text(role, "accountId") for role in roles)), None)
    event["resource_arn"] = next(filter(None, (text(role, "ARN") for role in roles)), None)
    event["token_version"] = 1 if token.startswith("FwoGZXIvYXdz") else None
    return event
