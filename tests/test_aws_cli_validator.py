"""The AWS CLI's own validator is the judge: it reads the same buckets as we do, from a local S3.

`aws cloudtrail validate-logs` runs as a process of its own. moto plays S3; CloudTrail's two calls are answered
here, since moto does not know them.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from digest_chain import HOUR, DigestChain, Signer, sidecars
from moto.server import ThreadedMotoServer
from trail import record, run, trail_file, write_tree

START = datetime(2026, 10, 1, 9)
HOURS = 7
QUIET_HOUR = 3
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
LINE = re.compile(r"^(?:\(backfill\) )?(?:Digest|Log) file\ts3://[^/]+/(\S+)\t(valid|INVALID: .*)$", re.MULTILINE)

VALID = "valid"
NOT_FOUND = "INVALID: not found"
WRONG_HASH = "INVALID: hash value doesn't match"
WRONG_SIGNATURE = "INVALID: signature verification failed"
MOVED = "INVALID: has been moved from its original location"

FLAWS_OF_LOG_FILES = {"missing_log_file", "wrong_hash", "unread_log_file"}
FLAWS_OF_DIGESTS = {"altered_digest", "invalid_signature", "moved_digest", "missing_digest"}


@dataclass
class Bucket:
    """What lies in a bucket. The tests change it after CloudTrail has delivered."""

    chain: DigestChain
    listed: dict[str, list[str]] = field(default_factory=dict)
    """The log files that CloudTrail listed in each digest."""

    def __post_init__(self) -> None:
        self.objects = self.chain.objects()
        self.signatures = self.chain.signatures()
        self.digests = list(self.listed)
        self.log_files = [key for keys in self.listed.values() for key in keys]

    def swap(self, one: str, other: str) -> None:
        """Each object at the other's place, with its metadata."""
        self.objects[one], self.objects[other] = self.objects[other], self.objects[one]
        if one in self.signatures:
            self.signatures[one], self.signatures[other] = self.signatures[other], self.signatures[one]

    def delete(self, key: str) -> None:
        del self.objects[key]
        self.signatures.pop(key, None)


def log_files(chain: DigestChain, hour: int) -> dict[str, bytes]:
    """Two log files of an hour, or none in the quiet one."""
    numbers = range(0 if hour == QUIET_HOUR else 2)
    return {chain.log_key(name=f"{hour:08}{n:08}"): trail_file(record(f"e{hour}-{n}")) for n in numbers}


def delivered(name: str, signer: Signer, *, restarts_at: int = 0, backfills: bool = False) -> Bucket:
    """A bucket of HOURS digests as CloudTrail leaves it."""
    chain = DigestChain(signer, bucket=f"example-{name.replace(' ', '-')}")
    listed = {}
    for hour in range(HOURS):
        if hour == restarts_at:
            chain.restart()
        files = log_files(chain, hour)
        listed[chain.hour(START + hour * HOUR, files)] = list(files)
    if backfills:
        files = log_files(chain, HOURS)
        listed[chain.backfill(START + HOUR, files)] = list(files)
    return Bucket(chain, listed)


# Each case changes a bucket and returns what the AWS CLI has to call INVALID, and why.
Expected = dict[str, str]


def nothing(bucket: Bucket) -> Expected:
    return {}


def altered_log_file(bucket: Bucket) -> Expected:
    key = bucket.log_files[3]
    bucket.objects[key] = gzip.compress(trail_file(record("forged")))
    return {key: WRONG_HASH}


def deleted_log_file(bucket: Bucket) -> Expected:
    key = bucket.log_files[3]
    bucket.delete(key)
    return {key: NOT_FOUND}


def swapped_log_files(bucket: Bucket) -> Expected:
    one, other = bucket.log_files[1], bucket.log_files[6]
    bucket.swap(one, other)
    return {one: WRONG_HASH, other: WRONG_HASH}


def altered_digest(bucket: Bucket) -> Expected:
    """A log file is replaced, and the digest is made to fit."""
    key = bucket.digests[2]
    forged = trail_file(record("forged"))
    digest = json.loads(gzip.decompress(bucket.objects[key]))
    digest["logFiles"][0]["hashValue"] = hashlib.sha256(forged).hexdigest()
    bucket.objects[bucket.listed[key][0]] = gzip.compress(forged)
    bucket.objects[key] = gzip.compress(json.dumps(digest).encode())
    return {key: WRONG_SIGNATURE}


def altered_digest_of_an_altered_log_file(bucket: Bucket) -> Expected:
    """Both are changed and do not fit: the AWS CLI reads no log file of a digest that it does not trust."""
    key = bucket.digests[4]
    bucket.objects[key] = gzip.compress(gzip.decompress(bucket.objects[key]) + b"\n")
    bucket.objects[bucket.listed[key][1]] = gzip.compress(trail_file(record("forged")))
    return {key: WRONG_SIGNATURE}


def deleted_digest(bucket: Bucket) -> Expected:
    key = bucket.digests[2]
    bucket.delete(key)
    return {key: NOT_FOUND}


def swapped_digests(bucket: Bucket) -> Expected:
    one, other = bucket.digests[2], bucket.digests[4]
    bucket.swap(one, other)
    return {one: MOVED, other: MOVED}


def wrong_signature(bucket: Bucket) -> Expected:
    """The signature of another digest, by the right key."""
    key = bucket.digests[4]
    bucket.signatures[key] = bucket.signatures[bucket.digests[1]]
    return {key: WRONG_SIGNATURE}


def altered_backfilled_file(bucket: Bucket) -> Expected:
    key = bucket.log_files[-1]
    bucket.objects[key] = gzip.compress(trail_file(record("forged")))
    return {key: WRONG_HASH}


