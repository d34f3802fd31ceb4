"""How the days are known to be observed, in plain Python: a part of the judge, see reference.py.

It follows docs/coverage.md. The decisions that matter most: A chain is one trail's,
for one account and region, and a day has to lie in one chain alone. Who was altered is no witness of what came
before, and of several contents in one place only the one that all witnesses name counts. Copies of a log file must
all be the listed one. Backfill digests prove nothing; an unsound one takes the proof from the days it speaks of. A
trail that need not record AssumeRole proves nothing. Signatures are not judged: no public keys, no signatures.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from reference_files import SELECTORS, STS, Document, Json, Key, Logs, RegionDay, moment, own_name, text

_DIGEST_NAME = re.compile(
    r"([0-9]{12})_CloudTrail-Digest_([a-z0-9-]+)_(.+)_([a-z0-9-]+)_[0-9]{8}T[0-9]{6}Z(_backfill)?\.json"
)
_TRAIL_ARN = re.compile(r"arn:aws[a-z-]*:cloudtrail:([a-z0-9-]+):([0-9]{12}):trail/([A-Za-z0-9._-]+)")


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def days_between(since: date, until: date) -> list[date]:
    return [since + timedelta(number) for number in range((until - since).days)]


# What digests prove


@dataclass(frozen=True)
class Digest:
    """What one digest says, and whether it lies in its place with its log files as they were delivered."""

    trail: tuple[str, str, str, str]
    start: datetime
    end: datetime
    object: str
    sha256: str
    previous: tuple[str | None, str | None]
    is_backfill: bool
    is_sound: bool

    def days(self) -> list[date]:
        """The days that it speaks of, the first and the last perhaps in part."""
        days = days_between(self.start.date(), self.end.date() + timedelta(1))
        return [day for day in days if midnight(day) < self.end]


def read_digests(logs: Logs) -> list[Digest]:
    """Every digest once, from the soundest place where it was found. What is malformed says nothing."""
    found: dict[tuple[str, str], Digest] = {}
    for name, sha256, said in logs.digest_files:
        place = text(said, "digestS3Object") or ""
        named = _DIGEST_NAME.match(place.rpartition("/")[2])
        start, end = moment(said, "digestStartTime"), moment(said, "digestEndTime")
        if not (named and start and end and isinstance(said["logFiles"], list)):
            continue
        is_moved = "_CloudTrail-Digest_" in own_name(name) and own_name(name) != own_name(place)
        digest = Digest(
            trail=(named[1], named[2], named[3], named[4]),
            start=start,
            end=end,
            object=place,
            sha256=sha256,
            previous=(text(said, "previousDigestS3Object"), text(said, "previousDigestHashValue")),
            is_backfill=named[5] is not None,
            is_sound=not is_moved and all(_is_as_delivered(one, logs) for one in said["logFiles"]),
        )
        if digest.is_sound or (place, sha256) not in found:
            found[place, sha256] = digest
    return list(found.values())


def _is_as_delivered(listed: Json, logs: Logs) -> bool:
    """Whether a listed log file was ingested, and no copy of it is another. Files of other kinds hold no calls."""
    key, copies = Key.of(listed["s3Object"]), logs.copies.get(own_name(listed["s3Object"]), [])
    is_same = all(sha256 in (None, listed["hashValue"]) for sha256, _ in copies)
    is_read = any(outcome == "ingested" for _, outcome in copies)
    return (is_same and is_read) or (key is not None and not key.is_log_file)


def _altered(digests: Sequence[Digest]) -> set[Digest]:
    """The digests of one trail that are not what later ones say they are, the latest judged first."""
    found: set[Digest] = set()
    latest = {digest.object: digest.end for digest in sorted(digests, key=lambda one: one.end)}
    for place in sorted(latest, key=lambda one: (latest[one], one), reverse=True):
        contents = [digest for digest in digests if digest.object == place]
        speaking = [digest for digest in digests if digest.previous[0] == place]
        witnesses = [digest for digest in speaking if digest not in found]
        named = {digest.previous[1] for digest in witnesses or speaking}
        is_settled = len(contents) == 1 or (witnesses and len(named) == 1)
        found.update(one for one in contents if not is_settled or (named and one.sha256 not in named))
    return found


def _proven_days(digests: Sequence[Digest]) -> set[date]:
    """The days that an unbroken chain of one trail's digests covers from midnight to midnight."""
    bad = {digest for digest in digests if not digest.is_sound} | _altered(digests)
    chains: dict[tuple[str | None, str | None], Digest] = {}
    begins: dict[Digest, datetime] = {}
    proven: set[date] = set()
    for digest in sorted(digests, key=lambda one: (one.end, one.start)):
        if digest in bad or digest.is_backfill:
            continue
        before = chains.get(digest.previous)
        begins[digest] = begins[before] if before and digest.start <= before.end else digest.start
        chains[digest.object, digest.sha256] = digest
        days = days_between(begins[digest].date(), digest.end.date())
        proven.update(day for day in days if begins[digest] <= midnight(day))
    return proven - {day for digest in bad if digest.is_backfill for day in digest.days()}


