"""Reads the HTML report back: the figures that a person sees, by regular expressions over our own markup."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

from analyzer.cli import command_line


@dataclass(frozen=True)
class Card:
    """The evidence of one place as the page shows it."""

    account_id: str
    region: str
    verdict: str
    figures: dict[str, str]
    text: str


def write_page(out: Path, *arguments: str | Path) -> str:
    """Write the report to a file and give its text."""
    command_line([*map(str, arguments), "--out", str(out)])
    return out.read_text()


def cards(page: str) -> list[Card]:
    """Every place with evidence on the page."""
    found = re.findall(
        r'<article id="e\d+">\n<h3>(\S+) (\S+) <span[^>]*>\S+ (\w+)</span></h3>(.*?)</article>',
        page,
        re.S,
    )
    return [
        Card(account_id, region, verdict, dict(re.findall(r"<dt>([^<]*)<dd>([^<]*)", body)) | days(body), body)
        for account_id, region, verdict, body in found
    ]


def days(body: str) -> dict[str, str]:
    """The days of a place by level, under the names that other forms give them."""
    expected, levels = re.findall(r"Days expected ([0-9,]+), observed [0-9,]+(?: \(([^)]*)\))?", body)[0]
    found = {f"coverage {level}": count for count, level in re.findall(r"([0-9][0-9,]*) (\w+)", levels)}
    return found | {"coverage days": expected}


def table(page: str, name: str) -> list[list[str]]:
    """The rows of the table of a class, its head first; text only."""
    (body,) = re.findall(rf'<table class="{name}[^"]*">(.*?)</table>', page, re.S)
    rows = re.split(r"<tr[^>]*>", body)[1:]
    return [[as_text(cell) for cell in re.split(r"<t[hd][^>]*>", row)[1:]] for row in rows]


def as_text(markup: str) -> str:
    """What is read of a piece of markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()
