"""The raw record of an event, found again in the document it came from, with secrets removed."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from analyzer.cloudtrail import TOKEN_PREFIXES
from analyzer.decoding import Reading
from analyzer.decoding.compression import uncompressed
from analyzer.decoding.lenient import raw_records
from analyzer.decoding.shapes import Json

REMOVED = "[removed]"

_SECRET_KEY = re.compile(
    r"token|secret|password|passphrase|assertion|privatekey|signature|authorization", re.IGNORECASE
)
_HARMLESS_KEY = re.compile(r"^(?:nextToken|clientToken|clientRequestToken|version1TokensOnly|httpTokens)$")

ReadContent = Callable[[Mapping[str, Any]], bytes | None]
"""Given the ledger's row of a document, its bytes as they lie in the source now, or None if it is gone."""


def find_raw_record(event_id: str, source: Mapping[str, Any], read: ReadContent, limit: int) -> Json | None:
    """The record with an event_id in the document of a ledger row, or None when it is not there any more.

    `limit`: ceiling in bytes for the document when decompressed. Secrets are removed.
    """
    data = read(source)
    if data is None:
        return None
    content = uncompressed(data, limit)
    if isinstance(content, Reading):
        return None
    for found_id, record in raw_records(content, limit):
        if found_id == event_id:
            return without_secrets(record)
    return None


def without_secrets(value: Json) -> Json:
    """A copy of a JSON value in which whatever is or may be a secret is replaced."""
    if isinstance(value, dict):
        return {key: _under_key(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_secrets(part) for part in value]
    if isinstance(value, str) and any(prefix in value for prefix in TOKEN_PREFIXES):
        return REMOVED
    return value


def _under_key(key: str, value: Json) -> Json:
    if isinstance(value, str | int | float) and _SECRET_KEY.search(key) and not _HARMLESS_KEY.match(key):
        return REMOVED
    return without_secrets(value)
