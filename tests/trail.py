"""Small hand-written records and trees of log files, for all tests."""

import gzip
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.cli import command_line
from analyzer.errors import ExitCode

Record = dict[str, Any]

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
DAY = "2026-10-01"


def record(event_id: str = "e1", **fields: Any) -> Record:
    """A successful AssumeRole of ACCOUNT's role by ACCOUNT's user in eu-west-1; None leaves a field out."""
    made: Record = {
        "eventVersion": "1.08",
        "eventID": event_id,
        "eventTime": f"{DAY}T12:00:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": "eu-west-1",
        "eventCategory": "Management",
        "eventType": "AwsApiCall",
        "readOnly": True,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ann",
            "accountId": ACCOUNT,
            "principalId": "AIDAEXAMPLE",
        },
        "requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/app", "roleSessionName": "s"},
    }
    made |= fields
    return {name: value for name, value in made.items() if value is not None}


def service_identity(service: str = "config.amazonaws.com") -> Record:
    """The userIdentity of a call that an AWS service makes by itself."""
    return {"type": "AWSService", "invokedBy": service}


def trail_file(*records: Any) -> bytes:
    """A log file as CloudTrail writes it, uncompressed."""
    return json.dumps({"Records": list(records)}, separators=(",", ":")).encode()


def key(account: str = ACCOUNT, region: str = "eu-west-1", day: str = DAY, name: str = "aaaaaaaaaaaaaaaa") -> str:
    """The key of a log file in CloudTrail's layout."""
    stamp = day.replace("-", "")
    return (
        f"AWSLogs/{account}/CloudTrail/{region}/{day.replace('-', '/')}/"
        f"{account}_CloudTrail_{region}_{stamp}T1205Z_{name}.json.gz"
    )


def write_tree(folder: Path, files: Mapping[str, bytes | Sequence[Any]]) -> Path:
    """Write files below a folder; a list of records becomes a log file, gzipped if the name says so."""
    for name, content in files.items():
        data = content if isinstance(content, bytes) else trail_file(*content)
        if not isinstance(content, bytes) and name.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def run(*arguments: str | Path, out: Path) -> tuple[ExitCode, Any]:
    """Run a command in this process with JSON output; returns its exit code and the parsed answer."""
    target = out / "answer.json"
    target.unlink(missing_ok=True)
    code = command_line([*map(str, arguments), "--output", "json", "--out", str(target)])
    return code, json.loads(target.read_text()) if target.exists() else None


def start(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own."""
    command = [sys.executable, "-m", "analyzer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)
