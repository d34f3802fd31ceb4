"""The raw record of an event, found again in the document it came from, with secrets removed."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from analyzer.cloudtrail import TOKEN_PREFIXES
from analyzer.decoding import Reading
from analyzer.decoding.compression import uncompressed
from analyzer.decoding.json_values import Json, parse
from analyzer.decoding.lenient import DEPTH_LIMIT, raw_records

REMOVED = "[removed]"
TOO_DEEP = "[nested too deep to show]"

_SECRET_KEY = re.compile(
    r"token|secret|password|passphrase|assertion|privatekey|signature|authorization", re.IGNORECASE
)
_SECRET_NAME = re.compile(
    r"secret_?access_?key|(?:session|security|identity)_?token|saml_?assertion", re.IGNORECASE
)
"""Names in a text that is no JSON, such as another tool's rendering of a response or one that was cut off."""

_HARMLESS_KEY = re.compile(r"^(?:nextToken|clientToken|clientRequestToken|version1TokensOnly|httpTokens)$")

ReadContent = Callable[[Mapping[str, Any]], bytes | None]
"""Given the ledger's row of a document, its bytes as they lie in the source now, or None if it is gone."""


def find_raw_record(event_id: str, source: Mapping[str, Any], read: ReadContent, limit: int) -> Json | None:
    """The record with an event_id in the document of a ledger row, secrets removed.

    None when the document is not there any more or is not the one that was read (by its SHA-256).
    `limit`: ceiling in bytes for the document when decompressed.
    """
    data = read(source)
    if data is None:
        return None
    content = uncompressed(data, limit)
    if isinstance(content, Reading) or hashlib.sha256(content).hexdigest() != source["sha256"]:
        return None
    for found_id, record in raw_records(content, limit):
        if found_id == event_id:
            return without_secrets(record)
    return None


def without_secrets(value: Json, levels: int = DEPTH_LIMIT) -> Json:
    """A copy of a JSON value in which whatever is or may be a secret is replaced, at most so many levels deep."""
    if isinstance(value, dict | list) and not levels:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: _under_key(key, part, levels) for key, part in value.items()}
    if isinstance(value, list):
        return [without_secrets(part, levels - 1) for part in value]
    if isinstance(value, str):
        return _text_without_secrets(value, levels)
    return value


def _text_without_secrets(text: str, levels: int) -> str:
    """Text is replaced if it holds a session token, and looked into if it is JSON itself."""
    if any(prefix in text for prefix in TOKEN_PREFIXES):
        return REMOVED
    if text.lstrip()[:1] in ("{", "[") and levels:
        try:
            return json.dumps(without_secrets(parse(text), levels - 1))
        except (ValueError, RecursionError):
            return REMOVED if _SECRET_KEY.search(text) else text
    return REMOVED if _SECRET_NAME.search(text) else text


def _under_key(key: str, value: Json, levels: int) -> Json:
    is_flag = value is None or isinstance(value, bool)
    if not is_flag and _SECRET_KEY.search(key) and not _HARMLESS_KEY.match(key):
        return REMOVED
    return without_secrets(value, levels - 1)
