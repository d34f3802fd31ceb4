"""What the key of a CloudTrail log file tells: account, region and day of delivery.

Layout (CloudTrail user guide, "Finding your CloudTrail log files"):
`[prefix/]AWSLogs/[o-xxxx/]<account>/CloudTrail/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<16>.json.gz`.
The day is the day of *delivery* in UTC: an event may be older than the file it lies in. Files that were
copied out of their folders still carry all of it in their name.
"""

import re
from dataclasses import dataclass
from datetime import date

LOG_FOLDER = "CloudTrail"
DIGEST_FOLDER = "CloudTrail-Digest"
LONGEST = 8192
"""Most characters of a key or path that is looked at: S3 allows 1,024, Linux 4,096, an archive any number."""

EVENT_HISTORY_FOLDER = "event-history"
"""In place of a folder, for a day that was asked from Event history."""

_PATH = re.compile(
    r"(?:^|/)AWSLogs/(?:(o-[a-z0-9]{1,32})/)?([0-9]{12})/(CloudTrail(?:-[A-Za-z]{1,32})?)/([a-z0-9-]{1,32})"
    r"/([0-9]{4})/([0-9]{2})/([0-9]{2})/[^/]*$"
)
_NAME = re.compile(
    r"(?:^|/)([0-9]{12})_(CloudTrail(?:-[A-Za-z]{1,32})?)_([a-z0-9-]{1,32})_"
    r"(?:[^/]*_)?([0-9]{4})([0-9]{2})([0-9]{2})T[0-9]{4,6}Z[^/]*$"
)
_FOLDER = re.compile(
    r"(?:^|/)AWSLogs(?:/o-[a-z0-9]{1,32})?"
    r"(?:/([0-9]{12})(?:/(CloudTrail(?:-[A-Za-z]{1,32})?)(?:/([a-z0-9-]{1,32})(?:/[0-9]{4}(?:/[0-9]{2})?)?)?)?)?/?$"
)
_EVENT_HISTORY = re.compile(r"^event-history:/([0-9]{12})/([a-z0-9-]{1,32})/([0-9]{4})-([0-9]{2})-([0-9]{2})$")


@dataclass(frozen=True, slots=True)
class LogKey:
    """Account, region and delivery day of one delivered file."""

    account_id: str
    region: str
    day: date
    folder: str = LOG_FOLDER
    in_trail_folder: bool = False
    """Whether the account was told by an `AWSLogs/<account>/` folder and not by the file's name alone."""
    organization: str | None = None
    """The organization's id, in an organization trail's folders."""

    @property
    def is_log_file(self) -> bool:
        """Whether the key is that of a log file, not of a digest, Insight or network activity file."""
        return self.folder == LOG_FOLDER

    @property
    def is_digest(self) -> bool:
        """Whether the key is that of a digest or of something saved beside one."""
        return self.folder == DIGEST_FOLDER


def parse_log_key(key: str) -> LogKey | None:
    """Read account, region and day out of an object key or file path; None when it is not laid out so.

    The folders are believed before the name. Back slashes count as separators.
    """
    if len(key) > LONGEST:
        return None
    key = key.replace("\\", "/")
    if match := _PATH.search(key):
        organization, account_id, folder, region, *ymd = match.groups()
    elif match := _NAME.search(key):
        organization, (account_id, folder, region, *ymd) = None, match.groups()
    elif match := _EVENT_HISTORY.match(key):
        organization, folder, (account_id, region, *ymd) = None, EVENT_HISTORY_FOLDER, match.groups()
    else:
        return None
    try:
        day = date(int(ymd[0]), int(ymd[1]), int(ymd[2]))
    except ValueError:
        return None
    return LogKey(account_id, region, day, folder, match.re is _PATH, organization)


def parse_folder_key(key: str) -> tuple[str | None, str | None] | None:
    """Account and region (None: all) whose log files lie below a folder; None when it is no such folder."""
    match = _FOLDER.search(key.replace("\\", "/"))
    if match is None or match[2] not in (None, LOG_FOLDER):
        return None
    return match[1], match[3]


def event_history_uri(account_id: str, region: str, day: date) -> str:
    """The name in the ledger of one UTC day of an account's Event history in one region."""
    return f"event-history:/{account_id}/{region}/{day}"
