"""Signatures of digests: did CloudTrail sign this content, for this place and this end?

Source: CloudTrail user guide, "Custom implementations of CloudTrail log file integrity validation". The signature
of a digest is metadata of its S3 object, so a plain copy of the file loses it. CloudTrail signs with another key
in every region and changes keys from time to time; a digest names its key by fingerprint.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from analyzer.digests import Digest
from analyzer.errors import UsageError

# cryptography is imported where it is needed: most commands verify nothing.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_EXPECTED = "save the output of 'aws cloudtrail list-public-keys --output json' as it is"


class Signature(StrEnum):
    """What the signature of a digest says about it."""

    VERIFIED = "verified"
    """CloudTrail signed this content for this bucket, key and end."""
    ABSENT = "absent"
    """There is no signature at hand, or no public key of the fingerprint that the digest names."""
    INVALID = "INVALID"
    """The content, its place or the signature itself is not what CloudTrail signed."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """CloudTrail's public keys by fingerprint; `PublicKeys()` has none."""

    _keys: "Mapping[str, RSAPublicKey]" = field(default_factory=dict)

    @classmethod
    def read(cls, contents: Iterable[tuple[str, bytes]]) -> "PublicKeys":
        """Read saved outputs of `aws cloudtrail list-public-keys`, each given as its name and content.

        Their validity times are not looked at: they tell when CloudTrail signed with a key. Raises UsageError
        for anything else.
        """
        keys: dict[str, RSAPublicKey] = {}
        for name, content in contents:
            for position, entry in enumerate(_entries(name, content)):
                fingerprint, key = _load(f"{name}: key {position} of its PublicKeyList", entry)
                if keys.setdefault(fingerprint, key) != key:
                    raise UsageError(
                        f"{name}: its key of fingerprint {fingerprint!r} is not the one read before; {_EXPECTED}"
                    )
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, fingerprint: str) -> bool:
        """Whether there is a key of this fingerprint: without it, a signature tells nothing."""
        return fingerprint in self._keys

    def verify(self, digest: Digest, sha256: str, signature: str | None) -> Signature:
        """Check the signature (in hex; None when there is none) of a digest.

        `sha256` is that of the digest's uncompressed content, in lower-case hex.
        """
        key = self._keys.get(digest.fingerprint)
        if signature is None or key is None:
            return Signature.ABSENT
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            key.verify(bytes.fromhex(signature), string_to_sign(digest, sha256), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return Signature.INVALID
        return Signature.VERIFIED


def string_to_sign(digest: Digest, sha256: str) -> bytes:
    """What CloudTrail signs: end as written, bucket and key, hash, and the previous signature or `null`.

    `sha256` is that of the digest's uncompressed content, in lower-case hex.
    """
    place = f"{digest.bucket}/{digest.object}"
    return "\n".join((digest.end_text, place, sha256, digest.previous_signature or "null")).encode()


def _entries(name: str, content: bytes) -> Iterator[Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: it is no JSON; {_EXPECTED}") from None
    listed = value.get("PublicKeyList") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise UsageError(f"{name}: it has no PublicKeyList; {_EXPECTED}")
    if not listed:
        # Without --start-time and --end-time the AWS CLI lists only the keys of today.
        raise UsageError(
            f"{name}: its PublicKeyList is empty; list the keys of the time and region of the digests"
        )
    yield from listed


def _load(name: str, entry: Any) -> "tuple[str, RSAPublicKey]":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        fingerprint = entry["Fingerprint"]
        # It tells PKCS#1, in which CloudTrail gives its keys, from other forms by itself.
        key = load_der_public_key(base64.b64decode(entry["Value"]))
    except (KeyError, TypeError, ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{name} cannot be loaded; {_EXPECTED}") from None
    if not isinstance(fingerprint, str) or not isinstance(key, RSAPublicKey):
        raise UsageError(f"{name} is no RSA key with a fingerprint; {_EXPECTED}")
    return fingerprint, key
