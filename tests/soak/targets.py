"""What is fuzzed: each reader of text or bytes from outside, with what must hold whatever it is given.

A target takes bytes and returns, or raises: an error that the product means for its user is caught here and
looked at, anything else is a crash. Nothing in here needs a fuzzer, so inputs that crashed once are replayed
by the ordinary tests.
"""

import base64
import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from digest_chain import DigestChain
from test_archives import tarred, tarred_gz, zipped
from test_shapes import SHAPES, SINGLE
from trail import ACCOUNT, DAY, key, record, trail_file

from analyzer.baseline import caller_of, parse_baseline
from analyzer.catalogue import Catalogue
from analyzer.cloudtrail import EVENTS
from analyzer.decoding import Decoded, Document, Outcome, decode_documents
from analyzer.decoding.compression import GZIP_MAGIC, ZIP_MAGIC, is_archive, is_tar
from analyzer.decoding.json_values import parse
from analyzer.decoding.lenient import raw_records, read_document
from analyzer.decoding.outcome import REMEDIES, SKIP_REASONS
from analyzer.decoding.statements import DigestSignature, read_signature
from analyzer.decoding.trail_files import Refused, looks_like_trail_file, parse_trail_files
from analyzer.digest_chain import CheckedDigest, check_chain
from analyzer.digests import Digest, MalformedDigest, object_name, parse_digest
from analyzer.errors import UsageError
from analyzer.exceptions_file import TEMPLATE, Exemptions, parse_exceptions
from analyzer.log_key import parse_folder_key, parse_log_key
from analyzer.presentation.safe_text import visible
from analyzer.queries import compose
from analyzer.raw_record import without_secrets
from analyzer.signatures import PublicKeys, Signature, string_to_sign
from analyzer.sources import SourceObject, Unreadable, read_archive
from analyzer.trail_descriptions import essence, is_description, read_trails
from analyzer.user_agent import UNKNOWN, parse_user_agent, sdk_defaults

LIMIT = 64 * 1024
"""Ceiling in bytes for one document when decompressed."""

ROOT = Path(__file__).parents[2]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Makes a trail file one that is read record by record."""
_MARKS = (GZIP_MAGIC, *ZIP_MAGIC, BYTE_ORDER_MARK, b"\xff\xfe", b"\xfe\xff")
"""Beginnings that mean something else behind a byte order mark."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader. `seeds`: well-formed inputs to begin with. `words`: what its language is made of.

    `is_json`: whether inputs are JSON, so that they may be altered value by value too.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[bytes] = ()
    is_json: bool = False


def check_message(text: str) -> None:
    """What the user is told is a line of a sane length, as the terminal shows it."""
    shown = visible(text)
    shown.encode()
    assert len(shown) < 5000, f"{len(shown)} characters: {shown[:200]}"


# Documents


def documents(data: bytes) -> None:
    """Any bytes are accounted for, and gzipped they give the same rows."""
    decoded = _decode(data)
    check_accounts(decoded)
    if not data.startswith((GZIP_MAGIC, *ZIP_MAGIC)) and not is_tar(data):
        packed = _decode(gzip.compress(data, 1, mtime=0))
        check_accounts(packed)
        assert packed.readings[0].reason == decoded.readings[0].reason
        assert packed.events.equals(decoded.events)
    is_archive(data[:65536])


def _decode(*contents: bytes) -> Decoded:
    return decode_documents([Document(content) for content in contents], LIMIT)


def check_accounts(decoded: Decoded) -> None:
    """Every document and every record in it is accounted for, with a reason that the product knows."""
    assert decoded.events.schema == EVENTS
    decoded.events.validate(full=True)
    sources = decoded.events.column("source_id").to_pylist()
    assert sources == sorted(sources)
    for index, reading in enumerate(decoded.readings):
        kept = sources.count(index)
        assert reading.seen == kept + reading.skipped.total() + reading.rejected.total()
        assert set(reading.rejected) | set(reading.notes) <= REMEDIES.keys()
        assert set(reading.skipped) <= SKIP_REASONS.keys()
        if reading.outcome is Outcome.REJECTED:
            assert reading.reason in REMEDIES
            assert reading.seen == 0
        if reading.outcome is Outcome.SKIPPED:
            assert reading.reason in SKIP_REASONS
            assert kept == 0
        for text in (reading.detail, *(part for f in reading.findings for part in (f.position, f.detail))):
            check_message(text)


