"""The command line on a bucket: what is listed, read, told and kept, through every failure on the way."""

import gzip
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from aws_environment import configure_aws
from digest_chain import DigestChain, Signer
from fault_proxy import Asked, FaultProxy, Trouble
from loopback import local_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, run, trail_file, write_tree

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.sources.named import AwsAccess
from analyzer.sources.s3_access import S3Access
from analyzer.sources.s3_failures import Patience
from analyzer.sources.trail_discovery import TrailDiscovery
from analyzer.store import open_store

SAMPLE = Path(__file__).parent.parent / "sample_logs" / "AWSLogs"
CATALOGUE = Catalogue()
LOADER = cache(botocore.loaders.create_loader)
DISCOVER = TrailDiscovery.list
NUMBERS = count(1)
TODAY = datetime.now(UTC).date()
OLD = TODAY - timedelta(days=40)
REGION = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/"
READS = {"HeadBucket", "ListObjectsV2", "HeadObject", "GetObject"}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """A local AWS; gives its `host:port`."""
    with local_aws() as address:
        yield address


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test says is configured, and no pause lasts."""
    configure_aws(monkeypatch, tmp_path)
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)
    # The descriptions of the services are the same for all: they are parsed once, which saves half of the time.
    monkeypatch.setattr(botocore.session, "create_loader", LOADER)
    monkeypatch.setattr(TrailDiscovery, "list", lambda _: iter(()))


@pytest.fixture
def discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS is asked about its trails, as outside of tests: it takes a moment, and few tests are about it."""
    monkeypatch.setattr(TrailDiscovery, "list", DISCOVER)


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
    """A bucket of its own for a test, and the commands about it; what they ask goes through the proxy."""

    def __init__(self, moto: str, proxy: FaultProxy, folder: Path) -> None:
        self.proxy = proxy
        self.name = f"audit-bucket-{next(NUMBERS)}"
        self.uri = f"s3://{self.name}/"
        self.store = folder / "store"
        self._folder = folder
        self.client = boto3.client("s3", endpoint_url=f"http://{moto}", region_name="eu-west-1")
        self.client.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def put(self, files: Mapping[str, bytes | Sequence[Any]], signatures: Mapping[str, str] | None = None) -> None:
        """Objects by key; a list of records becomes a gzipped log file. `signatures` go beside digests."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for name, content in files.items():
            body = content if isinstance(content, bytes) else gzip.compress(trail_file(*content), mtime=0)
            made = backend.put_object(self.name, name, body)
            if signatures and name in signatures:
                made.set_metadata({"x-amz-meta-signature": signatures[name]})

    def run(self, command: str, *options: str | Path, prefix: str = "") -> tuple[ExitCode, Any]:
        """A command with JSON output; returns its exit code and the parsed answer."""
        return run(command, self.uri + prefix, *self.endpoint, *options, out=self._folder)

    def ingest(self, *options: str | Path, prefix: str = "") -> ExitCode:
        """Bring the bucket into the store. What was asked before is forgotten."""
        self.proxy.asked.clear()
        return command_line(
            ["ingest", self.uri + prefix, "--store", str(self.store), *self.endpoint, *map(str, options)]
        )

    @property
    def endpoint(self) -> tuple[str, str]:
        return ("--endpoint-url", self.proxy.url)

    def listed_days(self) -> list[str]:
        """What was listed of the one region: keys after which listings began, or days, without the folder."""
        return [place.removeprefix(REGION) for place in self.proxy.listed() if place.startswith(REGION)]


@pytest.fixture
def trail(moto: str, proxy: FaultProxy, tmp_path: Path) -> Trail:
    return Trail(moto, proxy, tmp_path)


def ids(store: Path) -> list[str]:
    """Every event in a store, as often as it is there."""
    with open_store(store, catalogue=CATALOGUE) as opened:
        rows = opened.ask_ad_hoc("SELECT event_id FROM events ORDER BY ALL").to_pylist()
    return [row["event_id"] for row in rows]


def content(store: Path) -> list[dict[str, Any]]:
    """What the ledger says of every object as it stands."""
    sql = (
        "SELECT uri, size, version, outcome, reason, seen, kept, duplicate, sha256 "
        "FROM current_sources ORDER BY uri"
    )
    with open_store(store, catalogue=CATALOGUE) as opened:
        return list(opened.ask_ad_hoc(sql).to_pylist())


def log(day: date, event_id: str, region: str = "eu-west-1", account: str = ACCOUNT) -> dict[str, list[Any]]:
    """A log file of a day with one record."""
    made = record(event_id, eventTime=f"{day}T12:00:00Z", awsRegion=region)
    return {key(account=account, region=region, day=str(day)): [made]}


def many(number: int) -> dict[str, list[Any]]:
    """So many log files of one day with a record each."""
    return {key(name=f"{index:016}"): [record(f"e{index:03}")] for index in range(number)}


# What is read


def test_the_report_is_that_of_the_same_tree_on_disk(trail: Trail, moto: str, tmp_path: Path) -> None:
    files = {path.relative_to(SAMPLE.parent).as_posix(): path for path in SAMPLE.rglob("*.gz")}
    trail.put({name: path.read_bytes() for name, path in files.items()})
    options = ("--min-days", "14")
    local = run("analyze", SAMPLE.parent / "AWSLogs", *options, out=tmp_path)
    remote = run("analyze", trail.uri, "--endpoint-url", f"http://{moto}", *options, out=tmp_path)
    assert remote == local
    assert local[1]["verdicts"]


def test_signatures_in_the_objects_metadata_are_verified(trail: Trail, tmp_path: Path) -> None:
    signer = Signer()
    chain = DigestChain(signer, bucket=trail.name)
    day = date(2026, 10, 1)
    chain.days(day, 1, {day: {chain.log_key(): trail_file(record())}})
    trail.put(chain.objects(), chain.signatures())
    keys = tmp_path / "keys.json"
    keys.write_bytes(signer.public_keys_json())
    assert trail.ingest() == ExitCode.OK
    code, answer = run("coverage", "--store", trail.store, "--public-keys", keys, out=tmp_path)
    assert (code, answer["signature"]) == (ExitCode.OK, "verified")
    assert answer["chains"][0]["signatures"] == {"verified": 24, "absent": 0, "INVALID": 0}


def test_only_reading_requests_are_made_of_the_bucket(trail: Trail) -> None:
    trail.put(many(3))
    assert trail.ingest() == ExitCode.OK
    assert set(trail.proxy.operations()) <= READS


def test_filters_choose_the_folders_that_are_listed(trail: Trail) -> None:
    days = [date(2026, 10, day) for day in (1, 2, 3, 4)]
    for day in days:
        trail.put(log(day, f"e{day.day}") | log(day, f"o{day.day}", account=OTHER_ACCOUNT))
        trail.put(log(day, f"r{day.day}", region="eu-north-1"))
    filters = ("--since", "2026-10-02", "--until", "2026-10-03", "--account", ACCOUNT, "--region", "eu-west-1")
    assert trail.ingest(*filters) == ExitCode.OK
    # The folder of the day after the last one is read too: an event of an evening may be delivered there.
    assert ids(trail.store) == ["e2", "e3"]
    assert sorted(trail.listed_days()) == ["2026/10/02/", "2026/10/03/"]
    assert not any(OTHER_ACCOUNT in place or "eu-north-1" in place for place in trail.proxy.listed())


def test_folders_that_are_left_out_are_remarked_and_not_listed(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(1))
    trail.put({f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/eu-west-1/2026/10/01/x.json.gz": b"x"})
    trail.put({f"AWSLogs/{ACCOUNT}/CloudTrail-Aggregated/eu-west-1/2026/10/01/x.json.gz": b"x"})
    assert trail.ingest() == ExitCode.OK
    told = capsys.readouterr().err
    assert f"{trail.uri}AWSLogs/{ACCOUNT}/CloudTrail-Insight/: not read: Insight events are no calls" in told
    assert "CloudTrail-Aggregated/: not read" in told
    assert not any("-Insight" in asked or "-Aggregated" in asked for asked in trail.proxy.listed())


# What would be read


def test_a_dry_run_tells_objects_bytes_and_price_and_reads_nothing(trail: Trail) -> None:
    files = many(4)
    trail.put(files)
    size = sum(len(gzip.compress(trail_file(*records), mtime=0)) for records in files.values())
    code, answer = trail.run("analyze", "--dry-run", "--store", trail.store, "--get-price", "0.5")
    assert code == ExitCode.OK
    assert (answer["objects"], answer["bytes"], answer["settled"]) == (4, size, 0)
    assert (answer["get_requests"], answer["usd"]) == (4, 0.002)
    assert answer["shares"] == [
        {"account_id": ACCOUNT, "region": "eu-west-1", "folder": "CloudTrail", "objects": 4, "bytes": size}
    ]
    assert trail.proxy.fetched() == []
    assert not trail.store.exists()


def test_a_dry_run_of_ingest_reads_nothing_and_makes_no_store(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(4))
    assert trail.ingest("--dry-run", "--get-price", "0.4") == ExitCode.OK
    out = capsys.readouterr().out
    assert out.startswith("4 objects of 0.0 MB would be read; 0 are known and would not.")
    assert "about $0.0016 (at $0.4 for 1,000)" in out
    assert trail.proxy.fetched() == []
    assert not trail.store.exists()


def test_a_dry_run_leaves_out_what_the_store_knows(trail: Trail) -> None:
    trail.put(log(TODAY, "a"))
    trail.ingest()
    trail.put(log(TODAY, "b", region="us-east-1"))
    _, answer = trail.run("analyze", "--dry-run", "--store", trail.store)
    assert (answer["objects"], answer["settled"]) == (1, 1)
    assert ids(trail.store) == ["a"]


def test_a_dry_run_names_what_it_cannot_list_and_ends_in_exit_code_4(trail: Trail) -> None:
    trail.put(log(TODAY, "a") | log(TODAY, "b", region="us-east-1"))
    trail.proxy.fail(Trouble.FORBIDDEN, f"prefix=AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/")
    code, answer = trail.run("analyze", "--dry-run", "--store", trail.store)
    assert (code, answer["objects"]) == (ExitCode.INPUT_REJECTED, 1)
    assert [entry["reason"] for entry in answer["unreadable"]] == ["forbidden"]


def test_a_dry_run_tells_which_folders_it_leaves_out(trail: Trail, capsys: pytest.CaptureFixture[str]) -> None:
    trail.put(many(1))
    trail.put({f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/eu-west-1/2026/10/01/x.json.gz": b"x"})
    trail.ingest("--dry-run")
    assert "CloudTrail-Insight/: not read" in capsys.readouterr().err


# Running again


def test_a_rerun_lists_only_days_that_can_have_changed_and_reads_what_is_new(trail: Trail) -> None:
    trail.put(log(OLD, "old") | log(TODAY - timedelta(days=1), "recent"))
    assert trail.ingest() == ExitCode.OK
    assert trail.listed_days() == [""]
    trail.put(log(TODAY, "new"))
    assert trail.ingest() == ExitCode.OK
    (listed,) = trail.listed_days()
    assert listed >= f">{REGION}{TODAY - timedelta(days=4):%Y/%m/%d}"
    assert trail.proxy.fetched() == [key(day=str(TODAY))]
    assert ids(trail.store) == ["new", "old", "recent"]


def test_list_all_lists_every_day_and_finds_what_came_late(trail: Trail) -> None:
    trail.put(log(OLD, "old"))
    trail.ingest()
    late = key(day=str(OLD), name="b" * 16)
    trail.put({late: [record("late")]})
    trail.ingest()
    assert ids(trail.store) == ["old"]
    assert trail.ingest("--list-all") == ExitCode.OK
    assert trail.listed_days() == [""]
    assert trail.proxy.fetched() == [late]
    assert ids(trail.store) == ["late", "old"]


def test_an_earlier_since_lists_the_older_days(trail: Trail) -> None:
    older = OLD - timedelta(days=30)
    trail.put(log(older, "older") | log(OLD, "old"))
    trail.ingest("--since", OLD.isoformat())
    assert ids(trail.store) == ["old"]
    trail.ingest("--since", older.isoformat())
    assert ids(trail.store) == ["old", "older"]
    assert trail.proxy.fetched() == [key(day=str(older))]


def test_days_after_an_earlier_until_are_listed(trail: Trail) -> None:
    trail.put(log(OLD, "old") | log(OLD + timedelta(days=10), "later"))
    trail.ingest("--until", (OLD + timedelta(days=1)).isoformat())
    assert ids(trail.store) == ["old"]
    trail.ingest()
    assert ids(trail.store) == ["later", "old"]


def test_a_region_that_was_left_out_at_first_is_listed_whole(trail: Trail) -> None:
    trail.put(log(OLD, "a") | log(OLD, "b", region="eu-north-1"))
    trail.ingest("--region", "eu-west-1")
    trail.ingest()
    assert ids(trail.store) == ["a", "b"]


def test_an_object_that_failed_is_asked_for_again_although_its_day_is_settled(trail: Trail) -> None:
    trail.put(log(OLD, "a") | log(TODAY, "b"))
    trail.proxy.fail(Trouble.SERVER_ERROR, key(day=str(OLD)))
    assert trail.ingest() == ExitCode.INPUT_REJECTED
    trail.proxy.faults.clear()
    assert trail.ingest() == ExitCode.OK
    assert trail.proxy.fetched() == [key(day=str(OLD))]
    assert ids(trail.store) == ["a", "b"]


def test_a_folder_whose_listing_failed_is_listed_whole_the_next_time_and_settled_then(trail: Trail) -> None:
    trail.put(log(OLD, "a"))
    trail.proxy.fail(Trouble.SLOW_DOWN, f"prefix={REGION}")
    assert trail.ingest() == ExitCode.INPUT_REJECTED
    trail.proxy.faults.clear()
    assert trail.ingest() == ExitCode.OK
    assert (trail.listed_days(), ids(trail.store)) == ([""], ["a"])
    assert trail.ingest() == ExitCode.OK
    assert trail.listed_days() != [""]


# Failures

TROUBLES = {
    Trouble.SLOW_DOWN: "throttled",
    Trouble.SERVER_ERROR: "server_error",
    Trouble.CUT: "connection_lost",
    Trouble.REFUSED: "connection_lost",
    Trouble.SHORT: "wrong_length",
    Trouble.HUNG: "timed_out",
    Trouble.FORBIDDEN: "forbidden",
    Trouble.NO_SUCH_KEY: "gone",
}


def _hurried(access: AwsAccess) -> S3Access:
    return S3Access(endpoint_url=access.endpoint_url, read_timeout=0.2)


@pytest.mark.parametrize(("trouble", "reason"), TROUBLES.items())
def test_an_object_that_does_not_come_is_counted_and_named_and_mended_by_the_next_run(
    trail: Trail,
    trouble: Trouble,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trouble is Trouble.HUNG:
        monkeypatch.setattr(AwsAccess, "s3", property(_hurried))
    files = many(5)
    bad = key(name=f"{3:016}")
    trail.put(files)
    trail.proxy.fail(trouble, bad, seconds=0.5)
    assert trail.ingest() == ExitCode.INPUT_REJECTED
    words = reason.replace("_", " ")
    told = capsys.readouterr().err
    assert f"{trail.uri}{bad}: rejected: {words}" in told
    assert f"5 files seen: 4 ingested, 1 rejected (1 {words}); 4 records seen: 4 kept\n" in told
    trail.proxy.faults.clear()
    assert trail.ingest() == ExitCode.OK
    assert "5 files seen: 1 ingested, 4 unchanged and not read again; 1 record seen: 1 kept\n" in (
        capsys.readouterr().err
    )
    assert ids(trail.store) == [f"e{index:03}" for index in range(5)]


@pytest.mark.parametrize("trouble", [Trouble.SLOW_DOWN, Trouble.CUT, Trouble.FORBIDDEN])
def test_a_folder_that_cannot_be_listed_is_counted_and_named_and_mended_by_the_next_run(
    trail: Trail, trouble: Trouble, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(log(OLD, "a") | log(OLD, "b", region="us-east-1"))
    trail.proxy.fail(trouble, f"prefix={REGION}")
    assert trail.ingest() == ExitCode.INPUT_REJECTED
    told = capsys.readouterr().err
    assert f"{trail.uri}{REGION}: rejected: {TROUBLES[trouble].replace('_', ' ')}" in told
    assert "1 ingested, 1 rejected" in told
    trail.proxy.faults.clear()
    assert trail.ingest() == ExitCode.OK
    assert ids(trail.store) == ["a", "b"]
    _, answer = run("report", "--store", trail.store, out=trail.store.parent)
    assert answer["balance"]["files"]["rejected"] == 0


WINDOW = ("--since", "2026-10-01", "--until", "2026-10-15")


@pytest.mark.parametrize(
    ("refused", "options"),
    [
        ("", ()),
        ("AWSLogs/", ()),
        (f"AWSLogs/{ACCOUNT}/", ()),
        (f"AWSLogs/{ACCOUNT}/CloudTrail/", WINDOW),
        (REGION, ()),
        (REGION, WINDOW),
    ],
)
def test_what_could_not_be_listed_is_not_declared_to_be_observed(
    trail: Trail, tmp_path: Path, refused: str, options: tuple[str, ...]
) -> None:
    described = write_tree(tmp_path / "described", trail_description())
    first = date(2026, 10, 1)
    trail.put(log(first, "a", region="eu-north-1") | log(first + timedelta(days=13), "b", region="eu-north-1"))
    trail.put(log(first, "c"))
    sources = [
        trail.uri,
        str(described),
        *trail.endpoint,
        "--store",
        str(trail.store),
        "--min-days",
        "14",
        *options,
    ]
    _, answer = run("analyze", *sources, out=tmp_path)
    assert coverage_of(answer, "eu-west-1")["declared"] == 14
    trail.proxy.fail(Trouble.FORBIDDEN, f"prefix={refused}" if refused else "list-type")
    _, answer = run("analyze", *sources, "--list-all", out=tmp_path)
    assert coverage_of(answer, "eu-west-1")["declared"] == 0


def trail_description() -> dict[str, bytes]:
    """A trail of the account that records everything since before the logs begin."""
    folder = SAMPLE.parent / "trail"
    return {
        path.name: path.read_bytes().replace(OTHER_ACCOUNT.encode(), ACCOUNT.encode())
        for path in folder.glob("*.json")
    }


def coverage_of(answer: Any, region: str) -> Any:
    """The days of a region of the account by level."""
    (row,) = [row for row in answer["verdicts"] if (row["account_id"], row["region"]) == (ACCOUNT, region)]
    return row["coverage"]


def test_trouble_that_passes_leaves_no_trace(trail: Trail) -> None:
    trail.put(many(30))
    for index, trouble in enumerate((Trouble.SLOW_DOWN, Trouble.SERVER_ERROR, Trouble.CUT, Trouble.SHORT)):
        trail.proxy.fail(trouble, key(name=f"{index * 5:016}"), times=3)
        trail.proxy.fail(trouble, "list-type", times=1)
    assert trail.ingest() == ExitCode.OK
    assert ids(trail.store) == [f"e{index:03}" for index in range(30)]


def test_an_object_that_is_deleted_after_the_listing_is_named(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(2))
    deleted = key(name=f"{1:016}")

    def delete(asked: Asked) -> None:
        if asked.operation == "GetObject":
            trail.client.delete_object(Bucket=trail.name, Key=deleted)

    trail.proxy.before_answer = delete
    assert trail.ingest("--threads", "1") == ExitCode.INPUT_REJECTED
    assert f"{deleted}: rejected: gone" in capsys.readouterr().err


def test_an_object_with_other_bytes_is_read_again_and_one_with_the_same_is_not(trail: Trail) -> None:
    trail.put(log(TODAY, "a"))
    trail.ingest()
    trail.put(log(TODAY, "a"))
    trail.ingest()
    assert trail.proxy.fetched() == []
    trail.put(log(TODAY, "b"))
    trail.ingest()
    assert trail.proxy.fetched() == [key(day=str(TODAY))]


# A run that is stopped in the middle

_LITTLE_BY_LITTLE = """
import functools
import analyzer.ingest, analyzer.workflow
from analyzer.__main__ import main
analyzer.ingest.IngestOptions = functools.partial(analyzer.ingest.IngestOptions, commit_files=40)
main()
"""


# Ctrl-C while DuckDB works, which reports it as an error of its own: many statements, as it ends one first.
_AT_WORK = """
import os, signal, threading
import duckdb
import analyzer.store
commit = analyzer.store.Store.commit
def at_work(*arguments):
    committed = commit(*arguments)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    for _ in range(1000):
        duckdb.sql("SELECT sum(range) FROM range(30000000)").fetchall()
    return committed
