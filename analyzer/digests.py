"""Digest files: what CloudTrail says it delivered, hour by hour, each naming the hash of the one before.

Source: CloudTrail user guide, "CloudTrail digest file structure" and "Custom implementations of CloudTrail log
file integrity validation". Hashes are SHA-256 of the uncompressed content, in hex.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from analyzer.log_key import LogKey, parse_log_key

LONGEST_PERIOD = timedelta(days=31)
"""CloudTrail writes a digest every hour. What claims to speak for more than a month is no digest."""

_NAME = re.compile(
    r"^[0-9]{12}_CloudTrail-Digest_([a-z0-9-]{1,32})_(.{1,200})_([a-z0-9-]{1,32})_[0-9]{8}T[0-9]{6}Z(_backfill)?\.json"
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DOUBLE_MEMBER = re.compile(r"#[0-9]+$")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_BOUND = 1024
_EARLIEST, _LATEST = datetime(2000, 1, 1), datetime(9999, 1, 1)


class MalformedDigest(ValueError):
    """A digest file says something that no digest says; the message names the field."""


@dataclass(frozen=True, slots=True, order=True)
class Trail:
    """Whose digests follow one another: one trail's, for one account and one region."""

    account_id: str
    region: str
    name: str
    home_region: str


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A log file as a digest lists it."""

    bucket: str
    object: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest file. Times are naive UTC; `end_text` is the end as it is written and signed.

    `previous_*` are None in the first digest of a chain. A backfill digest lists files that were delivered
    late and is in no chain of hours.
    """

    trail: Trail
    start: datetime
    end: datetime
    end_text: str
    bucket: str
    object: str
    fingerprint: str
    is_backfill: bool
    previous_bucket: str | None
    previous_object: str | None
    previous_sha256: str | None
    previous_signature: str | None
    files: tuple[ListedFile, ...]
    """Log files only: Insight and network activity files that a digest lists hold no calls."""


def object_name(key: str) -> str:
    """The last part of a key or path, without `.gz`: copies may lie elsewhere and unpacked."""
    name = _DOUBLE_MEMBER.sub("", re.split(r"[/\\]", key)[-1])
    return name.removesuffix(".gz")


def parse_digest(value: Mapping[str, Any], key: LogKey | None) -> Digest:
    """Read a digest file's JSON object.

    Account, region and trail are those of the `digestS3Object` it names itself, which is signed; `key` is that
    of the place where it was found, a last resort. Raises MalformedDigest.
    """
    text = _Texts(value)
    s3_object = text.required("digestS3Object")
    own_key = parse_log_key(s3_object) or key
    name = _NAME.match(re.split(r"[/\\]", s3_object)[-1])
    if own_key is None or name is None:
        raise MalformedDigest("digestS3Object is not named as CloudTrail names digests")
    start, end = text.time("digestStartTime"), text.time("digestEndTime")
    if not timedelta(0) < end - start <= LONGEST_PERIOD:
        raise MalformedDigest("digestStartTime and digestEndTime enclose no period of a digest")
    return Digest(
        trail=Trail(own_key.account_id, own_key.region, name.group(2), name.group(3)),
        start=start,
        end=end,
        end_text=text.required("digestEndTime"),
        bucket=text.required("digestS3Bucket"),
        object=s3_object,
        fingerprint=text.optional("digestPublicKeyFingerprint") or "",
        is_backfill=name.group(4) is not None,
        previous_bucket=text.optional("previousDigestS3Bucket"),
        previous_object=text.optional("previousDigestS3Object"),
        previous_sha256=text.optional_sha256("previousDigestHashValue"),
        previous_signature=text.optional("previousDigestSignature"),
        files=_files(value.get("logFiles")),
    )


def _files(listed: Any) -> tuple[ListedFile, ...]:
    if not isinstance(listed, list):
        raise MalformedDigest("logFiles is no list")
    files = []
    for entry in listed:
        if not isinstance(entry, dict):
            raise MalformedDigest("logFiles holds something that is no object")
        text = _Texts(entry)
        sha256 = text.optional_sha256("hashValue")
        if sha256 is None:
            raise MalformedDigest("hashValue is missing")
        file = ListedFile(text.required("s3Bucket"), text.required("s3Object"), sha256)
        file_key = parse_log_key(file.object)
        if file_key is None or file_key.is_log_file:
            files.append(file)
    return tuple(files)


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a JSON object, each of a sane length."""

    value: Mapping[str, Any]

    def optional(self, name: str) -> str | None:
        text = self.value.get(name)
        if text is None:
            return None
        if not isinstance(text, str) or not 0 < len(text) <= _BOUND or _HALF_CHARACTER.search(text):
            raise MalformedDigest(f"{name} is no text of a sane length")
        return text

    def required(self, name: str) -> str:
        text = self.optional(name)
        if text is None:
            raise MalformedDigest(f"{name} is missing")
        return text

    def optional_sha256(self, name: str) -> str | None:
        text = self.optional(name)
        if text is not None and not _SHA256.fullmatch(text):
            raise MalformedDigest(f"{name} is no SHA-256 in hex")
        return text.lower() if text else None

    def time(self, name: str) -> datetime:
        text = self.required(name)
        try:
            moment = datetime.fromisoformat(text)
            # CloudTrail writes Z; what comes with another offset means the same instant.
            moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        except (ValueError, OverflowError) as error:
            raise MalformedDigest(f"{name} is no time") from error
        if not _EARLIEST <= moment < _LATEST:
            raise MalformedDigest(f"{name} is no time that CloudTrail can mean")
        return moment