def both_ways(data: bytes) -> None:
    """The fast way and the lenient way read a trail file alike, alone and beside others.

    The one difference is documented in `trail_files`: the fast way does not mind how deep a part nests that
    it does not read.
    """
    if data.startswith(_MARKS) or is_tar(data):
        return
    fast, lenient = _decode(data), _decode(BYTE_ORDER_MARK + data)
    check_accounts(fast)
    check_accounts(lenient)
    if _is_read_fast(data) and _holds_depth(data):
        return
    one, other = fast.readings[0], lenient.readings[0]
    assert (one.outcome, one.reason, one.seen) == (other.outcome, other.reason, other.seen)
    assert (one.skipped, one.rejected, one.notes) == (other.skipped, other.rejected, other.notes)
    assert fast.events.equals(lenient.events)
    beside = _decode(trail_file(record("before")), data, trail_file(record("after")))
    check_accounts(beside)
    mine = beside.events.filter(pc.equal(beside.events.column("source_id"), 1))
    assert mine.drop_columns(["source_id"]).equals(fast.events.drop_columns(["source_id"]))
    assert (beside.readings[1].reason, beside.readings[1].seen) == (one.reason, one.seen)


def _is_read_fast(data: bytes) -> bool:
    if not looks_like_trail_file(data):
        return False
    try:
        parse_trail_files([data])
    except Refused:
        return False
    return True


def _holds_depth(data: bytes) -> bool:
    reading = read_document(data, LIMIT).reading
    return "nested_too_deep" in (reading.reason, *reading.rejected)


def event_times(data: bytes) -> None:
    """A time (a line each) means the same whatever times are read with it."""
    texts = data.decode("utf-8", "replace").split("\n")[:8]
    records = [record(f"e{number}", eventTime=text) for number, text in enumerate(texts)]
    together = _times(trail_file(*records))
    for one in records:
        alone = _times(trail_file(one))
        assert alone.get(one["eventID"]) == together.get(one["eventID"]), one["eventTime"]


def _times(content: bytes) -> dict[str, datetime]:
    events = _decode(content).events
    return dict(zip(events.column("event_id").to_pylist(), events.column("event_time").to_pylist(), strict=True))


def shown_records(data: bytes) -> None:
    """Every record of a document can be shown, and what is shown is JSON in UTF-8."""
    for event_id, found in raw_records(data, LIMIT):
        event_id.encode()
        json.dumps(without_secrets(found)).encode()


# Digests and what belongs to them


def digests(data: bytes) -> None:
    """A digest, or a list of them, is understood or refused with the name of a field."""
    value = _json(data)
    found = [one for one in map(_digest, value if isinstance(value, list) else [value]) if one is not None]
    for digest in found:
        string_to_sign(digest, "0" * 64)
        object_name(digest.object).encode()
        assert digest.start < digest.end
    if found:
        checked = [CheckedDigest(one, hashlib.sha256(one.object.encode()).hexdigest()) for one in found]
        chain = check_chain([one for one in checked if one.digest.trail == found[0].trail])
        assert len(chain.proven_days()) <= 31 * len(found)


def _json(data: bytes) -> Any:
    """The value of a JSON text, as the product's own decoder has it; None when there is none."""
    try:
        return parse(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _digest(value: Any) -> Digest | None:
    if not isinstance(value, dict):
        return None
    try:
        return parse_digest(value, parse_log_key(key()))
    except MalformedDigest as error:
        check_message(str(error))
        return None


def signatures(data: bytes) -> None:
    """The file beside a digest holds a signature, or is noted as malformed."""
    reading, signature = read_signature(data)
    assert (signature is None) == bool(reading.notes)
    told = [data.decode("utf-8", "replace")]
    if isinstance(signature, DigestSignature):
        assert re.fullmatch(r"[0-9a-f]{16,4096}", signature.hex)
        told.append(signature.hex)
    digest = _signed_digest()
    for text in told:
        assert _keys().verify(digest, "0" * 64, text) is Signature.INVALID


def public_keys(data: bytes) -> None:
    """A file of public keys is read, or refused in a line; its keys can be asked."""
    try:
        keys = PublicKeys.read([("keys.json", data)])
    except UsageError as error:
        check_message(str(error))
        return
    assert keys
    assert keys.verify(_signed_digest(), "0" * 64, "00" * 256) is not Signature.VERIFIED


@cache
def _public_keys_json() -> bytes:
    """A key file with a key that nobody holds the other half of: its modulus is made from hashes."""
    noise = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(8))
    modulus = int.from_bytes(b"\xff" + noise[1:-1] + b"\x01")
    encoded = RSAPublicNumbers(65537, modulus).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    entry = {
        "Value": base64.b64encode(encoded).decode(),
        "Fingerprint": "f" * 32,
        "ValidityStartTime": f"{DAY}T00:00:00Z",
    }
    return json.dumps({"PublicKeyList": [entry]}).encode()