# What trail descriptions declare


@dataclass(frozen=True)
class Trail:
    """One described trail. `declares_from`: its first declared day. `is_blind`: it need not record AssumeRole."""

    account: str
    name: str
    home_region: str
    is_organization: bool
    declares_from: date
    is_blind: bool


def described_trails(descriptions: Sequence[Document]) -> list[Trail]:
    """Put together what describe-trails, get-event-selectors and get-trail-status say of each trail."""
    configured: dict[str, list[Json]] = defaultdict(list)
    for _, said in descriptions:
        for one in _configurations(said):
            configured[one["TrailARN"]].append(one)
    own: dict[str | None, list[Json]] = defaultdict(list)
    for name, said in descriptions:
        own[_whose(name, said, set(configured))].append(said)
    return [_trail(arn, configurations, own[arn]) for arn, configurations in configured.items()]


def _trail(arn: str, configurations: Sequence[Json], own: Sequence[Json]) -> Trail:
    """One trail; where descriptions contradict each other, the one that declares less is believed."""
    match = _TRAIL_ARN.fullmatch(arn)
    assert match is not None, arn
    recorded = [{kind for kind in _KINDS if _records(said, *kind)} for said in own if SELECTORS & said.keys()]
    certain = _KINDS.intersection(*recorded) if recorded else set()
    statuses = [said for said in own if "IsLogging" in said]
    starts = [
        max(filter(None, (moment(one, "StartLoggingTime"), moment(one, "StopLoggingTime")))) for one in statuses
    ]
    conditions = (
        *(one.get("IsMultiRegionTrail") is True for one in configurations),
        *(one["IsLogging"] and not one.get("LatestDeliveryError") for one in statuses),
        certain == _KINDS,
    )
    started = max(starts, default=datetime.max)
    return Trail(
        account=match[2],
        name=match[3],
        home_region=match[1],
        is_organization=all(one.get("IsOrganizationTrail") is True for one in configurations),
        declares_from=_next_midnight(started) if all(conditions) else date.max,
        is_blind=bool(recorded) and not {(STS, True), ("other", True)} <= certain,
    )


def _next_midnight(instant: datetime) -> date:
    is_later = instant.time() > time() and instant.date() < date.max
    return instant.date() + timedelta(is_later)


def _configurations(said: Json) -> list[Json]:
    return [*said.get("trailList", ()), *([said["Trail"]] if "Trail" in said else ())]


def _whose(name: str, said: Json, arns: set[str]) -> str | None:
    """Whose selectors or status: as they say, or of the trail beside, or named by the file, or the only one."""
    if "TrailARN" in said:
        return str(said["TrailARN"])
    beside = {one["TrailARN"] for one in _configurations(said)}
    named = {arn for arn in arns if arn.rpartition("/")[2] in own_name(name)}
    return next((min(found) for found in (beside, named, arns) if len(found) == 1), None)


_MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}
_KINDS = {(source, is_read) for source in (STS, "other") for is_read in (True, False)}
"""Management events as the rules need them: of STS or of any other source, reads or writes."""


def _records(said: Json, source: str, is_read: bool) -> bool:
    """Whether event selectors certainly record all events of a kind."""
    basic, advanced = said.get("EventSelectors") or (), said.get("AdvancedEventSelectors") or ()
    return any(_basic(one, source, is_read) for one in basic) or any(
        _advanced(one, source, is_read) for one in advanced
    )


def _basic(selector: Json, source: str, is_read: bool) -> bool:
    is_of_type = selector.get("ReadWriteType", "All") in ("All", "ReadOnly" if is_read else "WriteOnly")
    is_excluded = source in selector.get("ExcludeManagementEventSources", ())
    return bool(selector.get("IncludeManagementEvents", True)) and is_of_type and not is_excluded


def _advanced(selector: Json, source: str, is_read: bool) -> bool:
    def holds(condition: Json) -> bool:
        match condition:
            case {"Field": "readOnly", "Equals": values}:
                return bool(str(is_read).lower() in values)
            case {"Field": "eventSource", "Equals": values}:
                return bool(source in values)
            case {"Field": "eventSource", "NotEquals": values}:
                return bool(source not in values)
        return bool(condition == _MANAGEMENT)  # what is not understood restricts

    return _MANAGEMENT in selector["FieldSelectors"] and all(map(holds, selector["FieldSelectors"]))


def _declared_accounts(trail: Trail, keys: Sequence[Key]) -> set[str]:
    """Its own account; for an organization's trail every account with a folder in that organization too."""
    members: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        if key.is_in_trail_folder and trail.is_organization:
            members[key.organization].add(key.account)
    named = [accounts for organization, accounts in members.items() if organization]
    own = [accounts for accounts in named if trail.account in accounts]
    found = own or (named if len(named) == 1 else []) if named else list(members.values())
    return {trail.account}.union(*found)


# The level of each day

LEVELS = ("none", "inferred", "declared", "proven")


@dataclass(frozen=True)
class Coverage:
    """How the days are known to be observed."""

    proven: set[RegionDay]
    declared_from: Mapping[str, date]
    inferred: set[RegionDay]
    unread: set[RegionDay]
    write_only_accounts: set[str]

    def level(self, account: str, region: str, day: date) -> str:
        if account in self.write_only_accounts or (account, region, day) in self.unread:
            return "none"
        if (account, region, day) in self.proven:
            return "proven"
        if self.declared_from.get(account, date.max) <= day:
            return "declared"
        return "inferred" if (account, region, day) in self.inferred else "none"


def coverage_of(logs: Logs, digests: Sequence[Digest], trails: Sequence[Trail]) -> Coverage:
    """Put together what digests prove, descriptions declare, and files and events show."""
    reads: dict[str, set[bool]] = defaultdict(set)
    for event in logs.events:
        reads[event["recipient"]].add(event["read_only"] is not False)
    declared: dict[str, date] = {}
    for trail in trails:
        for account in _declared_accounts(trail, logs.keys):
            declared[account] = min(trail.declares_from, declared.get(account, date.max))
    occurred = {(event["recipient"], event["aws_region"], event["time"].date()) for event in logs.events}
    return Coverage(
        proven=set(_proven(digests, [trail for trail in trails if trail.is_blind])),
        declared_from=declared,
        inferred=logs.log_days["ingested"] | occurred,
        unread=logs.log_days["rejected"],
        write_only_accounts={account for account, found in reads.items() if found == {False}},
    )


def _proven(digests: Sequence[Digest], blind: Sequence[Trail]) -> Iterator[RegionDay]:
    for trail in {digest.trail for digest in digests}:
        account, region, *name_and_home = trail
        described = [one for one in blind if [one.name, one.home_region] == name_and_home]
        if not any(one.is_organization or one.account == account for one in described):
            days = _proven_days([digest for digest in digests if digest.trail == trail])
            yield from ((account, region, day) for day in days)
