"""The report once more, in a few pages of plain Python: a judge for the product and reading matter for an auditor.

It follows docs/verdicts.md and docs/coverage.md, and knows neither Arrow nor SQL nor anything of `analyzer`.
Slow, and meant to be: nothing is bounded, batched or remembered. reference_files.py reads the files,
reference_coverage.py tells how the days are known to be observed, and this module has the rest, in order.

The decisions that matter most: A region is what
looks like one, known or not. An error message of a deactivated region makes a call a failed one even without an
error code. Copies of a call are joined field by field, and an addendum belongs to the call that it corrects. A
failure in the very second of an issuing call is not later. What happened outside the window still tells which
accounts, regions and reads there are. Global services count for other_activity in the region that logged them.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from reference_coverage import (
    LEVELS,
    Coverage,
    Digest,
    coverage_of,
    days_between,
    described_trails,
    midnight,
    read_digests,
)
from reference_files import STS, Event, Json, Logs, read_logs

Row = dict[str, Any]
Endpoint = tuple[str, str | None, str | None]
"""Kind, region, and the region that served a global call."""

ISSUING = {
    *("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"),
    *("GetFederationToken", "GetSessionToken", "GetDelegatedAccessToken"),
}
HARMLESS = {"GetCallerIdentity", "GetAccessKeyInfo", "DecodeAuthorizationMessage", "GetWebIdentityToken"}
NOT_TOGGLEABLE = {"us-east-1", "cn-north-1"}
TOGGLEABLE = {
    *("us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "ap-south-1", "ap-northeast-1"),
    *("ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2", "eu-central-1", "eu-west-1"),
    *("eu-west-2", "eu-west-3", "eu-north-1", "cn-northwest-1"),
}
REGION = r"[a-z]{2,}(?:-[a-z0-9]+)+-[0-9]+"
PARTITIONS = {
    one["id"]: one for one in json.loads((files("botocore") / "data/partitions.json").read_text())["partitions"]
}
CATALOGUE = {
    name: {code for code in one["regions"] if not code.endswith("-global")} for name, one in PARTITIONS.items()
}
OPT_IN = CATALOGUE["aws"] - TOGGLEABLE - NOT_TOGGLEABLE
HOST_ENDINGS = {  # and which regions may stand before them; in the commercial partition newer ones too
    one["outputs"][key]: REGION if name == "aws" else one["regionRegex"]
    for name, one in sorted(PARTITIONS.items(), key=lambda item: item[0] == "aws")
    for key in ("dnsSuffix", "dualStackDnsSuffix")
}


# Classification


def is_region(code: str | None) -> bool:
    return re.fullmatch(REGION, code or "") is not None


def endpoint_of_host(header: str | None) -> Endpoint | None:
    """The endpoint that is meant by exactly this host; None when it is none of AWS's forms."""
    host = (header or "").lower().removesuffix(":443").removesuffix(".")
    if host == STS:
        return "global", None, None
    if match := re.fullmatch(rf"sts-global\.({REGION})\.amazonaws\.com", host):
        return "global", None, match[1]
    for ending, regions in HOST_ENDINGS.items():
        for form in (r"sts(?:-fips)?\.({})\.{}", r"vpce-[a-z0-9-]+\.sts\.({})\.vpce\.{}"):
            match = re.fullmatch(form.format(REGION, re.escape(ending)), host)
            if match and re.fullmatch(regions, match[1]):
                return "regional", match[1], None
    return None


def classify(call: Event) -> tuple[Endpoint, str]:
    """The endpoint and the evidence for it, by the first rule that matches."""
    logged, by_host = call["aws_region"], endpoint_of_host(call["host"])
    as_global = "global", None, call["serving_region"] or (by_host[2] if by_host else None)
    if call["endpoint_type"] == "global":
        return as_global, "endpoint_type"
    if call["endpoint_type"] == "regional" and is_region(logged):
        return ("regional", logged, None), "endpoint_type"
    if by_host:
        return as_global if by_host[0] == "global" else by_host, "host"
    if logged == "global":
        return as_global, "aws_region"
    if is_region(logged) and logged != "us-east-1":
        return ("regional", logged, None), "aws_region"
    if logged == "us-east-1" and call["token_version"] == 1:
        return as_global, "token"
    return ("unknown", None, None), "none"