@cache
def _keys() -> PublicKeys:
    return PublicKeys.read([("keys.json", _public_keys_json())])


@cache
def _signed_digest() -> Digest:
    digest = parse_digest(json.loads(_digest_files()[0]) | {"digestPublicKeyFingerprint": "f" * 32}, None)
    assert digest.fingerprint in _keys()
    return digest


@cache
def _digest_files() -> tuple[bytes, ...]:
    chain = DigestChain()
    chain.hour(datetime(2026, 10, 1, 12))
    chain.hour(files={chain.log_key(): b"{}"})
    chain.backfill(datetime(2026, 10, 1, 12), {chain.log_key(name="b" * 16): b"{}"})
    objects = chain.objects()
    return tuple(gzip.decompress(objects[key]) for key in chain.digests)


# Texts of the client's choosing


def hosts(data: bytes) -> None:
    """`classify` tells what plain string comparison tells of each host (one a line), and counts each call once."""
    names = [line for line in data.decode("utf-8", "replace").split("\n")[:64] if line]
    found = _classified(names)
    assert sorted(found) == list(range(len(names))), "a call was lost"
    for number, name in enumerate(names):
        assert found[number] == endpoint_of(name), name


def _classified(names: Sequence[str]) -> dict[int, tuple[str | None, str | None, str | None]]:
    """Endpoint, region and serving region of each host by its index; None where the host decided nothing."""
    calls = pa.table({"number": range(len(names)), "client_provided_host_header": pa.array(names, pa.string())})
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("hosts_asked", calls)
        rows = connection.execute(_classify()).fetchall()
    assert len(rows) == len(names), "a call was counted twice or lost"
    return {
        int(number): (*place,) if evidence == "host" else (None, None, None) for number, evidence, *place in rows
    }


@cache
def _classify() -> str:
    """The product's own query over calls that tell nothing but their host."""
    sts = "sts.amazonaws.com"
    columns = {
        field.name: f"CAST(NULL AS {'VARCHAR' if pa.types.is_string(field.type) else 'BIGINT'})"
        for field in EVENTS
    } | {
        "event_id": "CAST(number AS VARCHAR)",
        "event_time": "TIMESTAMP '2026-10-01 12:00:00'",
        "event_source": f"'{sts}'",
        "event_name": "'AssumeRole'",
        "recipient_account_id": f"'{ACCOUNT}'",
        "client_provided_host_header": "client_provided_host_header",
    }
    calls = "SELECT " + ", ".join(f"{value} AS {name}" for name, value in columns.items()) + " FROM hosts_asked"
    sql = compose("classify", Catalogue(), given=("calls",))
    relations = f"WITH events AS ({calls}), calls AS (SELECT * FROM events)"
    return f"{relations} SELECT event_id, evidence, endpoint, region, serving_region FROM ({sql}) AS classified"


def endpoint_of(host: str) -> tuple[str | None, str | None, str | None]:
    """Endpoint, region and serving region that a host names, by comparing strings; None for no host of AWS."""
    name = host.lower()
    for end in (".:443.", ".:443", ":443.", ":443", "..", "."):
        if name.endswith(end):
            name = name.removesuffix(end)
            break
    if name == "sts.amazonaws.com":
        return "global", None, None
    for suffix in Catalogue().dns_suffixes:
        if not name.endswith("." + suffix.suffix):
            continue
        match name.removesuffix("." + suffix.suffix).split("."):
            case ["sts-global", region] if suffix.suffix == "amazonaws.com" and _stands(
                suffix.region_pattern, region
            ):
                return "global", None, region
            case ["sts" | "sts-fips", region] if _stands(suffix.region_pattern, region):
                return "regional", region, None
            case [endpoint, "sts" | "sts-fips", region, "vpce"] if _stands(
                suffix.region_pattern, region
            ) and re.fullmatch(r"vpce-[a-z0-9-]+", endpoint):
                return "regional", region, None
    return None, None, None


