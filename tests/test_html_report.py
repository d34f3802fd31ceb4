"""The HTML report: the same figures as every other form, in one file that reaches for nothing."""

import base64
import csv
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from html_page import as_text, cards, table, write_page
from trail import ACCOUNT, Record, record, write_tree

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.dossier import Grain
from analyzer.errors import ExitCode
from analyzer.store import open_store

ROOT = Path(__file__).parents[1]
REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's report in all forms."""
    folder = tmp_path_factory.mktemp("sample")
    store = str(folder / "store")
    command_line(["ingest", str(ROOT / "sample_logs"), "--store", store])
    for suffix in ("html", "json", "csv", "md"):
        command_line(["report", "--store", store, "--min-days", "14", "--out", str(folder / f"report.{suffix}")])
    command_line(["usage", "--store", store, "--by", "day", "--out", str(folder / "days.json")])
    return folder


@pytest.fixture(scope="module")
def page(sample: Path) -> str:
    return (sample / "report.html").read_text()


@pytest.fixture(scope="module")
def data(sample: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sample / "report.json").read_text())
    return found


def flat(row: dict[str, Any]) -> dict[str, Any]:
    parts = {f"coverage_{name}": value for name, value in row["coverage"].items()}
    return {name: value for name, value in (row | parts).items() if not isinstance(value, dict | list)}


def number(text: str) -> int:
    return int(text.replace(",", "") or 0)


def test_html_json_csv_and_markdown_agree_figure_by_figure(sample: Path, page: str, data: dict[str, Any]) -> None:
    rows = {(row["account_id"], row["region"]): flat(row) for row in data["verdicts"]}
    with (sample / "report.csv").open() as file:
        listed = {(row["account_id"], row["region"]): row for row in csv.DictReader(file)}
    lines = [
        line for line in (sample / "report.md").read_text().replace("\\", "").splitlines() if line.startswith("| ")
    ]
    head, *body = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if "---" not in line]
    marked = {(row[0], row[head.index("region")]): dict(zip(head, row, strict=True)) for row in body}
    shown = {(card.account_id, card.region): card for card in cards(page)}
    assert listed.keys() == rows.keys() == {(account, code) for account, code in marked}
    for place, row in rows.items():
        for name, value in row.items():
            if isinstance(value, int) and not isinstance(value, bool):
                in_html = shown[place].figures.get(name.replace("_", " "), "0") if place in shown else "0"
                has_days = place in shown or not name.startswith("coverage")
                assert int(listed[place][name]) == value
                assert int(marked[place][name]) == value
                assert number(in_html) == value or not has_days, (place, name)
        if place in shown:
            assert shown[place].verdict == row["verdict"] == listed[place]["verdict"]
            assert shown[place].figures.get("last used") == row["last_used"]
        else:
            assert (row["verdict"], row["issuing_calls"], row["served_global_calls"]) == ("fixed", 0, 0)


def test_the_matrix_has_the_verdict_of_every_account_and_region(page: str, data: dict[str, Any]) -> None:
    head, *lines = table(page, "matrix")
    shown = {
        (line[0], code): cell.split()[1] for line in lines for code, cell in zip(head[1:], line[1:], strict=True)
    }
    rows = {(row["account_id"], row["region"]): row["verdict"] for row in data["verdicts"]}
    assert shown == {place: rows[place] for place in shown}
    assert {rows[place] for place in rows.keys() - shown.keys()} == {"fixed"}


def test_the_migration_list_adds_up_to_the_global_callers_of_the_json(page: str, data: dict[str, Any]) -> None:
    shown: Counter[tuple[str, str]] = Counter()
    for principal, account, _, issued, *_ in table(page, "migrations")[1:]:
        shown[account, principal] += number(issued)
    counted: Counter[tuple[str, str]] = Counter()
    for row in data["global_callers"]:
        counted[row["account_id"], row["principal"]] += row["calls"]
    assert +shown == counted


