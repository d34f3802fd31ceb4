"""Which days the logs really observe, for each account and region, and how we know.

Absence of calls is evidence only where the logs would have shown them. The levels and their rules are those
of docs/coverage.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from analyzer.window import Window


class Level(StrEnum):
    """How we know that the logs observe a day, strongest first."""

    PROVEN = "proven"
    """An unbroken digest chain over the day's 24 hours, and every listed log file ingested unaltered."""
    DECLARED = "declared"
    """A trail description handed in says that everything needed was being logged on that day."""
    INFERRED = "inferred"
    """A log file delivered that day was ingested, or an event occurred that day."""
    NONE = "none"
    """Nothing says that anybody was watching."""

    @property
    def letter(self) -> str:
        """One letter for a day."""
        return self.value[0].upper()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Days of the window by level, for one account and region."""

    days: int
    proven: int = 0
    declared: int = 0
    inferred: int = 0
    none: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether no day of the window is without evidence. A window of no days proves nothing."""
        return self.none == 0 and self.days > 0

    @property
    def confidence(self) -> Level:
        """The weakest level over the window."""
        if not self.is_complete:
            return Level.NONE
        if self.inferred:
            return Level.INFERRED
        return Level.DECLARED if self.declared else Level.PROVEN


Place = tuple[str, str]
"""Account and region."""

_NO_DAYS: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class CoverageEvidence:
    """Days by place, for each kind of evidence, and the accounts whose logs hold writes only."""

    proven: Mapping[Place, frozenset[date]] = field(default_factory=dict)
    declared: Mapping[Place, frozenset[date]] = field(default_factory=dict)
    declared_since: Mapping[str, date] = field(default_factory=dict)
    """First day that a trail description declares for all regions of an account; the days after it too."""
    inferred: Mapping[Place, frozenset[date]] = field(default_factory=dict)
    unread: Mapping[Place, frozenset[date]] = field(default_factory=dict)
    """Days with a log file that was rejected: nobody read it, so the day is `none` whatever else is known."""
    unlisted: frozenset[tuple[str | None, str | None]] = frozenset()
    """Accounts and regions (None: all) with a folder that could not be listed: what lies in it was not read, so
    that no declaration makes up for it."""
    write_only_accounts: frozenset[str] = frozenset()
    pruned_before: date = date.min
    """The events of earlier days were removed from the store: whatever observed these days, nobody knows what."""

    def declared_from(self, account_id: str, region: str) -> date:
        """The first day from which on a trail description declares; `date.max` for none."""
        places = ((a, r) for a in (account_id, None) for r in (region, None))
        if not self.unlisted.isdisjoint(places):
            return date.max
        return max(self.declared_since.get(account_id, date.max), self.pruned_before)

    def level(self, account_id: str, region: str, day: date) -> Level:
        """The level of one day."""
        place = account_id, region
        if day < self.pruned_before or account_id in self.write_only_accounts:
            return Level.NONE
        if day in self.unread.get(place, _NO_DAYS):
            return Level.NONE
        if day in self.proven.get(place, _NO_DAYS):
            return Level.PROVEN
        if day >= self.declared_from(account_id, region) or day in self.declared.get(place, _NO_DAYS):
            return Level.DECLARED
        return Level.INFERRED if day in self.inferred.get(place, _NO_DAYS) else Level.NONE

    def letters(self, account_id: str, region: str, window: Window) -> str:
        """The levels of the window's days, a letter for each."""
        letters = [Level.NONE.letter] * window.days
        if account_id not in self.write_only_accounts:
            first = max(0, (self.declared_from(account_id, region) - window.since).days)
            letters[first:] = [Level.DECLARED.letter] * max(0, window.days - first)
        for day in self._single_days((account_id, region)):
            if day in window:
                letters[(day - window.since).days] = self.level(account_id, region, day).letter
        return "".join(letters)

    def _single_days(self, place: Place) -> frozenset[date]:
        """The days of which something is known by themselves."""
        return frozenset[date]().union(
            *(days.get(place, _NO_DAYS) for days in (self.proven, self.declared, self.inferred, self.unread))
        )

    def coverage(self, account_id: str, region: str, window: Window) -> Coverage:
        """The days of the window by level. Counts without visiting every day: a window may be centuries long."""
        if account_id in self.write_only_accounts:
            return Coverage(days=window.days, none=window.days)
        place = account_id, region
        since = self.declared_from(account_id, region)
        counts = dict.fromkeys(Level, 0)
        declared_days = max(0, (window.until - max(since, window.since)).days)
        for day in self._single_days(place):
            if day in window:
                counts[self.level(account_id, region, day)] += 1
                declared_days -= day >= since
        counts[Level.DECLARED] += declared_days
        observed = counts[Level.PROVEN] + counts[Level.DECLARED] + counts[Level.INFERRED]
        return Coverage(
            days=window.days,
            proven=counts[Level.PROVEN],
            declared=counts[Level.DECLARED],
            inferred=counts[Level.INFERRED],
            none=window.days - observed,
        )


def days_by_place(days: Iterable[tuple[str, str, date]]) -> dict[Place, frozenset[date]]:
    """Gather (account, region, day) into days by place."""
    gathered: dict[Place, set[date]] = {}
    for account_id, region, day in days:
        gathered.setdefault((account_id, region), set()).add(day)
    return {place: frozenset(found) for place, found in gathered.items()}
