"""Time and memory of checking many digests, first from files and then again from the ledger.

    python -m benchmarks.digests [DIGESTS]

Every region-month has one digest an hour (each names the hash of the one before) that lists two log files on one
day of five; those log files are there. Default: 100,000 digests, about 139 region-months.
"""

import gzip
import hashlib
import json
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.contestants import coverage
from benchmarks.measure import measure

ACCOUNT = "111122223333"
BUCKET = "example-logs"
HOURS = 30 * 24
FIRST = datetime(2026, 9, 1)


def write_chain(root: Path, region: str, hours: int) -> None:
    """One region-month of digests and the log files that they list."""
    before: dict[str, str | None] = dict.fromkeys(("Bucket", "Object", "HashValue", "Signature"))
    for hour in range(hours):
        start = FIRST + timedelta(hours=hour)
        end = start + timedelta(hours=1)
        files = [_log_file(root, region, start, number) for number in range(2)] if start.day % 5 == 0 else []
        key = (
            f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/"
            f"{ACCOUNT}_CloudTrail-Digest_{region}_main_us-east-1_{end:%Y%m%dT%H%M%SZ}.json.gz"
        )
        digest = {
            "awsAccountId": ACCOUNT,
            "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": "fa4e",
            "digestSignatureAlgorithm": "SHA256withRSA",
            **{f"previousDigest{name.replace('Bucket', 'S3Bucket').replace('Object', 'S3Object')}": value
               for name, value in before.items()},
            "logFiles": files,
        }  # fmt: skip
        content = json.dumps(digest).encode()
        _write(root / key, content)
        hash_value = hashlib.sha256(content).hexdigest()
        before = {"Bucket": BUCKET, "Object": key, "HashValue": hash_value, "Signature": "fa4e" * 128}


def _log_file(root: Path, region: str, start: datetime, number: int) -> dict[str, str]:
    key = (
        f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/{start:%Y/%m/%d}/"
        f"{ACCOUNT}_CloudTrail_{region}_{start:%Y%m%dT%H}{10 + number}Z_{'a' * 15}{number}.json.gz"
    )
    record = {
        "eventID": f"{region}-{start:%Y%m%d%H}-{number}",
        "eventTime": f"{start:%Y-%m-%dT%H:05:00Z}",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeRegions",
        "awsRegion": region,
        "readOnly": True,
        "recipientAccountId": ACCOUNT,
    }
    content = json.dumps({"Records": [record]}).encode()
    _write(root / key, content)
    return {"s3Bucket": BUCKET, "s3Object": key, "hashValue": hashlib.sha256(content).hexdigest()}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, compresslevel=1))


def main(wanted: int) -> None:
    """Make the files, then time `coverage` twice."""
    with tempfile.TemporaryDirectory(prefix="digests-") as folder:
        root, store = Path(folder) / "logs", Path(folder) / "store"
        for month in range(-(-wanted // HOURS)):
            hours = min(HOURS, wanted - month * HOURS)
            write_chain(root, f"xx-bench-{month + 1}", hours)
        answer_file = Path(folder) / "coverage.json"
        for name in ("first run, from files", "rerun, nothing new"):
            run = measure(coverage(root, store, answer_file), Path(folder))
            megabytes = run.peak_bytes / 1e6
            print(f"{name}: {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU, {megabytes:.0f} MB")
        answer = json.loads(answer_file.read_text())
        digests = sum(chain["digests"] for chain in answer["chains"])
        print(
            f"{digests:,} digests, {answer['totals']['proven']:,} region-days proven, {len(answer['flaws'])} flaws"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
