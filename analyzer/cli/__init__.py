"""The command line: parses, calls, and hands the answer to stdout. No rule of the product lives here."""

from analyzer.cli.commands import command_line

__all__ = ["command_line"]
