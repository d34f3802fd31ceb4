"""The decision: may the STS endpoint of a region be deactivated for an account?

A pure function over usage rows, activity and coverage. The rules are those of docs/verdicts.md; the
first that matches decides.
"""

from dataclasses import dataclass
from enum import StrEnum

from analyzer.catalogue import Region, Toggle
from analyzer.coverage import Coverage
from analyzer.usage import UsageRow


class Verdict(StrEnum):
    """The answer for one account and region."""

    FIXED = "fixed"
    """It cannot be toggled."""
    INACTIVE = "inactive"
    """Calls are already refused there."""
    KEEP = "keep"
    """Somebody uses it."""
    REVIEW = "review"
    """Nobody but perhaps a service uses it, and there are signs that somebody might miss it."""
    CANNOT_TELL = "cannot_tell"
    """Nothing was seen, but the logs could not have shown it."""
    DEACTIVATE = "deactivate"
    """Nothing was seen, and the logs would have shown it."""


class Reason(StrEnum):
    """Why. The order is that in which reasons are listed behind the deciding one."""

    NOT_TOGGLEABLE = "not_toggleable"
    """AWS keeps this endpoint always active."""
    OPT_IN_REGION = "opt_in_region"
    """STS follows the opt-in region itself."""
    REGION_DISABLED_SEEN = "region_disabled_seen"
    """RegionDisabledException later than the last issuing call of a customer."""
    ISSUING_CALLS = "issuing_calls"
    """Credentials were issued to somebody who is no AWS service."""
    SERVICE_CALLS_ONLY = "service_calls_only"
    """Credentials were issued to AWS services alone."""
    FAILED_CALLS = "failed_calls"
    """Somebody tried to obtain credentials and failed."""
    UNKNOWN_OPERATIONS = "unknown_operations"
    """Operations that the installed botocore does not know."""
    SERVES_GLOBAL_CALLS = "serves_global_calls"
    """The region serves global-endpoint calls: they become regional when the callers migrate."""
    OTHER_ACTIVITY = "other_activity"
    """Somebody changes things in the region with other services."""
    COVERAGE_GAP = "coverage_gap"
    """On at least one day of the window nothing shows that the logs observed the region."""
    WINDOW_TOO_SHORT = "window_too_short"
    """The window is shorter than --min-days."""
    WRITE_ONLY_LOGS = "write_only_logs"
    """The account's logs hold no reads, and AssumeRole is a read."""
    UNUSED = "unused"
    """Nothing was seen on any day of a complete and long enough window."""
    NON_ISSUING_CALLS = "non_issuing_calls"
    """Calls that deactivation does not block, such as GetCallerIdentity."""


class ServiceCalls(StrEnum):
    """What an AWS service's use of a region means to the user (`--service-calls`)."""

    KEEP = "keep"
    """It is use like any other."""
    REVIEW = "review"
    """Logs cannot tell whether deactivation would stop the service: a person decides."""
    IGNORE = "ignore"
    """It does not stand in the way; the reason stays as a note."""


_REVIEW = (
    Reason.SERVICE_CALLS_ONLY,
    Reason.FAILED_CALLS,
    Reason.UNKNOWN_OPERATIONS,
    Reason.SERVES_GLOBAL_CALLS,
    Reason.OTHER_ACTIVITY,
)
_COVERAGE = (Reason.COVERAGE_GAP, Reason.WINDOW_TOO_SHORT, Reason.WRITE_ONLY_LOGS)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one regional endpoint and in its region, for one account.

    `usage`: the row of the regional endpoint. `served_global_calls`: issuing calls of the account to the
    global endpoint that this region served. `other_activity`: writes of other services.
    """

    usage: UsageRow
    served_global_calls: int = 0
    other_activity: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's part in the decision. `min_days`: shortest window in days that can show disuse."""

    min_days: int = 90
    service_calls: ServiceCalls = ServiceCalls.REVIEW


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with all reasons that apply, the deciding one first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def decide(
    region: Region, seen: Seen, coverage: Coverage, policy: Policy, *, is_write_only: bool = False
) -> Decision:
    """The verdict for one account and region; the first matching rule decides."""
    applying = _applying(region.toggle, seen, coverage, policy, is_write_only)
    verdict, deciding = _first_rule(region.toggle, applying, policy)
    if verdict is Verdict.FIXED:
        applying -= set(_COVERAGE)
    others = [reason for reason in Reason if reason in applying and reason is not deciding]
    return Decision(verdict, (deciding, *others))


def _first_rule(toggle: Toggle, applying: set[Reason], policy: Policy) -> tuple[Verdict, Reason]:
    review = [reason for reason in _REVIEW if reason in applying]
    if toggle is Toggle.NOT_TOGGLEABLE:
        return Verdict.FIXED, Reason.NOT_TOGGLEABLE
    if toggle is Toggle.OPT_IN_REGION:
        return Verdict.FIXED, Reason.OPT_IN_REGION
    if Reason.REGION_DISABLED_SEEN in applying:
        return Verdict.INACTIVE, Reason.REGION_DISABLED_SEEN
    if Reason.ISSUING_CALLS in applying:
        return Verdict.KEEP, Reason.ISSUING_CALLS
    if Reason.SERVICE_CALLS_ONLY in applying and policy.service_calls is ServiceCalls.KEEP:
        return Verdict.KEEP, Reason.SERVICE_CALLS_ONLY
    if policy.service_calls is ServiceCalls.IGNORE:
        review = [reason for reason in review if reason is not Reason.SERVICE_CALLS_ONLY]
    if review:
        return Verdict.REVIEW, review[0]
    for reason in _COVERAGE:
        if reason in applying:
            return Verdict.CANNOT_TELL, reason
    return Verdict.DEACTIVATE, Reason.UNUSED


def _applying(toggle: Toggle, seen: Seen, coverage: Coverage, policy: Policy, is_write_only: bool) -> set[Reason]:
    usage = seen.usage
    customer_calls = usage.issuing_calls - usage.service_calls
    conditions = {
        Reason.NOT_TOGGLEABLE: toggle is Toggle.NOT_TOGGLEABLE,
        Reason.OPT_IN_REGION: toggle is Toggle.OPT_IN_REGION,
        Reason.REGION_DISABLED_SEEN: _is_disabled(usage),
        Reason.ISSUING_CALLS: customer_calls > 0,
        Reason.SERVICE_CALLS_ONLY: usage.service_calls > 0 and customer_calls == 0,
        Reason.FAILED_CALLS: usage.failed_calls > 0,
        Reason.UNKNOWN_OPERATIONS: usage.unknown_operations > 0,
        Reason.SERVES_GLOBAL_CALLS: seen.served_global_calls > 0,
        Reason.OTHER_ACTIVITY: seen.other_activity > 0,
        Reason.COVERAGE_GAP: not coverage.is_complete,
        Reason.WINDOW_TOO_SHORT: coverage.days < policy.min_days,
        Reason.WRITE_ONLY_LOGS: is_write_only,
        Reason.NON_ISSUING_CALLS: usage.non_issuing_calls > usage.unknown_operations,
    }
    return {reason for reason, applies in conditions.items() if applies}


def _is_disabled(usage: UsageRow) -> bool:
    """Whether the last thing a customer learnt at this endpoint is that it is not active."""
    if usage.last_region_disabled is None:
        return False
    return usage.last_customer_call is None or usage.last_region_disabled > usage.last_customer_call
