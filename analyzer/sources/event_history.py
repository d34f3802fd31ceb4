"""CloudTrail's Event history: the STS events of the last 90 days, asked day by day and region by region.

Every account has it without a trail, and it always holds management events. `LookupEvents` takes one filter
(here the event source), answers 50 events a page, and is limited to 2 requests a second for each account and
region (CloudTrail user guide, "Quotas in AWS CloudTrail"). Each UTC day of each region is one document of the
ledger, so that a run that was interrupted goes on with the days that are not there yet.
"""

import json
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, TypeVar

from analyzer.cloudtrail import STS
from analyzer.errors import SourceError
from analyzer.log_key import event_history_uri
from analyzer.sources.aws_identity import AwsSession
from analyzer.sources.s3_failures import Failure
from analyzer.sources.source import Content, Contents, Listed, SourceObject, Unreadable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

EVENT_HISTORY = "event-history"
"""How the user names this source."""

DAYS_KEPT = 90
_SETTLING = timedelta(hours=1)
"""Events appear within minutes (15 on average, says AWS); a day is asked for when it is over for so long."""

_PAUSE = 0.5
_PAGE = 50
_COMPLETE = "complete"
_FIRST_HOLD, _LONGEST_HOLD = 1.0, 30.0
_ATTEMPTS = {"throttled": 10, "connection_lost": 5, "server_error": 5}
"""How often a request is made at most, by the reason why it failed; what is not here is final."""

_STALE_TOKEN = "InvalidNextTokenException"  # noqa: S105 - an error code of CloudTrail
_REASONS = {
    "AccessDenied": "forbidden",
    "AccessDeniedException": "forbidden",
    "OperationNotPermittedException": "forbidden",
    "UnrecognizedClientException": "forbidden",
    "InvalidClientTokenId": "forbidden",
    "ThrottlingException": "throttled",
    "Throttling": "throttled",
    "TooManyRequestsException": "throttled",
    "RequestLimitExceeded": "throttled",
}
_UNKNOWN_HERE = frozenset({"UnrecognizedClientException", "InvalidClientTokenId"})
"""Credentials that were good for sts:GetCallerIdentity and are not known in a region."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})

Answer = TypeVar("Answer")


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

    def hold(self, seconds: float) -> None:
        """Let nothing pass for so long from now on."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


class _Queue:
    """Work that is done in its order, by a thread that lives as long as there is some.

    What nobody waits for any more is not done: a run that has failed asks AWS for nothing further, and a
    program that ends does not wait.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[weakref.ref[Future[Any]], Callable[[], Any]]] = deque()
        self._is_running = False
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        """Do it when its turn comes, as long as the future that is given back is held."""
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((weakref.ref(future), work))
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name=EVENT_HISTORY, daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                waiting, work = self._waiting.popleft()
            if (future := waiting()) is not None:
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            del future


@dataclass(frozen=True, slots=True)
class _RegionDesk:
    """One region: its client, its pace and its queue, so that regions wait for themselves only."""

    client: Any
    pace: Pace
    queue: _Queue = field(default_factory=_Queue)


class EventHistory:
    """The STS events that CloudTrail keeps for every account, in the regions named."""

    is_slow = True

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
        desks = [(region, self._desk(region)) for region in self._regions]
        probes = [(region, desk.queue.submit(partial(_probe, desk))) for region, desk in desks]
        open_regions = []
        for region, probe in probes:
            answer = probe.result()
            if isinstance(answer, Failure):
                uri = f"{EVENT_HISTORY}:/{account_id}/{region}"
                yield Unreadable(uri, f"{EVENT_HISTORY} {region}", answer.reason, answer.detail)
            else:
                open_regions.append(region)
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
        futures = [self._desk(_region(item)).queue.submit(partial(self._content, item)) for item in items]
        return lambda: [future.result() for future in futures]

    def open(self, item: SourceObject) -> IO[bytes]:
        """A day as a stream. Raises OSError when it cannot be had."""
        data = self.read(item)
        if isinstance(data, Unreadable):
            raise OSError(data.detail)
        return BytesIO(data)

    def _desk(self, region: str) -> _RegionDesk:
        if region not in self._desks:
            # botocore's own retries would pass the pace by.
            client = self._session.client("cloudtrail", region, attempts=1)
            self._desks[region] = _RegionDesk(client, self._make_pace())
        return self._desks[region]

    def _content(self, item: SourceObject) -> Content | Unreadable:
        desk, key = self._desk(_region(item)), item.log_key
        if key is None:
            return Unreadable(item.uri, item.name, "gone", "no such day")
        events = _events(desk, key.day)
        if isinstance(events, Failure):
            return Unreadable(item.uri, item.name, events.reason, events.detail)
        document = {"Events": [{"CloudTrailEvent": event} for event in events]}
        return Content(json.dumps(document, separators=(",", ":")).encode())


def _probe(desk: _RegionDesk) -> Failure | None:
    """Why a region does not answer at all, or None; one small request tells."""
    answer = _ask(desk, MaxResults=1)
    return answer if isinstance(answer, Failure) else None


class _StaleToken(Exception):
    """CloudTrail does not take the token that it gave for the next page, or not any more."""


def _events(desk: _RegionDesk, day: date) -> list[str] | Failure:
    """The records of a UTC day. Where the pages cannot be gone on with, they are begun once more."""
    try:
        return _pages(desk, day)
    except _StaleToken:
        pass
    try:
        return _pages(desk, day)
    except _StaleToken as error:
        return Failure("server_error", str(error))


def _pages(desk: _RegionDesk, day: date) -> list[str] | Failure:
    """The records of all pages of a UTC day. Raises _StaleToken."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # Both ends are included and times have whole seconds.
    span = {"StartTime": start, "EndTime": start + timedelta(days=1, seconds=-1)}
    events: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = _ask(desk, MaxResults=_PAGE, **span, **token)
        if isinstance(answer, Failure):
            return answer
        events += [str(event.get("CloudTrailEvent", "")) for event in answer.get("Events", ())]
        if not answer.get("NextToken"):
            return events
        token = {"NextToken": answer["NextToken"]}


def _ask(desk: _RegionDesk, **what: Any) -> dict[str, Any] | Failure:
    """One page, asked for again as long as that may help, never faster than the pace.

    Raises _StaleToken, and SourceError when the credentials have expired: nothing further would come.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    attributes = [{"AttributeKey": "EventSource", "AttributeValue": STS}]
    attempt = 0
    while True:
        attempt += 1
        desk.pace.wait()
        try:
            answer: dict[str, Any] = desk.client.lookup_events(LookupAttributes=attributes, **what)
        except ClientError as error:
            failure = _failure(error)
        except BotoCoreError as error:
            failure = Failure("connection_lost", str(error))
        else:
            return answer
        if attempt >= _ATTEMPTS.get(failure.reason, 1):
            return failure
        desk.pace.hold(min(_LONGEST_HOLD, _FIRST_HOLD * 2.0 ** (attempt - 1)))


def _failure(error: "ClientError") -> Failure:
    """What an answer that is an error means for the request."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == _STALE_TOKEN:
        raise _StaleToken(str(error))
    if code in _EXPIRED:
        raise SourceError(f"AWS: {error}; sign in again and run again: it goes on from there") from None
    detail = str(error)
    if code in _UNKNOWN_HERE:
        detail += "; if this is an opt-in region, the account may not have enabled it"
    return Failure(_REASONS.get(code, "server_error"), detail)


def _region(item: SourceObject) -> str:
    key = item.log_key
    return key.region if key else ""
