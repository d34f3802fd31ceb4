"""Only those prefixes of a bucket are listed that can hold what is wanted, and what is left out is said."""

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, key

from analyzer.sources.s3_layout import Listing, Plan, Wanted, date_listings, survey

THIRD_ACCOUNT = "777788889999"
LOGS = f"AWSLogs/{ACCOUNT}/CloudTrail"
REGION = f"{LOGS}/eu-west-1/"


def plan(keys: Iterable[str], prefix: str = "", wanted: Wanted | None = None) -> tuple[Plan, list[str]]:
    """The plan for a bucket with these keys, and the prefixes whose folders were asked for on the way."""
    asked: list[str] = []
    conversation = survey(prefix, wanted or Wanted())
    answers: dict[str, Sequence[str]] | None = None
    while True:
        try:
            questions = next(conversation) if answers is None else conversation.send(answers)
        except StopIteration as end:
            result: Plan = end.value
            return result, asked
        asked += questions
        answers = {question: folders(keys, question) for question in questions}


def folders(keys: Iterable[str], prefix: str) -> list[str]:
    below = {name[len(prefix) :] for name in keys if name.startswith(prefix)}
    return sorted({name.partition("/")[0] for name in below if "/" in name})


def listed(keys: Iterable[str], prefix: str = "", wanted: Wanted | None = None) -> list[str]:
    """The prefixes to list, with `>` before the key a listing begins after."""
    found, _ = plan(keys, prefix, wanted)
    return [f"{one.prefix}>{one.after}" if one.after else one.prefix for one in found.listings]


def skipped(keys: Iterable[str], prefix: str = "", wanted: Wanted | None = None) -> dict[str, str]:
    found, _ = plan(keys, prefix, wanted)
    return {folder.prefix: folder.kind for folder in found.skipped}


# Where the trail is


def test_without_filters_every_region_folder_of_logs_and_digests_is_listed_whole() -> None:
    keys = [
        key(),
        key(region="us-east-1"),
        key(account=OTHER_ACCOUNT),
        key().replace("CloudTrail/", "CloudTrail-Digest/"),
    ]
    assert listed(keys) == [
        f"{LOGS}/eu-west-1/",
        f"{LOGS}/us-east-1/",
        f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/",
        f"AWSLogs/{OTHER_ACCOUNT}/CloudTrail/eu-west-1/",
    ]


def test_the_folders_of_an_organization_trail_are_gone_through() -> None:
    keys = [f"AWSLogs/o-exampleorg/{key()[8:]}", key(account=OTHER_ACCOUNT)]
    assert listed(keys) == [
        f"AWSLogs/{OTHER_ACCOUNT}/CloudTrail/eu-west-1/",
        f"AWSLogs/o-exampleorg/{ACCOUNT}/CloudTrail/eu-west-1/",
    ]


def test_several_trails_in_one_bucket_are_all_found() -> None:
    keys = [key(), f"audit/{key()}", f"team/a/{key()}", f"team/b/{key()}"]
    assert listed(keys) == [f"{front}{REGION}" for front in ("", "audit/", "team/a/", "team/b/")]


@pytest.mark.parametrize(
    "prefix", ["team/", "team/a/", "team/a/AWSLogs/", f"team/a/AWSLogs/{ACCOUNT}/", f"team/a/{LOGS}/"]
)
def test_the_prefix_may_lead_anywhere_into_the_layout(prefix: str) -> None:
    keys = [f"team/a/{key()}", key(account=OTHER_ACCOUNT)]
    assert listed(keys, prefix) == [f"team/a/{REGION}"]


@pytest.mark.parametrize(
    ("below", "prefixes"),
    [
        ("", [REGION]),
        ("2026/", [f"{REGION}2026/"]),
        ("2026/10/", [f"{REGION}2026/10/"]),
        ("2026/10/01/", [f"{REGION}2026/10/01/"]),
    ],
)
def test_a_prefix_of_a_region_or_a_date_is_listed_without_looking_for_folders(
    below: str, prefixes: list[str]
) -> None:
    found, asked = plan([key()], REGION + below)
    assert [one.prefix for one in found.listings] == prefixes
    assert asked == []


