"""Who asks which STS endpoint for whose credentials: what `queries/demand.sql` counts, as values of the core."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from analyzer.usage import Endpoint


class Relation(StrEnum):
    """Who a caller is to the account whose credentials it asks for."""

    OWN = "own"
    """Belongs to that account."""
    YOUR_OTHER_ACCOUNT = "your_other_account"
    """Belongs to another account that has verdicts in the store."""
    FOREIGN = "foreign"
    """Belongs to an account without verdicts, like a vendor's: its refused calls are logged there alone."""
    AWS_SERVICE = "aws_service"
    """An AWS service."""
    NO_ACCOUNT = "no_account"
    """Belongs to no account: a user of an identity provider (SAML or OpenID Connect)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One principal that asks one endpoint for one role, in the window. Times are naive UTC, of issuing calls."""

    account_id: str
    endpoint: Endpoint
    region: str | None
    serving_region: str | None
    principal: str
    caller_account_id: str | None = None
    role_arn: str | None = None
    is_made_by_service: bool = False
    is_service_linked: bool = False
    calls: int = 0
    issuing_calls: int = 0
    failed_calls: int = 0
    non_issuing_calls: int = 0
    unknown_operations: int = 0
    region_disabled_errors: int = 0
    days_active: int = 0
    """UTC days with an issuing call."""
    busiest_day_calls: int = 0
    """Issuing calls on the busiest UTC day."""
    first_used: datetime | None = None
    last_used: datetime | None = None
    last_failed: datetime | None = None
    """Last failed call of an operation that issues credentials."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Demand":
        """The value of one row of the query."""
        return cls(**{**row, "endpoint": Endpoint(row["endpoint"])})

    @property
    def place(self) -> str | None:
        """The region of the regional endpoint, or the one that served the global endpoint; None if not logged."""
        return self.region or self.serving_region

    def relation(self, own_accounts: Collection[str]) -> Relation:
        """Who the caller is; `own_accounts`: those that have verdicts.

        A service that acts for a foreign account is foreign: what it does ends with what that account does.
        """
        caller = self.caller_account_id
        if caller is not None and caller != self.account_id and caller not in own_accounts:
            return Relation.FOREIGN
        if self.is_made_by_service:
            return Relation.AWS_SERVICE
        if caller is None:
            return Relation.NO_ACCOUNT
        return Relation.OWN if caller == self.account_id else Relation.YOUR_OTHER_ACCOUNT
