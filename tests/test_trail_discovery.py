"""AWS is asked about the trails behind a bucket; what it refuses is one remark and nothing more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_environment import configure_aws
from aws_stub import AwsStub
from trail import ACCOUNT, OTHER_ACCOUNT, record, trail_file

from analyzer.catalogue import Catalogue
from analyzer.coverage import Level
from analyzer.evidence import Evidence
from analyzer.report import Question
from analyzer.sources import MemorySource, Source, SourceObject
from analyzer.sources.aws_identity import AwsSession, Identity
from analyzer.sources.named import AwsAccess, Naming, Scope
from analyzer.sources.trail_discovery import TrailDiscovery
from analyzer.workflow import Session

BUCKET = "trail-bucket"
ARN = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/main"
ALL = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
SINCE = datetime(2026, 8, 1, tzinfo=UTC)
LOGGING = {"IsLogging": True, "StartLoggingTime": SINCE.timestamp()}


@pytest.fixture(autouse=True)
def _credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test says is configured, and nobody asks for the identity of this machine."""
    configure_aws(monkeypatch, tmp_path, "us-east-1")


@pytest.fixture
def aws() -> Iterator[AwsStub]:
    with AwsStub() as running:
        add_trail(running)
        yield running


def add_trail(aws: AwsStub, arn: str = ARN, **configuration: Any) -> None:
    """A trail of all regions that delivers to BUCKET and logs everything since SINCE."""
    home = arn.split(":")[3]
    trail = {"TrailARN": arn, "Name": arn.rpartition("/")[2], "HomeRegion": home, "S3BucketName": BUCKET}
    aws.trails.append(trail | {"IsMultiRegionTrail": True, "IsOrganizationTrail": False} | configuration)
    aws.selectors[arn] = ALL
    aws.statuses[arn] = LOGGING


def discovery(aws: AwsStub, remarks: list[str], prefix: str = "") -> TrailDiscovery:
    return TrailDiscovery(AwsSession(Identity(endpoint_url=aws.url)), [(BUCKET, prefix)], remarks.append)


def told(aws: AwsStub, prefix: str = "") -> tuple[Evidence, list[str]]:
    """What is known after reading one event and asking AWS, and what was remarked."""
    remarks: list[str] = []
    logs = MemorySource({"a.json": trail_file(record())})
    sources: list[Source] = [logs, discovery(aws, remarks, prefix)]
    report, _ = Session(sources, catalogue=Catalogue()).report(Question())
    return report.evidence, remarks


def declared(evidence: Evidence) -> bool:
    """Whether silence in another region than the event's is declared."""
    day = datetime(2026, 10, 1).date()
    return evidence.coverage.level(ACCOUNT, "us-west-2", day) is Level.DECLARED


@pytest.mark.parametrize(("keeps", "asked"), [(False, True), (True, False)], ids=["one shot", "kept"])
def test_filters_on_what_is_kept_leave_aws_unasked(keeps: bool, asked: bool) -> None:
    remarks: list[str] = []
    naming = Naming(
        1 << 20,
        datetime(2026, 10, 15),
        remarks.append,
        scope=Scope(regions=frozenset({"eu-west-1"})),
        discovers_trails=True,
        keeps=keeps,
    )
    sources = naming.sources([f"s3://{BUCKET}"], Catalogue())
    assert any(isinstance(source, TrailDiscovery) for source in sources) is asked
    assert [remark.startswith("AWS was not asked about its trails") for remark in remarks] == [True] * (not asked)


def test_a_trail_that_logs_everything_declares_all_regions(aws: AwsStub) -> None:
    evidence, _ = told(aws)
    assert [trail.shortcomings for trail in evidence.trails] == [()]
    assert declared(evidence)


def test_a_trail_is_asked_about_in_its_home_region(aws: AwsStub) -> None:
    told(aws)
    assert {call.region for call in aws.asked("DescribeTrails")} == {"us-east-1"}
    details = aws.asked("GetEventSelectors") + aws.asked("GetTrailStatus")
    assert {call.region for call in details} == {"eu-west-1"}


def test_days_before_the_trail_logged_are_not_declared(aws: AwsStub) -> None:
    aws.statuses[ARN] = {"IsLogging": True, "StartLoggingTime": (SINCE + timedelta(days=90)).timestamp()}
    assert not declared(told(aws)[0])


