"""What became of one document and of the records in it."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a document."""

    INGESTED = "ingested"
    """It was read to its end and its records are accounted for."""
    SKIPPED = "skipped"
    """It is recognized and holds no management events (a digest, an Insight file, a notification, …)."""
    REJECTED = "rejected"
    """It could not be read to its end: whatever it holds is unknown."""


REMEDIES = {
    "missing": "check the path",
    "unreadable": "grant read permission, then run again",
    "not_a_file": "name a regular file or a directory",
    "symlink_loop": "remove the link that points back up the tree",
    "changed_while_read": "run again when nothing writes to it",
    "gone": "nothing to do if objects of that age are deleted; otherwise find out who removed it",
    "forbidden": (
        "allow it (s3:GetObject, s3:ListBucket for a folder, kms:Decrypt if a key encrypts it; "
        "cloudtrail:LookupEvents for Event history), then run again"
    ),
    "archived": "restore it from its storage class, then run again",
    "throttled": "run again: what AWS put off is asked for again",
    "timed_out": "run again: what did not come in time is asked for again",
    "connection_lost": "run again when the network is well: what did not come is asked for again",
    "server_error": "run again: what AWS could not answer is asked for again",
    "wrong_length": "run again: it is asked for again",
    "too_large": "raise --max-document-size if the file is to be trusted",
    "empty_file": "fetch it again",
    "truncated_gzip": "fetch it again: its end is missing",
    "damaged_gzip": "fetch it again: its checksum is wrong",
    "damaged_archive": "pack or fetch it again",
    "encrypted_archive": "unpack it first",
    "nested_archive": "unpack the inner archive first",
    "not_json": "fetch it again if it is a log file, or leave it out",
    "truncated_json": "fetch it again: its end is missing",
    "not_utf8": "fetch it again: CloudTrail writes UTF-8",
    "nested_too_deep": "look at the record: CloudTrail nests a few levels, not hundreds",
    "unrecognized": "leave it out: no known CloudTrail form",
    "event_history_csv": (
        "Event history CSV holds no STS reads (AssumeRole is read-only, and the download leaves reads out by "
        "default) and has no column for the host, so it cannot tell which endpoint was called; use the trail "
        "files from S3, or the JSON of 'aws cloudtrail lookup-events'"
    ),
    "not_an_object": "look at the record: it is no JSON object",
    "no_event_time": "look at the record: it has no valid eventTime",
    "no_event_source": "look at the record: it has no eventSource",
    "no_event_name": "look at the record: it has no eventName",
    "malformed_digest": "fetch it again: it is no digest as CloudTrail writes them",
    "malformed_signature": "save the hex text of the object's metadata 'signature' again",
    "no_records": "fetch it again: CloudTrail delivers no empty log files",
    "unexpected_type": "look at the record: the field was read as missing and the record kept",
}
"""Reason -> what the user can do about it. Every rejection reason of the product is listed here."""

PRUNED = "pruned"

SKIP_REASONS = {
    "digest": "a digest file, it lists log files and holds no events",
    "digest_signature": "the signature of a digest file",
    "insight": "Insight events are no calls",
    "network_activity": "network activity events are no calls",
    "data_event": "data events are not used",
    "other_category": "an event category the product does not know",
    "s3_notification": "an S3 notification, not a CloudTrail record",
    "control_message": "a CloudWatch Logs control message",
    "trail_description": "a trail description, not a log",
    PRUNED: "an event of a day that was pruned from the store",
    "not_cloudtrail": "neither JSON nor an archive",
}
"""Reason -> why nothing in it counts; the ledger keeps it as `detail`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth a line on stderr: a rejection, or a field read as missing."""

    reason: str
    position: str = ""
    detail: str = ""


@dataclass(slots=True)
class Reading:
    """The account of one document: every record in it is kept, skipped or rejected."""

    outcome: Outcome
    reason: str = ""
    detail: str = ""
    seen: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    """Things that were mended and still need a look, by reason (`unexpected_type`, `no_records`)."""
    findings: list[Finding] = field(default_factory=list)
    """The first few rejections and notes, with their positions."""

    @property
    def usable(self) -> int:
        """Records that are neither skipped nor rejected."""
        return self.seen - self.skipped.total() - self.rejected.total()

    @property
    def is_clean(self) -> bool:
        """Whether nothing in it was rejected or had to be mended."""
        return self.outcome is not Outcome.REJECTED and not self.rejected and not self.notes

    def reject_record(self, reason: str, position: str, detail: str = "") -> None:
        """Count one record that was seen and cannot be kept."""
        self.rejected[reason] += 1
        self._find(Finding(reason, position, detail))

    def note(self, reason: str, position: str, detail: str = "") -> None:
        """Count one thing that was mended."""
        self.notes[reason] += 1
        self._find(Finding(reason, position, detail))

    def _find(self, finding: Finding) -> None:
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)


FINDINGS_KEPT = 3
"""Positions named per document; the counts are always whole."""


def rejected(reason: str, detail: str = "") -> Reading:
    """The account of a document that could not be read to its end."""
    return Reading(Outcome.REJECTED, reason, detail)


def skipped(reason: str) -> Reading:
    """The account of a document that is recognized and holds no events."""
    return Reading(Outcome.SKIPPED, reason, SKIP_REASONS[reason])


def settle_whole_file(reading: Reading) -> None:
    """Call a document skipped when every record in it was skipped because it is no management log at all."""
    if reading.seen and len(reading.skipped) == 1 and reading.skipped.total() == reading.seen:
        (reason,) = reading.skipped
        if reason in WHOLE_FILE_SKIPS:
            reading.outcome, reading.reason, reading.detail = Outcome.SKIPPED, reason, SKIP_REASONS[reason]


WHOLE_FILE_SKIPS = frozenset({"insight", "network_activity", "s3_notification", "control_message"})
"""Kinds of records that are delivered in files of their own, beside the log files."""
