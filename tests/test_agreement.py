"""Every command counts the same calls: figures add up across commands, on the sample and on real logs."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from trail import run

from analyzer.cli import command_line

ROOT = Path(__file__).parents[1]
REAL_LOGS = ROOT.parent / "shared" / "real_logs"
FIGURES = ("calls", "issuing_calls", "service_calls", "failed_calls", "non_issuing_calls")
Place = tuple[str, str, str | None, str | None]


class Answers:
    """What each command says of one store."""

    def __init__(self, logs: Path, folder: Path) -> None:
        store = folder / "store"
        command_line(["ingest", str(logs), "--store", str(store)])

        def ask(*command: str) -> Any:
            return run(*command, "--store", store, out=folder)[1]

        self.report = ask("report", "--min-days", "1")
        self.usage = ask("usage")["usage"]
        self.by_day = ask("usage", "--by", "day")["usage"]
        self.callers = ask("callers")["callers"]
        self.coverage = ask("coverage")
        toggleable = sorted({row["region"] for row in self.report["verdicts"] if row["toggle"] == "yes"})
        self.simulation = ask("simulate", "--deactivate", ",".join(toggleable))
        self.plan = folder / "plan"
        command_line(["plan", "--store", str(store), "--min-days", "1", "--out", str(self.plan)])


@pytest.fixture(scope="module", params=["sample_logs", "real_logs"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    logs = {"sample_logs": ROOT / "sample_logs", "real_logs": REAL_LOGS}[request.param]
    if not logs.is_dir():
        pytest.skip("the real logs are not beside this checkout")
    return Answers(logs, tmp_path_factory.mktemp(str(request.param)))


def sums(rows: list[dict[str, Any]]) -> dict[Place, Counter[str]]:
    found: dict[Place, Counter[str]] = {}
    for row in rows:
        place = row["account_id"], row["endpoint"], row["region"], row["serving_region"]
        counter = found.setdefault(place, Counter())
        counter.update({name: row[name] for name in FIGURES})
    return found


def test_usage_says_what_the_report_says(answers: Answers) -> None:
    assert sums(answers.usage) == sums(answers.report["usage"])


def test_days_add_up_to_the_window(answers: Answers) -> None:
    assert sums(answers.by_day) == sums(answers.usage)


def test_callers_add_up_to_usage(answers: Answers) -> None:
    assert sums(answers.callers) == sums(answers.usage)


def test_verdict_rows_carry_the_figures_of_their_regional_endpoint(answers: Answers) -> None:
    regional = {
        (place[0], place[2]): counts for place, counts in sums(answers.usage).items() if place[1] == "regional"
    }
    for row in answers.report["verdicts"]:
        counts = regional.get((row["account_id"], row["region"]), Counter())
        assert row["issuing_calls"] == counts["issuing_calls"]
        assert row["failed_calls"] == counts["failed_calls"]
        assert row["non_issuing_calls"] == counts["non_issuing_calls"]


def test_deactivating_everything_refuses_every_issuing_call_of_what_can_be_deactivated(answers: Answers) -> None:
    lost = sum(row["issuing_calls"] for row in answers.report["verdicts"] if row["toggle"] == "yes")
    assert answers.simulation["refused_calls"] == lost


def test_coverage_has_the_days_of_the_verdicts(answers: Answers) -> None:
    shown = {(row["account_id"], row["region"]): row for row in answers.coverage["coverage"]}
    for row in answers.report["verdicts"]:
        of_days = shown[row["account_id"], row["region"]]
        assert {name: of_days[name] for name in row["coverage"]} == row["coverage"]


def test_the_plan_decides_what_the_report_decides(answers: Answers) -> None:
    verdicts = {(row["account_id"], row["region"]): row for row in answers.report["verdicts"]}
    decided = {}
    for path in answers.plan.glob("*/decisions.csv"):
        for row in csv.DictReader(path.read_text().splitlines()):
            decided[row["account_id"], row["region"]] = (row["verdict"], int(row["issuing_calls"]))
    assert decided == {place: (row["verdict"], row["issuing_calls"]) for place, row in verdicts.items()}