def _stands(pattern: str, region: str) -> bool:
    is_plain = re.fullmatch(r"[a-z0-9-]+", region) is not None
    return is_plain and re.search(pattern, region, re.ASCII) is not None


def user_agents(data: bytes) -> None:
    """Any text parses to bounded plain output."""
    client = parse_user_agent(data.decode("utf-8", "surrogateescape"))
    assert client.sdk in {UNKNOWN, *(row.sdk for row in sdk_defaults())}
    assert client.version is None or re.fullmatch(r"[0-9.]{1,60}", client.version)
    assert client.tool is None or re.fullmatch(r"[A-Za-z0-9 .-]{1,230}", client.tool)
    assert (client.is_aws_service, client.is_browser) != (True, True)


def log_keys(data: bytes) -> None:
    """A key, a path or the name of a member of an archive tells an account, or nothing."""
    name = data.decode("utf-8", "surrogateescape")
    found = parse_log_key(name)
    if found is not None:
        assert re.fullmatch(r"[0-9]{12}", found.account_id)
        assert re.fullmatch(r"[a-z0-9-]{1,32}", found.region)
    folder = parse_folder_key(name)
    assert folder is None or folder[0] is None or re.fullmatch(r"[0-9]{12}", folder[0])
    item = SourceObject(name, name, 0, "")
    assert item.log_key == found
    assert isinstance(item.is_log_name and item.is_digest_signature, bool)
    object_name(name)
    principal = caller_of(name)
    assert name.startswith(principal)
    assert caller_of(principal) == principal


# Files of the user


def exceptions(data: bytes) -> None:
    """An exceptions file is read, or refused in a line; what was read can be matched and written."""
    try:
        exemptions = parse_exceptions(data, "exceptions.toml")
    except UsageError as error:
        check_message(str(error))
        return
    on_that_day = Exemptions.on(date(2026, 10, 1), exemptions)
    principal = f"arn:aws:iam::{ACCOUNT}:role/" + "a" * 40
    on_that_day.covering(ACCOUNT, "eu-west-1", principal)
    for exemption in exemptions:
        exemption.covers(exemption.account, exemption.region, principal)
        json.dumps(exemption.to_json()).encode()
        exemption.in_words().encode()


def trail_descriptions(data: bytes) -> None:
    """Descriptions (a list of them, or one) are understood in any order, and their essence says as much."""
    value = _json(data)
    given = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    named = [(f"{number}-org-trail.json", one) for number, one in enumerate(given)]
    trails, problems = read_trails(named)
    assert (trails, problems) == read_trails(named[::-1])
    kept = [(name, json.loads(json.dumps(essence(one)))) for name, one in named]
    assert [is_description(one) for _, one in named] >= [is_description(one) for _, one in kept]
    assert repr(read_trails(kept)) == repr((trails, problems))
    for text in (*problems, *(trail.in_words() for trail in trails)):
        check_message(text)


def baselines(data: bytes) -> None:
    """A saved report is read, or refused in a line."""
    try:
        baseline = parse_baseline(data, "baseline.json")
    except UsageError as error:
        check_message(str(error))
        return
    assert baseline.min_days >= 0
    baseline.asked_about(ACCOUNT, "eu-west-1")


# Archives


def archives(data: bytes) -> None:
    """An archive gives its members, or says which of them cannot be read."""
    archive = SourceObject("memory:/x", "x", len(data), "")
    for entry in read_archive(archive, io.BytesIO(data), LIMIT):
        if isinstance(entry, Unreadable):
            assert entry.reason in REMEDIES
            (entry.uri + entry.detail).encode()
        else:
            item, content = entry
            assert len(content) <= LIMIT
            item.uri.encode()
            item.name.encode()
    is_archive(data[:65536])


# Where each begins


