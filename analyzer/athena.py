"""The questions of `queries/` as statements for Amazon Athena, over the table that AWS documents for CloudTrail.

The statements are those that run on a store, with `events` read from that table (`data/athena_events.sql`). Tests
run them on DuckDB with Athena's functions put in; nobody has run them on Athena itself, and their text says so.
"""

import re
from collections.abc import Sequence
from importlib.resources import files

from analyzer.catalogue import Catalogue
from analyzer.queries import compose
from analyzer.window import Window

_ACCOUNT = re.compile(r"[0-9]{12}")

_PREFACE = """\
-- The same check for Amazon Athena (Trino SQL), account {account}.
--
-- The table: cloudtrail_logs, as the Athena user guide makes it ("Create a table for CloudTrail logs in Athena"),
-- over the trail's whole bucket, with the columns addendum, sharedeventid and tlsdetails. It must hold the logs of
-- every region below, and of every account whose people or software ask for roles of this one. If it has
-- partitions, add their conditions where cloudtrail_logs is read: Athena bills by bytes read.
-- The window: change the two days in asked_window.
-- Tested on DuckDB with the functions of Athena put in; not run on Athena itself. That no row comes is good news
-- only if the logs of all days are there: SQL cannot see files that are missing.
"""

_USE = """\
-- 1. Who still uses the endpoints? issuing_calls would be refused, failed_calls are attempts. A row with endpoint
--    'global' is served from the region today and becomes regional when its callers migrate.
"""

_REFUSED = """\
-- 2. After deactivation: what fails, and why? RegionDisabledException is what deactivation answers. Refused calls
--    of other organizations' accounts are not in your logs.
"""


def check_statements(account_id: str, regions: Sequence[str], window: Window, catalogue: Catalogue) -> str:
    """Two statements for one account (twelve digits): the use of some regions, and what fails there.

    Raises ValueError when an account or region does not have the form of one: both stand in the text as they are.
    """
    if not _ACCOUNT.fullmatch(account_id) or not all(catalogue.is_region_code(region) for region in regions):
        raise ValueError("not an account id or not a region code")
    listed = ", ".join(f"'{region}'" for region in regions)
    place = f"account_id = '{account_id}' AND (region IN ({listed}) OR serving_region IN ({listed}))"
    failing = f"account_id = '{account_id}' AND region IN ({listed})"
    return "\n".join(
        [
            _PREFACE.format(account=account_id),
            f"{_USE}{_statement('usage', place, window, catalogue)};\n",
            f"{_REFUSED}{_statement('errors', failing, window, catalogue)};\n",
        ]
    )


def _statement(name: str, condition: str, window: Window, catalogue: Catalogue) -> str:
    events = files("analyzer").joinpath("data/athena_events.sql").read_text(encoding="utf-8").strip()
    asked = (
        f"SELECT TIMESTAMP '{window.start:%Y-%m-%d %H:%M:%S}' AS since, "
        f"TIMESTAMP '{window.end:%Y-%m-%d %H:%M:%S}' AS until"
    )
    answer = compose(name, catalogue)
    for parameter in ("since", "until"):
        answer = answer.replace(f"${parameter}", f"(SELECT {parameter} FROM asked_window)")
    return (
        f"WITH asked_window AS (\n{asked}\n), events AS (\n{events}\n)\n"
        f"SELECT * FROM (\n{answer}\n) AS answer\nWHERE {condition}"
    )
