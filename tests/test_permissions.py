"""Each command makes the calls that docs/permissions.md lists for it, and none without an AWS source."""

import gzip
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from aws_environment import configure_aws
from aws_stub import AwsStub
from fault_proxy import FaultProxy
from moto.server import ThreadedMotoServer
from trail import ACCOUNT, key, record, trail_file, write_tree

from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.sources import s3_access

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "permissions.md").read_text()
BUCKET = "trail-bucket"
ARN = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/main"
FREE = {"HeadBucket", "sts:GetCallerIdentity"}
"""Calls that need no permission."""
BY_S3_OPERATION = {
    "HeadBucket": "HeadBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
}
TODAY = datetime.now(UTC).date()
WINDOW = ("--since", str(TODAY - timedelta(days=2)), "--until", str(TODAY - timedelta(days=1)))


def policy(name: str) -> set[str]:
    """The actions that a policy of the document allows."""
    (text,) = re.findall(rf"<!-- policy: {name} -->\n```json\n(.*?)```", DOCUMENT, re.DOTALL)
    actions: set[str] = set()
    for statement in json.loads(text)["Statement"]:
        named = statement["Action"]
        actions |= {named} if isinstance(named, str) else set(named)
    return actions


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """A local S3 with one log file; gives its `host:port`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "not-a-real-secret"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **names)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(
        Bucket=BUCKET, Key=key(), Body=gzip.compress(trail_file(record()), mtime=0), ACL="public-read"
    )
    client.close()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto: str) -> Iterator[FaultProxy]:
    with FaultProxy(moto) as running:
        yield running


@pytest.fixture
def aws() -> Iterator[AwsStub]:
    with AwsStub() as running:
        running.trails = [
            {"TrailARN": ARN, "HomeRegion": "eu-west-1", "S3BucketName": BUCKET, "IsMultiRegionTrail": True}
        ]
        running.selectors[ARN] = {"EventSelectors": []}
        running.statuses[ARN] = {"IsLogging": True}
        yield running


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: FaultProxy, aws: AwsStub) -> None:
    """S3 is the proxy, and every other service of AWS the stub."""
    configure_aws(monkeypatch, tmp_path, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)


def asked(s3: FaultProxy, aws: AwsStub) -> set[str]:
    """Every call that was made, as an action; a call that may not be made is an action of its own name."""
    return {BY_S3_OPERATION.get(operation, operation) for operation in s3.operations()} | aws.permissions()


def test_reading_a_bucket_needs_what_its_policies_list_and_no_more(
    s3: FaultProxy, aws: AwsStub, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    for arguments in (["analyze", f"s3://{BUCKET}"], ["ingest", f"s3://{BUCKET}/{key()}", "--store", str(store)]):
        assert command_line(arguments) == ExitCode.OK
    assert asked(s3, aws) - FREE == policy("s3") | policy("trails")
    assert set(s3.operations()) == BY_S3_OPERATION.keys()


def test_nothing_is_written_to_a_bucket(s3: FaultProxy, tmp_path: Path) -> None:
    assert command_line(["ingest", f"s3://{BUCKET}", "--store", str(tmp_path / "store")]) == ExitCode.OK
    assert {request.method for request in s3.asked} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    "command",
    [
        ["coverage", f"s3://{BUCKET}"],
        ["usage", f"s3://{BUCKET}"],
        ["query", "usage", f"s3://{BUCKET}"],
        ["show", "e1", f"s3://{BUCKET}"],
        ["analyze", f"s3://{BUCKET}", "--no-sign-request"],
    ],
    ids=["coverage", "usage", "query", "show", "unsigned"],
)
def test_commands_that_do_not_ask_about_trails_need_the_bucket_only(
    command: list[str], s3: FaultProxy, aws: AwsStub
) -> None:
    assert command_line(command) == ExitCode.OK
    assert asked(s3, aws) - FREE == policy("s3")


def test_an_estimate_reads_no_object(s3: FaultProxy, aws: AwsStub) -> None:
    assert command_line(["analyze", f"s3://{BUCKET}", "--dry-run"]) == ExitCode.OK
    assert asked(s3, aws) - FREE == {"s3:ListBucket"}


def test_event_history_needs_what_its_policy_lists_and_no_more(
    s3: FaultProxy, aws: AwsStub, tmp_path: Path
) -> None:
    assert command_line(["analyze", "event-history", "--region", "all", *WINDOW]) == ExitCode.OK
    store = ["--store", str(tmp_path / "store")]
    assert command_line(["ingest", "event-history", "--region", "us-east-1", *WINDOW, *store]) == ExitCode.OK
    assert asked(s3, aws) - FREE == policy("event-history")


def test_event_history_of_named_regions_does_not_list_regions(s3: FaultProxy, aws: AwsStub) -> None:
    assert command_line(["analyze", "event-history", "--region", "us-east-1", *WINDOW]) == ExitCode.OK
    assert asked(s3, aws) - FREE == {"cloudtrail:LookupEvents"}


def test_no_command_without_an_aws_source_asks_aws_anything(s3: FaultProxy, aws: AwsStub, tmp_path: Path) -> None:
    logs, store = str(write_tree(tmp_path / "logs", {key(): [record()]})), str(tmp_path / "store")
    commands = [
        ["analyze", logs],
        ["analyze", logs, "--dry-run"],
        ["ingest", logs, "--store", store],
        ["report", "--store", store],
        ["coverage", "--store", store],
        ["usage", logs],
        ["query"],
        ["query", "usage", "--store", store],
        ["show", "e1", "--store", store],
        ["endpoints"],
        ["--version"],
    ]
    for command in commands:
        assert command_line(command) == ExitCode.OK, command
    assert asked(s3, aws) == set()


def test_a_store_filled_from_aws_is_reported_without_asking_aws(
    s3: FaultProxy, aws: AwsStub, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    assert command_line(["ingest", f"s3://{BUCKET}", "--store", store]) == ExitCode.OK
    s3.asked.clear()
    aws.calls.clear()
    for command in (["report"], ["coverage"], ["usage"], ["query", "usage"]):
        assert command_line([*command, "--store", store]) == ExitCode.OK
    assert asked(s3, aws) == set()


def test_every_action_is_in_the_table_and_in_a_policy() -> None:
    rows = [row.split("|") for row in DOCUMENT.splitlines() if row.startswith("|")][2:]
    in_table = {action for row in rows for action in re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", row[2])}
    assert in_table == policy("s3") | policy("trails") | policy("event-history")


def test_every_action_only_reads() -> None:
    actions = set().union(*(policy(name) for name in ("s3", "kms", "trails", "event-history")))
    assert all(re.fullmatch(r"[a-z0-9]+:(Get|List|Describe|Lookup|Decrypt)[A-Za-z]*", one) for one in actions)


def test_the_table_in_the_code_is_that_of_the_document() -> None:
    told = dict(re.findall(r"^\| (\w+) +\| (none|s3:\w+) +\|", s3_access.__doc__ or "", re.MULTILINE))
    assert {BY_S3_OPERATION[name] for name, action in told.items() if action != "none"} == policy("s3")
    assert told.keys() == BY_S3_OPERATION.keys()
