"""Callers: rows of `queries/callers.sql`, gathered by software, each with what it has to change.

SQL counts by user agent; here user agents that tell of the same software become one caller. Every call is in
exactly one caller, so callers add up to the rows of `queries/usage.sql`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any, TypeVar

from analyzer.caller_advice import Advice, CallerFacts, advise
from analyzer.exceptions_file import Exemption
from analyzer.usage import Endpoint
from analyzer.user_agent import Client, parse_user_agent

EXAMPLES = 10
"""Addresses and roles of a caller that are named; all of them are counted."""

_Value = TypeVar("_Value", str, date)
_LISTS = ("days", "operations", "roles", "sources", "vpc_endpoints")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls which endpoint for whom: what all user agents of a caller have in common."""

    principal: str
    """As `queries/classify.sql` names it: for a role's session, the ARN of the role."""
    account_id: str
    """The account whose credentials are issued; for operations that issue none, the one that logged the call."""
    endpoint: Endpoint
    region: str | None
    serving_region: str | None
    identity_type: str | None
    identity_provider: str | None
    invoked_by: str | None


@dataclass(frozen=True, slots=True)
class CallerCount:
    """What one caller did with one user agent in the window. Times are naive UTC; lists hold a value once."""

    identity: Identity
    user_agent: str | None
    calls: int
    issuing_calls: int
    service_calls: int
    failed_calls: int
    non_issuing_calls: int
    first_seen: datetime
    last_seen: datetime
    days: tuple[date, ...]
    operations: tuple[str, ...]
    roles: tuple[str, ...]
    sources: tuple[str, ...]
    """sourceIPAddress: an address, or the name of an AWS service."""
    vpc_endpoints: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "CallerCount":
        """The value of one row of the query."""
        values = {**row, "endpoint": Endpoint(row["endpoint"])}
        values |= {name: tuple(row[name] or ()) for name in _LISTS}
        identity = Identity(**{name: values.pop(name) for name in Identity.__dataclass_fields__})
        return cls(identity=identity, **values)


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of one endpoint: who, with which software, how much, from where, and what it has to change."""

    identity: Identity
    client: Client
    calls: int
    issuing_calls: int
    service_calls: int
    """Issuing calls that an AWS service made."""
    failed_calls: int
    non_issuing_calls: int
    days_active: int
    """UTC days with a call."""
    first_seen: datetime
    last_seen: datetime
    operations: tuple[str, ...]
    roles: int
    """Distinct roles that were asked for."""
    role_examples: tuple[str, ...]
    vpc_endpoints: tuple[str, ...]
    services: tuple[str, ...]
    """AWS services behind the calls: those that made them, and those the log names in place of an address."""
    source_ips: int
    source_ip_examples: tuple[str, ...]
    user_agents: int
    user_agent: str | None
    """The one with the most calls."""
    advice: Advice
    exemptions: tuple[Exemption, ...] = ()
    """Exceptions that accept this use. The caller stays in the list, marked."""

    @property
    def impact(self) -> tuple[Any, ...]:
        """Order of callers: the global endpoint first, then by issuing calls, failed calls and all calls."""
        identity, client = self.identity, self.client
        return (
            *(_RANKS[identity.endpoint], -self.issuing_calls, -self.failed_calls, -self.calls),
            *(identity.account_id, identity.principal, identity.region or "", identity.serving_region or ""),
            *(client.sdk, client.version or "", client.has_endpoint_override, client.tool or ""),
            *(identity.identity_type or "", identity.identity_provider or "", identity.invoked_by or ""),
            self.user_agent or "",
        )


_RANKS = {Endpoint.GLOBAL: 0, Endpoint.UNKNOWN: 1, Endpoint.REGIONAL: 2}


def gather_callers(counts: Iterable[CallerCount]) -> list[Caller]:
    """Callers by impact, each from the counts of all user agents that tell of the same software."""
    clients: dict[str | None, Client] = {}
    found: dict[tuple[Identity, Client], list[CallerCount]] = {}
    for count in counts:
        agent = count.user_agent
        if agent not in clients:
            clients[agent] = parse_user_agent(agent)
        found.setdefault((count.identity, clients[agent]), []).append(count)
    return sorted((_caller(*key, rows) for key, rows in found.items()), key=lambda caller: caller.impact)


def _caller(identity: Identity, client: Client, rows: Sequence[CallerCount]) -> Caller:
    agents = sorted((-row.calls, row.user_agent) for row in rows if row.user_agent is not None)
    sources = _all(row.sources for row in rows)
    addresses = sorted(source for source in sources if _is_address(source))
    endpoints = _all(row.vpc_endpoints for row in rows)
    own_endpoints = {name for name in endpoints if name.startswith("vpce-")}
    makers = {identity.invoked_by} if identity.invoked_by else set()
    operations = _all(row.operations for row in rows)
    roles = sorted(_all(row.roles for row in rows))
    return Caller(
        identity=identity,
        client=client,
        calls=sum(row.calls for row in rows),
        issuing_calls=sum(row.issuing_calls for row in rows),
        service_calls=sum(row.service_calls for row in rows),
        failed_calls=sum(row.failed_calls for row in rows),
        non_issuing_calls=sum(row.non_issuing_calls for row in rows),
        days_active=len(_all(row.days for row in rows)),
        first_seen=min(row.first_seen for row in rows),
        last_seen=max(row.last_seen for row in rows),
        operations=tuple(sorted(operations)),
        roles=len(roles),
        role_examples=tuple(roles[:EXAMPLES]),
        vpc_endpoints=tuple(sorted(own_endpoints)),
        # CloudTrail may put a service's name, or `AWS Internal`, where an address or a VPC endpoint stands.
        services=tuple(sorted(makers | sources.difference(addresses) | (endpoints - own_endpoints))),
        source_ips=len(addresses),
        source_ip_examples=tuple(addresses[:EXAMPLES]),
        user_agents=len(agents),
        user_agent=agents[0][1] if agents else None,
        advice=advise(identity.endpoint, client, _facts(identity, operations)),
    )


def _facts(identity: Identity, operations: Iterable[str]) -> CallerFacts:
    """What advice rests on. Only the commercial partition has a global endpoint, so its suffix is the default."""
    return CallerFacts(
        operations=frozenset(operations),
        principal=identity.principal,
        identity_type=identity.identity_type,
        invoked_by=identity.invoked_by,
        identity_provider=identity.identity_provider,
        serving_region=identity.serving_region,
    )


def _all(lists: Iterable[Iterable[_Value]]) -> set[_Value]:
    return {value for values in lists for value in values}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