# Calls: copies joined, whose credentials they issue, who made them


def calls_of(events: Iterable[Event], all_events: Iterable[Event]) -> Iterator[Event]:
    """One event for each call: the caller's copy first, then by event_id; the others fill in what is missing."""
    originals = {event["event_id"]: event for event in all_events}
    calls: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        corrected = originals.get(event["original_id"], event)
        call_id = event["shared_id"] or corrected["shared_id"] or event["original_id"] or event["event_id"]
        calls[call_id].append(event)
    for copies in calls.values():
        copies.sort(key=lambda event: (event["arn"] is None, event["event_id"]))
        yield {name: next((one[name] for one in copies if one[name] is not None), None) for name in copies[0]}


def account_in(arn: str | None) -> str | None:
    """The account of an ARN, or of a bare account id."""
    parts = (arn or "").split(":")
    found = parts[4] if len(parts) > 4 else parts[0]
    return found if re.fullmatch("[0-9]{12}", found) else None


def owning_account(call: Event) -> str:
    """The account whose credentials an issuing operation issues; the recipient for the others."""
    found = None
    if call["name"].startswith("AssumeRole"):
        found = account_in(call["role_arn"]) or call["resource_account"] or account_in(call["assumed_arn"])
    elif call["name"] == "AssumeRoot":
        found = account_in(call["target"])
    elif call["name"] == "GetDelegatedAccessToken":
        found = account_in(call["assumed_principal"])
    elif call["name"] in ISSUING:
        found = call["account"]
    return str(found if found and call["name"] in ISSUING else call["recipient"])


def is_made_by_service(event: Event) -> bool:
    return event["identity"] == "AWSService" or event["invoked_by"] is not None


def principal(call: Event) -> str:
    found = None
    if call["identity"] == "AWSService":
        found = call["invoked_by"]
    elif call["identity"] == "AssumedRole":
        found = call["issuer_arn"]
    elif call["identity"] in ("SAMLUser", "WebIdentityUser"):
        found = call["provider"] or call["principal_id"]
    elif call["identity"] == "AWSAccount" and call["account"] and call["principal_id"]:
        found = f"{call['account']}:{call['principal_id']}"
    return str(found or call["arn"] or call["principal_id"] or "unknown")


# Usage rows

FIGURES = (
    *("issuing_calls", "service_calls", "service_linked_calls", "failed_calls", "non_issuing_calls"),
    *("unknown_operations", "region_disabled_errors"),
)


@dataclass
class Usage:
    """One endpoint as used for one account."""

    counts: Counter[str] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)
    principals: set[str] = field(default_factory=set)
    issued: list[datetime] = field(default_factory=list)
    issued_to_customers: list[datetime] = field(default_factory=list)
    refused: list[datetime] = field(default_factory=list)

    def add(self, call: Event, evidence: str) -> None:
        message = call["error_message"] or ""
        is_disabled = call["error_code"] == "RegionDisabledException" or "STS is not activated in" in message
        self.counts["calls"] += 1
        self.evidence[evidence] += 1
        if call["name"] not in ISSUING:
            self.counts["non_issuing_calls"] += 1
            self.counts["unknown_operations"] += call["name"] not in HARMLESS
        elif call["error_code"] or is_disabled:
            self.counts["failed_calls"] += 1
            self.counts["region_disabled_errors"] += is_disabled
            self.refused += [call["time"]] if is_disabled else []
        else:
            self.counts["issuing_calls"] += 1
            self.principals.add(principal(call))
            self.issued.append(call["time"])
            if is_made_by_service(call):
                role = call["role_arn"] or call["resource_arn"] or ""
                self.counts["service_calls"] += 1
                self.counts["service_linked_calls"] += ":role/aws-service-role/" in role
            else:
                self.issued_to_customers.append(call["time"])

    def figures(self) -> Row:
        return {
            **{name: self.counts[name] for name in FIGURES},
            "principals": len(self.principals),
            "first_used": stamp(min(self.issued, default=None)),
            "last_used": stamp(max(self.issued, default=None)),
        }


