"""The fictional organization: it can be made again, holds nothing real, and shows everything it promises."""

import gzip
import runpy
from pathlib import Path
from typing import Any

import pytest
from trail import run

SAMPLE = Path(__file__).parents[1] / "sample_logs"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    code, answer = run("analyze", SAMPLE, "--min-days", "14", out=tmp_path_factory.mktemp("report"))
    assert code == 4
    found: dict[str, Any] = answer
    return found


def generated(root: Path) -> list[Path]:
    """Logs, digests and trail descriptions."""
    return [path for folder in ("AWSLogs", "trail") for path in (root / folder).rglob("*") if path.is_file()]


def content(path: Path) -> bytes:
    """What a file says; a log file that was cut on purpose is compared as it is."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except EOFError:
        return path.read_bytes()[:10]


def test_the_generator_writes_the_same_files_again(tmp_path: Path) -> None:
    runpy.run_path(str(SAMPLE / "generate.py"))["generate"](tmp_path)
    made = {path.relative_to(tmp_path): content(path) for path in generated(tmp_path)}
    kept = {path.relative_to(SAMPLE): content(path) for path in generated(SAMPLE)}
    assert made == kept


def test_the_sample_is_small() -> None:
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert 200 < len(files) < 2_000
    assert sum(path.stat().st_size for path in files) < 2_000_000


def test_every_session_token_in_it_is_obviously_fake() -> None:
    for path in SAMPLE.rglob("*.gz"):
        text = content(path)
        assert text.count(b'"sessionToken"') == text.count(b"FAKE-NOT-A-TOKEN")


def test_it_shows_every_verdict(report: dict[str, Any]) -> None:
    verdicts = {row["verdict"] for row in report["verdicts"]}
    assert verdicts == {"fixed", "inactive", "keep", "review", "cannot_tell", "deactivate"}


def test_it_shows_every_level_of_coverage(report: dict[str, Any]) -> None:
    quiet = {row["confidence"] for row in report["verdicts"] if row["verdict"] in ("deactivate", "cannot_tell")}
    assert quiet == {"proven", "declared", "inferred", "none"}


def test_it_shows_every_kind_of_evidence(report: dict[str, Any]) -> None:
    shown = {rule for row in report["usage"] for rule, count in row["evidence"].items() if count}
    assert shown == {"endpoint_type", "host", "aws_region", "token", "none"}


def test_it_shows_every_way_to_a_review(report: dict[str, Any]) -> None:
    deciding = {row["reasons"][0] for row in report["verdicts"] if row["verdict"] == "review"}
    assert deciding == {
        "service_calls_only",
        "failed_calls",
        "unknown_operations",
        "serves_global_calls",
        "other_activity",
    }


def test_its_balance_shows_a_broken_file_a_duplicate_and_odd_records(report: dict[str, Any]) -> None:
    balance = report["balance"]
    assert balance["files"]["rejected"] == 1
    assert balance["records"] == {"seen": 682, "kept": 673, "duplicate": 2, "skipped": 5, "rejected": 2}
