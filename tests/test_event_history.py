"""Event history is asked day by day and region by region, no faster than AWS allows, and never twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from aws_environment import configure_aws
from aws_stub import AwsStub, Call
from trail import ACCOUNT, key, record, run, write_tree

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode, SourceError
from analyzer.ingest import Ingested, IngestOptions
from analyzer.sources import SourceObject, Unreadable
from analyzer.sources.aws_identity import AwsSession, Identity
from analyzer.sources.event_history import DAYS_KEPT, EventHistory, Pace, days_asked
from analyzer.store import open_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
TODAY = datetime.now(UTC).date()
NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 12)
FIRST = TODAY - timedelta(days=3)
"""The first of the three days that most tests ask for."""


@pytest.fixture(autouse=True)
def _credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test says is configured, and nobody asks for the identity of this machine."""
    configure_aws(monkeypatch, tmp_path)


@pytest.fixture
def aws() -> Iterator[AwsStub]:
    with AwsStub() as running:
        yield running


class Clock:
    """Time that passes only by being slept through."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def history(aws: AwsStub, *regions: str, days: int = 3, pace: Any = None) -> EventHistory:
    """Event history of so many days from FIRST on."""
    session = AwsSession(Identity(endpoint_url=aws.url))
    return EventHistory(
        session, regions, NOW, FIRST, FIRST + timedelta(days=days), pace or (lambda: Clock().pace())
    )


def ingest(store: Path, source: EventHistory, **options: Any) -> Ingested:
    return Session([source], store, IngestOptions(**options), catalogue=CATALOGUE).ingest(store)


def event(
    event_id: str, day: date = FIRST, time: str = "12:00:00", region: str = "eu-west-1", **fields: Any
) -> Any:
    return record(event_id, eventTime=f"{day}T{time}Z", awsRegion=region, **fields)


def ids(store: Path) -> list[str]:
    with open_store(store, catalogue=CATALOGUE) as opened:
        return [
            row["event_id"] for row in opened.ask_ad_hoc("SELECT event_id FROM events ORDER BY ALL").to_pylist()
        ]


def entries(source: EventHistory) -> tuple[list[SourceObject], list[Unreadable]]:
    found = list(source.list())
    days = [entry for entry in found if isinstance(entry, SourceObject)]
    return days, [entry for entry in found if isinstance(entry, Unreadable)]


# Which days


def test_only_days_that_are_kept_from_midnight_to_midnight_are_asked_for() -> None:
    days = days_asked(datetime(2026, 10, 10, 12), None, None)
    assert (days[0], days[-1]) == (date(2026, 7, 13), date(2026, 10, 9))
    assert len(days) == DAYS_KEPT - 1


def test_a_day_is_asked_for_when_its_last_events_have_had_time_to_come() -> None:
    assert days_asked(datetime(2026, 10, 10, 0, 59), None, None)[-1] == date(2026, 10, 8)
    assert days_asked(datetime(2026, 10, 10, 1, 0), None, None)[-1] == date(2026, 10, 9)


def test_the_window_restricts_the_days() -> None:
    days = days_asked(datetime(2026, 10, 10, 12), date(2026, 10, 1), date(2026, 10, 3))
    assert days == [date(2026, 10, 1), date(2026, 10, 2)]


def test_a_window_before_all_that_is_kept_asks_for_nothing() -> None:
    assert days_asked(datetime(2026, 10, 10, 12), date(2025, 1, 1), date(2025, 2, 1)) == []


# What is asked


def test_all_pages_of_all_days_and_regions_come(aws: AwsStub, tmp_path: Path) -> None:
    aws.page = 2
    aws.events["eu-west-1"] = [event(f"a{n}", FIRST + timedelta(days=n % 3)) for n in range(15)]
    aws.events["us-west-2"] = [event("b", region="us-west-2")]
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1", "us-west-2"))
    assert ids(tmp_path / "store") == sorted([*(f"a{n}" for n in range(15)), "b"])
    assert ingested.balance.files.ingested == 6
    assert set(aws.days("eu-west-1").values()) == {3}


def test_the_first_and_the_last_second_of_a_day_belong_to_it_and_to_no_other(aws: AwsStub, tmp_path: Path) -> None:
    aws.events["eu-west-1"] = [event("first", time="00:00:00"), event("last", time="23:59:59")]
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1"))
    assert (ingested.balance.records.kept, ingested.balance.records.duplicate) == (2, 0)
    assert ids(tmp_path / "store") == ["first", "last"]


def test_only_sts_is_asked_for(aws: AwsStub, tmp_path: Path) -> None:
    ingest(tmp_path / "store", history(aws, "eu-west-1"))
    asked = {json.dumps(call.what["LookupAttributes"]) for call in aws.asked("LookupEvents")}
    assert asked == {'[{"AttributeKey": "EventSource", "AttributeValue": "sts.amazonaws.com"}]'}


def test_a_quiet_day_is_ingested_and_nothing_is_wrong_with_it(aws: AwsStub, tmp_path: Path) -> None:
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1"))
    assert not ingested.has_rejections
    assert ingested.balance.files.ingested == 3


def test_an_event_that_a_log_file_holds_too_is_kept_once(aws: AwsStub, tmp_path: Path) -> None:
    twice = event("twice")
    aws.events["eu-west-1"] = [twice]
    logs, store = write_tree(tmp_path / "logs", {key(day=str(FIRST)): [twice]}), tmp_path / "store"
    assert command_line(["ingest", str(logs), "--store", str(store)]) == ExitCode.OK
    assert ingest(store, history(aws, "eu-west-1")).balance.records.duplicate == 1
    assert ids(store) == ["twice"]


def test_nothing_is_asked_before_something_is_listed(aws: AwsStub) -> None:
    history(aws, "eu-west-1")
    assert aws.calls == []


# How fast


def test_requests_pass_at_most_every_half_second() -> None:
    clock = Clock()
    pace = clock.pace()
    passed = []
    for _ in range(5):
        pace.wait()
        passed.append(clock.now)
    assert [after - before for before, after in pairwise(passed)] == [0.5] * 4


def test_a_pause_that_was_made_anyway_is_not_made_again() -> None:
    clock = Clock()
    pace = clock.pace()
    pace.wait()
    clock.now += 60
    pace.wait()
    assert clock.now == 1060


def test_nothing_passes_while_the_pace_holds() -> None:
    clock = Clock()
    pace = clock.pace()
    pace.hold(30)
    pace.wait()
    assert clock.now == 1030


def test_every_request_waits_for_the_pace_those_that_are_made_again_too(aws: AwsStub, tmp_path: Path) -> None:
    clock = Clock()
    seen: list[float] = []
    aws.before_answer = lambda call: seen.append(clock.now) if call.action == "LookupEvents" else None
    aws.page = 1
    aws.events["eu-west-1"] = [event(str(n)) for n in range(4)]
    aws.fail("LookupEvents", code="ThrottlingException", times=3, after=2)
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1", pace=clock.pace))
    assert not ingested.has_rejections
    assert all(after - before >= 0.5 for before, after in pairwise(seen))
    assert len(aws.asked("LookupEvents")) == 1 + 4 + 2 + 3
    assert clock.now - 1000 == (len(aws.asked("LookupEvents")) - 4) * 0.5 + 1 + 2 + 4


def test_a_region_does_not_wait_for_another(aws: AwsStub, tmp_path: Path) -> None:
    together = Barrier(2)

    def meet(call: Call) -> None:
        if "StartTime" in call.what:
            together.wait(timeout=30)

    aws.before_answer = meet
    assert not ingest(tmp_path / "store", history(aws, "eu-west-1", "us-west-2")).has_rejections


# What goes wrong


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500), ("ServiceUnavailable", 503)]
)
def test_what_passes_is_waited_for(code: str, status: int, aws: AwsStub, tmp_path: Path) -> None:
    aws.events["eu-west-1"] = [event("e")]
    aws.fail("LookupEvents", code=code, times=3, after=1, status=status)
    assert not ingest(tmp_path / "store", history(aws, "eu-west-1")).has_rejections
    assert ids(tmp_path / "store") == ["e"]


def test_a_day_that_does_not_come_is_named_and_asked_for_again_by_the_next_run(
    aws: AwsStub, tmp_path: Path
) -> None:
    aws.fail("LookupEvents", code="ThrottlingException", times=10, after=2)
    first = ingest(tmp_path / "store", history(aws, "eu-west-1"))
    assert first.balance.files_rejected == {"throttled": 1}
    aws.calls.clear()
    second = ingest(tmp_path / "store", history(aws, "eu-west-1"))
    assert (second.balance.files.ingested, second.balance.files.unchanged) == (1, 2)
    assert list(aws.days("eu-west-1")) == [str(FIRST + timedelta(days=1))]


def test_a_region_that_refuses_is_named_once_and_the_others_go_on(aws: AwsStub, tmp_path: Path) -> None:
    aws.fail("LookupEvents", "eu-west-1")
    aws.events["us-west-2"] = [event("b", region="us-west-2")]
    days, (refused,) = entries(history(aws, "eu-west-1", "us-west-2"))
    assert (refused.name, refused.reason) == ("event-history eu-west-1", "forbidden")
    assert "AccessDeniedException" in refused.detail
    assert {item.log_key.region for item in days if item.log_key} == {"us-west-2"}
    assert ingest(tmp_path / "store", history(aws, "eu-west-1", "us-west-2")).balance.files.ingested == 3


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "InvalidClientTokenId"])
def test_a_region_that_does_not_know_the_credentials_may_not_be_enabled(code: str, aws: AwsStub) -> None:
    aws.fail("LookupEvents", "ap-east-1", code=code)
    _, (refused,) = entries(history(aws, "ap-east-1"))
    assert "opt-in region" in refused.detail


def test_a_page_that_cannot_be_gone_on_with_begins_its_day_anew(aws: AwsStub, tmp_path: Path) -> None:
    aws.page = 1
    aws.events["eu-west-1"] = [event(str(n)) for n in range(3)]
    aws.fail("LookupEvents", code="InvalidNextTokenException", times=1, after=3)
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1", days=1))
    assert (ingested.balance.records.kept, ingested.balance.records.duplicate) == (3, 0)
    assert aws.days("eu-west-1") == {str(FIRST): 3 + 3}


def test_a_day_is_begun_anew_once_only(aws: AwsStub, tmp_path: Path) -> None:
    aws.fail("LookupEvents", code="InvalidNextTokenException", after=1)
    ingested = ingest(tmp_path / "store", history(aws, "eu-west-1", days=1))
    assert ingested.balance.files_rejected == {"server_error": 1}
    assert aws.days("eu-west-1") == {str(FIRST): 2}


def test_credentials_that_expire_end_the_run_and_what_had_come_is_kept(aws: AwsStub, tmp_path: Path) -> None:
    aws.events["eu-west-1"] = [event("e")]
    aws.fail("LookupEvents", code="ExpiredTokenException", after=2)
    with pytest.raises(SourceError, match="sign in again"):
        ingest(tmp_path / "store", history(aws, "eu-west-1"), commit_seconds=0)
    assert ids(tmp_path / "store") == ["e"]


def test_credentials_that_nobody_knows_end_it_before_anything_else_is_asked(aws: AwsStub) -> None:
    aws.fail("GetCallerIdentity", code="InvalidClientTokenId", status=403)
    with pytest.raises(SourceError, match="InvalidClientTokenId"):
        list(history(aws, "eu-west-1").list())
    assert aws.permissions() == {"sts:GetCallerIdentity"}


# Once only


def test_a_second_run_asks_only_for_the_days_that_are_new(aws: AwsStub, tmp_path: Path) -> None:
    ingest(tmp_path / "store", history(aws, "eu-west-1", days=2))
    aws.calls.clear()
    assert ingest(tmp_path / "store", history(aws, "eu-west-1")).balance.files.unchanged == 2
    assert list(aws.days("eu-west-1")) == [str(FIRST + timedelta(days=2))]


KILLED = """
import sys
from pathlib import Path
from test_event_history import CATALOGUE, history
from analyzer.ingest import IngestOptions
from analyzer.narration import Silence
from analyzer.workflow import Session

