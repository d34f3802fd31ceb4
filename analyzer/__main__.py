"""`sts-regions` and `python -m analyzer`."""

import os
import signal
import sys
from types import FrameType

from analyzer.errors import ExitCode


def main() -> None:
    """Run the command line and end with its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        from analyzer.cli import command_line

        code = command_line()
    except KeyboardInterrupt:
        # While it was loading or ending there was nothing to say.
        code = ExitCode.INTERRUPTED
    if code is ExitCode.INTERRUPTED:
        # A thread may still be blocked in a read that nothing ends; everything worth closing is closed.
        sys.stderr.flush()
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            # Whoever sent it wants to see that it was heeded. The first process of a container survives this.
            os.kill(os.getpid(), signal.SIGTERM)
            code = ExitCode.TERMINATED
        os._exit(code)
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    """Let SIGTERM end the command as Ctrl-C does, and the second one at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
