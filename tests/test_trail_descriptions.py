"""What trail descriptions declare: only what all three of them together make certain."""

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trail import ACCOUNT, OTHER_ACCOUNT

from analyzer.trail_descriptions import (
    DescribedTrail,
    Document,
    Shortcoming,
    essence,
    is_description,
    read_trails,
)

Json = dict[str, Any]

STS = "sts.amazonaws.com"
STARTED = "2026-09-01T10:00:00+00:00"
MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}

moderately = settings(deadline=None, max_examples=300)


def arn(name: str = "org-trail", account: str = ACCOUNT, region: str = "us-east-1") -> str:
    return f"arn:aws:cloudtrail:{region}:{account}:trail/{name}"


def trail(trail_arn: str | None = None, **fields: Any) -> Json:
    """A multi-region trail as describe-trails lists it."""
    made = {"TrailARN": trail_arn or arn(), "IsMultiRegionTrail": True, "S3BucketName": "fake-logs"}
    return made | fields


def listed(*trails: Json) -> Json:
    return {"trailList": list(trails)}


def status(started: Any = STARTED, **fields: Any) -> Json:
    return {"IsLogging": True, "StartLoggingTime": started} | fields


def basic(*selectors: Json, trail_arn: str | None = None) -> Json:
    return {"TrailARN": trail_arn or arn(), "EventSelectors": list(selectors)}


def advanced(*selectors: Sequence[Json]) -> Json:
    return {"TrailARN": arn(), "AdvancedEventSelectors": [{"FieldSelectors": list(one)} for one in selectors]}


def source(**operators: list[Any]) -> Json:
    return {"Field": "eventSource", **operators}


def read_only(value: str) -> Json:
    return {"Field": "readOnly", "Equals": [value]}


ALL_EVENTS = basic({"ReadWriteType": "All", "IncludeManagementEvents": True})


def only(*documents: Json | Document) -> DescribedTrail:
    """The one trail that documents describe without a problem; those without a name get one that tells nothing."""
    named = [one if isinstance(one, tuple) else (f"{at}.json", one) for at, one in enumerate(documents)]
    (found,), problems = read_trails(named)
    assert problems == ()
    return found


def shortcomings(*documents: Json) -> list[str]:
    return [str(one) for one in only(*documents).shortcomings]


def of_selectors(selectors: Json) -> list[str]:
    """The shortcomings of a trail that is perfect but for its event selectors."""
    return shortcomings(listed(trail()), selectors, status())


def since(**times: Any) -> datetime | None:
    """Since when a trail logs whose status holds these fields."""
    return only(listed(trail()), ALL_EVENTS, {"IsLogging": True} | times).logging_since


def problems_of(*documents: Document) -> tuple[str, ...]:
    return read_trails(documents)[1]


# What is declared


def test_a_multi_region_trail_of_all_management_events_declares_the_days_after_its_start() -> None:
    found = only(listed(trail()), ALL_EVENTS, status())
    assert found.shortcomings == ()
    assert found.first_day == date(2026, 9, 2)
    assert not found.declares(date(2026, 9, 1))
    assert found.declares(date(2026, 9, 2))


def test_a_trail_started_at_midnight_declares_that_day() -> None:
    found = only(listed(trail()), ALL_EVENTS, status("2026-09-01T00:00:00Z"))
    assert found.first_day == date(2026, 9, 1)
    assert found.declares(date(2026, 9, 1))


def test_a_trail_is_known_by_its_arn() -> None:
    described = trail(
        "arn:aws-us-gov:cloudtrail:us-gov-west-1:444455556666:trail/Audit_1.x",
        S3KeyPrefix="logs/audit",
        IsOrganizationTrail=True,
    )
    found = only(listed(described))
    assert (found.partition, found.home_region, found.account_id, found.name) == (
        "aws-us-gov",
        "us-gov-west-1",
        OTHER_ACCOUNT,
        "Audit_1.x",
    )
    assert (found.s3_bucket, found.prefix, found.is_organization) == ("fake-logs", "logs/audit", True)


