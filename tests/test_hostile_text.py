"""Text from an attacker is stored as it is and shown so that it does nothing, in every output and on stderr."""

import csv
import io
import json
import unicodedata
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from trail import DAY, Record, record, run, trail_file, write_tree

from analyzer.cli import command_line

TEXTS = {
    "window title": "\x1b]0;owned\x07",
    "colour": "\x1b[31mred\x1b[0m",
    "8-bit escape": "\x9b31mred",
    "null and delete": "a\x00b\x7fc",
    "formula": "=cmd|' /C calc'!A0",
    "formula with plus": "+1+1",
    "formula with minus": "-2+3",
    "formula with at": "@SUM(1)",
    "formula after a tab": "\t=1",
    "formula after a return": "\r=1",
    "formula after a space": "  =1",
    "formula in wide letters": "\uff1d1+1",
    "html": "<script>alert('x')</script>&amp;",
    "right to left": "\u202etxt.exe\u2066x",
    "nothing to see": "a\u200bb\ufeffc\U000e0041",
    "several lines": "one\ntwo\r\n=three\u2028four\x85five",
    "code": "`rm`-``",
    "pipes": "a|b\\|c\\\\|d|",
    "links": "[x](javascript:alert(1)) ![i](http://e.test/i.png) www.e.test a@e.test",
    "rich markup": "[bold red]x[/] :warning:",
    "quotes": '"\';--,"',
    "a megabyte": "\x1b" * 1_000_000,
}

OUTPUTS = ("table", "json", "csv", "markdown")

ATTACKED = ("user_agent", "role_session_name", "client_provided_host_header", "error_message", "aws_region")

ALL_AT_ONCE = "\x1b]0;x\x07\x9b\u202e|<b>[x](y)`=1\n@"

COLUMNS = ", ".join(["event_id", *ATTACKED, "user_identity_arn"])

QUERIES = {
    "ad hoc": ("query", f"SELECT {COLUMNS} FROM events ORDER BY event_id"),
    "errors": ("query", "errors"),
    "usage": ("usage",),
    "callers": ("callers", "--all"),
    "report": ("report", "--all"),
    "event": ("show", ALL_AT_ONCE),
}


def attacked(event_id: str, text: str) -> Record:
    """A call in which everything that a caller can choose is the text."""
    return record(
        event_id,
        userAgent=text,
        awsRegion=text,
        errorCode=text,
        errorMessage=text,
        tlsDetails={"clientProvidedHostHeader": text},
        userIdentity={"type": "IAMUser", "arn": text, "accountId": "111122223333"},
        requestParameters={"roleArn": "arn:aws:iam::111122223333:role/app", "roleSessionName": text},
    )


def file_name(text: str) -> str:
    """The text as far as it can be a file's name."""
    return text.replace("/", "_").replace("\0", "")[:60]


def controls(text: str) -> set[str]:
    """What could steer a terminal, turn the direction of writing or break a line that is no line end of ours."""
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {char for char in text if char != "\n" and unicodedata.category(char) in bad}


def markdown_cells(line: str) -> list[str]:
    """The cells of a row as GitHub splits it: an escaped bar is none."""
    cells, at = [""], 0
    while at < len(line):
        if line[at] == "|":
            cells.append("")
        else:
            step = 2 if line[at] == "\\" else 1
            cells[-1] += line[at : at + step]
            at += step - 1
        at += 1
    return cells[1:-1]


def unescaped(text: str) -> str:
    """What stands in Markdown without a backslash before it."""
    plain, at = "", 0
    while at < len(text):
        if text[at] != "\\":
            plain += text[at]
            at += 1
        else:
            at += 2
    return plain


