"""`sts-regions` and `python -m analyzer`."""

import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    from analyzer.cli import command_line

    sys.exit(command_line())


if __name__ == "__main__":
    main()
