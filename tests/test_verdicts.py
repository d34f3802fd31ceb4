"""The decision, without files: one test per rule of the verdict table."""

from datetime import datetime
from typing import Any

import pytest

from analyzer.catalogue import Catalogue
from analyzer.coverage import Coverage
from analyzer.usage import Endpoint, UsageRow
from analyzer.verdicts import Decision, Policy, Reason, Seen, ServiceCalls, Verdict, decide

CATALOGUE = Catalogue()
COMPLETE = Coverage(days=90, inferred=90)
GAP = Coverage(days=90, inferred=89, none=1)
EARLY, LATE = datetime(2026, 8, 1), datetime(2026, 9, 1)


def decided(
    region: str = "eu-west-1",
    coverage: Coverage = COMPLETE,
    policy: Policy | None = None,
    served: int = 0,
    other: int = 0,
    write_only: bool = False,
    **usage: Any,
) -> Decision:
    row = UsageRow("111122223333", Endpoint.REGIONAL, region, None, **usage)
    return decide(
        CATALOGUE.region(region), Seen(row, served, other), coverage, policy or Policy(), is_write_only=write_only
    )


def codes(decision: Decision) -> tuple[str, ...]:
    return (decision.verdict.value, *(reason.value for reason in decision.reasons))


def test_nothing_seen_with_complete_coverage_may_be_deactivated() -> None:
    assert codes(decided()) == ("deactivate", "unused")


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        ("us-east-1", "not_toggleable"),
        ("cn-north-1", "not_toggleable"),
        ("af-south-1", "opt_in_region"),
        ("me-central-1", "opt_in_region"),
    ],
)
def test_what_cannot_be_toggled_is_fixed(region: str, reason: str) -> None:
    assert codes(decided(region)) == ("fixed", reason)


@pytest.mark.parametrize("region", ["cn-northwest-1", "us-gov-west-1", "eusc-de-east-1", "xx-brandnew-9"])
def test_what_the_catalogue_does_not_call_fixed_follows_the_rules(region: str) -> None:
    assert codes(decided(region)) == ("deactivate", "unused")


def test_a_fixed_row_lists_what_was_seen_and_no_coverage_codes() -> None:
    decision = decided("us-east-1", GAP, issuing_calls=1, failed_calls=1, last_customer_call=EARLY)
    assert codes(decision) == ("fixed", "not_toggleable", "issuing_calls", "failed_calls")


def test_issuing_calls_of_a_customer_keep_the_region() -> None:
    assert codes(decided(issuing_calls=1, last_customer_call=EARLY)) == ("keep", "issuing_calls")


def test_a_refusal_later_than_the_last_issuing_call_means_inactive() -> None:
    decision = decided(
        issuing_calls=1,
        failed_calls=1,
        region_disabled_errors=1,
        last_customer_call=EARLY,
        last_region_disabled=LATE,
    )
    assert codes(decision) == ("inactive", "region_disabled_seen", "issuing_calls", "failed_calls")


def test_a_refusal_without_any_issuing_call_means_inactive() -> None:
    decision = decided(failed_calls=1, region_disabled_errors=1, last_region_disabled=EARLY)
    assert codes(decision) == ("inactive", "region_disabled_seen", "failed_calls")


@pytest.mark.parametrize("disabled", [EARLY, LATE])
def test_a_refusal_not_later_than_the_last_issuing_call_is_history(disabled: datetime) -> None:
    decision = decided(issuing_calls=1, failed_calls=1, last_customer_call=LATE, last_region_disabled=disabled)
    assert codes(decision) == ("keep", "issuing_calls", "failed_calls")


def test_a_service_call_after_the_refusal_does_not_make_the_region_active() -> None:
    decision = decided(issuing_calls=1, service_calls=1, failed_calls=1, last_region_disabled=EARLY)
    assert codes(decision) == ("inactive", "region_disabled_seen", "service_calls_only", "failed_calls")


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"issuing_calls": 2, "service_calls": 2}, "service_calls_only"),
        ({"failed_calls": 1}, "failed_calls"),
        ({"unknown_operations": 1, "non_issuing_calls": 1}, "unknown_operations"),
        ({"served": 1}, "serves_global_calls"),
        ({"other": 1}, "other_activity"),
    ],
)
def test_a_sign_that_somebody_might_miss_it_asks_for_a_review(seen: dict[str, int], reason: str) -> None:
    assert codes(decided(**seen)) == ("review", reason)  # type: ignore[arg-type]


def test_known_non_issuing_calls_are_a_note_and_change_nothing() -> None:
    assert codes(decided(non_issuing_calls=3)) == ("deactivate", "unused", "non_issuing_calls")


def test_a_hole_in_the_logs_cannot_tell() -> None:
    assert codes(decided(coverage=GAP)) == ("cannot_tell", "coverage_gap")


def test_a_window_shorter_than_min_days_cannot_tell() -> None:
    assert codes(decided(coverage=Coverage(days=89, inferred=89))) == ("cannot_tell", "window_too_short")


def test_min_days_is_the_users_to_choose() -> None:
    assert codes(decided(coverage=Coverage(days=14, inferred=14), policy=Policy(min_days=14)))[0] == "deactivate"


def test_logs_of_writes_alone_can_prove_nothing() -> None:
    decision = decided(coverage=Coverage(days=90, none=90), write_only=True)
    assert codes(decision) == ("cannot_tell", "coverage_gap", "write_only_logs")


def test_keep_and_review_carry_the_coverage_codes_that_apply() -> None:
    short_gap = Coverage(days=10, none=10)
    keep = decided(coverage=short_gap, write_only=True, issuing_calls=1, last_customer_call=EARLY)
    assert codes(keep) == ("keep", "issuing_calls", "coverage_gap", "window_too_short", "write_only_logs")


def test_all_reasons_are_listed_in_the_order_of_the_table() -> None:
    decision = decided(coverage=GAP, served=1, other=1, failed_calls=1, unknown_operations=1, non_issuing_calls=2)
    assert codes(decision) == (
        "review",
        "failed_calls",
        "unknown_operations",
        "serves_global_calls",
        "other_activity",
        "coverage_gap",
        "non_issuing_calls",
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ServiceCalls.KEEP, ("keep", "service_calls_only")),
        (ServiceCalls.REVIEW, ("review", "service_calls_only")),
        (ServiceCalls.IGNORE, ("deactivate", "unused", "service_calls_only")),
    ],
)
def test_what_service_calls_mean_is_the_users_policy(policy: ServiceCalls, expected: tuple[str, ...]) -> None:
    decision = decided(policy=Policy(service_calls=policy), issuing_calls=1, service_calls=1)
    assert codes(decision) == expected


def test_every_reason_and_verdict_can_be_reached() -> None:
    reached = [
        decided("us-east-1"),
        decided("af-south-1"),
        decided(failed_calls=1, last_region_disabled=LATE),
        decided(issuing_calls=1, last_customer_call=EARLY),
        decided(issuing_calls=1, service_calls=1, served=1, other=1, unknown_operations=1),
        decided(coverage=Coverage(days=1, none=1), write_only=True),
        decided(non_issuing_calls=1),
    ]
    assert {decision.verdict for decision in reached} == set(Verdict)
    assert {reason for decision in reached for reason in decision.reasons} == set(Reason)
