"""What can be asked of the ledger: what was read, what became of it, and what documents say about the logs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from analyzer.balance import Balance, FileBalance, RecordBalance
from analyzer.decoding import Outcome
from analyzer.digest_chain import CheckedDigest, Fault, UnsoundFiles
from analyzer.digests import Digest, Trail, object_name
from analyzer.ledger import TABLES
from analyzer.log_key import EVENT_HISTORY_FOLDER, LOG_FOLDER
from analyzer.parts import Part
from analyzer.queries import Value

_ROWS_AT_ONCE = 10_000
_DIGEST_MARK = "_CloudTrail-Digest_"

# A listed file is as it was delivered when it was ingested and all copies of it have the listed hash.
_UNSOUND_FILES = f"""
WITH copies AS (
    SELECT
        object_name,
        -- The hash of what could not be decompressed is empty: nobody can tell what it is.
        min(sha256) FILTER (WHERE sha256 <> '') AS least,
        max(sha256) FILTER (WHERE sha256 <> '') AS greatest,
        bool_or(outcome = 'ingested') AS is_read
    FROM current_sources
    WHERE folder = '{LOG_FOLDER}'
    GROUP BY object_name
),
listed AS (
    SELECT
        file.source_id, file.bucket, file.object,
        CASE
            WHEN copies.object_name IS NULL THEN '{Fault.MISSING_LOG_FILE}'
            WHEN copies.least <> file.sha256 OR copies.greatest <> file.sha256 THEN '{Fault.WRONG_HASH}'
            WHEN NOT copies.is_read THEN '{Fault.UNREAD_LOG_FILE}'
        END AS fault
    FROM digest_files AS file LEFT JOIN copies USING (object_name)
    WHERE file.source_id IN (SELECT source_id FROM current_sources)
)
SELECT source_id, fault, bucket, array_agg(DISTINCT object ORDER BY object) AS objects
FROM listed WHERE fault IS NOT NULL
GROUP BY source_id, fault, bucket ORDER BY source_id, fault, bucket
"""

_DIGESTS = """
WITH listed AS (SELECT source_id, count(*) AS files FROM digest_files GROUP BY source_id),
signatures AS (
    SELECT object_name, array_agg(DISTINCT signature ORDER BY signature) AS texts
    FROM digest_signatures WHERE source_id IN (SELECT source_id FROM current_sources)
    GROUP BY object_name
)
SELECT
    source_id, source.sha256, source.object_name, coalesce(listed.files, 0), signatures.texts,
    digest.* EXCLUDE (source_id, previous_signature), {previous_signature}
FROM digests AS digest
JOIN current_sources AS source USING (source_id)
LEFT JOIN listed USING (source_id)
LEFT JOIN signatures ON signatures.object_name = source.object_name
ORDER BY digest.account_id, digest.region, digest.trail, digest.home_region, end_time, source_id
"""


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What the ledger remembers of a source object."""

    size: int
    version: str
    outcome: Outcome
    reason: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """A log file's account, region and day, and whether it was read."""

    account_id: str
    region: str
    day: date
    outcome: Outcome


