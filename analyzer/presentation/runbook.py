"""The runbook of one account, as Markdown for the person who deactivates."""

from collections.abc import Iterable, Sequence

from analyzer.catalogue import Toggle
from analyzer.demand import Demand, Relation
from analyzer.plan import EVIDENCE_ROWS, SCP_LIMIT, AccountPlan, Postponed, Step
from analyzer.presentation.report_view import why
from analyzer.presentation.safe_text import Cell, markdown_cell
from analyzer.usage import Endpoint
from analyzer.verdicts import Verdict
from analyzer.version import __version__

_PEOPLE_SHOWN = 50
_RULE = "sts-deactivation-watch"
_BEYOND_THE_POLICY = """\
What the policy does not bind, though deactivation does:

- the management account of the organization: if this account is it, the policy has no effect at all;
- service-linked roles, and AWS services that call with their own identity;
- callers of accounts outside the organization, such as vendors;
- users of an identity provider (SAML, OpenID Connect), who belong to no account when they ask;
- GetSessionToken, which AWS documents as outside the control of policies.

What it binds, though deactivation does not: this account's own people and software when they ask in these
regions for roles of other accounts. So it leaves out every region where they were seen to do so. It does not touch
the global endpoint: for AWS every call to it is made in us-east-1, wherever it is served.
"""


def runbook(plan: AccountPlan) -> str:
    """The whole document. It names the other files of the account's folder."""
    parts = [
        _title(plan),
        _before(plan),
        _people(plan),
        _steps(plan) if plan.steps else "",
        _watch(plan) if plan.steps else "",
        _back(plan) if plan.steps else "",
        _policy(plan) if plan.steps else "",
        _postponed(plan.postponed),
        _stays(plan),
        _evidence(plan),
    ]
    return "\n".join(part for part in parts if part)


def _title(plan: AccountPlan) -> str:
    window, steps = plan.window, len(plan.steps)
    answer = (
        f"{_count(steps, 'STS endpoint')} may be deactivated: {', '.join(plan.regions)}."
        if steps
        else "There is nothing to deactivate."
    )
    lines = [
        f"# Runbook: STS endpoints of account {plan.account_id}",
        "",
        f"**{answer}** {len(plan.postponed)} must wait, {len(plan.with_verdict(Verdict.KEEP))} stay, "
        f"{len(plan.with_verdict(Verdict.INACTIVE))} refuse calls already.",
        "",
        f"Made by sts-regions {__version__} from logs of {window.since} to {window.until} (excluded), "
        f"{_count(window.days, 'day')} UTC; {plan.min_days} days without use were asked for. What happened before "
        "or happens since, it cannot know: make the plan again if it is older than some days.",
    ]
    if steps and not plan.left.spares:
        lines += [
            "",
            "**No spare region would be left.** AWS advises failing over to the STS endpoint of another region if "
            f"one is down. Leave out at least one step: {plan.regions[-1]}, the last, unless you prefer another.",
        ]
    return "\n".join([*lines, ""])


def _before(plan: AccountPlan) -> str:
    if not plan.steps:
        return ""
    return "\n".join(
        [
            "## Before",
            "",
            "1. Have every row of `decisions.csv` that you act on approved: it has columns for name and date.",
            "2. Sign in to this account with permission for `iam:ListSTSRegionalEndpointsStatus` and "
            "`iam:SetSTSRegionalEndpointStatus`. There is no public API: it is done in the IAM console.",
            "3. Look up and write down which endpoints are active now. No log tells it.",
            "4. Think of jobs that run more rarely than once in this window, and of fail-over plans that name one "
            "of these regions: they leave no trace in it.",
            "5. Set up the watch (below) first.",
            "",
        ]
    )


def _people(plan: AccountPlan) -> str:
    outsiders = plan.outsiders
    if not outsiders:
        return (
            "## Whom to tell\n\nThe owners of this account. Callers of other accounts were not seen.\n"
            if plan.steps
            else ""
        )
    foreign = sorted(
        {row.caller_account_id or "" for row in outsiders if _relation(plan, row) is Relation.FOREIGN}
    )
    lines = ["## Whom to tell", ""]
    if foreign:
        lines += [
            f"The owners of this account, and those of {', '.join(map(markdown_cell, foreign))}, which are "
            "**foreign**: they have no logs here. A refused call of theirs is logged in their account, not in "
            "this one. That nothing is seen after the deactivation says nothing about them: ask them.",
            "",
        ]
    shown = outsiders[:_PEOPLE_SHOWN]
    lines += _table(
        ("caller's account", "", "principal", "role", "endpoint", "calls", "failed", "last"),
        [
            (
                row.caller_account_id,
                _relation(plan, row).value.replace("_", " "),
                row.principal,
                row.role_arn,
                _endpoint(row),
                row.issuing_calls,
                row.failed_calls,
                row.last_used or row.last_failed,
            )
            for row in shown
        ],
    )
    if len(outsiders) > len(shown):
        lines.append(f"\n{len(outsiders) - len(shown)} more are in `evidence/callers.csv`.")
    return "\n".join([*lines, ""])


def _relation(plan: AccountPlan, row: Demand) -> Relation:
    return row.relation(plan.own_accounts)


def _endpoint(row: Demand) -> str:
    if row.endpoint is Endpoint.GLOBAL:
        return f"global, served from {row.serving_region or 'an unknown region'}"
    return row.region or row.endpoint.value


def _steps(plan: AccountPlan) -> str:
    lines = [
        "## Steps, quietest first",
        "",
        "In the IAM console: *Account settings*, section *Security Token Service (STS)*, list of endpoints. "
        "Deactivate one region, watch it, go on. Wait after the first one at least as long as your rarest "
        "important job needs to come round; the others may follow in groups.",
        "",
        *_table(
            ("step", "region", "endpoint", "how sure", "days seen", "why", "in scp.json"),
            [_step_row(step) for step in plan.steps],
        ),
        "",
    ]
    return "\n".join(lines)


