"""The four outputs, byte for byte. STS_REGIONS_UPDATE_GOLDEN=1 writes the files anew; read the difference."""

import os
from pathlib import Path

import pytest

from analyzer.cli import command_line

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
REGIONS = ("eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-1", "ap-south-1", "eu-central-1")
SUFFIXES = {"table": "txt", "json": "json", "csv": "csv", "markdown": "md"}


def check(name: str, actual: bytes) -> None:
    path = GOLDEN / name
    if os.environ.get("STS_REGIONS_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(actual)
    assert actual == path.read_bytes()


@pytest.mark.parametrize("form", SUFFIXES)
def test_the_report_is_written_as_it_was(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    regions = [part for region in REGIONS for part in ("--region", region)]
    out = tmp_path / "report"
    command_line(
        ["analyze", "sample_logs/AWSLogs", "--min-days", "14", *regions, "--output", form, "--out", str(out)]
    )
    check(f"report.{SUFFIXES[form]}", out.read_bytes())
    check("stderr.txt", capsys.readouterr().err.encode())


@pytest.mark.parametrize("form", SUFFIXES)
def test_usage_is_written_as_it_was(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = tmp_path / "usage"
    command_line(["usage", "sample_logs/AWSLogs", "--output", form, "--out", str(out)])
    check(f"usage.{SUFFIXES[form]}", out.read_bytes())


@pytest.mark.parametrize("form", SUFFIXES)
def test_callers_are_written_as_they_were(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = tmp_path / "callers"
    command_line(["callers", "sample_logs/AWSLogs", "--output", form, "--out", str(out)])
    check(f"callers.{SUFFIXES[form]}", out.read_bytes())


@pytest.mark.parametrize("form", SUFFIXES)
def test_the_catalogue_is_written_as_it_was(form: str, tmp_path: Path) -> None:
    out = tmp_path / "endpoints"
    regions = ("us-east-1", "eu-west-1", "af-south-1", "us-gov-west-1", "xx-new-1")
    selected = [part for region in regions for part in ("--region", region)]
    command_line(["endpoints", *selected, "--output", form, "--out", str(out)])
    check(f"endpoints.{SUFFIXES[form]}", out.read_bytes())
