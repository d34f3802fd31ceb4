"""Which prefixes of a trail's bucket have to be listed. Pure: it is told what folders there are and asks nobody.

Layout (CloudTrail user guide, "Finding your CloudTrail log files" and "CloudTrail digest file structure"):
`[prefix/]AWSLogs/[o-xxxx/]<account>/<kind>/<region>/YYYY/MM/DD/<file>`. Kinds that are read are `CloudTrail` and
`CloudTrail-Digest`; a bucket may hold several trails, each below a prefix of its own, and logs of other
services beside them.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntEnum

from analyzer.log_key import DIGEST_FOLDER, LOG_FOLDER, LogKey

TRAILS_FOLDER = "AWSLogs"
GLOBAL_CALLS_REGION = "us-east-1"
"""Where every call to the global endpoint is logged, whichever region served it."""
SEARCHED_FOLDERS = 500
"""Folders in which a trail is looked for, when the prefix that was named does not lead into one."""

SKIPPED_FOLDERS = {
    "CloudTrail-Insight": "Insight events are no calls",
    "CloudTrail-NetworkActivity": "network activity events are no calls",
    "CloudTrail-Aggregated": "aggregated events are sums, no calls",
    "other": "not written by CloudTrail",
    "no_trail": "no AWSLogs folder in it; name its prefix to read all of it",
    "not_searched": "too many folders to look for trails in; name the prefix of the trail",
}
"""Kind of a folder that is not listed -> why."""

_ORGANIZATION = re.compile(r"o-[a-z0-9]{1,32}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_KIND = re.compile(r"CloudTrail(?:-[A-Za-z]{1,32})?")
_YEAR = re.compile(r"[0-9]{4}")
_MONTH_OR_DAY = re.compile(r"[0-9]{2}")
_FIRST_YEAR = 2013  # CloudTrail was introduced in November 2013: there is no older folder


class Level(IntEnum):
    """How deep in the layout a prefix leads."""

    OUTSIDE = 0
    """The bucket's root or a prefix in front of `AWSLogs`."""
    TRAILS = 1
    """`AWSLogs/`"""
    ORGANIZATION = 2
    """`AWSLogs/o-xxxx/`"""
    ACCOUNT = 3
    """An account's folder, with a folder for each service and kind."""
    KIND = 4
    """`CloudTrail/` or one beside it."""
    REGION = 5
    YEAR = 6
    MONTH = 7
    DAY = 8
    FOREIGN = 9
    """Below `AWSLogs/`, and not as CloudTrail lays it out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which delivered files are asked for.

    `since` and `until` are UTC days of events, the last one excluded; `until`'s own folder is read all the
    same, because CloudTrail files an event by the day of its delivery, which may be the next one. Empty sets
    mean all. Calls to the global endpoint are logged in us-east-1 whichever region served them, and they
    count in a verdict on that region, so that region's folders belong to every set of regions.
    """

    since: date | None = None
    until: date | None = None
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    settled: Mapping[str, date] = field(default_factory=dict)
    """Region folder (`…/CloudTrail/eu-west-1/`) -> first delivery day that can have changed since the last run."""

    def has_account(self, account_id: str) -> bool:
        """Whether an account's folder is asked for."""
        return not self.accounts or account_id in self.accounts

    def has_region(self, region: str) -> bool:
        """Whether a region's folder is asked for."""
        return not self.regions or region in self.regions or region == GLOBAL_CALLS_REGION

    def has(self, key: LogKey | None) -> bool:
        """Whether an object is asked for; one whose key tells nothing always is."""
        if key is None:
            return True
        return (
            key.folder in (LOG_FOLDER, DIGEST_FOLDER)
            and self.has_account(key.account_id)
            and self.has_region(key.region)
            and (self.since is None or key.day >= self.since)
            and (self.until is None or key.day <= self.until)
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing to list: the keys that begin with `prefix`; with `after`, only those that sort after it."""

    prefix: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Extent:
    """The delivery days of one region folder that a plan lists; None: from the first, to the last there is."""

    folder: str
    first: date | None
    last: date | None
    listings: Sequence[Listing]


@dataclass(frozen=True, slots=True)
class SkippedFolder:
    """A folder that is not listed; `kind` is a key of SKIPPED_FOLDERS."""

    prefix: str
    kind: str

    @property
    def why(self) -> str:
        """In words for the user."""
        return SKIPPED_FOLDERS[self.kind]


@dataclass(slots=True)
class Plan:
    """What is to be listed, and what is left out without having been looked at."""

    extents: list[Extent] = field(default_factory=list)
    whole: list[Listing] = field(default_factory=list)
    """Prefixes without CloudTrail's layout: everything below them is listed."""
    skipped: list[SkippedFolder] = field(default_factory=list)

    @property
    def listings(self) -> Iterator[Listing]:
        """Everything to list."""
        for extent in self.extents:
            yield from extent.listings
        yield from self.whole


@dataclass(frozen=True, slots=True)
class _Place:
    """A prefix and what its folders say. `named` holds what follows `AWSLogs`, level by level."""

    prefix: str
    level: Level
    named: Mapping[Level, str]

    def child(self, name: str) -> "_Place":
        return _place(f"{self.prefix}{name}/")

    def is_wanted(self, wanted: Wanted) -> bool:
        account, region = self.named.get(Level.ACCOUNT), self.named.get(Level.REGION)
        return (account is None or wanted.has_account(account)) and (region is None or wanted.has_region(region))

    @property
    def is_read(self) -> bool:
        """Whether the kind of folder, if it is known yet, is one that is read."""
        return self.named.get(Level.KIND, LOG_FOLDER) in (LOG_FOLDER, DIGEST_FOLDER)


_NAMES = {
    Level.ORGANIZATION: _ORGANIZATION,
    Level.ACCOUNT: _ACCOUNT,
    Level.KIND: _KIND,
    Level.REGION: _REGION,
    Level.YEAR: _YEAR,
    Level.MONTH: _MONTH_OR_DAY,
    Level.DAY: _MONTH_OR_DAY,
}


def _place(prefix: str) -> _Place:
    """Read a prefix, which is empty or ends in a slash."""
    folders = prefix.split("/")[:-1]
    if TRAILS_FOLDER not in folders:
        return _Place(prefix, Level.OUTSIDE, {})
    at = len(folders) - 1 - folders[::-1].index(TRAILS_FOLDER)
    named: dict[Level, str] = {}
    level = Level.TRAILS
    for folder in folders[at + 1 :]:
        level = Level.ACCOUNT if level is Level.TRAILS and _ACCOUNT.fullmatch(folder) else Level(level + 1)
        pattern = _NAMES.get(level)
        if pattern is None or not pattern.fullmatch(folder):
            return _Place(prefix, Level.FOREIGN, named)
        named[level] = folder
    return _Place(prefix, level, named)


def leads_into_a_trail(prefix: str) -> bool:
    """Whether a prefix is that of an `AWSLogs` folder or of something in it."""
    return _place(prefix).level is not Level.OUTSIDE


def survey(prefix: str, wanted: Wanted) -> Generator[Sequence[str], Mapping[str, Sequence[str]], Plan]:
    """Find out what to list below a prefix that may lead anywhere into the layout, or past it.

    A conversation: it yields the prefixes whose folders it needs to know, is sent the names of the folders
    directly in each (nothing for a prefix that could not be asked about), and returns the plan. Where there is
    no `AWSLogs` folder at all there is no layout to go by, and everything below the prefix is listed.
    """
    search = _Search(wanted)
    start = _place(prefix)
    places = [start] if start.is_wanted(wanted) else []
    while unknown := search.settle(places):
        names = yield [place.prefix for place in unknown]
        search.is_complete &= len(names) == len(unknown)
        below = [child for place in unknown for child in search.children(place, names.get(place.prefix, ()))]
        places = search.within_bounds(below)
    return search.plan_for(prefix)


class _Search:
    """What a survey has found so far."""

    def __init__(self, wanted: Wanted) -> None:
        self.is_complete = True
        """Whether every question was answered."""
        self._wanted = wanted
        self._plan = Plan()
        self._outside: list[str] = []
        self._inside: list[str] = []

    def settle(self, places: Iterable[_Place]) -> list[_Place]:
        """Plan what is clear about some places; returns those whose folders have to be known first."""
        unknown = []
        for place in places:
            (self._outside if place.level is Level.OUTSIDE else self._inside).append(place.prefix)
            if not place.is_read:
                self._skip(place.prefix, place.named[Level.KIND])
            elif place.level is Level.FOREIGN:
                self._plan.whole.append(Listing(place.prefix))
            elif place.level >= Level.REGION:
                self._plan.extents.extend(_extent(place, self._wanted))
            else:
                unknown.append(place)
        return unknown

    def children(self, place: _Place, names: Iterable[str]) -> Iterator[_Place]:
        """The folders of a place that lead on, by name; those that hold something else are noted as skipped."""
        for name in sorted(names):
            child = place.child(name)
            if child.level is Level.FOREIGN:
                self._skip(child.prefix, "other")
            elif child.is_wanted(self._wanted):
                yield child

    def within_bounds(self, places: Sequence[_Place]) -> list[_Place]:
        """All places inside of trails, and as many outside of them as may still be searched."""
        outside = [place for place in places if place.level is Level.OUTSIDE]
        left = max(0, SEARCHED_FOLDERS - len(self._outside))
        for place in outside[left:]:
            self._skip(place.prefix, "not_searched")
        return [place for place in places if place.level is not Level.OUTSIDE] + outside[:left]

    def plan_for(self, prefix: str) -> Plan:
        """The plan, when there is no more to learn about the prefix it all began with."""
        if self.is_complete and not self._inside and not leads_into_a_trail(prefix):
            return Plan(whole=[Listing(prefix)])
        self._skip_folders_without_trail()
        self._plan.skipped.sort(key=lambda folder: folder.prefix)
        return self._plan

    def _skip_folders_without_trail(self) -> None:
        """Note the topmost of the searched folders that lead neither into a trail nor to an unsearched folder."""
        leading = [*self._inside, *(folder.prefix for folder in self._plan.skipped)]
        topmost: str | None = None
        for prefix in sorted(self._outside):
            is_below = topmost is not None and prefix.startswith(topmost)
            if not is_below and not any(other.startswith(prefix) for other in leading):
                self._skip(prefix, "no_trail")
                topmost = prefix

    def _skip(self, prefix: str, kind: str) -> None:
        self._plan.skipped.append(SkippedFolder(prefix, kind if kind in SKIPPED_FOLDERS else "other"))


def _extent(place: _Place, wanted: Wanted) -> Iterator[Extent]:
    """The days of a region folder that are to be listed; nothing when there are none."""
    parts = [int(place.named[level]) for level in (Level.YEAR, Level.MONTH, Level.DAY) if level in place.named]
    folder = place.prefix if not parts else "/".join(place.prefix.split("/")[: -1 - len(parts)]) + "/"
    first, last = wanted.since, wanted.until
    if folder in wanted.settled:
        first = _later(first, wanted.settled[folder])
    if parts:
        try:
            begin, end = _span(*parts)
        except ValueError:
            return
        first, last = _later(first, begin), end if last is None else min(last, end)
    if first is None or last is None or first <= last:
        yield Extent(folder, first, last, tuple(date_listings(folder, first, last)))


def _later(one: date | None, other: date) -> date:
    return other if one is None else max(one, other)


def _span(year: int, month: int | None = None, day: int | None = None) -> tuple[date, date]:
    """First and last day of a year, a month or a day. Raises ValueError when there is no such thing."""
    first = date(year, month or 1, day or 1)
    return first, first if day else _last_of_month(date(year, month or 12, 1))


def date_listings(folder: str, first: date | None, last: date | None) -> Iterator[Listing]:
    """The fewest listings of a region folder that give exactly the delivery days from first to last (included).

    Whole years and months are one listing each, and so is the rest of a year or a month from some day on,
    which S3 starts where it is told to. The days before `last` in its own month are listed one by one.
    """
    if last is None:
        yield Listing(folder, _after(folder, first))
    else:
        yield from _years(folder, first or date(_FIRST_YEAR, 1, 1), last)


def _after(folder: str, first: date | None) -> str:
    return f"{folder}{first:%Y/%m/%d}" if first is not None else ""


def _years(folder: str, first: date, last: date) -> Iterator[Listing]:
    while first <= last:
        end = date(first.year, 12, 31)
        if last < end:
            yield from _months(folder, first, last)
            return
        if first.month == end.month:
            yield from _months(folder, first, end)
        else:
            is_whole = first == date(first.year, 1, 1)
            yield Listing(f"{folder}{first:%Y}/", "" if is_whole else _after(folder, first))
        first = end + timedelta(days=1)


def _months(folder: str, first: date, last: date) -> Iterator[Listing]:
    while first <= last:
        end = _last_of_month(first)
        if last < end:
            yield from _days(folder, first, last)
            return
        if first == end:
            yield Listing(f"{folder}{first:%Y/%m/%d}/")
        else:
            yield Listing(f"{folder}{first:%Y/%m}/", "" if first.day == 1 else _after(folder, first))
        first = end + timedelta(days=1)


def _days(folder: str, first: date, last: date) -> Iterator[Listing]:
    for number in range((last - first).days + 1):
        yield Listing(f"{folder}{first + timedelta(days=number):%Y/%m/%d}/")


def _last_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
