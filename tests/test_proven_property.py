"""Whatever was deleted, altered, swapped or forged: no day is called proven that a sound copy does not prove.

Random small organizations get random changes, account by account. What has to follow is worked out from the plan
and from the bytes as they lie there, without the product. A digest here speaks for six hours: the rules are the
same as for one, and there are fewer files.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

from digest_chain import DigestChain, Signer, sidecars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trail import record, trail_file

from analyzer.catalogue import Catalogue
from analyzer.coverage import Level
from analyzer.coverage_report import build_coverage_report
from analyzer.evidence import Witnesses
from analyzer.ingest import IngestOptions
from analyzer.report import Question
from analyzer.signatures import PublicKeys
from analyzer.sources import MemorySource
from analyzer.workflow import Session

PERIODS = 4
"""Digests a day."""
LENGTH = timedelta(hours=24 // PERIODS)
FIRST = date(2026, 10, 1)
MIDNIGHT = datetime(2026, 10, 1)
DAYS = 3
REGIONS = ("eu-west-1", "us-west-2")
TRAILS = ("one", "other")

Place = tuple[str, str]
Objects = dict[str, bytes]


@dataclass(frozen=True)
class Change:
    """Something done to a copy: to a digest or the log files it lists. `more` says how much or in which way."""

    kind: str
    at: int
    to: int
    more: int


@dataclass(frozen=True)
class Plan:
    """One account of an organization, and what is done to the copy of its folders."""

    regions: int
    trails: int
    listing: frozenset[int]
    """Which of every five digests list log files, one or two of them."""
    restarts: frozenset[int]
    """Which digests, all periods of the account counted, begin a chain anew."""
    gaps: frozenset[int]
    """For which periods CloudTrail wrote no digest."""
    is_signed: bool
    changes: Sequence[Change]


@dataclass
class Copy:
    """What CloudTrail delivered, and what of it lies there after the changes."""

    delivered: Objects = field(default_factory=dict)
    chains: dict[tuple[Place, str], list[str]] = field(default_factory=dict)
    """The keys of the digests by place and trail, one for each period; empty where none was written."""
    listed: dict[str, list[str]] = field(default_factory=dict)
    """The log files of each digest."""
    restarted: set[str] = field(default_factory=set)
    signatures: dict[str, str] = field(default_factory=dict)
    present: Objects = field(default_factory=dict)

    def digests(self, account: str | None = None) -> list[str]:
        """The digests of an account, or of all."""
        chains = [keys for (place, _), keys in self.chains.items() if account in (None, place[0])]
        return [key for keys in chains for key in keys if key]

    def chosen(self, change: Change, digests: Sequence[str], number: int) -> str | None:
        """The digest of that number, or a log file that it lists; None if there is none any more."""
        key: str | None = digests[number % len(digests)]
        if change.kind.endswith("log file"):
            files = self.listed[key or ""]
            key = files[change.more % len(files)] if files else None
        return key if key in self.present else None


# Making a copy


@cache
def signer() -> Signer:
    return Signer()


@cache
def witnesses() -> Witnesses:
    return Witnesses(PublicKeys.read([("keys.json", signer().public_keys_json())]))


CATALOGUE = Catalogue()


def copy_of(plans: Sequence[Plan]) -> Copy:
    """The organization's bucket as CloudTrail leaves it, changed as planned."""
    copy = Copy()
    for number, plan in enumerate(plans):
        deliver(f"{number + 1:012}", plan, copy)
    copy.present = dict(copy.delivered)
    for number, plan in enumerate(plans):
        for change in plan.changes:
            apply(change, f"{number + 1:012}", copy)
    return copy


def deliver(account: str, plan: Plan, copy: Copy) -> None:
    """Put one account's folders into the bucket."""
    number = 0
    for region, trail in product(REGIONS[: plan.regions], TRAILS[: plan.trails]):
        chain = DigestChain(signer() if plan.is_signed else None, account, region, trail)
        keys = copy.chains[(account, region), trail] = []
        for period in range(DAYS * PERIODS):
            keys.append("" if number in plan.gaps else next_digest(chain, period, number, plan, copy))
            number += 1
        copy.delivered |= chain.objects()
        copy.signatures |= chain.signatures()


