"""What documents say about logs when they hold none: digests, their signatures, trail descriptions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analyzer.decoding.outcome import Reading, skipped
from analyzer.digests import Digest, MalformedDigest, parse_digest
from analyzer.log_key import LogKey
from analyzer.trail_documents import essence

SIGNATURE_SUFFIX = ".sig"
"""Of the file beside a digest that holds its signature, which S3 keeps as metadata of the object."""

SIGNATURE_BOUND = 4096
"""Most characters that are kept of a signature; CloudTrail's have 512."""

_SIGNATURE = re.compile(rb"\s*\"?([0-9a-fA-F]{16,4096})\"?\s*")


@dataclass(frozen=True, slots=True)
class DigestSignature:
    """The signature of a digest, in hex, saved beside it."""

    hex: str


@dataclass(frozen=True, slots=True)
class TrailDescription:
    """What matters of the output of describe-trails, get-event-selectors or get-trail-status."""

    value: Mapping[str, Any]


Statement = Digest | DigestSignature | TrailDescription


def read_statement(
    kind: str, value: Mapping[str, Any], key: LogKey | None, reading: Reading, position: str
) -> Statement | None:
    """The statement in a JSON object of the kind `digest` or `trail_description`.

    A digest that cannot be used proves nothing and is noted in `reading`.
    """
    if kind == "trail_description":
        return TrailDescription(essence(value))
    try:
        return parse_digest(value, key)
    except MalformedDigest as error:
        reading.note("malformed_digest", position, str(error))
        reading.detail = str(error)
        return None


def read_signature(content: bytes) -> tuple[Reading, Statement | None]:
    """The account of a signature file, and the signature if there is one in it."""
    reading = skipped("digest_signature")
    match = _SIGNATURE.fullmatch(content)
    if match is None:
        reading.note("malformed_signature", "")
        return reading, None
    return reading, DigestSignature(match.group(1).decode().lower())
