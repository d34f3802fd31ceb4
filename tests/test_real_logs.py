"""Log files that nobody here wrote. They lie outside the repository, so these tests skip where they are absent."""

from pathlib import Path

import pytest
from trail import run

REAL_LOGS = Path(__file__).parents[2] / "shared" / "real_logs"

pytestmark = pytest.mark.skipif(not REAL_LOGS.is_dir(), reason="the real log files are not here")


def test_all_records_of_the_real_files_are_kept(tmp_path: Path) -> None:
    code, answer = run("analyze", REAL_LOGS, "--min-days", "1", out=tmp_path)
    assert code == 0
    assert answer["balance"]["records"] == {
        "seen": 2900,
        "kept": 2900,
        "duplicate": 0,
        "skipped": 0,
        "rejected": 0,
    }


def test_the_calls_of_the_real_files_are_told_apart_by_endpoint(tmp_path: Path) -> None:
    _, answer = run("analyze", REAL_LOGS, "--min-days", "1", out=tmp_path)
    rows = {
        (row["endpoint"], row["region"]): (
            row["calls"],
            row["issuing_calls"],
            row["service_calls"],
            row["failed_calls"],
            row["non_issuing_calls"],
            {rule: count for rule, count in row["evidence"].items() if count},
        )
        for row in answer["usage"]
    }
    assert rows == {
        ("global", None): (13, 0, 0, 0, 13, {"host": 13}),
        ("regional", "us-east-1"): (25, 10, 0, 13, 2, {"host": 25}),
        ("unknown", None): (26, 26, 26, 0, 0, {"none": 26}),
    }


def test_one_region_of_real_logs_cannot_tell_about_the_sixteen_others(tmp_path: Path) -> None:
    _, answer = run("analyze", REAL_LOGS, "--min-days", "1", out=tmp_path)
    rows = [row for row in answer["verdicts"] if row["toggle"] == "yes"]
    assert len(rows) == 16
    assert {(row["account_id"], row["verdict"], *row["reasons"]) for row in rows} == {
        ("123837392027", "cannot_tell", "coverage_gap")
    }