def next_digest(chain: DigestChain, period: int, number: int, plan: Plan, copy: Copy) -> str:
    """Append the digest of a period; returns its key."""
    start = MIDNIGHT + period * LENGTH
    files = log_files(chain, start.date(), number) if number % 5 in plan.listing else {}
    if number in plan.restarts:
        chain.restart()
    key = chain.hour(start, files, LENGTH)
    if number in plan.restarts:
        copy.restarted.add(key)
    copy.listed[key] = list(files)
    return key


def log_files(chain: DigestChain, day: date, number: int) -> Objects:
    """What the digest of this number lists: reads, so that the logs are not of writes alone."""
    made: Objects = {}
    for which in range(1 + number % 2):
        name = f"{chain.trail:x>5}{number:010}{which}"
        event = record(
            f"{chain.account}-{name}",
            eventTime=f"{day}T12:00:00Z",
            recipientAccountId=chain.account,
            awsRegion=chain.region,
        )
        made[chain.log_key(str(day), name)] = trail_file(event)
    return made


# Changing it


def altered(content: bytes, **fields: Any) -> bytes:
    """A digest with other words in it."""
    return gzip.compress(json.dumps(json.loads(gzip.decompress(content)) | fields).encode(), mtime=0)


def apply(change: Change, account: str, copy: Copy) -> None:
    """Do one change to what lies there; nothing if the file is gone already."""
    own = copy.digests(account)
    key = copy.chosen(change, own, change.at)
    other = copy.chosen(change, copy.digests() if change.more % 4 == 3 else own, change.to)
    if key is None:
        return
    content = copy.present[key]
    match change.kind:
        case "delete digest" | "delete log file":
            del copy.present[key]
        case "alter digest":
            copy.present[key] = altered(content, **forgery(change.more))
        case "alter log file":
            copy.present[key] = gzip.compress(trail_file(record(f"forged-{change.more}")), mtime=0)
        case "cut log file":
            copy.present[key] = content[:-9]
        case "swap digests" | "swap log file" if other is not None:
            copy.present[key], copy.present[other] = copy.present[other], content
        case "fork digest":
            fork(copy, key, 1 + change.more % 4)


def forgery(way: int) -> dict[str, Any]:
    """What a forger writes into a digest: that no log file was delivered, or anything."""
    return {"logFiles": []} if way % 2 else {"forged": way}


def fork(copy: Copy, key: str, length: int) -> None:
    """Lay forged digests beside the delivered ones, each naming the forged one before."""
    (keys,) = [keys for keys in copy.chains.values() if key in keys]
    fields: dict[str, Any] = {"logFiles": []}
    for digest in [one for one in keys[keys.index(key) :] if one][:length]:
        content = altered(copy.delivered[digest], **fields)
        copy.present[f"copy/{digest}"] = content
        fields = {"previousDigestHashValue": hashlib.sha256(gzip.decompress(content)).hexdigest()}


# What has to follow