@cache
def _sample(pattern: str) -> tuple[bytes, ...]:
    """The smallest of the sample's files of each folder that a pattern names, uncompressed."""
    smallest: dict[Path, tuple[int, Path]] = {}
    for path in sorted((ROOT / "sample_logs").glob(pattern)):
        smallest[path.parent] = min((path.stat().st_size, path), smallest.get(path.parent, (1 << 20, path)))
    return tuple(unpacked(path) for _, path in sorted(smallest.values())[:12])


def unpacked(path: Path) -> bytes:
    """What a file of the sample holds; one that was cut on purpose as it is."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except EOFError:
        return path.read_bytes()


def _trail_files() -> Iterator[bytes]:
    yield trail_file()
    yield trail_file(record("e1"))
    yield json.dumps({"Records": [record("e1"), record("e2", eventID=None)]}, indent=1).encode()
    yield b'{"Records":[{"eventID":"e","x":[NaN,Infinity,1e999,"\\ud800",{"Records":[]}]}]}'
    yield from _sample("AWSLogs/**/CloudTrail/**/*.gz")


def _documents() -> Iterator[bytes]:
    yield from SHAPES.values()
    yield from SINGLE.values()
    yield from _trail_files()
    yield from _digest_files()
    yield from (gzip.compress(one, mtime=0) for one in (trail_file(record("e1")), b""))
    yield b'{}\n{"Records":[]} [1]\nx'
    yield b"Event name,Event time\n"


def _descriptions() -> Iterator[bytes]:
    files = [path.read_bytes() for path in sorted((ROOT / "sample_logs" / "trail").glob("*.json"))]
    yield from files
    yield b"[" + b",".join(files) + b"]"


_BASELINE = {
    "schema_version": 1,
    "tool": {"version": "1"},
    "window": {"since": f"{DAY}T00:00:00Z", "until": "2026-10-02T00:00:00Z", "min_days": 1},
    "question": {"service_calls": "review", "accounts": [ACCOUNT], "regions": []},
    "global_callers": [{"account_id": ACCOUNT, "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s"}],
    "global_callers_left_out": 0,
    "verdicts": [
        {
            "account_id": ACCOUNT,
            "region": "eu-west-1",
            "verdict": "keep",
            "issuing_calls": 1,
            "service_calls": 0,
            "region_disabled_errors": 0,
            "last_region_disabled": None,
            "confidence": "none",
            "coverage": {"days": 1, "none": 1},
        }
    ],
}


def _exceptions() -> Iterator[bytes]:
    yield TEMPLATE.encode()
    yield TEMPLATE.replace("# [[", "[[").replace("# a", "a").replace("# r", "r").replace("# p", "p").encode()
    for expires in ("2027-03-31", "0x7f", "[1, {a = 2}]", "2027-03-31T00:00:00Z", "inf"):
        yield (
            f'[[exception]]\naccount = "{ACCOUNT}"\nregion = "global"\nprincipal = "*role/[a-c]*?"\n'
            f"reason = '''known'''\nexpires = {expires}\n"
        ).encode()


def _members() -> dict[str, bytes]:
    return {"a.json": trail_file(record("e1")), "b/c.json.gz": gzip.compress(b"{}", mtime=0), "d" * 120: b""}


def _archives() -> Iterator[bytes]:
    yield zipped(_members())
    yield from (zipped({"a": b"text" * 9}, method) for method in (0, 12, 14))
    yield tarred(_members())
    yield tarred_gz(_members())


_HOSTS = (
    "sts.amazonaws.com",
    "STS.eu-west-1.amazonaws.com:443",
    "sts-fips.us-west-2.api.aws.",
    "sts-global.eu-west-1.amazonaws.com",
    "vpce-0abc-x1.sts.us-west-2.vpce.amazonaws.com",
    "vpce-0abc.sts-fips.us-gov-west-1.vpce.amazonaws.com",
    "sts.cn-north-1.amazonaws.com.cn",
    "sts.cn-northwest-1.api.amazonwebservices.com.cn",
    "sts.xx-new-9.amazonaws.eu..",
)

_AGENTS = (
    "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.0 os/linux#5.15.0 lang/python#3.10.12 m/Z,N cfg/retry-mode#legacy",
    "[APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) aws-sdk-go-v2/1.36.3 m/Z,g]",
    "AWS Internal",
    "cloudformation.amazonaws.com",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    "AWSPowerShell.Common/4.1.90.0 .NET_Core/6.0.5 ClientAsync",
)

_TIMES = (
    f"{DAY}T12:00:00Z\n{DAY}T12:00:00.123456789Z\n{DAY}",
    f"{DAY} 12:00:00+0200\n20261001T120000Z\n2026-W40-4\n{DAY}T12",
    f"{DAY}T23:59:60Z\n{DAY}T24:00:00\n9999-12-31T23:59:59.999999-14:00\n0001-01-01T00:00:00+14",
)

_KEYS = (
    key(),
    "AWSLogs/o-exampleorg1/111122223333/CloudTrail-Digest/eu-west-1/2026/10/01/x.json.gz.sig",
    "C:\\copy\\111122223333_CloudTrail_us-east-1_20261001T0000Z_x.json",
    "111122223333_CloudTrail-Digest_eu-west-1_org-trail_us-east-1_20261001T120000Z.json.gz",
    "event-history:/111122223333/eu-west-1/2026-10-01",
    "prefix/AWSLogs/111122223333/CloudTrail/eu-west-1/2026",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s",
    f"{ACCOUNT}:AROAEXAMPLE:session",
)

_HOST_WORDS = (
    b"sts.",
    b"sts-fips.",
    b"sts-global.",
    b"vpce-",
    b".vpce",
    b".amazonaws.com",
    b".api.aws",
    b":443",
    b".",
)
_AGENT_WORDS = (b"md/", b"m/N", b"(", b")", b"[", b"]", b"#", b"Boto3/", b"aws-sdk-", b"md/internal")
_JSON_WORDS = tuple(
    word.encode()
    for word in (
        '{"',
        '":',
        '"',
        "[",
        "]",
        "{",
        "}",
        ",",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "Inf",
        "-NaN",
        "\\u0000",
        "\\ud800",
    )
)
_RECORD_FIELDS = """
    Records Events CloudTrailEvent detail detail-type logEvents message awslogs data events messageType
    digestStartTime logFiles trailList eventVersion eventID eventTime eventSource eventName eventCategory
    eventType userIdentity resources requestParameters responseElements tlsDetails readOnly aws:s3 Insight
    AwsVpceEvents CONTROL_MESSAGE
