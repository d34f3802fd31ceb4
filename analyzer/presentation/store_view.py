"""What the commands that look after a store have found or done."""

from pathlib import Path

from analyzer.presentation.output import Answer, Styled, Table
from analyzer.report import SCHEMA_VERSION
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