class Oracle:
    """What the days of a copy are, from the plan and the bytes alone."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._found_at: dict[str, list[str]] = {}
        self._hashes_named: dict[str, set[str]] = {}
        for place, content in copy.present.items():
            if "CloudTrail-Digest" in place:
                digest = json.loads(gzip.decompress(content))
                self._found_at.setdefault(digest["digestS3Object"], []).append(place)
                before, sha256 = digest["previousDigestS3Object"], digest["previousDigestHashValue"]
                self._hashes_named.setdefault(before, set()).add(sha256)

    def cannot_be_proven(self, place: Place, day: int) -> bool:
        """Whether on that day something shows to be amiss in the chain of every trail, or a file is unread."""
        return self._is_unread(place, day) or all(self._shows_fault(keys, day) for keys in self._chains(place))

    def must_be_proven(self, place: Place, day: int) -> bool:
        """Whether one trail's chain is as it was delivered on that day, and every log file there can be read."""
        return not self._is_unread(place, day) and any(
            self._is_untouched(keys, day) for keys in self._chains(place)
        )

    def _chains(self, place: Place) -> list[list[str]]:
        return [keys for (at, _), keys in self._copy.chains.items() if at == place]

    def _is_unread(self, place: Place, day: int) -> bool:
        """Whether a log file of that day, whichever trail delivered it, cannot be read."""
        digests = [key for keys in self._chains(place) for key in self._of_day(keys, day) if key]
        return any(self._is_cut(file) for key in digests for file in self._copy.listed[key])

    def _of_day(self, keys: list[str], day: int) -> list[str]:
        return keys[day * PERIODS : (day + 1) * PERIODS]

    def _is_intact(self, key: str) -> bool:
        return self._copy.present.get(key) == self._copy.delivered[key]

    def _is_cut(self, file: str) -> bool:
        try:
            gzip.decompress(self._copy.present.get(file, gzip.compress(b"")))
        except EOFError:
            return True
        return False

    def _is_untouched(self, keys: list[str], day: int) -> bool:
        own = self._of_day(keys, day)
        if not all(own):
            return False
        files = [file for key in own for file in self._copy.listed[key]]
        is_alone = all(self._found_at.get(key) == [key] for key in own)
        is_whole = not any(key in self._copy.restarted for key in own[1:])
        return is_alone and is_whole and all(map(self._is_intact, [*own, *files]))

    def _shows_fault(self, keys: list[str], day: int) -> bool:
        own = self._of_day(keys, day)
        if not all(own) or any(key in self._copy.restarted for key in own[1:]):
            return True
        return any(self._is_missing(key) or self._is_unsound(key, keys) for key in own)

    def _is_missing(self, key: str) -> bool:
        """Whether the digest is nowhere to be found, but perhaps in another's place."""
        return not any(place.endswith(key) for place in self._found_at.get(key, ()))

    def _is_unsound(self, key: str, keys: list[str]) -> bool:
        """Whether it, or a file it lists, is not as delivered, and anybody could tell.

        Without signatures, an altered digest shows by the next one only, and so does which of two is right.
        """
        after = [one for one in keys[keys.index(key) + 1 :] if one][:1]
        is_told = key in self._copy.signatures or any(map(self._is_intact, after))
        is_alone = self._found_at[key] == [key]
        if not self._is_intact(key):
            return is_told or (is_alone and self._is_contradicted(key))
        return (is_alone or is_told) and not all(map(self._is_intact, self._copy.listed[key]))

    def _is_contradicted(self, key: str) -> bool:
        """Whether digests name other hashes than its own, and only others."""
        named = self._hashes_named.get(key, set())
        return bool(named) and hashlib.sha256(gzip.decompress(self._copy.present[key])).hexdigest() not in named


def levels(copy: Copy) -> Iterator[tuple[Place, int, Level]]:
    """What the product says of every day."""
    objects = copy.present | sidecars(copy.signatures)
    session = Session([MemorySource(objects)], options=IngestOptions(threads=1), catalogue=CATALOGUE)
    question = Question(
        since=FIRST,
        until=FIRST + timedelta(days=DAYS),
        regions=frozenset(REGIONS),
        witnesses=witnesses(),
    )
    report, _ = session.report(question)
    for row in build_coverage_report(report).rows:
        for day, letter in enumerate(row.letters):
            yield (row.account_id, row.region), day, NAMES[letter]


NAMES = {level.letter: level for level in Level}

KINDS = (
    *("delete log file", "alter log file", "cut log file", "swap log file"),
    *("delete digest", "alter digest", "swap digests", "fork digest"),
)
numbers = st.integers(0, 4 * DAYS * PERIODS - 1)
evenings = st.integers(1, 4 * DAYS).map(lambda days: days * PERIODS - 1)
"""The last digests of days: where a chain breaks after one of them, the day is still whole."""


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans whose changes come close together: what one of them alone cannot do, two may."""
    spots = st.sampled_from(draw(st.lists(st.one_of(numbers, evenings), min_size=1, max_size=2)))
    near = st.builds(int.__add__, spots, st.integers(0, 1))
    changes = st.builds(Change, st.sampled_from(KINDS), near, st.one_of(near, numbers), st.integers(0, 7))
    return Plan(
        regions=draw(st.integers(1, 2)),
        trails=draw(st.integers(1, 2)),
        listing=draw(st.frozensets(st.integers(0, 4))),
        restarts=draw(st.frozensets(numbers, max_size=1)),
        gaps=draw(st.frozensets(numbers, max_size=1)),
        is_signed=draw(st.booleans()),
        changes=draw(st.lists(changes, max_size=5)),
    )


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(plans(), min_size=5, max_size=10))
def test_no_day_is_proven_that_is_not_and_every_untouched_day_is(organization: list[Plan]) -> None:
    copy = copy_of(organization)
    oracle = Oracle(copy)
    places = {place for place, _ in copy.chains}
    for place, day, level in levels(copy):
        if place in places:
            assert not (level is Level.PROVEN and oracle.cannot_be_proven(place, day)), (place, day)
            assert level is Level.PROVEN or not oracle.must_be_proven(place, day), (place, day, level)