"""
_RECORD_WORDS = tuple(f'"{word}"'.encode() for word in _RECORD_FIELDS.split())

TARGETS: Mapping[str, Target] = {
    "documents": Target(documents, _documents, _JSON_WORDS + _RECORD_WORDS + _MARKS, is_json=True),
    "both_ways": Target(both_ways, _trail_files, _JSON_WORDS + _RECORD_WORDS, is_json=True),
    "event_times": Target(event_times, lambda: map(str.encode, _TIMES), (b"Z", b"+", b"-W", b".", b":", b"T")),
    "shown_records": Target(shown_records, _documents, _JSON_WORDS + _RECORD_WORDS, is_json=True),
    "digests": Target(
        digests, lambda: (*_digest_files(), b"[" + b",".join(_digest_files()) + b"]"), _JSON_WORDS, is_json=True
    ),
    "signatures": Target(signatures, lambda: (b"ab" * 256, b'"' + b"AB" * 256 + b'"\n'), (b'"', b"\n", b"00")),
    "public_keys": Target(public_keys, lambda: (_public_keys_json(),), _JSON_WORDS, is_json=True),
    "hosts": Target(hosts, lambda: ("\n".join(_HOSTS).encode(), *map(str.encode, _HOSTS)), _HOST_WORDS),
    "user_agents": Target(user_agents, lambda: map(str.encode, _AGENTS), _AGENT_WORDS),
    "log_keys": Target(log_keys, lambda: map(str.encode, _KEYS), (b"AWSLogs/", b"_CloudTrail_", b"/", b"\\")),
    "exceptions": Target(exceptions, _exceptions, (b"[[", b"]]", b"'''", b'"""', b"0x", b"inf", b"nan", b" = ")),
    "trail_descriptions": Target(trail_descriptions, _descriptions, _JSON_WORDS, is_json=True),
    "baselines": Target(baselines, lambda: (json.dumps(_BASELINE).encode(),), _JSON_WORDS, is_json=True),
    "archives": Target(archives, _archives, (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"ustar", b" size=")),
}
"""Every reader by its name."""
