"""Writes a plan: a folder for each account, all of it or nothing, and never over what a person has written."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from analyzer.athena import check_statements
from analyzer.catalogue import Catalogue
from analyzer.demand import Demand
from analyzer.errors import OutputError, UsageError
from analyzer.plan import (
    EVIDENCE_ROWS,
    SCP_LIMIT,
    AccountPlan,
    DayRow,
    Plan,
    Writer,
    service_control_policy,
    watch_pattern,
)
from analyzer.presentation.output import Table, csv_text
from analyzer.presentation.report_view import verdict_table
from analyzer.presentation.runbook import runbook
from analyzer.presentation.safe_text import Cell
from analyzer.version import __version__
from analyzer.window import utc_text

MANIFEST = "plan.json"
"""Names every file of a plan with its SHA-256. By it a later plan knows what it may replace."""


def check_folder(folder: Path) -> None:
    """Whether a plan may be written there: new, empty, or as a former plan left it. Raises UsageError."""
    if folder.resolve() == Path.cwd():
        raise UsageError(f"--out {folder}: is the current folder, which would be replaced; name one below it")
    if not folder.exists():
        if not folder.resolve().parent.is_dir():
            raise UsageError(f"--out {folder}: the folder above it does not exist; make it first")
        return
    if not folder.is_dir():
        raise UsageError(f"--out {folder}: is no folder; choose another")
    found = _files_of(folder)
    if not found:
        return
    written = _manifest_of(folder)
    if written is None:
        raise UsageError(f"--out {folder}: is not empty and was not made by 'plan'; choose another")
    for name in sorted(found - {MANIFEST}):
        path = folder / name
        is_plain = path.is_file() and not path.is_symlink()
        if not is_plain or written.get(name) != _sha256(path.read_bytes()):
            raise UsageError(
                f"--out {folder}: {name} was added or changed since the plan was written; choose another folder, "
                "so that it is not lost"
            )


def _files_of(folder: Path) -> set[str]:
    """Everything below the folder that is no folder; links are not followed."""
    return {
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, folders, names in os.walk(folder)
        for name in [*names, *(one for one in folders if (Path(parent) / one).is_symlink())]
    }


def _manifest_of(folder: Path) -> Mapping[str, str] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return dict(manifest["files"]) if manifest["made_by"] == "sts-regions plan" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_plan(plan: Plan, folder: Path, catalogue: Catalogue) -> None:
    """Write the plan whole or not at all.

    Raises UsageError when the folder holds anything but a plan, OutputError when it cannot be written.
    """
    check_folder(folder)
    target = folder.resolve()
    try:
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            _write_files(plan, aside / "new", catalogue)
            if target.exists():
                target.rename(aside / "old")
            (aside / "new").rename(target)
        finally:
            if (aside / "old").exists() and not target.exists():
                (aside / "old").rename(target)
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None


def _write_files(plan: Plan, folder: Path, catalogue: Catalogue) -> None:
    folder.mkdir(mode=0o700)
    sums: dict[str, str] = {}
    for account in plan.accounts:
        for name, text in account_files(account, catalogue).items():
            path = folder / account.account_id / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            data = text.encode()
            _write_private(path, data)
            sums[f"{account.account_id}/{name}"] = _sha256(data)
    window = plan.report.window
    manifest = {
        "made_by": "sts-regions plan",
        "schema_version": 1,
        "version": __version__,
        "since": utc_text(window.since) if window else None,
        "until": utc_text(window.until) if window else None,
        "files": sums,
    }
    _write_private(folder / MANIFEST, _json(manifest).encode())


def _write_private(path: Path, data: bytes) -> None:
    """A new file for the owner alone: it names people, roles and addresses."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def account_files(plan: AccountPlan, catalogue: Catalogue) -> dict[str, str]:
    """The files of one account by name, as text."""
    files = {
        "runbook.md": runbook(plan),
        "watch-rule.json": _json(watch_pattern(plan, catalogue)),
        "queries.sql": check_statements(plan.account_id, plan.open_regions, plan.window, catalogue),
        "decisions.csv": csv_text(_decisions(plan)),
        "evidence/days.csv": csv_text(_rows(DayRow, plan.days)),
        "evidence/callers.csv": csv_text(_rows(Demand, plan.demand)),
        "evidence/other_activity.csv": csv_text(_rows(Writer, plan.writers)),
    }
    policy = service_control_policy(plan, catalogue)
    if policy is not None:
        text = _json(policy)
        if len(text) > SCP_LIMIT:
            text = json.dumps(policy, separators=(",", ":"))
        files["scp.json"] = text
    return files


def _decisions(plan: AccountPlan) -> Table:
    """Every verdict with its figures, the step of the plan, and room for a signature."""
    verdicts = verdict_table(plan.rows)
    steps = {step.row.region.code: step.number for step in plan.steps}
    code = verdicts.columns.index("region")
    return Table(
        (*verdicts.columns, "step", "approved_by", "approved_on"),
        [(*row, steps.get(str(row[code])), None, None) for row in verdicts.rows],
    )


def _rows(kind: type[Any], rows: Iterable[Any]) -> Table:
    names = [field.name for field in fields(kind)]
    shown: list[Sequence[Cell]] = [[getattr(row, name) for name in names] for row in rows]
    return Table(tuple(names), shown[:EVIDENCE_ROWS])


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
