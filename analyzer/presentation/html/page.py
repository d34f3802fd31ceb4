"""The page: everything the template shows, put into words, and the policy that lets nothing else in.

Text from logs is an attacker's: every value passes through `plain`, then Jinja2 escapes it. The
Content-Security-Policy allows the one script and the one style by their hashes, and no request at all.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from analyzer.balance import Balance
from analyzer.dossier import AccountSteps, Dossier
from analyzer.findings import Watched
from analyzer.presentation.callers_view import shortened
from analyzer.presentation.console import balance_line
from analyzer.presentation.html.evidence import (
    CallerLine,
    account_cards,
    caller_line,
    number_fixes,
    runs_in_words,
    span_in_words,
)
from analyzer.presentation.html.matrix import ACCOUNT_WIDTH, ALL_DETAILS_ACCOUNTS, ATTENTION, make_matrix
from analyzer.presentation.html.pictures import draw_pictures
from analyzer.presentation.report_view import MARKS, basis, headline, report_notes, why
from analyzer.presentation.safe_text import plain
from analyzer.presentation.watch_view import comparison_lines
from analyzer.queries import load_query, query_names
from analyzer.report import Report, VerdictRow, balance_json
from analyzer.simulation import by_account
from analyzer.usage import Endpoint
from analyzer.verdicts import Verdict
from analyzer.version import __version__

MIGRATIONS_SHOWN = 200
"""Callers of the global endpoint on the page: those with the most calls."""
_TABLES = {
    "the matrix and its figures": ("usage", "activity"),
    "callers of the global endpoint": ("callers", "global_callers"),
    "calls and endpoints over time": ("usage_by_period",),
}
_SENTENCES = (
    (Verdict.DEACTIVATE, "may be deactivated"),
    (Verdict.KEEP, "must stay"),
    (Verdict.REVIEW, "to review"),
    (Verdict.CANNOT_TELL, "cannot be judged"),
    (Verdict.INACTIVE, "refuse calls already"),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one account, in words: verdict, sentence, regions."""

    account_id: str
    parts: tuple[tuple[Verdict, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One endpoint to deactivate."""

    region: str
    endpoint: str
    confidence: str
    days: str
    why: str


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What to do in one account."""

    account_id: str
    steps: tuple[Step, ...]
    not_yet: int
    waiting: tuple[tuple[str, str], ...]
    """What settles regions, and which."""
    used: tuple[str, ...]
    spares: tuple[str, ...]


def render_page(dossier: Dossier, command: str, watched: Watched | None = None) -> str:
    """The whole file as text. `command`: what was typed, for the footer."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)

    loader = PackageLoader("analyzer.presentation.html", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["runs_in_words"] = runs_in_words
    # Both are ours and stand in the wheel; they are the only text that is not escaped.
    style, script = (loader.get_source(environment, name)[0] for name in ("page.css", "page.js"))
    contents = _contents(dossier, command, watched or Watched())
    return environment.get_template("page.html.j2").render(
        **contents,
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        newline=Markup("\n"),
        policy=_policy(style, script),
    )


def _policy(style: str, script: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _contents(dossier: Dossier, command: str, watched: Watched) -> dict[str, Any]:
    report = dossier.report
    matrix = make_matrix(report)
    callers = [one for one in dossier.callers.callers if one.identity.endpoint is Endpoint.GLOBAL]
    unknown = [one for one in dossier.callers.callers if one.identity.endpoint is Endpoint.UNKNOWN]
    fixes = number_fixes(dossier.callers.callers)
    plans = [plan for plan in map(_plan, dossier.steps) if plan.steps or plan.waiting]
    return {
        "accounts": len(report.accounts),
        "attention": sum(row.verdict in ATTENTION for row in report.verdicts),
        "basis": basis(report),
        "balance": _balance(report.balance),
        "balance_line": balance_line(report.balance),
        "cards": account_cards(dossier, matrix, fixes),
        "command": command,
        "completeness": _completeness(dossier),
        "decisions": _decisions(report)[:ALL_DETAILS_ACCOUNTS],
        "decisions_left_out": max(0, len(report.accounts) - ALL_DETAILS_ACCOUNTS),
        "fingerprint": dossier.fingerprint,
        "fixes": fixes,
        "headline": headline(report),
        "marks": {verdict: symbol for verdict, (symbol, _) in MARKS.items()},
        "matrix": matrix,
        "migrations": _lines(callers, fixes),
        "migration_calls": sum(one.issuing_calls for one in callers),
        "migrations_left_out": max(0, len(callers) - MIGRATIONS_SHOWN),
        "notes": [
            *comparison_lines(watched.comparison),
            *(one.text for one in watched.findings or ()),
            *report_notes(report),
        ],
        "pictures": draw_pictures(dossier),
        "plans": plans[:ALL_DETAILS_ACCOUNTS],
        "plans_left_out": max(0, len(plans) - ALL_DETAILS_ACCOUNTS),
        "is_filtered": bool(report.question.regions),
        "queries": _queries(),
        "tables": _TABLES,
        "total_calls": sum(row.calls for row in report.usage),
        "unknown_calls": sum(one.calls for one in unknown),
        "mix": [(kind.value, sum(row.calls for row in report.usage if row.endpoint is kind)) for kind in Endpoint],
        "version": __version__,
        "verdicts": [verdict for verdict, _ in _SENTENCES] + [Verdict.FIXED],
        "window": span_in_words(report.window),
    }


def _decisions(report: Report) -> list[Decision]:
    """Accounts in which something waits for somebody come first: the first screen is short."""
    decisions = [
        Decision(
            shortened(account_id, ACCOUNT_WIDTH),
            tuple(
                (verdict, words, tuple(codes))
                for verdict, words in _SENTENCES
                if (codes := [row.region.code for row in rows if row.verdict is verdict])
            ),
        )
        for account_id, rows in by_account(report.verdicts).items()
    ]
    return sorted(decisions, key=lambda one: not any(verdict in ATTENTION for verdict, _, _ in one.parts))


def _completeness(dossier: Dossier) -> str:
    totals = dossier.coverage.totals()
    days = totals.total()
    if not days:
        return "No day is covered by any log."
    parts = ", ".join(f"{count:,} {level.value}" for level, count in totals.items())
    return f"Completeness: {days:,} days of a region in an account, of which {parts}."


def _lines(callers: Sequence[Any], fixes: dict[str, int]) -> list[tuple[str, CallerLine, str]]:
    return [
        (shortened(one.identity.account_id, ACCOUNT_WIDTH), caller_line(one, fixes), one.advice.move_to or "")
        for one in callers[:MIGRATIONS_SHOWN]
    ]


def _plan(steps: AccountSteps) -> AccountPlan:
    waiting: dict[str, list[str]] = {}
    for one in steps.postponed:
        waiting.setdefault(one.settled_by, []).append(f"{one.row.region.code} ({one.row.verdict.value})")
    return AccountPlan(
        shortened(steps.account_id, ACCOUNT_WIDTH),
        tuple(_step(row) for row in steps.ready),
        len(steps.postponed),
        tuple((settled_by, ", ".join(regions)) for settled_by, regions in waiting.items()),
        steps.left.used,
        steps.left.spares,
    )


def _step(row: VerdictRow) -> Step:
    coverage = row.coverage
    return Step(
        row.region.code,
        row.region.endpoint,
        coverage.confidence.value,
        f"{coverage.days - coverage.none:,}/{coverage.days:,}",
        why(row),
    )


def _balance(balance: Balance) -> list[tuple[str, list[tuple[str, int]], list[tuple[str, int]]]]:
    """For files and records: the sums, and the reasons for what was left out."""
    sheet = balance_json(balance)
    return [
        (
            kind,
            list(sheet[kind].items()),
            [
                (f"{what}: {reason.replace('_', ' ')}", count)
                for what in ("skipped", "rejected")
                for reason, count in sheet["reasons"][f"{kind}_{what}"].items()
            ],
        )
        for kind in ("files", "records")
    ]


def _queries() -> list[tuple[str, str, str]]:
    """Name, question and SQL of each query behind the tables, after those it needs."""
    found: dict[str, tuple[str, str, str]] = {}

    def visit(name: str) -> None:
        if name in found or name not in query_names():
            return
        query = load_query(name)
        for need in query.needs:
            visit(need)
        found[name] = (name, query.question, query.sql)

    for names in _TABLES.values():
        for name in names:
            visit(name)
    return list(found.values())