def test_get_trail_describes_as_well_as_describe_trails() -> None:
    assert only({"Trail": trail()}, ALL_EVENTS, status()).first_day == date(2026, 9, 2)


def test_all_three_may_lie_in_one_object() -> None:
    assert only(listed(trail()) | ALL_EVENTS | status()).first_day == date(2026, 9, 2)


@pytest.mark.parametrize("described", [{"IsMultiRegionTrail": False}, {"IsMultiRegionTrail": "true"}])
def test_a_trail_that_is_not_said_to_be_multi_region_declares_nothing(described: Json) -> None:
    found = only(listed(trail(**described)), ALL_EVENTS, status())
    assert found.shortcomings == (Shortcoming.SINGLE_REGION,)
    assert found.first_day is None
    assert not found.declares(date(2030, 1, 1))


def test_without_the_other_outputs_nothing_is_declared_even_of_a_trail_without_custom_selectors() -> None:
    assert shortcomings(listed(trail(HasCustomEventSelectors=False))) == ["selectors_missing", "status_missing"]


# Basic event selectors


def test_what_a_basic_selector_leaves_out_is_the_default_of_aws() -> None:
    assert of_selectors(basic({})) == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"ReadWriteType": "WriteOnly"}, ["write_only"]),
        ({"ReadWriteType": "ReadOnly"}, ["read_only"]),
        ({"ReadWriteType": "Everything"}, ["filtered"]),
        ({"IncludeManagementEvents": False}, ["no_management_events"]),
        ({"ExcludeManagementEventSources": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]}, []),
        ({"ExcludeManagementEventSources": ["STS.amazonaws.com"]}, ["excludes_sts"]),
        ({"ReadWriteType": "WriteOnly", "ExcludeManagementEventSources": [STS]}, ["write_only", "excludes_sts"]),
        ({"ReadWriteType": 1}, ["no_management_events"]),
        ({"IncludeManagementEvents": "true"}, ["no_management_events"]),
        ({"ExcludeManagementEventSources": STS}, ["no_management_events"]),
        ({"ExcludeManagementEventSources": ["kms.amazonaws.com"] * 1000 + [STS]}, ["no_management_events"]),
    ],
)
def test_a_basic_selector_records_what_it_says_and_nothing_when_it_cannot_be_read(
    selector: Json, expected: list[str]
) -> None:
    assert of_selectors(basic(selector)) == expected


def test_reads_and_writes_may_come_from_two_selectors() -> None:
    assert of_selectors(basic({"ReadWriteType": "ReadOnly"}, {"ReadWriteType": "WriteOnly"})) == []


def test_an_exclusion_holds_for_its_own_selector_only() -> None:
    without_sts = {"ExcludeManagementEventSources": [STS]}
    reads, writes = {"ReadWriteType": "ReadOnly"}, {"ReadWriteType": "WriteOnly"}
    assert of_selectors(basic(reads | without_sts, {})) == []
    assert of_selectors(basic(reads | without_sts, writes)) == ["excludes_sts"]
    assert of_selectors(basic(reads, writes | without_sts)) == ["filtered"]


def test_no_selector_at_all_records_no_management_events() -> None:
    assert of_selectors({"EventSelectors": [], "AdvancedEventSelectors": []}) == ["no_management_events"]


# Advanced event selectors


