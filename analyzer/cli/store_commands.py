"""`sts-regions store …`: the commands that look after a store."""

import typer

from analyzer.cli.arguments import write_answer
from analyzer.cli.options import Out, Output, RequiredStore
from analyzer.errors import ExitCode

store_app = typer.Typer(
    name="store",
    help="Look after a store: check that it is sound, remove old events, merge small files.",
    no_args_is_help=True,
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