def test_the_pictures_tables_add_up_to_the_usage(sample: Path, page: str, data: dict[str, Any]) -> None:
    calls = sum(row["calls"] for row in data["usage"])
    days = json.loads((sample / "days.json").read_text())["usage"]
    by_day = Counter[str]()
    for row in days:
        by_day[row["day"]] += row["calls"]
    for name in ("picture-1", "picture-2"):
        head, *lines = table(page, name)
        totals = {day: sum(number(line[at]) for line in lines) for at, day in enumerate(head) if at}
        assert totals == by_day
        assert sum(totals.values()) == calls
    kinds = Counter[str]()
    for row in data["usage"]:
        kinds[row["endpoint"]] += row["calls"]
    assert {line[0]: sum(map(number, line[1:])) for line in table(page, "picture-2")[1:]} == kinds


def test_the_footer_says_where_it_comes_from(sample: Path, page: str, data: dict[str, Any]) -> None:
    footer = page[page.index("<footer>") :]
    with open_store(sample / "store", catalogue=Catalogue()) as store:
        assert store.fingerprint() in footer
    assert f"sts-regions {data['tool']['version']}" in footer
    assert "report --store" in footer
    files, records = table(footer, "balance")[1:]
    assert number(files[1]) == data["balance"]["files"]["seen"]
    assert number(records[1]) == data["balance"]["records"]["seen"]
    for query in ("classify", "usage", "callers", "usage_by_period"):
        assert f'id="sql-{query}"' in footer