def stamp(instant: datetime | None) -> str | None:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}" if instant else None


UsageRows = dict[tuple[str, *Endpoint], Usage]
"""Usage by account, endpoint, region and serving region."""


def usage_of(calls: Iterable[Event]) -> UsageRows:
    rows: UsageRows = defaultdict(Usage)
    for call in calls:
        endpoint, evidence = classify(call)
        rows[owning_account(call), *endpoint].add(call, evidence)
    return rows


# Verdicts

RULES = {
    "fixed": ("not_toggleable", "opt_in_region"),
    "inactive": ("region_disabled_seen",),
    "keep": ("issuing_calls",),
    "review": (
        *("service_calls_only", "failed_calls", "unknown_operations", "serves_global_calls", "other_activity"),
    ),
    "cannot_tell": ("coverage_gap", "window_too_short", "write_only_logs"),
    "deactivate": ("unused",),
}
REASONS = (*(code for codes in RULES.values() for code in codes), "non_issuing_calls")


def seen(region: str, usage: Usage, served: int, activity: int) -> set[str]:
    """The codes of everything that was seen of a regional endpoint and its region."""
    customers, refused, counts = usage.issued_to_customers, usage.refused, usage.counts
    conditions = {
        "not_toggleable": region in NOT_TOGGLEABLE,
        "opt_in_region": region in OPT_IN,
        "region_disabled_seen": bool(refused) and (not customers or max(refused) > max(customers)),
        "issuing_calls": bool(customers),
        "service_calls_only": counts["service_calls"] > 0 and not customers,
        "failed_calls": counts["failed_calls"] > 0,
        "unknown_operations": counts["unknown_operations"] > 0,
        "serves_global_calls": served > 0,
        "other_activity": activity > 0,
        "non_issuing_calls": counts["non_issuing_calls"] > counts["unknown_operations"],
    }
    return {code for code, applies in conditions.items() if applies}


def decide(applying: set[str], policy: str) -> tuple[str, list[str]]:
    """The verdict and its reasons: the deciding one first, the others that apply in the order of the table."""
    rules = dict(RULES)
    if policy == "keep":
        rules["keep"] = ("issuing_calls", "service_calls_only")
    if policy == "ignore":
        rules["review"] = tuple(code for code in RULES["review"] if code != "service_calls_only")
    deciding = [
        (verdict, code) for verdict, codes in rules.items() for code in codes if code in applying | {"unused"}
    ]
    verdict, first = deciding[0]
    if verdict == "fixed":
        applying = applying.difference(RULES["cannot_tell"])
    return verdict, [first, *(code for code in REASONS if code in applying and code != first)]


def partition_of(region: str) -> str | None:
    """By botocore's list, and for regions that it does not know by its patterns."""
    known = [name for name in PARTITIONS if region in CATALOGUE[name]]
    alike = [name for name, one in PARTITIONS.items() if re.match(one["regionRegex"], region)]
    return next(iter(known + alike), None)


def partition_of_account(regions: Iterable[str]) -> str:
    """The commercial one unless a region of its logs is another's."""
    return min({partition_of(region) or "aws" for region in regions} - {"aws"}, default="aws")


# The report


def report(
    root: Path,
    since: date | None = None,
    until: date | None = None,
    min_days: int = 90,
    service_calls: str = "review",
    trails: Sequence[Path] = (),
) -> Json:
    """Window, balance, usage and verdicts of the contract, for the files below a directory.

    `trails`: saved trail descriptions that are handed in beside the logs.
    """
    logs = read_logs(root)
    digests = read_digests(logs)
    spoken_of = [event["time"].date() for event in logs.events]
    spoken_of += [day for digest in digests for day in digest.days()]
    since = since or min(spoken_of, default=None)
    until = until or max((day + timedelta(1) for day in spoken_of), default=None)
    days = days_between(since, until) if since and until else []
    events = [event for event in logs.events if event["time"].date() in set(days)]
    usage = usage_of(calls_of([event for event in events if event["source"] == STS], logs.events))
    handed_in = [(str(path), json.loads(path.read_bytes())) for path in trails]
    coverage = coverage_of(logs, digests, described_trails([*logs.descriptions, *handed_in]))
    sheets = {
        "files": (logs.files, ("seen", "ingested", "unchanged", "skipped", "rejected")),
        "records": (logs.records, ("seen", "kept", "duplicate", "skipped", "rejected")),
    }
    return {
        "window": {
            "since": stamp(midnight(since)) if since and until else None,
            "until": stamp(midnight(until)) if since and until else None,
            "days": len(days),
            "min_days": min_days,
        },
        "balance": {name: {one: counts[one] for one in names} for name, (counts, names) in sheets.items()},
        "usage": [usage_row(place, used) for place, used in sorted(usage.items(), key=in_order)],
        "verdicts": [
            verdict_row(account, partition, region, days, usage, events, coverage, min_days, service_calls)
            for account, logged in sorted(regions_logged(logs, digests).items())
            for partition in [partition_of_account(logged)]
            for region in sorted(CATALOGUE[partition] | logged | regions_called(account, usage))
        ],
    }


