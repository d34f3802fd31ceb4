"""Signatures of digests: what is verified, what is refused, and which key files can be read."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from digest_chain import DigestChain, Signer

from analyzer.digests import Digest, parse_digest
from analyzer.errors import UsageError
from analyzer.signatures import PublicKeys, Signature, string_to_sign

START = datetime(2026, 10, 1, 12)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def other_signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def keys(signer: Signer) -> PublicKeys:
    return PublicKeys.read([("keys.json", signer.public_keys_json())])


def last_of(chain: DigestChain) -> tuple[Digest, str, str]:
    """The last digest of a chain, its hash and its signature."""
    key = chain.digests[-1]
    content = gzip.decompress(chain.objects()[key])
    digest = parse_digest(json.loads(content), None)
    return digest, hashlib.sha256(content).hexdigest(), chain.signatures()[key]


@pytest.fixture
def signed(signer: Signer) -> tuple[Digest, str, str]:
    """The second digest of a chain, its hash and its signature."""
    chain = DigestChain(signer)
    chain.hour(START)
    chain.hour(files={chain.log_key(): b"{}"})
    return last_of(chain)


def test_what_aws_signed_is_verified(keys: PublicKeys, signed: tuple[Digest, str, str]) -> None:
    assert keys.verify(*signed) is Signature.VERIFIED


def test_the_first_digest_is_signed_with_the_word_null(keys: PublicKeys, signer: Signer) -> None:
    chain = DigestChain(signer)
    chain.hour(START)
    digest, sha256, signature = last_of(chain)
    assert string_to_sign(digest, sha256).endswith(b"\nnull")
    assert keys.verify(digest, sha256, signature) is Signature.VERIFIED


def test_the_end_is_signed_as_it_is_written(keys: PublicKeys, signer: Signer) -> None:
    chain = DigestChain(signer, offset=timedelta(hours=2))
    chain.hour(START)
    digest, sha256, signature = last_of(chain)
    assert string_to_sign(digest, sha256).startswith(b"2026-10-01T15:00:00+02:00\n")
    assert keys.verify(digest, sha256, signature) is Signature.VERIFIED


def test_end_place_hash_and_previous_signature_are_signed_in_this_order() -> None:
    chain = DigestChain(bucket="example-logs")
    chain.hour(START)
    digest, sha256 = parse_digest(json.loads(gzip.decompress(chain.objects()[chain.digests[0]])), None), "ab" * 32
    digest = replace(digest, object="a/b.json.gz", previous_signature="cd")
    assert string_to_sign(digest, sha256).decode().split("\n") == [
        "2026-10-01T13:00:00Z",
        "example-logs/a/b.json.gz",
        "ab" * 32,
        "cd",
    ]


@pytest.mark.parametrize(
    "alteration",
    [
        {"end_text": "2026-10-01T14:00:00+00:00"},
        {"bucket": "another-bucket"},
        {"object": "AWSLogs/another.json.gz"},
        {"previous_signature": "ab" * 256},
        {"previous_signature": None},
        {"object": "not \ud800 text"},
    ],
    ids=["end", "bucket", "key", "previous signature", "no previous signature", "half a character"],
)
def test_an_altered_field_makes_the_signature_invalid(
    keys: PublicKeys, signed: tuple[Digest, str, str], alteration: dict[str, Any]
) -> None:
    digest, sha256, signature = signed
    assert keys.verify(replace(digest, **alteration), sha256, signature) is Signature.INVALID


def test_altered_content_makes_the_signature_invalid(keys: PublicKeys, signed: tuple[Digest, str, str]) -> None:
    digest, _, signature = signed
    assert keys.verify(digest, hashlib.sha256(b"altered").hexdigest(), signature) is Signature.INVALID


@pytest.mark.parametrize("signature", ["", "no hex", "abc", "00" * 256, "ff" * 256, "ab", "é" * 512])
def test_what_is_no_signature_of_the_digest_is_invalid(
    keys: PublicKeys, signed: tuple[Digest, str, str], signature: str
) -> None:
    digest, sha256, _ = signed
    assert keys.verify(digest, sha256, signature) is Signature.INVALID


def test_a_signature_by_another_key_of_the_same_name_is_invalid(
    signer: Signer, other_signer: Signer, signed: tuple[Digest, str, str]
) -> None:
    disguised = other_signer.public_key() | {"Fingerprint": signer.fingerprint}
    keys = PublicKeys.read([("keys.json", json.dumps({"PublicKeyList": [disguised]}).encode())])
    assert keys.verify(*signed) is Signature.INVALID


def test_a_line_break_behind_the_signature_is_no_fault(keys: PublicKeys, signed: tuple[Digest, str, str]) -> None:
    digest, sha256, signature = signed
    assert keys.verify(digest, sha256, f"{signature.upper()}\r\n") is Signature.VERIFIED


def test_without_a_signature_it_is_absent(keys: PublicKeys, signed: tuple[Digest, str, str]) -> None:
    digest, sha256, _ = signed
    assert keys.verify(digest, sha256, None) is Signature.ABSENT


def test_without_the_public_key_it_is_absent(other_signer: Signer, signed: tuple[Digest, str, str]) -> None:
    keys = PublicKeys.read([("keys.json", other_signer.public_keys_json())])
    assert keys.verify(*signed) is Signature.ABSENT
    assert signed[0].fingerprint not in keys
    assert other_signer.fingerprint in keys


def test_without_any_key_there_is_nothing_to_verify_with(
    keys: PublicKeys, signed: tuple[Digest, str, str]
) -> None:
    assert not PublicKeys()
    assert keys
    assert PublicKeys().verify(*signed) is Signature.ABSENT


def test_keys_of_several_files_are_joined(signer: Signer, other_signer: Signer) -> None:
    files = [("a.json", signer.public_keys_json()), ("b.json", other_signer.public_keys_json())]
    keys = PublicKeys.read([*files, files[0]])
    assert signer.fingerprint in keys
    assert other_signer.fingerprint in keys


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_key_file_may_have_been_saved_by_windows(signer: Signer, encoding: str) -> None:
    content = signer.public_keys_json().decode().encode(encoding)
    assert signer.fingerprint in PublicKeys.read([("keys.json", content)])


def key_list(*entries: Any) -> bytes:
    return json.dumps({"PublicKeyList": entries}).encode()


def elliptic_key() -> str:
    public = generate_private_key(SECP256R1()).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


MALFORMED: dict[str, tuple[Callable[[dict[str, str]], bytes], str]] = {
    "empty": (lambda key: b"", "it is no JSON"),
    "text": (lambda key: b"PUBLICKEYLIST\tMIIB", "it is no JSON"),
    "bytes": (lambda key: b"\xff\x00\xfe", "it is no JSON"),
    "deep": (lambda key: b"[" * 100_000, "it is no JSON"),
    "list": (lambda key: b"[]", "it has no PublicKeyList"),
    "error": (lambda key: b'{"Error": "denied"}', "it has no PublicKeyList"),
    "no list": (lambda key: b'{"PublicKeyList": {}}', "it has no PublicKeyList"),
    "no keys": (lambda key: key_list(), "its PublicKeyList is empty"),
    "no object": (lambda key: key_list(key, "key"), "key 1 of its PublicKeyList cannot be loaded"),
    "null": (lambda key: key_list(None), "key 0 of its PublicKeyList cannot be loaded"),
    "no value": (lambda key: key_list({"Fingerprint": "ab"}), "cannot be loaded"),
    "no fingerprint": (lambda key: key_list({"Value": key["Value"]}), "cannot be loaded"),
    "number": (lambda key: key_list(key | {"Value": 1}), "cannot be loaded"),
    "no base64": (lambda key: key_list(key | {"Value": "é"}), "cannot be loaded"),
    "no key": (lambda key: key_list(key | {"Value": "AAAA"}), "cannot be loaded"),
    "cut": (lambda key: key_list(key | {"Value": key["Value"][:100]}), "cannot be loaded"),
    "elliptic": (lambda key: key_list(key | {"Value": elliptic_key()}), "is no RSA key with a fingerprint"),
    "odd name": (lambda key: key_list(key | {"Fingerprint": ["ab"]}), "is no RSA key with a fingerprint"),
}


@pytest.mark.parametrize(("content", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_key_file_is_named_with_what_is_wrong_in_one_line(
    signer: Signer, content: Callable[[dict[str, str]], bytes], problem: str
) -> None:
    with pytest.raises(UsageError) as raised:
        PublicKeys.read([("keys.json", content(signer.public_key()))])
    message = str(raised.value)
    assert message.startswith("keys.json: ")
    assert problem in message
    assert "; " in message
    assert "\n" not in message


def test_two_keys_of_one_fingerprint_contradict_each_other(signer: Signer, other_signer: Signer) -> None:
    disguised = other_signer.public_key() | {"Fingerprint": signer.fingerprint}
    with pytest.raises(UsageError, match=r"b\.json: its key of fingerprint .* is not the one read before"):
        PublicKeys.read([("a.json", signer.public_keys_json()), ("b.json", key_list(disguised))])
