"""Random small organizations as directories of files: `organization(seed)` is always the same.

Records come from organization_records.py. Here are the files that hold them (overlapping, broken, copied,
unpacked, archived), the digests of trails with all kinds of damage, descriptions of trails, and other files.
"""

import gzip
import hashlib
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from digest_chain import DigestChain
from organization_records import REGIONS, Happenings, Place, Record

ORGANIZATION = "o-exampleorg1"
STRANGER = "555566667777"
"""An account of which there is no log file but in a copy without folders."""
TRAILS = ("org-trail", "audit")
_MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


def _advanced(*conditions: Record) -> Record:
    return {"AdvancedEventSelectors": [{"FieldSelectors": [_MANAGEMENT, *conditions]}]}


SELECTORS: Sequence[Record] = (
    {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]},
    {"EventSelectors": [{}]},
    {"EventSelectors": [{"ReadWriteType": "ReadOnly"}, {"ReadWriteType": "WriteOnly"}]},
    {"EventSelectors": [{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}]},
    _advanced(),
    _advanced({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}),
    # What follows records less than everything.
    {"EventSelectors": [{"ReadWriteType": "WriteOnly"}]},
    {"EventSelectors": [{"ReadWriteType": "ReadOnly"}]},
    {"EventSelectors": [{"IncludeManagementEvents": False}]},
    {"EventSelectors": [{"ExcludeManagementEventSources": ["sts.amazonaws.com"]}]},
    {"EventSelectors": []},
    _advanced({"Field": "readOnly", "Equals": ["false"]}),
    _advanced({"Field": "readOnly", "Equals": ["true"]}),
    _advanced({"Field": "eventName", "NotEquals": ["Decrypt"]}),
    _advanced({"Field": "eventSource", "NotEquals": ["sts.amazonaws.com"]}),
    _advanced({"Field": "eventSource", "Equals": ["sts.amazonaws.com"]}),
    {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
)
DAMAGES = (
    *("lose", "cut", "malform", "alter", "alter two", "fork", "fork two", "copy", "mislay", "swap"),
    *("lose log", "alter log", "cut log"),
)
NONSENSE = (
    b'{"Records":[{]}',
    b"<html>denied</html>",
    b'{"Records":["\xff"]}',
    b"{}",
    b'{"Records":null}',
    b"null",
)


@dataclass(frozen=True)
class Organization:
    """Files by their paths, trail descriptions to be handed in beside them, and what is asked."""

    files: Mapping[str, bytes]
    descriptions: Mapping[str, bytes]
    since: date | None
    until: date | None
    min_days: int
    service_calls: str

    def write(self, folder: Path) -> None:
        """Write it out: the logs into one directory, the descriptions that are handed in into another."""
        for place, files in ((self.logs(folder), self.files), (folder / "trails", self.descriptions)):
            for name, content in files.items():
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def logs(self, folder: Path) -> Path:
        """Where the logs were written."""
        return folder / "logs"

    def trail_files(self, folder: Path) -> list[Path]:
        """Where the descriptions were written."""
        return [folder / "trails" / name for name in self.descriptions]


def organization(seed: int) -> Organization:
    """The organization of this number."""
    return _Maker(random.Random(f"organization {seed}")).organization()


