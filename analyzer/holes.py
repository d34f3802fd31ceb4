"""Holes in the evidence, with their hours and what to do about each.

Two kinds: days that nothing observes (`none`), and hours that a chain of digests could prove and does not. What
to do is said in one sentence for each; file names in it come from logs and are quoted for a shell.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby

from analyzer.coverage import CoverageEvidence, Level
from analyzer.digest_chain import Fault, Flaw
from analyzer.verdicts import Decision, Reason, Verdict
from analyzer.window import Window

_DAY = timedelta(days=1)


class Darkness(StrEnum):
    """Why a day is `none`."""

    WRITE_ONLY_LOGS = "write_only_logs"
    """The account's logs hold no reads, and AssumeRole is one."""
    PRUNED = "pruned"
    """The events of that day were removed from the store: what was in the logs is not known any more."""
    REJECTED_LOG_FILE = "rejected_log_file"
    """A log file of that day was rejected: nobody read it."""
    NO_LOGS = "no_logs"
    """No log file, no event, no digest, no description."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Hours that are not observed, or not proven although a chain could. Naive UTC, `until` excluded.

    `trail` is empty for days that are `none`. `bucket`, `objects` and `digest` name the files at fault and the
    digest that speaks of them, where there are any. Several holes may be about the same hours.
    """

    account_id: str
    region: str
    since: datetime
    until: datetime
    cause: Darkness | Fault
    remedy: str
    trail: str = ""
    digest: str = ""
    bucket: str = ""
    objects: tuple[str, ...] = ()

    @property
    def is_invalid(self) -> bool:
        """Whether something is not what CloudTrail delivered."""
        return isinstance(self.cause, Fault) and self.cause.is_invalid


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A log file of one account, region and delivery day that could not be read."""

    account_id: str
    region: str
    day: date
    name: str
    reason: str


def dark_holes(
    evidence: CoverageEvidence,
    account_id: str,
    region: str,
    window: Window,
    rejected: Sequence[RejectedFile] = (),
) -> list[Hole]:
    """The days of the window that are `none`, days in a row with one cause as one hole."""
    if account_id in evidence.write_only_accounts:
        remedy = "hand in the logs of a trail that records reads: AssumeRole is one"
        return [Hole(account_id, region, window.start, window.end, Darkness.WRITE_ONLY_LOGS, remedy)]
    unread = evidence.unread.get((account_id, region), frozenset())
    holes = []
    kept = max(window.since, min(window.until, evidence.pruned_before))
    if window.since < kept:
        remedy = _ask_later(evidence.pruned_before)
        holes.append(Hole(account_id, region, window.start, _midnight(kept), Darkness.PRUNED, remedy))
    for span in _dark_spans(evidence, account_id, region, Window(kept, window.until)):
        for since, until, is_rejected in _cut(*span, unread):
            files = [file for file in rejected if is_rejected and since <= file.day < until]
            cause = Darkness.REJECTED_LOG_FILE if is_rejected else Darkness.NO_LOGS
            remedy = _fetch_again(files) if is_rejected else _fetch_days(since, until - _DAY)
            holes.append(
                Hole(
                    *(account_id, region, _midnight(since), _midnight(until), cause, remedy),
                    objects=tuple(file.name for file in files),
                )
            )
    return holes


def _cut(since: date, until: date, unread: Collection[date]) -> Iterator[tuple[date, date, bool]]:
    """A span cut into days in a row that are all unread or none of them; a span may be centuries long."""
    for is_run, days in groupby(sorted(day for day in unread if since <= day < until), key=_Runs()):
        first, *rest = days
        last = rest[-1] if rest else first
        if since < first:
            yield since, first, False
        yield first, last + _DAY, bool(is_run)
        since = last + _DAY
    if since < until:
        yield since, until, False


class _Runs:
    """Numbers days in order, from 1, so that days in a row have one number."""

    def __init__(self) -> None:
        self._last: date | None = None
        self._number = 0

    def __call__(self, day: date) -> int:
        self._number += self._last is None or day - self._last > _DAY
        self._last = day
        return self._number


def _dark_spans(
    evidence: CoverageEvidence, account_id: str, region: str, window: Window
) -> Iterator[tuple[date, date]]:
    """First day and day after the last of each span of `none`, found by walking the days that are observed."""
    place = account_id, region
    days = {day for kind in (evidence.proven, evidence.declared, evidence.inferred) for day in kind.get(place, ())}
    seen = sorted(d for d in days if d in window and evidence.level(*place, d) is not Level.NONE)
    # From the first declared day on, only days with a rejected file are dark.
    declared = max(window.since, evidence.declared_from(account_id, region))
    at = window.since
    for day in (d for d in seen if d < declared):
        if day > at:
            yield at, day
        at = day + _DAY
    if at < min(declared, window.until):
        yield at, min(declared, window.until)
    for day in sorted(d for d in evidence.unread.get(place, ()) if d in window and d >= declared):
        yield day, day + _DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _fetch_again(files: Sequence[RejectedFile]) -> str:
    first = f"{files[0].name} ({files[0].reason.replace('_', ' ')})" if files else "the rejected log file"
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"fetch {first}{more} again: it could not be read"


def _ask_later(pruned_before: date) -> str:
    return (
        f"ask from {pruned_before} on (--since {pruned_before}): the events before were pruned from the store; "
        "or make a new store from the logs"
    )


def _fetch_days(first: date, last: date) -> str:
    days = f"of {first}" if first == last else f"of {first} to {last}"
    return (
        f"hand in the log files {days}; a quiet region leaves none, then its digests or a description of the "
        "trail (--trail) show that it was watched"
    )


def chain_holes(flaws: Iterable[Flaw], window: Window) -> list[Hole]:
    """The flaws of digest chains that touch the window, and all invalid ones, each with what to do about it."""
    return [
        Hole(
            *(flaw.trail.account_id, flaw.trail.region, flaw.since, flaw.until, flaw.fault, _remedy(flaw)),
            *(flaw.trail.name, flaw.digest, flaw.bucket, flaw.objects),
        )
        for flaw in flaws
        # What is not as CloudTrail delivered it is told whatever was asked.
        if flaw.fault.is_invalid or _overlaps(flaw, window)
    ]


def _overlaps(flaw: Flaw, window: Window) -> bool:
    if flaw.since == flaw.until:
        return window.start <= flaw.since <= window.end
    return flaw.since < window.end and flaw.until > window.start


def _remedy(flaw: Flaw) -> str:
    hour = f"{flaw.until:%Y-%m-%dT%H:%MZ}"
    count = len(flaw.objects)
    files = "1 log file" if count == 1 else f"{count} log files"
    fetch = f"fetch {'it' if count == 1 else 'them'} with {_copy_command(flaw)}"
    again = f"{fetch} and compare: if it is the same there, somebody changed it, and that is an incident"
    hours = f"from {flaw.since:%Y-%m-%dT%H:%MZ} to {hour}"
    texts = {
        Fault.MISSING_LOG_FILE: f"{files} listed in the digest of {hour} {_are(count)} not in this copy: {fetch}",
        Fault.UNREAD_LOG_FILE: f"{files} listed in the digest of {hour} could not be read: {fetch}",
        Fault.WRONG_HASH: f"{files} listed in the digest of {hour} {_are(count)} not as delivered: {again}",
        Fault.ALTERED_DIGEST: f"the digest of {hour} is not the one that the next digest names: {again}",
        Fault.INVALID_SIGNATURE: f"the digest of {hour} is not what AWS signed: {again}",
        Fault.MOVED_DIGEST: f"the digest of {hour} was found under another name than its own: {again}",
        Fault.MISSING_DIGEST: f"the digests {hours} are not in this copy: {fetch}",
        Fault.CHAIN_GAP: f"CloudTrail wrote no digests {hours}: nothing to fetch, these hours cannot be proven",
        Fault.CHAIN_RESTARTED: f"the chain of digests begins anew at {hour}: validation was off before, "
        "nothing to fetch, these hours cannot be proven",
    }
    return texts[flaw.fault]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _copy_command(flaw: Flaw) -> str:
    """A command that a person may paste: bucket and keys are text from a log, hence the quotes."""
    if len(flaw.objects) == 1 and flaw.fault is not Fault.MISSING_DIGEST:
        return f"aws s3 cp {shlex.quote(f's3://{flaw.bucket}/{flaw.objects[0]}')} FOLDER"
    parents = flaw.objects[0].split("/")[:-1] if flaw.objects else []
    if flaw.since.date() != flaw.until.date():
        parents = parents[:-3]  # the region's folder: the files lie in those of several days
    folder = "/".join(parents)
    return f"aws s3 sync {shlex.quote(f's3://{flaw.bucket}/{folder}/')} FOLDER"


def what_settles(decision: Decision, holes: Sequence[Hole], days: int, min_days: int) -> str | None:
    """The one thing that would settle a `cannot_tell`; None for other verdicts. `holes`: those of days."""
    if decision.verdict is not Verdict.CANNOT_TELL:
        return None
    if holes:
        worst = min(holes, key=lambda hole: (list(Darkness).index(Darkness(hole.cause)), hole.since))
        others = len(holes) - 1
        more = (
            f" (and {others} more {'hole' if others == 1 else 'holes'}: 'sts-regions coverage')" if others else ""
        )
        return f"{worst.remedy}{more}"
    if Reason.WINDOW_TOO_SHORT in decision.reasons:
        return f"logs of {min_days - days} more days, or a smaller --min-days"
    return None
