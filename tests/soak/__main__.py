"""`python -m soak`: every campaign, two at a time, within ten minutes.

Each is a program of this package that stops by itself and ends in 1 when something failed. What it counted is
printed when it ends.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
_ROOM = 60
"""Seconds a campaign may take to end, over those it was given."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A program of this package, for so many of 540 seconds; two run at a time."""

    name: str
    share: float
    options: tuple[str, ...] = ()

    def run(self, seconds: float) -> bool:
        """Run it and print what it says; False when it failed or found something."""
        given = f"{seconds * self.share:.0f}"
        command = [sys.executable, "-m", f"soak.{self.name}", "--seconds", given, *self.options]
        try:
            ended = subprocess.run(
                command, cwd=_TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", timeout=float(given) + _ROOM,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            print(f"\n== {self.name}: does not end after {given} s and {_ROOM} s more", flush=True)
            return False
        print(f"\n== {self.name}: {'passed' if not ended.returncode else 'FAILED'}\n{ended.stdout}", flush=True)
        return not ended.returncode


# The longest first: the two others share the second core.
CAMPAIGNS = (Campaign("faults", 1.0), Campaign("judge", 0.45), Campaign("fuzz", 0.45))


def main() -> int:
    """Run the campaigns; 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=480, help="for all campaigns together")
    seconds = parser.parse_args().seconds
    with ThreadPoolExecutor(2) as pairs:
        passed = list(pairs.map(lambda campaign: campaign.run(seconds), CAMPAIGNS))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
