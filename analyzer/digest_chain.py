"""Chains of digests: which hours do they prove, and where are they broken?

A digest proves its hour when nothing speaks against it: the next digest names its hash, its signature (if it
can be checked) is right, it lies where it says, and every log file it lists was ingested unaltered. Hours that
such digests cover one after another, each naming the one before, are a run; a UTC day inside one run is proven.

The rules are those of docs/coverage.md and of the CloudTrail user guide, "Validating CloudTrail log file
integrity". Digests that hold backfilled files stand in no chain of hours: they prove no hour, and their
unsound files take the proof from the days they speak of.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from analyzer.digests import Digest, Trail
from analyzer.signatures import Signature

_DAY = timedelta(days=1)


class Fault(StrEnum):
    """What takes the proof from an hour, or shows that somebody changed a file."""

    ALTERED_DIGEST = "altered_digest"
    """The next digest names another hash: the digest was changed after it was delivered."""
    INVALID_SIGNATURE = "invalid_signature"
    """AWS did not sign this content at this place."""
    MOVED_DIGEST = "moved_digest"
    """The digest says that it lies elsewhere: files were swapped or renamed."""
    WRONG_HASH = "wrong_hash"
    """A log file is not the one that was delivered."""
    MISSING_LOG_FILE = "missing_log_file"
    """A log file was delivered and is not in this copy."""
    UNREAD_LOG_FILE = "unread_log_file"
    """A log file is there and was rejected."""
    MISSING_DIGEST = "missing_digest"
    """A digest names one before it that is not in this copy."""
    CHAIN_GAP = "chain_gap"
    """A digest follows the one it names after hours for which CloudTrail wrote none."""
    CHAIN_RESTARTED = "chain_restarted"
    """A digest that names none before it comes after others: log file validation was off in between."""

    @property
    def is_invalid(self) -> bool:
        """Whether content is not what CloudTrail delivered, and not merely absent."""
        return self in _INVALID


_INVALID = frozenset({Fault.ALTERED_DIGEST, Fault.INVALID_SIGNATURE, Fault.MOVED_DIGEST, Fault.WRONG_HASH})


@dataclass(frozen=True, slots=True)
class UnsoundFiles:
    """Log files of one digest that were not ingested as they were delivered, by their keys."""

    fault: Fault
    bucket: str
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedDigest:
    """A digest as it was found: its own hash, its signature, its place and the state of the files it lists."""

    digest: Digest
    sha256: str
    signature: Signature = Signature.ABSENT
    is_moved: bool = False
    listed: int = 0
    unsound: tuple[UnsoundFiles, ...] = ()


@dataclass(frozen=True, slots=True)
class Flaw:
    """One place where a chain does not prove what it could. Times are naive UTC, `until` excluded.

    `digest` is the key of the digest that says so, `bucket` and `objects` name the files at fault.
    """

    fault: Fault
    trail: Trail
    since: datetime
    until: datetime
    digest: str
    bucket: str
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Hours proven without a break. Naive UTC, `end` excluded."""

    start: datetime
    end: datetime

    def days(self) -> Iterator[date]:
        """UTC days that lie inside with all their 24 hours."""
        midnight = datetime.combine(self.start.date(), time())
        if midnight < self.start:
            midnight += _DAY
        while midnight + _DAY <= self.end:
            yield midnight.date()
            midnight += _DAY


@dataclass(frozen=True, slots=True)
class Chain:
    """What the digests of one trail prove."""

    trail: Trail
    digests: int
    files: int
    first: datetime
    last: datetime
    signatures: dict[Signature, int]
    runs: tuple[Run, ...]
    flaws: tuple[Flaw, ...]
    unproven_days: frozenset[date] = frozenset()
    """Days from which unsound backfilled files take the proof."""

    def proven_days(self) -> frozenset[date]:
        """UTC days covered by one run without a break."""
        return frozenset(day for run in self.runs for day in run.days()) - self.unproven_days


def check_chain(found: Iterable[CheckedDigest]) -> Chain:
    """Check the digests of one trail, given in any order; the same digest found twice counts once.

    Raises ValueError when there is none.
    """
    # Found in its own place and once more elsewhere, it is sound, and the other one is still named.
    found = sorted(found, key=lambda item: not item.is_moved)
    moved = {_identity(item): item for item in found if item.is_moved}
    items = sorted({_identity(item): item for item in found}.values(), key=_order)
    signatures = dict.fromkeys(Signature, 0)
    for item in items:
        signatures[item.signature] += 1
    altered = _altered(items)
    sound = {_identity(item) for item in items if _is_sound(item)} - altered
    runs, breaks = _follow([item for item in items if not item.digest.is_backfill], sound)
    spoiled = [item for item in items if item.digest.is_backfill and _identity(item) not in sound]
    flaws = [*breaks, *(flaw for item in items for flaw in _own_flaws(item, _identity(item) in altered))]
    flaws += [_flaw(Fault.MOVED_DIGEST, item, item.digest.bucket, item.digest.object) for item in moved.values()]
    return Chain(
        trail=items[0].digest.trail,
        digests=len(items),
        files=sum(item.listed for item in items),
        first=min(item.digest.start for item in items),
        last=max(item.digest.end for item in items),
        signatures=signatures,
        runs=tuple(runs),
        flaws=tuple(sorted(flaws, key=lambda flaw: (flaw.since, flaw.until, flaw.fault, flaw.objects))),
        unproven_days=frozenset(day for item in spoiled for day in _days_touched(item.digest)),
    )


