"""A loopback server that speaks as much of STS, CloudTrail and Account as the product asks for.

Each request is told by its credential scope (service and region of SigV4) and its action. A region's Event
history is a list of records; the server filters by time as CloudTrail does: both ends included.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

from loopback import LoopbackServer

Json = dict[str, Any]

CALLER = "111122223333"
_SCOPE = re.compile(r"Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request")
_XML = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::{account}:user/ann</Arn><UserId>AIDAEXAMPLE</UserId><Account>{account}</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
    "</GetCallerIdentityResponse>"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in; `what` are its parameters."""

    service: str
    action: str
    region: str
    what: Json = field(hash=False)

    @property
    def permission(self) -> str:
        """The call as an IAM action."""
        return f"{self.service}:{self.action}"


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, code: str, status: int = 400) -> None:
        """As AWS names it."""
        super().__init__(code)
        self.code, self.status = code, status


@dataclass(slots=True)
class Trouble:
    """Error `code` for calls of an action, in one region or in all, so many times after the first few."""

    code: str
    action: str
    region: str | None
    times: int
    after: int
    status: int


@dataclass(slots=True)
class AwsStub(LoopbackServer):
    """The server; a context manager that listens on a free port of the loopback interface."""

    account: str = CALLER
    events: dict[str, list[Json]] = field(default_factory=dict)
    """Event history by region."""
    trails: list[Json] = field(default_factory=list)
    selectors: dict[str, Json] = field(default_factory=dict)
    """What get-event-selectors says, by ARN."""
    statuses: dict[str, Json] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=lambda: {"us-east-1": "ENABLED_BY_DEFAULT"})
    """Opt-in state by region."""
    page: int = 50
    calls: list[Call] = field(default_factory=list)
    before_answer: Callable[[Call], None] = lambda _: None
    """Called with every call before it is answered, by the thread that answers it."""
    _troubles: list[Trouble] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers requests."""
        return _Handler

    def fail(
        self,
        action: str,
        region: str | None = None,
        code: str = "AccessDeniedException",
        times: int = 1_000_000,
        after: int = 0,
        status: int = 400,
    ) -> None:
        """Answer calls of an action with an error, so many times, once so many of them were answered."""
        self._troubles.append(Trouble(code, action, region, times, after, status))

    def asked(self, action: str, region: str | None = None) -> list[Call]:
        """The calls of an action, in order."""
        return [call for call in self.calls if call.action == action and region in (None, call.region)]

    def permissions(self) -> set[str]:
        """All calls as IAM actions."""
        return {call.permission for call in self.calls}

    def days(self, region: str) -> Counter[str]:
        """How many pages were asked for of each day of a region."""
        spans = [call.what["StartTime"] for call in self.asked("LookupEvents", region) if "StartTime" in call.what]
        return Counter(datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d") for start in spans)

    def answer(self, call: Call) -> Json:
        """What AWS would say. Raises Refused."""
        with self._lock:
            self.calls.append(call)
            for trouble in self._troubles:
                if trouble.action == call.action and trouble.region in (None, call.region):
                    if trouble.after > 0:
                        trouble.after -= 1
                    elif trouble.times > 0:
                        trouble.times -= 1
                        raise Refused(trouble.code, trouble.status)
        self.before_answer(call)
        answers: dict[str, Callable[[Call], Json]] = {
            "GetCallerIdentity": lambda _: {},
            "LookupEvents": self._lookup_events,
            "DescribeTrails": lambda _: {"trailList": self.trails},
            "GetEventSelectors": lambda c: {"TrailARN": c.what["TrailName"]} | self.selectors[c.what["TrailName"]],
            "GetTrailStatus": lambda c: self.statuses[c.what["Name"]],
            "ListRegions": self._list_regions,
        }
        if call.action not in answers:
            raise Refused("InvalidAction")
        return answers[call.action](call)

    def _lookup_events(self, call: Call) -> Json:
        (attribute,) = call.what["LookupAttributes"]
        assert attribute["AttributeKey"] == "EventSource"
        start, end = call.what.get("StartTime", 0), call.what.get("EndTime", 1e12)
        found = [
            event
            for event in self.events.get(call.region, ())
            if start <= datetime.fromisoformat(event["eventTime"]).timestamp() <= end
            and event["eventSource"] == attribute["AttributeValue"]
        ]
        first = int(call.what.get("NextToken", 0))
        last = first + min(self.page, call.what["MaxResults"])
        shown = [
            {"EventId": event["eventID"], "CloudTrailEvent": json.dumps(event)} for event in found[first:last]
        ]
        return {"Events": shown} | ({"NextToken": str(last)} if last < len(found) else {})

    def _list_regions(self, call: Call) -> Json:
        wanted = call.what.get("RegionOptStatusContains", ())
        found = [{"RegionName": name, "RegionOptStatus": state} for name, state in self.regions.items()]
        return {"Regions": [one for one in found if one["RegionOptStatus"] in wanted]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, owner: AwsStub, *connection: Any) -> None:
        self.owner = owner
        super().__init__(*connection)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed: the tests look at `calls`."""

    def _answer(self) -> None:
        call = self._call()
        try:
            answer = self.owner.answer(call)
        except Refused as refused:
            self._refuse(call, refused)
            return
        if call.service == "sts":
            self._send(200, _XML.format(account=self.owner.account).encode(), "text/xml")
        else:
            self._send(200, json.dumps(answer).encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _call(self) -> Call:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        scope = _SCOPE.search(self.headers.get("authorization", ""))
        region, service = scope.groups() if scope else ("", "unsigned")
        if service == "sts":
            query = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return Call(service, query.get("Action", ""), region, query)
        if target := self.headers.get("x-amz-target"):
            return Call(service, target.rpartition(".")[2], region, json.loads(body or b"{}"))
        if (self.command, self.path) == ("POST", "/listRegions"):
            return Call(service, "ListRegions", region, json.loads(body or b"{}"))
        return Call(service, f"{self.command} {self.path}", region, {})

    def _refuse(self, call: Call, refused: Refused) -> None:
        if call.service == "sts":
            error = f"<Error><Code>{refused.code}</Code><Message>told to fail</Message></Error>"
            self._send(refused.status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml")
        else:
            answer = json.dumps({"__type": refused.code, "message": "told to fail"}).encode()
            self._send(refused.status, answer, error=refused.code)

    def _send(
        self, status: int, body: bytes, kind: str = "application/x-amz-json-1.1", error: str | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