@pytest.mark.parametrize(
    "selectors",
    [
        {"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
    ],
)
def test_a_trail_that_does_not_see_sts_declares_nothing(selectors: dict[str, Any], aws: AwsStub) -> None:
    aws.selectors[ARN] = selectors
    assert not declared(told(aws)[0])


def test_every_trail_is_a_document_of_its_own(aws: AwsStub) -> None:
    add_trail(aws, ARN.replace("main", "second"))
    found = [entry.uri for entry in discovery(aws, []).list()]
    assert found == [f"cloudtrail:/{ARN}", f"cloudtrail:/{ARN.replace('main', 'second')}"]


# Which trails count


@pytest.mark.parametrize(
    ("own", "prefix"),
    [
        ("", ""),
        ("logs", ""),
        ("logs", "logs"),
        ("logs", "logs/AWSLogs/"),
        ("", "AWSLogs/111122223333"),
        ("a/b", "a"),
    ],
)
def test_a_trail_that_delivers_to_what_is_read_counts(own: str, prefix: str, aws: AwsStub) -> None:
    aws.trails[0]["S3KeyPrefix"] = own
    assert declared(told(aws, prefix)[0])


@pytest.mark.parametrize(
    ("configuration", "prefix"),
    [
        ({"S3BucketName": "other-bucket"}, ""),
        ({"S3KeyPrefix": "logs"}, "log"),
        ({"S3KeyPrefix": "logs"}, "AWSLogs/"),
    ],
)
def test_a_trail_that_delivers_elsewhere_declares_nothing_and_is_named(
    configuration: dict[str, str], prefix: str, aws: AwsStub
) -> None:
    aws.trails[0] |= configuration
    evidence, remarks = told(aws, prefix)
    assert not declared(evidence)
    assert [ARN in remark for remark in remarks].count(True) == 1
    assert not aws.asked("GetEventSelectors")


def test_a_trail_of_another_account_declares_nothing_for_this_one(aws: AwsStub) -> None:
    aws.trails.clear()
    add_trail(aws, ARN.replace(ACCOUNT, OTHER_ACCOUNT))
    assert not declared(told(aws)[0])


# What is refused


@pytest.mark.parametrize("action", ["DescribeTrails", "GetEventSelectors", "GetTrailStatus"])
def test_without_one_of_the_answers_nothing_is_declared_and_one_remark_names_it(action: str, aws: AwsStub) -> None:
    aws.fail(action)
    evidence, remarks = told(aws)
    assert not declared(evidence)
    (remark,) = [remark for remark in remarks if "AccessDenied" in remark]
    assert f"cloudtrail:{action}" in remark


def test_all_that_is_refused_is_one_remark(aws: AwsStub) -> None:
    add_trail(aws, ARN.replace("main", "second"))
    for action in ("GetEventSelectors", "GetTrailStatus", "ListRegions"):
        aws.fail(action)
    _, remarks = told(aws)
    (remark,) = remarks
    for action in ("cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus", "account:ListRegions"):
        assert remark.count(action) == 1
    assert "docs/permissions.md" in remark
    assert "--trail" in remark


def test_a_refusal_rejects_nothing(aws: AwsStub) -> None:
    for action in ("DescribeTrails", "ListRegions"):
        aws.fail(action)
    source = discovery(aws, [])
    _, ingested = Session([source], catalogue=Catalogue()).report(Question())
    assert ingested is not None
    assert not ingested.has_rejections


def test_a_server_that_knows_no_trails_is_a_remark_too(aws: AwsStub) -> None:
    """As an S3 of somebody else behind --endpoint-url."""
    aws.fail("DescribeTrails", code="NotImplemented", status=501)
    evidence, remarks = told(aws)
    assert not declared(evidence)
    assert any("cloudtrail:DescribeTrails (NotImplemented)" in remark for remark in remarks)


def test_the_enabled_opt_in_regions_are_one_remark(aws: AwsStub) -> None:
    aws.regions |= {"me-south-1": "ENABLED", "ap-east-1": "ENABLED", "af-south-1": "DISABLED"}
    _, remarks = told(aws)
    assert remarks == ["opt-in regions that the account has enabled: ap-east-1, me-south-1"]


def test_that_no_opt_in_region_is_enabled_is_said_as_well(aws: AwsStub) -> None:
    assert told(aws)[1] == ["opt-in regions that the account has enabled: none"]


# When AWS is asked


def sources(*names: str, **options: Any) -> list[Source]:
    naming = Naming(1 << 20, datetime(2026, 10, 10), lambda _: None, **options)
    return naming.sources(names, Catalogue())


def kinds(found: list[Source]) -> list[str]:
    return [type(source).__name__ for source in found]


def test_trails_are_asked_for_where_a_bucket_is_named(tmp_path: Path) -> None:
    assert kinds(sources("s3://trail-bucket", discovers_trails=True)) == ["S3Source", "TrailDiscovery"]
    assert kinds(sources(str(tmp_path), discovers_trails=True)) == ["LocalSource"]


def test_trails_are_not_asked_for_without_credentials() -> None:
    unsigned = AwsAccess(is_signed=False)
    assert kinds(sources("s3://trail-bucket", discovers_trails=True, access=unsigned)) == ["S3Source"]


def test_a_source_that_is_named_twice_is_one(tmp_path: Path) -> None:
    assert kinds(sources(str(tmp_path), str(tmp_path))) == ["LocalSource"]


def test_a_description_can_be_read_again_as_bytes_and_as_a_stream(aws: AwsStub) -> None:
    source = discovery(aws, [])
    (item,) = source.list()
    assert isinstance(item, SourceObject)
    with source.open(item) as stream:
        assert stream.read() == source.read(item)


@pytest.mark.parametrize(
    ("below", "declares"),
    [
        ("AWSLogs/", True),
        ("AWSLogs/o-exampleorg1/", True),
        (f"AWSLogs/{ACCOUNT}/CloudTrail/", True),
        (f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/", False),
    ],
)
def test_a_trail_of_which_one_region_is_read_declares_nothing(aws: AwsStub, below: str, declares: bool) -> None:
    evidence, _ = told(aws, below)
    assert declared(evidence) is declares