def test_an_advanced_selector_of_management_events_records_all_of_them() -> None:
    assert of_selectors(advanced([MANAGEMENT])) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], ["no_management_events"]),
        ([{"Field": "eventCategory", "Equals": ["Data"]}], ["no_management_events"]),
        ([read_only("true")], ["no_management_events"]),
        ([MANAGEMENT, read_only("true")], ["read_only"]),
        ([MANAGEMENT, read_only("false")], ["write_only"]),
        ([MANAGEMENT, {"Field": "readOnly", "Equals": ["true", "false"]}], []),
        ([MANAGEMENT, {"Field": "readOnly", "NotEquals": ["true"]}], ["filtered"]),
        ([MANAGEMENT, {"Field": "eventName", "NotEquals": ["Decrypt"]}], ["filtered"]),
        ([MANAGEMENT, source(NotEquals=["kms.amazonaws.com"])], []),
        ([MANAGEMENT, source(NotEquals=["kms.amazonaws.com", "STS.amazonaws.com"])], ["excludes_sts"]),
        ([MANAGEMENT, source(NotStartsWith=["kms", "Sts"])], ["excludes_sts"]),
        ([MANAGEMENT, source(NotEndsWith=[".AmazonAWS.com"])], ["excludes_sts"]),
        ([MANAGEMENT, source(NotEndsWith=["data.amazonaws.com"])], []),
        ([MANAGEMENT, source(Equals=["ec2.amazonaws.com"])], ["excludes_sts", "filtered"]),
        ([MANAGEMENT, source(Equals=["ec2.amazonaws.com", STS])], ["filtered"]),
        ([MANAGEMENT, source(StartsWith=["s"])], ["filtered"]),
        ([MANAGEMENT, source(StartsWith=["s"], NotEquals=[STS])], ["excludes_sts", "filtered"]),
        (
            [MANAGEMENT, source(StartsWith=["s"]), source(EndsWith=["ec2.amazonaws.com"])],
            ["excludes_sts", "filtered"],
        ),
        ([MANAGEMENT, read_only("false"), source(NotEquals=[STS])], ["write_only", "excludes_sts"]),
    ],
)
def test_an_event_must_meet_all_fields_of_an_advanced_selector(fields: list[Json], expected: list[str]) -> None:
    assert of_selectors(advanced(fields)) == expected


@pytest.mark.parametrize(
    "unreadable",
    [
        source(),
        source(NotEquals=[]),
        source(NotEquals=["kms.amazonaws.com"], Contains=["sts"]),
        source(NotEquals=[STS, 1]),
        source(NotEquals=["kms.amazonaws.com"] * 1000),
        {"Field": 1},
        "eventSource",
    ],
)
def test_a_field_that_is_not_understood_restricts(unreadable: Any) -> None:
    assert of_selectors(advanced([MANAGEMENT, unreadable])) == ["filtered"]


def test_a_selector_without_restriction_makes_up_for_restricted_ones() -> None:
    restricted = [
        MANAGEMENT,
        source(Equals=["ec2.amazonaws.com"]),
        {"Field": "eventName", "Equals": ["RunInstances"]},
    ]
    assert of_selectors(advanced(restricted, [MANAGEMENT])) == []


def test_selectors_that_complement_each_other_leave_nothing_out() -> None:
    sts, others = [MANAGEMENT, source(Equals=[STS])], [MANAGEMENT, source(NotEquals=[STS])]
    assert of_selectors(advanced(sts, others)) == []
    assert of_selectors(advanced([*sts, read_only("false")], others)) == ["excludes_sts"]


def test_selectors_of_both_kinds_count_as_far_as_they_agree() -> None:
    both = advanced([MANAGEMENT]) | basic({"ReadWriteType": "WriteOnly"})
    assert of_selectors(both) == ["write_only"]


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (basic({"ReadWriteType": "WriteOnly"}), False),
        (basic(), False),
        (basic({"ExcludeManagementEventSources": [STS]}), False),
        (basic({"ReadWriteType": "ReadOnly"}), True),
        (advanced([MANAGEMENT, {"Field": "eventName", "Equals": ["AssumeRole"]}]), True),
        (ALL_EVENTS, True),
        ({}, True),
    ],
)
def test_a_trail_sees_sts_unless_its_selectors_leave_the_reads_of_sts_out(selectors: Json, expected: bool) -> None:
    assert only(listed(trail()), selectors).sees_sts is expected