def _step_row(step: Step) -> tuple[Cell, ...]:
    row = step.row
    return (
        step.number,
        row.region.code,
        row.region.endpoint,
        row.coverage.confidence.value,
        f"{row.coverage.days - row.coverage.none}/{row.coverage.days}",
        why(row) + ("" if row.region.toggle is Toggle.YES else "; AWS documents nothing about deactivation here"),
        f"no: {step.used_from_here}" if step.used_from_here else "yes",
    )


def _watch(plan: AccountPlan) -> str:
    return "\n".join(
        [
            "## Watch",
            "",
            "`watch-rule.json` is an EventBridge pattern: issuing calls to the regions above, good or "
            "failed, and every `RegionDisabledException`. EventBridge rules are regional, so each region needs "
            "its own, with a target in it. AssumeRole is a read-only event for CloudTrail, so the rule must be in "
            "the state below, which the console cannot set; and a trail must be logging.",
            "",
            "```sh",
            f"for region in {' '.join(sorted(plan.regions))}; do",
            f'  aws events put-rule --region "$region" --name {_RULE} \\',
            "    --state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS --event-pattern file://watch-rule.json",
            f'  aws events put-targets --region "$region" --rule {_RULE} \\',
            f'    --targets "Id=1,Arn=arn:{plan.partition}:sns:$region:{plan.account_id}:YOUR-TOPIC"',
            "done",
            "```",
            "",
            "Events come by best effort, and none of refused calls from foreign accounts. `queries.sql` asks the "
            "same of the trail's logs in Athena; `sts-regions query errors --store DIR` asks it of a store that "
            "has read the newer logs. Delete the rules when you are done.",
            "",
            *_expected_events(plan),
        ]
    )


def _expected_events(plan: AccountPlan) -> list[str]:
    regions = [step.row.region.code for step in plan.steps if step.used_from_here]
    if not regions:
        return []
    return [
        f"The rule will also report calls of this account's own callers in {', '.join(regions)}: those for roles "
        "of other accounts are not harmed by the deactivation in this one.",
        "",
    ]


def _back(plan: AccountPlan) -> str:
    return "\n".join(
        [
            "## Go back",
            "",
            "At the first sign of harm: same page of the IAM console, activate the region again. If the policy "
            "was attached, detach it too: each of the two refuses by itself. Nothing else is changed by "
            "deactivation: credentials that were issued before, or in another region, keep working.",
            "",
            "A caller in need can be sent to another region meanwhile: "
            f"{', '.join(plan.left.used or plan.left.active) or 'none stays active'}.",
            "",
        ]
    )


def _policy(plan: AccountPlan) -> str:
    lines = ["## The service control policy (optional)", ""]
    if not plan.denied_regions:
        return "\n".join([*lines, "There is none: every region above is in use from this account.", ""])
    return "\n".join(
        [
            *lines,
            f"`scp.json` denies the operations that issue credentials in {', '.join(plan.denied_regions)}. It is "
            "no substitute for deactivation, for it binds other callers; use it beside it, or before it as a "
            f"trial that an API can undo. It has fewer than {SCP_LIMIT:,} characters. Attach it to this account "
            "alone, not to others: it was checked against the calls of this one. Try it on a test account first, "
            "as AWS advises for every such policy.",
            "",
            _BEYOND_THE_POLICY,
        ]
    )


def _postponed(postponed: Sequence[Postponed]) -> str:
    if not postponed:
        return ""
    return "\n".join(
        [
            "## Not yet",
            "",
            *_table(
                ("region", "verdict", "why", "what settles it"),
                [(p.row.region.code, p.row.verdict.value, why(p.row), p.settled_by) for p in postponed],
            ),
            "",
        ]
    )


def _stays(plan: AccountPlan) -> str:
    rows = [
        (row.region.code, row.verdict.value, why(row), row.seen.usage.last_used)
        for row in (*plan.with_verdict(Verdict.KEEP), *plan.with_verdict(Verdict.INACTIVE))
    ]
    left = plan.left
    lines = ["## What stays", ""]
    if rows:
        lines += [*_table(("region", "verdict", "why", "last used"), rows), ""]
    lines += [
        f"Active afterwards, as far as logs can tell: in use {', '.join(left.used) or 'none'}; "
        f"spare {', '.join(left.spares) or 'none'}.",
        "",
    ]
    return "\n".join(lines)


def _evidence(plan: AccountPlan) -> str:
    cut = [
        name
        for name, rows in (("days", plan.days), ("callers", plan.demand), ("other_activity", plan.writers))
        if len(rows) > EVIDENCE_ROWS
    ]
    lines = [
        "## The evidence",
        "",
        "- `decisions.csv`: every region with its verdict, reasons and figures.",
        "- `evidence/days.csv`: for each region that can be toggled, what the logs observe and count day by day.",
        "- `evidence/callers.csv`: who called STS for this account's credentials, and from this account for those "
        "of others.",
        "- `evidence/other_activity.csv`: who changes things there with other services.",
        "- `queries.sql`: the same check for Athena.",
    ]
    lines += [
        f"- `evidence/{name}.csv` was cut after {EVIDENCE_ROWS:,} rows; 'sts-regions query' shows all."
        for name in cut
    ]
    return "\n".join([*lines, ""])


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[str]:
    return [
        "| " + " | ".join(columns) + " |",
        "|" + " --- |" * len(columns),
        *("| " + " | ".join(markdown_cell(cell) for cell in row) + " |" for row in rows),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