def in_order(item: tuple[tuple[str | None, ...], Usage]) -> list[str]:
    return [part or "" for part in item[0]]


def usage_row(place: tuple[str, *Endpoint], usage: Usage) -> Row:
    row: Row = dict(zip(("account_id", "endpoint", "region", "serving_region"), place, strict=True))
    evidence = {rule: usage.evidence[rule] for rule in ("endpoint_type", "host", "aws_region", "token", "none")}
    return {**row, "calls": usage.counts["calls"], **usage.figures(), "evidence": evidence}


def is_activity(event: Event) -> bool:
    """Whether it is a successful write of another service that no AWS service made."""
    is_write = event["source"] != STS and event["read_only"] is False
    return is_write and not event["error_code"] and not is_made_by_service(event)


def verdict_row(
    account: str,
    partition: str,
    region: str,
    days: Sequence[date],
    usage: UsageRows,
    events: Sequence[Event],
    coverage: Coverage,
    min_days: int,
    policy: str,
) -> Row:
    """The verdict for one account and region, with its evidence."""
    used = usage.get((account, "regional", region, None), Usage())
    served = sum(one.counts["issuing_calls"] for place, one in usage.items() if place[0::3] == (account, region))
    own = [event for event in events if (event["recipient"], event["aws_region"]) == (account, region)]
    activity = sum(map(is_activity, own))
    levels = Counter(coverage.level(account, region, day) for day in days)
    confidence = next((level for level in LEVELS if levels[level]), "none")
    applying = seen(region, used, served, activity)
    applying |= {"coverage_gap"} if confidence == "none" else set()
    applying |= {"window_too_short"} if len(days) < min_days else set()
    applying |= {"write_only_logs"} if account in coverage.write_only_accounts else set()
    verdict, reasons = decide(applying, policy)
    return {
        "account_id": account,
        "partition": partition,
        "region": region,
        "endpoint": f"sts.{region}.{PARTITIONS[partition_of(region) or partition]['outputs']['dnsSuffix']}",
        "verdict": verdict,
        "reasons": reasons,
        "confidence": confidence,
        **used.figures(),
        "served_global_calls": served,
        "other_activity": activity,
        "coverage": {"days": len(days)} | {level: levels[level] for level in LEVELS},
    }


def regions_called(account: str, usage: UsageRows) -> set[str]:
    """The regions whose endpoint issued for an account, or that served its global calls."""
    places = [place for place in usage if place[0] == account]
    return {region for _, _, *regions in places for region in regions if region and is_region(region)}


def regions_logged(logs: Logs, digests: Iterable[Digest]) -> dict[str, set[str]]:
    """The accounts that have verdicts, each with the regions of its events, log files and digests."""
    places = [(key.account, key.region) for key in logs.keys if key.is_log_file]
    places += [(event["recipient"], event["aws_region"]) for event in logs.events]
    places += [digest.trail[:2] for digest in digests]
    accounts = {key.account for key in logs.keys if key.is_in_trail_folder}
    accounts |= {event["recipient"] for event in logs.events} | {digest.trail[0] for digest in digests}
    return {
        account: {region for owner, region in places if owner == account and is_region(region)}
        for account in accounts - {"unknown"}
    }
