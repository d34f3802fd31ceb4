"""A bucket is read by prefix, many objects at a time, through every kind of failure, and never written to."""

import gzip
import io
import sys
import textwrap
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_environment import configure_aws
from fault_proxy import FaultProxy, Trouble
from loopback import local_aws
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, trail_file

from analyzer.balance import Balance
from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode, SourceError, UsageError
from analyzer.ingest import IngestOptions
from analyzer.sources import Content, Lost, SourceObject, Unreadable, begin_reading, s3_access
from analyzer.sources.estimate import Share, estimate
from analyzer.sources.s3 import S3Options, S3Source, parse_s3_uri
from analyzer.sources.s3_access import S3Access
from analyzer.sources.s3_failures import Patience
from analyzer.sources.s3_layout import Wanted
from analyzer.store import open_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
READS = {"HeadBucket", "ListObjectsV2", "HeadObject", "GetObject"}
HASTE = Patience(attempts=4, first_pause=0.001, longest_pause=0.002)
REGION = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """A local S3; gives its `host:port`."""
    with local_aws() as address:
        yield address


@pytest.fixture(autouse=True)
def _credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test says is configured, and nobody asks for the identity of this machine."""
    configure_aws(monkeypatch, tmp_path)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings in pages of ten keys, as if there were a hundred times as many objects."""
    monkeypatch.setattr(s3_access, "PAGE", 10)
    monkeypatch.setattr(s3_access, "PAGES_SEARCHED", 2)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials in the environment."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def proxy(moto: str) -> Iterator[FaultProxy]:
    with FaultProxy(moto) as running:
        yield running


