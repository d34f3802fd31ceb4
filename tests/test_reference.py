"""The product and its judge, tests/reference.py, give the same rows; and the judge is one that can find fault.

`python -m soak.judge` does the same over any number of organizations.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import reference
import reference_coverage
import reference_files
from organizations import Organization, organization
from soak.judge import answered, differences, judged, main, product_report

SEEDS = range(20)
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Drawn:
    """An organization on disk, and what the judge says of it."""

    asked: Organization
    folder: Path
    answer: Any


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Drawn]:
    @cache
    def drawn(seed: int) -> Drawn:
        asked, folder = organization(seed), tmp_path_factory.mktemp("organization")
        asked.write(folder)
        return Drawn(asked, folder, judged(asked, folder))

    return drawn


# The product against the judge


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_organization_gives_the_same_rows(seed: int, draw: Callable[[int], Drawn]) -> None:
    drawn = draw(seed)
    assert [*differences(drawn.answer, answered(drawn.asked, drawn.folder))] == []


@pytest.mark.parametrize(
    "logs", [ROOT / "sample_logs", ROOT.parent / "shared" / "real_logs"], ids=["sample", "real"]
)
def test_logs_of_another_hand_give_the_same_rows(logs: Path, tmp_path: Path) -> None:
    if not logs.is_dir():
        pytest.skip("the real logs are not beside this checkout")
    product = product_report(logs, ["--min-days", "14"], tmp_path)
    assert [*differences(reference.report(logs, min_days=14), product)] == []


# The judge itself


def test_an_organization_is_the_same_whenever_it_is_drawn() -> None:
    assert organization(7) == organization(7)


def test_the_organizations_reach_every_verdict_reason_level_and_evidence(draw: Callable[[int], Drawn]) -> None:
    reached: set[str] = set()
    for seed in range(3 * len(SEEDS)):
        answer = draw(seed).answer
        for row in answer["verdicts"]:
            reached |= {row["verdict"], *row["reasons"], *(name for name, days in row["coverage"].items() if days)}
        for row in answer["usage"]:
            reached |= {row["endpoint"], *(f"by {rule}" for rule, calls in row["evidence"].items() if calls)}
    assert reached == {
        *reference.RULES,
        *reference.REASONS,
        *reference_coverage.LEVELS,
        *("days", "global", "regional", "unknown"),
        *("by endpoint_type", "by host", "by aws_region", "by token", "by none"),
    }


Wrong = tuple[Any, str, Callable[..., Any]]


def always(value: object) -> Callable[..., object]:
    return lambda *_: value


WRONG: dict[str, Wrong] = {
    "nothing is told by the name of a file": (reference_files.Key, "of", always(None)),
    "hosts are not read": (reference, "endpoint_of_host", always(None)),
    "what looks strange is a region": (reference, "is_region", bool),
    "copies are calls of their own": (reference, "calls_of", lambda events, _: events),
    "the recipient owns the credentials": (reference, "owning_account", lambda call: call["recipient"]),
    "invokedBy is overlooked": (reference, "is_made_by_service", lambda event: event["identity"] == "AWSService"),
    "sessions are principals": (reference, "principal", lambda call: call["arn"] or "unknown"),
    "failed writes are activity": (reference, "is_activity", lambda event: event["read_only"] is False),
    "altered digests prove": (reference_coverage, "_altered", always(set())),
    "listed files are not looked at": (reference_coverage, "_is_as_delivered", always(True)),
    "selectors are not read": (reference_coverage, "_records", always(True)),
    "nobody declares for others": (reference_coverage, "_declared_accounts", lambda trail, _: {trail.account}),
    "every day is seen": (reference_coverage.Coverage, "level", always("inferred")),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_judge_with_a_wrong_rule_is_noticed(
    wrong: Wrong, draw: Callable[[int], Drawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    organizations = [draw(seed) for seed in SEEDS]
    monkeypatch.setattr(*wrong)
    assert any([*differences(one.answer, judged(one.asked, one.folder))] for one in organizations)


def test_every_field_and_row_that_differs_is_named(draw: Callable[[int], Drawn]) -> None:
    right, wrong = draw(0).answer, deepcopy(draw(0).answer)
    wrong["verdicts"][0]["coverage"]["none"] += 1
    lost = wrong["verdicts"].pop(1)
    wrong["window"]["days"] = None
    found = [*differences(right, wrong)]
    assert len(found) == 3
    assert lost["region"] in found[1]


def test_rows_in_another_order_or_twice_are_a_difference(draw: Callable[[int], Drawn]) -> None:
    right = draw(0).answer
    first, *others = right["verdicts"]
    for rows in ([*others, first], [first, *right["verdicts"]]):
        assert len([*differences(right, right | {"verdicts": rows})]) == 1


def test_the_campaign_names_the_seed_of_a_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "stamp", always("never"))
    assert main(["--runs", "1", "--seed", "5"]) == 1
    told = capsys.readouterr().out
    assert "seed 5:" in told
    assert "python -m soak.judge --runs 1 --show --seed 5" in told