# Status


@pytest.mark.parametrize("started", [STARTED, "2026-09-01T12:00:00.000000+02:00", 1788256800, 1788256800.0])
def test_the_start_is_read_as_either_version_of_the_aws_cli_writes_it(started: Any) -> None:
    assert since(StartLoggingTime=started) == datetime(2026, 9, 1, 10)


def test_the_disused_text_of_the_start_is_the_last_resort() -> None:
    assert since(StartLoggingTime="soon", TimeLoggingStarted="2026-09-01T10:00:00Z") == datetime(2026, 9, 1, 10)


def test_logging_cannot_have_begun_before_it_was_last_stopped() -> None:
    stopped = "2026-10-01T10:00:00Z"
    assert since(StartLoggingTime=STARTED, StopLoggingTime=stopped) == datetime(2026, 10, 1, 10)
    assert since(StartLoggingTime=stopped, StopLoggingTime=STARTED) == datetime(2026, 10, 1, 10)


@pytest.mark.parametrize(
    "started",
    [
        None,
        "",
        "yesterday",
        "2026-09-01",
        "2026-09-01T10:00:00",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        True,
        float("nan"),
        float("inf"),
        10**400,
        -1,
        1788256800000,
        [STARTED],
    ],
)
def test_a_start_that_tells_no_utc_time_is_missing(started: Any) -> None:
    assert shortcomings(listed(trail()), ALL_EVENTS, status(started)) == ["status_missing"]


def test_a_status_without_is_logging_is_none() -> None:
    assert shortcomings(listed(trail()), ALL_EVENTS, {"StartLoggingTime": STARTED}) == ["status_missing"]


def test_a_trail_that_is_not_logging_declares_nothing() -> None:
    found = only(listed(trail()), ALL_EVENTS, status(IsLogging=False))
    assert (found.shortcomings, found.logging_since) == ((Shortcoming.STOPPED,), None)


def test_a_trail_whose_delivery_fails_declares_nothing() -> None:
    assert shortcomings(listed(trail()), ALL_EVENTS, status(LatestDeliveryError="AccessDenied")) == [
        "delivery_failing"
    ]
    assert shortcomings(listed(trail()), ALL_EVENTS, status(LatestDeliveryError="")) == []


# Several descriptions of one trail


def test_a_trail_described_in_every_region_is_one_trail() -> None:
    shadows = listed(trail(HomeRegion="us-east-1")), listed(trail(HomeRegion="us-east-1"))
    assert only(*shadows, ALL_EVENTS, status()).first_day == date(2026, 9, 2)


def test_a_trail_once_described_as_of_a_single_region_is_one() -> None:
    twice = listed(trail(), trail(IsMultiRegionTrail=False))
    assert shortcomings(twice, ALL_EVENTS, status()) == ["single_region"]


def test_of_two_statuses_the_later_start_counts() -> None:
    found = only(listed(trail()), ALL_EVENTS, status(), status("2026-10-01T00:00:00Z"))
    assert found.first_day == date(2026, 10, 1)


def test_of_two_statuses_the_one_that_does_not_log_counts() -> None:
    assert shortcomings(listed(trail()), ALL_EVENTS, status(), status(IsLogging=False)) == ["stopped"]


def test_of_two_outputs_of_event_selectors_both_must_record_an_event() -> None:
    reads, writes = basic({"ReadWriteType": "ReadOnly"}), basic({"ReadWriteType": "WriteOnly"})
    assert shortcomings(listed(trail()), ALL_EVENTS, writes, status()) == ["write_only"]
    assert shortcomings(listed(trail()), reads, writes, status()) == ["no_management_events"]


# Whose description it is

TWO = ("trails.json", listed(trail(arn("org")), trail(arn("org-trail"))))


