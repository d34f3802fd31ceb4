"""Trail descriptions: what AWS says a trail records, and since when the trail so declares coverage.

Read are the saved outputs of `aws cloudtrail describe-trails` (or `get-trail`), `get-event-selectors` and
`get-trail-status`; all three are needed to declare anything. Sources: CloudTrail API reference, `Trail`,
`EventSelector`, `AdvancedFieldSelector` and `GetTrailStatus`. A description is text from anybody: what is not
understood in it never makes a trail declare more, only less.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any

from analyzer.described_trail import DescribedTrail, Shortcoming
from analyzer.trail_documents import (
    Document,
    essence,
    holds_selectors,
    holds_status,
    is_description,
    moment_of,
)
from analyzer.trail_selectors import Recorded, recorded_by

__all__ = ["DescribedTrail", "Document", "Shortcoming", "essence", "is_description", "read_trails"]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]{0,20}):cloudtrail:(?P<home_region>[a-z0-9-]{1,32}):(?P<account_id>[0-9]{12})"
    r":trail/(?P<name>[A-Za-z0-9._-]{1,128})"
)
_SHOWN = 100
"""Most characters of somebody's text that a problem quotes."""


def read_trails(documents: Iterable[Document]) -> tuple[tuple[DescribedTrail, ...], tuple[str, ...]]:
    """Put descriptions together: the trails by ARN, and in words what could not be used. Order does not matter.

    Event selectors and statuses handed in twice for one trail: what is certain by all of them counts.
    """
    descriptions = [(name, essence(value)) for name, value in documents]
    problems: set[str] = set()
    trails: dict[str, _Pieces] = {}
    for name, value in descriptions:
        for configuration in _configurations(value):
            arn = configuration.get("TrailARN", "")
            if match := _ARN.fullmatch(arn):
                trails.setdefault(arn, _Pieces(arn, **match.groupdict())).configurations.append(configuration)
            else:
                problems.add(_unreadable(name, arn))
    for name, value in descriptions:
        if holds_selectors(value) or holds_status(value):
            pieces = _whose(name, value, trails)
            if pieces is None:
                problems.update(_unassigned(name, value, bool(trails)))
            else:
                pieces.add(value)
    return tuple(trails[arn].together() for arn in sorted(trails)), tuple(sorted(problems))


# Whose description it is


