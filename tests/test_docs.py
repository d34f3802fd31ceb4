"""What the documents show is what the product does."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.caller_advice import Fix
from analyzer.caller_report import CALLERS
from analyzer.cli import command_line
from analyzer.comparison import ChangeKind
from analyzer.decoding.outcome import REMEDIES, SKIP_REASONS
from analyzer.errors import ExitCode
from analyzer.findings import FailOn
from analyzer.verdicts import Reason, Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def shown_commands(document: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", document, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@pytest.fixture
def newcomers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sample_logs").symlink_to(ROOT / "sample_logs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_stays_under_200_lines() -> None:
    assert len(README.splitlines()) < 200


def test_every_command_of_the_readme_runs(newcomers_folder: Path) -> None:
    for command in shown_commands(README):
        program, *arguments = shlex.split(command)
        assert program == "sts-regions"
        assert command_line(arguments) in (ExitCode.OK, ExitCode.INPUT_REJECTED), command
    assert (newcomers_folder / "verdicts.csv").read_text().startswith("account_id,")


def test_every_command_of_the_page_about_the_html_report_runs(newcomers_folder: Path) -> None:
    for command in shown_commands(DOCS["report.md"]):
        assert command_line(shlex.split(command)[1:]) in (ExitCode.OK, ExitCode.INPUT_REJECTED), command
    for name in ("report.html", "by-name.html", "one-account.html"):
        assert "111122223333" in (newcomers_folder / name).read_text()


def test_the_pictures_of_the_documents_are_small() -> None:
    pictures = list((ROOT / "docs").glob("*.png"))
    assert len(pictures) == 2
    assert max(picture.stat().st_size for picture in pictures) < 150_000


def test_the_python_example_of_the_readme_runs(newcomers_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - the README's own code
    assert capsys.readouterr().out == "20 endpoints may be deactivated\n"


def test_the_watch_script_of_the_documents_runs_and_ends_in_its_findings(newcomers_folder: Path) -> None:
    watching = DOCS["watching.md"]
    (script,) = re.findall(r"```bash\n(.*?)```", watching, re.DOTALL)
    (exceptions,) = re.findall(r"```toml\n(.*?)```", watching, re.DOTALL)
    (newcomers_folder / "watch.sh").write_text(script)
    (newcomers_folder / "exceptions.toml").write_text(exceptions)
    command_line(["ingest", "sample_logs", "--store", "store"])
    command_line(["report", "--store", "store", "--until", "2026-10-08", "--out", "baseline.json"])
    program = newcomers_folder / "bin" / "sts-regions"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -m analyzer "$@"\n')
    program.chmod(0o755)
    days = {"SINCE": "2026-10-01", "UNTIL": "2026-10-15"}
    environment = {**os.environ, **days, "LOGS": "sample_logs", "STORE": "store"}
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(["bash", "watch.sh"], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    assert b"finding (region-disabled): 777788889999 us-east-2" in done.stderr
    assert b"finding (global): 444455556666" not in done.stderr
    assert "Since baseline.json" in (newcomers_folder / "report.md").read_text()


def test_every_kind_of_change_and_finding_is_explained() -> None:
    assert [word for word in [*ChangeKind, *FailOn] if f"`{word}`" not in DOCS["watching.md"]] == []


def test_the_output_shown_in_the_readme_is_what_the_demo_prints(
    newcomers_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    command_line(["analyze", "sample_logs", "--min-days", "14"])
    printed = capsys.readouterr().out.splitlines()
    for line in shown.splitlines():
        assert any(real.startswith(line.removesuffix(" …")) for real in printed), line


def test_every_option_that_the_documents_name_exists(capsys: pytest.CaptureFixture[str]) -> None:
    commands = (
        "analyze",
        "ingest",
        "report",
        "coverage",
        "simulate",
        "plan",
        "usage",
        "callers",
        "query",
        "show",
        "endpoints",
        "store check",
        "store prune",
        "store compact",
    )
    for command in commands:
        command_line([*command.split(), "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    own = re.sub(r"^    aws .*$", "", "\n".join([README, *DOCS.values()]), flags=re.MULTILINE)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own))
    assert named <= known


def test_every_reason_and_verdict_is_explained() -> None:
    rules = DOCS["verdicts.md"]
    assert [word for word in [*Verdict, *Reason] if f"`{word}`" not in rules] == []


def test_every_field_and_every_fix_of_a_caller_is_explained() -> None:
    assert [word for word in [*CALLERS.names, *Fix] if f"`{word}`" not in DOCS["callers.md"]] == []


def test_every_skip_and_rejection_is_explained() -> None:
    described = DOCS["input.md"]
    own_words = {"no_records", "unexpected_type"}
    missing = [r for r in [*REMEDIES, *SKIP_REASONS] if f"`{r}`" not in described and r not in own_words]
    assert missing == []
