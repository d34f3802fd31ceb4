"""What AWS itself says of an account's trails: asked with the user's credentials, read like saved descriptions.

The calls are those of docs/permissions.md. Each may be refused: then there is one remark, and no declared
coverage from it.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from typing import IO, Any

from analyzer.sources.aws_identity import AwsSession
from analyzer.sources.source import Listed, SourceObject, Unreadable

_ANSWER = "ResponseMetadata"


class TrailDiscovery:
    """Descriptions of the trails that these credentials can see, one document for each trail."""

    def __init__(self, session: AwsSession, remark: Callable[[str], None]) -> None:
        """`remark` is told what was refused, in words."""
        self._session = session
        self._remark = remark
        self._documents: dict[str, bytes] = {}

    def list(self) -> Iterator[Listed]:
        """Ask for the trails, and for each of them what it records and whether it logs."""
        trails = self._ask(self._session.region, "describe_trails", includeShadowTrails=True) or {}
        for trail in trails.get("trailList", ()):
            arn, home = str(trail.get("TrailARN", "")), str(trail.get("HomeRegion", ""))
            if not arn or not home:
                continue
            description = {
                "trailList": [trail],
                **(self._ask(home, "get_event_selectors", TrailName=arn) or {}),
                **(self._ask(home, "get_trail_status", Name=arn) or {}),
                "TrailARN": arn,
            }
            uri = f"cloudtrail:/{arn}"
            self._documents[uri] = json.dumps(description, default=_as_text).encode()
            yield SourceObject(uri, arn, len(self._documents[uri]), "", is_named=True)

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """The description of one trail."""
        return self._documents[item.uri]

    def open(self, item: SourceObject) -> IO[bytes]:
        """The description as a stream."""
        return BytesIO(self._documents[item.uri])

    def _ask(self, region: str, operation: str, **what: Any) -> dict[str, Any] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._session.client("cloudtrail", region), operation)(**what)
        except (BotoCoreError, ClientError) as error:
            self._remark(f"trails were not described: {error}; allow it (docs/permissions.md) or use --trail")
            return None
        answer.pop(_ANSWER, None)
        return answer


def enabled_regions(session: AwsSession, remark: Callable[[str], None]) -> frozenset[str] | None:
    """Regions that are enabled for the account (account:ListRegions), or None when that is refused."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = session.client("account", session.region).get_paginator("list_regions")
        found = pages.paginate(RegionOptStatusContains=["ENABLED", "ENABLED_BY_DEFAULT"]).build_full_result()
    except (BotoCoreError, ClientError) as error:
        remark(f"opt-in regions are not known: {error}; allow account:ListRegions, or name them with --region")
        return None
    return frozenset(str(region["RegionName"]) for region in found.get("Regions", ()))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