def _configurations(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trails in the essence of a description."""
    found: list[dict[str, Any]] = list(value.get("trailList", ()))
    return [*found, value["Trail"]] if "Trail" in value else found


def _whose(name: str, value: Mapping[str, Any], trails: Mapping[str, "_Pieces"]) -> "_Pieces | None":
    """The trail that event selectors or a status belong to.

    get-trail-status does not say of which trail it is. So the ARN decides where there is one, then the trail
    described in the same JSON object, then the file's name, and then that only one trail is described.
    """
    if arn := value.get("TrailARN"):
        return trails.get(arn)
    beside = {one.get("TrailARN", "") for one in _configurations(value)} & trails.keys()
    for arns in (beside, _named(name, trails), set(trails)):
        if len(arns) == 1:
            return trails[arns.pop()]
    return None


def _named(name: str, trails: Mapping[str, "_Pieces"]) -> set[str]:
    """The trails whose name is in a file's name. A name within a longer one that is there too does not count.

    Trails of several accounts may be named alike; then an account in the file's whole name decides.
    """
    file = re.split(r"[/\\]", name)[-1]
    there = {pieces.name for pieces in trails.values() if pieces.name in file}
    longest = {one for one in there if not any(one in other for other in there - {one})}
    found = {arn for arn, pieces in trails.items() if pieces.name in longest}
    of_account = {arn for arn in found if trails[arn].account_id in name}
    return of_account or found


def _unreadable(name: str, arn: str) -> str:
    named = f"by '{arn[:_SHOWN]}', which is no trail's ARN" if arn else "without its TrailARN"
    return f"{name}: describes a trail {named}; save describe-trails' output unchanged and hand it in"


def _unassigned(name: str, value: Mapping[str, Any], is_any_described: bool) -> Iterator[str]:
    arn = value.get("TrailARN", "")
    for kind, holds in (("event selectors", holds_selectors), ("status", holds_status)):
        if not holds(value):
            continue
        if arn:
            yield (
                f"{name}: describes the {kind} of {arn[:_SHOWN]}, but no describe-trails output names that trail; "
                "save `aws cloudtrail describe-trails` of its account and hand it in"
            )
        elif is_any_described:
            yield (
                f"{name}: says of no trail whose {kind} it holds; put the trail's name into the file's name "
                "(and its account's number, where several accounts have trails of that name)"
            )
        else:
            yield (
                f"{name}: holds the {kind} of a trail, but none is described; "
                "save `aws cloudtrail describe-trails` and hand it in"
            )


# The pieces put together


@dataclass(frozen=True, slots=True)
class _Status:
    is_logging: bool
    since: datetime | None
    is_delivery_failing: bool


def _status(value: Mapping[str, Any]) -> _Status:
    start = moment_of(value.get("StartLoggingTime")) or moment_of(value.get("TimeLoggingStarted"))
    stop = moment_of(value.get("StopLoggingTime"))
    return _Status(
        is_logging=value["IsLogging"],
        # Whatever the start says: there was no logging when it was last stopped.
        since=max(start, stop) if start and stop else start,
        is_delivery_failing=bool(value.get("LatestDeliveryError")),
    )


@dataclass(slots=True)
class _Pieces:
    """What the documents say of one trail, in any order."""

    arn: str
    partition: str
    home_region: str
    account_id: str
    name: str
    configurations: list[Mapping[str, Any]] = field(default_factory=list, init=False)
    recorded: list[Recorded] = field(default_factory=list, init=False)
    statuses: list[_Status] = field(default_factory=list, init=False)

    def add(self, value: Mapping[str, Any]) -> None:
        """Take the event selectors and the status out of the essence of a description."""
        if holds_selectors(value):
            self.recorded.append(recorded_by(value))
        if holds_status(value):
            self.statuses.append(_status(value))

    def together(self) -> DescribedTrail:
        """The trail; where the pieces contradict each other, the one that declares less is believed."""
        bucket, prefix = min(
            (one.get("S3BucketName", ""), one.get("S3KeyPrefix", "")) for one in self.configurations
        )
        found = {*self._of_configuration(), *self._of_selectors(), *self._of_status()}
        return DescribedTrail(
            arn=self.arn,
            name=self.name,
            account_id=self.account_id,
            partition=self.partition,
            home_region=self.home_region,
            is_multi_region=self._all_say("IsMultiRegionTrail"),
            is_organization=self._all_say("IsOrganizationTrail"),
            s3_bucket=bucket,
            prefix=prefix,
            logging_since=self._logging_since(),
            shortcomings=tuple(one for one in Shortcoming if one in found),
        )

    def _all_say(self, name: str) -> bool:
        said = [one[name] for one in self.configurations if name in one]
        return bool(said) and all(said)

    def _of_configuration(self) -> Iterator[Shortcoming]:
        if not self._all_say("IsMultiRegionTrail"):
            yield Shortcoming.SINGLE_REGION

    def _of_selectors(self) -> Iterator[Shortcoming]:
        if self.recorded:
            yield from reduce(and_, self.recorded).shortcomings()
        else:
            yield Shortcoming.SELECTORS_MISSING

    def _of_status(self) -> Iterator[Shortcoming]:
        if not self._is_stopped() and self._logging_since() is None:
            yield Shortcoming.STATUS_MISSING
        if self._is_stopped():
            yield Shortcoming.STOPPED
        if any(status.is_delivery_failing for status in self.statuses):
            yield Shortcoming.DELIVERY_FAILING

    def _is_stopped(self) -> bool:
        return not all(status.is_logging for status in self.statuses)

    def _logging_since(self) -> datetime | None:
        if self._is_stopped():
            return None
        return max((status.since for status in self.statuses if status.since), default=None)
