"""A saved report as a baseline: read back from its JSON, checked field by field.

A baseline is a file that anybody may have edited. Only what a comparison needs is read; anything in it that is not
as `--output json` writes it is a UsageError in one line.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from analyzer.coverage import Level, Place
from analyzer.errors import UsageError
from analyzer.verdicts import ServiceCalls, Verdict
from analyzer.window import Window

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TIME_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KNOWN_SCHEMA = 1
_SESSION = re.compile(
    r"(?P<role>(?:[0-9]{12}:)?A[A-Z0-9]{3,127}):.*|(?P<arn>arn:[^:/]*:sts::[0-9]{12}:assumed-role/[^/]+)/.*",
    re.DOTALL,
)
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """What a saved report said of one account and region. Counts are of its regional endpoint."""

    verdict: Verdict
    issuing_calls: int
    service_calls: int
    region_disabled_errors: int
    last_region_disabled: datetime | None
    """Naive UTC; None when there was none, or when an older version wrote the report."""
    confidence: Level
    days: int
    dark_days: int

    @property
    def customer_calls(self) -> int:
        """Issuing calls that no AWS service made."""
        return self.issuing_calls - self.service_calls


@dataclass(frozen=True, slots=True)
class Baseline:
    """A saved report, as far as another is compared with it.

    `global_callers`: account and caller (see `caller_of`); None when an older version wrote the report.
    `unlisted_callers`: how many more there were. `accounts`, `regions`: its filters, empty for all.
    """

    name: str
    version: str
    window: Window | None
    min_days: int
    service_calls: ServiceCalls | None
    rows: Mapping[Place, BaselineRow]
    global_callers: frozenset[tuple[str, str]] | None = None
    unlisted_callers: int = 0
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def asked_about(self, account_id: str, region: str | None) -> bool:
        """Whether its filters let this account and region pass."""
        if self.accounts and account_id not in self.accounts:
            return False
        return not self.regions or region in self.regions


def caller_of(principal: str) -> str:
    """Who a principal is, without the name of a session: a role that names every session anew is one caller."""
    match = _SESSION.fullmatch(principal)
    return (match["role"] or match["arn"]) if match else principal


def parse_baseline(content: bytes, name: str) -> Baseline:
    """Read a report written with `--output json`. Raises UsageError; `name` stands in its message."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: no JSON; {_REMEDY}") from None
    try:
        return _baseline(_Fields(document, ""), name)
    except _Mismatch as error:
        raise UsageError(f"{name}: no report to compare with: {error}; {_REMEDY}") from None


_REMEDY = "save one with 'sts-regions report --store DIR --output json --out FILE'"


class _Mismatch(Exception):
    """Something is not as a report has it."""


class _Fields:
    """An object of the document, whose fields are read with the type they must have."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise _Mismatch(f"{place or 'the document'} is no object")
        self._value: dict[str, Any] = value
        self._place = f"{place}." if place else ""

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def number(self, name: str) -> int:
        """A count."""
        value = self._value.get(name)
        if type(value) is not int or value < 0:
            raise self._wrong(name, "no count")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self._value.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "no text")
        return value

    def word(self, name: str, words: type[_Word]) -> _Word:
        """One of the words of an enumeration."""
        try:
            return words(self.text(name))
        except ValueError:
            raise self._wrong(name, f"none of {', '.join(words)}") from None

    def time(self, name: str) -> datetime | None:
        """A time in UTC, or nothing."""
        value = self._value.get(name)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _TIME_TEXT.fullmatch(value):
                return datetime.strptime(value, _TIME)
        except ValueError:
            pass
        raise self._wrong(name, "no time like 2026-08-01T00:00:00Z")

    def object(self, name: str) -> "_Fields":
        """An object."""
        return _Fields(self._value.get(name), f"{self._place}{name}")

    def objects(self, name: str) -> "list[_Fields]":
        """A list of objects."""
        return [_Fields(one, f"{self._place}{name}[{i}]") for i, one in enumerate(self._list(name))]

    def texts(self, name: str) -> frozenset[str]:
        """A list of texts."""
        found = self._list(name)
        if not all(isinstance(one, str) for one in found):
            raise self._wrong(name, "no list of texts")
        return frozenset(found)

    def _list(self, name: str) -> list[Any]:
        value = self._value.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "no list")
        return value

    def _wrong(self, name: str, what: str) -> _Mismatch:
        return _Mismatch(f"{self._place}{name} is {what if name in self._value else 'missing'}")


def _baseline(document: _Fields, name: str) -> Baseline:
    version = document.number("schema_version")
    if version != _KNOWN_SCHEMA:
        shown = version if version < 1000 else "no small number"
        raise _Mismatch(f"schema_version is {shown}, and this version reads {_KNOWN_SCHEMA}")
    rows = {(row.text("account_id"), row.text("region")): _row(row) for row in document.objects("verdicts")}
    question = document.object("question") if "question" in document else None
    callers = document.objects("global_callers") if "global_callers" in document else None
    return Baseline(
        name=name,
        version=document.object("tool").text("version"),
        window=_window(document.object("window")),
        min_days=document.object("window").number("min_days"),
        service_calls=question.word("service_calls", ServiceCalls) if question else None,
        rows=rows,
        global_callers=None if callers is None else frozenset(map(_caller, callers)),
        unlisted_callers=0 if callers is None else document.number("global_callers_left_out"),
        accounts=question.texts("accounts") if question else frozenset(),
        regions=question.texts("regions") if question else frozenset(),
    )


def _caller(row: _Fields) -> tuple[str, str]:
    return row.text("account_id"), caller_of(row.text("principal"))


def _row(row: _Fields) -> BaselineRow:
    coverage = row.object("coverage")
    return BaselineRow(
        verdict=row.word("verdict", Verdict),
        issuing_calls=row.number("issuing_calls"),
        service_calls=row.number("service_calls"),
        region_disabled_errors=row.number("region_disabled_errors"),
        last_region_disabled=row.time("last_region_disabled"),
        confidence=row.word("confidence", Level),
        days=coverage.number("days"),
        dark_days=coverage.number("none"),
    )


def _window(window: _Fields) -> Window | None:
    since, until = _day(window, "since"), _day(window, "until")
    if since is None or until is None:
        return None
    if until < since:
        raise _Mismatch("window.until is before window.since")
    return Window(since, until)


def _day(window: _Fields, name: str) -> date | None:
    moment = window.time(name)
    return moment.date() if moment else None
