"""Exceptions: uses of an endpoint that somebody reviewed and accepts until a day, read from a TOML file.

An exception accepts use; it never makes a use disappear. A verdict rests on what was seen, so an exception
changes none: it marks rows, and findings about accepted use (`--fail-on`) do not count. The core knows no clock:
whoever builds `Exemptions` says what day it is.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from analyzer.errors import UsageError

ANY = "*"
"""Any account, or any region and the global endpoint."""
GLOBAL = "global"
"""What the file calls the global endpoint, where a region may stand."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+-[0-9]+")
_TABLE = re.compile(r"\s*\[\[\s*exception\s*\]\]")
_KEYS = ("account", "region", "principal", "reason", "expires")
_LONGEST_REASON = 500
_SHOWN = 60
"""Most characters of a wrong value that a message quotes."""

TEMPLATE = """\
# Exceptions for sts-regions: uses of STS endpoints that were reviewed and are accepted until a day.
#
#   sts-regions report --store STORE --exceptions exceptions.toml
#
# An exception changes no verdict: what is used stays `keep` or `review`. It marks the rows it is about, and
# findings of --fail-on about accepted use do not count. Keep this file under version control and have every
# change reviewed: an exception too many hides a caller.
#
# account    twelve digits in quotes, or "*" for every account. It is the account whose credentials are issued.
# region     a region's code, "global" for the global endpoint, or "*" for both and every region.
# principal  who calls, as in `sts-regions query principals`; *, ? and [...] are wildcards, case counts.
#            Left out it is "*": everybody. Session names are the caller's own text, so begin with what AWS
#            wrote (an ARN, an account) and put the wildcard at the end.
# reason     why it is accepted, and where that was decided.
# expires    the last day (UTC) on which it counts, without quotes. After that it is named and no longer counts.
#
# Take the # away and change the values:
#
# [[exception]]
# account = "111122223333"
# region = "global"
# principal = "arn:aws:iam::111122223333:role/legacy-batch"
# reason = "moves to regional endpoints with release 7, ticket OPS-1234"
# expires = 2027-03-31
#
# [[exception]]
# account = "*"
# region = "eu-west-3"
# reason = "disaster recovery exercise, approved by the platform team"
# expires = 2027-06-30
"""
"""What `--init-exceptions` writes: everything in it is a comment."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """One reviewed exception.

    `account`: twelve digits or `*`. `region`: a code, `global` or `*`. `principal`: a pattern with wildcards.
    `expires`: the last UTC day on which it counts.
    """

    account: str
    region: str
    principal: str
    reason: str
    expires: date

    def is_about(self, account_id: str, region: str | None) -> bool:
        """Whether it is about an endpoint; `region` is a code, `global`, or None where nothing tells."""
        return self.account in (ANY, account_id) and self.region in (ANY, region)

    def covers(self, account_id: str, region: str | None, principal: str) -> bool:
        """Whether it accepts that this principal uses this endpoint for this account."""
        return self.is_about(account_id, region) and fnmatchcase(principal, self.principal)

    def in_words(self) -> str:
        """What it is about, for a sentence."""
        return f"account {self.account}, region {self.region}, principal {self.principal}"

    def to_json(self) -> dict[str, Any]:
        """The exception as an object, in the words of the file."""
        return {
            "account": self.account,
            "region": self.region,
            "principal": self.principal,
            "reason": self.reason,
            "expires": self.expires.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Exemptions:
    """The exceptions of a file: those that count, and those that have expired."""

    counting: tuple[Exemption, ...] = ()
    expired: tuple[Exemption, ...] = ()

    @classmethod
    def on(cls, today: date, exemptions: Iterable[Exemption]) -> "Exemptions":
        """Tell them apart on a UTC day. The day of expiry itself still counts."""
        counting: list[Exemption] = []
        expired: list[Exemption] = []
        for exemption in exemptions:
            (expired if exemption.expires < today else counting).append(exemption)
        return cls(tuple(counting), tuple(expired))

    def covering(self, account_id: str, region: str | None, principal: str) -> tuple[Exemption, ...]:
        """Those that count and accept this use."""
        return tuple(one for one in self.counting if one.covers(account_id, region, principal))


def parse_exceptions(content: bytes, name: str) -> tuple[Exemption, ...]:
    """Read an exceptions file. `name` stands in messages. Raises UsageError with place, fault and remedy."""
    try:
        # Windows editors put a byte order mark before UTF-8.
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply for an exceptions file; {_SEE}") from None
    except ValueError as error:
        raise UsageError(f"{name}: no valid TOML: {error}; mend that place") from None
    if strangers := sorted(document.keys() - {"exception"}):
        raise UsageError(f"{name}: {_quoted(strangers[0])} is no part of an exceptions file; {_SEE}")
    entries = document.get("exception", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{name}: exceptions are tables that begin with [[exception]]; {_SEE}")
    places = _places(text, len(entries), name)
    return tuple(_exemption(entry, place) for entry, place in zip(entries, places, strict=True))


_SEE = "'sts-regions report --init-exceptions FILE' writes an example"


def _places(text: str, count: int, name: str) -> Iterator[str]:
    """Where each exception stands: the TOML reader does not tell, so its heading is looked up."""
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if _TABLE.match(line)]
    for index in range(count):
        line = f", line {lines[index]}" if len(lines) == count else ""
        yield f"{name}{line} (exception {index + 1})"


def _exemption(entry: Mapping[str, Any], place: str) -> Exemption:
    if strangers := sorted(entry.keys() - set(_KEYS)):
        raise UsageError(f"{place}: {_quoted(strangers[0])} is unknown; an exception has {', '.join(_KEYS)}")
    for key in ("account", "region", "reason", "expires"):
        if key not in entry:
            raise UsageError(f"{place}: {key} is missing; add it")
    return Exemption(
        account=_account(entry["account"], place),
        region=_region(entry["region"], place),
        principal=_principal(entry.get("principal", ANY), place),
        reason=_reason(entry["reason"], place),
        expires=_expires(entry["expires"], place),
    )


def _account(value: object, place: str) -> str:
    if isinstance(value, str) and (value == ANY or _ACCOUNT.fullmatch(value)):
        return value
    raise UsageError(f'{place}: account takes twelve digits in quotes, or "*", not {_quoted(value)}')


def _region(value: object, place: str) -> str:
    if isinstance(value, str) and (value in (ANY, GLOBAL) or _REGION.fullmatch(value)):
        return value
    raise UsageError(f'{place}: region takes a code like "eu-west-1", "global", or "*", not {_quoted(value)}')


def _principal(value: object, place: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise UsageError(
        f'{place}: principal takes a pattern in quotes, or leave it out for "*", not {_quoted(value)}'
    )


def _reason(value: object, place: str) -> str:
    if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_REASON:
        return value.strip()
    raise UsageError(f"{place}: reason takes a text of up to {_LONGEST_REASON} characters, not {_quoted(value)}")


def _expires(value: object, place: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise UsageError(f"{place}: expires takes a day like 2027-03-31, without quotes, not {_quoted(value)}")


def _quoted(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:
        # Python reads hexadecimal digits without end, and writes no more than a few thousand decimal ones.
        text = "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
