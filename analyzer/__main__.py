"""`sts-regions` and `python -m analyzer`."""

import os
import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    from analyzer.cli import command_line
    from analyzer.errors import ExitCode

    code = command_line()
    if code is ExitCode.INTERRUPTED:
        # A thread may still be blocked in a read that nothing ends; everything worth closing is closed.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
