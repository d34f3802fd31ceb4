"""A trail as its descriptions have it, and why it declares nothing if it does not."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from analyzer.trail_documents import STS


class Shortcoming(StrEnum):
    """Why a trail declares nothing."""

    SINGLE_REGION = "single_region"
    """It is no multi-region trail: other regions are not in its logs."""
    WRITE_ONLY = "write_only"
    """No reads are recorded, and AssumeRole is one."""
    READ_ONLY = "read_only"
    """No writes are recorded."""
    NO_MANAGEMENT_EVENTS = "no_management_events"
    """No management events are recorded, and all calls of STS are such events."""
    EXCLUDES_STS = "excludes_sts"
    """What is recorded leaves out the event source sts.amazonaws.com."""
    FILTERED = "filtered"
    """Management events are restricted by another field, or to some event sources: calls may be left out."""
    SELECTORS_MISSING = "selectors_missing"
    """No output of get-event-selectors was handed in: what is recorded is unknown."""
    STATUS_MISSING = "status_missing"
    """No output of get-trail-status tells since when the trail logs."""
    STOPPED = "stopped"
    """The trail is not logging."""
    DELIVERY_FAILING = "delivery_failing"
    """CloudTrail's latest attempt to deliver a log file to the bucket failed."""


_IN_WORDS = {
    Shortcoming.SINGLE_REGION: "it records one region only "
    "(hand in the descriptions of a multi-region trail, or make this one such a trail)",
    Shortcoming.WRITE_ONLY: "it records no reads, and AssumeRole is one "
    "(let its event selectors record reads and writes)",
    Shortcoming.READ_ONLY: "it records no writes (let its event selectors record reads and writes)",
    Shortcoming.NO_MANAGEMENT_EVENTS: "it records no management events "
    "(let its event selectors record them, reads and writes)",
    Shortcoming.EXCLUDES_STS: f"it excludes {STS} (take the exclusion out of its event selectors)",
    Shortcoming.FILTERED: "its event selectors let some management events pass only, so calls may be left out "
    "(add a selector of all management events)",
    Shortcoming.SELECTORS_MISSING: "what it records is not known "
    "(save `aws cloudtrail get-event-selectors --trail-name {arn}` and hand it in)",
    Shortcoming.STATUS_MISSING: "since when it logs is not known "
    "(save `aws cloudtrail get-trail-status --name {arn}`, with {name} in the file's name, and hand it in)",
    Shortcoming.STOPPED: "it is not logging "
    "(start it with `aws cloudtrail start-logging --name {arn}`, or hand in a trail that logs)",
    Shortcoming.DELIVERY_FAILING: "CloudTrail could not deliver to its bucket "
    "(repair the bucket's policy, then save `aws cloudtrail get-trail-status --name {arn}` anew)",
}
"""Reason and remedy, as clauses of a sentence about the trail."""

_BLIND = frozenset({Shortcoming.WRITE_ONLY, Shortcoming.NO_MANAGEMENT_EVENTS, Shortcoming.EXCLUDES_STS})


@dataclass(frozen=True, slots=True)
class DescribedTrail:
    """A trail as its descriptions have it, all of them put together.

    Account, partition, home region and name are those in its ARN; an organization trail's ARN holds the account
    that owns the trail. `logging_since` is naive UTC, None when the trail does not log or nothing tells.
    """

    arn: str
    name: str
    account_id: str
    partition: str
    home_region: str
    is_multi_region: bool
    is_organization: bool
    s3_bucket: str
    prefix: str
    logging_since: datetime | None
    shortcomings: tuple[Shortcoming, ...]

    @property
    def sees_sts(self) -> bool:
        """Whether its logs could show AssumeRole at all. Unknown event selectors might."""
        return _BLIND.isdisjoint(self.shortcomings)

    @property
    def first_day(self) -> date | None:
        """The first whole UTC day on which everything needed was logged; None when the trail declares nothing."""
        if self.shortcomings or self.logging_since is None:
            return None
        day = self.logging_since.date()
        return day if self.logging_since.time() == time() else day + timedelta(days=1)

    def declares(self, day: date) -> bool:
        """Whether everything needed was logged from that day's midnight on."""
        first = self.first_day
        return first is not None and first <= day

    def in_words(self) -> str:
        """One sentence for the terminal: since when the trail declares, or why it does not and what to do."""
        trail = f"trail {self.name} ({self.account_id}, home {self.home_region})"
        first = self.first_day
        if first is not None:
            return f"{trail} declares all regions from {first} on"
        reasons = (_IN_WORDS[one].format(arn=self.arn, name=self.name) for one in self.shortcomings)
        return f"{trail} declares nothing: {'; '.join(reasons)}"