class Trail:
    """A bucket of its own for a test, filled without going through the proxy."""

    def __init__(self, moto: str, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.name = f"trail-bucket-{next(NUMBERS)}"
        self.client = boto3.client("s3", endpoint_url=f"http://{moto}", region_name="eu-west-1")
        self.client.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def put(self, files: Mapping[str, bytes | Sequence[Any]], **options: Any) -> None:
        """Objects by key; a list of records becomes a gzipped log file."""
        for name, content in files.items():
            body = content if isinstance(content, bytes) else gzip.compress(trail_file(*content), mtime=0)
            self.client.put_object(Bucket=self.name, Key=name, Body=body, **options)

    def source(self, prefix: str = "", wanted: Wanted | None = None, **access: Any) -> S3Source:
        endpoint = {"endpoint_url": self.proxy.url} | access
        return S3Source(
            f"s3://{self.name}/{prefix}", wanted, S3Access(**endpoint), S3Options(concurrency=8, patience=HASTE)
        )

    def uri(self, name: str) -> str:
        return f"s3://{self.name}/{name}"


@pytest.fixture
def trail(moto: str, proxy: FaultProxy) -> Trail:
    return Trail(moto, proxy)


def keys(source: S3Source) -> list[str]:
    """The keys that are listed; nothing may be unreadable."""
    found = list(source.list())
    assert not [entry for entry in found if isinstance(entry, Unreadable)]
    return [entry.uri.split("/", 3)[3] for entry in found]


def objects(source: S3Source) -> list[SourceObject]:
    return [entry for entry in source.list() if isinstance(entry, SourceObject)]


def unreadable(source: S3Source) -> dict[str, str]:
    found = [entry for entry in source.list() if isinstance(entry, Unreadable)]
    return {entry.uri.split("/", 3)[3]: entry.reason for entry in found}


def bring(store: Path, *sources: S3Source, **options: int) -> Balance:
    session = Session(sources, store, IngestOptions(**options), catalogue=CATALOGUE)
    return session.ingest(store).balance


def ids(store: Path) -> list[str]:
    with open_store(store, catalogue=CATALOGUE) as opened:
        rows = opened.ask_ad_hoc("SELECT event_id FROM events ORDER BY ALL").to_pylist()
    return [row["event_id"] for row in rows]


# What is listed


def test_an_object_is_known_by_its_uri_and_its_etag(trail: Trail) -> None:
    trail.put({key(): b"content"})
    (item,) = trail.source().list()
    assert item == SourceObject(trail.uri(key()), trail.uri(key()), 7, "9a0364b9e99bb480dd25e1f0284c8555")


def test_only_the_wanted_days_of_the_wanted_accounts_are_listed_and_read(trail: Trail, tmp_path: Path) -> None:
    days = ("2026-09-30", "2026-10-01", "2026-10-02", "2026-10-03")
    files = {
        key(account=account, day=day): [record(f"{account}-{day}")]
        for account in (ACCOUNT, OTHER_ACCOUNT)
        for day in days
    }
    trail.put(files)
    wanted = Wanted(date(2026, 10, 1), date(2026, 10, 2), frozenset({ACCOUNT}))
    bring(tmp_path / "store", trail.source(wanted=wanted))
    assert ids(tmp_path / "store") == [f"{ACCOUNT}-2026-10-01", f"{ACCOUNT}-2026-10-02"]
    assert sorted(trail.proxy.listed()) == [
        "",
        "AWSLogs/",
        f"AWSLogs/{ACCOUNT}/",
        f"AWSLogs/{ACCOUNT}/CloudTrail/",
        f"{REGION}2026/10/01/",
        f"{REGION}2026/10/02/",
    ]
    assert sorted(trail.proxy.fetched()) == [f"{trail.name}/{key(day=day)}".split("/", 1)[1] for day in days[1:3]]


def test_digests_are_listed_and_other_kinds_are_neither_listed_nor_fetched(trail: Trail) -> None:
    kinds = ["CloudTrail", "CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "Config"]
    trail.put({f"AWSLogs/{ACCOUNT}/{kind}/eu-west-1/2026/10/01/x.json.gz": b"x" for kind in kinds})
    source = trail.source()
    assert [name.split("/")[2] for name in keys(source)] == ["CloudTrail", "CloudTrail-Digest"]
    assert [(folder.prefix.split("/")[2], folder.kind) for folder in source.skipped_folders] == [
        ("CloudTrail-Insight", "CloudTrail-Insight"),
        ("CloudTrail-NetworkActivity", "CloudTrail-NetworkActivity"),
        ("Config", "other"),
    ]
    assert not any("Insight" in prefix or "Config" in prefix for prefix in trail.proxy.listed())


def test_a_bucket_without_the_layout_is_listed_whole_and_filtered_by_the_names_of_its_files(trail: Trail) -> None:
    name, other = (key(region=region).rpartition("/")[2] for region in ("eu-west-1", "eu-north-1"))
    insight = name.replace("_CloudTrail_", "_CloudTrail-Insight_")
    trail.put({f"copies/{file}": b"x" for file in (name, other, insight, "notes.txt")})
    source = trail.source(wanted=Wanted(regions=frozenset({"eu-west-1"})))
    assert keys(source) == [f"copies/{name}", "copies/notes.txt"]
    assert [(folder.prefix, folder.kind) for folder in source.skipped_folders] == [
        ("copies/", "CloudTrail-Insight")
    ]


@pytest.mark.usefixtures("small_pages")
def test_a_trail_behind_thousands_of_other_entries_is_found(trail: Trail) -> None:
    trail.put({f"0{number:04}": b"x" for number in range(25)} | {key(): b"x"})
    source = trail.source()
    assert keys(source) == [key()]
    assert [(folder.prefix, folder.kind) for folder in source.skipped_folders] == [("", "not_searched")]


@pytest.mark.usefixtures("small_pages")
def test_thousands_of_entries_without_a_trail_are_all_listed(trail: Trail) -> None:
    trail.put({f"0{number:04}.json": b"x" for number in range(25)})
    source = trail.source()
    assert len(keys(source)) == 25
    assert source.skipped_folders == []


def test_one_object_can_be_named(trail: Trail) -> None:
    trail.put({"deep/one.json": b"[]", "deep/two.json": b"[]"})
    (item,) = objects(trail.source("deep/one.json"))
    assert (item.uri, item.is_named) == (trail.uri("deep/one.json"), True)


def test_a_folder_that_is_named_like_a_log_is_listed_all_the_same(trail: Trail) -> None:
    trail.put({"export.json/a.json": b"[]"})
    assert keys(trail.source("export.json")) == ["export.json/a.json"]


@pytest.mark.usefixtures("small_pages")
def test_a_listing_goes_on_over_many_pages(trail: Trail) -> None:
    names = [key(name=f"{number:016}") for number in range(30)]
    trail.put(dict.fromkeys(names, b"x"))
    assert keys(trail.source(REGION)) == names


def test_marks_of_folders_are_no_objects(trail: Trail) -> None:
    trail.put({"AWSLogs/": b"", f"{REGION}2026/": b"", f"{REGION}2026/10/01/": b"", key(): b"x"})
    assert keys(trail.source()) == [key()]


def test_of_a_versioned_bucket_the_current_objects_are_read(trail: Trail, tmp_path: Path) -> None:
    trail.client.put_bucket_versioning(Bucket=trail.name, VersioningConfiguration={"Status": "Enabled"})
    deleted = key(name="b" * 16)
    trail.put({key(): [record("old")], deleted: [record("deleted")]})
    trail.put({key(): [record("new")]})
    trail.client.delete_object(Bucket=trail.name, Key=deleted)
    bring(tmp_path / "store", trail.source())
    assert ids(tmp_path / "store") == ["new"]


@pytest.mark.parametrize("front", ["logs//", "/logs/", "a/./b/", "tab\t/"])
def test_a_prefix_with_odd_segments_is_listed_and_read(trail: Trail, tmp_path: Path, front: str) -> None:
    trail.put({f"{front}{key()}": [record("odd")], f"plain/{key()}": [record("plain")]})
    bring(tmp_path / "store", trail.source())
    assert ids(tmp_path / "store") == ["odd", "plain"]


def test_keys_with_characters_of_urls_are_read(trail: Trail) -> None:
    trail.put({"a b/c%20d+é#?&.json": b"content"})
    source = trail.source()
    (item,) = objects(source)
    assert source.read(item) == b"content"


HOSTILE_KEYS = (
    "../../../etc/x.json.gz",
    "window\x1b]0;owned\x07 title.json",
    "return\rsts-regions: 0 rejected.json",
    "right to left \u202egpj.json",
    f"long/{'x' * 900}.json",
    "=1+1|<b>.json",
    "'; DROP TABLE sources; --.json",
)


def test_hostile_keys_name_no_file_here_and_are_shown_so_that_they_do_nothing(
    trail: Trail, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put({key(): [record("good")], **{f"{REGION}2026/10/01/{name}": b"{" for name in HOSTILE_KEYS}})
    store = tmp_path / "store"
    arguments = ["ingest", f"s3://{trail.name}", "--store", str(store), "--endpoint-url", trail.proxy.url]
    before = set(tmp_path.parent.iterdir())
    assert command_line(arguments) == ExitCode.INPUT_REJECTED
    told = capsys.readouterr().err
    assert told.replace("\n", "").isprintable()
    assert all(line.startswith("sts-regions: ") for line in told.splitlines())
    assert f"{len(HOSTILE_KEYS)} rejected" in told
    assert ids(store) == ["good"]
    for form in ("table", "csv", "markdown", "json"):
        command_line(["query", "SELECT uri FROM sources", "--store", str(store), "--output", form])
        assert capsys.readouterr().out.replace("\n", "").isprintable()
    assert set(tmp_path.parent.iterdir()) == before
    assert {path.name for path in store.iterdir()} == {"sts-regions.duckdb", "events", "staging", "lock"}


def test_a_bucket_that_does_not_exist_is_missing(trail: Trail) -> None:
    source = S3Source("s3://no-such-bucket/logs", access=S3Access(endpoint_url=trail.proxy.url))
    assert unreadable(source) == {"logs": "missing"}


def test_a_prefix_below_which_there_is_nothing_is_missing(trail: Trail) -> None:
    trail.put({key(): b"x"})
    assert unreadable(trail.source("AWSlogs/")) == {"AWSlogs/": "missing"}
    assert unreadable(trail.source(f"AWSLogs/{OTHER_ACCOUNT}/")) == {f"AWSLogs/{OTHER_ACCOUNT}/": "missing"}


def test_a_region_without_files_on_the_days_asked_for_is_not_missing(trail: Trail) -> None:
    trail.put({key(): b"x"})
    assert unreadable(trail.source(wanted=Wanted(since=date(2027, 1, 1), until=date(2027, 1, 2)))) == {}


@pytest.mark.parametrize("uri", ["s3:/bucket", "s3://", "s3:///prefix", "s3://b"])
def test_a_uri_without_a_bucket_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="names no bucket"):
        parse_s3_uri(uri)


def test_an_estimate_adds_up_what_would_be_read_without_reading_it(trail: Trail) -> None:
    digest = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/10/01/digest.json.gz"
    new = {key(): b"x" * 10, key(name="b" * 16): b"x" * 20, digest: b"x" * 5, f"{REGION}notes.json": b"x"}
    known = key(account=OTHER_ACCOUNT)
    trail.put({**new, known: b"x"})
    trail.proxy.fail(Trouble.FORBIDDEN, "prefix=AWSLogs/444455556666/CloudTrail/us-east-1/")
    trail.put({key(account=OTHER_ACCOUNT, region="us-east-1"): b"x"})
    result = estimate(trail.source().list(), lambda item: item.uri == trail.uri(known))
    assert result.shares == [
        Share("", "", "", 1, 1),
        Share(ACCOUNT, "eu-west-1", "CloudTrail", 2, 30),
        Share(ACCOUNT, "eu-west-1", "CloudTrail-Digest", 1, 5),
    ]
    assert (result.objects, result.size, result.settled, result.cost(price=0.5)) == (4, 36, 1, 0.002)
    assert [entry.reason for entry in result.unreadable] == ["forbidden"]
    assert trail.proxy.fetched() == []


def test_the_days_that_were_listed_to_their_end_are_told(trail: Trail) -> None:
    trail.put({key(region=region): b"x" for region in ("eu-west-1", "us-east-1")})
    trail.proxy.fail(Trouble.FORBIDDEN, "prefix=AWSLogs/111122223333/CloudTrail/us-east-1/")
    source = trail.source(wanted=Wanted(since=date(2026, 10, 1), until=date(2026, 10, 2)))
    list(source.list())
    assert [(extent.folder, extent.first, extent.last) for extent in source.extents] == [
        (REGION, date(2026, 10, 1), date(2026, 10, 2))
    ]


def test_a_later_run_lists_only_the_days_that_can_have_changed(trail: Trail) -> None:
    trail.put({key(day=day): b"x" for day in ("2026-10-01", "2026-10-02", "2026-10-03")})
    first = trail.source(REGION)
    assert len(keys(first)) == 3
    settled = {extent.folder: date(2026, 10, 3) for extent in first.extents}
    assert keys(trail.source(wanted=Wanted(settled=settled))) == [key(day="2026-10-03")]


# What is asked of AWS


def test_a_whole_run_makes_reading_requests_only(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(): [record("a")], key(name="b" * 16): [record("b")]})
    bring(tmp_path / "store", trail.source())
    bring(tmp_path / "store", trail.source(key()))
    assert set(trail.proxy.operations()) <= READS
    assert trail.proxy.operations().count("HeadBucket") == 2


def test_a_policy_that_forbids_to_ask_for_the_bucket_itself_is_no_hindrance(trail: Trail) -> None:
    trail.put({key(): b"x"})
    trail.proxy.fail(Trouble.FORBIDDEN, "HEAD /trail-bucket")
    assert keys(trail.source()) == [key()]


def test_requests_are_signed_for_the_region_of_the_bucket(trail: Trail) -> None:
    trail.put({key(): b"x"})
    keys(trail.source(region="us-west-2"))
    scopes = {asked.headers["authorization"].split("/")[2] for asked in trail.proxy.asked[-3:]}
    assert scopes == {"eu-west-1"}


def test_a_requester_who_pays_says_so_in_every_request(trail: Trail) -> None:
    odd = f"odd//{key()}"
    trail.put({key(): b"x", odd: b"y"})
    source = trail.source(request_payer=True)
    assert [source.read(item) for item in objects(source)] == [b"x", b"y"]
    asked = [asked for asked in trail.proxy.asked if asked.operation != "HeadBucket"]
    assert {asked.headers.get("x-amz-request-payer") for asked in asked} == {"requester"}


@pytest.mark.usefixtures("nobody")
def test_a_public_bucket_can_be_read_without_credentials(trail: Trail) -> None:
    trail.client.put_bucket_acl(Bucket=trail.name, ACL="public-read")
    trail.put({key(): b"x"}, ACL="public-read")
    source = trail.source(is_signed=False)
    assert [source.read(item) for item in objects(source)] == [b"x"]
    assert not any("authorization" in asked.headers for asked in trail.proxy.asked)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_endpoint_may_come_from_the_environment(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    trail.put({key(): b"x"})
    monkeypatch.setenv(variable, trail.proxy.url)
    source = trail.source(endpoint_url=None)
    assert [source.read(item) for item in objects(source)] == [b"x"]


def test_an_endpoint_that_is_given_wins_over_the_environment(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail.put({key(): b"x"})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert keys(trail.source()) == [key()]


@pytest.mark.usefixtures("nobody")
def test_profile_and_its_endpoint_come_from_the_configuration(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(): b"x"})
    (tmp_path / "config").write_text(f"[profile audit]\nregion = eu-west-1\nendpoint_url = {trail.proxy.url}\n")
    (tmp_path / "credentials").write_text(
        "[audit]\naws_access_key_id = AKIAAUDITEXAMPLE\naws_secret_access_key = not-a-real-secret\n"
    )
    assert keys(trail.source(profile="audit", endpoint_url=None)) == [key()]
    assert "AKIAAUDITEXAMPLE" in trail.proxy.asked[-1].headers["authorization"]


def test_a_profile_that_assumes_a_role_reads_with_the_roles_credentials(
    trail: Trail, moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail.put({key(): b"x"})
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{moto}")
    (tmp_path / "config").write_text(
        f"[profile audit]\nregion = eu-west-1\nrole_arn = arn:aws:iam::{ACCOUNT}:role/audit\n"
        "credential_source = Environment\n"
    )
    assert keys(trail.source(profile="audit")) == [key()]
    assert "Credential=ASIA" in trail.proxy.asked[-1].headers["authorization"]


@pytest.mark.usefixtures("nobody")
def test_credentials_are_renewed_while_a_run_lasts(trail: Trail, tmp_path: Path) -> None:
    script = tmp_path / "credentials.py"
    script.write_text(
        textwrap.dedent(
            """
            import datetime, json, pathlib
            counter = pathlib.Path(__file__).with_suffix(".count")
            number = int(counter.read_text()) + 1 if counter.exists() else 1
            counter.write_text(str(number))
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
            print(json.dumps({"Version": 1, "AccessKeyId": f"AKIAEXAMPLE{number:04}",
                "SecretAccessKey": "not-a-real-secret", "SessionToken": "x", "Expiration": soon.isoformat()}))
            """
        )
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    trail.put({key(): b"x"})
    source = trail.source(credentials_kept=0.01)
    (item,) = objects(source)
    for _ in range(200):
        source.read(item)
        names = {asked.headers["authorization"].split("/")[0] for asked in trail.proxy.asked}
        if len(names) > 2:
            break
    assert len(names) > 2


@pytest.mark.usefixtures("nobody")
def test_without_credentials_the_error_says_so(trail: Trail) -> None:
    with pytest.raises(SourceError, match="Unable to locate credentials"):
        keys(trail.source())


def test_an_unknown_profile_is_an_error(trail: Trail) -> None:
    with pytest.raises(SourceError, match="nobody"):
        keys(trail.source(profile="nobody"))


def test_an_endpoint_where_nobody_answers_is_an_error(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceError, match="Could not connect"):
        keys(trail.source(endpoint_url="http://127.0.0.1:9"))


@pytest.mark.parametrize("where", ["list-type", "GET /trail"])
def test_credentials_that_have_expired_end_the_run(trail: Trail, where: str) -> None:
    trail.put({key(): b"x"})
    trail.proxy.fail(Trouble.EXPIRED, where)
    source = trail.source(REGION)
    with pytest.raises(SourceError, match="ExpiredToken"):
        [source.read(item) for item in objects(source)]


# Failures

PASSING = {
    Trouble.SLOW_DOWN: "throttled",
    Trouble.SERVER_ERROR: "server_error",
    Trouble.CUT: "connection_lost",
    Trouble.REFUSED: "connection_lost",
    Trouble.SHORT: "wrong_length",
    Trouble.HUNG: "timed_out",
}


def timeouts(trouble: Trouble) -> dict[str, Any]:
    """Little time where time is the trouble."""
    return {"read_timeout": 0.3} if trouble is Trouble.HUNG else {}


@pytest.mark.parametrize("trouble", PASSING)
def test_a_reading_that_fails_for_a_while_succeeds(trail: Trail, tmp_path: Path, trouble: Trouble) -> None:
    trail.put({key(name=f"{number:016}"): [record(f"e{number}")] for number in range(20)})
    for number in (0, 7, 19):
        trail.proxy.fail(trouble, f"{number:016}.json.gz", HASTE.attempts - 1, seconds=1.0)
    balance = bring(tmp_path / "store", trail.source(**timeouts(trouble)))
    assert (balance.files.ingested, balance.files.rejected) == (20, 0)
    assert len(ids(tmp_path / "store")) == 20


@pytest.mark.parametrize(("trouble", "reason"), PASSING.items())
def test_a_reading_that_fails_for_good_is_rejected_by_name_and_tried_again_by_the_next_run(
    trail: Trail, tmp_path: Path, trouble: Trouble, reason: str
) -> None:
    bad = key(name="b" * 16)
    trail.put({key(): [record("a")], bad: [record("b")]})
    trail.proxy.fail(trouble, bad, seconds=1.0)
    balance = bring(tmp_path / "store", trail.source(**timeouts(trouble)))
    assert dict(balance.files_rejected) == {reason: 1}
    assert trail.proxy.fetched().count(bad) == HASTE.attempts
    trail.proxy.faults.clear()
    balance = bring(tmp_path / "store", trail.source())
    assert (balance.files.ingested, balance.files.unchanged, balance.records.kept) == (1, 1, 1)
    assert ids(tmp_path / "store") == ["a", "b"]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("trouble", PASSING)
def test_a_listing_that_fails_for_a_while_is_complete(trail: Trail, trouble: Trouble) -> None:
    names = [key(name=f"{number:016}") for number in range(15)]
    trail.put(dict.fromkeys(names, b"x"))
    trail.proxy.fail(trouble, f"prefix={REGION}", times=3, seconds=1.0)
    assert keys(trail.source(REGION, **timeouts(trouble))) == names


@pytest.mark.usefixtures("small_pages")
def test_a_listing_that_fails_after_its_first_page_keeps_that_and_names_the_prefix(trail: Trail) -> None:
    trail.put({key(name=f"{number:016}"): b"x" for number in range(15)})
    trail.proxy.fail(Trouble.SLOW_DOWN, "start-after")
    found = list(trail.source(REGION).list())
    assert len([entry for entry in found if isinstance(entry, SourceObject)]) == 10
    assert found[-1] == Unreadable(trail.uri(REGION), trail.uri(REGION), "throttled", "SlowDown: told to fail")


def test_a_forbidden_prefix_is_named_and_the_others_are_read(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(): [record("a")], key(region="us-east-1"): [record("b")]})
    trail.proxy.fail(Trouble.FORBIDDEN, "prefix=AWSLogs/111122223333/CloudTrail/us-east-1/")
    source = trail.source()
    assert unreadable(source) == {f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/": "forbidden"}
    balance = bring(tmp_path / "store", source)
    assert (balance.files.ingested, dict(balance.files_rejected)) == (1, {"forbidden": 1})


def test_a_bucket_whose_folders_may_not_be_listed_is_named_once(trail: Trail) -> None:
    trail.put({key(): b"x"})
    trail.proxy.fail(Trouble.FORBIDDEN, "list-type")
    entry = Unreadable(trail.uri(""), trail.uri(""), "forbidden", "AccessDenied: told to fail")
    assert list(trail.source().list()) == [entry]
    assert unreadable(trail.source(REGION)) == {REGION: "forbidden"}


def test_an_account_whose_folder_is_forbidden_is_named_and_the_others_are_read(trail: Trail) -> None:
    trail.put({key(): b"x", key(account=OTHER_ACCOUNT): b"x"})
    trail.proxy.fail(Trouble.FORBIDDEN, f"prefix=AWSLogs/{ACCOUNT}/")
    source = trail.source()
    assert unreadable(source) == {f"AWSLogs/{ACCOUNT}/": "forbidden"}
    assert [item.uri for item in objects(source)] == [trail.uri(key(account=OTHER_ACCOUNT))]


@pytest.mark.parametrize(("trouble", "reason"), [(Trouble.FORBIDDEN, "forbidden"), (Trouble.NO_SUCH_KEY, "gone")])
def test_an_object_that_is_refused_is_asked_for_once_more_and_named(
    trail: Trail, trouble: Trouble, reason: str
) -> None:
    trail.put({key(): b"x"})
    trail.proxy.fail(trouble, ".json.gz")
    source = trail.source()
    (item,) = objects(source)
    assert source.read(item) == Unreadable(item.uri, item.name, reason, f"{trouble.value[1]}: told to fail")
    assert len(trail.proxy.fetched()) == 2


def test_an_object_in_cold_storage_is_named_as_such(trail: Trail) -> None:
    trail.put({key(): b"x"}, StorageClass="GLACIER")
    source = trail.source()
    (item,) = objects(source)
    content = source.read(item)
    assert isinstance(content, Unreadable)
    assert content.reason == "archived"


def test_an_object_that_was_replaced_after_the_listing_is_not_taken(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(): [record("old")]})
    new = gzip.compress(trail_file(record("new")), mtime=0)
    source = trail.source()
    (item,) = objects(source)
    trail.put({key(): new})
    content = source.read(item)
    assert isinstance(content, Unreadable)
    assert content.reason == "changed_while_read"
    assert bring(tmp_path / "store", source).files.ingested == 1


def test_when_nothing_gets_through_each_object_is_asked_for_once_only(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(name=f"{number:016}"): [record(f"e{number}")] for number in range(100)})
    trail.proxy.fail(Trouble.SLOW_DOWN, ".json.gz")
    balance = bring(tmp_path / "store", trail.source())
    assert dict(balance.files_rejected) == {"throttled": 100}
    assert len(trail.proxy.fetched()) < 2 * 100


def test_an_interrupted_run_is_continued_and_nothing_is_doubled(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(name=f"{number:016}"): [record(f"e{number:03}")] for number in range(120)})
    trail.proxy.fail(Trouble.EXPIRED, key(name=f"{100:016}"))
    with pytest.raises(SourceError):
        bring(tmp_path / "store", trail.source(), commit_files=1)
    trail.proxy.faults.clear()
    balance = bring(tmp_path / "store", trail.source())
    assert balance.files.unchanged > 0
    assert (balance.files.seen, balance.files.rejected, balance.records.duplicate) == (120, 0, 0)
    assert ids(tmp_path / "store") == [f"e{number:03}" for number in range(120)]


def test_a_second_run_lists_and_reads_no_object_again(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(name=f"{number:016}"): [record(f"e{number}")] for number in range(5)})
    bring(tmp_path / "store", trail.source())
    trail.proxy.asked.clear()
    assert bring(tmp_path / "store", trail.source()).files.rejected == 0
    assert trail.proxy.fetched() == []
    assert len(ids(tmp_path / "store")) == 5


