"""Digests on their way through the product: what one says, and which days a copy of many of them proves."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from digest_chain import HOUR, DigestChain
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, run, trail_file, write_tree

from analyzer.cli import command_line
from analyzer.digests import Digest, MalformedDigest, parse_digest
from analyzer.errors import ExitCode
from analyzer.log_key import parse_log_key

Json = dict[str, Any]
Objects = dict[str, bytes]

FIRST = date(2026, 10, 1)
SECOND = date(2026, 10, 2)
MIDNIGHT = datetime(2026, 10, 1)
NOON = datetime(2026, 10, 1, 12)
LATER = ("--since", "2026-10-01", "--until", "2026-10-03")


def content_of(chain: DigestChain, digest: str) -> Json:
    """A digest of a chain as an object."""
    value: Json = json.loads(gzip.decompress(chain.objects()[digest]))
    return value


def packed(value: Json) -> bytes:
    return gzip.compress(json.dumps(value).encode(), mtime=0)


def altered(chain: DigestChain, digest: str, **fields: Any) -> bytes:
    """A digest of a chain with other words in it, as it would lie in the bucket."""
    return packed(content_of(chain, digest) | fields)


def one_digest(**fields: Any) -> Digest:
    """The digest of noon, with other words in it, as it is read."""
    chain = DigestChain()
    chain.hour(NOON, {chain.log_key(): trail_file(record())})
    return parse_digest(content_of(chain, chain.digests[0]) | fields, None)


def whole_day(count: int = 1, **fields: Any) -> DigestChain:
    """A chain of whole days from FIRST on; FIRST has a log file, whose key is `chain.log_key()`."""
    chain = DigestChain(**fields)
    chain.days(FIRST, count, {FIRST: {chain.log_key(): trail_file(record("listed"))}})
    return chain


def coverage(tmp_path: Path, objects: Mapping[str, bytes], *options: str) -> tuple[ExitCode, Any]:
    return run("coverage", write_tree(tmp_path / "logs", objects), *options, out=tmp_path)


def levels_in(answer: Any, account: str = ACCOUNT, region: str = "eu-west-1") -> str:
    """The letters of the days of one account and region."""
    (row,) = [r for r in answer["coverage"] if (r["account_id"], r["region"]) == (account, region)]
    letters: str = row["levels"]
    return letters


def levels(tmp_path: Path, objects: Mapping[str, bytes], *options: str) -> str:
    return levels_in(coverage(tmp_path, objects, *options)[1])


def flaws(answer: Any) -> list[tuple[str, str, str]]:
    """Kind and hours of every flaw."""
    return [(flaw["kind"], flaw["since"], flaw["until"]) for flaw in answer["flaws"]]


def base_name(name: str) -> str:
    return name.rsplit("/", 1)[-1]


# What a digest says


def test_the_first_digest_of_a_chain_names_none_before_it() -> None:
    digest = one_digest()
    assert digest.previous_object is None
    assert digest.previous_sha256 is None
    assert digest.previous_signature is None


def test_a_later_digest_names_the_one_before_it() -> None:
    chain = DigestChain()
    first, second = chain.hour(NOON), chain.hour()
    digest = parse_digest(content_of(chain, second), None)
    assert (digest.previous_bucket, digest.previous_object) == ("example-logs", first)


def test_a_hash_is_the_same_in_large_letters() -> None:
    listed = {"s3Bucket": "example-logs", "s3Object": key(), "hashValue": "AB" * 32}
    digest = one_digest(previousDigestHashValue="CD" * 32, logFiles=[listed])
    assert (digest.previous_sha256, digest.files[0].sha256) == ("cd" * 32, "ab" * 32)


def test_whose_digest_it_is_stands_in_the_key_that_is_signed_and_not_in_the_place_where_it_was_found() -> None:
    chain = DigestChain(trail="my_trail_2", home_region="eu-central-1", organization="o-exampleorg1", prefix="a/b")
    chain.hour(NOON)
    elsewhere = parse_log_key(key(account=OTHER_ACCOUNT, region="us-east-1"))
    trail = parse_digest(content_of(chain, chain.digests[0]), elsewhere).trail
    assert (trail.account_id, trail.region) == (ACCOUNT, "eu-west-1")
    assert (trail.name, trail.home_region) == ("my_trail_2", "eu-central-1")


@pytest.mark.parametrize(
    "written",
    ["2026-10-01T13:00:00Z", "2026-10-01T13:00:00+00:00", "2026-10-01T15:00:00+02:00", "2026-10-01T13:00:00"],
)
def test_a_time_is_an_instant_whatever_its_offset_and_kept_as_it_is_written_too(written: str) -> None:
    digest = one_digest(digestEndTime=written)
    assert (digest.end, digest.end_text) == (NOON + HOUR, written)


def test_the_name_tells_a_backfill_digest() -> None:
    chain = DigestChain()
    assert parse_digest(content_of(chain, chain.backfill(NOON, {})), None).is_backfill
    assert not one_digest().is_backfill


@pytest.mark.parametrize("folder", ["CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"])
def test_a_listed_file_of_another_kind_than_log_files_is_left_out(folder: str) -> None:
    insight = {"s3Bucket": "b", "s3Object": key().replace("CloudTrail", folder), "hashValue": "ab" * 32}
    assert one_digest(logFiles=[insight]).files == ()


def test_a_listed_file_of_an_unknown_name_counts_as_a_log_file() -> None:
    unknown = {"s3Bucket": "b", "s3Object": "some/file.json.gz", "hashValue": "ab" * 32}
    assert [file.object for file in one_digest(logFiles=[unknown]).files] == ["some/file.json.gz"]


_LISTED = {"s3Bucket": "b", "s3Object": "o", "hashValue": "ab" * 32}
_NAME = "digestS3Object is not named"
MALFORMED: dict[str, tuple[Json, str]] = {
    "no start": ({"digestStartTime": None}, "digestStartTime is missing"),
    "a start that is a number": ({"digestStartTime": 1790000000}, "digestStartTime is no text"),
    "a start that is no time": ({"digestStartTime": "noon"}, "digestStartTime is no time"),
    "no end": ({"digestEndTime": None}, "digestEndTime is missing"),
    "an end of another calendar": ({"digestEndTime": "2026-13-01T00:00:00Z"}, "digestEndTime is no time"),
    "an end long ago": ({"digestEndTime": "1970-01-01T00:00:00Z"}, "digestEndTime is no time"),
    "an end of no offset": ({"digestEndTime": "0001-01-01T00:00:00+23:59"}, "digestEndTime is no time"),
    "an end before the start": ({"digestEndTime": "2026-10-01T11:00:00Z"}, "enclose no period"),
    "no time between": ({"digestEndTime": "2026-10-01T12:00:00Z"}, "enclose no period"),
    "years between": ({"digestEndTime": "2030-10-01T12:00:00Z"}, "enclose no period"),
    "no key": ({"digestS3Object": None}, "digestS3Object is missing"),
    "an empty key": ({"digestS3Object": ""}, "digestS3Object is no text"),
    "a key without end": ({"digestS3Object": "x" * 5000}, "digestS3Object is no text"),
    "a key of anything": ({"digestS3Object": "some/file.json.gz"}, _NAME),
    "the key of a log file": ({"digestS3Object": key()}, _NAME),
    "no bucket": ({"digestS3Bucket": None}, "digestS3Bucket is missing"),
    "a bucket in a list": ({"digestS3Bucket": ["b"]}, "digestS3Bucket is no text"),
    "a fingerprint that is a number": ({"digestPublicKeyFingerprint": 5}, "digestPublicKeyFingerprint is no text"),
    "a previous bucket that is a number": ({"previousDigestS3Bucket": 5}, "previousDigestS3Bucket is no text"),
    "a previous key that is a number": ({"previousDigestS3Object": 5}, "previousDigestS3Object is no text"),
    "a previous hash that is cut": ({"previousDigestHashValue": "ab"}, "previousDigestHashValue is no SHA-256"),
    "a previous hash of a line more": (
        {"previousDigestHashValue": "ab" * 32 + "\n"},
        "previousDigestHashValue is no SHA-256",
    ),
    "a previous signature that is true": ({"previousDigestSignature": True}, "previousDigestSignature is no text"),
    "no list of files": ({"logFiles": None}, "logFiles is no list"),
    "a text for the files": ({"logFiles": "none"}, "logFiles is no list"),
    "a file that is a text": ({"logFiles": ["a"]}, "logFiles holds something"),
    "a file without a hash": ({"logFiles": [_LISTED | {"hashValue": None}]}, "hashValue is missing"),
    "a file with half a hash": ({"logFiles": [_LISTED | {"hashValue": "ab" * 16}]}, "hashValue is no SHA-256"),
    "a file without a key": ({"logFiles": [_LISTED | {"s3Object": None}]}, "s3Object is missing"),
    "a file without a bucket": ({"logFiles": [_LISTED | {"s3Bucket": {}}]}, "s3Bucket is no text"),
}


@pytest.mark.parametrize(("fields", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_digest_is_refused_with_the_field_that_is_wrong(fields: Json, problem: str) -> None:
    with pytest.raises(MalformedDigest, match=problem):
        one_digest(**fields)


HALF_CHARACTERS: dict[str, Json] = {
    "bucket": {"digestS3Bucket": "b\ud800"},
    "key": {"digestS3Object": DigestChain(trail="a\ud800").hour(NOON)},
    "fingerprint": {"digestPublicKeyFingerprint": "\udfff"},
    "previous bucket": {"previousDigestS3Bucket": "\ud800"},
    "previous key": {"previousDigestS3Object": "\ud800"},
    "previous signature": {"previousDigestSignature": "\ud800"},
    "listed bucket": {"logFiles": [_LISTED | {"s3Bucket": "\ud800"}]},
    "listed key": {"logFiles": [_LISTED | {"s3Object": "\ud800"}]},
}


@pytest.mark.parametrize("fields", HALF_CHARACTERS.values(), ids=HALF_CHARACTERS)
def test_a_digest_with_half_a_character_is_malformed(fields: Json) -> None:
    with pytest.raises(MalformedDigest):
        one_digest(**fields)


# Which days are proven


def test_a_day_of_24_digests_that_follow_one_another_is_proven(tmp_path: Path) -> None:
    code, answer = coverage(tmp_path, whole_day().objects())
    assert (code, levels_in(answer), answer["flaws"]) == (ExitCode.OK, "P", [])


def test_a_day_on_which_nothing_happened_is_proven(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.days(FIRST)
    assert levels(tmp_path, chain.objects()) == "P"


def test_23_hours_are_no_day(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(1, 24):
        chain.hour(MIDNIGHT + hour * HOUR)
    assert levels(tmp_path, chain.objects()) == "N"


def test_a_chain_that_begins_within_a_day_proves_the_days_that_lie_in_it_whole(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT + timedelta(hours=3, minutes=12))
    for _ in range(50):
        chain.hour()
    assert levels(tmp_path, chain.objects()) == "NPN"


def test_a_period_longer_than_an_hour_covers_its_hours(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT, length=12 * HOUR)
    chain.hour(length=12 * HOUR)
    assert levels(tmp_path, chain.objects()) == "P"


def test_a_skipped_hour_breaks_the_day_and_is_named_with_its_hours(tmp_path: Path) -> None:
    chain = DigestChain()
    for _ in range(5):
        chain.hour(None if chain.digests else MIDNIGHT)
    chain.skip_hour()
    for _ in range(42):
        chain.hour()
    _, answer = coverage(tmp_path, chain.objects())
    assert levels_in(answer) == "NP"
    assert flaws(answer) == [("chain_gap", "2026-10-01T05:00:00Z", "2026-10-01T06:00:00Z")]


def test_digests_that_are_not_there_break_the_day_and_are_named_with_their_hours(tmp_path: Path) -> None:
    chain = whole_day(2)
    objects = chain.objects()
    for digest in chain.digests[14:17]:
        del objects[digest]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.OK, "IP")
    assert flaws(answer) == [("missing_digest", "2026-10-01T14:00:00Z", "2026-10-01T17:00:00Z")]


def test_a_chain_restarted_within_a_day_does_not_prove_that_day(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(48):
        if hour == 9:
            chain.restart()
        chain.hour(MIDNIGHT + hour * HOUR)
    _, answer = coverage(tmp_path, chain.objects())
    assert levels_in(answer) == "NP"
    assert flaws(answer) == [("chain_restarted", "2026-10-01T09:00:00Z", "2026-10-01T09:00:00Z")]


def test_a_chain_restarted_at_midnight_proves_the_days_on_both_sides(tmp_path: Path) -> None:
    chain = whole_day()
    chain.restart()
    chain.days(SECOND)
    assert levels(tmp_path, chain.objects()) == "PP"


def test_hours_between_the_end_of_a_chain_and_its_restart_are_not_proven(tmp_path: Path) -> None:
    chain = whole_day()
    chain.restart()
    chain.days(date(2026, 10, 3))
    _, answer = coverage(tmp_path, chain.objects())
    assert levels_in(answer) == "PNP"
    assert flaws(answer) == [("chain_restarted", "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z")]


@pytest.mark.parametrize("offset", [timedelta(hours=5, minutes=30), timedelta(hours=-8)])
def test_days_are_those_of_utc_whatever_offset_the_digests_write(offset: timedelta, tmp_path: Path) -> None:
    assert levels(tmp_path, whole_day(offset=offset).objects()) == "P"


# Log files that a digest lists


def test_a_missing_log_file_takes_the_proof_from_its_day_only(tmp_path: Path) -> None:
    chain = whole_day(2)
    objects = chain.objects()
    del objects[chain.log_key()]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.OK, "NP")
    assert flaws(answer) == [("missing_log_file", "2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z")]


def test_an_altered_log_file_takes_the_proof_from_its_day(tmp_path: Path) -> None:
    chain = whole_day()
    forged = gzip.compress(trail_file(record("forged")))
    code, answer = coverage(tmp_path, chain.objects() | {chain.log_key(): forged})
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "I")
    assert flaws(answer) == [("wrong_hash", "2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z")]


def test_a_log_file_that_cannot_be_read_takes_the_proof_from_its_day(tmp_path: Path) -> None:
    chain = whole_day()
    cut = chain.objects()[chain.log_key()][:-9]
    _, answer = coverage(tmp_path, chain.objects() | {chain.log_key(): cut})
    assert (levels_in(answer), flaws(answer)[0][0]) == ("N", "unread_log_file")


@pytest.mark.parametrize(
    "content",
    [b'{"trailList": []}', b'{"digestStartTime": "", "logFiles": []}', trail_file(record())[:-9], b"hello"],
    ids=["trail description", "digest", "cut JSON", "text"],
)
def test_a_log_file_of_other_content_than_was_delivered_has_a_wrong_hash_though_it_holds_no_events(
    content: bytes, tmp_path: Path
) -> None:
    chain = whole_day()
    code, answer = coverage(tmp_path, chain.objects() | {chain.log_key(): gzip.compress(content)})
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "N")
    assert flaws(answer)[0][0] == "wrong_hash"


def test_two_log_files_in_each_others_place_have_wrong_hashes(tmp_path: Path) -> None:
    chain = DigestChain()
    one, other = chain.log_key(name="a" * 16), chain.log_key(name="b" * 16)
    chain.days(FIRST, 1, {FIRST: {one: trail_file(record("a")), other: trail_file(record("b"))}})
    objects = chain.objects()
    objects[one], objects[other] = objects[other], objects[one]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "I")
    assert answer["flaws"][0]["objects"] == [one, other]


def test_a_second_copy_of_a_log_file_that_differs_takes_the_proof_too(tmp_path: Path) -> None:
    chain = whole_day()
    forged = gzip.compress(trail_file(record("forged")))
    code, answer = coverage(tmp_path, chain.objects() | {f"copy/{chain.log_key()}": forged})
    assert (code, levels_in(answer), flaws(answer)[0][0]) == (ExitCode.INPUT_REJECTED, "I", "wrong_hash")


def test_a_log_file_compressed_anew_is_the_same(tmp_path: Path) -> None:
    chain = whole_day()
    content = gzip.decompress(chain.objects()[chain.log_key()])
    assert levels(tmp_path, chain.objects() | {chain.log_key(): gzip.compress(content, 1, mtime=99)}) == "P"


def test_a_listed_insight_file_need_not_be_there(tmp_path: Path) -> None:
    chain = DigestChain()
    insight = chain.log_key().replace("CloudTrail", "CloudTrail-Insight")
    chain.days(FIRST, 1, {FIRST: {insight: trail_file()}})
    objects = chain.objects()
    del objects[insight]
    assert levels(tmp_path, objects) == "P"


# Several trails


def test_of_two_trails_side_by_side_either_proves_a_day(tmp_path: Path) -> None:
    sound, broken = DigestChain(trail="sound"), DigestChain(trail="broken")
    sound.days(FIRST)
    broken.days(FIRST)
    objects = sound.objects() | broken.objects()
    del objects[broken.digests[7]]
    assert levels(tmp_path, objects) == "P"


def test_two_trails_do_not_prove_half_a_day_each(tmp_path: Path) -> None:
    morning, evening = DigestChain(trail="morning"), DigestChain(trail="evening")
    for hour in range(24):
        (morning if hour < 12 else evening).hour(MIDNIGHT + hour * HOUR)
    assert levels(tmp_path, morning.objects() | evening.objects()) == "N"


def test_trails_of_one_name_from_two_home_regions_are_two(tmp_path: Path) -> None:
    morning, evening = DigestChain(home_region="us-east-1"), DigestChain(home_region="eu-west-1")
    for hour in range(24):
        (morning if hour < 12 else evening).hour(MIDNIGHT + hour * HOUR)
    _, answer = coverage(tmp_path, morning.objects() | evening.objects())
    assert (levels_in(answer), len(answer["chains"])) == ("N", 2)


def test_a_chain_proves_its_own_account_and_region_only(tmp_path: Path) -> None:
    other = DigestChain(account=OTHER_ACCOUNT, region="eu-west-3")
    other.days(FIRST)
    here = {key(): gzip.compress(trail_file(record()))}
    _, answer = coverage(tmp_path, other.objects() | here)
    assert levels_in(answer, OTHER_ACCOUNT, "eu-west-3") == "P"
    assert levels_in(answer, OTHER_ACCOUNT, "eu-west-1") == "N"
    assert levels_in(answer, ACCOUNT, "eu-west-1") == "I"
    assert levels_in(answer, ACCOUNT, "eu-west-3") == "N"


def test_an_organization_trail_proves_days_of_each_account_in_its_folders(tmp_path: Path) -> None:
    objects: Objects = {}
    for account in (ACCOUNT, OTHER_ACCOUNT):
        objects |= whole_day(account=account, organization="o-exampleorg1", prefix="logs").objects()
    del objects[DigestChain(account=OTHER_ACCOUNT, organization="o-exampleorg1", prefix="logs").log_key()]
    _, answer = coverage(tmp_path, objects)
    assert (levels_in(answer, ACCOUNT), levels_in(answer, OTHER_ACCOUNT)) == ("P", "N")


# Backfill digests


def with_backfill() -> tuple[DigestChain, str]:
    """Two days and a backfilled log file of the first; its key."""
    chain = DigestChain()
    chain.days(FIRST, 2)
    name = chain.log_key(name="b" * 16)
    chain.backfill(NOON, {name: trail_file(record("late"))})
    return chain, name


def test_a_sound_backfill_digest_takes_nothing_away(tmp_path: Path) -> None:
    chain, _ = with_backfill()
    code, answer = coverage(tmp_path, chain.objects())
    assert (code, levels_in(answer), answer["flaws"]) == (ExitCode.OK, "PP", [])


def test_a_missing_backfilled_log_file_takes_the_proof_from_its_day_only(tmp_path: Path) -> None:
    chain, name = with_backfill()
    objects = chain.objects()
    del objects[name]
    _, answer = coverage(tmp_path, objects)
    assert (levels_in(answer), flaws(answer)[0][0]) == ("NP", "missing_log_file")


def test_an_altered_backfilled_log_file_takes_the_proof_from_its_day_only(tmp_path: Path) -> None:
    chain, name = with_backfill()
    forged = gzip.compress(trail_file(record("forged")))
    code, answer = coverage(tmp_path, chain.objects() | {name: forged})
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "IP")


def test_a_backfill_digest_stands_for_no_hour_of_the_chain(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT)
    chain.skip_hour()
    for _ in range(22):
        chain.hour()
    chain.backfill(MIDNIGHT + HOUR, {})
    assert levels(tmp_path, chain.objects()) == "N"


def test_backfill_digests_alone_prove_nothing(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(24):
        chain.backfill(MIDNIGHT + hour * HOUR, {})
    _, answer = coverage(tmp_path, chain.objects())
    assert (levels_in(answer), answer["flaws"]) == ("N", [])


# Copies of every kind


def test_digests_are_put_in_the_order_of_time_whatever_their_folders_are_called(tmp_path: Path) -> None:
    chain = whole_day()
    objects = chain.objects()
    for number, digest in enumerate(chain.digests):
        objects[f"{99 - number}/{base_name(digest)}"] = objects.pop(digest)
    assert levels(tmp_path, objects) == "P"


def test_a_digest_in_two_folders_is_one(tmp_path: Path) -> None:
    chain = whole_day()
    copies = {f"copy/{name}": content for name, content in chain.objects().items()}
    code, answer = coverage(tmp_path, chain.objects() | copies)
    assert (code, levels_in(answer), answer["chains"][0]["digests"]) == (ExitCode.OK, "P", 24)


@pytest.mark.parametrize("folder", ["0", "copy"])
def test_a_copy_that_differs_from_its_digest_is_invalid_and_the_digest_that_the_next_one_names_proves(
    folder: str, tmp_path: Path
) -> None:
    chain = whole_day()
    objects = chain.objects() | {f"{folder}/{chain.digests[12]}": altered(chain, chain.digests[12], logFiles=[])}
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "P")
    assert flaws(answer) == [("altered_digest", "2026-10-01T12:00:00Z", "2026-10-01T13:00:00Z")]


def test_of_two_differing_copies_that_no_later_digest_can_tell_apart_neither_proves(tmp_path: Path) -> None:
    chain = whole_day()
    objects = chain.objects() | {f"copy/{chain.digests[-1]}": altered(chain, chain.digests[-1], forged=1)}
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "I")
    assert [flaw[0] for flaw in flaws(answer)] == ["altered_digest", "altered_digest"]


def forked(chain: DigestChain, *digests: str) -> Objects:
    """Copies of digests that follow one another, the first without its log files, each naming the one before."""
    objects: Objects = {}
    fields: Json = {"logFiles": []}
    for digest in digests:
        copy = objects[f"copy/{digest}"] = altered(chain, digest, **fields)
        fields = {"previousDigestHashValue": hashlib.sha256(gzip.decompress(copy)).hexdigest()}
    return objects


def test_an_altered_copy_is_not_made_right_by_another_altered_copy_that_names_it(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(30):
        files = {chain.log_key(): trail_file(record())} if hour == 23 else {}
        chain.hour(MIDNIGHT + hour * HOUR, files)
    objects = chain.objects() | forked(chain, *chain.digests[23:25])
    del objects[chain.log_key()]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "NN")


def test_of_two_chains_that_contend_to_the_end_neither_proves_from_where_they_part(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(30):
        files = {chain.log_key(): trail_file(record())} if hour == 23 else {}
        chain.hour(MIDNIGHT + hour * HOUR, files)
    objects = chain.objects() | forked(chain, *chain.digests[23:])
    del objects[chain.log_key()]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "NN")


def test_an_altered_digest_is_not_made_right_by_an_altered_one_that_names_another_hash_too(tmp_path: Path) -> None:
    chain = DigestChain()
    for hour in range(30):
        files = {chain.log_key(): trail_file(record())} if hour == 23 else {}
        chain.hour(MIDNIGHT + hour * HOUR, files)
    last, after = chain.digests[23:25]
    forged = {last: altered(chain, last, logFiles=[]), after: altered(chain, after, forged=1)}
    objects = chain.objects() | forged
    del objects[chain.log_key()]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "NN")


@pytest.mark.parametrize("step", [-1, 1], ids=["the one before", "the one after"])
def test_a_digest_found_in_the_place_of_another_is_invalid(step: int, tmp_path: Path) -> None:
    chain = whole_day()
    objects = chain.objects()
    objects[chain.digests[5 + step]] = objects[chain.digests[5]]
    code, answer = coverage(tmp_path, objects)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "I")
    assert [flaw["objects"] for flaw in answer["flaws"] if flaw["kind"] == "moved_digest"] == [[chain.digests[5]]]


def test_unpacked_copies_are_the_same_files(tmp_path: Path) -> None:
    unpacked = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in whole_day().objects().items()}
    assert levels(tmp_path, unpacked) == "P"


def test_files_copied_out_of_their_folders_are_the_same_files(tmp_path: Path) -> None:
    flat = {base_name(name): content for name, content in whole_day().objects().items()}
    assert levels(tmp_path, flat) == "P"


@pytest.mark.parametrize("is_flat", [False, True], ids=["with folders", "flat"])
def test_log_files_and_digests_may_lie_in_a_zip_archive(is_flat: bool, tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, content in whole_day().objects().items():
            file.writestr(base_name(name) if is_flat else name, content)
    assert levels(tmp_path, {"logs.zip": target.getvalue()}) == "P"


def test_log_files_may_lie_in_another_archive_than_their_digests(tmp_path: Path) -> None:
    chain = whole_day()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr(chain.log_key(), chain.objects()[chain.log_key()])
    digests = {name: content for name, content in chain.objects().items() if name in chain.digests}
    assert levels(tmp_path, digests | {"logs.zip": target.getvalue()}) == "P"


def test_a_member_of_an_archive_named_twice_is_one_digest(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as file:
        for name, content in [*whole_day().objects().items()] * 2:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    code, answer = coverage(tmp_path, {"logs.tar": target.getvalue()})
    assert (code, levels_in(answer)) == (ExitCode.OK, "P")


@pytest.mark.parametrize("joint", ["[%s]", "%s"], ids=["an array", "lines"])
def test_digests_gathered_in_one_file_prove_nothing_and_accuse_nobody(joint: str, tmp_path: Path) -> None:
    chain = whole_day()
    texts = [gzip.decompress(chain.objects()[digest]).decode() for digest in chain.digests]
    gathered = joint % ("," if joint[0] == "[" else "\n").join(texts)
    log_file = {chain.log_key(): chain.objects()[chain.log_key()]}
    code, answer = coverage(tmp_path, log_file | {"digests.json": gathered.encode()})
    assert (code, levels_in(answer)) == (ExitCode.OK, "I")


# One run after another


def stored(tmp_path: Path, objects: Mapping[str, bytes]) -> tuple[ExitCode, Any]:
    """Bring a copy into the store and ask it."""
    logs = write_tree(tmp_path / "logs", objects)
    return run("coverage", logs, "--store", tmp_path / "store", *LATER, out=tmp_path)


@pytest.mark.parametrize("digests_first", [True, False], ids=["digests first", "log files first"])
def test_digests_and_log_files_may_come_in_different_runs(digests_first: bool, tmp_path: Path) -> None:
    chain = whole_day(2)
    digests = {name: content for name, content in chain.objects().items() if name in chain.digests}
    log_file = {chain.log_key(): chain.objects()[chain.log_key()]}
    _, before = stored(tmp_path, digests if digests_first else log_file)
    _, after = stored(tmp_path, log_file if digests_first else digests)
    assert (levels_in(before), levels_in(after)) == ("NP" if digests_first else "IN", "PP")


def test_a_chain_may_come_in_pieces_in_any_order(tmp_path: Path) -> None:
    chain = whole_day(2)
    objects = chain.objects()
    early = {name: objects[name] for name in (*chain.digests[:20], chain.log_key())}
    stored(tmp_path, {name: content for name, content in objects.items() if name not in early})
    code, answer = stored(tmp_path, early)
    assert (code, levels_in(answer), answer["flaws"]) == (ExitCode.OK, "PP", [])


def test_a_digest_delivered_again_with_other_content_is_invalid_until_the_right_one_is_back(
    tmp_path: Path,
) -> None:
    chain = whole_day(2)
    changed = {chain.digests[30]: altered(chain, chain.digests[30], forged="longer than before")}
    found = [stored(tmp_path, objects) for objects in (chain.objects(), changed, chain.objects())]
    assert [code for code, _ in found] == [ExitCode.OK, ExitCode.INPUT_REJECTED, ExitCode.OK]
    assert [levels_in(answer) for _, answer in found] == ["PP", "PN", "PP"]


def test_a_log_file_changed_after_it_was_ingested_has_a_wrong_hash_until_the_right_one_is_back(
    tmp_path: Path,
) -> None:
    chain = whole_day(2)
    changed = {chain.log_key(): gzip.compress(trail_file(record("listed"), record("forged")))}
    found = [stored(tmp_path, objects) for objects in (chain.objects(), changed, chain.objects())]
    assert [code for code, _ in found] == [ExitCode.OK, ExitCode.INPUT_REJECTED, ExitCode.OK]
    assert [levels_in(answer) for _, answer in found] == ["PP", "IP", "PP"]


def test_what_was_ingested_counts_though_the_files_are_gone(tmp_path: Path) -> None:
    chain = whole_day(2)
    logs = write_tree(tmp_path / "logs", chain.objects())
    assert command_line(["ingest", str(logs), "--store", str(tmp_path / "store")]) == ExitCode.OK
    for path in logs.rglob("*.gz"):
        path.unlink()
    _, answer = run("coverage", "--store", tmp_path / "store", out=tmp_path)
    assert levels_in(answer) == "PP"


# Malformed digests


def malformed_tree() -> Objects:
    """The digest of noon, malformed in every way, each in a folder of its own."""
    chain = DigestChain()
    noon = chain.hour(NOON)
    return {
        f"{number:02}/{noon}": altered(chain, noon, **fields)
        for number, (fields, _) in enumerate(MALFORMED.values())
    }


def test_malformed_digests_are_named_prove_nothing_and_are_no_failure_by_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = malformed_tree()
    code, answer = coverage(tmp_path, objects, *LATER)
    assert (code, levels_in(answer), answer["chains"]) == (ExitCode.OK, "NN", [])
    told = capsys.readouterr().err
    assert all(f"/{name}: malformed digest" in told for name in objects)
    assert len(answer["problems"]) == len(MALFORMED)


def test_a_malformed_digest_is_named_with_the_field_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = whole_day()
    coverage(tmp_path, {chain.digests[0]: altered(chain, chain.digests[0], logFiles=None)})
    told = capsys.readouterr().err
    assert "logFiles is no list" in told
    assert "fetch it again" in told


def test_a_malformed_digest_is_named_once_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain = whole_day()
    coverage(tmp_path, {chain.digests[0]: altered(chain, chain.digests[0], logFiles=None)})
    assert capsys.readouterr().err.count("malformed digest") == 1


def test_a_malformed_digest_is_named_again_whenever_the_store_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = whole_day()
    stored(tmp_path, {chain.digests[0]: altered(chain, chain.digests[0], logFiles=None)})
    capsys.readouterr()
    code, _ = run("report", "--store", tmp_path / "store", out=tmp_path)
    assert code is ExitCode.OK
    assert f"{base_name(chain.digests[0])}: malformed digest, it proves nothing" in capsys.readouterr().err


def test_a_malformed_digest_breaks_the_chain_as_a_missing_one_does(tmp_path: Path) -> None:
    chain = whole_day(2)
    bad = {chain.digests[3]: altered(chain, chain.digests[3], logFiles=None)}
    _, answer = coverage(tmp_path, chain.objects() | bad)
    assert levels_in(answer) == "IP"
    assert flaws(answer) == [("missing_digest", "2026-10-01T03:00:00Z", "2026-10-01T04:00:00Z")]


@pytest.mark.parametrize("fields", HALF_CHARACTERS.values(), ids=HALF_CHARACTERS)
def test_a_digest_with_half_a_character_does_not_stop_the_others(fields: Json, tmp_path: Path) -> None:
    chain = whole_day(2)
    bad = {chain.digests[3]: altered(chain, chain.digests[3], **fields)}
    assert levels(tmp_path, chain.objects() | bad) == "IP"


def test_a_digest_cut_short_is_rejected_and_breaks_the_chain(tmp_path: Path) -> None:
    chain = whole_day(2)
    cut = {chain.digests[3]: chain.objects()[chain.digests[3]][:-9]}
    code, answer = coverage(tmp_path, chain.objects() | cut)
    assert (code, levels_in(answer)) == (ExitCode.INPUT_REJECTED, "IP")


# What digests add to a report


def test_the_default_window_spans_the_periods_of_digests(tmp_path: Path) -> None:
    chain = whole_day(3)
    _, answer = run("analyze", write_tree(tmp_path / "logs", chain.objects()), out=tmp_path)
    assert (answer["window"]["since"], answer["window"]["until"]) == (
        "2026-10-01T00:00:00Z",
        "2026-10-04T00:00:00Z",
    )


def test_a_period_that_ends_at_midnight_adds_no_day(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.hour(MIDNIGHT + 23 * HOUR)
    _, answer = coverage(tmp_path, chain.objects())
    assert (answer["window"]["until"], answer["window"]["days"]) == ("2026-10-02T00:00:00Z", 1)


def test_a_proven_day_without_calls_settles_a_verdict(tmp_path: Path) -> None:
    chain = DigestChain()
    chain.days(FIRST)
    logs = write_tree(tmp_path / "logs", chain.objects())
    _, answer = run("analyze", logs, "--min-days", "1", out=tmp_path)
    (row,) = [row for row in answer["verdicts"] if row["region"] == "eu-west-1"]
    assert (row["verdict"], row["confidence"]) == ("deactivate", "proven")


@pytest.mark.parametrize("is_flat", [False, True], ids=["with folders", "flat"])
def test_an_account_known_from_its_digests_alone_has_verdicts(is_flat: bool, tmp_path: Path) -> None:
    chain = DigestChain(account=OTHER_ACCOUNT)
    chain.days(FIRST)
    objects = {base_name(name) if is_flat else name: data for name, data in chain.objects().items()}
    _, answer = run("analyze", write_tree(tmp_path / "logs", objects), out=tmp_path)
    assert {row["account_id"] for row in answer["verdicts"]} == {OTHER_ACCOUNT}


def test_the_partition_of_an_account_is_told_by_its_digests(tmp_path: Path) -> None:
    chain = DigestChain(region="cn-north-1", home_region="cn-north-1")
    chain.days(FIRST)
    _, answer = run("analyze", write_tree(tmp_path / "logs", chain.objects()), out=tmp_path)
    assert {row["partition"] for row in answer["verdicts"]} == {"aws-cn"}


def test_a_region_that_the_catalogue_does_not_know_has_a_row_when_there_are_digests_of_it(tmp_path: Path) -> None:
    chain = DigestChain(region="xx-new-1")
    chain.days(FIRST)
    _, answer = coverage(tmp_path, chain.objects())
    assert levels_in(answer, region="xx-new-1") == "P"
