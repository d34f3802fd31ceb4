"""CloudTrail's Event history: the STS events of the last 90 days, asked day by day and region by region.

Every account has it without a trail, and it always holds management events. `LookupEvents` takes one filter
(here the event source), answers 50 events a page, and is limited to 2 requests a second for each account and
region (CloudTrail user guide, "Quotas in AWS CloudTrail"). Each UTC day of each region is one document of the
ledger, so that a run that was interrupted goes on with the days that are not there yet.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import IO, Any

from analyzer.cloudtrail import STS
from analyzer.log_key import event_history_uri
from analyzer.sources.aws_identity import AwsSession
from analyzer.sources.source import Content, Contents, Listed, SourceObject, Unreadable

EVENT_HISTORY = "event-history"
"""How the user names this source."""

DAYS_KEPT = 90
_SETTLING = timedelta(hours=1)
"""Events appear within minutes (15 on average, says AWS); a day is asked for when it is over for so long."""

_PAUSE = 0.5
_PAGE = 50
_COMPLETE = "complete"

_REASONS = {
    "AccessDenied": "forbidden",
    "AccessDeniedException": "forbidden",
    "UnrecognizedClientException": "forbidden",
    "InvalidClientTokenId": "forbidden",
    "ThrottlingException": "throttled",
    "Throttling": "throttled",
}


def days_asked(now: datetime, since: date | None, until: date | None) -> list[date]:
    """UTC days that Event history holds in full at `now` (naive UTC) and that are in the window, oldest first."""
    first = (now - timedelta(days=DAYS_KEPT)).date() + timedelta(days=1)
    last = (now - _SETTLING).date() - timedelta(days=1)
    first = max(first, since) if since else first
    last = min(last, until - timedelta(days=1)) if until else last
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


class Pace:
    """Lets requests pass at most every so many seconds. `clock` and `sleep` as in `time`."""

    def __init__(
        self,
        pause: float = _PAUSE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause, self._clock, self._sleep = pause, clock, sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may be made."""
        with self._lock:
            now = self._clock()
            at = max(now, self._next)
            self._next = at + self._pause
        if at > now:
            self._sleep(at - now)


@dataclass(slots=True)
class _RegionDesk:
    """One region: its client, its pace, and one thread, so that regions wait for themselves only."""

    client: Any
    pace: Pace
    thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix=EVENT_HISTORY)
    )


class EventHistory:
    """The STS events that CloudTrail keeps for every account, in the regions named."""

    def __init__(
        self,
        session: AwsSession,
        regions: Sequence[str],
        now: datetime,
        since: date | None = None,
        until: date | None = None,
        pace: Callable[[], Pace] = Pace,
    ) -> None:
        """Nothing is asked before something is listed. `now`: naive UTC; `until`: excluded."""
        self._session = session
        self._regions = tuple(dict.fromkeys(regions))
        self._days = days_asked(now, since, until)
        self._make_pace = pace
        self._desks: dict[str, _RegionDesk] = {}

    def list(self) -> Iterator[Listed]:
        """A document for each day and region; a region that refuses is named once. Raises SourceError."""
        account_id = self._session.caller().account_id
        open_regions = []
        for region in self._regions:
            refused = self._refusal(region)
            if refused is None:
                open_regions.append(region)
            else:
                uri = f"{EVENT_HISTORY}:/{account_id}/{region}"
                yield Unreadable(uri, f"{EVENT_HISTORY} {region}", *refused)
        for day in self._days:
            for region in open_regions:
                yield SourceObject(
                    uri=event_history_uri(account_id, region, day),
                    name=f"{EVENT_HISTORY} {region} {day}",
                    size=0,
                    version=_COMPLETE,
                    is_named=True,
                )

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """The events of one day in one region."""
        content = self.read_ahead([item])()[0]
        return content if isinstance(content, Unreadable) else content.data

    def read_ahead(self, items: Sequence[SourceObject]) -> Contents:
        """Begin to ask for days, region beside region."""
        futures = [self._desk(_region(item)).thread.submit(self._content, item) for item in items]
        return lambda: [future.result() for future in futures]

    def open(self, item: SourceObject) -> IO[bytes]:
        """A day as a stream. Raises OSError when it cannot be had."""
        data = self.read(item)
        if isinstance(data, Unreadable):
            raise OSError(data.detail)
        return BytesIO(data)

    def _desk(self, region: str) -> _RegionDesk:
        if region not in self._desks:
            self._desks[region] = _RegionDesk(self._session.client("cloudtrail", region), self._make_pace())
        return self._desks[region]

    def _refusal(self, region: str) -> tuple[str, str] | None:
        """Why a region does not answer at all, or None; one small request tells."""
        answer = self._ask(self._desk(region), MaxResults=1)
        return answer if isinstance(answer, tuple) else None

    def _content(self, item: SourceObject) -> Content | Unreadable:
        desk, key = self._desk(_region(item)), item.log_key
        if key is None:
            return Unreadable(item.uri, item.name, "gone", "no such day")
        start = datetime(key.day.year, key.day.month, key.day.day, tzinfo=UTC)
        # Both ends are included and times have whole seconds.
        span = {"StartTime": start, "EndTime": start + timedelta(days=1, seconds=-1)}
        events: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = self._ask(desk, MaxResults=_PAGE, **span, **token)
            if isinstance(answer, tuple):
                return Unreadable(item.uri, item.name, *answer)
            events += [str(event.get("CloudTrailEvent", "")) for event in answer.get("Events", ())]
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
        document = {"Events": [{"CloudTrailEvent": event} for event in events]}
        return Content(json.dumps(document, separators=(",", ":")).encode())

    @staticmethod
    def _ask(desk: _RegionDesk, **what: Any) -> dict[str, Any] | tuple[str, str]:
        """One page, or reason and detail of a failure that botocore's retries could not mend."""
        from botocore.exceptions import BotoCoreError, ClientError

        attributes = [{"AttributeKey": "EventSource", "AttributeValue": STS}]
        desk.pace.wait()
        try:
            answer: dict[str, Any] = desk.client.lookup_events(LookupAttributes=attributes, **what)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            return _REASONS.get(code, "server_error"), str(error)
        except BotoCoreError as error:
            return "connection_lost", str(error)
        return answer


def _region(item: SourceObject) -> str:
    key = item.log_key
    return key.region if key else ""
