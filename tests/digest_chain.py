"""Chains of digest files as CloudTrail writes them, with the log files they list, for all tests about digests."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from trail import ACCOUNT, DAY
from trail import key as log_key

HOUR = timedelta(hours=1)
NO_FILES: Mapping[str, bytes] = {}


class Signer:
    """One of CloudTrail's key pairs, made in the test: that takes a moment, so make few."""

    def __init__(self) -> None:
        self._key = generate_private_key(65537, 2048)
        self._public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        self.fingerprint = hashlib.sha256(self._public).hexdigest()[:32]

    def sign(self, content: bytes) -> str:
        """The signature in hex, as CloudTrail writes it."""
        return self._key.sign(content, PKCS1v15(), SHA256()).hex()

    def public_key(self) -> dict[str, str]:
        """An entry of a PublicKeyList."""
        return {
            "Value": base64.b64encode(self._public).decode(),
            "ValidityStartTime": "2026-01-01T00:00:00+00:00",
            "ValidityEndTime": "2027-01-01T00:00:00+00:00",
            "Fingerprint": self.fingerprint,
        }

    def public_keys_json(self) -> bytes:
        """The output of `aws cloudtrail list-public-keys`."""
        return json.dumps({"PublicKeyList": [self.public_key()]}, indent=4).encode()