class Aws:
    url = sys.argv[1]

class Told(Silence):
    def advance(self, files, size, records):
        print("taken", flush=True)

store = Path(sys.argv[2])
Session([history(Aws, "eu-west-1")], store, IngestOptions(commit_seconds=0), Told(), CATALOGUE).ingest(store)
"""


def test_after_a_kill_the_days_that_had_come_are_not_asked_for_again(aws: AwsStub, tmp_path: Path) -> None:
    """The process is killed in the third day, at the second page; the next run begins with that day."""
    aws.page = 1
    aws.events["eu-west-1"] = [event(f"{n}{half}", FIRST + timedelta(days=n)) for n in range(3) for half in "ab"]
    reached, over = Event(), Event()

    def stall(call: Call) -> None:
        if call.what.get("NextToken") and aws.days("eu-west-1")[str(FIRST + timedelta(days=2))]:
            reached.set()
            over.wait(timeout=60)

    aws.before_answer = stall
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    arguments = [sys.executable, "-c", KILLED, aws.url, str(tmp_path / "store")]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # The first day is committed before the second is taken.
        assert [process.stdout.readline() for _ in range(2)] == [b"taken\n"] * 2
        assert reached.wait(timeout=60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    over.set()
    aws.before_answer = lambda _: None
    aws.calls.clear()
    second = ingest(tmp_path / "store", history(aws, "eu-west-1"))
    asked = set(aws.days("eu-west-1"))
    assert str(FIRST) not in asked
    assert second.balance.files.unchanged == 3 - len(asked)
    assert ids(tmp_path / "store") == ["0a", "0b", "1a", "1b", "2a", "2b"]


# The command


def analyzed(aws: AwsStub, tmp_path: Path, *options: str) -> tuple[ExitCode, Any]:
    window = ["--since", str(FIRST), "--until", str(FIRST + timedelta(days=1)), "--min-days", "1"]
    return run("analyze", "event-history", *window, "--endpoint-url", aws.url, *options, out=tmp_path)


def test_days_asked_for_are_declared_and_other_activity_is_unknown(aws: AwsStub, tmp_path: Path) -> None:
    aws.events["eu-west-1"] = [event("e")]
    code, answer = analyzed(aws, tmp_path, "--region", "eu-west-1", "--region", "us-west-2")
    rows = {row["region"]: row for row in answer["verdicts"]}
    assert code == ExitCode.OK
    assert {region: row["verdict"] for region, row in rows.items()} == {
        "eu-west-1": "keep",
        "us-west-2": "deactivate",
    }
    assert {row["coverage"]["declared"] for row in rows.values()} == {1}
    assert {row["other_activity_known"] for row in rows.values()} == {False}


def test_us_east_1_is_asked_too_because_it_logs_the_global_calls_of_every_region(
    aws: AwsStub, tmp_path: Path
) -> None:
    host = {"clientProvidedHostHeader": "sts.amazonaws.com"}
    served = {"endpointType": "global", "awsServingRegion": "us-west-2"}
    aws.events["us-east-1"] = [
        event("g", region="us-east-1", tlsDetails=host, additionalEventData={"RequestDetails": served})
    ]
    _, answer = analyzed(aws, tmp_path, "--region", "us-west-2")
    (row,) = answer["verdicts"]
    assert (row["region"], row["served_global_calls"]) == ("us-west-2", 1)


def test_other_partitions_have_no_us_east_1(aws: AwsStub, tmp_path: Path) -> None:
    analyzed(aws, tmp_path, "--region", "cn-north-1")
    assert {call.region for call in aws.asked("LookupEvents")} == {"cn-north-1"}


def test_the_table_says_that_other_activity_is_unknown(
    aws: AwsStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = ["--since", str(FIRST), "--until", str(FIRST + timedelta(days=1)), "--region", "us-west-2"]
    assert command_line(["analyze", "event-history", *window, "--endpoint-url", aws.url]) == ExitCode.OK
    assert "other activity unknown" in capsys.readouterr().out.lower()


def test_a_region_that_refuses_is_a_rejected_file_of_the_run(
    aws: AwsStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fail("LookupEvents", "us-west-2")
    code, answer = analyzed(aws, tmp_path, "--region", "eu-west-1", "--region", "us-west-2")
    assert code == ExitCode.INPUT_REJECTED
    assert {row["region"]: row["verdict"] for row in answer["verdicts"]}["us-west-2"] == "cannot_tell"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "us-west-2" in line]
    assert "cloudtrail:LookupEvents" in line


def test_all_regions_are_those_that_the_account_has_enabled(aws: AwsStub, tmp_path: Path) -> None:
    aws.regions = {"us-east-1": "ENABLED_BY_DEFAULT", "ap-east-1": "ENABLED", "af-south-1": "DISABLED"}
    code, _ = analyzed(aws, tmp_path, "--region", "all")
    assert code == ExitCode.OK
    assert {call.region for call in aws.asked("LookupEvents")} == {"us-east-1", "ap-east-1"}


def test_without_permission_to_list_regions_all_are_those_that_every_account_has(
    aws: AwsStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fail("ListRegions")
    code, _ = analyzed(aws, tmp_path, "--region", "all")
    assert code == ExitCode.OK
    asked = {call.region for call in aws.asked("LookupEvents")}
    assert len(asked) == 17
    assert {"us-east-1", "eu-west-1"} < asked
    assert "ap-east-1" not in asked
    assert "account:ListRegions" in capsys.readouterr().err


@pytest.mark.parametrize("region", ["EU", "eu west 1", "x", "eu-west-1.attacker.test/"])
def test_a_region_that_cannot_be_one_is_refused_before_anything_is_asked(
    region: str, aws: AwsStub, tmp_path: Path
) -> None:
    assert analyzed(aws, tmp_path, "--region", region)[0] == ExitCode.USAGE
    assert aws.calls == []


def test_regions_have_to_be_named(aws: AwsStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyzed(aws, tmp_path)[0] == ExitCode.USAGE
    assert "--region all" in capsys.readouterr().err
    assert aws.calls == []


def test_the_account_is_that_of_the_credentials(aws: AwsStub, tmp_path: Path) -> None:
    ingest(tmp_path / "store", history(aws, "eu-west-1", days=1))
    with open_store(tmp_path / "store", catalogue=CATALOGUE) as opened:
        assert opened.event_history_days() == [(ACCOUNT, "eu-west-1", FIRST)]
