"""What AWS itself says of an account's trails: asked with the user's credentials, read like saved descriptions.

The calls are those of docs/permissions.md. Each may be refused: all of that together is one remark, and no
declared coverage comes from it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import IO, Any

from analyzer.sources.aws_identity import AwsSession
from analyzer.sources.source import Listed, SourceObject, Unreadable

_ANSWER = "ResponseMetadata"
_ENABLED = "ENABLED"
"""State of an opt-in region that somebody has enabled."""
_ALWAYS_ENABLED = "ENABLED_BY_DEFAULT"

_ABOVE_REGIONS = re.compile(r"(?:AWSLogs/(?:o-[a-z0-9]{1,32}/)?(?:[0-9]{12}/(?:CloudTrail/)?)?)?")


class TrailDiscovery:
    """Descriptions of the trails that deliver to the buckets in question, one document for each trail."""

    def __init__(
        self, session: AwsSession, buckets: Sequence[tuple[str, str]], remark: Callable[[str], None]
    ) -> None:
        """Nothing is asked before something is listed.

        Args:
            session: who asks.
            buckets: name and prefix of what is read. A trail that delivers elsewhere says nothing of it.
            remark: told in words what was refused, what was left out, and which opt-in regions are enabled.
        """
        self._session = session
        self._buckets = [(name, _folder(prefix)) for name, prefix in buckets]
        self._remark = remark
        self._documents: dict[str, bytes] = {}
        self._refused: dict[str, str] = {}

    def list(self) -> Iterator[Listed]:
        """Ask for the trails, and for each of them what it records and whether it logs."""
        self._documents, self._refused = {}, {}
        elsewhere = []
        trails = self._ask(self._session.region, "describe_trails", includeShadowTrails=True) or {}
        for trail in trails.get("trailList", ()):
            if not trail.get("TrailARN") or not trail.get("HomeRegion"):
                continue
            if self._delivers_here(trail):
                yield self._described(trail)
            else:
                elsewhere.append(str(trail["TrailARN"]))
        self._remark_on(elsewhere)
        self._remark_on_regions()
        if self._refused:
            told = ", ".join(f"{action} ({why})" for action, why in self._refused.items())
            self._remark(
                f"AWS did not tell everything about trails and regions: {told}; allow it (docs/permissions.md), "
                "or hand in descriptions with --trail"
            )

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """The description of one trail."""
        return self._documents[item.uri]

    def open(self, item: SourceObject) -> IO[bytes]:
        """The description as a stream."""
        return BytesIO(self._documents[item.uri])

    def _described(self, trail: Mapping[str, Any]) -> SourceObject:
        arn, home = str(trail["TrailARN"]), str(trail["HomeRegion"])
        description = {
            "trailList": [trail],
            **(self._ask(home, "get_event_selectors", TrailName=arn) or {}),
            **(self._ask(home, "get_trail_status", Name=arn) or {}),
            "TrailARN": arn,
        }
        uri = f"cloudtrail:/{arn}"
        self._documents[uri] = json.dumps(description, default=_as_text).encode()
        return SourceObject(uri, arn, len(self._documents[uri]), "", is_named=True)

    def _delivers_here(self, trail: Mapping[str, Any]) -> bool:
        own = _folder(str(trail.get("S3KeyPrefix", "")))
        return any(
            bucket == trail.get("S3BucketName") and (own.startswith(prefix) or _has_all_regions(prefix, own))
            for bucket, prefix in self._buckets
        )

    def _remark_on(self, elsewhere: Sequence[str]) -> None:
        if elsewhere:
            more = f" and {len(elsewhere) - 1} more" if elsewhere[1:] else ""
            self._remark(
                f"{elsewhere[0]}{more}: delivers to another bucket or prefix than is read here, and declares "
                "nothing of it; if this is a copy, hand in the trail's description with --trail"
            )

    def _remark_on_regions(self) -> None:
        try:
            states = _regions_in(self._session, _ENABLED)
        except _failures() as error:
            self._refused["account:ListRegions"] = _why(error)
        else:
            self._remark(f"opt-in regions that the account has enabled: {', '.join(sorted(states)) or 'none'}")

    def _ask(self, region: str, operation: str, **what: Any) -> dict[str, Any] | None:
        client = self._session.client("cloudtrail", region)
        try:
            answer: dict[str, Any] = getattr(client, operation)(**what)
        except _failures() as error:
            action = client.meta.method_to_api_mapping[operation]
            self._refused.setdefault(f"cloudtrail:{action}", _why(error))
            return None
        answer.pop(_ANSWER, None)
        return answer


def enabled_regions(session: AwsSession, remark: Callable[[str], None]) -> frozenset[str] | None:
    """Regions that are enabled for the account (account:ListRegions), or None when that is refused."""
    try:
        return _regions_in(session, _ENABLED, _ALWAYS_ENABLED)
    except _failures() as error:
        remark(
            f"opt-in regions are not known: account:ListRegions ({_why(error)}); allow it (docs/permissions.md), "
            "or name them with --region"
        )
        return None


def _regions_in(session: AwsSession, *states: str) -> frozenset[str]:
    """Regions of the account that are in one of the states. Raises what botocore raises."""
    pages = session.client("account", session.region).get_paginator("list_regions")
    found = pages.paginate(RegionOptStatusContains=list(states)).build_full_result()
    return frozenset(str(region["RegionName"]) for region in found.get("Regions", ()))


def _failures() -> tuple[type[Exception], ...]:
    """What botocore raises when a call gives no answer, or one that is an error."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


def _why(error: Exception) -> str:
    """The error's code where AWS gave one, else what botocore says."""
    told = getattr(error, "response", {})
    return str(told.get("Error", {}).get("Code") or error)


def _has_all_regions(prefix: str, own: str) -> bool:
    """Whether all regions of a trail lie below what is read, or of one account of it: it declares them all."""
    return prefix.startswith(own) and _ABOVE_REGIONS.fullmatch(prefix.removeprefix(own)) is not None


def _folder(prefix: str) -> str:
    return prefix if prefix[-1:] in ("", "/") else f"{prefix}/"


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
