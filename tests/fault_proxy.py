"""A loopback proxy in front of a local S3 that fails on request and remembers what it was asked.

It stands for everything between the product and a bucket: S3 itself asking to slow down, a policy that
forbids a prefix, a lifecycle rule that was faster, a network that cuts a connection.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from loopback import LoopbackServer

FOREVER = 1_000_000
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"})


class Trouble(Enum):
    """What happens to a request instead of its answer."""

    SLOW_DOWN = (503, "SlowDown")
    """S3's throttling."""
    SERVER_ERROR = (500, "InternalError")
    FORBIDDEN = (403, "AccessDenied")
    EXPIRED = (400, "ExpiredToken")
    """The answer to credentials that were good and are not any more."""
    NO_SUCH_KEY = (404, "NoSuchKey")
    CUT = (0, "cut")
    """Half of the body comes, then the connection ends."""
    SHORT = (0, "short")
    """Half of the body comes, and the header says that this is all of it."""
    HUNG = (0, "hung")
    """Half of the body comes, then nothing for a while."""
    REFUSED = (0, "refused")
    """The connection ends before there is any answer."""


@dataclass(slots=True)
class Fault:
    """One kind of trouble for the requests whose method, path or decoded query holds `where`, so many times."""

    trouble: Trouble
    where: str
    times: int = FOREVER
    seconds: float = 30.0
    """How long HUNG lasts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def operation(self) -> str:
        """The name of the S3 operation, for the few that may be made; the method and path for any other."""
        is_bucket = self.path.strip("/").count("/") == 0
        if self.method == "GET" and is_bucket and self.query.get("list-type") == "2":
            return "ListObjectsV2"
        if self.method == "HEAD":
            return "HeadBucket" if is_bucket else "HeadObject"
        if self.method == "GET" and not is_bucket and not self.query:
            return "GetObject"
        return f"{self.method} {self.path}"

    @property
    def key(self) -> str:
        """The object's key, for requests that have one."""
        return self.path.lstrip("/").partition("/")[2]


@dataclass(slots=True)
class FaultProxy(LoopbackServer):
    """The proxy; a context manager that listens on a free port of the loopback interface."""

    upstream: str
    """Address of the real server, as `host:port`."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    before_answer: Callable[[Asked], None] = lambda _: None
    """Called with every request before it is answered, to change the bucket in between."""
    _lock: Lock = field(default_factory=Lock)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers requests."""
        return _Handler

    def fail(self, trouble: Trouble, where: str, times: int = FOREVER, seconds: float = 30.0) -> None:
        """Answer requests that hold `where` with trouble, so many times, and as usual from then on."""
        self.faults.append(Fault(trouble, where, times, seconds))

    def operations(self) -> list[str]:
        """The names of all operations that were asked for, in order."""
        return [asked.operation for asked in self.asked]

    def listed(self) -> list[str]:
        """The prefixes that were listed, in order, with `>` before the key a listing began after."""
        return [
            asked.query.get("prefix", "") + (f">{after}" if (after := asked.query.get("start-after")) else "")
            for asked in self.asked
            if asked.operation == "ListObjectsV2"
        ]

    def fetched(self) -> list[str]:
        """The keys that were read, in order."""
        return [asked.key for asked in self.asked if asked.operation == "GetObject"]

    def next_fault(self, asked: Asked) -> Fault | None:
        """The fault that this request meets; it is used up by it."""
        query = "&".join(f"{name}={value}" for name, value in asked.query.items())
        text = f"{asked.method} {asked.path}?{query}"
        with self._lock:
            self.asked.append(asked)
            for fault in self.faults:
                if fault.times > 0 and fault.where in text:
                    fault.times -= 1
                    return fault
        return None

    def count(self, change: int) -> None:
        """One more or one less request is waiting for its answer."""
        with self._lock:
            self.in_flight += change
            self.most_in_flight = max(self.most_in_flight, self.in_flight)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, owner: FaultProxy, *connection: Any) -> None:
        self.owner = owner
        super().__init__(*connection)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed: the tests look at `asked`."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(parts.path), query, headers)
        fault = self.owner.next_fault(asked)
        self.owner.before_answer(asked)
        if fault is None:
            self._send(*self._fetch())
        else:
            self._fail(fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _fetch(self) -> tuple[HTTPResponse, bytes]:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = HTTPConnection(self.owner.upstream)
        self.owner.count(+1)
        try:
            connection.request(self.command, self.path, body or None, dict(self.headers))
            response = connection.getresponse()
            return response, response.read()
        finally:
            # Before the answer goes out: after that, whoever asked may ask the next thing at once.
            self.owner.count(-1)
            connection.close()

    def _send(self, response: HTTPResponse, body: bytes, length: int | None = None) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        told = response.getheader("content-length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", told if length is None else str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def _fail(self, fault: Fault) -> None:
        status, code = fault.trouble.value
        if status:
            self._send_error(status, code)
            return
        self.close_connection = fault.trouble is not Trouble.SHORT
        if fault.trouble is Trouble.REFUSED:
            return
        response, body = self._fetch()
        half = body[: len(body) // 2]
        self._send(response, half, len(half) if fault.trouble is Trouble.SHORT else len(body))
        if fault.trouble is Trouble.HUNG:
            time.sleep(fault.seconds)

    def _send_error(self, status: int, code: str) -> None:
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>told to fail</Message></Error>"
        ).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