class Ledger:
    """The ledger of an open store."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def parts(self) -> list[Part]:
        """All parts, by path."""
        rows = self._connection.execute(f"SELECT {', '.join(TABLES['parts'].names)} FROM parts ORDER BY path")
        return [Part(*row) for row in rows.fetchall()]

    def pruned_before(self) -> date | None:
        """The UTC day before which all events were removed, if any were."""
        rows = self.rows("SELECT CAST(value AS DATE) FROM meta WHERE name = 'pruned_before'")
        return rows[0][0] if rows else None

    def span(self) -> tuple[datetime | None, datetime | None]:
        """From the first event or digest period to the last, naive UTC; None when there is none."""
        first, last = self._row(
            "SELECT min(first), max(last) FROM ("
            "SELECT min(first_event) AS first, max(last_event) AS last FROM parts "
            # A digest's end is excluded: one that ends at midnight does not speak of the next day.
            "UNION ALL SELECT min(greatest(start_time, $kept)), max(end_time) - INTERVAL 1 MICROSECOND "
            "FROM digests WHERE end_time > $kept AND source_id IN (SELECT source_id FROM current_sources))",
            # What digests say of days that were pruned is about events that are not here.
            {"kept": self.pruned_before() or date.min},
        )
        return first, last

    def known_sources(self) -> dict[str, KnownSource]:
        """What the ledger remembers, by URI."""
        rows = self._connection.execute(
            "SELECT uri, size, version, outcome, reason, sha256 FROM current_sources"
        ).fetchall()
        return {
            uri: KnownSource(size, version, Outcome(outcome), reason, sha)
            for uri, size, version, outcome, reason, sha in rows
        }

    def settled_folders(
        self, root: str, since: date | None, retried: Collection[str], margin: timedelta
    ) -> dict[str, date]:
        """Folders below `root` that were listed before: the first delivery day that can have changed since.

        Args:
            root: bucket as a URI that ends in a slash; the folders are keys in it.
            since: first day asked for now; listings that began later say nothing.
            retried: reasons of rejections after which a file is asked for again, whatever its day.
            margin: how long after a day its files may still come.
        """
        rows = self._connection.execute(
            "SELECT folder, max(least(CAST(listed_at - ? AS DATE), coalesce(last_day, DATE '9999-12-31'))) "
            "FROM listed_folders WHERE starts_with(folder, ?) AND (first_day IS NULL OR first_day <= ?) "
            "GROUP BY folder",
            [margin, root, since],
        ).fetchall()
        pending = self._connection.execute(
            "SELECT uri, day FROM current_sources WHERE outcome = 'rejected' AND starts_with(uri, ?) "
            "AND list_contains(?, reason)",
            [root, list(retried)],
        ).fetchall()
        settled = {}
        for folder, day in rows:
            days = [pending_day or date.min for uri, pending_day in pending if uri.startswith(folder)]
            settled[folder.removeprefix(root)] = min(day, *days) if days else day
        return settled

    def remember_listed(self, folders: Iterable[tuple[str, date | None, date | None]], now: datetime) -> None:
        """Note folders (URI, first and last day; None: no bound) that were listed to their end at `now`."""
        for folder, first, last in folders:
            self._connection.execute("INSERT INTO listed_folders VALUES (?, ?, ?, ?)", [folder, first, last, now])

    def unlisted_folders(self, root: str = "") -> list[tuple[str, str]]:
        """URI and reason of what could not be listed when it was last asked for, folders above all."""
        # An object has a version, its ETag; what could not be listed has none.
        return self._connection.execute(
            "SELECT uri, reason FROM current_sources WHERE outcome = 'rejected' AND version = '' "
            "AND starts_with(uri, ?) ORDER BY ALL",
            [root],
        ).fetchall()

    def forget_unlisted(self, folders: Sequence[str]) -> None:
        """Take folders (URI) out of the ledger that could not be listed and now could be."""
        self._connection.execute(
            "DELETE FROM sources WHERE version = '' AND list_contains(?, uri)", [list(folders)]
        )

    def event_history_days(self) -> list[tuple[str, str, date]]:
        """Account, region and day of everything that was asked from Event history and came."""
        return self._connection.execute(
            "SELECT DISTINCT account_id, region, day FROM current_sources "
            f"WHERE folder = '{EVENT_HISTORY_FOLDER}' AND outcome = '{Outcome.INGESTED}' ORDER BY ALL"
        ).fetchall()

    def known_archives(self) -> dict[tuple[str, int, str], list[tuple[str, Outcome, str]]]:
        """Members (URI, outcome, reason) of the archives that were read to their end, by URI, size, version."""
        rows = self._connection.execute(
            "SELECT DISTINCT a.uri, a.size, a.version, s.uri, s.outcome, s.reason FROM archives AS a "
            "LEFT JOIN current_sources AS s ON s.archive_uri = a.uri AND s.version = a.version ORDER BY ALL"
        ).fetchall()
        members: dict[tuple[str, int, str], list[tuple[str, Outcome, str]]] = {}
        for uri, size, version, member, outcome, reason in rows:
            listed = members.setdefault((uri, size, version), [])
            if member is not None:
                listed.append((member, Outcome(outcome), reason))
        return members

    def log_days(self) -> list[LedgerDay]:
        """Account, region, day and outcome of every log file that carries them in its key."""
        rows = self._connection.execute(
            "SELECT DISTINCT account_id, region, day, outcome FROM current_sources "
            "WHERE folder = 'CloudTrail' ORDER BY ALL"
        ).fetchall()
        return [LedgerDay(account, region, day, Outcome(outcome)) for account, region, day, outcome in rows]

    def rejected_log_files(self) -> list[tuple[str, str, date, str, str]]:
        """Account, region, day, URI and reason of every log file that was rejected."""
        return self._connection.execute(
            "SELECT account_id, region, day, uri, reason FROM current_sources "
            f"WHERE folder = '{LOG_FOLDER}' AND outcome = '{Outcome.REJECTED}' ORDER BY ALL"
        ).fetchall()

    def folder_accounts(self) -> set[str]:
        """Accounts that have a trail folder (log files, digests or others)."""
        rows = self._connection.execute("SELECT DISTINCT account_id FROM current_sources WHERE in_trail_folder")
        return {account for (account,) in rows.fetchall()}

    def organizations(self) -> dict[str, set[str]]:
        """Accounts that have a folder below an organization's, as an organization trail makes them, by its id."""
        rows = self._connection.execute(
            "SELECT DISTINCT organization, account_id FROM current_sources WHERE organization IS NOT NULL"
        )
        accounts: dict[str, set[str]] = {}
        for organization, account_id in rows.fetchall():
            accounts.setdefault(organization, set()).add(account_id)
        return accounts

    def digests(self, *, signed: bool) -> Iterator[tuple[CheckedDigest, tuple[str, ...]]]:
        """Every digest with the state of the files it lists and its saved signatures, trail by trail.

        The digests come without their lists of files: only files that are not as they were delivered are named.
        `signed`: with all that is signed. Without, `previous_signature` is None: it is most of a digest's bytes.
        """
        unsound: dict[int, list[UnsoundFiles]] = {}
        for source_id, fault, bucket, objects in self._connection.execute(_UNSOUND_FILES).fetchall():
            unsound.setdefault(source_id, []).append(UnsoundFiles(Fault(fault), bucket, tuple(objects)))
        signature = "previous_signature" if signed else "NULL"
        rows = self._connection.cursor().execute(_DIGESTS.format(previous_signature=signature))
        while chunk := rows.fetchmany(_ROWS_AT_ONCE):
            for source_id, sha256, found_as, listed, signatures, *columns in chunk:
                digest = _digest(*columns)
                checked = CheckedDigest(
                    digest=digest,
                    sha256=sha256,
                    is_moved=_DIGEST_MARK in found_as and found_as != object_name(digest.object),
                    listed=listed,
                    unsound=tuple(unsound.get(source_id, ())),
                )
                yield checked, tuple(signatures or ())

    def fingerprints(self) -> list[str]:
        """Fingerprints of the keys with which the digests say that they were signed."""
        rows = self._connection.execute("SELECT DISTINCT fingerprint FROM digests ORDER BY ALL").fetchall()
        return [fingerprint for (fingerprint,) in rows]

    def trail_descriptions(self) -> list[tuple[str, str]]:
        """Name of the document and JSON text of every trail description."""
        return self._connection.execute(
            "SELECT d.name, d.description FROM trail_descriptions AS d JOIN current_sources USING (source_id) "
            "ORDER BY ALL"
        ).fetchall()

    def unusable_statements(self) -> list[tuple[str, str, str]]:
        """URI, reason and detail of every digest and signature that could not be used."""
        return self._connection.execute(
            "SELECT s.uri, r.reason, s.detail "
            "FROM current_sources AS s JOIN source_reasons AS r USING (source_id) "
            "WHERE r.kind = 'note' AND r.reason IN ('malformed_digest', 'malformed_signature') ORDER BY ALL"
        ).fetchall()

    def fingerprint(self) -> str:
        """SHA-256 over the contents of everything read: the same for the same files, wherever they lie.

        A store of which events were pruned has another, for its answers are others.
        """
        (found,) = self._row(
            "SELECT sha256(coalesce(string_agg(line, chr(10) ORDER BY line), '')) "
            "FROM (SELECT concat_ws(' ', sha256, size, outcome) AS line FROM current_sources "
            "UNION ALL SELECT concat(name, ' ', value) FROM meta WHERE name = 'pruned_before')"
        )
        return str(found)

    def balance(self) -> Balance:
        """Everything the store has ever been given: files as they stand, records over all readings."""
        files = dict(
            self._connection.execute("SELECT outcome, count(*) FROM current_sources GROUP BY ALL").fetchall()
        )
        seen, kept, duplicate, skipped, rejected = self._row(
            "SELECT coalesce(sum(COLUMNS(['seen', 'kept', 'duplicate', 'skipped', 'rejected'])), 0) FROM sources"
        )
        balance = Balance(
            FileBalance(
                seen=sum(files.values()),
                ingested=files.get("ingested", 0),
                skipped=files.get("skipped", 0),
                rejected=files.get("rejected", 0),
            ),
            RecordBalance(int(seen), int(kept), int(duplicate), int(skipped), int(rejected)),
            self._file_reasons(Outcome.SKIPPED),
            self._file_reasons(Outcome.REJECTED),
            self._record_reasons("skipped"),
            self._record_reasons("rejected"),
        )
        balance.check()
        return balance

    def _file_reasons(self, outcome: Outcome) -> dict[str, int]:
        return dict(
            self._connection.execute(
                "SELECT reason, count(*) FROM current_sources WHERE outcome = ? GROUP BY reason ORDER BY reason",
                [outcome.value],
            ).fetchall()
        )

    def _record_reasons(self, kind: str) -> dict[str, int]:
        rows = self._connection.execute(
            "SELECT reason, sum(records) FROM source_reasons WHERE kind = ? GROUP BY reason ORDER BY reason",
            [kind],
        ).fetchall()
        return {reason: int(records) for reason, records in rows}

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """What a statement of the product's own gives; people's SQL goes through `ask_ad_hoc`."""
        return self._connection.execute(sql, list(values)).fetchall()

    def _table(self, sql: str, values: Mapping[str, Value] | None = None) -> pa.Table:
        return self._connection.sql(sql, params=dict(values or {})).to_arrow_table()

    def _row(self, sql: str, values: Mapping[str, Value | date] | None = None) -> tuple[Any, ...]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, dict(values or {})).fetchall()
        return rows[0]


def _digest(
    account_id: str,
    region: str,
    trail: str,
    home_region: str,
    start: datetime,
    end: datetime,
    end_text: str,
    bucket: str,
    key: str,
    fingerprint: str,
    is_backfill: bool,
    previous_bucket: str | None,
    previous_object: str | None,
    previous_sha256: str | None,
    previous_signature: str | None,
) -> Digest:
    """A digest from its row of the ledger, without its list of files."""
    return Digest(
        trail=Trail(account_id, region, trail, home_region),
        start=start,
        end=end,
        end_text=end_text,
        bucket=bucket,
        object=key,
        fingerprint=fingerprint,
        is_backfill=is_backfill,
        previous_bucket=previous_bucket,
        previous_object=previous_object,
        previous_sha256=previous_sha256,
        previous_signature=previous_signature,
        files=(),
    )
