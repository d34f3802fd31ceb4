"""The command line: help, formats, exit codes, and what goes where."""

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trail import key, record, run, start, write_tree

from analyzer.cli import command_line


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "logs", {key(): [record()]})


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    import analyzer

    assert command_line(["--version"]) == 0
    assert capsys.readouterr().out == f"sts-regions {analyzer.__version__}\n"


@pytest.mark.parametrize("command", ["analyze", "ingest", "report", "usage", "query", "show", "endpoints"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line([command, "--help"]) == 0
    assert f"sts-regions {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["analyze"],
        ["analyze", ".", "--output", "xml"],
        ["analyze", ".", "--since", "yesterday"],
        ["analyze", ".", "--since", "2026-10-01T12:00:00Z"],
        ["analyze", ".", "--since", "2026-10-02", "--until", "2026-10-01"],
        ["usage"],
        ["report"],
    ],
)
def test_arguments_that_cannot_be_carried_out_end_in_exit_code_2(arguments: list[str]) -> None:
    assert command_line(arguments) == 2


def test_a_usage_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    command_line(["analyze", ".", "--since", "yesterday"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "--since" in captured.err


def test_a_clean_run_ends_in_exit_code_0(logs: Path) -> None:
    assert command_line(["analyze", str(logs)]) == 0


def test_rejected_input_ends_in_exit_code_4(logs: Path) -> None:
    assert command_line(["analyze", str(logs), str(logs / "missing")]) == 4


def test_stdout_is_data_and_stderr_is_narration(logs: Path) -> None:
    done = start("analyze", logs, "--output", "json")
    assert json.loads(done.stdout)["schema_version"] == 1
    assert done.stderr.decode().startswith("sts-regions: 1 file seen: 1 ingested; 1 record seen: 1 kept")


def test_nothing_is_drawn_when_piped(logs: Path) -> None:
    done = start("analyze", logs)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr


def test_out_writes_a_file_in_the_format_of_its_suffix(logs: Path, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.csv"
    assert command_line(["analyze", str(logs), "--out", str(out)]) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {row["verdict"] for row in rows if row["region"] == "eu-west-1"} == {"keep"}


def test_an_out_that_cannot_be_written_is_one_line(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["endpoints", "--out", str(logs / "no" / "such" / "dir.csv")]) == 1
    assert "choose another --out" in capsys.readouterr().err


def test_csv_markdown_and_json_hold_the_same_verdicts(logs: Path, tmp_path: Path) -> None:
    _, answer = run("analyze", logs, out=tmp_path)
    for suffix in ("csv", "md"):
        command_line(["analyze", str(logs), "--out", str(tmp_path / f"r.{suffix}")])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text())))
    lines = [line for line in (tmp_path / "r.md").read_text().splitlines() if line.startswith("| 1")]
    wanted = [(row["account_id"], row["region"], row["verdict"]) for row in answer["verdicts"]]
    assert [(row["account_id"], row["region"], row["verdict"]) for row in rows] == wanted
    cells = [[cell.strip().replace("\\", "") for cell in line.split("|")] for line in lines]
    assert [(cell[1], cell[3], cell[5]) for cell in cells] == wanted


def test_folded_rows_are_named_and_all_shows_them(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command_line(["analyze", str(logs)])
    folded = capsys.readouterr().out
    command_line(["analyze", str(logs), "--all"])
    everything = capsys.readouterr().out
    assert "sa-east-1" in folded.split("cannot_tell without any log")[1]
    assert "--all shows every row" in folded
    assert len(everything.splitlines()) > len(folded.splitlines())


def test_the_first_line_is_the_decision_in_words(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command_line(["analyze", str(logs)])
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("1 account: 0 regional endpoints may be deactivated, 1 must stay, 15 cannot be judged")


def test_logs_without_any_account_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert command_line(["analyze", str(tmp_path / "empty")]) == 0
    assert "nothing can be decided" in capsys.readouterr().out


def test_usage_counts_from_a_store_without_reading_logs_again(logs: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert command_line(["ingest", str(logs), "--store", str(store)]) == 0
    _, answer = run("usage", "--store", store, out=tmp_path)
    assert [row["calls"] for row in answer["usage"]] == [1]


def test_endpoints_says_of_each_region_whether_it_can_be_deactivated(tmp_path: Path) -> None:
    _, answer = run("endpoints", "--partition", "aws", out=tmp_path)
    can = {row["region"] for row in answer if row["can_deactivate"] == "yes"}
    assert len(can) == 16
    assert {row["can_deactivate"] for row in answer if row["region"] == "us-east-1"} == {"no: always active"}
    assert {row["by_default"] for row in answer if row["region"] == "ap-east-1"} == {"opt-in"}
    assert all(row["source"] for row in answer)


def test_a_reader_that_has_had_enough_ends_the_command_quietly(logs: Path) -> None:
    command = f"{sys.executable} -m analyzer query 'select range from range(200000)' {logs} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr


def terminal_output(arguments: list[str], **environment: str) -> str:
    """What a command writes to a terminal, escape sequences and all."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "analyzer", *arguments],
        stdout=follower,
        stderr=follower,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "40", **environment},
    )
    os.close(follower)
    output = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                output += os.read(leader, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    os.close(leader)
    process.wait(timeout=10)
    return output.decode(errors="replace")


def test_a_terminal_sees_progress_and_colour(logs: Path) -> None:
    output = terminal_output(["analyze", str(logs)])
    assert "1/1 files" in output
    assert "records" in output
    assert "\x1b[34m● keep" in output


def test_no_color_is_honoured(logs: Path) -> None:
    output = terminal_output(["analyze", str(logs)], NO_COLOR="1")
    assert "● keep" in output
    assert "\x1b[34m" not in output