def declaring(*documents: Document) -> list[str]:
    """The ARNs of the trails that declare something."""
    return [one.arn for one in read_trails(documents)[0] if one.first_day]


def test_event_selectors_and_a_status_go_to_the_trail_whose_arn_they_name() -> None:
    both = basic({}, trail_arn=arn("org")) | status()
    assert declaring(TWO, ("org-trail.json", both)) == [arn("org")]


def test_pieces_beside_one_description_are_of_that_trail_whatever_the_file_is_called() -> None:
    pieces: Json = {"EventSelectors": [{}]} | status()
    documents = TWO, ("org-trail.json", listed(trail(arn("org"))) | pieces)
    assert declaring(*documents) == [arn("org")]


@pytest.mark.parametrize(
    "name", ["/logs/org/org-trail-status.json", r"C:\org\org-trail.json", "s3://b/org-trail.json"]
)
def test_a_file_is_of_the_trail_with_the_longest_name_in_its_base_name(name: str) -> None:
    assert declaring(TWO, (name, {"EventSelectors": [{}]} | status())) == [arn("org-trail")]


def test_of_trails_named_alike_the_account_in_the_path_decides() -> None:
    alike = listed(trail(arn("main")), trail(arn("main", OTHER_ACCOUNT)))
    pieces: Json = {"EventSelectors": [{}]} | status()
    assert declaring(("t.json", alike), (f"{OTHER_ACCOUNT}/main.json", pieces)) == [arn("main", OTHER_ACCOUNT)]
    assert declaring(("t.json", alike), ("main.json", pieces)) == []


def test_a_status_that_names_no_trail_among_several_is_a_problem() -> None:
    (problem,) = problems_of(TWO, ("status.json", status()))
    assert problem.startswith(
        "status.json: says of no trail whose status it holds; put the trail's name into the file's"
    )


def test_a_status_whose_file_names_two_trails_is_a_problem() -> None:
    both = ("t.json", listed(trail(arn("audit")), trail(arn("main"))))
    (problem,) = problems_of(both, ("audit-main.json", status()))
    assert problem.startswith("audit-main.json: says of no trail")


def test_event_selectors_of_a_trail_that_nobody_describes_are_a_problem() -> None:
    (problem,) = problems_of(TWO, ("selectors.json", basic({}, trail_arn=arn("other"))))
    assert f"event selectors of {arn('other')}, but no describe-trails output names that trail" in problem


def test_pieces_without_any_described_trail_are_problems() -> None:
    problems = problems_of(("both.json", {"EventSelectors": []} | status()))
    assert [problem.split(";")[0] for problem in problems] == [
        "both.json: holds the event selectors of a trail, but none is described",
        "both.json: holds the status of a trail, but none is described",
    ]


@pytest.mark.parametrize(
    "unreadable",
    [
        "",
        "org-trail",
        arn() + "\n",
        arn(account="1111"),
        arn(account="١" * 12),
        "arn:aws:s3:::fake-logs",
        arn("a" * 2000),
        7,
    ],
)
def test_a_trail_without_a_readable_arn_is_a_problem_and_the_others_are_read(unreadable: Any) -> None:
    found, (problem,) = read_trails([("trails.json", listed({"TrailARN": unreadable}, trail()))])
    assert [one.name for one in found] == ["org-trail"]
    assert problem.startswith("trails.json: describes a trail ")
    assert len(problem) < 300


def test_the_order_of_documents_does_not_matter() -> None:
    documents = [
        TWO,
        ("again.json", listed(trail(arn("org"), S3BucketName="fake-other-bucket"))),
        ("org-1.json", status() | {"EventSelectors": [{}]}),
        ("org-2.json", status("2026-10-01T00:00:00Z")),
        ("nobody.json", status()),
    ]
    answers = {read_trails(order) for order in itertools.permutations(documents)}
    assert len(answers) == 1


# In words