@dataclass
class DigestChain:
    """The digests of one trail, account and region, and their log files. Times are naive UTC.

    Without a signer the digests name signatures that nobody made, and none is at hand. `offset` writes the
    times with that offset from UTC instead of CloudTrail's `Z`; they mean the same instants.
    """

    signer: Signer | None = None
    account: str = ACCOUNT
    region: str = "eu-west-1"
    trail: str = "org-trail"
    home_region: str = "us-east-1"
    bucket: str = "example-logs"
    prefix: str = ""
    organization: str | None = None
    offset: timedelta | None = None
    digests: list[str] = field(default_factory=list, init=False)
    """The keys of the digests, in the order in which they were made."""
    _end: datetime | None = field(default=None, init=False)
    _previous: dict[str, str | None] = field(default_factory=dict, init=False)
    _objects: dict[str, bytes] = field(default_factory=dict, init=False)
    _signatures: dict[str, str] = field(default_factory=dict, init=False)

    def log_key(self, day: str = DAY, name: str = "aaaaaaaaaaaaaaaa") -> str:
        """The key of a log file of this trail."""
        below = log_key(self.account, self.region, day, name).removeprefix("AWSLogs/")
        return self._root() + below

    def hour(
        self, start: datetime | None = None, files: Mapping[str, bytes] = NO_FILES, length: timedelta = HOUR
    ) -> str:
        """Append a digest that lists files (by key, uncompressed); it starts where the last one ended.

        Returns its key.
        """
        start = start or self._end
        assert start is not None, "the first digest needs a start"
        self._end = start + length
        key = self._add(start, self._end, files, self._previous, "")
        self._previous = {
            "previousDigestS3Bucket": self.bucket,
            "previousDigestS3Object": key,
            "previousDigestHashValue": _sha256(gzip.decompress(self._objects[key])),
            "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": self._signatures[key],
        }
        return key

    def skip_hour(self, count: int = 1) -> None:
        """Let hours pass without a digest; the next one still names the last."""
        assert self._end is not None, "nothing has begun yet"
        self._end += count * HOUR

    def restart(self) -> None:
        """Make the next digest one that names none before it, as after validation was off."""
        self._previous = {}

    def days(
        self, first: date, count: int = 1, files_on: Mapping[date, Mapping[str, bytes]] | None = None
    ) -> list[str]:
        """Append 24 digests a day; the one from 12 to 13 lists the files of its day. Returns their keys."""
        midnight = datetime.combine(first, time())
        starts = [midnight + hours * HOUR for hours in range(24 * count)]
        files = files_on or {}
        return [self.hour(at, files.get(at.date(), {}) if at.hour == 12 else {}) for at in starts]

    def backfill(self, start: datetime, files: Mapping[str, bytes], length: timedelta = HOUR) -> str:
        """Add a digest of files that the digest of their hour left out; it stands beside the chain."""
        return self._add(start, start + length, files, {}, "_backfill")

    def objects(self) -> dict[str, bytes]:
        """What lies in the bucket, by key: digests and log files, gzipped."""
        return dict(self._objects)

    def signatures(self) -> dict[str, str]:
        """The signature of each digest in hex, by its key: the bucket holds it as metadata."""
        return dict(self._signatures) if self.signer else {}

    def tree(self, with_signatures: bool = True) -> dict[str, bytes]:
        """A copy of the bucket for trail.write_tree, with each signature in a file beside its digest."""
        return self.objects() | (sidecars(self.signatures()) if with_signatures else {})

    def _root(self) -> str:
        folders = (self.prefix, "AWSLogs", self.organization)
        return "".join(f"{folder}/" for folder in folders if folder)

    def _digest_key(self, end: datetime, suffix: str) -> str:
        name = (
            f"{self.account}_CloudTrail-Digest_{self.region}_{self.trail}_{self.home_region}_{end:%Y%m%dT%H%M%SZ}"
        )
        folder = f"{self._root()}{self.account}/CloudTrail-Digest/{self.region}/{end:%Y/%m/%d}"
        return f"{folder}/{name}{suffix}.json.gz"

    def _add(
        self,
        start: datetime,
        end: datetime,
        files: Mapping[str, bytes],
        previous: Mapping[str, str | None],
        suffix: str,
    ) -> str:
        key = self._digest_key(end, suffix)
        assert key not in self._objects, f"two digests of one name: {key}"
        events = {"newestEventTime": self._text(start), "oldestEventTime": self._text(start)}
        digest: dict[str, Any] = {
            "awsAccountId": self.account,
            "digestStartTime": self._text(start),
            "digestEndTime": self._text(end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": self.signer.fingerprint if self.signer else "0" * 32,
            "digestSignatureAlgorithm": "SHA256withRSA",
            **(events if files else dict.fromkeys(events)),
            **{name: previous.get(name) for name in _PREVIOUS},
            "logFiles": [self._listed(name, data) | events for name, data in files.items()],
        }
        content = json.dumps(digest, separators=(",", ":")).encode()
        self._objects |= {name: gzip.compress(data, mtime=0) for name, data in files.items()}
        self._objects[key] = gzip.compress(content, mtime=0)
        self._signatures[key] = self._sign(digest, content)
        self.digests.append(key)
        return key

    def _listed(self, key: str, content: bytes) -> dict[str, str]:
        return {
            "s3Bucket": self.bucket,
            "s3Object": key,
            "hashValue": _sha256(content),
            "hashAlgorithm": "SHA-256",
        }

    def _sign(self, digest: Mapping[str, Any], content: bytes) -> str:
        # Written out again and not taken from the product: this is what the product is tested with.
        signed = [
            digest["digestEndTime"],
            f"{digest['digestS3Bucket']}/{digest['digestS3Object']}",
            _sha256(content),
            digest["previousDigestSignature"] or "null",
        ]
        return self.signer.sign("\n".join(signed).encode()) if self.signer else _sha256(content) * 8

    def _text(self, moment: datetime) -> str:
        if self.offset is None:
            return moment.isoformat() + "Z"
        return moment.replace(tzinfo=UTC).astimezone(timezone(self.offset)).isoformat()


def sidecars(signatures: Mapping[str, str]) -> dict[str, bytes]:
    """Files that keep the signatures of digests in a copy of a bucket, by name."""
    return {f"{key}.sig": signature.encode() for key, signature in signatures.items()}


_PREVIOUS = (
    "previousDigestS3Bucket",
    "previousDigestS3Object",
    "previousDigestHashValue",
    "previousDigestHashAlgorithm",
    "previousDigestSignature",
)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