def test_the_policy_allows_the_one_script_and_style_by_their_hashes_and_nothing_else(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in as_text(policy).split("; "))
    assert rules.pop("default-src") == "'none'"
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{name}-src") == f"'sha256-{digest}'"
    assert rules == {"img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def test_nothing_in_the_file_reaches_out(page: str) -> None:
    addresses = re.findall(r'(?:src|href|srcset|action|data|poster)="([^"]*)"', page)
    assert {address[:1] if address[0] == "#" else address[:15] for address in addresses} == {
        "#",
        "data:image/svg+",
    }
    assert not re.search(r"""\s(on\w+|style)=["']""", page)


def test_every_picture_has_words_and_a_table(page: str) -> None:
    pictures = re.findall(r"<figure>(.*?)</figure>", page, re.S)
    assert len(pictures) == 4
    for picture in pictures:
        assert re.search(r'alt="[^"]{20,}"', picture)
        assert "<table" in picture


def test_one_file_for_fifty_accounts_stays_under_a_megabyte(tmp_path: Path) -> None:
    page = write_page(tmp_path / "report.html", "analyze", organization(tmp_path / "logs", 50))
    assert len(table(page, "matrix")) == 51
    # us-east-1 cannot be toggled, and nobody uses it here.
    assert len(cards(page)) == 50 * (len(REGIONS) - 1)
    assert len(page.encode()) < 1_000_000


def test_beyond_fifty_accounts_only_what_needs_attention_has_its_evidence_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    page = write_page(tmp_path / "report.html", "analyze", organization(tmp_path / "logs", 51))
    assert {card.verdict for card in cards(page)} <= {"review", "cannot_tell"}
    assert "only places that need attention have their evidence here" in page


def organization(folder: Path, accounts: int) -> Path:
    """Logs of so many accounts, in each of which several principals call in every second region."""
    files = {}
    for number in range(accounts):
        account = f"{number:012d}"
        records: list[Record] = [
            call(account, region, f"{account}-{region}-{who}", who) for region in REGIONS[1::2] for who in range(4)
        ]
        files[f"{account}.json.gz"] = records
    return write_tree(folder, files)


def call(account: str, region: str, event_id: str, who: int) -> Record:
    return record(
        event_id,
        awsRegion=region,
        recipientAccountId=account,
        eventTime=f"2026-{8 + who % 3:02d}-0{1 + who}T12:00:00Z",
        userAgent=f"Boto3/1.2{who}.57 Python/3.9.2 Linux/5.10 Botocore/1.2{who}.57",
        userIdentity={
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{account}:user/service-number-{who}-of-the-department",
            "accountId": account,
        },
        requestParameters={"roleArn": f"arn:aws:iam::{account}:role/app"},
    )


def test_text_of_an_attacker_stays_text(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202ejavascript:alert(1)"
    attacked = record(
        userAgent=hostile,
        userIdentity={"type": "IAMUser", "arn": hostile, "accountId": ACCOUNT},
        tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"},
        awsRegion="us-east-1",
    )
    logs = write_tree(tmp_path / "logs", {"a.json": [attacked]})
    page = write_page(tmp_path / "report.html", "analyze", logs)
    assert page.count("<script") == page.count("</script>") == 1
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\\u202ejavascript:alert" in page


def test_a_megabyte_of_anything_does_not_make_the_page_large(tmp_path: Path) -> None:
    text = "\x1b" * 1_000_000
    attacked = record(
        userAgent=text,
        awsRegion=text,
        recipientAccountId=text,
        userIdentity={"type": "IAMUser", "arn": text, "accountId": text},
        requestParameters={"roleArn": f"arn:aws:iam::{text}:role/app", "roleSessionName": text},
        tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"},
    )
    page = write_page(tmp_path / "report.html", "analyze", write_tree(tmp_path / "logs", {"a.json": [attacked]}))
    assert "\x1b" not in page
    assert len(page) < 1_000_000


def test_html_goes_to_stdout_when_it_is_asked_for_by_name(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line(["report", "--store", str(sample / "store"), "--output", "html"])
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage", "--output", "html"),
        ("callers", "--out", "callers.html"),
        ("coverage", "--output", "html"),
        ("endpoints", "--out", "endpoints.html"),
    ],
)
def test_other_commands_refuse_html_in_one_line(
    arguments: tuple[str, ...], sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = () if arguments[0] == "endpoints" else ("--store", str(sample / "store"))
    assert command_line([*arguments, *store]) == ExitCode.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_dry_run_has_no_html(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["analyze", str(sample), "--dry-run", "--output", "html"]) == ExitCode.USAGE
    assert "dry-run" in capsys.readouterr().err


def test_an_empty_store_makes_a_page_too(tmp_path: Path) -> None:
    page = write_page(tmp_path / "report.html", "analyze", write_tree(tmp_path / "logs", {"a.json": []}))
    assert "nothing can be decided" in page


def test_the_fingerprint_is_the_same_wherever_the_logs_lie_and_another_for_other_logs(tmp_path: Path) -> None:
    found = []
    for name, event in (("one", "a"), ("two", "a"), ("three", "b")):
        logs = write_tree(tmp_path / name, {f"{name}.json": [record(event)]})
        command_line(["ingest", str(logs), "--store", str(tmp_path / f"store-{name}")])
        with open_store(tmp_path / f"store-{name}", catalogue=Catalogue()) as store:
            found.append(store.fingerprint())
    assert found[0] == found[1] != found[2]


def test_help_loads_neither_the_template_engine_nor_the_drawing_library() -> None:
    code = (
        "import sys, analyzer.cli as c; c.command_line(['--help']); "
        "print(sorted({'jinja2', 'vl_convert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True, cwd=ROOT)
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_a_wrong_event_time_makes_no_endless_picture(tmp_path: Path) -> None:
    records = [record("true"), record("wrong", eventTime="2150-03-01T12:00:00Z")]
    page = write_page(tmp_path / "report.html", "analyze", write_tree(tmp_path / "logs", {"a.json": records}))
    assert "1 calls before 2091-01-01 are left out" in page
    assert len(page.encode()) < 1_000_000


@pytest.mark.parametrize(
    ("days", "grain", "first"),
    [
        (31, Grain.DAY, date(2026, 10, 7)),
        (32, Grain.WEEK, date(2026, 10, 5)),
        (218, Grain.MONTH, date(2026, 10, 1)),
        (2000, Grain.YEAR, date(2026, 1, 1)),
    ],
)
def test_longer_windows_are_drawn_in_longer_periods(days: int, grain: Grain, first: date) -> None:
    assert Grain.of(days) is grain
    assert grain.first_day(date(2026, 10, 7)) == first
