"""Exceptions: reviewed use is marked and named, counts until its day, and never changes a verdict."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from trail import ACCOUNT, OTHER_ACCOUNT, key, record, run, write_tree

from analyzer.cli import command_line
from analyzer.errors import UsageError
from analyzer.exceptions_file import TEMPLATE, Exemption, Exemptions, parse_exceptions
from analyzer.workflow import read_exemptions

ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
BEN = f"arn:aws:iam::{ACCOUNT}:user/ben"
ROOT = Path(__file__).parents[1]

ENTRY = """
[[exception]]
account = "111122223333"
region = "eu-west-1"
principal = "arn:aws:iam::111122223333:user/*"
reason = "known"
expires = 2027-03-31
"""


def exception(
    account: str = ACCOUNT, region: str = "eu-west-1", principal: str = "*", expires: str = "9999-12-31"
) -> str:
    return (
        f'[[exception]]\naccount = "{account}"\nregion = "{region}"\nprincipal = "{principal}"\n'
        f'reason = "reviewed by the platform team"\nexpires = {expires}\n'
    )


def test_a_byte_order_mark_before_the_file_is_no_fault() -> None:
    (found,) = parse_exceptions(b"\xef\xbb\xbf" + exception().encode(), "exceptions.toml")
    assert found.account == ACCOUNT


def calls(*principals: str, **fields: Any) -> list[Any]:
    return [
        record(
            f"e{number}",
            userIdentity={"type": "IAMUser", "arn": principal, "accountId": ACCOUNT, "principalId": "AIDA"},
            **fields,
        )
        for number, principal in enumerate(principals)
    ]


def report(tmp_path: Path, records: list[Any], exceptions: str) -> Any:
    logs = write_tree(tmp_path / "logs", {key(): records})
    (tmp_path / "exceptions.toml").write_text(exceptions)
    _, answer = run("analyze", logs, "--exceptions", tmp_path / "exceptions.toml", out=tmp_path)
    return answer


def row(answer: Any, region: str = "eu-west-1") -> Any:
    return next(row for row in answer["verdicts"] if row["region"] == region)


# The file


def test_an_exception_has_account_region_principal_reason_and_day() -> None:
    assert parse_exceptions(ENTRY.encode(), "x.toml") == (
        Exemption(ACCOUNT, "eu-west-1", f"arn:aws:iam::{ACCOUNT}:user/*", "known", date(2027, 3, 31)),
    )


def test_a_file_without_exceptions_is_fine() -> None:
    assert parse_exceptions(b"# nothing yet\n", "x.toml") == ()


def test_without_a_principal_it_is_about_everybody() -> None:
    text = ENTRY.replace('principal = "arn:aws:iam::111122223333:user/*"\n', "")
    (one,) = parse_exceptions(text.encode(), "x.toml")
    assert one.principal == "*"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"111122223333"\nr', "111122223333\nr", "account takes twelve digits in quotes"),
        ('"111122223333"\nr', '"1111"\nr', "account takes twelve digits in quotes"),
        ('"eu-west-1"', '"europe"', "region takes a code"),
        ('"eu-west-1"', '"eu-west-1\\n"', "region takes a code"),
        ("2027-03-31", '"2027-03-31"', "without quotes"),
        ("2027-03-31", "2027-03-31T00:00:00Z", "without quotes"),
        ('"known"', '"  "', "reason takes a text"),
        ('"known"', '"' + "x" * 501 + '"', "reason takes a text"),
        ('reason = "known"\n', "", "reason is missing"),
        ("expires = 2027-03-31\n", "", "expires is missing"),
        ('region = "eu-west-1"\n', "", "region is missing"),
        ("reason", "raeson", "'raeson' is unknown"),
        ('"arn:aws:iam::111122223333:user/*"', '""', "principal takes a pattern"),
    ],
)
def test_what_is_wrong_in_an_exception_is_said_with_its_line(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_exceptions((ENTRY + ENTRY.replace(old, new, 1)).encode(), "x.toml")
    assert str(caught.value).startswith("x.toml, line 9 (exception 2): ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"account = ", "no valid TOML"),
        (b"[[exception]\n", "line 1"),
        (b"\xff", "not UTF-8"),
        (b"a = 1", "'a' is no part"),
        (b"exception = 5", "begin with [[exception]]"),
        (b"[exception]\naccount = '*'", "begin with [[exception]]"),
        (b"exception = [1]", "begin with [[exception]]"),
        (b"exception = " + b"[" * 100_000, "x.toml: "),
        (b"exception = " + b"9" * 5_000, "x.toml: "),
    ],
)
def test_a_file_that_is_no_exceptions_file_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_exceptions(content, "x.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_malformed_file_ends_in_exit_code_2_before_any_log_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.toml").write_text("[[exception]]\n")
    logs = write_tree(tmp_path / "logs", {key(): [record()]})
    assert command_line(["analyze", str(logs), "--exceptions", str(tmp_path / "x.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_ends_in_exit_code_2(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record()]})
    assert command_line(["analyze", str(logs), "--exceptions", str(tmp_path / "none.toml")]) == 2


# Matching


@pytest.mark.parametrize(
    ("account", "region", "principal", "covers"),
    [
        (ACCOUNT, "eu-west-1", ANN, True),
        ("*", "*", "*", True),
        (OTHER_ACCOUNT, "eu-west-1", ANN, False),
        (ACCOUNT, "eu-west-2", ANN, False),
        (ACCOUNT, "global", ANN, False),
        (ACCOUNT, "eu-west-1", f"arn:aws:iam::{ACCOUNT}:user/*", True),
        (ACCOUNT, "eu-west-1", "*user/an?", True),
        (ACCOUNT, "eu-west-1", "*user/[abc]nn", True),
        (ACCOUNT, "eu-west-1", "*user/ANN", False),
        (ACCOUNT, "eu-west-1", "user/ann", False),
    ],
)
def test_an_exception_covers_what_its_account_region_and_pattern_say(
    account: str, region: str, principal: str, covers: bool
) -> None:
    one = Exemption(account, region, principal, "r", date(2027, 1, 1))
    assert one.covers(ACCOUNT, "eu-west-1", ANN) is covers


def test_only_a_star_is_about_calls_of_which_nothing_tells_the_endpoint() -> None:
    def one(region: str) -> Exemption:
        return Exemption(ACCOUNT, region, "*", "r", date(2027, 1, 1))

    assert one("*").covers(ACCOUNT, None, ANN)
    assert not one("global").covers(ACCOUNT, None, ANN)


def test_the_day_of_expiry_still_counts_and_the_day_after_does_not() -> None:
    exemptions = parse_exceptions(ENTRY.encode(), "x.toml")
    assert Exemptions.on(date(2027, 3, 31), exemptions) == Exemptions(counting=exemptions)
    assert Exemptions.on(date(2027, 4, 1), exemptions) == Exemptions(expired=exemptions)


def test_an_expired_exception_covers_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(ENTRY)
    exemptions = read_exemptions(tmp_path / "x.toml", today=date(2027, 4, 1))
    assert exemptions.covering(ACCOUNT, "eu-west-1", ANN) == ()


# In the report


def test_an_exception_changes_no_verdict_and_no_figure(tmp_path: Path) -> None:
    plain = row(report(tmp_path, calls(ANN), ""))
    marked = row(report(tmp_path, calls(ANN), exception()))
    assert marked["verdict"] == "keep"
    assert {**marked, "excepted": False, "exceptions": []} == plain


def test_an_excepted_row_carries_reason_and_day(tmp_path: Path) -> None:
    marked = row(report(tmp_path, calls(ANN), exception()))
    assert marked["excepted"] is True
    assert [(one["reason"], one["expires"]) for one in marked["exceptions"]] == [
        ("reviewed by the platform team", "9999-12-31")
    ]


def test_the_usage_row_of_the_endpoint_is_marked_too(tmp_path: Path) -> None:
    answer = report(tmp_path, calls(ANN), exception())
    assert [(one["region"], one["excepted"]) for one in answer["usage"]] == [("eu-west-1", True)]


def test_one_caller_whom_nobody_reviewed_leaves_the_row_unexcepted(tmp_path: Path) -> None:
    marked = row(report(tmp_path, calls(ANN, BEN), exception(principal=ANN)))
    assert marked["excepted"] is False
    assert len(marked["exceptions"]) == 1


def test_two_exceptions_may_cover_the_callers_of_one_endpoint_together(tmp_path: Path) -> None:
    text = exception(principal=ANN) + exception(principal=BEN)
    assert row(report(tmp_path, calls(ANN, BEN), text))["excepted"] is True


def test_a_quiet_row_is_not_marked_whatever_the_exceptions_say(tmp_path: Path) -> None:
    marked = row(report(tmp_path, calls(ANN), exception(account="*", region="*")), "eu-west-2")
    assert marked["exceptions"] == []
    assert marked["excepted"] is False


def test_callers_of_the_global_endpoint_are_marked(tmp_path: Path) -> None:
    records = calls(ANN, BEN, awsRegion="us-east-1", tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"})
    answer = report(tmp_path, records, exception(region="global", principal=ANN))
    assert [(one["principal"], one["excepted"]) for one in answer["global_callers"]] == [(ANN, True), (BEN, False)]


def test_the_report_says_of_each_exception_whether_it_counts_and_is_used(tmp_path: Path) -> None:
    text = exception() + exception(region="eu-west-2") + exception(expires="2020-01-01")
    answer = report(tmp_path, calls(ANN), text)
    assert [(one["region"], one["used"], one["expired"]) for one in answer["exceptions"]] == [
        ("eu-west-1", True, False),
        ("eu-west-2", False, False),
        ("eu-west-1", False, True),
    ]


def test_an_expired_exception_is_named_on_stderr_and_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write_tree(tmp_path / "logs", {key(): calls(ANN)})
    (tmp_path / "x.toml").write_text(exception(expires="2020-01-01"))
    assert command_line(["analyze", str(logs), "--exceptions", str(tmp_path / "x.toml")]) == 0
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert "expired on 2020-01-01 and no longer counts (reviewed by the platform team)" in text


def test_the_table_says_why_a_row_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write_tree(tmp_path / "logs", {key(): calls(ANN)})
    (tmp_path / "x.toml").write_text(exception())
    command_line(["analyze", str(logs), "--exceptions", str(tmp_path / "x.toml")])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " eu-west-1 " in line]
    assert line.endswith("; accepted: reviewed by the platform team (until 9999-12-31)")


def test_a_reason_that_is_a_formula_is_harmless_in_csv(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): calls(ANN)})
    (tmp_path / "x.toml").write_text(exception().replace("reviewed by", "=cmd()"))
    out = tmp_path / "r.csv"
    command_line(["analyze", str(logs), "--exceptions", str(tmp_path / "x.toml"), "--out", str(out)])
    cells = [line["exceptions"] for line in csv.DictReader(out.read_text().splitlines())]
    assert [cell for cell in cells if cell] == ["'=cmd() the platform team (until 9999-12-31)"]


def test_callers_by_endpoint_add_up_to_usage_on_the_sample(tmp_path: Path) -> None:
    command_line(["ingest", str(ROOT / "sample_logs"), "--store", str(tmp_path / "store")])
    _, callers = run("query", "endpoint_callers", "--store", tmp_path / "store", out=tmp_path)
    _, usage = run("query", "usage", "--store", tmp_path / "store", out=tmp_path)
    columns = ("issuing_calls", "service_calls", "failed_calls", "region_disabled_errors")

    def totals(rows: Any) -> dict[tuple[str, ...], list[int]]:
        found: dict[tuple[str, ...], list[int]] = {}
        for one in rows:
            place = tuple(str(one[name]) for name in ("account_id", "endpoint", "region", "serving_region"))
            sums = found.setdefault(place, [0] * len(columns))
            for index, column in enumerate(columns):
                sums[index] += one[column]
        return {place: sums for place, sums in found.items() if any(sums)}

    assert totals(callers) == totals(usage)


# The template


def test_the_template_is_a_valid_file_without_any_exception() -> None:
    assert parse_exceptions(TEMPLATE.encode(), "template") == ()


def test_the_examples_of_the_template_are_valid_once_the_marks_are_taken_away() -> None:
    example = TEMPLATE.split("change the values:")[1]
    text = "\n".join(line.removeprefix("# ").removeprefix("#") for line in example.splitlines())
    assert len(parse_exceptions(text.encode(), "template")) == 2


@pytest.mark.parametrize("command", ["analyze", "report"])
def test_init_exceptions_writes_the_template_and_nothing_else(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "exceptions.toml"
    assert command_line([command, "--init-exceptions", str(path)]) == 0
    assert path.read_text() == TEMPLATE
    assert capsys.readouterr().out == ""


def test_init_exceptions_never_writes_over_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exceptions.toml"
    path.write_text("mine")
    assert command_line(["report", "--init-exceptions", str(path)]) == 2
    assert path.read_text() == "mine"
    assert "not touched" in capsys.readouterr().err


def test_init_exceptions_says_when_it_cannot_write(tmp_path: Path) -> None:
    assert command_line(["report", "--init-exceptions", str(tmp_path / "no" / "x.toml")]) == 1


def test_a_store_answers_with_exceptions_as_the_logs_do(tmp_path: Path) -> None:
    direct = report(tmp_path, calls(ANN), exception())
    command_line(["ingest", str(tmp_path / "logs"), "--store", str(tmp_path / "store")])
    _, stored = run(
        "report", "--store", tmp_path / "store", "--exceptions", tmp_path / "exceptions.toml", out=tmp_path
    )
    assert json.dumps(stored["verdicts"]) == json.dumps(direct["verdicts"])