def test_a_declaring_trail_says_from_which_day_on() -> None:
    assert only(listed(trail()), ALL_EVENTS, status()).in_words() == (
        "trail org-trail (111122223333, home us-east-1) declares all regions from 2026-09-02 on"
    )


def test_every_shortcoming_says_what_to_do() -> None:
    found = only(listed(trail()))
    for one in Shortcoming:
        words = DescribedTrail(
            found.arn,
            found.name,
            found.account_id,
            found.partition,
            found.home_region,
            True,
            False,
            "",
            "",
            None,
            (one,),
        ).in_words()
        assert words.startswith("trail org-trail (111122223333, home us-east-1) declares nothing: ")
        assert words.endswith(")")
        assert "{" not in words


def test_shortcomings_are_listed_in_one_sentence() -> None:
    words = only(listed(trail(IsMultiRegionTrail=False)), status()).in_words()
    assert "it records one region only (" in words
    assert (
        f"; what it records is not known (save `aws cloudtrail get-event-selectors --trail-name {arn()}`" in words
    )


# Recognition and what is kept


@pytest.mark.parametrize(
    "value",
    [listed(), {"Trail": trail()}, {"EventSelectors": []}, {"AdvancedEventSelectors": []}, {"IsLogging": False}],
)
def test_each_output_is_recognized_by_its_content(value: Json) -> None:
    assert is_description(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"Records": []},
        {"trailList": {}},
        {"Trail": {}},
        {"Trail": []},
        {"EventSelectors": None},
        {"IsLogging": 1},
    ],
)
def test_other_objects_are_no_descriptions(value: Json) -> None:
    assert not is_description(value)
    assert essence(value) == {}


def test_the_essence_keeps_only_what_is_read() -> None:
    value = listed(trail(KmsKeyId="arn:aws:kms:us-east-1:111122223333:key/fake")) | {"Owner": "ann"} | status()
    assert essence(value) == listed(trail()) | status()


def test_the_essence_bounds_texts_and_lists() -> None:
    value = listed(*[trail(S3KeyPrefix="x" * 100_000)] * 2000) | status(LatestDeliveryError="x" * 100_000)
    kept = essence(value)
    assert len(kept["trailList"]) == 1000
    assert {len(kept["trailList"][0]["S3KeyPrefix"]), len(kept["LatestDeliveryError"])} == {1024}


# Whatever comes in

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["\ud800", STS, STARTED, "Management", "All", "eventSource", arn(), 1788256800, 10**400])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