CASES: dict[str, tuple[Callable[[Bucket], Expected], dict[str, Any]]] = {
    "valid": (nothing, {}),
    "altered log file": (altered_log_file, {}),
    "deleted log file": (deleted_log_file, {}),
    "swapped log files": (swapped_log_files, {}),
    "altered digest": (altered_digest, {}),
    "altered digest and log file": (altered_digest_of_an_altered_log_file, {}),
    "deleted digest": (deleted_digest, {}),
    "swapped digests": (swapped_digests, {}),
    "wrong signature": (wrong_signature, {}),
    "restarted chain": (nothing, {"restarts_at": 4}),
    "valid backfill": (nothing, {"backfills": True}),
    "altered backfilled file": (altered_backfilled_file, {"backfills": True}),
}


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a local S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def cloudtrail(signer: Signer) -> Iterator[str]:
    """The address of a CloudTrail that knows its public keys and nothing else."""

    class CloudTrail(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers["X-Amz-Target"].endswith(".ListPublicKeys")
            # On the wire times are numbers, unlike in what the AWS CLI prints.
            keys = [signer.public_key() | {"ValidityStartTime": 1.7e9, "ValidityEndTime": 1.9e9}]
            answer = json.dumps({"PublicKeyList": keys}).encode()
            self.send_response(200 if known else 400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), CloudTrail) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Judgement:
    """What the AWS CLI said about a bucket."""

    bucket: Bucket
    expected: Expected
    exit_code: int
    said: Mapping[str, str]
    """Each file that it looked at, by key: valid, or INVALID and why."""
    text: str

    @property
    def invalid(self) -> Expected:
        return {key: status for key, status in self.said.items() if status != VALID}


def upload(bucket: Bucket, s3: str) -> None:
    """Put everything into a local S3, the signatures as metadata of the digests."""
    keys = {name.lower(): value for name, value in CREDENTIALS.items()}
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=bucket.chain.bucket)
    for key, content in bucket.objects.items():
        metadata = {}
        if key in bucket.signatures:
            metadata = {"signature": bucket.signatures[key], "signature-algorithm": "SHA256withRSA"}
        if key.endswith("_backfill.json.gz"):
            metadata["backfill-generation-timestamp"] = "2026-10-02T00:00:00Z"
        client.put_object(Bucket=bucket.chain.bucket, Key=key, Body=content, Metadata=metadata)


def validate(chain: DigestChain, s3: str, cloudtrail: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI's validator over all the hours of a chain; stdout is both, as it prints faults to stderr."""
    arn = f"arn:aws:cloudtrail:{chain.home_region}:{chain.account}:trail/{chain.trail}"
    times = ["--start-time", f"{START}Z", "--end-time", f"{START + HOURS * HOUR}Z"]
    place = ["--region", chain.region, "--s3-bucket", chain.bucket]
    command = [sys.executable, "-m", "awscli", "cloudtrail", "validate-logs", "--trail-arn", arn, "--verbose"]
    endpoints = {"AWS_ENDPOINT_URL_S3": s3, "AWS_ENDPOINT_URL_CLOUDTRAIL": cloudtrail}
    # Nothing of the user's environment: no credentials, no configuration, no proxy.
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(
        [*command, *times, *place],
        env=own | CREDENTIALS | endpoints,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "_"))
def judgement(
    request: pytest.FixtureRequest,
    signer: Signer,
    s3: str,
    cloudtrail: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Judgement:
    change, options = CASES[request.param]
    bucket = delivered(request.param, signer, **options)
    expected = change(bucket)
    upload(bucket, s3)
    done = validate(bucket.chain, s3, cloudtrail, tmp_path_factory.mktemp("home"))
    return Judgement(bucket, expected, done.returncode, dict(LINE.findall(done.stdout)), done.stdout)


def test_the_aws_cli_names_what_was_changed(judgement: Judgement) -> None:
    assert judgement.invalid == judgement.expected, judgement.text
    assert judgement.exit_code == (1 if judgement.expected else 0)


def test_the_aws_cli_reads_all_log_files_of_digests_that_it_trusts_and_no_others(judgement: Judgement) -> None:
    listed = judgement.bucket.listed
    trusted = {key for key in listed if key not in judgement.invalid}
    assert set(judgement.said) == set(listed) | {file for key in trusted for file in listed[key]}


def at_fault(flaws: Iterable[Mapping[str, Any]], kinds: set[str]) -> set[str]:
    """The keys of all files in our flaws of these kinds."""
    return {key for flaw in flaws if flaw["kind"] in kinds for key in flaw["objects"]}


def test_we_find_the_same_faults_as_the_aws_cli(judgement: Judgement, signer: Signer, tmp_path: Path) -> None:
    bucket = judgement.bucket
    folder = write_tree(tmp_path / "logs", bucket.objects | sidecars(bucket.signatures))
    keys = tmp_path / "keys.json"
    keys.write_bytes(signer.public_keys_json())
    _, answer = run("coverage", folder, "--public-keys", keys, out=tmp_path)
    digests = at_fault(answer["flaws"], FLAWS_OF_DIGESTS)
    files = at_fault(answer["flaws"], FLAWS_OF_LOG_FILES)
    # Digest by digest we say the same. The AWS CLI reads log files only of digests that it trusts, so file by
    # file we say the same of those; of the others it says nothing, and only of those we may say more.
    assert digests == set(judgement.invalid) & set(bucket.digests), judgement.text
    assert files & set(judgement.said) == set(judgement.invalid) & set(bucket.log_files), judgement.text
    assert files - set(judgement.said) <= {file for key in digests for file in bucket.listed[key]}
