"""`sts-regions store …`: the commands that look after a store."""

from typing import Annotated

import typer

from analyzer.cli.arguments import day_of, write_answer
from analyzer.cli.options import Out, Output, RequiredStore
from analyzer.errors import ExitCode, UsageError

store_app = typer.Typer(
    name="store",
    help="Look after a store: check that it is sound, remove old events, merge small files.",
)


@store_app.command()
def check(store: RequiredStore, output: Output = None, out: Out = None) -> ExitCode:
    """Check every hash, row and sum of a store. Changes nothing; ends in exit code 3 if something is wrong."""
    from analyzer.catalogue import Catalogue
    from analyzer.presentation.console import ConsoleNarrator
    from analyzer.presentation.store_view import check_answer
    from analyzer.store import opened_as_it_is
    from analyzer.store_check import check_store

    with opened_as_it_is(store, catalogue=Catalogue(), on_wait=ConsoleNarrator().waiting) as opened:
        checked = check_store(opened)
    write_answer(check_answer(checked, store), output, out)
    return ExitCode.OK if checked.is_sound else ExitCode.FINDINGS


@store_app.command()
def prune(
    store: RequiredStore,
    before: Annotated[
        str | None, typer.Option(metavar="DAY", help="First UTC day that stays, like 2026-08-01.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")
    ] = False,
    output: Output = None,
    out: Out = None,
) -> ExitCode:
    """Remove the events before a day. Their files stay known and are not read again.

    Those days are no evidence any more: a report that reaches back there cannot say deactivate.
    """
    from datetime import UTC, datetime

    from analyzer.catalogue import Catalogue
    from analyzer.presentation.console import ConsoleNarrator
    from analyzer.presentation.store_view import prune_answer
    from analyzer.retention import prune as prune_store
    from analyzer.store import open_store
    from analyzer.store_place import check_presence

    day = day_of(before, "--before")
    if day is None:
        raise UsageError("name the first day that stays with --before DAY")
    check_presence(store)
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_store(store, write=not dry_run, catalogue=Catalogue(), on_wait=ConsoleNarrator().waiting) as opened:
        pruned = prune_store(opened, day, now, dry_run=dry_run)
    write_answer(prune_answer(pruned, store), output, out)
    return ExitCode.OK


@store_app.command()
def compact(store: RequiredStore, output: Output = None, out: Out = None) -> ExitCode:
    """Merge small Parquet files: few of them for each service and month, with the same events."""
    from datetime import UTC, datetime

    from analyzer.catalogue import Catalogue
    from analyzer.compaction import compact as compact_store
    from analyzer.presentation.console import ConsoleNarrator
    from analyzer.presentation.store_view import compact_answer
    from analyzer.store import open_store
    from analyzer.store_place import check_presence

    check_presence(store)
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_store(store, write=True, catalogue=Catalogue(), on_wait=ConsoleNarrator().waiting) as opened:
        compacted = compact_store(opened, now)
    write_answer(compact_answer(compacted, store), output, out)
    return ExitCode.OK
