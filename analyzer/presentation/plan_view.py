"""What `plan` wrote, in words and rows."""

from pathlib import Path

from analyzer.plan import AccountPlan, Plan
from analyzer.presentation.output import Answer, Table
from analyzer.report import SCHEMA_VERSION
from analyzer.verdicts import Verdict
from analyzer.version import __version__

_COLUMNS = ("account_id", "deactivate", "denied_by_scp", "not_yet", "keep", "inactive", "spares", "runbook")


def plan_answer(plan: Plan, folder: Path) -> Answer:
    """One row for each account."""
    steps = sum(len(account.steps) for account in plan.accounts)
    waiting = sum(len(account.postponed) for account in plan.accounts)
    accounts = len(plan.accounts)
    notes = [
        f"{account.account_id}: no spare region would be left; its runbook says what to leave out."
        for account in plan.accounts
        if account.steps and not account.left.spares
    ]
    if plan.unplanned:
        notes.append(f"Not planned: {len(plan.unplanned)} that the logs name and that are no account ids.")
    return Answer(
        data={
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "sts-regions", "version": __version__},
            "folder": str(folder),
            "accounts": [
                {
                    "account_id": account.account_id,
                    "deactivate": list(account.regions),
                    "denied_by_scp": list(account.denied_regions),
                    "not_yet": [postponed.row.region.code for postponed in account.postponed],
                    "spares": list(account.left.spares),
                }
                for account in plan.accounts
            ],
        },
        table=Table(_COLUMNS, [_row(account, folder) for account in plan.accounts]),
        headline=(
            f"{steps} regional {'endpoint' if steps == 1 else 'endpoints'} to deactivate in {accounts} "
            f"{'account' if accounts == 1 else 'accounts'}, {waiting} not yet; the plan is in {folder}.",
        ),
        notes=tuple(notes),
    )


def _row(account: AccountPlan, folder: Path) -> tuple[str | int, ...]:
    return (
        account.account_id,
        len(account.steps),
        len(account.denied_regions),
        len(account.postponed),
        len(account.with_verdict(Verdict.KEEP)),
        len(account.with_verdict(Verdict.INACTIVE)),
        len(account.left.spares),
        str(folder / account.account_id / "runbook.md"),
    )
