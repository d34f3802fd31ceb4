"""Usage rows: what `queries/usage.sql` and `queries/activity.sql` count, as values of the core."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Endpoint(StrEnum):
    """Which kind of endpoint a call used."""

    GLOBAL = "global"
    """sts.amazonaws.com, whoever served it."""
    REGIONAL = "regional"
    """The endpoint of one region."""
    UNKNOWN = "unknown"
    """Logged in us-east-1 without anything that tells the global endpoint from the regional one."""


class Evidence(StrEnum):
    """The rule that decided the endpoint, strongest first."""

    ENDPOINT_TYPE = "endpoint_type"
    """`RequestDetails.endpointType` says so."""
    HOST = "host"
    """The host the client asked for is one of AWS's."""
    AWS_REGION = "aws_region"
    """Logged outside us-east-1, where no global call is logged."""
    TOKEN = "token"  # noqa: S105 - the name of a rule, not a secret
    """A version-1 session token, which only the global endpoint issues. Undocumented by AWS."""
    NONE = "none"
    """Nothing tells."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One endpoint as used for one account in the window. Times are naive UTC, of issuing calls unless named."""

    account_id: str
    endpoint: Endpoint
    region: str | None
    serving_region: str | None
    calls: int = 0
    issuing_calls: int = 0
    service_calls: int = 0
    service_linked_calls: int = 0
    failed_calls: int = 0
    non_issuing_calls: int = 0
    unknown_operations: int = 0
    region_disabled_errors: int = 0
    principals: int = 0
    first_used: datetime | None = None
    last_used: datetime | None = None
    last_customer_call: datetime | None = None
    """Last issuing call that no AWS service made."""
    last_region_disabled: datetime | None = None
    """Last call refused with RegionDisabledException."""
    evidence_endpoint_type: int = 0
    evidence_host: int = 0
    evidence_aws_region: int = 0
    evidence_token: int = 0
    evidence_none: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UsageRow":
        """The value of one row of the query."""
        return cls(**{**row, "endpoint": Endpoint(row["endpoint"])})

    @property
    def evidence(self) -> dict[str, int]:
        """Calls by the rule that decided their endpoint."""
        return {evidence.value: getattr(self, f"evidence_{evidence.value}") for evidence in Evidence}

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """Order of usage rows in reports."""
        return self.account_id, self.endpoint, self.region or "", self.serving_region or ""


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """What one recipient account logged in one awsRegion: totals of all that is kept, and days in the window."""

    account_id: str
    aws_region: str | None
    events: int
    writes: int
    other_activity: int
    days: frozenset[date]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ActivityRow":
        """The value of one row of the query."""
        return cls(**{**row, "days": frozenset(row["days"] or ())})


@dataclass(frozen=True, slots=True)
class GlobalCaller:
    """One principal at the global endpoint, for one account, as served from one region: issuing calls.

    A row of `queries/global_callers.sql`; times are naive UTC. `serving_region` is None when not logged.
    """

    account_id: str
    principal: str
    serving_region: str | None
    calls: int
    service_calls: int
    first_used: datetime
    last_used: datetime


@dataclass(frozen=True, slots=True)
class EndpointCaller:
    """One principal at one endpoint, for one account: a row of `queries/endpoint_callers.sql`."""

    account_id: str
    endpoint: Endpoint
    region: str | None
    serving_region: str | None
    principal: str
    issuing_calls: int = 0
    service_calls: int = 0
    failed_calls: int = 0
    region_disabled_errors: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EndpointCaller":
        """The value of one row of the query."""
        return cls(**{**row, "endpoint": Endpoint(row["endpoint"])})