def test_a_prefix_that_the_filters_exclude_is_not_listed() -> None:
    assert listed([key()], REGION, Wanted(accounts=frozenset({OTHER_ACCOUNT}))) == []
    assert listed([key()], REGION, Wanted(regions=frozenset({"eu-north-1"}))) == []
    assert listed([key()], f"{REGION}2026/10/", Wanted(since=date(2026, 11, 2))) == []


def test_without_the_layout_everything_below_the_prefix_is_listed() -> None:
    keys = ["copies/a.json.gz", "copies/deep/b.json.gz", "other/c.json"]
    assert listed(keys, "copies/") == ["copies/"]
    assert listed(keys) == [""]


def test_a_prefix_that_could_not_be_asked_about_is_not_listed_whole_instead() -> None:
    conversation = survey("", Wanted())
    assert next(conversation) == [""]
    with pytest.raises(StopIteration) as end:
        conversation.send({})
    assert list(end.value.value.listings) == []


def test_a_folder_below_a_trail_that_is_laid_out_otherwise_is_listed_when_it_is_named() -> None:
    assert listed([], f"{REGION}2026/10/01/extra/") == [f"{REGION}2026/10/01/extra/"]


def test_an_empty_segment_in_front_of_the_trail_stays_in_the_prefix() -> None:
    assert listed([f"logs//{key()}"]) == [f"logs//{REGION}"]


# What is left out


def test_folders_of_other_kinds_and_services_are_named_and_not_looked_into() -> None:
    others = ["CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated", "vpcflowlogs"]
    keys = [key(), *(key().replace("CloudTrail/", f"{kind}/") for kind in others)]
    found, asked = plan(keys)
    assert [one.prefix for one in found.listings] == [REGION]
    assert {folder.prefix: folder.kind for folder in found.skipped} == {
        f"AWSLogs/{ACCOUNT}/{kind}/": "other" if kind == "vpcflowlogs" else kind for kind in others
    }
    assert not any(kind in prefix for kind in others for prefix in asked)


def test_an_insight_folder_is_not_listed_even_when_it_is_named() -> None:
    prefix = f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/"
    assert listed([f"{prefix}eu-west-1/2026/10/01/a.json.gz"], prefix) == []
    assert skipped([], f"{prefix}eu-west-1/") == {f"{prefix}eu-west-1/": "CloudTrail-Insight"}


def test_folders_beside_a_trail_that_hold_none_are_named() -> None:
    keys = [key(), "athena/results/a.csv", f"team/a/{key()}", "team/notes/x/y.txt"]
    assert skipped(keys) == {"athena/": "no_trail", "team/notes/": "no_trail"}


def test_the_search_for_trails_ends_after_many_folders_and_says_where() -> None:
    keys = [key(), *(f"data-{number:04}/part/file" for number in range(600))]
    found, asked = plan(keys)
    assert [one.prefix for one in found.listings] == [REGION]
    assert len(asked) < 510
    assert {folder.prefix: folder.kind for folder in found.skipped}["data-0599/"] == "not_searched"


def test_a_trail_whose_accounts_are_all_filtered_out_is_not_said_to_be_missing() -> None:
    keys = [key(), f"team/{key(account=OTHER_ACCOUNT)}"]
    assert skipped(keys, wanted=Wanted(accounts=frozenset({ACCOUNT}))) == {}


# Accounts and regions


def test_only_the_folders_of_the_accounts_asked_for_are_looked_into() -> None:
    keys = [key(account=account) for account in (ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT)]
    found, asked = plan(keys, wanted=Wanted(accounts=frozenset({OTHER_ACCOUNT})))
    assert [one.prefix for one in found.listings] == [f"AWSLogs/{OTHER_ACCOUNT}/CloudTrail/eu-west-1/"]
    assert not any(ACCOUNT in prefix or THIRD_ACCOUNT in prefix for prefix in asked)