MISSING = object()


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects that mostly hold these fields; any of them may be missing or hold something else."""
    mostly = {
        name: st.sampled_from([good] * 8 + [anything, st.just(MISSING)]).flatmap(lambda chosen: chosen)
        for name, good in fields.items()
    }
    return st.fixed_dictionaries(mostly).map(
        lambda made: {name: value for name, value in made.items() if value is not MISSING}
    )


sources = st.lists(st.sampled_from([STS, "kms.amazonaws.com", "s", "sts", ".amazonaws.com", "STS"]), max_size=2)
field_selectors = st.just(MANAGEMENT) | objects(
    Field=st.sampled_from(["eventSource", "readOnly", "eventName", "eventCategory"]),
    Equals=sources | st.just(["true"]),
    NotEquals=sources,
    StartsWith=sources,
    NotEndsWith=sources,
)
trails = objects(
    TrailARN=st.sampled_from([arn(), arn("org")]), IsMultiRegionTrail=st.just(True), S3BucketName=st.just("b")
)
configurations = objects(trailList=st.lists(trails, min_size=1, max_size=2)) | objects(Trail=trails)
selectors_of_both_kinds = objects(
    TrailARN=st.just(arn()),
    EventSelectors=st.lists(
        objects(
            ReadWriteType=st.sampled_from(["All", "ReadOnly"]),
            IncludeManagementEvents=st.just(True),
            ExcludeManagementEventSources=sources,
        ),
        max_size=2,
    ),
    AdvancedEventSelectors=st.lists(objects(FieldSelectors=st.lists(field_selectors, max_size=3)), max_size=2),
)
statuses = objects(
    IsLogging=st.sampled_from([True, True, True, False]),
    StartLoggingTime=st.sampled_from([STARTED, 1788256800.5]),
    LatestDeliveryError=st.just(""),
)
merged = st.tuples(configurations, selectors_of_both_kinds, statuses).map(
    lambda all_three: {name: value for one in all_three for name, value in one.items()}
)
documents_of_any_kind = st.lists(
    st.tuples(
        st.sampled_from(["org.json", "org-trail.json", "x.json", ""]),
        configurations | selectors_of_both_kinds | statuses | merged,
    ),
    max_size=4,
)


@moderately
@given(documents_of_any_kind)
def test_whatever_json_comes_in_nothing_is_declared_but_by_all_three_outputs(documents: list[Document]) -> None:
    found, _ = read_trails(documents)
    values = [value for _, value in documents]
    if any(one.first_day for one in found):
        assert any(isinstance(one.get("trailList"), list) or isinstance(one.get("Trail"), dict) for one in values)
        assert any(
            isinstance(one.get(name), list)
            for one in values
            for name in ("EventSelectors", "AdvancedEventSelectors")
        )
        assert any(one.get("IsLogging") is True for one in values)
    for one in found:
        assert one.in_words().startswith("trail org")


@moderately
@given(documents_of_any_kind)
def test_the_essence_reads_the_same_as_the_description_and_survives_a_store(documents: list[Document]) -> None:
    kept = [(name, json.loads(json.dumps(essence(value), allow_nan=False))) for name, value in documents]
    assert read_trails(kept) == read_trails(documents)
    assert [essence(value) for _, value in kept] == [value for _, value in kept]
    assert [is_description(value) for _, value in kept] == [is_description(value) for _, value in documents]
    assert all(json.dumps(value, ensure_ascii=False).encode() for _, value in kept)


# Selectors against the events that AWS would match with them

EVENTS = [
    {"eventCategory": "Management", "eventSource": STS, "readOnly": read, "eventName": name}
    for read in ("true", "false")
    for name in ("AssumeRole", "GetSessionToken")
]
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "NotEquals": str.__eq__,
    "NotStartsWith": str.startswith,
    "NotEndsWith": str.endswith,
}


def matches(event: dict[str, str], field: Json) -> bool:
    """Whether an event meets a field selector: API reference, `AdvancedFieldSelector`."""
    for name, values in field.items():
        if name != "Field":
            is_any = any(OPERATORS[name](event[field["Field"]], value) for value in values)
            if is_any == name.startswith("Not"):
                return False
    return True


fields_in_use = st.one_of(
    st.just(MANAGEMENT),
    st.sampled_from(["true", "false"]).map(read_only),
    st.just({"Field": "eventName", "NotEquals": ["AssumeRole"]}),
    st.dictionaries(
        st.sampled_from(list(OPERATORS)),
        st.lists(
            st.sampled_from([STS, "ec2.amazonaws.com", "s", "e", "sts.", ".amazonaws.com"]), min_size=1, max_size=2
        ),
        min_size=1,
        max_size=2,
    ).map(lambda operators: source(**operators)),
)


@moderately
@given(st.lists(st.lists(fields_in_use, max_size=3).map(lambda fields: [MANAGEMENT, *fields]), max_size=3))
def test_what_a_trail_declares_and_denies_of_sts_is_what_its_selectors_match(selectors: list[list[Json]]) -> None:
    recorded = [
        event for event in EVENTS if any(all(matches(event, field) for field in fields) for fields in selectors)
    ]
    found = only(listed(trail()), advanced(*selectors), status())
    if found.first_day:
        assert recorded == EVENTS
    if not found.sees_sts:
        assert not [event for event in recorded if event["readOnly"] == "true"]
