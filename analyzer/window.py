"""The days a question is about, in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from analyzer.errors import UsageError

_DAY = re.compile(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T00:00:00(?:Z|\+00:00))?$")


@dataclass(frozen=True, slots=True)
class Window:
    """Whole UTC days from `since` (included) to `until` (excluded)."""

    since: date
    until: date

    def __post_init__(self) -> None:
        if self.until < self.since:
            raise UsageError(
                f"the window ends before it begins: since {self.since}, until {self.until} (excluded); "
                "swap or change --since and --until"
            )

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.until - self.since).days

    @property
    def start(self) -> datetime:
        """First instant, as naive UTC: the form in which the store keeps times."""
        return datetime.combine(self.since, time())

    @property
    def end(self) -> datetime:
        """First instant after the window, as naive UTC."""
        return datetime.combine(self.until, time())

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


def parse_day(text: str, option: str) -> date:
    """Read `YYYY-MM-DD` (midnight with `T00:00:00Z` is accepted). Raises UsageError naming `option`."""
    match = _DAY.match(text.strip())
    try:
        if match:
            return date.fromisoformat(match.group(1))
    except ValueError:
        pass
    raise UsageError(f"{option} takes a UTC day like 2026-08-01, not {text!r}: coverage is known by whole days")


def choose_window(
    since: date | None, until: date | None, first: datetime | None, last: datetime | None
) -> Window | None:
    """The window asked for; an open end is closed by the span of the data (naive UTC times).

    None when neither the arguments nor the data give a day.
    """
    if since is None and first is not None:
        since = first.date()
    if until is None and last is not None:
        until = last.date() + timedelta(days=1)
    if since is None or until is None:
        return None
    return Window(since, until)


def utc_text(moment: datetime | date | None) -> str | None:
    """`2026-08-01T00:00:00Z` for a naive UTC time or a day; None stays None. Fractions are cut."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    elif moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds") + "Z"
