"""What can go wrong between here and S3: told apart by what S3 said, and asked again as long as it may help."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from analyzer.errors import SourceError

_STATUS = re.compile(r"status code: ([0-9]{3})")
_CODE = re.compile(r"<Code>([^<]{1,64})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{0,400})")
_KIND = re.compile(r"kind: (Timeout|Connect|Interrupted|Request|Decode|Body)")

_REFUSED_IDENTITY = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
"""Error codes of S3 that hold for every request with these credentials, region and clock."""

_REASON_BY_CODE = {"InvalidObjectState": "archived", "SlowDown": "throttled", "RequestTimeout": "timed_out"}
_REASON_BY_STATUS = {
    403: "forbidden",
    404: "gone",
    408: "timed_out",
    412: "changed_while_read",
    429: "throttled",
    503: "throttled",
}
_PASSING = frozenset({"throttled", "timed_out", "connection_lost", "server_error", "wrong_length"})
_FINAL = frozenset({"archived"})

Answer = TypeVar("Answer")


class WrongLength(Exception):
    """As many bytes came as were announced, but the object has another size."""

    def __init__(self, came: int, size: int) -> None:
        """Both in bytes."""
        super().__init__(f"{came} bytes came instead of {size}")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request gave nothing; `reason` is one of `outcome.REMEDIES`."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one request is made at most, and how long the pauses are that grow between (seconds)."""

    attempts: int = 8
    first_pause: float = 0.2
    longest_pause: float = 15.0

    def attempts_for(self, reason: str) -> int:
        """Attempts that a failure is worth: all if it may pass, a second one if the answer was perhaps stale."""
        if reason in _PASSING:
            return self.attempts
        return 1 if reason in _FINAL else min(2, self.attempts)

    def pause(self, attempt: int) -> float:
        """How long to wait before an attempt; by chance, so that requests that failed together come apart."""
        longest = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it


class Persistence:
    """Makes requests until they succeed or patience ends, which it does sooner while nothing succeeds at all."""

    def __init__(self, patience: Patience, failures_in_a_row: int) -> None:
        """`failures_in_a_row`: so many given up one after the other mean that nothing gets through at present."""
        self._patience = patience
        self._limit = failures_in_a_row
        self._in_a_row = 0

    def ask(self, request: Callable[[], Answer]) -> Answer | Failure:
        """Make a request.

        Called from several threads at once. Raises SourceError when it would fail in the same way for any
        object, because of the credentials.
        """
        attempt = 1
        while True:
            try:
                answer = request()
            except Exception as error:
                failure = failure_of(error)
            else:
                self._in_a_row = 0
                return answer
            nothing_passes = self._in_a_row >= self._limit
            if nothing_passes or attempt >= self._patience.attempts_for(failure.reason):
                self._in_a_row += failure.reason in _PASSING
                return failure
            time.sleep(self._patience.pause(attempt))
            attempt += 1


def failure_of(error: Exception) -> Failure:
    """What an exception of obstore or botocore says. Raises SourceError for one that is about who asks."""
    from botocore.exceptions import ClientError
    from obstore.exceptions import UnauthenticatedError

    if isinstance(error, SourceError):
        raise error
    if isinstance(error, WrongLength):
        return Failure("wrong_length", str(error))
    if isinstance(error, UnauthenticatedError):
        raise SourceError(f"AWS credentials: {_headline(error)}; sign in again")
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _refusal(int(status), str(told.get("Code", "")), str(told.get("Message", "")))
    text = str(error)
    if status_text := _STATUS.search(text):
        code, message = _CODE.search(text), _MESSAGE.search(text)
        return _refusal(int(status_text[1]), code[1] if code else "", message[1] if message else "")
    return _network_failure(error)


def _refusal(status: int, code: str, message: str) -> Failure:
    detail = ": ".join(part for part in (code or str(status), message) if part)
    if code in _REFUSED_IDENTITY:
        raise SourceError(f"S3 refuses the credentials: {detail}; sign in again, or check region and clock")
    reason = _REASON_BY_CODE.get(code) or _REASON_BY_STATUS.get(status)
    return Failure(reason or ("server_error" if status >= 500 else "unreadable"), detail)


def _network_failure(error: Exception) -> Failure:
    from botocore.exceptions import BotoCoreError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from obstore.exceptions import BaseError

    kind = _KIND.search(str(error))
    if (kind and kind[1] == "Timeout") or "Timeout" in type(error).__name__:
        return Failure("timed_out", _headline(error))
    if isinstance(error, BaseError | OSError | HTTPClientError | BotoConnectionError | IncompleteReadError):
        return Failure("connection_lost", _headline(error))
    if isinstance(error, BotoCoreError):
        raise SourceError(f"{error}; mend the AWS configuration or sign in again") from None
    raise error


def _headline(error: Exception) -> str:
    """The first line of an error, without the address and the times in it."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rpartition(" - ")[2].removeprefix("Generic S3 error: ")[:300]