@dataclass
class Attacked:
    """A store of hostile records, and what was said when it was made."""

    store: Path
    stdout: str
    stderr: str
    _shown: dict[tuple[str, str], str] = field(default_factory=dict)

    def show(self, query: str, output: str) -> str:
        """What a query says in one output."""
        if (query, output) not in self._shown:
            out = self.store.parent / "out"
            arguments = [*QUERIES[query], "--store", str(self.store), "--output", output, "--out", str(out)]
            assert command_line(arguments) == 0
            self._shown[query, output] = out.read_bytes().decode()
        return self._shown[query, output]

    def csv(self, query: str) -> list[list[str]]:
        """The cells of a query's CSV, its head first."""
        return list(csv.reader(io.StringIO(self.show(query, "csv"))))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    folder = tmp_path_factory.mktemp("hostile")
    records = [attacked(name, text) for name, text in TEXTS.items()]
    records += [
        attacked(ALL_AT_ONCE, ALL_AT_ONCE),
        record("account", eventName="GetCallerIdentity", recipientAccountId=ALL_AT_ONCE),
        record("account too", eventName="GetCallerIdentity", recipientAccountId="=1|<i>"),
        record("activity", eventSource="ec2.amazonaws.com", eventName="=1", readOnly=False, awsRegion="<b>|"),
    ]
    write_tree(folder / "logs", {f"good{file_name(ALL_AT_ONCE)}.json": records})
    write_tree(folder / "logs", {f"{file_name(text)}.json": b"{" for text in TEXTS.values()})
    write_tree(folder / "logs", {f"{file_name(ALL_AT_ONCE)}/bad.json": trail_file(record(eventName=5))})
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = command_line(["analyze", str(folder / "logs"), "--store", str(folder / "store"), "--all"])
    assert code == 4
    return Attacked(folder / "store", out.getvalue(), err.getvalue())


every_query = pytest.mark.parametrize("query", QUERIES)


# Outputs


@every_query
@pytest.mark.parametrize("output", OUTPUTS)
def test_no_control_character_and_no_flood_of_text_reaches_an_output(
    query: str, output: str, hostile: Attacked
) -> None:
    text = hostile.show(query, output)
    assert controls(text) == set()
    assert len(text) < 300_000


@every_query
def test_no_cell_of_a_csv_file_is_a_formula_or_ends_its_row(query: str, hostile: Attacked) -> None:
    head, *rows = hostile.csv(query)
    assert rows
    assert {len(row) for row in rows} == {len(head)}
    assert len(hostile.show(query, "csv").splitlines()) == 1 + len(rows)
    starts = ("=", "+", "-", "@", "\t", "\r", "\uff1d")
    assert not [cell for row in [head, *rows] for cell in row if cell.strip().startswith(starts)]


@every_query
def test_the_rows_of_a_markdown_table_have_as_many_cells_as_its_head(query: str, hostile: Attacked) -> None:
    lines = [line for line in hostile.show(query, "markdown").split("\n") if line.startswith("|")]
    head, rule, *rows = map(markdown_cells, lines)
    assert rows
    assert {cell.strip() for cell in rule} == {"---"}
    assert {len(row) for row in rows} == {len(head)}


@every_query
def test_markdown_holds_no_html_no_code_and_no_link(query: str, hostile: Attacked) -> None:
    text = hostile.show(query, "markdown")
    assert not set("<>") & set(text)
    assert not set("`[]*") & set(unescaped(text))
    assert "://" not in text
    assert "www." not in text


def test_markdown_and_csv_have_the_same_rows(hostile: Attacked) -> None:
    table = [line for line in hostile.show("ad hoc", "markdown").split("\n") if line.startswith("|")]
    assert len(table) - 2 == len(hostile.csv("ad hoc")) - 1 == len(json.loads(hostile.show("ad hoc", "json")))


def test_json_holds_the_exact_text(hostile: Attacked) -> None:
    rows = {row["event_id"]: row for row in json.loads(hostile.show("ad hoc", "json"))}
    for name, text in TEXTS.items():
        for column in (*ATTACKED, "user_identity_arn"):
            bound = len(rows[name][column]) if name == "a megabyte" else len(text)
            assert bound >= min(256, len(text))
            assert rows[name][column] == text[:bound]