def test_with_regions_the_folder_of_calls_to_the_global_endpoint_is_read_too() -> None:
    keys = [key(region=region) for region in ("eu-west-1", "eu-north-1", "us-east-1")]
    assert listed(keys, wanted=Wanted(regions=frozenset({"eu-west-1"}))) == [
        f"{LOGS}/eu-west-1/",
        f"{LOGS}/us-east-1/",
    ]


# Days


def test_with_days_only_their_folders_are_listed_and_the_one_after_for_late_delivery() -> None:
    wanted = Wanted(since=date(2026, 10, 1), until=date(2026, 10, 3))
    assert listed([key()], wanted=wanted) == [f"{REGION}2026/10/{day}/" for day in ("01", "02", "03")]


def test_late_delivery_reaches_over_the_end_of_a_year() -> None:
    wanted = Wanted(since=date(2026, 12, 31), until=date(2027, 1, 1))
    assert listed([key()], wanted=wanted) == [f"{REGION}2026/12/31/", f"{REGION}2027/01/01/"]


def test_whole_months_are_one_listing_and_the_rest_of_a_month_begins_at_its_day() -> None:
    wanted = Wanted(since=date(2026, 7, 30), until=date(2026, 10, 2))
    assert listed([key()], wanted=wanted) == [
        f"{REGION}2026/07/>{REGION}2026/07/30",
        f"{REGION}2026/08/",
        f"{REGION}2026/09/",
        f"{REGION}2026/10/01/",
        f"{REGION}2026/10/02/",
    ]


def test_without_an_end_one_listing_begins_at_the_first_day() -> None:
    assert listed([key()], wanted=Wanted(since=date(2026, 7, 30))) == [f"{REGION}>{REGION}2026/07/30"]


def test_a_prefix_of_a_month_is_narrowed_to_the_days_asked_for() -> None:
    wanted = Wanted(since=date(2026, 10, 30), until=date(2027, 3, 1))
    assert listed([key()], f"{REGION}2026/10/", wanted) == [f"{REGION}2026/10/>{REGION}2026/10/30"]


@pytest.mark.parametrize("seed", range(40))
def test_the_listings_of_days_give_each_day_in_them_once_and_no_other(seed: int) -> None:
    chance = random.Random(seed)
    first = date(2023, 1, 1) + timedelta(days=chance.randrange(900))
    last = first + timedelta(days=chance.choice([0, 1, 27, 30, 31, 90, 365, 366, 800]))
    days = [date(2022, 1, 1) + timedelta(days=number) for number in range(2200)]
    listings = list(date_listings("r/", first, last))
    given = [day for one in listings for day in days if is_given(one, f"r/{day:%Y/%m/%d}/file")]
    assert given == [day for day in days if first <= day <= last]
    assert len(listings) <= 50


def is_given(listing: Listing, name: str) -> bool:
    """What S3 does with a prefix and a key to start after."""
    return name.startswith(listing.prefix) and name > listing.after


def test_days_before_a_folder_was_settled_are_not_listed_again() -> None:
    other = f"{LOGS}/us-east-1/"
    wanted = Wanted(settled={REGION: date(2026, 10, 5)})
    assert listed([key(), key(region="us-east-1")], wanted=wanted) == [f"{REGION}>{REGION}2026/10/05", other]


def test_a_folder_whose_days_are_all_settled_is_not_listed() -> None:
    wanted = Wanted(until=date(2026, 10, 2), settled={REGION: date(2026, 10, 5)})
    assert listed([key()], wanted=wanted) == []


def test_the_extents_tell_folder_and_days() -> None:
    wanted = Wanted(since=date(2026, 10, 1), until=date(2026, 10, 2))
    found, _ = plan([key()], wanted=wanted)
    (extent,) = found.extents
    assert (extent.folder, extent.first, extent.last) == (REGION, date(2026, 10, 1), date(2026, 10, 2))
