"""Everything that can go wrong, one class per thing the user can do about it.

StsRegionsError
├── UsageError        the arguments cannot be carried out as given: change the command
├── StoreError        the store cannot be used: the message says how to mend or replace it
│   └── StoreBusy     another process holds the store: wait for it or stop it
├── SourceError       a source cannot be used at all: sign in, or correct its name or the settings
├── QueryError        SQL was refused or failed: change the query
├── OutputError       the result cannot be written: choose another place
└── BalanceError      what was read does not add up: a defect, nothing is reported

Bad *input* is not an exception: one bad file never stops the others. It is a rejection, counted in the
balance sheet, named on stderr, and ends in exit code 4.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says when it ends. Documented in the README."""

    OK = 0
    """The command did what was asked."""
    FAILED = 1
    """The command could not do what was asked; stderr says why and what to do."""
    USAGE = 2
    """The arguments cannot be carried out as given."""
    FINDINGS = 3
    """The command worked and found what `--fail-on` asked about, or `store check` found a fault."""
    INPUT_REJECTED = 4
    """The command finished, but some input was rejected: the answer rests on the rest."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C; the store is readable and a rerun continues."""
    TERMINATED = 143
    """The same by SIGTERM, of which the process dies: shells show it as this number."""


class StsRegionsError(Exception):
    """Base of all errors with a message for the user: what, where and what to do, in one line."""

    exit_code = ExitCode.FAILED


class UsageError(StsRegionsError):
    """The arguments cannot be carried out as given."""

    exit_code = ExitCode.USAGE


class StoreError(StsRegionsError):
    """The store is missing, damaged, or written by an incompatible version."""


class StoreBusy(StoreError):
    """Another process holds the store."""


class SourceError(StsRegionsError):
    """A source cannot be used at all: no credentials that it takes, or no way to reach it."""


class QueryError(StsRegionsError):
    """A query was refused (it would leave the store) or failed."""


class OutputError(StsRegionsError):
    """The result could not be written where `--out` asked."""


class BalanceError(StsRegionsError):
    """Files or records do not add up. This is a defect of the product, and no result is shown."""