def test_json_of_an_event_holds_the_exact_text_and_the_file_it_came_from(hostile: Attacked) -> None:
    answer = json.loads(hostile.show("event", "json"))
    assert answer["event"]["user_agent"] == answer["raw"]["userAgent"] == ALL_AT_ONCE
    assert answer["source"]["uri"].endswith(f"/good{ALL_AT_ONCE}.json")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("formula", "'=cmd|' /C calc'!A0"),
        ("formula with minus", "'-2+3"),
        ("formula after a tab", "\\x09=1"),
        ("several lines", "one\\x0atwo\\x0d\\x0a=three\\u2028four\\x85five"),
        ("window title", "\\x1b]0;owned\\x07"),
        ("right to left", "\\u202etxt.exe\\u2066x"),
        ("quotes", '"\';--,"'),
    ],
)
def test_a_csv_cell_says_what_the_text_was(name: str, cell: str, hostile: Attacked) -> None:
    head, *rows = hostile.csv("ad hoc")
    (row,) = (row for row in rows if row[0] == name)
    assert row[head.index("user_agent")] == cell


def test_a_table_shows_markup_as_it_is(hostile: Attacked) -> None:
    assert "[bold red]x[/] :warning:" in hostile.show("ad hoc", "table")


@pytest.mark.parametrize("output", OUTPUTS)
def test_names_that_a_query_gives_to_its_columns_are_made_safe_too(
    output: str, hostile: Attacked, tmp_path: Path
) -> None:
    sql = f'SELECT 1 AS "={ALL_AT_ONCE}", 2 AS "\x1b[31m"'
    out = tmp_path / "out"
    command_line(["query", sql, "--store", str(hostile.store), "--output", output, "--out", str(out)])
    text = out.read_bytes().decode()
    assert controls(text) == set()
    assert len(text.splitlines()) == {"table": 2, "csv": 2, "markdown": 3, "json": 6}[output]
    if output == "csv":
        assert not text.lstrip('"').startswith("=")


def test_a_region_that_is_no_region_is_no_row_of_the_report(hostile: Attacked) -> None:
    regions = {row["region"] for row in json.loads(hostile.show("report", "json"))["verdicts"]}
    assert not regions & set(TEXTS.values())
    assert all(region.replace("-", "").isalnum() for region in regions)


# Standard output and standard error


def test_standard_output_of_the_report_is_safe(hostile: Attacked) -> None:
    assert controls(hostile.stdout) == set()


def test_every_line_on_stderr_is_one_of_ours_and_safe(hostile: Attacked) -> None:
    assert controls(hostile.stderr) == set()
    lines = hostile.stderr.splitlines()
    assert all(line.startswith("sts-regions: ") for line in lines)
    assert len(lines) >= len(TEXTS)


def test_a_file_is_named_on_stderr_so_that_it_can_be_found(hostile: Attacked) -> None:
    assert "/=cmd|' _C calc'!A0.json: rejected: truncated json" in hostile.stderr
    assert "/\\x1b]0;owned\\x07.json: rejected: truncated json" in hostile.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", ALL_AT_ONCE),
        ("report", "--store", ALL_AT_ONCE),
        ("query", ALL_AT_ONCE, "--store", "STORE"),
        ("query", f"SELECT '{ALL_AT_ONCE}'::INTEGER", "--store", "STORE"),
        ("show", "\x1b]0;x\x07", "--store", "STORE"),
        ("report", "--since", ALL_AT_ONCE, "--store", "STORE"),
        ("endpoints", "--region", ALL_AT_ONCE),
        ("endpoints", "--output", ALL_AT_ONCE),
        (ALL_AT_ONCE,),
        ("endpoints", f"--{ALL_AT_ONCE}"),
    ],
)
def test_what_was_typed_is_repeated_safely(
    arguments: tuple[str, ...], hostile: Attacked, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line([str(hostile.store) if argument == "STORE" else argument for argument in arguments])
    told = capsys.readouterr()
    assert controls(told.err + told.out) == set()
    assert all(line.startswith("sts-regions: ") for line in told.err.splitlines())


def test_a_member_of_an_archive_is_named_safely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr(f"{file_name(ALL_AT_ONCE)}.json", b"{")
    run("analyze", tmp_path / "x.zip", out=tmp_path)
    told = capsys.readouterr().err
    assert controls(told) == set()
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize("position", [5, ["x"], {"\x1b[31m": "\u202e"}])
def test_what_is_wrong_with_a_record_is_told_safely(
    position: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "logs", {"a.json": [record(eventTime=f"{DAY}\x1b", userAgent=position)]})
    run("analyze", tmp_path / "logs", out=tmp_path)
    assert controls(capsys.readouterr().err) == set()