class _Maker:
    """Draws the files of an organization."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.happenings = Happenings(rng)
        self.days = self.happenings.days
        self.files: dict[str, bytes] = {}
        self.log_files: dict[str, Place] = {}
        """Those that the digests list."""

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def organization(self) -> Organization:
        for place, records in sorted(self.happenings.records.items()):
            self.write_log_files(place, records)
        for account, region in sorted({place[:2] for place in self.happenings.records}):
            for trail in self.rng.sample(TRAILS, self.rng.choice([0, 0, 0, 1, 1, 2])):
                self.write_digests(account, region, trail)
        if self.chance(0.15):
            self.write_digests(STRANGER, "eu-utopia-1", TRAILS[0])
        self.write_strangers()
        descriptions = self.trail_descriptions() if self.chance(0.6) else {}
        if self.chance(0.5):
            self.files |= {f"trails/{name}": content for name, content in descriptions.items()}
            descriptions = {}
        self.rearrange()
        since, until = self.window()
        min_days = self.rng.choice([1, 1, 2, 3, 4, 8, 90])
        service_calls = self.rng.choice(["review", "review", "keep", "ignore"])
        return Organization(self.files, descriptions, since, until, min_days, service_calls)

    def window(self) -> tuple[date | None, date | None]:
        """What is asked for: usually nothing, else a part of the days, all of them and more, or no day at all."""
        at = self.rng.choice(self.days)
        until = at + timedelta(self.rng.randrange(4))
        after = self.days[-1] + timedelta(1)
        return self.rng.choice(
            [(None, None)] * 4 + [(at, until), (at, after), (self.days[0], None), (None, after)]
        )

    # Files

    def key(self, account: str, region: str, day: date, folder: str = "CloudTrail", own: bool = False) -> str:
        root = "audit/AWSLogs" if own else f"AWSLogs/{ORGANIZATION}"
        tail = "".join(self.rng.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=16))
        name = f"{account}_{folder}_{region}_{day:%Y%m%d}T1205Z_{tail}.json.gz"
        return f"{root}/{account}/{folder}/{region}/{day:%Y/%m/%d}/{name}"

    def pack(self, records: Sequence[Any]) -> bytes:
        layout: Record = self.rng.choice([{"separators": (",", ":")}, {}, {"indent": 1}])
        data = json.dumps({"Records": records}, **layout).encode()
        if self.chance(0.05):  # two members of gzip are one stream
            half = len(data) // 2
            return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)
        return gzip.compress(data, 1, mtime=0)

    def write_log_files(self, place: Place, records: Sequence[Any]) -> None:
        """One or two files in any order, those of a second trail that overlaps, and some that nobody can read."""
        shuffled = self.rng.sample(records, len(records))
        cut = self.rng.randrange(len(records)) if len(records) > 1 and self.chance(0.2) else 0
        for part in (shuffled[:cut], shuffled[cut:]) if cut else (shuffled,):
            self.log_files[self.key(*place)] = place
            self.files[list(self.log_files)[-1]] = self.pack(part)
        if self.chance(0.1):
            self.files[self.key(*place, own=True)] = self.pack([one for one in records if self.chance(0.8)])
        if self.chance(0.02):
            good = self.pack(records)
            nonsense = [gzip.compress(one, mtime=0) for one in NONSENSE]
            bad = [good[: len(good) // 2], good[:-6] + bytes(6), b"", b"\x1f\x8b\x08garbage", *nonsense]
            self.files[self.key(*place)] = self.rng.choice(bad)

    def write_strangers(self) -> None:
        """Files that are no log files, and records without an account."""
        account, partition = self.rng.choice(list(self.happenings.accounts.items()))
        place = account, REGIONS[partition].split()[0], self.days[0]
        time_of_day = {"eventTime": f"{self.days[0]}T11:22:33Z", "eventSource": "ec2.amazonaws.com"}
        record: Record = time_of_day | {"eventName": "RunInstances", "awsRegion": place[1]}
        if self.chance(0.2):
            self.files["README.txt"] = b"not a log\n"
        if self.chance(0.2):
            for kind in ("Insight", "NetworkActivity", "Aggregated"):
                key = self.key(account, "eu-utopia-1", self.days[0], f"CloudTrail-{kind}")
                self.files[key] = self.pack([record | {"eventCategory": kind}])
        if self.chance(0.15):
            note = record | {"eventSource": "aws:s3"}
            self.files[self.rng.choice(["notes.json", self.key(*place)])] = self.pack([note])
        if self.chance(0.15):
            self.files["download.json"] = self.pack([record])
        if self.chance(0.15):
            self.files[f"copied/{own_name(self.key(STRANGER, *place[1:]))}"] = self.pack([])
        if self.chance(0.2):
            known = [one for records in self.happenings.records.values() for one in records]
            own = [one for one in known if isinstance(one, dict) and one.get("recipientAccountId") == account]
            events = [{"CloudTrailEvent": json.dumps(one)} for one in own if self.chance(0.5)]
            self.files["history/lookup-events.json"] = json.dumps({"Events": events}).encode()

    def rearrange(self) -> None:
        """Copy some files out of their folders, unpack some, and put some into an archive."""
        for name in [one for one in self.files if one.endswith(".gz") and self.chance(0.08)]:
            flat = f"copied/{own_name(name)}"
            if flat not in self.files:
                self.files[flat] = self.files.pop(name)
        for name in [one for one in self.files if one.endswith(".gz") and self.chance(0.05)]:
            if content := uncompressed(self.files[name]):
                del self.files[name]
                self.files[name.removesuffix(".gz")] = content
        if self.chance(0.15):
            members = {name: self.files.pop(name) for name in list(self.files) if self.chance(0.3)}
            name, archive = self.rng.choice([("bundle.zip", zip_of(members)), ("bundle.tar.gz", tar_of(members))])
            self.files[name] = archive

    # Digests

    def write_digests(self, account: str, region: str, trail: str) -> None:
        """A chain of digests, each for several hours, that lists the log files; then damage to some."""
        chain = DigestChain(account=account, region=region, trail=trail, organization=ORGANIZATION)
        length = timedelta(hours=self.rng.choice([6, 12, 24]))
        at, end = (datetime.combine(day, time()) for day in (self.days[0], self.days[-1] + timedelta(1)))
        at += self.rng.choice([0, 0, 0, 1]) * length
        unlisted = [name for name, place in self.log_files.items() if place[:2] == (account, region)]
        listed: dict[str, list[str]] = {}
        while at < end:
            names = [name for name in unlisted if self.log_files[name][2] <= at.date()]
            files = {name: uncompressed(self.files.get(name, b"")) for name in names}
            if self.chance(0.1):
                files[self.key(account, region, at.date(), "CloudTrail-Insight")] = b"not in this copy"
            digest = chain.hour(at, files, length)
            listed[digest] = names
            unlisted = [name for name in unlisted if name not in names]
            at += length * self.rng.choice([1] * 30 + [2])
            if self.chance(0.03):
                chain.restart()
        if self.chance(0.15):
            files = {self.key(account, region, self.days[0]): b"{}"} if self.chance(0.5) else {}
            chain.backfill(at - length * self.rng.randint(1, 5), files, length)
        is_flat = account == STRANGER and self.chance(0.5)
        for name in chain.digests:
            self.files[f"copied/{own_name(name)}" if is_flat else name] = chain.objects()[name]
        for _ in range(0 if is_flat else self.rng.choice([0, 0, 1, 1, 2])):
            at_digest = self.rng.randrange(len(listed))
            digest, after = ([*listed] * 2)[at_digest : at_digest + 2]
            self.damage(digest, after, [name for name in listed[digest] if name in self.files])

    def damage(self, digest: str, after: str, logs: Sequence[str]) -> None:
        """Do something to a digest, to the one after it, or to the first of the log files that it lists."""
        content, next_content = self.files.get(digest, b""), self.files.get(after, b"")
        if not (uncompressed(content) and uncompressed(next_content)):
            return
        done = self.rng.choice(DAMAGES)
        if done == "lose":
            del self.files[digest]
        elif done == "cut":
            self.files[digest] = content[:-9]
        elif done == "malform":
            self.files[digest] = altered(content, logFiles=None)
        elif done == "alter":
            self.files[digest] = altered(content, logFiles=[])
        elif done == "alter two":
            self.files |= {digest: altered(content, logFiles=[]), after: altered(next_content, forged=True)}
        elif done == "fork":
            self.files[f"copy/{digest}"] = altered(content, forged=True)
        elif done == "fork two":
            forged = altered(content, logFiles=[])
            sha256 = hashlib.sha256(uncompressed(forged)).hexdigest()
            forged_after = altered(next_content, previousDigestHashValue=sha256)
            self.files |= {f"copy/{digest}": forged, f"copy/{after}": forged_after}
        elif done == "copy":
            self.files[f"copy/{digest}"] = content
        elif done == "mislay":
            self.files[f"copy/{after}"] = content
        elif done == "swap":
            self.files |= {digest: next_content, after: content}
        elif done == "lose log" and logs:
            del self.files[logs[0]]
        elif done == "alter log" and logs:
            self.files[logs[0]] = self.pack([])
        elif done == "cut log" and logs:
            self.files[logs[0]] = self.files[logs[0]][:-9]

    # Trail descriptions

    def trail_descriptions(self) -> dict[str, bytes]:
        """What `describe-trails`, `get-event-selectors` and `get-trail-status` say of one or two trails."""
        documents: dict[str, Record] = {"describe-trails.json": {"trailList": []}}
        for name in self.rng.sample(TRAILS, self.rng.randint(1, 2)):
            arn = f"arn:aws:cloudtrail:us-east-1:{self.rng.choice(list(self.happenings.accounts))}:trail/{name}"
            trail = {
                "TrailARN": arn,
                "IsMultiRegionTrail": self.chance(0.95),
                "IsOrganizationTrail": self.chance(0.5),
            }
            documents["describe-trails.json"]["trailList"].append(trail)
            if self.chance(0.97):
                documents[f"{name}-event-selectors.json"] = {"TrailARN": arn} | self.rng.choice(
                    SELECTORS[: self.rng.choice([6, len(SELECTORS)])]
                )
            if self.chance(0.97):
                documents[f"{name}-status.json"] = self.trail_status()
        return {name: json.dumps(said).encode() for name, said in documents.items()}

    def trail_status(self) -> Record:
        started = datetime.combine(self.days[0], time()) + timedelta(
            hours=self.rng.choice([-99, -24, 0, 1, 30, 48])
        )
        status = {"IsLogging": self.chance(0.9), "StartLoggingTime": f"{started.isoformat()}+00:00"}
        if self.chance(0.1):
            status["LatestDeliveryError"] = "AccessDenied"
        if self.chance(0.25):
            status["StopLoggingTime"] = (started + timedelta(hours=self.rng.choice([-30, 30]))).isoformat() + "Z"
        return status


def altered(digest: bytes, **fields: Any) -> bytes:
    """A digest that says something else."""
    return gzip.compress(json.dumps(json.loads(gzip.decompress(digest)) | fields).encode(), mtime=0)


def own_name(name: str) -> str:
    """The last part of a path."""
    return name.rpartition("/")[2]


def uncompressed(content: bytes) -> bytes:
    """What is in a gzip file; nothing if it is broken."""
    try:
        return gzip.decompress(content)
    except (EOFError, OSError):
        return b""


def zip_of(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of day
    return target.getvalue()


def tar_of(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(target.getvalue(), mtime=0)