analyzer.store.Store.commit = at_work
"""


def test_ctrl_c_while_the_database_works_waits_for_no_object(trail: Trail) -> None:
    trail.put(many(120))
    ended = threading.Event()

    def hold(asked: Asked) -> None:
        if asked.key.endswith(f"{110:016}.json.gz"):
            ended.wait(120)

    trail.proxy.before_answer = hold
    command = [
        sys.executable,
        "-c",
        _AT_WORK + _LITTLE_BY_LITTLE,
        "ingest",
        trail.uri,
        "--store",
        str(trail.store),
    ]
    with subprocess.Popen([*command, *trail.endpoint], stderr=subprocess.PIPE, text=True) as process:
        try:
            _, told = process.communicate(timeout=60)
        finally:
            ended.set()
            process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted; what was committed is kept" in told


def _stopped(trail: Trail, how: signal.Signals) -> int:
    """An ingest of its own process that is stopped while it waits for an object; returns how it ended."""
    command = [sys.executable, "-c", _LITTLE_BY_LITTLE, "ingest", trail.uri, "--store", str(trail.store)]
    process = subprocess.Popen([*command, *trail.endpoint], stderr=subprocess.DEVNULL)
    ended = threading.Event()

    def stop(asked: Asked) -> None:
        if asked.key.endswith(f"{110:016}.json.gz"):
            # Objects that were asked for earlier are in the store: some of them, at least.
            while not list((trail.store / "events").rglob("*.parquet")):
                ended.wait(0.01)
            process.send_signal(how)
            ended.wait(60)

    trail.proxy.before_answer = stop
    try:
        return process.wait(timeout=60)
    finally:
        ended.set()
        process.kill()
        process.wait()
        trail.proxy.before_answer = lambda _: None


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, ExitCode.INTERRUPTED)]
)
def test_a_run_that_is_stopped_is_continued_and_ends_in_the_store_of_an_undisturbed_one(
    trail: Trail, how: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(120))
    assert _stopped(trail, how) == code
    assert trail.ingest() == ExitCode.OK
    told = capsys.readouterr().err
    assert "unchanged and not read again" in told
    assert "duplicate" not in told
    stopped = ids(trail.store), content(trail.store)
    trail.store = trail.store.with_name("undisturbed")
    trail.ingest()
    assert stopped == (ids(trail.store), content(trail.store))


# Who asks


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("command", ["analyze", "ingest"])
def test_without_credentials_there_is_one_line_and_exit_code_1(
    trail: Trail, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(1))
    assert command_line([command, trail.uri, "--store", str(trail.store), *trail.endpoint]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "Unable to locate credentials" in told.err


def test_credentials_that_expire_on_the_way_end_the_run_and_the_next_one_goes_on(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.put(many(5))
    trail.proxy.fail(Trouble.EXPIRED, key(name=f"{3:016}"))
    assert trail.ingest() == ExitCode.FAILED
    assert "sign in again" in capsys.readouterr().err
    trail.proxy.faults.clear()
    assert trail.ingest() == ExitCode.OK
    assert len(ids(trail.store)) == 5


@pytest.mark.parametrize("uri", ["s3://", "s3:///prefix", "s3://b"])
def test_a_uri_without_a_bucket_ends_in_exit_code_2(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["analyze", uri]) == ExitCode.USAGE
    assert "names no bucket" in capsys.readouterr().err


def test_a_bucket_that_does_not_exist_is_named(trail: Trail, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["analyze", "s3://no-such-bucket/", *trail.endpoint]) == ExitCode.INPUT_REJECTED
    assert "s3://no-such-bucket/: rejected: missing" in capsys.readouterr().err


@pytest.mark.usefixtures("discovery")
def test_with_credentials_the_trails_are_asked_for(trail: Trail) -> None:
    trail.put(many(1))
    assert trail.run("analyze")[0] == ExitCode.OK
    assert "POST /" in trail.proxy.operations()


@pytest.mark.usefixtures("nobody", "discovery")
def test_an_unsigned_request_needs_no_credentials_and_asks_for_no_trails(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.client.put_bucket_acl(Bucket=trail.name, ACL="public-read")
    for name, records in many(2).items():
        body = gzip.compress(trail_file(*records), mtime=0)
        trail.client.put_object(Bucket=trail.name, Key=name, Body=body, ACL="public-read")
    assert trail.ingest("--no-sign-request") == ExitCode.OK
    assert len(ids(trail.store)) == 2
    assert set(trail.proxy.operations()) <= READS
    assert not any("authorization" in asked.headers for asked in trail.proxy.asked)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_requester_who_pays_says_so(trail: Trail) -> None:
    trail.put(many(1))
    assert trail.ingest("--request-payer") == ExitCode.OK
    asked = [asked for asked in trail.proxy.asked if asked.operation in ("ListObjectsV2", "GetObject")]
    assert {asked.headers.get("x-amz-request-payer") for asked in asked} == {"requester"}


@pytest.mark.usefixtures("nobody", "discovery")
def test_a_profile_is_used_for_everything(trail: Trail, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile audit]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text(
        "[audit]\naws_access_key_id = AKIAAUDITEXAMPLE\naws_secret_access_key = not-a-real-secret\n"
    )
    trail.put(many(1))
    assert trail.ingest("--profile", "audit") == ExitCode.OK
    signed = [asked.headers["authorization"] for asked in trail.proxy.asked]
    assert all("AKIAAUDITEXAMPLE" in text for text in signed)
