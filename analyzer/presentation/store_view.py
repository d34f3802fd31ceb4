"""What the commands that look after a store have found or done."""

from pathlib import Path
from typing import Any

from analyzer.compaction import Compacted
from analyzer.presentation.output import Answer, Styled, Table
from analyzer.report import SCHEMA_VERSION
from analyzer.retention import Pruned
from analyzer.store_check import Checked, checked_json


def check_answer(checked: Checked, store: Path) -> Answer:
    """Sound or not, in words, and a row for each fault."""
    columns = ("kind", "place", "what", "what to do")
    rows = [(fault.damage.value, fault.place, fault.detail, fault.remedy) for fault in checked.faults]
    looked_at = (
        f"{checked.parts:,} parts with {checked.events:,} events from {checked.sources:,} readings of files"
    )
    if checked.is_sound:
        verdict = f"The store is sound: {looked_at}; every hash, every row and every sum is as the ledger says."
    else:
        faults = f"{len(rows):,} fault{'' if len(rows) == 1 else 's'}"
        verdict = f"The store is not sound: {faults} found in {looked_at}."
    return Answer(
        data={"schema_version": SCHEMA_VERSION, "store": str(store), **checked_json(checked)},
        table=Table(columns, rows),
        view=Table(columns, [(Styled(kind, "red"), *rest) for kind, *rest in rows]),
        headline=(verdict,),
    )


def prune_answer(pruned: Pruned, store: Path) -> Answer:
    """What went, or would go, and what stays."""
    figures: dict[str, Any] = {
        "before": pruned.before.isoformat(),
        "events": pruned.events,
        "kept": pruned.kept,
        "parts": pruned.parts,
        "bytes": pruned.bytes,
        "bytes_left": pruned.bytes_left,
        "done": pruned.is_done,
    }
    verb = "were" if pruned.is_done else "would be"
    size = "" if pruned.bytes_left is None else f"; {pruned.bytes:,} bytes became {pruned.bytes_left:,}"
    headline = (
        f"{pruned.events:,} events before {pruned.before} {verb} removed from {pruned.parts:,} parts, "
        f"{pruned.kept:,} events stay{size}."
    )
    meaning = (
        f"Days before {pruned.before} are no evidence any more: a report that reaches back there cannot say "
        "deactivate."
    )
    return Answer(
        data={"schema_version": SCHEMA_VERSION, "store": str(store), **figures},
        table=Table(tuple(figures), [tuple(figures.values())]),
        view=Table((), ()),
        headline=(headline, meaning),
    )


def compact_answer(compacted: Compacted, store: Path) -> Answer:
    """How many files there were and are."""
    figures = {
        "parts": compacted.parts,
        "parts_left": compacted.parts_left,
        "bytes": compacted.bytes,
        "bytes_left": compacted.bytes_left,
    }
    if compacted.parts == compacted.parts_left:
        headline = f"Nothing to merge: {compacted.parts:,} parts of {compacted.bytes:,} bytes."
    else:
        headline = (
            f"{compacted.parts:,} parts of {compacted.bytes:,} bytes became {compacted.parts_left:,} of "
            f"{compacted.bytes_left:,} bytes, with the same events."
        )
    return Answer(
        data={"schema_version": SCHEMA_VERSION, "store": str(store), **figures},
        table=Table(tuple(figures), [tuple(figures.values())]),
        view=Table((), ()),
        headline=(headline,),
    )
