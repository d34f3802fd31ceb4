"""What the documents show is what the product does."""

import re
import shlex
from pathlib import Path

import pytest

from analyzer.cli import command_line
from analyzer.decoding.outcome import REMEDIES, SKIP_REASONS
from analyzer.errors import ExitCode
from analyzer.verdicts import Reason, Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def shown_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@pytest.fixture
def newcomers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sample_logs").symlink_to(ROOT / "sample_logs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_stays_under_200_lines() -> None:
    assert len(README.splitlines()) < 200


def test_every_command_of_the_readme_runs(newcomers_folder: Path) -> None:
    for command in shown_commands():
        program, *arguments = shlex.split(command)
        assert program == "sts-regions"
        assert command_line(arguments) in (ExitCode.OK, ExitCode.INPUT_REJECTED), command
    assert (newcomers_folder / "verdicts.csv").read_text().startswith("account_id,")


def test_the_python_example_of_the_readme_runs(newcomers_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - the README's own code
    assert capsys.readouterr().out == "20 endpoints may be deactivated\n"


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
        "query",
        "show",
        "endpoints",
    )
    for command in commands:
        command_line([command, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    own = re.sub(r"^    aws .*$", "", "\n".join([README, *DOCS.values()]), flags=re.MULTILINE)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own))
    assert named <= known


def test_every_reason_and_verdict_is_explained() -> None:
    rules = DOCS["verdicts.md"]
    assert [word for word in [*Verdict, *Reason] if f"`{word}`" not in rules] == []


def test_every_skip_and_rejection_is_explained() -> None:
    described = DOCS["input.md"]
    own_words = {"no_records", "unexpected_type"}
    missing = [r for r in [*REMEDIES, *SKIP_REASONS] if f"`{r}`" not in described and r not in own_words]
    assert missing == []