_Identity = tuple[str, str]


def _identity(item: CheckedDigest) -> _Identity:
    return item.digest.object, item.sha256


def _order(item: CheckedDigest) -> tuple[datetime, datetime, str, str]:
    return item.digest.end, item.digest.start, item.digest.object, item.sha256


def _is_sound(item: CheckedDigest) -> bool:
    return not item.unsound and not item.is_moved and item.signature is not Signature.INVALID


def _days_touched(digest: Digest) -> Iterator[date]:
    day = digest.start.date()
    while datetime.combine(day, time()) < digest.end:
        yield day
        day += _DAY


def _flaw(fault: Fault, item: CheckedDigest, bucket: str, *keys: str) -> Flaw:
    digest = item.digest
    return Flaw(fault, digest.trail, digest.start, digest.end, digest.object, bucket, keys)


def _own_flaws(item: CheckedDigest, is_altered: bool) -> Iterator[Flaw]:
    """What is wrong with a digest itself and with the files it lists."""
    digest = item.digest
    if is_altered:
        yield _flaw(Fault.ALTERED_DIGEST, item, digest.bucket, digest.object)
    if item.signature is Signature.INVALID:
        yield _flaw(Fault.INVALID_SIGNATURE, item, digest.bucket, digest.object)
    for files in item.unsound:
        yield _flaw(files.fault, item, files.bucket, *files.objects)


def _altered(items: Sequence[CheckedDigest]) -> set[_Identity]:
    """Digests that are not what the ones after them say they are, the latest judged first.

    What an altered digest says of the one before it does not count. Of two contents in one place between which
    nobody decides, or of which both are named, neither counts. A verified signature is above all of this.
    """
    copies: dict[str, list[CheckedDigest]] = {}
    named_by: dict[str, list[CheckedDigest]] = {}
    for item in items:
        copies.setdefault(item.digest.object, []).append(item)
        if item.digest.previous_object:
            named_by.setdefault(item.digest.previous_object, []).append(item)
    altered: set[_Identity] = set()
    for key, contents in sorted(copies.items(), key=lambda entry: _order(entry[1][-1]), reverse=True):
        named = named_by.get(key, [])
        witnesses = [item for item in named if _identity(item) not in altered]
        # Nobody confirms what only altered digests speak of, but if they name another hash it is in doubt too.
        hashes = {item.digest.previous_sha256 for item in witnesses or named}
        is_contested = len(contents) > 1 and (not witnesses or len(hashes) != 1)
        for item in contents:
            is_other = bool(hashes) and item.sha256 not in hashes
            if (is_contested or is_other) and item.signature is not Signature.VERIFIED:
                altered.add(_identity(item))
    return altered


def _follow(items: Sequence[CheckedDigest], sound: set[_Identity]) -> tuple[list[Run], list[Flaw]]:
    """Walk hourly digests in the order of time: which sound ones follow one another, and where is a break?"""
    known = {_identity(item): item for item in items}
    keys = {item.digest.object for item in items}
    runs: list[Run] = []
    run_of: dict[_Identity, int] = {}
    breaks: list[Flaw] = []
    latest: datetime | None = None
    for item in items:
        digest = item.digest
        before = known.get((digest.previous_object or "", digest.previous_sha256 or ""))
        follows = before is not None and digest.start <= before.digest.end
        if latest is not None and not follows:
            breaks.extend(_breaks(item, before, latest, is_named=digest.previous_object in keys))
        latest = max(latest or digest.end, digest.end)
        if _identity(item) not in sound:
            continue
        run = run_of.get(_identity(before)) if before is not None and follows else None
        if run is None:
            run = len(runs)
            runs.append(Run(digest.start, digest.end))
        else:
            runs[run] = Run(runs[run].start, max(runs[run].end, digest.end))
        run_of[_identity(item)] = run
    return runs, breaks


def _breaks(
    item: CheckedDigest, before: CheckedDigest | None, latest: datetime, *, is_named: bool
) -> Iterator[Flaw]:
    """Why a digest does not continue those before it; nothing when that digest is named as altered anyway."""
    digest = item.digest
    since, bucket, key = min(latest, digest.start), digest.bucket, digest.object
    if before is not None:
        fault, since = Fault.CHAIN_GAP, before.digest.end
    elif digest.previous_object is None:
        fault = Fault.CHAIN_RESTARTED
    elif is_named:
        return
    else:
        fault, bucket, key = Fault.MISSING_DIGEST, digest.previous_bucket or bucket, digest.previous_object
    yield Flaw(fault, digest.trail, since, digest.start, digest.object, bucket, (key,))