# Reading


def test_the_signature_of_a_digest_comes_with_its_bytes(trail: Trail) -> None:
    digest = key().replace("CloudTrail/", "CloudTrail-Digest/").replace("_CloudTrail_", "_CloudTrail-Digest_")
    metadata = {"signature": "0a1b2c", "signature-algorithm": "SHA256withRSA"}
    trail.put({digest: b"digest", key(): b"log"}, Metadata=metadata)
    source = trail.source()
    assert begin_reading(source, objects(source))() == [Content(b"log"), Content(b"digest", "0a1b2c")]


def test_objects_are_read_many_at_a_time_and_never_more_than_allowed(trail: Trail) -> None:
    trail.put({key(name=f"{number:016}"): b"x" * 10 for number in range(40)})
    source = trail.source()
    items = objects(source)
    trail.proxy.most_in_flight = 0
    assert begin_reading(source, items)() == [Content(b"x" * 10)] * 40
    assert 1 < trail.proxy.most_in_flight <= 8


def test_no_more_bytes_are_asked_for_at_a_time_than_allowed(trail: Trail) -> None:
    trail.put({key(name=f"{number:016}"): b"x" * 1000 for number in range(20)})
    options = S3Options(concurrency=8, bytes_in_flight=2500, patience=HASTE)
    source = S3Source(trail.uri(""), access=S3Access(endpoint_url=trail.proxy.url), options=options)
    items = objects(source)
    trail.proxy.most_in_flight = 0
    assert len(begin_reading(source, items)()) == 20
    assert trail.proxy.most_in_flight <= 2


