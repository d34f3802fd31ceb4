"""The product against its judge: random organizations must give the same rows in both.

    python -m soak.judge --seconds 600 --runs 500 --seed 0

Each run is one organization (tests/organizations.py), answered by the product in this process through its command
line and by tests/reference.py. The rows are compared field by field on the fields of the contract.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import reference
from organizations import Organization, organization
from trail import run

from analyzer.errors import ExitCode

Row = Mapping[str, Any]
ANSWERED = (ExitCode.OK, ExitCode.INPUT_REJECTED)
SHOWN = 20
"""Most differences of one organization that are printed."""


def judged(asked: Organization, folder: Path) -> Any:
    """What the judge says of an organization that was written into a folder."""
    window, trails = (asked.since, asked.until), asked.trail_files(folder)
    return reference.report(asked.logs(folder), *window, asked.min_days, asked.service_calls, trails)


def answered(asked: Organization, folder: Path) -> Any:
    """What the product says of it."""
    options = ["--min-days", str(asked.min_days), "--service-calls", asked.service_calls]
    options += [part for path in asked.trail_files(folder) for part in ("--trail", str(path))]
    for name, day in (("--since", asked.since), ("--until", asked.until)):
        options += [name, str(day)] if day else []
    return product_report(asked.logs(folder), options, folder)


def product_report(logs: Path, options: Sequence[str], folder: Path) -> Any:
    """What `analyze` says of a directory of logs; `folder` is for the answer."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        code, answer = run("analyze", logs, *options, out=folder)
    if code not in ANSWERED:
        raise RuntimeError(f"the product ended with exit code {code}: {told.getvalue().strip()[-500:]}")
    return answer


def differences(expected: Row, actual: Row) -> Iterator[str]:
    """A line for every field in which two reports differ, every row that one lacks, and a wrong order."""
    for name in ("window", "balance"):
        yield from _fields(name, expected[name], actual[name])
    for name, key in (
        ("usage", ("account_id", "endpoint", "region", "serving_region")),
        ("verdicts", ("account_id", "region")),
    ):
        wanted, given = ([tuple(row[part] for part in key) for row in one[name]] for one in (expected, actual))
        for place in [one for one in wanted if one not in given]:
            yield f"{name} {place}: the product has no such row"
        for place in [one for one in given if one not in wanted]:
            yield f"{name} {place}: the judge has no such row"
        if set(wanted) == set(given) and wanted != given:
            yield f"{name}: the rows are the same, their order or number is not"
        rows = dict(zip(given, actual[name], strict=True))
        for place, row in zip(wanted, expected[name], strict=True):
            if place in rows:
                yield from _fields(f"{name} {place}", row, rows[place])


def _fields(name: str, expected: Row, actual: Row) -> Iterator[str]:
    """The fields of the judge's row: the product may have more."""
    for field, value in expected.items():
        given = actual.get(field)
        if isinstance(value, Mapping) and isinstance(given, Mapping):
            yield from _fields(f"{name} {field}", value, given)
        elif (type(given), given) != (type(value), value):
            yield f"{name} {field}: judge {json.dumps(value)}, product {json.dumps(given)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge organizations one after another; prints counts and every difference. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="stop after this time")
    parser.add_argument("--runs", type=int, help="stop after this many organizations")
    parser.add_argument("--seed", type=int, default=0, help="the first organization")
    parser.add_argument("--show", action="store_true", help="print every difference")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    seed = options.seed
    while time.monotonic() < end and (options.runs is None or seed - options.seed < options.runs):
        asked = organization(seed)
        counts.update({"organizations": 1, "files": len(asked.files)})
        with tempfile.TemporaryDirectory(prefix="judge-") as folder:
            asked.write(Path(folder))
            try:
                found = [*differences(judged(asked, Path(folder)), answered(asked, Path(folder)))]
            except Exception as error:
                found = [f"{type(error).__name__}: {error}"]
        if found:
            counts["organizations with differences"] += 1
            print(f"seed {seed}: {len(found)} differences; python -m soak.judge --runs 1 --show --seed {seed}")
            for line in found if options.show else found[:SHOWN]:
                print(f"    {line}")
        seed += 1
    for name in ("organizations", "files", "organizations with differences"):
        print(f"{name:32} {counts[name]:8,}")
    return 1 if counts["organizations with differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