def test_an_object_larger_than_all_bytes_in_flight_is_read_alone(trail: Trail) -> None:
    trail.put({key(name=f"{number:016}"): b"x" * 1000 for number in range(5)})
    options = S3Options(concurrency=8, bytes_in_flight=10, patience=HASTE)
    source = S3Source(trail.uri(""), access=S3Access(endpoint_url=trail.proxy.url), options=options)
    assert len(begin_reading(source, objects(source))()) == 5
    assert trail.proxy.most_in_flight == 1


def zipped(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return packed.getvalue()


def test_an_archive_in_the_bucket_is_read_member_by_member(trail: Trail, tmp_path: Path) -> None:
    trail.put({"packed/logs.zip": zipped({"a.json": trail_file(record("a")), "b.json": trail_file(record("b"))})})
    balance = bring(tmp_path / "store", trail.source())
    assert (balance.files.ingested, balance.records.kept) == (2, 2)


def test_an_archive_that_stops_coming_is_tried_again_by_the_next_run(trail: Trail, tmp_path: Path) -> None:
    trail.put({"packed/logs.zip": zipped({"a.json": trail_file(record("a"))})})
    source = trail.source()
    (item,) = objects(source)
    trail.proxy.before_answer = lambda asked: (
        trail.proxy.fail(Trouble.SLOW_DOWN, "logs.zip") if asked.operation == "GetObject" else None
    )
    balance = bring(tmp_path / "store", source)
    assert dict(balance.files_rejected) == {"throttled": 1}
    trail.proxy.before_answer = lambda _: None
    trail.proxy.faults.clear()
    with source.open(item) as stream:
        assert zipfile.ZipFile(stream).namelist() == ["a.json"]
    assert bring(tmp_path / "store", source).records.kept == 1


def test_a_stream_that_stops_coming_says_why(trail: Trail) -> None:
    trail.put({"large.json": b"x" * 100})
    source = trail.source()
    (item,) = objects(source)
    trail.proxy.fail(Trouble.FORBIDDEN, "GET /trail-bucket")
    with source.open(item) as stream, pytest.raises(Lost) as lost:
        stream.read()
    assert lost.value.entry.reason == "forbidden"


def test_of_an_object_above_the_limit_only_the_head_is_read(trail: Trail, tmp_path: Path) -> None:
    trail.put({key(): trail_file(record("a", userAgent="x" * 5000))})
    balance = bring(tmp_path / "store", trail.source(), document_limit=1000)
    assert dict(balance.files_rejected) == {"too_large": 1}
